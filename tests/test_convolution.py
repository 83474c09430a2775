"""Convolutions and their transposes."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

import tapegrad as tg
from against_torch import agree, numbers, refuse_alike, torch
from support import array
from tapegrad import nn
from tapegrad.nn import functional as F


def f(lib: Any) -> Any:
    return lib.nn.functional


# ---------------------------------------------------------------------- values and derivatives

PLAIN = [
    # input, weight, parameters
    ((2, 3, 7), (4, 3, 3), {}),
    ((2, 3, 7), (4, 3, 3), {"stride": 2, "padding": 1}),
    ((3, 7), (4, 3, 2), {"dilation": 3}),
    ((2, 3, 7), (4, 3, 4), {"padding": "same"}),
    ((2, 3, 7), (4, 3, 2), {"padding": "valid", "stride": 3}),
    ((2, 4, 9), (6, 2, 3), {"groups": 2, "padding": (2,)}),
    ((0, 3, 7), (4, 3, 3), {}),
    ((2, 3, 5, 6), (4, 3, 3, 2), {}),
    ((2, 3, 5, 6), (4, 3, 3, 2), {"stride": (2, 1), "padding": (1, 0), "dilation": (1, 2)}),
    ((3, 5, 6), (4, 3, 1, 1), {}),
    ((2, 3, 8, 9), (2, 3, 3, 3), {"stride": 4, "padding": 1}),
    ((2, 3, 8, 9), (2, 3, 2, 2), {"stride": 3}),
    ((2, 3, 6, 6), (5, 3, 6, 6), {}),
    ((2, 3, 6, 6), (5, 3, 3, 3), {"padding": "same", "dilation": (1, 2)}),
    ((2, 3, 6, 6), (5, 3, 2, 4), {"padding": "same"}),
    ((2, 4, 6, 6), (4, 1, 3, 3), {"groups": 4, "padding": 1}),
    ((2, 4, 6, 6), (8, 1, 3, 3), {"groups": 4, "stride": 2}),
    ((2, 6, 6, 6), (4, 3, 3, 3), {"groups": 2, "padding": 2, "dilation": 2}),
    ((1, 1, 1, 1), (1, 1, 1, 1), {"padding": 2}),
    ((2, 2, 3, 3), (2, 2, 2, 2), {"stride": 5, "padding": 1}),
    ((2, 3, 4, 5, 6), (4, 3, 2, 3, 3), {}),
    ((2, 2, 4, 5, 6), (4, 1, 2, 3, 2), {"stride": (1, 2, 3), "padding": (1, 0, 2), "groups": 2}),
    ((2, 4, 5, 6), (3, 2, 2, 2, 2), {"dilation": 2, "padding": 1}),
]


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("x", "w", "options"), PLAIN, ids=str)
def test_plain(x: tuple, w: tuple, options: dict, bias: bool) -> None:
    name = f"conv{len(w) - 2}d"
    arrays = [numbers(*x), numbers(*w, seed=1)] + ([numbers(w[0], seed=2)] if bias else [])
    agree(lambda lib, *t: getattr(f(lib), name)(*t, **options), *arrays)


TRANSPOSED = [
    ((2, 3, 5), (3, 4, 3), {}),
    ((3, 5), (3, 4, 3), {"stride": 2, "padding": 1, "output_padding": 1}),
    ((2, 4, 5), (4, 3, 2), {"groups": 2, "dilation": 3}),
    ((2, 3, 4, 5), (3, 4, 3, 2), {}),
    ((2, 3, 4, 5), (3, 2, 3, 3), {"stride": 2, "padding": 1, "output_padding": (1, 0)}),
    ((3, 4, 5), (3, 2, 2, 2), {"stride": 3}),
    ((2, 4, 4, 5), (4, 3, 3, 3), {"groups": 2, "stride": (1, 3), "dilation": (2, 1), "padding": 2}),
    ((2, 4, 3, 3), (4, 1, 3, 3), {"groups": 4}),
    ((2, 3, 1, 1), (3, 4, 4, 4), {}),
    ((0, 3, 4, 4), (3, 2, 2, 2), {}),
    ((2, 3, 2, 3, 4), (3, 2, 2, 3, 2), {"stride": (2, 1, 2), "padding": (0, 1, 1)}),
    ((2, 2, 2, 3, 2), (2, 1, 2, 2, 2), {"groups": 2, "dilation": 2, "output_padding": 1}),
]


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("x", "w", "options"), TRANSPOSED, ids=str)
def test_transposed(x: tuple, w: tuple, options: dict, bias: bool) -> None:
    name = f"conv_transpose{len(w) - 2}d"
    filters = w[1] * options.get("groups", 1)
    arrays = [numbers(*x), numbers(*w, seed=1)] + ([numbers(filters, seed=2)] if bias else [])
    agree(lambda lib, *t: getattr(f(lib), name)(*t, **options), *arrays)


def test_many_shapes() -> None:
    """Sizes around the lanes of a vector, and batches that are cut into blocks."""
    random = np.random.default_rng(5)
    for _ in range(60):
        images, groups = random.integers(1, 6), random.integers(1, 3)
        channels, filters = groups * random.integers(1, 5), groups * random.integers(1, 26)
        kernel, stride, dilation = (random.integers(1, 4, 2) for _ in range(3))
        padding = random.integers(0, 3, 2)
        size = kernel * dilation + random.integers(0, 22, 2)
        x = numbers(images, channels, *size)
        w = numbers(filters, channels // groups, *kernel, seed=1)
        options = {
            "stride": tuple(map(int, stride)),
            "padding": tuple(map(int, padding)),
            "dilation": tuple(map(int, dilation)),
            "groups": int(groups),
        }
        for dtype, tol in (("float64", 1e-10), ("float32", 1e-4)):
            agree(
                lambda lib, *t, o=options: f(lib).conv2d(*t, **o),
                x,
                w,
                dtype=dtype,
                tol=tol,
                second=False,
            )


def test_large() -> None:
    x, w = numbers(5, 40, 33, 35), numbers(50, 40, 3, 3, seed=1) / 19
    agree(
        lambda lib, *t: f(lib).conv2d(*t, padding=1), x, w, dtype="float32", tol=3e-4, second=False
    )
    x, w = numbers(3, 200, 9, 9), numbers(70, 200, 3, 3, seed=1) / 42
    agree(
        lambda lib, *t: f(lib).conv2d(*t, stride=2), x, w, dtype="float32", tol=3e-4, second=False
    )


@pytest.mark.parametrize("layout", ["transposed", "strided", "expanded"])
def test_layouts(layout: str) -> None:
    def laid_out(t: Any) -> Any:
        if layout == "transposed":
            return t.transpose(-1, -2)
        if layout == "strided":
            return t[..., ::2]
        return t[:, :1].expand(t.shape)

    agree(
        lambda lib, x, w, g: f(lib).conv2d(laid_out(x), laid_out(w), padding=1) * 1,
        numbers(2, 3, 6, 6),
        numbers(4, 3, 4, 4, seed=1),
        numbers(1),
        node=False,
    )


@pytest.mark.parametrize("name", ["conv2d", "conv_transpose2d"])
def test_orders(name: str) -> None:
    op = getattr(F, name)
    x = tg.tensor(numbers(2, 2, 4, 5).tolist(), dtype=tg.float64, requires_grad=True)
    w = tg.tensor(numbers(2, 2, 2, 3, seed=1).tolist(), dtype=tg.float64, requires_grad=True)
    b = tg.tensor(numbers(2, seed=2).tolist(), dtype=tg.float64, requires_grad=True)
    for options in ({}, {"stride": 2, "padding": 1}, {"dilation": 2, "padding": (1, 2)}):
        call = lambda *t, o=options: op(*t, **o)  # noqa: E731
        assert tg.autograd.gradcheck(call, (x, w, b))
        assert tg.autograd.gradgradcheck(call, (x, w, b))
    # Of a product of three convolutions, a third derivative.
    y = op(op(x, w) ** 2, w).sum()
    (first,) = tg.autograd.grad(y, w, create_graph=True)
    (second,) = tg.autograd.grad((first**2).sum(), w, create_graph=True)

    def third(v: Any) -> Any:
        (one,) = tg.autograd.grad(op(op(x, v) ** 2, v).sum(), v, create_graph=True)
        return tg.autograd.grad((one**2).sum(), v, create_graph=True)[0]

    assert second.requires_grad
    assert tg.autograd.gradcheck(third, (w,))


def test_half() -> None:
    for dtype, tol in (("float16", 1e-2), ("bfloat16", 1e-1)):
        x = tg.tensor(numbers(2, 3, 6, 6).tolist()).to(getattr(tg, dtype)).requires_grad_()
        w = tg.tensor(numbers(4, 3, 3, 3, seed=1).tolist()).to(getattr(tg, dtype)).requires_grad_()
        y = F.conv2d(x, w, padding=1)
        assert y.dtype is getattr(tg, dtype)
        y.sum().backward()
        wide = F.conv2d(x.detach().float(), w.detach().float(), padding=1)
        np.testing.assert_allclose(array(y.float()), array(wide), tol, tol)
        assert x.grad.dtype is w.grad.dtype is y.dtype


def test_infinite_values_count_where_they_are() -> None:
    """What a tap reads beside the positions does not become NaN in its gradient."""
    x = tg.ones(1, 1, 4, 5)
    x[0, 0, 3, 4] = math.inf
    w = tg.ones(1, 1, 2, 2, requires_grad=True)
    F.conv2d(x, w).sum().backward()
    assert array(w.grad).ravel().tolist() == [12, 12, 12, math.inf]
    x = tg.ones(1, 1, 4, 4)
    x[0, 0, 1, 1] = math.nan  # at stride 2 a tap of its own
    w = tg.ones(1, 1, 2, 2, requires_grad=True)
    F.conv2d(x, w, stride=2).sum().backward()
    np.testing.assert_array_equal(array(w.grad).ravel(), [4, 4, 4, math.nan])


def test_same_bits_with_any_number_of_threads() -> None:
    x = tg.tensor(numbers(6, 8, 40, 40).tolist(), requires_grad=True)
    w = tg.tensor(numbers(20, 8, 3, 3, seed=1).tolist(), requires_grad=True)
    before, results = tg.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            tg.set_num_threads(threads)
            y = F.conv2d(x, w, padding=1, stride=1)
            grads = tg.autograd.grad((y * y).sum(), (x, w))
            results.append([array(t) for t in (y, *grads)])
    finally:
        tg.set_num_threads(before)
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            assert a.tobytes() == b.tobytes()


def test_saved() -> None:
    x, w, b = tg.ones(1, 2, 5, 5), tg.ones(3, 2, 3, 3), tg.ones(3)
    node = F.conv2d(x, w.requires_grad_(), b.requires_grad_(), padding=1).grad_fn
    assert node.name() == "ConvolutionBackward0"
    assert (node._saved_stride, node._saved_padding, node._saved_dilation) == ((1, 1),) * 3
    assert node._saved_transposed is False
    assert node._saved_groups == 1
    assert node._saved_output_padding == (0, 0)
    assert node._saved_input is not None
    assert "conv_weight" in node.formula
    alone = F.conv2d(x.requires_grad_(), w.detach()).grad_fn
    assert not hasattr(alone, "_saved_input")
    assert "conv_transpose" in alone.formula


def test_functions_of_the_core() -> None:
    for dims, plain, transposed in (
        (1, tg.conv1d, tg.conv_transpose1d),
        (2, tg.conv2d, tg.conv_transpose2d),
        (3, tg.conv3d, tg.conv_transpose3d),
    ):
        x, w = tg.ones(1, 2, *(3,) * dims), tg.ones(2, 2, *(2,) * dims)
        assert array(plain(x, w)).ravel().tolist() == [2 * 2**dims] * 2 * 2**dims
        y = transposed(input=x, weight=w, bias=None, stride=2)
        assert array(y).ravel().tolist() == [2] * 2 * 6**dims


# ---------------------------------------------------------------------- what is refused

X, W, B = (1, 2, 5, 5), (3, 2, 3, 3), (3,)


def conv(lib: Any, *shapes: tuple, name: str = "conv2d", **options: Any) -> Any:
    return getattr(f(lib), name)(*(lib.ones(s) for s in shapes), **options)


REFUSED: list[tuple[tuple, dict]] = [
    (((2, 5), W), {}),
    (((1, 3, 5, 5), W), {}),
    (((1, 2, 2, 2), W), {}),
    (((1, 2, 0, 5), W), {}),
    ((X, W, (2,)), {}),
    ((X, W, (3, 1)), {}),
    *(((X, W), {name: value}) for name, values in {
        "stride": (0, -1, (1, 2, 3), ()),
        "padding": (-1, (1, 2, 3), "foo", 2**62),
        "dilation": (0, (1, 2, 3)),
        "groups": (2, 0, -1),
    }.items() for value in values),
    ((X, (3, 1, 3, 3)), {"groups": 2}),
    ((X, (0, 2, 3, 3)), {}),
    ((X, (3, 2, 0, 0)), {}),
    ((X, (2, 3)), {}),
    ((X, (3, 2, 3)), {}),
    ((X, W), {"padding": "same", "stride": 2}),
    (((1, 2, 5), (3, 2, 3)), {"name": "conv1d", "padding": (1, 1)}),
    (((1, 2, 5), (3, 2, 6)), {"name": "conv1d"}),
    (((1, 2, 5, 5, 5), (3, 2, 6, 1, 1)), {"name": "conv3d"}),
    *((((1, 2, 5, 5), (2, 3, 3, 3)), {"name": "conv_transpose2d", **options}) for options in (
        {"output_padding": 1}, {"output_padding": -1}, {"padding": 5}, {"groups": 3},
        {"padding": -1}, {"stride": 0}, {"stride": (1, 2, 3)}, {"output_padding": (1, 2, 3)},
    )),
    (((1, 2, 5, 5), (3, 3, 3, 3)), {"name": "conv_transpose2d"}),
    (((1, 2, 5, 5), (2, 3, 3, 3), (2,)), {"name": "conv_transpose2d"}),
    (((2, 5), (2, 3, 3, 3)), {"name": "conv_transpose2d"}),
    (((1, 2, 5), (2, 3, 3)), {"name": "conv_transpose1d", "padding": (1, 1)}),
]  # fmt: skip


@pytest.mark.parametrize(("shapes", "options"), REFUSED, ids=str)
def test_refused(shapes: tuple, options: dict) -> None:
    refuse_alike(lambda lib: conv(lib, *shapes, **options))


def test_refused_dtypes() -> None:
    def call(lib: Any, *dtypes: str) -> Any:
        shapes = ((1, 2, 5, 5), (3, 2, 3, 3), (3,))
        tensors = [lib.ones(s, dtype=getattr(lib, d)) for s, d in zip(shapes, dtypes, strict=False)]
        return f(lib).conv2d(*tensors)

    refuse_alike(lambda lib: call(lib, "float64", "float32"))
    refuse_alike(lambda lib: call(lib, "float32", "float32", "float64"))
    refuse_alike(lambda lib: f(lib).conv2d(1, lib.ones(3)), text=False)


def test_extreme_numbers() -> None:
    x, w = tg.ones(1, 1, 3), tg.ones(1, 1, 1)
    assert tuple(F.conv1d(x, w, stride=2**62).shape) == (1, 1, 1)
    assert tuple(F.conv1d(x, w, dilation=2**62).shape) == (1, 1, 3)
    for options in ({"padding": 2**62 - 1}, {"padding": 2**40}):
        with pytest.raises(RuntimeError):
            F.conv1d(x, w, **options)
    with pytest.raises(RuntimeError):
        F.conv1d(x, tg.ones(1, 1, 3), dilation=2**62)
    # A kernel that spans a large padding needs no memory for it.
    far = F.conv1d(x, tg.ones(1, 1, 2), padding=10**9, dilation=2 * 10**9)
    assert array(far).ravel().tolist() == [0, 0, 0]
    far = F.conv1d(x, tg.ones(1, 1, 2), padding=10**9, dilation=10**9, stride=10**9)
    assert array(far).ravel().tolist() == [1, 1]


# ---------------------------------------------------------------------- layers

LAYERS = [
    ("Conv1d", (4, 6, 3), {}, (2, 4, 9)),
    ("Conv2d", (4, 6, 3, 2, 1, 2, 2), {}, (2, 4, 9, 9)),
    ("Conv2d", (4, 6, (3, 2)), {"padding": "same", "bias": False}, (2, 4, 9, 9)),
    ("Conv2d", (4, 6, 3), {"padding": (1, 2), "padding_mode": "reflect"}, (2, 4, 9, 9)),
    ("Conv2d", (4, 6, 3), {"padding": "same", "padding_mode": "circular"}, (4, 9, 9)),
    ("Conv1d", (4, 6, 4), {"padding": "same", "padding_mode": "replicate"}, (2, 4, 9)),
    ("Conv3d", (2, 4, (1, 2, 3)), {"groups": 2}, (2, 2, 4, 5, 6)),
    ("ConvTranspose1d", (4, 2, 3), {"stride": 2, "output_padding": 1}, (2, 4, 5)),
    ("ConvTranspose2d", (4, 4, 3, 2, 1, 1, 2, False, 2), {}, (2, 4, 5, 5)),
    ("ConvTranspose3d", (4, 2, 2), {}, (4, 3, 3, 3)),
]


@pytest.mark.parametrize(("name", "args", "options", "shape"), LAYERS, ids=str)
def test_layers(name: str, args: tuple, options: dict, shape: tuple) -> None:
    layer = getattr(nn, name)(*args, **options, dtype=tg.float64)
    other = getattr(torch.nn, name)(*args, **options, dtype=torch.float64)
    assert repr(layer) == repr(other)
    state = other.state_dict()
    assert list(layer.state_dict()) == list(state)
    layer.load_state_dict({k: tg.from_numpy(v.numpy()) for k, v in state.items()})
    x = numbers(*shape)
    want = other(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(array(layer(tg.from_numpy(x))), want, 1e-10, 1e-10)
    for attribute in ("in_channels", "out_channels", "kernel_size", "stride", "padding", "groups",
                      "dilation", "output_padding", "padding_mode", "transposed"):  # fmt: skip
        assert getattr(layer, attribute) == getattr(other, attribute)


def test_initial_values() -> None:
    tg.manual_seed(1)
    for layer, fan_in in ((nn.Conv2d(8, 64, 3, groups=2), 36), (nn.ConvTranspose2d(64, 8, 3), 72)):
        for values in (layer.weight, layer.bias):
            assert float(values.abs().max()) <= 1 / math.sqrt(fan_in)
        assert layer.weight.std().item() == pytest.approx(1 / math.sqrt(3 * fan_in), rel=0.05)


@pytest.mark.parametrize("output_size", [(12, 12), (11, 12), (1, 3, 12, 12), None])
def test_output_size(output_size: Any) -> None:
    x = tg.ones(1, 2, 5, 5)
    layer = nn.ConvTranspose2d(2, 3, 3, stride=2)
    shape = layer(x, output_size=output_size).shape
    assert tuple(shape[2:]) == (tuple(output_size[-2:]) if output_size else (11, 11))


def test_refused_layers() -> None:
    for name, args, options in (
        ("Conv2d", (3, 4, 3), {"groups": 2}),
        ("Conv2d", (4, 3, 3), {"groups": 2}),
        ("Conv2d", (4, 4, 3), {"groups": 0}),
        ("Conv2d", (4, 3, 3), {"padding": "foo"}),
        ("Conv2d", (4, 3, 3), {"padding": "same", "stride": 2}),
        ("ConvTranspose2d", (4, 4, 3), {"padding_mode": "reflect"}),
    ):
        refuse_alike(
            lambda lib, n=name, a=args, o=options: getattr(lib.nn, n)(*a, **o),
            text="foo" not in options.values(),
        )
    with pytest.raises(ValueError, match="padding_mode must be one of"):
        nn.Conv2d(4, 3, 3, padding_mode="x")
    for size in ((20, 20), (12, 12, 1)):
        refuse_alike(
            lambda lib, s=size: lib.nn.ConvTranspose2d(2, 3, 3)(lib.ones(1, 2, 5, 5), output_size=s)
        )


def test_network_learns() -> None:
    """A small network of convolutions fits random labels."""
    tg.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(400, 10),
    )  # fmt: skip
    x, target = tg.randn(16, 1, 28, 28), tg.arange(16) % 10
    optimizer = tg.optim.Adam(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), target)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.05 * losses[0]


def test_all_taps_of_all_strides() -> None:
    """Each position of the input gets its gradient, whatever stride and kernel."""
    for stride, kernel, padding in itertools.product((1, 2, 3, 5), (1, 2, 3, 4), (0, 1)):
        if 2 * padding + 7 < kernel:
            continue
        agree(
            lambda lib, x, w, s=stride, p=padding: f(lib).conv1d(x, w, stride=s, padding=p),
            numbers(2, 2, 7),
            numbers(3, 2, kernel, seed=1),
            second=False,
        )
