"""Draws the pictures of the guides into docs/pictures, or into a folder that is given.

    python docs/pictures.py [FOLDER]

Graphs are drawn by the engine itself. `tests/test_guides.py` compares the files with what this
gives.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import tapegrad
from tapegrad.autograd import graph
from tapegrad.teaching.scalar import Value

FOLDER = Path(__file__).resolve().parent / "pictures"


def on_a_card(svg: str) -> str:
    """On a light card, so that a picture can be read on pages of any colour."""
    card = '<rect width="100%" height="100%" style="fill: #fbfcfd; stroke: none; rx: 10px"/>'
    return svg.replace("</style>", f"</style>\n{card}", 1).rstrip() + "\n"


def named(**values: Value) -> Value:
    """The last of the values, which get these names."""
    for name, value in values.items():
        value.label = name
    return list(values.values())[-1]


# ---------------------------------------------------------------------- graphs


def chain() -> str:
    """The square of a line: values on the way down, gradients on the way up."""
    x, w, b = Value(2.0), Value(1.5), Value(-1.0)
    scaled = x * w
    line = scaled + b
    loss = line * line
    named(x=x, w=w, b=b, scaled=scaled, line=line, loss=loss).backward()
    return graph.draw(loss).svg()


def two_ways() -> str:
    """A value that is used twice gets the sum of two gradients."""
    x = Value(3.0)
    square = x * x
    y = square + x
    named(x=x, square=square, y=y).backward()
    return graph.draw(y).svg()


def cut() -> str:
    """The result of detach() is a constant: the gradient does not go on behind it."""
    x = tapegrad.tensor(2.0, requires_grad=True)
    h = x * x * x
    y = h * h.detach()
    y.backward(retain_graph=True)
    return graph.draw(y, {"x": x, "h": h, "y": y}).svg()


def second() -> str:
    """The gradient of exp(x) * x is a graph by itself, with x in three places."""
    x = tapegrad.tensor(2.0, requires_grad=True)
    (slope,) = tapegrad.autograd.grad(x.exp() * x, x, create_graph=True)
    slope.backward(retain_graph=True)
    return graph.draw(slope, {"x": x, "slope": slope}).svg()


# ---------------------------------------------------------------------- the architecture

STYLE = """\
  text { font: 13px system-ui, sans-serif; text-anchor: middle; fill: #1b1f24; }
  .label { font-weight: 600; } .soft { fill: #68707a; font-size: 12px; }
  rect { fill: #eef1f5; stroke: #d3d8de; rx: 6px; } .python { fill: #e3effd; stroke: #3b82c4; }
  .kernel { fill: #e4f5e6; stroke: #3f9a54; } .tape { fill: #fdf0e3; stroke: #c9803a; }
  path { fill: none; stroke: #9aa4af; stroke-width: 1.4px; }"""
WIDTH, HEIGHT = 200, 58
# name: (left, top, kind, what it has)
LAYERS = {
    "python/tapegrad": (210, 20, "python", "nn, optim, func, utils, ..."),
    "python": (210, 110, "python", "bindings, argument reader"),
    "ops": (210, 200, "operation", "checks, shapes, rules"),
    "autograd": (20, 290, "tape", "nodes, saved values, engine"),
    "kernels": (400, 290, "kernel", "loops, per instruction set"),
    "replay": (20, 380, "tape", "recorded kernel calls"),
    "formulas": (400, 380, "kernel", "value and derivative, once"),
    "simd": (400, 470, "kernel", "packs of lanes, vector math"),
    "core": (210, 560, "operation", "tensor, storage, threads"),
}
# (from, where it leaves, to, where it arrives): places as parts of the width
INCLUDES = [
    ("python/tapegrad", 0.5, "python", 0.5),
    ("python", 0.5, "ops", 0.5),
    ("ops", 0.25, "autograd", 0.5),
    ("ops", 0.75, "kernels", 0.5),
    ("autograd", 0.5, "replay", 0.5),
    ("kernels", 0.5, "formulas", 0.5),
    ("kernels", 0.15, "replay", 0.85),
    ("formulas", 0.5, "simd", 0.5),
    ("simd", 0.5, "core", 0.75),
    ("replay", 0.5, "core", 0.25),
]


def architecture() -> str:
    """The layers, and which of them uses which."""
    lines = []
    for source, leaves, target, arrives in INCLUDES:
        left, top, *_ = LAYERS[source]
        x, y = left + leaves * WIDTH, top + HEIGHT
        left, end, *_ = LAYERS[target]
        to, middle = left + arrives * WIDTH, (y + end) / 2
        lines.append(f'<path d="M{x:g},{y}C{x:g},{middle:g} {to:g},{middle:g} {to:g},{end}"/>')
        lines.append(f'<path d="M{to - 4:g},{end - 6}L{to:g},{end}L{to + 4:g},{end - 6}"/>')
    for name, (left, top, kind, content) in LAYERS.items():
        folder = name if "/" in name else f"csrc/{name}"
        x = left + WIDTH / 2
        size = f'width="{WIDTH}" height="{HEIGHT}"'
        lines.append(f'<rect x="{left}" y="{top}" {size} class="{kind}"/>')
        lines.append(f'<text x="{x:g}" y="{top + 24}" class="label">{folder}</text>')
        lines.append(f'<text x="{x:g}" y="{top + 43}" class="soft">{content}</text>')
    width, height = 620, LAYERS["core"][1] + HEIGHT + 20
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size}>'
    return "\n".join([head, "<style>", STYLE, "</style>", *lines, "</svg>"])


PICTURES: dict[str, Callable[[], str]] = {
    "chain": chain,
    "two_ways": two_ways,
    "cut": cut,
    "second": second,
    "architecture": architecture,
}


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if sys.argv[1:] else FOLDER
    for name, draw in PICTURES.items():
        (folder / f"{name}.svg").write_text(on_a_card(draw()))
