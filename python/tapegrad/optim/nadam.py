"""NAdam."""

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
    rounded,
)
from .optimizer import Group, Params, check_non_negative, check_rate

__all__ = ["NAdam"]


class NAdam(ElementwiseOptimizer):
    """Adam with Nesterov's momentum (Dozat, 2016).

    With gradient g in step t: m and v as in :class:`Adam`,
    ``mu[t] = b1 * (1 - 0.96**(t * momentum_decay) / 2)``, the product M of all mu so far,
    ``d = sqrt(v / (1 - b2**t)) + eps``, and
    ``p -= lr * ((1 - mu[t]) / (1 - M) * g + mu[t + 1] / (1 - M * mu[t + 1]) * m) / d``.

    Args:
        params: see :class:`Optimizer`.
        lr: learning rate, a number or a tensor of one element. Default: 2e-3.
        betas: b1 and b2. Default: (0.9, 0.999).
        eps: default 1e-8.
        weight_decay: added to the gradient as ``weight_decay * p``. Default: 0.
        momentum_decay: default 4e-3.
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
        >>> opt = tapegrad.optim.NAdam([p], lr=0.1)
        >>> (p * p).sum().backward()
        >>> opt.step()
        >>> p
        tensor([0.8944], requires_grad=True)
    """

    _counters = ("step", "mu_product")
    _on_devices = "params, mu_products and state_steps"

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
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
        check_non_negative(
            ("Invalid weight_decay value:", weight_decay),
            ("Invalid momentum_decay value:", momentum_decay),
        )
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _start(self, options: Group) -> Counters:
        return (0.0, 1.0)

    def _rule(self, options: Group) -> tuple[str, tuple[str, ...]]:
        return "nadam", ("exp_avg", "exp_avg_sq")

    def _advance(self, options: Group, counters: Counters) -> tuple[Counters, tuple[Any, ...]]:
        step, product = counters[0] + 1.0, counters[1]
        (beta1, beta2), lr, decay = options["betas"], options["lr"], options["momentum_decay"]
        mu = beta1 * (1 - 0.5 * 0.96 ** (step * decay))
        mu_next = beta1 * (1 - 0.5 * 0.96 ** ((step + 1) * decay))
        product = rounded(product * rounded(mu))
        gradient_rate = lr * (1 - mu) / (1 - product)
        mean_rate = lr * mu_next / (1 - product * mu_next)
        scale = 1 / (1 - beta2**step)
        own = (beta1, beta2, gradient_rate, mean_rate, scale, options["eps"])
        return (step, product), (*common(options), *own)

    def _formula(self, p: Tensor, g: Tensor, states: list[Tensor], *coefficients: Any) -> Formula:
        beta1, beta2, gradient_rate, mean_rate, scale, eps = coefficients
        mean = mean_of(states[0], g, beta1)
        square = mean_square(states[1], g, beta2)
        change = (g * gradient_rate + mean * mean_rate) / ((square * scale).sqrt() + eps)
        return p - change, (mean, square)
