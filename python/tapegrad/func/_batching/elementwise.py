"""Operators that work element by element."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ... import _C
from ..._C import Tensor
from .._levels import BatchedTensor, Level, wrap
from ._tools import Rule, batched, cast, refuse_out, rewrap

__all__ = ["RULES", "elementwise"]

_ONE = """
abs acos acosh alias_copy angle asin asinh atan atanh bfloat16 bitwise_not bool byte ceil celu char
clamp clone conj contiguous cos cosh deg2rad detach detach_copy digamma double elu empty_like erf
erfc erfinv exp exp2 expm1 float floor frac frexp full_like gelu half hardshrink hardsigmoid
hardswish hardtanh i0 int isfinite isinf isnan isneginf isposinf isreal leaky_relu lgamma log log10
log1p log2 log_sigmoid logical_not logit long mish mvlgamma nan_to_num neg ones_like polygamma
positive rad2deg real reciprocal relu resolve_conj resolve_neg round rsqrt selu sgn short sigmoid
sign signbit silu sin sinc sinh softplus softshrink special_entr special_erfcx special_i0e
special_i1 special_i1e special_log_ndtr special_ndtr special_ndtri sqrt square tan tanh threshold
trunc zeros_like _to_dtype
"""
_SEVERAL = """
add addcdiv addcmul atan2 bitwise_and bitwise_left_shift bitwise_or bitwise_right_shift bitwise_xor
clamp_max clamp_min copysign div eq float_power floor_divide fmax fmin fmod gcd ge gt heaviside
hypot igamma igammac isclose lcm ldexp le lerp logaddexp logaddexp2 logical_and logical_or
logical_xor lt maximum minimum mul ne nextafter pow remainder rsub special_xlog1py special_zeta sub
xlogy _standard_gamma_grad
"""


def elementwise(operator: str, op: Callable[..., Any]) -> Rule:
    """Dimensions are aligned from behind, so that the batch stays in front."""

    def rule(level: Level, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if len(args) == 1 and not kwargs:
            result = op(args[0]._value)
            return wrap(level, result) if isinstance(result, Tensor) else rewrap(level, result)
        refuse_out(operator, kwargs)
        rank = mixed = 0
        dtype = None
        for x in (*args, *kwargs.values()) if kwargs else args:
            if isinstance(x, Tensor):
                rank = max(rank, x.dim())
                mixed |= dtype is not None and x.dtype != dtype
                dtype = x.dtype
        if mixed:
            args = _promoted(level, args)
        values = [_lifted(level, x, rank) for x in args]
        named = {name: _lifted(level, x, rank) for name, x in kwargs.items()} if kwargs else {}
        result = op(*values, **named)
        return wrap(level, result) if isinstance(result, Tensor) else rewrap(level, result)

    return rule


def _lifted(level: Level, x: Any, rank: int) -> Any:
    if type(x) is not BatchedTensor or x._level is not level:
        return x
    value = x._value
    for _ in range(rank - x.dim()):
        value = value.unsqueeze(1)
    return value


def _promoted(level: Level, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """For the dtype of the result a logical number counts less than the vector of its batch."""
    tensors = [x for x in args if isinstance(x, Tensor) and x.dtype != _C.bool]
    numbers = [x for x in tensors if x.dim() == 0]
    if not numbers or len(numbers) == len(tensors):
        return args
    with_dims = [x for x in tensors if x.dim()]
    dtype = with_dims[0].dtype
    for x in with_dims[1:]:
        dtype = _C.promote_types(dtype, x.dtype)
    like = _C.empty(1, dtype=dtype)
    return tuple(
        cast(level, x, _C.result_type(like, _C.empty((), dtype=x.dtype)))
        if any(x is number for number in numbers)
        else x
        for x in args
    )


def _polygamma(operator: str, op: Callable[..., Any]) -> Rule:
    plain = elementwise(operator, lambda x, n: op(n, x))

    def rule(level: Level, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        given = args if len(args) > 1 else (*args, *kwargs.values())
        x, n = given if isinstance(given[0], Tensor) else given[::-1]
        return plain(level, (x, n), {})

    return rule


def _masked_fill(operator: str, op: Callable[..., Any]) -> Rule:
    by_number = elementwise(operator, op)
    choose = elementwise("where", _C.where)

    def rule(level: Level, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        input, mask, number = (*args, *kwargs.values())
        if not isinstance(number, Tensor):
            return by_number(level, (input, mask, number), {})
        return choose(level, (mask, cast(level, number, input.dtype), input), {})

    return rule


def _bucketize(operator: str, op: Callable[..., Any]) -> Rule:
    """Batched boundaries are lines of `searchsorted`."""

    def rule(level: Level, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        refuse_out(operator, kwargs)
        input: Any
        input, boundaries = args
        if not isinstance(input, Tensor):
            input = _C.tensor(input)
        if not batched(level, boundaries):
            return wrap(level, op(input._value, boundaries, **kwargs))
        size = level.size
        lines = input._value if batched(level, input) else input.expand(size, *input.shape)
        found = _C.searchsorted(boundaries._value, lines.reshape(size, -1), **kwargs)
        return wrap(level, found.reshape(size, *input.shape))

    return rule


RULES = {
    **dict.fromkeys((_ONE + _SEVERAL).split(), elementwise),
    "polygamma": _polygamma,
    "masked_fill": _masked_fill,
    "where": elementwise,
    "bucketize": _bucketize,
}
