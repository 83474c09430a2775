"""Differences between neighbours, and derivatives estimated from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import _C
from ._C import Tensor
from ._C import _take_note as take_note

__all__ = ["diff", "gradient"]


def _dim(input: Tensor, dim: int) -> int:
    """The dimension counted from the first one."""
    count = input.dim()
    if not -count <= dim < count:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-count}, {count - 1}], but got "
            f"{dim})"
        )
    return dim % count


def _check_beside(input: Tensor, other: Tensor, dim: int) -> None:
    if other.dim() != input.dim():
        raise RuntimeError("diff expects prepend or append to be the same dimension as input")
    for d, (n, m) in enumerate(zip(input.shape, other.shape, strict=True)):
        if d != dim and n != m:
            raise RuntimeError(
                "diff expects the shape of tensor to prepend or append to match that of input "
                f"except along the differencing dimension; input.size({d}) = {n}, but got "
                f"tensor.size({d}) = {m}"
            )


def diff(
    input: Tensor,
    n: int = 1,
    dim: int = -1,
    prepend: Tensor | None = None,
    append: Tensor | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Differences between neighbours along a dimension: ``x[1:] - x[:-1]``.

    Args:
        input: a tensor of at least one dimension; of bools the difference is "not the same".
        n: how many times the differences are taken; 0 gives the input. Default: 1.
        dim: the dimension. Default: the last one.
        prepend: values that stand before the input along the dimension. Default: none.
        append: values that stand behind it. Default: none.
        out: a tensor to write to. Default: a new one.

    Raises:
        RuntimeError: if `n` is negative, the input has no dimension, or shapes do not fit.

    Example:
        >>> import tapegrad
        >>> x = tapegrad.tensor([1, 2, 4, 7])
        >>> tapegrad.diff(x), tapegrad.diff(x, n=2)
        (tensor([1, 2, 3]), tensor([1, 1]))
        >>> tapegrad.diff(x, prepend=tapegrad.tensor([0]))
        tensor([1, 1, 2, 3])
    """
    if take_note(input, prepend, append, out):
        return diff(input, n=n, dim=dim, prepend=prepend, append=append, out=out)
    result = _differences(input, n, dim, prepend, append)
    return result if out is None else _C.alias_copy(result, out=out)


def _differences(
    input: Tensor, n: int, dim: int, prepend: Tensor | None, append: Tensor | None
) -> Tensor:
    if input.dim() == 0:
        raise RuntimeError("diff expects input to be at least one-dimensional")
    dim = _dim(input, dim)
    beside = [x for x in (prepend, append) if x is not None]
    for x in beside:
        _check_beside(input, x, dim)
    if n < 0:
        raise RuntimeError(f"order must be non-negative but got {n}")
    if n == 0:
        return input.clone()
    if beside:
        before = [] if prepend is None else [prepend]
        after = [] if append is None else [append]
        input = _C.cat([*before, input, *after], dim)
    for _ in range(min(n, input.shape[dim])):
        count = input.shape[dim] - 1
        later, earlier = input.narrow(dim, 1, count), input.narrow(dim, 0, count)
        input = later.logical_xor(earlier) if input.dtype is _C.bool else later - earlier
    return input


def _spacings(spacing: Any, dims: Sequence[int], given: bool, count: int) -> list[float | Tensor]:
    """For each dimension the distance of its places, or their coordinates."""
    if isinstance(spacing, Tensor):
        spacing = spacing.item()
    if not isinstance(spacing, Sequence):
        return [spacing] * len(dims)
    if given and len(spacing) != len(dims):
        raise RuntimeError(
            "tapegrad.gradient expected spacing to be unspecified, a scalar or it's spacing and "
            "dim arguments to have the same length, but got a spacing argument of length "
            f"{len(spacing)} and a dim argument of length {len(dims)}."
        )
    if len(spacing) != len(dims):
        raise RuntimeError(
            "tapegrad.gradient expected spacing to be unspecified, a scalar, or a list of length "
            f"equal to 'self.dim() = {count}', since dim argument was not given, but got a list "
            f"of length {len(spacing)}"
        )
    return list(spacing)


def _at_equal_distances(x: Tensor, dim: int, step: float, edge_order: int) -> Tensor:
    def row(i: int) -> Tensor:
        return x.narrow(dim, i, 1)

    n = x.shape[dim]
    inner = (x.narrow(dim, 2, n - 2) - x.narrow(dim, 0, n - 2)) / (2 * step)
    if edge_order == 1:
        first, last = (row(1) - row(0)) / step, (row(n - 1) - row(n - 2)) / step
    else:
        first = (row(1) * 2 - row(0) * 1.5 - row(2) * 0.5) / step
        last = (row(n - 1) * 1.5 + row(n - 3) * 0.5 - row(n - 2) * 2) / step
    return _C.cat([first, inner, last], dim)


def _at_places(x: Tensor, dim: int, places: Tensor, edge_order: int) -> Tensor:
    n = x.shape[dim]
    if places.dim() != 1 or places.shape[0] != n:
        raise RuntimeError(
            "tapegrad.gradient expected each element of spacing to be a scalar or to have as many "
            f"elements as its dimension, {n}, but got {list(places.shape)}"
        )
    shape = [1] * x.dim()
    shape[dim] = -1
    steps = diff(places)

    def parabola(before: Tensor, after: Tensor, at: int) -> list[Tensor]:
        """The factors of three neighbours, for the slope at the first, the second or the third."""
        both = before + after
        factors = (
            (-(before + both) / (before * both), both / (before * after), -before / (after * both)),
            (
                -after / (before * both),
                (after - before) / (before * after),
                before / (after * both),
            ),
            (after / (before * both), -both / (before * after), (after + both) / (after * both)),
        )
        return [factor.reshape(shape) for factor in factors[at]]

    def slope(before: Tensor, after: Tensor, at: int, start: int, count: int) -> Tensor:
        parts = [
            factor * x.narrow(dim, start + i, count)
            for i, factor in enumerate(parabola(before, after, at))
        ]
        return parts[0] + parts[1] + parts[2]

    inner = slope(steps[:-1], steps[1:], 1, 0, n - 2)
    if edge_order == 1:
        first = (x.narrow(dim, 1, 1) - x.narrow(dim, 0, 1)) / steps[:1].reshape(shape)
        last = (x.narrow(dim, n - 1, 1) - x.narrow(dim, n - 2, 1)) / steps[-1:].reshape(shape)
    else:
        first = slope(steps[:1], steps[1:2], 0, 0, 1)
        last = slope(steps[-2:-1], steps[-1:], 2, n - 3, 1)
    return _C.cat([first, inner, last], dim)


def gradient(
    input: Tensor, *, spacing: Any = None, dim: Any = None, edge_order: int = 1
) -> tuple[Tensor, ...]:
    """The derivatives of a sampled function along dimensions, estimated from neighbours.

    Inside they are the slopes of the parabola through three neighbours; at both ends those of the
    line through two of them, or of the parabola.

    Args:
        input: the samples.
        spacing: the distance between samples: a number for all dimensions, or a list with a number
            or a tensor of coordinates for each. Default: 1 for all.
        dim: the dimension or dimensions. Default: all of them.
        edge_order: 1 for the line at both ends, 2 for the parabola. Default: 1.

    Returns:
        A tuple with a tensor for each dimension.

    Raises:
        RuntimeError: if a dimension has not more than `edge_order` samples, or the lengths of
            arguments do not fit.

    Example:
        >>> import tapegrad
        >>> tapegrad.gradient(tapegrad.tensor([1.0, 2.0, 4.0, 7.0]))
        (tensor([1.0000, 1.5000, 2.5000, 3.0000]),)
        >>> x = tapegrad.tensor([0.0, 1.0, 4.0])
        >>> tapegrad.gradient(2 * x, spacing=[x])
        (tensor([2., 2., 2.]),)
    """
    if take_note(input):
        return gradient(input, spacing=spacing, dim=dim, edge_order=edge_order)
    if edge_order not in (1, 2):
        raise RuntimeError("tapegrad.gradient only supports edge_order=1 and edge_order=2.")
    if input.dtype is _C.uint8:
        raise RuntimeError("tapegrad.gradient does not support uint8 input.")
    if dim is None:
        dims = list(range(input.dim()))
    else:
        dims = [_dim(input, d) for d in (dim if isinstance(dim, Sequence) else [dim])]
    for d in dims:
        if dims.count(d) > 1:
            raise RuntimeError(f"dim {d} appears multiple times in the list of dims")
    steps = _spacings(1 if spacing is None else spacing, dims, dim is not None, input.dim())
    if any(input.shape[d] <= edge_order for d in dims):
        raise RuntimeError(
            "tapegrad.gradient expected each dimension size to be at least edge_order+1"
        )
    return tuple(
        _at_places(input, d, step, edge_order)
        if isinstance(step, Tensor) and step.dim() > 0
        else _at_equal_distances(input, d, float(step), edge_order)
        for d, step in zip(dims, steps, strict=True)
    )
