"""Batch normalisation folded into the layer before it."""

from __future__ import annotations

import copy
from typing import TypeVar

import tapegrad

from ..._C import Tensor
from ..modules.batchnorm import _BatchNorm
from ..modules.module import Module
from ..parameter import Parameter

__all__ = [
    "fuse_conv_bn_eval",
    "fuse_conv_bn_weights",
    "fuse_linear_bn_eval",
    "fuse_linear_bn_weights",
]

M = TypeVar("M", bound=Module)


def _fuse(
    weight: Tensor,
    bias: Tensor | None,
    mean: Tensor,
    var: Tensor,
    eps: float,
    factor: Tensor | None,
    summand: Tensor | None,
    channel_dim: int,
) -> tuple[Parameter, Parameter]:
    with tapegrad.no_grad():
        scale = (var + eps).rsqrt()
        if factor is not None:
            scale = scale * factor
        shape = [1] * weight.dim()
        shape[channel_dim] = -1
        moved = -mean if bias is None else bias - mean
        shift = moved * scale if summand is None else moved * scale + summand
        new_weight = (weight * scale.reshape(shape)).to(weight.dtype)
        new_bias = shift.to((weight if bias is None else bias).dtype)
    wanted = weight.requires_grad if bias is None else bias.requires_grad
    return Parameter(new_weight, weight.requires_grad), Parameter(new_bias, wanted)


def fuse_conv_bn_weights(
    conv_w: Tensor,
    conv_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor | None,
    bn_b: Tensor | None,
    transpose: bool = False,
) -> tuple[Parameter, Parameter]:
    """The weight and bias of a convolution that normalises its result, too.

    Args:
        conv_w: the weight.
        conv_b: the bias, or None.
        bn_rm: the running mean.
        bn_rv: the running variance.
        bn_eps: what is added to the variance.
        bn_w: the factors, or None.
        bn_b: the summands, or None.
        transpose: whether it is a transposed convolution. Default: False.

    Example:
        >>> import tapegrad
        >>> one = tapegrad.ones(1)
        >>> w, b = tapegrad.nn.utils.fuse_conv_bn_weights(
        ...     tapegrad.ones(1, 1, 1), None, one, 4 * one, 0.0, None, None
        ... )
        >>> w.item(), b.item()
        (0.5, -0.5)
    """
    dim = 1 if transpose else 0
    return _fuse(conv_w, conv_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, dim)


def fuse_linear_bn_weights(
    linear_w: Tensor,
    linear_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor,
    bn_b: Tensor,
) -> tuple[Parameter, Parameter]:
    """As :func:`fuse_conv_bn_weights`, of a linear layer."""
    return _fuse(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, 0)


def _fused(layer: M, bn: _BatchNorm, channel_dim: int) -> M:
    if layer.training or bn.training:
        raise AssertionError("Fusion only for eval!")
    fused = copy.deepcopy(layer)
    if bn.running_mean is None or bn.running_var is None:
        raise AssertionError("bn.running_mean and bn.running_var must not be None")
    fused.weight, fused.bias = _fuse(
        fused.weight,
        fused.bias,
        bn.running_mean,
        bn.running_var,
        bn.eps,
        bn.weight,
        bn.bias,
        channel_dim,
    )
    return fused


def fuse_conv_bn_eval(conv: M, bn: _BatchNorm, transpose: bool = False) -> M:
    """A convolution that does what a convolution and a batch norm after it do in evaluation mode.

    Args:
        conv: the convolution.
        bn: the batch norm.
        transpose: whether it is a transposed convolution. Default: False.

    Raises:
        AssertionError: if one of them is in training mode, or there are no running statistics.

    Example:
        >>> import tapegrad
        >>> from tapegrad import nn
        >>> conv, bn = nn.Conv1d(2, 3, 1).eval(), nn.BatchNorm1d(3).eval()
        >>> x = tapegrad.ones(1, 2, 4)
        >>> tapegrad.allclose(nn.utils.fuse_conv_bn_eval(conv, bn)(x), bn(conv(x)))
        True
    """
    return _fused(conv, bn, 1 if transpose else 0)


def fuse_linear_bn_eval(linear: M, bn: _BatchNorm) -> M:
    """As :func:`fuse_conv_bn_eval`, of a linear layer.

    Raises:
        AssertionError: also if the sizes do not fit.
    """
    if linear.out_features != bn.num_features and bn.num_features != 1:
        if linear.training or bn.training:
            raise AssertionError("Fusion only for eval!")
        raise AssertionError(
            "To fuse, linear.out_features == bn.num_features or bn.num_features == 1, got "
            f"linear.out_features={linear.out_features} and bn.num_features={bn.num_features}"
        )
    return _fused(linear, bn, 0)
