"""The findings of a group of checks."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from .._C import Tensor

__all__ = ["Report", "run_group"]


class Report:
    """Counts the checks of a group, and keeps what is wrong."""

    def __init__(self) -> None:
        self.checks = 0
        self.faults: list[str] = []

    def holds(self, what: str, condition: Any, detail: str = "") -> None:
        """Something that must be so."""
        self.checks += 1
        if not condition:
            self.faults.append(f"{what}: {detail}" if detail else what)

    def close(self, what: str, got: Tensor, want: Any, rtol: float, atol: float = 0.0) -> None:
        """Values within ``atol + rtol * |want|`` of those that float64 gives."""
        have, want = got.detach().double().numpy(), np.asarray(want, dtype=np.float64)
        if have.shape != want.shape:
            self.holds(what, False, f"shape {have.shape} instead of {want.shape}")
            return
        with np.errstate(invalid="ignore"):
            error = np.where(have == want, 0.0, np.abs(have - want) - rtol * np.abs(want))
        wrong = ~(error <= atol)  # NaN is wrong, too
        at = int(np.argmax(wrong)) if wrong.size else 0
        detail = f"{have.flat[at]:.17g} instead of {want.flat[at]:.17g}" if wrong.any() else ""
        self.holds(what, not wrong.any(), detail)

    def same_bits(self, what: str, got: Tensor, want: Tensor) -> None:
        """Two tensors that must not differ in a single bit."""
        a, b = got.detach().numpy(), want.detach().numpy()
        self.holds(what, a.dtype == b.dtype and a.tobytes() == b.tobytes(), "other bits")


def run_group(check: Callable[[Report], None]) -> tuple[Report, float]:
    """What a group of checks finds, and the seconds that it takes. An exception is a fault."""
    report = Report()
    begin = time.perf_counter()
    try:
        check(report)
    except Exception as error:
        report.holds(f"after {report.checks} checks", False, f"{type(error).__name__}: {error}")
    return report, time.perf_counter() - begin
