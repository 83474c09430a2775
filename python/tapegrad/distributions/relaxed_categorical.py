"""Continuous relaxations of the one-hot categorical distribution."""

from __future__ import annotations

import math

from .._C import Tensor
from . import constraints
from .categorical import NormalizedProbsOrLogits
from .transformed_distribution import TransformedDistribution
from .transforms import ExpTransform
from .utils import Shape, alias, standard_gumbel

__all__ = ["ExpRelaxedCategorical", "RelaxedOneHotCategorical"]


class ExpRelaxedCategorical(NormalizedProbsOrLogits):
    """The logarithm of a relaxed one-hot variable, whose exponentials sum to 1.

    ``p(x) = (K - 1)! * t ** (K - 1) * prod(softmax(logits - t * x))``, where t is the temperature

    Args:
        temperature: the temperature, positive.
        probs: probabilities, not negative; they need not sum to 1.
        logits: log-probabilities up to a number added to all of them, in place of `probs`.
        validate_args: check parameters and values. Default: as ``set_default_validate_args`` says.

    Raises:
        ValueError: if both or none of `probs` and `logits` are given, have no dimension, or do
            not satisfy their constraint.

    Shape:
        The parameter is ``batch_shape + (K,)``; an event is ``(K,)``.

    Example:
        >>> import tapegrad
        >>> from tapegrad.distributions.relaxed_categorical import ExpRelaxedCategorical
        >>> p = ExpRelaxedCategorical(tapegrad.tensor(1.0), tapegrad.ones(2))
        >>> p.log_prob(tapegrad.tensor([0.5, 0.5]).log())
        tensor(-1.3863)
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    support = constraints.real_vector  # in truth a subset of it
    has_rsample = True

    def __init__(
        self,
        temperature: Tensor,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        self.temperature = temperature
        self._set_normalized(probs, logits)
        shape = self.param_shape
        super().__init__(shape[:-1], shape[-1:], validate_args=validate_args)

    def rsample(self, sample_shape: Shape = ()) -> Tensor:
        noise = standard_gumbel(self._extended_shape(sample_shape), self._param)
        return ((self.logits + noise) / self.temperature).log_softmax(-1)

    def _log_prob(self, value: Tensor) -> Tensor:
        t = self.temperature
        k = self._event_shape[0]
        log_t = t.log() if isinstance(t, Tensor) else math.log(t)
        scores = (self.logits - value * t).log_softmax(-1)
        return scores.sum(-1) + (math.lgamma(k) + log_t * (k - 1))


class RelaxedOneHotCategorical(TransformedDistribution):
    """A relaxation of one-hot vectors to the simplex, with draws through which gradients flow.

    A draw is ``softmax((logits + Gumbel noise) / temperature)``: close to a one-hot vector where
    the temperature is low.

    Args:
        temperature: the temperature, positive.
        probs: probabilities of the distribution that is relaxed; they need not sum to 1.
        logits: log-probabilities up to a number added to all of them, in place of `probs`.
        validate_args: check parameters and values. Default: as ``set_default_validate_args`` says.

    Raises:
        ValueError: if both or none of `probs` and `logits` are given, have no dimension, or do
            not satisfy their constraint.

    Shape:
        The parameter is ``batch_shape + (K,)``; an event is ``(K,)``.

    Example:
        >>> import tapegrad
        >>> from tapegrad.distributions import RelaxedOneHotCategorical
        >>> p = RelaxedOneHotCategorical(tapegrad.tensor(1.0), tapegrad.ones(2))
        >>> p.log_prob(tapegrad.tensor([0.5, 0.5]))
        tensor(0.)
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    support = constraints.simplex
    has_rsample = True
    temperature: Tensor = alias("base_dist.temperature")
    probs: Tensor = alias("base_dist.probs")
    logits: Tensor = alias("base_dist.logits")

    def __init__(
        self,
        temperature: Tensor,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        base = ExpRelaxedCategorical(temperature, probs, logits, validate_args=validate_args)
        super().__init__(base, ExpTransform(), validate_args=validate_args)
