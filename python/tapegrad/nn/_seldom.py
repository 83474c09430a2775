"""Functions of `nn.functional` that few programs use, made of others."""

from __future__ import annotations

import math
from typing import Any

from .. import _C
from .._C import Tensor
from .._C import _take_note as take_note
from . import functional as F

__all__ = ["conv_tbc", "linear_cross_entropy", "native_channel_shuffle"]


def conv_tbc(input: Tensor, weight: Tensor, bias: Tensor, pad: int = 0) -> Tensor:
    """Convolution of lines whose first dimension is the time.

    Args:
        input: shape (time, batch, channels).
        weight: shape (kernel, channels, channels of the result).
        bias: one value for each of the latter.
        pad: zeros at both ends. Default: 0.

    Example:
        >>> import tapegrad
        >>> from tapegrad.nn import functional as F
        >>> F.conv_tbc(tapegrad.ones(4, 1, 2), tapegrad.ones(3, 2, 1), tapegrad.zeros(1)).flatten()
        tensor([6., 6.])
    """
    if take_note(input, weight, bias):
        return conv_tbc(input, weight, bias, pad=pad)
    lines = _C.conv1d(input.permute(1, 2, 0), weight.permute(2, 1, 0), bias, padding=pad)
    return lines.permute(2, 0, 1)


def native_channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """The same as :func:`channel_shuffle`.

    Example:
        >>> import tapegrad
        >>> from tapegrad.nn import functional as F
        >>> F.native_channel_shuffle(tapegrad.arange(4).reshape(1, 4, 1), 2).flatten()
        tensor([0, 2, 1, 3])
    """
    return _C.channel_shuffle(input, groups)


def linear_cross_entropy(
    input: Tensor,
    linear_weight: Tensor,
    target: Tensor,
    *,
    linear_bias: Tensor | None = None,
    weight: Tensor | None = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    options: Any = None,
) -> Tensor:
    """``cross_entropy(linear(input, linear_weight, linear_bias), target)``.

    Args:
        input: shape (N, in_features) or (in_features,).
        linear_weight: shape (C, in_features), or (C, d1, ..., in_features) for a loss at each of
            several places.
        target: class numbers of shape (N,) or (N, d1, ...), or probabilities with the classes
            second.
        linear_bias: shape (C,) or (C, d1, ...). Default: none.
        weight: a factor per class. Default: none.
        reduction: "mean" (the default), "sum" or "none".
        ignore_index: a class number that is left out. Default: -100, of class numbers.
        label_smoothing: how much of the target goes to all classes. Default: 0.
        options: without effect: the logits are always computed as a whole.

    Example:
        >>> import tapegrad
        >>> from tapegrad.nn import functional as F
        >>> F.linear_cross_entropy(tapegrad.ones(1, 2), tapegrad.ones(3, 2), tapegrad.tensor([0]))
        tensor(1.0986)
    """
    if take_note(input, linear_weight, target, linear_bias, weight):
        return linear_cross_entropy(
            input,
            linear_weight,
            target,
            linear_bias=linear_bias,
            weight=weight,
            reduction=reduction,
            ignore_index=ignore_index,
            label_smoothing=label_smoothing,
            options=options,
        )
    places = linear_weight.shape[:-1]
    rows = linear_weight.reshape(math.prod(places), linear_weight.shape[-1])
    bias = None if linear_bias is None else linear_bias.reshape(-1)
    logits = _C.linear(input, rows, bias)
    if len(places) > 1:
        logits = logits.reshape(*logits.shape[:-1], *places)
    return F.cross_entropy(
        logits,
        target,
        weight,
        ignore_index=-100 if ignore_index is None else ignore_index,
        reduction=reduction,
        label_smoothing=label_smoothing,
    )
