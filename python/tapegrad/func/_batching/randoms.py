"""Random numbers: an error, the same for all samples, or different ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ... import _C
from ..._C import Tensor
from .._levels import Level, VmapError, wrap
from ._tools import Rule, Signature, as_ints, batched, refuse_out, value_of

__all__ = ["RULES"]

ERROR = (
    "vmap: called random operation while in randomness error mode. Please either use the 'same' or "
    "'different' randomness flags on vmap or perform the randomness operation out of vmap"
)
UNBATCHED = (
    "vmap: Cannot ask for different inplace randomness on an unbatched tensor. This will appear "
    "like same randomness. If this is necessary for your usage, please file an issue with "
    "functorch."
)


def _check(level: Level) -> None:
    if level.randomness == "error" or level.quick:
        raise VmapError(ERROR)


def _factory(operator: str, op: Callable[..., Any]) -> Rule:
    """`rand` and its relatives, which take sizes."""
    signature = Signature(operator)

    def rule(level: Level, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        _check(level)
        if level.randomness == "same":
            return op(*args, **kwargs)
        refuse_out(operator, kwargs)
        bound = signature.bind(args, kwargs)
        if operator == "randperm":
            return wrap(level, _C.stack([op(*args, **kwargs) for _ in range(level.size)]))
        variadic = ("size", "variadic") in bound.form.kinds
        sizes = as_ints(bound["size"]) if bound["size"] not in ((), [], ((),), ([],)) else []
        bound["size"] = ((level.size, *sizes),) if variadic else (level.size, *sizes)
        return wrap(level, bound.call(op))

    return rule


def _of_tensor(operator: str, op: Callable[..., Any]) -> Rule:
    """An operator that gives random numbers for the elements of a tensor."""

    def rule(level: Level, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if operator == "dropout" and not _is_random(args, kwargs):
            x = args[0]
            return wrap(level, op(x._value, *args[1:], **kwargs)) if batched(level, x) else x
        _check(level)
        kwargs = dict(kwargs)
        refuse_out(operator, kwargs)
        tensors = [x for x in (*args, *kwargs.values()) if isinstance(x, Tensor)]
        if level.randomness == "different":
            rank = max((x.dim() for x in tensors), default=0)
            values = [_fitted(level, x, rank) for x in args]
            named = {name: _fitted(level, x, rank) for name, x in kwargs.items()}
            return wrap(level, op(*values, **named))
        if not any(batched(level, x) for x in tensors):
            return op(*args, **kwargs)
        if operator.endswith("_like"):
            sample = [x._value.select(0, 0) if batched(level, x) else x for x in args]
            return op(*sample, **kwargs)
        if operator == "dropout":
            x = args[0]
            kept = op(_C.ones(x.shape, dtype=x.dtype), *args[1:], **kwargs)
            return wrap(level, x._value * kept)
        raise VmapError(
            f"vmap: {operator} of a batched Tensor with randomness='same' is not supported, "
            "because the random numbers of the samples have distributions of their own"
        )

    return rule


def _fitted(level: Level, x: Any, rank: int) -> Any:
    if not isinstance(x, Tensor):
        return x
    value = value_of(level, x)
    for _ in range(rank - x.dim()):
        value = value.unsqueeze(1)
    return value


def _is_random(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    train = kwargs.get("train", args[2] if len(args) > 2 else True)
    return bool(train) and kwargs.get("p", args[1] if len(args) > 1 else 0.5) > 0


def _rrelu(operator: str, op: Callable[..., Any]) -> Rule:
    inner = _of_tensor(operator, op)
    signature = Signature(operator)

    def rule(level: Level, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if signature.bind(args, kwargs)["training"]:
            return inner(level, args, kwargs)
        x = args[0]
        if not batched(level, x):
            return op(*args, **kwargs)
        return wrap(level, op(x._value, *args[1:], **kwargs))

    return rule


def _multinomial(operator: str, op: Callable[..., Any]) -> Rule:
    """One matrix of probabilities at a time."""

    def rule(level: Level, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        _check(level)
        x = args[0]
        if level.randomness == "same":
            if batched(level, x):
                raise VmapError("vmap: multinomial of batched probabilities with the same numbers")
            return op(*args, **kwargs)
        values = value_of(level, x)
        rows = values if x.dim() == 1 else values.flatten(0, 1)
        drawn = op(rows, *args[1:], **kwargs)
        return wrap(level, drawn.reshape(*values.shape[:-1], -1))

    return rule


def _in_place(operator: str, op: Callable[..., Any]) -> Rule:
    def rule(level: Level, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if operator == "rrelu_" and not Signature(operator).bind(args, kwargs)["training"]:
            x = args[0]
            op(x._value if batched(level, x) else x, *args[1:], **kwargs)
            return x
        _check(level)
        x = args[0]
        if not batched(level, x):
            if any(batched(level, a) for a in (*args, *kwargs.values())):
                from .indexing import INPLACE

                raise VmapError(INPLACE.format(level.number))
            if level.randomness == "different":
                raise VmapError(UNBATCHED)
            return op(*args, **kwargs)
        if level.randomness == "different":
            values = [_fitted(level, a, x.dim()) for a in args]
            named = {name: _fitted(level, a, x.dim()) for name, a in kwargs.items()}
            op(*values, **named)
            return x
        if any(batched(level, a) for a in (*args[1:], *kwargs.values())):
            raise VmapError(f"vmap: {operator} of batched parameters with randomness='same'")
        if level.size:
            drawn = op(x._value.select(0, 0).clone(), *args[1:], **kwargs)
            x._value.copy_(drawn.unsqueeze(0).expand(x._value.shape))
        return x

    return rule


def _normal(operator: str, op: Callable[..., Any]) -> Rule:
    factory, of_tensor = _factory(operator, op), _of_tensor(operator, op)

    def rule(level: Level, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        given = any(isinstance(x, Tensor) for x in (*args, *kwargs.values()))
        return (of_tensor if given else factory)(level, args, kwargs)

    return rule


def _attention(operator: str, op: Callable[..., Any]) -> Rule:
    """Attention takes any number of dimensions in front."""
    signature = Signature(operator)

    def rule(level: Level, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        bound = signature.bind(args, kwargs)
        names = ("query", "key", "value", "attn_mask")
        tensors = [bound[name] for name in names]
        if bound["dropout_p"]:
            _check(level)
        if not any(batched(level, x) for x in tensors):
            if not bound["dropout_p"] or level.randomness == "same":
                return op(*args, **kwargs)
        elif bound["dropout_p"] and level.randomness == "same":
            raise VmapError("vmap: attention with dropout takes randomness='different'")
        rank = max(x.dim() for x in tensors if x is not None)
        for name, x in zip(names, tensors, strict=True):
            if x is None:
                continue
            value = value_of(level, x)
            for _ in range(rank - x.dim()):
                value = value.unsqueeze(1)
            bound[name] = value
        return wrap(level, bound.call(op))

    return rule


_OF_TENSORS = """
rand_like randn_like randint_like bernoulli poisson binomial dropout _standard_gamma
_sample_dirichlet
"""
_IN_PLACE = """
bernoulli_ cauchy_ exponential_ geometric_ log_normal_ normal_ random_ uniform_ rrelu_
"""
RULES = {
    **dict.fromkeys(("rand", "randn", "randint", "randperm"), _factory),
    "normal": _normal,
    **dict.fromkeys(
        _OF_TENSORS.split(),
        _of_tensor,
    ),
    "rrelu": _rrelu,
    "multinomial": _multinomial,
    "scaled_dot_product_attention": _attention,
    **dict.fromkeys(
        _IN_PLACE.split(),
        _in_place,
    ),
}
