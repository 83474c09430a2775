"""The Kumaraswamy distribution."""

from __future__ import annotations

import math

from .. import _C
from .._C import Tensor
from . import constraints
from .transformed_distribution import TransformedDistribution
from .transforms import AffineTransform, PowerTransform
from .uniform import Uniform
from .utils import Shape, Value, broadcast_all, euler_constant, standard_uniform

__all__ = ["Kumaraswamy"]


class Kumaraswamy(TransformedDistribution):
    """The Kumaraswamy distribution, much like Beta but with a simple distribution function.

    ``p(x) = a * b * x ** (a - 1) * (1 - x ** a) ** (b - 1)`` for 0 < x < 1, where a and b are the
    concentrations

    Args:
        concentration1: the exponent a, positive.
        concentration0: the exponent b, positive.
        validate_args: check parameters and values. Default: as ``set_default_validate_args`` says.

    Raises:
        ValueError: if a parameter does not satisfy its constraint.

    Shape:
        The concentrations broadcast to the batch shape; an event is a number.

    Example:
        >>> import tapegrad
        >>> tapegrad.distributions.Kumaraswamy(1.0, 1.0).mean
        tensor(0.5000)
    """

    arg_constraints = {
        "concentration1": constraints.positive,
        "concentration0": constraints.positive,
    }
    support = constraints.unit_interval
    has_rsample = True
    concentration1: Tensor
    concentration0: Tensor

    def __init__(
        self, concentration1: Value, concentration0: Value, validate_args: bool | None = None
    ) -> None:
        a, b = broadcast_all(concentration1, concentration0)
        self.concentration1, self.concentration0 = a, b
        base = Uniform(_C.zeros_like(a), _C.ones_like(a), validate_args=False)
        inner, outer = PowerTransform(b.reciprocal()), PowerTransform(a.reciprocal())
        super().__init__(base, [inner, AffineTransform(1, -1), outer], validate_args=validate_args)

    def _moment(self, order: int) -> Tensor:
        a, b = self.concentration1, self.concentration0
        c = 1 + order / a
        return (b.log() + _C.lgamma(c) + _C.lgamma(b) - _C.lgamma(c + b)).exp()

    @property
    def mean(self) -> Tensor:
        return self._moment(1)

    @property
    def mode(self) -> Tensor:
        a, b = self.concentration1, self.concentration0
        value = ((a - 1) / (a * b - 1)) ** a.reciprocal()
        return _C.where((a < 1) | (b < 1), math.nan, value)

    @property
    def variance(self) -> Tensor:
        return self._moment(2) - self._moment(1).square()

    def sample(self, sample_shape: Shape = ()) -> Tensor:
        return self.rsample(sample_shape).detach()

    def rsample(self, sample_shape: Shape = ()) -> Tensor:
        noise = standard_uniform(self._extended_shape(sample_shape), self.concentration1)
        return self._transformed(noise)

    def _log_prob(self, value: Tensor) -> Tensor:
        a, b = self.concentration1, self.concentration0
        return (a * b).log() + _C.xlogy(a - 1, value) + _C.special_xlog1py(b - 1, -value.pow(a))

    def _cdf(self, value: Tensor) -> Tensor:
        return -_C.special_xlog1py(self.concentration0, -value.pow(self.concentration1)).expm1()

    def entropy(self) -> Tensor:
        a, b = self.concentration1, self.concentration0
        harmonic = _C.digamma(b + 1) + euler_constant
        return (1 - b.reciprocal()) + (1 - a.reciprocal()) * harmonic - (a * b).log()
