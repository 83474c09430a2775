"""How each operator runs on all samples at once: rules by family."""

from __future__ import annotations

from typing import Any

from ... import _C
from ...utils._python_dispatch import _modes
from .._levels import BatchedTensor, Level, VmapError, current_levels
from . import (
    convolution,
    elementwise,
    indexing,
    inplace,
    joining,
    linalg,
    losses,
    normalization,
    parts,
    products,
    randoms,
    reductions,
    views,
)
from ._loop import loop
from ._tools import Rule, function_of, operators

__all__ = ["FAMILIES", "PARTS", "make_rule"]

# For each operator a function that makes its rule, which is asked only where a tensor is batched.
FAMILIES = {
    **elementwise.RULES,
    **reductions.RULES,
    **views.RULES,
    **products.RULES,
    **joining.RULES,
    **indexing.RULES,
    **convolution.RULES,
    **normalization.RULES,
    **losses.RULES,
    **linalg.RULES,
    **inplace.RULES,
}
# Operators that are written with others, of which each has its rule.
PARTS = {**parts.RULES, **losses.PARTS, **products.PARTS}


def make_rule(operator: str) -> Rule:
    if operator in randoms.RULES:
        return _with_randomness(randoms.RULES[operator], operator)
    if operator in PARTS:
        return _of_parts(operator)
    return _of_values(operator)


def _involves(level: Level, args: Any) -> bool:
    found = False
    for x in args:
        kind = type(x)
        if kind is BatchedTensor:
            if x._level is level:
                found = True
            elif x._level not in current_levels():
                raise VmapError("a Tensor of a vmap that is over was used inside of another one")
        elif (kind is tuple or kind is list) and _involves(level, x):
            found = True
    return found


def _of_values(operator: str) -> Rule:
    op = function_of(operator)
    if operator in FAMILIES:
        inner: Rule = FAMILIES[operator](operator, op)
    elif operator[-1] == "_" and operator[:-1] in operators():
        direct = FAMILIES.get(operator[:-1]) is elementwise.elementwise
        inner = (inplace.direct if direct else inplace.by_copy)(operator, op)
    else:
        inner = loop(operator, op)
    set_dispatching = _C._set_dispatching

    def rule(level: Level, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        stack = _modes.stack
        stack.pop()
        if not stack:
            set_dispatching(False)
        try:
            if _involves(level, (*args, *kwargs.values()) if kwargs else args):
                return inner(level, args, kwargs)
            return op(*args, **kwargs)
        finally:
            stack.append(level)
            set_dispatching(True)

    return rule


def _of_parts(operator: str) -> Rule:
    parts_of = PARTS[operator]
    of_values = _of_values(operator)

    def rule(level: Level, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if _involves(level, (*args, *kwargs.values())):
            result = parts_of(*args, **kwargs)
            if result is not NotImplemented:
                return result
        return of_values(level, args, kwargs)

    return rule


def _with_randomness(make: Any, operator: str) -> Rule:
    op = function_of(operator)
    inner: Rule = make(operator, op)

    def rule(level: Level, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        stack = _modes.stack
        stack.pop()
        if not stack:
            _C._set_dispatching(False)
        try:
            return inner(level, args, kwargs)
        finally:
            stack.append(level)
            _C._set_dispatching(True)

    return rule
