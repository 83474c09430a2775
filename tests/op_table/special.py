"""Special functions, and what else is element-wise and rarer."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from statistics import NormalDist
from typing import Any

import numpy as np

from op_reference import erfc
from op_row import E, S
from support import ALL, FLOATS, INTS, NUMBERS

from .build import BROADCAST, KINK, add_row
from .elementwise import FLOAT_OUT, PAIRS, SHAPES, binary, unary


def of_floats(f: Callable[..., float]) -> Callable[..., Any]:
    """A function of numbers for arrays, with NaN where it is not defined."""

    def guarded(*numbers: float) -> float:
        try:
            return f(*numbers)
        except (ValueError, OverflowError, ZeroDivisionError):
            return math.nan

    return np.vectorize(guarded, otypes=[float])


def quantile(p: float) -> float:
    return {0.0: -math.inf, 1.0: math.inf}.get(p) or NormalDist().inv_cdf(p)


def digamma(x: float) -> float:
    if math.isinf(x):
        return x if x > 0 else math.nan
    if x <= 0:
        return digamma(1 - x) - math.pi / math.tan(math.pi * x) if x % 1 else (
            math.nan if x else math.copysign(math.inf, -math.copysign(1, x)))
    total = 0.0
    while x < 12:
        total -= 1 / x
        x += 1
    z = 1 / (x * x)
    series = z * (1 / 12 - z * (1 / 120 - z * (1 / 252 - z * (1 / 240 - z * (1 / 132 - z * 691 / 32760)))))
    return total + math.log(x) - 0.5 / x - series


def zeta(s: float, q: float) -> float:
    """By the formula of Euler and Maclaurin."""
    if s < 1:
        return math.nan
    if s == 1:
        return math.inf
    if q <= 0 and q % 1 == 0:
        return math.inf
    if q < 0 and s % 1:
        return math.nan
    total = 0.0
    while q < 12:
        total += q**-s
        q += 1
    tail = q ** (1 - s) / (s - 1) + q**-s / 2
    factor = s * q ** (-s - 1)
    for k, b in enumerate((1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160, -691 / 1307674368000)):
        tail += b * factor
        factor *= (s + 2 * k + 1) * (s + 2 * k + 2) / (q * q)
    return total + tail


def bessel(order: int, x: float) -> float:
    term = total = (x / 2) ** order
    for k in range(1, 400):
        term *= x * x / 4 / (k * (k + order))
        total += term
    return total


def lower_gamma(a: float, x: float) -> float:
    term = total = 1 / a
    for n in range(1, 400):
        term *= x / (a + n)
        total += term
    return total * math.exp(a * math.log(x) - x - math.lgamma(a)) if x > 0 else 0.0


def lgamma(x: float) -> float:
    return math.inf if x <= 0 and x % 1 == 0 else math.lgamma(x)


def sinc(x: np.ndarray) -> np.ndarray:
    return np.where(np.isinf(x), np.nan, np.sinc(x))


def xlog(log: Callable[..., Any]) -> Callable[..., Any]:
    def f(x: Any, y: Any) -> Any:
        return np.where(np.isnan(y), np.nan, np.where(x == 0, 0.0 * x, x * log(np.where(x == 0, 1, y))))

    return f


unary("asinh", np.arcsinh, inplace="asinh_", aliases=("arcsinh",), **FLOAT_OUT)
unary("acosh", np.arccosh, 1.2, 4, inplace="acosh_", aliases=("arccosh",), **FLOAT_OUT)
unary("atanh", np.arctanh, -0.9, 0.9, inplace="atanh_", aliases=("arctanh",), **FLOAT_OUT)
unary("frac", lambda x: x - np.trunc(x), away=[k / 2 for k in range(-4, 5)], inplace="frac_")
unary("sgn", lambda x: x if x.dtype == bool else np.nan_to_num(np.sign(x)), away=KINK, dtypes=ALL,
      inplace="sgn_", diff=False)  # PyTorch's gradient has no memory
unary("deg2rad", np.deg2rad, inplace="deg2rad_", **FLOAT_OUT)
unary("rad2deg", np.rad2deg, inplace="rad2deg_", tol=2, **FLOAT_OUT)
unary("angle", lambda x: np.where(np.isnan(x), np.nan, np.where(x < 0, math.pi, 0.0)), away=KINK, **FLOAT_OUT)
unary("sinc", sinc, inplace="sinc_", special=False, tol=2, **FLOAT_OUT)
unary("logit", lambda x, eps=None: np.log((x if eps is None else np.clip(x, eps, 1 - eps))
                                          / (1 - (x if eps is None else np.clip(x, eps, 1 - eps)))),
      0.1, 0.9, inplace="logit_", tol=4, more=lambda m: [S(m(9, lo=0, hi=1, away=(0.25, 0.75)), 0.25)], **FLOAT_OUT)
unary("erfinv", lambda x: of_floats(quantile)((x + 1) / 2) * math.sqrt(0.5), -0.9, 0.9, inplace="erfinv_",
      special=False, tol=10, **FLOAT_OUT)
unary("lgamma", of_floats(lgamma), 0.3, 4, inplace="lgamma_", tol=4, special=False, **FLOAT_OUT)
unary("digamma", of_floats(digamma), 0.3, 4, inplace="digamma_", tol=20, special=False, **FLOAT_OUT)
unary("i0", of_floats(lambda x: bessel(0, x)), inplace="i0_", tol=4, special=False, **FLOAT_OUT)
for name, ref, low, high in (
        ("erfcx", lambda x: np.exp(x * x) * erfc(x), -2.0, 2.0),
        ("ndtr", lambda x: erfc(-x * math.sqrt(0.5)) / 2, -2.0, 2.0),
        ("ndtri", of_floats(quantile), 0.1, 0.9),
        ("log_ndtr", lambda x: np.log(erfc(-x * math.sqrt(0.5)) / 2), -3.0, 2.0),
        ("entr", lambda x: np.where(x > 0, -x * np.log(np.where(x > 0, x, 1)), np.where(x < 0, -np.inf, x)), 0.2, 3),
        ("i0e", of_floats(lambda x: bessel(0, x) * math.exp(-abs(x))), 0.1, 3.0),
        ("i1", of_floats(lambda x: bessel(1, x)), -2.0, 2.0),
        ("i1e", of_floats(lambda x: bessel(1, x) * math.exp(-abs(x))), 0.1, 3.0)):
    unary(f"special_{name}", ref, low, high, path=f"special.{name}", method=None, tol=10, special=name == "entr",
          **FLOAT_OUT)
add_row("polygamma", lambda n, x: of_floats(lambda v: digamma(v) if n == 0 else
                                            (-1) ** (n + 1) * math.factorial(n) * zeta(n + 1, v))(x),
        lambda m: [S(n, m(*s, lo=0.4, hi=4)) for n, s in enumerate(SHAPES[:3])],
        "other", method=None, tol=20, diff=False, large=lambda m: [S(1, m(5001, lo=0.4, hi=4))], **FLOAT_OUT)
add_row("mvlgamma", lambda x, p: sum(of_floats(lgamma)(x - j / 2) for j in range(p)) + p * (p - 1) / 4 * math.log(math.pi),
        lambda m: [S(m(*s, lo=2.1, hi=4), 2 + len(s) % 2) for s in SHAPES], "nary", dtypes=NUMBERS, out="float",
        inplace="mvlgamma_", tol=20, large=lambda m: [S(m(5001, lo=1.1, hi=4), 2)],
        errors=(E(lambda t: t.mvlgamma(t.ones(2), 0), RuntimeError, "p has to be greater than or equal to 1"),
                E(lambda t: t.mvlgamma(t.tensor([True]), 1), RuntimeError,
                  "The input tensor may not be a boolean tensor.")))
unary("nan_to_num", lambda x, nan=0.0, posinf=None, neginf=None: np.nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf),
      dtypes=ALL, inplace="nan_to_num_", special=False,
      more=lambda m: [S(m(9), 1.5, 2.5, -2.5)] if m.dtype in FLOATS else [])
for name, ref in (("isposinf", np.isposinf), ("isneginf", np.isneginf)):
    unary(name, lambda x, ref=ref: ref(x) if x.dtype.kind == "f" else np.zeros(x.shape, bool), dtypes=ALL,
          out="bool", diff=False)
unary("isreal", lambda x: np.ones(x.shape, bool), dtypes=ALL, out="bool", diff=False)
unary("real", np.copy, dtypes=ALL, method=None)
unary("conj", np.copy, dtypes=ALL)
unary("resolve_conj", np.copy, dtypes=ALL)
unary("resolve_neg", np.copy, dtypes=ALL)
add_row("frexp", lambda x: tuple(np.frexp(x)), lambda m: [S(m(*s, away=KINK)) for s in SHAPES], "nary",
        diff=False, large=lambda m: [S(m(5001))],
        errors=(E(lambda t: t.frexp(t.arange(3)), RuntimeError, "tapegrad.frexp() only supports floating-point dtypes"),))

# ---------------------------------------------------------------- of two

NO_FLOATS: dict[str, Any] = {"dtypes": FLOATS}
binary("hypot", np.hypot, {"away": KINK}, {"away": KINK}, inplace="hypot_", special=False, **NO_FLOATS)
binary("logaddexp", np.logaddexp, **NO_FLOATS)
binary("logaddexp2", np.logaddexp2, tol=2, **NO_FLOATS)
binary("fmax", np.fmax, dtypes=ALL)
binary("fmin", np.fmin, dtypes=ALL)
binary("copysign", np.copysign, {"away": KINK}, {"away": KINK}, dtypes=NUMBERS, out="float", inplace="copysign_")
binary("nextafter", np.nextafter, dtypes=("float64",), diff=False, special=False, inplace="nextafter_", tol=0)
binary("ldexp", lambda x, n: x * np.exp2(n), dtypes=NUMBERS, out="float", inplace="ldexp_", special=False, tol=2)
binary("xlogy", xlog(np.log), {"away": KINK}, {"lo": 0.2}, dtypes=NUMBERS, out="float", inplace="xlogy_",
       special=False)
binary("special_xlog1py", xlog(np.log1p), {"away": KINK}, {"lo": -0.7}, dtypes=NUMBERS, out="float",
       path="special.xlog1py", method=None, special=False)
binary("heaviside", np.heaviside, {"away": KINK}, dtypes=FLOATS, diff=False, inplace="heaviside_", special=False,
       errors=(E(lambda t: t.heaviside(t.ones(2), t.ones(2, dtype=t.float64)), RuntimeError,
                 "heaviside is not yet implemented for tensors with different dtypes."),))
binary("gcd", np.gcd, {"lo": -30, "hi": 30}, {"lo": -30, "hi": 30}, dtypes=INTS, diff=False, inplace="gcd_",
       errors=(E(lambda t: t.gcd(t.ones(2), t.ones(2)), NotImplementedError,
                 "\"gcd_cpu\" not implemented for 'Float'"),))
binary("lcm", np.lcm, {"lo": -9, "hi": 9}, {"lo": -9, "hi": 9}, dtypes=INTS, diff=False, inplace="lcm_",
       errors=(E(lambda t: t.lcm(t.ones(2), t.ones(2)), NotImplementedError,
                 "\"lcm_cpu\" not implemented for 'Float'"),))
binary("special_zeta", of_floats(zeta), {"lo": 1.5, "hi": 4}, {"lo": 0.4, "hi": 4}, dtypes=NUMBERS, out="float",
       path="special.zeta", method=None, special=False, diff=False, tol=20)
binary("igamma", of_floats(lower_gamma), {"lo": 0.4, "hi": 4}, {"lo": 0.4, "hi": 4}, special=False, diff=False,
       inplace="igamma_", tol=20, **NO_FLOATS)
binary("igammac", of_floats(lambda a, x: 1 - lower_gamma(a, x)), {"lo": 0.4, "hi": 4}, {"lo": 0.4, "hi": 4},
       special=False, diff=False, inplace="igammac_", tol=20, **NO_FLOATS)
binary("float_power", lambda x, y: np.power(np.float64(x), np.float64(y)), {"lo": 0.3, "hi": 3}, {"lo": 0.4, "hi": 2},
       dtypes=NUMBERS, out="float64", special=False, tol=2)

# ---------------------------------------------------------------- of three


def lerp(x: Any, end: Any, weight: Any) -> Any:
    return x + np.asarray(weight) * (end - x)


add_row("lerp", lerp, lambda m: [S(m(*a), m(*b), 0.3) for a, b in PAIRS] + [
            S(m(2, 3), m(3), m(2, 1)), S(m(3), m(3), m(3)), S(m(3), m(3), m()), S(m(4), m(4), 0.75), S(m(4), m(4), 2)],
        "nary", inplace="lerp_", tol=2,
        large=lambda m: [S(m(300_001), m(300_001), 0.25), S(m(500, 603), m(603), m(500, 1))],
        errors=(E(lambda t: t.lerp(t.ones(2), t.ones(2, dtype=t.float64), 0.5), RuntimeError,
                  "expected dtype float for `end` but got dtype double"),
                E(lambda t: t.lerp(t.arange(2), t.arange(2), 0.5), NotImplementedError,
                  "\"lerp_kernel_scalar\" not implemented for 'Long'"),
                E(lambda t: t.lerp(t.ones(2), t.ones(3), 0.5), RuntimeError, BROADCAST)))


def triples(m: Any, divisor: bool = False) -> Iterable[Any]:
    range_of = {"lo": 0.4, "hi": 3.0, "away": KINK} if divisor else {}
    yield from (S(m(*a), m(*b), m(*a, **range_of)) for a, b in PAIRS)
    yield S(m(2, 3), m(3), m(2, 1, **range_of), value=2)
    yield S(m(4), m(4), m(4, **range_of), value=3)


add_row("addcmul", lambda x, a, b, value=1: x + np.asarray(value, x.dtype) * a * b, triples, "nary", dtypes=NUMBERS,
        inplace="addcmul_", tol=2, large=lambda m: [S(m(300_001), m(300_001), m(300_001), value=3)],
        errors=(E(lambda t: t.addcmul(t.ones(2), t.ones(3), t.ones(3)), RuntimeError, BROADCAST),))
add_row("addcdiv", lambda x, a, b, value=1: x + value * a / b, lambda m: triples(m, True), "nary",
        inplace="addcdiv_", tol=2, large=lambda m: [S(m(300_001), m(300_001), m(300_001, lo=0.5), value=0.5)],
        errors=(E(lambda t: t.addcdiv(t.arange(2), t.arange(2), t.arange(2)), RuntimeError,
                  "Integer division with addcdiv is no longer supported"),))
