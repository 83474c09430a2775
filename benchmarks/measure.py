"""Timing: first all engines must agree, then they take turns, and medians are compared.

Engines take turns, so that a disturbance of the machine hits all of them. But the threads of one
engine spin for a while after its last parallel region, and would take the cores from the next one.
So each turn begins with an untimed phase: until the others' threads sleep, then with runs of the
engine itself, which bring back its threads and caches.
"""

from __future__ import annotations

import gc
import os
import statistics
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .engines import Case, Engine
from .workloads import Workload


@dataclass(frozen=True)
class Settings:
    """How long to measure: `rounds` blocks of about `block` seconds for each engine.

    Before each block the engine runs for about `warm_up` seconds, at least once.
    """

    rounds: int = 9
    block: float = 0.05
    warm_up: float = 0.015

    @classmethod
    def quick(cls) -> Settings:
        """Enough for a look, too little for a comparison."""
        return cls(rounds=3, block=0.01, warm_up=0.005)


@dataclass
class Row:
    """One line of the table: medians in seconds (or bytes) by engine name, and what goes with them.

    `spread` has the first and the third quartile, `notes` what a reader should know of a figure,
    `problems` why one is missing.
    """

    key: str
    title: str
    group: str
    seconds: dict[str, float] = field(default_factory=dict)
    spread: dict[str, tuple[float, float]] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
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


def wait_for_quiet(limit: float = 0.25) -> None:
    """Sleep until the other threads of this process do, at most `limit` seconds.

    Where the system does not tell what threads do, sleep for as long as most pools spin.
    """
    end = time.perf_counter() + limit
    quiet = 0
    while quiet < 2 and time.perf_counter() < end:
        running = _running_threads()
        if running is None:
            time.sleep(0.02)
            return
        quiet = quiet + 1 if running == 0 else 0
        time.sleep(0.001)


def _running_threads() -> int | None:
    """Return how many other threads of this process are not asleep, None if that is unknown."""
    own = threading.get_native_id()
    try:
        tasks = [task for task in os.listdir("/proc/self/task") if int(task) != own]
    except OSError:
        return None
    count = 0
    for task in tasks:
        try:
            text = Path("/proc/self/task", task, "stat").read_text()
        except OSError:  # it has ended
            continue
        # The name is in parentheses and may have any character; the state follows it.
        count += text.rpartition(")")[2].split()[0] == "R"
    return count


class _Contestant:
    """A case that is timed in blocks of a fixed number of runs."""

    def __init__(self, engine: Engine, case: Case, settings: Settings) -> None:
        self.engine = engine
        self.case = case
        self.timer = case.timer()
        self.blocks: list[dict[str, float]] = []
        engine.activate()
        wait_for_quiet()
        self.runs = 1 if case.phases else self._calibrate(settings.block)
        self.warm_up = max(1, round(self.runs * settings.warm_up / settings.block))

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
        wait_for_quiet()
        self.engine.activate()
        if self.case.phases is not None:
            self.blocks.append(_without_collector(self.case.phases))
            return
        self.timer.timeit(self.warm_up)
        self.blocks.append({"": self.timer.timeit(self.runs) / self.runs})

    def quartiles(self, phase: str) -> tuple[float, float, float]:
        """Return the first quartile, the median and the third quartile of all blocks."""
        times = [block[phase] for block in self.blocks]
        if len(times) == 1:
            return times[0], times[0], times[0]
        first, median, third = statistics.quantiles(times, n=4, method="inclusive")
        return first, median, third


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
            first, median, third = contestant.quartiles(phase)
            name, per = contestant.engine.name, workload.per
            row.seconds[name] = median / per
            row.spread[name] = (first / per, third / per)
    return rows
