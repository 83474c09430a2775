"""Nested structures in safetensors files: JSON in the metadata, which names the arrays."""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .. import _C
from .._C import Tensor
from .locations import located
from .memory import elements
from .safetensors import BITS, Array, invalid

__all__ = ["described", "restored"]

_STRUCTURE = "tapegrad.structure"
_TENSOR = "$tensor"
_ARRAY = "$array"  # of NumPy
_SCALAR = "$scalar"  # of NumPy
_PAIRS = "$dict"
_TUPLE = "$tuple"
_DTYPES = {
    "BOOL": _C.bool,
    "U8": _C.uint8,
    "I8": _C.int8,
    "I16": _C.int16,
    "I32": _C.int32,
    "I64": _C.int64,
    "F16": _C.float16,
    "BF16": _C.bfloat16,
    "F32": _C.float32,
    "F64": _C.float64,
}
_KINDS = {dtype: kind for kind, dtype in _DTYPES.items()}
_NUMPY_KINDS = {dtype: kind for kind, dtype in BITS.items() if kind != "BF16"}
# NumPy's dtypes that the format has not, and that are written as bytes.
_AS_BYTES = re.compile(r"[<>|](c8|c16|[SU][1-9]\d{0,8}|[mM]8(\[\d*[a-zA-Zμ]+\])?)")


def described(obj: Any) -> tuple[dict[str, Array], dict[str, str]]:
    """The arrays and the metadata of a file that has an object.

    Raises:
        TypeError: if there is something in it that the format cannot have.
    """
    arrays: dict[str, Array] = {}
    flat = (
        isinstance(obj, Mapping)
        and all(isinstance(key, str) and key != "__metadata__" for key in obj)
        and all(isinstance(value, Tensor) for value in obj.values())
    )
    if flat:
        for key, value in obj.items():
            arrays[key] = _of_tensor(value)
        return arrays, {}
    return arrays, {_STRUCTURE: json.dumps(_describe(obj, "", arrays))}


def restored(arrays: dict[str, Array], metadata: dict[str, str], map_location: Any = None) -> Any:
    """The object that a file has; a dict of tensors, if nothing is said of it.

    Args:
        arrays, metadata: as :func:`described` gives them.
        map_location: as :func:`tapegrad.load` takes it.

    Raises:
        ValueError: if it is not valid.
    """

    def tensor(name: str) -> Tensor:
        return _to_tensor(name, arrays[name], map_location)

    if _STRUCTURE not in metadata:
        return OrderedDict((name, tensor(name)) for name in arrays)
    try:
        structure = json.loads(metadata[_STRUCTURE])
        _restore(structure, arrays, lambda name: arrays[name])  # a mistake shows before a tensor is
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise invalid(f"its structure cannot be read: {error}") from None
    return _restore(structure, arrays, tensor)


def _of_tensor(tensor: Tensor) -> Array:
    values = tensor.detach()
    bits = values.view(_C.int16) if tensor.dtype is _C.bfloat16 else values  # NumPy has no bfloat16
    return Array(_KINDS[tensor.dtype], np.asarray(bits.numpy()))


def _to_tensor(name: str, array: Array, map_location: Any) -> Tensor:
    if array.kind not in _DTYPES:
        known = ", ".join(_DTYPES)
        raise ValueError(f"'{name}' has the dtype {array.kind!r}; tapegrad can load {known}")
    dtype, shape = _DTYPES[array.kind], array.values.shape
    raw = _C.from_numpy(array.values.reshape(-1).view(np.uint8))
    memory = located(raw, "cpu", map_location)
    return elements(memory, dtype).reshape(shape).data


def _describe(value: Any, path: str, arrays: dict[str, Array]) -> Any:
    """A JSON form of a structure; its tensors go to `arrays`."""
    if isinstance(value, Tensor):
        return {_TENSOR: _add(_of_tensor(value), path or "tensor", arrays)}
    if isinstance(value, np.generic) or type(value) is np.ndarray:
        form = _describe_array(np.asarray(value), path, arrays)
        return {_ARRAY if isinstance(value, np.ndarray) else _SCALAR: form}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Mapping):
        items = []
        for key, entry in value.items():
            plain = key is None or isinstance(key, (bool, int, float, str))
            if not plain or isinstance(key, np.generic):
                raise TypeError(
                    f"cannot save a dict with a key of type {type(key).__name__} at '{path}'"
                    + _PICKLE
                )
            items.append((key, _describe(entry, f"{path}.{key}" if path else str(key), arrays)))
        if all(isinstance(key, str) and not key.startswith("$") for key, _ in items):
            return dict(items)
        return {_PAIRS: items}
    if type(value) in (list, tuple):
        entries = [
            _describe(entry, f"{path}.{i}" if path else str(i), arrays)
            for i, entry in enumerate(value)
        ]
        return entries if isinstance(value, list) else {_TUPLE: entries}
    raise _cannot(type(value).__name__, path)


_PICKLE = ". save(..., pickle=True) writes such things in PyTorch's format, with pickle"


def _cannot(what: str, path: str) -> TypeError:
    return TypeError(
        f"cannot save an object of type {what} at '{path}': only tensors, NumPy arrays, numbers, "
        f"strings, None, lists, tuples and dicts can be saved{_PICKLE}"
    )


def _add(array: Array, name: str, arrays: dict[str, Array]) -> str:
    while name in arrays or name == "__metadata__":
        name += "_"
    arrays[name] = array
    return name


def _describe_array(values: np.ndarray, path: str, arrays: dict[str, Array]) -> Any:
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    kind = _NUMPY_KINDS.get(values.dtype)
    if kind is not None:
        return _add(Array(kind, values), path or "array", arrays)
    if values.dtype.kind in "SU" and not values.dtype.itemsize:
        values = values.astype(f"{values.dtype.kind}1")
    if not _AS_BYTES.fullmatch(values.dtype.str):
        raise _cannot(f"numpy.ndarray of dtype {values.dtype}", path)
    raw = np.frombuffer(values.tobytes(), np.uint8)
    return [_add(Array("U8", raw), path or "array", arrays), values.dtype.str, list(values.shape)]


def _restore(value: Any, arrays: dict[str, Array], tensor: Callable[[str], Any]) -> Any:
    if isinstance(value, list):
        return [_restore(entry, arrays, tensor) for entry in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((key, inner),) = value.items()
        if key == _TENSOR:
            return tensor(inner)
        if key in (_ARRAY, _SCALAR):
            restored = _restore_array(inner, arrays)
            return restored if key == _ARRAY else restored[()]
        if key == _TUPLE:
            return tuple(_restore(entry, arrays, tensor) for entry in inner)
        if key == _PAIRS:
            return {key: _restore(entry, arrays, tensor) for key, entry in inner}
    return {key: _restore(entry, arrays, tensor) for key, entry in value.items()}


def _restore_array(form: Any, arrays: dict[str, Array]) -> np.ndarray:
    if not isinstance(form, list):
        if arrays[form].kind == "BF16":
            raise TypeError("a NumPy array of bfloat16")
        return arrays[form].values
    name, dtype, shape = form
    if not _AS_BYTES.fullmatch(dtype):
        raise ValueError(f"the dtype {dtype!r}")
    raw = arrays[name].values
    return raw.reshape(-1).view(np.dtype(dtype)).reshape(shape)
