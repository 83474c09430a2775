"""NVIDIA's libraries, which are not here. What is set is kept and has no effect."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = [
    "cudnn_sdp_enabled",
    "enable_cudnn_sdp",
    "enable_flash_sdp",
    "enable_math_sdp",
    "enable_mem_efficient_sdp",
    "flash_sdp_enabled",
    "is_built",
    "is_flash_attention_available",
    "math_sdp_enabled",
    "matmul",
    "mem_efficient_sdp_enabled",
    "sdp_kernel",
]


class _Matmul:
    """How products may be rounded."""

    __slots__ = (
        "allow_bf16_reduced_precision_reduction",
        "allow_fp16_accumulation",
        "allow_fp16_reduced_precision_reduction",
        "allow_tf32",
        "fp32_precision",
    )

    def __init__(self) -> None:
        self.allow_tf32 = False
        self.allow_fp16_accumulation = False
        self.allow_fp16_reduced_precision_reduction = True
        self.allow_bf16_reduced_precision_reduction = True
        self.fp32_precision = "none"


matmul = _Matmul()
_enabled = {"flash": True, "mem_efficient": True, "math": True, "cudnn": True}


def is_built() -> bool:
    """False: this package has no code for GPUs."""
    return False


def is_flash_attention_available() -> bool:
    """False: this package has no code for GPUs."""
    return False


def enable_flash_sdp(enabled: bool) -> None:
    """Kept for `flash_sdp_enabled`."""
    _enabled["flash"] = enabled


def enable_mem_efficient_sdp(enabled: bool) -> None:
    """Kept for `mem_efficient_sdp_enabled`."""
    _enabled["mem_efficient"] = enabled


def enable_math_sdp(enabled: bool) -> None:
    """Kept for `math_sdp_enabled`."""
    _enabled["math"] = enabled


def enable_cudnn_sdp(enabled: bool) -> None:
    """Kept for `cudnn_sdp_enabled`."""
    _enabled["cudnn"] = enabled


def flash_sdp_enabled() -> bool:
    """What `enable_flash_sdp` was told. Default: True."""
    return _enabled["flash"]


def mem_efficient_sdp_enabled() -> bool:
    """What `enable_mem_efficient_sdp` was told. Default: True."""
    return _enabled["mem_efficient"]


def math_sdp_enabled() -> bool:
    """What `enable_math_sdp` was told. Default: True."""
    return _enabled["math"]


def cudnn_sdp_enabled() -> bool:
    """What `enable_cudnn_sdp` was told. Default: True."""
    return _enabled["cudnn"]


@contextmanager
def sdp_kernel(
    enable_flash: bool = True,
    enable_math: bool = True,
    enable_mem_efficient: bool = True,
    enable_cudnn: bool = True,
) -> Iterator[None]:
    """A context manager that chooses ways to compute attention: there is one here."""
    before = dict(_enabled)
    _enabled.update(
        flash=enable_flash,
        math=enable_math,
        mem_efficient=enable_mem_efficient,
        cudnn=enable_cudnn,
    )
    try:
        yield
    finally:
        _enabled.update(before)
