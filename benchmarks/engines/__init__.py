"""The engines that are compared, by name."""

from __future__ import annotations

import importlib

from .base import Case, Engine, Gradients, HessianVector, Training

__all__ = ["DEFAULT", "NAMES", "Case", "Engine", "Gradients", "HessianVector", "Training", "load"]

# name: (module, class, arguments)
_CLASSES: dict[str, tuple[str, str, dict[str, object]]] = {
    "tapegrad": ("mirror", "TapegradEngine", {}),
    "tapegrad-1": ("mirror", "TapegradEngine", {"threads": 1}),
    "replay": ("mirror", "ReplayEngine", {}),
    "torch-1": ("mirror", "TorchEngine", {"threads": 1}),
    "torch-2": ("mirror", "TorchEngine", {"threads": 2}),
    "torch-compile": ("mirror", "CompiledTorchEngine", {}),
    "numpy": ("numpy_tape", "NumPyEngine", {}),
    "jax": ("jax_jit", "JaxEngine", {}),
    "mlx": ("mlx_compile", "MlxEngine", {}),
    "hips": ("hips", "HipsEngine", {}),
}
NAMES = tuple(_CLASSES)
DEFAULT = tuple(name for name in NAMES if name not in ("tapegrad-1", "torch-compile"))


def load(name: str) -> Engine:
    """Return the engine called `name`.

    Raises:
        ImportError: if its library is not installed.
    """
    module, cls, arguments = _CLASSES[name]
    engine: Engine = getattr(importlib.import_module(f".{module}", __name__), cls)(**arguments)
    return engine
