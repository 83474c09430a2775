"""Schedules of the learning rate. Call ``scheduler.step()`` after each epoch."""

from __future__ import annotations

import math
import warnings
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from types import FunctionType
from typing import Any

from .. import _C
from .._C import Tensor
from .optimizer import Optimizer

__all__ = [
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
]

Rate = Any  # a float, or a tensor of one element


_EPOCH = (
    "The epoch parameter in `scheduler.step()` was not necessary and is being deprecated where "
    "possible. Please use `scheduler.step()` to step the scheduler. During the deprecation, if "
    "epoch is different from None, the closed form is used instead of the new chainable form, "
    "where available."
)


def _own(value: Any) -> Any:
    """A tensor as one that does not change with it."""
    return value.detach().clone() if isinstance(value, Tensor) else value


def _set(group: dict[str, Any], name: str, value: Any) -> None:
    """Sets an option; one that is a tensor stays that tensor."""
    if isinstance(group[name], Tensor):
        group[name].detach().fill_(value.squeeze() if isinstance(value, Tensor) else value)
    else:
        group[name] = value


def _per_group(name: str, optimizer: Optimizer, value: Any) -> list[Any]:
    """A value for each parameter group, from one for all or a list of them."""
    groups = len(optimizer.param_groups)
    if not isinstance(value, (list, tuple)):
        return [_own(value) for _ in range(groups)]
    if len(value) != groups:
        raise ValueError(
            f"{name} must have the same length as optimizer.param_groups. {name} has "
            f"{len(value)} values, param_groups has {groups}."
        )
    return [_own(v) for v in value]


def _check_optimizer(optimizer: Any) -> None:
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")


def _attributes(function: Any) -> dict[str, Any] | None:
    """What a state has of a function: the attributes of an object, None for a plain function."""
    if function is None or isinstance(function, FunctionType):
        return None
    return dict(function.__dict__)


class LRScheduler:
    """The base class: a subclass defines ``get_lr``, which gives a rate per parameter group.

    It may define ``_get_closed_form_lr`` as well: the rates of any epoch, whatever came before.

    Args:
        optimizer: the optimiser whose ``lr`` is set.
        last_epoch: number of the last epoch when training is resumed. Default: -1, a new start.

    Raises:
        TypeError: if `optimizer` is not an Optimizer.
        KeyError: if training is resumed and a group has no "initial_lr".
    """

    _get_lr_called_within_step = False
    _is_initial = False  # in the step that __init__ makes

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        _check_optimizer(optimizer)
        for index, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", _own(group["lr"]))
            elif "initial_lr" not in group:
                raise KeyError(
                    "param 'initial_lr' is not specified in "
                    f"param_groups[{index}] when resuming scheduler with last_epoch >= 0"
                )
        self.optimizer = optimizer
        self.base_lrs: list[Rate] = [_own(group["initial_lr"]) for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        if not optimizer._scheduled:
            optimizer._scheduled = True
            optimizer._own_step = optimizer.__dict__.get("step")
            optimizer._opt_called = optimizer._own_step is not None  # that does not say so itself
        self._initial_step()

    def _initial_step(self) -> None:
        self._step_count = 0
        self._is_initial = True
        try:
            self.step()
        finally:
            self._is_initial = False

    def get_lr(self) -> list[Rate]:
        """The rates for the epoch `last_epoch`, from those of the epoch before."""
        raise NotImplementedError

    def _current(self) -> list[Rate]:
        """The rates that `get_lr` starts from; warns where it was not `step` that called it."""
        if not self._get_lr_called_within_step:
            warnings.warn(
                "To get the last learning rate computed by the scheduler, please use "
                "`get_last_lr()`.",
                UserWarning,
                stacklevel=3,
            )
        return self._rates()

    def get_last_lr(self) -> list[Rate]:
        """The rates that were set last, one per parameter group."""
        return self._last_lr

    def step(self, epoch: int | None = None) -> None:
        """Go to the next epoch and set the learning rates.

        Args:
            epoch: go to this one instead (deprecated). The rates are then those of the closed
                form, where there is one.
        """
        optimizer = self.optimizer
        if self._step_count == 1:
            if optimizer.__dict__.get("step") is not optimizer._own_step:
                warnings.warn(
                    "Seems like `optimizer.step()` has been overridden after learning rate "
                    "scheduler initialization. Please, make sure to call `optimizer.step()` before "
                    "`lr_scheduler.step()`.",
                    UserWarning,
                    stacklevel=2,
                )
            elif not optimizer._opt_called:
                warnings.warn(
                    "Detected call of `lr_scheduler.step()` before `optimizer.step()`. "
                    "You should call them in the opposite order: `optimizer.step()` before "
                    "`lr_scheduler.step()`. Otherwise the first value of the schedule is skipped.",
                    UserWarning,
                    stacklevel=2,
                )
        self._step_count += 1
        if epoch is not None:
            warnings.warn(_EPOCH, UserWarning, stacklevel=2)
        self._update_lr(epoch)

    def _update_lr(self, epoch: int | None = None) -> None:
        if epoch is None:
            self.last_epoch += 1
            self._set_rates(self.get_lr)
        else:
            self.last_epoch = epoch
            self._set_rates(getattr(self, "_get_closed_form_lr", self.get_lr))

    def _set_rates(self, get: Callable[[], list[Rate]]) -> None:
        self._get_lr_called_within_step = True
        try:
            rates = get()
        finally:
            self._get_lr_called_within_step = False
        for group, lr in zip(self.optimizer.param_groups, rates, strict=True):
            _set(group, "lr", lr)
        self._last_lr = self._rates()

    def _rates(self) -> list[Rate]:
        _C._refuse_replay("a step of a schedule, which is Python code")
        return [_own(group["lr"]) for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimiser, as a dict."""
        return {key: value for key, value in self.__dict__.items() if key != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` gave."""
        self.__dict__.update(state_dict)


class _LRScheduler(LRScheduler):
    """The name that the base class had once."""


class LambdaLR(LRScheduler):
    """The initial rate times a function of the epoch.

    Args:
        optimizer: the optimiser.
        lr_lambda: the function, or a list with one per parameter group.
        last_epoch: see :class:`LRScheduler`.

    Example:
        >>> import tapegrad
        >>> opt = tapegrad.optim.SGD([tapegrad.zeros(1, requires_grad=True)], lr=1.0)
        >>> scheduler = tapegrad.optim.lr_scheduler.LambdaLR(opt, lambda epoch: 0.5**epoch)
        >>> opt.step(); scheduler.step()
        >>> scheduler.get_last_lr()
        [0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        groups = len(optimizer.param_groups)
        self.optimizer = optimizer
        if isinstance(lr_lambda, (list, tuple)):
            if len(lr_lambda) != groups:
                raise ValueError(f"Expected {groups} lr_lambdas, but got {len(lr_lambda)}")
            self.lr_lambdas: list[Any] = list(lr_lambda)
        else:
            self.lr_lambdas = [lr_lambda] * groups
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Rate]:
        self._current()
        return [
            base * factor(self.last_epoch)
            for base, factor in zip(self.base_lrs, self.lr_lambdas, strict=True)
        ]

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimiser, as a dict: of callable objects their attributes.

        In the place of plain functions it has None.
        """
        state = super().state_dict()
        state["lr_lambdas"] = [_attributes(factor) for factor in self.lr_lambdas]
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` gave; the functions stay."""
        rest = dict(state_dict)
        saved = rest.pop("lr_lambdas")
        super().load_state_dict(rest)
        for factor, attributes in zip(self.lr_lambdas, saved):
            if attributes is not None:
                factor.__dict__.update(attributes)


class MultiplicativeLR(LambdaLR):
    """Multiplies the rate by a function of the epoch, in each epoch but the first.

    Args:
        optimizer: the optimiser.
        lr_lambda: the function, or a list with one per parameter group.
        last_epoch: see :class:`LRScheduler`.

    Example:
        >>> import tapegrad
        >>> opt = tapegrad.optim.SGD([tapegrad.zeros(1, requires_grad=True)], lr=1.0)
        >>> scheduler = tapegrad.optim.lr_scheduler.MultiplicativeLR(opt, lambda epoch: 0.5)
        >>> opt.step(); scheduler.step()
        >>> scheduler.get_last_lr()
        [0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        for factor in lr_lambda if isinstance(lr_lambda, (list, tuple)) else [lr_lambda]:
            if not callable(factor):
                raise TypeError(f"lr_lambda should be a function, but got {type(factor).__name__}")
        super().__init__(optimizer, lr_lambda, last_epoch)

    def get_lr(self) -> list[Rate]:
        rates = self._current()
        if self._is_initial:
            return rates
        return [
            lr * factor(self.last_epoch) for lr, factor in zip(rates, self.lr_lambdas, strict=True)
        ]


class MultiStepLR(LRScheduler):
    """Multiplies the rate by gamma at each milestone.

    Args:
        optimizer: the optimiser.
        milestones: numbers of epochs.
        gamma: default 0.1.
        last_epoch: see :class:`LRScheduler`.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        milestones: Iterable[int],
        gamma: float = 0.1,
        last_epoch: int = -1,
    ) -> None:
        self.milestones: dict[int, int] = Counter(milestones)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Rate]:
        times = self.milestones.get(self.last_epoch, 0)  # a plain dict, if it was loaded
        return [lr * self.gamma**times if times else lr for lr in self._current()]

    def _get_closed_form_lr(self) -> list[Rate]:
        passed = bisect_right(sorted(Counter(self.milestones).elements()), self.last_epoch)
        return [base * self.gamma**passed for base in self.base_lrs]


class StepLR(LRScheduler):
    """Multiplies the rate by gamma every `step_size` epochs.

    Args:
        optimizer: the optimiser.
        step_size: number of epochs.
        gamma: default 0.1.
        last_epoch: see :class:`LRScheduler`.

    Example:
        >>> import tapegrad
        >>> opt = tapegrad.optim.SGD([tapegrad.zeros(1, requires_grad=True)], lr=1.0)
        >>> scheduler = tapegrad.optim.lr_scheduler.StepLR(opt, step_size=2, gamma=0.5)
        >>> for _ in range(3):
        ...     opt.step()
        ...     scheduler.step()
        ...     print(scheduler.get_last_lr())
        [1.0]
        [0.5]
        [0.5]
    """

    def __init__(
        self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.step_size = step_size
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Rate]:
        due = self.last_epoch != 0 and self.last_epoch % self.step_size == 0
        return [lr * self.gamma if due else lr for lr in self._current()]

    def _get_closed_form_lr(self) -> list[Rate]:
        passed = self.last_epoch // self.step_size
        return [base * self.gamma**passed for base in self.base_lrs]


class ExponentialLR(LRScheduler):
    """Multiplies the rate by gamma every epoch.

    Args:
        optimizer: the optimiser.
        gamma: the factor.
        last_epoch: see :class:`LRScheduler`.

    Example:
        >>> import tapegrad
        >>> opt = tapegrad.optim.SGD([tapegrad.zeros(1, requires_grad=True)], lr=1.0)
        >>> scheduler = tapegrad.optim.lr_scheduler.ExponentialLR(opt, gamma=0.5)
        >>> opt.step(); scheduler.step()
        >>> scheduler.get_last_lr()
        [0.5]
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Rate]:
        return [lr if self._is_initial else lr * self.gamma for lr in self._current()]

    def _get_closed_form_lr(self) -> list[Rate]:
        return [base * self.gamma**self.last_epoch for base in self.base_lrs]


class CosineAnnealingLR(LRScheduler):
    """From the initial rate down to `eta_min` along half a cosine (Loshchilov and Hutter).

    ``lr = eta_min + (initial - eta_min) * (1 + cos(pi * epoch / T_max)) / 2``.

    Args:
        optimizer: the optimiser.
        T_max: the epoch at which `eta_min` is reached.
        eta_min: the smallest rate. Default: 0.
        last_epoch: see :class:`LRScheduler`.

    Example:
        >>> import tapegrad
        >>> opt = tapegrad.optim.SGD([tapegrad.zeros(1, requires_grad=True)], lr=1.0)
        >>> scheduler = tapegrad.optim.lr_scheduler.CosineAnnealingLR(opt, T_max=2)
        >>> opt.step(); scheduler.step()
        >>> round(scheduler.get_last_lr()[0], 6)
        0.5
    """

    def __init__(
        self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        self.T_max = T_max
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def _height(self, epoch: int) -> float:
        """Of the cosine: from 2 down to 0."""
        return 1 + math.cos(math.pi * epoch / self.T_max)

    def get_lr(self) -> list[Rate]:
        rates, low = self._current(), self.eta_min
        if self._is_initial:
            return rates
        if self._step_count == 1 and self.last_epoch > 0:
            return self._get_closed_form_lr()
        if (self.last_epoch - 1 - self.T_max) % (2 * self.T_max) == 0:
            # The cosine was 0 in the epoch before: there is no quotient, but the first step up.
            rise = (1 - math.cos(math.pi / self.T_max)) / 2
            return [lr + (base - low) * rise for lr, base in zip(rates, self.base_lrs, strict=True)]
        factor = self._height(self.last_epoch) / self._height(self.last_epoch - 1)
        return [low + (lr - low) * factor for lr in rates]

    def _get_closed_form_lr(self) -> list[Rate]:
        factor = self._height(self.last_epoch) / 2
        return [self.eta_min + (base - self.eta_min) * factor for base in self.base_lrs]


class ConstantLR(LRScheduler):
    """The initial rate times a factor, until a number of epochs have passed.

    Args:
        optimizer: the optimiser.
        factor: between 0 and 1. Default: 1/3.
        total_iters: number of epochs. Default: 5.
        last_epoch: see :class:`LRScheduler`.

    Example:
        >>> import tapegrad
        >>> opt = tapegrad.optim.SGD([tapegrad.zeros(1, requires_grad=True)], lr=1.0)
        >>> scheduler = tapegrad.optim.lr_scheduler.ConstantLR(opt, factor=0.5, total_iters=1)
        >>> first = scheduler.get_last_lr()
        >>> opt.step(); scheduler.step()
        >>> first, scheduler.get_last_lr()
        ([0.5], [1.0])
    """

    def __init__(
        self,
        optimizer: Optimizer,
        factor: float = 1.0 / 3,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        if factor > 1.0 or factor < 0:
            raise ValueError("Constant multiplicative factor expected to be between 0 and 1.")
        self.factor = factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Rate]:
        rates = self._current()
        if self.last_epoch == 0:
            return [lr * self.factor for lr in rates]
        if self.last_epoch != self.total_iters:
            return rates
        return [lr * (1.0 / self.factor) for lr in rates]

    def _get_closed_form_lr(self) -> list[Rate]:
        factor = 1.0 if self.last_epoch >= self.total_iters else self.factor
        return [base * factor for base in self.base_lrs]


class LinearLR(LRScheduler):
    """The initial rate times a factor that changes evenly from epoch to epoch.

    Args:
        optimizer: the optimiser.
        start_factor: the factor in the first epoch. Default: 1/3.
        end_factor: the factor in epoch `total_iters` and after it. Default: 1.
        total_iters: number of epochs. Default: 5.
        last_epoch: see :class:`LRScheduler`.

    Example:
        >>> import tapegrad
        >>> opt = tapegrad.optim.SGD([tapegrad.zeros(1, requires_grad=True)], lr=1.0)
        >>> scheduler = tapegrad.optim.lr_scheduler.LinearLR(opt, start_factor=0.5, total_iters=2)
        >>> opt.step(); scheduler.step()
        >>> scheduler.get_last_lr()
        [0.75]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        if start_factor > 1.0 or start_factor <= 0:
            raise ValueError(
                "Starting multiplicative factor expected to be greater than 0 and less or equal "
                "to 1."
            )
        if end_factor > 1.0 or end_factor < 0:
            raise ValueError("Ending multiplicative factor expected to be between 0 and 1.")
        self.start_factor = start_factor
        self.end_factor = end_factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Rate]:
        rates = self._current()
        if self.last_epoch == 0:
            return [lr * self.start_factor for lr in rates]
        if self._is_initial or self.last_epoch > self.total_iters:
            return rates
        rise = self.end_factor - self.start_factor
        before = self.total_iters * self.start_factor + (self.last_epoch - 1) * rise
        return [lr * (1.0 + rise / before) for lr in rates]

    def _get_closed_form_lr(self) -> list[Rate]:
        share = min(self.total_iters, self.last_epoch) / self.total_iters
        factor = self.start_factor + (self.end_factor - self.start_factor) * share
        return [base * factor for base in self.base_lrs]


class PolynomialLR(LRScheduler):
    """From the initial rate down to 0, as a power of the epochs that are left.

    Args:
        optimizer: the optimiser.
        total_iters: the epoch at which the rate is 0. Default: 5.
        power: the exponent. Default: 1.
        last_epoch: see :class:`LRScheduler`.

    Example:
        >>> import tapegrad
        >>> opt = tapegrad.optim.SGD([tapegrad.zeros(1, requires_grad=True)], lr=1.0)
        >>> scheduler = tapegrad.optim.lr_scheduler.PolynomialLR(opt, total_iters=2, power=2)
        >>> opt.step(); scheduler.step()
        >>> scheduler.get_last_lr()
        [0.25]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        total_iters: int = 5,
        power: float = 1.0,
        last_epoch: int = -1,
    ) -> None:
        self.total_iters = total_iters
        self.power = power
        super().__init__(optimizer, last_epoch)

    def _left(self, epoch: int) -> float:
        return 1.0 - epoch / self.total_iters

    def get_lr(self) -> list[Rate]:
        rates = self._current()
        if self._is_initial or self.last_epoch > self.total_iters:
            return rates
        factor = (self._left(self.last_epoch) / self._left(self.last_epoch - 1)) ** self.power
        return [lr * factor for lr in rates]

    def _get_closed_form_lr(self) -> list[Rate]:
        left = self._left(min(self.total_iters, self.last_epoch))
        return [base * left**self.power for base in self.base_lrs]


class CosineAnnealingWarmRestarts(LRScheduler):
    """Half a cosine after the other (Loshchilov and Hutter, 2017).

    Args:
        optimizer: the optimiser.
        T_0: number of epochs in the first half cosine.
        T_mult: by how much each is longer than the one before. Default: 1.
        eta_min: the smallest rate. Default: 0.
        last_epoch: see :class:`LRScheduler`.

    Raises:
        ValueError: for a `T_0` or `T_mult` that is not a positive integer.

    Example:
        >>> import tapegrad
        >>> opt = tapegrad.optim.SGD([tapegrad.zeros(1, requires_grad=True)], lr=1.0)
        >>> scheduler = tapegrad.optim.lr_scheduler.CosineAnnealingWarmRestarts(opt, T_0=2)
        >>> for _ in range(3):
        ...     opt.step()
        ...     scheduler.step()
        ...     print(round(scheduler.get_last_lr()[0], 6))
        0.5
        1.0
        0.5
    """

    def __init__(
        self,
        optimizer: Optimizer,
        T_0: int,
        T_mult: int = 1,
        eta_min: float = 0.0,
        last_epoch: int = -1,
    ) -> None:
        if T_0 <= 0 or not isinstance(T_0, int):
            raise ValueError(f"Expected positive integer T_0, but got {T_0}")
        if T_mult < 1 or not isinstance(T_mult, int):
            raise ValueError(f"Expected integer T_mult >= 1, but got {T_mult}")
        if not isinstance(eta_min, (float, int)):
            raise ValueError(
                f"Expected float or int eta_min, but got {eta_min} of type {type(eta_min)}"
            )
        self.T_0 = T_0
        self.T_i = T_0
        self.T_mult = T_mult
        self.eta_min = eta_min
        self.T_cur: float = last_epoch
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Rate]:
        self._current()
        height = (1 + math.cos(math.pi * self.T_cur / self.T_i)) / 2
        return [self.eta_min + (base - self.eta_min) * height for base in self.base_lrs]

    def step(self, epoch: float | None = None) -> None:
        """Go to the next epoch, or to the given one, which may be a fraction."""
        if epoch is None and self.last_epoch < 0:
            epoch = 0
        if epoch is None:
            epoch = self.last_epoch + 1
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur %= self.T_i
                self.T_i *= self.T_mult
        elif epoch < 0:
            raise ValueError(f"Expected non-negative epoch, but got {epoch}")
        elif epoch < self.T_0:
            self.T_i, self.T_cur = self.T_0, epoch
        elif self.T_mult == 1:
            self.T_cur = epoch % self.T_0
        else:
            ratio = self.T_mult - 1
            restarts = int(math.log(epoch / self.T_0 * ratio + 1, self.T_mult))
            self.T_cur = epoch - self.T_0 * (self.T_mult**restarts - 1) / ratio
            self.T_i = self.T_0 * self.T_mult**restarts
        self.last_epoch = math.floor(epoch)
        self._set_rates(self.get_lr)


class _WithMomentum(LRScheduler):
    """The base of schedules that move the momentum against the rate."""

    def _init_momentum(self, base_momentum: Any, max_momentum: Any, last_epoch: int) -> None:
        optimizer = self.optimizer
        if "momentum" not in optimizer.defaults and "betas" not in optimizer.defaults:
            raise ValueError(
                "optimizer must support momentum or beta1 with `cycle_momentum` option enabled"
            )
        self.use_beta1 = "betas" in optimizer.defaults
        lows = _per_group("base_momentum", optimizer, base_momentum)
        highs = _per_group("max_momentum", optimizer, max_momentum)
        self._momentum_limits(lows, highs)
        if last_epoch == -1:
            for group, low, high in zip(optimizer.param_groups, lows, highs, strict=True):
                self._set_momentum(group, high)
                group["max_momentum"], group["base_momentum"] = high, low

    def _momentum_limits(self, lows: list[Any], highs: list[Any]) -> None:
        """What a schedule keeps of them besides the groups."""

    def _set_momentum(self, group: dict[str, Any], momentum: Any) -> None:
        if self.use_beta1:
            group["betas"] = (momentum, *group["betas"][1:])
        else:
            group["momentum"] = momentum


class CyclicLR(_WithMomentum):
    """Up and down between two rates (Smith, 2017), with the momentum the other way.

    Call ``scheduler.step()`` after each batch.

    Args:
        optimizer: the optimiser.
        base_lr: the lower rate, or a list with one per parameter group.
        max_lr: the upper rate, or such a list.
        step_size_up: number of steps up. Default: 2000.
        step_size_down: number of steps down. Default: as many.
        mode: "triangular" (the default), "triangular2" (half as high each time), or "exp_range"
            (``gamma**step`` times as high).
        gamma: see `mode`. Default: 1.
        scale_fn: a function of the cycle or of the step which gives the height instead.
        scale_mode: "cycle" (the default) or "iterations": what `scale_fn` takes.
        cycle_momentum: move the momentum, or the first beta, too. Default: True.
        base_momentum: the lower momentum. Default: 0.8.
        max_momentum: the upper momentum. Default: 0.9.
        last_epoch: see :class:`LRScheduler`.

    Raises:
        ValueError: for an unknown mode, a list of another length than there are groups, or an
            optimiser without momentum.

    Example:
        >>> import tapegrad
        >>> opt = tapegrad.optim.SGD([tapegrad.zeros(1, requires_grad=True)], momentum=0.9)
        >>> scheduler = tapegrad.optim.lr_scheduler.CyclicLR(opt, 0.5, 1.0, step_size_up=2)
        >>> opt.step(); scheduler.step()
        >>> scheduler.get_last_lr()
        [0.75]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: Any,
        max_lr: Any,
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: Any = 0.8,
        max_momentum: Any = 0.9,
        last_epoch: int = -1,
    ) -> None:
        _check_optimizer(optimizer)
        self.optimizer = optimizer
        lows = _per_group("base_lr", optimizer, base_lr)
        self.max_lrs = _per_group("max_lr", optimizer, max_lr)
        up = float(step_size_up)
        self.total_size = up + (up if step_size_down is None else float(step_size_down))
        self.step_ratio = up / self.total_size
        if mode not in ("triangular", "triangular2", "exp_range") and scale_fn is None:
            raise ValueError("mode is invalid and scale_fn is None")
        self.mode = mode
        self.gamma = gamma
        self._scale_fn_custom = scale_fn
        if scale_fn is None:
            scale_mode = "iterations" if mode == "exp_range" else "cycle"
        self.scale_mode = scale_mode
        self.cycle_momentum = cycle_momentum
        if last_epoch == -1:
            for group, lr in zip(optimizer.param_groups, lows, strict=True):
                _set(group, "lr", lr)
        if cycle_momentum:
            self._init_momentum(base_momentum, max_momentum, last_epoch)
        super().__init__(optimizer, last_epoch)
        self.base_lrs = lows

    def _momentum_limits(self, lows: list[Any], highs: list[Any]) -> None:
        self.base_momentums, self.max_momentums = lows, highs

    def scale_fn(self, x: float) -> float:
        """The height of a cycle, or at a step, as a share of the whole."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        if self.mode == "triangular":
            return 1.0
        return 1 / 2.0 ** (x - 1) if self.mode == "triangular2" else self.gamma**x

    def get_lr(self) -> list[Rate]:
        self._current()
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1.0 + self.last_epoch / self.total_size - cycle
        up = x <= self.step_ratio
        height = x / self.step_ratio if up else (x - 1) / (self.step_ratio - 1)
        height *= self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            limits = zip(self.base_momentums, self.max_momentums, strict=True)
            for group, (low, high) in zip(self.optimizer.param_groups, limits, strict=True):
                self._set_momentum(group, high - (high - low) * height)
        return [
            low + (high - low) * height
            for low, high in zip(self.base_lrs, self.max_lrs, strict=True)
        ]

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimiser, as a dict: of a callable object its attributes."""
        state = super().state_dict()
        state["_scale_fn_custom"] = _attributes(self._scale_fn_custom)
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` gave; the function stays."""
        rest = dict(state_dict)
        attributes = rest.pop("_scale_fn_custom")
        super().load_state_dict(rest)
        if attributes is not None and self._scale_fn_custom is not None:
            self._scale_fn_custom.__dict__.update(attributes)


class OneCycleLR(_WithMomentum):
    """Up once and down once (Smith and Topin, 2018), with the momentum the other way.

    Call ``scheduler.step()`` after each batch.

    Args:
        optimizer: the optimiser.
        max_lr: the highest rate, or a list with one per parameter group.
        total_steps: number of steps; or else `epochs` times `steps_per_epoch`.
        epochs: number of epochs.
        steps_per_epoch: number of steps in each.
        pct_start: the share of the steps that go up. Default: 0.3.
        anneal_strategy: "cos" (the default) or "linear".
        cycle_momentum: move the momentum, or the first beta, too. Default: True.
        base_momentum: the lower momentum. Default: 0.85.
        max_momentum: the upper momentum. Default: 0.95.
        div_factor: the first rate is `max_lr` divided by this. Default: 25.
        final_div_factor: the last rate is the first divided by this. Default: 1e4.
        three_phase: down to the first rate as fast as up, then on to the last. Default: False.
        last_epoch: see :class:`LRScheduler`.

    Raises:
        ValueError: for a value out of range, or a step beyond the last.

    Example:
        >>> import tapegrad
        >>> opt = tapegrad.optim.SGD([tapegrad.zeros(1, requires_grad=True)], momentum=0.9)
        >>> scheduler = tapegrad.optim.lr_scheduler.OneCycleLR(
        ...     opt, 1.0, total_steps=5, pct_start=0.4, div_factor=2.0
        ... )
        >>> opt.step(); scheduler.step()
        >>> scheduler.get_last_lr()
        [1.0]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: Any,
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: Any = 0.85,
        max_momentum: Any = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        _check_optimizer(optimizer)
        self.optimizer = optimizer
        if total_steps is None and (epochs is None or steps_per_epoch is None):
            raise ValueError("You must define either total_steps OR (epochs AND steps_per_epoch)")
        counts = {"total_steps": total_steps}
        if total_steps is None:
            counts = {"epochs": epochs, "steps_per_epoch": steps_per_epoch}
        for name, count in counts.items():
            if not isinstance(count, int) or count <= 0:
                raise ValueError(f"Expected positive integer {name}, but got {count}")
        self.total_steps = math.prod(c for c in counts.values() if c is not None)
        if not isinstance(pct_start, float) or pct_start < 0 or pct_start > 1:
            raise ValueError(f"Expected float between 0 and 1 pct_start, but got {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(
                f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}"
            )
        up, last = float(pct_start * self.total_steps), self.total_steps - 1
        phases: list[tuple[float, str, str, str, str]]
        phases = [(up - 1, "initial_lr", "max_lr", "max_momentum", "base_momentum")]
        if three_phase:
            down = float(2 * pct_start * self.total_steps) - 2
            phases.append((down, "max_lr", "initial_lr", "base_momentum", "max_momentum"))
            phases.append((last, "initial_lr", "min_lr", "max_momentum", "max_momentum"))
        else:
            phases.append((last, "max_lr", "min_lr", "base_momentum", "max_momentum"))
        names = ("end_step", "start_lr", "end_lr", "start_momentum", "end_momentum")
        self._schedule_phases: list[dict[str, Any]]
        self._schedule_phases = [dict(zip(names, phase, strict=True)) for phase in phases]
        self._anneal_func_type = anneal_strategy
        self.cycle_momentum = cycle_momentum
        max_lrs = _per_group("max_lr", optimizer, max_lr)
        if last_epoch == -1:
            for group, highest in zip(optimizer.param_groups, max_lrs, strict=True):
                group["initial_lr"] = highest / div_factor
                group["max_lr"] = highest
                group["min_lr"] = group["initial_lr"] / final_div_factor
        if cycle_momentum:
            self._init_momentum(base_momentum, max_momentum, last_epoch)
        super().__init__(optimizer, last_epoch)

    def _between(self, start: Any, end: Any, share: float) -> Any:
        if self._anneal_func_type == "linear":
            return (end - start) * share + start
        return end + (start - end) / 2.0 * (math.cos(math.pi * share) + 1)

    def get_lr(self) -> list[Rate]:
        self._current()
        step = self.last_epoch
        if step > self.total_steps:
            raise ValueError(
                f"Tried to step {step} times. The specified number of total steps is "
                f"{self.total_steps}"
            )
        start: Any = 0.0
        for phase in self._schedule_phases:
            end: Any = phase["end_step"]
            if step <= end or phase is self._schedule_phases[-1]:
                break
            start = end
        share = (step - start) / (end - start)
        rates = []
        for group in self.optimizer.param_groups:
            rates.append(self._between(group[phase["start_lr"]], group[phase["end_lr"]], share))
            if self.cycle_momentum:
                first, last = group[phase["start_momentum"]], group[phase["end_momentum"]]
                self._set_momentum(group, self._between(first, last, share))
        return rates


class _Composite(LRScheduler):
    """The base of schedules that are made of others."""

    _schedulers: Sequence[LRScheduler]

    def _check(self, optimizer: Optimizer, schedulers: Sequence[Any]) -> None:
        name = type(self).__name__
        for place, scheduler in enumerate(schedulers):
            if not hasattr(scheduler, "optimizer"):
                raise TypeError(
                    f"{name} at index {place} should have `optimizer` as its attribute."
                )
            if isinstance(scheduler, ReduceLROnPlateau):
                raise ValueError(
                    f"{name} does not support `ReduceLROnPlateau` scheduler as it requires "
                    "additional kwargs to be specified when calling `step`, but got one at index "
                    f"{place} in the given schedulers sequence."
                )
            if optimizer is not scheduler.optimizer:
                raise ValueError(
                    f"{name} expects all schedulers to belong to the same optimizer, but got "
                    f"scheduler {type(scheduler).__name__} at index {place} has "
                    f"{scheduler.optimizer}, which is different from {type(optimizer).__name__}."
                )

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimiser, as a dict, with the states of the schedulers."""
        state = super().state_dict()
        state["_schedulers"] = [scheduler.state_dict() for scheduler in self._schedulers]
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` gave."""
        rest = dict(state_dict)
        states = rest.pop("_schedulers")
        super().load_state_dict(rest)
        for scheduler, state in zip(self._schedulers, states, strict=True):
            scheduler.load_state_dict(state)


class SequentialLR(_Composite):
    """One schedule after the other.

    Args:
        optimizer: the optimiser.
        schedulers: schedules of this optimiser.
        milestones: the epochs at which the second, the third ... of them begin.
        last_epoch: see :class:`LRScheduler`.

    Raises:
        ValueError: if the numbers do not fit, or a schedule is of another optimiser.

    Example:
        >>> import tapegrad
        >>> from tapegrad.optim import lr_scheduler
        >>> opt = tapegrad.optim.SGD([tapegrad.zeros(1, requires_grad=True)], lr=1.0)
        >>> first = lr_scheduler.ConstantLR(opt, factor=0.5, total_iters=9)
        >>> second = lr_scheduler.ExponentialLR(opt, gamma=0.9)
        >>> scheduler = lr_scheduler.SequentialLR(opt, [first, second], milestones=[2])
        >>> for _ in range(3):
        ...     opt.step()
        ...     scheduler.step()
        ...     print(scheduler.get_last_lr())
        [0.5]
        [1.0]
        [0.9]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        schedulers: Sequence[LRScheduler],
        milestones: Sequence[int],
        last_epoch: int = -1,
    ) -> None:
        if len(schedulers) < 1:
            raise ValueError(
                f"{type(self).__name__} expects at least one scheduler, but got no scheduler."
            )
        self._check(optimizer, schedulers)
        if len(milestones) != len(schedulers) - 1:
            raise ValueError(
                "Sequential Schedulers expects number of schedulers provided to be one more than "
                f"the number of milestone points, but got number of schedulers {len(schedulers)} "
                f"and the number of milestones to be equal to {len(milestones)}"
            )
        self._schedulers = schedulers
        self._milestones = milestones
        self.last_epoch = last_epoch + 1
        self.optimizer = optimizer
        for group in optimizer.param_groups:  # each of them has made its first step
            _set(group, "lr", group["initial_lr"])
        self.recursive_undo()
        first = schedulers[bisect_right(milestones, 0)]
        first._initial_step()
        self._last_lr = first.get_last_lr()

    def recursive_undo(self, sched: Any = None) -> None:
        """Take back the first step of schedules, and of those that they are made of."""
        whole = self if sched is None else sched
        if hasattr(whole, "_schedulers"):
            for scheduler in whole._schedulers:
                self.recursive_undo(scheduler)
        elif hasattr(whole, "last_epoch"):
            whole.last_epoch -= 1

    def step(self) -> None:  # type: ignore[override]
        """Go to the next epoch and set the learning rates."""
        self.last_epoch += 1
        place = bisect_right(self._milestones, self.last_epoch)
        scheduler = self._schedulers[place]
        if place > 0 and self._milestones[place - 1] == self.last_epoch:
            scheduler._update_lr(0)
        else:
            scheduler.step()
        self._last_lr = scheduler.get_last_lr()


class ChainedScheduler(_Composite):
    """Several schedules at once, each of which changes the rates that the one before has set.

    Args:
        schedulers: schedules of one optimiser.
        optimizer: the optimiser. Default: that of the first schedule.

    Raises:
        ValueError: if there is none, or one is of another optimiser.

    Example:
        >>> import tapegrad
        >>> from tapegrad.optim import lr_scheduler
        >>> opt = tapegrad.optim.SGD([tapegrad.zeros(1, requires_grad=True)], lr=1.0)
        >>> first = lr_scheduler.ConstantLR(opt, factor=0.5, total_iters=9)
        >>> second = lr_scheduler.ExponentialLR(opt, gamma=0.5)
        >>> scheduler = lr_scheduler.ChainedScheduler([first, second])
        >>> opt.step(); scheduler.step()
        >>> scheduler.get_last_lr()
        [0.25]
    """

    def __init__(
        self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None
    ) -> None:
        if len(schedulers) < 1:
            raise ValueError(
                f"{type(self).__name__} expects at least one scheduler to be chained, but got no "
                "scheduler."
            )
        optimizer = optimizer or schedulers[0].optimizer
        self._check(optimizer, schedulers)
        self._schedulers = schedulers
        self.optimizer = optimizer
        self._last_lr = self._rates()

    def step(self) -> None:  # type: ignore[override]
        """Let each of the schedules make a step."""
        for scheduler in self._schedulers:
            scheduler.step()
        self._last_lr = self._rates()


class ReduceLROnPlateau(LRScheduler):
    """Multiplies the rate by a factor when a figure has stopped getting better.

    Call ``scheduler.step(figure)`` after each epoch.

    Args:
        optimizer: the optimiser.
        mode: "min" (the default) if a smaller figure is better, or "max".
        factor: less than 1. Default: 0.1.
        patience: number of epochs without improvement that are let pass. Default: 10.
        threshold: how much better counts. Default: 1e-4.
        threshold_mode: "rel" (the default; a share of the best figure) or "abs".
        cooldown: number of epochs to wait after a reduction. Default: 0.
        min_lr: a lower limit, or a list of limits per group. Default: 0.
        eps: smaller changes of the rate are not made. Default: 1e-8.

    Raises:
        ValueError: for a factor of 1 or more, an unknown mode, or a wrong number of limits.

    Example:
        >>> import tapegrad
        >>> opt = tapegrad.optim.SGD([tapegrad.zeros(1, requires_grad=True)], lr=1.0)
        >>> scheduler = tapegrad.optim.lr_scheduler.ReduceLROnPlateau(opt, patience=0)
        >>> scheduler.step(3.0)
        >>> scheduler.step(3.0)
        >>> scheduler.get_last_lr()
        [0.1]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | Sequence[float] = 0,
        eps: float = 1e-8,
    ) -> None:
        if factor >= 1.0:
            raise ValueError("Factor should be < 1.0.")
        _check_optimizer(optimizer)
        groups = len(optimizer.param_groups)
        if isinstance(min_lr, (list, tuple)):
            if len(min_lr) != groups:
                raise ValueError(f"expected {groups} min_lrs, got {len(min_lr)}")
            self.default_min_lr: float | None = None
            self.min_lrs = list(min_lr)
        else:
            self.default_min_lr = min_lr  # type: ignore[assignment]
            self.min_lrs = [min_lr] * groups
        self._init_is_better(mode, threshold, threshold_mode)
        self.optimizer = optimizer
        self.factor = factor
        self.patience = patience
        self.cooldown = cooldown
        self.eps = eps
        self.last_epoch = 0
        self._last_lr = self._rates()
        self._reset()

    def _init_is_better(self, mode: str, threshold: float, threshold_mode: str) -> None:
        if mode not in ("min", "max"):
            raise ValueError(f"mode {mode} is unknown!")
        if threshold_mode not in ("rel", "abs"):
            raise ValueError(f"threshold mode {threshold_mode} is unknown!")
        self.mode = mode
        self.threshold = threshold
        self.threshold_mode = threshold_mode
        self.mode_worse = math.inf if mode == "min" else -math.inf

    def _reset(self) -> None:
        """Forget all figures."""
        self.best = self.mode_worse
        self.cooldown_counter = 0
        self.num_bad_epochs = 0

    @property
    def in_cooldown(self) -> bool:
        """Whether the last reduction is so near that figures do not count."""
        return self.cooldown_counter > 0

    def _is_better(self, value: float, best: float) -> bool:
        """Whether a figure is better than the best so far by more than the threshold."""
        if self.threshold_mode == "rel":
            share = 1.0 + self.threshold if self.mode == "max" else 1.0 - self.threshold
            limit = best * share
        else:
            limit = best + (self.threshold if self.mode == "max" else -self.threshold)
        return value > limit if self.mode == "max" else value < limit

    def step(self, metrics: Any, epoch: int | None = None) -> None:  # type: ignore[override]
        """Look at the figure of this epoch, and reduce the rates if it is time."""
        value = float(metrics)
        if epoch is not None:
            warnings.warn(_EPOCH, UserWarning, stacklevel=2)
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        if self._is_better(value, self.best):
            self.best = value
            self.num_bad_epochs = 0
        else:
            self.num_bad_epochs += 1
        if self.in_cooldown:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce_lr()
            self.cooldown_counter = self.cooldown
            self.num_bad_epochs = 0
        self._last_lr = self._rates()

    def _reduce_lr(self) -> None:
        groups = self.optimizer.param_groups
        if len(groups) != len(self.min_lrs):
            if self.default_min_lr is None:
                raise RuntimeError(
                    f"The number of param groups in the `optimizer` ({len(groups)}) differs from "
                    f"when `ReduceLROnPlateau` was initialized ({len(self.min_lrs)}), usually due "
                    "to a new param group being added to the optimizer. Please modify the "
                    "`min_lrs` field to match the length of the `optimizer` param groups."
                )
            self.min_lrs = [self.default_min_lr] * len(groups)
        for group, limit in zip(groups, self.min_lrs, strict=True):
            old = float(group["lr"])
            new = max(old * self.factor, limit)
            if old - new > self.eps:
                _set(group, "lr", new)
