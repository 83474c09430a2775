"""Tensors from and to other libraries, by DLPack.

Example:
    >>> import numpy as np
    >>> from tapegrad.utils.dlpack import from_dlpack
    >>> from_dlpack(np.ones(2, dtype=np.float32))
    tensor([1., 1.])
"""

from __future__ import annotations

from typing import Any

from .._C import Tensor, from_dlpack

__all__ = ["from_dlpack", "to_dlpack"]


def to_dlpack(tensor: Tensor, /) -> Any:
    """A capsule with the memory of a tensor, which one other library may take."""
    return tensor.__dlpack__()
