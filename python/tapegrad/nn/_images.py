"""The functions of `nn.functional` that work on images, lines and volumes."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import tapegrad

from .. import _C
from .._C import (
    Tensor,
    avg_pool1d,
    avg_pool2d,
    avg_pool3d,
    channel_shuffle,
    conv1d,
    conv2d,
    conv3d,
    conv_transpose1d,
    conv_transpose2d,
    conv_transpose3d,
    pixel_shuffle,
    pixel_unshuffle,
)
from .._C import _take_note as take_note

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool1d_with_indices",
    "adaptive_max_pool2d",
    "adaptive_max_pool2d_with_indices",
    "adaptive_max_pool3d",
    "adaptive_max_pool3d_with_indices",
    "affine_grid",
    "alpha_dropout",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "channel_shuffle",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "feature_alpha_dropout",
    "fold",
    "grid_sample",
    "interpolate",
    "local_response_norm",
    "lp_pool1d",
    "lp_pool2d",
    "lp_pool3d",
    "max_pool1d",
    "max_pool1d_with_indices",
    "max_pool2d",
    "max_pool2d_with_indices",
    "max_pool3d",
    "max_pool3d_with_indices",
    "max_unpool1d",
    "max_unpool2d",
    "max_unpool3d",
    "pad",
    "pixel_shuffle",
    "pixel_unshuffle",
    "unfold",
    "upsample",
    "upsample_bilinear",
    "upsample_nearest",
]

_Size = int | Sequence[int]


def _many(value: Any, count: int) -> list[Any]:
    return list(value) if isinstance(value, Sequence) else [value] * count


# ---------------------------------------------------------------------- pooling


def max_pool1d_with_indices(
    input: Tensor,
    kernel_size: _Size,
    stride: _Size | None = None,
    padding: _Size = 0,
    dilation: _Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> tuple[Tensor, ...]:
    """:func:`max_pool1d`, and the places of the maxima."""
    return _C.max_pool1d_with_indices(input, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool2d_with_indices(
    input: Tensor,
    kernel_size: _Size,
    stride: _Size | None = None,
    padding: _Size = 0,
    dilation: _Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> tuple[Tensor, ...]:
    """:func:`max_pool2d`, and the places of the maxima."""
    return _C.max_pool2d_with_indices(input, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool3d_with_indices(
    input: Tensor,
    kernel_size: _Size,
    stride: _Size | None = None,
    padding: _Size = 0,
    dilation: _Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> tuple[Tensor, ...]:
    """:func:`max_pool3d`, and the places of the maxima."""
    return _C.max_pool3d_with_indices(input, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool1d(
    input: Tensor,
    kernel_size: _Size,
    stride: _Size | None = None,
    padding: _Size = 0,
    dilation: _Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest element of each window of a line.

    Args:
        input: (N, C, L) or (C, L).
        kernel_size: the size of a window.
        stride: the step from one window to the next. Default: the size of a window.
        padding: elements on both sides that are never the largest. Default: 0.
        dilation: the distance between elements of a window. Default: 1.
        ceil_mode: whether a window at the end may reach out of the input. Default: False.
        return_indices: whether to return the places of the maxima too. Default: False.

    Example:
        >>> import tapegrad
        >>> F = tapegrad.nn.functional
        >>> F.max_pool1d(tapegrad.tensor([[1.0, 3.0, 2.0, 0.0]]), 2)
        tensor([[3., 2.]])
    """
    pool = _C.max_pool1d_with_indices if return_indices else _C.max_pool1d
    return pool(input, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool2d(
    input: Tensor,
    kernel_size: _Size,
    stride: _Size | None = None,
    padding: _Size = 0,
    dilation: _Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest element of each window of an image; see :func:`max_pool1d`.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.functional.max_pool2d(tapegrad.tensor([[[1.0, 3.0], [2.0, 0.0]]]), 2)
        tensor([[[3.]]])
    """
    pool = _C.max_pool2d_with_indices if return_indices else _C.max_pool2d
    return pool(input, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool3d(
    input: Tensor,
    kernel_size: _Size,
    stride: _Size | None = None,
    padding: _Size = 0,
    dilation: _Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest element of each window of a volume; see :func:`max_pool1d`.

    Example:
        >>> import tapegrad
        >>> tuple(tapegrad.nn.functional.max_pool3d(tapegrad.ones(1, 4, 4, 4), 2).shape)
        (1, 2, 2, 2)
    """
    pool = _C.max_pool3d_with_indices if return_indices else _C.max_pool3d
    return pool(input, kernel_size, stride, padding, dilation, ceil_mode)


def _sizes_for(input: Tensor, output_size: Any, count: int) -> Any:
    """The sizes of the result, where None stands for that of the input."""
    if not isinstance(output_size, Sequence):
        return output_size
    if len(input.shape) <= len(output_size):
        raise ValueError(f"Input dimension should be at least {len(output_size) + 1}")
    own = input.shape[-len(output_size) :] if output_size else ()
    return [n if size is None else size for size, n in zip(output_size, own, strict=True)]


def adaptive_avg_pool1d(input: Tensor, output_size: _Size) -> Tensor:
    """The mean of each of as many parts of a line as are asked for.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.functional.adaptive_avg_pool1d(tapegrad.tensor([[1.0, 3.0, 5.0]]), 2)
        tensor([[2., 4.]])
    """
    return _C.adaptive_avg_pool1d(input, output_size)


def adaptive_avg_pool2d(input: Tensor, output_size: Any) -> Tensor:
    """The mean of each of as many parts of an image as are asked for; None keeps a size.

    Example:
        >>> import tapegrad
        >>> tuple(tapegrad.nn.functional.adaptive_avg_pool2d(tapegrad.ones(3, 8, 8), (2, 8)).shape)
        (3, 2, 8)
    """
    return _C.adaptive_avg_pool2d(input, _sizes_for(input, output_size, 2))


def adaptive_avg_pool3d(input: Tensor, output_size: Any) -> Tensor:
    """The mean of each of as many parts of a volume as are asked for; None keeps a size.

    Example:
        >>> import tapegrad
        >>> tuple(tapegrad.nn.functional.adaptive_avg_pool3d(tapegrad.ones(3, 8, 8, 8), 2).shape)
        (3, 2, 2, 2)
    """
    return _C.adaptive_avg_pool3d(input, _sizes_for(input, output_size, 3))


def adaptive_max_pool1d_with_indices(
    input: Tensor, output_size: _Size, return_indices: bool = False
) -> tuple[Tensor, ...]:
    """:func:`adaptive_max_pool1d`, and the places of the maxima."""
    return _C.adaptive_max_pool1d(input, output_size)


def adaptive_max_pool2d_with_indices(
    input: Tensor, output_size: Any, return_indices: bool = False
) -> tuple[Tensor, ...]:
    """:func:`adaptive_max_pool2d`, and the places of the maxima."""
    return _C.adaptive_max_pool2d(input, _sizes_for(input, output_size, 2))


def adaptive_max_pool3d_with_indices(
    input: Tensor, output_size: Any, return_indices: bool = False
) -> tuple[Tensor, ...]:
    """:func:`adaptive_max_pool3d`, and the places of the maxima."""
    return _C.adaptive_max_pool3d(input, _sizes_for(input, output_size, 3))


def adaptive_max_pool1d(input: Tensor, output_size: _Size, return_indices: bool = False) -> Any:
    """The largest element of each of as many parts of a line as are asked for.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.functional.adaptive_max_pool1d(tapegrad.tensor([[1.0, 3.0, 5.0]]), 2)
        tensor([[3., 5.]])
    """
    if take_note(input):
        return adaptive_max_pool1d(input, output_size, return_indices=return_indices)
    both = adaptive_max_pool1d_with_indices(input, output_size)
    return both if return_indices else both[0]


def adaptive_max_pool2d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """The largest element of as many parts of an image as are asked for; None keeps a size.

    Example:
        >>> import tapegrad
        >>> tuple(tapegrad.nn.functional.adaptive_max_pool2d(tapegrad.ones(3, 8, 8), 2).shape)
        (3, 2, 2)
    """
    if take_note(input):
        return adaptive_max_pool2d(input, output_size, return_indices=return_indices)
    both = adaptive_max_pool2d_with_indices(input, output_size)
    return both if return_indices else both[0]


def adaptive_max_pool3d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """The largest element of as many parts of a volume as are asked for; None keeps a size.

    Example:
        >>> import tapegrad
        >>> tuple(tapegrad.nn.functional.adaptive_max_pool3d(tapegrad.ones(3, 8, 8, 8), 2).shape)
        (3, 2, 2, 2)
    """
    if take_note(input):
        return adaptive_max_pool3d(input, output_size, return_indices=return_indices)
    both = adaptive_max_pool3d_with_indices(input, output_size)
    return both if return_indices else both[0]


def _lp_pool(
    dims: int,
    input: Tensor,
    norm_type: float,
    kernel_size: _Size,
    stride: _Size | None,
    ceil_mode: bool,
) -> Tensor:
    average, largest = (
        (avg_pool1d, max_pool1d),
        (avg_pool2d, max_pool2d),
        (avg_pool3d, max_pool3d),
    )[dims - 1]
    if norm_type == math.inf:
        return largest(input.abs(), kernel_size, stride, 0, 1, ceil_mode)
    if norm_type == -math.inf:
        return -largest(-input.abs(), kernel_size, stride, 0, 1, ceil_mode)
    mean = average(input.pow(norm_type), kernel_size, stride, 0, ceil_mode)
    count = math.prod(_many(kernel_size, dims))
    return (mean.sign() * mean.abs().relu()).mul(count).pow(1.0 / norm_type)


def lp_pool1d(
    input: Tensor,
    norm_type: float,
    kernel_size: _Size,
    stride: _Size | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """``sum(x ** p) ** (1 / p)`` of each window of a line; of an infinite p the largest size.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.functional.lp_pool1d(tapegrad.tensor([[3.0, 4.0]]), 2, 2)
        tensor([[5.]])
    """
    if take_note(input):
        return lp_pool1d(input, norm_type, kernel_size, stride=stride, ceil_mode=ceil_mode)
    return _lp_pool(1, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(
    input: Tensor,
    norm_type: float,
    kernel_size: _Size,
    stride: _Size | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """``sum(x ** p) ** (1 / p)`` of each window of an image.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.functional.lp_pool2d(tapegrad.tensor([[[3.0, 4.0], [0.0, 0.0]]]), 2, 2)
        tensor([[[5.]]])
    """
    if take_note(input):
        return lp_pool2d(input, norm_type, kernel_size, stride=stride, ceil_mode=ceil_mode)
    return _lp_pool(2, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool3d(
    input: Tensor,
    norm_type: float,
    kernel_size: _Size,
    stride: _Size | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """``sum(x ** p) ** (1 / p)`` of each window of a volume.

    Example:
        >>> import tapegrad
        >>> tuple(tapegrad.nn.functional.lp_pool3d(tapegrad.ones(1, 4, 4, 4), 2, 2).shape)
        (1, 2, 2, 2)
    """
    if take_note(input):
        return lp_pool3d(input, norm_type, kernel_size, stride=stride, ceil_mode=ceil_mode)
    return _lp_pool(3, input, norm_type, kernel_size, stride, ceil_mode)


def _unpooled_size(
    input: Tensor,
    kernel_size: list[int],
    stride: list[int],
    padding: list[int],
    output_size: Sequence[int] | None,
) -> list[int]:
    count = len(kernel_size)
    usual = [
        (n - 1) * stride[d] + kernel_size[d] - 2 * padding[d]
        for d, n in enumerate(input.shape[-count:])
    ]
    if output_size is None:
        return usual
    if len(output_size) == count + 2:
        output_size = output_size[2:]
    if len(output_size) != count:
        raise ValueError(
            f"output_size should be a sequence containing {count} or {count + 2} elements, but it "
            f"has a length of '{len(output_size)}'"
        )
    for d, size in enumerate(output_size):
        least, most = usual[d] - stride[d], usual[d] + stride[d]
        if not least < size < most:
            raise ValueError(
                f'invalid output_size "{output_size}" (dim {d} must be between {least} and {most})'
            )
    return list(output_size)


def _max_unpool(
    dims: int,
    input: Tensor,
    indices: Tensor,
    kernel_size: _Size,
    stride: _Size | None,
    padding: _Size,
    output_size: Sequence[int] | None,
) -> Tensor:
    kernel = _many(kernel_size, dims)
    steps = kernel if stride is None else _many(stride, dims)
    size = _unpooled_size(input, kernel, steps, _many(padding, dims), output_size)
    unpool = (_C.max_unpool1d, _C.max_unpool2d, _C.max_unpool3d)[dims - 1]
    return unpool(input, indices, size)


def max_unpool1d(
    input: Tensor,
    indices: Tensor,
    kernel_size: _Size,
    stride: _Size | None = None,
    padding: _Size = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """Zeros with the maxima of :func:`max_pool1d` at their places.

    Args:
        input: what `max_pool1d` gave.
        indices: the places that it gave.
        kernel_size: the size of a window.
        stride: the step from one window to the next. Default: the size of a window.
        padding: that of the pooling. Default: 0.
        output_size: the size of the result, where several are possible.

    Example:
        >>> import tapegrad
        >>> F = tapegrad.nn.functional
        >>> x = tapegrad.tensor([[1.0, 3.0, 2.0, 0.0]])
        >>> F.max_unpool1d(*F.max_pool1d(x, 2, return_indices=True), 2)
        tensor([[0., 3., 2., 0.]])
    """
    if take_note(input, indices):
        return max_unpool1d(
            input, indices, kernel_size, stride=stride, padding=padding, output_size=output_size
        )
    return _max_unpool(1, input, indices, kernel_size, stride, padding, output_size)


def max_unpool2d(
    input: Tensor,
    indices: Tensor,
    kernel_size: _Size,
    stride: _Size | None = None,
    padding: _Size = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """Zeros with the maxima of :func:`max_pool2d` at their places; see :func:`max_unpool1d`.

    Example:
        >>> import tapegrad
        >>> F = tapegrad.nn.functional
        >>> x = tapegrad.tensor([[[1.0, 3.0], [2.0, 0.0]]])
        >>> F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2)
        tensor([[[0., 3.],
                 [0., 0.]]])
    """
    if take_note(input, indices):
        return max_unpool2d(
            input, indices, kernel_size, stride=stride, padding=padding, output_size=output_size
        )
    return _max_unpool(2, input, indices, kernel_size, stride, padding, output_size)


def max_unpool3d(
    input: Tensor,
    indices: Tensor,
    kernel_size: _Size,
    stride: _Size | None = None,
    padding: _Size = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """Zeros with the maxima of :func:`max_pool3d` at their places; see :func:`max_unpool1d`.

    Example:
        >>> import tapegrad
        >>> F = tapegrad.nn.functional
        >>> both = F.max_pool3d(tapegrad.ones(1, 4, 4, 4), 2, return_indices=True)
        >>> tuple(F.max_unpool3d(*both, 2).shape)
        (1, 4, 4, 4)
    """
    if take_note(input, indices):
        return max_unpool3d(
            input, indices, kernel_size, stride=stride, padding=padding, output_size=output_size
        )
    return _max_unpool(3, input, indices, kernel_size, stride, padding, output_size)


# ---------------------------------------------------------------------- padding and windows


def pad(
    input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> Tensor:
    """More elements around the last dimensions.

    Args:
        input: a tensor.
        pad: pairs of numbers of elements before and after, the last dimension first; negative
            numbers take elements away.
        mode: "constant" (the default), "reflect", "replicate" or "circular".
        value: that of new elements in mode "constant". Default: 0.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.functional.pad(tapegrad.tensor([[1.0, 2.0, 3.0]]), (1, 1), "reflect")
        tensor([[2., 1., 2., 3., 2.]])
    """
    if take_note(input):
        return _pad(input, pad, mode=mode, value=value)
    pad = list(pad)
    if len(pad) % 2 != 0:
        raise RuntimeError("Padding length must be divisible by 2")
    if len(pad) > 2 * input.dim():
        raise RuntimeError(
            "Padding length should be less than or equal to two times the input dimension but got "
            f"padding length {len(pad)} and input of dimension {input.dim()}"
        )
    if mode == "constant":
        return _C.constant_pad_nd(input, pad, 0 if value is None else value)
    if value is not None and value != 0:
        raise RuntimeError(f'Padding mode "{mode}" doesn\'t take in value argument')
    dims = len(pad) // 2
    if dims not in (1, 2, 3) or input.dim() not in (dims + 1, dims + 2):
        if mode not in ("reflect", "replicate", "circular"):
            raise NotImplementedError(f"Unrecognised padding mode {mode}")
        raise NotImplementedError(
            f"Padding size {len(pad)} is not supported for {input.dim()}D input tensor.\n"
            "Supported combinations for non-constant padding:\n"
            "  - 2D or 3D input: padding size = 2 (pads last dimension)\n"
            "  - 3D or 4D input: padding size = 4 (pads last 2 dimensions)\n"
            "  - 4D or 5D input: padding size = 6 (pads last 3 dimensions)"
        )
    if mode == "reflect":
        reflect = (_C.reflection_pad1d, _C.reflection_pad2d, _C.reflection_pad3d)
        return reflect[dims - 1](input, pad)
    if mode == "replicate":
        replicate = (_C.replication_pad1d, _C.replication_pad2d, _C.replication_pad3d)
        return replicate[dims - 1](input, pad)
    if mode == "circular":
        return _C.circular_pad(input, pad)
    raise NotImplementedError(f"Unrecognised padding mode {mode}")


_pad = pad  # for itself, which has a parameter of this name


def unfold(
    input: Tensor, kernel_size: _Size, dilation: _Size = 1, padding: _Size = 0, stride: _Size = 1
) -> Tensor:
    """The windows of images as columns.

    Args:
        input: (N, C, H, W) or (C, H, W).
        kernel_size: the size of a window.
        dilation: the distance between elements of a window. Default: 1.
        padding: zeros on both sides. Default: 0.
        stride: the step from one window to the next. Default: 1.

    Returns:
        A tensor (N, C * kH * kW, windows).

    Example:
        >>> import tapegrad
        >>> tuple(tapegrad.nn.functional.unfold(tapegrad.ones(1, 2, 4, 4), 2).shape)
        (1, 8, 9)
    """
    return _C.im2col(input, kernel_size, dilation, padding, stride)


def fold(
    input: Tensor,
    output_size: _Size,
    kernel_size: _Size,
    dilation: _Size = 1,
    padding: _Size = 0,
    stride: _Size = 1,
) -> Tensor:
    """Images in which the columns of :func:`unfold` are added to where they come from.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.functional.fold(tapegrad.ones(1, 2, 2), (1, 3), (1, 2))
        tensor([[[[1., 2., 1.]]]])
    """
    return _C.col2im(input, output_size, kernel_size, dilation, padding, stride)


# ---------------------------------------------------------------------- resampling

_COPYING = ("nearest", "area", "nearest-exact")
_OF_DIMS = {"linear": 3, "bilinear": 4, "bicubic": 4, "trilinear": 5}


def interpolate(
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """Images of another size.

    Args:
        input: (N, C, ...) with one to three more dimensions.
        size: the sizes of these dimensions in the result.
        scale_factor: or how much larger they are.
        mode: "nearest" (the default), "nearest-exact", "linear", "bilinear", "trilinear",
            "bicubic" or "area".
        align_corners: whether the corner elements keep their places. Default: False.
        recompute_scale_factor: whether the ratio of the rounded sizes is used, and not the given
            one. Default: False.
        antialias: whether weights reach further where the result is smaller. Default: False.

    Example:
        >>> import tapegrad
        >>> x = tapegrad.tensor([[[1.0, 3.0]]])
        >>> tapegrad.nn.functional.interpolate(x, scale_factor=2, mode="linear")
        tensor([[[1.0000, 1.5000, 2.5000, 3.0000]]])
    """
    if take_note(input):
        return interpolate(
            input,
            size=size,
            scale_factor=scale_factor,
            mode=mode,
            align_corners=align_corners,
            recompute_scale_factor=recompute_scale_factor,
            antialias=antialias,
        )
    if mode in _COPYING and align_corners is not None:
        raise ValueError(
            "align_corners option can only be set with the interpolating modes: "
            "linear | bilinear | bicubic | trilinear"
        )
    dims = input.dim() - 2
    of_input = f"input with spatial dimensions of {list(input.shape[2:])}"
    scales: list[float] | None = None
    if size is not None and scale_factor is not None:
        raise ValueError("only one of size or scale_factor should be defined")
    if size is not None:
        if isinstance(size, Sequence) and len(size) != dims:
            raise ValueError(
                "Input and output must have the same number of spatial dimensions, but got "
                f"{of_input} and output size of {size}. Please provide input tensor in "
                "(N, C, d1, d2, ...,dK) format and output size in (o1, o2, ...,oK) format."
            )
        sizes = _many(size, dims)
    elif scale_factor is not None:
        if isinstance(scale_factor, Sequence) and len(scale_factor) != dims:
            raise ValueError(
                "Input and scale_factor must have the same number of spatial dimensions, but got "
                f"{of_input} and scale_factor of shape {scale_factor}. Please provide input tensor "
                "in (N, C, d1, d2, ...,dK) format and scale_factor in (s1, s2, ...,sK) format."
            )
        scales = [float(scale) for scale in _many(scale_factor, dims)]
        sizes = [math.floor(n * scale) for n, scale in zip(input.shape[2:], scales, strict=True)]
    else:
        raise ValueError("either size or scale_factor should be defined")
    if recompute_scale_factor and size is not None:
        raise ValueError("recompute_scale_factor is not meaningful with an explicit size.")
    if recompute_scale_factor or mode == "area":
        scales = None
    if antialias and not (mode in ("bilinear", "bicubic") and input.dim() == 4):
        raise ValueError(
            "Anti-alias option is restricted to bilinear, bicubic, and lanczos modes and requires "
            "a 4-D tensor as input"
        )
    if input.dim() in (3, 4, 5):
        if mode == "area":
            pool = (adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d)
            return pool[dims - 1](input, sizes)
        if mode in _OF_DIMS and (mode != "bicubic" or input.dim() == 4):
            if input.dim() != _OF_DIMS[mode]:
                raise NotImplementedError(
                    f"Got {input.dim()}D input, but {mode} mode needs {_OF_DIMS[mode]}D input"
                )
            return _C.upsample(input, sizes, mode, bool(align_corners), scales, antialias)
        if mode in _COPYING:
            return _C.upsample(input, sizes, mode, False, scales)
    raise NotImplementedError(
        "Input Error: Only 3D, 4D and 5D input Tensors supported "
        f"(got {input.dim()}D) for the modes: nearest | linear | bilinear | bicubic | trilinear | "
        f"lanczos | area | nearest-exact (got {mode})"
    )


def upsample(
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Tensor:
    """The old name of :func:`interpolate`."""
    if take_note(input):
        return upsample(
            input, size=size, scale_factor=scale_factor, mode=mode, align_corners=align_corners
        )
    warnings.warn(
        "`nn.functional.upsample` is deprecated. Use `nn.functional.interpolate` instead.",
        stacklevel=2,
    )
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """:func:`interpolate` with mode "nearest"."""
    if take_note(input):
        return upsample_nearest(input, size=size, scale_factor=scale_factor)
    warnings.warn(
        "`nn.functional.upsample_nearest` is deprecated. Use `nn.functional.interpolate` instead.",
        stacklevel=2,
    )
    return interpolate(input, size, scale_factor, mode="nearest")


def upsample_bilinear(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """:func:`interpolate` with mode "bilinear" and aligned corners."""
    if take_note(input):
        return upsample_bilinear(input, size=size, scale_factor=scale_factor)
    warnings.warn(
        "`nn.functional.upsample_bilinear` is deprecated. Use `nn.functional.interpolate` instead.",
        stacklevel=2,
    )
    return interpolate(input, size, scale_factor, mode="bilinear", align_corners=True)


def affine_grid(theta: Tensor, size: Sequence[int], align_corners: bool | None = None) -> Tensor:
    """The places that an affine map takes the pixels of an image to, for :func:`grid_sample`.

    Args:
        theta: matrices (N, 2, 3), or (N, 3, 4) of volumes.
        size: that of the result of `grid_sample`: (N, C, H, W) or (N, C, D, H, W).
        align_corners: whether -1 and 1 are the centers of the corner pixels, and not the borders
            of the image. Default: False.

    Example:
        >>> import tapegrad
        >>> same = tapegrad.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
        >>> tapegrad.nn.functional.affine_grid(same, (1, 1, 1, 2), align_corners=False)
        tensor([[[[-0.5000,  0.0000],
                  [ 0.5000,  0.0000]]]])
    """
    if take_note(theta):
        return affine_grid(theta, size, align_corners=align_corners)
    if not theta.is_floating_point():
        raise ValueError(f"Expected theta to have floating point type, but got {theta.dtype}")
    size = tuple(size)
    if len(size) not in (4, 5):
        raise NotImplementedError(
            "affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, "
            f"respectively. Got size {size}."
        )
    dims = len(size) - 2
    if theta.dim() != 3 or tuple(theta.shape[-2:]) != (dims, dims + 1):
        raise ValueError(
            f"Expected a batch of {dims}D affine matrices of shape Nx{dims}x{dims + 1} for size "
            f"{size}. Got {theta.shape}."
        )
    if min(size) <= 0:
        raise ValueError(f"Expected non-zero, positive output size. Got {size}")
    axes = []
    for d, n in enumerate(size[2:]):
        line = (
            tapegrad.linspace(-1, 1, n, dtype=theta.dtype)
            if n > 1
            else tapegrad.zeros(1, dtype=theta.dtype)
        )
        if not align_corners:
            line = line * ((n - 1) / n)
        axes.append(line.reshape([n if i == d else 1 for i in range(dims)]).expand(size[2:]))
    places = tapegrad.stack([*axes[::-1], tapegrad.ones(size[2:], dtype=theta.dtype)], -1)
    grid = places.reshape(1, -1, dims + 1) @ theta.transpose(1, 2)
    return grid.reshape(size[0], *size[2:], dims)


def _reflected(x: Tensor, n: int, align_corners: bool) -> Tensor:
    """Coordinates turned back at the borders as often as it takes."""
    low, span = (0.0, n - 1.0) if align_corners else (-0.5, float(n))
    if span <= 0:
        return x * 0
    distance = (x - low).abs()
    turns = (distance.detach() / span).floor()
    rest = distance - turns * span
    return tapegrad.where(turns % 2 == 0, rest + low, span - rest + low)


def _inside(x: Tensor, n: int) -> Tensor:
    """Coordinates clipped to an axis; the border has no slope."""
    return tapegrad.where((x > 0) & (x < n - 1), x, x.detach().clamp(0, n - 1))


def _place(x: Tensor, n: int, padding_mode: str, align_corners: bool) -> Tensor:
    if padding_mode == "border":
        return _inside(x, n)
    if padding_mode == "reflection":
        return _inside(_reflected(x, n, align_corners), n)
    return x


def _pixels(input: Tensor, places: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """The elements at whole coordinates, the first dimension first, and which there are."""
    sizes = input.shape[2:]
    exists = tapegrad.ones_like(places[0], dtype=tapegrad.bool)
    index = tapegrad.zeros_like(places[0], dtype=tapegrad.int64)
    for place, n in zip(places, sizes, strict=True):
        exists = exists & (place >= 0) & (place <= n - 1)
        index = index * n + tapegrad.where(exists, place, 0.0).long().clamp(0, n - 1)
    batch, channels = input.shape[:2]
    flat = index.reshape(batch, 1, -1).expand(batch, channels, index[0].numel())
    values = input.reshape(batch, channels, -1).gather(2, flat)
    return values.reshape(batch, channels, *places[0].shape[1:]), exists.unsqueeze(1)


def _cubic_weights(t: Tensor) -> list[Tensor]:
    """Keys' weights of the four neighbours, t behind the second one."""
    a = -0.75
    near = [((a + 2) * x - (a + 3)) * x * x + 1 for x in (t, 1 - t)]
    far = [((a * x - 5 * a) * x + 8 * a) * x - 4 * a for x in (t + 1, 2 - t)]
    return [far[0], near[0], near[1], far[1]]


def _check_grid(input: Tensor, grid: Tensor, mode: str) -> None:
    if input.shape[:1] != grid.shape[:1]:
        raise RuntimeError(
            "grid_sampler(): expected grid and input to have same batch size, but got input with "
            f"sizes {list(input.shape)} and grid with sizes {list(grid.shape)}"
        )
    if input.dim() not in (4, 5) or input.dim() != grid.dim():
        wanted = input.dim() if input.dim() in (4, 5) else "4D or 5"
        raise RuntimeError(
            f"grid_sampler(): expected {wanted}D input and grid with same number of dimensions, "
            f"but got input with sizes {list(input.shape)} and grid with sizes {list(grid.shape)}"
        )
    if grid.shape[-1] != input.dim() - 2:
        raise RuntimeError(
            f"grid_sampler(): expected grid to have size {input.dim() - 2} in last dimension, but "
            f"got grid with sizes {list(grid.shape)}"
        )
    for d, n in enumerate(input.shape[2:], 2):
        if n == 0:
            raise RuntimeError(
                "grid_sampler(): expected input to have non-empty spatial dimensions, but input "
                f"has sizes {list(input.shape)} with dimension {d} being empty"
            )
    if input.dim() == 5 and mode == "bicubic":
        raise RuntimeError("grid_sampler(): bicubic interpolation only supports 4D input")
    if input.dtype != grid.dtype:
        names = {"float32": "Float", "float64": "Double", "float16": "Half", "bfloat16": "BFloat16"}
        own, other = (str(t.dtype).rpartition(".")[2] for t in (input, grid))
        raise RuntimeError(
            f"expected scalar type {names.get(own, own)} but found {names.get(other, other)}"
        )


def grid_sample(
    input: Tensor,
    grid: Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Tensor:
    """The values of images at given places.

    Args:
        input: (N, C, H, W) or (N, C, D, H, W).
        grid: places (N, h, w, 2) or (N, d, h, w, 3) between -1 and 1, x first.
        mode: "bilinear" (the default), "nearest" or "bicubic".
        padding_mode: what is outside: "zeros" (the default), "border" or "reflection".
        align_corners: whether -1 and 1 are the centers of the corner pixels, and not the borders
            of the image. Default: False.

    Example:
        >>> import tapegrad
        >>> x = tapegrad.tensor([[[[1.0, 3.0]]]])
        >>> tapegrad.nn.functional.grid_sample(x, tapegrad.zeros(1, 1, 1, 2), align_corners=False)
        tensor([[[[2.]]]])
    """
    if take_note(input, grid):
        return grid_sample(
            input, grid, mode=mode, padding_mode=padding_mode, align_corners=align_corners
        )
    if mode not in ("bilinear", "nearest", "bicubic"):
        raise ValueError(
            "nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', "
            f"but got: '{mode}'"
        )
    if padding_mode not in ("zeros", "border", "reflection"):
        raise ValueError(
            "nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or "
            f"'reflection', but got: '{padding_mode}'"
        )
    if align_corners is None:
        warnings.warn(
            "Default grid_sample and affine_grid behavior has changed to align_corners=False since "
            "1.3.0. Please specify align_corners=True if the old behavior is desired. See the "
            "documentation of grid_sample for details.",
            stacklevel=2,
        )
        align_corners = False
    _check_grid(input, grid, mode)
    sizes = list(input.shape[2:])
    places = []
    for d, n in enumerate(sizes):  # the grid has them in reverse order
        x = grid.select(-1, len(sizes) - 1 - d)
        x = (x + 1) / 2 * (n - 1) if align_corners else ((x + 1) * n - 1) / 2
        if mode != "bicubic":
            x = _place(x, n, padding_mode, align_corners)
        places.append(x)
    if mode == "nearest":
        values, exist = _pixels(input, [x.detach().round() for x in places])
        return tapegrad.where(exist, values, 0.0)
    floors = [x.detach().floor() for x in places]
    rests = [x - floor for x, floor in zip(places, floors, strict=True)]
    first, count = (-1, 4) if mode == "bicubic" else (0, 2)
    weights = [_cubic_weights(t) if mode == "bicubic" else [1 - t, t] for t in rests]
    result: Tensor | None = None
    for corner in range(count ** len(sizes)):
        steps = [corner // count**d % count for d in range(len(sizes))]
        at = [floor + (first + step) for floor, step in zip(floors, steps, strict=True)]
        if mode == "bicubic":
            at = [
                _place(x, n, padding_mode, align_corners).round()
                for x, n in zip(at, sizes, strict=True)
            ]
        values, exist = _pixels(input, at)
        weight = weights[0][steps[0]]
        for d in range(1, len(sizes)):
            weight = weight * weights[d][steps[d]]
        part = tapegrad.where(exist, values, 0.0) * weight.unsqueeze(1)
        result = part if result is None else result + part
    assert result is not None
    return result


# ---------------------------------------------------------------------- dropout


def _check_probability(p: float) -> None:
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")


def _times(input: Tensor, factor: Tensor, inplace: bool) -> Tensor:
    return input.mul_(factor) if inplace else input * factor


def _noise(input: Tensor, p: float, features: bool) -> Tensor:
    """1 with probability 1 - p, else 0: for each element, or each channel of each image."""
    if not features:
        return tapegrad.empty_like(input).bernoulli_(1 - p).detach()
    if input.dim() < 2:
        raise RuntimeError("Feature dropout requires at least 2 dimensions in the input")
    sizes = [*input.shape[:2], *[1] * (input.dim() - 2)]
    return tapegrad.empty(sizes, dtype=input.dtype).bernoulli_(1 - p)


def _feature_dropout(input: Tensor, p: float, training: bool, inplace: bool) -> Tensor:
    if p == 0 or not training or input.numel() == 0:
        return input
    if p == 1:
        return _times(input, tapegrad.zeros((), dtype=input.dtype), inplace)
    return _times(input, _noise(input, p, True).div_(1 - p), inplace)


def _alpha_dropout(
    input: Tensor, p: float, training: bool, inplace: bool, features: bool
) -> Tensor:
    _check_probability(p)
    if p == 0 or not training or input.numel() == 0:
        return input
    if p == 1:
        return _times(input, tapegrad.zeros((), dtype=input.dtype), inplace)
    if not input.is_floating_point():
        raise RuntimeError(f"result type Float can't be cast to {input.dtype}")
    alpha = 1.7580993408473766
    scale = 1.0 / math.sqrt((alpha * alpha * p + 1) * (1 - p))
    noise = _noise(input, p, features)
    shift = (noise - 1) * (alpha * scale) + alpha * scale * p
    result = _times(input, noise * scale, inplace)
    return result.add_(shift) if inplace else result + shift


def dropout1d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Set whole channels of lines (N, C, L) or (C, L) to zero, and scale the others.

    Args:
        input: floating-point.
        p: the probability of a channel to be zeroed. Default: 0.5.
        training: if False, the input is returned as it is. Default: True.
        inplace: write the result into the input. Default: False.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.functional.dropout1d(tapegrad.ones(2, 3), training=False).sum()
        tensor(6.)
    """
    if take_note(input):
        return dropout1d(input, p=p, training=training, inplace=inplace)
    _check_probability(p)
    if input.dim() not in (2, 3):
        raise RuntimeError(
            f"dropout1d: Expected 2D or 3D input, but received a {input.dim()}D input. Note that "
            "dropout1d exists to provide channel-wise dropout on inputs with 1 spatial dimension, "
            "a channel dimension, and an optional batch dimension (i.e. 2D or 3D inputs)."
        )
    return _maybe_batched(input, 3, p, training, inplace)


def _maybe_batched(input: Tensor, dims: int, p: float, training: bool, inplace: bool) -> Tensor:
    if input.dim() == dims:
        return _feature_dropout(input, p, training, inplace)
    result = _feature_dropout(input.unsqueeze(0), p, training, inplace)
    return input if inplace else result.squeeze(0)


def dropout2d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Set whole channels of images (N, C, H, W) to zero, and scale the others; see `dropout1d`.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.functional.dropout2d(tapegrad.ones(1, 2, 3, 3), training=False).sum()
        tensor(18.)
    """
    if take_note(input):
        return dropout2d(input, p=p, training=training, inplace=inplace)
    _check_probability(p)
    if input.dim() not in (3, 4):
        warnings.warn(
            f"dropout2d: Received a {input.dim()}-D input to dropout2d, which is deprecated and "
            "will result in an error in a future release. To retain the behavior and silence this "
            "warning, please use dropout instead. Note that dropout2d exists to provide "
            "channel-wise dropout on inputs with 2 spatial dimensions, a channel dimension, and an "
            "optional batch dimension (i.e. 3D or 4D inputs).",
            stacklevel=2,
        )
    if input.dim() == 3:
        warnings.warn(
            "dropout2d: Received a 3D input to dropout2d and assuming that channel-wise 1D dropout "
            "behavior is desired - input is interpreted as shape (N, C, L), where C is the channel "
            "dim. This behavior will change in a future release to interpret the input as one "
            "without a batch dimension, i.e. shape (C, H, W). To maintain the 1D channel-wise "
            "dropout behavior, please switch to using dropout1d instead.",
            stacklevel=2,
        )
    return _feature_dropout(input, p, training, inplace)


def dropout3d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Set whole channels of volumes (N, C, D, H, W) to zero, and scale the others.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.functional.dropout3d(tapegrad.ones(2, 3, 3, 3), training=False).sum()
        tensor(54.)
    """
    if take_note(input):
        return dropout3d(input, p=p, training=training, inplace=inplace)
    _check_probability(p)
    if input.dim() not in (4, 5):
        warnings.warn(
            f"dropout3d: Received a {input.dim()}-D input to dropout3d, which is deprecated and "
            "will result in an error in a future release. To retain the behavior and silence this "
            "warning, please use dropout instead. Note that dropout3d exists to provide "
            "channel-wise dropout on inputs with 3 spatial dimensions, a channel dimension, and an "
            "optional batch dimension (i.e. 4D or 5D inputs).",
            stacklevel=2,
        )
    return _maybe_batched(input, 5, p, training, inplace)


def alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """Dropout that keeps mean 0 and variance 1 behind SELU (Klambauer et al.).

    Args:
        input: any shape, floating-point.
        p: the probability of an element to be dropped. Default: 0.5.
        training: if False (the default), the input is returned as it is.
        inplace: write the result into the input. Default: False.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.functional.alpha_dropout(tapegrad.ones(3))
        tensor([1., 1., 1.])
    """
    if take_note(input):
        return alpha_dropout(input, p=p, training=training, inplace=inplace)
    return _alpha_dropout(input, p, training, inplace, False)


def feature_alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """:func:`alpha_dropout` of whole channels.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.functional.feature_alpha_dropout(tapegrad.ones(1, 3))
        tensor([[1., 1., 1.]])
    """
    if take_note(input):
        return feature_alpha_dropout(input, p=p, training=training, inplace=inplace)
    return _alpha_dropout(input, p, training, inplace, True)


def local_response_norm(
    input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Tensor:
    """Divide by the size of the same pixel in neighbouring channels (Krizhevsky et al.).

    ``x / (k + alpha * mean(x ** 2)) ** beta``, with the mean over `size` channels around each.

    Args:
        input: (N, C, ...).
        size: the number of channels that count.
        alpha: factor of the mean. Default: 1e-4.
        beta: the exponent. Default: 0.75.
        k: what is added. Default: 1.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.functional.local_response_norm(tapegrad.ones(1, 1, 1), 1, 3.0, 0.5)
        tensor([[[0.5000]]])
    """
    if take_note(input):
        return local_response_norm(input, size, alpha=alpha, beta=beta, k=k)
    if input.dim() < 3:
        raise ValueError(
            "Expected 3D or higher dimensionality                          input "
            f"(got {input.dim()} dimensions)"
        )
    if input.numel() == 0:
        return input
    squares = input.mul(input)
    around = (size // 2, (size - 1) // 2)
    if input.dim() == 3:
        squares = pad(squares.unsqueeze(1), (0, 0, *around))
        mean = avg_pool2d(squares, (size, 1), stride=1).squeeze(1)
    else:
        sizes = input.shape
        squares = squares.reshape(sizes[0], 1, sizes[1], sizes[2], -1)
        squares = pad(squares, (0, 0, 0, 0, *around))
        mean = avg_pool3d(squares, (size, 1, 1), stride=1).squeeze(1).reshape(sizes)
    return input / mean.mul(alpha).add(k).pow(beta)
