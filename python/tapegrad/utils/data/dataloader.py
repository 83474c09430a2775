"""Mini-batches of a dataset."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import tapegrad

from ..._C import Tensor
from .collate import default_collate, default_convert
from .dataset import Dataset, IterableDataset
from .sampler import BatchSampler, RandomSampler, SequentialSampler
from .worker import Workers

__all__ = ["DataLoader"]


class DataLoader:
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
        multiprocessing_context: accepted for compatibility; workers are forked.
        generator: the random generator of the order. Default: the global one.
        prefetch_factor: batches that each worker loads in advance. Default: 2.
        persistent_workers: keep the processes, with their copies of the dataset, for the next
            epoch. Default: False.
        pin_memory_device: accepted for compatibility.
        in_order: accepted for compatibility; batches come in order.

    Raises:
        ValueError: for options that exclude each other or are out of range.

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
        dataset: Any,
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
        if prefetch_factor is not None and prefetch_factor < 1:
            raise ValueError("prefetch_factor option should be positive")
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
        self.drop_last = drop_last
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.generator = generator
        self.prefetch_factor = prefetch_factor
        self.persistent_workers = persistent_workers
        self._workers: Workers | None = None
        self._whole = batched and collate_fn is None and isinstance(dataset, Dataset)

    def __len__(self) -> int:
        if isinstance(self.dataset, IterableDataset):
            count = len(self.dataset)  # type: ignore[arg-type]
            if self.batch_size is None:
                return count
            size = self.batch_size
            return count // size if self.drop_last else -(-count // size)
        return len(self._source())

    def _source(self) -> Any:
        """What gives the indices: lists of them, or single ones without batching."""
        return self.sampler if self.batch_sampler is None else self.batch_sampler

    def _fetch(self, indices: Any) -> Any:
        if self.batch_sampler is None:
            return self.collate_fn(self.dataset[indices])
        if self._whole and indices:
            columns = self.dataset._batch(tapegrad.tensor(indices))
            if columns is not None:
                return list(columns)
        many = getattr(self.dataset, "__getitems__", None)
        if many is not None:
            return self.collate_fn(many(indices))
        return self.collate_fn([self.dataset[i] for i in indices])

    def __iter__(self) -> Iterator[Any]:
        stream = isinstance(self.dataset, IterableDataset)
        if self.num_workers:
            return self._iterate_in_workers(None if stream else self._source())
        if stream:
            return self._iterate_stream()
        if self._in_plain_order():
            return self._iterate_tensors()
        return map(self._fetch, self._source())

    def _iterate_in_workers(self, source: Any) -> Iterator[Any]:
        seed = int(tapegrad.randint(2**31 - 1, (1,), generator=self.generator))
        if not self.persistent_workers:
            return self._start_workers(source is None, seed).epoch(source, last=True)
        if self._workers is None or not self._workers.usable():
            if self._workers is not None:
                self._workers.close()
            self._workers = self._start_workers(source is None, seed)
            weakref.finalize(self, self._workers.close)
        return self._workers.epoch(source, last=False)

    def _start_workers(self, stream: bool, seed: int) -> Workers:
        return Workers(
            self._iterate_stream if stream else self._fetch,
            stream,
            self.dataset,
            self.num_workers,
            self.prefetch_factor or 2,
            self.timeout,
            self.worker_init_fn,
            seed,
        )

    def _in_plain_order(self) -> bool:
        """Whether the batches are slices of a range or of a permutation, to be had as tensors."""
        sampler = self.sampler
        if not self._whole or type(self.batch_sampler) is not BatchSampler:
            return False
        if type(sampler) is RandomSampler:
            return not sampler.replacement and sampler._num_samples is None
        return type(sampler) is SequentialSampler

    def _iterate_tensors(self) -> Iterator[Any]:
        """The same batches as the samplers give, without a list of indices for each."""
        return map(self._fetch_rows, self._rows())

    def _rows(self) -> Iterator[Tensor]:
        count, size = len(self.dataset), self.batch_size
        assert size is not None
        if isinstance(self.sampler, RandomSampler):
            order = tapegrad.randperm(count, generator=self.sampler.generator)
        else:
            order = tapegrad.arange(count)
        stop = count - count % size if self.drop_last else count
        for start in range(0, stop, size):
            yield order[start : start + size]

    def _fetch_rows(self, indices: Tensor) -> Any:
        columns = self.dataset._batch(indices)
        return self._fetch(indices.tolist()) if columns is None else list(columns)

    def _iterate_stream(self) -> Iterator[Any]:
        return _Stream(self)


class _Stream:
    """An iterator over the batches of a stream, which goes on after one that failed."""

    def __init__(self, loader: DataLoader) -> None:
        self.loader = loader
        self.samples = iter(loader.dataset)
        self.ended = False

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        loader, size = self.loader, self.loader.batch_size
        if self.ended:
            raise StopIteration
        if size is None:
            return loader.collate_fn(next(self.samples))
        batch: list[Any] = []
        while len(batch) < size and not self.ended:
            try:
                batch.append(next(self.samples))
            except StopIteration:
                self.ended = True
        if not batch or (self.ended and loader.drop_last):
            raise StopIteration
        return loader.collate_fn(batch)
