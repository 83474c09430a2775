"""The base class of the estimators: data in, outputs out, and what happens in between."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import partial
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state, check_scalar, column_or_1d
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

import tapegrad

from .. import nn
from .._C import Tensor
from ._losses import Loss, loss_for, output_activation
from ._shared_state import drawing, threads
from ._solvers import all_finite, make_solver
from ._training import Data, fit_lbfgs, fit_stochastic
from .callbacks import plot_loss_curve

__all__ = ["Network", "has_batches", "store"]

Array = Any

_PREDICTED_ROWS = 1024  # at a time
_NUMBERS: dict[str, tuple[Any, float | None, float | None, str]] = {
    "alpha": (Real, 0, None, "left"),
    "learning_rate_init": (Real, 0, None, "neither"),
    "power_t": (Real, 0, None, "left"),
    "max_iter": (Integral, 1, None, "left"),
    "tol": (Real, 0, None, "left"),
    "momentum": (Real, 0, 1, "both"),
    "validation_fraction": (Real, 0, 1, "left"),
    "beta_1": (Real, 0, 1, "left"),
    "beta_2": (Real, 0, 1, "left"),
    "epsilon": (Real, 0, None, "neither"),
    "n_iter_no_change": (Real, 1, None, "left"),
    "max_fun": (Integral, 1, None, "left"),
    "weight_decay": (Real, 0, None, "left"),
}
_MAYBE_NUMBERS: dict[str, tuple[Any, float | None, float | None, str]] = {
    "max_grad_norm": (Real, 0, None, "neither"),
    "n_threads": (Integral, 1, None, "left"),
}


def store(estimator: Any, parameters: dict[str, Any]) -> None:
    """Keep the parameters of ``__init__``, its ``locals()``, as they are."""
    for name, value in parameters.items():
        if name not in ("self", "__class__"):
            setattr(estimator, name, value)


def _float_dtype(given: Any) -> tapegrad.dtype:
    """The dtype of a network, from a name, a dtype of ours or one of NumPy's."""
    name = str(given).rpartition(".")[2]
    if not isinstance(given, tapegrad.dtype):
        name = np.dtype(given).name
    if name not in ("float32", "float64"):
        raise ValueError(f"dtype must be float32 or float64, got {given!r}")
    return getattr(tapegrad, name)


def has_batches(estimator: Any) -> bool:
    """Whether there is a `partial_fit`, as `available_if` asks."""
    if isinstance(estimator.solver, str) and estimator.solver == "lbfgs":
        raise AttributeError(
            "partial_fit is only available for stochastic optimizers. lbfgs is not stochastic."
        )
    return True


class Network(BaseEstimator):
    """An estimator that trains a module, `module_`."""

    _checks: dict[str, Any] = {}  # noqa: RUF012  further arguments of validate_data
    _plain = True  # whether the module's outputs have two dimensions as they are
    _replays = False  # whether the module is made here, so that nobody has hooks on it
    _best_state: dict[str, Any] | None = None  # of the module, at the best validation score

    # ------------------------------------------------------------------ what subclasses say

    @abstractmethod
    def _make_module(self, X: Array, n_outputs: int, dtype: tapegrad.dtype) -> int:
        """Make `module_` with its initial parameters; how many outputs it has."""

    @abstractmethod
    def _check_targets(self, y: Array, reset: bool, incremental: bool) -> Array:
        """Targets as class indices, indicators or numbers, after which `_problem` is known."""

    @abstractmethod
    def _n_outputs(self, y: Array) -> int:
        """How many outputs the network is to have."""

    @abstractmethod
    def _score_outputs(self, outputs: Array, y: Array, weight: Array) -> float:
        """The score of a network's outputs."""

    def _draws(self) -> bool:
        """Whether training draws from the library's own generator."""
        return True

    def _sync(self) -> None:
        """Let `module_` have what a user has put in the place of fitted attributes."""

    def _is_initialized(self) -> bool:
        return hasattr(self, "module_")

    # ------------------------------------------------------------------ files

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._loaded = True

    def _own_memory(self) -> None:
        """Copy what was loaded, whose memory may be a file that is mapped to be read only."""
        if getattr(self, "_loaded", False):
            self._loaded = False
            names = [name for name in ("module_", "_optimizer") if hasattr(self, name)]
            copies = deepcopy([getattr(self, name) for name in names])  # of the same parameters
            for name, value in zip(names, copies, strict=True):
                setattr(self, name, value)

    # ------------------------------------------------------------------ training

    def fit(self, X: Array, y: Array, sample_weight: Array = None) -> Any:
        """Train on data.

        Args:
            X: array or sparse matrix of shape (n_samples, n_features).
            y: targets of shape (n_samples,) or (n_samples, n_outputs).
            sample_weight: of shape (n_samples,). Default: all alike.

        Returns:
            The estimator.
        """
        return self._fit(X, y, sample_weight, incremental=False)

    @available_if(has_batches)
    def partial_fit(self, X: Array, y: Array, sample_weight: Array = None) -> Any:
        """Train for one epoch on data, from where the last call ended.

        Args:
            X: array or sparse matrix of shape (n_samples, n_features).
            y: targets of shape (n_samples,) or (n_samples, n_outputs).
            sample_weight: of shape (n_samples,). Default: all alike.

        Returns:
            The estimator.
        """
        return self._fit(X, y, sample_weight, incremental=True)

    def _fit(self, X: Array, y: Array, sample_weight: Array, incremental: bool) -> Any:
        self._check_parameters()
        if self.early_stopping and incremental:
            raise ValueError("partial_fit does not support early_stopping=True")
        first = not self._is_initialized() or not (self.warm_start or incremental)
        X, y = self._check_data(X, y, reset=first)
        weight = self._weights(X, y, sample_weight, incremental)
        if weight is not None and not weight.sum() > 0:
            raise ValueError("the weights of all samples are zero")
        y = self._check_targets(y, first, incremental)
        self._random_state = check_random_state(self.random_state)
        with threads(self.n_threads), self._drawing(first):
            if first:
                self._initialize(X, y)
            else:
                self._own_memory()
                self._sync()
            if self.solver == "lbfgs":
                self._fit_lbfgs(X, y, weight)
            else:
                self._fit_stochastic(X, y, weight, incremental)
        if not all_finite(self.module_):
            raise ValueError(
                "Solver produced non-finite parameter weights. The input data may contain large "
                "values and need to be preprocessed."
            )
        return self

    def _check_parameters(self) -> None:
        for table, optional in ((_NUMBERS, False), (_MAYBE_NUMBERS, True)):
            for name, (kind, least, most, bounds) in table.items():
                value = getattr(self, name)
                if not (optional and value is None):
                    check_scalar(
                        value,
                        name,
                        kind,
                        min_val=least,
                        max_val=most,
                        include_boundaries=bounds,
                    )
        if not (isinstance(self.batch_size, str) and self.batch_size == "auto"):
            check_scalar(self.batch_size, "batch_size", Integral, min_val=1)
        if self.dtype is not None:
            _float_dtype(self.dtype)
        if not (self.callbacks is None or isinstance(self.callbacks, Iterable)):
            raise TypeError(f"callbacks must be a list, got {self.callbacks!r}")
        choices = {
            "solver": ("adam", "adamw", "sgd", "lbfgs"),
            "learning_rate": ("constant", "invscaling", "adaptive", "cosine"),
        }
        for name, known in choices.items():
            value = getattr(self, name)
            if not callable(value) and not (isinstance(value, str) and value in known):
                raise ValueError(
                    f"{name} must be one of {', '.join(map(repr, known))} or a function, "
                    f"got {value!r}"
                )

    def _check_data(self, X: Array, y: Array, reset: bool) -> tuple[Any, Any]:
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse=["csr", "csc"],
            multi_output=True,
            dtype=(np.float64, np.float32),
            reset=reset,
            **self._checks,
        )
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        return X, y

    def _weights(self, X: Array, y: Array, sample_weight: Array, incremental: bool) -> Array:
        if sample_weight is None:
            return None
        return _check_sample_weight(sample_weight, X)

    @contextmanager
    def _drawing(self, first: bool) -> Iterator[None]:
        if not self._draws():
            yield
            return
        state = None if first else getattr(self, "_generator_state", None)
        if state is None:
            state = int(self._random_state.randint(np.iinfo(np.int32).max))
        with drawing(state):
            yield
            self._generator_state = tapegrad.get_rng_state()

    def _initialize(self, X: Array, y: Array) -> None:
        n_outputs, dtype = self._n_outputs(y), _float_dtype(self.dtype or X.dtype)
        loss_for(self.loss, self._problem, n_outputs, dtype)  # refuses before anything is made
        self.n_outputs_ = self._make_module(X, n_outputs, dtype)
        self.out_activation_ = output_activation(self.loss, self._problem, self.n_outputs_)
        self.n_iter_ = self.t_ = 0
        self.loss_curve_: list[float] = []
        self._start_record()

    def _start_record(self) -> None:
        """Begin to look for the best loss, or the best score on held-out data."""
        held_out = bool(self.early_stopping) and self.solver != "lbfgs"
        self._no_improvement_count = 0
        self.best_loss_ = None if held_out else np.inf
        self.validation_scores_: list[float] | None = [] if held_out else None
        self.best_validation_score_ = -np.inf if held_out else None
        self._best_state = deepcopy(self.module_.state_dict()) if held_out else None

    def _loss(self, dtype: tapegrad.dtype) -> Loss:
        return loss_for(self.loss, self._problem, self.n_outputs_, dtype)

    @property
    def _dtype(self) -> tapegrad.dtype:
        """The dtype of the network."""
        floats = (p.dtype for p in self.module_.parameters())
        return next(floats, tapegrad.float32)

    def _fit_lbfgs(self, X: Array, y: Array, weight: Array) -> None:
        # In double precision whatever the network has: its line search needs the digits.
        module = deepcopy(self.module_).double()
        loss = self._loss(tapegrad.float64)
        data = Data(X, loss.targets(y), weight, tapegrad.float64)
        fit_lbfgs(self, module, partial(self._forward, module), loss, data)
        self.module_.load_state_dict(module.state_dict())

    def _fit_stochastic(self, X: Array, y: Array, weight: Array, incremental: bool) -> None:
        if not incremental or not hasattr(self, "_optimizer"):
            self._optimizer = make_solver(self, self.module_)
        validate = None
        if bool(self.early_stopping) != (getattr(self, "validation_scores_", None) is not None):
            self._start_record()
        if self.early_stopping:
            X, X_val, y, y_val, weight, weight_val = self._hold_out(X, y, weight)
            held_out = Data(X_val, None, None, self._dtype)

            def validate() -> float:
                return self._score_outputs(self._outputs(held_out), y_val, weight_val)

        loss = self._loss(self._dtype)
        data = Data(X, loss.targets(y), weight, self._dtype)
        module = self.module_
        forward = module if self._plain else partial(self._forward, module)
        fit_stochastic(self, module, forward, loss, data, validate, incremental)

    def _hold_out(self, X: Array, y: Array, weight: Array) -> tuple[Array, ...]:
        """Samples to train on and samples to validate with, in turns."""
        parts = train_test_split(
            X,
            y,
            *(() if weight is None else (weight,)),
            random_state=self._random_state,
            test_size=self.validation_fraction,
            stratify=self._strata(y),
        )
        if parts[1].shape[0] < 2:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' "
                "or the size of your dataset."
            )
        return tuple(parts) if weight is not None else (*parts, None, None)

    def _strata(self, y: Array) -> Array:
        return None

    # ------------------------------------------------------------------ predictions

    def _forward(self, module: nn.Module, X: Tensor) -> Tensor:
        return module(X)

    def _outputs(self, data: Data) -> Array:
        """The outputs of the network for all samples, before any activation function."""
        module = self.module_
        if module.training:
            module.eval()
        with tapegrad.no_grad():
            rows = data.chunks(_PREDICTED_ROWS)
            parts = [self._forward(module, data.inputs(chunk)) for chunk in rows]
            return (parts[0] if len(parts) == 1 else tapegrad.cat(parts)).numpy()

    def _predicted_outputs(self, X: Array) -> Array:
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse=["csr", "csc"], reset=False, **self._input_checks)
        with threads(self.n_threads):
            self._sync()
            return self._outputs(Data(X, None, None, self._dtype))

    @property
    def _input_checks(self) -> dict[str, Any]:
        return {name: value for name, value in self._checks.items() if name != "y_numeric"}

    def plot_loss_curve(self, ax: Any = None) -> Any:
        """Draw the loss over the epochs, and the validation score where there is one.

        Args:
            ax: axes of Matplotlib. Default: new ones.

        Returns:
            The axes.

        Raises:
            ImportError: without Matplotlib.
        """
        check_is_fitted(self)
        return plot_loss_curve(self, ax)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
