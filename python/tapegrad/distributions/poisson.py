"""The Poisson distribution."""

from __future__ import annotations

from .. import _C
from .._C import Tensor
from ..autograd.grad_mode import no_grad
from . import constraints
from .exp_family import ExponentialFamily
from .utils import Shape, Value, alias, broadcast_all

__all__ = ["Poisson"]


class Poisson(ExponentialFamily):
    """The Poisson distribution, of the number of independent events.

    ``p(k) = rate ** k * exp(-rate) / k!`` for k = 0, 1, ...

    Args:
        rate: the mean, not negative.
        validate_args: check parameters and values. Default: as ``set_default_validate_args`` says.

    Raises:
        ValueError: if the rate does not satisfy its constraint.

    Shape:
        `rate` has the batch shape; an event is a number.

    Example:
        >>> import tapegrad
        >>> tapegrad.distributions.Poisson(2.0).log_prob(tapegrad.tensor([0.0, 2.0]))
        tensor([-2.0000, -1.3069])
    """

    arg_constraints = {"rate": constraints.nonnegative}
    support = constraints.nonnegative_integer
    rate: Tensor

    def __init__(self, rate: Value, validate_args: bool | None = None) -> None:
        (self.rate,) = broadcast_all(rate)
        super().__init__(self.rate.shape, validate_args=validate_args)

    mean = variance = alias("rate")

    @property
    def mode(self) -> Tensor:
        return self.rate.floor()

    def sample(self, sample_shape: Shape = ()) -> Tensor:
        with no_grad():
            return _C.poisson(self.rate.expand(self._extended_shape(sample_shape)))

    def _log_prob(self, value: Tensor) -> Tensor:
        return _C.xlogy(value, self.rate) - self.rate - _C.lgamma(value + 1)

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        return (self.rate.log(),)

    def _log_normalizer(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return x.exp()
