"""Modules that work on several devices: on the CPU, each passes its inputs on."""

from __future__ import annotations

from typing import Any

from .modules.module import Module

__all__ = ["DataParallel", "DistributedDataParallel"]


class DataParallel(Module):
    """Calls a module, which on several GPUs would get parts of the batch.

    Args:
        module: the module, which is the only part of this one.
        device_ids, output_device, dim: for devices that are not here; ignored.

    Example:
        >>> import tapegrad
        >>> model = tapegrad.nn.DataParallel(tapegrad.nn.Linear(2, 1))
        >>> model(tapegrad.ones(3, 2)).shape, list(model.state_dict())
        (tapegrad.Size([3, 1]), ['module.weight', 'module.bias'])
    """

    def __init__(
        self, module: Module, device_ids: Any = None, output_device: Any = None, dim: int = 0
    ) -> None:
        super().__init__()
        self.module = module
        self.device_ids: list[int] = []

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        return self.module(*inputs, **kwargs)


class DistributedDataParallel(Module):
    """Raises an error: there is no distributed training.

    Raises:
        RuntimeError: always.
    """

    def __init__(self, module: Module, *args: Any, **kwargs: Any) -> None:
        raise RuntimeError("tapegrad has no distributed training.")
