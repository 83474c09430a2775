"""The layers, by topic; each file lists its own in `__all__`."""

from . import (
    activation,
    attention,
    batchnorm,
    container,
    distance,
    dropout,
    embedding,
    flatten,
    linear,
    loss,
    normalization,
    rnn,
    transformer,
)
from .activation import *
from .attention import *
from .batchnorm import *
from .container import *
from .distance import *
from .dropout import *
from .embedding import *
from .flatten import *
from .linear import *
from .loss import *
from .normalization import *
from .rnn import *
from .transformer import *

__all__ = (
    activation.__all__
    + attention.__all__
    + batchnorm.__all__
    + container.__all__
    + distance.__all__
    + dropout.__all__
    + embedding.__all__
    + flatten.__all__
    + linear.__all__
    + loss.__all__
    + normalization.__all__
    + rnn.__all__
    + transformer.__all__
)
