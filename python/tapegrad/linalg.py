"""Linear algebra."""

from __future__ import annotations

from typing import Any

from . import _C
from ._C import Tensor

__all__ = ["norm", "vector_norm"]


def vector_norm(
    x: Tensor, ord: float = 2, dim: int | tuple[int, ...] | None = None, keepdim: bool = False
) -> Tensor:
    """The norm of a tensor's elements, over all or some dimensions.

    Args:
        x: any shape, floating dtype.
        ord: the order; ``inf`` and ``-inf`` give the largest and smallest magnitude. Default: 2.
        dim: dimensions that are reduced. Default: all.
        keepdim: whether reduced dimensions stay with size 1. Default: False.

    Example:
        >>> import tapegrad
        >>> tapegrad.linalg.vector_norm(tapegrad.tensor([3.0, 4.0]))
        tensor(5.)
    """
    return _C.norm(x, ord, dim, keepdim)


def norm(A: Tensor, ord: Any = None, dim: Any = None, keepdim: bool = False) -> Tensor:
    """The 2-norm of all elements unless told otherwise; see :func:`vector_norm`.

    Example:
        >>> import tapegrad
        >>> tapegrad.linalg.norm(tapegrad.tensor([[3.0], [4.0]]))
        tensor(5.)
    """
    return _C.norm(A, 2 if ord is None else ord, dim, keepdim)
