"""Training: batches of the data, the loop of the stochastic solvers, and L-BFGS."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import scipy.optimize
import scipy.sparse
from sklearn.exceptions import ConvergenceWarning

import tapegrad

from .. import nn
from .._C import Tensor
from ._losses import Loss
from .callbacks import Callbacks

__all__ = ["Data", "fit_lbfgs", "fit_stochastic"]

_SPARSE_ELEMENTS = 1 << 22  # of rows that are made dense at a time
Array = Any


class Data:
    """Samples with their targets and weights, of which batches are copied.

    Args:
        X: array or sparse matrix of shape (n, ...).
        y: targets, or None.
        weight: weights of shape (n,), or None.
        dtype: what dtype inputs, weights and targets that are not indices get.
    """

    def __init__(self, X: Array, y: Array, weight: Array, dtype: tapegrad.dtype) -> None:
        self.dtype = dtype
        self.sparse = scipy.sparse.issparse(X)
        self.X: Any = X.tocsr() if self.sparse else _tensor(X, dtype)
        self.y: Any = None if y is None else _tensor(y, y.dtype if y.dtype == np.int64 else dtype)
        self.weight = None if weight is None else _tensor(weight, dtype)

    def __len__(self) -> int:
        return int(self.X.shape[0])

    def inputs(self, rows: slice | Array) -> Tensor:
        """Some rows of the inputs, as a copy."""
        if self.sparse:
            return _tensor(self.X[rows].toarray(), self.dtype)
        if isinstance(rows, slice):
            return self.X[rows].clone()
        return self.X.index_select(0, rows)

    def chunks(self, n_rows: int) -> Iterator[slice]:
        """Slices of at most so many rows."""
        for start in range(0, len(self), n_rows):
            yield slice(start, min(start + n_rows, len(self)))

    def batches(
        self, order: Array, bounds: list[tuple[int, int]]
    ) -> Iterator[tuple[Tensor, Tensor, Tensor | None]]:
        """Inputs, targets and weights between bounds, in an order or as they lie (None)."""
        if order is None:
            for start, stop in bounds:
                rows = slice(start, stop)
                weight = None if self.weight is None else self.weight[rows]
                yield self.inputs(rows), self.y[rows], weight
            return
        indices = tapegrad.from_numpy(order)
        for start, stop in bounds:
            index = indices[start:stop]
            X = self.inputs(order[start:stop] if self.sparse else index)
            weight = None if self.weight is None else self.weight.index_select(0, index)
            yield X, self.y.index_select(0, index), weight


def _tensor(array: Array, dtype: Any) -> Tensor:
    wanted = dtype if isinstance(dtype, np.dtype) else np.dtype(str(dtype).rpartition(".")[2])
    return tapegrad.from_numpy(np.ascontiguousarray(array, dtype=wanted))


def _bounds(estimator: Any, module: nn.Module, n: int) -> list[tuple[int, int]]:
    if estimator.batch_size == "auto":
        size = min(200, n)
    else:
        if estimator.batch_size > n:
            warnings.warn(
                "Got `batch_size` less than 1 or larger than sample size. "
                "It is going to be clipped",
                stacklevel=6,
            )
        size = min(estimator.batch_size, n)
    bounds = [(start, min(start + size, n)) for start in range(0, n, size)]
    if len(bounds) > 1 and bounds[-1][1] - bounds[-1][0] == 1 and _normalises_batches(module):
        # One sample has no variance: it joins the batch before.
        (start, _), (_, stop) = bounds[-2:]
        bounds[-2:] = [(start, stop)]
    return bounds


def _is_ours(module: nn.Module, estimator: Any) -> bool:
    """Whether no code runs in a step but ours: what other code does beside may not be left out."""
    given = (estimator.solver, estimator.loss)
    modules = (type(each).__module__ for each in module.modules())
    return all(isinstance(each, str) for each in given) and all(
        name.startswith("tapegrad.nn.") for name in modules
    )


def _normalises_batches(module: nn.Module) -> bool:
    return any(isinstance(each, nn.modules.batchnorm._BatchNorm) for each in module.modules())


def fit_stochastic(
    estimator: Any,
    module: nn.Module,
    forward: Callable[[Tensor], Tensor],
    loss: Loss,
    data: Data,
    validate: Callable[[], float] | None,
    incremental: bool,
) -> None:
    """Train by batches, as scikit-learn does; fills in the estimator's attributes.

    Args:
        estimator: whose parameters say how, with its solver in `_optimizer`.
        module: what is trained.
        forward: gives the module's outputs for a batch.
        loss: of these.
        data: what to train on.
        validate: gives the score that ends the training early, or None.
        incremental: whether to make one epoch only, as `partial_fit` does.
    """
    solver, random = estimator._optimizer, estimator._random_state
    n = len(data)
    bounds = _bounds(estimator, module, n)
    order = np.arange(n)
    parameters = list(module.parameters())

    def step(X: Tensor, y: Tensor, weight: Tensor | None) -> tuple[Tensor, list[Tensor]]:
        value = loss(forward(X), y, weight)
        value.backward()
        squares = solver.squares()
        if estimator.max_grad_norm is not None:
            nn.utils.clip_grad_norm_(parameters, estimator.max_grad_norm)
        solver.step()
        return value.detach(), squares

    # A single epoch would hardly make up for the recording.
    if estimator._replays and not incremental and _is_ours(module, estimator):
        step = tapegrad.compile(step)
    estimator.n_iter_ = 0
    with Callbacks(estimator) as callbacks:
        try:
            for _ in range(estimator.max_iter):
                module.train()
                if estimator.shuffle:
                    # The draws of sklearn.utils.shuffle.
                    permutation = np.arange(n)
                    random.shuffle(permutation)
                    order = order[permutation]
                total = 0.0
                for X, y, weight in data.batches(order if estimator.shuffle else None, bounds):
                    rows = len(X)
                    weight_sum = float(rows) if weight is None else weight.sum().item()
                    if weight_sum == 0:
                        continue
                    solver.prepare(weight_sum)
                    value, squares = step(X, y, weight)
                    shown = value.item() * loss.shown + solver.penalty(squares) / weight_sum
                    total += shown * rows
                    for callback in callbacks.per_batch:
                        callback.on_batch_end(estimator, shown)
                estimator.n_iter_ += 1
                estimator.t_ += n
                estimator.loss_ = total / n
                estimator.loss_curve_.append(estimator.loss_)
                if validate is None:
                    _note_loss(estimator)
                else:
                    module.eval()
                    if _note_score(estimator, validate()):
                        estimator._best_state = copy.deepcopy(module.state_dict())
                stop = callbacks.epoch()
                if _end_epoch(estimator, callbacks, validate is not None) or stop or incremental:
                    break
                if estimator.n_iter_ == estimator.max_iter:
                    warnings.warn(
                        f"Stochastic Optimizer: Maximum iterations ({estimator.max_iter}) "
                        "reached and the optimization hasn't converged yet.",
                        ConvergenceWarning,
                        stacklevel=5,
                    )
        except KeyboardInterrupt:
            solver.optimizer.zero_grad()
            warnings.warn("Training interrupted by user.", stacklevel=5)
    module.eval()
    if validate is not None:
        module.load_state_dict(estimator._best_state)


def _note_loss(estimator: Any) -> None:
    if estimator.loss_ > estimator.best_loss_ - estimator.tol:
        estimator._no_improvement_count += 1
    else:
        estimator._no_improvement_count = 0
    estimator.best_loss_ = min(estimator.best_loss_, estimator.loss_)


def _note_score(estimator: Any, score: float) -> bool:
    """Keep a validation score; whether it is the best so far."""
    estimator.validation_scores_.append(score)
    if score < estimator.best_validation_score_ + estimator.tol:
        estimator._no_improvement_count += 1
    else:
        estimator._no_improvement_count = 0
    improved = score > estimator.best_validation_score_
    if improved:
        estimator.best_validation_score_ = score
    return improved


def _end_epoch(estimator: Any, callbacks: Callbacks, validated: bool) -> bool:
    """Change the learning rate; whether training has converged."""
    solver = estimator._optimizer
    adaptive = estimator.solver == "sgd" and estimator.learning_rate == "adaptive"
    if estimator.solver == "sgd" and estimator.learning_rate == "invscaling":
        solver.learning_rate = (
            float(estimator.learning_rate_init) / (estimator.t_ + 1) ** estimator.power_t
        )
    solver.end_epoch(estimator.loss_, estimator.validation_scores_[-1] if validated else None)
    if estimator._no_improvement_count <= estimator.n_iter_no_change:
        return False
    what = "Validation score" if validated else "Training loss"
    message = (
        f"{what} did not improve more than tol={estimator.tol:f} for "
        f"{estimator.n_iter_no_change} consecutive epochs."
    )
    if not adaptive:
        callbacks.say(f"{message} Stopping.")
        return True
    if solver.learning_rate <= 1e-6:
        callbacks.say(f"{message} Learning rate too small. Stopping.")
        return True
    solver.learning_rate /= 5.0
    callbacks.say(f"{message} Setting learning rate to {solver.learning_rate:f}")
    estimator._no_improvement_count = 0
    return False


def fit_lbfgs(
    estimator: Any,
    module: nn.Module,
    forward: Callable[[Tensor], Tensor],
    loss: Loss,
    data: Data,
) -> None:
    """Train on all of the data at once by SciPy's L-BFGS-B; fills in the estimator's attributes.

    The module and the data are float64 here, as SciPy's vectors are.
    """
    parameters = [p for p in module.parameters() if p.requires_grad]
    ends = np.cumsum([p.numel() for p in parameters])[:-1]
    weights = [p for p in parameters if p.dim() > 1]
    n = len(data)
    total = n if data.weight is None else data.weight.sum().item()
    width = int(np.prod(data.X.shape[1:]))
    bounds = [(s.start, s.stop) for s in data.chunks(n)]
    if data.sparse:
        rows = max(1, _SPARSE_ELEMENTS // width)
        bounds = [(s.start, s.stop) for s in data.chunks(rows)]
    alpha = float(estimator.alpha)

    def put(vector: Array) -> None:
        for p, values in zip(parameters, np.split(vector, ends), strict=True):
            p.detach().copy_(tapegrad.from_numpy(values).view(p.shape))

    def penalty() -> float:
        return 0.5 * alpha * sum(float((w.detach() ** 2).sum()) for w in weights) / total

    def objective(vector: Array) -> tuple[float, Array]:
        put(vector)
        for p in parameters:
            p.grad = None
        value = 0.0
        for X, y, weight in data.batches(None, bounds):
            share = (len(X) if weight is None else weight.sum().item()) / total
            if share == 0:
                continue
            part = loss(forward(X), y, weight) * share
            part.backward()
            value += part.item()
        for p in weights:
            p.grad = p.detach() * (alpha / total) + (0 if p.grad is None else p.grad)
        grads = [p.new_zeros(p.shape) if p.grad is None else p.grad for p in parameters]
        latest[0] = value * loss.shown + penalty()
        return value + penalty(), tapegrad.cat([g.reshape(-1) for g in grads]).numpy()

    latest = [np.inf]
    with Callbacks(estimator) as callbacks:

        def iteration(_: Array) -> None:
            estimator.n_iter_ += 1
            estimator.loss_ = latest[0]
            estimator.loss_curve_.append(estimator.loss_)
            if callbacks.epoch():
                raise StopIteration

        estimator.n_iter_ = 0
        module.train()
        result = scipy.optimize.minimize(
            objective,
            np.concatenate([p.detach().numpy().ravel() for p in parameters]),
            method="L-BFGS-B",
            jac=True,
            callback=iteration,
            options={
                "maxfun": estimator.max_fun,
                "maxiter": estimator.max_iter,
                "gtol": estimator.tol,
            },
        )
    put(result.x)
    module.eval()
    estimator.n_iter_ = min(result.nit, estimator.max_iter)
    estimator.loss_ = (result.fun - penalty()) * loss.shown + penalty()
    if result.status not in (0, 99):  # 99: a callback stopped it
        warnings.warn(
            f"lbfgs failed to converge (status={result.status}): {result.message}\n"
            "Increase the number of iterations (max_iter) or scale the data.",
            ConvergenceWarning,
            stacklevel=5,
        )
