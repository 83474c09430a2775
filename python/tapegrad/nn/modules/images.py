"""Layers that change the size of images or the order of their elements, or normalise channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..._C import Tensor
from .. import functional as F
from .module import Module

__all__ = [
    "ChannelShuffle",
    "Fold",
    "LocalResponseNorm",
    "PixelShuffle",
    "PixelUnshuffle",
    "Unfold",
    "Upsample",
    "UpsamplingBilinear2d",
    "UpsamplingNearest2d",
]

_Size = int | Sequence[int]


class Unfold(Module):
    """The windows of images as columns.

    Args:
        kernel_size: the size of a window.
        dilation: the distance between elements of a window. Default: 1.
        padding: zeros on both sides. Default: 0.
        stride: the step from one window to the next. Default: 1.

    Example:
        >>> import tapegrad
        >>> tuple(tapegrad.nn.Unfold(2)(tapegrad.ones(1, 2, 4, 4)).shape)
        (1, 8, 9)
    """

    def __init__(
        self, kernel_size: _Size, dilation: _Size = 1, padding: _Size = 0, stride: _Size = 1
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def forward(self, input: Tensor) -> Tensor:
        return F.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, dilation={self.dilation}, padding={self.padding}, "
            f"stride={self.stride}"
        )


class Fold(Module):
    """Images in which the columns of :class:`Unfold` are added to where they come from.

    Args:
        output_size: the height and the width of the images.
        kernel_size: the size of a window.
        dilation: the distance between elements of a window. Default: 1.
        padding: zeros on both sides. Default: 0.
        stride: the step from one window to the next. Default: 1.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.Fold((1, 3), (1, 2))(tapegrad.ones(1, 2, 2))
        tensor([[[[1., 2., 1.]]]])
    """

    def __init__(
        self,
        output_size: _Size,
        kernel_size: _Size,
        dilation: _Size = 1,
        padding: _Size = 0,
        stride: _Size = 1,
    ) -> None:
        super().__init__()
        self.output_size = output_size
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def forward(self, input: Tensor) -> Tensor:
        return F.fold(
            input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride
        )

    def extra_repr(self) -> str:
        return (
            f"output_size={self.output_size}, kernel_size={self.kernel_size}, "
            f"dilation={self.dilation}, padding={self.padding}, stride={self.stride}"
        )


class PixelShuffle(Module):
    """Channels as pixels: (..., C * r * r, H, W) becomes (..., C, H * r, W * r).

    Example:
        >>> import tapegrad
        >>> tuple(tapegrad.nn.PixelShuffle(2)(tapegrad.ones(1, 8, 2, 3)).shape)
        (1, 2, 4, 6)
    """

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        self.upscale_factor = upscale_factor

    def forward(self, input: Tensor) -> Tensor:
        return F.pixel_shuffle(input, self.upscale_factor)

    def extra_repr(self) -> str:
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Module):
    """Pixels as channels: (..., C, H * r, W * r) becomes (..., C * r * r, H, W).

    Example:
        >>> import tapegrad
        >>> tuple(tapegrad.nn.PixelUnshuffle(2)(tapegrad.ones(1, 2, 4, 6)).shape)
        (1, 8, 2, 3)
    """

    def __init__(self, downscale_factor: int) -> None:
        super().__init__()
        self.downscale_factor = downscale_factor

    def forward(self, input: Tensor) -> Tensor:
        return F.pixel_unshuffle(input, self.downscale_factor)

    def extra_repr(self) -> str:
        return f"downscale_factor={self.downscale_factor}"


class ChannelShuffle(Module):
    """The channels of groups in turn.

    Example:
        >>> import tapegrad
        >>> x = tapegrad.tensor([[[1], [2], [3], [4]]])
        >>> tapegrad.nn.ChannelShuffle(2)(x).flatten()
        tensor([1, 3, 2, 4])
    """

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, input: Tensor) -> Tensor:
        return F.channel_shuffle(input, self.groups)

    def extra_repr(self) -> str:
        return f"groups={self.groups}"


class Upsample(Module):
    """Images of another size; see :func:`tapegrad.nn.functional.interpolate`.

    Args:
        size: the sizes of the result.
        scale_factor: or how much larger they are.
        mode: "nearest" (the default), "linear", "bilinear", "bicubic" or "trilinear".
        align_corners: whether the corner elements keep their places. Default: False.
        recompute_scale_factor: whether the ratio of the rounded sizes is used. Default: False.

    Example:
        >>> import tapegrad
        >>> m = tapegrad.nn.Upsample(scale_factor=2, mode="linear")
        >>> m(tapegrad.tensor([[[1.0, 3.0]]]))
        tensor([[[1.0000, 1.5000, 2.5000, 3.0000]]])
    """

    def __init__(
        self,
        size: Any = None,
        scale_factor: Any = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> None:
        super().__init__()
        self.name = type(self).__name__
        self.size = size
        self.scale_factor: Any
        if isinstance(scale_factor, tuple):
            self.scale_factor = tuple(float(factor) for factor in scale_factor)
        else:
            self.scale_factor = float(scale_factor) if scale_factor else None
        self.mode = mode
        self.align_corners = align_corners
        self.recompute_scale_factor = recompute_scale_factor

    def forward(self, input: Tensor) -> Tensor:
        return F.interpolate(
            input,
            self.size,
            self.scale_factor,
            self.mode,
            self.align_corners,
            self.recompute_scale_factor,
        )

    def extra_repr(self) -> str:
        if self.scale_factor is not None:
            return f"scale_factor={self.scale_factor!r}, mode={self.mode!r}"
        return f"size={self.size!r}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    """Images of another size, of the nearest elements.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.UpsamplingNearest2d(scale_factor=2)(tapegrad.tensor([[[[1.0, 3.0]]]]))
        tensor([[[[1., 1., 3., 3.],
                  [1., 1., 3., 3.]]]])
    """

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, mode="nearest")


class UpsamplingBilinear2d(Upsample):
    """Images of another size, interpolated, whose corner elements keep their places.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.UpsamplingBilinear2d((1, 3))(tapegrad.tensor([[[[1.0, 3.0]]]]))
        tensor([[[[1., 2., 3.]]]])
    """

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, mode="bilinear", align_corners=True)


class LocalResponseNorm(Module):
    """Divides by the size of the same pixel in neighbouring channels (Krizhevsky et al.).

    Args:
        size: the number of channels that count.
        alpha: factor of the mean of the squares. Default: 1e-4.
        beta: the exponent. Default: 0.75.
        k: what is added. Default: 1.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.LocalResponseNorm(1, 3.0, 0.5)(tapegrad.ones(1, 1, 1))
        tensor([[[0.5000]]])
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def forward(self, input: Tensor) -> Tensor:
        return F.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"
