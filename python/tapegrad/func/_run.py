"""One evaluation of a function that is differentiated, and what the transforms share around it.

A function gets fresh aliases of its arguments, and the tape is asked for gradients with respect to
these: what the program does with the arguments elsewhere does not count. Inside of a `vmap` the
aliases are batched at all of its levels, so that each sample has gradients of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from .. import _C
from .._arguments import as_tuple
from .._C import Tensor
from ..autograd.grad_mode import enable_grad
from ._levels import (
    BatchedTensor,
    VmapError,
    current_levels,
    is_batched,
    levels_of,
    plain,
    rewrapped,
    suspended,
    wrap,
)

__all__ = [
    "Argnums",
    "Func",
    "Linearized",
    "Run",
    "Transposed",
    "batched_gradients",
    "chosen_arguments",
    "depth",
    "parted",
    "replaced",
    "require_floats",
]

Argnums = int | tuple[int, ...]
Func = Callable[..., Any]


def chosen_arguments(args: tuple[Any, ...], argnums: Any) -> Any:
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


def replaced(args: tuple[Any, ...], argnums: Any, chosen: Any) -> tuple[Any, ...]:
    result = list(args)
    if isinstance(argnums, int):
        result[argnums] = chosen
    else:
        for n, value in zip(argnums, chosen, strict=True):
            result[n] = value
    return tuple(result)


def require_floats(leaves: list[Any], name: str, what: str) -> None:
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


class Run:
    """One evaluation of a function at fresh aliases of its arguments."""

    def __init__(self, leaves: Sequence[Any]) -> None:
        self.levels = list(current_levels())
        self.outer = _C.is_grad_enabled()
        # Of a function that is differentiated further out the results have to be recorded.
        self.recorded = self.outer and depth.count > 0
        self.values: list[Tensor] = []
        for x in leaves:
            value = _without_tangent(plain(x, self.levels))
            with suspended():
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
        depth.count += 1
        try:
            with enable_grad():
                return func(*args, **kwargs)
        finally:
            depth.count -= 1

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


depth = _Depth()


def _detached(x: Tensor) -> Tensor:
    if type(x) is BatchedTensor:
        return wrap(x._level, _detached(x._value))
    with suspended():
        return x.detach()


def _other_leaves(outputs: Sequence[Tensor], own: Sequence[Tensor]) -> bool:
    """Whether the graph leads to a leaf that is not one of our own."""
    mine = {id(x) for x in own}
    return any(
        id(x) not in mine and not hasattr(x, "_of_transform") for x in _C._leaves(tuple(outputs))
    )


def _pull(
    outputs: Sequence[Tensor],
    inputs: Sequence[Tensor],
    cotangents: Sequence[Tensor | None],
    keep: bool,
    record: bool,
) -> list[Tensor]:
    pairs = [(y, c) for y, c in zip(outputs, cotangents, strict=True) if y.requires_grad]
    with suspended():
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
        with suspended():
            gradients.append(_C.ones_like(y) if c is None else plain(c, levels))
    keep = create_graph if retain_graph is None else retain_graph
    values = tuple(plain(x, levels) for x in inputs)
    with suspended():
        found = _C._run_backward(
            tuple(outputs), tuple(gradients), keep, create_graph, values, allow_unused, False
        )
        if materialize:
            pairs = zip(found, values, strict=True)
            found = tuple(_C.zeros_like(x) if g is None else g for g, x in pairs)
    return tuple(None if g is None else rewrapped(g, levels) for g in found)


def parted(result: Any, has_aux: bool, name: str) -> tuple[Any, Any]:
    if not has_aux:
        return result, None
    if not (isinstance(result, tuple) and len(result) == 2):
        raise RuntimeError(
            f"{name}(f, *primals): output of function f should be a tuple: (output, aux) if "
            "has_aux is True"
        )
    return result


class Linearized:
    """What was recorded from the arguments of a run to outputs, as a linear function."""

    def __init__(self, run: Run, outputs: list[Tensor]) -> None:
        self.outputs = outputs
        with suspended():
            self.graph = _C._Linearization(tuple(outputs), tuple(run.values))

    def push(self, tangents: Sequence[Tensor | None], record: bool) -> list[Tensor]:
        """The tangents of the outputs, with zeros where nothing arrives; None stands for zeros."""
        with suspended():
            found = self.graph.push(tuple(tangents), record)
            return [
                _C.zeros_like(y, requires_grad=False) if t is None else t
                for t, y in zip(found, self.outputs, strict=True)
            ]


class Transposed:
    """The same function, which outlives what was recorded if a backward pass frees that.

    ``u^T J`` is recorded as a function of ``u``; its derivative by ``u`` is ``J``.
    """

    def __init__(self, run: Run, outputs: list[Tensor]) -> None:
        with suspended(), enable_grad():
            self.u = [_C.zeros_like(y, requires_grad=True) for y in outputs]
            for u in self.u:
                u._of_transform = True  # type: ignore[attr-defined]
        self.pulled = _pull(outputs, run.values, self.u, True, True)

    def push(self, tangents: Sequence[Tensor | None], record: bool) -> list[Tensor]:
        return _pull(self.pulled, self.u, tangents, True, record)
