"""Windows: factors that fade out at both ends of a piece of a signal.

All take the number of samples `M`, and ``sym``: True (the default) for a symmetric window, False
for one that begins again after M samples. ``dtype`` is float32 or float64, by default the default
dtype.

Example:
    >>> import tapegrad
    >>> tapegrad.signal.windows.hann(5)
    tensor([0.0000, 0.5000, 1.0000, 0.5000, 0.0000])
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from .. import _C
from .._C import Tensor

__all__ = [
    "bartlett",
    "blackman",
    "cosine",
    "exponential",
    "gaussian",
    "general_cosine",
    "general_hamming",
    "hamming",
    "hann",
    "kaiser",
    "nuttall",
]


def _window(
    name: str,
    M: int,
    sym: bool,
    form: Callable[[Tensor, int], Tensor],
    dtype: Any,
    requires_grad: bool,
) -> Tensor:
    """The window of a form: a function of the places and of the period less one."""
    dtype = _C.get_default_dtype() if dtype is None else dtype
    if M < 0:
        raise ValueError(f"{name} requires non-negative window length, got M={M}")
    if dtype not in (_C.float32, _C.float64):
        raise ValueError(f"{name} expects float32 or float64 dtypes, got: {dtype}")
    if M <= 1:
        made = _C.ones(M, dtype=dtype)
    else:
        # In double precision, so that the ends do not depend on the dtype.
        made = form(_C.arange(M, dtype=_C.float64), M - 1 if sym else M).to(dtype)
    return made.requires_grad_(requires_grad)


def general_cosine(
    M: int,
    *,
    a: Iterable[float],
    sym: bool = True,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """A sum of cosines: ``a[0] - a[1] cos(2 pi n / N) + a[2] cos(4 pi n / N) - ...``.

    Args:
        M: the number of samples.
        a: the factors.
        sym: symmetric, rather than periodic. Default: True.
        dtype: the dtype. Default: the default dtype.
        layout, device: accepted for compatibility.
        requires_grad: whether gradients are computed for it. Default: False.

    Raises:
        TypeError: if the factors are no list.
        ValueError: if there are none, if `M` is negative, or for other dtypes.

    Example:
        >>> import tapegrad
        >>> tapegrad.signal.windows.general_cosine(4, a=[0.5, 0.5], sym=False)
        tensor([0.0000, 0.5000, 1.0000, 0.5000])
    """
    if not isinstance(a, Iterable):
        raise TypeError("Coefficients must be a list/tuple")
    factors = list(a)
    if not factors:
        raise ValueError("Coefficients cannot be empty")

    def form(n: Tensor, period: int) -> Tensor:
        total = _C.zeros_like(n)
        for k, factor in reversed(list(enumerate(factors))):
            total += (-1) ** k * factor * _C.cos(2 * math.pi * k / period * n)
        return total

    return _window("general_cosine", M, sym, form, dtype, requires_grad)


def general_hamming(
    M: int,
    *,
    alpha: float = 0.54,
    sym: bool = True,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """``alpha - (1 - alpha) cos(2 pi n / N)``; see :func:`general_cosine`.

    Example:
        >>> import tapegrad
        >>> tapegrad.signal.windows.general_hamming(3, alpha=0.75)
        tensor([0.5000, 1.0000, 0.5000])
    """
    a = [alpha, 1.0 - alpha]
    return general_cosine(M, a=a, sym=sym, dtype=dtype, requires_grad=requires_grad)


def hamming(
    M: int,
    *,
    sym: bool = True,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """:func:`general_hamming` with ``alpha=0.54``.

    Example:
        >>> import tapegrad
        >>> tapegrad.signal.windows.hamming(3)
        tensor([0.0800, 1.0000, 0.0800])
    """
    return general_hamming(M, sym=sym, dtype=dtype, requires_grad=requires_grad)


def hann(
    M: int,
    *,
    sym: bool = True,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """:func:`general_hamming` with ``alpha=0.5``.

    Example:
        >>> import tapegrad
        >>> tapegrad.signal.windows.hann(4, sym=False)
        tensor([0.0000, 0.5000, 1.0000, 0.5000])
    """
    return general_hamming(M, alpha=0.5, sym=sym, dtype=dtype, requires_grad=requires_grad)


def blackman(
    M: int,
    *,
    sym: bool = True,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """:func:`general_cosine` with the factors 0.42, 0.5 and 0.08.

    Example:
        >>> import tapegrad
        >>> tapegrad.signal.windows.blackman(3)[1]
        tensor(1.)
    """
    a = [0.42, 0.5, 0.08]
    return general_cosine(M, a=a, sym=sym, dtype=dtype, requires_grad=requires_grad)


def nuttall(
    M: int,
    *,
    sym: bool = True,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """:func:`general_cosine` with the factors of Nuttall, whose side lobes are low.

    Example:
        >>> import tapegrad
        >>> tapegrad.signal.windows.nuttall(3)[1]
        tensor(1.)
    """
    a = [0.3635819, 0.4891775, 0.1365995, 0.0106411]
    return general_cosine(M, a=a, sym=sym, dtype=dtype, requires_grad=requires_grad)


def bartlett(
    M: int,
    *,
    sym: bool = True,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """A triangle: ``1 - |2 n / N - 1|``.

    Example:
        >>> import tapegrad
        >>> tapegrad.signal.windows.bartlett(5)
        tensor([0.0000, 0.5000, 1.0000, 0.5000, 0.0000])
    """

    def form(n: Tensor, period: int) -> Tensor:
        return 1 - (n * (2 / period) - 1).abs()

    return _window("bartlett", M, sym, form, dtype, requires_grad)


def cosine(
    M: int,
    *,
    sym: bool = True,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Half a period of the sine: ``sin(pi (n + 0.5) / (N + 1))``.

    Example:
        >>> import tapegrad
        >>> tapegrad.signal.windows.cosine(3)
        tensor([0.5000, 1.0000, 0.5000])
    """

    def form(n: Tensor, period: int) -> Tensor:
        return _C.sin((n + 0.5) * (math.pi / (period + 1)))

    return _window("cosine", M, sym, form, dtype, requires_grad)


def exponential(
    M: int,
    *,
    center: float | None = None,
    tau: float = 1.0,
    sym: bool = True,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """``exp(-|n - center| / tau)``.

    Args:
        M: the number of samples.
        center: where it is 1. Default: the middle; of symmetric ones there is no other.
        tau: how fast it falls. Default: 1.
        sym: symmetric, rather than periodic. Default: True.
        dtype: the dtype. Default: the default dtype.
        layout, device: accepted for compatibility.
        requires_grad: whether gradients are computed for it. Default: False.

    Raises:
        ValueError: if `tau` is not positive, or a symmetric one has a center.

    Example:
        >>> import tapegrad
        >>> tapegrad.signal.windows.exponential(3, tau=2.0)
        tensor([0.6065, 1.0000, 0.6065])
    """
    if tau <= 0:
        raise ValueError(f"Tau must be positive, got: {tau} instead.")
    if sym and center is not None:
        raise ValueError("Center must be None for symmetric windows")

    def form(n: Tensor, period: int) -> Tensor:
        return _C.exp((n - (period / 2 if center is None else center)).abs() / -tau)

    return _window("exponential", M, sym, form, dtype, requires_grad)


def gaussian(
    M: int,
    *,
    std: float = 1.0,
    sym: bool = True,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """A bell: ``exp(-((n - N / 2) / std) ** 2 / 2)``.

    Raises:
        ValueError: if `std` is not positive.

    Example:
        >>> import tapegrad
        >>> tapegrad.signal.windows.gaussian(3)
        tensor([0.6065, 1.0000, 0.6065])
    """
    if std <= 0:
        raise ValueError(f"Standard deviation must be positive, got: {std} instead.")

    def form(n: Tensor, period: int) -> Tensor:
        return _C.exp(((n - period / 2) / std).square() * -0.5)

    return _window("gaussian", M, sym, form, dtype, requires_grad)


def kaiser(
    M: int,
    *,
    beta: float = 12.0,
    sym: bool = True,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """``i0(beta sqrt(1 - (2 n / N - 1) ** 2)) / i0(beta)``, with the Bessel function i0.

    Raises:
        ValueError: if `beta` is negative.

    Example:
        >>> import tapegrad
        >>> tapegrad.signal.windows.kaiser(3, beta=0.0)
        tensor([1., 1., 1.])
    """
    if beta < 0:
        raise ValueError(f"beta must be non-negative, got: {beta} instead.")

    def form(n: Tensor, period: int) -> Tensor:
        inside = (1 - (n * (2 / period) - 1).square()).relu().sqrt()
        return _C.i0(inside * beta) / _C.i0(_C.tensor(beta, dtype=_C.float64))

    return _window("kaiser", M, sym, form, dtype, requires_grad)
