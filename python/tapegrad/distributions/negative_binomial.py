"""The negative binomial distribution."""

from __future__ import annotations

from .. import _C
from .._C import Tensor
from ..autograd.grad_mode import no_grad
from . import constraints
from ._probs_or_logits import ProbsOrLogits
from .gamma import Gamma
from .utils import Shape, Value, lazy_property

__all__ = ["NegativeBinomial"]


class NegativeBinomial(ProbsOrLogits):
    """The number of successes before `total_count` failures.

    ``p(k) = Gamma(n + k) / (k! * Gamma(n)) * (1 - probs) ** n * probs ** k`` for k = 0, 1, ... and
    n = total_count

    Args:
        total_count: the number of failures, not negative; need not be whole.
        probs: the probability of success, in [0, 1).
        logits: ``log(probs / (1 - probs))``, in place of `probs`.
        validate_args: check parameters and values. Default: as ``set_default_validate_args`` says.

    Raises:
        ValueError: if both or none of `probs` and `logits` are given, or a parameter does not
            satisfy its constraint.

    Shape:
        `total_count` and the other parameter broadcast to the batch shape; an event is a number.

    Example:
        >>> import tapegrad
        >>> tapegrad.distributions.NegativeBinomial(3.0, tapegrad.tensor(0.5)).mean
        tensor(3.)
    """

    arg_constraints = {
        "total_count": constraints.greater_than_eq(0),
        "probs": constraints.half_open_interval(0.0, 1.0),
        "logits": constraints.real,
    }
    support = constraints.nonnegative_integer
    total_count: Tensor

    def __init__(
        self,
        total_count: Value,
        probs: Value | None = None,
        logits: Value | None = None,
        validate_args: bool | None = None,
    ) -> None:
        self.total_count = self._set_counted(total_count, probs, logits)
        super().__init__(self.param_shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return self.total_count * self.logits.exp()

    @property
    def mode(self) -> Tensor:
        return ((self.total_count - 1) * self.logits.exp()).floor().clamp(min=0)

    @property
    def variance(self) -> Tensor:
        return self.mean / (-self.logits).sigmoid()

    @lazy_property
    def _gamma(self) -> Gamma:
        return Gamma(self.total_count, (-self.logits).exp(), validate_args=False)

    def sample(self, sample_shape: Shape = ()) -> Tensor:
        with no_grad():
            return _C.poisson(self._gamma.sample(sample_shape))

    def _log_prob(self, value: Tensor) -> Tensor:
        n, logits = self.total_count, self.logits
        kernel = n * _C.log_sigmoid(-logits) + value * _C.log_sigmoid(logits)
        ways = _C.lgamma(n + value) - _C.lgamma(1 + value) - _C.lgamma(n)
        # Without a failure to wait for, zero is certain.
        return kernel + _C.where(n + value == 0, 0.0, ways)
