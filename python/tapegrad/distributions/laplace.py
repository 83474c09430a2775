"""The Laplace distribution."""

from __future__ import annotations

import math

from .._C import Tensor
from . import constraints
from .distribution import Distribution
from .utils import Shape, Value, alias, broadcast_all, standard_uniform

__all__ = ["Laplace"]


class Laplace(Distribution):
    """The Laplace distribution.

    ``p(x) = exp(-|x - loc| / scale) / (2 * scale)``

    Args:
        loc: the mean.
        scale: the mean distance from it, positive.
        validate_args: check parameters and values. Default: as ``set_default_validate_args`` says.

    Raises:
        ValueError: if a parameter does not satisfy its constraint.

    Shape:
        `loc` and `scale` broadcast to the batch shape; an event is a number.

    Example:
        >>> import tapegrad
        >>> tapegrad.distributions.Laplace(0.0, 1.0).log_prob(tapegrad.tensor([0.0, 1.0]))
        tensor([-0.6931, -1.6931])
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.real
    has_rsample = True
    loc: Tensor
    scale: Tensor

    def __init__(self, loc: Value, scale: Value, validate_args: bool | None = None) -> None:
        self.loc, self.scale = broadcast_all(loc, scale)
        super().__init__(self.loc.shape, validate_args=validate_args)

    mean = mode = alias("loc")

    @property
    def variance(self) -> Tensor:
        return 2 * self.scale.square()

    @property
    def stddev(self) -> Tensor:
        return math.sqrt(2) * self.scale

    def rsample(self, sample_shape: Shape = ()) -> Tensor:
        return self.icdf(standard_uniform(self._extended_shape(sample_shape), self.loc))

    def _log_prob(self, value: Tensor) -> Tensor:
        return -(2 * self.scale).log() - (value - self.loc).abs() / self.scale

    def _cdf(self, value: Tensor) -> Tensor:
        z = (value - self.loc) / self.scale
        return 0.5 - 0.5 * z.sign() * (-z.abs()).expm1()

    def icdf(self, value: Tensor) -> Tensor:
        centred = value - 0.5
        return self.loc - self.scale * centred.sign() * (-2 * centred.abs()).log1p()

    def entropy(self) -> Tensor:
        return 1 + (2 * self.scale).log()
