"""The layers, by topic; each file lists its own in `__all__`."""

from typing import TYPE_CHECKING

from ..._lazy import lazy as _lazy
from . import (
    activation,
    attention,
    batchnorm,
    container,
    convolution,
    distance,
    dropout,
    embedding,
    flatten,
    images,
    linear,
    loss,
    normalization,
    padding,
    pooling,
    rnn,
    transformer,
)
from ._later import LATER
from .activation import *
from .attention import *
from .batchnorm import *
from .container import *
from .convolution import *
from .distance import *
from .dropout import *
from .embedding import *
from .flatten import *
from .images import *
from .linear import *
from .loss import *
from .module import Module
from .normalization import *
from .padding import *
from .pooling import *
from .rnn import *
from .transformer import *

if TYPE_CHECKING:
    from .adaptive import *
    from .fractional import *
    from .lazy_layers import *
    from .linear_cross_entropy import *
    from .older import *

__all__ = ["Module"]
__all__ += activation.__all__
__all__ += attention.__all__
__all__ += batchnorm.__all__
__all__ += container.__all__
__all__ += convolution.__all__
__all__ += distance.__all__
__all__ += dropout.__all__
__all__ += embedding.__all__
__all__ += flatten.__all__
__all__ += images.__all__
__all__ += linear.__all__
__all__ += loss.__all__
__all__ += normalization.__all__
__all__ += padding.__all__
__all__ += pooling.__all__
__all__ += rnn.__all__
__all__ += transformer.__all__
if TYPE_CHECKING:  # the names of LATER, as pyright understands it
    from . import adaptive, fractional, lazy_layers, linear_cross_entropy, older

    __all__ += adaptive.__all__  # type: ignore[has-type]
    __all__ += fractional.__all__  # type: ignore[has-type]
    __all__ += lazy_layers.__all__  # type: ignore[has-type]
    __all__ += linear_cross_entropy.__all__  # type: ignore[has-type]
    __all__ += older.__all__  # type: ignore[has-type]
else:
    __all__ += LATER

# Where PyTorch has classes that other files have here.
activation.MultiheadAttention = attention.MultiheadAttention  # type: ignore[attr-defined]
normalization.LocalResponseNorm = images.LocalResponseNorm  # type: ignore[attr-defined]

# The names that PyTorch's files have, where they are others.
_FILES = ("channelshuffle", "conv", "fold", "instancenorm", "pixelshuffle", "sparse", "upsampling")
_LATER_FILES = (*_FILES, *sorted(set(LATER.values())), "lazy", "utils")
__getattr__, __dir__ = _lazy(__name__, {**{name: name for name in _LATER_FILES}, **LATER})
