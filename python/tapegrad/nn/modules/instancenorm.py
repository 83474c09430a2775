"""Normalisation of each sample, under the name that PyTorch's file has."""

from __future__ import annotations

from .batchnorm import InstanceNorm1d as InstanceNorm1d
from .batchnorm import InstanceNorm2d as InstanceNorm2d
from .batchnorm import InstanceNorm3d as InstanceNorm3d
from .batchnorm import _InstanceNorm as _InstanceNorm
from .lazy_layers import LazyInstanceNorm1d as LazyInstanceNorm1d
from .lazy_layers import LazyInstanceNorm2d as LazyInstanceNorm2d
from .lazy_layers import LazyInstanceNorm3d as LazyInstanceNorm3d

__all__ = [
    "InstanceNorm1d",
    "InstanceNorm2d",
    "InstanceNorm3d",
    "LazyInstanceNorm1d",
    "LazyInstanceNorm2d",
    "LazyInstanceNorm3d",
]
