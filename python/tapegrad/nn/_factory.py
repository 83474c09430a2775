"""The arguments of layers that say where and of which type parameters are made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["factory_kwargs"]


def factory_kwargs(kwargs: Mapping[str, Any] | None) -> dict[str, Any]:
    """The keyword arguments ``device``, ``dtype`` and ``memory_format``, as functions take them.

    Args:
        kwargs: a layer's own, or ``{"factory_kwargs": ...}``, or parts of both.

    Raises:
        TypeError: for other names, and for one that is given twice.

    Example:
        >>> from tapegrad import nn
        >>> nn.factory_kwargs({"dtype": None, "factory_kwargs": {"device": "cpu"}})
        {'device': 'cpu', 'dtype': None}
    """
    if kwargs is None:
        return {}
    names = {"device", "dtype", "memory_format"}
    unknown = set(kwargs) - names - {"factory_kwargs"}
    if unknown:
        raise TypeError(f"unexpected kwargs {unknown}")
    result = dict(kwargs.get("factory_kwargs", {}))
    for name in sorted(names & set(kwargs)):
        if name in result:
            raise TypeError(f"{name} specified twice, in **kwargs and in factory_kwargs")
        result[name] = kwargs[name]
    return result
