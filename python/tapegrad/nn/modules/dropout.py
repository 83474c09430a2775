"""Layers that drop elements by chance in training."""

from __future__ import annotations

import tapegrad

from ... import _C
from ..._C import Tensor
from .. import functional as F
from .module import Module

__all__ = ["Dropout"]


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
