"""The Bernoulli distribution."""

from __future__ import annotations

import math

from .. import _C
from .._C import Tensor
from ..autograd.grad_mode import no_grad
from . import constraints
from ._probs_or_logits import ProbsOrLogits
from .exp_family import ExponentialFamily
from .utils import Shape, Value, broadcast_all

__all__ = ["Bernoulli"]


def cross_entropy(logits: Tensor, value: Tensor) -> Tensor:
    """``-log p(value)`` of a Bernoulli variable, without loss of digits."""
    logits, value = broadcast_all(logits, value)
    return _C.binary_cross_entropy_with_logits(logits, value.to(logits.dtype), reduction="none")


class Bernoulli(ProbsOrLogits, ExponentialFamily):
    """The distribution of 1 with probability `probs`, else 0.

    ``p(x) = probs ** x * (1 - probs) ** (1 - x)`` for x in {0, 1}

    Args:
        probs: the probability of 1.
        logits: ``log(probs / (1 - probs))``, in place of `probs`.
        validate_args: check parameters and values. Default: as ``set_default_validate_args`` says.

    Raises:
        ValueError: if both or none of `probs` and `logits` are given, or do not satisfy their
            constraint.

    Shape:
        The parameter has the batch shape; an event is a number.

    Example:
        >>> import tapegrad
        >>> p = tapegrad.distributions.Bernoulli(tapegrad.tensor([0.25]))
        >>> p.log_prob(tapegrad.tensor([1.0])), p.variance
        (tensor([-1.3863]), tensor([0.1875]))
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.boolean
    has_enumerate_support = True
    _mean_carrier_measure = 0

    def __init__(
        self,
        probs: Value | None = None,
        logits: Value | None = None,
        validate_args: bool | None = None,
    ) -> None:
        self._set_numbers(probs, logits)
        super().__init__(self.param_shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return self.probs

    @property
    def mode(self) -> Tensor:
        probs = self.probs
        return _C.where(probs == 0.5, math.nan, (probs > 0.5).to(probs.dtype))

    @property
    def variance(self) -> Tensor:
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape: Shape = ()) -> Tensor:
        with no_grad():
            return _C.bernoulli(self.probs.expand(self._extended_shape(sample_shape)))

    def _log_prob(self, value: Tensor) -> Tensor:
        return -cross_entropy(self.logits, value)

    def entropy(self) -> Tensor:
        return cross_entropy(self.logits, self.probs)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        param = self._param
        return self._enumerated(_C.arange(2, dtype=param.dtype, device=param.device), expand)

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        return (self.logits,)

    def _log_normalizer(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return -_C.log_sigmoid(-x)
