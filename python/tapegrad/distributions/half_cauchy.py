"""The distribution of the absolute value of a Cauchy variable."""

from __future__ import annotations

import math

from .. import _C
from .._C import Tensor
from . import constraints
from .cauchy import Cauchy
from .transformed_distribution import TransformedDistribution
from .transforms import AbsTransform
from .utils import Value, alias

__all__ = ["HalfCauchy"]


class HalfCauchy(TransformedDistribution):
    """The distribution of ``|x|``, where x is Cauchy with median 0.

    ``p(y) = 2 / (pi * scale * (1 + (y / scale) ** 2))`` for y >= 0

    Args:
        scale: the median, positive.
        validate_args: check parameters and values. Default: as ``set_default_validate_args`` says.

    Raises:
        ValueError: if the scale does not satisfy its constraint.

    Shape:
        `scale` has the batch shape; an event is a number.

    Example:
        >>> import tapegrad
        >>> tapegrad.distributions.HalfCauchy(2.0).icdf(tapegrad.tensor(0.5))
        tensor(2.)
    """

    arg_constraints = {"scale": constraints.positive}
    support = constraints.nonnegative
    has_rsample = True
    scale: Tensor = alias("base_dist.scale")

    def __init__(self, scale: Value, validate_args: bool | None = None) -> None:
        base = Cauchy(0, scale, validate_args=False)
        super().__init__(base, AbsTransform(), validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return _C.full_like(self.scale, math.inf)

    @property
    def mode(self) -> Tensor:
        return _C.zeros_like(self.scale)

    variance = alias("base_dist.variance")

    def _log_prob(self, value: Tensor) -> Tensor:
        density = self.base_dist._log_prob(value) + math.log(2)
        return _C.where(value >= 0, density, -math.inf)

    def _cdf(self, value: Tensor) -> Tensor:
        return 2 * self.base_dist._cdf(value) - 1

    def icdf(self, value: Tensor) -> Tensor:
        return self.base_dist.icdf((value + 1) / 2)

    def entropy(self) -> Tensor:
        return self.base_dist.entropy() - math.log(2)
