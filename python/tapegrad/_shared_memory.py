"""Memory that processes share: what `Tensor.share_memory_` moves a tensor to.

A forked process has the same memory. To others it goes as a file descriptor, when Python's
``multiprocessing`` pickles a tensor: as an argument, through a queue or pipe. The process that
sends one has to live until it has arrived.
"""

from __future__ import annotations

import os
import weakref
from mmap import mmap
from multiprocessing.reduction import DupFd, ForkingPickler
from typing import Any

import numpy as np

from . import _C
from ._C import Tensor
from ._tensor import _state
from .nn.parameter import Parameter

__all__ = ["is_shared", "share"]


class _Segment(mmap):
    """A piece of shared memory, and the file that it is."""

    descriptor: int


# Those that are in use, by the address of their first byte.
_segments: weakref.WeakValueDictionary[int, _Segment] = weakref.WeakValueDictionary()


def _mapped(descriptor: int, dtype: Any, count: int) -> Tensor:
    """All numbers of a file, whose descriptor is closed with the last tensor."""
    size = count * dtype.itemsize
    segment = _Segment(descriptor, max(size, 1))
    segment.descriptor = descriptor
    weakref.finalize(segment, os.close, descriptor)
    bits = _C.int16 if dtype is _C.bfloat16 else dtype  # NumPy has no bfloat16
    array = np.frombuffer(segment, str(bits).rpartition(".")[2], count)
    _segments[array.ctypes.data] = segment
    return _C.from_numpy(array).view(dtype)


def _whole(tensor: Tensor) -> Tensor:
    return _C._whole_storage(tensor.detach())


def is_shared(tensor: Tensor) -> bool:
    """Whether a tensor is in shared memory.

    >>> import tapegrad
    >>> is_shared(tapegrad.zeros(2)), is_shared(share(tapegrad.zeros(2)))
    (False, True)
    """
    return _whole(tensor).data_ptr() in _segments


def share(tensor: Tensor) -> Tensor:
    """Move a tensor into shared memory, and return it.

    >>> import tapegrad
    >>> share(tapegrad.ones(2))
    tensor([1., 1.])
    """
    if not is_shared(tensor):
        values = _whole(tensor)
        descriptor = os.memfd_create("tapegrad")
        os.ftruncate(descriptor, max(values.nbytes, 1))
        shared = _mapped(descriptor, values.dtype, values.numel()).copy_(values)
        tensor.data = shared.as_strided(tensor.shape, tensor.stride(), tensor.storage_offset())
    ForkingPickler.register(type(tensor), _reduce)
    return tensor


def _reduce(tensor: Tensor) -> Any:
    values = _whole(tensor)
    segment = _segments.get(values.data_ptr())
    if segment is None:
        return tensor.__reduce_ex__(2)
    form = (tuple(tensor.shape), tensor.stride(), tensor.storage_offset())
    handle = DupFd(segment.descriptor)
    kind = (type(tensor), tensor.requires_grad)
    return _rebuild, (handle, values.dtype, values.numel(), form, kind), _state(tensor)


def _rebuild(handle: Any, dtype: Any, count: int, form: Any, kind: tuple[Any, bool]) -> Tensor:
    cls, requires_grad = kind
    ForkingPickler.register(cls, _reduce)
    data = _mapped(handle.detach(), dtype, count).as_strided(*form).data
    if cls is Tensor:
        return data.requires_grad_(requires_grad)
    return _C._make_subclass(cls, data, requires_grad)


for _kind in (Tensor, Parameter):
    ForkingPickler.register(_kind, _reduce)
