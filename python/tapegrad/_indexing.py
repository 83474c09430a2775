"""An index as the operators that PyTorch makes of it: ``select``, ``slice``, ``index``, ...

Dispatch modes see these; without a mode an index is read by the core, in one piece.
"""

from __future__ import annotations

from typing import Any

from ._C import Tensor

__all__ = ["INDEXING", "OPERATORS", "read_by", "write_by"]

# Those of the core, whatever stands in the type meanwhile.
read: Any = Tensor.__getitem__
write: Any = Tensor.__setitem__
INDEXING = {"__getitem__": read, "__setitem__": write}


def _slice(x: Tensor, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Tensor:
    result: Tensor = read(x, (slice(None),) * (dim % x.dim()) + (slice(start, end, step),))
    return result


def _index(x: Tensor, indices: Any) -> Tensor:
    result: Tensor = read(x, tuple(slice(None) if item is None else item for item in indices))
    return result


def _index_put_(x: Tensor, indices: Any, values: Any) -> Tensor:
    write(x, tuple(slice(None) if item is None else item for item in indices), values)
    return x


def _write_whole(x: Tensor, index: Any, values: Any) -> Tensor:
    write(x, index, values)
    return x


def _alias(x: Tensor) -> Tensor:
    result: Tensor = read(x, ...)
    return result


def _assign(x: Tensor, values: Any) -> Tensor:
    write(x, ..., values)
    return x


# PyTorch's name of the operator and the form, for each.
OPERATORS: dict[str, tuple[str, str, Any]] = {
    "slice": ("slice", "Tensor", _slice),
    "index": ("index", "Tensor", _index),
    "alias": ("alias", "default", _alias),
    "assign": ("copy_", "default", _assign),
    "assign_number": ("fill_", "Tensor", _assign),
    "index_assign": ("index_put_", "default", _index_put_),
    "index_whole": ("index", "Tensor", read),
    "index_whole_assign": ("index_put_", "default", _write_whole),
}


def _split(x: Tensor, index: Any, run: Any) -> tuple[Tensor, list[Any]] | None:
    """The view that the simple parts of an index give, and the rest: an item for each dimension.

    Args:
        x: the tensor.
        index: what stands in the brackets.
        run: runs one of `OPERATORS`, by its name.

    Returns:
        None where it is no index, or one that is read in one piece.
    """
    items = list(index) if isinstance(index, tuple) else [index]
    if not all(map(_is_known, items)):
        return None
    places = [_dims_of(item) for item in items]
    if sum(places) > x.dim() or sum(item is Ellipsis for item in items) > 1:
        return None
    missing = x.dim() - sum(places)
    view, dim, covered = x, 0, 0
    rest: list[Any] = []
    for item in items:
        if item is Ellipsis:
            dim += missing
        elif item is None:
            view, dim = view.unsqueeze(dim), dim + 1
        elif isinstance(item, int):
            if not -view.shape[dim] <= item < view.shape[dim]:
                return None
            view = view.select(dim, item)
        elif isinstance(item, slice):
            size = view.shape[dim]
            start, end, step = item.indices(size)
            if step <= 0:
                return None
            if (start, end, step) != (0, size, 1):
                view = run("slice", view, dim, start, end, step)
            dim += 1
        else:
            rest += [None] * (dim - covered) + [item]
            covered = dim = dim + _dims_of(item)
    return view, rest


def _is_known(item: Any) -> bool:
    if isinstance(item, list):
        return all(type(entry) is int for entry in item)
    return not isinstance(item, bool) and (
        item is None or item is Ellipsis or isinstance(item, int | slice | Tensor)
    )


def _dims_of(item: Any) -> int:
    """How many dimensions an item of an index takes."""
    if item is None or item is Ellipsis:
        return 0
    mask = isinstance(item, Tensor) and item.dtype.itemsize == 1 and not item.dtype.is_signed
    return item.dim() if mask else 1


def read_by(run: Any, x: Tensor, index: Any) -> Any:
    """``x[index]``: `run` gets the names of `OPERATORS` and their arguments."""
    parts = _split(x, index, run)
    if parts is None:
        return run("index_whole", x, index)
    view, rest = parts
    if rest:
        return run("index", view, rest)
    return run("alias", x) if view is x else view


def write_by(run: Any, x: Tensor, index: Any, value: Any) -> None:
    """``x[index] = value``."""
    parts = _split(x, index, run)
    if parts is None:
        run("index_whole_assign", x, index, value)
    elif parts[1]:
        run("index_assign", *parts, value)
    else:
        run("assign" if isinstance(value, Tensor) else "assign_number", parts[0], value)
