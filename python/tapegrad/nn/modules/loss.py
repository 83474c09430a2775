"""Loss functions as modules: ``loss(prediction, target)``."""

from __future__ import annotations

from typing import Any

from ..._C import Tensor
from .. import functional as F
from .module import Module

__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "L1Loss",
    "MSELoss",
    "NLLLoss",
    "SmoothL1Loss",
]


class _Loss(Module):
    """Keeps how the losses of the elements are put together."""

    weight: Tensor | None
    pos_weight: Tensor | None

    def __init__(
        self,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        **buffers: Tensor | None,
    ) -> None:
        super().__init__()
        if size_average is not None or reduce is not None:
            reduction = F._old_reduction(size_average, reduce)
        self.reduction = reduction
        for name, tensor in buffers.items():
            self.register_buffer(name, tensor)


class MSELoss(_Loss):
    """The squared error.

    Args:
        reduction: "mean" (the default), "sum" or "none".

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.MSELoss()(tapegrad.tensor([1.0, 2.0]), tapegrad.tensor([1.0, 4.0]))
        tensor(2.)
    """

    def __init__(
        self, size_average: Any = None, reduce: Any = None, reduction: str = "mean"
    ) -> None:
        super().__init__(size_average, reduce, reduction)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.mse_loss(input, target, reduction=self.reduction)


class L1Loss(_Loss):
    """The absolute error.

    Args:
        reduction: "mean" (the default), "sum" or "none".

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.L1Loss()(tapegrad.tensor([1.0, 2.0]), tapegrad.tensor([1.0, 4.0]))
        tensor(1.)
    """

    def __init__(
        self, size_average: Any = None, reduce: Any = None, reduction: str = "mean"
    ) -> None:
        super().__init__(size_average, reduce, reduction)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.l1_loss(input, target, reduction=self.reduction)


class SmoothL1Loss(_Loss):
    """Squared error below `beta`, absolute error above.

    Args:
        reduction: "mean" (the default), "sum" or "none".
        beta: where it changes. Default: 1.0.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.SmoothL1Loss()(tapegrad.tensor([0.0, 0.0]), tapegrad.tensor([1.0, 3.0]))
        tensor(1.5000)
    """

    def __init__(
        self,
        size_average: Any = None,
        reduce: Any = None,
        reduction: str = "mean",
        beta: float = 1.0,
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.beta = beta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.smooth_l1_loss(input, target, reduction=self.reduction, beta=self.beta)


class CrossEntropyLoss(_Loss):
    """Softmax and negative log-likelihood of the target class.

    Args:
        weight: a factor per class, of shape (C,). Default: none.
        ignore_index: a class number that is left out. Default: -100.
        reduction: "mean" (the default), "sum" or "none".
        label_smoothing: how much of the target is spread over all classes. Default: 0.

    Shapes: input (C,), (N, C) or (N, C, d1, ...); target (), (N,) or (N, d1, ...) of class numbers,
    or probabilities in the shape of the input.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.CrossEntropyLoss()(tapegrad.zeros(2, 4), tapegrad.tensor([0, 3]))
        tensor(1.3863)
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: Any = None,
        ignore_index: int = -100,
        reduce: Any = None,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(size_average, reduce, reduction, weight=weight)
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(
            input,
            target,
            self.weight,
            None,
            self.ignore_index,
            None,
            self.reduction,
            self.label_smoothing,
        )


class NLLLoss(_Loss):
    """Minus the log-probability of the target class.

    Args:
        weight: a factor per class, of shape (C,). Default: none.
        ignore_index: a class number that is left out. Default: -100.
        reduction: "mean" (the default), "sum" or "none".

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.NLLLoss()(tapegrad.tensor([[-0.5, -1.0]]), tapegrad.tensor([1]))
        tensor(1.)
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: Any = None,
        ignore_index: int = -100,
        reduce: Any = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction, weight=weight)
        self.ignore_index = ignore_index

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.nll_loss(input, target, self.weight, None, self.ignore_index, None, self.reduction)


class BCELoss(_Loss):
    """Binary cross-entropy of probabilities.

    Args:
        weight: factors that broadcast to the shape. Default: none.
        reduction: "mean" (the default), "sum" or "none".

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.BCELoss()(tapegrad.tensor([0.5]), tapegrad.tensor([1.0]))
        tensor(0.6931)
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: Any = None,
        reduce: Any = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction, weight=weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy(input, target, self.weight, reduction=self.reduction)


class BCEWithLogitsLoss(_Loss):
    """Binary cross-entropy of ``sigmoid(input)``, without overflow.

    Args:
        weight: factors that broadcast to the shape. Default: none.
        reduction: "mean" (the default), "sum" or "none".
        pos_weight: factors of the positive part. Default: none.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.BCEWithLogitsLoss()(tapegrad.tensor([0.0]), tapegrad.tensor([1.0]))
        tensor(0.6931)
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: Any = None,
        reduce: Any = None,
        reduction: str = "mean",
        pos_weight: Tensor | None = None,
    ) -> None:
        super().__init__(size_average, reduce, reduction, weight=weight, pos_weight=pos_weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(
            input, target, self.weight, None, None, self.reduction, self.pos_weight
        )
