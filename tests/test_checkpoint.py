"""Checkpointing: values, number of recomputations, randomness, errors, memory."""

import contextlib
import functools
import gc
import itertools
import math
import warnings
import weakref

import pytest

import tapegrad
from both import both
from tapegrad.autograd import Function
from tapegrad.utils.checkpoint import (
    CheckpointError,
    CheckpointFunction,
    checkpoint,
    checkpoint_sequential,
    set_checkpoint_debug_enabled,
    set_checkpoint_early_stop,
)

kinds = pytest.mark.parametrize("use_reentrant", [False, True], ids=["hooks", "reentrant"])


def leaf(*values):
    return tapegrad.tensor(list(values), dtype=tapegrad.float64, requires_grad=True)


def counted(func):
    """`func` with a list that gets an entry per call."""
    calls = []

    def wrapper(*args, **kwargs):
        calls.append(tapegrad.is_grad_enabled())
        return func(*args, **kwargs)

    return wrapper, calls


def gradient(func, *values):
    x = leaf(*values)
    func(x).sum().backward()
    return x.grad.tolist()


# Values and counts ---------------------------------------------------------------------


@kinds
def test_same_values_and_gradients(use_reentrant):
    func, calls = counted(lambda x: x.exp() * x.sin().relu())
    x = leaf(0.5, -1.0, 2.0)
    y = checkpoint(func, x, use_reentrant=use_reentrant)
    assert len(calls) == 1
    want = leaf(0.5, -1.0, 2.0)
    z = want.exp() * want.sin().relu()
    assert y.tolist() == z.tolist() and y.requires_grad
    y.sum().backward()
    z.sum().backward()
    assert len(calls) == 2
    assert x.grad.tolist() == want.grad.tolist()


def test_the_reentrant_kind_is_not_recorded_in_forward():
    func, calls = counted(lambda x: x.exp())
    y = checkpoint(func, leaf(1.0), use_reentrant=True)
    assert calls == [False]
    assert y.grad_fn.name() == "CheckpointFunctionBackward"
    y.backward()
    assert calls == [False, True]


@kinds
def test_several_arguments_and_results(use_reentrant):
    def func(a, factor, b, nothing):
        assert nothing is None
        return a * b * factor, (a * b).exp(), None

    a, b = leaf(1.0, 2.0), leaf(0.5, 1.5)
    p, q, r = checkpoint(func, a, 3.0, b, None, use_reentrant=use_reentrant)
    assert r is None
    (p.sum() + q.sum()).backward()
    c, d = leaf(1.0, 2.0), leaf(0.5, 1.5)
    p, q, _ = func(c, 3.0, d, None)
    (p.sum() + q.sum()).backward()
    assert a.grad.tolist() == c.grad.tolist() and b.grad.tolist() == d.grad.tolist()


@kinds
def test_a_result_that_is_not_used(use_reentrant):
    x = leaf(1.0, 2.0)
    p, _ = checkpoint(lambda x: (x.exp(), x.sin()), x, use_reentrant=use_reentrant)
    p.sum().backward()
    assert x.grad.tolist() == p.tolist()


@kinds
def test_closures_receive_gradients(use_reentrant):
    w, x = leaf(2.0, 3.0), leaf(1.0, 1.0)
    checkpoint(lambda x: (w * x).exp() * w, x, use_reentrant=use_reentrant).sum().backward()
    v = leaf(2.0, 3.0)
    ((v * leaf(1.0, 1.0)).exp() * v).sum().backward()
    assert w.grad.tolist() == v.grad.tolist()


@kinds
def test_without_anything_to_differentiate(use_reentrant):
    x = tapegrad.ones(2)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        y = checkpoint(lambda x: x * 2, x, use_reentrant=use_reentrant)
    texts = [str(w.message) for w in caught]
    reentrant_text = "None of the inputs have requires_grad=True. Gradients will be None"
    assert texts == ([reentrant_text] if use_reentrant else [])
    assert not y.requires_grad


@kinds
def test_in_no_grad(use_reentrant):
    func, calls = counted(lambda x: x * 2)
    with tapegrad.no_grad():
        y = checkpoint(func, leaf(1.0), use_reentrant=use_reentrant)
    assert not y.requires_grad and calls == [False]


def test_keyword_arguments():
    x, w = leaf(1.0), leaf(3.0)
    y = checkpoint(lambda x, *, w, power=1: (x * w) ** power, x, w=w, power=2, use_reentrant=False)
    y.backward()
    assert (x.grad.item(), w.grad.item()) == (18.0, 6.0)


def test_nested_structures_as_arguments():
    a, b = leaf(1.0), leaf(2.0)
    y = checkpoint(lambda d: (d["a"] * d["list"][0]).exp(), {"a": a, "list": [b]},
                   use_reentrant=False)  # fmt: skip
    y.backward()
    assert a.grad.item() == pytest.approx(2 * y.item())


def test_retain_graph_recomputes_in_each_pass():
    func, calls = counted(lambda x: x.exp().sin())
    x = leaf(0.3)
    y = checkpoint(func, x, use_reentrant=False)
    for passes in (1, 2, 3):
        x.grad = None
        y.backward(retain_graph=True)
        assert len(calls) == 1 + passes
        assert x.grad.tolist() == gradient(lambda x: x.exp().sin(), 0.3)


@kinds
def test_second_backward_is_refused(use_reentrant):
    y = checkpoint(lambda x: x.exp().sin(), leaf(0.3), use_reentrant=use_reentrant)
    y.backward()
    with pytest.raises(RuntimeError, match="Trying to backward through the graph a second time"):
        y.backward()


def test_partial_backward():
    func, calls = counted(lambda x: (x.exp(), x.sin()))
    x = leaf(0.3)
    p, q = checkpoint(func, x, use_reentrant=False)
    p.backward()
    assert len(calls) == 2
    q.backward()
    assert len(calls) == 3
    assert x.grad.item() == pytest.approx(p.item() + x.cos().item())


def test_autograd_grad_and_inputs():
    x = leaf(0.3)
    y = checkpoint(lambda x: x.exp().sin(), x, use_reentrant=False)
    (g,) = tapegrad.autograd.grad(y, x)
    assert g.tolist() == gradient(lambda x: x.exp().sin(), 0.3)
    y = checkpoint(lambda x: x.exp().sin(), x, use_reentrant=False)
    y.backward(inputs=(x,))
    assert x.grad.tolist() == g.tolist()


def test_reentrant_refuses_autograd_grad_and_inputs():
    message = "When use_reentrant=True, tapegrad.utils.checkpoint is incompatible with .grad()"
    x = leaf(0.3)
    y = checkpoint(lambda x: x.exp(), x, use_reentrant=True)
    with pytest.raises(RuntimeError, match=message):
        tapegrad.autograd.grad(y, x, retain_graph=True)
    with pytest.raises(RuntimeError, match=message):
        y.backward(inputs=(x,), retain_graph=True)
    y.backward()
    assert x.grad.tolist() == y.tolist()


def test_double_backward():
    def func(x):
        return (x.exp() * x).sin()

    x = leaf(0.4)
    results = []
    for f in (func, lambda x: checkpoint(func, x, use_reentrant=False)):
        (g,) = tapegrad.autograd.grad(f(x), x, create_graph=True)
        (h,) = tapegrad.autograd.grad(g, x)
        results.append((g.item(), h.item()))
    assert results[0] == pytest.approx(results[1])


def test_gradcheck():
    def func(x):
        return checkpoint(lambda x: x.exp() * x.sin(), x, use_reentrant=False)

    assert tapegrad.autograd.gradcheck(func, leaf(0.5, 1.0))
    assert tapegrad.autograd.gradgradcheck(func, leaf(0.5, 1.0))


def test_backward_inside_the_function():
    def func(x):
        y = x.exp()
        (g,) = tapegrad.autograd.grad(y.sum(), x, create_graph=True)
        return y * g

    want = gradient(lambda x: x.exp() ** 2, 0.5, 1.0)
    for early_stop in (True, False):
        got = gradient(
            lambda x, e=early_stop: checkpoint(func, x, use_reentrant=False, early_stop=e),
            0.5, 1.0,
        )  # fmt: skip
        assert got == pytest.approx(want)


def test_hooks_in_the_function_run_once():
    calls = []

    def func(x):
        y = x.exp()
        if y.requires_grad:
            y.register_hook(lambda g: calls.append(1))
        return y.sin()

    checkpoint(func, leaf(0.3), use_reentrant=False).backward()
    assert calls == [1]


def test_arguments_changed_in_place_are_found():
    for use_reentrant in (False, True):
        x = leaf(1.0)
        a = x * 1
        y = checkpoint(lambda a: a.exp().sin(), a, use_reentrant=use_reentrant)
        a.add_(1.0)
        with pytest.raises(RuntimeError, match="has been modified by an inplace operation"):
            y.backward()


# Nesting -------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad=True")
@pytest.mark.parametrize("inner", [False, True])
@pytest.mark.parametrize("outer", [False, True])
def test_nested(outer, inner):
    def level2(x):
        return x.sin().exp()

    f2, calls2 = counted(level2)

    def level1(x):
        y = x.exp().sin()
        z = checkpoint(f2, y, use_reentrant=inner)
        return z.sin() * y

    f1, calls1 = counted(level1)
    got = gradient(lambda x: checkpoint(f1, x, use_reentrant=outer), 0.3, 0.7)

    def plain(x):
        y = x.exp().sin()
        return level2(y).sin() * y

    assert got == pytest.approx(gradient(plain, 0.3, 0.7), rel=1e-12)
    assert len(calls1) == 2
    assert len(calls2) == 3


def test_deeply_nested():
    def nest(depth):
        if depth == 0:
            return lambda x: x.sin().exp()
        inner = nest(depth - 1)
        return lambda x: checkpoint(inner, x.sin(), use_reentrant=False).exp()

    def plain(depth):
        return (lambda x: x.sin().exp()) if depth == 0 else (
            lambda x: plain(depth - 1)(x.sin()).exp()
        )  # fmt: skip

    for depth in (1, 3, 6):
        for early_stop in (True, False):
            with set_checkpoint_early_stop(early_stop):
                got = gradient(nest(depth), 0.3)
            assert got == pytest.approx(gradient(plain(depth), 0.3), rel=1e-12)


def test_chain_of_checkpoints():
    func, calls = counted(lambda x: x.sin().exp())

    def chain(x):
        for _ in range(10):
            x = checkpoint(func, x, use_reentrant=False)
        return x

    def plain(x):
        for _ in range(10):
            x = x.sin().exp()
        return x

    assert gradient(chain, 0.3) == gradient(plain, 0.3)
    assert len(calls) == 20


# Random numbers ------------------------------------------------------------------------


def noisy(x):
    return (x * tapegrad.rand(*x.shape, dtype=x.dtype)).exp()


@kinds
def test_random_numbers_repeat(use_reentrant):
    tapegrad.manual_seed(3)
    want = gradient(noisy, 1.0, 2.0, 3.0)
    after = tapegrad.rand(1).item()
    tapegrad.manual_seed(3)
    got = gradient(lambda x: checkpoint(noisy, x, use_reentrant=use_reentrant), 1.0, 2.0, 3.0)
    assert got == want
    assert tapegrad.rand(1).item() == after


@kinds
def test_random_state_is_not_kept_on_demand(use_reentrant):
    tapegrad.manual_seed(3)
    want = gradient(noisy, 1.0, 2.0, 3.0)
    tapegrad.manual_seed(3)
    got = gradient(
        lambda x: checkpoint(noisy, x, use_reentrant=use_reentrant, preserve_rng_state=False),
        1.0, 2.0, 3.0,
    )  # fmt: skip
    assert got != want


# Early stop ----------------------------------------------------------------------------


def test_early_stop():
    reached = []

    def func(x):
        y = x.exp()
        reached.append(1)
        return y + 1

    def run(**kwargs):
        reached.clear()
        checkpoint(func, leaf(1.0), use_reentrant=False, **kwargs).backward()
        return len(reached)

    assert run() == 1
    assert run(early_stop=False) == 2
    with set_checkpoint_early_stop(False):
        assert run() == 2
        with set_checkpoint_early_stop(True):
            assert run(early_stop=False) == 1
        assert run() == 2
    assert run() == 1


# Context functions ---------------------------------------------------------------------


def test_context_fn():
    log = []

    @contextlib.contextmanager
    def note(name):
        log.append("+" + name)
        yield
        log.append("-" + name)

    x = leaf(1.0)
    y = checkpoint(tapegrad.exp, x, use_reentrant=False, early_stop=False,
                   context_fn=lambda: (note("forward"), note("recompute")))  # fmt: skip
    assert log == ["+forward", "-forward"]
    y.backward()
    assert log[2:] == ["+recompute", "-recompute"]


def test_context_that_suppresses_an_exception():
    def fail(x):
        raise KeyError

    with pytest.raises(RuntimeError, match="the forward context provided by context_fn suppress"):
        checkpoint(
            fail,
            leaf(1.0),
            use_reentrant=False,
            context_fn=lambda: (contextlib.suppress(KeyError), contextlib.nullcontext()),
        )
    (leaf(1.0) * 2).backward()


# Errors --------------------------------------------------------------------------------


def changing(first, second):
    """A function that does something else the second time."""
    calls = []

    def func(x):
        calls.append(1)
        return (first if len(calls) == 1 else second)(x)

    return func


@pytest.mark.parametrize("early_stop", [True, False])
def test_fewer_tensors_saved(early_stop):
    func = changing(lambda x: x.exp().sin().cos(), lambda x: x.exp())
    y = checkpoint(func, leaf(1.0), use_reentrant=False, early_stop=early_stop)
    with pytest.raises(CheckpointError) as caught:
        y.backward()
    assert str(caught.value).startswith(
        "tapegrad.utils.checkpoint: A different number of tensors was saved during the original "
        "forward and recomputation.\nNumber of tensors saved during forward: 3\n"
        "Number of tensors saved during recomputation: 1.\n"
    )
    assert isinstance(caught.value, RuntimeError)


def test_more_tensors_saved():
    func = changing(lambda x: x.exp(), lambda x: x.exp().sin())
    y = checkpoint(func, leaf(1.0), use_reentrant=False, early_stop=False)
    with pytest.raises(CheckpointError, match="trying to save more tensors during recomputation "):
        y.backward()


def test_different_metadata():
    func = changing(lambda x: x.exp(), lambda x: tapegrad.cat([x, x]).exp())
    y = checkpoint(func, leaf(1.0), use_reentrant=False)
    with pytest.raises(CheckpointError) as caught:
        y.backward()
    text = str(caught.value)
    assert text.startswith(
        "tapegrad.utils.checkpoint: Recomputed values for the following tensors have different "
        "metadata than during the forward pass.\ntensor at position 0:\nsaved metadata: {'shape'"
    )
    assert "\nrecomputed metadata: {'shape': " in text


def test_determinism_check_none():
    func = changing(lambda x: x.exp(), lambda x: x.float().exp())
    checkpoint(func, leaf(1.0), use_reentrant=False, determinism_check="none")
    y = checkpoint(changing(lambda x: x.exp(), lambda x: x.exp() * 1), leaf(1.0),
                   use_reentrant=False, determinism_check="none")  # fmt: skip
    y.backward()
    with pytest.raises(ValueError) as caught:
        checkpoint(func, leaf(1.0), use_reentrant=False, determinism_check="some")
    assert str(caught.value) == (
        "determinism_check should be one of ['default', 'none'], but got some"
    )


@pytest.mark.parametrize("by_argument", [True, False])
def test_debug_names_the_lines(by_argument):
    def first(x):
        return x.exp().sin()

    def second(x):
        return x.cos()

    func = changing(first, second)
    with contextlib.nullcontext() if by_argument else set_checkpoint_debug_enabled(True):
        y = checkpoint(func, leaf(1.0), use_reentrant=False, debug=by_argument)
    with pytest.raises(CheckpointError) as caught:
        y.backward()
    text = str(caught.value)
    assert "in first: return x.exp().sin()" in text and "in second: return x.cos()" in text
    assert __file__ in text
    assert "You are seeing this error because you passed `debug=True` to checkpoint" in text
    assert "A different number of tensors was saved" in str(caught.value.__cause__)


def test_saved_tensors_are_unpacked_once():
    class Product(Function):
        @staticmethod
        def forward(ctx, x, y):
            ctx.save_for_backward(x, y)
            return x * y

        @staticmethod
        def backward(ctx, grad):
            x, y = ctx.saved_tensors
            with pytest.raises(CheckpointError, match="that was already unpacked once"):
                _ = ctx.saved_tensors
            return grad * y, grad * x

    a, b = leaf(2.0), leaf(3.0)
    checkpoint(Product.apply, a, b, use_reentrant=False).backward()
    assert (a.grad.item(), b.grad.item()) == (3.0, 2.0)


def test_exception_in_the_recomputation_leaves_everything_usable():
    def fail(x):
        raise KeyError("second time")

    x = leaf(1.0)
    y = checkpoint(changing(lambda x: x.exp().sin(), fail), x, use_reentrant=False)
    with pytest.raises(KeyError, match="second time"):
        y.backward()
    assert tapegrad.is_grad_enabled()
    checkpoint(lambda x: x.exp(), x, use_reentrant=False).backward()
    assert x.grad.item() == pytest.approx(2.718281828)


@kinds
def test_exception_in_forward(use_reentrant):
    def fail(x):
        raise KeyError("first time")

    with pytest.raises(KeyError, match="first time"):
        checkpoint(fail, leaf(1.0), use_reentrant=use_reentrant)
    assert tapegrad.is_grad_enabled()
    checkpoint(tapegrad.exp, leaf(1.0), use_reentrant=use_reentrant).backward()


def test_reentrant_without_a_differentiable_result():
    y = checkpoint(lambda x: x.detach() * 1, leaf(1.0), use_reentrant=True)
    with pytest.raises(RuntimeError) as caught:
        y.sum().backward()
    assert str(caught.value) == (
        "none of output has requires_grad=True, this checkpoint() is not necessary"
    )


def test_arguments_that_the_kind_does_not_know():
    with pytest.raises(ValueError, match=r"^Unexpected keyword arguments: a,b$"):
        checkpoint(tapegrad.exp, leaf(1.0), use_reentrant=True, a=1, b=2)
    with pytest.raises(ValueError, match=r"^Passing `context_fn` or `debug` is only supported"):
        checkpoint(tapegrad.exp, leaf(1.0), use_reentrant=True, debug=True)
    with pytest.raises(ValueError, match="debug=True is incompatible with non-default context_fn"):
        checkpoint(tapegrad.exp, leaf(1.0), use_reentrant=False, debug=True,
                   context_fn=lambda: (contextlib.nullcontext(),) * 2)  # fmt: skip


def test_use_reentrant_should_be_passed():
    x = leaf(1.0)
    with pytest.warns(UserWarning, match=r"^tapegrad.utils.checkpoint: the use_reentrant par") as w:
        y = checkpoint(tapegrad.exp, x)
    assert w[0].filename == __file__
    assert y.grad_fn.name() == "CheckpointFunctionBackward"
    with pytest.warns(UserWarning, match="checkpoint_sequential: the use_reentrant parameter"):
        checkpoint_sequential([tapegrad.exp], 1, x)


# Memory --------------------------------------------------------------------------------


def test_nothing_is_saved_between_forward_and_backward():
    packed = []

    def pack(t):
        packed.append(t)
        return t

    x = leaf(1.0, 2.0)
    with tapegrad.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        y = checkpoint(lambda x: x.exp().sin().exp(), x, use_reentrant=False)
    # Only the argument reaches the surrounding hooks.
    assert len(packed) == 1
    assert packed[0].tolist() == x.tolist()
    y.sum().backward()


@kinds
@pytest.mark.parametrize("depth", [16, 64, 144])
def test_memory_grows_with_the_square_root_of_the_depth(use_reentrant, depth):
    size, segments = 4096, math.isqrt(depth)

    def peak(run):
        x = tapegrad.ones(size, requires_grad=True)
        x.grad = tapegrad.zeros(size)
        before = tapegrad.memory_stats()["allocated_bytes"]
        tapegrad.reset_peak_memory()
        run(x).sum().backward()
        return (tapegrad.memory_stats()["peak_bytes"] - before) / (4 * size)

    chain = [tapegrad.tanh] * depth
    plain = peak(lambda x: functools.reduce(lambda y, f: f(y), chain, x))
    assert depth <= plain <= depth + 4
    cut = peak(lambda x: checkpoint_sequential(chain, segments, x, use_reentrant=use_reentrant))
    assert segments <= cut <= 2 * segments + 4


def ends_with_its_result(function, run_backward, **options):
    """Nothing but the result of its checkpoint holds the function."""

    class Owner:
        def __call__(self, x):
            return function(x)

    gc.collect()
    gc.disable()
    try:
        owner = Owner()
        ref = weakref.ref(owner)
        y = checkpoint(owner, leaf(0.3), **options)
        del owner
        assert ref() is not None
        if run_backward:
            y.backward()
        del y
        assert ref() is None
    finally:
        gc.enable()


@kinds
@pytest.mark.parametrize("run_backward", [True, False])
def test_no_cycles(use_reentrant, run_backward):
    ends_with_its_result(lambda x: x.exp().sin(), run_backward, use_reentrant=use_reentrant)


def test_no_cycles_when_nested():
    def nested(x):
        return checkpoint(lambda x: x.exp().sin(), x.sin(), use_reentrant=False).exp()

    ends_with_its_result(nested, True, use_reentrant=False)


# Sequential ----------------------------------------------------------------------------


@kinds
@pytest.mark.parametrize(("length", "segments"), [(4, 1), (4, 2), (5, 2), (6, 3), (7, 3), (3, 3)])
def test_checkpoint_sequential(length, segments, use_reentrant):
    pairs = [counted(f) for f in itertools.islice(
        itertools.cycle([lambda x: x.sin(), lambda x: x.exp()]), length)]  # fmt: skip
    functions = [f for f, _ in pairs]

    def plain(x):
        for f, _ in pairs:
            x = f(x)
        return x

    want = gradient(plain, 0.3, 0.5)
    for _, calls in pairs:
        calls.clear()
    got = gradient(
        lambda x: checkpoint_sequential(functions, segments, x, use_reentrant=use_reentrant),
        0.3, 0.5,
    )  # fmt: skip
    assert got == pytest.approx(want, rel=1e-12)
    cut = length // segments * (segments - 1)
    assert [len(c) for _, c in pairs[cut:]] == [1] * (length - cut)
    if use_reentrant:
        assert [len(c) for _, c in pairs[:cut]] == [2] * cut


@kinds
def test_checkpoint_sequential_of_modules(use_reentrant):
    nn = tapegrad.nn
    tapegrad.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 1))
    x = tapegrad.rand(5, 3, requires_grad=True)
    grads = []
    for run in (model, lambda x: checkpoint_sequential(model, 2, x, use_reentrant=use_reentrant)):
        model.zero_grad()
        run(x).sum().backward()
        grads.append([p.grad.tolist() for p in model.parameters()])
    for a, b in zip(*grads, strict=True):
        assert tapegrad.allclose(tapegrad.tensor(a), tapegrad.tensor(b))


def test_checkpoint_sequential_errors():
    with pytest.raises(ValueError, match="Unexpected keyword arguments: foo"):
        checkpoint_sequential([tapegrad.exp], 1, leaf(1.0), use_reentrant=False, foo=1)
    with pytest.raises(ValueError, match="cannot cut 1 functions into 3 segments"):
        checkpoint_sequential([tapegrad.exp], 3, leaf(1.0), use_reentrant=False)


def test_checkpoint_function_is_public():
    x = leaf(1.0)
    CheckpointFunction.apply(lambda x: x.exp(), True, x).backward()
    assert x.grad.item() == pytest.approx(2.718281828)


@pytest.mark.parametrize("name", ["atan2", "div", "pow", "maximum", "mul"])
def test_operands_of_both_derivatives_are_unpacked_once(name):
    def gradients(run):
        a, b = leaf(1.5, 2.5), leaf(2.0)
        y = run(lambda a, b: getattr(tapegrad, name)(a, b), a, b)
        return [g.tolist() for g in tapegrad.autograd.grad(y.sum(), (a, b))]

    got = gradients(functools.partial(checkpoint, use_reentrant=False))
    for packed, plain in zip(got, gradients(lambda f, *args: f(*args)), strict=True):
        assert packed == pytest.approx(plain, rel=1e-15)


# The reference -------------------------------------------------------------------------


def test_nondeterminism_errors_are_those_of_torch():
    torch = pytest.importorskip("torch")
    import torch.utils.checkpoint as reference

    def failures(lib, run):
        found = []
        for first, second, early_stop in [
            (lambda x: x.exp().sin(), lambda x: x.exp(), True),
            (lambda x: x.exp(), lambda x: x.exp().sin(), False),
            (lambda x: x.exp(), lambda x: lib.cat([x, x]).exp(), True),
        ]:
            x = lib.tensor([1.0], requires_grad=True)
            y = run(changing(first, second), x, use_reentrant=False, early_stop=early_stop)
            with pytest.raises(RuntimeError) as caught:
                y.backward()
            line = str(caught.value).split("\n")[0].replace("torch.", "tapegrad.")
            found.append((type(caught.value).__name__, line))
        return found

    assert failures(tapegrad, checkpoint) == failures(torch, reference.checkpoint)


@both
def test_what_is_saved_is_found_again(lib):
    """A constant comes back as the object that it was, with and without a checkpoint."""
    found = []

    class Keep(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            ctx.save_for_backward(y)
            return x.clone()

        @staticmethod
        def backward(ctx, grad):
            found.extend(ctx.saved_tensors)
            return grad, None

    run = lib.utils.checkpoint.checkpoint
    a, b = lib.ones(2, requires_grad=True), lib.ones(2)
    Keep.apply(a, b).sum().backward()
    run(Keep.apply, a, b, use_reentrant=False).sum().backward()
    run(
        lambda x: run(Keep.apply, x, b, use_reentrant=False), a, use_reentrant=False
    ).sum().backward()
    assert len(found) == 3 and all(y is b for y in found)


@both
def test_passes_of_a_group_share_a_recomputation(lib):
    calls = []

    def layer(x):
        calls.append(1)
        return x.exp(), x.sin()

    library = lib.utils.checkpoint
    x = lib.zeros(2, requires_grad=True)
    with library.GraphExecGroup():
        first, second = library.checkpoint(layer, x, use_reentrant=False)
        first.sum().backward()
        second.sum().backward()
    assert len(calls) == 2 and x.grad.tolist() == [2, 2]
    first, second = library.checkpoint(layer, x, use_reentrant=False)
    first.sum().backward()
    second.sum().backward()
    assert len(calls) == 5
    y = library.checkpoint(lambda x: x.exp(), x, use_reentrant=False).sum()
    with library.GraphExecGroup():
        y.backward(retain_graph=True)
        with pytest.raises(
            library.CheckpointError, match="Performing two backward calls that over"
        ):
            y.backward(retain_graph=True)
        with (
            pytest.raises(RuntimeError, match="contexts cannot be nested"),
            library.GraphExecGroup(),
        ):
            pass
    y.backward()


@both
def test_refusals(lib):
    library = lib.utils.checkpoint
    x = lib.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match=r"^Only tuple of tensors .*: list$"):
        library.detach_variable([x])
    with pytest.raises(ValueError, match=r"determinism_check should be one of .*, but got maybe"):
        library.checkpoint(lib.exp, x, use_reentrant=False, determinism_check="maybe")
    with pytest.warns(UserWarning, match="None of the inputs have requires_grad=True. Gradients"):
        library.checkpoint(lib.exp, lib.ones(2), use_reentrant=True)


STOPS = list(itertools.product([True, False], [None, True, False]))


@pytest.mark.parametrize(("argument", "block"), STOPS)
@both
def test_where_a_recomputation_ends(lib, argument, block):
    """The block around the forward pass has the last word, not the one around backward."""
    ends = []

    def layer(x):
        y = x.exp()
        ends.append(len(ends))
        return y

    library = lib.utils.checkpoint
    x = lib.ones(2, requires_grad=True)
    around = contextlib.nullcontext() if block is None else library.set_checkpoint_early_stop(block)
    with around:
        y = library.checkpoint(layer, x, use_reentrant=False, early_stop=argument)
    with library.set_checkpoint_early_stop(not argument):
        y.sum().backward()
    assert len(ends) == 1 + (not (argument if block is None else block))
