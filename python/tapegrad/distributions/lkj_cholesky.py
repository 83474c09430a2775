"""The distribution of correlation matrices of Lewandowski, Kurowicka and Joe."""

from __future__ import annotations

import math
from typing import Any

from .. import _C
from .._C import Tensor
from ..autograd.grad_mode import no_grad
from . import constraints
from .beta import Beta
from .distribution import Distribution
from .utils import Shape, Value, as_size, broadcast_all, standard_normal, tiny

__all__ = ["LKJCholesky"]


class LKJCholesky(Distribution):
    """Cholesky factors of correlation matrices whose density is a power of the determinant.

    ``p(C) ~ det(C) ** (concentration - 1)`` of the correlation matrix ``C = L @ L.mT``: uniform
    where the concentration is 1, near the identity where it is large. Draws are made by the onion
    method, row by row.

    Args:
        dim: the number of rows of the matrices, at least 2.
        concentration: the power plus 1, positive. Default: 1.
        validate_args: check parameters and values. Default: as ``set_default_validate_args`` says.

    Raises:
        ValueError: if `dim` is less than 2, or the concentration does not satisfy its constraint.

    Shape:
        `concentration` has the batch shape; an event is ``(dim, dim)``.

    Example:
        >>> import tapegrad
        >>> p = tapegrad.distributions.LKJCholesky(2, 1.0)
        >>> p.log_prob(tapegrad.eye(2))
        tensor(-0.6931)
    """

    arg_constraints = {"concentration": constraints.positive}
    support = constraints.corr_cholesky
    concentration: Tensor

    def __init__(
        self, dim: int, concentration: Value = 1.0, validate_args: bool | None = None
    ) -> None:
        if dim < 2:
            raise ValueError(
                f"Expected dim to be an integer greater than or equal to 2. Found dim={dim}."
            )
        self.dim = dim
        (self.concentration,) = broadcast_all(concentration)
        # The squared length of each row without its diagonal; the first one has none.
        offset = 0.5 * _C.tensor([0.0, *range(dim - 1)], dtype=self.concentration.dtype)
        above = self.concentration + 0.5 * (dim - 2)
        self._beta = Beta(offset + 0.5, above.unsqueeze(-1) - offset, validate_args=False)
        super().__init__(self.concentration.shape, (dim, dim), validate_args=validate_args)

    def expand(self, batch_shape: Shape, _instance: Any = None) -> Any:
        new = self._new_like(as_size(batch_shape), _instance)
        new._beta = self._beta.expand((*batch_shape, self.dim))
        return new

    def sample(self, sample_shape: Shape = ()) -> Tensor:
        with no_grad():
            square = self._beta.sample(sample_shape).unsqueeze(-1)
            direction = standard_normal(self._extended_shape(sample_shape), square).tril(-1)
            length = direction.square().sum(-1, True).sqrt()
            length[..., 0, :] = 1  # nothing is left of the diagonal there
            w = square.sqrt() * direction / length
            rest = (1 - w.square().sum(-1)).clamp(min=tiny(w)).sqrt()
            return w + rest.diag_embed()

    def _log_prob(self, value: Tensor) -> Tensor:
        n = self.dim - 1
        concentration = self.concentration
        diag = _C.diagonal(value, dim1=-2, dim2=-1)[..., 1:]
        row = _C.arange(2, self.dim + 1, dtype=concentration.dtype, device=concentration.device)
        order = 2 * (concentration - 1).unsqueeze(-1) + self.dim - row
        alpha = concentration + 0.5 * n
        norm = 0.5 * n * math.log(math.pi) + _C.mvlgamma(alpha - 0.5, n) - n * _C.lgamma(alpha)
        return (order * diag.log()).sum(-1) - norm
