"""Losses of outputs against targets, with weights of samples.

Outputs are what the last layer gives, before any activation function. Each loss says in which form
it takes them, and what the targets look like.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import tapegrad

from .. import nn
from .._C import Tensor
from ..nn import functional as F
from ._names import by_name

__all__ = ["Loss", "Problem", "loss_for", "n_outputs_for", "output_activation"]

Function = Callable[[Tensor, Tensor, str], Tensor]  # outputs, targets and the reduction
Array = Any


@dataclass(frozen=True)
class Problem:
    """What is predicted: `n_classes` is 0 for numbers, and counts labels where there are many."""

    n_classes: int = 0
    multilabel: bool = False


@dataclass(frozen=True)
class Loss:
    """A loss over batches: the mean over samples, or their weighted mean.

    Attributes:
        function: the loss itself, with PyTorch's reductions.
        targets: makes what `function` takes from class indices, indicators or numbers.
        summed: whether the losses of several outputs of a sample add up, instead of their mean.
        shown: what `loss_` has of it: scikit-learn shows squared errors as means over the outputs,
            but follows the gradient of their sum.
    """

    function: Function
    targets: Callable[[Array], Array]
    summed: bool = False
    shown: float = 1.0

    def __call__(self, out: Tensor, target: Tensor, weight: Tensor | None) -> Tensor:
        if weight is None:
            if self.summed and target.dim() > 1 and target.shape[1] > 1:
                return self.function(out, target, "sum") / len(out)
            return self.function(out, target, "mean")
        rows = self.function(out, target, "none")
        if rows.dim() == 0:
            raise ValueError(
                "this loss gives one number for a batch, which samples cannot have weights in"
            )
        if rows.dim() > 1:
            rows = rows.flatten(1)
            rows = rows.sum(1) if self.summed else rows.mean(1)
        return rows.dot(weight) / weight.sum()


# ------------------------------------------------------------------ forms of targets


def _numbers(y: Array) -> Array:
    return y


def _indices(y: Array) -> Array:
    return y.astype(np.int64)


def _indicators(n_classes: int) -> Callable[[Array], Array]:
    """Targets 0 and 1: a column for each class, or one for two of them where `n_classes` is 1."""

    def encode(y: Array) -> Array:
        if y.ndim > 1:
            return y
        return y[:, None] == (np.arange(n_classes) if n_classes > 1 else 1)

    return encode


def _signs(n_classes: int) -> Callable[[Array], Array]:
    encode = _indicators(n_classes)
    return lambda y: np.where(encode(y), 1, -1)


def _label_lists(n_classes: int) -> Callable[[Array], Array]:
    """Indices of the labels that a sample has, then -1."""
    encode = _indicators(n_classes)

    def lists(y: Array) -> Array:
        present = encode(y)
        order = np.argsort(~present.astype(bool), axis=1, kind="stable")
        return np.where(np.take_along_axis(present, order, axis=1), order, -1).astype(np.int64)

    return lists


# ------------------------------------------------------------------ scikit-learn's losses


def _binary_log_loss(out: Tensor, target: Tensor, reduction: str) -> Tensor:
    return F.binary_cross_entropy_with_logits(out, target, reduction=reduction)


def _log_loss(out: Tensor, target: Tensor, reduction: str) -> Tensor:
    return F.cross_entropy(out, target, reduction=reduction)


def _squared_error(out: Tensor, target: Tensor, reduction: str) -> Tensor:
    return F.mse_loss(out, target, reduction=reduction) * 0.5


def _poisson(out: Tensor, target: Tensor, reduction: str) -> Tensor:
    """Half of the deviance; outputs are logarithms of the means."""
    loss = F.poisson_nll_loss(out, target, reduction=reduction)
    least = tapegrad.xlogy(target, target) - target
    if reduction == "none":
        return loss + least
    return loss + (least.sum() if reduction == "sum" else least.mean())


# ------------------------------------------------------------------ losses of nn

_SCORES_AND_INDICES = (nn.CrossEntropyLoss, nn.MultiMarginLoss)
_SCORES_AND_INDICATORS = (nn.BCEWithLogitsLoss, nn.MultiLabelSoftMarginLoss)
_SCORES_AND_SIGNS = (nn.SoftMarginLoss, nn.HingeEmbeddingLoss)
# They compare classes with one another: two of them have an output each, and labels no threshold.
_AMONG_CLASSES = (*_SCORES_AND_INDICES, nn.NLLLoss, nn.KLDivLoss, nn.MultiLabelMarginLoss)
_FOR_CLASSES = (*_AMONG_CLASSES, *_SCORES_AND_SIGNS, nn.BCELoss, nn.MultiLabelSoftMarginLoss)
_OTHER_ARGUMENTS = (
    nn.CTCLoss,
    nn.CosineEmbeddingLoss,
    nn.GaussianNLLLoss,
    nn.MarginRankingLoss,
    nn.TripletMarginLoss,
    nn.TripletMarginWithDistanceLoss,
)
_OWN = ("log_loss", "squared_error", "poisson")


def _resolve(given: Any) -> Any:
    """A name of ours, a module of nn or a function."""
    if isinstance(given, str):
        if given in _OWN:
            return given
        given = by_name(nn.modules.loss, given, "loss", suffix="Loss")
    if isinstance(given, nn.Module):
        loss = copy.deepcopy(given)
    elif inspect.isclass(given) and issubclass(given, nn.Module):
        loss = given()
    elif callable(given):
        return given
    else:
        raise ValueError(f"loss must be a name, a module or a function, got {given!r}")
    if isinstance(loss, _OTHER_ARGUMENTS):
        raise ValueError(
            f"{type(loss).__name__} takes other arguments than outputs and targets; "
            "a function of these two may call it"
        )
    return loss


def _reducing(loss: Any, transform: Callable[[Tensor], Tensor] | None) -> Function:
    """A module or function of two arguments, with the reduction as a third."""
    has_reduction = hasattr(loss, "reduction")

    def function(out: Tensor, target: Tensor, reduction: str) -> Tensor:
        if transform is not None:
            out = transform(out)
        if has_reduction:
            loss.reduction = reduction
            return loss(out, target)
        values = loss(out, target)
        if reduction == "none" or values.dim() == 0:
            return values
        return values.mean() if reduction == "mean" else values.sum()

    return function


def _probabilities(softmax: bool) -> Callable[[Tensor], Tensor]:
    return (lambda out: out.softmax(-1)) if softmax else Tensor.sigmoid


def _log_probabilities(softmax: bool) -> Callable[[Tensor], Tensor]:
    return (lambda out: out.log_softmax(-1)) if softmax else F.logsigmoid


def _distances(out: Tensor) -> Tensor:
    return F.softplus(-out)


def n_outputs_for(given: Any, problem: Problem) -> int:
    """How many outputs a classifier's network has: one for two classes, where the loss allows."""
    if problem.multilabel or problem.n_classes > 2:
        return problem.n_classes
    return max(problem.n_classes, 2) if isinstance(_resolve(given), _AMONG_CLASSES) else 1


def output_activation(given: Any, problem: Problem, width: int) -> str:
    """The function of the outputs that predictions are read from."""
    if problem.n_classes:
        return "softmax" if width > 1 and not problem.multilabel else "logistic"
    loss = _resolve(given)
    if isinstance(loss, nn.BCEWithLogitsLoss):
        return "logistic"
    if loss == "poisson" or (isinstance(loss, nn.PoissonNLLLoss) and loss.log_input):
        return "exp"
    return "identity"


def loss_for(given: Any, problem: Problem, width: int, dtype: tapegrad.dtype) -> Loss:
    """The loss of outputs of this width.

    Raises:
        ValueError: for a loss that is not one for this problem.
    """
    loss = _resolve(given)
    if isinstance(loss, nn.Module):
        loss = loss.to(dtype)
    if not problem.n_classes:
        if loss == "log_loss" or isinstance(loss, _FOR_CLASSES):
            raise ValueError(f"{given!r} is a loss for classes, not for numbers")
        if loss == "squared_error":
            return Loss(_squared_error, _numbers, summed=True, shown=1 / width)
        if loss == "poisson":
            return Loss(_poisson, _numbers, summed=True)
        return Loss(_reducing(loss, None), _numbers)
    softmax = output_activation(given, problem, width) == "softmax"
    if loss in ("squared_error", "poisson"):
        raise ValueError(f"{given!r} is a loss for numbers, not for classes")
    if loss == "log_loss":
        if softmax:
            return Loss(_log_loss, _indices)
        return Loss(_binary_log_loss, _indicators(width), summed=True)
    if problem.multilabel and isinstance(loss, _AMONG_CLASSES):
        raise ValueError(f"{given!r} is a loss for one class per sample, not for several labels")
    transform: Callable[[Tensor], Tensor] | None = None
    targets: Callable[[Array], Array]
    if isinstance(loss, _SCORES_AND_INDICES):
        targets = _indices
    elif isinstance(loss, nn.NLLLoss):
        transform, targets = _log_probabilities(softmax), _indices
    elif isinstance(loss, nn.MultiLabelMarginLoss):
        targets = _label_lists(width)
    elif isinstance(loss, _SCORES_AND_INDICATORS):
        targets = _indicators(width)
    elif isinstance(loss, _SCORES_AND_SIGNS):
        targets = _signs(width)
        if isinstance(loss, nn.HingeEmbeddingLoss):  # of distances, which a score makes small
            transform = _distances
    elif isinstance(loss, nn.KLDivLoss):
        transform = _log_probabilities(softmax)
        return Loss(_reducing(loss, transform), _indicators(width), summed=True)
    elif getattr(loss, "log_input", False):
        transform, targets = _log_probabilities(softmax), _indicators(width)
    elif isinstance(loss, nn.Module):
        transform, targets = _probabilities(softmax), _indicators(width)
    else:  # a function, as PyTorch's take them
        targets = _indices if softmax else _indicators(width)
    return Loss(_reducing(loss, transform), targets)
