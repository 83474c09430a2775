"""Functions that fill tensors in place with initial values.

They run without recording, and return the tensor they were given.
"""

from __future__ import annotations

import contextlib
import functools
import math
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import tapegrad

from .._C import Tensor

__all__ = [
    "calculate_gain",
    "constant",
    "constant_",
    "dirac",
    "dirac_",
    "eye",
    "eye_",
    "kaiming_normal",
    "kaiming_normal_",
    "kaiming_uniform",
    "kaiming_uniform_",
    "normal",
    "normal_",
    "ones_",
    "orthogonal",
    "orthogonal_",
    "sparse",
    "sparse_",
    "trunc_normal_",
    "uniform",
    "uniform_",
    "xavier_normal",
    "xavier_normal_",
    "xavier_uniform",
    "xavier_uniform_",
    "zeros_",
]


class _State(threading.local):
    skip = False


_state = _State()


@contextlib.contextmanager
def skipped() -> Iterator[None]:
    """In the block, the functions leave the values as they are."""
    before, _state.skip = _state.skip, True
    try:
        yield
    finally:
        _state.skip = before


_CONVOLUTIONS = tuple(f"conv{kind}{n}d" for kind in ("", "_transpose") for n in (1, 2, 3))


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor by which a nonlinearity's weights are scaled to keep the variance.

    Args:
        nonlinearity: "linear" or the name of a convolution, "sigmoid", "tanh", "relu",
            "leaky_relu" or "selu".
        param: the negative slope of "leaky_relu". Default: 0.01.

    Raises:
        ValueError: for other names, or a slope that is not a number.

    Example:
        >>> from tapegrad.nn import init
        >>> round(init.calculate_gain("relu"), 4)
        1.4142
    """
    if nonlinearity in ("linear", "sigmoid", *_CONVOLUTIONS):
        return 1
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
    if _state.skip:
        return tensor
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
    if _state.skip:
        return tensor
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
    """Fill from the normal distribution between a and b.

    Example:
        >>> import tapegrad
        >>> w = tapegrad.nn.init.trunc_normal_(tapegrad.empty(1000), a=-1.0, b=1.0)
        >>> bool(w.abs().max() <= 1)
        True
    """
    if _state.skip:
        return tensor
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(
            "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. The distribution of "
            "values may be incorrect.",
            stacklevel=2,
        )
    share = (math.erf((b - mean) / std / 2**0.5) - math.erf((a - mean) / std / 2**0.5)) / 2
    highest = -0.5 * ((max(a, min(mean, b)) - mean) / std) ** 2

    def draw(like: Tensor) -> tuple[Tensor, Tensor]:
        """Candidates, and which of them have to be drawn again."""
        if share > 0.3:
            x = tapegrad.empty_like(like).normal_(mean, std, generator=generator)
            return x, (x < a) | (x > b)
        # Most of the normal distribution lies elsewhere: take even numbers, by its density.
        x = tapegrad.empty_like(like).uniform_(a, b, generator=generator)
        height = tapegrad.empty_like(like).uniform_(generator=generator).log()
        return x, height > -0.5 * ((x - mean) / std) ** 2 - highest

    with tapegrad.no_grad():
        values, again = draw(tensor)
        while bool(again.any()):
            others, refused = draw(tensor)
            values = tapegrad.where(again, others, values)
            again = again & refused
        return tensor.copy_(values)


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fill with one value.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.init.constant_(tapegrad.empty(2), 0.5)
        tensor([0.5000, 0.5000])
    """
    if _state.skip:
        return tensor
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
    if _state.skip:
        return tensor
    with tapegrad.no_grad():
        return tensor.copy_(tapegrad.eye(*tensor.shape))


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """Fill the weight of a convolution so that it gives what it gets, as far as channels go.

    Args:
        tensor: the weight, with three to five dimensions.
        groups: number of groups of channels. Default: 1.

    Raises:
        ValueError: for another number of dimensions, or channels that the groups do not divide.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.init.dirac_(tapegrad.empty(2, 2, 3))
        tensor([[[0., 1., 0.],
                 [0., 0., 0.]],
        <BLANKLINE>
                [[0., 0., 0.],
                 [0., 1., 0.]]])
    """
    if tensor.ndim not in (3, 4, 5):
        raise ValueError("Only tensors with 3, 4, or 5 dimensions are supported")
    channels, inputs = tensor.shape[:2]
    if channels % groups != 0:
        raise ValueError("dim 0 must be divisible by groups")
    if _state.skip:
        return tensor
    centre = tuple(size // 2 for size in tensor.shape[2:])
    per_group = channels // groups
    with tapegrad.no_grad():
        tensor.zero_()
        for first in range(0, channels, per_group) if per_group else ():
            for channel in range(min(per_group, inputs)):
                place = (first + channel, channel, *centre)
                tensor[place] = 1
        return tensor


def _calculate_fan_in_and_fan_out(tensor: Tensor) -> tuple[int, int]:
    """The numbers of inputs and outputs that one unit of a weight tensor has.

    Layers of programs call it, by this name, to initialise their biases.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.init._calculate_fan_in_and_fan_out(tapegrad.empty(4, 3, 5, 5))
        (75, 100)
    """
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
    bound = gain * math.sqrt(6.0 / sum(_calculate_fan_in_and_fan_out(tensor)))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Any = None) -> Tensor:
    """Glorot and Bengio's (2010) normal initialisation.

    The standard deviation is ``gain * sqrt(2 / (fan_in + fan_out))``.

    Example:
        >>> import tapegrad
        >>> tuple(tapegrad.nn.init.xavier_normal_(tapegrad.empty(3, 5)).shape)
        (3, 5)
    """
    return normal_(
        tensor, 0.0, gain * math.sqrt(2.0 / sum(_calculate_fan_in_and_fan_out(tensor))), generator
    )


def _calculate_correct_fan(tensor: Tensor, mode: str) -> int:
    """The number of inputs for the mode "fan_in", of outputs for "fan_out"."""
    modes = ("fan_in", "fan_out")
    if mode.lower() not in modes:
        raise ValueError(f"Mode {mode} not supported, please use one of {list(modes)}")
    return _calculate_fan_in_and_fan_out(tensor)[modes.index(mode.lower())]


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    return calculate_gain(nonlinearity, a) / math.sqrt(_calculate_correct_fan(tensor, mode))


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
    if tensor.numel() == 0 or _state.skip:
        return tensor
    rows, cols = tensor.shape[0], math.prod(tensor.shape[1:])
    flat = normal_(tapegrad.empty(rows, cols, dtype=tapegrad.float64), generator=generator)
    matrix = flat.numpy().T if rows < cols else flat.numpy()
    q, r = np.linalg.qr(matrix)
    q = q * np.sign(np.diag(r))  # makes the distribution uniform
    q = np.ascontiguousarray(q.T if rows < cols else q) * gain
    with tapegrad.no_grad():
        return tensor.copy_(tapegrad.from_numpy(q).reshape(tensor.shape))


def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Any = None) -> Tensor:
    """Fill a matrix from the normal distribution, with zeros in each column (Martens, 2010).

    Args:
        tensor: the matrix.
        sparsity: the share of zeros in each column.
        std: the standard deviation of the others. Default: 0.01.
        generator: the random generator to draw from. Default: the global one.

    Raises:
        ValueError: for other numbers of dimensions.

    Example:
        >>> import tapegrad
        >>> w = tapegrad.nn.init.sparse_(tapegrad.empty(4, 3), sparsity=0.5)
        >>> (w == 0).sum(0)
        tensor([2, 2, 2])
    """
    if tensor.ndim != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    if _state.skip:
        return tensor
    rows, columns = tensor.shape
    zeros = math.ceil(sparsity * rows)
    with tapegrad.no_grad():
        tensor.normal_(0, std, generator=generator)
        for column in range(columns):
            tensor[tapegrad.randperm(rows, generator=generator)[:zeros], column] = 0
        return tensor


def _renamed(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A function under its old name, without the underscore."""
    new = function.__name__
    old = new[:-1]

    @functools.wraps(function)
    def renamed(*args: Any, **kwargs: Any) -> Tensor:
        warnings.warn(
            f"`nn.init.{old}` is now deprecated in favor of `nn.init.{new}`.",
            FutureWarning,
            stacklevel=2,
        )
        return function(*args, **kwargs)

    renamed.__name__ = renamed.__qualname__ = old
    renamed.__doc__ = f"The old name of :func:`{new}`."
    return renamed


uniform = _renamed(uniform_)
normal = _renamed(normal_)
constant = _renamed(constant_)
eye = _renamed(eye_)
dirac = _renamed(dirac_)
xavier_uniform = _renamed(xavier_uniform_)
xavier_normal = _renamed(xavier_normal_)
kaiming_uniform = _renamed(kaiming_uniform_)
kaiming_normal = _renamed(kaiming_normal_)
orthogonal = _renamed(orthogonal_)
sparse = _renamed(sparse_)
