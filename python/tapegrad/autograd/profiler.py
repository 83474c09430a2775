"""Times of blocks that a program has named; operators are not observed.

Example:
    >>> import tapegrad
    >>> from tapegrad.autograd.profiler import profile, record_function
    >>> with profile() as prof:
    ...     with record_function("forward"):
    ...         y = tapegrad.ones(2).exp()
    >>> [(event.key, event.count) for event in prof.key_averages()]
    [('forward', 1)]
"""

from __future__ import annotations

import json
from time import perf_counter_ns
from types import TracebackType
from typing import Any

from .grad_mode import _DecoratorContextManager

__all__ = ["EventList", "FunctionEvent", "emit_itt", "emit_nvtx", "profile", "record_function"]

# Those that are running, the innermost one last.
_running: list[profile] = []


class FunctionEvent:
    """A named block, or all blocks of a name: ``key``, ``count`` and ``cpu_time_total`` (us)."""

    def __init__(self, key: str, start: int, end: int) -> None:
        self.key = self.name = key
        self.count = 1
        self.start = start
        self.cpu_time_total = (end - start) / 1000

    @property
    def cpu_time(self) -> float:
        """The mean time in microseconds."""
        return self.cpu_time_total / self.count

    def __repr__(self) -> str:
        return (
            f"<FunctionEvent key={self.key} count={self.count} "
            f"cpu_time_total={self.cpu_time_total:.1f}us>"
        )


class EventList(list[FunctionEvent]):
    """Events in the order in which they ended."""

    def table(
        self,
        sort_by: str | None = None,
        row_limit: int = 100,
        *args: Any,
        **kwargs: Any,
    ) -> str:
        """The events as a text.

        Args:
            sort_by: ``"count"``; anything else sorts by time. Default: None, not sorted.
            row_limit: how many are shown; -1 for all. Default: 100.
        """
        events = list(self)
        if sort_by is not None:
            name = "count" if sort_by == "count" else "cpu_time_total"
            events.sort(key=lambda event: getattr(event, name), reverse=True)
        shown = events if row_limit < 0 else events[:row_limit]
        width = max([len(event.key) for event in shown], default=0)
        width = max(width, len("Name"))
        lines = [f"{'Name':{width}}  {'Total us':>12}  {'Mean us':>12}  {'Calls':>8}"]
        lines += [
            f"{event.key:{width}}  {event.cpu_time_total:12.1f}  {event.cpu_time:12.1f}  "
            f"{event.count:8}"
            for event in shown
        ]
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.table()


class profile:
    """A context manager that keeps the times of `record_function`.

    Args:
        enabled: False does nothing. Default: True.
        args, kwargs: what PyTorch's takes; ignored.
    """

    def __init__(self, enabled: bool = True, *args: Any, **kwargs: Any) -> None:
        self.enabled = enabled
        self._events = EventList()

    def __enter__(self) -> Any:
        if self.enabled:
            _running.append(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self in _running:
            _running.remove(self)

    def events(self) -> EventList:
        """All blocks, in the order in which they ended."""
        return self._events

    @property
    def function_events(self) -> EventList:
        """All blocks, in the order in which they ended."""
        return self._events

    def key_averages(self, *args: Any, **kwargs: Any) -> EventList:
        """One event for each name, with the sum of the times."""
        sums: dict[str, FunctionEvent] = {}
        for event in self._events:
            if event.key not in sums:
                sums[event.key] = FunctionEvent(event.key, 0, 0)
                sums[event.key].count = 0
            sums[event.key].count += 1
            sums[event.key].cpu_time_total += event.cpu_time_total
        return EventList(sums.values())

    def total_average(self) -> FunctionEvent:
        """One event with the sum of all times."""
        total = FunctionEvent("Total", 0, 0)
        total.count = len(self._events)
        total.cpu_time_total = sum(event.cpu_time_total for event in self._events)
        return total

    def table(self, *args: Any, **kwargs: Any) -> str:
        """The times by name, as a text."""
        return self.key_averages().table(*args, **kwargs)

    def export_chrome_trace(self, path: str) -> None:
        """Write a file for the trace viewers of browsers.

        Args:
            path: of the file.
        """
        events = [
            {
                **{"ph": "X", "pid": 0, "tid": 0, "name": event.key},
                **{"ts": event.start / 1000, "dur": event.cpu_time_total},
            }
            for event in self._events
        ]
        with open(path, "w") as file:
            json.dump({"traceEvents": events}, file)

    def __str__(self) -> str:
        return self.table()


class record_function(_DecoratorContextManager):
    """Name a block, whose time a `profile` around it keeps; a decorator, too.

    Args:
        name: the name.
        args: ignored. Default: None.

    Example:
        >>> import tapegrad
        >>> with tapegrad.profiler.record_function("step"):
        ...     y = tapegrad.ones(2).exp()
    """

    def __init__(self, name: str, args: str | None = None) -> None:
        self.name = name
        self._start = 0

    def __enter__(self) -> Any:
        self._start = perf_counter_ns()
        return self

    def __exit__(self, exc_type: Any, exc_value: Any, traceback: Any) -> None:
        if _running:
            event = FunctionEvent(self.name, self._start, perf_counter_ns())
            for running in _running:
                running._events.append(event)

    def clone(self) -> record_function:
        """Return one with the same name."""
        return record_function(self.name)


class emit_nvtx:
    """A context manager that does nothing: marks for a GPU's profiler."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *exc_info: object) -> None:
        pass


class emit_itt(emit_nvtx):
    """A context manager that does nothing: marks for Intel's profiler."""
