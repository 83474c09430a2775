"""Names of types as error messages show them."""

from __future__ import annotations

from typing import Any

from .._C import Tensor

__all__ = ["typename"]


def typename(obj: Any, /) -> str:
    """The full name of a type, function or module, or of an object's type.

    Tensors are named after their dtype.

    Example:
        >>> import tapegrad
        >>> tapegrad.typename(3), tapegrad.typename(tapegrad.zeros(1))
        ('int', 'tapegrad.FloatTensor')
    """
    if isinstance(obj, Tensor):
        return obj.type()
    named = obj if hasattr(obj, "__name__") else type(obj)
    name: str = getattr(named, "__qualname__", named.__name__)
    module = getattr(named, "__module__", None)
    return name if module in (None, "builtins", "__main__") else f"{module}.{name}"
