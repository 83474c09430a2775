"""What libraries ask PyTorch's compiled module for, beside the operators: ``torch._C``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["ANSWERS"]


def _nothing(*args: Any) -> None:
    return None


def _no(*args: Any) -> bool:
    return False


# Functions that answer that nothing of the kind goes on.
ANSWERS: dict[str, Callable[..., Any]] = {
    "_get_tracing_state": _nothing,
    "_log_api_usage_once": _nothing,
    "_is_tracing": _no,
    "_jit_set_profiling_executor": _no,
    "_jit_set_profiling_mode": _no,
}
