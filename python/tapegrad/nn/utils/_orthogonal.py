"""Matrices that stay orthogonal while an optimizer changes what they are made of."""

from __future__ import annotations

import tapegrad
from tapegrad import linalg

from ..._C import Tensor
from ..modules.module import Module
from .parametrize import register_parametrization

__all__ = ["orthogonal"]

_MAPS = ("matrix_exp", "cayley", "householder")


def _orthonormal(matrix: Tensor) -> Tensor:
    """Columns with the same spans as the first 1, 2, ... of a matrix."""
    factors, tau = tapegrad.geqrf(matrix)
    signs = factors.diagonal(dim1=-2, dim2=-1).sgn().unsqueeze(-2)
    return linalg.householder_product(factors, tau) * signs


def _is_orthonormal(matrix: Tensor) -> bool:
    rows, columns = matrix.shape[-2:]
    epsilon = 2.0**-52 if matrix.dtype is tapegrad.float64 else 2.0**-23
    unit = tapegrad.eye(columns, dtype=matrix.dtype)
    product = matrix.mT @ matrix
    return tapegrad.allclose(product, unit.expand(product.shape), atol=10 * rows * epsilon)


class _Orthogonal(Module):
    """A map from matrices to those with orthonormal columns (or rows, if they are wide).

    With trivialization the result is ``base`` times what the map gives; assigning a matrix changes
    the base, and the parameter begins where the map gives the unit matrix.
    """

    base: Tensor

    def __init__(self, weight: Tensor, orthogonal_map: str, *, use_trivialization: bool) -> None:
        super().__init__()
        self.shape = weight.shape
        self.orthogonal_map = orthogonal_map
        if use_trivialization:
            self.register_buffer("base", None)

    @property
    def _wide(self) -> bool:
        return self.shape[-2] < self.shape[-1]

    def forward(self, X: Tensor) -> Tensor:
        if self._wide:
            X = X.mT
        if self.orthogonal_map == "householder":
            Q = self._reflections(X)
        else:
            Q = self._rotation(X.tril())
        if "base" in self._buffers:
            Q = self.base @ Q
        return Q.mT if self._wide else Q

    def _reflections(self, X: Tensor) -> Tensor:
        vectors = X.tril(-1)
        tau = 2.0 / (1.0 + vectors.square().sum(-2))
        # On the diagonal are the signs of the columns.
        signs = X.diagonal(dim1=-2, dim2=-1).int().unsqueeze(-2)
        return linalg.householder_product(vectors, tau) * signs

    def _rotation(self, lower: Tensor) -> Tensor:
        rows, columns = lower.shape[-2:]
        if rows != columns:
            rest = lower.new_zeros(*lower.shape[:-1], rows - columns)
            lower = tapegrad.cat([lower, rest], -1)
        skew = lower - lower.mT
        if self.orthogonal_map == "matrix_exp":
            Q = linalg.matrix_exp(skew)
        else:
            unit = tapegrad.eye(rows, dtype=skew.dtype)
            Q = linalg.solve(unit - skew / 2, unit + skew / 2)
        return Q[..., :columns] if rows != columns else Q

    def right_inverse(self, Q: Tensor) -> Tensor:
        if Q.shape != self.shape:
            raise ValueError(
                f"Expected a matrix or batch of matrices of shape {self.shape}. Got a tensor of "
                f"shape {Q.shape}."
            )
        with tapegrad.no_grad():
            tall = Q.mT if self._wide else Q
            if "base" not in self._buffers:
                X = self._factors(tall)
            else:
                X = self._rebased(tall)
        return X.mT if self._wide else X

    def _factors(self, Q: Tensor) -> Tensor:
        if self.orthogonal_map != "householder":
            raise NotImplementedError(
                "It is not possible to assign to the matrix exponential or the Cayley "
                "parametrizations when use_trivialization=False."
            )
        factors, tau = tapegrad.geqrf(Q)
        diagonal = factors.diagonal(dim1=-2, dim2=-1)
        # A column that needed no reflection keeps its direction only with the other sign.
        diagonal.copy_(diagonal.sign() * tapegrad.where(tau == 0, -1.0, 1.0).to(tau.dtype))
        return factors

    def _rebased(self, Q: Tensor) -> Tensor:
        rows, columns = Q.shape[-2:]
        if rows == columns:
            self.base = Q.clone() if _is_orthonormal(Q) else _orthonormal(Q)
        else:
            more = tapegrad.randn(*Q.shape[:-1], rows - columns, dtype=Q.dtype)
            self.base = _orthonormal(tapegrad.cat([Q, more], -1))
        start = tapegrad.zeros_like(Q)
        start.diagonal(dim1=-2, dim2=-1).fill_(-1.0)
        return start


def orthogonal(
    module: Module,
    name: str = "weight",
    orthogonal_map: str | None = None,
    *,
    use_trivialization: bool = True,
) -> Module:
    """Keep a matrix of a module orthogonal: its columns, or its rows if it is wide.

    Args:
        module: the module.
        name: of a parameter with two or more dimensions, the last ones those of matrices. Default:
            "weight".
        orthogonal_map: how it is made of the parameter: "matrix_exp", the exponential of a skew
            matrix; "cayley", a rational function of it; "householder", a product of reflections.
            Default: "matrix_exp" for square matrices, else "householder".
        use_trivialization: multiply by a fixed orthogonal matrix, so that the matrix can be set;
            better for optimizers, at the cost of that matrix. Default: True.

    Returns:
        The module.

    Raises:
        ValueError: if there is no such matrix, or for another map.

    Example:
        >>> import tapegrad
        >>> from tapegrad import nn
        >>> layer = nn.utils.parametrizations.orthogonal(nn.Linear(4, 6))
        >>> Q = layer.weight
        >>> tapegrad.allclose(Q.T @ Q, tapegrad.eye(4), atol=1e-5)
        True
    """
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    if weight.dim() < 2:
        raise ValueError(
            f"Expected a matrix or batch of matrices. Got a tensor of {weight.dim()} dimensions."
        )
    if orthogonal_map is None:
        square = weight.shape[-2] == weight.shape[-1]
        orthogonal_map = "matrix_exp" if square else "householder"
    if orthogonal_map not in _MAPS:
        raise ValueError(
            'orthogonal_map has to be one of "matrix_exp", "cayley", "householder". Got: '
            f"{orthogonal_map}"
        )
    made = _Orthogonal(weight, orthogonal_map, use_trivialization=use_trivialization)
    register_parametrization(module, name, made, unsafe=True)
    return module
