"""Layers whose number of input features is that of their first input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tapegrad

from ..._C import Tensor
from ..parameter import UninitializedBuffer, UninitializedParameter
from .batchnorm import (
    BatchNorm1d,
    BatchNorm2d,
    BatchNorm3d,
    InstanceNorm1d,
    InstanceNorm2d,
    InstanceNorm3d,
    _NormBase,
)
from .convolution import (
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
    _ConvNd,
    _Size,
)
from .lazy import LazyModuleMixin
from .linear import Linear

__all__ = [
    "LazyBatchNorm1d",
    "LazyBatchNorm2d",
    "LazyBatchNorm3d",
    "LazyConv1d",
    "LazyConv2d",
    "LazyConv3d",
    "LazyConvTranspose1d",
    "LazyConvTranspose2d",
    "LazyConvTranspose3d",
    "LazyInstanceNorm1d",
    "LazyInstanceNorm2d",
    "LazyInstanceNorm3d",
    "LazyLinear",
]


class LazyLinear(LazyModuleMixin, Linear):
    """A :class:`Linear` whose `in_features` is the size of the first input's last dimension.

    Args:
        out_features: size of the output's last dimension.
        bias: whether to add a bias. Default: True.
        device: the CPU; others raise.
        dtype: dtype of the parameters. Default: the default dtype.

    Example:
        >>> import tapegrad
        >>> m = tapegrad.nn.LazyLinear(2)
        >>> m
        LazyLinear(in_features=0, out_features=2, bias=True)
        >>> y = m(tapegrad.ones(5, 3))
        >>> m
        Linear(in_features=3, out_features=2, bias=True)
    """

    cls_to_become = Linear

    def __init__(
        self, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(0, 0, False)
        self.out_features = out_features
        self.weight = UninitializedParameter(device=device, dtype=dtype)
        if bias:
            self.bias = UninitializedParameter(device=device, dtype=dtype)

    def reset_parameters(self) -> None:
        """Draw new initial values, once there are shapes."""
        if not self.has_uninitialized_params() and self.in_features != 0:
            super().reset_parameters()

    def initialize_parameters(self, input: Tensor) -> None:
        """Take the number of features from an input."""
        if self.has_uninitialized_params():
            self.in_features = input.shape[-1]
            _materialize(self.weight, (self.out_features, self.in_features))
            _materialize(self.bias, (self.out_features,))
            self.reset_parameters()
        elif self.in_features == 0:
            self.in_features = self.weight.shape[-1]


def _materialize(tensor: Any, shape: tuple[int, ...]) -> None:
    if tensor is not None:
        tensor.materialize(shape)


if TYPE_CHECKING:
    _AnyConvolution = _ConvNd
    _AnyNorm = _NormBase
else:
    _AnyConvolution = _AnyNorm = object


class _LazyConvNd(LazyModuleMixin, _AnyConvolution):
    def __init__(
        self, out_channels: int, bias: bool, device: Any, dtype: Any, **given: Any
    ) -> None:
        super().__init__(0, 0, bias=False, **given)
        self.out_channels = out_channels
        self.weight = UninitializedParameter(device=device, dtype=dtype)
        if bias:
            self.bias = UninitializedParameter(device=device, dtype=dtype)

    def reset_parameters(self) -> None:
        """Draw new initial values, once there are shapes."""
        if not self.has_uninitialized_params() and self.in_channels != 0:
            super().reset_parameters()

    def initialize_parameters(self, input: Tensor, *args: Any, **kwargs: Any) -> None:
        """Take the number of channels from an input."""
        self.in_channels = self._channels_of(input)
        if not self.has_uninitialized_params():
            return
        if self.in_channels % self.groups != 0:
            raise ValueError("in_channels must be divisible by groups")
        sizes = (self.out_channels, self.in_channels)
        first, second = reversed(sizes) if self.transposed else sizes
        _materialize(self.weight, (first, second // self.groups, *self.kernel_size))
        _materialize(self.bias, (self.out_channels,))
        self.reset_parameters()

    def _channels_of(self, input: Tensor) -> int:
        single = self.dims + 1
        if input.dim() not in (single, single + 1):
            raise RuntimeError(
                f"Expected {single}D (unbatched) or {single + 1}D (batched) input to "
                f"{type(self).__name__}, but got input of size: {input.shape}"
            )
        return input.shape[0 if input.dim() == single else 1]


class _LazyConvolution(_LazyConvNd):
    def __init__(
        self,
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
            out_channels,
            bias,
            device,
            dtype,
            kernel_size=kernel_size,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
            padding_mode=padding_mode,
        )


class _LazyConvTranspose(_LazyConvNd):
    def __init__(
        self,
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
        super().__init__(
            out_channels,
            bias,
            device,
            dtype,
            kernel_size=kernel_size,
            stride=stride,
            padding=padding,
            output_padding=output_padding,
            groups=groups,
            dilation=dilation,
            padding_mode=padding_mode,
        )


class LazyConv1d(_LazyConvolution, Conv1d):
    """A :class:`Conv1d` that takes `in_channels` from its first input; see :class:`LazyConv2d`.

    Example:
        >>> import tapegrad
        >>> tuple(tapegrad.nn.LazyConv1d(4, 3)(tapegrad.ones(1, 2, 8)).shape)
        (1, 4, 6)
    """

    cls_to_become = Conv1d


class LazyConv2d(_LazyConvolution, Conv2d):
    """A :class:`Conv2d` that takes `in_channels` from its first input.

    The other arguments are those of :class:`Conv2d`.

    Raises:
        RuntimeError: from the first call, for an input of another number of dimensions.
        ValueError: from the first call, if `groups` does not divide the number of channels.

    Example:
        >>> import tapegrad
        >>> m = tapegrad.nn.LazyConv2d(8, 3)
        >>> y = m(tapegrad.ones(1, 3, 5, 5))
        >>> m
        Conv2d(3, 8, kernel_size=(3, 3), stride=(1, 1))
    """

    cls_to_become = Conv2d


class LazyConv3d(_LazyConvolution, Conv3d):
    """A :class:`Conv3d` that takes `in_channels` from its first input; see :class:`LazyConv2d`.

    Example:
        >>> import tapegrad
        >>> tuple(tapegrad.nn.LazyConv3d(4, 2)(tapegrad.ones(1, 2, 3, 3, 3)).shape)
        (1, 4, 2, 2, 2)
    """

    cls_to_become = Conv3d


class LazyConvTranspose1d(_LazyConvTranspose, ConvTranspose1d):
    """A :class:`ConvTranspose1d` that takes `in_channels` from its first input.

    Example:
        >>> import tapegrad
        >>> tuple(tapegrad.nn.LazyConvTranspose1d(4, 3)(tapegrad.ones(1, 2, 8)).shape)
        (1, 4, 10)
    """

    cls_to_become = ConvTranspose1d


class LazyConvTranspose2d(_LazyConvTranspose, ConvTranspose2d):
    """A :class:`ConvTranspose2d` that takes `in_channels` from its first input.

    Example:
        >>> import tapegrad
        >>> tuple(tapegrad.nn.LazyConvTranspose2d(4, 3)(tapegrad.ones(1, 2, 4, 4)).shape)
        (1, 4, 6, 6)
    """

    cls_to_become = ConvTranspose2d


class LazyConvTranspose3d(_LazyConvTranspose, ConvTranspose3d):
    """A :class:`ConvTranspose3d` that takes `in_channels` from its first input.

    Example:
        >>> import tapegrad
        >>> tuple(tapegrad.nn.LazyConvTranspose3d(4, 2)(tapegrad.ones(1, 2, 2, 2, 2)).shape)
        (1, 4, 3, 3, 3)
    """

    cls_to_become = ConvTranspose3d


class _LazyNorm(LazyModuleMixin, _AnyNorm):
    def __init__(
        self,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(0, eps, momentum, False, False)
        self.affine = affine
        self.track_running_stats = track_running_stats
        if affine:
            self.weight = UninitializedParameter(device=device, dtype=dtype)
            if bias:
                self.bias = UninitializedParameter(device=device, dtype=dtype)
        if track_running_stats:
            self.running_mean = UninitializedBuffer(device=device, dtype=dtype)
            self.running_var = UninitializedBuffer(device=device, dtype=dtype)
            self.num_batches_tracked = tapegrad.tensor(0)

    def reset_parameters(self) -> None:
        """Forget the statistics, once there are shapes; set factors to 1 and summands to 0."""
        if not self.has_uninitialized_params() and self.num_features != 0:
            super().reset_parameters()

    def initialize_parameters(self, input: Tensor) -> None:
        """Take the number of channels from an input."""
        self.num_features = input.shape[1]
        if self.has_uninitialized_params():
            for tensor in (self.weight, self.bias, self.running_mean, self.running_var):
                _materialize(tensor, (self.num_features,))
            self.reset_parameters()


class LazyBatchNorm1d(_LazyNorm, BatchNorm1d):
    """A :class:`BatchNorm1d` that takes `num_features` from its first input.

    The other arguments are those of :class:`BatchNorm1d`.

    Example:
        >>> import tapegrad
        >>> m = tapegrad.nn.LazyBatchNorm1d()
        >>> y = m(tapegrad.randn(4, 2, 3))
        >>> m.num_features, type(m).__name__
        (2, 'BatchNorm1d')
    """

    cls_to_become = BatchNorm1d


class LazyBatchNorm2d(_LazyNorm, BatchNorm2d):
    """A :class:`BatchNorm2d` that takes `num_features` from its first input.

    The other arguments are those of :class:`BatchNorm1d`.

    Example:
        >>> import tapegrad
        >>> m = tapegrad.nn.LazyBatchNorm2d()
        >>> y = m(tapegrad.randn(4, 2, 3, 3))
        >>> m.num_features, type(m).__name__
        (2, 'BatchNorm2d')
    """

    cls_to_become = BatchNorm2d


class LazyBatchNorm3d(_LazyNorm, BatchNorm3d):
    """A :class:`BatchNorm3d` that takes `num_features` from its first input.

    The other arguments are those of :class:`BatchNorm1d`.

    Example:
        >>> import tapegrad
        >>> m = tapegrad.nn.LazyBatchNorm3d()
        >>> y = m(tapegrad.randn(4, 2, 3, 3, 3))
        >>> m.num_features, type(m).__name__
        (2, 'BatchNorm3d')
    """

    cls_to_become = BatchNorm3d


class LazyInstanceNorm1d(_LazyNorm, InstanceNorm1d):
    """A :class:`InstanceNorm1d` that takes `num_features` from its first input.

    The other arguments are those of :class:`BatchNorm1d`.

    Example:
        >>> import tapegrad
        >>> m = tapegrad.nn.LazyInstanceNorm1d()
        >>> y = m(tapegrad.randn(4, 2, 3))
        >>> m.num_features, type(m).__name__
        (2, 'InstanceNorm1d')
    """

    cls_to_become = InstanceNorm1d


class LazyInstanceNorm2d(_LazyNorm, InstanceNorm2d):
    """A :class:`InstanceNorm2d` that takes `num_features` from its first input.

    The other arguments are those of :class:`BatchNorm1d`.

    Example:
        >>> import tapegrad
        >>> m = tapegrad.nn.LazyInstanceNorm2d()
        >>> y = m(tapegrad.randn(4, 2, 3, 3))
        >>> m.num_features, type(m).__name__
        (2, 'InstanceNorm2d')
    """

    cls_to_become = InstanceNorm2d


class LazyInstanceNorm3d(_LazyNorm, InstanceNorm3d):
    """A :class:`InstanceNorm3d` that takes `num_features` from its first input.

    The other arguments are those of :class:`BatchNorm1d`.

    Example:
        >>> import tapegrad
        >>> m = tapegrad.nn.LazyInstanceNorm3d()
        >>> y = m(tapegrad.randn(4, 2, 3, 3, 3))
        >>> m.num_features, type(m).__name__
        (2, 'InstanceNorm3d')
    """

    cls_to_become = InstanceNorm3d
