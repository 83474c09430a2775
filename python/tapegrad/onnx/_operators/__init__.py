"""How operators become ONNX nodes: one table, from their names to functions.

A converter takes the graph and the arguments of the operator, tensors of the run among them, and
gives the names of the values that stand for its results.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import activations, elementwise, images, layers, recurrent, reductions, shapes

__all__ = ["CONVERTERS"]

CONVERTERS: dict[str, Callable[..., Any]] = {
    **elementwise.CONVERTERS,
    **activations.CONVERTERS,
    **reductions.CONVERTERS,
    **shapes.CONVERTERS,
    **layers.CONVERTERS,
    **images.CONVERTERS,
    **recurrent.CONVERTERS,
}
