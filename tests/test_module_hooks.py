"""Hooks of modules, of one module and of all."""

import gc
import random
import warnings

import pytest

import tapegrad as tg
from both import both
from tapegrad import nn


@pytest.fixture(autouse=True)
def no_hooks_are_left(request):
    """What holds for all modules ends with the test, the kind of their backward hooks, too."""
    yield
    lib = getattr(request.node, "callspec", None) and request.node.callspec.params.get("lib")
    forget(lib or tg)


def forget(lib):
    home = lib.nn._module_hooks if lib is tg else lib.nn.modules.module
    for table in (
        home._global_forward_pre_hooks,
        home._global_forward_hooks,
        home._global_backward_pre_hooks,
        home._global_backward_hooks,
    ):
        table.clear()
    home._global_is_full_backward_hook = None


# ---------------------------------------------------------------------- forward hooks


def test_forward_hooks_in_order_and_removed():
    layer, calls = nn.Identity(), []
    layer.register_forward_hook(lambda m, args, out: calls.append("second"))
    layer.register_forward_hook(lambda m, args, out: calls.append("first"), prepend=True)
    pre = layer.register_forward_pre_hook(lambda m, args: calls.append("pre"))
    layer(tg.ones(1))
    assert calls == ["pre", "first", "second"]
    pre.remove()
    pre.remove()
    layer(tg.ones(1))
    assert calls[3:] == ["first", "second"]


def test_forward_hooks_replace_arguments_and_results():
    class Add(nn.Module):
        def forward(self, a, b=0):
            return a + b

    add = Add()
    with add.register_forward_pre_hook(lambda m, args: 10):
        assert add(1, b=2) == 12
    with add.register_forward_pre_hook(lambda m, a, k: (a, {"b": 5}), with_kwargs=True):
        assert add(1, b=2) == 6
    with (
        add.register_forward_pre_hook(lambda m, a, k: 5, with_kwargs=True),
        pytest.raises(RuntimeError, match="forward pre-hook must return None or a tuple"),
    ):
        add(1)
    with add.register_forward_hook(lambda m, a, k, out: (out, k["b"]), with_kwargs=True):
        assert add(1, b=2) == (3, 2)
    assert add(1, b=2) == 3


def test_forward_hooks_that_are_always_called():
    class Broken(nn.Module):
        def forward(self, x):
            raise ValueError("broken")

    module, calls = Broken(), []
    module.register_forward_hook(lambda m, a, out: calls.append(out), always_call=True)
    module.register_forward_hook(lambda m, a, out: calls.append("never"))
    with pytest.raises(ValueError, match="broken"):
        module(1)
    assert calls == [None]
    module.register_forward_hook(lambda m, a, out: 1 / 0, always_call=True)
    with pytest.raises(ValueError), pytest.warns(UserWarning, match="silenced as another error"):
        module(1)


# ---------------------------------------------------------------------- backward hooks


def test_full_backward_hook_sees_and_replaces_gradients():
    layer, seen = nn.Linear(2, 1, bias=False), []
    nn.init.constant_(layer.weight, 3.0)

    def hook(module, grad_input, grad_output):
        seen.append((module, grad_input[0].tolist(), grad_output[0].tolist()))
        return (grad_input[0] * 10,)

    x = tg.ones(1, 2, requires_grad=True)
    with layer.register_full_backward_hook(hook):
        layer(x).sum().backward()
    assert seen == [(layer, [[3.0, 3.0]], [[1.0]])]
    assert x.grad.tolist() == [[30.0, 30.0]]
    assert layer.weight.grad.tolist() == [[1.0, 1.0]]
    x.grad = None
    layer(x).sum().backward()
    assert len(seen) == 1 and x.grad.tolist() == [[3.0, 3.0]]


def test_full_backward_pre_hook_replaces_the_gradient_of_the_output():
    layer, order = nn.Tanh(), []
    layer.register_full_backward_pre_hook(lambda m, go: (go[0] * 2,))
    layer.register_full_backward_hook(lambda m, gi, go: order.append(go[0].item()))
    x = tg.tensor(0.0, requires_grad=True)
    layer(x).backward()
    assert x.grad.item() == 2.0 and order == [2.0]


def test_full_backward_hook_with_several_inputs_and_outputs():
    class Two(nn.Module):
        def forward(self, a, scale, b):
            return a * scale, "text", b * 3

    module, seen = Two(), []
    module.register_full_backward_hook(lambda m, gi, go: seen.append((gi, go)))
    a, b = tg.tensor(1.0, requires_grad=True), tg.tensor(1.0)
    first, text, _ = module(a, 2.0, b)
    assert text == "text"
    first.backward()
    ((grad_input, grad_output),) = seen
    assert grad_input[0].item() == 2.0 and grad_input[1] is None and grad_input[2].item() == 0.0
    assert grad_output[0].item() == 1.0 and grad_output[1] is None and grad_output[2] is None


def test_full_backward_hook_without_input_gradients():
    layer, seen = nn.Linear(1, 1), []
    layer.register_full_backward_hook(lambda m, gi, go: seen.append((gi, go[0].tolist())))
    with pytest.warns(UserWarning, match="Full backward hook is firing"):
        layer(tg.ones(1, 1)).sum().backward()
    assert seen == [((None,), [[1.0]])] and layer.weight.grad is not None


def test_full_backward_hook_with_a_wrong_number_of_gradients():
    layer = nn.Tanh()
    layer.register_full_backward_hook(lambda m, gi, go: (gi[0], gi[0]))
    with pytest.raises(RuntimeError, match="got 2, but expected 1"):
        layer(tg.tensor(0.0, requires_grad=True)).backward()


def test_full_backward_hook_under_create_graph():
    layer = nn.Tanh()
    layer.register_full_backward_hook(lambda m, gi, go: (gi[0] * 2,))
    x = tg.tensor(0.5, requires_grad=True)
    (grad,) = tg.autograd.grad(layer(x), x, create_graph=True)
    (second,) = tg.autograd.grad(grad, x)
    t = tg.tanh(tg.tensor(0.5)).item()
    assert grad.item() == pytest.approx(2 * (1 - t * t), rel=1e-5)
    assert second.item() == pytest.approx(2 * -2 * t * (1 - t * t), rel=1e-5)


# ---------------------------------------------------------------------- of all modules


def kinds(lib):
    return {
        name: getattr(lib.nn.modules.module, f"register_module_{name}")
        for name in (
            "forward_pre_hook",
            "forward_hook",
            "full_backward_pre_hook",
            "full_backward_hook",
            "backward_hook",
            "parameter_registration_hook",
            "buffer_registration_hook",
            "module_registration_hook",
        )
    }


@both
def test_hooks_of_all_modules_run_first(lib):
    register, calls = kinds(lib), []
    net = lib.nn.Sequential(lib.nn.Tanh())

    def note(text):
        return lambda module, *rest: calls.append((type(module).__name__, text, len(rest)))

    net[0].register_forward_pre_hook(note("pre"))
    net[0].register_forward_hook(note("after"), prepend=True)
    net[0].register_full_backward_pre_hook(note("back pre"), prepend=True)
    net[0].register_full_backward_hook(note("back"), prepend=True)
    handles = [
        register["forward_pre_hook"](note("PRE")),
        register["forward_hook"](note("AFTER"), with_kwargs=True),
        register["full_backward_pre_hook"](note("BACK PRE")),
        register["full_backward_hook"](note("BACK")),
    ]
    x = lib.tensor(0.5, requires_grad=True)
    net(x).backward()
    outer, inner = "Sequential", "Tanh"
    assert calls == [
        (outer, "PRE", 1),
        (inner, "PRE", 1),
        (inner, "pre", 1),
        (inner, "AFTER", 3),
        (inner, "after", 2),
        (outer, "AFTER", 3),
        (outer, "BACK PRE", 1),
        (inner, "BACK PRE", 1),
        (inner, "back pre", 1),
        (inner, "BACK", 2),
        (inner, "back", 2),
        (outer, "BACK", 2),
    ]
    for handle in handles:
        handle.remove()
    calls.clear()
    net(x).backward()
    assert [text for _, text, _ in calls] == ["pre", "after", "back pre", "back"]


@both
def test_hooks_of_all_modules_replace_values(lib):
    register, layer = kinds(lib), lib.nn.Identity()
    with register["forward_pre_hook"](lambda m, args: args[0] + 1):
        assert layer(1) == 2
    with register["forward_hook"](lambda m, args, out: (args, out)):
        assert layer(1) == ((1,), 1)
    x = lib.tensor(1.0, requires_grad=True)
    with (
        register["full_backward_pre_hook"](lambda m, go: (go[0] * 2,)),
        register["full_backward_hook"](lambda m, gi, go: (gi[0] + go[0] * 10,)),
    ):
        y = layer(x)
    y.backward()
    assert x.grad.item() == 22.0
    assert layer(1) == 1


@both
def test_registration_hooks(lib):
    nn, register, calls = lib.nn, kinds(lib), []

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(lib.ones(1))
            self.register_parameter("none", None)
            self.register_buffer("count", lib.ones(2))
            self.register_buffer("later", None)
            self.later = lib.ones(3)
            self.act = nn.Tanh()
            self.act = None
            self.add_module("last", nn.Identity())

    def note(module, name, value):
        calls.append((type(module).__name__, name, type(value).__name__))

    which = ("parameter", "buffer", "module")
    handles = [register[f"{kind}_registration_hook"](note) for kind in which]
    Net()
    assert calls == [
        ("Net", "weight", "Parameter"),
        ("Net", "count", "Tensor"),
        ("Net", "later", "NoneType"),
        ("Net", "later", "Tensor"),
        ("Net", "act", "Tanh"),
        ("Net", "act", "NoneType"),
        ("Net", "last", "Identity"),
    ]
    for handle in handles:
        handle.remove()
    with (
        register["parameter_registration_hook"](lambda m, n, p: nn.Parameter(p.detach() * 2)),
        register["buffer_registration_hook"](lambda m, n, b: None if b is None else b * 3),
        register["module_registration_hook"](lambda m, n, child: nn.ReLU()),
    ):
        net = Net()
    assert net.weight.item() == 2 and net.count.tolist() == [3.0] * 2
    assert type(net.act) is type(net.last) is nn.ReLU


@both
def test_register_buffer_of_a_subclass_without_persistent(lib):
    class Old(lib.nn.Module):
        def register_buffer(self, name, tensor):
            super().register_buffer(name, tensor)

    module = Old()
    module.a = lib.nn.Buffer(lib.ones(1))
    module.a = lib.zeros(1)
    assert list(module.state_dict()) == ["a"]
    with pytest.raises(RuntimeError, match="without the persistent argument is not allowed"):
        module.b = lib.nn.Buffer(lib.ones(1), persistent=False)


# ---------------------------------------------------------------------- at the node of the result


@both
def test_backward_hook_at_the_node(lib):
    layer, seen = lib.nn.Tanh(), []
    handle = layer.register_backward_hook(lambda m, gi, go: seen.append((m, gi, go)))
    x = lib.tensor(0.0, requires_grad=True) * 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        y = layer(x)
    y.backward()
    ((module, grad_input, grad_output),) = seen
    assert module is layer and grad_input[0].item() == grad_output[0].item() == 1
    handle.remove()
    layer(x)
    with pytest.raises(RuntimeError, match="Cannot use both regular backward hooks and full"):
        layer.register_full_backward_hook(print)
    other = lib.nn.Tanh()
    other.register_full_backward_hook(print)
    with pytest.raises(RuntimeError, match=r"on a single Module\. Please use only one of them"):
        other.register_backward_hook(print)


@both
def test_one_kind_of_backward_hooks_for_all_modules(lib):
    register = kinds(lib)
    with register["backward_hook"](lambda m, gi, go: (gi[0] * 2,)):
        with pytest.raises(RuntimeError, match=r"as a global Module hook\. Please use only one"):
            register["full_backward_hook"](print)
        x, layer = lib.tensor(0.0, requires_grad=True), lib.nn.Tanh()
        y = layer(x * 1)
    y.backward()
    assert x.grad.item() == 2
    forget(lib)
    register["full_backward_hook"](print).remove()
    with pytest.raises(RuntimeError, match=r"as a global Module hook\. Please use only one"):
        register["backward_hook"](print)


@both
def test_hooks_at_the_node_that_miss_gradients(lib):
    class Apply(lib.nn.Module):
        def forward(self, function, *args):
            return function(*args)

    x = lib.tensor(0.5, requires_grad=True) * 1
    prefix = "Using (a )?non-full backward hooks? "
    cases = {
        "when the forward contains multiple autograd Nodes": lambda x: x.sin().cos(),
        "when outputs are generated by different autograd Nodes": lambda x: (x.sin(), x.cos()),
        "on a Module that does not return a single": lambda x: [x.sin()],
    }
    for text, function in cases.items():
        module = Apply()
        with module.register_forward_pre_hook(lambda m, args: args[1:]):
            module.forward = function
            module.register_backward_hook(print)
            with pytest.warns(FutureWarning, match=prefix + text):
                module(None, x)
    module.forward = lambda x, text: x.sin()
    with pytest.warns(FutureWarning, match=prefix + "on a Module that does not take as input"):
        module(x, "text")
    module.forward = lambda x, y: {"a": 1, "b": x.sin()}
    with pytest.warns(FutureWarning, match=prefix + "on a Module that does not return"):
        module(x, x)


def test_hook_at_the_node_of_a_module_without_tensors():
    module = nn.Identity()
    module.register_backward_hook(print)
    with pytest.raises(TypeError, match="got a str"):
        module("text")


@both
def test_hook_of_a_module_that_is_gone(lib):
    module = lib.nn.Tanh()
    module.register_backward_hook(lambda m, gi, go: None)
    x = lib.tensor(0.5, requires_grad=True)
    y = module(x * 1)
    del module
    gc.collect()
    with pytest.raises(RuntimeError, match="call the hook of a dead Module"):
        y.backward()


@both
def test_named_tuples_keep_their_type(lib):
    from collections import namedtuple

    Pair = namedtuple("Pair", "a b")

    class Two(lib.nn.Module):
        def forward(self, x):
            return Pair(x * 2, "text")

    module = Two()
    module.register_full_backward_hook(lambda m, gi, go: None)
    pair = module(lib.tensor(1.0, requires_grad=True))
    assert type(pair) is Pair and pair.b == "text" and pair.a.requires_grad


# ---------------------------------------------------------------------- removal during a call


@both
def test_a_hook_that_removes_the_next_one(lib):
    layer, calls = lib.nn.Identity(), []
    layer.register_forward_hook(lambda m, args, out: later.remove())
    later = layer.register_forward_hook(lambda m, args, out: calls.append(1))
    layer(1)
    layer(1)
    assert calls == [1]


@both
def test_always_called_hooks_in_their_order(lib):
    class Broken(lib.nn.Module):
        def forward(self, x):
            raise ValueError("broken")

    register, module, calls = kinds(lib), Broken(), []
    module.register_forward_hook(lambda m, a, out: calls.append(2), always_call=True)
    module.register_forward_hook(lambda m, a, out: calls.append(1), prepend=True, always_call=True)
    with (
        register["forward_hook"](lambda m, a, out: calls.append(0), always_call=True),
        register["forward_hook"](lambda m, a, out: 1 / 0, always_call=True),
        pytest.raises(ValueError),
        pytest.warns(UserWarning, match="global module forward hook with ``always_call=True``"),
    ):
        module(1)
    assert calls == [0, 1, 2]


def test_always_called_hooks_of_all_modules_get_keywords():
    class Broken(nn.Module):
        def forward(self, x, y):
            raise ValueError("broken")

    calls, register = [], kinds(tg)["forward_hook"]
    with (
        register(lambda *all: calls.append(all[1:]), with_kwargs=True, always_call=True),
        pytest.raises(ValueError),
    ):
        Broken()(1, y=2)
    assert calls == [((1,), {"y": 2}, None)]


# ---------------------------------------------------------------------- random programs


class Program:
    """A few modules in one another, hooks of all kinds, and what happens when they are called."""

    def __init__(self, lib, seed):
        self.lib, self.random, self.log, self.handles = lib, random.Random(seed), [], []
        self.with_kwargs = set()
        self.full = self.random.random() < 0.6
        program = self

        class Layer(lib.nn.Module):
            def __init__(self, index, *children):
                super().__init__()
                self.index = index
                self.children_in_order = lib.nn.ModuleList(children)

            def forward(self, x, y=None, *, scale=1.0):
                program.log.append(("forward", self.index))
                if program.fails == self.index:
                    raise ValueError(f"layer {self.index}")
                out = x.sin() * scale if y is None else x * y
                for child in self.children_in_order:
                    out = child(out, scale=scale) if self.index % 2 else child(out, out * 2)
                return (out, x * 2)[0] if self.index % 3 else out.cos()

        self.layers = [Layer(0)]
        for index in range(1, 4):
            self.layers.append(Layer(index, self.layers[-1]))

    def values(self, given):
        if isinstance(given, self.lib.Tensor):
            return round(given.detach().item(), 6)
        if isinstance(given, (tuple, list)):
            return [self.values(value) for value in given]
        if isinstance(given, dict):
            return {key: self.values(value) for key, value in given.items()}
        return getattr(given, "index", given) if isinstance(given, self.lib.nn.Module) else given

    def hook(self, kind, may_remove):
        number, action = (
            len(self.handles),
            self.random.choice(["", "", "", "", "new", "fail", "remove"]),
        )

        def run(module, *rest):
            if not hasattr(module, "index"):
                return None
            self.log.append((kind, number, module.index, self.values(rest)))
            if action == "fail":
                raise RuntimeError(f"hook {number}")
            if action == "remove" and may_remove and number // 2 not in self.with_kwargs:
                self.handles[number // 2].remove()
            if action != "new":
                return None
            if "backward" in kind:
                return tuple(None if g is None else g * 2 for g in rest[0])
            if "pre" in kind:
                args = tuple(a * 2 for a in rest[0])
                return (args, {**rest[1], "scale": 0.5}) if len(rest) == 2 else args
            return rest[-1] if rest[-1] is None else rest[-1] * 2

        return run

    def register(self):
        kind = self.random.choice(
            ["forward_pre_hook", "forward_hook", "full_backward_pre_hook", "backward"]
        )
        if kind == "backward":
            kind = "full_backward_hook" if self.full else "backward_hook"
        choices = {
            name: self.random.random() < 0.4 for name in ("prepend", "with_kwargs", "always_call")
        }
        target, everywhere = self.random.choice(self.layers), self.random.random() < 0.3
        takes = {
            "forward_pre_hook": () if everywhere else ("prepend", "with_kwargs"),
            "forward_hook": ("with_kwargs", "always_call") + (() if everywhere else ("prepend",)),
            "backward_hook": (),
        }.get(kind, () if everywhere else ("prepend",))
        flags = {name: choices[name] for name in takes}
        if everywhere and flags.get("always_call"):
            flags["with_kwargs"] = False  # PyTorch leaves the keywords out after an error
        home = self.lib.nn.modules.module if everywhere else target
        name = f"register_module_{kind}" if everywhere else f"register_{kind}"
        # Of a hook that is removed during a call PyTorch forgets that it takes keywords, and
        # after an error it walks over the hooks themselves, not over a copy.
        if flags.get("with_kwargs"):
            self.with_kwargs.add(len(self.handles))
        hook = self.hook(kind, may_remove=not flags.get("always_call"))
        self.handles.append(getattr(home, name)(hook, **flags))

    def run(self):
        for _ in range(self.random.randrange(1, 9)):
            self.register()
        for _ in range(3):
            self.fails = self.random.choice([None, None, 0, 2])
            x = self.lib.tensor(0.3, dtype=self.lib.float64, requires_grad=True)
            given = x if self.random.random() < 0.8 else x.detach()
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                try:
                    out = self.layers[-1](given * 1, scale=2.0)
                    out.backward()
                    self.log.append(("grad", self.values(x.grad)))
                except (RuntimeError, ValueError, TypeError) as error:
                    self.log.append((type(error).__name__, str(error)))
            self.log.append([str(w.message)[:90] for w in caught])
            if self.random.random() < 0.5:
                self.random.choice(self.handles).remove()
        forget(self.lib)
        return self.log


def test_random_programs_as_in_pytorch():
    torch = pytest.importorskip("torch")
    for seed in range(400):
        assert Program(tg, seed).run() == Program(torch, seed).run(), seed
