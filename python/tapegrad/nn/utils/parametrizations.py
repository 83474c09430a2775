"""Ready-made parametrisations of weights."""

from __future__ import annotations

from typing import Any, TypeVar

import tapegrad

from ..._C import Tensor
from .. import functional as F
from ..modules.module import Module
from . import parametrize
from ._orthogonal import orthogonal

__all__ = ["orthogonal", "spectral_norm", "weight_norm"]

M = TypeVar("M", bound=Module)


def with_norm(v: Tensor, g: Tensor, dim: int) -> Tensor:
    """A tensor with the direction of one tensor and the norms of another."""
    return v * (g / tapegrad.norm_except_dim(v, 2, dim))


def as_matrix(weight: Tensor, dim: int) -> Tensor:
    """All dimensions but one as one, after that one."""
    if dim != 0:
        weight = weight.permute(dim, *(d for d in range(weight.dim()) if d != dim))
    return weight.reshape(weight.shape[0], -1)


def check_iterations(n_power_iterations: int) -> None:
    if n_power_iterations <= 0:
        raise ValueError(
            "Expected n_power_iterations to be positive, but got "
            f"n_power_iterations={n_power_iterations}"
        )


class _WeightNorm(Module):
    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        return with_norm(weight_v, weight_g, self.dim)

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        return tapegrad.norm_except_dim(weight, 2, self.dim), weight


def weight_norm(module: M, name: str = "weight", dim: int | None = 0) -> M:
    """Make a weight of its norm and its direction (Salimans and Kingma, 2016).

    ``weight = g * v / norm(v)``, with a norm for each index along a dimension. `g` and `v` are
    ``module.parametrizations.weight.original0`` and ``original1``.

    Args:
        module: the module.
        name: the name of the weight. Default: "weight".
        dim: the dimension; None for one norm of the whole. Default: 0.

    Returns:
        The module.

    Example:
        >>> import tapegrad
        >>> layer = tapegrad.nn.utils.parametrizations.weight_norm(tapegrad.nn.Linear(3, 2))
        >>> tuple(layer.parametrizations.weight.original0.shape)
        (2, 1)
    """
    parametrize.register_parametrization(module, name, _WeightNorm(dim), unsafe=True)

    def take_old_names(state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        old = (f"{prefix}{name}_g", f"{prefix}{name}_v")
        if all(key in state_dict for key in old):
            for place, key in enumerate(old):
                new = f"{prefix}parametrizations.{name}.original{place}"
                state_dict[new] = state_dict.pop(key)

    module._register_load_state_dict_pre_hook(take_old_names)
    return module


class _SpectralNorm(Module):
    _u: Tensor
    _v: Tensor

    def __init__(
        self, weight: Tensor, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12
    ) -> None:
        super().__init__()
        ndim = weight.ndim
        if dim >= ndim or dim < -ndim:
            raise IndexError(
                f"Dimension out of range (expected to be in range of [-{ndim}, {ndim - 1}] but "
                f"got {dim})"
            )
        check_iterations(n_power_iterations)
        self.dim = dim if dim >= 0 else dim + ndim
        self.eps = eps
        self.n_power_iterations = n_power_iterations
        if ndim > 1:
            matrix = as_matrix(weight.detach(), self.dim)
            for name, size in zip(("_u", "_v"), matrix.shape, strict=True):
                start = matrix.new_empty(size).normal_(0, 1)
                self.register_buffer(name, F.normalize(start, dim=0, eps=eps))
            self._power_method(matrix, 15)

    @tapegrad.no_grad()
    def _power_method(self, matrix: Tensor, n_power_iterations: int) -> None:
        for _ in range(n_power_iterations):
            self._u.copy_(F.normalize(matrix.mv(self._v), dim=0, eps=self.eps))
            self._v.copy_(F.normalize(matrix.t().mv(self._u), dim=0, eps=self.eps))

    def forward(self, weight: Tensor) -> Tensor:
        if weight.ndim == 1:
            return F.normalize(weight, dim=0, eps=self.eps)
        matrix = as_matrix(weight, self.dim)
        if self.training:
            self._power_method(matrix, self.n_power_iterations)
        # Copies, as the next call changes them, and the gradient of this one needs them.
        u, v = self._u.clone(), self._v.clone()
        return weight / u.dot(matrix.mv(v))

    def right_inverse(self, value: Tensor) -> Tensor:
        return value


def spectral_norm(
    module: M,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
) -> M:
    """Divide a weight by its largest singular value (Miyato et al., 2018).

    Power iterations, one or some in each call in training mode, find the value. Dimensions but
    `dim` are taken as one.

    Args:
        module: the module.
        name: the name of the weight. Default: "weight".
        n_power_iterations: number of iterations in each call. Default: 1.
        eps: the smallest norm that is divided by. Default: 1e-12.
        dim: the dimension of the outputs. Default: 0, or 1 for transposed convolutions.

    Returns:
        The module.

    Raises:
        ValueError: if there is no such weight, or the number of iterations is not positive.

    Example:
        >>> import tapegrad
        >>> layer = tapegrad.nn.utils.parametrizations.spectral_norm(tapegrad.nn.Linear(3, 2))
        >>> round(float(tapegrad.linalg.matrix_norm(layer.weight, 2)), 2)
        1.0
    """
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    if dim is None:
        dim = output_dim(module)
    norm = _SpectralNorm(weight, n_power_iterations, dim, eps)
    return parametrize.register_parametrization(module, name, norm)


def output_dim(module: Module) -> int:
    """The dimension of a layer's weight that its outputs have."""
    return int("ConvTranspose" in "".join(cls.__name__ for cls in type(module).__mro__))
