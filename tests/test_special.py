"""Special functions: names, refusals, extremes, and what the table cannot say."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import tapegrad as tg
from both import both
from support import array, raises
from test_formulas import leaf, orders

INF, NAN = math.inf, math.nan
SAME = {
    "expit": "sigmoid", "gammaln": "lgamma", "psi": "digamma", "multigammaln": "mvlgamma",
    "gammainc": "igamma", "gammaincc": "igammac",
}  # fmt: skip


@both
def test_namespace(lib: Any) -> None:
    x = lib.tensor([0.25, 0.5])
    for name, function in SAME.items():
        one, other = getattr(lib.special, name), getattr(lib, function)
        more = {"mvlgamma": (1,), "igamma": (x,), "igammac": (x,)}.get(function, ())
        assert one(x, *more).tolist() == other(x, *more).tolist()
    for name in [
        "digamma",
        "erf",
        "erfc",
        "erfinv",
        "exp2",
        "expm1",
        "i0",
        "log1p",
        "logit",
        "round",
        "sinc",
    ]:
        assert getattr(lib.special, name)(x).tolist() == getattr(lib, name)(x).tolist()
    for name in ("log_softmax", "logsumexp", "softmax"):
        assert getattr(lib.special, name)(x, 0).tolist() == getattr(lib, name)(x, 0).tolist()
    assert lib.special.polygamma(1, x).tolist() == lib.polygamma(1, x).tolist()
    assert lib.special.xlogy(x, x).tolist() == lib.xlogy(x, x).tolist()


def test_all_names() -> None:
    assert all(callable(getattr(tg.special, name)) for name in tg.special.__all__)
    assert "special" in dir(tg)


@both
def test_nodes(lib: Any) -> None:
    x = lib.tensor([0.25, 0.5], requires_grad=True)
    s = lib.special
    names = {
        "Asinh": x.asinh(),
        "Acosh": x.acosh(),
        "Atanh": x.atanh(),
        "Erfinv": x.erfinv(),
        "Lgamma": x.lgamma(),
        "Digamma": x.digamma(),
        "I0": x.i0(),
        "Sgn": x.sgn(),
        "Frac": x.frac(),
        "Deg2Rad": x.deg2rad(),
        "Rad2Deg": x.rad2deg(),
        "Logit": x.logit(),
        "NanToNum": x.nan_to_num(),
        "Angle": x.angle(),
        "Sinc": x.sinc(),
        "Polygamma": x.polygamma(2),
        "Mvlgamma": x.mvlgamma(1),
        "Frexp": x.frexp()[0],
        "SpecialI0E": s.i0e(x),
        "SpecialI1": s.i1(x),
        "SpecialI1E": s.i1e(x),
        "SpecialEntr": s.entr(x),
        "SpecialNdtri": s.ndtri(x),
        "SpecialLogNdtr": s.log_ndtr(x),
        "SpecialErfcx": s.erfcx(x),
        "Xlogy": x.xlogy(x),
        "SpecialXlog1Py": s.xlog1py(x, x),
        "Copysign": x.copysign(x),
        "Hypot": x.hypot(x),
        "Logaddexp": x.logaddexp(x),
        "Logaddexp2": x.logaddexp2(x),
        "Fmax": x.fmax(x),
        "Fmin": x.fmin(x),
        "Ldexp": x.ldexp(x),
        "Nextafter": x.nextafter(x),
        "Lerp": x.lerp(x, 0.5),
        "Addcmul": x.addcmul(x, x),
        "Addcdiv": x.addcdiv(x, x),
        "Igamma": lib.igamma(x, x),
        "Igammac": lib.igammac(x, x),
        "SpecialZeta": s.zeta(x + 2, x),
    }
    for name, y in names.items():
        assert y.grad_fn.name() == name + "Backward0", name
    assert x.lerp(x, x).grad_fn.name() == "LerpBackward1"
    assert x.copysign(-1).grad_fn.name() == "CopysignBackward1"
    assert lib.xlogy(2.0, x).grad_fn.name() == "XlogyBackward1"
    assert lib.xlogy(x, 2.0).grad_fn.name() == "XlogyBackward2"
    assert x.lerp(x, 0.25).grad_fn._saved_weight == 0.25
    assert x.addcmul(x, x, value=3).grad_fn._saved_value == 3


@both
def test_derivatives_that_are_missing(lib: Any) -> None:
    a, x = (lib.tensor([v], requires_grad=True) for v in (2.0, 1.5))
    for y, what in (
        (lib.special.zeta(a, x), "zeta"), (lib.igamma(a, x), "igamma: input"),
        (lib.igammac(a, x), "igammac: input"),
    ):  # fmt: skip
        assert lib.autograd.grad(y, x, retain_graph=True)[0].isfinite().all()
        with raises(
            NotImplementedError, f"the derivative for '{what}' is not implemented.", lib=lib
        ):
            y.backward()
    with raises(RuntimeError, "derivative for aten::heaviside is not implemented", lib=lib):
        lib.heaviside(x, a).backward()
    with raises(RuntimeError, "polygamma(n, x) does not support negative n.", lib=lib):
        lib.polygamma(-1, x)
    with raises(RuntimeError, "the base given to float_power_ has dtype Float", lib=lib):
        x.detach().float_power_(2)


@both
def test_named_parts_of_frexp(lib: Any) -> None:
    parts = lib.frexp(lib.tensor([0.0, -0.0, 1.0, 3.0, -48.0, 1e-45, INF]))
    assert parts.mantissa.tolist() == [0.0, -0.0, 0.5, 0.75, -0.75, 0.5, INF]
    assert parts.exponent.tolist() == [0, 0, 1, 2, 6, -148, 0]
    assert parts.exponent.dtype == lib.int32
    x = lib.tensor([3.0, 0.125], requires_grad=True)
    lib.frexp(x)[0].sum().backward()
    assert x.grad.tolist() == [0.25, 4.0]


@both
def test_what_is_real(lib: Any) -> None:
    x = lib.tensor([1.0, -2.0], requires_grad=True)
    assert lib.real(x) is x or lib.real(x).tolist() == x.tolist()
    assert x.conj().tolist() == x.real.tolist() == x.tolist()
    assert lib.isreal(x).tolist() == [True, True]


def test_in_place_forms_of_methods() -> None:
    x = tg.tensor([0.5, 2.0], dtype=tg.float64)
    assert x.clone().polygamma_(1).tolist() == x.polygamma(1).tolist()
    assert x.clone().float_power_(3).tolist() == [0.125, 8.0]
    assert x.clone().float_power_(tg.tensor([2, -1])).tolist() == [0.25, 0.5]
    leaf_ = tg.tensor([0.5], dtype=tg.float64, requires_grad=True)
    y = (leaf_ * 1).polygamma_(1)
    y.backward()
    np.testing.assert_allclose(leaf_.grad.item(), tg.polygamma(2, leaf_).item(), rtol=1e-12)


# ---------------------------------------------------------------- values at the ends


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_ends_of_the_range(dtype: str) -> None:
    top = float(np.finfo(dtype).max)
    tiny = float(np.finfo(dtype).smallest_subnormal)

    def of(f: Any, *values: float) -> list[float]:
        return f(tg.tensor(values, dtype=getattr(tg, dtype))).tolist()

    s = tg.special
    assert of(s.ndtri, 0.0, 1.0, 0.5) == [-INF, INF, 0.0]
    assert of(tg.erfinv, -1.0, 1.0, 0.0) == [-INF, INF, 0.0]
    assert -39 < of(s.ndtri, tiny)[0] < -13
    assert of(s.log_ndtr, -INF, INF) == [-INF, 0.0]
    assert of(s.erfcx, -INF, INF, top, 0.0)[::3] == [INF, 1.0]
    assert 0 < of(s.erfcx, 1e30)[0] < 1e-30
    assert of(tg.i0, -INF, INF, 0.0) == [INF, INF, 1.0]
    assert of(s.i1, -INF, INF, 0.0) == [-INF, INF, 0.0]
    assert of(s.i0e, -INF, INF) == [0.0, 0.0]
    assert of(tg.lgamma, 0.0, -1.0, INF, -INF) == [INF, INF, INF, INF]
    assert of(tg.digamma, 0.0, -0.0, INF) == [-INF, INF, INF]
    assert of(lambda x: tg.polygamma(1, x), 0.0, INF, -2.0) == [INF, 0.0, INF]
    assert of(tg.asinh, -top, top)[1] == -of(tg.asinh, -top)[0] < 711
    assert of(tg.acosh, 1.0, INF) == [0.0, INF]
    assert of(lambda x: tg.hypot(x, x), top / 2, -INF)[0] < INF
    assert of(lambda x: tg.hypot(x, tg.full_like(x, NAN)), INF) == [INF]
    assert of(lambda x: tg.logaddexp(x, x), INF, -INF) == [INF, -INF]
    assert of(lambda x: tg.xlogy(tg.zeros_like(x), x), 0.0, -1.0, INF) == [0.0, 0.0, 0.0]
    assert of(tg.logit, 0.0, 1.0) == [-INF, INF]
    for f in (tg.erfinv, s.ndtri, s.erfcx, tg.lgamma, tg.digamma, tg.i0, s.log_ndtr, tg.sinc):
        assert math.isnan(of(f, NAN)[0])
    assert all(math.isnan(v) for v in of(tg.erfinv, 1.5, -1.5) + of(s.ndtri, -0.5, 1.5))


def test_zeta_of_negative_numbers_ends() -> None:
    """By the sum on both sides of 0, however far away."""
    x = tg.tensor([-0.5, -1.5, -2.25, -1e9 - 0.5, -1e-20], dtype=tg.float64)
    got = tg.polygamma(1, x)
    want = (math.pi / (math.pi * x).sin()) ** 2 - tg.polygamma(1, 1 - x)
    np.testing.assert_allclose(array(got)[:3], array(want)[:3], rtol=1e-13)
    np.testing.assert_allclose(array(got)[3], math.pi**2, rtol=1e-7)
    np.testing.assert_allclose(array(got)[4], 1e40, rtol=1e-13)


@pytest.mark.parametrize("a", [1e-3, 0.5, 3.0, 30.0, 150.0, 1e4, 1e6])
def test_incomplete_gamma_functions(a: float) -> None:
    x = tg.tensor([a * f for f in (1e-3, 0.5, 0.99, 1.0, 1.01, 2.0, 30.0)], dtype=tg.float64)
    lower, upper = tg.igamma(tg.full_like(x, a), x), tg.igammac(tg.full_like(x, a), x)
    np.testing.assert_allclose(array(lower + upper), 1, rtol=1e-14)
    # P(a + 1, x) = P(a, x) - x**a e**-x / Gamma(a + 1)
    step = (a * x.log() - x - math.lgamma(a + 1)).exp()
    np.testing.assert_allclose(
        array(tg.igamma(tg.full_like(x, a + 1), x)), array(lower - step), rtol=1e-8, atol=1e-9
    )
    assert (array(lower)[1:] >= array(lower)[:-1]).all()


# ---------------------------------------------------------------- derivatives


def test_sinc_and_its_derivatives_around_zero() -> None:
    x = leaf([0.0, 1e-20, 1e-8, 0.01, 0.4999, 0.5001, 1.0, -3.0, 1e6 + 0.25])
    first, second, third = orders(tg.sinc, x)
    z = math.pi * array(x).astype(np.longdouble)
    with np.errstate(all="ignore"):
        far = np.abs(z) > 0.02
        s, c = np.sin(z), np.cos(z)
        d1 = np.where(far, (c - s / z) / z, -z / 3 + z**3 / 30) * math.pi
        d2 = np.where(far, (-s - 2 * (c - s / z) / z) / z, -1 / 3 + z**2 / 10) * math.pi**2
    np.testing.assert_allclose(first, d1.astype(float), rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(second, d2.astype(float), rtol=1e-6, atol=1e-6)
    assert np.isfinite(third).all()
    assert third[0] == 0


def test_slopes_that_would_cancel() -> None:
    x = leaf([10.5, 1e3, 1e8, 1e150])
    (slope,) = tg.autograd.grad(tg.special.erfcx(x).sum(), x)
    t = 0.5 / array(x) ** 2
    want = -(1 - 3 * t + 15 * t**2 - 105 * t**3 + 945 * t**4) / array(x) ** 2 / math.sqrt(math.pi)
    np.testing.assert_allclose(array(slope), want, rtol=1e-6)
    x = leaf([1e20, 1e200], "float64")
    for f in (tg.asinh, tg.acosh):
        (slope,) = tg.autograd.grad(f(x).sum(), x)
        np.testing.assert_allclose(array(slope), 1 / array(x), rtol=1e-14)


@both
def test_nothing_of_the_other_branch(lib: Any) -> None:
    """Where a value is a limit, or is cut off, the gradient is a number."""
    x = lib.tensor([0.0, 1.0, 0.5], requires_grad=True)
    (slope,) = lib.autograd.grad(lib.logit(x, eps=0.25).sum(), x)
    assert slope.tolist() == [0.0, 0.0, 4.0]
    y = lib.tensor([NAN, INF, -INF, 1.0], requires_grad=True)
    (slope,) = lib.autograd.grad(lib.nan_to_num(y).sum(), y)
    assert slope.tolist() == [0.0, 0.0, 0.0, 1.0]
    a, b = (lib.tensor([v], requires_grad=True) for v in (0.0, -1.0))
    assert lib.autograd.grad(lib.xlogy(a, b).sum(), a)[0].tolist() == [0.0]


def test_gradients_at_kinks_of_two() -> None:
    a, b = leaf([0.0, 3.0, 0.0]), leaf([0.0, 4.0, -2.0])
    grads = tg.autograd.grad(tg.hypot(a, b).sum(), (a, b), create_graph=True)
    assert [g.tolist() for g in grads] == [[0.0, 0.6, 0.0], [0.0, 0.8, -1.0]]
    second = tg.autograd.grad(grads[0].sum(), a)[0]
    np.testing.assert_allclose(array(second), [0.0, 16 / 125, 0.5], rtol=1e-14)
    for value in (INF, -INF):
        a, b = leaf([value]), leaf([value])
        grads = tg.autograd.grad(tg.logaddexp(a, b), (a, b), create_graph=True)
        assert [g.item() for g in grads] == [0.5, 0.5]
        assert tg.autograd.grad(grads[0], a)[0].item() == 0.0
    a, b = leaf([0.0, 0.0, 1.0]), leaf([0.0, -1.0, 0.0])
    grads = tg.autograd.grad(tg.xlogy(a, b).sum(), (a, b), create_graph=True)
    assert [g.tolist() for g in grads] == [[0.0, 0.0, -INF], [0.0, 0.0, INF]]
    assert tg.autograd.grad(grads[0][:2].sum(), b)[0].tolist()[:2] == [0.0, 0.0]


@both
def test_equal_and_missing_ones_of_fmax(lib: Any) -> None:
    for f, first in ((lib.fmax, [1.0, 1.0, 0.0, 1.0]), (lib.fmin, [1.0, 1.0, 0.0, 0.0])):
        a = lib.tensor([1.0, 2.0, NAN, 3.0], requires_grad=True)
        b = lib.tensor([1.0, NAN, 5.0, 2.0], requires_grad=True)
        grads = lib.autograd.grad(f(a, b).sum(), (a, b))
        assert [g.tolist() for g in grads] == [first, [1 - v for v in first]]


def test_ldexp_of_every_magnitude() -> None:
    x = tg.tensor([2.0**-1074, 2.0**1000, 3.0, 0.0], dtype=tg.float64)
    n = tg.tensor([2000, -2000, -1075, 5000])
    assert tg.ldexp(x, n).tolist() == [2.0**926, 2.0**-1000, math.ldexp(3.0, -1075), 0.0]


def test_divisors_of_the_smallest_integer() -> None:
    smallest = -(2**63)
    x = tg.tensor([smallest, smallest, 0])
    assert tg.gcd(x, tg.tensor([6, 0, 0])).tolist() == [2, smallest, 0]
    assert tg.lcm(tg.tensor([4, 0]), tg.tensor([-6, 0])).tolist() == [12, 0]
    assert tg.gcd(tg.tensor([250], dtype=tg.uint8), 100 * tg.ones(1, dtype=tg.uint8)).tolist() == [
        50
    ]


@pytest.mark.parametrize("a", [0.5, 99.0, 9e4, 1.1e5, 1e8, 1e12, 1e18, 1e308])
def test_incomplete_gamma_functions_of_any_size(a: float) -> None:
    """Against the normal distribution with the correction for its skewness, and each other."""
    z = np.array([-3.0, -1.0, -0.1, 0.0, 0.1, 1.0, 3.0])
    x = a + z * math.sqrt(a)
    z, x = z[x > 0], x[x > 0]
    z = (x - a) / math.sqrt(a)  # as rounded
    shape = tg.full(x.shape, a, dtype=tg.float64)
    at = tg.tensor(x.tolist(), dtype=tg.float64).requires_grad_()
    lower, upper = tg.igamma(shape, at), tg.igammac(shape, at)
    assert ((lower + upper - 1).abs() < 1e-13).all()
    (slope,) = tg.autograd.grad(lower.sum(), at)
    (other,) = tg.autograd.grad(upper.sum(), at)
    assert tg.equal(slope, -other)
    if a < 1e5:
        return
    density = np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    want = np.array([0.5 * math.erfc(-v / math.sqrt(2)) for v in z])
    want -= density * (z * z - 1) / (3 * math.sqrt(a))
    np.testing.assert_allclose(lower.detach().numpy(), want, atol=20 / a)
    rough = density * (1 + z * (z * z - 3) / (3 * math.sqrt(a))) / math.sqrt(a)
    np.testing.assert_allclose(slope.numpy(), rough, atol=20 / a / math.sqrt(a))


def test_density_under_the_incomplete_gamma_functions() -> None:
    for dtype, close in ((tg.float32, 1e-6), (tg.float64, 1e-13)):
        x = tg.tensor([1010.0], dtype=dtype, requires_grad=True)
        (slope,) = tg.autograd.grad(tg.igamma(tg.tensor([1000.0], dtype=dtype), x), x)
        assert slope.item() == pytest.approx(0.0118845150360351, rel=close)
    x = tg.zeros(3, requires_grad=True)
    (slope,) = tg.autograd.grad(tg.igamma(tg.tensor([0.5, 1.0, 2.0]), x).sum(), x)
    assert slope.tolist() == [math.inf, 1, 0]
