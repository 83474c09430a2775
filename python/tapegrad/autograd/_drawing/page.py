"""The page: one HTML file that has all it needs."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable
from importlib import resources
from typing import Any

from tapegrad import _C

from .description import Array, Description, Item
from .layout import Group

__all__ = ["as_javascript", "engine_source", "graph_data", "page"]


def _file(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def engine_source() -> str:
    """The program in JavaScript that runs graphs; it defines ``engine``."""
    parts = [_file("words.js"), _C._formulas_as_javascript(), _file("compute.js")]
    return (
        "const engine = (() => {\n"
        + "\n".join(parts)
        + "\nreturn { missing, complete, run };\n})();\n"
    )


def _array(array: Array) -> dict[str, Any]:
    return {"shape": array.shape, "data": array.data}


def _item(item: Item) -> dict[str, Any]:
    data: dict[str, Any] = {
        "label": item.label,
        "op": item.op,
        "kind": item.kind,
        "inputs": item.inputs,
        "shape": item.shape,
        "dtype": item.dtype,
        "wanted": item.wanted,
    }
    if item.op:
        data |= {"rule": item.rule, "formula": item.formula, "numbers": item.numbers}
        data["saved"] = {
            name: _array(value) if isinstance(value, Array) else value
            for name, value in item.parameters.items()
        }
        data["kept"] = [{"name": s.name, "shape": s.shape, "bytes": s.bytes} for s in item.saved]
    if item.place is not None:
        data["place"] = vars(item.place)
    if item.module:
        data["module"] = item.module
    if item.notes:
        data["notes"] = item.notes
    for name in ("value", "grad"):
        array = getattr(item, name)
        if array is not None:
            data[name] = _array(array)
    return data


def graph_data(description: Description) -> dict[str, Any]:
    """What the page's program reads."""
    return {"nodes": [_item(item) for item in description.items], "root": description.root}


def as_javascript(data: Any) -> str:
    """Data as JavaScript, which knows NaN and Infinity, safe inside of a page."""
    text = json.dumps(data, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _groups(group: Group) -> dict[str, Any]:
    return {
        "title": group.title,
        "folded": group.folded,
        "layers": group.layers,
        "units": [
            _groups(unit)
            if isinstance(unit, Group)
            else {"item": unit.item, "size": (unit.width, unit.height)}
            for unit in group.units
        ],
        "bends": [[a, b, list(places)] for (a, b), places in group.bends.items()],
    }


def page(description: Description, layout: Group, title: str, notes: Iterable[str] = ()) -> str:
    """The text of the HTML file."""
    graph = graph_data(description) | {"notes": list(notes), "layout": _groups(layout)}
    program = "\n".join(
        [engine_source(), f"const graph = {as_javascript(graph)};", _file("view.js")]
    )
    return (
        _file("page.html")
        .replace("{{title}}", html.escape(title))
        .replace("{{style}}", _file("page.css"))
        .replace("{{program}}", program)
    )
