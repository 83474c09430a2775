"""Dtypes: conversions, promotion, and what is known of them."""

from __future__ import annotations

from functools import reduce
from typing import Any, NamedTuple

from .. import _C
from .._C import Tensor
from .._device import CPU, device, require_cpu
from .._limits import finfo as _finfo
from .._limits import iinfo as _iinfo

__all__ = [
    "__array_namespace_info__",
    "astype",
    "can_cast",
    "finfo",
    "iinfo",
    "isdtype",
    "result_type",
]

_BOOL = {"bool": _C.bool}
_SIGNED = {"int8": _C.int8, "int16": _C.int16, "int32": _C.int32, "int64": _C.int64}
_UNSIGNED = {"uint8": _C.uint8}
_REAL = {"float32": _C.float32, "float64": _C.float64}
_KINDS: dict[str, dict[str, _C.dtype]] = {
    "bool": _BOOL,
    "signed integer": _SIGNED,
    "unsigned integer": _UNSIGNED,
    "integral": {**_SIGNED, **_UNSIGNED},
    "real floating": _REAL,
    "complex floating": {},
    "numeric": {**_SIGNED, **_UNSIGNED, **_REAL},
}


def astype(x: Tensor, dtype: _C.dtype, /, *, copy: bool = True, device: Any = None) -> Tensor:
    """A tensor of another dtype; without `copy`, `x` itself where nothing changes."""
    require_cpu(device)
    return x.to(dtype, copy=copy)


def _dtype(x: Any) -> _C.dtype:
    dtype: _C.dtype = x.dtype if isinstance(x, Tensor) else x
    return dtype


def can_cast(from_: _C.dtype | Tensor, to: _C.dtype, /) -> bool:
    """Whether one dtype becomes the other by promotion."""
    return _C.promote_types(_dtype(from_), to) is to


def result_type(*arrays_and_dtypes: Any) -> _C.dtype:
    """The dtype that results from promotion; a tensor of no dimension counts like any other.

    Raises:
        ValueError: if there is neither a tensor nor a dtype.
    """
    typed = [_dtype(x) for x in arrays_and_dtypes if isinstance(x, (Tensor, _C.dtype))]
    if not typed:
        raise ValueError("result_type() takes at least one array or dtype")
    dtype = reduce(_C.promote_types, typed)
    numbers = [x for x in arrays_and_dtypes if not isinstance(x, (Tensor, _C.dtype))]
    return reduce(lambda a, x: _C.result_type(_C.empty(1, dtype=a), x), numbers, dtype)


class _FloatInfo(NamedTuple):
    bits: int
    eps: float
    max: float
    min: float
    smallest_normal: float
    dtype: _C.dtype


class _IntInfo(NamedTuple):
    bits: int
    max: int
    min: int
    dtype: _C.dtype


def finfo(type: _C.dtype | Tensor, /) -> _FloatInfo:
    """The limits of a floating-point dtype."""
    dtype = _dtype(type)
    info = _finfo(dtype)
    return _FloatInfo(info.bits, info.eps, info.max, info.min, info.smallest_normal, dtype)


def iinfo(type: _C.dtype | Tensor, /) -> _IntInfo:
    """The limits of an integer dtype."""
    dtype = _dtype(type)
    info = _iinfo(dtype)
    return _IntInfo(info.bits, info.max, info.min, dtype)


def isdtype(dtype: _C.dtype, kind: Any) -> bool:
    """Whether a dtype is one, of a kind, or of one of several.

    Args:
        dtype: the dtype.
        kind: a dtype; one of ``"bool"``, ``"signed integer"``, ``"unsigned integer"``,
            ``"integral"``, ``"real floating"``, ``"complex floating"`` and ``"numeric"``; or a
            tuple of these.

    Raises:
        ValueError: for another kind.
    """
    if isinstance(kind, tuple):
        return any(isdtype(dtype, one) for one in kind)
    if isinstance(kind, _C.dtype):
        return dtype is kind
    if kind not in _KINDS:
        raise ValueError(f"unknown kind of dtypes: {kind!r}")
    # PyTorch's short floats are floats, although the standard does not have them.
    short = kind in ("real floating", "numeric") and dtype.is_floating_point
    return short or dtype in _KINDS[kind].values()


class __array_namespace_info__:
    """What the namespace has: dtypes, devices and capabilities."""

    def capabilities(self) -> dict[str, Any]:
        """Indexing by bools and results whose shape depends on values are there."""
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 64}

    def default_device(self) -> device:
        """The CPU."""
        return CPU

    def default_dtypes(self, *, device: Any = None) -> dict[str, Any]:
        """The dtypes of tensors that are made without one; there is none for complex numbers."""
        require_cpu(device)
        return {
            "real floating": _C.get_default_dtype(),
            "complex floating": None,
            "integral": _C.int64,
            "indexing": _C.int64,
        }

    def devices(self) -> list[device]:
        """The CPU."""
        return [CPU]

    def dtypes(self, *, device: Any = None, kind: Any = None) -> dict[str, Any]:
        """The standard's dtypes that are here, all or those of a kind; by their names."""
        require_cpu(device)
        kinds = ("bool", "numeric") if kind is None else kind
        if isinstance(kinds, str):
            kinds = (kinds,)
        return {name: dtype for one in kinds for name, dtype in _KINDS[one].items()}
