"""What a transform is, its inverse, and compositions."""

from __future__ import annotations

import operator
import weakref
from collections.abc import Sequence
from functools import reduce
from typing import Any

from ... import _C
from ..._C import Size, Tensor
from .. import constraints
from ..constraints import Constraint
from ..utils import Shape, as_size, broadcast_all, sum_rightmost

__all__ = [
    "Transform",
    "ComposeTransform",
    "identity_transform",
    "IndependentTransform",
    "ReshapeTransform",
    "check_shape_dim",
]


class Transform:
    """A map whose inverse and volume change are known; the base class.

    ``t(x)`` is the value, ``t.inv(y)`` the inverse, and ``t.log_abs_det_jacobian(x, y)`` the
    logarithm of the absolute determinant of dy/dx, where y = t(x). A subclass

    - has ``domain`` and ``codomain``, and ``bijective = True`` if its inverse is unique;
    - defines ``_call``, ``_inverse`` and ``log_abs_det_jacobian``;
    - defines ``forward_shape`` and ``inverse_shape`` where the shape changes;
    - defines ``_arguments``, the tuple of what its constructor took, if it has one of its own: for
      ``with_cache``, and for comparisons, which compare identities otherwise.

    Args:
        cache_size: 1 to remember the last pair of x and y, so that ``t.inv(t(x))`` is x itself
            and costs nothing. Default: 0.

    Raises:
        ValueError: if `cache_size` is neither 0 nor 1.

    Example:
        >>> import tapegrad
        >>> from tapegrad.distributions import ExpTransform
        >>> x = tapegrad.tensor([0.0, 1.0])
        >>> y = ExpTransform()(x)
        >>> y, ExpTransform().log_abs_det_jacobian(x, y)
        (tensor([1.0000, 2.7183]), tensor([0., 1.]))
    """

    bijective: Any = False
    domain: Constraint
    codomain: Constraint

    def __init__(self, cache_size: int = 0) -> None:
        if cache_size not in (0, 1):
            raise ValueError("cache_size must be 0 or 1")
        self._cache_size = cache_size
        self._inv: Any = None
        self._cached_x_y: tuple[Any, Any] = None, None

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_inv": None}  # a weak reference cannot be copied

    @property
    def event_dim(self) -> int:
        """How many of the last dimensions are transformed together."""
        if self.domain.event_dim == self.codomain.event_dim:
            return self.domain.event_dim
        raise ValueError("Please use either .domain.event_dim or .codomain.event_dim")

    @property
    def inv(self) -> Transform:
        """The inverse transform; its own inverse is this one."""
        inverse = None if self._inv is None else self._inv()
        if inverse is None:
            inverse = _InverseTransform(self)
            self._inv = weakref.ref(inverse)
        return inverse

    @property
    def sign(self) -> Any:
        """The sign of the slope of a transform of single numbers that is monotonic: 1 or -1."""
        raise NotImplementedError(f"{type(self).__name__} is not known to be monotonic")

    def _arguments(self) -> tuple[Any, ...]:
        """What the constructor took, and what tells two transforms of a class apart."""
        if type(self).__init__ is not Transform.__init__:
            raise NotImplementedError(f"{type(self)}.with_cache is not implemented")
        return ()

    def with_cache(self, cache_size: int = 1) -> Transform:
        """The same transform with a cache."""
        if self._cache_size == cache_size:
            return self
        return type(self)(*self._arguments(), cache_size=cache_size)  # type: ignore[misc]

    def __eq__(self, other: object) -> bool:
        if self is other or type(self) is not type(other):
            return self is other
        try:
            return _alike(self._arguments(), other._arguments())
        except NotImplementedError:
            return False

    __hash__ = None  # type: ignore[assignment]

    def __call__(self, x: Tensor) -> Tensor:
        """The value at `x`."""
        if not self._cache_size:
            return self._call(x)
        old_x, old_y = self._cached_x_y
        if x is old_x:
            return old_y
        y = self._call(x)
        self._cached_x_y = x, y
        return y

    def _inv_call(self, y: Tensor) -> Tensor:
        if not self._cache_size:
            return self._inverse(y)
        old_x, old_y = self._cached_x_y
        if y is old_y:
            return old_x
        x = self._inverse(y)
        self._cached_x_y = x, y
        return x

    def _call(self, x: Tensor) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} does not define _call()")

    def _inverse(self, y: Tensor) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} does not define _inverse()")

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """``log |det dy/dx|`` of each event.

        Args:
            x: the argument.
            y: the value at x.
        """
        raise NotImplementedError(f"{type(self).__name__} has no log_abs_det_jacobian()")

    def forward_shape(self, shape: Shape) -> Size:
        """The shape of the value of an argument of this shape."""
        return as_size(shape)

    def inverse_shape(self, shape: Shape) -> Size:
        """The shape of the argument of a value of this shape."""
        return as_size(shape)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


def _alike(a: Any, b: Any) -> bool:
    """Whether arguments are equal; a tensor is equal to another one with the same values."""
    if isinstance(a, (tuple, list)) and isinstance(b, (tuple, list)):
        return len(a) == len(b) and all(map(_alike, a, b))
    if isinstance(a, Tensor) or isinstance(b, Tensor):
        if not all(isinstance(v, (Tensor, int, float)) for v in (a, b)):
            return False
        return a is b or bool(_C.all(_C.eq(*broadcast_all(a, b))))
    return bool(a == b)


class _InverseTransform(Transform):
    """The inverse of a transform, which keeps the cache."""

    def __init__(self, transform: Transform) -> None:
        super().__init__(transform._cache_size)
        self._forward = transform

    bijective = property(operator.attrgetter("_forward.bijective"))
    domain: Any = property(operator.attrgetter("_forward.codomain"))
    codomain: Any = property(operator.attrgetter("_forward.domain"))
    sign: Any = property(operator.attrgetter("_forward.sign"))

    @property
    def inv(self) -> Transform:
        return self._forward

    def with_cache(self, cache_size: int = 1) -> Transform:
        return self._forward.with_cache(cache_size).inv

    def _arguments(self) -> tuple[Any, ...]:
        return (self._forward,)

    def __call__(self, x: Tensor) -> Tensor:
        return self._forward._inv_call(x)

    def _inv_call(self, y: Tensor) -> Tensor:
        return self._forward(y)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return -self._forward.log_abs_det_jacobian(y, x)

    def forward_shape(self, shape: Shape) -> Size:
        return self._forward.inverse_shape(shape)

    def inverse_shape(self, shape: Shape) -> Size:
        return self._forward.forward_shape(shape)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._forward!r})"


def check_shape_dim(shape: Shape, event_dim: int) -> None:
    """Raises ValueError unless a shape has the dimensions of an event."""
    if len(shape) < event_dim:
        raise ValueError("Too few dimensions on input")


class ComposeTransform(Transform):
    """Transforms one after the other: ``parts[-1](...parts[0](x))``.

    Args:
        parts: the transforms, the first to be applied first.
        cache_size: 1 to remember the last pair of values, in every part. Default: 0.

    Example:
        >>> import tapegrad
        >>> from tapegrad.distributions import AffineTransform, ComposeTransform, ExpTransform
        >>> ComposeTransform([AffineTransform(1.0, 2.0), ExpTransform()])(tapegrad.tensor(0.0))
        tensor(2.7183)
    """

    def __init__(self, parts: Sequence[Transform], cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self._inverse_of: Any = None
        self.parts = [part.with_cache(cache_size) for part in parts] if cache_size else list(parts)

    def _arguments(self) -> tuple[Any, ...]:
        return (self.parts,)

    def _joined(self, ends: list[tuple[Constraint, Constraint]]) -> Constraint:
        """The first of the constraints, with as many dimensions as the whole chain needs."""
        if not ends:
            return constraints.real
        # Backwards from the far end: what a part does not touch passes through it.
        dim = ends[-1][1].event_dim
        for near, far in reversed(ends):
            dim = max(dim + near.event_dim - far.event_dim, near.event_dim)
        extra = dim - ends[0][0].event_dim
        return constraints.independent(ends[0][0], extra) if extra else ends[0][0]

    @property
    def domain(self) -> Constraint:  # type: ignore[override]
        return self._joined([(part.domain, part.codomain) for part in self.parts])

    @property
    def codomain(self) -> Constraint:  # type: ignore[override]
        return self._joined([(part.codomain, part.domain) for part in reversed(self.parts)])

    @property
    def bijective(self) -> bool:
        return all(part.bijective for part in self.parts)

    @property
    def sign(self) -> Any:
        sign = 1
        for part in self.parts:
            sign = sign * part.sign
        return sign

    @property
    def inv(self) -> Transform:
        inverse = None if self._inv is None else self._inv()
        if inverse is None:
            inverse = ComposeTransform([part.inv for part in reversed(self.parts)])
            self._inv = weakref.ref(inverse)
            inverse._inv = weakref.ref(self)
            inverse._inverse_of = self  # which so lives as long as its inverse
        return inverse

    def __call__(self, x: Tensor) -> Tensor:
        for part in self.parts:
            x = part(x)
        return x

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        if not self.parts:
            return _C.zeros_like(x)
        values = [x]
        for part in self.parts[:-1]:
            values.append(part(values[-1]))
        values.append(y)
        event_dim = self.domain.event_dim
        terms = []
        for part, a, b in zip(self.parts, values, values[1:]):
            change = part.log_abs_det_jacobian(a, b)
            terms.append(sum_rightmost(change, event_dim - part.domain.event_dim))
            event_dim += part.codomain.event_dim - part.domain.event_dim
        return reduce(operator.add, terms)

    def forward_shape(self, shape: Shape) -> Size:
        for part in self.parts:
            shape = part.forward_shape(shape)
        return as_size(shape)

    def inverse_shape(self, shape: Shape) -> Size:
        for part in reversed(self.parts):
            shape = part.inverse_shape(shape)
        return as_size(shape)

    def __repr__(self) -> str:
        parts = ",\n    ".join(repr(part) for part in self.parts)
        return f"{type(self).__name__}(\n    {parts}\n)"


identity_transform = ComposeTransform([])


def _check_dim(name: str, value: Tensor, event_dim: int) -> None:
    if value.dim() < event_dim:
        raise ValueError(
            "Too few dimensions on input: "
            f"{name} has {value.dim()}, the transform takes {event_dim} together"
        )


class IndependentTransform(Transform):
    """Transforms the last batch dimensions of another transform together.

    Values do not change; ``log_abs_det_jacobian`` is summed over these dimensions.

    Args:
        base_transform: the transform.
        reinterpreted_batch_ndims: how many more dimensions make an event.
        cache_size: 1 to remember the last pair of values. Default: 0.

    Raises:
        ValueError: when it is called, if the argument has too few dimensions.

    Example:
        >>> import tapegrad
        >>> from tapegrad.distributions import ExpTransform, IndependentTransform
        >>> x = tapegrad.tensor([1.0, 2.0])
        >>> IndependentTransform(ExpTransform(), 1).log_abs_det_jacobian(x, x.exp())
        tensor(3.)
    """

    def __init__(
        self, base_transform: Transform, reinterpreted_batch_ndims: int, cache_size: int = 0
    ) -> None:
        super().__init__(cache_size)
        self.base_transform = base_transform.with_cache(cache_size)
        self.reinterpreted_batch_ndims = reinterpreted_batch_ndims
        self.domain = constraints.independent(base_transform.domain, reinterpreted_batch_ndims)
        self.codomain = constraints.independent(base_transform.codomain, reinterpreted_batch_ndims)

    bijective = property(operator.attrgetter("base_transform.bijective"))
    sign: Any = property(operator.attrgetter("base_transform.sign"))

    def _arguments(self) -> tuple[Any, ...]:
        return self.base_transform, self.reinterpreted_batch_ndims

    def _call(self, x: Tensor) -> Tensor:
        _check_dim("x", x, self.domain.event_dim)
        return self.base_transform(x)

    def _inverse(self, y: Tensor) -> Tensor:
        _check_dim("y", y, self.codomain.event_dim)
        return self.base_transform.inv(y)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        change = self.base_transform.log_abs_det_jacobian(x, y)
        return sum_rightmost(change, self.reinterpreted_batch_ndims)

    def forward_shape(self, shape: Shape) -> Size:
        return self.base_transform.forward_shape(shape)

    def inverse_shape(self, shape: Shape) -> Size:
        return self.base_transform.inverse_shape(shape)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_transform!r}, {self.reinterpreted_batch_ndims})"


class ReshapeTransform(Transform):
    """Gives events another shape of as many elements.

    Args:
        in_shape: shape of an event of the argument.
        out_shape: shape of an event of the value.
        cache_size: 1 to remember the last pair of values. Default: 0.

    Raises:
        ValueError: if the shapes have different numbers of elements.

    Example:
        >>> import tapegrad
        >>> from tapegrad.distributions import ReshapeTransform
        >>> ReshapeTransform((4,), (2, 2))(tapegrad.zeros(3, 4)).shape
        tapegrad.Size([3, 2, 2])
    """

    bijective = True

    def __init__(self, in_shape: Shape, out_shape: Shape, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.in_shape = as_size(in_shape)
        self.out_shape = as_size(out_shape)
        if self.in_shape.numel() != self.out_shape.numel():
            raise ValueError("in_shape, out_shape have different numbers of elements")
        self.domain = constraints.independent(constraints.real, len(self.in_shape))
        self.codomain = constraints.independent(constraints.real, len(self.out_shape))

    def _arguments(self) -> tuple[Any, ...]:
        return self.in_shape, self.out_shape

    def _call(self, x: Tensor) -> Tensor:
        return x.reshape(self.forward_shape(x.shape))

    def _inverse(self, y: Tensor) -> Tensor:
        return y.reshape(self.inverse_shape(y.shape))

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return x.new_zeros(x.shape[: x.dim() - len(self.in_shape)])

    def _replaced(self, shape: Shape, old: Size, new: Size) -> Size:
        check_shape_dim(shape, len(old))
        batch = len(shape) - len(old)
        if tuple(shape[batch:]) != tuple(old):
            raise ValueError(f"Shape mismatch: expected {tuple(shape[batch:])} but got {old}")
        return as_size((*shape[:batch], *new))

    def forward_shape(self, shape: Shape) -> Size:
        return self._replaced(shape, self.in_shape, self.out_shape)

    def inverse_shape(self, shape: Shape) -> Size:
        return self._replaced(shape, self.out_shape, self.in_shape)
