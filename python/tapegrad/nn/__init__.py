"""Building blocks of neural networks: modules, layers, losses and initialisation."""

from . import functional, init, modules, parameter, utils
from .modules.activation import *
from .modules.batchnorm import *
from .modules.container import *
from .modules.dropout import *
from .modules.flatten import *
from .modules.linear import *
from .modules.loss import *
from .modules.module import Module as Module
from .modules.normalization import *
from .parameter import Buffer, Parameter

__all__ = [
    "Buffer",
    "Parameter",
    "functional",
    "init",
    "modules",
    "parameter",
    "utils",
]
__all__ += modules.__all__
