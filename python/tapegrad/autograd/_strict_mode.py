"""What the strict mode of `autograd.functional` refuses: results that do not depend on an input."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import tapegrad

from .._C import Tensor

# ---------------------------------------------------------------------- results without a graph

_INDEPENDENT_OUTPUT = (
    "The output of the user-provided function is independent of input {}. "
    "This is not allowed in strict mode."
)

# What it means that a tensor requires no gradients, by what the tensor is.
OUTPUT = (
    "Output {} of the user-provided function does not require gradients. The outputs must be "
    "computed in a differentiable manner from the input when running in strict mode."
)
INPUT_GRADIENT = (
    "The gradient with respect to input {} is independent of the inputs of the user-provided "
    "function. This is not allowed in strict mode."
)
JACOBIAN = (
    "While computing the hessian, found that the jacobian of the user-provided function with "
    "respect to input {} is independent of the input. This is not allowed in strict mode. "
    "You should ensure that your function is twice differentiable and that the jacobian "
    "depends on the inputs (this would be violated by a linear function for example)."
)


def require_grad(tensors: Iterable[Tensor | None], message: str) -> None:
    """Refuse tensors that no gradient can reach; the message takes their place."""
    for place, tensor in enumerate(tensors):
        if tensor is None:
            raise RuntimeError(_INDEPENDENT_OUTPUT.format(place))
        if not tensor.requires_grad:
            raise RuntimeError(message.format(place))


# ---------------------------------------------------------------------- gradients that are missing


class Refusal(NamedTuple):
    """The messages of one product; `{}` is the place of the gradient."""

    missing: str  # none has arrived
    constant: str  # it depends on nothing, where it is to be differentiated again


def _constant(kind: str, place: object = "{}") -> str:
    return (
        f"The {kind} of the user-provided function is independent of input {place}. "
        "This is not allowed in strict mode when create_graph=True."
    )


VJP = Refusal(_INDEPENDENT_OUTPUT, _constant("jacobian"))
JVP = Refusal(
    "The gradient with respect to the input is independent of entry {} in the grad_outputs "
    "when using the double backward trick to compute forward mode gradients. "
    "This is not allowed in strict mode.",
    _constant("jacobian"),
)
VHP = Refusal(
    "The jacobian of the user-provided function is independent of input {}. "
    "This is not allowed in strict mode.",
    _constant("hessian"),
)
HVP = Refusal(
    "The hessian of the user-provided function is independent of entry {} in the "
    "grad_jacobian. This is not allowed in strict mode as it prevents from using the double "
    "backward trick to replace forward mode AD.",
    _constant("hessian"),
)


def rows_of(output: int) -> Refusal:
    """The messages about rows of the Jacobian of one of the outputs."""
    return Refusal(
        f"Output {output} of the user-provided function is independent of input {{}}. "
        "This is not allowed in strict mode.",
        _constant("jacobian", output),
    )


def with_zeros(
    grads: Iterable[Tensor | None],
    like: Iterable[Tensor],
    refusal: Refusal | None = None,
    create_graph: bool = False,
) -> list[Tensor]:
    """Put zeros in the place of missing gradients, or refuse them in strict mode.

    Args:
        grads: the gradients, None where there is none.
        like: tensors in their shapes.
        refusal: the messages of strict mode. Default: not strict.
        create_graph: whether the gradients are to be differentiated again.
    """
    filled = []
    for place, (grad, x) in enumerate(zip(grads, like, strict=True)):
        if grad is None:
            if refusal:
                raise RuntimeError(refusal.missing.format(place))
            grad = tapegrad.zeros_like(x)
        elif refusal and create_graph and not grad.requires_grad:
            raise RuntimeError(refusal.constant.format(place))
        filled.append(grad)
    return filled
