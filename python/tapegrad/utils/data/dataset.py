"""Collections of samples."""

from __future__ import annotations

import bisect
import itertools
import math
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import tapegrad

from ..._C import Tensor

__all__ = [
    "ChainDataset",
    "ConcatDataset",
    "Dataset",
    "IterableDataset",
    "StackDataset",
    "Subset",
    "TensorDataset",
    "random_split",
]

T_co = TypeVar("T_co", covariant=True)


class Dataset(Generic[T_co]):
    """The base class: a subclass defines ``__getitem__`` and ``__len__``.

    It may define ``__getitems__`` as well, which gives the samples of a list of indices.

    Example:
        >>> from tapegrad.utils.data import Dataset
        >>> class Squares(Dataset):
        ...     def __len__(self):
        ...         return 4
        ...
        ...     def __getitem__(self, index):
        ...         return index**2
        >>> Squares()[3]
        9
    """

    def __getitem__(self, index: Any) -> T_co:
        raise NotImplementedError("Subclasses of Dataset should implement __getitem__.")

    def __add__(self, other: Any) -> Any:
        return ConcatDataset([self, other])

    def _batch(self, indices: Tensor) -> tuple[Tensor, ...] | None:
        """All samples of a batch at once, stacked; None if only single samples can be had."""
        return None


class IterableDataset(Dataset[T_co], Iterable[T_co]):
    """The base class of datasets without indices: a subclass defines ``__iter__``.

    Example:
        >>> from tapegrad.utils.data import IterableDataset
        >>> class Words(IterableDataset):
        ...     def __iter__(self):
        ...         return iter(["a", "b"])
        >>> list(Words() + Words())
        ['a', 'b', 'a', 'b']
    """

    def __iter__(self) -> Iterator[T_co]:
        raise NotImplementedError("Subclasses of IterableDataset should implement __iter__.")

    def __add__(self, other: Any) -> Any:
        return ChainDataset([self, other])


class TensorDataset(Dataset[tuple[Tensor, ...]]):
    """Samples along the first dimension of one or several tensors.

    Args:
        *tensors: tensors of the same length.

    Raises:
        AssertionError: if the lengths differ.

    Example:
        >>> import tapegrad
        >>> from tapegrad.utils.data import TensorDataset
        >>> data = TensorDataset(tapegrad.zeros(3, 2), tapegrad.arange(3))
        >>> len(data), data[2]
        (3, (tensor([0., 0.]), tensor(2)))
    """

    tensors: tuple[Tensor, ...]

    def __init__(self, *tensors: Tensor) -> None:
        if any(tensor.shape[0] != tensors[0].shape[0] for tensor in tensors):
            raise AssertionError("Size mismatch between tensors")
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple([tensor[index] for tensor in self.tensors])

    def __len__(self) -> int:
        return self.tensors[0].shape[0]

    def _batch(self, indices: Tensor) -> tuple[Tensor, ...] | None:
        if type(self).__getitem__ is not TensorDataset.__getitem__ or hasattr(self, "__getitems__"):
            return None
        return tuple([tensor[indices] for tensor in self.tensors])


class Subset(Dataset[T_co]):
    """Some samples of another dataset.

    Args:
        dataset: the other dataset.
        indices: their indices in it.

    Example:
        >>> from tapegrad.utils.data import Subset
        >>> list(Subset(["a", "b", "c"], [2, 0]))
        ['c', 'a']
    """

    def __init__(self, dataset: Any, indices: Sequence[int]) -> None:
        self.dataset = dataset
        self.indices = indices
        kind = type(self)
        if kind.__getitem__ is not Subset.__getitem__ and kind.__getitems__ is Subset.__getitems__:
            raise NotImplementedError(
                f"{kind.__name__} overrides __getitem__ but not __getitems__. When subclassing "
                "Subset and overriding __getitem__, you must also override __getitems__ to ensure "
                "DataLoader works correctly with your custom logic."
            )

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, list):
            return self.dataset[[self.indices[i] for i in index]]
        return self.dataset[self.indices[index]]

    def __getitems__(self, indices: list[int]) -> list[Any]:
        return _samples(self.dataset, [self.indices[i] for i in indices])

    def __len__(self) -> int:
        return len(self.indices)

    def _batch(self, indices: Tensor) -> tuple[Tensor, ...] | None:
        if type(self).__getitems__ is not Subset.__getitems__:
            return None
        if not isinstance(self.dataset, Dataset):
            return None
        return self.dataset._batch(tapegrad.tensor([self.indices[i] for i in indices.tolist()]))


class ConcatDataset(Dataset[T_co]):
    """Several datasets, one after the other.

    Args:
        datasets: an iterable of datasets; each has a length.

    Raises:
        AssertionError: if there is none, or one is an IterableDataset.

    Example:
        >>> from tapegrad.utils.data import ConcatDataset
        >>> list(ConcatDataset([["a"], ["b", "c"]]))
        ['a', 'b', 'c']
    """

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise AssertionError("datasets should not be an empty iterable")
        if any(isinstance(d, IterableDataset) for d in self.datasets):
            raise AssertionError("ConcatDataset does not support IterableDataset")
        self.cumulative_sizes = list(itertools.accumulate(map(len, self.datasets)))

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, index: int) -> Any:
        if index < -len(self):
            raise ValueError("absolute value of index should not exceed dataset length")
        if index >= len(self):
            raise IndexError("index out of range")
        index %= len(self)
        which = bisect.bisect_right(self.cumulative_sizes, index)
        start = self.cumulative_sizes[which - 1] if which else 0
        return self.datasets[which][index - start]


def _samples(dataset: Any, indices: list[int]) -> list[Any]:
    """The samples of several indices, all at once where the dataset can do that."""
    many = getattr(dataset, "__getitems__", None)
    return many(indices) if callable(many) else [dataset[i] for i in indices]


class StackDataset(Dataset[T_co]):
    """Several datasets of the same length side by side.

    Args:
        *args: datasets; a sample is the tuple of theirs.
        **kwargs: datasets by name; a sample is the dict of theirs.

    Raises:
        ValueError: if there is none, there are both kinds, or the lengths differ.

    Example:
        >>> from tapegrad.utils.data import StackDataset
        >>> StackDataset("ab", [1, 2])[1], StackDataset(x="ab", y=[1, 2])[0]
        (('b', 2), {'x': 'a', 'y': 1})
    """

    datasets: tuple[Any, ...] | dict[str, Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if args and kwargs:
            raise ValueError(
                "Supported either ``tuple``- (via ``args``) or``dict``- (via ``kwargs``) like "
                "input/output, but both types are given."
            )
        if not args and not kwargs:
            raise ValueError("At least one dataset should be passed")
        self.datasets = args or kwargs
        lengths = [len(dataset) for dataset in self._all()]
        self._length = lengths[0]
        if any(length != self._length for length in lengths):
            raise ValueError("Size mismatch between datasets")

    def _all(self) -> list[Any]:
        datasets = self.datasets
        return list(datasets.values() if isinstance(datasets, dict) else datasets)

    def _together(self, parts: Iterable[Any]) -> Any:
        """A sample of the samples of all datasets."""
        if isinstance(self.datasets, dict):
            return dict(zip(self.datasets, parts, strict=True))
        return tuple(parts)

    def __getitem__(self, index: Any) -> Any:
        return self._together([dataset[index] for dataset in self._all()])

    def __getitems__(self, indices: list[int]) -> list[Any]:
        columns = []
        for dataset in self._all():
            samples = _samples(dataset, indices)
            if len(samples) != len(indices):
                raise ValueError(
                    "Nested dataset's output size mismatch. "
                    f"Expected {len(indices)}, got {len(samples)}"
                )
            columns.append(samples)
        return [self._together(parts) for parts in zip(*columns, strict=True)]

    def __len__(self) -> int:
        return self._length


class ChainDataset(IterableDataset[T_co]):
    """Several iterable datasets, one after the other.

    Args:
        datasets: an iterable of them.

    Raises:
        AssertionError: when one is reached that is not an :class:`IterableDataset`.
    """

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = datasets

    def _checked(self) -> Iterator[Any]:
        for dataset in self.datasets:
            if not isinstance(dataset, IterableDataset):
                raise AssertionError("ChainDataset only supports IterableDataset")
            yield dataset

    def __iter__(self) -> Iterator[Any]:
        for dataset in self._checked():
            yield from dataset

    def __len__(self) -> int:
        return sum(len(dataset) for dataset in self._checked())


def random_split(
    dataset: Any, lengths: Sequence[int | float], generator: Any = None
) -> list[Subset[Any]]:
    """Divide a dataset at random into parts without common samples.

    Args:
        dataset: the dataset.
        lengths: numbers of samples that add up to the dataset's length, or fractions that add up
            to 1 (what rounding leaves over goes to the first parts, one sample each).
        generator: the random generator to draw from. Default: the global one.

    Raises:
        ValueError: if the lengths do not add up.

    Example:
        >>> from tapegrad.utils.data import random_split
        >>> [len(part) for part in random_split(range(10), [0.7, 0.3])]
        [7, 3]
    """
    total = len(dataset)
    if math.isclose(sum(lengths), 1) and sum(lengths) <= 1 + 1e-9:
        sizes = []
        for place, fraction in enumerate(lengths):
            if fraction < 0 or fraction > 1:
                raise ValueError(f"Fraction at index {place} is not between 0 and 1")
            sizes.append(math.floor(total * fraction))
        for place in range(total - sum(sizes)):
            sizes[place % len(sizes)] += 1
        for place, size in enumerate(sizes):
            if size == 0:
                warnings.warn(
                    f"Length of split at index {place} is 0. This might result in an empty "
                    "dataset.",
                    stacklevel=2,
                )
    else:
        sizes = [int(size) for size in lengths]
    if sum(sizes) != total:
        raise ValueError("Sum of input lengths does not equal the length of the input dataset!")
    order = tapegrad.randperm(total, generator=generator).tolist()
    ends = itertools.accumulate(sizes)
    return [Subset(dataset, order[end - size : end]) for size, end in zip(sizes, ends, strict=True)]
