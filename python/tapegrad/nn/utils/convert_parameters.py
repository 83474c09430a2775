"""Parameters as one vector, and back."""

from __future__ import annotations

from collections.abc import Iterable

import tapegrad

from ..._C import Tensor

__all__ = ["parameters_to_vector", "vector_to_parameters"]


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All elements of the parameters, one after the other, in a vector.

    Example:
        >>> import tapegrad
        >>> F = tapegrad.nn.utils
        >>> F.parameters_to_vector([tapegrad.zeros(1, 2), tapegrad.ones(1)])
        tensor([0., 0., 1.])
    """
    return tapegrad.cat([p.reshape(-1) for p in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Make slices of a vector the values of the parameters.

    The parameters share the vector's memory afterwards.

    Raises:
        TypeError: if `vec` is not a tensor.
        RuntimeError: if the vector is too short.

    Example:
        >>> import tapegrad
        >>> p = tapegrad.zeros(1, 2)
        >>> tapegrad.nn.utils.vector_to_parameters(tapegrad.tensor([1.0, 2.0]), [p])
        >>> p
        tensor([[1., 2.]])
    """
    if not isinstance(vec, Tensor):
        raise TypeError(f"expected tapegrad.Tensor, but got: {type(vec).__name__}")
    start = 0
    for param in parameters:
        end = start + param.numel()
        param.data = vec[start:end].reshape(param.shape).detach()
        start = end
