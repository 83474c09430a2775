"""Activation functions."""

from __future__ import annotations

import math
from typing import Any

from ..._C import Tensor
from ._table import Table

__all__ = ["CONVERTERS"]

CONVERTERS = Table()


@CONVERTERS.of("relu")
def _relu(g: Any, input: Tensor) -> Any:
    return g.node("Relu", input)


@CONVERTERS.of("leaky_relu")
def _leaky_relu(g: Any, input: Tensor, negative_slope: float = 0.01) -> Any:
    return g.node("LeakyRelu", input, alpha=float(negative_slope))


@CONVERTERS.of("rrelu")
def _rrelu(
    g: Any, input: Tensor, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False
) -> Any:
    if training:
        raise g.refuse("draws random numbers")
    return g.node("LeakyRelu", input, alpha=(lower + upper) / 2)


@CONVERTERS.of("prelu")
def _prelu(g: Any, input: Tensor, weight: Tensor) -> Any:
    if weight.numel() > 1:  # a slope for each channel, the second dimension
        shape = [-1] + [1] * (input.dim() - 2)
        return g.node("PRelu", input, g.reshape(weight, shape))
    return g.node("PRelu", input, weight)


@CONVERTERS.of("elu")
def _elu(g: Any, input: Tensor, alpha: float = 1.0, *rest: float) -> Any:
    if rest and rest != (1, 1):
        raise g.refuse("has scales")
    return g.node("Elu", input, alpha=float(alpha))


@CONVERTERS.of("celu")
def _celu(g: Any, input: Tensor, alpha: float = 1.0) -> Any:
    return g.node("Celu", input, alpha=float(alpha))


@CONVERTERS.of("selu")
def _selu(g: Any, input: Tensor) -> Any:
    return g.node("Selu", input)


@CONVERTERS.of("gelu")
def _gelu(g: Any, input: Tensor, approximate: str = "none") -> Any:
    if g.opset >= 20:
        return g.node("Gelu", input, approximate=approximate)

    def number(value: float) -> Any:
        return g.number(value, g.result.dtype)

    if approximate == "tanh":
        cubic = g.node("Mul", g.node("Mul", input, g.node("Mul", input, input)), number(0.044715))
        inner = g.node("Mul", g.node("Add", input, cubic), number(math.sqrt(2 / math.pi)))
        curve = g.node("Tanh", inner)
    else:
        curve = g.node("Erf", g.node("Mul", input, number(math.sqrt(0.5))))
    return g.node("Mul", g.node("Mul", input, number(0.5)), g.node("Add", curve, number(1)))


@CONVERTERS.of("silu")
def _silu(g: Any, input: Tensor) -> Any:
    return g.node("Mul", input, g.node("Sigmoid", input))


@CONVERTERS.of("mish")
def _mish(g: Any, input: Tensor) -> Any:
    return g.node("Mish", input)


@CONVERTERS.of("softplus")
def _softplus(g: Any, input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Any:
    def number(value: float) -> Any:
        return g.number(value, g.result.dtype)

    scaled = input if beta == 1 else g.node("Mul", input, number(beta))
    curve = g.node("Softplus", scaled)
    if beta != 1:
        curve = g.node("Div", curve, number(beta))
    return g.node("Where", g.node("Greater", scaled, number(threshold)), input, curve)


@CONVERTERS.of("log_sigmoid")
def _log_sigmoid(g: Any, input: Tensor) -> Any:
    return g.node("Neg", g.node("Softplus", g.node("Neg", input)))


@CONVERTERS.of("hardsigmoid")
def _hardsigmoid(g: Any, input: Tensor) -> Any:
    return g.node("HardSigmoid", input, alpha=1 / 6, beta=0.5)


@CONVERTERS.of("hardswish")
def _hardswish(g: Any, input: Tensor) -> Any:
    return g.node("HardSwish", input)


@CONVERTERS.of("hardtanh")
def _hardtanh(g: Any, input: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Any:
    dtype = g.result.dtype
    return g.node("Clip", input, g.number(min_val, dtype), g.number(max_val, dtype))


@CONVERTERS.of("hardshrink")
def _hardshrink(g: Any, input: Tensor, lambd: float = 0.5) -> Any:
    return g.node("Shrink", input, lambd=float(lambd), bias=0.0)


@CONVERTERS.of("softshrink")
def _softshrink(g: Any, input: Tensor, lambd: float = 0.5) -> Any:
    return g.node("Shrink", input, lambd=float(lambd), bias=float(lambd))


@CONVERTERS.of("threshold")
def _threshold(g: Any, input: Tensor, threshold: float, value: float) -> Any:
    dtype = g.result.dtype
    above = g.node("Greater", input, g.number(threshold, dtype))
    return g.node("Where", above, input, g.number(value, dtype))


@CONVERTERS.of("glu")
def _glu(g: Any, input: Tensor, dim: int = -1) -> Any:
    first, second = g.node("Split", input, axis=dim, num_outputs=2, outputs=2)
    return g.node("Mul", first, g.node("Sigmoid", second))


@CONVERTERS.of("softmax")
def _softmax(g: Any, input: Tensor, dim: int, dtype: Any = None) -> Any:
    return g.node("Softmax", g.cast(input, g.result.dtype), axis=dim)


@CONVERTERS.of("log_softmax")
def _log_softmax(g: Any, input: Tensor, dim: int, dtype: Any = None) -> Any:
    return g.node("LogSoftmax", g.cast(input, g.result.dtype), axis=dim)


@CONVERTERS.of("dropout", "alpha_dropout", "feature_dropout")
def _dropout(g: Any, input: Tensor, p: float = 0.5, train: bool = True) -> Any:
    if train and p:
        raise g.refuse("draws random numbers")
    return g.node("Identity", input)
