"""The safetensors format.

A file holds the length of its header (8 bytes, little-endian), the header (JSON: dtype, shape and
place of each tensor), and the bytes of the tensors.

The format: https://github.com/huggingface/safetensors#format
"""

from __future__ import annotations

import json
import math
import sys
from typing import IO, Any, NamedTuple

import numpy as np

from .memory import Source, check_bools

__all__ = ["BITS", "Array", "invalid", "read", "write"]

# The format's names of dtypes, with NumPy's; those of one that NumPy has not are its bits.
BITS = {
    "BOOL": np.dtype("bool"),
    "U8": np.dtype("uint8"),
    "I8": np.dtype("int8"),
    "U16": np.dtype("uint16"),
    "I16": np.dtype("int16"),
    "U32": np.dtype("uint32"),
    "I32": np.dtype("int32"),
    "U64": np.dtype("uint64"),
    "I64": np.dtype("int64"),
    "F16": np.dtype("float16"),
    "BF16": np.dtype("int16"),
    "F32": np.dtype("float32"),
    "F64": np.dtype("float64"),
}
_MAX_HEADER = 100_000_000  # bytes, as in other implementations


class Array(NamedTuple):
    """An array of a file: the format's name of its dtype, and its values or bits."""

    kind: str
    values: np.ndarray


def invalid(reason: str) -> ValueError:
    """The error of a file that is not as it should be."""
    return ValueError(f"not a valid safetensors file: {reason}")


def write(file: IO[bytes], arrays: dict[str, Array], metadata: dict[str, str]) -> None:
    """Write arrays by their names."""
    header: dict[str, Any] = {"__metadata__": metadata} if metadata else {}
    # Large elements first: then every tensor is aligned to its element size.
    order = sorted(arrays, key=lambda name: -arrays[name].values.dtype.itemsize)
    places = {}
    end = 0
    for name in order:
        places[name] = [end, end + arrays[name].values.nbytes]
        end += arrays[name].values.nbytes
    for name, (kind, values) in arrays.items():
        header[name] = {
            "dtype": kind,
            "shape": list(values.shape),
            "data_offsets": places[name],
        }
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    file.write(len(text).to_bytes(8, "little"))
    file.write(text)
    for name in order:
        kind, values = arrays[name]
        array = np.ascontiguousarray(values, BITS[kind].newbyteorder("<"))
        if array.nbytes:
            file.write(array.reshape(-1).view(np.uint8).data)


def read(source: Source) -> tuple[dict[str, Array], dict[str, str]]:
    """The arrays and the metadata of a file; its header is checked before memory is made.

    Raises:
        ValueError: if it is not valid.
    """
    if source.size < 8:
        raise invalid("it is too short")
    length = int.from_bytes(source.bytes(0, 8), "little")
    if length > _MAX_HEADER:
        raise invalid(f"a header of {length} bytes is too large")
    if length > source.size - 8:
        raise invalid(f"a header of {length} bytes does not fit into {source.size} bytes")
    data = 8 + length
    entries, metadata = _parse_header(source.bytes(8, data))
    _check_places(entries, source.size - data)

    arrays = {}
    for name, (kind, shape, begin, end) in entries.items():
        dtype = BITS[kind]
        raw = source.array(data + begin, data + end, align=dtype.itemsize)
        values = raw.view(dtype).reshape(shape)
        if sys.byteorder == "big":
            values = values.byteswap()
        if kind == "BOOL":
            try:
                check_bools(raw)
            except ValueError:
                raise invalid(f"'{name}' has bytes that are neither 0 nor 1") from None
        arrays[name] = Array(kind, values)
    return arrays, metadata


# The name of the dtype, the shape, and where the bytes begin and end.
_Entry = tuple[str, tuple[int, ...], int, int]


def _parse_header(text: bytes) -> tuple[dict[str, _Entry], dict[str, str]]:
    if text[:1] != b"{":
        raise invalid("the header does not start with '{'")
    try:
        header = json.loads(text.decode("utf-8"), object_pairs_hook=_unique)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise invalid(f"the header is not JSON: {error}") from None
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise invalid("the metadata are not a dict of strings")
    return {name: _parse_entry(name, entry) for name, entry in header.items()}, metadata


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise invalid("a name occurs twice in the header")
    return result


def _is_size(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**63


def _parse_entry(name: str, entry: Any) -> _Entry:
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise invalid(f"'{name}' needs exactly dtype, shape and data_offsets")
    kind, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(kind, str) or kind not in BITS:
        known = ", ".join(BITS)
        raise ValueError(f"'{name}' has the dtype {kind!r}; tapegrad can load {known}")
    if not isinstance(shape, list) or not all(map(_is_size, shape)) or len(shape) > 32:
        raise invalid(f"'{name}' has the shape {shape!r}")
    if not isinstance(offsets, list) or len(offsets) != 2 or not all(map(_is_size, offsets)):
        raise invalid(f"'{name}' has the offsets {offsets!r}")
    begin, end = offsets
    needed = math.prod(shape) * BITS[kind].itemsize
    if end - begin != needed:
        raise invalid(f"'{name}' takes {end - begin} bytes, but its shape and dtype need {needed}")
    return kind, tuple(shape), begin, end


def _check_places(entries: dict[str, _Entry], size: int) -> None:
    """The tensors have to cover the data without gaps and without overlap."""
    position = 0
    for name, (_, _, begin, end) in sorted(entries.items(), key=lambda item: item[1][2:]):
        if begin != position:
            problem = "overlaps another tensor" if begin < position else "leaves a gap before it"
            raise invalid(f"'{name}' {problem}")
        position = end
    if position != size:
        raise invalid(f"the tensors take {position} bytes, but there are {size}")
