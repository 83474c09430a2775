"""The Wishart distribution of positive definite matrices."""

from __future__ import annotations

import math
import warnings
from typing import Any

from .. import _C, linalg
from .._C import Tensor
from . import constraints
from .exp_family import ExponentialFamily
from .gamma import standard_gamma
from .multivariate_normal import half_log_det, inverse_of_product, precision_to_scale_tril
from .utils import Shape, Value, lazy_property, standard_normal

__all__ = ["Wishart"]


class Wishart(ExponentialFamily):
    """The distribution of ``sum(x @ x.mT)`` of `df` normal vectors with mean 0.

    ``log p(X) = (df - n - 1) / 2 * log det(X) - trace(V^-1 @ X) / 2 - df * n / 2 * log(2)
    - df / 2 * log det(V) - log Gamma_n(df / 2)``, where V is the covariance of the vectors. It is
    given by V itself, by its inverse or by its Cholesky factor.

    Args:
        df: the degrees of freedom, above n - 1; need not be whole.
        covariance_matrix: the covariance V, positive definite.
        precision_matrix: the inverse of V, positive definite.
        scale_tril: the Cholesky factor of V: lower triangular with a positive diagonal.
        validate_args: check parameters and values. Default: as ``set_default_validate_args`` says.

    Raises:
        AssertionError: unless exactly one matrix is given.
        ValueError: if the matrix has less than two dimensions, `df` is too small, or a parameter
            does not satisfy its constraint.

    Shape:
        The matrix is ``(..., n, n)``; its batch dimensions broadcast with `df`. An event is
        ``(n, n)``.

    Example:
        >>> import tapegrad
        >>> p = tapegrad.distributions.Wishart(tapegrad.tensor(3.0), tapegrad.eye(2))
        >>> p.mean
        tensor([[3., 0.],
                [0., 3.]])
        >>> p.log_prob(tapegrad.eye(2))
        tensor(-3.5310)
    """

    support = constraints.positive_definite
    has_rsample = True
    _mean_carrier_measure = 0
    df: Tensor

    def __init__(
        self,
        df: Value,
        covariance_matrix: Tensor | None = None,
        precision_matrix: Tensor | None = None,
        scale_tril: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        matrices = {
            "covariance_matrix": covariance_matrix,
            "precision_matrix": precision_matrix,
            "scale_tril": scale_tril,
        }
        given = [(k, v) for k, v in matrices.items() if v is not None]
        if len(given) != 1:
            raise AssertionError(
                "Exactly one of covariance_matrix or precision_matrix or scale_tril may be "
                "specified."
            )
        name, matrix = given[0]
        if matrix.dim() < 2:
            raise ValueError(
                "scale_tril must be at least two-dimensional, with optional leading batch "
                "dimensions"
            )
        if not isinstance(df, Tensor):
            df = _C.tensor(df, dtype=matrix.dtype, device=matrix.device)
        batch = _C.broadcast_shapes(df.shape, matrix.shape[:-2])
        event = matrix.shape[-2:]
        n = event[-1]
        if (df <= n - 1).any():
            raise ValueError(f"Value of df={df} expected to be greater than ndim - 1 = {n - 1}.")
        self.df = df.expand(batch)
        vars(self)[name] = matrix.expand((*batch, *event))
        super().__init__(batch, event, validate_args=validate_args)
        if (self.df < n).any():
            warnings.warn(
                "Low df values detected. Singular samples are highly likely to occur for "
                "ndim - 1 < df < ndim.",
                stacklevel=2,
            )
        if name == "scale_tril":
            self._unbroadcasted_scale_tril = matrix
        elif name == "covariance_matrix":
            self._unbroadcasted_scale_tril = linalg.cholesky(matrix)
        else:
            self._unbroadcasted_scale_tril = precision_to_scale_tril(matrix)

    @property
    def arg_constraints(self) -> dict[str, Any]:
        """The bound of `df` depends on the size of the matrices."""
        return {
            "covariance_matrix": constraints.positive_definite,
            "precision_matrix": constraints.positive_definite,
            "scale_tril": constraints.lower_cholesky,
            "df": constraints.greater_than(self._event_shape[-1] - 1),
        }

    def _whole(self, matrix: Tensor) -> Tensor:
        return matrix.expand(self._batch_shape + self._event_shape)

    @lazy_property
    def scale_tril(self) -> Tensor:
        """The Cholesky factor of the covariance."""
        return self._whole(self._unbroadcasted_scale_tril)

    @lazy_property
    def covariance_matrix(self) -> Tensor:
        """The covariance of the vectors."""
        factor = self._unbroadcasted_scale_tril
        return self._whole(factor @ factor.mT)

    @lazy_property
    def precision_matrix(self) -> Tensor:
        """The inverse of the covariance."""
        return self._whole(inverse_of_product(self._unbroadcasted_scale_tril))

    @property
    def mean(self) -> Tensor:
        return self.df[..., None, None] * self.covariance_matrix

    @property
    def mode(self) -> Tensor:
        factor = self.df - self.covariance_matrix.shape[-1] - 1
        factor = _C.where(factor > 0, factor, math.nan)
        return factor[..., None, None] * self.covariance_matrix

    @property
    def variance(self) -> Tensor:
        v = self.covariance_matrix
        diag = _C.diagonal(v, dim1=-2, dim2=-1)
        products = diag.unsqueeze(-1) * diag.unsqueeze(-2)
        return self.df[..., None, None] * (v.square() + products)

    def _degrees(self) -> Tensor:
        """``df - i`` for each row i."""
        rows = _C.arange(self._event_shape[-1], dtype=self.df.dtype, device=self.df.device)
        return self.df.unsqueeze(-1) - rows

    def rsample(self, sample_shape: Shape = ()) -> Tensor:
        """Draws by Bartlett's decomposition: the Cholesky factor of a draw, element by element."""
        shape = self._extended_shape(sample_shape)
        degrees = self._degrees().expand(shape[:-1])
        diagonal = (2 * standard_gamma(degrees / 2)).sqrt()
        factor = standard_normal(shape, self.df).tril(-1) + diagonal.diag_embed()
        factor = self._unbroadcasted_scale_tril @ factor
        return factor @ factor.mT

    def _log_gamma(self) -> Tensor:
        return _C.mvlgamma(self.df / 2, self._event_shape[-1])

    def _log_prob(self, value: Tensor) -> Tensor:
        n = self._event_shape[-1]
        factor = self._unbroadcasted_scale_tril
        trace = _C.diagonal(_C.cholesky_solve(value, factor), dim1=-2, dim2=-1).sum(-1)
        return (
            -self.df * (0.5 * n * math.log(2) + half_log_det(factor))
            - self._log_gamma()
            + 0.5 * (self.df - n - 1) * linalg.slogdet(value).logabsdet
            - 0.5 * trace
        )

    def entropy(self) -> Tensor:
        n = self._event_shape[-1]
        digammas = _C.digamma(0.5 * self._degrees()).sum(-1)
        return (
            (n + 1) * (half_log_det(self._unbroadcasted_scale_tril) + 0.5 * n * math.log(2))
            + self._log_gamma()
            - 0.5 * (self.df - n - 1) * digammas
            + 0.5 * self.df * n
        )

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        return 0.5 * self.df, -0.5 * self.precision_matrix

    def _log_normalizer(self, x: Tensor, y: Tensor) -> Tensor:  # type: ignore[override]
        n = self._event_shape[-1]
        return _C.mvlgamma(x, n) - x * linalg.slogdet(-y).logabsdet
