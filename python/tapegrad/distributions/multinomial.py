"""The multinomial distribution."""

from __future__ import annotations

import math
from typing import Any

from .. import _C
from .._C import Size, Tensor
from ..autograd.grad_mode import no_grad
from . import constraints
from .binomial import Binomial
from .categorical import Categorical
from .distribution import Distribution
from .utils import Shape, alias, broadcast_all

__all__ = ["Multinomial"]


class Multinomial(Distribution):
    """How often each of K categories is drawn in `total_count` draws.

    ``p(x) = n! * prod(probs[k] ** x[k] / x[k]!)`` where the x[k] sum to n = total_count

    ``log_prob`` takes the number of draws from the value, so that one distribution serves for
    several of them where arguments are not validated.

    Args:
        total_count: the number of draws, an int. Default: 1.
        probs: probabilities, not negative; they need not sum to 1.
        logits: log-probabilities up to a number added to all of them, in place of `probs`.
        validate_args: check parameters and values. Default: as ``set_default_validate_args`` says.

    Raises:
        NotImplementedError: if `total_count` is no int.
        ValueError: if both or none of `probs` and `logits` are given, have no dimension, or do
            not satisfy their constraint.

    Shape:
        The parameter is ``batch_shape + (K,)``; an event is ``(K,)``.

    Example:
        >>> import tapegrad
        >>> p = tapegrad.distributions.Multinomial(4, tapegrad.tensor([1.0, 3.0]))
        >>> p.mean, p.log_prob(tapegrad.tensor([1.0, 3.0]))
        (tensor([1., 3.]), tensor(-0.8630))
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    probs: Tensor = alias("_categorical.probs")
    logits: Tensor = alias("_categorical.logits")
    _param: Tensor = alias("_categorical._param")
    param_shape: Size = alias("_categorical.param_shape")

    def __init__(
        self,
        total_count: int = 1,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        if not isinstance(total_count, int):
            raise NotImplementedError("inhomogeneous total_count is not supported")
        self.total_count = total_count
        self._categorical = Categorical(probs, logits, validate_args=False)
        shape = self._categorical.param_shape
        super().__init__(shape[:-1], shape[-1:], validate_args=validate_args)

    @constraints.dependent_property(is_discrete=True, event_dim=1)
    def support(self) -> Any:
        """Counts with at most the given sum."""
        return constraints.multinomial(self.total_count)

    @property
    def mean(self) -> Tensor:
        return self.probs * self.total_count

    @property
    def variance(self) -> Tensor:
        return self.total_count * self.probs * (1 - self.probs)

    def sample(self, sample_shape: Shape = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        with no_grad():
            index = self._categorical.sample((self.total_count, *sample_shape)).movedim(0, -1)
            counts = self._param.new_zeros(shape)
            return counts.scatter_add_(-1, index, _C.ones_like(index).to(counts.dtype))

    def _log_prob(self, value: Tensor) -> Tensor:
        logits, value = broadcast_all(self.logits, value)
        # What never happens costs nothing where it was not counted.
        logits = logits.masked_fill((value == 0) & (logits == -math.inf), 0)
        ways = _C.lgamma(value.sum(-1) + 1) - _C.lgamma(value + 1).sum(-1)
        return ways + (logits * value).sum(-1)

    def entropy(self) -> Tensor:
        n = self.total_count
        binomial = Binomial(n, self.probs, validate_args=False)
        counts = binomial.enumerate_support(False)[1:]
        repeated = (binomial._log_prob(counts).exp() * _C.lgamma(counts + 1)).sum((0, -1))
        return n * self._categorical.entropy() - math.lgamma(n + 1) + repeated
