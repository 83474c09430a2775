"""The recorded graph: its edges, its picture, what it saves, and hooks on several gradients."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import threading
import weakref
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from tapegrad import _C
from tapegrad._C import Node, Tensor
from tapegrad.autograd.grad_mode import enable_grad, no_grad

if TYPE_CHECKING:
    from pathlib import Path

    from ._drawing import Picture

__all__ = [
    "GradientEdge",
    "Node",
    "allow_mutation_on_saved_tensors",
    "disable_saved_tensors_hooks",
    "draw",
    "get_gradient_edge",
    "increment_version",
    "register_multi_grad_hook",
    "save_on_cpu",
    "saved_tensors_hooks",
    "show",
]


# ---------------------------------------------------------------------------------------
# Edges
# ---------------------------------------------------------------------------------------


class GradientEdge(NamedTuple):
    """An edge of the graph: gradients flow into output `output_nr` of `node`.

    It can stand for a tensor among the ``inputs`` of `autograd.grad` and
    `autograd.backward`, and among their roots, without keeping the tensor's data alive.
    """

    node: Node
    output_nr: int
    ownership_token: Node | None = None


def _gradient_node(tensor: Tensor | GradientEdge) -> Any:
    """The node that receives a tensor's gradient: its `grad_fn`, or a leaf's accumulator."""
    if isinstance(tensor, GradientEdge):
        return tensor.node
    node = tensor.grad_fn
    if node is None and tensor.requires_grad:
        with enable_grad():
            view: Any = tensor.view_as(tensor)
        node = view.grad_fn.next_functions[0][0]
    if node is None:
        raise AssertionError("Expected gradient function to be set")
    return node


def get_gradient_edge(tensor: Tensor) -> GradientEdge:
    """Return the edge along which the gradient of `tensor` arrives.

    Raises:
        RuntimeError: the tensor does not require gradients.

    Example::

        >>> import tapegrad
        >>> from tapegrad.autograd.graph import get_gradient_edge
        >>> x = tapegrad.tensor([1.0, 2.0], requires_grad=True)
        >>> y = x.exp()
        >>> edge = get_gradient_edge(y)
        >>> edge.node.name(), edge.output_nr
        ('ExpBackward0', 0)
        >>> tapegrad.autograd.grad((y * 3).sum(), edge)
        (tensor([3., 3.]),)
    """
    if not tensor.requires_grad:
        raise RuntimeError(
            "It is not possible to get the gradient edge for a Tensor "
            "that does not require gradients"
        )
    return GradientEdge(_gradient_node(tensor), tensor.output_nr)


def increment_version(tensor: Tensor | Iterable[Tensor]) -> None:
    """Count a change that autograd has not seen, such as a write through a foreign pointer.

    A backward pass that needs the value from before is then refused.

    Args:
        tensor: a tensor or several.  They must not be inference tensors.

    Example::

        >>> import tapegrad
        >>> x = tapegrad.zeros(3)
        >>> tapegrad.autograd.graph.increment_version(x)
        >>> x._version
        1
    """
    _C._increment_version([tensor] if isinstance(tensor, Tensor) else list(tensor))


# ---------------------------------------------------------------------------------------
# Pictures
# ---------------------------------------------------------------------------------------


def _variables(depth: int) -> dict[str, Any]:
    """What the caller's names stand for."""
    frame = sys._getframe(depth + 1)
    variables = {**frame.f_globals, **frame.f_locals}
    return {name: value for name, value in variables.items() if _is_own_name(name)}


def _is_own_name(name: str) -> bool:
    # Not what tools put there, such as a notebook's _1 or pytest's @py_assert2.
    return name.isidentifier() and not name.startswith("_")


def draw(root: Any, params: Any = None, *, title: str | None = None) -> Picture:
    r"""Make a picture of the graph that a tensor was computed by.

    In a notebook it shows itself: a page in which the graph is alive, as `show` says.

    Args:
        root: a tensor with a graph, or a value of `tapegrad.teaching`.
        params: names for tensors: a module, or a dict or pairs of names and tensors. Tensors
            without a name in it are called as the caller's variables. Default: None.
        title: of the picture. Default: None, "The graph of" the tensor's name.

    Returns:
        An object with the methods ``html()``, ``svg(depth=None)``, ``dot()``, ``save(path)`` and
        ``open(path=None)``.

    Raises:
        RuntimeError: the tensor has no graph.
        TypeError: `root` is something else.

    Example::

        >>> import tapegrad
        >>> a = tapegrad.tensor(2.0, requires_grad=True)
        >>> b = tapegrad.tensor(3.0, requires_grad=True)
        >>> c = (a + b) * b
        >>> picture = tapegrad.autograd.graph.draw(c)
        >>> picture
        <The graph of c: 2 operations, 2 inputs>
        >>> print(picture.dot())
        digraph {
          node [fontname="sans-serif", fontsize=11]
          2 [label="add\nfloat32", shape=box, style="rounded,filled", fillcolor="#eef1f5"]
          3 [label="c\nfloat32", shape=box, style="rounded,filled", fillcolor="#eef1f5"]
          0 [label="a\nfloat32", shape=box, style="rounded,filled", fillcolor="#e3effd"]
          1 [label="b\nfloat32", shape=box, style="rounded,filled", fillcolor="#e3effd"]
          0 -> 2
          1 -> 2
          2 -> 3
          1 -> 3
        }
    """
    from ._drawing import Picture

    return Picture(root, params, title, _variables(1))


def show(
    root: Any,
    params: Any = None,
    *,
    title: str | None = None,
    path: str | os.PathLike[str] | None = None,
    open: bool = True,
) -> Path:
    """Write a page with the graph of a tensor and open it in the browser.

    The page is one file, which needs neither network nor library. It has the operations with their
    derivatives, shapes, values, lines and modules, and the memory that they keep. If the graph is
    small and the tape has all its inputs, it is alive: inputs can be changed, and everything is
    computed anew, forward and backward, by the formulas of the engine.

    Args:
        root, params, title: as of `draw`.
        path: of the file. Default: None, a temporary one.
        open: False only writes the file. Default: True.

    Returns:
        The path of the file.

    Raises:
        RuntimeError: the tensor has no graph.
        TypeError: `root` is neither a tensor nor a value of `tapegrad.teaching`.

    Example::

        >>> import tapegrad
        >>> x = tapegrad.tensor([1.0, 2.0], requires_grad=True)
        >>> loss = (x * x).sum()
        >>> page = tapegrad.autograd.graph.show(loss, open=False)
        >>> page.suffix
        '.html'
        >>> page.unlink()
    """
    from ._drawing import Picture

    picture = Picture(root, params, title, _variables(1))
    return picture.open(path) if open else picture._write_page(path)


# ---------------------------------------------------------------------------------------
# Saved tensors
# ---------------------------------------------------------------------------------------


class saved_tensors_hooks:
    """Context manager that sets how tensors saved for backward are stored and fetched.

    Whenever an operation in the block saves a tensor, ``pack_hook(tensor)`` is called and
    its result is kept instead.  When backward needs the value, ``unpack_hook`` of that
    result must give a tensor with the same content.  Of nested pairs the inner one is used.

    Args:
        pack_hook: takes a tensor, which it must not change in place; returns anything.
        unpack_hook: takes what `pack_hook` returned; returns a tensor.

    Example::

        >>> import tapegrad
        >>> x = tapegrad.tensor([1.0, 2.0], requires_grad=True)
        >>> with tapegrad.autograd.graph.saved_tensors_hooks(lambda t: t.numpy().copy(),
        ...                                                  tapegrad.from_numpy):
        ...     y = x.exp() * 2
        >>> y.sum().backward()
    """

    def __init__(
        self, pack_hook: Callable[[Tensor], Any], unpack_hook: Callable[[Any], Tensor]
    ) -> None:
        self.pack_hook = pack_hook
        self.unpack_hook = unpack_hook

    def __enter__(self) -> None:
        _C._push_saved_tensors_hooks(self.pack_hook, self.unpack_hook)

    def __exit__(self, *args: object) -> None:
        _C._pop_saved_tensors_hooks()


class save_on_cpu(saved_tensors_hooks):
    """Context manager that keeps tensors saved for backward in the CPU's memory.

    All tensors are there already, so nothing is moved: the saved value is the tensor itself,
    and changing it in place before backward raises a `RuntimeError`, as without the block.

    Args:
        pin_memory: True stores a copy, which later changes do not touch.  Default: False.
        device_type: accepted, without effect.

    Example::

        >>> import tapegrad
        >>> x = tapegrad.tensor([1.0, 2.0], requires_grad=True)
        >>> with tapegrad.autograd.graph.save_on_cpu():
        ...     y = (x * x).sum()
        >>> y.backward()
        >>> x.grad
        tensor([2., 4.])
    """

    def __init__(self, pin_memory: bool = False, device_type: str = "cuda") -> None:
        def pack_copy(tensor: Tensor) -> Tensor:
            return tensor.detach().clone()

        def unpack_copy(packed: Tensor) -> Tensor:
            return packed

        def pack_alias(tensor: Tensor) -> tuple[Tensor, int]:
            return tensor, tensor._version

        def unpack_alias(packed: tuple[Tensor, int]) -> Tensor:
            tensor, version = packed
            if tensor._version != version:
                raise RuntimeError(
                    "one of the variables needed for gradient computation has been modified by "
                    f"an inplace operation: a tensor of shape {list(tensor.shape)}, saved under "
                    f"save_on_cpu, is at version {tensor._version}; expected version {version} "
                    "instead."
                )
            return tensor

        if pin_memory:
            super().__init__(pack_copy, unpack_copy)
        else:
            super().__init__(pack_alias, unpack_alias)


class _Disabled(threading.local):
    message: str | None = None


_disabled = _Disabled()


@contextlib.contextmanager
def disable_saved_tensors_hooks(error_message: str) -> Generator[None, None, None]:
    """Context manager in which entering `saved_tensors_hooks` raises a `RuntimeError`.

    Args:
        error_message: the text of that error.

    Raises:
        RuntimeError: with the same text, if hooks are set when the block begins.

    Example::

        >>> import tapegrad
        >>> from tapegrad.autograd.graph import disable_saved_tensors_hooks, save_on_cpu
        >>> with disable_saved_tensors_hooks("not here"):
        ...     with save_on_cpu():
        ...         pass
        Traceback (most recent call last):
            ...
        RuntimeError: not here
    """
    previous = _disabled.message
    try:
        _C._set_saved_tensors_hooks_disabled(error_message)
        _disabled.message = error_message
        yield
    finally:
        _C._set_saved_tensors_hooks_disabled(previous)
        _disabled.message = previous


class _Handle:
    """What a node keeps in the place of a saved tensor; with the last node its value goes, too."""

    __slots__ = ("__weakref__", "span")

    def __init__(self, tensor: Tensor) -> None:
        self.span = _span(tensor)


def _span(tensor: Tensor) -> tuple[int, int]:
    """The addresses between which the elements of a tensor lie."""
    if tensor.numel() == 0:
        return 0, 0
    last = sum((n - 1) * step for n, step in zip(tensor.shape, tensor.stride(), strict=True))
    start = tensor.data_ptr()
    return start, start + (last + 1) * tensor.itemsize


def _get_tid(tensor: Tensor) -> tuple[Any, ...]:
    """What is the same for two tensors that are saved with the same values."""
    return (*_get_sid(tensor), tensor.shape, tensor.stride(), tensor.dtype)


def _get_sid(tensor: Tensor) -> tuple[int, int]:
    return tensor.data_ptr(), tensor._version


class _AllowMutationOnSavedContext:
    """The values that one `allow_mutation_on_saved_tensors` block keeps.

    Attributes:
        original: by handle, the saved tensors themselves, as long as nobody writes to them.
        cloned: by handle, copies of those that were written to.
        tid_to_weakhandle: the handles of saved tensors by place, layout and version.
        sid_to_tid: the keys of these by place and version alone.
    """

    def __init__(self) -> None:
        self.cloned: weakref.WeakKeyDictionary[_Handle, Tensor] = weakref.WeakKeyDictionary()
        self.original: weakref.WeakKeyDictionary[_Handle, Tensor] = weakref.WeakKeyDictionary()
        self.tid_to_weakhandle: weakref.WeakValueDictionary[tuple[Any, ...], _Handle] = (
            weakref.WeakValueDictionary()
        )
        self.sid_to_tid: dict[tuple[int, int], set[tuple[Any, ...]]] = defaultdict(set)

    def clear(self) -> None:
        """Drop all values: graphs that need them can no longer run backward."""
        self.cloned.clear()
        self.original.clear()
        self.tid_to_weakhandle.clear()
        self.sid_to_tid.clear()

    def _pack(self, tensor: Tensor) -> _Handle:
        tid = _get_tid(tensor)
        self.sid_to_tid[_get_sid(tensor)].add(tid)
        handle = self.tid_to_weakhandle.get(tid)
        if handle is None:
            handle = self.tid_to_weakhandle[tid] = _Handle(tensor)
            self.original[handle] = tensor
        return handle

    def _unpack(self, handle: _Handle) -> Tensor:
        value = self.cloned.get(handle)
        if value is None:
            value = self.original.get(handle)
        if value is None or not _mutation.active:
            raise AssertionError(
                "Trying to backward outside of the 'allow_mutation_on_saved_tensors' context"
                "in which the graph was originally recorded."
            )
        return value

    def _before_write(self, tensor: Tensor) -> None:
        """Saves what a write would change, be it through another view."""
        start, stop = _span(tensor)
        for handle in list(self.original):
            if handle.span[0] < stop and start < handle.span[1]:
                with no_grad():
                    self.cloned[handle] = self.original[handle].clone()
                del self.original[handle]


class _MutationState(threading.local):
    active = False


_mutation = _MutationState()


@contextlib.contextmanager
def allow_mutation_on_saved_tensors() -> Generator[_AllowMutationOnSavedContext, None, None]:
    """Context manager in which tensors saved for backward may be changed in place.

    A saved tensor is copied when something is about to be written to it, or to a tensor that
    shares its memory; so backward sees the values of the forward pass. Forward and backward have
    to be in the same block; at its end the copies are dropped. Writes that pass by the
    operators, such as through a NumPy array, are not seen.

    Yields:
        An object whose ``cloned`` has the copies, for debugging.

    Raises:
        RuntimeError: the blocks are nested.
        AssertionError: backward runs outside of the block of its forward pass.

    Example::

        >>> import tapegrad
        >>> a = tapegrad.ones(2, requires_grad=True)
        >>> with tapegrad.autograd.graph.allow_mutation_on_saved_tensors():
        ...     b = a.clone()
        ...     out = (b ** 2).sum()
        ...     _ = b.sin_()
        ...     out.backward()
        >>> a.grad
        tensor([2., 2.])
    """
    if _mutation.active:
        raise RuntimeError("allow_mutation_on_saved_tensors contexts cannot be nested")
    context = _AllowMutationOnSavedContext()
    with saved_tensors_hooks(context._pack, context._unpack):
        _mutation.active = True
        _C._watch_writes(context._before_write)
        try:
            yield context
        finally:
            _C._watch_writes(None)
            context.clear()
            _mutation.active = False


# ---------------------------------------------------------------------------------------
# Hooks on several tensors
# ---------------------------------------------------------------------------------------


# Backward passes that a hook remembers.  A pass that fails never reports its end, so the
# oldest one is forgotten when there are more than can be running.
_MAX_TASKS = 256


def _forget_oldest(tasks: dict[int, Any]) -> None:
    if len(tasks) > _MAX_TASKS:
        del tasks[next(iter(tasks))]


class _MultiHandle:
    """Removes several hooks together; as a context manager, at the end of the block."""

    def __init__(self, handles: Sequence[Any]) -> None:
        self.handles = tuple(handles)

    def remove(self) -> None:
        for handle in self.handles:
            handle.remove()

    def __enter__(self) -> _MultiHandle:
        return self

    def __exit__(self, *args: object) -> None:
        self.remove()


def _current_task() -> int:
    task: int = _C._current_graph_task_id()
    if task == -1:
        raise AssertionError("expected this hook to be called inside a backward call")
    return task


class _Arrivals:
    """The gradients of one backward pass that have arrived so far."""

    __slots__ = ("grads", "missing")

    def __init__(self, size: int, expected: int) -> None:
        self.grads: list[Tensor | None] = [None] * size
        self.missing = expected


def register_multi_grad_hook(
    tensors: Sequence[Tensor], fn: Callable[[Any], None], *, mode: str = "all"
) -> _MultiHandle:
    """Register a hook that waits for the gradients of several tensors.

    Args:
        tensors: tensors that require gradients.
        fn: with mode ``"all"`` called once per backward pass with the list of gradients, when
            those of all tensors that take part have been computed (None for the others).
            With mode ``"any"`` called once per backward pass, with the first gradient.
        mode: ``"all"`` or ``"any"``.  Default: ``"all"``.

    Returns:
        A handle with ``remove()``, also a context manager.

    Raises:
        ValueError: for another mode.

    Example::

        >>> import tapegrad
        >>> a = tapegrad.tensor([1.0], requires_grad=True)
        >>> b = tapegrad.tensor([2.0], requires_grad=True)
        >>> handle = tapegrad.autograd.graph.register_multi_grad_hook((a, b), print)
        >>> (a * b).sum().backward()
        [tensor([2.]), tensor([1.])]
        >>> handle.remove()
    """
    modes = ("all", "any")
    if mode not in modes:
        raise ValueError(f"Expects mode to be one of {modes} but got {mode}")
    lock = threading.Lock()

    if mode == "any":
        seen: dict[int, None] = {}

        @functools.wraps(fn)
        def first_hook(grad: Tensor) -> None:
            task = _current_task()
            with lock:
                if task in seen:
                    return
                seen[task] = None
                _forget_oldest(seen)
            fn(grad)

        return _MultiHandle([t.register_hook(first_hook) for t in tensors if t.requires_grad])

    nodes = [_gradient_node(t) for t in tensors]
    running: dict[int, _Arrivals] = {}

    def hook(index: int, grad: Tensor) -> None:
        task = _current_task()
        with lock:
            arrivals = running.get(task)
            if arrivals is None:
                expected = sum(map(_C._will_engine_execute_node, nodes))
                arrivals = running[task] = _Arrivals(len(nodes), expected)
                _forget_oldest(running)
            arrivals.grads[index] = grad
            arrivals.missing -= 1
            complete = arrivals.missing == 0
            if complete:
                del running[task]
        if complete:
            fn(arrivals.grads)

    return _MultiHandle(
        [t.register_hook(functools.partial(hook, i)) for i, t in enumerate(tensors)]
    )
