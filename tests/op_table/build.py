"""How rows are added to the table, and what several topics use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from op_row import Op, Samples
from support import ALL

TABLE: list[Op] = []


def add_row(
    name: str, ref: Callable[..., Any], samples: Samples, kind: str, **options: Any
) -> None:
    path = options.pop("path", name)
    call = options.pop("call", None) or function(path)
    options.setdefault("method", None if "." in path else path)
    TABLE.append(Op(name, call, ref, samples, kind, **options))


def function(path: str) -> Callable[..., Any]:
    """A call of the library's function of this name."""

    def call(lib: Any, *args: Any, **kwargs: Any) -> Any:
        for part in path.split("."):
            lib = getattr(lib, part)
        return lib(*args, **kwargs)

    return call


KINK = (0.0,)
BOOL = ("bool",)
VIEW: dict[str, Any] = {"kind": "view", "dtypes": ALL, "view": True}

BROADCAST = ("The size of tensor a (2) must match the size of tensor b (3) at non-singleton "
             "dimension 0")
NO_SUCH_DIM = "Dimension out of range (expected to be in range of [-2, 1], but got 2)"
SIX = "index {} is out of bounds for dimension {} with size {}"
