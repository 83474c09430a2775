"""MLPClassifier and MLPRegressor: scikit-learn's path, and what goes beyond it."""

from __future__ import annotations

import functools
import warnings
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn", minversion="1.6")

from sklearn import datasets, neural_network
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

import tapegrad
from tapegrad import nn, optim
from tapegrad.sklearn import Callback, MLPClassifier, MLPRegressor, ProgressBar

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = datasets.load_iris(return_X_y=True)
X = StandardScaler().fit_transform(X)
LABELS = np.c_[Y == 0, Y > 0, X[:, 0] > 0].astype(int)
NUMBERS = np.c_[2 * X[:, 0] + X[:, 1], np.sin(X[:, 2])]
WEIGHT = np.random.default_rng(0).random(len(X))
TARGETS = {
    "classes": Y,
    "two classes": np.where(Y == 1, 7, 3),
    "labels": LABELS,
    "one number": NUMBERS[:, 0],
    "numbers": NUMBERS,
    "counts": np.random.default_rng(0).poisson(np.exp(X[:, 0])),
}
OPTIONS: dict[str, dict[str, Any]] = {
    "adam": {"batch_size": 37},
    "sgd": {"solver": "sgd", "learning_rate_init": 0.05, "batch_size": 50},
    "momentum": {"solver": "sgd", "nesterovs_momentum": False, "learning_rate_init": 0.05},
    "no momentum": {"solver": "sgd", "momentum": 0, "activation": "logistic"},
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.05},
    "adaptive": {"solver": "sgd", "learning_rate": "adaptive", "tol": 0.01, "max_iter": 100},
    "early stopping": {"early_stopping": True, "n_iter_no_change": 3},
    "two layers": {"hidden_layer_sizes": (7, 5), "activation": "tanh"},
    "in order": {"shuffle": False, "alpha": 1.0, "batch_size": 16, "activation": "identity"},
    "lbfgs": {"solver": "lbfgs", "max_iter": 10},
}


def pair(kind: str, **options: Any) -> tuple[Any, Any]:
    """scikit-learn's estimator and ours."""
    name = "MLPRegressor" if kind in ("one number", "numbers", "counts") else "MLPClassifier"
    options = {"max_iter": 20, "random_state": 3, **options}
    if kind == "counts":
        options["loss"] = "poisson"
    ours = {"MLPRegressor": MLPRegressor, "MLPClassifier": MLPClassifier}[name]
    return getattr(neural_network, name)(**options), ours(**options)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("kind", "options"),
    # With several outputs, scikit-learn's gradient is not that of the loss it gives to L-BFGS.
    [(kind, name) for kind in TARGETS for name in OPTIONS if (kind, name) != ("numbers", "lbfgs")],
)
def test_follows_scikit_learn(kind: str, options: str, weighted: bool) -> None:
    if kind == "counts" or weighted:
        pytest.importorskip("sklearn", minversion="1.7")
    theirs, ours = pair(kind, **OPTIONS[options])
    weight = {"sample_weight": WEIGHT} if weighted else {}
    for estimator in (theirs, ours):
        estimator.fit(X, TARGETS[kind], **weight)
    close = functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-7)
    for name in ("coefs_", "intercepts_"):
        for their, our in zip(getattr(theirs, name), getattr(ours, name), strict=True):
            close(our, their)
    close(ours.loss_, theirs.loss_)
    assert (ours.n_iter_, ours.t_) == (theirs.n_iter_, theirs.t_)
    assert (ours.n_layers_, ours.n_outputs_) == (theirs.n_layers_, theirs.n_outputs_)
    assert ours.out_activation_ == theirs.out_activation_
    for name in ("loss_curve_", "validation_scores_", "best_loss_", "best_validation_score_"):
        if getattr(theirs, name, None) is not None:
            close(getattr(ours, name), getattr(theirs, name))
    if kind in ("classes", "two classes", "labels"):
        np.testing.assert_array_equal(ours.classes_, theirs.classes_)
        close(ours.predict_proba(X), theirs.predict_proba(X))
        close(ours.predict_log_proba(X), theirs.predict_log_proba(X), atol=1e-5)
        np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
        assert ours.predict(X).dtype == theirs.predict(X).dtype
    else:
        close(ours.predict(X), theirs.predict(X))


@pytest.mark.parametrize("kind", ["classes", "numbers"])
def test_partial_fit_and_warm_start_follow_scikit_learn(kind: str) -> None:
    for options in ({}, {"solver": "sgd", "learning_rate": "invscaling"}):
        first = {"classes": np.unique(Y)} if kind == "classes" else {}
        for method, kept in (("partial_fit", {}), ("fit", {"warm_start": True, "max_iter": 3})):
            pairs = pair(kind, **options, **kept)
            for estimator in pairs:
                more = first if method == "partial_fit" else {}
                for part in range(3):
                    getattr(estimator, method)(X[part::2], TARGETS[kind][part::2], **more)
            theirs, ours = pairs
            np.testing.assert_allclose(ours.coefs_[0], theirs.coefs_[0], rtol=1e-7)
            assert ours.t_ == theirs.t_


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("form", ["csr_matrix", "csc_array"])
def test_sparse_input_gives_what_dense_gives(form: str, solver: str) -> None:
    sparse = pytest.importorskip("scipy.sparse")
    sparse_X = getattr(sparse, form)(np.where(np.abs(X) < 0.5, 0, X))
    dense, other = (MLPClassifier(random_state=0, max_iter=5, solver=solver) for _ in range(2))
    dense.fit(sparse_X.toarray(), Y)
    other.fit(sparse_X, Y)
    np.testing.assert_allclose(dense.coefs_[0], other.coefs_[0], rtol=1e-12)
    np.testing.assert_array_equal(dense.predict(sparse_X.toarray()), other.predict(sparse_X))


def test_sparse_labels() -> None:
    sparse = pytest.importorskip("scipy.sparse")
    model = MLPClassifier(random_state=0, max_iter=200, learning_rate_init=0.01)
    found = model.fit(X, sparse.csr_matrix(LABELS)).predict(X)
    assert sparse.issparse(found)
    assert (found.toarray() == LABELS).mean() > 0.9


def test_lbfgs_converges_with_several_outputs() -> None:
    options = {"solver": "lbfgs", "max_iter": 100, "random_state": 0}
    ours = MLPRegressor(**options).fit(X, NUMBERS)
    with threadpool_limits(1):
        theirs = neural_network.MLPRegressor(**options).fit(X, NUMBERS)
    assert ours.score(X, NUMBERS) > theirs.score(X, NUMBERS) - 1e-3


# ------------------------------------------------------------------ the same bits


@pytest.mark.parametrize(
    "options",
    [{}, {"dropout": 0.3, "batch_norm": True}, {"solver": "lbfgs"}, {"activation": nn.RReLU}],
    ids=repr,
)
def test_random_state_gives_the_same_bits(options: dict[str, Any]) -> None:
    tapegrad.manual_seed(1)
    state = tapegrad.get_rng_state()
    models = []
    for threads in (1, 2, None):
        options = {**options, "n_threads": threads}
        models.append(MLPClassifier(random_state=5, max_iter=10, **options).fit(X, Y))
    for model in models[1:]:
        for name, values in model.module_.state_dict().items():
            assert values.equal(models[0].module_.state_dict()[name])
    assert tapegrad.get_rng_state().equal(state), "the user's generator has been drawn from"


def test_masks_of_dropout_differ_between_calls_of_partial_fit() -> None:
    model = MLPRegressor(dropout=0.5, random_state=0, learning_rate_init=1e-30)
    losses = [model.partial_fit(X, NUMBERS).loss_ for _ in range(3)]
    assert len(set(losses)) == 3


# ------------------------------------------------------------------ beyond scikit-learn


def activations() -> list[Any]:
    apart = ("Softmax2d", "Threshold")  # for images; without defaults
    names = [name for name in nn.modules.activation.__all__ if name not in apart]
    return [*names, "leaky_relu", nn.PReLU, nn.Threshold(0.1, 0.0), tapegrad.sin]


@pytest.mark.parametrize("activation", activations(), ids=str)
def test_activations(activation: Any) -> None:
    model = MLPClassifier((16,), activation, random_state=0, max_iter=3)
    losses = model.fit(X, Y).loss_curve_
    assert losses[-1] < losses[0] or activation == "Hardshrink"
    assert clone(model).fit(X, Y).loss_curve_ == losses


OTHER_ARGUMENTS = {
    "CTCLoss",
    "CosineEmbeddingLoss",
    "GaussianNLLLoss",
    "MarginRankingLoss",
    "TripletMarginLoss",
    "TripletMarginWithDistanceLoss",
}
FOR_NUMBERS = {"MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss"}
AMONG_CLASSES = {
    "CrossEntropyLoss",
    "NLLLoss",
    "MultiMarginLoss",
    "KLDivLoss",
    "MultiLabelMarginLoss",
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", ["classes", "two classes", "labels"])
@pytest.mark.parametrize("loss", sorted(set(nn.modules.loss.__all__) - OTHER_ARGUMENTS))
def test_losses_of_classes(loss: str, kind: str, weighted: bool) -> None:
    model = MLPClassifier(loss=loss, random_state=0, max_iter=60, learning_rate_init=0.01)
    weight = WEIGHT if weighted else None
    if kind == "labels" and loss in AMONG_CLASSES:
        with pytest.raises(ValueError, match="not for several labels"):
            model.fit(X, TARGETS[kind])
        return
    model.fit(X, TARGETS[kind], sample_weight=weight)
    assert model.score(X, TARGETS[kind]) > 0.8
    rows = model.predict_proba(X).sum(axis=1)
    assert kind == "labels" or np.allclose(rows, 1)


@pytest.mark.parametrize("loss", [*sorted(FOR_NUMBERS), "huber", nn.HuberLoss(delta=0.5)], ids=str)
def test_losses_of_numbers(loss: Any) -> None:
    model = MLPRegressor(loss=loss, random_state=0, max_iter=100, learning_rate_init=0.01)
    assert model.fit(X, NUMBERS, sample_weight=WEIGHT).score(X, NUMBERS) > 0.9


def test_losses_that_are_functions() -> None:
    def focal(out: Any, target: Any) -> Any:
        losses = -((1 - out.softmax(1)) ** 2) * out.log_softmax(1)
        return losses.gather(1, target[:, None])

    model = MLPClassifier(loss=focal, random_state=0, learning_rate_init=0.01)
    assert model.fit(X, Y, sample_weight=WEIGHT).score(X, Y) > 0.9
    mean = MLPRegressor(loss=lambda out, target: ((out - target) ** 4).mean(), random_state=0)
    mean.fit(X, NUMBERS)
    with pytest.raises(ValueError, match="one number for a batch"):
        mean.fit(X, NUMBERS, sample_weight=WEIGHT)


@pytest.mark.parametrize("loss", sorted(OTHER_ARGUMENTS))
def test_losses_that_take_other_arguments_say_so(loss: str) -> None:
    with pytest.raises(ValueError, match="other arguments than outputs and targets"):
        MLPClassifier(loss=loss).fit(X, Y)


def test_losses_for_other_targets_say_so() -> None:
    with pytest.raises(ValueError, match="for classes, not for numbers"):
        MLPRegressor(loss="cross_entropy").fit(X, NUMBERS)
    with pytest.raises(ValueError, match="for numbers, not for classes"):
        MLPClassifier(loss="poisson").fit(X, Y)


@pytest.mark.parametrize(
    "options",
    [
        {"layer_norm": True},
        {"batch_norm": True},
        {"batch_norm": True, "batch_size": 149},  # the last batch would have one sample
        {"dropout": 0.2},
        {"solver": "adamw", "weight_decay": 0.1},
        {"solver": optim.RMSprop},
        {"solver": functools.partial(optim.SGD, momentum=0.9), "learning_rate_init": 0.05},
        {"max_grad_norm": 0.1},
        {"learning_rate": "cosine"},
        {"learning_rate": functools.partial(optim.lr_scheduler.StepLR, step_size=50)},
        {"learning_rate": optim.lr_scheduler.ReduceLROnPlateau, "early_stopping": True},
        {"dtype": "float32"},
        {"dtype": tapegrad.float32},
        {"class_weight": "balanced"},
    ],
    ids=repr,
)
def test_options(options: dict[str, Any]) -> None:
    options = {"learning_rate_init": 0.01, "random_state": 0, **options}
    model = MLPClassifier(**options).fit(X, Y)
    assert model.score(X, Y) > 0.9
    assert clone(model).fit(X, Y).loss_curve_ == model.loss_curve_
    dtype = np.float32 if "dtype" in options else np.float64
    assert all(coef.dtype == dtype for coef in model.coefs_)


def test_norms_and_dropout_are_layers() -> None:
    model = MLPClassifier((8, 4), batch_norm=True, dropout=0.5, max_iter=1).fit(X, Y)
    kinds = [type(layer).__name__ for layer in model.module_]
    hidden = ["Linear", "BatchNorm1d", "ReLU", "Dropout"]
    assert kinds == [*hidden, *hidden, "Linear"]
    np.testing.assert_array_equal(model.predict_proba(X), model.predict_proba(X))  # no dropout


def test_gradients_are_clipped() -> None:
    options = {"solver": "sgd", "momentum": 0, "alpha": 0, "max_iter": 1, "random_state": 0}
    start = MLPRegressor(**options, learning_rate_init=1e-30).fit(X, NUMBERS * 100)
    end = MLPRegressor(**options, learning_rate_init=1, max_grad_norm=0.5).fit(X, NUMBERS * 100)
    pairs = zip(start.coefs_ + start.intercepts_, end.coefs_ + end.intercepts_, strict=True)
    assert np.sqrt(sum(((a - b) ** 2).sum() for a, b in pairs)) == pytest.approx(0.5)


def test_class_weight_is_a_weight_of_samples() -> None:
    weights = {0: 1.0, 1: 5.0, 2: 0.5}
    by_class = MLPClassifier(class_weight=weights, random_state=0, max_iter=5).fit(X, Y)
    by_sample = MLPClassifier(random_state=0, max_iter=5)
    by_sample.fit(X, Y, sample_weight=np.array([weights[label] for label in Y]))
    np.testing.assert_array_equal(by_class.coefs_[0], by_sample.coefs_[0])
    with pytest.raises(ValueError, match="balanced"):
        MLPClassifier(class_weight="balanced").partial_fit(X, Y, classes=np.unique(Y))


def test_weights_that_are_all_zero_are_refused() -> None:
    with pytest.raises(ValueError, match="zero"):
        MLPClassifier().fit(X, Y, sample_weight=np.zeros(len(X)))


def test_coefs_are_the_network() -> None:
    model = MLPClassifier(max_iter=2, random_state=0).fit(X, Y)
    for coef, intercept in zip(model.coefs_, model.intercepts_, strict=True):
        coef *= 0
        intercept[:] = 0
    np.testing.assert_allclose(model.predict_proba(X), 1 / 3)
    model.intercepts_[1] = np.array([0.0, 0.0, 9.0])  # others in their place
    assert (model.predict(X) == 2).all()
    before = model.intercepts_[1].copy()
    model.partial_fit(X, Y)
    assert 0 < np.abs(model.intercepts_[1] - before).max() < 0.1


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"solver": "newton"}, ValueError),
        ({"activation": "reulu"}, ValueError),
        ({"loss": "logg_loss"}, ValueError),
        ({"loss": 3}, ValueError),
        ({"alpha": -1}, ValueError),
        ({"dropout": 1.0}, ValueError),
        ({"dropout": 0.5, "solver": "lbfgs"}, ValueError),
        ({"batch_norm": True, "layer_norm": True}, ValueError),
        ({"hidden_layer_sizes": (5, 0)}, ValueError),
        ({"learning_rate": "fast"}, ValueError),
        ({"dtype": "int8"}, ValueError),
        ({"n_threads": 0}, ValueError),
        ({"batch_size": 0}, ValueError),
        ({"max_iter": 2.5}, TypeError),
        ({"callbacks": 3}, TypeError),
    ],
    ids=repr,
)
def test_wrong_parameters_are_refused(options: dict[str, Any], error: type[Exception]) -> None:
    model = MLPClassifier(max_iter=2).fit(X, Y)
    before = model.coefs_[0].copy()
    model.set_params(**options)
    with pytest.raises(error):
        model.fit(X, Y)
    np.testing.assert_array_equal(model.coefs_[0], before)


# ------------------------------------------------------------------ while training


class Recorder(Callback):
    def __init__(self) -> None:
        self.calls: list[str] = []

    def on_fit_begin(self, estimator: Any) -> None:
        self.calls.append("begin")

    def on_batch_end(self, estimator: Any, loss: float) -> None:
        assert loss > 0
        self.calls.append("batch")

    def on_epoch_end(self, estimator: Any) -> bool:
        assert len(estimator.loss_curve_) == estimator.n_iter_
        self.calls.append("epoch")
        return estimator.n_iter_ == 2

    def on_fit_end(self, estimator: Any) -> None:
        self.calls.append("end")


def test_callbacks() -> None:
    recorder, losses = Recorder(), []
    callbacks = [recorder, lambda estimator: losses.append(estimator.loss_)]
    model = MLPClassifier(batch_size=75, callbacks=callbacks, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)  # it has been stopped
        model.fit(X, Y)
    assert recorder.calls == ["begin", *["batch", "batch", "epoch"] * 2, "end"]
    assert losses == model.loss_curve_


def test_callbacks_stop_lbfgs() -> None:
    model = MLPClassifier(solver="lbfgs", random_state=0, callbacks=[lambda e: e.n_iter_ == 3])
    assert model.fit(X, Y).n_iter_ == 3
    assert len(model.loss_curve_) == 3
    assert model.loss_ == pytest.approx(model.loss_curve_[-1])


class Terminal:
    def __init__(self) -> None:
        self.text = ""

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None: ...


def test_progress_bar_on_a_terminal() -> None:
    out = Terminal()
    bar = ProgressBar(width=10, file=out)  # type: ignore[arg-type]
    MLPClassifier(max_iter=4, callbacks=[bar], early_stopping=True).fit(X, Y)
    lines = out.text.split("\r")
    assert len(lines) == 5
    assert lines[2].startswith("Iteration 2/4 [#####.....] loss = ")
    assert "validation score = " in lines[2]
    assert "s left" in lines[2]
    assert out.text.endswith("\n")


def test_verbose_says_why_it_stops(capsys: pytest.CaptureFixture[str]) -> None:
    MLPClassifier(verbose=True, tol=10, n_iter_no_change=2, random_state=0).fit(X, Y)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Iteration 1, loss = ")
    assert lines[-1].endswith("for 2 consecutive epochs. Stopping.")


def test_plot_loss_curve() -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    model = MLPClassifier(max_iter=4, early_stopping=True).fit(X, Y)
    axes = model.plot_loss_curve()
    (line,) = axes.get_lines()
    np.testing.assert_array_equal(line.get_ydata(), model.loss_curve_)
    assert axes is model.plot_loss_curve(axes)


# ------------------------------------------------------------------ accuracy


def california(n: int = 1000) -> tuple[np.ndarray, np.ndarray]:
    """Numbers like those of the Californian houses: skewed, bent, capped."""
    random = np.random.default_rng(0)
    x = random.standard_normal((n, 8))
    y = np.exp(0.6 * x[:, 0] - 0.1 * x[:, 1]) + 0.5 * np.sin(2 * x[:, 6]) * np.cos(2 * x[:, 7])
    y += 0.3 * np.maximum(x[:, 2], 0) - 0.1 * x[:, 3] * x[:, 4] + 0.2 * random.standard_normal(n)
    return x, np.minimum(y, 5)


DATA = {
    "digits": lambda: datasets.load_digits(return_X_y=True),
    "wine": lambda: datasets.load_wine(return_X_y=True),
    "breast cancer": lambda: datasets.load_breast_cancer(return_X_y=True),
    "diabetes": lambda: datasets.load_diabetes(return_X_y=True),
    "california": california,
}


@pytest.mark.parametrize("name", DATA)
def test_as_accurate_as_scikit_learn(name: str) -> None:
    x, y = DATA[name]()
    kind = "one number" if name in ("diabetes", "california") else "classes"
    scores = []
    for seed in range(10):
        parts = train_test_split(x, y, random_state=seed)
        scale = StandardScaler().fit(parts[0])
        train, test = scale.transform(parts[0]), scale.transform(parts[1])
        models = pair(kind, max_iter=10, learning_rate_init=0.01, random_state=seed)
        with threadpool_limits(1):  # of scikit-learn's BLAS, which waits long on a busy machine
            scores.append([m.fit(train, parts[2]).score(test, parts[3]) for m in models])
    theirs, ours = np.mean(scores, axis=0)
    assert ours >= theirs - 1e-9
