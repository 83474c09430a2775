"""Layers that normalise their input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tapegrad

from ..._C import Tensor
from .. import functional as F
from .. import init
from ..parameter import Parameter
from .module import Module

__all__ = ["GroupNorm", "LayerNorm", "RMSNorm"]


class LayerNorm(Module):
    """Normalises the last dimensions to mean 0 and variance 1, then scales and shifts them.

    Args:
        normalized_shape: the sizes of these dimensions; an int means only the last one.
        eps: added to the variance. Default: 1e-5.
        elementwise_affine: whether there are learned factors and summands. Default: True.
        bias: whether there are summands. Default: True.
        dtype: dtype of the parameters. Default: the default dtype.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.LayerNorm(2, elementwise_affine=False)(tapegrad.tensor([[1.0, 3.0]]))
        tensor([[-1.0000,  1.0000]])
    """

    weight: Tensor | None
    bias: Tensor | None

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if isinstance(normalized_shape, int):
            normalized_shape = (normalized_shape,)
        self.normalized_shape = tuple(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        self.register_parameter("weight", None)
        self.register_parameter("bias", None)
        if elementwise_affine:
            self.weight = Parameter(
                tapegrad.empty(*self.normalized_shape, device=device, dtype=dtype)
            )
            if bias:
                self.bias = Parameter(
                    tapegrad.empty(*self.normalized_shape, device=device, dtype=dtype)
                )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the factors to 1 and the summands to 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"
            f", bias={self.bias is not None}"
        )


class RMSNorm(Module):
    """Divides the last dimensions by their root mean square, then scales them.

    Args:
        normalized_shape: the sizes of these dimensions; an int means only the last one.
        eps: added to the mean square. Default: the dtype's distance from 1 to the next number.
        elementwise_affine: whether there are learned factors. Default: True.
        dtype: dtype of the factors. Default: the default dtype.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.RMSNorm(2, elementwise_affine=False)(tapegrad.tensor([[-2.0, 2.0]]))
        tensor([[-1.,  1.]])
    """

    weight: Tensor | None

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if isinstance(normalized_shape, int):
            normalized_shape = (normalized_shape,)
        self.normalized_shape = tuple(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        self.register_parameter("weight", None)
        if elementwise_affine:
            self.weight = Parameter(
                tapegrad.empty(*self.normalized_shape, device=device, dtype=dtype)
            )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the factors to 1."""
        if self.weight is not None:
            init.ones_(self.weight)

    def forward(self, input: Tensor) -> Tensor:
        return F.rms_norm(input, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"
        )


class GroupNorm(Module):
    """Normalises groups of channels, each sample alone, then scales and shifts the channels.

    Args:
        num_groups: into how many groups the channels are divided.
        num_channels: C of the input (N, C, *).
        eps: added to the variance. Default: 1e-5.
        affine: whether there are learned factors and summands. Default: True.
        dtype: dtype of the parameters. Default: the default dtype.
        bias: whether there are summands. Default: True.

    Raises:
        ValueError: if the channels cannot be divided evenly.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.GroupNorm(2, 4, affine=False)(tapegrad.tensor([[1.0, 3.0, 10.0, 30.0]]))
        tensor([[-1.0000,  1.0000, -1.0000,  1.0000]])
    """

    weight: Tensor | None
    bias: Tensor | None

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if num_channels % num_groups != 0:
            raise ValueError(
                f"num_channels ({num_channels}) must be divisible by num_groups ({num_groups})"
            )
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.affine = affine
        self.register_parameter("weight", None)
        self.register_parameter("bias", None)
        if affine:
            self.weight = Parameter(tapegrad.empty(num_channels, device=device, dtype=dtype))
            if bias:
                self.bias = Parameter(tapegrad.empty(num_channels, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the factors to 1 and the summands to 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )
