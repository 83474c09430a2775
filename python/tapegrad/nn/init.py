"""Functions that fill tensors in place with initial values.

They run without recording, and return the tensor they were given.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import tapegrad

from .._C import Tensor

__all__ = [
    "calculate_gain",
    "constant_",
    "eye_",
    "kaiming_normal_",
    "kaiming_uniform_",
    "normal_",
    "ones_",
    "orthogonal_",
    "trunc_normal_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor by which a nonlinearity's weights are scaled to keep the variance.

    Args:
        nonlinearity: "linear", "sigmoid", "tanh", "relu", "leaky_relu" or "selu".
        param: the negative slope of "leaky_relu". Default: 0.01.

    Raises:
        ValueError: for other names, or a slope that is not a number.

    Example:
        >>> from tapegrad.nn import init
        >>> round(init.calculate_gain("relu"), 4)
        1.4142
    """
    if nonlinearity in ("linear", "sigmoid", "conv1d", "conv2d", "conv3d"):
        return 1.0
    if nonlinearity == "tanh":
        return 5.0 / 3
    if nonlinearity == "relu":
        return math.sqrt(2.0)
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, (int, float)):
            raise ValueError(f"negative_slope {param} not a valid number")
        return math.sqrt(2.0 / (1 + slope**2))
    if nonlinearity == "selu":
        return 3.0 / 4
    raise ValueError(f"Unsupported nonlinearity {nonlinearity}")


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Any = None) -> Tensor:
    """Fill with numbers from the uniform distribution over [a, b).

    Example:
        >>> import tapegrad
        >>> w = tapegrad.nn.init.uniform_(tapegrad.empty(100), -2.0, 2.0)
        >>> bool((w >= -2).all() and (w < 2).all())
        True
    """
    with tapegrad.no_grad():
        return tensor.uniform_(a, b, generator=generator)


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Any = None) -> Tensor:
    """Fill with numbers from the normal distribution.

    Example:
        >>> import tapegrad
        >>> w = tapegrad.nn.init.normal_(tapegrad.empty(1000), mean=3.0, std=0.1)
        >>> bool(abs(w.mean() - 3) < 0.1)
        True
    """
    with tapegrad.no_grad():
        return tensor.normal_(mean, std, generator=generator)


def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Any = None,
) -> Tensor:
    """Fill from the normal distribution, drawing again what falls outside [a, b].

    Example:
        >>> import tapegrad
        >>> w = tapegrad.nn.init.trunc_normal_(tapegrad.empty(1000), a=-1.0, b=1.0)
        >>> bool(w.abs().max() <= 1)
        True
    """
    low = (1.0 + math.erf((a - mean) / std / math.sqrt(2.0))) / 2
    high = (1.0 + math.erf((b - mean) / std / math.sqrt(2.0))) / 2
    if high - low < 1e-3:  # drawing again would take for ever
        raise ValueError(
            f"trunc_normal_: the interval [{a}, {b}] holds almost nothing of the normal "
            f"distribution with mean {mean} and std {std}"
        )
    with tapegrad.no_grad():
        tensor.normal_(mean, std, generator=generator)
        outside = (tensor < a) | (tensor > b)
        while bool(outside.any()):
            again = tapegrad.empty_like(tensor).normal_(mean, std, generator=generator)
            tensor.copy_(tapegrad.where(outside, again, tensor))
            outside = (tensor < a) | (tensor > b)
        return tensor


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fill with one value.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.init.constant_(tapegrad.empty(2), 0.5)
        tensor([0.5000, 0.5000])
    """
    with tapegrad.no_grad():
        return tensor.fill_(val)


def ones_(tensor: Tensor) -> Tensor:
    """Fill with ones.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.init.ones_(tapegrad.empty(2))
        tensor([1., 1.])
    """
    return constant_(tensor, 1.0)


def zeros_(tensor: Tensor) -> Tensor:
    """Fill with zeros.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.init.zeros_(tapegrad.empty(2))
        tensor([0., 0.])
    """
    return constant_(tensor, 0.0)


def eye_(tensor: Tensor) -> Tensor:
    """Fill a matrix with the identity (ValueError for other numbers of dimensions).

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.init.eye_(tapegrad.empty(2, 2))
        tensor([[1., 0.],
                [0., 1.]])
    """
    if tensor.ndim != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    with tapegrad.no_grad():
        return tensor.copy_(tapegrad.eye(*tensor.shape))


def _fans(tensor: Tensor) -> tuple[int, int]:
    """The numbers of inputs and outputs that one unit of a weight tensor has."""
    if tensor.dim() < 2:
        raise ValueError(
            "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions"
        )
    field = math.prod(tensor.shape[2:])
    return tensor.shape[1] * field, tensor.shape[0] * field


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Any = None) -> Tensor:
    """Glorot and Bengio's (2010) uniform initialisation.

    The bound is ``gain * sqrt(6 / (fan_in + fan_out))``.

    Example:
        >>> import tapegrad
        >>> w = tapegrad.nn.init.xavier_uniform_(tapegrad.empty(3, 3))
        >>> bool(w.abs().max() <= 1)
        True
    """
    bound = gain * math.sqrt(6.0 / sum(_fans(tensor)))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Any = None) -> Tensor:
    """Glorot and Bengio's (2010) normal initialisation.

    The standard deviation is ``gain * sqrt(2 / (fan_in + fan_out))``.

    Example:
        >>> import tapegrad
        >>> tuple(tapegrad.nn.init.xavier_normal_(tapegrad.empty(3, 5)).shape)
        (3, 5)
    """
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / sum(_fans(tensor))), generator)


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    modes = ("fan_in", "fan_out")
    if mode.lower() not in modes:
        raise ValueError(f"Mode {mode} not supported, please use one of {list(modes)}")
    fan = _fans(tensor)[modes.index(mode.lower())]
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Any = None,
) -> Tensor:
    """He et al.'s (2015) uniform initialisation, with the bound ``gain * sqrt(3 / fan)``.

    Args:
        tensor: the weights, with at least two dimensions.
        a: the negative slope of the leaky ReLU that follows. Default: 0.
        mode: "fan_in" keeps the variance in the forward pass, "fan_out" in the backward pass.
        nonlinearity: see :func:`calculate_gain`.
        generator: the random generator to draw from. Default: the global one.

    Example:
        >>> import tapegrad
        >>> w = tapegrad.nn.init.kaiming_uniform_(tapegrad.empty(3, 6), nonlinearity="relu")
        >>> bool(w.abs().max() <= 1)
        True
    """
    if 0 in tensor.shape:
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=2)
        return tensor
    bound = math.sqrt(3.0) * _kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Any = None,
) -> Tensor:
    """He et al.'s (2015) normal initialisation, with the deviation ``gain / sqrt(fan)``.

    The arguments are those of :func:`kaiming_uniform_`.

    Example:
        >>> import tapegrad
        >>> tuple(tapegrad.nn.init.kaiming_normal_(tapegrad.empty(3, 5)).shape)
        (3, 5)
    """
    if 0 in tensor.shape:
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=2)
        return tensor
    return normal_(tensor, 0.0, _kaiming_std(tensor, a, mode, nonlinearity), generator)


def orthogonal_(tensor: Tensor, gain: float = 1, generator: Any = None) -> Tensor:
    """Fill with a (semi-)orthogonal matrix, as Saxe et al. (2013) propose.

    Dimensions after the first are taken as one.

    Example:
        >>> import tapegrad
        >>> w = tapegrad.nn.init.orthogonal_(tapegrad.empty(2, 4))
        >>> bool(tapegrad.allclose(w @ w.T, tapegrad.eye(2), atol=1e-5))
        True
    """
    import numpy as np

    if tensor.ndim < 2:
        raise ValueError("Only tensors with 2 or more dimensions are supported")
    if tensor.numel() == 0:
        return tensor
    rows, cols = tensor.shape[0], math.prod(tensor.shape[1:])
    flat = normal_(tapegrad.empty(rows, cols, dtype=tapegrad.float64), generator=generator)
    matrix = flat.numpy().T if rows < cols else flat.numpy()
    q, r = np.linalg.qr(matrix)
    q = q * np.sign(np.diag(r))  # makes the distribution uniform
    q = np.ascontiguousarray(q.T if rows < cols else q) * gain
    with tapegrad.no_grad():
        return tensor.copy_(tapegrad.from_numpy(q).reshape(tensor.shape))
