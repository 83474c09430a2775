"""Approximations of matrices by ones of low rank, by a random basis."""

from __future__ import annotations

from . import _C, linalg
from ._C import Tensor
from ._C import _take_note as take_note

__all__ = ["pca_lowrank", "svd_lowrank"]


def _basis(A: Tensor, q: int, niter: int) -> Tensor:
    """Orthonormal columns whose span nearly has the `q` largest directions of the matrix."""
    dtype = A.dtype if A.is_floating_point() else _C.get_default_dtype()
    basis = linalg.qr(A.to(dtype) @ _C.randn(A.shape[-1], q, dtype=dtype))[0]
    for _ in range(niter):
        other = linalg.qr(A.mT.to(dtype) @ basis)[0]
        basis = linalg.qr(A.to(dtype) @ other)[0]
    return basis


def svd_lowrank(
    A: Tensor, q: int | None = 6, niter: int | None = 2, M: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """The largest singular values of a matrix and their vectors, nearly: ``U @ diag(S) @ V.T``.

    The random generator chooses a basis, which powers of the matrix improve.

    Args:
        A: shape (*, m, n).
        q: how many; a few more than needed are more exact. Default: 6.
        niter: the number of powers. Default: 2.
        M: what is subtracted from the matrix first, of a shape that broadcasts. Default: nothing.

    Returns:
        The tuple (U, S, V), of shapes (*, m, q), (*, q) and (*, n, q).

    Example:
        >>> import tapegrad
        >>> A = tapegrad.arange(6.0).reshape(3, 2)
        >>> U, S, V = tapegrad.svd_lowrank(A, q=2)
        >>> tapegrad.allclose(U @ tapegrad.diag(S) @ V.T, A, atol=1e-5)
        True
    """
    if take_note(A, M):
        return svd_lowrank(A, q=q, niter=niter, M=M)
    if M is not None:
        A = A - M.expand(A.shape)
    wide = A.shape[-2] < A.shape[-1]
    if wide:
        A = A.mT
    basis = _basis(A, 6 if q is None else q, 2 if niter is None else niter)
    U, S, Vh = linalg.svd(basis.mT @ A, full_matrices=False)
    U, V = basis @ U, Vh.mT
    return (V, S, U) if wide else (U, S, V)


def pca_lowrank(
    A: Tensor, q: int | None = None, center: bool = True, niter: int = 2
) -> tuple[Tensor, Tensor, Tensor]:
    """Principal components of the rows of a matrix, nearly; see :func:`svd_lowrank`.

    Args:
        A: shape (*, m, n): m samples of n features.
        q: how many. Default: 6, or fewer if the matrix is smaller.
        center: whether the mean of the rows is subtracted first. Default: True.
        niter: the number of powers. Default: 2.

    Returns:
        The tuple (U, S, V): the columns of V are the directions, ``S ** 2 / (m - 1)`` their
        variances.

    Raises:
        ValueError: if `q` or `niter` is out of range.

    Example:
        >>> import tapegrad
        >>> A = tapegrad.tensor([[0.0, 1.0], [2.0, 1.0], [4.0, 1.0]])
        >>> tapegrad.pca_lowrank(A, q=1)[2].abs().round(decimals=4)
        tensor([[1.],
                [0.]])
    """
    if take_note(A):
        return pca_lowrank(A, q=q, center=center, niter=niter)
    m, n = A.shape[-2:]
    if q is None:
        q = min(6, m, n)
    elif not 0 <= q <= min(m, n):
        raise ValueError(
            f"q(={q}) must be non-negative integer and not greater than min(m, n)={min(m, n)}"
        )
    if niter < 0:
        raise ValueError(f"niter(={niter}) must be non-negative integer")
    return svd_lowrank(A - A.mean(-2, keepdim=True) if center else A, q, niter)
