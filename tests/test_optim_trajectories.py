"""Optimisers step by step beside PyTorch's: every option, the state, hooks, recorded steps."""

import copy
import importlib
import inspect
import io
import pickle
import warnings

import numpy as np
import pytest

import tapegrad as tg
from both import both
from support import raises

torch = pytest.importorskip("torch")

BETAS = {"betas": (0.8, 0.95)}
CONFIGURATIONS = [
    ("SGD", {}),
    ("SGD", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("SGD", {"momentum": 0.9, "dampening": 0.2, "maximize": True, "foreach": True}),
    ("Adam", {"weight_decay": 0.1, **BETAS}),
    ("Adam", {"amsgrad": True, "maximize": True}),
    ("Adam", {"decoupled_weight_decay": True, "weight_decay": 0.2, "fused": True}),
    ("AdamW", {"amsgrad": True}),
    ("RMSprop", {"weight_decay": 0.1, "momentum": 0.5}),
    ("RMSprop", {"centered": True, "alpha": 0.9}),
    ("RMSprop", {"centered": True, "momentum": 0.5, "maximize": True}),
    ("Adagrad", {}),
    ("Adagrad", {"lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.3}),
    ("Adagrad", {"maximize": True, "eps": 1e-3, "fused": True}),
    ("Adadelta", {}),
    ("Adadelta", {"rho": 0.5, "weight_decay": 0.1, "eps": 1e-3}),
    ("Adadelta", {"rho": 1.0, "maximize": True}),
    ("Adamax", {}),
    ("Adamax", {"weight_decay": 0.1, "maximize": True, **BETAS}),
    ("NAdam", {}),
    ("NAdam", {"weight_decay": 0.1, "momentum_decay": 0.3, **BETAS}),
    ("NAdam", {"weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True}),
    ("RAdam", {}),
    ("RAdam", {"weight_decay": 0.1, **BETAS}),
    ("RAdam", {"weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True}),
    ("Rprop", {}),
    ("Rprop", {"etas": (0.3, 1.5), "step_sizes": (1e-3, 0.2), "maximize": True}),
    ("ASGD", {}),
    ("ASGD", {"lambd": 0.1, "alpha": 0.5, "t0": 10, "weight_decay": 0.1}),
    ("ASGD", {"t0": 0, "maximize": True}),
    ("Adafactor", {}),
    ("Adafactor", {"beta2_decay": -0.5, "eps": (1e-3, 1e-2), "d": 2.0, "weight_decay": 0.1}),
    ("Adafactor", {"maximize": True}),
]
IDS = [f"{name}-{'-'.join(options) or 'plain'}" for name, options in CONFIGURATIONS]
SHAPES = [(3,), (4, 5), (0,), (), (2, 3, 4)]


def start(lib, dtype, shapes):
    rng = np.random.default_rng(1)
    return [
        lib.from_numpy(np.array(rng.normal(size=shape), dtype=dtype)).requires_grad_()
        for shape in shapes
    ]


def give_grads(lib, params, step, dtype):
    """The gradients of a step: now and then none, or zeros."""
    rng = np.random.default_rng(step)
    for place, p in enumerate(params):
        grad = np.array(rng.normal(size=tuple(p.shape)), dtype=dtype)
        if step % 7 == 3:
            grad[...] = 0
        p.grad = None if step % 5 == place else lib.from_numpy(grad)


def run(lib, name, options, dtype, steps=100, lr=0.01):
    # Of nothing PyTorch's Adafactor has no mean.
    params = start(lib, dtype, SHAPES if name != "Adafactor" else [(3,), (4, 5), (2, 3, 4)])
    opt = getattr(lib.optim, name)(params, **({"lr": lr} | options))
    for step in range(steps):
        give_grads(lib, params, step, dtype)
        opt.step()
    return params, opt


def same_state(ours, theirs, rtol):
    ours, theirs = ours.state_dict(), theirs.state_dict()
    assert set(ours["state"]) == set(theirs["state"])
    for key, entry in theirs["state"].items():
        assert set(ours["state"][key]) == set(entry)
        for field, value in entry.items():
            mine = ours["state"][key][field]
            assert str(mine.dtype).split(".")[-1] == str(value.dtype).split(".")[-1], field
            np.testing.assert_allclose(
                mine.detach().numpy(), value.detach().numpy(), rtol=rtol, atol=rtol, err_msg=field
            )
    for mine, group in zip(ours["param_groups"], theirs["param_groups"], strict=True):
        assert list(mine) == list(group)
        assert {k: v for k, v in mine.items() if k != "lr"} == {
            k: v for k, v in group.items() if k != "lr"
        }


@pytest.mark.parametrize(("name", "options"), CONFIGURATIONS, ids=IDS)
@pytest.mark.parametrize(("dtype", "rtol"), [("float64", 1e-10), ("float32", 1e-4)])
def test_a_hundred_steps(name, options, dtype, rtol):
    ours, opt = run(tg, name, options, dtype)
    theirs, other = run(torch, name, options, dtype)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=rtol, atol=rtol)
    same_state(opt, other, rtol)


@pytest.mark.parametrize(("name", "options"), CONFIGURATIONS, ids=IDS)
def test_strided_parameters_and_tensor_rates(name, options):
    def train(lib):
        base = lib.arange(24, dtype=lib.float64).reshape(4, 6) / 10 - 1
        p = base[:, ::2].t().detach().requires_grad_()
        # PyTorch refuses a tensor with foreach, and its fused steps take strides for none.
        given = {k: v for k, v in options.items() if k not in ("foreach", "fused")}
        opt = getattr(lib.optim, name)([p], lr=lib.tensor([0.125]), **given)
        for step in range(10):
            p.grad = (p.detach() + step).sin()
            opt.step()
        return p.detach().numpy(), opt

    (ours, opt), (theirs, other) = train(tg), train(torch)
    np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6)
    same_state(opt, other, 1e-6)


@pytest.mark.parametrize(("name", "options"), CONFIGURATIONS, ids=IDS)
def test_states_go_from_torch_to_here_and_back(name, options):
    """Ten steps in one library, ten in the other, are twenty steps in one."""
    expected, _ = run(torch, name, options, "float64", 20)

    def convert(value, lib):
        if isinstance(value, dict):
            return {k: convert(v, lib) for k, v in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value)(convert(v, lib) for v in value)
        return lib.from_numpy(value.detach().numpy().copy()) if hasattr(value, "numpy") else value

    for first, second in ((tg, torch), (torch, tg)):
        params, opt = run(first, name, options, "float64", 10)
        resumed = [convert(p, second).requires_grad_() for p in params]
        other = getattr(second.optim, name)(resumed)
        other.load_state_dict(convert(opt.state_dict(), second))
        for step in range(10, 20):
            give_grads(second, resumed, step, "float64")
            other.step()
        for a, b in zip(resumed, expected, strict=True):
            np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-10)


@pytest.mark.parametrize(("name", "options"), CONFIGURATIONS, ids=IDS)
def test_pickled_and_copied_optimisers_go_on(name, options):
    def after(change):
        params, opt = run(tg, name, options, "float64", 6)
        params, opt = change((params, opt))
        assert params[0] is opt.param_groups[0]["params"][0]
        for step in range(6, 12):
            give_grads(tg, params, step, "float64")
            opt.step()
        return [p.detach().numpy() for p in params]

    expected = after(lambda pair: pair)
    for change in (copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))):
        for a, b in zip(after(change), expected, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize(("name", "options"), CONFIGURATIONS, ids=IDS)
def test_half_precision(name, options, dtype):
    """A step computes in float32 and rounds once; PyTorch's unfused ones round each operation."""

    def train(lib):
        kind = getattr(lib, dtype)
        p = lib.linspace(-2, 2, 12).reshape(3, 4).to(kind).requires_grad_()
        opt = getattr(lib.optim, name)([p], **({"lr": 0.125} | options))
        for step in range(6):
            p.grad = (lib.linspace(-3, 3, 12).reshape(3, 4) + step).sin().to(kind)
            opt.step()
        assert p.dtype == kind
        return p.detach().to(lib.float32).numpy()

    eps = 2.0**-10 if dtype == "float16" else 2.0**-7
    np.testing.assert_allclose(train(tg), train(torch), rtol=16 * eps, atol=16 * eps)


@pytest.mark.parametrize("name", ["SGD", "Adam", "NAdam", "ASGD", "Rprop", "Adagrad"])
def test_a_parameter_that_is_there_twice(name):
    def train(lib):
        p, q = lib.tensor([1.0], requires_grad=True), lib.tensor([2.0], requires_grad=True)
        with pytest.warns(UserWarning, match="parameter group with duplicate parameters"):
            opt = getattr(lib.optim, name)([p, q, p], lr=0.1)
        for step in range(5):
            p.grad, q.grad = lib.tensor([0.5 + step]), lib.tensor([1.5 - step])
            opt.step()
        return [p.item(), q.item()]

    np.testing.assert_allclose(train(tg), train(torch), rtol=1e-5)


# ---------------------------------------------------------------------- LBFGS and Muon


def rosenbrock(x):
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


@pytest.mark.parametrize(
    "options",
    [
        {"line_search_fn": "strong_wolfe"},
        {"line_search_fn": "strong_wolfe", "max_iter": 4, "history_size": 3, "lr": 0.5},
        {"lr": 1e-3},
        {"lr": 1e-3, "max_iter": 7, "max_eval": 5, "history_size": 2},
        {"line_search_fn": "strong_wolfe", "tolerance_grad": 1e-2, "tolerance_change": 1e-3},
    ],
)
@pytest.mark.parametrize(("dtype", "rtol"), [("float64", 1e-6), ("float32", 1e-2)])
def test_lbfgs(options, dtype, rtol):
    def train(lib):
        params = [
            lib.tensor([-1.2, 1.0, 0.5], dtype=getattr(lib, dtype), requires_grad=True),
            lib.tensor([[0.3]], dtype=getattr(lib, dtype), requires_grad=True),
            lib.tensor([7.0], dtype=getattr(lib, dtype), requires_grad=True),  # has no gradient
        ]
        opt = lib.optim.LBFGS(params, **options)

        def closure():
            opt.zero_grad()
            loss = rosenbrock(lib.cat([params[0], params[1].reshape(-1)]))
            loss.backward()
            return loss

        losses = [opt.step(closure).item() for _ in range(5)]
        return losses, params, opt.state_dict()

    (losses, params, state), (expected, others, theirs) = train(tg), train(torch)
    np.testing.assert_allclose(losses, expected, rtol=rtol, atol=rtol * 1e-2)
    for a, b in zip(params, others, strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=rtol)
    state, theirs = state["state"][0], theirs["state"][0]
    assert set(state) == set(theirs)
    if dtype == "float64":
        for key in ("func_evals", "n_iter"):
            assert state[key] == theirs[key]
        assert [len(state[k]) for k in ("old_dirs", "old_stps", "ro")] == [len(theirs["ro"])] * 3


@both
def test_lbfgs_takes_one_group_and_known_searches(lib):
    p, q = lib.ones(1, requires_grad=True), lib.ones(1, requires_grad=True)
    with raises(ValueError, "LBFGS doesn't support per-parameter options (parameter groups)"):
        lib.optim.LBFGS([{"params": p}, {"params": q}])
    opt = lib.optim.LBFGS([p], line_search_fn="golden")

    def closure():
        opt.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    with raises(RuntimeError, "only 'strong_wolfe' is supported"):
        opt.step(closure)


@pytest.mark.parametrize(
    "options",
    [{}, {"nesterov": False}, {"adjust_lr_fn": "match_rms_adamw", "weight_decay": 0.3}],
)
@pytest.mark.parametrize("shape", [(4, 6), (6, 4)])
def test_muon_is_that_of_torch_but_for_its_bfloat16(options, shape):
    def train(lib):
        rng = np.random.default_rng(0)
        p = lib.from_numpy(rng.normal(size=shape)).requires_grad_()
        opt = lib.optim.Muon([p], lr=0.02, **options)
        for _ in range(5):
            p.grad = lib.from_numpy(rng.normal(size=shape))
            opt.step()
        return p.detach().numpy(), opt.state[p]["momentum_buffer"].numpy()

    (ours, buffer), (theirs, other) = train(tg), train(torch)
    np.testing.assert_allclose(ours, theirs, atol=5e-3)  # five updates of 0.02, to 2**-8 each
    np.testing.assert_allclose(buffer, other, rtol=1e-12)


def test_muon_makes_a_matrix_orthogonal():
    rng = np.random.default_rng(0)
    p = tg.zeros(5, 3, dtype=tg.float64, requires_grad=True)
    p.grad = tg.from_numpy(rng.normal(size=(5, 3)))
    tg.optim.Muon([p], lr=1.0).step()
    values = np.linalg.svd(-p.detach().numpy() / np.sqrt(5 / 3), compute_uv=False)
    assert values.min() > 0.6 and values.max() < 1.3


# ---------------------------------------------------------------------- recorded steps

RECORDED = [
    ("SGD", {"weight_decay": 0.1}),
    ("SGD", {"maximize": True}),
    ("Adam", {"weight_decay": 0.1}),
    ("AdamW", {"weight_decay": 0.1}),
    ("RMSprop", {"momentum": 0.5, "weight_decay": 0.1}),
    ("Adagrad", {"weight_decay": 0.1, "initial_accumulator_value": 0.1}),
    ("Adadelta", {"weight_decay": 0.1}),
    ("NAdam", {"weight_decay": 0.1}),
    ("NAdam", {"weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("RAdam", {"weight_decay": 0.1}),
    ("ASGD", {"t0": 1, "weight_decay": 0.1}),
]
# PyTorch cuts the graph of the first, and changes values in place that those of the others need.
RECORDED_HERE_ALONE = [
    ("SGD", {"momentum": 0.9}),
    ("Adam", {"amsgrad": True, "maximize": True}),
    ("RMSprop", {"centered": True}),
    ("Adamax", {"weight_decay": 0.1}),
    ("Rprop", {}),
]


def inner_training(lib, name, options, steps, lr=0.05, differentiable=True):
    """A loss after some steps, whose gradients flow to the start and to a factor of the loss."""
    x = lib.tensor([1.0, -0.7, 0.4], dtype=lib.float64, requires_grad=True)
    factor = lib.tensor(1.3, dtype=lib.float64, requires_grad=True)
    p = x.clone()
    if not differentiable:
        p = p.detach().requires_grad_()
    opt = getattr(lib.optim, name)([p], lr=lr, differentiable=differentiable, **options)
    for _ in range(steps):
        q = p.clone()  # what is saved may not change with p
        loss = (factor * q.sin() * q + q**3 / 9).sum()
        (grad,) = lib.autograd.grad(loss, [q], create_graph=True)
        p.grad = grad if differentiable else grad.detach()
        with lib.no_grad():  # the step records nevertheless
            opt.step()
    return x, factor, p


@pytest.mark.parametrize(("name", "options"), RECORDED)
def test_gradients_flow_through_steps(name, options):
    def gradients(lib):
        lib.set_default_dtype(lib.float64)  # in which PyTorch counts the steps
        try:
            x, factor, p = inner_training(lib, name, options, 4)
            grads = lib.autograd.grad((p**2).sum(), [x, factor])
        finally:
            lib.set_default_dtype(lib.float32)
        return [g.numpy() for g in (*grads, p.detach())]

    for a, b in zip(gradients(tg), gradients(torch), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


@pytest.mark.parametrize(("name", "options"), RECORDED + RECORDED_HERE_ALONE)
def test_recorded_steps_are_the_others_and_have_true_gradients(name, options):
    *_, p = inner_training(tg, name, options, 5)
    *_, q = inner_training(tg, name, options, 5, differentiable=False)
    np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), rtol=1e-10)

    def trained(x, lr):
        p = x.clone()
        opt = getattr(tg.optim, name)([p], lr=lr, differentiable=True, **options)
        for _ in range(3):
            q = p.clone()
            loss = (q.sin() * q + q**3 / 9).sum()
            (p.grad,) = tg.autograd.grad(loss, [q], create_graph=True)
            opt.step()
        return p

    x = tg.tensor([1.0, -0.7, 0.4], dtype=tg.float64, requires_grad=True)
    assert tg.autograd.gradcheck(lambda x: trained(x, 0.05), [x])
    if name not in ("Rprop", "ASGD"):  # whose rates are parts of their states
        lr = tg.tensor(0.05, dtype=tg.float64, requires_grad=True)
        assert tg.autograd.gradcheck(trained, [x, lr])


def test_betas_and_decay_may_be_tensors_with_gradients():
    x = tg.tensor([1.0, -0.7], dtype=tg.float64)

    def trained(beta1, beta2, decay):
        p = x.clone().requires_grad_().clone()
        opt = tg.optim.Adam([p], 0.1, (beta1, beta2), weight_decay=decay, differentiable=True)
        for _ in range(3):
            q = p.clone()
            (p.grad,) = tg.autograd.grad((q**3).sum(), [q], create_graph=True)
            opt.step()
        return p

    values = [tg.tensor(v, dtype=tg.float64, requires_grad=True) for v in (0.7, 0.8, 0.2)]
    assert tg.autograd.gradcheck(trained, values)


# ---------------------------------------------------------------------- hooks


@both
def test_step_hooks(lib):
    calls = []
    optimizer = importlib.import_module(f"{lib.__name__}.optim.optimizer")

    class Mine(lib.optim.Optimizer):
        def __init__(self, params, lr):
            super().__init__(params, {"lr": lr})

        def step(self, closure=None, *, extra=None):
            calls.append(("step", extra))

    p = lib.ones(1, requires_grad=True)
    opt = Mine([p], lr=0.1)
    p.grad = lib.ones(1)

    def note(name, result=None):
        def hook(opt, args, kwargs):
            calls.append((name, len(args), kwargs))
            return result(args, kwargs) if result else None

        return hook

    handles = [
        optimizer.register_optimizer_step_pre_hook(note("global pre")),
        optimizer.register_optimizer_step_post_hook(note("global post")),
        opt.register_step_pre_hook(note("pre", lambda a, k: (a, {"extra": 3}))),
        opt.register_step_post_hook(note("post")),
    ]
    opt.step(extra=2)
    assert calls == [
        ("global pre", 1, {"extra": 2}),
        ("pre", 1, {"extra": 2}),
        ("step", 3),
        ("post", 1, {"extra": 3}),
        ("global post", 1, {"extra": 3}),
    ]
    for handle in handles:
        handle.remove()
    calls.clear()
    opt.step()
    assert calls == [("step", None)]
    opt.register_step_pre_hook(lambda *args: 3)
    with pytest.raises(RuntimeError, match=r"must return None or a tuple of \(new_args, new_kw"):
        opt.step()


def test_step_hooks_run_once_where_a_step_calls_that_of_its_base_class():
    class Mine(tg.optim.SGD):
        def step(self, closure=None):
            return super().step(closure)

    calls = []
    opt = Mine([ones(tg, 1)])
    opt.register_step_pre_hook(lambda *args: calls.append("before"))
    opt.register_step_post_hook(lambda *args: calls.append("after"))
    opt.step()
    assert calls == ["before", "after"]


@both
def test_state_hooks(lib):
    p = lib.ones(1, requires_grad=True)
    opt = lib.optim.SGD([p], lr=0.1)
    calls = []

    def says(name, result=None):
        def hook(*args):
            calls.append(name)
            assert args[0] is opt
            return result(*args) if result else None

        return hook

    opt.register_state_dict_pre_hook(says("before"))
    opt.register_state_dict_pre_hook(says("first"), prepend=True)
    opt.register_state_dict_post_hook(says("after", lambda opt, state: {**state, "more": 1}))
    state = opt.state_dict()
    assert state["more"] == 1 and calls == ["first", "before", "after"]
    calls.clear()

    def faster(opt, state):
        state["param_groups"] = [{**state["param_groups"][0], "lr": 0.7}]

    opt.register_load_state_dict_pre_hook(says("loading", faster))
    opt.register_load_state_dict_post_hook(says("loaded"))
    opt.load_state_dict(state)
    assert calls == ["loading", "loaded"]
    assert opt.param_groups[0]["lr"] == 0.7 and state["param_groups"][0]["lr"] == 0.1


# ---------------------------------------------------------------------- groups and states


@both
def test_names_in_states(lib):
    net = lib.nn.Linear(2, 1)
    opt = lib.optim.SGD(net.named_parameters(), lr=0.1)
    assert opt.state_dict()["param_groups"][0]["param_names"] == ["weight", "bias"]
    with raises(
        ValueError,
        "all optimizer param groups should be with/without names. cannot add param group without "
        "names to the optimizer",
    ):
        opt.add_param_group({"params": [lib.ones(1, requires_grad=True)]})
    opt.add_param_group({"params": [("more", lib.ones(1, requires_grad=True))]})
    other = lib.optim.SGD(lib.nn.Linear(2, 1).parameters(), lr=0.1)
    other.load_state_dict(
        {"state": {}, "param_groups": [opt.state_dict()["param_groups"][0] | {"lr": 3}]}
    )
    assert other.param_groups[0]["param_names"] == ["weight", "bias"]
    assert other.param_groups[0]["lr"] == 3


@both
def test_loaded_states_take_the_dtype_of_the_parameter(lib):
    p = lib.ones(2, dtype=lib.float64, requires_grad=True)
    q = lib.ones(2, dtype=lib.float32, requires_grad=True)
    first, second = lib.optim.Adam([p]), lib.optim.Adam([q], amsgrad=True)
    p.grad, q.grad = lib.ones_like(p), lib.ones_like(q)
    first.step()
    second.load_state_dict(first.state_dict())
    assert second.state[q]["exp_avg"].dtype == lib.float32
    assert second.state[q]["step"].item() == 1 and second.param_groups[0]["amsgrad"] is False
    second.step()
    assert second.state[q]["step"].item() == 2
    adamw = lib.optim.AdamW([q])
    adamw.load_state_dict(first.state_dict())
    assert adamw.param_groups[0]["decoupled_weight_decay"] is True


@both
def test_zero_grad_keeps_the_tensor(lib):
    p = lib.ones(2, requires_grad=True)
    opt = lib.optim.SGD([p])
    (p * p).sum().backward(create_graph=True)
    grad = p.grad
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        opt.zero_grad(set_to_none=False)
    assert p.grad is grad and grad.grad_fn is None and grad.tolist() == [0, 0]


def ones(lib, *shape):
    return lib.ones(*shape, requires_grad=True)


MISTAKES = {
    "adam betas of two kinds": lambda lib: lib.optim.Adam([ones(lib, 1)], betas=(0, 0.9)),
    "tensor rate": lambda lib: lib.optim.SGD([ones(lib, 1)], lr=lib.ones(2)),
    "foreach with a tensor rate": lambda lib: lib.optim.Adam(
        [ones(lib, 1)], lr=lib.tensor(0.1), foreach=True
    ),
    "foreach with tensor betas": lambda lib: lib.optim.Adam(
        [ones(lib, 1)], betas=(lib.tensor(0.1), lib.tensor(0.2)), foreach=True
    ),
    "tensor betas": lambda lib: lib.optim.Adam(
        [ones(lib, 1)], betas=(lib.tensor(0.1), lib.tensor([0.2, 0.3]))
    ),
    "fused and differentiable": lambda lib: lib.optim.SGD(
        [ones(lib, 1)], fused=True, differentiable=True
    ),
    "fused and foreach": lambda lib: lib.optim.Adagrad([ones(lib, 1)], fused=True, foreach=True),
    "rho": lambda lib: lib.optim.Adadelta([ones(lib, 1)], rho=1.1),
    "lr_decay": lambda lib: lib.optim.Adagrad([ones(lib, 1)], lr_decay=-0.5),
    "accumulator": lambda lib: lib.optim.Adagrad([ones(lib, 1)], initial_accumulator_value=-1),
    "adamax betas": lambda lib: lib.optim.Adamax([ones(lib, 1)], betas=(0.0, 1.0)),
    "momentum_decay": lambda lib: lib.optim.NAdam([ones(lib, 1)], momentum_decay=-0.2),
    "radam decay": lambda lib: lib.optim.RAdam([ones(lib, 1)], weight_decay=-1),
    "etas": lambda lib: lib.optim.Rprop([ones(lib, 1)], etas=(1.0, 0.5)),
    "asgd": lambda lib: lib.optim.ASGD([ones(lib, 1)], weight_decay=-0.5),
    "adafactor rate": lambda lib: lib.optim.Adafactor([ones(lib, 1)], lr=-1),
    "adafactor decay": lambda lib: lib.optim.Adafactor([ones(lib, 1)], beta2_decay=0.8),
    "adafactor eps": lambda lib: lib.optim.Adafactor([ones(lib, 1)], eps=(-1e-30, 1e-3)),
    "adafactor eps 2": lambda lib: lib.optim.Adafactor([ones(lib, 1)], eps=(None, -5e-3)),
    "adafactor d": lambda lib: lib.optim.Adafactor([ones(lib, 1)], d=0.0),
    "adafactor weight decay": lambda lib: lib.optim.Adafactor([ones(lib, 1)], weight_decay=-1),
    "muon vector": lambda lib: lib.optim.Muon([ones(lib, 2)]),
    "muon rate": lambda lib: lib.optim.Muon([ones(lib, 2, 2)], lr=-0.1),
    "muon function": lambda lib: lib.optim.Muon([ones(lib, 2, 2)], adjust_lr_fn="arbitrary"),
    "required": lambda lib: lib.optim.Optimizer(
        [ones(lib, 1)], {"lr": importlib.import_module(f"{lib.__name__}.optim.optimizer").required}
    ),
    "no step": lambda lib: lib.optim.Optimizer([ones(lib, 1)], {}).step(),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_those_of_torch(mistake):
    outcomes = []
    for lib in (tg, torch):
        with pytest.raises(Exception) as caught:
            MISTAKES[mistake](lib)
        text = str(caught.value).replace("torch.", "tapegrad.")
        outcomes.append((caught.type, text))
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("name", ["Adam", "Adadelta", "Adamax", "NAdam", "RAdam", "Rprop", "ASGD"])
def test_capturable_steps_need_other_devices(name):
    outcomes = []
    for lib in (tg, torch):
        p = ones(lib, 1)
        p.grad = lib.ones(1)
        opt = getattr(lib.optim, name)([p], capturable=True)
        with pytest.raises(AssertionError) as caught:
            opt.step()
        outcomes.append(str(caught.value)[:70])
    assert outcomes[0] == outcomes[1]


def test_sparse_adam_says_why_not():
    with pytest.raises(NotImplementedError, match="needs sparse gradients, which this library"):
        tg.optim.SparseAdam([ones(tg, 1)])


@pytest.mark.parametrize("name", [n for n in tg.optim.__all__ if n[0].isupper()])
def test_the_same_arguments(name):
    if name in ("SparseAdam", "Optimizer"):
        return
    ours = inspect.signature(getattr(tg.optim, name)).parameters.values()
    theirs = inspect.signature(getattr(torch.optim, name)).parameters.values()
    assert [(p.name, p.kind, p.default) for p in ours] == [
        (p.name, p.kind, p.default) for p in theirs
    ]
    assert set(torch.optim.__all__) - set(tg.optim.__all__) <= {
        "swap_in_optimizer_params_and_state"
    }


def test_a_step_that_is_refused_changes_nothing():
    p, q = ones(tg, 2), ones(tg, 2)
    opt = tg.optim.NAdam([p, q], lr=0.1)
    p.grad, q.grad = tg.ones(2), tg.ones(2)
    opt.step()
    before = copy.deepcopy(opt.state_dict()), p.tolist(), q.tolist()
    with tg.no_grad():
        p.data = tg.ones(3)  # its gradient no longer fits
    with pytest.raises(RuntimeError, match="expected size"):
        opt.step()
    assert opt.state_dict()["state"][1]["step"].item() == before[0]["state"][1]["step"].item()
    assert q.tolist() == before[2]


def test_a_first_step_that_is_refused_changes_nothing():
    p = ones(tg, 2)
    opt = tg.optim.SGD([p], lr=1.0, momentum=0.5, dampening=0.75)
    p.grad = tg.ones(2)
    p.data = tg.ones(3)
    with pytest.raises(RuntimeError, match="expected size"):
        opt.step()
    assert not opt.state[p]
    p.grad = tg.ones(3)
    opt.step()
    assert p.tolist() == [0, 0, 0]  # by the whole first gradient


def test_options_may_change_between_steps():
    p = ones(tg, 2)
    opt = tg.optim.Adam([p], lr=0.1)
    p.grad = tg.ones(2)
    opt.step()
    opt.param_groups[0]["differentiable"] = True
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
        opt.step()
    opt.param_groups[0].update(differentiable=False, amsgrad=True, lr=tg.tensor(0.2))
    opt.step()
    assert opt.state[p]["step"].item() == 2 and "max_exp_avg_sq" in opt.state[p]


def test_an_optimizer_goes_through_a_file():
    p = ones(tg, 2)
    opt = tg.optim.RAdam([p], lr=0.1)
    p.grad = tg.ones(2)
    opt.step()
    file = io.BytesIO()
    tg.save(opt.state_dict(), file)
    file.seek(0)
    other = tg.optim.RAdam([ones(tg, 2)])
    other.load_state_dict(tg.load(file))
    assert repr(other) == repr(opt)
