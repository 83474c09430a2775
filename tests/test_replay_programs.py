"""Every module of nn and random programs, replayed: equal bits, on any number of threads."""

from __future__ import annotations

import copy
import random
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import tapegrad as tg
from distribution_rows import ROWS, Row
from module_table import TABLE, Case, argument, flat, made
from support import same_bits

ROUNDS = 4


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def replays(compiled: Any) -> int:
    facts = compiled._facts() if hasattr(compiled, "_facts") else compiled.forward._facts()
    return int(facts["replays"])


# ---------------------------------------------------------------------------- modules

CASES = [
    pytest.param(name, case, id=f"{name}-{number}")
    for name, cases in TABLE.items()
    for number, case in enumerate(cases)
    if name not in ("CTCLoss", "SyncBatchNorm")  # its lengths are values: below; trains nowhere
]


def training_step(module: Any) -> Callable[..., list[Any]]:
    """Results and gradients of inputs; the module has the gradients of its parameters."""

    def step(*inputs: Any) -> list[Any]:
        inputs = tuple(x.detach().requires_grad_(x.is_floating_point()) for x in inputs)
        module.zero_grad()
        # What shows the memory of an argument is not replayed.
        results = [y * 1 for y in flat(module(*(x.clone() for x in inputs)))]
        loss = sum(y.sum() for y in results if y.requires_grad)
        if isinstance(loss, tg.Tensor):
            loss.backward()
        return [y.detach() for y in results] + [x.grad for x in inputs]

    return step


# Modules whose shapes or branches depend on values.
BY_VALUES = {"AdaptiveLogSoftmaxWithLoss", "EmbeddingBag"}


@pytest.mark.parametrize(("name", "case"), CASES)
def test_steps_of_modules(name: str, case: Case) -> None:
    tg.manual_seed(0)
    eager = made(tg, name, case)
    other = copy.deepcopy(eager)
    step, replayed = training_step(eager), tg.compile(training_step(other))
    for turn in range(ROUNDS):
        inputs = [argument(tg, given, 10 * turn + k) for k, given in enumerate(case[2])]
        tg.manual_seed(turn)
        expected, state = step(*inputs), tg.get_rng_state()
        tg.manual_seed(turn)
        assert same_bits(expected, replayed(*inputs)), turn
        assert same_bits(state, tg.get_rng_state())
        assert same_bits(eager.state_dict(), other.state_dict())
        assert same_bits(*([p.grad for p in module.parameters()] for module in (eager, other)))
    assert replays(replayed) >= ROUNDS - 2 or name in BY_VALUES or reads_its_count(eager)


def reads_its_count(module: Any) -> bool:
    """Whether it is a batch norm that divides by how many batches there were."""
    return isinstance(module, tg.nn.modules.batchnorm._BatchNorm) and (
        module.momentum is None and module.track_running_stats
    )


@pytest.mark.parametrize(("name", "case"), CASES)
def test_modules_that_are_compiled(name: str, case: Case) -> None:
    tg.manual_seed(0)
    eager = made(tg, name, case)
    plain = copy.deepcopy(eager)
    net = tg.compile(plain)
    for turn in range(ROUNDS):
        results = []
        for call, module in ((eager, eager), (net, plain)):
            leaves = [argument(tg, given, 10 * turn + k) for k, given in enumerate(case[2])]
            for x in leaves:
                x.requires_grad_(x.is_floating_point())
            inputs = [x.clone() for x in leaves]
            module.zero_grad()
            tg.manual_seed(turn)
            found = flat(call(*inputs))
            for y in found:
                if y.requires_grad:
                    y.sum().backward(retain_graph=True)
            results.append([found, [x.grad for x in leaves], [p.grad for p in module.parameters()]])
            results[-1].append(module.state_dict())
        assert same_bits(*results), turn


def test_lengths_that_are_values() -> None:
    loss = tg.nn.CTCLoss()
    step = tg.compile(loss.forward)
    log_probs = tg.randn(12, 2, 5).log_softmax(-1)
    targets = tg.randint(1, 5, (2, 4))
    for lengths in ((4, 3), (2, 4), (1, 1)):
        arguments = (log_probs, targets, tg.tensor([12, 10]), tg.tensor(lengths))
        assert same_bits(loss(*arguments), step(*arguments))


# -------------------------------------------------------------------- distributions

# They draw in loops, or decide by values.
DISTRIBUTIONS_BY_VALUES = {"Binomial", "VonMises", "Wishart"}


@pytest.mark.parametrize("row", ROWS)
def test_distributions(row: Row) -> None:
    tensors = row.tensors(tg, requires_grad=True)
    names = [key for key, value in tensors.items() if isinstance(value, tg.Tensor)]

    def step(value: Any, *given: Any) -> list[Any]:
        made = row.make(tg, {**tensors, **dict(zip(names, given, strict=True))})
        found = made.log_prob(value)
        drawn = made.rsample((3,)) if made.has_rsample else made.sample((3,))
        leaves = [x for x in given if x.requires_grad]
        loss = found.sum() + drawn.sum()
        slopes = tg.autograd.grad(loss, leaves, allow_unused=True) if leaves else ()
        return [found.detach(), drawn.detach(), *slopes]

    replayed = tg.compile(step)
    for turn in range(ROUNDS):
        arguments = [row.values(tg), *(tensors[name] for name in names)]
        tg.manual_seed(turn)
        expected, state = step(*arguments), tg.get_rng_state()
        tg.manual_seed(turn)
        assert same_bits(expected, replayed(*arguments)), turn
        assert same_bits(state, tg.get_rng_state())
    assert replays(replayed) == ROUNDS - 1 or row.name in DISTRIBUTIONS_BY_VALUES


def test_checks_of_distributions_are_made_again() -> None:
    @tg.compile
    def density(x: Any, scale: Any) -> Any:
        return tg.distributions.Exponential(scale).log_prob(x)

    for _ in range(3):
        density(tg.ones(2), tg.ones(2))
    assert replays(density) == 2
    for x, scale in ((1.0, -1.0), (-1.0, 1.0)):
        with pytest.raises(ValueError, match="found invalid values"):
            density(tg.full((2,), x), tg.full((2,), scale))
    assert replays(density) >= 2


# ----------------------------------------------------------------------- transforms


def perceptron(parameters: Any, x: Any) -> Any:
    w1, b1, w2, b2 = parameters
    return (x @ w1 + b1).tanh() @ w2 + b2


def sample_loss(parameters: Any, x: Any, y: Any) -> Any:
    return tg.nn.functional.cross_entropy(perceptron(parameters, x[None]), y[None])


def adapted_loss(parameters: Any, x: Any, y: Any) -> Any:
    """The loss after a step of gradient descent, whose derivative is of second order."""
    slopes = tg.func.grad(sample_loss)(parameters, x, y)
    moved = [p - 0.1 * g for p, g in zip(parameters, slopes, strict=True)]
    return sample_loss(moved, x, y)


BASE = tg.nn.Sequential(tg.nn.Linear(4, 6), tg.nn.Tanh(), tg.nn.Linear(6, 3))


def module_outputs(parameters: Any, x: Any) -> Any:
    names = [name for name, _ in BASE.named_parameters()]
    turned = [p.mT if p.dim() == 2 else p for p in parameters]
    return tg.func.functional_call(BASE, dict(zip(names, turned, strict=True)), (x,))


def summed(parameters: Any, x: Any) -> Any:
    return perceptron(parameters, x).square().sum()


func = tg.func
# What has a further dimension: nothing, the samples, the parameters.
ONE, BATCH, MODELS = ((), ()), ((5,), ()), ((), (7,))
TRANSFORMS: dict[str, tuple[Callable[..., Any], Any]] = {
    "grad": (func.grad(sample_loss), ONE),
    "grads of samples": (func.vmap(func.grad(sample_loss), (None, 0, 0)), BATCH),
    "grads of models": (func.vmap(func.grad(sample_loss), (0, None, None)), MODELS),
    "models": (func.vmap(lambda p, x, y: module_outputs(p, x), (0, None, None)), MODELS),
    "jacrev": (lambda p, x, y: func.jacrev(perceptron, 1)(p, x), ONE),
    "jacfwd": (lambda p, x, y: func.jacfwd(perceptron, 1)(p, x), ONE),
    "jacobians": (lambda p, x, y: func.vmap(func.jacrev(perceptron, 1), (None, 0))(p, x), BATCH),
    "hessian": (lambda p, x, y: func.hessian(summed, 1)(p, x), ONE),
    "hessians": (lambda p, x, y: func.vmap(func.hessian(summed, 1), (None, 0))(p, x), BATCH),
    "jvp": (lambda p, x, y: func.jvp(lambda x: perceptron(p, x), (x,), (x * 2,)), ONE),
    "vjp": (lambda p, x, y: func.vjp(summed, p, x)[1](tg.ones(())), ONE),
    "steps inside": (func.vmap(func.grad(adapted_loss), (None, 0, 0)), BATCH),
    "noise": (
        lambda p, x, y: func.vmap(lambda x: x + tg.randn(4), randomness="different")(x),
        BATCH,
    ),
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_transforms(name: str) -> None:
    transform, (batch, models) = TRANSFORMS[name]
    replayed = tg.compile(transform)
    for turn in range(ROUNDS):
        tg.manual_seed(turn)
        parameters = [tg.randn(*models, *shape) for shape in ((4, 6), (6,), (6, 3), (3,))]
        arguments = [parameters, tg.randn(*batch, 4), tg.randint(0, 3, batch)]
        tg.manual_seed(turn)
        expected = transform(*arguments)
        tg.manual_seed(turn)
        assert same_bits(expected, replayed(*arguments)), turn
    assert replays(replayed) == ROUNDS - 1, tg.compiler.explain(replayed)


# -------------------------------------------------------------------- random programs

UNARY = [
    tg.tanh,
    tg.sigmoid,
    tg.sin,
    tg.relu,
    tg.abs,
    tg.neg,
    lambda x: tg.exp(-x.abs()),
    lambda x: tg.log1p(x * x),
    lambda x: x.softmax(-1),
    lambda x: x.cumsum(0) * 0.1,
    lambda x: tg.nn.functional.layer_norm(x, x.shape[-1:]),
    lambda x: tg.nn.functional.dropout(x, 0.3),
    lambda x: x + tg.randn_like(x),
    lambda x: x.flip(0),
    lambda x: x.roll(3, -1),
    lambda x: x.clamp(-0.5, 0.7),
    lambda x: x.detach() * x,
    lambda x: tg.cat([x[1:], x[:1]]),
    lambda x: x - x.mean(-1, keepdim=True),
    lambda x: x / (1 + x.std(0, keepdim=True)),
    lambda x: x + x.amax(0),
    lambda x: x.index_select(0, tg.arange(x.shape[0] - 1, -1, -1)),
    lambda x: tg.where(x > 0.2, x, -0.1 * x),
    lambda x: x.masked_fill(x < -1, 0.5),
]
BINARY = [
    tg.add,
    tg.sub,
    tg.mul,
    tg.maximum,
    tg.atan2,
    lambda a, b: a / (b * b + 1),
    lambda a, b: a + b[0],
    lambda a, b: a * b[:, :1],
    lambda a, b: (a @ b.T) @ b * 0.01,
    lambda a, b: tg.lerp(a, b, 0.25),
    lambda a, b: tg.addcmul(a, a, b, value=0.5),
    lambda a, b: tg.hypot(a, b),
]


def in_place(choice: random.Random, x: Any, y: Any) -> Any:
    """A copy of x that is changed."""
    x = x.clone()
    kind = choice.randrange(5)
    if kind == 0:
        x.add_(y, alpha=0.5)
    elif kind == 1:
        x[1::2] = y[1::2] * 2
    elif kind == 2:
        x[:, 0].mul_(0.5)
    elif kind == 3:
        x.T.tanh_()
    else:
        x.sin_().add_(y)
    return x


def program(seed: int) -> Callable[..., list[Any]]:
    """Some operations on three matrices of one shape, and the gradients of what comes out."""

    def run(*leaves: Any) -> list[Any]:
        choice = random.Random(seed)  # the same operations in each call
        values = list(leaves)
        for _ in range(choice.randrange(4, 25)):
            kind = choice.random()
            x, y = (choice.choice(values[-6:]) for _ in range(2))
            if kind < 0.5:
                values.append(choice.choice(UNARY)(x))
            elif kind < 0.85:
                values.append(choice.choice(BINARY)(x, y))
            else:
                values.append(in_place(choice, x, y))
        loss = sum(value.square().mean() for value in values[-3:])
        order = choice.random() < 0.3
        gradients = tg.autograd.grad(loss, leaves, create_graph=order, allow_unused=True)
        if order:
            penalty = sum((g.square().sum() for g in gradients if g is not None), tg.zeros(()))
            penalty.backward()
        return [loss.detach(), *values[-2:], *gradients]

    return run


@pytest.mark.parametrize("seed", range(60))
def test_random_programs(seed: int) -> None:
    # Sizes of one thread and of several, of groups and of none.
    shape = ((3, 4), (48, 48), (120, 250), (400, 700))[seed % 4]
    dtype = tg.float64 if seed % 5 == 4 else tg.float32
    eager = program(seed)
    replayed = tg.compile(program(seed))
    threads = tg.get_num_threads()
    try:
        for turn in range(ROUNDS):
            tg.manual_seed(100 + turn)
            arrays = [tg.randn(*shape, dtype=dtype) for _ in range(3)]
            outcomes = []
            for call, count in ((eager, 1), (replayed, (1, 2, 3, 2)[turn])):
                tg.set_num_threads(count)
                leaves = [x.clone().requires_grad_() for x in arrays]
                tg.manual_seed(turn)
                outcomes.append([call(*leaves), [x.grad for x in leaves], tg.get_rng_state()])
            assert same_bits(*outcomes), turn
    finally:
        tg.set_num_threads(threads)
    assert replays(replayed) >= ROUNDS - 1, replayed


# --------------------------------------------------- sums and results of groups in memory

TOTALS = {
    "sum": lambda x: x.sum(),
    "nansum": lambda x: x.nansum(),
    "mean": lambda x: x.mean(),
    "squares": lambda x: tg.nn.functional.mse_loss(x, x * 0.5),
    "norm": lambda x: x.norm(),
    "norm of order 1": lambda x: x.norm(1),
    "several": lambda x: x.sum() + (x * 2).mean() + x.exp().sum() * x.norm(),
    "of what is changed later": lambda x: (lambda y: y.sum() + y.mul_(2).sum())(x + 1),
    "of what is kept": lambda x: (lambda y: y.sum() * y[3])(x.sin()),
}


@pytest.mark.parametrize("dtype", [tg.float32, tg.float64])
@pytest.mark.parametrize("name", TOTALS)
def test_sums_at_the_end_of_a_group(name: str, dtype: Any) -> None:
    def step(x: Any) -> Any:
        y = TOTALS[name](x.tanh() * x)
        return y.detach(), *tg.autograd.grad(y, x)

    threads = tg.get_num_threads()
    try:
        for n in (1 << 17, (1 << 17) + 1, 200_000 - 5, 5 * 4096 * 13 + 4095):
            replayed = tg.compile(step, fullgraph=True)
            for turn, count in enumerate((1, 1, 2, 3)):
                tg.manual_seed(turn)
                x = tg.randn(n, dtype=dtype, requires_grad=True)
                tg.set_num_threads(1)
                expected = step(x)
                tg.set_num_threads(count)
                assert same_bits(expected, replayed(x)), (n, turn)
            last = {"sum": "sum", "nansum": "nansum", "squares": "mse_loss, mse_loss"}
            if name in last and (dtype is tg.float32 or name != "squares"):
                (group,) = (line for line in replayed.explain().split("\n") if "in cache" in line)
                assert f", {last[name]}" in group
    finally:
        tg.set_num_threads(threads)


def test_results_that_leave_the_caches() -> None:
    """Larger than the caches: what is not read again, what is, and what is changed in place."""

    def step(a: Any, b: Any) -> Any:
        y = a * b + 1
        z = y.sin_()
        a[1:].add_(b[1:])
        a.mul_(0.5)
        return z, (z * a).exp_()

    n = 4_000_000
    replayed = tg.compile(step, fullgraph=True)
    for turn in range(3):
        tg.manual_seed(turn)
        a, b = tg.randn(n), tg.randn(n)
        c = a.clone()
        expected = step(a, b)
        assert same_bits(expected, replayed(c, b))
        assert same_bits(a, c)
