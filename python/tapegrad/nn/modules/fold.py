"""Windows of images, under the name that PyTorch's file has."""

from __future__ import annotations

from .images import Fold as Fold
from .images import Unfold as Unfold

__all__ = ["Fold", "Unfold"]
