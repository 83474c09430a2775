"""Schedules of the learning rate. Call ``scheduler.step()`` after each epoch."""

from __future__ import annotations

import math
import warnings
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any

from .optimizer import Optimizer

__all__ = [
    "CosineAnnealingLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "MultiStepLR",
    "ReduceLROnPlateau",
    "StepLR",
]


_EPOCH = (
    "The epoch parameter in `scheduler.step()` was not necessary and is being deprecated where "
    "possible. Please use `scheduler.step()` to step the scheduler. During the deprecation, if "
    "epoch is different from None, the closed form is used instead of the new chainable form, "
    "where available."
)


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
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")
        for index, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", float(group["lr"]))
            elif "initial_lr" not in group:
                raise KeyError(
                    "param 'initial_lr' is not specified in "
                    f"param_groups[{index}] when resuming scheduler with last_epoch >= 0"
                )
        self.optimizer = optimizer
        self.base_lrs: list[float] = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._step_count = 0
        self._steps_before = optimizer._step_count
        self._is_initial = True
        try:
            self.step()
        finally:
            self._is_initial = False

    def get_lr(self) -> list[float]:
        """The rates for the epoch `last_epoch`, from those of the epoch before."""
        raise NotImplementedError

    def _current(self) -> list[float]:
        """The rates that `get_lr` starts from; warns where it was not `step` that called it."""
        if not self._get_lr_called_within_step:
            warnings.warn(
                "To get the last learning rate computed by the scheduler, please use "
                "`get_last_lr()`.",
                UserWarning,
                stacklevel=3,
            )
        return self._rates()

    def get_last_lr(self) -> list[float]:
        """The rates that were set last, one per parameter group."""
        return self._last_lr

    def step(self, epoch: int | None = None) -> None:
        """Go to the next epoch and set the learning rates.

        Args:
            epoch: go to this one instead (deprecated). The rates are then those of the closed
                form, where there is one.
        """
        optimizer = self.optimizer
        counted = type(optimizer).step is Optimizer.step  # an overridden step does not count
        if counted and self._step_count == 1 and optimizer._step_count == self._steps_before:
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
        self._get_lr_called_within_step = True
        try:
            if epoch is None:
                self.last_epoch += 1
                rates = self.get_lr()
            else:
                self.last_epoch = epoch
                rates = getattr(self, "_get_closed_form_lr", self.get_lr)()
        finally:
            self._get_lr_called_within_step = False
        for group, lr in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = lr
        self._last_lr = self._rates()

    def _rates(self) -> list[float]:
        return [float(group["lr"]) for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimiser, as a dict."""
        hidden = ("optimizer", "_steps_before")
        return {key: value for key, value in self.__dict__.items() if key not in hidden}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` gave."""
        self.__dict__.update(state_dict)


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
        if isinstance(lr_lambda, (list, tuple)):
            if len(lr_lambda) != groups:
                raise ValueError(f"Expected {groups} lr_lambdas, but got {len(lr_lambda)}")
            self.lr_lambdas: list[Any] = list(lr_lambda)
        else:
            self.lr_lambdas = [lr_lambda] * groups
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
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
        state["lr_lambdas"] = [
            None if isinstance(factor, FunctionType) else dict(factor.__dict__)
            for factor in self.lr_lambdas
        ]
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` gave; the functions stay."""
        rest = dict(state_dict)
        saved = rest.pop("lr_lambdas")
        super().load_state_dict(rest)
        for factor, attributes in zip(self.lr_lambdas, saved):
            if attributes is not None:
                factor.__dict__.update(attributes)


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
        milestones: Sequence[int],
        gamma: float = 0.1,
        last_epoch: int = -1,
    ) -> None:
        self.milestones: dict[int, int] = Counter(milestones)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        times = self.milestones.get(self.last_epoch, 0)  # a plain dict, if it was loaded
        return [lr * self.gamma**times if times else lr for lr in self._current()]

    def _get_closed_form_lr(self) -> list[float]:
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

    def get_lr(self) -> list[float]:
        due = self.last_epoch != 0 and self.last_epoch % self.step_size == 0
        return [lr * self.gamma if due else lr for lr in self._current()]

    def _get_closed_form_lr(self) -> list[float]:
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

    def get_lr(self) -> list[float]:
        return [lr if self._is_initial else lr * self.gamma for lr in self._current()]

    def _get_closed_form_lr(self) -> list[float]:
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

    def get_lr(self) -> list[float]:
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

    def _get_closed_form_lr(self) -> list[float]:
        factor = self._height(self.last_epoch) / 2
        return [self.eta_min + (base - self.eta_min) * factor for base in self.base_lrs]


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
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")
        if mode not in ("min", "max"):
            raise ValueError(f"mode {mode} is unknown!")
        if threshold_mode not in ("rel", "abs"):
            raise ValueError(f"threshold mode {threshold_mode} is unknown!")
        self.optimizer = optimizer
        groups = len(optimizer.param_groups)
        if isinstance(min_lr, (list, tuple)):
            if len(min_lr) != groups:
                raise ValueError(f"expected {groups} min_lrs, got {len(min_lr)}")
            self.min_lrs = list(min_lr)
        else:
            self.min_lrs = [min_lr] * groups
        self.mode = mode
        self.factor = factor
        self.patience = patience
        self.threshold = threshold
        self.threshold_mode = threshold_mode
        self.cooldown = cooldown
        self.eps = eps
        self.best = math.inf if mode == "min" else -math.inf
        self.num_bad_epochs = 0
        self.cooldown_counter = 0
        self.last_epoch = 0
        self._last_lr = self._rates()

    def is_better(self, value: float, best: float) -> bool:
        """Whether a figure is better than the best so far by more than the threshold."""
        sign = 1 if self.mode == "max" else -1
        if self.threshold_mode == "rel":
            return sign * value > sign * best * (1 + sign * self.threshold)
        return sign * value > sign * best + self.threshold

    def step(self, metrics: Any, epoch: int | None = None) -> None:  # type: ignore[override]
        """Look at the figure of this epoch, and reduce the rates if it is time."""
        value = float(metrics)
        if epoch is not None:
            warnings.warn(_EPOCH, UserWarning, stacklevel=2)
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        if self.is_better(value, self.best):
            self.best = value
            self.num_bad_epochs = 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            for group, limit in zip(self.optimizer.param_groups, self.min_lrs, strict=True):
                old = float(group["lr"])
                new = max(old * self.factor, limit)
                if old - new > self.eps:
                    group["lr"] = new
            self.cooldown_counter = self.cooldown
            self.num_bad_epochs = 0
        self._last_lr = self._rates()
