"""Training in several processes, which there is none of: PyTorch's answers in builds without it.

Example:
    >>> import tapegrad
    >>> tapegrad.distributed.is_available(), tapegrad.distributed.is_initialized()
    (False, False)
    >>> tapegrad.distributed.init_process_group("gloo")
    Traceback (most recent call last):
    AttributeError: module 'tapegrad.distributed' has no attribute 'init_process_group'. tapegrad
    has no distributed training.
"""

from __future__ import annotations

from .._lazy import lazy

__all__ = [
    "is_available",
    "is_gloo_available",
    "is_initialized",
    "is_mpi_available",
    "is_nccl_available",
    "is_torchelastic_launched",
]

__getattr__, __dir__ = lazy(__name__, {})


def is_available() -> bool:
    """False: processes do not train together."""
    return False


def is_initialized() -> bool:
    """False: processes do not train together."""
    return False


def is_gloo_available() -> bool:
    """False: processes do not train together."""
    return False


def is_mpi_available() -> bool:
    """False: processes do not train together."""
    return False


def is_nccl_available() -> bool:
    """False: processes do not train together."""
    return False


def is_torchelastic_launched() -> bool:
    """False: processes do not train together."""
    return False
