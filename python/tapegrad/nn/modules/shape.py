"""Layers without parameters that drop or reshape: Dropout, Flatten, Unflatten; and LayerNorm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tapegrad

from ... import _C
from ..._C import Tensor
from .. import functional as F
from .. import init
from ..module import Module
from ..parameter import Parameter

__all__ = ["Dropout", "Flatten", "LayerNorm", "Unflatten"]


class Dropout(Module):
    """In training, sets elements to zero with probability p and scales the others by ``1/(1-p)``.

    Args:
        p: the probability. Default: 0.5.
        inplace: write the result into the input. Default: False.

    Raises:
        ValueError: if p is not between 0 and 1.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.Dropout(0.5).eval()(tapegrad.ones(3))
        tensor([1., 1., 1.])
    """

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        F.dropout(tapegrad.empty(0), p)  # refuses what is no probability, now and not at first use
        self.p = p
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        if self.inplace:
            return F.dropout(input, self.p, self.training, True)
        return _C.dropout(input, self.p, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


class Flatten(Module):
    """Joins a range of dimensions into one.

    Args:
        start_dim: the first of them. Default: 1 (the batch is kept).
        end_dim: the last of them. Default: -1.

    Example:
        >>> import tapegrad
        >>> tuple(tapegrad.nn.Flatten()(tapegrad.zeros(2, 3, 4)).shape)
        (2, 12)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, input: Tensor) -> Tensor:
        return input.flatten(self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """Splits one dimension into several.

    Args:
        dim: the dimension to split.
        unflattened_size: their sizes; one of them may be -1.

    Raises:
        TypeError: if a size is not an integer.

    Example:
        >>> import tapegrad
        >>> tuple(tapegrad.nn.Unflatten(1, (3, 4))(tapegrad.zeros(2, 12)).shape)
        (2, 3, 4)
    """

    def __init__(self, dim: int, unflattened_size: Sequence[int]) -> None:
        super().__init__()
        if not isinstance(unflattened_size, (tuple, list)):
            raise TypeError(
                "unflattened_size must be a tuple of ints, but found type "
                f"{type(unflattened_size).__name__}"
            )
        for place, size in enumerate(unflattened_size):
            if not isinstance(size, int):
                raise TypeError(
                    "unflattened_size must be tuple of ints, but found element of type "
                    f"{type(size).__name__} at pos {place}"
                )
        self.dim = dim
        self.unflattened_size = unflattened_size

    def forward(self, input: Tensor) -> Tensor:
        return input.unflatten(self.dim, self.unflattened_size)

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"


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
            self.weight = Parameter(tapegrad.empty(*self.normalized_shape, dtype=dtype))
            if bias:
                self.bias = Parameter(tapegrad.empty(*self.normalized_shape, dtype=dtype))
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
