"""The multivariate normal distribution."""

from __future__ import annotations

from .. import _C, linalg
from .._C import Tensor
from . import constraints
from .distribution import Distribution
from .utils import HALF_LOG_2PI, Shape, alias, lazy_property, standard_normal

__all__ = ["MultivariateNormal"]


def check_matrices(one_of: dict[str, Tensor | None]) -> tuple[str, Tensor]:
    """The one matrix that is given, with its name."""
    given = [(name, value) for name, value in one_of.items() if value is not None]
    if len(given) != 1:
        raise ValueError(f"Exactly one of {' or '.join(one_of)} may be specified.")
    return given[0]


def matvec(matrix: Tensor, vector: Tensor) -> Tensor:
    """The product of batches of matrices and vectors."""
    return (matrix @ vector.unsqueeze(-1)).squeeze(-1)


def squared_distance(factor: Tensor, x: Tensor) -> Tensor:
    """``|factor^-1 x|^2``: the squared Mahalanobis distance of vectors.

    Args:
        factor: lower triangular, ``batch + (n, n)``, where batch broadcasts to the last
            dimensions of those of `x` and is not longer.
        x: vectors ``... + batch + (n,)``.
    """
    # Vectors that meet the same factor become columns of one system.
    n = x.shape[-1]
    shape = x.shape[:-1]
    same = len(shape) - (factor.dim() - 2)
    batch = shape[same:]
    if factor.shape[:-2] != batch:
        factor = factor.expand((*batch, n, n))
    columns = x.reshape((-1, *batch, n)).movedim(0, -1)
    solved = linalg.solve_triangular(factor, columns, upper=False)
    return solved.square().sum(-2).movedim(-1, 0).reshape(shape)


def half_log_det(factor: Tensor) -> Tensor:
    """Half of the logarithm of the determinant of ``factor @ factor.mT``."""
    return _C.diagonal(factor, dim1=-2, dim2=-1).log().sum(-1)


def inverse_of_product(factor: Tensor) -> Tensor:
    """The inverse of ``factor @ factor.mT``."""
    return _C.cholesky_inverse(factor)


def precision_to_scale_tril(precision: Tensor) -> Tensor:
    """The Cholesky factor of the inverse of a matrix."""
    # Reversing rows and columns makes an upper factor of a lower one.
    flipped = linalg.cholesky(precision.flip(-2, -1))
    upper = flipped.flip(-2, -1).mT
    identity = _C.eye(precision.shape[-1], dtype=precision.dtype, device=precision.device)
    return linalg.solve_triangular(upper, identity, upper=False)


class MultivariateNormal(Distribution):
    """The normal distribution of vectors.

    ``p(x) = exp(-(x - loc) @ S^-1 @ (x - loc) / 2) / sqrt((2 pi) ** n * det(S))``, where S is the
    covariance. It is given by S itself, by its inverse or by its Cholesky factor, which needs no
    factorisation.

    Args:
        loc: the mean.
        covariance_matrix: the covariance, positive definite.
        precision_matrix: the inverse of the covariance, positive definite.
        scale_tril: the Cholesky factor of the covariance: lower triangular with a positive
            diagonal.
        validate_args: check parameters and values. Default: as ``set_default_validate_args`` says.

    Raises:
        ValueError: unless exactly one matrix is given, if `loc` has no dimension or a matrix less
            than two, or if a parameter does not satisfy its constraint.

    Shape:
        `loc` is ``(..., n)`` and the matrix ``(..., n, n)``; their batch dimensions broadcast. An
        event is ``(n,)``.

    Example:
        >>> import tapegrad
        >>> from tapegrad.distributions import MultivariateNormal
        >>> p = MultivariateNormal(tapegrad.zeros(2), tapegrad.tensor([[4.0, 0.0], [0.0, 1.0]]))
        >>> p.log_prob(tapegrad.zeros(2)), p.scale_tril
        (tensor(-2.5310), tensor([[2., 0.],
                [0., 1.]]))
    """

    arg_constraints = {
        "loc": constraints.real_vector,
        "covariance_matrix": constraints.positive_definite,
        "precision_matrix": constraints.positive_definite,
        "scale_tril": constraints.lower_cholesky,
    }
    support = constraints.real_vector
    has_rsample = True
    loc: Tensor

    def __init__(
        self,
        loc: Tensor,
        covariance_matrix: Tensor | None = None,
        precision_matrix: Tensor | None = None,
        scale_tril: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        if loc.dim() < 1:
            raise ValueError("loc must be at least one-dimensional.")
        name, matrix = check_matrices(
            {
                "covariance_matrix": covariance_matrix,
                "precision_matrix": precision_matrix,
                "scale_tril": scale_tril,
            }
        )
        if matrix.dim() < 2:
            subject = "scale_tril matrix" if name == "scale_tril" else name
            raise ValueError(
                f"{subject} must be at least two-dimensional, with optional leading batch "
                "dimensions"
            )
        batch = _C.broadcast_shapes(matrix.shape[:-2], loc.shape[:-1])
        vars(self)[name] = matrix.expand((*batch, *matrix.shape[-2:]))
        self.loc = loc.expand((*batch, loc.shape[-1]))
        super().__init__(batch, self.loc.shape[-1:], validate_args=validate_args)
        # Factors of matrices that are the same for the whole batch are computed once.
        if name == "scale_tril":
            self._unbroadcasted_scale_tril = matrix
        elif name == "covariance_matrix":
            self._unbroadcasted_scale_tril = linalg.cholesky(matrix)
        else:
            self._unbroadcasted_scale_tril = precision_to_scale_tril(matrix)

    def _whole(self, matrix: Tensor) -> Tensor:
        return matrix.expand(self._batch_shape + self._event_shape + self._event_shape)

    @lazy_property
    def scale_tril(self) -> Tensor:
        """The Cholesky factor of the covariance."""
        return self._whole(self._unbroadcasted_scale_tril)

    @lazy_property
    def covariance_matrix(self) -> Tensor:
        """The covariance."""
        factor = self._unbroadcasted_scale_tril
        return self._whole(factor @ factor.mT)

    @lazy_property
    def precision_matrix(self) -> Tensor:
        """The inverse of the covariance."""
        return self._whole(inverse_of_product(self._unbroadcasted_scale_tril))

    mean = mode = alias("loc")

    @property
    def variance(self) -> Tensor:
        squares = self._unbroadcasted_scale_tril.square().sum(-1)
        return squares.expand(self._batch_shape + self._event_shape)

    def rsample(self, sample_shape: Shape = ()) -> Tensor:
        noise = standard_normal(self._extended_shape(sample_shape), self.loc)
        return self.loc + matvec(self._unbroadcasted_scale_tril, noise)

    def _log_prob(self, value: Tensor) -> Tensor:
        factor = self._unbroadcasted_scale_tril
        distance = squared_distance(factor, value - self.loc)
        norm = half_log_det(factor) + self._event_shape[0] * HALF_LOG_2PI
        return -0.5 * distance - norm

    def entropy(self) -> Tensor:
        n = self._event_shape[0]
        h = half_log_det(self._unbroadcasted_scale_tril) + n * (0.5 + HALF_LOG_2PI)
        return h.expand(self._batch_shape)
