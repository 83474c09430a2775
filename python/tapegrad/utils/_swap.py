"""Two tensors that take each other's place."""

from __future__ import annotations

import copyreg
import weakref
from typing import Any

from .._C import Tensor

__all__ = ["swap_tensors"]


def _slots(tensor: Tensor) -> list[str]:
    if type(tensor) is Tensor:
        return []
    return copyreg._slotnames(type(tensor))  # type: ignore[attr-defined]


def _parts(tensor: Tensor) -> tuple[Any, ...]:
    slots = {name: getattr(tensor, name) for name in _slots(tensor) if hasattr(tensor, name)}
    return (
        type(tensor),
        tensor.data,
        tensor.requires_grad,
        tensor.grad,
        dict(tensor.__dict__),
        slots,
    )


def _become(tensor: Tensor, parts: tuple[Any, ...]) -> None:
    kind, data, requires_grad, grad, attributes, slots = parts
    # An integer cannot require grad, and a gradient has to fit at any time.
    tensor.grad = None
    tensor.requires_grad_(False)
    tensor.data = data
    tensor.requires_grad_(requires_grad)
    tensor.grad = grad
    tensor.__class__ = kind
    tensor.__dict__.clear()
    tensor.__dict__.update(attributes)
    for name, value in slots.items():
        setattr(tensor, name, value)


def swap_tensors(t1: Tensor, t2: Tensor) -> None:
    """Exchange everything that two leaves are: memory, shape, dtype, type, gradient, attributes.

    Who holds one of them sees the other afterwards; hooks stay where they are.

    Args:
        t1, t2: the tensors.

    Raises:
        RuntimeError: if one of them is the result of an operation or has weak references, or if
            their types have different slots.

    Example:
        >>> import tapegrad
        >>> weight, other = tapegrad.nn.Parameter(tapegrad.ones(2)), tapegrad.zeros(3)
        >>> tapegrad.utils.swap_tensors(weight, other)
        >>> weight, other
        (tensor([0., 0., 0.]), Parameter containing:
        tensor([1., 1.], requires_grad=True))
    """
    for name, tensor in (("t1", t1), ("t2", t2)):
        if weakref.getweakrefs(tensor):
            raise RuntimeError(f"Cannot swap {name} because it has weakref associated with it")
        if not tensor.is_leaf:
            raise RuntimeError(
                f"Cannot swap {name}, which is the result of an operation: only leaves can be "
                "swapped"
            )
    if set(_slots(t1)) != set(_slots(t2)):
        raise RuntimeError("Cannot swap t1 and t2 if they have different slots")
    first, second = _parts(t1), _parts(t2)
    _become(t1, second)
    _become(t2, first)
