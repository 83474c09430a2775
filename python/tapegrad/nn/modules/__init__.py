"""The layers, by topic; each file lists its own in `__all__`."""

from ..._lazy import lazy as _lazy
from . import (
    activation,
    adaptive,
    attention,
    batchnorm,
    container,
    convolution,
    distance,
    dropout,
    embedding,
    flatten,
    fractional,
    images,
    lazy_layers,
    linear,
    linear_cross_entropy,
    loss,
    normalization,
    older,
    padding,
    pooling,
    rnn,
    transformer,
)
from .activation import *
from .adaptive import *
from .attention import *
from .batchnorm import *
from .container import *
from .convolution import *
from .distance import *
from .dropout import *
from .embedding import *
from .flatten import *
from .fractional import *
from .images import *
from .lazy_layers import *
from .linear import *
from .linear_cross_entropy import *
from .loss import *
from .module import Module
from .normalization import *
from .older import *
from .padding import *
from .pooling import *
from .rnn import *
from .transformer import *

__all__ = [
    "Module",
    *activation.__all__,
    *adaptive.__all__,
    *attention.__all__,
    *batchnorm.__all__,
    *container.__all__,
    *convolution.__all__,
    *distance.__all__,
    *dropout.__all__,
    *embedding.__all__,
    *flatten.__all__,
    *fractional.__all__,
    *images.__all__,
    *lazy_layers.__all__,
    *linear.__all__,
    *linear_cross_entropy.__all__,
    *loss.__all__,
    *normalization.__all__,
    *older.__all__,
    *padding.__all__,
    *pooling.__all__,
    *rnn.__all__,
    *transformer.__all__,
]

# The names that PyTorch's files have, where they are others.
_FILES = ("channelshuffle", "conv", "fold", "instancenorm", "pixelshuffle", "sparse", "upsampling")
__getattr__, __dir__ = _lazy(__name__, {name: name for name in (*_FILES, "lazy", "utils")})
