"""The part of Tensor that is in Python: what is called rarely, or is mostly Python anyway."""

from __future__ import annotations

import copyreg
from collections.abc import Callable
from copy import deepcopy
from types import FunctionType
from typing import Any

from . import _C
from ._arrays import from_array, to_array
from ._C import Tensor
from ._device import CPU, NO_ACCELERATOR, device, layout, no_device, require_cpu, strided
from ._legacy import dtype_of, type_name
from ._tensor_str import tensor_str
from .utils.hooks import RemovableHandle

__all__ = ["Tensor", "is_tensor"]


def is_tensor(obj: object) -> bool:
    """Whether an object is a tensor.

    Example:
        >>> import tapegrad
        >>> tapegrad.is_tensor(tapegrad.zeros(2)), tapegrad.is_tensor([0.0])
        (True, False)
    """
    return isinstance(obj, Tensor)


def _repr(self: Tensor, *, tensor_contents: str | None = None) -> str:
    return tensor_str(self, contents=tensor_contents)


def _format(self: Tensor, spec: str) -> str:
    """A 0-d tensor formats as its number, any other as it prints."""
    if self.dim() == 0 and type(self) is Tensor:
        return format(self.item(), spec)
    return object.__format__(self, spec)


def _register_hook(self: Tensor, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
    """Call a function with the gradient of this tensor whenever it is computed.

    Args:
        hook: takes the gradient (same shape and dtype as the tensor). A tensor that it returns
            takes the gradient's place; None leaves it. Hooks run in the order in which they were
            registered.

    Returns:
        A handle with ``remove()``, which is also a context manager.

    Raises:
        RuntimeError: if the tensor does not require gradients.

    Example:
        >>> import tapegrad
        >>> x = tapegrad.tensor([1.0, 2.0], requires_grad=True)
        >>> handle = x.register_hook(lambda grad: grad * 10)
        >>> x.sum().backward()
        >>> x.grad
        tensor([10., 10.])
        >>> handle.remove()
    """
    hooks = _C._tensor_hooks(self)
    handle = RemovableHandle(hooks)
    hooks[handle.id] = hook
    return handle


def _register_post_accumulate_grad_hook(
    self: Tensor, hook: Callable[[Tensor], None]
) -> RemovableHandle:
    """Call a function with this leaf after a gradient was added to its ``.grad``.

    Args:
        hook: takes the leaf itself; what it returns is ignored.

    Returns:
        A handle with ``remove()``, which is also a context manager.

    Raises:
        RuntimeError: if the tensor is not a leaf, or does not require gradients.

    Example:
        >>> import tapegrad
        >>> w = tapegrad.ones(2, requires_grad=True)
        >>> def step(parameter):
        ...     with tapegrad.no_grad():
        ...         parameter -= 0.1 * parameter.grad
        ...     parameter.grad = None
        >>> handle = w.register_post_accumulate_grad_hook(step)
        >>> w.sum().backward()
        >>> w
        tensor([0.9000, 0.9000], requires_grad=True)
    """
    hooks = _C._accumulate_hooks(self)
    handle = RemovableHandle(hooks)
    hooks[handle.id] = hook
    return handle


def _to(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """Convert to a dtype; a device may be named, as there is only one.

    Args:
        args: a dtype, a device, both, or a tensor whose dtype is taken; then ``non_blocking`` and
            ``copy``.
        kwargs: ``dtype``, ``device``, ``copy`` (default False), ``memory_format`` (default None,
            the order of dimensions that the tensor has), ``non_blocking`` (ignored).

    Returns:
        The tensor itself where nothing changes and no copy is asked for.

    Raises:
        RuntimeError: if the number of dimensions is not that of the memory format, or the device
            is not the CPU.

    Example:
        >>> import tapegrad
        >>> tapegrad.tensor([1, 2]).to(tapegrad.float64)
        tensor([1., 2.], dtype=tapegrad.float64)
    """
    dtype = kwargs.pop("dtype", None)
    place = kwargs.pop("device", None)
    copy = kwargs.pop("copy", False)
    kwargs.pop("non_blocking", None)
    memory_format = kwargs.pop("memory_format", None)
    if kwargs:
        raise TypeError(f"to() got an unexpected keyword argument '{next(iter(kwargs))}'")
    flags = []
    for argument in args:
        if isinstance(argument, Tensor):
            dtype = argument.dtype
        elif isinstance(argument, _C.dtype):
            dtype = argument
        elif isinstance(argument, bool):
            flags.append(argument)
        elif isinstance(argument, (str, device, int)):
            place = argument
        elif argument in (float, int, bool):
            dtype = argument
        elif argument is not None:
            raise TypeError(f"to() received an invalid argument of type {type(argument).__name__}")
    require_cpu(place)
    copy = copy or flags[1:2] == [True]
    return self._to_dtype(self.dtype if dtype is None else dtype, copy, memory_format)


def _type(self: Tensor, dtype: Any = None, non_blocking: bool = False) -> Any:
    """The name of the tensor's type, or the tensor converted to a type.

    Args:
        dtype: a dtype, a type such as ``tapegrad.LongTensor`` or its name, or None for the name of
            the tensor's own. Default: None.
        non_blocking: ignored.

    Raises:
        ValueError: for a name that is none of a type.

    Example:
        >>> import tapegrad
        >>> tapegrad.zeros(2).type()
        'tapegrad.FloatTensor'
        >>> tapegrad.zeros(2).type("tapegrad.LongTensor")
        tensor([0, 0])
    """
    return type_name(self.dtype) if dtype is None else self._to_dtype(dtype_of(dtype))


def _as_type(like: Tensor, data: Tensor) -> Any:
    """The data as a leaf of the type of another tensor."""
    if type(like) is Tensor:
        return data.requires_grad_(like.requires_grad)
    return _C._make_subclass(type(like), data, like.requires_grad)


def _state(self: Tensor) -> Any:
    """What Python programs have put on a tensor, as `object.__getstate__` has it."""
    if type(self) is Tensor:
        return self.__dict__ or None
    if hasattr(self, "__getstate__"):  # since Python 3.11
        return self.__getstate__()
    slots = {name: getattr(self, name) for name in _slots(self)}
    return (self.__dict__ or None, slots) if slots else self.__dict__ or None


def _slots(self: Tensor) -> list[str]:
    if type(self) is Tensor:
        return []
    names: list[str] = copyreg._slotnames(type(self))  # type: ignore[attr-defined]
    return [name for name in names if hasattr(self, name)]


def deepcopy_tensor(self: Tensor, memo: dict[Any, Any], with_grad: bool = True) -> Tensor:
    if not self.is_leaf:
        raise RuntimeError(
            "Only Tensors created explicitly by the user (graph leaves) support the deepcopy "
            "protocol at the moment."
        )
    if id(self) in memo:
        known: Tensor = memo[id(self)]
        return known
    with _C._NoGrad():
        data = _copy_of_memory(self.detach(), memo)
    copy = memo[id(self)] = _as_type(self, data)
    if with_grad and self.grad is not None:
        copy.grad = deepcopy(self.grad, memo)
    for name in _slots(self):
        setattr(copy, name, deepcopy(getattr(self, name), memo))
    if self.__dict__:
        copy.__dict__.update(deepcopy(self.__dict__, memo))
    return copy


def _copy_of_memory(values: Tensor, memo: dict[Any, Any]) -> Tensor:
    """A copy; what shares memory in one deepcopy does so in the copy, too."""
    whole = _C._whole_storage(values)
    key = ("tapegrad storage", whole.data_ptr(), whole.numel(), whole.dtype)
    copied = memo.get(key)
    if copied is None:
        if values.is_contiguous() and values.numel() == whole.numel():
            copied = memo[key] = values.clone()
            return copied.data
        copied = memo[key] = whole.clone()
    whole = _C._whole_storage(copied)
    return whole.as_strided(values.shape, values.stride(), values.storage_offset()).data


def _copy(self: Tensor) -> Tensor:
    copy = _as_type(self, self.data)
    for name in _slots(self):
        setattr(copy, name, getattr(self, name))
    if self.__dict__:
        copy.__dict__.update(self.__dict__)
    return copy


def _rebuild(
    cls: type[Tensor],
    array: Any,
    requires_grad: bool,
    size: tuple[int, ...] | None = None,
    stride: tuple[int, ...] | None = None,
) -> Tensor:
    data = from_array(array)
    if size is not None and stride is not None:
        data = data.as_strided(size, stride).data
    return (
        data.requires_grad_(requires_grad)
        if cls is Tensor
        else _C._make_subclass(cls, data, requires_grad)
    )


def _reduce(self: Tensor, protocol: int) -> tuple[Any, ...]:
    values = self.detach()
    form: tuple[Any, ...] = ()
    # Of a tensor that lies otherwise the memory goes along, where it has no gaps.
    span = 1 + sum((n - 1) * step for n, step in zip(self.shape, self.stride(), strict=True))
    if not self.is_contiguous() and self.numel() > 0 and span <= self.numel():
        form = (tuple(self.shape), self.stride())
        values = values.as_strided((span,), (1,))
    return _rebuild, (type(self), to_array(values), self.requires_grad, *form), _state(self)


def _apply(self: Tensor, function: Callable[[Any], Any]) -> Tensor:
    """Replace each element by what a function makes of it (slow; outside of the tape).

    Args:
        function: takes and returns a Python number.

    Returns:
        The tensor itself.

    Raises:
        RuntimeError: if the tensor requires gradients.

    Example:
        >>> import tapegrad
        >>> tapegrad.tensor([1.0, 2.0]).apply_(lambda x: x + 1)
        tensor([2., 3.])
    """
    if self.requires_grad:
        raise RuntimeError(
            "Can't call apply_() on Variable that requires grad. Use var.detach().apply_() instead."
        )
    flat = [function(value) for value in self.reshape(-1).tolist()]
    return self.copy_(_C.tensor(flat, dtype=self.dtype).reshape(self.shape))


def _cpu(self: Tensor) -> Tensor:
    """The tensor itself, as it is on the CPU already.

    Example:
        >>> import tapegrad
        >>> x = tapegrad.zeros(2)
        >>> x.cpu() is x
        True
    """
    return self


def _cuda(
    self: Tensor, device: Any = None, non_blocking: bool = False, memory_format: Any = None
) -> Tensor:
    """Raises an error, as there is no GPU to move to: ``.to(device)`` suits every machine.

    Raises:
        RuntimeError: always; it is an AssertionError, too.

    Example:
        >>> import tapegrad
        >>> tapegrad.zeros(2).cuda()
        Traceback (most recent call last):
        tapegrad._device.NoDeviceError: tapegrad not compiled with CUDA enabled. This package runs
        on the CPU only.
    """
    raise no_device("cuda")


def _pin_memory(self: Tensor, device: Any = None) -> Tensor:
    """Raises an error: pinned memory is for copies to devices, and there is none.

    Raises:
        RuntimeError: always.

    Example:
        >>> import tapegrad
        >>> tapegrad.zeros(2).pin_memory()
        Traceback (most recent call last):
        RuntimeError: Cannot access accelerator device when none is available.
    """
    raise RuntimeError(NO_ACCELERATOR)


def _is_pinned(self: Tensor, device: Any = None) -> bool:
    """False, as memory is pinned for other devices only.

    Example:
        >>> import tapegrad
        >>> tapegrad.zeros(2).is_pinned()
        False
    """
    return False


def _get_device(self: Tensor) -> int:
    """The number of the device: -1, that of the CPU.

    Example:
        >>> import tapegrad
        >>> tapegrad.zeros(2).get_device()
        -1
    """
    return -1


def _is_shared(self: Tensor) -> bool:
    """Whether the tensor is in memory that processes share.

    Example:
        >>> import tapegrad
        >>> tapegrad.zeros(2).is_shared()
        False
    """
    from ._shared_memory import is_shared  # rarely needed

    return is_shared(self)


def _share_memory_(self: Tensor) -> Tensor:
    """Move the tensor into memory that processes share.

    A process that gets the tensor from this one (forked, as an argument or through a queue of
    ``multiprocessing``) sees its changes, and this one those of the other. Views that were made
    before stay where they were.

    Returns:
        The tensor itself.

    Example:
        >>> import tapegrad
        >>> tapegrad.zeros(2).share_memory_().is_shared()
        True
    """
    from ._shared_memory import share  # rarely needed

    return share(self)


def _layout(self: Tensor) -> layout:
    """How the elements are stored: always ``tapegrad.strided``.

    Example:
        >>> import tapegrad
        >>> tapegrad.zeros(2).layout
        tapegrad.strided
    """
    return strided


def _device(self: Tensor) -> device:
    """The device of the tensor: always the CPU.

    Example:
        >>> import tapegrad
        >>> tapegrad.zeros(2).device
        device(type='cpu')
    """
    return CPU


_REAL = """The tensor itself, whose elements are real numbers.

Example:
    >>> import tapegrad
    >>> tapegrad.ones(2).real
    tensor([1., 1.])
"""
# What no tensor is.
_ABSENT_KINDS = (
    *("cuda", "ipu", "maia", "meta", "mkldnn", "mps", "mtia", "nested", "quantized", "sparse"),
    *("sparse_csr", "vulkan", "xla", "xpu"),
)
# The documentation of attributes that are the same for all tensors.
_FLAG = """Always {1}.

Example:
    >>> import tapegrad
    >>> tapegrad.zeros(2).{0}
    {1}
"""


def _is_distributed(self: Tensor) -> bool:
    """Always False.

    Example:
        >>> import tapegrad
        >>> tapegrad.zeros(2).is_distributed()
        False
    """
    return False


def _type_as(self: Tensor, other: Tensor) -> Tensor:
    """Convert to the dtype of another tensor.

    Args:
        other: a tensor.

    Example:
        >>> import tapegrad
        >>> tapegrad.tensor([1, 2]).type_as(tapegrad.zeros(1))
        tensor([1., 2.])
    """
    return self._to_dtype(other.dtype)


def _contains(self: Tensor, element: Any) -> bool:
    """Whether some element equals a number or tensor."""
    if not isinstance(element, Tensor | int | float):
        raise RuntimeError(
            "Tensor.__contains__ only supports Tensor or scalar, but you passed in a "
            f"{type(element)}."
        )
    return bool((self == element).any())


def _array_namespace(self: Tensor, /, *, api_version: str | None = None) -> Any:
    """The namespace of the array API standard: :mod:`tapegrad.array_api`.

    Args:
        api_version: the version of the standard that is asked for. Default: the one that is here.

    Raises:
        ValueError: for a version that is not here.

    Example:
        >>> import tapegrad
        >>> tapegrad.ones(2).__array_namespace__().__array_api_version__
        '2024.12'
    """
    from . import array_api

    if api_version not in (None, "2021.12", "2022.12", "2023.12", array_api.__array_api_version__):
        raise ValueError(f"the array API standard of {api_version!r} is not implemented")
    return array_api


def _to_device(self: Tensor, device: Any, /, *, stream: Any = None) -> Tensor:
    """The tensor itself, as it is on the CPU already; the array API standard's ``to``.

    Raises:
        RuntimeError: for another device.

    Example:
        >>> import tapegrad
        >>> x = tapegrad.ones(2)
        >>> x.to_device(x.device) is x
        True
    """
    require_cpu(device)
    return self


def _reversed(self: Tensor) -> Tensor:
    """The rows in reverse order; a copy, where Python's lists give an iterator."""
    return self if self.dim() == 0 else self.flip(0)


def add_members(members: dict[str, Any]) -> None:
    """Put functions and properties into Tensor, under their names."""
    for name, value in members.items():
        if isinstance(value, FunctionType) and value.__name__.startswith("_"):
            value.__name__, value.__qualname__ = name, f"Tensor.{name}"
        setattr(Tensor, name, value)


_MEMBERS = {
    "__reversed__": _reversed,
    "__contains__": _contains,
    "__repr__": _repr,
    "__format__": _format,
    "__copy__": _copy,
    "__deepcopy__": deepcopy_tensor,
    "__reduce_ex__": _reduce,
    "__array_namespace__": _array_namespace,
    "__array_priority__": 1000,  # NumPy leaves array + tensor to the tensor
    "register_hook": _register_hook,
    "register_post_accumulate_grad_hook": _register_post_accumulate_grad_hook,
    "to": _to,
    "cpu": _cpu,
    "cuda": _cuda,
    "to_device": _to_device,
    "pin_memory": _pin_memory,
    "is_pinned": _is_pinned,
    "get_device": _get_device,
    "is_shared": _is_shared,
    "is_distributed": _is_distributed,
    "share_memory_": _share_memory_,
    "type": _type,
    "type_as": _type_as,
    "apply_": _apply,
    "device": property(_device),
    "layout": property(_layout),
    "real": property(lambda self: self, doc=_REAL),
    "is_cpu": property(lambda self: True, doc=_FLAG.format("is_cpu", True)),
    **{
        f"is_{kind}": property(lambda self: False, doc=_FLAG.format(f"is_{kind}", False))
        for kind in _ABSENT_KINDS
    },
    "_make_subclass": staticmethod(
        lambda cls, data, requires_grad=False: _C._make_subclass(cls, data, requires_grad)
    ),
}
add_members(_MEMBERS)
