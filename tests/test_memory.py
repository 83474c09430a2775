"""Nothing leaks: tensors, nodes and storages return to where they were."""

from __future__ import annotations

import gc
import os
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tapegrad as tg
from support import counts, repeat

F = tg.nn.functional


def resident() -> int:
    """Bytes of this process in physical memory."""
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def leaf() -> Any:
    return tg.ones(8, requires_grad=True)


def training_step() -> Callable[[], None]:
    x, y = tg.randn(16, 8), tg.randint(0, 4, (16,))
    w1, w2 = tg.randn(12, 8, requires_grad=True), tg.randn(4, 12, requires_grad=True)

    def step() -> None:
        loss = F.cross_entropy(F.linear(F.linear(x, w1).tanh(), w2), y)
        w1.grad = w2.grad = None
        loss.backward()
        with tg.no_grad():
            w1.sub_(w1.grad, alpha=0.01)
            w2.sub_(w2.grad, alpha=0.01)

    return step


def graph_without_backward() -> Callable[[], None]:
    x = leaf()
    return lambda: (x.exp() * x).sum() and None


def second_order() -> Callable[[], None]:
    x = leaf()

    def step() -> None:
        (g,) = tg.autograd.grad((x.sin() * x).sum(), x, create_graph=True)
        tg.autograd.grad(g.sum(), x)

    return step


def hooks() -> Callable[[], None]:
    x = leaf()

    def step() -> None:
        y = x * 2
        y.register_hook(lambda g: g * 2)
        handle = x.register_hook(lambda g: None)
        y.sum().backward()
        handle.remove()
        x.grad = None

    return step


def views_and_writes() -> Callable[[], None]:
    x = leaf()

    def step() -> None:
        y = x * 2
        y[1:3].mul_(3)
        y[y > 5] = 0.0
        y.view(2, 4)[0].add_(1)
        y.sum().backward()
        x.grad = None

    return step


def refused_backward() -> Callable[[], None]:
    x = leaf()

    def step() -> None:
        y = (x * 1).exp()
        z = y.sum()
        with tg.no_grad():
            y.zero_()
        try:
            z.backward()
        except RuntimeError:
            pass
        else:
            raise AssertionError("an overwritten value was not noticed")

    return step


def failing_calls() -> Callable[[], None]:
    x = leaf()

    def step() -> None:
        for bad in (
            lambda: x + tg.ones(3),
            lambda: x[9],
            lambda: tg.tensor([[1], [2, 3]]),
            lambda: x @ tg.ones(3),
        ):
            try:
                bad()
            except (RuntimeError, IndexError, ValueError):
                continue
            raise AssertionError("no error")

    return step


def numpy_both_ways() -> Callable[[], None]:
    a = np.ones(100)

    def step() -> None:
        b = (tg.from_numpy(a) * 2).numpy()
        np.from_dlpack(tg.from_dlpack(b))
        tg.tensor(b.tolist())

    return step


def metadata() -> Callable[[], None]:
    x = leaf()

    def step() -> None:
        y = (x * 2).sum()
        repr(y)
        node = y.grad_fn.next_functions[0][0]
        assert node.next_functions[0][0].variable is x

    return step


def split_and_join() -> Callable[[], None]:
    x = tg.ones(4, 6, requires_grad=True)

    def step() -> None:
        a, b = x.split(3, 1)
        (tg.cat([a, b, x.unbind()[0][None, :3]]).softmax(1).max(1).values).sum().backward()
        x.grad = None

    return step


STEPS = (
    training_step,
    graph_without_backward,
    second_order,
    hooks,
    views_and_writes,
    refused_backward,
    failing_calls,
    numpy_both_ways,
    metadata,
    split_and_join,
)


@pytest.mark.parametrize("make", STEPS, ids=lambda f: f.__name__)
def test_counts_do_not_grow(make: Callable) -> None:
    step = make()
    for _ in range(5):
        step()
    before = counts()
    for _ in range(300):
        step()
    after = counts()
    assert after == before, make.__name__


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    "make", [training_step, views_and_writes, second_order], ids=lambda f: f.__name__
)
def test_memory_does_not_grow(make: Callable) -> None:
    step = make()
    for _ in range(500):
        step()
    before, alive = resident(), counts()
    repeat(step)
    assert counts() == alive
    assert resident() - before < 4 << 20


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_large_buffers_are_reused() -> None:
    x = tg.ones(1 << 20)
    for _ in range(3):
        x = (x + 1).detach()
    before = resident()
    for _ in range(300):
        x = (x * 1.0).detach()
    assert resident() - before < 64 << 20


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_many_sizes_do_not_pile_up() -> None:
    """A cache keyed by size must not keep one buffer of each size for ever."""
    for n in range(1, 200):
        tg.ones(n * 997)
    before = resident()
    for n in range(200, 1200):
        tg.ones(n * 997).sum()
    assert resident() - before < 200 << 20


def test_tensor_dies_with_its_last_reference() -> None:
    x = leaf()
    y = x * 2
    hold = weakref.ref(y)
    del y
    assert hold() is None
    hold = weakref.ref(x)
    del x
    assert hold() is None


def test_identity_survives_a_round_trip_through_the_graph() -> None:
    x = leaf()
    address, mark = id(x), object()
    x.mark = mark
    y = x * 2
    del x
    gc.collect()
    back = y.grad_fn.next_functions[0][0].variable
    assert id(back) == address
    assert back.mark is mark


def test_graph_holds_no_cycles() -> None:
    """All of it is freed by counting references alone."""
    gc.collect()
    gc.disable()
    try:
        before = dict(tg._C._live_counts())
        for _ in range(10):
            x = leaf()
            y = (x.exp() * x).sum()
            y.backward()
            z = x[1:] * 2
            z.retain_grad()
            z.sum().backward()
        del x, y, z
        assert dict(tg._C._live_counts()) == before
    finally:
        gc.enable()


def test_saved_values_are_freed_after_backward() -> None:
    x = tg.ones(1 << 16, requires_grad=True)
    y = x
    for _ in range(20):
        y = y.exp().log()
    z = y.sum()
    del y
    before = counts()["storages"]
    z.backward()
    assert counts()["storages"] < before


def test_large_graph_is_freed_at_once() -> None:
    before = counts()
    x = leaf()
    y = x
    for _ in range(10_000):
        y = y.sin()
    del y, x
    assert counts() == before
