"""Transforms of the parts of a tensor."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from functools import reduce
from typing import Any

from ... import _C
from ..._C import Tensor
from .. import constraints
from ..constraints import Constraint
from ..utils import sum_rightmost
from .transform import Transform

__all__ = ["CatTransform", "StackTransform"]


def _all_transforms(tseq: Sequence[Transform], cache_size: int) -> list[Transform]:
    if not all(isinstance(t, Transform) for t in tseq):
        raise AssertionError("All elements of tseq must be Transform instances")
    return [t.with_cache(cache_size) for t in tseq] if cache_size else list(tseq)


class CatTransform(Transform):
    """Sections of a dimension, each with a transform of its own.

    Args:
        tseq: the transforms.
        dim: the dimension. Default: 0.
        lengths: how long each section is. Default: 1 for all.
        cache_size: 1 to remember the last pair of values. Default: 0.

    Raises:
        AssertionError: if an element is no transform, or the lengths do not fit.

    Example:
        >>> import tapegrad
        >>> from tapegrad.distributions import CatTransform, ExpTransform, identity_transform
        >>> CatTransform([ExpTransform(), identity_transform], lengths=[1, 2])(tapegrad.zeros(3))
        tensor([1., 0., 0.])
    """

    def __init__(
        self,
        tseq: Sequence[Transform],
        dim: int = 0,
        lengths: Sequence[int] | None = None,
        cache_size: int = 0,
    ) -> None:
        super().__init__(cache_size)
        self.transforms = _all_transforms(tseq, cache_size)
        self.lengths = [1] * len(self.transforms) if lengths is None else list(lengths)
        if len(self.lengths) != len(self.transforms):
            raise AssertionError(
                f"tseq and lengths must be equally long, got {len(self.transforms)} and "
                f"{len(self.lengths)}"
            )
        self.dim = dim

    @property
    def event_dim(self) -> int:
        return max(t.event_dim for t in self.transforms)

    @property
    def length(self) -> int:
        """How long the dimension is."""
        return sum(self.lengths)

    def _arguments(self) -> tuple[Any, ...]:
        return self.transforms, self.dim, self.lengths

    def _sections(self, name: str, value: Tensor) -> tuple[Tensor, ...]:
        size = value.size(self.dim)
        if size != self.length:
            raise AssertionError(
                f"{name}.size({self.dim}) = {size} must equal length {self.length}"
            )
        return tuple(value.split(self.lengths, self.dim))

    def _call(self, x: Tensor) -> Tensor:
        pieces = self._sections("x", x)
        return _C.cat([t(piece) for t, piece in zip(self.transforms, pieces)], self.dim)

    def _inverse(self, y: Tensor) -> Tensor:
        pieces = self._sections("y", y)
        return _C.cat([t.inv(piece) for t, piece in zip(self.transforms, pieces)], self.dim)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        changes = []
        for t, a, b in zip(self.transforms, self._sections("x", x), self._sections("y", y)):
            change = t.log_abs_det_jacobian(a, b)
            changes.append(sum_rightmost(change, self.event_dim - t.domain.event_dim))
        dim = self.dim - x.dim() if self.dim >= 0 else self.dim
        dim += self.event_dim
        if dim < 0:
            return _C.cat(changes, dim)
        return reduce(operator.add, changes)

    @property
    def bijective(self) -> bool:
        return all(t.bijective for t in self.transforms)

    @property
    def domain(self) -> Constraint:  # type: ignore[override]
        return constraints.cat([t.domain for t in self.transforms], self.dim, self.lengths)

    @property
    def codomain(self) -> Constraint:  # type: ignore[override]
        return constraints.cat([t.codomain for t in self.transforms], self.dim, self.lengths)


class StackTransform(Transform):
    """Slices along a dimension, each with a transform of its own.

    Args:
        tseq: the transforms.
        dim: the dimension. Default: 0.
        cache_size: 1 to remember the last pair of values. Default: 0.

    Raises:
        AssertionError: if an element is no transform, or there is another number of slices.

    Example:
        >>> import tapegrad
        >>> from tapegrad.distributions import ExpTransform, StackTransform, identity_transform
        >>> StackTransform([ExpTransform(), identity_transform])(tapegrad.zeros(2, 2))
        tensor([[1., 1.],
                [0., 0.]])
    """

    def __init__(self, tseq: Sequence[Transform], dim: int = 0, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.transforms = _all_transforms(tseq, cache_size)
        self.dim = dim

    def _arguments(self) -> tuple[Any, ...]:
        return self.transforms, self.dim

    def _slices(self, name: str, value: Tensor) -> tuple[Tensor, ...]:
        size, count = value.size(self.dim), len(self.transforms)
        if size != count:
            raise AssertionError(
                f"{name}.size({self.dim}) = {size} must equal len(transforms) {count}"
            )
        return tuple(value.unbind(self.dim))

    def _call(self, x: Tensor) -> Tensor:
        pieces = self._slices("x", x)
        return _C.stack([t(piece) for t, piece in zip(self.transforms, pieces)], self.dim)

    def _inverse(self, y: Tensor) -> Tensor:
        pieces = self._slices("y", y)
        return _C.stack([t.inv(piece) for t, piece in zip(self.transforms, pieces)], self.dim)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        event_dim = max(t.domain.event_dim for t in self.transforms)
        changes = []
        for t, a, b in zip(self.transforms, self._slices("x", x), self._slices("y", y)):
            change = t.log_abs_det_jacobian(a, b)
            changes.append(sum_rightmost(change, event_dim - t.domain.event_dim))
        # Counted from the front, the dimension does not move when those of events are gone.
        return _C.stack(changes, self.dim % x.dim())

    @property
    def bijective(self) -> bool:
        return all(t.bijective for t in self.transforms)

    @property
    def domain(self) -> Constraint:  # type: ignore[override]
        return constraints.stack([t.domain for t in self.transforms], self.dim)

    @property
    def codomain(self) -> Constraint:  # type: ignore[override]
        return constraints.stack([t.codomain for t in self.transforms], self.dim)
