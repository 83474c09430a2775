"""NVIDIA's library for networks, which is not here. What is set is kept and has no effect."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = [
    "allow_tf32",
    "benchmark",
    "benchmark_limit",
    "deterministic",
    "enabled",
    "flags",
    "is_acceptable",
    "is_available",
    "set_flags",
    "version",
]

enabled = True
deterministic = False
benchmark = False
benchmark_limit: int | None = None
allow_tf32 = True
_NAMES = ("enabled", "benchmark", "benchmark_limit", "deterministic", "allow_tf32")


def is_available() -> bool:
    """False: the library is not here."""
    return False


def version() -> int | None:
    """None: the library is not here."""
    return None


def is_acceptable(tensor: Any) -> bool:
    """Whether the library takes a tensor: False."""
    return False


def set_flags(
    _enabled: bool | None = None,
    _benchmark: bool | None = None,
    _benchmark_limit: int | None = None,
    _deterministic: bool | None = None,
    _allow_tf32: bool | None = None,
) -> tuple[Any, ...]:
    """Set several flags at once; None leaves one as it is.

    Returns:
        The former values, in the order of the arguments.

    Example:
        >>> from tapegrad.backends import cudnn
        >>> before = cudnn.set_flags(False)
        >>> cudnn.enabled, cudnn.set_flags(*before)
        (False, (False, False, None, False, True))
    """
    space = globals()
    before = tuple(space[name] for name in _NAMES)
    given = (_enabled, _benchmark, _benchmark_limit, _deterministic, _allow_tf32)
    space |= {name: v for name, v in zip(_NAMES, given, strict=True) if v is not None}
    return before


@contextmanager
def flags(
    enabled: bool = False,
    benchmark: bool = False,
    benchmark_limit: int = 10,
    deterministic: bool = False,
    allow_tf32: bool = True,
) -> Iterator[None]:
    """A context manager in whose block the flags have other values.

    Example:
        >>> from tapegrad.backends import cudnn
        >>> with cudnn.flags(enabled=False):
        ...     print(cudnn.enabled)
        False
    """
    before = set_flags(enabled, benchmark, benchmark_limit, deterministic, allow_tf32)
    try:
        yield
    finally:
        globals().update(zip(_NAMES, before, strict=True))
