"""Muon."""

from __future__ import annotations

import math

import tapegrad

from .._C import Tensor
from .optimizer import Group, Optimizer, Params, check_non_negative, check_rate, number

__all__ = ["Muon"]


class Muon(Optimizer):
    """Muon (Jordan et al., 2024): momentum made orthogonal, for the matrices of hidden layers.

    With gradient g: ``b = momentum * b + (1 - momentum) * g``, ``u = b`` or (Nesterov)
    ``u = momentum * b + (1 - momentum) * g``. Some steps of a Newton-Schulz iteration
    ``x = a * x + (b * x @ x.T + c * (x @ x.T) @ (x @ x.T)) @ x`` bring all singular values of u
    near to 1; then ``p -= rate * u``, after ``p *= 1 - lr * weight_decay``.

    The iteration runs in the dtype of the parameters.

    Args:
        params: matrices; see :class:`Optimizer`.
        lr: learning rate, a number or a tensor of one element. Default: 1e-3.
        weight_decay: default 0.1.
        momentum: default 0.95.
        nesterov: use Nesterov's momentum. Default: True.
        ns_coefficients: a, b and c. Default: (3.4445, -4.775, 2.0315).
        eps: the smallest norm that is divided by. Default: 1e-7.
        ns_steps: number of iterations. Default: 5.
        adjust_lr_fn: "original" (the default) for ``rate = lr * sqrt(max(1, rows / columns))``, or
            "match_rms_adamw" for ``rate = 0.2 * lr * sqrt(max(rows, columns))``.

    Raises:
        ValueError: for a value out of range, or a parameter that is no matrix.

    Example:
        >>> import tapegrad
        >>> p = tapegrad.eye(2).requires_grad_()
        >>> opt = tapegrad.optim.Muon([p], lr=0.1, weight_decay=0.0)
        >>> (p * p).sum().backward()
        >>> opt.step()
        >>> bool(p[0, 0] < 1)
        True
    """

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.775, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:
        check_rate(lr, "Learning rate should be >= 0 but is:")
        check_non_negative(
            ("momentum should be >= 0 but is:", momentum),
            ("weight decay should be >= 0 but is:", weight_decay),
        )
        if adjust_lr_fn not in (None, "original", "match_rms_adamw"):
            raise ValueError(f"Adjust learning rate function {adjust_lr_fn} is not supported")
        defaults = {
            "lr": lr,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "nesterov": nesterov,
            "ns_coefficients": ns_coefficients,
            "eps": eps,
            "ns_steps": ns_steps,
            "adjust_lr_fn": adjust_lr_fn,
        }
        super().__init__(params, defaults)
        for group in self.param_groups:
            for p in group["params"]:
                if p.ndim != 2:
                    raise ValueError(
                        "Muon only supports 2D parameters whereas we found a parameter with size: "
                        f"{p.size()}"
                    )

    @tapegrad.no_grad()
    def _update(self, index: int, group: Group) -> None:
        lr, momentum = number(group["lr"]), group["momentum"]
        if group["ns_steps"] >= 100:
            raise ValueError("Number of steps must be less than 100 for computational efficiency")
        if len(group["ns_coefficients"]) != 3:
            raise ValueError("Coefficients must be a tuple of exactly 3 values")
        for p in group["params"]:
            if p.grad is None:
                continue
            g = p.grad.detach()
            if g.ndim != 2:
                raise ValueError("Param gradient must be a 2D matrix")
            state = self._state[p]
            if "momentum_buffer" not in state:
                state["momentum_buffer"] = tapegrad.zeros_like(g)
            buffer = state["momentum_buffer"]
            buffer.add_(g - buffer, alpha=1 - momentum)
            update = g + (buffer - g) * momentum if group["nesterov"] else buffer
            update = _orthogonal(update, group["ns_coefficients"], group["ns_steps"], group["eps"])
            rows, columns = p.shape
            if group["adjust_lr_fn"] == "match_rms_adamw":
                rate = 0.2 * lr * math.sqrt(max(rows, columns))
            else:
                rate = lr * math.sqrt(max(1, rows / columns))
            p.mul_(1 - lr * group["weight_decay"])
            p.add_(update, alpha=-rate)


def _orthogonal(
    x: Tensor, coefficients: tuple[float, float, float], steps: int, eps: float
) -> Tensor:
    """A matrix with singular values near to 1, from one with the same singular vectors."""
    a, b, c = coefficients
    tall = x.shape[0] > x.shape[1]
    if tall:
        x = x.T
    x = x / x.norm().clamp(min=eps)
    for _ in range(steps):
        product = x @ x.T
        x = x * a + (product * b + product @ product * c) @ x
    return x.T if tall else x
