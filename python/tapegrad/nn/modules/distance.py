"""Layers that compare two vectors."""

from __future__ import annotations

from ..._C import Tensor
from .. import functional as F
from .module import Module

__all__ = ["CosineSimilarity", "PairwiseDistance"]


class PairwiseDistance(Module):
    """The p-norm of the difference of two tensors over the last dimension.

    Args:
        p: the order of the norm. Default: 2.
        eps: added to the difference. Default: 1e-6.
        keepdim: whether the dimension stays, with size 1. Default: False.

    Example:
        >>> import tapegrad
        >>> distance = tapegrad.nn.PairwiseDistance()
        >>> distance(tapegrad.tensor([[0.0, 0.0]]), tapegrad.tensor([[3.0, 4.0]]))
        tensor([5.0000])
    """

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        super().__init__()
        self.norm = p
        self.eps = eps
        self.keepdim = keepdim

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        return F.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)


class CosineSimilarity(Module):
    """The cosine of the angle between vectors.

    Args:
        dim: the dimension of the vectors. Default: 1.
        eps: the least norm that is divided by. Default: 1e-8.

    Example:
        >>> import tapegrad
        >>> similarity = tapegrad.nn.CosineSimilarity()
        >>> similarity(tapegrad.tensor([[1.0, 0.0]]), tapegrad.tensor([[0.0, 1.0]]))
        tensor([0.])
    """

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        super().__init__()
        self.dim = dim
        self.eps = eps

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        return F.cosine_similarity(x1, x2, self.dim, self.eps)
