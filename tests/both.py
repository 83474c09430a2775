"""Tests that run on this library and, where PyTorch is installed, on PyTorch too: `@both`."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest

import tapegrad


def _libraries() -> list[Any]:
    if importlib.util.find_spec("torch") is None:
        return [tapegrad]
    import torch

    return [tapegrad, torch]


both = pytest.mark.parametrize("lib", _libraries(), ids=lambda lib: lib.__name__)


def leaf(lib: Any, *values: float) -> Any:
    """A leaf with these values; one value makes a scalar."""
    data = values[0] if len(values) == 1 else list(values)
    return lib.tensor(data, requires_grad=True, dtype=lib.float64)


def function(lib: Any, forward: Any, backward: Any = None, name: str = "Made") -> Any:
    """A Function made of two plain functions."""
    members = {"forward": staticmethod(forward)}
    if backward is not None:
        members["backward"] = staticmethod(backward)
    return type(lib.autograd.Function)(name, (lib.autograd.Function,), members)
