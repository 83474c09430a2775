"""Losses that are put together from a few operators; `nn.functional` has them all."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable

import tapegrad

from .. import _C
from .._arguments import require_all
from .._C import Tensor
from .._C import _take_note as take_note
from . import functional as F

__all__ = [
    "cosine_embedding_loss",
    "ctc_loss",
    "gaussian_nll_loss",
    "hinge_embedding_loss",
    "huber_loss",
    "kl_div",
    "margin_ranking_loss",
    "multi_margin_loss",
    "multilabel_margin_loss",
    "multilabel_soft_margin_loss",
    "poisson_nll_loss",
    "soft_margin_loss",
    "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
]

_TINY = 1e-12  # under the roots of cosine_embedding_loss


def _as_input(loss: Tensor, input: Tensor) -> Tensor:
    """The losses in the dtype of the input, whatever that of the target is."""
    return loss.to(input.dtype) if input.is_floating_point() else loss


def huber_loss(
    input: Tensor,
    target: Tensor,
    reduction: str = "mean",
    delta: float = 1.0,
    weight: Tensor | None = None,
) -> Tensor:
    """Squared error below `delta`, absolute error above, with one slope where they meet.

    With ``d = |input - target|`` it is ``d**2 / 2`` where d < delta, else
    ``delta * (d - delta / 2)`` (Huber 1964).

    Args:
        input: any shape.
        target: the same shape (a shape that broadcasts gets a warning).
        reduction: "mean" (the default), "sum" or "none".
        delta: where it changes. Default: 1.0.
        weight: a factor per element, of the shape of the input. Default: none.

    Raises:
        RuntimeError: if delta is not positive.
        ValueError: for another reduction, or a weight of another shape.

    Example:
        >>> import tapegrad
        >>> F = tapegrad.nn.functional
        >>> F.huber_loss(tapegrad.tensor([0.0, 0.0]), tapegrad.tensor([1.0, 4.0]), delta=2.0)
        tensor(3.2500)
    """
    if take_note(input, target, weight):
        return huber_loss(input, target, reduction=reduction, delta=delta, weight=weight)
    if not delta > 0:
        raise RuntimeError("huber_loss does not support non-positive values for delta.")
    if input.shape != target.shape:
        F._warn_of_broadcast(input, target)
    if delta == math.inf:
        loss = 0.5 * _C.mse_loss(input, target, "none")
    else:
        loss = delta * _C.smooth_l1_loss(input, target, "none", delta)
    loss = _as_input(loss, input)
    if weight is None:
        return F._reduce(loss, reduction)
    if weight.shape != input.shape:
        raise ValueError("Weights and input must have the same size.")
    return F._reduce(loss * weight, reduction)


def kl_div(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Tensor:
    """Divergence of Kullback and Leibler: ``target * (log(target) - input)``.

    Args:
        input: log-probabilities, of any shape.
        target: probabilities of the same shape, or their logarithms.
        size_average: old form of `reduction`.
        reduce: old form of `reduction`.
        reduction: "mean" (the default, over all elements), "batchmean" (what the definition says),
            "sum" or "none".
        log_target: whether the target holds logarithms. Default: False.

    Raises:
        ValueError: for another reduction.

    Example:
        >>> import tapegrad
        >>> F = tapegrad.nn.functional
        >>> F.kl_div(tapegrad.zeros(1, 2), tapegrad.tensor([[0.5, 0.5]]), reduction="batchmean")
        tensor(-0.6931)
    """
    if take_note(input, target):
        return kl_div(
            input,
            target,
            size_average=size_average,
            reduce=reduce,
            reduction=reduction,
            log_target=log_target,
        )
    if size_average is not None or reduce is not None:
        reduction = F._old_reduction(size_average, reduce)
    elif reduction == "mean":
        warnings.warn(
            "reduction: 'mean' divides the total loss by both the batch size and the support size."
            "'batchmean' divides only by the batch size, and aligns with the KL div math "
            "definition.'mean' will be changed to behave the same as 'batchmean' in the next major "
            "release.",
            stacklevel=2,
        )
    if log_target:
        loss = target.exp() * (target - input)
    else:
        loss = _C.xlogy(target, target) - target * input
    if reduction == "batchmean":
        return loss.sum() / input.shape[0] if input.dim() else loss
    return F._reduce(loss, reduction)


def gaussian_nll_loss(
    input: Tensor,
    target: Tensor,
    var: Tensor | float,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:
    """Minus the log-likelihood of normal distributions (Nix and Weigend 1994).

    ``(log(var) + (input - target)**2 / var) / 2``, with ``max(var, eps)`` for var.

    Args:
        input: means, of any shape.
        target: samples, of a shape that broadcasts.
        var: variances, of the shape of the input, without its last dimension, or with 1 there; or
            a number.
        full: whether the constant ``log(2 * pi) / 2`` is added. Default: False.
        eps: the least variance. Default: 1e-6.
        reduction: "mean" (the default), "sum" or "none".

    Raises:
        ValueError: for negative variances, variances of another shape, another reduction.

    Example:
        >>> import tapegrad
        >>> F = tapegrad.nn.functional
        >>> F.gaussian_nll_loss(tapegrad.zeros(2), tapegrad.ones(2), tapegrad.ones(2))
        tensor(0.5000)
    """
    if take_note(input, target, var):
        return gaussian_nll_loss(input, target, var, full=full, eps=eps, reduction=reduction)
    if not isinstance(var, Tensor):
        if var < 0:
            raise ValueError("var has negative entry/entries")
        var = var * tapegrad.ones_like(input)
    else:
        require_all(~(var < 0), "var has negative entry/entries", ValueError)
    if var.shape != input.shape:
        if input.shape[:-1] == var.shape:
            var = var.unsqueeze(-1)
        elif input.shape[:-1] != var.shape[:-1] or var.shape[-1:] != (1,):
            raise ValueError("var is of incorrect size")
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not valid")
    var = var.clone()
    with tapegrad.no_grad():  # the gradient goes past the bound
        var.clamp_(min=eps)
    loss = 0.5 * (var.log() + (input - target) ** 2 / var)
    if full:
        loss = loss + 0.5 * math.log(2 * math.pi)
    return F._reduce(loss, reduction)


def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    size_average: bool | None = None,
    eps: float = 1e-8,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Minus the log-likelihood of Poisson distributions, without the term ``log(target!)``.

    Args:
        input: rates, or their logarithms, of any shape.
        target: counts, of a shape that broadcasts.
        log_input: whether the input holds logarithms: ``exp(input) - target * input``, else
            ``input - target * log(input + eps)``. Default: True.
        full: whether Stirling's approximation of the term is added, for targets above 1.
            Default: False.
        size_average: old form of `reduction`.
        eps: see `log_input`. Default: 1e-8.
        reduce: old form of `reduction`.
        reduction: "mean" (the default), "sum" or "none".

    Raises:
        ValueError: for another reduction.

    Example:
        >>> import tapegrad
        >>> F = tapegrad.nn.functional
        >>> F.poisson_nll_loss(tapegrad.zeros(2), tapegrad.tensor([1.0, 3.0]))
        tensor(1.)
    """
    if take_note(input, target):
        return poisson_nll_loss(
            input,
            target,
            log_input=log_input,
            full=full,
            size_average=size_average,
            eps=eps,
            reduce=reduce,
            reduction=reduction,
        )
    if size_average is not None or reduce is not None:
        reduction = F._old_reduction(size_average, reduce)
    if log_input:
        loss = input.exp() - target * input
    else:
        loss = input - target * (input + eps).log()
    if full:
        stirling = target * target.log() - target + 0.5 * (2 * math.pi * target).log()
        loss = loss + stirling.masked_fill(target <= 1, 0)
    return F._reduce(loss, reduction)


def cosine_embedding_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """For pairs that belong together (target 1) or apart (-1), from the cosine of their angle.

    ``1 - cos`` for the former, ``max(0, cos - margin)`` for the latter.

    Args:
        input1, input2: of shape (N, D) or (D).
        target: 1 or -1, of shape (N) or ().
        margin: between -1 and 1. Default: 0.
        size_average: old form of `reduction`.
        reduce: old form of `reduction`.
        reduction: "mean" (the default), "sum" or "none".

    Raises:
        RuntimeError: if the shapes do not fit.
        ValueError: for another reduction.

    Example:
        >>> import tapegrad
        >>> F = tapegrad.nn.functional
        >>> x = tapegrad.tensor([[1.0, 0.0]])
        >>> F.cosine_embedding_loss(x, -x, tapegrad.tensor([1]))
        tensor(2.)
    """
    if take_note(input1, input2, target):
        return cosine_embedding_loss(
            input1,
            input2,
            target,
            margin=margin,
            size_average=size_average,
            reduce=reduce,
            reduction=reduction,
        )
    if size_average is not None or reduce is not None:
        reduction = F._old_reduction(size_average, reduce)
    if target.dim() > 1:
        raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
    if input1.dim() != target.dim() + 1 or input2.dim() != target.dim() + 1:
        raise RuntimeError(
            f"{target.dim()}D target tensor expects {target.dim() + 1}D input tensors, but found "
            f"inputs with sizes {list(input1.shape)} and {list(input2.shape)}."
        )
    squares = ((input1 * input1).sum(-1) + _TINY) * ((input2 * input2).sum(-1) + _TINY)
    cosine = (input1 * input2).sum(-1) / squares.sqrt()
    loss = tapegrad.where(target == 1, 1 - cosine, 0) + tapegrad.where(
        target == -1, (cosine - margin).clamp_min(0), 0
    )
    return F._reduce(loss, reduction)


def hinge_embedding_loss(
    input: Tensor,
    target: Tensor,
    margin: float = 1.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """For distances of pairs that belong together (target 1) or apart (-1).

    ``input`` for the former, ``max(0, margin - input)`` for the latter.

    Args:
        input: any shape.
        target: 1 or -1, of a shape that broadcasts.
        margin: how far apart is enough. Default: 1.0.
        size_average: old form of `reduction`.
        reduce: old form of `reduction`.
        reduction: "mean" (the default), "sum" or "none".

    Raises:
        ValueError: for another reduction.

    Example:
        >>> import tapegrad
        >>> F = tapegrad.nn.functional
        >>> F.hinge_embedding_loss(tapegrad.tensor([0.5, 0.25]), tapegrad.tensor([1, -1]))
        tensor(0.6250)
    """
    if take_note(input, target):
        return hinge_embedding_loss(
            input,
            target,
            margin=margin,
            size_average=size_average,
            reduce=reduce,
            reduction=reduction,
        )
    if size_average is not None or reduce is not None:
        reduction = F._old_reduction(size_average, reduce)
    loss = tapegrad.where(target != 1, (margin - input).clamp_min(0), 0) + tapegrad.where(
        target != -1, input, 0
    )
    return F._reduce(loss, reduction)


def margin_ranking_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """For pairs of which the first (target 1) or the second (-1) should rank higher.

    ``max(0, -target * (input1 - input2) + margin)``.

    Args:
        input1, input2: any shape.
        target: 1 or -1, of the same number of dimensions.
        margin: by how much it should. Default: 0.
        size_average: old form of `reduction`.
        reduce: old form of `reduction`.
        reduction: "mean" (the default), "sum" or "none".

    Raises:
        RuntimeError: if the numbers of dimensions differ.
        ValueError: for another reduction.

    Example:
        >>> import tapegrad
        >>> F = tapegrad.nn.functional
        >>> x = tapegrad.tensor([1.0])
        >>> F.margin_ranking_loss(x, x + 2, tapegrad.tensor([1]))
        tensor(2.)
    """
    if take_note(input1, input2, target):
        return margin_ranking_loss(
            input1,
            input2,
            target,
            margin=margin,
            size_average=size_average,
            reduce=reduce,
            reduction=reduction,
        )
    if size_average is not None or reduce is not None:
        reduction = F._old_reduction(size_average, reduce)
    if not input1.dim() == input2.dim() == target.dim():
        raise RuntimeError(
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: "
            f"input1: {input1.size()}, input2: {input2.size()}, target: {target.size()} "
        )
    return F._reduce((-target * (input1 - input2) + float(margin)).clamp_min(0), reduction)


def soft_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The logistic loss of scores for two classes: ``log(1 + exp(-target * input))``.

    Args:
        input: any shape.
        target: 1 or -1, of a shape that broadcasts.
        size_average: old form of `reduction`.
        reduce: old form of `reduction`.
        reduction: "mean" (the default), "sum" or "none".

    Raises:
        ValueError: for another reduction.

    Example:
        >>> import tapegrad
        >>> F = tapegrad.nn.functional
        >>> F.soft_margin_loss(tapegrad.zeros(2), tapegrad.tensor([1.0, -1.0]))
        tensor(0.6931)
    """
    if take_note(input, target):
        return soft_margin_loss(
            input, target, size_average=size_average, reduce=reduce, reduction=reduction
        )
    if size_average is not None or reduce is not None:
        reduction = F._old_reduction(size_average, reduce)
    return F._reduce(_as_input(-F.logsigmoid(target * input), input), reduction)


def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: int = 1,
    margin: float = 1.0,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Hinge loss for one of several classes (Crammer and Singer 2001).

    The mean over all classes of ``max(0, margin - input[target] + input[i]) ** p``, without the
    target's own.

    Args:
        input: scores of shape (N, C) or (C).
        target: class numbers of shape (N) or ().
        p: 1 or 2. Default: 1.
        margin: by how much the target's score should lead. Default: 1.0.
        weight: a factor per class, of shape (C). Default: none.
        size_average: old form of `reduction`.
        reduce: old form of `reduction`.
        reduction: "mean" (the default), "sum" or "none".

    Raises:
        ValueError: for another p or reduction, or a weight that is no vector.
        IndexError: if a class number is out of range.

    Example:
        >>> import tapegrad
        >>> F = tapegrad.nn.functional
        >>> F.multi_margin_loss(tapegrad.tensor([[1.0, 2.0]]), tapegrad.tensor([0]))
        tensor(1.)
    """
    if take_note(input, target, weight):
        return multi_margin_loss(
            input,
            target,
            p=p,
            margin=margin,
            weight=weight,
            size_average=size_average,
            reduce=reduce,
            reduction=reduction,
        )
    if size_average is not None or reduce is not None:
        reduction = F._old_reduction(size_average, reduce)
    if p not in (1, 2):
        raise ValueError("only p == 1 and p == 2 supported")
    if weight is not None and weight.dim() != 1:
        raise ValueError("weight must be one-dimensional")
    F._check_reduction(reduction)
    if input.dim() == 0:
        input, target = input.reshape(1), target.reshape(())
    index = target.unsqueeze(-1)
    hinge = (margin - input.gather(-1, index) + input).clamp_min(0)
    if p == 2:
        hinge = hinge * hinge
    if weight is not None:
        hinge = hinge * weight[index]
    hinge = hinge.scatter(-1, index, 0)
    return F._reduce(hinge.sum(-1) / input.shape[-1], reduction)


def multilabel_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Hinge loss for several classes at once: each of them against each other one.

    The sum of ``max(0, 1 - (input[j] - input[i]))`` over all classes j that are named and all i
    that are not, divided by the number of classes.

    Args:
        input: scores of shape (N, C) or (C).
        target: class numbers of the same shape; what follows the first -1 does not count.
        size_average: old form of `reduction`.
        reduce: old form of `reduction`.
        reduction: "mean" (the default), "sum" or "none".

    Raises:
        RuntimeError: if the shapes differ or a class number is out of range.
        ValueError: for another reduction.

    Example:
        >>> import tapegrad
        >>> F = tapegrad.nn.functional
        >>> x = tapegrad.tensor([0.1, 0.2, 0.4, 0.8])
        >>> F.multilabel_margin_loss(x, tapegrad.tensor([3, 0, -1, 1]))
        tensor(0.8500)
    """
    if take_note(input, target):
        return multilabel_margin_loss(
            input, target, size_average=size_average, reduce=reduce, reduction=reduction
        )
    if size_average is not None or reduce is not None:
        reduction = F._old_reduction(size_average, reduce)
    if input.shape != target.shape:
        raise RuntimeError(
            f"inconsistent target size: {list(target.shape)} for input of size: {list(input.shape)}"
        )
    F._check_reduction(reduction)
    if input.dim() == 0:
        input, target = input.reshape(1), target.reshape(1)
    wrong = (target < -1) | (target >= input.shape[-1])
    require_all(~wrong, "target is out of range")
    counts = (target >= 0).long().cumprod(-1)
    place = target * counts
    named = tapegrad.zeros_like(target).scatter_reduce(-1, place, counts, "amax")
    pairs = 1 - (input.gather(-1, place).unsqueeze(-1) - input.unsqueeze(-2))
    wanted = counts.unsqueeze(-1) * (1 - named).unsqueeze(-2)
    loss = (pairs.clamp_min(0) * wanted).sum((-2, -1)) / input.shape[-1]
    return F._reduce(loss, reduction)


def multilabel_soft_margin_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The mean over all classes of the logistic loss of each.

    Args:
        input: scores of shape (..., C).
        target: 0 or 1, of the same shape.
        weight: a factor per class. Default: none.
        size_average: old form of `reduction`.
        reduce: old form of `reduction`.
        reduction: "mean" (the default), "sum" or "none".

    Raises:
        ValueError: for another reduction.

    Example:
        >>> import tapegrad
        >>> F = tapegrad.nn.functional
        >>> F.multilabel_soft_margin_loss(tapegrad.zeros(1, 2), tapegrad.tensor([[1.0, 0.0]]))
        tensor(0.6931)
    """
    if take_note(input, target, weight):
        return multilabel_soft_margin_loss(
            input,
            target,
            weight=weight,
            size_average=size_average,
            reduce=reduce,
            reduction=reduction,
        )
    if size_average is not None or reduce is not None:
        reduction = F._old_reduction(size_average, reduce)
    loss = -(target * F.logsigmoid(input) + (1 - target) * F.logsigmoid(-input))
    if weight is not None:
        loss = loss * weight
    return F._reduce(loss.mean(-1), reduction)


def _triplet(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    distance: Callable[[Tensor, Tensor], Tensor],
    margin: float,
    swap: bool,
    reduction: str,
) -> Tensor:
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    dims = [x.dim() for x in (anchor, positive, negative)]
    if len(set(dims)) > 1:
        raise RuntimeError(
            "The anchor, positive, and negative tensors are expected to have the same number of "
            f"dimensions, but got: anchor {dims[0]}D, positive {dims[1]}D, and negative {dims[2]}D "
            "inputs"
        )
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = tapegrad.minimum(far, distance(positive, negative))
    return F._reduce((margin + near - far).clamp_min(0), reduction)


def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Of two others, the positive should be nearer to the anchor (Balntas et al. 2016).

    ``max(0, |anchor - positive| - |anchor - negative| + margin)``.

    Args:
        anchor, positive, negative: of shape (..., D).
        margin: by how much, more than 0. Default: 1.0.
        p: the order of the norm. Default: 2.
        eps: added to the differences. Default: 1e-6.
        swap: whether the negative's distance from the positive counts where that is less.
        size_average: old form of `reduction`.
        reduce: old form of `reduction`.
        reduction: "mean" (the default), "sum" or "none".

    Raises:
        RuntimeError: if the numbers of dimensions differ.
        ValueError: for another reduction or margin.

    Example:
        >>> import tapegrad
        >>> F = tapegrad.nn.functional
        >>> a = tapegrad.zeros(1, 2)
        >>> F.triplet_margin_loss(a, a + 1, a + 1)
        tensor(1.0000)
    """
    if take_note(anchor, positive, negative):
        return triplet_margin_loss(
            anchor,
            positive,
            negative,
            margin=margin,
            p=p,
            eps=eps,
            swap=swap,
            size_average=size_average,
            reduce=reduce,
            reduction=reduction,
        )
    if size_average is not None or reduce is not None:
        reduction = F._old_reduction(size_average, reduce)

    def distance(x: Tensor, y: Tensor) -> Tensor:
        return F.pairwise_distance(x, y, p, eps)

    return _triplet(anchor, positive, negative, distance, margin, swap, reduction)


def triplet_margin_with_distance_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """As :func:`triplet_margin_loss`, with any distance.

    Args:
        anchor, positive, negative: what the distance takes.
        distance_function: takes two tensors. Default: :func:`pairwise_distance`.
        margin: by how much the positive should be nearer, more than 0. Default: 1.0.
        swap: whether the negative's distance from the positive counts where that is less.
        reduction: "mean" (the default), "sum" or "none".

    Raises:
        RuntimeError: if the numbers of dimensions differ.
        ValueError: for another reduction or margin.

    Example:
        >>> import tapegrad
        >>> F = tapegrad.nn.functional
        >>> a = tapegrad.zeros(1, 2)
        >>> F.triplet_margin_with_distance_loss(
        ...     a, a, a + 1, distance_function=lambda x, y: (x - y).abs().sum(-1), margin=3.0)
        tensor(1.)
    """
    if take_note(anchor, positive, negative):
        return triplet_margin_with_distance_loss(
            anchor,
            positive,
            negative,
            distance_function=distance_function,
            margin=margin,
            swap=swap,
            reduction=reduction,
        )
    distance = F.pairwise_distance if distance_function is None else distance_function
    return _triplet(anchor, positive, negative, distance, margin, swap, reduction)


def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Tensor,
    target_lengths: Tensor,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """Connectionist temporal classification (Graves et al. 2006).

    Minus the logarithm of the probability of all ways in which the steps, with repetitions and
    blanks taken out, spell the target.

    Args:
        log_probs: log-probabilities of shape (T, N, C) or (T, C).
        targets: class numbers of shape (N, S), or of all samples one after the other.
        input_lengths: how many steps of each sample count, shape (N) or (); ints too.
        target_lengths: how long each target is, shape (N) or (); ints too.
        blank: the class that stands for nothing. Default: 0.
        reduction: "mean" (the default; each loss is divided by the length of its target first),
            "sum" or "none".
        zero_infinity: whether the infinite loss of a target that does not fit is 0, with a
            gradient of 0. Default: False.

    Raises:
        RuntimeError: if lengths or shapes do not fit.
        ValueError: for another reduction.

    Example:
        >>> import tapegrad
        >>> F = tapegrad.nn.functional
        >>> steps = tapegrad.zeros(2, 1, 3).log_softmax(-1)
        >>> F.ctc_loss(steps, tapegrad.tensor([[1]]), [2], [1], reduction="sum")
        tensor(1.0986)
    """
    if take_note(log_probs, targets, input_lengths, target_lengths):
        return ctc_loss(
            log_probs,
            targets,
            input_lengths,
            target_lengths,
            blank=blank,
            reduction=reduction,
            zero_infinity=zero_infinity,
        )
    single = log_probs.dim() == 2
    if single:
        log_probs = log_probs.unsqueeze(1)
    if log_probs.numel() == 0:
        raise RuntimeError("log_probs tensor must not be empty")
    steps, count, classes = log_probs.shape
    lengths, sizes = _lengths(input_lengths), _lengths(target_lengths)
    if len(lengths) != count:
        raise RuntimeError("input_lengths must be of size batch_size")
    if len(sizes) != count:
        raise RuntimeError("target_lengths must be of size batch_size")
    if not 0 <= blank < classes:
        raise RuntimeError("blank must be in label range")
    for i, (length, size) in enumerate(zip(lengths, sizes, strict=True)):
        if not 0 <= length <= steps:
            raise RuntimeError(
                f"Expected input_lengths to have value at most {steps}, but got value {length} "
                f"(while checking arguments for ctc_loss_cpu)"
            )
        if size < 0:
            raise RuntimeError(
                f"Expected target_lengths to have value at least 0, but got value {size} at "
                f"position {i}"
            )
    labels = _padded_targets(targets, sizes, single)

    # Between blanks, before and after: states 0 to 2 S.
    longest = labels.shape[1]
    states = tapegrad.full((count, 2 * longest + 1), blank, dtype=tapegrad.int64)
    states[:, 1::2] = labels
    emitted = log_probs.gather(2, states.unsqueeze(0).expand(steps, -1, -1))
    never = tapegrad.full((count, 1), -math.inf, dtype=log_probs.dtype)
    # A state is reached from itself, the one before, and past a blank if that parts two labels.
    skips = tapegrad.zeros_like(states, dtype=tapegrad.bool)
    skips[:, 2:] = (states[:, 2:] != blank) & (states[:, 2:] != states[:, :-2])
    final = tapegrad.tensor(sizes) * 2

    alpha = never.expand(-1, states.shape[1])
    begin = tapegrad.arange(states.shape[1]) < 2
    ends = []
    for t in range(steps):
        if t == 0:
            alpha = tapegrad.where(begin, emitted[0], -math.inf)
        else:
            before = tapegrad.cat([never, alpha[:, :-1]], 1)
            reached = [alpha, before]
            if states.shape[1] > 2:
                past = tapegrad.cat([never, never, alpha[:, :-2]], 1)
                reached.append(tapegrad.where(skips, past, -math.inf))
            alpha = tapegrad.logsumexp(tapegrad.stack(reached), 0) + emitted[t]
        ends.append(alpha)
    loss = _at_end(ends, lengths, final)
    if zero_infinity:
        loss = tapegrad.where(tapegrad.isinf(loss), 0, loss)
    if single:
        loss = loss.squeeze(0)
    if reduction == "mean":
        divisor = tapegrad.tensor(sizes, dtype=loss.dtype).clamp_min(1)
        return (loss / (divisor[0] if single else divisor)).mean()
    return F._reduce(loss, reduction)


def _lengths(given: Tensor | int | list[int] | tuple[int, ...]) -> list[int]:
    values = given.tolist() if isinstance(given, Tensor) else given
    return [int(v) for v in values] if isinstance(values, (list, tuple)) else [int(values)]


def _padded_targets(targets: Tensor, sizes: list[int], single: bool) -> Tensor:
    """The labels of all samples as rows."""
    longest = max(sizes, default=0)
    if targets.dim() == 1 and not single:
        if targets.shape[0] != sum(sizes):
            raise RuntimeError(
                f"Expected targets to have size {sum(sizes)}, the sum of target_lengths, but got "
                f"{targets.shape[0]}"
            )
        rows = tapegrad.zeros(len(sizes), longest, dtype=tapegrad.int64)
        for row, labels in zip(rows, targets.long().split(sizes), strict=True):
            row[: len(labels)] = labels
        return rows
    rows = targets.long().reshape(1, -1) if single else targets.long()
    if rows.shape[0] != len(sizes) or rows.shape[1] < longest:
        raise RuntimeError(
            f"Expected targets of at least size [{len(sizes)}, {longest}], but got "
            f"{list(targets.shape)}"
        )
    return rows[:, :longest]


def _at_end(ends: list[Tensor], lengths: list[int], final: Tensor) -> Tensor:
    """Minus the log-probability of the last two states at the last step of each sample."""
    losses = []
    for i, length in enumerate(lengths):
        last = int(final[i].item())
        if length == 0:
            losses.append(tapegrad.tensor(0.0 if last == 0 else math.inf, dtype=ends[0].dtype))
            continue
        row = ends[length - 1][i]
        losses.append(-tapegrad.logsumexp(row[max(last - 1, 0) : last + 1], 0))
    return tapegrad.stack(losses)
