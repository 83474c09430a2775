"""Pickles with tensors: written, and read either with care or with trust."""

from __future__ import annotations

import importlib
import io
import pickle
from collections import OrderedDict
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any, TypeAlias

from .. import _C
from .._C import Tensor
from .._tensor import _state
from ..nn.parameter import Parameter
from ..storage import TypedStorage, UntypedStorage, is_storage, storage_class, storage_of
from .machine import Machine
from .names import (
    TORCH,
    WRITTEN,
    rebuild_from_type,
    rebuild_parameter,
    rebuild_parameter_with_state,
    rebuild_tensor,
)

__all__ = ["Unpickle", "careful", "dumps", "trusting"]

# Takes bytes, the place where a pickle begins, and what gives storages to persistent ids; gives the
# object and the place where the pickle ends.
Unpickle: TypeAlias = Callable[[bytes, int, Callable[[tuple[Any, ...]], Any]], tuple[Any, int]]


def careful(allowed: Mapping[str, Any], encoding: str) -> Unpickle:
    """A reader that runs no code but the functions and classes allowed by name."""

    def unpickle(data: bytes, position: int, storages: Any) -> tuple[Any, int]:
        machine = Machine(data, storages, allowed, encoding, position)
        return machine.run(), machine.position

    return unpickle


def trusting(pickle_module: Any, options: Mapping[str, Any]) -> Unpickle:
    """A reader that runs whatever a pickle says. PyTorch's names give what is here."""

    def unpickle(data: bytes, position: int, storages: Any) -> tuple[Any, int]:
        class Unpickler(pickle_module.Unpickler):  # type: ignore[misc]
            def find_class(self, module: str, name: str) -> Any:
                full = f"{module}.{name}"
                if full in TORCH:
                    return TORCH[full]
                if module == "torch" or module.startswith("torch."):
                    module = _module_here(module, name)
                return super().find_class(module, name)

            def persistent_load(self, pid: Any) -> Any:
                return storages(pid)

        file = io.BytesIO(data)
        file.seek(position)
        return Unpickler(file, **options).load(), file.tell()

    return unpickle


def _module_here(module: str, name: str) -> str:
    """The module that has what one of PyTorch has: the one of its name, or one that exports it."""
    for start, public in _EXPORTED.items():
        if module.startswith(start) and hasattr(importlib.import_module(public), name):
            return public
    return f"tapegrad{module.removeprefix('torch')}"


# Layers are in other files here; functions written in C++ are in an internal module there.
_EXPORTED = {
    "torch.nn.modules.": "tapegrad.nn",
    "torch._C._nn": "tapegrad.nn.functional",
    "torch._VariableFunctions": "tapegrad",
}

_InPython: Any = pickle._Pickler


class _Pickler(_InPython):  # type: ignore[misc]
    """Writes tensors as PyTorch does; the one in Python, because names can be written freely."""

    def __init__(self, file: Any, protocol: int) -> None:
        super().__init__(file, protocol)
        self.memory: list[Tensor] = []
        self._keys: dict[tuple[int, int], str] = {}

    def persistent_id(self, obj: Any) -> Any:
        if not is_storage(obj):
            return None
        elements = obj._elements
        place = (elements.data_ptr(), elements.nbytes)
        key = self._keys.get(place) if elements.nbytes else None
        if key is None:
            key = self._keys[place] = str(len(self.memory))
            self.memory.append(elements)  # which keeps the address from being used again
        elif self.memory[int(key)].dtype is not elements.dtype:
            raise RuntimeError(
                "Cannot save multiple tensors or storages that view the same data as different "
                "types"
            )
        typed = isinstance(obj, TypedStorage)
        kind = storage_class(elements.dtype) if typed else UntypedStorage
        return "storage", kind, key, "cpu", len(elements)

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, Tensor) and type(obj).__reduce_ex__ is Tensor.__reduce_ex__:
            return _reduced(obj)
        return NotImplemented

    def save_global(self, obj: Any, name: str | None = None) -> None:
        written = WRITTEN.get(obj) if _may_be_named(obj) else None
        if written is None:
            super().save_global(obj, name)
            return
        module, _, name = written.rpartition(".")
        self.write(b"c" + f"{module}\n{name}\n".encode())
        self.memoize(obj)

    # The base class finds its own methods by type.
    dispatch = {**_InPython.dispatch, FunctionType: save_global}  # noqa: RUF012


def _may_be_named(obj: Any) -> bool:
    return isinstance(obj, (type, FunctionType, _C.dtype))


def _reduced(tensor: Tensor) -> tuple[Any, ...]:
    """How a tensor is made again: a function and its arguments."""
    kind, state = type(tensor), _state(tensor)
    hooks: OrderedDict[Any, Any] = OrderedDict()  # files have none
    if kind is Parameter:
        parts = (tensor.detach(), tensor.requires_grad, hooks)
        return (
            (rebuild_parameter_with_state, (*parts, state)) if state else (rebuild_parameter, parts)
        )
    place = (tensor.storage_offset(), tuple(tensor.shape), tensor.stride())
    arguments = (storage_of(tensor.detach()), *place, tensor.requires_grad, hooks)
    if kind is Tensor and not state:
        return rebuild_tensor, arguments
    return rebuild_from_type, (rebuild_tensor, kind, arguments, state or {})


def dumps(obj: Any, protocol: int) -> tuple[bytes, list[Tensor]]:
    """An object as a pickle, and the memory of the storages that it names, by their places.

    Raises:
        PicklingError: if something in it cannot be pickled.
        RuntimeError: if tensors of different dtypes share memory.
    """
    file = io.BytesIO()
    pickler = _Pickler(file, protocol)
    pickler.dump(obj)
    return file.getvalue(), pickler.memory
