"""The generalised Pareto distribution."""

from __future__ import annotations

import math
from typing import Any

from .. import _C
from .._C import Tensor
from . import constraints
from .distribution import Distribution
from .utils import Shape, Value, alias, broadcast_all, standard_exponential

__all__ = ["GeneralizedPareto"]


class GeneralizedPareto(Distribution):
    """The generalised Pareto distribution, the limit of excesses over a high threshold.

    ``p(x) = (1 + k * z) ** (-1 / k - 1) / scale`` with ``z = (x - loc) / scale``, where k is the
    concentration; ``exp(-z) / scale`` where k is 0. For x >= loc, and x <= loc - scale / k if k < 0

    Args:
        loc: the smallest value.
        scale: the scale, positive.
        concentration: the tail index k: heavy tails above 0, bounded values below.
        validate_args: check parameters and values. Default: as ``set_default_validate_args`` says.

    Raises:
        ValueError: if a parameter does not satisfy its constraint.

    Shape:
        The parameters broadcast to the batch shape; an event is a number.

    Example:
        >>> import tapegrad
        >>> tapegrad.distributions.GeneralizedPareto(0.0, 1.0, 0.5).mean
        tensor(2.)
    """

    arg_constraints = {
        "loc": constraints.real,
        "scale": constraints.positive,
        "concentration": constraints.real,
    }
    has_rsample = True
    loc: Tensor
    scale: Tensor
    concentration: Tensor

    def __init__(
        self, loc: Value, scale: Value, concentration: Value, validate_args: bool | None = None
    ) -> None:
        self.loc, self.scale, self.concentration = broadcast_all(loc, scale, concentration)
        super().__init__(self.loc.shape, validate_args=validate_args)

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> Any:
        """From `loc` on; bounded above where the concentration is negative."""
        k = self.concentration
        upper = _C.where(k < 0, self.loc - self.scale / k, math.inf)
        return constraints.interval(self.loc, upper)

    def _split(self) -> tuple[Tensor, Tensor]:
        """Where the concentration is as good as zero, and the concentration with ones there."""
        zero = _C.isclose(self.concentration, _C.zeros_like(self.concentration))
        return zero, _C.where(zero, 1.0, self.concentration)

    def log_survival_function(self, value: Tensor) -> Tensor:
        """The logarithm of ``1 - cdf(value)``."""
        zero, k = self._split()
        z = (value - self.loc) / self.scale
        return _C.where(zero, -z, -(k * z).log1p() / k)

    def log_cdf(self, value: Tensor) -> Tensor:
        """The logarithm of ``cdf(value)``."""
        return (-self.log_survival_function(value).exp()).log1p()

    def _log_prob(self, value: Tensor) -> Tensor:
        zero, k = self._split()
        z = (value - self.loc) / self.scale
        return _C.where(zero, -z, -(1 + 1 / k) * (k * z).log1p()) - self.scale.log()

    def _cdf(self, value: Tensor) -> Tensor:
        return -self.log_survival_function(value).expm1()

    def _at_log_survival(self, x: Tensor) -> Tensor:
        """The value beyond which a draw is with probability ``exp(-x)``."""
        zero, k = self._split()
        return self.loc + self.scale * _C.where(zero, x, (k * x).expm1() / k)

    def icdf(self, value: Tensor) -> Tensor:
        return self._at_log_survival(-(-value).log1p())

    def rsample(self, sample_shape: Shape = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        return self._at_log_survival(standard_exponential(shape, self.loc))

    mode = alias("loc")

    @property
    def mean(self) -> Tensor:
        k = self.concentration
        return _C.where(k < 1, self.loc + self.scale / (1 - k), math.nan)

    @property
    def variance(self) -> Tensor:
        k = self.concentration
        value = self.scale.square() / ((1 - k).square() * (1 - 2 * k))
        return _C.where(k < 0.5, value, math.nan)

    def entropy(self) -> Tensor:
        return self.scale.log() + self.concentration + 1
