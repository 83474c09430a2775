"""Kullback-Leibler divergences, by the classes of both distributions."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

from .. import _C, linalg
from .._C import Tensor
from .bernoulli import Bernoulli
from .beta import Beta
from .binomial import Binomial
from .categorical import Categorical
from .cauchy import Cauchy
from .continuous_bernoulli import ContinuousBernoulli
from .dirichlet import Dirichlet
from .distribution import Distribution
from .exp_family import ExponentialFamily
from .exponential import Exponential
from .gamma import Gamma
from .geometric import Geometric
from .gumbel import Gumbel
from .half_normal import HalfNormal
from .independent import Independent
from .laplace import Laplace
from .lowrank_multivariate_normal import LowRankMultivariateNormal, low_rank_distance
from .multivariate_normal import MultivariateNormal, half_log_det, squared_distance
from .normal import Normal
from .one_hot_categorical import OneHotCategorical
from .pareto import Pareto
from .poisson import Poisson
from .transformed_distribution import TransformedDistribution
from .uniform import Uniform
from .utils import HALF_LOG_2PI, euler_constant, sum_rightmost
from .wishart import Wishart

__all__ = ["kl_divergence", "register_kl"]

Divergence = Callable[[Any, Any], Tensor]
F = TypeVar("F", bound=Divergence)

_KL_REGISTRY: dict[tuple[type, type], Divergence] = {}
_found: dict[tuple[type, type], Divergence | None] = {}


def register_kl(type_p: type, type_q: type) -> Callable[[F], F]:
    """Decorates a function ``(p, q) -> Tensor`` that gives the divergence for two classes.

    It serves subclasses as well; the most specific function wins, and the class of p counts
    before that of q.

    Args:
        type_p: a subclass of Distribution, or another class that distributions derive from.
        type_q: the same.

    Raises:
        TypeError: if one is no class.

    Example:
        >>> import tapegrad
        >>> from tapegrad.distributions import Cauchy, Normal, kl_divergence, register_kl
        >>> class Wide(Cauchy):
        ...     pass
        >>> @register_kl(Wide, Normal)
        ... def wide_normal(p, q):
        ...     return tapegrad.full_like(p.loc, float("inf"))
        >>> kl_divergence(Wide(0.0, 1.0), Normal(0.0, 1.0))
        tensor(inf)
    """
    for name, kind in (("type_p", type_p), ("type_q", type_q)):
        if not isinstance(kind, type):
            raise TypeError(f"Expected {name} to be a Distribution subclass but got {kind}")

    def decorate(function: F) -> F:
        _KL_REGISTRY[type_p, type_q] = function
        _found.clear()
        return function

    return decorate


def _find(type_p: type, type_q: type) -> Divergence | None:
    """The most specific function of two classes."""
    matches = [
        (type_p.__mro__.index(a), type_q.__mro__.index(b), a, b)
        for a, b in _KL_REGISTRY
        if issubclass(type_p, a) and issubclass(type_q, b)
    ]
    if not matches:
        return None
    _, _, p_first, its_q = min(matches, key=lambda m: m[:2])
    _, _, its_p, q_first = min(matches, key=lambda m: (m[1], m[0]))
    left, right = _KL_REGISTRY[p_first, its_q], _KL_REGISTRY[its_p, q_first]
    if left is not right:
        warnings.warn(
            f"Ambiguous kl_divergence({type_p.__name__}, {type_q.__name__}). "
            f"Please register_kl({p_first.__name__}, {q_first.__name__})",
            RuntimeWarning,
            stacklevel=3,
        )
    return left


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """The Kullback-Leibler divergence ``E_p[log p(x) - log q(x)]``.

    Args:
        p: the distribution over which the mean is taken.
        q: the other one.

    Returns:
        A tensor of the batch shape of both, infinite where p has values that q has not.

    Raises:
        NotImplementedError: if no formula is registered for the classes.

    Example:
        >>> import tapegrad
        >>> from tapegrad.distributions import Normal, kl_divergence
        >>> kl_divergence(Normal(1.0, 1.0), Normal(0.0, 1.0))
        tensor(0.5000)
    """
    key = type(p), type(q)
    if key not in _found:
        _found[key] = _find(*key)
    function = _found[key]
    if function is None:
        raise NotImplementedError(
            f"No KL(p || q) is implemented for p type {type(p).__name__} and q type "
            f"{type(q).__name__}"
        )
    return function(p, q)


def _mean_log(p: Any) -> Tensor:
    """``E_p[log x]``."""
    if isinstance(p, Beta):
        a, b = p.concentration1, p.concentration0
        return _C.digamma(a) - _C.digamma(a + b)
    if isinstance(p, Exponential):
        return -euler_constant - p.rate.log()
    if isinstance(p, Pareto):
        return p.scale.log() + p.alpha.reciprocal()
    if isinstance(p, Gamma):
        return _C.digamma(p.concentration) - p.rate.log()
    return _mean_log_between(p.low, p.high)


def _mean_log_between(low: Tensor, high: Tensor) -> Tensor:
    """``E[log x]`` of x uniform between two numbers that are not negative."""
    return (_C.xlogy(high, high) - _C.xlogy(low, low)) / (high - low) - 1


def _laplace_transform(p: Any, t: Tensor) -> Tensor:
    """``E_p[exp(-t x)]`` for positive t."""
    if isinstance(p, Exponential):
        return p.rate / (p.rate + t)
    if isinstance(p, Gamma):
        return (p.rate / (p.rate + t)).pow(p.concentration)
    if isinstance(p, Gumbel):
        return (_C.lgamma(1 + t * p.scale) - t * p.loc).exp()
    if isinstance(p, Normal):
        return (0.5 * (t * p.scale).square() - t * p.loc).exp()
    return ((-t * p.low).exp() - (-t * p.high).exp()) / (t * (p.high - p.low))


def _mean_distance(p: Any, centre: Tensor) -> Tensor:
    """``E_p[|x - centre|]``."""
    d = p.loc - centre
    if isinstance(p, Laplace):
        return d.abs() + p.scale * (-d.abs() / p.scale).exp()
    z = d / p.scale
    density = (-0.5 * z.square()).exp() * math.sqrt(2 / math.pi)
    return p.scale * density + d * (z * math.sqrt(0.5)).erf()


def _log_bernoulli(p: Any, q: ContinuousBernoulli) -> Tensor:
    return p.mean * q.logits + (-q.probs).log1p() + q._cont_bern_log_norm()


def _log_gumbel(p: Any, q: Gumbel) -> Tensor:
    rate = q.scale.reciprocal()
    growth = (q.loc * rate).exp() * _laplace_transform(p, rate)
    return -q.scale.log() - (p.mean - q.loc) * rate - growth


def _log_wishart(p: Wishart, q: Wishart) -> Tensor:
    n = p.event_shape[-1]
    factor_p, factor_q = p._unbroadcasted_scale_tril, q._unbroadcasted_scale_tril
    mean_log_det = (
        _C.digamma(0.5 * p._degrees()).sum(-1) + n * math.log(2) + 2 * half_log_det(factor_p)
    )
    trace = linalg.solve_triangular(factor_q, factor_p, upper=False).square().sum((-2, -1))
    return (
        0.5 * (q.df - n - 1) * mean_log_det
        - 0.5 * p.df * trace
        - q.df * (0.5 * n * math.log(2) + half_log_det(factor_q))
        - q._log_gamma()
    )


# E_p[log q(x)] for each class of q.
_MEAN_LOG_DENSITY: dict[type, Divergence] = {
    Beta: lambda p, q: (
        (q.concentration1 - 1) * _mean_log(p)
        + (q.concentration0 - 1) * _mean_log_between(1 - p.high, 1 - p.low)
        - q._log_normalizer(q.concentration1, q.concentration0)
    ),
    ContinuousBernoulli: _log_bernoulli,
    Exponential: lambda p, q: q.rate.log() - q.rate * p.mean,
    Gamma: lambda p, q: (
        q.concentration * q.rate.log()
        - _C.lgamma(q.concentration)
        + (q.concentration - 1) * _mean_log(p)
        - q.rate * p.mean
    ),
    Geometric: lambda p, q: _C.special_xlog1py(p.mean, -q.probs) + q.probs.log(),
    Gumbel: _log_gumbel,
    Laplace: lambda p, q: -(2 * q.scale).log() - _mean_distance(p, q.loc) / q.scale,
    Normal: lambda p, q: (
        -HALF_LOG_2PI
        - q.scale.log()
        - (p.variance + (p.mean - q.loc).square()) / (2 * q.scale.square())
    ),
    Pareto: lambda p, q: q.alpha.log() + q.alpha * q.scale.log() - (q.alpha + 1) * _mean_log(p),
    Poisson: lambda p, q: _C.xlogy(p.mean, q.rate) - q.rate,
    Uniform: lambda p, q: -(q.high - q.low).log(),
    Wishart: _log_wishart,
}


def _from_moments(type_p: type, type_q: type) -> None:
    """Registers ``-entropy(p) - E_p[log q]``."""
    mean_log_density = _MEAN_LOG_DENSITY[type_q]

    @register_kl(type_p, type_q)
    def divergence(p: Any, q: Any) -> Tensor:
        kl = -p.entropy() - mean_log_density(p, q)
        outside = _outside(p, q)
        return kl if outside is None else _C.where(outside, math.inf, kl)


def _outside(p: Any, q: Any) -> Tensor | None:
    """Where p has values that q has not, of the pairs of which this depends on parameters."""
    if isinstance(q, Uniform):
        low, high = (p.low, p.high) if isinstance(p, Uniform) else (0, 1)
        return (q.low > low) | (q.high < high)
    if isinstance(q, Pareto):
        return p.low < q.scale
    if isinstance(p, Uniform):
        if isinstance(q, (Beta, ContinuousBernoulli)):
            return (p.low < 0) | (p.high > 1)
        if isinstance(q, (Exponential, Gamma)):
            return p.low < 0
    return None


# For each class of q those of p.
_DIVERGENCES: dict[type, tuple[type, ...]] = {
    Beta: (Uniform,),
    ContinuousBernoulli: (Beta, ContinuousBernoulli, Uniform),
    Exponential: (Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform),
    Gamma: (Beta, Exponential, Pareto, Uniform),
    Geometric: (Geometric,),
    Gumbel: (Exponential, Gamma, Gumbel, Normal, Uniform),
    Laplace: (Laplace, Normal),
    Normal: (
        Beta,
        ContinuousBernoulli,
        Exponential,
        Gamma,
        Gumbel,
        Laplace,
        Pareto,
        Uniform,
    ),
    Pareto: (Uniform,),
    Poisson: (Bernoulli,),
    Uniform: (Beta, ContinuousBernoulli, Uniform),
    Wishart: (Wishart,),
}
for _q, _ps in _DIVERGENCES.items():
    for _p in _ps:
        _from_moments(_p, _q)


def _infinite(p: Distribution, q: Distribution) -> Tensor:
    shape = _C.broadcast_shapes(p.batch_shape, q.batch_shape)
    return p.mean.new_full(shape, math.inf)


# For each class of p those of q that do not have all of its values, whatever the parameters.
_INFINITE: dict[type, tuple[type, ...]] = {
    Beta: (Pareto,),
    ContinuousBernoulli: (Pareto,),
    Exponential: (Beta, ContinuousBernoulli, Pareto, Uniform),
    Gamma: (Beta, ContinuousBernoulli, Pareto, Uniform),
    Gumbel: (Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform),
    Laplace: (Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform),
    Normal: (Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform),
    Pareto: (Beta, ContinuousBernoulli, Uniform),
    Poisson: (Bernoulli, Binomial),
}
for _p, _qs in _INFINITE.items():
    for _q in _qs:
        register_kl(_p, _q)(_infinite)


@register_kl(ExponentialFamily, ExponentialFamily)
def _exponential_families(p: Any, q: Any) -> Tensor:
    if type(p) is not type(q):
        raise NotImplementedError(
            "The cross KL-divergence between different exponential families cannot be computed "
            "using Bregman divergences"
        )
    p_normalizer, p_params, means = p._mean_statistics()
    q_params = q._natural_params
    result = q._log_normalizer(*q_params) - p_normalizer
    for eta_p, eta_q, mean in zip(p_params, q_params, means):
        result = result - sum_rightmost((eta_q - eta_p) * mean, len(q.event_shape))
    return result


def _bernoulli(p: Any, q: Any) -> Tensor:
    """The divergence of the probabilities of 1."""

    def of(p_prob: Tensor, p_logit: Tensor, q_prob: Tensor, q_logit: Tensor) -> Tensor:
        term = p_prob * (_C.log_sigmoid(p_logit) - _C.log_sigmoid(q_logit))
        return _C.where(p_prob == 0, 0.0, _C.where(q_prob == 0, math.inf, term))

    ones = of(p.probs, p.logits, q.probs, q.logits)
    return ones + of(1 - p.probs, -p.logits, 1 - q.probs, -q.logits)


register_kl(Bernoulli, Bernoulli)(_bernoulli)


@register_kl(Binomial, Binomial)
def _binomial(p: Binomial, q: Binomial) -> Tensor:
    if (p.total_count < q.total_count).any():
        raise NotImplementedError(
            "KL between Binomials where q.total_count > p.total_count is not implemented"
        )
    kl = p.total_count * _bernoulli(p, q)
    return _C.where(p.total_count > q.total_count, math.inf, kl)


def _categorical(p: Any, q: Any) -> Tensor:
    terms = p.probs * (p.logits - q.logits)
    terms = _C.where(q.probs == 0, math.inf, terms)
    return _C.where(p.probs == 0, 0.0, terms).sum(-1)


register_kl(Categorical, Categorical)(_categorical)
register_kl(OneHotCategorical, OneHotCategorical)(_categorical)


@register_kl(Beta, Beta)
def _beta(p: Beta, q: Beta) -> Tensor:
    return _dirichlet(p._dirichlet, q._dirichlet)


@register_kl(Dirichlet, Dirichlet)
def _dirichlet(p: Dirichlet, q: Dirichlet) -> Tensor:
    a, b = p.concentration, q.concentration
    total = a.sum(-1)
    norm = _C.lgamma(total) - _C.lgamma(b.sum(-1)) + (_C.lgamma(b) - _C.lgamma(a)).sum(-1)
    means = _C.digamma(a) - _C.digamma(total).unsqueeze(-1)
    return norm + ((a - b) * means).sum(-1)


@register_kl(Cauchy, Cauchy)
def _cauchy(p: Cauchy, q: Cauchy) -> Tensor:
    spread = (p.scale + q.scale).square() + (p.loc - q.loc).square()
    return spread.log() - (4 * p.scale * q.scale).log()


@register_kl(Gamma, Gamma)
def _gamma(p: Gamma, q: Gamma) -> Tensor:
    a, b = p.concentration, q.concentration
    return (
        b * (p.rate / q.rate).log()
        + _C.lgamma(b)
        - _C.lgamma(a)
        + (a - b) * _C.digamma(a)
        + (q.rate - p.rate) * (a / p.rate)
    )


@register_kl(HalfNormal, HalfNormal)
def _half_normal(p: HalfNormal, q: HalfNormal) -> Tensor:
    return _normal(p.base_dist, q.base_dist)


@register_kl(Normal, Normal)
def _normal(p: Normal, q: Normal) -> Tensor:
    ratio = (p.scale / q.scale).square()
    distance = ((p.loc - q.loc) / q.scale).square()
    return 0.5 * (ratio + distance - 1 - ratio.log())


@register_kl(Pareto, Pareto)
def _pareto(p: Pareto, q: Pareto) -> Tensor:
    ratio = q.alpha / p.alpha
    kl = q.alpha * (p.scale / q.scale).log() - ratio.log() + ratio - 1
    return _C.where(p.scale < q.scale, math.inf, kl)


@register_kl(Poisson, Poisson)
def _poisson(p: Poisson, q: Poisson) -> Tensor:
    return _C.xlogy(p.rate, p.rate / q.rate) - (p.rate - q.rate)


def _roots(p: Any) -> list[Tensor]:
    """Matrices whose products with their transposes sum up to the covariance."""
    if isinstance(p, LowRankMultivariateNormal):
        diagonal = p._unbroadcasted_cov_diag.sqrt().diag_embed()
        return [p._unbroadcasted_cov_factor, diagonal]
    return [p._unbroadcasted_scale_tril]


def _squares(x: Tensor) -> Tensor:
    return x.square().sum((-2, -1))


def _half_log_det_of(p: Any) -> Tensor:
    if isinstance(p, LowRankMultivariateNormal):
        return p._half_log_det()
    return half_log_det(p._unbroadcasted_scale_tril)


def _multivariate_normal(p: Any, q: Any) -> Tensor:
    if p.event_shape != q.event_shape:
        raise ValueError(
            "KL-divergence between two (Low Rank) Multivariate Normals with different event "
            "shapes cannot be computed"
        )
    x = q.loc - p.loc
    if isinstance(q, LowRankMultivariateNormal):
        factor, diag, tril = (
            q._unbroadcasted_cov_factor,
            q._unbroadcasted_cov_diag,
            q._capacitance_tril,
        )
        distance = low_rank_distance(factor, diag, x, tril)
        half = linalg.solve_triangular(tril, factor.mT / diag.unsqueeze(-2), upper=False)
        trace = sum(
            _squares(root / diag.sqrt().unsqueeze(-1)) - _squares(half @ root) for root in _roots(p)
        )
    else:
        tril = q._unbroadcasted_scale_tril
        distance = squared_distance(tril, x)
        trace = sum(
            _squares(linalg.solve_triangular(tril, root, upper=False)) for root in _roots(p)
        )
    volume = _half_log_det_of(q) - _half_log_det_of(p)
    return volume + 0.5 * (trace + distance - p.event_shape[0])


register_kl(MultivariateNormal, MultivariateNormal)(_multivariate_normal)
register_kl(MultivariateNormal, LowRankMultivariateNormal)(_multivariate_normal)
register_kl(LowRankMultivariateNormal, MultivariateNormal)(_multivariate_normal)
register_kl(LowRankMultivariateNormal, LowRankMultivariateNormal)(_multivariate_normal)


@register_kl(Independent, Independent)
def _independent(p: Independent, q: Independent) -> Tensor:
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise NotImplementedError(
            "The numbers of reinterpreted batch dimensions are not the same: "
            f"{p.reinterpreted_batch_ndims} and {q.reinterpreted_batch_ndims}"
        )
    return sum_rightmost(kl_divergence(p.base_dist, q.base_dist), p.reinterpreted_batch_ndims)


@register_kl(TransformedDistribution, TransformedDistribution)
def _transformed(p: TransformedDistribution, q: TransformedDistribution) -> Tensor:
    if p.transforms != q.transforms or p.event_shape != q.event_shape:
        raise NotImplementedError("The transforms of both distributions are not the same")
    return kl_divergence(p.base_dist, q.base_dist)
