"""The distribution of the reciprocal of a gamma variable."""

from __future__ import annotations

import math

from .. import _C
from .._C import Tensor
from . import constraints
from .gamma import Gamma
from .transformed_distribution import TransformedDistribution
from .transforms import PowerTransform
from .utils import Value, alias

__all__ = ["InverseGamma"]


class InverseGamma(TransformedDistribution):
    """The distribution of ``1 / x``, where x has a gamma distribution.

    ``p(y) = rate ** a * y ** (-a - 1) * exp(-rate / y) / Gamma(a)`` for y > 0, where a is the
    concentration

    Args:
        concentration: the shape parameter, positive.
        rate: the rate of the gamma variable, positive.
        validate_args: check parameters and values. Default: as ``set_default_validate_args`` says.

    Raises:
        ValueError: if a parameter does not satisfy its constraint.

    Shape:
        `concentration` and `rate` broadcast to the batch shape; an event is a number.

    Example:
        >>> import tapegrad
        >>> tapegrad.distributions.InverseGamma(3.0, 4.0).mean
        tensor(2.)
    """

    arg_constraints = {"concentration": constraints.positive, "rate": constraints.positive}
    support = constraints.positive
    has_rsample = True
    concentration: Tensor = alias("base_dist.concentration")
    rate: Tensor = alias("base_dist.rate")

    def __init__(
        self, concentration: Value, rate: Value, validate_args: bool | None = None
    ) -> None:
        base = Gamma(concentration, rate, validate_args=validate_args)
        power = PowerTransform(base.rate.new_full((), -1.0))
        super().__init__(base, power, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        a = self.concentration
        return _C.where(a > 1, self.rate / (a - 1), math.inf)

    @property
    def mode(self) -> Tensor:
        return self.rate / (self.concentration + 1)

    @property
    def variance(self) -> Tensor:
        a = self.concentration
        value = (self.rate / (a - 1)).square() / (a - 2)
        return _C.where(a > 2, value, math.inf)

    def _log_prob(self, value: Tensor) -> Tensor:
        return self.base_dist._log_prob(value.reciprocal()) - 2 * value.log()

    def entropy(self) -> Tensor:
        a = self.concentration
        return a + self.rate.log() + _C.lgamma(a) - (1 + a) * _C.digamma(a)
