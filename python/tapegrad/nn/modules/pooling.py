"""Layers that take maxima or means over windows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ... import _C
from ..._C import Tensor
from .. import functional as F
from .module import Module

__all__ = [
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d",
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "LPPool1d",
    "LPPool2d",
    "LPPool3d",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
    "MaxUnpool1d",
    "MaxUnpool2d",
    "MaxUnpool3d",
]

_Size = int | Sequence[int]


def _tuple(value: Any, count: int) -> tuple[int, ...]:
    return tuple(value) if isinstance(value, Sequence) else (value,) * count


class _MaxPoolNd(Module):
    def __init__(
        self,
        kernel_size: _Size,
        stride: _Size | None = None,
        padding: _Size = 0,
        dilation: _Size = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def _pool(self, alone: Any, with_indices: Any, input: Tensor) -> Any:
        pool = with_indices if self.return_indices else alone
        return pool(
            input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode
        )

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class MaxPool1d(_MaxPoolNd):
    """The largest element of each window of lines; the arguments are those of :class:`MaxPool2d`.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.MaxPool1d(2)(tapegrad.tensor([[1.0, 3.0, 2.0, 0.0]]))
        tensor([[3., 2.]])
    """

    def forward(self, input: Tensor) -> Any:
        return self._pool(_C.max_pool1d, _C.max_pool1d_with_indices, input)


class MaxPool2d(_MaxPoolNd):
    """The largest element of each window of images (N, C, H, W) or (C, H, W).

    Args:
        kernel_size: the size of a window; one number counts for all dimensions.
        stride: the step from one window to the next. Default: the size of a window.
        padding: elements on both sides that are never the largest. Default: 0.
        dilation: the distance between elements of a window. Default: 1.
        return_indices: whether to return the places of the maxima too. Default: False.
        ceil_mode: whether a window at the end may reach out of the input. Default: False.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.MaxPool2d(2)(tapegrad.tensor([[[1.0, 3.0], [2.0, 0.0]]]))
        tensor([[[3.]]])
    """

    def forward(self, input: Tensor) -> Any:
        return self._pool(_C.max_pool2d, _C.max_pool2d_with_indices, input)


class MaxPool3d(_MaxPoolNd):
    """The largest element of each window of volumes; the arguments are those of :class:`MaxPool2d`.

    Example:
        >>> import tapegrad
        >>> tuple(tapegrad.nn.MaxPool3d(2)(tapegrad.ones(1, 4, 4, 4)).shape)
        (1, 2, 2, 2)
    """

    def forward(self, input: Tensor) -> Any:
        return self._pool(_C.max_pool3d, _C.max_pool3d_with_indices, input)


class AvgPool1d(Module):
    """The mean of each window of lines; the arguments are those of :class:`AvgPool2d`.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.AvgPool1d(2)(tapegrad.tensor([[1.0, 3.0, 2.0, 0.0]]))
        tensor([[2., 1.]])
    """

    def __init__(
        self,
        kernel_size: _Size,
        stride: _Size | None = None,
        padding: _Size = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__()
        self.kernel_size = _tuple(kernel_size, 1)
        self.stride = _tuple(kernel_size if stride is None else stride, 1)
        self.padding = _tuple(padding, 1)
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad

    def forward(self, input: Tensor) -> Tensor:
        return _C.avg_pool1d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
        )

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class _AvgPoolNd(Module):
    def __init__(
        self,
        kernel_size: _Size,
        stride: _Size | None = None,
        padding: _Size = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def _pool(self, pool: Any, input: Tensor) -> Tensor:
        return pool(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool2d(_AvgPoolNd):
    """The mean of each window of images (N, C, H, W) or (C, H, W).

    Args:
        kernel_size: the size of a window; one number counts for all dimensions.
        stride: the step from one window to the next. Default: the size of a window.
        padding: zeros on both sides. Default: 0.
        ceil_mode: whether a window at the end may reach out of the input. Default: False.
        count_include_pad: whether padding counts in the number of elements. Default: True.
        divisor_override: what sums are divided by instead. Default: the number of elements.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.AvgPool2d(2)(tapegrad.tensor([[[1.0, 3.0], [2.0, 0.0]]]))
        tensor([[[1.5000]]])
    """

    def forward(self, input: Tensor) -> Tensor:
        return self._pool(_C.avg_pool2d, input)


class AvgPool3d(_AvgPoolNd):
    """The mean of each window of volumes; the arguments are those of :class:`AvgPool2d`.

    Example:
        >>> import tapegrad
        >>> tuple(tapegrad.nn.AvgPool3d(2)(tapegrad.ones(1, 4, 4, 4)).shape)
        (1, 2, 2, 2)
    """

    def forward(self, input: Tensor) -> Tensor:
        return self._pool(_C.avg_pool3d, input)


class _LPPoolNd(Module):
    def __init__(
        self,
        norm_type: float,
        kernel_size: _Size,
        stride: _Size | None = None,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.norm_type = norm_type
        self.kernel_size = kernel_size
        self.stride = stride
        self.ceil_mode = ceil_mode

    def extra_repr(self) -> str:
        return (
            f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"ceil_mode={self.ceil_mode}"
        )


class LPPool1d(_LPPoolNd):
    """``sum(x ** p) ** (1 / p)`` of each window of lines; see :class:`LPPool2d`.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.LPPool1d(2, 2)(tapegrad.tensor([[3.0, 4.0]]))
        tensor([[5.]])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.lp_pool1d(
            input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode
        )


class LPPool2d(_LPPoolNd):
    """``sum(x ** p) ** (1 / p)`` of each window of images.

    Args:
        norm_type: p.
        kernel_size: the size of a window; one number counts for all dimensions.
        stride: the step from one window to the next. Default: the size of a window.
        ceil_mode: whether a window at the end may reach out of the input. Default: False.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.LPPool2d(2, 2)(tapegrad.tensor([[[3.0, 4.0], [0.0, 0.0]]]))
        tensor([[[5.]]])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.lp_pool2d(
            input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode
        )


class LPPool3d(_LPPoolNd):
    """``sum(x ** p) ** (1 / p)`` of each window of volumes; see :class:`LPPool2d`.

    Example:
        >>> import tapegrad
        >>> tuple(tapegrad.nn.LPPool3d(2, 2)(tapegrad.ones(1, 4, 4, 4)).shape)
        (1, 2, 2, 2)
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.lp_pool3d(
            input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode
        )


class _AdaptiveAvgPoolNd(Module):
    def __init__(self, output_size: Any) -> None:
        super().__init__()
        self.output_size = output_size

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(_AdaptiveAvgPoolNd):
    """The mean of each of `output_size` parts of lines.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.AdaptiveAvgPool1d(2)(tapegrad.tensor([[1.0, 3.0, 5.0]]))
        tensor([[2., 4.]])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.adaptive_avg_pool1d(input, self.output_size)


class AdaptiveAvgPool2d(_AdaptiveAvgPoolNd):
    """The mean of each of `output_size` parts of images; None keeps a size.

    Example:
        >>> import tapegrad
        >>> tuple(tapegrad.nn.AdaptiveAvgPool2d((2, None))(tapegrad.ones(3, 8, 8)).shape)
        (3, 2, 8)
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.adaptive_avg_pool2d(input, self.output_size)


class AdaptiveAvgPool3d(_AdaptiveAvgPoolNd):
    """The mean of each of `output_size` parts of volumes; None keeps a size.

    Example:
        >>> import tapegrad
        >>> tuple(tapegrad.nn.AdaptiveAvgPool3d(2)(tapegrad.ones(3, 8, 8, 8)).shape)
        (3, 2, 2, 2)
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.adaptive_avg_pool3d(input, self.output_size)


class _AdaptiveMaxPoolNd(Module):
    def __init__(self, output_size: Any, return_indices: bool = False) -> None:
        super().__init__()
        self.output_size = output_size
        self.return_indices = return_indices

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveMaxPool1d(_AdaptiveMaxPoolNd):
    """The largest element of each of `output_size` parts of lines.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.AdaptiveMaxPool1d(2)(tapegrad.tensor([[1.0, 3.0, 5.0]]))
        tensor([[3., 5.]])
    """

    def forward(self, input: Tensor) -> Any:
        return F.adaptive_max_pool1d(input, self.output_size, self.return_indices)


class AdaptiveMaxPool2d(_AdaptiveMaxPoolNd):
    """The largest element of each of `output_size` parts of images; None keeps a size.

    Example:
        >>> import tapegrad
        >>> tuple(tapegrad.nn.AdaptiveMaxPool2d(2)(tapegrad.ones(3, 8, 8)).shape)
        (3, 2, 2)
    """

    def forward(self, input: Tensor) -> Any:
        return F.adaptive_max_pool2d(input, self.output_size, self.return_indices)


class AdaptiveMaxPool3d(_AdaptiveMaxPoolNd):
    """The largest element of each of `output_size` parts of volumes; None keeps a size.

    Example:
        >>> import tapegrad
        >>> tuple(tapegrad.nn.AdaptiveMaxPool3d(2)(tapegrad.ones(3, 8, 8, 8)).shape)
        (3, 2, 2, 2)
    """

    def forward(self, input: Tensor) -> Any:
        return F.adaptive_max_pool3d(input, self.output_size, self.return_indices)


class _MaxUnpoolNd(Module):
    dims: int

    def __init__(self, kernel_size: _Size, stride: _Size | None = None, padding: _Size = 0) -> None:
        super().__init__()
        self.kernel_size = _tuple(kernel_size, self.dims)
        self.stride = self.kernel_size if stride is None else _tuple(stride, self.dims)
        self.padding = _tuple(padding, self.dims)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(_MaxUnpoolNd):
    """Zeros with the maxima of :class:`MaxPool1d` at their places.

    Example:
        >>> import tapegrad
        >>> nn = tapegrad.nn
        >>> x = tapegrad.tensor([[1.0, 3.0, 2.0, 0.0]])
        >>> nn.MaxUnpool1d(2)(*nn.MaxPool1d(2, return_indices=True)(x))
        tensor([[0., 3., 2., 0.]])
    """

    dims = 1

    def forward(
        self, input: Tensor, indices: Tensor, output_size: Sequence[int] | None = None
    ) -> Tensor:
        return F.max_unpool1d(
            input, indices, self.kernel_size, self.stride, self.padding, output_size
        )


class MaxUnpool2d(_MaxUnpoolNd):
    """Zeros with the maxima of :class:`MaxPool2d` at their places.

    Args:
        kernel_size: the size of a window.
        stride: the step from one window to the next. Default: the size of a window.
        padding: that of the pooling. Default: 0.

    Example:
        >>> import tapegrad
        >>> nn = tapegrad.nn
        >>> x = tapegrad.tensor([[[1.0, 3.0], [2.0, 0.0]]])
        >>> nn.MaxUnpool2d(2)(*nn.MaxPool2d(2, return_indices=True)(x))
        tensor([[[0., 3.],
                 [0., 0.]]])
    """

    dims = 2

    def forward(
        self, input: Tensor, indices: Tensor, output_size: Sequence[int] | None = None
    ) -> Tensor:
        return F.max_unpool2d(
            input, indices, self.kernel_size, self.stride, self.padding, output_size
        )


class MaxUnpool3d(_MaxUnpoolNd):
    """Zeros with the maxima of :class:`MaxPool3d` at their places.

    Example:
        >>> import tapegrad
        >>> nn = tapegrad.nn
        >>> both = nn.MaxPool3d(2, return_indices=True)(tapegrad.ones(1, 4, 4, 4))
        >>> tuple(nn.MaxUnpool3d(2)(*both).shape)
        (1, 4, 4, 4)
    """

    dims = 3

    def forward(
        self, input: Tensor, indices: Tensor, output_size: Sequence[int] | None = None
    ) -> Tensor:
        return F.max_unpool3d(
            input, indices, self.kernel_size, self.stride, self.padding, output_size
        )
