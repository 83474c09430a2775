"""The exponential distribution."""

from __future__ import annotations

from .. import _C
from .._C import Tensor
from . import constraints
from .exp_family import ExponentialFamily
from .utils import Shape, Value, broadcast_all, standard_exponential

__all__ = ["Exponential"]


class Exponential(ExponentialFamily):
    """The exponential distribution.

    ``p(x) = rate * exp(-rate * x)`` for x >= 0

    Args:
        rate: the inverse of the mean, positive.
        validate_args: check parameters and values. Default: as ``set_default_validate_args`` says.

    Raises:
        ValueError: if the rate does not satisfy its constraint.

    Shape:
        `rate` has the batch shape; an event is a number.

    Example:
        >>> import tapegrad
        >>> tapegrad.distributions.Exponential(2.0).log_prob(tapegrad.tensor([0.0, 1.0]))
        tensor([ 0.6931, -1.3069])
    """

    arg_constraints = {"rate": constraints.positive}
    support = constraints.nonnegative
    has_rsample = True
    _mean_carrier_measure = 0
    rate: Tensor

    def __init__(self, rate: Value, validate_args: bool | None = None) -> None:
        (self.rate,) = broadcast_all(rate)
        super().__init__(self.rate.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return self.rate.reciprocal()

    stddev = mean

    @property
    def mode(self) -> Tensor:
        return _C.zeros_like(self.rate)

    @property
    def variance(self) -> Tensor:
        return self.rate.pow(-2)

    def rsample(self, sample_shape: Shape = ()) -> Tensor:
        return standard_exponential(self._extended_shape(sample_shape), self.rate) / self.rate

    def _log_prob(self, value: Tensor) -> Tensor:
        return self.rate.log() - self.rate * value

    def _cdf(self, value: Tensor) -> Tensor:
        return -(-self.rate * value).expm1()

    def icdf(self, value: Tensor) -> Tensor:
        return -(-value).log1p() / self.rate

    def entropy(self) -> Tensor:
        return 1 - self.rate.log()

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        return (-self.rate,)

    def _log_normalizer(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return -(-x).log()
