"""Objects that take the place of tensors in a function: the protocol ``__torch_function__``.

Functions written in Python follow it by the two lines that PyTorch's have; operators of this
package do not ask for it.

Example:
    >>> from tapegrad.overrides import handle_torch_function, has_torch_function
    >>> def double(x):
    ...     if has_torch_function((x,)):
    ...         return handle_torch_function(double, (x,), x)
    ...     return 2 * x
    >>> class Named:
    ...     def __torch_function__(self, func, types, args=(), kwargs=None):
    ...         return func.__name__
    >>> double(3), double(Named())
    (6, 'double')
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ._C import Tensor

__all__ = [
    "get_ignored_functions",
    "handle_torch_function",
    "has_torch_function",
    "has_torch_function_unary",
    "has_torch_function_variadic",
    "is_tensor_like",
]


def _overriding(args: Iterable[Any]) -> list[Any]:
    """One argument of each type that has the method; subclasses come before their bases."""
    found: list[Any] = []
    for arg in args:
        kind = type(arg)
        if not hasattr(kind, "__torch_function__") or kind in map(type, found):
            continue
        place = next((i for i, x in enumerate(found) if issubclass(kind, type(x))), len(found))
        found.insert(place, arg)
    return found


def has_torch_function(relevant_args: Iterable[Any]) -> bool:
    """Whether the type of an argument has ``__torch_function__``; that of tensors has not."""
    return bool(_overriding(relevant_args))


def has_torch_function_unary(arg: Any) -> bool:
    """`has_torch_function` of one argument."""
    return bool(_overriding((arg,)))


def has_torch_function_variadic(*args: Any) -> bool:
    """`has_torch_function` of several arguments."""
    return bool(_overriding(args))


def handle_torch_function(
    public_api: Callable[..., Any], relevant_args: Iterable[Any], *args: Any, **kwargs: Any
) -> Any:
    """Ask the arguments that have ``__torch_function__`` for the result.

    Args:
        public_api: the function that was called.
        relevant_args: the arguments to ask.
        args, kwargs: what the function was called with.

    Returns:
        What the first of them gives that is not NotImplemented.

    Raises:
        TypeError: if none of them gives a result.
    """
    overriding = _overriding(relevant_args)
    types = tuple(map(type, overriding))
    for arg in overriding:
        result = arg.__torch_function__(public_api, types, args, kwargs)
        if result is not NotImplemented:
            return result
    name = f"{public_api.__module__}.{public_api.__name__}"
    raise TypeError(
        f"no implementation found for '{name}' on types that implement __torch_function__: "
        f"{list(types)}"
    )


def is_tensor_like(inp: Any) -> bool:
    """Whether an object is a tensor, or its type has ``__torch_function__``.

    Example:
        >>> import tapegrad
        >>> from tapegrad.overrides import is_tensor_like
        >>> is_tensor_like(tapegrad.zeros(1)), is_tensor_like([0.0])
        (True, False)
    """
    return isinstance(inp, Tensor) or hasattr(type(inp), "__torch_function__")


def get_ignored_functions() -> set[Callable[..., Any]]:
    """The functions that never ask for the protocol: none is listed."""
    return set()
