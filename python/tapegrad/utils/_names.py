"""Names of types as error messages show them."""

from __future__ import annotations

from typing import Any

from .._C import Tensor

_TENSOR_KINDS = {
    "bool": "Bool",
    "uint8": "Byte",
    "int32": "Int",
    "int64": "Long",
    "float32": "Float",
    "float64": "Double",
}


def typename(obj: Any) -> str:
    """The full name of an object's type; tensors are named after their dtype.

    >>> from tapegrad.utils._names import typename
    >>> typename(3), typename([])
    ('int', 'list')
    """
    if type(obj) is Tensor:
        kind = str(obj.dtype).rpartition(".")[2]
        return f"tapegrad.{_TENSOR_KINDS.get(kind, '')}Tensor"
    cls = obj if isinstance(obj, type) else type(obj)
    if cls.__module__ in ("builtins", "__main__"):
        return cls.__qualname__
    return f"{cls.__module__}.{cls.__qualname__}"
