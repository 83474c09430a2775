"""Layers that drop elements by chance in training."""

from __future__ import annotations

from ..._C import Tensor
from ..._C import dropout as _dropout
from .. import functional as F
from .module import Module

__all__ = [
    "AlphaDropout",
    "Dropout",
    "Dropout1d",
    "Dropout2d",
    "Dropout3d",
    "FeatureAlphaDropout",
]


class _DropoutNd(Module):
    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if not 0 <= p <= 1:  # refused now and not at first use
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        self.p = p
        self.inplace = inplace

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_DropoutNd):
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

    def forward(self, input: Tensor) -> Tensor:
        if self.inplace:
            return F.dropout(input, self.p, self.training, True)
        return _dropout(input, self.p, self.training)


class Dropout1d(_DropoutNd):
    """In training, sets whole channels of lines to zero with probability p and scales the others.

    Args:
        p: the probability. Default: 0.5.
        inplace: write the result into the input. Default: False.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.Dropout1d().eval()(tapegrad.ones(2, 3)).sum()
        tensor(6.)
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout1d(input, self.p, self.training, self.inplace)


class Dropout2d(_DropoutNd):
    """In training, sets whole channels of images to zero with probability p and scales the others.

    Args:
        p: the probability. Default: 0.5.
        inplace: write the result into the input. Default: False.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.Dropout2d().eval()(tapegrad.ones(1, 2, 1, 3)).sum()
        tensor(6.)
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout2d(input, self.p, self.training, self.inplace)


class Dropout3d(_DropoutNd):
    """In training, sets whole channels of volumes to zero with probability p and scales the others.

    Args:
        p: the probability. Default: 0.5.
        inplace: write the result into the input. Default: False.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.Dropout3d().eval()(tapegrad.ones(2, 1, 1, 3)).sum()
        tensor(6.)
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout3d(input, self.p, self.training, self.inplace)


class AlphaDropout(_DropoutNd):
    """Dropout that keeps mean 0 and variance 1 behind SELU (Klambauer et al.).

    Args:
        p: the probability. Default: 0.5.
        inplace: write the result into the input. Default: False.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.AlphaDropout().eval()(tapegrad.ones(3))
        tensor([1., 1., 1.])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.alpha_dropout(input, self.p, self.training, self.inplace)


class FeatureAlphaDropout(_DropoutNd):
    """:class:`AlphaDropout` of whole channels.

    Args:
        p: the probability. Default: 0.5.
        inplace: write the result into the input. Default: False.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.FeatureAlphaDropout().eval()(tapegrad.ones(1, 3))
        tensor([[1., 1., 1.]])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.feature_alpha_dropout(input, self.p, self.training, self.inplace)
