"""Views, indexing, joining and padding."""

from __future__ import annotations

import sys
from typing import Any

from ... import _C
from ..._C import Tensor
from ._table import Table

__all__ = ["CONVERTERS"]

CONVERTERS = Table()


@CONVERTERS.of(
    *("reshape", "view", "flatten", "unflatten", "squeeze", "unsqueeze", "view_as", "reshape_as"),
    *("ravel",),
)
def _reshape(g: Any, input: Tensor, *args: Any, **kwargs: Any) -> Any:
    if g.result.dtype is not input.dtype:
        raise g.refuse("changes the dtype of the bits")
    return g.reshape(input, g.result.shape)


@CONVERTERS.of("contiguous", "clone", "detach", "alias", "positive", "requires_grad_")
def _same(g: Any, input: Tensor, *args: Any, **kwargs: Any) -> Any:
    return g.node("Identity", input)


def _numbers(values: tuple[Any, ...]) -> list[int]:
    """What is given one by one or as a sequence."""
    if len(values) == 1 and not isinstance(values[0], int):
        return list(values[0])
    return list(values)


@CONVERTERS.of("permute")
def _permute(g: Any, input: Tensor, *dims: Any) -> Any:
    return g.node("Transpose", input, perm=[d % input.dim() for d in _numbers(dims)])


@CONVERTERS.of("transpose", "swapaxes", "swapdims")
def _transpose(g: Any, input: Tensor, dim0: int, dim1: int) -> Any:
    order = list(range(input.dim()))
    order[dim0], order[dim1] = order[dim1], order[dim0]
    return g.node("Transpose", input, perm=order)


@CONVERTERS.of("t")
def _t(g: Any, input: Tensor) -> Any:
    return g.node("Transpose", input) if input.dim() == 2 else g.node("Identity", input)


@CONVERTERS.of("expand", "broadcast_to", "expand_as")
def _expand(g: Any, input: Tensor, *size: Any) -> Any:
    return g.node("Expand", input, g.ints(*g.result.shape))


@CONVERTERS.of("broadcast_tensors")
def _broadcast_tensors(g: Any, *tensors: Any) -> Any:
    tensors = tensors[0] if not isinstance(tensors[0], Tensor) else tensors
    return [g.node("Expand", x, g.ints(*g.result.shape)) for x in tensors]


@CONVERTERS.of("repeat", "tile")
def _repeat(g: Any, input: Tensor, *repeats: Any) -> Any:
    times = _numbers(repeats)
    times = [1] * (input.dim() - len(times)) + times
    wide = g.reshape(input, [1] * (len(times) - input.dim()) + list(input.shape))
    return g.node("Tile", wide, g.ints(*times))


@CONVERTERS.of("cat", "concat", "concatenate")
def _cat(g: Any, tensors: Any, dim: int = 0) -> Any:
    return g.node("Concat", *(g.cast(x, g.result.dtype) for x in tensors), axis=dim)


@CONVERTERS.of("stack")
def _stack(g: Any, tensors: Any, dim: int = 0) -> Any:
    axis = dim % g.result.dim()
    wide = [g.node("Unsqueeze", g.cast(x, g.result.dtype), g.ints(axis)) for x in tensors]
    return g.node("Concat", *wide, axis=axis)


def _slice(g: Any, x: Any, dim: int, start: int, stop: int, step: int = 1) -> Any:
    parts = (g.ints(n) for n in (start, stop, dim, step))
    return g.node("Slice", x, *parts)


@CONVERTERS.of("split", "chunk", "tensor_split", "split_with_sizes")
def _split(g: Any, input: Tensor, split_size: Any, dim: int = 0) -> Any:
    made, start = [], 0
    for part in g.call.results:
        made.append(_slice(g, input, dim, start, start + part.shape[dim]))
        start += part.shape[dim]
    return made


@CONVERTERS.of("unbind")
def _unbind(g: Any, input: Tensor, dim: int = 0) -> Any:
    return [_select(g, input, dim, i) for i in range(len(g.call.results))]


@CONVERTERS.of("select")
def _select(g: Any, input: Any, dim: int, index: int) -> Any:
    return g.node("Gather", input, g.number(index, _C.int64), axis=dim)


@CONVERTERS.of("narrow")
def _narrow(g: Any, input: Tensor, dim: int, start: int, length: int) -> Any:
    start %= max(input.shape[dim], 1)
    return _slice(g, input, dim, start, start + length)


@CONVERTERS.of("flip")
def _flip(g: Any, input: Tensor, *dims: Any) -> Any:
    made: Any = input
    for dim in _numbers(dims):
        made = _slice(g, made, dim, -1, -sys.maxsize - 1, -1)
    return made


@CONVERTERS.of("index_select")
def _index_select(g: Any, input: Tensor, dim: int, index: Tensor) -> Any:
    return g.node("Gather", input, index, axis=dim)


@CONVERTERS.of("gather", "take_along_dim")
def _gather(g: Any, input: Tensor, dim: int, index: Tensor) -> Any:
    return g.node("GatherElements", input, index, axis=dim)


@CONVERTERS.of("tril", "triu")
def _triangle(g: Any, input: Tensor, diagonal: int = 0) -> Any:
    upper = int(g.call.operator.startswith("triu"))
    return g.node("Trilu", input, g.number(diagonal, _C.int64), upper=upper)


@CONVERTERS.of("__getitem__")
def _getitem(g: Any, input: Tensor, index: Any) -> Any:
    """Numbers, slices, None and ... in any number, and one tensor of integers."""
    items = list(index) if isinstance(index, tuple) else [index]
    named = sum(1 for item in items if item is not None and item is not Ellipsis)
    if not any(item is Ellipsis for item in items):
        items.append(Ellipsis)
    place = next(i for i, item in enumerate(items) if item is Ellipsis)
    items[place : place + 1] = [slice(None)] * (input.dim() - named)

    made: Any = input
    dim = 0  # of the result so far
    tensors = 0
    for item in items:
        if item is None:
            made = g.node("Unsqueeze", made, g.ints(dim))
            dim += 1
        elif isinstance(item, bool):
            raise g.refuse("has a bool as index")
        elif isinstance(item, int):
            made = _select(g, made, dim, item)
        elif isinstance(item, slice):
            if item != slice(None):
                stop = sys.maxsize if item.stop is None else item.stop
                made = _slice(g, made, dim, item.start or 0, stop, item.step or 1)
            dim += 1
        elif _are_places(item) and not tensors:
            tensors += 1
            places = item if isinstance(item, Tensor) else g.ints(*item)
            made = g.node("Gather", made, places, axis=dim)
            dim += len(places.shape)
        else:
            raise g.refuse("has an index other than numbers, slices, None and one tensor of them")
    return g.node("Identity", made) if made is input else made


def _are_places(item: Any) -> bool:
    if isinstance(item, Tensor):
        return item.dtype in (_C.int64, _C.int32)
    return isinstance(item, list) and all(type(n) is int for n in item)


# ---------------------------------------------------------------------- padding


def _padded(g: Any, input: Tensor, pad: Any, mode: str, value: Any = None) -> Any:
    """PyTorch has the last dimension first, both sides of each."""
    rest = input.dim() - len(pad) // 2
    before = [0] * rest + list(pad[0::2])[::-1]
    after = [0] * rest + list(pad[1::2])[::-1]
    return g.node("Pad", input, g.ints(*before, *after), value, mode=mode)


@CONVERTERS.of("constant_pad_nd")
def _constant_pad(g: Any, input: Tensor, pad: Any, value: Any = 0) -> Any:
    return _padded(g, input, pad, "constant", g.number(value, input.dtype))


@CONVERTERS.of("reflection_pad1d", "reflection_pad2d", "reflection_pad3d")
def _reflection_pad(g: Any, input: Tensor, padding: Any) -> Any:
    return _padded(g, input, padding, "reflect")


@CONVERTERS.of("replication_pad1d", "replication_pad2d", "replication_pad3d")
def _replication_pad(g: Any, input: Tensor, padding: Any) -> Any:
    return _padded(g, input, padding, "edge")


@CONVERTERS.of("circular_pad")
def _circular_pad(g: Any, input: Tensor, padding: Any) -> Any:
    made: Any = input
    for place in range(len(padding) // 2):
        dim = input.dim() - 1 - place
        before, after = padding[2 * place], padding[2 * place + 1]
        size = input.shape[dim]
        parts = [_slice(g, made, dim, size - before, size)] if before > 0 else []
        parts.append(_slice(g, made, dim, max(-before, 0), size + min(after, 0)))
        parts += [_slice(g, made, dim, 0, after)] if after > 0 else []
        made = g.node("Concat", *parts, axis=dim)
    return made
