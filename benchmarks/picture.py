"""The picture: time of a training step over the size of the model, a line per engine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .engines import Engine
from .measure import Row
from .report import format_time
from .workloads import SWEEP_WIDTHS, parameter_count, sweep_model

_COLORS = {
    "tapegrad": "#c2410c",
    "tapegrad-1": "#fb923c",
    "torch-1": "#1e40af",
    "torch-2": "#60a5fa",
    "numpy": "#4b5563",
    "jax": "#15803d",
    "hips": "#a855f7",
}


def draw(rows: Sequence[Row], engines: Sequence[Engine], path: Path) -> bool:
    """Write the picture to `path` (SVG or PNG); return False if there is nothing to draw.

    Raises:
        ImportError: if matplotlib is not installed.
    """
    by_key = {row.key: row for row in rows if row.group == "sweep"}
    if len(by_key) < 2:
        return False
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.ticker import FuncFormatter, NullLocator

    # The same file for the same numbers.
    plt.rcParams.update({"svg.hashsalt": "tapegrad", "font.family": "DejaVu Sans"})
    figure, axes = plt.subplots(figsize=(7.2, 4.2), layout="constrained")
    ends: list[tuple[float, float, str, str]] = []
    for engine in engines:
        points = [
            (parameter_count(sweep_model(width)), by_key[f"sweep-{width}"].seconds[engine.name])
            for width in SWEEP_WIDTHS
            if engine.name in by_key.get(f"sweep-{width}", Row("", "", "")).seconds
        ]
        if not points:
            continue
        x, y = zip(*points, strict=True)
        own = engine.name == "tapegrad"
        color = _COLORS[engine.name]
        axes.plot(
            x, y, color=color, linewidth=2.4 if own else 1.5, marker="o", markersize=4 if own else 3
        )
        ends.append((x[0], y[0], engine.label, color))
    axes.set_xscale("log")
    axes.set_yscale("log")
    _label_lines(axes, ends)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda seconds, _: _short(seconds)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda count, _: _count(count)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_minor_locator(NullLocator())
    axes.grid(axis="y", color="#e5e7eb", linewidth=0.8)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(length=0, colors="#374151")
    axes.set_xlabel("parameters of the model", color="#374151")
    axes.set_title(
        "Time of a training step (MLP, three layers, batch 64, SGD with momentum)",
        fontsize=10.5,
        loc="left",
        color="#111827",
    )
    metadata = {"Date": None} if path.suffix == ".svg" else None
    figure.savefig(path, dpi=160, metadata=metadata, facecolor="white")
    plt.close(figure)
    return True


def _label_lines(axes: object, ends: list[tuple[float, float, str, str]]) -> None:
    """Write each engine's name left of its line, apart from the others."""
    apart = 1.45  # smallest ratio between the heights of two labels
    height = 0.0
    for x, y, label, color in sorted(ends, key=lambda end: end[1]):
        height = max(y, height * apart)
        axes.annotate(  # type: ignore[attr-defined]
            f"{label}  ",
            (x, height),
            color=color,
            fontsize=9,
            ha="right",
            va="center",
            annotation_clip=False,
        )
    low, high = axes.get_xlim()  # type: ignore[attr-defined]
    axes.set_xlim(low / 9, high)  # type: ignore[attr-defined]


def _short(seconds: float) -> str:
    number, unit = format_time(seconds).split()
    return f"{float(number):g} {unit}"


def _count(count: float) -> str:
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if count >= size:
            return f"{count / size:g}{unit}"
    return f"{count:g}"
