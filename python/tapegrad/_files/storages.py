"""The storages that a pickle of PyTorch names."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pickle import UnpicklingError
from typing import Any

import numpy as np

from .. import _C
from .._C import Tensor
from ..storage import UntypedStorage, typed_on, untyped_on
from .locations import located
from .memory import check_bools, elements
from .names import STORAGES

__all__ = ["Storages"]

_DTYPES = {kind: kind.dtype for kind in STORAGES.values()}


class Storages:
    """Gives storages to persistent ids, the same one to the same key.

    Args:
        bytes_of: gives the bytes of a key, of so many elements of a dtype.
        order: that of the bytes of a number in the file.
        map_location: as :func:`tapegrad.load` takes it.
    """

    def __init__(
        self, bytes_of: Callable[[str, int, _C.dtype], np.ndarray], order: str, map_location: Any
    ) -> None:
        self._bytes_of = bytes_of
        self._order = order
        self._map_location = map_location
        self._known: dict[str, tuple[Any, int, Any]] = {}

    def __call__(self, pid: tuple[Any, ...]) -> Any:
        """A storage, of a persistent id ``("storage", class, key, location, size)``.

        Older files have classes of modules there, too, together with their source.
        """
        if pid[0] == "module":
            return pid[1]
        _, kind, key, location, count = pid[:5]
        if pid[5:] not in ((), (None,)):
            raise UnpicklingError("views of storages, as PyTorch 0.1 wrote them, cannot be read")
        if type(key) is not str or type(location) is not str or type(count) is not int:
            raise UnpicklingError("a storage that is named in an unknown way")
        if count < 0:
            raise UnpicklingError(f"a storage of {count} elements")
        if key not in self._known:
            self._known[key] = kind, count, self._made(kind, key, location, count)
        known_kind, known_count, storage = self._known[key]
        if kind is not known_kind or count != known_count:
            raise UnpicklingError(f"the storage '{key}' has two forms")
        return storage

    def _made(self, kind: Any, key: str, location: str, count: int) -> Any:
        if kind is UntypedStorage:
            dtype = _C.uint8
        elif kind in _DTYPES:
            dtype = _DTYPES[kind]
        else:
            raise UnpicklingError(f"a storage of the type {kind!r}")
        raw = self._bytes_of(key, count, dtype)
        if self._order != sys.byteorder:
            if kind is UntypedStorage and count > 1:
                raise UnpicklingError("bytes without a dtype, in another order than this machine's")
            if dtype.itemsize > 1:
                raw.view(f"u{dtype.itemsize}").byteswap(inplace=True)
        if dtype is _C.bool:
            check_bools(raw)
        memory: Tensor = located(_C.from_numpy(raw), location, self._map_location)
        return untyped_on(memory) if kind is UntypedStorage else typed_on(elements(memory, dtype))
