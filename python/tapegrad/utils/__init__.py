"""Helpers around the engine: data loading, hooks and activation checkpointing."""

from typing import TYPE_CHECKING

from .._lazy import lazy

if TYPE_CHECKING:
    from . import backcompat, benchmark, checkpoint, data, deterministic, dlpack, hooks
    from ._swap import swap_tensors

_MODULES = ("backcompat", "benchmark", "checkpoint", "data", "deterministic", "dlpack", "hooks")

__all__ = [
    "backcompat",
    "benchmark",
    "checkpoint",
    "data",
    "deterministic",
    "dlpack",
    "hooks",
    "swap_tensors",
]

__getattr__, __dir__ = lazy(
    __name__, {**{name: name for name in _MODULES}, "swap_tensors": "_swap"}
)
