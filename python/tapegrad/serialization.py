"""Saving and loading tensors, in the safetensors format.

A file holds the length of its header (8 bytes, little-endian), the header (JSON: dtype, shape and
place of each tensor), and the bytes of the tensors. Nothing in it is executed, unlike in a pickle.
Dicts of tensors are written so that any safetensors reader sees them under the same names; other
nested structures are described in the header's metadata.

The format: https://github.com/huggingface/safetensors#format
"""

from __future__ import annotations

import json
import math
import os
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any, TypeAlias

import numpy as np

from ._arrays import from_array, to_array
from ._C import Tensor
from ._device import device

__all__ = [
    "add_safe_globals",
    "clear_safe_globals",
    "get_safe_globals",
    "load",
    "safe_globals",
    "save",
]

_DTYPES = {
    "BOOL": np.dtype("bool"),
    "U8": np.dtype("uint8"),
    "I8": np.dtype("int8"),
    "I16": np.dtype("<i2"),
    "I32": np.dtype("<i4"),
    "I64": np.dtype("<i8"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype("<u2"),  # its bits
    "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}
_MAX_HEADER = 100_000_000  # bytes, as in other implementations
_STRUCTURE = "tapegrad.structure"
_TENSOR = "$tensor"
_PAIRS = "$dict"
_TUPLE = "$tuple"

File = str | os.PathLike[str] | IO[bytes]
# What PyTorch calls the type of the argument that says which device tensors are to live on.
MAP_LOCATION: TypeAlias = Callable[[Any, str], Any] | device | str | dict[str, str] | None


# ---------------------------------------------------------------------- public functions


def save(
    obj: Any,
    f: File,
    pickle_module: Any = None,
    pickle_protocol: int = 2,
    _use_new_zipfile_serialization: bool = True,
) -> None:
    """Write tensors to a file in the safetensors format.

    Args:
        obj: a state dict, a tensor, or a nested structure of dicts, lists, tuples, tensors,
            numbers, strings and None (such as an optimiser's state). Dict keys are strings,
            numbers or None.
        f: a path, or a file opened for writing bytes.
        pickle_module: accepted for compatibility, as what follows is: nothing is pickled.
        pickle_protocol: see pickle_module.

    Raises:
        TypeError: if there is something else in the structure.

    Only values are kept: what is loaded requires no grad, and tensors that shared memory do not
    share it any more.

    Example:
        >>> import io, tapegrad
        >>> file = io.BytesIO()
        >>> tapegrad.save({"epoch": 3, "best": tapegrad.tensor([1.0, 2.0])}, file)
        >>> _ = file.seek(0)
        >>> tapegrad.load(file)
        {'epoch': 3, 'best': tensor([1., 2.])}
    """
    arrays: dict[str, np.ndarray] = {}
    metadata: dict[str, str] = {}
    flat = (
        isinstance(obj, Mapping)
        and all(isinstance(key, str) and key != "__metadata__" for key in obj)
        and all(isinstance(value, Tensor) for value in obj.values())
    )
    if flat:
        for key, value in obj.items():
            arrays[key] = to_array(value)
    else:
        metadata[_STRUCTURE] = json.dumps(_describe(obj, "", arrays))
    with _opened(f, "wb") as file:
        _write(file, arrays, metadata)


def load(
    f: File,
    map_location: Any = None,
    pickle_module: Any = None,
    *,
    weights_only: bool | None = True,
    mmap: bool | None = None,
    **pickle_load_args: Any,
) -> Any:
    """Read what :func:`save` wrote, or any other safetensors file.

    The whole header is checked before anything is allocated.

    Args:
        f: a path, or a file opened for reading bytes.
        map_location: accepted for compatibility; tensors are always on the CPU.
        pickle_module: accepted for compatibility; nothing is pickled.
        weights_only: accepted for compatibility; nothing in a file is ever executed.
        mmap: accepted for compatibility; tensors get memory of their own.
        **pickle_load_args: see pickle_module.

    Returns:
        The structure that was saved; a dict of tensors for a file of other origin.

    Raises:
        ValueError: if it is not a valid safetensors file, or has a dtype that tapegrad has not.

    Example:
        >>> import io, tapegrad
        >>> file = io.BytesIO()
        >>> model = tapegrad.nn.Linear(2, 1)
        >>> tapegrad.save(model.state_dict(), file)
        >>> _ = file.seek(0)
        >>> model.load_state_dict(tapegrad.load(file))
        <All keys matched successfully>
    """
    with _opened(f, "rb") as file:
        arrays, metadata = _read(file)
    tensors = {name: from_array(array) for name, array in arrays.items()}
    if _STRUCTURE not in metadata:
        return OrderedDict(tensors)
    try:
        return _restore(json.loads(metadata[_STRUCTURE]), tensors)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _invalid(f"its structure cannot be read: {error}") from None


_safe: list[Any] = []


def add_safe_globals(safe_globals: list[Any]) -> None:
    """Note functions and classes that a file may name; files name none here, and `load` is safe.

    Example:
        >>> from tapegrad.serialization import add_safe_globals, get_safe_globals, safe_globals
        >>> with safe_globals([set]):
        ...     get_safe_globals()
        [<class 'set'>]
        >>> get_safe_globals()
        []
    """
    _safe.extend(safe_globals)


def get_safe_globals() -> list[Any]:
    """What `add_safe_globals` was told."""
    return list(_safe)


def clear_safe_globals() -> None:
    """Forget what `add_safe_globals` was told."""
    _safe.clear()


@contextmanager
def safe_globals(safe_globals: list[Any]) -> Iterator[None]:
    """Note functions and classes within a block; see `add_safe_globals`."""
    before = get_safe_globals()
    add_safe_globals(safe_globals)
    try:
        yield
    finally:
        _safe[:] = before


# ---------------------------------------------------------------------- nested structures


def _describe(value: Any, path: str, arrays: dict[str, np.ndarray]) -> Any:
    """A JSON form of a structure; its tensors go to `arrays`."""
    if isinstance(value, Tensor):
        name = path or "tensor"
        while name in arrays or name == "__metadata__":
            name += "_"
        arrays[name] = to_array(value)
        return {_TENSOR: name}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (np.integer, np.floating, np.bool_)):
        return value.item()
    if isinstance(value, Mapping):
        items = []
        for key, entry in value.items():
            if not (key is None or isinstance(key, (bool, int, float, str))):
                raise TypeError(
                    f"cannot save a dict with a key of type {type(key).__name__} at '{path}'"
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
    raise TypeError(
        f"cannot save an object of type {type(value).__name__} at '{path}': only tensors, numbers, "
        "strings, None, lists, tuples and dicts can be saved"
    )


def _restore(value: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, list):
        return [_restore(entry, tensors) for entry in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((key, inner),) = value.items()
        if key == _TENSOR:
            return tensors[inner]
        if key == _TUPLE:
            return tuple(_restore(entry, tensors) for entry in inner)
        if key == _PAIRS:
            return {key: _restore(entry, tensors) for key, entry in inner}
    return {key: _restore(entry, tensors) for key, entry in value.items()}


# ---------------------------------------------------------------------- the format


def _invalid(reason: str) -> ValueError:
    return ValueError(f"not a valid safetensors file: {reason}")


@contextmanager
def _opened(f: File, mode: str) -> Iterator[IO[bytes]]:
    if isinstance(f, (str, os.PathLike)):
        with open(f, mode) as file:
            yield file
    else:
        yield f


def _write(file: IO[bytes], arrays: dict[str, np.ndarray], metadata: dict[str, str]) -> None:
    header: dict[str, Any] = {"__metadata__": metadata} if metadata else {}
    # Large elements first: then every tensor is aligned to its element size.
    order = sorted(arrays, key=lambda name: -arrays[name].dtype.itemsize)
    places = {}
    end = 0
    for name in order:
        places[name] = [end, end + arrays[name].nbytes]
        end += arrays[name].nbytes
    for name, array in arrays.items():
        header[name] = {
            "dtype": _NAMES[array.dtype.newbyteorder("<")],
            "shape": list(array.shape),
            "data_offsets": places[name],
        }
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    file.write(len(text).to_bytes(8, "little"))
    file.write(text)
    for name in order:
        array = np.ascontiguousarray(arrays[name], _DTYPES[header[name]["dtype"]])
        if array.nbytes:
            file.write(array.reshape(-1).view(np.uint8).data)


def _read(file: IO[bytes]) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    start = file.tell()
    size = file.seek(0, os.SEEK_END) - start
    file.seek(start)
    if size < 8:
        raise _invalid("it is too short")
    length = int.from_bytes(file.read(8), "little")
    if length > _MAX_HEADER:
        raise _invalid(f"a header of {length} bytes is too large")
    if length > size - 8:
        raise _invalid(f"a header of {length} bytes does not fit into {size} bytes")
    entries, metadata = _parse_header(file.read(length))
    _check_places(entries, size - 8 - length)

    arrays = {}
    data = start + 8 + length
    for name, (dtype, shape, begin, end) in entries.items():
        array = np.empty(shape, dtype)
        if end > begin:
            file.seek(data + begin)
            raw = file.read(end - begin)
            if len(raw) != end - begin:
                raise _invalid(f"the data of '{name}' end too early")
            array.reshape(-1).view(np.uint8)[:] = np.frombuffer(raw, np.uint8)
        if dtype == np.bool_ and array.size and array.view(np.uint8).max() > 1:
            raise _invalid(f"'{name}' has bytes that are neither 0 nor 1")
        arrays[name] = array.astype(dtype.newbyteorder("="), copy=False)
    return arrays, metadata


Entry = tuple[np.dtype, tuple[int, ...], int, int]


def _parse_header(text: bytes) -> tuple[dict[str, Entry], dict[str, str]]:
    if text[:1] != b"{":
        raise _invalid("the header does not start with '{'")
    try:
        header = json.loads(text.decode("utf-8"), object_pairs_hook=_unique)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise _invalid(f"the header is not JSON: {error}") from None
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise _invalid("the metadata are not a dict of strings")
    return {name: _parse_entry(name, entry) for name, entry in header.items()}, metadata


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise _invalid("a name occurs twice in the header")
    return result


def _is_size(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**63


def _parse_entry(name: str, entry: Any) -> Entry:
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise _invalid(f"'{name}' needs exactly dtype, shape and data_offsets")
    kind, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(kind, str) or kind not in _DTYPES:
        known = ", ".join(_DTYPES)
        raise ValueError(f"'{name}' has the dtype {kind!r}; tapegrad can load {known}")
    if not isinstance(shape, list) or not all(map(_is_size, shape)) or len(shape) > 32:
        raise _invalid(f"'{name}' has the shape {shape!r}")
    if not isinstance(offsets, list) or len(offsets) != 2 or not all(map(_is_size, offsets)):
        raise _invalid(f"'{name}' has the offsets {offsets!r}")
    begin, end = offsets
    dtype = _DTYPES[kind]
    if end - begin != math.prod(shape) * dtype.itemsize:
        raise _invalid(
            f"'{name}' takes {end - begin} bytes, but its shape and dtype need "
            f"{math.prod(shape) * dtype.itemsize}"
        )
    return dtype, tuple(shape), begin, end


def _check_places(entries: dict[str, Entry], size: int) -> None:
    """The tensors have to cover the data without gaps and without overlap."""
    position = 0
    for name, (_, _, begin, end) in sorted(entries.items(), key=lambda item: item[1][2:]):
        if begin != position:
            problem = "overlaps another tensor" if begin < position else "leaves a gap before it"
            raise _invalid(f"'{name}' {problem}")
        position = end
    if position != size:
        raise _invalid(f"the tensors take {position} bytes, but there are {size}")
