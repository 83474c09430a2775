"""Products of vectors and matrices."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import Any

import numpy as np

from op_reference import addmm
from op_row import Const, E, Make, S, Sample, Samples
from support import FLOATS, NUMBERS

from .build import BROADCAST, add_row

PRODUCTS: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...] = (
    ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 4)), ((3, 2, 3), (3,)),
    ((3,), (2, 3, 2)), ((2, 2, 3), (3, 2)), ((2, 3), (2, 3, 2)), ((2, 2, 3), (2, 3, 2)),
    ((1, 2, 3), (2, 3, 2)), ((2, 1, 2, 2), (2, 2, 1)), ((2, 1, 2, 2), (1, 3, 2, 2)), ((1, 1), (1, 1)),
    ((3, 1), (1, 2)), ((2, 0), (0, 3)), ((0, 3), (3, 2)), ((2, 0, 3), (3, 2)), ((0, 2, 3), (3, 2)),
    ((0,), (0,)),
)
PRODUCT: dict[str, Any] = {"kind": "product", "dtypes": NUMBERS, "tol": 5}


def pairs(*shapes: tuple) -> Samples:
    return lambda m: [S(*(m(*s) for s in group)) for group in shapes]


add_row("matmul", np.matmul, pairs(*PRODUCTS), symbol=operator.matmul,
        large=pairs(((257, 311), (311, 403)), ((7, 65, 130), (130, 67)), ((3001, 1003), (1003,)),
                    ((9, 40, 30), (9, 30, 50)), ((100_003,), (100_003,))),
        errors=(E(lambda t: t.ones(2, 3) @ t.ones(2, 3), RuntimeError,
                  "mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)"),
                E(lambda t: t.ones(2, 3) @ t.ones(2), RuntimeError,
                  "size mismatch, got input (2), mat (2x3), vec (2)"),
                E(lambda t: t.ones(2, 3, 4) @ t.ones(3, 4, 5), RuntimeError, BROADCAST),
                E(lambda t: t.ones(2, 3, 4) @ t.ones(2, 5, 5), RuntimeError,
                  "Expected size for first two dimensions of batch2 tensor to be: [2, 4] but got: "
                  "[2, 5]."),
                E(lambda t: t.ones(2) @ t.tensor(1.0), RuntimeError,
                  "both arguments to matmul need to be at least 1D, but they are 1D and 0D"),
                E(lambda t: t.ones(2, 2) @ t.ones(2, 2, dtype=t.float64), RuntimeError,
                  "expected m1 and m2 to have the same dtype, but got: float != double"),
                E(lambda t: t.ones(2) @ 2, TypeError, "unsupported operand type(s) for @: 'Tensor' and 'int'")),
        **PRODUCT)
add_row("mm", np.matmul, pairs(((2, 3), (3, 4)), ((2, 0), (0, 3)), ((0, 2), (2, 1))), **PRODUCT,
        errors=(E(lambda t: t.ones(2, 3).mm(t.ones(2, 3)), RuntimeError,
                  "mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)"),
                E(lambda t: t.ones(2, 3).mm(t.ones(3)), RuntimeError, "mat2 must be a matrix")))
add_row("bmm", np.matmul, pairs(((2, 2, 3), (2, 3, 2)), ((0, 2, 3), (0, 3, 2)), ((2, 2, 0), (2, 0, 2))),
        **PRODUCT, large=pairs(((9, 40, 60), (9, 60, 50))),
        errors=(E(lambda t: t.ones(2, 3, 4).bmm(t.ones(3, 4, 5)), RuntimeError,
                  "Expected size for first two dimensions of batch2 tensor to be: [2, 4] but got: "
                  "[3, 4]."),))
add_row("mv", np.matmul, pairs(((2, 3), (3,)), ((0, 3), (3,)), ((2, 0), (0,))), **PRODUCT,
        errors=(E(lambda t: t.ones(2, 3).mv(t.ones(2)), RuntimeError,
                  "size mismatch, got input (2), mat (2x3), vec (2)"),))
add_row("dot", np.dot, pairs(((3,), (3,)), ((0,), (0,))), **PRODUCT,
        errors=(E(lambda t: t.dot(t.ones(2), t.ones(3)), RuntimeError,
                  "inconsistent tensor size, expected tensor [2] and src [3] to have the same number "
                  "of elements, but got 2 and 3 elements respectively"),))
add_row("inner", np.inner, pairs(((3,), (3,)), ((2, 3), (3,)), ((3,), (4, 3)), ((2, 3), (4, 3)), ((2, 2, 3), (3, 3)), ((3,), (2, 4, 3)), ((2, 3), (2, 1, 3)),
                                 ((), (2,)), ((2, 3), ()), ((), ()), ((2, 0), (3, 0)), ((0, 3), (2, 3))),
        **PRODUCT, large=pairs(((257, 311), (403, 311)), ((100_003,), (100_003,))),
        errors=(E(lambda t: t.inner(t.ones(2, 3), t.ones(4, 2)), RuntimeError, ""),))
add_row("outer", np.outer, pairs(((3,), (2,)), ((0,), (2,))), **PRODUCT)


def sums_with_products(m: Make) -> Iterable[Sample]:
    def s(*shape: int, **factors: float) -> Sample:
        return S(m(*shape), m(2, 3), m(3, 4), **factors)

    yield from (s(2, 4), s(4), s(2, 1), s(), S(m(2), m(0, 3), m(3, 2)), S(m(2), m(3, 0), m(0, 2)))
    yield from (s(4, beta=2, alpha=3), s(4, beta=0), s(2, 4, alpha=0), s(2, 4, beta=0, alpha=0))
    yield from (s(4, beta=2.0, alpha=True), s(4, beta=2.5), s(4, alpha=0.5))
    if m.dtype in FLOATS:
        nothing = np.full((2, 4), np.nan, m.dtype)
        yield S(Const(nothing), m(2, 3), m(3, 4), beta=0)
        yield S(m(2, 4), Const(nothing[:, :3]), Const(nothing[:1].repeat(3, 0)), alpha=0)
        yield s(4, beta=0.5, alpha=-2)


def _addmm(*dtypes: str, **factors: Any) -> Any:
    """addmm of ones with these dtypes."""
    return lambda t: t.addmm(*(t.ones(2, 2, dtype=getattr(t, d)) for d in dtypes), **factors)


add_row("addmm", addmm, sums_with_products,
        **PRODUCT, large=lambda m: [S(m(403), m(257, 311), m(311, 403))],
        errors=(E(lambda t: t.addmm(t.ones(3), t.ones(2, 3), t.ones(2, 3)), RuntimeError,
                  "mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)"),
                *(E(lambda t, k=k: t.addmm(t.ones(3), t.ones(2, 3), t.ones(3, 4), **k), RuntimeError,
                    "The expanded size of the tensor (4) must match the existing size (3) at non-singleton "
                    "dimension 1.  Target sizes: [2, 4].  Tensor sizes: [3]") for k in ({}, {"beta": 0})),
                E(lambda t: t.addmm(t.ones(3), t.ones(3), t.ones(3, 4)), RuntimeError,
                  "mat1 must be a matrix, got 1-D tensor"),
                E(lambda t: t.addmm(t.ones(3), t.ones(2, 3), t.ones(3)), RuntimeError,
                  "mat2 must be a matrix, got 1-D tensor"),
                E(_addmm("float64", "float32", "float32", beta=0), RuntimeError,
                  "self and mat2 must have the same dtype, but got Double and Float"),
                E(_addmm("float32", "int64", "float32"), RuntimeError,
                  "mat1 and mat2 must have the same dtype, but got Long and Float"),
                E(_addmm("int64", "int64", "int64", beta=float("nan")), RuntimeError,
                  "value cannot be converted to type int64_t without overflow"),
                E(_addmm("bool", "bool", "bool"), NotImplementedError,
                  "\"addmm_impl_cpu_\" not implemented for 'Bool'")))
add_row("linear", lambda x, w, b=0.0: x @ w.T + b, path="nn.functional.linear",
        samples=pairs(((2, 3), (4, 3), (4,)), ((2, 3), (4, 3)), ((3,), (4, 3), (4,)),
                      ((2, 2, 3), (2, 3), (2,)), ((2, 2, 3), (2, 3)), ((0, 3), (2, 3), (2,)),
                      ((2, 0), (2, 0), (2,)), ((3,), (3,))),
        kind="product", tol=5, large=pairs(((257, 311), (403, 311), (403,))),
        errors=(E(lambda t: t.nn.functional.linear(t.ones(2, 3), t.ones(4, 5)), RuntimeError,
                  "mat1 and mat2 shapes cannot be multiplied (2x3 and 5x4)"),
                E(lambda t: t.nn.functional.linear(t.ones(2, 3), t.ones(4, 3), t.ones(5)), RuntimeError,
                  "The expanded size of the tensor (4) must match the existing size (5) at "
                  "non-singleton dimension 1.  Target sizes: [2, 4].  Tensor sizes: [5]")))
