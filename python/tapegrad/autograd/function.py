"""Operations with a forward and a backward of their own, written in Python."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NoReturn

from .. import _C
from .grad_mode import no_grad

__all__ = ["BackwardCFunction", "Function", "FunctionCtx", "FunctionMeta", "once_differentiable"]

FunctionCtx = _C._FunctionBase


class BackwardCFunction(_C._FunctionBase):
    """The ``ctx`` of a custom function, which is also its node in the graph."""

    _forward_cls: type[Function]

    def apply(self, *grads: Any) -> Any:
        """Run the function's backward."""
        cls = self._forward_cls
        own, vjp = cls.backward, cls.vjp
        if own is not Function.backward and vjp is not Function.vjp:
            raise RuntimeError(
                "Implementing both 'backward' and 'vjp' for a custom Function is not allowed. "
                "You should only implement one of them."
            )
        return (vjp if vjp is not Function.vjp else own)(self, *grads)

    @property
    def saved_variables(self) -> tuple[Any, ...]:
        """The former name of ``saved_tensors``."""
        return self.saved_tensors


class FunctionMeta(type):
    """Gives each Function the type of its ctx."""

    def __init__(cls, name: str, bases: tuple[type, ...], attributes: dict[str, Any]) -> None:
        cls._backward_cls = type(name + "Backward", (BackwardCFunction,), {"_forward_cls": cls})
        super().__init__(name, bases, attributes)


def _default_setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> NoReturn:
    raise NotImplementedError("setup_context is not implemented.")


class Function(metaclass=FunctionMeta):
    """Base class of operations with a forward and a backward of their own.

    Subclasses define static methods and are called through ``apply``. Either ``forward(ctx, *args)``
    does everything, or ``forward(*args)`` computes and ``setup_context(ctx, inputs, output)`` notes what
    backward needs. ``backward(ctx, *grads)`` gets a gradient for each result and returns one for each
    argument (None for those that are not tensors). It consists of differentiable operations, so that
    higher derivatives follow, unless it is marked with :func:`once_differentiable`.

    Example:
        >>> import tapegrad
        >>> class Cube(tapegrad.autograd.Function):
        ...     @staticmethod
        ...     def forward(ctx, x):
        ...         ctx.save_for_backward(x)
        ...         return x**3
        ...     @staticmethod
        ...     def backward(ctx, grad):
        ...         (x,) = ctx.saved_tensors
        ...         return 3 * x**2 * grad
        >>> x = tapegrad.tensor(2.0, requires_grad=True)
        >>> Cube.apply(x).backward()
        >>> x.grad
        tensor(12.)
    """

    _backward_cls: type[BackwardCFunction]
    generate_vmap_rule = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise RuntimeError(
            f"{type(self)} should not be instantiated. Methods on autograd functions are all static, so you "
            "should invoke them on the class itself. Instantiating an autograd function will raise an error "
            "in a future version of PyTorch."
        )

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Compute the results; to be defined by subclasses."""
        raise NotImplementedError("You must implement the forward function for custom autograd.Function.")

    setup_context = staticmethod(_default_setup_context)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """Compute the gradients of the arguments; to be defined by subclasses."""
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom autograd.Function to use it "
            "with backward mode AD."
        )

    vjp = backward

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """Run the operation and record it.

        Raises:
            RuntimeError: for mistakes in the subclass, with PyTorch's messages.
        """
        return _C._apply_function(cls, *args)


def once_differentiable(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a backward whose results cannot be differentiated again: trying to raises an error.

    Example:
        >>> import tapegrad
        >>> class Double(tapegrad.autograd.Function):
        ...     @staticmethod
        ...     def forward(ctx, x):
        ...         return x * 2
        ...     @staticmethod
        ...     @tapegrad.autograd.function.once_differentiable
        ...     def backward(ctx, grad):
        ...         return grad * 2
    """

    @functools.wraps(fn)
    def wrapper(ctx: Any, *args: Any) -> Any:
        with no_grad():
            outputs = fn(ctx, *args)
        if not _C.is_grad_enabled():
            return outputs
        if not any(isinstance(a, _C.Tensor) and a.requires_grad for a in args):
            return outputs
        single = not isinstance(outputs, tuple)
        values = (outputs,) if single else outputs
        marked = _NotDifferentiable.apply(*args, *values)
        marked = marked if isinstance(marked, tuple) else (marked,)
        results = tuple(
            m if isinstance(v, _C.Tensor) else v for m, v in zip(marked[-len(values) :], values, strict=True)
        )
        return results[0] if single else results

    return wrapper


class _NotDifferentiable(Function):
    """Stands between a once-differentiable backward and its results, and raises when it is run."""

    @staticmethod
    def forward(ctx: Any, *values: Any) -> Any:
        return tuple(v.clone() if isinstance(v, _C.Tensor) else v for v in values)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        raise RuntimeError("trying to differentiate twice a function that was marked with @once_differentiable")
