"""Estimators that train any module."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterable
from typing import Any

import tapegrad

from .. import nn
from .._C import Tensor
from ._base import Network, store
from ._classifier import NetworkClassifier
from ._losses import n_outputs_for
from ._regressor import NetworkRegressor

__all__ = ["NeuralClassifier", "NeuralRegressor"]

Array = Any

_PREFIX = "module__"
_FROM_DATA = ("n_features", "n_outputs")


def _names(function: Any) -> Iterable[str]:
    """The names of a function's parameters."""
    try:
        return inspect.signature(function).parameters
    except ValueError:  # of a builtin that does not say
        return ()


class _Neural(Network):
    """A module of the user's, made anew for each fit."""

    _checks = {"allow_nd": True}  # noqa: RUF012

    def _keep(self, parameters: dict[str, Any]) -> None:
        """Keep the parameters of ``__init__``, with those of the module beside the others."""
        module_parameters = parameters.pop("module_parameters")
        store(self, parameters)
        self._names = sorted(module_parameters)
        store(self, module_parameters)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters by name, those of the module (``module__...``) included."""
        found: dict[str, Any] = super().get_params(deep=deep)
        return {**found, **{name: getattr(self, name) for name in self._names}}

    def set_params(self, **params: Any) -> Any:
        """Set parameters by name; ``module__hidden=64`` is a parameter of the module."""
        own = {name: value for name, value in params.items() if name.startswith(_PREFIX)}
        self._names = sorted({*self._names, *own})
        store(self, own)
        rest = {name: value for name, value in params.items() if name not in own}
        for name in set(rest) & set(self._names):
            setattr(self, name, rest.pop(name))
        super().set_params(**rest)
        return self

    def _arguments(self) -> dict[str, Any]:
        """What the module's class is called with, of the estimator's parameters."""
        unknown = [name for name in self._names if not name.startswith(_PREFIX)]
        if unknown:
            raise TypeError(
                f"{type(self).__name__} has no parameter {', '.join(unknown)}; "
                f"those of the module begin with {_PREFIX}"
            )
        return {name[len(_PREFIX) :]: getattr(self, name) for name in self._names}

    def _made(self, X: Array, n_outputs: int) -> nn.Module:
        arguments = self._arguments()
        if isinstance(self.module, nn.Module):
            if arguments:
                raise TypeError(
                    f"the module is an instance, which takes no {', '.join(self._names)}: "
                    "give its class"
                )
            return copy.deepcopy(self.module)
        if not callable(self.module):
            raise TypeError(
                f"module must be an nn.Module, its class or a function that makes it, "
                f"got {self.module!r}"
            )
        known = dict(zip(_FROM_DATA, (int(X.shape[1]), n_outputs), strict=True))
        given = {name: value for name, value in known.items() if name in _names(self.module)}
        made = self.module(**{**given, **arguments})
        if not isinstance(made, nn.Module):
            raise TypeError(f"{self.module!r} has made no nn.Module, but {type(made).__name__}")
        return made

    def _make_module(self, X: Array, n_outputs: int, dtype: tapegrad.dtype) -> int:
        module = self._made(X, n_outputs).to(dtype).eval()
        first = X[:1].toarray() if hasattr(X, "toarray") else X[:1]
        with tapegrad.no_grad():
            # Lazy modules get their parameters here.
            shape = tuple(module(tapegrad.tensor(first, dtype=dtype)).shape)
        if len(shape) > 2:
            raise ValueError(
                f"the module gives outputs of shape (n, {', '.join(map(str, shape[1:]))}) for n "
                f"samples, but (n, {n_outputs}) is needed"
            )
        width = shape[1] if len(shape) == 2 else 1
        if width not in self._widths(n_outputs):
            raise ValueError(
                f"the module has {width} outputs, but {n_outputs} are needed; a class that takes "
                "a parameter n_outputs is told so"
            )
        self.module_ = module
        self._plain = len(shape) == 2
        return width

    def _widths(self, n_outputs: int) -> tuple[int, ...]:
        """How many outputs the module may have."""
        return (n_outputs,)

    def _forward(self, module: nn.Module, X: Tensor) -> Tensor:
        out: Tensor = module(X)
        return out if out.dim() == 2 else out.unsqueeze(1)


class NeuralClassifier(NetworkClassifier, _Neural):
    """A classifier that trains any module.

    The module's outputs are scores of shape (n, n_classes), before a softmax; for two classes also
    one score per sample, and for several labels (n, n_labels), before a sigmoid.

    Args:
        module: a subclass of `nn.Module` or a function that makes one, called for each fit; or an
            instance, of which each fit trains a copy, from its own values. What takes a parameter
            `n_features` or `n_outputs` gets these from the data.
        **module_parameters: ``module__hidden=64`` calls the class with ``hidden=64``; they can be
            searched as all parameters.

    All others are those of :class:`MLPClassifier`. `alpha` penalises parameters of two and more
    dimensions. X may have more than two dimensions; it becomes the dtype of the network, which is
    float32 or float64 as X is, or `dtype`.

    Attributes:
        module_: the trained module.
        classes_, n_outputs_, loss_, loss_curve_, validation_scores_, n_iter_, t_, ...: as those of
            :class:`MLPClassifier`.

    Raises:
        ValueError, TypeError: in `fit`, for a parameter out of range, a module that is none, and
            outputs of another shape.

    Example:
        >>> from sklearn.datasets import load_iris
        >>> from tapegrad import nn
        >>> from tapegrad.sklearn import NeuralClassifier
        >>> class Network(nn.Sequential):
        ...     def __init__(self, n_features, n_outputs, hidden=16):
        ...         super().__init__(
        ...             nn.Linear(n_features, hidden), nn.Tanh(), nn.Linear(hidden, n_outputs)
        ...         )
        >>> X, y = load_iris(return_X_y=True)
        >>> model = NeuralClassifier(Network, module__hidden=32, max_iter=500, random_state=0)
        >>> model.fit(X, y).score(X, y) > 0.95
        True
    """

    def __init__(
        self,
        module: Any = None,
        *,
        loss: Any = "log_loss",
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
        weight_decay: float = 0.01,
        class_weight: Any = None,
        max_grad_norm: float | None = None,
        callbacks: Any = None,
        dtype: Any = None,
        n_threads: int | None = None,
        **module_parameters: Any,
    ) -> None:
        self._keep(locals())

    def _n_outputs(self, y: Array) -> int:
        n_classes = self._problem.n_classes
        if self._problem.multilabel or n_classes > 2:
            return n_classes
        return 2 if self.loss == "log_loss" else n_outputs_for(self.loss, self._problem)

    def _widths(self, n_outputs: int) -> tuple[int, ...]:
        # Two classes: a score for each, or the one of the second.
        return (1, 2) if self.loss == "log_loss" and n_outputs == 2 else (n_outputs,)


class NeuralRegressor(NetworkRegressor, _Neural):
    """A regressor that trains any module.

    The module's outputs have the shape (n, n_outputs), or (n,) for one number per sample.

    Args:
        module: as of :class:`NeuralClassifier`.
        loss: as of :class:`MLPRegressor`. Default: ``"squared_error"``.
        **module_parameters: as of :class:`NeuralClassifier`.

    All others, and the attributes, are those of :class:`MLPRegressor`.

    Raises:
        ValueError, TypeError: in `fit`, for a parameter out of range, a module that is none, and
            outputs of another shape.

    Example:
        >>> from sklearn.datasets import load_diabetes
        >>> from tapegrad import nn
        >>> from tapegrad.sklearn import NeuralRegressor
        >>> X, y = load_diabetes(return_X_y=True)
        >>> network = nn.Sequential(nn.LazyLinear(16), nn.SiLU(), nn.Linear(16, 1))
        >>> model = NeuralRegressor(network, solver="lbfgs", alpha=1.0, random_state=0)
        >>> model.fit(X, y).score(X, y) > 0.45
        True
    """

    def __init__(
        self,
        module: Any = None,
        *,
        loss: Any = "squared_error",
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
        weight_decay: float = 0.01,
        max_grad_norm: float | None = None,
        callbacks: Any = None,
        dtype: Any = None,
        n_threads: int | None = None,
        **module_parameters: Any,
    ) -> None:
        self._keep(locals())
