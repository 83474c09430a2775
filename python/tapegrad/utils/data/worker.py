"""Processes that load batches."""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import queue
import random
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from multiprocessing.connection import wait
from multiprocessing.reduction import ForkingPickler
from typing import Any, NamedTuple

import numpy as np

import tapegrad

from ..._C import Tensor

__all__ = ["WorkerInfo", "Workers", "get_worker_info"]


@dataclass(frozen=True)
class WorkerInfo:
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


class _Lines(str):
    """A text that shows its lines where its repr is asked for, as a KeyError does."""

    __slots__ = ()
    __repr__ = str.__str__


class _Failure(NamedTuple):
    """An exception on its way from a worker."""

    kind: type[BaseException]
    text: str

    def error(self, worker: int) -> BaseException:
        message = (
            f"Caught {self.kind.__name__} in DataLoader worker process {worker}.\n"
            f"Original {self.text}"
        )
        if issubclass(self.kind, KeyError):
            message = _Lines(message)
        try:
            if getattr(self.kind, "message", None):
                return self.kind(message=message)  # type: ignore[call-arg]
            return self.kind(message)
        except Exception:  # it wants other arguments
            return RuntimeError(message)


class _End(NamedTuple):
    """Says that a worker's stream has ended."""


class _Request(NamedTuple):
    """Asks for a batch of an epoch; `indices` is None where the dataset is a stream."""

    epoch: int
    indices: Any


class _BatchPickler(ForkingPickler):
    """Writes a batch, in which nothing may depend on a graph: that stays in its process."""

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, Tensor) and value.requires_grad and not value.is_leaf:
            raise RuntimeError(
                "Cowardly refusing to serialize non-leaf tensor which requires_grad, since "
                "autograd does not support crossing process boundaries.  If you just want to "
                "transfer the data, call detach() on the tensor before serializing (e.g., putting "
                "it on the queue)."
            )
        return NotImplemented


def _dumps(message: Any) -> memoryview:
    file = io.BytesIO()
    _BatchPickler(file, 5).dump(message)  # 5: without a further copy of arrays
    return file.getbuffer()


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
            tapegrad.set_num_threads(1)
            random.seed(info.seed)
            tapegrad.manual_seed(info.seed)
            np.random.seed(_numpy_seed(info.seed - info.id, info.id))
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
                return self.load(request.indices)
            if request.epoch != self.epoch:
                self.epoch, self.batches = request.epoch, self.load()
            return next(self.batches, _End())
        except Exception as error:
            return _Failure(type(error), traceback.format_exc())

    def send(self, epoch: int, answer: Any) -> None:
        try:
            message = _dumps((epoch, answer))
        except Exception:  # something in it cannot be pickled
            text = answer.text if isinstance(answer, _Failure) else traceback.format_exc()
            message = _dumps((epoch, _Failure(RuntimeError, text)))
        self.connection.send_bytes(message)


def _numpy_seed(base: int, worker: int) -> Any:
    """A seed for NumPy's generator, all of whose bits differ between workers."""
    entropy = [worker, base & 0xFFFFFFFF, base >> 32, 0]
    return np.random.SeedSequence(entropy).generate_state(4)


def _run(theirs: Any, ours: Any, others: list[Any], server: Any, *rest: Any) -> None:
    # A fork copies the main process's ends of the pipes: close them, so that the end of the main
    # process is noticed.
    for connection in [ours, *others] if ours is not None else []:
        connection.close()
    _Server(theirs, *server).run(*rest)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(0)  # skips exit handlers that belong to the main process


# ---------------------------------------------------------------------- in the main process


class Workers:
    """Processes that take turns in loading batches, for one epoch or for several.

    Args:
        load: makes a batch of indices; for a stream, returns an iterator over batches.
        stream: whether the dataset is an iterable without indices.
        dataset: what `get_worker_info` shows.
        count: number of processes.
        prefetch: batches that each of them loads in advance.
        timeout: seconds to wait for a batch; 0 waits for ever.
        init: called in each process with its number.
        seed: the first process's seed; the others have the numbers after it.
        context: of :mod:`multiprocessing`, how they are started. Default: they are forked.
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
        context: Any = None,
    ) -> None:
        if context is None:
            forks = "fork" in multiprocessing.get_all_start_methods()
            context = multiprocessing.get_context("fork" if forks else None)
        forked = context.get_start_method() == "fork"
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
                inherited = (ours, list(self.connections)) if forked else (None, [])
                process = context.Process(
                    target=_run,
                    args=(theirs, *inherited, (load, stream), info, init),
                    daemon=True,
                )
                process.start()
                theirs.close()
                self.connections.append(ours)
                self.processes.append(process)
        except BaseException:
            self.close()
            raise

    def epoch(
        self, batches: Iterable[Any] | None, last: bool, in_order: bool, keeps: Any = None
    ) -> Iterator[Any]:
        """The batches of one epoch.

        Args:
            batches: lists of indices; None for a stream.
            last: end the processes with the epoch.
            in_order: give them in order, not as they are ready.
            keeps: what has to live as long as the iterator, as the processes end with it.
        """
        self.current += 1
        return _Epoch(self, repeat(None) if batches is None else batches, last, in_order, keeps)

    def usable(self) -> bool:
        """Whether all processes still answer, and belong to this one."""
        return os.getpid() == self.owner and not self.broken

    def close(self) -> None:
        """End the processes."""
        if os.getpid() != self.owner:  # in a child that has inherited this object
            return
        connections, self.connections = self.connections, []
        processes, self.processes = self.processes, []
        for connection in connections:
            with contextlib.suppress(OSError):  # it has gone already
                connection.send(None)
                connection.close()
        for process in processes:
            process.join(timeout=0.5)
            if process.is_alive():
                process.terminate()
                process.join()

    def _died(self, worker: int) -> RuntimeError:
        self.broken = True
        process = self.processes[worker]
        return RuntimeError(f"DataLoader worker (pid(s) {process.pid}) exited unexpectedly")

    def send(self, worker: int, request: _Request) -> None:
        try:
            self.connections[worker].send(request)
        except (BrokenPipeError, ConnectionResetError):
            raise self._died(worker) from None

    def receive(self, among: Sequence[int], epoch: int) -> tuple[int, Any]:
        """The next answer of one of several workers."""
        while True:
            if epoch != self.current:
                raise RuntimeError("the DataLoader's workers have begun a new epoch")
            connection = self.connections[among[0]]
            if self.timeout or len(among) > 1:
                ready = wait([self.connections[w] for w in among], self.timeout or None)
                if not ready:
                    self.broken = True
                    raise RuntimeError(f"DataLoader timed out after {self.timeout} seconds")
                connection = ready[0]
            worker = self.connections.index(connection)
            try:
                number, answer = connection.recv()
            except (EOFError, ConnectionResetError):
                raise self._died(worker) from None
            if number == epoch:  # else of an epoch that was left early
                return worker, answer


class _Epoch:
    """An iterator over the batches of one epoch, which goes on after a batch that failed."""

    def __init__(
        self, workers: Workers, batches: Iterable[Any], last: bool, in_order: bool, keeps: Any
    ) -> None:
        self.workers = workers
        self.keeps = keeps
        self.in_order = in_order
        self.number = workers.current
        self.last = last
        self.source = iter(batches)
        self.more = True
        self.waiting: deque[int] = deque()  # the workers that owe a batch, in order
        self.alive = deque(range(len(workers.processes)))

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        try:
            worker, answer = self.next_answer()
        except BaseException:  # also at the end
            self.close()
            raise
        if isinstance(answer, _Failure):
            raise answer.error(worker)
        return answer

    def next_answer(self) -> tuple[int, Any]:
        workers, alive, waiting = self.workers, self.alive, self.waiting
        while True:
            while self.more and alive and len(waiting) < len(workers.processes) * workers.prefetch:
                try:
                    indices = next(self.source)
                except StopIteration:
                    self.more = False
                    break
                worker = alive[0] if self.in_order else min(alive, key=waiting.count)
                workers.send(worker, _Request(self.number, indices))
                waiting.append(worker)
                alive.rotate(-1)
            if not waiting:
                raise StopIteration
            among = [waiting[0]] if self.in_order else list(set(waiting))
            worker, answer = workers.receive(among, self.number)
            waiting.remove(worker)
            if not isinstance(answer, _End):
                return worker, answer
            if worker in alive:
                alive.remove(worker)

    def close(self) -> None:
        self.more = False
        self.waiting.clear()
        if self.last:
            self.workers.close()

    def __del__(self) -> None:
        self.close()
