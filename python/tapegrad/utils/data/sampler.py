"""Orders in which samples are drawn."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import tapegrad

from ..._C import Tensor

__all__ = [
    "BatchSampler",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "SubsetRandomSampler",
    "WeightedRandomSampler",
]

T_co = TypeVar("T_co", covariant=True)


def draw_seed(generator: Any) -> int:
    """A seed for another generator."""
    return int(tapegrad.empty((), dtype=tapegrad.int64).random_(generator=generator))


def _check_flag(error: type[Exception], replacement: Any) -> None:
    if not isinstance(replacement, bool):
        raise error(f"replacement should be a boolean value, but got replacement={replacement}")


def _check_count(num_samples: Any) -> None:
    if not isinstance(num_samples, int) or isinstance(num_samples, bool) or num_samples <= 0:
        raise ValueError(
            f"num_samples should be a positive integer value, but got num_samples={num_samples}"
        )


class Sampler(Generic[T_co]):
    """The base class: a subclass defines ``__iter__``, which gives indices, and ``__len__``.

    Those of this file have ``_draws`` too, which gives the same indices as tensors.
    """

    def __iter__(self) -> Iterator[T_co]:
        raise NotImplementedError


class SequentialSampler(Sampler[int]):
    """The indices in order.

    Example:
        >>> from tapegrad.utils.data import SequentialSampler
        >>> list(SequentialSampler("abc"))
        [0, 1, 2]
    """

    def __init__(self, data_source: Any) -> None:
        self.data_source = data_source

    def _draws(self) -> Iterator[Tensor]:
        yield tapegrad.arange(len(self.data_source))

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


_CHUNK = 32  # indices that are drawn at a time


class RandomSampler(Sampler[int]):
    """The indices in random order.

    Args:
        data_source: the dataset.
        replacement: draw every index independently. Default: False.
        num_samples: how many to draw. Default: as many as there are samples.
        generator: the random generator to draw from. Default: a new one in each epoch, with a seed
            from the global one.

    Raises:
        TypeError: if `replacement` is not a bool.
        ValueError: if `num_samples` is not a positive integer.

    Example:
        >>> from tapegrad.utils.data import RandomSampler
        >>> sorted(RandomSampler("abc"))
        [0, 1, 2]
    """

    def __init__(
        self,
        data_source: Any,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Any = None,
    ) -> None:
        _check_flag(TypeError, replacement)
        self.data_source = data_source
        self.replacement = replacement
        self.generator = generator
        self._num_samples = num_samples
        _check_count(self.num_samples)

    @property
    def num_samples(self) -> int:
        """How many indices are drawn."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def _draws(self) -> Iterator[Tensor]:
        """The indices in blocks, drawn one after the other as they are asked for."""
        n, wanted, generator = len(self.data_source), self.num_samples, self.generator
        if generator is None:
            generator = tapegrad.Generator()
            generator.manual_seed(draw_seed(None))
        size = _CHUNK if self.replacement else n
        for start in range(0, wanted, size):
            count = min(size, wanted - start)
            if self.replacement:
                yield tapegrad.randint(n, (count,), generator=generator)
            else:
                yield tapegrad.randperm(n, generator=generator)[:count]

    def __iter__(self) -> Iterator[int]:
        for indices in self._draws():
            yield from indices.tolist()

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler[int]):
    """Given indices in random order.

    Args:
        indices: the indices.
        generator: the random generator to draw from. Default: the global one.

    Example:
        >>> from tapegrad.utils.data import SubsetRandomSampler
        >>> sorted(SubsetRandomSampler([5, 7]))
        [5, 7]
    """

    def __init__(self, indices: Sequence[int], generator: Any = None) -> None:
        self.indices = indices
        self.generator = generator

    def _draws(self) -> Iterator[Tensor]:
        order = tapegrad.randperm(len(self.indices), generator=self.generator)
        yield tapegrad.as_tensor(list(self.indices), dtype=tapegrad.int64)[order]

    def __iter__(self) -> Iterator[int]:
        for i in tapegrad.randperm(len(self.indices), generator=self.generator).tolist():
            yield self.indices[i]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler[int]):
    """Indices drawn with given probabilities.

    Args:
        weights: a number for each index; they need not add up to one.
        num_samples: how many to draw.
        replacement: draw every index independently. Default: True.
        generator: the random generator to draw from. Default: the global one.

    Raises:
        ValueError: for a number of samples that is not a positive integer, a flag that is no bool,
            or weights that are not in one dimension.

    Example:
        >>> from tapegrad.utils.data import WeightedRandomSampler
        >>> list(WeightedRandomSampler([0.0, 3.0, 0.0], 4))
        [1, 1, 1, 1]
    """

    def __init__(
        self,
        weights: Any,
        num_samples: int,
        replacement: bool = True,
        generator: Any = None,
    ) -> None:
        _check_count(num_samples)
        _check_flag(ValueError, replacement)
        self.weights = tapegrad.as_tensor(weights, dtype=tapegrad.float64)
        if self.weights.dim() != 1:
            raise ValueError(
                "weights should be a 1d sequence but given weights have shape "
                f"{tuple(self.weights.shape)}"
            )
        self.num_samples = num_samples
        self.replacement = replacement
        self.generator = generator

    def _draws(self) -> Iterator[Tensor]:
        yield tapegrad.multinomial(
            self.weights, self.num_samples, self.replacement, generator=self.generator
        )

    def __iter__(self) -> Iterator[int]:
        for indices in self._draws():
            yield from indices.tolist()

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list[Any]]):
    """The indices of another sampler in lists.

    Args:
        sampler: any iterable of indices.
        batch_size: length of the lists.
        drop_last: leave out a last list that is shorter.

    Raises:
        ValueError: if `batch_size` is not a positive integer or `drop_last` not a bool.

    Example:
        >>> from tapegrad.utils.data import BatchSampler
        >>> list(BatchSampler(range(5), batch_size=2, drop_last=False))
        [[0, 1], [2, 3], [4]]
    """

    def __init__(self, sampler: Iterable[Any], batch_size: int, drop_last: bool) -> None:
        if not isinstance(batch_size, int) or isinstance(batch_size, bool) or batch_size <= 0:
            raise ValueError(
                f"batch_size should be a positive integer value, but got batch_size={batch_size}"
            )
        if not isinstance(drop_last, bool):
            raise ValueError(f"drop_last should be a boolean value, but got drop_last={drop_last}")
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last

    def __iter__(self) -> Iterator[list[Any]]:
        indices = iter(self.sampler)
        while batch := list(itertools.islice(indices, self.batch_size)):
            if self.drop_last and len(batch) < self.batch_size:
                return
            yield batch

    def __len__(self) -> int:
        count = len(self.sampler)  # type: ignore[arg-type]
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)
