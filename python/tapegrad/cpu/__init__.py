"""The CPU, by the names that `tapegrad.cuda` has for GPUs.

Example:
    >>> import tapegrad
    >>> tapegrad.cpu.is_available(), tapegrad.cpu.device_count(), tapegrad.cpu.current_device()
    (True, 1, 'cpu')
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._lazy import lazy

if TYPE_CHECKING:
    from . import amp

__all__ = [
    "amp",
    "current_device",
    "device_count",
    "is_available",
    "is_initialized",
    "set_device",
    "synchronize",
]

__getattr__, __dir__ = lazy(__name__, {"amp": "amp"})


def is_available() -> bool:
    """True."""
    return True


def is_initialized() -> bool:
    """True."""
    return True


def device_count() -> int:
    """One: all processors are one device."""
    return 1


def current_device() -> str:
    """Always ``"cpu"``."""
    return "cpu"


def set_device(device: Any) -> None:
    """Does nothing: there is one device."""


def synchronize(device: Any = None) -> None:
    """Does nothing: operators have ended when they return."""
