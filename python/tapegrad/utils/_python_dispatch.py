"""Modes in which code in Python sees the calls of operators.

A mode stands in front of the operators: it sees what the program calls, before anything is
recorded.  (PyTorch's stands behind the tape and sees the operators of the backward pass, too.)
An index is seen as the operators that PyTorch makes of it; what gives no tensor is not seen.

Without a mode no call is slower: the first one that is entered exchanges what Python calls.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from .. import _C
from .._C import Tensor
from .._indexing import INDEXING, read_by, write_by
from .._ops import named, of_indexing

__all__ = ["TorchDispatchMode"]


class _Modes(threading.local):
    def __init__(self) -> None:
        self.stack: list[Any] = []  # of objects with a method `_intercept`


_modes = _Modes()


class TorchDispatchMode:
    """Base of context managers in whose block `__torch_dispatch__` runs the operators.

    The innermost mode is asked first. While its method runs, the ones around it are in force.

    Example:
        >>> import tapegrad
        >>> from tapegrad.utils._python_dispatch import TorchDispatchMode
        >>> class Log(TorchDispatchMode):
        ...     def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        ...         print(func)
        ...         return func(*args, **(kwargs or {}))
        >>> x = tapegrad.ones(2, 2)
        >>> with Log():
        ...     y = tapegrad.matmul(x, x).exp() + 1
        aten.mm.default
        aten.exp.default
        aten.add.Tensor
    """

    sees_indices = True

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run the operator, or give something in the place of its result."""
        raise NotImplementedError

    def _intercept(self, operator: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if operator in INDEXING:
            by = read_by if operator == "__getitem__" else write_by
            return by(self._run_indexing, *args)
        if operator in _PARTS:
            result = _PARTS[operator](*args, **kwargs)
            if result is not NotImplemented:
                return result
        if args and not isinstance(args[0], Tensor) and len(args) == 2:
            number_first = _NUMBER_FIRST.get(operator)
            if number_first is not None:
                return number_first(*args)
        return self._see(named(operator, args, kwargs), args, kwargs)

    def _run_indexing(self, operator: str, *args: Any) -> Any:
        return self._see(of_indexing(operator), args, {})

    def _see(self, op: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        stack = _modes.stack
        stack.pop()
        _C._set_dispatching(bool(stack))
        try:
            return self.__torch_dispatch__(op, (), args, kwargs)
        finally:
            stack.append(self)
            _C._set_dispatching(True)

    def __enter__(self) -> Any:
        _C._begin_watching(_dispatch)
        _modes.stack.append(self)
        _C._set_dispatching(True)
        return self

    def __exit__(self, *exc_info: object) -> None:
        _modes.stack.pop()
        _C._set_dispatching(bool(_modes.stack))
        _C._end_watching()


def _dispatch(operator: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Called in the place of an operator while the thread has a mode."""
    mode = _modes.stack[-1]
    if "out" in kwargs and kwargs["out"] is None:  # as good as not given
        kwargs = {name: value for name, value in kwargs.items() if name != "out"}
    if operator in INDEXING and not getattr(mode, "sees_indices", False):
        # A transform sees to its own tensors before (func/_guards.py).
        with below(mode):
            return INDEXING[operator](*args)
    return mode._intercept(operator, args, kwargs)


class below:
    """A block in which only the modes further out than one are asked."""

    def __init__(self, mode: Any) -> None:
        self.mode = mode

    def __enter__(self) -> None:
        stack = _modes.stack
        place = stack.index(self.mode) if self.mode in stack else len(stack)
        self.cut = stack[place:]
        del stack[place:]
        _C._set_dispatching(bool(stack))

    def __exit__(self, *exc_info: object) -> None:
        _modes.stack.extend(self.cut)
        _C._set_dispatching(bool(_modes.stack))


# ---------------------------------------------------------------------- operators of several

# What these call comes back here.


def _matmul(input: Any, other: Any, **kwargs: Any) -> Any:
    if kwargs or not isinstance(input, Tensor) or not isinstance(other, Tensor):
        return NotImplemented
    dims = input.dim(), other.dim()
    if dims == (1, 1):
        return input.dot(other)
    if dims == (2, 1):
        return input.mv(other)
    if dims == (1, 2):
        return input.unsqueeze(0).mm(other).squeeze(0)
    if dims == (2, 2):
        return input.mm(other)
    if dims == (3, 3) and input.shape[0] == other.shape[0]:
        return input.bmm(other)
    if dims[0] > 2 and dims[1] == 2 and other.shape[0]:
        rows = input.reshape(-1, other.shape[0])
        return rows.mm(other).reshape(*input.shape[:-1], other.shape[1])
    return NotImplemented


def _linear(input: Any, weight: Any, bias: Any = None) -> Any:
    if not isinstance(input, Tensor) or not isinstance(weight, Tensor):
        return NotImplemented
    if input.dim() < 2 or weight.dim() != 2 or not input.shape[-1]:
        return NotImplemented
    rows = input if input.dim() == 2 else input.reshape(-1, input.shape[-1])
    columns = weight.t()
    out = rows.mm(columns) if bias is None else _C.addmm(bias, rows, columns)
    return out if input.dim() == 2 else out.reshape(*input.shape[:-1], weight.shape[0])


_PARTS: dict[str, Callable[..., Any]] = {"matmul": _matmul, "linear": _linear}
_NUMBER_FIRST: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda number, x: x.add(number),
    "mul": lambda number, x: x.mul(number),
    "sub": lambda number, x: x.rsub(number),
    "div": lambda number, x: x.reciprocal().mul(number),
    "bitwise_and": lambda number, x: x.bitwise_and(number),
    "bitwise_or": lambda number, x: x.bitwise_or(number),
    "bitwise_xor": lambda number, x: x.bitwise_xor(number),
    "floor_divide": lambda number, x: _C.tensor(number).floor_divide(x),
    "bitwise_left_shift": lambda number, x: _C.tensor(number).bitwise_left_shift(x),
    "bitwise_right_shift": lambda number, x: _C.tensor(number).bitwise_right_shift(x),
}
