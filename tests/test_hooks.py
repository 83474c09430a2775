"""Hooks on tensors, on nodes and on modules, and what nodes show of themselves."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import tapegrad
from both import both, function, leaf
from support import counts, raises, repeat

# Hooks on tensors --------------------------------------------------------------------------


@both
def test_order_and_replacement(lib) -> None:
    seen = []
    x = leaf(lib, 2.0)
    y = x * 3
    y.register_hook(lambda g: seen.append(("first", g.item())) or g * 2)
    y.register_hook(lambda g: seen.append(("second", g.item())))
    y.register_hook(lambda g: seen.append(("third", g.item())) or g + 1)
    (y * 5).backward()
    assert seen == [("first", 5.0), ("second", 10.0), ("third", 10.0)]
    assert x.grad.item() == 33.0


@both
def test_hooks_of_a_leaf(lib) -> None:
    x = leaf(lib, 2.0)
    x.register_hook(lambda g: g * 2)
    (x * 3 + x).backward()
    assert x.grad.item() == 8.0
    (g,) = lib.autograd.grad(x * 3, x)
    assert g.item() == 6.0


@both
@pytest.mark.parametrize("stop", ["requires_grad_", "detach_"])
def test_hooks_of_what_was_a_leaf(lib, stop: str) -> None:
    """They see what arrives from earlier graphs, though nothing is kept, and live on."""
    seen = []
    x = leaf(lib, 2.0)
    x.register_hook(lambda g: seen.append(g.item()))
    x.register_post_accumulate_grad_hook(lambda t: seen.append(t.grad))
    y = x * 3
    x.requires_grad_(False) if stop == "requires_grad_" else x.detach_()
    y.backward()
    assert seen == [3.0, None]
    assert x.grad is None
    x.requires_grad_()
    (x * 5).backward()
    assert seen == [3.0, None, 5.0, x.grad]


@both
def test_hooks_of_a_result_that_becomes_a_leaf(lib) -> None:
    seen = []
    x = leaf(lib, 2.0)
    y = x * 2
    y.register_hook(lambda g: seen.append(g.item()))
    y.retain_grad()
    z = y * 3
    y.detach_()
    assert (y.requires_grad, y.retains_grad) == (False, True)
    z.backward()
    assert (seen, x.grad.item(), y.grad.item()) == ([3.0], 6.0, 3.0)
    y.requires_grad_()
    (y * 7).backward()
    assert (seen, y.grad.item()) == ([3.0, 7.0], 10.0)


@both
def test_leaf_that_became_a_result(lib) -> None:
    x, y = leaf(lib, 2.0), leaf(lib, 5.0)
    z = x * 3
    x.requires_grad_(False)
    x.mul_(y)
    with raises(RuntimeError, "leaf variable has been moved into the graph interior", lib=lib):
        z.backward()


@both
def test_hook_sees_the_sum_of_all_uses(lib) -> None:
    seen = []
    x = leaf(lib, 2.0)
    y = x * 1
    y.register_hook(lambda g: seen.append(g.item()))
    (y * 2 + y * 3 + y).backward()
    assert seen == [6.0]


@both
def test_removal(lib) -> None:
    x = leaf(lib, 2.0)
    y = x * 3
    first = y.register_hook(lambda g: g * 2)
    second = y.register_hook(lambda g: g * 10)
    first.remove()
    first.remove()
    y.backward(retain_graph=True)
    assert x.grad.item() == 30.0
    second.remove()
    y.backward()
    assert x.grad.item() == 33.0


@both
def test_handle_is_a_context_manager(lib) -> None:
    x = leaf(lib, 2.0)
    with x.register_hook(lambda g: g * 2) as handle:
        (x * 1).backward()
        assert handle.id >= 0
    (x * 1).backward()
    assert x.grad.item() == 3.0


@both
def test_registered_before_and_after_use(lib) -> None:
    for late in (False, True):
        for on_leaf in (False, True):
            x = leaf(lib, 2.0)
            y = x * 3
            target = x if on_leaf else y
            if not late:
                target.register_hook(lambda g: g * 2)
            z = y * 5
            if late:
                target.register_hook(lambda g: g * 2)
            z.backward()
            assert x.grad.item() == 30.0


@both
def test_hook_that_removes_itself(lib) -> None:
    seen = []
    x = leaf(lib, 2.0)

    def hook(g):
        seen.append("hook")
        handle.remove()

    handle = x.register_hook(hook)
    x.register_hook(lambda g: seen.append("other"))
    (x * 1).backward()
    (x * 1).backward()
    assert seen == ["hook", "other", "other"]


@both
def test_same_hook_twice(lib) -> None:
    x = leaf(lib, 2.0)

    def double(g):
        return g * 2

    x.register_hook(double)
    handle = x.register_hook(double)
    (x * 1).backward()
    assert x.grad.item() == 4.0
    handle.remove()
    (x * 1).backward()
    assert x.grad.item() == 6.0


@both
def test_hook_needs_a_gradient(lib) -> None:
    with raises(
        RuntimeError,
        "cannot register a hook on a tensor that doesn't require gradient",
        lib=lib,
    ):
        lib.ones(2).register_hook(print)
    with lib.no_grad():
        y = leaf(lib, 1.0) * 2
    with raises(RuntimeError, "cannot register a hook on a tensor that doesn't require", lib=lib):
        y.register_hook(print)


@both
def test_hook_returns_something_else(lib) -> None:
    x = leaf(lib, 1.0, 2.0)
    y = x * 2

    def run(result: Callable[[Any], Any]) -> None:
        def my_hook(g):
            return result(g)

        with y.register_hook(my_hook):
            y.sum().backward(retain_graph=True)

    with raises(TypeError, "expected Variable, but hook returned 'int'", lib=lib):
        run(lambda g: 3)
    with raises(RuntimeError, "hook 'my_hook' has changed the size of value", lib=lib):
        run(lambda g: g.sum())
    with raises(
        RuntimeError,
        "hook 'my_hook' has changed the type of value (was tapegrad.DoubleTensor got "
        "tapegrad.FloatTensor)",
        lib=lib,
    ):
        run(lambda g: g.float())
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]


@both
def test_hook_without_a_name(lib) -> None:
    class Hook:
        def __call__(self, g):
            return g.sum()

    y = leaf(lib, 1.0, 2.0) * 2
    y.register_hook(Hook())
    with raises(RuntimeError, "hook '<unknown>' has changed the size of value", lib=lib):
        y.sum().backward()


@both
def test_exception_in_a_hook(lib) -> None:
    class Mine(Exception):
        pass

    def bad(g):
        raise Mine("here")

    x = leaf(lib, 1.0)
    y = x * 2
    with y.register_hook(bad), pytest.raises(Mine, match="here"):
        y.backward(retain_graph=True)
    assert x.grad is None
    y.backward()
    assert x.grad.item() == 2.0


@both
def test_hooks_and_retain_grad(lib) -> None:
    """retain_grad sees what all hooks made of the gradient, whenever they were registered."""
    for first in (True, False):
        x = leaf(lib, 2.0)
        y = x * 3
        if first:
            y.retain_grad()
        y.register_hook(lambda g: g * 2)
        y.retain_grad()
        y.register_hook(lambda g: g * 5)
        y.backward()
        assert y.grad.item() == 10.0
        assert x.grad.item() == 30.0


@both
def test_retain_grad_on_a_leaf(lib) -> None:
    x = leaf(lib, 2.0)
    x.retain_grad()
    assert not x.retains_grad
    x.register_hook(lambda g: g * 2)
    (x * 3).backward()
    assert x.grad.item() == 6.0


@both
def test_hook_before_a_change_in_place(lib) -> None:
    """It belongs to the value that the tensor had; hooks registered later to the new one."""
    seen = []
    x = leaf(lib, 2.0)
    y = x * 3
    y.register_hook(lambda g: seen.append(("before", g.item())))
    y.mul_(2)
    y.register_hook(lambda g: seen.append(("after", g.item())))
    (y * 5).backward()
    assert seen == [("after", 5.0), ("before", 10.0)]
    assert x.grad.item() == 30.0


@both
def test_retain_grad_and_a_change_in_place(lib) -> None:
    x = leaf(lib, 2.0)
    y = x * 3
    y.retain_grad()
    y.mul_(2)
    (y * 5).backward()
    assert y.grad.item() == 5.0


@both
def test_hook_on_a_leaf_that_becomes_a_result(lib) -> None:
    """What was registered on the leaf stays with the leaf's own gradient."""
    seen = []
    x = lib.zeros((), dtype=lib.float64)
    w = leaf(lib, 3.0)
    x.add_(w)
    x.register_hook(lambda g: seen.append(g.item()))
    (x * 4).backward()
    assert seen == [4.0]


@both
def test_hook_on_a_view_after_a_write_to_its_base(lib) -> None:
    seen = []
    x = leaf(lib, 1.0, 2.0)
    y = x * 1
    v = y[0]
    y.mul_(3)
    assert v.grad_fn.name() == "AsStridedBackward0"  # PyTorch crashes without a look at it
    v.register_hook(lambda g: seen.append(g.item()) or g * 2)
    (v * 5).backward()
    assert seen == [5.0]
    assert x.grad.tolist() == [30.0, 0.0]


@both
def test_hook_on_one_of_several_outputs(lib) -> None:
    seen = []
    x = leaf(lib, 1.0, 2.0)
    a, b = x.unbind()
    b.register_hook(lambda g: seen.append(g.item()))
    (a + b * 2).backward(retain_graph=True)
    assert seen == [2.0]
    if lib is tapegrad:  # PyTorch calls it with None
        a.backward()
        assert seen == [2.0]


@both
def test_hook_with_create_graph(lib) -> None:
    x = leaf(lib, 2.0)
    y = x**2
    y.register_hook(lambda g: g * x)
    (g,) = lib.autograd.grad(y, x, create_graph=True)
    (h,) = lib.autograd.grad(g, x)
    assert (g.item(), h.item()) == (8.0, 8.0)


@both
def test_grad_mode_inside_hooks(lib) -> None:
    seen = []
    x = leaf(lib, 2.0)
    x.register_hook(lambda g: seen.append(lib.is_grad_enabled()))
    (x * 2).backward()
    (x * 2).backward(create_graph=True)
    assert seen == [False, True]


@both
def test_hook_of_the_root(lib) -> None:
    x = leaf(lib, 2.0)
    y = x * 3
    y.register_hook(lambda g: g * 7)
    y.backward()
    assert x.grad.item() == 21.0


@both
def test_hooks_do_not_run_where_no_gradient_goes(lib) -> None:
    seen = []
    x, w = leaf(lib, 2.0), leaf(lib, 3.0)
    y = x * 3
    y.register_hook(lambda g: seen.append("y"))
    z = y * w
    lib.autograd.grad(z, w, retain_graph=True)
    assert seen == []
    (g,) = lib.autograd.grad(z, y)
    assert seen == ["y"]
    assert g.item() == 3.0


@both
def test_captured_gradient_is_the_hooked_one(lib) -> None:
    x = leaf(lib, 2.0)
    y = x * 3
    y.register_hook(lambda g: g * 10)
    (gy,) = lib.autograd.grad(y * 5, y, retain_graph=True)
    assert gy.item() == 50.0
    gy, gx = lib.autograd.grad(y * 5, (y, x))
    assert gx.item() == 150.0
    if lib is tapegrad:  # in PyTorch it depends on whether more than y is asked for
        assert gy.item() == 50.0


@both
def test_hook_with_detached_gradient(lib) -> None:
    """The tensor a hook gets may be kept; later accumulation does not change it."""
    kept = []
    x = leaf(lib, 2.0)
    x.register_hook(kept.append)
    (x * 3).backward()
    (x * 4).backward()
    assert [g.item() for g in kept] == [3.0, 4.0]
    assert x.grad.item() == 7.0


# After accumulation ------------------------------------------------------------------------


@both
def test_post_accumulate_grad_hook(lib) -> None:
    seen = []
    x = leaf(lib, 2.0)

    def step(p):
        assert p is x
        seen.append(p.grad.item())
        p.grad = None

    handle = x.register_post_accumulate_grad_hook(step)
    (x * 3).backward()
    assert seen == [3.0]
    assert x.grad is None
    x.register_post_accumulate_grad_hook(lambda p: seen.append("second"))
    (x * 3 + x).backward()
    assert seen == [3.0, 4.0, "second"]
    handle.remove()
    (x * 3).backward()
    assert seen[3:] == ["second"]
    lib.autograd.grad(x * 3, x)
    assert seen[4:] == []


@both
def test_post_accumulate_grad_hook_runs_last(lib) -> None:
    order = []
    x = leaf(lib, 2.0)
    x.register_post_accumulate_grad_hook(lambda p: order.append("accumulated"))
    x.register_hook(lambda g: order.append("tensor"))
    y = x * 2
    node = y.grad_fn.next_functions[0][0]
    node.register_prehook(lambda g: order.append("pre"))
    node.register_hook(lambda gi, go: order.append("post"))
    y.backward()
    assert order == ["tensor", "pre", "accumulated", "post"]
    order.clear()
    lib.autograd.grad(x * 2, x)
    assert order == ["tensor"]


@both
def test_post_accumulate_grad_hook_errors(lib) -> None:
    with raises(
        RuntimeError,
        "cannot register a hook on a tensor that doesn't require gradient",
        lib=lib,
    ):
        lib.ones(2).register_post_accumulate_grad_hook(print)
    with raises(
        RuntimeError,
        "post accumulate grad hooks cannot be registered on non-leaf tensors",
        lib=lib,
    ):
        (leaf(lib, 1.0) * 1).register_post_accumulate_grad_hook(print)
    x = leaf(lib, 1.0)
    with (
        x.register_post_accumulate_grad_hook(lambda p: p.grad),
        raises(RuntimeError, "Tensor post accumulate grad hooks should return None.", lib=lib),
    ):
        (x * 1).backward()
    with (
        x.register_post_accumulate_grad_hook(lambda p: 3),
        raises(TypeError, "expected Variable, but hook returned 'int'", lib=lib),
    ):
        (x * 1).backward()


@both
def test_optimizer_in_backward(lib) -> None:
    layer = lib.nn.Linear(3, 2)
    optimizers = {p: lib.optim.SGD([p], lr=0.1) for p in layer.parameters()}

    def step(p):
        optimizers[p].step()
        optimizers[p].zero_grad()

    for p in layer.parameters():
        p.register_post_accumulate_grad_hook(step)
    with lib.no_grad():
        layer.bias.fill_(0.5)
    layer(lib.ones(1, 3)).sum().backward()
    assert layer.bias.tolist() == pytest.approx([0.4, 0.4])
    assert layer.weight.grad is None


# Hooks on nodes ----------------------------------------------------------------------------


@both
def test_node_hook(lib) -> None:
    seen = []
    x, w = leaf(lib, 2.0), lib.tensor(3.0, dtype=lib.float64)
    y = x * w

    def hook(grad_inputs, grad_outputs):
        seen.append((grad_inputs, grad_outputs))
        return (grad_inputs[0] * 10, None)

    handle = y.grad_fn.register_hook(hook)
    (y * 5).backward(retain_graph=True)
    ((a, b), (c,)) = seen[0]
    assert (a.item(), b, c.item()) == (15.0, None, 5.0)
    assert x.grad.item() == 150.0
    handle.remove()
    (y * 5).backward()
    assert x.grad.item() == 165.0


@both
def test_node_prehook(lib) -> None:
    seen = []
    x = leaf(lib, 2.0)
    y = x * 3

    def hook(grad_outputs):
        seen.append(grad_outputs[0].item())
        return (grad_outputs[0] * 10,)

    handle = y.grad_fn.register_prehook(hook)
    (y * 5).backward(retain_graph=True)
    assert seen == [5.0]
    assert x.grad.item() == 150.0
    handle.remove()
    (y * 5).backward()
    assert x.grad.item() == 165.0


@both
def test_order_of_all_kinds(lib) -> None:
    order = []
    x = leaf(lib, 2.0)
    y = x * 3
    node = y.grad_fn
    node.register_hook(lambda gi, go: order.append("post"))
    node.register_prehook(lambda g: order.append("pre"))
    y.register_hook(lambda g: order.append("tensor 1"))
    y.retain_grad()
    y.register_hook(lambda g: order.append("tensor 2"))
    x.register_hook(lambda g: order.append("leaf"))
    y.backward()
    assert order == ["tensor 1", "tensor 2", "pre", "post", "leaf"]


@both
def test_node_hook_gets_what_prehooks_made(lib) -> None:
    seen = []
    x = leaf(lib, 2.0)
    y = x * 3
    y.grad_fn.register_prehook(lambda g: (g[0] * 2,))
    y.grad_fn.register_hook(lambda gi, go: seen.append((gi[0].item(), go[0].item())))
    y.backward()
    assert seen == [(6.0, 2.0)]


@both
def test_node_hook_mistakes(lib) -> None:
    def run(result: Any, pre: bool = False) -> None:
        y = leaf(lib, 1.0, 2.0) * 2

        def my_hook(*args):
            return result

        (y.grad_fn.register_prehook if pre else y.grad_fn.register_hook)(my_hook)
        y.sum().backward()

    good = lib.ones(2, dtype=lib.float64)
    with raises(
        RuntimeError,
        "hook 'my_hook' has returned an incorrect number of values (got 3, but expected 2)",
        lib=lib,
    ):
        run((good, good, good))
    with raises(
        RuntimeError,
        "hook 'my_hook' has returned an incorrect number of values (got 2, but expected 1)",
        lib=lib,
    ):
        run((good, good), pre=True)
    with raises(RuntimeError, "hook 'my_hook' has changed the size of value", lib=lib):
        run((lib.ones(3, dtype=lib.float64), None))
    with raises(TypeError, "expected Variable, but hook returned 'int'", lib=lib):
        run((3, None))
    with raises(RuntimeError, "can't replace a None gradient with a non-None value", lib=lib):
        run((good, good))
    for pre in (False, True):
        with raises(TypeError, "expected tuple, but hook returned 'Tensor'", lib=lib):
            run(good, pre)


@both
def test_node_hooks_run_though_no_gradient_arrives(lib) -> None:
    """Hooks on tensors do not, as there is no gradient to be seen."""

    Nothing = function(lib, lambda ctx, x: x * 1, lambda ctx, g: None)
    seen = []
    x = leaf(lib, 2.0)
    y = x * 3
    node, end = y.grad_fn, y.grad_fn.next_functions[0][0]
    node.register_prehook(lambda go: seen.append(("pre", go)))
    node.register_hook(lambda gi, go: seen.append(("post", gi, go)))
    end.register_prehook(lambda go: seen.append(("pre of the end", go)))
    end.register_hook(lambda gi, go: seen.append(("post of the end", gi, go)))
    x.register_post_accumulate_grad_hook(lambda p: seen.append(p.grad))
    if lib is tapegrad:
        y.register_hook(seen.append)
        x.register_hook(seen.append)
    Nothing.apply(y).backward()
    assert seen == [
        ("pre", (None,)),
        ("post", (None, None), (None,)),
        ("pre of the end", (None,)),
        None,
        ("post of the end", (), (None,)),
    ]


@both
def test_node_hooks_see_what_is_passed_on(lib) -> None:
    """Gradients in the shapes and types of the inputs; saved values are there to the end."""

    class Add(lib.autograd.Function):
        @staticmethod
        def forward(ctx, a, b):
            return a + b

        @staticmethod
        def backward(ctx, g):
            return g, g.float()

    seen = []
    a = lib.ones(3, dtype=lib.float64, requires_grad=True)
    b = lib.ones(2, 3, dtype=lib.float64, requires_grad=True)
    y = Add.apply(a, b)
    y.grad_fn.register_hook(lambda gi, go: seen.extend((tuple(g.shape), g.dtype) for g in gi))
    z = y.exp()
    z.grad_fn.register_prehook(lambda go: seen.append(z.grad_fn._saved_result.shape))
    z.grad_fn.register_hook(lambda gi, go: seen.append(z.grad_fn._saved_result.shape))
    z.sum().backward()
    assert seen == [(2, 3), (2, 3), ((3,), lib.float64), ((2, 3), lib.float64)]
    with raises(RuntimeError, "Trying to backward through the graph a second time", lib=lib):
        _ = z.grad_fn._saved_result


@both
def test_hooks_that_hooks_register(lib) -> None:
    """On a node behind they run; on another result of the same node, the next time."""
    seen = []
    x = leaf(lib, 1.0, 2.0)
    y = x * 1
    first, second = y.unbind()

    def register(g):
        seen.append("first")
        if len(seen) == 1:
            second.register_hook(lambda g: seen.append("second"))
            y.register_hook(lambda g: seen.append("behind"))

    first.register_hook(register)
    loss = first * 2 + second
    loss.backward(retain_graph=True)
    assert seen == ["first", "behind"]
    loss.backward()
    assert seen == ["first", "behind", "first", "second", "behind"]


@both
def test_hooks_of_an_accumulating_node(lib) -> None:
    seen = []
    x = leaf(lib, 2.0)
    y = x * 3
    node = y.grad_fn.next_functions[0][0]
    node.register_prehook(lambda g: (g[0] * 2,))
    node.register_hook(lambda gi, go: seen.append((gi, go[0].item())))
    y.backward()
    assert seen == [((), 6.0)]
    assert x.grad.item() == 6.0


@both
def test_node_hooks_stay_with_the_node(lib) -> None:
    """Not with the Python object, which may come and go."""
    seen = []
    x = leaf(lib, 2.0)
    y = x * 3
    y.grad_fn.register_hook(lambda gi, go: seen.append(1))
    gc.collect()
    y.backward()
    assert seen == [1]


@both
def test_node_hook_in_functions_with_several_outputs(lib) -> None:
    seen = []
    x = leaf(lib, 1.0, 2.0)
    a, _ = x.unbind()
    a.grad_fn.register_prehook(lambda g: seen.append([v if v is None else v.item() for v in g]))
    a.backward()
    assert seen == [[1.0, None]]


# Nodes -------------------------------------------------------------------------------------


@both
def test_identity(lib) -> None:
    x = leaf(lib, 2.0)
    y = x * 3
    assert y.grad_fn is y.grad_fn
    z = y + y
    assert z.grad_fn.next_functions[0][0] is y.grad_fn
    assert z.grad_fn.next_functions[1][0] is y.grad_fn
    assert y.grad_fn == y.grad_fn
    assert hash(y.grad_fn) == hash(y.grad_fn)
    assert (x * 2).grad_fn is not y.grad_fn


@both
def test_one_accumulating_node_per_leaf(lib) -> None:
    x = leaf(lib, 2.0)
    y, z = x * 3, x.exp()
    node = y.grad_fn.next_functions[0][0]
    assert z.grad_fn.next_functions[0][0] is node
    assert type(node).__name__ == "AccumulateGrad"
    assert node.variable is x
    assert node.next_functions == ()
    with pytest.raises(AttributeError):
        y.grad_fn.variable


@both
def test_nodes_are_instances_of_the_base_class(lib) -> None:
    y = leaf(lib, 2.0) * 3
    Node = lib.autograd.graph.Node
    assert isinstance(y.grad_fn, Node)
    assert isinstance(y.grad_fn.next_functions[0][0], Node)
    assert not isinstance(y, Node)


@both
def test_attributes_of_nodes(lib) -> None:
    y = leaf(lib, 2.0) * 3
    node = y.grad_fn
    assert node.name() == "MulBackward0"
    assert repr(node).startswith("<MulBackward0 object at 0x")
    node.metadata["key"] = [1]
    del node
    gc.collect()
    assert y.grad_fn.metadata == {"key": [1]}
    if lib is tapegrad:
        assert weakref.ref(y.grad_fn)() is y.grad_fn
    first = (y * 2).grad_fn._sequence_nr()
    assert (y * 2).grad_fn._sequence_nr() > first


@both
def test_saved_values(lib) -> None:
    x, w = leaf(lib, 2.0), leaf(lib, 3.0)
    y = x * w
    assert y.grad_fn._saved_self is x
    assert y.grad_fn._saved_other is w
    e = x.exp()
    assert e.grad_fn._saved_result.item() == pytest.approx(7.389056)
    assert e.grad_fn._saved_result.grad_fn is e.grad_fn
    with pytest.raises(AttributeError):
        y.grad_fn._saved_nonsense
    assert "_saved_self" in dir(y.grad_fn)
    square = x**2
    assert (square.grad_fn._saved_exponent, square.grad_fn._saved_self) == (2, x)
    zeroth = x**0
    assert (zeroth.grad_fn.name(), zeroth.grad_fn._saved_exponent) == ("PowBackward0", 0)
    total = lib.ones(2, 3, requires_grad=True).sum((0, 1), keepdim=True)
    node = total.grad_fn
    assert (node._saved_dim, node._saved_keepdim, node._saved_self_sym_sizes) == (
        (0, 1),
        True,
        (2, 3),
    )


@both
def test_saved_values_of_views(lib) -> None:
    x = lib.ones(2, 3, 4, requires_grad=True)
    sizes = {"self_sym_sizes": (2, 3, 4)}
    for view, saved in (
        (x.view(6, 4), sizes),
        (x.expand(5, 2, 3, 4), sizes),
        (x.squeeze(), sizes),
        (x[1], {"dim": 0, "index": 1, **sizes}),
        (x[:, 1:3], {"dim": 1, "start": 1, "end": 3, "step": 1, **sizes}),
        (x.unsqueeze(1), {"dim": 1}),
        (x.squeeze(0), {"dim": 0, **sizes}),
        (x.transpose(0, 1), {"dim0": 0, "dim1": 1}),
        (x.permute(2, 0, 1), {"dims": (2, 0, 1)}),
        (x[0].diagonal(), {"offset": 0, "dim1": 0, "dim2": 1, "self_sym_sizes": (3, 4)}),
    ):
        node = view.grad_fn
        names = {name for name in dir(node) if name.startswith("_saved_")}
        assert names == {f"_saved_{name}" for name in saved}, node.name()
        for name, value in saved.items():
            assert getattr(node, f"_saved_{name}") == value, (node.name(), name)


FREED = (
    "Trying to backward through the graph a second time (or directly access saved tensors after "
    "they have already been freed). Saved intermediate values of the graph are freed when you call "
    ".backward() or autograd.grad(). Specify retain_graph=True if you need to backward through the "
    "graph a second time or if you need to access saved tensors after calling backward."
)


@both
def test_saved_values_after_being_freed(lib) -> None:
    x, w = leaf(lib, 2.0), leaf(lib, 3.0)
    y = x * w
    z = y.exp()
    z.backward()
    for node, name in (
        (y.grad_fn, "_saved_self"),
        (y.grad_fn, "_saved_other"),
        (z.grad_fn, "_saved_result"),
    ):
        with raises(RuntimeError, FREED, lib=lib):
            getattr(node, name)


@both
def test_saved_values_that_were_overwritten(lib) -> None:
    x = leaf(lib, 2.0)
    y = x * 1
    z = y * y
    y.add_(1)
    with raises(
        RuntimeError, "one of the variables needed for gradient computation has been", lib=lib
    ):
        z.grad_fn._saved_self


@both
def test_raw_saved_values(lib) -> None:
    x, w = leaf(lib, 2.0), leaf(lib, 3.0)
    y = x * w
    y.grad_fn._raw_saved_other.register_hooks(lambda t: t.detach() * 10, lambda t: t)
    with raises(
        RuntimeError,
        "Calling register_hooks on a saved tensor whose hooks have already been set. Hint: only "
        "one pair of hooks is allowed at a time.",
        lib=lib,
    ):
        y.grad_fn._raw_saved_other.register_hooks(lambda t: t, lambda t: t)
    y.backward()
    assert x.grad.item() == 30.0


def test_raw_saved_value_outlives_its_node() -> None:
    lib = tapegrad  # PyTorch crashes
    raw = (leaf(lib, 2.0) * leaf(lib, 3.0)).grad_fn._raw_saved_self
    gc.collect()
    raw.register_hooks(lambda t: t, lambda t: t)


@both
def test_graph_outlives_its_tensors(lib) -> None:
    x = leaf(lib, 2.0)
    y = x * 3
    node = (y * 5).grad_fn
    del y
    gc.collect()
    assert node.next_functions[0][0].name() == "MulBackward0"
    assert node.next_functions[0][0].next_functions[0][0].variable is x


@both
def test_walk_over_a_graph(lib) -> None:
    x = leaf(lib, 2.0)
    y = x
    for _ in range(50):
        y = y.sin() + x
    names: dict = {}
    stack, seen = [y.grad_fn], set()
    while stack:
        node = stack.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        names[type(node).__name__] = names.get(type(node).__name__, 0) + 1
        stack.extend(n for n, _ in node.next_functions)
    assert names == {"AddBackward0": 50, "SinBackward0": 50, "AccumulateGrad": 1}


# Modules -----------------------------------------------------------------------------------


@both
def test_module_hooks(lib) -> None:
    order = []
    layer = lib.nn.Linear(2, 2).double()
    handles = [
        layer.register_forward_pre_hook(lambda m, args: order.append("pre") or (args[0] * 2,)),
        layer.register_forward_hook(lambda m, args, out: order.append("forward") or out * 10),
        layer.register_full_backward_hook(
            lambda m, gi, go: order.append(("backward", len(gi), len(go))) or (gi[0] * 100,)
        ),
        layer.register_full_backward_pre_hook(lambda m, go: order.append("backward pre")),
    ]
    x = leaf(lib, 1.0, 2.0)
    plain = lib.nn.functional.linear(x * 2, layer.weight, layer.bias) * 10
    out = layer(x)
    assert out.tolist() == pytest.approx(plain.tolist())
    out.sum().backward()
    assert order == ["pre", "forward", "backward pre", ("backward", 1, 1)]
    want = (layer.weight.sum(0) * 10 * 100).tolist()
    assert [g / 2 for g in x.grad.tolist()] == pytest.approx(want) or x.grad.tolist() == (
        pytest.approx(want)
    )
    for handle in handles:
        handle.remove()
    del order[:]
    layer(x).sum().backward()
    assert order == []


@both
def test_module_hooks_and_inputs_without_gradient(lib) -> None:
    """They are what they were inside of the module; hooks see zeros for them."""
    inside, seen = [], []

    class Scaled(lib.nn.Module):
        def forward(self, a, b):
            inside.append((a.requires_grad, b.requires_grad))
            return a * b, a * 2

    module = Scaled()
    module.register_full_backward_hook(lambda m, gi, go: seen.append((gi, go)))
    a, b = leaf(lib, 1.0, 2.0), leaf(lib, 3.0, 4.0).detach()
    first, _ = module(a, b)
    assert inside == [(True, False)]
    first.sum().backward()
    ((inputs, outputs),) = seen
    assert [g.tolist() for g in inputs] == [[3.0, 4.0], [0.0, 0.0]]
    assert (outputs[0].tolist(), outputs[1]) == ([1.0, 1.0], None)
    with raises(RuntimeError, "Output 0 of BackwardHookFunction is a view and is being", lib=lib):
        module(a, b)[0].mul_(2)


@both
def test_module_hook_as_context_manager(lib) -> None:
    calls = []
    layer = lib.nn.Linear(2, 2)
    with layer.register_forward_hook(lambda m, a, o: calls.append(1)):
        layer(lib.ones(1, 2))
    layer(lib.ones(1, 2))
    assert calls == [1]


# Memory ------------------------------------------------------------------------------------


def tensor_hooks() -> Callable[[], None]:
    x = tapegrad.ones(3, requires_grad=True)

    def step() -> None:
        y = x * 2
        y.register_hook(lambda g: g * 2)
        with x.register_hook(lambda g: g):
            y.sum().backward()

    return step


def accumulate_hooks() -> Callable[[], None]:
    def step() -> None:
        x = tapegrad.ones(3, requires_grad=True)
        x.register_post_accumulate_grad_hook(lambda p: None)
        (x * 2).sum().backward()

    return step


def node_hooks() -> Callable[[], None]:
    x = tapegrad.ones(3, requires_grad=True)

    def step() -> None:
        y = (x * 2).sum()
        y.grad_fn.register_hook(lambda gi, go: None)
        y.grad_fn.register_prehook(lambda go: None)
        y.grad_fn.metadata["note"] = 1
        y.backward()

    return step


def functions() -> Callable[[], None]:
    class Cube(tapegrad.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            y = x**3
            ctx.save_for_backward(x, y, x * 2)
            ctx.note = [x]
            return y, x

        @staticmethod
        def backward(ctx, g, h):
            x, _, _ = ctx.saved_tensors
            return 3 * x**2 * g + h

    x = tapegrad.ones(3, requires_grad=True)

    def step() -> None:
        y, z = Cube.apply(x)
        (g,) = tapegrad.autograd.grad((y + z).sum(), x, create_graph=True)
        g.sum().backward()
        Cube.apply(x)

    return step


def failing_functions() -> Callable[[], None]:
    class Bad(tapegrad.autograd.Function):
        @staticmethod
        def forward(ctx, x, when):
            ctx.save_for_backward(x)
            if when == "forward":
                raise KeyError
            return x * 2 if when else 3

        @staticmethod
        def backward(ctx, g):
            raise KeyError

    x = tapegrad.ones(3, requires_grad=True)

    def step() -> None:
        for when in ("forward", "backward"):
            try:
                Bad.apply(x, when).sum().backward()
            except KeyError:
                continue
            raise AssertionError("no error")

    return step


def failing_hooks() -> Callable[[], None]:
    def bad(g):
        raise KeyError

    x = tapegrad.ones(3, requires_grad=True)

    def step() -> None:
        y = x * 2
        y.register_hook(bad)
        try:
            (y * 2).sum().backward()
        except KeyError:
            return
        raise AssertionError("no error")

    return step


def saved_tensor_hooks() -> Callable[[], None]:
    x = tapegrad.ones(3, requires_grad=True)

    def step() -> None:
        with tapegrad.autograd.graph.saved_tensors_hooks(lambda t: t.clone(), lambda t: t):
            y = x.exp()
        y.sum().backward()
        z = x * x
        z.grad_fn._raw_saved_self.register_hooks(lambda t: t, lambda t: t)

    return step


def nested_backward() -> Callable[[], None]:
    x = tapegrad.ones(3, requires_grad=True)

    def step() -> None:
        y = x * 2
        y.register_hook(lambda g: (x * 3).sum().backward() if tapegrad.is_grad_enabled() else None)
        y.sum().backward(create_graph=True)
        x.grad = None

    return step


def module_hooks() -> Callable[[], None]:
    layer = tapegrad.nn.Linear(3, 3)

    def step() -> None:
        with (
            layer.register_forward_hook(lambda m, a, o: o * 2),
            layer.register_full_backward_hook(lambda m, gi, go: None),
        ):
            layer(tapegrad.ones(2, 3, requires_grad=True)).sum().backward()

    return step


STEPS = (
    tensor_hooks,
    accumulate_hooks,
    node_hooks,
    functions,
    failing_functions,
    failing_hooks,
    saved_tensor_hooks,
    nested_backward,
    module_hooks,
)


@pytest.mark.parametrize("make", STEPS, ids=lambda f: f.__name__)
def test_no_leak_without_the_collector(make: Callable) -> None:
    """References alone free everything: the collector never runs."""
    step = make()
    for _ in range(10):
        step()
    before = counts()
    gc.disable()
    try:
        repeat(step)
        after = dict(tapegrad._C._live_counts())
    finally:
        gc.enable()
    assert after == before


def cycle_through_a_tensor_hook() -> None:
    x = tapegrad.ones(3, requires_grad=True)
    y = x * 2
    y.register_hook(lambda g: y * g)


def cycle_through_a_leaf_hook() -> None:
    x = tapegrad.ones(3, requires_grad=True)
    x.register_hook(lambda g: x * g)


def cycle_through_an_accumulate_hook() -> None:
    x = tapegrad.ones(3, requires_grad=True)
    x.register_post_accumulate_grad_hook(lambda p: x.sum())


def cycle_through_a_node_hook() -> None:
    y = tapegrad.ones(3, requires_grad=True) * 2
    y.grad_fn.register_hook(lambda gi, go: y.sum() and None)
    y.grad_fn.register_prehook(lambda go: y.sum() and None)


def cycle_through_the_node_itself() -> None:
    node = (tapegrad.ones(3, requires_grad=True) * 2).grad_fn
    node.register_hook(lambda gi, go: node.name() and None)


def cycle_through_metadata() -> None:
    y = tapegrad.ones(3, requires_grad=True) * 2
    y.grad_fn.metadata["y"] = y


def cycle_through_an_attribute() -> None:
    x = tapegrad.ones(3, requires_grad=True)
    x.hook = lambda: x
    y = x * 2
    y.itself = y


def cycle_through_ctx() -> None:
    class Keep(tapegrad.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.itself = ctx
            ctx.result = x * 2
            return ctx.result

        @staticmethod
        def backward(ctx, g):
            return g * 2

    x = tapegrad.ones(3, requires_grad=True)
    Keep.apply(x).sum().backward()
    y = Keep.apply(x)
    y.register_hook(lambda g: y * g)
    y.grad_fn.register_hook(lambda gi, go: y.grad_fn and None)


def cycle_through_hooks_after_backward() -> None:
    x = tapegrad.ones(3, requires_grad=True)
    y = x * 2
    x.register_hook(lambda g: x * g)
    y.register_hook(lambda g: x * y * g)
    y.sum().backward()


CYCLES = (
    cycle_through_a_tensor_hook,
    cycle_through_a_leaf_hook,
    cycle_through_an_accumulate_hook,
    cycle_through_a_node_hook,
    cycle_through_the_node_itself,
    cycle_through_metadata,
    cycle_through_an_attribute,
    cycle_through_ctx,
    cycle_through_hooks_after_backward,
)


@pytest.mark.parametrize("make", CYCLES, ids=lambda f: f.__name__)
def test_cycles_are_collected(make: Callable) -> None:
    make()
    before = counts()
    for _ in range(300):
        make()
    assert counts() == before


def test_object_of_a_tensor_comes_back_more_than_once() -> None:
    """A tensor that only the graph holds keeps its class and its attributes."""
    p = tapegrad.nn.Parameter(tapegrad.ones(2))
    p.mark = [1]
    y = p * 2
    del p
    for _ in range(4):
        back = y.grad_fn.next_functions[0][0].variable
        assert type(back) is tapegrad.nn.Parameter
        assert back.mark == [1]
        del back
        gc.collect()


def test_formula_of_nodes() -> None:
    x = tapegrad.ones(2, requires_grad=True)
    assert isinstance(x.tanh().grad_fn.formula, str)
    assert "tanh" in repr(x.tanh().grad_fn).lower()
    y = x.view(2)
    assert y.grad_fn.formula is None or isinstance(y.grad_fn.formula, str)
