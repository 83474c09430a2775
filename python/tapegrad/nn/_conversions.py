"""Other dtypes and memory for everything that a module has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import methodcaller
from typing import TYPE_CHECKING, Any, TypeVar

import tapegrad

from .._C import Tensor
from .._device import require_cpu
from .parameter import Parameter

if TYPE_CHECKING:
    from .modules.module import Module

T = TypeVar("T", bound="Conversions")


class Conversions:
    """``to``, ``float``, ``to_empty`` and their like: a base of Module."""

    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]

    if TYPE_CHECKING:

        def children(self) -> Iterator[Module]: ...

    def _apply(self: T, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> T:
        """Replaces the values of all parameters, their gradients, and all buffers."""
        if recurse:
            for module in self.children():
                module._apply(fn)
        for param in self._parameters.values():
            if param is None:
                continue
            grad = param.grad
            changed = fn(param.data)
            if grad is not None:
                param.grad = None  # dtype of values and gradient have to agree at any time
            param.data = changed
            if grad is not None:
                param.grad = fn(grad.detach()).requires_grad_(grad.requires_grad)
        for name, buffer in self._buffers.items():
            if buffer is not None:
                self._buffers[name] = fn(buffer)
        return self

    def float(self: T) -> T:
        """Convert floating-point parameters and buffers to float32; returns the module."""
        return self._apply(lambda t: t.float() if t.is_floating_point() else t)

    def double(self: T) -> T:
        """Convert floating-point parameters and buffers to float64; returns the module.

        Example:
            >>> import tapegrad
            >>> tapegrad.nn.Linear(1, 1).double().weight.dtype == tapegrad.float64
            True
        """
        return self._apply(lambda t: t.double() if t.is_floating_point() else t)

    def half(self: T) -> T:
        """Convert floating-point parameters and buffers to float16; returns the module."""
        return self._apply(lambda t: t.half() if t.is_floating_point() else t)

    def bfloat16(self: T) -> T:
        """Convert floating-point parameters and buffers to bfloat16; returns the module."""
        return self._apply(lambda t: t.bfloat16() if t.is_floating_point() else t)

    def type(self: T, dst_type: Any) -> T:
        """Convert all parameters and buffers to a dtype; returns the module."""
        return self._apply(lambda t: t.type(dst_type))

    def cpu(self: T) -> T:
        """The module itself: the CPU is the only device."""
        return self

    def cuda(self: T, device: Any = None) -> T:
        """Raises an error, as there is no GPU to move to: ``.to(device)`` suits every machine.

        Raises:
            RuntimeError: if the module has a parameter or buffer; it is an AssertionError, too.
        """
        return self._apply(lambda t: t.cuda(device))

    def to_empty(self: T, *, device: Any, recurse: bool = True) -> T:
        """Give parameters and buffers new memory that is not initialised; returns the module.

        Args:
            device: the CPU.
            recurse: also those of submodules. Default: True.

        Example:
            >>> from tapegrad import nn
            >>> tuple(nn.Linear(3, 2).to_empty(device="cpu").weight.shape)
            (2, 3)
        """
        return self._apply(lambda t: tapegrad.empty_like(t, device=device), recurse)

    def share_memory(self: T) -> T:
        """Move parameters and buffers to memory that processes share; returns the module."""
        return self._apply(methodcaller("share_memory_"))

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Record the module's calls and replay them, see :func:`tapegrad.compile`.

        Example:
            >>> import tapegrad
            >>> layer = tapegrad.nn.Linear(2, 1)
            >>> layer.compile()
            >>> layer(tapegrad.ones(3, 2)).shape
            tapegrad.Size([3, 1])
        """
        self.__dict__["forward"] = tapegrad.compile(self.forward, *args, **kwargs)  # type: ignore[attr-defined]

    def to(self: T, *args: Any, **kwargs: Any) -> T:
        """Convert floating-point parameters and buffers to a dtype; returns the module.

        Called as ``to(dtype)``, ``to(device)``, ``to(device, dtype)`` or ``to(tensor)``; the CPU is
        the only device. ``memory_format`` goes to parameters and buffers of 4 or 5 dimensions.

        Raises:
            TypeError: if the dtype is not a floating-point one.
            RuntimeError: if the device is not the CPU.

        Example:
            >>> import tapegrad
            >>> m = tapegrad.nn.Linear(1, 1).to("cpu", tapegrad.float64)
            >>> m.bias.dtype == tapegrad.float64
            True
        """
        dtype = kwargs.pop("dtype", None)
        device = kwargs.pop("device", None)
        memory_format = kwargs.pop("memory_format", None)
        kwargs.pop("non_blocking", None)
        if kwargs:
            raise TypeError(f"to() got an unexpected keyword argument '{next(iter(kwargs))}'")
        for arg in args:
            if isinstance(arg, tapegrad.dtype):
                dtype = arg
            elif isinstance(arg, Tensor):
                dtype = arg.dtype
            elif isinstance(arg, (str, tapegrad.device, int)) and not isinstance(arg, bool):
                device = arg
            elif arg is not None and not isinstance(arg, bool):
                raise TypeError(
                    "to() received an invalid combination of arguments - got "
                    f"({', '.join(a.__class__.__name__ for a in args)}), but expected a device, a "
                    "dtype or a tensor"
                )
        require_cpu(device)
        if dtype is None and memory_format is None:
            return self
        if dtype is not None and not dtype.is_floating_point:
            raise TypeError(
                "nn.Module.to only accepts floating point or complex "
                f"dtypes, but got desired dtype={dtype}"
            )

        def convert(t: Tensor) -> Tensor:
            wanted = dtype if dtype is not None and t.is_floating_point() else t.dtype
            return t.to(wanted, memory_format=memory_format if t.dim() in (4, 5) else None)

        return self._apply(convert)
