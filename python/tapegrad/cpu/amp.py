"""The older names of `tapegrad.amp` for the CPU."""

from __future__ import annotations

import warnings
from typing import Any

from .. import _C, amp

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
        warnings.warn(
            "`tapegrad.cpu.amp.autocast(args...)` is deprecated. Please use "
            "`tapegrad.amp.autocast('cpu', args...)` instead.",
            FutureWarning,
            stacklevel=2,
        )
        super().__init__("cpu", dtype, enabled, cache_enabled)


class GradScaler(amp.GradScaler):
    """``tapegrad.amp.GradScaler("cpu", ...)``, with a warning."""

    def __init__(
        self,
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        warnings.warn(
            "`tapegrad.cpu.amp.GradScaler(args...)` is deprecated. Please use "
            "`tapegrad.amp.GradScaler('cpu', args...)` instead.",
            FutureWarning,
            stacklevel=2,
        )
        super().__init__("cpu", init_scale, growth_factor, backoff_factor, growth_interval, enabled)
