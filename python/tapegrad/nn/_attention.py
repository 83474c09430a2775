"""Attention as functions; they are part of :mod:`tapegrad.nn.functional`."""

from __future__ import annotations

import math
import warnings
from typing import Any

import tapegrad

from .. import _C
from .._C import Tensor
from .._C import _take_note as take_note

__all__ = ["multi_head_attention_forward", "scaled_dot_product_attention"]


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """``softmax(query @ key.mT * scale + attn_mask) @ value`` as one operation.

    Args:
        query: shape (..., length, width); leading dimensions broadcast.
        key: shape (..., keys, width).
        value: shape (..., keys, values).
        attn_mask: summands of the scores, or bools that say which keys a query sees.
        dropout_p: probability with which weights become zero. Default: 0.
        is_causal: whether the i-th query sees keys up to the i-th alone. Default: False.
        scale: factor of the scores. Default: ``1 / sqrt(width)``.
        enable_gqa: whether several heads of the query share one of key and value.

    Raises:
        RuntimeError: if shapes or dtypes do not fit.

    Example:
        >>> import tapegrad
        >>> from tapegrad.nn import functional as F
        >>> x = tapegrad.tensor([[1.0, 2.0]])
        >>> F.scaled_dot_product_attention(x, x, x)
        tensor([[1., 2.]])
    """
    return _C.scaled_dot_product_attention(
        query, key, value, attn_mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa
    )


def _summands(
    mask: Tensor | None, name: str, dtype: Any, other: Tensor | None = None, other_name: str = ""
) -> Tensor | None:
    """A mask as summands: minus infinity where a bool mask is true."""
    if mask is None:
        return None
    if mask.dtype != tapegrad.bool and not mask.is_floating_point():
        raise AssertionError(f"only bool and floating types of {name} are supported")
    if other is not None and mask.dtype != other.dtype:
        warnings.warn(
            f"Support for mismatched {name} and {other_name} is deprecated. "
            "Use same type for both instead.",
            stacklevel=3,
        )
    if mask.is_floating_point():
        return mask
    return tapegrad.zeros(mask.shape, dtype=dtype).masked_fill_(mask, -math.inf)


def _check_ranks(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    key_padding_mask: Tensor | None,
    attn_mask: Tensor | None,
    num_heads: int,
) -> bool:
    """Whether there is a batch; raises where the numbers of dimensions do not fit."""
    rank = query.dim()
    if rank not in (2, 3):
        raise AssertionError(
            f"query should be unbatched 2D or batched 3D tensor but received {rank}-D query tensor"
        )
    kind = f"For {'batched' if rank == 3 else 'unbatched'} ({rank}-D) `query`, expected "
    if key.dim() != rank or value.dim() != rank:
        raise AssertionError(
            f"{kind}`key` and `value` to be {rank}-D but found {key.dim()}-D and {value.dim()}-D "
            "tensors respectively"
        )
    if key_padding_mask is not None and key_padding_mask.dim() != rank - 1:
        raise AssertionError(
            f"{kind}`key_padding_mask` to be `None` or {rank - 1}-D but found "
            f"{key_padding_mask.dim()}-D tensor instead"
        )
    if attn_mask is not None:
        if attn_mask.dim() not in (2, 3):
            raise AssertionError(
                f"{kind}`attn_mask` to be `None`, 2-D or 3-D but found {attn_mask.dim()}-D tensor "
                "instead"
            )
        expected = (num_heads, query.shape[0], key.shape[0])
        if rank == 2 and attn_mask.dim() == 3 and tuple(attn_mask.shape) != expected:
            raise AssertionError(
                f"Expected `attn_mask` shape to be {expected} but got {attn_mask.shape}"
            )
    return rank == 3


def _in_projections(
    query: Tensor, key: Tensor, value: Tensor, weight: Tensor, bias: Tensor | None
) -> tuple[Tensor, ...]:
    """The projections, whose weights are one matrix, in as few products as it takes."""
    size = query.shape[-1]
    if key is value and query is key:
        return _C.linear(query, weight, bias).unflatten(-1, (3, size)).unbind(-2)
    if key is value:
        weights = weight.split([size, 2 * size])
        of_query, of_rest = (None, None) if bias is None else bias.split([size, 2 * size])
        both = _C.linear(key, weights[1], of_rest).unflatten(-1, (2, size)).unbind(-2)
        return _C.linear(query, weights[0], of_query), *both
    biases = (None, None, None) if bias is None else bias.chunk(3)
    return tuple(
        _C.linear(x, w, b)
        for x, w, b in zip((query, key, value), weight.chunk(3), biases, strict=True)
    )


def _longer(mask: Tensor | None) -> Tensor | None:
    """A mask for one more key, which everybody sees."""
    if mask is None:
        return None
    return tapegrad.cat([mask, tapegrad.zeros(*mask.shape[:-1], 1, dtype=mask.dtype)], -1)


def _static(x: Tensor, name: str, batch: int, heads: int, width: int) -> Tensor:
    if x.shape[0] != batch * heads:
        raise AssertionError(f"expecting {name}.size(0) of {batch * heads}, but got {x.shape[0]}")
    if x.shape[2] != width:
        raise AssertionError(f"expecting {name}.size(2) of {width}, but got {x.shape[2]}")
    return x.unflatten(0, (batch, heads))


def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """What :class:`tapegrad.nn.MultiheadAttention` computes; the length is the first dimension.

    Returns:
        The result (length, batch, embed_dim), and the weights of the keys or None.

    Example:
        >>> import tapegrad
        >>> from tapegrad.nn import functional as F
        >>> x, eye = tapegrad.tensor([[[1.0, 2.0]]]), tapegrad.eye(2)
        >>> parts = eye.repeat(3, 1), None, None, None, False, 0.0
        >>> F.multi_head_attention_forward(x, x, x, 2, 1, *parts, eye, None)[0]
        tensor([[[1., 2.]]])
    """
    if take_note(
        query,
        key,
        value,
        in_proj_weight,
        in_proj_bias,
        bias_k,
        bias_v,
        out_proj_weight,
        out_proj_bias,
        key_padding_mask,
        attn_mask,
        q_proj_weight,
        k_proj_weight,
        v_proj_weight,
        static_k,
        static_v,
    ):
        return multi_head_attention_forward(
            query,
            key,
            value,
            embed_dim_to_check,
            num_heads,
            in_proj_weight,
            in_proj_bias,
            bias_k,
            bias_v,
            add_zero_attn,
            dropout_p,
            out_proj_weight,
            out_proj_bias,
            training=training,
            key_padding_mask=key_padding_mask,
            need_weights=need_weights,
            attn_mask=attn_mask,
            use_separate_proj_weight=use_separate_proj_weight,
            q_proj_weight=q_proj_weight,
            k_proj_weight=k_proj_weight,
            v_proj_weight=v_proj_weight,
            static_k=static_k,
            static_v=static_v,
            average_attn_weights=average_attn_weights,
            is_causal=is_causal,
        )
    batched = _check_ranks(query, key, value, key_padding_mask, attn_mask, num_heads)
    if not batched:
        same_keys, same = key is value, query is key
        query = query.unsqueeze(1)
        key = query if same else key.unsqueeze(1)
        value = key if same_keys else value.unsqueeze(1)
        if key_padding_mask is not None:
            key_padding_mask = key_padding_mask.unsqueeze(0)
    length, batch, size = query.shape
    keys = key.shape[0]

    key_padding_mask = _summands(
        key_padding_mask, "key_padding_mask", query.dtype, attn_mask, "attn_mask"
    )
    if is_causal and attn_mask is None:
        raise RuntimeError(
            "Need attn_mask if specifying the is_causal hint. You may use the Transformer module "
            "method `generate_square_subsequent_mask` to create this mask."
        )
    if is_causal and key_padding_mask is None and not need_weights:
        attn_mask = None
    else:
        attn_mask = _summands(attn_mask, "attn_mask", query.dtype)
        is_causal = False

    if size != embed_dim_to_check:
        raise AssertionError(
            f"was expecting embedding dimension of {embed_dim_to_check}, but got {size}"
        )
    width = size // num_heads
    if width * num_heads != size:
        raise AssertionError(f"embed_dim {size} not divisible by num_heads {num_heads}")
    if use_separate_proj_weight:
        if key.shape[:2] != value.shape[:2]:
            raise AssertionError(
                f"key's sequence and batch dims {key.shape[:2]} do not match value's "
                f"{value.shape[:2]}"
            )
        biases = (None, None, None) if in_proj_bias is None else in_proj_bias.chunk(3)
        parts = {
            "q": (query, q_proj_weight, biases[0]),
            "k": (key, k_proj_weight, biases[1]),
            "v": (value, v_proj_weight, biases[2]),
        }
        projected = []
        for name, (x, weight, bias) in parts.items():
            if weight is None:
                raise AssertionError(
                    f"use_separate_proj_weight is True but {name}_proj_weight is None"
                )
            projected.append(_C.linear(x, weight, bias))
        q, k, v = projected
    else:
        if key.shape != value.shape:
            raise AssertionError(f"key shape {key.shape} does not match value shape {value.shape}")
        if in_proj_weight is None:
            raise AssertionError("use_separate_proj_weight is False but in_proj_weight is None")
        q, k, v = _in_projections(query, key, value, in_proj_weight, in_proj_bias)

    if attn_mask is not None:
        rank = attn_mask.dim()
        expected = (length, keys) if rank == 2 else (batch * num_heads, length, keys)
        if tuple(attn_mask.shape) != expected:
            raise RuntimeError(
                f"The shape of the {rank}D attn_mask is {attn_mask.shape}, but should be "
                f"{expected}."
            )
        if rank == 3:
            attn_mask = attn_mask.unflatten(0, (batch, num_heads))

    if bias_k is not None and bias_v is not None:
        if static_k is not None:
            raise AssertionError("bias cannot be added to static key.")
        if static_v is not None:
            raise AssertionError("bias cannot be added to static value.")
        k = tapegrad.cat([k, bias_k.expand(1, batch, size)])
        v = tapegrad.cat([v, bias_v.expand(1, batch, size)])
        attn_mask, key_padding_mask = _longer(attn_mask), _longer(key_padding_mask)
    elif bias_k is not None:
        raise AssertionError("bias_k is set but bias_v is None")
    elif bias_v is not None:
        raise AssertionError("bias_v is set but bias_k is None")

    def of_heads(x: Tensor) -> Tensor:  # (batch, heads, length, width)
        return x.unflatten(-1, (num_heads, width)).permute(1, 2, 0, 3)

    q = of_heads(q)
    k = of_heads(k) if static_k is None else _static(static_k, "static_k", batch, num_heads, width)
    v = of_heads(v) if static_v is None else _static(static_v, "static_v", batch, num_heads, width)
    if add_zero_attn:
        zeros = tapegrad.zeros(batch, num_heads, 1, width, dtype=k.dtype)
        k, v = tapegrad.cat([k, zeros], 2), tapegrad.cat([v, zeros], 2)
        attn_mask, key_padding_mask = _longer(attn_mask), _longer(key_padding_mask)

    if key_padding_mask is not None:
        for dim, wanted in enumerate((batch, k.shape[2])):
            if key_padding_mask.shape[dim] != wanted:
                raise AssertionError(
                    f"Expected key_padded_mask.shape[{dim}] to be {wanted}, but got "
                    f"{key_padding_mask.shape[dim]}"
                )
        padding = key_padding_mask[:, None, None, :]
        attn_mask = padding if attn_mask is None else attn_mask + padding
    dropped = dropout_p if training else 0.0

    if need_weights:
        scores = (q * math.sqrt(1.0 / width)) @ k.transpose(-2, -1)
        if attn_mask is not None:
            scores = scores + attn_mask
        weights_of_keys = _C.dropout(_C.softmax(scores, -1), dropped, True)
        result = weights_of_keys @ v
    else:
        result = _C.scaled_dot_product_attention(q, k, v, attn_mask, dropped, is_causal)
    result = result.permute(2, 0, 1, 3).reshape(length, batch, size)
    result = _C.linear(result, out_proj_weight, out_proj_bias)
    if not batched:
        result = result.squeeze(1)
    if not need_weights:
        return result, None
    if average_attn_weights:
        weights_of_keys = weights_of_keys.mean(1)
    return result, weights_of_keys if batched else weights_of_keys.squeeze(0)
