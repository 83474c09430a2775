"""Where a node was made: its line, and the module that was running."""

from __future__ import annotations

from typing import Any

from .description import Place

__all__ = ["module_of", "place_of"]


def place_of(node: Any) -> Place | None:
    """The user's line, if the node knows it."""
    trace = getattr(node, "traceback", None)
    if trace is None:
        return None
    return Place(trace.file, trace.line, trace.function or "", (trace.text or "").strip())


def module_of(node: Any) -> str:
    """The path of the module that was running, such as ``layers.2``; empty without one."""
    trace = getattr(node, "traceback", None)
    return getattr(trace, "module", None) or ""
