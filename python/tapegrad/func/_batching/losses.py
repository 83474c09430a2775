"""Losses: the losses of all elements, reduced over those of a sample."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ... import _C
from ..._C import Tensor
from .._levels import Level, wrap
from ._tools import Rule, Signature, batched, value_of
from .elementwise import elementwise

__all__ = ["PARTS", "RULES"]


def _reduced(loss: Tensor, reduction: str) -> Tensor:
    if reduction == "none":
        return loss
    return loss.mean() if reduction == "mean" else loss.sum()


def _mse_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    return _reduced((input - target).square(), reduction)


def _l1_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    return _reduced((input - target).abs(), reduction)


def _smooth_l1_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", beta: float = 1.0
) -> Any:
    if beta == 0:
        return _l1_loss(input, target, reduction)
    far = (input - target).abs()
    return _reduced(_C.where(far < beta, far * far * (0.5 / beta), far - 0.5 * beta), reduction)


def _with_logits(
    input: Tensor, target: Tensor, weight: Any = None, pos_weight: Any = None,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    losses: Any = _C.binary_cross_entropy_with_logits
    if reduction != "none":
        return _reduced(losses(input, target, weight, pos_weight, "none"), reduction)
    return NotImplemented


def _logits_values(operator: str, op: Callable[..., Any]) -> Rule:
    plain = elementwise(operator, lambda *tensors: op(*tensors, "none"))
    sizes = "Target size ({}) must be the same as input size ({})"

    def rule(level: Level, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        input, target, *weights = args[:4]
        if input.shape != target.shape:
            raise ValueError(sizes.format(target.shape, input.shape))
        both = (wrap(level, value_of(level, x)) for x in (input, target))
        return plain(level, (*both, *weights), {})

    return rule


def _classes(operator: str, op: Callable[..., Any]) -> Rule:
    """`cross_entropy` and `nll_loss`."""
    signature = Signature(operator)

    def rule(level: Level, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        bound = signature.bind(args, kwargs)
        input, target, weight = (bound[name] for name in ("input", "target", "weight"))
        reduction = bound["reduction"]
        if reduction not in ("none", "mean", "sum"):
            raise ValueError(f"{reduction} is not a valid value for reduction")
        if batched(level, weight):
            from ._loop import over_samples

            return over_samples(level, op, args, kwargs)
        alone = input.dim() == 1
        values, targets = value_of(level, input), value_of(level, target)
        probabilities = target.dtype.is_floating_point
        if not alone:
            values, targets = values.flatten(0, 1), targets.flatten(0, 1)
        bound["input"], bound["target"], bound["reduction"] = values, targets, "none"
        loss = bound.call(op)
        loss = loss if alone else loss.unflatten(0, (level.size, -1))
        if reduction == "none":
            return wrap(level, loss)
        loss = loss.reshape(level.size, -1)
        if reduction == "sum":
            return wrap(level, loss.sum(1))
        if probabilities:
            return wrap(level, loss.mean(1))
        flat = targets.reshape(level.size, -1)
        ignored = bound["ignore_index"]
        counted = flat != ignored
        shares = counted.to(loss.dtype)
        if weight is not None:
            shares = weight[_C.where(counted, flat, 0)] * shares
        return wrap(level, loss.sum(1) / shares.sum(1))

    return rule


RULES = {
    "cross_entropy": _classes,
    "nll_loss": _classes,
    "binary_cross_entropy_with_logits": _logits_values,
}
PARTS: dict[str, Callable[..., Any]] = {
    "mse_loss": _mse_loss,
    "l1_loss": _l1_loss,
    "smooth_l1_loss": _smooth_l1_loss,
    "binary_cross_entropy_with_logits": _with_logits,
}
