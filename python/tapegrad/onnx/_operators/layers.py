"""Products, convolutions, normalisations, embeddings and attention."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ... import _C
from ..._C import Tensor
from ..._limits import finfo
from ._table import Table

__all__ = ["CONVERTERS"]

CONVERTERS = Table()


# ---------------------------------------------------------------------- products


@CONVERTERS.of("linear")
def _linear(g: Any, input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Any:
    if input.dim() == 2 and weight.dim() == 2:
        return g.node("Gemm", input, weight, bias, transB=1)
    made = g.node("MatMul", input, g.node("Transpose", weight))
    return made if bias is None else g.node("Add", made, bias)


@CONVERTERS.of("matmul", "mm", "bmm", "mv", "dot")
def _matmul(g: Any, input: Tensor, other: Tensor) -> Any:
    return g.node("MatMul", input, other)


@CONVERTERS.of("addmm", "baddbmm", "addmv")
def _addmm(
    g: Any, input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: float = 1, alpha: float = 1
) -> Any:
    made = g.node("MatMul", mat1, mat2)
    if alpha != 1:
        made = g.node("Mul", made, g.number(alpha, g.result.dtype))
    summand = input if beta == 1 else g.node("Mul", input, g.number(beta, g.result.dtype))
    return g.node("Add", made, summand)


# ---------------------------------------------------------------------- convolutions


def numbers(values: Any, count: int) -> list[int]:
    """One number for each dimension."""
    if isinstance(values, int):
        return [values] * count
    return list(values) * count if len(values) == 1 else list(values)


def batched(g: Any, x: Tensor, dims: int) -> tuple[Any, bool]:
    """The input with a batch in front, and whether it had one."""
    if x.dim() == dims + 2:
        return x, True
    return g.node("Unsqueeze", x, g.ints(0)), False


def as_it_was(g: Any, x: Any, had_batch: bool) -> Any:
    return x if had_batch else g.node("Squeeze", x, g.ints(0))


@CONVERTERS.of("conv1d", "conv2d", "conv3d")
def _conv(
    g: Any,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Any:
    dims = weight.dim() - 2
    dilation = numbers(dilation, dims)
    if padding == "same":  # the odd one comes behind
        total = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True)]
        pads = [n // 2 for n in total] + [n - n // 2 for n in total]
    else:
        pads = numbers(0 if padding == "valid" else padding, dims) * 2
    x, had_batch = batched(g, input, dims)
    made = g.node(
        *("Conv", x, weight, bias),
        strides=numbers(stride, dims),
        pads=pads,
        dilations=dilation,
        group=groups,
    )
    return as_it_was(g, made, had_batch)


@CONVERTERS.of("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
def _conv_transpose(
    g: Any,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Any:
    dims = weight.dim() - 2
    x, had_batch = batched(g, input, dims)
    made = g.node(
        *("ConvTranspose", x, weight, bias),
        strides=numbers(stride, dims),
        pads=numbers(padding, dims) * 2,
        output_padding=numbers(output_padding, dims),
        dilations=numbers(dilation, dims),
        group=groups,
    )
    return as_it_was(g, made, had_batch)


# ---------------------------------------------------------------------- normalisations


def _or_constant(x: Tensor | None, value: float, count: int, dtype: Any) -> Tensor:
    return _C.full((count,), value, dtype=dtype) if x is None else x


def _channelwise(g: Any, x: Any, values: Tensor | None, kind: str, dims: int) -> Any:
    """Multiply by, or add, a number for each channel, the second dimension."""
    if values is None:
        return x
    return g.node(kind, x, g.reshape(values, [-1] + [1] * (dims - 2)))


@CONVERTERS.of("batch_norm")
def _batch_norm(
    g: Any,
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
) -> Any:
    channels, dtype = input.shape[1], input.dtype
    if not training:
        scale = _or_constant(weight, 1.0, channels, dtype)
        shift = _or_constant(bias, 0.0, channels, dtype)
        return g.node(
            "BatchNormalization", input, scale, shift, running_mean, running_var, epsilon=eps
        )
    # Without running statistics those of the batch are taken, in evaluation mode too.
    axes = g.ints(*(d for d in range(input.dim()) if d != 1))
    made = _standardised(g, input, axes, eps)
    made = _channelwise(g, made, weight, "Mul", input.dim())
    return _channelwise(g, made, bias, "Add", input.dim())


def _standardised(g: Any, x: Any, axes: Any, eps: float) -> Any:
    difference = g.node("Sub", x, g.node("ReduceMean", x, axes, keepdims=1))
    variance = g.node("ReduceMean", g.node("Mul", difference, difference), axes, keepdims=1)
    deviation = g.node("Sqrt", g.node("Add", variance, g.number(eps, g.result.dtype)))
    return g.node("Div", difference, deviation)


@CONVERTERS.of("instance_norm")
def _instance_norm(
    g: Any,
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    use_input_stats: bool,
    momentum: float,
    eps: float,
) -> Any:
    if not use_input_stats:
        return _batch_norm(g, input, weight, bias, running_mean, running_var, False, momentum, eps)
    channels, dtype = input.shape[1], input.dtype
    scale = _or_constant(weight, 1.0, channels, dtype)
    shift = _or_constant(bias, 0.0, channels, dtype)
    return g.node("InstanceNormalization", input, scale, shift, epsilon=eps)


@CONVERTERS.of("layer_norm")
def _layer_norm(
    g: Any,
    input: Tensor,
    normalized_shape: Any,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Any:
    if weight is None:
        weight = _C.ones(normalized_shape, dtype=input.dtype)
    axis = -len(normalized_shape)
    return g.node("LayerNormalization", input, weight, bias, axis=axis, epsilon=eps)


@CONVERTERS.of("group_norm")
def _group_norm(
    g: Any,
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Any:
    rows = g.node("Reshape", input, g.ints(0, num_groups, -1))  # 0: the size that it has
    made = g.reshape(_standardised(g, rows, g.ints(2), eps), input.shape)
    made = _channelwise(g, made, weight, "Mul", input.dim())
    return _channelwise(g, made, bias, "Add", input.dim())


@CONVERTERS.of("rms_norm")
def _rms_norm(
    g: Any,
    input: Tensor,
    normalized_shape: Any,
    weight: Tensor | None = None,
    eps: float | None = None,
) -> Any:
    axes = g.ints(*range(-len(normalized_shape), 0))
    square = g.node("ReduceMean", g.node("Mul", input, input), axes, keepdims=1)
    least = float(finfo(input.dtype).eps) if eps is None else eps
    root = g.node("Sqrt", g.node("Add", square, g.number(least, input.dtype)))
    made = g.node("Div", input, root)
    return made if weight is None else g.node("Mul", made, weight)


# ---------------------------------------------------------------------- embeddings, attention


@CONVERTERS.of("embedding")
def _embedding(g: Any, weight: Tensor, indices: Tensor, *rest: Any) -> Any:
    return g.node("Gather", weight, indices)


@CONVERTERS.of("scaled_dot_product_attention")
def _attention(
    g: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:
    if dropout_p:
        raise g.refuse("draws random numbers")
    dtype = query.dtype
    factor = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    rows, columns, dims = query.shape[-2], key.shape[-2], key.dim()
    keys, values = key, value
    if enable_gqa:
        keys, values = (_for_all_heads(g, x, query) for x in (key, value))
    turned = g.node("Transpose", keys, perm=[*range(dims - 2), dims - 1, dims - 2])
    scores = g.node("MatMul", g.node("Mul", query, g.number(factor, dtype)), turned)
    if is_causal:
        below = np.tril(np.ones((rows, columns), bool))
        scores = g.node("Where", below, scores, g.number(-math.inf, dtype))
    if attn_mask is not None and attn_mask.dtype is _C.bool:
        scores = g.node("Where", attn_mask, scores, g.number(-math.inf, dtype))
    elif attn_mask is not None:
        scores = g.node("Add", scores, g.cast(attn_mask, dtype))
    weights = g.node("Softmax", scores, axis=-1)
    if attn_mask is not None:  # a query that may look at nothing sees zeros
        weights = g.node("Where", g.node("IsNaN", weights), g.number(0, dtype), weights)
    return g.node("MatMul", weights, values)


def _for_all_heads(g: Any, x: Tensor, query: Tensor) -> Any:
    """Heads of keys or values, each as often as queries share it."""
    times = query.shape[-3] // x.shape[-3]
    wide = g.node("Unsqueeze", x, g.ints(-3))
    shape = [*x.shape[:-2], times, *x.shape[-2:]]
    full = g.node("Expand", wide, g.ints(*shape))
    return g.reshape(full, [*x.shape[:-3], query.shape[-3], *x.shape[-2:]])
