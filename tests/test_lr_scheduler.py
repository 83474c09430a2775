"""Schedules of learning rates beside PyTorch's: epochs, jumps, states, warnings, mistakes."""

import copy
import importlib
import inspect
import warnings

import numpy as np
import pytest

import tapegrad as tg
from both import both
from support import raises

torch = pytest.importorskip("torch")


class Halving:
    def __init__(self):
        self.last = 0

    def __call__(self, epoch):
        self.last = epoch
        return 0.5 ** (epoch / 20)


def chain(lib, opt, kind):
    """Schedules that are made of others."""
    s = lib.optim.lr_scheduler
    warm = s.LinearLR(opt, start_factor=0.1, total_iters=20)
    if kind == "chained":
        return s.ChainedScheduler([warm, s.ExponentialLR(opt, gamma=0.99), s.StepLR(opt, 30)])
    rest = s.CosineAnnealingLR(opt, T_max=100)
    if kind == "sequential":
        return s.SequentialLR(opt, [warm, rest], milestones=[20])
    constant = s.ConstantLR(opt, factor=0.3, total_iters=15)
    if kind == "three":
        return s.SequentialLR(opt, [constant, warm, rest], milestones=[10, 40])
    inner = s.SequentialLR(opt, [constant, warm], milestones=[7])
    if kind == "nested":
        return s.SequentialLR(opt, [inner, rest], milestones=[50])
    return s.ChainedScheduler([inner, rest], optimizer=opt)


SCHEDULES = {
    "LambdaLR": ("LambdaLR", {"lr_lambda": lambda epoch: 0.95**epoch}),
    "LambdaLR objects": ("LambdaLR", {"lr_lambda": [Halving, lambda epoch: 1.0]}),
    "MultiplicativeLR": ("MultiplicativeLR", {"lr_lambda": lambda epoch: 0.95}),
    "MultiplicativeLR two": ("MultiplicativeLR", {"lr_lambda": [Halving, lambda epoch: 0.9]}),
    "StepLR": ("StepLR", {"step_size": 30, "gamma": 0.5}),
    "MultiStepLR": ("MultiStepLR", {"milestones": [20, 50, 50, 120], "gamma": 0.3}),
    "ConstantLR": ("ConstantLR", {"factor": 0.5, "total_iters": 40}),
    "ConstantLR default": ("ConstantLR", {}),
    "LinearLR": ("LinearLR", {"start_factor": 0.2, "end_factor": 0.7, "total_iters": 150}),
    "LinearLR default": ("LinearLR", {}),
    "ExponentialLR": ("ExponentialLR", {"gamma": 0.97}),
    "PolynomialLR": ("PolynomialLR", {"total_iters": 120, "power": 2.0}),
    "PolynomialLR default": ("PolynomialLR", {}),
    "CosineAnnealingLR": ("CosineAnnealingLR", {"T_max": 60, "eta_min": 0.01}),
    "WarmRestarts": ("CosineAnnealingWarmRestarts", {"T_0": 10, "T_mult": 2, "eta_min": 0.01}),
    "WarmRestarts even": ("CosineAnnealingWarmRestarts", {"T_0": 13}),
    "CyclicLR": ("CyclicLR", {"base_lr": 0.01, "max_lr": [0.1, 0.2], "step_size_up": 15}),
    "CyclicLR 2": (
        "CyclicLR",
        {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 7, "step_size_down": 20}
        | {"mode": "triangular2", "base_momentum": [0.3, 0.5]},
    ),
    "CyclicLR exp": (
        "CyclicLR",
        {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 9, "mode": "exp_range", "gamma": 0.99},
    ),
    "CyclicLR function": (
        "CyclicLR",
        {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 9, "cycle_momentum": False}
        | {"scale_fn": Halving, "scale_mode": "iterations"},
    ),
    "OneCycleLR": ("OneCycleLR", {"max_lr": [0.3, 0.1], "total_steps": 200}),
    "OneCycleLR linear": (
        "OneCycleLR",
        {"max_lr": 0.3, "epochs": 10, "steps_per_epoch": 20, "anneal_strategy": "linear"}
        | {"pct_start": 0.6, "div_factor": 5.0, "cycle_momentum": False},
    ),
    "OneCycleLR three": (
        "OneCycleLR",
        {"max_lr": 0.3, "total_steps": 200, "three_phase": True, "final_div_factor": 10},
    ),
    "SWALR": ("SWALR", {"swa_lr": [0.05, 0.5], "anneal_epochs": 30}),
    "SWALR linear": (
        "SWALR",
        {"swa_lr": 0.05, "anneal_epochs": 13, "anneal_strategy": "linear"},
    ),
    "SWALR at once": ("SWALR", {"swa_lr": 0.05, "anneal_epochs": 0}),
    "chained": (None, "chained"),
    "sequential": (None, "sequential"),
    "three": (None, "three"),
    "nested": (None, "nested"),
    "nested chained": (None, "nested chained"),
}


def make(lib, case, optimizer="SGD", tensor_rates=False):
    name, options = SCHEDULES[case]
    params = [lib.zeros(1, requires_grad=True), lib.zeros(1, requires_grad=True)]
    rate = (lambda lr: lib.tensor(lr, dtype=lib.float64)) if tensor_rates else (lambda lr: lr)
    groups = [{"params": params[0], "lr": rate(1.0)}, {"params": params[1], "lr": rate(0.2)}]
    kind = {"momentum": 0.9} if optimizer == "SGD" else {}
    opt = getattr(lib.optim, optimizer)(groups, lr=rate(1.0), **kind)
    if name is None:
        return opt, chain(lib, opt, options)
    module = lib.optim.swa_utils if name == "SWALR" else lib.optim.lr_scheduler
    fresh = lambda v: v() if v is Halving else v  # noqa: E731
    options = {
        k: [fresh(v) for v in value]
        if k == "lr_lambda" and isinstance(value, list)
        else fresh(value)
        for k, value in options.items()
    }
    return opt, getattr(module, name)(opt, **options)


def numbers(value):
    if isinstance(value, dict):
        return {k: numbers(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [numbers(v) for v in value]
    return value.item() if hasattr(value, "item") else value


def seen(opt, scheduler):
    keys = ("lr", "momentum", "betas", "initial_lr")
    groups = [{k: numbers(g[k]) for k in keys if k in g} for g in opt.param_groups]
    return [*groups, numbers(scheduler.get_last_lr()), getattr(scheduler, "last_epoch", None)]


def close(a, b):
    if isinstance(a, dict):
        assert set(a) == set(b)
        for key in a:
            close(a[key], b[key])
    elif isinstance(a, list):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            close(x, y)
    elif isinstance(a, float):
        assert a == pytest.approx(b, rel=1e-9, abs=1e-12)
    else:
        assert a == b


@pytest.mark.parametrize("case", SCHEDULES)
@pytest.mark.parametrize(("optimizer", "tensor_rates"), [("SGD", False), ("Adam", True)])
@pytest.mark.filterwarnings("ignore:.*epoch parameter in:UserWarning")
def test_two_hundred_epochs(case, optimizer, tensor_rates):
    def run(lib):
        opt, scheduler = make(lib, case, optimizer, tensor_rates)
        rate = opt.param_groups[0]["lr"]
        rows = [seen(opt, scheduler)]
        for _ in range(199 if "OneCycle" in case else 200):
            opt.step()
            scheduler.step()
            rows.append(seen(opt, scheduler))
        assert not tensor_rates or opt.param_groups[0]["lr"] is rate
        return rows

    close(run(tg), run(torch))


def state_of(scheduler):
    def plain(value):
        if isinstance(value, dict):
            return {str(k): plain(v) for k, v in value.items()}
        return numbers([plain(v) for v in value] if isinstance(value, (list, tuple)) else value)

    return plain(scheduler.state_dict())


@pytest.mark.parametrize("case", SCHEDULES)
def test_states(case):
    """A new schedule goes on with the state of another, which may be PyTorch's."""

    def run(lib):
        opt, scheduler = make(lib, case)
        for _ in range(23):
            opt.step()
            scheduler.step()
        return opt, scheduler

    (opt, scheduler), (_, other) = run(tg), run(torch)
    close(state_of(scheduler), state_of(other))
    resumed_opt, resumed = make(tg, case)
    state = copy.deepcopy(other.state_dict())  # that of the other library
    resumed.load_state_dict(state)
    resumed_opt.load_state_dict(copy.deepcopy(opt.state_dict()))
    for _ in range(40):
        for o, s in ((opt, scheduler), (resumed_opt, resumed)):
            o.step()
            s.step()
        close(seen(resumed_opt, resumed), seen(opt, scheduler))


@pytest.mark.parametrize(
    "case",
    [c for c, (name, _) in SCHEDULES.items() if name and name not in ("SWALR", "OneCycleLR")],
)
@pytest.mark.filterwarnings("ignore:.*epoch parameter in:UserWarning")
def test_jumps(case):
    def run(lib):
        opt, scheduler = make(lib, case)
        opt.step()
        rows = []
        for epoch in (3, None, 20, 20, None, 150, None, 0, None, 41):
            scheduler.step(epoch)
            rows.append(seen(opt, scheduler))
        return rows

    close(run(tg), run(torch))


FIGURES = [3.0, 2.0, 2.5, 2.0, 1.9999, 1.9, 1.9, 1.8, 2.0, 2.0, 2.0, 2.0, 2.0, 0.5, 0.6, 0.6] * 4


@pytest.mark.parametrize(
    "options",
    [
        {"patience": 1},
        {"patience": 1, "mode": "max", "cooldown": 2},
        {"patience": 2, "threshold_mode": "abs", "threshold": 0.05, "factor": 0.5},
        {"patience": 0, "mode": "max", "threshold_mode": "abs", "min_lr": [0.3, 0.01]},
        {"patience": 0, "eps": 0.1, "min_lr": 0.05},
    ],
)
@pytest.mark.parametrize("tensor_rates", [False, True])
def test_plateaus(options, tensor_rates):
    def run(lib):
        opt, _ = make(lib, "ConstantLR default", tensor_rates=tensor_rates)
        scheduler = lib.optim.lr_scheduler.ReduceLROnPlateau(opt, **options)
        rows = []
        for figure in FIGURES:
            scheduler.step(lib.tensor(figure))
            rows.append([*seen(opt, scheduler), state_of(scheduler), scheduler.in_cooldown])
        again = lib.optim.lr_scheduler.ReduceLROnPlateau(opt)
        again.load_state_dict(scheduler.state_dict())
        rows.append(state_of(again))
        opt.add_param_group({"params": lib.zeros(1, requires_grad=True)})
        try:
            for _ in range(5):
                scheduler.step(99.0 if scheduler.mode == "min" else -99.0)
            rows.append(numbers(scheduler.get_last_lr()))
        except RuntimeError as error:
            rows.append(str(error))
        return rows

    close(run(tg), run(torch))


# ---------------------------------------------------------------------- warnings and mistakes


def caught(action):
    with warnings.catch_warnings(record=True) as got:
        warnings.simplefilter("always")
        action()
    return [(w.category, str(w.message)[:60]) for w in got]


@both
def test_warnings(lib):
    early = (UserWarning, "Detected call of `lr_scheduler.step()` before `optimizer.step()`"[:60])
    opt, scheduler = make(lib, "StepLR")
    assert caught(scheduler.step) == [early]
    assert caught(scheduler.step) == []
    epoch = (UserWarning, "The epoch parameter in `scheduler.step()` was not necessary and i")
    assert caught(lambda: scheduler.step(3)) == [(UserWarning, epoch[1][:60])]
    get = (UserWarning, "To get the last learning rate computed by the scheduler, please"[:60])
    assert caught(scheduler.get_lr) == [get]

    opt, scheduler = make(lib, "StepLR")
    opt.step()
    assert caught(scheduler.step) == []
    second = lib.optim.lr_scheduler.StepLR(opt, 3)  # the step has been seen already
    assert caught(second.step) == []

    opt, scheduler = make(lib, "StepLR")
    opt.step = lambda: None
    overridden = "Seems like `optimizer.step()` has been overridden after learn"
    assert caught(scheduler.step) == [(UserWarning, overridden[:60])]

    class Mine(lib.optim.SGD):
        def step(self, closure=None):
            return super().step(closure)

    opt = Mine([lib.zeros(1, requires_grad=True)])
    scheduler = lib.optim.lr_scheduler.StepLR(opt, 3)
    assert caught(scheduler.step) == [early]
    opt = Mine([lib.zeros(1, requires_grad=True)])
    opt.step()  # before there was a schedule
    scheduler = lib.optim.lr_scheduler.StepLR(opt, 3)
    assert caught(scheduler.step) == [early]


def sgd(lib, **options):
    return lib.optim.SGD([lib.zeros(1, requires_grad=True)], lr=1.0, **options)


def mistakes():
    def case(name, *args, last=None, **kwargs):
        def run(lib):
            module = lib.optim.swa_utils if name == "SWALR" else lib.optim.lr_scheduler
            opt = kwargs.get("opt", sgd)(lib)
            rest = {k: v for k, v in kwargs.items() if k != "opt"}
            getattr(module, name)(opt, *args, **rest)

        return run

    yield "no optimizer", case("StepLR", 3, opt=lambda lib: 3)
    yield "cyclic no optimizer", case("CyclicLR", 0.1, 1.0, opt=lambda lib: 3)
    yield "one cycle no optimizer", case("OneCycleLR", 0.1, 10, opt=lambda lib: 3)
    yield "plateau no optimizer", case("ReduceLROnPlateau", opt=lambda lib: 3)
    yield "lambdas", case("LambdaLR", [abs, abs])
    yield "multiplicative lambdas", case("MultiplicativeLR", [abs, abs])
    yield "multiplicative numbers", case("MultiplicativeLR", [0.9])
    yield "constant", case("ConstantLR", factor=1.1)
    yield "linear start", case("LinearLR", start_factor=0)
    yield "linear end", case("LinearLR", end_factor=1.1)
    yield "restarts", case("CosineAnnealingWarmRestarts", 0)
    yield "restarts float", case("CosineAnnealingWarmRestarts", 1.5)
    yield "restarts times", case("CosineAnnealingWarmRestarts", 3, 0)
    yield "restarts minimum", case("CosineAnnealingWarmRestarts", 3, 1, "0")
    yield "factor", case("ReduceLROnPlateau", factor=1.0)
    yield "mode", case("ReduceLROnPlateau", mode="up")
    yield "threshold mode", case("ReduceLROnPlateau", threshold_mode="up")
    yield "limits", case("ReduceLROnPlateau", min_lr=[1, 2])
    yield "cyclic mode", case("CyclicLR", 0.1, 1.0, mode="up")
    yield "cyclic rates", case("CyclicLR", 0.1, [1.0, 2.0], cycle_momentum=False)
    adadelta = lambda lib: lib.optim.Adadelta([lib.zeros(1, requires_grad=True)])  # noqa: E731
    yield "cyclic momentum", case("CyclicLR", 0.1, 1.0, opt=adadelta)
    yield "one cycle momentum", case("OneCycleLR", 0.1, 10, opt=adadelta)
    yield "one cycle steps", case("OneCycleLR", 0.1)
    yield "one cycle total", case("OneCycleLR", 0.1, 0)
    yield "one cycle total float", case("OneCycleLR", 0.1, 2.5)
    yield "one cycle epochs", case("OneCycleLR", 0.1, epochs=-1, steps_per_epoch=3)
    yield "one cycle per epoch", case("OneCycleLR", 0.1, epochs=3, steps_per_epoch=0)
    yield "one cycle start", case("OneCycleLR", 0.1, 10, pct_start=1.1)
    yield "one cycle start int", case("OneCycleLR", 0.1, 10, pct_start=1)
    yield "one cycle strategy", case("OneCycleLR", 0.1, 10, anneal_strategy="up")
    yield "one cycle rates", case("OneCycleLR", [0.1, 0.2], 10)
    yield "swa strategy", case("SWALR", 0.1, anneal_strategy="up")
    yield "swa epochs", case("SWALR", 0.1, anneal_epochs=-1)
    yield "swa rates", case("SWALR", [0.1, 0.2])
    yield "sequential none", case("SequentialLR", [], [])
    yield "sequential thing", case("SequentialLR", [3], [])

    def composite(name, make):
        def run(lib):
            s, opt, other = lib.optim.lr_scheduler, sgd(lib), sgd(lib)
            make(lib, s, opt, other)

        return name, run

    yield composite(
        "sequential other",
        lambda lib, s, opt, other: s.SequentialLR(opt, [s.StepLR(other, 3)], []),
    )
    yield composite(
        "sequential plateau",
        lambda lib, s, opt, other: s.SequentialLR(opt, [s.ReduceLROnPlateau(opt)], []),
    )
    yield composite(
        "sequential milestones",
        lambda lib, s, opt, other: s.SequentialLR(opt, [s.StepLR(opt, 3)], [1]),
    )
    yield composite(
        "chained none",
        lambda lib, s, opt, other: s.ChainedScheduler([]),
    )
    yield composite(
        "chained other",
        lambda lib, s, opt, other: s.ChainedScheduler([s.StepLR(opt, 3), s.StepLR(other, 3)]),
    )
    yield composite(
        "chained plateau",
        lambda lib, s, opt, other: s.ChainedScheduler([s.ReduceLROnPlateau(opt)]),
    )

    def too_far(lib, s, opt, other):
        scheduler = s.OneCycleLR(opt, 0.1, 2, cycle_momentum=False)
        for _ in range(4):
            scheduler.step()

    yield composite("one cycle too far", too_far)
    yield composite(
        "negative epoch",
        lambda lib, s, opt, other: s.CosineAnnealingWarmRestarts(opt, 3).step(-1),
    )


MISTAKES = dict(mistakes())


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.filterwarnings("ignore")
def test_mistakes(mistake):
    outcomes = []
    for lib in (tg, torch):
        with pytest.raises(Exception) as error:
            MISTAKES[mistake](lib)
        outcomes.append((error.type, str(error.value)))
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("name", [*tg.optim.lr_scheduler.__all__, "_LRScheduler"])
def test_the_same_arguments(name):
    def arguments(lib):
        module = importlib.import_module(f"{lib.__name__}.optim.lr_scheduler")
        found = inspect.signature(getattr(module, name)).parameters.values()
        return [(p.name, p.kind, p.default) for p in found]

    assert arguments(tg) == arguments(torch)
    assert sorted(tg.optim.lr_scheduler.__all__) == sorted(torch.optim.lr_scheduler.__all__)


# ---------------------------------------------------------------------- averages


@pytest.mark.parametrize("use_buffers", [False, True])
@pytest.mark.parametrize("kind", ["swa", "ema", "multi_swa", "multi_ema", "default"])
def test_averaged_models(use_buffers, kind):
    def run(lib):
        utils = lib.optim.swa_utils
        options = {
            "swa": {"avg_fn": utils.get_swa_avg_fn()},
            "ema": {"avg_fn": utils.get_ema_avg_fn(0.9)},
            "multi_swa": {"multi_avg_fn": utils.get_swa_multi_avg_fn()},
            "multi_ema": {"multi_avg_fn": utils.get_ema_multi_avg_fn(0.9)},
            "default": {},
        }[kind]
        model = lib.nn.Sequential(lib.nn.Linear(2, 3), lib.nn.Tanh(), lib.nn.Linear(3, 1))
        model.register_buffer("kept", lib.zeros(2, dtype=lib.float64))
        average = utils.AveragedModel(model, use_buffers=use_buffers, **options)
        rng = np.random.default_rng(0)
        for _ in range(5):
            with lib.no_grad():
                for p in (*model.parameters(), *model.buffers()):
                    values = rng.normal(size=tuple(p.shape))
                    p.copy_(lib.from_numpy(values))
            average.update_parameters(model)
        x = lib.ones(1, 2)
        state = {k: v.numpy() for k, v in average.state_dict().items()}
        return state, average(x).detach().numpy(), average.n_averaged.item()

    (state, y, count), (expected, z, other) = run(tg), run(torch)
    assert list(state) == list(expected) and count == other == 5
    for key, value in expected.items():
        np.testing.assert_allclose(state[key], value, rtol=1e-5, atol=1e-6, err_msg=key)
    np.testing.assert_allclose(y, z, rtol=1e-5)


def test_statistics_of_batches_anew():
    def run(lib):
        nn, rng = lib.nn, np.random.default_rng(0)
        model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.InstanceNorm1d(3)).eval()
        with lib.no_grad():
            for p in model[0].parameters():
                p.copy_(lib.from_numpy(rng.normal(size=tuple(p.shape))))
        batches = [lib.from_numpy(rng.normal(size=(n, 2)).astype(np.float32)) for n in (4, 3, 5)]
        loader = [batches[0], [batches[1], 3], (batches[2],)]
        lib.optim.swa_utils.update_bn(loader, model[:2].eval(), device="cpu")
        assert model[1].momentum == 0.1 and not model[1].training
        lib.optim.swa_utils.update_bn([None], model[:1])  # which has none, and is not called
        return {k: v.numpy() for k, v in model.state_dict().items()}

    ours, theirs = run(tg), run(torch)
    assert list(ours) == list(theirs)
    for key, value in theirs.items():
        np.testing.assert_allclose(ours[key], value, rtol=1e-5, atol=1e-6, err_msg=key)


@both
def test_mistakes_with_averages(lib):
    utils, model = lib.optim.swa_utils, lib.nn.Linear(1, 1)
    with raises(ValueError, "Invalid decay value 2 provided. Please provide a value in [0,1]"):
        utils.get_ema_avg_fn(2)
    with raises(ValueError, "Invalid decay value -1 provided. Please provide a value in [0,1]"):
        utils.get_ema_multi_avg_fn(-1)
    with raises(AssertionError, "Only one of avg_fn and multi_avg_fn should be provided"):
        utils.AveragedModel(
            model, avg_fn=utils.get_swa_avg_fn(), multi_avg_fn=utils.get_swa_multi_avg_fn()
        )
