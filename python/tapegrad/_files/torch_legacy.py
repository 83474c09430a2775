"""PyTorch's older files: pickles in a row, and the bytes of storages behind them."""

from __future__ import annotations

import sys
from pickle import UnpicklingError
from typing import Any

import numpy as np

from .. import _C
from .._C import dtype
from .machine import Machine
from .memory import check_bools
from .pickles import Unpickle
from .storages import Storages

__all__ = ["is_legacy", "read"]

_MAGIC = 0x1950A86A20F9469CFC6C
_START = b"\x80\x02\x8a\x0a" + _MAGIC.to_bytes(10, "little") + b"."
_VERSION = 1001


def is_legacy(start: bytes) -> bool:
    """Whether a file that starts with these bytes has this form."""
    return start.startswith(_START)


def read(data: bytes, unpickle: Unpickle, map_location: Any) -> Any:
    """What a file has.

    Raises:
        UnpicklingError: if it is no valid file, or has what is not allowed.
        RuntimeError: if it was written by another version of the format.
    """
    position = len(_START)
    version, position = _plain(data, position)
    if version != _VERSION:
        raise RuntimeError(f"Invalid protocol version: {version}")
    _, position = _plain(data, position)  # about the machine; numbers are little-endian in any case
    memory: dict[str, tuple[np.ndarray, int, dtype]] = {}
    room = len(data)

    def bytes_of(key: str, count: int, dtype: dtype) -> np.ndarray:
        nonlocal room
        room -= count * dtype.itemsize
        if room < 0:
            raise UnpicklingError("storages that are larger than the file")
        raw = np.zeros(count * dtype.itemsize, np.uint8)  # its bytes are behind the pickle
        memory[key] = raw, count, dtype
        return raw

    result, position = unpickle(data, position, Storages(bytes_of, sys.byteorder, map_location))
    keys, position = _plain(data, position)
    if type(keys) is not list or sorted(map(str, keys)) != sorted(memory):
        raise UnpicklingError("a list of storages that is not that of the tensors")
    for key in keys:
        raw, count, kind = memory.pop(str(key))
        end = position + 8 + len(raw)
        if end > len(data) or int.from_bytes(data[position : position + 8], "little") != count:
            raise UnpicklingError(f"the storage '{key}' is cut off, or has another size")
        raw[:] = np.frombuffer(data, np.uint8, len(raw), position + 8)
        if kind is _C.bool:
            check_bools(raw)
        elif sys.byteorder == "big" and kind.itemsize > 1:
            raw.view(f"u{kind.itemsize}").byteswap(inplace=True)
        position = end
    return result


def _plain(data: bytes, position: int) -> tuple[Any, int]:
    """A pickle without tensors, and where it ends."""
    machine = Machine(data, _no_storage, {}, position=position)
    return machine.run(), machine.position


def _no_storage(pid: tuple[Any, ...]) -> Any:
    raise UnpicklingError("a storage where there should be none")
