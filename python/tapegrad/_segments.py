"""Reductions of neighbouring rows."""

from __future__ import annotations

from typing import Any

from . import _C
from ._C import Tensor
from ._C import _take_note as take_note
from ._legacy import scalar_name

__all__ = ["segment_reduce"]

_NOTHING = {
    "sum": 0.0,
    "mean": float("nan"),
    "max": float("-inf"),
    "min": float("inf"),
    "prod": 1.0,
}


def _reduced(rows: Tensor, how: str, initial: float | None) -> Tensor:
    """One segment, whose rows are along the first dimension."""
    if rows.shape[0] == 0:
        return rows.new_full(rows.shape[1:], _NOTHING[how] if initial is None else initial)
    if how in ("max", "min"):
        found = rows.amax(0) if how == "max" else rows.amin(0)
        if initial is not None:
            found = found.clamp(min=initial) if how == "max" else found.clamp(max=initial)
        return found
    if how == "prod":
        found = rows.prod(0)
        return found if initial is None else found * initial
    found = rows.sum(0)
    if initial is not None:
        found = found + initial
    return found / rows.shape[0] if how == "mean" else found


def _segments(data: Tensor, how: str, lengths: Any, axis: int, initial: float | None) -> Tensor:
    if axis:
        parts = [
            _segments(x, how, n, axis - 1, initial) for x, n in zip(data, lengths, strict=True)
        ]
        return _C.stack(parts)
    if sum(lengths) != data.shape[0]:
        raise RuntimeError(
            "segment_reduce(): Expected all rows of lengths along axis to sum to "
            "data.size(lengths.dim()-1) when !unsafe."
        )
    return _C.stack([_reduced(rows, how, initial) for rows in data.split(lengths)])


def segment_reduce(
    data: Tensor,
    reduce: str,
    *,
    lengths: Tensor | None = None,
    indices: Tensor | None = None,
    offsets: Tensor | None = None,
    axis: int = 0,
    unsafe: bool = False,
    initial: float | None = None,
) -> Tensor:
    """Reduce segments of neighbouring elements along a dimension.

    Args:
        data: floating-point values.
        reduce: "sum", "mean", "max", "min" or "prod".
        lengths: the lengths of the segments, an integer tensor; of `axis` other dimensions first,
            which are those of `data`.
        indices: not supported, as in PyTorch.
        offsets: where segments begin, and where the last one ends, instead of their lengths.
        axis: the dimension. Default: 0.
        unsafe: ignored: lengths are always checked.
        initial: what each segment begins with, and the result of an empty one. Default: the
            neutral element, and NaN for the mean of nothing.

    Raises:
        RuntimeError: if the lengths do not sum to the size of the dimension.

    Example:
        >>> import tapegrad
        >>> x = tapegrad.tensor([1.0, 2.0, 3.0, 4.0])
        >>> tapegrad.segment_reduce(x, "sum", lengths=tapegrad.tensor([1, 3]))
        tensor([1., 9.])
    """
    if take_note(data, lengths, indices, offsets):
        return segment_reduce(
            data,
            reduce,
            lengths=lengths,
            indices=indices,
            offsets=offsets,
            axis=axis,
            unsafe=unsafe,
            initial=initial,
        )
    reduce = {"amax": "max", "amin": "min"}.get(reduce, reduce)
    if reduce not in _NOTHING:
        raise RuntimeError(
            f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}"
        )
    if not data.is_floating_point():
        name = scalar_name(data.dtype)
        raise NotImplementedError(f"\"_segment_reduce_cpu\" not implemented for '{name}'")
    if indices is not None:
        raise RuntimeError("segment_reduce(): indices based reduction is not supported yet.")
    if offsets is not None:
        lengths = offsets.narrow(-1, 1, offsets.shape[-1] - 1) - offsets.narrow(
            -1, 0, offsets.shape[-1] - 1
        )
    if lengths is None:
        raise RuntimeError("segment_reduce(): Either lengths or offsets must be defined.")
    if lengths.numel() and bool((lengths < 0).any()):
        raise RuntimeError("lengths contains negative value!")
    axis = axis % data.dim()
    if axis != lengths.dim() - 1:
        raise RuntimeError(
            f"segment_reduce(): Expected axis to be the last dimension of lengths but got {axis}."
        )
    return _segments(data, reduce, lengths.tolist(), axis, initial)
