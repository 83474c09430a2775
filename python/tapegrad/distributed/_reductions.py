"""What a reduction does with the tensors of several processes, always in the order of ranks."""

from __future__ import annotations

from enum import Enum

from .. import _C
from .._C import Tensor, dtype
from ..autograd.grad_mode import no_grad

__all__ = ["ReduceOp", "check", "combine"]


class ReduceOp(Enum):
    """What `all_reduce` and its relatives do with the tensors of several processes.

    ``BAND``, ``BOR`` and ``BXOR`` are for integers and bools, ``AVG`` for floating point.

    Example:
        >>> import tapegrad
        >>> tapegrad.distributed.ReduceOp.SUM.name
        'SUM'
    """

    SUM = 0
    AVG = 1
    PRODUCT = 2
    MIN = 3
    MAX = 4
    BAND = 5
    BOR = 6
    BXOR = 7


_FUNCTIONS = {
    ReduceOp.SUM: _C.add,
    ReduceOp.AVG: _C.add,
    ReduceOp.PRODUCT: _C.mul,
    ReduceOp.MIN: _C.minimum,
    ReduceOp.MAX: _C.maximum,
    ReduceOp.BAND: _C.bitwise_and,
    ReduceOp.BOR: _C.bitwise_or,
    ReduceOp.BXOR: _C.bitwise_xor,
}
_BITWISE = (ReduceOp.BAND, ReduceOp.BOR, ReduceOp.BXOR)


def check(op: ReduceOp, tensor: Tensor, reduce_dtype: dtype | None) -> None:
    """Raise what a reduction raises, before anything is sent.

    Raises:
        TypeError: if `op` is not a ReduceOp, or `reduce_dtype` not a floating-point dtype that goes
            with a floating-point tensor.
        RuntimeError: if `op` is not for the tensor's dtype.
    """
    if not isinstance(op, ReduceOp):
        raise TypeError(f"Expecting a ReduceOp, but got {op!r}")
    if tensor.is_floating_point():
        if op in _BITWISE:
            raise RuntimeError(f"Cannot use ReduceOp.{op.name} with non-integral dtype")
    elif op is ReduceOp.AVG:
        raise RuntimeError(f"Cannot use ReduceOp.AVG with {tensor.dtype}: it is not floating point")
    if reduce_dtype is not None and not (
        isinstance(reduce_dtype, dtype)
        and reduce_dtype.is_floating_point
        and tensor.is_floating_point()
    ):
        raise TypeError(
            f"reduce_dtype is a floating-point dtype for a floating-point tensor, but got "
            f"{reduce_dtype!r} for {tensor.dtype}"
        )


def combine(op: ReduceOp, rows: Tensor, reduce_dtype: dtype | None, out: Tensor) -> None:
    """Reduce the rows of a matrix from the first to the last, and round once at the end.

    Args:
        op: the reduction.
        rows: the elements of each rank, two rows at least.
        reduce_dtype: what to compute in. Default: the rows' dtype, and float32 for halves.
        out: where the result goes, one-dimensional, with the rows' dtype.
    """
    if reduce_dtype is None and rows.dtype in (_C.float16, _C.bfloat16):
        reduce_dtype = _C.float32
    function = _FUNCTIONS[op]
    count = rows.shape[0]
    with no_grad():
        if reduce_dtype in (None, rows.dtype):
            total = function(rows[0], rows[1], out=out)
        else:
            first, second = rows[0].to(reduce_dtype), rows[1].to(reduce_dtype)
            total = function(first, second, out=first)
        for rank in range(2, count):
            function(total, rows[rank].to(total.dtype), out=total)
        if op is ReduceOp.AVG:
            total.div_(count)
        if total is not out:
            out.copy_(total)
