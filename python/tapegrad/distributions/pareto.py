"""The Pareto distribution."""

from __future__ import annotations

import math
from typing import Any

from .. import _C
from .._C import Tensor
from . import constraints
from .exponential import Exponential
from .transformed_distribution import TransformedDistribution
from .transforms import AffineTransform, ExpTransform
from .utils import Value, alias, broadcast_all

__all__ = ["Pareto"]


class Pareto(TransformedDistribution):
    """The Pareto distribution (of type 1).

    ``p(x) = alpha * scale ** alpha / x ** (alpha + 1)`` for x >= scale

    Args:
        scale: the smallest value, positive.
        alpha: the exponent, positive.
        validate_args: check parameters and values. Default: as ``set_default_validate_args`` says.

    Raises:
        ValueError: if a parameter does not satisfy its constraint.

    Shape:
        `scale` and `alpha` broadcast to the batch shape; an event is a number.

    Example:
        >>> import tapegrad
        >>> tapegrad.distributions.Pareto(1.0, 2.0).log_prob(tapegrad.tensor([1.0, 2.0]))
        tensor([ 0.6931, -1.3863])
    """

    arg_constraints = {"alpha": constraints.positive, "scale": constraints.positive}
    scale: Tensor
    alpha: Tensor

    def __init__(self, scale: Value, alpha: Value, validate_args: bool | None = None) -> None:
        self.scale, self.alpha = broadcast_all(scale, alpha)
        base = Exponential(self.alpha, validate_args=validate_args)
        steps = [ExpTransform(), AffineTransform(0, self.scale)]
        super().__init__(base, steps, validate_args=validate_args)

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> Any:
        """The numbers from the scale on."""
        return constraints.greater_than_eq(self.scale)

    mode = alias("scale")

    @property
    def mean(self) -> Tensor:
        alpha = self.alpha
        return _C.where(alpha > 1, alpha * self.scale / (alpha - 1), math.inf)

    @property
    def variance(self) -> Tensor:
        alpha = self.alpha
        value = self.scale.square() * alpha / ((alpha - 1).square() * (alpha - 2))
        return _C.where(alpha > 2, value, math.inf)

    def _log_prob(self, value: Tensor) -> Tensor:
        return self.alpha.log() - self.alpha * (value / self.scale).log() - value.log()

    def entropy(self) -> Tensor:
        return (self.scale / self.alpha).log() + 1 + self.alpha.reciprocal()
