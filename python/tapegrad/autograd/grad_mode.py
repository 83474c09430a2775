"""Switches for recording operations: context managers that are decorators as well.

All modes belong to the calling thread.  They may be nested, and the mode that was found on
entry comes back on exit, also when an exception leaves the block.
"""

from __future__ import annotations

import functools
import inspect
import threading
import warnings
from collections.abc import Callable, Generator
from typing import Any, TypeVar, cast

from tapegrad._C import (
    _EnableGrad,
    _NoGrad,
    _set_grad_enabled,
    _set_inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
)

__all__ = [
    "enable_grad",
    "inference_mode",
    "is_multithreading_enabled",
    "no_grad",
    "set_grad_enabled",
    "set_multithreading_enabled",
]

F = TypeVar("F", bound=Callable[..., Any])


def _wrap_generator(make_context: Callable[[], Any], func: Callable[..., Any]) -> Any:
    """Hold the mode while the generator's body runs, and not while it is suspended."""

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        generator = func(*args, **kwargs)
        resume: Callable[[Any], Any] = generator.send
        value: Any = None
        while True:
            try:
                with make_context():
                    item = resume(value)
            except StopIteration as stop:
                return stop.value
            try:
                value = yield item
                resume = generator.send
            except GeneratorExit:
                with make_context():
                    generator.close()
                raise
            except BaseException as error:
                resume, value = generator.throw, error

    return wrapper


class _DecoratorContextManager:
    """Base of context managers that can be put on functions, methods and generator functions.

    Each call of the decorated function enters a fresh copy made by `clone`, so that the
    function may recurse and run in several threads.  Subclasses whose constructor takes
    arguments override `clone`.
    """

    __slots__ = ()

    def __call__(self, orig_func: F) -> F:
        make_context = self.clone
        func: Callable[..., Any] = orig_func
        if inspect.isclass(orig_func):
            warnings.warn(
                "Decorating classes is deprecated and will be disabled in future versions. "
                "You should only decorate functions or methods. To preserve the current "
                "behavior of class decoration, you can directly decorate the `__init__` "
                "method and nothing else.",
                FutureWarning,
                stacklevel=2,
            )

            def func(*args: Any, **kwargs: Any) -> Any:
                return orig_func(*args, **kwargs)

        elif inspect.isgeneratorfunction(orig_func):
            return cast(F, _wrap_generator(make_context, orig_func))

        @functools.wraps(func)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            with make_context():
                return func(*args, **kwargs)

        return cast(F, wrapper)

    def __enter__(self) -> None:
        raise NotImplementedError

    def __exit__(self, exc_type: Any, exc_value: Any, traceback: Any) -> None:
        raise NotImplementedError

    def clone(self) -> Any:
        """Return a context manager in the state in which this one was constructed."""
        return self.__class__()


class no_grad(_NoGrad, _DecoratorContextManager):
    """Do not record operations: results have ``requires_grad=False`` and no ``grad_fn``.

    Inside, leaves that require gradients may be changed in place (an optimiser's step).
    Tensors made by a constructor with ``requires_grad=True`` keep it.  Usable as a context
    manager and as a decorator, with or without parentheses.

    Example::

        >>> import tapegrad
        >>> x = tapegrad.tensor([1.0, 2.0], requires_grad=True)
        >>> with tapegrad.no_grad():
        ...     y = x * 2
        >>> y.requires_grad
        False
        >>> @tapegrad.no_grad()
        ... def double(x):
        ...     return x * 2
        >>> double(x).requires_grad
        False
    """

    __slots__ = ()


class enable_grad(_EnableGrad, _DecoratorContextManager):
    """Record operations, also inside `no_grad`.

    Inside `inference_mode` it has no effect on what is computed there.  Usable as a context
    manager and as a decorator, with or without parentheses.

    Example::

        >>> import tapegrad
        >>> x = tapegrad.tensor([1.0], requires_grad=True)
        >>> with tapegrad.no_grad():
        ...     with tapegrad.enable_grad():
        ...         y = x * 2
        >>> y.requires_grad
        True
    """

    __slots__ = ()


class set_grad_enabled(_DecoratorContextManager):
    """Switch recording on or off by a flag: as a function, context manager or decorator.

    The constructor acts at once, so a bare call is enough; the end of a ``with`` block
    brings the mode back that was found by the constructor.

    Args:
        mode: True records operations, False does not.

    Example::

        >>> import tapegrad
        >>> x = tapegrad.tensor([1.0], requires_grad=True)
        >>> train = False
        >>> with tapegrad.set_grad_enabled(train):
        ...     y = x * 2
        >>> y.requires_grad
        False
        >>> _ = tapegrad.set_grad_enabled(False)
        >>> (x * 2).requires_grad
        False
        >>> _ = tapegrad.set_grad_enabled(True)
    """

    __slots__ = ("mode", "prev")

    def __init__(self, mode: bool) -> None:
        self.prev = is_grad_enabled()
        self.mode = mode
        _set_grad_enabled(mode)

    def __call__(self, orig_func: F) -> F:
        # The constructor has switched already; a decorator must not.
        _set_grad_enabled(self.prev)
        return super().__call__(orig_func)

    def __enter__(self) -> None:
        _set_grad_enabled(self.mode)

    def __exit__(self, exc_type: Any, exc_value: Any, traceback: Any) -> None:
        _set_grad_enabled(self.prev)

    def __repr__(self) -> str:
        return f"{type(self).__module__}.{type(self).__qualname__}(mode={self.mode})"

    def clone(self) -> set_grad_enabled:
        """Return a copy with the same mode."""
        return self.__class__(self.mode)


class inference_mode(_DecoratorContextManager):
    """Compute without any trace for autograd: cheaper than `no_grad`, and more strict.

    Tensors made inside carry no version counter and can never take part in a recorded
    computation that saves them for backward (a `RuntimeError` says so).  Recording cannot
    be switched on inside.  Usable as a context manager and as a decorator, with or without
    parentheses.

    Args:
        mode: False leaves inference mode for the block, with recording on.  Default: True.

    Example::

        >>> import tapegrad
        >>> x = tapegrad.ones(3, requires_grad=True)
        >>> with tapegrad.inference_mode():
        ...     y = x * x
        >>> y.requires_grad, y.is_inference()
        (False, True)
    """

    __slots__ = ("_prev", "mode")

    def __new__(cls, mode: Any = True) -> Any:
        if isinstance(mode, bool):
            return object.__new__(cls)
        return cls()(mode)

    def __init__(self, mode: bool = True) -> None:
        self.mode = mode

    def __enter__(self) -> None:
        self._prev = (is_inference_mode_enabled(), is_grad_enabled())
        _set_inference_mode(self.mode)
        _set_grad_enabled(not self.mode)

    def __exit__(self, exc_type: Any, exc_value: Any, traceback: Any) -> None:
        inference, grad = self._prev
        _set_inference_mode(inference)
        _set_grad_enabled(grad)

    def clone(self) -> inference_mode:
        """Return a copy with the same mode."""
        return self.__class__(self.mode)


class _Multithreading(threading.local):
    enabled = True


_multithreading = _Multithreading()


def is_multithreading_enabled() -> bool:
    """Whether `set_multithreading_enabled` is at its default, True, on this thread.

    Example::

        >>> import tapegrad
        >>> tapegrad.autograd.is_multithreading_enabled()
        True
    """
    return _multithreading.enabled


class set_multithreading_enabled(_DecoratorContextManager):
    """Accepted for programs that have it: a backward pass always runs on the calling thread.

    It is PyTorch's switch for the threads of its engine, one for each accelerator: a function,
    context manager or decorator whose mode `is_multithreading_enabled` tells. The threads
    of kernels are another matter: see `tapegrad.set_num_threads`.

    Args:
        mode: kept for this thread, and without effect.

    Example::

        >>> import tapegrad
        >>> x = tapegrad.tensor([1.0], requires_grad=True)
        >>> with tapegrad.autograd.set_multithreading_enabled(False):
        ...     (x * 2).sum().backward()
        >>> x.grad
        tensor([2.])
    """

    __slots__ = ("mode", "prev")

    def __init__(self, mode: bool) -> None:
        self.prev = _multithreading.enabled
        self.mode = mode
        _multithreading.enabled = mode

    def __call__(self, orig_func: F) -> F:
        # The constructor has switched already; a decorator must not.
        _multithreading.enabled = self.prev
        return super().__call__(orig_func)

    def __enter__(self) -> None:
        _multithreading.enabled = self.mode

    def __exit__(self, exc_type: Any, exc_value: Any, traceback: Any) -> None:
        _multithreading.enabled = self.prev

    def clone(self) -> set_multithreading_enabled:
        """Return a copy with the same mode."""
        return self.__class__(self.mode)
