"""Tests that run on this library and, where PyTorch is installed, on PyTorch too: `@both`."""

from __future__ import annotations

import contextlib
import importlib.util
import re
from collections.abc import Iterator
from typing import Any

import pytest

import tapegrad


def _libraries() -> list[Any]:
    if importlib.util.find_spec("torch") is None:
        return [tapegrad]
    import torch

    return [tapegrad, torch]


both = pytest.mark.parametrize("lib", _libraries(), ids=lambda lib: lib.__name__)


class Caught:
    """The exception that `raises` caught."""

    error: BaseException
    message: str


@contextlib.contextmanager
def raises(lib: Any, kind: type[BaseException], start: str = "") -> Iterator[Caught]:
    """Expect an exception whose message begins with `start`, where `tapegrad.` is lib's name."""
    want = re.sub(r"\btapegrad(?=\.)", lib.__name__, start)
    caught = Caught()
    try:
        yield caught
    except kind as error:
        caught.error, caught.message = error, str(error)
        if not caught.message.startswith(want):
            raise AssertionError(
                f"message begins with\n    {caught.message[:400]}\nexpected\n    {want}"
            ) from error
    else:
        raise AssertionError(f"expected {kind.__name__} and {start!r}, nothing was raised")


def leaf(lib: Any, *values: float) -> Any:
    """A leaf with these values; one value makes a scalar."""
    data = values[0] if len(values) == 1 else list(values)
    return lib.tensor(data, requires_grad=True, dtype=lib.float64)
