"""The default generator of random numbers, and what to do with its state."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ._C import (
    default_generator,
    get_rng_state,
    initial_seed,
    manual_seed,
    seed,
    set_rng_state,
)

__all__ = [
    "default_generator",
    "fork_rng",
    "get_rng_state",
    "initial_seed",
    "manual_seed",
    "seed",
    "set_rng_state",
]


@contextmanager
def fork_rng(
    devices: Any = None,
    enabled: bool = True,
    _caller: str = "fork_rng",
    _devices_kw: str = "devices",
    device_type: str = "cuda",
) -> Iterator[None]:
    """A context manager after which the default generator goes on as if nothing had been drawn.

    Args:
        devices: ignored. Default: None.
        enabled: False does nothing. Default: True.
        device_type: ignored. Default: ``"cuda"``.

    Example:
        >>> import tapegrad
        >>> _ = tapegrad.manual_seed(0)
        >>> with tapegrad.random.fork_rng():
        ...     inside = tapegrad.rand(2)
        >>> tapegrad.rand(2).equal(inside)
        True
    """
    state = get_rng_state() if enabled else None
    try:
        yield
    finally:
        if state is not None:
            set_rng_state(state)
