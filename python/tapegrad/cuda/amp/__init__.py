"""The older names of `tapegrad.amp` for GPUs, which there are none of: both are disabled."""

from __future__ import annotations

import warnings
from typing import Any

from ... import amp
from ...amp import custom_bwd, custom_fwd

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd"]


class autocast(amp.autocast):
    """``tapegrad.amp.autocast("cuda", ...)``: disabled, with a warning.

    Args:
        enabled: Default: True.
        dtype: Default: float16.
        cache_enabled: ignored. Default: True.
    """

    def __init__(self, enabled: bool = True, dtype: Any = None, cache_enabled: bool = True) -> None:
        warnings.warn(
            "`tapegrad.cuda.amp.autocast(args...)` is deprecated. Please use "
            "`tapegrad.amp.autocast('cuda', args...)` instead.",
            FutureWarning,
            stacklevel=2,
        )
        super().__init__("cuda", dtype, enabled, cache_enabled)


class GradScaler(amp.GradScaler):
    """``tapegrad.amp.GradScaler("cuda", ...)``: disabled, with a warning."""

    def __init__(
        self,
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        warnings.warn(
            "`tapegrad.cuda.amp.GradScaler(args...)` is deprecated. Please use "
            "`tapegrad.amp.GradScaler('cuda', args...)` instead.",
            FutureWarning,
            stacklevel=2,
        )
        super().__init__(
            "cuda", init_scale, growth_factor, backoff_factor, growth_interval, enabled
        )
