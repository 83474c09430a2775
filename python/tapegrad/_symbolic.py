"""Arithmetic on sizes as programs write it that PyTorch may trace; sizes are ints here."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

__all__ = [
    "sym_float",
    "sym_int",
    "sym_ite",
    "sym_max",
    "sym_min",
    "sym_not",
    "sym_sqrt",
    "sym_sum",
]


def sym_int(a: Any) -> int:
    """``int(a)``.

    Example:
        >>> import tapegrad
        >>> tapegrad.sym_int(2.7)
        2
    """
    return int(a)


def sym_float(a: Any) -> float:
    """``float(a)``.

    Example:
        >>> import tapegrad
        >>> tapegrad.sym_float(2)
        2.0
    """
    return float(a)


def sym_max(a: Any, b: Any) -> Any:
    """The greater of two numbers; a float if one of them is one.

    Example:
        >>> import tapegrad
        >>> tapegrad.sym_max(3, 2.0)
        3.0
    """
    greater = max(a, b)
    return float(greater) if isinstance(a, float) or isinstance(b, float) else greater


def sym_min(a: Any, b: Any) -> Any:
    """The smaller of two numbers; a float if one of them is one.

    Example:
        >>> import tapegrad
        >>> tapegrad.sym_min(3, 2.0)
        2.0
    """
    smaller = min(a, b)
    return float(smaller) if isinstance(a, float) or isinstance(b, float) else smaller


def sym_not(a: Any) -> bool:
    """``not a``.

    Example:
        >>> import tapegrad
        >>> tapegrad.sym_not(False)
        True
    """
    return not a


def sym_sqrt(a: Any) -> float:
    """The square root of a number.

    Example:
        >>> import tapegrad
        >>> tapegrad.sym_sqrt(4)
        2.0
    """
    return math.sqrt(a)


def sym_sum(args: Iterable[Any]) -> Any:
    """The sum of numbers.

    Example:
        >>> import tapegrad
        >>> tapegrad.sym_sum([1, 2, 3])
        6
    """
    return sum(args)


def sym_ite(b: Any, t: Any, f: Any) -> Any:
    """``t if b else f``.

    Example:
        >>> import tapegrad
        >>> tapegrad.sym_ite(True, 1, 2)
        1
    """
    return t if b else f
