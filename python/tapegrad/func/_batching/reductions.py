"""Operators along dimensions: sums and their relatives, scans, sorting, softmax."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..._C import Tensor
from .._levels import Level, wrap
from ._tools import Bound, Rule, Signature, as_ints, batched, refuse_out, rewrap, shift, value_of

__all__ = ["RULES", "along"]


def _flat(value: Tensor) -> Tensor:
    return value.reshape(value.shape[0], -1) if value.numel() else value.flatten(1)


def along(flatten: bool = False) -> Callable[[str, Callable[..., Any]], Rule]:
    """The rule of an operator of one tensor with a parameter `dim`, which moves behind the batch.

    Args:
        flatten: without a dimension the elements of a sample are put in a row, because the operator
            takes a single dimension. Otherwise all dimensions are named.
    """

    def make(operator: str, op: Callable[..., Any]) -> Rule:
        signature = Signature(operator)
        plans: dict[Any, Callable[[Tensor], Any]] = {}

        def rule(level: Level, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            input = args[0] if args else kwargs["input"]
            key: Any = (input.dim(), args[1:], *map(type, args[1:2]), *kwargs.items())
            try:
                plan = plans.get(key)
            except TypeError:  # a list of dimensions
                plan = key = None
            if plan is None:
                refuse_out(operator, kwargs)
                plan = _plan(op, signature.bind(args, kwargs), input.dim(), flatten)
                if key is not None and len(plans) < 1000:
                    plans[key] = plan
            result = plan(input._value)
            return wrap(level, result) if isinstance(result, Tensor) else rewrap(level, result)

        return rule

    return make


def _plan(
    op: Callable[..., Any], bound: Bound, rank: int, flatten: bool
) -> Callable[[Tensor], Any]:
    """What is to be done with the values: everything but the values is known."""
    dim = bound["dim"]
    if "dim" not in bound:  # a form that has none
        dim = None
        bound.form = next(f for f in bound.form.siblings if {"dim", *bound.values} <= f.names)
    keepdim = bool(bound["keepdim"]) if "keepdim" in bound else False
    several = isinstance(dim, tuple | list)
    bound[bound.first] = None
    shape: tuple[int, ...] = ()
    if rank == 0:
        for d in as_ints(dim) if dim is not None and dim != () else ():
            shift(d, 0)
        bound["dim"] = [1] if several else 1
    elif dim is None or dim == () or dim == []:
        shape = (1,) * rank
        bound["dim"] = 1 if flatten else list(range(1, rank + 1))
    else:
        bound["dim"] = [shift(d, rank) for d in as_ints(dim)] if several else shift(dim, rank)
    (_, *args), named = bound.arguments()

    def of_values(value: Tensor) -> Any:
        return op(value, *args, **named)

    def of_numbers(value: Tensor) -> Any:
        result = op(value.unsqueeze(1), *args, **named)
        return _each(result, lambda x: x.squeeze(1) if x.dim() > 1 else x)

    def of_rows(value: Tensor) -> Any:
        result = op(_flat(value), *args, **named)
        return _each(result, lambda x: x.reshape(value.shape[0], *shape)) if keepdim else result

    return of_numbers if rank == 0 else of_rows if shape and flatten else of_values


def _each(result: Any, function: Callable[[Tensor], Tensor]) -> Any:
    if isinstance(result, Tensor):
        return function(result)
    kind: Any = type(result)
    return kind([function(part) for part in result])


def _extreme(operator: str, op: Callable[..., Any]) -> Rule:
    """`max` and `min`: of all elements, along a dimension, or of two tensors."""
    from ... import _C
    from .elementwise import elementwise

    of_two = elementwise(operator, op)
    of_dim = along()(operator, op)
    of_all = along()("amax" if operator == "max" else "amin", getattr(_C, f"a{operator}"))

    def rule(level: Level, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if "other" in kwargs or (len(args) > 1 and isinstance(args[1], Tensor)):
            return of_two(level, args, kwargs)
        return (of_dim if len(args) + len(kwargs) > 1 else of_all)(level, args, kwargs)

    return rule


def _median(operator: str, op: Callable[..., Any]) -> Rule:
    """Without a dimension there are no places."""
    of_dim = along(flatten=True)(operator, op)

    def rule(level: Level, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if len(args) + len(kwargs) > 1:
            return of_dim(level, args, kwargs)
        value = args[0]._value
        return wrap(level, op(_flat(value) if args[0].dim() else value.unsqueeze(1), 1)[0])

    return rule


def _quantile(operator: str, op: Callable[..., Any]) -> Rule:
    """The results for several `q` stand in front, before the batch."""
    signature = Signature(operator)

    def rule(level: Level, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        refuse_out(operator, kwargs)
        bound = signature.bind(args, kwargs)
        input, q, dim, keepdim = (bound[n] for n in ("input", "q", "dim", "keepdim"))
        if batched(level, q):
            # The value of each sample at each sample's q is on a diagonal.
            value, rank = value_of(level, input), input.dim()
            flat = value.flatten(1) if dim is None else value.movedim(shift(dim, rank), -1)
            rest = flat.shape[1:-1]
            bound["input"] = flat
            bound["q"] = q._value.reshape(-1)
            bound["dim"], bound["keepdim"] = flat.dim() - 1, False
            result = bound.call(op)
            count = q.numel()
            result = result.reshape(level.size, count, level.size, *rest)
            result = result.diagonal(0, 0, 2).movedim(-1, 0).reshape(level.size, *q.shape, *rest)
            if keepdim:
                place = result.dim() if dim is None else shift(dim, rank) + q.dim()
                for _ in range(rank if dim is None else 1):
                    result = result.unsqueeze(min(place, result.dim()))
            return wrap(level, result)
        value, rank = input._value, input.dim()
        if dim is None:
            value = value.flatten(1) if rank else value.unsqueeze(1)
            dim = 0
        elif rank == 0:
            value = value.unsqueeze(1)
        bound["input"], bound["dim"] = value, shift(dim, value.dim() - 1)
        several = isinstance(q, Tensor) and q.dim() == 1
        whole = bound["keepdim"] and args[0].dim() != value.dim() - 1
        bound["keepdim"] = keepdim and not whole
        result = bound.call(op)
        if several:
            result = result.movedim(0, 1)
        if whole:
            for _ in range(rank):
                result = result.unsqueeze(-1)
        elif keepdim and bound["dim"] == 1 and rank != value.dim() - 1:
            result = result.reshape(*result.shape[:-1], *[1] * rank)
        return wrap(level, result)

    return rule


def _repeat_interleave(operator: str, op: Callable[..., Any]) -> Rule:
    from .._levels import VmapError
    from ._loop import loop

    signature, by_loop = Signature(operator), loop(operator, op)

    def rule(level: Level, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        bound = signature.bind(args, kwargs)
        repeats = bound["repeats"]
        if batched(level, repeats):
            if "input" not in bound:
                raise VmapError("vmap: repeat_interleave of batched counts has a dynamic shape")
            return by_loop(level, args, kwargs)
        value, rank = bound["input"]._value, bound["input"].dim()
        if bound["dim"] is None:
            value, bound["dim"] = _flat(value) if rank else value.unsqueeze(1), 1
        elif rank == 0:
            value, bound["dim"] = value.unsqueeze(1), shift(bound["dim"], 0)
        else:
            bound["dim"] = shift(bound["dim"], rank)
        bound["input"] = value
        return wrap(level, bound.call(op))

    return rule


_ALONG = """
sum mean nansum nanmean amax amin logsumexp var std var_mean std_mean count_nonzero
linalg_vector_norm softmax log_softmax cumsum cumprod cummax cummin logcumsumexp sort argsort topk
kthvalue mode glu frobenius_norm
"""
RULES = {
    **dict.fromkeys(
        _ALONG.split(),
        along(),
    ),
    **dict.fromkeys(
        ["all", "any", "prod", "argmax", "argmin", "aminmax"],
        along(flatten=True),
    ),
    **dict.fromkeys(("median", "nanmedian"), _median),
    **dict.fromkeys(("max", "min"), _extreme),
    **dict.fromkeys(("quantile", "nanquantile"), _quantile),
    "repeat_interleave": _repeat_interleave,
}
