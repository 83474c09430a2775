"""The wrappers for several devices in one process, of which there is only one."""

from __future__ import annotations

from typing import Any

from ..modules.module import Module

__all__ = ["DataParallel", "data_parallel"]


class DataParallel(Module):
    """Calls its module, as there are no devices to share the work.

    The names in its state dict begin with "module.".

    Args:
        module: the module.
        device_ids: ignored.
        output_device: ignored.
        dim: ignored.

    Example:
        >>> import tapegrad
        >>> from tapegrad import nn
        >>> model = nn.DataParallel(nn.Linear(2, 1))
        >>> list(model.state_dict()), tuple(model(tapegrad.ones(3, 2)).shape)
        (['module.weight', 'module.bias'], (3, 1))
    """

    module: Module

    def __init__(
        self, module: Module, device_ids: Any = None, output_device: Any = None, dim: int = 0
    ) -> None:
        super().__init__()
        self.module = module
        self.device_ids: list[int] = []

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        return self.module(*inputs, **kwargs)


def data_parallel(
    module: Module,
    inputs: Any,
    device_ids: Any = None,
    output_device: Any = None,
    dim: int = 0,
    module_kwargs: dict[str, Any] | None = None,
) -> Any:
    """Call a module, as there are no devices to share the work.

    Args:
        module: the module.
        inputs: its arguments as a tuple, or a single one.
        device_ids: ignored.
        output_device: ignored.
        dim: ignored.
        module_kwargs: keyword arguments. Default: none.

    Example:
        >>> import tapegrad
        >>> from tapegrad import nn
        >>> nn.parallel.data_parallel(nn.ReLU(), tapegrad.tensor([-1.0, 1.0]))
        tensor([0., 1.])
    """
    arguments = inputs if isinstance(inputs, tuple) else (inputs,)
    return module(*arguments, **(module_kwargs or {}))
