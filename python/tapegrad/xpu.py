"""Intel's GPUs: there are none, as in PyTorch's build for the CPU.

Example:
    >>> import tapegrad
    >>> tapegrad.xpu.is_available(), tapegrad.xpu.device_count()
    (False, 0)
"""

from __future__ import annotations

from ._absent_device import answers, refusals, refusing_classes
from ._device import no_device

__all__ = ["device_count", "is_available"]


def is_available() -> bool:
    """False: there is no such device."""
    return False


def device_count() -> int:
    """Zero: there is no such device."""
    return 0


globals().update(
    answers(
        "xpu",
        {
            **dict.fromkeys(("is_initialized", "is_bf16_supported"), False),
            **dict.fromkeys(("manual_seed", "manual_seed_all", "seed", "seed_all")),
            **dict.fromkeys(("empty_cache", "set_rng_state", "set_rng_state_all")),
            **dict.fromkeys(("memory_allocated", "max_memory_allocated"), 0),
            **dict.fromkeys(("memory_reserved", "max_memory_reserved"), 0),
            **dict.fromkeys(("reset_peak_memory_stats", "reset_accumulated_memory_stats")),
            "get_rng_state_all": [],
        },
    )
)
globals().update(
    refusals(
        "xpu",
        (
            *("init", "synchronize", "current_device", "set_device", "get_device_name"),
            *("get_device_capability", "get_device_properties", "current_stream"),
            *("get_rng_state", "initial_seed", "mem_get_info", "set_stream"),
        ),
        lambda: no_device("xpu"),
    )
)
globals().update(refusing_classes("xpu", ("Event", "Stream")))
