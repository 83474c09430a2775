"""The F distribution of Fisher and Snedecor."""

from __future__ import annotations

import math

from .. import _C
from .._C import Tensor
from . import constraints
from .distribution import Distribution
from .gamma import Gamma
from .utils import Shape, Value, broadcast_all, tiny

__all__ = ["FisherSnedecor"]


class FisherSnedecor(Distribution):
    """The distribution of the ratio of two chi-squared variables, each divided by its df.

    ``p(x) = (r * x) ** (df1 / 2) * (1 + r * x) ** (-(df1 + df2) / 2) / (x * B(df1 / 2, df2 / 2))``
    with ``r = df1 / df2``, for x > 0

    Args:
        df1: the degrees of freedom of the numerator, positive.
        df2: the degrees of freedom of the denominator, positive.
        validate_args: check parameters and values. Default: as ``set_default_validate_args`` says.

    Raises:
        ValueError: if a parameter does not satisfy its constraint.

    Shape:
        `df1` and `df2` broadcast to the batch shape; an event is a number.

    Example:
        >>> import tapegrad
        >>> tapegrad.distributions.FisherSnedecor(1.0, 4.0).mean
        tensor(2.)
    """

    arg_constraints = {"df1": constraints.positive, "df2": constraints.positive}
    support = constraints.positive
    has_rsample = True
    df1: Tensor
    df2: Tensor

    def __init__(self, df1: Value, df2: Value, validate_args: bool | None = None) -> None:
        self.df1, self.df2 = broadcast_all(df1, df2)
        self._gamma1 = Gamma(0.5 * self.df1, self.df1, validate_args=False)
        self._gamma2 = Gamma(0.5 * self.df2, self.df2, validate_args=False)
        super().__init__(self.df1.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        df2 = self.df2
        return _C.where(df2 > 2, df2 / (df2 - 2), math.nan)

    @property
    def mode(self) -> Tensor:
        df1, df2 = self.df1, self.df2
        value = (df1 - 2) / df1 * df2 / (df2 + 2)
        return _C.where(df1 > 2, value, math.nan)

    @property
    def variance(self) -> Tensor:
        df1, df2 = self.df1, self.df2
        value = 2 * df2.square() * (df1 + df2 - 2) / (df1 * (df2 - 2).square() * (df2 - 4))
        return _C.where(df2 > 4, value, math.nan)

    def rsample(self, sample_shape: Shape = ()) -> Tensor:
        above = self._gamma1.rsample(sample_shape)
        below = self._gamma2.rsample(sample_shape)
        return (above / below.clamp(min=tiny(below))).clamp(min=tiny(above))

    def _log_prob(self, value: Tensor) -> Tensor:
        a, b = 0.5 * self.df1, 0.5 * self.df2
        ratio = self.df1 / self.df2
        log_beta = _C.lgamma(a) + _C.lgamma(b) - _C.lgamma(a + b)
        kernel = a * ratio.log() + (a - 1) * value.log() - (a + b) * (ratio * value).log1p()
        return kernel - log_beta
