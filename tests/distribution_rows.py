"""A row for each family: parameters, values, and SciPy's distribution where there is one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest


@dataclass
class Row:
    """One family with parameters of some batch shape.

    `params` are arrays, which become tensors, or what is passed on as it is. `value` lies in the
    support. `scipy` takes the module and the parameters. `build` replaces the plain call.
    `differs` names what is not as in PyTorch, and why.
    """

    name: str
    params: dict[str, Any]
    value: Any
    scipy: Callable[..., Any] | None = None
    build: Callable[..., Any] | None = None
    id: str = ""
    discrete: bool = False
    differs: dict[str, str] = field(default_factory=dict)

    def tensors(self, lib: Any, requires_grad: bool = False) -> dict[str, Any]:
        """The parameters as tensors."""
        made = {}
        for key, value in self.params.items():
            if isinstance(value, np.ndarray):
                value = lib.from_numpy(value.copy())
                if requires_grad and value.is_floating_point():
                    value.requires_grad_()
            made[key] = value
        return made

    def make(self, lib: Any, tensors: dict[str, Any] | None = None, **options: Any) -> Any:
        """The distribution."""
        tensors = self.tensors(lib) if tensors is None else tensors
        if self.build is not None:
            return self.build(lib.distributions, **tensors)
        return getattr(lib.distributions, self.name)(**tensors, **options)

    def values(self, lib: Any, requires_grad: bool = False) -> Any:
        value = lib.from_numpy(np.array(self.value, dtype=np.float64))
        if requires_grad and not self.discrete:
            value.requires_grad_()
        return value


def a(*values: Any) -> np.ndarray:
    return np.array(values[0] if len(values) == 1 else values, dtype=np.float64)


def positive_definite(n: int, *batch: int, seed: int = 0) -> np.ndarray:
    x = np.random.default_rng(seed).standard_normal((*batch, n, n))
    return x @ np.swapaxes(x, -1, -2) + n * np.eye(n)


LOC, SCALE = a(0.5, -1.0, 2.0), a(0.7, 1.0, 3.0)
BATCH_LOC, COLUMN = a(np.linspace(-1, 1, 6).reshape(2, 3)), a([[0.5], [2.0]])
REAL = a([[0.3, -2.0, 4.0], [1.1, 0.2, -0.5]])
POSITIVE = a([[0.3, 2.0, 4.0], [1.1, 0.2, 0.5]])
UNIT = a([[0.3, 0.9, 0.05], [0.5, 0.2, 0.75]])
PROBS = a(0.2, 0.5, 0.9)
LOGITS = a(-1.0, 0.3, 2.5)
BITS = a([[0, 1, 1], [1, 0, 0]])
COUNTS = a([[0, 3, 2], [4, 1, 5]])
WEIGHTS = a([[0.2, 0.3, 0.5], [1.0, 4.0, 5.0]])
SCORES = a([[0.5, -1.0, 2.0], [0.0, 0.0, 1.0]])
INDEX = a([[0, 2], [1, 1], [2, 0]])
ONE_HOT = np.eye(3)[[2, 0]]
SIMPLEX = a([[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]])
VECTORS = a([[0.3, -1.0, 2.0], [0.0, 0.5, 1.0]])

ROWS = [
    Row("Normal", {"loc": LOC, "scale": SCALE}, REAL, lambda s, loc, scale: s.norm(loc, scale)),
    Row("Normal", {"loc": BATCH_LOC, "scale": COLUMN}, REAL, id="Normal-broadcast"),
    Row("Normal", {"loc": 0.5, "scale": 2.0}, a(0.3), id="Normal-numbers"),
    Row(
        "LogNormal",
        {"loc": LOC, "scale": SCALE},
        POSITIVE,
        lambda s, loc, scale: s.lognorm(scale, scale=np.exp(loc)),
    ),
    Row("HalfNormal", {"scale": SCALE}, POSITIVE, lambda s, scale: s.halfnorm(scale=scale)),
    Row("Cauchy", {"loc": LOC, "scale": SCALE}, REAL, lambda s, loc, scale: s.cauchy(loc, scale)),
    Row("HalfCauchy", {"scale": SCALE}, POSITIVE, lambda s, scale: s.halfcauchy(scale=scale)),
    Row("Laplace", {"loc": LOC, "scale": SCALE}, REAL, lambda s, loc, scale: s.laplace(loc, scale)),
    Row(
        "Uniform",
        {"low": a(-3.0, 0.0, -1.0), "high": a(2.0, 0.5, 5.0)},
        a(0.3, 0.2, 4.0),
        lambda s, low, high: s.uniform(low, high - low),
    ),
    Row("Exponential", {"rate": SCALE}, POSITIVE, lambda s, rate: s.expon(scale=1 / rate)),
    Row(
        "Gamma",
        {"concentration": a(0.5, 1.0, 4.0), "rate": SCALE},
        POSITIVE,
        lambda s, concentration, rate: s.gamma(concentration, scale=1 / rate),
    ),
    Row("Chi2", {"df": a(0.5, 1.0, 4.0)}, POSITIVE, lambda s, df: s.chi2(df)),
    Row(
        "InverseGamma",
        {"concentration": a(0.5, 1.5, 4.0), "rate": SCALE},
        POSITIVE,
        lambda s, concentration, rate: s.invgamma(concentration, scale=rate),
    ),
    Row(
        "Beta",
        {"concentration1": a(0.5, 2.0, 4.0), "concentration0": a(0.7, 3.0, 1.5)},
        UNIT,
        lambda s, concentration1, concentration0: s.beta(concentration1, concentration0),
    ),
    Row(
        "Kumaraswamy",
        {"concentration1": a(0.5, 2.0, 4.0), "concentration0": a(0.7, 3.0, 1.5)},
        UNIT,
        differs={"mode": "PyTorch gives NaN where both concentrations are above 1"},
    ),
    Row("Dirichlet", {"concentration": a([[0.5, 2.0, 3.0], [1.5, 1.0, 4.0]])}, SIMPLEX),
    Row(
        "StudentT",
        {"df": a(0.5, 1.5, 5.0), "loc": LOC, "scale": SCALE},
        REAL,
        lambda s, df, loc, scale: s.t(df, loc, scale),
    ),
    Row(
        "FisherSnedecor",
        {"df1": a(1.0, 3.0, 5.0), "df2": a(2.5, 5.0, 7.0)},
        POSITIVE,
        lambda s, df1, df2: s.f(df1, df2),
    ),
    Row("Gumbel", {"loc": LOC, "scale": SCALE}, REAL, lambda s, loc, scale: s.gumbel_r(loc, scale)),
    Row(
        "Weibull",
        {"scale": SCALE, "concentration": a(0.5, 1.0, 3.0)},
        POSITIVE,
        lambda s, scale, concentration: s.weibull_min(concentration, scale=scale),
        differs={"mode": "PyTorch gives the scale where the density is infinite at zero"},
    ),
    Row(
        "Pareto",
        {"scale": SCALE, "alpha": a(0.5, 1.5, 3.0)},
        POSITIVE + a(1.0, 1.0, 3.0),
        lambda s, scale, alpha: s.pareto(alpha, scale=scale),
    ),
    Row(
        "GeneralizedPareto",
        {"loc": LOC, "scale": SCALE, "concentration": a(0.3, 0.0, -0.5)},
        LOC + a([[0.3, 2.0, 4.0], [1.1, 0.2, 0.5]]),
        lambda s, loc, scale, concentration: s.genpareto(concentration, loc, scale),
    ),
    Row(
        "VonMises",
        {"loc": LOC, "concentration": a(0.5, 3.0, 20.0)},
        REAL,
        lambda s, loc, concentration: s.vonmises(concentration, loc),
        differs={"digits": "PyTorch's Bessel functions are polynomials with errors of 1e-7"},
    ),
    Row("ContinuousBernoulli", {"probs": PROBS}, UNIT),
    Row("ContinuousBernoulli", {"logits": LOGITS}, UNIT, id="ContinuousBernoulli-logits"),
    Row("Bernoulli", {"probs": PROBS}, BITS, lambda s, probs: s.bernoulli(probs), discrete=True),
    Row("Bernoulli", {"logits": LOGITS}, BITS, id="Bernoulli-logits", discrete=True),
    Row("Geometric", {"probs": PROBS}, COUNTS, lambda s, probs: s.geom(probs, -1), discrete=True),
    Row("Geometric", {"logits": LOGITS}, COUNTS, id="Geometric-logits", discrete=True),
    Row(
        "Binomial",
        {"total_count": a(5), "probs": PROBS},
        COUNTS,
        lambda s, total_count, probs: s.binom(total_count, probs),
        discrete=True,
    ),
    Row(
        "Binomial",
        {"total_count": a(5, 6, 5), "logits": LOGITS},
        COUNTS,
        id="Binomial-logits",
        discrete=True,
    ),
    Row(
        "NegativeBinomial",
        {"total_count": a(0.5, 5, 3), "probs": PROBS},
        COUNTS,
        lambda s, total_count, probs: s.nbinom(total_count, 1 - probs),
        discrete=True,
    ),
    Row(
        "NegativeBinomial",
        {"total_count": a(5), "logits": LOGITS},
        COUNTS,
        id="NegativeBinomial-logits",
        discrete=True,
    ),
    Row("Poisson", {"rate": SCALE}, COUNTS, lambda s, rate: s.poisson(rate), discrete=True),
    Row("Categorical", {"probs": WEIGHTS}, INDEX, discrete=True),
    Row("Categorical", {"logits": SCORES}, INDEX, id="Categorical-logits", discrete=True),
    Row("OneHotCategorical", {"probs": WEIGHTS}, ONE_HOT, discrete=True),
    Row("OneHotCategorical", {"logits": SCORES}, ONE_HOT, id="OneHot-logits", discrete=True),
    Row("OneHotCategoricalStraightThrough", {"probs": WEIGHTS}, ONE_HOT, discrete=True),
    Row(
        "Multinomial",
        {"total_count": 4, "probs": WEIGHTS},
        a([[1, 2, 1], [0, 0, 4]]),
        discrete=True,
    ),
    Row(
        "Multinomial",
        {"total_count": 4, "logits": SCORES},
        a([[1, 2, 1], [0, 0, 4]]),
        id="Multinomial-logits",
        discrete=True,
    ),
    Row("RelaxedBernoulli", {"temperature": a(0.7), "probs": PROBS}, UNIT),
    Row("RelaxedBernoulli", {"temperature": a(0.7), "logits": LOGITS}, UNIT, id="Relaxed-logits"),
    Row(
        "LogitRelaxedBernoulli",
        {"temperature": a(0.7), "probs": PROBS},
        REAL,
        build=lambda d, **p: d.relaxed_bernoulli.LogitRelaxedBernoulli(**p),
        differs={"has_rsample": "PyTorch has forgotten to say that there is rsample"},
    ),
    Row("RelaxedOneHotCategorical", {"temperature": a(0.7), "probs": WEIGHTS}, SIMPLEX),
    Row(
        "RelaxedOneHotCategorical",
        {"temperature": a(0.7), "logits": SCORES},
        SIMPLEX,
        id="RelaxedOneHot-logits",
    ),
    Row(
        "ExpRelaxedCategorical",
        {"temperature": a(0.7), "probs": WEIGHTS},
        np.log(SIMPLEX),
        build=lambda d, **p: d.relaxed_categorical.ExpRelaxedCategorical(**p),
        differs={"repr": "PyTorch's shows no parameters"},
    ),
    Row("LogisticNormal", {"loc": LOC[:2], "scale": SCALE[:2]}, SIMPLEX),
    Row(
        "LogisticNormal",
        {"loc": BATCH_LOC, "scale": COLUMN},
        a([[0.2, 0.3, 0.4, 0.1], [0.6, 0.2, 0.1, 0.1]]),
        id="LogisticNormal-batch",
    ),
    Row(
        "MultivariateNormal",
        {"loc": LOC, "covariance_matrix": positive_definite(3)},
        VECTORS,
        lambda s, loc, covariance_matrix: s.multivariate_normal(loc, covariance_matrix),
    ),
    Row(
        "MultivariateNormal",
        {"loc": BATCH_LOC, "precision_matrix": positive_definite(3)},
        VECTORS,
        id="MultivariateNormal-precision",
    ),
    Row(
        "MultivariateNormal",
        {"loc": BATCH_LOC, "scale_tril": np.tril(positive_definite(3, 2, 1))},
        a(np.linspace(-2, 1, 24).reshape(4, 2, 1, 3)),
        id="MultivariateNormal-scale",
    ),
    Row(
        "LowRankMultivariateNormal",
        {"loc": BATCH_LOC, "cov_factor": a([[1.0, 0.5], [0.3, -2], [0, 1]]), "cov_diag": SCALE},
        VECTORS,
    ),
    Row(
        "LowRankMultivariateNormal",
        {
            "loc": LOC,
            "cov_factor": a(np.linspace(-1, 1, 6).reshape(2, 3, 1)),
            "cov_diag": np.abs(BATCH_LOC) + 1,
        },
        a(np.linspace(-2, 1, 24).reshape(4, 2, 3)),
        id="LowRank-batch",
    ),
    Row(
        "Wishart",
        {"df": a(5.0, 3.5), "covariance_matrix": positive_definite(3)},
        positive_definite(3, 2, seed=1),
    ),
    Row(
        "Wishart",
        {"df": a(4.0), "precision_matrix": positive_definite(2)},
        positive_definite(2, 4, seed=1),
        lambda s, df, precision_matrix: s.wishart(float(df), np.linalg.inv(precision_matrix)),
        id="Wishart-precision",
    ),
    Row(
        "Wishart",
        {"df": a(4.0), "scale_tril": np.tril(positive_definite(2))},
        positive_definite(2, 4, seed=1),
        id="Wishart-scale",
        differs={"gradient": "PyTorch's is not zero above the diagonal"},
    ),
    Row(
        "LKJCholesky",
        {"dim": 3, "concentration": a(0.5, 2.0)},
        np.linalg.cholesky(a([[1, 0.5, 0.2], [0.5, 1, -0.3], [0.2, -0.3, 1]])),
    ),
    Row(
        "Independent",
        {"loc": BATCH_LOC, "scale": COLUMN},
        REAL,
        build=lambda d, **p: d.Independent(d.Normal(**p), 1),
    ),
    Row(
        "MixtureSameFamily",
        {"weights": WEIGHTS, "loc": BATCH_LOC, "scale": COLUMN},
        a([[0.3], [1.0], [-2.0]]),
        build=lambda d, weights, **p: d.MixtureSameFamily(d.Categorical(weights), d.Normal(**p)),
        differs={"repr": "PyTorch's shows the logits as soon as the shapes are compared"},
    ),
    Row(
        "MixtureSameFamily",
        {"weights": SCORES[0], "loc": a(np.linspace(-1, 1, 6).reshape(3, 2)), "scale": COLUMN[0]},
        VECTORS[:, :2],
        build=lambda d, weights, **p: d.MixtureSameFamily(
            d.Categorical(logits=weights), d.Independent(d.Normal(**p), 1)
        ),
        id="Mixture-vectors",
    ),
    Row(
        "MixtureSameFamily",
        {"weights": WEIGHTS[0], "rate": SCALE},
        a(0, 3, 2, 7),
        build=lambda d, weights, rate: d.MixtureSameFamily(d.Categorical(weights), d.Poisson(rate)),
        id="Mixture-Poisson",
        discrete=True,
        differs={"repr": "PyTorch's shows the logits as soon as the shapes are compared"},
    ),
    Row(
        "TransformedDistribution",
        {"loc": LOC, "scale": SCALE},
        UNIT,
        build=lambda d, loc, scale: d.TransformedDistribution(
            d.Normal(loc, scale), [d.AffineTransform(1.0, -2.0), d.SigmoidTransform()]
        ),
    ),
    Row(
        "TransformedDistribution",
        {"loc": BATCH_LOC, "scale": COLUMN},
        a([[[0.3, 1.0, 0.4]], [[2.0, 0.1, 5.0]]]),
        build=lambda d, loc, scale: d.TransformedDistribution(
            d.Normal(loc, scale), [d.ExpTransform(), d.ReshapeTransform((3,), (1, 3))]
        ),
        id="Transformed-reshape",
    ),
]


def each(rows: list[Row] = ROWS) -> Any:
    """Parametrises a test with the rows."""
    return pytest.mark.parametrize("row", rows, ids=[row.id or row.name for row in rows])
