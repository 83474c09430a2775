"""Operators that join tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..._C import Tensor
from .._levels import Level, wrap
from ._tools import Rule, Signature, refuse_out, shift, value_of

__all__ = ["RULES"]


def _joined(operator: str, op: Callable[..., Any]) -> Rule:
    signature = Signature(operator)

    def rule(level: Level, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        refuse_out(operator, kwargs)
        bound = signature.bind(args, kwargs)
        tensors, dim = list(bound["tensors"]), bound["dim"]
        if operator == "cat" and len({x.dim() for x in tensors}) > 1:
            # Empty vectors may be joined with anything.
            tensors = [x for x in tensors if x.shape != (0,)] or tensors
        rank = tensors[0].dim() + (operator == "stack")
        values: list[Tensor] = [value_of(level, x) for x in tensors]
        if operator == "cat" and rank == 0:
            raise RuntimeError("zero-dimensional tensor (at position 0) cannot be concatenated")
        return wrap(level, op(values, shift(dim, rank)))

    return rule


RULES = {"cat": _joined, "stack": _joined}
