"""Adafactor."""

from __future__ import annotations

import tapegrad

from .._C import Tensor
from .optimizer import Group, Optimizer, Params, check_non_negative, check_rate, number

__all__ = ["Adafactor"]


class Adafactor(Optimizer):
    """Adafactor (Shazeer and Stern, 2018): of a matrix, row and column means of the squares.

    With gradient g in step t: ``w = t**beta2_decay``, ``v = (1 - w) * v + w * g**2``, of which
    matrices keep the means of rows and columns alone; ``u = g / max(sqrt(v), eps[0])``, divided
    by ``max(1, rms(u) / d)``; ``p -= max(eps[1], rms(p)) * min(lr, 1 / sqrt(t)) * u``, after
    ``p *= 1 - lr * weight_decay``.

    Args:
        params: see :class:`Optimizer`.
        lr: the largest relative step, a number or a tensor of one element. Default: 1e-2.
        beta2_decay: default -0.8.
        eps: the smallest root of v (None: the dtype's epsilon), and the smallest scale of a
            parameter. Default: (None, 1e-3).
        d: the largest mean of an update. Default: 1.
        weight_decay: default 0.
        foreach: accepted for compatibility.
        maximize: go up instead of down. Default: False.

    Raises:
        ValueError: for a value out of range.

    Example:
        >>> import tapegrad
        >>> p = tapegrad.tensor([1.0], requires_grad=True)
        >>> opt = tapegrad.optim.Adafactor([p], lr=0.1)
        >>> (p * p).sum().backward()
        >>> opt.step()
        >>> p
        tensor([0.9000], requires_grad=True)
    """

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
    ) -> None:
        check_rate(lr, "Learning rate should be >= 0 but is:")
        if not beta2_decay <= 0.0:
            raise ValueError(f"beta2_decay should be <= 0 but is: {beta2_decay}")
        check_non_negative(
            ("epsilon1 should be >= 0 but is:", 0.0 if eps[0] is None else eps[0]),
            ("epsilon2 should be >= 0 but is:", eps[1]),
        )
        if not d >= 1.0:
            raise ValueError(f"Clipping threshold d should be >= 1 but is: {d}")
        check_non_negative(("weight_decay should be >= 0 but is:", weight_decay))
        defaults = {
            "lr": lr,
            "beta2_decay": beta2_decay,
            "eps": eps,
            "d": d,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    @tapegrad.no_grad()
    def _update(self, index: int, group: Group) -> None:
        lr = number(group["lr"])
        for p in group["params"]:
            g = p.grad
            if g is None:
                continue
            g = -g.detach() if group["maximize"] else g.detach()
            state = self._state[p]
            if "step" not in state:
                state["step"] = tapegrad.tensor(0.0)
                if g.dim() > 1:
                    state["row_var"] = g.new_zeros((*g.shape[:-1], 1))
                    state["col_var"] = g.new_zeros((*g.shape[:-2], 1, g.shape[-1]))
                else:
                    state["variance"] = tapegrad.zeros_like(g)
            state["step"] += 1
            step = state["step"].item()
            weight = step ** group["beta2_decay"]
            least, least_scale = group["eps"]
            if least is None:
                least = _EPSILON[p.dtype]
            scale = max(least_scale, _rms(p)) * min(lr, 1 / step**0.5)
            if group["weight_decay"] != 0:
                p.mul_(1 - lr * group["weight_decay"])
            square = g * g
            if g.dim() > 1:
                rows, columns = state["row_var"], state["col_var"]
                rows.add_(square.mean(-1, keepdim=True) - rows, alpha=weight)
                columns.add_(square.mean(-2, keepdim=True) - columns, alpha=weight)
                square = rows @ columns / rows.mean(-2, keepdim=True).clamp(min=least)
            else:
                square = state["variance"].add_(square - state["variance"], alpha=weight)
            update = g / square.clamp(min=least * least).sqrt()
            p.add_(update, alpha=-scale / max(1.0, _rms(update) / group["d"]))


_EPSILON = {
    tapegrad.float16: 2.0**-10,
    tapegrad.bfloat16: 2.0**-7,
    tapegrad.float32: 2.0**-23,
    tapegrad.float64: 2.0**-52,
}


def _rms(x: Tensor) -> float:
    """The root of the mean square of all elements."""
    return x.norm(2).item() / max(1, x.numel()) ** 0.5
