"""What `cpu.amp` and `cuda.amp` have in common: the older names, which warn."""

from __future__ import annotations

import warnings

from . import grad_scaler

__all__ = ["GradScaler", "warn_of_older_name"]


def warn_of_older_name(kind: str, name: str) -> None:
    """Warn the caller of a constructor that ``tapegrad.amp`` has the class."""
    warnings.warn(
        f"`tapegrad.{kind}.amp.{name}(args...)` is deprecated. Please use "
        f"`tapegrad.amp.{name}('{kind}', args...)` instead.",
        FutureWarning,
        stacklevel=3,
    )


class GradScaler(grad_scaler.GradScaler):
    """That of a `kind` of devices, with a warning."""

    kind: str

    def __init__(
        self,
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        warn_of_older_name(self.kind, "GradScaler")
        super().__init__(
            self.kind, init_scale, growth_factor, backoff_factor, growth_interval, enabled
        )
