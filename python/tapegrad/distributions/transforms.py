"""Differentiable maps with the logarithm of their volume change, and ways to combine them."""

from __future__ import annotations

import math
import operator
import weakref
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from .. import _C, linalg
from .._C import Size, Tensor
from . import constraints
from .constraints import Constraint
from .utils import (
    Shape,
    Value,
    as_size,
    broadcast_all,
    eps,
    sum_rightmost,
    tiny,
    tril_matrix_to_vec,
    vec_to_tril_matrix,
)

__all__ = [
    "AbsTransform",
    "AffineTransform",
    "CatTransform",
    "ComposeTransform",
    "CorrCholeskyTransform",
    "CumulativeDistributionTransform",
    "ExpTransform",
    "IndependentTransform",
    "LowerCholeskyTransform",
    "PositiveDefiniteTransform",
    "PowerTransform",
    "ReshapeTransform",
    "SigmoidTransform",
    "SoftmaxTransform",
    "SoftplusTransform",
    "StackTransform",
    "StickBreakingTransform",
    "TanhTransform",
    "Transform",
    "identity_transform",
]


class Transform:
    """A map whose inverse and volume change are known; the base class.

    ``t(x)`` is the value, ``t.inv(y)`` the inverse, and ``t.log_abs_det_jacobian(x, y)`` the
    logarithm of the absolute determinant of dy/dx, where y = t(x). A subclass defines ``domain``,
    ``codomain``, ``_call``, ``_inverse``, ``log_abs_det_jacobian`` and, if its inverse is unique,
    ``bijective = True``; where the shape changes ``forward_shape`` and ``inverse_shape`` as well.

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
        return ()

    def with_cache(self, cache_size: int = 1) -> Transform:
        """The same transform with a cache."""
        if self._cache_size == cache_size:
            return self
        return type(self)(*self._arguments(), cache_size=cache_size)  # type: ignore[misc]

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return False
        return _alike(self._arguments(), other._arguments())

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


def _check_dim(name: str, value: Tensor, event_dim: int) -> None:
    if value.dim() < event_dim:
        raise ValueError(
            "Too few dimensions on input: "
            f"{name} has {value.dim()}, the transform takes {event_dim} together"
        )


def _check_shape_dim(shape: Shape, event_dim: int) -> None:
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
        return list(accumulate(terms, operator.add))[-1]

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
        _check_shape_dim(shape, len(old))
        batch = len(shape) - len(old)
        if tuple(shape[batch:]) != tuple(old):
            raise ValueError(f"Shape mismatch: expected {tuple(shape[batch:])} but got {old}")
        return as_size((*shape[:batch], *new))

    def forward_shape(self, shape: Shape) -> Size:
        return self._replaced(shape, self.in_shape, self.out_shape)

    def inverse_shape(self, shape: Shape) -> Size:
        return self._replaced(shape, self.out_shape, self.in_shape)


class _Increasing(Transform):
    """A bijection of numbers that grows."""

    bijective = True
    sign: Any = 1
    domain: Any = constraints.real


class ExpTransform(_Increasing):
    """``y = exp(x)``.

    Example:
        >>> import tapegrad
        >>> tapegrad.distributions.ExpTransform().inv(tapegrad.tensor([1.0]))
        tensor([0.])
    """

    codomain = constraints.positive

    def _call(self, x: Tensor) -> Tensor:
        return x.exp()

    def _inverse(self, y: Tensor) -> Tensor:
        return y.log()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return x


class PowerTransform(_Increasing):
    """``y = x ** exponent`` of positive numbers.

    Args:
        exponent: a tensor or number, not zero.
        cache_size: 1 to remember the last pair of values. Default: 0.

    Example:
        >>> import tapegrad
        >>> tapegrad.distributions.PowerTransform(2.0)(tapegrad.tensor([3.0]))
        tensor([9.])
    """

    domain = codomain = constraints.positive

    def __init__(self, exponent: Value, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        (self.exponent,) = broadcast_all(exponent)

    def _arguments(self) -> tuple[Any, ...]:
        return (self.exponent,)

    @property
    def sign(self) -> Any:
        return self.exponent.sign()

    def _call(self, x: Tensor) -> Tensor:
        return x.pow(self.exponent)

    def _inverse(self, y: Tensor) -> Tensor:
        return y.pow(1 / self.exponent)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return (self.exponent * y / x).abs().log()

    def forward_shape(self, shape: Shape) -> Size:
        return _C.broadcast_shapes(shape, self.exponent.shape)

    inverse_shape = forward_shape


class SigmoidTransform(_Increasing):
    """``y = 1 / (1 + exp(-x))``.

    Example:
        >>> import tapegrad
        >>> tapegrad.distributions.SigmoidTransform()(tapegrad.tensor([0.0]))
        tensor([0.5000])
    """

    codomain = constraints.unit_interval

    def _call(self, x: Tensor) -> Tensor:
        return x.sigmoid().clamp(tiny(x), 1 - eps(x))

    def _inverse(self, y: Tensor) -> Tensor:
        return y.clamp(tiny(y), 1 - eps(y)).logit()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return _C.log_sigmoid(x) + _C.log_sigmoid(-x)


class SoftplusTransform(_Increasing):
    """``y = log(1 + exp(x))``.

    Example:
        >>> import tapegrad
        >>> tapegrad.distributions.SoftplusTransform()(tapegrad.tensor([0.0]))
        tensor([0.6931])
    """

    codomain = constraints.positive

    def _call(self, x: Tensor) -> Tensor:
        return -_C.log_sigmoid(-x)

    def _inverse(self, y: Tensor) -> Tensor:
        return (-y).expm1().neg().log() + y

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return _C.log_sigmoid(x)


class TanhTransform(_Increasing):
    """``y = tanh(x)``.

    The volume change is computed from x, which holds more digits than y near 1 and -1; a cache
    (``cache_size=1``) keeps it.

    Example:
        >>> import tapegrad
        >>> tapegrad.distributions.TanhTransform()(tapegrad.tensor([0.0]))
        tensor([0.])
    """

    codomain = constraints.interval(-1.0, 1.0)

    def _call(self, x: Tensor) -> Tensor:
        return x.tanh()

    def _inverse(self, y: Tensor) -> Tensor:
        return y.atanh()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        # 1 - tanh(x)^2 = 4 sigmoid(2x) sigmoid(-2x)
        return 2 * (math.log(2.0) - x + _C.log_sigmoid(2 * x))


class CumulativeDistributionTransform(_Increasing):
    """``y = F(x)``, the cumulative distribution function of a distribution.

    Args:
        distribution: a distribution that has ``cdf``, ``icdf`` and ``log_prob``.
        cache_size: 1 to remember the last pair of values. Default: 0.

    Example:
        >>> import tapegrad
        >>> from tapegrad.distributions import CumulativeDistributionTransform, Normal
        >>> CumulativeDistributionTransform(Normal(0.0, 1.0))(tapegrad.tensor([0.0]))
        tensor([0.5000])
    """

    codomain = constraints.unit_interval

    def __init__(self, distribution: Any, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.distribution = distribution

    def _arguments(self) -> tuple[Any, ...]:
        return (self.distribution,)

    @property
    def domain(self) -> Constraint:  # type: ignore[override]
        return self.distribution.support

    def _call(self, x: Tensor) -> Tensor:
        return self.distribution.cdf(x)

    def _inverse(self, y: Tensor) -> Tensor:
        return self.distribution.icdf(y)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return self.distribution.log_prob(x)


class AbsTransform(Transform):
    """``y = |x|``; the inverse gives the positive one of the two values.

    Example:
        >>> import tapegrad
        >>> tapegrad.distributions.AbsTransform()(tapegrad.tensor([-2.0]))
        tensor([2.])
    """

    domain = constraints.real
    codomain = constraints.positive

    def _call(self, x: Tensor) -> Tensor:
        return x.abs()

    def _inverse(self, y: Tensor) -> Tensor:
        return y


class AffineTransform(Transform):
    """``y = loc + scale * x``.

    Args:
        loc: a tensor or number.
        scale: a tensor or number, not zero.
        event_dim: 0 for numbers, 1 for vectors, 2 for matrices and so on. Default: 0.
        cache_size: 1 to remember the last pair of values. Default: 0.

    Example:
        >>> import tapegrad
        >>> tapegrad.distributions.AffineTransform(1.0, 2.0)(tapegrad.tensor([3.0]))
        tensor([7.])
    """

    bijective = True

    def __init__(self, loc: Value, scale: Value, event_dim: int = 0, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.loc = loc
        self.scale = scale
        self._event_dim = event_dim
        real = constraints.real
        self.domain = self.codomain = (
            constraints.independent(real, event_dim) if event_dim else real
        )

    def _arguments(self) -> tuple[Any, ...]:
        return self.loc, self.scale, self._event_dim

    @property
    def sign(self) -> Any:
        if isinstance(self.scale, Tensor):
            return self.scale.sign()
        return (self.scale > 0) - (self.scale < 0)

    def _call(self, x: Tensor) -> Tensor:
        return self.loc + self.scale * x

    def _inverse(self, y: Tensor) -> Tensor:
        return (y - self.loc) / self.scale

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        scale = self.scale
        if isinstance(scale, Tensor):
            change = scale.abs().log().expand(_C.broadcast_shapes(x.shape, scale.shape))
        else:
            change = _C.full_like(x, math.log(abs(scale)))
        return sum_rightmost(change, self._event_dim)

    def forward_shape(self, shape: Shape) -> Size:
        for value in (self.loc, self.scale):
            if isinstance(value, Tensor):
                shape = _C.broadcast_shapes(shape, value.shape)
        return as_size(shape)

    inverse_shape = forward_shape


class CorrCholeskyTransform(Transform):
    """Vectors of any numbers to Cholesky factors of correlation matrices.

    A vector of D (D - 1) / 2 numbers fills the triangle below the diagonal. With ``z = tanh`` of
    it, each row of the factor is made like a broken stick:
    ``y[i, j] = z[i, j] * prod(sqrt(1 - z[i, k] ** 2) for k < j)``, with the rest of the row's
    length on the diagonal.

    Example:
        >>> import tapegrad
        >>> from tapegrad.distributions import CorrCholeskyTransform
        >>> CorrCholeskyTransform()(tapegrad.tensor([0.0]))
        tensor([[1., 0.],
                [0., 1.]])
    """

    domain = constraints.real_vector
    codomain = constraints.corr_cholesky
    bijective = True

    def _call(self, x: Tensor) -> Tensor:
        x = x.tanh()
        x = x.clamp(-1 + eps(x), 1 - eps(x))
        r = vec_to_tril_matrix(x, diag=-1)
        rest = (1 - r * r).sqrt().cumprod(-1)
        r = r + _C.eye(r.shape[-1], dtype=r.dtype, device=r.device)
        return r * _C.constant_pad_nd(rest[..., :-1], [1, 0], 1)

    def _inverse(self, y: Tensor) -> Tensor:
        rest = 1 - (y * y).cumsum(-1)
        before = _C.constant_pad_nd(rest[..., :-1], [1, 0], 1)
        z = tril_matrix_to_vec(y, -1) / tril_matrix_to_vec(before, -1).sqrt()
        return z.atanh()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        # Each row's volume change is that of its stick; tanh comes on top.
        rest = 1 - (y * y).cumsum(-1)
        stick = 0.5 * tril_matrix_to_vec(rest, -2).log().sum(-1)
        tanh = 2 * (math.log(2.0) - x + _C.log_sigmoid(2 * x)).sum(-1)
        return stick + tanh

    def forward_shape(self, shape: Shape) -> Size:
        _check_shape_dim(shape, 1)
        n = shape[-1]
        size = round((0.25 + 2 * n) ** 0.5 + 0.5)
        if size * (size - 1) // 2 != n:
            raise ValueError("Input is not a flattened lower-diagonal number")
        return as_size((*shape[:-1], size, size))

    def inverse_shape(self, shape: Shape) -> Size:
        _check_shape_dim(shape, 2)
        if shape[-2] != shape[-1]:
            raise ValueError("Input is not square")
        size = shape[-1]
        return as_size((*shape[:-2], size * (size - 1) // 2))


class SoftmaxTransform(Transform):
    """Logits to the simplex: ``y = exp(x) / sum(exp(x))``; the inverse gives ``log(y)``.

    Not a bijection, since a number that is added to all logits changes nothing;
    :class:`StickBreakingTransform` is one.

    Example:
        >>> import tapegrad
        >>> tapegrad.distributions.SoftmaxTransform()(tapegrad.zeros(2))
        tensor([0.5000, 0.5000])
    """

    domain = constraints.real_vector
    codomain = constraints.simplex

    def _call(self, x: Tensor) -> Tensor:
        return x.softmax(-1)

    def _inverse(self, y: Tensor) -> Tensor:
        return y.log()

    def forward_shape(self, shape: Shape) -> Size:
        _check_shape_dim(shape, 1)
        return as_size(shape)

    inverse_shape = forward_shape


class StickBreakingTransform(Transform):
    """Vectors of K numbers to the simplex of K + 1 by breaking a stick of length 1.

    ``y[k] = z[k] * prod(1 - z[j] for j < k)`` with ``z[k] = sigmoid(x[k] - log(K - k))``, and the
    rest of the stick as the last element.

    Example:
        >>> import tapegrad
        >>> tapegrad.distributions.StickBreakingTransform()(tapegrad.zeros(3))
        tensor([0.2500, 0.2500, 0.2500, 0.2500])
    """

    domain = constraints.real_vector
    codomain = constraints.simplex
    bijective = True

    def _call(self, x: Tensor) -> Tensor:
        z = (x - _remaining(x).log()).sigmoid()
        rest = (1 - z).cumprod(-1)
        return _C.constant_pad_nd(z, [0, 1], 1) * _C.constant_pad_nd(rest, [1, 0], 1)

    def _inverse(self, y: Tensor) -> Tensor:
        head = y[..., :-1]
        rest = (1 - head.cumsum(-1)).clamp(min=tiny(y))
        return head.log() - rest.log() + _remaining(head).log()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        x = x - _remaining(x).log()
        return (_C.log_sigmoid(x) - x + y[..., :-1].log()).sum(-1)

    def forward_shape(self, shape: Shape) -> Size:
        _check_shape_dim(shape, 1)
        return as_size((*shape[:-1], shape[-1] + 1))

    def inverse_shape(self, shape: Shape) -> Size:
        _check_shape_dim(shape, 1)
        return as_size((*shape[:-1], shape[-1] - 1))


def _remaining(x: Tensor) -> Tensor:
    """How many pieces are left after each of the last dimension: ``K, K - 1, ..., 1``."""
    return _C.arange(x.shape[-1], 0, -1, dtype=x.dtype, device=x.device)


class LowerCholeskyTransform(Transform):
    """Square matrices to lower triangular ones with a positive diagonal, its exponential.

    Example:
        >>> import tapegrad
        >>> tapegrad.distributions.LowerCholeskyTransform()(tapegrad.zeros(2, 2))
        tensor([[1., 0.],
                [0., 1.]])
    """

    domain = constraints.independent(constraints.real, 2)
    codomain = constraints.lower_cholesky

    def _call(self, x: Tensor) -> Tensor:
        return x.tril(-1) + _diagonal(x).exp().diag_embed()

    def _inverse(self, y: Tensor) -> Tensor:
        return y.tril(-1) + _diagonal(y).log().diag_embed()


def _diagonal(x: Tensor) -> Tensor:
    return _C.diagonal(x, dim1=-2, dim2=-1)


class PositiveDefiniteTransform(Transform):
    """Square matrices to positive definite ones: ``L @ L.mT`` with L of LowerCholeskyTransform.

    Example:
        >>> import tapegrad
        >>> tapegrad.distributions.PositiveDefiniteTransform()(tapegrad.zeros(2, 2))
        tensor([[1., 0.],
                [0., 1.]])
    """

    domain = constraints.independent(constraints.real, 2)
    codomain = constraints.positive_definite

    def _call(self, x: Tensor) -> Tensor:
        factor = LowerCholeskyTransform()(x)
        return factor @ factor.mT

    def _inverse(self, y: Tensor) -> Tensor:
        return LowerCholeskyTransform().inv(linalg.cholesky(y))


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
        return list(accumulate(changes, operator.add))[-1]

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
