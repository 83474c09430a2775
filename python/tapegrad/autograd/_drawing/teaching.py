"""Reads the graphs of `tapegrad.teaching`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .description import Array, Description, Item
from .tape import MAX_NUMBERS

__all__ = ["describe", "is_teaching"]

# Their signs, as formulas of the engine.
_FORMULAS = {
    "+": "add",
    "-": "sub",
    "*": "mul",
    "/": "div",
    "neg": "neg",
    "relu": "relu",
    "tanh": "tanh",
    "exp": "exp",
    "log": "log",
    "sigmoid": "sigmoid",
}


def is_teaching(root: Any) -> bool:
    """Whether this is a value of one of the engines for teaching."""
    return hasattr(root, "_prev") and hasattr(root, "_op") and hasattr(root, "data")


def _inputs(value: Any) -> list[Any]:
    """What it was computed from, in the order of the operands."""
    pairs = getattr(value, "_inputs", None)
    return [source for source, _ in pairs] if pairs is not None else list(value._prev)


def _in_order(root: Any) -> list[Any]:
    ordered, seen = [], {id(root)}
    stack = [(root, iter(_inputs(root)))]
    while stack:
        value, rest = stack[-1]
        for source in rest:
            if id(source) not in seen:
                seen.add(id(source))
                stack.append((source, iter(_inputs(source))))
                break
        else:
            ordered.append(value)
            stack.pop()
    return ordered


def _array(data: Any) -> Array | None:
    if data is None or isinstance(data, (int, float)):
        return None if data is None else Array((), [float(data)])
    if data.size > MAX_NUMBERS:
        return None
    return Array(tuple(data.shape), [float(x) for x in data.reshape(-1)])


def _operation(item: Item, sign: str, shapes: list[tuple[int, ...]]) -> None:
    item.op = sign
    if sign in _FORMULAS:
        item.formula = _FORMULAS[sign]
        item.numbers = [None] * 2 if len(shapes) == 2 else []
    elif sign.startswith("**"):
        item.formula, item.numbers = "pow_scalar", [float(sign[2:])]
    elif sign == "matmul" and [len(s) for s in shapes] == [2, 2]:
        item.op = "MmBackward0"
    elif sign == "sum" and not item.shape:
        item.op, item.parameters = "SumBackward0", {"dim": []}
    elif sign == "reshape":
        item.op = "ViewBackward0"
    elif sign == "T":
        item.op, item.parameters = "PermuteBackward0", {"dims": [*range(len(shapes[0]))][::-1]}


def describe(root: Any, variables: Mapping[str, Any] = {}) -> Description:
    """The graph of a `Value` or a `Tensor`, with the names of the caller's variables."""
    names = {id(value): name for name, value in reversed([*variables.items()])}
    items: list[Item] = []
    numbers: dict[int, int] = {}
    for value in _in_order(root):
        sources = _inputs(value)
        sign = value._op
        name = getattr(value, "label", "") or names.get(id(value))
        item = Item(
            name or sign or "constant",
            inputs=[numbers[id(source)] for source in sources],
            shape=tuple(getattr(value.data, "shape", ())),
            dtype="float32" if hasattr(value.data, "dtype") else "float64",
            value=_array(value.data),
            grad=_array(value.grad),
            wanted=getattr(value, "requires_grad", bool(sources or name)),
        )
        if sources:
            _operation(item, sign, [items[i].shape for i in item.inputs if i is not None])
        elif item.wanted and not name:
            item.label = "input"
        numbers[id(value)] = len(items)
        items.append(item)
    return Description(items)
