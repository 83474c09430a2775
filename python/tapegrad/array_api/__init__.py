"""The namespace of the Python array API standard, for tensors.

Libraries that are written for any kind of array ask ``x.__array_namespace__()`` and get this
module. Its functions have the standard's names, parameters and promotion of dtypes; what they
compute is what tapegrad's operators compute, gradients included.

The standard: https://data-apis.org/array-api/2024.12

What is not here, as tapegrad has no such dtypes: ``uint16``, ``uint32``, ``uint64`` and complex
numbers, and with them ``imag`` and the extension ``fft``. ``x.size`` is a method, as in PyTorch.

Example:
    >>> import tapegrad
    >>> x = tapegrad.tensor([[3.0, 1.0], [2.0, 4.0]])
    >>> xp = x.__array_namespace__()
    >>> xp.sum(x, axis=1), xp.sort(x, axis=-1, descending=True)
    (tensor([4., 6.]), tensor([[3., 1.],
            [4., 2.]]))
"""

from __future__ import annotations

from math import e, inf, nan, pi

from .. import bool, float32, float64, int8, int16, int32, int64, uint8
from . import linalg
from ._arrays import *
from ._creation import *
from ._dtypes import *
from ._elementwise import *
from ._reductions import *
from .linalg import matmul, matrix_transpose, tensordot, vecdot

__array_api_version__ = "2024.12"
newaxis = None
