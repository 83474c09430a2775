"""Intel's library for networks, which is not here. What is set is kept and has no effect."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["allow_tf32", "deterministic", "enabled", "flags", "is_available", "set_flags"]

enabled = True
deterministic = False
allow_tf32 = True


def is_available() -> bool:
    """False: the library is not here."""
    return False


def set_flags(_enabled: bool) -> tuple[bool]:
    """Set ``enabled``.

    Returns:
        A tuple with the former value.
    """
    global enabled
    before = enabled
    enabled = _enabled
    return (before,)


@contextmanager
def flags(enabled: bool = False) -> Iterator[None]:
    """A context manager in whose block ``enabled`` has another value.

    Example:
        >>> from tapegrad.backends import mkldnn
        >>> with mkldnn.flags(enabled=False):
        ...     print(mkldnn.enabled)
        False
    """
    (before,) = set_flags(enabled)
    try:
        yield
    finally:
        set_flags(before)
