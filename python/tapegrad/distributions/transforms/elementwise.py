"""Transforms of single numbers."""

from __future__ import annotations

import math
from typing import Any

from ... import _C
from ..._C import Size, Tensor
from .. import constraints
from ..constraints import Constraint
from ..utils import Shape, Value, as_size, broadcast_all, eps, sum_rightmost, tiny
from .transform import Transform

__all__ = [
    "ExpTransform",
    "PowerTransform",
    "SigmoidTransform",
    "SoftplusTransform",
    "TanhTransform",
    "CumulativeDistributionTransform",
    "AbsTransform",
    "AffineTransform",
]


class _Increasing(Transform):
    """A bijection of numbers that grows."""

    bijective = True
    sign: Any = 1
    domain: Any = constraints.real


class ExpTransform(_Increasing):
    """``y = exp(x)``.

    Example:
        >>> import tapegrad
        >>> tapegrad.distributions.ExpTransform().inv(tapegrad.tensor([1.0]))
        tensor([0.])
    """

    codomain = constraints.positive

    def _call(self, x: Tensor) -> Tensor:
        return x.exp()

    def _inverse(self, y: Tensor) -> Tensor:
        return y.log()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return x


class PowerTransform(_Increasing):
    """``y = x ** exponent`` of positive numbers.

    Args:
        exponent: a tensor or number, not zero.
        cache_size: 1 to remember the last pair of values. Default: 0.

    Example:
        >>> import tapegrad
        >>> tapegrad.distributions.PowerTransform(2.0)(tapegrad.tensor([3.0]))
        tensor([9.])
    """

    domain = codomain = constraints.positive

    def __init__(self, exponent: Value, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        (self.exponent,) = broadcast_all(exponent)

    def _arguments(self) -> tuple[Any, ...]:
        return (self.exponent,)

    @property
    def sign(self) -> Any:
        return self.exponent.sign()

    def _call(self, x: Tensor) -> Tensor:
        return x.pow(self.exponent)

    def _inverse(self, y: Tensor) -> Tensor:
        return y.pow(1 / self.exponent)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return (self.exponent * y / x).abs().log()

    def forward_shape(self, shape: Shape) -> Size:
        return _C.broadcast_shapes(shape, self.exponent.shape)

    inverse_shape = forward_shape


class SigmoidTransform(_Increasing):
    """``y = 1 / (1 + exp(-x))``.

    Example:
        >>> import tapegrad
        >>> tapegrad.distributions.SigmoidTransform()(tapegrad.tensor([0.0]))
        tensor([0.5000])
    """

    codomain = constraints.unit_interval

    def _call(self, x: Tensor) -> Tensor:
        return x.sigmoid().clamp(tiny(x), 1 - eps(x))

    def _inverse(self, y: Tensor) -> Tensor:
        return y.clamp(tiny(y), 1 - eps(y)).logit()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return _C.log_sigmoid(x) + _C.log_sigmoid(-x)


class SoftplusTransform(_Increasing):
    """``y = log(1 + exp(x))``.

    Example:
        >>> import tapegrad
        >>> tapegrad.distributions.SoftplusTransform()(tapegrad.tensor([0.0]))
        tensor([0.6931])
    """

    codomain = constraints.positive

    def _call(self, x: Tensor) -> Tensor:
        return -_C.log_sigmoid(-x)

    def _inverse(self, y: Tensor) -> Tensor:
        return (-y).expm1().neg().log() + y

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return _C.log_sigmoid(x)


class TanhTransform(_Increasing):
    """``y = tanh(x)``.

    The volume change is computed from x, which holds more digits than y near 1 and -1; a cache
    (``cache_size=1``) keeps it.

    Example:
        >>> import tapegrad
        >>> tapegrad.distributions.TanhTransform()(tapegrad.tensor([0.0]))
        tensor([0.])
    """

    codomain = constraints.interval(-1.0, 1.0)

    def _call(self, x: Tensor) -> Tensor:
        return x.tanh()

    def _inverse(self, y: Tensor) -> Tensor:
        return y.atanh()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        # 1 - tanh(x)^2 = 4 sigmoid(2x) sigmoid(-2x)
        return 2 * (math.log(2.0) - x + _C.log_sigmoid(2 * x))


class CumulativeDistributionTransform(_Increasing):
    """``y = F(x)``, the cumulative distribution function of a distribution.

    Args:
        distribution: a distribution that has ``cdf``, ``icdf`` and ``log_prob``.
        cache_size: 1 to remember the last pair of values. Default: 0.

    Example:
        >>> import tapegrad
        >>> from tapegrad.distributions import CumulativeDistributionTransform, Normal
        >>> CumulativeDistributionTransform(Normal(0.0, 1.0))(tapegrad.tensor([0.0]))
        tensor([0.5000])
    """

    codomain = constraints.unit_interval

    def __init__(self, distribution: Any, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.distribution = distribution

    def _arguments(self) -> tuple[Any, ...]:
        return (self.distribution,)

    @property
    def domain(self) -> Constraint:  # type: ignore[override]
        return self.distribution.support

    def _call(self, x: Tensor) -> Tensor:
        return self.distribution.cdf(x)

    def _inverse(self, y: Tensor) -> Tensor:
        return self.distribution.icdf(y)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return self.distribution.log_prob(x)


class AbsTransform(Transform):
    """``y = |x|``; the inverse gives the positive one of the two values.

    Example:
        >>> import tapegrad
        >>> tapegrad.distributions.AbsTransform()(tapegrad.tensor([-2.0]))
        tensor([2.])
    """

    domain = constraints.real
    codomain = constraints.positive

    def _call(self, x: Tensor) -> Tensor:
        return x.abs()

    def _inverse(self, y: Tensor) -> Tensor:
        return y


class AffineTransform(Transform):
    """``y = loc + scale * x``.

    Args:
        loc: a tensor or number.
        scale: a tensor or number, not zero.
        event_dim: 0 for numbers, 1 for vectors, 2 for matrices and so on. Default: 0.
        cache_size: 1 to remember the last pair of values. Default: 0.

    Example:
        >>> import tapegrad
        >>> tapegrad.distributions.AffineTransform(1.0, 2.0)(tapegrad.tensor([3.0]))
        tensor([7.])
    """

    bijective = True

    def __init__(self, loc: Value, scale: Value, event_dim: int = 0, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.loc = loc
        self.scale = scale
        self._event_dim = event_dim
        real = constraints.real
        self.domain = self.codomain = (
            constraints.independent(real, event_dim) if event_dim else real
        )

    def _arguments(self) -> tuple[Any, ...]:
        return self.loc, self.scale, self._event_dim

    @property
    def sign(self) -> Any:
        if isinstance(self.scale, Tensor):
            return self.scale.sign()
        return (self.scale > 0) - (self.scale < 0)

    def _call(self, x: Tensor) -> Tensor:
        return self.loc + self.scale * x

    def _inverse(self, y: Tensor) -> Tensor:
        return (y - self.loc) / self.scale

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        scale = self.scale
        if isinstance(scale, Tensor):
            change = scale.abs().log().expand(_C.broadcast_shapes(x.shape, scale.shape))
        else:
            change = _C.full_like(x, math.log(abs(scale)))
        return sum_rightmost(change, self._event_dim)

    def forward_shape(self, shape: Shape) -> Size:
        for value in (self.loc, self.scale):
            if isinstance(value, Tensor):
                shape = _C.broadcast_shapes(shape, value.shape)
        return as_size(shape)

    inverse_shape = forward_shape
