"""autograd.graph: edges, saved-tensor hooks, and hooks on several gradients."""

import gc
import threading
import weakref

import pytest

import tapegrad
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
