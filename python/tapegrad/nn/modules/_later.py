"""Layers that are loaded when a program first uses one of them: few do."""

from __future__ import annotations

__all__ = ["LATER"]

_DIMS = (1, 2, 3)
_LAZY = ("BatchNorm", "Conv", "ConvTranspose", "InstanceNorm")

# name -> file
LATER = {
    "AdaptiveLogSoftmaxWithLoss": "adaptive",
    "Container": "older",
    "CrossMapLRN2d": "older",
    "FractionalMaxPool2d": "fractional",
    "FractionalMaxPool3d": "fractional",
    **{f"Lazy{kind}{dims}d": "lazy_layers" for kind in _LAZY for dims in _DIMS},
    "LazyLinear": "lazy_layers",
    "LinearCrossEntropyLoss": "linear_cross_entropy",
    "LinearCrossEntropyOptions": "linear_cross_entropy",
    "NLLLoss2d": "older",
}
