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
    from . import (
        accelerator,
        amp,
        backends,
        compiler,
        cpu,
        cuda,
        distributed,
        distributions,
        functional as functional,
        jit,
        linalg,
        mps,
        multiprocessing as multiprocessing,
        nn,
        optim,
        overrides as overrides,
        profiler as profiler,
        random as random,
        serialization as serialization,
        special,
        testing as testing,
        torch as torch,
        torch_version as torch_version,
        types as types,
        utils,
        version as version,
        xpu,
    )
    from ._absent_device import AcceleratorError, OutOfMemoryError
    from ._limits import finfo, iinfo
    from ._questions import (
        compiled_with_cxx11_abi,
        get_device,
        is_conj,
        is_distributed,
        is_neg,
        is_signed,
        is_storage,
        is_vulkan_available,
    )
    from ._settings import (
        are_deterministic_algorithms_enabled,
        get_default_device,
        get_deterministic_debug_mode,
        get_device_module,
        get_float32_matmul_precision,
        get_num_interop_threads,
        is_deterministic_algorithms_warn_only_enabled,
        is_warn_always_enabled,
        set_default_device,
        set_deterministic_debug_mode,
        set_float32_matmul_precision,
        set_flush_denormal,
        set_num_interop_threads,
        set_warn_always,
        use_deterministic_algorithms,
    )
    from .amp import GradScaler, autocast
    from .amp.autocast_mode import get_autocast_dtype, is_autocast_cpu_enabled, is_autocast_enabled
    from .compiler import compile
    from .serialization import load, save
    from .utils._names import typename
    from ._ops import ops

# Modules, and where other names are, that are loaded when a program asks for them.
_MODULES = (
    "accelerator",
    "amp",
    "backends",
    "compiler",
    "cpu",
    "cuda",
    "distributed",
    "distributions",
    "functional",
    "jit",
    "linalg",
    "mps",
    "multiprocessing",
    "nn",
    "optim",
    "overrides",
    "profiler",
    "random",
    "serialization",
    "special",
    "testing",
    "torch",
    "torch_version",
    "types",
    "utils",
    "version",
    "xpu",
)
_PLACES = {
    "_absent_device": (
        "AcceleratorError",
        "OutOfMemoryError",
    ),
    "_limits": (
        "finfo",
        "iinfo",
    ),
    "_questions": (
        "compiled_with_cxx11_abi",
        "get_device",
        "is_conj",
        "is_distributed",
        "is_neg",
        "is_signed",
        "is_storage",
        "is_vulkan_available",
    ),
    "_settings": (
        "are_deterministic_algorithms_enabled",
        "get_default_device",
        "get_deterministic_debug_mode",
        "get_device_module",
        "get_float32_matmul_precision",
        "get_num_interop_threads",
        "is_deterministic_algorithms_warn_only_enabled",
        "is_warn_always_enabled",
        "set_default_device",
        "set_deterministic_debug_mode",
        "set_float32_matmul_precision",
        "set_flush_denormal",
        "set_num_interop_threads",
        "set_warn_always",
        "use_deterministic_algorithms",
    ),
    "amp": (
        "GradScaler",
        "autocast",
    ),
    "amp.autocast_mode": (
        "get_autocast_dtype",
        "is_autocast_cpu_enabled",
        "is_autocast_enabled",
    ),
    "compiler": ("compile",),
    "serialization": (
        "load",
        "save",
    ),
    "utils._names": ("typename",),
    "_ops": ("ops",),
}
__getattr__, __dir__ = lazy(
    __name__,
    {name: name for name in _MODULES}
    | {name: place for place, names in _PLACES.items() for name in names},
)

newaxis = None  # what adds a dimension to an index

__all__ = [
    "AcceleratorError",
    "GradScaler",
    "OutOfMemoryError",
    "Tensor",
    "__config__",
    "__version__",
    "accelerator",
    "amp",
    "are_deterministic_algorithms_enabled",
    "autocast",
    "autograd",
    "backends",
    "channels_last",
    "channels_last_3d",
    "compile",
    "compiled_with_cxx11_abi",
    "compiler",
    "contiguous_format",
    "cpu",
    "cuda",
    "device",
    "distributed",
    "distributions",
    "e",
    "enable_grad",
    "finfo",
    "get_autocast_dtype",
    "get_default_device",
    "get_deterministic_debug_mode",
    "get_device",
    "get_device_module",
    "get_float32_matmul_precision",
    "get_num_interop_threads",
    "get_printoptions",
    "iinfo",
    "inf",
    "inference_mode",
    "is_autocast_cpu_enabled",
    "is_autocast_enabled",
    "is_conj",
    "is_deterministic_algorithms_warn_only_enabled",
    "is_distributed",
    "is_neg",
    "is_signed",
    "is_storage",
    "is_tensor",
    "is_vulkan_available",
    "is_warn_always_enabled",
    "jit",
    "layout",
    "linalg",
    "load",
    "memory_format",
    "memory_stats",
    "mps",
    "nan",
    "newaxis",
    "nn",
    "no_grad",
    "ops",
    "optim",
    "pi",
    "preserve_format",
    "printoptions",
    "return_types",
    "save",
    "set_default_device",
    "set_deterministic_debug_mode",
    "set_float32_matmul_precision",
    "set_flush_denormal",
    "set_grad_enabled",
    "set_num_interop_threads",
    "set_printoptions",
    "set_warn_always",
    "special",
    "strided",
    "typename",
    "use_deterministic_algorithms",
    "utils",
    "xpu",
]
__all__ += _legacy.__all__
__all__ += _C.__all__
