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
                E(lambda t: t.ones(1, 2, 2) @ t.ones(1, 2, 2, dtype=t.float64), RuntimeError,
                  "expected scalar type Float but found Double"),
                E(lambda t: t.ones(2, 2) @ t.ones(2, dtype=t.int64), RuntimeError,
                  "addmv input tensors must have the same dtype, but got Long, Float, and Long"),
                E(lambda t: t.inner(t.ones(2, 2), t.ones(2, 2, dtype=t.float64)), RuntimeError,
                  "both inputs should have same dtype"),
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


def scaled(product: Any) -> Any:
    """beta * x + alpha * product, of which a factor of zero leaves out its part."""

    def ref(x: Any, a: Any, b: Any, beta: float = 1, alpha: float = 1) -> Any:
        whole = np.asarray(x).dtype.kind in "iu"
        by, times = (int(beta), int(alpha)) if whole else (beta, alpha)
        value = product(a, b)
        out = value * times if times else np.zeros_like(value)
        return np.asarray(out + x * by if by else out + np.zeros_like(x)) if by else np.asarray(out)

    return ref


def scaled_samples(shape: tuple, left: tuple, right: tuple) -> Samples:
    def samples(m: Make) -> Iterable[Sample]:
        for own in (shape, shape[-1:], (1,)):
            yield S(m(*own), m(*left), m(*right))
        yield S(m(*shape), m(*left), m(*right), beta=2, alpha=3)
        yield S(m(*shape), m(*left), m(*right), beta=0)
        yield S(m(*shape), m(*left), m(*right), alpha=0)
        if m.dtype in FLOATS:
            yield S(m(*shape), m(*left), m(*right), beta=0.5, alpha=-2.5)
            yield S(Const(np.full(shape, np.nan, m.dtype)), m(*left), m(*right), beta=0)

    return samples


add_row("addmv", scaled(np.matmul), scaled_samples((2,), (2, 3), (3,)), **PRODUCT,
        large=lambda m: [S(m(3001), m(3001, 1003), m(1003))],
        errors=(E(lambda t: t.addmv(t.ones(2), t.ones(3, 3), t.ones(3)), RuntimeError,
                  "size mismatch, got input (2), mat (3x3), vec (3)"),
                E(lambda t: t.addmv(t.ones(3), t.ones(3), t.ones(3)), RuntimeError,
                  "vector + matrix @ vector expected, got 1, 1, 1"),
                E(lambda t: t.addmv(t.ones(3), t.ones(3, 3), t.ones(3, dtype=t.float64)), RuntimeError,
                  "addmv input tensors must have the same dtype, but got Float, Float, and Double")))
add_row("addr", scaled(np.outer), scaled_samples((2, 3), (2,), (3,)), **PRODUCT,
        large=lambda m: [S(m(301, 1003), m(301), m(1003))],
        errors=(E(lambda t: t.addr(t.ones(3), t.ones(3, 3), t.ones(3)), RuntimeError,
                  "addr: Expected 1-D argument vec1, but got 2-D"),
                E(lambda t: t.addr(t.ones(2), t.ones(3), t.ones(3)), RuntimeError,
                  "The expanded size of the tensor (3) must match the existing size (2) at non-singleton dimension "
                  "1.  Target sizes: [3, 3].  Tensor sizes: [2]")))
add_row("baddbmm", scaled(np.matmul), scaled_samples((2, 3, 4), (2, 3, 2), (2, 2, 4)), **PRODUCT,
        large=lambda m: [S(m(40, 50), m(9, 40, 30), m(9, 30, 50))],
        errors=(E(lambda t: t.baddbmm(t.ones(3), t.ones(2, 2, 3), t.ones(2, 2, 3)), RuntimeError,
                  "Expected size for first two dimensions of batch2 tensor to be: [2, 3] but got: [2, 2]."),
                E(lambda t: t.baddbmm(t.ones(2), t.ones(2, 2, 3), t.ones(2, 3, 2).double()), RuntimeError,
                  "expected scalar type Float but found Double")))
add_row("addbmm", scaled(lambda a, b: (a @ b).sum(0)), scaled_samples((3, 4), (2, 3, 2), (2, 2, 4)), **PRODUCT,
        large=lambda m: [S(m(40, 50), m(9, 40, 30), m(9, 30, 50))],
        errors=(E(lambda t: t.addbmm(t.ones(2, 2), t.ones(2, 2, 3), t.ones(3, 3, 2)), RuntimeError,
                  "batch1 and batch2 must have same number of batches, got 2 and 3"),
                E(lambda t: t.addbmm(t.ones(3), t.ones(2, 2, 3), t.ones(2, 2, 3)), RuntimeError,
                  "Incompatible matrix sizes for bmm (2x3 and 2x3)")))
add_row("vdot", np.vdot, pairs(((3,), (3,)), ((0,), (0,))), **PRODUCT, large=pairs(((300_001,), (300_001,))))
add_row("ger", np.outer, pairs(((3,), (2,)), ((0,), (2,))), **PRODUCT, large=pairs(((301,), (1003,))))
add_row("linalg_matmul", np.matmul, pairs(*PRODUCTS[:9]), path="linalg.matmul", **PRODUCT,
        large=pairs(((257, 311), (311, 403))))
add_row("kron", np.kron, pairs(((2,), (3,)), ((2, 3), (2,)), ((), (2, 2)), ((2, 1, 2), (3, 2)), ((0, 2), (2, 2))), **PRODUCT,
        large=pairs(((30, 40), (20, 30))))
add_row("trace", np.trace, pairs(((3, 3),), ((2, 4),), ((4, 2),), ((0, 3),)), kind="product", dtypes=NUMBERS, out="sum",
        large=pairs(((1003, 1003),)),
        errors=(E(lambda t: t.trace(t.ones(3)), RuntimeError, "trace: expected a matrix, but got tensor with dim 1"),))
CROSSED = (((3,), (3,)), ((2, 3), (2, 3)), ((2, 3), (1, 3)), ((0, 3), (0, 3)))
add_row("linalg_cross", np.cross, pairs(*CROSSED), path="linalg.cross", **PRODUCT, large=pairs(((100_003, 3), (100_003, 3))),
        errors=(E(lambda t: t.linalg.cross(t.ones(2), t.ones(2)), RuntimeError,
                  "linalg.cross: inputs dimension -1 must have length 3. Got 2 and 2"),
                E(lambda t: t.linalg.cross(t.ones(3, 3), t.ones(3)), RuntimeError,
                  "linalg.cross: inputs must have the same number of dimensions.")))
add_row("cross", lambda a, b, dim=-1: np.cross(a, b, axis=dim),
        lambda m: [S(m(2, 3), m(2, 3), dim=1), S(m(3, 2), m(3, 2), dim=0)], **PRODUCT,
        large=lambda m: [S(m(3, 100_003), m(3, 100_003), dim=0)],
        errors=(E(lambda t: t.cross(t.ones(2, 2), t.ones(2, 2)), RuntimeError, "no dimension of size 3 in input"),))
add_row("linalg_vecdot", lambda a, b, dim=-1: (a * b).sum(dim),
        lambda m: [S(m(3), m(3)), S(m(2, 3), m(2, 3)), S(m(2, 3), m(3)), S(m(2, 3), m(2, 1), dim=0), S(m(0, 3), m(0, 3))],
        path="linalg.vecdot", kind="product", tol=5, large=pairs(((301, 1003), (301, 1003))),
        errors=(E(lambda t: t.linalg.vecdot(t.ones(2), t.ones(2).double()), RuntimeError,
                  "linalg.vecdot: Expected x and y to have the same dtype, but found x of type Float and y of type "
                  "Double instead"),))


def tensordot(a: np.ndarray, b: np.ndarray, dims: Any = 2) -> np.ndarray:
    return np.tensordot(a, b, dims)


add_row("tensordot", tensordot,
        lambda m: [S(m(2, 3, 4), m(3, 4, 2)), S(m(2, 3), m(3), dims=1), S(m(2), m(3), dims=0), S(m(2, 2), m(2, 2), 2),
                   S(m(2, 3, 4), m(4, 2, 3), dims=([1, 2], [2, 0])), S(m(2, 3), m(3, 2), dims=([-1], [0])),
                   S(m(0, 3), m(3, 2), dims=1), S(m(2, 0), m(0, 2), dims=1)],
        kind="product", method=None, dtypes=NUMBERS, tol=5,
        large=lambda m: [S(m(30, 20, 40), m(20, 40, 50))],
        errors=(E(lambda t: t.tensordot(t.ones(3, 3), t.ones(2, 3), 1), RuntimeError,
                  "contracted dimensions need to match, but first has size 3 in dim -1 and second has size 2 in dim 0"),
                E(lambda t: t.tensordot(t.ones(3), t.ones(3), -1), RuntimeError,
                  "tensordot expects dims >= 0, but got dims=-1"),
                E(lambda t: t.tensordot(t.ones(3), t.ones(3), ([0], [0, 0])), RuntimeError,
                  "both dimension lists should have same length")))


def block_diag(*blocks: np.ndarray) -> np.ndarray:
    blocks = tuple(np.atleast_2d(b) for b in blocks)
    out = np.zeros(np.sum([b.shape for b in blocks], axis=0), blocks[0].dtype)
    row = column = 0
    for b in blocks:
        out[row : row + b.shape[0], column : column + b.shape[1]] = b
        row, column = row + b.shape[0], column + b.shape[1]
    return out


add_row("block_diag", block_diag, lambda m: [S(m(2, 3), m(1, 2)), S(m(2), m(), m(2, 2)), S(m(2, 0), m(1, 1))],
        kind="product", method=None, dtypes=NUMBERS, large=pairs(((300, 400), (500, 200))),
        errors=(E(lambda t: t.block_diag(t.ones(1, 2, 3)), RuntimeError,
                  "tapegrad.block_diag: Input tensors must have 2 or fewer dimensions. Input 0 has 3 dimensions"),))
add_row("vander", lambda x, N=None, increasing=False: np.vander(x, N, increasing),
        lambda m: [S(m(3)), S(m(3), N=5), S(m(3), N=1), S(m(3), N=0), S(m(2), increasing=True), S(m(0))],
        # Without gradients, which PyTorch cannot compute: tests/test_linalg.py has them.
        kind="product", method=None, dtypes=NUMBERS, out="sum", tol=5, diff=False,
        large=lambda m: [S(m(30_001, lo=-1, hi=1), N=9)],
        errors=(E(lambda t: t.vander(t.ones(2, 2)), RuntimeError, "x must be a one-dimensional tensor."),))
add_row("linalg_vander", lambda x, N=None: x[..., None] ** np.arange(N or x.shape[-1]),
        lambda m: [S(m(3)), S(m(2, 3), N=5)], path="linalg.vander", kind="product", tol=5,
        large=lambda m: [S(m(301, 103, lo=-1, hi=1), N=9)],
        errors=(E(lambda t: t.linalg.vander(t.ones(3), N=1), RuntimeError, "N must be greater than 1."),))

EQUATIONS: tuple[tuple[str, tuple[tuple[int, ...], ...]], ...] = (
    ("ij,jk->ik", ((2, 3), (3, 4))), ("ij,jk->ki", ((2, 3), (3, 4))), ("ij,kj->ik", ((2, 3), (4, 3))),
    ("ij,jk", ((2, 3), (3, 4))), ("ba", ((2, 3),)), ("ij->ji", ((2, 3),)), ("ij->j", ((2, 3),)), ("ij->", ((2, 3),)),
    ("ii->i", ((3, 3),)), ("ii", ((3, 3),)), ("i,i->", ((3,), (3,))), ("i,j->ij", ((3,), (2,))),
    ("ij,j->i", ((2, 3), (3,))), ("i,ij->j", ((2,), (2, 3))), ("ij,ij->", ((2, 3), (2, 3))),
    ("ij,ij->i", ((2, 3), (2, 3))), ("bij,bjk->bik", ((2, 3, 2), (2, 2, 3))), ("bij,jk->bik", ((2, 3, 2), (2, 3))),
    ("...ij,...jk->...ik", ((2, 1, 3, 2), (2, 2, 3))), ("...i->...", ((2, 3),)), ("i...->...", ((2, 3),)),
    ("...,...", ((2, 3), (3,))), ("iij,jk->ik", ((2, 2, 3), (3, 2))), ("ij,jk,kl->il", ((2, 3), (3, 2), (2, 2))),
    ("bi,ij,bj->b", ((2, 3), (3, 2), (2, 2))), ("abc,cbd,de->ae", ((2, 3, 2), (2, 3, 2), (2, 3))),
    ("ij,kl->", ((2, 3), (2, 2))), ("ijk,jk->i", ((2, 3, 2), (3, 2))), ("ij,jk->ik", ((2, 0), (0, 3))),
    ("ij,jk->ik", ((0, 2), (2, 3))), (" i j , jk -> ki ", ((2, 3), (3, 2))), (",i->i", ((), (3,))),
    ("aa,ab,bb->", ((2, 2), (2, 3), (3, 3))),
)
add_row("einsum", lambda equation, *x: np.einsum(equation, *x),
        lambda m: [S(equation, *(m(*s) for s in shapes)) for equation, shapes in EQUATIONS],
        kind="product", method=None, dtypes=("int64", *FLOATS), tol=5,  # one operand alone is summed up
        large=lambda m: [S("bij,bjk->bik", m(9, 40, 30), m(9, 30, 50))],
        errors=(E(lambda t: t.einsum("ij,jk", t.ones(3, 3), t.ones(2, 2)), RuntimeError,
                  "einsum(): subscript j has size 2 for operand 1 which does not broadcast with previously seen "
                  "size 3"),
                E(lambda t: t.einsum("ij", t.ones(3)), RuntimeError,
                  "einsum(): the number of subscripts in the equation (2) does not match the number of dimensions "
                  "(1) for operand 0 and no ellipsis was given"),
                E(lambda t: t.einsum("i->j", t.ones(3)), RuntimeError,
                  "einsum(): output subscript j does not appear in the equation for any input operand"),
                E(lambda t: t.einsum("ij,jk->ii", t.ones(2, 2), t.ones(2, 2)), RuntimeError,
                  "einsum(): output subscript i appears more than once in the output"),
                E(lambda t: t.einsum("i1", t.ones(2, 2)), RuntimeError,
                  "einsum(): invalid subscript given at index 1 in the equation string, subscripts must be in "
                  "[a-zA-Z]"),
                E(lambda t: t.einsum("ij,jk", t.ones(2, 2)), RuntimeError,
                  "einsum(): fewer operands were provided than specified in the equation"),
                E(lambda t: t.einsum("ij", t.ones(2, 2), t.ones(2, 2)), RuntimeError,
                  "einsum(): more operands were provided than specified in the equation"),
                E(lambda t: t.einsum("i.j", t.ones(2, 2)), RuntimeError,
                  "einsum(): found '.' for operand 0 that is not part of any ellipsis"),
                E(lambda t: t.einsum("ii", t.ones(2, 3)), RuntimeError,
                  "einsum(): subscript i is repeated for operand 0 but the sizes don't match, 3 != 2")))
