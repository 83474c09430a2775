"""Whom ``__torch_function__`` asks: the modes of a thread, and the functions that are in Python.

The core exchanges what Python calls as long as somebody is to be asked
(``csrc/python/dispatch.h``). Functions in Python get other code for that time, so that every
reference to them asks, and none of them has to look for somebody when there is nobody.
"""

from __future__ import annotations

import functools
import inspect
import sys
import threading
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any, NoReturn

from . import _C
from ._C import Tensor

__all__ = ["modes", "names", "overridable"]


class _Modes(threading.local):
    def __init__(self) -> None:
        self.stack: list[Any] = []  # of TorchFunctionMode, the innermost last


modes = _Modes()


def _ask_mode(function: Any, types: Any, args: tuple[Any, ...], kwargs: Any) -> Any:
    """Ask the innermost mode; while it works, those around it are in force."""
    stack = modes.stack
    mode = stack.pop()
    _C._set_asking_modes(bool(stack))
    try:
        return mode.__torch_function__(function, types, args, kwargs)
    finally:
        stack.append(mode)
        _C._set_asking_modes(True)


def _refuse(function: Any, types: tuple[type, ...]) -> NoReturn:
    from .overrides import resolve_name

    name = resolve_name(function) or getattr(function, "__name__", function)
    lines = "".join(f"  - tensor subclass {kind}\n" for kind in types)
    if modes.stack:
        lines = f"  - mode object {modes.stack[-1]}\n{lines}"
    raise TypeError(
        f"Multiple dispatch failed for '{name}'; all __torch_function__ handlers returned "
        f"NotImplemented:\n\n{lines}"
    )


# ---------------------------------------------------------------------- functions in Python

# Methods that ask by what they call, that make subclasses, or that every object has.
_NOT_ASKED = {
    *("as_subclass", "__copy__", "__format__", "_typed_storage", "_make_subclass", "__new__"),
    *("__del__", "__hash__", "__setattr__", "__delattr__", "__delitem__", "__torch_function__"),
    *("__buffer__", "__release_buffer__"),  # since Python 3.12
}
# Attributes of the core that can be set.
_SETTABLE = {"grad", "requires_grad", "data"}


def _takes_tensors(function: Any) -> bool:
    if not isinstance(function, FunctionType) or function.__closure__:
        return False
    kinds = function.__annotations__
    return any("Tensor" in str(kind) for name, kind in kinds.items() if name != "return")


def _of_modules() -> Iterator[tuple[str, Any]]:
    """Names of functions, those first that PyTorch has for them."""
    import tapegrad
    from tapegrad.nn import functional, init

    for place, module in (
        ("tapegrad.nn.functional", functional),
        ("tapegrad.linalg", tapegrad.linalg),
        ("tapegrad.special", tapegrad.special),
        ("tapegrad", tapegrad),
        ("tapegrad.nn.init", init),
    ):
        for name in sorted(set(module.__all__)):
            yield f"{place}.{name}", getattr(module, name)


def _of_tensors() -> Iterator[tuple[str, Any, Any]]:
    """Names of methods and accesses, what stands for each, and the function if it is in Python."""
    for name, member in vars(Tensor).items():
        if isinstance(member, property):
            for access, function in (("__get__", member.fget), ("__set__", member.fset)):
                if function:
                    yield f"{name}.{access}", getattr(member, access), function
        elif isinstance(member, FunctionType):
            if name not in _NOT_ASKED:
                yield name, member, member
        elif inspect.isgetsetdescriptor(member) and name != "__dict__":
            yield f"{name}.__get__", member.__get__, None
            if name in _SETTABLE:
                yield f"{name}.__set__", member.__set__, None
        elif callable(member) and name not in _NOT_ASKED:
            yield name, getattr(Tensor, name), None


def overridable() -> Iterator[tuple[str, Any]]:
    """The functions that ask ``__torch_function__``, with the name of each."""
    operators = {operator["name"] for operator in _C._operators() if operator["function"]}
    for name, value in _of_modules():
        if _takes_tensors(value) or getattr(value, "__name__", None) in operators:
            yield name, value
    for name, value, _ in _of_tensors():
        yield f"tapegrad.Tensor.{name}", value


@functools.cache
def names() -> dict[Any, str]:
    """The name of each overridable function."""
    found: dict[Any, str] = {}
    for name, function in overridable():
        found.setdefault(function, name)
    return found


class _Exchange:
    """A function in Python with its own code, and with code that asks first."""

    def __init__(self, public: Any, function: FunctionType) -> None:
        self.function, self.code = function, function.__code__
        original = FunctionType(
            self.code, function.__globals__, function.__name__, function.__defaults__
        )
        original.__kwdefaults__ = function.__kwdefaults__
        function.__globals__["_call_overridable"] = _C._call_overridable
        self.asking = _asking_code(_C._add_overridable(public, original), function)


def _asking_code(number: int, function: FunctionType) -> Any:
    """The code of a function of the same signature; like PyTorch's, it names what has a default."""
    shown, by_place, by_name = [], [], []
    kinds = inspect.Parameter
    parameters = inspect.signature(function).parameters.values()
    several = any(parameter.kind is kinds.VAR_POSITIONAL for parameter in parameters)
    for parameter in parameters:
        name, kind = parameter.name, parameter.kind
        star = "*" if kind is kinds.VAR_POSITIONAL else "**" if kind is kinds.VAR_KEYWORD else ""
        given = parameter.default is not kinds.empty
        if kind is kinds.KEYWORD_ONLY and "*" not in shown and not several:
            shown.append("*")
        shown.append(f"{star}{name}{'=None' if given else ''}")
        if star == "**":
            by_name.append(f"**{name}")
        elif name == "out" and kind is kinds.KEYWORD_ONLY:  # as of PyTorch's functions in C
            by_name.append("**({} if out is None else {'out': out})")
        elif kind is kinds.KEYWORD_ONLY or (given and not several):
            by_name.append(f"'{name}': {name}")
        else:
            by_place.append(f"{star}{name}, ")
    source = (
        f"def asking({', '.join(shown)}):\n"
        f"    return _call_overridable({number}, ({''.join(by_place)}), {{{', '.join(by_name)}}})"
    )
    place: dict[str, Any] = {}
    exec(compile(source, __file__, "exec"), place)
    return place["asking"].__code__.replace(co_name=function.__name__)


@functools.cache
def _exchanges() -> list[_Exchange]:
    from .autograd import grad

    places = [(function, function) for _, function in _of_modules() if _takes_tensors(function)]
    places += [(public, function) for _, public, function in _of_tensors() if function]
    places.append((grad, grad))
    known: dict[Any, Any] = {}
    for public, function in places:
        if not function.__closure__:
            known.setdefault(function, public)
    return [_Exchange(public, function) for function, public in known.items()]


@functools.cache
def _by_code() -> dict[Any, _Exchange]:
    return {exchanged.code: exchanged for exchanged in _exchanges()}


def _function_of_code(code: Any) -> Callable[[dict[str, Any]], Any] | None:
    """Calls the function that has the code, with what its parameters have been given."""
    exchanged = _by_code().get(code)
    if exchanged is None:
        return None
    count = code.co_argcount
    by_place = code.co_varnames[:count]
    by_name = code.co_varnames[count : count + code.co_kwonlyargcount]
    return lambda values: exchanged.function(
        *(values[name] for name in by_place), **{name: values[name] for name in by_name}
    )


@functools.cache
def _layer_functions() -> list[tuple[dict[str, Any], str, Any, Any]]:
    """Names in modules of layers that stand for operators, where PyTorch's call ``functional``."""
    from .nn import functional

    found = []
    for name, module in sys.modules.items():
        if name.startswith("tapegrad.nn.modules."):
            for key, value in vars(module).items():
                known = getattr(functional, getattr(value, "__name__", ""), None)
                if inspect.isbuiltin(value) and known is not None and known is not value:
                    found.append((vars(module), key, value, known))
    return found


def exchange(on: bool) -> None:
    """Called by the core when the first one is to be asked, and after the last."""
    for exchanged in _exchanges():
        exchanged.function.__code__ = exchanged.asking if on else exchanged.code
    for namespace, key, value, known in _layer_functions():
        namespace[key] = known if on else value


class DisableTorchFunctionSubclass:
    """A context manager in which no argument is asked; modes are.

    Example:
        >>> import tapegrad
        >>> class Mine(tapegrad.Tensor): pass
        >>> with tapegrad._C.DisableTorchFunctionSubclass():
        ...     type(Mine([1.0]) + 1).__name__
        'Tensor'
    """

    _anybody: bool | None = None  # as before

    def __enter__(self) -> None:
        self._before = _C._set_asking(False, self._anybody)

    def __exit__(self, *exc_info: object) -> None:
        _C._set_asking(*self._before)


class DisableTorchFunction(DisableTorchFunctionSubclass):
    """A context manager in which nobody is asked: no argument and no mode.

    Example:
        >>> import tapegrad
        >>> class Mine(tapegrad.Tensor): pass
        >>> with tapegrad._C.DisableTorchFunction():
        ...     type(tapegrad.exp(Mine([1.0]))).__name__
        'Tensor'
    """

    _anybody = False


def _convert(result: Any, cls: Any) -> Any:
    """The tensors of a result as those of a subclass."""
    if isinstance(result, Tensor):
        return result if isinstance(result, cls) else result.as_subclass(cls)
    if isinstance(result, tuple | list):
        kind: Any = type(result)
        return kind([_convert(item, cls) for item in result])
    return result


def _torch_function(
    cls: Any, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
) -> Any:
    """Run a function on tensors of a subclass; what it gives are tensors of the subclass, too.

    Subclasses that define a method of this name call this one to run the function.

    Args:
        func: the function that was called: ``tapegrad.add``, ``Tensor.add``,
            ``Tensor.shape.__get__``, ...
        types: of the arguments that have the method.
        args, kwargs: what the function was called with.

    Returns:
        What the function gives, or NotImplemented if a type is none of this one's bases.

    Example:
        >>> import tapegrad
        >>> class Meters(tapegrad.Tensor):
        ...     pass
        >>> type(Meters([1.0]) * 2).__name__
        'Meters'
    """
    if not all(issubclass(cls, kind) for kind in types):
        return NotImplemented
    result = _C._disabled_torch_function_impl(func, types, args, kwargs)
    if cls is Tensor or func in _not_wrapped():
        return result
    return _convert(result, cls)


@functools.cache
def _not_wrapped() -> set[Any]:
    """Accesses that give a tensor which lies somewhere, always the same one."""
    return {Tensor._base.__get__, Tensor.grad.__get__}


Tensor.__torch_function__ = classmethod(_torch_function)
_C.DisableTorchFunction = DisableTorchFunction
_C.DisableTorchFunctionSubclass = DisableTorchFunctionSubclass
_C._answer_for(_ask_mode, _refuse, _function_of_code)
_C._exchange_functions_by(exchange)
