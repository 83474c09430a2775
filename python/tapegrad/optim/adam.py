"""Adam and AdamW."""

from __future__ import annotations

from typing import Any

from .._C import Tensor
from .elementwise import (
    Counters,
    ElementwiseOptimizer,
    Formula,
    check_betas,
    check_fused,
    common,
    mean_of,
    mean_square,
)
from .optimizer import Group, Params, check_non_negative, check_rate

__all__ = ["Adam", "AdamW"]


class Adam(ElementwiseOptimizer):
    """Adam (Kingma and Ba, 2015).

    With gradient g in step t: ``m = b1 * m + (1 - b1) * g``, ``v = b2 * v + (1 - b2) * g**2``,
    ``p -= lr / (1 - b1**t) * m / (sqrt(v / (1 - b2**t)) + eps)``.

    Args:
        params: see :class:`Optimizer`.
        lr: learning rate, a number or a tensor of one element. Default: 1e-3.
        betas: b1 and b2. Default: (0.9, 0.999).
        eps: default 1e-8.
        weight_decay: added to the gradient as ``weight_decay * p``. Default: 0.
        amsgrad: use the largest v so far (Reddi et al.). Default: False.
        foreach: accepted for compatibility.
        maximize: go up instead of down. Default: False.
        capturable: for devices that this library does not have.
        differentiable: record the steps, so that gradients flow through them. Default: False.
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
        lr: float | Tensor = 1e-3,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
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
        if foreach and not capturable and isinstance(lr, Tensor):
            raise ValueError(
                "lr as a Tensor is not supported for capturable=False and foreach=True"
            )
        check_rate(lr)
        check_non_negative(("Invalid epsilon value:", eps))
        check_betas(betas)
        check_non_negative(("Invalid weight_decay value:", weight_decay))
        if not any(all(isinstance(beta, kind) for beta in betas) for kind in (float, Tensor)):
            raise ValueError("betas must be either both floats or both Tensors")
        for place, beta in enumerate(betas):
            if isinstance(beta, Tensor):
                if foreach and not capturable:
                    raise ValueError(
                        f"betas[{place}] as a Tensor is not supported for capturable=False and "
                        "foreach=True"
                    )
                if beta.numel() != 1:
                    raise ValueError(f"Tensor betas[{place}] must be 1-element")
        defaults = {
            "lr": lr,
            "betas": tuple(b.squeeze() if isinstance(b, Tensor) else b for b in betas),
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
        check_fused(fused, foreach, differentiable)

    def _rule(self, options: Group) -> tuple[str, tuple[str, ...]]:
        if options["amsgrad"]:
            return "amsgrad", ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")
        return "adam", ("exp_avg", "exp_avg_sq")

    def _advance(self, options: Group, counters: Counters) -> tuple[Counters, tuple[Any, ...]]:
        step = counters[0] + 1.0
        beta1, beta2 = options["betas"]
        step_size = options["lr"] / (1 - beta1**step)
        root_scale = (1 - beta2**step) ** -0.5
        own = (beta1, beta2, step_size, root_scale, options["eps"])
        return (step,), (*common(options), *own)

    def _formula(self, p: Tensor, g: Tensor, states: list[Tensor], *coefficients: Any) -> Formula:
        beta1, beta2, step_size, root_scale, eps = coefficients
        mean = mean_of(states[0], g, beta1)
        square = mean_square(states[1], g, beta2)
        after = [mean, square]
        if len(states) == 3:
            after.append(square.maximum(states[2]))
        return p - mean / (after[-1].sqrt() * root_scale + eps) * step_size, tuple(after)


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019).

    As :class:`Adam`, after ``p *= 1 - lr * weight_decay``.

    Args:
        params: see :class:`Optimizer`.
        lr: learning rate, a number or a tensor of one element. Default: 1e-3.
        betas: b1 and b2. Default: (0.9, 0.999).
        eps: default 1e-8.
        weight_decay: default 0.01.
        amsgrad: use the largest v so far. Default: False.
        maximize: go up instead of down. Default: False.
        foreach: accepted for compatibility.
        capturable: for devices that this library does not have.
        differentiable: record the steps, so that gradients flow through them. Default: False.
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
        lr: float | Tensor = 1e-3,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
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

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:  # of a state that Adam saved
            group["decoupled_weight_decay"] = True
