"""The collectives on tensors.

Reductions are made here, in the order of ranks, not by MPI: the result is the same in every run, on
every MPI, and whatever else is sent beside it. MPI moves bytes, from and to the memory of tensors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import _C
from .._C import Tensor, dtype
from ..autograd.grad_mode import no_grad
from ._groups import ProcessGroup, resolve, root
from ._mpi import elements, load_mpi, memory
from ._reductions import ReduceOp, check, combine
from ._work import Steps, Work

__all__ = [
    "all_gather",
    "all_gather_into_tensor",
    "all_reduce",
    "barrier",
    "broadcast",
    "gather",
    "reduce",
    "reduce_scatter",
    "reduce_scatter_tensor",
    "scatter",
]

# Up to so many bytes of a tensor, or that arrive of all, a reduction sends all elements to all
# processes: one message, where otherwise a second one follows the first.
_SMALL = 1 << 12
_SMALL_TOGETHER = 1 << 18


def _begun(
    group: ProcessGroup, async_op: bool, what: str, steps: Steps, tensors: Sequence[Tensor] = ()
) -> Work | None:
    work = group.start(what, steps, tensors)
    if async_op:
        return work
    work.wait()
    return None


def _label(name: str, tensor: Tensor) -> str:
    return f"{name} of {str(tensor.dtype).removeprefix('tapegrad.')} {list(tensor.shape)}"


def _check_list(tensors: Sequence[Tensor], name: str, like: Tensor, count: int) -> None:
    """A tensor for each process, each as large as the one that a process gives or gets."""
    if len(tensors) != count:
        raise ValueError(
            f"{name} must have a tensor for each of {count} processes, but got {len(tensors)}"
        )
    for each in tensors:
        _check_pair(name, each, like, like.numel())


def _check_pair(name: str, tensor: Tensor, like: Tensor, count: int) -> None:
    if tensor.dtype != like.dtype:
        raise TypeError(f"{name} must have the dtype {like.dtype}, but got {tensor.dtype}")
    if tensor.numel() != count:
        raise ValueError(f"{name} must have {count} elements, but got {tensor.numel()}")


def _check_root(
    name: str, place: str, tensors: Sequence[Tensor] | None, here: bool
) -> Sequence[Tensor] | None:
    """The list that one process gives; the others give nothing, or an empty one."""
    if here and not tensors:
        raise ValueError(f"Argument ``{name}`` must be specified on {place} rank.")
    if not here and tensors:
        raise ValueError(f"Argument ``{name}`` must NOT be specified on non-{place} ranks.")
    return tensors or None


def _bytes(flat: Tensor) -> list[Any]:
    return [memory(flat), load_mpi().BYTE]


class _Parts:
    """The elements of a tensor, divided among the processes, each of which reduces a part."""

    def __init__(self, group: ProcessGroup, flat: Tensor) -> None:
        self._group, self._flat = group, flat
        count, width, size = flat.numel(), flat.element_size(), group.size()
        bounds = [count * place // size for place in range(size + 1)]
        begin, end = bounds[group.rank() : group.rank() + 2]
        self.mine = flat[begin:end]
        self.rows = _C.empty(size, end - begin, dtype=flat.dtype)
        self._places = [width * bound for bound in bounds[:-1]]
        self._counts = [width * (bounds[k + 1] - bounds[k]) for k in range(size)]

    def everywhere(self) -> list[Any]:
        """The whole tensor in parts, as MPI takes it."""
        return [memory(self._flat), self._counts, self._places, load_mpi().BYTE]

    def exchange(self) -> Any:
        """Begin to send every process its part, and to get this one's part of every tensor."""
        size = self._group.size()
        length = self._counts[self._group.rank()]
        places = [length * k for k in range(size)]
        rows = [memory(self.rows.view(-1)), [length] * size, places, load_mpi().BYTE]
        return self._group.first.Ialltoallv(self.everywhere(), rows)


def _all_reduced(
    group: ProcessGroup, flat: Tensor, op: ReduceOp, reduce_dtype: dtype | None
) -> Steps:
    size, nbytes = group.size(), flat.numel() * flat.element_size()
    if size == 1 or nbytes == 0:
        return
    if nbytes <= _SMALL or nbytes * size <= _SMALL_TOGETHER:
        rows = _C.empty(size, flat.numel(), dtype=flat.dtype)
        yield group.first.Iallgather(_bytes(flat), _bytes(rows.view(-1))), True
        combine(op, rows, reduce_dtype, flat)
        return
    parts = _Parts(group, flat)
    yield parts.exchange(), False
    combine(op, parts.rows, reduce_dtype, parts.mine)
    yield group.second.Iallgatherv(load_mpi().IN_PLACE, parts.everywhere()), True


def _reduced(
    group: ProcessGroup, flat: Tensor, op: ReduceOp, reduce_dtype: dtype | None, to: int
) -> Steps:
    if group.size() == 1 or flat.numel() == 0:
        return
    parts = _Parts(group, flat)
    yield parts.exchange(), False
    mine = _C.empty_like(parts.mine)  # the tensors of the others stay as they are
    combine(op, parts.rows, reduce_dtype, mine)
    received = parts.everywhere() if group.rank() == to else None
    yield group.second.Igatherv(_bytes(mine), received, root=to), True


def _reduced_and_scattered(
    group: ProcessGroup, out: Tensor, flat: Tensor, op: ReduceOp, reduce_dtype: dtype | None
) -> Steps:
    if group.size() == 1:
        with no_grad():
            out.copy_(flat)
        return
    rows = _C.empty(group.size(), out.numel(), dtype=out.dtype)
    yield group.first.Ialltoall(_bytes(flat), _bytes(rows.view(-1))), True
    combine(op, rows, reduce_dtype, out)


def _gathered(group: ProcessGroup, flat: Tensor, tensors: Sequence[Tensor]) -> Steps:
    rows = _C.empty(group.size(), flat.numel(), dtype=flat.dtype)
    yield group.first.Iallgather(_bytes(flat), _bytes(rows.view(-1))), True
    _copy(rows, tensors)


def _gathered_into(group: ProcessGroup, flat: Tensor, out: Tensor) -> Steps:
    yield group.first.Iallgather(_bytes(flat), _bytes(out)), True


def _gathered_to(
    group: ProcessGroup, flat: Tensor, tensors: Sequence[Tensor] | None, to: int
) -> Steps:
    if tensors is None:
        yield group.first.Igather(_bytes(flat), None, root=to), True
        return
    rows = _C.empty(group.size(), flat.numel(), dtype=flat.dtype)
    yield group.first.Igather(_bytes(flat), _bytes(rows.view(-1)), root=to), True
    _copy(rows, tensors)


def _copy(rows: Tensor, tensors: Sequence[Tensor]) -> None:
    with no_grad():
        for row, tensor in zip(rows, tensors, strict=True):
            tensor.copy_(row.view(tensor.shape))


def _scattered(
    group: ProcessGroup, flat: Tensor, tensors: Sequence[Tensor] | None, source: int
) -> Steps:
    sent = None
    if tensors is not None:
        sent = _bytes(_C.cat([tensor.detach().reshape(-1) for tensor in tensors]))
    yield group.first.Iscatter(sent, _bytes(flat), root=source), True


def _broadcast(group: ProcessGroup, flat: Tensor, source: int) -> Steps:
    yield group.first.Ibcast(_bytes(flat), root=source), True


# ---------------------------------------------------------------------- reductions


def all_reduce(
    tensor: Tensor,
    op: ReduceOp = ReduceOp.SUM,
    group: Any = None,
    async_op: bool = False,
    *,
    reduce_dtype: dtype | None = None,
) -> Work | None:
    """Reduce the tensors of all processes, in place in each of them.

    The elements are combined in the order of ranks, and rounded once if `reduce_dtype` is wider:
    every process gets the same bits, in every run.

    Args:
        tensor: any shape and dtype, the same in all processes; contiguous.
        op: how. Default: the sum.
        group: the processes. Default: all.
        async_op: only begin. Default: False.
        reduce_dtype: the dtype to compute in, such as ``tapegrad.float64`` for float32; as much is
            sent as without it. Default: the tensor's, and float32 for float16 and bfloat16.

    Returns:
        A `Work` to wait for, if `async_op`; else None.

    Raises:
        TypeError: if `op` or `reduce_dtype` are none.
        ValueError: if the tensor is not contiguous.
        RuntimeError: if `op` is not for this dtype, or the processes do not call the same.

    Example:
        >>> import tapegrad
        >>> from tapegrad import distributed as dist
        >>> dist.init_process_group()
        >>> x = tapegrad.tensor([1.0, 2.0])
        >>> dist.all_reduce(x, op=dist.ReduceOp.AVG)
        >>> x
        tensor([1., 2.])
        >>> dist.destroy_process_group()
    """
    if (chosen := resolve(group)) is None:
        return None
    flat = elements(tensor)
    check(op, flat, reduce_dtype)
    steps = _all_reduced(chosen, flat, op, reduce_dtype)
    return _begun(chosen, async_op, _label(f"all_reduce({op.name})", tensor), steps, [tensor])


def reduce(
    tensor: Tensor,
    dst: int | None = None,
    op: ReduceOp = ReduceOp.SUM,
    group: Any = None,
    async_op: bool = False,
    group_dst: int | None = None,
    *,
    reduce_dtype: dtype | None = None,
) -> Work | None:
    """Reduce the tensors of all processes, in place in one of them; the others keep theirs.

    Args:
        tensor, op, group, async_op, reduce_dtype: as for `all_reduce`.
        dst: the global rank of the process that gets the result.
        group_dst: its number in the group, in place of `dst`.

    Raises:
        ValueError: if the process is not in the group; and what `all_reduce` raises.
    """
    if (chosen := resolve(group)) is None:
        return None
    to = root(chosen, dst, group_dst)
    flat = elements(tensor)
    check(op, flat, reduce_dtype)
    steps = _reduced(chosen, flat, op, reduce_dtype, to)
    tensors = [tensor] if chosen.rank() == to else []
    return _begun(chosen, async_op, _label(f"reduce({op.name}, {to})", tensor), steps, tensors)


def reduce_scatter_tensor(
    output: Tensor,
    input: Tensor,
    op: ReduceOp = ReduceOp.SUM,
    group: Any = None,
    async_op: bool = False,
    *,
    reduce_dtype: dtype | None = None,
) -> Work | None:
    """Reduce the tensors of all processes, of which each gets its part.

    Args:
        output: gets the part, in the order of ranks; contiguous.
        input: as large as the outputs of all processes together; contiguous.
        op, group, async_op, reduce_dtype: as for `all_reduce`.

    Raises:
        TypeError: if the dtypes differ.
        ValueError: if the sizes do not fit; and what `all_reduce` raises.
    """
    if (chosen := resolve(group)) is None:
        return None
    out, flat = elements(output), elements(input)
    _check_pair("input", flat, out, chosen.size() * out.numel())
    check(op, flat, reduce_dtype)
    steps = _reduced_and_scattered(chosen, out, flat, op, reduce_dtype)
    what = _label(f"reduce_scatter_tensor({op.name})", input)
    return _begun(chosen, async_op, what, steps, [output])


def reduce_scatter(
    output: Tensor,
    input_list: Sequence[Tensor],
    op: ReduceOp = ReduceOp.SUM,
    group: Any = None,
    async_op: bool = False,
    *,
    reduce_dtype: dtype | None = None,
) -> Work | None:
    """Reduce lists of tensors, of which each process gets one.

    Args:
        output: gets the tensor that is at this process's place in the lists; contiguous.
        input_list: a tensor for each process, each as large as `output`.
        op, group, async_op, reduce_dtype: as for `all_reduce`.

    Raises:
        TypeError: if the dtypes differ.
        ValueError: if the sizes do not fit; and what `all_reduce` raises.
    """
    if (chosen := resolve(group)) is None:
        return None
    _check_list(input_list, "input_list", output, chosen.size())
    flat = _C.cat([each.detach().reshape(-1) for each in input_list])
    return reduce_scatter_tensor(output, flat, op, chosen, async_op, reduce_dtype=reduce_dtype)


# ---------------------------------------------------------------------- copies


def broadcast(
    tensor: Tensor,
    src: int | None = None,
    group: Any = None,
    async_op: bool = False,
    group_src: int | None = None,
) -> Work | None:
    """Copy the tensor of one process to the tensors of all.

    Args:
        tensor: any shape and dtype, the same in all processes; contiguous.
        src: the global rank of the process that has the values.
        group: the processes. Default: all.
        async_op: only begin, and return a `Work`. Default: False.
        group_src: the number of the process in the group, in place of `src`.

    Raises:
        ValueError: if the tensor is not contiguous, or the process not in the group.
        RuntimeError: if the processes do not call the same.

    Example:
        >>> import tapegrad
        >>> from tapegrad import distributed as dist
        >>> dist.init_process_group()
        >>> dist.broadcast(tapegrad.ones(2), src=0)
        >>> dist.destroy_process_group()
    """
    if (chosen := resolve(group)) is None:
        return None
    source = root(chosen, src, group_src)
    steps = _broadcast(chosen, elements(tensor), source)
    tensors = [] if chosen.rank() == source else [tensor]
    return _begun(chosen, async_op, _label(f"broadcast({source})", tensor), steps, tensors)


def all_gather(
    tensor_list: Sequence[Tensor], tensor: Tensor, group: Any = None, async_op: bool = False
) -> Work | None:
    """Give the tensors of all processes to each of them.

    Args:
        tensor_list: a tensor for each process, in which its values arrive.
        tensor: what this one gives, the same shape and dtype in all processes; contiguous.
        group: the processes. Default: all.
        async_op: only begin, and return a `Work`. Default: False.

    Raises:
        TypeError: if dtypes differ.
        ValueError: if numbers of tensors or elements do not fit.
        RuntimeError: if the processes do not call the same.

    Example:
        >>> import tapegrad
        >>> from tapegrad import distributed as dist
        >>> dist.init_process_group()
        >>> all_of_them = [tapegrad.zeros(2) for _ in range(dist.get_world_size())]
        >>> dist.all_gather(all_of_them, tapegrad.ones(2))
        >>> all_of_them
        [tensor([1., 1.])]
        >>> dist.destroy_process_group()
    """
    if (chosen := resolve(group)) is None:
        return None
    flat = elements(tensor)
    _check_list(tensor_list, "tensor_list", flat, chosen.size())
    steps = _gathered(chosen, flat, tensor_list)
    return _begun(chosen, async_op, _label("all_gather", tensor), steps, tensor_list)


def all_gather_into_tensor(
    output_tensor: Tensor, input_tensor: Tensor, group: Any = None, async_op: bool = False
) -> Work | None:
    """Give the tensors of all processes to each of them, as one tensor without a copy.

    Args:
        output_tensor: as large as the tensors of all processes together, in the order of ranks;
            contiguous.
        input_tensor: what this process gives, the same shape and dtype in all; contiguous.
        group: the processes. Default: all.
        async_op: only begin, and return a `Work`. Default: False.

    Raises:
        TypeError: if the dtypes differ.
        ValueError: if the sizes do not fit.
        RuntimeError: if the processes do not call the same.
    """
    if (chosen := resolve(group)) is None:
        return None
    out, flat = elements(output_tensor), elements(input_tensor)
    _check_pair("output_tensor", out, flat, chosen.size() * flat.numel())
    steps = _gathered_into(chosen, flat, out)
    what = _label("all_gather_into_tensor", input_tensor)
    return _begun(chosen, async_op, what, steps, [output_tensor])


def gather(
    tensor: Tensor,
    gather_list: Sequence[Tensor] | None = None,
    dst: int | None = None,
    group: Any = None,
    async_op: bool = False,
    group_dst: int | None = None,
) -> Work | None:
    """Give the tensors of all processes to one of them.

    Args:
        tensor: what this process gives, the same shape and dtype in all; contiguous.
        gather_list: in the process that gets them a tensor for each, in the others None.
        dst: the global rank of that process. Default: 0.
        group: the processes. Default: all.
        async_op: only begin, and return a `Work`. Default: False.
        group_dst: the number of the process in the group, in place of `dst`.

    Raises:
        TypeError: if dtypes differ.
        ValueError: if the list is given where it must not be, or does not fit.
        RuntimeError: if the processes do not call the same.
    """
    if (chosen := resolve(group)) is None:
        return None
    to = root(chosen, dst, group_dst, default=0)
    flat = elements(tensor)
    tensors = _check_root("gather_list", "destination", gather_list, chosen.rank() == to)
    if tensors is not None:
        _check_list(tensors, "gather_list", flat, chosen.size())
    steps = _gathered_to(chosen, flat, tensors, to)
    return _begun(chosen, async_op, _label(f"gather({to})", tensor), steps, tensors or ())


def scatter(
    tensor: Tensor,
    scatter_list: Sequence[Tensor] | None = None,
    src: int | None = None,
    group: Any = None,
    async_op: bool = False,
    group_src: int | None = None,
) -> Work | None:
    """Give each process one of the tensors of one process.

    Args:
        tensor: gets the values, the same shape and dtype in all processes; contiguous.
        scatter_list: in the process that has them a tensor for each, in the others None.
        src: the global rank of that process. Default: 0.
        group: the processes. Default: all.
        async_op: only begin, and return a `Work`. Default: False.
        group_src: the number of the process in the group, in place of `src`.

    Raises:
        TypeError: if dtypes differ.
        ValueError: if the list is given where it must not be, or does not fit.
        RuntimeError: if the processes do not call the same.
    """
    if (chosen := resolve(group)) is None:
        return None
    source = root(chosen, src, group_src, default=0)
    flat = elements(tensor)
    tensors = _check_root("scatter_list", "source", scatter_list, chosen.rank() == source)
    if tensors is not None:
        _check_list(tensors, "scatter_list", flat, chosen.size())
    steps = _scattered(chosen, flat, tensors, source)
    return _begun(chosen, async_op, _label(f"scatter({source})", tensor), steps, [tensor])


def barrier(group: Any = None, async_op: bool = False, device_ids: Any = None) -> Work | None:
    """Wait until all processes are here.

    Args:
        group: the processes. Default: all.
        async_op: only begin, and return a `Work`. Default: False.
        device_ids: ignored.

    Raises:
        RuntimeError: if the processes do not call the same.
    """
    if (chosen := resolve(group)) is None:
        return None
    return _begun(chosen, async_op, "barrier", iter(()))
