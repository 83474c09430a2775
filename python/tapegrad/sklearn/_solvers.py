"""The solvers: what moves the parameters after each batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tapegrad

from .. import optim
from .._C import Tensor
from ..optim.elementwise import Counters, common
from ..optim.optimizer import Group

__all__ = ["Solver", "make_solver"]


class _Adam(optim.Adam):
    """Adam as scikit-learn has it: eps beside the root of v before v is corrected.

    ``p -= lr * sqrt(1 - b2**t) / (1 - b1**t) * m / (sqrt(v) + eps)``
    """

    def _advance(self, options: Group, counters: Counters) -> tuple[Counters, tuple[Any, ...]]:
        counters, (*rest, root_scale, eps) = super()._advance(options, counters)
        return counters, (*rest, root_scale, eps * root_scale)


class _SGD(optim.SGD):
    """SGD as scikit-learn has it: the rate is part of the velocity.

    ``v = momentum * v - lr * g``, ``p += v``, or with Nesterov's ``p += momentum * v - lr * g``.
    """

    def _advance(self, options: Group, counters: Counters) -> tuple[Counters, tuple[Any, ...]]:
        lr, momentum = options["lr"], options["momentum"]
        shared = common(options)
        if momentum == 0:
            return counters, (*shared, lr)
        if not options["nesterov"]:
            return (1.0,), (*shared, 1.0, momentum, lr, 0.0)
        if lr == 0:
            return (1.0,), (*shared, momentum, momentum, 0.0, 0.0)
        return (1.0,), (*shared, lr, momentum, lr, momentum / lr)


class Solver:
    """An optimiser, with the penalty on weights and the schedule of its learning rate.

    Args:
        optimizer: of two groups, the weights that are penalised and the others.
        alpha: the penalty's strength; it adds ``alpha / 2 * (w * w).sum() / total`` to the loss,
            where `total` is the weight of the batch.
        decays: whether the optimiser adds the penalty's gradient, as its weight decay.
        schedule: a scheduler of `optim.lr_scheduler` that makes a step after each epoch.
    """

    def __init__(
        self, optimizer: optim.Optimizer, alpha: float, decays: bool, schedule: Any
    ) -> None:
        self.optimizer = optimizer
        self.alpha = alpha
        self.decays = decays
        self.schedule = schedule
        self.penalised: list[Tensor] = optimizer.param_groups[0]["params"]
        self._flat: list[Tensor] = []
        self._strength = 0.0  # of the penalty on the mean loss of the batch

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_flat": []}  # aliases, which a copy would not be

    @property
    def learning_rate(self) -> float:
        return float(self.optimizer.param_groups[0]["lr"])

    @learning_rate.setter
    def learning_rate(self, rate: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = rate

    def squares(self) -> list[Tensor]:
        """Sums of squares of the weights that are penalised."""
        if self.alpha == 0:
            return []
        if not self._flat:
            self._flat = [p.detach().view(-1) for p in self.penalised]
        return [w.dot(w) for w in self._flat]

    def penalty(self, squares: list[Tensor]) -> float:
        """What weights with these sums add to the loss, times the weight of the batch."""
        return 0.5 * self.alpha * sum(each.item() for each in squares)

    def prepare(self, total: float) -> None:
        """Say what a batch weighs, before its step."""
        if self.alpha != 0:
            self._strength = self.alpha / total
            if self.decays:
                self.optimizer.param_groups[0]["weight_decay"] = self._strength

    def step(self) -> None:
        """Move the parameters along the gradients of a batch."""
        if self.alpha != 0 and not self.decays:
            for p in self.penalised:
                if p.grad is not None:
                    p.grad.add_(p.detach(), alpha=self._strength)
        self.optimizer.step()
        self.optimizer.zero_grad()

    def end_epoch(self, loss: float, score: float | None) -> None:
        """Advance the schedule; one that waits for the largest figure sees the validation score."""
        if isinstance(self.schedule, optim.lr_scheduler.ReduceLROnPlateau):
            highest = score is not None and self.schedule.mode == "max"
            self.schedule.step(score if highest else loss)
        elif self.schedule is not None:
            self.schedule.step()


def make_solver(estimator: Any, module: Any) -> Solver:
    """The solver that an estimator's parameters describe.

    Weights are what has two dimensions or more; biases and the scales of norms are not penalised.
    """
    params = [p for p in module.parameters() if p.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [p for p in params if p.dim() > 1]},
        {"params": [p for p in params if p.dim() <= 1]},
    ]
    lr = float(estimator.learning_rate_init)
    alpha, decays = float(estimator.alpha), True
    optimizer: optim.Optimizer
    if estimator.solver == "sgd":
        momentum = float(estimator.momentum)
        nesterov = bool(estimator.nesterovs_momentum) and momentum > 0
        optimizer = _SGD(groups, lr, momentum, nesterov=nesterov)
    elif estimator.solver in ("adam", "adamw"):
        betas, eps = (float(estimator.beta_1), float(estimator.beta_2)), float(estimator.epsilon)
        if estimator.solver == "adam":
            optimizer = _Adam(groups, lr, betas, eps)
        else:
            groups[0]["weight_decay"] = float(estimator.weight_decay)
            optimizer = optim.AdamW(groups, lr, betas, eps, weight_decay=0.0)
            alpha = 0.0
    else:
        optimizer, decays = estimator.solver(groups, lr=lr), False
    return Solver(optimizer, alpha, decays, _schedule(estimator, optimizer))


def _schedule(estimator: Any, optimizer: optim.Optimizer) -> Any:
    made: Callable[[optim.Optimizer], Any] | str = estimator.learning_rate
    if callable(made):
        return made(optimizer)
    if made == "cosine":
        return optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=estimator.max_iter)
    return None


def all_finite(module: Any) -> bool:
    """Whether all parameters of a module are numbers."""
    return all(bool(tapegrad.isfinite(p.detach()).all()) for p in module.parameters())
