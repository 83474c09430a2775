"""Channels as pixels, under the name that PyTorch's file has."""

from __future__ import annotations

from .images import PixelShuffle as PixelShuffle
from .images import PixelUnshuffle as PixelUnshuffle

__all__ = ["PixelShuffle", "PixelUnshuffle"]
