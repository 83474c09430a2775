"""Draws from distributions, against their distribution functions; implicit derivatives."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tapegrad as tg
from both import both
from support import array, contiguous, raises

special = pytest.importorskip("scipy.special")
stats = pytest.importorskip("scipy.stats")

N = 50_000


def full(value: float, dtype: Any = tg.float64) -> Any:
    return tg.full((N,), value, dtype=dtype)


# ---------------------------------------------------------------- distribution functions

CONTINUOUS: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "exponential": (lambda d: tg.empty(N, dtype=d).exponential_(2.0), stats.expon(scale=0.5)),
    "cauchy": (lambda d: tg.empty(N, dtype=d).cauchy_(1.0, 2.0), stats.cauchy(1, 2)),
    "log-normal": (
        lambda d: tg.empty(N, dtype=d).log_normal_(0.5, 0.7),
        stats.lognorm(0.7, scale=math.exp(0.5)),
    ),
    **{
        f"gamma-{a}": (lambda d, a=a: tg._standard_gamma(full(a, d)), stats.gamma(a))
        for a in (0.2, 0.9, 1.0, 2.5, 100.0, 1e4)
    },
    "dirichlet": (
        lambda d: tg._sample_dirichlet(tg.tensor([0.3, 2.0, 1.5], dtype=d).expand(N, 3))[:, 1],
        stats.beta(2.0, 1.8),
    ),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", CONTINUOUS)
def test_continuous(name: str, dtype: str) -> None:
    draw, distribution = CONTINUOUS[name]
    tg.manual_seed(11)
    drawn = draw(getattr(tg, dtype))
    assert drawn.dtype == getattr(tg, dtype)
    assert stats.kstest(array(drawn).astype("float64"), distribution.cdf).pvalue > 1e-3


DISCRETE: dict[str, tuple[Callable[[], Any], Any]] = {
    **{
        f"geometric-{p}": (lambda p=p: tg.empty(N).geometric_(p), stats.geom(p))
        for p in (0.01, 0.5, 0.9)
    },
    **{
        f"poisson-{r}": (lambda r=r: tg.poisson(full(r)), stats.poisson(r))
        for r in (0.1, 3.0, 9.9, 10.0, 40.0, 1000.0)
    },
    **{
        f"binomial-{n}-{p}": (lambda n=n, p=p: tg.binomial(full(n), full(p)), stats.binom(n, p))
        for n, p in ((1, 0.3), (12, 0.5), (20, 0.5), (100, 0.9), (1000, 0.03), (10**6, 0.4))
    },
}


@pytest.mark.parametrize("name", DISCRETE)
def test_discrete(name: str) -> None:
    draw, distribution = DISCRETE[name]
    tg.manual_seed(11)
    drawn = array(draw()).astype(np.int64)
    # Bins between quantiles, so that each is expected often enough for a chi-squared test.
    edges = np.unique(distribution.ppf(np.linspace(0.01, 0.99, 30)))
    below = distribution.cdf(edges)
    chances = np.diff([0, *below, 1])
    counts = np.bincount(np.searchsorted(edges, drawn), minlength=len(chances))
    kept = chances * N > 5
    want = np.append(chances[kept], chances[~kept].sum()) * N
    seen = np.append(counts[kept], counts[~kept].sum())
    if want[-1] < 5:
        want, seen = [np.append(x[:-2], x[-2] + x[-1]) for x in (want, seen)]
    assert stats.chisquare(seen, want).pvalue > 1e-3


@pytest.mark.parametrize("name", ("int64", "uint8", "float16", "bool"))
def test_trials_of_any_dtype(name: str) -> None:
    drawn = tg.empty(N, dtype=getattr(tg, name)).geometric_(0.01)
    if name == "bool":
        assert drawn.all()
    else:
        most = 255 if name == "uint8" else 5000
        assert drawn.min().item() >= 1 and 200 < drawn.max().item() <= most


# ---------------------------------------------------------------- limits


@both
def test_limits(lib: Any) -> None:
    assert lib.poisson(lib.zeros(3)).tolist() == [0, 0, 0]
    assert lib.binomial(
        lib.tensor([0.0, 5.0, 5.0, -1.0]), lib.tensor([0.5, 0.0, 1.0, 0.5])
    ).tolist() == [0, 0, 5, 0]
    assert lib.binomial(lib.tensor(5.0), lib.tensor(math.nan)).isnan()
    assert lib._standard_gamma(lib.zeros(2)).tolist() == [2.0**-126] * 2
    assert lib.poisson(lib.ones(2, 0)).shape == (2, 0)
    assert lib._sample_dirichlet(lib.ones(4, 0)).shape == (4, 0)
    assert lib.binomial(lib.ones(2, 1), lib.ones(2, 3)).shape == (2, 3)


def test_parameters_of_any_size() -> None:
    double = {"dtype": tg.float64}
    for rate in (1e16, 1e20, 1e300):
        assert tg.poisson(tg.tensor(rate, **double)).item() == pytest.approx(rate, rel=1e-6)
        assert tg._standard_gamma(tg.tensor(rate, **double)).item() == pytest.approx(rate, rel=1e-6)
        half = tg.binomial(tg.tensor(rate, **double), tg.tensor(0.5, **double))
        assert half.item() == pytest.approx(rate / 2, rel=1e-6)
    assert tg.poisson(tg.tensor(math.inf)).item() == math.inf
    assert tg._standard_gamma(tg.tensor(math.inf)).item() == math.inf
    assert tg._standard_gamma(tg.tensor([math.nan, -1.0])).isnan().all()
    # Of tiny concentrations one part has it all.
    parts = tg._sample_dirichlet(tg.full((500, 3), 1e-6))
    assert (parts.amax(1) > 0.99).all()
    assert parts.argmax(1).bincount(minlength=3).min().item() > 100


@both
def test_mistakes(lib: Any) -> None:
    x = lib.ones(2)
    for call, kind, message in (
        (lambda: x.exponential_(0), RuntimeError, "exponential_ expects lambda > 0.0, but found"),
        (lambda: x.exponential_(math.nan), RuntimeError, "exponential_ expects lambda > 0.0"),
        (lambda: x.cauchy_(0, -1), RuntimeError, "cauchy_ expects sigma > 0.0, but found sigma=-1"),
        (lambda: x.log_normal_(0, 0), RuntimeError, "log_normal_ expects std > 0.0, but found std"),
        (
            lambda: x.geometric_(1),
            RuntimeError,
            "geometric_ expects p to be in (0, 1), but got p=1",
        ),
        (lambda: x.long().exponential_(), RuntimeError, "Exponential distribution is a continuous"),
        (lambda: x.long().cauchy_(), RuntimeError, "Cauchy distribution is a continuous"),
        (lambda: x.long().log_normal_(), NotImplementedError, '"log_normal_cpu" not implemented'),
        (lambda: lib.poisson(-x), RuntimeError, "invalid Poisson rate, expected rate to be non-"),
        (lambda: lib.poisson(x.long()), NotImplementedError, '"poisson_cpu" not implemented'),
        (
            lambda: lib.binomial(x.long(), x),
            ValueError,
            "binomial only supports floating-point dty",
        ),
        (
            lambda: lib.binomial(x, x.double()),
            RuntimeError,
            "Found dtype Double but expected Float",
        ),
        (lambda: lib._standard_gamma(x.long()), NotImplementedError, '"gamma_cpu" not implemented'),
        (
            lambda: lib._sample_dirichlet(x.int()),
            NotImplementedError,
            '"dirichlet" not implemented',
        ),
    ):
        with raises(kind, message, lib):
            call()
    with raises(RuntimeError, "a leaf Variable that requires grad", lib):
        lib.ones(2, requires_grad=True).exponential_()
    assert x.tolist() == [1, 1]


# ---------------------------------------------------------------- derivatives


@both
def test_nodes(lib: Any) -> None:
    x = lib.ones(3, requires_grad=True)
    for name, change in {
        "Exponential": lambda y: y.exponential_(),
        "Cauchy": lambda y: y.cauchy_(),
        "LogNormal": lambda y: y.log_normal_(),
        "Geometric": lambda y: y.geometric_(0.5),
    }.items():
        y = change(x.clone())
        assert y.grad_fn.name() == f"{name}Backward0"
        assert lib.autograd.grad(y.sum(), x)[0].tolist() == [0, 0, 0]
    y = lib.poisson(x)
    assert y.grad_fn.name() == "PoissonBackward0"
    assert lib.autograd.grad(y.sum(), x)[0].tolist() == [0, 0, 0]
    assert lib._standard_gamma(x).grad_fn.name() == "StandardGammaBackward0"
    with pytest.raises((NotImplementedError, RuntimeError), match="derivative for"):
        lib.autograd.grad(lib.binomial(x, x / 2).sum(), x)
    (slope,) = lib.autograd.grad(lib._standard_gamma(x).sum(), x, create_graph=True)
    with pytest.raises((NotImplementedError, RuntimeError), match="derivative for"):
        lib.autograd.grad(slope.sum(), x)


def slope(around: list[float], step: float) -> float:
    """That of the logarithm, from values at -2, -1, 1 and 2 steps."""
    a, b, c, d = np.log(around)
    return (a - 8 * b + 8 * c - d) / (12 * step)


SHAPES = (1e-3, 0.05, 0.3, 1.0, 2.7, 15.0, 200.0, 5e3, 3e5, 9e5, 2e6)
QUANTILES = (1e-4, 0.1, 0.5, 0.9, 0.9999)


@pytest.mark.parametrize("a", SHAPES)
def test_variates_of_gamma_keep_their_quantile(a: float) -> None:
    step = a * 1e-3
    for q in QUANTILES:
        x, *around = special.gammaincinv(a + step * np.array([0, -2, -1, 1, 2]), q)
        if x < 1e-250:
            continue
        want = slope(around, step) * x
        found = tg._standard_gamma_grad(contiguous(np.float64(a)), contiguous(x))
        np.testing.assert_allclose(array(found), want, rtol=1e-7)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (0.1, 0.1),
        (0.5, 3.0),
        (3.0, 0.5),
        (1.0, 1.0),
        (20.0, 30.0),
        (300.0, 2.0),
        (2.0, 300.0),
        (2e3, 3e3),
        (5e5, 5e5),
        (2e6, 3e6),
    ],
)
def test_parts_of_a_whole_keep_their_quantile(a: float, b: float) -> None:
    step = a * 1e-3
    for q in QUANTILES:
        x, *around = special.betaincinv(a + step * np.array([0, -2, -1, 1, 2]), b, q)
        if x < 1e-250 or x > 1 - 1e-8:
            continue
        want = slope(around, step) * x / (1 - x)
        values = (contiguous(np.float64(v)) for v in (x, a, a + b))
        np.testing.assert_allclose(array(tg._dirichlet_grad(*values)), want, rtol=3e-6)


def test_gradients_of_samples() -> None:
    shapes = tg.tensor([0.5, 2.0, 40.0], dtype=tg.float64, requires_grad=True)
    y = tg._standard_gamma(shapes)
    (slope,) = tg.autograd.grad(y.sum(), shapes)
    assert tg.equal(slope, tg._standard_gamma_grad(shapes.detach(), y.detach()))
    # The mean of a component is alpha / total: its gradient, from many samples.
    many = shapes.expand(N, 3)
    mean = tg._sample_dirichlet(many).mean(0)
    (slope,) = tg.autograd.grad(mean[1], shapes)
    total = 42.5
    want = [-2 / total**2, (total - 2) / total**2, -2 / total**2]
    np.testing.assert_allclose(array(slope), want, atol=1e-3)


@pytest.mark.parametrize("half", ["float16", "bfloat16"])
def test_half(half: str) -> None:
    dtype = getattr(tg, half)
    x = tg.full((1000,), 4.0, dtype=dtype, requires_grad=True)
    for y in (tg._standard_gamma(x), tg.poisson(x), tg._sample_dirichlet(x.reshape(250, 4))):
        assert y.dtype == dtype and y.isfinite().all()
        (slope,) = tg.autograd.grad(y.sum(), x)
        assert slope.dtype == dtype and slope.isfinite().all()
    assert tg.empty(1000, dtype=dtype).exponential_().gt(0).all()
    assert tg.empty(1000, dtype=dtype).cauchy_().isnan().sum() == 0
