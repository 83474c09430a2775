"""Spectral normalisation as it was before there were parametrisations."""

from __future__ import annotations

from typing import Any, TypeVar

import tapegrad

from ..._C import Tensor
from .. import functional as F
from ..module import Module
from ..parameter import Parameter
from .parametrizations import as_matrix, check_iterations, output_dim
from .weight_norm import find_hook

__all__ = ["SpectralNorm", "remove_spectral_norm", "spectral_norm"]

M = TypeVar("M", bound=Module)


class SpectralNorm:
    """A hook that computes a weight with a spectral norm of 1 before each call of a module."""

    _version = 1

    def __init__(
        self, name: str = "weight", n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12
    ) -> None:
        check_iterations(n_power_iterations)
        self.name = name
        self.dim = dim
        self.n_power_iterations = n_power_iterations
        self.eps = eps

    def _parts(self, module: Module) -> tuple[Tensor, Tensor, Tensor]:
        weight, u, v = (getattr(module, self.name + end) for end in ("_orig", "_u", "_v"))
        return weight, u, v

    def compute_weight(self, module: Module, do_power_iteration: bool) -> Tensor:
        """The weight, after power iterations if wanted."""
        weight, u, v = self._parts(module)
        matrix = as_matrix(weight, self.dim)
        if do_power_iteration:
            with tapegrad.no_grad():
                for _ in range(self.n_power_iterations):
                    v.copy_(F.normalize(matrix.t().mv(u), dim=0, eps=self.eps))
                    u.copy_(F.normalize(matrix.mv(v), dim=0, eps=self.eps))
            # Copies, as the next call changes them, and the gradient of this one needs them.
            u, v = u.clone(), v.clone()
        return weight / u.dot(matrix.mv(v))

    @staticmethod
    def apply(
        module: Module, name: str, n_power_iterations: int, dim: int, eps: float
    ) -> SpectralNorm:
        """Replace a parameter of a module, as :func:`spectral_norm`."""
        if find_hook(module._forward_pre_hooks, SpectralNorm, name) is not None:
            raise RuntimeError(
                f"Cannot register two spectral_norm hooks on the same parameter {name}"
            )
        hook = SpectralNorm(name, n_power_iterations, dim, eps)
        weight = module._parameters[name]
        if weight is None:
            raise ValueError(f"`SpectralNorm` cannot be applied as parameter `{name}` is None")
        sizes = as_matrix(weight.detach(), dim).shape
        starts = [weight.detach().new_empty(size).normal_(0, 1) for size in sizes]
        delattr(module, name)
        module.register_parameter(f"{name}_orig", weight)
        setattr(module, name, weight.data)
        for end, start in zip(("_u", "_v"), starts, strict=True):
            module.register_buffer(name + end, F.normalize(start, dim=0, eps=eps))
        module.register_forward_pre_hook(hook)
        module._register_state_dict_hook(_Version(hook))
        return hook

    def remove(self, module: Module) -> None:
        """Make the weight a parameter again."""
        with tapegrad.no_grad():
            weight = self.compute_weight(module, do_power_iteration=False)
        for end in ("", "_u", "_v", "_orig"):
            delattr(module, self.name + end)
        module.register_parameter(self.name, Parameter(weight.detach()))

    def __call__(self, module: Module, inputs: Any) -> None:
        weight = self.compute_weight(module, do_power_iteration=module.training)
        setattr(module, self.name, weight)


class _Version:
    """Writes into the metadata of a state which buffers it has."""

    def __init__(self, hook: SpectralNorm) -> None:
        self.name = hook.name
        self.version = hook._version

    def __call__(
        self, module: Module, state_dict: Any, prefix: str, local_metadata: dict[str, Any]
    ) -> None:
        versions = local_metadata.setdefault("spectral_norm", {})
        versions[f"{self.name}.version"] = self.version


def spectral_norm(
    module: M,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
) -> M:
    """As :func:`tapegrad.nn.utils.parametrizations.spectral_norm`, which replaces it.

    The weight as it was is the parameter ``weight_orig`` of the module; the vectors of the power
    iterations are its buffers ``weight_u`` and ``weight_v``.

    Example:
        >>> import tapegrad
        >>> layer = tapegrad.nn.utils.spectral_norm(tapegrad.nn.Linear(3, 2))
        >>> [name for name, _ in layer.named_parameters()]
        ['bias', 'weight_orig']
    """
    SpectralNorm.apply(
        module, name, n_power_iterations, output_dim(module) if dim is None else dim, eps
    )
    return module


def remove_spectral_norm(module: M, name: str = "weight") -> M:
    """Undo :func:`spectral_norm`.

    Raises:
        ValueError: if the weight is not normalised.
    """
    number = find_hook(module._forward_pre_hooks, SpectralNorm, name)
    if number is None:
        raise ValueError(f"spectral_norm of '{name}' not found in {module}")
    hook: Any = module._forward_pre_hooks.pop(number)
    hook.remove(module)
    del module._state_dict_hooks[find_hook(module._state_dict_hooks, _Version, name)]
    return module
