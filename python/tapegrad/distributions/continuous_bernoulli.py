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


class ContinuousBernoulli(ProbsOrLogits, ExponentialFamily):
    """The density on [0, 1] that is proportional to the probabilities of Bernoulli.

    ``p(x) = C * probs ** x * (1 - probs) ** (1 - x)`` with
    ``C = 2 * atanh(1 - 2 * probs) / (1 - 2 * probs)``, and C = 2 where probs is 1/2

    Args:
        probs: the parameter in (0, 1); not the mean.
        logits: ``log(probs / (1 - probs))``, in place of `probs`.
        lims: between these `probs` a Taylor polynomial takes the place of quotients of small
            numbers. Default: (0.499, 0.501).
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

    def _outside(self) -> Tensor:
        """Where quotients are used as they stand."""
        probs = self.probs
        return (probs <= self._lims[0]) | (probs > self._lims[1])

    def _by_region(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Where the formula holds, probs for it there, their logits, and probs - 1/2."""
        outside = self._outside()
        cut = _C.where(outside, self.probs, self._lims[0])
        return outside, cut, cut.log() - (-cut).log1p(), self.probs - 0.5

    def _cont_bern_log_norm(self) -> Tensor:
        """The logarithm of C."""
        outside, cut, logits, x = self._by_region()
        x = x.square()
        formula = (logits / (2 * cut - 1)).log()
        return _C.where(outside, formula, math.log(2.0) + (4 / 3 + 104 / 45 * x) * x)

    @property
    def mean(self) -> Tensor:
        outside, cut, logits, x = self._by_region()
        formula = cut / (2 * cut - 1) - logits.reciprocal()
        return _C.where(outside, formula, 0.5 + (1 / 3 + 16 / 45 * x.square()) * x)

    @property
    def variance(self) -> Tensor:
        outside, cut, logits, x = self._by_region()
        x = x.square()
        formula = cut * (cut - 1) / (1 - 2 * cut).square() + logits.pow(-2)
        return _C.where(outside, formula, 1 / 12 - (1 / 15 - 128 / 945 * x) * x)

    def rsample(self, sample_shape: Shape = ()) -> Tensor:
        return self.icdf(standard_uniform(self._extended_shape(sample_shape), self.probs))

    def _log_prob(self, value: Tensor) -> Tensor:
        return self._cont_bern_log_norm() - cross_entropy(self.logits, value)

    def _cdf(self, value: Tensor) -> Tensor:
        outside, cut, _, _ = self._by_region()
        formula = (cut.pow(value) * (1 - cut).pow(1 - value) + cut - 1) / (2 * cut - 1)
        return _C.where(outside, formula, value).clamp(0, 1)

    def icdf(self, value: Tensor) -> Tensor:
        outside, cut, logits, _ = self._by_region()
        formula = ((value * (2 * cut - 1) - cut).log1p() - (-cut).log1p()) / logits
        return _C.where(outside, formula, value)

    def entropy(self) -> Tensor:
        carried = self.mean * self.logits + (-self.probs).log1p()
        return -carried - self._cont_bern_log_norm()

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        return (self.logits,)

    def _log_normalizer(self, x: Tensor) -> Tensor:  # type: ignore[override]
        outside = (x <= self._lims[0] - 0.5) | (x > self._lims[1] - 0.5)
        cut = _C.where(outside, x, self._lims[0] - 0.5)
        small = x.square()
        taylor = 0.5 * x + small / 24 - small.square() / 2880
        return _C.where(outside, (cut.expm1() / cut).log(), taylor)
