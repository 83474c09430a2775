"""Collections of samples."""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import tapegrad

from ..._C import Tensor

__all__ = ["ConcatDataset", "Dataset", "IterableDataset", "Subset", "TensorDataset", "random_split"]


class Dataset:
    """The base class: a subclass defines ``__getitem__`` and ``__len__``.

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

    def __getitem__(self, index: Any) -> Any:
        raise NotImplementedError("Subclasses of Dataset should implement __getitem__.")

    def __add__(self, other: Dataset) -> ConcatDataset:
        return ConcatDataset([self, other])

    def _batch(self, indices: Tensor) -> tuple[Tensor, ...] | None:
        """All samples of a batch at once, stacked; None if only single samples can be had."""
        return None


class IterableDataset(Dataset):
    """The base class of datasets without indices: a subclass defines ``__iter__``."""

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError("Subclasses of IterableDataset should implement __iter__.")


class TensorDataset(Dataset):
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
        if type(self).__getitem__ is not TensorDataset.__getitem__:
            return None
        return tuple([tensor[indices] for tensor in self.tensors])


class Subset(Dataset):
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

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, list):
            return self.dataset[[self.indices[i] for i in index]]
        return self.dataset[self.indices[index]]

    def __len__(self) -> int:
        return len(self.indices)

    def _batch(self, indices: Tensor) -> tuple[Tensor, ...] | None:
        if type(self).__getitem__ is not Subset.__getitem__:
            return None
        if not isinstance(self.dataset, Dataset):
            return None
        return self.dataset._batch(tapegrad.tensor([self.indices[i] for i in indices.tolist()]))


class ConcatDataset(Dataset):
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
        if not -len(self) <= index < len(self):
            raise IndexError("index out of range")
        index %= len(self)
        which = bisect.bisect_right(self.cumulative_sizes, index)
        start = self.cumulative_sizes[which - 1] if which else 0
        return self.datasets[which][index - start]


def random_split(
    dataset: Any, lengths: Sequence[int | float], generator: Any = None
) -> list[Subset]:
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
    else:
        sizes = [int(size) for size in lengths]
    if sum(sizes) != total:
        raise ValueError("Sum of input lengths does not equal the length of the input dataset!")
    order = tapegrad.randperm(total, generator=generator).tolist()
    ends = itertools.accumulate(sizes)
    return [Subset(dataset, order[end - size : end]) for size, end in zip(sizes, ends, strict=True)]
