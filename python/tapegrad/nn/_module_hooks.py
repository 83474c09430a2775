"""Hooks of one module and of all modules, and the call that runs them."""

from __future__ import annotations

import warnings
import weakref
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from .._C import Tensor, _ModuleBase
from ..utils.hooks import RemovableHandle
from ._backward_hook import BackwardHooks, warn_of_partial_gradients

if TYPE_CHECKING:
    from .modules.module import Module

Table = OrderedDict[int, Any]

# ---------------------------------------------------------------------- of all modules

parameter_registration_hooks: Table = OrderedDict()
buffer_registration_hooks: Table = OrderedDict()
module_registration_hooks: Table = OrderedDict()

_global_forward_pre_hooks: Table = OrderedDict()
_global_forward_hooks: Table = OrderedDict()
_global_forward_hooks_with_kwargs: Table = OrderedDict()
_global_forward_hooks_always_called: Table = OrderedDict()
_global_backward_pre_hooks: Table = OrderedDict()
_global_backward_hooks: Table = OrderedDict()
_global_is_full_backward_hook: bool | None = None

# A call of a module looks at their sizes.
_ModuleBase._watch(
    _global_forward_pre_hooks,
    _global_forward_hooks,
    _global_backward_pre_hooks,
    _global_backward_hooks,
)


def add_hook(
    table: Table, hook: Callable[..., Any], prepend: bool = False, *flagged: Table
) -> RemovableHandle:
    """Adds a hook to a table, and its id to what says more about it."""
    handle = RemovableHandle(table, extra_dict=list(flagged))
    table[handle.id] = hook
    for flags in flagged:
        flags[handle.id] = True
    if prepend:
        table.move_to_end(handle.id, last=False)
    return handle


def _flagged(*choices: tuple[bool, Table]) -> list[Table]:
    return [table for chosen, table in choices if chosen]


def _kind_of_backward_hooks(current: bool | None, full: bool, place: str) -> bool:
    if current is not None and current is not full:
        raise RuntimeError(
            f"Cannot use both regular backward hooks and full backward hooks {place}. "
            "Please use only one of them."
        )
    return full


def register_module_parameter_registration_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(module, name, param)`` whenever a module gets a parameter.

    The hook may return another parameter for its place.

    Example:
        >>> from tapegrad import nn
        >>> hook = lambda module, name, param: print(type(module).__name__, name)
        >>> with nn.modules.module.register_module_parameter_registration_hook(hook):
        ...     layer = nn.Linear(1, 1)
        Linear weight
        Linear bias
    """
    return add_hook(parameter_registration_hooks, hook)


def register_module_buffer_registration_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(module, name, buffer)`` whenever a module gets a buffer.

    The hook may return another buffer for its place.
    """
    return add_hook(buffer_registration_hooks, hook)


def register_module_module_registration_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(module, name, submodule)`` whenever a module gets a submodule.

    The hook may return another submodule for its place.
    """
    return add_hook(module_registration_hooks, hook)


def registered(hooks: Table, module: Module, name: str, value: Any) -> Any:
    """What takes the place of `value` after the hooks of its registration."""
    for hook in list(hooks.values()):
        answer = hook(module, name, value)
        if answer is not None:
            value = answer
    return value


def register_module_forward_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(module, args)`` before every ``forward`` of any module.

    As ``Module.register_forward_pre_hook``, and before the module's own hooks.

    Example:
        >>> import tapegrad
        >>> from tapegrad import nn
        >>> hook = lambda module, args: print(module)
        >>> with nn.modules.module.register_module_forward_pre_hook(hook):
        ...     y = nn.Sequential(nn.Tanh())(tapegrad.zeros(1))
        Sequential(
          (0): Tanh()
        )
        Tanh()
    """
    return add_hook(_global_forward_pre_hooks, hook)


def register_module_forward_hook(
    hook: Callable[..., Any], *, with_kwargs: bool = False, always_call: bool = False
) -> RemovableHandle:
    """Call ``hook(module, args, output)`` after every ``forward`` of any module.

    As ``Module.register_forward_hook``, and before the module's own hooks.
    """
    flagged = _flagged(
        (with_kwargs, _global_forward_hooks_with_kwargs),
        (always_call, _global_forward_hooks_always_called),
    )
    return add_hook(_global_forward_hooks, hook, False, *flagged)


def register_module_full_backward_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(module, grad_output)`` before the backward of any module.

    As ``Module.register_full_backward_pre_hook``, and before the module's own hooks.
    """
    return add_hook(_global_backward_pre_hooks, hook)


def register_module_full_backward_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(module, grad_input, grad_output)`` after the backward of any module.

    As ``Module.register_full_backward_hook``, and before the module's own hooks.

    Raises:
        RuntimeError: if :func:`register_module_backward_hook` was used before.
    """
    global _global_is_full_backward_hook
    place = "as a global Module hook"
    _global_is_full_backward_hook = _kind_of_backward_hooks(
        _global_is_full_backward_hook, True, place
    )
    return add_hook(_global_backward_hooks, hook)


def register_module_backward_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call a hook at the node of any module's result; deprecated.

    As ``Module.register_backward_hook``; :func:`register_module_full_backward_hook` sees the
    gradients of the module.

    Raises:
        RuntimeError: if :func:`register_module_full_backward_hook` was used before.
    """
    global _global_is_full_backward_hook
    place = "as a global Module hook"
    _global_is_full_backward_hook = _kind_of_backward_hooks(
        _global_is_full_backward_hook, False, place
    )
    return add_hook(_global_backward_hooks, hook)


# ---------------------------------------------------------------------- of one module


class BoundHook:
    """A hook with its module, which it does not keep alive; the copy's is that of the copy."""

    def __init__(self, hook: Callable[..., Any], module: Any) -> None:
        if module is None:
            raise RuntimeError("You are trying to revive the hook of a dead Module!")
        self.hook = hook
        self.module = weakref.ref(module)

    def __call__(self, *args: Any) -> Any:
        module = self.module()
        if module is None:
            raise RuntimeError("You are trying to call the hook of a dead Module!")
        return self.hook(module, *args)

    def __reduce__(self) -> tuple[Any, ...]:
        return BoundHook, (self.hook, self.module())


def _run_pre_hook(
    module: Hooks, hook: Callable[..., Any], with_kwargs: bool, args: Any, kwargs: Any
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if not with_kwargs:
        answer = hook(module, args)
        if answer is None:
            return args, kwargs
        return answer if isinstance(answer, tuple) else (answer,), kwargs
    answer = hook(module, args, kwargs)
    if answer is None:
        return args, kwargs
    if not (isinstance(answer, tuple) and len(answer) == 2):
        raise RuntimeError(
            "forward pre-hook must return None or a tuple "
            f"of (new_args, new_kwargs), but got {answer}."
        )
    return answer


class _ForwardHook(NamedTuple):
    key: int
    call: Callable[..., Any]
    with_kwargs: bool
    always_called: bool
    kind: str

    def run(self, module: Hooks, args: Any, kwargs: Any, result: Any) -> Any:
        if self.with_kwargs:
            answer = self.call(module, args, kwargs, result)
        else:
            answer = self.call(module, args, result)
        return result if answer is None else answer


class Hooks(_ModuleBase):
    """Hooks around the call of a module: a base of Module."""

    _forward_pre_hooks: Table
    _forward_pre_hooks_with_kwargs: Table
    _forward_hooks: Table
    _forward_hooks_with_kwargs: Table
    _forward_hooks_always_called: Table
    _backward_pre_hooks: Table
    _backward_hooks: Table
    _is_full_backward_hook: bool | None
    _state_dict_hooks: Table
    _state_dict_pre_hooks: Table
    _load_state_dict_pre_hooks: Table
    _load_state_dict_post_hooks: Table
    forward: Callable[..., Any]

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, args)`` before every ``forward``; it may return new arguments.

        Args:
            hook: returns None, a tuple of arguments, or one argument. With `with_kwargs` it is
                called as ``hook(module, args, kwargs)`` and returns None or ``(args, kwargs)``.
            prepend: run it before the hooks that are there. Default: False.
            with_kwargs: see above. Default: False.

        Example:
            >>> import tapegrad
            >>> m = tapegrad.nn.Identity()
            >>> with m.register_forward_pre_hook(lambda module, args: args[0] + 1):
            ...     m(tapegrad.tensor(1.0))
            tensor(2.)
        """
        flagged = _flagged((with_kwargs, self._forward_pre_hooks_with_kwargs))
        return add_hook(self._forward_pre_hooks, hook, prepend, *flagged)

    def register_forward_hook(
        self,
        hook: Callable[..., Any],
        *,
        prepend: bool = False,
        with_kwargs: bool = False,
        always_call: bool = False,
    ) -> RemovableHandle:
        """Call ``hook(module, args, output)`` after every ``forward``; it may return a new output.

        Args:
            hook: returns None or the new output. With `with_kwargs` it is called as
                ``hook(module, args, kwargs, output)``.
            prepend: run it before the hooks that are there. Default: False.
            with_kwargs: see above. Default: False.
            always_call: run it even if ``forward`` raises (then the output is None).

        Example:
            >>> import tapegrad
            >>> m = tapegrad.nn.Identity()
            >>> handle = m.register_forward_hook(lambda module, args, output: output * 2)
            >>> m(tapegrad.tensor(1.0))
            tensor(2.)
            >>> handle.remove()
            >>> m(tapegrad.tensor(1.0))
            tensor(1.)
        """
        flagged = _flagged(
            (with_kwargs, self._forward_hooks_with_kwargs),
            (always_call, self._forward_hooks_always_called),
        )
        return add_hook(self._forward_hooks, hook, prepend, *flagged)

    def register_full_backward_pre_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, grad_output)`` before the module's backward.

        `grad_output` is a tuple; the hook may return a new one.
        """
        return add_hook(self._backward_pre_hooks, hook, prepend)

    def register_full_backward_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, grad_input, grad_output)`` after the module's backward.

        Both are tuples, with None for what is not a tensor or has no gradient; the hook may return
        a new `grad_input`. If no input requires grad, it runs when the gradients of the outputs
        are known, and `grad_input` is full of None.

        Example:
            >>> import tapegrad
            >>> m = tapegrad.nn.Tanh()
            >>> handle = m.register_full_backward_hook(lambda m, gi, go: print(gi, go))
            >>> x = tapegrad.tensor(0.0, requires_grad=True)
            >>> m(x).backward()
            (tensor(1.),) (tensor(1.),)
        """
        self._set_kind_of_backward_hooks(True)
        return add_hook(self._backward_hooks, hook, prepend)

    def register_backward_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(module, grad_input, grad_output)`` at the node of the result; deprecated.

        The gradients are those of the last operation in ``forward``, not of the module:
        :meth:`register_full_backward_hook` sees the latter.

        Raises:
            RuntimeError: if the module has full backward hooks.
        """
        self._set_kind_of_backward_hooks(False)
        return add_hook(self._backward_hooks, hook)

    def _set_kind_of_backward_hooks(self, full: bool) -> None:
        self._is_full_backward_hook = _kind_of_backward_hooks(
            self._is_full_backward_hook, full, "on a single Module"
        )

    def _forward_pre_hooks_in_order(self) -> list[tuple[Callable[..., Any], bool]]:
        flagged = self._forward_pre_hooks_with_kwargs
        return [
            *((hook, False) for hook in _global_forward_pre_hooks.values()),
            *((hook, key in flagged) for key, hook in self._forward_pre_hooks.items()),
        ]

    def _forward_hooks_in_order(self) -> list[_ForwardHook]:
        return [
            _ForwardHook(key, hook, key in with_kwargs, key in always_called, kind)
            for kind, hooks, with_kwargs, always_called in (
                (
                    "global module forward hook",
                    _global_forward_hooks,
                    _global_forward_hooks_with_kwargs,
                    _global_forward_hooks_always_called,
                ),
                (
                    "module forward hook",
                    self._forward_hooks,
                    self._forward_hooks_with_kwargs,
                    self._forward_hooks_always_called,
                ),
            )
            for key, hook in hooks.items()
        ]

    def _call_with_hooks(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        called: set[int] = set()
        result = None
        try:
            pre_hooks = [*_global_backward_pre_hooks.values(), *self._backward_pre_hooks.values()]
            full_hooks: list[Any] = []
            node_hooks: list[Any] = []
            for full, hooks in (
                (_global_is_full_backward_hook, _global_backward_hooks),
                (self._is_full_backward_hook, self._backward_hooks),
            ):
                if full is not None:
                    (full_hooks if full else node_hooks).extend(hooks.values())
            for hook, with_kwargs in self._forward_pre_hooks_in_order():
                args, kwargs = _run_pre_hook(self, hook, with_kwargs, args, kwargs)
            backward = None
            if full_hooks or pre_hooks:
                backward = BackwardHooks(self, pre_hooks, full_hooks)
                args = backward.wrap_inputs(args)
            result = self.forward(*args, **kwargs)
            for forward_hook in self._forward_hooks_in_order():
                called.add(forward_hook.key)
                result = forward_hook.run(self, args, kwargs, result)
            if backward is not None:
                if not isinstance(result, (Tensor, tuple)):
                    warnings.warn(
                        "For backward hooks to be called, module output should be a Tensor or a "
                        f"tuple of Tensors but received {type(result)}",
                        stacklevel=3,
                    )
                result = backward.wrap_outputs(result)
            if node_hooks:
                self._hook_node(node_hooks, args, result)
            return result
        except Exception:
            for forward_hook in self._forward_hooks_in_order():
                if not forward_hook.always_called or forward_hook.key in called:
                    continue
                try:
                    result = forward_hook.run(self, args, kwargs, result)
                except Exception as error:
                    warnings.warn(
                        f"{forward_hook.kind} with ``always_call=True`` raised an exception that "
                        f"was silenced as another error was raised in forward: {error}",
                        stacklevel=3,
                    )
            raise

    def _hook_node(self, hooks: list[Any], args: Any, result: Any) -> None:
        """Sets the hooks of `register_backward_hook` at the node of the first tensor."""
        first = result
        while not isinstance(first, Tensor):
            if isinstance(first, dict):
                first = next(v for v in first.values() if isinstance(v, Tensor))
            elif isinstance(first, str):  # whose first element is itself
                raise TypeError("a backward hook needs a module that returns tensors, got a str")
            else:
                first = first[0]
        node = first.grad_fn
        if node is not None:
            for hook in hooks:
                node.register_hook(BoundHook(hook, self))
            warn_of_partial_gradients(args, result, node)
