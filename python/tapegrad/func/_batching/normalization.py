"""Normalisations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ... import _C
from ..._C import Tensor
from .._levels import Level, VmapError, wrap
from ._tools import Rule, Signature, batched, lift, value_of

__all__ = ["RULES"]


def _scaled(level: Level, result: Tensor, weight: Any, bias: Any, behind: int) -> Tensor:
    """Values times the weight plus the bias, whose dimensions stand before the last `behind`."""

    def fit(x: Tensor) -> Tensor:
        value = x._value if batched(level, x) else x  # type: ignore[attr-defined]
        for _ in range(behind):
            value = value.unsqueeze(-1)
        return lift(value, result.dim() - value.dim()) if batched(level, x) else value

    if weight is not None:
        result = result * fit(weight)
    return result if bias is None else result + fit(bias)


def _of_last(operator: str, op: Callable[..., Any]) -> Rule:
    """`layer_norm` and `rms_norm`: the last dimensions, so that the batch may stand before them."""
    signature = Signature(operator)

    def rule(level: Level, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        bound = signature.bind(args, kwargs)
        weight, bias = bound["weight"], bound["bias"]  # `rms_norm` has none
        bound["input"] = value_of(level, bound["input"])
        if not batched(level, weight) and not batched(level, bias):
            return wrap(level, bound.call(op))
        for name in ("weight", "bias"):
            if name in bound:
                bound[name] = None
        return wrap(level, _scaled(level, bound.call(op), weight, bias, 0))

    return rule


def _group_norm(operator: str, op: Callable[..., Any]) -> Rule:
    signature = Signature(operator)

    def rule(level: Level, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        bound = signature.bind(args, kwargs)
        x, weight, bias = (bound[name] for name in ("input", "weight", "bias"))
        apart = batched(level, weight) or batched(level, bias)
        if apart:
            bound["weight"] = bound["bias"] = None
        bound["input"] = value_of(level, x).flatten(0, 1)
        result = bound.call(op).unflatten(0, (level.size, x.shape[0]))
        if apart:
            result = _scaled(level, result, weight, bias, x.dim() - 2)
        return wrap(level, result)

    return rule


def _channels(level: Level, value: Tensor) -> Tensor:
    """(batch, N, C, *) as (N, batch * C, *)."""
    return value.transpose(0, 1).flatten(1, 2)


def _batch_norm(operator: str, op: Callable[..., Any]) -> Rule:
    """Each sample has statistics of its own: its channels are further channels."""
    signature = Signature(operator)
    own = "training" if operator == "batch_norm" else "use_input_stats"

    def rule(level: Level, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        bound = signature.bind(args, kwargs)
        x, weight, bias = (bound[name] for name in ("input", "weight", "bias"))
        running = bound["running_mean"], bound["running_var"]
        if bound[own] and any(r is not None and not batched(level, r) for r in running):
            raise VmapError(
                "Batch norm got a batched tensor as input while the running_mean or running_var, "
                "which will be updated in place, were not batched.\nIf you are using a module and "
                "do not need eval mode, please set `track_running_stats` to be False.\nIf you are "
                "using a prebuilt module and do not need eval mode, please see the functorch "
                "website for resources on how to patch your module to work with vmap"
            )
        bound["weight"] = bound["bias"] = None
        bound["input"] = _channels(level, value_of(level, x))
        flat = [None if r is None else value_of(level, r).reshape(-1) for r in running]
        bound["running_mean"], bound["running_var"] = flat
        result = bound.call(op)
        for r, changed in zip(running, flat, strict=True):
            if r is not None and changed is not None and bound[own]:
                with _C._NoGrad():
                    r._value.copy_(changed.reshape(r._value.shape))
        result = result.unflatten(1, (level.size, -1)).transpose(0, 1)
        return wrap(level, _scaled(level, result, weight, bias, x.dim() - 2))

    return rule


RULES = {
    "layer_norm": _of_last,
    "rms_norm": _of_last,
    "group_norm": _group_norm,
    "batch_norm": _batch_norm,
    "instance_norm": _batch_norm,
}
