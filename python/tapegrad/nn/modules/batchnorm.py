"""Layers that normalise channels, and keep the statistics of what they have seen."""

from __future__ import annotations

import warnings
from typing import Any

import tapegrad

from ..._C import Tensor
from .. import functional as F
from .. import init
from ..parameter import Parameter
from .module import Module

__all__ = [
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "InstanceNorm1d",
    "InstanceNorm2d",
    "InstanceNorm3d",
    "SyncBatchNorm",
]


class _NormBase(Module):
    """Parameters and running statistics, one of each per channel."""

    _version = 2  # which has num_batches_tracked

    weight: Tensor | None
    bias: Tensor | None
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None
    _dims: tuple[int, ...] = ()  # of inputs that it takes; any if there is none

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        for name, present in (("weight", affine), ("bias", affine and bias)):
            value = (
                Parameter(tapegrad.empty(num_features, device=device, dtype=dtype))
                if present
                else None
            )
            self.register_parameter(name, value)
        tracked = track_running_stats
        self.register_buffer(
            "running_mean",
            tapegrad.zeros(num_features, device=device, dtype=dtype) if tracked else None,
        )
        self.register_buffer(
            "running_var",
            tapegrad.ones(num_features, device=device, dtype=dtype) if tracked else None,
        )
        self.register_buffer("num_batches_tracked", tapegrad.tensor(0) if tracked else None)
        self._register_load_state_dict_pre_hook(_count_may_be_missing, with_module=True)
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Forget the statistics of what was seen."""
        if self.running_mean is not None:
            self.running_mean.zero_()
        if self.running_var is not None:
            self.running_var.fill_(1)
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """Forget the statistics; set the factors to 1 and the summands to 0."""
        self.reset_running_stats()
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def _check_input_dim(self, input: Tensor) -> None:
        if self._dims and input.dim() not in self._dims:
            expected = " or ".join(f"{dim}D" for dim in self._dims)
            raise ValueError(f"expected {expected} input (got {input.dim()}D input)")

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


def _count_may_be_missing(
    module: Module, state: dict[str, Any], prefix: str, metadata: dict[str, Any], *rest: Any
) -> None:
    """State dicts of the first version have no count of batches."""
    if metadata.get("version", 1) is None or metadata.get("version", 1) < 2:
        count = module.num_batches_tracked
        if count is not None:
            state.setdefault(prefix + "num_batches_tracked", count)


class _BatchNorm(_NormBase):
    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        share = 0.0 if self.momentum is None else self.momentum
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if self.momentum is None:  # the plain mean over all batches
                share = 1.0 / float(self.num_batches_tracked.item())
        observed = self.training or (self.running_mean is None and self.running_var is None)
        kept = not self.training or self.track_running_stats
        return F.batch_norm(
            input,
            self.running_mean if kept else None,
            self.running_var if kept else None,
            self.weight,
            self.bias,
            observed,
            share,
            self.eps,
        )


class BatchNorm1d(_BatchNorm):
    """Normalises each channel over all samples, then scales and shifts it.

    In training the statistics are those of the batch, and running ones follow them; in evaluation
    the running ones count, if they are kept.

    Args:
        num_features: C of the input, (N, C) or (N, C, L).
        eps: added to the variance. Default: 1e-5.
        momentum: the share of a batch in the running statistics; None for the plain mean over all
            batches. Default: 0.1.
        affine: whether there are learned factors and summands. Default: True.
        track_running_stats: whether running statistics are kept. Default: True.
        dtype: dtype of parameters and statistics. Default: the default dtype.
        bias: whether there are summands. Default: True.

    Raises:
        ValueError: if the input has another number of dimensions, or one value per channel in
            training.

    Example:
        >>> import tapegrad
        >>> layer = tapegrad.nn.BatchNorm1d(2)
        >>> layer(tapegrad.randn(4, 2, 3)).shape, layer.num_batches_tracked
        (tapegrad.Size([4, 2, 3]), tensor(1))
    """

    _dims = (2, 3)


class BatchNorm2d(_BatchNorm):
    """As :class:`BatchNorm1d`, of inputs (N, C, H, W).

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.BatchNorm2d(2)(tapegrad.randn(4, 2, 3, 3)).shape
        tapegrad.Size([4, 2, 3, 3])
    """

    _dims = (4,)


class BatchNorm3d(_BatchNorm):
    """As :class:`BatchNorm1d`, of inputs (N, C, D, H, W).

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.BatchNorm3d(2)(tapegrad.randn(4, 2, 3, 3, 3)).shape
        tapegrad.Size([4, 2, 3, 3, 3])
    """

    _dims = (5,)


class SyncBatchNorm(_BatchNorm):
    """Batch normalisation over several processes; in one it is the same as BatchNorm.

    Args: as :class:`BatchNorm1d`; `process_group` is accepted for compatibility.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.SyncBatchNorm(2)(tapegrad.randn(4, 2)).shape
        tapegrad.Size([4, 2])
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        process_group: Any = None,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(
            num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias
        )
        self.process_group = process_group

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() < 2:
            raise ValueError(f"expected at least 2D input (got {input.dim()}D input)")

    @classmethod
    def convert_sync_batchnorm(cls, module: Module, process_group: Any = None) -> Module:
        """The module as it is: one process has nothing to synchronise."""
        return module


class _InstanceNorm(_NormBase):
    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(
            num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias
        )

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        single = input.dim() == self._dims[0]  # one sample, not a batch of one
        channels = input.shape[0 if single else 1]
        if channels != self.num_features:
            if self.affine:
                raise ValueError(
                    f"expected input's size at dim={0 if single else 1} to match num_features "
                    f"({self.num_features}), but got: {channels}."
                )
            warnings.warn(
                f"input's size at dim={0 if single else 1} does not match num_features. You can "
                "silence this warning by not passing in num_features, which is not used because "
                "affine=False",
                stacklevel=2,
            )
        result = F.instance_norm(
            input.unsqueeze(0) if single else input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            0.0 if self.momentum is None else self.momentum,
            self.eps,
        )
        return result.squeeze(0) if single else result


class InstanceNorm1d(_InstanceNorm):
    """Normalises each channel of each sample, then scales and shifts it.

    Args:
        num_features: C of the input, (N, C, L) or (C, L).
        eps: added to the variance. Default: 1e-5.
        momentum: the share of a batch in the running statistics. Default: 0.1.
        affine: whether there are learned factors and summands. Default: False.
        track_running_stats: whether statistics are kept that count in evaluation. Default: False.
        dtype: dtype of parameters and statistics. Default: the default dtype.
        bias: whether there are summands. Default: True.

    Raises:
        ValueError: if the input has another number of dimensions or channels, or one value per
            channel and sample.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.InstanceNorm1d(2)(tapegrad.randn(4, 2, 3)).shape
        tapegrad.Size([4, 2, 3])
    """

    _dims = (2, 3)


class InstanceNorm2d(_InstanceNorm):
    """As :class:`InstanceNorm1d`, of inputs (N, C, H, W) or (C, H, W).

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.InstanceNorm2d(2)(tapegrad.randn(4, 2, 3, 3)).shape
        tapegrad.Size([4, 2, 3, 3])
    """

    _dims = (3, 4)


class InstanceNorm3d(_InstanceNorm):
    """As :class:`InstanceNorm1d`, of inputs (N, C, D, H, W) or (C, D, H, W).

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.InstanceNorm3d(2)(tapegrad.randn(4, 2, 3, 3, 3)).shape
        tapegrad.Size([4, 2, 3, 3, 3])
    """

    _dims = (4, 5)
