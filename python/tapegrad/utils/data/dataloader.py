"""Mini-batches of a dataset."""

from __future__ import annotations

import multiprocessing
import multiprocessing.context
import os
import warnings
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, Protocol, TypeVar

import tapegrad

from ..._C import Tensor
from ._utils.collate import (
    collate_tensor_fn,
    default_collate,
    default_collate_fn_map,
    default_convert,
)
from .dataset import Dataset, IterableDataset, _samples
from .sampler import (
    BatchSampler,
    RandomSampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
    draw_seed,
)
from .worker import Workers, get_worker_info

__all__ = ["DataLoader", "default_collate", "default_convert", "get_worker_info"]


T_co = TypeVar("T_co", covariant=True)


class _Fetcher:
    """What makes a batch: all that worker processes need to know of a loader."""

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None,
        batched: bool,
        drop_last: bool,
        collate_fn: Callable[[Any], Any],
    ) -> None:
        self.dataset = dataset
        self.batch_size = batch_size
        self.batched = batched
        self.drop_last = drop_last
        self.collate_fn = collate_fn

    def whole(self) -> bool:
        """Whether rows of a tensor are the batch that collating its samples would give."""
        return (
            self.batched
            and self.collate_fn is default_collate
            and isinstance(self.dataset, Dataset)
            and default_collate_fn_map.get(Tensor) is collate_tensor_fn
        )

    def fetch(self, indices: Any) -> Any:
        """The batch of a list of indices, or the sample of one."""
        dataset = self.dataset
        if not self.batched:
            return self.collate_fn(dataset[indices])
        if indices and self.whole():
            columns = dataset._batch(tapegrad.tensor(indices))
            if columns is not None:
                return list(columns)
        return self.collate_fn(_samples(dataset, indices))

    def fetch_rows(self, indices: Tensor) -> Any:
        """The batch of a tensor of indices."""
        columns = self.dataset._batch(indices)
        return self.fetch(indices.tolist()) if columns is None else list(columns)

    def stream(self) -> Iterator[Any]:
        """The batches of a dataset without indices."""
        return _Stream(self)


class _Samples(Protocol[T_co]):
    """What a loader asks for: datasets, and sequences."""

    def __getitem__(self, index: Any, /) -> T_co: ...


class DataLoader(Generic[T_co]):
    """Iterates over a dataset in mini-batches.

    Batches of a :class:`TensorDataset` (or of a :class:`Subset` of one) are taken from its tensors
    by a single indexing operation each.

    Args:
        dataset: anything with ``__getitem__`` and ``__len__``, or an :class:`IterableDataset`.
        batch_size: number of samples in a batch; None gives single samples. Default: 1.
        shuffle: a new random order in each epoch. Default: False.
        sampler: an iterable of indices, instead of `shuffle`.
        batch_sampler: an iterable of lists of indices, instead of the four options around it.
        num_workers: number of processes that load batches; 0 (the default) is fastest for data in
            memory. Of an :class:`IterableDataset` each of them gives all samples: it divides them
            by what :func:`get_worker_info` says.
        collate_fn: makes a batch of a list of samples. Default: :func:`default_collate`.
        pin_memory: accepted for compatibility.
        drop_last: leave out a last batch that is smaller. Default: False.
        timeout: seconds to wait for a worker's batch; 0 (the default) waits for ever.
        worker_init_fn: called in each worker with its number.
        multiprocessing_context: how processes are started, the name of a method or a context of
            :mod:`multiprocessing`. Default: they are forked.
        generator: the random generator of the order. Default: the global one.
        prefetch_factor: batches that each worker loads in advance. Default: 2.
        persistent_workers: keep the processes, with their copies of the dataset, for the next
            epoch. Default: False.
        pin_memory_device: accepted for compatibility.
        in_order: give the batches of workers in order. Otherwise they come as they are ready, which
            does not wait for slow samples. Default: True.

    Raises:
        ValueError: for options that exclude each other or are out of range, and where an attribute
            is changed on which the iteration depends.

    Example:
        >>> import tapegrad
        >>> from tapegrad.utils.data import DataLoader, TensorDataset
        >>> data = TensorDataset(tapegrad.arange(5), tapegrad.zeros(5, 2))
        >>> for number, rows in DataLoader(data, batch_size=2):
        ...     print(number, tuple(rows.shape))
        tensor([0, 1]) (2, 2)
        tensor([2, 3]) (2, 2)
        tensor([4]) (1, 2)
    """

    def __init__(
        self,
        dataset: _Samples[T_co],
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable[Any] | None = None,
        batch_sampler: Iterable[Any] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[Any], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], None] | None = None,
        multiprocessing_context: Any = None,
        generator: Any = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        if num_workers < 0:
            raise ValueError(
                "num_workers option should be non-negative; "
                "use num_workers=0 to disable multiprocessing."
            )
        if timeout < 0:
            raise ValueError("timeout option should be non-negative")
        if num_workers == 0 and prefetch_factor is not None:
            raise ValueError(
                "prefetch_factor option could only be specified in multiprocessing."
                "let num_workers > 0 to enable multiprocessing, otherwise set prefetch_factor to "
                "None."
            )
        if prefetch_factor is not None and prefetch_factor < 0:
            raise ValueError("prefetch_factor option should be non-negative")
        if persistent_workers and num_workers == 0:
            raise ValueError("persistent_workers option needs num_workers > 0")
        iterable = isinstance(dataset, IterableDataset)
        if iterable:
            if shuffle:
                raise ValueError(
                    "DataLoader with IterableDataset: expected unspecified shuffle option, but got "
                    f"shuffle={shuffle}"
                )
            for name, value in (("sampler", sampler), ("batch_sampler", batch_sampler)):
                if value is not None:
                    raise ValueError(
                        f"DataLoader with IterableDataset: expected unspecified {name} option, but "
                        f"got {name}={value}"
                    )
        if sampler is not None and shuffle:
            raise ValueError("sampler option is mutually exclusive with shuffle")
        if batch_sampler is not None:
            if batch_size != 1 or shuffle or sampler is not None or drop_last:
                raise ValueError(
                    "batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, "
                    "and drop_last"
                )
            batch_size = None
        elif batch_size is None and drop_last:
            raise ValueError(
                "batch_size=None option disables auto-batching and is mutually exclusive with "
                "drop_last"
            )
        if sampler is None and not iterable:
            if shuffle:
                sampler = RandomSampler(dataset, generator=generator)
            else:
                sampler = SequentialSampler(dataset)
        batched = batch_size is not None or batch_sampler is not None
        if batch_size is not None:
            # Checks batch_size and drop_last for an IterableDataset as well.
            batch_sampler = BatchSampler(() if iterable else sampler, batch_size, drop_last)  # type: ignore[arg-type]
        self.dataset = dataset
        self.batch_size = batch_size
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        self.num_workers = num_workers
        self.collate_fn = collate_fn or (default_collate if batched else default_convert)
        self.pin_memory = pin_memory
        self.pin_memory_device = pin_memory_device
        self.drop_last = drop_last
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.multiprocessing_context = multiprocessing_context
        self.generator = generator
        self.prefetch_factor = 2 if num_workers and prefetch_factor is None else prefetch_factor
        self.persistent_workers = persistent_workers
        self.in_order = in_order
        self._workers: Workers | None = None
        self._length_told: int | None = None
        self._warn_of_many_workers()
        self._initialized = True

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _FIXED and self.__dict__.get("_initialized"):
            raise ValueError(
                f"{name} attribute should not be set after {type(self).__name__} is initialized"
            )
        super().__setattr__(name, value)

    @property
    def multiprocessing_context(self) -> Any:
        """How worker processes are started; None if they are forked."""
        return self._context

    @multiprocessing_context.setter
    def multiprocessing_context(self, context: Any) -> None:
        if context is not None:
            if self.num_workers <= 0:
                raise ValueError(
                    "multiprocessing_context can only be used with multi-process loading "
                    f"(num_workers > 0), but got num_workers={self.num_workers}"
                )
            if isinstance(context, str):
                methods = multiprocessing.get_all_start_methods()
                if context not in methods:
                    raise ValueError(
                        "multiprocessing_context option should specify a valid start method in "
                        f"{methods!r}, but got multiprocessing_context={context!r}"
                    )
                context = multiprocessing.get_context(context)
            if not isinstance(context, multiprocessing.context.BaseContext):
                raise TypeError(
                    "multiprocessing_context option should be a valid context object or a string "
                    "specifying the start method, but got "
                    f"multiprocessing_context={context}"
                )
        self._context = context

    def _warn_of_many_workers(self) -> None:
        if hasattr(os, "sched_getaffinity"):
            processors, note = len(os.sched_getaffinity(0)), ""
        else:
            processors, note = os.cpu_count() or 0, " (`cpuset` is not taken into account)"
        if self.num_workers <= processors:
            return
        warnings.warn(
            f"This DataLoader will create {self.num_workers} worker processes in total. Our "
            f"suggested max number of worker in current system is {processors}{note}, which is "
            "smaller than what this DataLoader is going to create. Please be aware that excessive "
            "worker creation might get DataLoader running slow or even freeze, lower the worker "
            "number to avoid potential slowness/freeze if necessary.",
            stacklevel=3,
        )

    def __len__(self) -> int:
        if isinstance(self.dataset, IterableDataset):
            count = self._length_told = len(self.dataset)  # type: ignore[arg-type]
            if self.batch_size is None:
                return count
            size = self.batch_size
            return count // size if self.drop_last else -(-count // size)
        return len(self._source())

    def _source(self) -> Any:
        """What gives the indices: lists of them, or single ones without batching."""
        return self.sampler if self.batch_sampler is None else self.batch_sampler

    def __iter__(self) -> Iterator[Any]:
        if self.pin_memory:
            warnings.warn(
                "'pin_memory' argument is set as true but no accelerator is found, then device "
                "pinned memory won't be used.",
                stacklevel=2,
            )
        stream = isinstance(self.dataset, IterableDataset)
        # Drawn in each epoch, whether there are workers or not: the numbers after it are the same.
        seed = draw_seed(self.generator)
        fetcher = _Fetcher(
            self.dataset,
            self.batch_size,
            self.batch_sampler is not None,
            self.drop_last,
            self.collate_fn,
        )
        batches: Iterator[Any]
        if self.num_workers:
            batches = self._iterate_in_workers(fetcher, None if stream else self._source(), seed)
        elif self.timeout != 0:
            raise AssertionError("timeout needs num_workers > 0")
        elif stream:
            batches = fetcher.stream()
        elif fetcher.whole() and type(self.batch_sampler) is BatchSampler and self._in_blocks():
            batches = map(fetcher.fetch_rows, self._rows())
        else:
            batches = map(fetcher.fetch, self._source())
        if stream and self._length_told is not None:
            return _Counted(batches, self.dataset, self._length_told, self.num_workers > 0)
        return batches

    def _iterate_in_workers(self, fetcher: _Fetcher, source: Any, seed: int) -> Iterator[Any]:
        if not self.persistent_workers:
            workers = self._start_workers(fetcher, source is None, seed)
            return workers.epoch(source, last=True, in_order=self.in_order)
        if self._workers is None or not self._workers.usable():
            if self._workers is not None:
                self._workers.close()
            self._workers = self._start_workers(fetcher, source is None, seed)
            weakref.finalize(self, self._workers.close)
        return self._workers.epoch(source, last=False, in_order=self.in_order, keeps=self)

    def _start_workers(self, fetcher: _Fetcher, stream: bool, seed: int) -> Workers:
        if not self.prefetch_factor:
            raise AssertionError("prefetch_factor must be greater than 0 for worker processes")
        return Workers(
            fetcher.stream if stream else fetcher.fetch,
            stream,
            self.dataset,
            self.num_workers,
            self.prefetch_factor,
            self.timeout,
            self.worker_init_fn,
            seed,
            self._context,
        )

    def _in_blocks(self) -> bool:
        """Whether the indices are to be had as tensors, many at a time."""
        sampler = self.sampler
        if type(sampler) is SubsetRandomSampler:
            return all(type(index) is int for index in sampler.indices)
        return type(sampler) in (SequentialSampler, RandomSampler, WeightedRandomSampler)

    def _rows(self) -> Iterator[Tensor]:
        """The batches of the sampler as tensors, without a list of indices for each."""
        size, sampler = self.batch_size, self.sampler
        assert size is not None
        rest: Tensor | None = None
        for block in sampler._draws():  # type: ignore[union-attr]
            if rest is not None:
                block = tapegrad.cat([rest, block])
            stop = len(block) - len(block) % size
            for start in range(0, stop, size):
                yield block[start : start + size]
            rest = block[stop:] if stop < len(block) else None
        if rest is not None and not self.drop_last:
            yield rest


_FIXED = frozenset(
    {"batch_size", "batch_sampler", "sampler", "drop_last", "dataset", "persistent_workers"}
)


class _Counted:
    """Warns where a stream gives more than its length."""

    def __init__(self, batches: Iterator[Any], dataset: Any, length: int, workers: bool) -> None:
        self.batches = batches
        self.dataset = dataset
        self.length = length
        self.workers = workers
        self.given = 0

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        batch = next(self.batches)
        self.given += 1
        if self.given > self.length:
            text = (
                f"Length of IterableDataset {self.dataset} was reported to be {self.length}"
                f"(when accessing len(dataloader)), but {self.given} samples have been fetched. "
            )
            if self.workers:
                text += (
                    "For multiprocessing data-loading, this could be caused by not properly "
                    "configuring the IterableDataset replica at each worker."
                )
            warnings.warn(text, stacklevel=2)
        return batch


class _Stream:
    """An iterator over the batches of a stream, which goes on after one that failed."""

    def __init__(self, fetcher: _Fetcher) -> None:
        self.fetcher = fetcher
        self.samples = iter(fetcher.dataset)
        self.ended = False

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        fetcher, size = self.fetcher, self.fetcher.batch_size
        if self.ended:
            raise StopIteration
        if size is None:
            return fetcher.collate_fn(next(self.samples))
        batch: list[Any] = []
        while len(batch) < size and not self.ended:
            try:
                batch.append(next(self.samples))
            except StopIteration:
                self.ended = True
        if not batch or (self.ended and fetcher.drop_last):
            raise StopIteration
        return fetcher.collate_fn(batch)
