"""The Weibull distribution."""

from __future__ import annotations

from .. import _C
from .._C import Tensor
from . import constraints
from .exponential import Exponential
from .transformed_distribution import TransformedDistribution
from .transforms import AffineTransform, PowerTransform
from .utils import Value, broadcast_all, euler_constant

__all__ = ["Weibull"]


class Weibull(TransformedDistribution):
    """The Weibull distribution.

    ``p(x) = k / scale * (x / scale) ** (k - 1) * exp(-(x / scale) ** k)`` for x > 0, where k is
    the concentration

    Args:
        scale: the scale, positive.
        concentration: the exponent, positive.
        validate_args: check parameters and values. Default: as ``set_default_validate_args`` says.

    Raises:
        ValueError: if a parameter does not satisfy its constraint.

    Shape:
        `scale` and `concentration` broadcast to the batch shape; an event is a number.

    Example:
        >>> import tapegrad
        >>> tapegrad.distributions.Weibull(2.0, 1.0).mean
        tensor(2.)
    """

    arg_constraints = {"scale": constraints.positive, "concentration": constraints.positive}
    support = constraints.positive
    scale: Tensor
    concentration: Tensor

    def __init__(
        self, scale: Value, concentration: Value, validate_args: bool | None = None
    ) -> None:
        self.scale, self.concentration = broadcast_all(scale, concentration)
        base = Exponential(_C.ones_like(self.scale), validate_args=False)
        power = PowerTransform(self.concentration.reciprocal())
        steps = [power, AffineTransform(0, self.scale)]
        super().__init__(base, steps, validate_args=validate_args)

    def _moment(self, order: int) -> Tensor:
        return self.scale**order * _C.lgamma(1 + order / self.concentration).exp()

    @property
    def mean(self) -> Tensor:
        return self._moment(1)

    @property
    def mode(self) -> Tensor:
        k = self.concentration
        return self.scale * ((k - 1) / k).clamp(min=0) ** k.reciprocal()

    @property
    def variance(self) -> Tensor:
        return self._moment(2) - self._moment(1).square()

    def _log_prob(self, value: Tensor) -> Tensor:
        k = self.concentration
        z = value / self.scale
        return (k / self.scale).log() + _C.xlogy(k - 1, z) - z.pow(k)

    def _cdf(self, value: Tensor) -> Tensor:
        return -(-(value / self.scale).pow(self.concentration)).expm1()

    def entropy(self) -> Tensor:
        k = self.concentration
        return euler_constant * (1 - k.reciprocal()) + (self.scale / k).log() + 1
