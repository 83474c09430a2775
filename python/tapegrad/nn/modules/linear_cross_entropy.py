"""The last layer of a classifier together with its loss."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ..._C import Tensor
from .. import functional as F
from .linear import Linear
from .module import Module

__all__ = ["LinearCrossEntropyLoss", "LinearCrossEntropyOptions"]


@dataclass
class LinearCrossEntropyOptions:
    """How PyTorch computes the logits in pieces; accepted, and without effect.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.LinearCrossEntropyOptions().chunking_method
        'auto'
    """

    allow_retain_graph: bool = False
    batch_chunk_size: int | None = None
    chunking_method: str | None = "auto"
    acc_policy: str = "auto"
    acc_dtype: Any = None


class LinearCrossEntropyLoss(Module):
    """A linear layer and the cross-entropy of what it gives; its parameters are in ``linear``.

    Args:
        in_features: size of the input's last dimension.
        num_classes: the number of classes.
        out_features: the shape of the places that have a loss each. Default: one place.
        bias: whether the layer has a bias. Default: False.
        device: the CPU; others raise.
        dtype: dtype of the parameters. Default: the default dtype.
        reduction: "mean" (the default), "sum" or "none".
        weight: a factor per class. Default: none.
        ignore_index: a class number that is left out. Default: -100.
        label_smoothing: how much of the target goes to all classes. Default: 0.
        options: without effect.

    Example:
        >>> import tapegrad
        >>> loss = tapegrad.nn.LinearCrossEntropyLoss(4, 3)
        >>> tuple(loss(tapegrad.ones(2, 4), tapegrad.tensor([0, 1])).shape)
        ()
    """

    weight: Tensor | None

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        *,
        out_features: tuple[int, ...] = (),
        bias: bool = False,
        device: Any = None,
        dtype: Any = None,
        reduction: str = "mean",
        weight: Tensor | None = None,
        ignore_index: int | None = None,
        label_smoothing: float = 0.0,
        options: LinearCrossEntropyOptions | None = None,
    ) -> None:
        super().__init__()
        self.in_features = in_features
        self.num_classes = num_classes
        self.out_features = tuple(out_features)
        self.reduction = reduction
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing
        self.options = options
        count = num_classes * math.prod(self.out_features)
        self.linear = Linear(in_features, count, bias, device, dtype)
        self.register_buffer("weight", weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        shape = (self.num_classes, *self.out_features)
        bias = self.linear.bias
        return F.linear_cross_entropy(
            input,
            self.linear.weight.reshape(*shape, self.in_features),
            target,
            linear_bias=None if bias is None else bias.reshape(shape),
            weight=self.weight,
            reduction=self.reduction,
            ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
            options=self.options,
        )

    def extra_repr(self) -> str:
        return (
            f"in_features={self.in_features}, num_classes={self.num_classes}, "
            f"out_features={self.out_features}, bias={self.linear.bias is not None}, "
            f"reduction={self.reduction}, ignore_index={self.ignore_index}, "
            f"label_smoothing={self.label_smoothing}, options={self.options}"
        )
