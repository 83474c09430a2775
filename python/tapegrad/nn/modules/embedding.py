"""Tables of vectors that are looked up by index."""

from __future__ import annotations

from typing import Any

import tapegrad

from ..._C import Tensor
from .. import functional as F
from .. import init
from ..parameter import Parameter
from .module import Module

__all__ = ["Embedding", "EmbeddingBag"]


class _Table(Module):
    """The table that both layers have."""

    num_embeddings: int
    embedding_dim: int
    padding_idx: int | None
    weight: Tensor

    def _make_table(
        self,
        padding_idx: int | None,
        given: Tensor | None,
        frozen: bool,
        device: Any,
        dtype: Any,
        name: str,
    ) -> None:
        rows = self.num_embeddings
        if padding_idx is not None:
            if not -rows <= padding_idx < max(rows, 1):
                raise AssertionError(f"{name} must be within num_embeddings")
            padding_idx = padding_idx % rows if rows else padding_idx
        self.padding_idx = padding_idx
        shape = [rows, self.embedding_dim]
        if given is None:
            self.weight = Parameter(
                tapegrad.empty(*shape, device=device, dtype=dtype), requires_grad=not frozen
            )
            self.reset_parameters()
        else:
            if list(given.shape) != shape:
                raise AssertionError(
                    "Shape of weight does not match num_embeddings and embedding_dim"
                )
            self.weight = Parameter(given, requires_grad=not frozen)

    def reset_parameters(self) -> None:
        """Draw new values from the standard normal distribution."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with tapegrad.no_grad():
                self.weight[self.padding_idx].fill_(0)


def _rows_and_size(embeddings: Tensor) -> tuple[int, int]:
    if embeddings.dim() != 2:
        raise AssertionError("Embeddings parameter is expected to be 2-dimensional")
    return embeddings.shape[0], embeddings.shape[1]


class Embedding(_Table):
    """A table of vectors, looked up by index.

    Args:
        num_embeddings: number of rows.
        embedding_dim: length of a row.
        padding_idx: an index whose row starts as zeros and gets no gradient. Default: none.
        max_norm: rows that are taken and have a larger norm are scaled to this norm. Default: none.
        norm_type: the p of that norm. Default: 2.
        scale_grad_by_freq: whether the gradient of a row is divided by how often it was taken.
        sparse: must be False when the layer is called.
        dtype: dtype of the table. Default: the default dtype.

    Shapes: input (*) of integers, output (*, embedding_dim).

    Example:
        >>> import tapegrad
        >>> m = tapegrad.nn.Embedding(10, 3)
        >>> tuple(m(tapegrad.tensor([[1, 2], [4, 5]])).shape)
        (2, 2, 3)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        _weight: Tensor | None = None,
        _freeze: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        self.sparse = sparse
        self._make_table(padding_idx, _weight, _freeze, device, dtype, "Padding_idx")

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
    ) -> Embedding:
        """A layer with the given table, of shape (num_embeddings, embedding_dim)."""
        return cls(
            *_rows_and_size(embeddings),
            padding_idx,
            max_norm,
            norm_type,
            scale_grad_by_freq,
            sparse,
            _weight=embeddings,
            _freeze=freeze,
        )

    def forward(self, input: Tensor) -> Tensor:
        return F.embedding(
            input,
            self.weight,
            self.padding_idx,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.sparse,
        )

    def extra_repr(self) -> str:
        text = f"{self.num_embeddings}, {self.embedding_dim}"
        usual = {
            "padding_idx": None,
            "max_norm": None,
            "norm_type": 2,
            "scale_grad_by_freq": False,
            "sparse": False,
        }
        for name, value in usual.items():
            if getattr(self, name) != value:
                text += f", {name}={getattr(self, name)}"
        return text


class EmbeddingBag(_Table):
    """Sums, means or maxima of rows of a table.

    Args:
        mode: "mean" (the default), "sum" or "max".
        include_last_offset: whether the last offset is the end of the last bag. Default: False.
        padding_idx: an index that no bag counts. Default: none.
        num_embeddings, embedding_dim, max_norm, norm_type, scale_grad_by_freq, sparse, dtype: see
            :class:`Embedding`.

    Shapes: input (bags, size) or a vector with offsets; output (bags, embedding_dim).

    Example:
        >>> import tapegrad
        >>> m = tapegrad.nn.EmbeddingBag(10, 3)
        >>> tuple(m(tapegrad.tensor([1, 2, 4, 5]), tapegrad.tensor([0, 1])).shape)
        (2, 3)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        _weight: Tensor | None = None,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        self._make_table(padding_idx, _weight, False, device, dtype, "padding_idx")
        self.mode = mode
        self.sparse = sparse
        self.include_last_offset = include_last_offset

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
    ) -> EmbeddingBag:
        """A layer with the given table, of shape (num_embeddings, embedding_dim)."""
        layer = cls(
            *_rows_and_size(embeddings),
            max_norm,
            norm_type,
            scale_grad_by_freq,
            mode,
            sparse,
            embeddings,
            include_last_offset,
            padding_idx,
        )
        layer.weight.requires_grad = not freeze
        return layer

    def forward(
        self,
        input: Tensor,
        offsets: Tensor | None = None,
        per_sample_weights: Tensor | None = None,
    ) -> Tensor:
        return F.embedding_bag(
            input,
            self.weight,
            offsets,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.mode,
            self.sparse,
            per_sample_weights,
            self.include_last_offset,
            self.padding_idx,
        )

    def extra_repr(self) -> str:
        text = f"{self.num_embeddings!r}, {self.embedding_dim!r}"
        if self.max_norm is not None:
            text += f", max_norm={self.max_norm!r}"
        if self.norm_type != 2:
            text += f", norm_type={self.norm_type!r}"
        if self.scale_grad_by_freq is not False:
            text += f", scale_grad_by_freq={self.scale_grad_by_freq!r}"
        text += f", mode={self.mode!r}"
        if self.padding_idx is not None:
            text += f", padding_idx={self.padding_idx!r}"
        return text
