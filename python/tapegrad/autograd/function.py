"""Operations with a forward and a backward of their own, written in Python."""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from .. import _C
from .grad_mode import no_grad

__all__ = [
    "BackwardCFunction",
    "Function",
    "FunctionCtx",
    "FunctionMeta",
    "InplaceFunction",
    "once_differentiable",
]


def _overridden_freely(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method that type checkers let have other parameters in a subclass."""
    return method


# The transforms that run, which may see tensors of their own in the arguments of a function.
transforms: list[Any] = []


class FunctionCtx:
    """What the ``ctx`` of a custom function offers to its forward.

    The methods note their arguments; `Function.apply` acts on them when forward has returned.
    """

    if TYPE_CHECKING:
        # What the node of the function has; forward may keep anything else under names of its own.
        saved_tensors: tuple[_C.Tensor, ...]
        needs_input_grad: tuple[bool, ...]

        def __getattr__(self, name: str) -> Any: ...
        def __setattr__(self, name: str, value: Any, /) -> None: ...

    def save_for_backward(self, *tensors: Any) -> None:
        """Save tensors (or None) for ``saved_tensors``; at most once, only from forward."""
        self.to_save = tensors

    def save_for_forward(self, *tensors: Any) -> None:
        """Save tensors (or None) for the ``saved_tensors`` of ``jvp``."""
        if not all(t is None or isinstance(t, _C.Tensor) for t in tensors):
            raise AssertionError(
                "save_for_forward expects all arguments to be tensors; you should "
                "save non-tensors as attributes on ctx."
            )
        self.saved_for_forward = tensors

    def mark_dirty(self, *args: Any) -> None:
        """Say which inputs forward changes in place; each must be among its results."""
        self.dirty_tensors = args

    def mark_non_differentiable(self, *args: Any) -> None:
        """Say which results have no gradient."""
        self.non_differentiable = args

    def set_materialize_grads(self, value: bool) -> None:
        """Whether backward gets zeros instead of None for unused results. Default: True."""
        self.materialize_grads = value


class BackwardCFunction(_C._FunctionBase, FunctionCtx):
    """The ``ctx`` of a custom function, which is also its node in the graph."""

    _forward_cls: type[Function]

    def apply(self, *grads: Any) -> Any:
        """Run the function's backward."""
        cls = self._forward_cls
        own, vjp = cls.backward, cls.vjp
        if vjp is not Function.vjp:
            if own is not Function.backward:
                raise RuntimeError(
                    "Implementing both 'backward' and 'vjp' for a custom Function is not allowed. "
                    "You should only implement one of them."
                )
            own = vjp
        return own(self, list(grads)) if cls.boxed_grads_call else own(self, *grads)

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


class Function(FunctionCtx, metaclass=FunctionMeta):
    """Base class of operations with a forward and a backward of their own.

    Subclasses define static methods and are called through ``apply``. Either ``forward(ctx,
    *args)`` does everything, or ``forward(*args)`` computes and ``setup_context(ctx, inputs,
    output)`` notes what backward needs. ``backward(ctx, *grads)`` gets a gradient for each result
    and returns one for each argument (None for those that are not tensors). It consists of
    differentiable operations, so that higher derivatives follow, unless it is marked with
    :func:`once_differentiable`.

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
    # Whether backward gets its gradients as one list, from which it may remove them.
    boxed_grads_call = False
    # Whether what was saved is let go of when `ctx.saved_tensors` is read, which then works once.
    clear_saved_tensors_on_access = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        warnings.warn(
            f"{type(self)} should not be instantiated. Methods on autograd functions are all "
            "static, so you should invoke them on the class itself. Instantiating an autograd "
            "function will raise "
            "an error in a future version of PyTorch.",
            DeprecationWarning,
            stacklevel=2,
        )

    def __call__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise RuntimeError(
            "Legacy autograd function with non-static forward method is deprecated. Please use "
            "new-style autograd function with static forward method. "
            "(Example: https://pytorch.org/docs/stable/autograd.html#torch.autograd.Function)"
        )

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Compute the results; to be defined by subclasses."""
        raise NotImplementedError(
            "You must implement the forward function for custom autograd.Function."
        )

    setup_context = staticmethod(_default_setup_context)

    # What a compiled function records of it is all that its Python code does.
    _is_only_tensors = False

    @staticmethod
    @_overridden_freely
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """Compute the gradients of the arguments; to be defined by subclasses."""
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom "
            "autograd.Function to use it "
            "with backward mode AD."
        )

    vjp = backward

    @staticmethod
    @_overridden_freely
    def jvp(ctx: Any, *grad_inputs: Any) -> Any:
        """Compute the tangents of the results; to be defined by subclasses for forward mode."""
        raise NotImplementedError(
            "You must implement the jvp function for custom autograd.Function to use it with "
            "forward mode AD."
        )

    @staticmethod
    @_overridden_freely
    def vmap(info: Any, in_dims: Any, *args: Any) -> Any:
        """Compute the results of all samples; to be defined by subclasses for `vmap`.

        ``info`` has ``batch_size`` and ``randomness``, ``in_dims`` the batch dimension of each
        argument or None. Returns the results and their batch dimensions. With
        ``generate_vmap_rule = True`` it follows from ``forward`` and ``backward``.
        """
        raise NotImplementedError(
            "To use autograd.Function with vmap, you must either override the vmap staticmethod or "
            "set generate_vmap_rule=True."
        )

    @classmethod
    def _is_separate(cls) -> bool:
        return cls.setup_context is not _default_setup_context

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Run the operation and record it.

        Raises:
            RuntimeError: for mistakes in the subclass, with PyTorch's messages.
        """
        if transforms:
            from ..func import _custom

            result = _custom.apply(cls, args, kwargs)
            if result is not NotImplemented:
                return result
        separate = cls._is_separate()
        if separate and (kwargs or getattr(cls.forward, "__defaults__", True)):
            # setup_context sees the arguments in the order of forward's signature, with defaults.
            bound = inspect.signature(cls.forward).bind(*args, **kwargs)
            bound.apply_defaults()
            args, kwargs = bound.args, bound.kwargs
        return _C._apply_function(cls, separate, args, kwargs)


class InplaceFunction(Function):
    """Here for programs of old; use `Function`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace


_ONCE = "trying to differentiate twice a function that was marked with @once_differentiable"


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
        if not isinstance(outputs, tuple):
            return _C._refuse_derivative((outputs,), _ONCE)[0]
        return _C._refuse_derivative(outputs, _ONCE)

    return wrapper
