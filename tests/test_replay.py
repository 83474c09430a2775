"""Compiled functions: what is replayed has the bits of what is called, and is never stale."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

import tapegrad as tg
from support import same_bits
from tapegrad import nn
from tapegrad.nn import functional as F

Step = Callable[..., Any]


@pytest.fixture(autouse=True)
def _no_warning() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="tapegrad.compile")
        yield


def facts(compiled: Any) -> Any:
    if isinstance(compiled, nn.Module):
        compiled = compiled.__dict__["forward"]
    return compiled._facts()


def replays(compiled: Any) -> int:
    return facts(compiled)["replays"]


def small_net(seed: int = 0) -> nn.Module:
    tg.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2))


# ----------------------------------------------------------------------- training steps

OPTIMIZERS: dict[str, Callable[[Any], Any]] = {
    "SGD": lambda p: tg.optim.SGD(p, lr=0.1),
    "SGD, momentum": lambda p: tg.optim.SGD(p, lr=0.1, momentum=0.9, dampening=0.1),
    "SGD, Nesterov, decay": lambda p: tg.optim.SGD(
        p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01
    ),
    "SGD, lr tensor": lambda p: tg.optim.SGD(p, lr=tg.tensor(0.1)),
    "Adam": lambda p: tg.optim.Adam(p, lr=0.01),
    "Adam, amsgrad": lambda p: tg.optim.Adam(p, lr=0.01, amsgrad=True, maximize=True),
    "AdamW": lambda p: tg.optim.AdamW(p, lr=0.01),
    "RMSprop": lambda p: tg.optim.RMSprop(p, lr=0.01, momentum=0.5, centered=True),
    "Adagrad": lambda p: tg.optim.Adagrad(p, lr=0.1),
    "Adadelta": lambda p: tg.optim.Adadelta(p),
    "Adamax": lambda p: tg.optim.Adamax(p, lr=0.01),
    "NAdam": lambda p: tg.optim.NAdam(p, lr=0.01),
    "RAdam": lambda p: tg.optim.RAdam(p, lr=0.01),
    "Rprop": lambda p: tg.optim.Rprop(p, lr=0.01),
    "ASGD": lambda p: tg.optim.ASGD(p, lr=0.01),
}


class Training(NamedTuple):
    model: nn.Module
    optimizer: Any
    step: Step


def training(make_optimizer: Callable[[Any], Any], model: nn.Module | None = None) -> Training:
    model = model or small_net()
    optimizer = make_optimizer(model.parameters())

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = F.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return Training(model, optimizer, step)


def alike(a: Training, b: Training) -> None:
    for p, q in zip(a.model.parameters(), b.model.parameters(), strict=True):
        assert same_bits(p, q) and p._version == q._version
        assert (p.grad is None) == (q.grad is None)
        assert p.grad is None or same_bits(p.grad, q.grad)
    assert same_bits(a.optimizer.state_dict(), b.optimizer.state_dict())


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_steps(name: str) -> None:
    eager, other = training(OPTIMIZERS[name]), training(OPTIMIZERS[name])
    step = tg.compile(other.step)
    schedules = [tg.optim.lr_scheduler.StepLR(t.optimizer, 3, 0.5) for t in (eager, other)]
    if name == "SGD, lr tensor":
        schedules = []
    for turn in range(12):
        x, y = tg.randn(5, 3), tg.randn(5, 2)
        assert same_bits(eager.step(x, y), step(x, y))
        for schedule in schedules:
            schedule.step()
        for p, q in zip(eager.model.parameters(), other.model.parameters(), strict=True):
            assert same_bits(p, q), turn
    assert replays(step) >= 8
    alike(eager, other)


def test_options_and_states_that_change_in_between() -> None:
    eager, other = (training(lambda p: tg.optim.Adam(p, lr=0.01)) for _ in range(2))
    step = tg.compile(other.step)
    x, y = tg.randn(5, 3), tg.randn(5, 2)
    for turn in range(24):
        for t in (eager, other):
            if turn == 5:
                t.optimizer.param_groups[0]["lr"] = 0.5
            if turn == 8:
                t.optimizer.load_state_dict(t.optimizer.state_dict())
            if turn == 12:
                t.optimizer.param_groups[0]["betas"] = (0.5, 0.5)
            if turn == 16:
                t.model[0].weight.requires_grad_(False)
            if turn == 20:
                with tg.no_grad():
                    t.model[2].weight.fill_(0.5)
        assert same_bits(eager.step(x, y), step(x, y)), turn
    alike(eager, other)
    assert replays(step) >= 12


def test_gradients_that_are_added_up() -> None:
    def make() -> tuple[nn.Module, Step]:
        model = small_net()

        def step(x: Any) -> Any:
            loss = model(x).square().mean()
            loss.backward()
            return loss.detach()

        return model, step

    (a, eager), (b, plain) = make(), make()
    step = tg.compile(plain)
    for turn in range(12):
        x = tg.randn(4, 3)
        assert same_bits(eager(x), step(x))
        for p, q in zip(a.parameters(), b.parameters(), strict=True):
            assert same_bits(p.grad, q.grad)
        if turn % 4 == 3:
            for model in (a, b):
                for p in model.parameters():
                    p.grad = None
    assert replays(step) >= 6


def test_gradient_clipping() -> None:
    def make() -> Training:
        model = small_net()
        optimizer = tg.optim.SGD(model.parameters(), lr=0.1)

        def step(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            loss = F.mse_loss(model(x), y)
            loss.backward()
            norm = nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            optimizer.step()
            return loss, norm

        return Training(model, optimizer, step)

    eager, other = make(), make()
    step = tg.compile(other.step)
    for turn in range(10):
        x, y = tg.randn(5, 3) * turn, tg.randn(5, 2)
        assert same_bits(eager.step(x, y), step(x, y))
    alike(eager, other)
    assert replays(step) >= 7


# ---------------------------------------------------------------------------- modules

MODULES: dict[str, tuple[Callable[[], Any], tuple[int, ...]]] = {
    "Linear": (lambda: nn.Linear(4, 3), (5, 4)),
    "MLP with dropout": (
        lambda: nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 2)),
        (6, 4),
    ),
    "LayerNorm": (lambda: nn.LayerNorm(4), (5, 4)),
    "BatchNorm1d": (lambda: nn.BatchNorm1d(4), (5, 4)),
    "GroupNorm": (lambda: nn.GroupNorm(2, 4), (5, 4, 3)),
    "Softmax": (lambda: nn.Sequential(nn.Linear(4, 4), nn.Softmax(-1)), (5, 4)),
    "GELU": (lambda: nn.Sequential(nn.Linear(4, 4), nn.GELU(), nn.SiLU()), (5, 4)),
}


@pytest.mark.parametrize("name", MODULES)
def test_modules(name: str) -> None:
    make, shape = MODULES[name]
    nets = []
    for _ in range(2):
        tg.manual_seed(0)
        nets.append(make())
    eager, plain = nets
    net = tg.compile(plain)
    for turn in range(8):
        x = tg.randn(*shape)
        results = []
        for model, target in ((eager, eager), (net, plain)):
            tg.manual_seed(turn)
            target.zero_grad()
            inputs = x.clone().requires_grad_()
            out = model(inputs)
            out.square().sum().backward()
            gradients = [p.grad for p in target.parameters()] + [inputs.grad]
            results.append([out, gradients, list(target.buffers()), tg.get_rng_state()])
        assert same_bits(*results), turn
    assert replays(net) >= 5
    for model in nets:
        model.eval()
    with tg.no_grad():
        for _ in range(3):
            x = tg.randn(*shape)
            assert same_bits(eager(x), net(x))


def test_a_module_in_two_modes() -> None:
    plain = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5))
    net = tg.compile(plain)
    x = tg.ones(4, 3)
    for turn in range(12):
        net.train(turn % 4 < 2)
        assert net.training == plain[1].training == (turn % 4 < 2)
        tg.manual_seed(turn)
        expected = plain(x)
        tg.manual_seed(turn)
        assert same_bits(expected, net(x))


def test_results_wait_for_their_backward_pass() -> None:
    model = small_net()
    net = tg.compile(model)
    params = list(model.parameters())
    x = tg.randn(4, 3)
    net(x)
    first, second = net(x), net(2 * x)
    for factor, out in ((2, second), (1, first)):
        expected = tg.autograd.grad(model(factor * x).sum(), params)
        assert same_bits(expected, tg.autograd.grad(out.sum(), params, retain_graph=True))
        assert same_bits(expected, tg.autograd.grad(out.sum(), params))
        with pytest.raises(RuntimeError, match="backward through the graph a second time"):
            tg.autograd.grad(out.sum(), params)
    assert first.grad_fn.name() == "CompiledFunctionBackward"


def test_second_order_and_hooks_on_results() -> None:
    model = small_net()
    net = tg.compile(model)
    x = tg.randn(4, 3, requires_grad=True)

    def penalty(f: Any) -> Any:
        (slope,) = tg.autograd.grad(f(x).sum(), x, create_graph=True)
        return tg.autograd.grad(slope.square().sum(), list(model.parameters()), allow_unused=True)

    for _ in range(3):
        for a, b in zip(penalty(model), penalty(net), strict=True):
            assert (a is None and b is None) or tg.allclose(a, b)
    seen = []
    out = net(x)
    out.register_hook(lambda g: seen.append(g.clone()))
    out.sum().backward()
    assert same_bits(seen[0], tg.ones(4, 2))


def test_what_is_saved_may_not_be_changed() -> None:
    model = small_net()
    net = tg.compile(model)
    for _ in range(2):
        out = net(tg.ones(1, 3))
    with tg.no_grad():
        model[2].weight.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        out.sum().backward()


def test_gradients_inside() -> None:
    model = small_net()
    params = list(model.parameters())

    def hvp(x: Any, *vectors: Any) -> Any:
        loss = model(x).square().mean()
        grads = tg.autograd.grad(loss, params, create_graph=True)
        return tg.autograd.grad(
            sum((g * v).sum() for g, v in zip(grads, vectors, strict=True)), params
        )

    compiled = tg.compile(hvp)
    for _ in range(5):
        args = [tg.randn(4, 3), *(tg.randn_like(p) for p in params)]
        assert same_bits(hvp(*args), compiled(*args))
    assert replays(compiled) == 4


# ------------------------------------------------------------------- what is checked


def test_arguments_of_other_kinds() -> None:
    def f(x: Any, scale: Any = 1, *, names: Any = ()) -> Any:
        return {"sum": x.sum() * scale, "all": [x + len(names), (x * scale,)]}

    g = tg.compile(f)
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
        ((tg.ones(2),), {}),
        ((tg.ones(3),), {}),
        ((tg.ones(3, dtype=tg.float64),), {}),
        ((tg.ones(2, 3).t(),), {}),
        ((tg.ones(2), 2), {}),
        ((tg.ones(2), 2.0), {}),
        ((tg.ones(2), -0.0), {}),
        ((tg.ones(2), 0.0), {"names": ("a", "b")}),
    ]
    for _ in range(3):
        for args, kwargs in calls:
            assert same_bits(f(*args, **kwargs), g(*args, **kwargs))
    assert facts(g)["recordings"] == len(calls) and replays(g) == 2 * len(calls)


def test_nested_arguments_and_results() -> None:
    class Pair(NamedTuple):
        a: Any
        b: Any

    def f(batch: Any, pair: Any) -> Any:
        return Pair(batch["x"] + pair.a, [pair.b, None, "text", 3, batch["x"] * 2])

    g = tg.compile(f)
    for i in range(3):
        args = {"x": tg.full((2,), float(i)), "y": [1, "k"]}, Pair(tg.ones(2), tg.ones(1))
        expected, got = f(*args), g(*args)
        assert type(got) is Pair and same_bits(expected, got)
        assert got.b[0] is args[1].b
    assert replays(g) == 2


def test_tensors_from_outside_that_change() -> None:
    holder = {"w": tg.ones(3)}

    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(tg.ones(3))
            self.power = 2

        def forward(self, x: Any) -> Any:
            return (x * self.scale) ** self.power + holder["w"]

    module = Scaled()
    with tg.no_grad():
        f = tg.compile(module)
        x = tg.arange(3.0)

        def check() -> None:
            for _ in range(3):
                assert same_bits(module(x), f(x))

        check()
        module.scale.mul_(2)  # the same memory
        check()
        module.scale.data = tg.full((3,), 5.0)
        check()
        module.scale = nn.Parameter(tg.full((3,), 7.0))
        check()
        module.power = 3
        check()
        holder["w"].add_(1)
        check()
    assert replays(f) >= 11


def test_variables_of_the_surroundings() -> None:
    factor, weight = 2.0, tg.ones(2)

    def f(x: Any) -> Any:
        return x * factor + weight

    g = tg.compile(f)
    x = tg.ones(2)
    for _ in range(3):
        assert same_bits(f(x), g(x))
    factor = 3.0
    for _ in range(3):
        assert same_bits(f(x), g(x))
    weight = tg.zeros(2)
    for _ in range(3):
        assert same_bits(f(x), g(x))
    assert replays(g) == 6


def test_modes() -> None:
    w = tg.ones(2, requires_grad=True)
    f = tg.compile(lambda x: x * w)
    x = tg.ones(2)
    for _ in range(3):
        assert f(x).requires_grad
        with tg.no_grad():
            assert not f(x).requires_grad
        with tg.inference_mode():
            assert f(x).is_inference()
    assert replays(f) == 6


def test_arguments_whose_memory_overlaps() -> None:
    def f(a: Any, b: Any) -> Any:
        a.add_(1)
        return a + b

    g = tg.compile(f)
    for _ in range(3):
        assert same_bits(g(tg.zeros(2), tg.zeros(2)), tg.ones(2))
    both = tg.zeros(3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert same_bits(g(both[:2], both[1:]), tg.tensor([2.0, 1.0]))
        x = tg.zeros(2)
        assert same_bits(g(x, x), tg.full((2,), 2.0))


def test_results_belong_to_their_owner() -> None:
    t = training(OPTIMIZERS["SGD"])
    step = tg.compile(t.step)
    x, y = tg.randn(5, 3), tg.randn(5, 2)
    losses, grads = [], []
    for _ in range(6):
        losses.append(step(x, y))
        grads.append(t.model[0].weight.grad)
    values = [loss.item() for loss in losses]
    kept = [g.clone() for g in grads]
    step(x, y)
    assert values == sorted(values, reverse=True) and len(set(values)) == 6
    assert values == [loss.item() for loss in losses]
    assert all(map(same_bits, kept, grads)) and not same_bits(grads[-1], grads[-2])
    with pytest.raises(RuntimeError, match="second time"):
        losses[-1].backward()


def test_a_result_behind_a_used_graph() -> None:
    w = tg.arange(1.0, 4.0, requires_grad=True)

    @tg.compile
    def step() -> tg.Tensor:
        w.grad = None
        squares = w * w
        squares.sum().backward()
        return squares.mean()

    results = [step() for _ in range(4)]
    assert replays(step) == 2 and same_bits(w.grad, 2 * w)
    assert all(same_bits(result, results[0]) for result in results)
    for result in results:
        with pytest.raises(RuntimeError, match="second time"):
            result.backward()


@pytest.mark.parametrize("make", [lambda x: tg.rand(4, 3), lambda x: x.detach()])
@pytest.mark.parametrize("keep", [None, lambda x: x, lambda x: x.grad, lambda x: x.grad[0]])
def test_leaves_that_are_made_inside(make: Step, keep: Step | None) -> None:
    # As in physics-informed losses: the graph of the loss has the points, and they have gradients.
    model = small_net()
    optimizer = tg.optim.SGD(model.parameters(), lr=0.01)
    kept: list[tg.Tensor] = []

    @tg.compile
    def step(x: tg.Tensor) -> tg.Tensor:
        x = make(x).requires_grad_()
        optimizer.zero_grad()
        (slope,) = tg.autograd.grad(model(x).sum(), x, create_graph=True)
        loss = (slope - 1).square().mean()
        loss.backward()
        optimizer.step()
        if keep:
            kept.append(keep(x))
        return loss

    x = tg.rand(4, 3)
    first = {name: p.clone() for name, p in model.state_dict().items()}
    tg.manual_seed(5)
    expected = [step.__wrapped__(x) for _ in range(5)]
    model.load_state_dict(first)
    tg.manual_seed(5)
    with warnings.catch_warnings():
        if keep:
            warnings.filterwarnings("ignore", message="tapegrad.compile")
        losses = [step(x) for _ in range(5)]
    assert replays(step) == (0 if keep else 4)
    assert same_bits(losses, expected) and len(kept) == (10 if keep else 0)
    with pytest.raises(RuntimeError, match="second time"):
        losses[-1].backward()


@pytest.mark.parametrize("count", range(1, 6))
def test_state_of_an_optimizer_made_while_recording(count: int) -> None:
    # The first step makes it, perhaps where a view of a parameter was.
    w = tg.rand(count, 2, requires_grad=True)
    x = tg.rand(5, 2)
    optimizer = tg.optim.AdamW([w], lr=0.01)

    @tg.compile
    def step() -> tg.Tensor:
        optimizer.zero_grad()
        loss = tg.vmap(lambda w: (x @ w.unsqueeze(1)).sum())(w).sum()
        loss.backward()
        optimizer.step()
        return loss

    for _ in range(4):
        step()
    assert replays(step) == 2


@pytest.mark.parametrize("clears", ["at the end", "outside"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_recording_that_made_the_state_is_replayed(name: str, clears: str) -> None:
    # Gradients are never there when a step begins: what the first step has recorded is replayed,
    # whose state may lie where something of the recording had been.
    def trained(compiled: bool) -> Any:
        tg.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 10), nn.ReLU(), nn.Linear(10, 3))
        optimizer = OPTIMIZERS[name](model.parameters())

        def step(x: Any, y: Any) -> Any:
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            if clears == "at the end":
                optimizer.zero_grad()
            return loss.detach()

        call = tg.compile(step) if compiled else step
        x, y = tg.randn(20, 4), tg.randint(0, 3, (20,))
        losses = []
        for _ in range(5):
            losses.append(call(x, y))
            optimizer.zero_grad()
        if compiled:
            assert replays(call) >= 3, call.explain()
        return losses, model.state_dict(), optimizer.state_dict()

    assert same_bits(trained(False), trained(True))


def test_a_result_that_is_returned_twice() -> None:
    @tg.compile
    def f(x: Any) -> Any:
        y = x * 2
        return y, [y, x], {"y": y, "z": y + 1}

    x = tg.ones(2)
    for _ in range(3):
        y, (again, same), named = f(x)
        assert y is again is named["y"] and same is x and named["z"] is not y
        y.add_(1)
        assert named["y"].tolist() == [3, 3] and named["z"].tolist() == [3, 3]
    assert replays(f) == 2


def test_gradients_that_are_returned() -> None:
    w = tg.randn(3, requires_grad=True)

    def f(x: Any) -> Any:
        w.grad = None
        loss = (w * x).sum().sin()
        loss.backward()
        return loss.detach(), w.grad, [w.grad], w.grad * 2

    replayed = tg.compile(f, fullgraph=True)
    held = []
    for turn in range(5):
        x = tg.ones(3) * turn
        expected = f(x)
        result = replayed(x)
        assert same_bits(list(expected), list(result))
        assert result[1] is result[2][0] is w.grad
        held.append((result[1], expected[1].clone()))
    assert all(same_bits(grad, value) for grad, value in held)  # nobody has written over them
    assert replays(replayed) == 4


def test_gradients_of_arguments_that_are_returned() -> None:
    @tg.compile
    def f(x: Any) -> Any:
        (x * x).sum().backward()
        return x.grad

    for turn in range(4):
        x = tg.full((2,), float(turn), requires_grad=True)
        assert f(x) is x.grad and x.grad.tolist() == [2 * turn] * 2
    assert replays(f) == 3


def test_random_numbers() -> None:
    def f(x: Any) -> Any:
        return (
            tg.randn(3),
            F.dropout(x, 0.5),
            tg.rand_like(x),
            tg.randint(0, 9, (2,)),
            tg.randperm(5),
        )

    g = tg.compile(f)
    x = tg.ones(20)
    for turn in range(4):
        states = []
        for function in (f, g):
            tg.manual_seed(turn)
            states.append((function(x), function(x), tg.get_rng_state()))
        assert same_bits(*states)
    assert replays(g) == 7


def test_changes_of_arguments() -> None:
    def f(x: Any, n: Any) -> Any:
        x.mul_(2)
        x[1:] += n
        return x

    g = tg.compile(f)
    for i in range(4):
        a, b = tg.arange(3.0) + i, tg.arange(3.0) + i
        assert g(b, tg.ones(1)) is b
        assert same_bits(f(a, tg.ones(1)), b) and a._version == b._version
    assert replays(g) == 3


# ----------------------------------------------------------------- what is not replayed

NOT_REPLAYED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "item": (lambda x: x * x.sum().item(), "as a number of Python"),
    "float": (lambda x: x * float(x[0]), "as a number of Python"),
    "condition": (lambda x: x if x.sum() > 0 else -x, "as a condition"),
    "list": (lambda x: tg.tensor(x.tolist()), "as a list"),
    "array": (lambda x: tg.from_numpy(x.numpy()) + 1, "array of NumPy"),
    "text": (lambda x: x + len(str(x)), "the value"),
    "shape": (lambda x: x.nonzero(), "result|shape"),
    "view": (lambda x: x[1:], "memory of another tensor"),
    "type": (lambda x: {1, 2}, "type set"),
}


@pytest.mark.parametrize("name", NOT_REPLAYED)
def test_what_cannot_be_replayed_runs_as_it_is(name: str) -> None:
    f, reason = NOT_REPLAYED[name]
    g = tg.compile(f)
    with pytest.warns(UserWarning, match=f"runs as it is.*because of.*({reason})"):
        assert same_bits(f(tg.arange(3.0)), g(tg.arange(3.0)))
    for shift in (1, -5):
        assert same_bits(f(tg.arange(3.0) + shift), g(tg.arange(3.0) + shift))
    assert replays(g) == 0 and facts(g)["eager_calls"] == 2
    with pytest.raises(RuntimeError, match=f"fullgraph=True.*({reason})"):
        tg.compile(f, fullgraph=True)(tg.arange(3.0))


def test_a_warning_names_the_line() -> None:
    def f(x: Any) -> Any:
        y = x + 1
        return y * y[0].item()

    line = f.__code__.co_firstlineno + 2
    with pytest.warns(UserWarning, match=f"test_replay.py, line {line}"):
        tg.compile(f)(tg.ones(2))


def test_steps_that_are_code_of_python() -> None:
    class Descent(tg.optim.Optimizer):
        @tg.no_grad()
        def step(self, closure: Any = None) -> None:
            for group in self.param_groups:
                for p in group["params"]:
                    p.sub_(p.grad, alpha=group["lr"])

    model = small_net()
    own = Descent(model.parameters(), {"lr": 0.1})
    usual = tg.optim.SGD(model.parameters(), lr=0.1)
    schedule = tg.optim.lr_scheduler.StepLR(usual, 1)

    def step(optimizer: Any, schedule: Any = None) -> Any:
        optimizer.zero_grad()
        loss = model(tg.ones(1, 3)).square().sum()
        loss.backward()
        optimizer.step()
        if schedule:
            schedule.step()
        return loss

    with pytest.warns(UserWarning, match="a step of Descent"):
        tg.compile(step)(own)
    with pytest.warns(UserWarning, match="a step of a schedule"):
        tg.compile(step)(usual, schedule)


def test_parameters_that_come_later() -> None:
    def make() -> tuple[Any, Any, Step]:
        a, b = tg.ones(2, requires_grad=True), tg.ones(2, requires_grad=True)
        optimizer = tg.optim.SGD([a], lr=0.1)

        def step(x: Any) -> Any:
            optimizer.zero_grad()
            ((a + b) * x).sum().backward()
            optimizer.step()

        return optimizer, (a, b), step

    (eager, theirs, plain), (other, ours, inner) = make(), make()
    step = tg.compile(inner)
    for turn in range(12):
        if turn == 5:
            eager.add_param_group({"params": [theirs[1]], "lr": 0.5})
            other.add_param_group({"params": [ours[1]], "lr": 0.5})
        plain(tg.full((2,), float(turn)))
        step(tg.full((2,), float(turn)))
        assert same_bits(theirs, ours), turn
    assert replays(step) >= 7


def test_hooks_that_come_later() -> None:
    p = tg.ones(2, requires_grad=True)

    def f(x: Any) -> None:
        p.grad = None
        (p * x).sum().backward()

    g = tg.compile(f)
    for _ in range(3):
        g(tg.ones(2))
    p.register_hook(lambda grad: grad * 2)
    with pytest.warns(UserWarning, match="a hook on a gradient"):
        g(tg.ones(2))
    assert same_bits(p.grad, tg.full((2,), 2.0))
    model = small_net()
    net = tg.compile(model)
    for _ in range(3):
        net(tg.ones(1, 3))
    handle = nn.modules.module.register_module_forward_hook(lambda m, args, out: out + 1)
    with handle, pytest.warns(UserWarning, match="a module with hooks"):  # the outer one, too
        assert same_bits(net(tg.ones(1, 3)), model(tg.ones(1, 3)) + 1)


@pytest.mark.parametrize("of_all", [False, True])
def test_hooks_on_optimizers_that_come_later(of_all: bool) -> None:
    made = training(lambda p: tg.optim.SGD(p, lr=0.1))
    step = tg.compile(made.step)
    x, y = tg.ones(5, 3), tg.ones(5, 2)
    for _ in range(4):
        step(x, y)
    assert replays(step) == 2
    calls: list[Any] = []
    if of_all:
        register = tg.optim.optimizer.register_optimizer_step_post_hook
    else:
        register = made.optimizer.register_step_post_hook
    handle = register(lambda *args: calls.append(args))
    try:
        with pytest.warns(UserWarning, match="a hook on the steps of an optimizer"):
            step(x, y)
        step(x, y)
    finally:
        handle.remove()
    assert len(calls) == 2


def test_modes_see_what_is_called() -> None:
    names = []

    class Noting(tg.overrides.TorchFunctionMode):
        def __torch_function__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            names.append(func.__name__)
            return func(*args, **(kwargs or {}))

    f = tg.compile(lambda x: x.sin().sum())
    x = tg.ones(2)
    for _ in range(3):
        f(x)
    with Noting():
        f(x)
    assert names == ["sin", "sum"] and replays(f) == 2


def test_functions_and_hooks_are_code_of_python() -> None:
    class Double(tg.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * 2

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g * 2

    with pytest.warns(UserWarning, match="a Function"):
        tg.compile(lambda x: Double.apply(x))(tg.ones(2))
    model = small_net()
    model[0].register_forward_hook(lambda module, args, out: out + 1)
    net = tg.compile(model)
    with pytest.warns(UserWarning, match="a module with hooks"):
        assert same_bits(net(tg.ones(1, 3)), model(tg.ones(1, 3)))
    model = small_net()
    net = tg.compile(model)
    for _ in range(2):
        net(tg.ones(1, 3))
    model[0].register_forward_hook(lambda module, args, out: out + 1)
    with pytest.warns(UserWarning, match="a module with hooks"):
        assert same_bits(net(tg.ones(1, 3)), model(tg.ones(1, 3)))


def test_tensors_that_live_on_elsewhere() -> None:
    kept = []

    def f(x: Any) -> Any:
        y = x * 2
        kept.append(y)
        return y + 1

    g = tg.compile(f)
    with pytest.warns(UserWarning, match="kept somewhere although it is not returned"):
        for _ in range(4):
            g(tg.ones(2))
    assert len(kept) == 4


def test_disabled() -> None:
    @tg.compiler.disable
    def inner(x: Any) -> Any:
        return x + 1

    f = tg.compile(lambda x: inner(x) * 2)
    with pytest.warns(UserWarning, match=r"inner\(\), which is not to be compiled"):
        assert same_bits(f(tg.ones(1)), tg.tensor([4.0]))

    def plain(x: Any) -> Any:
        return x

    assert tg.compile(plain, disable=True) is tg.compile(plain, backend="eager") is plain
    with pytest.raises(TypeError, match="needs a function or a module"):
        tg.compile(3)


def test_compiling_is_known_inside() -> None:
    seen = []

    def f(x: Any) -> Any:
        seen.append(tg.compiler.is_compiling())
        return x + 1

    g = tg.compile(f)
    for _ in range(3):
        g(tg.ones(1))
    f(tg.ones(1))
    assert seen == [True, False]
    tg.compiler.reset()
    g(tg.ones(1))
    assert seen == [True, False, True] and facts(g)["recordings"] == 2


def test_many_kinds_of_arguments_warn_once() -> None:
    g = tg.compile(lambda x, n: x * n)
    for n in range(8):
        g(tg.ones(1), n)
    with pytest.warns(UserWarning, match="recorded for 9 kinds of arguments"):
        g(tg.ones(1), 8)
    for n in range(200):
        assert g(tg.ones(1), n).item() == n


# ------------------------------------------------------------------ errors, threads, memory


def test_errors_are_those_of_the_function() -> None:
    model = nn.Linear(3, 4)
    optimizer = tg.optim.SGD(model.parameters(), lr=0.1)

    @tg.compile
    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    x, good, bad = tg.ones(2, 3), tg.tensor([0, 1]), tg.tensor([0, 4])
    for y in (bad, good, good, good, bad, good, bad):
        if y is bad:
            with pytest.raises(IndexError, match="Target 4 is out of bounds"):
                step(x, y)
        else:
            assert step(x, y).isfinite()
    assert replays(step) >= 2
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        step(tg.ones(2, 5), good)
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        step(x)
    assert step(x, good).isfinite()


def test_a_compiled_function_in_another() -> None:
    inner = tg.compile(lambda x: x * 2)
    outer = tg.compile(lambda x: inner(x) + 1)
    for i in range(3):
        assert same_bits(outer(tg.full((2,), float(i))), tg.full((2,), 2.0 * i + 1))
    assert replays(outer) == 2 and replays(inner) == 0


def test_methods() -> None:
    class Model:
        def __init__(self, factor: float) -> None:
            self.factor = factor

        @tg.compile
        def __call__(self, x: Any) -> Any:
            return x * self.factor

    a, b = Model(2.0), Model(3.0)
    for _ in range(3):
        assert a(tg.ones(1)).item() == 2 and b(tg.ones(1)).item() == 3


def test_threads() -> None:
    model = small_net()
    net = tg.compile(model)
    xs = [tg.randn(64, 3) for _ in range(8)]
    expected = [model(x) for x in xs]
    wrong = []

    def work(k: int) -> None:
        for _ in range(50):
            out = net(xs[k])
            if not same_bits(out, expected[k]):
                wrong.append(k)
            out.sum().backward()

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong and replays(net) > 300


def test_nothing_is_held() -> None:
    model = small_net()
    x = tg.randn(4, 3)
    net = tg.compile(model)
    for _ in range(3):
        net(x)
    gone = [weakref.ref(model), weakref.ref(x), weakref.ref(net)]
    del model, net, x
    gc.collect()
    assert [r() for r in gone] == [None] * 3


def test_explanations() -> None:
    f = tg.compile(lambda x: x.exp() + 1)
    for _ in range(2):
        f(tg.ones(2))
    f(tg.ones(3))
    text = f.explain()
    assert text == tg.compiler.explain(f) == repr(text)
    assert text.startswith("<lambda>: 2 recordings, 1 replay")
    assert "last recording: arguments of another kind" in text


def test_a_compiled_module_explains_itself() -> None:
    class Explaining(tg.nn.Linear):
        def explain(self) -> str:
            return "its own"

    net = tg.compile(tg.nn.Linear(2, 1))
    net(tg.ones(2))
    assert net.explain().startswith("Linear: 1 recording")
    assert tg.compile(Explaining(2, 1)).explain() == "its own"


def test_switched_off_by_the_environment() -> None:
    code = (
        "import tapegrad as tg\n"
        "f = tg.compile(lambda x: x + 1)\n"
        "[f(tg.ones(1)) for _ in range(3)]\n"
        "print(f._facts()['recordings'], f._facts()['eager_calls'])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**__import__("os").environ, "TAPEGRAD_COMPILE": "0"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.split() == ["0", "3"]
