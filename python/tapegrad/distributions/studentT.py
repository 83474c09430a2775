"""Student's t distribution."""

from __future__ import annotations

import math

from .. import _C
from .._C import Tensor
from . import constraints
from .chi2 import Chi2
from .distribution import Distribution
from .utils import Shape, Value, alias, broadcast_all, standard_normal

__all__ = ["StudentT"]


class StudentT(Distribution):
    """Student's t distribution.

    ``p(x) = Gamma((df + 1) / 2) / (Gamma(df / 2) * sqrt(df * pi) * scale) *
    (1 + z ** 2 / df) ** (-(df + 1) / 2)`` with ``z = (x - loc) / scale``

    Args:
        df: the degrees of freedom, positive.
        loc: the centre. Default: 0.
        scale: the scale, positive. Default: 1.
        validate_args: check parameters and values. Default: as ``set_default_validate_args`` says.

    Raises:
        ValueError: if a parameter does not satisfy its constraint.

    Shape:
        The parameters broadcast to the batch shape; an event is a number.

    Example:
        >>> import tapegrad
        >>> p = tapegrad.distributions.StudentT(3.0)
        >>> p.mean, p.variance
        (tensor(0.), tensor(3.))
    """

    arg_constraints = {
        "df": constraints.positive,
        "loc": constraints.real,
        "scale": constraints.positive,
    }
    support = constraints.real
    has_rsample = True
    df: Tensor
    loc: Tensor
    scale: Tensor

    def __init__(
        self,
        df: Value,
        loc: Value = 0.0,
        scale: Value = 1.0,
        validate_args: bool | None = None,
    ) -> None:
        self.df, self.loc, self.scale = broadcast_all(df, loc, scale)
        self._chi2 = Chi2(self.df, validate_args=False)
        super().__init__(self.df.shape, validate_args=validate_args)

    mode = alias("loc")

    @property
    def mean(self) -> Tensor:
        return _C.where(self.df > 1, self.loc, math.nan)

    @property
    def variance(self) -> Tensor:
        df = self.df
        value = _C.where(df > 2, self.scale.square() * df / (df - 2), math.inf)
        return _C.where(df > 1, value, math.nan)

    def rsample(self, sample_shape: Shape = ()) -> Tensor:
        noise = standard_normal(self._extended_shape(sample_shape), self.df)
        spread = self._chi2.rsample(sample_shape) / self.df
        return _C.addcmul(self.loc, self.scale, noise * spread.rsqrt())

    def _log_prob(self, value: Tensor) -> Tensor:
        z = (value - self.loc) / self.scale
        half = 0.5 * (self.df + 1)
        norm = (
            self.scale.log()
            + 0.5 * (math.pi * self.df).log()
            + _C.lgamma(0.5 * self.df)
            - _C.lgamma(half)
        )
        return -half * (z.square() / self.df).log1p() - norm

    def entropy(self) -> Tensor:
        half, more = 0.5 * self.df, 0.5 * (self.df + 1)
        log_beta = _C.lgamma(half) + math.lgamma(0.5) - _C.lgamma(more)
        return (
            self.scale.log()
            + more * (_C.digamma(more) - _C.digamma(half))
            + 0.5 * self.df.log()
            + log_beta
        )
