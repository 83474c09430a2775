"""Multi-layer perceptrons with the interface of scikit-learn's."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from numbers import Real
from typing import Any

import numpy as np
from sklearn.utils import check_scalar

import tapegrad

from .. import nn
from .._C import Tensor
from ._base import Network, store
from ._classifier import NetworkClassifier
from ._losses import n_outputs_for
from ._names import by_name, plain
from ._regressor import NetworkRegressor

__all__ = ["MLPClassifier", "MLPRegressor"]

Array = Any

# scikit-learn's names, and those of classes that need to be told a dimension.
_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "identity": nn.Identity,
    "logistic": nn.Sigmoid,
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "softmax": partial(nn.Softmax, dim=-1),
    "softmin": partial(nn.Softmin, dim=-1),
    "logsoftmax": partial(nn.LogSoftmax, dim=-1),
}
_PLAIN_ACTIVATIONS = ("identity", "logistic", "relu", "tanh")


class _Apply(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, input: Tensor) -> Tensor:
        return self.function(input)


def _activation(given: Any) -> nn.Module:
    """A new module for a name, a class or an instance of nn, or a function."""
    if isinstance(given, str):
        make = _ACTIVATIONS.get(plain(given)) or by_name(nn.modules.activation, given, "activation")
        return make()
    if isinstance(given, nn.Module):
        return copy.deepcopy(given)
    if inspect.isclass(given) and issubclass(given, nn.Module):
        return given()
    if callable(given):
        return _Apply(given)
    raise ValueError(f"activation must be a name, a module or a function, got {given!r}")


def _lies_in(array: Array, tensor: Tensor) -> bool:
    """Whether an array is what a tensor's `numpy()` gives."""
    own = tensor.detach().numpy()
    return (
        isinstance(array, np.ndarray)
        and array.__array_interface__["data"] == own.__array_interface__["data"]
        and array.strides == own.strides
        and array.shape == own.shape
    )


class _MLP(Network):
    """Layers of a multi-layer perceptron, whose weights `coefs_` and `intercepts_` share."""

    _replays = True

    def _draws(self) -> bool:
        # Where scikit-learn draws nothing more, neither do we: the same seed gives its batches.
        return bool(self.dropout) or self.activation not in _PLAIN_ACTIVATIONS

    def _is_initialized(self) -> bool:
        return hasattr(self, "coefs_")

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_scalar(self.dropout, "dropout", Real, min_val=0, max_val=1, include_boundaries="left")
        if self.batch_norm and self.layer_norm:
            raise ValueError("batch_norm and layer_norm exclude each other")
        if self.dropout and self.solver == "lbfgs":
            raise ValueError("dropout needs a stochastic solver, not lbfgs")
        if any(size <= 0 for size in self._hidden_sizes()):
            raise ValueError(f"hidden_layer_sizes must be > 0, got {self._hidden_sizes()}.")

    def _hidden_sizes(self) -> list[int]:
        sizes = self.hidden_layer_sizes
        return list(sizes) if hasattr(sizes, "__iter__") else [sizes]

    def _make_module(self, X: Array, n_outputs: int, dtype: tapegrad.dtype) -> int:
        sizes = [int(X.shape[1]), *self._hidden_sizes(), n_outputs]
        self._build(sizes, dtype)
        # Glorot and Bengio's, with scikit-learn's draws.
        factor = 2.0 if self.activation == "logistic" else 6.0
        for layer in self._linear_layers():
            fan_out, fan_in = layer.weight.shape
            bound = np.sqrt(factor / (fan_in + fan_out))
            coef = self._random_state.uniform(-bound, bound, (fan_in, fan_out))
            intercept = self._random_state.uniform(-bound, bound, fan_out)
            layer.weight.detach().copy_(tapegrad.from_numpy(np.ascontiguousarray(coef.T)))
            layer.bias.detach().copy_(tapegrad.from_numpy(intercept))
        self._share()
        return n_outputs

    def _build(self, sizes: list[int], dtype: tapegrad.dtype) -> None:
        """Make `module_`, without values for the weights yet."""
        layers: list[nn.Module] = []
        for place, (fan_in, fan_out) in enumerate(pairwise(sizes)):
            last = place == len(sizes) - 2
            activation = nn.Identity() if last else _activation(self.activation)
            width = 2 * fan_out if isinstance(activation, nn.GLU) else fan_out
            layers.append(nn.utils.skip_init(nn.Linear, fan_in, width))
            if last:
                break
            if self.batch_norm:
                layers.append(nn.BatchNorm1d(width))
            if self.layer_norm:
                layers.append(nn.LayerNorm(width))
            if not isinstance(activation, nn.Identity):
                layers.append(activation)
            if self.dropout:
                layers.append(nn.Dropout(self.dropout))
        self.module_ = nn.Sequential(*layers).to(dtype)
        self.n_layers_ = len(sizes)

    def _linear_layers(self) -> list[Any]:
        return [layer for layer in self.module_ if isinstance(layer, nn.Linear)]

    def _share(self) -> None:
        """Let `coefs_` and `intercepts_` be the memory of the layers."""
        layers = self._linear_layers()
        self.coefs_ = [layer.weight.detach().numpy().T for layer in layers]
        self.intercepts_ = [layer.bias.detach().numpy() for layer in layers]

    def _sync(self) -> None:
        if not hasattr(self, "module_"):  # a user has set all attributes
            sizes = [len(self.coefs_[0]), *(len(bias) for bias in self.intercepts_)]
            self._build(sizes, tapegrad.from_numpy(np.asarray(self.coefs_[0])).dtype)
        layers = self._linear_layers()
        changed = False
        for layer, coef, intercept in zip(layers, self.coefs_, self.intercepts_, strict=True):
            for p, array in ((layer.weight, np.asarray(coef).T), (layer.bias, intercept)):
                if not _lies_in(array, p):
                    changed = True
                    p.detach().copy_(tapegrad.tensor(np.asarray(array)))
        if changed:
            self._share()

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        if "module_" in state and "coefs_" in state:
            self._sync()
            del state["coefs_"], state["intercepts_"]  # the module's memory
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if hasattr(self, "module_"):
            self._share()

    def _own_memory(self) -> None:
        if hasattr(self, "module_"):
            self._sync()
        super()._own_memory()
        if hasattr(self, "module_"):
            self._share()


class MLPClassifier(NetworkClassifier, _MLP):
    """A multi-layer perceptron for classes or labels, in the place of scikit-learn's.

    Parameters, defaults, attributes and methods are those of
    :class:`sklearn.neural_network.MLPClassifier`, and with the same `random_state` it follows the
    same path from the same initial weights through the same batches. Networks have the dtype of X,
    float32 or float64. In addition:

    Args:
        activation: also the name of any class of `nn`'s activation functions (``"gelu"``), such a
            class or module, or a function.
        solver: also ``"adamw"``, whose `weight_decay` takes the place of `alpha`, or an optimiser
            as ``solver(parameter_groups, lr=learning_rate_init)``.
        learning_rate: also ``"cosine"``, or a function of the optimiser that gives one of
            `optim.lr_scheduler`, which makes a step after each epoch, with any solver.
        verbose: shows a progress bar with the loss and the time left on a terminal.
        loss: ``"log_loss"``, the name of any class of `nn`'s losses of outputs and targets, such a
            class or module, or a function ``loss(outputs, targets)``. Default: ``"log_loss"``.
        dropout: probability that a hidden value becomes zero. Default: 0.
        batch_norm: normalise each hidden layer over the batch. Default: False.
        layer_norm: normalise each hidden layer over its values. Default: False.
        weight_decay: of ``"adamw"``. Default: 0.01.
        class_weight: weights of the classes as a dict, or ``"balanced"``. Default: None.
        max_grad_norm: a larger norm of all gradients is clipped to this one. Default: None.
        callbacks: objects of :class:`Callback`, or functions of the estimator to be called after
            each epoch, which end the training where they return True. Default: None.
        dtype: of the network, ``"float32"`` or ``"float64"``. Default: that of X.
        n_threads: number of threads. Default: one in a worker of joblib, else what is set.

    Attributes:
        module_: the network, an ``nn.Sequential`` that `coefs_` and `intercepts_` share memory
            with.

    Raises:
        ValueError, TypeError: in `fit`, for a parameter out of range.

    Example:
        >>> from sklearn.datasets import load_digits
        >>> from tapegrad.sklearn import MLPClassifier
        >>> X, y = load_digits(return_X_y=True)
        >>> model = MLPClassifier((32,), random_state=0, activation="gelu", early_stopping=True)
        >>> model.fit(X[:1200] / 16, y[:1200]).score(X[1200:] / 16, y[1200:]) > 0.85
        True
    """

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: Any = "adam",
        alpha: float = 0.0001,
        batch_size: Any = "auto",
        learning_rate: Any = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: Any = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        loss: Any = "log_loss",
        dropout: float = 0.0,
        batch_norm: bool = False,
        layer_norm: bool = False,
        weight_decay: float = 0.01,
        class_weight: Any = None,
        max_grad_norm: float | None = None,
        callbacks: Any = None,
        dtype: Any = None,
        n_threads: int | None = None,
    ) -> None:
        store(self, locals())

    def _n_outputs(self, y: Array) -> int:
        return n_outputs_for(self.loss, self._problem)


class MLPRegressor(NetworkRegressor, _MLP):
    """A multi-layer perceptron for numbers, in the place of scikit-learn's.

    Parameters, defaults, attributes and methods are those of
    :class:`sklearn.neural_network.MLPRegressor`, and with the same `random_state` it follows the
    same path from the same initial weights through the same batches. In addition it has the
    parameters of :class:`MLPClassifier`, but for `class_weight`, and:

    Args:
        loss: ``"squared_error"``, ``"poisson"``, the name of any class of `nn`'s losses of outputs
            and targets (``"huber"``), such a class or module, or a function
            ``loss(outputs, targets)``. Default: ``"squared_error"``.

    Example:
        >>> from sklearn.datasets import make_regression
        >>> from tapegrad.sklearn import MLPRegressor
        >>> X, y = make_regression(200, 5, random_state=0)
        >>> model = MLPRegressor(solver="lbfgs", random_state=0, max_iter=1000).fit(X, y)
        >>> model.score(X, y) > 0.99
        True
    """

    def __init__(
        self,
        loss: Any = "squared_error",
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: Any = "adam",
        alpha: float = 0.0001,
        batch_size: Any = "auto",
        learning_rate: Any = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: Any = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        dropout: float = 0.0,
        batch_norm: bool = False,
        layer_norm: bool = False,
        weight_decay: float = 0.01,
        max_grad_norm: float | None = None,
        callbacks: Any = None,
        dtype: Any = None,
        n_threads: int | None = None,
    ) -> None:
        store(self, locals())
