"""Adagrad."""

from __future__ import annotations

from typing import Any

import tapegrad

from .._C import Tensor
from .elementwise import Counters, ElementwiseOptimizer, Formula, check_fused, common
from .optimizer import Group, Params, check_non_negative, check_rate

__all__ = ["Adagrad"]


class Adagrad(ElementwiseOptimizer):
    """Adagrad (Duchi, Hazan and Singer, 2011).

    With gradient g in step t: ``s = s + g**2``,
    ``p -= lr / (1 + (t - 1) * lr_decay) * g / (sqrt(s) + eps)``.

    Args:
        params: see :class:`Optimizer`.
        lr: learning rate, a number or a tensor of one element. Default: 1e-2.
        lr_decay: default 0.
        weight_decay: added to the gradient as ``weight_decay * p``. Default: 0.
        initial_accumulator_value: the first s. Default: 0.
        eps: default 1e-10.
        foreach: accepted for compatibility.
        maximize: go up instead of down. Default: False.
        differentiable: record the steps, so that gradients flow through them. Default: False.
        fused: accepted for compatibility.

    Raises:
        ValueError: for a value out of range.

    Example:
        >>> import tapegrad
        >>> p = tapegrad.tensor([1.0], requires_grad=True)
        >>> opt = tapegrad.optim.Adagrad([p], lr=0.1)
        >>> (p * p).sum().backward()
        >>> opt.step()
        >>> p
        tensor([0.9000], requires_grad=True)
    """

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_rate(lr)
        check_non_negative(
            ("Invalid lr_decay value:", lr_decay),
            ("Invalid weight_decay value:", weight_decay),
            ("Invalid initial_accumulator_value value:", initial_accumulator_value),
            ("Invalid epsilon value:", eps),
        )
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)
        check_fused(fused, foreach, differentiable)
        for group in self.param_groups:
            self._states_of(group, group["params"], self._rule(group)[1])

    def _rule(self, options: Group) -> tuple[str, tuple[str, ...]]:
        return "adagrad", ("sum",)

    def _fresh(self, options: Group, p: Tensor, name: str) -> Tensor:
        return tapegrad.full_like(p.detach(), self.defaults["initial_accumulator_value"])

    def _advance(self, options: Group, counters: Counters) -> tuple[Counters, tuple[Any, ...]]:
        (steps,) = counters
        rate = options["lr"] / (1 + steps * options["lr_decay"])
        return (steps + 1.0,), (
            *common(options),
            rate,
            options["eps"],
        )

    def _formula(self, p: Tensor, g: Tensor, states: list[Tensor], *coefficients: Any) -> Formula:
        rate, eps = coefficients
        total = states[0] + g * g
        return p - g / (total.sqrt() + eps) * rate, (total,)
