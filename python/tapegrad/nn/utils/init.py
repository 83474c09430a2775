"""Modules without initialisation."""

from __future__ import annotations

import inspect
from typing import Any, TypeVar

import tapegrad

from .. import init
from ..module import Module

__all__ = ["skip_init"]

M = TypeVar("M", bound=Module)


def skip_init(module_cls: type[M], *args: Any, **kwargs: Any) -> M:
    """Make a module whose parameters have no values yet.

    The functions of :mod:`tapegrad.nn.init` do nothing meanwhile, and the random generator is as
    before afterwards.

    Args:
        module_cls: the class, which takes a `device`.
        *args: what it takes.
        **kwargs: what it takes.

    Raises:
        RuntimeError: if it is no module, or takes no `device`.

    Example:
        >>> import tapegrad
        >>> layer = tapegrad.nn.utils.skip_init(tapegrad.nn.Linear, 3, 2)
        >>> tuple(layer.weight.shape)
        (2, 3)
    """
    if not issubclass(module_cls, Module):
        raise RuntimeError(f"Expected a Module; got {module_cls}")
    if "device" not in inspect.signature(module_cls).parameters:
        raise RuntimeError("Module must support a 'device' arg to skip initialization")
    state = tapegrad.get_rng_state()
    try:
        with init.skipped():
            return module_cls(*args, **kwargs)
    finally:
        tapegrad.set_rng_state(state)
