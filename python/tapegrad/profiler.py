"""`tapegrad.autograd.profiler` with a schedule: times by operator, by line and by module.

Example:
    >>> import tapegrad
    >>> from tapegrad.profiler import ProfilerActivity, profile, record_function
    >>> x = tapegrad.ones(2)
    >>> with profile(activities=[ProfilerActivity.CPU]) as prof:
    ...     with record_function("forward"):
    ...         y = x.exp()
    ...     prof.step()
    >>> [event.key for event in prof.key_averages()]
    ['aten::exp', 'forward']
"""

from __future__ import annotations

import enum
import os
from collections.abc import Callable, Iterable
from typing import Any

from .autograd import profiler
from .autograd.profiler import record_function

__all__ = [
    "ProfilerAction",
    "ProfilerActivity",
    "profile",
    "record_function",
    "schedule",
    "supported_activities",
    "tensorboard_trace_handler",
]


class ProfilerActivity(enum.Enum):
    """What can be observed: the CPU."""

    CPU = 0
    XPU = 1
    MTIA = 2
    CUDA = 3
    HPU = 4
    PrivateUse1 = 5


class ProfilerAction(enum.Enum):
    """What is done in a step."""

    NONE = 0
    WARMUP = 1
    RECORD = 2
    RECORD_AND_SAVE = 3


def supported_activities() -> set[ProfilerActivity]:
    """What can be observed: the CPU."""
    return {ProfilerActivity.CPU}


def schedule(
    *,
    wait: int,
    warmup: int,
    active: int,
    repeat: int = 0,
    skip_first: int = 0,
    skip_first_wait: int = 0,
) -> Callable[[int], ProfilerAction]:
    """What is done in which step: rounds of waiting, warming up and recording.

    Args:
        wait, warmup, active: how many steps of each.
        repeat: how many rounds; 0 for no end. Default: 0.
        skip_first: how many steps are left out before the first round. Default: 0.
        skip_first_wait: whether the first round does not wait. Default: 0.

    Returns:
        A function that takes the number of a step and gives a `ProfilerAction`.

    Example:
        >>> import tapegrad
        >>> plan = tapegrad.profiler.schedule(wait=1, warmup=0, active=1)
        >>> plan(0).name, plan(1).name
        ('NONE', 'RECORD_AND_SAVE')
    """

    def action(step: int) -> ProfilerAction:
        step -= skip_first
        if step < 0:
            return ProfilerAction.NONE
        if skip_first_wait:
            step += wait
        length = wait + warmup + active
        place, rounds = step % length, step // length
        if (repeat > 0 and rounds >= repeat) or place < wait:
            return ProfilerAction.NONE
        if place < wait + warmup:
            return ProfilerAction.WARMUP
        last = place == length - 1
        return ProfilerAction.RECORD_AND_SAVE if last else ProfilerAction.RECORD

    return action


def tensorboard_trace_handler(
    dir_name: str, worker_name: str | None = None, use_gzip: bool = False
) -> Callable[[profile], None]:
    """A function for ``on_trace_ready`` that writes a trace into a folder.

    Args:
        dir_name: the folder, which is made.
        worker_name: the beginning of the file's name. Default: None, the number of the process.
        use_gzip: ignored. Default: False.
    """

    def write(prof: profile) -> None:
        os.makedirs(dir_name, exist_ok=True)
        name = f"{worker_name or os.getpid()}.{prof.step_num}.pt.trace.json"
        prof.export_chrome_trace(os.path.join(dir_name, name))

    return write


class profile(profiler.profile):
    """A context manager that keeps times, by a schedule; see `autograd.profiler.profile`.

    Args:
        activities: ignored. Default: None.
        schedule: what is done in which step. Default: None, everything is recorded.
        on_trace_ready: called with the profiler after each round. Default: None.
        kwargs: what else PyTorch's takes; ignored.
    """

    def __init__(
        self,
        *,
        activities: Iterable[Any] | None = None,
        schedule: Callable[[int], ProfilerAction] | None = None,
        on_trace_ready: Callable[[profile], Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        self.schedule = schedule or (lambda step: ProfilerAction.RECORD)
        self.on_trace_ready = on_trace_ready
        self.step_num = 0

    def _act(self) -> None:
        """Record in this step, or do not."""
        action = self.schedule(self.step_num)
        records = action in (ProfilerAction.RECORD, ProfilerAction.RECORD_AND_SAVE)
        if records and self not in profiler._running:
            self._events.clear()
            super().__enter__()
        elif not records:
            super().__exit__(None, None, None)

    def _end_of_round(self) -> None:
        super().__exit__(None, None, None)
        if self.on_trace_ready is not None:
            self.on_trace_ready(self)

    def start(self) -> None:
        """Begin, as the block does."""
        self._act()

    def stop(self) -> None:
        """End, as the block does."""
        if self in profiler._running:
            self._end_of_round()

    def step(self) -> None:
        """Say that a step of the program has ended."""
        if self.schedule(self.step_num) is ProfilerAction.RECORD_AND_SAVE:
            self._end_of_round()
        self.step_num += 1
        self._act()

    def __enter__(self) -> Any:
        self.start()
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self.stop()
