"""Collectives on their way: their steps, and how a process waits for them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from .._C import Tensor

if TYPE_CHECKING:
    from ._groups import ProcessGroup

__all__ = ["Steps", "Work", "wait_until"]

# What a collective gives for each of its messages: the request, and whether it is the last one.
Steps = Iterator[tuple[Any, bool]]

_PATIENCE = 0.02  # seconds for which a waiting process only lets others run
_PAUSE = 2e-4  # seconds between its questions, at most


def wait_until(
    done: Callable[[], bool], seconds: float, late: Callable[[], str], soon: Callable[[], bool]
) -> None:
    """Ask until something is done: without a pause at first, and as long as it is to be soon.

    Messages move on when somebody asks for them, so that pauses would slow down large ones.

    Raises:
        RuntimeError: with the text that `late` gives, if it takes longer than `seconds`.
    """
    if done():
        return
    begun = time.monotonic()
    while not done():
        waited = time.monotonic() - begun
        if waited >= seconds:
            raise RuntimeError(late())
        if waited < _PATIENCE or soon():
            os.sched_yield()
        else:
            time.sleep(_PAUSE)


class Work:
    """A collective that was begun; what ``async_op=True`` gives.

    The memory of its tensors is not to be touched until `wait` has returned.

    Example:
        >>> import tapegrad
        >>> from tapegrad import distributed as dist
        >>> dist.init_process_group()
        >>> work = dist.all_reduce(tapegrad.ones(2), async_op=True)
        >>> work.wait(), work.is_completed()
        (True, True)
        >>> dist.destroy_process_group()
    """

    def __init__(self, group: ProcessGroup, what: str, steps: Steps, tensors: list[Tensor]) -> None:
        self._group = group
        self._what = what
        self._steps = steps
        self._tensors = tensors
        self._request: Any = None
        self.met = False  # whether all processes have called it
        self.under_way = False  # whether the last message was begun
        self.done = False
        self._begin_next()

    def _begin_next(self) -> None:
        try:
            self._request, self.under_way = next(self._steps)
        except StopIteration:
            self.under_way = self.done = True

    def advance(self) -> None:
        """Begin what can begin, now that messages have arrived."""
        while not self.done and self._request.Test():
            self.met = True  # the first message brings the labels of all
            self._begin_next()

    def wait(self, timeout: timedelta | None = None) -> bool:
        """Wait until the tensors have their results.

        Args:
            timeout: how long at most. Default: the group's.

        Returns:
            True.

        Raises:
            RuntimeError: if it takes longer, or the processes called different collectives.
        """
        self._group.wait_for(lambda: self.done, self._what, timeout, lambda: self.met)
        return True

    def is_completed(self) -> bool:
        """Whether the tensors have their results."""
        self._group.progress()
        return self.done

    def is_success(self) -> bool:
        """Whether it is completed, as one that failed raises."""
        return self.is_completed()

    def result(self) -> list[Tensor]:
        """The tensors that have the results."""
        return self._tensors
