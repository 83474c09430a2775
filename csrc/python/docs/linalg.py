"""Docstrings and signatures of linear algebra: what is made of matrices."""

from __future__ import annotations

import textwrap
from typing import Any

__all__ = ["DOCS"]

INDENT: dict[str, Any] = {
    "initial_indent": "    ",
    "subsequent_indent": "        ",
    "break_on_hyphens": False,
}
SQUARE = "A: matrices (*, n, n) of float32 or float64."
ANY = "A: matrices (*, m, n) of float32 or float64."
OTHERS = "RuntimeError: if the shapes do not fit, or for other dtypes."
SINGULAR = "LinAlgError: for a singular matrix."
UPPER = "upper: whether the factor is an upper triangle. Default: False."


def doc(text: str, args: list[str], raises: list[str], example: str, returns: str = "") -> str:
    """A docstring of its parts."""

    def wrapped(items: list[str]) -> str:
        return "".join(textwrap.fill(t, 96, **INDENT) + "\n" for t in items)

    parts = [textwrap.fill(text, 96) + "\n" if "\n" not in text else text.strip("\n") + "\n"]
    parts.append("\nArgs:\n" + wrapped(args))
    if returns:
        parts.append("\nReturns:\n" + wrapped([returns]))
    parts.append("\nRaises:\n" + wrapped(raises))
    lines = example.strip("\n").split("\n")
    parts.append("\nExample:\n" + "".join(f"    {line}\n" if line else "\n" for line in lines))
    return "".join(parts)


def older(name: str, arguments: list[str], raises: list[str], example: str, more: str = "") -> str:
    """The docstring of an older name."""
    text = f"See ``tapegrad.linalg.{name}``, of which this is an older name.{more}"
    return doc(text, arguments, raises, example)


DOCS: dict[str, str] = {
    "linalg_solve(A, B, *, left=True)": doc(
        """\
The solution X of the equations ``A X = B``.

By the LU factorisation of A. Derivatives: ``grad_B = A^-T grad`` and ``grad_A = -grad_B X^T``.
""",
        [
            SQUARE,
            "B: matrices (*, n, k), or vectors (*, n), of the same dtype; leading "
            "dimensions broadcast.",
            "left: False for ``X A = B``. Default: True.",
        ],
        [SINGULAR, OTHERS],
        """\
>>> A = tapegrad.tensor([[2.0, 0.0], [1.0, 4.0]])
>>> tapegrad.linalg.solve(A, tapegrad.tensor([2.0, 9.0]))
tensor([1., 2.])
""",
    ),
    "linalg_solve_ex(A, B, *, left=True, check_errors=False)": doc(
        "As ``tapegrad.linalg.solve``, with flags instead of an exception.",
        [
            SQUARE,
            "B: matrices (*, n, k), or vectors (*, n), of the same dtype.",
            "left: False for ``X A = B``. Default: True.",
            "check_errors: whether to raise all the same. Default: False.",
        ],
        ["LinAlgError: for a singular matrix, with check_errors.", OTHERS],
        """\
>>> tapegrad.linalg.solve_ex(tapegrad.eye(2), tapegrad.ones(2)).info
tensor(0, dtype=tapegrad.int32)
""",
        "``result`` and ``info``: int32, for each matrix the number of the pivot that is "
        "zero, or 0.",
    ),
    "linalg_inv(A)": doc(
        "The inverse of matrices. Its derivative: ``-Y^T grad Y^T`` with the result Y.",
        [SQUARE],
        [SINGULAR, OTHERS],
        """\
>>> tapegrad.linalg.inv(tapegrad.tensor([[2.0, 0.0], [0.0, 4.0]]))
tensor([[0.5000, 0.0000],
        [0.0000, 0.2500]])
""",
    ),
    "linalg_inv_ex(A, *, check_errors=False)": doc(
        "The inverse of matrices, with flags instead of an exception.",
        [SQUARE, "check_errors: whether to raise all the same. Default: False."],
        ["LinAlgError: for a singular matrix, with check_errors.", OTHERS],
        """\
>>> tapegrad.linalg.inv_ex(tapegrad.zeros(2, 2)).info
tensor(1, dtype=tapegrad.int32)
""",
        "``inverse`` and ``info``: int32, for each matrix the number of the pivot that "
        "is zero, or 0.",
    ),
    "inverse(input)": older(
        "inv",
        ["input: matrices (*, n, n) of float32 or float64."],
        [SINGULAR, OTHERS],
        """\
>>> tapegrad.inverse(tapegrad.tensor([[2.0]]))
tensor([[0.5000]])
""",
    ),
    "linalg_solve_triangular(A, B, *, upper, left=True, unitriangular=False)": doc(
        """\
The solution X of the equations ``A X = B`` with a triangle of A.

What is on the other side of the diagonal is not read. Where a diagonal element is zero, the result
is infinite or NaN.
""",
        [
            SQUARE,
            "B: matrices (*, n, k) of the same dtype; leading dimensions broadcast.",
            "upper: whether A is an upper triangle.",
            "left: False for ``X A = B``. Default: True.",
            "unitriangular: whether the diagonal counts as ones and is not read. Default: False.",
        ],
        [OTHERS],
        """\
>>> A = tapegrad.tensor([[1.0, 0.0], [2.0, 1.0]])
>>> tapegrad.linalg.solve_triangular(A, tapegrad.ones(2, 1), upper=False).T
tensor([[ 1., -1.]])
""",
    ),
    "triangular_solve(input, A, upper=True, transpose=False, unitriangular=False)": doc(
        "The solution of ``A X = input`` with a triangle of A, as "
        "``tapegrad.linalg.solve_triangular``.",
        [
            "input: matrices (*, n, k).",
            "A: matrices (*, n, n) of the same dtype.",
            "upper: whether A is an upper triangle. Default: True.",
            "transpose: whether to solve ``A^T X = input``. Default: False.",
            "unitriangular: whether the diagonal counts as ones. Default: False.",
        ],
        [OTHERS],
        """\
>>> tapegrad.triangular_solve(tapegrad.ones(1, 1), tapegrad.tensor([[4.0]])).solution
tensor([[0.2500]])
""",
        "``solution`` and ``cloned_coefficient``, a copy of A.",
    ),
    "linalg_det(A)": doc(
        """\
The determinant of matrices.

By the LU factorisation. The derivative is the matrix of cofactors, also where the matrix is
singular.
""",
        [SQUARE],
        [OTHERS],
        """\
>>> tapegrad.linalg.det(tapegrad.tensor([[0.0, 2.0], [4.0, 0.0]]))
tensor(-8.)
""",
    ),
    "det(input)": older(
        "det",
        ["input: matrices (*, n, n) of float32 or float64."],
        [OTHERS],
        """\
>>> tapegrad.det(tapegrad.tensor([[2.0, 0.0], [0.0, 4.0]]))
tensor(8.)
""",
    ),
    "linalg_slogdet(A)": doc(
        "The sign of the determinant, and the logarithm of its magnitude: for large matrices.",
        [SQUARE],
        [OTHERS],
        """\
>>> tapegrad.linalg.slogdet(tapegrad.tensor([[-1.0, 0.0], [0.0, 1.0]]))
tapegrad.return_types.linalg_slogdet(
sign=tensor(-1.),
logabsdet=tensor(0.))
""",
        "``sign`` and ``logabsdet``; 0 and -inf where there is no inverse.",
    ),
    "slogdet(input)": older(
        "slogdet",
        ["input: matrices (*, n, n) of float32 or float64."],
        [OTHERS],
        """\
>>> tapegrad.slogdet(tapegrad.tensor([[1.0]])).logabsdet
tensor(0.)
""",
    ),
    "logdet(input)": doc(
        "The logarithm of the determinant; NaN where that is negative.",
        ["input: matrices (*, n, n) of float32 or float64."],
        [OTHERS],
        """\
>>> tapegrad.logdet(tapegrad.eye(3))
tensor(0.)
""",
    ),
    "linalg_cholesky(A, *, upper=False)": doc(
        """\
The triangle L with ``L L^T = A`` of symmetric positive definite matrices.

Only the lower triangle of A is read (with upper: the upper one).
""",
        [SQUARE, UPPER],
        ["LinAlgError: for a matrix that is not positive definite.", OTHERS],
        """\
>>> tapegrad.linalg.cholesky(tapegrad.tensor([[4.0, 2.0], [2.0, 2.0]]))
tensor([[2., 0.],
        [1., 1.]])
""",
    ),
    "linalg_cholesky_ex(A, *, upper=False, check_errors=False)": doc(
        "The Cholesky factor, with flags instead of an exception.",
        [SQUARE, UPPER, "check_errors: whether to raise all the same. Default: False."],
        ["LinAlgError: for a matrix that is not positive definite, with check_errors.", OTHERS],
        """\
>>> tapegrad.linalg.cholesky_ex(-tapegrad.eye(2)).info
tensor(1, dtype=tapegrad.int32)
""",
        "``L`` and ``info``: int32, the order of the first minor that is not positive, or 0.",
    ),
    "cholesky(input, upper=False)": older(
        "cholesky",
        ["input: matrices (*, n, n) of float32 or float64.", UPPER],
        ["LinAlgError: for a matrix that is not positive definite.", OTHERS],
        """\
>>> tapegrad.cholesky(tapegrad.tensor([[9.0]]))
tensor([[3.]])
""",
    ),
    "cholesky_solve(input, input2, upper=False)": doc(
        "The solution of ``A X = input`` with the Cholesky factor of A.",
        [
            "input: matrices (*, n, k).",
            "input2: factors (*, n, n) of the same dtype.",
            "upper: whether the factors are upper triangles. Default: False.",
        ],
        [OTHERS],
        """\
>>> tapegrad.cholesky_solve(tapegrad.ones(1, 1), tapegrad.tensor([[2.0]]))
tensor([[0.2500]])
""",
    ),
    "cholesky_inverse(input, upper=False)": doc(
        "The inverse of A, of which the Cholesky factor is given.",
        [
            "input: factors (*, n, n) of float32 or float64.",
            "upper: whether the factors are upper triangles. Default: False.",
        ],
        ["LinAlgError: where a diagonal element is zero.", OTHERS],
        """\
>>> tapegrad.cholesky_inverse(tapegrad.tensor([[2.0]]))
tensor([[0.2500]])
""",
    ),
    "linalg_lu(A, *, pivot=True)": doc(
        "The factors of ``A = P L U``: exchanges of rows, a lower triangle with ones, an "
        "upper triangle.",
        [ANY, "pivot: must be True. Default: True."],
        [OTHERS],
        """\
>>> P, L, U = tapegrad.linalg.lu(tapegrad.tensor([[1.0, 2.0], [2.0, 2.0]]))
>>> L, U
(tensor([[1.0000, 0.0000],
        [0.5000, 1.0000]]), tensor([[2., 2.],
        [0., 1.]]))
""",
        "``P`` (*, m, m), ``L`` (*, m, k) and ``U`` (*, k, n), with the smaller size k.",
    ),
    "lu(input, pivot=True, get_infos=False)": doc(
        "The factors L and U in one tensor and the exchanges, as ``tapegrad.linalg.lu_factor``.",
        [
            "input: matrices (*, m, n) of float32 or float64.",
            "pivot: must be True. Default: True.",
            "get_infos: whether flags are given in place of an exception. Default: False.",
        ],
        ["RuntimeError: where a pivot is zero, if the shapes do not fit, or for other dtypes."],
        """\
>>> LU, pivots = tapegrad.lu(tapegrad.tensor([[1.0, 2.0], [2.0, 2.0]]))
>>> LU
tensor([[2.0000, 2.0000],
        [0.5000, 1.0000]])
""",
    ),
    "nuclear_norm(input, keepdim=False)\nnuclear_norm(input, dim, keepdim=False)": doc(
        "The sum of the singular values of matrices.",
        [
            "input: a matrix, or any tensor with dim.",
            "dim: the dimensions of rows and columns.",
            "keepdim: whether these stay with size 1. Default: False.",
        ],
        ["RuntimeError: if there are no two such dimensions."],
        """\
>>> tapegrad.nuclear_norm(tapegrad.tensor([[3.0, 0.0], [0.0, -4.0]]))
tensor(7.)
""",
    ),
    "frobenius_norm(input, dim, keepdim=False)": doc(
        "The root of the sum of squares along one or two dimensions.",
        [
            "input: a tensor.",
            "dim: the dimensions; none for all.",
            "keepdim: whether these stay with size 1. Default: False.",
        ],
        ["RuntimeError: for more than two dimensions."],
        """\
>>> tapegrad.frobenius_norm(tapegrad.tensor([[3.0, 4.0]]), dim=1)
tensor([5.])
""",
    ),
    "linalg_lu_factor(A, *, pivot=True)": doc(
        "The factors L and U of matrices in one tensor, and the exchanges of rows.",
        [ANY, "pivot: must be True. Default: True."],
        ["RuntimeError: where a pivot is zero, if the shapes do not fit, or for other dtypes."],
        """\
>>> tapegrad.linalg.lu_factor(tapegrad.tensor([[1.0, 2.0], [2.0, 2.0]])).pivots
tensor([2, 2], dtype=tapegrad.int32)
""",
        "``LU`` and ``pivots``: int32, the row exchanged with each one, counted from 1.",
    ),
    "linalg_lu_factor_ex(A, *, pivot=True, check_errors=False)": doc(
        "As ``tapegrad.linalg.lu_factor``, with flags instead of an exception.",
        [
            ANY,
            "pivot: must be True. Default: True.",
            "check_errors: whether to raise all the same. Default: False.",
        ],
        ["RuntimeError: where a pivot is zero, with check_errors.", OTHERS],
        """\
>>> tapegrad.linalg.lu_factor_ex(tapegrad.zeros(2, 2)).info
tensor(1, dtype=tapegrad.int32)
""",
        "``LU``, ``pivots`` and ``info``: int32, the number of the first pivot that is zero, or 0.",
    ),
    "linalg_lu_solve(LU, pivots, B, *, left=True, adjoint=False)": doc(
        "The solution of ``A X = B`` with the factors that ``tapegrad.linalg.lu_factor`` gives.",
        [
            "LU: the factors (*, n, n).",
            "pivots: int32 (*, n).",
            "B: matrices (*, n, k) of the same dtype.",
            "left: False for ``X A = B``. Default: True.",
            "adjoint: whether A is transposed. Default: False.",
        ],
        [OTHERS],
        """\
>>> LU, pivots = tapegrad.linalg.lu_factor(tapegrad.tensor([[2.0, 0.0], [0.0, 4.0]]))
>>> tapegrad.linalg.lu_solve(LU, pivots, tapegrad.ones(2, 1)).T
tensor([[0.5000, 0.2500]])
""",
    ),
    "lu_solve(input, LU_data, LU_pivots)": doc(
        "The solution of ``A X = input``, as ``tapegrad.linalg.lu_solve`` gives it.",
        [
            "input: matrices (*, n, k).",
            "LU_data: the factors (*, n, n) of the same dtype.",
            "LU_pivots: int32 (*, n).",
        ],
        [OTHERS],
        """\
>>> LU, pivots = tapegrad.linalg.lu_factor(tapegrad.tensor([[4.0]]))
>>> tapegrad.lu_solve(tapegrad.ones(1, 1), LU, pivots)
tensor([[0.2500]])
""",
    ),
    "lu_unpack(LU_data, LU_pivots, unpack_data=True, unpack_pivots=True)": doc(
        "The three factors of which ``tapegrad.linalg.lu_factor`` gives two tensors.",
        [
            "LU_data: both triangles (*, m, n).",
            "LU_pivots: int32 (*, min(m, n)).",
            "unpack_data: False leaves ``L`` and ``U`` empty. Default: True.",
            "unpack_pivots: False leaves ``P`` empty. Default: True.",
        ],
        [OTHERS],
        """\
>>> tapegrad.lu_unpack(*tapegrad.linalg.lu_factor(tapegrad.tensor([[2.0]]))).U
tensor([[2.]])
""",
        "``P``, ``L`` and ``U``.",
    ),
    'linalg_qr(A, mode="reduced")': doc(
        "The factors of ``A = Q R``: orthonormal columns and an upper triangle.",
        [
            ANY,
            'mode: ``"reduced"``, ``"complete"`` for a square Q, or ``"r"`` for an empty one. '
            'Default: "reduced".',
        ],
        ["RuntimeError: for another mode, if the shapes do not fit, or for other dtypes."],
        """\
>>> tapegrad.linalg.qr(tapegrad.tensor([[3.0], [4.0]])).R
tensor([[-5.]])
""",
        "``Q`` and ``R``.",
    ),
    "qr(input, some=True)": older(
        "qr",
        [
            "input: matrices (*, m, n) of float32 or float64.",
            "some: False for a square Q. Default: True.",
        ],
        [OTHERS],
        """\
>>> tapegrad.qr(tapegrad.tensor([[3.0], [4.0]])).R
tensor([[-5.]])
""",
    ),
    "geqrf(input)": doc(
        "R and the vectors and factors of the reflections that make Q. It has no derivative.",
        ["input: matrices (*, m, n) of float32 or float64."],
        [OTHERS],
        """\
>>> tapegrad.geqrf(tapegrad.tensor([[3.0], [4.0]])).a.T
tensor([[-5.0000,  0.5000]])
""",
        "``a`` (*, m, n) and ``tau`` (*, min(m, n)).",
    ),
    "linalg_householder_product(input, tau)": doc(
        "The first columns of the product of reflections ``1 - tau v v^T``.",
        [
            "input: (*, m, n); below its diagonal are the vectors v, whose first element is 1.",
            "tau: (*, k) of the same dtype.",
        ],
        [OTHERS],
        """\
>>> tapegrad.linalg.householder_product(*tapegrad.geqrf(tapegrad.tensor([[3.0], [4.0]]))).T
tensor([[-0.6000, -0.8000]])
""",
    ),
    "orgqr(input, input2)": older(
        "householder_product",
        ["input: (*, m, n).", "input2: the factors (*, k) of the same dtype."],
        [OTHERS],
        """\
>>> tapegrad.orgqr(*tapegrad.geqrf(tapegrad.tensor([[3.0], [4.0]]))).T
tensor([[-0.6000, -0.8000]])
""",
    ),
    "linalg_svd(A, full_matrices=True, *, driver=None)": doc(
        """\
The singular value decomposition ``A = U diag(S) Vh``.

Where singular values are equal, their vectors have no derivative, and gradients through them are
infinite or NaN; those through the values alone are not.
""",
        [
            ANY,
            "full_matrices: whether U and Vh are square. Default: True.",
            "driver: must be None. Default: None.",
        ],
        ["LinAlgError: for matrices with NaN.", OTHERS],
        """\
>>> tapegrad.linalg.svd(tapegrad.tensor([[3.0, 0.0], [0.0, -4.0]])).S
tensor([4., 3.])
""",
        "``U``, ``S``, the largest first, and ``Vh``.",
    ),
    "linalg_svdvals(A, *, driver=None)": doc(
        """\
The singular values of matrices, the largest first.

The gradient of a value is the product of its singular vectors.
""",
        [ANY, "driver: must be None. Default: None."],
        ["LinAlgError: for matrices with NaN.", OTHERS],
        """\
>>> tapegrad.linalg.svdvals(tapegrad.tensor([[3.0, 0.0], [0.0, -4.0]]))
tensor([4., 3.])
""",
    ),
    "svd(input, some=True, compute_uv=True)": older(
        "svd",
        [
            "input: matrices (*, m, n) of float32 or float64.",
            "some: False for square U and V. Default: True.",
            "compute_uv: False leaves U and V zero. Default: True.",
        ],
        ["LinAlgError: for matrices with NaN.", OTHERS],
        """\
>>> tapegrad.svd(tapegrad.tensor([[3.0, 0.0], [0.0, -4.0]])).S
tensor([4., 3.])
""",
        " It gives V, not its transpose.",
    ),
    "linalg_vector_norm(x, ord=2, dim=None, keepdim=False, *, dtype=None)": doc(
        "The norm of a tensor's elements, over all or some dimensions.",
        [
            "x: any shape, floating dtype.",
            "ord: the order; ``inf`` and ``-inf`` give the largest and smallest "
            "magnitude. Default: 2.",
            "dim: dimensions that are reduced. Default: all.",
            "keepdim: whether reduced dimensions stay with size 1. Default: False.",
            "dtype: a wider dtype to compute in. Default: that of the tensor.",
        ],
        [
            "TypeError: if the order is no number.",
            "RuntimeError: if nothing is reduced that has an order below zero or infinite.",
        ],
        """\
>>> tapegrad.linalg.vector_norm(tapegrad.tensor([3.0, 4.0]))
tensor(5.)
""",
    ),
    'linalg_matrix_norm(A, ord="fro", dim=None, keepdim=False, *, dtype=None)': doc(
        "The norm of matrices.",
        [
            "A: at least 2 dimensions, floating dtype.",
            'ord: ``"fro"``, the root of the sum of squares; ``"nuc"``, 2 and -2, the '
            "sum, the largest and "
            "the smallest of the singular values; 1 and -1 (``inf`` and ``-inf``), the "
            "largest and the "
            'smallest of the sums of magnitudes in a column (a row). Default: "fro".',
            "dim: the dimensions of the rows and of the columns. Default: the last two.",
            "keepdim: whether these dimensions stay with size 1. Default: False.",
            "dtype: a wider dtype to compute in. Default: that of the tensor.",
        ],
        ["RuntimeError: for another order, or dimensions that are no pair of different ones."],
        """\
>>> x = tapegrad.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
>>> tapegrad.linalg.matrix_norm(x, 1)
tensor(9.)
>>> tapegrad.linalg.matrix_norm(x, 2)
tensor(9.5080)
""",
    ),
    "linalg_norm(A, ord=None, dim=None, keepdim=False, *, dtype=None)": doc(
        "The norm of vectors or of matrices.",
        [
            "A: any shape, floating dtype.",
            "ord: the order, see ``vector_norm`` and ``matrix_norm``. Default: None, for "
            "the root of the "
            "sum of all squares.",
            "dim: one dimension, that of vectors, or two, those of matrices. Default: "
            "None, for all; with "
            "an order the tensor is a vector or a matrix then.",
            "keepdim: whether reduced dimensions stay with size 1. Default: False.",
            "dtype: a wider dtype to compute in. Default: that of the tensor.",
        ],
        [
            "RuntimeError: for an order that vectors or matrices do not have, or for "
            "more dimensions."
        ],
        """\
>>> x = tapegrad.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
>>> tapegrad.linalg.norm(x, 1), tapegrad.linalg.norm(x, 1, dim=1)
(tensor(9.), tensor([ 6., 15.]))
""",
    ),
    'linalg_eigh(A, UPLO="L")': doc(
        "The eigenvalues and eigenvectors of symmetric matrices, of which one triangle is read.",
        [SQUARE, 'UPLO: ``"L"`` for the lower or ``"U"`` for the upper triangle. Default: "L".'],
        ["LinAlgError: for infinities and NaN.", OTHERS],
        """\
>>> tapegrad.linalg.eigh(tapegrad.tensor([[2.0, 1.0], [1.0, 2.0]])).eigenvalues
tensor([1., 3.])
""",
        "``eigenvalues``, the smallest first, and ``eigenvectors``, the columns.",
    ),
    'linalg_eigvalsh(A, UPLO="L")': doc(
        "The eigenvalues of symmetric matrices, the smallest first.",
        [SQUARE, 'UPLO: the triangle that is read, as for ``eigh``. Default: "L".'],
        ["LinAlgError: for infinities and NaN.", OTHERS],
        """\
>>> tapegrad.linalg.eigvalsh(tapegrad.tensor([[2.0, 1.0], [1.0, 2.0]]))
tensor([1., 3.])
""",
    ),
    "linalg_pinv(A, *, atol=None, rtol=None, hermitian=False)\n"
    "linalg_pinv(A, rcond, hermitian=False)": doc(
        "The pseudoinverse of matrices, by their singular values.",
        [
            ANY,
            "atol: values up to this count as zero; a number or a tensor. Default: 0.",
            "rtol: the same in parts of the largest value. Default: the larger size "
            "times epsilon, or 0 "
            "with atol.",
            "hermitian: whether A is symmetric. Default: False.",
            "rcond: as rtol.",
        ],
        ["LinAlgError: for matrices with NaN.", OTHERS],
        """\
>>> tapegrad.linalg.pinv(tapegrad.tensor([[2.0, 0.0], [0.0, 0.0]]))
tensor([[0.5000, 0.0000],
        [0.0000, 0.0000]])
""",
    ),
    "pinverse(input, rcond=1e-15)": older(
        "pinv",
        [
            "input: matrices (*, m, n) of float32 or float64.",
            "rcond: what counts as zero, in parts of the largest singular value. Default: 1e-15.",
        ],
        ["LinAlgError: for matrices with NaN.", OTHERS],
        """\
>>> tapegrad.pinverse(tapegrad.tensor([[4.0], [0.0]]))
tensor([[0.2500, 0.0000]])
""",
    ),
    "linalg_matrix_rank(A, *, atol=None, rtol=None, hermitian=False)\n"
    "linalg_matrix_rank(A, tol, hermitian=False)": doc(
        "The number of singular values that do not count as zero: int64.",
        [
            ANY,
            "atol: values up to this count as zero; a number or a tensor. Default: 0.",
            "rtol: the same in parts of the largest value. Default: the larger size "
            "times epsilon, or 0 "
            "with atol.",
            "hermitian: whether A is symmetric. Default: False.",
            "tol: as atol.",
        ],
        ["LinAlgError: for matrices with NaN.", OTHERS],
        """\
>>> tapegrad.linalg.matrix_rank(tapegrad.ones(3, 3))
tensor(1)
""",
    ),
    "linalg_matmul(input, other)": doc(
        "Product of matrices, as ``tapegrad.matmul``.",
        ["input: a tensor (*, n, k) or (k).", "other: a tensor (*, k, m) or (k)."],
        ["RuntimeError: if the shapes do not fit or the dtypes differ."],
        """\
>>> tapegrad.linalg.matmul(tapegrad.ones(1, 2), tapegrad.ones(2, 1))
tensor([[2.]])
""",
    ),
    "linalg_vecdot(x, y, *, dim=-1)": doc(
        "Sums of products along a dimension.",
        [
            "x: a floating-point tensor.",
            "y: a tensor of the same dtype, which broadcasts.",
            "dim: the dimension. Default: -1.",
        ],
        ["RuntimeError: if the shapes do not fit, the dtypes differ, or for integers."],
        """\
>>> tapegrad.linalg.vecdot(tapegrad.ones(2, 3), tapegrad.ones(3))
tensor([3., 3.])
""",
    ),
    "linalg_cross(input, other, *, dim=-1)": doc(
        "Vector products along a dimension of size 3.",
        [
            "input: a tensor.",
            "other: a tensor of the same dtype, which broadcasts.",
            "dim: the dimension. Default: -1.",
        ],
        ["RuntimeError: if the shapes do not fit or the dtypes differ."],
        """\
>>> x, y, z = tapegrad.eye(3)
>>> tapegrad.linalg.cross(x, y)
tensor([0., 0., 1.])
""",
    ),
    "cross(input, other, dim=None)": doc(
        "Vector products, as ``tapegrad.linalg.cross``; without dim along the first "
        "dimension of size 3.",
        [
            "input: a tensor.",
            "other: a tensor of the same dtype, which broadcasts.",
            "dim: the dimension. Default: the first one of size 3.",
        ],
        ["RuntimeError: if the shapes do not fit or the dtypes differ."],
        """\
>>> tapegrad.cross(tapegrad.tensor([1.0, 0.0, 0.0]), tapegrad.tensor([0.0, 1.0, 0.0]))
tensor([0., 0., 1.])
""",
    ),
    "vdot(input, other)": doc(
        "Sum of the products of two vectors, as ``tapegrad.dot``.",
        ["input: a vector (n).", "other: a vector (n) of the same dtype."],
        ["RuntimeError: if the shapes do not fit or the dtypes differ."],
        """\
>>> tapegrad.vdot(tapegrad.tensor([1.0, 2.0]), tapegrad.tensor([3.0, 4.0]))
tensor(11.)
""",
    ),
    "ger(input, vec2)": doc(
        "Products of all pairs of elements of two vectors, as ``tapegrad.outer``.",
        ["input: a vector (n).", "vec2: a vector (m)."],
        ["RuntimeError: if an operand is not 1-d."],
        """\
>>> tapegrad.ger(tapegrad.tensor([1.0, 2.0]), tapegrad.tensor([3.0]))
tensor([[3.],
        [6.]])
""",
    ),
    "addmv(input, mat, vec, *, beta=1, alpha=1)": doc(
        """\
Product of a matrix and a vector added to a tensor: ``beta * input + alpha * (mat @ vec)``.

A factor of zero leaves out what it belongs to, infinities and NaN included.
""",
        [
            "input: a tensor that broadcasts to (n).",
            "mat: a matrix (n, k) of the same dtype.",
            "vec: a vector (k) of the same dtype.",
            "beta: factor of ``input``. Default: 1.",
            "alpha: factor of the product. Default: 1.",
        ],
        ["RuntimeError: if the shapes do not fit or the dtypes differ."],
        """\
>>> tapegrad.addmv(tapegrad.ones(2), tapegrad.ones(2, 3), tapegrad.ones(3), alpha=2)
tensor([7., 7.])
""",
    ),
    "addr(input, vec1, vec2, *, beta=1, alpha=1)": doc(
        """\
Products of all pairs of elements added to a tensor: ``beta * input + alpha * outer(vec1, vec2)``.

A factor of zero leaves out what it belongs to, infinities and NaN included.
""",
        [
            "input: a tensor that broadcasts to (n, m).",
            "vec1: a vector (n).",
            "vec2: a vector (m).",
            "beta: factor of ``input``. Default: 1.",
            "alpha: factor of the products. Default: 1.",
        ],
        ["RuntimeError: if the shapes do not fit, or for fractions as factors of integers."],
        """\
>>> tapegrad.addr(tapegrad.zeros(1), tapegrad.tensor([1.0, 2.0]), tapegrad.tensor([3.0]))
tensor([[3.],
        [6.]])
""",
    ),
    "baddbmm(input, batch1, batch2, *, beta=1, alpha=1)": doc(
        """\
Products of the matrices of two batches added to a tensor.

``beta * input + alpha * bmm(batch1, batch2)``; a factor of zero leaves out what it belongs to.
""",
        [
            "input: a tensor that broadcasts to (b, n, m).",
            "batch1: a tensor (b, n, k) of the same dtype.",
            "batch2: a tensor (b, k, m) of the same dtype.",
            "beta: factor of ``input``. Default: 1.",
            "alpha: factor of the products. Default: 1.",
        ],
        ["RuntimeError: if the shapes do not fit or the dtypes differ."],
        """\
>>> tapegrad.baddbmm(tapegrad.ones(1), tapegrad.ones(2, 1, 3), tapegrad.ones(2, 3, 1)).flatten()
tensor([4., 4.])
""",
    ),
    "addbmm(input, batch1, batch2, *, beta=1, alpha=1)": doc(
        """\
The sum of the products of the matrices of two batches added to a tensor.

``beta * input + alpha * bmm(batch1, batch2).sum(0)``; a factor of zero leaves out its part.
""",
        [
            "input: a tensor that broadcasts to (n, m).",
            "batch1: a tensor (b, n, k) of the same dtype.",
            "batch2: a tensor (b, k, m) of the same dtype.",
            "beta: factor of ``input``. Default: 1.",
            "alpha: factor of the products. Default: 1.",
        ],
        ["RuntimeError: if the shapes do not fit or the dtypes differ."],
        """\
>>> tapegrad.addbmm(tapegrad.ones(1), tapegrad.ones(2, 1, 3), tapegrad.ones(2, 3, 1))
tensor([[7.]])
""",
    ),
    "kron(input, other)": doc(
        "The Kronecker product: each element of one tensor times the whole other one.",
        ["input: a tensor.", "other: a tensor."],
        ["RuntimeError: if the result has too many elements."],
        """\
>>> tapegrad.kron(tapegrad.tensor([1.0, 10.0]), tapegrad.tensor([1.0, 2.0]))
tensor([ 1.,  2., 10., 20.])
""",
    ),
    "trace(input)": doc(
        "The sum of the diagonal of a matrix; integers are added as int64.",
        ["input: a matrix."],
        ["RuntimeError: for other tensors."],
        """\
>>> tapegrad.trace(tapegrad.tensor([[1.0, 2.0], [3.0, 4.0]]))
tensor(5.)
""",
    ),
    "matrix_power(input, n)": doc(
        "Matrices multiplied n times with themselves; with n < 0 their inverses.",
        ["input: matrices (*, m, m).", "n: the exponent."],
        [SINGULAR, "RuntimeError: if the matrices are not square."],
        """\
>>> tapegrad.matrix_power(tapegrad.tensor([[1.0, 1.0], [0.0, 1.0]]), 5)
tensor([[1., 5.],
        [0., 1.]])
""",
    ),
    "linalg_matrix_power(A, n)": doc(
        "Matrices multiplied n times with themselves; with n < 0 their inverses.",
        ["A: matrices (*, m, m).", "n: the exponent."],
        [SINGULAR, "RuntimeError: if the matrices are not square."],
        """\
>>> tapegrad.linalg.matrix_power(tapegrad.tensor([[2.0]]), -2)
tensor([[0.2500]])
""",
    ),
    "matrix_exp(input)": older(
        "matrix_exp",
        ["input: matrices (*, n, n) of float32 or float64."],
        [OTHERS],
        """\
>>> tapegrad.matrix_exp(tapegrad.tensor([[0.0, 1.0], [0.0, 0.0]]))
tensor([[1., 1.],
        [0., 1.]])
""",
    ),
    "linalg_matrix_exp(A)": doc(
        "The exponential of matrices, the sum of ``A^k / k!``.",
        [SQUARE],
        [OTHERS],
        """\
>>> tapegrad.linalg.matrix_exp(tapegrad.tensor([[0.0, 1.0], [0.0, 0.0]]))
tensor([[1., 1.],
        [0., 1.]])
""",
    ),
    "linalg_multi_dot(tensors)": doc(
        "The product of several matrices, in the order that takes the fewest multiplications.",
        ["tensors: at least two matrices; the first and the last one may be vectors."],
        ["RuntimeError: if the shapes do not fit or the dtypes differ."],
        """\
>>> tapegrad.linalg.multi_dot([tapegrad.ones(1, 2), tapegrad.ones(2, 3), tapegrad.ones(3)])
tensor([6.])
""",
    ),
    "chain_matmul(*matrices)": doc(
        "The product of several matrices, as ``tapegrad.linalg.multi_dot``.",
        ["matrices: one or more."],
        ["RuntimeError: if the shapes do not fit or the dtypes differ."],
        """\
>>> tapegrad.chain_matmul(tapegrad.ones(1, 2), tapegrad.ones(2, 3), tapegrad.ones(3, 1))
tensor([[6.]])
""",
    ),
    "tensordot(a, b, dims=2)\ntensordot(a, b, dims)\ntensordot(a, b, dims)": doc(
        "Sums of products over several dimensions of two tensors.",
        [
            "a: a tensor.",
            "b: a tensor of the same dtype.",
            "dims: how many of the last dimensions of a and of the first ones of b; or "
            "two lists of "
            "them. Default: 2.",
        ],
        ["RuntimeError: if the shapes do not fit or the dtypes differ."],
        """\
>>> a, b = tapegrad.ones(3, 4, 5), tapegrad.ones(4, 3, 2)
>>> tapegrad.tensordot(a, b, dims=([1, 0], [0, 1])).shape
tapegrad.Size([5, 2])
""",
    ),
    "block_diag(*tensors)": doc(
        "A matrix with the given ones along its diagonal.",
        ["tensors: matrices; vectors are rows."],
        ["RuntimeError: for more than 2 dimensions."],
        """\
>>> tapegrad.block_diag(tapegrad.tensor([[1, 2]]), tapegrad.tensor([[3]]))
tensor([[1, 2, 0],
        [0, 0, 3]])
""",
    ),
    "vander(x, N=None, increasing=False)": doc(
        "The powers of the elements of a vector as the columns of a matrix.",
        [
            "x: a vector.",
            "N: how many powers. Default: as many as elements.",
            "increasing: whether the exponents rise from 0. Default: False.",
        ],
        ["RuntimeError: for other tensors."],
        """\
>>> tapegrad.vander(tapegrad.tensor([1, 2, 3]), N=3)
tensor([[1, 1, 1],
        [4, 2, 1],
        [9, 3, 1]])
""",
    ),
    "linalg_vander(x, *, N=None)": doc(
        "The powers of the elements, from 0 on, along a new last dimension.",
        ["x: a tensor (*, n).", "N: how many powers, more than one. Default: n."],
        ["RuntimeError: for fewer than two."],
        """\
>>> tapegrad.linalg.vander(tapegrad.tensor([1, 2, 3]))
tensor([[1, 1, 1],
        [1, 2, 4],
        [1, 3, 9]])
""",
    ),
    "linalg_diagonal(A, *, offset=0, dim1=-2, dim2=-1)": doc(
        "The diagonals of matrices: a view.",
        [
            "A: matrices (*, m, n).",
            "offset: how far to the right of the main diagonal. Default: 0.",
            "dim1: the dimension of the rows. Default: -2.",
            "dim2: that of the columns. Default: -1.",
        ],
        ["IndexError: if there are no such dimensions."],
        """\
>>> tapegrad.linalg.diagonal(tapegrad.eye(3))
tensor([1., 1., 1.])
""",
    ),
    "linalg_tensorinv(A, ind=2)": doc(
        "The inverse of a tensor as a map of its last dimensions to the first ones.",
        ["A: a tensor.", "ind: how many dimensions are the first ones. Default: 2."],
        [SINGULAR, "RuntimeError: if both parts have different numbers of elements."],
        """\
>>> tapegrad.linalg.tensorinv(tapegrad.eye(4).reshape(2, 2, 4)).shape
tapegrad.Size([4, 2, 2])
""",
    ),
    "linalg_tensorsolve(A, B, dims=None)": doc(
        "The tensor X with ``tensordot(A, X, X.ndim) = B``.",
        [
            "A: a tensor.",
            "B: a tensor.",
            "dims: dimensions of A that go last before. Default: None.",
        ],
        [SINGULAR, "RuntimeError: if the shapes do not fit."],
        """\
>>> tapegrad.linalg.tensorsolve(2 * tapegrad.eye(2), tapegrad.ones(2))
tensor([0.5000, 0.5000])
""",
    ),
    "linalg_cond(A, p=None)": doc(
        """\
The condition number of matrices: the norm of A times that of its inverse.

By default the largest singular value over the smallest.
""",
        [
            ANY,
            'p: the order of the norm: None or 2, -2, 1, -1, inf, -inf, ``"fro"`` or ``"nuc"``. '
            "Default: None.",
        ],
        ["RuntimeError: for another order, or if the shapes do not fit."],
        """\
>>> tapegrad.linalg.cond(tapegrad.tensor([[4.0, 0.0], [0.0, 2.0]]))
tensor(2.)
""",
    ),
    "linalg_lstsq(input, b, rcond=None, *, driver=None)": doc(
        """\
The solution X of ``input X = b`` with the smallest sums of squares of ``input X - b``.

Where there are several, the smallest one.
""",
        [
            "input: matrices (*, m, n) of float32 or float64.",
            "b: matrices (*, m, k), or vectors (*, m), of the same dtype.",
            "rcond: what counts as zero, in parts of the largest singular value. "
            "Default: the larger "
            "size times epsilon.",
            'driver: ``"gelsy"``, ``"gels"`` for matrices of full rank, ``"gelsd"`` or '
            '``"gelss"``. '
            'Default: "gelsy".',
        ],
        ["LinAlgError: if there is no solution that the driver finds.", OTHERS],
        """\
>>> found = tapegrad.linalg.lstsq(tapegrad.ones(2, 1), tapegrad.tensor([[1.0], [3.0]]))
>>> found.solution.round(decimals=4)
tensor([[2.]])
""",
        "``solution``, ``residuals``, ``rank`` and ``singular_values``; empty where the "
        "driver has none.",
    ),
    "einsum(equation, *operands)\neinsum(*args)": doc(
        """\
Sums of products of tensors whose dimensions have names of one letter.

``"ij,jk->ik"`` is the product of two matrices: what the result does not name is summed. Without
``->`` the result has, in alphabetical order, what is named once. ``...`` stands for dimensions
that broadcast. More than two tensors are multiplied in the order that takes the least work.
""",
        [
            "equation: the names, for example ``bij,bjk->bik``.",
            "operands: as many tensors as there are terms, of one dtype.",
            "args: tensors, each with a list of numbers below 52 in place of names, and "
            "perhaps a list "
            "for the result.",
        ],
        ["RuntimeError: if the equation or the shapes do not fit."],
        """\
>>> a, b = tapegrad.ones(2, 3), tapegrad.ones(3, 4)
>>> tapegrad.einsum("ij,jk->ki", a, b).shape
tapegrad.Size([4, 2])
>>> tapegrad.einsum(a, [0, 1], [1])
tensor([2., 2., 2.])
""",
    ),
}
