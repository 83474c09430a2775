"""nn.Module: registration, walking the tree, state, conversion and printing."""

import copy
import gc
import pickle
import random
import re
import weakref
from collections import OrderedDict

import pytest

import tapegrad as tg
from both import both
from tapegrad import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(2, 3)
        self.act = nn.ReLU()
        self.last = nn.Linear(3, 1, bias=False)
        self.register_buffer("count", tg.zeros(1))
        self.register_buffer("cache", tg.ones(2), persistent=False)
        self.scale = nn.Parameter(tg.ones(1))

    def forward(self, x):
        return self.last(self.act(self.first(x))) * self.scale


# ---------------------------------------------------------------------- registration


def test_attributes_are_registered_in_order_of_definition():
    net = Net()
    names = [name for name, _ in net.named_parameters()]
    assert names == ["scale", "first.weight", "first.bias", "last.weight"]
    assert [name for name, _ in net.named_buffers()] == ["count", "cache"]
    assert [name for name, _ in net.named_children()] == ["first", "act", "last"]
    assert [name for name, _ in net.named_modules()] == ["", "first", "act", "last"]
    assert len(list(net.parameters(recurse=False))) == 1
    assert net.last.bias is None
    assert net.scale is net._parameters["scale"]


def test_parameter_is_a_leaf_and_prints_as_one():
    p = nn.Parameter(tg.tensor([1.0, 2.0]))
    assert p.requires_grad and p.is_leaf and isinstance(p, tg.Tensor)
    assert repr(p) == "Parameter containing:\ntensor([1., 2.], requires_grad=True)"
    assert not nn.Parameter(tg.zeros(1), requires_grad=False).requires_grad
    assert type(p * 2) is tg.Tensor
    data = tg.zeros(2)
    nn.Parameter(data).detach()[0] = 5.0
    assert data[0].item() == 5.0  # the memory is shared
    with pytest.raises(RuntimeError, match="Only Tensors of floating point"):
        nn.Parameter(tg.tensor([1, 2]))


def test_shared_parameters_and_modules_are_listed_once():
    layer = nn.Linear(2, 2)
    net = nn.Sequential(layer, layer)
    assert len(list(net.parameters())) == 2
    assert len(list(net.children())) == 1
    assert len(list(net.named_parameters(remove_duplicate=False))) == 4
    assert list(net.state_dict()) == ["0.weight", "0.bias", "1.weight", "1.bias"]


def test_setting_changes_the_kind_of_an_attribute():
    net = nn.Module()
    net.x = 3
    net.x = nn.Parameter(tg.ones(1))
    assert [name for name, _ in net.named_parameters()] == ["x"]
    net.x = None
    assert net.x is None and list(net.parameters()) == []
    net.x = nn.Parameter(tg.zeros(1))
    del net.x
    assert not hasattr(net, "x") and list(net.parameters()) == []
    net.x = nn.Tanh()
    assert list(net.children()) == [net.x]
    net.x = None
    assert net.x is None
    net.b = nn.Buffer(tg.ones(1), persistent=False)
    net.b = tg.zeros(2)
    assert net._buffers["b"] is net.b and list(net.state_dict()) == []


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        (lambda m: setattr(m, "weight", 3), TypeError, "cannot assign 'int' as parameter 'weight'"),
        (
            lambda m: setattr(m, "weight", tg.ones(1)),
            TypeError,
            "cannot assign 'tapegrad.FloatTensor' as parameter 'weight' "
            "(tapegrad.nn.Parameter or None expected)",
        ),
        (lambda m: setattr(m, "sub", 3), TypeError, "cannot assign 'int' as child module 'sub'"),
        (lambda m: setattr(m, "buf", 3), TypeError, "cannot assign 'int' as buffer 'buf'"),
        (lambda m: m.register_parameter("a.b", None), KeyError, "parameter name can't contain"),
        (lambda m: m.register_parameter("", None), KeyError, "parameter name can't be empty"),
        (lambda m: m.register_parameter(3, None), TypeError, "parameter name should be a string"),
        (lambda m: m.register_parameter("train", None), KeyError, "attribute 'train' already exi"),
        (lambda m: m.register_buffer("x", 3), TypeError, "cannot assign 'int' object to buffer"),
        (lambda m: m.add_module("x", 3), TypeError, "int is not a Module subclass"),
        (lambda m: m.add_module("x.y", nn.ReLU()), KeyError, "module name can't contain"),
        (lambda m: m.nothing, AttributeError, "'Linear' object has no attribute 'nothing'"),
        (lambda m: delattr(m, "nothing"), AttributeError, "nothing"),
        (lambda m: nn.Module()(1), NotImplementedError, "Module [Module] is missing the required"),
        (lambda m: m.train("yes"), ValueError, "training mode is expected to be boolean"),
        (lambda m: m.get_submodule("x"), AttributeError, "Linear has no attribute `x`"),
        (lambda m: m.get_submodule("weight"), AttributeError, "`weight` is not an nn.Module"),
        (lambda m: m.get_parameter("sub"), AttributeError, "`sub` is not an nn.Parameter"),
        (lambda m: m.get_buffer("weight"), AttributeError, "`weight` is not a buffer"),
        (lambda m: m.to(tg.int64), TypeError, "nn.Module.to only accepts floating point"),
    ],
)
def test_mistakes(change, kind, message):
    layer = nn.Linear(1, 1)
    layer.sub = nn.ReLU()
    layer.register_buffer("buf", tg.zeros(1))
    with pytest.raises(kind) as caught:
        change(layer)
    assert message in str(caught.value.args[0])


def test_non_leaf_parameter_is_refused():
    p = nn.Parameter(tg.ones(1))
    with pytest.raises(TypeError):
        nn.Module().register_parameter("x", p * 2)


def test_assignment_before_init_is_refused():
    class Hasty(nn.Module):
        def __init__(self, value):
            self.value = value

    with pytest.raises(AttributeError, match=r"cannot assign parameters before Module\.__init__"):
        Hasty(nn.Parameter(tg.ones(1)))
    with pytest.raises(AttributeError, match=r"cannot assign module before Module\.__init__"):
        Hasty(nn.ReLU())


def test_direct_writes_to_the_registries_are_seen():
    net = nn.Sequential(nn.Linear(1, 1))
    net._modules["0"] = nn.Tanh()
    assert isinstance(net[0], nn.Tanh) and isinstance(getattr(net, "0"), nn.Tanh)
    layer = nn.Linear(1, 1)
    fast = layer.weight * 2
    layer._parameters["weight"] = fast
    assert layer.weight is fast
    clone = copy.copy(layer)
    clone._parameters = dict(layer._parameters)
    clone._parameters["weight"] = layer.bias
    assert layer.weight is fast and clone.weight is layer.bias


def test_a_plain_tensor_can_take_the_place_of_a_deleted_parameter():
    layer = nn.Linear(1, 1, bias=False)
    source = tg.tensor([[2.0]], requires_grad=True)
    del layer.weight
    layer.weight = source * 3
    layer(tg.ones(1)).sum().backward()
    assert source.grad.item() == 3.0


def test_a_module_is_freed_without_the_garbage_collector():
    gc.disable()
    try:
        net = Net()
        reference = weakref.ref(net)
        net(tg.zeros(1, 2)).sum().backward()
        del net
        assert reference() is None
    finally:
        gc.enable()


def test_deepcopy_is_independent():
    net = Net()
    net.first.weight.grad = tg.ones(3, 2)
    twin = copy.deepcopy(net)
    assert twin.first.weight is twin.first._parameters["weight"]
    assert twin.first.weight is not net.first.weight
    assert isinstance(twin.first.weight, nn.Parameter) and twin.first.weight.is_leaf
    with tg.no_grad():
        twin.first.weight.fill_(7.0)
    assert not bool((net.first.weight == 7.0).any())
    twin.first.weight = nn.Parameter(tg.zeros(3, 2))
    assert not bool((net.first.weight == 0.0).all())
    tied = nn.Linear(2, 2)
    pair = copy.deepcopy(nn.Sequential(tied, tied))
    assert pair[0] is pair[1]


# ---------------------------------------------------------------------- modes and conversion


def test_train_eval_apply_requires_grad_and_zero_grad():
    net = Net()
    assert net.training and not net.eval().first.training and net.train().last.training
    seen = []
    assert net.apply(lambda m: seen.append(type(m).__name__)) is net
    assert seen == ["Linear", "ReLU", "Linear", "Net"]
    net(tg.ones(2, 2)).sum().backward()
    net.zero_grad(set_to_none=False)
    assert all(p.grad is not None and not bool(p.grad.any()) for p in net.parameters())
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())
    assert not any(p.requires_grad for p in net.requires_grad_(False).parameters())


def test_conversion_keeps_identity_and_converts_gradients():
    net = Net()
    net(tg.ones(1, 2)).sum().backward()
    weight = net.first.weight
    assert net.double() is net and net.first.weight is weight
    assert weight.dtype == tg.float64 and weight.grad.dtype == tg.float64
    assert net.count.dtype == tg.float64 and net.count is net._buffers["count"]
    assert net.to(tg.float32).scale.dtype == tg.float32
    assert net.to("cpu", tg.float64).scale.dtype == tg.float64
    assert net.to(tg.zeros(1)).float().cpu().scale.dtype == tg.float32


# ---------------------------------------------------------------------- state


def test_state_dict_and_loading():
    net = Net()
    state = net.state_dict()
    assert isinstance(state, OrderedDict)
    assert list(state) == ["scale", "count", "first.weight", "first.bias", "last.weight"]
    assert not state["scale"].requires_grad
    assert net.state_dict(keep_vars=True)["scale"] is net.scale
    other = Net()
    result = other.load_state_dict(state)
    assert repr(result) == "<All keys matched successfully>"
    assert result.missing_keys == [] and result.unexpected_keys == []
    assert tg.equal(other.first.weight, net.first.weight)
    assert other.first.weight.requires_grad
    with tg.no_grad():
        other.first.weight.zero_()
    assert bool(net.first.weight.any())  # values were copied


def test_loading_reports_everything_and_changes_nothing():
    layer = nn.Linear(2, 1)
    before = layer.weight.detach().clone()
    state = {"weight": tg.zeros(1, 2), "bias": tg.zeros(3), "more": tg.zeros(1)}
    with pytest.raises(RuntimeError) as caught:
        layer.load_state_dict(state)
    assert str(caught.value) == (
        "Error(s) in loading state_dict for Linear:\n"
        '\tUnexpected key(s) in state_dict: "more". \n'
        "\tsize mismatch for bias: copying a param with shape tapegrad.Size([3]) from checkpoint, "
        "the shape in current model is tapegrad.Size([1])."
    ).replace("tapegrad.Size", type(tg.zeros(1).shape).__module__ + ".Size")
    assert tg.equal(layer.weight, before)
    with pytest.raises(RuntimeError, match=re.escape('Missing key(s) in state_dict: "bias". ')):
        layer.load_state_dict({"weight": tg.zeros(1, 2)})
    with pytest.raises(RuntimeError, match="from checkpoint but received <class 'int'>"):
        layer.load_state_dict({"weight": 3, "bias": tg.zeros(1)})
    with pytest.raises(TypeError, match="Expected state_dict to be dict-like"):
        layer.load_state_dict(3)


def test_loading_not_strictly_and_by_assignment():
    layer = nn.Linear(2, 1)
    result = layer.load_state_dict({"weight": tg.ones(1, 2), "x": 1}, strict=False)
    assert result.missing_keys == ["bias"] and result.unexpected_keys == ["x"]
    assert layer.weight.tolist() == [[1.0, 1.0]]
    values = tg.zeros(1, 2, dtype=tg.float64)
    layer.load_state_dict({"weight": values}, strict=False, assign=True)
    assert layer.weight.dtype == tg.float64 and isinstance(layer.weight, nn.Parameter)
    assert layer.weight.requires_grad


def test_extra_state():
    class Counter(nn.Module):
        n = 0

        def get_extra_state(self):
            return {"n": self.n}

        def set_extra_state(self, state):
            self.n = state["n"]

    a, b = nn.Sequential(Counter()), nn.Sequential(Counter())
    a[0].n = 5
    assert list(a.state_dict()) == ["0._extra_state"]
    b.load_state_dict(a.state_dict())
    assert b[0].n == 5


def test_lookup_by_dotted_name():
    net = nn.Sequential(Net())
    assert net.get_submodule("0.first") is net[0].first
    assert net.get_submodule("") is net
    assert net.get_parameter("0.first.weight") is net[0].first.weight
    assert net.get_buffer("0.count") is net[0].count
    net.set_submodule("0.act", nn.Tanh())
    assert isinstance(net[0].act, nn.Tanh)


# ---------------------------------------------------------------------- printing


def test_repr():
    class Outer(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(OrderedDict(a=nn.Linear(1, 2), b=nn.ReLU(inplace=True)))
            self.nothing = nn.Identity()

        def extra_repr(self):
            return "width=2"

    assert repr(Outer()) == (
        "Outer(\n"
        "  width=2\n"
        "  (body): Sequential(\n"
        "    (a): Linear(in_features=1, out_features=2, bias=True)\n"
        "    (b): ReLU(inplace=True)\n"
        "  )\n"
        "  (nothing): Identity()\n"
        ")"
    )


# ---------------------------------------------------------------------- attributes, as in PyTorch

NAMES = ("a", "b", "c", "training", "forward", "weight")
KINDS = {
    "parameter": lambda lib: lib.nn.Parameter(lib.zeros(1)),
    "buffer": lambda lib: lib.nn.Buffer(lib.zeros(1), persistent=False),
    "tensor": lambda lib: lib.zeros(1),
    "module": lambda lib: lib.nn.Tanh(),
    "none": lambda lib: None,
    "number": lambda lib: 3,
    "result": lambda lib: lib.ones(1, requires_grad=True) * 2,
}
TABLES = ("_parameters", "_buffers", "_modules")


def kind_of(lib, value):
    if isinstance(value, lib.nn.Parameter):
        return "parameter"
    if isinstance(value, lib.Tensor):
        return "tensor"
    if isinstance(value, lib.nn.Module):
        return "module"
    return "callable" if callable(value) else repr(value)


def replaced(module, table, entries):
    module.__dict__[table] = entries
    return module


# Each takes the library, a module, a name, a table and a value; a module that it returns takes the
# other's place.
ATTRIBUTE_STEPS = {
    "assign": lambda lib, m, name, table, value: setattr(m, name, value),
    "delete": lambda lib, m, name, table, value: delattr(m, name),
    "register_parameter": lambda lib, m, name, table, value: m.register_parameter(name, value),
    "register_buffer": lambda lib, m, name, table, value: m.register_buffer(name, value, False),
    "add_module": lambda lib, m, name, table, value: m.add_module(name, value),
    "enter": lambda lib, m, name, table, value: m.__dict__[table].__setitem__(name, value),
    "leave": lambda lib, m, name, table, value: m.__dict__[table].pop(name),
    "clear": lambda lib, m, name, table, value: getattr(m, table).clear(),
    "replace": lambda lib, m, name, table, value: replaced(m, table, {name: value}),
    "replace_copy": lambda lib, m, name, table, value: replaced(
        m, table, OrderedDict(vars(m)[table])
    ),
    "assign_table": lambda lib, m, name, table, value: setattr(m, table, {name: value}),
    "past_setattr": lambda lib, m, name, table, value: object.__setattr__(m, table, {"b": value}),
    "plain": lambda lib, m, name, table, value: object.__setattr__(m, name, value),
    "into_dict": lambda lib, m, name, table, value: m.__dict__.__setitem__(name, value),
    "out_of_dict": lambda lib, m, name, table, value: m.__dict__.pop(name),
    "copy": lambda lib, m, name, table, value: copy.copy(m),
    "deepcopy": lambda lib, m, name, table, value: copy.deepcopy(m),
    "pickle": lambda lib, m, name, table, value: pickle.loads(pickle.dumps(m)),
    "dict_copy": lambda lib, m, name, table, value: dict_copy(m),
}


def dict_copy(module):
    twin = type(module).__new__(type(module))
    twin.__dict__ = module.__dict__.copy()
    twin._parameters = dict(twin._parameters)
    return twin


def look(lib, m):
    """All that can be seen of a module."""
    seen = {"vars": list(vars(m)), "unsaved": sorted(m._non_persistent_buffers_set)}
    for table in TABLES:
        seen[table] = [(name, kind_of(lib, value)) for name, value in vars(m)[table].items()]
    for name in NAMES:
        seen[name] = kind_of(lib, getattr(m, name, "missing"))
    seen["dir"] = [name in dir(m) for name in NAMES]
    for method in ("named_parameters", "named_buffers", "named_children"):
        seen[method] = [name for name, _ in getattr(m, method)()]
    seen["state_dict"] = list(m.state_dict())
    return seen


@pytest.mark.parametrize("seed", range(40))
def test_attributes_are_those_of_torch(seed):
    torch = pytest.importorskip("torch")
    rng = random.Random(seed)
    modules = {lib: lib.nn.Linear(1, 1, bias=False) for lib in (tg, torch)}
    done = []
    for _ in range(30):
        step = rng.choice(list(ATTRIBUTE_STEPS))
        name, table = rng.choice(NAMES), rng.choice(TABLES)
        kind = rng.choice(list(KINDS))
        done.append((step, name, table, kind))
        outcomes = []
        for lib, module in modules.items():
            try:
                changed = ATTRIBUTE_STEPS[step](lib, module, name, table, KINDS[kind](lib))
            except Exception as error:
                message = str(error).replace("torch", "tapegrad").split(".  ")[0].rstrip(".")
                outcomes.append((type(error).__name__, message))
            else:
                outcomes.append("done")
                if isinstance(changed, lib.nn.Module):
                    modules[lib] = changed
            try:
                outcomes[-1] = (outcomes[-1], look(lib, modules[lib]))
            except Exception as error:  # what the step left is no sound module any more
                outcomes[-1] = (outcomes[-1], type(error).__name__)
        assert outcomes[0] == outcomes[1], done


@both
def test_subclasses_may_have_a_getattr_of_their_own(lib):
    class Wrapper(lib.nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def __getattr__(self, name):
            try:
                return super().__getattr__(name)
            except AttributeError:
                return getattr(self.inner, name)

    class Above(Wrapper):
        pass

    wrapper = Above(lib.nn.Linear(2, 3))
    assert wrapper.weight is wrapper.inner.weight and wrapper.out_features == 3
    with pytest.raises(AttributeError, match="'Linear' object has no attribute 'nothing'"):
        wrapper.nothing
    # A method that comes and goes later.
    kind = type("Late", (lib.nn.Linear,), {})
    late = kind(2, 3)
    above = lib.nn.Module.__getattr__
    kind.__getattr__ = lambda self, name: 42 if name == "answer" else above(self, name)
    assert late.answer == 42 and late.weight is late._parameters["weight"]
    del kind.__getattr__
    assert late.weight is late._parameters["weight"] and not hasattr(late, "answer")


@both
def test_other_bases_keep_their_hooks_for_subclasses(lib):
    class Counted:
        subclasses = ()

        def __init_subclass__(cls, tag=None, **kwargs):
            super().__init_subclass__(**kwargs)
            Counted.subclasses += (tag,)

    class Net(lib.nn.Module, Counted, tag="net"):
        pass

    class Mapping(lib.nn.Module, dict):
        def forward(self, x):
            return x + 1

    assert Counted.subclasses == ("net",)
    mapping = Mapping()
    mapping.weight = lib.nn.Parameter(lib.ones(1))
    mapping["k"] = 1
    assert mapping.weight.item() == 1 and mapping(1) == 2 and mapping["k"] == 1
    with pytest.raises(TypeError):
        type("Refused", (lib.nn.Module,), {}, option=1)


@both
def test_properties_and_class_attributes_come_first(lib):
    class Net(lib.nn.Module):
        scale = 1

        @property
        def weight(self):
            return "from the property"

        @property
        def broken(self):
            raise AttributeError("inside the property")

        @property
        def worse(self):
            raise ValueError("inside")

    net = Net()
    for name in ("scale", "weight", "broken"):
        net._parameters[name] = lib.nn.Parameter(lib.ones(1))
    assert net.scale == 1 and net.weight == "from the property" and net.broken.item() == 1
    with pytest.raises(ValueError, match="inside"):
        net.worse


@both
def test_calls(lib):
    class Net(lib.nn.Module):
        def forward(self, *args, **kwargs):
            return args, kwargs

    class Static(lib.nn.Module):
        @staticmethod
        def forward(x, y=2):
            return x, y

    class Counting(Net):
        def __call__(self, *args, **kwargs):
            return "counted", super().__call__(*args, **kwargs)

    net = Net()
    many = tuple(range(20))
    assert net() == ((), {}) and net(1, k=2) == ((1,), {"k": 2}) and net(*many) == (many, {})
    assert Static()(1) == (1, 2) and Static()(1, y=3) == (1, 3)
    assert Counting()(5) == ("counted", ((5,), {}))
    assert net.__call__(3) == ((3,), {}) and lib.nn.Module.__call__(net, 3) == ((3,), {})
    net.forward = lambda x: x + 1
    assert net(1) == 2
    del net.forward
    net._forward_hooks[1] = lambda m, args, out: "hooked"
    assert net(1) == "hooked"
    net._forward_hooks.clear()
    assert net(1) == ((1,), {})
    with pytest.raises(NotImplementedError, match='missing the required "forward" function'):
        lib.nn.Module()(1)

    class Unready(lib.nn.Module):
        def __init__(self):
            pass

        def forward(self):
            return 1

    with pytest.raises(AttributeError, match="'Unready' object has no attribute '_backward_hooks'"):
        Unready()()
    with pytest.raises(TypeError):
        Static()()


# ---------------------------------------------------------------------- hooks of state dicts


def two_layers(lib):
    return lib.nn.Sequential(lib.nn.Linear(1, 2), lib.nn.Sequential(lib.nn.Linear(2, 1)))


@both
def test_hooks_of_state_dicts(lib):
    seen = []
    net = two_layers(lib)
    for name, module in net.named_modules():
        module.register_state_dict_pre_hook(
            lambda m, prefix, keep, name=name: seen.append(("before", name, prefix, keep))
        )
        module.register_state_dict_post_hook(
            lambda m, state, prefix, meta, name=name: seen.append(
                ("after", name, prefix, len(state), meta)
            )
        )
    net.state_dict(keep_vars=True)
    version = {"version": 1}
    assert seen == [
        ("before", "", "", True),
        ("before", "0", "0.", True),
        ("after", "0", "0.", 2, version),
        ("before", "1", "1.", True),
        ("before", "1.0", "1.0.", True),
        ("after", "1.0", "1.0.", 4, version),
        ("after", "1", "1.", 4, version),
        ("after", "", "", 4, version),
    ]
    net = two_layers(lib)
    handle = net[0].register_state_dict_post_hook(lambda m, state, prefix, meta: state)
    with pytest.raises(RuntimeError, match="state_dict post-hook must return None"):
        net.state_dict()
    handle.remove()
    net._register_state_dict_hook(lambda m, state, prefix, meta: dict.fromkeys(state, prefix))
    assert net.state_dict(prefix="p.") == dict.fromkeys(
        ["p.0.weight", "p.0.bias", "p.1.0.weight", "p.1.0.bias"], "p."
    )
    assert list(net[1].state_dict()._metadata) == ["", "0"]


@both
def test_hooks_of_loading(lib):
    net, source = two_layers(lib), two_layers(lib)
    seen = []

    def rename(module, state, prefix, metadata, strict, missing, unexpected, errors):
        seen.append((prefix, metadata, strict))
        state[prefix + "weight"] = state.pop(prefix + "old")

    def after(module, keys):
        seen.append((type(module).__name__, keys.missing_keys, module is net))

    handle = net[1][0].register_load_state_dict_pre_hook(rename)
    net.register_load_state_dict_post_hook(after)
    net[1].register_load_state_dict_post_hook(after)
    state = source.state_dict()
    state["1.0.old"] = state.pop("1.0.weight")
    keys = list(state)
    assert str(net.load_state_dict(state)) == "<All keys matched successfully>"
    assert list(state) == keys  # the hooks had a copy
    assert net[1][0].weight.tolist() == source[1][0].weight.tolist()
    assert seen == [("1.0.", {"version": 1}, True), ("Sequential", [], False),
                    ("Sequential", [], True)]  # fmt: skip
    handle.remove()

    # A hook may forgive, and may complain.
    def forgive(module, keys):
        keys.missing_keys.clear()
        keys.unexpected_keys.clear()

    forgiving = net.register_load_state_dict_post_hook(forgive)
    assert net.load_state_dict(state).missing_keys == []
    forgiving.remove()
    with pytest.raises(RuntimeError) as caught:
        net.load_state_dict(state)
    assert str(caught.value) == (
        "Error(s) in loading state_dict for Sequential:\n"
        '\tMissing key(s) in state_dict: "1.0.weight". \n'
        '\tUnexpected key(s) in state_dict: "1.0.old". '
    )
    net.register_load_state_dict_post_hook(lambda m, keys: keys)
    with pytest.raises(AssertionError, match="are not expected to return new values"):
        net.load_state_dict(source.state_dict())
    other = two_layers(lib)
    other.register_load_state_dict_pre_hook(lambda *args: args[-1].append("refused"))
    with pytest.raises(RuntimeError, match="refused"):
        other.load_state_dict(source.state_dict())


@both
def test_hooks_of_loading_go_along_with_a_copy(lib):
    calls = []
    net = lib.nn.Linear(1, 1)
    net.register_load_state_dict_pre_hook(lambda module, *rest: calls.append(module))
    twin = copy.deepcopy(net)
    twin.load_state_dict(net.state_dict())
    assert len(calls) == 1 and calls[0] is twin


@both
def test_several_errors_of_loading(lib):
    net = lib.nn.Linear(2, 1)
    with pytest.raises(RuntimeError) as caught:
        net.load_state_dict({"weight": lib.ones(3, 1), "more": lib.ones(1)})
    assert str(caught.value).replace(lib.__name__, "lib") == (
        "Error(s) in loading state_dict for Linear:\n"
        '\tMissing key(s) in state_dict: "bias". \n'
        '\tUnexpected key(s) in state_dict: "more". \n'
        "\tsize mismatch for weight: copying a param with shape lib.Size([3, 1]) from checkpoint, "
        "the shape in current model is lib.Size([1, 2])."
    )
