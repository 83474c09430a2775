"""RMSprop."""

from __future__ import annotations

from typing import Any

from .._C import Tensor
from .elementwise import Counters, ElementwiseOptimizer, Formula, common, mean_of, mean_square
from .optimizer import Group, Params, check_non_negative, check_rate

__all__ = ["RMSprop"]


class RMSprop(ElementwiseOptimizer):
    """RMSprop (Hinton's lecture notes; centred version by Graves, 2013).

    With gradient g: ``v = alpha * v + (1 - alpha) * g**2``, ``p -= lr * g / (sqrt(v) + eps)``.
    The centred version subtracts the square of the mean gradient from v; with momentum
    ``b = momentum * b + g / (sqrt(v) + eps)`` and ``p -= lr * b``.

    Args:
        params: see :class:`Optimizer`.
        lr: learning rate, a number or a tensor of one element. Default: 1e-2.
        alpha: default 0.99.
        eps: default 1e-8.
        weight_decay: added to the gradient as ``weight_decay * p``. Default: 0.
        momentum: default 0.
        centered: see above. Default: False.
        capturable: for devices that this library does not have.
        foreach: accepted for compatibility.
        maximize: go up instead of down. Default: False.
        differentiable: record the steps, so that gradients flow through them. Default: False.

    Raises:
        ValueError: for a value out of range.

    Example:
        >>> import tapegrad
        >>> p = tapegrad.tensor([1.0], requires_grad=True)
        >>> opt = tapegrad.optim.RMSprop([p], lr=0.01)
        >>> (p * p).sum().backward()
        >>> opt.step()
        >>> p
        tensor([0.9000], requires_grad=True)
    """

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_rate(lr)
        check_non_negative(
            ("Invalid epsilon value:", eps),
            ("Invalid momentum value:", momentum),
            ("Invalid weight_decay value:", weight_decay),
            ("Invalid alpha value:", alpha),
        )
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "alpha": alpha,
            "eps": eps,
            "centered": centered,
            "weight_decay": weight_decay,
            "capturable": capturable,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _rule(self, options: Group) -> tuple[str, tuple[str, ...]]:
        rule, names = "rmsprop", ["square_avg"]
        if options["centered"]:
            rule, names = "rmsprop_centered", ["square_avg", "grad_avg"]
        if options["momentum"] > 0:
            rule, names = rule + "_momentum", [*names, "momentum_buffer"]
        return rule, tuple(names)

    def _advance(self, options: Group, counters: Counters) -> tuple[Counters, tuple[Any, ...]]:
        own = (options["lr"], options["alpha"], options["eps"], options["momentum"])
        return (counters[0] + 1.0,), (*common(options), *own)

    def _formula(self, p: Tensor, g: Tensor, states: list[Tensor], *coefficients: Any) -> Formula:
        lr, alpha, eps, momentum = coefficients
        spread = square = mean_square(states[0], g, alpha)
        after = [square]
        if len(states) > 1 + (momentum > 0):  # centered
            mean = mean_of(states[1], g, alpha)
            after.append(mean)
            spread = (square - mean * mean).clamp(min=0)
        change = g / (spread.sqrt() + eps)
        if momentum > 0:
            change = states[-1] * momentum + change
            after.append(change)
        return p - change * lr, tuple(after)
