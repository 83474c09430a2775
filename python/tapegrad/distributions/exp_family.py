"""Families whose density has the form ``exp(<eta, t(x)> - A(eta) + k(x))``."""

from __future__ import annotations

from .. import autograd
from .._C import Tensor
from ..autograd.grad_mode import enable_grad
from .distribution import Distribution
from .utils import sum_rightmost

__all__ = ["ExponentialFamily"]


class ExponentialFamily(Distribution):
    """A family with density ``exp(<eta, t(x)> - A(eta) + k(x))``.

    A subclass has the natural parameters eta as ``_natural_params``, the log normaliser A as
    ``_log_normalizer`` and the mean of k as ``_mean_carrier_measure``. The mean of the statistics
    t is the gradient of A, so the entropy and the divergence of two members of the family follow
    by differentiation.

    Example:
        >>> import tapegrad
        >>> from tapegrad.distributions import Exponential, ExponentialFamily
        >>> p = Exponential(tapegrad.tensor([1.0, 2.0]))
        >>> ExponentialFamily.entropy(p)
        tensor([1.0000, 0.3069])
        >>> p.entropy()
        tensor([1.0000, 0.3069])
    """

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        raise self._missing("_natural_params")

    def _log_normalizer(self, *natural_params: Tensor) -> Tensor:
        raise self._missing("_log_normalizer")

    @property
    def _mean_carrier_measure(self) -> Tensor | float:
        raise self._missing("_mean_carrier_measure")

    def _mean_statistics(self) -> tuple[Tensor, tuple[Tensor, ...], tuple[Tensor, ...]]:
        """The log normaliser, the natural parameters, and the gradient of one in the other."""
        natural = self._natural_params
        with enable_grad():
            leaves = tuple(p if p.requires_grad else p.detach().requires_grad_() for p in natural)
            normalizer = self._log_normalizer(*leaves)
            means = autograd.grad(normalizer.sum(), leaves, create_graph=True)
        if any(p.requires_grad for p in natural):
            return normalizer, natural, means
        return normalizer.detach(), natural, tuple(mean.detach() for mean in means)

    def entropy(self) -> Tensor:
        carrier = self._mean_carrier_measure
        result, params, means = self._mean_statistics()
        for eta, mean in zip(params, means):
            result = result - sum_rightmost(eta * mean, len(self._event_shape))
        return result - carrier
