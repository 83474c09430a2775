"""Named results of operators that return several tensors."""

from __future__ import annotations

from typing import Any

__all__ = ["kthvalue", "max", "median", "min", "nanmedian", "sort", "topk"]


class _Pair(tuple[Any, ...]):
    """A pair (values, indices) whose parts also have these names."""

    __slots__ = ()

    @property
    def values(self) -> Any:
        """The selected values."""
        return self[0]

    @property
    def indices(self) -> Any:
        """Where they were: int64."""
        return self[1]

    def __repr__(self) -> str:
        name = type(self).__name__
        return f"tapegrad.return_types.{name}(\nvalues={self[0]!r},\nindices={self[1]!r})"


class kthvalue(_Pair):
    """Result of ``tapegrad.kthvalue``."""

    __slots__ = ()


class max(_Pair):
    """Result of ``tapegrad.max`` along a dimension."""

    __slots__ = ()


class median(_Pair):
    """Result of ``tapegrad.median`` along a dimension."""

    __slots__ = ()


class min(_Pair):
    """Result of ``tapegrad.min`` along a dimension."""

    __slots__ = ()


class nanmedian(_Pair):
    """Result of ``tapegrad.nanmedian`` along a dimension."""

    __slots__ = ()


class sort(_Pair):
    """Result of ``tapegrad.sort``."""

    __slots__ = ()


class topk(_Pair):
    """Result of ``tapegrad.topk``."""

    __slots__ = ()
