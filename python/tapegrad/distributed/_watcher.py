"""Waits for the end of the processes of a machine, and says which one ended before its time.

A program of its own, which `_faults` starts: ``_watcher.py SOCKET SIZE RANK:PROCESS...``. mpiexec
ends all processes when one of them is killed, and does not say which one was the first.

Each process connects to the socket, sends its rank, and waits for an answer; at last it sends that
it has "left" the others or "explained" why it ends them all. What ends without is reported, once,
and those that mpiexec does not end then are ended.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import socket
import struct
import sys
import time
from pathlib import Path

_GRACE = 2  # seconds that mpiexec has to end the others
_PIDFD_GET_INFO = 0xC040FF0B  # Linux 6.15 and later tell how a process has ended
_PIDFD_INFO_EXIT = 8


def exit_status(number: int, process: int | None) -> int | None:
    """The status of a process that has ended; None as long as it has not, or if nobody knows."""
    with contextlib.suppress(OSError, ValueError):  # until mpiexec has asked for it
        stat = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
        if stat[0] == "Z":
            return int(stat[49])
    if process is not None:  # and from then on
        facts = bytearray(struct.pack("Q", _PIDFD_INFO_EXIT).ljust(64, b"\0"))
        with contextlib.suppress(OSError):
            fcntl.ioctl(process, _PIDFD_GET_INFO, facts)
            if struct.unpack_from("Q", facts)[0] & _PIDFD_INFO_EXIT:
                return int(struct.unpack_from("i", facts, 60)[0])
    return None


def how_it_ended(number: int, process: int | None) -> str:
    """How a process has ended, given its number and descriptor, as far as the system tells."""
    status, patience = None, 50
    while status is None and patience:
        status = exit_status(number, process)
        time.sleep(0.01 if status is None else 0)
        patience -= 1
    if status is None:
        return "was killed, or ended without leaving the process group"
    if os.WIFSIGNALED(status):
        signum = os.WTERMSIG(status)
        return f"was killed by signal {signum} ({signal.strsignal(signum)})"
    code = os.WEXITSTATUS(status)
    return f"ended with exit code {code} without leaving the process group"


def report(rank: str, size: str, number: int, process: int | None) -> None:
    now = time.time()
    moment = f"{time.strftime('%H:%M:%S', time.localtime(now))}.{now % 1 * 1000:03.0f}"
    line = (
        f"tapegrad.distributed: rank {rank} of {size} (process {number} on {os.uname().nodename}) "
        f"{how_it_ended(number, process)} at {moment}, and with it ends the job\n"
    )
    with contextlib.suppress(OSError):  # nobody reads any more
        os.write(2, line.encode())


def main(listener: socket.socket, size: str, numbers: dict[str, int]) -> None:
    processes: dict[str, int] = {}
    for rank, number in numbers.items():
        with contextlib.suppress(OSError, AttributeError):
            processes[rank] = os.pidfd_open(number)
    # The first that epoll gives is the first that ended, however late this process gets to run.
    events = select.epoll()
    connected: dict[int, tuple[socket.socket, str]] = {}
    for _ in numbers:
        connection, _ = listener.accept()
        connected[connection.fileno()] = connection, connection.recv(64).decode()
        events.register(connection, select.EPOLLIN)
    for connection, _ in connected.values():
        connection.send(b"ready")
    ending = False
    while connected:
        happened = events.poll(_GRACE if ending else None)
        if not happened:  # mpiexec has not noticed
            for _, rank in connected.values():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(numbers[rank], signal.SIGKILL)
        for descriptor, _ in happened:
            connection, rank = connected[descriptor]
            try:
                said = connection.recv(64)
            except OSError:
                said = b""
            if said == b"explained":
                ending = True
                continue
            if not said and not ending:
                ending = True
                report(rank, size, numbers[rank], processes.get(rank))
            events.unregister(descriptor)
            connection.close()
            del connected[descriptor]


if __name__ == "__main__":
    main(
        socket.socket(fileno=int(sys.argv[1])),
        sys.argv[2],
        {rank: int(number) for rank, number in (each.split(":") for each in sys.argv[3:])},
    )
