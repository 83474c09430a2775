"""Several Python threads, forked children, and modes that belong to one thread."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import tapegrad as tg
from support import array


def together(work: Callable[[int], Any], threads: int = 4) -> list:
    """Run work(k) in several threads that start at the same moment."""
    gate = threading.Barrier(threads)

    def run(k: int) -> Any:
        gate.wait()
        return work(k)

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(run, range(threads)))


def test_own_graphs() -> None:
    def work(k: int) -> list:
        w = tg.full((64, 64), 0.01 * (k + 1), requires_grad=True)
        for _ in range(30):
            loss = ((w @ w).tanh() ** 2).sum()
            (g,) = tg.autograd.grad(loss, w)
            with tg.no_grad():
                w -= 0.01 * g
        return array(w)

    alone = [work(k) for k in range(4)]
    for a, b in zip(together(work), alone, strict=True):
        np.testing.assert_array_equal(a, b)


def test_shared_leaf_loses_no_gradient() -> None:
    x = tg.zeros(1000, requires_grad=True)

    def work(k: int) -> None:
        for _ in range(50):
            (x * (k + 1)).sum().backward()

    together(work)
    assert x.grad.tolist() == [50.0 * (1 + 2 + 3 + 4)] * 1000


def test_one_graph_run_by_several_threads() -> None:
    x = tg.ones(100, dtype=tg.float64, requires_grad=True)
    y = (x.exp() * x).sum()

    def work(_: int) -> Any:
        return tg.autograd.grad(y, x, retain_graph=True)[0]

    want = 2 * np.e
    for g in together(work):
        np.testing.assert_allclose(array(g), want)


def test_grad_mode_belongs_to_a_thread() -> None:
    x = tg.ones(1, requires_grad=True)

    def work(k: int) -> list:
        seen = [tg.is_grad_enabled()]
        for _ in range(200):
            with tg.set_grad_enabled(k % 2 == 0):
                seen.append((x * 2).requires_grad == (k % 2 == 0))
        return seen

    with tg.no_grad():
        assert all(all(seen) for seen in together(work))
        assert not tg.is_grad_enabled()


def test_exception_in_one_thread_leaves_the_others_alone() -> None:
    def work(k: int) -> float:
        x = tg.ones(10, requires_grad=True)
        if k == 1:
            with pytest.raises(RuntimeError):
                (x * 2).backward()
        (x * 2).sum().backward()
        return x.grad.sum().item()

    assert together(work) == [20.0] * 4


def test_kernels_in_parallel_give_the_same_bits() -> None:
    tg.manual_seed(0)
    a, b = tg.randn(300, 400), tg.randn(400, 500)
    want = array((a @ b).softmax(1).sum(0))
    for got in together(lambda _: array((a @ b).softmax(1).sum(0))):
        np.testing.assert_array_equal(got, want)


def test_tensor_dies_in_another_thread() -> None:
    made = [(tg.ones(100, requires_grad=True) * k).sum() for k in range(200)]

    def work(k: int) -> None:
        for i in range(k, 200, 4):
            made[i].backward()
            made[i] = None

    together(work)
    assert made == [None] * 200


def test_generators_in_threads() -> None:
    def work(k: int) -> Any:
        g = tg.Generator().manual_seed(k)
        return array(tg.randn(5000, generator=g))

    alone = [work(k) for k in range(4)]
    for a, b in zip(together(work), alone, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.skipif(tg.__name__ != "tapegrad", reason="PyTorch does not promise it")
def test_forked_child_does_not_hang() -> None:
    """OpenMP's threads do not survive a fork; the child computes serially."""
    program = """
import os, sys, tapegrad as tg
tg.set_num_threads(2)
tg.manual_seed(0)
x = tg.randn(1000, 1000, requires_grad=True)
def work():
    y = (x @ x * 1e-3).exp().mean()
    return tg.autograd.grad(y, x)[0].sum().item()
before = work()
child = os.fork()
if child == 0:
    os._exit(0 if work() == before else 3)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    done = subprocess.run([sys.executable, "-c", program], timeout=60, check=False)
    assert done.returncode == 0


def test_number_of_threads() -> None:
    before = tg.get_num_threads()
    assert before >= 1
    try:
        tg.set_num_threads(3)
        assert tg.get_num_threads() == 3
    finally:
        tg.set_num_threads(before)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
def test_affinity_is_respected() -> None:
    program = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); "
        "import tapegrad; print(tapegrad.get_num_threads())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "1"


@pytest.mark.parametrize("variable", ["OMP_NUM_THREADS"])
def test_thread_count_from_the_environment(variable: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import tapegrad; print(tapegrad.get_num_threads())"],
        env={**os.environ, variable: "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "1"
