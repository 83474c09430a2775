"""Limits on the size of gradients."""

from __future__ import annotations

import types
import warnings
from collections.abc import Iterable

import tapegrad

from ... import _C
from ..._arguments import require_all
from ..._C import Tensor

__all__ = [
    "clip_grad_norm",
    "clip_grad_norm_",
    "clip_grad_value_",
    "clip_grads_with_norm_",
    "get_total_norm",
]

Tensors = Tensor | Iterable[Tensor]


def _as_list(tensors: Tensors) -> list[Tensor]:
    return [tensors] if isinstance(tensors, Tensor) else list(tensors)


def _grads(parameters: Tensors) -> list[Tensor]:
    drained = isinstance(parameters, types.GeneratorType)
    params = _as_list(parameters)
    if drained and not params:
        warnings.warn(
            "`parameters` is an empty generator, no gradient clipping will occur.", stacklevel=3
        )
    return [grad for p in params if (grad := p.grad) is not None]


def get_total_norm(
    tensors: Tensors,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """The norm of all elements of several tensors together, as a 0-d tensor.

    Args:
        tensors: a tensor or an iterable of tensors.
        norm_type: the order of the norm; may be ``float("inf")``. Default: 2.
        error_if_nonfinite: raise if the result is infinite or nan. Default: False.
        foreach: accepted for compatibility.

    Raises:
        RuntimeError: see `error_if_nonfinite`.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.utils.get_total_norm([tapegrad.tensor([3.0]), tapegrad.tensor([4.0])])
        tensor(5.)
    """
    items = _as_list(tensors)
    norm_type = float(norm_type)
    total = _C._grad_norm(items, norm_type) if items else tapegrad.tensor(0.0)
    if error_if_nonfinite:
        require_all(
            tapegrad.isfinite(total),
            f"The total norm of order {norm_type} for gradients from `parameters` is non-finite, "
            "so it cannot be clipped. To disable this error and scale the gradients by the "
            "non-finite norm anyway, set `error_if_nonfinite=False`",
        )
    return total


def clip_grads_with_norm_(
    parameters: Tensors, max_norm: float, total_norm: Tensor, foreach: bool | None = None
) -> None:
    """Scale gradients in place by ``max_norm / total_norm``, if that is less than 1.

    Example:
        >>> import tapegrad
        >>> p = tapegrad.tensor([1.0], requires_grad=True)
        >>> (p * 4).sum().backward()
        >>> tapegrad.nn.utils.clip_grads_with_norm_(p, 1.0, tapegrad.tensor(2.0))
        >>> p.grad
        tensor([2.0000])
    """
    total = total_norm
    if not isinstance(total, Tensor):
        total = tapegrad.tensor(total, dtype=tapegrad.float64)
    _C._clip_(_grads(parameters), total, float(max_norm))


def clip_grad_norm_(
    parameters: Tensors,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scale all gradients together so that their norm is at most `max_norm`, in place.

    Args:
        parameters: a tensor or an iterable of tensors; those without gradient are left out.
        max_norm: the largest norm.
        norm_type: the order of the norm; may be ``float("inf")``. Default: 2.
        error_if_nonfinite: raise if the norm is infinite or nan. Default: False.
        foreach: accepted for compatibility.

    Returns:
        The norm before scaling, a 0-d tensor.

    Raises:
        RuntimeError: see `error_if_nonfinite`.

    Example:
        >>> import tapegrad
        >>> p = tapegrad.tensor([0.0, 0.0], requires_grad=True)
        >>> (p * tapegrad.tensor([3.0, 4.0])).sum().backward()
        >>> tapegrad.nn.utils.clip_grad_norm_([p], max_norm=1.0)
        tensor(5.)
        >>> p.grad
        tensor([0.6000, 0.8000])
    """
    grads = _grads(parameters)
    total = get_total_norm(grads, norm_type, error_if_nonfinite)
    _C._clip_(grads, total, float(max_norm), float(norm_type))
    return total


def clip_grad_norm(
    parameters: Tensors,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """The old name of :func:`clip_grad_norm_`."""
    warnings.warn(
        "`tapegrad.nn.utils.clip_grad_norm` is now deprecated in favor of "
        "`tapegrad.nn.utils.clip_grad_norm_`.",
        FutureWarning,
        stacklevel=2,
    )
    return clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite, foreach)


def clip_grad_value_(parameters: Tensors, clip_value: float, foreach: bool | None = None) -> None:
    """Limit every element of the gradients to ``[-clip_value, clip_value]``, in place.

    Example:
        >>> import tapegrad
        >>> p = tapegrad.tensor([0.0, 0.0], requires_grad=True)
        >>> (p * tapegrad.tensor([3.0, -4.0])).sum().backward()
        >>> tapegrad.nn.utils.clip_grad_value_([p], 1.0)
        >>> p.grad
        tensor([ 1., -1.])
    """
    limit = float(clip_value)
    with tapegrad.no_grad():
        for grad in _grads(parameters):
            grad.clamp_(-limit, limit)
