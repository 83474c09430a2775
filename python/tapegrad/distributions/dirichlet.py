"""The Dirichlet distribution."""

from __future__ import annotations

from .. import _C
from .._C import Tensor
from . import constraints
from .exp_family import ExponentialFamily
from .utils import Shape

__all__ = ["Dirichlet"]


class Dirichlet(ExponentialFamily):
    """The Dirichlet distribution on the simplex.

    ``p(x) = Gamma(sum(a)) * prod(x[i] ** (a[i] - 1) / Gamma(a[i]))``, where a is the concentration

    Args:
        concentration: positive numbers, one for each element of an event.
        validate_args: check parameters and values. Default: as ``set_default_validate_args`` says.

    Raises:
        ValueError: if the concentration has no dimension, or is not positive.

    Shape:
        `concentration` is ``batch_shape + (K,)``; an event is ``(K,)``.

    Example:
        >>> import tapegrad
        >>> tapegrad.distributions.Dirichlet(tapegrad.tensor([1.0, 3.0])).mean
        tensor([0.2500, 0.7500])
    """

    arg_constraints = {"concentration": constraints.independent(constraints.positive, 1)}
    support = constraints.simplex
    has_rsample = True
    concentration: Tensor

    def __init__(self, concentration: Tensor, validate_args: bool | None = None) -> None:
        if concentration.dim() < 1:
            raise ValueError("`concentration` parameter must be at least one-dimensional.")
        self.concentration = concentration
        shape = concentration.shape
        super().__init__(shape[:-1], shape[-1:], validate_args=validate_args)

    def rsample(self, sample_shape: Shape = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        return _C._sample_dirichlet(self.concentration.expand(shape))

    def _log_prob(self, value: Tensor) -> Tensor:
        a = self.concentration
        terms = _C.xlogy(a - 1, value) - _C.lgamma(a)
        return terms.sum(-1) + _C.lgamma(a.sum(-1))

    @property
    def mean(self) -> Tensor:
        return self.concentration / self.concentration.sum(-1, True)

    @property
    def mode(self) -> Tensor:
        a = self.concentration
        above = (a - 1).clamp(min=0)
        inner = above / above.sum(-1, True)
        # The density grows without bound towards every corner: the first one stands for them.
        corner = _C.zeros_like(a)
        corner[..., 0] = 1
        return _C.where((a < 1).all(-1, True), corner, inner)

    @property
    def variance(self) -> Tensor:
        total = self.concentration.sum(-1, True)
        mean = self.concentration / total
        return mean * (1 - mean) / (total + 1)

    def entropy(self) -> Tensor:
        a = self.concentration
        total = a.sum(-1)
        k = a.shape[-1]
        return (
            (_C.lgamma(a) - (a - 1) * _C.digamma(a)).sum(-1)
            - _C.lgamma(total)
            - (k - total) * _C.digamma(total)
        )

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        return (self.concentration,)

    def _log_normalizer(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return _C.lgamma(x).sum(-1) - _C.lgamma(x.sum(-1))
