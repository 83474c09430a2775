"""NeuralClassifier and NeuralRegressor: any module as an estimator."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn", minversion="1.6")

from sklearn import datasets
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import tapegrad
from tapegrad import nn
from tapegrad.sklearn import MLPClassifier, NeuralClassifier, NeuralRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = datasets.load_iris(return_X_y=True)
X = StandardScaler().fit_transform(X)
NUMBERS = np.c_[2 * X[:, 0] + X[:, 1], np.sin(X[:, 2])]


class Network(nn.Sequential):
    def __init__(self, n_features: int, n_outputs: int, hidden: int = 16, p: float = 0.0) -> None:
        super().__init__(
            nn.Linear(n_features, hidden), nn.Tanh(), nn.Dropout(p), nn.Linear(hidden, n_outputs)
        )


class OneScore(nn.Module):
    """Outputs of shape (n,)."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.LazyLinear(8)
        self.last = nn.Linear(8, 1)

    def forward(self, x: Any) -> Any:
        return self.last(self.hidden(x).tanh()).squeeze(1)


def fitted(module: Any, x: Any = X, y: Any = Y, **options: Any) -> NeuralClassifier:
    options = {"learning_rate_init": 0.02, "max_iter": 60, "random_state": 0, **options}
    return NeuralClassifier(module, **options).fit(x, y)


@pytest.mark.parametrize(
    "module",
    [
        Network,
        nn.Sequential(nn.LazyLinear(16), nn.ReLU(), nn.Linear(16, 3)),
        lambda n_features: nn.Linear(n_features, 3),
        lambda: nn.LazyLinear(3),
    ],
    ids=["class", "instance", "function of n_features", "function"],
)
def test_modules(module: Any) -> None:
    model = fitted(module)
    assert model.score(X, Y) > 0.8
    assert model.predict_proba(X).shape == (len(X), 3)
    assert isinstance(model.module_, nn.Module)
    assert all(p.dtype == tapegrad.float64 for p in model.module_.parameters())


def test_an_instance_stays_as_it_is() -> None:
    module = nn.Linear(4, 3)
    before = module.weight.detach().clone()
    first, second = fitted(module), fitted(module)
    assert module.weight.equal(before)
    assert first.module_.weight.equal(second.module_.weight)
    assert not first.module_.weight.float().equal(before)


def test_parameters_of_the_module() -> None:
    model = NeuralClassifier(Network, module__hidden=3)
    assert model.get_params()["module__hidden"] == 3
    assert clone(model.set_params(module__hidden=5, module__p=0.5)).get_params()["module__p"] == 0.5
    assert "module__hidden=5" in repr(model)
    model.set_params(max_iter=1).fit(X, Y)
    assert model.module_[0].out_features == 5
    search = GridSearchCV(
        make_pipeline(StandardScaler(), NeuralClassifier(Network, max_iter=2, random_state=0)),
        {"neuralclassifier__module__hidden": [2, 4]},
        cv=2,
    ).fit(X, Y)
    best = search.best_params_["neuralclassifier__module__hidden"]
    assert search.best_estimator_[-1].module_[0].out_features == best


@pytest.mark.parametrize("labels", [(False, True), ("ham", "spam")])
@pytest.mark.parametrize("module", [OneScore, Network, lambda: nn.LazyLinear(1)])
def test_two_classes_have_one_score_or_two(module: Any, labels: tuple[Any, Any]) -> None:
    y = np.array(labels)[(Y == 2).astype(int)]
    model = fitted(module, X, y)
    assert model.score(X, y) > 0.9
    assert model.predict_proba(X).shape == (len(X), 2)
    np.testing.assert_allclose(model.predict_log_proba(X), np.log(model.predict_proba(X)))


def test_several_labels() -> None:
    labels = np.c_[Y == 0, Y > 0, X[:, 0] > 0].astype(int)
    model = fitted(Network, X, labels)
    assert (model.predict(X) == labels).mean() > 0.9


@pytest.mark.parametrize("module", [OneScore, nn.Linear(4, 1), Network])
def test_regressors(module: Any) -> None:
    y = NUMBERS if module is Network else NUMBERS[:, 0]
    for options in ({"solver": "lbfgs"}, {"learning_rate_init": 0.05, "max_iter": 300}):
        model = NeuralRegressor(module, random_state=0, **options).fit(X, y)
        assert model.predict(X).shape == y.shape
        assert model.score(X, y) > 0.9


def test_images() -> None:
    x, y = datasets.load_digits(return_X_y=True)
    images = (x / 16).reshape(-1, 1, 8, 8).astype(np.float32)[:600]
    module = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(10))
    model = fitted(module, images, y[:600], max_iter=8, solver="adamw", max_grad_norm=1.0)
    assert model.score(images, y[:600]) > 0.9
    assert model.predict_proba(images).dtype == np.float32


def test_modules_that_change_their_input_leave_the_data_alone() -> None:
    module = nn.Sequential(nn.ReLU(inplace=True), nn.Linear(4, 3))
    before = X.copy()
    model = fitted(module, shuffle=False, max_iter=2)
    model.predict(X)
    np.testing.assert_array_equal(X, before)


def test_random_state_covers_parameters_and_dropout() -> None:
    state = tapegrad.get_rng_state()
    models = [fitted(Network, module__p=0.5, max_iter=3, random_state=7) for _ in range(2)]
    assert models[0].loss_curve_ == models[1].loss_curve_
    assert tapegrad.get_rng_state().equal(state)
    assert fitted(Network, max_iter=3, random_state=8).loss_curve_ != models[0].loss_curve_


def test_follows_the_perceptron() -> None:
    """The same network in both ways is trained alike."""
    ours = MLPClassifier((16,), "tanh", random_state=0, shuffle=False, max_iter=5)
    ours.fit(X, Y)
    start = MLPClassifier((16,), "tanh", random_state=0, max_iter=1, learning_rate_init=1e-30)
    module = start.fit(X, Y).module_
    other = NeuralClassifier(module, shuffle=False, max_iter=5).fit(X, Y)
    np.testing.assert_allclose(other.loss_curve_, ours.loss_curve_, rtol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({}, TypeError, "module must be an nn.Module"),
        ({"module": 3}, TypeError, "module must be an nn.Module"),
        ({"module": dict}, TypeError, "has made no nn.Module, but dict"),
        ({"module": Network, "hidden": 3}, TypeError, "no parameter hidden"),
        ({"module": nn.Linear(4, 3), "module__bias": 1}, TypeError, "give its class"),
        ({"module": nn.Linear(4, 2)}, ValueError, "has 2 outputs, but 3 are needed"),
        ({"module": nn.Unflatten(1, (2, 2))}, ValueError, r"shape \(n, 2, 2\)"),
    ],
    ids=repr,
)
def test_modules_that_do_not_fit(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        NeuralClassifier(**arguments).fit(X, Y)


def test_unknown_parameters_are_refused() -> None:
    with pytest.raises(ValueError, match="Invalid parameter 'hidden'"):
        NeuralClassifier(Network).set_params(hidden=3)
