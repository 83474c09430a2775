"""Draws: shapes, moments, the whole distribution, and gradients through them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tapegrad as tg
from distribution_rows import ROWS, Row, a, each
from support import array, raises
from tapegrad import distributions as dist

N = 20_000


@each()
def test_shapes(row: Row) -> None:
    p = row.make(tg)
    whole = p.batch_shape + p.event_shape
    assert p.sample().shape == whole
    assert p.sample((4, 2)).shape == (4, 2, *whole)
    assert p.sample([3]).shape == (3, *whole)
    assert p.sample((0,)).shape == (0, *whole)
    if p.has_rsample:
        assert p.rsample((4, 2)).shape == (4, 2, *whole)
    else:
        with raises(NotImplementedError):
            p.rsample()


@each()
def test_draws_are_in_the_support(row: Row) -> None:
    p = row.make(tg)
    draws = p.sample((500,))
    assert p.log_prob(draws).isfinite().all()  # which validates them


@each()
def test_draws_have_no_derivative_and_rsample_has(row: Row) -> None:
    params = row.tensors(tg, requires_grad=True)
    p = row.make(tg, params)
    assert not p.sample((2,)).requires_grad
    leaves = [x for x in params.values() if getattr(x, "requires_grad", False)]
    if p.has_rsample and leaves:
        draw = p.rsample((2,))
        assert draw.requires_grad
        for grad in tg.autograd.grad(draw.square().sum(), leaves, allow_unused=True):
            assert grad is None or grad.isfinite().all()


@each()
def test_a_seed_gives_the_same_draws(row: Row) -> None:
    p = row.make(tg)
    tg.manual_seed(3)
    first = p.sample((5,))
    tg.manual_seed(3)
    assert p.sample((5,)).equal(first)
    assert not p.sample((50,)).equal(p.sample((50,)))


def moment(p: Any, name: str) -> Any:
    try:
        return array(getattr(p, name))
    except NotImplementedError:
        return None


@each()
def test_moments(row: Row) -> None:
    """The mean within five standard errors, where mean and variance are finite."""
    p = row.make(tg)
    mean, variance = moment(p, "mean"), moment(p, "variance")
    if mean is None or variance is None or row.name in ("VonMises", "Categorical"):
        return
    if row.name == "LogNormal":  # whose tail decides; its whole distribution is tested below
        return
    draws = array(p.sample((N,)))
    good = np.isfinite(mean) & np.isfinite(variance)
    error = np.sqrt(np.where(good, variance, 0) / N)
    assert (np.abs(draws.mean(0) - mean) <= 5 * error + 1e-9)[good].all()
    fourth = ((draws - draws.mean(0)) ** 4).mean(0) - draws.var(0) ** 2
    allowed = 6 * np.sqrt(fourth / N) + 1e-9
    tame = good & (allowed < 0.3 * np.where(good, variance, 1) + 1e-6)  # else the tails are heavy
    assert (np.abs(draws.var(0) - np.where(good, variance, 0)) <= allowed)[tame].all()


@each([row for row in ROWS if row.scipy and not row.discrete and row.name != "Wishart"])
def test_kolmogorov_smirnov(row: Row) -> None:
    stats = pytest.importorskip("scipy.stats")
    p = row.make(tg)
    if p.event_shape:
        return
    draws = array(p.sample((2000,)))
    for i in range(draws.shape[-1]):
        one = row.scipy(stats, **{k: v[..., i] for k, v in row.params.items()})
        if row.name == "VonMises":  # SciPy's distribution function goes on outside of the circle
            centre = row.params["loc"][i]
            shifted = (draws[:, i] - centre + np.pi) % (2 * np.pi) - np.pi
            one, draws[:, i] = stats.vonmises(row.params["concentration"][i]), shifted
        assert stats.kstest(draws[:, i], one.cdf).pvalue > 1e-3, i


@each([row for row in ROWS if row.scipy is None and row.id not in ("Normal-numbers",)])
def test_own_distribution_function(row: Row) -> None:
    """Draws through ``cdf`` are uniform, where SciPy has no such family."""
    stats = pytest.importorskip("scipy.stats")
    p = row.make(tg)
    if row.discrete or p.event_shape:
        return
    draws = p.sample((2000,))
    try:
        uniform = array(p.cdf(draws)).reshape(2000, -1)
    except NotImplementedError:
        return
    for column in uniform.T:
        assert stats.kstest(column, "uniform").pvalue > 1e-3


@each([row for row in ROWS if row.discrete and row.name != "Multinomial"])
def test_chi_square(row: Row) -> None:
    stats = pytest.importorskip("scipy.stats")
    p = row.make(tg)
    if p.has_enumerate_support and row.id != "Binomial-logits":
        values = p.enumerate_support()
    else:
        values = tg.arange(0.0, 60.0, dtype=tg.float64).reshape(-1, *[1] * len(p.batch_shape))
        values = values.expand(60, *p.batch_shape)
    log_prob = type(p).log_prob
    p._validate_args = False  # some values are above the bound of one of the batch
    expected = array(log_prob(p, values).exp())
    p._validate_args = True
    expected = np.nan_to_num(expected).reshape(len(expected), -1) * N
    draws = p.sample((N,))
    hits = draws.unsqueeze(0) == values.unsqueeze(1)
    if p.event_shape:
        hits = hits.all(-1)
    found = array(hits.sum(1)).reshape(len(expected), -1)
    for want, got in zip(expected.T, found.T):
        often = want > 5
        want, got = (np.append(x[often], N - x[often].sum()) for x in (want, got))
        if want[-1] < 5:  # too few for a class of their own
            want, got = (np.append(x[:-2], x[-2:].sum()) for x in (want, got))
        if len(want) > 1:
            assert stats.chisquare(got, want * N / want.sum()).pvalue > 1e-3


def test_multinomial_counts() -> None:
    p = dist.Multinomial(7, tg.tensor([[0.2, 0.8], [0.5, 0.5]]))
    draws = p.sample((N,))
    assert (draws.sum(-1) == 7).all()
    assert draws.dtype == tg.float32
    ones = tg.tensor([1.0, 0.0])
    assert dist.Multinomial(7, ones).sample((3,)).tolist() == [[7.0, 0.0]] * 3
    assert dist.Multinomial(0, ones).sample().tolist() == [0.0, 0.0]
    both = dist.Binomial(7, tg.tensor([0.2, 0.5])).entropy()
    np.testing.assert_allclose(array(p.entropy()), array(both), rtol=1e-5)


# Families whose draw is a quantile of noise or a simple function of it: the draw determines its
# own derivative, dx/dp = -(dF/dp) / (dF/dx).
@each([row for row in ROWS if row.make(tg).has_rsample and row.make(tg).event_shape == ()])
def test_gradients_of_draws(row: Row) -> None:
    params = row.tensors(tg, requires_grad=True)
    p = row.make(tg, params)
    leaves = [x for x in params.values() if getattr(x, "requires_grad", False)]
    draw = p.rsample((7,))
    try:
        constant = draw.detach().requires_grad_()
        p.cdf(constant)
    except NotImplementedError:
        return
    if row.name in ("Gamma", "Chi2", "InverseGamma"):
        return  # igamma has no derivative in its first argument
    if not leaves:
        return
    probability = p.cdf(constant)
    density = p.log_prob(constant).exp()
    seed = tg.tensor(np.random.default_rng(0).standard_normal(tuple(draw.shape)))
    got = tg.autograd.grad((draw * seed).sum(), leaves, retain_graph=True)
    want = tg.autograd.grad((-probability / density.detach() * seed).sum(), leaves)
    for x, y in zip(got, want):
        np.testing.assert_allclose(array(x), array(y), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(
    "name, params",
    [
        ("Gamma", {"concentration": a(0.6, 2.0), "rate": a(1.5, 0.7)}),
        ("Chi2", {"df": a(1.5, 6.0)}),
        ("Beta", {"concentration1": a(0.6, 3.0), "concentration0": a(1.5, 2.0)}),
        ("Dirichlet", {"concentration": a([[0.6, 3.0, 1.0]])}),
        ("StudentT", {"df": a(9.0, 12.0), "loc": a(0.5, 0.0), "scale": a(1.0, 0.5)}),
        ("InverseGamma", {"concentration": a(9.0, 7.0), "rate": a(2.0, 1.0)}),
        ("FisherSnedecor", {"df1": a(5.0, 3.0), "df2": a(19.0, 15.0)}),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_mean_gradients_of_draws(name: str, params: dict[str, np.ndarray]) -> None:
    """The gradient of E[x^2], which the moments give, is the mean of those of the draws."""
    row = Row(name, params, 0)
    tensors = row.tensors(tg, requires_grad=True)
    p = row.make(tg, tensors)
    leaves = list(tensors.values())
    second = (p.variance + p.mean.square()).sum()
    want = tg.autograd.grad(second, leaves, allow_unused=True)
    parts = []
    for _ in range(20):
        mean = p.rsample((2000,)).square().mean(0).sum()
        parts.append([array(g) for g in tg.autograd.grad(mean, leaves)])
    for i, y in enumerate(want):
        found = np.stack([part[i] for part in parts])
        error = found.std(0) / np.sqrt(len(parts)) + 1e-9
        exact = 0 if y is None else array(y)
        assert (np.abs(found.mean(0) - exact) < 5 * error).all()


def test_gradients_of_multivariate_draws() -> None:
    """The covariance of the draws has the derivative one in the covariance."""
    given = tg.tensor([[2.0, 0.5], [0.5, 1.0]], dtype=tg.float64)
    weight = tg.tensor([[1.0, 2.0], [2.0, -1.0]], dtype=tg.float64)
    tg.manual_seed(0)
    for make in (
        lambda x: dist.MultivariateNormal(tg.zeros(2, dtype=tg.float64), x),
        lambda x: dist.Wishart(tg.tensor(3.0, dtype=tg.float64), x),
    ):
        covariance = given.clone().requires_grad_()
        p = make(covariance)
        draws = p.rsample((N,))
        if p.event_shape == (2,):
            draws = draws.unsqueeze(-1) @ draws.unsqueeze(-2)
        else:
            draws = draws / 3
        ((draws * weight).sum((-1, -2)).mean()).backward()
        np.testing.assert_allclose(array(covariance.grad), array(weight), atol=0.1)


def test_straight_through() -> None:
    logits = tg.tensor([0.5, -1.0, 0.0], dtype=tg.float64, requires_grad=True)
    weight = tg.tensor([1.0, 2.0, 4.0], dtype=tg.float64)
    draw = dist.OneHotCategoricalStraightThrough(logits=logits).rsample()
    (got,) = tg.autograd.grad((draw * weight).sum(), logits)
    (want,) = tg.autograd.grad((logits.softmax(-1) * weight).sum(), logits)
    np.testing.assert_allclose(array(got), array(want))


def test_correlations() -> None:
    """Of 3 x 3 correlation matrices each element of r has E[r^2] = 1 / (2 * concentration + 2)."""
    for concentration in (0.5, 3.0):
        factor = dist.LKJCholesky(3, concentration).sample((N,))
        r = factor @ factor.mT
        mean = array(r.square().mean(0))
        off = mean[~np.eye(3, dtype=bool)]
        np.testing.assert_allclose(off, 1 / (2 * concentration + 2), rtol=0.05)
        np.testing.assert_allclose(np.diag(mean), 1, rtol=1e-5)


def test_circular_moments() -> None:
    for concentration in (1e-6, 0.5, 20.0):
        p = dist.VonMises(tg.tensor(1.0), tg.tensor(concentration))
        draws = p.sample((N,))
        assert (draws >= -np.pi).all() and (draws < np.pi).all()
        assert (draws - 1).cos().mean().item() == pytest.approx(1 - p.variance.item(), abs=0.03)


def test_covariances() -> None:
    for row in ROWS:
        if row.name in ("MultivariateNormal", "LowRankMultivariateNormal"):
            p = row.make(tg)
            draws = p.sample((N,)) - p.mean
            found = array((draws.unsqueeze(-1) * draws.unsqueeze(-2)).mean(0))
            want = array(p.covariance_matrix)
            np.testing.assert_allclose(found, want, atol=0.06 * np.abs(want).max())


def test_relaxations_become_discrete() -> None:
    probs = tg.tensor([0.2, 0.3, 0.5])
    draws = dist.RelaxedOneHotCategorical(tg.tensor(0.01), probs).sample((N,))
    np.testing.assert_allclose(array(draws.mean(0)), array(probs), atol=0.02)
    assert (draws.max(-1).values > 0.99).float().mean() > 0.9
    bits = dist.RelaxedBernoulli(tg.tensor(0.01), probs).sample((N,))
    np.testing.assert_allclose(array(bits.mean(0)), array(probs), atol=0.02)


def test_weights_shared_by_a_batch_of_mixtures() -> None:
    weights = dist.Categorical(tg.tensor([0.25, 0.75]))
    means = tg.tensor([[0.0, 1.0], [10.0, 20.0]])
    draws = dist.MixtureSameFamily(weights, dist.Normal(means, 0.01)).sample((N,))
    np.testing.assert_allclose(array(draws.mean(0)), [0.75, 17.5], rtol=0.03)


def test_policy_gradient() -> None:
    """The score has mean zero, and weighted by rewards it points to the better action."""
    logits = tg.zeros(2, requires_grad=True)
    policy = dist.Categorical(logits=logits)
    actions = policy.sample((4000,))
    reward = actions.float()
    (-(policy.log_prob(actions) * reward).mean()).backward()
    assert logits.grad is not None
    np.testing.assert_allclose(array(logits.grad), [0.25, -0.25], atol=0.02)
