"""Files as memory: pieces of a stream, or of a file that is mapped."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO

import numpy as np

from .. import _C
from .._C import Tensor

__all__ = ["File", "Source", "check_bools", "elements", "opened", "written"]

File = str | os.PathLike[str] | IO[bytes]


@contextmanager
def opened(f: File, mode: str) -> Iterator[IO[bytes]]:
    """The file of a path, closed at the end; a stream as it is."""
    if isinstance(f, (str, os.PathLike)):
        with open(f, mode) as file:
            yield file
    else:
        yield f


@contextmanager
def written(f: File, atomic: bool) -> Iterator[IO[bytes]]:
    """The file to write; with `atomic` it takes the place of what is there when it is complete."""
    if not atomic:
        with opened(f, "wb") as file:
            yield file
        return
    path = os.path.realpath(os.fspath(f))  # type: ignore[arg-type]
    beside = f"{path}.partial"
    try:
        with open(beside, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        with suppress(OSError):
            os.remove(beside)
        raise
    folder = os.open(os.path.dirname(path), os.O_RDONLY)
    try:
        os.fsync(folder)  # the name, too
    finally:
        os.close(folder)


class Source:
    """A file from where it stands to its end, of which pieces become arrays of bytes.

    Args:
        file: opened for reading bytes; it can seek.
        mapped: whether pieces share the memory of the file, so that only what is used is read.
            What is written to them does not reach the file.
    """

    def __init__(self, file: IO[bytes], mapped: bool = False) -> None:
        self.file = file
        self.start = file.tell()
        self.size = file.seek(0, os.SEEK_END) - self.start
        file.seek(self.start)
        self.mapped = mapped
        self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) if mapped else None

    def bytes(self, begin: int, end: int) -> bytes:
        """A piece as bytes; its places count from the start.

        Raises:
            EOFError: if the file ends before, as that of all functions here.
        """
        self._check(begin, end)
        self.file.seek(self.start + begin)
        data = self.file.read(end - begin)
        if len(data) != end - begin:
            raise EOFError("the file ends too early")
        return data

    def array(self, begin: int, end: int, align: int = 1) -> np.ndarray:
        """A piece as an array that can be written to, at an address that is a multiple."""
        self._check(begin, end)
        if self._map is not None and end > begin:
            piece = np.frombuffer(self._map, np.uint8, end - begin, self.start + begin)
            return piece if piece.ctypes.data % align == 0 else piece.copy()
        made = np.empty(end - begin, np.uint8)
        self.file.seek(self.start + begin)
        if hasattr(self.file, "readinto"):
            place, view = 0, made.data
            while place < len(made):
                count = self.file.readinto(view[place:])
                if not count:
                    raise EOFError("the file ends too early")
                place += count
        else:
            made[:] = np.frombuffer(self.bytes(begin, end), np.uint8)
        return made

    def _check(self, begin: int, end: int) -> None:
        if not 0 <= begin <= end <= self.size:
            raise EOFError("the file ends too early")


def elements(memory: Tensor, dtype: _C.dtype) -> Tensor:
    """Bytes in one dimension as the elements of a tensor, on the same memory."""
    return memory.view(dtype) if len(memory) else _C.empty(0, dtype=dtype)


def check_bools(raw: np.ndarray) -> None:
    """Raise ValueError if there are bools that are neither 0 nor 1."""
    if raw.size and raw.max() > 1:
        raise ValueError("bytes of bools that are neither 0 nor 1")
