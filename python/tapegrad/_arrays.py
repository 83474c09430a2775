"""Tensors as NumPy arrays, and back; bfloat16, which NumPy has not, as its bits (uint16)."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _C
from ._C import Tensor

__all__ = ["from_array", "to_array"]


def to_array(tensor: Tensor) -> np.ndarray:
    """The values of a tensor, also of one that requires grad; on its memory where that is possible.

    >>> import tapegrad
    >>> to_array(tapegrad.ones(2)), to_array(tapegrad.ones(2, dtype=tapegrad.bfloat16))
    (array([1., 1.], dtype=float32), array([16256, 16256], dtype=uint16))
    """
    values = tensor.detach()
    if tensor.dtype is not _C.bfloat16:
        return np.asarray(values.numpy())
    # A bfloat16 is the upper half of a float32.
    single = np.asarray(values.float().numpy())
    return (single.view(np.uint32) >> np.uint32(16)).astype(np.uint16)


def from_array(array: Any) -> Tensor:
    """The tensor of which :func:`to_array` has made an array.

    >>> import tapegrad
    >>> from_array(to_array(tapegrad.full((2,), 1.5, dtype=tapegrad.bfloat16)))
    tensor([1.5000, 1.5000], dtype=tapegrad.bfloat16)
    """
    if array.dtype != np.uint16:
        return _C.from_numpy(array)
    bits = np.asarray(array.astype(np.uint32) << np.uint32(16))
    return _C.from_numpy(bits.view(np.float32)).bfloat16()
