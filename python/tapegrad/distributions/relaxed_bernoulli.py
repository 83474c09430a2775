"""Continuous relaxations of the Bernoulli distribution."""

from __future__ import annotations

from .. import _C
from .._C import Tensor
from . import constraints
from ._probs_or_logits import ProbsOrLogits
from .transformed_distribution import TransformedDistribution
from .transforms import SigmoidTransform
from .utils import Shape, Value, alias, standard_uniform

__all__ = ["LogitRelaxedBernoulli", "RelaxedBernoulli"]


class LogitRelaxedBernoulli(ProbsOrLogits):
    """The logit of a relaxed Bernoulli variable: logistic noise over a temperature.

    ``p(x) = t * exp(d) / (1 + exp(d)) ** 2`` with ``d = logits - t * x``, where t is the
    temperature

    Args:
        temperature: the temperature, positive.
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
        >>> from tapegrad.distributions.relaxed_bernoulli import LogitRelaxedBernoulli
        >>> p = LogitRelaxedBernoulli(tapegrad.tensor(1.0), tapegrad.tensor(0.5))
        >>> p.log_prob(tapegrad.tensor(0.0))
        tensor(-1.3863)
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.real
    has_rsample = True

    def __init__(
        self,
        temperature: Tensor,
        probs: Value | None = None,
        logits: Value | None = None,
        validate_args: bool | None = None,
    ) -> None:
        self.temperature = temperature
        self._set_numbers(probs, logits)
        super().__init__(self.param_shape, validate_args=validate_args)

    def rsample(self, sample_shape: Shape = ()) -> Tensor:
        noise = standard_uniform(self._extended_shape(sample_shape), self._param)
        return (noise.logit() + self.logits) / self.temperature

    def _log_prob(self, value: Tensor) -> Tensor:
        d = self.logits - value * self.temperature
        t = self.temperature
        log_t = t.log() if isinstance(t, Tensor) else _C.scalar_tensor(t).log()
        return log_t + d + 2 * _C.log_sigmoid(-d)


class RelaxedBernoulli(TransformedDistribution):
    """A relaxation of Bernoulli to (0, 1), with draws through which gradients flow.

    A draw is ``sigmoid((logits + logistic noise) / temperature)``: close to 0 or 1 where the
    temperature is low.

    Args:
        temperature: the temperature, positive.
        probs: the probability of 1 of the distribution that is relaxed.
        logits: ``log(probs / (1 - probs))``, in place of `probs`.
        validate_args: check parameters and values. Default: as ``set_default_validate_args`` says.

    Raises:
        ValueError: if both or none of `probs` and `logits` are given, or do not satisfy their
            constraint.

    Shape:
        The parameter has the batch shape; an event is a number.

    Example:
        >>> import tapegrad
        >>> p = tapegrad.distributions.RelaxedBernoulli(tapegrad.tensor(0.5), tapegrad.tensor(0.5))
        >>> p.log_prob(tapegrad.tensor(0.5))
        tensor(-0.6931)
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.unit_interval
    has_rsample = True
    temperature: Tensor = alias("base_dist.temperature")
    probs: Tensor = alias("base_dist.probs")
    logits: Tensor = alias("base_dist.logits")

    def __init__(
        self,
        temperature: Tensor,
        probs: Value | None = None,
        logits: Value | None = None,
        validate_args: bool | None = None,
    ) -> None:
        base = LogitRelaxedBernoulli(temperature, probs, logits)
        super().__init__(base, SigmoidTransform(), validate_args=validate_args)
