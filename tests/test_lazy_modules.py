"""Modules that take their sizes from the first input, and parameters without a shape."""

import copy
import pickle

import pytest

import tapegrad as tg
from both import both
from support import raises

LAYERS = [
    ("Linear", (2,), (4, 3)),
    ("Conv1d", (2, 3), (4, 3, 5)),
    ("Conv2d", (2, 3), (4, 3, 5, 5)),
    ("Conv3d", (2, 3), (4, 3, 5, 5, 5)),
    ("ConvTranspose1d", (2, 3), (4, 3, 5)),
    ("ConvTranspose2d", (2, 3), (4, 3, 5, 5)),
    ("ConvTranspose3d", (2, 3), (4, 3, 5, 5, 5)),
    ("BatchNorm1d", (), (4, 3, 5)),
    ("BatchNorm2d", (), (4, 3, 5, 5)),
    ("BatchNorm3d", (), (4, 3, 5, 5, 5)),
    ("InstanceNorm1d", (), (4, 3, 5)),
    ("InstanceNorm2d", (), (4, 3, 5, 5)),
    ("InstanceNorm3d", (), (4, 3, 5, 5, 5)),
]


def usual(lib, name, args):
    """The layer that the lazy one becomes."""
    if "Norm" in name:
        return getattr(lib.nn, name)(3, affine=True, track_running_stats=True)
    return getattr(lib.nn, name)(3, *args)


@both
@pytest.mark.parametrize(("name", "args", "shape"), LAYERS)
def test_first_call_gives_shapes(lib, name, args, shape):
    lazy = getattr(lib.nn, "Lazy" + name)(*args)
    ordinary = usual(lib, name, args)
    assert lazy.has_uninitialized_params()
    assert lib.nn.parameter.is_lazy(lazy.weight) and repr(lazy).startswith(f"Lazy{name}(")
    assert list(lazy.state_dict()) == list(ordinary.state_dict())
    lib.manual_seed(0)
    y = lazy(lib.ones(shape))
    lib.manual_seed(0)
    ordinary.reset_parameters()
    assert type(lazy) is type(ordinary) and repr(lazy) == repr(ordinary)
    for key, value in ordinary.state_dict().items():
        if not key.startswith(("running", "num")):
            assert lib.equal(lazy.state_dict()[key], value)
    assert type(lazy.weight) is lib.nn.Parameter and lazy.weight.requires_grad
    assert lib.equal(lazy(lib.ones(shape)), y) and not lazy._forward_pre_hooks


@both
@pytest.mark.parametrize(("name", "args", "shape"), LAYERS)
def test_state_dicts_give_shapes(lib, name, args, shape):
    if lib is not tg and name.startswith("Instance"):
        pytest.skip("PyTorch's have no number of features then")
    ordinary, lazy = usual(lib, name, args), getattr(lib.nn, "Lazy" + name)(*args)
    assert str(lazy.load_state_dict(ordinary.state_dict())) == "<All keys matched successfully>"
    assert not lazy.has_uninitialized_params()
    x = lib.ones(shape)
    assert lib.equal(lazy(x), ordinary(x))
    # One without shapes takes what has none, and an ordinary one does not.
    other = getattr(lib.nn, "Lazy" + name)(*args)
    other.load_state_dict(getattr(lib.nn, "Lazy" + name)(*args).state_dict())
    assert other.has_uninitialized_params()
    with raises(RuntimeError, "Can't access the shape of an uninitialized parameter or buffer"):
        ordinary.load_state_dict(other.state_dict())


@both
def test_without_a_shape(lib):
    p = lib.nn.UninitializedParameter(dtype=lib.float64)
    assert p.dtype is lib.float64 and p.requires_grad and p.is_leaf and p.grad is None
    assert isinstance(p, lib.nn.Parameter) and repr(p) == "<UninitializedParameter>"
    for call in (lambda: p + 1, p.sum, lambda: p[0], lambda: p.view(1), lambda: -p, p.clone):
        with raises(ValueError, "Attempted to use an uninitialized parameter in <"):
            call()
    for call in (lambda: p.shape, p.share_memory_):
        with pytest.raises(RuntimeError, match="uninitialized parameter or buffer"):
            call()
    twin = pickle.loads(pickle.dumps(p))
    assert repr(twin) == repr(p) == repr(copy.deepcopy(p))
    if lib is tg:  # PyTorch forgets the dtype
        assert twin.dtype is lib.float64
    p.materialize((2, 3))
    assert type(p) is lib.nn.Parameter and p.shape == (2, 3) and p.dtype is lib.float64
    assert (p * 2).sum().requires_grad
    b = lib.nn.UninitializedBuffer(persistent=False)
    assert not b.persistent and not b.requires_grad
    b.materialize((2,), dtype=lib.int64)
    assert type(b) is lib.Tensor and b.dtype is lib.int64


@both
def test_conversions_before_the_first_call(lib):
    net = lib.nn.Sequential(lib.nn.LazyLinear(4), lib.nn.ReLU(), lib.nn.LazyLinear(2)).double()
    assert all(lib.nn.parameter.is_lazy(p) for p in net.parameters())
    twin = copy.deepcopy(net)
    opt = lib.optim.SGD(net.parameters(), lr=0.1)
    x = lib.ones(3, 5, dtype=lib.float64)
    net(x).sum().backward()
    opt.step()
    assert net[0].weight.shape == (4, 5) and net[2].weight.grad.dtype is lib.float64
    assert twin[0].has_uninitialized_params() and twin(x).shape == (3, 2)
    assert net[0].in_features == 5 and type(net[0]) is lib.nn.Linear


@both
def test_errors(lib):
    with raises(RuntimeError, "Expected 3D (unbatched) or 4D (batched) input to LazyConv2d, but"):
        lib.nn.LazyConv2d(2, 3)(lib.ones(4, 4))
    with raises(ValueError, "in_channels must be divisible by groups"):
        lib.nn.LazyConv1d(2, 1, groups=2)(lib.ones(1, 3, 4))
    with raises(ValueError, "expected 2D or 3D input (got 4D input)"):
        lib.nn.LazyBatchNorm1d()(lib.ones(1, 2, 3, 4))

    class Unfinished(lib.nn.modules.lazy.LazyModuleMixin, lib.nn.Module):
        def __init__(self):
            super().__init__()
            self.w = lib.nn.UninitializedParameter()

        def forward(self, x):
            return x

    with raises(NotImplementedError, "initialize_parameters is not implemented for Unfinished"):
        Unfinished()(1)
    Unfinished.initialize_parameters = lambda self, x: None
    with raises(RuntimeError, "module Unfinished has not been fully initialized"):
        Unfinished()(1)
    Unfinished.initialize_parameters = lambda self, x: self.w.materialize((x,))
    module = Unfinished()
    assert module(3) == 3 and module.w.shape == (3,) and type(module) is Unfinished


def test_functions_of_what_has_no_shape_do_not_pass_silently():
    p = tg.nn.UninitializedParameter()
    with pytest.raises((RuntimeError, ValueError)):
        tg.nn.functional.linear(tg.ones(2, 3), p)


@both
@pytest.mark.parametrize("copied", ["deepcopy", "pickle"])
def test_copies_are_lazy_by_themselves(lib, copied):
    layer = lib.nn.LazyLinear(2)
    twin = copy.deepcopy(layer) if copied == "deepcopy" else pickle.loads(pickle.dumps(layer))
    handle = layer.register_forward_pre_hook(lambda module, args: None)
    assert twin(lib.ones(1, 3)).shape == (1, 2) and twin(lib.ones(4, 3)).shape == (4, 2)
    assert type(twin) is lib.nn.Linear and not twin._forward_pre_hooks
    assert layer.has_uninitialized_params() and len(layer._forward_pre_hooks) == 2
    handle.remove()
    assert layer(lib.ones(1, 5)).shape == (1, 2) and layer.weight.shape == (2, 5)
    assert not layer._forward_pre_hooks and not layer._load_state_dict_pre_hooks


@both
def test_handles_go_along_with_their_modules(lib):
    module = lib.nn.Identity()
    module.handle = module.register_forward_hook(print)
    twin = copy.deepcopy(module)
    twin.handle.remove()
    assert len(module._forward_hooks) == 1 and len(twin._forward_hooks) == 0
