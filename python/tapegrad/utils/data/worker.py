"""Processes that load batches."""

from __future__ import annotations

import multiprocessing
import os
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from multiprocessing.connection import wait
from typing import Any, NamedTuple

import numpy as np

import tapegrad

from ..._C import Tensor

__all__ = ["WorkerInfo", "get_worker_info", "load_in_workers"]


class WorkerInfo(NamedTuple):
    """What a worker process knows about itself."""

    id: int
    num_workers: int
    seed: int
    dataset: Any


_info: WorkerInfo | None = None


def get_worker_info() -> WorkerInfo | None:
    """In a worker process: its `id`, `num_workers`, `seed` and `dataset`; else None.

    Example:
        >>> from tapegrad.utils.data import get_worker_info
        >>> get_worker_info() is None
        True
    """
    return _info


class _Array(NamedTuple):
    """A tensor on its way from a worker."""

    values: np.ndarray


class _Failure(NamedTuple):
    """An exception on its way from a worker."""

    kind: type[BaseException]
    text: str

    def reraise(self, worker: int) -> None:
        message = f"Caught {self.kind.__name__} in DataLoader worker process {worker}.\n{self.text}"
        try:
            error = self.kind(message)
        except Exception:
            error = RuntimeError(message)
        raise error


def _map(value: Any, kind: type, change: Callable[[Any], Any]) -> Any:
    """Changes all values of a type inside nested lists, tuples and dicts."""
    if isinstance(value, kind):
        return change(value)
    if isinstance(value, dict):
        return {key: _map(entry, kind, change) for key, entry in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*[_map(entry, kind, change) for entry in value])
    if isinstance(value, (list, tuple)):
        return type(value)(_map(entry, kind, change) for entry in value)
    return value


def _serve(
    connection: Any,
    fetch: Callable[[Any], Any],
    info: WorkerInfo,
    init: Callable[[int], None] | None,
) -> None:
    """What a worker does: answers lists of indices by batches until it is told to stop."""
    global _info
    _info = info
    failure = None
    try:
        tapegrad.manual_seed(info.seed)
        np.random.seed(info.seed % 2**32)
        if init is not None:
            init(info.id)
    except Exception as error:
        failure = _Failure(type(error), traceback.format_exc())
    try:
        while True:
            indices = connection.recv()
            if indices is None:
                return
            answer: Any = failure
            if failure is None:
                try:
                    answer = _map(fetch(indices), Tensor, lambda t: _Array(t.detach().numpy()))
                except Exception as error:
                    answer = _Failure(type(error), traceback.format_exc())
            connection.send(answer)
    except (EOFError, BrokenPipeError, KeyboardInterrupt):
        return  # the main process has gone or stopped listening
    finally:
        connection.close()


def load_in_workers(
    batches: Iterator[Any],
    fetch: Callable[[Any], Any],
    dataset: Any,
    num_workers: int,
    prefetch: int,
    timeout: float,
    init: Callable[[int], None] | None,
    seed: int,
) -> Iterator[Any]:
    """Batches, in order, fetched by forked processes that take turns."""
    if "fork" not in multiprocessing.get_all_start_methods():
        raise RuntimeError(
            "num_workers > 0 needs the fork start method, which this system does not have; "
            "use num_workers=0"
        )
    context = multiprocessing.get_context("fork")
    connections: list[Any] = []
    processes: list[Any] = []
    try:
        for worker in range(num_workers):
            ours, theirs = context.Pipe()
            info = WorkerInfo(worker, num_workers, seed + worker, dataset)
            process = context.Process(
                target=_run, args=(theirs, ours, list(connections), fetch, info, init), daemon=True
            )
            process.start()
            theirs.close()
            connections.append(ours)
            processes.append(process)
        waiting: deque[int] = deque()
        for turn, indices in enumerate(batches):
            worker = turn % num_workers
            if len(waiting) >= num_workers * prefetch:
                yield _receive(waiting.popleft(), connections, processes, timeout)
            _send(worker, indices, connections, processes)
            waiting.append(worker)
        while waiting:
            yield _receive(waiting.popleft(), connections, processes, timeout)
    finally:
        for connection in connections:
            connection.close()
        for process in processes:
            process.join(timeout=0.5)
            if process.is_alive():
                process.terminate()
                process.join()


def _run(theirs: Any, ours: Any, others: list[Any], *rest: Any) -> None:
    # The fork copied the main process's ends of the pipes: close them, so that the end of the
    # main process is noticed.
    ours.close()
    for connection in others:
        connection.close()
    _serve(theirs, *rest)
    os._exit(0)  # skips exit handlers that belong to the main process


def _died(worker: int, processes: list[Any]) -> RuntimeError:
    return RuntimeError(f"DataLoader worker (pid(s) {processes[worker].pid}) exited unexpectedly")


def _send(worker: int, indices: Any, connections: list[Any], processes: list[Any]) -> None:
    try:
        connections[worker].send(indices)
    except (BrokenPipeError, ConnectionResetError):
        raise _died(worker, processes) from None


def _receive(worker: int, connections: list[Any], processes: list[Any], timeout: float) -> Any:
    connection = connections[worker]
    if timeout and not wait([connection], timeout):
        raise RuntimeError(f"DataLoader timed out after {timeout} seconds")
    try:
        answer = connection.recv()
    except (EOFError, ConnectionResetError):
        raise _died(worker, processes) from None
    if isinstance(answer, _Failure):
        answer.reraise(worker)
    return _map(answer, _Array, lambda array: tapegrad.from_numpy(array.values))
