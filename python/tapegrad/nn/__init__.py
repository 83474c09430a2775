"""Building blocks of neural networks: modules, layers, losses and initialisation."""

from . import functional, init, modules, parameter, utils
from .module import Module
from .modules.activation import *
from .modules.attention import *
from .modules.batchnorm import *
from .modules.container import *
from .modules.distance import *
from .modules.dropout import *
from .modules.embedding import *
from .modules.flatten import *
from .modules.linear import *
from .modules.loss import *
from .modules.normalization import *
from .modules.rnn import *
from .modules.transformer import *
from .parameter import Buffer, Parameter

__all__ = [
    "Buffer",
    "Module",
    "Parameter",
    "functional",
    "init",
    "modules",
    "parameter",
    "utils",
]
__all__ += modules.__all__
