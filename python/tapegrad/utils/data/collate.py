"""Samples put together to a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
        return type(data)({key: default_convert(value) for key, value in data.items()})  # type: ignore[call-arg]
    if _is_namedtuple(data):
        return type(data)(*map(default_convert, data))
    if isinstance(data, (tuple, list)):
        return [default_convert(value) for value in data]
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
    if isinstance(first, (np.ndarray, np.generic)):
        if first.dtype.kind in "SUO":
            raise TypeError(_ERROR.format(first.dtype))
        return tapegrad.stack([tapegrad.as_tensor(value) for value in batch])
    if isinstance(first, float):
        return tapegrad.tensor(batch, dtype=tapegrad.float64)
    if isinstance(first, int):
        return tapegrad.tensor(batch)
    if isinstance(first, (str, bytes)):
        return batch
    if isinstance(first, Mapping):
        fields = {key: default_collate([sample[key] for sample in batch]) for key in first}
        try:
            return type(first)(fields)  # type: ignore[call-arg]
        except TypeError:
            return fields
    if isinstance(first, (tuple, list)):
        if any(len(sample) != len(first) for sample in batch):
            raise RuntimeError("each element in list of batch should be of equal size")
        columns = [default_collate(column) for column in zip(*batch, strict=True)]
        return type(first)(*columns) if _is_namedtuple(first) else columns
    raise TypeError(_ERROR.format(type(first)))
