"""Jacobians and Hessians as functions of functions."""

from __future__ import annotations

import functools
from typing import Any

from .. import _C
from .._C import Tensor
from ..utils import _pytree
from ._levels import Level, VmapError, current_levels, rewrapped, suspended
from ._run import (
    Argnums,
    Func,
    Linearized,
    Run,
    chosen_arguments,
    parted,
    replaced,
    require_floats,
)

__all__ = ["hessian", "jacfwd", "jacrev"]

# Up to so many rows one backward pass for each is quicker than one for all, for which the function
# has to run again.
_FEW = 12


def _one_hot(values: Tensor, ahead: int, index: int) -> Tensor:
    """Zeros with a one at an element of each sample."""
    basis = _C.zeros(values.shape[ahead:].numel(), dtype=values.dtype)
    basis[index] = 1
    return basis.view(values.shape[ahead:]).expand(values.shape)


def _by_rows(run: Run, out: Tensor, keep: bool, record: bool) -> list[Tensor]:
    """For each input ``(levels..., elements of out, input)``: a backward pass for each element."""
    ahead = len(run.levels)
    count = out.shape[ahead:].numel()
    rows = []
    for index in range(count):
        with suspended():
            cotangent = _one_hot(out, ahead, index)
        rows.append(run.gradients([out], [cotangent], keep or index + 1 < count, record))
    with suspended():
        if not rows:
            return [
                _C.zeros(*x.shape[:ahead], 0, *x.shape[ahead:], dtype=x.dtype) for x in run.values
            ]
        return [_C.stack(list(column), ahead) for column in zip(*rows, strict=True)]


def _by_columns(linear: Linearized, run: Run, place: int) -> list[Tensor]:
    """For each output ``(levels..., out, elements of an input)``: a tangent for each element."""
    x, ahead = run.values[place], len(run.levels)
    tangents: list[Tensor | None] = [None] * len(run.values)
    columns = []
    for index in range(x.shape[ahead:].numel()):
        with suspended():
            tangents[place] = _one_hot(x, ahead, index)
        columns.append(linear.push(tangents, run.recorded))
    with suspended():
        if not columns:
            return [_C.zeros(*y.shape, 0, dtype=y.dtype) for y in linear.outputs]
        return [_C.stack(list(parts), -1) for parts in zip(*columns, strict=True)]


def _all_columns(
    func: Func, spec: Any, leaves: list[Any], place: int, count: int
) -> list[Tensor] | None:
    """The Jacobian of each result by one input, by the tangents of all of its elements at once.

    The function runs again, for `count` samples that are all alike. None where it cannot.
    """
    try:
        with Level(count, quick=True):
            run = Run(leaves)
            result = run.call(func, *spec.unflatten(run.aliases))
            outputs = run.outputs(_pytree.tree_flatten(result)[0], "jacfwd")
            ahead = len(run.levels)
            tangents: list[Tensor | None] = [None] * len(run.values)
            with suspended():
                x = run.values[place]
                basis = _C.eye(count, dtype=x.dtype)
                basis = basis.view(*[1] * (ahead - 1), count, *x.shape[ahead:])
                tangents[place] = basis.expand(x.shape)
            pushed = Linearized(run, outputs).push(tangents, run.recorded)
        with suspended():
            return [t.movedim(ahead - 1, -1) for t in pushed]
    except VmapError:
        return None


def _all_rows(
    func: Func, spec: Any, leaves: list[Any], out_place: int, count: int, chunk: int
) -> list[Tensor] | None:
    """The Jacobian of one result by each input, by backward passes for all elements at once.

    The function runs again, for `count` samples that are all alike. None where it cannot.
    """
    parts: list[list[Tensor]] = []
    try:
        for start in range(0, count, chunk):
            size = min(chunk, count - start)
            with Level(size, quick=True):
                run = Run(leaves)
                result = run.call(func, *spec.unflatten(run.aliases))
                outputs = run.outputs(_pytree.tree_flatten(result)[0], "jacrev")
                out = outputs[out_place]
                ahead = len(run.levels)
                with suspended():
                    elements = out.shape[ahead:]
                    basis = _C.zeros(size, count, dtype=out.dtype)
                    basis.diagonal(start).fill_(1)
                    basis = basis.view(*[1] * (ahead - 1), size, *elements)
                    grads = run.gradients([out], [basis.expand(out.shape)], False)
            parts.append(grads)
    except VmapError:
        return None
    ahead = len(current_levels())
    with suspended():
        return [
            column[0] if len(column) == 1 else _C.cat(list(column), ahead)
            for column in zip(*parts, strict=True)
        ]


def _jacobian(
    func: Func, argnums: Argnums, has_aux: bool, chunk_size: int | None, forward: bool, name: str
) -> Func:
    @functools.wraps(func, updated=())
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        chosen = chosen_arguments(args, argnums)
        leaves, spec = _pytree.tree_flatten(chosen)
        require_floats(leaves, name, "the arguments")

        def of_chosen(*given: Any) -> Any:
            tree = given[0] if isinstance(argnums, int) else given
            return func(*replaced(args, argnums, tree), **kwargs)

        if isinstance(argnums, int):
            leaves, spec = _pytree.tree_flatten((chosen,))
        run = Run(leaves)
        result, aux = parted(run.call(of_chosen, *spec.unflatten(run.aliases)), has_aux, name)
        out_leaves, out_spec = _pytree.tree_flatten(result)
        outputs = run.outputs(out_leaves, name)
        ahead = len(run.levels)
        rows = sum(y.shape[ahead:].numel() for y in outputs)
        columns = sum(x.shape[ahead:].numel() for x in run.values)

        def value_alone(*given: Any) -> Any:
            out = of_chosen(*given)
            return out[0] if has_aux else out

        if forward and columns <= rows:
            linear = Linearized(run, outputs)
            by_input = []
            for place, x in enumerate(run.values):
                count = x.shape[ahead:].numel()
                parts = None
                if count > _FEW:
                    parts = _all_columns(value_alone, spec, leaves, place, count)
                by_input.append(parts or _by_columns(linear, run, place))
            blocks = [[parts[i] for parts in by_input] for i in range(len(outputs))]
        else:
            blocks = []
            for place, out in enumerate(outputs):
                count = out.shape[ahead:].numel()
                found = None
                if count > _FEW and (chunk_size is None or chunk_size > 1):
                    found = _all_rows(
                        value_alone, spec, leaves, place, count, chunk_size or count
                    )  # fmt: skip
                if found is None:
                    last = place + 1 == len(outputs) and not run.recorded
                    found = _by_rows(run, out, not last, run.recorded)
                blocks.append(found)
        shaped = [
            [
                rewrapped(
                    block.reshape(*block.shape[:ahead], *out.shape[ahead:], *x.shape[ahead:]),
                    run.levels,
                )
                for block, x in zip(line, run.values, strict=True)
            ]
            for line, out in zip(blocks, outputs, strict=True)
        ]
        trees = []
        for line in shaped:
            tree = spec.unflatten(line)
            trees.append(tree[0] if isinstance(argnums, int) else tree)
        jacobian = out_spec.unflatten(trees)
        return (jacobian, _pytree.tree_map(run.finished, aux)) if has_aux else jacobian

    return wrapper


def jacrev(
    func: Func,
    argnums: Argnums = 0,
    *,
    has_aux: bool = False,
    chunk_size: int | None = None,
    _preallocate_and_copy: bool = False,
) -> Func:
    """A function that gives the Jacobian of `func`, by reverse mode.

    Args:
        func: returns tensors, or nested dicts, lists and tuples of them.
        argnums: by which of the positional arguments is differentiated: a number or a tuple of
            them. Default: 0.
        has_aux: whether `func` returns ``(results, aux)``. Default: False.
        chunk_size: how many rows are computed at once. Default: all.

    Returns:
        A function of the arguments of `func`. For one result and one argument it gives a tensor of
        shape ``result.shape + argument.shape``; else the form of the results, with the form of the
        arguments in the place of each tensor, or a pair of that and `aux`.

    Raises:
        ValueError: if `chunk_size` is not positive.
        RuntimeError: if a result is no tensor, or `argnums` does not fit.

    Note:
        For many rows `func` runs twice: the second time for all rows at once.

    Example:
        >>> import tapegrad
        >>> from tapegrad.func import jacrev
        >>> jacrev(lambda x: x**2)(tapegrad.tensor([1.0, 2.0]))
        tensor([[2., 0.],
                [0., 4.]])
    """
    if not (chunk_size is None or chunk_size > 0):
        raise ValueError("jacrev: `chunk_size` should be greater than 0.")
    return _jacobian(func, argnums, has_aux, chunk_size, False, "jacrev")


def jacfwd(
    func: Func, argnums: Argnums = 0, has_aux: bool = False, *, randomness: str = "error"
) -> Func:
    """A function that gives the Jacobian of `func`, as :func:`jacrev`.

    It is computed by columns, unless there are fewer results than inputs.

    Args:
        func: as for :func:`jacrev`.
        argnums: as for :func:`jacrev`. Default: 0.
        has_aux: whether `func` returns ``(results, aux)``. Default: False.
        randomness: accepted; random numbers in `func` are drawn once. Default: "error".

    Raises:
        RuntimeError: as :func:`jacrev`.

    Example:
        >>> import tapegrad
        >>> from tapegrad.func import jacfwd
        >>> jacfwd(tapegrad.sin)(tapegrad.zeros(2))
        tensor([[1., 0.],
                [0., 1.]])
    """
    return _jacobian(func, argnums, has_aux, None, True, "jacfwd")


def hessian(func: Func, argnums: Argnums = 0) -> Func:
    """A function that gives the Hessian of `func`: ``jacfwd(jacrev(func))``.

    Args:
        func: returns tensors, or nested dicts, lists and tuples of them.
        argnums: by which of the positional arguments is differentiated. Default: 0.

    Returns:
        A function of the arguments of `func`. For one number and one argument it gives a tensor of
        shape ``argument.shape + argument.shape``.

    Raises:
        RuntimeError: as :func:`jacrev`.

    Example:
        >>> import tapegrad
        >>> from tapegrad.func import hessian
        >>> hessian(lambda x: (x**3).sum())(tapegrad.tensor([1.0, 2.0]))
        tensor([[ 6.,  0.],
                [ 0., 12.]])
    """
    return jacfwd(jacrev(func, argnums), argnums)
