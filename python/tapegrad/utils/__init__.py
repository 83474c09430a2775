"""Helpers around the engine: data loading, hooks and activation checkpointing."""

from . import checkpoint as checkpoint
from . import data, hooks

__all__ = ["checkpoint", "data", "hooks"]
