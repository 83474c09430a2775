"""autograd.Function: what PyTorch's users write, with what PyTorch answers."""

from __future__ import annotations

import gc
import re
import warnings
import weakref
from typing import Any

import pytest

import tapegrad
from both import both, function, leaf
from support import raises

pytestmark = both


def cube(lib: Any) -> Any:
    class Cube(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, grad):
            (x,) = ctx.saved_tensors
            return 3 * x**2 * grad

    return Cube


# The two styles --------------------------------------------------------------------------


def test_forward_with_ctx(lib) -> None:
    x = leaf(lib, 2.0)
    y = cube(lib).apply(x)
    assert (y.item(), y.requires_grad, y.is_leaf, y.output_nr) == (8.0, True, False, 0)
    y.backward()
    assert x.grad.item() == 12.0


def test_setup_context(lib) -> None:
    class Mul(lib.autograd.Function):
        @staticmethod
        def forward(x, y, factor):
            return x * y * factor

        @staticmethod
        def setup_context(ctx, inputs, output):
            x, y, factor = inputs
            assert isinstance(inputs, tuple)
            assert output.item() == 30.0
            ctx.save_for_backward(x, y)
            ctx.factor = factor

        @staticmethod
        def backward(ctx, grad):
            x, y = ctx.saved_tensors
            return grad * y * ctx.factor, grad * x * ctx.factor, None

    x, y = leaf(lib, 2.0), leaf(lib, 3.0)
    Mul.apply(x, y, 5).backward()
    assert (x.grad.item(), y.grad.item()) == (15.0, 10.0)


def test_setup_context_defaults_and_keywords(lib) -> None:
    class Scale(lib.autograd.Function):
        @staticmethod
        def forward(x, factor=3):
            return x * factor

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.factor = inputs[1]

        @staticmethod
        def backward(ctx, grad):
            return grad * ctx.factor, None

    x = leaf(lib, 1.0)
    Scale.apply(x).backward()
    assert x.grad.item() == 3.0
    Scale.apply(x, factor=4).backward()
    assert x.grad.item() == 7.0


def test_setup_context_as_classmethod_of_a_base(lib) -> None:
    class Base(lib.autograd.Function):
        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs)

        @staticmethod
        def backward(ctx, grad):
            return grad * 2 * ctx.saved_tensors[0]

    class Square(Base):
        @staticmethod
        def forward(x):
            return x * x

    x = leaf(lib, 3.0)
    Square.apply(x).backward()
    assert x.grad.item() == 6.0


def test_keywords_with_ctx(lib) -> None:
    """They are further arguments, each with its own place among the gradients."""
    f = function(lib, lambda ctx, x, n, y: x * n * y, lambda ctx, g: (g * 2, None, g * 3))
    x, y = leaf(lib, 1.0), leaf(lib, 2.0)
    f.apply(x, n=5, y=y).backward()
    assert (x.grad.item(), y.grad.item()) == (2.0, 3.0)


def twice(lib: Any) -> Any:
    class Twice(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def vjp(ctx, grad):
            return grad * 2

    return Twice


def test_vjp_instead_of_backward(lib) -> None:
    x = leaf(lib, 3.0)
    twice(lib).apply(x).backward()
    assert x.grad.item() == 2.0


def test_vjp_and_backward(lib) -> None:
    class Twice(twice(lib)):
        @staticmethod
        def backward(ctx, grad):
            return grad * 2

    y = Twice.apply(leaf(lib, 3.0))
    with raises(
        RuntimeError,
        "Implementing both 'backward' and 'vjp' for a custom Function is not allowed. "
        "You should only implement one of them.",
        lib=lib,
    ):
        y.backward()


def test_missing_methods(lib) -> None:
    class Empty(lib.autograd.Function):
        pass

    with raises(
        NotImplementedError,
        "You must implement the forward function for custom autograd.Function.",
        lib=lib,
    ):
        Empty.apply(leaf(lib, 1.0))
    y = function(lib, lambda ctx, x: x * 2).apply(leaf(lib, 1.0))
    with raises(
        NotImplementedError,
        "You must implement either the backward or vjp method for your custom autograd.Function "
        "to use it with backward mode AD.",
        lib=lib,
    ):
        y.backward()


def test_instances(lib) -> None:
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        instance = cube(lib)()
    assert [w.category for w in seen] == [DeprecationWarning]
    assert "should not be instantiated. Methods on autograd functions are all static" in str(
        seen[0].message
    )
    with raises(
        RuntimeError,
        "Legacy autograd function with non-static forward method is deprecated. Please use "
        "new-style autograd function with static forward method.",
        lib=lib,
    ):
        instance(leaf(lib, 1.0))


# The node --------------------------------------------------------------------------------


def test_names(lib) -> None:
    y = cube(lib).apply(leaf(lib, 2.0))
    node = y.grad_fn
    assert node.name() == "CubeBackward"
    assert type(node).__name__ == "CubeBackward"
    assert re.fullmatch(
        lib.__name__ + r"\.autograd\.function\.CubeBackward object at 0x[0-9a-f]+",
        repr(node).strip("<>"),
    )
    assert repr(y) == "tensor(8., dtype=tapegrad.float64, grad_fn=<CubeBackward>)".replace(
        "tapegrad", lib.__name__
    )
    assert isinstance(node, lib.autograd.graph.Node)
    assert isinstance(node, lib.autograd.function.FunctionCtx)


def test_node_is_the_ctx(lib) -> None:
    seen = []

    def forward(ctx, x):
        seen.append(ctx)
        ctx.note = "kept"
        return x * 2

    def backward(ctx, grad):
        assert ctx is seen[0]
        assert ctx.note == "kept"
        return grad * 2

    x = leaf(lib, 1.0)
    y = function(lib, forward, backward).apply(x)
    assert y.grad_fn is seen[0]
    assert y.grad_fn.note == "kept"
    assert y.grad_fn.next_functions[0][0].variable is x
    y.grad_fn.note = "other"
    assert seen[0].note == "other"
    seen[0].note = "kept"
    y.backward()


def test_next_functions_count_only_tensors(lib) -> None:
    f = function(lib, lambda ctx, a, n, b, c: a * n + b + c, lambda ctx, g: (g, None, g, g))
    a, b, c = leaf(lib, 1.0), lib.tensor(2.0, dtype=lib.float64), leaf(lib, 3.0)
    node = f.apply(a, 4, b, c).grad_fn
    nexts = node.next_functions
    assert len(nexts) == 3
    assert nexts[0][0].variable is a
    assert nexts[1] == (None, 0)
    assert nexts[2][0].variable is c


def test_node_of_plain_results(lib) -> None:
    """Without a tensor that requires gradients nothing is recorded."""
    seen = []

    def forward(ctx, x):
        seen.append(ctx)
        ctx.save_for_backward(x)
        return x * 2

    f = function(lib, forward, lambda ctx, g: g * 2)
    y = f.apply(lib.tensor(1.0))
    assert (y.requires_grad, y.grad_fn) == (False, None)
    with lib.no_grad():
        y = f.apply(leaf(lib, 1.0))
    assert (y.requires_grad, y.grad_fn) == (False, None)
    assert seen[0].needs_input_grad == (False,)
    assert seen[1].needs_input_grad == (True,)
    repr(seen[0])
    seen[0].anything = 1
    del y
    gc.collect()
    assert seen[0].anything == 1


def test_ctx_outlives_the_graph(lib) -> None:
    seen = []

    def forward(ctx, x):
        seen.append(ctx)
        ctx.save_for_backward(x)
        ctx.note = [1]
        return x * 2

    x = leaf(lib, 1.0)
    y = function(lib, forward, lambda ctx, g: g * 2).apply(x)
    del y
    ctx = seen.pop()
    assert ctx.note == [1]
    assert ctx.needs_input_grad == (True,)
    assert ctx.name() == "MadeBackward"
    assert ctx.saved_tensors[0] is x
    assert ctx.next_functions[0][0].variable is x
    repr(ctx)


def test_node_hooks(lib) -> None:
    calls = []
    x = leaf(lib, 2.0)
    y = cube(lib).apply(x)
    y.grad_fn.register_prehook(lambda g: calls.append("pre") or (g[0] * 2,))
    y.grad_fn.register_hook(lambda gi, go: calls.append("post") or (gi[0] + 1,))
    y.register_hook(lambda g: calls.append("tensor"))
    y.backward()
    assert calls == ["tensor", "pre", "post"]
    assert x.grad.item() == 25.0


def test_metadata(lib) -> None:
    y = cube(lib).apply(leaf(lib, 2.0))
    y.grad_fn.metadata["a"] = 1
    assert y.grad_fn.metadata == {"a": 1}


def test_subclass_with_its_own_apply(lib) -> None:
    f = cube(lib)
    made = f.apply
    assert made(leaf(lib, 1.0)).item() == 1.0
    assert f._backward_cls._forward_cls is f


# needs_input_grad ------------------------------------------------------------------------


def test_needs_input_grad(lib) -> None:
    seen = []

    def forward(ctx, a, b, c, d):
        seen.append(ctx.needs_input_grad)
        return a + b + d

    def backward(ctx, grad):
        seen.append(ctx.needs_input_grad)
        return grad, grad, None, grad

    f = function(lib, forward, backward)
    a, b, d = leaf(lib, 1.0), lib.tensor(1.0, dtype=lib.float64), leaf(lib, 2.0)
    f.apply(a, b, "text", d).backward()
    assert seen == [(True, False, False, True)] * 2
    del seen[:]
    y = f.apply(a, b, "text", d)
    lib.autograd.grad(y, a)
    assert seen[1] == (True, False, False, True)


def test_grad_mode(lib) -> None:
    seen = []

    def forward(ctx, x):
        seen.append((lib.is_grad_enabled(), x.requires_grad))
        y = x * 2
        seen.append(y.requires_grad)
        with lib.enable_grad():
            seen.append((x * 2).requires_grad)
        return y

    def backward(ctx, grad):
        seen.append(lib.is_grad_enabled())
        return grad * 2

    x = leaf(lib, 1.0)
    f = function(lib, forward, backward)
    f.apply(x).backward()
    assert seen == [(False, True), False, True, False]
    f.apply(x).backward(create_graph=True)
    assert seen[-1] is True
    assert lib.is_grad_enabled()


# Saved tensors ---------------------------------------------------------------------------


def test_saved_tensors_of_every_kind(lib) -> None:
    def forward(ctx, x, k):
        middle = x * 2
        y = middle * k
        ctx.save_for_backward(x, middle, y, None)
        return y

    def backward(ctx, grad):
        x, middle, y, nothing = ctx.saved_tensors
        assert nothing is None
        assert not middle.requires_grad
        assert y.requires_grad
        assert x.requires_grad
        assert (middle.item(), y.item()) == (4.0, 12.0)
        return grad * 6, None

    x = leaf(lib, 2.0)
    y = function(lib, forward, backward).apply(x, 3)
    saved = y.grad_fn.saved_tensors
    assert saved[0] is x
    assert saved[2].grad_fn is y.grad_fn
    assert saved[2].output_nr == 0
    y.backward()
    assert x.grad.item() == 6.0


def test_saved_tensors_inside_forward(lib) -> None:
    seen = []

    def forward(ctx, x):
        ctx.save_for_backward(x)
        seen.append(ctx.saved_tensors)
        return x * 2

    function(lib, forward, lambda ctx, g: g * 2).apply(leaf(lib, 1.0))
    assert seen == [()]


def test_saved_tensors_after_backward(lib) -> None:
    x = leaf(lib, 2.0)
    y = cube(lib).apply(x)
    y.backward(retain_graph=True)
    assert y.grad_fn.saved_tensors[0] is x
    y.backward()
    start = "Trying to backward through the graph a second time (or directly access saved tensors"
    with raises(RuntimeError, start, lib=lib):
        y.backward()
    with raises(RuntimeError, start, lib=lib):
        y.grad_fn.saved_tensors


def test_second_time_without_saved_tensors(lib) -> None:
    x = leaf(lib, 2.0)
    y = function(lib, lambda ctx, x: x * 2, lambda ctx, g: g * 2).apply(x)
    y.backward()
    y.backward()
    assert x.grad.item() == 4.0


def test_saved_tensor_overwritten(lib) -> None:
    x = leaf(lib, 2.0)
    a = x * 1
    y = cube(lib).apply(a)
    a.add_(1)
    with raises(
        RuntimeError,
        "one of the variables needed for gradient computation has been modified by an inplace "
        "operation: [tapegrad.DoubleTensor []], which is output 0 of Add, is at version "
        "1; expected version 0 instead.",
        lib=lib,
    ):
        y.backward()


def test_saved_result_overwritten(lib) -> None:
    def forward(ctx, x):
        y = x.exp()
        ctx.save_for_backward(y)
        return y

    f = function(lib, forward, lambda ctx, g: g * ctx.saved_tensors[0])
    x = leaf(lib, 1.0)
    y = f.apply(x)
    y.backward(retain_graph=True)
    assert x.grad.item() == pytest.approx(2.718281828)
    y.mul_(2)
    with raises(
        RuntimeError,
        "one of the variables needed for gradient computation has been modified by an inplace "
        "operation: [tapegrad.DoubleTensor []], which is output 0 of Made, is at "
        "version 1; expected version 0 instead.",
        lib=lib,
    ):
        y.backward()


def test_save_for_backward_of_something_else(lib) -> None:
    def forward(ctx, x):
        ctx.save_for_backward(x, 3)
        return x * 2

    f = function(lib, forward)
    with raises(
        TypeError,
        "save_for_backward can only save variables, but argument 1 is of type int",
        lib=lib,
    ):
        f.apply(leaf(lib, 1.0))
    assert lib.is_grad_enabled()


def test_save_for_backward_last_call_counts(lib) -> None:
    def forward(ctx, x):
        ctx.save_for_backward(x, x)
        ctx.save_for_backward(x)
        return x * 2

    y = function(lib, forward).apply(leaf(lib, 1.0))
    assert len(y.grad_fn.saved_tensors) == 1


def test_attributes_that_the_methods_set(lib) -> None:
    seen = []

    def forward(ctx, x):
        ctx.save_for_backward(x)
        ctx.mark_non_differentiable(x)
        seen.append((ctx.to_save[0] is x, ctx.non_differentiable[0] is x))
        return x * 2

    function(lib, forward).apply(leaf(lib, 1.0))
    assert seen == [(True, True)]


def test_saved_tensors_hooks(lib) -> None:
    log = []
    x = leaf(lib, 2.0)

    def pack(t):
        log.append("pack")
        return t.tolist()

    def unpack(values):
        log.append("unpack")
        return lib.tensor(values, dtype=lib.float64)

    with lib.autograd.graph.saved_tensors_hooks(pack, unpack):
        y = cube(lib).apply(x)
    assert log == ["pack"]
    y.backward()
    assert log == ["pack", "unpack"]
    assert x.grad.item() == 12.0


def test_raw_saved_tensors(lib) -> None:
    x = leaf(lib, 2.0)
    y = cube(lib).apply(x)
    (raw,) = y.grad_fn._raw_saved_tensors
    raw.register_hooks(lambda t: t.detach() * 10, lambda t: t)
    y.backward()
    assert x.grad.item() == 1200.0
    with raises(RuntimeError, "Trying to backward through the graph a second time", lib=lib):
        y.grad_fn._raw_saved_tensors


def test_saved_tensors_are_freed_by_backward(lib) -> None:
    refs = []

    def forward(ctx, x):
        middle = x * 2
        refs.append(weakref.ref(middle))
        ctx.save_for_backward(middle)
        return middle * 3

    y = function(lib, forward, lambda ctx, g: g * 6).apply(leaf(lib, 1.0))
    if lib is tapegrad:
        assert refs[0]() is None or refs[0]().item() == 2.0
    y.backward()
    assert refs[0]() is None


# Results -----------------------------------------------------------------------------


def test_several_outputs(lib) -> None:
    seen = []

    def backward(ctx, a, b, c):
        seen.append((a.tolist(), b.tolist(), c))
        return a * 2 + b * 3

    f = function(lib, lambda ctx, x: (x * 2, x * 3, "text"), backward)
    x = leaf(lib, 1.0, 2.0)
    out = f.apply(x)
    assert type(out) is tuple
    y, z, text = out
    assert (y.output_nr, z.output_nr, text) == (0, 1, "text")
    assert y.grad_fn is z.grad_fn
    z.sum().backward()
    assert seen == [([0.0, 0.0], [1.0, 1.0], None)]
    assert x.grad.tolist() == [3.0, 3.0]


def test_output_numbers_count_all_values(lib) -> None:
    f = function(lib, lambda ctx, x: (None, x * 2, 5, x * 3), lambda ctx, a, b, c, d: b * 2 + d * 3)
    x = leaf(lib, 1.0)
    nothing, y, five, z = f.apply(x)
    assert (nothing, five) == (None, 5)
    assert (y.output_nr, z.output_nr) == (1, 3)
    (y + z).backward()
    assert x.grad.item() == 5.0


def test_tuple_of_one(lib) -> None:
    f = function(lib, lambda ctx, x: (x * 2,), lambda ctx, g: (g * 2,))
    out = f.apply(leaf(lib, 1.0))
    assert type(out) is tuple
    assert len(out) == 1


def test_single_results_that_are_no_tensor(lib) -> None:
    for value in (3, "text", [1], {"a": 1}):
        f = function(lib, lambda ctx, x, value=value: value)
        assert f.apply(leaf(lib, 1.0)) is value


def test_none_as_the_only_result(lib) -> None:
    f = function(lib, lambda ctx, x: None)
    assert f.apply(leaf(lib, 1.0)) is None


def test_nested_tuples_are_left_alone(lib) -> None:
    """Tensors inside them are not differentiable."""
    f = function(lib, lambda ctx, x: (x * 2, (x * 3, [x * 4])), lambda ctx, g, n: g * 2)
    x = leaf(lib, 1.0)
    y, (a, [b]) = f.apply(x)
    assert y.requires_grad
    assert not a.requires_grad
    assert not b.requires_grad
    f = function(lib, lambda ctx, pair: pair[0] * pair[1], lambda ctx, g: None)
    assert not f.apply((x, x)).requires_grad


def test_integer_results(lib) -> None:
    f = function(
        lib,
        lambda ctx, x: (x * 2, x.argmax(), x > 0),
        lambda ctx, g, i, b: (seen.append((i, b)), g)[1],
    )
    seen: list = []
    x = leaf(lib, 1.0, 2.0)
    y, index, positive = f.apply(x)
    assert (y.requires_grad, index.requires_grad, positive.requires_grad) == (True, False, False)
    assert index.grad_fn is None
    y.sum().backward()
    (i, b) = seen[0]
    assert i.dtype == lib.int64
    assert b.dtype == lib.bool


def test_mark_non_differentiable(lib) -> None:
    seen = []

    def forward(ctx, x):
        y, z = x * 2, x * 3
        ctx.mark_non_differentiable(z)
        return y, z

    def backward(ctx, g, h):
        seen.append(h.tolist())
        return g * 2

    x = leaf(lib, 1.0, 2.0)
    y, z = function(lib, forward, backward).apply(x)
    assert (y.requires_grad, z.requires_grad, z.grad_fn, z.is_leaf) == (True, False, None, True)
    y.sum().backward()
    assert seen == [[0.0, 0.0]]


def test_mark_non_differentiable_of_an_input(lib) -> None:
    def forward(ctx, x):
        ctx.mark_non_differentiable(x)
        return x

    x = leaf(lib, 1.0)
    y = function(lib, forward, lambda ctx, g: g).apply(x)
    assert not y.requires_grad
    assert y is not x
    assert x.requires_grad
    assert y.data_ptr() == x.data_ptr()


def test_mark_non_differentiable_everything(lib) -> None:
    def forward(ctx, x):
        y = x * 2
        ctx.mark_non_differentiable(y)
        return y

    y = function(lib, forward, lambda ctx, g: g).apply(leaf(lib, 1.0))
    assert not y.requires_grad
    with raises(
        RuntimeError,
        "element 0 of tensors does not require grad and does not have a grad_fn",
        lib=lib,
    ):
        y.backward()


def test_mark_with_something_else(lib) -> None:
    def dirty(ctx, x):
        ctx.mark_dirty(3)
        return x

    def constant(ctx, x):
        ctx.mark_non_differentiable(3)
        return x * 2

    with raises(RuntimeError, "mark_dirty can only accept variables, but argument ", lib=lib):
        function(lib, dirty).apply(leaf(lib, 1.0))
    with raises(
        RuntimeError, "mark_non_differentiable only accepts variable arguments, but ", lib=lib
    ):
        function(lib, constant).apply(leaf(lib, 1.0))


def test_materialize_grads(lib) -> None:
    for materialize in (True, False):
        seen = []

        def forward(ctx, x, materialize=materialize):
            ctx.set_materialize_grads(materialize)
            return x * 2, x * 3

        def backward(ctx, a, b, seen=seen):
            seen.append(a if a is None else a.tolist())
            return b * 3

        x = leaf(lib, 1.0, 2.0)
        function(lib, forward, backward).apply(x)[1].sum().backward()
        assert seen == [[0.0, 0.0] if materialize else None]
        assert x.grad.tolist() == [3.0, 3.0]


def test_results_without_derivative_are_not_materialized(lib) -> None:
    """As ctx asks for; a result without gradient that could have one is zeros still."""
    for materialize in (True, False):
        seen = []

        def forward(ctx, x, materialize=materialize):
            assert ctx._materialize_non_diff_grads is True
            ctx._materialize_non_diff_grads = materialize
            constant = x * 4
            ctx.mark_non_differentiable(constant)
            return x * 2, x * 3, constant

        def backward(ctx, a, b, c, seen=seen):
            seen.append([g if g is None else g.tolist() for g in (a, b, c)])
            return b * 3

        function(lib, forward, backward).apply(leaf(lib, 1.0, 2.0))[1].sum().backward()
        assert seen == [[[0.0, 0.0], [1.0, 1.0], [0.0, 0.0] if materialize else None]]

    def wrong(ctx, x):
        ctx._materialize_non_diff_grads = 1
        return x * 2

    with raises(TypeError, "set_materialize_non_diff_grads received an invalid combin", lib=lib):
        function(lib, wrong).apply(leaf(lib, 1.0))


def test_set_materialize_grads_of_something_else(lib) -> None:
    def forward(ctx, x):
        ctx.set_materialize_grads("yes")
        return x * 2

    with raises((TypeError, RuntimeError), lib=lib):
        function(lib, forward).apply(leaf(lib, 1.0)).backward()


def test_an_input_as_it_is(lib) -> None:
    f = function(lib, lambda ctx, x: x, lambda ctx, g: g * 10)
    x = leaf(lib, 1.0, 2.0)
    y = f.apply(x)
    assert y is not x
    assert y.grad_fn.name() == "MadeBackward"
    assert y._is_view()
    assert y._base is x
    assert y.data_ptr() == x.data_ptr()
    y.sum().backward()
    assert x.grad.tolist() == [10.0, 10.0]
    plain = lib.tensor([1.0])
    z = f.apply(plain)
    assert z is not plain
    assert not z.requires_grad
    with lib.no_grad():
        assert not f.apply(x).requires_grad


def test_an_input_as_it_is_with_ones_that_need_gradients(lib) -> None:
    f = function(lib, lambda ctx, a, b: (a, b * 2), lambda ctx, g, h: (g, h * 2))
    a, b = lib.tensor([1.0]), lib.tensor([2.0], requires_grad=True)
    y, z = f.apply(a, b)
    assert y.requires_grad
    assert z.requires_grad
    (y.sum() + z.sum()).backward()
    assert b.grad.tolist() == [2.0]
    assert not a.requires_grad


def test_same_output_twice(lib) -> None:
    def forward(ctx, x):
        y = x * 2
        return y, y

    f = function(lib, forward, lambda ctx, a, b: (a + b * 10) * 2)
    x = leaf(lib, 1.0)
    y, z = f.apply(x)
    (y * 1).backward(retain_graph=True)
    first = x.grad.item()
    (z * 1).backward()
    assert (first, x.grad.item() - first) in ((20.0, 20.0), (2.0, 20.0))


OWN_VIEW = (
    "Output 0 of Made is a view and is being modified inplace. This view was created "
    "inside a custom Function (or because an input was returned as-is) and the autograd logic to "
    "handle view+inplace would override the custom backward associated with the custom Function, "
    "leading to incorrect gradients. This behavior is forbidden. You can fix this by cloning the "
    "output of the custom Function."
)


def test_input_as_it_is_may_not_be_written(lib) -> None:
    f = function(lib, lambda ctx, x: x, lambda ctx, g: g * 10)
    y = f.apply(leaf(lib, 1.0) * 1)
    with raises(RuntimeError, OWN_VIEW, lib=lib):
        y.mul_(2)


def test_views_of_inputs(lib) -> None:
    f = function(lib, lambda ctx, x: x[1:], lambda ctx, g: lib.cat([g[:1] * 0, g * 5]))
    x = leaf(lib, 1.0, 2.0, 3.0)
    y = f.apply(x)
    assert y.grad_fn.name() == "MadeBackward"
    assert y._is_view()
    assert y._base is x
    y.sum().backward()
    assert x.grad.tolist() == [0.0, 5.0, 5.0]
    y = f.apply(x * 1)
    with raises(RuntimeError, OWN_VIEW, lib=lib):
        y.mul_(2)


def test_two_views_of_inputs_may_not_be_written(lib) -> None:
    f = function(lib, lambda ctx, x: (x[1:], x[:1]), lambda ctx, g, h: lib.cat([h, g]))
    x = leaf(lib, 1.0, 2.0, 3.0)
    y, z = f.apply(x * 1)
    with raises(
        RuntimeError,
        "Output 0 of Made is a view and is being modified inplace. This view is the output "
        "of a function that returns multiple views. Such functions do not allow the output views "
        "to be modified inplace. You should replace the inplace operation by an out-of-place one.",
        lib=lib,
    ):
        y.mul_(2)
    (y.sum() + z.sum() * 2).backward()
    assert x.grad.tolist() == [2.0, 1.0, 1.0]


def test_writing_into_a_base_of_a_view_from_a_function(lib) -> None:
    f = function(lib, lambda ctx, x: x[1:], lambda ctx, g: lib.cat([g[:1] * 0, g * 5]))
    x = leaf(lib, 1.0, 2.0, 3.0)
    a = x * 1
    f.apply(a)
    a.mul_(2)
    a.sum().backward()
    assert x.grad.tolist() == [2.0, 2.0, 2.0]


def test_view_without_gradients(lib) -> None:
    f = function(lib, lambda ctx, x: x[1:], lambda ctx, g: None)
    x = lib.tensor([1.0, 2.0])
    y = f.apply(x)
    assert not y.requires_grad
    y.mul_(3)
    assert x.tolist() == [1.0, 6.0]


def test_results_written_in_place_afterwards(lib) -> None:
    f = function(lib, lambda ctx, x: (x * 2, x * 3), lambda ctx, g, h: g * 2 + h * 3)
    x = leaf(lib, 1.0, 2.0)
    y, z = f.apply(x)
    y.mul_(10)
    assert y.grad_fn.name() == "MulBackward0"
    (y + z).sum().backward()
    assert x.grad.tolist() == [23.0, 23.0]


def test_recorded_history_inside_forward_is_dropped(lib) -> None:
    def forward(ctx, x):
        with lib.enable_grad():
            y = x * 2
            assert y.requires_grad
        return y

    x = leaf(lib, 1.0)
    y = function(lib, forward, lambda ctx, g: g * 7).apply(x)
    assert y.grad_fn.name() == "MadeBackward"
    y.backward()
    assert x.grad.item() == 7.0


def test_leaf_made_in_forward(lib) -> None:
    def forward(ctx, x):
        return lib.ones(2, requires_grad=True)

    x = leaf(lib, 1.0, 2.0)
    y = function(lib, forward, lambda ctx, g: g.double() * 7).apply(x)
    assert y.grad_fn.name() == "MadeBackward"
    y.sum().backward()
    assert x.grad.tolist() == [7.0, 7.0]


def test_parameter_of_another_graph_as_result(lib) -> None:
    other = leaf(lib, 3.0, 4.0)
    f = function(lib, lambda ctx, x: other.detach(), lambda ctx, g: g * 2)
    x = leaf(lib, 1.0, 2.0)
    y = f.apply(x)
    assert y.requires_grad
    assert other.is_leaf
    assert other.grad_fn is None


# mark_dirty ------------------------------------------------------------------------------


def twice_in_place(lib: Any) -> Any:
    def forward(ctx, x):
        x.mul_(2)
        ctx.mark_dirty(x)
        return x

    return function(lib, forward, lambda ctx, g: g * 2)


def test_mark_dirty(lib) -> None:
    x = leaf(lib, 1.0, 2.0)
    a = x * 1
    version = a._version
    y = twice_in_place(lib).apply(a)
    assert y is a
    assert a._version == version + 2 - (1 if a._version == version + 1 else 0)
    assert a.grad_fn.name() == "MadeBackward"
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_mark_dirty_of_data_counts_a_change(lib) -> None:
    def forward(ctx, x):
        x.data.mul_(2)
        ctx.mark_dirty(x)
        return x

    x = leaf(lib, 1.0, 2.0)
    a = x * 1
    b = a * a
    function(lib, forward, lambda ctx, g: g * 2).apply(a)
    assert a._version == 1
    with raises(
        RuntimeError, "one of the variables needed for gradient computation has been", lib=lib
    ):
        b.sum().backward()


def test_mark_dirty_leaf(lib) -> None:
    with raises(
        RuntimeError,
        "a leaf Variable that requires grad has been used in an in-place operation.",
        lib=lib,
    ):
        twice_in_place(lib).apply(leaf(lib, 1.0))


def test_mark_dirty_view_of_leaf(lib) -> None:
    with raises(
        RuntimeError,
        "a view of a leaf Variable that requires grad is being used in an in-place operation.",
        lib=lib,
    ):
        twice_in_place(lib).apply(leaf(lib, 1.0, 2.0)[1:])


def test_mark_dirty_view(lib) -> None:
    x = leaf(lib, 1.0, 2.0)
    a = x * 1
    v = a[1:]
    y = twice_in_place(lib).apply(v)
    assert y is v
    assert a.tolist() == [1.0, 4.0]
    assert type(a.grad_fn).__name__ == "CopySlices"
    a.sum().backward()
    assert x.grad.tolist() == [1.0, 2.0]


def test_mark_dirty_view_among_several_outputs(lib) -> None:
    def forward(ctx, x):
        x.mul_(2)
        ctx.mark_dirty(x)
        return x, x * 3

    with raises(
        RuntimeError,
        "If your Function modifies inplace an input that is a view of another Tensor, your "
        "Function cannot return more than one Tensor. This is not supported by the current "
        "autograd engine.",
        lib=lib,
    ):
        function(lib, forward).apply((leaf(lib, 1.0, 2.0) * 1)[1:])


def test_mark_dirty_view_of_a_constant(lib) -> None:
    """Writing a recorded value into a view makes the base part of the graph."""
    x = leaf(lib, 3.0)
    base = lib.zeros(2, dtype=lib.float64)
    v = base[0]

    def forward(ctx, v, x):
        v.copy_(x * 2)
        ctx.mark_dirty(v)
        return v

    function(lib, forward, lambda ctx, g: (None, g * 2)).apply(v, x)
    assert base.requires_grad
    base.sum().backward()
    assert x.grad.item() == 2.0


def test_mark_dirty_constant(lib) -> None:
    """With a differentiable second argument the constant becomes part of the graph."""
    x, c = leaf(lib, 3.0), lib.tensor(1.0, dtype=lib.float64)

    def forward(ctx, c, x):
        c.add_(x)
        ctx.mark_dirty(c)
        return c

    y = function(lib, forward, lambda ctx, g: (g, g)).apply(c, x)
    assert y is c
    assert c.requires_grad
    c.backward()
    assert x.grad.item() == 1.0


def test_mark_dirty_without_gradients(lib) -> None:
    c = lib.tensor(1.0)
    assert twice_in_place(lib).apply(c) is c
    assert (c.item(), c.requires_grad) == (2.0, False)


def test_mark_dirty_not_returned(lib) -> None:
    def forward(ctx, x):
        x.mul_(2)
        ctx.mark_dirty(x)
        return x + 1

    with raises(
        RuntimeError,
        "Some elements marked as dirty during the forward method were not returned as output. The "
        "inputs that are modified inplace must all be outputs of the Function.",
        lib=lib,
    ):
        function(lib, forward).apply(leaf(lib, 1.0) * 1)


def test_mark_dirty_of_a_result(lib) -> None:
    def forward(ctx, x):
        y = x * 2
        ctx.mark_dirty(y)
        return y

    x = leaf(lib, 1.0)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        y = function(lib, forward, lambda ctx, g: g * 2).apply(x)
    y.backward()
    assert x.grad.item() == 2.0
    if lib is tapegrad:  # PyTorch says it once in a process
        assert str(seen[0].message).startswith(
            "ctx.mark_dirty() received a tensor that was not an input."
        )


def test_mark_dirty_saved(lib) -> None:
    def forward(ctx, x):
        x.exp_() if hasattr(x, "exp_") else x.copy_(x.exp())
        ctx.mark_dirty(x)
        ctx.save_for_backward(x)
        return x

    x = leaf(lib, 1.0)
    a = x * 1
    y = function(lib, forward, lambda ctx, g: g * ctx.saved_tensors[0]).apply(a)
    y.backward()
    assert x.grad.item() == pytest.approx(2.718281828)


def test_mark_dirty_with_other_outputs(lib) -> None:
    def forward(ctx, x, y):
        x.mul_(2)
        ctx.mark_dirty(x)
        return y * 3, x

    x, y = leaf(lib, 1.0), leaf(lib, 2.0)
    a = x * 1
    p, q = function(lib, forward, lambda ctx, g, h: (h * 2, g * 3)).apply(a, y)
    assert q is a
    assert (p.output_nr, q.output_nr) == (0, 1)
    (p + q * 10).backward()
    assert (x.grad.item(), y.grad.item()) == (20.0, 3.0)


def test_mark_dirty_with_retained_gradient(lib) -> None:
    x = leaf(lib, 1.0)
    a = x * 1
    a.retain_grad()
    twice_in_place(lib).apply(a)
    (a * 5).backward()
    assert a.grad.item() == 5.0
    assert x.grad.item() == 10.0


# Mistakes in backward ----------------------------------------------------------------------


def backward_of(lib: Any, result: Any, *arguments: Any) -> None:
    f = function(lib, lambda ctx, x, *rest: x * 2, lambda ctx, g: result(g))
    f.apply(leaf(lib, 1.0, 2.0), *arguments).sum().backward()


def test_too_many_gradients(lib) -> None:
    with raises(
        RuntimeError,
        "function MadeBackward returned an incorrect number of gradients (expected 1, got 2)",
        lib=lib,
    ):
        backward_of(lib, lambda g: (g, g))
    backward_of(lib, lambda g: (g, None, None))


def test_too_few_gradients(lib) -> None:
    with raises(
        RuntimeError,
        "function MadeBackward returned an incorrect number of gradients (expected 2, got 1)",
        lib=lib,
    ):
        backward_of(lib, lambda g: g, 3)


def test_gradient_for_something_else(lib) -> None:
    with raises(
        RuntimeError,
        "function MadeBackward returned a gradient different than None at position 2, but the "
        "corresponding forward input was not a Variable",
        lib=lib,
    ):
        backward_of(lib, lambda g: (g, g), 3)


def test_gradient_of_the_wrong_shape(lib) -> None:
    with raises(
        RuntimeError,
        "Function MadeBackward returned an invalid gradient at index 0 - got [3] but expected "
        "shape compatible with [2]",
        lib=lib,
    ):
        backward_of(lib, lambda g: lib.ones(3, dtype=lib.float64))


def test_gradient_that_broadcasts(lib) -> None:
    f = function(lib, lambda ctx, x: x + lib.zeros(3, 2, dtype=lib.float64), lambda ctx, g: g)
    x = leaf(lib, 1.0, 2.0)
    f.apply(x).sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]


def test_gradient_of_another_dtype(lib) -> None:
    f = function(lib, lambda ctx, x: x * 2, lambda ctx, g: g.float() * 2)
    x = leaf(lib, 1.0, 2.0)
    f.apply(x).sum().backward()
    assert x.grad.dtype == lib.float64


def test_gradient_that_is_no_tensor(lib) -> None:
    with raises(RuntimeError, "expected Variable or None (got int)", lib=lib):
        backward_of(lib, lambda g: 3)
    with raises(RuntimeError, "expected Variable or None (got list)", lib=lib):
        backward_of(lib, lambda g: [g])


def test_gradient_for_what_needs_none(lib) -> None:
    f = function(lib, lambda ctx, a, b: a * b, lambda ctx, g: (g, g))
    a, b = leaf(lib, 1.0), lib.tensor(2.0, dtype=lib.float64)
    f.apply(a, b).backward()
    assert b.grad is None


def test_none_stops_the_gradient(lib) -> None:
    x = leaf(lib, 1.0)
    f = function(lib, lambda ctx, x: x * 2, lambda ctx, g: None)
    f.apply(x).backward()
    assert x.grad is None
    f.apply(x * 3).backward()
    assert x.grad is None or x.grad.item() == 0.0


def test_leaf_gradient_is_a_copy(lib) -> None:
    """backward may return the very gradient that it got, or one that it keeps."""
    kept = []

    def backward(ctx, g):
        kept.append(g)
        return g, g

    f = function(lib, lambda ctx, a, b: a + b, backward)
    a, b = leaf(lib, 1.0), leaf(lib, 2.0)
    given = lib.tensor(4.0, dtype=lib.float64)
    f.apply(a, b).backward(given)
    with lib.no_grad():
        a.grad.mul_(2)
    assert (a.grad.item(), b.grad.item(), given.item(), kept[0].item()) == (8.0, 4.0, 4.0, 4.0)


def test_exceptions(lib) -> None:
    class Mine(Exception):
        pass

    def bad(*_):
        raise Mine("here")

    with pytest.raises(Mine, match="here"):
        function(lib, bad).apply(leaf(lib, 1.0))
    assert lib.is_grad_enabled()
    x = leaf(lib, 1.0)
    y = function(lib, lambda ctx, x: x * 2, bad).apply(x) * 3
    with pytest.raises(Mine, match="here"):
        y.backward()
    assert lib.is_grad_enabled()
    (cube(lib).apply(x) * 2).backward()
    assert x.grad.item() == 6.0


def test_exception_keeps_its_traceback(lib) -> None:
    def backward(ctx, g):
        return [][5]

    y = function(lib, lambda ctx, x: x * 2, backward).apply(leaf(lib, 1.0))
    with pytest.raises(IndexError) as caught:
        y.backward()
    assert any(entry.name == "backward" for entry in caught.traceback)


# Higher derivatives ------------------------------------------------------------------------


def test_double_backward(lib) -> None:
    x = leaf(lib, 2.0)
    (g,) = lib.autograd.grad(cube(lib).apply(x), x, create_graph=True)
    (h,) = lib.autograd.grad(g, x, create_graph=True)
    (k,) = lib.autograd.grad(h, x)
    assert (g.item(), h.item(), k.item()) == (12.0, 12.0, 6.0)


def test_double_backward_through_a_saved_result(lib) -> None:
    def forward(ctx, x):
        y = x.exp()
        ctx.save_for_backward(y)
        return y

    f = function(lib, forward, lambda ctx, g: g * ctx.saved_tensors[0])
    x = leaf(lib, 1.0)
    (g,) = lib.autograd.grad(f.apply(x), x, create_graph=True)
    (h,) = lib.autograd.grad(g, x, create_graph=True)
    (k,) = lib.autograd.grad(h, x)
    assert [v.item() for v in (g, h, k)] == pytest.approx([2.718281828] * 3)


def test_function_in_backward(lib) -> None:
    class Outer(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**4 / 4

        @staticmethod
        def backward(ctx, g):
            return cube(lib).apply(ctx.saved_tensors[0]) * g

    x = leaf(lib, 2.0)
    (g,) = lib.autograd.grad(Outer.apply(x), x, create_graph=True)
    (h,) = lib.autograd.grad(g, x)
    assert (g.item(), h.item()) == (8.0, 12.0)


def test_function_in_forward(lib) -> None:
    f = function(lib, lambda ctx, x: cube(lib).apply(x) * 2, lambda ctx, g: g * 100)
    x = leaf(lib, 2.0)
    y = f.apply(x)
    y.backward()
    assert (y.item(), x.grad.item()) == (16.0, 100.0)


def test_gradgradcheck(lib) -> None:
    x = leaf(lib, 0.3, -0.7, 1.1)
    assert lib.autograd.gradcheck(cube(lib).apply, (x,))
    assert lib.autograd.gradgradcheck(cube(lib).apply, (x,))


def once(lib: Any) -> Any:
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    def backward(ctx, g):
        assert not lib.is_grad_enabled()
        return 3 * ctx.saved_tensors[0] ** 2 * g

    return function(lib, forward, lib.autograd.function.once_differentiable(backward))


ONCE = "trying to differentiate twice a function that was marked with @once_differentiable"


def test_once_differentiable(lib) -> None:
    x = leaf(lib, 2.0)
    y = once(lib).apply(x)
    y.backward(retain_graph=True)
    assert x.grad.item() == 12.0
    seed = lib.ones((), dtype=lib.float64, requires_grad=True)
    (g,) = lib.autograd.grad(y, x, seed, create_graph=True)
    assert g.requires_grad
    with raises(RuntimeError, ONCE, lib=lib):
        g.backward()


def test_once_differentiable_with_a_constant_gradient(lib) -> None:
    x = leaf(lib, 2.0)
    (g,) = lib.autograd.grad(once(lib).apply(x), x, create_graph=True)
    assert not g.requires_grad


def test_once_differentiable_in_a_chain(lib) -> None:
    x = leaf(lib, 2.0)
    (g,) = lib.autograd.grad(once(lib).apply(x) ** 2, x, create_graph=True)
    assert g.item() == pytest.approx(2 * 8 * 12)
    with raises(RuntimeError, ONCE, lib=lib):
        g.backward()


def test_once_differentiable_with_several_gradients(lib) -> None:
    def backward(ctx, g):
        return g * 2, None, g * 3

    f = function(
        lib,
        lambda ctx, a, n, b: a * 2 + b * 3,
        lib.autograd.function.once_differentiable(backward),
    )
    a, b = leaf(lib, 1.0), leaf(lib, 2.0)
    (f.apply(a, 5, b) ** 2).backward(create_graph=True)
    assert (a.grad.item(), b.grad.item()) == (32.0, 48.0)
    assert type(a.grad.grad_fn).__name__ != "MadeBackward"
    with raises(RuntimeError, ONCE, lib=lib):
        a.grad.backward()


# Where it is used --------------------------------------------------------------------------


def test_inside_no_grad_and_inference_mode(lib) -> None:
    x = leaf(lib, 2.0)
    with lib.no_grad():
        assert not cube(lib).apply(x).requires_grad
    with lib.inference_mode():
        y = cube(lib).apply(x)
    assert y.is_inference()
    assert not y.requires_grad


def test_same_input_twice(lib) -> None:
    f = function(lib, lambda ctx, a, b: a * b, lambda ctx, g: (g * 2, g * 3))
    x = leaf(lib, 2.0)
    f.apply(x, x).backward()
    assert x.grad.item() == 5.0


def test_no_tensors_at_all(lib) -> None:
    f = function(lib, lambda ctx, n: lib.ones(n))
    y = f.apply(3)
    assert (y.requires_grad, y.tolist()) == (False, [1.0, 1.0, 1.0])


def test_inputs_of_graphs(lib) -> None:
    """Results of a Function may be asked for, and continue."""
    x = leaf(lib, 2.0)
    y = cube(lib).apply(x)
    z = y * 2
    gx, gy = lib.autograd.grad(z, (x, y))
    assert (gx.item(), gy.item()) == (24.0, 2.0)


def test_parts_that_nobody_asks_for_do_not_run(lib) -> None:
    ran = []
    f = function(lib, lambda ctx, x: x * 2, lambda ctx, g: ran.append(1) or g * 2)
    x, y = leaf(lib, 1.0), leaf(lib, 1.0)
    z = f.apply(x) * y
    lib.autograd.grad(z, y)
    assert ran == []


def test_deep_chain(lib) -> None:
    f = function(lib, lambda ctx, x: x * 1, lambda ctx, g: g * 1)
    x = leaf(lib, 1.0)
    y = x
    for _ in range(3000):
        y = f.apply(y)
    y.backward()
    assert x.grad.item() == 1.0
    del y


def test_straight_through(lib) -> None:
    f = function(lib, lambda ctx, x: x.round(), lambda ctx, g: g)
    x = leaf(lib, 1.4, 2.6)
    (f.apply(x) * lib.tensor([1.0, 2.0], dtype=lib.float64)).sum().backward()
    assert x.grad.tolist() == [1.0, 2.0]


def test_module_with_a_function(lib) -> None:
    linear = lib.nn.Linear(2, 2)
    out = cube(lib).apply(linear(lib.ones(3, 2)))
    out.sum().backward()
    assert linear.weight.grad is not None


# Memory ------------------------------------------------------------------------------------


def test_graph_dies_with_its_results(lib) -> None:
    refs = []

    def forward(ctx, x):
        refs.append(weakref.ref(ctx))
        ctx.save_for_backward(x, x * 2)
        ctx.note = object()
        return x * 2

    gc.collect()
    gc.disable()
    try:
        y = function(lib, forward, lambda ctx, g: g * 2).apply(leaf(lib, 1.0))
        assert refs[0]() is not None
        assert refs[0]() is y.grad_fn
        del y
        assert refs[0]() is None
    finally:
        gc.enable()


def test_cycle_through_ctx_is_collected(lib) -> None:
    """ctx.result = result is a cycle, which only the garbage collector can find."""
    refs = []

    class Keep(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            y = x * 2
            ctx.result = y
            refs.append(weakref.ref(ctx))
            return y

        @staticmethod
        def backward(ctx, g):
            return g * 2

    x = leaf(lib, 1.0)
    y = Keep.apply(x)
    y.backward()
    assert x.grad.item() == 2.0
    del y
    gc.collect()
    if lib is tapegrad:
        assert refs[0]() is None


def test_saved_tensors_that_go_with_their_reader(lib: Any) -> None:
    class Once(lib.autograd.Function):
        clear_saved_tensors_on_access = True

        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return x * 2

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            (x,) = ctx.saved_tensors
            assert ctx._raw_saved_tensors == ()
            return grad * x

    again = "saved_tensors can only be accessed once when clear_saved_tensors_on_access=True"
    x = lib.ones(2, requires_grad=True)
    y = Once.apply(x)
    y.sum().backward(retain_graph=True)
    assert x.grad.tolist() == [1.0, 1.0]
    with raises(RuntimeError, again, lib=lib):
        y.sum().backward()
    node = Once.apply(x).grad_fn
    assert node.saved_tensors[0] is x
    with raises(RuntimeError, again, lib=lib):
        node.saved_tensors


def test_the_last_of_very_many_results_is_saved(lib) -> None:
    class Many(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            results = (*(lib.zeros(()) for _ in range(1 << 16)), x.exp())
            ctx.save_for_backward(results[-1])
            return results

        @staticmethod
        def backward(ctx, *grads):
            return grads[-1] * ctx.saved_tensors[0]

    x = lib.zeros(3, requires_grad=True)
    Many.apply(x)[-1].sum().backward()
    assert x.grad.tolist() == [1.0, 1.0, 1.0]
