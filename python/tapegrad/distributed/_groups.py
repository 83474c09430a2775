"""Process groups: who takes part, and the agreement on what they do together."""

from __future__ import annotations

import importlib.util
import warnings
from collections import deque
from collections.abc import Callable, Iterable
from datetime import timedelta
from hashlib import blake2b
from typing import Any

from .. import _C
from .._C import Tensor
from . import _faults
from ._mpi import load_mpi
from ._work import Steps, Work, wait_until

__all__ = [
    "GroupMember",
    "ProcessGroup",
    "default_pg_timeout",
    "destroy_process_group",
    "get_backend",
    "get_global_rank",
    "get_group_rank",
    "get_process_group_ranks",
    "get_rank",
    "get_world_size",
    "group",
    "init_process_group",
    "is_available",
    "is_initialized",
    "is_mpi_available",
    "new_group",
    "resolve",
    "root",
]

default_pg_timeout = timedelta(minutes=30)
_LEAVING = "the end of its program, or destroy_process_group"
_LABEL = 64  # bytes in which a process says what it calls


class ProcessGroup:
    """Processes that call the same collectives in the same order.

    `init_process_group` makes the one of all processes, `new_group` others.

    With each collective, every process sends a label of what it calls (name, dtype, shape), so that
    different calls raise in all processes instead of mixing up their memory.
    """

    def __init__(self, comm: Any = None, timeout: timedelta = default_pg_timeout) -> None:
        if comm is None:
            raise RuntimeError("tapegrad makes process groups by init_process_group and new_group")
        MPI = load_mpi()
        world = MPI.COMM_WORLD
        # Collectives on one communicator begin in the same order everywhere. Labels and first
        # messages follow the calls; a second message begins when the first has arrived, in the
        # order of calls as well, but among them at another time in each process.
        self._labels, self.first, self.second = comm.Dup(), comm.Dup(), comm.Dup()
        self.ranks: list[int] = MPI.Group.Translate_ranks(comm.group, None, world.group)
        self.timeout = timeout
        self._rank: int = comm.rank
        self._size: int = comm.size
        self._pending: deque[Work] = deque()
        self._error: RuntimeError | None = None

    def rank(self) -> int:
        """The number of this process within the group."""
        return self._rank

    def size(self) -> int:
        """The number of processes."""
        return self._size

    def name(self) -> str:
        """The backend."""
        return "mpi"

    def member(self, rank: int) -> int:
        """The number within the group of a process of the world.

        Raises:
            ValueError: if it is none of them.
        """
        try:
            return self.ranks.index(rank)
        except ValueError:
            raise ValueError(f"Global rank {rank} is not part of group {self.ranks}") from None

    def start(self, what: str, steps: Steps, tensors: Iterable[Tensor] = ()) -> Work:
        """Begin a collective.

        Args:
            what: what is called, the same text in all processes.
            steps: its messages.
            tensors: those that get the results.

        Raises:
            RuntimeError: if an earlier one has failed.
        """
        _C._refuse_replay("a collective of tapegrad.distributed")
        self._check()
        tensors = list(tensors)
        _C._increment_version(tensors)
        work = Work(self, what, self._agreed(what, steps), tensors)
        self._pending.append(work)
        _busy.add(self)
        return work

    def run(self, what: str, steps: Steps, tensors: Iterable[Tensor] = ()) -> None:
        """Begin a collective, and wait for it."""
        self.start(what, steps, tensors).wait()

    def _agreed(self, what: str, steps: Steps) -> Steps:
        """The steps, with the exchange of labels beside the first of them."""
        label = what.encode()
        if len(label) > _LABEL:
            label = label[: _LABEL - 16] + blake2b(label, digest_size=8).hexdigest().encode()
        labels = bytearray(_LABEL * self._size)
        agreement = self._labels.Iallgather(label.ljust(_LABEL), labels)
        first = next(steps, None)
        yield agreement, first is None
        label = bytes(labels[:_LABEL])
        if labels != label * self._size:
            raise RuntimeError(self._disagreement(labels))
        if first is not None:
            yield first
            yield from steps

    def _disagreement(self, labels: bytearray) -> str:
        callers: dict[str, list[int]] = {}
        for place, rank in enumerate(self.ranks):
            label = labels[place * _LABEL : (place + 1) * _LABEL].decode(errors="replace").rstrip()
            callers.setdefault(label, []).append(rank)
        said = "; ".join(
            f"{'rank' if len(ranks) == 1 else 'ranks'} {_ranges(ranks)}: {label}"
            for label, ranks in callers.items()
        )
        return f"The ranks of a process group do not call the same: {said}"

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    def progress(self) -> None:
        """Begin what can begin, without waiting.

        Raises:
            RuntimeError: if the processes called different collectives.
        """
        self._check()
        try:
            for work in self._pending:
                work.advance()
                if not work.under_way:
                    break  # its second message comes before those of all later ones
        except Exception as error:  # what is pending stays: MPI may still write to its memory
            _busy.discard(self)
            self._error = error if isinstance(error, RuntimeError) else RuntimeError(str(error))
            raise self._error from error
        while self._pending and self._pending[0].done:
            self._pending.popleft()
        if not self._pending:
            _busy.discard(self)

    def wait_for(
        self,
        done: Callable[[], bool],
        what: str,
        timeout: timedelta | None = None,
        soon: Callable[[], bool] = lambda: False,
    ) -> None:
        """Wait, while all that was begun goes on.

        Args:
            done: whether it is over.
            what: is waited for.
            timeout: how long at most. Default: the group's.
            soon: whether it depends on nobody else any more.

        Raises:
            RuntimeError: if it takes longer than the timeout, or a collective fails.
        """
        seconds = (timeout or self.timeout).total_seconds()

        def progressed() -> bool:
            for group in tuple(_busy):
                group.progress()
            self._check()
            return done()

        def late() -> str:
            return (
                f"Rank {_world().rank()} has waited for {seconds:g} seconds in {what} for others "
                f"of the ranks {_ranges(self.ranks)}"
            )

        wait_until(progressed, seconds, late, soon)

    def free(self) -> None:
        """Give the communicators back; every process has left."""
        for comm in (self._labels, self.first, self.second):
            comm.Free()
        self._error = RuntimeError("The process group has been destroyed")


def _ranges(ranks: Iterable[int]) -> str:
    """Ranks as text.

    >>> from tapegrad.distributed._groups import _ranges
    >>> _ranges([0, 2, 3, 4, 7])
    '0, 2-4, 7'
    """
    runs: list[list[int]] = []
    for rank in sorted(ranks):
        if runs and runs[-1][-1] == rank - 1:
            runs[-1][1:] = [rank]
        else:
            runs.append([rank])
    return ", ".join("-".join(map(str, run)) for run in runs)


# ---------------------------------------------------------------------- the groups that there are

_groups: list[ProcessGroup] = []  # the world first
_busy: set[ProcessGroup] = set()  # those with collectives on their way


def _world() -> ProcessGroup:
    if not _groups:
        raise ValueError(
            "Default process group has not been initialized, please make sure to call "
            "init_process_group."
        )
    return _groups[0]


class GroupMember:
    """What `new_group` gives to a process that is not in the group."""

    NON_GROUP_MEMBER = -100


class _Names(type):
    @property
    def WORLD(cls) -> ProcessGroup | None:
        return _groups[0] if _groups else None


class group(metaclass=_Names):
    """``group.WORLD`` is the group of all processes, or None before `init_process_group`."""


def resolve(group: Any) -> ProcessGroup | None:
    """The group of an argument; None, with a warning, for one that this process is not in."""
    world = _world()
    if group is None:
        return world
    if group == GroupMember.NON_GROUP_MEMBER:
        warnings.warn(
            f"Running a collective on global rank {world.rank()} which does not belong to the "
            "given group.",
            stacklevel=3,
        )
        return None
    if not isinstance(group, ProcessGroup):
        raise TypeError(f"Expecting a process group, but got {type(group).__name__}")
    return group


def root(
    group: ProcessGroup, rank: int | None, group_rank: int | None, default: int | None = None
) -> int:
    """The number within a group of the process that an argument names, in one way or the other."""
    if group_rank is None:
        rank = default if rank is None else rank
        if rank is None:
            raise ValueError("Must specify global_rank or group_rank")
        return group.member(rank)
    if rank is not None:
        raise ValueError("Can't specify both group_rank and global_rank")
    get_global_rank(group, group_rank)  # raises if there is none
    return group_rank


def is_available() -> bool:
    """Whether mpi4py is installed.

    Example:
        >>> import tapegrad
        >>> tapegrad.distributed.is_available()
        True
    """
    return importlib.util.find_spec("mpi4py") is not None


is_mpi_available = is_available


def is_initialized() -> bool:
    """Whether `init_process_group` has been called.

    Example:
        >>> import tapegrad
        >>> tapegrad.distributed.is_initialized()
        False
    """
    return bool(_groups)


def init_process_group(
    backend: str | None = None,
    init_method: str | None = None,
    timeout: timedelta | None = None,
    world_size: int = -1,
    rank: int = -1,
    store: Any = None,
    group_name: str = "",
    pg_options: Any = None,
    device_id: Any = None,
) -> None:
    """Join the other processes that ``mpiexec`` has started with this one.

    A process that was started without it is alone: a world of one. Unless ``OMP_NUM_THREADS`` is
    set, the processes of a machine share its processors.

    From here on an exception that nobody catches ends all processes, and so does the end of one
    process while others wait for it; a message says which rank it was, and why.

    Args:
        backend: "mpi", the only one. Default: that.
        init_method: ignored: mpiexec tells the processes of each other.
        timeout: how long a process waits in a collective before it raises. Default: 30 minutes.
        world_size, rank: ignored, with a warning: MPI has them.
        store, group_name, pg_options, device_id: ignored.

    Raises:
        ImportError: if mpi4py or an MPI is missing.
        RuntimeError: for backends of PyTorch's that are not here.
        ValueError: if it was called before, or for other backends.

    Example:
        >>> from tapegrad import distributed as dist
        >>> dist.init_process_group()
        >>> dist.get_rank(), dist.get_world_size(), dist.get_backend()
        (0, 1, 'mpi')
        >>> dist.destroy_process_group()
    """
    if _groups:
        raise ValueError("trying to initialize the default process group twice!")
    name = "mpi" if backend is None else str(backend).lower()
    if name in ("gloo", "nccl", "ucc", "xccl"):
        raise RuntimeError(
            f"Distributed package doesn't have {name.upper()} built in. tapegrad's processes talk "
            'by MPI: init_process_group("mpi"), or without a backend, in a program that mpiexec '
            "has started"
        )
    if name != "mpi":
        raise ValueError(f"Invalid backend: '{backend}'")
    if world_size != -1 or rank != -1:
        warnings.warn(
            f"For MPI backend, world_size ({world_size}) and rank ({rank}) are ignored since they "
            "are assigned by the MPI runtime.",
            stacklevel=2,
        )
    world = load_mpi().COMM_WORLD
    _groups.append(ProcessGroup(world, default_pg_timeout if timeout is None else timeout))
    _faults.watch(world, _leave_at_exit)


def new_group(
    ranks: Iterable[int] | None = None,
    timeout: timedelta | None = None,
    backend: str | None = None,
    pg_options: Any = None,
    use_local_synchronization: bool = False,
    group_desc: str | None = None,
) -> Any:
    """Make a group of some of the processes; all of them call this, with the same ranks.

    Args:
        ranks: of the processes that are in it. Default: all.
        timeout: as that of `init_process_group`. Default: that.
        backend: "mpi". Default: that.
        pg_options, use_local_synchronization, group_desc: ignored.

    Returns:
        The group; ``GroupMember.NON_GROUP_MEMBER`` for a process that is not in it.

    Raises:
        ValueError: if a rank is out of range, or given twice.

    Example:
        >>> from tapegrad import distributed as dist
        >>> dist.init_process_group()
        >>> dist.get_process_group_ranks(dist.new_group([0]))
        [0]
        >>> dist.destroy_process_group()
    """
    world = _world()
    chosen = sorted(range(world.size()) if ranks is None else ranks)
    if backend not in (None, "mpi"):
        raise ValueError(f"Invalid backend: '{backend}'")
    if len(set(chosen)) < len(chosen):
        raise ValueError(f"Ranks of a group are given once each, but got {chosen}")
    if not chosen or not 0 <= chosen[0] <= chosen[-1] < world.size():
        raise ValueError(f"Ranks of a group are from 0 to {world.size() - 1}, but got {chosen}")
    world.run(f"new_group({_ranges(chosen)})", iter(()))
    MPI = load_mpi()
    inside = world.rank() in chosen
    comm = MPI.COMM_WORLD.Split(0 if inside else MPI.UNDEFINED, world.rank())
    if not inside:
        return GroupMember.NON_GROUP_MEMBER
    made = ProcessGroup(comm, world.timeout if timeout is None else timeout)
    comm.Free()
    _groups.append(made)
    return made


def destroy_process_group(group: Any = None) -> None:
    """Leave a group, when all of its processes do.

    The end of a program does this by itself.

    Args:
        group: the group. Default: that of all processes, and with it all others.

    Raises:
        RuntimeError: if another process of it calls something else.

    Example:
        >>> from tapegrad import distributed as dist
        >>> dist.init_process_group()
        >>> dist.destroy_process_group()
        >>> dist.is_initialized()
        False
    """
    chosen = resolve(group)
    if chosen is None:
        return
    leaving = _groups.copy() if chosen is _world() else [chosen]
    works = [each.start(_LEAVING, iter(())) for each in leaving]
    for work in works:
        work.wait(timedelta.max)  # the others may have much to do yet
    if chosen is _world():
        _faults.unwatch()
    for each in leaving:
        each.free()
        _groups.remove(each)


def _leave_at_exit() -> None:
    if _groups:
        destroy_process_group()


# ---------------------------------------------------------------------- questions


def get_rank(group: Any = None) -> int:
    """The number of this process in a group, from 0; -1 if it is not in it.

    Args:
        group: the group. Default: all processes.

    Raises:
        ValueError: before `init_process_group`, as everything that needs a group.

    Example:
        >>> from tapegrad import distributed as dist
        >>> dist.get_rank()
        Traceback (most recent call last):
        ValueError: Default process group has not been initialized, please make sure to call \
init_process_group.
    """
    world = _world()
    return -1 if group == GroupMember.NON_GROUP_MEMBER else (group or world).rank()


def get_world_size(group: Any = None) -> int:
    """The number of processes in a group; -1 if this one is not in it.

    Args:
        group: the group. Default: all processes.
    """
    world = _world()
    return -1 if group == GroupMember.NON_GROUP_MEMBER else (group or world).size()


def get_backend(group: Any = None) -> str:
    """What the processes of a group talk by: "mpi".

    Args:
        group: the group. Default: all processes.
    """
    return (group or _world()).name()


def get_process_group_ranks(group: Any = None) -> list[int]:
    """The global ranks of the processes of a group, in its order.

    Args:
        group: the group. Default: all processes.
    """
    return list((group or _world()).ranks)


def get_global_rank(group: ProcessGroup, group_rank: int) -> int:
    """The global rank of a process that has the number `group_rank` in a group.

    Raises:
        ValueError: if there is none.
    """
    if not 0 <= group_rank < group.size():
        raise ValueError(f"Group rank {group_rank} is not part of group {group.ranks}")
    return group.ranks[group_rank]


def get_group_rank(group: ProcessGroup, global_rank: int) -> int:
    """The number in a group of the process that has the global rank `global_rank`.

    Raises:
        ValueError: if it is not in the group.
    """
    return group.member(global_rank)
