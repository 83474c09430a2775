"""Derivatives as functions of functions, over reverse mode.

Each transform gives the function fresh aliases of its arguments and asks the tape for gradients
with respect to these: what the program does with the arguments elsewhere does not count. Inside of
a `vmap` the aliases are batched at all of its levels, so that each sample has gradients of its own.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from typing import Any

from .. import _C
from .._arguments import as_tuple
from .._C import Tensor
from ..autograd.grad_mode import enable_grad
from . import _pytree
from ._levels import (
    BatchedTensor,
    Level,
    VmapError,
    _suspended,
    below,
    current_levels,
    is_batched,
    levels_of,
    plain,
    rewrapped,
    wrap,
)

__all__ = ["grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp", "linearize", "vjp"]

Argnums = int | tuple[int, ...]
Func = Callable[..., Any]


# ---------------------------------------------------------------------- arguments and results


def _chosen(args: tuple[Any, ...], argnums: Any) -> Any:
    """The arguments by which is differentiated."""
    if isinstance(argnums, bool) or not isinstance(argnums, int | tuple):
        raise RuntimeError(
            f"argnum must be int or Tuple[int, ...], got: {type(argnums)}"
        )  # fmt: skip
    if isinstance(argnums, int):
        return args[_place(argnums, len(args))]
    places = [_place(n, len(args)) for n in argnums]
    if not places:
        raise RuntimeError("argnums must be non-empty")
    if len(set(places)) != len(places):
        raise RuntimeError(f"argnums elements must be unique, got {argnums}")
    return tuple(args[n] for n in places)


def _place(argnum: int, count: int) -> int:
    if not -count <= argnum < count:
        raise RuntimeError(
            f"Got argnum={argnum}, but only {count} positional inputs"
        )  # fmt: skip
    return argnum % count


def _replaced(args: tuple[Any, ...], argnums: Any, chosen: Any) -> tuple[Any, ...]:
    result = list(args)
    if isinstance(argnums, int):
        result[argnums] = chosen
    else:
        for n, value in zip(argnums, chosen, strict=True):
            result[n] = value
    return tuple(result)


def _require_floats(leaves: list[Any], name: str, what: str) -> None:
    for leaf in leaves:
        if not isinstance(leaf, Tensor):
            raise RuntimeError(
                f"{name}: Expected {what} to be a Tensor or tensors in a pytree, got unsupported "
                f"type {type(leaf)}"
            )
        if not leaf.is_floating_point():
            raise RuntimeError(
                f"{name}: Expected {what} to be floating point or complex tensors, got dtype "
                f"{leaf.dtype}; only Tensors of floating point dtype can require gradients"
            )


class _Run:
    """One evaluation of a function at fresh aliases of its arguments."""

    def __init__(self, leaves: Sequence[Any]) -> None:
        self.levels = list(current_levels())
        self.outer = _C.is_grad_enabled()
        # Of a function that is differentiated further out the results have to be recorded.
        self.recorded = self.outer and _depth.count > 0
        self.values: list[Tensor] = []
        for x in leaves:
            value = _without_tangent(plain(x, self.levels))
            with _suspended():
                if self.outer and value.requires_grad:
                    self.recorded = True
                    with enable_grad():
                        value = value.view_as(value)
                else:
                    value = value.detach().requires_grad_()
                    if self.recorded:
                        value._of_transform = True  # type: ignore[attr-defined]
            self.values.append(value)
        self.aliases = [rewrapped(value, self.levels) for value in self.values]

    def call(self, func: Func, *args: Any, **kwargs: Any) -> Any:
        _depth.count += 1
        try:
            with enable_grad():
                return func(*args, **kwargs)
        finally:
            _depth.count -= 1

    def outputs(self, leaves: Sequence[Any], name: str) -> list[Tensor]:
        """The values of results, with all levels."""
        for leaf in leaves:
            if not isinstance(leaf, Tensor):
                raise RuntimeError(
                    f"{name}(f, *primals): Expected f(*primals) to return only tensors, got "
                    f"unsupported type {type(leaf)}"
                )
        values = [_without_tangent(plain(x, self.levels)) for x in leaves]
        if self.outer and not self.recorded:
            self.recorded = _other_leaves(values, self.values)
        return values

    def finished(self, x: Any) -> Any:
        """A result for the caller: without the tape where nobody asks for it."""
        if self.recorded or not isinstance(x, Tensor):
            return x
        return _detached(x)

    def gradients(
        self,
        outputs: Sequence[Tensor],
        cotangents: Sequence[Tensor | None],
        keep: bool,
        record: bool | None = None,
    ) -> list[Tensor]:
        """Of all values, with zeros where nothing arrives."""
        record = self.recorded if record is None else record
        return _pull(outputs, self.values, cotangents, keep or record, record)


def _without_tangent(x: Tensor) -> Tensor:
    if hasattr(x, "_tangent"):
        raise RuntimeError(
            "tapegrad.func transforms do not take tensors with a tangent of "
            "autograd.forward_ad; nest tapegrad.func.jvp instead"
        )
    return x


class _Depth(threading.local):
    """How many transforms are at work around the code that runs."""

    count = 0


_depth = _Depth()


def _detached(x: Tensor) -> Tensor:
    if type(x) is BatchedTensor:
        return wrap(x._level, _detached(x._value))
    with _suspended():
        return x.detach()


def _other_leaves(outputs: Sequence[Tensor], own: Sequence[Tensor]) -> bool:
    """Whether the graph leads to a leaf that is not one of our own."""
    mine = {id(x) for x in own}
    seen = set()
    stack = [x.grad_fn for x in outputs if x.requires_grad and x.grad_fn is not None]
    if any(x.requires_grad and x.grad_fn is None and id(x) not in mine for x in outputs):
        return True
    while stack:
        node = stack.pop()
        for following, _ in node.next_functions:
            if following is None or following in seen:
                continue
            seen.add(following)
            variable = getattr(following, "variable", None)
            if variable is None:
                stack.append(following)
            elif id(variable) not in mine and not hasattr(variable, "_of_transform"):
                return True
    return False


def _pull(
    outputs: Sequence[Tensor],
    inputs: Sequence[Tensor],
    cotangents: Sequence[Tensor | None],
    keep: bool,
    record: bool,
) -> list[Tensor]:
    pairs = [(y, c) for y, c in zip(outputs, cotangents, strict=True) if y.requires_grad]
    with _suspended():
        found: Sequence[Tensor | None] = (None,) * len(inputs)
        if pairs:
            roots, gradients = zip(*pairs, strict=True)
            found = _C._run_backward(
                roots, gradients, keep, record, tuple(inputs), True, False
            )  # fmt: skip
        return [
            _C.zeros_like(x, requires_grad=False) if g is None else g
            for g, x in zip(found, inputs, strict=True)
        ]


def batched_gradients(
    roots: tuple[Any, ...],
    inputs: tuple[Any, ...],
    cotangents: Any,
    retain_graph: bool | None,
    create_graph: bool,
    allow_unused: bool,
    materialize: bool,
) -> tuple[Any, ...] | None:
    """What `autograd.grad` gives for batched tensors; None if there are none."""
    given = as_tuple(cotangents) if cotangents is not None else (None,) * len(roots)
    if not any(map(is_batched, (*roots, *inputs, *given))):
        return None
    levels = [
        level
        for level in current_levels()
        if any(level in levels_of(x) for x in (*roots, *inputs, *given) if isinstance(x, Tensor))
    ]
    if any(not isinstance(x, Tensor) or levels_of(x) != levels for x in inputs):
        raise VmapError(
            "vmap: autograd.grad by a Tensor that is not being vmapped over, of one that is, is "
            "not supported; use tapegrad.func.grad."
        )
    if any(not x.requires_grad for x in inputs):
        raise RuntimeError("One of the differentiated Tensors does not require grad")
    outputs = [plain(y, levels) for y in roots]
    gradients = []
    for root, y, c in zip(roots, outputs, given, strict=True):
        if c is None and root.numel() != 1:
            raise RuntimeError("grad can be implicitly created only for scalar outputs")
        with _suspended():
            gradients.append(_C.ones_like(y) if c is None else plain(c, levels))
    keep = create_graph if retain_graph is None else retain_graph
    values = tuple(plain(x, levels) for x in inputs)
    with _suspended():
        found = _C._run_backward(
            tuple(outputs), tuple(gradients), keep, create_graph, values, allow_unused, False
        )
        if materialize:
            pairs = zip(found, values, strict=True)
            found = tuple(_C.zeros_like(x) if g is None else g for g, x in pairs)
    return tuple(None if g is None else rewrapped(g, levels) for g in found)


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
        chosen, spec = _pytree.flatten(_chosen(args, argnums))
        _require_floats(chosen, "grad", "the arguments")
        run = _Run(chosen)
        given = _replaced(args, argnums, spec.build(run.aliases))
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
        with _suspended():
            cotangent = _C.ones_like(output, requires_grad=False)
        grads = run.gradients([output], [cotangent], False)
        gradient = spec.build([rewrapped(g, run.levels) for g in grads])
        value = run.finished(result)
        if has_aux:
            return gradient, (value, _pytree.map_leaves(run.finished, aux))
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


def _parted(result: Any, has_aux: bool, name: str) -> tuple[Any, Any]:
    if not has_aux:
        return result, None
    if not (isinstance(result, tuple) and len(result) == 2):
        raise RuntimeError(
            f"{name}(f, *primals): output of function f should be a tuple: (output, aux) if "
            "has_aux is True"
        )
    return result


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
    leaves, spec = _pytree.flatten(primals)
    _require_floats(leaves, "vjp", "the primals")
    run = _Run(leaves)
    result, aux = _parted(run.call(func, *spec.build(run.aliases)), has_aux, "vjp")
    out_leaves, out_spec = _pytree.flatten(result)
    outputs = run.outputs(out_leaves, "vjp")

    def vjp_fn(*cotangents: Any, **options: Any) -> Any:
        """The product of the cotangents with the Jacobian."""
        given = cotangents[0] if len(cotangents) == 1 else cotangents
        flat, given_spec = _pytree.flatten(given)
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
            run.recorded or _depth.count > 0 or any(c.requires_grad for c in flat)
        )
        products = _spread(
            run.levels, flat, lambda values: run.gradients(outputs, values, True, record)
        )
        return tuple(spec.build(products))

    results = out_spec.build([run.finished(y) for y in out_leaves])
    if has_aux:
        return results, vjp_fn, _pytree.map_leaves(run.finished, aux)
    return results, vjp_fn


# ---------------------------------------------------------------------- forward


class _Transposed:
    """``u^T J``, recorded as a function of ``u``: its derivative by ``u`` is ``J``."""

    def __init__(self, run: _Run, outputs: list[Tensor]) -> None:
        self.run, self.outputs = run, outputs
        with _suspended(), enable_grad():
            self.u = [_C.zeros_like(y, requires_grad=True) for y in outputs]
            for u in self.u:
                u._of_transform = True  # type: ignore[attr-defined]
        self.pulled = _pull(outputs, run.values, self.u, True, True)

    def push(self, tangents: list[Tensor], keep: bool, record: bool) -> list[Tensor]:
        return _pull(self.pulled, self.u, tangents, keep, record)


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

    Computed by reverse mode: ``u^T J`` is linear in ``u``, and its derivative by ``u`` in the
    direction of `tangents` is the product.

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
    leaves, spec = _pytree.flatten(primals)
    flat, tangent_spec = _pytree.flatten(tangents)
    if spec != tangent_spec:
        raise RuntimeError(
            "jvp(f, primals, tangents): Expected primals and tangents to have the same python "
            f"structure. For example, if primals is a tuple of 3 tensors, tangents also must be. "
            f"Got primals with structure {spec} and tangents with structure {tangent_spec}"
        )
    _require_floats(leaves, "jvp", "the primals")
    _check_tangents(leaves, flat, "jvp")
    run = _Run(leaves)
    result, aux = _parted(run.call(func, *spec.build(run.aliases)), has_aux, "jvp")
    out_leaves, out_spec = _pytree.flatten(result)
    outputs = run.outputs(out_leaves, "jvp")
    if strict and not all(y.requires_grad for y in outputs):
        raise RuntimeError(
            "jvp(f, primals, tangents): with strict=True all results have to depend on the primals"
        )
    values = [plain(t, run.levels) for t in flat]
    record = run.outer and (run.recorded or any(t.requires_grad for t in values))
    pushed = _Transposed(run, outputs).push(values, record, record)
    results = out_spec.build([run.finished(y) for y in out_leaves])
    derivatives = out_spec.build([rewrapped(t, run.levels) for t in pushed])
    if has_aux:
        return results, derivatives, _pytree.map_leaves(run.finished, aux)
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
    leaves, spec = _pytree.flatten(primals)
    _require_floats(leaves, "linearize", "the primals")
    run = _Run(leaves)
    out_leaves, out_spec = _pytree.flatten(run.call(func, *spec.build(run.aliases)))
    transposed = _Transposed(run, run.outputs(out_leaves, "linearize"))

    def jvp_fn(*tangents: Any) -> Any:
        """The derivative in the direction of the tangents."""
        flat, tangent_spec = _pytree.flatten(tangents)
        if tangent_spec != spec:
            raise RuntimeError(
                "Expected the tangents to have the same structure as the primals. Got "
                f"{tangent_spec} and {spec}"
            )
        _check_tangents(leaves, flat, "linearize")
        record = _C.is_grad_enabled() and (
            run.recorded or _depth.count > 0 or any(t.requires_grad for t in flat)
        )
        pushed = _spread(run.levels, flat, lambda values: transposed.push(values, True, record))
        return out_spec.build(pushed)

    return out_spec.build([run.finished(y) for y in out_leaves]), jvp_fn


# ---------------------------------------------------------------------- whole matrices


# Up to so many rows one backward pass for each is quicker than one for all, for which the function
# has to run again.
_FEW = 12


def _one_hot(values: Tensor, ahead: int, index: int) -> Tensor:
    """Zeros with a one at an element of each sample."""
    basis = _C.zeros(values.shape[ahead:].numel(), dtype=values.dtype)
    basis[index] = 1
    return basis.view(values.shape[ahead:]).expand(values.shape)


def _by_rows(run: _Run, out: Tensor, keep: bool, record: bool) -> list[Tensor]:
    """For each input ``(levels..., elements of out, input)``: a backward pass for each element."""
    ahead = len(run.levels)
    count = out.shape[ahead:].numel()
    rows = []
    for index in range(count):
        with _suspended():
            cotangent = _one_hot(out, ahead, index)
        rows.append(run.gradients([out], [cotangent], keep or index + 1 < count, record))
    with _suspended():
        if not rows:
            return [
                _C.zeros(*x.shape[:ahead], 0, *x.shape[ahead:], dtype=x.dtype) for x in run.values
            ]
        return [_C.stack(list(column), ahead) for column in zip(*rows, strict=True)]


def _by_columns(run: _Run, outputs: list[Tensor]) -> list[list[Tensor]]:
    """For each output and input ``(levels..., out, elements of the input)``."""
    ahead = len(run.levels)
    transposed = _Transposed(run, outputs)
    blocks: list[list[Tensor]] = [[] for _ in outputs]
    for place, x in enumerate(run.values):
        columns = []
        for index in range(x.shape[ahead:].numel()):
            with _suspended():
                tangents = [_C.zeros_like(v, requires_grad=False) for v in run.values]
                tangents[place] = _one_hot(x, ahead, index)
            columns.append(transposed.push(tangents, True, run.recorded))
        for block, out, column in zip(
            blocks, outputs, zip(*columns, strict=True) if columns else [()] * len(outputs),
            strict=True,
        ):  # fmt: skip
            with _suspended():
                block.append(
                    _C.stack(list(column), -1)
                    if columns
                    else _C.zeros(*out.shape, 0, dtype=out.dtype)
                )
    return blocks


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
                run = _Run(leaves)
                result = run.call(func, *spec.build(run.aliases))
                outputs = run.outputs(_pytree.flatten(result)[0], "jacrev")
                out = outputs[out_place]
                ahead = len(run.levels)
                with _suspended():
                    elements = out.shape[ahead:]
                    basis = _C.zeros(size, count, dtype=out.dtype)
                    basis.diagonal(start).fill_(1)
                    basis = basis.view(*[1] * (ahead - 1), size, *elements)
                    grads = run.gradients([out], [basis.expand(out.shape)], False)
            parts.append(grads)
    except VmapError:
        return None
    ahead = len(current_levels())
    with _suspended():
        return [
            column[0] if len(column) == 1 else _C.cat(list(column), ahead)
            for column in zip(*parts, strict=True)
        ]


def _jacobian(
    func: Func, argnums: Argnums, has_aux: bool, chunk_size: int | None, forward: bool, name: str
) -> Func:
    @functools.wraps(func, updated=())
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        chosen = _chosen(args, argnums)
        leaves, spec = _pytree.flatten(chosen)
        _require_floats(leaves, name, "the arguments")

        def of_chosen(*given: Any) -> Any:
            tree = given[0] if isinstance(argnums, int) else given
            return func(*_replaced(args, argnums, tree), **kwargs)

        if isinstance(argnums, int):
            leaves, spec = _pytree.flatten((chosen,))
        run = _Run(leaves)
        result, aux = _parted(run.call(of_chosen, *spec.build(run.aliases)), has_aux, name)
        out_leaves, out_spec = _pytree.flatten(result)
        outputs = run.outputs(out_leaves, name)
        ahead = len(run.levels)
        rows = sum(y.shape[ahead:].numel() for y in outputs)
        columns = sum(x.shape[ahead:].numel() for x in run.values)

        def value_alone(*given: Any) -> Any:
            out = of_chosen(*given)
            return out[0] if has_aux else out

        if forward and columns * 3 < rows:
            blocks = _by_columns(run, outputs)
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
            tree = spec.build(line)
            trees.append(tree[0] if isinstance(argnums, int) else tree)
        jacobian = out_spec.build(trees)
        return (jacobian, _pytree.map_leaves(run.finished, aux)) if has_aux else jacobian

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

    Where there are many more results than inputs it is computed by columns.

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
