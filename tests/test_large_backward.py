"""Large gradients, which element-wise nodes compute together: nothing but the speed may differ."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tapegrad as tg
from support import array, raises

SIZES = (10_000, 300_003)


def leaves(count: int, n: int, dtype: str = "float32") -> list:
    generator = np.random.default_rng(count)
    values = (generator.standard_normal(n).astype(dtype) for _ in range(count))
    return [tg.from_numpy(v).requires_grad_() for v in values]


class Watch:
    """Passes tensors through; if `hooked`, the gradient of each stops at a hook."""

    def __init__(self, hooked: bool) -> None:
        self.hooked = hooked
        self.seen: list = []

    def __call__(self, x: Any) -> Any:
        if self.hooked:
            x.register_hook(lambda g: self.seen.append(array(g)))
        return x


def fused(w: Watch, a: Any, x: Any, b: Any) -> Any:
    left = w(w(w(a * x) + b).tanh())
    return w(w(left * w(w(w(-x) * x).exp())) + w(x.sigmoid())).sum()


def shared(w: Watch, a: Any, x: Any, b: Any) -> Any:
    y = w(a * 1.5 - b / 3)
    z = w(2 / w(x * x + 1) + y)
    return w(w(z * z) * w(y.exp()) + w(z - x).abs()).mean()


def powers(w: Watch, a: Any, x: Any, b: Any) -> Any:
    y = w(tg.maximum(a, x))
    return (w(w(y**2) * w(x.sin())) + w((b * b + 1) ** a)).sum()


def long(w: Watch, a: Any, x: Any, b: Any) -> Any:
    y = a
    for k in range(30):
        y = w(w(y * b) + w(x * (0.1 * k)))
        y = w(y.tanh())
    return y.sum()


def reshaped(w: Watch, a: Any, x: Any, b: Any) -> Any:
    y = w(w(a * x).reshape(1, -1)) * w(b.exp())
    return w(y.clone() + y).sum()


EXPRESSIONS = {f.__name__: f for f in (fused, shared, powers, long, reshaped)}


def gradients(function: Callable, inputs: list, hooked: bool, **options: Any) -> list:
    for leaf in inputs:
        leaf.grad = None
    function(Watch(hooked), *inputs).backward(**options)
    return [array(leaf.grad) for leaf in inputs]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("name", EXPRESSIONS)
def test_same_bits_as_node_by_node(
    name: str, n: int, dtype: str, threads: Callable[[int], None]
) -> None:
    inputs = leaves(3, n, dtype)
    want = gradients(EXPRESSIONS[name], inputs, hooked=True)
    for count in (1, 2, 3):
        threads(count)
        for got, expected in zip(gradients(EXPRESSIONS[name], inputs, False), want, strict=True):
            np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_gradients_accumulate_into_the_same_tensor(name: str) -> None:
    inputs = leaves(3, SIZES[0])
    once = gradients(EXPRESSIONS[name], inputs, hooked=False)
    held = [leaf.grad for leaf in inputs]
    EXPRESSIONS[name](Watch(False), *inputs).backward()
    for leaf, kept, first in zip(inputs, held, once, strict=True):
        assert leaf.grad is kept
        np.testing.assert_array_equal(array(kept), first + first)


def test_kept_graph_keeps_its_values() -> None:
    inputs = leaves(3, SIZES[1])
    first = gradients(fused, inputs, hooked=False)
    loss = fused(Watch(False), *inputs)
    for _ in range(3):
        for leaf in inputs:
            leaf.grad = None
        loss.backward(retain_graph=True)
        for leaf, expected in zip(inputs, first, strict=True):
            np.testing.assert_array_equal(array(leaf.grad), expected)


def test_values_that_the_user_holds_stay() -> None:
    """Gradients may take the memory of saved values only where nobody else has it."""
    a, x, b = leaves(3, SIZES[0])
    before = [array(t) for t in (a, x, b)]
    y = (a * x).tanh()
    z = y.exp()
    view, copies = z[::2], [array(y), array(z)]
    start = tg.ones(SIZES[0])
    (z * b * y).backward(start)
    for tensor, expected in zip((a, x, b, y, z), before + copies, strict=True):
        np.testing.assert_array_equal(array(tensor), expected)
    np.testing.assert_array_equal(array(view), copies[1][::2])
    assert array(start).min() == 1


def test_gradients_share_no_memory() -> None:
    a, b = leaves(2, SIZES[0])
    ((a * 2).tanh() + (b * 2).tanh() + a + b).sum().backward()
    before = array(b.grad).copy()
    a.grad.zero_()
    np.testing.assert_array_equal(array(b.grad), before)


def test_gradients_of_inner_tensors() -> None:
    a, x, b = leaves(3, SIZES[0])
    inner = (a * x).tanh()
    loss = (inner.exp() * b + inner).sum()
    got = tg.autograd.grad(loss, [inner, a, b], retain_graph=True)
    expected = array(inner.exp() * b + 1)
    np.testing.assert_allclose(array(got[0]), expected, rtol=1e-6)
    np.testing.assert_array_equal(array(got[2]), array(inner.exp()))
    (only,) = tg.autograd.grad(loss, a)
    np.testing.assert_array_equal(array(only), array(got[1]))


def test_hooks_see_finished_gradients() -> None:
    a, b = leaves(2, SIZES[0])
    seen: dict[str, np.ndarray] = {}
    inner = (a * b).tanh()
    inner.register_hook(lambda g: seen.update(inner=array(g)))
    b.register_post_accumulate_grad_hook(lambda t: seen.update(b=array(t.grad)))
    inner.exp().sin().sum().backward()
    y = array(inner.detach().exp())
    np.testing.assert_allclose(seen["inner"], np.cos(y) * y, rtol=1e-5)
    np.testing.assert_array_equal(seen["b"], array(b.grad))


def test_a_changed_operand_is_noticed() -> None:
    a, b = leaves(2, SIZES[0])
    y = a.exp()
    loss = (y * b).tanh().sum()
    with tg.no_grad():
        y += 1
    with raises(RuntimeError, "one of the variables needed for gradient computation has been"):
        loss.backward()


def test_second_derivatives() -> None:
    (x,) = leaves(1, SIZES[0], "float64")
    (first,) = tg.autograd.grad((x.sin() * x).sum(), x, create_graph=True)
    (second,) = tg.autograd.grad(first.sum(), x)
    v = array(x.detach())
    np.testing.assert_allclose(array(second), 2 * np.cos(v) - v * np.sin(v), atol=1e-12)


# ------------------------------------------------------- amax, amin: one pass, rarely a second


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(300_003,), (3, 100_001), (500, 700), (7, 5)])
@pytest.mark.parametrize("values", ["distinct", "ties", "nan"])
def test_extremes_share_their_gradient(
    values: str, shape: tuple[int, ...], dtype: str, threads: Callable[[int], None]
) -> None:
    data = np.random.default_rng(3).standard_normal(shape).astype(dtype)
    if values == "ties":
        data = np.round(data)
    if values == "nan":
        data[..., 3] = np.nan
    x = tg.from_numpy(data).requires_grad_()
    rows = np.arange(1, data[..., 0].size + 1, dtype=dtype).reshape(shape[:-1])

    def share(hits: np.ndarray, axis: int | None, grad: Any) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            return (grad * hits / hits.sum(axis, keepdims=True)).astype(dtype)

    highest = data.max(-1, keepdims=True)
    want_rows = share((data == highest).astype(dtype), -1, rows[..., None])
    all_hits = np.isnan(data) if values == "nan" else data == data.min()
    want_all = share(all_hits.astype(dtype), None, np.asarray(3, dtype))
    for count in (1, 2, 3):
        threads(count)
        (got,) = tg.autograd.grad(x.amax(-1), x, tg.from_numpy(rows))
        np.testing.assert_array_equal(array(got), want_rows)
        (got,) = tg.autograd.grad(x.min() * 3, x)
        np.testing.assert_array_equal(array(got), want_all)


def test_an_input_behind_which_nothing_is_wanted() -> None:
    # The gradient goes into the other part, whose node computes it for nobody.
    x = tg.ones(400_000, dtype=tg.float64, requires_grad=True)
    a, b = x.chunk(2)
    y = (b * tg.full((200_000,), 0.5, dtype=tg.float64)).exp()
    (grad,) = tg.autograd.grad(y, a, tg.ones_like(y), allow_unused=True)
    assert grad is None


@pytest.mark.parametrize("n", [100, 20_000])
def test_leaves_have_their_gradients_before_later_hooks(n: int) -> None:
    a, b, w = leaves(3, n)
    seen = []
    h = a * 2
    h.register_hook(lambda g: seen.append(w.grad is not None))
    (h * w).tanh().sum().backward()
    a.grad = None
    a.register_post_accumulate_grad_hook(lambda p: seen.append(b.grad is not None))
    (a.exp() * b).tanh().sum().backward()
    assert seen == [True, True]
