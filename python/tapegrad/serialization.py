"""Saving and loading: safetensors, and PyTorch's files.

:func:`save` writes the safetensors format: a header that describes the tensors, and their bytes.
Dicts of tensors are written so that any reader of this format sees them under the same names; other
nested structures are described in the header's metadata. What does not fit is written when asked
for, with ``pickle=True``, in PyTorch's format.

:func:`load` reads both, and what ``torch.save`` wrote. It runs nothing that a file says, unless
``weights_only=False`` says that the file is trusted.
"""

from __future__ import annotations

import os
import pickle as _pickle
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any, TypeAlias

from ._device import device
from ._files.memory import File, Source, opened, written

if TYPE_CHECKING:
    from ._files.pickles import Unpickle

__all__ = [
    "add_safe_globals",
    "clear_safe_globals",
    "get_safe_globals",
    "get_unsafe_globals_in_checkpoint",
    "load",
    "safe_globals",
    "save",
]

# What PyTorch calls the type of the argument that says which device tensors are to live on.
MAP_LOCATION: TypeAlias = Callable[[Any, str], Any] | device | str | dict[str, str] | None
_ZIP = b"PK\x03\x04"


def save(
    obj: Any,
    f: File,
    pickle_module: Any = None,
    pickle_protocol: int = 2,
    _use_new_zipfile_serialization: bool = True,
    *,
    pickle: bool | None = None,
    atomic: bool = False,
) -> None:
    """Write an object to a file: in the safetensors format or, if asked for, with pickle.

    Args:
        obj: a state dict, a tensor, or a nested structure of dicts, lists, tuples, tensors,
            NumPy arrays and scalars, numbers, strings and None (such as an optimiser's state).
            Dict keys are strings, numbers or None. With `pickle`, anything that can be pickled.
        f: a path, or a file opened for writing bytes.
        pickle_module: None or Python's ``pickle``.
        pickle_protocol: of the pickle. Default: 2, as PyTorch's.
        _use_new_zipfile_serialization: accepted for compatibility; the older format is only read.
        pickle: whether PyTorch's format is written, with a pickle for all that is not a tensor:
            whole modules and any other object; tensors that share memory share it again when they
            are loaded. PyTorch reads such a file as far as it knows the classes in it. Default:
            False; in programs that run under ``tapegrad.torch``, True.
        atomic: whether what is at the path stays until all of the new file is on the disk, so that
            there is a whole one whenever the program or the machine stops: for checkpoints. It is
            written beside, as ``<path>.partial``. Default: False.

    Raises:
        ValueError: with `atomic`, if `f` is not a path.
        TypeError: without `pickle`, if there is something else in the structure.
        PicklingError: with `pickle`, if something cannot be pickled.
        RuntimeError: with `pickle`, if tensors of different dtypes share memory.

    Without `pickle` only values are kept: what is loaded requires no grad, and tensors that shared
    memory do not share it any more.

    Example:
        >>> import io, tapegrad
        >>> file = io.BytesIO()
        >>> tapegrad.save({"epoch": 3, "best": tapegrad.tensor([1.0, 2.0])}, file)
        >>> _ = file.seek(0)
        >>> tapegrad.load(file)
        {'epoch': 3, 'best': tensor([1., 2.])}

        A whole module:

        >>> file = io.BytesIO()
        >>> tapegrad.save(tapegrad.nn.Linear(2, 1), file, pickle=True)
        >>> _ = file.seek(0)
        >>> tapegrad.load(file, weights_only=False)
        Linear(in_features=2, out_features=1, bias=True)
    """
    if pickle is None:
        pickle = sys.modules.get("torch") is sys.modules["tapegrad"]  # tapegrad.torch.install()
    if atomic and not isinstance(f, (str, os.PathLike)):
        raise ValueError(
            f"f must be a file path in order to use the atomic argument, but got {f!r}"
        )
    if not pickle:
        from ._files.safetensors import write as write_safetensors
        from ._files.structure import described

        arrays, metadata = described(obj)
        with written(f, atomic) as file:
            write_safetensors(file, arrays, metadata)
        return
    from ._files.pickles import dumps
    from ._files.torch_zip import write

    if pickle_module not in (None, _pickle):
        raise ValueError("tapegrad.save pickles with Python's own pickle; use pickle_module=None")
    pickled, memory = dumps(obj, pickle_protocol)
    with written(f, atomic) as file:
        write(file, pickled, memory)


def load(
    f: File,
    map_location: Any = None,
    pickle_module: Any = None,
    *,
    weights_only: bool | None = None,
    mmap: bool | None = None,
    **pickle_load_args: Any,
) -> Any:
    """Read what :func:`save` or ``torch.save`` wrote, or any other safetensors file.

    Args:
        f: a path, or a file opened for reading bytes that can seek.
        map_location: where tensors go that a file of PyTorch has on another device: ``"cpu"``, a
            device, a dict of locations, or a function of a storage and its location that returns a
            storage or None. Default: None, where the file says.
        pickle_module: where `weights_only` is False, what unpickles. Default: Python's ``pickle``.
        weights_only: whether the pickle of a file of PyTorch is read by a reader that makes
            tensors, parameters, containers, numbers, strings, NumPy arrays of numbers and scalars,
            dtypes, devices and sizes, and what :func:`~tapegrad.serialization.add_safe_globals`
            allows, and runs no code otherwise. False is for files that are trusted: whoever wrote
            one can run code here. Default: True, or False with a `pickle_module`.
        mmap: whether tensors use the memory of the file, so that of a large one only what is
            needed is read. What is written to them does not reach the file, which is to stay as it
            is. `f` is a path then. Default: False.
        **pickle_load_args: ``encoding`` of strings that Python 2 wrote, and other options of an
            unpickler, which count where `weights_only` is False.

    Returns:
        The object that was saved; a dict of tensors for a safetensors file of other origin.

    Raises:
        UnpicklingError: if a file of PyTorch has something that is not allowed, or a wrong pickle.
        RuntimeError: if a file of PyTorch is damaged, or its tensors live on a device that is not
            here.
        ValueError: if it is neither that nor a valid safetensors file, or has a dtype that tapegrad
            has not.

    Example:
        >>> import io, tapegrad
        >>> file = io.BytesIO()
        >>> model = tapegrad.nn.Linear(2, 1)
        >>> tapegrad.save(model.state_dict(), file)
        >>> _ = file.seek(0)
        >>> model.load_state_dict(tapegrad.load(file))
        <All keys matched successfully>
    """
    from ._files.locations import check_location

    if weights_only is None:
        weights_only = pickle_module is None
    elif weights_only and pickle_module is not None:
        raise RuntimeError("Can not safely load weights when explicit pickle_module is specified")
    if mmap and not isinstance(f, (str, os.PathLike)):
        raise ValueError(f"f must be a file path in order to use the mmap argument, but got {f!r}")
    check_location(map_location)
    with opened(f, "rb") as file:
        source = Source(file, mapped=bool(mmap))
        start = source.bytes(0, min(source.size, 32))
        if start[8:9] == b"{" or not start.startswith((_ZIP, _pickle.PROTO)):
            return _load_safetensors(source, map_location)
        if weights_only:
            return _load_with_care(source, start, map_location, pickle_load_args)
        from ._files.pickles import trusting

        return _load_pickle(
            source, start, trusting(pickle_module or _pickle, pickle_load_args), map_location
        )


def _load_safetensors(source: Source, map_location: Any) -> Any:
    from ._files.safetensors import read
    from ._files.structure import restored

    return restored(*read(source), map_location)


def _load_with_care(
    source: Source, start: bytes, map_location: Any, options: Mapping[str, Any]
) -> Any:
    from ._files.pickles import careful

    unpickle = careful(_by_name(), options.get("encoding", "utf-8"))
    try:
        return _load_pickle(source, start, unpickle, map_location)
    except UnpicklingError as error:
        raise UnpicklingError(f"{_CAREFUL}{error}") from error


_CAREFUL = (
    "Weights only load failed. The file is read by a reader that makes tensors, containers and "
    "numbers, and runs no code. tapegrad.load(..., weights_only=False) reads whatever was pickled, "
    "whole modules too, but it can result in arbitrary code execution: do it only if you trust the "
    "source of the file. The reason: "
)


def _load_pickle(source: Source, start: bytes, unpickle: Unpickle, map_location: Any) -> Any:
    from ._files import torch_legacy
    from ._files.storages import Storages
    from ._files.torch_zip import Archive

    if start.startswith(_ZIP):
        archive = Archive(source)
        storages = Storages(archive.storage, archive.byteorder, map_location)
        return unpickle(archive.pickle, 0, storages)[0]
    if not torch_legacy.is_legacy(start):
        raise RuntimeError(
            "Invalid magic number; corrupt file? It is a pickle, but none that torch.save or "
            "tapegrad.save wrote"
        )
    return torch_legacy.read(source.bytes(0, source.size), unpickle, map_location)


# ---------------------------------------------------------------------- what is allowed

_safe: list[Any] = []


def add_safe_globals(safe_globals: list[Any]) -> None:
    """Allow functions and classes in files that are read with ``weights_only=True``.

    Args:
        safe_globals: the functions and classes; a pair of one and a string is one that files have
            under that name. They are called with whatever a file says.

    Example:
        >>> import io, tapegrad
        >>> from fractions import Fraction
        >>> file = io.BytesIO()
        >>> tapegrad.save({"rate": Fraction(1, 3)}, file, pickle=True)
        >>> _ = file.seek(0)
        >>> with tapegrad.serialization.safe_globals([Fraction]):
        ...     tapegrad.load(file)
        {'rate': Fraction(1, 3)}
        >>> tapegrad.serialization.get_safe_globals()
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
    """Allow functions and classes within a block; see `add_safe_globals`."""
    before = get_safe_globals()
    add_safe_globals(safe_globals)
    try:
        yield
    finally:
        _safe[:] = before


def _by_name() -> dict[str, Any]:
    """What is allowed besides, by the names that files have: those of PyTorch too."""
    names = {}
    for entry in _safe:
        if isinstance(entry, tuple):
            thing, full = entry
        else:
            thing, full = entry, f"{entry.__module__}.{entry.__qualname__}"
        names[full] = thing
        if full.startswith("tapegrad."):
            names[f"torch.{full.removeprefix('tapegrad.')}"] = thing
    return names


def get_unsafe_globals_in_checkpoint(f: File) -> list[str]:
    """The functions and classes of a file in PyTorch's format that are not allowed.

    Nothing of the file is run.

    Args:
        f: a path, or a file opened for reading bytes.

    Raises:
        RuntimeError: if the file is damaged.
        ValueError: if it has another format.

    Example:
        >>> import io, tapegrad
        >>> file = io.BytesIO()
        >>> tapegrad.save(tapegrad.nn.Tanh(), file, pickle=True)
        >>> _ = file.seek(0)
        >>> tapegrad.serialization.get_unsafe_globals_in_checkpoint(file)
        ['tapegrad.nn.modules.activation.Tanh']
    """
    from ._files.machine import named_in
    from ._files.names import CALLED, NAMED
    from ._files.torch_zip import Archive

    with opened(f, "rb") as file:
        source = Source(file)
        if not source.bytes(0, min(source.size, 4)).startswith(_ZIP):
            raise ValueError("Expected input to be a checkpoint returned by torch.save")
        known = {*CALLED, *NAMED, *_by_name()}
        return sorted(set(named_in(Archive(source).pickle)) - known)
