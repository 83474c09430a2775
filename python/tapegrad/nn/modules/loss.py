"""Loss functions as modules: ``loss(prediction, target)``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..._C import Tensor
from .. import functional as F
from .module import Module

__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "CTCLoss",
    "CosineEmbeddingLoss",
    "CrossEntropyLoss",
    "GaussianNLLLoss",
    "HingeEmbeddingLoss",
    "HuberLoss",
    "KLDivLoss",
    "L1Loss",
    "MSELoss",
    "MarginRankingLoss",
    "MultiLabelMarginLoss",
    "MultiLabelSoftMarginLoss",
    "MultiMarginLoss",
    "NLLLoss",
    "PoissonNLLLoss",
    "SmoothL1Loss",
    "SoftMarginLoss",
    "TripletMarginLoss",
    "TripletMarginWithDistanceLoss",
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


class _WeightedLoss(_Loss):
    """A loss with a weight, for losses outside of this library."""

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction, weight=weight)


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


class HuberLoss(_Loss):
    """Squared error below `delta`, absolute error above, with one slope where they meet.

    Args:
        reduction: "mean" (the default), "sum" or "none".
        delta: where it changes. Default: 1.0.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.HuberLoss()(tapegrad.zeros(2), tapegrad.tensor([1.0, 3.0]))
        tensor(1.5000)
    """

    def __init__(
        self,
        reduction: str = "mean",
        delta: float = 1.0,
    ) -> None:
        super().__init__(reduction=reduction)
        self.delta = delta

    def forward(self, input: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        return F.huber_loss(input, target, self.reduction, self.delta, weight)


class KLDivLoss(_Loss):
    """Divergence of Kullback and Leibler, of log-probabilities from a target.

    Args:
        reduction: "mean" (the default), "batchmean" (what the definition says), "sum" or "none".
        log_target: whether the target holds logarithms. Default: False.

    Example:
        >>> import tapegrad
        >>> target = tapegrad.tensor([[0.5, 0.5]])
        >>> tapegrad.nn.KLDivLoss(reduction="sum")(tapegrad.zeros(1, 2), target)
        tensor(-0.6931)
    """

    def __init__(
        self,
        size_average: Any = None,
        reduce: Any = None,
        reduction: str = "mean",
        log_target: bool = False,
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.log_target = log_target

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.kl_div(input, target, reduction=self.reduction, log_target=self.log_target)


class PoissonNLLLoss(_Loss):
    """Minus the log-likelihood of counts, from rates or their logarithms.

    Args:
        log_input: whether the input holds logarithms. Default: True.
        full: whether Stirling's approximation of the last term is added. Default: False.
        eps: added to rates under the logarithm. Default: 1e-8.
        reduction: "mean" (the default), "sum" or "none".

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.PoissonNLLLoss()(tapegrad.zeros(2), tapegrad.tensor([1.0, 3.0]))
        tensor(1.)
    """

    def __init__(
        self,
        log_input: bool = True,
        full: bool = False,
        size_average: Any = None,
        eps: float = 1e-8,
        reduce: Any = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.log_input = log_input
        self.full = full
        self.eps = eps

    def forward(self, log_input: Tensor, target: Tensor) -> Tensor:
        return F.poisson_nll_loss(
            log_input, target, self.log_input, self.full, eps=self.eps, reduction=self.reduction
        )


class GaussianNLLLoss(_Loss):
    """Minus the log-likelihood of samples, from means and variances.

    Args:
        full: whether the constant term is added. Default: False.
        eps: the least variance. Default: 1e-6.
        reduction: "mean" (the default), "sum" or "none".

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.GaussianNLLLoss()(tapegrad.zeros(2), tapegrad.ones(2), tapegrad.ones(2))
        tensor(0.5000)
    """

    def __init__(
        self,
        *,
        full: bool = False,
        eps: float = 1e-6,
        reduction: str = "mean",
    ) -> None:
        super().__init__(reduction=reduction)
        self.full = full
        self.eps = eps

    def forward(self, input: Tensor, target: Tensor, var: Tensor | float) -> Tensor:
        return F.gaussian_nll_loss(input, target, var, self.full, self.eps, self.reduction)


class CosineEmbeddingLoss(_Loss):
    """For pairs that belong together (target 1) or apart (-1), from the cosine of their angle.

    Args:
        margin: which cosine is small enough for pairs that belong apart. Default: 0.
        reduction: "mean" (the default), "sum" or "none".

    Example:
        >>> import tapegrad
        >>> x = tapegrad.ones(1, 2)
        >>> tapegrad.nn.CosineEmbeddingLoss()(x, -x, tapegrad.tensor([1]))
        tensor(2.)
    """

    def __init__(
        self,
        margin: float = 0.0,
        size_average: Any = None,
        reduce: Any = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.margin = margin

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        return F.cosine_embedding_loss(
            input1, input2, target, self.margin, reduction=self.reduction
        )


class HingeEmbeddingLoss(_Loss):
    """For distances of pairs that belong together (target 1) or apart (-1).

    Args:
        margin: how far apart is enough. Default: 1.0.
        reduction: "mean" (the default), "sum" or "none".

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.HingeEmbeddingLoss()(tapegrad.tensor([0.5, 0.25]), tapegrad.tensor([1, -1]))
        tensor(0.6250)
    """

    def __init__(
        self,
        margin: float = 1.0,
        size_average: Any = None,
        reduce: Any = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.margin = margin

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.hinge_embedding_loss(input, target, self.margin, reduction=self.reduction)


class MarginRankingLoss(_Loss):
    """For pairs of which the first (target 1) or the second (-1) should rank higher.

    Args:
        margin: by how much it should. Default: 0.
        reduction: "mean" (the default), "sum" or "none".

    Example:
        >>> import tapegrad
        >>> x = tapegrad.ones(1)
        >>> tapegrad.nn.MarginRankingLoss()(x, x - 1, tapegrad.tensor([-1]))
        tensor(1.)
    """

    def __init__(
        self,
        margin: float = 0.0,
        size_average: Any = None,
        reduce: Any = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.margin = margin

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        return F.margin_ranking_loss(input1, input2, target, self.margin, reduction=self.reduction)


class SoftMarginLoss(_Loss):
    """The logistic loss of scores for two classes, 1 and -1.

    Args:
        reduction: "mean" (the default), "sum" or "none".

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.SoftMarginLoss()(tapegrad.zeros(2), tapegrad.tensor([1.0, -1.0]))
        tensor(0.6931)
    """

    def __init__(
        self,
        size_average: Any = None,
        reduce: Any = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.soft_margin_loss(input, target, reduction=self.reduction)


class MultiLabelMarginLoss(_Loss):
    """Hinge loss of scores for several classes at once.

    Args:
        reduction: "mean" (the default), "sum" or "none".

    Example:
        >>> import tapegrad
        >>> x, target = tapegrad.tensor([0.1, 0.3]), tapegrad.tensor([1, -1])
        >>> tapegrad.nn.MultiLabelMarginLoss()(x, target)
        tensor(0.4000)
    """

    def __init__(
        self,
        size_average: Any = None,
        reduce: Any = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.multilabel_margin_loss(input, target, reduction=self.reduction)


class MultiLabelSoftMarginLoss(_Loss):
    """The mean over all classes of the logistic loss of each.

    Args:
        weight: a factor per class. Default: none.
        reduction: "mean" (the default), "sum" or "none".

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.MultiLabelSoftMarginLoss()(tapegrad.zeros(1, 2), tapegrad.ones(1, 2))
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
        return F.multilabel_soft_margin_loss(input, target, self.weight, reduction=self.reduction)


class MultiMarginLoss(_Loss):
    """Hinge loss of scores for one of several classes.

    Args:
        p: 1 or 2, the power of the hinge. Default: 1.
        margin: by how much the target's score should lead. Default: 1.0.
        weight: a factor per class. Default: none.
        reduction: "mean" (the default), "sum" or "none".

    Raises:
        ValueError: for another p, or a weight that is no vector.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.MultiMarginLoss()(tapegrad.tensor([[1.0, 2.0]]), tapegrad.tensor([0]))
        tensor(1.)
    """

    def __init__(
        self,
        p: int = 1,
        margin: float = 1.0,
        weight: Tensor | None = None,
        size_average: Any = None,
        reduce: Any = None,
        reduction: str = "mean",
    ) -> None:
        if p not in (1, 2):
            raise ValueError("only p == 1 and p == 2 supported")
        if weight is not None and weight.dim() != 1:
            raise ValueError(
                f"MultiMarginLoss: expected weight to be None or 1D tensor, got {weight.dim()}D "
                "instead"
            )
        super().__init__(size_average, reduce, reduction, weight=weight)
        self.p = p
        self.margin = margin

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.multi_margin_loss(
            input, target, self.p, self.margin, self.weight, reduction=self.reduction
        )


class TripletMarginLoss(_Loss):
    """Of two others, the positive should be nearer to the anchor.

    Args:
        margin: by how much, more than 0. Default: 1.0.
        p: the order of the norm. Default: 2.
        eps: added to the differences. Default: 1e-6.
        swap: whether the negative's distance from the positive counts where that is less.
        reduction: "mean" (the default), "sum" or "none".

    Raises:
        ValueError: if the margin is not positive.

    Example:
        >>> import tapegrad
        >>> a = tapegrad.zeros(1, 2)
        >>> tapegrad.nn.TripletMarginLoss()(a, a + 1, a + 1)
        tensor(1.0000)
    """

    def __init__(
        self,
        margin: float = 1.0,
        p: float = 2.0,
        eps: float = 1e-6,
        swap: bool = False,
        size_average: Any = None,
        reduce: Any = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        if margin <= 0:
            raise ValueError(
                f"TripletMarginLoss: expected margin to be greater than 0, got {margin} instead"
            )
        self.margin = margin
        self.p = p
        self.eps = eps
        self.swap = swap

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        return F.triplet_margin_loss(
            anchor,
            positive,
            negative,
            self.margin,
            self.p,
            self.eps,
            self.swap,
            reduction=self.reduction,
        )


class TripletMarginWithDistanceLoss(_Loss):
    """As :class:`TripletMarginLoss`, with any distance.

    Args:
        distance_function: takes two tensors. Default: :class:`PairwiseDistance`.
        margin: by how much the positive should be nearer, more than 0. Default: 1.0.
        swap: whether the negative's distance from the positive counts where that is less.
        reduction: "mean" (the default), "sum" or "none".

    Raises:
        ValueError: if the margin is not positive.

    Example:
        >>> import tapegrad
        >>> a = tapegrad.zeros(1, 2)
        >>> tapegrad.nn.TripletMarginWithDistanceLoss(margin=2.0)(a, a, a)
        tensor(2.)
    """

    def __init__(
        self,
        *,
        distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
        margin: float = 1.0,
        swap: bool = False,
        reduction: str = "mean",
    ) -> None:
        super().__init__(reduction=reduction)
        if margin <= 0:
            raise ValueError(
                "TripletMarginWithDistanceLoss: expected margin to be greater than 0, got "
                f"{margin} instead"
            )
        if distance_function is None:
            from .distance import PairwiseDistance

            distance_function = PairwiseDistance()
        self.distance_function = distance_function
        self.margin = margin
        self.swap = swap

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        return F.triplet_margin_with_distance_loss(
            anchor,
            positive,
            negative,
            distance_function=self.distance_function,
            margin=self.margin,
            swap=self.swap,
            reduction=self.reduction,
        )


class CTCLoss(_Loss):
    """Connectionist temporal classification: log-probabilities of steps against a target text.

    Args:
        blank: the class that stands for nothing. Default: 0.
        reduction: "mean" (the default; divided by the targets' lengths first), "sum" or "none".
        zero_infinity: whether the infinite loss of a target that does not fit is 0. Default: False.

    Example:
        >>> import tapegrad
        >>> steps = tapegrad.zeros(2, 1, 3).log_softmax(-1)
        >>> tapegrad.nn.CTCLoss()(steps, tapegrad.tensor([[1]]), [2], [1])
        tensor(1.0986)
    """

    def __init__(
        self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False
    ) -> None:
        super().__init__(reduction=reduction)
        self.blank = blank
        self.zero_infinity = zero_infinity

    def forward(
        self, log_probs: Tensor, targets: Tensor, input_lengths: Any, target_lengths: Any
    ) -> Tensor:
        return F.ctc_loss(
            log_probs,
            targets,
            input_lengths,
            target_lengths,
            self.blank,
            self.reduction,
            self.zero_infinity,
        )
