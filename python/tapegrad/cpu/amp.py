"""The older names of `tapegrad.amp` for the CPU."""

from __future__ import annotations

from typing import Any

from .. import _C, amp
from ..amp import _older

__all__ = ["GradScaler", "autocast"]


class autocast(amp.autocast):
    """``tapegrad.amp.autocast("cpu", ...)``, with a warning.

    Args:
        enabled: Default: True.
        dtype: Default: bfloat16.
        cache_enabled: ignored. Default: True.
    """

    def __init__(
        self, enabled: bool = True, dtype: Any = _C.bfloat16, cache_enabled: bool = True
    ) -> None:
        _older.warn_of_older_name("cpu", "autocast")
        super().__init__("cpu", dtype, enabled, cache_enabled)


class GradScaler(_older.GradScaler):
    """``tapegrad.amp.GradScaler("cpu", ...)``, with a warning."""

    kind = "cpu"
