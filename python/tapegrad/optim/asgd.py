"""ASGD."""

from __future__ import annotations

from typing import Any

from .._C import Tensor
from .elementwise import Counters, ElementwiseOptimizer, Formula, rounded
from .optimizer import Group, Params, check_non_negative, check_rate, number

__all__ = ["ASGD"]


class ASGD(ElementwiseOptimizer):
    """Averaged stochastic gradient descent (Polyak and Juditsky, 1992).

    With gradient g: ``p = (1 - lambd * eta) * p - eta * g``, where in step t
    ``eta = lr / (1 + lambd * lr * t)**alpha``. The average of p from step t0 on is in the state as
    ``ax``.

    Args:
        params: see :class:`Optimizer`.
        lr: learning rate, a number or a tensor of one element. Default: 1e-2.
        lambd: default 1e-4.
        alpha: default 0.75.
        t0: the step at which averaging begins. Default: 1e6.
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
        >>> opt = tapegrad.optim.ASGD([p], lr=0.1)
        >>> (p * p).sum().backward()
        >>> opt.step()
        >>> p
        tensor([0.8000], requires_grad=True)
    """

    _counters = ("step", "eta", "mu")
    _on_devices = "params, mus, etas, and state_steps"

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_rate(lr)
        check_non_negative(("Invalid weight_decay value:", weight_decay))
        defaults = {
            "lr": lr,
            "lambd": lambd,
            "alpha": alpha,
            "t0": t0,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def _start(self, options: Group) -> Counters:
        return (0.0, rounded(number(options["lr"])), 1.0)

    def _rule(self, options: Group) -> tuple[str, tuple[str, ...]]:
        return "asgd", ("ax",)

    def _advance(self, options: Group, counters: Counters) -> tuple[Counters, tuple[Any, ...]]:
        step, (_, eta, mu) = counters[0] + 1.0, counters
        lr = number(options["lr"])
        eta_next = rounded(lr / (1 + options["lambd"] * lr * step) ** options["alpha"])
        mu_next = rounded(1 / max(1, step - options["t0"]))
        keep = 1 - options["lambd"] * eta
        own = (options["maximize"], options["weight_decay"], keep, eta, mu)
        return (step, eta_next, mu_next), own

    def _formula(self, p: Tensor, g: Tensor, states: list[Tensor], *coefficients: Any) -> Formula:
        eta, mu = coefficients
        after = p - g * eta
        return after, (after if mu == 1 else states[0] + (after - states[0]) * mu,)
