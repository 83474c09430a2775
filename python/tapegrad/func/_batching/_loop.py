"""Operators without a rule: each sample alone."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from ... import _C
from ..._C import Tensor
from .._levels import Level, VmapError
from ._tools import Rule, batched, refuse_out, rewrap

__all__ = ["loop", "over_samples"]

_warned: set[str] = set()


def loop(operator: str, op: Callable[..., Any]) -> Rule:
    """The rule that runs the operator for each sample and stacks what it gives."""

    def rule(level: Level, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        refuse_out(operator, kwargs)
        if level.quick:
            raise VmapError(f"{operator} has no batching rule")
        if operator not in _warned:
            _warned.add(operator)
            warnings.warn(
                f"There is a performance drop because there is no batching rule for "
                f"{operator}: vmap runs it for each sample.",
                stacklevel=4,
            )
        return over_samples(level, op, args, kwargs)

    return rule


def over_samples(
    level: Level, op: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    if not level.size:
        raise VmapError("vmap: an operator without a batching rule does not take an empty batch")

    def sample(x: Any, i: int) -> Any:
        if batched(level, x):
            return x._value.select(0, i)
        if isinstance(x, tuple | list):
            return type(x)(sample(part, i) for part in x)
        return x

    results = [
        op(*sample(args, i), **{name: sample(value, i) for name, value in kwargs.items()})
        for i in range(level.size)
    ]
    return rewrap(level, _stacked(results))


def _stacked(results: list[Any]) -> Any:
    first = results[0]
    if isinstance(first, Tensor):
        if any(result.shape != first.shape for result in results):
            raise VmapError(
                "vmap: the shapes of the results of an operator differ from sample to sample; "
                "this is not supported."
            )
        return _C.stack(results)
    if isinstance(first, tuple | list):
        kind: Any = type(first)
        return kind([_stacked(list(parts)) for parts in zip(*results, strict=True)])
    return first
