"""The module of Fourier transforms, of which there are none: results would be complex.

Libraries that import their names run as far as they do without them. What orders or lists
frequencies is here.

Example:
    >>> import tapegrad
    >>> tapegrad.fft.fft(tapegrad.ones(4))
    Traceback (most recent call last):
    RuntimeError: tapegrad has no complex numbers, and so no Fourier transforms.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import _C
from ._absent_device import refusals
from ._C import Tensor
from ._lazy import lazy

__all__ = ["fftfreq", "fftshift", "ifftshift", "rfftfreq"]

_TRANSFORMS = (
    *("fft", "fft2", "fftn", "hfft", "hfft2", "hfftn", "ifft", "ifft2", "ifftn", "ihfft", "ihfft2"),
    *("ihfftn", "irfft", "irfft2", "irfftn", "rfft", "rfft2", "rfftn"),
)
globals().update(
    refusals(
        "fft",
        _TRANSFORMS,
        lambda: RuntimeError("tapegrad has no complex numbers, and so no Fourier transforms."),
    )
)
__all__ += _TRANSFORMS

__getattr__, __dir__ = lazy(__name__, {})


def fftfreq(n: int, d: float = 1.0, **options: Any) -> Tensor:
    """The frequencies of the terms of a transform of length n: those from zero, the negative ones.

    Args:
        n: how many samples, above 0.
        d: the time between two samples.
        **options: dtype, device and requires_grad, as of `tapegrad.zeros`.

    Returns:
        Floats of shape `(n,)`.

    Example:
        >>> import tapegrad
        >>> tapegrad.fft.fftfreq(5)
        tensor([ 0.0000,  0.2000,  0.4000, -0.4000, -0.2000])
    """
    places = _C.arange(n)
    places[(n + 1) // 2 :] -= n
    return _frequencies(places, n, d, options)


def rfftfreq(n: int, d: float = 1.0, **options: Any) -> Tensor:
    """The frequencies of a transform of length n of real numbers: those from zero upwards.

    Args:
        n: how many samples, above 0.
        d: the time between two samples.
        **options: dtype, device and requires_grad, as of `tapegrad.zeros`.

    Returns:
        Floats of shape `(n // 2 + 1,)`.

    Example:
        >>> import tapegrad
        >>> tapegrad.fft.rfftfreq(5, d=0.1)
        tensor([0., 2., 4.])
    """
    return _frequencies(_C.arange(n // 2 + 1), n, d, options)


def _frequencies(places: Tensor, n: int, d: float, options: dict[str, Any]) -> Tensor:
    result = _C.zeros(len(places), **options)
    result.detach().copy_(places).mul_(1.0 / (n * d))
    return result


def fftshift(input: Tensor, dim: int | Sequence[int] | None = None) -> Tensor:
    """Bring frequencies into rising order, with zero in the middle.

    Args:
        input: a tensor of any shape.
        dim: the dimensions; None: all of them.

    Returns:
        A tensor of the same shape.

    Example:
        >>> import tapegrad
        >>> tapegrad.fft.fftshift(tapegrad.fft.fftfreq(4))
        tensor([-0.5000, -0.2500,  0.0000,  0.2500])
    """
    dims = _dims(input, dim)
    return input.roll([input.shape[i] // 2 for i in dims], dims)


def ifftshift(input: Tensor, dim: int | Sequence[int] | None = None) -> Tensor:
    """Undo `fftshift`.

    Args:
        input: a tensor of any shape.
        dim: the dimensions; None: all of them.

    Returns:
        A tensor of the same shape.
    """
    dims = _dims(input, dim)
    return input.roll([(input.shape[i] + 1) // 2 for i in dims], dims)


def _dims(input: Tensor, dim: int | Sequence[int] | None) -> list[int]:
    if dim is None:
        return list(range(input.dim()))
    return [dim] if isinstance(dim, int) else list(dim)
