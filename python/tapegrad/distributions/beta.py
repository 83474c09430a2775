"""The beta distribution."""

from __future__ import annotations

from .. import _C
from .._C import Tensor
from . import constraints
from .dirichlet import Dirichlet
from .exp_family import ExponentialFamily
from .utils import Shape, Value, broadcast_all

__all__ = ["Beta"]


class Beta(ExponentialFamily):
    """The beta distribution.

    ``p(x) = x ** (a - 1) * (1 - x) ** (b - 1) / B(a, b)`` for 0 <= x <= 1, where a and b are the
    concentrations

    Args:
        concentration1: the exponent a, positive.
        concentration0: the exponent b, positive.
        validate_args: check parameters and values. Default: as ``set_default_validate_args`` says.

    Raises:
        ValueError: if a concentration is not positive.

    Shape:
        The concentrations broadcast to the batch shape; an event is a number.

    Example:
        >>> import tapegrad
        >>> p = tapegrad.distributions.Beta(2.0, 2.0)
        >>> p.mean, p.log_prob(tapegrad.tensor(0.5))
        (tensor(0.5000), tensor(0.4055))
    """

    arg_constraints = {
        "concentration1": constraints.positive,
        "concentration0": constraints.positive,
    }
    support = constraints.unit_interval
    has_rsample = True

    def __init__(
        self, concentration1: Value, concentration0: Value, validate_args: bool | None = None
    ) -> None:
        both = _C.stack(broadcast_all(concentration1, concentration0), -1)
        self._dirichlet = Dirichlet(both, validate_args=validate_args)
        super().__init__(both.shape[:-1], validate_args=validate_args)

    @property
    def concentration1(self) -> Tensor:
        """The exponent a."""
        return self._dirichlet.concentration[..., 0]

    @property
    def concentration0(self) -> Tensor:
        """The exponent b."""
        return self._dirichlet.concentration[..., 1]

    @property
    def mean(self) -> Tensor:
        return self._dirichlet.mean[..., 0]

    @property
    def mode(self) -> Tensor:
        return self._dirichlet.mode[..., 0]

    @property
    def variance(self) -> Tensor:
        return self._dirichlet.variance[..., 0]

    def rsample(self, sample_shape: Shape = ()) -> Tensor:
        return self._dirichlet.rsample(sample_shape)[..., 0]

    def _log_prob(self, value: Tensor) -> Tensor:
        a, b = self._dirichlet.concentration.unbind(-1)
        norm = _C.lgamma(a) + _C.lgamma(b) - _C.lgamma(a + b)
        return _C.xlogy(a - 1, value) + _C.special_xlog1py(b - 1, -value) - norm

    def entropy(self) -> Tensor:
        return self._dirichlet.entropy()

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        return self.concentration1, self.concentration0

    def _log_normalizer(self, x: Tensor, y: Tensor) -> Tensor:  # type: ignore[override]
        return _C.lgamma(x) + _C.lgamma(y) - _C.lgamma(x + y)
