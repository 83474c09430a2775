"""Tables, under the name that PyTorch's file has."""

from __future__ import annotations

from .embedding import Embedding as Embedding
from .embedding import EmbeddingBag as EmbeddingBag

__all__ = ["Embedding", "EmbeddingBag"]
