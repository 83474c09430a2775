"""Where tensors of a file go: what ``map_location`` says."""

from __future__ import annotations

from typing import Any

from .._C import Tensor
from .._device import device
from ..storage import is_storage, untyped_on

__all__ = ["check_location", "located"]


def check_location(map_location: Any) -> None:
    """Raise where a map is none.

    Raises:
        RuntimeError: if it names another device than the CPU, or none at all.
        TypeError: if it is something else.
    """
    if map_location is None or callable(map_location) or isinstance(map_location, dict):
        return
    if not isinstance(map_location, (str, device)):
        raise TypeError(
            "map_location must be a device, a string, a dict, a function or None, not "
            f"{type(map_location).__name__}"
        )
    _require_cpu(str(device(map_location)))


def located(memory: Tensor, location: str, map_location: Any) -> Tensor:
    """The bytes of a storage where they are to live.

    Args:
        memory: the bytes.
        location: the device that the file names.
        map_location: as :func:`tapegrad.load` takes it.

    Raises:
        RuntimeError: if that is not the CPU.
    """
    if callable(map_location):
        moved = map_location(untyped_on(memory), location)
        if is_storage(moved):
            elements: Tensor = moved.untyped()._elements
            return elements
        if moved is not None:
            raise TypeError(
                "map_location must return a storage or None, not " + type(moved).__name__
            )
    elif isinstance(map_location, dict):
        location = str(map_location.get(location, location))
    elif map_location is not None:
        return memory
    _require_cpu(location)
    return memory


def _require_cpu(location: str) -> None:
    kind = location.partition(":")[0]
    if kind == "cpu":
        return
    if kind == "cuda":
        raise RuntimeError(
            "Attempting to deserialize object on a CUDA device but tapegrad.cuda.is_available() is "
            "False. If you are running on a CPU-only machine, please use tapegrad.load with "
            "map_location=tapegrad.device('cpu') to map your storages to the CPU."
        )
    raise RuntimeError(
        "don't know how to restore data location of tapegrad.storage.UntypedStorage (tagged with "
        f"{location}). Use map_location='cpu' to map your storages to the CPU."
    )
