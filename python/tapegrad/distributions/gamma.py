"""The gamma distribution."""

from __future__ import annotations

from .. import _C
from .._C import Tensor
from . import constraints
from .exp_family import ExponentialFamily
from .utils import Shape, Value, broadcast_all, tiny

__all__ = ["Gamma"]


def standard_gamma(concentration: Tensor) -> Tensor:
    """Draws from the gamma distribution of rate 1, never zero."""
    return _C._standard_gamma(concentration).clamp(min=tiny(concentration))


class Gamma(ExponentialFamily):
    """The gamma distribution.

    ``p(x) = rate ** a * x ** (a - 1) * exp(-rate * x) / Gamma(a)`` for x >= 0, where a is the
    concentration

    Args:
        concentration: the shape parameter, positive.
        rate: the inverse of the scale, positive.
        validate_args: check parameters and values. Default: as ``set_default_validate_args`` says.

    Raises:
        ValueError: if a parameter does not satisfy its constraint.

    Shape:
        `concentration` and `rate` broadcast to the batch shape; an event is a number.

    Example:
        >>> import tapegrad
        >>> p = tapegrad.distributions.Gamma(2.0, 4.0)
        >>> p.mean, p.variance
        (tensor(0.5000), tensor(0.1250))
    """

    arg_constraints = {"concentration": constraints.positive, "rate": constraints.positive}
    support = constraints.nonnegative
    has_rsample = True
    _mean_carrier_measure = 0
    concentration: Tensor
    rate: Tensor

    def __init__(
        self, concentration: Value, rate: Value, validate_args: bool | None = None
    ) -> None:
        self.concentration, self.rate = broadcast_all(concentration, rate)
        super().__init__(self.rate.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return self.concentration / self.rate

    @property
    def mode(self) -> Tensor:
        return ((self.concentration - 1) / self.rate).clamp(min=0)

    @property
    def variance(self) -> Tensor:
        return self.concentration / self.rate.square()

    def rsample(self, sample_shape: Shape = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        return standard_gamma(self.concentration.expand(shape)) / self.rate

    def _log_prob(self, value: Tensor) -> Tensor:
        a, rate = self.concentration, self.rate
        return _C.xlogy(a, rate) + _C.xlogy(a - 1, value) - rate * value - _C.lgamma(a)

    def _cdf(self, value: Tensor) -> Tensor:
        return _C.igamma(self.concentration, self.rate * value)

    def entropy(self) -> Tensor:
        a = self.concentration
        return a - self.rate.log() + _C.lgamma(a) + (1 - a) * _C.digamma(a)

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        return self.concentration - 1, -self.rate

    def _log_normalizer(self, x: Tensor, y: Tensor) -> Tensor:  # type: ignore[override]
        return _C.lgamma(x + 1) - (x + 1) * (-y).log()
