"""Processes that load batches."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import queue
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import repeat
from multiprocessing.connection import wait
from typing import Any, NamedTuple

import numpy as np

import tapegrad

from ..._C import Tensor

__all__ = ["WorkerInfo", "Workers", "get_worker_info"]


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


# ---------------------------------------------------------------------- messages


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


class _End(NamedTuple):
    """Says that a worker's stream has ended."""


class _Request(NamedTuple):
    """Asks for a batch of an epoch; `indices` is None where the dataset is a stream."""

    epoch: int
    indices: Any


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


# ---------------------------------------------------------------------- in the worker


class _Server:
    """What a worker does: answers requests until it is told to stop."""

    def __init__(self, connection: Any, load: Callable[..., Any], stream: bool) -> None:
        self.connection = connection
        self.load = load
        self.stream = stream
        self.epoch = -1
        self.batches: Iterator[Any] = iter(())
        self.requests: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()

    def run(self, info: WorkerInfo, init: Callable[[int], None] | None) -> None:
        global _info
        _info = info
        # Requests are taken off the pipe at once: a main process that waits for room in it would
        # not take the batch that this process waits to send.
        threading.Thread(target=self.receive, daemon=True).start()
        failure = None
        try:
            tapegrad.manual_seed(info.seed)
            np.random.seed(info.seed % 2**32)
            if init is not None:
                init(info.id)
        except Exception as error:
            failure = _Failure(type(error), traceback.format_exc())
        try:
            while (request := self.requests.get()) is not None:
                self.send(request.epoch, failure or self.answer(request))
        except (BrokenPipeError, ConnectionResetError, KeyboardInterrupt):
            return  # the main process has gone or stopped listening

    def receive(self) -> None:
        with contextlib.suppress(EOFError, OSError):
            while (request := self.connection.recv()) is not None:
                self.requests.put(request)
        self.requests.put(None)

    def answer(self, request: _Request) -> Any:
        try:
            if not self.stream:
                batch = self.load(request.indices)
            else:
                if request.epoch != self.epoch:
                    self.epoch, self.batches = request.epoch, self.load()
                batch = next(self.batches, _End())
            return _map(batch, Tensor, lambda t: _Array(t.detach().numpy()))
        except Exception as error:
            return _Failure(type(error), traceback.format_exc())

    def send(self, epoch: int, answer: Any) -> None:
        try:
            self.connection.send((epoch, answer))
        except OSError:
            raise
        except Exception:  # something that cannot be pickled; nothing of it has been sent
            text = answer.text if isinstance(answer, _Failure) else traceback.format_exc()
            self.connection.send((epoch, _Failure(RuntimeError, text)))


def _run(theirs: Any, ours: Any, others: list[Any], server: Any, *rest: Any) -> None:
    # The fork copied the main process's ends of the pipes: close them, so that the end of the
    # main process is noticed.
    ours.close()
    for connection in others:
        connection.close()
    _Server(theirs, *server).run(*rest)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(0)  # skips exit handlers that belong to the main process


# ---------------------------------------------------------------------- in the main process


class Workers:
    """Forked processes that take turns in loading batches, for one epoch or for several.

    Args:
        load: makes a batch of indices; for a stream, returns an iterator over batches.
        stream: whether the dataset is an iterable without indices.
        dataset: what `get_worker_info` shows.
        count: number of processes.
        prefetch: batches that each of them loads in advance.
        timeout: seconds to wait for a batch; 0 waits for ever.
        init: called in each process with its number.
        seed: the first process's seed; the others have the numbers after it.
    """

    def __init__(
        self,
        load: Callable[..., Any],
        stream: bool,
        dataset: Any,
        count: int,
        prefetch: int,
        timeout: float,
        init: Callable[[int], None] | None,
        seed: int,
    ) -> None:
        if "fork" not in multiprocessing.get_all_start_methods():
            raise RuntimeError(
                "num_workers > 0 needs the fork start method, which this system does not have; "
                "use num_workers=0"
            )
        context = multiprocessing.get_context("fork")
        self.prefetch = prefetch
        self.timeout = timeout
        self.current = 0  # number of the epoch
        self.broken = False  # one of them has died or is too slow
        self.owner = os.getpid()
        self.connections: list[Any] = []
        self.processes: list[Any] = []
        try:
            for worker in range(count):
                ours, theirs = context.Pipe()
                info = WorkerInfo(worker, count, seed + worker, dataset)
                others = list(self.connections)
                process = context.Process(
                    target=_run,
                    args=(theirs, ours, others, (load, stream), info, init),
                    daemon=True,
                )
                process.start()
                theirs.close()
                self.connections.append(ours)
                self.processes.append(process)
        except BaseException:
            self.close()
            raise

    def epoch(self, batches: Iterable[Any] | None) -> Iterator[Any]:
        """The batches of one epoch, in order; `batches` are lists of indices, None for a stream."""
        self.current += 1
        return self._epoch(self.current, repeat(None) if batches is None else batches)

    def _epoch(self, epoch: int, batches: Iterable[Any]) -> Iterator[Any]:
        waiting: deque[int] = deque()  # the workers that owe a batch, in order
        alive = deque(range(len(self.processes)))
        source = iter(batches)
        more = True
        while True:
            while more and alive and len(waiting) < len(self.processes) * self.prefetch:
                try:
                    indices = next(source)
                except StopIteration:
                    more = False
                    break
                self._send(alive[0], _Request(epoch, indices))
                waiting.append(alive[0])
                alive.rotate(-1)
            if not waiting:
                return
            worker = waiting.popleft()
            answer = self._receive(worker, epoch)
            if isinstance(answer, _End):
                if worker in alive:
                    alive.remove(worker)
                continue
            yield _map(answer, _Array, lambda array: tapegrad.from_numpy(array.values))

    def usable(self) -> bool:
        """Whether all processes still answer, and belong to this one."""
        return os.getpid() == self.owner and not self.broken

    def close(self) -> None:
        """End the processes."""
        if os.getpid() != self.owner:  # in a child that has inherited this object
            return
        for connection in self.connections:
            with contextlib.suppress(OSError):  # it has gone already
                connection.send(None)
            connection.close()
        for process in self.processes:
            process.join(timeout=0.5)
            if process.is_alive():
                process.terminate()
                process.join()
        self.connections.clear()
        self.processes.clear()

    def _died(self, worker: int) -> RuntimeError:
        self.broken = True
        process = self.processes[worker]
        return RuntimeError(f"DataLoader worker (pid(s) {process.pid}) exited unexpectedly")

    def _send(self, worker: int, request: _Request) -> None:
        try:
            self.connections[worker].send(request)
        except (BrokenPipeError, ConnectionResetError):
            raise self._died(worker) from None

    def _receive(self, worker: int, epoch: int) -> Any:
        while True:
            if epoch != self.current:
                raise RuntimeError("the DataLoader's workers have begun a new epoch")
            connection = self.connections[worker]
            if self.timeout and not wait([connection], self.timeout):
                self.broken = True
                raise RuntimeError(f"DataLoader timed out after {self.timeout} seconds")
            try:
                number, answer = connection.recv()
            except (EOFError, ConnectionResetError):
                raise self._died(worker) from None
            if number == epoch:  # else of an epoch that was left early
                break
        if isinstance(answer, _Failure):
            answer.reraise(worker)
        return answer
