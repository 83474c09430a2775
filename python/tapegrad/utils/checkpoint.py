"""Activation checkpointing: run a part of the forward pass again instead of storing it.

The values that a checkpointed function saves for backward are dropped, and computed once more
when backward first asks for one of them.  There are two kinds.

Not re-entrant (``use_reentrant=False``, recommended): the function is recorded as usual, but
its saved tensors are replaced by empty holders.  The first holder that backward opens runs the
function again and fills all of them.  Everything autograd can do works with it.

Re-entrant (``use_reentrant=True``): the function runs unrecorded as one node, whose backward
runs it again, recorded, and calls backward on that inside.  It needs a tensor argument that
requires gradients, and backward must be called without ``inputs``.
"""

from __future__ import annotations

import contextlib
import threading
import traceback
import warnings
import weakref
from collections.abc import Callable, Generator, Iterable
from typing import Any

import tapegrad
from tapegrad import _C
from tapegrad._C import Tensor
from tapegrad.amp.autocast_mode import as_it_is
from tapegrad.autograd.function import Function
from tapegrad.autograd.grad_mode import enable_grad, no_grad
from tapegrad.autograd.graph import saved_tensors_hooks

from ._selective_checkpoint import (
    SAC_IGNORED_OPS,
    CheckpointPolicy,
    SelectiveCheckpointContext,
    create_selective_checkpoint_contexts,
)

__all__ = [
    "SAC_IGNORED_OPS",
    "CheckpointError",
    "CheckpointFunction",
    "CheckpointPolicy",
    "GraphExecGroup",
    "SelectiveCheckpointContext",
    "check_backward_validity",
    "checkpoint",
    "checkpoint_sequential",
    "create_selective_checkpoint_contexts",
    "detach_variable",
    "noop_context_fn",
    "set_checkpoint_debug_enabled",
    "set_checkpoint_early_stop",
]

ContextFn = Callable[[], tuple[Any, Any]]


class CheckpointError(RuntimeError):
    """Raised when the recomputation does not save what the forward pass has saved."""


# ---------------------------------------------------------------------------------------
# Settings for a block
# ---------------------------------------------------------------------------------------

_early_stop: bool | None = None
_debug: bool | None = None


@contextlib.contextmanager
def set_checkpoint_early_stop(enable: bool) -> Generator[None, None, None]:
    """Context manager that overrides the argument ``early_stop`` of `checkpoint`.

    Args:
        enable: True ends a recomputation as soon as all saved tensors are there, False runs
            the function to its end.

    Example::

        >>> import tapegrad
        >>> from tapegrad.utils.checkpoint import checkpoint, set_checkpoint_early_stop
        >>> x = tapegrad.tensor([1.0], requires_grad=True)
        >>> with set_checkpoint_early_stop(False):
        ...     y = checkpoint(tapegrad.exp, x, use_reentrant=False)
    """
    global _early_stop
    previous, _early_stop = _early_stop, enable
    try:
        yield
    finally:
        _early_stop = previous


@contextlib.contextmanager
def set_checkpoint_debug_enabled(enabled: bool | None) -> Generator[None, None, None]:
    """Context manager that overrides the argument ``debug`` of `checkpoint`.

    Args:
        enabled: True or False; None leaves the argument as it is.
    """
    global _debug
    previous, _debug = _debug, enabled
    try:
        yield
    finally:
        _debug = previous


def noop_context_fn() -> tuple[Any, Any]:
    """Return two context managers that do nothing, for forward and recomputation."""
    return contextlib.nullcontext(), contextlib.nullcontext()


@contextlib.contextmanager
def _random_state(state: Tensor | None) -> Generator[None, None, None]:
    """Let the block draw the random numbers that follow `state`, then restore the stream."""
    if state is None:
        yield
        return
    current = _C._get_rng_state()
    _C._set_rng_state(state)
    try:
        yield
    finally:
        _C._set_rng_state(current)


# ---------------------------------------------------------------------------------------
# Re-entrant
# ---------------------------------------------------------------------------------------


def detach_variable(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Detach the tensors of a tuple, keeping their `requires_grad`."""
    if not isinstance(inputs, tuple):
        raise RuntimeError(
            "Only tuple of tensors is supported. Got Unsupported input type: "
            f"{type(inputs).__name__}"
        )
    return tuple(
        value.detach().requires_grad_(value.requires_grad) if isinstance(value, Tensor) else value
        for value in inputs
    )


def check_backward_validity(inputs: Iterable[Any]) -> None:
    """Warn when no input of a re-entrant checkpoint requires gradients."""
    if not any(isinstance(value, Tensor) and value.requires_grad for value in inputs):
        warnings.warn(
            "None of the inputs have requires_grad=True. Gradients will be None", stacklevel=2
        )


class CheckpointFunction(Function):
    """The node of a re-entrant checkpoint."""

    @staticmethod
    def forward(
        ctx: Any, run_function: Callable[..., Any], preserve_rng_state: bool, *args: Any
    ) -> Any:
        check_backward_validity(args)
        ctx.run_function = run_function
        ctx.rng_state = _C._get_rng_state() if preserve_rng_state else None
        ctx.autocast = as_it_is()
        # Tensors go through save_for_backward, which watches for changes in place.
        ctx.positions = [i for i, value in enumerate(args) if isinstance(value, Tensor)]
        ctx.args = [None if isinstance(value, Tensor) else value for value in args]
        ctx.save_for_backward(*(args[i] for i in ctx.positions))
        with no_grad():
            return run_function(*args)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        if not _C._is_checkpoint_valid():
            raise RuntimeError(
                "When use_reentrant=True, tapegrad.utils.checkpoint is incompatible"
                " with .grad() or passing an `inputs` parameter to .backward()."
                " To resolve this error, you can either set use_reentrant=False,"
                " or call .backward() without passing the `inputs` argument."
            )
        values = list(ctx.args)
        for position, tensor in zip(ctx.positions, ctx.saved_tensors, strict=True):
            values[position] = tensor
        args = detach_variable(tuple(values))
        with _random_state(ctx.rng_state), ctx.autocast, enable_grad():
            outputs = ctx.run_function(*args)
        if isinstance(outputs, Tensor):
            outputs = (outputs,)
        pairs = [
            (out, grad)
            for out, grad in zip(outputs, grad_outputs, strict=True)
            if isinstance(out, Tensor) and out.requires_grad
        ]
        if not pairs:
            raise RuntimeError(
                "none of output has requires_grad=True, this checkpoint() is not necessary"
            )
        tapegrad.autograd.backward([out for out, _ in pairs], [grad for _, grad in pairs])
        grads = (value.grad if isinstance(value, Tensor) else None for value in args)
        return (None, None, *grads)


# ---------------------------------------------------------------------------------------
# Not re-entrant
# ---------------------------------------------------------------------------------------


def _metadata(tensor: Tensor) -> dict[str, Any]:
    return {"shape": tensor.shape, "dtype": tensor.dtype, "device": tensor.device}


_DETERMINISM_CHECKS: dict[str, Callable[[Tensor], Any] | None] = {
    "default": _metadata,
    "none": None,
}

_TIP = """
Tip: To see a more detailed error message, either pass `debug=True` to
`tapegrad.utils.checkpoint.checkpoint(...)` or wrap the code block
with `with tapegrad.utils.checkpoint.set_checkpoint_debug_enabled(True):` to
enable checkpoint‑debug mode globally.
"""

_REPORT = """
An error happened while unpacking tensors; dumping logs of latest computation
because you passed `debug=True` to `tapegrad.utils.checkpoint.checkpoint()`.

1. Where the original forward saved a tensor
{forward}
2. Where the recomputation saved a tensor
{recomputed}
ERROR: Detected non-determinism while running activation checkpointing

You are seeing this error because you passed `debug=True` to checkpoint and
tensors to be saved during the original forward and differ between those saved
during recomputation. This can happen if different operators were ran in the
original forward and in the recomputation: compare the two lists above.
"""


class _StopRecomputation(Exception):
    """Leaves the function as soon as everything that was asked for has been saved."""


class _SaveArguments(Function):
    """A node that takes part in no backward pass and only keeps the arguments.

    They are saved like those of any other operation: with a check for changes in place, and,
    inside another checkpoint, by that one's rules.
    """

    @staticmethod
    def forward(ctx: Any, dummy: Tensor, *tensors: Tensor) -> Tensor:
        ctx.save_for_backward(*tensors)
        return dummy.new_zeros(0)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        raise AssertionError("the node that keeps a checkpoint's arguments has no backward")


class _Holder:
    """What the graph keeps in the place of a saved tensor.

    `values` has the recomputed tensor for each backward pass, None once it has been fetched.
    """

    __slots__ = ("__weakref__", "values")

    def __init__(self) -> None:
        self.values: dict[Any, Tensor | None] = {}


class _Frame:
    """One call of a checkpointed function.

    The graph owns the holders, each holder's hook owns the frame, and the frame owns the node
    with the arguments; it knows the holders weakly, so that there is no cycle.
    """

    def __init__(
        self,
        run: Callable[..., Any],
        args: tuple[Any, ...],
        early_stop: bool,
        metadata: Callable[[Tensor], Any] | None,
        debug: bool,
    ) -> None:
        self.run = run
        self.early_stop = early_stop
        self.metadata = metadata
        self.holders: list[weakref.ref[_Holder]] = []
        self.saved_metadata: list[Any] = []
        self.saved_lines: list[str] | None = [] if debug else None
        self.recomputed_lines: list[str] | None = [] if debug else None
        self.finished_passes: set[Any] = set()
        self.forward_completed = False
        self.ignore_mismatch = False
        # Saved counts per pass; a pass is added when its recomputation begins.
        self.counts: dict[Any, int] = {}
        self.positions = [i for i, value in enumerate(args) if isinstance(value, Tensor)]
        self.args = [None if isinstance(value, Tensor) else value for value in args]
        dummy = tapegrad.zeros(0, requires_grad=True)
        self.saver = _SaveArguments.apply(dummy, *(args[i] for i in self.positions))

    def arguments(self) -> list[Any]:
        values: list[Any] = list(self.args)
        tensors = self.saver.grad_fn.saved_tensors
        for position, tensor in zip(self.positions, tensors, strict=True):
            values[position] = tensor
        return values

    # Hooks of the forward pass.

    def pack(self, tensor: Tensor) -> _Holder:
        holder = _Holder()
        self.holders.append(weakref.ref(holder))
        if self.metadata is not None:
            self.saved_metadata.append(self.metadata(tensor))
        if self.saved_lines is not None:
            self.saved_lines.append(_calling_line())
        return holder

    def unpack(self, holder: _Holder) -> Tensor:
        task: Any = _group.current or _C._current_graph_task_id()
        if task == -1:
            # Somebody reads a node's saved tensor by hand: a pass of its own.
            task = -2 - len(self.finished_passes)
        if task not in self.finished_passes:
            self.recompute(task)
        value = holder.values.get(task)
        if value is None:
            overlap = (
                "Performing two backward calls that overlap (i.e. require the same saved "
                "activation in order to compute gradients) is not allowed while under the "
                "tapegrad.utils.checkpoint.GraphExecGroup context. "
            )
            raise CheckpointError(
                "tapegrad.utils.checkpoint: Unpack is being triggered for a tensor that was "
                f"already unpacked once. {overlap if _group.current else ''}If you are calling "
                "ctx.saved_tensors in backward, make sure to do so only once."
            )
        holder.values[task] = None
        return value

    # The recomputation.

    def recompute(self, task: Any) -> None:
        self.counts[task] = 0
        if self.recomputed_lines is not None:
            self.recomputed_lines.clear()
        args = self.arguments()
        frame = weakref.proxy(self)
        hooks = saved_tensors_hooks(lambda tensor: frame.pack_again(tensor, task), _identity)
        with contextlib.suppress(_StopRecomputation), hooks, enable_grad():
            self.run(*args)
        self.finished_passes.add(task)
        self.check_recomputation(task)

    def pack_again(self, tensor: Tensor, task: Any) -> Tensor:
        if tensor.requires_grad:
            tensor = tensor.detach()
        index = self.counts[task]
        self.counts[task] = index + 1
        if self.recomputed_lines is not None:
            self.recomputed_lines.append(_calling_line())
        if index >= len(self.holders):
            if not self.forward_completed:
                # Backward was called inside the function, before it had saved the rest.
                self.ignore_mismatch = True
                return tensor
            raise self.error(
                "tapegrad.utils.checkpoint: trying to save more tensors during recomputation "
                "than during the original forward pass.\n"
            )
        holder = self.holders[index]()
        if holder is not None:
            holder.values[task] = tensor
        if self.early_stop and index + 1 == len(self.holders):
            raise _StopRecomputation
        return tensor

    def check_recomputation(self, task: Any) -> None:
        if self.ignore_mismatch:
            return
        expected, count = len(self.holders), self.counts[task]
        if count != expected:
            raise self.error(
                "tapegrad.utils.checkpoint: A different number of tensors was saved "
                "during the original forward and recomputation.\n"
                f"Number of tensors saved during forward: {expected}\n"
                f"Number of tensors saved during recomputation: {count}.\n"
            )
        if self.metadata is None:
            return
        mismatches = []
        for index, reference in enumerate(self.holders):
            holder = reference()
            value = None if holder is None else holder.values.get(task)
            if value is None:
                continue
            before, after = self.saved_metadata[index], self.metadata(value)
            if before != after:
                mismatches.append(
                    f"tensor at position {index}:\n"
                    f"saved metadata: {before}\n"
                    f"recomputed metadata: {after}\n"
                )
        if mismatches:
            raise self.error(
                "tapegrad.utils.checkpoint: Recomputed values for the following tensors "
                "have different metadata than during the forward pass.\n"
                f"{''.join(mismatches)}.\n"
            )

    def error(self, message: str) -> CheckpointError:
        if self.saved_lines is None or self.recomputed_lines is None:
            return CheckpointError(message + _TIP)
        report = CheckpointError(
            _REPORT.format(
                forward=_numbered(self.saved_lines), recomputed=_numbered(self.recomputed_lines)
            )
        )
        report.__cause__ = CheckpointError(message)
        return report


def _numbered(lines: list[str]) -> str:
    return "".join(f"  {i}: {line}\n" for i, line in enumerate(lines))


def _identity(value: Any) -> Any:
    return value


def _calling_line() -> str:
    """The line that runs the operation, outside of this module."""
    for frame in reversed(traceback.extract_stack()):
        if frame.filename != __file__:
            return f'File "{frame.filename}", line {frame.lineno}, in {frame.name}: {frame.line}'
    return "unknown line"


def _checkpoint_by_hooks(
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    preserve_rng_state: bool,
    context_fn: ContextFn,
    determinism_check: str,
    debug: bool,
    early_stop: bool,
) -> Any:
    if _debug is not None:
        debug = _debug
    if debug and context_fn is not noop_context_fn:
        raise ValueError("debug=True is incompatible with non-default context_fn")
    if determinism_check not in _DETERMINISM_CHECKS:
        raise ValueError(
            f"determinism_check should be one of {list(_DETERMINISM_CHECKS)}, "
            f"but got {determinism_check}"
        )
    forward_context, recompute_context = context_fn()
    rng_state = _C._get_rng_state() if preserve_rng_state else None
    autocast = as_it_is()

    def run_again(*tensors: Any) -> None:
        with _random_state(rng_state), autocast, recompute_context:
            function(*tensors, **kwargs)

    if not _C.is_grad_enabled():
        return function(*args, **kwargs)

    frame = _Frame(
        run_again,
        args,
        early_stop if _early_stop is None else _early_stop,
        _DETERMINISM_CHECKS[determinism_check],
        debug,
    )
    completed = False
    with saved_tensors_hooks(frame.pack, frame.unpack), forward_context:
        result = function(*args, **kwargs)
        completed = True
    if not completed:
        raise RuntimeError(
            "tapegrad.utils.checkpoint: the forward context provided by context_fn suppressed an "
            "exception raised during the checkpointed forward. This is not supported because "
            "checkpoint cannot return a value for a failed forward."
        )
    frame.forward_completed = True
    return result


class _Group(threading.local):
    current: GraphExecGroup | None = None


_group = _Group()


class GraphExecGroup:
    """Context manager in which several backward passes share one recomputation.

    A checkpointed function that two of them reach is run again only once. They must not need the
    same saved tensor, not even with ``retain_graph=True``. It is for ``use_reentrant=False``.

    Raises:
        RuntimeError: where the contexts are nested.

    Example::

        >>> import tapegrad
        >>> from tapegrad.utils.checkpoint import GraphExecGroup, checkpoint
        >>> def layer(x):
        ...     print("runs")
        ...     return x.exp(), x.sin()
        >>> x = tapegrad.tensor([0.0], requires_grad=True)
        >>> first, second = checkpoint(layer, x, use_reentrant=False)
        runs
        >>> with GraphExecGroup():
        ...     first.backward()
        ...     second.backward()
        runs
        >>> x.grad
        tensor([2.])
    """

    def __enter__(self) -> GraphExecGroup:
        if _group.current is not None:
            raise RuntimeError(
                f"GraphExecGroup contexts cannot be nested. Already inside group {_group.current}"
            )
        _group.current = self
        return self

    def __exit__(self, *args: object) -> None:
        _group.current = None


# ---------------------------------------------------------------------------------------
# Public functions
# ---------------------------------------------------------------------------------------

_EXPLICIT = (
    "the use_reentrant parameter should be passed explicitly. use_reentrant=False is "
    "recommended; without it, checkpoint behaves as with use_reentrant=True."
)


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool | None = None,
    context_fn: ContextFn = noop_context_fn,
    determinism_check: str = "default",
    debug: bool = False,
    early_stop: bool = True,
    **kwargs: Any,
) -> Any:
    """Call ``function(*args, **kwargs)`` and keep none of the values it saves for backward.

    Backward runs the function a second time to get them: memory is traded for time.  A deep
    chain cut into about the square root of its depth many checkpoints needs the least memory.

    Args:
        function: any function; run again, it must do the same.
        args: its arguments; tensors may be among them.
        use_reentrant: which kind (see the module's text).  None warns and stands for True.
        preserve_rng_state: give the second run the same random numbers, as for dropout.
            Default: True.  (A keyword that is not passed on.)
        context_fn: returns two context managers, for the first run and for the second.
        determinism_check: ``"default"`` compares shape, dtype and device of the saved tensors
            of both runs; ``"none"`` does not.
        debug: name the lines that saved the tensors in the error of that comparison.
        early_stop: end the second run when all saved tensors are there.
        kwargs: keyword arguments of `function`.

    The last five, apart from `preserve_rng_state`, are for ``use_reentrant=False`` only.

    Returns:
        What `function` returns.

    Raises:
        CheckpointError: (a `RuntimeError`, from backward) the second run saves other tensors
            than the first one.
        RuntimeError: (from backward, re-entrant) backward was called with ``inputs``.
        ValueError: an argument that the chosen kind does not know.

    Example::

        >>> import tapegrad
        >>> from tapegrad.utils.checkpoint import checkpoint
        >>> def layer(x):
        ...     print("runs")
        ...     return x.exp().sum()
        >>> x = tapegrad.tensor([0.0], requires_grad=True)
        >>> y = checkpoint(layer, x, use_reentrant=False)
        runs
        >>> y.backward()
        runs
        >>> x.grad
        tensor([1.])
    """
    if use_reentrant is None:
        warnings.warn(f"tapegrad.utils.checkpoint: {_EXPLICIT}", stacklevel=2)
        use_reentrant = True
    preserve = kwargs.pop("preserve_rng_state", True)
    if not use_reentrant:
        return _checkpoint_by_hooks(
            function, args, kwargs, preserve, context_fn, determinism_check, debug, early_stop
        )
    if kwargs:
        raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
    if context_fn is not noop_context_fn or debug is not False:
        raise ValueError(
            "Passing `context_fn` or `debug` is only supported when use_reentrant=False."
        )
    return CheckpointFunction.apply(function, preserve, *args)


def checkpoint_sequential(
    functions: Any,
    segments: int,
    input: Any,
    use_reentrant: bool | None = None,
    **kwargs: Any,
) -> Any:
    """Run a chain of functions in segments, each of them checkpointed except the last.

    Args:
        functions: an `nn.Sequential` (any module's children, in order) or a list of
            functions, each called with the result of the one before.
        segments: number of segments.
        input: argument of the first function.
        use_reentrant: as in `checkpoint`.
        preserve_rng_state: as in `checkpoint`.

    Returns:
        What the last function returns.

    Raises:
        ValueError: for an unknown keyword argument, or fewer functions than segments.

    Example::

        >>> import tapegrad
        >>> from tapegrad.utils.checkpoint import checkpoint_sequential
        >>> x = tapegrad.tensor([0.0], requires_grad=True)
        >>> chain = [tapegrad.exp, tapegrad.square, tapegrad.exp, tapegrad.square]
        >>> checkpoint_sequential(chain, 2, x, use_reentrant=False).backward()
    """
    if use_reentrant is None:
        warnings.warn(f"tapegrad.utils.checkpoint.checkpoint_sequential: {_EXPLICIT}", stacklevel=2)
        use_reentrant = True
    preserve = kwargs.pop("preserve_rng_state", True)
    if kwargs:
        raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
    chain = list(functions.children()) if hasattr(functions, "children") else list(functions)
    size = len(chain) // segments
    if size == 0 and segments > 1:
        raise ValueError(
            f"checkpoint_sequential: cannot cut {len(chain)} functions into {segments} segments"
        )

    def run(part: list[Callable[..., Any]]) -> Callable[[Any], Any]:
        def forward(value: Any) -> Any:
            for function in part:
                value = function(value)
            return value

        return forward

    cut = size * (segments - 1)
    for start in range(0, cut, size or 1):
        input = checkpoint(
            run(chain[start : start + size]),
            input,
            use_reentrant=use_reentrant,
            preserve_rng_state=preserve,
        )
    # The end of the chain is needed first in backward: recomputing it would save nothing.
    return run(chain[cut:])(input)
