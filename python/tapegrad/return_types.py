"""Named results of operators that return several tensors."""

from __future__ import annotations

from typing import Any

__all__ = ["frexp", "kthvalue", "max", "median", "min", "nanmedian", "sort", "topk"]


class frexp(tuple[Any, ...]):
    """Result of ``tapegrad.frexp``."""

    __slots__ = ()

    @property
    def mantissa(self) -> Any:
        """Numbers in [1/2, 1) with the sign of the element, or 0."""
        return self[0]

    @property
    def exponent(self) -> Any:
        """The powers of two that they are multiplied with: int32."""
        return self[1]

    def __repr__(self) -> str:
        return f"tapegrad.return_types.frexp(\nmantissa={self[0]!r},\nexponent={self[1]!r})"


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
