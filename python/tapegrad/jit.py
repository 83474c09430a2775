"""TorchScript, which there is none of: functions, classes and modules are given back.

Example:
    >>> import tapegrad
    >>> @tapegrad.jit.script
    ... def double(x: tapegrad.Tensor) -> tapegrad.Tensor:
    ...     return 2 * x
    >>> double(tapegrad.ones(2))
    tensor([2., 2.])
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any, Final

from ._lazy import lazy
from .nn.modules.module import Module

__all__ = [
    "Final",
    "ScriptFunction",
    "ScriptModule",
    "annotate",
    "export",
    "fork",
    "freeze",
    "ignore",
    "interface",
    "is_scripting",
    "is_tracing",
    "isinstance",
    "optimize_for_inference",
    "script",
    "script_if_tracing",
    "script_method",
    "trace",
    "trace_module",
    "unused",
    "wait",
]

__getattr__, __dir__ = lazy(__name__, {})


def same(function: Any) -> Any:
    """The argument."""
    return function


class ScriptModule(Module):
    """A module as any other. `script` and `trace` do not make one: libraries ask for the class.

    Example:
        >>> import tapegrad
        >>> layer = tapegrad.jit.script(tapegrad.nn.Linear(2, 1))
        >>> isinstance(layer, tapegrad.jit.ScriptModule)
        False
    """


class ScriptFunction:
    """What a compiled function would be; there is none."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise RuntimeError("tapegrad runs functions as they are and does not compile them.")


def script(obj: Any, *args: Any, **kwargs: Any) -> Any:
    """Give back a function, class or module as it is; other arguments are ignored.

    Example:
        >>> import tapegrad
        >>> layer = tapegrad.nn.Linear(2, 1)
        >>> tapegrad.jit.script(layer) is layer
        True
    """
    return obj


def trace(func: Any, example_inputs: Any = None, *args: Any, **kwargs: Any) -> Any:
    """Give back a function or module as it is; it is not called, and other arguments are ignored.

    Example:
        >>> import tapegrad
        >>> tapegrad.jit.trace(tapegrad.exp, tapegrad.zeros(2)) is tapegrad.exp
        True
    """
    return func


def trace_module(mod: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
    """Give back a module as it is; other arguments are ignored."""
    return mod


def freeze(mod: Any, *args: Any, **kwargs: Any) -> Any:
    """Give back a module as it is; other arguments are ignored."""
    return mod


def optimize_for_inference(mod: Any, *args: Any, **kwargs: Any) -> Any:
    """Give back a module as it is; other arguments are ignored."""
    return mod


def ignore(drop: Any = False, **kwargs: Any) -> Any:
    """Give back a method as it is; as a decorator with arguments, too.

    Example:
        >>> import tapegrad
        >>> @tapegrad.jit.ignore(drop=True)
        ... def double(x):
        ...     return 2 * x
        >>> double(2)
        4
    """
    return drop if callable(drop) else same


def unused(fn: Any) -> Any:
    """Give back a method as it is."""
    return fn


def export(fn: Any) -> Any:
    """Give back a method as it is."""
    return fn


def script_if_tracing(fn: Any) -> Any:
    """Give back a function as it is."""
    return fn


def script_method(fn: Any) -> Any:
    """Give back a method as it is."""
    return fn


def interface(obj: Any) -> Any:
    """Give back a class as it is."""
    return obj


def is_scripting() -> bool:
    """False: programs run as they are."""
    return False


def is_tracing() -> bool:
    """False: programs run as they are."""
    return False


def annotate(the_type: Any, the_value: Any) -> Any:
    """Give back a value."""
    return the_value


def isinstance(obj: Any, target_type: Any) -> bool:
    """Whether an object is an instance of a type, as Python has it."""
    return builtins.isinstance(obj, target_type)


def fork(func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a function, and give its result to `wait`.

    Example:
        >>> import tapegrad
        >>> tapegrad.jit.wait(tapegrad.jit.fork(tapegrad.exp, tapegrad.zeros(1)))
        tensor([1.])
    """
    return func(*args, **kwargs)


def wait(future: Any) -> Any:
    """The result of what `fork` began."""
    return future
