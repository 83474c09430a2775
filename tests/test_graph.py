"""autograd.graph: edges, saved-tensor hooks, and hooks on several gradients."""

import gc
import threading
import weakref

import pytest

import tapegrad
from both import both
from tapegrad.autograd.graph import (
    GradientEdge,
    Node,
    allow_mutation_on_saved_tensors,
    disable_saved_tensors_hooks,
    get_gradient_edge,
    increment_version,
    register_multi_grad_hook,
    save_on_cpu,
    saved_tensors_hooks,
)


def leaf(*values):
    return tapegrad.tensor(list(values), requires_grad=True)


# Nodes and edges -----------------------------------------------------------------------


def test_grad_fn_is_a_node():
    y = leaf(1.0).exp()
    assert isinstance(y.grad_fn, Node)
    assert isinstance(y.grad_fn.next_functions[0][0], Node)
    assert not isinstance(y, Node)


def test_gradient_edge():
    x = leaf(1.0, 2.0)
    y = x.exp()
    edge = get_gradient_edge(y)
    assert isinstance(edge, GradientEdge)
    assert edge.node is y.grad_fn and edge.output_nr == 0
    z = (y * 3).sum()
    assert tapegrad.autograd.grad(z, edge)[0].tolist() == [3.0, 3.0]


def test_gradient_edge_of_a_leaf():
    x = leaf(1.0, 2.0)
    y = x * 2
    edge = get_gradient_edge(x)
    assert edge.node is y.grad_fn.next_functions[0][0]
    assert edge.node.variable is x
    with tapegrad.no_grad():
        assert get_gradient_edge(x).node is edge.node
    assert tapegrad.autograd.grad(y.sum(), edge)[0].tolist() == [2.0, 2.0]


def test_gradient_edge_of_a_later_output():
    x = leaf(1.0, 2.0, 3.0)
    _, second = x.split(2)
    edge = get_gradient_edge(second)
    assert edge.output_nr == 1
    assert tapegrad.autograd.grad((second * 4).sum(), edge)[0].tolist() == [4.0]


def test_gradient_edge_as_root():
    x = leaf(1.0, 2.0)
    y = x * 3
    got = tapegrad.autograd.grad(get_gradient_edge(y), x, tapegrad.tensor([1.0, 10.0]))
    assert got[0].tolist() == [3.0, 30.0]


def test_gradient_edge_needs_a_gradient():
    with pytest.raises(RuntimeError) as caught:
        get_gradient_edge(tapegrad.ones(2))
    assert str(caught.value) == (
        "It is not possible to get the gradient edge for a Tensor that does not require gradients"
    )


def test_increment_version():
    a, b = tapegrad.zeros(2), tapegrad.zeros(2)
    increment_version(a)
    assert (a._version, b._version) == (1, 0)
    increment_version((a, b))
    assert (a._version, b._version) == (2, 1)
    x = leaf(1.0)
    y = x.exp()
    increment_version(y.detach())
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


# Saved-tensor hooks --------------------------------------------------------------------


def test_hooks_replace_what_is_saved():
    x = leaf(1.0, 2.0)
    packed, unpacked = [], []

    def pack(t):
        packed.append(t.tolist())
        return t.tolist()

    def unpack(values):
        unpacked.append(values)
        return tapegrad.tensor(values) * 10

    with saved_tensors_hooks(pack, unpack):
        y = x * x
    assert packed == [[1.0, 2.0], [1.0, 2.0]] and unpacked == []
    y.sum().backward()
    assert len(unpacked) == 2
    assert x.grad.tolist() == [20.0, 40.0]


def test_hooks_of_a_result():
    x = leaf(1.0)
    with saved_tensors_hooks(lambda t: t.detach().clone(), lambda t: t * 2):
        y = x.exp()
    y.backward()
    assert x.grad.item() == pytest.approx(2 * 2.718281828, rel=1e-6)


def test_hooks_hold_in_the_block_only():
    x = leaf(2.0)
    calls = []

    def pack(t):
        calls.append(1)
        return t

    x * x
    with saved_tensors_hooks(pack, lambda t: t):
        pass
    x * x
    assert calls == []


def test_inner_hooks_are_used():
    x = leaf(3.0)
    log = []

    def hooks(name):
        def pack(t):
            log.append(name)
            return t

        return saved_tensors_hooks(pack, lambda t: t)

    with hooks("outer"):
        x.exp()
        with hooks("inner"):
            x.exp()
        x.exp()
    assert log == ["outer", "inner", "outer"]


def test_hooks_and_double_backward():
    x = leaf(2.0)
    with saved_tensors_hooks(lambda t: t, lambda t: t):
        y = x**3
        (g,) = tapegrad.autograd.grad(y, x, create_graph=True)
    (h,) = tapegrad.autograd.grad(g, x)
    assert (g.item(), h.item()) == (12.0, 12.0)


def test_packed_copies_keep_the_graph():
    x = leaf(2.0)
    with saved_tensors_hooks(lambda t: t.tolist(), tapegrad.tensor):
        y = x.exp() ** 2
        (g,) = tapegrad.autograd.grad(y, x, create_graph=True)
    (h,) = tapegrad.autograd.grad(g, x)
    assert h.item() == pytest.approx(4 * 54.59815, rel=1e-5)


def test_exceptions_in_hooks():
    x = leaf(2.0)

    def fail(_):
        raise KeyError("from the hook")

    with pytest.raises(KeyError), saved_tensors_hooks(fail, lambda t: t):
        x * x
    (x * x).backward()
    with saved_tensors_hooks(lambda t: t, fail):
        y = x * x
    with pytest.raises(KeyError):
        y.backward()


def test_hooks_belong_to_the_thread():
    calls = []

    def pack(t):
        calls.append(1)
        return t

    def work():
        x = leaf(2.0)
        (x * x).backward()

    with saved_tensors_hooks(pack, lambda t: t):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert calls == []


def test_packed_values_are_freed_by_backward():
    class Packed:
        def __init__(self, t):
            self.t = t.detach().clone()

    refs = []

    def pack(t):
        packed = Packed(t)
        refs.append(weakref.ref(packed))
        return packed

    x = leaf(1.0, 2.0)
    gc.disable()
    try:
        with saved_tensors_hooks(pack, lambda p: p.t):
            y = x * x
        assert all(r() is not None for r in refs)
        y.sum().backward()
        assert all(r() is None for r in refs)
    finally:
        gc.enable()


@pytest.mark.parametrize("pin_memory", [False, True])
def test_save_on_cpu(pin_memory):
    x = leaf(1.0, 2.0)
    with save_on_cpu(pin_memory=pin_memory):
        y = (x.exp() * x).sum()
    y.backward()
    want = leaf(1.0, 2.0)
    (want.exp() * want).sum().backward()
    assert x.grad.tolist() == want.grad.tolist()


def test_save_on_cpu_finds_changes_or_keeps_a_copy():
    for pin_memory in (False, True):
        x = leaf(1.0, 2.0)
        b = x.clone()
        with save_on_cpu(pin_memory=pin_memory):
            y = (b * b).sum()
        b.zero_()
        if pin_memory:
            y.backward()
            assert x.grad.tolist() == [2.0, 4.0]
        else:
            with pytest.raises(RuntimeError, match="has been modified by an inplace operation"):
                y.backward()


def test_disabled_hooks():
    with disable_saved_tensors_hooks("not allowed here"):
        with (
            pytest.raises(RuntimeError, match=r"^not allowed here"),
            saved_tensors_hooks(lambda t: t, lambda t: t),
        ):
            pass
        with (
            disable_saved_tensors_hooks("inner"),
            pytest.raises(RuntimeError, match=r"^inner"),
            save_on_cpu(),
        ):
            pass
        with pytest.raises(RuntimeError, match=r"^not allowed here"), save_on_cpu():
            pass
        leaf(1.0).exp().backward()
    with save_on_cpu():
        leaf(1.0).exp().backward()


def test_disabling_is_refused_while_hooks_are_set():
    with (
        save_on_cpu(),
        pytest.raises(RuntimeError, match=r"^not now"),
        disable_saved_tensors_hooks("not now"),
    ):
        pass


# Mutation of saved tensors -------------------------------------------------------------


def test_allow_mutation():
    a = leaf(1.0, 1.0)
    with allow_mutation_on_saved_tensors():
        b = a.clone()
        out = (b**2).sum()
        b.sin_()
        out.backward()
    assert a.grad.tolist() == [2.0, 2.0]


def test_allow_mutation_of_leaves_and_results():
    x = leaf(1.0, 2.0)
    with allow_mutation_on_saved_tensors():
        y = x.exp()
        z = (y * x).sum()
        with tapegrad.no_grad():
            x.zero_()
            y.zero_()
        z.backward()
    want = leaf(1.0, 2.0)
    (want.exp() * want).sum().backward()
    assert x.grad.tolist() == want.grad.tolist()


def test_allow_mutation_errors():
    with allow_mutation_on_saved_tensors():
        with (
            pytest.raises(RuntimeError, match="contexts cannot be nested"),
            allow_mutation_on_saved_tensors(),
        ):
            pass
        x = leaf(2.0)
        y = x * x
    with pytest.raises(AssertionError, match="Trying to backward outside of the 'allow_mutation"):
        y.backward()
    with allow_mutation_on_saved_tensors():
        (x * x).backward()


def allowed(lib):
    return lib.autograd.graph.allow_mutation_on_saved_tensors()


def kept(context):
    return len(context.cloned), len(context.original), len(context.tid_to_weakhandle)


@both
def test_allow_mutation_copies_only_what_is_written_to(lib):
    with allowed(lib) as context:
        a = lib.ones(2, 3, requires_grad=True).clone()
        out = (a**2).sum()
        assert kept(context) == (0, 1, 1)
        a.sin_()
        assert kept(context)[0] == 1
        out.backward()
        del out
        assert kept(context)[0] in (0, 1)  # the node of sin_ may keep a copy of its own
    assert kept(context) == (0, 0, 0) and not context.sid_to_tid


@both
def test_allow_mutation_of_what_is_saved_no_more(lib):
    with allowed(lib) as context:
        a = lib.ones(2, 3, requires_grad=True).clone()
        out = (a**2).sum()
        out.backward()
        with lib.no_grad():
            a.sin_()
        assert kept(context)[0] == 0
        out = (a**2).sum()
        with lib.no_grad():
            a.sin_()
        assert kept(context)[0] == 1
        del out
        assert kept(context)[0] == 0


@both
def test_allow_mutation_of_what_is_saved_often(lib):
    with allowed(lib) as context:
        a = lib.ones(2, 3, requires_grad=True).clone()
        b, c = a**2, a**2
        assert kept(context) == (0, 1, 1)
        with lib.no_grad():
            a.sin_()
        assert kept(context)[0] == 1
        d = a**2
        with lib.no_grad():
            a.mul_(2)
        assert kept(context)[0] == 2
        del b, c
        assert kept(context)[0] == 1
        del d
        assert kept(context)[0] == 0


WRITES = {
    "sin_": lambda lib, x: x.sin_(),
    "add_": lambda lib, x: x.add_(1),
    "mul_": lambda lib, x: x.mul_(3),
    "zero_": lambda lib, x: x.zero_(),
    "fill_": lambda lib, x: x.fill_(2),
    "copy_": lambda lib, x: x.copy_(lib.ones_like(x)),
    "assign": lambda lib, x: x.__setitem__(slice(None), 3.0),
    "masked_fill_": lambda lib, x: x.masked_fill_(x > 1, 0.0),
    "clamp_": lambda lib, x: x.clamp_(0, 1),
    "index_fill_": lambda lib, x: x.index_fill_(0, lib.tensor([0]), 5.0),
    "out": lambda lib, x: lib.sin(lib.ones_like(x), out=x),
    "data": lambda lib, x: x.data.mul_(2),
    "detach": lambda lib, x: x.detach().mul_(2),
    "uniform_": lambda lib, x: x.uniform_(),
    "row": lambda lib, x: x[0].mul_(2),
    "other_view": lambda lib, x: x.view(-1).mul_(2),
}


@pytest.mark.parametrize("write", WRITES)
@both
def test_allow_mutation_sees_every_write(lib, write):
    a = lib.arange(1.0, 7.0).reshape(2, 3).requires_grad_()
    with allowed(lib) as context:
        b = a.clone()
        loss = (b**3).sum() + b.exp().sum()
        with lib.no_grad():
            WRITES[write](lib, b)
        assert len(context.cloned) == 1
        loss.backward()
    want = 3 * a.detach() ** 2 + a.detach().exp()
    assert lib.allclose(a.grad, want)


def test_allow_mutation_sees_writes_to_other_parts_and_by_the_engine():
    a = tapegrad.arange(1.0, 7.0).requires_grad_()
    with allow_mutation_on_saved_tensors() as context:
        b = a.clone()
        parts = (b[2:4] ** 2).sum() + (b[4:] ** 2).sum()
        with tapegrad.no_grad():
            b[0].mul_(7)  # no part that was saved
            assert kept(context)[0] == 0
            b[3:5].mul_(7)  # a bit of both
            assert kept(context)[0] == 2
        parts.backward()
        assert a.grad.tolist() == [0, 0, 6, 8, 10, 12]
        # The next pass adds to a.grad where it lies.
        w = leaf(1.0)
        loss = (w * a.grad.sum()).sum() + (w * a.grad).sum()
        (a * 1).sum().backward()
        loss.backward()
        assert w.grad.tolist() == [72]


@both
def test_allow_mutation_and_second_derivatives(lib):
    a = lib.tensor([1.0, 2.0], requires_grad=True)
    with allowed(lib):
        b = a.clone()
        out = (b**4).sum()
        b.sin_()
        (first,) = lib.autograd.grad(out, a, create_graph=True)
        with lib.no_grad():
            b.zero_()
        (second,) = lib.autograd.grad(first.sum(), a)
    assert first.tolist() == [4, 32] and second.tolist() == [12, 48]


@both
def test_allow_mutation_in_another_block(lib):
    a = lib.ones(2, requires_grad=True)
    with allowed(lib) as context:
        b = a.clone()
        out = (b**2).sum()
        b.sin_()
        out.backward()
        out = (b**2).sum()
        context.clear()
    message = "Trying to backward outside of the 'allow_mutation_on_saved_tensors' context"
    for _ in range(2):
        with pytest.raises(AssertionError, match=message):
            out.backward()
        with allowed(lib), pytest.raises(AssertionError, match=message):
            out.backward()


# Hooks on several tensors --------------------------------------------------------------


def numbers(grads):
    return [None if g is None else g.item() for g in grads]


def test_multi_grad_hook_waits_for_all():
    a, b, c, d = (leaf(float(i)) for i in (1, 2, 3, 4))
    calls = []
    handle = register_multi_grad_hook((a, b, c, d), lambda grads: calls.append(numbers(grads)))
    (a * b).backward()
    (c * 5).backward()
    (a * b + c * d * 2).backward()
    assert calls == [[2.0, 1.0, None, None], [None, None, 5.0, None], [2.0, 1.0, 8.0, 6.0]]
    handle.remove()
    (a * b).backward()
    assert len(calls) == 3


def test_multi_grad_hook_on_intermediate_tensors():
    x = leaf(2.0)
    y, z = x * 3, x * 4
    calls = []
    register_multi_grad_hook((y, z), lambda grads: calls.append(numbers(grads)))
    out = y * z
    out.backward(retain_graph=True)
    assert calls == [[8.0, 6.0]]
    out.backward(inputs=(y,), retain_graph=True)
    assert calls[1:] == [[8.0, None]]
    out.backward()
    assert calls[2:] == [[8.0, 6.0]]


def test_multi_grad_hook_with_inputs():
    a, b = leaf(2.0), leaf(3.0)
    calls = []
    register_multi_grad_hook((a, b), lambda grads: calls.append(numbers(grads)))
    (a * b).backward(inputs=(a,))
    assert calls == [[3.0, None]]


def test_multi_grad_hook_any():
    a, b = leaf(2.0), leaf(3.0)
    constant = tapegrad.ones(1)
    calls = []
    handle = register_multi_grad_hook(
        (a, constant, b), lambda grad: calls.append(grad.item()), mode="any"
    )
    (a * b).backward()
    assert len(calls) == 1 and calls[0] in (2.0, 3.0)
    (b * 7).backward()
    assert calls[1:] == [7.0]
    handle.remove()
    (a * b).backward()
    assert len(calls) == 2


def test_multi_grad_hook_handle_is_a_context_manager():
    a = leaf(2.0)
    calls = []
    with register_multi_grad_hook((a,), lambda grads: calls.append(1)):
        (a * 2).backward()
    (a * 2).backward()
    assert calls == [1]


def test_multi_grad_hook_in_nested_backward():
    a, b = leaf(2.0), leaf(3.0)
    calls = []

    def hook(grads):
        calls.append(numbers(grads))
        if len(calls) == 1:
            with tapegrad.enable_grad():
                (a * 10).backward()

    register_multi_grad_hook((a, b), hook)
    (a * b).backward()
    assert calls == [[3.0, 2.0], [10.0, None]]


def test_multi_grad_hook_mode():
    with pytest.raises(ValueError) as caught:
        register_multi_grad_hook((leaf(1.0),), print, mode="some")
    assert str(caught.value) == "Expects mode to be one of ('all', 'any') but got some"


def test_multi_grad_hook_needs_a_graph():
    with pytest.raises(AssertionError, match="Expected gradient function to be set"):
        register_multi_grad_hook((tapegrad.ones(1),), print)


@both
def test_saved_operands_in_the_memory_that_is_written(lib):
    x = lib.tensor([0.5, -1.0, 1.5], dtype=lib.float64, requires_grad=True)
    with lib.autograd.graph.allow_mutation_on_saved_tensors():
        square = x * 2
        square.mul_(square)
        backwards = x * 2
        backwards.div_(backwards[[2, 1, 0]].detach())
        part = x * 2
        part[1:].mul_(part[:1])
        index = x * 2
        index.masked_fill_(index > 0, index[1] * 3)
        for out, slope in (
            (square, [4.0, -8.0, 12.0]),
            (backwards, [2 / 3, -1.0, 2.0]),
            (part, [2.0 + -4.0 + 6.0, 2.0, 2.0]),
        ):
            (grad,) = lib.autograd.grad(out.sum(), x)
            assert grad.tolist() == pytest.approx(slope)
        (grad,) = lib.autograd.grad(index.sum(), x)
        assert grad.tolist() == [0, 2 + 12, 0]
