"""Densities, moments, shapes and messages of the families; draws have a file of their own."""

from __future__ import annotations

import copy
import importlib
import pickle
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tapegrad as tg
from distribution_rows import ROWS, Row, a, each, positive_definite
from support import array, raises
from tapegrad import distributions as dist


@pytest.fixture
def torch() -> Iterator[Any]:
    """PyTorch, with double precision as the default of both libraries."""
    torch = pytest.importorskip("torch", reason="PyTorch, the oracle, is not installed")
    torch.set_default_dtype(torch.float64)
    tg.set_default_dtype(tg.float64)
    yield torch
    torch.set_default_dtype(torch.float32)
    tg.set_default_dtype(tg.float32)


def outcome(call: Callable[..., Any], *args: Any) -> Any:
    """What a call returns, or the class of what it raises."""
    try:
        return call(*args)
    except Exception as error:
        return type(error)


def text(value: Any) -> str:
    return str(value).replace("torch.", "tapegrad.").replace(", dtype=tapegrad.float64", "")


def same(got: Any, want: Any, what: str, tol: float = 1e-9) -> None:
    if isinstance(want, type) or isinstance(got, type):
        assert got is want, what
    elif hasattr(want, "detach"):
        assert tuple(got.shape) == tuple(want.shape), what
        assert text(got.dtype) == text(want.dtype), what
        want = want.detach().numpy()
        np.testing.assert_allclose(array(got), want, rtol=tol, atol=tol / 100, err_msg=what)
    else:
        assert text(got) == text(want), what


def tolerance(row: Row) -> float:
    return 1e-5 if "digits" in row.differs else 1e-9


@each()
def test_properties_are_those_of_pytorch(row: Row, torch: Any) -> None:
    ours, theirs = row.make(tg), row.make(torch)
    for name in (
        "batch_shape",
        "event_shape",
        "has_rsample",
        "has_enumerate_support",
        "arg_constraints",
        "support",
        "mean",
        "mode",
        "variance",
        "stddev",
    ):
        if name not in row.differs:
            got, want = (outcome(getattr, p, name) for p in (ours, theirs))
            same(got, want, name, tolerance(row))
    for name in ("entropy", "perplexity", "enumerate_support"):
        got, want = (outcome(getattr(p, name)) for p in (ours, theirs))
        same(got, want, name, tolerance(row))
    got, want = (outcome(p.enumerate_support, False) for p in (ours, theirs))
    same(got, want, "enumerate_support", tolerance(row))


@each()
def test_functions_are_those_of_pytorch(row: Row, torch: Any) -> None:
    ours, theirs = row.make(tg), row.make(torch)
    for name in ("log_prob", "cdf"):
        got = outcome(getattr(ours, name), row.values(tg))
        want = outcome(getattr(theirs, name), row.values(torch))
        same(got, want, name, tolerance(row))
    got, want = (
        outcome(p.icdf, lib.tensor([[0.3], [0.9]])) for p, lib in ((ours, tg), (theirs, torch))
    )
    same(got, want, "icdf", tolerance(row))


@each()
def test_derivatives_are_those_of_pytorch(row: Row, torch: Any) -> None:
    if "gradient" in row.differs:
        pytest.skip(row.differs["gradient"])
    found = []
    for lib in (tg, torch):
        params, value = row.tensors(lib, requires_grad=True), row.values(lib, requires_grad=True)
        density = row.make(lib, params).log_prob(value)
        weights = lib.from_numpy(np.random.default_rng(0).standard_normal(tuple(density.shape)))
        leaves = [x for x in (*params.values(), value) if getattr(x, "requires_grad", False)]
        found.append(lib.autograd.grad((density * weights).sum(), leaves, allow_unused=True))
    for got, want in zip(*found, strict=True):
        same(got, want, "gradient", tolerance(row))


@each()
def test_expand(row: Row, torch: Any) -> None:
    ours, theirs = row.make(tg), row.make(torch)
    batch = row.value.shape[: row.value.ndim - len(ours.event_shape)]
    shape = (4, *np.broadcast_shapes(batch, ours.batch_shape))
    got, want = ours.expand(shape), theirs.expand(shape)
    assert type(got) is type(ours)
    assert got._validate_args == ours._validate_args
    if "repr" not in row.differs:
        assert repr(ours) == text(repr(theirs))
        assert repr(got) == text(repr(want))
    assert got.batch_shape == shape
    assert got.event_shape == ours.event_shape
    for name in ("mean", "variance"):
        x, y = (outcome(getattr, p, name) for p in (got, want))
        same(x, y, name, tolerance(row))
    if row.name != "Multinomial":  # of which PyTorch forgets a part
        same(outcome(got.entropy), outcome(want.entropy), "entropy", tolerance(row))
    x, y = (p.log_prob(row.values(lib)) for p, lib in ((got, tg), (want, torch)))
    same(x, y, "log_prob", tolerance(row))
    assert got.expand((3, *shape)).batch_shape == (3, *shape)


@each([row for row in ROWS if row.scipy])
def test_scipy(row: Row) -> None:
    stats = pytest.importorskip("scipy.stats")
    frozen = row.scipy(stats, **row.params)
    ours = row.make(tg)
    value = row.values(tg)
    if row.name == "Wishart":
        want = np.array([frozen.logpdf(x) for x in row.value])
    else:
        want = (frozen.logpmf if row.discrete else frozen.logpdf)(row.value)
    np.testing.assert_allclose(array(ours.log_prob(value)), want, rtol=1e-8, atol=1e-10)
    entropy = outcome(ours.entropy)
    if not isinstance(entropy, type) and row.name not in ("Geometric", "Binomial"):
        np.testing.assert_allclose(array(entropy), frozen.entropy(), rtol=1e-6)
    if row.name in ("MultivariateNormal", "Wishart", "VonMises"):
        return
    mean, variance = array(ours.mean), array(ours.variance)
    known = np.isfinite(mean)
    np.testing.assert_allclose(mean[known], frozen.mean()[known], rtol=1e-9)
    known &= np.isfinite(variance)
    np.testing.assert_allclose(variance[known], frozen.var()[known], rtol=1e-9)
    for name, points in (("cdf", value), ("icdf", tg.tensor([[0.01], [0.7]], dtype=tg.float64))):
        got = outcome(getattr(ours, name), points)
        if not isinstance(got, type):
            want = (frozen.cdf if name == "cdf" else frozen.ppf)(array(points))
            np.testing.assert_allclose(array(got), want, rtol=1e-8, atol=1e-12)


@each([row for row in ROWS if not row.discrete and row.make(tg).event_shape == ()])
def test_densities_have_an_integral_of_one(row: Row) -> None:
    integrate = pytest.importorskip("scipy.integrate")
    if row.name in ("Normal", "TransformedDistribution", "MixtureSameFamily"):
        pytest.skip("has other tests")
    p = row.make(tg, validate_args=False) if row.build is None else row.make(tg)
    for member in range(p.batch_shape[-1]):
        low, high = -np.inf, np.inf
        support = p.support
        if hasattr(support, "lower_bound"):
            low = float(np.broadcast_to(np.asarray(support.lower_bound), (3,))[member])
        if hasattr(support, "upper_bound"):
            high = float(np.broadcast_to(np.asarray(support.upper_bound), (3,))[member])
        if row.name == "VonMises":
            low, high = -np.pi, np.pi
        if row.name in ("Cauchy", "StudentT", "HalfCauchy", "Pareto", "FisherSnedecor"):
            continue  # tails too heavy for a quadrature; SciPy has them

        def density(x: float, member: int = member) -> float:
            point = tg.full((3,), x, dtype=tg.float64)
            return p._log_prob(point)[member].exp().item()

        middle = [0.5] if low == 0 and high == 1 else None
        total, _ = integrate.quad(density, low, high, points=middle, epsabs=1e-6)
        assert total == pytest.approx(1, abs=2e-4), member


@each([row for row in ROWS if row.discrete and row.make(tg).has_enumerate_support])
def test_probabilities_sum_to_one(row: Row) -> None:
    p = row.make(tg)
    if row.id == "Binomial-logits":
        with raises(NotImplementedError, "Inhomogeneous total count not supported by `enum"):
            p.enumerate_support()
        return
    total = p.log_prob(p.enumerate_support()).exp().sum(0)
    np.testing.assert_allclose(array(total), np.ones(p.batch_shape), rtol=1e-12)


@each([row for row in ROWS if row.build is None])
def test_copies(row: Row) -> None:
    p = row.make(tg)
    p.log_prob(row.values(tg))
    for twin in (pickle.loads(pickle.dumps(p)), copy.deepcopy(p)):
        assert repr(twin) == repr(p)
        assert twin.log_prob(row.values(tg)).equal(p.log_prob(row.values(tg)))


@each()
def test_float32_is_kept(row: Row) -> None:
    params = {
        k: v.float() if isinstance(v, tg.Tensor) and v.is_floating_point() else v
        for k, v in row.tensors(tg).items()
    }
    p = row.make(tg, params)
    value = row.values(tg).float()
    if row.name in ("Dirichlet", "RelaxedOneHotCategorical", "LogisticNormal"):
        value = value / value.sum(-1, True)
    for got in (p.log_prob(value), outcome(getattr, p, "mean"), outcome(p.entropy)):
        assert isinstance(got, type) or got.dtype == tg.float32
    with tg.no_grad():
        draw = p.sample((2,))
    assert draw.dtype == (tg.int64 if row.name == "Categorical" else tg.float32)


# Pairs of distributions for each registered divergence; a name stands for the row of its family.
FINITE = [
    ("Uniform", {"low": a(0.2, 0.1), "high": a(0.5, 0.9)}),
    ("Beta", {"concentration1": a(0.5, 2.0), "concentration0": a(0.7, 3.0)}),
    ("Beta", {"concentration1": a(2.5, 1.0), "concentration0": a(1.7, 2.0)}),
    ("ContinuousBernoulli", {"probs": a(0.2, 0.7)}),
    ("ContinuousBernoulli", {"logits": a(0.5, -1.0)}),
    ("Exponential", {"rate": a(0.5, 2.0)}),
    ("Exponential", {"rate": a(1.5, 0.3)}),
    ("Gamma", {"concentration": a(0.5, 2.0), "rate": a(0.7, 3.0)}),
    ("Gamma", {"concentration": a(1.5, 4.0), "rate": a(2.0, 1.0)}),
    ("Chi2", {"df": a(1.5, 4.0)}),
    ("Gumbel", {"loc": a(0.5, -2.0), "scale": a(0.7, 3.0)}),
    ("Gumbel", {"loc": a(1.5, 0.0), "scale": a(1.0, 2.0)}),
    ("Laplace", {"loc": a(0.5, -2.0), "scale": a(0.7, 3.0)}),
    ("Laplace", {"loc": a(1.5, 0.0), "scale": a(1.0, 2.0)}),
    ("Normal", {"loc": a(0.5, -2.0), "scale": a(0.7, 3.0)}),
    ("Normal", {"loc": a(1.5, 0.0), "scale": a(1.0, 2.0)}),
    ("Pareto", {"scale": a(0.15, 0.05), "alpha": a(0.7, 3.0)}),
    ("Pareto", {"scale": a(0.1, 0.01), "alpha": a(2.5, 2.0)}),
    ("Uniform", {"low": a(-0.5, 0.0), "high": a(1.5, 2.0)}),
    ("Cauchy", {"loc": a(0.5, -2.0), "scale": a(0.7, 3.0)}),
    ("HalfNormal", {"scale": a(0.7, 3.0)}),
    ("Bernoulli", {"probs": a(0.2, 0.7)}),
    ("Bernoulli", {"logits": a(0.5, -1.0)}),
    ("Binomial", {"total_count": 5, "probs": a(0.2, 0.7)}),
    ("Binomial", {"total_count": 5, "logits": a(0.5, -1.0)}),
    ("Geometric", {"probs": a(0.2, 0.7)}),
    ("Geometric", {"logits": a(0.5, -1.0)}),
    ("Poisson", {"rate": a(0.7, 3.0)}),
    ("Poisson", {"rate": a(2.0, 1.0)}),
    ("Categorical", {"probs": a([[1.0, 2, 3], [1, 1, 1]])}),
    ("Categorical", {"logits": a([[1.0, 2, 3], [0, 1, 0]])}),
    ("OneHotCategorical", {"probs": a([[1.0, 2, 3], [1, 1, 1]])}),
    ("Dirichlet", {"concentration": a([[1.0, 2, 3], [1, 1, 1]])}),
    ("Dirichlet", {"concentration": a([[0.3, 0.5, 4], [2, 1, 1]])}),
    ("MultivariateNormal", {"loc": a(1, 0, 2), "covariance_matrix": positive_definite(3, 2)}),
    ("MultivariateNormal", {"loc": a(0, 1, 0), "precision_matrix": positive_definite(3, seed=2)}),
    (
        "LowRankMultivariateNormal",
        {"loc": a(0, 1, 0), "cov_factor": a([[1.0], [2], [0.5]]), "cov_diag": a(1, 2, 3)},
    ),
    (
        "LowRankMultivariateNormal",
        {"loc": a([[1, 1, 0], [0, 0, 2]]), "cov_factor": a(np.eye(3)), "cov_diag": a(2, 0.5, 1)},
    ),
    ("LogNormal", {"loc": a(0.5, -2.0), "scale": a(0.7, 3.0)}),
]
MEMBERS = [Row(name, params, 0, id=f"{name}{i}") for i, (name, params) in enumerate(FINITE)]


def by_quadrature(p: Any, q: Any) -> Any:
    """The divergence on an interval; PyTorch's is infinite where the intervals end together."""
    quad = importlib.import_module("scipy.integrate").quad
    low, high = (np.broadcast_to(x, 2) for x in (p.support.lower_bound, p.support.upper_bound))
    found = []
    for i in range(2):

        def integrand(x: float, i: int = i) -> float:
            point = tg.full((2,), x, dtype=tg.float64)
            log_p, log_q = p._log_prob(point)[i], q._log_prob(point)[i]
            return (log_p.exp() * (log_p - log_q)).item()

        inside = q.support.check(tg.tensor([[low[i]], [high[i]]], dtype=tg.float64))
        inside = np.broadcast_to(array(inside).all(0), 2)[i]
        found.append(quad(integrand, low[i], high[i])[0] if inside else np.inf)
    return importlib.import_module("torch").tensor(found)


@each(MEMBERS)
def test_divergences(row: Row, torch: Any) -> None:
    """Each member with every other one: the same value, or both know none."""
    ours, theirs = row.make(tg), row.make(torch)
    for other in MEMBERS:
        got = outcome(dist.kl_divergence, ours, other.make(tg))
        want = outcome(torch.distributions.kl_divergence, theirs, other.make(torch))
        if {row.name, other.name} == {"Uniform", "ContinuousBernoulli"}:
            pytest.importorskip("scipy")
            want = by_quadrature(ours, other.make(tg))
        same(got, want, f"{row.id} and {other.id}", 1e-8)


def test_all_pairs_of_pytorch_are_registered(torch: Any) -> None:
    theirs = {(p.__name__, q.__name__) for p, q in torch.distributions.kl._KL_REGISTRY}
    ours = {(p.__name__, q.__name__) for p, q in dist.kl._KL_REGISTRY}
    assert theirs <= ours


def test_divergences_where_probabilities_vanish() -> None:
    kl = dist.kl_divergence
    p, q = tg.tensor([0.0, 1.0, 0.5, 0.0]), tg.tensor([1.0, 1.0, 0.2, 0.3])
    want = [np.inf, 0, 0.5 * np.log(2.5) + 0.5 * np.log(0.625), -np.log(0.7)]
    bernoulli = kl(dist.Bernoulli(p), dist.Bernoulli(q))
    np.testing.assert_allclose(array(bernoulli), want, rtol=1e-5, atol=1e-6)
    binomial = kl(dist.Binomial(4, p), dist.Binomial(4, q))
    np.testing.assert_allclose(array(binomial), 4 * np.array(want), rtol=1e-5, atol=1e-6)
    assert kl(dist.Binomial(4, p), dist.Binomial(3, q)).isinf().all()
    with raises(NotImplementedError, "KL between Binomials where q.total_count > p.total_count"):
        kl(dist.Binomial(3, p), dist.Binomial(4, q))
    categorical = kl(dist.Categorical(tg.stack([p, 1 - p], -1)), dist.Categorical(tg.ones(2)))
    assert categorical.isfinite().all()
    assert kl(dist.Poisson(0.0), dist.Poisson(0.5)).item() == 0.5
    uniform = dist.Uniform(tg.tensor([0.0, -0.1, 0.2]), tg.tensor([1.0, 0.5, 1.1]))
    for other in (dist.Beta(2.0, 1.0), dist.ContinuousBernoulli(0.3)):
        assert kl(uniform, other).isinf().tolist() == [False, True, True]
    assert kl(uniform, dist.Exponential(1.0)).isinf().tolist() == [False, True, False]
    assert kl(uniform, dist.Gamma(2.0, 1.0)).isinf().tolist() == [False, True, False]


def test_divergence_of_wishart() -> None:
    p = dist.Wishart(tg.tensor([4.0, 5.0], dtype=tg.float64), tg.tensor(positive_definite(2)))
    q = dist.Wishart(tg.tensor(6.0, dtype=tg.float64), tg.tensor(positive_definite(2, seed=1)))
    draws = p.sample((100_000,))
    estimate = (p.log_prob(draws) - q.log_prob(draws)).mean(0)
    np.testing.assert_allclose(array(dist.kl_divergence(p, q)), array(estimate), rtol=0.02)
    assert dist.kl_divergence(p, p).abs().max() < 1e-12


def test_divergences_by_differentiation() -> None:
    """Bregman divergences of the log normaliser are the closed forms, with their gradients."""
    general = dist.kl._KL_REGISTRY[dist.ExponentialFamily, dist.ExponentialFamily]
    for name in ("Normal", "Gamma", "Exponential", "Beta", "Bernoulli", "Poisson", "Dirichlet"):
        rows = [row for row in MEMBERS if row.name == name]
        params = rows[0].tensors(tg, requires_grad=True)
        p, q = rows[0].make(tg, params), rows[-1].make(tg)
        want, got = dist.kl_divergence(p, q), general(p, q)
        np.testing.assert_allclose(array(got), array(want), rtol=1e-9)
        grads = [
            tg.autograd.grad(x.sum(), list(params.values()), retain_graph=True) for x in (got, want)
        ]
        for x, y in zip(*grads):
            np.testing.assert_allclose(array(x), array(y), rtol=1e-8, atol=1e-10)
        if name not in ("Poisson", "Beta", "Dirichlet"):  # whose carrier measure is not known
            entropy = dist.ExponentialFamily.entropy(p)
            np.testing.assert_allclose(array(entropy), array(p.entropy()), rtol=1e-9)


def test_the_most_specific_divergence_wins() -> None:
    class Left(dist.Normal):
        pass

    class Right(dist.Normal):
        pass

    p, q = Left(0.0, 1.0), Right(0.0, 1.0)
    assert dist.kl_divergence(p, q).item() == 0
    dist.register_kl(Left, dist.Normal)(lambda p, q: 1)
    assert dist.kl_divergence(p, q) == 1
    dist.register_kl(dist.Normal, Right)(lambda p, q: 2)
    with pytest.warns(RuntimeWarning, match=r"Ambiguous kl_divergence\(Left, Right\)"):
        assert dist.kl_divergence(p, q) == 1
    dist.register_kl(Left, Right)(lambda p, q: 3)
    assert dist.kl_divergence(p, q) == 3
    with raises(TypeError, "Expected type_p to be a Distribution subclass but got"):
        dist.register_kl(1, Right)  # type: ignore[arg-type]


REFUSED = {
    "scale": lambda lib, d: d.Normal(0.0, -1.0),
    "nan": lambda lib, d: d.Normal(float("nan"), 1.0),
    "no number": lambda lib, d: d.Normal("a", 1.0),
    "list": lambda lib, d: d.Normal([1.0], 1.0),
    "no shape in common": lambda lib, d: d.Normal(lib.zeros(2), lib.ones(3)),
    "no tensor": lambda lib, d: d.Normal(0.0, 1.0).log_prob(1.0),
    "value nan": lambda lib, d: d.Normal(0.0, 1.0).cdf(lib.tensor(float("nan"))),
    "shape of the value": lambda lib, d: d.Normal(lib.zeros(2), 1.0).log_prob(lib.zeros(3)),
    "event of the value": lambda lib, d: d.Dirichlet(lib.ones(3)).log_prob(lib.ones(2) / 2),
    "simplex": lambda lib, d: d.Dirichlet(lib.ones(2)).log_prob(lib.ones(2)),
    "neither": lambda lib, d: d.Bernoulli(),
    "both": lambda lib, d: d.Bernoulli(lib.tensor(0.3), lib.tensor(0.3)),
    "neither of Categorical": lambda lib, d: d.Categorical(),
    "neither of Binomial": lambda lib, d: d.Binomial(),
    "neither of NegativeBinomial": lambda lib, d: d.NegativeBinomial(2.0),
    "neither of Multinomial": lambda lib, d: d.Multinomial(),
    "neither of Geometric": lambda lib, d: d.Geometric(),
    "neither of ContinuousBernoulli": lambda lib, d: d.ContinuousBernoulli(),
    "neither of RelaxedBernoulli": lambda lib, d: d.RelaxedBernoulli(lib.tensor(1.0)),
    "probs": lambda lib, d: d.Bernoulli(lib.tensor([1.5, 0.2])),
    "no bit": lambda lib, d: d.Bernoulli(lib.tensor(0.5)).log_prob(lib.tensor(0.5)),
    "number probs": lambda lib, d: d.Categorical(lib.tensor(0.5)),
    "number logits": lambda lib, d: d.Categorical(logits=lib.tensor(0.5)),
    "negative weight": lambda lib, d: d.Categorical(lib.tensor([0.5, -0.25])),
    "index": lambda lib, d: d.Categorical(lib.ones(2)).log_prob(lib.tensor(2)),
    "cdf": lambda lib, d: d.Categorical(lib.ones(2)).cdf(lib.tensor(1)),
    "icdf": lambda lib, d: d.Gamma(1.0, 1.0).icdf(lib.tensor(1)),
    "rsample": lambda lib, d: d.Categorical(lib.ones(2)).rsample(),
    "entropy": lambda lib, d: d.Poisson(1.0).entropy(),
    "mode": lambda lib, d: d.ContinuousBernoulli(0.3).mode,
    "ends": lambda lib, d: d.Uniform(1.0, 0.5),
    "outside": lambda lib, d: d.Uniform(0.0, 1.0).log_prob(lib.tensor(2.0)),
    "no matrix": lambda lib, d: d.MultivariateNormal(lib.zeros(2)),
    "number": lambda lib, d: d.MultivariateNormal(lib.tensor(0.0), lib.eye(2)),
    "vector": lambda lib, d: d.MultivariateNormal(lib.zeros(2), lib.ones(2)),
    "vector scale": lambda lib, d: d.MultivariateNormal(lib.zeros(2), scale_tril=lib.ones(2)),
    "not lower": lambda lib, d: d.MultivariateNormal(lib.zeros(2), scale_tril=lib.ones(2, 2)),
    "not definite": lambda lib, d: d.MultivariateNormal(lib.zeros(2), -lib.eye(2)),
    "not symmetric": lambda lib, d: d.MultivariateNormal(
        lib.zeros(2), lib.tensor([[1.0, 0.5], [0.0, 1.0]])
    ),
    "low rank number": lambda lib, d: d.LowRankMultivariateNormal(
        lib.tensor(0.0), lib.eye(2), lib.ones(2)
    ),
    "low rank vector": lambda lib, d: d.LowRankMultivariateNormal(
        lib.zeros(2), lib.ones(2), lib.ones(2)
    ),
    "low rank rows": lambda lib, d: d.LowRankMultivariateNormal(
        lib.zeros(2), lib.ones(3, 2), lib.ones(2)
    ),
    "low rank diagonal": lambda lib, d: d.LowRankMultivariateNormal(
        lib.zeros(2), lib.ones(2, 2), lib.ones(3)
    ),
    "concentration": lambda lib, d: d.Dirichlet(lib.tensor(1.0)),
    "Beta": lambda lib, d: d.Beta(1.0, -2.0),
    "LogNormal": lambda lib, d: d.LogNormal(1.0, -2.0),
    "HalfNormal": lambda lib, d: d.HalfNormal(-2.0),
    "InverseGamma": lambda lib, d: d.InverseGamma(1.0, -2.0),
    "rate": lambda lib, d: d.Poisson(-2.0),
    "count": lambda lib, d: d.Poisson(2.0).log_prob(lib.tensor(0.5)),
    "no success": lambda lib, d: d.Geometric(0.0),
    "total_count": lambda lib, d: d.Binomial(-3, lib.tensor(0.2)),
    "above total_count": lambda lib, d: d.Binomial(3, lib.tensor(0.2)).log_prob(lib.tensor(4.0)),
    "counts": lambda lib, d: d.Binomial(lib.tensor([3, 4]), lib.tensor(0.2)).enumerate_support(),
    "tensor count": lambda lib, d: d.Multinomial(lib.tensor(3), lib.ones(2)),
    "sum of counts": lambda lib, d: d.Multinomial(2, lib.ones(2)).log_prob(lib.ones(2) * 2),
    "one hot": lambda lib, d: d.OneHotCategorical(lib.ones(2)).log_prob(lib.ones(2)),
    "df": lambda lib, d: d.Wishart(lib.tensor(0.5), lib.eye(2)),
    "Wishart matrix": lambda lib, d: d.Wishart(lib.tensor(3.0)),
    "Wishart vector": lambda lib, d: d.Wishart(lib.tensor(3.0), lib.ones(2)),
    "LKJ": lambda lib, d: d.LKJCholesky(1),
    "Independent": lambda lib, d: d.Independent(d.Normal(lib.zeros(2), 1), 2),
    "product": lambda lib, d: d.Independent(d.Bernoulli(lib.ones(2) / 2), 1).enumerate_support(),
    "mixture": lambda lib, d: d.MixtureSameFamily(d.Normal(0.0, 1.0), d.Normal(0.0, 1.0)),
    "components": lambda lib, d: d.MixtureSameFamily(d.Categorical(lib.ones(2)), 1),
    "number of components": lambda lib, d: d.MixtureSameFamily(
        d.Categorical(lib.ones(2)), d.Normal(lib.zeros(3), 1.0)
    ),
    "batch of components": lambda lib, d: d.MixtureSameFamily(
        d.Categorical(lib.ones(5, 2)), d.Normal(lib.zeros(4, 2), 1.0)
    ),
    "one component": lambda lib, d: d.MixtureSameFamily(
        d.Categorical(lib.ones(2)), d.Normal(0.0, 1.0)
    ),
    "no transform": lambda lib, d: d.TransformedDistribution(d.Normal(0.0, 1.0), 3),
    "no transforms": lambda lib, d: d.TransformedDistribution(d.Normal(0.0, 1.0), [3]),
    "no dimension": lambda lib, d: d.TransformedDistribution(
        d.Normal(0.0, 1.0), d.StickBreakingTransform()
    ),
    "expand": lambda lib, d: d.Normal(lib.zeros(2), 1.0).expand((3, 3)),
    "default": lambda lib, d: d.Distribution.set_default_validate_args(3),
    "no divergence": lambda lib, d: d.kl_divergence(d.VonMises(0.0, 1.0), d.Gamma(1.0, 1.0)),
    "base": lambda lib, d: d.Distribution(validate_args=False).sample(),
    "base mean": lambda lib, d: d.Distribution(validate_args=False).mean,
    "base log_prob": lambda lib, d: d.Distribution(validate_args=False).log_prob(lib.ones(1)),
    "vec_to_tril_matrix": lambda lib, d: d.utils.vec_to_tril_matrix(lib.ones(2)),
    "tril_matrix_to_vec": lambda lib, d: d.utils.tril_matrix_to_vec(lib.ones(2, 2), 2),
}


@pytest.mark.parametrize("name", REFUSED)
def test_messages(name: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch, the oracle, is not installed")
    call = REFUSED[name]
    with pytest.raises(Exception) as want:
        call(torch, torch.distributions)
    with pytest.raises(want.type) as got:
        call(tg, dist)
    first = text(want.value).split("\n")[0].rstrip(". ")
    assert str(got.value).startswith(first)
    rest = text(want.value).split("\n")[1:]
    assert not rest or rest == str(got.value).split("\n")[1:] or "-0." in str(rest)


def test_validation_can_be_switched_off() -> None:
    assert dist.Normal(0.0, -1.0, validate_args=False).scale == -1
    p = dist.Bernoulli(tg.tensor(0.5), validate_args=False)
    assert p.log_prob(tg.tensor(0.5)).isfinite()
    assert dist.Uniform(0.0, 1.0, validate_args=False).log_prob(tg.tensor(2.0)) == -np.inf
    assert dist.HalfNormal(1.0, validate_args=False).log_prob(tg.tensor(-1.0)) == -np.inf
    assert dist.HalfCauchy(1.0, validate_args=False).log_prob(tg.tensor(-1.0)) == -np.inf
    dist.Distribution.set_default_validate_args(False)
    try:
        assert dist.Normal(0.0, -1.0).scale == -1
        with raises(ValueError, "Expected parameter scale"):
            dist.Normal(0.0, -1.0, validate_args=True)
    finally:
        dist.Distribution.set_default_validate_args(True)
    with raises(ValueError, "Expected parameter scale"):
        dist.Normal(0.0, -1.0)


def test_own_family() -> None:
    class Half(dist.Distribution):
        arg_constraints = {"width": dist.constraints.positive}  # noqa: RUF012
        support = dist.constraints.nonnegative

        def __init__(self, width: Any, validate_args: bool | None = None) -> None:
            self.width = width
            super().__init__(width.shape, validate_args=validate_args)

        def log_prob(self, value: Any) -> Any:
            if self._validate_args:
                self._validate_sample(value)
            return -self.width.log() - value / self.width

    p = Half(tg.ones(2))
    assert p.expand((3, 2)).log_prob(tg.ones(3, 2)).tolist() == [[-1.0, -1.0]] * 3
    with raises(
        ValueError, "Expected parameter width (Tensor of shape (2,)) of distribution Half("
    ):
        Half(-tg.ones(2))

    class Shifted(dist.Normal):
        def __init__(self, loc: Any) -> None:
            super().__init__(loc, 1.0)

    message = "Subclass Shifted of Normal that defines a custom __init__ method must also define"
    with raises(NotImplementedError, message):
        Shifted(tg.zeros(2)).expand((3, 2))

    class Expands(Shifted):
        def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
            new = self._get_checked_instance(Expands, _instance) if _instance else Expands(self.loc)
            return super().expand(batch_shape, new)

    assert Expands(tg.zeros(2)).expand((3, 2)).mean.shape == (3, 2)

    class Plain(dist.Normal):
        pass

    assert type(Plain(0.0, 1.0).expand((2,))) is Plain
    with pytest.warns(UserWarning, match="does not define `arg_constraints`"):
        dist.Distribution()

    class Unsupported(dist.Distribution):
        arg_constraints: Any = {}  # noqa: RUF012

    with pytest.warns(UserWarning, match="does not define `support`"):
        Unsupported()._validate_sample(tg.ones(1))


def test_what_is_given_is_a_leaf_of_the_graph() -> None:
    """Quantities that are kept are computed with derivatives, even under no_grad."""
    logits = tg.tensor([0.5, -1.0], requires_grad=True)
    p = dist.Bernoulli(logits=logits)
    with tg.no_grad():
        p.sample()
    p.probs.sum().backward()
    assert logits.grad is not None
    covariance = tg.eye(2).requires_grad_()
    q = dist.MultivariateNormal(tg.zeros(2), covariance)
    q.precision_matrix.sum().backward()
    assert covariance.grad is not None


def test_matrices_of_the_normal_distribution() -> None:
    covariance = tg.tensor(positive_definite(3, 2))
    loc = tg.zeros(3, dtype=tg.float64)
    given = dist.MultivariateNormal(loc, covariance)
    others = (
        dist.MultivariateNormal(loc, precision_matrix=tg.linalg.inv(covariance)),
        dist.MultivariateNormal(loc, scale_tril=tg.linalg.cholesky(covariance)),
    )
    for name in ("covariance_matrix", "precision_matrix", "scale_tril"):
        for other in others:
            np.testing.assert_allclose(
                array(getattr(given, name)), array(getattr(other, name)), atol=1e-12
            )
    factor = tg.tensor(a([[1.0], [2.0], [0.5]]))
    low = dist.LowRankMultivariateNormal(loc, factor, tg.ones(3, dtype=tg.float64))
    full = dist.MultivariateNormal(loc, low.covariance_matrix)
    for name in ("precision_matrix", "scale_tril", "variance"):
        np.testing.assert_allclose(
            array(getattr(low, name)), array(getattr(full, name)), atol=1e-12
        )


def test_numbers_far_out() -> None:
    """Logits of any size keep all digits of small probabilities."""
    far = tg.tensor([-60.0, 60.0], dtype=tg.float64)
    p = dist.Bernoulli(logits=far)
    likely = tg.tensor([0.0, 1.0], dtype=tg.float64)
    np.testing.assert_allclose(array(p.log_prob(likely)), [-np.exp(-60)] * 2)
    q = dist.Binomial(3, logits=far)
    np.testing.assert_allclose(array(q.log_prob(3 * likely)), [-3 * np.exp(-60)] * 2)
    assert dist.VonMises(0.0, 1e4).log_prob(tg.tensor(0.0)).isfinite()
    assert dist.Categorical(logits=tg.tensor([0.0, -np.inf])).entropy() == 0
    assert dist.Multinomial(2, logits=tg.tensor([0.0, -np.inf])).log_prob(
        tg.tensor([2.0, 0.0])
    ).item() == pytest.approx(0)
    assert dist.NegativeBinomial(0.0, tg.tensor(0.5)).log_prob(tg.tensor(0.0)) == 0


def test_continuous_bernoulli_near_one_half() -> None:
    """Neither digits nor derivatives are lost where formulas are quotients of small numbers."""
    quad = pytest.importorskip("scipy.integrate").quad
    for logit in (0.0, 1e-6, -5e-5, 2e-4, -3e-3, 0.05, 0.0999, -0.11, 30.0, -800.0):
        x = tg.tensor(logit, dtype=tg.float64, requires_grad=True)
        p = dist.ContinuousBernoulli(logits=x)
        size, scale = max(abs(logit), 1.0), 1.0 if logit <= 0 else np.exp(-logit)

        def moment(power: float, high: float = 1.0, x: float = logit, s: float = scale) -> float:
            return quad(lambda v: v**power * np.exp(x * v) * s, 0, high, epsabs=0, limit=500)[0]

        if size < 100:
            total = moment(0)
            mean = moment(1) / total
            assert p.mean.item() == pytest.approx(mean, rel=1e-9)
            assert p.variance.item() == pytest.approx(moment(2) / total - mean**2, rel=1e-7)
            at = tg.tensor(0.3, dtype=tg.float64)
            density = np.exp(logit * 0.3) * scale / total
            assert p.log_prob(at).item() == pytest.approx(np.log(density), rel=1e-9, abs=1e-9)
            assert p.cdf(at).item() == pytest.approx(moment(0, 0.3) / total, rel=1e-9)
            assert p.icdf(p.cdf(at)).item() == pytest.approx(0.3, rel=1e-8)
        for value in (p.mean, p.variance, p.cdf(at), p.icdf(at), p.log_prob(at), p.entropy()):
            (grad,) = tg.autograd.grad(value, x, retain_graph=True)
            assert value.isfinite() and grad.isfinite()
        if size < 100:
            (grad,) = tg.autograd.grad(p.mean, x, retain_graph=True)
            assert grad.item() == pytest.approx(p.variance.item(), rel=1e-6)
            (grad,) = tg.autograd.grad(p._log_normalizer(x), x)
            assert grad.item() == pytest.approx(p.mean.item(), rel=1e-9)
    assert (dist.ContinuousBernoulli(tg.linspace(0.49, 0.51, 101)).variance > 0.083).all()


def test_utils() -> None:
    utils = dist.utils
    for diag in (-2, -1, 0):
        vector = tg.arange(float(sum(max(i + 1 + diag, 0) for i in range(4)))).repeat(2, 1)
        matrix = utils.vec_to_tril_matrix(vector, diag)
        assert matrix.shape == (2, 4, 4)
        assert utils.tril_matrix_to_vec(matrix, diag).equal(vector)
    probs = tg.tensor([0.2, 0.3, 0.5])
    logits = utils.probs_to_logits(probs)
    assert tg.allclose(utils.logits_to_probs(logits), probs)
    assert tg.allclose(utils.logits_to_probs(utils.probs_to_logits(probs, True), True), probs)
    assert utils.probs_to_logits(tg.tensor([0.0, 1.0])).isfinite().all()
    assert [x.dtype for x in utils.broadcast_all(1, tg.ones(2, dtype=tg.float64))] == [
        tg.float64
    ] * 2
    assert isinstance(dist.Bernoulli.probs, utils.lazy_property)


def test_modules_have_the_names_of_pytorch() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch, the oracle, is not installed")
    assert set(torch.distributions.__all__) <= set(dist.__all__)
    for name in torch.distributions.__all__:
        module = getattr(torch.distributions, name).__module__
        if module.startswith("torch.distributions."):
            ours = importlib.import_module(module.replace("torch", "tapegrad"))
            assert hasattr(ours, name), module
    for name in ("constraints", "transforms"):
        theirs = getattr(torch.distributions, name).__all__
        assert sorted(theirs) == sorted(getattr(dist, name).__all__)


def test_sample_n_is_deprecated() -> None:
    with pytest.warns(FutureWarning, match=r"`sample_n\(n\)` will be deprecated"):
        assert dist.Normal(0.0, 1.0).sample_n(3).shape == (3,)


def test_low_degrees_of_freedom() -> None:
    with pytest.warns(UserWarning, match="Low df values detected"):
        dist.Wishart(tg.tensor(1.5), tg.eye(2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dist.Wishart(3, tg.eye(2))
