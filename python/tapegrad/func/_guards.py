"""What has to look at its arguments while a transform runs and is no operator.

Indexing and questions, that is. A mode does not see them, so that they are exchanged as long as a
level is there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import tapegrad

from .. import _C
from .._C import Tensor

__all__ = ["QUESTIONS", "install", "remove"]

# Functions that read values, and are no operators.
QUESTIONS = ("allclose", "equal", "is_nonzero", "unique", "unique_consecutive")
FORWARD_WRITE = (
    "forward mode: a tensor that shares its memory with others, or that has no tangent, cannot be "
    "written by one with a tangent. Use the operator without the underscore."
)
_lock = threading.Lock()
_count = 0
_exchanged: list[tuple[Any, str, Any, Any]] = []  # owner, name, what it is, what it becomes


def _guarded_question(original: Callable[..., Any]) -> Callable[..., Any]:
    def question(*args: Any, **kwargs: Any) -> Any:
        from ._levels import CONTROL_FLOW, VmapError, is_batched

        if any(map(is_batched, args)) or any(map(is_batched, kwargs.values())):
            raise VmapError(CONTROL_FLOW)
        return original(*args, **kwargs)

    return question


def _getitem(original: Callable[..., Any]) -> Callable[..., Any]:
    def getitem(self: Tensor, index: Any) -> Any:
        from ._batching.indexing import getitem_of_level, level_of_index

        level = level_of_index(self, index)
        return original(self, index) if level is None else getitem_of_level(level, self, index)

    return getitem


def _setitem(original: Callable[..., Any]) -> Callable[..., Any]:
    def setitem(self: Tensor, index: Any, value: Any) -> None:
        from ._batching.indexing import level_of_index, setitem_of_level

        if hasattr(value, "_tangent") and not hasattr(self, "_tangent"):
            raise RuntimeError(FORWARD_WRITE)
        level = level_of_index(self, index, value)
        if level is None:
            original(self, index, value)
        else:
            setitem_of_level(level, self, index, value)

    return setitem


def _prepare() -> None:
    makers = [("__getitem__", _getitem), ("__setitem__", _setitem)]
    places: list[tuple[Any, str, Any]] = [(Tensor, name, make) for name, make in makers]
    for owner in (_C, tapegrad, Tensor):
        places += [(owner, name, _guarded_question) for name in QUESTIONS]
    for owner, name, make in places:
        original = getattr(owner, name)
        _exchanged.append((owner, name, original, make(original)))


def install() -> None:
    global _count
    with _lock:
        _count += 1
        if _count > 1:
            return
        if not _exchanged:
            _prepare()
        for owner, name, _, guarded in _exchanged:
            setattr(owner, name, guarded)


def remove() -> None:
    global _count
    with _lock:
        _count -= 1
        if _count == 0:
            for owner, name, original, _ in _exchanged:
                setattr(owner, name, original)
