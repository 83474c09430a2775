"""Libraries that PyTorch may be built with, as programs ask for them and set them up.

What is set is kept and has no effect.

Example:
    >>> import tapegrad
    >>> tapegrad.backends.cudnn.benchmark = False
    >>> tapegrad.backends.cudnn.is_available(), tapegrad.backends.mps.is_available()
    (False, False)
"""

from typing import TYPE_CHECKING

from .._lazy import lazy

if TYPE_CHECKING:
    from . import cpu, cuda, cudnn, mkl, mkldnn, mps, openmp, opt_einsum

__all__ = ["cpu", "cuda", "cudnn", "mkl", "mkldnn", "mps", "openmp", "opt_einsum"]

__getattr__, __dir__ = lazy(__name__, {name: name for name in __all__})
