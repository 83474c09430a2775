"""Pictures of time over a size, a line per engine (SVG)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from .engines import Engine
from .measure import Row
from .report import format_time
from .workloads import SWEEP_WIDTHS, parameter_count, sweep_model

_COLORS = {
    "tapegrad": "#c2410c",
    "tapegrad-1": "#fb923c",
    "replay": "#7c2d12",
    "torch-1": "#1e40af",
    "torch-2": "#3b82f6",
    "numpy": "#4b5563",
    "torch-compile": "#0ea5e9",
    "jax": "#15803d",
    "mlx": "#65a30d",
    "hips": "#9333ea",
}
_WIDTH, _HEIGHT = 800, 480
_TOP, _BOTTOM = 76, 56  # room for the title, and for the labels of the horizontal axis
_LEFT, _RIGHT = 64, 24
_NAMES = 152  # between the vertical axis and the first points, for the names of the engines
_LINE = 17  # smallest distance between two names
_FONT = "system-ui, 'Segoe UI', Helvetica, Arial, sans-serif"


@dataclass
class Line:
    label: str
    color: str
    own: bool
    points: list[tuple[float, float]]  # size, seconds


def draw(rows: Sequence[Row], engines: Sequence[Engine], path: Path) -> bool:
    """Write the picture of step time over model size; return False if there is nothing to draw."""
    lines = _lines(rows, engines)
    if not any(len(line.points) > 1 for line in lines):
        return False
    text = chart(
        lines,
        title="Time of a training step",
        subtitle="MLP with three layers, batch 64, SGD with momentum, float32; lower is better",
        axis="parameters of the model",
    )
    path.write_text(text, encoding="utf-8")
    return True


def line(engine: Engine, points: list[tuple[float, float]]) -> Line:
    """Return the line of an engine, in its color."""
    return Line(engine.label, _COLORS[engine.name], engine.package == "tapegrad", points)


def _lines(rows: Sequence[Row], engines: Sequence[Engine]) -> list[Line]:
    by_key = {row.key: row for row in rows if row.group == "sweep"}
    lines = []
    for engine in engines:
        points = [
            (parameter_count(sweep_model(width)), row.seconds[engine.name])
            for width in SWEEP_WIDTHS
            if (row := by_key.get(f"sweep-{width}")) and engine.name in row.seconds
        ]
        if points:
            lines.append(line(engine, points))
    return lines


class _Scale:
    """Maps the logarithm of a value onto pixels."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self.low, self.high, self.start = low, high, start
        self.step = (end - start) / (math.log10(high / low) or 1)

    def __call__(self, value: float) -> float:
        return round(self.start + self.step * math.log10(value / self.low), 1)

    def decades(self) -> list[float]:
        first, last = math.ceil(math.log10(self.low)), math.floor(math.log10(self.high))
        return [10.0**power for power in range(first, last + 1)]


def chart(lines: Sequence[Line], *, title: str, subtitle: str, axis: str) -> str:
    """Return a picture of the lines on logarithmic axes, the own ones on top."""
    lines = sorted(lines, key=lambda line: line.own)
    counts = [count for line in lines for count, _ in line.points]
    times = [seconds for line in lines for _, seconds in line.points]
    x = _Scale(min(counts), max(counts), _LEFT + _NAMES, _WIDTH - _RIGHT - 8)
    y = _Scale(min(times) / 1.3, max(times) * 1.3, _HEIGHT - _BOTTOM, _TOP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'width="{_WIDTH}" height="{_HEIGHT}" font-family="{_FONT}" font-size="13" role="img">',
        f"<title>{escape(title)}, by {escape(axis)}</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" rx="8" fill="#ffffff"/>',
        text_of(20, 32, title, "#111827", size=18, weight=600),
        text_of(20, 53, subtitle, "#6b7280"),
    ]
    for seconds in y.decades():
        height = y(seconds)
        parts.append(
            f'<path d="M{_LEFT} {height}H{_WIDTH - _RIGHT}" stroke="#e5e7eb" stroke-width="1"/>'
        )
        parts.append(text_of(_LEFT - 8, height + 4, _short(seconds), "#6b7280", anchor="end"))
    for count in x.decades():
        parts.append(
            f'<path d="M{x(count)} {_HEIGHT - _BOTTOM}v5" stroke="#9ca3af" stroke-width="1"/>'
        )
        parts.append(text_of(x(count), _HEIGHT - 34, _count(count), "#6b7280", anchor="middle"))
    middle = (x.start + _WIDTH - _RIGHT) / 2
    parts.append(text_of(middle, _HEIGHT - 12, axis, "#374151", anchor="middle"))
    for line in lines:
        parts += _drawn(line, x, y)
    heights = _apart([y(line.points[0][1]) for line in lines])
    for line, height in zip(lines, heights, strict=True):
        weight = 700 if line.own else 500
        left = x(line.points[0][0]) - 12
        parts.append(text_of(left, height + 4, line.label, line.color, anchor="end", weight=weight))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _drawn(line: Line, x: _Scale, y: _Scale) -> list[str]:
    places = [(x(count), y(seconds)) for count, seconds in line.points]
    path = "L".join(f"{a} {b}" for a, b in places)
    radius, width = (4, 3) if line.own else (2.5, 1.8)
    return [
        f'<path d="M{path}" fill="none" stroke="{line.color}" stroke-width="{width}" '
        'stroke-linejoin="round"/>',
        *(f'<circle cx="{a}" cy="{b}" r="{radius}" fill="{line.color}"/>' for a, b in places),
    ]


def _apart(heights: list[float]) -> list[float]:
    """Move heights as little as needed to be a line of text apart."""
    order = sorted(range(len(heights)), key=heights.__getitem__)
    # Groups of neighbours that touch stand around the mean of where they want to be.
    groups: list[list[int]] = []
    for index in order:
        groups.append([index])
        while len(groups) > 1 and _bottom(groups[-2], heights) > _top(groups[-1], heights):
            groups[-2:] = [groups[-2] + groups[-1]]
    found = list(heights)
    for group in groups:
        top = _top(group, heights) + _LINE / 2
        for place, index in enumerate(group):
            found[index] = round(top + place * _LINE, 1)
    return found


def _top(group: list[int], heights: list[float]) -> float:
    return sum(heights[index] for index in group) / len(group) - len(group) * _LINE / 2


def _bottom(group: list[int], heights: list[float]) -> float:
    return _top(group, heights) + len(group) * _LINE


def text_of(
    x: float,
    y: float,
    text: str,
    color: str,
    *,
    anchor: str = "start",
    size: int = 13,
    weight: int = 400,
) -> str:
    """Write a line of text at a place."""
    return (
        f'<text x="{x}" y="{y}" fill="{color}" text-anchor="{anchor}" font-size="{size}" '
        f'font-weight="{weight}">{escape(text)}</text>'
    )


def _short(seconds: float) -> str:
    number, unit = format_time(seconds).split()
    return f"{float(number):g} {unit}".replace("us", "µs")


def _count(count: float) -> str:
    for size, unit in ((1e6, " million"), (1e3, ",000")):
        if count >= size:
            return f"{count / size:g}{unit}"
    return f"{count:g}"
