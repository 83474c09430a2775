"""Functions that arrange, select, sort and find elements."""

from __future__ import annotations

from typing import Any, NamedTuple

from .. import _C
from .._C import Tensor, broadcast_to
from ._elementwise import promoted

__all__ = [
    "argmax",
    "argmin",
    "argsort",
    "broadcast_arrays",
    "broadcast_shapes",
    "broadcast_to",
    "concat",
    "expand_dims",
    "flip",
    "isin",
    "moveaxis",
    "nonzero",
    "permute_dims",
    "repeat",
    "reshape",
    "roll",
    "searchsorted",
    "sort",
    "squeeze",
    "stack",
    "take",
    "take_along_axis",
    "tile",
    "unique_all",
    "unique_counts",
    "unique_inverse",
    "unique_values",
    "unstack",
    "where",
]


# ---------------------------------------------------------------------- shapes


def broadcast_arrays(*arrays: Tensor) -> tuple[Tensor, ...]:
    """Tensors of the shape that they have in common."""
    return tuple(_C.broadcast_tensors(*arrays))


def broadcast_shapes(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that shapes have in common."""
    from .. import broadcast_shapes as common

    return tuple(common(*shapes))


def concat(arrays: Any, /, *, axis: int | None = 0) -> Tensor:
    """Tensors one after the other along an axis; flattened, where it is None."""
    arrays = promoted(*arrays)
    if axis is None:
        return _C.cat([x.flatten() for x in arrays])
    return _C.cat(arrays, axis)


def stack(arrays: Any, /, *, axis: int = 0) -> Tensor:
    """Tensors along a new axis."""
    return _C.stack(promoted(*arrays), axis)


def unstack(x: Tensor, /, *, axis: int = 0) -> tuple[Tensor, ...]:
    """The parts of a tensor along an axis."""
    return tuple(x.unbind(axis))


def expand_dims(x: Tensor, /, axis: int = 0) -> Tensor:
    """A new axis of size 1."""
    return x.unsqueeze(axis)


def flip(x: Tensor, /, *, axis: Any = None) -> Tensor:
    """The reverse order along axes, or along all."""
    axes = range(x.dim()) if axis is None else axis
    return _C.flip(x, (axes,) if isinstance(axes, int) else tuple(axes))


def moveaxis(x: Tensor, source: Any, destination: Any, /) -> Tensor:
    """Axes in other places."""
    return _C.moveaxis(x, source, destination)


def permute_dims(x: Tensor, /, axes: tuple[int, ...]) -> Tensor:
    """Axes in another order."""
    return x.permute(tuple(axes))


def repeat(x: Tensor, repeats: Any, /, *, axis: int | None = None) -> Tensor:
    """Elements several times; of the flattened tensor, where there is no axis."""
    if axis is None:
        x, axis = x.flatten(), 0
    return _C.repeat_interleave(x, repeats, axis)


def reshape(x: Tensor, /, shape: tuple[int, ...], *, copy: bool | None = None) -> Tensor:
    """Another shape.

    Raises:
        ValueError: if it needs a copy and `copy` is False.
    """
    if copy:
        return x.clone().reshape(shape)
    result = x.reshape(shape)
    if copy is False and x.numel() and result.data_ptr() != x.data_ptr():
        raise ValueError("the tensor cannot be reshaped without a copy")
    return result


def roll(x: Tensor, /, shift: Any, *, axis: Any = None) -> Tensor:
    """Elements some places further, those at the end to the start."""
    return _C.roll(x, shift, axis)


def squeeze(x: Tensor, /, axis: Any) -> Tensor:
    """Without axes of size 1.

    Raises:
        ValueError: if one has another size.
    """
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    for one in axes:
        if x.shape[one] != 1:
            raise ValueError(f"axis {one} has the size {x.shape[one]}, not 1")
    return x.squeeze(axes)


def tile(x: Tensor, repetitions: tuple[int, ...], /) -> Tensor:
    """A tensor several times along its axes."""
    return _C.tile(x, tuple(repetitions))


# ---------------------------------------------------------------------- selection


def take(x: Tensor, indices: Tensor, /, *, axis: int | None = None) -> Tensor:
    """The elements along an axis that indices name."""
    if axis is None and x.dim() != 1:
        raise ValueError("axis must be given for a tensor of more than one dimension")
    dim = 0 if axis is None else axis % x.dim()
    picked = x.index_select(dim, indices.flatten())
    return picked.reshape(x.shape[:dim] + indices.shape + x.shape[dim + 1 :])


def take_along_axis(x: Tensor, indices: Tensor, /, *, axis: int = -1) -> Tensor:
    """The elements that indices name for each row along an axis."""
    dim = axis % x.dim()
    sizes = broadcast_shapes(
        tuple(x.shape[:dim] + (1,) + x.shape[dim + 1 :]),
        tuple(indices.shape[:dim] + (1,) + indices.shape[dim + 1 :]),
    )
    before, after = sizes[:dim], sizes[dim + 1 :]
    x = x.expand((*before, x.shape[dim], *after))
    indices = indices.expand((*before, indices.shape[dim], *after)).long()
    return x.gather(dim, _C.where(indices < 0, indices + x.shape[dim], indices))


def where(condition: Tensor, x1: Any, x2: Any, /) -> Tensor:
    """The elements of one tensor or of the other."""
    x1, x2 = promoted(x1, x2)
    return _C.where(condition, x1, x2)


def nonzero(x: Tensor, /) -> tuple[Tensor, ...]:
    """Where elements are not zero: the places along each axis.

    Raises:
        ValueError: for a tensor without dimensions.
    """
    if x.dim() == 0:
        raise ValueError("nonzero() takes a tensor with dimensions")
    return tuple(_C.nonzero(x, as_tuple=True))


def argmax(x: Tensor, /, *, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The place of the first largest element."""
    return _C.argmax(x, axis, keepdims)


def argmin(x: Tensor, /, *, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The place of the first smallest element."""
    return _C.argmin(x, axis, keepdims)


# ---------------------------------------------------------------------- order and sets


def sort(x: Tensor, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
    """Elements in order."""
    return x if x.dim() == 0 else _C.sort(x, axis, descending, True)[0]


def argsort(
    x: Tensor, /, *, axis: int = -1, descending: bool = False, stable: bool = True
) -> Tensor:
    """The places of the elements in order; equal ones stay in theirs."""
    return _C.sort(x, axis, descending, True)[1]


def searchsorted(
    x1: Tensor, x2: Any, /, *, side: str = "left", sorter: Tensor | None = None
) -> Tensor:
    """Where elements would have to stand in an ordered tensor."""
    x1, x2 = promoted(x1, x2)
    sorter = None if sorter is None else sorter.long()
    return _C.searchsorted(x1, x2, side=side, sorter=sorter)


def isin(x1: Any, x2: Any, /, *, invert: bool = False) -> Tensor:
    """Whether elements are among others."""
    x1, x2 = promoted(x1, x2)
    return _C.isin(x1, x2, invert=invert)


class _All(NamedTuple):
    values: Tensor
    indices: Tensor
    inverse_indices: Tensor
    counts: Tensor


class _Counts(NamedTuple):
    values: Tensor
    counts: Tensor


class _Inverse(NamedTuple):
    values: Tensor
    inverse_indices: Tensor


def unique_all(x: Tensor, /) -> _All:
    """The different values; where each is first; where they are in `x`; how many there are."""
    values, inverse, counts = _C.unique(x, return_inverse=True, return_counts=True)
    places = _C.arange(x.numel())
    first = _C.full(values.shape, x.numel(), dtype=places.dtype)
    first = first.scatter_reduce(0, inverse.flatten(), places, "amin")
    return _All(values, first, inverse, counts)


def unique_counts(x: Tensor, /) -> _Counts:
    """The different values, and how many there are."""
    return _Counts(*_C.unique(x, return_counts=True))


def unique_inverse(x: Tensor, /) -> _Inverse:
    """The different values, and where they are in `x`."""
    return _Inverse(*_C.unique(x, return_inverse=True))


def unique_values(x: Tensor, /) -> Tensor:
    """The different values."""
    return _C.unique(x)
