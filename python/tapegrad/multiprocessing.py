"""Python's ``multiprocessing``, and `spawn`.

Tensors in shared memory (``Tensor.share_memory_``, ``Module.share_memory``) go to other processes
as they are, as arguments and through queues; others as copies.

Example:
    >>> import tapegrad
    >>> queue = tapegrad.multiprocessing.SimpleQueue()
    >>> queue.put(tapegrad.ones(2))
    >>> queue.get()
    tensor([1., 1.])
"""

from __future__ import annotations

import multiprocessing
import traceback
from collections.abc import Callable
from multiprocessing import *  # noqa: F403
from multiprocessing.connection import wait
from typing import Any

__all__ = [
    "ProcessContext",
    "ProcessExitedException",
    "ProcessRaisedException",
    "SpawnContext",
    "get_all_sharing_strategies",
    "get_sharing_strategy",
    "set_sharing_strategy",
    "spawn",
    "start_processes",
]
__all__ += multiprocessing.__all__


def get_all_sharing_strategies() -> set[str]:
    """The ways in which shared memory goes to other processes: as a file descriptor."""
    return {"file_descriptor"}


def get_sharing_strategy() -> str:
    """The way in which shared memory goes to other processes: ``"file_descriptor"``."""
    return "file_descriptor"


def set_sharing_strategy(new_strategy: str) -> None:
    """Does nothing: shared memory goes to other processes as a file descriptor."""


class ProcessException(Exception):
    """A process of `spawn` has ended with an error.

    Attributes:
        error_index: which one.
        error_pid: the number that the system gave it.
    """

    def __init__(self, msg: str, error_index: int, pid: int) -> None:
        super().__init__(msg)
        self.msg = msg
        self.error_index = error_index
        self.error_pid = pid

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.msg, self.error_index, self.error_pid)


class ProcessRaisedException(ProcessException):
    """A process of `spawn` has ended by an exception, whose traceback is in the message."""


class ProcessExitedException(ProcessException):
    """A process of `spawn` was ended by a signal, or has ended itself.

    Attributes:
        exit_code: the code that it gave.
        signal_name: the name of the signal, or None.
    """

    def __init__(
        self, msg: str, error_index: int, error_pid: int, exit_code: int, signal_name: Any = None
    ) -> None:
        super().__init__(msg, error_index, error_pid)
        self.exit_code = exit_code
        self.signal_name = signal_name

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (*super().__reduce__()[1], self.exit_code, self.signal_name)


def _run(function: Callable[..., Any], i: int, args: tuple[Any, ...], errors: Any) -> None:
    try:
        function(i, *args)
    except KeyboardInterrupt:
        pass  # the parent has it, too
    except Exception:
        errors.put(traceback.format_exc())
        raise SystemExit(1) from None


class ProcessContext:
    """The processes of `spawn`."""

    def __init__(self, processes: list[Any], errors: list[Any]) -> None:
        self.processes = processes
        self.error_queues = errors
        self._running = dict(enumerate(processes))

    def pids(self) -> list[int]:
        """The numbers that the system gave them."""
        return [int(process.pid) for process in self.processes]

    def join(self, timeout: float | None = None, grace_period: float | None = None) -> bool:
        """Wait until one of them has ended; if it has failed, end the others.

        Args:
            timeout: how many seconds to wait at most. Default: None, without a limit.
            grace_period: how many seconds the others have before they are ended. Default: None.

        Returns:
            Whether all have ended.

        Raises:
            ProcessRaisedException: if one has ended by an exception.
            ProcessExitedException: if one has ended in another way.
        """
        ready = wait([process.sentinel for process in self._running.values()], timeout)
        for i, process in list(self._running.items()):
            if process.sentinel not in ready:
                continue
            process.join()
            del self._running[i]
            if process.exitcode != 0:
                self._end(grace_period)
                raise self._error(i, process)
        return not self._running

    def _end(self, grace_period: float | None) -> None:
        for process in self._running.values():
            if grace_period is not None:
                process.join(grace_period)
            if process.is_alive():
                process.terminate()
            process.join()

    def _error(self, i: int, process: Any) -> ProcessException:
        if not self.error_queues[i].empty():
            text = self.error_queues[i].get()
            return ProcessRaisedException(
                f"\n\n-- Process {i} terminated with the following error:\n{text}", i, process.pid
            )
        code = process.exitcode
        if code >= 0:
            return ProcessExitedException(
                f"process {i} terminated with exit code {code}", i, process.pid, code
            )
        import signal

        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"<Unknown signal {-code}>"
        return ProcessExitedException(
            f"process {i} terminated with signal {name}", i, process.pid, code, name
        )


SpawnContext = ProcessContext


def start_processes(
    fn: Callable[..., Any],
    args: tuple[Any, ...] = (),
    nprocs: int = 1,
    join: bool = True,
    daemon: bool = False,
    start_method: str = "spawn",
) -> ProcessContext | None:
    """Run a function in several processes.

    Args:
        fn: called as ``fn(i, *args)``, with the number of the process.
        args: its other arguments.
        nprocs: how many processes. Default: 1.
        join: wait for all of them. Default: True.
        daemon: whether they end with this one. Default: False.
        start_method: ``"spawn"``, ``"fork"`` or ``"forkserver"``. Default: ``"spawn"``.

    Returns:
        The processes; None if they have ended, with `join`.

    Raises:
        ProcessRaisedException: if one has ended by an exception, with `join`.
        ProcessExitedException: if one has ended in another way, with `join`.

    Example:
        >>> import tapegrad
        >>> def show(i, x):
        ...     assert x.sum() == 2
        >>> tapegrad.multiprocessing.start_processes(
        ...     show, (tapegrad.ones(2),), nprocs=2, start_method="fork")
    """
    context: Any = multiprocessing.get_context(start_method)
    errors = [context.SimpleQueue() for _ in range(nprocs)]
    processes = []
    for i in range(nprocs):
        process = context.Process(target=_run, args=(fn, i, args, errors[i]), daemon=daemon)
        process.start()
        processes.append(process)
    running = ProcessContext(processes, errors)
    if not join:
        return running
    while not running.join():
        pass
    return None


def spawn(
    fn: Callable[..., Any],
    args: tuple[Any, ...] = (),
    nprocs: int = 1,
    join: bool = True,
    daemon: bool = False,
    start_method: str = "spawn",
) -> ProcessContext | None:
    """`start_processes`, with new interpreters, to which the function has to be importable."""
    return start_processes(fn, args, nprocs, join, daemon, start_method)
