"""Rprop."""

from __future__ import annotations

from typing import Any

import tapegrad

from .._C import Tensor
from .elementwise import Counters, ElementwiseOptimizer, Formula
from .optimizer import Group, Params, check_rate, number

__all__ = ["Rprop"]


class Rprop(ElementwiseOptimizer):
    """Resilient backpropagation (Riedmiller and Braun, 1993).

    Each element has a step size of its own, at first lr, which grows while the gradient keeps its
    sign and shrinks when it turns; then the element rests for one step. Only the sign of the
    gradient counts: ``p -= sign(g) * size``.

    Args:
        params: see :class:`Optimizer`.
        lr: learning rate, a number or a tensor of one element. Default: 1e-2.
        etas: factors by which a step size shrinks and grows. Default: (0.5, 1.2).
        step_sizes: limits of the step size. Default: (1e-6, 50).
        capturable: for devices that this library does not have.
        foreach: accepted for compatibility.
        maximize: go up instead of down. Default: False.
        differentiable: record the steps, so that gradients flow through them. Default: False.

    Raises:
        ValueError: for a value out of range.

    Example:
        >>> import tapegrad
        >>> p = tapegrad.tensor([1.0], requires_grad=True)
        >>> opt = tapegrad.optim.Rprop([p], lr=0.1)
        >>> (p * p).sum().backward()
        >>> opt.step()
        >>> p
        tensor([0.9000], requires_grad=True)
    """

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_rate(lr)
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        defaults = {
            "lr": lr,
            "etas": etas,
            "step_sizes": step_sizes,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def _rule(self, options: Group) -> tuple[str, tuple[str, ...]]:
        return "rprop", ("prev", "step_size")

    def _fresh(self, options: Group, p: Tensor, name: str) -> Tensor:
        start = number(options["lr"]) if name == "step_size" else 0.0
        return tapegrad.full_like(p.detach(), start)

    def _advance(self, options: Group, counters: Counters) -> tuple[Counters, tuple[Any, ...]]:
        own = (*options["etas"], *options["step_sizes"])
        return (counters[0] + 1.0,), (options["maximize"], 0.0, 1.0, *own)

    def _formula(self, p: Tensor, g: Tensor, states: list[Tensor], *coefficients: Any) -> Formula:
        shrink, grow, smallest, largest = coefficients
        turn = g * states[0]
        same = tapegrad.ones_like(turn)
        factor = tapegrad.where(turn > 0, grow, tapegrad.where(turn < 0, shrink, same))
        size = (states[1] * factor).clamp(smallest, largest)
        g = tapegrad.where(turn < 0, 0.0, g)
        return p - g.sign() * size, (g, size)
