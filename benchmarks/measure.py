"""Timing: first all engines must agree, then they take turns, and medians are compared."""

from __future__ import annotations

import gc
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from .engines import Case, Engine
from .workloads import Workload


@dataclass(frozen=True)
class Settings:
    """How long to measure: `rounds` blocks of about `block` seconds for each engine."""

    rounds: int = 9
    block: float = 0.05

    @classmethod
    def quick(cls) -> Settings:
        """Enough for a look, too little for a comparison."""
        return cls(rounds=3, block=0.01)


@dataclass
class Row:
    """One line of the table: seconds (or bytes) by engine name, and why one is missing."""

    key: str
    title: str
    group: str
    seconds: dict[str, float] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)


class Disagreement(AssertionError):
    """Two engines computed different numbers."""


def check_agreement(
    found: Sequence[np.ndarray], expected: Sequence[np.ndarray], tolerance: float
) -> None:
    """Compare lists of arrays by the norm of their difference.

    Raises:
        Disagreement: if shapes differ or a relative distance is above `tolerance`.
    """
    if len(found) != len(expected):
        raise Disagreement(f"{len(found)} results where {len(expected)} were expected")
    for index, (one, other) in enumerate(zip(found, expected, strict=True)):
        if one.shape != other.shape:
            raise Disagreement(f"result {index} has shape {one.shape}, not {other.shape}")
        # In float64, because squares of many float32 numbers lose digits.
        reference = max(float(np.linalg.norm(other.astype(np.float64))), 1e-6)
        distance = float(np.linalg.norm(one.astype(np.float64) - other))
        if not distance <= tolerance * reference:
            raise Disagreement(f"result {index} is {distance / reference:.1e} (relative) away")


class _Contestant:
    """A case that is timed in blocks of a fixed number of runs."""

    def __init__(self, engine: Engine, case: Case, settings: Settings) -> None:
        self.engine = engine
        self.case = case
        self.timer = case.timer()
        self.blocks: list[dict[str, float]] = []
        engine.activate()
        self.runs = 1 if case.phases else self._calibrate(settings.block)

    def _calibrate(self, block: float) -> int:
        """Return how many runs take about `block` seconds."""
        self.timer.timeit(1)
        runs = 1
        while True:
            seconds = self.timer.timeit(runs)
            if seconds >= block / 2:
                return max(1, round(runs * block / seconds))
            runs = max(2 * runs, min(100 * runs, int(runs * block / max(seconds, 1e-9))))

    def block(self) -> None:
        """Take one block."""
        self.engine.activate()
        if self.case.phases is not None:
            self.blocks.append(_without_collector(self.case.phases))
            return
        # The other engines have had the caches and the cores; short blocks get a start.
        if self.runs > 1:
            self.timer.timeit(max(1, self.runs // 10))
        self.blocks.append({"": self.timer.timeit(self.runs) / self.runs})

    def median(self, phase: str) -> float:
        return statistics.median(block[phase] for block in self.blocks)


def _without_collector(phases: Callable[[], dict[str, float]]) -> dict[str, float]:
    """Run with Python's cycle collector off, as timeit does."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        return phases()
    finally:
        if enabled:
            gc.enable()


def measure(workload: Workload, engines: Iterable[Engine], settings: Settings) -> list[Row]:
    """Measure one workload on all engines.

    The first engine that can do it gives the reference for the numbers. An engine that fails
    or disagrees gets no time, and the row says why.
    """
    phases = workload.phases or ("",)
    rows = [
        Row(
            f"{workload.key}{'-' + phase if phase else ''}",
            f"{workload.title}: {phase}" if phase else workload.title,
            workload.group,
        )
        for phase in phases
    ]
    contestants: list[_Contestant] = []
    expected: list[np.ndarray] | None = None
    for engine in engines:
        engine.activate()
        try:
            case = workload.build(engine)
            if case is None:
                continue
            values = case.values()
            if expected is None:
                expected = values
            check_agreement(values, expected, workload.tolerance)
            contestants.append(_Contestant(engine, case, settings))
        except Exception as error:  # one engine must not stop the others
            for row in rows:
                row.problems[engine.name] = f"{type(error).__name__}: {error}"
    gc.collect()
    for _ in range(settings.rounds):
        for contestant in contestants:
            contestant.block()
    for row, phase in zip(rows, phases, strict=True):
        for contestant in contestants:
            row.seconds[contestant.engine.name] = contestant.median(phase) / workload.per
    return rows
