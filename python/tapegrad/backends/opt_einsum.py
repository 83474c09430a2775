"""A package that orders the products of `einsum`. What is set is kept and has no effect."""

from __future__ import annotations

__all__ = ["enabled", "is_available", "strategy"]

enabled = False
strategy: str | None = None


def is_available() -> bool:
    """False: `einsum` does without it."""
    return False
