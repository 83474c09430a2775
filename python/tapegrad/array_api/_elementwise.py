"""Element-wise functions; those of one tensor are tapegrad's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import _C
from .._C import (
    Tensor,
    abs,
    acos,
    acosh,
    asin,
    asinh,
    atan,
    atanh,
    ceil,
    cos,
    cosh,
    exp,
    expm1,
    floor,
    isfinite,
    isinf,
    isnan,
    log,
    log1p,
    log2,
    log10,
    logical_not,
    reciprocal,
    round,
    signbit,
    sin,
    sinh,
    sqrt,
    square,
    tan,
    tanh,
    trunc,
)
from .._C import bitwise_not as bitwise_invert
from .._C import neg as negative
from .._C import positive as positive
from ._dtypes import result_type

_OF_TWO = (
    *("add", "atan2", "bitwise_and", "bitwise_left_shift", "bitwise_or", "bitwise_right_shift"),
    *("bitwise_xor", "copysign", "divide", "equal", "floor_divide", "greater", "greater_equal"),
    *("hypot", "less", "less_equal", "logaddexp", "logical_and", "logical_or", "logical_xor"),
    *("maximum", "minimum", "multiply", "nextafter", "not_equal", "pow", "remainder", "subtract"),
)

__all__ = [
    "abs",
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atanh",
    "bitwise_invert",
    "ceil",
    "clip",
    "conj",
    "cos",
    "cosh",
    "exp",
    "expm1",
    "floor",
    "isfinite",
    "isinf",
    "isnan",
    "log",
    "log1p",
    "log2",
    "log10",
    "logical_not",
    "negative",
    "positive",
    "real",
    "reciprocal",
    "round",
    "sign",
    "signbit",
    "sin",
    "sinh",
    "sqrt",
    "square",
    "tan",
    "tanh",
    "trunc",
    *_OF_TWO,
]


def promoted(*xs: Any) -> list[Any]:
    """Tensors of one dtype, the one that all of them have room in; numbers stay what they are.

    PyTorch lets a tensor without dimensions give way to others, the standard does not.
    """
    dtypes = {x.dtype for x in xs if isinstance(x, Tensor)}
    if len(dtypes) < 2:
        return list(xs)
    dtype = result_type(*dtypes)
    return [x.to(dtype) if isinstance(x, Tensor) else x for x in xs]


def _of_two(name: str) -> Callable[[Any, Any], Tensor]:
    operator = getattr(_C, {"equal": "eq"}.get(name, name))

    def function(x1: Any, x2: Any, /) -> Tensor:
        x1, x2 = promoted(x1, x2)
        if not isinstance(x1, Tensor):
            x1 = _C.tensor(x1, dtype=result_type(x2, x1))
        result: Tensor = operator(x1, x2)
        return result

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"``tapegrad.{operator.__name__}`` of two tensors, or of one and a number."
    return function


globals().update({name: _of_two(name) for name in _OF_TWO})


def clip(x: Tensor, /, min: Any = None, max: Any = None) -> Tensor:
    """Values within bounds, which are numbers or tensors; the dtype is that of `x`."""
    if min is not None:
        x, low = _beside(x, min)
        x = _C.where((x < low) | _C.isnan(low), low, x)
    if max is not None:
        x, high = _beside(x, max)
        x = _C.where((x > high) | _C.isnan(high), high, x)
    return x.clone() if min is None and max is None else x


def _beside(x: Tensor, bound: Any) -> tuple[Tensor, Tensor]:
    bound = bound.to(x.dtype) if isinstance(bound, Tensor) else _C.full_like(x, bound)
    x, bound = _C.broadcast_tensors(x, bound)
    return x, bound


def conj(x: Tensor, /) -> Tensor:
    """The tensor itself, as its numbers are real."""
    return x


def real(x: Tensor, /) -> Tensor:
    """The tensor itself, as its numbers are real."""
    return x


def sign(x: Tensor, /) -> Tensor:
    """-1, 0 or 1; NaN for NaN."""
    return _C.where(_C.isnan(x), x, _C.sign(x)) if x.is_floating_point() else _C.sign(x)
