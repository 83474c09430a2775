"""Named results of operators that return several tensors."""

from __future__ import annotations

from typing import Any

__all__ = [
    "aminmax",
    "cummax",
    "cummin",
    "histogram",
    "kthvalue",
    "max",
    "median",
    "min",
    "mode",
    "nanmedian",
    "sort",
    "topk",
]


class _Named(tuple[Any, ...]):
    """Two tensors whose parts also have names."""

    __slots__ = ()
    _names: tuple[str, str]

    def __repr__(self) -> str:
        parts = ",\n".join(f"{n}={part!r}" for n, part in zip(self._names, self, strict=True))
        return f"tapegrad.return_types.{type(self).__name__}(\n{parts})"


class _Pair(_Named):
    """A pair (values, indices)."""

    __slots__ = ()
    _names = ("values", "indices")

    @property
    def values(self) -> Any:
        """The selected values."""
        return self[0]

    @property
    def indices(self) -> Any:
        """Where they were: int64."""
        return self[1]


class aminmax(_Named):
    """Result of ``tapegrad.aminmax``."""

    __slots__ = ()
    _names = ("min", "max")

    @property
    def min(self) -> Any:
        """The least values."""
        return self[0]

    @property
    def max(self) -> Any:
        """The greatest values."""
        return self[1]


class cummax(_Pair):
    """Result of ``tapegrad.cummax``."""

    __slots__ = ()


class cummin(_Pair):
    """Result of ``tapegrad.cummin``."""

    __slots__ = ()


class histogram(_Named):
    """Result of ``tapegrad.histogram``."""

    __slots__ = ()
    _names = ("hist", "bin_edges")

    @property
    def hist(self) -> Any:
        """What is in the bins."""
        return self[0]

    @property
    def bin_edges(self) -> Any:
        """Where they begin and end."""
        return self[1]


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


class mode(_Pair):
    """Result of ``tapegrad.mode``."""

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
