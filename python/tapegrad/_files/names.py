"""What a pickle of PyTorch may name, and what stands for it here.

Files hold names of functions and classes. These are all that are known without being told; none
of them runs code or makes more memory than the file has.
"""

from __future__ import annotations

import math
from collections import Counter, OrderedDict
from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np

from .. import _C
from .._absent import missing
from .._C import Size, Tensor
from .._device import device, strided
from ..nn.parameter import Buffer, Parameter
from ..storage import TypedStorage, UntypedStorage, is_storage, storage_class

__all__ = [
    "CALLED",
    "NAMED",
    "STORAGES",
    "TORCH",
    "WRITTEN",
    "check_hashable",
    "rebuild_from_type",
    "rebuild_parameter",
    "rebuild_parameter_with_state",
    "rebuild_tensor",
    "set_attributes",
    "set_numpy_state",
    "why_unknown",
]


# ---------------------------------------------------------------------- tensors


def rebuild_tensor(
    storage: Any,
    storage_offset: int,
    size: Any,
    stride: Any,
    requires_grad: bool = False,
    backward_hooks: Any = None,
    metadata: Any = None,
) -> Tensor:
    """A tensor on a storage; files have no hooks, and no metadata that mean something here."""
    if not is_storage(storage):
        raise TypeError(f"a tensor on a {type(storage).__name__}, which is no storage")
    if any(type(n) is not int for n in (storage_offset, *size, *stride)):
        raise TypeError("a size, stride or offset that is no number")
    data = storage._elements.as_strided(tuple(size), tuple(stride), storage_offset).data
    return data.requires_grad_(requires_grad is True)


def _rebuild_tensor_of_bytes(
    storage: Any,
    storage_offset: int,
    size: Any,
    stride: Any,
    requires_grad: bool,
    backward_hooks: Any,
    dtype: Any,
    metadata: Any = None,
) -> Tensor:
    if not isinstance(storage, UntypedStorage) or not isinstance(dtype, _C.dtype):
        raise TypeError("a tensor of bytes without a storage or dtype")
    typed = TypedStorage(wrap_storage=storage, dtype=dtype)
    return rebuild_tensor(typed, storage_offset, size, stride, requires_grad)


def rebuild_parameter(data: Any, requires_grad: bool, backward_hooks: Any = None) -> Parameter:
    """A parameter of these values."""
    if not isinstance(data, Tensor):
        raise TypeError(f"a parameter of a {type(data).__name__}")
    return Parameter(data, requires_grad is True)


def rebuild_parameter_with_state(
    data: Any, requires_grad: bool, backward_hooks: Any, state: Any
) -> Tensor:
    """A parameter that has attributes, too."""
    return _with_state(rebuild_parameter(data, requires_grad), state)


def rebuild_from_type(function: Any, kind: Any, arguments: Any, state: Any) -> Tensor:
    """A tensor of a subclass, or one that has attributes."""
    if function not in _REBUILDING or not isinstance(arguments, tuple):
        raise TypeError("a tensor that is made in no known way")
    made = function(*arguments)
    if kind in (Parameter, Buffer):
        made = Tensor._make_subclass(kind, made, made.requires_grad)
    elif kind is not Tensor:
        raise TypeError(f"a tensor of the type {kind!r}")
    return _with_state(made, state)


def _with_state(made: Tensor, state: Any) -> Tensor:
    set_attributes(made, state[0] if isinstance(state, tuple) and len(state) == 2 else state)
    return made


def set_attributes(made: Any, attributes: Any) -> None:
    """Give a thing attributes, but none that hides what it has by its type."""
    if attributes is None:
        return
    if type(attributes) is not dict or any(type(name) is not str for name in attributes):
        raise TypeError("attributes that are no dict of names")
    for name, value in attributes.items():
        if hasattr(type(made), name):
            raise ValueError(f"an attribute '{name}', which would hide what a tensor or dict has")
        made.__dict__[name] = value


_REBUILDING = (rebuild_tensor, _rebuild_tensor_of_bytes)


# ---------------------------------------------------------------------- other values


def _size(values: Any = ()) -> Any:
    if not isinstance(values, tuple) or any(type(n) is not int for n in values):
        raise TypeError("a size that is no tuple of numbers")
    return Size(values)


def _device(kind: Any, index: Any = None) -> device:
    return device(kind) if index is None else device(kind, index)


def _layout(name: Any) -> Any:
    if str(name).rpartition(".")[2] != "strided":
        raise ValueError(f"the layout {name!r}; tapegrad has strided ones alone")
    return strided


# How many values a key may have within it: hashing goes through all of them, by recursion.
_MOST_IN_A_KEY = 1000
_HASHABLE = (type(None), bool, int, float, complex, str, bytes, frozenset, _C.dtype, device)


def check_hashable(value: Any) -> None:
    """Refuse keys whose hash would run other code, take very long or need a deep stack.

    Raises:
        TypeError: if it is one of those.
    """
    if type(value) in _HASHABLE:
        return
    left = [value]
    for _ in range(_MOST_IN_A_KEY):
        if not left:
            return
        entry = left.pop()
        if type(entry) in (tuple, Size):
            left += entry[:_MOST_IN_A_KEY]
        elif type(entry) not in _HASHABLE:
            raise TypeError(f"a key or element of a set of type {type(entry).__name__}")
    raise TypeError("a key of too many parts")


def _pairs(kind: Any) -> Callable[..., Any]:
    def make(pairs: Any = ()) -> Any:
        made = kind()
        for key, value in pairs.items() if type(pairs) is dict else pairs:
            check_hashable(key)
            made[key] = value
        return made

    return make


def _elements(kind: Any) -> Callable[..., Any]:
    def make(elements: Any = ()) -> Any:
        if type(elements) not in (list, tuple):
            raise TypeError(f"a set of a {type(elements).__name__}")
        for element in elements:
            check_hashable(element)
        return kind(elements)

    return make


def _encode(text: Any, encoding: Any) -> bytes:
    """What protocol 2 has for bytes."""
    if type(text) is not str or encoding not in ("latin1", "latin-1"):
        raise TypeError("bytes that are no text in latin1")
    return text.encode("latin1")


def _bytes() -> bytes:
    """What protocol 2 has for no bytes."""
    return b""


def _bytearray(values: Any = b"", encoding: Any = "latin1") -> bytearray:
    if type(values) is str:
        return bytearray(_encode(values, encoding))
    if type(values) is not bytes:
        raise TypeError(f"a bytearray of a {type(values).__name__}")
    return bytearray(values)


def _complex(real: Any, imag: Any) -> complex:
    if type(real) is not float or type(imag) is not float:
        raise TypeError("a complex number whose parts are no floats")
    return complex(real, imag)


# ---------------------------------------------------------------------- NumPy

_NUMBERS = {
    *("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16"),
}


def _numpy_dtype(name: Any, align: Any = False, copy: Any = True) -> np.dtype:
    if name not in _NUMBERS:
        raise TypeError(f"a NumPy array of the dtype {name!r}; those of numbers can be read")
    return np.dtype(name, copy=True)  # the state that follows changes it


def _numpy_array(kind: Any, shape: Any, dtype: Any) -> np.ndarray:
    """An empty array, which gets its shape and values by the state that follows."""
    if kind is not np.ndarray:
        raise TypeError("an array of another type than numpy.ndarray")
    return np.empty(0, np.int8)


def _numpy_scalar(dtype: Any, raw: Any) -> Any:
    _check_numbers(dtype, raw, 1)
    return np.frombuffer(raw, dtype, 1)[0]


def _check_numbers(dtype: Any, raw: Any, count: int) -> None:
    if not isinstance(dtype, np.dtype) or dtype.kind not in "biufc" or type(raw) is not bytes:
        raise TypeError("a NumPy value that does not consist of numbers")
    if len(raw) != count * dtype.itemsize:
        raise ValueError("a NumPy value whose bytes do not fit its shape")
    if dtype.kind == "b" and raw and max(raw) > 1:
        raise ValueError("bytes of bools that are neither 0 nor 1")


def set_numpy_state(made: Any, state: Any) -> None:
    """Give a dtype its byte order, or an array its values."""
    if isinstance(made, np.dtype):
        order = state[1]
        if made.kind not in "biufc" or state != (3, order, None, None, None, -1, -1, 0):
            raise TypeError("a NumPy dtype that is none of numbers")
        if order not in ("<", ">", "|", "="):
            raise TypeError(f"the byte order {order!r}")
    else:
        version, shape, dtype, by_columns, raw = state
        if type(shape) is not tuple or any(type(n) is not int or n < 0 for n in shape):
            raise TypeError("an array whose shape is no tuple of numbers")
        if version != 1 or type(by_columns) is not bool or len(shape) > 32:
            raise TypeError("an array in an unknown form")
        _check_numbers(dtype, raw, math.prod(shape))
    made.__setstate__(state)


# ---------------------------------------------------------------------- the tables

_DTYPES = {
    name: getattr(_C, name)
    for name in (
        *("bool", "uint8", "int8", "int16", "int32", "int64"),
        *("float16", "bfloat16", "float32", "float64"),
    )
}
# The classes of storages.
STORAGES = {kind.__name__: kind for kind in map(storage_class, _DTYPES.values())}

# Names of PyTorch, and what has this name here: in files that are read and that are written.
TORCH: dict[str, Any] = {
    "torch._utils._rebuild_tensor_v2": rebuild_tensor,
    "torch._utils._rebuild_tensor": rebuild_tensor,
    "torch._utils._rebuild_tensor_v3": _rebuild_tensor_of_bytes,
    "torch._utils._rebuild_parameter": rebuild_parameter,
    "torch._utils._rebuild_parameter_with_state": rebuild_parameter_with_state,
    "torch._tensor._rebuild_from_type_v2": rebuild_from_type,
    "torch.Tensor": Tensor,
    "torch.nn.parameter.Parameter": Parameter,
    "torch.nn.parameter.Buffer": Buffer,
    "torch.Size": Size,
    "torch.device": device,
    "torch.serialization._get_layout": _layout,
    "torch.storage.TypedStorage": TypedStorage,
    "torch.storage.UntypedStorage": UntypedStorage,
    **{f"torch.{name}": dtype for name, dtype in _DTYPES.items()},
    **{f"torch.{name}": kind for name, kind in STORAGES.items()},
    **{f"torch.cuda.{name}": kind for name, kind in STORAGES.items()},
}
# The names under which things are written: the first ones above.
WRITTEN: dict[Any, str] = {thing: name for name, thing in reversed(TORCH.items())}

# What a pickle may call; where the thing itself is none of the functions above, one that checks.
CALLED: dict[str, Callable[..., Any]] = {
    **{name: thing for name, thing in TORCH.items() if isinstance(thing, FunctionType)},
    "torch.Size": _size,
    "torch.device": _device,
    "collections.OrderedDict": _pairs(OrderedDict),
    "collections.Counter": _pairs(Counter),
    "builtins.set": _elements(set),
    "builtins.frozenset": _elements(frozenset),
    "builtins.bytes": _bytes,
    "builtins.bytearray": _bytearray,
    "builtins.complex": _complex,
    "_codecs.encode": _encode,
    "numpy.dtype": _numpy_dtype,
    **{
        f"numpy.{core}.multiarray.{name}": function
        for core in ("core", "_core")
        for name, function in (("_reconstruct", _numpy_array), ("scalar", _numpy_scalar))
    },
}
# What it may name besides.
NAMED: dict[str, Any] = {**TORCH, "numpy.ndarray": np.ndarray}


_KINDS = {
    "Complex": "complex64",
    "QInt": "qint8",
    "QUInt": "quint8",
    "_rebuild_qtensor": "qint8",
    "_rebuild_sparse": "sparse",
    "_rebuild_nested": "nested",
}


def why_unknown(name: str) -> str:
    """What to say of PyTorch's things that are not here: why, or nothing."""
    last = name.rpartition(".")[2]
    for start, kind in _KINDS.items():
        if last.startswith(start):
            last = kind
    return missing("tapegrad", last, ()).removeprefix(". ") if name.startswith("torch.") else ""
