"""Several Python threads, forked children, and modes that belong to one thread."""

from __future__ import annotations

import os
import shutil
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


# ---------------------------------------------------------------- settings at the start


def count_in_a_new_process(before_import: str = "", **environment: str) -> int:
    kept = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"{before_import}\nimport tapegrad as t; print(t.get_num_threads())",
        ],
        env={**kept, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)


@pytest.mark.parametrize("variable", ["TAPEGRAD_NUM_THREADS", "OMP_NUM_THREADS"])
@pytest.mark.parametrize("count", [1, 3])
def test_thread_count_from_the_environment(variable: str, count: int) -> None:
    assert count_in_a_new_process(**{variable: str(count)}) == count


def test_own_variable_comes_before_that_of_openmp() -> None:
    assert count_in_a_new_process(TAPEGRAD_NUM_THREADS="3", OMP_NUM_THREADS="5") == 3


@pytest.mark.parametrize("text", ["", "0", "-2", "many"])
def test_a_variable_without_a_number_is_ignored(text: str) -> None:
    assert count_in_a_new_process(TAPEGRAD_NUM_THREADS=text) == count_in_a_new_process()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
def test_affinity_is_respected() -> None:
    pin = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})"
    assert count_in_a_new_process(pin) == 1
    # Who asks for a number gets it.
    assert count_in_a_new_process(pin, TAPEGRAD_NUM_THREADS="2") == 2
    assert count_in_a_new_process() <= len(os.sched_getaffinity(0))


def with_cpu_quota(quota: str, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command that sees `quota` as the limit of its control group."""
    script = 'mount -t tmpfs none /sys/fs/cgroup && echo "$0" > /sys/fs/cgroup/cpu.max && exec "$@"'
    spaces = ["unshare", "--user", "--map-root-user", "--mount"]
    kept = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    return subprocess.run(
        [*spaces, "sh", "-c", script, quota, *command],
        env=kept,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs Linux's namespaces")
def test_quota_of_the_control_group_is_respected() -> None:
    if with_cpu_quota("max 100000", "true").returncode:
        pytest.skip("namespaces are not allowed here")
    free = count_in_a_new_process()
    program = "import tapegrad; print(tapegrad.get_num_threads())"
    for quota, limit in (
        ("50000 100000", 1),
        ("100000 100000", 1),
        ("150000 100000", 2),
        ("max 100000", free),
    ):
        done = with_cpu_quota(quota, sys.executable, "-c", program)
        assert done.returncode == 0, done.stderr
        assert int(done.stdout) == min(free, limit), quota


# ---------------------------------------------------------------- forked children

forks = pytest.mark.skipif(
    not hasattr(os, "fork") or tg.__name__ != "tapegrad", reason="PyTorch does not promise it"
)

TRAINING = """
import os, signal, sys, threading, tapegrad as tg
from tapegrad import nn
tg.set_num_threads(2)

def train():
    tg.manual_seed(0)
    net = nn.Sequential(nn.Linear(100, 400), nn.Tanh(), nn.Linear(400, 10))
    optimizer = tg.optim.Adam(net.parameters(), lr=1e-2)
    x, y = tg.randn(512, 100), tg.randint(0, 10, (512,))
    for _ in range(5):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
    return loss.item(), [p.sum().item() for p in net.parameters()]

def status(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
"""


def run_program(text: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", TRAINING + text],
        timeout=120,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@forks
def test_forked_children_train_and_end_as_usual() -> None:
    """To the same numbers, and Python's end runs its exit handlers; so do their children."""
    run_program("""
before = train()
for generation in range(3):
    child = os.fork()
    if child:
        code = status(child)
        if generation == 0:
            assert train() == before
        sys.exit(code)
    signal.alarm(60)
    if train() != before:
        sys.exit(3)
""")


@forks
def test_children_forked_while_threads_compute() -> None:
    run_program("""
stop = threading.Event()
def compute():
    x = tg.randn(400, 400, requires_grad=True)
    while not stop.is_set():
        (x @ x).tanh().sum().backward()
        tg.randn(50_000).sort()
threads = [threading.Thread(target=compute) for _ in range(2)]
for thread in threads:
    thread.start()
for _ in range(20):
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        train()
        os._exit(0)
    assert status(child) == 0
stop.set()
for thread in threads:
    thread.join()
""")


@forks
def test_pool_of_forked_processes() -> None:
    run_program("""
import multiprocessing
before = train()
with multiprocessing.get_context("fork").Pool(2) as pool:
    results = [pool.apply_async(train) for _ in range(4)]
    assert all(result.get(60) == before for result in results)
""")


# ---------------------------------------------------------------- the end of the process

# What a daemon thread does while the process ends.
UNTIL_THE_END = {
    "product": "z @ z",
    "large product": "large @ large",
    "sum": "tall.sum(0)",
    "backward": "(x @ x).sum().backward()",
    "function": "Twice.apply(one).backward()",
    "tensor hook": "result(register_hook=loop).backward()",
    "node hooks": "node_hooks()",
    "accumulate hook": "(summed * 2).backward()",
    "saved tensors": "saved()",
}

DAEMON = """
import os, random, signal, sys, threading, time, tapegrad as tg

z, large, tall = tg.ones(300, 300), tg.ones(1000, 1000), tg.ones(3000, 1000)
x = tg.ones(300, 300, requires_grad=True)
one, summed = tg.ones((), requires_grad=True), tg.ones((), requires_grad=True)

def loop(*args):
    for _ in range(300):
        pass

summed.register_post_accumulate_grad_hook(loop)

def result(register_hook):
    y = one * 2
    y.register_hook(register_hook)
    return y

def node_hooks():
    y = one * 2
    y.grad_fn.register_prehook(loop)
    y.grad_fn.register_hook(loop)
    y.backward()

def saved():
    with tg.autograd.graph.saved_tensors_hooks(lambda t: loop() or t, lambda t: loop() or t):
        (one * one).backward()

class Twice(tg.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        loop()
        return x * 2

    @staticmethod
    def backward(ctx, g):
        loop()
        return g * 2

def end_while(step):
    started = threading.Event()

    def work():
        while True:
            step()
            started.set()

    threading.Thread(target=work, daemon=True).start()
    started.wait()
    time.sleep(0.01 * random.random())
"""


@forks
@pytest.mark.parametrize("name", UNTIL_THE_END)
def test_process_ends_while_a_daemon_thread_computes(name: str) -> None:
    """In processes that use several threads, and in many children, which are quick."""
    step = f"lambda: {UNTIL_THE_END[name]}"

    def run(program: str) -> None:
        done = subprocess.run(
            [sys.executable, "-W", "ignore::DeprecationWarning", "-c", DAEMON + program],
            timeout=300,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")

    for _ in range(3):
        run(f"tg.set_num_threads(2)\nend_while({step})\n")
    run(f"""
for _ in range(100):
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        end_while({step})
        break
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code:
        sys.exit(f"a child ended with {{code}}")
""")


# ---------------------------------------------------------------- other libraries' threads


def some_results() -> list[bytes]:
    tg.manual_seed(1)
    x, w = tg.randn(400, 300), tg.randn(300, 500, requires_grad=True)
    loss = (x @ w).softmax(1).log().mean(0).tanh().sum()
    loss.backward()
    return [array(loss).tobytes(), array(w.grad).tobytes()]


def results_beside(work: Callable[[], Any]) -> list[list[bytes]]:
    """Our results while another thread does `work` again and again."""
    stop = threading.Event()

    def repeat() -> None:
        while not stop.is_set():
            work()

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        return [some_results() for _ in range(10)]
    finally:
        stop.set()
        thread.join()


def test_threads_of_numpy_change_no_results() -> None:
    alone = some_results()
    a = np.random.default_rng(0).random((500, 500))
    want = a @ a
    assert all(found == alone for found in results_beside(lambda: a @ a))
    # Nor do we change theirs.
    np.testing.assert_array_equal(a @ a, want)
    a @ a
    assert some_results() == alone


def test_threads_of_torch_change_no_results() -> None:
    torch = pytest.importorskip("torch")
    alone = some_results()
    before = torch.get_num_threads()
    ours = tg.get_num_threads()
    try:
        torch.set_num_threads(2)
        assert tg.get_num_threads() == ours
        x = torch.randn(500, 500, requires_grad=True)

        def work() -> None:
            (x @ x).tanh().sum().backward()

        assert all(found == alone for found in results_beside(work))
        work()
        assert some_results() == alone
        tg.set_num_threads(3)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
        tg.set_num_threads(ours)
