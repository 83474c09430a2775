"""One row per operator: how to call it, what it should give, and what it refuses.

The suites `test_ops_*.py`, `test_inplace.py` and `test_errors.py` run over this table. Adding an
operator is adding a row; an operator of the library that no row covers fails `test_ops_values.py`.

A row's `call(lib, *args)` takes the library as its first argument, so that the same row also runs
on PyTorch. References are NumPy functions, fed with float64 copies of the inputs.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from op_row import Op

from . import (  # noqa: F401  (each adds its rows)
    activations,
    arranging,
    counting,
    elementwise,
    indexing,
    linalg,
    losses,
    normalization,
    products,
    questions,
    reductions,
    shapes,
    sorting,
    special,
)
from .build import TABLE
from .elsewhere import ELSEWHERE, NOT_OPERATORS

__all__ = ["BY_NAME", "ELSEWHERE", "NOT_OPERATORS", "TABLE", "rows", "untested"]
BY_NAME = {op.name: op for op in TABLE}


def rows(*, kinds: Iterable[str] = (), **attributes: Any) -> list[Op]:
    """Rows of some kinds and with some attribute values, for parametrize."""
    kinds = tuple(kinds)
    return [
        op
        for op in TABLE
        if (not kinds or op.kind in kinds)
        and all(bool(getattr(op, k)) == v for k, v in attributes.items())
    ]


def untested(names: Iterable[str]) -> list[str]:
    """Those of the operators that neither a row nor another file tests."""
    tested = {*BY_NAME, *ELSEWHERE}
    for op in TABLE:
        tested |= {op.inplace, op.method, *op.aliases}
        tested |= {f"{alias}_" for alias in op.aliases if op.inplace}
    return sorted(set(names) - tested)
