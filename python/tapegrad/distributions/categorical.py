"""The categorical distribution."""

from __future__ import annotations

import math
from typing import Any

from .. import _C
from .._C import Tensor
from ..autograd.grad_mode import no_grad
from . import constraints
from ._probs_or_logits import ProbsOrLogits, check_one_of
from .utils import Shape, largest

__all__ = ["Categorical", "NormalizedProbsOrLogits"]


class NormalizedProbsOrLogits(ProbsOrLogits):
    """Probabilities along the last dimension, or logits there; normalised when they are set."""

    _is_binary = False

    def _set_normalized(self, probs: Tensor | None, logits: Tensor | None) -> None:
        check_one_of(probs, logits)
        if probs is not None:
            if probs.dim() < 1:
                raise ValueError("`probs` parameter must be at least one-dimensional.")
            probs = probs / probs.sum(-1, True)
        elif logits is not None:
            if logits.dim() < 1:
                raise ValueError("`logits` parameter must be at least one-dimensional.")
            logits = logits.log_softmax(-1)
        self._set_param(probs, logits)


class Categorical(NormalizedProbsOrLogits):
    """The distribution of the indices 0, ..., K - 1 with given probabilities.

    ``p(k) = probs[k] / sum(probs)``

    Args:
        probs: probabilities, not negative; they need not sum to 1.
        logits: log-probabilities up to a number added to all of them, in place of `probs`.
        validate_args: check parameters and values. Default: as ``set_default_validate_args`` says.

    Raises:
        ValueError: if both or none of `probs` and `logits` are given, have no dimension, or do
            not satisfy their constraint.

    Shape:
        The parameter is ``batch_shape + (K,)``; an event is a number (int64 where drawn).

    Example:
        >>> import tapegrad
        >>> p = tapegrad.distributions.Categorical(tapegrad.tensor([1.0, 1.0, 2.0]))
        >>> p.probs, p.log_prob(tapegrad.tensor(2))
        (tensor([0.2500, 0.2500, 0.5000]), tensor(-0.6931))
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    has_enumerate_support = True

    def __init__(
        self,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        self._set_normalized(probs, logits)
        shape = self.param_shape
        self._num_events = shape[-1]
        super().__init__(shape[:-1], validate_args=validate_args)

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self) -> Any:
        """The indices."""
        return constraints.integer_interval(0, self._num_events - 1)

    @property
    def mean(self) -> Tensor:
        param = self._param
        return _C.full(self._batch_shape, math.nan, dtype=param.dtype, device=param.device)

    variance = mean

    @property
    def mode(self) -> Tensor:
        return self._param.argmax(-1)

    def sample(self, sample_shape: Shape = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        with no_grad():
            rows = self.probs.reshape(-1, self._num_events)
            count = math.prod(sample_shape)
            if not count:
                return rows.new_empty(shape, dtype=_C.int64)
            return _C.multinomial(rows, count, True).t().reshape(shape)

    def _log_prob(self, value: Tensor) -> Tensor:
        index = value.long().unsqueeze(-1)
        logits = self.logits
        if index.shape[:-1] != logits.shape[:-1]:
            batch = _C.broadcast_shapes(index.shape[:-1], logits.shape[:-1])
            index = index.expand((*batch, 1))
            logits = logits.expand((*batch, self._num_events))
        return logits.gather(-1, index).squeeze(-1)

    def entropy(self) -> Tensor:
        logits = self.logits
        return -(logits.clamp(min=-largest(logits)) * self.probs).sum(-1)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        return self._enumerated(_C.arange(self._num_events, device=self._param.device), expand)
