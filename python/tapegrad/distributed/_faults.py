"""What happens when a process ends before its time: all end, and a message says which and why."""

from __future__ import annotations

import atexit
import contextlib
import os
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from .. import _C
from ._mpi import load_mpi

__all__ = ["unwatch", "watch"]

_world: Any = None  # MPI's communicator while this process watches over itself
_process = 0  # its number: children have copies of all this
_channel: socket.socket | None = None  # to the watcher of this machine
_excepthook = sys.excepthook


def watch(world: Any, leave: Callable[[], None]) -> None:
    """Have faults of this process end all of them.

    Args:
        world: the communicator of all processes.
        leave: what is called at the end of the program.
    """
    global _world, _process, _excepthook
    if world.size == 1:
        return
    if _world is None:
        atexit.register(_end, leave)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_forget_watcher)
    _world, _process = world, os.getpid()
    _excepthook, sys.excepthook = sys.excepthook, _raised
    local = world.Split_type(load_mpi().COMM_TYPE_SHARED, world.rank)
    _share_processors(local)
    _start_watcher(local, world)
    local.Free()


def unwatch() -> None:
    """This process has left the others properly, and may end as it likes."""
    if sys.excepthook is _raised:
        sys.excepthook = _excepthook
    _tell("left")
    _forget_watcher()


def _share_processors(local: Any) -> None:
    """Threads for each process of a machine, as many as there are processors for it."""
    if "OMP_NUM_THREADS" in os.environ or not hasattr(os, "sched_getaffinity"):
        return
    together = len(set().union(*local.allgather(os.sched_getaffinity(0))))
    _C.set_num_threads(max(1, min(_C.get_num_threads(), together // local.size)))


def _start_watcher(local: Any, world: Any) -> None:
    """One process for each machine that waits for the end of the others: see ``_watcher.py``."""
    global _channel
    if sys.platform != "linux":
        return
    others = local.gather((world.rank, os.getpid()))
    address = None
    if others is not None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            listener.bind("")  # Linux gives it a name that is not in the file system
            listener.listen(local.size)
            address = listener.getsockname()
            subprocess.Popen(
                [
                    *(sys.executable, "-I", "-S", str(Path(__file__).with_name("_watcher.py"))),
                    *(str(listener.fileno()), str(world.size)),
                    *(f"{rank}:{number}" for rank, number in others),
                ],
                pass_fds=[listener.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # so that mpiexec does not end it with the rest
            )
    _channel = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    _channel.connect(local.bcast(address))
    _channel.send(str(world.rank).encode())
    _channel.recv(64)  # it is watching


def _forget_watcher() -> None:
    """Close the channel: in a child, which would hold it open when its parent is killed."""
    global _channel
    if _channel is not None:
        _channel.close()
        _channel = None


def _tell(what: str) -> None:
    if _channel is not None:
        with contextlib.suppress(OSError):  # the watcher has ended
            _channel.send(what.encode())


def _abort(reason: str) -> None:
    print(
        f"tapegrad.distributed: rank {_world.rank} of {_world.size} (process {os.getpid()} on "
        f"{os.uname().nodename}) ends the job: {reason}",
        file=sys.stderr,
        flush=True,
    )
    _tell("explained")
    time.sleep(0.5)  # mpiexec drops what it has not read when it ends the others
    _world.Abort(1)
    os._exit(1)  # Abort may return


def _raised(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Take the place of ``sys.excepthook``."""
    _excepthook(kind, error, trace)
    if os.getpid() != _process:
        return  # a child that was forked
    sys.stdout.flush()
    _abort("".join(traceback.format_exception_only(kind, error)).strip())


def _end(leave: Callable[[], None]) -> None:
    if os.getpid() != _process:
        return
    try:
        leave()
    except BaseException as error:
        _abort("".join(traceback.format_exception_only(error)).strip())
