"""Operators that are written with others, as a program could write them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ... import _C
from ..._C import Tensor

__all__ = ["RULES"]


def _tensors(args: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(args[0]) if len(args) == 1 and isinstance(args[0], list | tuple) else args


def _atleast(rank: int) -> Callable[..., Any]:
    def one(x: Tensor) -> Tensor:
        if x.dim() >= rank:
            return x
        if rank == 1:
            return x.reshape(1)
        if rank == 2:
            return x.reshape(1, 1) if x.dim() == 0 else x.unsqueeze(0)
        if x.dim() == 0:
            return x.reshape(1, 1, 1)
        return x.unsqueeze(0).unsqueeze(2) if x.dim() == 1 else x.unsqueeze(2)

    def atleast(*args: Any) -> Any:
        if len(args) == 1 and isinstance(args[0], Tensor):
            return one(args[0])
        return tuple(map(one, _tensors(args)))

    return atleast


def _hstack(tensors: Any) -> Tensor:
    parts = _atleast(1)(*tensors) if len(tensors) > 1 else (_atleast(1)(tensors[0]),)
    return _C.cat(parts, 0 if parts[0].dim() == 1 else 1)


def _vstack(tensors: Any) -> Tensor:
    return _C.cat([_atleast(2)(x) for x in tensors], 0)


def _dstack(tensors: Any) -> Tensor:
    return _C.cat([_atleast(3)(x) for x in tensors], 2)


def _column_stack(tensors: Any) -> Tensor:
    return _C.cat([x.reshape(x.numel(), 1) if x.dim() <= 1 else x for x in tensors], 1)


def _broadcast_tensors(*args: Any) -> Any:
    tensors = _tensors(args)
    shape = _C.broadcast_shapes(*[x.shape for x in tensors])
    return tuple(x.expand(shape) for x in tensors)


def _meshgrid(*args: Any, indexing: str | None = None) -> Any:
    tensors = [x.reshape(-1) for x in _tensors(args)]
    swap = indexing == "xy" and len(tensors) > 1
    if swap:
        tensors[:2] = tensors[1::-1]
    shape = [x.numel() for x in tensors]
    grids = []
    for i, x in enumerate(tensors):
        at = [1] * len(tensors)
        at[i] = -1
        grids.append(x.reshape(at).expand(shape))
    if swap:
        grids[:2] = grids[1::-1]
    return tuple(grids)


def _cartesian_prod(*args: Any) -> Any:
    tensors = _tensors(args)
    if len(tensors) == 1:
        return tensors[0]
    return _C.stack([grid.reshape(-1) for grid in _meshgrid(*tensors)], 1)


def _block_diag(*args: Any) -> Tensor:
    tensors = [_atleast(2)(x) for x in _tensors(args)]
    width = sum(x.shape[1] for x in tensors)
    rows, start = [], 0
    for x in tensors:
        end = start + x.shape[1]
        rows.append(_C.constant_pad_nd(x, (start, width - end), 0))
        start = end
    return _C.cat(rows, 0)


def _like(change: Callable[[Tensor, Any], Tensor]) -> Callable[..., Any]:
    return lambda input, other: change(input, other.shape)


def _sum_to_size(input: Tensor, *size: Any) -> Tensor:
    wanted = tuple(size[0]) if len(size) == 1 and not isinstance(size[0], int) else size
    ahead = input.dim() - len(wanted)
    dims = [d for d in range(input.dim()) if d < ahead or wanted[d - ahead] != input.shape[d]]
    if any(d >= ahead and wanted[d - ahead] != 1 for d in dims) or ahead < 0:
        raise RuntimeError(f"size {{{list(wanted)}}} is not expandable to size {list(input.shape)}")
    return input.sum(dims, True).reshape(wanted) if dims else input


def _tile(input: Tensor, *dims: Any) -> Tensor:
    repeats = list(dims[0]) if len(dims) == 1 and not isinstance(dims[0], int) else list(dims)
    return input.repeat([1] * (input.dim() - len(repeats)) + repeats)


def _split_along(places: Callable[[Tensor], int]) -> Callable[..., Any]:
    return lambda input, sections: input.tensor_split(sections, places(input))


def _diagflat(input: Tensor, offset: int = 0) -> Tensor:
    return input.reshape(-1).diag_embed(offset)


def _trapezoid(y: Tensor, x: Any = None, *, dx: Any = 1, dim: int = -1) -> Tensor:
    return _slabs(y, x, dx, dim).sum(dim)


def _cumulative_trapezoid(y: Tensor, x: Any = None, *, dx: Any = 1, dim: int = -1) -> Tensor:
    return _slabs(y, x, dx, dim).cumsum(dim)


def _slabs(y: Tensor, x: Any, dx: Any, dim: int) -> Tensor:
    count = max(y.shape[dim] - 1, 0)
    start = min(1, y.shape[dim])
    pairs = y.narrow(dim, start, count) + y.narrow(dim, 0, count)
    if x is None:
        return pairs * dx / 2
    along = dim if x.dim() == y.dim() else 0
    widths = x.narrow(along, start, count) - x.narrow(along, 0, count)
    if x.dim() == 1 and y.dim() > 1:
        shape = [1] * y.dim()
        shape[dim] = -1
        widths = widths.reshape(shape)
    return pairs * widths / 2


def _vander(x: Tensor, N: int | None = None, increasing: bool = False) -> Tensor:
    count = x.shape[-1] if N is None else N
    ones = _C.ones_like(x).unsqueeze(-1)
    powers = x.unsqueeze(-1).expand(*x.shape, max(count - 1, 0)).cumprod(-1)
    result = _C.cat([ones, powers], -1) if count else ones.narrow(-1, 0, 0)
    return result if increasing else result.flip(-1)


def _linalg_vander(x: Tensor, *, N: int | None = None) -> Tensor:
    return _vander(x, N, True)


def _msort(input: Tensor) -> Tensor:
    return input.sort(0)[0]


def _dist(input: Tensor, other: Tensor, p: Any = 2) -> Tensor:
    return _C._linalg.linalg_vector_norm(input - other, p)


def _cdist(x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: Any = None) -> Tensor:
    return _C._linalg.linalg_vector_norm(x1.unsqueeze(-2) - x2.unsqueeze(-3), p, -1)


def _pdist(input: Tensor, p: float = 2) -> Tensor:
    places = _C.triu_indices(input.shape[0], input.shape[0], 1)
    first, second = input.index_select(0, places[0]), input.index_select(0, places[1])
    return _C._linalg.linalg_vector_norm(first - second, p, -1)


def _cov(input: Tensor, *, correction: int = 1, fweights: Any = None, aweights: Any = None) -> Any:
    if fweights is not None or aweights is not None:
        return NotImplemented
    rows = input.reshape(1, -1) if input.dim() < 2 else input
    centred = rows - rows.mean(1, True)
    result = centred.mm(centred.t()) / max(rows.shape[1] - correction, 0)
    return result.squeeze() if rows.shape[0] == 1 else result


def _corrcoef(input: Tensor) -> Tensor:
    c = _cov(input)
    if c.dim() == 0:
        return c / c
    spread = c.diagonal().sqrt()
    return (c / spread.unsqueeze(1) / spread).clamp(-1, 1)


def _prelu(input: Tensor, weight: Tensor) -> Tensor:
    if weight.dim() == 1 and input.dim() > 1:
        weight = weight.reshape(-1, *[1] * (input.dim() - 2))
    elif weight.dim() == 1 and weight.shape[0] == 1:
        weight = weight.reshape(())
    return _C.where(input > 0, input, input * weight)


def _masked_index(name: str) -> Callable[..., Any]:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        from .._levels import VmapError

        raise VmapError(
            "vmap: We do not support batching operators that can output dynamic shape. "
            f"Attempted to vmap over {name}."
        )

    return refuse


def _where(condition: Tensor, *operands: Any) -> Any:
    return NotImplemented if operands else _masked_index("where")(condition)


def _isin(
    elements: Any, test_elements: Any, *, assume_unique: bool = False, invert: bool = False
) -> Tensor:
    if isinstance(test_elements, Tensor):
        elements = elements.unsqueeze(-1) if isinstance(elements, Tensor) else elements
        found = (test_elements.reshape(-1) == elements).any(-1)
    else:
        found = elements == test_elements
    return found.logical_not() if invert else found


def _masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    if mask.dtype != _C.bool:
        return NotImplemented
    shape = _C.broadcast_shapes(input.shape, mask.shape)
    mask = mask.expand(shape)
    if not mask.numel():
        return input.expand(shape).clone()
    place = (mask.reshape(-1).cumsum(0) - 1).clamp(0)
    if not source.numel():
        return NotImplemented
    values = source.reshape(-1).gather(0, place).reshape(shape)
    return _C.where(mask, values, input)


def _take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None) -> Tensor:
    if dim is None:
        return input.reshape(-1).gather(0, indices.reshape(-1))
    shape = list(_C.broadcast_shapes(
        *([*x.shape[: dim % x.dim()], 1, *x.shape[dim % x.dim() + 1 :]] for x in (input, indices))
    ))  # fmt: skip
    a, b = list(shape), list(shape)
    a[dim], b[dim] = input.shape[dim], indices.shape[dim]
    return input.expand(a).gather(dim, indices.expand(b))


def _take(input: Tensor, index: Tensor) -> Tensor:
    flat = input.reshape(-1)
    places = _C.where(index < 0, index + flat.shape[0], index)
    return flat.gather(0, places.reshape(-1)).reshape(index.shape)


def _renorm(input: Tensor, p: Any, dim: int, maxnorm: Any) -> Tensor:
    rest = [d for d in range(input.dim()) if d != dim % input.dim()]
    norm = _C._linalg.linalg_vector_norm(input, p, rest, True)
    return input * _C.where(norm > maxnorm, maxnorm / (norm + 1e-7), 1.0)


def _channel_shuffle(input: Tensor, groups: int) -> Tensor:
    n, c, *rest = input.shape
    return input.reshape(n, groups, c // groups, *rest).transpose(1, 2).reshape(input.shape)


def _resize(input: Tensor, *args: Any, **kwargs: Any) -> Any:
    raise RuntimeError("vmap: cannot resize a Tensor that is being vmapped over")


def _requires_grad(input: Tensor, requires_grad: bool = True) -> Any:
    raise RuntimeError(
        "You are attempting to call Tensor.requires_grad_() (or perhaps using "
        "tapegrad.autograd.functional.* APIs) inside of a function being transformed by a "
        "tapegrad.func transform. This is unsupported, please attempt to use the tapegrad.func "
        "transforms (e.g. grad, vjp, jacrev, jacfwd, hessian) or call requires_grad_() outside of "
        "a function being transformed instead."
    )


_DYNAMIC = ("nonzero", "argwhere", "masked_select", "bincount")

RULES: dict[str, Callable[..., Any]] = {
    "atleast_1d": _atleast(1),
    "atleast_2d": _atleast(2),
    "atleast_3d": _atleast(3),
    "hstack": _hstack,
    "vstack": _vstack,
    "dstack": _dstack,
    "column_stack": _column_stack,
    "broadcast_tensors": _broadcast_tensors,
    "meshgrid": _meshgrid,
    "cartesian_prod": _cartesian_prod,
    "block_diag": _block_diag,
    "expand_as": _like(lambda x, shape: x.expand(shape)),
    "view_as": _like(lambda x, shape: x.view(shape)),
    "reshape_as": _like(lambda x, shape: x.reshape(shape)),
    "sum_to_size": _sum_to_size,
    "tile": _tile,
    "fliplr": lambda input: input.flip(1),
    "flipud": lambda input: input.flip(0),
    "hsplit": _split_along(lambda x: 0 if x.dim() == 1 else 1),
    "vsplit": _split_along(lambda x: 0),
    "dsplit": _split_along(lambda x: 2),
    "diagflat": _diagflat,
    "trapezoid": _trapezoid,
    "cumulative_trapezoid": _cumulative_trapezoid,
    "vander": _vander,
    "linalg_vander": _linalg_vander,
    "msort": _msort,
    "dist": _dist,
    "cdist": _cdist,
    "pdist": _pdist,
    "cov": _cov,
    "corrcoef": _corrcoef,
    "prelu": _prelu,
    "isin": _isin,
    "masked_scatter": _masked_scatter,
    "where": _where,
    "take_along_dim": _take_along_dim,
    "take": _take,
    "renorm": _renorm,
    "channel_shuffle": _channel_shuffle,
    "resize_": _resize,
    "resize_as_": _resize,
    "set_": _resize,
    "requires_grad_": _requires_grad,
    **{name: _masked_index(name) for name in _DYNAMIC},
}
