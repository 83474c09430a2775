"""Averages the gradients of several processes while the backward pass makes them."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from ... import _C, distributed
from ..._C import Tensor, dtype
from ...autograd.grad_mode import no_grad
from ...distributed import ProcessGroup, ReduceOp, Work
from ...optim.optimizer import register_optimizer_step_pre_hook
from ._buckets import Flat, assign

__all__ = ["Reducer"]

_FIRST_BUCKET = 1 << 20  # bytes


class _Bucket:
    """Gradients that are reduced together."""

    def __init__(self, places: list[int], params: list[Tensor], as_views: bool) -> None:
        self.places = places
        self.missing = len(places)  # gradients that are still to come
        self.work: Work | None = None
        self._params = params
        self._as_views = as_views
        self._flat: Flat | None = None

    def pack(self) -> Tensor:
        """The gradients as one tensor: a single one as it is, without a copy."""
        grads = [param.grad for param in self._params]
        if len(grads) == 1 and grads[0] is not None and grads[0].is_contiguous():
            self._flat = None
            return grads[0].detach()
        if self._flat is None:
            self._flat = Flat(self._params)
        with no_grad():
            for view, grad in zip(self._flat.views, grads, strict=True):
                if grad is None:
                    view.zero_()
                elif grad.data_ptr() != view.data_ptr():
                    view.copy_(grad)
        return self._flat.whole

    def unpack(self, used: set[int]) -> None:
        """Give the parameters their gradients.

        Args:
            used: places of those that got a gradient in some process.
        """
        if self._flat is None:
            return
        with no_grad():
            for place, param, view in zip(self.places, self._params, self._flat.views, strict=True):
                if place not in used:
                    continue
                if self._as_views:
                    param.grad = view
                elif param.grad is None:
                    param.grad = view.clone()
                else:
                    param.grad.copy_(view)


class Reducer:
    """The gradients of some parameters: hooks collect them, and buckets of them are averaged.

    A bucket's reduction begins as soon as its gradients are there and those of the buckets before
    it have begun, so that all processes begin them in the same order. The last one ends with the
    backward pass. The first pass takes the parameters in reverse order; the ones after it in the
    order in which the first process has got their gradients.

    Args:
        named: names and parameters, all of which require gradients.
        group: the processes.
        cap: bytes of a bucket.
        find_unused: whether parameters may be without a gradient.
        as_views: whether gradients become views of the buckets.
        reduce_dtype: as for `all_reduce`.
    """

    def __init__(
        self,
        named: Sequence[tuple[str, Tensor]],
        group: ProcessGroup,
        cap: float,
        find_unused: bool,
        as_views: bool,
        reduce_dtype: dtype | None,
    ) -> None:
        self._names = [name for name, _ in named]
        self._params = [param for _, param in named]
        self._group = group
        self._cap = cap
        self._find_unused = find_unused
        self._as_views = as_views
        self._reduce_dtype = reduce_dtype
        self._reducing = False  # whether gradients that come are those of a forward pass to reduce
        self._local = False  # whether they are to stay with this process: no_sync()
        self._arrived: dict[int, None] = {}  # in this pass, in order
        self.unreduced: set[int] = set()  # parameters with gradients of this process alone
        self._order: list[int] | None = None
        self._rebuilt = find_unused  # without all gradients there is no order
        self._fill_buckets(list(reversed(range(len(named)))))
        itself = weakref.ref(self)
        self._hooks = [
            param.register_post_accumulate_grad_hook(_hook(itself, place))
            for place, param in enumerate(self._params)
        ]
        _reducers.add(self)
        _guard_optimizers()

    def __del__(self) -> None:
        for hook in getattr(self, "_hooks", ()):
            hook.remove()

    def _fill_buckets(self, order: list[int]) -> None:
        params = [self._params[place] for place in order]
        self._buckets = [
            _Bucket([order[k] for k in bucket], [params[k] for k in bucket], self._as_views)
            for bucket in assign(params, min(_FIRST_BUCKET, self._cap), self._cap)
        ]
        self._bucket_of = {place: each for each in self._buckets for place in each.places}
        self._begun = 0  # how many of them are on their way

    # ------------------------------------------------------------------ before backward

    def expect(self, reduce: bool) -> None:
        """Say that a forward pass begins, and whether its gradients are to be reduced.

        Raises:
            RuntimeError: if gradients of the pass before are missing.
        """
        self._check_finished()
        if not (self._rebuilt or self._order is None):
            order = [self._order]
            distributed.broadcast_object_list(order, group=self._group, group_src=0)
            self._fill_buckets(order[0])
            self._rebuilt = True
        self.unreduced = self._still_unreduced()
        self._reducing, self._local = reduce, not reduce

    def _still_unreduced(self) -> set[int]:
        return {place for place in self.unreduced if self._params[place].grad is not None}

    def _check_finished(self) -> None:
        if not self._arrived:
            return
        missing = sorted(set(range(len(self._params))).difference(self._arrived))
        rank = distributed.get_rank()
        raise RuntimeError(
            "Expected to have finished reduction in the prior iteration before starting a new one. "
            "This error indicates that your module has parameters that were not used in producing "
            "loss. You can enable unused parameter detection by passing the keyword argument "
            "`find_unused_parameters=True` to `tapegrad.nn.parallel.DistributedDataParallel`, and "
            "by making sure all `forward` function outputs participate in calculating loss.\n"
            f"Parameters which did not receive grad for rank {rank}: "
            f"{', '.join(self._names[place] for place in missing)}\n"
            f"Parameter indices which did not receive grad for rank {rank}: "
            f"{' '.join(map(str, missing))}"
        )

    def check_reduced(self, params: set[int]) -> None:
        """Raise before an optimiser uses gradients that have not been reduced.

        Args:
            params: the ``id`` of each of its parameters.
        """
        wrong = [
            self._names[place]
            for place in sorted(self._still_unreduced())
            if id(self._params[place]) in params
        ]
        if wrong:
            self._check_finished()
            raise RuntimeError(
                f"The gradients of {', '.join(wrong)} are those of this process alone. "
                "DistributedDataParallel reduces those of the first backward pass after its "
                "forward pass: add losses up before it, call the wrapper in place of its module, "
                "or keep gradients apart on purpose with no_sync()."
            )

    # ------------------------------------------------------------------ during backward

    def arrived(self, place: int) -> None:
        """Note that a parameter has its gradient, and begin what can be reduced.

        Raises:
            RuntimeError: if it had it before.
        """
        if self._local:
            return
        self.unreduced.add(place)
        if not self._reducing:
            return
        if place in self._arrived:
            raise RuntimeError(
                "Expected to mark a variable ready only once. This error is caused by one of the "
                "following reasons: 1) Use of a module parameter outside the `forward` function. "
                "2) Reused parameters in multiple reentrant backward passes, such as several "
                "`checkpoint` functions around the same part of a model.\n"
                f"Parameter at index {place} with name {self._names[place]} has been marked as "
                "ready twice."
            )
        if self._find_unused and not self._arrived:
            _C._queue_callback(self.finish_without_the_unused)
        self._arrived[place] = None
        self._bucket_of[place].missing -= 1
        self._begin()
        if self._begun == len(self._buckets) and not self._find_unused:
            self._order = list(self._arrived)
            _C._queue_callback(self._finish)

    def _begin(self) -> None:
        """Begin to reduce the buckets that are complete, up to the first that is not."""
        for bucket in self._buckets[self._begun :]:
            if bucket.missing:
                break
            bucket.work = self._all_reduce(bucket.pack(), ReduceOp.AVG, self._reduce_dtype)
            self._begun += 1
        if self._begun:
            self._group.progress()

    def _all_reduce(self, tensor: Tensor, op: ReduceOp, reduce_dtype: dtype | None) -> Work:
        work = distributed.all_reduce(
            tensor, op, self._group, async_op=True, reduce_dtype=reduce_dtype
        )
        assert work is not None
        return work

    # ------------------------------------------------------------------ at its end

    def finish_without_the_unused(self) -> None:
        """Count parameters that have got no gradient as used by other processes alone."""
        if not self._reducing:
            return  # a pass within this one was the last that gradients came from
        places = range(len(self._params))
        for place in places:
            if place not in self._arrived:
                self._bucket_of[place].missing -= 1
        self._begin()
        used = _C.tensor([place in self._arrived for place in places])
        self._all_reduce(used, ReduceOp.MAX, None).wait()
        self._finish(set(used.nonzero().flatten().tolist()))

    def _finish(self, used: set[int] | None = None) -> None:
        """Wait for all buckets, and give the parameters their gradients.

        Args:
            used: places of parameters that got a gradient in some process. Default: all.
        """
        used = set(range(len(self._params))) if used is None else used
        for bucket in self._buckets:
            assert bucket.work is not None
            bucket.work.wait()
            bucket.unpack(used)
            bucket.missing, bucket.work = len(bucket.places), None
        self._begun = 0
        self._arrived.clear()
        self.unreduced -= used
        self._reducing = False


def _hook(reducer: weakref.ref[Reducer], place: int) -> Callable[[Tensor], None]:
    def arrived(param: Tensor) -> None:
        alive = reducer()
        if alive is not None:
            alive.arrived(place)

    return arrived


_reducers: weakref.WeakSet[Reducer] = weakref.WeakSet()


@functools.cache
def _guard_optimizers() -> None:
    register_optimizer_step_pre_hook(_before_step)


def _before_step(optimizer: Any, args: Any, kwargs: Any) -> None:
    doubtful = [reducer for reducer in _reducers if reducer.unreduced]
    if doubtful:
        params = {id(param) for group in optimizer.param_groups for param in group["params"]}
        for reducer in doubtful:
            reducer.check_reduced(params)
