"""A tensor autograd engine for the CPU whose API mirrors that of ``torch``.

Example:
    >>> import tapegrad
    >>> x = tapegrad.tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> (x ** 2).sum().backward()
    >>> x.grad
    tensor([2., 4., 6.])
"""

# ruff: noqa: I001  (the order counts: later modules use names of earlier ones)
from math import e, inf, nan, pi
from typing import TYPE_CHECKING

from ._openmp import short_spins

with short_spins():
    from . import _C
from . import _provenance as _provenance
from ._C import *  # noqa: F403  (the functions and dtypes of the core; they shadow int, float and bool)
from ._C import _dirichlet_grad, _sample_dirichlet, _standard_gamma, _standard_gamma_grad  # noqa: F401
from ._device import (
    channels_last,
    channels_last_3d,
    contiguous_format,
    device,
    layout,
    memory_format,
    preserve_format,
    strided,
)
from ._tensor import Tensor, is_tensor
from . import _torch_function as _torch_function
from . import _legacy, _size as _size, _tensor_rest
from ._legacy import *  # noqa: F403
from ._tensor_rest import *  # noqa: F403
from ._tensor_str import get_printoptions, printoptions, set_printoptions
from ._version import __version__
from . import return_types
from . import autograd
from .autograd.grad_mode import enable_grad, inference_mode, no_grad, set_grad_enabled
from . import __config__
from ._lazy import lazy
from ._runtime import memory_stats

from ._later import MODULES, MORE_MODULES, PLACES

if TYPE_CHECKING:
    from ._later import *  # noqa: F403

_MODULE_OF = {name: place for place, names in PLACES.items() for name in names}
__getattr__, __dir__ = lazy(
    __name__, {name: name for name in (*MODULES, *MORE_MODULES)} | _MODULE_OF
)

newaxis = None  # what adds a dimension to an index

__all__ = [
    "Tensor",
    "__config__",
    "__version__",
    "autograd",
    "channels_last",
    "channels_last_3d",
    "contiguous_format",
    "device",
    "e",
    "enable_grad",
    "get_printoptions",
    "inf",
    "inference_mode",
    "is_tensor",
    "layout",
    "memory_format",
    "memory_stats",
    "nan",
    "newaxis",
    "no_grad",
    "pi",
    "preserve_format",
    "printoptions",
    "return_types",
    "set_grad_enabled",
    "set_printoptions",
    "strided",
]
__all__ += [name for name in (*MODULES, *_MODULE_OF) if not name.startswith("_")]
__all__ += _legacy.__all__ + _tensor_rest.__all__
__all__ += _C.__all__
