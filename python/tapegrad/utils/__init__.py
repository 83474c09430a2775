"""Helpers around the engine: data loading, hooks and activation checkpointing."""

from typing import TYPE_CHECKING

from .._lazy import lazy

if TYPE_CHECKING:
    from . import checkpoint, data, dlpack, hooks

__all__ = ["checkpoint", "data", "dlpack", "hooks"]

__getattr__, __dir__ = lazy(__name__, {name: name for name in __all__})
