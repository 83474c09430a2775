"""nn.Module: conversions, replacing modules, subclasses that save and load by themselves."""

import importlib
from collections import OrderedDict

import pytest

import tapegrad as tg
from both import both
from support import raises


@both
def test_conversions(lib):
    net = lib.nn.Sequential(lib.nn.Linear(2, 3), lib.nn.BatchNorm1d(3))
    weight = net[0].weight
    for name, dtype in (
        ("half", lib.float16),
        ("bfloat16", lib.bfloat16),
        ("double", lib.float64),
        ("float", lib.float32),
    ):
        assert getattr(net, name)() is net
        assert net[0].weight is weight and weight.dtype is net[1].running_mean.dtype is dtype
        assert net[1].num_batches_tracked.dtype is lib.int64
    net(lib.ones(4, 2)).sum().backward()
    assert net.half()[0].weight.grad.dtype is lib.float16
    assert net.type(lib.float64)[1].num_batches_tracked.dtype is lib.float64
    assert net.cpu() is net and net.compile() is None


@both
def test_to_empty(lib):
    net = lib.nn.Sequential(lib.nn.Linear(2, 3), lib.nn.BatchNorm1d(3))
    weight, place = net[0].weight, net[0].weight.data_ptr()
    assert net.to_empty(device="cpu", recurse=False) is net and weight.data_ptr() == place
    net.to_empty(device="cpu")
    assert net[0].weight is weight and weight.data_ptr() != place and weight.requires_grad
    with pytest.raises(TypeError):
        net.to_empty()


@both
def test_cuda_is_refused_where_there_is_something_to_move(lib):
    name = "tapegrad" if lib is tg else "Torch"
    with raises(AssertionError, f"{name} not compiled with CUDA enabled", lib):
        lib.nn.Linear(1, 1).cuda()
    assert isinstance(lib.nn.ReLU().cuda(), lib.nn.ReLU)


@both
def test_arguments_go_on_to_another_base(lib):
    class Named:
        def __init__(self, name):
            self.name = name

    class Both(lib.nn.Module, Named):
        call_super_init = True

        def __init__(self, name):
            super().__init__(name)
            self.layer = lib.nn.Linear(1, 1)

    assert Both("x").name == "x" and len(list(Both("x").parameters())) == 2
    with raises(TypeError, "Named.__init__() takes 1 positional argument but 2 were given"):
        type("Named", (lib.nn.Module,), {})(3)
    assert lib.nn.Module.dump_patches is lib.nn.Module.call_super_init is False
    assert lib.nn.Module.T_destination.__name__ == "T_destination"


@both
def test_set_submodule(lib):
    nn = lib.nn
    net = nn.Sequential(nn.Sequential(nn.Tanh()), nn.Linear(1, 1))
    net.set_submodule("0.0", nn.ReLU(), strict=True)
    net.set_submodule("0.more", nn.Tanh())
    assert isinstance(net[0][0], nn.ReLU) and isinstance(net.get_submodule("0.more"), nn.Tanh)
    with raises(AttributeError, "Sequential has no attribute `other`"):
        net.set_submodule("0.other", nn.ReLU(), strict=True)
    with raises(AttributeError, "`weight` is not an nn.Module"):
        net.set_submodule("1.weight", nn.ReLU())
    with raises(AttributeError, "Sequential has no attribute `5`"):
        net.set_submodule("5.0", nn.ReLU())
    with raises(ValueError, "Cannot set the submodule without a target name!"):
        net.set_submodule("", nn.ReLU())
    with raises(ValueError, "`module` is not an nn.Module, found <class 'int'>"):
        net.set_submodule("0.0", 3)


def renaming(lib):
    """A layer that reads state dicts in which its weight had another name, and saves its age."""

    class Renamed(lib.nn.Linear):
        age = 1

        def _save_to_state_dict(self, destination, prefix, keep_vars):
            super()._save_to_state_dict(destination, prefix, keep_vars)
            destination[prefix + "age"] = lib.tensor(self.age)

        def _load_from_state_dict(self, state_dict, prefix, metadata, *rest):
            if prefix + "old" in state_dict:
                state_dict[prefix + "weight"] = state_dict.pop(prefix + "old")
            self.age = int(state_dict.pop(prefix + "age", 0))
            self.metadata = metadata
            super()._load_from_state_dict(state_dict, prefix, metadata, *rest)
            self.total = self.weight.sum().item()  # what was loaded is seen at once

    return Renamed(1, 2)


@both
def test_subclasses_that_save_and_load_by_themselves(lib):
    net = lib.nn.Sequential(lib.nn.Linear(1, 1), renaming(lib))
    net[1].age = 7
    state = net.state_dict()
    assert list(state) == ["0.weight", "0.bias", "1.weight", "1.bias", "1.age"]
    state["1.old"] = lib.ones(2, 1)
    del state["1.weight"]
    other = lib.nn.Sequential(lib.nn.Linear(1, 1), renaming(lib))
    assert str(other.load_state_dict(state)) == "<All keys matched successfully>"
    assert other[1].age == 7 and other[1].total == 2.0 and other[1].metadata == {"version": 1}
    assert "1.old" in state
    state = net.state_dict()
    state["1.new"] = state["0.new"] = state["5.x"] = state.pop("1.bias")
    found = other.load_state_dict(state, strict=False)
    assert found.missing_keys == ["1.bias"]
    assert sorted(found.unexpected_keys) == ["0.new", "1.new", "5.x"]
    with raises(RuntimeError, "Error(s) in loading state_dict for Sequential:\n\tMissing key(s)"):
        other.load_state_dict(state)
    with raises(RuntimeError, "Error(s) in loading state_dict for Sequential:\n\tsize mismatch"):
        other.load_state_dict({**net.state_dict(), "1.weight": lib.ones(3, 1)})
    given = {key: value.clone() for key, value in net.state_dict().items()}
    other.load_state_dict(given, assign=True)
    assert other[1].weight.data_ptr() == given["1.weight"].data_ptr()


@both
def test_state_dict_into_a_mapping_that_is_given(lib):
    into = OrderedDict()
    layer = lib.nn.Linear(1, 1)
    with pytest.warns(FutureWarning, match="Positional args are being deprecated"):
        assert layer.state_dict(into, "p.", True) is into
    assert list(into) == ["p.weight", "p.bias"] and into["p.weight"] is layer.weight


@both
def test_load_hooks_are_told_how_tensors_are_taken(lib):
    layer = lib.nn.Linear(1, 1)
    seen = []
    layer.register_load_state_dict_pre_hook(lambda *args: seen.append(dict(args[3])))
    state = layer.state_dict()
    layer.load_state_dict(state)
    layer.load_state_dict(state, assign=True)
    assert seen == [{"version": 1}, {"version": 1, "assign_to_params_buffers": True}]


@both
def test_a_number_that_was_saved_with_a_dimension(lib):
    module = lib.nn.Module()
    module.scale = lib.nn.Parameter(lib.tensor(1.0))
    module.load_state_dict({"scale": lib.full((1,), 3.0)})
    assert module.scale.item() == 3.0
    with raises(
        RuntimeError, "Error(s) in loading state_dict for Module:\n\tsize mismatch for scale"
    ):
        module.load_state_dict({"scale": lib.ones(1, 1)})


@both
def test_assigned_parameters_require_grad_as_those_before(lib):
    layer = lib.nn.Linear(2, 1).requires_grad_(False)
    given = {"weight": lib.nn.Parameter(lib.ones(1, 2)), "bias": lib.ones(1)}
    layer.load_state_dict(given, assign=True)
    assert layer.weight is given["weight"]
    assert not layer.weight.requires_grad and not layer.bias.requires_grad


@both
def test_extra_state_needs_both_methods(lib):
    class Half(lib.nn.Module):
        def get_extra_state(self):
            return 1

    with raises(RuntimeError, "Reached a code path in Module.set_extra_state() that should never"):
        Half().set_extra_state(1)
    with raises(RuntimeError, "Error(s) in loading state_dict for Half:\n\tUnexpected key(s)"):
        Half().load_state_dict(Half().state_dict())


@both
@pytest.mark.filterwarnings("ignore:.*functional_call. is deprecated")
def test_functional_call_and_other_names(lib):
    call = importlib.import_module(f"{lib.__name__}.nn.utils.stateless").functional_call
    layer, x = lib.nn.Linear(1, 1), lib.ones(1, 1)
    values = {"weight": lib.full((1, 1), 2.0), "bias": lib.ones(1)}
    assert call(layer, {**values, "other": x}, x).item() == 3.0
    head = "Error(s) in reparametrizing for Linear:\n\t"
    with raises(RuntimeError, head + "Unexpected key(s): 'other'."):
        call(layer, {**values, "other": x}, x, strict=True)
    with raises(RuntimeError, head + "Missing key(s): 'bias'."):
        call(layer, {"weight": x}, x, strict=True)
    with raises(TypeError, "3 is not an instance of tapegrad.Tensor", lib):
        call(layer, {"weight": 3}, x)
    net = lib.nn.Sequential(layer, lib.nn.Linear(1, 1))
    net[1].weight = layer.weight  # tied
    biases = {"0.bias": lib.zeros(1), "1.bias": lib.zeros(1)}
    with_one = {"0.weight": values["weight"], **biases}
    assert call(net, with_one, x).item() == 4.0
    alone = call(net, with_one, x, tie_weights=False).item()
    assert alone == pytest.approx(2 * layer.weight.item())
