"""Layers, activations and losses as functions."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import tapegrad

from .. import _C
from .._arguments import require_all
from .._C import Tensor
from .._C import _take_note as take_note
from . import _activations, _fractional, _images, _losses
from ._activations import *  # noqa: F403
from ._attention import multi_head_attention_forward, scaled_dot_product_attention
from ._fractional import *  # noqa: F403
from ._images import *  # noqa: F403
from ._losses import *  # noqa: F403
from ._tables import (
    bilinear,
    cosine_similarity,
    embedding,
    embedding_bag,
    normalize,
    pairwise_distance,
)

__all__ = [
    "batch_norm",
    "bilinear",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cosine_similarity",
    "cross_entropy",
    "dropout",
    "elu",
    "embedding",
    "embedding_bag",
    "gelu",
    "group_norm",
    "instance_norm",
    "l1_loss",
    "layer_norm",
    "leaky_relu",
    "linear",
    "log_softmax",
    "logsigmoid",
    "mse_loss",
    "multi_head_attention_forward",
    "nll_loss",
    "normalize",
    "one_hot",
    "pairwise_distance",
    "pdist",
    "relu",
    "rms_norm",
    "scaled_dot_product_attention",
    "sigmoid",
    "silu",
    "smooth_l1_loss",
    "softmax",
    "softmin",
    "softplus",
    "tanh",
]
__all__ += ["conv_tbc", "linear_cross_entropy", "native_channel_shuffle"]
__all__ += _activations.__all__ + _fractional.__all__ + _images.__all__ + _losses.__all__


def _old_reduction(size_average: bool | None, reduce: bool | None) -> str:
    """What the two arguments of the old interface ask for."""
    if reduce is not None and not reduce:
        reduction = "none"
    else:
        reduction = "mean" if size_average is None or size_average else "sum"
    warnings.warn(
        f"size_average and reduce args will be deprecated, please use reduction='{reduction}' "
        "instead.",
        stacklevel=3,
    )
    return reduction


def _check_reduction(reduction: str) -> None:
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"{reduction} is not a valid value for reduction")


def _reduce(loss: Tensor, reduction: str) -> Tensor:
    _check_reduction(reduction)
    return loss.mean() if reduction == "mean" else loss.sum() if reduction == "sum" else loss


def _weighted(loss: Tensor, input: Tensor, weight: Tensor, reduction: str) -> Tensor:
    """The losses of elements times factors, and their weighted mean."""
    if weight.shape != input.shape:
        raise ValueError("Weights and input must have the same size.")
    loss = loss * weight
    if reduction == "mean":
        return loss.sum() / weight.sum()
    if reduction not in ("none", "sum"):
        raise ValueError(
            f"Invalid reduction mode: {reduction}. Expected one of 'none', 'mean', 'sum'."
        )
    return _reduce(loss, reduction)


def _warn_of_broadcast(input: Tensor, target: Tensor) -> None:
    warnings.warn(
        f"Using a target size ({target.shape}) that is different to the input size "
        f"({input.shape}). This will likely lead to incorrect results due to broadcasting. "
        "Please ensure they have the same size.",
        stacklevel=3,
    )


# ---------------------------------------------------------------------- layers


def linear(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, *, out: Tensor | None = None
) -> Tensor:
    """``input @ weight.T + bias``, as one operation.

    Args:
        input: shape (*, in_features).
        weight: shape (out_features, in_features), or (in_features,).
        bias: shape (out_features,). Default: no bias.
        out: a tensor to write to. Default: a new one.

    Returns:
        A tensor of shape (*, out_features).

    Example:
        >>> import tapegrad
        >>> from tapegrad.nn import functional as F
        >>> F.linear(tapegrad.ones(1, 2), tapegrad.tensor([[1.0, 2.0]]), tapegrad.tensor([0.5]))
        tensor([[3.5000]])
    """
    if out is not None:
        return _C.linear(input, weight, bias, out=out)
    return _C.linear(input, weight, bias)


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Set elements to zero with probability p and scale the others by ``1 / (1 - p)``.

    Args:
        input: any shape, floating point.
        p: the probability. Default: 0.5.
        training: if False, the input is returned as it is. Default: True.
        inplace: write the result into the input. Default: False.

    Raises:
        ValueError: if p is not between 0 and 1.

    Example:
        >>> import tapegrad
        >>> from tapegrad.nn import functional as F
        >>> F.dropout(tapegrad.ones(3), p=0.5, training=False)
        tensor([1., 1., 1.])
    """
    result = _C.dropout(input, p, training)
    return input.copy_(result) if inplace and training else result


def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise the last dimensions to mean 0 and variance 1, then scale and shift (Ba et al.).

    Args:
        input: shape (*, *normalized_shape).
        normalized_shape: the sizes of the dimensions to normalise.
        weight: factors of shape `normalized_shape`. Default: none.
        bias: summands of shape `normalized_shape`. Default: none.
        eps: added to the variance. Default: 1e-5.

    Raises:
        RuntimeError: if the shapes do not fit.

    Example:
        >>> import tapegrad
        >>> from tapegrad.nn import functional as F
        >>> F.layer_norm(tapegrad.tensor([[1.0, 3.0]]), (2,))
        tensor([[-1.0000,  1.0000]])
    """
    return _C.layer_norm(input, normalized_shape, weight, bias, eps)


def rms_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    eps: float | None = None,
) -> Tensor:
    """Divide the last dimensions by their root mean square, then scale (Zhang and Sennrich).

    Args:
        input: shape (*, *normalized_shape).
        normalized_shape: the sizes of the dimensions to normalise.
        weight: factors of shape `normalized_shape`. Default: none.
        eps: added to the mean square. Default: the dtype's distance from 1 to the next number.

    Raises:
        RuntimeError: if the shapes do not fit.

    Example:
        >>> import tapegrad
        >>> from tapegrad.nn import functional as F
        >>> F.rms_norm(tapegrad.tensor([[-2.0, 2.0]]), (2,))
        tensor([[-1.,  1.]])
    """
    return _C.rms_norm(input, normalized_shape, weight, eps)


def _require_several_values(sizes: Sequence[int], shown: object) -> None:
    """Of one value per channel there is no variance."""
    count = sizes[0]
    for size in sizes[2:]:
        count *= size
    if count == 1:
        raise ValueError(
            f"Expected more than 1 value per channel when training, got input size {shown}"
        )


def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise groups of channels, each sample alone, then scale and shift (Wu and He).

    Args:
        input: shape (N, C, *).
        num_groups: into how many groups the channels are divided.
        weight: factors of shape (C). Default: none.
        bias: summands of shape (C). Default: none.
        eps: added to the variance. Default: 1e-5.

    Raises:
        RuntimeError: if the shapes do not fit.
        ValueError: if a group has only one value.

    Example:
        >>> import tapegrad
        >>> from tapegrad.nn import functional as F
        >>> F.group_norm(tapegrad.tensor([[1.0, 3.0, 10.0, 30.0]]), 2)
        tensor([[-1.0000,  1.0000, -1.0000,  1.0000]])
    """
    if take_note(input, weight, bias):
        return group_norm(input, num_groups, weight=weight, bias=bias, eps=eps)
    sizes = input.shape
    if len(sizes) >= 2 and num_groups > 0:
        seen = [sizes[0] * sizes[1] // num_groups, num_groups, *sizes[2:]]
        _require_several_values(seen, seen)
    return _C.group_norm(input, num_groups, weight, bias, eps)


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise each channel over all samples, then scale and shift (Ioffe and Szegedy).

    Args:
        input: shape (N, C, *).
        running_mean: the means that count outside of training, shape (C); in training they follow
            those of the input. None in training: none are kept.
        running_var: likewise the variances.
        weight: factors of shape (C). Default: none.
        bias: summands of shape (C). Default: none.
        training: whether the statistics are the input's. Default: False.
        momentum: the share of the input's statistics in the running ones. Default: 0.1.
        eps: added to the variance. Default: 1e-5.

    Raises:
        RuntimeError: if the shapes do not fit.
        ValueError: in training with one value per channel.

    Example:
        >>> import tapegrad
        >>> from tapegrad.nn import functional as F
        >>> F.batch_norm(tapegrad.tensor([[1.0, 10.0], [3.0, 30.0]]), None, None, training=True)
        tensor([[-1.0000, -1.0000],
                [ 1.0000,  1.0000]])
    """
    if training and input.dim() >= 2:
        _require_several_values(input.shape, input.shape)
    return _C.batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps)


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise each channel of each sample, then scale and shift (Ulyanov et al.).

    Args:
        input: shape (N, C, *).
        running_mean: means of shape (C) that follow the input's, or count in their place.
        running_var: likewise the variances.
        weight: factors of shape (C). Default: none.
        bias: summands of shape (C). Default: none.
        use_input_stats: whether the statistics are the input's. Default: True.
        momentum: the share of the input's statistics in the running ones. Default: 0.1.
        eps: added to the variance. Default: 1e-5.

    Raises:
        RuntimeError: if the shapes do not fit.
        ValueError: if a channel of a sample has only one value.

    Example:
        >>> import tapegrad
        >>> from tapegrad.nn import functional as F
        >>> F.instance_norm(tapegrad.tensor([[[1.0, 3.0], [10.0, 30.0]]]))
        tensor([[[-1.0000,  1.0000],
                 [-1.0000,  1.0000]]])
    """
    if take_note(input, running_mean, running_var, weight, bias):
        return instance_norm(
            input,
            running_mean=running_mean,
            running_var=running_var,
            weight=weight,
            bias=bias,
            use_input_stats=use_input_stats,
            momentum=momentum,
            eps=eps,
        )
    if use_input_stats and input.shape[2:].numel() == 1:
        raise ValueError(
            f"Expected more than 1 spatial element when training, got input size {input.shape}"
        )
    return _C.instance_norm(
        input, weight, bias, running_mean, running_var, use_input_stats, momentum, eps
    )


def pdist(input: Tensor, p: float = 2) -> Tensor:
    """The distance of each pair of rows of a matrix.

    See ``tapegrad.pdist``.

    Args:
        input: a floating-point matrix.
        p: the order of the norm. Default: 2.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.functional.pdist(tapegrad.tensor([[0.0], [1.0], [3.0]]))
        tensor([1., 3., 2.])
    """
    return tapegrad.pdist(input, p)


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """Class numbers as rows of zeros with a single one (dtype int64).

    Args:
        tensor: class numbers, int64, any shape.
        num_classes: the length of a row; -1 (the default) means the largest number plus one.

    Raises:
        RuntimeError: if a number is negative or not below `num_classes`.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.functional.one_hot(tapegrad.tensor([2, 0]))
        tensor([[0, 0, 1],
                [1, 0, 0]])
    """
    if take_note(tensor):
        return one_hot(tensor, num_classes=num_classes)
    if tensor.dtype != tapegrad.int64:
        raise RuntimeError("one_hot is only applicable to index tensor of type LongTensor.")
    if tensor.numel() == 0:
        if num_classes <= 0:
            raise RuntimeError("Can not infer total number of classes from empty tensor.")
    else:
        require_all(tensor >= 0, "Class values must be non-negative.")
        if num_classes == -1:
            num_classes = int(tensor.max()) + 1
        else:
            require_all(tensor < num_classes, "Class values must be smaller than num_classes.")
    return (tensor.unsqueeze(-1) == tapegrad.arange(num_classes)).long()


# ---------------------------------------------------------------------- activations


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """``max(x, 0)``.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.functional.relu(tapegrad.tensor([-1.0, 2.0]))
        tensor([0., 2.])
    """
    return input.relu_() if inplace else _C.relu(input)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """``x`` where x > 0, else ``negative_slope * x``.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.functional.leaky_relu(tapegrad.tensor([-1.0, 2.0]), 0.1)
        tensor([-0.1000,  2.0000])
    """
    return (_C.leaky_relu_ if inplace else _C.leaky_relu)(input, negative_slope)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """``x`` where x > 0, else ``alpha * (exp(x) - 1)``.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.functional.elu(tapegrad.tensor([-1.0, 2.0]))
        tensor([-0.6321,  2.0000])
    """
    return (_C.elu_ if inplace else _C.elu)(input, alpha)


def gelu(input: Tensor, approximate: str = "none", *, out: Tensor | None = None) -> Tensor:
    """``x * Phi(x)`` with the normal distribution function Phi (Hendrycks and Gimpel).

    Args:
        input: any shape, floating point.
        approximate: "none" (the default) or "tanh" for the approximation.
        out: a tensor to write to. Default: a new one.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.functional.gelu(tapegrad.tensor([-1.0, 2.0]))
        tensor([-0.1587,  1.9545])
    """
    return _C.gelu(input, approximate=approximate, out=out)


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """``x * sigmoid(x)``.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.functional.silu(tapegrad.tensor([-1.0, 2.0]))
        tensor([-0.2689,  1.7616])
    """
    return input.silu_() if inplace else _C.silu(input)


def sigmoid(input: Tensor) -> Tensor:
    """``1 / (1 + exp(-x))``.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.functional.sigmoid(tapegrad.tensor([0.0]))
        tensor([0.5000])
    """
    return _C.sigmoid(input)


def tanh(input: Tensor) -> Tensor:
    """The hyperbolic tangent.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.functional.tanh(tapegrad.tensor([0.0]))
        tensor([0.])
    """
    return _C.tanh(input)


def softplus(
    input: Tensor, beta: float = 1.0, threshold: float = 20.0, *, out: Tensor | None = None
) -> Tensor:
    """``log(1 + exp(beta * x)) / beta``, and x itself where ``beta * x > threshold``.

    Args:
        input: any shape, floating point.
        beta: the slope of the exponent. Default: 1.
        threshold: from where on the line is taken. Default: 20.
        out: a tensor to write to. Default: a new one.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.functional.softplus(tapegrad.tensor([0.0, 30.0]))
        tensor([ 0.6931, 30.0000])
    """
    return _C.softplus(input, beta, threshold, out=out)


def logsigmoid(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """``log(sigmoid(x))``, without overflow.

    Args:
        input: any shape, floating point.
        out: a tensor to write to. Default: a new one.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.functional.logsigmoid(tapegrad.tensor([0.0, -1000.0]))
        tensor([-6.9315e-01, -1.0000e+03])
    """
    return _C.log_sigmoid(input, out=out)


def _implicit_dim(name: str, ndim: int) -> int:
    warnings.warn(
        f"Implicit dimension choice for {name} has been deprecated. "
        "Change the call to include dim=X as an argument.",
        stacklevel=3,
    )
    return 0 if ndim in (0, 1, 3) else 1


def softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: tapegrad.dtype | None = None
) -> Tensor:
    """``exp(x) / sum(exp(x))`` over a dimension.

    Args:
        input: any shape, floating point.
        dim: the dimension along which the result sums to 1.
        dtype: convert the input to this dtype first. Default: no conversion.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.functional.softmax(tapegrad.tensor([0.0, 0.0]), dim=0)
        tensor([0.5000, 0.5000])
    """
    if dim is None:
        if take_note(input):
            return softmax(input, dim=dim, _stacklevel=_stacklevel, dtype=dtype)
        dim = _implicit_dim("softmax", input.dim())
    return _C.softmax(input, dim, dtype)


def softmin(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: tapegrad.dtype | None = None
) -> Tensor:
    """``softmax(-x)`` over a dimension.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.functional.softmin(tapegrad.tensor([1.0, 1.0]), dim=0)
        tensor([0.5000, 0.5000])
    """
    if take_note(input):
        return softmin(input, dim=dim, _stacklevel=_stacklevel, dtype=dtype)
    if dim is None:
        dim = _implicit_dim("softmin", input.dim())
    return _C.softmax(-input, dim, dtype)


def log_softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: tapegrad.dtype | None = None
) -> Tensor:
    """``log(softmax(x))`` over a dimension, computed without overflow.

    The arguments are those of :func:`softmax`.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.functional.log_softmax(tapegrad.tensor([0.0, 0.0]), dim=0)
        tensor([-0.6931, -0.6931])
    """
    if dim is None:
        if take_note(input):
            return log_softmax(input, dim=dim, _stacklevel=_stacklevel, dtype=dtype)
        dim = _implicit_dim("log_softmax", input.dim())
    return _C.log_softmax(input, dim, dtype)


# ---------------------------------------------------------------------- losses


def mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """The squared error ``(input - target) ** 2``.

    Args:
        input: any shape.
        target: the same shape (a shape that broadcasts gets a warning).
        size_average: old form of `reduction`.
        reduce: old form of `reduction`.
        reduction: "mean" (the default), "sum" or "none".
        weight: a factor per element, of the shape of the input; the mean is over their sum.
            Default: none.

    Raises:
        ValueError: for another reduction, or a weight of another shape.

    Example:
        >>> import tapegrad
        >>> F = tapegrad.nn.functional
        >>> F.mse_loss(tapegrad.tensor([1.0, 2.0]), tapegrad.tensor([1.0, 4.0]))
        tensor(2.)
    """
    if take_note(input, target, weight):
        return mse_loss(
            input,
            target,
            size_average=size_average,
            reduce=reduce,
            reduction=reduction,
            weight=weight,
        )
    if size_average is not None or reduce is not None:
        reduction = _old_reduction(size_average, reduce)
    if input.shape != target.shape:
        _warn_of_broadcast(input, target)
    if weight is not None:
        return _weighted(_C.mse_loss(input, target, "none"), input, weight, reduction)
    return _C.mse_loss(input, target, reduction)


def l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """The absolute error ``|input - target|``; the arguments are those of :func:`mse_loss`.

    Example:
        >>> import tapegrad
        >>> F = tapegrad.nn.functional
        >>> F.l1_loss(tapegrad.tensor([1.0, 2.0]), tapegrad.tensor([1.0, 4.0]))
        tensor(1.)
    """
    if take_note(input, target, weight):
        return l1_loss(
            input,
            target,
            size_average=size_average,
            reduce=reduce,
            reduction=reduction,
            weight=weight,
        )
    if size_average is not None or reduce is not None:
        reduction = _old_reduction(size_average, reduce)
    if input.shape != target.shape:
        _warn_of_broadcast(input, target)
    if weight is not None:
        return _weighted(_C.l1_loss(input, target, "none"), input, weight, reduction)
    return _C.l1_loss(input, target, reduction)


def smooth_l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Tensor:
    """Squared error below `beta`, absolute error above.

    With ``d = |input - target|`` it is ``d**2 / (2 * beta)`` where d < beta, else ``d - beta / 2``.

    Raises:
        RuntimeError: if beta is negative.

    Example:
        >>> import tapegrad
        >>> F = tapegrad.nn.functional
        >>> F.smooth_l1_loss(tapegrad.tensor([0.0, 0.0]), tapegrad.tensor([1.0, 3.0]))
        tensor(1.5000)
    """
    if take_note(input, target):
        return smooth_l1_loss(
            input, target, size_average=size_average, reduce=reduce, reduction=reduction, beta=beta
        )
    if size_average is not None or reduce is not None:
        reduction = _old_reduction(size_average, reduce)
    if input.shape != target.shape:
        _warn_of_broadcast(input, target)
    return _C.smooth_l1_loss(input, target, reduction, beta)


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Softmax and negative log-likelihood as one operation.

    Args:
        input: scores, of shape (C,), (N, C) or (N, C, d1, ...).
        target: class numbers (int64) of shape (), (N,) or (N, d1, ...), or probabilities in the
            shape of the input.
        weight: a factor per class, of shape (C,). Default: none.
        size_average: old form of `reduction`.
        ignore_index: a class number that is left out. Default: -100.
        reduce: old form of `reduction`.
        reduction: "mean" (the default; weighted by `weight`), "sum" or "none".
        label_smoothing: how much of the target is spread over all classes, 0 to 1. Default: 0.

    Raises:
        ValueError: for another reduction, or if the batch sizes differ.
        IndexError: if a class number is out of range.

    Example:
        >>> import tapegrad
        >>> F = tapegrad.nn.functional
        >>> F.cross_entropy(tapegrad.zeros(2, 4), tapegrad.tensor([0, 3]))
        tensor(1.3863)
    """
    if size_average is not None or reduce is not None:
        reduction = _old_reduction(size_average, reduce)
    return _C.cross_entropy(input, target, weight, reduction, ignore_index, label_smoothing)


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Minus the log-probability of the target class.

    Args:
        input: log-probabilities, of shape (C,), (N, C) or (N, C, d1, ...).
        target: class numbers, of shape (), (N,) or (N, d1, ...).
        weight: a factor per class, of shape (C,). Default: none.
        size_average: old form of `reduction`.
        ignore_index: a class number that is left out. Default: -100.
        reduce: old form of `reduction`.
        reduction: "mean" (the default; weighted by `weight`), "sum" or "none".

    Raises:
        ValueError: if the batch sizes differ.
        IndexError: if a class number is out of range.

    Example:
        >>> import tapegrad
        >>> F = tapegrad.nn.functional
        >>> F.nll_loss(tapegrad.tensor([[-0.5, -1.0]]), tapegrad.tensor([1]))
        tensor(1.)
    """
    if size_average is not None or reduce is not None:
        reduction = _old_reduction(size_average, reduce)
    return _C.nll_loss(input, target, weight, reduction, ignore_index)


def binary_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """``-(t * log(x) + (1 - t) * log(1 - x))`` for probabilities x; the logarithms end at -100.

    Args:
        input: probabilities, any shape.
        target: values between 0 and 1, the same shape.
        weight: factors that broadcast to the shape. Default: none.
        size_average: old form of `reduction`.
        reduce: old form of `reduction`.
        reduction: "mean" (the default), "sum" or "none".

    Raises:
        ValueError: if the shapes differ.
        RuntimeError: if an input or a target is outside [0, 1].

    Example:
        >>> import tapegrad
        >>> F = tapegrad.nn.functional
        >>> F.binary_cross_entropy(tapegrad.tensor([0.5]), tapegrad.tensor([1.0]))
        tensor(0.6931)
    """
    if take_note(input, target, weight):
        return binary_cross_entropy(
            input,
            target,
            weight=weight,
            size_average=size_average,
            reduce=reduce,
            reduction=reduction,
        )
    if size_average is not None or reduce is not None:
        reduction = _old_reduction(size_average, reduce)
    if target.shape != input.shape:
        raise ValueError(
            f"Using a target size ({target.shape}) that is different to the input size "
            f"({input.shape}) is deprecated. Please ensure they have the same size."
        )
    valid = (input >= 0) & (input <= 1)
    require_all(valid, "all elements of input should be between 0 and 1")
    valid = (target >= 0) & (target <= 1)
    require_all(valid, "all elements of target should be between 0 and 1")
    loss = -(target * _clamped_log(input) + (1 - target) * _clamped_log(1 - input))
    # Where the prediction is exactly the target 0 or 1, neither value nor slope is left.
    exact = (input == target) & ((input == 0) | (input == 1))
    loss = tapegrad.where(exact, tapegrad.zeros_like(loss), loss)
    if weight is not None:
        loss = loss * weight
    return _reduce(loss, reduction)


def _clamped_log(x: Tensor) -> Tensor:
    """log(x) from -100 up, with a finite derivative at 0 that points to larger x."""
    tiny = 1e-12
    log = tapegrad.log(x.clamp(min=tiny))
    # Below `tiny` the value is that of the clamped logarithm, the slope 1 / tiny.
    exact = tapegrad.log(x.detach()).clamp(min=-100)
    linear = (x - x.detach()) / tiny
    small = x.detach() < tiny
    return tapegrad.where(small, exact + linear, log)


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """Binary cross-entropy of ``sigmoid(input)``, as one operation without overflow.

    Args:
        input: scores, any shape.
        target: values between 0 and 1, the same shape.
        weight: factors that broadcast to the shape. Default: none.
        size_average: old form of `reduction`.
        reduce: old form of `reduction`.
        reduction: "mean" (the default), "sum" or "none".
        pos_weight: factors of the positive part, which broadcast to the shape. Default: none.

    Raises:
        ValueError: if the shapes differ.

    Example:
        >>> import tapegrad
        >>> F = tapegrad.nn.functional
        >>> F.binary_cross_entropy_with_logits(tapegrad.tensor([0.0]), tapegrad.tensor([1.0]))
        tensor(0.6931)
    """
    if take_note(input, target, weight, pos_weight):
        return binary_cross_entropy_with_logits(
            input,
            target,
            weight=weight,
            size_average=size_average,
            reduce=reduce,
            reduction=reduction,
            pos_weight=pos_weight,
        )
    if size_average is not None or reduce is not None:
        reduction = _old_reduction(size_average, reduce)
    if target.shape != input.shape:
        raise ValueError(
            f"Target size ({target.shape}) must be the same as input size ({input.shape})"
        )
    return _C.binary_cross_entropy_with_logits(input, target, weight, pos_weight, reduction)


# They are made of the functions above.
from ._seldom import conv_tbc, linear_cross_entropy, native_channel_shuffle  # noqa: E402
