"""Methods that change a tensor, as functions of the package."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ._C import Tensor

__all__ = [
    "addmv_",
    "clamp_",
    "clip_",
    "detach_",
    "fill",
    "fill_",
    "index_put_",
    "round_",
]


def addmv_(input: Tensor, mat: Tensor, vec: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """The same as ``Tensor.addmv_``.

    Example:
        >>> import tapegrad
        >>> tapegrad.addmv_(tapegrad.ones(1), tapegrad.ones(1, 2), tapegrad.ones(2))
        tensor([3.])
    """
    return input.addmv_(mat, vec, beta=beta, alpha=alpha)


def clamp_(input: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """The same as ``Tensor.clamp_``.

    Example:
        >>> import tapegrad
        >>> tapegrad.clamp_(tapegrad.tensor([-1.0, 3.0]), 0, 2)
        tensor([0., 2.])
    """
    return input.clamp_(min, max)


clip_ = clamp_


def detach_(input: Tensor) -> Tensor:
    """The same as ``Tensor.detach_``.

    Example:
        >>> import tapegrad
        >>> x = tapegrad.ones(2, requires_grad=True)
        >>> tapegrad.detach_(x * 2)
        tensor([2., 2.])
    """
    return input.detach_()


def fill(input: Tensor, value: Any) -> Tensor:
    """A tensor like the input with one value everywhere.

    Args:
        input: a tensor.
        value: a number, or a tensor of no dimension.

    Example:
        >>> import tapegrad
        >>> tapegrad.fill(tapegrad.zeros(2), 3)
        tensor([3., 3.])
    """
    return input.clone().fill_(value)


def fill_(input: Tensor, value: Any) -> Tensor:
    """The same as ``Tensor.fill_``.

    Example:
        >>> import tapegrad
        >>> tapegrad.fill_(tapegrad.zeros(2), 3)
        tensor([3., 3.])
    """
    return input.fill_(value)


def index_put_(
    input: Tensor, indices: Sequence[Tensor | None], values: Tensor, accumulate: bool = False
) -> Tensor:
    """The same as ``Tensor.index_put_``.

    Example:
        >>> import tapegrad
        >>> x, at = tapegrad.zeros(3), tapegrad.tensor([1])
        >>> tapegrad.index_put_(x, (at,), tapegrad.tensor(5.0))
        tensor([0., 5., 0.])
    """
    return input.index_put_(indices, values, accumulate)


def round_(input: Tensor, *, decimals: int = 0) -> Tensor:
    """The same as ``Tensor.round_``.

    Example:
        >>> import tapegrad
        >>> tapegrad.round_(tapegrad.tensor([1.6]))
        tensor([2.])
    """
    return input.round_(decimals=decimals)
