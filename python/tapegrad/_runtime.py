"""What the core tells of its own memory."""

from __future__ import annotations

from . import _C

__all__ = ["memory_stats"]


def memory_stats() -> dict[str, int]:
    """What tensors use of memory, in bytes, and how often memory was asked for.

    Returns:
        ``allocated_bytes`` (in use), ``peak_bytes`` (the most in use since
        ``reset_peak_memory()``), ``cached_bytes`` (kept for reuse; ``empty_cache()`` gives it
        back), ``allocations`` and ``cache_hits``.

    Example:
        >>> import tapegrad
        >>> sorted(tapegrad.memory_stats())
        ['allocated_bytes', 'allocations', 'cache_hits', 'cached_bytes', 'peak_bytes']
    """
    return _C._memory_stats()
