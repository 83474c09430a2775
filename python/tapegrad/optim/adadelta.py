"""Adadelta."""

from __future__ import annotations

from typing import Any

from .._C import Tensor
from .elementwise import Counters, ElementwiseOptimizer, Formula, common, mean_square
from .optimizer import Group, Params, check_non_negative, check_rate

__all__ = ["Adadelta"]


class Adadelta(ElementwiseOptimizer):
    """Adadelta (Zeiler, 2012).

    With gradient g: ``v = rho * v + (1 - rho) * g**2``, ``d = sqrt(u + eps) / sqrt(v + eps) * g``,
    ``u = rho * u + (1 - rho) * d**2``, ``p -= lr * d``.

    Args:
        params: see :class:`Optimizer`.
        lr: learning rate, a number or a tensor of one element. Default: 1.0.
        rho: default 0.9.
        eps: default 1e-6.
        weight_decay: added to the gradient as ``weight_decay * p``. Default: 0.
        foreach: accepted for compatibility.
        capturable: for devices that this library does not have.
        maximize: go up instead of down. Default: False.
        differentiable: record the steps, so that gradients flow through them. Default: False.

    Raises:
        ValueError: for a value out of range.

    Example:
        >>> import tapegrad
        >>> p = tapegrad.tensor([1.0], requires_grad=True)
        >>> opt = tapegrad.optim.Adadelta([p], lr=0.1)
        >>> (p * p).sum().backward()
        >>> opt.step()
        >>> p
        tensor([0.9997], requires_grad=True)
    """

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_rate(lr)
        if not 0.0 <= rho <= 1.0:
            raise ValueError(f"Invalid rho value: {rho}")
        check_non_negative(
            ("Invalid epsilon value:", eps), ("Invalid weight_decay value:", weight_decay)
        )
        defaults = {
            "lr": lr,
            "rho": rho,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "capturable": capturable,
            "foreach": foreach,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _rule(self, options: Group) -> tuple[str, tuple[str, ...]]:
        return "adadelta", ("square_avg", "acc_delta")

    def _advance(self, options: Group, counters: Counters) -> tuple[Counters, tuple[Any, ...]]:
        own = (options["lr"], options["rho"], options["eps"])
        return (counters[0] + 1.0,), (*common(options), *own)

    def _formula(self, p: Tensor, g: Tensor, states: list[Tensor], *coefficients: Any) -> Formula:
        lr, rho, eps = coefficients
        square = mean_square(states[0], g, rho)
        change = (states[1] + eps).sqrt() / (square + eps).sqrt() * g
        return p - change * lr, (square, mean_square(states[1], change, rho))
