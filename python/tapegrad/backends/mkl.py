"""Intel's library for products, in whose place OpenBLAS is here."""

from __future__ import annotations

__all__ = ["is_available"]


def is_available() -> bool:
    """False: the library is not here."""
    return False
