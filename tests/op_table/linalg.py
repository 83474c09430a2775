"""What is made of matrices: factors, solutions, spectra."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from op_row import E, Make, S, Sample, Samples
from support import FLOATS, NUMBERS

from .build import BROADCAST
from .build import add_row as add_any_row

MATRIX: dict[str, Any] = {"kind": "linalg", "dtypes": FLOATS, "tol": 200}
MANY = 4_001  # matrices that keep several threads busy


def many(samples: Samples) -> Samples:
    """The first sample many times, in one batch."""

    def large(m: Make) -> list[Sample]:
        first = next(iter(samples(m)))
        if not all(isinstance(a, np.ndarray) for a in first.args):
            return []
        args = (np.repeat(a[None], MANY, 0) for a in first.args)
        return [S(*args, **first.kwargs)]

    return large


def add_row(name: str, ref: Callable[..., Any], samples: Samples, **options: Any) -> None:
    """A row whose large inputs are batches."""
    add_any_row(name, ref, samples, **{"large": many(samples), **options})


def regular(m: Make, *shape: int) -> np.ndarray:
    """Square matrices that are far from singular, and not symmetric."""
    return np.asarray(m(*shape, lo=-0.5, hi=0.5) + shape[-1] * np.eye(shape[-1]), dtype=m.dtype)


def positive(m: Make, *shape: int) -> np.ndarray:
    x = m(*shape, lo=-0.5, hi=0.5)
    return np.asarray(x @ np.swapaxes(x, -1, -2) + np.eye(shape[-1]), dtype=m.dtype)


def apart(m: Make, *shape: int) -> np.ndarray:
    """Matrices whose singular values are apart."""
    k = min(shape[-2:])
    u, _, vh = np.linalg.svd(m(*shape[:-2], *shape[-2:]), full_matrices=False)
    return np.asarray((u * np.arange(k, 0, -1.0)) @ vh, dtype=m.dtype) if k else m(*shape)


def symmetric(m: Make, *shape: int) -> np.ndarray:
    """Symmetric matrices whose eigenvalues are apart."""
    q, _ = np.linalg.qr(m(*shape))
    return np.asarray((q * np.arange(1.0, shape[-1] + 1)) @ np.swapaxes(q, -1, -2), dtype=m.dtype)


SQUARE = ((3, 3), (1, 1), (2, 2, 2), (5, 5), (2, 1, 3, 3), (0, 0), (0, 2, 2), (2, 0, 0))
ANY = ((3, 3), (4, 2), (2, 4), (1, 1), (2, 3, 2), (2, 2, 3), (0, 2), (2, 0), (0, 3, 2))


def each(make: Callable[..., np.ndarray], shapes: Iterable[tuple], **kwargs: Any) -> Samples:
    return lambda m: [S(make(m, *shape), **kwargs) for shape in shapes]


def one(make: Callable[..., np.ndarray], *shape: int) -> Samples:
    return lambda m: [S(make(m, *shape))]


def linalg_row(name: str, ref: Callable[..., Any], samples: Samples, **options: Any) -> None:
    """The row of a function of ``linalg``."""
    add_row(f"linalg_{name}", ref, samples, **{"path": f"linalg.{name}", **MATRIX, **options})


def square_errors(name: str, text: str = "") -> tuple:
    def call(t: Any, x: Any) -> Any:
        return getattr(t.linalg, name)(x)

    text = text or f"linalg.{name}"
    return (
        E(lambda t: call(t, t.ones(2, 3)), RuntimeError,
          f"{text}: A must be batches of square matrices, but they are 2 by 3 matrices"),
        E(lambda t: call(t, t.ones(3)), RuntimeError,
          f"{text}: The input tensor A must have at least 2 dimensions."),
    )


def not_integer(name: str, text: str = "") -> tuple:
    return (E(lambda t: getattr(t.linalg, name)(t.ones(2, 2, dtype=t.int64)), RuntimeError,
              f"{text or 'linalg.' + name}: Expected a floating point or complex tensor as input. Got Long"),)


# ---------------------------------------------------------------- systems of equations

def solve_samples(m: Make) -> Iterable[Sample]:
    for batch in ((), (2,), (2, 1), (0,)):
        yield S(regular(m, *batch, 3, 3), m(*batch, 3, 2))
        yield S(regular(m, *batch, 3, 3), m(*batch, 3))
        yield S(regular(m, *batch, 2, 2), m(*batch, 4, 2), left=False)
    yield S(regular(m, 2, 3, 3), m(3))
    yield S(regular(m, 3, 3), m(2, 3, 1))
    yield S(regular(m, 2, 1, 3, 3), m(1, 2, 3, 1))
    yield S(regular(m, 9, 9), m(9, 3))
    yield S(regular(m, 0, 0), m(0, 2))
    yield S(regular(m, 3, 3), m(3, 0))


def solve(a: np.ndarray, b: np.ndarray, left: bool = True) -> np.ndarray:
    if not left:
        return np.swapaxes(solve(np.swapaxes(a, -1, -2), np.swapaxes(b, -1, -2)), -1, -2)
    if b.ndim == 1 or (b.ndim == a.ndim - 1 and b.shape == a.shape[:-1]):
        return np.linalg.solve(a, np.broadcast_to(b, a.shape[:-1])[..., None])[..., 0]
    return np.linalg.solve(a, b)


linalg_row("solve", solve, solve_samples,
           large=lambda m: [S(regular(m, 300, 12, 12), m(300, 12)), S(regular(m, 90, 90), m(90, 7)),
                            S(regular(m, 500, 4, 4), m(500, 4, 4))],
           errors=(*(E(lambda t, x=x: t.linalg.solve(t.ones(2, 2), t.ones(*x)), RuntimeError,
                       f"linalg.solve: Incompatible shapes of A and B for the equation AX = B (2x2 and {s})")
                     for x, s in (((3, 1), "3x1"), ((3,), "3x1"))),
                   E(lambda t: t.linalg.solve(t.ones(2, 2), t.ones(2)), RuntimeError,
                     "tapegrad.linalg.solve: The solver failed because the input matrix is singular."),
                   E(lambda t: t.linalg.solve(t.stack([t.eye(2), t.ones(2, 2)]), t.ones(2)), RuntimeError,
                     "tapegrad.linalg.solve: (Batch element 1): The solver failed because the input matrix is "
                     "singular."),
                   E(lambda t: t.linalg.solve(t.eye(2), t.ones(2, dtype=t.float64)), RuntimeError,
                     "linalg.solve: Expected A and B to have the same dtype, but found A of type Float and B of "
                     "type Double instead"),
                   E(lambda t: t.linalg.solve(t.ones(2, 3), t.ones(2)), RuntimeError,
                     "linalg.solve: A must be batches of square matrices, but they are 2 by 3 matrices"),
                   E(lambda t: t.linalg.solve(t.eye(2).expand(2, 2, 2), t.ones(3, 2, 1)), RuntimeError,
                     BROADCAST)))
linalg_row("solve_ex", lambda *args, **kw: (solve(*args, **kw), np.zeros(args[0].shape[:-2], np.int32)),
           solve_samples, call=lambda t, *args, **kw: tuple(t.linalg.solve_ex(*args, **kw)))
SINGULAR = ("The diagonal element 2 is zero, the inversion could not be completed because the input matrix is "
            "singular.")
linalg_row("inv", np.linalg.inv, each(regular, (*SQUARE, (9, 9), (2, 17, 17))),
           large=lambda m: [S(regular(m, 300, 12, 12)), S(regular(m, 90, 90)), S(regular(m, 500, 4, 4))],
           errors=(*square_errors("inv"), *not_integer("inv"),
                   E(lambda t: t.linalg.inv(t.ones(2, 2)), RuntimeError, f"linalg.inv: {SINGULAR}"),
                   E(lambda t: t.linalg.inv(t.stack([t.eye(2), t.ones(2, 2)])), RuntimeError,
                     f"linalg.inv: (Batch element 1): {SINGULAR}")))
linalg_row("inv_ex", lambda x: (np.linalg.inv(x), np.zeros(x.shape[:-2], np.int32)), each(regular, SQUARE),
           call=lambda t, x: tuple(t.linalg.inv_ex(x)),
           errors=(E(lambda t: t.linalg.inv_ex(t.ones(2, 2), check_errors=True), RuntimeError,
                     f"linalg.inv_ex: {SINGULAR}"),))
add_row("inverse", np.linalg.inv, each(regular, SQUARE), **MATRIX)


def triangle(a: np.ndarray, upper: bool, unitriangular: bool = False) -> np.ndarray:
    a = np.triu(a) if upper else np.tril(a)
    if unitriangular:
        a = np.where(np.eye(a.shape[-1], dtype=bool), 1.0, a)
    return a


def solve_triangular(a: np.ndarray, b: np.ndarray, upper: bool, left: bool = True,
                     unitriangular: bool = False) -> np.ndarray:
    a = triangle(a, upper, unitriangular)
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a, b = (np.broadcast_to(x, batch + x.shape[-2:]) for x in (a, b))
    return solve(a, b, left)


def triangular_samples(m: Make) -> Iterable[Sample]:
    for upper in (True, False):
        for unit in (True, False):
            yield S(regular(m, 3, 3), m(3, 2), upper=upper, unitriangular=unit)
            yield S(regular(m, 2, 3, 3), m(2, 2, 3), upper=upper, left=False, unitriangular=unit)
        yield S(regular(m, 2, 3, 3), m(3, 1), upper=upper)
        yield S(regular(m, 9, 9), m(9, 5), upper=upper)
    yield S(regular(m, 0, 0), m(0, 2), upper=True)
    yield S(regular(m, 2, 2), m(2, 0), upper=True)


linalg_row("solve_triangular", solve_triangular, triangular_samples,
           large=lambda m: [S(regular(m, 300, 12, 12), m(300, 12, 9), upper=True), S(regular(m, 90, 90), m(90, 7), upper=False)],
           errors=(E(lambda t: t.linalg.solve_triangular(t.eye(3), t.ones(2, 1), upper=True), RuntimeError,
                     "linalg.solve_triangular: Incompatible shapes of A and B for the equation AX = B (3x3 and "
                     "2x1)"),))


def old_triangular(b: np.ndarray, a: np.ndarray, upper: bool = True, transpose: bool = False,
                   unitriangular: bool = False) -> Any:
    t = triangle(a, upper, unitriangular)
    return solve(np.swapaxes(t, -1, -2) if transpose else t, b), a


def old_triangular_samples(m: Make) -> Iterable[Sample]:
    for upper in (True, False):
        for transpose in (True, False):
            yield S(m(3, 2), regular(m, 3, 3), upper, transpose)
    yield S(m(2, 3, 2), regular(m, 2, 3, 3), unitriangular=True)


add_row("triangular_solve", old_triangular, old_triangular_samples, **MATRIX)
linalg_row("det", np.linalg.det, each(regular, (*SQUARE, (9, 9))), errors=(*square_errors("det"), *not_integer("det")))
add_row("det", np.linalg.det, each(regular, SQUARE), **MATRIX)
linalg_row("slogdet", lambda x: tuple(np.linalg.slogdet(x)), each(lambda m, *s: regular(m, *s)[..., ::-1], SQUARE),
           errors=square_errors("slogdet"))
add_row("slogdet", lambda x: tuple(np.linalg.slogdet(x)), each(regular, SQUARE), **MATRIX)
add_row("logdet", lambda x: np.log(np.linalg.det(x)), each(regular, SQUARE), **MATRIX)


# ---------------------------------------------------------------- factors

def factor(x: np.ndarray, upper: bool = False) -> np.ndarray:
    lower = np.linalg.cholesky(x)
    return np.swapaxes(lower, -1, -2) if upper else lower


def of_symmetric(name: str) -> Callable[..., Any]:
    """A call with twice the symmetric part, so that finite differences keep it so."""

    def call(t: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
        found: Any = t
        for part in name.split("."):
            found = getattr(found, part)
        return found(x + x.mT, *args, **kwargs)

    return call


def doubled(f: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, *args, **kwargs: f(x + np.swapaxes(x, -1, -2), *args, **kwargs)


NOT_POSITIVE = ("The factorization could not be completed because the input is not positive-definite (the leading "
                "minor of order 1 is not positive-definite).")
POSITIVE = (*SQUARE, (9, 9), (2, 20, 20))
linalg_row("cholesky", doubled(factor), lambda m: [*each(positive, POSITIVE)(m), S(positive(m, 2, 3, 3), upper=True),
                                          S(positive(m, 20, 20), upper=True)],
           call=of_symmetric("linalg.cholesky"),
           large=lambda m: [S(positive(m, 900, 7, 7)), S(positive(m, 300, 12, 12)), S(positive(m, 90, 90))],
           errors=(*square_errors("cholesky"), *not_integer("cholesky"),
                   E(lambda t: t.linalg.cholesky(-t.eye(2)), RuntimeError, f"linalg.cholesky: {NOT_POSITIVE}"),
                   E(lambda t: t.linalg.cholesky(t.stack([t.eye(9), -t.eye(9)])), RuntimeError,
                     f"linalg.cholesky: (Batch element 1): {NOT_POSITIVE}")))
linalg_row("cholesky_ex", doubled(lambda x: (np.linalg.cholesky(x), np.zeros(x.shape[:-2], np.int32))),
           each(positive, SQUARE), call=lambda t, x: tuple(t.linalg.cholesky_ex(x + x.mT)))
add_row("cholesky", doubled(factor), each(positive, SQUARE), method=None, **MATRIX, call=of_symmetric("cholesky"))


def cholesky_solve(b: np.ndarray, x: np.ndarray, upper: bool = False) -> np.ndarray:
    t = triangle(x, upper)
    u = np.swapaxes(t, -1, -2)
    return np.linalg.solve(u @ t if upper else t @ u, b)


def of_triangle(name: str, place: int) -> Callable[..., Any]:
    """A call with the triangle alone: PyTorch has gradients of what is not read."""

    def call(t: Any, *args: Any) -> Any:
        given = list(args)
        given[place] = (t.triu if True in args[place + 1 :] else t.tril)(args[place])
        return getattr(t, name)(*given)

    return call


add_row("cholesky_solve", cholesky_solve,
        lambda m: [S(m(3, 2), regular(m, 3, 3)), S(m(2, 3, 2), regular(m, 2, 3, 3), True),
                   S(m(3, 1), regular(m, 2, 3, 3))], **MATRIX, call=of_triangle("cholesky_solve", 1))
add_row("cholesky_inverse", lambda x, upper=False: cholesky_solve(np.eye(x.shape[-1]), x, upper),
        lambda m: [S(regular(m, 3, 3)), S(regular(m, 2, 3, 3), True), S(regular(m, 1, 1))], **MATRIX,
        call=of_triangle("cholesky_inverse", 0))


def lu_parts(x: np.ndarray) -> tuple[np.ndarray, ...]:
    """P, L, U and the pivots, by elimination with partial pivoting."""
    m, n = x.shape[-2:]
    k = min(m, n)
    parts = [np.zeros((*x.shape[:-2], *s)) for s in ((m, m), (m, k), (k, n))]
    pivots = np.zeros((*x.shape[:-2], k), np.int32)
    for place in np.ndindex(*x.shape[:-2]):
        a, order = x[place].copy(), np.arange(m)
        for i in range(k):
            j = i + int(np.argmax(np.abs(a[i:, i])))
            pivots[(*place, i)] = j + 1
            a[[i, j]], order[[i, j]] = a[[j, i]], order[[j, i]]
            a[i + 1 :, i] /= a[i, i]
            a[i + 1 :, i + 1 :] -= np.outer(a[i + 1 :, i], a[i, i + 1 :])
        parts[0][place][order, np.arange(m)] = 1
        parts[1][place], parts[2][place] = np.tril(a[:, :k], -1) + np.eye(m, k), np.triu(a[:k])
    return *parts, pivots


def lu_both(x: np.ndarray) -> np.ndarray:
    _, lower, upper, _ = lu_parts(x)
    m, n = x.shape[-2:]
    both = np.zeros_like(x)
    both[..., :, : min(m, n)] += np.tril(lower, -1)
    both[..., : min(m, n), :] += upper
    return both


LARGER = ((9, 9), (20, 20))
linalg_row("lu", lambda x: lu_parts(x)[:3], each(apart, (*ANY, *LARGER)), call=lambda t, x: tuple(t.linalg.lu(x)))
linalg_row("lu_factor", lambda x: (lu_both(x), lu_parts(x)[3]), each(apart, (*ANY, *LARGER)),
           call=lambda t, x: tuple(t.linalg.lu_factor(x)),
           large=lambda m: [S(regular(m, 900, 7, 7)), S(regular(m, 300, 12, 12)), S(regular(m, 90, 90))],
           errors=(E(lambda t: t.linalg.lu_factor(t.ones(2, 2)), RuntimeError,
                     "tapegrad.linalg.lu_factor: U[2,2] is zero and using it on lu_solve would result in a division "
                     "by zero."),
                   E(lambda t: t.linalg.lu_factor(t.ones(2, 2), pivot=False), RuntimeError,
                     "linalg.lu_factor: LU without pivoting is not implemented on the CPU")))
linalg_row("lu_factor_ex", lambda x: (lu_both(x), lu_parts(x)[3], np.zeros(x.shape[:-2], np.int32)),
           each(apart, ANY), call=lambda t, x: tuple(t.linalg.lu_factor_ex(x)))


def factored(m: Make, *shape: int) -> tuple[np.ndarray, np.ndarray]:
    x = regular(m, *shape)[..., ::-1, :].astype(float)
    return np.asarray(lu_both(x), dtype=m.dtype), lu_parts(x)[3]


def lu_solve(lu: np.ndarray, pivots: np.ndarray, b: np.ndarray, left: bool = True,
             adjoint: bool = False) -> np.ndarray:
    n = lu.shape[-1]
    a = (np.tril(lu, -1) + np.eye(n)) @ np.triu(lu)
    for place in np.ndindex(*a.shape[:-2]):
        for i in reversed(range(n)):
            j = pivots[(*place, i)] - 1
            a[place][[i, j]] = a[place][[j, i]]
    return solve(np.swapaxes(a, -1, -2) if adjoint else a, b, left)


def lu_solve_samples(m: Make) -> Iterable[Sample]:
    for left in (True, False):
        for adjoint in (True, False):
            for batch in ((), (2,)):
                shape = (3, 2) if left else (2, 3)
                yield S(*factored(m, *batch, 3, 3), m(*batch, *shape), left=left, adjoint=adjoint)
    yield S(*factored(m, 3, 3), m(2, 3, 1))
    yield S(*factored(m, 9, 9), m(9, 2))


linalg_row("lu_solve", lu_solve, lu_solve_samples,
           errors=(E(lambda t: t.linalg.lu_solve(t.eye(2), t.tensor([1, 2]), t.ones(2, 1)), RuntimeError,
                     "linalg.lu_solve: pivots should be a Tensor of scalar type tapegrad.int32"),
                   E(lambda t: t.linalg.lu_solve(t.eye(2), t.tensor([1], dtype=t.int32), t.ones(2, 1)), RuntimeError,
                     "linalg.lu_solve: Number of pivots per batch should be same as the dimension of the matrix")))
add_row("lu_solve", lambda b, lu, pivots: lu_solve(lu, pivots, b),
        lambda m: [S(m(3, 2), *factored(m, 3, 3)), S(m(2, 3, 1), *factored(m, 2, 3, 3))], **MATRIX)
add_row("lu", lambda x: (lu_both(x), lu_parts(x)[3]), each(apart, ANY), **MATRIX, call=lambda t, x: tuple(t.lu(x)))
add_row("lu_unpack", lambda x, _: (np.broadcast_to(np.eye(x.shape[-2]), (*x.shape[:-2], x.shape[-2], x.shape[-2])),
                                   np.tril(x[..., :, : min(x.shape[-2:])], -1) + np.eye(x.shape[-2], min(x.shape[-2:])),
                                   np.triu(x[..., : min(x.shape[-2:]), :])),
        lambda m: [S(m(*s), np.broadcast_to(np.arange(1, min(s[-2:]) + 1, dtype=np.int32), (*s[:-2], min(s[-2:]))).copy())
                   for s in ANY],
        **MATRIX, method=None, call=lambda t, *args: tuple(t.lu_unpack(*args)))


def numpy_qr(x: np.ndarray, mode: str = "reduced") -> Any:
    return tuple(np.linalg.qr(x, mode=mode))


TALL = ((3, 3), (4, 2), (2, 4), (1, 1), (2, 3, 2), (2, 2, 3), (2, 0), (0, 2), (0, 3, 2), (9, 9))
linalg_row("qr", numpy_qr, lambda m: [*each(apart, TALL)(m), S(apart(m, 2, 3), mode="complete")],
           call=lambda t, *args, **kw: tuple(t.linalg.qr(*args, **kw)),
           large=one(apart, 300, 12, 12),
           errors=(*not_integer("qr"),
                   E(lambda t: t.linalg.qr(t.ones(2)), RuntimeError,
                     "linalg.qr: The input tensor A must have at least 2 dimensions."),
                   E(lambda t: t.linalg.qr(t.ones(2, 2), mode="x"), RuntimeError,
                     "qr received unrecognized mode 'x' but expected one of 'reduced' (default), 'r', or 'complete'")))
add_row("qr", numpy_qr, each(apart, ((3, 3), (4, 2))), **MATRIX, call=lambda t, x: tuple(t.qr(x)))


def raw_qr(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if x.size == 0:
        return x, np.zeros((*x.shape[:-2], 0))
    h, tau = np.linalg.qr(x, mode="raw")
    return np.swapaxes(h, -1, -2), tau


add_row("geqrf", raw_qr, each(apart, ((3, 3), (4, 2), (2, 4), (2, 3, 2))), **MATRIX, diff=False,
        call=lambda t, x: tuple(t.geqrf(x)))


def householder(x: np.ndarray, tau: np.ndarray) -> np.ndarray:
    m, n = x.shape[-2:]
    out = np.broadcast_to(np.eye(m, n), x.shape).copy()
    for i in reversed(range(tau.shape[-1])):
        v = np.where(np.arange(m) > i, x[..., :, i], np.arange(m) == i)[..., None]
        out = out - tau[..., i, None, None] * v @ (np.swapaxes(v, -1, -2) @ out)
    return out


linalg_row("householder_product", householder,
           lambda m: [S(m(4, 3), m(3)), S(m(4, 3), m(2)), S(m(2, 3, 2), m(2, 2)), S(m(1, 1), m(1))])
add_row("orgqr", householder, lambda m: [S(m(4, 3), m(3)), S(m(2, 3, 2), m(2, 2))], **MATRIX)


# ---------------------------------------------------------------- spectra

def svd_sizes(x: np.ndarray, full_matrices: bool = False) -> Any:
    """Vectors are given up to their signs."""
    u, s, vh = np.linalg.svd(x, full_matrices=full_matrices)
    return np.abs(u), s, np.abs(vh)


def call_svd(t: Any, x: Any, full_matrices: bool = False) -> Any:
    u, s, vh = t.linalg.svd(x, full_matrices=full_matrices)
    return u.abs(), s, vh.abs()


SPECTRA = ((3, 3), (4, 2), (2, 4), (1, 1), (2, 3, 2), (2, 2, 3), (0, 2), (2, 0), (0, 3, 2), (9, 5))
linalg_row("svd", svd_sizes, each(apart, SPECTRA), call=call_svd, large=one(apart, 300, 6, 5),
           errors=(*not_integer("svd"),
                   E(lambda t: t.linalg.svd(t.full((2, 2), math.nan)), RuntimeError,
                     "linalg.svd: The algorithm failed to converge because the input matrix contained non-finite "
                     "values."),
                   E(lambda t: t.linalg.svd(t.ones(2, 2), driver="gesvd"), RuntimeError,
                     "tapegrad.linalg.svd: keyword argument `driver=` is only supported on CUDA inputs with cuSOLVER "
                     "backend.")))
linalg_row("svdvals", lambda x: np.linalg.svd(x, compute_uv=False), each(apart, SPECTRA), errors=not_integer("svdvals", "linalg.svd"))
add_row("svd", lambda x: tuple(np.swapaxes(p, -1, -2) if i == 2 else p for i, p in enumerate(svd_sizes(x))),
        each(apart, ((3, 3), (4, 2))), **MATRIX, method=None,
        call=lambda t, x: tuple(p if i == 1 else p.abs() for i, p in enumerate(t.svd(x))))


def eigh_sizes(x: np.ndarray) -> Any:
    values, vectors = np.linalg.eigh(x)
    return values, np.abs(vectors)


def call_eigh(t: Any, x: Any) -> Any:
    values, vectors = t.linalg.eigh(x + x.mT)
    return values, vectors.abs()


linalg_row("eigh", doubled(eigh_sizes), each(symmetric, SQUARE), call=call_eigh, large=one(symmetric, 300, 6, 6),
           errors=(E(lambda t: t.linalg.eigh(t.ones(2, 3)), RuntimeError,
                     "linalg.eigh: A must be batches of square matrices, but they are 2 by 3 matrices"),
                   E(lambda t: t.linalg.eigh(t.ones(2, 2, dtype=t.int64)), NotImplementedError,
                     "\"linalg_eigh_cpu\" not implemented for 'Long'"),
                   E(lambda t: t.linalg.eigh(t.ones(2, 2), UPLO="x"), RuntimeError,
                     "Expected UPLO argument to be 'L' or 'U', but got x")))
linalg_row("eigvalsh", doubled(np.linalg.eigvalsh), each(symmetric, SQUARE), call=of_symmetric("linalg.eigvalsh"))
def nuclear(x: np.ndarray, dim: Any = (0, 1), keepdim: bool = False) -> Any:
    return np.linalg.norm(x, "nuc", dim, keepdim)


add_row("nuclear_norm", nuclear, lambda m: [S(apart(m, 3, 2)), S(apart(m, 2, 3, 3), (1, 2)), S(apart(m, 2, 2, 3), (1, 2), True)],
        **MATRIX, method=None, large=lambda m: [S(apart(m, 2001, 3, 3), (1, 2))])
add_row("frobenius_norm", lambda x, dim, keepdim=False: np.sqrt((x * x).sum(tuple(dim), keepdims=keepdim)),
        lambda m: [S(m(3, 2), (0, 1)), S(m(2, 3, 3), (0, 2)), S(m(2, 3), (1,), True)], **MATRIX, method=None,
        large=lambda m: [S(m(301, 1003), (0, 1))])
linalg_row("pinv", lambda x, **_: np.linalg.pinv(x),
           lambda m: [*each(apart, SPECTRA)(m), S(apart(m, 4, 3), rtol=0.01)])
add_row("pinverse", np.linalg.pinv, each(apart, ((3, 3), (4, 2), (2, 4))), **MATRIX)
linalg_row("matrix_rank", lambda x: np.int64(np.linalg.matrix_rank(x)), each(apart, SPECTRA), out="int64", diff=False)


# ---------------------------------------------------------------- functions of matrices

def exponential(x: np.ndarray) -> np.ndarray:
    result = term = np.broadcast_to(np.eye(x.shape[-1]), x.shape)
    for k in range(1, 60):
        term = term @ x / k
        result = result + term
    return result


linalg_row("matrix_exp", exponential, lambda m: [S(m(*s)) for s in SQUARE],
           errors=(*square_errors("matrix_exp"), *not_integer("matrix_exp")))
add_row("matrix_exp", exponential, lambda m: [S(m(*s)) for s in ((3, 3), (2, 2, 2))], **MATRIX)
POWERS = (0, 1, 2, 3, 5)


def power_samples(m: Make) -> Iterable[Sample]:
    for n in POWERS:
        yield S(m(3, 3), n)
        yield S(m(2, 2, 2), n)
    if m.dtype in FLOATS:
        yield from (S(regular(m, 3, 3), -1), S(regular(m, 2, 2, 2), -3))


for path in ("linalg.matrix_power", "matrix_power"):
    add_row(path.replace(".", "_"), np.linalg.matrix_power, power_samples, path=path, kind="linalg", dtypes=NUMBERS,
            tol=100, large=lambda m: [S(m(701, 9, 9), 3)])
linalg_row("multi_dot", lambda x: np.linalg.multi_dot(x),
           lambda m: [S([m(2, 3), m(3, 4)]), S([m(3), m(3, 4), m(4)]), S([m(2, 3), m(3, 1), m(1, 4), m(4)]),
                      S([m(3), m(3)])], dtypes=NUMBERS, large=lambda m: [S([m(40, 50), m(50, 60), m(60, 30)])],
           errors=(E(lambda t: t.linalg.multi_dot([t.ones(2, 2)]), RuntimeError,
                     "multi_dot(): expected at least 2 tensors but got 1"),
                   E(lambda t: t.linalg.multi_dot([t.ones(2, 2), t.ones(3, 2)]), RuntimeError,
                     "multi_dot(): tensors 0 and 1 with shapes [2, 2] and [3, 2] cannot be multiplied")))
add_any_row("chain_matmul", lambda *x: x[0] if len(x) == 1 else np.linalg.multi_dot(x),
        lambda m: [S(m(2, 3), m(3, 4)), S(m(2, 3), m(3, 1), m(1, 4)), S(m(2, 2))], kind="linalg", method=None, tol=10,
            large=lambda m: [S(m(40, 50), m(50, 60), m(60, 30))])
linalg_row("tensorinv", np.linalg.tensorinv, large=lambda m: [S(regular(m, 60, 60).reshape(6, 10, 60))], samples=lambda m: [S(regular(m, 6, 6).reshape(2, 3, 6)), S(regular(m, 4, 4).reshape(4, 2, 2), ind=1)])
linalg_row("tensorsolve", lambda a, b: np.linalg.tensorsolve(a, b),
           large=lambda m: [S(regular(m, 60, 60).reshape(6, 10, 60), m(6, 10))],
           samples=lambda m: [S(regular(m, 6, 6).reshape(2, 3, 6), m(2, 3)), S(regular(m, 3, 3), m(3))])


def cond(x: np.ndarray, p: Any = None) -> np.ndarray:
    return np.linalg.cond(x, p)


linalg_row("cond", cond, lambda m: [S(apart(m, 3, 3)), S(apart(m, 4, 2)), S(apart(m, 2, 3, 3), -2),
                                    S(apart(m, 2, 3, 3), "nuc")],
           errors=(E(lambda t: t.linalg.cond(t.ones(2, 2), 3), RuntimeError, "linalg.cond got an invalid norm type: 3"),
                   E(lambda t: t.linalg.cond(t.ones(2, 3), 1), RuntimeError,
                     "linalg.cond(ord=1): A must be batches of square matrices, but they are 2 by 3 matrices")))
linalg_row("diagonal", lambda x, offset=0, dim1=-2, dim2=-1: np.diagonal(x, offset, dim1, dim2),
           lambda m: [S(m(3, 4)), S(m(2, 3, 4), offset=1), S(m(2, 3, 4), offset=-1, dim1=0, dim2=2)])


def least_squares(a: np.ndarray, b: np.ndarray, **_: Any) -> Any:
    vector = b.ndim == a.ndim - 1
    x = np.linalg.pinv(a) @ (b[..., None] if vector else b)
    return x[..., 0] if vector else x


def least_squares_samples(m: Make) -> Iterable[Sample]:
    for driver in ("gelsy", "gels", "gelsd", "gelss"):
        for shape in ((3, 3), (4, 2), (2, 4), (2, 3, 2)):
            yield S(apart(m, *shape), m(*shape[:-1], 2), driver=driver)
            yield S(apart(m, *shape), m(*shape[:-1]), driver=driver)


linalg_row("lstsq", least_squares, least_squares_samples, call=lambda t, *args, **kw: t.linalg.lstsq(*args, **kw).solution,
           errors=(E(lambda t: t.linalg.lstsq(t.ones(2, 2), t.ones(2, 2), driver="x"), RuntimeError,
                     "tapegrad.linalg.lstsq: parameter `driver` should be one of (gels, gelsy, gelsd, gelss)"),
                   E(lambda t: t.linalg.lstsq(t.ones(2, 2), t.ones(3)), RuntimeError,
                     "tapegrad.linalg.lstsq: input.size(-2) should match other.size(-1)")))
