"""The limits of number types: `finfo` and `iinfo`."""

from __future__ import annotations

from typing import Any

from . import _C

__all__ = ["finfo", "iinfo"]

# Bits of the significand, exponents of the least and above the largest number, safe digits.
_FLOATS = {
    "bfloat16": (8, -126, 128, 2),
    "float16": (11, -14, 16, 3),
    "float32": (24, -126, 128, 6),
    "float64": (53, -1022, 1024, 15),
}


class _Limits:
    """Limits of a dtype, which are equal where the dtypes are."""

    __slots__ = ("bits", "dtype", "max", "min")

    bits: int
    dtype: str
    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Limits) and self.dtype == other.dtype

    def _text(self, *names: str) -> str:
        values = ", ".join(f"{name}={getattr(self, name):g}" for name in names)
        return f"{type(self).__name__}({values}, dtype={self.dtype})"


class finfo(_Limits):
    """The limits of a floating-point dtype.

    Attributes:
        bits: how many bits a number takes.
        eps: the distance from 1 to the next number.
        max, min: the largest number, and its negative.
        tiny, smallest_normal: the least positive number of full precision.
        resolution: ten to minus the number of decimal digits that are always kept.
        dtype: the name of the dtype.

    Args:
        dtype: the dtype. Default: the default dtype.

    Raises:
        TypeError: if it is no floating-point dtype.

    Example:
        >>> import tapegrad
        >>> tapegrad.finfo(tapegrad.bfloat16)
        finfo(resolution=0.01, min=-3.38953e+38, max=3.38953e+38, eps=0.0078125,
        smallest_normal=1.17549e-38, tiny=1.17549e-38, dtype=bfloat16)
        >>> tapegrad.finfo(tapegrad.float32).eps == 2**-23
        True
    """

    __slots__ = ("eps", "resolution", "smallest_normal", "tiny")

    def __init__(self, dtype: Any = None) -> None:
        dtype = _C.get_default_dtype() if dtype is None else _C.empty(0, dtype=dtype).dtype
        name = str(dtype).removeprefix("tapegrad.")
        if name not in _FLOATS:
            raise TypeError(
                "tapegrad.finfo() requires a floating point input type. Use tapegrad.iinfo to "
                f"handle '{dtype}'"
            )
        digits, low, high, decimals = _FLOATS[name]
        self.dtype = name
        self.bits = dtype.itemsize * 8
        self.eps = 2.0 ** (1 - digits)
        self.max = (2.0 - self.eps) * 2.0 ** (high - 1)
        self.min = -self.max
        self.tiny = self.smallest_normal = 2.0**low
        self.resolution = float(f"1e-{decimals}")

    def __repr__(self) -> str:
        return self._text("resolution", "min", "max", "eps", "smallest_normal", "tiny")


class iinfo(_Limits):
    """The limits of an integer dtype.

    Attributes:
        bits: how many bits a number takes.
        max, min: the largest and the least number.
        dtype: the name of the dtype.

    Args:
        dtype: the dtype.

    Raises:
        TypeError: if it is no integer dtype.

    Example:
        >>> import tapegrad
        >>> tapegrad.iinfo(tapegrad.int8)
        iinfo(min=-128, max=127, dtype=int8)
    """

    __slots__ = ()

    def __init__(self, dtype: Any) -> None:
        dtype = _C.empty(0, dtype=dtype).dtype
        if dtype.is_floating_point:
            raise TypeError(
                "tapegrad.iinfo() requires an integer input type. Use tapegrad.finfo to handle "
                f"'{dtype}'"
            )
        if dtype is _C.bool:
            raise TypeError("tapegrad.bool is not supported by tapegrad.iinfo")
        self.dtype = str(dtype).removeprefix("tapegrad.")
        self.bits = dtype.itemsize * 8
        values = self.bits - dtype.is_signed
        self.max = 2**values - 1
        self.min = -(2**values) if dtype.is_signed else 0

    def __repr__(self) -> str:
        return self._text("min", "max")
