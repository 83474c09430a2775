"""SparseAdam, which this library cannot have."""

from __future__ import annotations

from typing import Any, NoReturn

__all__ = ["SparseAdam"]


class SparseAdam:
    """Adam for sparse gradients: raises, as all tensors of this library are dense.

    Raises:
        NotImplementedError: always.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise NotImplementedError(
            "SparseAdam needs sparse gradients, which this library does not have: embeddings get "
            "dense ones. Please use Adam, which takes every element into account in each step."
        )
