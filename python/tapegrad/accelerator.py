"""The accelerator of this machine, of whatever type: there is none.

Example:
    >>> import tapegrad
    >>> tapegrad.accelerator.is_available(), tapegrad.accelerator.device_count()
    (False, 0)
    >>> tapegrad.accelerator.current_accelerator() is None
    True
"""

from __future__ import annotations

from ._absent_device import answers, refusals
from ._device import NO_ACCELERATOR, device

__all__ = ["current_accelerator", "device_count", "device_index", "is_available"]


def is_available() -> bool:
    """False: tensors live on the CPU."""
    return False


def device_count() -> int:
    """Zero: tensors live on the CPU."""
    return 0


def current_accelerator(check_available: bool = False) -> device | None:
    """None: tensors live on the CPU.

    Args:
        check_available: also ask whether it can be used. Default: False.
    """
    return None


class device_index:
    """In whose block an accelerator is the current one: nothing happens for None.

    Args:
        device: the number of the accelerator.
    """

    def __init__(self, device: int | None, /) -> None:
        self.idx = device

    def __enter__(self) -> None:
        if self.idx is not None:
            raise RuntimeError(NO_ACCELERATOR)

    def __exit__(self, *exc_info: object) -> None:
        pass


globals().update(
    answers(
        "accelerator",
        {
            **dict.fromkeys(("empty_cache", "empty_host_cache")),
            **dict.fromkeys(("reset_peak_memory_stats", "reset_accumulated_memory_stats")),
            **dict.fromkeys(("memory_allocated", "max_memory_allocated"), 0),
            **dict.fromkeys(("memory_reserved", "max_memory_reserved"), 0),
            "memory_stats": {},
        },
    )
)
globals().update(
    refusals(
        "accelerator",
        (
            *("synchronize", "current_device_index", "current_device_idx", "set_device_index"),
            *("set_device_idx", "current_stream", "set_stream", "get_device_capability"),
            "get_memory_info",
        ),
        lambda: RuntimeError(NO_ACCELERATOR),
    )
)
