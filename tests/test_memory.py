"""Nothing leaks: tensors, nodes and storages return to where they were."""

from __future__ import annotations

import copy
import gc
import os
import pickle
import sys
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tapegrad as tg
from support import ROUNDS, counts, repeat
from tapegrad.autograd import graph
from tapegrad.utils.checkpoint import checkpoint

F = tg.nn.functional

reads_resident_memory = pytest.mark.skipif(
    sys.platform != "linux" or "libasan" in os.environ.get("LD_PRELOAD", ""),
    reason="reads /proc; and AddressSanitizer keeps what was freed",
)


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


def views_written_with_results() -> Callable[[], None]:
    """By operations whose derivatives need what they overwrite and what they write."""
    x = leaf()
    index, source = tg.tensor([0, 1, 0]), tg.full((3,), 2.0, requires_grad=True)

    def step() -> None:
        for write in (
            lambda y: y.pow_(source),
            lambda y: y.exp_(),
            lambda y: y.scatter_reduce_(0, index, source, "prod"),
        ):
            write((x * 2)[2:5])

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


# ---------------------------------------------------------------- features of autograd


def multi_grad_hooks() -> Callable[[], None]:
    x, y = leaf(), leaf()
    register = graph.register_multi_grad_hook

    def step() -> None:
        a, b = x * 2, y * 3
        register((a, b), lambda grads: None)
        with register((x, y), lambda grads: None), register((a, y), lambda g: None, mode="any"):
            (a * b).sum().backward()
            tg.autograd.grad((x * 2).sum(), x)  # a pass that never gets to y

    return step


def hooks_that_are_never_called() -> Callable[[], None]:
    x = leaf()

    def step() -> None:
        y = x * 2
        cycle = y.register_hook(lambda g: y * g)
        y.retain_grad()
        y.grad_fn.register_prehook(lambda g: None)
        y.grad_fn.register_hook(lambda gi, go: None)
        x.register_post_accumulate_grad_hook(lambda p: None).remove()
        cycle.remove()

    return step


def function_with_context_in_forward() -> Callable[[], None]:
    class Scale(tg.autograd.Function):
        @staticmethod
        def forward(ctx, x, factor, extra):
            x.mul_(factor)
            mask = x > 0
            ctx.mark_dirty(x)
            ctx.mark_non_differentiable(mask)
            ctx.set_materialize_grads(False)
            ctx.save_for_backward(mask)
            ctx.factor, ctx.extra = factor, extra
            return x, mask

        @staticmethod
        @tg.autograd.function.once_differentiable
        def backward(ctx, g, _):
            (mask,) = ctx.saved_tensors
            return g * ctx.factor * mask, None, None

    x = leaf()

    def step() -> None:
        y, _ = Scale.apply(x * 1, 2.0, {"list": [x]})
        y.sum().backward()
        Scale.apply(x * 1, 3.0, None)

    return step


def function_with_setup_context() -> Callable[[], None]:
    class Product(tg.autograd.Function):
        @staticmethod
        def forward(a, b):
            return a * b, a.view(-1)

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs, output[0])

        @staticmethod
        def backward(ctx, g, h):
            a, b, _ = ctx.saved_tensors
            return g * b + h, g * a

    x, y = leaf(), leaf()

    def step() -> None:
        z, view = Product.apply(x, y)
        first = tg.autograd.grad((z * z + view).sum(), (x, y), create_graph=True)
        (first[0] * first[1]).sum().backward()

    return step


def checkpoints(use_reentrant: bool) -> Callable[[], None]:
    x = leaf()

    def part(value: Any) -> Any:
        return value.exp().sin()

    def step() -> None:
        y = checkpoint(lambda v: checkpoint(part, v, **kind), x, **kind)
        y.sum().backward()
        checkpoint(part, x, **kind)  # without a backward pass

    kind = {"use_reentrant": use_reentrant}
    return step


def reentrant_checkpoints() -> Callable[[], None]:
    return checkpoints(True)


def checkpoints_by_hooks() -> Callable[[], None]:
    return checkpoints(False)


def checkpoint_that_fails() -> Callable[[], None]:
    x = leaf()

    def step() -> None:
        calls = []

        def part(value: Any) -> Any:
            calls.append(value)
            if len(calls) == 2:
                raise KeyError
            return value.exp()

        try:
            checkpoint(part, x, use_reentrant=False).sum().backward()
        except KeyError:
            return
        raise AssertionError("no error")

    return step


def gradient_penalty() -> Callable[[], None]:
    x, w = leaf(), leaf()

    def step() -> None:
        (g,) = tg.autograd.grad((x * w).tanh().sum(), x, create_graph=True)
        (g.norm() - 1).square().backward()
        x.grad = w.grad = None
        tg.autograd.grad((x * w).sum(), x, create_graph=True)  # and nothing is done with it

    return step


def gradients_with_a_graph_in_grad() -> Callable[[], None]:
    x = leaf()

    def step() -> None:
        (x * x).sum().backward(create_graph=True)
        x.grad.sum().backward()
        x.grad = None  # x.grad and its graph hold each other until then

    return step


def graph_that_is_kept() -> Callable[[], None]:
    x = leaf()

    def step() -> None:
        y = (x.exp() * x).sum()
        y.backward(retain_graph=True)
        y.backward(retain_graph=True, inputs=[x])
        tg.autograd.grad(y, x, retain_graph=True)

    return step


def views_of_views() -> Callable[[], None]:
    x = leaf()

    def step() -> None:
        base = x * 2
        first = base.view(2, 4)
        second = first[1].narrow(0, 1, 2)
        second.mul_(3)
        base.add_(first.sum())
        first.transpose(0, 1)[0] = 1.0
        base[base > 2] += 1
        del base, first
        second.sum().backward()

    return step


def leaves_written_in_place() -> Callable[[], None]:
    def step() -> None:
        x = tg.zeros(8)
        x[2:4].requires_grad_()
        x[1:5].copy_(tg.ones(4, requires_grad=True))
        x.sum().backward()
        x.detach_()
        x.requires_grad_()
        x.data = tg.ones(3)
        with tg.no_grad():
            x[0].fill_(5)

    return step


def hooks_of_saved_tensors() -> Callable[[], None]:
    x = leaf()

    def step() -> None:
        with graph.saved_tensors_hooks(lambda t: [t], lambda box: box[0]):
            y = x.exp() * x
        with graph.disable_saved_tensors_hooks("not here"):
            x.exp()
        with graph.save_on_cpu():
            z = x.sin()
        (y + z).sum().backward()
        with graph.saved_tensors_hooks(lambda t: t * 1, lambda t: t):
            x.exp()

    return step


def mutation_of_saved_tensors() -> Callable[[], None]:
    x = leaf()

    def step() -> None:
        with graph.allow_mutation_on_saved_tensors():
            y = x * 1
            z = y.exp().sin()
            y.zero_()
            z.sum().backward()

    return step


def anomaly_mode() -> Callable[[], None]:
    x = leaf()

    def step() -> None:
        with tg.autograd.detect_anomaly():
            (x.exp() * x).sum().backward()
            try:
                ((x - 1).sqrt() * 0).sum().backward()
            except RuntimeError as error:
                assert "nan" in str(error)
            else:
                raise AssertionError("no error")

    return step


def retained_gradients() -> Callable[[], None]:
    x = leaf()

    def step() -> None:
        y = x * 2
        y.retain_grad()
        z = y[1:]
        z.retain_grad()
        z.sum().backward()
        assert y.grad is not None and z.grad is not None
        (x * 3).retain_grad()

    return step


def detached_tensors() -> Callable[[], None]:
    x = leaf()

    def step() -> None:
        y = (x * 2).exp()
        z = y.detach()
        again = z.requires_grad_() * y.detach()
        (again.sum() + y.sum()).backward()
        z.detach_()

    return step


def modes() -> Callable[[], None]:
    x = leaf()

    @tg.no_grad()
    def numbers() -> Any:
        yield x * 2
        yield x * 3

    @tg.inference_mode()
    def infer() -> Any:
        return (x * 2).view(2, 4)

    def step() -> None:
        list(numbers())
        next(numbers())
        y = infer()
        with tg.inference_mode():
            y += 1
        try:
            y * x
        except RuntimeError:
            (y.clone() * x[0]).sum().backward()
        else:
            raise AssertionError("no error")
        with tg.set_grad_enabled(False), tg.enable_grad():
            x * 2

    return step


def functional_derivatives() -> Callable[[], None]:
    f = tg.autograd.functional
    x, v = tg.ones(2), tg.ones(2)

    def cube(t: Any) -> Any:
        return (t**3).sum()

    def step() -> None:
        f.jacobian(tg.exp, x)
        f.hessian(cube, x)
        f.hvp(cube, x, v)
        f.jvp(tg.exp, x, v, create_graph=True)

    return step


def edges_of_the_graph() -> Callable[[], None]:
    x = leaf()

    def step() -> None:
        y = x * 2
        edge = graph.get_gradient_edge(y)
        del y
        z = x.exp() * 2
        nodes = [z.grad_fn, z.grad_fn.next_functions[0][0]]
        nodes[0].metadata["node"] = nodes[1]
        assert nodes[1]._saved_result is not None
        tg.autograd.grad(z.sum(), graph.get_gradient_edge(x))
        assert edge.node.next_functions[0][0].variable is x

    return step


def gradients_by_rows() -> Callable[[], None]:
    x, rows = leaf(), tg.eye(8)
    return lambda: tg.autograd.grad(x * 2, x, rows, is_grads_batched=True) and None


def backward_in_backward() -> Callable[[], None]:
    class Inner(tg.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x.clone()

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            with tg.enable_grad():
                inner = x.detach().requires_grad_()
                (inner.exp() * g).sum().backward()
            return inner.grad

    x = leaf()
    return lambda: Inner.apply(x * 2).sum().backward()


def module_and_optimizer() -> Callable[[], None]:
    net = tg.nn.Sequential(tg.nn.Linear(4, 8), tg.nn.ReLU(), tg.nn.Dropout(), tg.nn.Linear(8, 2))
    optimizer = tg.optim.Adam(net.parameters())
    x, y = tg.randn(3, 4), tg.zeros(3, dtype=tg.int64)

    def step() -> None:
        optimizer.zero_grad()
        with net[0].register_full_backward_hook(lambda m, gi, go: None):
            F.cross_entropy(net(x), y).backward()
        tg.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()

    return step


def batches() -> Callable[[], None]:
    data = tg.utils.data
    loader = data.DataLoader(data.TensorDataset(tg.randn(6, 2), tg.arange(6)), 3, shuffle=True)
    w = tg.ones(2, requires_grad=True)

    def step() -> None:
        for x, _ in loader:
            (x @ w).sum().backward()
        next(iter(loader))  # and leave the rest

    return step


def copies() -> Callable[[], None]:
    x = leaf()

    def step() -> None:
        copy.deepcopy(x)
        pickle.loads(pickle.dumps(x))
        x.clone().to(tg.float64).float().sum().backward()

    return step


STEPS = (
    training_step,
    graph_without_backward,
    second_order,
    hooks,
    views_and_writes,
    views_written_with_results,
    refused_backward,
    failing_calls,
    numpy_both_ways,
    metadata,
    split_and_join,
    multi_grad_hooks,
    hooks_that_are_never_called,
    function_with_context_in_forward,
    function_with_setup_context,
    reentrant_checkpoints,
    checkpoints_by_hooks,
    checkpoint_that_fails,
    gradient_penalty,
    gradients_with_a_graph_in_grad,
    graph_that_is_kept,
    views_of_views,
    leaves_written_in_place,
    hooks_of_saved_tensors,
    mutation_of_saved_tensors,
    anomaly_mode,
    retained_gradients,
    detached_tensors,
    modes,
    functional_derivatives,
    edges_of_the_graph,
    gradients_by_rows,
    backward_in_backward,
    module_and_optimizer,
    batches,
    copies,
)


@pytest.mark.filterwarnings("ignore:Anomaly Detection has been enabled")
@pytest.mark.filterwarnings("ignore:Error detected in")
@pytest.mark.filterwarnings("ignore:Full backward hook is firing")
@pytest.mark.filterwarnings("ignore:Using backward\\(\\) with create_graph=True")
@pytest.mark.parametrize("make", STEPS, ids=lambda f: f.__name__)
def test_nothing_is_left(make: Callable) -> None:
    """Neither tensors, nodes and buffers nor objects of Python, after very many rounds."""
    step = make()

    def left_behind() -> int:
        before, blocks = counts(), sys.getallocatedblocks()
        thread.submit(repeat, step).result()
        assert counts() == before
        return sys.getallocatedblocks() - blocks

    # In a thread, whose short stack keeps the tracebacks of anomaly mode short.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(repeat, step, 20).result()
        # A leak is there each time; what other threads allocate, such as the test runner's, is not.
        assert any(left_behind() < ROUNDS // 10 for _ in range(3))


@reads_resident_memory
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


@reads_resident_memory
def test_large_buffers_are_reused() -> None:
    x = tg.ones(1 << 20)
    for _ in range(3):
        x = (x + 1).detach()
    before = resident()
    for _ in range(300):
        x = (x * 1.0).detach()
    assert resident() - before < 64 << 20


@reads_resident_memory
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
