"""Layers with a weight matrix."""

from __future__ import annotations

import math
from typing import Any

import tapegrad

from ..._C import Tensor
from ..._C import linear as _linear
from .. import functional as F
from .. import init
from ..parameter import Parameter
from .module import Module

__all__ = ["Bilinear", "Identity", "Linear"]


class Identity(Module):
    """Returns its input; any arguments are accepted and ignored.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.Identity()(tapegrad.tensor([1.0]))
        tensor([1.])
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Tensor) -> Tensor:
        return input


class Linear(Module):
    """An affine map of the last dimension: ``y = x @ weight.T + bias``.

    Weight and bias are drawn uniformly from ``[-k, k]`` with ``k = 1 / sqrt(in_features)``.

    Args:
        in_features: size of the input's last dimension.
        out_features: size of the output's last dimension.
        bias: whether to add a bias. Default: True.
        device: the CPU; others raise.
        dtype: dtype of the parameters. Default: the default dtype.

    Shapes: input (*, in_features), output (*, out_features).

    Example:
        >>> import tapegrad
        >>> m = tapegrad.nn.Linear(3, 2)
        >>> m
        Linear(in_features=3, out_features=2, bias=True)
        >>> tuple(m(tapegrad.ones(5, 3)).shape)
        (5, 2)
    """

    in_features: int
    out_features: int
    weight: Tensor
    bias: Tensor | None

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features
        self.weight = Parameter(
            tapegrad.empty(out_features, in_features, device=device, dtype=dtype)
        )
        if bias:
            self.bias = Parameter(tapegrad.empty(out_features, device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        bound = 1 / math.sqrt(self.in_features) if self.in_features > 0 else 0.0
        if self.weight.numel():
            init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Tensor) -> Tensor:
        return _linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )


class NonDynamicallyQuantizableLinear(Linear):
    """A Linear: what attention has for its results, under PyTorch's name for it."""


class Bilinear(Module):
    """A bilinear map: ``y[k] = x1 @ weight[k] @ x2 + bias[k]``.

    Weight and bias are drawn uniformly from ``[-k, k]`` with ``k = 1 / sqrt(in1_features)``.

    Args:
        in1_features, in2_features: sizes of the last dimensions of both inputs.
        out_features: size of the last dimension of the output.
        bias: whether to add a bias. Default: True.
        dtype: dtype of the parameters. Default: the default dtype.

    Example:
        >>> import tapegrad
        >>> m = tapegrad.nn.Bilinear(2, 3, 4)
        >>> tuple(m(tapegrad.ones(5, 2), tapegrad.ones(5, 3)).shape)
        (5, 4)
    """

    weight: Tensor
    bias: Tensor | None

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if in1_features <= 0:
            raise ValueError(f"in1_features must be > 0, but got (in1_features={in1_features})")
        self.in1_features = in1_features
        self.in2_features = in2_features
        self.out_features = out_features
        self.weight = Parameter(
            tapegrad.empty(out_features, in1_features, in2_features, device=device, dtype=dtype)
        )
        self.register_parameter(
            "bias",
            Parameter(tapegrad.empty(out_features, device=device, dtype=dtype)) if bias else None,
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        bound = 1 / math.sqrt(self.in1_features)
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input1: Tensor, input2: Tensor) -> Tensor:
        return F.bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, "
            f"out_features={self.out_features}, bias={self.bias is not None}"
        )
