"""Estimators in files, in worker processes and threads, and on a cluster of dask."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn", minversion="1.6")

import joblib
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV

import tapegrad
from tapegrad import nn
from tapegrad.sklearn import MLPClassifier, MLPRegressor, NeuralClassifier

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = load_iris(return_X_y=True)


class Network(nn.Sequential):
    def __init__(self, n_features: int, n_outputs: int) -> None:
        super().__init__(nn.Linear(n_features, 8), nn.Dropout(0.2), nn.Linear(8, n_outputs))


def estimators() -> list[Any]:
    return [
        MLPClassifier(max_iter=4, random_state=0, dropout=0.2, batch_norm=True),
        MLPRegressor(max_iter=4, random_state=0, solver="sgd", learning_rate_init=1e-4),
        NeuralClassifier(Network, max_iter=4, random_state=0),
    ]


@pytest.mark.parametrize("estimator", estimators(), ids=lambda each: type(each).__name__)
def test_files(estimator: Any, tmp_path: Path) -> None:
    estimator.fit(X, Y)
    joblib.dump(estimator, tmp_path / "model")
    copies = [
        pickle.loads(pickle.dumps(estimator)),
        joblib.load(tmp_path / "model"),
        joblib.load(tmp_path / "model", mmap_mode="r"),  # memory that must not be written to
    ]
    for copy in copies:
        np.testing.assert_array_equal(copy.predict(X), estimator.predict(X))
    assert clone(estimator).get_params() == clone(copies[0]).get_params()
    estimator.partial_fit(X, Y)
    for copy in copies:  # training goes on where it was
        copy.partial_fit(X, Y)
        assert copy.loss_ == estimator.loss_
        np.testing.assert_array_equal(copy.predict(X), estimator.predict(X))


def test_files_have_the_weights_once() -> None:
    model = MLPClassifier((2000,), max_iter=1, solver="lbfgs").fit(X, Y)
    weights = sum(coef.nbytes for coef in model.coefs_)
    assert len(pickle.dumps(model)) < 1.5 * weights
    copy = pickle.loads(pickle.dumps(model))
    assert np.shares_memory(copy.coefs_[0], copy.module_[0].weight.detach().numpy())


def note_threads(estimator: Any) -> None:
    estimator.threads_ = tapegrad.get_num_threads()


def threads_of(estimator: Any, X: Any, y: Any) -> int:
    return int(estimator.threads_)


@pytest.mark.parametrize("backend", ["loky", "threading", "multiprocessing"])
@pytest.mark.parametrize("n_threads", [None, 3])
def test_one_thread_in_a_worker_unless_told_otherwise(backend: str, n_threads: int | None) -> None:
    before = tapegrad.get_num_threads()
    model = MLPClassifier(max_iter=2, callbacks=[note_threads], n_threads=n_threads)
    search = GridSearchCV(model, {"alpha": [0.1, 1.0]}, cv=2, scoring=threads_of, n_jobs=2)
    with joblib.parallel_backend(backend):
        search.fit(X, Y)
    counts = [search.cv_results_[f"split{split}_test_score"] for split in (0, 1)]
    assert np.all(np.array(counts) == (n_threads or 1))
    assert search.best_estimator_.threads_ == (n_threads or before)
    assert tapegrad.get_num_threads() == before


def test_searches_give_the_same_bits_however_they_run() -> None:
    found = []
    for backend, n_jobs in (("loky", 1), ("loky", 2), ("threading", 2)):
        model = NeuralClassifier(Network, max_iter=3, random_state=0)
        search = GridSearchCV(model, {"alpha": [0.1, 1.0]}, cv=2, n_jobs=n_jobs)
        with joblib.parallel_backend(backend):
            search.fit(X, Y)
        found.append([search.cv_results_["mean_test_score"], search.predict_proba(X)])
    for other in found[1:]:
        np.testing.assert_array_equal(other[0], found[0][0])
        np.testing.assert_array_equal(other[1], found[0][1])


def test_threads_that_train_at_once_keep_apart() -> None:
    """Masks of dropout come from one generator, and are as if each thread were alone."""
    alone = [MLPClassifier(dropout=0.5, max_iter=20, random_state=i).fit(X, Y) for i in (0, 1)]
    beside: dict[int, Any] = {}

    def train(seed: int) -> None:
        beside[seed] = MLPClassifier(dropout=0.5, max_iter=20, random_state=seed).fit(X, Y)

    threads = [threading.Thread(target=train, args=(seed,)) for seed in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed in (0, 1):
        assert beside[seed].loss_curve_ == alone[seed].loss_curve_


@pytest.mark.slow
def test_dask() -> None:
    distributed = pytest.importorskip("dask.distributed")
    search = GridSearchCV(MLPClassifier(max_iter=3, random_state=0), {"alpha": [0.1, 1.0]}, cv=2)
    here = clone(search).fit(X, Y)
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        with joblib.parallel_backend("dask"):
            there = clone(search).set_params(n_jobs=-1).fit(X, Y)
        pids = client.run(os.getpid)
        threads = client.run(tapegrad.get_num_threads)
    assert len({os.getpid(), *pids.values()}) == 3
    assert set(threads.values()) == {1}
    for key in ("mean_test_score", "params"):
        np.testing.assert_array_equal(there.cv_results_[key], here.cv_results_[key])
    np.testing.assert_array_equal(there.best_estimator_.coefs_[0], here.best_estimator_.coefs_[0])


def run(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_imported_when_used() -> None:
    assert run("import sys, tapegrad; print('sklearn' in sys.modules)") == "False"


@pytest.mark.parametrize(
    ("version", "message"),
    [
        ("None", "tapegrad.sklearn needs the package scikit-learn: pip install tapegrad[sklearn]"),
        (
            "type('Module', (), {'__version__': '1.5.2'})",
            "tapegrad.sklearn needs scikit-learn 1.6 or newer, not 1.5.2: "
            "pip install tapegrad[sklearn]",
        ),
    ],
)
def test_says_what_is_missing(version: str, message: str) -> None:
    program = f"""
import sys
sys.modules["sklearn"] = {version}
try:
    import tapegrad.sklearn
except ImportError as error:
    print(error)
"""
    assert run(program) == message
