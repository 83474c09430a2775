"""The levels of `vmap`, and the tensors with a batch dimension that the program does not see.

A `BatchedTensor` has the shape of one sample; the values of all samples lie in another tensor,
whose first dimension is the batch. That tensor may be batched itself, at a level further out. What
is in the memory of a `BatchedTensor` is never read: it is a NaN (or the least integer), expanded.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from .. import _C
from .._C import Tensor
from ..autograd.function import transforms
from ..utils._python_dispatch import _dispatch, _modes, below
from . import _guards

__all__ = [
    "BatchedTensor",
    "Level",
    "VmapError",
    "asked",
    "below",
    "current_levels",
    "debug_unwrap",
    "full",
    "is_batched",
    "levels_of",
    "plain",
    "refuse_batched",
    "rewrapped",
    "wrap",
]


class VmapError(RuntimeError):
    """What `vmap` cannot do; a loop over the samples could."""


ITEM = (
    "vmap: It looks like you're calling .item() on a Tensor. We don't support vmap over calling "
    ".item() on a Tensor, please try to rewrite what you're doing with other operations."
)
CONTROL_FLOW = (
    "vmap: It looks like you're attempting to use a Tensor in some data-dependent control flow. "
    "We don't support that yet: use tapegrad.where, or call the function for each sample."
)
DATA = (
    "vmap: Cannot access the data of a Tensor that is being vmapped over. Please try to rewrite "
    "what you're doing with other operations."
)


BACKWARD = (
    "vmap: backward passes and hooks on a Tensor that is being vmapped over are not supported; use "
    "tapegrad.func.grad or tapegrad.func.vjp."
)


def _refuse(message: str) -> Callable[..., NoReturn]:
    def refuse(*args: Any, **kwargs: Any) -> NoReturn:
        raise VmapError(message)

    return refuse


_placeholders: dict[Any, Tensor] = {}


def _placeholder(shape: Any, dtype: Any) -> Tensor:
    """A tensor of a shape and dtype whose memory is one number that no result should show."""
    if len(_placeholders) > 4096:
        _placeholders.clear()
    number: Any = float("nan")
    if not dtype.is_floating_point:
        number = {_C.bool: False, _C.uint8: 255}.get(dtype, -(2 ** (8 * dtype.itemsize - 1)))
    made = _C.full((), number, dtype=dtype).expand(shape)
    _placeholders[shape, dtype] = made
    return made


class BatchedTensor(Tensor):
    """A tensor inside of `vmap`: what the program sees of it is one sample."""

    __slots__ = ("_level", "_value")
    __torch_function__ = _C._disabled_torch_function_impl
    _level: Level
    _value: Tensor
    _has_no_values = True

    def __repr__(self, *, tensor_contents: str | None = None) -> str:
        lines = repr(self._value).replace("\n", "\n    ")
        return f"BatchedTensor(lvl={self._level.number}, bdim=0, value=\n    {lines}\n)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return object.__format__(self, spec)

    # What would read the memory.
    __bool__ = is_nonzero = _refuse(CONTROL_FLOW)
    equal = allclose = unique = unique_consecutive = _refuse(CONTROL_FLOW)
    __contains__ = _refuse(CONTROL_FLOW)
    __int__ = __float__ = __index__ = item = tolist = _refuse(ITEM)
    numpy = __array__ = __dlpack__ = data_ptr = apply_ = _refuse(DATA)
    __copy__ = __deepcopy__ = __reduce_ex__ = new = _refuse(DATA)
    backward = register_hook = retain_grad = register_post_accumulate_grad_hook = _refuse(BACKWARD)

    @property  # type: ignore[misc]
    def requires_grad(self) -> bool:
        return self._value.requires_grad

    @property
    def grad_fn(self) -> Any:
        return self._value.grad_fn

    @property
    def is_leaf(self) -> bool:
        return self._value.is_leaf

    @property  # type: ignore[misc]
    def data(self) -> Tensor:
        return self.detach()

    @property
    def real(self) -> Tensor:  # type: ignore[override]
        return self

    @property
    def T(self) -> Tensor:
        return self.permute(*reversed(range(self.dim())))

    @property
    def mT(self) -> Tensor:
        return self.transpose(-2, -1)

    def __iter__(self) -> Any:
        if not self.dim():
            raise TypeError("iteration over a 0-d tensor")
        return iter(self.unbind(0))

    def __len__(self) -> int:
        if not self.dim():
            raise TypeError("len() of a 0-d tensor")
        return self.shape[0]

    def cpu(self) -> Tensor:
        return self

    def type_as(self, other: Tensor) -> Tensor:
        return self._to_dtype(other.dtype)

    def stride(self, dim: int | None = None) -> Any:
        strides = self._value.stride()[1:]
        return strides if dim is None else strides[dim]

    def is_contiguous(self, *, memory_format: Any = None) -> bool:
        return self._value.is_contiguous()


def is_batched(x: object) -> bool:
    return type(x) is BatchedTensor


def refuse_batched(tensors: Iterable[Any]) -> None:
    if any(map(is_batched, tensors)):
        raise VmapError(BACKWARD)


def wrap(level: Level, value: Tensor) -> BatchedTensor:
    """The tensor of a level whose samples lie along the first dimension of `value`."""
    shape, dtype = value.shape[1:], value.dtype
    memory = _placeholders.get((shape, dtype))
    if memory is None:
        with suspended():  # and kept: it is no part of what is recorded here
            memory = _C._run_unrecorded(_placeholder, shape, dtype)
    made = _C._make_subclass(BatchedTensor, memory, dtype.is_floating_point)
    made._value, made._level = value, level
    return made


class suspended:
    """No mode is asked in this block."""

    def __enter__(self) -> None:
        self.stack = _modes.stack
        _modes.stack = []
        _C._set_dispatching(False)

    def __exit__(self, *exc_info: object) -> None:
        _modes.stack = self.stack
        _C._set_dispatching(bool(self.stack))


class asked:
    """A block in a rule, in which the rule's own level is asked again."""

    def __init__(self, level: Level) -> None:
        self.level = level

    def __enter__(self) -> None:
        _modes.stack.append(self.level)
        _C._set_dispatching(True)

    def __exit__(self, *exc_info: object) -> None:
        _modes.stack.pop()
        _C._set_dispatching(bool(_modes.stack))


class _Active(threading.local):
    def __init__(self) -> None:
        self.levels: list[Level] = []


_active = _Active()


def current_levels() -> list[Level]:
    """The levels around the code that runs, the outermost first: in a rule those further out."""
    return [mode for mode in _modes.stack if type(mode) is Level]


class Level:
    """One `vmap` that runs: it sees the operators, and gives them to the rules.

    Args:
        size: of the batch.
        randomness: "error", "same" or "different".
        quick: refuse what is done by a loop over the samples.
    """

    __slots__ = ("number", "quick", "randomness", "size")

    def __init__(self, size: int, randomness: str = "error", quick: bool = False) -> None:
        self.size, self.randomness, self.quick = size, randomness, quick
        self.number = 0

    def __enter__(self) -> Level:
        _C._begin_watching(_dispatch)
        _guards.install()
        transforms.append(self)
        _active.levels.append(self)
        self.number = len(_active.levels)
        _modes.stack.append(self)
        _C._set_dispatching(True)
        return self

    def __exit__(self, *exc_info: object) -> None:
        stack = _modes.stack
        stack.pop()
        _active.levels.pop()
        transforms.remove(self)
        _C._set_dispatching(bool(stack))
        _guards.remove()
        _C._end_watching()

    def _intercept(self, operator: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        rule = RULES.get(operator)
        if rule is None:
            rule = find_rule(operator)
        return rule(self, args, kwargs)


RULES: dict[str, Callable[[Level, tuple[Any, ...], dict[str, Any]], Any]] = {}


def find_rule(operator: str) -> Callable[[Level, tuple[Any, ...], dict[str, Any]], Any]:
    from ._batching import make_rule  # the rules use what is in this file

    rule = RULES[operator] = make_rule(operator)
    return rule


# ---------------------------------------------------------------------- through all levels


def full(x: Tensor, levels: Iterable[Level]) -> Tensor:
    """The tensor with a batch dimension at each of the levels (the outermost first)."""
    return rewrapped(plain(x, levels), levels)


def plain(x: Tensor, levels: Iterable[Level]) -> Tensor:
    """The values at all levels, whose first dimensions are theirs: no tensor of any level."""
    levels = list(levels)
    if not levels:
        return x
    with suspended():
        return _plain(x, levels)


def _plain(x: Tensor, levels: list[Level]) -> Tensor:
    chain = {}
    while isinstance(x, BatchedTensor):
        chain[id(x._level)] = x._level
        x = x._value
    if len(chain) > sum(id(level) in chain for level in levels):
        raise VmapError("a Tensor of a vmap that is over, or of another one, was used")
    for position, level in enumerate(levels):
        if id(level) not in chain:
            x = x.unsqueeze(position)
            sizes = [-1] * x.dim()
            sizes[position] = level.size
            x = x.expand(sizes)
    return x


def rewrapped(values: Tensor, levels: Iterable[Level]) -> Tensor:
    """The inverse of `plain`."""
    for level in levels:
        values = wrap(level, values)
    return values


def debug_unwrap(tensor: Tensor, *, recurse: bool = True) -> Tensor:
    """The values of all samples of a tensor inside of `vmap`, to be looked at.

    Args:
        tensor: any tensor; one that is not batched is returned as it is.
        recurse: through all levels, not only the innermost one. Default: True.

    Example:
        >>> import tapegrad
        >>> from tapegrad.func import debug_unwrap, vmap
        >>> def f(x):
        ...     print(debug_unwrap(x))
        ...     return x
        >>> out = vmap(f)(tapegrad.arange(3))
        tensor([0, 1, 2])
    """
    while isinstance(tensor, BatchedTensor):
        tensor = tensor._value
        if not recurse:
            break
    return tensor


def levels_of(x: Tensor) -> list[Level]:
    """The levels at which a tensor has a batch dimension, the outermost first."""
    found = []
    while isinstance(x, BatchedTensor):
        found.append(x._level)
        x = x._value
    return found[::-1]
