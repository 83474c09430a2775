"""Averages of a model's weights over training."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from itertools import chain
from typing import Any

import tapegrad

from .._C import Tensor
from ..nn.modules.batchnorm import _BatchNorm
from ..nn.modules.module import Module
from .lr_scheduler import LRScheduler, Rate, _per_group
from .optimizer import Optimizer

__all__ = [
    "SWALR",
    "AveragedModel",
    "get_ema_avg_fn",
    "get_ema_multi_avg_fn",
    "get_swa_avg_fn",
    "get_swa_multi_avg_fn",
    "update_bn",
]

AverageFunction = Callable[[Tensor, Tensor, Any], Tensor]
MultiAverageFunction = Callable[[Sequence[Tensor], Sequence[Tensor], Any], Any]


def get_ema_avg_fn(decay: float = 0.999) -> AverageFunction:
    """An `avg_fn` for :class:`AveragedModel`: ``decay * average + (1 - decay) * value``.

    Raises:
        ValueError: for a decay that is not in [0, 1].

    Example:
        >>> import tapegrad
        >>> average = tapegrad.optim.swa_utils.get_ema_avg_fn(0.5)
        >>> average(tapegrad.ones(1), tapegrad.zeros(1), 3)
        tensor([0.5000])
    """
    if decay < 0.0 or decay > 1.0:
        raise ValueError(
            f"Invalid decay value {decay} provided. Please provide a value in [0,1] range."
        )

    @tapegrad.no_grad()
    def ema_update(average: Tensor, value: Tensor, count: Any) -> Tensor:
        return average * decay + value * (1 - decay)

    return ema_update


def get_swa_avg_fn() -> AverageFunction:
    """An `avg_fn` for :class:`AveragedModel`: the mean of all values.

    Example:
        >>> import tapegrad
        >>> average = tapegrad.optim.swa_utils.get_swa_avg_fn()
        >>> average(tapegrad.ones(1), tapegrad.zeros(1), 3)
        tensor([0.7500])
    """

    @tapegrad.no_grad()
    def swa_update(average: Tensor, value: Tensor, count: Any) -> Tensor:
        return average + (value - average) / (count + 1)

    return swa_update


def _for_all(function: AverageFunction) -> MultiAverageFunction:
    @tapegrad.no_grad()
    def update(averages: Sequence[Tensor], values: Sequence[Tensor], count: Any) -> None:
        for average, value in zip(averages, values, strict=True):
            average.copy_(function(average, value, count))

    return update


def get_ema_multi_avg_fn(decay: float = 0.999) -> MultiAverageFunction:
    """A `multi_avg_fn` for :class:`AveragedModel`: that of :func:`get_ema_avg_fn`, in place.

    Example:
        >>> import tapegrad
        >>> average = [tapegrad.ones(1)]
        >>> tapegrad.optim.swa_utils.get_ema_multi_avg_fn(0.5)(average, [tapegrad.zeros(1)], 3)
        >>> average
        [tensor([0.5000])]
    """
    return _for_all(get_ema_avg_fn(decay))


def get_swa_multi_avg_fn() -> MultiAverageFunction:
    """A `multi_avg_fn` for :class:`AveragedModel`: that of :func:`get_swa_avg_fn`, in place.

    Example:
        >>> import tapegrad
        >>> average = [tapegrad.ones(1)]
        >>> tapegrad.optim.swa_utils.get_swa_multi_avg_fn()(average, [tapegrad.zeros(1)], 3)
        >>> average
        [tensor([0.7500])]
    """
    return _for_all(get_swa_avg_fn())


class AveragedModel(Module):
    """A copy of a model whose parameters are averages of the model's (Izmailov et al., 2018).

    Args:
        model: the model.
        device: the device of the copy.
        avg_fn: gives the new average from the average, a value, and the number of values before.
            Default: the mean of all values.
        multi_avg_fn: changes all averages of one dtype in place, from lists of them.
        use_buffers: average the buffers too; else they are copied. Default: False.

    Raises:
        AssertionError: if both functions are given.

    Example:
        >>> import tapegrad
        >>> model = tapegrad.nn.Linear(1, 1, bias=False)
        >>> average = tapegrad.optim.swa_utils.AveragedModel(model)
        >>> for value in (1.0, 2.0):
        ...     tapegrad.nn.init.constant_(model.weight, value)
        ...     average.update_parameters(model)
        Parameter containing:
        tensor([[1.]], requires_grad=True)
        Parameter containing:
        tensor([[2.]], requires_grad=True)
        >>> average(tapegrad.ones(1)).item()
        1.5
    """

    n_averaged: Tensor

    def __init__(
        self,
        model: Module,
        device: Any = None,
        avg_fn: AverageFunction | None = None,
        multi_avg_fn: MultiAverageFunction | None = None,
        use_buffers: bool = False,
    ) -> None:
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError("Only one of avg_fn and multi_avg_fn should be provided")
        self.module = deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", tapegrad.tensor(0, dtype=tapegrad.int64, device=device))
        self.avg_fn = avg_fn
        self.multi_avg_fn = multi_avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The model with averaged parameters."""
        return self.module(*args, **kwargs)

    def update_parameters(self, model: Module) -> None:
        """Take the model's parameters into the averages."""
        if self.use_buffers:
            averages = chain(self.module.parameters(), self.module.buffers())
            values = chain(model.parameters(), model.buffers())
        else:
            averages, values = chain(self.parameters()), chain(model.parameters())
        pairs = [(a.detach(), v.detach()) for a, v in zip(averages, values)]
        if bool(self.n_averaged == 0):
            for average, value in pairs:
                average.copy_(value)
        else:
            by_dtype: dict[Any, list[tuple[Tensor, Tensor]]] = {}
            for pair in pairs:
                by_dtype.setdefault(pair[0].dtype, []).append(pair)
            update = self.multi_avg_fn or _for_all(self.avg_fn or get_swa_avg_fn())
            for group in by_dtype.values():
                update([a for a, _ in group], [v for _, v in group], self.n_averaged)
        if not self.use_buffers:
            for ours, theirs in zip(self.module.buffers(), model.buffers(), strict=True):
                ours.detach().copy_(theirs.detach())
        self.n_averaged += 1


@tapegrad.no_grad()
def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Compute the running statistics of a model's batch normalisations anew.

    Args:
        loader: gives batches; of a list or tuple, the first entry is the input.
        model: the model, which runs in training mode over all of them.
        device: where the inputs are brought.

    Example:
        >>> import tapegrad
        >>> model = tapegrad.nn.BatchNorm1d(1)
        >>> batches = [tapegrad.tensor([[1.0], [3.0]]), tapegrad.tensor([[5.0], [7.0]])]
        >>> tapegrad.optim.swa_utils.update_bn(batches, model)
        >>> model.running_mean
        tensor([4.])
    """
    norms = {}
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.reset_running_stats()
            norms[module] = module.momentum
    if not norms:
        return
    was_training = model.training
    model.train()
    for module in norms:
        module.momentum = None  # a mean of all batches
    for batch in loader:
        x = batch[0] if isinstance(batch, (list, tuple)) else batch
        model(x if device is None else x.to(device))
    for module, momentum in norms.items():
        module.momentum = momentum
    model.train(was_training)


class SWALR(LRScheduler):
    """From the rates that the groups have to a constant one.

    Args:
        optimizer: the optimiser.
        swa_lr: the rate to go to, or a list with one per parameter group.
        anneal_epochs: number of epochs that it takes. Default: 10.
        anneal_strategy: "cos" (the default) or "linear".
        last_epoch: see :class:`LRScheduler`.

    Raises:
        ValueError: for another strategy, or a number of epochs that is no integer or negative.

    Example:
        >>> import tapegrad
        >>> opt = tapegrad.optim.SGD([tapegrad.zeros(1, requires_grad=True)], lr=1.0)
        >>> scheduler = tapegrad.optim.swa_utils.SWALR(
        ...     opt, 0.5, anneal_epochs=2, anneal_strategy="linear"
        ... )
        >>> opt.step(); scheduler.step()
        >>> scheduler.get_last_lr()
        [0.75]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: Any,
        anneal_epochs: int = 10,
        anneal_strategy: str = "cos",
        last_epoch: int = -1,
    ) -> None:
        rates = _per_group("swa_lr", optimizer, swa_lr)
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["swa_lr"] = rate
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(
                f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}"
            )
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}")
        self._anneal_strategy = anneal_strategy
        self.anneal_epochs = anneal_epochs
        super().__init__(optimizer, last_epoch)

    def _share(self, step: int) -> float:
        """How much of the way to the new rate lies behind in a step."""
        t = max(0.0, min(1.0, step / max(1, self.anneal_epochs)))
        return t if self._anneal_strategy == "linear" else (1 - math.cos(math.pi * t)) / 2

    def get_lr(self) -> list[Rate]:
        self._current()
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        before, now = self._share(step - 1), self._share(step)
        rates = []
        for group in self.optimizer.param_groups:
            lr, goal = group["lr"], group["swa_lr"]
            start = goal if before == 1 else (lr - before * goal) / (1 - before)
            rates.append(goal * now + start * (1 - now))
        return rates
