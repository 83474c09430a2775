"""Gradients: backward passes, custom functions, hooks, and tools to check and debug them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .. import _C
from .._arguments import as_tuple
from .._C import Tensor, is_grad_enabled
from .._lazy import lazy
from . import anomaly_mode, function, grad_mode, graph, variable
from .anomaly_mode import detect_anomaly, set_detect_anomaly
from .function import Function
from .grad_mode import (
    enable_grad,
    inference_mode,
    is_multithreading_enabled,
    no_grad,
    set_grad_enabled,
    set_multithreading_enabled,
)
from .gradcheck import GradcheckError, gradcheck, gradgradcheck
from .graph import GradientEdge
from .variable import Variable

if TYPE_CHECKING:
    from . import forward_ad, functional, profiler
    from ._memory import memory_report
    from ._summary import summary

__getattr__, __dir__ = lazy(
    __name__,
    {
        **{name: name for name in ("forward_ad", "functional", "profiler")},
        "memory_report": "_memory",
        "summary": "_summary",
    },
)

__all__ = [
    "Function",
    "GradcheckError",
    "Variable",
    "anomaly_mode",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "forward_ad",
    "function",
    "functional",
    "grad",
    "grad_mode",
    "gradcheck",
    "gradgradcheck",
    "graph",
    "inference_mode",
    "is_grad_enabled",
    "is_multithreading_enabled",
    "memory_report",
    "no_grad",
    "profiler",
    "set_detect_anomaly",
    "set_grad_enabled",
    "set_multithreading_enabled",
    "summary",
    "variable",
]


_SINGLE = (Tensor, GradientEdge)


def _gradients_for(roots: tuple[Any, ...], gradients: Any) -> tuple[Any, ...]:
    if gradients is None:
        return (None,) * len(roots)
    result = as_tuple(gradients)
    if len(result) != len(roots):
        raise RuntimeError(f"got {len(roots)} tensors and {len(result)} gradients")
    return result


def backward(
    tensors: Tensor | GradientEdge | Sequence[Tensor | GradientEdge],
    grad_tensors: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    grad_variables: Any = None,
    inputs: Tensor | GradientEdge | Sequence[Tensor | GradientEdge] | None = None,
) -> None:
    """Add the gradients of the tensors with respect to the leaves to the leaves' ``.grad``.

    Args:
        tensors: where the backward pass starts; each requires gradients.
        grad_tensors: for each of them the gradient of what is differentiated, of the same shape;
            None stands for 1 where the tensor has one element. Default: None for all.
        retain_graph: keep what the graph has saved for another backward pass. Default:
            `create_graph`.
        create_graph: record the backward pass, so that its results can be differentiated.
            Default: False.
        grad_variables: the former name of `grad_tensors`.
        inputs: accumulate only into these. Default: all leaves.

    Raises:
        RuntimeError: where a tensor is not part of a graph, a gradient cannot be implied or does
            not fit, or the graph was freed by an earlier pass.

    Example:
        >>> import tapegrad
        >>> x = tapegrad.tensor([1.0, 2.0], requires_grad=True)
        >>> tapegrad.autograd.backward([x.sum(), (x * x).sum()])
        >>> x.grad
        tensor([3., 5.])
    """
    if grad_variables is not None:
        if grad_tensors is not None:
            raise RuntimeError(
                "`grad_tensors` and `grad_variables` (deprecated) arguments both passed to "
                "`backward()`. "
                "Please only use `grad_tensors`."
            )
        grad_tensors = grad_variables
    roots = as_tuple(tensors, _SINGLE)
    wanted = () if inputs is None else as_tuple(inputs, _SINGLE)
    if inputs is not None and not wanted:
        raise RuntimeError("`inputs` argument to `backward()` cannot be empty.")
    if function.transforms:
        from ..func._levels import refuse_batched

        refuse_batched((*roots, *wanted))
    keep = create_graph if retain_graph is None else retain_graph
    _C._run_backward(
        roots, _gradients_for(roots, grad_tensors), keep, create_graph, wanted, True, True
    )


def grad(
    outputs: Tensor | GradientEdge | Sequence[Tensor | GradientEdge],
    inputs: Tensor | GradientEdge | Sequence[Tensor | GradientEdge],
    grad_outputs: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Tensor, ...]:
    """The gradients of the outputs with respect to the inputs; ``.grad`` stays as it is.

    Args:
        outputs: what is differentiated.
        inputs: leaves or intermediate results; only what leads to them is computed.
        grad_outputs: a gradient for each output, of its shape. Default: 1 for outputs of one
            element.
        retain_graph: keep what the graph has saved. Default: `create_graph`.
        create_graph: record the backward pass, for higher derivatives. Default: False.
        only_inputs: always True; accepted for compatibility.
        allow_unused: return None for inputs that the outputs do not depend on, instead of raising.
            Default: `materialize_grads`.
        is_grads_batched: each of `grad_outputs` has an additional first dimension, over which the
            gradients are computed one after the other. Default: False.
        materialize_grads: return zeros instead of None for unused inputs. Default: False.

    Returns:
        A tuple with a gradient for each input.

    Raises:
        RuntimeError: if an input was not used (unless allowed) or does not require gradients.
        ValueError: if `materialize_grads` is set and `allow_unused` is False.

    Example:
        >>> import tapegrad
        >>> x = tapegrad.tensor(3.0, requires_grad=True)
        >>> (slope,) = tapegrad.autograd.grad(x**3, x, create_graph=True)
        >>> tapegrad.autograd.grad(slope, x)
        (tensor(18.),)
    """
    if materialize_grads and allow_unused is False:
        raise ValueError(
            "Expected allow_unused to be True or not passed when materialize_grads=True, but "
            "got: allow_unused=False."
        )
    allow = materialize_grads if allow_unused is None else allow_unused
    roots, wanted = as_tuple(outputs, _SINGLE), as_tuple(inputs, _SINGLE)
    if function.transforms:
        from ..func._run import batched_gradients

        found = batched_gradients(
            roots, wanted, grad_outputs, retain_graph, create_graph, allow, materialize_grads
        )
        if found is not None:
            return found
    for item in wanted:
        if isinstance(item, Tensor) and not item.requires_grad:
            raise RuntimeError("One of the differentiated Tensors does not require grad")
    if not wanted:
        raise ValueError("grad requires non-empty inputs.")
    gradients = _gradients_for(roots, grad_outputs)
    keep = create_graph if retain_graph is None else retain_graph
    if is_grads_batched:
        return _batched(roots, wanted, gradients, keep, create_graph, allow, materialize_grads)
    results = _C._run_backward(roots, gradients, keep, create_graph, wanted, allow, False)
    return _materialized(results, wanted, create_graph) if materialize_grads else results


def _materialized(
    results: tuple[Any, ...], inputs: tuple[Any, ...], create_graph: bool
) -> tuple[Tensor, ...]:
    if any(
        result is None and not isinstance(item, Tensor)
        for result, item in zip(results, inputs, strict=True)
    ):
        raise RuntimeError(
            "materialize_grads cannot be used when the given input is a GradientEdge: its "
            "shape is not known"
        )
    return tuple(
        _C.zeros_like(item, requires_grad=create_graph) if result is None else result
        for result, item in zip(results, inputs, strict=True)
    )


def _batched(
    roots: tuple[Any, ...],
    inputs: tuple[Any, ...],
    gradients: tuple[Any, ...],
    keep: bool,
    create_graph: bool,
    allow: bool,
    materialize: bool,
) -> tuple[Any, ...]:
    sizes = {len(g) for g in gradients if g is not None}
    if len(sizes) != 1:
        raise RuntimeError(
            "is_grads_batched=True takes gradients that all have the same first dimension"
        )
    count = sizes.pop()
    rows = []
    for i in range(count):
        row = tuple(None if g is None else g[i] for g in gradients)
        results = _C._run_backward(
            roots, row, keep or i + 1 < count, create_graph, inputs, allow, False
        )
        rows.append(_materialized(results, inputs, create_graph) if materialize else results)
    return tuple(
        None if column[0] is None else _C.stack(column) for column in zip(*rows, strict=True)
    )
