"""Tensors that a module recognises as its own: parameters and buffers."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import tapegrad

from .. import _C
from .._C import Tensor
from .._tensor import deepcopy_tensor

__all__ = [
    "Buffer",
    "Parameter",
    "UninitializedBuffer",
    "UninitializedParameter",
    "UninitializedTensorMixin",
    "is_lazy",
]


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
        elif not isinstance(data, Tensor):
            data = data.detach()  # whatever has this method
        return Tensor._make_subclass(cls, data, requires_grad)

    __torch_function__ = _C._disabled_torch_function_impl

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
    __torch_function__ = _C._disabled_torch_function_impl

    def __new__(cls, data: Tensor | None = None, *, persistent: bool = True) -> Buffer:
        if data is None:
            data = tapegrad.empty(0)
        buffer = Tensor._make_subclass(cls, data, data.requires_grad)
        buffer.persistent = persistent
        return buffer


class UninitializedTensorMixin:
    """What a parameter or buffer is before its shape is known.

    It has a dtype, can be moved, converted and put into a state dict, and refuses everything else
    until :meth:`materialize` has given it a shape.
    """

    cls_to_become: type[Tensor]

    if TYPE_CHECKING:
        data: Tensor
        dtype: tapegrad.dtype
        requires_grad: bool
        device: tapegrad.device

    def materialize(
        self, shape: Sequence[int], device: Any = None, dtype: tapegrad.dtype | None = None
    ) -> None:
        """Become an ordinary parameter or buffer, whose values are not initialised.

        Args:
            shape: the shape.
            device: the CPU.
            dtype: the dtype. Default: the one that it has.

        Example:
            >>> import tapegrad
            >>> weight = tapegrad.nn.UninitializedParameter()
            >>> weight.materialize((2, 3))
            >>> tuple(weight.shape), type(weight).__name__
            ((2, 3), 'Parameter')
        """
        self.data = tapegrad.empty(tuple(shape), device=device, dtype=dtype or self.dtype)
        self.__class__ = self.cls_to_become  # type: ignore[assignment]

    @property
    def shape(self) -> Any:
        """Refuses, as there is none yet."""
        raise RuntimeError(
            "Can't access the shape of an uninitialized parameter or buffer. This error usually "
            "happens in `load_state_dict` when trying to load an uninitialized parameter into an "
            "initialized one. Call `forward` to initialize the parameters before accessing their "
            "attributes."
        )

    def share_memory_(self) -> Any:
        """Refuses, as there are no values yet."""
        raise RuntimeError(
            "Can't share memory on an uninitialized parameter or buffer. Call `forward` to "
            "initialize the parameters before calling `module.share_memory()`."
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        if id(self) not in memo:
            made, arguments = self.__reduce_ex__(2)
            memo[id(self)] = made(*arguments)
        return memo[id(self)]

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return type(self), (self.requires_grad, self.device, self.dtype)


# What a tensor without a shape can be asked for.
_ALLOWED = {
    *("copy_", "size", "is_floating_point", "is_complex", "to", "cpu", "cuda", "type"),
    *("half", "bfloat16", "float", "double", "char", "short", "int", "long", "bool"),
    *("requires_grad_", "_make_subclass", "_to_dtype", "__del__"),
}


def _refusing(name: str) -> Callable[..., Any]:
    def refuse(self: Any, *args: Any, **kwargs: Any) -> Any:
        raise ValueError(
            f"Attempted to use an uninitialized parameter in {getattr(Tensor, name)}. This error "
            "happens when you are using a `LazyModule` or explicitly manipulating "
            f"`tapegrad.nn.parameter.{type(self).__name__}` objects. When using LazyModules Call "
            "`forward` with a dummy batch to initialize the parameters before calling tapegrad "
            "functions"
        )

    refuse.__name__ = name
    return refuse


@functools.cache
def _refuse_the_rest() -> None:
    """Makes the mixin complete; not before the first of its tensors, as it takes a millisecond."""
    for name, member in vars(Tensor).items():
        known = name in _ALLOWED or hasattr(object, name) or hasattr(UninitializedTensorMixin, name)
        if callable(member) and not known:
            setattr(UninitializedTensorMixin, name, _refusing(name))


class UninitializedParameter(UninitializedTensorMixin, Parameter):
    """A parameter whose shape is not known yet.

    A lazy module has one until its first call, which gives it a shape.

    Args:
        requires_grad: whether gradients will be computed for it. Default: True.
        device: the CPU.
        dtype: its dtype. Default: the default dtype.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.UninitializedParameter()
        <UninitializedParameter>
    """

    cls_to_become = Parameter

    def __new__(
        cls, requires_grad: bool = True, device: Any = None, dtype: tapegrad.dtype | None = None
    ) -> UninitializedParameter:
        _refuse_the_rest()
        empty = tapegrad.empty(0, device=device, dtype=dtype)
        return Tensor._make_subclass(cls, empty, requires_grad)


class UninitializedBuffer(UninitializedTensorMixin, Buffer):
    """A buffer whose shape is not known yet; see :class:`UninitializedParameter`.

    Args:
        requires_grad: whether gradients will be computed for it. Default: False.
        device: the CPU.
        dtype: its dtype. Default: the default dtype.
        persistent: whether it is part of the ``state_dict``. Default: True.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.UninitializedBuffer()
        <UninitializedBuffer>
    """

    cls_to_become = Tensor

    def __new__(
        cls,
        requires_grad: bool = False,
        device: Any = None,
        dtype: tapegrad.dtype | None = None,
        persistent: bool = True,
    ) -> UninitializedBuffer:
        _refuse_the_rest()
        empty = tapegrad.empty(0, device=device, dtype=dtype)
        buffer = Tensor._make_subclass(cls, empty, requires_grad)
        buffer.persistent = persistent
        return buffer


def is_lazy(param: Any) -> bool:
    """Whether a parameter or buffer has no shape yet.

    Example:
        >>> from tapegrad import nn
        >>> nn.parameter.is_lazy(nn.LazyLinear(2).weight)
        True
    """
    return isinstance(param, UninitializedTensorMixin)
