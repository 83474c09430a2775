"""The GPUs of a program: there are none, as in PyTorch's build for the CPU.

Questions are answered so that a program takes its way without a GPU: sizes of memory are zero,
seeds are ignored. What needs a GPU raises an error that says so, a RuntimeError and AssertionError.

Example:
    >>> import tapegrad
    >>> tapegrad.cuda.is_available(), tapegrad.cuda.device_count()
    (False, 0)
    >>> tapegrad.cuda.current_device()
    Traceback (most recent call last):
    tapegrad._device.NoDeviceError: tapegrad not compiled with CUDA enabled. This package runs on
    the CPU only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import _legacy
from .._absent_device import (
    AcceleratorError,
    OutOfMemoryError,
    answers,
    refusals,
    refusing_classes,
)
from .._device import no_device
from .._lazy import lazy

if TYPE_CHECKING:
    from . import amp


def is_available() -> bool:
    """False: there is no GPU."""
    return False


def device_count() -> int:
    """Zero: there is no GPU."""
    return 0


def manual_seed(seed: int) -> None:
    """Does nothing: `tapegrad.manual_seed` sets the seed of the CPU."""


def manual_seed_all(seed: int) -> None:
    """Does nothing: `tapegrad.manual_seed` sets the seed of the CPU."""


def empty_cache() -> None:
    """Does nothing: `tapegrad.empty_cache` gives back memory of the CPU."""


class _Context:
    """A context manager about a GPU: without one, it may be made but not entered."""

    def __init__(self, device: Any) -> None:
        self.device = device

    def __enter__(self) -> None:
        if self.device not in (None, -1):
            raise no_device("cuda")

    def __exit__(self, *exc_info: object) -> None:
        pass


class device(_Context):
    """In whose block a GPU is the current one; entering it raises RuntimeError.

    Args:
        device: the GPU; nothing happens for None and for -1.
    """


class device_of(_Context):
    """In whose block the GPU of a tensor is the current one: nothing happens.

    Args:
        obj: a tensor.
    """

    def __init__(self, obj: Any) -> None:
        super().__init__(obj.get_device() if hasattr(obj, "get_device") else -1)


class stream(_Context):
    """In whose block operators run in a stream; entering it raises RuntimeError.

    Args:
        stream: the stream; nothing happens for None.
    """


_FALSE = ("is_initialized", "is_bf16_supported", "is_tf32_supported")
_ZERO = (
    *("memory_allocated", "max_memory_allocated", "memory_reserved", "max_memory_reserved"),
    *("memory_cached", "max_memory_cached"),
)
_NONE = (
    *("seed", "seed_all", "set_rng_state", "set_rng_state_all", "reset_peak_memory_stats"),
    *("reset_accumulated_memory_stats", "reset_max_memory_allocated", "reset_max_memory_cached"),
)
_EMPTY = {"get_arch_list": [], "get_gencode_flags": "", "get_rng_state_all": []}
_REFUSED = (
    *("init", "synchronize", "current_device", "set_device", "initial_seed", "get_rng_state"),
    *("get_device_name", "get_device_capability", "get_device_properties", "ipc_collect"),
    *("mem_get_info", "memory_summary", "memory_snapshot", "memory_usage"),
    *("set_per_process_memory_fraction", "current_stream", "default_stream", "set_stream"),
    *("current_blas_handle", "can_device_access_peer", "is_current_stream_capturing", "graph"),
    *("set_sync_debug_mode", "utilization", "temperature", "power_draw"),
)
globals().update(
    answers("cuda", dict.fromkeys(_FALSE, False) | dict.fromkeys(_ZERO, 0))
    | answers("cuda", dict.fromkeys(_NONE) | _EMPTY | {"memory_stats": {}})
    | refusals("cuda", _REFUSED, lambda: no_device("cuda"))
    | refusing_classes("cuda", ("Event", "Stream", "ExternalStream", "CUDAGraph"))
    | _legacy.absent_types("cuda")
)
__getattr__, __dir__ = lazy(__name__, {"amp": "amp"})
__all__ = ["AcceleratorError", "OutOfMemoryError", "amp", "device", "device_count", "device_of"]
__all__ += ["empty_cache", "is_available", "manual_seed", "manual_seed_all", "stream"]
