"""The name that tensors with gradients had once, still found in programs."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable
from typing import Any

from .. import _C
from .._C import Tensor

__all__ = ["Variable", "VariableMeta"]


class ImperativeEngine:
    """What programs ask of the engine itself."""

    def queue_callback(self, callback: Callable[[], Any]) -> None:
        """Call a function at the end of the backward pass that is running.

        Args:
            callback: takes nothing; what it returns is ignored. It may queue others.

        Raises:
            RuntimeError: if no backward pass is running on this thread.

        Example:
            >>> import tapegrad
            >>> engine = tapegrad.autograd.Variable._execution_engine
            >>> x = tapegrad.tensor([1.0], requires_grad=True)
            >>> handle = x.register_hook(
            ...     lambda grad: engine.queue_callback(lambda: print("done", x.grad))
            ... )
            >>> (x * 2).sum().backward()
            done tensor([2.])
        """
        _C._queue_callback(callback)

    def is_checkpoint_valid(self) -> bool:
        """Whether a re-entrant checkpoint may run now: not in a pass that was given ``inputs``."""
        return _C._is_checkpoint_valid()

    def run_backward(
        self,
        tensors: tuple[Any, ...],
        grad_tensors: tuple[Any, ...],
        keep_graph: bool,
        create_graph: bool,
        inputs: tuple[Any, ...] = (),
        allow_unreachable: bool = False,
        accumulate_grad: bool = False,
    ) -> tuple[Any, ...]:
        """The pass behind `autograd.backward` and `autograd.grad`."""
        return _C._run_backward(
            tensors,
            grad_tensors,
            keep_graph,
            create_graph,
            inputs,
            allow_unreachable,
            accumulate_grad,
        )


class VariableMeta(type):
    """Makes every tensor an instance of :class:`Variable`."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, Tensor)


class Variable(metaclass=VariableMeta):
    """A tensor, as programs made it that knew no other way to one with gradients.

    Args:
        data: a tensor, whose memory the result shares. Default: an empty one.
        requires_grad: whether gradients are computed for it. Default: False.
        volatile: without effect, and warned of.

    Returns:
        A leaf of the type Tensor.

    Example:
        >>> import tapegrad
        >>> from tapegrad.autograd import Variable
        >>> x = Variable(tapegrad.ones(2), requires_grad=True)
        >>> x
        tensor([1., 1.], requires_grad=True)
        >>> isinstance(x, Variable)
        True
    """

    _execution_engine = ImperativeEngine()

    def __new__(  # type: ignore[misc]
        cls, data: Tensor | None = None, requires_grad: bool = False, volatile: bool = False
    ) -> Tensor:
        if volatile:
            warnings.warn(
                "volatile was removed and now has no effect. Use `with tapegrad.no_grad():` "
                "instead.",
                UserWarning,
                stacklevel=2,
            )
        requires_grad = bool(operator.index(requires_grad))
        if volatile and requires_grad:
            raise ValueError("Variable can't be volatile and require_grad at the same time!")
        if data is None:
            data = _C.empty(0)
        if not isinstance(data, Tensor):
            raise TypeError(f"Variable data has to be a tensor, but got {type(data).__name__}")
        if requires_grad and not data.is_floating_point():
            raise RuntimeError(
                "Only Tensors of floating point and complex dtype can require gradients"
            )
        return data.data.requires_grad_(requires_grad)
