"""Weight normalisation as it was before there were parametrisations."""

from __future__ import annotations

import warnings
from typing import Any, TypeVar

import tapegrad

from ..._C import Tensor
from ..modules.module import Module
from ..parameter import Parameter
from .parametrizations import with_norm

__all__ = ["WeightNorm", "remove_weight_norm", "weight_norm"]

M = TypeVar("M", bound=Module)


class WeightNorm:
    """A hook that computes a weight from its norm and direction before each call of a module."""

    def __init__(self, name: str, dim: int | None) -> None:
        self.name = name
        self.dim = -1 if dim is None else dim

    def compute_weight(self, module: Module) -> Tensor:
        """The weight."""
        v, g = getattr(module, f"{self.name}_v"), getattr(module, f"{self.name}_g")
        return with_norm(v, g, self.dim)

    @staticmethod
    def apply(module: Module, name: str, dim: int | None) -> WeightNorm:
        """Replace a parameter of a module, as :func:`weight_norm`."""
        warnings.warn(
            "`tapegrad.nn.utils.weight_norm` is deprecated in favor of "
            "`tapegrad.nn.utils.parametrizations.weight_norm`.",
            FutureWarning,
            stacklevel=3,
        )
        if find_hook(module._forward_pre_hooks, WeightNorm, name) is not None:
            raise RuntimeError(
                f"Cannot register two weight_norm hooks on the same parameter {name}"
            )
        hook = WeightNorm(name, dim)
        weight = getattr(module, name)
        del module._parameters[name]
        g = tapegrad.norm_except_dim(weight.detach(), 2, hook.dim)
        module.register_parameter(f"{name}_g", Parameter(g))
        module.register_parameter(f"{name}_v", Parameter(weight.data))
        setattr(module, name, hook.compute_weight(module))
        module.register_forward_pre_hook(hook)
        return hook

    def remove(self, module: Module) -> None:
        """Make the weight a parameter again."""
        weight = self.compute_weight(module)
        delattr(module, self.name)
        del module._parameters[f"{self.name}_g"]
        del module._parameters[f"{self.name}_v"]
        setattr(module, self.name, Parameter(weight.detach()))

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self.name, self.compute_weight(module))


def find_hook(hooks: Any, kind: type, name: str) -> Any:
    """The number of a module's hook of a kind that is for a certain tensor."""
    for number, hook in hooks.items():
        if isinstance(hook, kind) and hook.name == name:  # type: ignore[attr-defined]
            return number
    return None


def weight_norm(module: M, name: str = "weight", dim: int | None = 0) -> M:
    """As :func:`tapegrad.nn.utils.parametrizations.weight_norm`, which replaces it.

    The norm and the direction are parameters ``weight_g`` and ``weight_v`` of the module.
    """
    WeightNorm.apply(module, name, dim)
    return module


def remove_weight_norm(module: M, name: str = "weight") -> M:
    """Undo :func:`weight_norm`.

    Raises:
        ValueError: if the weight is not normalised.
    """
    number = find_hook(module._forward_pre_hooks, WeightNorm, name)
    if number is None:
        raise ValueError(f"weight_norm of '{name}' not found in {module}")
    hook: Any = module._forward_pre_hooks.pop(number)
    hook.remove(module)
    return module
