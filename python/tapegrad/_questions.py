"""What programs ask where the answer is the same for all tensors, or nearly."""

from __future__ import annotations

from typing import Any

from ._C import Tensor

__all__ = [
    "_assert",
    "compiled_with_cxx11_abi",
    "get_device",
    "is_distributed",
    "is_vulkan_available",
]


def get_device(input: Tensor, /) -> int:
    """The number of a tensor's device: -1, that of the CPU.

    Example:
        >>> import tapegrad
        >>> tapegrad.get_device(tapegrad.zeros(2))
        -1
    """
    return input.get_device()


def is_distributed(input: Tensor, /) -> bool:
    """Whether a tensor is spread over processes: never.

    Example:
        >>> import tapegrad
        >>> tapegrad.is_distributed(tapegrad.zeros(2))
        False
    """
    return input.is_distributed()


def is_vulkan_available() -> bool:
    """Whether there is a device of this type: False.

    Example:
        >>> import tapegrad
        >>> tapegrad.is_vulkan_available()
        False
    """
    return False


def compiled_with_cxx11_abi() -> bool:
    """Whether strings of C++ are laid out as in newer libraries: True.

    Example:
        >>> import tapegrad
        >>> tapegrad.compiled_with_cxx11_abi()
        True
    """
    return True


def _assert(condition: Any, message: str) -> None:
    """Python's ``assert`` as a function, as modules that are to be traced write it.

    Raises:
        AssertionError: if the condition is false.

    Example:
        >>> import tapegrad
        >>> x = tapegrad.zeros(2, 3)
        >>> tapegrad._assert(x.dim() == 2, "x is no matrix")
    """
    assert condition, message
