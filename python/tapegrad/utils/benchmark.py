"""Measuring how long statements take, and tables that compare them.

Example:
    >>> import tapegrad
    >>> from tapegrad.utils.benchmark import Compare, Timer
    >>> x = tapegrad.ones(10)
    >>> timer = Timer("x + 1", globals={"x": x}, label="sums", description="one")
    >>> measurement = timer.timeit(100)
    >>> measurement.number_per_run, 0 < measurement.median < 1
    (100, True)
"""

from __future__ import annotations

import math
import statistics
import timeit
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import tapegrad

__all__ = ["Compare", "Language", "Measurement", "TaskSpec", "Timer", "timer"]

timer = timeit.default_timer
_UNITS = ((1.0, "s", "seconds"), (1e-3, "ms", "milliseconds"), (1e-6, "us", "microseconds"))
_SMALLEST = (1e-9, "ns", "nanoseconds")


def _unit(seconds: float) -> tuple[float, str, str]:
    """The largest unit of which a time has one at least."""
    return next((unit for unit in _UNITS if seconds >= unit[0]), _SMALLEST)


class Language(Enum):
    """What a statement is written in; C++ is refused."""

    PYTHON = 0
    CPP = 1


@dataclass(frozen=True)
class TaskSpec:
    """What is measured: the statement, and the words for it in tables."""

    stmt: str
    setup: str = "pass"
    global_setup: str = ""
    label: str | None = None
    sub_label: str | None = None
    description: str | None = None
    env: str | None = None
    num_threads: int = 1

    @property
    def title(self) -> str:
        """The label, or else the statement."""
        text = self.label or self.stmt
        return f"{text}: {self.sub_label}" if self.sub_label else text


@dataclass
class Measurement:
    """The times of a statement.

    Args:
        number_per_run: how often the statement was executed in each run.
        raw_times: the seconds that each run took.
        task_spec: what was measured.
    """

    number_per_run: int
    raw_times: list[float]
    task_spec: TaskSpec
    metadata: dict[Any, Any] | None = field(default=None)

    @property
    def times(self) -> list[float]:
        """Seconds for one execution, in each run."""
        return [seconds / self.number_per_run for seconds in self.raw_times]

    @property
    def median(self) -> float:
        """The median of `times`."""
        return statistics.median(self.times)

    @property
    def mean(self) -> float:
        """The mean of `times`."""
        return statistics.fmean(self.times)

    @property
    def iqr(self) -> float:
        """The range between the quarters of `times`."""
        low, high = self._quarters()
        return high - low

    @property
    def title(self) -> str:
        """What was measured."""
        return self.task_spec.title

    def _quarters(self) -> tuple[float, float]:
        if len(self.raw_times) < 2:
            return self.median, self.median
        quarters = statistics.quantiles(self.times, n=4, method="inclusive")
        return quarters[0], quarters[2]

    def __repr__(self) -> str:
        scale, short, _ = _unit(self.median)
        runs, number = len(self.raw_times), self.number_per_run
        lines = [f"<{type(self).__module__}.{type(self).__name__}>", self.title]
        if self.task_spec.description:
            lines.append(self.task_spec.description)
        if runs == 1:
            lines.append(f"  {self.median / scale:.2f} {short}")
        else:
            low, high = (edge / scale for edge in self._quarters())
            lines.append(f"  Median: {self.median / scale:.2f} {short}")
            lines.append(f"  IQR:    {high - low:.2f} {short} ({low:.2f} to {high:.2f})")
        threads = self.task_spec.num_threads
        each = " per measurement" * (runs > 1)
        lines.append(
            f"  {runs} measurement{'s' * (runs > 1)}, {number} runs{each}, "
            f"{threads} thread{'s' * (threads > 1)}"
        )
        return "\n".join(lines)


class Timer:
    """Measures a statement, with one thread unless told otherwise.

    Args:
        stmt: the statement, as text.
        setup: what is executed before each run.
        global_setup: for C++ alone.
        timer: gives the time in seconds.
        globals: the names that the statement uses.
        label: what it is called.
        sub_label: the row in a table.
        description: the column in a table.
        env: the group of rows in a table.
        num_threads: of operators while it is measured.
        language: Python.

    Raises:
        ValueError: if the statement is in C++.

    Example:
        >>> from tapegrad.utils.benchmark import Timer
        >>> len(Timer("1 + 1").blocked_autorange(min_run_time=0.001).times) > 0
        True
    """

    def __init__(
        self,
        stmt: str = "pass",
        setup: str = "pass",
        global_setup: str = "",
        timer: Callable[[], float] = timer,
        globals: dict[str, Any] | None = None,
        label: str | None = None,
        sub_label: str | None = None,
        description: str | None = None,
        env: str | None = None,
        num_threads: int = 1,
        language: Language | str = Language.PYTHON,
    ) -> None:
        if global_setup or (language is not Language.PYTHON and language not in ("py", "python")):
            raise ValueError("tapegrad measures statements in Python only.")
        self._timer = timeit.Timer(stmt, setup, timer, globals)
        self._task = TaskSpec(
            stmt, setup, global_setup, label, sub_label, description, env, num_threads
        )

    def _run(self, number: int) -> float:
        before = tapegrad.get_num_threads()
        tapegrad.set_num_threads(self._task.num_threads)
        try:
            return self._timer.timeit(number)
        finally:
            tapegrad.set_num_threads(before)

    def timeit(self, number: int = 1_000_000) -> Measurement:
        """Execute the statement so many times in one run."""
        self._run(max(number // 100, 2))  # what is done the first time is not measured
        return Measurement(number, [self._run(number)], self._task)

    def blocked_autorange(
        self, callback: Callable[[int, float], Any] | None = None, min_run_time: float = 0.2
    ) -> Measurement:
        """Execute the statement in runs that are long enough to be measured.

        Args:
            callback: called after each run with the executions and the seconds it took.
            min_run_time: how many seconds all runs take at least.
        """
        number = 1
        while (seconds := self._run(number)) < min_run_time / 1000 and number < 10**8:
            number *= 10 if seconds * 10 < min_run_time / 1000 else 2
        times: list[float] = []
        while sum(times) < min_run_time:
            times.append(self._run(number))
            if callback is not None:
                callback(number, times[-1])
        return Measurement(number, times, self._task)

    def adaptive_autorange(
        self,
        threshold: float = 0.1,
        *,
        min_run_time: float = 0.01,
        max_run_time: float = 10.0,
        callback: Callable[[int, float], Any] | None = None,
    ) -> Measurement:
        """As `blocked_autorange`, until the quarters are near each other.

        Args:
            threshold: how far they may be from each other, as a part of the median.
            min_run_time: how many seconds all runs take at least.
            max_run_time: how many they take at most: all are measured again, twice as long.
            callback: called after each run with the executions and the seconds it took.
        """
        result = self.blocked_autorange(callback, min_run_time)
        while (len(result.times) < 4 or result.iqr > threshold * result.median) and (
            min_run_time < max_run_time
        ):
            min_run_time = min(2 * min_run_time, max_run_time)
            result = self.blocked_autorange(callback, min_run_time)
        return result


class Compare:
    """A table of measurements: a row for each sub-label, a column for each description.

    Example:
        >>> from tapegrad.utils.benchmark import Compare, Measurement, TaskSpec
        >>> tasks = [TaskSpec("f()", label="f", sub_label="n=1", description=d) for d in "ab"]
        >>> results = [Measurement(1, [t], task) for t, task in zip([1e-3, 2e-3], tasks)]
        >>> print(Compare(results))
        [-------- f ---------]
                  a   |   b
        1 threads: ----------
          n=1 |  1.0  |  2.0
        <BLANKLINE>
        Times are in milliseconds (ms).
        <BLANKLINE>
    """

    def __init__(self, results: Iterable[Measurement]) -> None:
        self._results = list(results)
        self._digits: int | None = None

    def extend_results(self, results: Iterable[Measurement]) -> None:
        """Add measurements."""
        self._results.extend(results)

    def trim_significant_figures(self) -> None:
        """Show three digits of each time."""
        self._digits = 3

    def colorize(self, rowwise: bool = False) -> None:
        """Does nothing: tables have no colours."""

    def highlight_warnings(self) -> None:
        """Does nothing: all measurements are shown alike."""

    def print(self) -> None:
        """Print the table."""
        print(str(self))

    def __str__(self) -> str:
        labels = dict.fromkeys(result.task_spec.label for result in self._results)
        return "\n".join(self._table(label) for label in labels)

    def _table(self, label: str | None) -> str:
        results = [result for result in self._results if result.task_spec.label == label]
        scale, short, long = _unit(min(result.median for result in results))
        columns = list(dict.fromkeys(str(r.task_spec.description or "") for r in results))
        rows: dict[int, dict[str, dict[str, str]]] = {}
        for result in results:
            task = result.task_spec
            name = task.sub_label or task.stmt
            row = rows.setdefault(task.num_threads, {}).setdefault(name, {})
            row[str(task.description or "")] = self._text(result.median / scale)
        first = max(len(name) for group in rows.values() for name in group) + 2
        cells = [text for group in rows.values() for row in group.values() for text in row.values()]
        width = max(map(len, [*columns, *cells])) + 4
        line = "|".join(f"{column:^{width}}" for column in columns)
        total = first + 2 + len(line)
        title = f" {label or ''} "
        lines = [f"[{title:-^{total - 2}}]", " " * (first + 2) + line.rstrip()]
        for threads, group in rows.items():
            lines.append(f"{threads} threads: ".ljust(total - 1, "-"))
            for name, row in group.items():
                texts = "|".join(f"{row.get(column, ''):^{width}}" for column in columns)
                lines.append(f"  {name}".ljust(first) + " |" + texts.rstrip())
        return "\n".join([*lines, "", f"Times are in {long} ({short}).", ""])

    def _text(self, value: float) -> str:
        if self._digits is None:
            return f"{value:.1f}"
        places = self._digits - 1 - math.floor(math.log10(value)) if value > 0 else 0
        return f"{round(value, places):.{max(places, 0)}f}"
