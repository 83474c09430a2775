"""Samples put together to a batch."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any

import numpy as np

import tapegrad

from ...._C import Tensor

__all__ = ["collate", "default_collate", "default_collate_fn_map", "default_convert"]

# Types, or tuples of types, and what makes a batch of samples of them.
CollateMap = dict[Any, Callable[..., Any]]

_ERROR = (
    "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {}"
)


def _is_namedtuple(value: Any) -> bool:
    return isinstance(value, tuple) and hasattr(value, "_fields")


def _like(example: Any, entries: Any) -> Any:
    """A dict or a list of entries in a container of the example's type, where that allows it."""
    try:
        if isinstance(example, MutableMapping):
            made: Any = copy.copy(example)  # which keeps a defaultdict's factory
            made.update(entries)
            return made
        if isinstance(example, MutableSequence):
            made = copy.copy(example)
            for place, entry in enumerate(entries):
                made[place] = entry
            return made
        return type(example)(entries)
    except TypeError:
        return entries


def default_convert(data: Any) -> Any:
    """NumPy arrays in a (nested) sample as tensors; everything else as it is.

    Example:
        >>> import numpy as np
        >>> from tapegrad.utils.data import default_convert
        >>> default_convert({"x": np.zeros(2, dtype=np.float32)})
        {'x': tensor([0., 0.])}
    """
    if isinstance(data, (np.ndarray, np.generic)) and data.dtype.kind not in "SUO":
        return tapegrad.as_tensor(data)
    if isinstance(data, Mapping):
        return _like(data, {key: default_convert(value) for key, value in data.items()})
    if _is_namedtuple(data):
        return type(data)(*map(default_convert, data))
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
        converted = [default_convert(value) for value in data]
        return converted if isinstance(data, tuple) else _like(data, converted)
    return data


def collate(batch: Any, *, collate_fn_map: CollateMap | None = None) -> Any:
    """Put samples together by the functions of a map, going into dicts, tuples and lists.

    Args:
        batch: a list of samples of the same structure.
        collate_fn_map: from a type, or a tuple of types, to a function which takes a list of
            samples and, as ``collate_fn_map``, the map. The type of a sample comes before those
            that it is derived from, and these in the order of the map.

    Raises:
        TypeError: for other types.
        RuntimeError: if the structures of the samples differ.

    Example:
        >>> from tapegrad.utils.data._utils.collate import collate
        >>> collate([{"a": 1}, {"a": 2}], collate_fn_map={int: lambda batch, **kwargs: sum(batch)})
        {'a': 3}
    """
    first = batch[0]
    kind = type(first)

    def go_on(samples: Any) -> Any:
        return collate(samples, collate_fn_map=collate_fn_map)

    if collate_fn_map is not None:
        if kind in collate_fn_map:
            return collate_fn_map[kind](batch, collate_fn_map=collate_fn_map)
        for types, function in collate_fn_map.items():
            if isinstance(first, types):
                return function(batch, collate_fn_map=collate_fn_map)
    if isinstance(first, Mapping):
        return _like(first, {key: go_on([sample[key] for sample in batch]) for key in first})
    if _is_namedtuple(first):
        return kind(*map(go_on, zip(*batch, strict=False)))
    if isinstance(first, Sequence):
        if any(len(sample) != len(first) for sample in batch):
            raise RuntimeError("each element in list of batch should be of equal size")
        columns = [go_on(column) for column in zip(*batch, strict=True)]
        return columns if isinstance(first, tuple) else _like(first, columns)
    raise TypeError(_ERROR.format(kind))


def collate_tensor_fn(batch: Any, *, collate_fn_map: CollateMap | None = None) -> Any:
    return tapegrad.stack(list(batch))


def collate_numpy_array_fn(batch: Any, *, collate_fn_map: CollateMap | None = None) -> Any:
    if batch[0].dtype.kind in "SUO":
        raise TypeError(_ERROR.format(batch[0].dtype))
    return collate([tapegrad.as_tensor(b) for b in batch], collate_fn_map=collate_fn_map)


def collate_numpy_scalar_fn(batch: Any, *, collate_fn_map: CollateMap | None = None) -> Any:
    return tapegrad.stack([tapegrad.as_tensor(value) for value in batch])


def collate_float_fn(batch: Any, *, collate_fn_map: CollateMap | None = None) -> Any:
    return tapegrad.tensor(batch, dtype=tapegrad.float64)


def collate_int_fn(batch: Any, *, collate_fn_map: CollateMap | None = None) -> Any:
    return tapegrad.tensor(batch)


def collate_str_fn(batch: Any, *, collate_fn_map: CollateMap | None = None) -> Any:
    return batch


default_collate_fn_map: CollateMap = {
    Tensor: collate_tensor_fn,
    np.ndarray: collate_numpy_array_fn,
    (np.bool_, np.number, np.object_): collate_numpy_scalar_fn,
    float: collate_float_fn,
    int: collate_int_fn,
    str: collate_str_fn,
    bytes: collate_str_fn,
}


def default_collate(batch: Any) -> Any:
    """Put samples together along a new first dimension.

    Tensors, NumPy arrays and numbers become tensors; strings stay a list; dicts, tuples and lists
    are gone into. A tuple of fields becomes a list. Other types can be added to
    ``default_collate_fn_map`` (see `collate`).

    Args:
        batch: a list of samples of the same structure.

    Raises:
        TypeError: for other types.
        RuntimeError: if the structures or shapes of the samples differ.

    Example:
        >>> from tapegrad.utils.data import default_collate
        >>> default_collate([(1, "a"), (2, "b")])
        [tensor([1, 2]), ('a', 'b')]
    """
    return collate(batch, collate_fn_map=default_collate_fn_map)
