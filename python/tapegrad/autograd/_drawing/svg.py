"""A picture of a graph as SVG, for papers."""

from __future__ import annotations

from html import escape
from itertools import pairwise

from .description import Array, Description, Item
from .layout import HEADER, LINE, Group, Unit

__all__ = ["svg"]

_STYLE = """\
  text { font: 13px system-ui, sans-serif; text-anchor: middle; fill: #1b1f24; }
  .label { font-weight: 600; } .soft { fill: #68707a; font-size: 12px; }
  .title { fill: #68707a; font-size: 12px; text-anchor: start; } .gradient { fill: #b3400e; }
  rect { fill: #eef1f5; stroke: #d3d8de; rx: 6px; } .input { fill: #e3effd; stroke: #3b82c4; }
  .cut { fill: #fff; stroke: #d22f27; stroke-dasharray: 4 3; }
  .constant { fill: #fff; stroke: #9aa4af; stroke-dasharray: 4 3; }
  .root { fill: #e4f5e6; stroke: #3f9a54; } .box { fill: #8a94a0; fill-opacity: 0.08; rx: 8px; }
  path { fill: none; stroke: #9aa4af; stroke-width: 1.4px; }
  .dashed { stroke-dasharray: 4 3; }"""


def short(number: float | bool) -> str:
    """Six digits at most."""
    return str(number) if isinstance(number, bool) else f"{number:.6g}"


def _text(x: float, y: float, kind: str, content: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}">{escape(content)}</text>'


def _rect(x: float, y: float, unit: Unit, kind: str) -> str:
    left, top = x - unit.width / 2, y - unit.height / 2
    return (
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{unit.width:.1f}" '
        f'height="{unit.height:.1f}" class="{kind}"/>'
    )


def _numbers(item: Item) -> list[tuple[str, str]]:
    """What stands below the name: classes and texts."""

    def single(array: Array | None) -> bool:
        return array is not None and len(array.data) == 1

    if single(item.value):
        lines = [("number", short(item.value.data[0]))]  # type: ignore[union-attr]
    else:
        lines = [("soft", item.subtitle)]
    if single(item.grad):
        lines.append(("gradient", f"∂ {short(item.grad.data[0])}"))  # type: ignore[union-attr]
    return lines


class _Picture:
    def __init__(self, description: Description, layout: Group) -> None:
        self.items = description.items
        self.root = description.root
        self.boxes: list[str] = []
        self.drawings: list[str] = []
        self.paths: dict[int, list[tuple[Group, int]]] = {}  # around each item, and its places
        self.at: dict[int, tuple[float, float]] = {}  # middles, by identity
        self._visit(layout, 0.0, 0.0, [])

    def _visit(self, box: Group, left: float, top: float, around: list[tuple[Group, int]]) -> None:
        for i, unit in enumerate(box.units):
            x, y = left + unit.x, top + unit.y
            self.at[id(unit)] = x, y
            path = [*around, (box, i)]
            if isinstance(unit, Group):
                for item in unit.items() if unit.folded else ():
                    self.paths[item] = path
                self._draw_box(unit, x, y)
                if not unit.folded:
                    self._visit(unit, x - unit.width / 2, y - unit.height / 2, path)
            elif unit.item is not None:
                self.paths[unit.item] = path
                self._draw_item(unit, x, y)

    def _draw_box(self, box: Group, x: float, y: float) -> None:
        left, top = x - box.width / 2, y - box.height / 2
        self.boxes.append(_rect(x, y, box, "box"))
        self.boxes.append(_text(left + 10, top + 17, "title", box.title))
        if box.folded:
            count = sum(1 for item in box.items() if self.items[item].op)
            self.boxes.append(_text(x, top + HEADER + LINE - 2, "soft", f"{count} operations"))

    def _draw_item(self, unit: Unit, x: float, y: float) -> None:
        item = self.items[unit.item]  # type: ignore[index]
        top = y - unit.height / 2
        kind = "root" if unit.item == self.root else item.kind
        self.drawings.append(_rect(x, y, unit, kind))
        self.drawings.append(_text(x, top + 17, "label", item.label))
        for i, (style, text) in enumerate(_numbers(item)):
            self.drawings.append(_text(x, top + 17 + (i + 1) * LINE, style, text))

    def edges(self) -> list[str]:
        """Lines between what is seen, each once."""
        seen: dict[tuple[int, int], str] = {}
        for user, item in enumerate(self.items):
            for source in item.inputs:
                if source is None:
                    continue
                a, b = self.paths[source], self.paths[user]
                if a == b:
                    continue
                ends = id(_unit(a)), id(_unit(b))
                if ends not in seen:
                    dead = item.cut or not self.items[source].wanted
                    dashed = ' class="dashed"' if dead else ""
                    seen[ends] = f'<path d="{self._curve(a, b)}"{dashed}/>'
        return list(seen.values())

    def _curve(self, a: list[tuple[Group, int]], b: list[tuple[Group, int]]) -> str:
        depth = 0
        while a[depth] == b[depth]:
            depth += 1
        box, (first, last) = a[depth][0], (a[depth][1], b[depth][1])
        bends = [self.at[id(box.units[u])] for u in box.bends.get((first, last), ())]
        (x0, y0), (x1, y1) = (self.at[id(_unit(path))] for path in (a, b))
        points = [(x0, y0 + _unit(a).height / 2), *bends, (x1, y1 - _unit(b).height / 2)]
        line = f"M{points[0][0]:.1f},{points[0][1]:.1f}"
        for (xa, ya), (xb, yb) in pairwise(points):
            bow = max(14.0, (yb - ya) / 2)
            line += f"C{xa:.1f},{ya + bow:.1f} {xb:.1f},{yb - bow:.1f} {xb:.1f},{yb:.1f}"
        return line


def _unit(path: list[tuple[Group, int]]) -> Unit:
    box, i = path[-1]
    return box.units[i]


def svg(description: Description, layout: Group) -> str:
    """The text of an SVG file."""
    picture = _Picture(description, layout)
    size = f'width="{layout.width:.0f}" height="{layout.height:.0f}"'
    view = f'viewBox="0 0 {layout.width:.0f} {layout.height:.0f}"'
    parts = [*picture.boxes, *picture.edges(), *picture.drawings]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {view}>\n<style>\n{_STYLE}\n</style>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )
