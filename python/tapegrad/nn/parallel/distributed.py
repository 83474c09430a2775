"""Training of one module in several processes: `DistributedDataParallel`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ... import _C, distributed
from ..._C import Tensor, dtype
from ...utils._pytree import tree_leaves
from ..modules.module import Module
from ..parameter import UninitializedBuffer, UninitializedParameter
from ._buckets import broadcast_from_first
from ._reducer import Reducer

__all__ = ["DistributedDataParallel"]

_MB = 1 << 20


class DistributedDataParallel(Module):
    """Trains a module in several processes, each with its own part of every batch.

    All begin with the parameters and buffers of the first process. ``backward`` leaves the average
    of all processes' gradients in each of them, so that optimisers take the same step everywhere.
    Gradients travel in buckets, in the order in which backward makes them, while it goes on. They
    are added in the order of ranks: the same bits in every run, whatever the buckets.

    The names in its state dict begin with "module.".

    Args:
        module: has parameters that require gradients, the same in all processes.
        device_ids, output_device: None, as there is only the CPU.
        dim: ignored.
        broadcast_buffers: copy the buffers of the first process to all before each forward pass.
            Default: True.
        init_sync: copy its parameters and buffers at the start. Default: True.
        process_group: the processes. Default: all.
        bucket_cap_mb: MiB of gradients that travel together. Default: 25, and 1 for the first.
        find_unused_parameters: allow that parameters get no gradient. Those that get none in any
            process keep theirs; elsewhere they count as zeros. Default: False, where they raise.
        check_reduction: ignored.
        gradient_as_bucket_view: gradients become views of the buckets, which saves a copy.
            Default: False.
        static_graph: accepted as False.
        reduce_dtype: the dtype to add gradients in, such as ``tapegrad.float64``; as much is sent
            as without it. Default: each gradient's, and float32 for float16 and bfloat16.

    Raises:
        ValueError: before `init_process_group`, for devices, and for ``static_graph=True``.
        RuntimeError: if no parameter requires gradients, if one has no shape yet, or if the
            parameters differ between processes; in the next forward pass or step of an optimiser,
            if some parameters got no gradient, with their names.
        TypeError: if `reduce_dtype` is not a floating-point dtype.

    Example:
        >>> import tapegrad
        >>> from tapegrad import distributed, nn
        >>> from tapegrad.nn.parallel import DistributedDataParallel as DDP
        >>> distributed.init_process_group()
        >>> model = DDP(nn.Linear(2, 1))
        >>> model(tapegrad.ones(4, 2)).sum().backward()
        >>> list(model.state_dict()), model.module.bias.grad
        (['module.weight', 'module.bias'], tensor([4.]))
        >>> distributed.destroy_process_group()
    """

    module: Module

    def __init__(
        self,
        module: Module,
        device_ids: Any = None,
        output_device: Any = None,
        dim: int = 0,
        broadcast_buffers: bool = True,
        init_sync: bool = True,
        process_group: Any = None,
        bucket_cap_mb: float | None = None,
        find_unused_parameters: bool = False,
        check_reduction: bool = False,
        gradient_as_bucket_view: bool = False,
        static_graph: bool = False,
        *,
        reduce_dtype: dtype | None = None,
    ) -> None:
        super().__init__()
        group = distributed.group.WORLD if process_group is None else process_group
        if group is None:
            raise ValueError(
                "Default process group has not been initialized, please make sure to call "
                "init_process_group."
            )
        named = [(name, p) for name, p in module.named_parameters() if p.requires_grad]
        if not named:
            raise RuntimeError(
                "DistributedDataParallel is not needed when a module doesn't have any parameter "
                "that requires a gradient."
            )
        if device_ids or output_device:
            raise ValueError(
                "DistributedDataParallel device_ids and output_device arguments only work with "
                "single-device/multiple-device GPU modules or CPU modules, but got device_ids "
                f"{device_ids}, output_device {output_device}, and module parameters "
                f"{ {p.device for _, p in named} }."
            )
        if static_graph:
            raise ValueError("tapegrad's DistributedDataParallel has no static_graph=True")
        if any(
            isinstance(each, (UninitializedParameter, UninitializedBuffer))
            for each in (*module.parameters(), *module.buffers())
        ):
            raise RuntimeError(
                "Modules with uninitialized parameters can't be used with "
                "`DistributedDataParallel`. Run a dummy forward pass to correctly initialize the "
                "modules"
            )
        if reduce_dtype is not None and not (
            isinstance(reduce_dtype, dtype) and reduce_dtype.is_floating_point
        ):
            raise TypeError(f"reduce_dtype is a floating-point dtype, but got {reduce_dtype!r}")
        self.module = module
        self.process_group = group
        self.dim = dim
        self.device_ids = None
        self.output_device = None
        self.broadcast_buffers = broadcast_buffers
        self.find_unused_parameters = find_unused_parameters
        self.gradient_as_bucket_view = gradient_as_bucket_view
        self.static_graph = False
        self.bucket_bytes_cap = int((25 if bucket_cap_mb is None else bucket_cap_mb) * _MB)
        self.reduce_dtype = reduce_dtype
        self.require_backward_grad_sync = True
        self.require_forward_param_sync = True
        _check_alike(module, group)
        if init_sync:
            self._broadcast([*module.parameters(), *module.buffers()])
        self._buffers_to_send = list(module.buffers()) if broadcast_buffers else []
        self.reducer = Reducer(
            named,
            group,
            self.bucket_bytes_cap,
            find_unused_parameters,
            gradient_as_bucket_view,
            reduce_dtype,
        )

    def _broadcast(self, tensors: list[Any]) -> None:
        broadcast_from_first(tensors, self.process_group, 25 * _MB)

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """Call the module, whose gradients the next backward pass averages."""
        _C._refuse_replay("DistributedDataParallel, which is Python code")
        if _C.is_grad_enabled():
            self.reducer.expect(reduce=self.require_backward_grad_sync)
        if self._buffers_to_send and self.require_forward_param_sync:
            self._broadcast(self._buffers_to_send)
        # As in PyTorch: within no_sync() the buffers of the first forward pass are still copied.
        self.require_forward_param_sync = _C.is_grad_enabled() and self.require_backward_grad_sync
        result = self.module(*inputs, **kwargs)
        if self.find_unused_parameters and all(
            isinstance(each, Tensor) and not each.requires_grad for each in tree_leaves(result)
        ):
            self.reducer.finish_without_the_unused()  # no gradient will come
        return result

    @contextmanager
    def no_sync(self) -> Iterator[None]:
        """Keep gradients in each process, for forward passes within the block.

        They add up there, and the first pass after the block averages all of it.

        Example:
            >>> import tapegrad
            >>> from tapegrad import distributed, nn
            >>> distributed.init_process_group()
            >>> model = nn.parallel.DistributedDataParallel(nn.Linear(2, 1))
            >>> with model.no_sync():
            ...     model(tapegrad.ones(4, 2)).sum().backward()
            >>> model(tapegrad.ones(4, 2)).sum().backward()
            >>> model.module.bias.grad
            tensor([8.])
            >>> distributed.destroy_process_group()
        """
        before = self.require_backward_grad_sync
        self.require_backward_grad_sync = False
        try:
            yield
        finally:
            self.require_backward_grad_sync = before

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        del state["process_group"], state["reducer"], state["_buffers_to_send"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self.__init__(  # type: ignore[misc]
            self.module,
            broadcast_buffers=self.broadcast_buffers,
            init_sync=False,
            bucket_cap_mb=self.bucket_bytes_cap / _MB,
            find_unused_parameters=self.find_unused_parameters,
            gradient_as_bucket_view=self.gradient_as_bucket_view,
            reduce_dtype=self.reduce_dtype,
        )


def _check_alike(module: Module, group: distributed.ProcessGroup) -> None:
    """Raise in all processes if their parameters or buffers are not those of the first."""
    mine = [
        f"{name}: {str(each.dtype).removeprefix('tapegrad.')} {list(each.shape)}"
        + (", requires_grad" if each.requires_grad else "")
        for name, each in (*module.named_parameters(), *module.named_buffers())
    ]
    digest = hashlib.blake2b("\n".join(mine).encode()).digest()
    digests: list[Any] = [None] * group.size()
    distributed.all_gather_object(digests, digest, group)
    odd = [number for number, each in enumerate(digests) if each != digests[0]]
    if not odd:
        return
    descriptions: list[Any] = [None] * group.size()
    distributed.all_gather_object(descriptions, mine, group)
    first, other = descriptions[0], descriptions[odd[0]]
    rank = distributed.get_global_rank(group, odd[0])
    here = distributed.get_global_rank(group, 0)
    difference = next(
        (f"{a!r} and {b!r}" for a, b in zip(first, other, strict=False) if a != b),
        f"{(first + other)[min(len(first), len(other))]!r}",
    )
    raise RuntimeError(
        "DDP expects same model across all ranks, but ranks "
        f"{here} and {rank} differ: rank {here} has {len(first)} parameters and buffers, rank "
        f"{rank} has {len(other)}; the first that differ are {difference}"
    )
