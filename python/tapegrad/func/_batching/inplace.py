"""Operators that write into their first argument."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ... import _C
from ..._C import Tensor
from .._levels import BatchedTensor, Level, VmapError, asked, suspended, wrap
from ._tools import Rule, align, batched, value_of
from .elementwise import elementwise
from .indexing import INPLACE

__all__ = ["RULES", "by_copy", "direct"]


def _check(level: Level, x: Any) -> None:
    if not batched(level, x):
        raise VmapError(INPLACE.format(level.number))


def direct(operator: str, op: Callable[..., Any]) -> Rule:
    """An element-wise operator writes into the values itself."""
    on_values = elementwise(operator, op)

    def rule(level: Level, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        x = args[0]
        _check(level, x)
        rank = x.dim()
        if any(isinstance(a, Tensor) and a.dim() > rank for a in args[1:]):
            shape = _C.broadcast_shapes(*[a.shape for a in args if isinstance(a, Tensor)])
            raise RuntimeError(
                f"output with shape {list(x.shape)} doesn't match the broadcast shape {list(shape)}"
            )
        on_values(level, args, kwargs)
        return x

    return rule


def by_copy(operator: str, op: Callable[..., Any]) -> Rule:
    """What the operator without the underscore gives is written into the tensor."""

    def rule(level: Level, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        x, *rest = args
        _check(level, x)
        if x._value.requires_grad and _C.is_grad_enabled():
            source = wrap(level, x._value.clone())  # what is written over may have been saved
        else:
            source = x
        with asked(level):
            result = level._intercept(operator[:-1], (source, *rest), kwargs)
        if result.shape != x.shape:
            raise RuntimeError(
                f"output with shape {list(x.shape)} doesn't match the broadcast shape "
                f"{list(result.shape)}"
            )
        if not _C.can_cast(result.dtype, x.dtype):
            names = [str(d.dtype).split(".")[-1].capitalize() for d in (result, x)]
            raise RuntimeError(
                f"result type {names[0]} can't be cast to the desired output type {names[1]}"
            )
        x._value.copy_(value_of(level, result))
        return x

    return rule


def _same(operator: str, op: Callable[..., Any]) -> Rule:
    """The operator itself, on aligned values."""

    def rule(level: Level, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        x = args[0]
        _check(level, x)
        if any(isinstance(a, Tensor) and a.dim() > x.dim() for a in args[1:]):
            raise RuntimeError(
                f"{operator}: a source of more dimensions than the tensor that is written"
            )
        op(*align(level, args), **kwargs)
        return x

    return rule


def _fill(operator: str, op: Callable[..., Any]) -> Rule:
    def rule(level: Level, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        x = args[0]
        _check(level, x)
        number = args[1] if len(args) > 1 else next(iter(kwargs.values()))
        if batched(level, number):
            x._value.copy_(align(level, (x, number))[1])
        else:
            op(x._value, number)
        return x

    return rule


def _reshaped(out_of_place: str) -> Callable[[str, Callable[..., Any]], Rule]:
    """The tensor becomes a view of itself."""

    def make(operator: str, op: Callable[..., Any]) -> Rule:
        def rule(level: Level, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            _check(level, args[0])
            with asked(level):
                become(args[0], level._intercept(out_of_place, args, kwargs))
            return args[0]

        return rule

    return make


def become(x: BatchedTensor, other: BatchedTensor) -> None:
    """Give a tensor the values and the shape of another."""
    x._value = other._value
    with suspended():
        Tensor.data.__set__(x, Tensor.data.__get__(other))  # type: ignore[attr-defined]


def _detach(operator: str, op: Callable[..., Any]) -> Rule:
    def rule(level: Level, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        _check(level, args[0])
        args[0]._value.detach_()
        return args[0]

    return rule


def _fill_diagonal(operator: str, op: Callable[..., Any]) -> Rule:
    def rule(level: Level, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        x, number = args[0], args[1]
        wrap = kwargs.get("wrap", args[2] if len(args) > 2 else False)
        if x.dim() != 2 or wrap:
            for i in range(level.size):
                op(x._value.select(0, i), number, wrap)
            return x
        x._value.diagonal(0, 1, 2).fill_(number)
        return x

    return rule


RULES = {
    "copy_": _same,
    "zero_": _same,
    "fill_": _fill,
    "fill_diagonal_": _fill_diagonal,
    "detach_": _detach,
    "unsqueeze_": _reshaped("unsqueeze"),
    "squeeze_": _reshaped("squeeze"),
    "t_": _reshaped("t"),
    "transpose_": _reshaped("transpose"),
    "swapaxes_": _reshaped("swapaxes"),
    "as_strided_": _reshaped("as_strided"),
}
