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
    elementwise,
    indexing,
    losses,
    products,
    questions,
    reductions,
    shapes,
)
from .build import TABLE

__all__ = ["BY_NAME", "ELSEWHERE", "TABLE", "rows"]
# Names that are tested elsewhere because they have no reference value or make tensors from nothing.
ELSEWHERE: dict[str, str] = {
    "rand": "test_random.py", "randn": "test_random.py", "randint": "test_random.py",
    "randperm": "test_random.py", "bernoulli": "test_random.py", "uniform_": "test_random.py",
    "normal_": "test_random.py", "bernoulli_": "test_random.py", "random_": "test_random.py",
    "zeros": "test_creation.py", "ones": "test_creation.py", "full": "test_creation.py",
    "empty": "test_creation.py", "eye": "test_creation.py", "arange": "test_creation.py",
    "linspace": "test_creation.py", "tensor": "test_creation.py", "as_tensor": "test_creation.py",
    "item": "test_creation.py", "tolist": "test_creation.py", "zero_": "test_inplace.py",
}

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
