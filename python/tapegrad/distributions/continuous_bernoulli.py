"""The continuous Bernoulli distribution."""

from __future__ import annotations

import math

from .. import _C
from .._C import Tensor
from . import constraints
from ._probs_or_logits import ProbsOrLogits
from .bernoulli import cross_entropy
from .exp_family import ExponentialFamily
from .utils import Shape, Value, clamp_probs, standard_uniform

__all__ = ["ContinuousBernoulli"]

# Below these logits differences of large numbers lose the digits that their polynomials keep.
SMALL = 0.1
# Below these logits the distribution function is 0 / 0, or almost so.
TINY = 1e-4


class ContinuousBernoulli(ProbsOrLogits, ExponentialFamily):
    """The density on [0, 1] that is proportional to the probabilities of Bernoulli.

    ``p(x) = C * probs ** x * (1 - probs) ** (1 - x)`` with
    ``C = 2 * atanh(1 - 2 * probs) / (1 - 2 * probs)``, and C = 2 where probs is 1/2

    Args:
        probs: the parameter in (0, 1); not the mean.
        logits: ``log(probs / (1 - probs))``, in place of `probs`.
        lims: between these `probs` polynomials take the place of quotients of small numbers, as
            they do near 1/2 in any case. Default: (0.499, 0.501).
        validate_args: check parameters and values. Default: as ``set_default_validate_args`` says.

    Raises:
        ValueError: if both or none of `probs` and `logits` are given, or do not satisfy their
            constraint.

    Shape:
        The parameter has the batch shape; an event is a number.

    Example:
        >>> import tapegrad
        >>> tapegrad.distributions.ContinuousBernoulli(tapegrad.tensor([0.5, 0.9])).mean
        tensor([0.5000, 0.6699])
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.unit_interval
    has_rsample = True
    _mean_carrier_measure = 0

    def __init__(
        self,
        probs: Value | None = None,
        logits: Value | None = None,
        lims: tuple[float, float] = (0.499, 0.501),
        validate_args: bool | None = None,
    ) -> None:
        self._set_numbers(probs, logits)
        self._lims = lims
        super().__init__(self.param_shape, validate_args=validate_args)
        if probs is not None:
            self._set_param(clamp_probs(self.probs), None)

    def _by_region(self) -> tuple[Tensor, Tensor, Tensor]:
        """Where formulas hold as they stand, logits for them there, and the logits."""
        probs, x = self.probs, self.logits
        inside = (probs > self._lims[0]) & (probs <= self._lims[1])
        outside = ~inside & (x.abs() >= SMALL)
        return outside, _C.where(outside, x, 1.0), x

    def _cont_bern_log_norm(self) -> Tensor:
        """The logarithm of C, which is ``x / tanh(x / 2)`` with the logits x."""
        outside, cut, x = self._by_region()
        x = x.square()
        taylor = math.log(2) + x * (1 / 12 - x * (7 / 1440 - x * (31 / 90720)))
        return _C.where(outside, (cut / (cut / 2).tanh()).log(), taylor)

    @property
    def mean(self) -> Tensor:
        outside, cut, x = self._by_region()
        formula = 0.5 + 0.5 / (cut / 2).tanh() - cut.reciprocal()
        square = x.square()
        taylor = 0.5 + x * (1 / 12 - square * (1 / 720 - square / 30240))
        return _C.where(outside, formula, taylor)

    @property
    def variance(self) -> Tensor:
        outside, cut, x = self._by_region()
        formula = cut.pow(-2) - (2 * (cut / 2).sinh()).pow(-2)
        x = x.square()
        taylor = 1 / 12 - x * (1 / 240 - x * (1 / 6048 - x / 172800))
        return _C.where(outside, formula, taylor)

    def rsample(self, sample_shape: Shape = ()) -> Tensor:
        return self.icdf(standard_uniform(self._extended_shape(sample_shape), self.probs))

    def _log_prob(self, value: Tensor) -> Tensor:
        return self._cont_bern_log_norm() - cross_entropy(self.logits, value)

    def _away_from_half(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Where the logits are not almost zero, whether they are positive, -|x|, and x itself."""
        x = self.logits
        away = x.abs() >= TINY
        return away, x > 0, -_C.where(away, x, 1.0).abs(), x

    def _cdf(self, value: Tensor) -> Tensor:
        # expm1(x * value) / expm1(x), written so that nothing grows.
        away, positive, y, x = self._away_from_half()
        formula = (y * value).expm1() / y.expm1()
        formula = formula * _C.where(positive, y * (1 - value), 0.0).exp()
        taylor = value - value * (1 - value) * x * (0.5 - x * (1 - 2 * value) / 12)
        return _C.where(away, formula, taylor).clamp(0, 1)

    def icdf(self, value: Tensor) -> Tensor:
        away, positive, y, x = self._away_from_half()
        found = (_C.where(positive, 1 - value, value) * y.expm1()).log1p() / y
        taylor = value + value * (1 - value) * x * (0.5 + x * (1 - 2 * value) / 6)
        return _C.where(away, _C.where(positive, 1 - found, found), taylor)

    def entropy(self) -> Tensor:
        carried = self.mean * self.logits + _C.log_sigmoid(-self.logits)
        return -carried - self._cont_bern_log_norm()

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        return (self.logits,)

    def _log_normalizer(self, x: Tensor) -> Tensor:  # type: ignore[override]
        outside = x.abs() >= SMALL
        cut = _C.where(outside, x, 1.0).abs()
        square = x.square()
        taylor = x / 2 + square * (1 / 24 - square * (1 / 2880 - square / 181440))
        return _C.where(outside, x.clamp(min=0) + (-(-cut).expm1() / cut).log(), taylor)
