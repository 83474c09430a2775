"""MPI, loaded when it is used first, and the memory of tensors as it takes it."""

from __future__ import annotations

from typing import Any

from .. import _C
from .._C import Tensor

__all__ = ["elements", "load_mpi", "memory"]


def load_mpi() -> Any:
    """The module ``mpi4py.MPI``, whose import starts MPI.

    Raises:
        ImportError: if mpi4py or an MPI is missing.
    """
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:  # RuntimeError: mpi4py has found no MPI
        raise ImportError(
            f"tapegrad.distributed needs the package mpi4py and an MPI: pip install tapegrad[mpi] "
            f"({error})"
        ) from error
    return MPI


def elements(tensor: Tensor) -> Tensor:
    """The elements of a contiguous tensor in one dimension: the same memory, outside of the tape.

    Raises:
        TypeError: if it is not a tensor.
        ValueError: if it is not contiguous.
    """
    if not isinstance(tensor, Tensor):
        raise TypeError(f"Expecting a tensor, but got {type(tensor).__name__}")
    if not tensor.is_contiguous():
        raise ValueError("Tensors must be contiguous")
    return tensor.detach().reshape(-1)


def memory(flat: Tensor) -> memoryview:
    """The bytes of what `elements` gave."""
    return memoryview(flat.view(_C.uint8))
