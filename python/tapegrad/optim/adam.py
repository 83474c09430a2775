"""Adam and AdamW."""

from __future__ import annotations

from .. import _C
from .._C import Tensor
from .optimizer import Buffers, Group, Optimizer, Params, check_non_negative, check_options

__all__ = ["Adam", "AdamW"]


class Adam(Optimizer):
    """Adam (Kingma and Ba, 2015).

    With gradient g in step t: ``m = b1 * m + (1 - b1) * g``, ``v = b2 * v + (1 - b2) * g**2``,
    ``p -= lr / (1 - b1**t) * m / (sqrt(v / (1 - b2**t)) + eps)``.

    Args:
        params: see :class:`Optimizer`.
        lr: learning rate. Default: 1e-3.
        betas: b1 and b2. Default: (0.9, 0.999).
        eps: default 1e-8.
        weight_decay: added to the gradient as ``weight_decay * p``. Default: 0.
        amsgrad: use the largest v so far (Reddi et al.). Default: False.
        foreach: accepted for compatibility.
        maximize: go up instead of down. Default: False.
        capturable: accepted for compatibility.
        differentiable: not supported.
        fused: accepted for compatibility.
        decoupled_weight_decay: decay the parameters instead of the gradient, as AdamW does.

    Raises:
        ValueError: for a value out of range.

    Example:
        >>> import tapegrad
        >>> p = tapegrad.tensor([1.0], requires_grad=True)
        >>> opt = tapegrad.optim.Adam([p], lr=0.1)
        >>> (p * p).sum().backward()
        >>> opt.step()
        >>> p
        tensor([0.9000], requires_grad=True)
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        check_non_negative(lr=("learning rate", lr), eps=("epsilon value", eps))
        for place, beta in enumerate(betas):
            if not 0.0 <= beta < 1.0:
                raise ValueError(f"Invalid beta parameter at index {place}: {beta}")
        check_non_negative(weight_decay=("weight_decay value", weight_decay))
        check_options(differentiable, foreach, fused)
        defaults = {
            "lr": lr,
            "betas": tuple(betas),
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults)

    def _lists(self, group: Group, params: list[Tensor]) -> Buffers:
        steps = self._steps(params)
        means = self._state_tensors(params, "exp_avg")
        squares = self._state_tensors(params, "exp_avg_sq")
        largest = self._state_tensors(params, "max_exp_avg_sq") if group["amsgrad"] else None
        return Buffers(params, steps, (means, squares, largest))

    def _update(self, index: int, group: Group) -> None:
        buffers, grads = self._gather(index, group, self._lists)
        means, squares, largest = buffers.lists
        amsgrad = group["amsgrad"]
        if (largest is None) == amsgrad:  # it was switched on or off
            self._write_back(index)
            buffers, grads = self._gather(index, group, self._lists)
            means, squares, largest = buffers.lists
        if not grads:
            return
        buffers.steps = steps = [count + 1.0 for count in buffers.steps]
        beta1, beta2 = group["betas"]
        _C._optim_adam(
            buffers.params,
            grads,
            means,
            squares,
            largest,
            steps,
            float(group["lr"]),
            beta1,
            beta2,
            group["eps"],
            group["weight_decay"],
            group["decoupled_weight_decay"],
            amsgrad,
            group["maximize"],
        )


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019).

    As :class:`Adam`, after ``p *= 1 - lr * weight_decay``.

    Args:
        params: see :class:`Optimizer`.
        lr: learning rate. Default: 1e-3.
        betas: b1 and b2. Default: (0.9, 0.999).
        eps: default 1e-8.
        weight_decay: default 0.01.
        amsgrad: use the largest v so far. Default: False.
        maximize: go up instead of down. Default: False.
        foreach: accepted for compatibility.
        capturable: accepted for compatibility.
        differentiable: not supported.
        fused: accepted for compatibility.

    Raises:
        ValueError: for a value out of range.

    Example:
        >>> import tapegrad
        >>> p = tapegrad.tensor([1.0], requires_grad=True)
        >>> opt = tapegrad.optim.AdamW([p], lr=0.1, weight_decay=0.5)
        >>> (p * p).sum().backward()
        >>> opt.step()
        >>> p
        tensor([0.8500], requires_grad=True)
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=True,
        )

    def load_state_dict(self, state_dict: dict[str, object]) -> None:
        """As :meth:`Optimizer.load_state_dict`; the weight decay stays decoupled."""
        super().load_state_dict(state_dict)
        for group in self.param_groups:
            group["decoupled_weight_decay"] = True
