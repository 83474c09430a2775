"""Compilation of programs, which there is none of: functions and modules are given back.

Example:
    >>> import tapegrad
    >>> @tapegrad.compile(mode="reduce-overhead")
    ... def double(x):
    ...     return 2 * x
    >>> double(tapegrad.ones(2))
    tensor([2., 2.])
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "allow_in_graph",
    "assume_constant_result",
    "compile",
    "cudagraph_mark_step_begin",
    "disable",
    "is_compiling",
    "is_dynamo_compiling",
    "is_exporting",
    "list_backends",
    "reset",
]


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
    """Give back a function or module as it is: operators are quick by themselves here.

    Args:
        model: the function or module; None gives a decorator. Default: None.
        fullgraph, dynamic, backend, mode, options, disable: ignored.

    Example:
        >>> import tapegrad
        >>> layer = tapegrad.nn.Linear(2, 1)
        >>> tapegrad.compile(layer) is layer
        True
    """
    return same if model is None else model


def same(function: Any) -> Any:
    """The argument."""
    return function


def disable(fn: Any = None, recursive: bool = True, *, reason: str | None = None) -> Any:
    """Give back a function as it is; as a decorator with arguments, too.

    Example:
        >>> import tapegrad
        >>> @tapegrad.compiler.disable(recursive=False)
        ... def double(x):
        ...     return 2 * x
        >>> double(2)
        4
    """
    return same if fn is None else fn


def allow_in_graph(fn: Any) -> Any:
    """Give back a function as it is."""
    return fn


def assume_constant_result(fn: Any) -> Any:
    """Give back a function as it is."""
    return fn


def is_compiling() -> bool:
    """False: programs run as they are."""
    return False


def is_dynamo_compiling() -> bool:
    """False: programs run as they are."""
    return False


def is_exporting() -> bool:
    """False: programs run as they are."""
    return False


def list_backends(exclude_tags: Any = ()) -> list[str]:
    """No names: nothing is compiled."""
    return []


def reset() -> None:
    """Does nothing: nothing is compiled."""


def cudagraph_mark_step_begin() -> None:
    """Does nothing: nothing is compiled."""
