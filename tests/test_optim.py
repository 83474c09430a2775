"""Optimisers: steps, options, state and mistakes."""

import copy
import io
import math
import random
import warnings

import numpy as np
import pytest

import tapegrad as tg
from both import both
from tapegrad import nn, optim

CONFIGURATIONS = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.1, "maximize": True, "weight_decay": 0.2}),
    ("Adam", {"lr": 0.1}),
    ("Adam", {"lr": 0.1, "betas": (0.8, 0.9), "eps": 1e-3, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.1, "amsgrad": True, "betas": (0.5, 0.6)}),
    ("Adam", {"lr": 0.1, "maximize": True}),
    ("Adam", {"lr": 0.1, "weight_decay": 0.3, "decoupled_weight_decay": True}),
    ("AdamW", {"lr": 0.1}),
    ("AdamW", {"lr": 0.1, "weight_decay": 0.3, "amsgrad": True}),
    ("RMSprop", {"lr": 0.1}),
    ("RMSprop", {"lr": 0.1, "alpha": 0.5, "eps": 1e-2, "weight_decay": 0.1}),
    ("RMSprop", {"lr": 0.1, "momentum": 0.9}),
    ("RMSprop", {"lr": 0.1, "centered": True, "momentum": 0.5}),
    ("RMSprop", {"lr": 0.1, "centered": True, "maximize": True}),
]
STARTS = [[1.0, -2.0, 0.5], [[0.3, 0.1], [2.0, -1.0]]]
STEPS = 7


def grads(step):
    """Gradients that change from step to step, also in sign."""
    rng = np.random.default_rng(step)
    return [rng.normal(size=np.shape(start)).tolist() for start in STARTS]


def run(lib, name, options, dtype="float64", skip=()):
    """The parameters after some steps; in the steps of `skip` the second has no gradient."""
    dtype = getattr(lib, dtype)
    params = [lib.tensor(start, dtype=dtype, requires_grad=True) for start in STARTS]
    opt = getattr(lib.optim, name)(params, **options)
    for step in range(STEPS):
        opt.zero_grad()
        for i, (p, grad) in enumerate(zip(params, grads(step), strict=True)):
            if not (i == 1 and step in skip):
                p.grad = lib.tensor(grad, dtype=dtype)
        opt.step()
    return [p.detach().numpy().copy() for p in params], opt


@pytest.mark.parametrize(("name", "options"), CONFIGURATIONS)
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 1e-5)])
def test_steps_are_those_of_torch(name, options, dtype, tolerance):
    torch = pytest.importorskip("torch")
    ours, opt = run(tg, name, options, dtype, skip=(0, 3, 4))
    theirs, other = run(torch, name, options, dtype, skip=(0, 3, 4))
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)
    # The state has the same layout, too.
    state, expected = opt.state_dict(), other.state_dict()
    assert list(state["param_groups"][0]) == list(expected["param_groups"][0])
    assert set(state["state"]) == set(expected["state"])
    for key, entry in expected["state"].items():
        assert set(state["state"][key]) == set(entry)
        for field, value in entry.items():
            np.testing.assert_allclose(
                state["state"][key][field].numpy(), value.numpy(), rtol=tolerance, atol=tolerance
            )


def reference(name, options, p, gradients):
    """The published rules, on NumPy arrays."""
    o = {"momentum": 0, "dampening": 0, "weight_decay": 0, **options}
    m = v = b = mean = largest = np.zeros_like(p)
    b1, b2 = o.get("betas", (0.9, 0.999))
    eps, alpha = o.get("eps", 1e-8), o.get("alpha", 0.99)
    decoupled = name == "AdamW" or o.get("decoupled_weight_decay")
    if name == "AdamW":
        o["weight_decay"] = options.get("weight_decay", 0.01)
    for t, g in enumerate(gradients, start=1):
        g = -g if o.get("maximize") else g
        if decoupled:
            p = p * (1 - o["lr"] * o["weight_decay"])
        else:
            g = g + o["weight_decay"] * p
        if name == "SGD":
            b = g if t == 1 else o["momentum"] * b + (1 - o["dampening"]) * g
            if o["momentum"]:
                g = g + o["momentum"] * b if o.get("nesterov") else b
            p = p - o["lr"] * g
        elif name == "RMSprop":
            v = alpha * v + (1 - alpha) * g * g
            mean = alpha * mean + (1 - alpha) * g
            centre = mean if o.get("centered") else 0
            b = o["momentum"] * b + g / (np.sqrt(v - centre**2) + eps)
            p = p - o["lr"] * b
        else:
            m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
            largest = np.maximum(largest, v)
            used = largest if o.get("amsgrad") else v
            p = p - o["lr"] / (1 - b1**t) * m / (np.sqrt(used / (1 - b2**t)) + eps)
    return p


@pytest.mark.parametrize(("name", "options"), CONFIGURATIONS)
def test_steps_are_those_of_the_formulas(name, options):
    ours, _ = run(tg, name, options)
    for i, result in enumerate(ours):
        gradients = [np.array(grads(step)[i]) for step in range(STEPS)]
        expected = reference(name, options, np.array(STARTS[i]), gradients)
        np.testing.assert_allclose(result, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop"])
def test_every_optimiser_trains_a_network(name):
    x = tg.randn(64, 3)
    y = x @ tg.tensor([[1.0], [-2.0], [0.5]]) + 1
    net = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
    opt = getattr(optim, name)(net.parameters(), lr=0.02)
    losses = []
    for _ in range(300):
        opt.zero_grad()
        loss = nn.functional.mse_loss(net(x), y)
        loss.backward()
        opt.step()
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0]


# ---------------------------------------------------------------------- parameters and groups


def leaf(*values):
    return tg.tensor(values, requires_grad=True)


def test_parameters_without_gradient_are_left_alone():
    a, b = leaf(1.0), leaf(2.0)
    opt = optim.Adam([a, b], lr=0.5)
    a.grad = tg.tensor([1.0])
    opt.step()
    assert a.item() == pytest.approx(0.5) and b.item() == 2.0
    assert b not in opt.state or not opt.state[b]
    optim.SGD([b]).step()  # nothing to do at all
    assert b.item() == 2.0


def test_groups_have_options_of_their_own():
    a, b = leaf(1.0), leaf(1.0)
    opt = optim.SGD([{"params": [a]}, {"params": b, "lr": 1.0}], lr=0.1)
    opt.add_param_group({"params": (leaf(5.0),), "momentum": 0.5})
    for p in (a, b):
        p.grad = tg.tensor([1.0])
    opt.step()
    assert a.item() == pytest.approx(0.9) and b.item() == 0.0
    assert [group["momentum"] for group in opt.param_groups] == [0, 0, 0.5]
    opt.param_groups[0]["lr"] = 0.4
    opt.step()
    assert a.item() == pytest.approx(0.5)


def test_changed_groups_and_options_are_noticed():
    a, b = leaf(1.0), leaf(1.0)
    opt = optim.SGD([a], lr=1.0)
    for p in (a, b):
        p.grad = tg.tensor([0.5])
    opt.step()
    opt.param_groups[0]["params"][0] = b
    opt.step()
    assert a.item() == 0.5 and b.item() == 0.5
    opt.param_groups[0]["momentum"] = 0.5
    opt.step()
    opt.step()
    assert b.item() == pytest.approx(0.5 - 0.5 - 0.75)


def test_named_parameters():
    net = nn.Linear(1, 1)
    opt = optim.SGD(net.named_parameters(), lr=0.1)
    assert opt.param_groups[0]["param_names"] == ["weight", "bias"]
    assert opt.param_groups[0]["params"][0] is net.weight
    with pytest.raises(ValueError, match="Some param names are missing"):
        optim.SGD([("a", leaf(1.0)), leaf(2.0)])


def test_zero_grad():
    a = leaf(1.0)
    opt = optim.SGD([a])
    a.grad = tg.tensor([1.0])
    opt.zero_grad(set_to_none=False)
    assert a.grad.tolist() == [0.0]
    opt.zero_grad()
    assert a.grad is None


@both
def test_an_optimiser_that_wraps_another_and_does_not_call_init(lib):
    class Lookahead(lib.optim.Optimizer):
        def __init__(self, inner):
            self.inner = inner
            self.param_groups, self.state = inner.param_groups, {}
            self.slow = [p.detach().clone() for g in self.param_groups for p in g["params"]]

        def zero_grad(self):
            self.inner.zero_grad()

        def step(self, closure=None):
            result = self.inner.step(closure)
            for slow, p in zip(self.slow, self.param_groups[0]["params"], strict=True):
                slow.add_(p.data - slow, alpha=0.5)
                p.data.copy_(slow)
            return result

    a = lib.tensor([1.0], requires_grad=True)
    opt = Lookahead(lib.optim.SGD([a], lr=0.1))
    for _ in range(2):
        opt.zero_grad()
        (a * 2).sum().backward()
        opt.step()
    assert a.tolist() == pytest.approx([0.8])


def test_step_with_a_closure():
    a = leaf(1.0)
    opt = optim.SGD([a], lr=0.25)

    def closure():
        opt.zero_grad()
        loss = (a * a).sum()
        loss.backward()
        return loss

    with tg.no_grad():
        assert opt.step(closure).item() == 1.0
    assert a.item() == 0.5


def test_a_step_is_not_recorded_but_counted_as_a_change():
    a = leaf(1.0)
    y = (a * a).sum()
    y.backward(retain_graph=True)
    version = a._version
    optim.SGD([a], lr=0.1).step()
    assert a.is_leaf and a.grad_fn is None and a._version > version
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: optim.SGD([]), ValueError, "optimizer got an empty parameter list"),
        (lambda: optim.SGD(leaf(1.0)), TypeError, "params argument given to the optimizer should"),
        (lambda: optim.SGD([3]), TypeError, "optimizer can only optimize Tensors, but one of the"),
        (lambda: optim.SGD([leaf(1.0) * 2]), ValueError, "can't optimize a non-leaf Tensor"),
        (lambda: optim.SGD([{"params": {leaf(1.0)}}]), TypeError, "ordered collections"),
        (lambda: optim.SGD([leaf(1.0)], lr=-1), ValueError, "Invalid learning rate: -1"),
        (lambda: optim.SGD([leaf(1.0)], momentum=-1), ValueError, "Invalid momentum value: -1"),
        (lambda: optim.SGD([leaf(1.0)], weight_decay=-1), ValueError, "Invalid weight_decay value"),
        (lambda: optim.SGD([leaf(1.0)], nesterov=True), ValueError, "Nesterov momentum requires"),
        (lambda: optim.Adam([leaf(1.0)], eps=-1), ValueError, "Invalid epsilon value: -1"),
        (
            lambda: optim.AdamW([leaf(1.0)], betas=(0.9, 1.0)),
            ValueError,
            "Invalid beta parameter at index 1: 1.0",
        ),
        (lambda: optim.RMSprop([leaf(1.0)], alpha=-1), ValueError, "Invalid alpha value: -1"),
        (lambda: optim.RMSprop([leaf(1.0)], lr=math.nan), ValueError, "Invalid learning rate"),
        (
            lambda: optim.SGD([leaf(1.0)]).add_param_group(3),
            TypeError,
            "param_group must be a dict",
        ),
    ],
)
def test_mistakes(make, kind, message):
    with pytest.raises(kind) as caught:
        make()
    assert message in str(caught.value)


def test_duplicate_parameters_are_refused():
    a, b = leaf(1.0), leaf(2.0)
    with pytest.raises(ValueError, match="some parameters appear in more than one parameter group"):
        optim.SGD([{"params": [a]}, {"params": [b, a]}])
    with pytest.warns(UserWarning, match="a parameter group with duplicate parameters"):
        optim.SGD([a, a])


# ---------------------------------------------------------------------- state


@pytest.mark.parametrize(("name", "options"), CONFIGURATIONS)
def test_training_goes_on_from_a_saved_state(name, options):
    whole, _ = run(tg, name, options)
    params = [tg.tensor(start, dtype=tg.float64, requires_grad=True) for start in STARTS]
    opt = getattr(optim, name)(params, **options)
    for step in range(STEPS):
        if step == 3:  # through a file, into new objects
            file = io.BytesIO()
            tg.save({"model": [p.detach() for p in params], "optimizer": opt.state_dict()}, file)
            file.seek(0)
            saved = tg.load(file)
            params = [p.requires_grad_() for p in saved["model"]]
            opt = getattr(optim, name)(params)
            opt.load_state_dict(saved["optimizer"])
        for p, grad in zip(params, grads(step), strict=True):
            p.grad = tg.tensor(grad, dtype=tg.float64)
        opt.step()
    for a, b in zip(whole, params, strict=True):
        np.testing.assert_array_equal(a, b.detach().numpy())


def test_state_is_current_and_can_be_reset():
    a = leaf(1.0)
    opt = optim.Adam([a], lr=0.1)
    a.grad = tg.tensor([1.0])
    for expected in (1.0, 2.0):
        opt.step()
        assert opt.state[a]["step"].item() == expected
    opt.state[a]["exp_avg"].zero_()
    opt.step()
    assert opt.state[a]["exp_avg"].item() == pytest.approx(0.1)
    opt.state.clear()
    opt.step()
    assert opt.state[a]["step"].item() == 1.0


def test_loading_a_state_checks_the_groups():
    a, b = leaf(1.0), leaf(2.0)
    state = optim.SGD([a, b]).state_dict()
    with pytest.raises(ValueError, match="a different number of parameter groups"):
        optim.SGD([{"params": [a]}, {"params": [b]}]).load_state_dict(state)
    with pytest.raises(ValueError, match="doesn't match the size of optimizer's group"):
        optim.SGD([a]).load_state_dict(state)


def test_a_state_of_torch_can_be_loaded():
    torch = pytest.importorskip("torch")
    options = {"lr": 0.1, "amsgrad": True}
    _, theirs = run(torch, "Adam", options)
    saved = theirs.state_dict()
    for entry in saved["state"].values():
        for key, value in entry.items():
            entry[key] = tg.tensor(value.tolist(), dtype=tg.float64)
    _, ours = run(tg, "Adam", options)
    before = copy.deepcopy(ours.state_dict()["state"][0]["exp_avg"].tolist())
    ours.load_state_dict(saved)
    assert ours.state_dict()["state"][0]["exp_avg"].tolist() == pytest.approx(before)


def test_repr():
    assert repr(optim.SGD([leaf(1.0)], lr=0.5)) == (
        "SGD (\n"
        "Parameter Group 0\n"
        "    dampening: 0\n"
        "    differentiable: False\n"
        "    foreach: None\n"
        "    fused: None\n"
        "    lr: 0.5\n"
        "    maximize: False\n"
        "    momentum: 0\n"
        "    nesterov: False\n"
        "    weight_decay: 0\n"
        ")"
    )


# ---------------------------------------------------------------------- schedules

SCHEDULES = [
    ("StepLR", {"step_size": 3, "gamma": 0.5}),
    ("MultiStepLR", {"milestones": [2, 5, 5], "gamma": 0.3}),
    ("ExponentialLR", {"gamma": 0.9}),
    ("CosineAnnealingLR", {"T_max": 6, "eta_min": 0.01}),
    ("LambdaLR", {"lr_lambda": lambda epoch: 1 / (1 + epoch)}),
]


def schedule(lib, name, options, epochs=8):
    params = [lib.zeros(1, requires_grad=True), lib.zeros(1, requires_grad=True)]
    opt = lib.optim.SGD([{"params": params[0]}, {"params": params[1], "lr": 0.2}], lr=1.0)
    scheduler = getattr(lib.optim.lr_scheduler, name)(opt, **options)
    rates = [scheduler.get_last_lr()]
    for _ in range(epochs):
        opt.step()
        scheduler.step()
        rates.append([group["lr"] for group in opt.param_groups])
    return np.array(rates)


@pytest.mark.parametrize(("name", "options"), SCHEDULES)
def test_schedules_are_those_of_torch(name, options):
    torch = pytest.importorskip("torch")
    expected = schedule(torch, name, options)
    np.testing.assert_allclose(schedule(tg, name, options), expected, rtol=1e-9)


def test_schedules_in_closed_form():
    epochs = np.arange(9)
    rates = schedule(tg, "StepLR", {"step_size": 3, "gamma": 0.5})
    np.testing.assert_allclose(rates[:, 0], 0.5 ** (epochs // 3))
    np.testing.assert_allclose(rates[:, 1], 0.2 * 0.5 ** (epochs // 3))
    rates = schedule(tg, "CosineAnnealingLR", {"T_max": 8})
    np.testing.assert_allclose(rates[:, 0], (1 + np.cos(np.pi * epochs / 8)) / 2, atol=1e-12)


def test_reduce_on_plateau():
    figures = [3.0, 2.0, 2.0, 2.0, 2.0, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0]

    def rates(lib):
        opt = lib.optim.SGD([lib.zeros(1, requires_grad=True)], lr=1.0)
        plateau = lib.optim.lr_scheduler.ReduceLROnPlateau(
            opt, factor=0.5, patience=1, cooldown=1, min_lr=0.2
        )
        result = []
        for figure in figures:
            plateau.step(figure)
            result.append(opt.param_groups[0]["lr"])
        return result

    assert rates(tg) == [1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25]
    torch = pytest.importorskip("torch")
    assert rates(tg) == rates(torch)
    with pytest.raises(ValueError, match="Factor should be < 1"):
        optim.lr_scheduler.ReduceLROnPlateau(optim.SGD([leaf(1.0)]), factor=1.0)


def test_a_schedule_warns_when_steps_are_in_the_wrong_order_and_can_be_resumed():
    opt = optim.SGD([leaf(1.0)], lr=1.0)
    scheduler = optim.lr_scheduler.ExponentialLR(opt, gamma=0.5)
    with pytest.warns(UserWarning, match="Detected call of `lr_scheduler"):
        scheduler.step()
    other = optim.lr_scheduler.ExponentialLR(optim.SGD([leaf(1.0)], lr=1.0), gamma=0.1)
    other.load_state_dict(scheduler.state_dict())
    assert other.gamma == 0.5 and other.last_epoch == 1 and other.get_last_lr() == [0.5]
    with pytest.raises(KeyError, match="initial_lr"):
        optim.lr_scheduler.StepLR(optim.SGD([leaf(1.0)]), 2, last_epoch=3)
    with pytest.raises(TypeError, match="int is not an Optimizer"):
        optim.lr_scheduler.StepLR(3, 2)


MORE_SCHEDULES = [
    *SCHEDULES,
    ("StepLR", {"step_size": 1, "gamma": 0.7}),
    ("MultiStepLR", {"milestones": [0, 1, 3, 3, 9]}),
    ("CosineAnnealingLR", {"T_max": 1}),
    ("CosineAnnealingLR", {"T_max": 3, "eta_min": 0.1}),
    ("LambdaLR", {"lr_lambda": [lambda epoch: 0.5**epoch, lambda epoch: 1 + epoch]}),
]


def scheduled_program(lib, name, options, seed):
    """Steps forward, jumps to an epoch, rates set by hand, states saved and loaded."""
    rng = random.Random(seed)
    params = [lib.zeros(1, requires_grad=True), lib.zeros(1, requires_grad=True)]
    opt = lib.optim.SGD([{"params": params[0]}, {"params": params[1], "lr": 0.2}], lr=1.0)
    last_epoch = rng.choice([-1, -1, 0, 3])
    if last_epoch >= 0:
        for group in opt.param_groups:
            group["initial_lr"] = group["lr"]
    make = getattr(lib.optim.lr_scheduler, name)
    scheduler = make(opt, **options, last_epoch=last_epoch)
    opt.step()
    seen, saved = [], None
    for _ in range(14):
        kind = rng.choice(["step", "step", "step", "epoch", "by hand", "save", "load", "get_lr"])
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            if kind == "step":
                scheduler.step()
            elif kind == "epoch":
                scheduler.step(rng.randrange(12))
            elif kind == "by hand":
                opt.param_groups[rng.randrange(2)]["lr"] = rng.random()
            elif kind == "save":
                saved = copy.deepcopy((scheduler.state_dict(), opt.state_dict()))
            elif kind == "get_lr":
                seen.append(np.array(scheduler.get_lr()).tolist())
            elif saved:
                scheduler.load_state_dict(saved[0])
                opt.load_state_dict(saved[1])
        seen.append([kind, len(caught), scheduler.last_epoch, scheduler._step_count])
        seen.append([group["lr"] for group in opt.param_groups])
        seen.append(list(scheduler.get_last_lr()))
    seen.append(sorted(scheduler.state_dict()))
    return seen


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("name", "options"), MORE_SCHEDULES)
def test_programs_with_schedules_are_those_of_torch(name, options, seed):
    torch = pytest.importorskip("torch")
    expected = scheduled_program(torch, name, options, seed)
    for mine, theirs in zip(scheduled_program(tg, name, options, seed), expected, strict=True):
        if mine and isinstance(mine[0], str):
            assert mine == theirs
        else:
            np.testing.assert_allclose(mine, theirs, rtol=1e-9)


def test_a_schedule_jumps_by_its_closed_form():
    def rate(name, epoch, **options):
        opt = optim.SGD([leaf(1.0)], lr=0.1)
        scheduler = getattr(optim.lr_scheduler, name)(opt, **options)
        opt.step()
        with pytest.warns(UserWarning, match="The epoch parameter in `scheduler.step"):
            scheduler.step(epoch)
        return scheduler.get_last_lr()[0]

    assert rate("StepLR", 7, step_size=2, gamma=0.5) == pytest.approx(0.0125)
    assert rate("ExponentialLR", 3, gamma=0.5) == pytest.approx(0.0125)
    assert rate("MultiStepLR", 7, milestones=[2, 3, 9], gamma=0.5) == pytest.approx(0.025)
    assert rate("CosineAnnealingLR", 3, T_max=3) == pytest.approx(0)


def test_a_schedule_goes_through_a_file():
    def make():
        opt = optim.SGD([leaf(1.0)], lr=1.0)
        schedule = optim.lr_scheduler.MultiStepLR(opt, [1, 3], gamma=0.5)
        opt.step()
        return schedule

    first, second = make(), make()
    first.step()
    file = io.BytesIO()
    tg.save(first.state_dict(), file)
    file.seek(0)
    second.load_state_dict(tg.load(file))
    assert second.last_epoch == 1
    for _ in range(2):
        second.step()
    assert second.optimizer.param_groups[0]["lr"] == 0.5
    assert second._get_closed_form_lr() == [0.25]


@both
@pytest.mark.parametrize(
    ("name", "options"),
    [("Adam", {}), ("SGD", {"momentum": 0.9}), ("RMSprop", {}), ("Adagrad", {}), ("NAdam", {})],
)
def test_state_that_somebody_has(lib, name, options):
    """It is up to date after each step, and what is put into it counts."""

    def shown(state):
        return {k: v.tolist() if hasattr(v, "tolist") else v for k, v in state[p].items()}

    def step():
        p.grad = lib.ones(2)
        opt.step()

    p = lib.nn.Parameter(lib.zeros(2))
    opt = getattr(lib.optim, name)([p], lr=0.125, **options)
    step()
    state = opt.state
    step()
    assert opt.state is state
    if "step" in state[p]:
        assert state[p]["step"].item() == 2
        state[p]["step"].fill_(100)
        step()
        assert state[p]["step"].item() == 101
    before = shown(state)
    for key, value in state[p].items():
        if value is not None and value.dim():
            state[p][key] = lib.zeros(2)
    step()
    for key, value in state[p].items():
        if value is not None and value.dim():
            assert (value != 0).all() and value.tolist() != before[key]
    state.clear()
    step()
    assert set(state[p]) == set(before)
    if "step" in before:
        assert state[p]["step"].item() == 1
