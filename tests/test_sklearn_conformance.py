"""scikit-learn's own checks of estimators, and its own tests of its multi-layer perceptron."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("sklearn", minversion="1.6")

import sklearn
from sklearn.exceptions import SkipTestWarning
from sklearn.utils.estimator_checks import check_estimator

from tapegrad import nn
from tapegrad.sklearn import MLPClassifier, MLPRegressor, NeuralClassifier, NeuralRegressor

# Tests that are left out, each with the private names of scikit-learn's classes that it calls.
LEFT_OUT = {
    "test_gradient": "_loss_grad_lbfgs, with lists of arrays that its backpropagation fills",
}
SWAPPED = ("from sklearn.neural_network import MLP", "from tapegrad.sklearn import MLP")


class Network(nn.Sequential):
    def __init__(self, n_features: int, n_outputs: int, hidden: int = 32) -> None:
        super().__init__(nn.Linear(n_features, hidden), nn.Tanh(), nn.Linear(hidden, n_outputs))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "estimator",
    [MLPClassifier(), MLPRegressor(), NeuralClassifier(Network), NeuralRegressor(Network)],
    ids=lambda estimator: type(estimator).__name__,
)
def test_check_estimator(estimator: object) -> None:
    with pytest.warns(SkipTestWarning):  # array API input, decision functions: not ours
        check_estimator(estimator)


@pytest.mark.slow
def test_scikit_learns_tests(tmp_path: Path) -> None:
    source = Path(sklearn.__file__).parent / "neural_network/tests/test_mlp.py"
    if not source.exists():
        pytest.skip("this scikit-learn is installed without its tests")
    text = source.read_text()
    assert text.count(SWAPPED[0]) == 1
    (tmp_path / "test_mlp.py").write_text(text.replace(*SWAPPED))
    (tmp_path / "conftest.py").write_text("from sklearn.conftest import *\n")
    left_out = [f"--deselect=test_mlp.py::{name}" for name in LEFT_OUT]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *left_out],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert f"{len(LEFT_OUT)} deselected" in done.stdout
