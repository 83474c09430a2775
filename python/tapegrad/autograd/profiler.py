"""Where the time goes: by operator, by line and by module, forward and backward apart.

Nothing is slower while no profile is running.

Example:
    >>> import tapegrad
    >>> from tapegrad.autograd.profiler import profile, record_function
    >>> x = tapegrad.ones(2, requires_grad=True)
    >>> with profile() as prof:
    ...     with record_function("forward"):
    ...         y = x.exp().sum()
    ...     y.backward()
    >>> for event in prof.key_averages():
    ...     print(event.kind, event.key, event.count)
    operator aten::exp 1
    operator aten::sum 1
    block forward 1
    backward SumBackward0 1
    backward ExpBackward0 1
    backward AccumulateGrad 1
"""

from __future__ import annotations

import json
import os
import threading
from time import perf_counter_ns
from types import TracebackType
from typing import Any

from .. import _C
from .._C import Node, Tensor
from .._indexing import INDEXING
from .._ops import _run, aten_name
from ..utils._python_dispatch import _dispatch, _modes
from ._nodes import Place, calling_places, is_leaf, module_of, place_of, plain_name
from ._profile_tables import (
    EventList,
    FunctionEvent,
    LineTime,
    times_by_line,
    times_by_module,
    times_table,
)
from .grad_mode import _DecoratorContextManager

__all__ = [
    "EventList",
    "FunctionEvent",
    "LineTime",
    "emit_itt",
    "emit_nvtx",
    "profile",
    "record_function",
]

# Those that are running, the innermost one last.
_running: list[profile] = []

_INDEXING_NAMES = {"__getitem__": "index", "__setitem__": "index_put_"}


class _Watch(threading.local):
    """Times the operators that a thread calls and the nodes that its backward passes run.

    It is a mode, as those of `utils._python_dispatch`.
    """

    sees_indices = True

    def __init__(self) -> None:
        self.profiles: list[profile] = []
        # Of nodes made meanwhile, by their numbers: the lines that led there.
        self.places: dict[int, tuple[Place, ...]] = {}

    def add(self, prof: profile) -> None:
        self.profiles.append(prof)
        if len(self.profiles) > 1:
            return
        _C._begin_watching(_dispatch)
        _modes.stack.append(self)
        _C._set_dispatching(True)
        _C._time_nodes(self._ran)

    def remove(self, prof: profile) -> None:
        self.profiles.remove(prof)
        if self.profiles:
            return
        _C._time_nodes(None)
        _modes.stack.remove(self)
        _C._set_dispatching(bool(_modes.stack))
        _C._end_watching()
        self.places.clear()

    def _intercept(self, operator: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        stack = _modes.stack
        stack.remove(self)
        _C._set_dispatching(bool(stack))
        try:
            start = perf_counter_ns()
            if operator in INDEXING:
                result = INDEXING[operator](*args)
            else:
                result = _run(operator, args, kwargs)
            end = perf_counter_ns()
        finally:
            stack.append(self)
            _C._set_dispatching(True)
        places, module = calling_places(), ""
        node = _node_of(args[0] if operator == "__setitem__" else result)
        if node is not None:
            self.places[node._sequence_nr()] = places
            module = module_of(node)
        key = "aten::" + (_INDEXING_NAMES.get(operator) or aten_name(operator, args))
        self._add(FunctionEvent(key, start, end, "operator", places, module))
        return result

    def _ran(self, node: Node, start: int, end: int) -> None:
        places, module = self.places.get(node._sequence_nr(), ()), ""
        if not is_leaf(node):  # which is of no line: many may use it
            module = module_of(node)
            if not places and (place := place_of(node)) is not None:
                places = (place,)
        self._add(FunctionEvent(plain_name(node), start, end, "backward", places, module))

    def _add(self, event: FunctionEvent) -> None:
        for prof in self.profiles:
            prof._events.append(event)


_watch = _Watch()


def _node_of(result: Any) -> Node | None:
    if isinstance(result, (tuple, list)) and result:
        result = result[0]
    return result.grad_fn if isinstance(result, Tensor) else None


class profile:
    """A context manager that keeps the times of operators, nodes and `record_function` blocks.

    It sees the operators that the thread calls from Python, and what its backward passes run. While
    it is there, element-wise nodes run one by one, not block by block.

    Args:
        enabled: False does nothing. Default: True.
        args, kwargs: what PyTorch's takes; ignored.

    Printed, it is three tables: by operator, by line and by module.
    """

    def __init__(self, enabled: bool = True, *args: Any, **kwargs: Any) -> None:
        self.enabled = enabled
        self._events = EventList()

    def __enter__(self) -> Any:
        if self.enabled:
            _running.append(self)
            _watch.add(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self in _running:
            _running.remove(self)
            _watch.remove(self)
            self._events.find_self_times()

    def events(self) -> EventList:
        """All events, in the order in which they ended."""
        return self._events

    @property
    def function_events(self) -> EventList:
        """All events, in the order in which they ended."""
        return self._events

    def key_averages(self, *args: Any, **kwargs: Any) -> EventList:
        """One event for each name, with the sum of the times."""
        return self._events.sums()

    def by_line(self) -> list[LineTime]:
        """The times of the program's lines; the backward of a line is charged to that line."""
        return times_by_line(self._events)

    def by_module(self) -> list[LineTime]:
        """The times of modules."""
        return times_by_module(self._events)

    def total_average(self) -> FunctionEvent:
        """One event with the sum of all times."""
        total = FunctionEvent("Total", 0, 0)
        total.count = len(self._events)
        total.cpu_time_total = sum(event.self_cpu_time_total for event in self._events)
        total.self_cpu_time_total = total.cpu_time_total
        return total

    @property
    def self_cpu_time_total(self) -> float:
        """The sum of all times, in microseconds."""
        return self.total_average().self_cpu_time_total

    def table(self, *args: Any, **kwargs: Any) -> str:
        """The times by name, as a text."""
        return self.key_averages().table(*args, **kwargs)

    def export_chrome_trace(self, path: str) -> None:
        """Write a file for the trace viewers of browsers.

        Args:
            path: of the file.
        """
        categories = {"operator": "cpu_op", "backward": "backward", "block": "user_annotation"}
        events = []
        for event in self._events:
            args = {"line": str(event.places[0])} if event.places else {}
            if event.module:
                args["module"] = event.module
            events.append(
                {
                    **{"ph": "X", "pid": os.getpid(), "tid": event.thread},
                    **{"name": event.key, "cat": categories[event.kind], "args": args},
                    **{"ts": event.start / 1000, "dur": event.cpu_time_total},
                }
            )
        with open(path, "w") as file:
            json.dump({"displayTimeUnit": "ms", "traceEvents": events}, file)

    def __str__(self) -> str:
        tables = [self.table(sort_by="self_cpu_time_total", row_limit=15)]
        for title, rows in (("line", self.by_line()), ("module", self.by_module())):
            if rows:
                tables.append(times_table(title, rows, limit=15))
        return "\n\n".join(tables)


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
        end = perf_counter_ns() if _running else 0
        for running in _running:
            running._events.append(FunctionEvent(self.name, self._start, end))

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
