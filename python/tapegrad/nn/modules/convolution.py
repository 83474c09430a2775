"""Convolutions, and their transposes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import tapegrad

from ... import _C
from ..._C import Tensor
from .. import functional as F
from .. import init
from ..parameter import Parameter
from .module import Module

__all__ = [
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
]

_Size = int | Sequence[int]


def _tuple(value: Any, count: int) -> tuple[int, ...]:
    return tuple(value) if isinstance(value, Sequence) else (value,) * count


class _ConvNd(Module):
    """What all of them share."""

    dims: int
    transposed = False
    weight: Tensor
    bias: Tensor | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: _Size,
        stride: _Size,
        padding: _Size | str,
        dilation: _Size,
        output_padding: _Size,
        groups: int,
        bias: bool,
        padding_mode: str,
        device: Any,
        dtype: Any,
    ) -> None:
        super().__init__()
        if groups <= 0:
            raise ValueError("groups must be a positive integer")
        if in_channels % groups != 0:
            raise ValueError("in_channels must be divisible by groups")
        if out_channels % groups != 0:
            raise ValueError("out_channels must be divisible by groups")
        strides = _tuple(stride, self.dims)
        if isinstance(padding, str):
            if padding not in ("same", "valid"):
                raise ValueError(
                    f"Invalid padding string {padding!r}, should be one of {{'same', 'valid'}}"
                )
            if padding == "same" and any(step != 1 for step in strides):
                raise ValueError("padding='same' is not supported for strided convolutions")
        modes = ("zeros", "reflect", "replicate", "circular")
        if padding_mode not in modes:
            raise ValueError(
                f"padding_mode must be one of {set(modes)}, but got padding_mode='{padding_mode}'"
            )
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = _tuple(kernel_size, self.dims)
        self.stride = strides
        self.padding = padding if isinstance(padding, str) else _tuple(padding, self.dims)
        self.dilation = _tuple(dilation, self.dims)
        self.output_padding = _tuple(output_padding, self.dims)
        self.groups = groups
        self.padding_mode = padding_mode
        first, second = (
            (in_channels, out_channels) if self.transposed else (out_channels, in_channels)
        )
        self.weight = Parameter(
            tapegrad.empty(first, second // groups, *self.kernel_size, device=device, dtype=dtype)
        )
        if bias:
            self.bias = Parameter(tapegrad.empty(out_channels, device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def _elements_around(self) -> list[int]:
        """What `F.pad` takes for other modes than zeros."""
        result = []
        for d in reversed(range(self.dims)):
            if isinstance(self.padding, str):
                same = self.padding == "same"
                total = self.dilation[d] * (self.kernel_size[d] - 1) if same else 0
                result += [total // 2, total - total // 2]
            else:
                result += [self.padding[d]] * 2
        return result

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        fan_in = math.prod(self.weight.shape[1:])
        bound = 1 / math.sqrt(fan_in) if fan_in > 0 else 0.0
        if self.weight.numel():
            init.uniform_(self.weight, -bound, bound)
        if self.bias is not None and fan_in > 0:
            init.uniform_(self.bias, -bound, bound)

    def _convolve(self, convolution: Any, input: Tensor) -> Tensor:
        padding: Any = self.padding
        if self.padding_mode != "zeros":
            input = F.pad(input, self._elements_around(), self.padding_mode)
            padding = 0
        return convolution(
            input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups
        )

    def extra_repr(self) -> str:
        parts = [
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, "
            f"stride={self.stride}"
        ]
        if self.padding != (0,) * self.dims:
            parts.append(f"padding={self.padding}")
        if self.dilation != (1,) * self.dims:
            parts.append(f"dilation={self.dilation}")
        if self.output_padding != (0,) * self.dims:
            parts.append(f"output_padding={self.output_padding}")
        if self.groups != 1:
            parts.append(f"groups={self.groups}")
        if self.bias is None:
            parts.append("bias=False")
        if self.padding_mode != "zeros":
            parts.append(f"padding_mode={self.padding_mode}")
        return ", ".join(parts)


class _Convolution(_ConvNd):
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: _Size,
        stride: _Size = 1,
        padding: _Size | str = 0,
        dilation: _Size = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            0,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )


class Conv1d(_Convolution):
    """Convolution of lines (N, C, L) or (C, L); the arguments are those of :class:`Conv2d`.

    Example:
        >>> import tapegrad
        >>> m = tapegrad.nn.Conv1d(2, 4, 3)
        >>> tuple(m(tapegrad.ones(1, 2, 10)).shape)
        (1, 4, 8)
    """

    dims = 1

    def forward(self, input: Tensor) -> Tensor:
        return self._convolve(_C.conv1d, input)


class Conv2d(_Convolution):
    """Convolution of images (N, C, H, W) or (C, H, W).

    Weight and bias are drawn uniformly from ``[-k, k]`` with ``k = 1 / sqrt(fan_in)``, where
    ``fan_in = in_channels / groups * kernel height * kernel width``.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: the size of the kernel; one number counts for all dimensions.
        stride: the step from one position to the next. Default: 1.
        padding: elements on both sides; "same" keeps the size, "valid" is none. Default: 0.
        dilation: the distance between places of the kernel. Default: 1.
        groups: parts that the channels are cut into. Default: 1.
        bias: whether to add a bias. Default: True.
        padding_mode: "zeros" (the default), "reflect", "replicate" or "circular".
        device: the CPU; others raise.
        dtype: dtype of the parameters. Default: the default dtype.

    Example:
        >>> import tapegrad
        >>> m = tapegrad.nn.Conv2d(3, 8, 3, padding=1)
        >>> m
        Conv2d(3, 8, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
        >>> tuple(m(tapegrad.ones(5, 3, 10, 10)).shape)
        (5, 8, 10, 10)
    """

    dims = 2

    def forward(self, input: Tensor) -> Tensor:
        return self._convolve(_C.conv2d, input)


class Conv3d(_Convolution):
    """Convolution of volumes (N, C, D, H, W) or (C, D, H, W); see :class:`Conv2d`.

    Example:
        >>> import tapegrad
        >>> m = tapegrad.nn.Conv3d(1, 2, 3)
        >>> tuple(m(tapegrad.ones(1, 1, 4, 5, 6)).shape)
        (1, 2, 2, 3, 4)
    """

    dims = 3

    def forward(self, input: Tensor) -> Tensor:
        return self._convolve(_C.conv3d, input)


class _ConvTransposeNd(_ConvNd):
    transposed = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: _Size,
        stride: _Size = 1,
        padding: _Size = 0,
        output_padding: _Size = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: _Size = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if padding_mode != "zeros":
            name = type(self).__name__
            raise ValueError(f'Only "zeros" padding mode is supported for {name}')
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            output_padding,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )

    def _padding_for(self, input: Tensor, output_size: Sequence[int] | None) -> tuple[int, ...]:
        """The output_padding that gives this size."""
        if output_size is None:
            return self.output_padding
        dims, size = self.dims, list(output_size)
        batched = input.dim() == dims + 2
        skipped = 2 if batched else 1
        if len(size) == skipped + dims:
            size = size[skipped:]
        if len(size) != dims:
            raise ValueError(
                f"ConvTranspose{dims}D: for {input.dim()}D input, output_size must have {dims} or "
                f"{skipped + dims} elements (got {len(size)})"
            )
        least = []
        for d in range(dims):
            padding = self.padding[d]
            assert isinstance(padding, int)
            reach = self.dilation[d] * (self.kernel_size[d] - 1)
            least.append((input.shape[skipped + d] - 1) * self.stride[d] - 2 * padding + reach + 1)
        most = [n + step - 1 for n, step in zip(least, self.stride, strict=True)]
        if any(not low <= n <= high for n, low, high in zip(size, least, most, strict=True)):
            raise ValueError(
                f"requested an output size of {tuple(output_size)}, but valid sizes range from "
                f"{least} to {most} (for an input of {input.shape[2:]})"
            )
        return tuple(n - low for n, low in zip(size, least, strict=True))

    def _transpose(
        self, convolution: Any, input: Tensor, output_size: Sequence[int] | None
    ) -> Tensor:
        return convolution(
            input,
            self.weight,
            self.bias,
            self.stride,
            self.padding,
            self._padding_for(input, output_size),
            self.groups,
            self.dilation,
        )


class ConvTranspose1d(_ConvTransposeNd):
    """The transpose of :class:`Conv1d`; the arguments are those of :class:`ConvTranspose2d`.

    Example:
        >>> import tapegrad
        >>> m = tapegrad.nn.ConvTranspose1d(4, 2, 3)
        >>> tuple(m(tapegrad.ones(1, 4, 8)).shape)
        (1, 2, 10)
    """

    dims = 1

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        return self._transpose(_C.conv_transpose1d, input, output_size)


class ConvTranspose2d(_ConvTransposeNd):
    """The transpose of :class:`Conv2d`: it goes from the sizes of its output to those of its input.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: the size of the kernel; one number counts for all dimensions.
        stride: that of the convolution. Default: 1.
        padding: that of the convolution: what the output is cut by on both sides. Default: 0.
        output_padding: more elements at the end of the output. Default: 0.
        groups: parts that the channels are cut into. Default: 1.
        bias: whether to add a bias. Default: True.
        dilation: the distance between places of the kernel. Default: 1.
        padding_mode: "zeros", and no other.
        device: the CPU; others raise.
        dtype: dtype of the parameters. Default: the default dtype.

    Called with `output_size`, it finds the output padding that gives that size.

    Example:
        >>> import tapegrad
        >>> m = tapegrad.nn.ConvTranspose2d(8, 3, 2, stride=2)
        >>> tuple(m(tapegrad.ones(1, 8, 5, 5)).shape)
        (1, 3, 10, 10)
    """

    dims = 2

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        return self._transpose(_C.conv_transpose2d, input, output_size)


class ConvTranspose3d(_ConvTransposeNd):
    """The transpose of :class:`Conv3d`; the arguments are those of :class:`ConvTranspose2d`.

    Example:
        >>> import tapegrad
        >>> m = tapegrad.nn.ConvTranspose3d(2, 1, 2, stride=2)
        >>> tuple(m(tapegrad.ones(1, 2, 2, 2, 2)).shape)
        (1, 1, 4, 4, 4)
    """

    dims = 3

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        return self._transpose(_C.conv_transpose3d, input, output_size)
