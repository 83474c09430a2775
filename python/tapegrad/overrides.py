"""Objects that take the place of tensors in a function: the protocol ``__torch_function__``.

Subclasses of Tensor and other objects whose class has a method of this name are asked for the
result of each function that they are given to, and so is a `TorchFunctionMode` in its block.
Functions of other packages follow the protocol by two lines.

Example:
    >>> import tapegrad
    >>> from tapegrad.overrides import handle_torch_function, has_torch_function
    >>> class Named:
    ...     @classmethod
    ...     def __torch_function__(cls, func, types, args=(), kwargs=None):
    ...         return func.__name__
    >>> tapegrad.add(Named(), 1)
    'add'
    >>> def double(x):
    ...     if has_torch_function((x,)):
    ...         return handle_torch_function(double, (x,), x)
    ...     return 2 * x
    >>> double(3), double(Named())
    (6, 'double')
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from . import _C, _torch_function
from ._C import Tensor
from ._torch_function import modes, overridable

__all__ = [
    "BaseTorchFunctionMode",
    "TorchFunctionMode",
    "get_default_nowrap_functions",
    "get_ignored_functions",
    "get_overridable_functions",
    "handle_torch_function",
    "has_torch_function",
    "has_torch_function_unary",
    "has_torch_function_variadic",
    "is_tensor_like",
    "is_tensor_method_or_property",
    "resolve_name",
    "wrap_torch_function",
]


def has_torch_function(relevant_args: Iterable[Any]) -> bool:
    """Whether somebody is to be asked for the result of a function of these arguments.

    That is a mode, or an argument whose type has ``__torch_function__``; Tensor itself and
    Parameter do not count.
    """
    return _C._is_overridden(tuple(relevant_args))


def has_torch_function_unary(arg: Any) -> bool:
    """`has_torch_function` of one argument."""
    return _C._is_overridden((arg,))


def has_torch_function_variadic(*args: Any) -> bool:
    """`has_torch_function` of several arguments."""
    return _C._is_overridden(args)


def _refuse(public_api: Callable[..., Any], types: tuple[type, ...]) -> NoReturn:
    name = f"{public_api.__module__}.{public_api.__name__}"
    if modes.stack:
        name += f" nor in mode {modes.stack[-1]}"
    raise TypeError(
        f"no implementation found for '{name}' on types that implement __torch_function__: "
        f"{list(types)}"
    )


def handle_torch_function(
    public_api: Callable[..., Any], relevant_args: Iterable[Any], *args: Any, **kwargs: Any
) -> Any:
    """Ask a mode, and the arguments that have ``__torch_function__``, for the result.

    Args:
        public_api: the function that was called.
        relevant_args: the arguments to ask.
        args, kwargs: what the function was called with.

    Returns:
        What the first of them gives that is not NotImplemented.

    Raises:
        TypeError: if none of them gives a result.
    """
    return _C._ask(public_api, tuple(relevant_args), args, kwargs, _refuse)


def is_tensor_like(inp: Any) -> bool:
    """Whether an object is a tensor, or has ``__torch_function__``.

    Example:
        >>> import tapegrad
        >>> from tapegrad.overrides import is_tensor_like
        >>> is_tensor_like(tapegrad.zeros(1)), is_tensor_like([0.0])
        (True, False)
    """
    return isinstance(inp, Tensor) or hasattr(inp, "__torch_function__")


def wrap_torch_function(
    dispatcher: Callable[..., Iterable[Any]],
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator that makes a function follow the protocol.

    Args:
        dispatcher: takes what the function takes, and returns the arguments to ask.

    Example:
        >>> from tapegrad.overrides import wrap_torch_function
        >>> @wrap_torch_function(lambda a: (a,))
        ... def double(a):
        ...     return a + a
        >>> double(2)
        4
    """

    def decorate(func: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(func)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            relevant = tuple(dispatcher(*args, **kwargs))
            if has_torch_function(relevant):
                return handle_torch_function(wrapped, relevant, *args, **kwargs)
            return func(*args, **kwargs)

        return wrapped

    return decorate


# ---------------------------------------------------------------------- modes


class TorchFunctionMode:
    """Base of context managers in whose block `__torch_function__` gives the results of functions.

    It sees functions and methods as the program calls them, whatever their arguments are; the
    innermost mode is asked first. While its method runs, the ones around it are in force.

    Example:
        >>> import tapegrad
        >>> from tapegrad.overrides import TorchFunctionMode, resolve_name
        >>> class Log(TorchFunctionMode):
        ...     def __torch_function__(self, func, types, args=(), kwargs=None):
        ...         print(resolve_name(func))
        ...         return func(*args, **(kwargs or {}))
        >>> with Log():
        ...     x = tapegrad.ones(2) + 1
        tapegrad.ones
        tapegrad.Tensor.add
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run the function, or give something in the place of its result."""
        raise NotImplementedError

    def __enter__(self) -> Any:
        _C._begin_asking()
        modes.stack.append(self)
        _C._set_asking_modes(True)
        return self

    def __exit__(self, *exc_info: object) -> None:
        modes.stack.pop()
        _C._set_asking_modes(bool(modes.stack))
        _C._end_asking()

    @classmethod
    def push(cls, *args: Any, **kwargs: Any) -> Any:
        """A mode, made of these arguments."""
        return cls(*args, **kwargs)


class BaseTorchFunctionMode(TorchFunctionMode):
    """A mode that runs what it sees."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        return func(*args, **(kwargs or {}))


# ---------------------------------------------------------------------- the functions


@functools.cache
def get_overridable_functions() -> dict[Any, list[Callable[..., Any]]]:
    """The functions that follow the protocol, by where they are.

    Returns:
        Lists by module (``tapegrad``, ``tapegrad.nn.functional``, ...), and that of Tensor.
    """
    import importlib

    found: dict[Any, list[Callable[..., Any]]] = {}
    for name, function in overridable():
        if name.startswith("tapegrad.Tensor."):
            place: Any = Tensor
        else:
            place = importlib.import_module(name.rpartition(".")[0])
        functions = found.setdefault(place, [])
        if function not in functions:
            functions.append(function)
    return found


def get_ignored_functions() -> set[Callable[..., Any]]:
    """The functions that never ask for the protocol: none is listed."""
    return set()


def get_default_nowrap_functions() -> set[Callable[..., Any]]:
    """Those whose results ``Tensor.__torch_function__`` gives as they are.

    They look something up that lies on a tensor, and always give the same object.
    """
    return _torch_function._not_wrapped()


def resolve_name(f: Callable[..., Any]) -> str | None:
    """The name of a function as ``__torch_function__`` gets it; None if it is not known.

    Example:
        >>> import tapegrad
        >>> from tapegrad.overrides import resolve_name
        >>> resolve_name(tapegrad.Tensor.add), resolve_name(tapegrad.Tensor.grad.__get__)
        ('tapegrad.Tensor.add', 'tapegrad.Tensor.grad.__get__')
    """
    from ._ops import OpOverload, OpOverloadPacket

    if isinstance(f, OpOverload | OpOverloadPacket):
        return str(f)
    return _torch_function.names().get(f)


def is_tensor_method_or_property(func: Callable[..., Any]) -> bool:
    """Whether a function is a method of Tensor, or the access to an attribute.

    Example:
        >>> import tapegrad
        >>> from tapegrad.overrides import is_tensor_method_or_property
        >>> is_tensor_method_or_property(tapegrad.Tensor.add)
        True
        >>> is_tensor_method_or_property(tapegrad.add)
        False
    """
    name = _torch_function.names().get(func, "")
    return name.startswith("tapegrad.Tensor.") or func.__name__ == "__get__"
