"""A function of one sample as a function of a batch."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from .. import _C
from .._C import Tensor
from ..utils import _pytree
from ._levels import BatchedTensor, Level, wrap

__all__ = ["vmap"]


def vmap(
    func: Callable[..., Any],
    in_dims: Any = 0,
    out_dims: Any = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """A function that runs `func` on all samples of a batch at once.

    Inside of `func` a tensor has the shape of one sample; each operator runs once for all of them.
    What has no rule for that runs for each sample, with a warning.

    Args:
        func: takes tensors, or nested dicts, lists and tuples of them, and returns such.
        in_dims: the batch dimension of the positional arguments: a number for all of them, or a
            tuple with an entry for each, which may be nested as the argument is; None for what is
            the same for all samples. Keyword arguments always are. Default: 0.
        out_dims: where the results have the batch dimension, likewise. Default: 0.
        randomness: for random numbers in `func`: "error" refuses them, "different" draws for each
            sample, "same" draws once for all. Default: "error".
        chunk_size: how many samples run at once. Default: all.

    Returns:
        A function of the arguments of `func` with a further dimension.

    Raises:
        ValueError: if `in_dims`, `out_dims` and the arguments do not fit.
        RuntimeError: where `func` depends on a value, as by ``.item()`` or ``if``, or what it does
            cannot be done for all samples at once.

    Example:
        >>> import tapegrad
        >>> dot = tapegrad.vmap(tapegrad.dot)  # [N, D], [N, D] -> [N]
        >>> dot(tapegrad.tensor([[1.0, 2.0], [3.0, 4.0]]), tapegrad.ones(2, 2))
        tensor([3., 7.])
        >>> x, y = tapegrad.arange(3.0), tapegrad.arange(2.0)
        >>> tapegrad.vmap(lambda a: tapegrad.vmap(lambda b: a * b)(y), out_dims=1)(x)
        tensor([[0., 0., 0.],
                [0., 1., 2.]])
    """
    if randomness not in ("error", "different", "same"):
        raise RuntimeError(
            "Only allowed values for randomness are 'error', 'different', or 'same'. Got "
            f"{randomness}"
        )
    if not (chunk_size is None or chunk_size > 0):
        raise ValueError(
            f"vmap: chunk_size should be None or greater than 0. (got {chunk_size})"
        )  # fmt: skip

    @functools.wraps(func, updated=())
    def batched(*args: Any, **kwargs: Any) -> Any:
        flat, spec = _pytree.tree_flatten(args)
        dims = _in_dims(in_dims, flat, spec, func)
        size = _batch_size(flat, dims)
        if chunk_size is None or chunk_size >= size:
            return run(func, flat, dims, spec, size, out_dims, Level(size, randomness), kwargs)
        return _in_chunks(func, flat, dims, spec, size, out_dims, randomness, chunk_size, kwargs)

    return batched


def _name(func: Callable[..., Any]) -> str:
    return getattr(func, "__name__", repr(func))


def _in_dims(in_dims: Any, flat: list[Any], spec: Any, func: Callable[..., Any]) -> list[Any]:
    if not isinstance(in_dims, int | tuple):
        raise ValueError(
            f"vmap({_name(func)}, in_dims={in_dims}, ...)(<inputs>): expected `in_dims` to be int "
            f"or a (potentially nested) tuple matching the structure of inputs, got: "
            f"{type(in_dims)}."
        )
    if not flat:
        raise ValueError(
            f"vmap({_name(func)})(<inputs>): got no inputs. Maybe you forgot to add inputs, or you "
            "are trying to vmap over a function with no inputs. The latter is unsupported."
        )
    dims = _pytree._broadcast_to_and_flatten(in_dims, spec)
    if dims is None:
        raise ValueError(
            f"vmap({_name(func)}, in_dims={in_dims}, ...)(<inputs>): in_dims is not compatible "
            "with the structure of `inputs`. in_dims has structure "
            f"{_pytree.tree_flatten(in_dims)[1]} but inputs has structure {spec}."
        )
    for i, (x, dim) in enumerate(zip(flat, dims, strict=True)):
        if dim is None:
            continue
        start = f"vmap({_name(func)}, in_dims={in_dims}, ...)(<inputs>): Got in_dim={dim} for "
        if not isinstance(dim, int):
            raise ValueError(
                f"{start}an input but in_dim must be either an integer dimension or None."
            )
        if not isinstance(x, Tensor):
            raise ValueError(
                f"{start}an input but the input is of type {type(x)}. We cannot vmap over "
                "non-Tensor arguments, please use None as the respective in_dim"
            )
        rank = x.dim()
        if not -rank <= dim < rank:
            raise ValueError(
                f"{start}some input, but that input is a Tensor of dimensionality {rank} so "
                f"expected in_dim to satisfy -{rank} <= in_dim < {rank}."
            )
        if dim < 0:
            dims[i] = dim + rank
    return dims


def _batch_size(flat: list[Any], dims: list[Any]) -> int:
    sizes = [x.shape[dim] for x, dim in zip(flat, dims, strict=True) if dim is not None]
    if not sizes:
        raise ValueError("vmap: Expected at least one Tensor to vmap over")
    if any(size != sizes[0] for size in sizes):
        raise ValueError(
            "vmap: Expected all tensors to have the same size in the mapped dimension, got sizes "
            f"{sizes} for the mapped dimension"
        )
    return sizes[0]


def run(
    func: Callable[..., Any],
    flat: list[Any],
    dims: list[Any],
    spec: Any,
    size: int,
    out_dims: Any,
    level: Level,
    kwargs: dict[str, Any],
) -> Any:
    """The results of all samples, at once."""
    moved = [
        x if not dim else x.movedim(dim, 0) for x, dim in zip(flat, dims, strict=True)
    ]  # fmt: skip
    with level:
        args = [
            x if dim is None else wrap(level, x) for x, dim in zip(moved, dims, strict=True)
        ]  # fmt: skip
        results, out_spec = _pytree.tree_flatten(func(*spec.unflatten(args), **kwargs))
    places = _out_dims(out_dims, out_spec, func)
    return out_spec.unflatten(
        [_result(level, x, dim, func) for x, dim in zip(results, places, strict=True)]
    )


def _out_dims(out_dims: Any, spec: Any, func: Callable[..., Any]) -> list[Any]:
    if spec.is_leaf() and isinstance(out_dims, tuple) and len(out_dims) == 1:
        out_dims = out_dims[0]
    dims = _pytree._broadcast_to_and_flatten(out_dims, spec)
    if dims is None:
        raise ValueError(
            f"vmap({_name(func)}, ..., out_dims={out_dims})(<inputs>): out_dims is not compatible "
            "with the structure of `outputs`. out_dims has structure "
            f"{_pytree.tree_flatten(out_dims)[1]} but outputs has structure {spec}."
        )
    return dims


def _result(level: Level, x: Any, dim: int | None, func: Callable[..., Any]) -> Any:
    own = type(x) is BatchedTensor and x._level is level
    if dim is None:
        if own:
            raise ValueError(
                f"vmap({_name(func)}, ...): `{_name(func)}` can not return a BatchedTensor when "
                "out_dim is None"
            )
        return x
    if not isinstance(x, Tensor):
        raise ValueError(
            f"vmap({_name(func)}, ...): `{_name(func)}` must only return Tensors, got type "
            f"{type(x)}. Did you mean to set out_dims= to None for output?"
        )
    value = x._value if own else x.unsqueeze(0).expand(level.size, *x.shape)  # type: ignore[attr-defined]
    if not dim:
        return value
    rank = value.dim()
    if not -rank <= dim < rank:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-rank}, {rank - 1}], but got "
            f"{dim})"
        )
    return value.movedim(0, dim)


def _in_chunks(
    func: Callable[..., Any],
    flat: list[Any],
    dims: list[Any],
    spec: Any,
    size: int,
    out_dims: Any,
    randomness: str,
    chunk_size: int,
    kwargs: dict[str, Any],
) -> Any:
    sizes = [min(chunk_size, size - start) for start in range(0, size, chunk_size)]
    columns = [
        [x] * len(sizes) if dim is None else x.split(sizes, dim)
        for x, dim in zip(flat, dims, strict=True)
    ]
    parts: list[list[Any]] = []
    state = _C.get_rng_state()
    for i, count in enumerate(sizes):
        if randomness == "same":
            _C.set_rng_state(state)
        chunk = [column[i] for column in columns]
        level = Level(count, randomness)
        leaves, out_spec = _pytree.tree_flatten(
            run(func, chunk, dims, spec, count, out_dims, level, kwargs)
        )
        parts.append(leaves)
    places = _out_dims(out_dims, out_spec, func)
    return out_spec.unflatten(
        [
            column[0] if dim is None else _C.cat(list(column), dim)
            for column, dim in zip(zip(*parts, strict=True), places, strict=True)
        ]
    )
