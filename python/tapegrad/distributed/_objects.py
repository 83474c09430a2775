"""The collectives on objects, which are pickled: only for processes that trust each other."""

from __future__ import annotations

import pickle
from typing import Any

from ._groups import ProcessGroup, resolve, root
from ._mpi import load_mpi
from ._work import Steps

__all__ = ["all_gather_object", "broadcast_object_list", "gather_object"]


def _lengths(group: ProcessGroup, data: bytes, found: list[int]) -> Steps:
    """Tell all processes how many bytes each has."""
    numbers = memoryview(bytearray(8 * group.size())).cast("q")
    mine = memoryview(bytearray(8)).cast("q")
    mine[0] = len(data)
    yield group.first.Iallgather(mine, numbers), False
    found += numbers


def _gathered(group: ProcessGroup, data: bytes, to: int | None, out: list[bytes]) -> Steps:
    lengths: list[int] = []
    yield from _lengths(group, data, lengths)
    places = [sum(lengths[:k]) for k in range(len(lengths))]
    together = bytearray(sum(lengths))
    received = [together, lengths, places, load_mpi().BYTE]
    if to is None:
        yield group.second.Iallgatherv(data, received), True
    else:
        here = group.rank() == to
        yield group.second.Igatherv(data, received if here else None, root=to), True
        if not here:
            return
    out += [bytes(together[k : k + n]) for k, n in zip(places, lengths, strict=True)]


def _broadcast(group: ProcessGroup, data: bytes, source: int, out: list[bytes]) -> Steps:
    lengths: list[int] = []
    yield from _lengths(group, data, lengths)
    buffer = bytearray(data) if group.rank() == source else bytearray(lengths[source])
    yield group.second.Ibcast(buffer, root=source), True
    out.append(bytes(buffer))


def all_gather_object(object_list: list[Any], obj: Any, group: Any = None) -> None:
    """Give the objects of all processes to each of them.

    Args:
        object_list: as long as there are processes; gets their objects.
        obj: what this process gives: anything that can be pickled.
        group: the processes. Default: all.

    Raises:
        ValueError: if the list has another length.

    Example:
        >>> from tapegrad import distributed as dist
        >>> dist.init_process_group()
        >>> objects = [None] * dist.get_world_size()
        >>> dist.all_gather_object(objects, {"rank": dist.get_rank()})
        >>> objects
        [{'rank': 0}]
        >>> dist.destroy_process_group()
    """
    if (chosen := resolve(group)) is None:
        return
    _check_length("object_list", object_list, chosen.size())
    found: list[bytes] = []
    chosen.run("all_gather_object", _gathered(chosen, pickle.dumps(obj), None, found))
    object_list[:] = map(pickle.loads, found)


def gather_object(
    obj: Any,
    object_gather_list: list[Any] | None = None,
    dst: int | None = None,
    group: Any = None,
    group_dst: int | None = None,
) -> None:
    """Give the objects of all processes to one of them.

    Args:
        obj: what this process gives: anything that can be pickled.
        object_gather_list: in the process that gets them a list as long as there are processes, in
            the others None.
        dst: the global rank of that process. Default: 0.
        group: the processes. Default: all.
        group_dst: the number of the process in the group, in place of `dst`.

    Raises:
        ValueError: if the list is given where it must not be, or has another length.
    """
    if (chosen := resolve(group)) is None:
        return
    to = root(chosen, dst, group_dst, default=0)
    if (chosen.rank() == to) != (object_gather_list is not None):
        raise ValueError(
            "Argument object_gather_list must be given in the process that gets the objects, and "
            "in no other"
        )
    if object_gather_list is not None:
        _check_length("object_gather_list", object_gather_list, chosen.size())
    found: list[bytes] = []
    chosen.run(f"gather_object({to})", _gathered(chosen, pickle.dumps(obj), to, found))
    if object_gather_list is not None:
        object_gather_list[:] = map(pickle.loads, found)


def broadcast_object_list(
    object_list: list[Any],
    src: int | None = None,
    group: Any = None,
    device: Any = None,
    group_src: int | None = None,
) -> None:
    """Replace the objects of a list by those of one process.

    Args:
        object_list: equally long in all processes; can be pickled in the one that has the values.
        src: the global rank of that process. Default: 0.
        group: the processes. Default: all.
        device: ignored.
        group_src: the number of the process in the group, in place of `src`.

    Raises:
        RuntimeError: if the lists are not equally long.

    Example:
        >>> from tapegrad import distributed as dist
        >>> dist.init_process_group()
        >>> settings = ["seed", 3] if dist.get_rank() == 0 else [None, None]
        >>> dist.broadcast_object_list(settings, src=0)
        >>> settings
        ['seed', 3]
        >>> dist.destroy_process_group()
    """
    if (chosen := resolve(group)) is None:
        return
    source = root(chosen, src, group_src, default=0)
    data = pickle.dumps(list(object_list)) if chosen.rank() == source else b""
    found: list[bytes] = []
    what = f"broadcast_object_list({source}) of {len(object_list)} objects"
    chosen.run(what, _broadcast(chosen, data, source, found))
    object_list[:] = pickle.loads(found[0])


def _check_length(name: str, objects: list[Any], count: int) -> None:
    if len(objects) != count:
        raise ValueError(f"{name} must have {count} places, but got {len(objects)}")
