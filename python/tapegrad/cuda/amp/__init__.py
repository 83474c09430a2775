"""The older names of `tapegrad.amp` for GPUs, which there are none of: both are disabled."""

from __future__ import annotations

from typing import Any

from ... import amp
from ...amp import _older, custom_bwd, custom_fwd

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd"]


class autocast(amp.autocast):
    """``tapegrad.amp.autocast("cuda", ...)``: disabled, with a warning.

    Args:
        enabled: Default: True.
        dtype: Default: float16.
        cache_enabled: ignored. Default: True.
    """

    def __init__(self, enabled: bool = True, dtype: Any = None, cache_enabled: bool = True) -> None:
        _older.warn_of_older_name("cuda", "autocast")
        super().__init__("cuda", dtype, enabled, cache_enabled)


class GradScaler(_older.GradScaler):
    """``tapegrad.amp.GradScaler("cuda", ...)``: disabled, with a warning."""

    kind = "cuda"
