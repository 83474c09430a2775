"""A tensor autograd engine for the CPU whose API mirrors that of ``torch``.

Example:
    >>> import tapegrad
    >>> x = tapegrad.tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> (x ** 2).sum().backward()
    >>> x.grad
    tensor([2., 4., 6.])
"""

# ruff: noqa: I001  (the order counts: later modules use names of earlier ones)
from typing import TYPE_CHECKING

from ._openmp import short_spins

with short_spins():
    from . import _C
from ._C import *  # noqa: F403  (the functions and dtypes of the core; they shadow int, float and bool)
from ._C import _dirichlet_grad, _sample_dirichlet, _standard_gamma, _standard_gamma_grad  # noqa: F401
from ._device import (
    channels_last,
    channels_last_3d,
    contiguous_format,
    device,
    memory_format,
    preserve_format,
)
from ._tensor import Tensor, is_tensor
from . import _legacy
from ._legacy import *  # noqa: F403
from ._tensor_str import get_printoptions, printoptions, set_printoptions
from ._version import __version__
from . import return_types
from . import autograd
from .autograd.grad_mode import enable_grad, inference_mode, no_grad, set_grad_enabled
from . import __config__
from ._lazy import lazy
from ._runtime import memory_stats

if TYPE_CHECKING:
    from . import func, linalg, nn, optim, special, utils
    from ._ops import ops
    from .func import vmap
    from .serialization import load, save

__getattr__, __dir__ = lazy(
    __name__,
    {
        "func": "func",
        "linalg": "linalg",
        "nn": "nn",
        "ops": "_ops",
        "optim": "optim",
        "special": "special",
        "utils": "utils",
        "load": "serialization",
        "save": "serialization",
        "vmap": "func",
    },
)

__all__ = [
    "Tensor",
    "__config__",
    "__version__",
    "autograd",
    "channels_last",
    "channels_last_3d",
    "contiguous_format",
    "device",
    "enable_grad",
    "func",
    "get_printoptions",
    "inference_mode",
    "is_tensor",
    "linalg",
    "load",
    "memory_format",
    "memory_stats",
    "nn",
    "no_grad",
    "ops",
    "optim",
    "preserve_format",
    "printoptions",
    "return_types",
    "save",
    "set_grad_enabled",
    "set_printoptions",
    "special",
    "utils",
    "vmap",
]
__all__ += _legacy.__all__
__all__ += _C.__all__
