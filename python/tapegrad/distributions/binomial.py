"""The binomial distribution."""

from __future__ import annotations

from typing import Any

from .. import _C
from .._C import Tensor
from ..autograd.grad_mode import no_grad
from . import constraints
from ._probs_or_logits import ProbsOrLogits
from .utils import Shape, Value

__all__ = ["Binomial"]


class Binomial(ProbsOrLogits):
    """The number of successes among `total_count` trials.

    ``p(k) = C(n, k) * probs ** k * (1 - probs) ** (n - k)`` for k = 0, ..., n = total_count

    Args:
        total_count: the number of trials, whole numbers. Default: 1.
        probs: the probability of success.
        logits: ``log(probs / (1 - probs))``, in place of `probs`.
        validate_args: check parameters and values. Default: as ``set_default_validate_args`` says.

    Raises:
        ValueError: if both or none of `probs` and `logits` are given, or a parameter does not
            satisfy its constraint.
        NotImplementedError: by ``entropy`` and ``enumerate_support`` of a batch with several
            numbers of trials.

    Shape:
        `total_count` and the other parameter broadcast to the batch shape; an event is a number.

    Example:
        >>> import tapegrad
        >>> p = tapegrad.distributions.Binomial(2, tapegrad.tensor(0.5))
        >>> p.log_prob(p.enumerate_support()).exp()
        tensor([0.2500, 0.5000, 0.2500])
    """

    arg_constraints = {
        "total_count": constraints.nonnegative_integer,
        "probs": constraints.unit_interval,
        "logits": constraints.real,
    }
    has_enumerate_support = True
    total_count: Tensor

    def __init__(
        self,
        total_count: Value = 1,
        probs: Value | None = None,
        logits: Value | None = None,
        validate_args: bool | None = None,
    ) -> None:
        self.total_count = self._set_counted(total_count, probs, logits)
        super().__init__(self.param_shape, validate_args=validate_args)

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self) -> Any:
        """The whole numbers up to the number of trials."""
        return constraints.integer_interval(0, self.total_count)

    @property
    def mean(self) -> Tensor:
        return self.total_count * self.probs

    @property
    def mode(self) -> Tensor:
        return ((self.total_count + 1) * self.probs).floor().minimum(self.total_count)

    @property
    def variance(self) -> Tensor:
        return self.total_count * self.probs * (1 - self.probs)

    def sample(self, sample_shape: Shape = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        with no_grad():
            return _C.binomial(self.total_count.expand(shape), self.probs.expand(shape))

    def _log_prob(self, value: Tensor) -> Tensor:
        n, logits = self.total_count, self.logits
        rest = n - value
        ways = _C.lgamma(n + 1) - _C.lgamma(value + 1) - _C.lgamma(rest + 1)
        return ways + value * _C.log_sigmoid(logits) + rest * _C.log_sigmoid(-logits)

    def _one_count(self, what: str) -> int:
        count = int(self.total_count.max())
        if not self.total_count.min() == count:
            raise NotImplementedError(f"Inhomogeneous total count not supported by `{what}`.")
        return count

    def entropy(self) -> Tensor:
        self._one_count("entropy")
        log_prob = self._log_prob(self.enumerate_support(False))
        return -(log_prob.exp() * log_prob).sum(0)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        count = self._one_count("enumerate_support")
        param = self._param
        values = _C.arange(1 + count, dtype=param.dtype, device=param.device)
        return self._enumerated(values, expand)
