"""What the modules about devices, and about more than one of them, share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from copy import copy
from functools import partial
from typing import Any

from ._device import no_device

__all__ = ["AcceleratorError", "OutOfMemoryError", "answers", "refusals", "refusing_classes"]


class AcceleratorError(RuntimeError):
    """An error of a device. It is never raised here; programs name it to catch it.

    Example:
        >>> import tapegrad
        >>> issubclass(tapegrad.AcceleratorError, RuntimeError)
        True
    """


class OutOfMemoryError(RuntimeError):
    """A device has no memory left. It is never raised here; programs name it to catch it.

    Example:
        >>> import tapegrad
        >>> tapegrad.cuda.OutOfMemoryError is tapegrad.OutOfMemoryError
        True
    """


def _function(module: str, name: str, doc: str, run: Callable[[], Any]) -> Callable[..., Any]:
    def function(*args: Any, **kwargs: Any) -> Any:
        return run()

    function.__module__ = f"tapegrad.{module}"
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return function


def answers(module: str, results: Mapping[str, Any]) -> dict[str, Any]:
    """Functions that have an answer without a device: the same for all arguments.

    >>> from tapegrad._absent_device import answers
    >>> answers("cuda", {"memory_allocated": 0})["memory_allocated"]("cuda:0")
    0
    """
    return {
        name: _function(module, name, f"Returns {result!r}: no device.", partial(copy, result))
        for name, result in results.items()
    }


def refusals(module: str, names: Iterable[str], error: Callable[[], Exception]) -> dict[str, Any]:
    """Functions that need what is not here, and raise.

    >>> from tapegrad._absent_device import refusals
    >>> refusals("cuda", ["init"], lambda: RuntimeError("no"))["init"]()
    Traceback (most recent call last):
    RuntimeError: no
    """

    def refuse() -> Any:
        raise error()

    return {
        name: _function(
            module, name, "Raises RuntimeError: there is nothing to do it with.", refuse
        )
        for name in names
    }


def refusing_classes(module: str, names: Iterable[str]) -> dict[str, Any]:
    """Classes that can be named; to make an instance raises.

    >>> from tapegrad._absent_device import refusing_classes
    >>> isinstance(3, refusing_classes("cuda", ["Event"])["Event"])
    False
    """

    def refuse(cls: type, *args: Any, **kwargs: Any) -> Any:
        raise no_device(module)

    doc = "Raises RuntimeError when an instance is made: no device."
    members = {"__new__": refuse, "__module__": f"tapegrad.{module}", "__doc__": doc}
    return {name: type(name, (), members) for name in names}
