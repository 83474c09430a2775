"""Views and other operators that only arrange elements."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..._C import Tensor
from .._levels import Level, wrap
from ._tools import Rule, Signature, as_ints, refuse_out, rewrap, shift, value_of

__all__ = ["RULES"]

Op = Callable[..., Any]


def _of_first(change: Callable[..., Any]) -> Callable[[str, Op], Rule]:
    """A rule of an operator of one tensor: `change` gets the values, the rank and the arguments."""

    def make(operator: str, op: Op) -> Rule:
        signature = Signature(operator)

        def rule(level: Level, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            refuse_out(operator, kwargs)
            bound = signature.bind(args, kwargs)
            x = bound[bound.first]
            value, rank = value_of(level, x), x.dim()
            bound[bound.first] = value
            result = change(op, bound, value, rank, level)
            return wrap(level, result) if isinstance(result, Tensor) else rewrap(level, result)

        return rule

    return make


def _dims(*names: str, scalar: str = "run") -> Callable[[str, Op], Rule]:
    """Parameters that are dimensions move behind the batch.

    Args:
        names: the parameters.
        scalar: for a number, "run" gives it a dimension first, and "keep" takes that away again.
    """

    def change(op: Op, bound: Any, value: Tensor, rank: int, level: Level) -> Any:
        if rank == 0:
            bound[bound.first] = value.unsqueeze(1)
        for name in names:
            given = bound[name]
            if given is None:
                continue
            if isinstance(given, int):
                bound[name] = shift(given, rank)
            else:
                bound[name] = [shift(d, rank) for d in as_ints(given)]
        result = bound.call(op)
        return result.squeeze(1) if rank == 0 and scalar == "keep" else result

    return _of_first(change)


def _sizes(bound: Any, *names: str) -> list[int]:
    return next(as_ints(bound[name]) for name in names if name in bound)


def _view(op: Op, bound: Any, value: Tensor, rank: int, level: Level) -> Any:
    if "dtype" in bound.values:
        if rank == 0:
            return op(value.unsqueeze(1), bound["dtype"]).squeeze(1)
        return bound.call(op)
    sizes = _sizes(bound, "size", "shape")
    if -1 in sizes:
        count = value.shape[1:].numel()
        known = 1
        for size in sizes:
            known *= size if size != -1 else 1
        if sizes.count(-1) == 1 and known and count % known == 0:
            sizes = [count // known if size == -1 else size for size in sizes]
    return op(value, (level.size, *sizes))


def _expand(op: Op, bound: Any, value: Tensor, rank: int, level: Level) -> Any:
    sizes = _sizes(bound, "size")
    for _ in range(len(sizes) - rank):
        value = value.unsqueeze(1)
    return op(value, (level.size, *sizes))


def _permute(op: Op, bound: Any, value: Tensor, rank: int, level: Level) -> Any:
    dims = as_ints(bound["dims"]) if rank else list(bound["dims"] and as_ints(bound["dims"]))
    return op(value, (0, *(shift(d, rank) for d in dims)))


def _t(op: Op, bound: Any, value: Tensor, rank: int, level: Level) -> Any:
    if rank > 2:
        raise RuntimeError(
            f"t() expects a tensor with <= 2 dimensions, but self is {rank}D"
        )  # fmt: skip
    result = value.transpose(1, 2) if rank == 2 else value
    return result.clone() if op.__name__ == "t_copy" else result


def _squeeze(op: Op, bound: Any, value: Tensor, rank: int, level: Level) -> Any:
    dims = bound.values.get("dim", bound.values.get("dims"))
    if dims is None and len(bound.values) == 1:
        dims = [d for d in range(rank) if value.shape[d + 1] == 1]
    places = [shift(d, rank) for d in (as_ints(dims) if dims != () else ())]
    if rank == 0 or not places:
        return value.clone() if op.__name__ == "squeeze_copy" else value.view_as(value)
    if op.__name__ == "squeeze_copy":
        return value.squeeze(places).clone()
    return op(value, places)


def _unsqueeze(op: Op, bound: Any, value: Tensor, rank: int, level: Level) -> Any:
    return op(value, shift(bound["dim"], rank + 1))


def _flatten(op: Op, bound: Any, value: Tensor, rank: int, level: Level) -> Any:
    if rank == 0:
        return value.unsqueeze(1)
    return op(value, shift(bound["start_dim"], rank), shift(bound["end_dim"], rank))


def _ravel(op: Op, bound: Any, value: Tensor, rank: int, level: Level) -> Any:
    return value.flatten(1) if rank else value.unsqueeze(1)


def _diag(op: Op, bound: Any, value: Tensor, rank: int, level: Level) -> Any:
    diagonal = bound["diagonal"]
    if rank == 1:
        return value.diag_embed(diagonal)
    if rank != 2:
        raise RuntimeError(f"diag(): Supports 1D or 2D tensors. Got {rank}D")
    return value.diagonal(diagonal, 1, 2).clone()


def _diag_embed(op: Op, bound: Any, value: Tensor, rank: int, level: Level) -> Any:
    # Both dimensions are those of the result.
    bound["dim1"], bound["dim2"] = (shift(bound[name], rank + 1) for name in ("dim1", "dim2"))
    return bound.call(op)


def _rot90(op: Op, bound: Any, value: Tensor, rank: int, level: Level) -> Any:
    bound["dims"] = [shift(d, rank) for d in bound["dims"] or (0, 1)]
    return bound.call(op)


def _roll(op: Op, bound: Any, value: Tensor, rank: int, level: Level) -> Any:
    dims = bound["dims"]
    if dims is None or dims == () or dims == []:
        rows = value.reshape(level.size, -1) if value.numel() else value.flatten(1)
        return op(rows, bound["shifts"], 1).reshape(value.shape) if rank else value
    if rank == 0:
        return value
    return op(value, bound["shifts"], [shift(d, rank) for d in as_ints(dims)])


def _repeat(op: Op, bound: Any, value: Tensor, rank: int, level: Level) -> Any:
    repeats = as_ints(bound["repeats"]) if bound["repeats"] else []
    if len(repeats) < rank:
        raise RuntimeError(
            "Number of dimensions of repeat dims can not be smaller than number of dimensions of "
            "tensor"
        )
    for _ in range(len(repeats) - rank):
        value = value.unsqueeze(1)
    return op(value, (1, *repeats))


def _as_strided(op: Op, bound: Any, value: Tensor, rank: int, level: Level) -> Any:
    # The strides are those that a sample alone would have.
    value = value.contiguous()
    size, stride = as_ints(bound["size"]), as_ints(bound["stride"])
    offset = bound["storage_offset"] or 0
    ahead = value.shape[1:].numel()
    last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True))
    if 0 not in size and last >= ahead:
        raise RuntimeError("vmap: as_strided would reach beyond the elements of a sample")
    return op(value, (level.size, *size), (ahead, *stride), value.storage_offset() + offset)


def _unflatten(op: Op, bound: Any, value: Tensor, rank: int, level: Level) -> Any:
    return op(value, shift(bound["dim"], rank), bound["sizes"])


def _native(op: Op, bound: Any, value: Tensor, rank: int, level: Level) -> Any:
    return bound.call(op)


def _new(op: Op, bound: Any, value: Tensor, rank: int, level: Level) -> Any:
    sizes = as_ints(bound["size"]) if bound["size"] != () else []
    if "fill_value" in bound:
        bound["size"] = (level.size, *sizes)
    else:
        bound["size"] = ((level.size, *sizes),)
    return bound.call(op)


def _trace(op: Op, bound: Any, value: Tensor, rank: int, level: Level) -> Any:
    if rank != 2:
        raise RuntimeError("trace: expected a matrix")
    return value.diagonal(0, 1, 2).sum(1)


def _combinations(op: Op, bound: Any, value: Tensor, rank: int, level: Level) -> Any:
    from ... import _C

    places = op(_C.arange(value.shape[1]), bound["r"], bound["with_replacement"])
    return value[:, places]


_PARTED = """
unbind unbind_copy split split_copy split_with_sizes split_with_sizes_copy chunk unsafe_chunk
unsafe_split unsafe_split_with_sizes tensor_split
"""
RULES = {
    **dict.fromkeys(("view", "reshape"), _of_first(_view)),
    "view_copy": _of_first(_view),
    **dict.fromkeys(("expand", "broadcast_to", "expand_copy"), _of_first(_expand)),
    **dict.fromkeys(("permute", "permute_copy"), _of_first(_permute)),
    **dict.fromkeys(("t", "t_copy"), _of_first(_t)),
    **dict.fromkeys(("squeeze", "squeeze_copy"), _of_first(_squeeze)),
    **dict.fromkeys(("unsqueeze", "unsqueeze_copy"), _of_first(_unsqueeze)),
    "flatten": _of_first(_flatten),
    "ravel": _of_first(_ravel),
    "diag": _of_first(_diag),
    "roll": _of_first(_roll),
    "repeat": _of_first(_repeat),
    **dict.fromkeys(("as_strided", "as_strided_copy"), _of_first(_as_strided)),
    "unflatten": _of_first(_unflatten),
    "trace": _of_first(_trace),
    "combinations": _of_first(_combinations),
    **dict.fromkeys(("tril", "triu"), _of_first(_native)),
    **dict.fromkeys(("new_empty", "new_full", "new_ones", "new_zeros"), _of_first(_new)),
    **dict.fromkeys(("transpose", "transpose_copy"), _dims("dim0", "dim1", scalar="keep")),
    "swapaxes": _dims("axis0", "axis1", scalar="keep"),
    "movedim": _dims("source", "destination", scalar="keep"),
    **dict.fromkeys(("diagonal", "diagonal_copy"), _dims("dim1", "dim2")),
    "linalg_diagonal": _dims("dim1", "dim2"),
    "unravel_index": _of_first(_native),
    "flip": _dims("dims", scalar="keep"),
    "rot90": _of_first(_rot90),
    "diag_embed": _of_first(_diag_embed),
    **dict.fromkeys(("select", "select_copy", "narrow", "slice_copy"), _dims("dim")),
    **dict.fromkeys(("unfold", "unfold_copy"), _dims("dimension", scalar="keep")),
    **dict.fromkeys(
        _PARTED.split(),
        _dims("dim"),
    ),
}
