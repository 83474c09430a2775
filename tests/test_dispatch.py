"""Dispatch modes, PyTorch's names of operators, and selective checkpointing."""

from __future__ import annotations

import contextlib
import functools
import importlib
import itertools
import threading

import pytest

import tapegrad as tg
from both import both


def modes(lib):
    return importlib.import_module(f"{lib.__name__}.utils._python_dispatch")


def checkpoints(lib):
    return importlib.import_module(f"{lib.__name__}.utils.checkpoint")


def logging_mode(lib, log):
    class Log(modes(lib).TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            log.append(str(func))
            return func(*args, **(kwargs or {}))

    return Log()


@both
def test_an_out_that_is_not_given_is_not_shown(lib):
    seen = []

    class Log(modes(lib).TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            seen.append(sorted(kwargs or {}))
            return func(*args, **(kwargs or {}))

    x, F = lib.ones(2), lib.nn.functional
    with Log():
        F.gelu(x), F.softplus(x), F.logsigmoid(x), F.hardshrink(x), F.softshrink(x)
        lib.exp(x, out=None)
    assert len(seen) == 6 and not any("out" in names for names in seen)


# ---------------------------------------------------------------------- names

PROGRAMS = {
    "products": lambda lib, x, w, b: (x @ w.t(), lib.mv(x, x[0]), lib.dot(x[0], x[0])),
    "linear": lambda lib, x, w, b: lib.nn.functional.linear(x, w, b),
    "linear without bias": lambda lib, x, w, b: lib.nn.functional.linear(x, w),
    "linear of three dimensions": lambda lib, x, w, b: lib.nn.functional.linear(
        lib.stack([x, x]), w, b
    ),
    "bmm": lambda lib, x, w, b: lib.bmm(x.expand(2, 2, 3), w.t().expand(2, 3, 4)),
    "arithmetic": lambda lib, x, w, b: ((x + x) * 2 - 1) / (x + 1),
    "numbers in front": lambda lib, x, w, b: (1 - x, 2 / (x + 1), 2 * x, 2 + x, 2**x),
    "powers": lambda lib, x, w, b: (x**2, x**x, lib.pow(x, 3)),
    "functions": lambda lib, x, w, b: x.exp().sin().tanh().sigmoid().sqrt().abs().neg(),
    "signs": lambda lib, x, w, b: -abs(x),
    "comparisons": lambda lib, x, w, b: (x > 1, x == x, (x > 1) | (x < 2), ~(x > 1)),
    "activations": lambda lib, x, w, b: lib.nn.functional.gelu(lib.nn.functional.relu(x)),
    "softmax": lambda lib, x, w, b: (x.softmax(1), lib.nn.functional.log_softmax(x, 1)),
    "sums": lambda lib, x, w, b: (x.sum(), x.sum(0), x.mean(), x.mean(1), x.prod(), x.prod(1)),
    "extremes": lambda lib, x, w, b: (x.max(), x.max(1), x.amin(), lib.max(x, x), x.argmax()),
    "spreads": lambda lib, x, w, b: (x.var(), x.std(0), lib.var_mean(x)),
    "views": lambda lib, x, w, b: (
        *(x.view(6), x.transpose(0, 1), x.unsqueeze(0), x.unsqueeze(0).squeeze(0)),
        *(x.permute(1, 0), x.expand(2, 2, 3), x.t(), x.select(0, 1), x.split(1)),
    ),
    "in place": lambda lib, x, w, b: (x * 1).add_(1).mul_(2).relu_(),
    "joined": lambda lib, x, w, b: (lib.cat([x, x]), lib.stack([x, x])),
    "chosen": lambda lib, x, w, b: (
        *(lib.where(x > 0, x, x), x.masked_fill(x > 1, 0.0), x.clamp(0, 1), x.cumsum(0)),
        *(x.round(), x.norm(), lib.nn.functional.layer_norm(x, (3,))),
    ),
}


def program_in_place(lib, x, w, b):
    y = x * 1
    y += 1
    y -= x
    y *= 2
    y /= 2
    return y


PROGRAMS["operators in place"] = program_in_place


@pytest.mark.parametrize("name", PROGRAMS)
def test_operators_have_their_names(name):
    torch = pytest.importorskip("torch")
    logs = []
    for lib in (tg, torch):
        log = []
        x = lib.arange(6.0).reshape(2, 3).requires_grad_()
        w, b = lib.ones(4, 3, requires_grad=True), lib.zeros(4, requires_grad=True)
        with logging_mode(lib, log):
            PROGRAMS[name](lib, x, w, b)
        # PyTorch detaches what it keeps, and has names for views that only it can make.
        same = [op.replace("_unsafe_view", "view") for op in log]
        left_out = {"aten.detach.default", "aten.select.int", "aten.alias.default"}
        logs.append([op for op in same if op not in left_out])
    ours, theirs = logs
    if name == "linear of three dimensions":  # the order in which the parts are made
        ours, theirs = sorted(ours), sorted(theirs)
    assert ours == theirs


@both
def test_names(lib):
    aten = lib.ops.aten
    add = aten.add.Tensor
    assert str(add) == "aten.add.Tensor" and repr(add) == (
        "<OpOverload(op='aten.add', overload='Tensor')>"
    )
    assert add.name() == "aten::add.Tensor" and add.__name__ == "add.Tensor"
    assert str(add.overloadpacket) == "aten.add" and add.namespace == "aten"
    assert aten.mm.default.name() == "aten::mm"
    assert "Tensor" in aten.add.overloads()
    assert add is aten.add.Tensor and add != aten.sub.Tensor and add in {aten.add.Tensor}
    assert add(lib.ones(1), lib.ones(1)).item() == 2
    with pytest.raises(AttributeError, match="object has no attribute 'nonsense'"):
        aten.nonsense
    with pytest.raises(AttributeError, match=r"'aten\.mm' has no overload name 'bad'"):
        aten.mm.bad


# ---------------------------------------------------------------------- modes


@both
def test_modes_are_asked_from_the_inside(lib):
    order = []

    class Named(modes(lib).TorchDispatchMode):
        def __init__(self, name):
            super().__init__()
            self.name = name

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            order.append(self.name)
            return func(*args, **(kwargs or {}))

    x = lib.ones(2)
    with Named("outer"), Named("inner"):
        x.exp()
    assert order == ["inner", "outer"]
    x.exp()
    assert len(order) == 2


@both
def test_a_mode_may_give_another_result(lib):
    class Twice(modes(lib).TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            result = func(*args, **(kwargs or {}))
            return result * 2 if func == lib.ops.aten.exp.default else result

    with Twice():
        assert lib.zeros(2).exp().tolist() == [2, 2]
    assert lib.zeros(2).exp().tolist() == [1, 1]


@both
def test_errors_leave_the_mode(lib):
    class Failing(modes(lib).TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            raise KeyError("failed")

    x = lib.ones(2)
    with pytest.raises(KeyError, match="failed"), Failing():
        x + 1
    assert (x + 1).tolist() == [2, 2]
    with pytest.raises((TypeError, RuntimeError)), logging_mode(lib, []):
        lib.mm(x, x)


def test_a_mode_is_of_its_thread():
    log, other = [], []

    def work():
        for _ in range(100):
            other.append((tg.ones(2) + 1).exp().sum().item())

    thread = threading.Thread(target=work)
    with logging_mode(tg, log):
        thread.start()
        tg.ones(2).exp()
        thread.join()
    assert [op for op in log if "ones" not in op] == ["aten.exp.default"] and len(other) == 100


def test_names_that_were_taken_before_and_subclasses():
    exp, method = tg.exp, tg.Tensor.sin

    class Mine(tg.Tensor):
        pass

    log = []
    x = tg.zeros(2)
    with logging_mode(tg, log):
        exp(x)
        method(x)
        parameter = tg.nn.Parameter(x)
        parameter * 2
        Mine([1.0]) + 1
    later = [op for op in log if op != "aten.detach.default"]
    names = ["exp.default", "sin.default", "mul.Tensor", "add.Tensor"]
    assert later == [f"aten.{name}" for name in names]
    log.clear()
    parameter * 2
    Mine([1.0]) + 1
    exp(x)
    assert not log
    with logging_mode(tg, log):

        class Later(tg.Tensor):
            pass

    assert (Later([1.0]) - 1).tolist() == [0] and not log
    with logging_mode(tg, log):
        Later([1.0]) - 1
    assert log == ["aten.sub.Tensor"]


@both
def test_numbers_before_tensors(lib):
    x = lib.tensor([2, 3], dtype=lib.int32)
    programs = {
        "+": lambda n: n + x, "-": lambda n: n - x, "*": lambda n: n * x, "/": lambda n: n / x,
        "//": lambda n: n // x, "%": lambda n: n % x, "**": lambda n: n**x, "&": lambda n: n & x,
        "|": lambda n: n | x, "^": lambda n: n ^ x, "<<": lambda n: n << x, ">>": lambda n: n >> x,
    }  # fmt: skip
    for name, program in programs.items():
        log = []
        plain = program(9)
        with logging_mode(lib, log):
            seen = program(9)
        assert log, name
        assert seen.dtype is plain.dtype, name
        assert seen.tolist() == plain.tolist(), name


SUBSCRIPTS = {
    "x[0]": lambda lib, x, i: x[0], "x[0, 1]": lambda lib, x, i: x[0, 1],
    "x[1:]": lambda lib, x, i: x[1:], "x[:, 1]": lambda lib, x, i: x[:, 1],
    "x[...]": lambda lib, x, i: x[...], "x[None]": lambda lib, x, i: x[None],
    "x[..., 0]": lambda lib, x, i: x[..., 0], "x[::2, None]": lambda lib, x, i: x[::2, None],
    "x[-1, 1:3]": lambda lib, x, i: x[-1, 1:3], "x[i]": lambda lib, x, i: x[i],
    "x[mask]": lambda lib, x, i: x[x > 3], "x[0, i]": lambda lib, x, i: x[0, i],
    "x[:, i]": lambda lib, x, i: x[:, i], "x[i, None, 1:]": lambda lib, x, i: x[i, None, 1:],
    "x[None, i, 0]": lambda lib, x, i: x[None, i, 0], "x[[0, 1]]": lambda lib, x, i: x[[0, 1]],
    "x[mask, None]": lambda lib, x, i: x[x > 3, None], "x[i, i]": lambda lib, x, i: x[i, i],
    "rows": lambda lib, x, i: list(x), "T": lambda lib, x, i: x.T, "mT": lambda lib, x, i: x.mT,
    "x[0] = 1": lambda lib, x, i: x.__setitem__(0, 1.0),
    "x[1:2] = y": lambda lib, x, i: x.__setitem__(slice(1, 2), lib.ones(1, 4)),
    "x[i] = 1": lambda lib, x, i: x.__setitem__(i, 1.0),
    "x[mask] = y": lambda lib, x, i: x.__setitem__(x > 3, lib.zeros(8)),
    "x[:] = 0": lambda lib, x, i: x.__setitem__(slice(None), 0.0),
    "x[0, i] = y": lambda lib, x, i: x.__setitem__((0, i), lib.ones(2)),
    "where": lambda lib, x, i: x.where(x > 2, x), "__add__": lambda lib, x, i: x.__add__(1),
    "__radd__": lambda lib, x, i: x.__radd__(1), "__iadd__": lambda lib, x, i: x.__iadd__(1),
    "__rsub__": lambda lib, x, i: x.__rsub__(1),
    "__matmul__": lambda lib, x, i: x.__matmul__(x.t()),
    "__getitem__": lambda lib, x, i: x.__getitem__(0), "__neg__": lambda lib, x, i: x.__neg__(),
    "__eq__": lambda lib, x, i: x.__eq__(1), "__rpow__": lambda lib, x, i: x.__rpow__(2),
}  # fmt: skip


@pytest.mark.parametrize("name", SUBSCRIPTS)
def test_indices_and_methods_with_underscores_are_seen(name):
    torch = pytest.importorskip("torch")
    logs, values = [], []
    for lib in (tg, torch):
        x, i, log = lib.arange(12.0).reshape(3, 4), lib.tensor([0, 2]), []
        with logging_mode(lib, log):
            result = SUBSCRIPTS[name](lib, x, i)
        # PyTorch makes tensors of numbers and lists.
        made = ("lift_fresh", "detach", "ones", "zeros")
        logs.append([op for op in log if not any(part in op for part in made)])
        values.append((x.tolist(), result.tolist() if hasattr(result, "tolist") else None))
    assert logs[0] == logs[1] and values[0] == values[1]


def test_indices_that_are_wrong_raise_what_they_do_without_a_mode():
    x = tg.ones(2, 3)
    for index in (5, (0, 7), (0, 0, 0), "a", slice(0, 2, -1), (..., ...), 1.5, [9], (True, 5)):
        errors = []
        for mode in (logging_mode(tg, []), contextlib.nullcontext()):
            with pytest.raises(Exception) as raised, mode:
                x[index]
            errors.append((raised.type, str(raised.value)))
        assert errors[0] == errors[1]
    for index in (True, [[0, 1]], [True, False], tg.tensor(1), range(2), [0, slice(None)]):
        with logging_mode(tg, log := []):
            seen = x[index]
        assert log and seen.tolist() == x[index].tolist()


def test_no_operator_passes_a_mode_by():
    """Methods, functions, methods with underscores: whatever gives a tensor is seen."""
    x = tg.ones(2, 2, dtype=tg.int64)
    others = [(), (x,), (1,), (0, 1), (x > 0, x)]
    missed, log = set(), []
    with logging_mode(tg, log):
        for name, member in vars(tg.Tensor).items():
            if name in BESIDE_OPERATORS or not callable(member):
                continue
            for given, args in itertools.product((x.clone(), tg.eye(2)), others):
                log.clear()
                with contextlib.suppress(Exception):
                    result = member.__get__(given)(*args)
                    if isinstance(result, tg.Tensor) and result is not given and not log:
                        missed.add(name)
    assert not missed


# What converts, and what has as many results as the values want.
BESIDE_OPERATORS = {"as_subclass", "__array_wrap__", "new", "unique", "unique_consecutive"}


def test_every_namespace_is_seen():
    log = []
    with logging_mode(tg, log):
        tg.linalg.det(tg.eye(2))
        tg.linalg.cholesky_ex(tg.eye(2))
        tg.special.entr(tg.ones(2))
        tg.nn.functional.avg_pool1d(tg.ones(1, 2), 2)
    names = [str(op) for op in log]
    for name in ("linalg_det.default", "linalg_cholesky_ex.default", "special_entr.default"):
        assert f"aten.{name}" in names
    assert any("avg_pool1d" in name for name in names)


def test_values_and_gradients_are_the_same_in_a_mode():
    x = tg.arange(6.0).reshape(2, 3).requires_grad_()
    w, b = tg.ones(4, 3, requires_grad=True), tg.zeros(4, requires_grad=True)
    for name, program in PROGRAMS.items():
        plain = program(tg, x, w, b)
        with logging_mode(tg, []):
            seen = program(tg, x, w, b)
        for p, s in zip(flat(plain), flat(seen)):
            same = p.reshape(-1).tolist(), s.reshape(-1).tolist()
            assert same[0] == pytest.approx(same[1], nan_ok=True), name
            assert p.requires_grad == s.requires_grad, name
            if p.requires_grad:
                grads = [grad_of(t, x) for t in (p, s)]
                assert (grads[0] is None) == (grads[1] is None), name
                if grads[0] is not None:
                    a, b_ = (g.reshape(-1).tolist() for g in grads)
                    assert a == pytest.approx(b_, nan_ok=True), name


def grad_of(result, x):
    return tg.autograd.grad(result.sum(), x, retain_graph=True, allow_unused=True)[0]


def flat(value):
    if isinstance(value, tg.Tensor):
        return [value]
    return [t for item in value for t in flat(item)]


# ---------------------------------------------------------------------- selective checkpoints


def run_selective(lib, function, inputs, policy, **kwargs):
    """What the function gives, the gradients, and which operators ran in the second run."""
    module, again = checkpoints(lib), []

    def contexts():
        first, second = module.create_selective_checkpoint_contexts(policy, **kwargs)

        class Both:
            def __enter__(self):
                self.log = logging_mode(lib, again)
                self.log.__enter__()
                second.__enter__()

            def __exit__(self, *info):
                second.__exit__(*info)
                self.log.__exit__(*info)

        return first, Both()

    out = module.checkpoint(function, *inputs, use_reentrant=False, context_fn=contexts)
    grads = lib.autograd.grad(out.sum(), inputs)
    return out.tolist(), [g.tolist() for g in grads], again


def layers(lib):
    def function(x, w):
        y = lib.mm(x, w)
        y = lib.sigmoid(y) * y
        y = lib.mm(y, w).exp()
        return y.sum(1) * 2

    return function


def inputs(lib):
    x = lib.arange(4.0, dtype=lib.float64).reshape(2, 2) / 10
    return x.requires_grad_(), (x.detach() + 1).requires_grad_()


@both
def test_a_list_of_operators(lib):
    x, w = inputs(lib)
    want = layers(lib)(x, w)
    grads = [g.tolist() for g in lib.autograd.grad(want.sum(), (x, w))]
    keep = [lib.ops.aten.mm.default, lib.ops.aten.exp.default]
    out, got, again = run_selective(lib, layers(lib), (x, w), keep)
    assert out == want.tolist() and got == grads
    assert "aten.mm.default" not in again and "aten.exp.default" not in again
    assert "aten.sigmoid.default" in again
    _, got, again = run_selective(lib, layers(lib), (x, w), [])
    assert got == grads and again.count("aten.mm.default") == 2


@both
def test_a_policy(lib):
    Policy, seen = checkpoints(lib).CheckpointPolicy, []

    def policy(ctx, op, *args, **kwargs):
        assert ctx.is_recompute is False and isinstance(ctx.op_output, lib.Tensor)
        if op == lib.ops.aten.mm.default:
            assert len(args) == 2
            seen.append(ctx.op_output.shape)
            return Policy.MUST_SAVE if len(seen) == 1 else Policy.PREFER_RECOMPUTE
        return Policy.MUST_RECOMPUTE

    x, w = inputs(lib)
    out, grads, again = run_selective(lib, layers(lib), (x, w), policy)
    want = layers(lib)(x, w)
    assert out == want.tolist() and len(seen) == 2
    assert grads == [g.tolist() for g in lib.autograd.grad(want.sum(), (x, w))]
    assert again.count("aten.mm.default") == 1


@both
@pytest.mark.parametrize("choice", range(8))
def test_every_choice_gives_the_same(lib, choice):
    """Each operator's result is kept or not, in turns."""
    Policy = checkpoints(lib).CheckpointPolicy
    F = lib.nn.functional

    def function(x, w):
        y = F.linear(x, w, x[0])
        y = F.layer_norm(y, (2,)) * lib.softmax(y, 1) + lib.cat([x, w])[:2].std(0)
        y = (y.t().reshape(2, 2) / (x + 1)).transpose(0, 1).max(1)[0] + lib.var_mean(w, 0)[1]
        return lib.where(y > 0.1, y.tanh(), y**3).cumsum(0)

    def policy(ctx, op, *args, **kwargs):
        count[0] += 1
        save = count[0] % 3 == choice if choice < 3 else (choice - 3) & (1 << count[0] % 2)
        return Policy.MUST_SAVE if save else Policy.PREFER_RECOMPUTE

    count = [0]
    x, w = inputs(lib)
    want = function(x, w)
    grads = [g.tolist() for g in lib.autograd.grad(want.sum(), (x, w))]
    out, got, _ = run_selective(lib, function, (x, w), policy)
    assert count[0] > 10 and out == want.tolist()
    for g, expected in zip(got, grads):
        for row, row_expected in zip(g, expected):
            assert row == pytest.approx(row_expected, rel=1e-12)


@both
def test_what_is_refused(lib):
    module = checkpoints(lib)
    create = module.create_selective_checkpoint_contexts
    with pytest.raises(ValueError, match="Expected op in `op_list` to be an OpOverload but got"):
        create([lib.ops.aten.mm])
    with pytest.raises(TypeError, match="must be either a function or a list of ops"):
        create("mm")
    x, w = inputs(lib)
    contexts = functools.partial(create, [lib.ops.aten.mm.default])
    out = module.checkpoint(layers(lib), x, w, use_reentrant=False, context_fn=contexts).sum()
    out.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="Trying to backward an extra time"):
        out.backward()

    def changed(x, w):
        y = lib.mm(x, w)
        kept.append(y)
        return y.sin()

    kept = []
    out = module.checkpoint(changed, x, w, use_reentrant=False, context_fn=contexts)
    with lib.no_grad():
        kept[0].add_(1)
    with pytest.raises(RuntimeError, match="selective activation checkpoint has been mutated"):
        out.sum().backward()

    def other(x, w):
        calls.append(1)
        y = lib.mm(x, w)
        return (y if len(calls) == 1 else y.round()).sin().exp()

    calls = []
    out = module.checkpoint(other, x, w, use_reentrant=False, context_fn=contexts)
    with pytest.raises(RuntimeError, match=r"aten\.round\.default encountered during backward"):
        out.sum().backward()


def test_what_is_kept_is_what_is_asked_for():
    x = tg.ones(200, 200, requires_grad=True)
    size = x.numel() * x.element_size()
    module = checkpoints(tg)
    for keep, count in (([], 0), ([tg.ops.aten.mm.default], 2)):
        contexts = functools.partial(module.create_selective_checkpoint_contexts, keep)
        before = tg.memory_stats()["allocated_bytes"]
        out = module.checkpoint(
            lambda x: x.mm(x).sin().mm(x).exp().sum(), x, use_reentrant=False, context_fn=contexts
        )
        held = tg.memory_stats()["allocated_bytes"] - before
        assert round(held / size) == count
        del out


def test_a_backward_pass_inside_of_the_function_is_refused():
    def function(x, w):
        y = tg.mm(x, w)
        (g,) = tg.autograd.grad(y.sum(), w, create_graph=True)
        return (g * y).exp()

    x, w = inputs(tg)
    contexts = functools.partial(
        checkpoints(tg).create_selective_checkpoint_contexts, [tg.ops.aten.mm.default]
    )
    out = checkpoints(tg).checkpoint(function, x, w, use_reentrant=False, context_fn=contexts)
    with pytest.raises(RuntimeError, match="under selective activation checkpoint"):
        out.sum().backward()
