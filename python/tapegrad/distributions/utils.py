"""What the families share: broadcasting of parameters, probabilities and logits, triangles."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, Generic, TypeAlias, TypeVar, overload

import tapegrad

from .. import _C
from .._C import Size, Tensor
from ..autograd.grad_mode import enable_grad

__all__ = [
    "broadcast_all",
    "clamp_probs",
    "euler_constant",
    "lazy_property",
    "logits_to_probs",
    "probs_to_logits",
    "tril_matrix_to_vec",
    "vec_to_tril_matrix",
]

Shape: TypeAlias = Sequence[int]
Value: TypeAlias = Tensor | float
R = TypeVar("R")

euler_constant = 0.57721566490153286060
HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)

_EPS = {
    _C.float16: 2.0**-10,
    _C.bfloat16: 2.0**-7,
    _C.float32: 2.0**-23,
    _C.float64: 2.0**-52,
}
_LARGEST = {
    _C.float16: 65504.0,
    _C.bfloat16: (2 - 2.0**-7) * 2.0**127,
    _C.float32: (2 - 2.0**-23) * 2.0**127,
    _C.float64: (2 - 2.0**-52) * 2.0**1023,
}
_TINY = {
    _C.float16: 2.0**-14,
    _C.bfloat16: 2.0**-126,
    _C.float32: 2.0**-126,
    _C.float64: 2.0**-1022,
}


def eps(x: Tensor) -> float:
    """The distance from one to the next number of x's dtype."""
    return _EPS[x.dtype]


def largest(x: Tensor) -> float:
    """The largest finite number of x's dtype."""
    return _LARGEST[x.dtype]


def tiny(x: Tensor) -> float:
    """The smallest normal number of x's dtype."""
    return _TINY[x.dtype]


def shown(x: Any) -> str:
    """A distribution or constraint for messages; its kind alone where a function is recorded."""
    return type(x).__name__.lstrip("_") if _C._is_recording() else repr(x)


def listing(value: Tensor, wrong: Tensor | None = None) -> str:
    """Values for the end of a message; none where a function is recorded: others come later."""
    if _C._is_recording():
        return ""
    return f":\n{value if wrong is None else value[wrong]}"


def alias(path: str) -> Any:
    """A property that gives what is found at another place of the instance."""
    return property(attrgetter(path))


def broadcast_all(*values: Value) -> tuple[Tensor, ...]:
    """The values as tensors of one shape.

    A number takes the dtype and device of the first tensor, and the default dtype where all
    are numbers.

    Raises:
        ValueError: if a value is neither a tensor nor a number.

    Example:
        >>> import tapegrad
        >>> tapegrad.distributions.utils.broadcast_all(tapegrad.zeros(2), 1)
        (tensor([0., 0.]), tensor([1., 1.]))
    """
    like = None
    numbers = False
    for value in values:
        if isinstance(value, Tensor):
            if like is None:
                like = value
        elif isinstance(value, (int, float)):
            numbers = True
        else:
            raise ValueError(
                "Input arguments must all be instances of Number, tapegrad.Tensor or objects "
                f"implementing __torch_function__. This one is a {type(value).__name__}."
            )
    if numbers:
        options: dict[str, Any] = (
            {"dtype": _C.get_default_dtype()}
            if like is None
            else {"dtype": like.dtype, "device": like.device}
        )
        values = tuple(
            v if isinstance(v, Tensor) else tapegrad.tensor(v, **options) for v in values
        )
    tensors: Any = values
    shape = tensors[0].shape
    if all(t.shape == shape for t in tensors):
        return tensors
    return tuple(_C.broadcast_tensors(*tensors))


def standard_normal(shape: Shape, like: Tensor) -> Tensor:
    """Draws from the normal distribution of mean 0 and variance 1."""
    return _C.randn(shape, dtype=like.dtype, device=like.device)


def standard_uniform(shape: Shape, like: Tensor) -> Tensor:
    """Draws from the open interval (0, 1)."""
    return _C.rand(shape, dtype=like.dtype, device=like.device).clamp_(
        tiny(like), 1 - eps(like) / 2
    )


def standard_exponential(shape: Shape, like: Tensor) -> Tensor:
    """Draws from the exponential distribution of rate 1."""
    return _C.empty(shape, dtype=like.dtype, device=like.device).exponential_()


def standard_gumbel(shape: Shape, like: Tensor) -> Tensor:
    """Draws from the Gumbel distribution of location 0 and scale 1."""
    return -standard_exponential(shape, like).log_()


def sum_rightmost(value: Tensor, dim: int) -> Tensor:
    """The sum over the last `dim` dimensions."""
    return value.flatten(value.dim() - dim).sum(-1) if dim else value


# Under these names libraries on PyTorch use them.


def _standard_normal(shape: Shape, dtype: Any, device: Any) -> Tensor:
    return tapegrad.randn(*shape, dtype=dtype, device=device)


_sum_rightmost = sum_rightmost


def logits_to_probs(logits: Tensor, is_binary: bool = False) -> Tensor:
    """Probabilities of log-odds (binary), or of log-probabilities along the last dimension."""
    return logits.sigmoid() if is_binary else logits.softmax(-1)


def clamp_probs(probs: Tensor) -> Tensor:
    """Probabilities in ``[eps, 1 - eps]``, whose logits are finite."""
    step = eps(probs)
    return probs.clamp(step, 1 - step)


def probs_to_logits(probs: Tensor, is_binary: bool = False) -> Tensor:
    """Log-odds (binary) or log-probabilities, both finite.

    Example:
        >>> import tapegrad
        >>> from tapegrad.distributions.utils import probs_to_logits
        >>> probs_to_logits(tapegrad.tensor([0.5, 0.2]), is_binary=True)
        tensor([ 0.0000, -1.3863])
    """
    clamped = clamp_probs(probs)
    return clamped.logit() if is_binary else clamped.log()


class lazy_property(Generic[R]):
    """A property that is computed at its first use and is a plain attribute from then on.

    The computation is recorded for derivatives even where the first use is under ``no_grad``.
    """

    def __init__(self, wrapped: Callable[[Any], R]) -> None:
        self.wrapped = wrapped
        self.__doc__ = wrapped.__doc__

    @overload
    def __get__(self, instance: None, owner: Any = None) -> lazy_property[R]: ...
    @overload
    def __get__(self, instance: object, owner: Any = None) -> R: ...
    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        with enable_grad():
            value = self.wrapped(instance)
        setattr(instance, self.wrapped.__name__, value)
        return value


def _triangle(size: int, diag: int) -> int:
    """How many elements of a square matrix are on or below a diagonal."""
    return sum(min(max(row + 1 + diag, 0), size) for row in range(size))


def tril_matrix_to_vec(mat: Tensor, diag: int = 0) -> Tensor:
    """The elements on and below a diagonal of ``(..., D, D)``, row by row, as a vector.

    Raises:
        ValueError: if there is no such diagonal.

    Example:
        >>> import tapegrad
        >>> tapegrad.distributions.utils.tril_matrix_to_vec(tapegrad.tensor([[1, 2], [3, 4]]))
        tensor([1, 3, 4])
    """
    n = mat.shape[-1]
    if diag < -n or diag >= n:
        raise ValueError(f"diag ({diag}) provided is outside [{-n}, {n - 1}].")
    rows, columns = _C.tril_indices(n, n, diag)
    return mat[..., rows, columns]


def vec_to_tril_matrix(vec: Tensor, diag: int = 0) -> Tensor:
    """The inverse of :func:`tril_matrix_to_vec`; the other elements are zero.

    Raises:
        ValueError: if no triangle has as many elements.

    Example:
        >>> import tapegrad
        >>> tapegrad.distributions.utils.vec_to_tril_matrix(tapegrad.tensor([1, 3, 4]))
        tensor([[1, 0],
                [3, 4]])
    """
    length = vec.shape[-1]
    n = max(1, 1 - diag, diag)
    while _triangle(n, diag) < length:
        n += 1
    if _triangle(n, diag) != length:
        raise ValueError(
            f"The size of last dimension is {length} which cannot be expressed as "
            "the lower triangular part of a square D x D matrix."
        )
    rows, columns = _C.tril_indices(n, n, diag)
    mat = vec.new_zeros((*vec.shape[:-1], n, n))
    mat[..., rows, columns] = vec
    return mat


def as_size(shape: Shape) -> Size:
    """A shape as a Size."""
    return shape if isinstance(shape, Size) else Size(shape)
