"""Stochastic gradient descent."""

from __future__ import annotations

from typing import Any

from .._C import Tensor
from .elementwise import Counters, ElementwiseOptimizer, Formula, check_fused, common
from .optimizer import Group, Params, check_non_negative, check_rate

__all__ = ["SGD"]


class SGD(ElementwiseOptimizer):
    """Stochastic gradient descent, with momentum if wanted.

    With gradient g: ``g += weight_decay * p``; with momentum ``b = momentum * b + (1 - dampening)
    * g`` (b = g in the first step) and ``g = b``, or ``g += momentum * b`` (Nesterov);
    ``p -= lr * g``.

    Args:
        params: see :class:`Optimizer`.
        lr: learning rate, a number or a tensor of one element. Default: 1e-3.
        momentum: default 0.
        dampening: default 0.
        weight_decay: default 0.
        nesterov: use Nesterov's momentum. Default: False.
        maximize: go up instead of down. Default: False.
        foreach: accepted for compatibility.
        differentiable: record the steps, so that gradients flow through them. Default: False.
        fused: accepted for compatibility.

    Raises:
        ValueError: for a value out of range.

    Example:
        >>> import tapegrad
        >>> p = tapegrad.tensor([1.0], requires_grad=True)
        >>> opt = tapegrad.optim.SGD([p], lr=0.1)
        >>> (p * p).sum().backward()
        >>> opt.step()
        >>> p
        tensor([0.8000], requires_grad=True)
    """

    _counters = ()

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float | Tensor = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_rate(lr)
        check_non_negative(
            ("Invalid momentum value:", momentum), ("Invalid weight_decay value:", weight_decay)
        )
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
            "foreach": foreach,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)
        check_fused(fused, foreach, differentiable)

    def _rule(self, options: Group) -> tuple[str, tuple[str, ...]]:
        if options["momentum"] == 0:
            return "sgd", ()
        return "sgd_momentum", ("momentum_buffer",)

    def _start(self, options: Group) -> Counters:
        return ()

    def _read(self, options: Group, p: Tensor) -> Counters:
        # Whether the buffer holds something: the first gradient goes into it whole.
        state = self._state.get(p)
        return (0.0 if not state or state.get("momentum_buffer") is None else 1.0,)

    def _write(self, p: Tensor, counters: Counters) -> None:
        if counters[0] == 0:  # the step that would have filled it was refused
            self._state.get(p, {}).pop("momentum_buffer", None)

    def _advance(self, options: Group, counters: Counters) -> tuple[Counters, tuple[Any, ...]]:
        lr, momentum = options["lr"], options["momentum"]
        shared = common(options)
        if momentum == 0:
            return counters, (*shared, lr)
        ahead = momentum if options["nesterov"] else 0.0
        if counters[0] == 0:
            return (1.0,), (*shared, lr, 0.0, 1.0, ahead)
        return counters, (*shared, lr, momentum, 1 - options["dampening"], ahead)

    def _formula(self, p: Tensor, g: Tensor, states: list[Tensor], *coefficients: Any) -> Formula:
        if not states:
            return p - g * coefficients[0], ()
        lr, momentum, gain, ahead = coefficients
        buffer = states[0] * momentum + g * gain
        return p - (g + buffer * ahead if ahead != 0 else buffer) * lr, (buffer,)
