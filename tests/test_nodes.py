"""Nodes as Python objects, `autograd.Variable`, and what programs ask of the engine itself."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import tapegrad as tg
from both import both, leaf

# ---------------------------------------------------------------------- nodes as objects


@both
def test_nodes_are_instances_of_node(lib):
    class Double(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, grad):
            return grad * 2

    Node = lib.autograd.graph.Node
    x = leaf(lib, 1.0, 2.0)
    y = x * 3
    accumulate = y.grad_fn.next_functions[0][0]
    for node in (y.grad_fn, accumulate, Double.apply(x).grad_fn):
        assert isinstance(node, Node) and issubclass(type(node), Node)
        assert node.requires_grad is True
        assert "Backward" in node.name() or "AccumulateGrad" in node.name()
    assert not isinstance(x, Node) and not isinstance(None, Node)
    with pytest.raises(TypeError):
        Node()


def expect_name(lib, node, name):
    """Of a node that stands for no operator."""
    assert node.name() == f"{lib.__name__}::autograd::{name}"
    assert type(node).__name__ == name and repr(node).startswith(f"<{name} object at ")


@both
def test_names_of_nodes_that_stand_for_no_operator(lib):
    x = leaf(lib, 1.0, 2.0)
    y = x * 1
    expect_name(lib, y.grad_fn.next_functions[0][0], "AccumulateGrad")
    y[0].mul_(2)
    expect_name(lib, y.grad_fn, "CopySlices")
    expect_name(lib, lib.zeros(2).copy_(x).grad_fn, "CopyBackwards")


@both
def test_results_of_a_once_differentiable_backward(lib):
    class Product(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x, y, n):
            ctx.save_for_backward(x, y)
            return x * y

        @staticmethod
        @lib.autograd.function.once_differentiable
        def backward(ctx, grad):
            x, y = ctx.saved_tensors
            return grad * y, grad * x, None

    x, y, one = leaf(lib, 2.0), leaf(lib, 3.0), leaf(lib, 1.0)
    grads = lib.autograd.grad(Product.apply(x, y, 1), (x, y), one, create_graph=True)
    assert [g.item() for g in grads] == [3, 2] and grads[0].grad_fn is grads[1].grad_fn
    assert [g.output_nr for g in grads] == [0, 1] and all(g.requires_grad for g in grads)
    node = grads[0].grad_fn
    expect_name(lib, node, "Error")
    leaves = [next_ for next_, _ in node.next_functions]
    assert leaves[2] is None and x.view_as(x).grad_fn.next_functions[0][0] not in leaves
    for accumulate in leaves[:2]:
        expect_name(lib, accumulate, "AccumulateGrad")
    with pytest.raises(RuntimeError, match="trying to differentiate twice a function that was"):
        (grads[0] * 2).backward()


@both
@pytest.mark.parametrize("name", ["var_mean", "std_mean"])
def test_spread_and_mean_have_one_node(lib, name):
    x = leaf(lib, 1.0, 2.0, 4.0, 8.0).detach().reshape(2, 2).requires_grad_()
    function = getattr(lib, name)
    expected = {"var_mean": "VarMeanBackward0", "std_mean": "StdMeanBackward0"}[name]
    for arguments in ({}, {"dim": 1}, {"dim": 0, "correction": 0, "keepdim": True}):
        spread, mean = function(x, **arguments)
        assert spread.grad_fn is mean.grad_fn and spread.grad_fn.name() == expected
        assert (spread.output_nr, mean.output_nr) == (0, 1)
        apart = (
            getattr(lib, name[:3])(x, **arguments),
            x.mean(**{k: v for k, v in arguments.items() if k != "correction"}),
        )
        for weights in ((1, 0), (0, 1), (1, 1)):
            got = derivatives(lib, x, (spread, mean), weights)
            want = derivatives(lib, x, apart, weights)
            for g, w in zip(got, want, strict=True):
                np.testing.assert_allclose(g, w, rtol=1e-12)
    hooked = []
    spread, mean = function(x)
    spread.grad_fn.register_hook(lambda gi, go: hooked.append([g is not None for g in go]))
    spread.backward()
    assert hooked == [[True, False]]
    assert function(x.detach())[0].grad_fn is None
    with pytest.raises(RuntimeError, match="directly access saved tensors after"):
        spread.grad_fn._saved_self


def derivatives(lib, x, results, weights):
    """The first two derivatives of a sum of cubes, as lists."""
    total = sum(((r**3).sum() for r, w in zip(results, weights) if w), start=x.sum() * 0)
    (first,) = lib.autograd.grad(total, x, create_graph=True)
    (second,) = lib.autograd.grad((first**2).sum(), x, retain_graph=True)
    return first.tolist(), second.tolist()


@both
@pytest.mark.filterwarnings("ignore:index_reduce")
def test_index_reduce_has_a_node_of_its_own(lib):
    x, source, index = leaf(lib, 1.0, 2.0, 3.0), leaf(lib, 5.0, 7.0), lib.tensor([2, 0])
    for reduce in ("prod", "mean", "amax", "amin"):
        out = x.index_reduce(0, index, source, reduce)
        assert out.grad_fn.name() == "IndexReduceBackward0"
        assert out.grad_fn._saved_reduce == reduce and out.grad_fn._saved_dim == 0
        assert out.grad_fn._saved_index.tolist() == [2, 0]
        base = x * 1
        base[:].index_reduce_(0, index, source, reduce)
        weights = lib.tensor([1.0, 2.0, 3.0], dtype=lib.float64)
        want = lib.autograd.grad((out * weights).sum(), (x, source))
        got = lib.autograd.grad((base * weights).sum(), (x, source))
        assert [g.tolist() for g in got] == [g.tolist() for g in want]
    with pytest.raises(RuntimeError, match="directly access saved tensors after"):
        out.grad_fn._saved_index


@both
def test_calling_a_node(lib):
    x, y = leaf(lib, 1.0, 2.0), leaf(lib, 3.0, 4.0)
    one = lib.ones(2, dtype=lib.float64)
    node = (x * y).grad_fn
    first, second = node(one)
    assert first.tolist() == [3, 4] and second.tolist() == [1, 2]
    assert first.requires_grad == second.requires_grad is True  # recorded
    assert lib.autograd.grad(first.sum(), y)[0].tolist() == [1, 1]
    with lib.no_grad():
        assert not node(one)[0].requires_grad
    assert [g.tolist() for g in node(one)] == [[3, 4], [1, 2]]  # what was saved is still there
    assert node(None) == (None, None)
    assert x.exp().grad_fn(one).tolist() == x.exp().tolist()  # one input: no tuple
    constant = (x * 2).grad_fn
    assert constant(one)[0].tolist() == [2, 2] and constant(one)[1] is None
    accumulate = node.next_functions[0][0]
    assert accumulate(one) == () and x.grad.tolist() == [1, 1]
    accumulate(one)
    assert x.grad.tolist() == [2, 2]
    for arguments, message in [
        ((), "expected 1 arguments, got 0 instead"),
        ((one, one), "expected 1 arguments, got 2 instead"),
        ((1.0,), "argument 0 is not a Variable"),
    ]:
        with pytest.raises(TypeError, match=message):
            node(*arguments)
    with pytest.raises(TypeError, match="keyword arguments are not supported"):
        node(grad=one)
    z = x.exp()
    z.sum().backward()
    with pytest.raises(RuntimeError, match="Trying to backward through the graph a second time"):
        z.grad_fn(one)


def test_calling_a_node_with_what_does_not_fit():
    x = tg.ones(3, requires_grad=True)
    node = x.exp().grad_fn
    with pytest.raises(RuntimeError, match=r"argument 0 has the shape \[2\], but result 0"):
        node(tg.ones(2))
    assert node(tg.ones(3, dtype=tg.float64)).dtype == tg.float32
    assert node(tg.ones(6)[::2]).shape == (3,)


def test_every_operator_has_a_node_that_can_be_called():
    """The gradients are those of a backward pass."""
    x = tg.rand(3, 4, dtype=tg.float64, requires_grad=True)
    w = tg.rand(4, 2, dtype=tg.float64, requires_grad=True)
    results = [x @ w, x.sum(0), x.softmax(1), x[1:], x.cumsum(0), x.var(1), x.max(1)[0]]
    results += [tg.cat([x, x]), x.logsumexp(1), tg.where(x > 0.5, x, x * 2), tg.stack([x, x])]
    for y in results:
        grad = tg.rand(y.shape, dtype=tg.float64)
        grads = [None] * len(y.grad_fn._input_metadata)
        grads[y.output_nr] = grad
        found = y.grad_fn(*grads)
        found = found if isinstance(found, tuple) else (found,)
        edges = [edge for edge, _ in y.grad_fn.next_functions]
        want = tg.autograd.grad(y, [x, w], grad, allow_unused=True, retain_graph=True)
        for leaf_, total in zip((x, w), want, strict=True):
            parts = [
                f
                for f, e in zip(found, edges, strict=True)
                if f is not None and getattr(e, "variable", None) is leaf_
            ]
            if parts and total is not None and all(hasattr(e, "variable") for e in edges if e):
                np.testing.assert_allclose(sum(p.detach().numpy() for p in parts), total.numpy())


def test_a_node_called_from_a_hook():
    """The pass around it asks for one gradient only; the call gives all."""
    x, y = leaf(tg, 1.0, 2.0), leaf(tg, 3.0, 4.0)
    other = (x * y).grad_fn
    seen = []
    z = x * y
    z.grad_fn.register_prehook(lambda grads: seen.append([g.tolist() for g in other(*grads)]))
    tg.autograd.grad(z.sum(), x)
    assert seen == [[[3, 4], [1, 2]]]


@both
def test_numbers_and_notes_of_nodes(lib):
    x = leaf(lib, 1.0)
    first, second = (x * 2).grad_fn, (x * 3).grad_fn
    assert second._sequence_nr() > first._sequence_nr()
    second._set_sequence_nr(3)
    assert second._sequence_nr() == 3
    accumulate = first.next_functions[0][0]
    assert accumulate._sequence_nr() == 2**64 - 1 and accumulate.variable is x
    with pytest.raises((TypeError, OverflowError, RuntimeError)):
        second._set_sequence_nr(-1)
    y = x * 2
    y.grad_fn.metadata["note"] = [1]
    assert y.grad_fn.metadata == {"note": [1]} and y.grad_fn is y.grad_fn


@both
def test_the_order_of_nodes_follows_their_numbers(lib):
    x = leaf(lib, 1.0)
    a, b = x * 2, x * 3
    order = []
    a.register_hook(lambda grad: order.append("a"))
    b.register_hook(lambda grad: order.append("b"))
    total = a + b
    total.backward(retain_graph=True)
    a.grad_fn._set_sequence_nr(b.grad_fn._sequence_nr() + 1)
    total.backward()
    assert order == ["b", "a", "a", "b"] and x.grad.item() == 10


# ---------------------------------------------------------------------- Variable and its engine


@both
def test_variable(lib):
    Variable = lib.autograd.Variable
    x = lib.ones(2)
    v = Variable(x, requires_grad=True)
    assert type(v) is lib.Tensor and v.requires_grad and v.is_leaf and v is not x
    assert v.data_ptr() == x.data_ptr() and not x.requires_grad and not v._is_view()
    assert isinstance(v, Variable) and isinstance(x, Variable) and not isinstance(1, Variable)
    assert isinstance(lib.nn.Parameter(x), lib.autograd.variable.Variable)
    result = v * 2
    assert Variable(result).grad_fn is None and not Variable(result).requires_grad
    assert Variable().shape == (0,) and not Variable(x, False).requires_grad
    with pytest.warns(UserWarning, match="volatile was removed and now has no effect"):
        assert not Variable(x, volatile=True).requires_grad
    with pytest.raises(TypeError, match="Variable data has to be a tensor, but got list"):
        Variable([1.0])
    with pytest.raises(RuntimeError, match="Only Tensors of floating point and complex dtype can"):
        Variable(lib.arange(2), requires_grad=True)
    (v * v).sum().backward()
    assert v.grad.tolist() == [2, 2]


@both
def test_callbacks_of_the_engine(lib):
    engine = lib.autograd.Variable._execution_engine
    x = leaf(lib, 1.0)
    seen = []

    def late():
        seen.append(("late", x.grad.item()))

    def callback():
        seen.append(("first", x.grad.item(), lib.is_grad_enabled()))
        engine.queue_callback(late)  # callbacks may queue others
        assert len(seen) == 1

    def hook(grad):
        engine.queue_callback(callback)
        seen.clear()

    y = x * 2
    y.register_hook(hook)
    (y * 3).backward(retain_graph=True)
    assert seen == [("first", 6, False), ("late", 6)]
    # Once only, and also for gradients that are returned.
    x.grad = None
    x.sum().backward()
    assert len(seen) == 2
    assert lib.autograd.grad((y * 3).sum(), x)[0].item() == 6
    assert seen == [("first", 1, False), ("late", 1)]
    with pytest.raises(RuntimeError, match="Final callbacks can only be installed during backward"):
        engine.queue_callback(late)
    assert engine.is_checkpoint_valid()


@both
def test_callbacks_and_errors(lib):
    engine = lib.autograd.Variable._execution_engine
    x = leaf(lib, 1.0)
    seen = []

    def fails():
        raise ValueError("in the callback")

    y = x * 2
    handle = y.register_hook(lambda grad: engine.queue_callback(fails))
    with pytest.raises(ValueError, match="in the callback"):
        y.backward(retain_graph=True)
    handle.remove()

    def broken(grad):
        engine.queue_callback(lambda: seen.append(1))
        raise ValueError("in the hook")

    handle = y.register_hook(broken)
    with pytest.raises(ValueError, match="in the hook"):
        y.backward(retain_graph=True)
    handle.remove()
    y.backward()
    assert seen == []


@both
def test_a_pass_inside_of_another_has_callbacks_of_its_own(lib):
    engine = lib.autograd.Variable._execution_engine
    x = leaf(lib, 1.0)
    seen = []

    def inner_hook(grad):
        engine.queue_callback(lambda: seen.append("inner"))

    def outer_hook(grad):
        engine.queue_callback(lambda: seen.append("outer"))
        with lib.enable_grad():
            z = x.detach().requires_grad_() * 2
            z.register_hook(inner_hook)
        z.backward()
        seen.append("between")

    y = x * 2
    y.register_hook(outer_hook)
    y.backward()
    assert seen == ["inner", "between", "outer"]


@both
def test_the_switch_for_the_threads_of_the_engine(lib):
    autograd = lib.autograd
    assert autograd.is_multithreading_enabled()
    with autograd.set_multithreading_enabled(False):
        assert not autograd.is_multithreading_enabled()
        with autograd.set_multithreading_enabled(True):
            assert autograd.is_multithreading_enabled()
        assert not autograd.is_multithreading_enabled()
        x = leaf(lib, 1.0)
        (x * 2).backward()
        assert x.grad.item() == 2
    assert autograd.is_multithreading_enabled()

    @autograd.set_multithreading_enabled(False)
    def inside():
        return autograd.is_multithreading_enabled()

    assert not inside()
    autograd.set_multithreading_enabled(True)
    assert autograd.is_multithreading_enabled()


def test_create_graph_in_backward_warns_once():
    program = """
import warnings
import tapegrad as tg
warnings.simplefilter("always")
x = tg.ones(1, requires_grad=True)
tg.autograd.grad((x * x).sum(), x, create_graph=True)
(x * x).sum().backward()
for _ in range(2):
    (x * x).sum().backward(create_graph=True)
tg.autograd.backward((x * x).sum(), create_graph=True)
x.grad = None
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("UserWarning: Using backward() with create_graph=True will") == 1


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("allow_unused", [None, True])
@both
def test_zeros_for_inputs_that_are_not_used(lib, create_graph, allow_unused):
    x, y = leaf(lib, 1.0, 2.0), leaf(lib, 3.0)
    z = y * 1
    found = lib.autograd.grad(
        (x * x).sum(), [x, y, z], materialize_grads=True,
        allow_unused=allow_unused, create_graph=create_graph,
    )  # fmt: skip
    assert [g.tolist() for g in found] == [[2, 4], 0, 0]
    assert [g.requires_grad for g in found] == [create_graph] * 3
    rows = lib.autograd.grad(
        x * 2, [x, y], lib.eye(2, dtype=lib.float64), is_grads_batched=True, materialize_grads=True
    )
    assert tuple(rows[0].shape) == (2, 2) and rows[1].sum().item() == 0
    assert not any(g.requires_grad for g in rows)


@both
@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("Mul", lambda lib, x: x * 1),
        ("T1", lambda lib, x: (x * 1).t_()),
        ("Transpose1", lambda lib, x: (x * 1).transpose_(0, 1)),
        ("Sum1", lambda lib, x: x.sum(0)),
        ("VarMean", lambda lib, x: lib.var_mean(x)[0]),
        ("{}::autograd::CopyBackwards", lambda lib, x: lib.zeros_like(x).copy_(x)),
    ],
)
def test_names_of_operations_in_messages(lib, name, make):
    x = leaf(lib, 1.0, 2.0).detach().reshape(1, 2).requires_grad_()
    y = make(lib, x)
    z = y.sin().sum()
    with lib.no_grad():
        y.add_(1)
    name = name.format(lib.__name__)
    with pytest.raises(RuntimeError, match=rf"which is output 0 of {name}, is at version \d; exp"):
        z.backward()
