"""Sums, extremes and their relatives, along one axis, several or all."""

from __future__ import annotations

from typing import Any

from .. import _C
from .._C import Tensor
from .._differences import diff as _diff

__all__ = [
    "all",
    "any",
    "count_nonzero",
    "cumulative_prod",
    "cumulative_sum",
    "diff",
    "max",
    "mean",
    "min",
    "prod",
    "std",
    "sum",
    "var",
]


def all(x: Tensor, /, *, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Whether all elements are not zero."""
    return _of_axes(x != 0, axis, keepdims, lambda x, axes: _C.all(x, axes, True))


def any(x: Tensor, /, *, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Whether an element is not zero."""
    return _of_axes(x != 0, axis, keepdims, lambda x, axes: _C.any(x, axes, True))


def count_nonzero(x: Tensor, /, *, axis: Any = None, keepdims: bool = False) -> Tensor:
    """How many elements are not zero."""
    return sum(x != 0, axis=axis, keepdims=keepdims)


def max(x: Tensor, /, *, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The largest element."""
    return _of_axes(x, axis, keepdims, lambda x, axes: _C.amax(x, axes, True))


def min(x: Tensor, /, *, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The smallest element."""
    return _of_axes(x, axis, keepdims, lambda x, axes: _C.amin(x, axes, True))


def mean(x: Tensor, /, *, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The mean."""
    return _of_axes(x, axis, keepdims, lambda x, axes: _C.mean(x, axes, True))


def sum(x: Tensor, /, *, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Tensor:
    """The sum; of integers it has at least the default size."""
    return _of_axes(x, axis, keepdims, lambda x, axes: _C.sum(x, axes, True, dtype=dtype), dtype)


def prod(x: Tensor, /, *, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Tensor:
    """The product; of integers it has at least the default size."""

    def of_each(x: Tensor, axes: tuple[int, ...]) -> Tensor:
        for axis in axes:
            x = _C.prod(x, axis, True, dtype=dtype)
        return x

    return _of_axes(x, axis, keepdims, of_each, dtype or _sum_dtype(x))


def var(
    x: Tensor, /, *, axis: Any = None, correction: float = 0.0, keepdims: bool = False
) -> Tensor:
    """The variance; its divisor is the number of elements less the correction."""
    return _of_axes(
        x, axis, keepdims, lambda x, axes: _C.var(x, axes, correction=correction, keepdim=True)
    )


def std(
    x: Tensor, /, *, axis: Any = None, correction: float = 0.0, keepdims: bool = False
) -> Tensor:
    """The square root of the variance."""
    return _C.sqrt(var(x, axis=axis, correction=correction, keepdims=keepdims))


def _sum_dtype(x: Tensor) -> _C.dtype:
    return x.dtype if x.is_floating_point() else _C.int64


def _of_axes(x: Tensor, axis: Any, keepdims: bool, reduce: Any, dtype: Any = None) -> Tensor:
    """Reduce along axes, which may be none at all: PyTorch would take all for that."""
    if axis is None:
        axes = tuple(range(x.dim()))
    else:
        axes = (axis,) if isinstance(axis, int) else tuple(axis)
    if axes:
        result: Tensor = reduce(x, axes)
    else:  # each element by itself
        result = reduce(x.unsqueeze(0), (0,)).squeeze(0)
    return result if keepdims or not axes else result.squeeze(axes)


def cumulative_sum(
    x: Tensor, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Tensor:
    """The sums of the elements up to each one; with a zero in front, if asked for."""
    return _cumulative(_C.cumsum, 0, x, axis, dtype, include_initial)


def cumulative_prod(
    x: Tensor, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Tensor:
    """The products of the elements up to each one; with a one in front, if asked for."""
    return _cumulative(_C.cumprod, 1, x, axis, dtype, include_initial)


def _cumulative(
    operator: Any, first: int, x: Tensor, axis: int | None, dtype: Any, include_initial: bool
) -> Tensor:
    if axis is None:
        if x.dim() != 1:
            raise ValueError("axis must be given for a tensor of other than one dimension")
        axis = 0
    result: Tensor = operator(x, axis, dtype=dtype or _sum_dtype(x))
    if not include_initial:
        return result
    shape = list(result.shape)
    shape[axis] = 1
    return _C.cat([_C.full(shape, first, dtype=result.dtype), result], axis)


def diff(
    x: Tensor,
    /,
    *,
    axis: int = -1,
    n: int = 1,
    prepend: Tensor | None = None,
    append: Tensor | None = None,
) -> Tensor:
    """Differences between neighbours along an axis."""
    return _diff(x, n, axis, prepend, append)
