"""What `backward` and `autograd.grad` promise: accumulation, the graph, its end, its errors."""

from __future__ import annotations

import gc
import threading
import warnings
import weakref
from typing import Any

import pytest

import tapegrad as tg
from support import raises

SECOND_TIME = (
    "Trying to backward through the graph a second time (or directly access saved tensors after "
    "they have already been freed). Saved intermediate values of the graph are freed when you call "
    ".backward() or autograd.grad(). Specify retain_graph=True if you need to backward through the "
    "graph a second time or if you need to access saved tensors after calling backward."
)
NO_GRAPH = "element 0 of tensors does not require grad and does not have a grad_fn"
UNUSED = (
    "The differentiated Tensor at index 0 appears to not have been used in the graph. "
    "Set allow_unused=True if this is the desired behavior."
)


def leaf(*values: float) -> Any:
    return tg.tensor(values, requires_grad=True)


# ---------------------------------------------------------------- leaves and accumulation


def test_gradients_accumulate() -> None:
    x = leaf(2.0)
    for k in range(1, 4):
        (x**2).backward()
        assert x.grad.item() == 4.0 * k


def test_accumulation_keeps_the_gradient_tensor() -> None:
    """Optimisers and users may hold on to `x.grad`."""
    x = leaf(1.0, 2.0)
    (x * 3).sum().backward()
    held = x.grad
    (x * 4).sum().backward()
    assert x.grad is held
    assert held.tolist() == [7.0, 7.0]


def test_gradient_is_not_the_callers_tensor() -> None:
    """The gradient handed in is not what later backwards add to."""
    x, given = leaf(1.0, 2.0), tg.ones(2)
    for _ in range(2):
        (x * 1).backward(given)
    y = x.clone()
    y.backward(given)
    x.grad.zero_()
    assert given.tolist() == [1.0, 1.0]


def test_two_leaves_do_not_share_one_gradient() -> None:
    a, b = leaf(1.0), leaf(2.0)
    (a + b).sum().backward()
    a.grad.mul_(10)
    assert b.grad.tolist() == [1.0]


def test_gradient_does_not_require_grad() -> None:
    x = leaf(1.0)
    (x * x).backward()
    assert not x.grad.requires_grad
    assert x.grad.is_leaf


def test_create_graph_gives_differentiable_gradients() -> None:
    x = leaf(3.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the cycle between x and its gradient
        (x**3).backward(create_graph=True)
    assert x.grad.requires_grad
    (second,) = tg.autograd.grad(x.grad, x)
    assert second.item() == 18.0
    x.grad = None


def test_grad_starts_as_none_and_can_be_reset() -> None:
    x = leaf(1.0)
    assert x.grad is None
    (x * 2).backward()
    x.grad = None
    (x * 5).backward()
    assert x.grad.item() == 5.0
    x.grad = tg.tensor([1.0])
    (x * 5).backward()
    assert x.grad.item() == 6.0


def test_leaf_flags() -> None:
    x, c = leaf(1.0), tg.ones(1)
    y = x * 2
    assert (x.is_leaf, c.is_leaf, y.is_leaf, (c * 2).is_leaf) == (True, True, False, True)
    assert (x.requires_grad, c.requires_grad, y.requires_grad) == (True, False, True)
    assert x.grad_fn is None
    assert (c * 2).grad_fn is None
    assert y.detach().is_leaf
    assert tg.randn(3).mul(2).requires_grad_().is_leaf


def test_reading_grad_of_a_result_warns() -> None:
    y = leaf(1.0) * 2
    with pytest.warns(
        UserWarning, match=r"The \.grad attribute of a Tensor that is not a leaf"
    ) as seen:
        assert y.grad is None
    assert seen[0].filename == __file__


@pytest.mark.filterwarnings("error")
def test_reading_grad_without_warning() -> None:
    x = leaf(1.0)
    y = x * 2
    y.retain_grad()
    y.backward()
    assert (tg.ones(1).grad, y.grad.item(), x.grad.item()) == (None, 1.0, 2.0)


# ---------------------------------------------------------------- the graph


def test_same_value_used_twice() -> None:
    x = leaf(3.0)
    y = x * x + x
    y.backward()
    assert x.grad.item() == 7.0


def test_diamond() -> None:
    x = leaf(2.0)
    a = x * 3
    (a.sin() * a.exp() + a).sum().backward()
    a = tg.tensor(6.0, dtype=tg.float64)
    want = 3 * (a.exp() * (a.sin() + a.cos()) + 1)
    assert x.grad.item() == pytest.approx(want.item(), rel=1e-5)


def test_same_operand_on_both_sides() -> None:
    x = leaf(2.0, 3.0)
    for f, want in (
        (lambda: x - x, [0.0, 0.0]),
        (lambda: x / x, [0.0, 0.0]),
        (lambda: x @ x, [4.0, 6.0]),
        (lambda: tg.cat([x, x]), [2.0, 2.0]),
        (lambda: tg.maximum(x, x), [1.0, 1.0]),
    ):
        x.grad = None
        f().sum().backward()
        assert x.grad.tolist() == pytest.approx(want)


NODES = {
    "AddBackward0": lambda x: x + x,
    "SubBackward0": lambda x: x - 1,
    "RsubBackward1": lambda x: 1 - x,
    "MulBackward0": lambda x: x * 2,
    "DivBackward0": lambda x: x / 2,
    "PowBackward0": lambda x: x**2,
    "PowBackward1": lambda x: x**x,
    "PowBackward2": lambda x: 2.0**x,
    "NegBackward0": lambda x: -x,
    "ExpBackward0": lambda x: x.exp(),
    "LogBackward0": lambda x: x.log(),
    "TanhBackward0": lambda x: x.tanh(),
    "SigmoidBackward0": lambda x: x.sigmoid(),
    "ReluBackward0": lambda x: x.relu(),
    "SinBackward0": lambda x: x.sin(),
    "SqrtBackward0": lambda x: x.sqrt(),
    "AbsBackward0": lambda x: x.abs(),
    "ClampBackward1": lambda x: x.clamp(0, 1),
    "SumBackward0": lambda x: x.sum(),
    "SumBackward1": lambda x: x.sum(0),
    "MeanBackward0": lambda x: x.mean(),
    "MeanBackward1": lambda x: x.mean(0),
    "MaxBackward1": lambda x: x.max(),
    "MaxBackward0": lambda x: x.max(0)[0],
    "DotBackward0": lambda x: x @ x,
    "MmBackward0": lambda x: x[:, None] @ x[None],
    "TBackward0": lambda x: x[None].t(),
    "ViewBackward0": lambda x: x.view(1, -1),
    "UnsqueezeBackward0": lambda x: x.unsqueeze(0),
    "SqueezeBackward0": lambda x: x.squeeze(),
    "ExpandBackward0": lambda x: x.expand(2, 3),
    "SliceBackward0": lambda x: x[1:],
    "SelectBackward0": lambda x: x[0],
    "IndexBackward0": lambda x: x[[0, 1]],
    "CatBackward0": lambda x: tg.cat([x, x]),
    "StackBackward0": lambda x: tg.stack([x, x]),
    "CloneBackward0": lambda x: x.clone(),
    "WhereBackward0": lambda x: tg.where(x > 0, x, 0.0),
    "SoftmaxBackward0": lambda x: x.softmax(0),
    "LogSoftmaxBackward0": lambda x: x.log_softmax(0),
    "ToCopyBackward0": lambda x: x.double(),
    "PermuteBackward0": lambda x: x[None].permute(1, 0),
    "TransposeBackward0": lambda x: x[None].transpose(0, 1),
    "MseLossBackward0": lambda x: F.mse_loss(x, x + 1),
    "CopySlices": lambda x: _first_set(x.clone()),
    "MaximumBackward0": lambda x: tg.maximum(x, x),
    "LogsumexpBackward0": lambda x: x.logsumexp(0),
    "CumsumBackward0": lambda x: x.cumsum(0),
    "GeluBackward0": lambda x: F.gelu(x),
    "SiluBackward0": lambda x: F.silu(x),
    "SoftplusBackward0": lambda x: F.softplus(x),
    "EluBackward0": lambda x: F.elu(x),
    "LeakyReluBackward0": lambda x: F.leaky_relu(x),
    "ErfBackward0": lambda x: x.erf(),
    "ProdBackward0": lambda x: x.prod(),
    "StdBackward0": lambda x: x.std(),
    "VarBackward0": lambda x: x.var(),
    "MaskedFillBackward0": lambda x: x.masked_fill(x > 1, 0.0),
    "ReciprocalBackward0": lambda x: 1 / x,
    "BinaryCrossEntropyWithLogitsBackward0": lambda x: F.binary_cross_entropy_with_logits(
        x, x.detach(), reduction="none"
    ),
}
F = tg.nn.functional


def kind(node: Any) -> str:
    return type(node).__name__


def _first_set(x: Any) -> Any:
    x[:1] = 5.0
    return x


@pytest.mark.parametrize("name", NODES)
def test_node_names(name: str) -> None:
    x = leaf(1.0, 2.0, 3.0)
    made = NODES[name](x).grad_fn
    # `1 / x` puts one more node on top.
    assert name in {kind(made), *(kind(n) for n, _ in made.next_functions)}
    assert made.name().endswith(kind(made))
    assert repr(made).startswith(f"<{kind(made)} object at 0x")


def test_next_functions() -> None:
    x, c = leaf(1.0), tg.ones(1)
    y = x * c
    z = y + x
    assert [kind(n) for n, _ in z.grad_fn.next_functions] == ["MulBackward0", "AccumulateGrad"]
    assert z.grad_fn.next_functions[0][0] is y.grad_fn
    (accumulate, number), (nothing, zero) = y.grad_fn.next_functions
    assert (number, nothing, zero) == (0, None, 0)
    assert accumulate.variable is x
    assert z.grad_fn.next_functions[1][0] is accumulate
    assert accumulate.next_functions == ()
    assert y.grad_fn is y.grad_fn


def test_numbers_of_outputs() -> None:
    a, b = leaf(1.0, 2.0).split(1)
    (na, ka), (nb, kb) = (a + b).grad_fn.next_functions
    assert na is nb
    assert (ka, kb) == (0, 1)


def test_partly_used_outputs() -> None:
    x = leaf(1.0, 2.0, 3.0)
    parts = x.unbind()
    (parts[1] * 5).backward()
    assert x.grad.tolist() == [0.0, 5.0, 0.0]


def test_dead_branches_do_not_run() -> None:
    x = leaf(2.0)
    y = x * 2
    seen: list = []
    z = x.exp()
    z.register_hook(lambda g: seen.append("dead"))
    y.backward()
    assert seen == []


# ---------------------------------------------------------------- ends of a graph


def test_second_time() -> None:
    x = leaf(2.0)
    y = x * x
    y.backward()
    with raises(RuntimeError, SECOND_TIME):
        y.backward()
    assert x.grad.item() == 4.0


def test_second_time_through_a_shared_part() -> None:
    x = leaf(2.0)
    shared = x.exp()
    (shared * 2).backward()
    with raises(RuntimeError, SECOND_TIME):
        (shared * 3).backward()


def test_second_time_is_fine_without_saved_values() -> None:
    x = leaf(2.0)
    y = x + 1
    y.backward()
    y.backward()
    assert x.grad.item() == 2.0


def test_retain_graph() -> None:
    x = leaf(2.0)
    y = x * x
    y.backward(retain_graph=True)
    y.backward(retain_graph=True)
    assert x.grad.item() == 8.0
    y.backward()
    with raises(RuntimeError, SECOND_TIME):
        y.backward()


def test_saved_values_are_released_by_backward() -> None:
    x = leaf(*[0.5] * 1000)
    y = x.exp()
    hold = weakref.ref(y)
    z = (y * y).sum()
    del y
    assert z.item() >= 0
    gone_before = hold() is None
    z.backward()
    gc.collect()
    assert gone_before or hold() is None


# ---------------------------------------------------------------- arguments


def test_non_scalar_needs_a_gradient() -> None:
    y = leaf(1.0, 2.0) * 2
    with raises(RuntimeError, "grad can be implicitly created only for scalar outputs"):
        y.backward()
    (leaf(1.0)[None] * 2).backward()  # one element is enough


@pytest.mark.parametrize("how", ["position", "keyword"])
def test_gradient_argument(how: str) -> None:
    x = leaf(1.0, 2.0)
    y, g = x * x, tg.tensor([10.0, 1.0])
    y.backward(g) if how == "position" else y.backward(gradient=g)
    assert x.grad.tolist() == [20.0, 4.0]


def test_gradient_of_the_wrong_shape() -> None:
    x = leaf(1.0, 2.0, 3.0)
    with raises(
        RuntimeError,
        "Mismatch in shape: grad_output[0] has a shape of tapegrad.Size([2]) and "
        "output[0] has a shape of tapegrad.Size([3]).",
    ):
        (x * 2).backward(gradient=tg.ones(2))
    assert x.grad is None


def test_wrong_number_of_gradients() -> None:
    x = leaf(1.0)
    with raises(RuntimeError, "got 2 tensors and 1 gradients"):
        tg.autograd.backward([x * 2, x * 3], [tg.ones(1)])


def test_backward_without_graph() -> None:
    with raises(RuntimeError, NO_GRAPH):
        tg.ones(1).backward()
    with raises(RuntimeError, NO_GRAPH):
        (leaf(1.0) * 2).detach().backward()
    with tg.no_grad():
        y = leaf(1.0) * 2
    with raises(RuntimeError, NO_GRAPH):
        y.backward()


def test_backward_of_a_leaf() -> None:
    x = leaf(3.0)
    x.backward()
    assert x.grad.item() == 1.0


def test_several_roots() -> None:
    x = leaf(2.0)
    tg.autograd.backward([x * 2, x * x, x])
    assert x.grad.item() == 2 + 4 + 1
    x.grad = None
    tg.autograd.backward((x * 2, x * 3), grad_tensors=(tg.tensor([10.0]), None))
    assert x.grad.item() == 23.0


def test_same_root_twice() -> None:
    x = leaf(2.0)
    y = x * x
    tg.autograd.backward([y, y])
    assert x.grad.item() == 8.0


def test_inputs_argument() -> None:
    a, b = leaf(2.0), leaf(3.0)
    (a * b).backward(inputs=[a])
    assert (a.grad.item(), b.grad) == (3.0, None)
    (a * b).backward(inputs=b)
    assert (a.grad.item(), b.grad.item()) == (3.0, 2.0)
    with raises(RuntimeError, "`inputs` argument to `backward()` cannot be empty."):
        (a * b).backward(inputs=[])


def test_inputs_may_be_results() -> None:
    x = leaf(2.0)
    y = x * 3
    (y * y).backward(inputs=[y])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert y.grad.item() == 12.0
    assert x.grad is None


def test_grad_function() -> None:
    a, b = leaf(2.0), leaf(3.0)
    da, db = tg.autograd.grad(a * a * b, (a, b))
    assert (da.item(), db.item()) == (12.0, 4.0)
    assert a.grad is None
    (only,) = tg.autograd.grad([a * 2, a * 3], a, [tg.ones(1), tg.ones(1)])
    assert only.item() == 5.0


def test_grad_of_results() -> None:
    x = leaf(2.0)
    y = x * 3
    z = y.exp() * y
    (dy,) = tg.autograd.grad(z, y, retain_graph=True)
    (dx,) = tg.autograd.grad(z, x, retain_graph=True)
    both = tg.autograd.grad(z, [x, y])
    assert dx.item() == pytest.approx(3 * dy.item())
    assert [g.item() for g in both] == pytest.approx([dx.item(), dy.item()])


def test_grad_of_the_root_itself() -> None:
    x = leaf(2.0)
    y = x * 3
    assert tg.autograd.grad(y, y)[0].item() == 1.0


def test_unused_inputs() -> None:
    a, b = leaf(1.0), leaf(1.0)
    with raises(RuntimeError, UNUSED):
        tg.autograd.grad(a * 2, b)
    assert tg.autograd.grad(a * 2, [a, b], allow_unused=True)[1] is None
    zeros = tg.autograd.grad(a * 2, [a, b], materialize_grads=True)[1]
    assert zeros.tolist() == [0.0]
    with raises(RuntimeError, "One of the differentiated Tensors does not require grad"):
        tg.autograd.grad(a * 2, tg.ones(1))


def test_grad_stops_early() -> None:
    """What lies behind the asked inputs does not run."""
    x = leaf(2.0)
    y = x * 3
    seen: list = []
    x.register_hook(lambda g: seen.append("x"))
    tg.autograd.grad(y.exp(), y)
    assert seen == []


def test_retain_grad() -> None:
    x = leaf(2.0)
    y = x * 3
    y.retain_grad()
    y.retain_grad()  # a second time changes nothing
    assert y.retains_grad
    (y * y).backward(retain_graph=True)
    assert y.grad.item() == 12.0
    (y * 1).backward()
    assert y.grad.item() == 13.0
    x.retain_grad()
    assert not x.retains_grad
    with raises(RuntimeError, "can't retain_grad on Tensor that has requires_grad=False"):
        tg.ones(1).retain_grad()


def test_broadcast_operands_get_their_own_shape() -> None:
    a = tg.ones(4, 1, 3, requires_grad=True)
    b = tg.ones(2, 1, requires_grad=True)
    c = tg.tensor(2.0, requires_grad=True)
    (a * b + c).sum().backward()
    assert (a.grad.shape, b.grad.shape, c.grad.shape) == (a.shape, b.shape, c.shape)
    assert (a.grad.sum().item(), b.grad.sum().item(), c.grad.item()) == (24.0, 24.0, 24.0)


# ---------------------------------------------------------------- higher order


def test_nested_grad() -> None:
    x = leaf(2.0)
    y = x**4
    for want in (32.0, 48.0, 48.0, 24.0):
        (y,) = tg.autograd.grad(y, x, create_graph=True)
        assert y.item() == want


def test_hessian_vector_product_of_a_network() -> None:
    tg.manual_seed(0)
    w = tg.randn(3, 4, dtype=tg.float64, requires_grad=True)
    x, v = tg.randn(5, 4, dtype=tg.float64), tg.randn(3, 4, dtype=tg.float64)

    def slope(at: Any) -> Any:
        loss = (F.linear(x, at).tanh() ** 2).mean()
        return tg.autograd.grad(loss, at, create_graph=True)[0]

    (product,) = tg.autograd.grad((slope(w) * v).sum(), w)
    h = 1e-6
    plus, minus = (slope((w + s * h * v).detach().requires_grad_()) for s in (1, -1))
    assert tg.allclose(product, (plus - minus).detach() / (2 * h), atol=1e-7)


def test_gradient_penalty() -> None:
    x = leaf(1.0, 2.0)
    w = leaf(3.0, 4.0)
    (g,) = tg.autograd.grad((w * x**2).sum(), x, create_graph=True)
    (g**2).sum().backward()
    assert w.grad.tolist() == [8 * 3.0, 8 * 4.0 * 4]


def test_gradient_through_a_step_of_descent() -> None:
    w, lr = leaf(1.0), leaf(0.1)
    (g,) = tg.autograd.grad((w - 3) ** 2, w, create_graph=True)
    ((w - lr * g - 3) ** 2).backward()
    assert lr.grad.item() == pytest.approx(2 * (1 + 0.4 - 3) * 4)


# ---------------------------------------------------------------- hooks that the tape itself needs


def test_hooks_run_from_the_result_backwards() -> None:
    x = leaf(2.0)
    y = x * 3
    seen: list = []
    x.register_hook(lambda g: seen.append(("x", g.item())))
    y.register_hook(lambda g: seen.append(("y", g.item())))
    (y * 2).backward()
    assert seen == [("y", 2.0), ("x", 6.0)]


def test_hook_replaces_the_gradient() -> None:
    x = leaf(2.0)
    y = x * 3
    handle = y.register_hook(lambda g: g * 10)
    (y * 1).backward(retain_graph=True)
    assert x.grad.item() == 30.0
    handle.remove()
    x.grad = None
    (y * 1).backward()
    assert x.grad.item() == 3.0


def test_exception_in_a_hook_leaves_everything_usable() -> None:
    x = leaf(2.0)
    y = x * 3
    handle = y.register_hook(lambda g: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        (y * 1).backward()
    handle.remove()
    x.grad = None
    (x * 5).backward()
    assert x.grad.item() == 5.0


def test_backward_inside_a_hook() -> None:
    x, inner = leaf(2.0), leaf(1.0)
    y = x * 3

    def hook(g: Any) -> None:
        with tg.enable_grad():
            (inner * 7).backward()

    y.register_hook(hook)
    y.backward()
    assert (x.grad.item(), inner.grad.item()) == (3.0, 7.0)


# ---------------------------------------------------------------- depth


@pytest.mark.parametrize("length", [1_000_000])
def test_long_chain_runs_and_is_freed(length: int) -> None:
    """Nothing recurses over the graph."""
    x = tg.ones((), requires_grad=True)
    y = x
    for _ in range(length):
        y = y + 1
    y.backward()
    assert x.grad.item() == 1.0
    del y
    z = x
    for _ in range(length):
        z = -z
    del z  # freed without having run
    gc.collect()


def test_long_chain_with_create_graph() -> None:
    x = tg.ones((), dtype=tg.float64, requires_grad=True)
    y = x
    for _ in range(20_000):
        y = y * 1.0001
    (g,) = tg.autograd.grad(y, x, create_graph=True)
    assert g.item() == pytest.approx(1.0001**20_000)
    (g * x).backward()


def test_wide_graph() -> None:
    x = tg.ones(1, dtype=tg.float64, requires_grad=True)
    parts = [x * k for k in range(10_000)]
    tg.stack(parts).sum().backward()
    assert x.grad.item() == sum(range(10_000))


def test_deep_chain_is_freed_in_a_thread_with_a_small_stack() -> None:
    def work() -> None:
        x = tg.ones((), requires_grad=True)
        y = x
        for _ in range(100_000):
            y = y.sin()
        y.backward()
        done.append(x.grad.item())

    done: list = []
    before = threading.stack_size(256 * 1024)
    try:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    assert len(done) == 1


@pytest.mark.parametrize("flag", ["retain_graph", "create_graph"])
def test_flags_that_are_neither_true_nor_false(flag: str) -> None:
    x = tg.ones(2, requires_grad=True)
    with raises(RuntimeError, "Boolean value of Tensor with more than one value is ambiguous"):
        (x * x).sum().backward(**{flag: tg.ones(2)})
    assert x.grad is None
