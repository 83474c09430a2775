"""Operators that work element by element, with one, two or more operands."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from op_reference import clamp, elu, erf, erfc, floor_mod, gelu, power, sigmoid, softplus
from op_row import E, Make, S, Sample, Samples
from support import ALL, FLOATS, INTS, NUMBERS

from .build import BOOL, BROADCAST, KINK, add_row, function

# ---------------------------------------------------------------- element-wise, one operand

SHAPES: tuple[tuple[int, ...], ...] = ((), (3,), (2, 4), (0,), (2, 0, 3), (1, 2, 1))


def unary(
    name: str,
    ref: Callable[..., Any],
    lo: float = -2.0,
    hi: float = 2.0,
    away: Iterable[float] = (),
    more: Samples | None = None,
    **options: Any,
) -> None:
    def samples(m: Make) -> Iterable[Sample]:
        yield from (S(m(*shape, lo=lo, hi=hi, away=away)) for shape in SHAPES)
        yield from more(m) if more else ()

    options.setdefault("large", lambda m: [S(m(300_001, lo=lo, hi=hi, away=away))])
    add_row(name, ref, samples, "unary", **options)


HALVES = tuple(k / 2 for k in range(-4, 5))  # kinks of floor, ceil, round and trunc


NEG_BOOL = "Negation, the `-` operator, on a bool tensor is not supported."
FLOAT_OUT: dict[str, Any] = {"dtypes": ALL, "out": "float"}

unary("neg", np.negative, dtypes=NUMBERS, inplace="neg_", symbol=operator.neg, aliases=("negative",),
      errors=(E(lambda t: -t.tensor([True]), RuntimeError, NEG_BOOL),))
unary("positive", np.positive, dtypes=NUMBERS, symbol=operator.pos)
unary("abs", np.abs, away=KINK, dtypes=NUMBERS, inplace="abs_", symbol=abs, aliases=("absolute",))
unary("sign", lambda x: x if x.dtype == bool else np.nan_to_num(np.sign(x)), away=KINK, dtypes=ALL,
      inplace="sign_")  # the sign of NaN is 0
unary("exp", np.exp, inplace="exp_", **FLOAT_OUT)
unary("exp2", np.exp2, inplace="exp2_", **FLOAT_OUT)
unary("expm1", np.expm1, inplace="expm1_", **FLOAT_OUT)
unary("log", np.log, 0.2, 3, inplace="log_", **FLOAT_OUT)
unary("log2", np.log2, 0.2, 3, inplace="log2_", **FLOAT_OUT)
unary("log10", np.log10, 0.2, 3, inplace="log10_", **FLOAT_OUT)
unary("log1p", np.log1p, -0.7, 3, inplace="log1p_", **FLOAT_OUT)
unary("sqrt", np.sqrt, 0.2, 3, inplace="sqrt_", **FLOAT_OUT)
unary("rsqrt", lambda x: 1 / np.sqrt(x), 0.2, 3, inplace="rsqrt_", **FLOAT_OUT)
unary("reciprocal", lambda x: 1 / x, away=KINK, inplace="reciprocal_", dtypes=NUMBERS, out="float")
unary("square", np.square, inplace="square_", dtypes=NUMBERS)
unary("sin", np.sin, inplace="sin_", **FLOAT_OUT)
unary("cos", np.cos, inplace="cos_", **FLOAT_OUT)
unary("tan", np.tan, -1.3, 1.3, inplace="tan_", tol=2, **FLOAT_OUT)
unary("asin", np.arcsin, -0.9, 0.9, inplace="asin_", aliases=("arcsin",), **FLOAT_OUT)
unary("acos", np.arccos, -0.9, 0.9, inplace="acos_", aliases=("arccos",), **FLOAT_OUT)
unary("atan", np.arctan, inplace="atan_", aliases=("arctan",), **FLOAT_OUT)
unary("sinh", np.sinh, inplace="sinh_", **FLOAT_OUT)
unary("cosh", np.cosh, inplace="cosh_", **FLOAT_OUT)
unary("tanh", np.tanh, inplace="tanh_", **FLOAT_OUT)
unary("sigmoid", sigmoid, inplace="sigmoid_", **FLOAT_OUT)
unary("erf", erf, inplace="erf_", **FLOAT_OUT)
unary("erfc", erfc, inplace="erfc_", **FLOAT_OUT)
unary("floor", np.floor, away=HALVES, dtypes=NUMBERS, inplace="floor_")
unary("ceil", np.ceil, away=HALVES, dtypes=NUMBERS, inplace="ceil_")
unary("round", np.round, away=HALVES, dtypes=NUMBERS, inplace="round_")
unary("trunc", np.trunc, away=HALVES, dtypes=NUMBERS, inplace="trunc_", aliases=("fix",))
unary("relu", lambda x: np.maximum(x, np.zeros_like(x)), away=KINK, dtypes=NUMBERS, inplace="relu_",
      errors=(E(lambda t: t.relu(t.tensor([True])), RuntimeError,
                "Boolean inputs not supported for relu"),))
unary("leaky_relu", lambda x, negative_slope=0.01: np.where(x > 0, x, x * negative_slope),
      away=KINK, path="nn.functional.leaky_relu",
      more=lambda m: [S(m(2, 3, away=KINK), negative_slope=0.3)])
unary("elu", elu, away=KINK, path="nn.functional.elu",
      more=lambda m: [S(m(2, 3, away=KINK), alpha=0.7)])
unary("gelu", gelu, path="nn.functional.gelu", tol=2, special=False,
      more=lambda m: [S(m(2, 3), approximate="tanh")],
      errors=(E(lambda t: t.nn.functional.gelu(t.ones(2), approximate="x"), RuntimeError,
                "approximate argument must be either none or tanh."),))
unary("silu", lambda x: x * sigmoid(x), path="nn.functional.silu", special=False, inplace="silu_")
unary("softplus", softplus, path="nn.functional.softplus",
      more=lambda m: [S(m(2, 3), beta=3.0), S(m(2, 3, lo=-9, hi=9, away=(2.0,)), 1.0, 2.0)])
unary("logsigmoid", lambda x: -np.logaddexp(0, -x), path="nn.functional.logsigmoid",
      inplace="log_sigmoid_", aliases=("log_sigmoid",))
unary("clone", np.copy, dtypes=ALL)
unary("contiguous", np.copy, dtypes=ALL, call=lambda t, x: x.contiguous())
unary("to", lambda x: x.astype("float64"), dtypes=ALL, out="float64",
      call=lambda t, x: x.to(t.float64), method=None)
unary("detach", np.copy, dtypes=ALL, diff=False, view=True)

unary("logical_not", np.logical_not, dtypes=ALL, out="bool", diff=False)
unary("bitwise_not", np.invert, dtypes=BOOL + INTS, diff=False, symbol=operator.invert,
      inplace="bitwise_not_",
      errors=(E(lambda t: ~t.ones(2), TypeError,
                "~ (operator.invert) is only implemented on integer and Boolean-type tensors"),))
unary("isnan", np.isnan, dtypes=ALL, out="bool", diff=False)
unary("isinf", np.isinf, dtypes=ALL, out="bool", diff=False)
unary("isfinite", np.isfinite, dtypes=ALL, out="bool", diff=False)
unary("signbit", lambda x: np.signbit(x) if x.dtype.kind == "f" else x < 0, dtypes=ALL, out="bool", diff=False)


# ---------------------------------------------------------------- element-wise, two operands

PAIRS: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...] = (
    ((), ()), ((3,), (3,)), ((3,), ()), ((), (3,)), ((2, 3), (3,)), ((2, 1), (1, 3)),
    ((2, 1, 3), (2, 1)), ((0,), (1,)), ((2, 0), (2, 1)), ((1,), (1, 1, 2)),
)


def binary(
    name: str,
    ref: Callable[..., Any],
    left: dict | None = None,
    right: dict | None = None,
    more: Samples | None = None,
    **options: Any,
) -> None:
    left, right = left or {}, right or {}

    def samples(m: Make) -> Iterable[Sample]:
        yield from (S(m(*a, **left), m(*b, **right)) for a, b in PAIRS)
        yield from more(m) if more else ()

    dtypes = options.get("dtypes", NUMBERS)

    def clash(t: Any) -> Any:
        dtype = getattr(t, "float32" if "float32" in dtypes else dtypes[0])
        return function(options.get("path", name))(t, t.ones(2, dtype=dtype), t.ones(3, dtype=dtype))

    options["errors"] = (*options.get("errors", ()), E(clash, RuntimeError, BROADCAST))
    options.setdefault(
        "large", lambda m: [S(m(500, 603, **left), m(603, **right)),
                            S(m(500, 1, **left), m(603, **right))]
    )
    add_row(name, ref, samples, "binary", **options)


DIVISOR = {"lo": 0.4, "hi": 3.0, "away": KINK}
SUB_BOOL = ("Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` or "
            "`logical_xor()` operator instead.")
NO_FLOAT = "\"bitwise_{}_cpu\" not implemented for 'Float'"
LONG_RESULT = "result type Float can't be cast to the desired output type Long"


binary("add", np.add, dtypes=ALL, inplace="add_", symbol=operator.add, scalars=(2, 2.5, True, -1),
       more=lambda m: [S(m(2, 3), m(3), alpha=3)] if m.dtype != "bool" else [],
       errors=(E(lambda t: t.ones(2) + "a", TypeError,
                 "unsupported operand type(s) for +: 'Tensor' and 'str'"),
               E(lambda t: t.arange(2).add_(1.5), RuntimeError, LONG_RESULT)))
binary("sub", np.subtract, dtypes=NUMBERS, inplace="sub_", symbol=operator.sub, scalars=(2, 2.5, 1),
       aliases=("subtract",), more=lambda m: [S(m(2, 3), m(3), alpha=2)],
       errors=(E(lambda t: t.tensor([True]) - t.tensor([True]), RuntimeError, SUB_BOOL),))
add_row("rsub", lambda x, y: y - x, lambda m: [S(m(*a), m(*b)) for a, b in PAIRS], "binary", dtypes=NUMBERS,
        large=lambda m: [S(m(500, 603), m(603))],
        errors=(E(lambda t: t.rsub(t.tensor([True]), t.tensor([True])), RuntimeError, SUB_BOOL),
                E(lambda t: t.rsub(t.ones(3), t.ones(2)), RuntimeError, BROADCAST)))
binary("mul", np.multiply, dtypes=ALL, inplace="mul_", symbol=operator.mul, aliases=("multiply",),
       scalars=(2, 2.5, True, -1))
binary("div", np.true_divide, right=DIVISOR, dtypes=ALL[1:], out="float", inplace="div_",
       symbol=operator.truediv, scalars=(2, 2.5, True, -1),
       aliases=("true_divide", "divide"),
       errors=(E(lambda t: t.arange(2).div_(2), RuntimeError, LONG_RESULT),))
binary("floor_divide", np.floor_divide, {"lo": -3, "hi": 9}, DIVISOR, dtypes=NUMBERS, diff=False,
       inplace="floor_divide_", symbol=operator.floordiv, scalars=(2, 2.5, 3), special=False,
       errors=(E(lambda t: t.arange(2) // t.tensor([0, 1]), RuntimeError, "ZeroDivisionError"),))
binary("remainder", floor_mod, {"lo": -3, "hi": 9}, DIVISOR, dtypes=NUMBERS, inplace="remainder_",
       symbol=operator.mod, scalars=(2, 2.5, 3), special=False, tol=2,
       errors=(E(lambda t: t.arange(2) % t.tensor([0, 1]), RuntimeError, "ZeroDivisionError"),))
binary("pow", power, {"lo": 0.2, "hi": 2.5}, {"lo": 0.0, "hi": 3}, dtypes=NUMBERS, inplace="pow_",
       symbol=operator.pow, scalars=(2, 2.5, 3, 0, 0.5), tol=2,
       errors=(E(lambda t: t.tensor([2]) ** -1, RuntimeError,
                 "Integers to negative integer powers are not allowed."),))
binary("fmod", np.fmod, {"lo": -3, "hi": 9}, DIVISOR, dtypes=NUMBERS, scalars=(2, 2.5, 3), special=False,
       inplace="fmod_", tol=2, errors=(E(lambda t: t.fmod(t.arange(2), 0), RuntimeError, "ZeroDivisionError"),))
binary("maximum", np.maximum, dtypes=ALL, inplace="maximum_")
binary("minimum", np.minimum, dtypes=ALL, inplace="minimum_")
binary("atan2", np.arctan2, {"lo": 0.3}, {"away": KINK}, special=False, inplace="atan2_",
       aliases=("arctan2",))

for name, ref, symbol, aliases in (
        ("eq", np.equal, operator.eq, ()), ("ne", np.not_equal, operator.ne, ("not_equal",)),
        ("lt", np.less, operator.lt, ("less",)), ("le", np.less_equal, operator.le, ("less_equal",)),
        ("gt", np.greater, operator.gt, ("greater",)), ("ge", np.greater_equal, operator.ge, ("greater_equal",))):
    binary(name, ref, dtypes=ALL, out="bool", diff=False, symbol=symbol, scalars=(1, 0.5, True, -1),
           aliases=aliases)

binary("logical_and", np.logical_and, dtypes=ALL, out="bool", diff=False)
binary("logical_or", np.logical_or, dtypes=ALL, out="bool", diff=False)
binary("logical_xor", np.logical_xor, dtypes=ALL, out="bool", diff=False)
for name, ref, symbol in (("and", np.bitwise_and, operator.and_), ("or", np.bitwise_or, operator.or_),
                          ("xor", np.bitwise_xor, operator.xor)):
    binary(f"bitwise_{name}", ref, dtypes=BOOL + INTS, diff=False, symbol=symbol, scalars=(3, True),
           inplace=f"bitwise_{name}_",
           errors=(E(lambda t, f=symbol: f(t.ones(2), t.ones(2)), NotImplementedError,
                     NO_FLOAT.format(name)),))
BITS = {"lo": 0, "hi": 3}
for name, ref, symbol, kernel in (("left", np.left_shift, operator.lshift, "lshift"),
                                  ("right", np.right_shift, operator.rshift, "rshift")):
    binary(f"bitwise_{name}_shift", ref, {"lo": -9, "hi": 9}, BITS, dtypes=INTS, diff=False, symbol=symbol,
           inplace=f"bitwise_{name}_shift_",
           errors=(E(lambda t, f=symbol: f(t.ones(2), t.ones(2)), NotImplementedError,
                     f"\"{kernel}_cpu\" not implemented for 'Float'"),))

add_row("clamp", clamp, lambda m: [
            S(m(*s, away=(-1, 1)), -1, 1) for s in SHAPES
        ] + [S(m(2, 3, away=(1,)), min=1), S(m(2, 3, away=(1,)), max=1), S(m(2, 3), 1, 0),
             S(m(2, 3), m(3), m(2, 1)), S(m(3), max=m(2, 1))],
        "nary", dtypes=NUMBERS[1:], inplace="clamp_", aliases=("clip",),
        large=lambda m: [S(m(300_001), -0.5, 0.5)],
        errors=(E(lambda t: t.clamp(t.ones(2)), RuntimeError,
                  "tapegrad.clamp: At least one of 'min' or 'max' must not be None"),))
for name, ref in (("clamp_min", np.maximum), ("clamp_max", np.minimum)):
    add_row(name, ref, lambda m: [S(m(*s, away=(1,)), 1) for s in SHAPES] + [S(m(2, 3), m(3)), S(m(3), m(2, 1))],
            "nary", dtypes=NUMBERS, inplace=f"{name}_", large=lambda m: [S(m(300_001), 0.5)])
add_row("isclose", np.isclose, lambda m: [
            S(m(), m()), S(x := m(2, 3), x), S(m(2, 3), m(3)), S(m(2, 1), m(3)), S(m(0), m(0)),
            S(m(3), m(3), 0.5, 0.5), S(m(3), m(3), rtol=0, atol=0.5),
            *([S(x := m(9), x + m(9) * 1e-5), S(x := m(9) * np.nan, x), S(x, x, equal_nan=True),
               S(x := m(9) * np.inf, x)]
              if m.dtype in FLOATS else [])],
        "nary", dtypes=NUMBERS, out="bool", diff=False,
        large=lambda m: [S(x := m(300_001), x), S(m(300_001), m(300_001), 0.5)],
        errors=(E(lambda t: t.isclose(t.ones(2), t.ones(2, dtype=t.float64)), RuntimeError,
                  "Float did not match Double"),
                E(lambda t: t.isclose(t.ones(2), t.ones(2), rtol=-1.0), RuntimeError,
                  "rtol must be greater than or equal to zero, but got -1"),
                E(lambda t: t.isclose(t.ones(2), t.ones(3)), RuntimeError, BROADCAST)))
add_row("where", np.where, lambda m: [
            S(m.mask(2, 3), m(2, 3), m(2, 3)), S(m.mask(2, 1), m(3), m(2, 3)), S(m.mask(), m(2), m()),
            S(m.mask(0), m(0), m(1)), S(m.mask(4), m(4), m(1))],
        "nary", dtypes=ALL, method=None, large=lambda m: [S(m.mask(300, 1000), m(300, 1000), m(1000))],
        errors=(E(lambda t: t.where(t.tensor([1, 0]), 1.0, 2.0), RuntimeError,
                  "where expected condition to be a boolean tensor"),))
