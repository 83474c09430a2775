"""Backward passes inside backward passes, errors in the middle, and several threads."""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import tapegrad
from both import both, function, leaf
from support import raises

SECOND = "Trying to backward through the graph a second time"


def nested(lib: Any) -> Any:
    """x**2, whose derivative is found by a backward pass of its own."""

    class Square(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            with lib.enable_grad():
                ctx.x = x.detach().requires_grad_()
                ctx.y = ctx.x**2
            return ctx.y.detach()

        @staticmethod
        def backward(ctx, g):
            ctx.y.backward(g, retain_graph=True)
            return ctx.x.grad

    return Square


@both
def test_backward_in_a_function(lib) -> None:
    x = leaf(lib, 3.0)
    (nested(lib).apply(x) * 2).backward()
    assert x.grad.item() == 12.0


@both
def test_backward_in_a_hook(lib) -> None:
    x, w = leaf(lib, 3.0), leaf(lib, 2.0)
    y = x * 2
    inner = (w * 5).exp()

    def hook(g):
        inner.backward(retain_graph=True)
        return g * 10

    y.register_hook(hook)
    (y * 4).backward()
    assert x.grad.item() == 80.0
    assert w.grad.item() == pytest.approx(5 * 22026.465794806718)


@both
def test_backward_on_the_same_leaf_in_a_hook(lib) -> None:
    x = leaf(lib, 3.0)
    y = x * 2

    def hook(g):
        with lib.enable_grad():
            (x * 100).backward()

    y.register_hook(hook)
    (y + x).backward()
    assert x.grad.item() == 103.0


@both
def test_grad_in_a_hook_of_the_same_graph(lib) -> None:
    """The inner pass runs over nodes that the outer one is waiting for."""
    seen = []
    x = leaf(lib, 3.0)
    a = x * 2
    b = a * a
    c = b * b
    c.register_hook(lambda g: seen.append(lib.autograd.grad(b, x, retain_graph=True)[0].item()))
    b.register_hook(lambda g: seen.append(lib.autograd.grad(a, x, retain_graph=True)[0].item()))
    (c + a).backward()
    assert seen == [2.0, 24.0, 2.0]  # the hook of b runs in the inner pass too
    assert x.grad.item() == 4 * 36.0**1.5 * 2 + 2.0


@pytest.mark.parametrize("depth", [1, 5, 60, 900])
@both
def test_nested_deep(lib, depth: int) -> None:
    class Deep(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x, depth):
            ctx.depth = depth
            return x * 2

        @staticmethod
        def backward(ctx, g):
            if ctx.depth:
                with lib.enable_grad():
                    z = leaf(lib, 1.0)
                    Deep.apply(z, ctx.depth - 1).backward()
                return g * z.grad, None
            return g * 2, None

    x = leaf(lib, 1.0)
    (Deep.apply(x, depth) * 3).backward()
    assert x.grad.item() == 6.0


@both
def test_what_deep_passes_inherit(lib) -> None:
    """Modes and saved-tensor hooks of the thread; errors come back through all passes."""
    seen = []

    class Deep(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x, depth):
            ctx.depth = depth
            return x * 2

        @staticmethod
        def backward(ctx, g):
            if ctx.depth:
                with lib.enable_grad():
                    Deep.apply(leaf(lib, 1.0), ctx.depth - 1).backward()
                return g, None
            with lib.enable_grad():
                x = leaf(lib, 3.0)
                (x * x).backward()
            seen.append((x.grad.item(), lib.is_grad_enabled(), lib.is_inference_mode_enabled()))
            if fails:
                raise KeyError("deep")
            return g, None

    packed = []
    for fails in (False, True):
        with (
            lib.autograd.graph.saved_tensors_hooks(
                lambda t: packed.append(t.item()) or t, lambda t: t
            ),
            pytest.raises(KeyError, match="deep") if fails else contextlib.nullcontext(),
        ):
            Deep.apply(leaf(lib, 1.0), 130).backward()
    assert seen == [(6.0, False, False)] * 2
    assert packed.count(3.0) == 4
    x = leaf(lib, 2.0)
    (x * 3).backward()
    assert x.grad.item() == 3.0


@both
def test_checkpoint_in_checkpoint(lib) -> None:
    from importlib import import_module

    checkpoint = import_module(lib.__name__ + ".utils.checkpoint").checkpoint
    for outer in (True, False):
        for inner in (True, False):
            x = leaf(lib, 0.5)

            def block(t):
                return t.sin().exp()

            def pair(t, inner=inner):
                return checkpoint(block, t, use_reentrant=inner) * t

            y = checkpoint(pair, x * 1, use_reentrant=outer)
            (y * 2).backward()
            want = leaf(lib, 0.5)
            (block(want) * want * 2).backward()
            assert x.grad.item() == pytest.approx(want.grad.item())


@both
def test_grad_mode_in_nested_passes(lib) -> None:
    seen = []
    x = leaf(lib, 3.0)
    y = x * 2

    def hook(g):
        with lib.enable_grad():
            z = (x * x).sum()
        seen.append(lib.is_grad_enabled())
        (h,) = lib.autograd.grad(z, x, create_graph=True)
        seen.append(h.requires_grad)
        seen.append(lib.is_grad_enabled())

    y.register_hook(hook)
    y.backward()
    assert seen == [False, True, False]
    assert lib.is_grad_enabled()


@both
def test_error_in_a_nested_pass(lib) -> None:
    class Mine(Exception):
        pass

    def bad(g):
        raise Mine("inner")

    x, w = leaf(lib, 3.0), leaf(lib, 2.0)
    y = x * 2
    inner = w * 3
    inner.register_hook(bad)
    handle = y.register_hook(lambda g: inner.backward())
    z = y * y
    with pytest.raises(Mine, match="inner"):
        z.backward(retain_graph=True)
    assert x.grad is None
    assert w.grad is None
    assert lib.is_grad_enabled()
    handle.remove()
    z.backward()
    assert x.grad.item() == 24.0


@both
def test_caught_error_in_a_nested_pass(lib) -> None:
    """The outer pass goes on when the hook deals with the error."""
    x = leaf(lib, 3.0)
    y = x * 2

    def hook(g):
        with raises(RuntimeError, "element 0 of tensors does not require grad", lib=lib):
            lib.ones(()).backward()
        with lib.enable_grad():
            pair = x * lib.ones(2, dtype=lib.float64)
        with raises(
            RuntimeError, "grad can be implicitly created only for scalar outputs", lib=lib
        ):
            pair.backward()
        return g * 5

    y.register_hook(hook)
    (y + x).backward()
    assert x.grad.item() == 11.0


@both
def test_error_in_the_middle_leaves_no_gradients_behind(lib) -> None:
    """Gradients that were on their way when it failed are not added to the next pass."""

    class Switch(lib.autograd.Function):
        fail = True

        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, g):
            if Switch.fail:
                raise KeyError("switch")
            return g

    x = leaf(lib, 1.0)
    a = x * 2
    b = Switch.apply(a)
    y = a * 3 + b * 5 + a * 7
    for _ in range(3):
        with pytest.raises(KeyError):
            y.backward(retain_graph=True)
    assert x.grad is None
    Switch.fail = False
    y.backward()
    assert x.grad.item() == 30.0


@both
def test_second_time(lib) -> None:
    x = leaf(lib, 2.0)
    shared = x.exp()
    a, b = shared * shared, shared * 3
    a.backward()
    with raises(RuntimeError, SECOND, lib=lib):
        a.backward()
    with raises(RuntimeError, SECOND, lib=lib):
        b.backward()
    c = x + 3
    c.backward()
    c.backward()


@both
def test_second_time_after_retaining(lib) -> None:
    x = leaf(lib, 2.0)
    y = x.exp()
    y.backward(retain_graph=True)
    y.backward(retain_graph=True)
    y.backward()
    with raises(RuntimeError, SECOND, lib=lib):
        y.backward()
    assert x.grad.item() == pytest.approx(3 * 7.38905609893065)


@both
def test_second_time_inside_a_hook(lib) -> None:
    """An inner pass frees what the outer one still needs."""
    x = leaf(lib, 2.0)
    y = x.exp()
    z = y * 2
    z.register_hook(lambda g: y.backward())
    with raises(RuntimeError, SECOND, lib=lib):
        z.backward()
    x.grad = None
    (x.exp()).backward()
    assert x.grad is not None


@both
def test_partial_passes_free_only_what_they_ran(lib) -> None:
    x, w = leaf(lib, 2.0), leaf(lib, 3.0)
    y = x.exp()
    z = y * w
    lib.autograd.grad(z, w)
    with raises(RuntimeError, SECOND, lib=lib):
        z.backward()
    y.backward()
    assert x.grad is not None


@both
def test_retain_grad_and_hooks_in_nested_passes(lib) -> None:
    x = leaf(lib, 2.0)
    y = x * 3
    y.retain_grad()
    z = y * 5
    z.register_hook(lambda g: lib.autograd.backward(y * 1, retain_graph=True))
    z.backward(create_graph=True)
    assert y.grad.item() == 6.0
    assert x.grad.item() == 18.0


# Threads -----------------------------------------------------------------------------------


def together(work: Any, threads: int = 4) -> list:
    gate = threading.Barrier(threads)

    def run(k: int) -> Any:
        gate.wait()
        return work(k)

    with ThreadPoolExecutor(threads) as pool:
        return [future.result() for future in [pool.submit(run, k) for k in range(threads)]]


@both
def test_functions_and_hooks_on_several_threads(lib) -> None:
    square = nested(lib)

    def work(k: int) -> float:
        x = leaf(lib, float(k + 1))
        for _ in range(60):
            y = square.apply(x)
            y.register_hook(lambda g: g * 2)
            (y * 1).backward()
        return x.grad.item()

    assert together(work) == [60 * 4.0 * (k + 1) for k in range(4)]


@both
def test_functions_on_a_shared_leaf(lib) -> None:
    """Python code in between lets the threads take turns in the middle of a pass."""

    def backward(ctx, g):
        threading.Event().wait(0.0002)
        return g * 2

    Slow = function(lib, lambda ctx, x: x * 1, backward)
    x = leaf(lib, 0.0)

    def work(k: int) -> None:
        for _ in range(40):
            (Slow.apply(Slow.apply(x)) * (k + 1)).backward()

    together(work)
    assert x.grad.item() == 40 * 4.0 * (1 + 2 + 3 + 4)


def test_one_graph_with_hooks_on_several_threads() -> None:
    """Passes over the same nodes at the same time do not see each other's gradients."""
    lib = tapegrad
    x = leaf(lib, 1.0)
    a = x * 2
    b = a.exp()
    a.register_hook(lambda g: threading.Event().wait(0.0002) or None)
    b.register_hook(lambda g: threading.Event().wait(0.0002) or None)
    y = a * 3 + b

    def work(k: int) -> list:
        scale = lib.tensor(float(k + 1), dtype=lib.float64)
        return [
            lib.autograd.grad(y, x, scale, retain_graph=True)[0].item() / (k + 1) for _ in range(30)
        ]

    want = 6 + 2 * 7.38905609893065
    for values in together(work):
        assert values == pytest.approx([want] * 30)


def test_errors_on_one_of_several_threads() -> None:
    lib = tapegrad
    x = leaf(lib, 1.0)
    y = x * 2

    class Bad(lib.autograd.Function):
        @staticmethod
        def forward(ctx, t):
            return t * 1

        @staticmethod
        def backward(ctx, g):
            threading.Event().wait(0.0005)
            raise KeyError("bad")

    bad = Bad.apply(y) + y * 10
    good = y * 5 + y.sin() * 0

    def work(k: int) -> None:
        for _ in range(25):
            if k % 2:
                with pytest.raises(KeyError):
                    bad.backward(retain_graph=True)
            else:
                good.backward(retain_graph=True)

    together(work)
    assert x.grad.item() == 50 * 10.0


@both
def test_grad_mode_per_thread(lib) -> None:
    x = leaf(lib, 1.0)
    with lib.no_grad():
        assert together(lambda k: (x * 2).requires_grad) == [True] * 4
    seen = []

    def work(k: int) -> None:
        lib._C._set_grad_enabled(False)
        seen.append(lib.is_grad_enabled())

    thread = threading.Thread(target=work, args=(0,))
    thread.start()
    thread.join()
    assert seen == [False]
    assert lib.is_grad_enabled()


@both
def test_graph_made_on_one_thread_and_run_on_another(lib) -> None:
    x = leaf(lib, 1.0)
    y = nested(lib).apply(x)
    thread = threading.Thread(target=y.backward)
    thread.start()
    thread.join()
    assert x.grad.item() == 2.0
