"""Reading and writing at places."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ... import _C
from ..._C import Tensor
from ...utils._python_dispatch import _modes
from .._levels import BatchedTensor, Level, VmapError, below, current_levels, wrap
from ._tools import Rule, Signature, batched, cast, lift, refuse_out, shift, value_of

__all__ = ["RULES", "getitem_of_level", "level_of_index", "setitem_of_level"]

INPLACE = (
    "vmap: inplace arithmetic(self, *extra_args) is not possible because there exists a Tensor "
    "`other` in extra_args that has more elements than `self`. This happened due to `other` being "
    "vmapped over but `self` not being vmapped over at level {}. Please try to use out-of-place "
    "operators instead of inplace arithmetic."
)


def all_in_line(
    tensors: tuple[str, ...], dims: tuple[str, ...] = ("dim",)
) -> Callable[[str, Callable[..., Any]], Rule]:
    """All tensors get the batch in front, and dimensions move behind it."""

    def make(operator: str, op: Callable[..., Any]) -> Rule:
        signature = Signature(operator)
        numbers = operator.startswith(("gather", "scatter"))  # as if they were vectors

        def rule(level: Level, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            refuse_out(operator, kwargs)
            bound = signature.bind(args, kwargs)
            input = bound[tensors[0]]
            rank = input.dim()
            for name in tensors:
                x = bound.values.get(name)
                if isinstance(x, Tensor):
                    value = value_of(level, x)
                    bound[name] = value.unsqueeze(1) if numbers and x.dim() == 0 else value
            for name in dims:
                bound[name] = shift(bound[name], rank)
            result = bound.call(op)
            shape = input if operator != "gather" else args[2] if len(args) > 2 else kwargs["index"]
            return wrap(level, result.squeeze(1) if shape.dim() == 0 else result)

        return rule

    return make


def _scatter(operator: str, op: Callable[..., Any]) -> Rule:
    """A batched number to be written becomes a source."""
    in_line = all_in_line(("input", "index", "src"))(operator, op)
    signature = Signature(operator)

    def rule(level: Level, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        bound = signature.bind(args, kwargs)
        number = bound["value"] if "value" in bound else bound["src"]
        index = bound["index"]
        if batched(level, number) and number.dim() == 0 and index.dim():
            value = number._value._to_dtype(bound["input"].dtype)
            source = lift(value, index.dim()).expand(level.size, *index.shape)
            rest = {"reduce": bound["reduce"]} if "reduce" in bound else {}
            args, kwargs = (bound["input"], bound["dim"], index, wrap(level, source)), rest
        return in_line(level, args, kwargs)

    return rule


def _rows(level: Level, x: Tensor, dim: int) -> tuple[Tensor, int]:
    """Values with the dimension in front and all samples in it, and its size."""
    value = value_of(level, x)
    if x.dim() == 0:
        value = value.unsqueeze(1)
    value = value.movedim(shift(dim, x.dim()), 1)
    return value.flatten(0, 1), value.shape[1]


def _places(level: Level, index: Tensor, size: int, negative: bool = False) -> Tensor:
    """Indices of each sample, in the rows of all samples. They have to be in range."""
    value = value_of(level, index)
    if index.dim() == 0:
        value = value.unsqueeze(1)
    plain = value
    while isinstance(plain, BatchedTensor):
        plain = plain._value
    if plain.numel():
        low, high = plain.aminmax()
        lowest, highest = low.item(), high.item()
        if lowest < (-size if negative else 0) or highest >= size:
            raise IndexError("index out of range in self")
    if negative:
        value = _C.where(value < 0, value + size, value)
    first = _C.arange(level.size) * size
    return (value + first.reshape(-1, *[1] * (value.dim() - 1))).flatten()


def _by_rows(*sources: str) -> Callable[[str, Callable[..., Any]], Rule]:
    """An operator with a vector of places along a dimension, which may differ for each sample."""

    def make(operator: str, op: Callable[..., Any]) -> Rule:
        signature = Signature(operator)
        negative = operator in ("index_fill", "index_copy")

        def rule(level: Level, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            refuse_out(operator, kwargs)
            bound = signature.bind(args, kwargs)
            input, dim, index = bound["input"], bound["dim"], bound["index"]
            if not batched(level, index) and input.dim():
                bound["input"] = value_of(level, input)
                for name in sources:
                    bound[name] = value_of(level, bound[name])
                bound["dim"] = shift(dim, input.dim())
                return wrap(level, bound.call(op))
            if index.dim() > 1:
                raise IndexError(f"{operator}(): Index is supposed to be a vector")
            rows, size = _rows(level, input, dim)
            bound["input"], bound["dim"] = rows, 0
            bound["index"] = _places(level, index, size, negative)
            for name in sources:
                bound[name] = _rows(level, bound[name], dim)[0]
            result = bound.call(op)
            result = result.unflatten(0, (level.size, -1)).movedim(1, shift(dim, input.dim()))
            return wrap(level, result.squeeze(1) if input.dim() == 0 else result)

        return rule

    return make


def _index_fill(operator: str, op: Callable[..., Any]) -> Rule:
    fill = _by_rows()(operator, op)
    copy = _by_rows("source")("index_copy", _C.index_copy)

    def rule(level: Level, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        input, dim, index, number = (*args, *kwargs.values())
        if not batched(level, number):
            return fill(level, (input, dim, index, number), {})
        shape = list(input.shape)
        if shape:
            shape[dim] = index.numel()
        value = lift(cast(level, number, input.dtype)._value, len(shape))  # type: ignore[attr-defined]
        source = wrap(level, value.expand(level.size, *shape))
        return copy(level, (input, dim, index, source), {})

    return rule


def _embedding(operator: str, op: Callable[..., Any]) -> Rule:
    signature = Signature(operator)

    def rule(level: Level, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        bound = signature.bind(args, kwargs)
        weight, indices = bound["weight"], bound["indices"]
        if not batched(level, weight):
            bound["indices"] = indices._value
            return wrap(level, bound.call(op))
        if bound["padding_idx"] >= 0 or bound["scale_grad_by_freq"]:
            # What this says of gradients holds for each sample alone.
            from ._loop import over_samples

            return over_samples(level, op, args, kwargs)
        if not batched(level, indices):
            return wrap(level, _selected(weight._value, indices, 1))
        rows, size = _rows(level, weight, 0)
        flat = op(rows, _places(level, indices, size))
        return wrap(level, flat.reshape(level.size, *indices.shape, weight.shape[1]))

    return rule


def _selected(value: Tensor, index: Tensor, dim: int) -> Tensor:
    found = value.index_select(dim, index.reshape(-1))
    return found.reshape(*value.shape[:dim], *index.shape, *value.shape[dim + 1 :])


def _index_put(operator: str, op: Callable[..., Any]) -> Rule:
    signature = Signature(operator)

    def rule(level: Level, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        bound = signature.bind(args, kwargs)
        value = value_of(level, bound["input"]).clone()
        target = wrap(level, value)
        index = tuple(slice(None) if i is None else i for i in bound["indices"])
        _write(level, target, index, bound["values"], bool(bound["accumulate"]))
        return target

    return rule


def _put(operator: str, op: Callable[..., Any]) -> Rule:
    signature = Signature(operator)

    def rule(level: Level, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        bound = signature.bind(args, kwargs)
        input, index, source = (bound[name] for name in ("input", "index", "source"))
        value = value_of(level, input)
        flat = value.reshape(level.size * input.numel())
        places = _places(level, index, input.numel(), True)
        values = value_of(level, source).reshape(-1)
        return wrap(level, op(flat, places, values, bound["accumulate"]).reshape(value.shape))

    return rule


def _searchsorted(operator: str, op: Callable[..., Any]) -> Rule:
    def rule(level: Level, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        refuse_out(operator, kwargs)
        lines, input = args
        if not isinstance(input, Tensor):
            input = _C.tensor(input)
        kwargs = {n: value_of(level, v) if n == "sorter" else v for n, v in kwargs.items()}
        if lines.dim() == 1:
            values = value_of(level, input)
            flat = values.reshape(level.size, -1) if input.numel() else values.flatten(1)
            found = op(value_of(level, lines), flat, **kwargs)
            return wrap(level, found.reshape(values.shape))
        return wrap(level, op(value_of(level, lines), value_of(level, input), **kwargs))

    return rule


# ---------------------------------------------------------------------- x[index]


def level_of_index(x: Any, index: Any, value: Any = None) -> Level | None:
    """The innermost level among the operands, where a mode is to be asked."""
    stack = _modes.stack
    if not stack:
        return None
    found = None
    parts = index if isinstance(index, tuple) else (index,)
    for part in (x, value, *parts):
        if type(part) is list and any(isinstance(item, BatchedTensor) for item in part):
            raise VmapError("vmap: a list of batched indices is not supported; stack them first")
        if type(part) is BatchedTensor and (found is None or part._level.number > found.number):
            found = part._level
    if found is not None and found not in current_levels():
        raise VmapError("a Tensor of a vmap that is over was used inside of another one")
    return found


def _spelled(index: Any, rank: int) -> list[Any]:
    """The index as a list without an ellipsis; lists as tensors."""
    parts = list(index) if isinstance(index, tuple) else [index]
    parts = [_C.tensor(p) if isinstance(p, list) else p for p in parts]
    used = 0
    for part in parts:
        if isinstance(part, Tensor) and part.dtype in (_C.bool, _C.uint8):
            used += part.dim()
        elif part is not None and part is not Ellipsis and not isinstance(part, bool):
            used += 1
    for i, part in enumerate(parts):
        if part is Ellipsis:
            return parts[:i] + [slice(None)] * (rank - used) + parts[i + 1 :]
    return parts


def _is_advanced(part: Any) -> bool:
    return isinstance(part, Tensor)


class _Index:
    """An index of a sample, told for the values of all samples."""

    def __init__(self, level: Level, index: Any, rank: int) -> None:
        parts = _spelled(index, rank)
        tensors = any(map(_is_advanced, parts))
        self.moved: list[int] = []  # where the result has what belongs behind the batch
        self.batched = any(batched(level, p) for p in parts)
        # With tensors in the index numbers are places as well.
        at = [i for i, p in enumerate(parts) if _is_advanced(p) or (tensors and type(p) is int)]
        self.rank = 0
        apart = bool(at) and at[-1] - at[0] + 1 != len(at)
        if self.batched:
            parts, at = self._integers(level, parts, at)
            self.rank = max(p.dim() for p in parts if isinstance(p, Tensor))
            parts = [self._aligned(level, p) if i in at else p for i, p in enumerate(parts)]
        elif at:
            self.rank = max(_rank_of(p) for p in parts if isinstance(p, Tensor))
        self.before = (
            0
            if apart
            else sum(p is None or isinstance(p, slice) for p in parts[: at[0]])
            if at
            else 0
        )
        self.apart, self.parts, self.at = apart, parts, at

    def _integers(self, level: Level, parts: list[Any], at: list[int]) -> Any:
        """Masks as places."""
        result: list[Any] = []
        places: list[int] = []
        for i, part in enumerate(parts):
            if isinstance(part, Tensor) and part.dtype == _C.bool:
                if batched(level, part):
                    raise VmapError(
                        "vmap: It looks like you're attempting to index with a mask that is being "
                        "vmapped over: the shape of the result would be dynamic. Use "
                        "tapegrad.where."
                    )
                found = part.nonzero(as_tuple=True)
                places += range(len(result), len(result) + len(found))
                result += found
            else:
                if i in at:
                    places.append(len(result))
                result.append(_C.tensor(part) if i in at and type(part) is int else part)
        return result, places

    def _aligned(self, level: Level, part: Any) -> Any:
        return lift(part._value, self.rank - part.dim()) if batched(level, part) else part


def _rank_of(part: Tensor) -> int:
    return 1 if part.dtype in (_C.bool, _C.uint8) else part.dim()


def getitem_of_level(level: Level, x: Any, index: Any) -> Tensor:
    """`x[index]` where an operand is batched."""
    with below(level):
        if type(index) is int and batched(level, x) and x.dim():
            return wrap(level, x._value.select(1, index))
        return wrap(level, _read(level, x, _Index(level, index, x.dim())))


def _read(level: Level, x: Any, index: _Index) -> Tensor:
    k = index.rank
    if not index.batched:
        at = (slice(None), *index.parts)
        value = x._value[at]
        return value.movedim(k, 0) if index.apart else value
    if not batched(level, x):
        # The batch is the first dimension of the places.
        value = x[tuple(index.parts)]
        return value.movedim(index.before, 0) if index.before else value
    first = _C.arange(level.size).reshape(-1, *[1] * k)
    at = (first, *index.parts)
    value = x._value[at]
    if index.before:
        target = range(1 + index.before, 1 + index.before + k)
        value = value.movedim(tuple(range(1, 1 + k)), tuple(target)) if k else value
    return value


def setitem_of_level(level: Level, x: Any, index: Any, value: Any) -> None:
    """`x[index] = value` where an operand is batched."""
    if not batched(level, x):
        raise VmapError(INPLACE.format(level.number))
    with below(level):
        _write(level, x, index, value, False)


def _write(level: Level, x: Any, index: Any, value: Any, accumulate: bool) -> None:
    if isinstance(index, Tensor) and index.dtype == _C.bool and batched(level, index):
        if isinstance(value, Tensor) and value.dim():
            raise VmapError("vmap: writing a tensor at a batched mask has a dynamic shape")
        mask = lift_right(index._value, x.dim() - index.dim())  # type: ignore[attr-defined]
        number = value if not batched(level, value) else lift(value._value, x.dim())
        if not isinstance(number, Tensor):
            number = _C.tensor(number, dtype=x.dtype)
        x._value.copy_(_C.where(mask, number._to_dtype(x.dtype), x._value))
        return
    place = _Index(level, index, x.dim())
    k = place.rank
    target = x._value
    parts: tuple[Any, ...] = (slice(None), *place.parts)
    if place.batched:
        parts = (_C.arange(level.size).reshape(-1, *[1] * k), *place.parts)
    if batched(level, value):
        with _C._NoGrad():
            shape = _read(level, x, place).shape[1:]
        lifted = lift(value._value, max(len(shape) - value.dim(), 0))
        while lifted.dim() - 1 > len(shape) and lifted.shape[1] == 1:
            lifted = lifted.squeeze(1)
        if place.apart and not place.batched:
            lifted = lifted.expand(level.size, *shape).movedim(0, k)
        elif place.before and place.batched:
            lifted = lifted.expand(level.size, *shape)
            source = tuple(range(1 + place.before, 1 + place.before + k))
            lifted = lifted.movedim(source, tuple(range(1, 1 + k))) if k else lifted
        value = lifted
    elif isinstance(value, Tensor) and value.dim() and (place.before and place.batched):
        with _C._NoGrad():
            shape = _read(level, x, place).shape[1:]
        source = tuple(range(place.before, place.before + k))
        value = value.expand(shape).movedim(source, tuple(range(k))) if k else value
        value = value.unsqueeze(0) if k else value
        value = value.expand(level.size, *value.shape[1:]) if k else value
    if accumulate:
        target.index_put_([p if isinstance(p, Tensor) else None for p in parts], value, True)
    else:
        target[parts] = value


def lift_right(value: Tensor, missing: int) -> Tensor:
    for _ in range(missing):
        value = value.unsqueeze(-1)
    return value


RULES = {
    "gather": all_in_line(("input", "index")),
    "scatter": _scatter,
    "scatter_add": all_in_line(("input", "index", "src")),
    "scatter_reduce": all_in_line(("input", "index", "src")),
    "select_scatter": all_in_line(("input", "src")),
    "slice_scatter": all_in_line(("input", "src")),
    "diagonal_scatter": all_in_line(("input", "src"), ("dim1", "dim2")),
    "index_select": _by_rows(),
    "index_add": _by_rows("source"),
    "index_copy": _by_rows("source"),
    "index_reduce": _by_rows("source"),
    "index_fill": _index_fill,
    "embedding": _embedding,
    "index_put": _index_put,
    "put": _put,
    "searchsorted": _searchsorted,
}
