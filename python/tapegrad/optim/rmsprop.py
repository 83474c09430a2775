"""RMSprop."""

from __future__ import annotations

from .. import _C
from .._C import Tensor
from .optimizer import Buffers, Group, Optimizer, Params, check_non_negative, check_options

__all__ = ["RMSprop"]


class RMSprop(Optimizer):
    """RMSprop (Hinton's lecture notes; centred version by Graves, 2013).

    With gradient g: ``v = alpha * v + (1 - alpha) * g**2``, ``p -= lr * g / (sqrt(v) + eps)``.
    The centred version subtracts the square of the mean gradient from v; with momentum
    ``b = momentum * b + g / (sqrt(v) + eps)`` and ``p -= lr * b``.

    Args:
        params: see :class:`Optimizer`.
        lr: learning rate. Default: 1e-2.
        alpha: default 0.99.
        eps: default 1e-8.
        weight_decay: added to the gradient as ``weight_decay * p``. Default: 0.
        momentum: default 0.
        centered: see above. Default: False.
        capturable: accepted for compatibility.
        foreach: accepted for compatibility.
        maximize: go up instead of down. Default: False.
        differentiable: not supported.

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
        lr: float = 1e-2,
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
        check_non_negative(
            lr=("learning rate", lr),
            eps=("epsilon value", eps),
            momentum=("momentum value", momentum),
            weight_decay=("weight_decay value", weight_decay),
            alpha=("alpha value", alpha),
        )
        check_options(differentiable, foreach, None)
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

    def _lists(self, group: Group, params: list[Tensor]) -> Buffers:
        steps = self._steps(params)
        squares = self._state_tensors(params, "square_avg")
        momenta = self._state_tensors(params, "momentum_buffer") if group["momentum"] > 0 else None
        means = self._state_tensors(params, "grad_avg") if group["centered"] else None
        return Buffers(params, steps, (squares, means, momenta))

    def _update(self, index: int, group: Group) -> None:
        buffers, grads = self._gather(index, group, self._lists)
        squares, means, momenta = buffers.lists
        momentum, centered = group["momentum"], group["centered"]
        if (momenta is None) == (momentum > 0) or (means is None) == centered:
            self._write_back(index)  # an option was changed
            buffers, grads = self._gather(index, group, self._lists)
            squares, means, momenta = buffers.lists
        if not grads:
            return
        buffers.steps = [count + 1.0 for count in buffers.steps]
        _C._optim_rmsprop(
            buffers.params,
            grads,
            squares,
            means,
            momenta,
            float(group["lr"]),
            group["alpha"],
            group["eps"],
            group["weight_decay"],
            momentum,
            centered,
            group["maximize"],
        )
