"""Lists of tensors, sorted into groups that are alike."""

from __future__ import annotations

from typing import Any

from .._C import Tensor

__all__ = ["_group_tensors_by_device_and_dtype"]

_Lists = list[list[Tensor | None]]


def _group_tensors_by_device_and_dtype(
    tensorlistlist: Any, with_indices: bool = False
) -> dict[tuple[Any, Any], tuple[_Lists, list[int]]]:
    """Sort lists of tensors by device and dtype of the first list's tensors.

    Args:
        tensorlistlist: lists of equal length; those after the first may have None.
        with_indices: whether the places are wanted; without, they are empty.

    Returns:
        For each device and dtype the parts of the lists, and the places they had.

    Example:
        >>> import tapegrad
        >>> from tapegrad.utils._foreach_utils import _group_tensors_by_device_and_dtype
        >>> x, y = tapegrad.ones(1), tapegrad.ones(1, dtype=tapegrad.float64)
        >>> groups = _group_tensors_by_device_and_dtype([[x, y, x]], with_indices=True)
        >>> [places for _, places in groups.values()]
        [[0, 2], [1]]
    """
    groups: dict[tuple[Any, Any], tuple[_Lists, list[int]]] = {}
    for i, first in enumerate(tensorlistlist[0]):
        empty: tuple[_Lists, list[int]] = ([[] for _ in tensorlistlist], [])
        lists, places = groups.setdefault((first.device, first.dtype), empty)
        for part, tensors in zip(lists, tensorlistlist, strict=True):
            if tensors:
                part.append(tensors[i])
        if with_indices:
            places.append(i)
    return groups
