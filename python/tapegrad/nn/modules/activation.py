"""Activation functions as layers. All but GLU keep the shape of their input."""

from __future__ import annotations

import warnings
from typing import Any

import tapegrad

from ... import _C
from ..._C import Tensor
from ..._C import gelu as _gelu
from ..._C import relu as _relu
from ..._C import softplus as _softplus
from .. import functional as F
from ..init import constant_
from ..parameter import Parameter
from .module import Module

__all__ = [
    "CELU",
    "ELU",
    "GELU",
    "GLU",
    "Hardshrink",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "LeakyReLU",
    "LogSigmoid",
    "LogSoftmax",
    "Mish",
    "PReLU",
    "RReLU",
    "ReLU",
    "ReLU6",
    "SELU",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softmax2d",
    "Softmin",
    "Softplus",
    "Softshrink",
    "Softsign",
    "Tanh",
    "Tanhshrink",
    "Threshold",
]


def _warn_of_old_name(name: str) -> None:
    warnings.warn(
        f"keyword argument `{name}_value` is deprecated and renamed to `{name}_val`",
        FutureWarning,
        stacklevel=3,
    )


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
        return input.relu_() if self.inplace else _relu(input)

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
        return _gelu(input, approximate=self.approximate)

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
        return _softplus(input, self.beta, self.threshold)

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


class Hardtanh(Module):
    """Limit each element to a range.

    Args:
        min_val: lower limit. Default: -1.0.
        max_val: upper limit, above `min_val`. Default: 1.0.
        inplace: write the result into the input. Default: False.
        min_value, max_value: old names of the limits.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.Hardtanh()(tapegrad.tensor([-4.0, 0.5, 8.0]))
        tensor([-1.0000,  0.5000,  1.0000])
    """

    def __init__(
        self,
        min_val: float = -1.0,
        max_val: float = 1.0,
        inplace: bool = False,
        min_value: float | None = None,
        max_value: float | None = None,
    ) -> None:
        super().__init__()
        if min_value is not None:
            _warn_of_old_name("min")
            min_val = min_value
        if max_value is not None:
            _warn_of_old_name("max")
            max_val = max_value
        if max_val <= min_val:
            raise AssertionError(f"max_val ({max_val}) must be greater than min_val ({min_val})")
        self.min_val = min_val
        self.max_val = max_val
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.hardtanh(input, self.min_val, self.max_val, self.inplace)

    def extra_repr(self) -> str:
        limits = f"min_val={self.min_val}, max_val={self.max_val}"
        return limits + (", inplace=True" if self.inplace else "")


class ReLU6(Hardtanh):
    """``min(max(x, 0), 6)``.

    Args:
        inplace: write the result into the input. Default: False.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.ReLU6()(tapegrad.tensor([-4.0, 0.5, 8.0]))
        tensor([0.0000, 0.5000, 6.0000])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__(0.0, 6.0, inplace)

    def extra_repr(self) -> str:
        return "inplace=True" if self.inplace else ""


class Hardsigmoid(Module):
    """``min(max(x + 3, 0), 6) / 6``.

    Args:
        inplace: write the result into the input. Default: False.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.Hardsigmoid()(tapegrad.tensor([-4.0, 0.5, 8.0]))
        tensor([0.0000, 0.5833, 1.0000])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.hardsigmoid(input, self.inplace)


class Hardswish(Module):
    """``x * min(max(x + 3, 0), 6) / 6``.

    Args:
        inplace: write the result into the input. Default: False.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.Hardswish()(tapegrad.tensor([-4.0, 0.5, 8.0]))
        tensor([-0.0000,  0.2917,  8.0000])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.hardswish(input, self.inplace)


class SELU(Module):
    """The scaled exponential linear unit (Klambauer et al., arXiv:1706.02515).

    Args:
        inplace: write the result into the input. Default: False.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.SELU()(tapegrad.tensor([-4.0, 0.5, 8.0]))
        tensor([-1.7259,  0.5254,  8.4056])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.selu(input, self.inplace)

    def extra_repr(self) -> str:
        return "inplace=True" if self.inplace else ""


class CELU(Module):
    """``x`` where x > 0, else ``alpha * (exp(x / alpha) - 1)``.

    Args:
        alpha: default 1.0.
        inplace: write the result into the input. Default: False.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.CELU()(tapegrad.tensor([-4.0, 0.5, 8.0]))
        tensor([-0.9817,  0.5000,  8.0000])
    """

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha = alpha
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.celu(input, self.alpha, self.inplace)

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}" + (", inplace=True" if self.inplace else "")


class Mish(Module):
    """``x * tanh(softplus(x))``.

    Args:
        inplace: write the result into the input. Default: False.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.Mish()(tapegrad.tensor([-4.0, 0.5, 8.0]))
        tensor([-0.0726,  0.3752,  8.0000])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.mish(input, self.inplace)

    def extra_repr(self) -> str:
        return "inplace=True" if self.inplace else ""


class PReLU(Module):
    """``x`` where x > 0, else x times a slope that is learned.

    Args:
        num_parameters: 1, or the number of channels (dimension 1), each with a slope. Default: 1.
        init: what the slopes begin with. Default: 0.25.
        device: the CPU; others raise.
        dtype: of the slopes.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.PReLU()(tapegrad.tensor([-4.0, 2.0])).tolist()
        [-1.0, 2.0]
    """

    def __init__(
        self,
        num_parameters: int = 1,
        init: float = 0.25,
        device: Any = None,
        dtype: tapegrad.dtype | None = None,
    ) -> None:
        super().__init__()
        self.num_parameters = num_parameters
        self.init = init
        self.weight = Parameter(tapegrad.empty(num_parameters, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        constant_(self.weight, self.init)

    def forward(self, input: Tensor) -> Tensor:
        return F.prelu(input, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"


class RReLU(Module):
    """``x`` where x > 0, else x times a slope, which is drawn in training.

    Args:
        lower: the smallest slope. Default: 1 / 8.
        upper: the largest slope. Default: 1 / 3.
        inplace: write the result into the input. Default: False.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.RReLU(0.25, 0.75).eval()(tapegrad.tensor([-4.0, 0.5, 8.0]))
        tensor([-2.0000,  0.5000,  8.0000])
    """

    def __init__(
        self, lower: float = 1.0 / 8, upper: float = 1.0 / 3, inplace: bool = False
    ) -> None:
        super().__init__()
        self.lower = lower
        self.upper = upper
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.rrelu(input, self.lower, self.upper, self.training, self.inplace)

    def extra_repr(self) -> str:
        return f"lower={self.lower}, upper={self.upper}" + (
            ", inplace=True" if self.inplace else ""
        )


class Softsign(Module):
    """``x / (1 + abs(x))``.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.Softsign()(tapegrad.tensor([-4.0, 0.5, 8.0]))
        tensor([-0.8000,  0.3333,  0.8889])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.softsign(input)


class Tanhshrink(Module):
    """``x - tanh(x)``.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.Tanhshrink()(tapegrad.tensor([-4.0, 0.5, 8.0]))
        tensor([-3.0007,  0.0379,  7.0000])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.tanhshrink(input)


class Softshrink(Module):
    """Bring each element nearer to 0.

    Args:
        lambd: how much. Default: 0.5.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.Softshrink()(tapegrad.tensor([-4.0, 0.5, 8.0]))
        tensor([-3.5000,  0.0000,  7.5000])
    """

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def forward(self, input: Tensor) -> Tensor:
        return F.softshrink(input, self.lambd)

    def extra_repr(self) -> str:
        return str(self.lambd)


class Hardshrink(Module):
    """``x``, but 0 where ``-lambd <= x <= lambd``.

    Args:
        lambd: default 0.5.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.Hardshrink()(tapegrad.tensor([-4.0, 0.5, 8.0]))
        tensor([-4.,  0.,  8.])
    """

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def forward(self, input: Tensor) -> Tensor:
        return F.hardshrink(input, self.lambd)

    def extra_repr(self) -> str:
        return str(self.lambd)


class Threshold(Module):
    """``x`` where x > threshold, else the value.

    Args:
        threshold: a number.
        value: what stands for elements up to the threshold.
        inplace: write the result into the input. Default: False.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.Threshold(1.0, 0.0)(tapegrad.tensor([-4.0, 0.5, 8.0]))
        tensor([0., 0., 8.])
    """

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        super().__init__()
        self.threshold = threshold
        self.value = value
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.threshold(input, self.threshold, self.value, self.inplace)

    def extra_repr(self) -> str:
        return f"threshold={self.threshold}, value={self.value}" + (
            ", inplace=True" if self.inplace else ""
        )


class GLU(Module):
    """One half times the sigmoid of the other.

    Args:
        dim: the dimension that is halved. Default: -1.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.GLU()(tapegrad.tensor([1.0, 2.0, 0.0, 100.0]))
        tensor([0.5000, 2.0000])
    """

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        return F.glu(input, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class Softmax2d(Module):
    """Softmax over the channels at each place of a picture, of shape (N, C, H, W) or (C, H, W).

    Raises:
        ValueError: for another number of dimensions.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.Softmax2d()(tapegrad.zeros(2, 1, 1)).tolist()
        [[[0.5]], [[0.5]]]
    """

    def forward(self, input: Tensor) -> Tensor:
        if input.dim() not in (3, 4):
            raise ValueError(
                f"Softmax2d: expected input to be 3D or 4D, got {input.dim()}D instead"
            )
        return F.softmax(input, -3)
