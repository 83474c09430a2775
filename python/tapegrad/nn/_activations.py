"""Activation functions beyond the usual ones; `functional` has them all."""

from __future__ import annotations

import warnings

import tapegrad

from .. import _C
from .._C import Tensor
from .._C import _take_note as take_note

__all__ = [
    "celu",
    "celu_",
    "elu_",
    "glu",
    "gumbel_softmax",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "hardtanh_",
    "leaky_relu_",
    "mish",
    "prelu",
    "relu6",
    "relu_",
    "rrelu",
    "rrelu_",
    "selu",
    "selu_",
    "softshrink",
    "softsign",
    "tanhshrink",
    "threshold",
    "threshold_",
]


def hardtanh(
    input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Tensor:
    """Limit each element to a range; the gradient passes inside of it.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.functional.hardtanh(tapegrad.tensor([-4.0, 0.5, 8.0]))
        tensor([-1.0000,  0.5000,  1.0000])
    """
    return (_C.hardtanh_ if inplace else _C.hardtanh)(input, min_val, max_val)


def hardtanh_(input: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """Like :func:`hardtanh`, in place.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.functional.hardtanh_(tapegrad.tensor([-4.0, 0.5, 8.0]))
        tensor([-1.0000,  0.5000,  1.0000])
    """
    return _C.hardtanh_(input, min_val, max_val)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """``min(max(x, 0), 6)``.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.functional.relu6(tapegrad.tensor([-4.0, 0.5, 8.0]))
        tensor([0.0000, 0.5000, 6.0000])
    """
    return (_C.hardtanh_ if inplace else _C.hardtanh)(input, 0, 6)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """``min(max(x + 3, 0), 6) / 6``.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.functional.hardsigmoid(tapegrad.tensor([-4.0, 0.5, 8.0]))
        tensor([0.0000, 0.5833, 1.0000])
    """
    return (_C.hardsigmoid_ if inplace else _C.hardsigmoid)(input)


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """``x * min(max(x + 3, 0), 6) / 6`` (Howard et al., arXiv:1905.02244).

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.functional.hardswish(tapegrad.tensor([-4.0, 0.5, 8.0]))
        tensor([-0.0000,  0.2917,  8.0000])
    """
    return (_C.hardswish_ if inplace else _C.hardswish)(input)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """The scaled exponential linear unit (Klambauer et al., arXiv:1706.02515).

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.functional.selu(tapegrad.tensor([-4.0, 0.5, 8.0]))
        tensor([-1.7259,  0.5254,  8.4056])
    """
    return (_C.selu_ if inplace else _C.selu)(input)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """``x * tanh(softplus(x))`` (Misra, arXiv:1908.08681).

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.functional.mish(tapegrad.tensor([-4.0, 0.5, 8.0]))
        tensor([-0.0726,  0.3752,  8.0000])
    """
    return (_C.mish_ if inplace else _C.mish)(input)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """``x`` where x > 0, else ``alpha * (exp(x / alpha) - 1)`` (Barron, arXiv:1704.07483).

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.functional.celu(tapegrad.tensor([-4.0, 0.5, 8.0]))
        tensor([-0.9817,  0.5000,  8.0000])
    """
    return (_C.celu_ if inplace else _C.celu)(input, alpha)


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """``x`` where x > threshold, else the value.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.functional.threshold(tapegrad.tensor([-4.0, 0.5, 8.0]), 1.0, 0.0)
        tensor([0., 0., 8.])
    """
    return (_C.threshold_ if inplace else _C.threshold)(input, threshold, value)


def rrelu(
    input: Tensor,
    lower: float = 1.0 / 8,
    upper: float = 1.0 / 3,
    training: bool = False,
    inplace: bool = False,
) -> Tensor:
    """``x`` where x > 0, else x times a random slope (Xu et al., arXiv:1505.00853).

    Args:
        input: any shape, floating point.
        lower: the smallest slope. Default: 1 / 8.
        upper: the largest slope. Default: 1 / 3.
        training: draw a slope for each element; otherwise all are the mean of both. Default: False.
        inplace: write the result into the input. Default: False.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.functional.rrelu(tapegrad.tensor([-4.0, 0.5, 8.0]), 0.25, 0.75)
        tensor([-2.0000,  0.5000,  8.0000])
    """
    return (_C.rrelu_ if inplace else _C.rrelu)(input, lower, upper, training)


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """``x`` where x > 0, else x times a slope that is learned (He et al., arXiv:1502.01852).

    Args:
        input: any shape, floating point.
        weight: one slope, or one for each channel (dimension 1).

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.functional.prelu(tapegrad.tensor([-4.0, 0.5, 8.0]), tapegrad.tensor([0.25]))
        tensor([-1.0000,  0.5000,  8.0000])
    """
    return _C.prelu(input, weight)


def softsign(input: Tensor) -> Tensor:
    """``x / (1 + abs(x))``.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.functional.softsign(tapegrad.tensor([-4.0, 0.5, 8.0]))
        tensor([-0.8000,  0.3333,  0.8889])
    """
    if take_note(input):
        return softsign(input)
    return input / (input.abs() + 1)


def tanhshrink(input: Tensor) -> Tensor:
    """``x - tanh(x)``.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.functional.tanhshrink(tapegrad.tensor([-4.0, 0.5, 8.0]))
        tensor([-3.0007,  0.0379,  7.0000])
    """
    if take_note(input):
        return tanhshrink(input)
    return input - input.tanh()


def softshrink(input: Tensor, lambd: float = 0.5, *, out: Tensor | None = None) -> Tensor:
    """Bring each element nearer to 0 by `lambd`, but not beyond.

    Args:
        input: any shape, floating point.
        lambd: the bound. Default: 0.5.
        out: a tensor to write to. Default: a new one.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.functional.softshrink(tapegrad.tensor([-4.0, 0.5, 8.0]))
        tensor([-3.5000,  0.0000,  7.5000])
    """
    return _C.softshrink(input, lambd, out=out)


def hardshrink(input: Tensor, lambd: float = 0.5, *, out: Tensor | None = None) -> Tensor:
    """``x``, but 0 where ``-lambd <= x <= lambd``.

    Args:
        input: any shape, floating point.
        lambd: the bound. Default: 0.5.
        out: a tensor to write to. Default: a new one.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.functional.hardshrink(tapegrad.tensor([-4.0, 0.5, 8.0]))
        tensor([-4.,  0.,  8.])
    """
    return _C.hardshrink(input, lambd, out=out)


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """One half times the sigmoid of the other (Dauphin et al., arXiv:1612.08083).

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.functional.glu(tapegrad.tensor([1.0, 2.0, 0.0, 100.0]))
        tensor([0.5000, 2.0000])
    """
    return _C.glu(input, dim)


def gumbel_softmax(
    logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1
) -> Tensor:
    """Draw from a distribution over classes in a way that has a derivative.

    See Jang et al., "Categorical Reparameterization with Gumbel-Softmax", arXiv:1611.01144.

    Args:
        logits: logarithms of the probabilities, up to a common summand.
        tau: the temperature, above 0. Default: 1.
        hard: give a one-hot vector, whose gradient is that of the soft result. Default: False.
        eps: has no effect.
        dim: the dimension of the classes. Default: -1.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.functional.gumbel_softmax(tapegrad.zeros(3), hard=True).sum()
        tensor(1.)
    """
    if take_note(logits):
        return gumbel_softmax(logits, tau=tau, hard=hard, eps=eps, dim=dim)
    if eps != 1e-10:
        warnings.warn("`eps` parameter is deprecated and has no effect.", stacklevel=2)
    with tapegrad.no_grad():
        uniform = tapegrad.empty_like(logits).uniform_().clamp_(min=1e-38)
        noise = uniform.log_().neg_().log_().neg_()
    soft = ((logits + noise) / tau).softmax(dim)
    if not hard:
        return soft
    place = soft.argmax(dim, keepdim=True)
    one_hot = tapegrad.zeros_like(logits).scatter_(dim, place, 1.0)
    return one_hot - soft.detach() + soft


def relu_(input: Tensor) -> Tensor:
    """Like :func:`relu`, in place.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.functional.relu_(tapegrad.tensor([-4.0, 0.5, 8.0]))
        tensor([0.0000, 0.5000, 8.0000])
    """
    return _C.relu_(input)


def elu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """Like :func:`elu`, in place.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.functional.elu_(tapegrad.tensor([-4.0, 0.5, 8.0]))
        tensor([-0.9817,  0.5000,  8.0000])
    """
    return _C.elu_(input, alpha)


def selu_(input: Tensor) -> Tensor:
    """Like :func:`selu`, in place.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.functional.selu_(tapegrad.tensor([-4.0, 0.5, 8.0]))
        tensor([-1.7259,  0.5254,  8.4056])
    """
    return _C.selu_(input)


def celu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """Like :func:`celu`, in place.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.functional.celu_(tapegrad.tensor([-4.0, 0.5, 8.0]))
        tensor([-0.9817,  0.5000,  8.0000])
    """
    return _C.celu_(input, alpha)


def leaky_relu_(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """Like :func:`leaky_relu`, in place.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.functional.leaky_relu_(tapegrad.tensor([-4.0, 0.5, 8.0]))
        tensor([-0.0400,  0.5000,  8.0000])
    """
    return _C.leaky_relu_(input, negative_slope)


def threshold_(input: Tensor, threshold: float, value: float) -> Tensor:
    """Like :func:`threshold`, in place.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.functional.threshold_(tapegrad.tensor([-4.0, 0.5, 8.0]), 1.0, 0.0)
        tensor([0., 0., 8.])
    """
    return _C.threshold_(input, threshold, value)


def rrelu_(
    input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False
) -> Tensor:
    """Like :func:`rrelu`, in place.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.functional.rrelu_(tapegrad.tensor([-4.0, 0.5, 8.0]), 0.25, 0.75)
        tensor([-2.0000,  0.5000,  8.0000])
    """
    return _C.rrelu_(input, lower, upper, training)
