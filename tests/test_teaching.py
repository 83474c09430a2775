"""The engines in `tapegrad.teaching`: finite differences, and the compiled engine."""

from __future__ import annotations

import doctest
import gc
import math
import random

import numpy as np
import pytest

import tapegrad
from tapegrad.teaching import array, scalar
from tapegrad.teaching.array import Tensor, _unbroadcast
from tapegrad.teaching.scalar import Value


@pytest.mark.parametrize("module", [scalar, array])
def test_examples_in_the_documentation(module):
    assert doctest.testmod(module).failed == 0


# Numbers --------------------------------------------------------------------------------------

EXPRESSIONS = {
    "add": lambda x, y: x + y + 1 + x,
    "radd": lambda x, y: 2 + x + y,
    "mul": lambda x, y: x * y * x,
    "sub": lambda x, y: 1 - x - y,
    "div": lambda x, y: x / y + 2 / x,
    "neg": lambda x, y: -x * y,
    "power": lambda x, y: x**3 + y**-2 + x**0.5,
    "tanh": lambda x, y: (x * y).tanh(),
    "exp": lambda x, y: (x - y).exp(),
    "log": lambda x, y: (x * y + 1).log(),
    "relu": lambda x, y: (x - y).relu() + (y - x).relu(),
    "shared": lambda x, y: ((x + y) * y + (x + y) * x).tanh(),
}


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_value_against_differences(name):
    expression = EXPRESSIONS[name]
    generator = random.Random(0)
    for _ in range(5):
        at = [generator.uniform(0.3, 1.5) for _ in range(2)]
        inputs = [Value(number) for number in at]
        expression(*inputs).backward()
        for index, value in enumerate(inputs):
            step = 1e-6
            low, high = list(at), list(at)
            low[index] -= step
            high[index] += step
            difference = expression(*map(Value, high)).data - expression(*map(Value, low)).data
            assert value.grad == pytest.approx(difference / (2 * step), rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_value_against_tapegrad(name):
    ours = [Value(0.75), Value(1.25)]
    theirs = [tapegrad.tensor(v.data, dtype=tapegrad.float64, requires_grad=True) for v in ours]
    result, expected = EXPRESSIONS[name](*ours), EXPRESSIONS[name](*theirs)
    result.backward()
    expected.backward()
    assert result.data == pytest.approx(expected.item(), rel=1e-12)
    for value, tensor in zip(ours, theirs, strict=True):
        assert value.grad == pytest.approx(tensor.grad.item(), rel=1e-12)


def test_value_remembers_how_it_was_made():
    a, b = Value(2.0, label="a"), Value(3.0)
    assert repr(a) == "Value(data=2.0, grad=0.0)"
    assert (a.label, b.label) == ("a", "")
    assert (a * b)._prev == {a, b}
    assert (a * a)._prev == {a}
    assert [v._op for v in (a, a + b, a * b, a**2, a.tanh())] == ["", "+", "*", "**2", "tanh"]


def test_value_accumulates_in_leaves_only():
    x = Value(3.0)
    middle = x * x
    y = middle * 2
    y.backward()
    y.backward()
    assert (x.grad, middle.grad, y.grad) == (24.0, 2.0, 1.0)


def test_value_corner_cases():
    a = Value(0.0)
    (a**0 + a.relu()).backward()
    assert a.grad == 0.0
    with pytest.raises(AssertionError, match="only supporting int/float powers"):
        a ** Value(2.0)
    with pytest.raises(ValueError, match="math domain error"):
        Value(-1.0).log()
    with pytest.raises(ZeroDivisionError):
        1 / a


def test_value_deep_graph():
    x = y = Value(1.0)
    for _ in range(100_000):
        y = y + 1e-5
    y.backward()
    assert x.grad == 1.0 and y.data == pytest.approx(2.0)
    del y


def test_value_learns():
    w, b = Value(0.3), Value(0.1)
    for _ in range(50):
        w.grad = b.grad = 0.0
        ((w * 2.0 + b).tanh() - 0.8).__pow__(2).backward()
        w.data -= 0.5 * w.grad
        b.data -= 0.5 * b.grad
    assert math.tanh(w.data * 2 + b.data) == pytest.approx(0.8, abs=1e-4)


# Arrays ---------------------------------------------------------------------------------------


def shapes(*sizes):
    return [tuple(size) for size in sizes]


OPERATIONS = {
    "add": (lambda x, y: x + y, shapes((3, 4), (3, 4))),
    "add_row": (lambda x, y: x + y, shapes((3, 4), (4,))),
    "add_column": (lambda x, y: x + y, shapes((3, 1), (1, 4))),
    "sub_row": (lambda x, y: x - y, shapes((4,), (2, 3, 4))),
    "mul_scalar": (lambda x, y: x * y * 2.5, shapes((3, 4), ())),
    "div": (lambda x, y: x / y, shapes((3, 4), (3, 1))),
    "reversed": (lambda x: 1.0 - x + 2.0 / x * 3.0, shapes((5,))),
    "neg": (lambda x: -x, shapes((2, 3))),
    "power": (lambda x: x**3 + x**-1.5 + x**0, shapes((2, 3))),
    "matmul": (lambda x, y: x @ y, shapes((3, 4), (4, 2))),
    "matmul_batch": (lambda x, y: x @ y, shapes((5, 3, 4), (5, 4, 2))),
    "matmul_batch_shared": (lambda x, y: x @ y, shapes((5, 3, 4), (4, 2))),
    "relu": (lambda x: (x - 1.0).relu(), shapes((4, 5))),
    "tanh": (lambda x: x.tanh(), shapes((4, 5))),
    "exp": (lambda x: x.exp(), shapes((4, 5))),
    "log": (lambda x: x.log(), shapes((4, 5))),
    "sigmoid": (lambda x: x.sigmoid(), shapes((4, 5))),
    "softmax": (lambda x: x.softmax(-1), shapes((4, 5))),
    "log_softmax": (lambda x: x.log_softmax(-1), shapes((4, 5))),
    "reshape": (lambda x: x.reshape(2, 10) * 2.0, shapes((4, 5))),
    "transpose": (lambda x: x.T @ x, shapes((4, 5))),
}
REDUCTIONS = [
    (name, axis, keepdims)
    for name in ("sum", "mean", "max")
    for axis in (None, 0, 1, (0, 1))
    for keepdims in (False, True)
]


def inputs_for(sizes):
    rng = np.random.default_rng(5)
    return [rng.uniform(0.5, 2.0, size).astype(np.float32) for size in sizes]


def gradients(operation, arrays):
    tensors = [Tensor(a, requires_grad=True) for a in arrays]
    result = operation(*tensors)
    weights = np.cos(np.arange(result.data.size, dtype=np.float32)).reshape(result.shape)
    result.backward(weights)
    return result, weights, [t.grad for t in tensors]


def check_differences(operation, arrays):
    """Compare with central differences; float32 allows a percent."""
    _, weights, found = gradients(operation, arrays)
    step = 1e-2
    for index, changed in enumerate(arrays):
        expected = np.zeros_like(changed)
        for position in np.ndindex(changed.shape):
            sums = []
            for sign in (1, -1):
                moved = [a.copy() for a in arrays]
                moved[index][position] += sign * step
                values = operation(*map(Tensor, moved)).data.astype(np.float64)
                sums.append((values * weights).sum())
            expected[position] = (sums[0] - sums[1]) / (2 * step)
        assert found[index].shape == changed.shape and found[index].dtype == np.float32
        np.testing.assert_allclose(found[index], expected, rtol=2e-2, atol=2e-3)


@pytest.mark.parametrize("name", OPERATIONS)
def test_array_against_differences(name):
    operation, sizes = OPERATIONS[name]
    check_differences(operation, inputs_for(sizes))


@pytest.mark.parametrize(("name", "axis", "keepdims"), REDUCTIONS)
def test_reductions_against_differences(name, axis, keepdims):
    spaced = np.random.default_rng(2).permutation(20).reshape(4, 5).astype(np.float32) / 8
    check_differences(lambda x: getattr(x, name)(axis, keepdims), [spaced])


@pytest.mark.parametrize("name", [n for n in OPERATIONS if n not in ("reshape", "transpose")])
def test_array_against_tapegrad(name):
    operation, sizes = OPERATIONS[name]
    arrays = inputs_for(sizes)
    result, weights, found = gradients(operation, arrays)
    tensors = [tapegrad.tensor(a.tolist(), requires_grad=True) for a in arrays]
    expected = operation(*tensors)
    expected.backward(tapegrad.from_numpy(weights))
    np.testing.assert_allclose(result.data, expected.detach().numpy(), rtol=2e-6, atol=1e-6)
    for gradient, tensor in zip(found, tensors, strict=True):
        np.testing.assert_allclose(gradient, tensor.grad.numpy(), rtol=1e-5, atol=1e-6)


def test_cross_entropy():
    logits = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)
    target = np.array([0, 3, 2, 1, 1, 0])
    ours = Tensor(logits, requires_grad=True)
    loss = ours.cross_entropy(target)
    loss.backward()
    theirs = tapegrad.from_numpy(logits.copy()).requires_grad_()
    expected = tapegrad.nn.functional.cross_entropy(theirs, tapegrad.from_numpy(target))
    expected.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    np.testing.assert_allclose(ours.grad, theirs.grad.numpy(), rtol=1e-5, atol=1e-7)


def test_unbroadcast():
    gradient = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    for shape, axes in [
        ((2, 3, 4), ()),
        ((3, 4), (0,)),
        ((4,), (0, 1)),
        ((), (0, 1, 2)),
        ((3, 1), (0, 2)),
        ((2, 1, 4), (1,)),
        ((1, 1, 1), (0, 1, 2)),
    ]:
        expected = gradient.sum(axis=axes).reshape(shape)
        np.testing.assert_array_equal(_unbroadcast(gradient, shape), expected)


def test_tensor_itself():
    t = Tensor([[1, 2], [3, 4]], requires_grad=True)
    assert repr(t) == "Tensor(shape=(2, 2), requires_grad=True)"
    assert t.data.dtype == np.float32 and t.shape == (2, 2)
    (t * t).backward()
    assert t.grad.tolist() == [[2.0, 4.0], [6.0, 8.0]]
    t.zero_grad()
    assert t.grad is None
    assert not (Tensor([1.0]) * 2).requires_grad
    assert (np.ones(2, dtype=np.float32) + Tensor([1.0, 2.0])).data.tolist() == [2.0, 3.0]
    with pytest.raises(AssertionError, match="only supporting int/float powers"):
        t**t


def test_tensor_accumulates_in_leaves_only():
    x = Tensor([3.0], requires_grad=True)
    y = (x * x) * 2.0
    y.backward()
    y.backward()
    assert x.grad.tolist() == [24.0] and y.grad.tolist() == [1.0]


def test_deep_graph_is_freed_without_the_cycle_collector():
    gc.collect()
    gc.disable()
    try:
        before = len(gc.get_objects())
        x = y = Tensor([1.0], requires_grad=True)
        for _ in range(50_000):
            y = y * 1.00001
        y.backward()
        assert x.grad == pytest.approx(math.exp(0.5), rel=1e-2)
        del x, y
        assert len(gc.get_objects()) - before < 100
    finally:
        gc.enable()


def test_array_engine_learns_xor():
    rng = np.random.default_rng(42)
    inputs = Tensor([[0, 0], [0, 1], [1, 0], [1, 1]])
    target = Tensor([[0], [1], [1], [0]])
    parameters = [
        Tensor(rng.standard_normal((2, 8)), requires_grad=True),
        Tensor(np.zeros(8), requires_grad=True),
        Tensor(rng.standard_normal((8, 1)), requires_grad=True),
        Tensor(np.zeros(1), requires_grad=True),
    ]
    for _ in range(500):
        w1, b1, w2, b2 = parameters
        loss = (((inputs @ w1 + b1).tanh() @ w2 + b2 - target) ** 2).mean()
        loss.backward()
        for parameter in parameters:
            parameter.data = parameter.data - 0.2 * parameter.grad
            parameter.zero_grad()
    assert loss.item() < 0.01
