"""Batch dimensions as part of the event."""

from __future__ import annotations

from typing import Any

from .._C import Tensor
from . import constraints
from .distribution import Distribution
from .utils import Shape, alias, as_size, sum_rightmost

__all__ = ["Independent"]


class Independent(Distribution):
    """Makes the last batch dimensions of a distribution part of its events.

    Draws do not change; ``log_prob`` and ``entropy`` are summed over these dimensions.

    Args:
        base_distribution: the distribution.
        reinterpreted_batch_ndims: how many batch dimensions become event dimensions.
        validate_args: check values. Default: as ``set_default_validate_args`` says.

    Raises:
        ValueError: if the base has fewer batch dimensions.

    Example:
        >>> import tapegrad
        >>> from tapegrad.distributions import Independent, Normal
        >>> p = Independent(Normal(tapegrad.zeros(3, 2), 1.0), 1)
        >>> p.batch_shape, p.event_shape
        (tapegrad.Size([3]), tapegrad.Size([2]))
        >>> p.log_prob(tapegrad.zeros(2))
        tensor([-1.8379, -1.8379, -1.8379])
    """

    arg_constraints: Any = {}

    def __init__(
        self,
        base_distribution: Distribution,
        reinterpreted_batch_ndims: int,
        validate_args: bool | None = None,
    ) -> None:
        batch = base_distribution.batch_shape
        if reinterpreted_batch_ndims > len(batch):
            raise ValueError(
                "Expected reinterpreted_batch_ndims <= len(base_distribution.batch_shape), "
                f"actual {reinterpreted_batch_ndims} vs {len(batch)}"
            )
        self.base_dist: Any = base_distribution
        self.reinterpreted_batch_ndims = reinterpreted_batch_ndims
        self.has_rsample = base_distribution.has_rsample
        self.has_enumerate_support = (
            reinterpreted_batch_ndims == 0 and base_distribution.has_enumerate_support
        )
        cut = len(batch) - reinterpreted_batch_ndims
        event = batch[cut:] + base_distribution.event_shape
        super().__init__(batch[:cut], event, validate_args=validate_args)

    def expand(self, batch_shape: Shape, _instance: Any = None) -> Any:
        batch_shape = as_size(batch_shape)
        new = self._new_like(batch_shape, _instance)
        inner = self._event_shape[: self.reinterpreted_batch_ndims]
        new.base_dist = self.base_dist.expand(batch_shape + inner)
        return new

    mean = alias("base_dist.mean")
    mode = alias("base_dist.mode")
    variance = alias("base_dist.variance")
    stddev = alias("base_dist.stddev")

    @constraints.dependent_property
    def support(self) -> Any:
        """The support of the base, for the larger events."""
        n = self.reinterpreted_batch_ndims
        return constraints.independent(self.base_dist.support, n) if n else self.base_dist.support

    def sample(self, sample_shape: Shape = ()) -> Tensor:
        return self.base_dist.sample(sample_shape)

    def rsample(self, sample_shape: Shape = ()) -> Tensor:
        return self.base_dist.rsample(sample_shape)

    def _log_prob(self, value: Tensor) -> Tensor:
        return sum_rightmost(self.base_dist.log_prob(value), self.reinterpreted_batch_ndims)

    def entropy(self) -> Tensor:
        return sum_rightmost(self.base_dist.entropy(), self.reinterpreted_batch_ndims)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        if self.reinterpreted_batch_ndims > 0:
            raise NotImplementedError("Enumeration over cartesian product is not implemented")
        return self.base_dist.enumerate_support(expand=expand)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_dist!r}, {self.reinterpreted_batch_ndims})"
