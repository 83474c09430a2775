"""The Cauchy distribution."""

from __future__ import annotations

import math

from .. import _C
from .._C import Tensor
from . import constraints
from .distribution import Distribution
from .utils import Shape, Value, alias, broadcast_all

__all__ = ["Cauchy"]


class Cauchy(Distribution):
    """The Cauchy distribution; it has neither mean nor variance.

    ``p(x) = 1 / (pi * scale * (1 + ((x - loc) / scale) ** 2))``

    Args:
        loc: the median and mode.
        scale: half of the distance between the quartiles, positive.
        validate_args: check parameters and values. Default: as ``set_default_validate_args`` says.

    Raises:
        ValueError: if a parameter does not satisfy its constraint.

    Shape:
        `loc` and `scale` broadcast to the batch shape; an event is a number.

    Example:
        >>> import tapegrad
        >>> tapegrad.distributions.Cauchy(0.0, 1.0).cdf(tapegrad.tensor(1.0))
        tensor(0.7500)
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.real
    has_rsample = True
    loc: Tensor
    scale: Tensor

    def __init__(self, loc: Value, scale: Value, validate_args: bool | None = None) -> None:
        self.loc, self.scale = broadcast_all(loc, scale)
        super().__init__(self.loc.shape, validate_args=validate_args)

    mode = alias("loc")

    @property
    def mean(self) -> Tensor:
        return _C.full_like(self.loc, math.nan)

    @property
    def variance(self) -> Tensor:
        return _C.full_like(self.loc, math.inf)

    def rsample(self, sample_shape: Shape = ()) -> Tensor:
        noise = self.loc.new_empty(self._extended_shape(sample_shape)).cauchy_()
        return _C.addcmul(self.loc, noise, self.scale)

    def _log_prob(self, value: Tensor) -> Tensor:
        z = (value - self.loc) / self.scale
        return -math.log(math.pi) - self.scale.log() - z.square().log1p()

    def _cdf(self, value: Tensor) -> Tensor:
        return ((value - self.loc) / self.scale).atan() / math.pi + 0.5

    def icdf(self, value: Tensor) -> Tensor:
        return self.loc + self.scale * (math.pi * (value - 0.5)).tan()

    def entropy(self) -> Tensor:
        return self.scale.log() + math.log(4 * math.pi)
