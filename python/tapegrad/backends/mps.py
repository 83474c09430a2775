"""Apple's GPUs, which this package has no code for."""

from __future__ import annotations

__all__ = ["is_available", "is_built", "is_macos13_or_newer", "is_macos_or_newer"]


def is_built() -> bool:
    """False: this package has no code for them."""
    return False


def is_available() -> bool:
    """False: this package has no code for them."""
    return False


def is_macos_or_newer(major: int, minor: int) -> bool:
    """False: without such a GPU, the version does not matter."""
    return False


def is_macos13_or_newer(minor: int = 0) -> bool:
    """False: without such a GPU, the version does not matter."""
    return False
