"""The events of a profile, and tables of them: by name, by line and by module."""

from __future__ import annotations

import linecache
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from ._costs import table
from ._nodes import Place

__all__ = ["EventList", "FunctionEvent", "LineTime", "times_by_line", "times_by_module"]


class FunctionEvent:
    """Something that took time, or all that has the same name.

    Attributes:
        key, name: an operator as ``"aten::exp"``, a node as ``"ExpBackward0"``, or the name of a
            `record_function` block.
        kind: ``"operator"``, ``"backward"`` or ``"block"``.
        count: how many there are.
        start, end: in nanoseconds of `time.perf_counter_ns`.
        cpu_time_total, self_cpu_time_total: in microseconds, with what ran inside, and without.
        places: the lines of the program that led there, from the innermost on.
        module: the path of the module that was running, or empty.
        thread: the thread's number.
        in_backward: whether it ran in a backward pass.
    """

    def __init__(
        self,
        key: str,
        start: int,
        end: int,
        kind: str = "block",
        places: Sequence[Place] = (),
        module: str = "",
    ) -> None:
        self.key = self.name = key
        self.kind = kind
        self.count = 1
        self.start = start
        self.end = end
        self.cpu_time_total = self.self_cpu_time_total = (end - start) / 1000
        self.places = tuple(places)
        self.module = module
        self.thread = threading.get_ident()
        self.in_backward = kind == "backward"

    @property
    def cpu_time(self) -> float:
        """The mean time in microseconds."""
        return self.cpu_time_total / self.count

    def __repr__(self) -> str:
        return (
            f"<FunctionEvent key={self.key} count={self.count} "
            f"cpu_time_total={self.cpu_time_total:.1f}us "
            f"self_cpu_time_total={self.self_cpu_time_total:.1f}us>"
        )


class EventList(list[FunctionEvent]):
    """Events in the order in which they ended."""

    def find_self_times(self) -> None:
        """Takes from each event the time of those inside of it."""
        open_events: dict[int, list[FunctionEvent]] = {}
        for event in sorted(self, key=lambda event: (event.start, -event.end)):
            event.self_cpu_time_total = event.cpu_time_total
            around = open_events.setdefault(event.thread, [])
            while around and around[-1].end < event.end:
                around.pop()
            if around:
                around[-1].self_cpu_time_total -= event.cpu_time_total
                event.in_backward = event.kind == "backward" or around[-1].in_backward
            around.append(event)

    def sums(self) -> EventList:
        """One event for each name."""
        sums: dict[str, FunctionEvent] = {}
        for event in self:
            if event.key not in sums:
                sums[event.key] = FunctionEvent(event.key, 0, 0, event.kind)
                sums[event.key].count = 0
            one = sums[event.key]
            one.count += event.count
            one.cpu_time_total += event.cpu_time_total
            one.self_cpu_time_total += event.self_cpu_time_total
        return EventList(sums.values())

    def table(
        self, sort_by: str | None = None, row_limit: int = 100, *args: Any, **kwargs: Any
    ) -> str:
        """The events as a text.

        Args:
            sort_by: ``"count"``, ``"cpu_time"``, ``"cpu_time_total"`` or
                ``"self_cpu_time_total"``. Default: None, not sorted.
            row_limit: how many are shown; -1 for all. Default: 100.
            args, kwargs: what else PyTorch's takes; ignored.
        """
        events = list(self)
        if sort_by is not None:
            name = sort_by if hasattr(FunctionEvent("", 0, 0), sort_by) else "cpu_time_total"
            events.sort(key=lambda event: getattr(event, name), reverse=True)
        whole = sum(event.self_cpu_time_total for event in self) or 1.0
        rows: list[tuple[str, ...]] = [
            ("Name", "Self CPU %", "Self CPU", "CPU total", "CPU time avg", "# of Calls")
        ]
        rows += [
            (
                event.key,
                f"{100 * event.self_cpu_time_total / whole:.1f} %",
                microseconds(event.self_cpu_time_total),
                microseconds(event.cpu_time_total),
                microseconds(event.cpu_time),
                str(event.count),
            )
            for event in (events if row_limit < 0 else events[:row_limit])
        ]
        return f"{table(rows, right=range(1, 6))}\nSelf CPU time total: {microseconds(whole)}"

    def __str__(self) -> str:
        return self.table()


def microseconds(time: float) -> str:
    """A time as ``"1.250 ms"``."""
    for unit, size in (("s", 1e6), ("ms", 1e3)):
        if time >= size:
            return f"{time / size:.3f} {unit}"
    return f"{time:.3f} us"


class LineTime(NamedTuple):
    """The time of a line or of a module, in microseconds.

    Attributes:
        key: ``"file:line"``, or the path of the module.
        calls: of operators that stand there.
        forward, backward: of these operators, and of the nodes that they have recorded.
        forward_total, backward_total: with what was called from there.
        text: the line's source.
    """

    key: str
    calls: int
    forward: float
    backward: float
    forward_total: float
    backward_total: float
    text: str = ""

    @property
    def total(self) -> float:
        """Forward and backward, with what was called from there."""
        return self.forward_total + self.backward_total


def _sums(
    events: Iterable[FunctionEvent], keys: Callable[[FunctionEvent], Iterable[str]]
) -> list[LineTime]:
    """keys(event): where it stands, and what called that; each once."""
    sums: dict[str, list[float]] = {}
    for event in events:
        if event.kind == "block":
            continue
        side = 1 if event.in_backward else 0
        for i, key in enumerate(dict.fromkeys(keys(event))):
            row = sums.setdefault(key, [0, 0, 0, 0, 0])
            row[3 + side] += event.self_cpu_time_total
            if i == 0:
                row[0] += event.kind == "operator"
                row[1 + side] += event.self_cpu_time_total
    rows = [LineTime(key, int(n), *times) for key, (n, *times) in sums.items()]  # type: ignore[arg-type]
    return sorted(rows, key=lambda row: -(row.forward + row.backward))


def times_by_line(events: Iterable[FunctionEvent]) -> list[LineTime]:
    """A row for each line of the program; ``"?"`` has what belongs to none, as leaves do."""
    texts = {str(p): linecache.getline(p.file, p.line).strip() for e in events for p in e.places}
    rows = _sums(events, lambda event: [str(place) for place in event.places] or ["?"])
    return [row._replace(text=texts.get(row.key, "")) for row in rows]


def times_by_module(events: Iterable[FunctionEvent]) -> list[LineTime]:
    """A row for each module, with the modules in it in its totals."""

    def paths(event: FunctionEvent) -> list[str]:
        parts = event.module.split(".")
        return [".".join(parts[:end]) for end in range(len(parts), 0, -1)] if event.module else []

    return _sums(events, paths)


def times_table(title: str, rows: Sequence[LineTime], limit: int) -> str:
    """Rows as a text."""
    head = (title, "calls", "forward", "backward", "forward total", "backward total", "")
    lines: list[tuple[str, ...]] = [head]
    for row in rows[:limit]:
        times = (row.forward, row.backward, row.forward_total, row.backward_total)
        lines.append(
            (
                _short_path(row.key),
                str(row.calls),
                *map(microseconds, times),
                row.text[:60],
            )
        )
    return table(lines, right=range(1, 6))


def _short_path(key: str) -> str:
    """A file's path from here, where that is shorter."""
    path, colon, line = key.rpartition(":")
    if not colon or not os.path.isabs(path):
        return key
    relative = os.path.relpath(path)
    return f"{min(path, relative, key=len)}:{line}"
