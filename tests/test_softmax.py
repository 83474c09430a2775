"""softmax, log_softmax, cross-entropy: kernels take short rows several at a time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import tapegrad as tg
from op_reference import cross_entropy, log_softmax
from support import array, tolerance

F = tg.nn.functional
CLASSES = [1, 2, 3, 10, 16, 17, 64, 65]
ROWS = [1, 3, 4, 15, 16, 17, 33]
DTYPES = ["float32", "float64"]


def logits(rows: int, classes: int, dtype: str) -> np.ndarray:
    x = np.random.default_rng(rows * 100 + classes).normal(size=(rows, classes)) * 5
    return x.astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("classes", CLASSES)
@pytest.mark.parametrize("rows", ROWS)
def test_values(rows: int, classes: int, dtype: str) -> None:
    x = logits(rows, classes, dtype)
    want = log_softmax(x.astype(np.float64))
    rtol, atol = tolerance(dtype)
    got = tg.from_numpy(x)
    np.testing.assert_allclose(array(F.log_softmax(got, 1)), want, rtol, 10 * atol)
    np.testing.assert_allclose(array(F.softmax(got, 1)), np.exp(want), rtol, atol)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
@pytest.mark.parametrize("classes", CLASSES)
@pytest.mark.parametrize("rows", ROWS)
def test_cross_entropy(
    rows: int, classes: int, smoothing: float, weighted: bool, dtype: str
) -> None:
    x = logits(rows, classes, dtype)
    random = np.random.default_rng(classes)
    target = random.integers(0, classes, rows)
    ignored = np.arange(rows) % 5 == 4
    target[ignored] = -100
    weight = random.uniform(0.5, 2, classes).astype(dtype) if weighted else np.ones(classes, dtype)

    exact = x.astype(np.float64)
    goal = np.full((rows, classes), smoothing / classes) * weight
    goal[~ignored, target[~ignored]] += (1 - smoothing) * weight[target[~ignored]]
    goal[ignored] = 0
    losses = cross_entropy(exact, target, weight, reduction="none", label_smoothing=smoothing)
    slopes = np.exp(log_softmax(exact)) * goal.sum(1, keepdims=True) - goal

    leaf = tg.from_numpy(x.copy()).requires_grad_()
    got = F.cross_entropy(
        leaf,
        tg.from_numpy(target),
        tg.from_numpy(weight) if weighted else None,
        reduction="none",
        label_smoothing=smoothing,
    )
    got.sum().backward()
    rtol, atol = tolerance(dtype)
    np.testing.assert_allclose(array(got), losses, rtol, 10 * atol)
    np.testing.assert_allclose(array(leaf.grad), slopes, rtol, 10 * atol)


@pytest.mark.parametrize("classes", [2, 10, 16, 20])
@pytest.mark.parametrize("function", ["softmax", "log_softmax", "cross_entropy"])
def test_special_values(function: str, classes: int) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch, the oracle, is not installed")
    x = np.zeros((8, classes), np.float32)
    x[1] = -math.inf
    x[2, 0], x[3, 1] = -math.inf, math.inf
    x[4] = math.nan
    x[5, 0], x[6, 1], x[7] = math.nan, 1e38, -3e38

    def run(lib: Any) -> tuple[np.ndarray, np.ndarray]:
        leaf = lib.from_numpy(x.copy()).requires_grad_()
        f = getattr(lib.nn.functional, function)
        if function == "cross_entropy":
            out = f(leaf, lib.ones(8, dtype=lib.int64), reduction="none")
        else:
            out = f(leaf, 1)
        out.sum().backward()
        return out.detach().numpy(), leaf.grad.numpy()

    for got, want in zip(run(tg), run(torch), strict=True):
        np.testing.assert_allclose(got, want, 1e-6, 1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("classes", [3, 16, 40])
def test_same_bits_at_any_number_of_threads(classes: int, dtype: str, threads: Any) -> None:
    rows = 400_003 // classes  # no multiple of the lanes of a pack
    x = logits(rows, classes, dtype)
    target = tg.arange(rows) % classes
    seen = []
    for count in (1, 2, 3, 5):
        threads(count)
        leaf = tg.from_numpy(x).requires_grad_()
        losses = F.cross_entropy(leaf, target, reduction="none")
        losses.sum().backward()
        results = (losses, leaf.grad, F.softmax(leaf, 1), F.log_softmax(leaf, 1))
        seen.append([array(each).tobytes() for each in results])
    assert all(each == seen[0] for each in seen)
