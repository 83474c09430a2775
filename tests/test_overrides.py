"""``__torch_function__``: subclasses of Tensor, and objects that only look like tensors."""

from __future__ import annotations

import copy
import importlib
import inspect
import operator
import os
import pickle
import subprocess
import sys
import threading
import weakref

import pytest

import tapegrad as tg
from both import both


def overrides(lib):
    return importlib.import_module(f"{lib.__name__}.overrides")


def subclass(lib):
    class Sub(lib.Tensor):
        pass

    return Sub


def logging_class(lib, log):
    """A subclass that notes the name of each function."""
    names = overrides(lib)

    class Logging(lib.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            log.append(str(names.resolve_name(func)).replace(f"{lib.__name__}.", ""))
            return super().__torch_function__(func, types, args, kwargs)

    return Logging


# ---------------------------------------------------------------------- subclasses


# What is done with a tensor x of float32, (2, 3), and what the result is.
KEEP = {
    "x + 1": lambda lib, x: x + 1, "1 + x": lambda lib, x: 1 + x, "1 - x": lambda lib, x: 1 - x,
    "x / 2": lambda lib, x: x / 2, "2 / x": lambda lib, x: 2 / x, "x // 2": lambda lib, x: x // 2,
    "7 // x": lambda lib, x: 7 // (x + 1), "x % 2": lambda lib, x: x % 2,
    "7 % x": lambda lib, x: 7 % (x + 1), "x ** 2": lambda lib, x: x**2,
    "2 ** x": lambda lib, x: 2**x, "x @ y": lambda lib, x: x @ lib.ones(3, 2),
    "y @ x": lambda lib, x: lib.ones(3, 2) @ x, "-x": lambda lib, x: -x, "+x": lambda lib, x: +x,
    "abs": lambda lib, x: abs(x), "x > 1": lambda lib, x: x > 1, "x == 1": lambda lib, x: x == 1,
    "~": lambda lib, x: ~(x > 1), "&": lambda lib, x: (x > 1) & (x < 3),
    "plain + x": lambda lib, x: lib.ones(2, 3) + x, "x + plain": lambda lib, x: x + lib.ones(2, 3),
    "x[0]": lambda lib, x: x[0], "x[mask]": lambda lib, x: x[lib.ones(2, 3) > 0],
    "plain[x]": lambda lib, x: lib.ones(9)[x.long()], "exp": lambda lib, x: x.exp(),
    "lib.exp": lambda lib, x: lib.exp(x), "sum": lambda lib, x: x.sum(),
    "T": lambda lib, x: x.T, "mT": lambda lib, x: x.mT, "data": lambda lib, x: x.data,
    "real": lambda lib, x: x.real, "to": lambda lib, x: x.to(lib.float64),
    "long": lambda lib, x: x.long(), "clone": lambda lib, x: x.clone(),
    "detach": lambda lib, x: x.detach(), "view": lambda lib, x: x.view(6),
    "cat": lambda lib, x: lib.cat([lib.ones(2, 3), x]), "stack": lambda lib, x: lib.stack((x, x)),
    "where": lambda lib, x: lib.where(x > 0, x, 0.0),
    "einsum": lambda lib, x: lib.einsum("ij->i", x),
    "matmul": lambda lib, x: lib.matmul(x, lib.ones(3)), "relu": lambda lib, x: lib.relu(x),
    "F.relu": lambda lib, x: lib.nn.functional.relu(x),
    "F.linear": lambda lib, x: lib.nn.functional.linear(x, lib.ones(4, 3)),
    "F.huber_loss": lambda lib, x: lib.nn.functional.huber_loss(x, lib.ones(2, 3)),
    "F.softmax": lambda lib, x: lib.nn.functional.softmax(x, 1),
    "F.pad": lambda lib, x: lib.nn.functional.pad(x, (1, 1)),
    "a layer": lambda lib, x: lib.nn.Linear(3, 2)(x), "iter": lambda lib, x: next(iter(x)),
    "split": lambda lib, x: x.split(1)[1], "max": lambda lib, x: x.max(1).values,
    "topk": lambda lib, x: lib.topk(x, 2)[0], "det": lambda lib, x: lib.linalg.det(x[:, :2]),
    "special": lambda lib, x: lib.special.expit(x), "zeros_like": lambda lib, x: lib.zeros_like(x),
    "new_zeros": lambda lib, x: x.new_zeros(2), "deepcopy": lambda lib, x: copy.deepcopy(x),
    "copy": lambda lib, x: copy.copy(x), "pickle": lambda lib, x: pickle.loads(pickle.dumps(x)),
    "+=": lambda lib, x: operator.iadd(x, 1),
    "*= plain": lambda lib, x: operator.imul(x, lib.ones(3)),
    "add_": lambda lib, x: x.add_(1), "requires_grad_": lambda lib, x: x.requires_grad_(),
    "reversed": lambda lib, x: reversed(x), "type_as": lambda lib, x: x.type_as(lib.ones(1)),
    "diff": lambda lib, x: x.diff(), "H": lambda lib, x: x.H,
}  # fmt: skip
PLAIN = {
    "shape": lambda lib, x: x.shape, "size": lambda lib, x: x.size(1), "len": lambda lib, x: len(x),
    "dim": lambda lib, x: x.dim(), "dtype": lambda lib, x: x.dtype.is_floating_point,
    "device": lambda lib, x: x.device.type, "item": lambda lib, x: x.sum().item(),
    "float": lambda lib, x: float(x[0, 0]), "int": lambda lib, x: int(x[0, 0]),
    "bool": lambda lib, x: bool(x[0, 1]), "tolist": lambda lib, x: x.tolist(),
    "numpy": lambda lib, x: x.numpy().tolist(), "in": lambda lib, x: 1.0 in x,
    "equal": lambda lib, x: lib.equal(x, x), "grad": lambda lib, x: x.grad,
    "is_leaf": lambda lib, x: x.is_leaf, "repr": lambda lib, x: "Sub" in repr(x),
    "index": lambda lib, x: [4, 5][x[0, 1].long()],
}  # fmt: skip


@both
@pytest.mark.parametrize("name", KEEP)
def test_results_are_of_the_subclass(lib, name):
    if name == "deepcopy" and lib is not tg:
        pytest.skip("PyTorch asks for new_empty() of one's own")
    Sub = subclass(lib)
    x = lib.arange(6.0).reshape(2, 3)
    if name == "pickle":  # finds classes by their names
        Sub.__module__, Sub.__qualname__ = __name__, "Pickled"
        globals()["Pickled"] = Sub
    got = KEEP[name](lib, x.clone().as_subclass(Sub))
    assert type(got) is Sub, name
    want = KEEP[name](lib, x.clone())
    if name not in ("a layer",):
        assert got.tolist() == want.tolist() and got.dtype == want.dtype


@both
@pytest.mark.parametrize("name", PLAIN)
def test_numbers_and_sizes_are_what_they_are(lib, name):
    x = lib.arange(6.0).reshape(2, 3)
    assert PLAIN[name](lib, x.as_subclass(subclass(lib))) == (
        True if name == "repr" else PLAIN[name](lib, x)
    )


@both
def test_gradients_flow_through_subclasses(lib):
    Sub = subclass(lib)
    x = lib.arange(3.0).requires_grad_()
    y = (x.as_subclass(Sub) * 2).exp()
    assert type(y) is Sub and y.requires_grad and not y.is_leaf
    y.sum().backward()
    assert x.grad.tolist() == pytest.approx(
        [2 * lib.tensor(2 * i).exp().item() for i in (0.0, 1.0, 2.0)]
    )
    leaf = Sub([1.0, 2.0]).requires_grad_()
    (leaf**2).sum().backward()
    assert type(leaf.grad) is lib.Tensor and leaf.grad.tolist() == [2, 4]
    assert leaf.grad is leaf.grad
    (g,) = lib.autograd.grad((leaf * leaf).sum(), leaf, create_graph=True)
    assert g.tolist() == [2, 4]


@both
def test_as_subclass_is_a_view(lib):
    Sub = subclass(lib)
    x, w = lib.zeros(3), lib.ones(3, requires_grad=True)
    y = x.as_subclass(Sub)
    assert type(y) is Sub and type(x) is lib.Tensor
    y.mul_(w).add_(2 * w)  # what is written into a view is in its base
    assert x.tolist() == [2, 2, 2] and x.requires_grad
    assert lib.autograd.grad(x.sum(), w)[0].tolist() == [2, 2, 2]
    a = lib.ones(3, requires_grad=True)
    saved = lib.ones(3)
    out = a * saved
    saved.as_subclass(Sub)[0] = 5
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        out.sum().backward()


@both
def test_parameters_are_no_subclass(lib):
    p = lib.nn.Parameter(lib.ones(3))
    subclass(lib)([1.0])
    for result in (p + 1, p.exp(), p[0], p.T, p.data, lib.nn.functional.relu(p), p.detach()):
        assert type(result) is lib.Tensor
    assert not overrides(lib).has_torch_function((p, lib.ones(1)))


@both
def test_unrelated_subclasses_refuse(lib):
    a, b = subclass(lib)([1.0]), subclass(lib)([1.0])
    with pytest.raises(TypeError, match=r"unsupported operand type\(s\) for \+"):
        a + b
    with pytest.raises(TypeError, match="all __torch_function__ handlers returned NotImplemented"):
        a.add(b)

    class Derived(type(a)):
        pass

    assert type(a + Derived([1.0])) is type(Derived([1.0]) + a) is Derived


CALLS = {
    "x + 1": lambda lib, x: x + 1, "1 + x": lambda lib, x: 1 + x, "1 - x": lambda lib, x: 1 - x,
    "2 / x": lambda lib, x: 2 / x, "x // 2": lambda lib, x: x // 2, "7 // x": lambda lib, x: 7 // x,
    "x % 2": lambda lib, x: x % 2, "7 % x": lambda lib, x: 7 % x, "x ** 2": lambda lib, x: x**2,
    "2 ** x": lambda lib, x: 2**x, "x @ x": lambda lib, x: x @ x, "-x": lambda lib, x: -x,
    "+x": lambda lib, x: +x, "abs(x)": lambda lib, x: abs(x), "x < 1": lambda lib, x: x < 1,
    "x <= 1": lambda lib, x: x <= 1, "x == 1": lambda lib, x: x == 1,
    "x != 1": lambda lib, x: x != 1, "x >= 1": lambda lib, x: x >= 1,
    "~": lambda lib, x: ~x.long(), "&": lambda lib, x: x.long() & 1,
    "1 & x": lambda lib, x: 1 & x.long(), "|": lambda lib, x: x.long() | 1,
    "1 | x": lambda lib, x: 1 | x.long(), "^": lambda lib, x: x.long() ^ 1,
    "1 ^ x": lambda lib, x: 1 ^ x.long(), "<<": lambda lib, x: x.long() << 1,
    "1 << x": lambda lib, x: 1 << x.long(), ">>": lambda lib, x: x.long() >> 1,
    "1 >> x": lambda lib, x: 1 >> x.long(), "+=": lambda lib, x: operator.iadd(x, 1),
    "-=": lambda lib, x: operator.isub(x, 1), "*=": lambda lib, x: operator.imul(x, 1),
    "/=": lambda lib, x: operator.itruediv(x, 1), "//=": lambda lib, x: operator.ifloordiv(x, 1),
    "%=": lambda lib, x: operator.imod(x, 1), "**=": lambda lib, x: operator.ipow(x, 1),
    "&=": lambda lib, x: operator.iand(x.long(), 1), "|=": lambda lib, x: operator.ior(x.long(), 1),
    "^=": lambda lib, x: operator.ixor(x.long(), 1),
    "<<=": lambda lib, x: operator.ilshift(x.long(), 1),
    ">>=": lambda lib, x: operator.irshift(x.long(), 1),
    "__add__": lambda lib, x: x.__add__(1), "__radd__": lambda lib, x: x.__radd__(1),
    "__rsub__": lambda lib, x: x.__rsub__(1), "__getitem__": lambda lib, x: x.__getitem__(0),
    "__setitem__": lambda lib, x: x.__setitem__(0, 1.0), "__len__": lambda lib, x: x.__len__(),
    "x[0]": lambda lib, x: x[0], "len": lambda lib, x: len(x), "bool": lambda lib, x: bool(x[0]),
    "float": lambda lib, x: float(x[0]), "int": lambda lib, x: int(x[0]),
    "index": lambda lib, x: operator.index(x[0].long()), "item": lambda lib, x: x[0].item(),
    "tolist": lambda lib, x: x.tolist(), "in": lambda lib, x: 1 in x,
    "reversed": lambda lib, x: reversed(x), "repr": lambda lib, x: repr(x),
    "shape": lambda lib, x: x.shape, "dtype": lambda lib, x: x.dtype,
    "device": lambda lib, x: x.device, "grad": lambda lib, x: x.grad, "T": lambda lib, x: x.T,
    "grad_fn": lambda lib, x: x.grad_fn, "is_leaf": lambda lib, x: x.is_leaf,
    "requires_grad": lambda lib, x: x.requires_grad, "ndim": lambda lib, x: x.ndim,
    "data": lambda lib, x: x.data, "real": lambda lib, x: x.real, "layout": lambda lib, x: x.layout,
    "set grad": lambda lib, x: setattr(x, "grad", None),
    "set requires_grad": lambda lib, x: setattr(x, "requires_grad", False),
    "set data": lambda lib, x: setattr(x, "data", lib.ones(2)), "hash": lambda lib, x: hash(x),
    "exp": lambda lib, x: x.exp(), "lib.exp": lambda lib, x: lib.exp(x),
    "sum": lambda lib, x: x.sum(), "where": lambda lib, x: x.where(x > 0, x),
    "size": lambda lib, x: x.size(),
    "dim": lambda lib, x: x.dim(), "numpy": lambda lib, x: x.numpy(),
    "to": lambda lib, x: x.to("cpu"),
    "clone": lambda lib, x: x.clone(), "cat": lambda lib, x: lib.cat([x, x]),
    "relu": lambda lib, x: lib.nn.functional.relu(x),
    "linear": lambda lib, x: lib.nn.functional.linear(x, lib.ones(3, 2)),
    "layer": lambda lib, x: lib.nn.Linear(2, 1)(x), "softmax": lambda lib, x: x.softmax(0),
    "F.softmax": lambda lib, x: lib.nn.functional.softmax(x, 0),
    "huber": lambda lib, x: lib.nn.functional.huber_loss(x, x),
    "mse": lambda lib, x: lib.nn.functional.mse_loss(x, lib.ones(2)),
    "dropout": lambda lib, x: lib.nn.functional.dropout(x),
    "uniform_": lambda lib, x: lib.nn.init.uniform_(x),
    "norm": lambda lib, x: lib.linalg.norm(x), "entr": lambda lib, x: lib.special.entr(x),
    "split": lambda lib, x: x.split(1), "unbind": lambda lib, x: lib.unbind(x),
    "allclose": lambda lib, x: lib.allclose(x, x),
    "backward": lambda lib, x: x.requires_grad_().sum().backward(),
    "retain": lambda lib, x: (x.requires_grad_() * 1).retain_grad(),
    "register_hook": lambda lib, x: x.requires_grad_().register_hook(print),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_functions_are_seen_as_pytorch_names_them(name):
    torch = pytest.importorskip("torch")
    logs = []
    for lib in (tg, torch):
        log = []
        x = logging_class(lib, log)([1.0, 2.0])
        log.clear()
        CALLS[name](lib, x)
        logs.append([entry.replace("functional.norm", "norm") for entry in log])
    assert logs[0] == logs[1]


@both
def test_a_subclass_may_give_anything(lib):
    class Loud(lib.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            return func.__name__, types, len(args), kwargs or {}

    x = lib.ones(2).as_subclass(Loud)
    assert lib.add(x, 1) == ("add", (Loud,), 2, {})
    assert lib.add(lib.ones(1), other=x) == ("add", (Loud,), 1, {"other": x})
    assert lib.nn.functional.relu(x)[0] == "relu"
    assert lib.cat([lib.ones(1), x])[0] == "cat"
    assert x.exp()[0] == "exp" and x.shape[0] == "__get__"
    assert lib.Tensor.__torch_function__(lib.add, (), (1 * lib.ones(1), 1)).tolist() == [2]


# ---------------------------------------------------------------------- objects like tensors


def foreign(lib):
    class Foreign:
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            return func, types, args, kwargs or {}

    return Foreign


FOREIGN = {
    "add": lambda lib, x: (lib.add(x, 1), lib.add),
    "second": lambda lib, x: (lib.add(lib.ones(1), x), lib.add),
    "cat": lambda lib, x: (lib.cat([lib.ones(1), x]), lib.cat),
    "stack": lambda lib, x: (lib.stack((x, x)), lib.stack),
    "out": lambda lib, x: (lib.exp(lib.ones(1), out=x), lib.exp),
    "method": lambda lib, x: (lib.ones(1).add(x), lib.Tensor.add),
    "+": lambda lib, x: (lib.ones(1) + x, lib.Tensor.add),
    "reflected": lambda lib, x: (x + lib.ones(1), lib.Tensor.add),
    "-": lambda lib, x: (x - lib.ones(1), lib.Tensor.__rsub__),
    "==": lambda lib, x: (lib.ones(1) == x, lib.Tensor.__eq__),
    "@": lambda lib, x: (lib.ones(1) @ x, lib.Tensor.matmul),
    "**": lambda lib, x: (lib.ones(1) ** x, lib.Tensor.__pow__),
    "+=": lambda lib, x: (operator.iadd(lib.ones(1), x), lib.Tensor.add_),
    "mean": lambda lib, x: (lib.mean(x), lib.mean),
    "relu": lambda lib, x: (lib.nn.functional.relu(x), lib.nn.functional.relu),
    "huber": lambda lib, x: (
        lib.nn.functional.huber_loss(x, lib.ones(1)), lib.nn.functional.huber_loss),
    "dropout": lambda lib, x: (lib.nn.functional.dropout(x), lib.nn.functional.dropout),
    "interpolate": lambda lib, x: (
        lib.nn.functional.interpolate(x, 2), lib.nn.functional.interpolate),
    "cross_entropy": lambda lib, x: (
        lib.nn.functional.cross_entropy(lib.ones(1, 2), x), lib.nn.functional.cross_entropy),
    "linear": lambda lib, x: (lib.nn.functional.linear(x, lib.ones(1)), lib.nn.functional.linear),
    "layer": lambda lib, x: (lib.nn.Linear(1, 1)(x), lib.nn.functional.linear),
    "activation": lambda lib, x: (lib.nn.ReLU()(x), lib.nn.functional.relu),
    "norm": lambda lib, x: (lib.linalg.det(x), lib.linalg.det),
    "special": lambda lib, x: (lib.special.entr(x), lib.special.entr),
    "einsum": lambda lib, x: (lib.einsum("i->", x), lib.einsum),
    "zeros_like": lambda lib, x: (lib.zeros_like(x), lib.zeros_like),
}  # fmt: skip


@both
@pytest.mark.parametrize("name", FOREIGN)
def test_objects_like_tensors_are_asked(lib, name):
    (func, types, _, _), want = FOREIGN[name](lib, foreign(lib)())
    assert func in (want, lib.Tensor.eq) and "Foreign" in [kind.__name__ for kind in types]


# Each function of nn.functional in a process that has met no such object before.
PROGRAM = """
import inspect, os, sys, warnings
import tapegrad as tg
from tapegrad import _torch_function
F = tg.nn.functional
warnings.simplefilter("ignore")
_torch_function._by_code(), _torch_function._layer_functions()  # once for all

class Foreign:
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        return "asked", func

def result(function):
    parameters = inspect.signature(function).parameters.values()
    needed = [p for p in parameters if p.default is p.empty and p.kind is not p.VAR_KEYWORD]
    return function(*[Foreign() if "Tensor" in str(p.annotation) else 1 for p in needed])

failed = []
for name in sorted(set(F.__all__)):
    function = getattr(F, name)
    if not inspect.isfunction(function):
        continue
    child = os.fork()
    if child == 0:
        try:
            os._exit(result(function) != ("asked", function))
        except BaseException:
            os._exit(1)
    if os.waitpid(child, 0)[1]:
        failed.append(name)
sys.exit(", ".join(failed) or 0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_the_first_object_of_its_kind_is_asked_by_every_function():
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


@both
def test_refusals_are_type_errors(lib):
    class Refusing:
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            return NotImplemented

    x = Refusing()
    text = "Multiple dispatch failed for '.*add'; all __torch_function__ handlers returned"
    with pytest.raises(TypeError, match=text):
        lib.add(lib.ones(1), x)
    with pytest.raises(TypeError, match=r"unsupported operand type\(s\) for \+: 'Tensor' and"):
        lib.ones(1) + x
    assert (lib.ones(1) == x) is False
    with pytest.raises(TypeError, match="unsupported operand"):
        y = lib.ones(1)
        y += x

    class Failing:
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            raise KeyError("failed")

    with pytest.raises(KeyError, match="failed"):
        lib.ones(1) + Failing()
    with pytest.raises(KeyError, match="failed"):
        lib.cat([Failing()])


@both
def test_plain_methods_warn(lib):
    class Old:
        def __torch_function__(self, func, types, args=(), kwargs=None):
            return 5

    with pytest.warns(UserWarning, match="as a plain method is deprecated"):
        assert lib.exp(Old()) == 5


@both
def test_subclasses_come_first(lib):
    order = []

    class Base:
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            order.append((cls.__name__, [kind.__name__ for kind in types]))
            return NotImplemented

    class Derived(Base):
        pass

    class Other(Base):
        pass

    with pytest.raises(TypeError):
        lib.stack([Base(), Other(), Derived(), Base()])
    kinds = ["Other", "Derived", "Base"]
    assert order == [(kind, kinds) for kind in kinds]


@both
def test_disabled(lib):
    class Off(lib.Tensor):
        __torch_function__ = lib._C._disabled_torch_function_impl

    class On(lib.Tensor):
        pass

    assert type(Off([1.0]) + 1) is lib.Tensor
    with lib._C.DisableTorchFunctionSubclass():
        assert type(On([1.0]) + 1) is lib.Tensor and type(On([1.0]).exp()) is lib.Tensor
    assert type(On([1.0]) + 1) is On
    log = []
    with modes(lib, log)("a"):
        with lib._C.DisableTorchFunctionSubclass():
            lib.ones(1).exp()
        with lib._C.DisableTorchFunction():
            lib.ones(1).sin()
    assert "exp" in " ".join(log) and "sin" not in " ".join(log)


# ---------------------------------------------------------------------- modes


def modes(lib, log):
    resolve = overrides(lib).resolve_name

    class Named(overrides(lib).TorchFunctionMode):
        def __init__(self, name):
            super().__init__()
            self.name = name

        def __torch_function__(self, func, types, args=(), kwargs=None):
            log.append(f"{self.name} {resolve(func)}".replace(f"{lib.__name__}.", ""))
            return func(*args, **(kwargs or {}))

    return Named


@pytest.mark.parametrize("name", CALLS)
def test_modes_see_what_pytorch_has_them_see(name):
    torch = pytest.importorskip("torch")
    logs = []
    for lib in (tg, torch):
        log = []
        x = lib.tensor([1.0, 2.0])
        if name in ("layer", "linear"):
            x, layer = lib.ones(1, 2), lib.nn.Linear(2, 1)
            with modes(lib, log)("mode"):
                layer(x)
        else:
            with modes(lib, log)("mode"):
                CALLS[name](lib, x)
        logs.append(log)
    assert logs[0] == logs[1]


@both
def test_modes_are_asked_from_the_inside(lib):
    log = []
    Named = modes(lib, log)
    x = lib.ones(2)
    with Named("outer"), Named("inner"):
        x.exp()
        lib.nn.functional.relu(x)
    calls = ["Tensor.exp"] * 2 + ["nn.functional.relu"] * 2
    assert log == [f"{who} {call}" for who, call in zip(["inner", "outer"] * 2, calls)]
    x.exp()
    assert len(log) == 4


@both
def test_modes_come_before_subclasses(lib):
    log = []
    x = logging_class(lib, log)([1.0])
    log.clear()
    with modes(lib, log)("mode"):
        result = x + 1
    assert log == ["mode Tensor.add", "Tensor.add"] and type(result) is type(x)


def test_a_mode_may_refuse():
    class Refusing(overrides(tg).TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            return NotImplemented

    with pytest.raises(TypeError, match="returned NotImplemented"), Refusing():
        tg.ones(1)


@both
def test_errors_leave_the_mode(lib):
    class Failing(overrides(lib).TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            raise KeyError("failed")

    with pytest.raises(KeyError, match="failed"), Failing():
        lib.ones(1)
    assert lib.ones(1).tolist() == [1]


def test_a_mode_is_of_its_thread():
    log, seen = [], []

    def work():
        for _ in range(50):
            seen.append((tg.nn.functional.relu(tg.ones(2)) + 1).shape)

    thread = threading.Thread(target=work)
    with modes(tg, log)("mode"):
        thread.start()
        tg.ones(2).exp()
        thread.join()
    assert log == ["mode ones", "mode Tensor.exp"] and len(seen) == 50


def test_functions_are_themselves_again():
    relu = tg.nn.functional.relu
    before = relu.__code__, inspect.signature(relu)
    with modes(tg, [])("mode"):
        assert inspect.signature(relu) == before[1]
        assert relu(tg.tensor([-1.0]), inplace=True).tolist() == [0]
    assert inspect.signature(relu) == before[1]


# ---------------------------------------------------------------------- tapegrad.overrides


@both
def test_helpers(lib):
    o = overrides(lib)
    x, p, Sub = lib.ones(1), lib.nn.Parameter(lib.ones(1)), subclass(lib)
    t, f = Sub([1.0]), foreign(lib)()
    assert o.has_torch_function((x, t)) and o.has_torch_function_unary(f)
    assert o.has_torch_function_variadic(1, None, f) and not o.has_torch_function((x, p, 1, "a"))
    assert [o.is_tensor_like(v) for v in (x, p, t, f, 1, None, [x])] == [True] * 4 + [False] * 3
    assert o.is_tensor_method_or_property(lib.Tensor.add)
    assert o.is_tensor_method_or_property(lib.Tensor.shape.__get__)
    assert not o.is_tensor_method_or_property(lib.add)
    for name in (
        *("add", "Tensor.add", "Tensor.grad.__get__", "Tensor.__rsub__", "nn.functional.relu"),
        *("nn.functional.linear", "linalg.det", "special.entr"),
    ):
        function = operator.attrgetter(name)(lib)
        assert o.resolve_name(function) == f"{lib.__name__}.{name}"
    assert o.resolve_name(print) is None
    assert lib.Tensor.grad.__get__ in o.get_default_nowrap_functions()
    functions = o.get_overridable_functions()
    assert lib.add in functions[lib] and lib.Tensor.add in functions[lib.Tensor]
    assert lib.nn.functional.relu in functions[lib.nn.functional]

    @o.wrap_torch_function(lambda a, b=0: (a,))
    def function(a, b=0):
        return a + b

    assert function(2, b=1) == 3
    got, types, args, kwargs = function(f, b=1)
    assert got is function and types == (type(f),) and args == (f,) and kwargs == {"b": 1}
    with o.BaseTorchFunctionMode():
        assert lib.ones(1).tolist() == [1]
        assert o.has_torch_function((x,))


@both
def test_handle_torch_function(lib):
    o = overrides(lib)

    def function(x, y=None):
        return o.handle_torch_function(function, (x, y), x, y=y)

    f = foreign(lib)()
    assert function(f) == (function, (type(f),), (f,), {"y": None})
    assert function(1, f)[3] == {"y": f}

    class Refusing:
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            return NotImplemented

    with pytest.raises(TypeError, match=r"no implementation found for '.*function' on types that"):
        function(Refusing())


@pytest.mark.filterwarnings("ignore")
def test_every_overridable_function_asks():
    """Functions, methods and attributes: none passes an object by."""
    o = overrides(tg)
    Foreign = foreign(tg)
    log = []
    Mode = modes(tg, log)
    missed = []
    for place, functions in o.get_overridable_functions().items():
        for function in functions:
            name = o.resolve_name(function)
            x = tg.ones(2, 2)
            if place is tg.Tensor:
                log.clear()
                for args in ((), (x.clone(),), (0,), (0, 1.0), (len,), (x.clone(), len)):
                    with Mode("mode"):
                        call(function, x, *args)
                seen = bool(log)
            else:
                seen = any(
                    call(function, *[Foreign()] * count) is not None for count in range(1, 7)
                )
            if not seen and name not in NEVER_ASKED:
                missed.append(name)
    assert not missed


# They need more arguments than are tried.
NEVER_ASKED = {
    "tapegrad.nn.functional.multi_head_attention_forward",
    "tapegrad.narrow_copy",
    "tapegrad.nonzero_static",
    "tapegrad.Tensor.map2_",
}


def call(function, *args):
    try:
        return function(*args)
    except Exception:
        return None


# ---------------------------------------------------------------------- as PyTorch's notes have it


@both
def test_a_scalar_times_the_identity(lib):
    """An object that is no tensor, with a table of what it can do."""
    table = {}

    def implements(*functions):
        def register(function):
            table.update(dict.fromkeys(functions, function))
            return function

        return register

    class Diagonal:
        def __init__(self, size, value):
            self.size, self.value = size, value

        def tensor(self):
            return self.value * lib.eye(self.size)

        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            if func not in table or not all(issubclass(t, lib.Tensor | Diagonal) for t in types):
                return NotImplemented
            return table[func](*args, **(kwargs or {}))

    def dense(x):
        return x.tensor() if isinstance(x, Diagonal) else x

    @implements(lib.mean)
    def mean(x):
        return x.value / x.size

    @implements(lib.add, lib.Tensor.add)
    def add(x, other, out=None):
        if isinstance(x, Diagonal) and isinstance(other, Diagonal):
            return Diagonal(x.size, x.value + other.value)
        return lib.add(dense(x), dense(other), out=out)

    @implements(lib.nn.functional.linear)
    def linear(x, weight, bias=None):
        return lib.nn.functional.linear(dense(x), dense(weight), bias)

    @implements(lib.stack)
    def stack(tensors, dim=0):
        return lib.stack([dense(x) for x in tensors], dim)

    d = Diagonal(2, 3.0)
    assert lib.mean(d) == 1.5 and lib.add(d, d).value == 6
    assert lib.add(d, lib.ones(2, 2)).tolist() == [[4, 1], [1, 4]]
    assert (lib.ones(2, 2) + d).tolist() == [[4, 1], [1, 4]]
    assert lib.stack([lib.zeros(2, 2), d])[1].tolist() == [[3, 0], [0, 3]]
    layer = lib.nn.Linear(2, 1, bias=False)
    assert layer(d).reshape(-1).tolist() == pytest.approx((3 * layer.weight).reshape(-1).tolist())
    with pytest.raises(TypeError):
        lib.mul(d, 2)


@both
def test_values_with_their_units(lib):
    """An object that holds a tensor and passes everything on to it."""

    class Quantity:
        def __init__(self, data, unit=None):
            self.data, self.unit = lib.as_tensor(data), unit

        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            units = [a.unit for a in args if isinstance(a, cls)]
            plain = [a.data if isinstance(a, cls) else a for a in args]
            return cls(func(*plain, **(kwargs or {})), units[0])

    x = Quantity([1.0, -2.0], "m")
    for result, values in (
        (lib.add(x, x), [2, -4]),
        (lib.nn.functional.relu(x), [1, 0]),
        (lib.ones(2) + x, [2, -1]),
        (lib.nn.functional.softshrink(x), [0.5, -1.5]),
    ):
        assert result.unit == "m" and result.data.tolist() == values


@both
def test_a_subclass_with_attributes(lib):
    class Named(lib.Tensor):
        @staticmethod
        def __new__(cls, data, name):
            return lib.Tensor._make_subclass(cls, lib.as_tensor(data))

        def __init__(self, data, name):
            self.name_of_it = name

        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            result = super().__torch_function__(func, types, args, kwargs)
            if type(result) is cls and not hasattr(result, "name_of_it"):
                names = [a.name_of_it for a in args if isinstance(a, cls)]
                result.name_of_it = "+".join(names)
            return result

    a, b = Named([1.0], "a"), Named([2.0], "b")
    assert (a * b).name_of_it == "a+b" and lib.add(a, b).tolist() == [3]
    assert a.exp().name_of_it == "a" and type(a) is Named


@both
def test_a_layer_trains_on_a_subclass(lib):
    Sub = subclass(lib)
    lib.manual_seed(0)
    net = lib.nn.Sequential(
        lib.nn.Linear(2, 8), lib.nn.Tanh(), lib.nn.LayerNorm(8), lib.nn.Linear(8, 1)
    )
    x = lib.rand(16, 2).as_subclass(Sub)
    y = x.sum(1, keepdim=True)
    optimizer = lib.optim.Adam(net.parameters(), lr=0.05)
    first = None
    for _ in range(60):
        optimizer.zero_grad()
        loss = lib.nn.functional.mse_loss(net(x), y)
        loss.backward()
        optimizer.step()
        first = first or loss.item()
    assert type(loss) is Sub and loss.item() < first / 20
    assert type(net[0].weight) is lib.nn.Parameter and type(net[0].weight.grad) is lib.Tensor


def test_subclasses_leave_no_cycles():
    x = subclass(tg)([1.0])
    y = x * 2
    alive = weakref.ref(y)
    del y
    assert alive() is None
