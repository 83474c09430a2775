"""Linear algebra."""

from __future__ import annotations

import math
from collections.abc import Sequence

from . import _C
from ._C import Tensor

__all__ = ["matrix_norm", "norm", "svdvals", "vector_norm"]


def _kind(dtype: _C.dtype) -> str:
    """Float, Long and so on, as messages name dtypes."""
    return str(_C.empty((0,), dtype=dtype).type()).split(".")[1].removesuffix("Tensor")


def _in_dtype(name: str, x: Tensor, dtype: _C.dtype | None) -> Tensor:
    """The tensor in the dtype of the computation, which must hold its values."""
    if not x.dtype.is_floating_point:
        raise RuntimeError(
            f"linalg.{name}: Expected a floating point or complex tensor as input. "
            f"Got {_kind(x.dtype)}"
        )
    if dtype is None or dtype == x.dtype:
        return x
    if not dtype.is_floating_point:
        raise RuntimeError(
            f"linalg.{name}: dtype should be floating point or complex, but got {_kind(dtype)}"
        )
    if dtype.itemsize < x.dtype.itemsize:
        raise RuntimeError(
            f"linalg.{name}: the dtype of the input ({_kind(x.dtype)}) should be convertible "
            f"without narrowing to the specified dtype ({_kind(dtype)})"
        )
    return x.to(dtype)


def vector_norm(
    x: Tensor,
    ord: float = 2,
    dim: int | Sequence[int] | None = None,
    keepdim: bool = False,
    *,
    dtype: _C.dtype | None = None,
) -> Tensor:
    """The norm of a tensor's elements, over all or some dimensions.

    Args:
        x: any shape, floating dtype.
        ord: the order; ``inf`` and ``-inf`` give the largest and smallest magnitude. Default: 2.
        dim: dimensions that are reduced. Default: all.
        keepdim: whether reduced dimensions stay with size 1. Default: False.
        dtype: a wider dtype to compute in. Default: that of the tensor.

    Raises:
        TypeError: if the order is no number.
        RuntimeError: if nothing is reduced that has an order below zero or infinite.

    Example:
        >>> import tapegrad
        >>> tapegrad.linalg.vector_norm(tapegrad.tensor([3.0, 4.0]))
        tensor(5.)
    """
    if not isinstance(ord, int | float):
        raise TypeError(
            "linalg_vector_norm(): argument 'ord' (position 2) must be Number, not "
            f"{type(ord).__name__}"
        )
    return _C.norm(_in_dtype("vector_norm", x, dtype), ord, dim, keepdim)


def matrix_norm(
    A: Tensor,
    ord: float | str = "fro",
    dim: Sequence[int] = (-2, -1),
    keepdim: bool = False,
    *,
    dtype: _C.dtype | None = None,
) -> Tensor:
    """The norm of matrices.

    Args:
        A: at least 2 dimensions, floating dtype.
        ord: ``"fro"``, the root of the sum of squares; ``"nuc"``, 2 and -2, the sum, the largest
            and the smallest of the singular values; 1 and -1 (``inf`` and ``-inf``), the largest
            and the smallest of the sums of magnitudes in a column (a row). Default: ``"fro"``.
        dim: the dimensions of the rows and of the columns. Default: (-2, -1).
        keepdim: whether these dimensions stay with size 1. Default: False.
        dtype: a wider dtype to compute in. Default: that of the tensor.

    Raises:
        RuntimeError: for another order, or dimensions that are no pair of different ones.

    Example:
        >>> import tapegrad
        >>> x = tapegrad.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
        >>> tapegrad.linalg.matrix_norm(x, 1)
        tensor(9.)
        >>> tapegrad.linalg.matrix_norm(x, 2)
        tensor(9.5080)
    """
    if ord not in ("fro", "nuc", 1, -1, 2, -2, math.inf, -math.inf):
        raise RuntimeError(f"linalg.matrix_norm: Order {ord} not supported.")
    A = _in_dtype("matrix_norm", A, dtype)
    if A.dim() < 2:
        raise RuntimeError(
            "linalg.matrix_norm: The input tensor A must have at least 2 dimensions."
        )
    if isinstance(dim, int) or len(dim) != 2:
        got = dim if isinstance(dim, int) else " ".join(map(str, dim))
        raise RuntimeError(f"linalg.matrix_norm: dim must be a 2-tuple. Got {got}")
    for d in dim:
        if not -A.dim() <= d < A.dim():
            raise IndexError(
                f"Dimension out of range (expected to be in range of [{-A.dim()}, {A.dim() - 1}], "
                f"but got {d})"
            )
    rows, columns = (d % A.dim() for d in dim)
    if rows == columns:
        raise RuntimeError(f"linalg.matrix_norm: dims must be different. Got ({dim[0]}, {dim[1]})")
    if ord in ("fro", "nuc"):
        return _C.norm(A, ord, (rows, columns), keepdim)
    largest = ord in (1, 2, math.inf)
    if ord in (2, -2):
        values = svdvals(A.movedim((rows, columns), (-2, -1)))
        result = _extreme(values, -1, largest, False)
        if not keepdim:
            return result
        first, second = sorted((rows, columns))
        return result.unsqueeze(first).unsqueeze(second)
    added, compared = (rows, columns) if ord in (1, -1) else (columns, rows)
    result = _extreme(_C.norm(A, 1, added, True), compared, largest, True)
    return result if keepdim else result.squeeze((rows, columns))


def _extreme(values: Tensor, dim: int, largest: bool, keepdim: bool) -> Tensor:
    """The largest of values that are not negative, 0 if there are none, or the smallest."""
    if not largest:
        return values.amin(dim, keepdim)
    return values.amax(dim, keepdim) if values.shape[dim] else values.sum(dim, keepdim)


def norm(
    A: Tensor,
    ord: float | str | None = None,
    dim: int | Sequence[int] | None = None,
    keepdim: bool = False,
    *,
    dtype: _C.dtype | None = None,
) -> Tensor:
    """The norm of vectors or of matrices.

    Args:
        A: any shape, floating dtype.
        ord: the order, see :func:`vector_norm` and :func:`matrix_norm`. Default: None, for the
            root of the sum of all squares.
        dim: one dimension, that of vectors, or two, those of matrices. Default: None, for all;
            with an order the tensor is a vector or a matrix then.
        keepdim: whether reduced dimensions stay with size 1. Default: False.
        dtype: a wider dtype to compute in. Default: that of the tensor.

    Raises:
        RuntimeError: for an order that vectors or matrices do not have, or for more dimensions.

    Example:
        >>> import tapegrad
        >>> x = tapegrad.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
        >>> tapegrad.linalg.norm(x, 1), tapegrad.linalg.norm(x, 1, dim=1)
        (tensor(9.), tensor([ 6., 15.]))
    """
    dims = (dim,) if isinstance(dim, int) else None if dim is None else tuple(dim)
    if dims is not None and len(dims) not in (1, 2):
        raise RuntimeError(
            f"linalg.norm: If dim is specified, it must be of length 1 or 2. Got {list(dims)}"
        )
    if ord is None:
        return vector_norm(A, 2, dims, keepdim, dtype=dtype)
    if dims is None:
        if A.dim() not in (1, 2):
            raise RuntimeError(
                "linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. "
                f"Got {A.dim()}D."
            )
        dims = tuple(range(A.dim()))
    if len(dims) == 1 and not isinstance(ord, str):
        return vector_norm(A, ord, dims, keepdim, dtype=dtype)
    return matrix_norm(A, ord, dims, keepdim, dtype=dtype)


def svdvals(A: Tensor) -> Tensor:
    """The singular values of matrices, the largest first.

    The gradient of a value is the product of its singular vectors; that of a value of zero is
    taken to be zero.

    Args:
        A: shape (*, m, n), floating dtype.

    Returns:
        A tensor of shape (*, min(m, n)).

    Raises:
        RuntimeError: if there are NaN, or fewer than 2 dimensions.

    Example:
        >>> import tapegrad
        >>> tapegrad.linalg.svdvals(tapegrad.tensor([[3.0, 0.0], [0.0, -4.0]]))
        tensor([4., 3.])
    """
    return _C._svdvals(A)
