"""The order of dimensions in the weights of convolutions."""

from __future__ import annotations

from typing import TypeVar

from ..._device import memory_format as _memory_format
from ..modules.convolution import Conv2d, Conv3d, ConvTranspose2d, ConvTranspose3d
from ..modules.module import Module

__all__ = ["convert_conv2d_weight_memory_format", "convert_conv3d_weight_memory_format"]

M = TypeVar("M", bound=Module)


def _convert(module: M, kinds: tuple[type[Module], ...], order: _memory_format) -> M:
    for layer in module.modules():
        if isinstance(layer, kinds):
            layer.weight.data = layer.weight.detach().clone(memory_format=order)
    return module


def convert_conv2d_weight_memory_format(module: M, memory_format: _memory_format) -> M:
    """Bring the weights of all ``Conv2d`` and ``ConvTranspose2d`` into an order of dimensions.

    Args:
        module: a module with such layers inside, or one of them.
        memory_format: the order, ``tapegrad.channels_last`` for example.

    Returns:
        The module.

    Example:
        >>> import tapegrad
        >>> from tapegrad import nn
        >>> layer = nn.utils.convert_conv2d_weight_memory_format(
        ...     nn.Conv2d(4, 8, 3), tapegrad.channels_last
        ... )
        >>> layer.weight.is_contiguous(memory_format=tapegrad.channels_last)
        True
    """
    return _convert(module, (Conv2d, ConvTranspose2d), memory_format)


def convert_conv3d_weight_memory_format(module: M, memory_format: _memory_format) -> M:
    """As :func:`convert_conv2d_weight_memory_format`, of ``Conv3d`` and ``ConvTranspose3d``."""
    return _convert(module, (Conv3d, ConvTranspose3d), memory_format)
