"""The normal (Gaussian) distribution."""

from __future__ import annotations

import math

from .. import _C
from .._C import Tensor
from . import constraints
from .exp_family import ExponentialFamily
from .utils import HALF_LOG_2PI, Shape, Value, alias, broadcast_all, standard_normal

__all__ = ["Normal"]


class Normal(ExponentialFamily):
    """The normal distribution.

    ``p(x) = exp(-((x - loc) / scale) ** 2 / 2) / (scale * sqrt(2 pi))``

    Args:
        loc: the mean.
        scale: the standard deviation, positive.
        validate_args: check parameters and values. Default: as ``set_default_validate_args`` says.

    Raises:
        ValueError: if a parameter does not satisfy its constraint.

    Shape:
        `loc` and `scale` broadcast to the batch shape; an event is a number.

    Example:
        >>> import tapegrad
        >>> p = tapegrad.distributions.Normal(0.0, tapegrad.tensor([1.0, 2.0]))
        >>> p.log_prob(tapegrad.tensor(0.0))
        tensor([-0.9189, -1.6121])
        >>> p.cdf(tapegrad.tensor(1.0))
        tensor([0.8413, 0.6915])
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.real
    has_rsample = True
    _mean_carrier_measure = 0
    loc: Tensor
    scale: Tensor

    def __init__(self, loc: Value, scale: Value, validate_args: bool | None = None) -> None:
        self.loc, self.scale = broadcast_all(loc, scale)
        super().__init__(self.loc.shape, validate_args=validate_args)

    mean = mode = alias("loc")
    stddev = alias("scale")

    @property
    def variance(self) -> Tensor:
        return self.scale.square()

    def rsample(self, sample_shape: Shape = ()) -> Tensor:
        noise = standard_normal(self._extended_shape(sample_shape), self.loc)
        return _C.addcmul(self.loc, noise, self.scale)

    def _log_prob(self, value: Tensor) -> Tensor:
        z = (value - self.loc) / self.scale
        return -HALF_LOG_2PI - _C.addcmul(self.scale.log(), z, z, value=0.5)

    def _cdf(self, value: Tensor) -> Tensor:
        return _C.special_ndtr((value - self.loc) / self.scale)

    def icdf(self, value: Tensor) -> Tensor:
        return self.loc + self.scale * _C.special_ndtri(value)

    def entropy(self) -> Tensor:
        return self.scale.log() + (0.5 + HALF_LOG_2PI)

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        precision = self.scale.pow(-2)
        return self.loc * precision, -0.5 * precision

    def _log_normalizer(self, x: Tensor, y: Tensor) -> Tensor:  # type: ignore[override]
        return -0.25 * x.square() / y + 0.5 * (-math.pi / y).log()
