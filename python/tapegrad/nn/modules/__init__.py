"""The layers, by topic; each file lists its own in `__all__`."""

from . import activation, batchnorm, container, dropout, flatten, linear, loss, normalization
from .activation import *
from .batchnorm import *
from .container import *
from .dropout import *
from .flatten import *
from .linear import *
from .loss import *
from .module import Module
from .normalization import *

__all__ = [
    "Module",
    *activation.__all__,
    *batchnorm.__all__,
    *container.__all__,
    *dropout.__all__,
    *flatten.__all__,
    *linear.__all__,
    *loss.__all__,
    *normalization.__all__,
]
