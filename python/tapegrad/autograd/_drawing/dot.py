"""A graph as text for Graphviz."""

from __future__ import annotations

from .description import Description, Item
from .layout import Group

__all__ = ["dot"]

_SHAPES = {
    "operation": 'shape=box, style="rounded,filled", fillcolor="#eef1f5"',
    "input": 'shape=box, style="rounded,filled", fillcolor="#e3effd"',
    "constant": 'shape=box, style="rounded,dashed"',
    "cut": 'shape=box, style="rounded,dashed", color="#d22f27"',
}


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _label(item: Item) -> str:
    return _quoted(f"{item.label}\n{item.subtitle}")


def dot(description: Description, layout: Group) -> str:
    """The text of a file for ``dot``."""
    lines = ["digraph {", '  node [fontname="sans-serif", fontsize=11]']
    clusters = 0

    def visit(box: Group, indent: str) -> None:
        nonlocal clusters
        for unit in box.units:
            if isinstance(unit, Group):
                clusters += 1
                lines.append(f"{indent}subgraph cluster_{clusters} {{")
                lines.append(f"{indent}  label={_quoted(unit.title)}")
                visit(unit, indent + "  ")
                lines.append(f"{indent}}}")
            elif unit.item is not None:
                item = description.items[unit.item]
                lines.append(f"{indent}{unit.item} [label={_label(item)}, {_SHAPES[item.kind]}]")

    visit(layout, "  ")
    for user, item in enumerate(description.items):
        for source in item.inputs:
            if source is not None:
                lines.append(f"  {source} -> {user}")
    return "\n".join([*lines, "}"]) + "\n"
