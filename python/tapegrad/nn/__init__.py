"""Building blocks of neural networks: modules, layers, losses and initialisation."""

from typing import TYPE_CHECKING

from .._lazy import lazy
from . import functional, init, modules, parameter, utils
from ._factory import factory_kwargs
from .modules._later import LATER
from .modules.activation import *
from .modules.attention import *
from .modules.batchnorm import *
from .modules.container import *
from .modules.convolution import *
from .modules.distance import *
from .modules.dropout import *
from .modules.embedding import *
from .modules.flatten import *
from .modules.images import *
from .modules.linear import *
from .modules.loss import *
from .modules.module import Module as Module
from .modules.normalization import *
from .modules.padding import *
from .modules.pooling import *
from .modules.rnn import *
from .modules.transformer import *
from .parameter import Buffer, Parameter, UninitializedBuffer, UninitializedParameter

if TYPE_CHECKING:
    from . import attention, common_types, grad, parallel
    from .modules.adaptive import *
    from .modules.fractional import *
    from .modules.lazy_layers import *
    from .modules.linear_cross_entropy import *
    from .modules.older import *
    from .parallel import DataParallel

_FILES = ("attention", "common_types", "grad", "parallel")
__getattr__, __dir__ = lazy(
    __name__,
    {
        **{name: name for name in _FILES},
        **{name: f"modules.{file}" for name, file in LATER.items()},
        "DataParallel": "parallel",
    },
)

__all__ = [
    "Buffer",
    "DataParallel",
    "Parameter",
    "UninitializedBuffer",
    "UninitializedParameter",
    "attention",
    "common_types",
    "factory_kwargs",
    "functional",
    "grad",
    "init",
    "modules",
    "parallel",
    "parameter",
    "utils",
]
__all__ += modules.__all__
