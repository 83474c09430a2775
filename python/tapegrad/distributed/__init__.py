"""Training in several processes, which there is none of.

Questions are answered so that a program takes its way without. What a program may import and call
when it trains in several processes raises RuntimeError when it is called.

Example:
    >>> import tapegrad
    >>> tapegrad.distributed.is_available(), tapegrad.distributed.is_initialized()
    (False, False)
    >>> tapegrad.distributed.init_process_group("gloo")
    Traceback (most recent call last):
    RuntimeError: tapegrad has no distributed training.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

from .._absent_device import refusals
from .._lazy import lazy

__all__ = [
    "ProcessGroup",
    "ReduceOp",
    "is_available",
    "is_gloo_available",
    "is_initialized",
    "is_mpi_available",
    "is_nccl_available",
    "is_torchelastic_launched",
]

_REFUSED = (
    *("init_process_group", "destroy_process_group", "new_group", "get_rank", "get_world_size"),
    *("get_backend", "barrier", "broadcast", "reduce", "all_reduce", "gather", "all_gather"),
    *("scatter", "reduce_scatter", "all_to_all", "send", "recv", "isend", "irecv"),
    *("all_gather_object", "broadcast_object_list", "gather_object", "all_gather_into_tensor"),
)


def _no_training() -> RuntimeError:
    return RuntimeError("tapegrad has no distributed training.")


globals().update(refusals("distributed", _REFUSED, _no_training))

__getattr__, __dir__ = lazy(__name__, {})


class ProcessGroup:
    """Processes that train together; to make an instance raises RuntimeError."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise _no_training()


class ReduceOp(Enum):
    """What `all_reduce` would do with the tensors of several processes.

    Example:
        >>> import tapegrad
        >>> tapegrad.distributed.ReduceOp.SUM.name
        'SUM'
    """

    SUM = 0
    AVG = 1
    PRODUCT = 2
    MIN = 3
    MAX = 4
    BAND = 5
    BOR = 6
    BXOR = 7


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
