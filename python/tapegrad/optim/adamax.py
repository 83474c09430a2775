"""Adamax."""

from __future__ import annotations

from typing import Any

from .._C import Tensor
from .elementwise import Counters, ElementwiseOptimizer, Formula, check_betas, common, mean_of
from .optimizer import Group, Params, check_non_negative, check_rate

__all__ = ["Adamax"]


class Adamax(ElementwiseOptimizer):
    """Adamax, Adam with the largest gradient in the place of the mean square (Kingma and Ba, 2015).

    With gradient g in step t: ``m = b1 * m + (1 - b1) * g``, ``u = max(b2 * u, abs(g) + eps)``,
    ``p -= lr / (1 - b1**t) * m / u``.

    Args:
        params: see :class:`Optimizer`.
        lr: learning rate, a number or a tensor of one element. Default: 2e-3.
        betas: b1 and b2. Default: (0.9, 0.999).
        eps: default 1e-8.
        weight_decay: added to the gradient as ``weight_decay * p``. Default: 0.
        foreach: accepted for compatibility.
        maximize: go up instead of down. Default: False.
        differentiable: record the steps, so that gradients flow through them. Default: False.
        capturable: for devices that this library does not have.

    Raises:
        ValueError: for a value out of range.

    Example:
        >>> import tapegrad
        >>> p = tapegrad.tensor([1.0], requires_grad=True)
        >>> opt = tapegrad.optim.Adamax([p], lr=0.1)
        >>> (p * p).sum().backward()
        >>> opt.step()
        >>> p
        tensor([0.9000], requires_grad=True)
    """

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_rate(lr)
        check_non_negative(("Invalid epsilon value:", eps))
        check_betas(betas)
        check_non_negative(("Invalid weight_decay value:", weight_decay))
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def _rule(self, options: Group) -> tuple[str, tuple[str, ...]]:
        return "adamax", ("exp_avg", "exp_inf")

    def _advance(self, options: Group, counters: Counters) -> tuple[Counters, tuple[Any, ...]]:
        step = counters[0] + 1.0
        beta1, beta2 = options["betas"]
        own = (beta1, beta2, options["lr"] / (1 - beta1**step), options["eps"])
        return (step,), (*common(options), *own)

    def _formula(self, p: Tensor, g: Tensor, states: list[Tensor], *coefficients: Any) -> Formula:
        beta1, beta2, rate, eps = coefficients
        mean = mean_of(states[0], g, beta1)
        largest = (states[1] * beta2).maximum(g.abs() + eps)
        return p - mean / largest * rate, (mean, largest)
