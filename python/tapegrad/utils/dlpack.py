"""Tensors of other libraries, without a copy."""

from __future__ import annotations

import enum
from typing import Any

from .._C import Tensor, from_dlpack

__all__ = ["DLDeviceType", "from_dlpack", "to_dlpack"]


class DLDeviceType(enum.IntEnum):
    """The numbers that the protocol has for kinds of devices; here there is the CPU."""

    kDLCPU = 1
    kDLCUDA = 2
    kDLCUDAHost = 3
    kDLOpenCL = 4
    kDLVulkan = 7
    kDLMetal = 8
    kDLVPI = 9
    kDLROCM = 10
    kDLROCMHost = 11
    kDLExtDev = 12
    kDLCUDAManaged = 13
    kDLOneAPI = 14
    kDLWebGPU = 15
    kDLHexagon = 16
    kDLMAIA = 17


def to_dlpack(tensor: Tensor, /) -> Any:
    """The memory of a tensor as a capsule, which another library takes once.

    Libraries of today take the tensor itself.

    Example:
        >>> import tapegrad
        >>> tapegrad.from_dlpack(tapegrad.utils.dlpack.to_dlpack(tapegrad.ones(2)))
        tensor([1., 1.])
    """
    return tensor.__dlpack__()
