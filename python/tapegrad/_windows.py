"""Windows under the names that PyTorch's operators have; periodic unless told otherwise."""

from __future__ import annotations

from typing import Any

from . import _C
from ._C import Tensor
from .signal import windows

__all__ = [
    "bartlett_window",
    "blackman_window",
    "hamming_window",
    "hann_window",
    "kaiser_window",
]


def _made(
    name: str, window: Any, length: Any, periodic: bool, dtype: Any, grad: bool, **options: Any
) -> Tensor:
    if isinstance(length, bool) or not isinstance(length, int):
        kind = type(length).__name__
        raise TypeError(f"{name}(): argument 'window_length' (position 1) must be int, not {kind}")
    if length < 0:
        raise RuntimeError(
            f"{name} requires non-negative window_length, got window_length={length}"
        )
    dtype = _C.get_default_dtype() if dtype is None else dtype
    if not dtype.is_floating_point:
        raise RuntimeError(f"{name} expects floating point dtypes, got: {dtype}")
    values = window(length, sym=not periodic, dtype=_C.float64, **options)
    return values.to(dtype).requires_grad_(grad)


def hann_window(
    window_length: int,
    periodic: bool = True,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """``0.5 - 0.5 cos(2 pi n / N)``.

    Args:
        window_length: the number of samples.
        periodic: N is the number of samples, rather than one less. Default: True.
        dtype: a floating-point dtype. Default: the default dtype.
        layout, device, pin_memory: accepted for compatibility.
        requires_grad: whether gradients are computed for it. Default: False.

    Raises:
        RuntimeError: if the length is negative, or for other dtypes.

    Example:
        >>> import tapegrad
        >>> tapegrad.hann_window(4)
        tensor([0.0000, 0.5000, 1.0000, 0.5000])
    """
    window = windows.hann
    return _made("hann_window", window, window_length, periodic, dtype, requires_grad)


def hamming_window(
    window_length: int,
    periodic: bool = True,
    alpha: float = 0.54,
    beta: float = 0.46,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """``alpha - beta cos(2 pi n / N)``; the other arguments are those of :func:`hann_window`.

    Example:
        >>> import tapegrad
        >>> tapegrad.hamming_window(3, periodic=False)
        tensor([0.0800, 1.0000, 0.0800])
    """
    window = windows.general_cosine
    options = (window_length, periodic, dtype, requires_grad)
    return _made("hamming_window", window, *options, a=[alpha, beta])


def blackman_window(
    window_length: int,
    periodic: bool = True,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """``0.42 - 0.5 cos(2 pi n / N) + 0.08 cos(4 pi n / N)``; see :func:`hann_window`.

    Example:
        >>> import tapegrad
        >>> tapegrad.blackman_window(3, periodic=False)[1]
        tensor(1.)
    """
    window = windows.blackman
    return _made("blackman_window", window, window_length, periodic, dtype, requires_grad)


def bartlett_window(
    window_length: int,
    periodic: bool = True,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """A triangle: ``1 - |2 n / N - 1|``; see :func:`hann_window`.

    Example:
        >>> import tapegrad
        >>> tapegrad.bartlett_window(4)
        tensor([0.0000, 0.5000, 1.0000, 0.5000])
    """
    window = windows.bartlett
    return _made("bartlett_window", window, window_length, periodic, dtype, requires_grad)


def kaiser_window(
    window_length: int,
    periodic: bool = True,
    beta: float = 12.0,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """``i0(beta sqrt(1 - (2 n / N - 1) ** 2)) / i0(beta)``; see :func:`hann_window`.

    Example:
        >>> import tapegrad
        >>> tapegrad.kaiser_window(3, periodic=False, beta=0.0)
        tensor([1., 1., 1.])
    """
    options = (window_length, periodic, dtype, requires_grad)
    return _made("kaiser_window", windows.kaiser, *options, beta=beta)
