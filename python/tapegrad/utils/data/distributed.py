"""Each of several processes its share of a data set."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import tapegrad

from .sampler import Sampler

__all__ = ["DistributedSampler"]


class DistributedSampler(Sampler[int]):
    """Every n-th index of a data set, for one of n processes.

    All processes get equally many: the first indices come again, or the last ones are left out.

    Args:
        dataset: the data set, whose length counts.
        num_replicas: the number of processes. Default: that of `tapegrad.distributed`.
        rank: which of them this one is. Default: its rank there.
        shuffle: draw a new order in each epoch, the same for all. Default: True.
        seed: of that order. Default: 0.
        drop_last: leave the last ones out. Default: False.

    Raises:
        ValueError: if the rank is out of range, or one of both numbers is not given before
            `init_process_group`.

    Example:
        >>> from tapegrad.utils.data import DistributedSampler
        >>> list(DistributedSampler(range(5), num_replicas=2, rank=1, shuffle=False))
        [1, 3, 0]
    """

    def __init__(
        self,
        dataset: Any,
        num_replicas: int | None = None,
        rank: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
    ) -> None:
        if num_replicas is None or rank is None:
            from ... import distributed  # not needed otherwise

            num_replicas = distributed.get_world_size() if num_replicas is None else num_replicas
            rank = distributed.get_rank() if rank is None else rank
        if not 0 <= rank < num_replicas:
            raise ValueError(
                f"Invalid rank {rank}, rank should be in the interval [0, {num_replicas - 1}]"
            )
        self.dataset = dataset
        self.num_replicas = num_replicas
        self.rank = rank
        self.epoch = 0
        self.start = 0
        self.drop_last = drop_last
        share = len(dataset) / num_replicas
        self.num_samples = math.floor(share) if drop_last else math.ceil(share)
        self.total_size = self.num_samples * num_replicas
        self.shuffle = shuffle
        self.seed = seed

    def __iter__(self) -> Iterator[int]:
        count = len(self.dataset)
        if self.shuffle:
            generator = tapegrad.Generator().manual_seed(self.seed + self.epoch)
            indices = tapegrad.randperm(count, generator=generator).tolist()
        else:
            indices = list(range(count))
        if count:
            indices *= math.ceil(self.total_size / count)
        share = indices[self.rank : self.total_size : self.num_replicas]
        start, self.start = self.start, 0
        return iter(share[start:])

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int, start: int = 0) -> None:
        """Say which epoch follows, so that its order is another one, and where it begins.

        Args:
            epoch: its number.
            start: how many indices of this process the next pass leaves out: those that a
                training has seen before it was stopped. The length stays that of a whole pass.
                Default: 0.

        Example:
            >>> from tapegrad.utils.data import DistributedSampler
            >>> sampler = DistributedSampler(range(8), num_replicas=2, rank=0, shuffle=False)
            >>> sampler.set_epoch(3, start=2)
            >>> list(sampler), list(sampler)
            ([4, 6], [0, 2, 4, 6])
        """
        self.epoch = epoch
        self.start = start
