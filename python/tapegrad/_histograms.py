"""Histograms of several dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import _C, return_types
from ._C import Tensor
from ._C import _take_note as take_note
from ._legacy import scalar_name

__all__ = ["histogramdd"]


def _edges(values: Tensor, bins: list[Any], span: Sequence[float] | None) -> list[Tensor]:
    if isinstance(bins[0], Tensor):
        return [edges.to(values.dtype) for edges in bins]
    found = []
    for d, count in enumerate(bins):
        if count <= 0:
            raise RuntimeError(
                f"tapegrad.histogram(): bins must be > 0, but got {count} for dimension {d}"
            )
        if span is not None:
            low, high = float(span[2 * d]), float(span[2 * d + 1])
        elif values.shape[0] == 0:
            low, high = 0.0, 1.0
        else:
            low, high = values[:, d].min().item(), values[:, d].max().item()
        if low > high:
            raise RuntimeError(
                f"tapegrad.histogramdd: min should not exceed max, but got min {low:g} max "
                f"{high:g} for dimension {d}"
            )
        if low == high:
            low, high = low - 0.5, high + 0.5
        found.append(_C.linspace(low, high, count + 1, dtype=values.dtype))
    return found


def histogramdd(
    input: Tensor,
    bins: Any,
    range: Sequence[float] | None = None,
    weight: Tensor | None = None,
    density: bool = False,
) -> return_types.histogramdd:
    """Count points of several dimensions in a grid of bins.

    Args:
        input: shape (*, N): points of N coordinates.
        bins: the number of bins of all dimensions, a list with that of each, or a list of tensors
            with the edges.
        range: the lowest and the highest edge of each dimension, one after the other. Default: the
            least and the greatest coordinates.
        weight: what each point counts, in the shape of the input without its last dimension.
            Default: 1.
        density: divide by the sum and by the volumes of the bins. Default: False.

    Returns:
        A named tuple: ``hist``, of N dimensions, and ``bin_edges``, a tuple of tensors.

    Raises:
        RuntimeError: if the arguments do not fit.

    Example:
        >>> import tapegrad
        >>> points = tapegrad.tensor([[0.0, 1.0], [1.0, 0.0], [2.0, 2.0], [2.0, 2.0]])
        >>> tapegrad.histogramdd(points, bins=[2, 2]).hist
        tensor([[0., 1.],
                [1., 2.]])
    """
    if take_note(input, weight):
        return histogramdd(input, bins, range=range, weight=weight, density=density)
    if input.dim() < 2:
        raise RuntimeError("tapegrad.histogramdd: input tensor should have at least 2 dimensions")
    if not input.is_floating_point():
        name = scalar_name(input.dtype)
        raise NotImplementedError(f"\"histogramdd\" not implemented for '{name}'")
    dims = input.shape[-1]
    counts = list(bins) if isinstance(bins, Sequence) else [bins] * dims
    if len(counts) != dims:
        raise RuntimeError(
            "histogramdd: The size of bins must be equal to the innermost dimension of the input."
        )
    if range is not None and len(range) != 2 * dims:
        raise RuntimeError(
            f"tapegrad.histogramdd: for a {dims}-dimensional histogram range should have "
            f"{2 * dims} elements, but got {len(range)}"
        )
    if weight is not None and weight.shape != input.shape[:-1]:
        raise RuntimeError(
            "tapegrad.histogramdd: if weight tensor is provided it should have the same shape as "
            f"the input tensor excluding its innermost dimension, but got input with shape "
            f"{list(input.shape)} and weight with shape {list(weight.shape)}"
        )
    points = input.detach().reshape(-1, dims)
    edges = _edges(points, counts, range)
    place, inside = _C.zeros(points.shape[0], dtype=_C.int64), None
    for d, at in enumerate(edges):
        column, last = points[:, d].contiguous(), at.shape[0] - 2
        number = _C.searchsorted(at.contiguous(), column, right=True) - 1
        fits = (column >= at[0]) & (column <= at[-1])
        inside = fits if inside is None else inside & fits
        place = place * (last + 1) + number.clamp(0, last)  # the last edge is in the last bin
    shape = [at.shape[0] - 1 for at in edges]
    hist = _C.zeros(shape, dtype=input.dtype).flatten()
    amount = _C.ones_like(points[:, 0]) if weight is None else weight.detach().reshape(-1)
    hist = hist.index_add(0, place[inside], amount[inside].to(input.dtype)).reshape(shape)
    if density:
        hist = hist / hist.sum()
        for d, at in enumerate(edges):
            shape = [1] * dims
            shape[d] = -1
            hist = hist / (at[1:] - at[:-1]).reshape(shape)
    return return_types.histogramdd((hist, tuple(edges)))
