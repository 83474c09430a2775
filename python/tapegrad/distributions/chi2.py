"""The chi-squared distribution."""

from __future__ import annotations

from .._C import Tensor
from . import constraints
from .gamma import Gamma
from .utils import Value, broadcast_all

__all__ = ["Chi2"]


class Chi2(Gamma):
    """The distribution of the sum of squares of `df` standard normal variables.

    It is ``Gamma(df / 2, 1 / 2)``.

    Args:
        df: the degrees of freedom, positive.
        validate_args: check parameters and values. Default: as ``set_default_validate_args`` says.

    Raises:
        ValueError: if `df` does not satisfy its constraint.

    Shape:
        `df` has the batch shape; an event is a number.

    Example:
        >>> import tapegrad
        >>> p = tapegrad.distributions.Chi2(3.0)
        >>> p.mean, p.variance
        (tensor(3.), tensor(6.))
    """

    arg_constraints = {"df": constraints.positive}

    def __init__(self, df: Value, validate_args: bool | None = None) -> None:
        (df,) = broadcast_all(df)
        super().__init__(0.5 * df, 0.5, validate_args=validate_args)

    @property
    def df(self) -> Tensor:
        """The degrees of freedom."""
        return 2 * self.concentration
