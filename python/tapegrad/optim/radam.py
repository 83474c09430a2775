"""RAdam."""

from __future__ import annotations

from typing import Any

from .._C import Tensor
from .elementwise import (
    Counters,
    ElementwiseOptimizer,
    Formula,
    check_betas,
    common,
    mean_of,
    mean_square,
)
from .optimizer import Group, Params, check_non_negative, check_rate

__all__ = ["RAdam"]


class RAdam(ElementwiseOptimizer):
    """Adam with a rectified first phase (Liu et al., 2020).

    With gradient g in step t: m and v as in :class:`Adam`, ``r = 2 / (1 - b2) - 1``,
    ``s = r - 2 * t * b2**t / (1 - b2**t)``. While s is at most 5, ``p -= lr / (1 - b1**t) * m``;
    then this times ``sqrt((s - 4) * (s - 2) * r / ((r - 4) * (r - 2) * s))`` and
    ``sqrt(1 - b2**t) / (sqrt(v) + eps)``.

    Args:
        params: see :class:`Optimizer`.
        lr: learning rate, a number or a tensor of one element. Default: 1e-3.
        betas: b1 and b2. Default: (0.9, 0.999).
        eps: default 1e-8.
        weight_decay: added to the gradient as ``weight_decay * p``. Default: 0.
        decoupled_weight_decay: decay the parameters instead of the gradient. Default: False.
        foreach: accepted for compatibility.
        maximize: go up instead of down. Default: False.
        capturable: for devices that this library does not have.
        differentiable: record the steps, so that gradients flow through them. Default: False.

    Raises:
        ValueError: for a value out of range.

    Example:
        >>> import tapegrad
        >>> p = tapegrad.tensor([1.0], requires_grad=True)
        >>> opt = tapegrad.optim.RAdam([p], lr=0.1)
        >>> (p * p).sum().backward()
        >>> opt.step()
        >>> p
        tensor([0.8000], requires_grad=True)
    """

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
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
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "decoupled_weight_decay": decoupled_weight_decay,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _rule(self, options: Group) -> tuple[str, tuple[str, ...]]:
        return "radam", ("exp_avg", "exp_avg_sq")

    def _advance(self, options: Group, counters: Counters) -> tuple[Counters, tuple[Any, ...]]:
        step = counters[0] + 1.0
        beta1, beta2 = options["betas"]
        rate, rest = options["lr"] / (1 - beta1**step), 1 - beta2**step
        limit = 2 / (1 - beta2) - 1
        length = limit - 2 * step * beta2**step / rest
        rectified = length > 5.0
        if rectified:
            rise = (length - 4) * (length - 2) * limit
            rate = rate * (rise / ((limit - 4) * (limit - 2) * length) * rest) ** 0.5
        own = (beta1, beta2, rate, float(rectified), options["eps"])
        return (step,), (*common(options), *own)

    def _formula(self, p: Tensor, g: Tensor, states: list[Tensor], *coefficients: Any) -> Formula:
        beta1, beta2, rate, rectified, eps = coefficients
        mean = mean_of(states[0], g, beta1)
        square = mean_square(states[1], g, beta2)
        change = mean * rate
        return p - (change / (square.sqrt() + eps) if rectified else change), (mean, square)
