"""The gradients of convolutions as functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tapegrad

from .. import _C
from .._C import Tensor

__all__ = [
    "conv1d_input",
    "conv1d_weight",
    "conv2d_input",
    "conv2d_weight",
    "conv3d_input",
    "conv3d_weight",
]

_Size = int | Sequence[int]


def _gradient(
    convolution: Any, shape: Sequence[int], other: Tensor, grad_output: Tensor, *options: Any
) -> Tensor:
    """The gradient of the tensor whose shape is given; `options` begin with which one it is."""
    of_input, stride, padding, dilation, groups = options
    with tapegrad.enable_grad():
        wanted = other.new_zeros(shape).requires_grad_()
        pair = (wanted, other) if of_input else (other, wanted)
        result = convolution(*pair, None, stride, padding, dilation, groups)
    again = tapegrad.is_grad_enabled() and (other.requires_grad or grad_output.requires_grad)
    return tapegrad.autograd.grad(result, wanted, grad_output, create_graph=again)[0]


def conv1d_input(
    input_size: Sequence[int],
    weight: Tensor,
    grad_output: Tensor,
    stride: _Size = 1,
    padding: _Size = 0,
    dilation: _Size = 1,
    groups: int = 1,
) -> Tensor:
    """The gradient of ``conv1d`` with respect to the input.

    Args:
        input_size: the shape of the input.
        weight: the weight.
        grad_output: the gradient of the result.
        stride, padding, dilation, groups: those of the convolution.

    Example:
        >>> import tapegrad
        >>> from tapegrad import nn
        >>> g = nn.grad.conv1d_input((1, 1, 3), tapegrad.ones(1, 1, 2), tapegrad.ones(1, 1, 2))
        >>> tuple(g.shape)
        (1, 1, 3)
    """
    options = (True, stride, padding, dilation, groups)
    return _gradient(_C.conv1d, input_size, weight, grad_output, *options)


def conv1d_weight(
    input: Tensor,
    weight_size: Sequence[int],
    grad_output: Tensor,
    stride: _Size = 1,
    padding: _Size = 0,
    dilation: _Size = 1,
    groups: int = 1,
) -> Tensor:
    """The gradient of ``conv1d`` with respect to the weight.

    Args:
        input: the input.
        weight_size: the shape of the weight.
        grad_output: the gradient of the result.
        stride, padding, dilation, groups: those of the convolution.

    Example:
        >>> import tapegrad
        >>> from tapegrad import nn
        >>> g = nn.grad.conv1d_weight(tapegrad.ones(1, 1, 3), (1, 1, 2), tapegrad.ones(1, 1, 2))
        >>> tuple(g.shape)
        (1, 1, 2)
    """
    options = (False, stride, padding, dilation, groups)
    return _gradient(_C.conv1d, weight_size, input, grad_output, *options)


def conv2d_input(
    input_size: Sequence[int],
    weight: Tensor,
    grad_output: Tensor,
    stride: _Size = 1,
    padding: _Size = 0,
    dilation: _Size = 1,
    groups: int = 1,
) -> Tensor:
    """As :func:`conv1d_input`, of ``conv2d``."""
    options = (True, stride, padding, dilation, groups)
    return _gradient(_C.conv2d, input_size, weight, grad_output, *options)


def conv2d_weight(
    input: Tensor,
    weight_size: Sequence[int],
    grad_output: Tensor,
    stride: _Size = 1,
    padding: _Size = 0,
    dilation: _Size = 1,
    groups: int = 1,
) -> Tensor:
    """As :func:`conv1d_weight`, of ``conv2d``."""
    options = (False, stride, padding, dilation, groups)
    return _gradient(_C.conv2d, weight_size, input, grad_output, *options)


def conv3d_input(
    input_size: Sequence[int],
    weight: Tensor,
    grad_output: Tensor,
    stride: _Size = 1,
    padding: _Size = 0,
    dilation: _Size = 1,
    groups: int = 1,
) -> Tensor:
    """As :func:`conv1d_input`, of ``conv3d``."""
    options = (True, stride, padding, dilation, groups)
    return _gradient(_C.conv3d, input_size, weight, grad_output, *options)


def conv3d_weight(
    input: Tensor,
    weight_size: Sequence[int],
    grad_output: Tensor,
    stride: _Size = 1,
    padding: _Size = 0,
    dilation: _Size = 1,
    groups: int = 1,
) -> Tensor:
    """As :func:`conv1d_weight`, of ``conv3d``."""
    options = (False, stride, padding, dilation, groups)
    return _gradient(_C.conv3d, weight_size, input, grad_output, *options)
