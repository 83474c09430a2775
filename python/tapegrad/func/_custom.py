"""Custom functions inside of transforms."""

from __future__ import annotations

from typing import Any, NamedTuple

from .._C import Tensor
from ..autograd.function import Function
from ..utils import _pytree
from ..utils._python_dispatch import _modes
from ._levels import BatchedTensor, Level, VmapError, below, is_batched, wrap

__all__ = ["VmapInfo", "apply"]


class VmapInfo(NamedTuple):
    """What the static method `vmap` of a custom function is told."""

    batch_size: int
    randomness: str


def apply(cls: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What the innermost transform makes of a custom function; NotImplemented if there is none."""
    values = (*args, *kwargs.values())
    for mode in reversed(_modes.stack):
        if isinstance(mode, Level):
            if any(_of_level(mode, x) for x in _pytree.tree_flatten(values)[0]):
                return _batched(mode, cls, args, kwargs)
        elif hasattr(mode, "involves") and mode.involves(values):
            return mode.apply(cls, args, kwargs)
    return NotImplemented


def _of_level(level: Level, x: Any) -> bool:
    return type(x) is BatchedTensor and x._level is level


def _batched(level: Level, cls: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    own = cls.vmap is not Function.vmap
    name = cls.__name__
    if cls.generate_vmap_rule and own:
        raise RuntimeError(
            f"You tried to vmap over {name}, but it has both generate_vmap_rule=True and an "
            "overridden vmap staticmethod. Please set generate_vmap_rule=False or delete the "
            "overridden vmap staticmethod to avoid ambiguity."
        )
    if not cls.generate_vmap_rule and not own:
        raise VmapError(
            f"You tried to vmap over {name}, but it does not have vmap support. Please override "
            "and implement the vmap staticmethod or set generate_vmap_rule=True."
        )
    flat, spec = _pytree.tree_flatten((args, kwargs))
    dims = [0 if _of_level(level, x) else None for x in flat]
    values = [x._value if _of_level(level, x) else x for x in flat]
    with below(level):
        if not own:
            return _generated(level, cls, flat, values, spec)
        given, named = spec.unflatten(values)
        in_dims, _ = spec.unflatten(dims)
        info = VmapInfo(level.size, level.randomness)
        result = cls.vmap(info, in_dims, *given, **named)
        if not (isinstance(result, tuple) and len(result) == 2):
            raise RuntimeError(
                f"Expected the vmap staticmethod of {name} to return (output, out_dims), got "
                f"{type(result)}"
            )
        leaves, out_spec = _pytree.tree_flatten(result[0])
        places = _pytree._broadcast_to_and_flatten(result[1], out_spec)
        if places is None:
            raise RuntimeError(
                f"Expected the vmap staticmethod of {name} to return out_dims in the form of the "
                "output"
            )
        return out_spec.unflatten(
            [
                x if dim is None else wrap(level, x.movedim(dim, 0) if dim else x)
                for x, dim in zip(leaves, places, strict=True)
            ]
        )


class _Notes:
    """The ctx of the function of a sample, which notes what is said to it."""

    materialize_grads = True
    saved_tensors: tuple[Any, ...] = ()

    def save_for_backward(self, *tensors: Any) -> None:
        self.saved_tensors = tensors

    def save_for_forward(self, *tensors: Any) -> None:
        self.saved_for_forward = tensors

    def mark_non_differentiable(self, *tensors: Any) -> None:
        self.without = tensors

    def mark_dirty(self, *tensors: Any) -> None:
        raise VmapError("vmap: a generated rule does not take functions that write their inputs")

    def set_materialize_grads(self, value: bool) -> None:
        self.materialize_grads = value


def _generated(level: Level, cls: Any, flat: list[Any], values: list[Any], spec: Any) -> Any:
    """The function of all samples: forward and backward run inside of a `vmap` each."""
    flags = [is_batched(x) and x._level is level for x in flat]
    notes: Any = _Notes()
    forms: dict[str, Any] = {}

    def inside(inner: Level, xs: Any, batched: Any) -> list[Any]:
        return [wrap(inner, x) if b else x for x, b in zip(xs, batched, strict=True)]

    def taken(inner: Level, x: Any) -> tuple[Any, bool]:
        return (x._value, True) if _of_level(inner, x) else (x, False)

    class Generated(Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(ctx: Any, *xs: Any) -> Any:
            with Level(level.size, level.randomness) as inner:
                args, kwargs = spec.unflatten(inside(inner, xs, flags))
                if cls._is_separate():
                    out = cls.forward(*args, **kwargs)
                    cls.setup_context(notes, args, out)
                else:
                    out = cls.forward(notes, *args, **kwargs)
                leaves, forms["out"] = _pytree.tree_flatten(out)
                outs = [taken(inner, x) for x in leaves]
                saved = [taken(inner, x) for x in notes.saved_tensors]
                without = {id(x) for x in getattr(notes, "without", ())}
                marked = [x[0] for x, y in zip(outs, leaves, strict=True) if id(y) in without]
            forms["batched"] = [b for _, b in outs]
            forms["saved"] = [b for _, b in saved]
            ctx.save_for_backward(*[x for x, _ in saved])
            ctx.set_materialize_grads(notes.materialize_grads)
            if marked:
                ctx.mark_non_differentiable(*marked)
            return tuple(x for x, _ in outs)

        @staticmethod
        def backward(ctx: Any, *grads: Any) -> Any:
            with Level(level.size, level.randomness) as inner:
                notes.saved_tensors = tuple(inside(inner, ctx.saved_tensors, forms["saved"]))
                notes.needs_input_grad = ctx.needs_input_grad
                given = inside(
                    inner, grads, [b and g is not None for b, g in zip(forms["batched"], grads)]
                )
                found = cls.backward(notes, *given)
                found = found if isinstance(found, tuple) else (found,)
                found = [taken(inner, g) for g in found]
                found += [(None, False)] * (len(flags) - len(found))
            result = []
            for (g, has), wanted in zip(found, flags, strict=True):
                if g is not None and has and not wanted:
                    g = g.sum(0)
                elif g is not None and wanted and not has:
                    g = g.unsqueeze(0).expand(level.size, *g.shape)
                result.append(g)
            return tuple(result)

    outs = Generated.apply(*values)
    results = [
        wrap(level, x) if b and isinstance(x, Tensor) else x
        for x, b in zip(outs, forms["batched"], strict=True)
    ]
    return forms["out"].unflatten(results)
