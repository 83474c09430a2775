"""Derivatives as functions of functions."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from .. import _C
from .._C import Tensor
from ..utils import _pytree
from ._levels import BatchedTensor, Level, below, current_levels, plain, rewrapped, suspended, wrap
from ._run import (
    Argnums,
    Func,
    Linearized,
    Run,
    Transposed,
    chosen_arguments,
    depth,
    parted,
    replaced,
    require_floats,
)

__all__ = ["grad", "grad_and_value", "jvp", "linearize", "vjp"]


# ---------------------------------------------------------------------- gradients


def grad_and_value(func: Func, argnums: Argnums = 0, has_aux: bool = False) -> Func:
    """A function that gives the gradient of `func` and what `func` returns.

    The arguments are those of :func:`grad`.

    Returns:
        A function that returns ``(gradient, value)``, or ``(gradient, (value, aux))``.

    Example:
        >>> import tapegrad
        >>> from tapegrad.func import grad_and_value
        >>> grad_and_value(lambda x: (x**2).sum())(tapegrad.tensor([1.0, 3.0]))
        (tensor([2., 6.]), tensor(10.))
    """

    @functools.wraps(func, updated=())
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        chosen, spec = _pytree.tree_flatten(chosen_arguments(args, argnums))
        require_floats(chosen, "grad", "the arguments")
        run = Run(chosen)
        given = replaced(args, argnums, spec.unflatten(run.aliases))
        result = run.call(func, *given, **kwargs)
        aux = None
        if has_aux:
            if not (isinstance(result, tuple) and len(result) == 2):
                raise RuntimeError(
                    "grad_and_value(f)(*args): output of function f should be a tuple: (output, "
                    "aux) if has_aux is True"
                )
            result, aux = result
        if not isinstance(result, Tensor):
            raise RuntimeError(
                "grad_and_value(f)(*args): Expected f(*args) to return a Tensor, got "
                f"{type(result)}"
            )
        if result.dim() != 0:
            raise RuntimeError(
                "grad_and_value(f)(*args): Expected f(*args) to return a scalar tensor, got tensor "
                f"with {result.dim()} dims. Maybe you wanted to use the vjp or jacrev APIs instead?"
            )
        (output,) = run.outputs([result], "grad")
        with suspended():
            cotangent = _C.ones_like(output, requires_grad=False)
        grads = run.gradients([output], [cotangent], False)
        gradient = spec.unflatten([rewrapped(g, run.levels) for g in grads])
        value = run.finished(result)
        if has_aux:
            return gradient, (value, _pytree.tree_map(run.finished, aux))
        return gradient, value

    return wrapper


def grad(func: Func, argnums: Argnums = 0, has_aux: bool = False) -> Func:
    """A function that gives the gradient of `func`, which returns one number.

    Args:
        func: returns a tensor without dimensions.
        argnums: by which of the positional arguments is differentiated: a number or a tuple of
            them. The arguments may be nested dicts, lists and tuples of tensors. Default: 0.
        has_aux: whether `func` returns ``(value, aux)``, where `aux` is handed on. Default: False.

    Returns:
        A function of the arguments of `func`, which returns the gradient in their form, or
        ``(gradient, aux)``.

    Raises:
        RuntimeError: if `func` does not return a tensor without dimensions, or `argnums` does not
            fit.

    Example:
        >>> import tapegrad
        >>> from tapegrad.func import grad
        >>> grad(tapegrad.sin)(tapegrad.tensor(0.0))
        tensor(1.)
        >>> grad(grad(lambda x: x**3))(tapegrad.tensor(2.0))
        tensor(12.)
        >>> grad(lambda x, y: x * y, argnums=(0, 1))(tapegrad.tensor(2.0), tapegrad.tensor(3.0))
        (tensor(3.), tensor(2.))
    """
    both = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func, updated=())
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        gradient, value = both(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return wrapper


def _spread(
    levels: list[Level], tangents: list[Tensor], pull: Callable[[list[Tensor]], list[Tensor]]
) -> list[Tensor]:
    """A linear function of tensors that may be batched at levels which `levels` does not have.

    It is computed for each sample: what was recorded is recorded without these levels.
    """
    further = [level for level in current_levels() if level not in levels]
    for level in reversed(further):
        if not any(_at_level(x, level) for x in tangents):
            continue
        columns = [
            x._value.unbind(0) if _at_level(x, level) else (x,) * level.size  # type: ignore[attr-defined]
            for x in tangents
        ]
        rows = [_spread(levels, list(row), pull) for row in zip(*columns, strict=True)]
        with below(level):
            return [wrap(level, _C.stack(parts)) for parts in zip(*rows, strict=True)]
    return [rewrapped(x, levels) for x in pull([plain(x, levels) for x in tangents])]


def _at_level(x: Tensor, level: Level) -> bool:
    return type(x) is BatchedTensor and x._level is level


def vjp(func: Func, *primals: Any, has_aux: bool = False) -> Any:
    """The results of `func` at `primals`, and the function ``v -> v^T J`` there.

    Args:
        func: returns tensors, or nested dicts, lists and tuples of them.
        primals: the arguments, likewise.
        has_aux: whether `func` returns ``(results, aux)``. Default: False.

    Returns:
        ``(results, vjp_fn)`` or ``(results, vjp_fn, aux)``. ``vjp_fn`` takes tensors in the form
        of the results and returns a tuple with one entry for each of `primals`; it can be called
        more than once.

    Raises:
        RuntimeError: if a result is no tensor, or what ``vjp_fn`` gets has another form.

    Example:
        >>> import tapegrad
        >>> from tapegrad.func import vjp
        >>> out, vjp_fn = vjp(tapegrad.sin, tapegrad.zeros(2))
        >>> vjp_fn(tapegrad.tensor([1.0, 10.0]))
        (tensor([ 1., 10.]),)
    """
    leaves, spec = _pytree.tree_flatten(primals)
    require_floats(leaves, "vjp", "the primals")
    run = Run(leaves)
    result, aux = parted(run.call(func, *spec.unflatten(run.aliases)), has_aux, "vjp")
    out_leaves, out_spec = _pytree.tree_flatten(result)
    outputs = run.outputs(out_leaves, "vjp")

    def vjp_fn(*cotangents: Any, **options: Any) -> Any:
        """The product of the cotangents with the Jacobian."""
        given = cotangents[0] if len(cotangents) == 1 else cotangents
        flat, given_spec = _pytree.tree_flatten(given)
        if given_spec != out_spec:
            raise RuntimeError(
                f"Expected pytree structure of cotangents to be the same as pytree structure of "
                f"outputs to the function. cotangents: {given_spec}, primal output: {out_spec}"
            )
        for c, y in zip(flat, out_leaves, strict=True):
            if not isinstance(c, Tensor) or c.shape != y.shape:
                shape = c.shape if isinstance(c, Tensor) else type(c)
                raise RuntimeError(
                    f"Mismatch in shape: grad_output has a shape of {shape} and output has a "
                    f"shape of {y.shape}."
                )
        record = _C.is_grad_enabled() and (
            run.recorded or depth.count > 0 or any(c.requires_grad for c in flat)
        )
        products = _spread(
            run.levels, flat, lambda values: run.gradients(outputs, values, True, record)
        )
        return tuple(spec.unflatten(products))

    results = out_spec.unflatten([run.finished(y) for y in out_leaves])
    if has_aux:
        return results, vjp_fn, _pytree.tree_map(run.finished, aux)
    return results, vjp_fn


# ---------------------------------------------------------------------- forward


def _check_tangents(leaves: list[Any], tangents: list[Any], name: str) -> None:
    for x, t in zip(leaves, tangents, strict=True):
        if not isinstance(t, Tensor):
            raise RuntimeError(
                f"{name}(f, primals, tangents): Expected tangents to be Tensors, got {type(t)}"
            )
        if x.shape != t.shape:
            raise RuntimeError(
                f"{name}(f, primals, tangents): Expected primal and tangent to have the same "
                f"shape, got {x.shape} and {t.shape}"
            )


def jvp(
    func: Func, primals: Any, tangents: Any, *, strict: bool = False, has_aux: bool = False
) -> Any:
    """The results of `func` at `primals`, and their derivative in the direction of `tangents`.

    Computed by forward mode: `func` is recorded once, and its tangents follow from those of the
    arguments, operator by operator.

    Args:
        func: returns tensors, or nested dicts, lists and tuples of them.
        primals: a tuple of the arguments.
        tangents: a tuple of the same form.
        strict: refuse results that do not depend on an input, instead of giving zeros.
            Default: False.
        has_aux: whether `func` returns ``(results, aux)``. Default: False.

    Returns:
        ``(results, derivatives)``, or ``(results, derivatives, aux)``.

    Raises:
        RuntimeError: if `primals` is no tuple, or `tangents` has another form.

    Example:
        >>> import tapegrad
        >>> from tapegrad.func import jvp
        >>> jvp(lambda x: x**2, (tapegrad.tensor(3.0),), (tapegrad.tensor(10.0),))
        (tensor(9.), tensor(60.))
    """
    if not isinstance(primals, tuple):
        raise RuntimeError(
            f"jvp: Expected primals to be a tuple. E.g. it should be valid to call f(*primals)."
            f" Got {type(primals)}"
        )
    leaves, spec = _pytree.tree_flatten(primals)
    flat, tangent_spec = _pytree.tree_flatten(tangents)
    if spec != tangent_spec:
        raise RuntimeError(
            "jvp(f, primals, tangents): Expected primals and tangents to have the same python "
            f"structure. For example, if primals is a tuple of 3 tensors, tangents also must be. "
            f"Got primals with structure {spec} and tangents with structure {tangent_spec}"
        )
    require_floats(leaves, "jvp", "the primals")
    _check_tangents(leaves, flat, "jvp")
    run = Run(leaves)
    result, aux = parted(run.call(func, *spec.unflatten(run.aliases)), has_aux, "jvp")
    out_leaves, out_spec = _pytree.tree_flatten(result)
    outputs = run.outputs(out_leaves, "jvp")
    if strict and not all(y.requires_grad for y in outputs):
        raise RuntimeError(
            "jvp(f, primals, tangents): with strict=True all results have to depend on the primals"
        )
    values = [plain(t, run.levels) for t in flat]
    record = run.outer and (run.recorded or any(t.requires_grad for t in values))
    pushed = Linearized(run, outputs).push(values, record)
    results = out_spec.unflatten([run.finished(y) for y in out_leaves])
    derivatives = out_spec.unflatten([rewrapped(t, run.levels) for t in pushed])
    if has_aux:
        return results, derivatives, _pytree.tree_map(run.finished, aux)
    return results, derivatives


def linearize(func: Func, *primals: Any) -> tuple[Any, Func]:
    """The results of `func` at `primals`, and the linear function that is its derivative there.

    Args:
        func: returns tensors, or nested dicts, lists and tuples of them.
        primals: the arguments, likewise.

    Returns:
        ``(results, jvp_fn)``: ``jvp_fn(*tangents)`` gives what :func:`jvp` would, without running
        `func` again.

    Raises:
        RuntimeError: if the tangents have another form than `primals`.

    Example:
        >>> import tapegrad
        >>> from tapegrad.func import linearize
        >>> out, jvp_fn = linearize(tapegrad.exp, tapegrad.zeros(2))
        >>> jvp_fn(tapegrad.tensor([1.0, 2.0]))
        tensor([1., 2.])
    """
    leaves, spec = _pytree.tree_flatten(primals)
    require_floats(leaves, "linearize", "the primals")
    run = Run(leaves)
    out_leaves, out_spec = _pytree.tree_flatten(run.call(func, *spec.unflatten(run.aliases)))
    outputs = run.outputs(out_leaves, "linearize")
    is_shared = run.recorded and depth.count == 0  # the caller may go back through the results
    linear = Transposed(run, outputs) if is_shared else Linearized(run, outputs)

    def jvp_fn(*tangents: Any) -> Any:
        """The derivative in the direction of the tangents."""
        flat, tangent_spec = _pytree.tree_flatten(tangents)
        if tangent_spec != spec:
            raise RuntimeError(
                "Expected the tangents to have the same structure as the primals. Got "
                f"{tangent_spec} and {spec}"
            )
        _check_tangents(leaves, flat, "linearize")
        record = _C.is_grad_enabled() and (
            run.recorded or depth.count > 0 or any(t.requires_grad for t in flat)
        )
        pushed = _spread(run.levels, flat, lambda values: linear.push(values, record))
        return out_spec.unflatten(pushed)

    return out_spec.unflatten([run.finished(y) for y in out_leaves]), jvp_fn
