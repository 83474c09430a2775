"""Larger images, under the name that PyTorch's file has."""

from __future__ import annotations

from .images import Upsample as Upsample
from .images import UpsamplingBilinear2d as UpsamplingBilinear2d
from .images import UpsamplingNearest2d as UpsamplingNearest2d

__all__ = ["Upsample", "UpsamplingBilinear2d", "UpsamplingNearest2d"]
