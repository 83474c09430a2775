"""Messages between two processes."""

from __future__ import annotations

from typing import Any

from .. import _C
from .._C import Tensor
from ._groups import ProcessGroup, resolve, root
from ._mpi import elements, load_mpi, memory

__all__ = ["irecv", "isend", "recv", "send"]


class Message:
    """A message that was begun; what `isend` and `irecv` give."""

    def __init__(self, group: ProcessGroup, what: str, request: Any, tensor: Tensor) -> None:
        self._group, self._what, self._request, self._tensor = group, what, request, tensor
        self._status = load_mpi().Status()
        self._expected = tensor.numel() * tensor.element_size()

    def is_completed(self) -> bool:
        """Whether it has arrived, or the memory may be used again.

        Raises:
            RuntimeError: if the tensors at both ends are not equally large.
        """
        if self._request is None:
            return True
        try:
            completed = self._request.Test(self._status)
        except load_mpi().Exception as error:
            raise RuntimeError(f"{self._what}: {error}") from error
        if completed:
            self._request = None
        return completed

    def wait(self, timeout: Any = None) -> bool:
        """Wait for it.

        Args:
            timeout: how long at most, a timedelta. Default: the group's.
        """
        self._group.wait_for(self.is_completed, self._what, timeout)
        return True


class _Received(Message):
    def is_completed(self) -> bool:
        """Whether it has arrived."""
        done = super().is_completed()
        if done and self._status.count != self._expected:
            raise RuntimeError(
                f"{self._what}: {self._status.count} bytes have arrived for a tensor of "
                f"{self._expected} bytes"
            )
        return done

    @property
    def source(self) -> int:
        """The global rank of the process that has sent it."""
        return self._group.ranks[self._status.source]


def isend(
    tensor: Tensor,
    dst: int | None = None,
    group: Any = None,
    tag: int = 0,
    group_dst: int | None = None,
) -> Message | None:
    """Begin to send a tensor to another process.

    Args:
        tensor: any shape and dtype; contiguous, and not to be changed until `wait` has returned.
        dst: the global rank of the process that gets it.
        group: a group that both are in. Default: all processes.
        tag: which of several messages it is. Default: 0.
        group_dst: the number of the process in the group, in place of `dst`.

    Raises:
        ValueError: if it is this process, or not in the group.
    """
    if (chosen := resolve(group)) is None:
        return None
    to = _other(chosen, root(chosen, dst, group_dst), "destination")
    flat = elements(tensor)
    _C._refuse_replay("a message of tapegrad.distributed")
    request = chosen.first.Isend([memory(flat), load_mpi().BYTE], dest=to, tag=tag)
    return Message(chosen, f"send to rank {chosen.ranks[to]}", request, tensor)


def _begin_to_receive(
    chosen: ProcessGroup, tensor: Tensor, src: int | None, tag: int, group_src: int | None
) -> _Received:
    MPI = load_mpi()
    source, said = MPI.ANY_SOURCE, "any rank"
    if src is not None or group_src is not None:
        source = _other(chosen, root(chosen, src, group_src), "source")
        said = f"rank {chosen.ranks[source]}"
    flat = elements(tensor)
    _C._refuse_replay("a message of tapegrad.distributed")
    _C._increment_version([tensor])
    request = chosen.first.Irecv([memory(flat), MPI.BYTE], source=source, tag=tag)
    return _Received(chosen, f"recv from {said}", request, tensor)


def irecv(
    tensor: Tensor,
    src: int | None = None,
    group: Any = None,
    tag: int = 0,
    group_src: int | None = None,
) -> Message | None:
    """Begin to receive a tensor from another process.

    Args:
        tensor: as large as what is sent; contiguous, and not to be used until `wait` has returned.
        src: the global rank of the process that sends it. Default: any.
        group: a group that both are in. Default: all processes.
        tag: which of several messages it is. Default: 0.
        group_src: the number of the process in the group, in place of `src`.

    Raises:
        ValueError: if it is this process, or not in the group.
    """
    if (chosen := resolve(group)) is None:
        return None
    return _begin_to_receive(chosen, tensor, src, tag, group_src)


def send(
    tensor: Tensor,
    dst: int | None = None,
    group: Any = None,
    tag: int = 0,
    group_dst: int | None = None,
) -> None:
    """Send a tensor to another process; see `isend`."""
    if (message := isend(tensor, dst, group, tag, group_dst)) is not None:
        message.wait()


def recv(
    tensor: Tensor,
    src: int | None = None,
    group: Any = None,
    tag: int = 0,
    group_src: int | None = None,
) -> int:
    """Receive a tensor from another process; see `irecv`.

    Returns:
        The global rank of the process that has sent it; -1 outside of the group.

    Raises:
        RuntimeError: if it is not as large as what was sent.
    """
    if (chosen := resolve(group)) is None:
        return -1
    message = _begin_to_receive(chosen, tensor, src, tag, group_src)
    message.wait()
    return message.source


def _other(group: ProcessGroup, rank: int, what: str) -> int:
    if rank == group.rank():
        raise ValueError(
            f"Invalid {what} rank: {what} rank should not be the same as the rank of the current "
            "process."
        )
    return rank
