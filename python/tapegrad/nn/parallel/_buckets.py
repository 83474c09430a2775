"""Tensors that travel together, packed into one: few large messages instead of many."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ... import _C, distributed
from ..._C import Tensor, dtype
from ...autograd.grad_mode import no_grad
from ...distributed import ProcessGroup

__all__ = ["Flat", "assign", "broadcast_from_first"]


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def assign(tensors: Sequence[Tensor], first: float, cap: float) -> list[list[int]]:
    """Divide tensors into buckets of one dtype each, in their order.

    Args:
        tensors: of which only sizes and dtypes count.
        first: how many bytes close the first bucket, which can begin to travel early.
        cap: how many bytes close each other.

    Returns:
        The tensors' places, in the order in which buckets are complete.

    >>> import tapegrad
    >>> from tapegrad.nn.parallel._buckets import assign
    >>> assign([tapegrad.zeros(n) for n in (1, 1, 2, 9, 1)], first=8, cap=16)
    [[0, 1], [2, 3], [4]]
    """
    buckets: list[list[int]] = []
    open_ones: dict[dtype, list[int]] = {}
    for place, tensor in enumerate(tensors):
        bucket = open_ones.setdefault(tensor.dtype, [])
        bucket.append(place)
        if sum(_bytes(tensors[each]) for each in bucket) >= (cap if buckets else first):
            buckets.append(open_ones.pop(tensor.dtype))
    return buckets + sorted(open_ones.values(), key=lambda bucket: bucket[-1])


class Flat:
    """One tensor in which several have their places.

    Args:
        tensors: whose shapes and dtype it takes, not the values.
    """

    def __init__(self, tensors: Iterable[Tensor]) -> None:
        tensors = list(tensors)
        self.whole = _C.empty(sum(t.numel() for t in tensors), dtype=tensors[0].dtype)
        self.views: list[Tensor] = []
        begin = 0
        for tensor in tensors:
            end = begin + tensor.numel()
            self.views.append(self.whole[begin:end].view(tensor.shape))
            begin = end


def broadcast_from_first(tensors: Sequence[Tensor], group: ProcessGroup, cap: float) -> None:
    """Copy the tensors of a group's first process to those of all."""
    with no_grad():
        for bucket in assign(tensors, cap, cap):
            members = [tensors[place].detach() for place in bucket]
            if len(members) == 1 and members[0].is_contiguous():
                distributed.broadcast(members[0], group=group, group_src=0)
                continue
            flat = Flat(members)
            for view, member in zip(flat.views, members, strict=True):
                view.copy_(member)
            distributed.broadcast(flat.whole, group=group, group_src=0)
            if group.rank() != 0:
                for view, member in zip(flat.views, members, strict=True):
                    member.copy_(view)
