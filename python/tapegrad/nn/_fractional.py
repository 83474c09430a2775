"""Maxima over windows that begin at random places."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import tapegrad

from .._C import Tensor
from .._C import _take_note as take_note

__all__ = [
    "fractional_max_pool2d",
    "fractional_max_pool2d_with_indices",
    "fractional_max_pool3d",
    "fractional_max_pool3d_with_indices",
]

_Size = int | Sequence[int]
_Ratio = float | Sequence[float]
_SIDES = {2: ("height", "width"), 3: ("time", "height", "width")}


def _many(value: Any, count: int) -> list[Any]:
    return list(value) if isinstance(value, Sequence) else [value] * count


def _samples(given: Tensor | None, input: Tensor, dims: int, name: str) -> Tensor:
    """Numbers in [0, 1), one for each image, channel and dimension."""
    if given is None:
        batch = 1 if input.dim() == dims + 1 else input.shape[0]
        return tapegrad.rand(batch, input.shape[-dims - 1], dims, dtype=input.dtype)
    if given.dtype is not input.dtype:
        raise RuntimeError("Expect _random_samples to have the same dtype as input")
    if given.shape[2] != dims:
        raise RuntimeError(
            f"Expect _random_samples.size(2) equals to {dims}; got {given.shape[2]}."
        )
    return given


def _starts(sample: Tensor, size: int, window: int, count: int) -> Tensor:
    """Where the windows along a dimension begin: ``count`` for each number of `sample`."""
    last = tapegrad.tensor(size - window).expand(*sample.shape, 1)
    if count == 1:
        return last
    step = tapegrad.tensor(size - window, dtype=sample.dtype) / (count - 1)
    place = tapegrad.arange(count - 1) + sample.unsqueeze(-1)
    first = (place * step).long() - (sample * step).long().unsqueeze(-1)
    return tapegrad.cat([first, last], -1)


def _pool(
    dims: int,
    input: Tensor,
    kernel_size: _Size,
    output_size: _Size | None,
    output_ratio: _Ratio | None,
    given: Tensor | None,
) -> tuple[Tensor, Tensor]:
    name = f"fractional_max_pool{dims}d"
    sizes = list(input.shape[-dims:])
    if output_size is None:
        if output_ratio is None:
            raise ValueError(f"{name} requires specifying either an output_size or an output_ratio")
        ratios = _many(output_ratio, dims)
        output_size = [int(n * ratio) for n, ratio in zip(sizes, ratios, strict=True)]
    counts, windows = _many(output_size, dims), _many(kernel_size, dims)
    if input.dim() not in (dims + 1, dims + 2):
        raise IndexError(
            f"Dimension out of range (expected to be in range of [-{input.dim()}, "
            f"{input.dim() - 1}], but got -{dims + 1})"
        )
    for d in range(input.dim() - dims - 1, input.dim()):
        if input.shape[d] == 0:
            raise RuntimeError(
                f"{name}(): Expected input to have non-zero size for non-batch dimensions, but got"
                f"{list(input.shape)} with dimension {d} being empty."
            )
    samples = _samples(given, input, dims, name)
    for side, n, count, window in zip(_SIDES[dims], sizes, counts, windows, strict=True):
        if count + window - 1 > n:
            raise RuntimeError(
                f"{name}(): pool {side} {window} too large relative to input {side} {n}"
            )
    with tapegrad.no_grad():
        place: Any = 0  # of the elements of all windows in the plane: (N, C, *counts, *windows)
        for d in range(dims):
            # The numbers of an image are in the order width, height; of a volume they are not.
            sample = samples[..., 1 - d if dims == 2 else d]
            start = _starts(sample, sizes[d], windows[d], counts[d])
            along = start.unsqueeze(-1) + tapegrad.arange(windows[d])
            shape = [*sample.shape, *[1] * (2 * dims)]
            shape[2 + d], shape[2 + dims + d] = counts[d], windows[d]
            place = place * sizes[d] + along.reshape(shape)
        batched = input.dim() == dims + 2
        planes = (input if batched else input.unsqueeze(0)).flatten(2)
        shape = [*planes.shape[:2], *counts, math.prod(windows)]
        place = place.flatten(2 + dims).expand(shape)
        best = planes.gather(2, place.flatten(2)).reshape(shape).argmax(-1, keepdim=True)
        indices = place.gather(-1, best).squeeze(-1)
    if not batched:
        indices = indices.squeeze(0)
    leading = input.dim() - dims
    flat = input.flatten(leading).gather(leading, indices.flatten(leading))
    return flat.reshape(indices.shape), indices


def fractional_max_pool2d_with_indices(
    input: Tensor,
    kernel_size: _Size,
    output_size: _Size | None = None,
    output_ratio: _Ratio | None = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """As :func:`fractional_max_pool2d`, with the places of the maxima in each plane."""
    if take_note(input, _random_samples):
        return fractional_max_pool2d_with_indices(
            input,
            kernel_size,
            output_size=output_size,
            output_ratio=output_ratio,
            return_indices=return_indices,
            _random_samples=_random_samples,
        )
    return _pool(2, input, kernel_size, output_size, output_ratio, _random_samples)


def fractional_max_pool3d_with_indices(
    input: Tensor,
    kernel_size: _Size,
    output_size: _Size | None = None,
    output_ratio: _Ratio | None = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """As :func:`fractional_max_pool3d`, with the places of the maxima in each volume."""
    if take_note(input, _random_samples):
        return fractional_max_pool3d_with_indices(
            input,
            kernel_size,
            output_size=output_size,
            output_ratio=output_ratio,
            return_indices=return_indices,
            _random_samples=_random_samples,
        )
    return _pool(3, input, kernel_size, output_size, output_ratio, _random_samples)


def fractional_max_pool2d(
    input: Tensor,
    kernel_size: _Size,
    output_size: _Size | None = None,
    output_ratio: _Ratio | None = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Any:
    """Maxima over windows whose steps are drawn so that a given size comes out.

    Args:
        input: shape (N, C, H, W) or (C, H, W).
        kernel_size: the size of the windows.
        output_size: the size of the result.
        output_ratio: its ratio to the size of the input, where `output_size` is None.
        return_indices: give the places of the maxima in each plane, too. Default: False.
        _random_samples: numbers in [0, 1) of shape (N, C, 2) that choose the windows. Default: they
            are drawn.

    Raises:
        ValueError: if neither the size nor the ratio is given.
        RuntimeError: if the windows do not fit.

    Example:
        >>> import tapegrad
        >>> from tapegrad.nn import functional as F
        >>> x = tapegrad.arange(16.0).reshape(1, 4, 4)
        >>> F.fractional_max_pool2d(x, 2, 2, _random_samples=tapegrad.zeros(1, 1, 2))
        tensor([[[ 5.,  7.],
                 [13., 15.]]])
    """
    if take_note(input, _random_samples):
        return fractional_max_pool2d(
            input,
            kernel_size,
            output_size=output_size,
            output_ratio=output_ratio,
            return_indices=return_indices,
            _random_samples=_random_samples,
        )
    both = _pool(2, input, kernel_size, output_size, output_ratio, _random_samples)
    return both if return_indices else both[0]


def fractional_max_pool3d(
    input: Tensor,
    kernel_size: _Size,
    output_size: _Size | None = None,
    output_ratio: _Ratio | None = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Any:
    """As :func:`fractional_max_pool2d`, of volumes (N, C, T, H, W) or (C, T, H, W).

    Example:
        >>> import tapegrad
        >>> from tapegrad.nn import functional as F
        >>> F.fractional_max_pool3d(tapegrad.ones(1, 4, 4, 4), 2, output_ratio=0.5).shape
        tapegrad.Size([1, 2, 2, 2])
    """
    if take_note(input, _random_samples):
        return fractional_max_pool3d(
            input,
            kernel_size,
            output_size=output_size,
            output_ratio=output_ratio,
            return_indices=return_indices,
            _random_samples=_random_samples,
        )
    both = _pool(3, input, kernel_size, output_size, output_ratio, _random_samples)
    return both if return_indices else both[0]
