"""The multivariate normal distribution with a covariance of low rank and a diagonal."""

from __future__ import annotations

from .. import _C, linalg
from .._C import Tensor
from . import constraints
from .distribution import Distribution
from .multivariate_normal import half_log_det, matvec, squared_distance
from .utils import HALF_LOG_2PI, Shape, alias, standard_normal

__all__ = ["LowRankMultivariateNormal"]


def capacitance(factor: Tensor, diag: Tensor) -> tuple[Tensor, Tensor]:
    """``W.mT @ D^-1`` and the Cholesky factor of ``I + W.mT @ D^-1 @ W``."""
    scaled = factor.mT / diag.unsqueeze(-2)
    identity = _C.eye(factor.shape[-1], dtype=factor.dtype, device=factor.device)
    return scaled, linalg.cholesky(scaled @ factor + identity)


def low_rank_distance(factor: Tensor, diag: Tensor, x: Tensor, tril: Tensor) -> Tensor:
    """``x @ S^-1 @ x`` by the Woodbury identity, with S = W @ W.mT + D."""
    scaled = factor.mT / diag.unsqueeze(-2)
    return (x.square() / diag).sum(-1) - squared_distance(tril, matvec(scaled, x))


class LowRankMultivariateNormal(Distribution):
    """The normal distribution of vectors with covariance ``W @ W.mT + diag(d)``.

    With few columns in W, density and draws cost a time that is linear in the length of the
    vectors: only matrices of as many rows as W has columns are factored.

    Args:
        loc: the mean.
        cov_factor: the factor W.
        cov_diag: the diagonal d, positive.
        validate_args: check parameters and values. Default: as ``set_default_validate_args`` says.

    Raises:
        ValueError: if the shapes do not fit, or a parameter does not satisfy its constraint.

    Shape:
        `loc` and `cov_diag` are ``(..., n)`` and `cov_factor` ``(..., n, m)``; their batch
        dimensions broadcast. An event is ``(n,)``.

    Example:
        >>> import tapegrad
        >>> from tapegrad.distributions import LowRankMultivariateNormal
        >>> factor = tapegrad.tensor([[1.0], [0.0]])
        >>> p = LowRankMultivariateNormal(tapegrad.zeros(2), factor, tapegrad.ones(2))
        >>> p.covariance_matrix
        tensor([[2., 0.],
                [0., 1.]])
    """

    arg_constraints = {
        "loc": constraints.real_vector,
        "cov_factor": constraints.independent(constraints.real, 2),
        "cov_diag": constraints.independent(constraints.positive, 1),
    }
    support = constraints.real_vector
    has_rsample = True
    loc: Tensor
    cov_factor: Tensor
    cov_diag: Tensor

    def __init__(
        self,
        loc: Tensor,
        cov_factor: Tensor,
        cov_diag: Tensor,
        validate_args: bool | None = None,
    ) -> None:
        if loc.dim() < 1:
            raise ValueError("loc must be at least one-dimensional.")
        event = loc.shape[-1:]
        if cov_factor.dim() < 2:
            raise ValueError(
                "cov_factor must be at least two-dimensional, with optional leading batch "
                "dimensions"
            )
        if cov_factor.shape[-2:-1] != event:
            raise ValueError(f"cov_factor must be a batch of matrices with shape {event[0]} x m")
        if cov_diag.shape[-1:] != event:
            raise ValueError(f"cov_diag must be a batch of vectors with shape {event}")
        try:
            batch = _C.broadcast_shapes(loc.shape[:-1], cov_factor.shape[:-2], cov_diag.shape[:-1])
        except RuntimeError as error:
            raise ValueError(
                f"Incompatible batch shapes: loc {loc.shape}, cov_factor {cov_factor.shape}, "
                f"cov_diag {cov_diag.shape}"
            ) from error
        self.loc = loc.expand((*batch, *event))
        self.cov_factor = cov_factor.expand((*batch, *cov_factor.shape[-2:]))
        self.cov_diag = cov_diag.expand((*batch, *event))
        super().__init__(batch, event, validate_args=validate_args)
        # What is the same for the whole batch is computed once.
        shared = _C.broadcast_shapes(cov_factor.shape[:-2], cov_diag.shape[:-1])
        self._unbroadcasted_cov_factor = cov_factor.expand((*shared, *cov_factor.shape[-2:]))
        self._unbroadcasted_cov_diag = cov_diag.expand((*shared, *event))
        self._capacitance_tril = capacitance(
            self._unbroadcasted_cov_factor, self._unbroadcasted_cov_diag
        )[1]

    mean = mode = alias("loc")

    @property
    def variance(self) -> Tensor:
        squares = self._unbroadcasted_cov_factor.square().sum(-1)
        variance = squares + self._unbroadcasted_cov_diag
        return variance.expand(self._batch_shape + self._event_shape)

    def _whole(self, matrix: Tensor) -> Tensor:
        return matrix.expand(self._batch_shape + self._event_shape + self._event_shape)

    def _covariance(self) -> Tensor:
        factor = self._unbroadcasted_cov_factor
        return factor @ factor.mT + self._unbroadcasted_cov_diag.diag_embed()

    @property
    def scale_tril(self) -> Tensor:
        """The Cholesky factor of the covariance."""
        return self._whole(linalg.cholesky(self._covariance()))

    @property
    def covariance_matrix(self) -> Tensor:
        """The covariance."""
        return self._whole(self._covariance())

    @property
    def precision_matrix(self) -> Tensor:
        """The inverse of the covariance."""
        diag = self._unbroadcasted_cov_diag
        scaled = self._unbroadcasted_cov_factor.mT / diag.unsqueeze(-2)
        half = linalg.solve_triangular(self._capacitance_tril, scaled, upper=False)
        return self._whole(diag.reciprocal().diag_embed() - half.mT @ half)

    def rsample(self, sample_shape: Shape = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        few = standard_normal((*shape[:-1], self.cov_factor.shape[-1]), self.loc)
        noise = standard_normal(shape, self.loc)
        draw = self.loc + matvec(self._unbroadcasted_cov_factor, few)
        return _C.addcmul(draw, noise, self._unbroadcasted_cov_diag.sqrt())

    def _half_log_det(self) -> Tensor:
        """Half of the logarithm of the determinant of the covariance."""
        diagonal = 0.5 * self._unbroadcasted_cov_diag.log().sum(-1)
        return half_log_det(self._capacitance_tril) + diagonal

    def _log_prob(self, value: Tensor) -> Tensor:
        distance = low_rank_distance(
            self._unbroadcasted_cov_factor,
            self._unbroadcasted_cov_diag,
            value - self.loc,
            self._capacitance_tril,
        )
        n = self._event_shape[0]
        return -0.5 * distance - (self._half_log_det() + n * HALF_LOG_2PI)

    def entropy(self) -> Tensor:
        n = self._event_shape[0]
        h = self._half_log_det() + n * (0.5 + HALF_LOG_2PI)
        return h.expand(self._batch_shape)
