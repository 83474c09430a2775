"""One row per operator: how to call it, what it should give, and what it refuses.

The suites `test_ops_*.py`, `test_inplace.py` and `test_errors.py` run over this table. Adding an
operator is adding a row; an operator of the library that no row covers fails `test_ops_values.py`.

A row's `call(lib, *args)` takes the library as its first argument, so that the same row also runs
on PyTorch. References are NumPy functions, fed with float64 copies of the inputs.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from op_reference import (
    bce_with_logits,
    chunk,
    clamp,
    cross_entropy,
    deviation,
    diagonal,
    elu,
    erf,
    erfc,
    expand,
    flatten,
    floor_mod,
    gelu,
    index_add,
    index_copy,
    index_fill,
    joined,
    last,
    log_softmax,
    logsumexp,
    masked_fill,
    masked_scatter,
    norm,
    over,
    power,
    put_add,
    put_reduced,
    read,
    reduced,
    sigmoid,
    softplus,
    split,
    squeeze,
    take,
    values_and_places,
    write,
)
from op_row import Const, E, Error, Make, Op, S, Sample, Samples
from support import ALL, INTS, NUMBERS

BOOL = ("bool",)


TABLE: list[Op] = []


def add_row(
    name: str, ref: Callable[..., Any], samples: Samples, kind: str, **options: Any
) -> None:
    path = options.pop("path", name)
    call = options.pop("call", None) or _function(path)
    options.setdefault("method", None if "." in path else path)
    TABLE.append(Op(name, call, ref, samples, kind, **options))


def _function(path: str) -> Callable[..., Any]:
    def call(lib: Any, *args: Any, **kwargs: Any) -> Any:
        for part in path.split("."):
            lib = getattr(lib, part)
        return lib(*args, **kwargs)

    return call


# The rows keep their own layout: one operator, a few lines.
# fmt: off

# ---------------------------------------------------------------- element-wise, one operand

SHAPES: tuple[tuple[int, ...], ...] = ((), (3,), (2, 4), (0,), (2, 0, 3), (1, 2, 1))
KINK, NO_KINK = (0.0,), ()


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

unary("neg", np.negative, dtypes=NUMBERS, inplace="neg_", symbol=operator.neg, covers=("negative",),
      errors=(E(lambda t: -t.tensor([True]), RuntimeError, NEG_BOOL),))
unary("positive", np.positive, dtypes=NUMBERS, symbol=operator.pos)
unary("abs", np.abs, away=KINK, dtypes=NUMBERS, inplace="abs_", symbol=abs, covers=("absolute",))
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
unary("asin", np.arcsin, -0.9, 0.9, inplace="asin_", covers=("arcsin",), **FLOAT_OUT)
unary("acos", np.arccos, -0.9, 0.9, inplace="acos_", covers=("arccos",), **FLOAT_OUT)
unary("atan", np.arctan, inplace="atan_", covers=("arctan",), **FLOAT_OUT)
unary("sinh", np.sinh, inplace="sinh_", **FLOAT_OUT)
unary("cosh", np.cosh, inplace="cosh_", **FLOAT_OUT)
unary("tanh", np.tanh, inplace="tanh_", **FLOAT_OUT)
unary("sigmoid", sigmoid, inplace="sigmoid_", **FLOAT_OUT)
unary("erf", erf, inplace="erf_", **FLOAT_OUT)
unary("erfc", erfc, inplace="erfc_", **FLOAT_OUT)
unary("floor", np.floor, away=HALVES, dtypes=NUMBERS, inplace="floor_")
unary("ceil", np.ceil, away=HALVES, dtypes=NUMBERS, inplace="ceil_")
unary("round", np.round, away=HALVES, dtypes=NUMBERS, inplace="round_")
unary("trunc", np.trunc, away=HALVES, dtypes=NUMBERS, inplace="trunc_", covers=("fix",))
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
unary("silu", lambda x: x * sigmoid(x), path="nn.functional.silu", special=False)
unary("softplus", softplus, path="nn.functional.softplus",
      more=lambda m: [S(m(2, 3), beta=3.0), S(m(2, 3, lo=-9, hi=9, away=(2.0,)), 1.0, 2.0)])
unary("logsigmoid", lambda x: -np.logaddexp(0, -x), path="nn.functional.logsigmoid", covers=("log_sigmoid",))
unary("clone", np.copy, dtypes=ALL)
unary("contiguous", np.copy, dtypes=ALL, call=lambda t, x: x.contiguous())
unary("to", lambda x: x.astype("float64"), dtypes=ALL, out="float64",
      call=lambda t, x: x.to(t.float64), method=None, covers=("cast", "to_copy", "_to_copy"))
unary("detach", np.copy, dtypes=ALL, diff=False, view=True)

unary("logical_not", np.logical_not, dtypes=ALL, out="bool", diff=False)
unary("bitwise_not", np.invert, dtypes=BOOL + INTS, diff=False, symbol=operator.invert,
      inplace="bitwise_not_",
      errors=(E(lambda t: ~t.ones(2), TypeError,
                "~ (operator.invert) is only implemented on integer and Boolean-type tensors"),))
unary("isnan", np.isnan, dtypes=ALL, out="bool", diff=False)
unary("isinf", np.isinf, dtypes=ALL, out="bool", diff=False)
unary("isfinite", np.isfinite, dtypes=ALL, out="bool", diff=False)


# ---------------------------------------------------------------- element-wise, two operands

PAIRS: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...] = (
    ((), ()), ((3,), (3,)), ((3,), ()), ((), (3,)), ((2, 3), (3,)), ((2, 1), (1, 3)),
    ((2, 1, 3), (2, 1)), ((0,), (1,)), ((2, 0), (2, 1)), ((1,), (1, 1, 2)),
)
BROADCAST = ("The size of tensor a (2) must match the size of tensor b (3) at non-singleton "
             "dimension 0")


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

    def clash(t: Any) -> Any:
        ones = t.ones(6, dtype=t.bool)
        return _function(options.get("path", name))(t, ones[:2], ones[:3])

    def clash_float(t: Any) -> Any:
        return _function(options.get("path", name))(t, t.ones(2), t.ones(3))

    refused = clash if "float32" not in options.get("dtypes", NUMBERS) else clash_float
    options["errors"] = (*options.get("errors", ()), E(refused, RuntimeError, BROADCAST))
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
       covers=("rsub", "subtract"), more=lambda m: [S(m(2, 3), m(3), alpha=2)],
       errors=(E(lambda t: t.tensor([True]) - t.tensor([True]), RuntimeError, SUB_BOOL),))
binary("mul", np.multiply, dtypes=ALL, inplace="mul_", symbol=operator.mul, covers=("multiply",),
       scalars=(2, 2.5, True, -1))
binary("div", np.true_divide, right=DIVISOR, dtypes=ALL[1:], out="float", inplace="div_",
       symbol=operator.truediv, scalars=(2, 2.5, True, -1),
       covers=("true_divide", "divide", "truediv"),
       errors=(E(lambda t: t.arange(2).div_(2), RuntimeError, LONG_RESULT),))
binary("floor_divide", np.floor_divide, {"lo": -3, "hi": 9}, DIVISOR, dtypes=NUMBERS, diff=False,
       inplace="floor_divide_", symbol=operator.floordiv, scalars=(2, 2.5, 3), special=False,
       covers=("floordiv",),
       errors=(E(lambda t: t.arange(2) // t.tensor([0, 1]), RuntimeError, "ZeroDivisionError"),))
binary("remainder", floor_mod, {"lo": -3, "hi": 9}, DIVISOR, dtypes=NUMBERS, inplace="remainder_",
       symbol=operator.mod, scalars=(2, 2.5, 3), special=False, tol=2, covers=("mod",),
       errors=(E(lambda t: t.arange(2) % t.tensor([0, 1]), RuntimeError, "ZeroDivisionError"),))
binary("pow", power, {"lo": 0.2, "hi": 2.5}, {"lo": 0.0, "hi": 3}, dtypes=NUMBERS, inplace="pow_",
       symbol=operator.pow, scalars=(2, 2.5, 3, 0, 0.5), tol=2,
       errors=(E(lambda t: t.tensor([2]) ** -1, RuntimeError,
                 "Integers to negative integer powers are not allowed."),))
binary("fmod", np.fmod, {"lo": -3, "hi": 9}, DIVISOR, dtypes=NUMBERS, scalars=(2, 2.5, 3), special=False,
       tol=2, errors=(E(lambda t: t.fmod(t.arange(2), 0), RuntimeError, "ZeroDivisionError"),))
binary("maximum", np.maximum, dtypes=ALL)
binary("minimum", np.minimum, dtypes=ALL)
binary("atan2", np.arctan2, {"lo": 0.3}, {"away": KINK}, special=False)

for name, ref, symbol in (("eq", np.equal, operator.eq), ("ne", np.not_equal, operator.ne),
                          ("lt", np.less, operator.lt), ("le", np.less_equal, operator.le),
                          ("gt", np.greater, operator.gt), ("ge", np.greater_equal, operator.ge)):
    binary(name, ref, dtypes=ALL, out="bool", diff=False, symbol=symbol, scalars=(1, 0.5, True, -1))

binary("logical_and", np.logical_and, dtypes=ALL, out="bool", diff=False)
binary("logical_or", np.logical_or, dtypes=ALL, out="bool", diff=False)
binary("logical_xor", np.logical_xor, dtypes=ALL, out="bool", diff=False)
for name, ref, symbol in (("and", np.bitwise_and, operator.and_), ("or", np.bitwise_or, operator.or_),
                          ("xor", np.bitwise_xor, operator.xor)):
    binary(f"bitwise_{name}", ref, dtypes=BOOL + INTS, diff=False, symbol=symbol, scalars=(3, True),
           inplace=f"bitwise_{name}_",
           errors=(E(lambda t, f=symbol: f(t.ones(2), t.ones(2)), NotImplementedError,
                     NO_FLOAT.format(name)),))

add_row("clamp", clamp, lambda m: [
            S(m(*s, away=(-1, 1)), -1, 1) for s in SHAPES
        ] + [S(m(2, 3, away=(1,)), min=1), S(m(2, 3, away=(1,)), max=1), S(m(2, 3), 1, 0),
             S(m(2, 3), m(3), m(2, 1)), S(m(3), max=m(2, 1))],
        "nary", dtypes=NUMBERS[1:], inplace="clamp_", covers=("clip", "clamp_min", "clamp_max"),
        large=lambda m: [S(m(300_001), -0.5, 0.5)],
        errors=(E(lambda t: t.clamp(t.ones(2)), RuntimeError,
                  "tapegrad.clamp: At least one of 'min' or 'max' must not be None"),))
add_row("where", np.where, lambda m: [
            S(m.mask(2, 3), m(2, 3), m(2, 3)), S(m.mask(2, 1), m(3), m(2, 3)), S(m.mask(), m(2), m()),
            S(m.mask(0), m(0), m(1)), S(m.mask(4), m(4), m(1))],
        "nary", dtypes=ALL, method=None, large=lambda m: [S(m.mask(300, 1000), m(300, 1000), m(1000))],
        errors=(E(lambda t: t.where(t.tensor([1, 0]), 1.0, 2.0), RuntimeError,
                  "where expected condition to be a boolean tensor"),))


# ---------------------------------------------------------------- reductions

ONE_DIM = [{"dim": 0}, {"dim": -1}, {"dim": 1, "keepdim": True}]
SEVERAL = [*ONE_DIM, {"dim": (0, 2)}, {"dim": (-1, 0, 1), "keepdim": True}, {"dim": [1]}]
NO_SUCH_DIM = "Dimension out of range (expected to be in range of [-2, 1], but got 2)"


def reduction(
    name: str,
    ref: Callable[..., Any],
    dims: list[dict] = SEVERAL,
    *,
    every: bool = True,  # also without `dim`
    empty: bool = True,  # has a value for no elements
    distinct: bool = False,
    arg: dict | None = None,
    more: Samples | None = None,
    **options: Any,
) -> None:
    arg = arg or {}

    def samples(m: Make) -> Iterable[Sample]:
        make = m.distinct if distinct else (lambda *shape: m(*shape, **arg))
        yield from (S(make(2, 3, 2), **d) for d in dims)
        yield S(make(), dim=0)
        yield S(make(2, 0, 3), dim=0)
        if every:
            yield from (S(make(*s)) for s in ((), (5,), (2, 3)))
        if empty:
            yield S(make(2, 0, 3), dim=1)
            yield from [S(make(0))] if every else []
        yield from more(m) if more else ()

    def bad_dim(t: Any) -> Any:
        x = t.ones(2, 3, dtype=t.float32)
        return _function(name)(t, x, dim=2)

    options["errors"] = (*options.get("errors", ()), E(bad_dim, IndexError, NO_SUCH_DIM))
    make_large = [(301, 1003)]
    options.setdefault("large", lambda m: [
        S((m.distinct if distinct else m)(*s), **d)
        for s in make_large for d in [*([{}] if every else []), {"dim": 0}, {"dim": 1}]
    ])
    add_row(name, ref, samples, "reduction", **options)


def no_elements(name: str) -> Error:
    return E(lambda t: _function(name)(t, t.ones(0)), RuntimeError,
             f"{name}(): Expected reduction dim to be specified for input.numel() == 0. "
             "Specify the reduction dim with the 'dim' argument.")


def no_size(name: str) -> Error:
    return E(lambda t: _function(name)(t, t.ones(0, 2), dim=0), IndexError,
             f"{name}(): Expected reduction dim 0 to have non-zero size.")


reduction("sum", over(np.sum), dtypes=ALL, out="sum", tol=5,
          errors=(E(lambda t: t.ones(2, 3).sum((0, 0)), RuntimeError,
                    "dim 0 appears multiple times in the list of dims"),))
reduction("mean", over(np.mean), tol=5,
          errors=(E(lambda t: t.arange(3).mean(), RuntimeError,
                    "mean(): could not infer output dtype. Input dtype must be either a floating "
                    "point or complex dtype. Got: Long"),))
reduction("prod", over(np.prod), ONE_DIM, dtypes=ALL, out="sum", tol=5, arg={"away": KINK},
          large=lambda m: [S(m(301, 1003, lo=0.99, hi=1.01), dim=0), S(m(5003, lo=0.99, hi=1.01))])
reduction("max", values_and_places(np.max, np.argmax), ONE_DIM, empty=False, distinct=True,
          dtypes=NUMBERS, errors=(no_elements("max"), no_size("max")))
reduction("min", values_and_places(np.min, np.argmin), ONE_DIM, empty=False, distinct=True,
          dtypes=NUMBERS, errors=(no_elements("min"), no_size("min")))
reduction("amax", over(np.amax), empty=False, distinct=True, dtypes=ALL,
          errors=(no_elements("amax"),))
reduction("amin", over(np.amin), empty=False, distinct=True, dtypes=ALL,
          errors=(no_elements("amin"),))
for name, ref in (("argmax", np.argmax), ("argmin", np.argmin)):
    reduction(name, over(ref), ONE_DIM, empty=False, distinct=True, dtypes=NUMBERS, out="int64",
              diff=False,
              errors=(no_size(name),
                      E(lambda t, n=name: _function(n)(t, t.ones(0)), IndexError,
                        f"{name}(): Expected reduction dim to be specified for input.numel() == 0.")))
CORRECTED = [{"correction": 0}, {"dim": 1, "correction": 0}, {"unbiased": False}]
reduction("var", over(deviation), empty=False, tol=5,
          more=lambda m: [S(m(3, 4), **kw) for kw in CORRECTED])
reduction("std", over(lambda x, **kw: deviation(x, root=True, **kw)), empty=False, tol=5,
          more=lambda m: [S(m(3, 4), **kw) for kw in CORRECTED],
          errors=(E(lambda t: t.arange(3).std(), RuntimeError,
                    "std and var only support floating point and complex dtypes"),))
reduction("norm", over(norm), SEVERAL[:-2], arg={"away": KINK}, tol=5, covers=("vector_norm", "linalg_vector_norm"),
          more=lambda m: [S(m(3, 4, away=KINK), p, **d) for p in (1, 3, math.inf)
                          for d in ({}, {"dim": 1}, {"dim": (0, 1), "keepdim": True})])
reduction("logsumexp", over(logsumexp), every=False, tol=5)
reduction("any", over(np.any), dtypes=ALL, out="logical", diff=False)
reduction("all", over(np.all), dtypes=ALL, out="logical", diff=False)


def along_dim(m: Make, **arg: Any) -> Iterable[Sample]:
    yield from (S(m(2, 3, 2, **arg), dim=d) for d in (0, 1, -1))
    yield from (S(m(**arg), dim=-1), S(m(5, **arg), dim=0), S(m(0, 3), dim=1), S(m(2, 0), dim=1))


ROWS_COLUMNS: Samples = lambda m: [S(m(301, 1003), dim=1), S(m(301, 1003), dim=0)]  # noqa: E731
add_row("cumsum", last(np.cumsum), along_dim, "along", dtypes=ALL, out="sum", tol=5,
        large=ROWS_COLUMNS, inplace=None)
add_row("softmax", last(lambda x, axis: np.exp(log_softmax(x, axis))), along_dim, "along", tol=2,
        large=ROWS_COLUMNS,
        errors=(E(lambda t: t.softmax(t.ones(2, 3), dim=2), IndexError, NO_SUCH_DIM),))
add_row("log_softmax", last(log_softmax), along_dim, "along", tol=2, large=ROWS_COLUMNS,
        errors=(E(lambda t: t.log_softmax(t.ones(2, 3), dim=2), IndexError, NO_SUCH_DIM),))


# ---------------------------------------------------------------- products

PRODUCTS: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...] = (
    ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 4)), ((3, 2, 3), (3,)),
    ((3,), (2, 3, 2)), ((2, 2, 3), (3, 2)), ((2, 3), (2, 3, 2)), ((2, 2, 3), (2, 3, 2)),
    ((1, 2, 3), (2, 3, 2)), ((2, 1, 2, 2), (2, 2, 1)), ((2, 1, 2, 2), (1, 3, 2, 2)), ((1, 1), (1, 1)),
    ((3, 1), (1, 2)), ((2, 0), (0, 3)), ((0, 3), (3, 2)), ((2, 0, 3), (3, 2)), ((0, 2, 3), (3, 2)),
    ((0,), (0,)),
)
PRODUCT: dict[str, Any] = {"kind": "product", "dtypes": NUMBERS, "tol": 5}


def pairs(*shapes: tuple) -> Samples:
    return lambda m: [S(*(m(*s) for s in group)) for group in shapes]


add_row("matmul", np.matmul, pairs(*PRODUCTS), symbol=operator.matmul,
        large=pairs(((257, 311), (311, 403)), ((7, 65, 130), (130, 67)), ((3001, 1003), (1003,)),
                    ((9, 40, 30), (9, 30, 50)), ((100_003,), (100_003,))),
        errors=(E(lambda t: t.ones(2, 3) @ t.ones(2, 3), RuntimeError,
                  "mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)"),
                E(lambda t: t.ones(2, 3) @ t.ones(2), RuntimeError,
                  "size mismatch, got input (2), mat (2x3), vec (2)"),
                E(lambda t: t.ones(2, 3, 4) @ t.ones(3, 4, 5), RuntimeError, BROADCAST),
                E(lambda t: t.ones(2, 3, 4) @ t.ones(2, 5, 5), RuntimeError,
                  "Expected size for first two dimensions of batch2 tensor to be: [2, 4] but got: "
                  "[2, 5]."),
                E(lambda t: t.ones(2) @ t.tensor(1.0), RuntimeError,
                  "both arguments to matmul need to be at least 1D, but they are 1D and 0D"),
                E(lambda t: t.ones(2, 2) @ t.ones(2, 2, dtype=t.float64), RuntimeError,
                  "expected m1 and m2 to have the same dtype, but got: float != double"),
                E(lambda t: t.ones(2) @ 2, TypeError, "unsupported operand type(s) for @: 'Tensor' and 'int'")),
        **PRODUCT)
add_row("mm", np.matmul, pairs(((2, 3), (3, 4)), ((2, 0), (0, 3)), ((0, 2), (2, 1))), **PRODUCT,
        errors=(E(lambda t: t.ones(2, 3).mm(t.ones(2, 3)), RuntimeError,
                  "mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)"),
                E(lambda t: t.ones(2, 3).mm(t.ones(3)), RuntimeError, "mat2 must be a matrix")))
add_row("bmm", np.matmul, pairs(((2, 2, 3), (2, 3, 2)), ((0, 2, 3), (0, 3, 2)), ((2, 2, 0), (2, 0, 2))),
        **PRODUCT, large=pairs(((9, 40, 60), (9, 60, 50))),
        errors=(E(lambda t: t.ones(2, 3, 4).bmm(t.ones(3, 4, 5)), RuntimeError,
                  "Expected size for first two dimensions of batch2 tensor to be: [2, 4] but got: "
                  "[3, 4]."),))
add_row("mv", np.matmul, pairs(((2, 3), (3,)), ((0, 3), (3,)), ((2, 0), (0,))), **PRODUCT,
        errors=(E(lambda t: t.ones(2, 3).mv(t.ones(2)), RuntimeError,
                  "size mismatch, got input (2), mat (2x3), vec (2)"),))
add_row("dot", np.dot, pairs(((3,), (3,)), ((0,), (0,))), **PRODUCT,
        errors=(E(lambda t: t.dot(t.ones(2), t.ones(3)), RuntimeError,
                  "inconsistent tensor size, expected tensor [2] and src [3] to have the same number "
                  "of elements, but got 2 and 3 elements respectively"),))
add_row("outer", np.outer, pairs(((3,), (2,)), ((0,), (2,))), **PRODUCT, covers=("ger",))
add_row("linear", lambda x, w, b=0.0: x @ w.T + b, path="nn.functional.linear",
        samples=pairs(((2, 3), (4, 3), (4,)), ((2, 3), (4, 3)), ((3,), (4, 3), (4,)),
                      ((2, 2, 3), (2, 3), (2,)), ((2, 2, 3), (2, 3)), ((0, 3), (2, 3), (2,)),
                      ((2, 0), (2, 0), (2,)), ((3,), (3,))),
        kind="product", tol=5, large=pairs(((257, 311), (403, 311), (403,))),
        errors=(E(lambda t: t.nn.functional.linear(t.ones(2, 3), t.ones(4, 5)), RuntimeError,
                  "mat1 and mat2 shapes cannot be multiplied (2x3 and 5x4)"),
                E(lambda t: t.nn.functional.linear(t.ones(2, 3), t.ones(4, 3), t.ones(5)), RuntimeError,
                  "The expanded size of the tensor (4) must match the existing size (5) at "
                  "non-singleton dimension 1.  Target sizes: [2, 4].  Tensor sizes: [5]")))


# ---------------------------------------------------------------- joining and splitting


add_row("cat", joined(np.concatenate), lambda m: [
            S([m(2, 3), m(1, 3)]), S([m(2, 3), m(2, 1), m(2, 2)], dim=1), S([m(2, 3)], dim=-1),
            S([m(2, 0), m(2, 3)], dim=1), S([m(0, 2), m(0, 2)])],
        "join", dtypes=ALL, method=None, covers=("concat", "concatenate"),
        large=lambda m: [S([m(300, 501), m(300, 502)], dim=1)],
        errors=(E(lambda t: t.cat([]), ValueError,
                  "tapegrad.cat(): expected a non-empty list of Tensors"),
                E(lambda t: t.cat([t.ones(2, 3), t.ones(2, 4)]), RuntimeError,
                  "Sizes of tensors must match except in dimension 0. Expected size 3 but got size 4 "
                  "for tensor number 1 in the list."),
                E(lambda t: t.cat([t.ones(2, 3), t.ones(2)]), RuntimeError,
                  "Tensors must have same number of dimensions: got 2 and 1")))
add_row("stack", joined(np.stack), lambda m: [
            S([m(2, 3), m(2, 3)]), S([m(2, 3), m(2, 3)], dim=1), S([m(2), m(2)], dim=-1),
            S([m(), m(), m()]), S([m(0, 2)])],
        "join", dtypes=ALL, method=None,
        errors=(E(lambda t: t.stack([t.ones(2, 3), t.ones(2)]), RuntimeError,
                  "stack expects each tensor to be equal size, but got [2, 3] at entry 0 and [2] at "
                  "entry 1"),
                E(lambda t: t.stack([]), RuntimeError, "stack expects a non-empty TensorList")))
VIEW: dict[str, Any] = {"kind": "view", "dtypes": ALL, "view": True}


add_row("split", split, lambda m: [S(m(5, 2), 2), S(m(2, 5), 2, dim=1), S(m(5, 2), [1, 4]),
                                   S(m(2, 3), [0, 3], dim=-1), S(m(2, 3), 7)],
        covers=("split_with_sizes",), **VIEW,
        errors=(E(lambda t: t.ones(2, 3).split(0), RuntimeError,
                  "split_size can only be 0 if dimension size is 0, but got dimension size of 2"),
                E(lambda t: t.ones(2, 3).split(-1), RuntimeError,
                  "split expects split_size be non-negative, but got split_size=-1"),
                E(lambda t: t.ones(2, 3).split([1, 2]), RuntimeError,
                  "split_with_sizes expects split_sizes to sum exactly to 2 (input tensor's size at "
                  "dimension 0), but got split_sizes=[1, 2]")))
add_row("chunk", chunk, lambda m: [S(m(5, 2), 2), S(m(2, 5), 3, dim=1), S(m(2, 3), 5), S(m(4), 2, -1)],
        **VIEW, errors=(E(lambda t: t.ones(2, 3).chunk(0), RuntimeError,
                          "chunk expects `chunks` to be greater than 0, got: 0"),))
add_row("unbind", lambda x, dim=0: tuple(np.moveaxis(x, dim, 0)),
        lambda m: [S(m(3, 2)), S(m(2, 3), dim=1), S(m(2), dim=-1), S(m(2, 0))], **VIEW)


# ---------------------------------------------------------------- shapes


def sized(name: str) -> Callable[..., Any]:
    """Methods that take sizes one by one and have no function of that form."""
    return lambda lib, x, *args: getattr(x, name)(*args)


BAD_SHAPE = "shape '[5]' is invalid for input of size 6"
SWAP = (E(lambda t: t.ones(2, 3).transpose(0, 2), IndexError, NO_SUCH_DIM),)
add_row("transpose", np.swapaxes, lambda m: [S(m(2, 3), 0, 1), S(m(2, 3, 2), 0, -1), S(m(2, 0), 1, 0)],
        covers=("t", "T", "swapaxes", "swapdims", "mT"), **VIEW, errors=SWAP)
add_row("t", np.transpose, lambda m: [S(m(2, 3)), S(m(3)), S(m())], **VIEW)
add_row("permute", np.transpose, lambda m: [S(m(2, 3, 2), (2, 0, 1)), S(m(2, 3), (-1, 0)), S(m(), ())],
        **VIEW, errors=(E(lambda t: t.ones(2, 3).permute(0, 0), RuntimeError,
                          "permute(): duplicate dims are not allowed."),
                        E(lambda t: t.ones(2, 3).permute(0, 2), IndexError, NO_SUCH_DIM),
                        E(lambda t: t.ones(2, 3).permute(0), RuntimeError, "permute(")))
add_row("reshape", np.reshape, lambda m: [S(m(2, 3), (3, 2)), S(m(2, 3), (-1,)), S(m(), (1, 1)),
                                          S(m(1), ()), S(m(0, 2), (2, 0)), S(m(2, 6), (2, -1, 2))],
        **VIEW, errors=(E(lambda t: t.ones(2, 3).reshape(5), RuntimeError, BAD_SHAPE),
                        E(lambda t: t.ones(2, 3).reshape(-2, 3), RuntimeError,
                          "invalid shape dimension -2"),
                        E(lambda t: t.ones(2, 3).reshape(-1, -1), RuntimeError,
                          "only one dimension can be inferred")))
add_row("view", lambda x, *s: x.reshape(s), lambda m: [
            S(m(2, 3), 3, 2), S(m(2, 3), -1), S(m(), 1, 1), S(m(0, 2), 2, 0), S(m(4), 2, 2)],
        call=sized("view"), method=None, **VIEW,
        errors=(E(lambda t: t.ones(2, 3).view(5), RuntimeError, BAD_SHAPE),
                E(lambda t: t.ones(2, 3).view(4, -1), RuntimeError,
                  "shape '[4, -1]' is invalid for input of size 6"),
                E(lambda t: t.ones(2, 3).T.view(6), RuntimeError,
                  "view size is not compatible with input tensor's size and stride (at least one "
                  "dimension spans across two contiguous subspaces). Use .reshape(...) instead.")))
add_row("expand", expand, lambda m: [S(m(3), 2, 3), S(m(2, 1), 2, 4), S(m(2, 1), -1, 3), S(m(), 2, 2),
                                     S(m(1), 0), S(m(1, 3), 2, 2, 3)],
        call=sized("expand"), method=None, covers=("broadcast_to", "expand_as"), **VIEW,
        errors=(E(lambda t: t.ones(2, 3).expand(4, 3), RuntimeError,
                  "The expanded size of the tensor (4) must match the existing size (2) at "
                  "non-singleton dimension 0.  Target sizes: [4, 3].  Tensor sizes: [2, 3]"),
                E(lambda t: t.ones(2, 3).expand(3), RuntimeError,
                  "expand(tapegrad.FloatTensor{[2, 3]}, size=[3]): the number of sizes provided (1) must "
                  "be greater or equal to the number of dimensions in the tensor (2)"),
                E(lambda t: t.ones(2).expand(-1, 2), RuntimeError,
                  "The expanded size of the tensor (-1) isn't allowed in a leading, non-existing "
                  "dimension 0")))
add_row("squeeze", squeeze, lambda m: [S(m(1, 2, 1)), S(m(1, 2, 1), 0), S(m(2, 1), 0), S(m(2, 1), -1),
                                       S(m(1, 2, 1), (0, 2)), S(m(), 0), S(m())],
        **VIEW, errors=(E(lambda t: t.ones(2, 3).squeeze(2), IndexError, NO_SUCH_DIM),))
add_row("unsqueeze", np.expand_dims, lambda m: [S(m(2, 3), 0), S(m(2, 3), -1), S(m(2), 1), S(m(), 0)],
        **VIEW, errors=(E(lambda t: t.ones(2).unsqueeze(2), IndexError, NO_SUCH_DIM),))
add_row("flatten", flatten, lambda m: [S(m(2, 3)), S(m(2, 1, 3), 1), S(m(2, 1, 3), 0, 1), S(m(3)),
                                       S(m(2, 0))],
        **VIEW, errors=(E(lambda t: t.ones(2, 3).flatten(1, 0), RuntimeError,
                          "flatten() has invalid args: start_dim cannot come after end_dim"),))
add_row("movedim", np.moveaxis, lambda m: [S(m(2, 3, 1), 0, -1), S(m(2, 3, 2), (0, 1), (2, 0))],
        covers=("moveaxis",), **VIEW,
        errors=(E(lambda t: t.movedim(t.ones(2, 3), 0, 2), IndexError, NO_SUCH_DIM),))
add_row("diagonal", diagonal, lambda m: [S(m(3, 3)), S(m(2, 3), 1), S(m(2, 3, 2), -1, 0, 2), S(m(0, 2))],
        **VIEW)
add_row("diag", np.diag, lambda m: [S(m(3, 3)), S(m(3)), S(m(2, 3), 1), S(m(2), -1), S(m(0))], "shape",
        dtypes=ALL, covers=("diag_embed",),
        errors=(E(lambda t: t.ones(2, 2, 2).diag(), RuntimeError,
                  "diag(): Supports 1D or 2D tensors. Got 3D"),))
for name, ref in (("tril", np.tril), ("triu", np.triu)):
    add_row(name, ref, lambda m: [S(m(3, 3)), S(m(2, 3), 1), S(m(2, 3, 2), -1), S(m(0, 2))], "shape",
            dtypes=ALL, inplace=f"{name}_",
            errors=(E(lambda t, n=name: getattr(t, n)(t.ones(2)), RuntimeError,
                      f"{name}: input tensor must have at least 2 dimensions"),))
add_row("flip", np.flip, lambda m: [S(m(2, 3), (0,)), S(m(2, 3), (0, -1)), S(m(0, 2), (0,))], "shape",
        dtypes=ALL)


# ---------------------------------------------------------------- indexing


def indices(m: Make) -> list:
    """Indices of a (3, 4, 2) tensor: basic, by arrays, by masks, and mixed."""
    i, j = m.index(3, 2), m.index(4, 2)
    return [
        0, -1, slice(1, None), slice(None, None, 2), slice(3, 1), ..., None, (), (0, 1, 1), (1, slice(2)),
        (..., 0), (None, slice(None), None, 2), (slice(None), slice(1, 4, 2), -1), i, m.index(3, 2, 2),
        (i, j), (slice(None), j), (i, slice(1, 3), i % 2), (..., m.index(2, 3)), (i, None), (0, j),
        (m.index(3, 2, 1), m.index(4, 3)), m.mask(3), m.mask(3, 4), m.mask(3, 4, 2),
        (slice(None), m.mask(4)), (m.mask(3), 0), np.zeros(3, bool), np.zeros((0,), np.int64), True,
        (i.astype(np.int32), slice(None)), (slice(None), m.index(4)),
    ]


def reads(m: Make) -> Iterable[Sample]:
    yield from (S(m(3, 4, 2), index) for index in indices(m))
    yield from (S(m(), ...), S(m(), None), S(m(), ()), S(m(0, 3), m.mask(0)), S(m(3), m.index(3)))


def writes(m: Make) -> Iterable[Sample]:
    for index in indices(m):
        if isinstance(index, np.ndarray) and index.dtype != bool:
            index = np.array([2, 0])  # two writes to one place have no order
        elif isinstance(index, tuple) and any(isinstance(k, np.ndarray) for k in index):
            continue
        shape = np.zeros((3, 4, 2))[index].shape
        yield S(m(3, 4, 2), index, m(*shape))
        yield S(m(3, 4, 2), index, m())
    yield S(m(3, 4, 2), (slice(None), np.array([3, 0]), np.array([1, 0])), m(2))
    yield S(m(3, 4, 2), (np.array([2, 0]), slice(None), 1), m(4))
    yield S(m(3, 4), m.mask(3, 4), 1)


SIX = "index {} is out of bounds for dimension {} with size {}"
add_row("getitem", read, reads, "index", dtypes=ALL, call=lambda t, x, i: x[i], method="__getitem__",
        covers=("index", "select", "slice", "narrow", "as_strided"),
        errors=(E(lambda t: t.ones(2, 3)[2], IndexError, SIX.format(2, 0, 2)),
                E(lambda t: t.ones(2, 3)[0, -4], IndexError, SIX.format(-4, 1, 3)),
                E(lambda t: t.ones(2, 3)[t.tensor([5])], IndexError, SIX.format(5, 0, 2)),
                E(lambda t: t.ones(2, 3)[0, 0, 0], IndexError, "too many indices for tensor of dimension 2"),
                E(lambda t: t.ones(2, 3)[::-1], ValueError, "step must be greater than zero"),
                E(lambda t: t.ones(2, 3)[1.0], IndexError, "only integers, slices (`:`), ellipsis (`...`), "
                  "None and long or byte Variables are valid indices (got float)"),
                E(lambda t: t.ones(2, 3)[t.tensor([0, 1]), t.tensor([0, 1, 2])], IndexError,
                  "shape mismatch: indexing tensors could not be broadcast together with shapes [2], [3]"),
                E(lambda t: t.ones(2, 3)[t.tensor([True, False, True])], IndexError,
                  "The shape of the mask [3] at index 0 does not match the shape of the indexed tensor "
                  "[2, 3] at index 0"),
                E(lambda t: t.ones(2, 3)[t.tensor([1.0])], IndexError,
                  "tensors used as indices must be long, int, byte or bool tensors"),
                E(lambda t: t.tensor(1.0)[:1], IndexError, "slice() cannot be applied to a 0-dim tensor."),
                E(lambda t: t.tensor(1.0)[0], IndexError,
                  "invalid index of a 0-dim tensor. Use `tensor.item()`")))
add_row("setitem", write, writes, "index", dtypes=ALL, call=lambda t, *a: write(*a), method=None,
        covers=("index_put", "index_put_", "copy_slices", "copy", "copy_", "fill_", "fill"))
add_row("gather", take, lambda m: [S(m(3, 4), 0, m.place(3, 2, 4)), S(m(3, 4), -1, m.place(4, 2, 5)),
                                   S(m(3), 0, m.place(3, 0)), S(m(), 0, m.place(1, 2))],
        "index", dtypes=ALL,
        errors=(E(lambda t: t.ones(2).gather(0, t.tensor([2])), RuntimeError, SIX.format(2, 0, 2)),
                E(lambda t: t.ones(2, 3).gather(0, t.tensor([1])), RuntimeError,
                  "Index tensor must have the same number of dimensions as input tensor"),
                E(lambda t: t.ones(2).gather(0, t.tensor([0.0])), RuntimeError,
                  "gather(): Expected dtype int32/int64 for index")))
add_row("index_select", lambda x, dim, index: np.take(x, index, axis=dim),
        lambda m: [S(m(3, 4), 0, m.place(3, 5)), S(m(3, 4), -1, m.place(4, 2)), S(m(3), 0, m.place(3, 0))],
        "index", dtypes=ALL, large=lambda m: [S(m(300, 1000), 0, m.place(300, 500))],
        errors=(E(lambda t: t.ones(2).index_select(0, t.tensor([2])), IndexError,
                  "index out of range in self"),
                E(lambda t: t.ones(2).index_select(0, t.tensor([[1]])), IndexError,
                  "index_select(): Index is supposed to be a vector")))
add_row("masked_fill", masked_fill, lambda m: [
            S(m(2, 3), m.mask(2, 3), 1), S(m(2, 3), m.mask(3), 1), S(m(2, 3), m.mask(2, 1), m()),
            S(m(0), m.mask(1), 1), S(m(), m.mask(), 1)],
        "index", dtypes=ALL, inplace="masked_fill_", large=lambda m: [S(m(300, 1000), m.mask(1000), 1)],
        errors=(E(lambda t: t.ones(2).masked_fill(t.tensor([1, 0]), 0.0), RuntimeError,
                  "masked_fill_ only supports boolean masks, but got mask with dtype long int"),
                E(lambda t: t.ones(2).masked_fill(t.tensor([True, False, True]), 0.0), RuntimeError,
                  "The size of tensor a (3) must match the size of tensor b (2) at non-singleton "
                  "dimension 0")))
add_row("masked_select", lambda x, mask: np.broadcast_arrays(x, mask)[0][np.broadcast_arrays(x, mask)[1]],
        lambda m: [S(m(2, 3), m.mask(2, 3)), S(m(3), m.mask(2, 1)), S(m(2, 3), m.mask(3)), S(m(0), m.mask(0))],
        "index", dtypes=ALL)
add_row("scatter_add", put_add, lambda m: [
            S(m(3, 4), 0, m.place(3, 2, 4), m(2, 4)), S(m(3), 0, m.place(3, 5), m(5)),
            S(m(3, 4), 1, m.place(4, 3, 2), m(3, 2))],
        "index", dtypes=NUMBERS, inplace="scatter_add_",
        large=lambda m: [S(m(50, 100), 0, m.place(50, 3000, 100), m(3000, 100))])


def reductions_into(m: Make) -> Iterable[Sample]:
    for reduce in ("sum", "prod", "mean", "amax", "amin"):
        for own in (True, False):
            values = m.distinct(7, 4)
            yield S(values[:3], 0, m.place(3, 4, 4), values[3:], reduce, include_self=own)
        yield S(m.distinct(3, 1), 1, m.place(1, 3, 2), m.distinct(3, 2) * 3 + 1, reduce)
    yield S(m(3), 0, m.place(3, 0), m(0), "sum")


add_row("scatter_reduce", put_reduced, reductions_into, "index", dtypes=NUMBERS,
        inplace="scatter_reduce_", special=False, tol=4,
        large=lambda m: [S(m(50, 100), 0, m.place(50, 3000, 100), m(3000, 100), "amax")],
        errors=(E(lambda t: t.ones(2).scatter_reduce(0, t.tensor([2]), t.ones(1), "sum"), RuntimeError,
                  SIX.format(2, 0, 2)),
                E(lambda t: t.ones(2).scatter_reduce(0, t.tensor([1]), t.ones(1), "median"), RuntimeError,
                  "reduce argument must be either sum, prod, mean, amax or amin, got median")))
add_row("index_add", index_add, lambda m: [
            S(m(3, 4), 0, m.place(3, 5), m(5, 4)), S(m(3, 4), -1, m.place(4, 2), m(3, 2), alpha=2),
            S(m(3), 0, m.place(3, 0), m(0)), S(m(2, 3, 2), 1, m.place(3, 4), m(2, 4, 2), alpha=3)],
        "index", dtypes=NUMBERS, inplace="index_add_",
        large=lambda m: [S(m(50, 100), 0, m.place(50, 3000), m(3000, 100))],
        errors=(E(lambda t: t.ones(2).index_add(0, t.tensor([2]), t.ones(1)), RuntimeError, SIX.format(2, 0, 2)),
                E(lambda t: t.ones(2).index_add(0, t.tensor([0, 1]), t.ones(1)), RuntimeError,
                  "index_add_(): Number of indices (2) should be equal to source.size(dim): (1), for dim: 0")))
add_row("index_copy", index_copy, lambda m: [
            S(m(3, 4), 0, np.array([2, 0]), m(2, 4)), S(m(3, 4), -1, np.array([1]), m(3, 1)),
            S(m(3), 0, m.place(3, 0), m(0)), S(m(2, 3, 2), 1, np.array([2, 1, 0]), m(2, 3, 2))],
        "index", dtypes=ALL, inplace="index_copy_",
        large=lambda m: [S(m(3000, 100), 0, np.arange(2999, -1, -1), m(3000, 100))],
        errors=(E(lambda t: t.ones(2).index_copy(0, t.tensor([2]), t.ones(1)), IndexError,
                  "index_copy_(): index 2 is out of bounds for dimension 0 with size 2"),
                E(lambda t: t.ones(2).index_copy(0, t.tensor([0, 1]), t.ones(1)), IndexError,
                  "index_copy_(): Number of indices (2) should be equal to source.size(dim) (1)"),
                E(lambda t: t.ones(2, 3).index_copy(0, t.tensor([0]), t.ones(1, 2)), RuntimeError,
                  "index_copy_(): Source/destination tensor must have same slice shapes. Destination "
                  "slice shape: 3 at dimension 0 and source slice shape: 2 at dimension 0.")))
add_row("index_fill", index_fill, lambda m: [
            S(m(3, 4), 0, np.array([2, 2, 0]), 1), S(m(3, 4), -1, np.array([-1]), 1), S(m(3, 4), 1, np.array([3]), m()),
            S(m(3), 0, m.place(3, 0), 1), S(m(2, 3, 2), 1, np.array([1, 0]), 0)],
        "index", dtypes=ALL, inplace="index_fill_",
        large=lambda m: [S(m(3000, 100), 0, m.place(3000, 2000), 1)],
        errors=(E(lambda t: t.ones(2).index_fill(0, t.tensor([2]), 1), IndexError, SIX.format(2, 0, 2)),
                E(lambda t: t.ones(2).index_fill(0, t.tensor([1]), t.ones(1)), RuntimeError,
                  "index_fill_ only supports a 0-dimensional value tensor, but got tensor with 1 "
                  "dimension(s).")))
add_row("masked_scatter", masked_scatter, lambda m: [
            S(m(2, 3), m.mask(2, 3), m(7)), S(m(2, 3), m.mask(3), m(2, 3)), S(m(3), m.mask(3), m(3)),
            S(m(0), m.mask(0), m(0)), S(m(2, 3), m.mask(2, 1), m(3, 2))],
        "index", dtypes=ALL, inplace="masked_scatter_",
        large=lambda m: [S(m(300, 1000), m.mask(300, 1000), m(300, 1000))],
        errors=(E(lambda t: t.ones(2).masked_scatter(t.tensor([True, True]), t.ones(1)), RuntimeError,
                  "Number of elements of source < number of ones in mask"),
                E(lambda t: t.ones(2).masked_scatter(t.tensor([1, 0]), t.ones(2)), RuntimeError,
                  "masked_scatter_ only supports boolean masks, but got mask with dtype Long")))


# ---------------------------------------------------------------- losses


REDUCTIONS = ("mean", "sum", "none")


def classes(m: Make) -> Iterable[Sample]:
    yield from (S(m(2, 3), m.place(3, 2), reduction=r) for r in REDUCTIONS)
    yield from (S(m(3), m.place(3)), S(m(2, 3, 2), m.place(3, 2, 2)), S(m(4, 1), m.place(1, 4)))
    target = np.array([0, -100, 2])
    weight = Const(m(3, lo=0.5, hi=2))
    for extra in ({}, {"weight": weight}, {"label_smoothing": 0.2},
                  {"weight": weight, "label_smoothing": 0.3}):
        yield from (S(m(3, 3), target, **extra, reduction=r) for r in REDUCTIONS)
    yield S(m(4, 3), np.array([0, 1, 1, 2]), ignore_index=1)
    soft = np.abs(m(2, 3)) / 3
    yield from (S(m(2, 3), soft, reduction=r) for r in REDUCTIONS)
    yield S(m(2, 3), soft, weight=weight, label_smoothing=0.1)


def two(m: Make) -> Iterable[Sample]:
    yield from (S(m(2, 3, lo=-1, hi=1), m(2, 3, lo=1.1, hi=3), reduction=r) for r in REDUCTIONS)
    yield from (S(m(lo=-1, hi=1), m(lo=2, hi=3)), S(m(3, lo=-1, hi=1), m(3, lo=-3, hi=-1.1)))


def logits(m: Make) -> Iterable[Sample]:
    def t(*shape: int) -> np.ndarray:
        return m(*shape, lo=0.0, hi=1.0)

    yield from (S(m(2, 3, away=KINK), t(2, 3), reduction=r) for r in REDUCTIONS)
    yield S(m(2, 3, away=KINK), t(2, 3), weight=Const(t(2, 3)))
    yield S(m(2, 3, away=KINK), t(2, 3), pos_weight=Const(m(3, lo=0.5, hi=2)))
    yield S(m(away=KINK), t())


def loss(name: str, ref: Callable[..., Any], samples: Samples, large: Samples, *errors: Error,
         **options: Any) -> None:
    add_row(name, ref, samples, "loss", path=f"nn.functional.{name}", tol=5, large=large,
            errors=errors, **options)


def _loss(name: str, *shapes: tuple, **kw: Any) -> Callable[[Any], Any]:
    return lambda t: getattr(t.nn.functional, name)(*(t.ones(s) for s in shapes), **kw)


loss("cross_entropy", cross_entropy, classes, lambda m: [S(m(5001, 100), m.place(100, 5001))],
     E(lambda t: t.nn.functional.cross_entropy(t.ones(2, 3), t.tensor([0, 3])), IndexError,
       "Target 3 is out of bounds."),
     E(lambda t: t.nn.functional.cross_entropy(t.ones(2, 3), t.tensor([0, -1])), IndexError,
       "Target -1 is out of bounds."),
     E(lambda t: t.nn.functional.cross_entropy(t.ones(2, 3), t.tensor([0, 1, 2])), ValueError,
       "Expected input batch_size (2) to match target batch_size (3)."),
     covers=("nll_loss",))
loss("mse_loss", lambda x, y, reduction="mean": reduced((x - y) ** 2, reduction), two,
     lambda m: [S(m(300, 1001), m(300, 1001))],
     E(_loss("mse_loss", (2, 3), (2, 3), reduction="x"), ValueError,
       "x is not a valid value for reduction"))
loss("l1_loss", lambda x, y, reduction="mean": reduced(np.abs(x - y), reduction), two,
     lambda m: [S(m(300, 1001), m(300, 1001))],
     E(_loss("l1_loss", (2, 3), (2, 3), reduction="x"), ValueError,
       "x is not a valid value for reduction"))
loss("binary_cross_entropy_with_logits", bce_with_logits, logits,
     lambda m: [S(m(300, 1001), np.abs(m(300, 1001)))],
     E(_loss("binary_cross_entropy_with_logits", (2, 3), (2,)), ValueError,
       "Target size (tapegrad.Size([2])) must be the same as input size (tapegrad.Size([2, 3]))"))
add_row("dropout", lambda x, p, training: x * 1.0 if not training else x * (p == 0),
        lambda m: [S(m(2, 3), 0.5, False), S(m(2, 3), 0.0, True), S(m(2, 3), 1.0, True), S(m(0), 0.0, True)],
        "unary", path="nn.functional.dropout", special=False)


# ---------------------------------------------------------------- whole-tensor questions

add_row("allclose", lambda x, y, **kw: np.allclose(x, y, **kw), lambda m: [
            S(x := m(2, 3), x), S(m(3), m(3) + 1), S(m(), m(3)), S(m(0), m(0)), S(m(3) * np.nan, m(3)),
            S(x := m(3) * np.nan, x, equal_nan=True), S(x := m(3), x + 1e-3, rtol=1e-2, atol=1e-2)],
        "question", diff=False,
        errors=(E(lambda t: t.allclose(t.ones(2), t.ones(2, dtype=t.float64)), RuntimeError,
                  "Float did not match Double"),))
add_row("equal", np.array_equal, lambda m: [S(x := m(2, 3), x), S(m(2, 3), m(3)), S(m(0), m(0)),
                                            S(m(9), m(9)), S(m(0), m(0, 1))],
        "question", dtypes=ALL, diff=False)

# Names that are tested elsewhere because they have no reference value or make tensors from nothing.
ELSEWHERE: dict[str, str] = {
    "rand": "test_random.py", "randn": "test_random.py", "randint": "test_random.py",
    "randperm": "test_random.py", "bernoulli": "test_random.py", "uniform_": "test_random.py",
    "normal_": "test_random.py", "bernoulli_": "test_random.py", "random_": "test_random.py",
    "zeros": "test_creation.py", "ones": "test_creation.py", "full": "test_creation.py",
    "empty": "test_creation.py", "eye": "test_creation.py", "arange": "test_creation.py",
    "linspace": "test_creation.py", "tensor": "test_creation.py", "as_tensor": "test_creation.py",
    "item": "test_creation.py", "tolist": "test_creation.py", "zero_": "test_inplace.py",
}

BY_NAME = {op.name: op for op in TABLE}


def rows(*, kinds: Iterable[str] = (), **attributes: Any) -> list[Op]:
    """Rows of some kinds and with some attribute values, for parametrize."""
    kinds = tuple(kinds)
    return [
        op
        for op in TABLE
        if (not kinds or op.kind in kinds)
        and all(bool(getattr(op, k)) == v for k, v in attributes.items())
    ]
