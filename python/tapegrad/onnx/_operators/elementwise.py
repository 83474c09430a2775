"""Arithmetic, functions, comparisons and choices."""

from __future__ import annotations

from typing import Any

from ... import _C
from ..._C import Tensor
from ._table import Table

__all__ = ["CONVERTERS"]

CONVERTERS = Table()

_SAME = {  # one node of the same meaning
    "abs": "Abs",
    "acos": "Acos",
    "acosh": "Acosh",
    "asin": "Asin",
    "asinh": "Asinh",
    "atan": "Atan",
    "atanh": "Atanh",
    "ceil": "Ceil",
    "cos": "Cos",
    "cosh": "Cosh",
    "erf": "Erf",
    "exp": "Exp",
    "floor": "Floor",
    "log": "Log",
    "neg": "Neg",
    "reciprocal": "Reciprocal",
    "round": "Round",
    "sigmoid": "Sigmoid",
    "sign": "Sign",
    "sin": "Sin",
    "sinh": "Sinh",
    "sqrt": "Sqrt",
    "tan": "Tan",
    "tanh": "Tanh",
}


def _same(kind: str) -> Any:
    def convert(g: Any, input: Tensor) -> Any:
        return g.node(kind, g.cast(input, g.result.dtype))

    return convert


CONVERTERS.update({name: _same(kind) for name, kind in _SAME.items()})


@CONVERTERS.of("square")
def _square(g: Any, input: Tensor) -> Any:
    return g.node("Mul", input, input)


@CONVERTERS.of("rsqrt")
def _rsqrt(g: Any, input: Tensor) -> Any:
    return g.node("Reciprocal", g.node("Sqrt", g.cast(input, g.result.dtype)))


@CONVERTERS.of("log1p")
def _log1p(g: Any, input: Tensor) -> Any:
    one = g.number(1, g.result.dtype)
    return g.node("Log", g.node("Add", g.cast(input, g.result.dtype), one))


@CONVERTERS.of("isnan")
def _isnan(g: Any, input: Tensor) -> Any:
    return g.node("IsNaN", input)


@CONVERTERS.of("isinf")
def _isinf(g: Any, input: Tensor) -> Any:
    return g.node("IsInf", input)


def _both(g: Any, a: Any, b: Any, dtype: Any = None) -> tuple[Any, Any]:
    """Two operands of one dtype, by default the result's."""
    dtype = dtype or g.result.dtype
    return g.number(a, dtype), g.number(b, dtype)


@CONVERTERS.of("add", "__add__")
def _add(g: Any, input: Any, other: Any, *, alpha: float = 1) -> Any:
    if g.result.dtype is _C.bool:
        return g.node("Or", input, other)
    a, b = _both(g, input, other)
    return g.node("Add", a, b if alpha == 1 else g.node("Mul", b, g.number(alpha, g.result.dtype)))


@CONVERTERS.of("sub")
def _sub(g: Any, input: Any, other: Any, *, alpha: float = 1) -> Any:
    a, b = _both(g, input, other)
    return g.node("Sub", a, b if alpha == 1 else g.node("Mul", b, g.number(alpha, g.result.dtype)))


@CONVERTERS.of("rsub")
def _rsub(g: Any, input: Any, other: Any, *, alpha: float = 1) -> Any:
    return _sub(g, other, input, alpha=alpha)


@CONVERTERS.of("mul")
def _mul(g: Any, input: Any, other: Any) -> Any:
    if g.result.dtype is _C.bool:
        return g.node("And", input, other)
    return g.node("Mul", *_both(g, input, other))


@CONVERTERS.of("div", "true_divide")
def _div(g: Any, input: Any, other: Any, *, rounding_mode: str | None = None) -> Any:
    quotient = g.node("Div", *_both(g, input, other))
    if rounding_mode is None:
        return quotient
    if not g.result.is_floating_point():
        raise g.refuse("of integers is rounded")
    if rounding_mode == "floor":
        return g.node("Floor", quotient)
    return g.node("Mul", g.node("Sign", quotient), g.node("Floor", g.node("Abs", quotient)))


@CONVERTERS.of("pow")
def _pow(g: Any, input: Any, exponent: Any) -> Any:
    return g.node("Pow", *_both(g, input, exponent))


@CONVERTERS.of("maximum")
def _maximum(g: Any, input: Any, other: Any) -> Any:
    return g.node("Max", *_both(g, input, other))


@CONVERTERS.of("minimum")
def _minimum(g: Any, input: Any, other: Any) -> Any:
    return g.node("Min", *_both(g, input, other))


def _operands(g: Any, a: Any, b: Any) -> tuple[Any, Any]:
    """Two operands of one dtype, where the result has another one."""
    return _both(g, a, b, _C.result_type(a, b))


_COMPARED = {"eq": "Equal", "lt": "Less", "le": "LessOrEqual", "gt": "Greater"}


def _compared(kind: str) -> Any:
    return lambda g, input, other: g.node(kind, *_operands(g, input, other))


CONVERTERS.update({name: _compared(kind) for name, kind in _COMPARED.items()})
CONVERTERS["ge"] = _compared("GreaterOrEqual")


@CONVERTERS.of("ne")
def _ne(g: Any, input: Any, other: Any) -> Any:
    return g.node("Not", g.node("Equal", *_operands(g, input, other)))


_LOGIC = {"logical_and": "And", "logical_or": "Or", "logical_xor": "Xor"}
_BITS = {"bitwise_and": "And", "bitwise_or": "Or", "bitwise_xor": "Xor"}


def _logic(kind: str) -> Any:
    return lambda g, input, other: g.node(kind, *_both(g, input, other, _C.bool))


def _bits(kind: str) -> Any:
    def convert(g: Any, input: Any, other: Any) -> Any:
        if g.result.dtype is not _C.bool:
            kind_of_bits = f"Bitwise{kind}"
            return g.node(kind_of_bits, *_both(g, input, other))
        return g.node(kind, *_both(g, input, other))

    return convert


CONVERTERS.update({name: _logic(kind) for name, kind in _LOGIC.items()})
CONVERTERS.update({name: _bits(kind) for name, kind in _BITS.items()})


@CONVERTERS.of("logical_not", "bitwise_not")
def _not(g: Any, input: Tensor) -> Any:
    if g.result.dtype is not _C.bool:
        return g.node("BitwiseNot", input)
    return g.node("Not", g.cast(input, _C.bool))


@CONVERTERS.of("where")
def _where(g: Any, condition: Tensor, input: Any, other: Any) -> Any:
    if not isinstance(condition, Tensor) or condition.dtype is not _C.bool:
        raise g.refuse("needs a condition of bools")
    return g.node("Where", condition, *_both(g, input, other))


@CONVERTERS.of("masked_fill")
def _masked_fill(g: Any, input: Tensor, mask: Tensor, value: Any) -> Any:
    return g.node("Where", mask, *_both(g, value, input))


@CONVERTERS.of("clamp", "clip")
def _clamp(g: Any, input: Tensor, min: Any = None, max: Any = None) -> Any:
    made = g.cast(input, g.result.dtype)
    if min is not None:
        made = g.node("Max", made, g.number(min, g.result.dtype))
    if max is not None:
        made = g.node("Min", made, g.number(max, g.result.dtype))
    return made


@CONVERTERS.of("clamp_min")
def _clamp_min(g: Any, input: Tensor, min: Any) -> Any:
    return _clamp(g, input, min)


@CONVERTERS.of("clamp_max")
def _clamp_max(g: Any, input: Tensor, max: Any) -> Any:
    return _clamp(g, input, None, max)


@CONVERTERS.of(
    *("_to_dtype", "to", "float", "double", "half", "bfloat16", "long", "int", "short", "char"),
    *("byte", "bool"),
)
def _converted(g: Any, input: Tensor, *args: Any, **kwargs: Any) -> Any:
    return g.node("Identity", g.cast(input, g.result.dtype))
