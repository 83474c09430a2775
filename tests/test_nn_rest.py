"""The less known layers, and the small modules around nn."""

import importlib
import math
import warnings

import numpy as np
import pytest

import tapegrad as tg
from both import both
from support import raises

# ---------------------------------------------------------------------- adaptive softmax


def adaptive(lib):
    made = lib.nn.AdaptiveLogSoftmaxWithLoss(4, 12, [3, 7], div_value=2.0, head_bias=True)
    for number, p in enumerate(made.parameters()):
        values = lib.arange(p.numel(), dtype=lib.float64).mul(0.7 + number).sin()
        p.data = values.reshape(p.shape)
    return made


def images(lib, *shape):
    return lib.from_numpy(np.sin(np.arange(math.prod(shape)) * 1.3).reshape(shape))


def run_adaptive(lib):
    layer, x = adaptive(lib), images(lib, 6, 4).requires_grad_()
    output, loss = layer(x, lib.tensor([0, 11, 2, 3, 7, 5]))
    loss.backward()
    grads = [p.grad.flatten().tolist() for p in layer.parameters()]
    return [
        output.tolist(),
        loss.item(),
        x.grad.flatten().tolist(),
        *grads,
        layer.log_prob(x).flatten().tolist(),
        layer.predict(x).tolist(),
        layer(x[0], lib.tensor(4)).output.item(),
    ]


def test_adaptive_softmax_against_torch():
    torch = pytest.importorskip("torch")
    for got, want in zip(run_adaptive(tg), run_adaptive(torch), strict=True):
        assert got == pytest.approx(want, rel=1e-10)


@both
def test_adaptive_softmax(lib):
    layer = adaptive(lib)
    assert list(layer.state_dict()) == [
        *("head.weight", "head.bias", "tail.0.0.weight", "tail.0.1.weight"),
        *("tail.1.0.weight", "tail.1.1.weight"),
    ]
    assert layer.cutoffs == [3, 7, 12] and layer.head_size == 5
    x = images(lib, 5, 4)
    assert lib.allclose(layer.log_prob(x).exp().sum(1), lib.ones(5, dtype=lib.float64))
    targets = lib.tensor([0, 3, 6, 7, 11])
    expected = layer.log_prob(x).gather(1, targets.unsqueeze(1)).squeeze(1)
    result = layer(x, targets)
    assert lib.allclose(result.output, expected) and lib.allclose(result.loss, -expected.mean())
    layer.reset_parameters()


@both
def test_adaptive_softmax_errors(lib):
    kind = lib.nn.AdaptiveLogSoftmaxWithLoss
    with raises(ValueError, "cutoffs should be a sequence of length larger than 0"):
        kind(4, 10, [])
    for cutoffs in ([3, 2], [0, 2], [2, 10], [2, 2], [1.5]):
        with raises(ValueError, "cutoffs should be a sequence of unique, positive integers sorted"):
            kind(4, 10, cutoffs)
    layer = kind(4, 10, [3])
    x = lib.ones(2, 4)
    for given, target, text in (
        (x, [1, 12], "Target values should be in [0, 9], but values in range [1, 12] were found. "),
        (x, [1], "Input and target should have the same size in the batch dimension."),
        (x[0], [1] * 4, "1D target tensor expects 2D input tensors, but found inputs with size"),
        (x, 1, "0D target tensor expects 1D input tensors, but found inputs with size"),
        (x, [[1]], "0D or 1D target tensor expected, multi-target not supported"),
    ):
        with raises(RuntimeError, text):
            layer(given, lib.tensor(target))


# ---------------------------------------------------------------------- pools at random places


@both
@pytest.mark.parametrize("dims", [2, 3])
def test_fractional_pool(lib, dims):
    F = lib.nn.functional
    pool = getattr(F, f"fractional_max_pool{dims}d")
    x = images(lib, 2, 3, *[7, 9, 8][:dims]).requires_grad_()
    y, places = pool(x, 2, output_ratio=[0.5] * dims, return_indices=True)
    assert y.shape == (2, 3, *[3, 4, 4][:dims]) and places.shape == y.shape
    flat = x.flatten(2).gather(2, places.flatten(2)).reshape(y.shape)
    assert lib.equal(flat, y)
    y.sum().backward()
    assert x.grad.sum().item() == y.numel()
    assert pool(x[0], 2, 3).shape == (3, *[3] * dims)
    layer = getattr(lib.nn, f"FractionalMaxPool{dims}d")(2, output_ratio=0.5)
    assert layer(x).shape == y.shape and list(layer.state_dict()) == []
    assert repr(layer) == f"FractionalMaxPool{dims}d()"


def fractional(lib, dims):
    """The same numbers choose the windows."""
    pool = getattr(lib.nn.functional, f"fractional_max_pool{dims}d")
    x = images(lib, 2, 3, *[9, 11, 10][:dims]).requires_grad_()
    samples = images(lib, 2, 3, dims).abs() * 0.99
    y, places = pool(x, [2, 3, 2][:dims], [4, 5, 1][:dims], None, True, samples)
    (y * y).sum().backward()
    return y.flatten().tolist(), places.flatten().tolist(), x.grad.flatten().tolist()


@pytest.mark.parametrize("dims", [2, 3])
def test_fractional_pool_against_torch(dims):
    torch = pytest.importorskip("torch")
    assert fractional(tg, dims) == fractional(torch, dims)


@both
def test_fractional_pool_errors(lib):
    F, x = lib.nn.functional, lib.ones(1, 2, 4, 4)
    with raises(RuntimeError, "fractional_max_pool2d(): pool height 2 too large relative to input"):
        F.fractional_max_pool2d(x, 2, 5)
    with raises(
        ValueError, "fractional_max_pool2d requires specifying either an output_size or an"
    ):
        F.fractional_max_pool2d(x, 2)
    with raises(RuntimeError, "fractional_max_pool2d(): Expected input to have non-zero size for"):
        F.fractional_max_pool2d(lib.ones(2, 0, 4, 4), 2, 2)
    with raises(RuntimeError, "Expect _random_samples.size(2) equals to 2; got 3."):
        F.fractional_max_pool2d(x, 2, 2, _random_samples=lib.rand(1, 2, 3))
    with raises(RuntimeError, "Expect _random_samples to have the same dtype as input"):
        F.fractional_max_pool2d(x, 2, 2, _random_samples=lib.rand(1, 2, 2).double())
    with raises(IndexError, "Dimension out of range (expected to be in range of [-2, 1]"):
        F.fractional_max_pool2d(lib.ones(4, 4), 2, 2)
    for dims in (2, 3):
        kind = getattr(lib.nn, f"FractionalMaxPool{dims}d")
        with raises(ValueError, f"FractionalMaxPool{dims}d requires specifying either an output"):
            kind(2)
        with raises(ValueError, "only one of output_size and output_ratio may be specified"):
            kind(2, 2, 0.5)
        with raises(ValueError, "output_ratio must be between 0 and 1 (got 1.5)"):
            kind(2, output_ratio=1.5)


# ---------------------------------------------------------------------- older names


@both
def test_older_modules(lib):
    nn = lib.nn
    with pytest.warns(FutureWarning, match="`NLLLoss2d` has been deprecated. Please use"):
        loss = nn.NLLLoss2d(reduction="sum")
    assert isinstance(loss, nn.NLLLoss) and loss.reduction == "sum"
    with pytest.warns(FutureWarning, match="`nn.Container` is deprecated."):
        container = nn.Container(a=nn.ReLU(), b=nn.Linear(1, 1))
    assert list(container.state_dict()) == ["b.weight", "b.bias"]
    assert repr(nn.CrossMapLRN2d(3)) == "CrossMapLRN2d(3, alpha=0.0001, beta=0.75, k=1)"
    with raises(ValueError, "CrossMapLRN2d: Expected input to be 4D, got 2D instead."):
        nn.CrossMapLRN2d(3)(lib.ones(2, 3))


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_normalisation_over_channels_against_torch(size):
    torch = pytest.importorskip("torch")
    found = [
        lib.nn.CrossMapLRN2d(size, 0.3, 0.6, 2)(images(lib, 2, 6, 3, 2)).flatten().tolist()
        for lib in (tg, torch)
    ]
    assert found[0] == pytest.approx(found[1], rel=1e-6)


# ---------------------------------------------------------------------- wrappers and helpers


@both
def test_data_parallel(lib):
    nn, layer = lib.nn, lib.nn.Linear(2, 1)
    wrapped = nn.DataParallel(layer)
    assert list(wrapped.state_dict()) == ["module.weight", "module.bias"]
    assert wrapped.device_ids == [] and wrapped.module is layer
    assert lib.equal(wrapped(lib.ones(3, 2)), layer(lib.ones(3, 2)))
    assert wrapped(input=lib.ones(3, 2)).shape == (3, 1)
    state = wrapped.state_dict()
    lib.nn.modules.utils.consume_prefix_in_state_dict_if_present(state, "module.")
    assert list(state) == ["weight", "bias"] and list(state._metadata) == [""]
    layer.load_state_dict(state)
    with raises(ValueError, "Default process group has not been initialized, please make sure"):
        nn.parallel.DistributedDataParallel(layer)
    assert not isinstance(layer, nn.parallel.DistributedDataParallel)


@both
def test_choice_of_an_attention(lib):
    backend = lib.nn.attention.SDPBackend
    q = lib.ones(1, 2, 4)
    attend = lib.nn.functional.scaled_dot_product_attention
    with lib.nn.attention.sdpa_kernel(backend.MATH):
        one = attend(q, q, q)
    with lib.nn.attention.sdpa_kernel([backend.MATH, backend.FLASH_ATTENTION], set_priority=True):
        assert lib.equal(attend(q, q, q), one)
    with raises(
        AssertionError, "Backend must be an instance of SDPBackend or a list of SDPBackend"
    ):
        lib.nn.attention.sdpa_kernel(3).__enter__()
    assert [b.name for b in map(backend, (0, 1, 2))] == [
        *("MATH", "FLASH_ATTENTION", "EFFICIENT_ATTENTION")
    ]


@both
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_gradients_of_convolutions(lib, dims):
    conv = getattr(lib.nn.functional, f"conv{dims}d")
    x = images(lib, 2, 4, *[6] * dims).requires_grad_()
    w = images(lib, 6, 2, *[3] * dims).requires_grad_()
    options = (2, 1, 1, 2)
    y = conv(x, w, None, *options)
    grad = images(lib, *y.shape)
    want = lib.autograd.grad(y, (x, w), grad)
    with lib.no_grad():
        by_input = getattr(lib.nn.grad, f"conv{dims}d_input")(x.shape, w, grad, *options)
        by_weight = getattr(lib.nn.grad, f"conv{dims}d_weight")(x, w.shape, grad, *options)
    assert lib.allclose(by_input, want[0]) and lib.allclose(by_weight, want[1])
    assert not by_input.requires_grad and not by_weight.requires_grad
    again = getattr(lib.nn.grad, f"conv{dims}d_input")(x.shape, w, grad, *options)
    assert lib.autograd.grad(again.sum(), w)[0].shape == w.shape


@both
def test_keyword_arguments_of_factories(lib):
    take = lib.nn.factory_kwargs
    assert take(None) == {} and take({"dtype": 1, "factory_kwargs": {"device": 2}}) == {
        "dtype": 1,
        "device": 2,
    }
    with raises(TypeError, "unexpected kwargs {'a'}"):
        take({"a": 1})
    with raises(TypeError, "dtype specified twice, in **kwargs and in factory_kwargs"):
        take({"dtype": 1, "factory_kwargs": {"dtype": 2}})


@both
def test_tuples_of_sizes(lib):
    utils = lib.nn.modules.utils
    assert utils._pair(3) == (3, 3) and utils._triple([1, 2, 3]) == (1, 2, 3)
    assert utils._single(2) == (2,) and utils._quadruple(1) == (1, 1, 1, 1)
    assert utils._reverse_repeat_tuple((1, 2), 2) == (2, 2, 1, 1)
    types = lib.nn.common_types
    assert types._size_2_t == (int | tuple[int, int])


@both
@pytest.mark.parametrize("kind", ["Conv1d", "Conv2d", "ConvTranspose2d"])
@pytest.mark.parametrize("bias", [True, False])
def test_fused_batch_norm(lib, kind, bias):
    nn = lib.nn
    dims = int(kind[-2])
    conv = getattr(nn, kind)(3, 4, 3, bias=bias)
    norm = getattr(nn, f"BatchNorm{dims}d")(4)
    x = lib.randn(5, 3, *[6] * dims)
    norm(conv(x) * 2 + 1)
    nn.init.uniform_(norm.weight)
    with raises(AssertionError, "Fusion only for eval!"):
        nn.utils.fuse_conv_bn_eval(conv, norm)
    conv.eval(), norm.eval()
    fused = nn.utils.fuse_conv_bn_eval(conv, norm, "Transpose" in kind)
    assert lib.allclose(fused(x), norm(conv(x)), atol=1e-5) and fused is not conv
    assert isinstance(fused.bias, nn.Parameter) and fused.weight.requires_grad


@both
def test_fused_linear(lib):
    nn = lib.nn
    layer, norm = nn.Linear(3, 4).eval(), nn.BatchNorm1d(4).eval()
    x = lib.randn(5, 3)
    assert lib.allclose(nn.utils.fuse_linear_bn_eval(layer, norm)(x), norm(layer(x)), atol=1e-5)
    with raises(AssertionError, "To fuse, linear.out_features == bn.num_features or"):
        nn.utils.fuse_linear_bn_eval(layer, nn.BatchNorm1d(3).eval())
    with raises(AssertionError, "bn.running_mean and bn.running_var must not be None"):
        nn.utils.fuse_linear_bn_eval(layer, nn.BatchNorm1d(4, track_running_stats=False).eval())


@both
def test_memory_format_of_weights(lib):
    nn = lib.nn
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Linear(2, 2), nn.Conv3d(2, 2, 2))
    weight, values = net[0].weight, net[0].weight.tolist()
    assert nn.utils.convert_conv2d_weight_memory_format(net, lib.channels_last) is net
    assert weight.is_contiguous(memory_format=lib.channels_last) and weight.tolist() == values
    nn.utils.convert_conv3d_weight_memory_format(net, lib.channels_last_3d)
    assert net[2].weight.is_contiguous(memory_format=lib.channels_last_3d)


@both
@pytest.mark.parametrize("name", ["xavier_uniform", "kaiming_normal", "normal", "constant"])
def test_older_names_of_initialisations(lib, name):
    x = lib.zeros(3, 3)
    rest = (1.0,) if name == "constant" else ()
    text = f"`nn.init.{name}` is now deprecated in favor of `nn.init.{name}_`."
    with pytest.warns(FutureWarning, match=text):
        assert getattr(lib.nn.init, name)(x, *rest) is x
    assert x.abs().sum().item() > 0


@both
def test_older_names_of_helpers(lib):
    p = lib.nn.Parameter(lib.ones(2))
    p.grad = lib.full((2,), 3.0)
    with pytest.warns(
        FutureWarning,
        match="`torch.nn.utils.clip_grad_norm` is now deprecated"
        if lib is not tg
        else "clip_grad_norm` is now deprecated",
    ):
        lib.nn.utils.clip_grad_norm([p], 1.0)
    assert p.grad.norm().item() == pytest.approx(1.0, rel=1e-4)
    with pytest.warns(FutureWarning, match="weight_norm` is deprecated in favor of"):
        layer = lib.nn.utils.weight_norm(lib.nn.Linear(2, 3))
    assert sorted(layer.state_dict()) == ["bias", "weight_g", "weight_v"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layer = lib.nn.utils.spectral_norm(lib.nn.Linear(2, 3))
    assert sorted(layer.state_dict()) == ["bias", "weight_orig", "weight_u", "weight_v"]


@both
@pytest.mark.parametrize(
    ("file", "names"),
    [
        ("conv", ["Conv2d", "ConvTranspose1d", "LazyConv3d", "_ConvNd", "_ConvTransposeNd"]),
        ("batchnorm", ["BatchNorm1d", "SyncBatchNorm", "_BatchNorm", "_NormBase"]),
        ("instancenorm", ["InstanceNorm2d", "_InstanceNorm"]),
        ("fold", ["Fold", "Unfold"]),
        ("pixelshuffle", ["PixelShuffle", "PixelUnshuffle"]),
        ("channelshuffle", ["ChannelShuffle"]),
        ("upsampling", ["Upsample", "UpsamplingNearest2d"]),
        ("sparse", ["Embedding", "EmbeddingBag"]),
        ("loss", ["MSELoss", "_Loss", "_WeightedLoss"]),
        ("utils", ["_pair", "_triple"]),
        ("module", ["Module", "_IncompatibleKeys"]),
        ("transformer", ["Transformer", "_get_clones"]),
        ("dropout", ["Dropout", "_DropoutNd"]),
        ("lazy", ["LazyModuleMixin"]),
    ],
)
def test_files_have_their_names(lib, file, names):
    module = importlib.import_module(f"{lib.__name__}.nn.modules.{file}")
    assert all(hasattr(module, name) for name in names)
    assert getattr(lib.nn.modules, file) is module
    if names[0][0] != "_" and hasattr(lib.nn, names[0]):
        assert getattr(module, names[0]) is getattr(lib.nn, names[0])


@both
def test_what_libraries_ask_of_bases(lib):
    modules = lib.nn.modules
    assert isinstance(lib.nn.Conv2d(1, 1, 1), modules.conv._ConvNd)
    assert isinstance(lib.nn.ConvTranspose2d(1, 1, 1), modules.conv._ConvNd)
    assert isinstance(lib.nn.SyncBatchNorm(1), modules.batchnorm._BatchNorm)
    assert isinstance(lib.nn.InstanceNorm1d(1), modules.batchnorm._NormBase)
    assert not isinstance(lib.nn.InstanceNorm1d(1), modules.batchnorm._BatchNorm)

    class Weighted(modules.loss._WeightedLoss):
        def forward(self, x):
            return (x * self.weight).sum()

    loss = Weighted(lib.tensor([1.0, 2.0]), reduction="sum")
    assert loss.reduction == "sum" and list(loss.state_dict()) == ["weight"]
    assert loss(lib.ones(2)).item() == 3.0


@both
@pytest.mark.parametrize("name", ["l1_loss", "mse_loss"])
def test_weighted_errors(lib, name):
    loss = getattr(lib.nn.functional, name)
    x, y, w = lib.tensor([1.0, 2, 3]), lib.tensor([0.0, 0, 1]), lib.tensor([1.0, 0, 4])
    single = loss(x, y, reduction="none")
    assert loss(x, y, reduction="none", weight=w).tolist() == (single * w).tolist()
    assert loss(x, y, reduction="sum", weight=w).item() == (single * w).sum().item()
    assert loss(x, y, weight=w).item() == pytest.approx(((single * w).sum() / w.sum()).item())
    with raises(ValueError, "Weights and input must have the same size."):
        loss(x, y, weight=w[:1])
    with raises(ValueError, "Invalid reduction mode: x. Expected one of 'none', 'mean', 'sum'."):
        loss(x, y, reduction="x", weight=w)
