"""Apple's GPUs: there are none, as in PyTorch's build for the CPU.

Example:
    >>> import tapegrad
    >>> tapegrad.mps.is_available(), tapegrad.mps.device_count()
    (False, 0)
"""

from __future__ import annotations

from ._absent_device import refusals, refusing_classes
from ._device import no_device

__all__ = ["device_count", "is_available", "manual_seed"]


def is_available() -> bool:
    """False: there is no such device."""
    return False


def device_count() -> int:
    """Zero: there is no such device."""
    return 0


def manual_seed(seed: int) -> None:
    """Does nothing: `tapegrad.manual_seed` sets the seed of the CPU."""


globals().update(
    refusals(
        "mps",
        (
            *("synchronize", "empty_cache", "seed", "get_rng_state", "set_rng_state"),
            *("current_allocated_memory", "driver_allocated_memory"),
            *("recommended_max_memory", "set_per_process_memory_fraction"),
        ),
        lambda: no_device("mps"),
    )
)
globals().update(refusing_classes("mps", ("Event",)))
