"""The distribution of the absolute value of a normal variable."""

from __future__ import annotations

import math

from .. import _C
from .._C import Tensor
from . import constraints
from .normal import Normal
from .transformed_distribution import TransformedDistribution
from .transforms import AbsTransform
from .utils import Value, alias

__all__ = ["HalfNormal"]


class HalfNormal(TransformedDistribution):
    """The distribution of ``|x|``, where x is normal with mean 0.

    ``p(y) = 2 * Normal(0, scale).p(y)`` for y >= 0

    Args:
        scale: the standard deviation of the normal variable, positive.
        validate_args: check parameters and values. Default: as ``set_default_validate_args`` says.

    Raises:
        ValueError: if the scale does not satisfy its constraint.

    Shape:
        `scale` has the batch shape; an event is a number.

    Example:
        >>> import tapegrad
        >>> tapegrad.distributions.HalfNormal(1.0).mean
        tensor(0.7979)
    """

    arg_constraints = {"scale": constraints.positive}
    support = constraints.nonnegative
    has_rsample = True
    scale: Tensor = alias("base_dist.scale")

    def __init__(self, scale: Value, validate_args: bool | None = None) -> None:
        base = Normal(0, scale, validate_args=False)
        super().__init__(base, AbsTransform(), validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return self.scale * math.sqrt(2 / math.pi)

    @property
    def mode(self) -> Tensor:
        return _C.zeros_like(self.scale)

    @property
    def variance(self) -> Tensor:
        return self.scale.square() * (1 - 2 / math.pi)

    def _log_prob(self, value: Tensor) -> Tensor:
        density = self.base_dist._log_prob(value) + math.log(2)
        return _C.where(value >= 0, density, -math.inf)

    def _cdf(self, value: Tensor) -> Tensor:
        return 2 * self.base_dist._cdf(value) - 1

    def icdf(self, value: Tensor) -> Tensor:
        return self.base_dist.icdf((value + 1) / 2)

    def entropy(self) -> Tensor:
        return self.base_dist.entropy() - math.log(2)
