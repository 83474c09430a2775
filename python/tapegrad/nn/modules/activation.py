"""Activation functions as layers. All keep the shape of their input."""

from __future__ import annotations

from ... import _C
from ..._C import Tensor
from .. import functional as F
from .module import Module

__all__ = [
    "ELU",
    "GELU",
    "LeakyReLU",
    "LogSigmoid",
    "LogSoftmax",
    "ReLU",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softmin",
    "Softplus",
    "Tanh",
]


class ReLU(Module):
    """``max(x, 0)``.

    Args:
        inplace: write the result into the input. Default: False.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.ReLU()(tapegrad.tensor([-1.0, 2.0]))
        tensor([0., 2.])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return input.relu_() if self.inplace else _C.relu(input)

    def extra_repr(self) -> str:
        return "inplace=True" if self.inplace else ""


class LeakyReLU(Module):
    """``x`` where x > 0, else ``negative_slope * x``.

    Args:
        negative_slope: default 0.01.
        inplace: write the result into the input. Default: False.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.LeakyReLU(0.1)(tapegrad.tensor([-1.0, 2.0]))
        tensor([-0.1000,  2.0000])
    """

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__()
        self.negative_slope = negative_slope
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.leaky_relu(input, self.negative_slope, self.inplace)

    def extra_repr(self) -> str:
        return f"negative_slope={self.negative_slope}" + (", inplace=True" if self.inplace else "")


class ELU(Module):
    """``x`` where x > 0, else ``alpha * (exp(x) - 1)``.

    Args:
        alpha: default 1.0.
        inplace: write the result into the input. Default: False.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.ELU()(tapegrad.tensor([-1.0, 2.0]))
        tensor([-0.6321,  2.0000])
    """

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha = alpha
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.elu(input, self.alpha, self.inplace)

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}" + (", inplace=True" if self.inplace else "")


class GELU(Module):
    """``x * Phi(x)`` with the normal distribution function Phi.

    Args:
        approximate: "none" (the default) or "tanh".

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.GELU()(tapegrad.tensor([-1.0, 2.0]))
        tensor([-0.1587,  1.9545])
    """

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, input: Tensor) -> Tensor:
        return _C.gelu(input, approximate=self.approximate)

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"


class SiLU(Module):
    """``x * sigmoid(x)``.

    Args:
        inplace: write the result into the input. Default: False.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.SiLU()(tapegrad.tensor([-1.0, 2.0]))
        tensor([-0.2689,  1.7616])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.silu(input, self.inplace)

    def extra_repr(self) -> str:
        return "inplace=True" if self.inplace else ""


class Sigmoid(Module):
    """``1 / (1 + exp(-x))``.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.Sigmoid()(tapegrad.tensor([0.0]))
        tensor([0.5000])
    """

    def forward(self, input: Tensor) -> Tensor:
        return _C.sigmoid(input)


class LogSigmoid(Module):
    """``log(sigmoid(x))``, without overflow.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.LogSigmoid()(tapegrad.tensor([0.0]))
        tensor([-0.6931])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.logsigmoid(input)


class Tanh(Module):
    """The hyperbolic tangent.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.Tanh()(tapegrad.tensor([0.0]))
        tensor([0.])
    """

    def forward(self, input: Tensor) -> Tensor:
        return _C.tanh(input)


class Softplus(Module):
    """``log(1 + exp(beta * x)) / beta``, and x itself where ``beta * x > threshold``.

    Args:
        beta: default 1.0.
        threshold: default 20.0.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.Softplus()(tapegrad.tensor([0.0]))
        tensor([0.6931])
    """

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta = beta
        self.threshold = threshold

    def forward(self, input: Tensor) -> Tensor:
        return _C.softplus(input, self.beta, self.threshold)

    def extra_repr(self) -> str:
        return f"beta={self.beta}, threshold={self.threshold}"


class _OverDim(Module):
    """A layer that works along one dimension."""

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim


class Softmax(_OverDim):
    """``exp(x) / sum(exp(x))`` over a dimension.

    Args:
        dim: the dimension along which the result sums to 1.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.Softmax(dim=0)(tapegrad.tensor([0.0, 0.0]))
        tensor([0.5000, 0.5000])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.softmax(input, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class Softmin(_OverDim):
    """``softmax(-x)`` over a dimension.

    Args:
        dim: the dimension along which the result sums to 1.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.Softmin(dim=0)(tapegrad.tensor([0.0, 0.0]))
        tensor([0.5000, 0.5000])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.softmin(input, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class LogSoftmax(_OverDim):
    """``log(softmax(x))`` over a dimension.

    Args:
        dim: the dimension along which the exponentials sum to 1.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.LogSoftmax(dim=0)(tapegrad.tensor([0.0, 0.0]))
        tensor([-0.6931, -0.6931])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.log_softmax(input, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"
