"""Mixtures of distributions of one family."""

from __future__ import annotations

from typing import Any

from .. import _C
from .._C import Tensor
from ..autograd.grad_mode import no_grad
from . import constraints
from .categorical import Categorical
from .distribution import Distribution
from .utils import Shape, as_size

__all__ = ["MixtureSameFamily"]


class MixtureSameFamily(Distribution):
    """A mixture whose components are the last batch dimension of one distribution.

    ``p(x) = sum(weights[k] * p_k(x))``

    Args:
        mixture_distribution: a Categorical, which gives the component.
        component_distribution: the components; their last batch dimension counts them.
        validate_args: check parameters and values. Default: as ``set_default_validate_args`` says.

    Raises:
        ValueError: if an argument is no such distribution, or the shapes do not fit.

    Shape:
        The batch shape is that of the components without its last dimension.

    Example:
        >>> import tapegrad
        >>> from tapegrad.distributions import Categorical, MixtureSameFamily, Normal
        >>> weights = Categorical(tapegrad.tensor([0.5, 0.5]))
        >>> p = MixtureSameFamily(weights, Normal(tapegrad.tensor([-1.0, 1.0]), 1.0))
        >>> p.mean, p.variance
        (tensor(0.), tensor(2.))
    """

    arg_constraints: Any = {}
    has_rsample = False

    def __init__(
        self,
        mixture_distribution: Categorical,
        component_distribution: Distribution,
        validate_args: bool | None = None,
    ) -> None:
        if not isinstance(mixture_distribution, Categorical):
            raise ValueError(
                " The Mixture distribution needs to be an  instance of "
                "tapegrad.distributions.Categorical"
            )
        if not isinstance(component_distribution, Distribution):
            raise ValueError(
                "The Component distribution needs to be an instance of "
                "tapegrad.distributions.Distribution"
            )
        weights, batch = mixture_distribution.batch_shape, component_distribution.batch_shape
        if not batch:
            raise IndexError(
                "tuple index out of range: the components need a batch dimension that counts them"
            )
        for i, j in zip(reversed(weights), reversed(batch[:-1])):
            if i != j and i != 1 and j != 1:
                raise ValueError(
                    f"`mixture_distribution.batch_shape` ({weights}) is not compatible with "
                    f"`component_distribution.batch_shape`({batch[:-1]})"
                )
        count = mixture_distribution.param_shape[-1]
        if count != batch[-1]:
            raise ValueError(
                f"`mixture_distribution component` ({count}) does not equal "
                f"`component_distribution.batch_shape[-1]` ({batch[-1]})"
            )
        self._mixture_distribution = mixture_distribution
        self._component_distribution = component_distribution
        self._num_component = count
        self._event_ndims = len(component_distribution.event_shape)
        super().__init__(
            batch[:-1], component_distribution.event_shape, validate_args=validate_args
        )

    def expand(self, batch_shape: Shape, _instance: Any = None) -> Any:
        batch_shape = as_size(batch_shape)
        new = self._new_like(batch_shape, _instance)
        new._mixture_distribution = self._mixture_distribution.expand(batch_shape)
        components = (*batch_shape, self._num_component)
        new._component_distribution = self._component_distribution.expand(components)
        return new

    @constraints.dependent_property
    def support(self) -> Any:
        """What every component may give."""
        return constraints.MixtureSameFamilyConstraint(self._component_distribution.support)

    @property
    def mixture_distribution(self) -> Categorical:
        """The distribution of the component."""
        return self._mixture_distribution

    @property
    def component_distribution(self) -> Distribution:
        """The components."""
        return self._component_distribution

    def _weighted(self, values: Tensor) -> Tensor:
        """The mean over the components of their moments."""
        weights = self._mixture_distribution.probs
        weights = weights.reshape(tuple(weights.shape) + (1,) * self._event_ndims)
        return (weights * values).sum(-1 - self._event_ndims)

    @property
    def mean(self) -> Tensor:
        return self._weighted(self._component_distribution.mean)

    @property
    def variance(self) -> Tensor:
        means = self._component_distribution.mean
        centre = self._weighted(means).unsqueeze(-1 - self._event_ndims)
        return self._weighted(self._component_distribution.variance + (means - centre).square())

    def _per_component(self, value: Tensor) -> Tensor:
        return value.unsqueeze(-1 - self._event_ndims)

    def _cdf(self, value: Tensor) -> Tensor:
        parts = self._component_distribution.cdf(self._per_component(value))
        return (parts * self._mixture_distribution.probs).sum(-1)

    def _log_prob(self, value: Tensor) -> Tensor:
        parts = self._component_distribution.log_prob(self._per_component(value))
        weights = self._mixture_distribution.logits.log_softmax(-1)
        return _C.logsumexp(parts + weights, -1)

    def sample(self, sample_shape: Shape = ()) -> Tensor:
        with no_grad():
            dim = len(sample_shape) + len(self._batch_shape)
            weights = self._mixture_distribution
            if weights.batch_shape != self._batch_shape:
                weights = weights.expand(self._batch_shape)
            choice = weights.sample(sample_shape)
            draws = self._component_distribution.sample(sample_shape)
            index = choice.reshape(tuple(choice.shape) + (1,) * (1 + self._event_ndims))
            shape = (*draws.shape[:dim], 1, *draws.shape[dim + 1 :])
            return draws.gather(dim, index.expand(shape)).squeeze(dim)

    def __repr__(self) -> str:
        return (
            f"MixtureSameFamily(\n  {self._mixture_distribution!r},\n"
            f"  {self._component_distribution!r})"
        )
