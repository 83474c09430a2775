"""Attention with several heads."""

from __future__ import annotations

from typing import Any

import tapegrad

from ..._C import Tensor
from .. import functional as F
from .. import init
from .._attention import _summands
from ..parameter import Parameter
from .linear import NonDynamicallyQuantizableLinear
from .module import Module

__all__ = ["MultiheadAttention"]


class MultiheadAttention(Module):
    """Attention with several heads (Vaswani et al., arXiv:1706.03762).

    Query, key and value are projected and cut into heads; each averages the values by how well
    their keys fit the query, and the joined results are projected again.

    Args:
        embed_dim: size of the query and of the result.
        num_heads: number of heads, which share it.
        dropout: probability with which weights become zero. Default: 0.
        bias: whether the projections have summands. Default: True.
        add_bias_kv: whether there is one more key and value, learned. Default: False.
        add_zero_attn: whether there is one more key and value of zeros. Default: False.
        kdim, vdim: sizes of key and value. Default: that of the query.
        batch_first: whether the batch is the first dimension, not the second. Default: False.

    Shapes: query (length, batch, embed_dim), key and value (keys, batch, kdim or vdim), all also
    without batch. The result is a pair: a tensor like the query, and the weights (batch, length,
    keys), or None without `need_weights`, which is faster.

    Example:
        >>> import tapegrad
        >>> attention = tapegrad.nn.MultiheadAttention(8, 2)
        >>> x = tapegrad.ones(5, 3, 8)
        >>> result, weights = attention(x, x, x)
        >>> tuple(result.shape), tuple(weights.shape)
        ((5, 3, 8), (3, 5, 5))
    """

    in_proj_weight: Tensor | None
    q_proj_weight: Tensor | None
    k_proj_weight: Tensor | None
    v_proj_weight: Tensor | None
    in_proj_bias: Tensor | None
    bias_k: Tensor | None
    bias_v: Tensor | None

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if embed_dim <= 0 or num_heads <= 0:
            raise ValueError(
                "embed_dim and num_heads must be greater than 0, "
                f"got embed_dim={embed_dim} and num_heads={num_heads} instead"
            )
        super().__init__()
        self.embed_dim = embed_dim
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self._qkv_same_embed_dim = self.kdim == embed_dim and self.vdim == embed_dim
        self.num_heads = num_heads
        self.dropout = dropout
        self.batch_first = batch_first
        self.head_dim = embed_dim // num_heads
        if self.head_dim * num_heads != embed_dim:
            raise AssertionError("embed_dim must be divisible by num_heads")

        def parameter(*shape: int) -> Parameter:
            return Parameter(tapegrad.empty(*shape, device=device, dtype=dtype))

        sizes = {"q": embed_dim, "k": self.kdim, "v": self.vdim}
        if self._qkv_same_embed_dim:
            self.in_proj_weight = parameter(3 * embed_dim, embed_dim)
            for name in sizes:
                self.register_parameter(f"{name}_proj_weight", None)
        else:
            for name, size in sizes.items():
                setattr(self, f"{name}_proj_weight", parameter(embed_dim, size))
            self.register_parameter("in_proj_weight", None)
        self.register_parameter("in_proj_bias", parameter(3 * embed_dim) if bias else None)
        self.out_proj = NonDynamicallyQuantizableLinear(
            embed_dim, embed_dim, bias=bias, dtype=dtype
        )
        if add_bias_kv:
            self.bias_k = parameter(1, 1, embed_dim)
            self.bias_v = parameter(1, 1, embed_dim)
        else:
            self.bias_k = self.bias_v = None
        self.add_zero_attn = add_zero_attn
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        projections = (
            self.in_proj_weight,
            self.q_proj_weight,
            self.k_proj_weight,
            self.v_proj_weight,
        )
        for weight in projections:
            if weight is not None:
                init.xavier_uniform_(weight)
        if self.in_proj_bias is not None:
            init.zeros_(self.in_proj_bias)
        if self.out_proj.bias is not None:
            init.zeros_(self.out_proj.bias)
        for weight in (self.bias_k, self.bias_v):
            if weight is not None:
                init.xavier_normal_(weight)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        swapped = self.batch_first and query.dim() == 3
        padding = _summands(
            key_padding_mask, "key_padding_mask", query.dtype, attn_mask, "attn_mask"
        )
        mask = _summands(attn_mask, "attn_mask", query.dtype)
        if swapped:  # what is one tensor stays one: that saves projections
            inputs = {id(x): x.transpose(1, 0) for x in (query, key, value)}
            query, key, value = inputs[id(query)], inputs[id(key)], inputs[id(value)]
        result, weights = F.multi_head_attention_forward(
            query,
            key,
            value,
            self.embed_dim,
            self.num_heads,
            self.in_proj_weight,
            self.in_proj_bias,
            self.bias_k,
            self.bias_v,
            self.add_zero_attn,
            self.dropout,
            self.out_proj.weight,
            self.out_proj.bias,
            training=self.training,
            key_padding_mask=padding,
            need_weights=need_weights,
            attn_mask=mask,
            use_separate_proj_weight=not self._qkv_same_embed_dim,
            q_proj_weight=self.q_proj_weight,
            k_proj_weight=self.k_proj_weight,
            v_proj_weight=self.v_proj_weight,
            average_attn_weights=average_attn_weights,
            is_causal=is_causal,
        )
        return (result.transpose(1, 0) if swapped else result), weights
