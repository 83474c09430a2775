"""Transforms of vectors and matrices."""

from __future__ import annotations

import math

from ... import _C, linalg
from ..._C import Size, Tensor
from .. import constraints
from ..utils import Shape, as_size, eps, tiny, tril_matrix_to_vec, vec_to_tril_matrix
from .transform import Transform, check_shape_dim

__all__ = [
    "CorrCholeskyTransform",
    "SoftmaxTransform",
    "StickBreakingTransform",
    "LowerCholeskyTransform",
    "PositiveDefiniteTransform",
]


class CorrCholeskyTransform(Transform):
    """Vectors of any numbers to Cholesky factors of correlation matrices.

    A vector of D (D - 1) / 2 numbers fills the triangle below the diagonal. With ``z = tanh`` of
    it, each row of the factor is made like a broken stick:
    ``y[i, j] = z[i, j] * prod(sqrt(1 - z[i, k] ** 2) for k < j)``, with the rest of the row's
    length on the diagonal.

    Example:
        >>> import tapegrad
        >>> from tapegrad.distributions import CorrCholeskyTransform
        >>> CorrCholeskyTransform()(tapegrad.tensor([0.0]))
        tensor([[1., 0.],
                [0., 1.]])
    """

    domain = constraints.real_vector
    codomain = constraints.corr_cholesky
    bijective = True

    def _call(self, x: Tensor) -> Tensor:
        x = x.tanh()
        x = x.clamp(-1 + eps(x), 1 - eps(x))
        r = vec_to_tril_matrix(x, diag=-1)
        rest = (1 - r * r).sqrt().cumprod(-1)
        r = r + _C.eye(r.shape[-1], dtype=r.dtype, device=r.device)
        return r * _C.constant_pad_nd(rest[..., :-1], [1, 0], 1)

    def _inverse(self, y: Tensor) -> Tensor:
        rest = 1 - (y * y).cumsum(-1)
        before = _C.constant_pad_nd(rest[..., :-1], [1, 0], 1)
        z = tril_matrix_to_vec(y, -1) / tril_matrix_to_vec(before, -1).sqrt()
        return z.atanh()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        # Each row's volume change is that of its stick; tanh comes on top.
        rest = 1 - (y * y).cumsum(-1)
        stick = 0.5 * tril_matrix_to_vec(rest, -2).log().sum(-1)
        tanh = 2 * (math.log(2.0) - x + _C.log_sigmoid(2 * x)).sum(-1)
        return stick + tanh

    def forward_shape(self, shape: Shape) -> Size:
        check_shape_dim(shape, 1)
        n = shape[-1]
        size = round((0.25 + 2 * n) ** 0.5 + 0.5)
        if size * (size - 1) // 2 != n:
            raise ValueError("Input is not a flattened lower-diagonal number")
        return as_size((*shape[:-1], size, size))

    def inverse_shape(self, shape: Shape) -> Size:
        check_shape_dim(shape, 2)
        if shape[-2] != shape[-1]:
            raise ValueError("Input is not square")
        size = shape[-1]
        return as_size((*shape[:-2], size * (size - 1) // 2))


class SoftmaxTransform(Transform):
    """Logits to the simplex: ``y = exp(x) / sum(exp(x))``; the inverse gives ``log(y)``.

    Not a bijection, since a number that is added to all logits changes nothing;
    :class:`StickBreakingTransform` is one.

    Example:
        >>> import tapegrad
        >>> tapegrad.distributions.SoftmaxTransform()(tapegrad.zeros(2))
        tensor([0.5000, 0.5000])
    """

    domain = constraints.real_vector
    codomain = constraints.simplex

    def _call(self, x: Tensor) -> Tensor:
        return x.softmax(-1)

    def _inverse(self, y: Tensor) -> Tensor:
        return y.log()

    def forward_shape(self, shape: Shape) -> Size:
        check_shape_dim(shape, 1)
        return as_size(shape)

    inverse_shape = forward_shape


class StickBreakingTransform(Transform):
    """Vectors of K numbers to the simplex of K + 1 by breaking a stick of length 1.

    ``y[k] = z[k] * prod(1 - z[j] for j < k)`` with ``z[k] = sigmoid(x[k] - log(K - k))``, and the
    rest of the stick as the last element.

    Example:
        >>> import tapegrad
        >>> tapegrad.distributions.StickBreakingTransform()(tapegrad.zeros(3))
        tensor([0.2500, 0.2500, 0.2500, 0.2500])
    """

    domain = constraints.real_vector
    codomain = constraints.simplex
    bijective = True

    def _call(self, x: Tensor) -> Tensor:
        z = (x - _remaining(x).log()).sigmoid()
        rest = (1 - z).cumprod(-1)
        return _C.constant_pad_nd(z, [0, 1], 1) * _C.constant_pad_nd(rest, [1, 0], 1)

    def _inverse(self, y: Tensor) -> Tensor:
        head = y[..., :-1]
        rest = (1 - head.cumsum(-1)).clamp(min=tiny(y))
        return head.log() - rest.log() + _remaining(head).log()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        x = x - _remaining(x).log()
        return (_C.log_sigmoid(x) - x + y[..., :-1].log()).sum(-1)

    def forward_shape(self, shape: Shape) -> Size:
        check_shape_dim(shape, 1)
        return as_size((*shape[:-1], shape[-1] + 1))

    def inverse_shape(self, shape: Shape) -> Size:
        check_shape_dim(shape, 1)
        return as_size((*shape[:-1], shape[-1] - 1))


def _remaining(x: Tensor) -> Tensor:
    """How many pieces are left after each of the last dimension: ``K, K - 1, ..., 1``."""
    return _C.arange(x.shape[-1], 0, -1, dtype=x.dtype, device=x.device)


class LowerCholeskyTransform(Transform):
    """Square matrices to lower triangular ones with a positive diagonal, its exponential.

    Example:
        >>> import tapegrad
        >>> tapegrad.distributions.LowerCholeskyTransform()(tapegrad.zeros(2, 2))
        tensor([[1., 0.],
                [0., 1.]])
    """

    domain = constraints.independent(constraints.real, 2)
    codomain = constraints.lower_cholesky

    def _call(self, x: Tensor) -> Tensor:
        return x.tril(-1) + _diagonal(x).exp().diag_embed()

    def _inverse(self, y: Tensor) -> Tensor:
        return y.tril(-1) + _diagonal(y).log().diag_embed()


def _diagonal(x: Tensor) -> Tensor:
    return _C.diagonal(x, dim1=-2, dim2=-1)


class PositiveDefiniteTransform(Transform):
    """Square matrices to positive definite ones: ``L @ L.mT`` with L of LowerCholeskyTransform.

    Example:
        >>> import tapegrad
        >>> tapegrad.distributions.PositiveDefiniteTransform()(tapegrad.zeros(2, 2))
        tensor([[1., 0.],
                [0., 1.]])
    """

    domain = constraints.independent(constraints.real, 2)
    codomain = constraints.positive_definite

    def _call(self, x: Tensor) -> Tensor:
        factor = LowerCholeskyTransform()(x)
        return factor @ factor.mT

    def _inverse(self, y: Tensor) -> Tensor:
        return LowerCholeskyTransform().inv(linalg.cholesky(y))
