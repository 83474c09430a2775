"""Functions that are recorded once and then replayed: :func:`compile`.

The first call of a compiled function runs it as it is, and records the kernels that it calls.
Later calls with arguments of the same kind run these kernels again, without Python, tape and
allocator in between, to the same bits. Python code inside runs when the function is recorded and
not when it is replayed, as with JAX: numbers of Python that are no arguments keep their values.

Example:
    >>> import tapegrad
    >>> @tapegrad.compile
    ... def double(x):
    ...     return 2 * x
    >>> double(tapegrad.ones(2))  # recorded
    tensor([2., 2.])
    >>> double(tapegrad.zeros(2))  # replayed
    tensor([0., 0.])
"""

from __future__ import annotations

import functools
import os
import weakref
from collections.abc import Callable
from typing import Any, TypeVar, overload

from . import _C
from .nn import Module

__all__ = [
    "OptimizedModule",
    "allow_in_graph",
    "assume_constant_result",
    "compile",
    "cudagraph_mark_step_begin",
    "disable",
    "explain",
    "is_compiling",
    "is_dynamo_compiling",
    "is_exporting",
    "list_backends",
    "reset",
]

_Function = TypeVar("_Function", bound=Callable[..., Any])

_C._set_replay_folder(os.path.dirname(__file__) + os.sep)

_all: weakref.WeakSet[Any] = weakref.WeakSet()


@overload
def compile(
    model: _Function,
    *,
    fullgraph: bool = False,
    dynamic: bool | None = None,
    backend: Any = "inductor",
    mode: str | None = None,
    options: Any = None,
    disable: bool = False,
) -> _Function: ...
@overload
def compile(
    model: None = None,
    *,
    fullgraph: bool = False,
    dynamic: bool | None = None,
    backend: Any = "inductor",
    mode: str | None = None,
    options: Any = None,
    disable: bool = False,
) -> Callable[[_Function], _Function]: ...
def compile(
    model: Any = None,
    *,
    fullgraph: bool = False,
    dynamic: bool | None = None,
    backend: Any = "inductor",
    mode: str | None = None,
    options: Any = None,
    disable: bool = False,
) -> Any:
    """Give a function or module that is recorded when it is called first, and then replayed.

    What is recorded is what tensors compute: whole training steps with ``zero_grad``, ``backward``
    and an optimiser's ``step``, or a model alone. Another recording is made for arguments of
    another kind: other shapes, dtypes or numbers. A function that cannot be replayed runs as it is,
    after one warning that says why: that is so where it looks at values (``item()``,
    ``bool(tensor)``, ``print``), where shapes depend on values, with hooks and with a Function.

    Args:
        model: the function or module; None gives a decorator. Default: None.
        fullgraph: raise a RuntimeError where the function cannot be replayed. Default: False.
        dynamic, mode, options: ignored.
        backend: "eager" leaves the function as it is; all others are the same here.
        disable: leave the function as it is. Default: False.

    Raises:
        TypeError: if `model` cannot be called.

    Example:
        >>> import tapegrad
        >>> layer = tapegrad.nn.Linear(2, 1)
        >>> optimizer = tapegrad.optim.SGD(layer.parameters(), lr=0.1)
        >>> @tapegrad.compile
        ... def step(x, y):
        ...     optimizer.zero_grad()
        ...     loss = ((layer(x) - y) ** 2).mean()
        ...     loss.backward()
        ...     optimizer.step()
        ...     return loss
        >>> x = tapegrad.rand(8, 2)
        >>> losses = [step(x, x.sum(1, keepdim=True)).item() for _ in range(100)]
        >>> losses[-1] < losses[0]
        True
    """
    if model is None:
        return functools.partial(
            compile, fullgraph=fullgraph, dynamic=dynamic, backend=backend, disable=disable
        )
    if disable or backend == "eager":
        return model
    if isinstance(model, Module):
        return OptimizedModule(model, fullgraph)
    return _compiled(model, fullgraph)


def _compiled(function: Any, fullgraph: bool = False) -> Any:
    compiled = functools.update_wrapper(_C._Compiled(function, fullgraph), function, updated=())
    _all.add(compiled)
    return compiled


class OptimizedModule(Module):
    """A module whose calls are recorded and replayed; everything else is that of the module.

    Example:
        >>> import tapegrad
        >>> net = tapegrad.compile(tapegrad.nn.Linear(2, 1))
        >>> net(tapegrad.ones(3, 2)).shape
        tapegrad.Size([3, 1])
        >>> list(net.state_dict())
        ['_orig_mod.weight', '_orig_mod.bias']
    """

    def __init__(self, module: Module, fullgraph: bool = False) -> None:
        super().__init__()
        self._orig_mod = module
        self.__dict__["forward"] = _compiled(module, fullgraph)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Call the module."""
        return self._orig_mod(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name == "_orig_mod":
            return super().__getattr__(name)
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name == "explain" and not hasattr(self._orig_mod, name):
                return functools.partial(explain, self)
            return getattr(self._orig_mod, name)

    def train(self, mode: bool = True) -> OptimizedModule:
        """Put the module into training mode, or into evaluation mode."""
        self._orig_mod.train(mode)
        super().train(mode)
        return self

    def __reduce__(self) -> Any:
        return OptimizedModule, (self._orig_mod,)


class _Report(str):
    """A text that an interactive session shows as it is."""

    __slots__ = ()
    __repr__ = str.__str__


def explain(compiled: Any) -> str:
    """Describe what a compiled function has recorded; ``compiled.explain()`` is the same.

    Args:
        compiled: what :func:`compile` gave.

    Returns:
        For each kind of arguments the number of kernels, recorded and left, the memory that they
        need, how much is checked before each replay, and the kernels in order, by the operator or
        node of the tape that called them; and why the last recording was made.

    Example:
        >>> import tapegrad
        >>> f = tapegrad.compile(lambda x: x.exp() + 1)
        >>> _ = f(tapegrad.ones(2))
        >>> f.explain()
        <lambda>: 1 recording, 0 replays, 0 calls as it is
        last recording: the first call
        [0] 2 kernels (2 recorded), 64 bytes (64 without sharing), 1 guard
            exp
            add
    """
    if isinstance(compiled, OptimizedModule):
        compiled = compiled.__dict__["forward"]
    facts = compiled._facts()

    def count(number: int, what: str) -> str:
        return f"{number} {what}{'' if number == 1 else 's'}"

    name = getattr(compiled, "__name__", type(compiled.__wrapped__).__name__)
    lines = [
        f"{name}: {count(facts['recordings'], 'recording')}, {count(facts['replays'], 'replay')}, "
        f"{facts['eager_calls']} calls as it is",
        f"last recording: {facts['last_reason']}",
    ]
    for place, variant in enumerate(facts["variants"]):
        if variant["replayed"]:
            lines.append(
                f"[{place}] {count(variant['steps'], 'kernel')} "
                f"({variant['recorded_steps']} recorded), {variant['bytes']} bytes "
                f"({variant['bytes_without_sharing']} without sharing), "
                f"{count(variant['guards'], 'guard')}"
            )
            lines += [f"    {label}" for label in variant["kernels"]]
        else:
            lines.append(f"[{place}] runs as it is: {variant['reason'] or 'not settled yet'}")
    return _Report("\n".join(lines))


def disable(fn: Any = None, recursive: bool = True, *, reason: str | None = None) -> Any:
    """Mark a function that is never recorded: a compiled function that calls it runs as it is.

    Args:
        fn: the function; None gives a decorator.
        recursive: accepted for compatibility.
        reason: what a warning says. Default: that the function is marked so.

    Example:
        >>> import tapegrad
        >>> @tapegrad.compiler.disable(recursive=False)
        ... def double(x):
        ...     return 2 * x
        >>> double(2)
        4
    """
    if fn is None:
        return functools.partial(disable, recursive=recursive, reason=reason)
    said = reason or f"{getattr(fn, '__name__', 'a function')}(), which is not to be compiled"

    @functools.wraps(fn)
    def as_it_is(*args: Any, **kwargs: Any) -> Any:
        _C._refuse_replay(said)
        return fn(*args, **kwargs)

    return as_it_is


def allow_in_graph(fn: Any) -> Any:
    """Give back a function as it is."""
    return fn


def assume_constant_result(fn: Any) -> Any:
    """Give back a function as it is."""
    return fn


def is_compiling() -> bool:
    """Whether a compiled function is being recorded.

    Example:
        >>> import tapegrad
        >>> tapegrad.compiler.is_compiling()
        False
    """
    return _C._is_recording()


def is_dynamo_compiling() -> bool:
    """Whether a compiled function is being recorded."""
    return _C._is_recording()


def is_exporting() -> bool:
    """False: nothing is exported."""
    return False


def list_backends(exclude_tags: Any = ()) -> list[str]:
    """The names that `backend` has a meaning for.

    Example:
        >>> import tapegrad
        >>> tapegrad.compiler.list_backends()
        ['eager', 'inductor']
    """
    return ["eager", "inductor"]


def reset() -> None:
    """Forget all that was recorded; compiled functions are recorded anew.

    Example:
        >>> import tapegrad
        >>> tapegrad.compiler.reset()
    """
    for compiled in list(_all):
        compiled._reset()


def cudagraph_mark_step_begin() -> None:
    """Does nothing: there are no such graphs here."""
