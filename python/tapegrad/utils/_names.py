"""Names of types as error messages show them."""

from __future__ import annotations

from typing import Any

from .._C import Tensor


def typename(obj: Any) -> str:
    """The full name of an object's type; tensors are named after their dtype.

    >>> from tapegrad.utils._names import typename
    >>> typename(3), typename([])
    ('int', 'list')
    """
    if isinstance(obj, Tensor):
        return obj.type()
    cls = obj if isinstance(obj, type) else type(obj)
    if cls.__module__ in ("builtins", "__main__"):
        return cls.__qualname__
    return f"{cls.__module__}.{cls.__qualname__}"
