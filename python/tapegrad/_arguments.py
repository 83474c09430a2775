"""The forms in which arguments and results are given."""

from __future__ import annotations

from typing import Any

from ._C import Tensor

__all__ = ["as_tuple", "has_values"]


def as_tuple(value: Any, single: type | tuple[type, ...] = Tensor) -> tuple[Any, ...]:
    """What an iterable holds; of a type in `single`, or of no iterable, a tuple of one.

    >>> from tapegrad._arguments import as_tuple
    >>> as_tuple([1, 2]), as_tuple(None)
    ((1, 2), (None,))
    """
    if isinstance(value, single) or not hasattr(value, "__iter__"):
        return (value,)
    return tuple(value)


def has_values(x: Tensor) -> bool:
    """Whether a decision may depend on the values of a tensor.

    Not for one inside of `vmap`, nor for one whose operators are recorded.

    >>> import tapegrad
    >>> from tapegrad._arguments import has_values
    >>> has_values(tapegrad.zeros(2))
    True
    """
    return not hasattr(x, "_has_no_values")
