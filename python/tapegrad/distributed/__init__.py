"""Training in several processes, on one machine or many, that talk by MPI.

``mpiexec -n 2 python program.py`` starts the processes; in each of them `init_process_group` joins
the others. The collectives have PyTorch's names and semantics;
`tapegrad.nn.parallel.DistributedDataParallel` trains with them.

mpi4py and an MPI come with ``pip install tapegrad[mpi]``, and are loaded by `init_process_group`.

Example:
    >>> import tapegrad
    >>> from tapegrad import distributed as dist
    >>> dist.init_process_group()  # alone, as mpiexec has not started this program
    >>> x = tapegrad.ones(2)
    >>> dist.all_reduce(x)  # the sum over all processes
    >>> x
    tensor([1., 1.])
    >>> dist.destroy_process_group()
"""

from __future__ import annotations

from .._lazy import lazy
from ._collectives import (
    all_gather,
    all_gather_into_tensor,
    all_reduce,
    barrier,
    broadcast,
    gather,
    reduce,
    reduce_scatter,
    reduce_scatter_tensor,
    scatter,
)
from ._groups import (
    GroupMember,
    ProcessGroup,
    default_pg_timeout,
    destroy_process_group,
    get_backend,
    get_global_rank,
    get_group_rank,
    get_process_group_ranks,
    get_rank,
    get_world_size,
    group,
    init_process_group,
    is_available,
    is_initialized,
    is_mpi_available,
    new_group,
)
from ._objects import all_gather_object, broadcast_object_list, gather_object
from ._point_to_point import irecv, isend, recv, send
from ._reductions import ReduceOp
from ._work import Work

__all__ = [
    "GroupMember",
    "ProcessGroup",
    "ReduceOp",
    "Work",
    "all_gather",
    "all_gather_into_tensor",
    "all_gather_object",
    "all_reduce",
    "barrier",
    "broadcast",
    "broadcast_object_list",
    "default_pg_timeout",
    "destroy_process_group",
    "gather",
    "gather_object",
    "get_backend",
    "get_global_rank",
    "get_group_rank",
    "get_process_group_ranks",
    "get_rank",
    "get_world_size",
    "group",
    "init_process_group",
    "irecv",
    "is_available",
    "is_gloo_available",
    "is_initialized",
    "is_mpi_available",
    "is_nccl_available",
    "is_torchelastic_launched",
    "isend",
    "new_group",
    "recv",
    "reduce",
    "reduce_scatter",
    "reduce_scatter_tensor",
    "scatter",
    "send",
]

__getattr__, __dir__ = lazy(__name__, {})


def is_gloo_available() -> bool:
    """False: processes talk by MPI."""
    return False


def is_nccl_available() -> bool:
    """False: processes talk by MPI."""
    return False


def is_torchelastic_launched() -> bool:
    """False: mpiexec starts the processes."""
    return False
