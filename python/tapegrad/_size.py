"""Arithmetic of sizes that keeps their type."""

from __future__ import annotations

from typing import Any

from ._C import Size

__all__: list[str] = []


def _mul(self: Size, times: Any) -> Any:
    repeated = tuple.__mul__(self, times)
    return repeated if repeated is NotImplemented else Size(repeated)


def _radd(self: Size, other: Any) -> Any:
    return Size(other + tuple(self)) if isinstance(other, tuple) else NotImplemented


for name, value in {"__mul__": _mul, "__rmul__": _mul, "__radd__": _radd}.items():
    setattr(Size, name, value)
