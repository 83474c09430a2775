"""Families that are given by probabilities or by their logits."""

from __future__ import annotations

from typing import Any, ClassVar

from .._C import Size, Tensor
from .distribution import Distribution
from .utils import Value, broadcast_all, lazy_property, logits_to_probs, probs_to_logits

__all__ = ["ProbsOrLogits", "check_one_of"]


def check_one_of(probs: Any, logits: Any) -> None:
    """Raises ValueError unless exactly one of both is given."""
    if (probs is None) == (logits is None):
        raise ValueError("Either `probs` or `logits` must be specified, but not both.")


class ProbsOrLogits(Distribution):
    """A family with ``probs`` or ``logits`` as a parameter: the other one follows when it is used.

    Logits are log-odds where ``_is_binary``, else log-probabilities along the last dimension.
    """

    _is_binary: ClassVar[bool] = True
    _given: str

    def _set_param(self, probs: Tensor | None, logits: Tensor | None) -> None:
        self._given = "logits" if probs is None else "probs"
        vars(self)[self._given] = logits if probs is None else probs

    def _set_numbers(self, probs: Value | None, logits: Value | None) -> None:
        """Sets the one that is given."""
        check_one_of(probs, logits)
        if probs is not None:
            self._set_param(broadcast_all(probs)[0], None)
        elif logits is not None:
            self._set_param(None, broadcast_all(logits)[0])

    def _set_counted(self, count: Value, probs: Value | None, logits: Value | None) -> Tensor:
        """Sets the one that is given, broadcast with a count, which is returned."""
        check_one_of(probs, logits)
        given = logits if probs is None else probs
        count, param = broadcast_all(count, given)  # type: ignore[arg-type]
        self._set_param(*((None, param) if probs is None else (param, None)))
        return count.to(param.dtype)

    @lazy_property
    def probs(self) -> Tensor:
        """The probabilities."""
        return logits_to_probs(self.logits, self._is_binary)

    @lazy_property
    def logits(self) -> Tensor:
        """The logits."""
        return probs_to_logits(self.probs, self._is_binary)

    @property
    def _param(self) -> Tensor:
        """The one that was given."""
        return vars(self)[self._given]

    @property
    def param_shape(self) -> Size:
        """The shape of the parameter that was given."""
        return self._param.shape
