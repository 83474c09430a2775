"""What a picture of a graph shows, whatever engine recorded it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

from .._nodes import Place

__all__ = ["Array", "Description", "Item", "Saved"]


@dataclass
class Array:
    """Numbers in C order."""

    shape: tuple[int, ...]
    data: list[Any]


@dataclass
class Saved:
    """A tensor that an operation keeps for its derivative.

    `bytes` are those that no operation before it keeps.
    """

    name: str
    shape: tuple[int, ...]
    bytes: int


@dataclass
class Item:
    """An operation, an input of the graph, a constant, or a place where values left the tape.

    Attributes:
        label: what stands on it: the name of the variable, or of the operation.
        op: the name of the operation's node; empty for an input.
        cut: whether values leave the tape here, and no gradient comes back.
        inputs: the numbers of items, of which None is a number or nothing.
        shape, dtype: of the result.
        rule: the derivative as text.
        formula, numbers: of an element-wise operation, its formula (csrc/formulas) and numbers.
        parameters: what else the operation needs to be computed again.
        value: the result as far as it is known; None, or more than are shown.
        grad: the gradient in the same way.
        wanted: whether a gradient flows to it.
        place, module: where it was made.
        saved: what the operation keeps.
        notes: what is remarkable about it.
    """

    label: str
    op: str = ""
    cut: bool = False
    inputs: list[int | None] = field(default_factory=list)
    shape: tuple[int, ...] = ()
    dtype: str = ""
    rule: str = ""
    formula: str = ""
    numbers: list[float | None] = field(default_factory=list)
    parameters: dict[str, Any] = field(default_factory=dict)
    value: Array | None = None
    grad: Array | None = None
    wanted: bool = True
    place: Place | None = None
    module: str = ""
    saved: list[Saved] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """``"operation"``, ``"cut"``, ``"input"`` or ``"constant"``."""
        if self.op:
            return "operation"
        return "cut" if self.cut else "input" if self.wanted else "constant"

    @property
    def subtitle(self) -> str:
        """What stands below the name where there are no numbers."""
        if self.cut and self.place is not None:
            return f"{os.path.basename(self.place.file)}:{self.place.line}"
        return f"{list(self.shape)}" if self.shape else self.dtype


@dataclass
class Description:
    """Items, inputs before their users; the last is the root."""

    items: list[Item]

    @property
    def root(self) -> int:
        return len(self.items) - 1
