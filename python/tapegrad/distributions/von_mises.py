"""The von Mises distribution on the circle."""

from __future__ import annotations

import math

from .. import _C
from .._C import Tensor
from ..autograd.grad_mode import no_grad
from . import constraints
from .distribution import Distribution
from .utils import Shape, Value, alias, broadcast_all

__all__ = ["VonMises"]


class VonMises(Distribution):
    """The von Mises distribution of angles.

    ``p(x) = exp(concentration * cos(x - loc)) / (2 pi * I0(concentration))``

    Args:
        loc: the mean angle, in radians.
        concentration: how narrow it is, positive.
        validate_args: check parameters and values. Default: as ``set_default_validate_args`` says.

    Raises:
        ValueError: if a parameter does not satisfy its constraint.

    Shape:
        `loc` and `concentration` broadcast to the batch shape; an event is a number, drawn from
        ``[-pi, pi)``. The variance is the circular one.

    Example:
        >>> import tapegrad
        >>> p = tapegrad.distributions.VonMises(tapegrad.tensor(0.0), tapegrad.tensor(1.0))
        >>> p.log_prob(tapegrad.tensor(0.0)), p.variance
        (tensor(-1.0738), tensor(0.5536))
    """

    arg_constraints = {"loc": constraints.real, "concentration": constraints.positive}
    support = constraints.real
    loc: Tensor
    concentration: Tensor

    def __init__(self, loc: Value, concentration: Value, validate_args: bool | None = None) -> None:
        self.loc, self.concentration = broadcast_all(loc, concentration)
        super().__init__(self.loc.shape, validate_args=validate_args)

    mean = mode = alias("loc")

    @property
    def variance(self) -> Tensor:
        return 1 - _C.special_i1e(self.concentration) / _C.special_i0e(self.concentration)

    def _log_prob(self, value: Tensor) -> Tensor:
        # i0e is I0 without its exponential growth, which joins the cosine.
        above = ((value - self.loc).cos() - 1) * self.concentration
        return above - math.log(2 * math.pi) - _C.special_i0e(self.concentration).log()

    def sample(self, sample_shape: Shape = ()) -> Tensor:
        """Draws by the rejection method of Best and Fisher (1979), computed in float64."""
        with no_grad():
            shape = self._extended_shape(sample_shape)
            kappa = self.concentration.double()
            tau = 1 + (1 + 4 * kappa.square()).sqrt()
            rho = (tau - (2 * tau).sqrt()) / (2 * kappa)
            # For small concentrations rho is a difference of equal numbers.
            r = _C.where(kappa < 1e-5, 1 / kappa + kappa, (1 + rho.square()) / (2 * rho))
            kappa, r = kappa.expand(shape), r.expand(shape)
            x = _C.empty(shape, dtype=_C.float64)
            open_ = _C.ones(shape, dtype=_C.bool)
            while open_.any():
                u1, u2, u3 = _C.rand((3, *shape), dtype=_C.float64).unbind()
                z = (math.pi * u1).cos()
                f = (1 + r * z) / (r + z)
                c = kappa * (r - f)
                accept = (c * (2 - c) > u2) | ((c / u2).log() + 1 - c >= 0)
                x = _C.where(accept & open_, (u3 - 0.5).sign() * f.clamp(-1, 1).acos(), x)
                open_ = open_ & ~accept
            angle = (x + math.pi + self.loc.double()) % (2 * math.pi) - math.pi
            return angle.to(self.loc.dtype)
