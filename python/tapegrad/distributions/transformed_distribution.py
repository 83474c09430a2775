"""The distribution of a transformed random variable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._C import Tensor
from ..autograd.grad_mode import no_grad
from . import constraints
from .distribution import Distribution
from .independent import Independent
from .transforms import ComposeTransform, Transform
from .utils import Shape, as_size, sum_rightmost

__all__ = ["TransformedDistribution"]


class TransformedDistribution(Distribution):
    """The distribution of ``y = t(x)``, where x has a base distribution.

    With ``x = t.inv(y)``::

        log p(y) = log p(x) - log |det dy/dx|

    Shapes follow from the transforms: where one takes vectors, the last batch dimension of the
    base becomes part of the event.

    Args:
        base_distribution: the distribution of x.
        transforms: a transform or a list of them, the first to be applied first.
        validate_args: check values. Default: as ``set_default_validate_args`` says.

    Raises:
        ValueError: if `transforms` is neither, or the base has too few dimensions.

    Example:
        >>> import tapegrad
        >>> from tapegrad.distributions import AffineTransform, ExpTransform, Normal
        >>> from tapegrad.distributions import TransformedDistribution
        >>> steps = [AffineTransform(1.0, 2.0), ExpTransform()]
        >>> TransformedDistribution(Normal(0.0, 1.0), steps).log_prob(tapegrad.tensor(2.0))
        tensor(-2.3170)
    """

    arg_constraints: Any = {}
    base_dist: Any
    transforms: list[Transform]

    def __init__(
        self,
        base_distribution: Distribution,
        transforms: Transform | Sequence[Transform],
        validate_args: bool | None = None,
    ) -> None:
        if isinstance(transforms, Transform):
            transforms = [transforms]
        elif not isinstance(transforms, list):
            raise ValueError(f"transforms must be a Transform or list, but was {transforms}")
        elif not all(isinstance(t, Transform) for t in transforms):
            raise ValueError("transforms must be a Transform or a list of Transforms")
        self.transforms = list(transforms)
        self.has_rsample = base_distribution.has_rsample
        whole = ComposeTransform(self.transforms)
        domain_dim, codomain_dim = whole.domain.event_dim, whole.codomain.event_dim
        base_shape = base_distribution.batch_shape + base_distribution.event_shape
        base_event_dim = len(base_distribution.event_shape)
        if len(base_shape) < domain_dim:
            raise ValueError(
                f"base_distribution needs to have shape with size at least {domain_dim}, but got "
                f"{base_shape}."
            )
        shape = whole.forward_shape(base_shape)
        expanded = whole.inverse_shape(shape)
        if base_shape != expanded:
            batch = expanded[: len(expanded) - base_event_dim]
            base_distribution = base_distribution.expand(batch)
        if domain_dim > base_event_dim:
            base_distribution = Independent(base_distribution, domain_dim - base_event_dim)
        self.base_dist = base_distribution
        event_dim = max(codomain_dim, base_event_dim + codomain_dim - domain_dim)
        cut = len(shape) - event_dim
        super().__init__(shape[:cut], shape[cut:], validate_args=validate_args)

    def expand(self, batch_shape: Shape, _instance: Any = None) -> Any:
        batch_shape = as_size(batch_shape)
        base_shape = batch_shape + self._event_shape
        for transform in reversed(self.transforms):
            base_shape = transform.inverse_shape(base_shape)
        base_batch = base_shape[: len(base_shape) - len(self.base_dist.event_shape)]
        new = self._new_like(batch_shape, _instance)
        new.base_dist = self.base_dist.expand(base_batch)
        return new

    @constraints.dependent_property(is_discrete=False)
    def support(self) -> Any:
        """The codomain of the last transform."""
        if not self.transforms:
            return self.base_dist.support
        support = self.transforms[-1].codomain
        extra = len(self._event_shape) - support.event_dim
        return constraints.independent(support, extra) if extra > 0 else support

    def _transformed(self, x: Tensor) -> Tensor:
        for transform in self.transforms:
            x = transform(x)
        return x

    def sample(self, sample_shape: Shape = ()) -> Tensor:
        with no_grad():
            return self._transformed(self.base_dist.sample(sample_shape))

    def rsample(self, sample_shape: Shape = ()) -> Tensor:
        return self._transformed(self.base_dist.rsample(sample_shape))

    def _log_prob(self, value: Tensor) -> Tensor:
        event_dim = len(self._event_shape)
        change: Any = 0.0
        y = value
        for transform in reversed(self.transforms):
            x = transform.inv(y)
            event_dim += transform.domain.event_dim - transform.codomain.event_dim
            step = transform.log_abs_det_jacobian(x, y)
            change = change + sum_rightmost(step, event_dim - transform.domain.event_dim)
            y = x
        base = self.base_dist.log_prob(y)
        return sum_rightmost(base, event_dim - len(self.base_dist.event_shape)) - change

    def _sign(self) -> Any:
        sign: Any = 1
        for transform in self.transforms:
            sign = sign * transform.sign
        return sign

    def _where_falling(self, probability: Tensor) -> Tensor:
        """1 minus the probability where the transform reverses the order."""
        sign = self._sign()
        if isinstance(sign, int):
            return probability if sign > 0 else 1 - probability
        return sign * (probability - 0.5) + 0.5

    def _cdf(self, value: Tensor) -> Tensor:
        for transform in reversed(self.transforms):
            value = transform.inv(value)
        return self._where_falling(self.base_dist.cdf(value))

    def icdf(self, value: Tensor) -> Tensor:
        return self._transformed(self.base_dist.icdf(self._where_falling(value)))
