"""Samples put together to a batch."""

from __future__ import annotations

import copy
from collections.abc import Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any

import numpy as np

import tapegrad

from ..._C import Tensor

__all__ = ["default_collate", "default_convert"]

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


def default_collate(batch: Sequence[Any]) -> Any:
    """Put samples together along a new first dimension.

    Tensors, NumPy arrays and numbers become tensors; strings stay a list; dicts, tuples and lists
    are gone into. A tuple of fields becomes a list.

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
    first = batch[0]
    if isinstance(first, Tensor):
        return tapegrad.stack(list(batch))
    if isinstance(first, (str, bytes)):
        return batch
    if isinstance(first, (np.ndarray, np.generic)):
        if first.dtype.kind in "SUO":
            raise TypeError(_ERROR.format(first.dtype))
        return tapegrad.stack([tapegrad.as_tensor(value) for value in batch])
    if isinstance(first, float):
        return tapegrad.tensor(batch, dtype=tapegrad.float64)
    if isinstance(first, int):
        return tapegrad.tensor(batch)
    if isinstance(first, Mapping):
        return _like(first, {key: default_collate([s[key] for s in batch]) for key in first})
    if isinstance(first, Sequence):
        if any(len(sample) != len(first) for sample in batch):
            raise RuntimeError("each element in list of batch should be of equal size")
        columns = [default_collate(column) for column in zip(*batch, strict=True)]
        if _is_namedtuple(first):
            return type(first)(*columns)
        return columns if isinstance(first, tuple) else _like(first, columns)
    raise TypeError(_ERROR.format(type(first)))
