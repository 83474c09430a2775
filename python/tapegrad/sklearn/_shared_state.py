"""What estimators share that are trained at the same time: threads and the random generator."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from joblib.parallel import get_active_backend

import tapegrad

_lock = threading.Lock()
_limits: list[int] = []  # of the estimators that are at work
_count_before = 0
_generator_lock = threading.RLock()


def in_worker() -> bool:
    """Whether joblib runs this call as one of several."""
    backend, _ = get_active_backend()
    return bool(backend.nesting_level)


@contextmanager
def threads(count: int | None) -> Iterator[None]:
    """Compute with so many threads; None means one in a worker of joblib, else as it is.

    The number is the process's: the least counts where several estimators are at work.
    """
    global _count_before
    if count is None and in_worker():
        count = 1
    if count is None:
        yield
        return
    with _lock:
        if not _limits:
            _count_before = tapegrad.get_num_threads()
        _limits.append(count)
        tapegrad.set_num_threads(min(_limits))
    try:
        yield
    finally:
        with _lock:
            _limits.remove(count)
            tapegrad.set_num_threads(min(_limits) if _limits else _count_before)


@contextmanager
def drawing(state: Any) -> Iterator[None]:
    """Let the default generator draw from a state or a seed, and leave it as it was.

    One at a time, so that estimators in several threads draw the same numbers as alone.
    """
    with _generator_lock, tapegrad.random.fork_rng():
        if isinstance(state, int):
            tapegrad.manual_seed(state)
        else:
            tapegrad.set_rng_state(state)
        yield
