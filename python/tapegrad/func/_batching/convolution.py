"""Convolutions, pools, and what else takes images: the batch joins the samples or the channels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..._C import Tensor
from .._levels import Level, wrap
from ._tools import Rule, Signature, batched, refuse_out, rewrap, value_of

__all__ = ["RULES"]


def _with_samples(spatial: int, *others: str) -> Callable[[str, Callable[..., Any]], Rule]:
    """An operator of (N, C, *) or (C, *): a batch is as good as N.

    Args:
        spatial: the number of dimensions behind the channels.
        others: further tensors of the same kind.
    """

    def make(operator: str, op: Callable[..., Any]) -> Rule:
        signature = Signature(operator)

        def rule(level: Level, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            refuse_out(operator, kwargs)
            bound = signature.bind(args, kwargs)
            rank = bound[bound.first].dim()
            ahead = rank - spatial
            if ahead < 1:
                raise RuntimeError(f"{operator}: a tensor of {rank} dimensions does not fit")
            for name in (bound.first, *others):
                value = value_of(level, bound[name])
                bound[name] = value.flatten(0, ahead - 1) if ahead > 1 else value
            result = bound.call(op)

            def apart(x: Tensor) -> Tensor:
                if ahead == 1:
                    return x
                lead = args[0].shape[: ahead - 1] if args else kwargs[bound.first].shape[:1]
                return x.unflatten(0, (level.size, *lead))

            if isinstance(result, Tensor):
                return wrap(level, apart(result))
            return rewrap(level, tuple(map(apart, result)))

        return rule

    return make


def _convolution(operator: str, op: Callable[..., Any]) -> Rule:
    signature, transposed = Signature(operator), "transpose" in operator
    spatial = int(operator[-2])

    def rule(level: Level, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        bound = signature.bind(args, kwargs)
        x, weight, bias = bound["input"], bound["weight"], bound["bias"]
        alone = x.dim() == spatial + 1
        bound["bias"] = bias if not batched(level, bias) else None
        size = level.size
        if not batched(level, weight):
            if batched(level, x):
                value = x._value if alone else x._value.flatten(0, 1)
                bound["input"] = value
                result = bound.call(op)
                result = result if alone else result.unflatten(0, (size, x.shape[0]))
            else:
                result = bound.call(op)
        else:
            result = _in_groups(level, bound, op, x, weight, alone, transposed)
        if batched(level, bias):
            summand = bias._value.reshape(size, *[1] * (not alone), -1, *[1] * spatial)
            result = result + summand
        elif batched(level, weight) and bias is not None:
            result = result + bias.reshape(-1, *[1] * spatial)
        return wrap(level, result)

    return rule


def _in_groups(
    level: Level, bound: Any, op: Any, x: Tensor, weight: Tensor, alone: bool, transposed: bool
) -> Tensor:
    """Each sample has a weight of its own: its channels are a group of their own."""
    size, groups = level.size, bound["groups"]
    bound["bias"] = None
    w = value_of(level, weight)
    if not batched(level, x) and not transposed and groups == 1:
        # The same image under all weights: these are more channels of one weight.
        bound["weight"] = w.flatten(0, 1)
        result = bound.call(op)
        return result.unflatten(-2 - _spatial(weight) + 1, (size, -1)).movedim(
            -2 - _spatial(weight), 0
        )
    value = value_of(level, x)
    value = value.unsqueeze(1) if alone else value
    value = value.transpose(0, 1).flatten(1, 2)  # (N, batch * C, *)
    bound["input"], bound["weight"] = value, w.flatten(0, 1)
    bound["groups"] = groups * size
    result = bound.call(op).unflatten(1, (size, -1)).transpose(0, 1)
    return result.squeeze(1) if alone else result


def _spatial(weight: Tensor) -> int:
    return weight.dim() - 2


def _pad(operator: str, op: Callable[..., Any]) -> Rule:
    def rule(level: Level, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        x = args[0] if args else kwargs["input"]
        pad = args[1] if len(args) > 1 else kwargs["pad"]
        if len(pad) > 2 * x.dim():
            raise RuntimeError(
                f"Length of pad should be no more than twice the number of dimensions of the "
                f"input. Pad length is {len(pad)} while the input has {x.dim()} dimensions."
            )
        kwargs = {n: v for n, v in kwargs.items() if n not in ("input", "pad")}
        return wrap(level, op(x._value, pad, *args[2:], **kwargs))

    return rule


def _circular_pad(operator: str, op: Callable[..., Any]) -> Rule:
    """So many dimensions as the pad has pairs."""
    rules = [_with_samples(n)(operator, op) for n in (1, 2, 3)]

    def rule(level: Level, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        pad = args[1] if len(args) > 1 else kwargs["pad"]
        return rules[len(pad) // 2 - 1](level, args, kwargs)

    return rule


def _shuffle(operator: str, op: Callable[..., Any]) -> Rule:
    """Any number of dimensions may stand before the channels."""

    def rule(level: Level, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return wrap(level, op(args[0]._value, *args[1:], **kwargs))

    return rule


def _upsample(operator: str, op: Callable[..., Any]) -> Rule:
    """(N, C, *) alone."""

    def rule(level: Level, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        x = args[0]
        result = op(x._value.flatten(0, 1), *args[1:], **kwargs)
        return wrap(level, result.unflatten(0, (level.size, x.shape[0])))

    return rule


RULES = {
    **{f"conv{n}d": _convolution for n in (1, 2, 3)},
    **{f"conv_transpose{n}d": _convolution for n in (1, 2, 3)},
    **{
        name.format(n): _with_samples(n)
        for n in (1, 2, 3)
        for name in (
            "avg_pool{}d",
            "max_pool{}d",
            "max_pool{}d_with_indices",
            "adaptive_avg_pool{}d",
            "adaptive_max_pool{}d",
            "reflection_pad{}d",
            "replication_pad{}d",
        )
    },
    **{f"max_unpool{n}d": _with_samples(n, "indices") for n in (1, 2, 3)},
    "im2col": _with_samples(2),
    "col2im": _with_samples(1),
    "constant_pad_nd": _pad,
    "circular_pad": _circular_pad,
    "pixel_shuffle": _shuffle,
    "pixel_unshuffle": _shuffle,
    "upsample": _upsample,
}
