"""Stochastic gradient descent."""

from __future__ import annotations

from .. import _C
from .._C import Tensor
from .optimizer import Buffers, Group, Optimizer, Params, check_non_negative, check_options

__all__ = ["SGD"]


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum if wanted.

    With gradient g: ``g += weight_decay * p``; with momentum ``b = momentum * b + (1 - dampening)
    * g`` (b = g in the first step) and ``g = b``, or ``g += momentum * b`` (Nesterov);
    ``p -= lr * g``.

    Args:
        params: see :class:`Optimizer`.
        lr: learning rate. Default: 1e-3.
        momentum: default 0.
        dampening: default 0.
        weight_decay: default 0.
        nesterov: use Nesterov's momentum. Default: False.
        maximize: go up instead of down. Default: False.
        foreach: accepted for compatibility.
        differentiable: not supported.
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

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_non_negative(
            lr=("learning rate", lr),
            momentum=("momentum value", momentum),
            weight_decay=("weight_decay value", weight_decay),
        )
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        check_options(differentiable, foreach, fused)
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

    def _lists(self, group: Group, params: list[Tensor]) -> Buffers:
        if group["momentum"] == 0:
            return Buffers(params, [], (None, [False] * len(params)))
        first = [self._state[p].get("momentum_buffer") is None for p in params]
        return Buffers(params, [], (self._state_tensors(params, "momentum_buffer"), first))

    def _update(self, index: int, group: Group) -> None:
        buffers, grads = self._gather(index, group, self._lists)
        momenta, first = buffers.lists
        momentum = group["momentum"]
        if (momenta is None) != (momentum == 0):  # momentum was switched on or off
            buffers = self._buffers[index] = self._lists(group, buffers.params)
            momenta, first = buffers.lists
        if not grads:
            return
        _C._optim_sgd(
            buffers.params,
            grads,
            momenta,
            float(group["lr"]),
            momentum,
            group["dampening"],
            group["weight_decay"],
            group["nesterov"],
            group["maximize"],
            first,
        )
        if True in first:
            buffers.lists = (momenta, [False] * len(first))
