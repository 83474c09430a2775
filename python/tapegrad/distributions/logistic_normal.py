"""The logistic-normal distribution."""

from __future__ import annotations

from .._C import Tensor
from . import constraints
from .normal import Normal
from .transformed_distribution import TransformedDistribution
from .transforms import StickBreakingTransform
from .utils import Value, alias

__all__ = ["LogisticNormal"]


class LogisticNormal(TransformedDistribution):
    """The distribution on the simplex of a stick that normal variables break.

    A draw is ``StickBreakingTransform()(x)``, where the K elements of x are normal.

    Args:
        loc: the means.
        scale: the standard deviations, positive.
        validate_args: check parameters and values. Default: as ``set_default_validate_args`` says.

    Raises:
        ValueError: if a parameter does not satisfy its constraint.

    Shape:
        `loc` and `scale` broadcast to ``batch_shape + (K,)``; an event is ``(K + 1,)``.

    Example:
        >>> import tapegrad
        >>> p = tapegrad.distributions.LogisticNormal(tapegrad.zeros(2), tapegrad.ones(2))
        >>> p.log_prob(tapegrad.tensor([0.2, 0.3, 0.5]))
        tensor(1.2980)
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.simplex
    has_rsample = True
    loc: Tensor = alias("base_dist.base_dist.loc")
    scale: Tensor = alias("base_dist.base_dist.scale")

    def __init__(self, loc: Value, scale: Value, validate_args: bool | None = None) -> None:
        base = Normal(loc, scale, validate_args=validate_args)
        if not base.batch_shape:
            base = base.expand((1,))
        super().__init__(base, StickBreakingTransform(), validate_args=validate_args)
