"""The library for threads."""

from __future__ import annotations

__all__ = ["is_available"]


def is_available() -> bool:
    """True: kernels use it.

    Example:
        >>> import tapegrad
        >>> tapegrad.backends.openmp.is_available()
        True
    """
    return True
