"""The forms in which arguments and results are given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import _C
from ._C import Tensor

__all__ = ["as_tuple", "has_values", "require_all"]


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

    Not for one inside of `vmap`, nor where operators are recorded.

    >>> import tapegrad
    >>> from tapegrad._arguments import has_values
    >>> has_values(tapegrad.zeros(2))
    True
    """
    return not hasattr(x, "_has_no_values") and not _C._is_recording()


def require_all(
    flags: Tensor, message: str | Callable[[], str], kind: type[Exception] = RuntimeError
) -> None:
    """Raise an exception unless all elements are true, if there are values to look at.

    A compiled function makes the check in each replay. `kind` is RuntimeError or ValueError.

    >>> import tapegrad
    >>> from tapegrad._arguments import require_all
    >>> require_all(tapegrad.tensor([1.0, 2.0]) > 0, "x must be positive")
    """
    recording = _C._is_recording()
    if hasattr(flags, "_has_no_values") or (not recording and flags.all()):
        return
    text = message if isinstance(message, str) else message()
    if not recording:
        raise kind(text)
    _C._require_all(flags, text, kind is ValueError)
