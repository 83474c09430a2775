"""PyTorch's files: zip archives of a pickle and the bytes of the storages that it names.

What tapegrad writes with ``pickle=True`` has the same form, so that PyTorch reads it as far as it
knows the classes.
"""

from __future__ import annotations

import struct
import sys
import zipfile
import zlib
from typing import IO, Any

import numpy as np

from .. import _C
from .._C import Tensor, dtype
from .memory import Source

__all__ = ["Archive", "write"]

_WRONG = (
    *(zipfile.BadZipFile, EOFError, LookupError, NotImplementedError, OverflowError),
    *(struct.error, ValueError),
)
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_ALIGNMENT = 64  # of the bytes of storages in a file, as PyTorch's
_PADDING = 0x4246  # the name of an extra field that fills up, as PyTorch's
_VERSION = b"3\n"


def _corrupt(reason: str) -> RuntimeError:
    return RuntimeError(f"not a valid file of PyTorch: {reason}; it seems to be corrupted")


class Archive:
    """The records of a file, which are read when they are asked for.

    Only what PyTorch writes is accepted: records that are not compressed and lie apart, so that
    nothing in it can become larger than the file.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        source.file.seek(source.start)
        try:
            with zipfile.ZipFile(source.file) as archive:
                entries = archive.infolist()
                self._root = _root({entry.filename for entry in entries})
                self._places = {entry.filename: self._place(entry) for entry in entries}
        except _WRONG as error:
            raise _corrupt(str(error)) from error
        if len(self._places) != len(entries):
            raise _corrupt("a record occurs twice")
        end = 0
        for begin, stop, _ in sorted(self._places.values()):
            if begin < end:
                raise _corrupt("records overlap")
            end = stop

    def _place(self, entry: zipfile.ZipInfo) -> tuple[int, int, int]:
        """Where a record begins and ends, and the checksum of its bytes."""
        if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size:
            raise ValueError(f"the record '{entry.filename}' is compressed")
        if entry.flag_bits & 1:
            raise ValueError(f"the record '{entry.filename}' is encrypted")
        # zipfile counts from the start of the stream.
        offset = entry.header_offset - self._source.start
        header = self._source.bytes(offset, offset + _LOCAL_HEADER.size)
        signature, name, extra = _LOCAL_HEADER.unpack(header)
        if signature != b"PK\x03\x04":
            raise ValueError(f"the record '{entry.filename}' is not where it should be")
        begin = offset + _LOCAL_HEADER.size + name + extra
        if begin + entry.file_size > self._source.size:
            raise EOFError(f"the record '{entry.filename}' is cut off")
        return begin, begin + entry.file_size, entry.CRC

    def _record(self, name: str) -> tuple[int, int, int]:
        if self._root + name not in self._places:
            raise _corrupt(f"it has no record '{name}'")
        return self._places[self._root + name]

    @property
    def pickle(self) -> bytes:
        """The pickle."""
        begin, end, checksum = self._record("data.pkl")
        data = self._source.bytes(begin, end)
        self._check("data.pkl", data, checksum)
        return data

    @property
    def byteorder(self) -> str:
        """That of the machine that wrote the file."""
        if f"{self._root}byteorder" not in self._places:
            return "little"
        begin, end, _ = self._record("byteorder")
        order = self._source.bytes(begin, min(end, begin + 10))
        if order not in (b"little", b"big"):
            raise _corrupt(f"the byte order {order!r}")
        return order.decode()

    def storage(self, key: str, count: int, dtype: dtype) -> np.ndarray:
        """The bytes of a storage."""
        nbytes = count * dtype.itemsize
        begin, end, checksum = self._record(f"data/{key}")
        if end - begin != nbytes:
            raise _corrupt(f"the storage '{key}' has {end - begin} bytes in place of {nbytes}")
        raw = self._source.array(begin, end, align=16)
        if not self._source.mapped:  # where it is, only what is used should be read
            self._check(f"data/{key}", raw, checksum)
        return raw

    def _check(self, name: str, data: Any, checksum: int) -> None:
        # PyTorch can be told to leave checksums out: they are 0.
        if checksum and zlib.crc32(data) != checksum:
            raise _corrupt(f"the bytes of the record '{name}' do not fit their checksum")


def _root(names: set[str]) -> str:
    """The folder in the archive that has all of it."""
    pickles = [name for name in names if name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise RuntimeError("a zip archive without a file 'data.pkl': not one of PyTorch")
    root = pickles[0].removesuffix("data.pkl")
    if f"{root}constants.pkl" in names:
        raise RuntimeError(
            "a TorchScript archive (of torch.jit.save), which tapegrad cannot run. Save the "
            "state_dict() of the module with torch.save instead."
        )
    return root


def write(file: IO[bytes], pickled: bytes, memory: list[Tensor]) -> None:
    """Write a pickle and the bytes of its storages, which are named by their places."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        _add(archive, "data.pkl", pickled)
        _add(archive, "byteorder", sys.byteorder.encode())
        for key, elements in enumerate(memory):
            _add(archive, f"data/{key}", elements.view(_C.uint8).numpy())
        _add(archive, "version", _VERSION)


def _add(archive: zipfile.ZipFile, name: str, data: Any) -> None:
    info = zipfile.ZipInfo(f"archive/{name}")
    data = memoryview(data)
    large = data.nbytes >= zipfile.ZIP64_LIMIT
    # The header of a record, with an extra field for large ones and one that fills up.
    start = archive.fp.tell() + 30 + len(info.filename) + 20 * large + 4  # type: ignore[union-attr]
    fill = -start % _ALIGNMENT
    info.extra = struct.pack("<HH", _PADDING, fill) + b"Z" * fill
    with archive.open(info, "w", force_zip64=large) as record:
        record.write(data)
