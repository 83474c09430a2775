"""Tensors that a module recognises as its own: parameters and buffers."""

from __future__ import annotations

from typing import Any

import tapegrad

from .._C import Tensor
from .._tensor import deepcopy_tensor

__all__ = ["Buffer", "Parameter"]


class Parameter(Tensor):
    """A leaf tensor that a :class:`~tapegrad.nn.Module` registers when it is assigned to it.

    Args:
        data: the values; the parameter shares their memory. Default: an empty tensor.
        requires_grad: whether gradients are computed for it. Default: True.

    Raises:
        RuntimeError: if `requires_grad` is set and `data` is not floating point.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.Parameter(tapegrad.tensor([1.0, 2.0]))
        Parameter containing:
        tensor([1., 2.], requires_grad=True)
    """

    def __new__(cls, data: Tensor | None = None, requires_grad: bool = True) -> Parameter:
        if data is None:
            data = tapegrad.empty(0)
        return Tensor._make_subclass(cls, data, requires_grad)

    def __repr__(self) -> str:
        return "Parameter containing:\n" + super().__repr__()

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        # A copied model starts without gradients, as in PyTorch.
        return deepcopy_tensor(self, memo, with_grad=False)


class Buffer(Tensor):
    """A tensor that a module registers as a buffer when it is assigned to it.

    Args:
        data: the values; the buffer shares their memory. Default: an empty tensor.
        persistent: whether the buffer is part of the module's ``state_dict``. Default: True.

    Example:
        >>> import tapegrad
        >>> m = tapegrad.nn.Module()
        >>> m.steps = tapegrad.nn.Buffer(tapegrad.zeros(1))
        >>> list(m.state_dict())
        ['steps']
    """

    persistent: bool

    def __new__(cls, data: Tensor | None = None, *, persistent: bool = True) -> Buffer:
        if data is None:
            data = tapegrad.empty(0)
        buffer = Tensor._make_subclass(cls, data, data.requires_grad)
        buffer.persistent = persistent
        return buffer
