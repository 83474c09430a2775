"""Activation functions as functions, in place and as layers, beside their rows in the table."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import tapegrad as tg
from both import both
from support import array, raises
from test_formulas import leaf, orders

F = tg.nn.functional
POINTS = [-math.inf, -4.0, -3.0, -1.0, -0.5, -0.0, 0.0, 0.5, 1.0, 3.0, 6.0, 7.0, math.inf, math.nan]
CALLS: dict[str, Any] = {
    name: (lambda f, x, name=name: getattr(f, name)(x))
    for name in (
        [
            "hardtanh",
            "relu6",
            "hardsigmoid",
            "hardswish",
            "softshrink",
            "hardshrink",
            "softsign",
            "tanhshrink",
            "mish",
        ]
    )
} | {
    "threshold": lambda f, x: f.threshold(x, 0.5, 20.0),
    "celu": lambda f, x: f.celu(x, 0.7),
    "hardtanh-range": lambda f, x: f.hardtanh(x, -3.0, 6.0),
    "rrelu": lambda f, x: f.rrelu(x),
}


@pytest.mark.parametrize("name", CALLS)
def test_values_and_slopes_at_branch_points(name: str) -> None:
    torch = pytest.importorskip("torch")
    results = []
    for lib in (tg, torch):
        x = lib.tensor(POINTS, requires_grad=True)
        y = CALLS[name](lib.nn.functional, x)
        (slope,) = lib.autograd.grad(y.sum(), x)
        # Of NaN the slope is what the branch says; the others have to agree.
        results.append((y.detach().numpy(), slope.numpy()[:-1]))
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@both
def test_nodes(lib: Any) -> None:
    f, x = lib.nn.functional, lib.tensor([0.5, -0.5], requires_grad=True)
    names = {
        "Hardtanh": f.hardtanh(x), "Hardsigmoid": f.hardsigmoid(x), "Hardswish": f.hardswish(x),
        "Elu": f.selu(x), "Celu": f.celu(x), "Mish": f.mish(x), "Softshrink": f.softshrink(x),
        "Hardshrink": f.hardshrink(x), "Threshold": f.threshold(x, 0.1, 0.0), "Glu": f.glu(x),
        "RreluWithNoise": f.rrelu(x), "PreluKernel": f.prelu(x, lib.tensor(0.25)),
        "Sub": f.tanhshrink(x), "Div": f.softsign(x),
    }  # fmt: skip
    for name, y in names.items():
        assert y.grad_fn.name() == name + "Backward0"
    assert f.relu6(x).grad_fn.name() == "HardtanhBackward0"
    assert f.relu6(x).grad_fn._saved_max_val == 6
    for name, y in (("selu", lib.selu(x)), ("celu", lib.celu(x)), ("rrelu", lib.rrelu(x))):
        assert y.tolist() == getattr(f, name)(x).tolist()
    assert lib.threshold(x, 0, 1).tolist() == [0.5, 1.0]
    assert lib.prelu(x, lib.tensor([0.5])).tolist() == [0.5, -0.25]


NODES = {"rrelu_": "RreluWithNoise", "selu_": "Elu"}
IN_PLACE: dict[str, tuple] = {
    "relu_": (), "elu_": (0.7,), "selu_": (), "celu_": (0.7,), "leaky_relu_": (0.3,),
    "hardtanh_": (-0.5, 0.5), "threshold_": (0.1, 0.2), "rrelu_": (0.2, 0.4),
}  # fmt: skip


@both
@pytest.mark.parametrize("name", IN_PLACE)
def test_functions_in_place(lib: Any, name: str) -> None:
    f, arguments = lib.nn.functional, IN_PLACE[name]
    x = lib.tensor([-1.0, 0.25, 2.0], requires_grad=True)
    node = NODES.get(name, name[:-1].title().replace("_", ""))
    want = getattr(f, name[:-1])(x, *arguments)
    (slope,) = lib.autograd.grad(want.sum(), x)
    inner = x * 1
    result = getattr(f, name)(inner, *arguments)
    assert result is inner
    assert result.tolist() == want.tolist()
    overload = 0 if name in ("relu_", "hardtanh_") else 1
    assert result.grad_fn.name() == f"{node}Backward{overload}"
    (again,) = lib.autograd.grad(result.sum(), x)
    np.testing.assert_allclose(again.numpy(), slope.numpy(), rtol=1e-6)
    with raises(RuntimeError, "a leaf Variable that requires grad is being used in", lib=lib):
        getattr(f, name)(x, *arguments)
    again = getattr(f, name[:-1])(x * 1, *arguments, inplace=True)
    assert again.tolist() == want.tolist()


def test_writing_into_views() -> None:
    x = tg.tensor([[-1.0, 2.0], [-3.0, 4.0]], requires_grad=True)
    y = x * 1
    F.leaky_relu_(y[0], 0.5)
    F.elu_(y[1])
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), [[0.5, 1.0], [math.exp(-3), 1.0]], rtol=1e-6)


# ---------------------------------------------------------------- derivatives


def test_mish_in_the_tails() -> None:
    x = leaf([-80.0, -30.0, -1.19, 0.0, 1.0, 30.0, 80.0, 1e300])
    first, second, third = orders(F.mish, x)
    np.testing.assert_allclose(first[[0, 1]], [np.exp(-80) * -79, np.exp(-30) * -29], rtol=1e-10)
    np.testing.assert_allclose(first[3], 0.6, rtol=1e-15)
    np.testing.assert_allclose(first[5:], 1, rtol=1e-14)
    np.testing.assert_allclose(second[5], 4 * np.exp(-60) * (2 - 60), rtol=1e-10)
    assert np.isfinite(third).all()


def test_shrinks_and_thresholds_have_zero_second_derivatives() -> None:
    x = leaf([-math.inf, -2.0, 0.25, 2.0, math.inf])
    for f in (
        F.hardtanh, F.relu6, F.softshrink, F.hardshrink, F.hardsigmoid, F.rrelu,
        lambda x: F.threshold(x, 0.5, 1.0),
        lambda x: F.prelu(x, tg.tensor([0.25], dtype=tg.float64)),
    ):  # fmt: skip
        _, second, third = orders(f, x)
        assert second.tolist() == third.tolist() == [0.0] * 5
    _, second, third = orders(F.hardswish, x)
    np.testing.assert_allclose(second, [0, 1 / 3, 1 / 3, 1 / 3, 0])
    assert third.tolist() == [0.0] * 5


@both
def test_slopes_that_are_learned(lib: Any) -> None:
    x = lib.tensor([[-1.0, 2.0, -3.0], [4.0, -5.0, -6.0]], requires_grad=True)
    weight = lib.tensor([0.5, 0.25, 0.125], requires_grad=True)
    gx, gw = lib.autograd.grad(lib.prelu(x, weight).sum(), (x, weight))
    assert gx.tolist() == [[0.5, 1.0, 0.125], [1.0, 0.25, 0.125]]
    assert gw.tolist() == [-1.0, -5.0, -9.0]
    one = lib.tensor([0.5], requires_grad=True)
    assert lib.autograd.grad(lib.prelu(x, one).sum(), one)[0].tolist() == [-15.0]
    for wrong in (lib.ones(2), lib.ones(1, 3)):
        with raises(RuntimeError, lib=lib):
            lib.prelu(x, wrong)


def test_slopes_that_are_drawn() -> None:
    tg.manual_seed(0)
    x = tg.full((10_000,), -2.0, requires_grad=True)
    y = F.rrelu(x, 0.25, 0.75, training=True)
    slopes = array(y) / -2
    assert slopes.min() >= 0.25
    assert slopes.max() <= 0.75
    assert abs(slopes.mean() - 0.5) < 0.01
    (grad,) = tg.autograd.grad(y.sum(), x)
    np.testing.assert_allclose(array(grad), slopes, rtol=1e-6)
    z = (x * 1).detach()
    assert F.rrelu_(z, 0.25, 0.75, training=True) is z
    assert F.rrelu(-x, 0.25, 0.75, training=True).tolist() == (-x).tolist()


# ---------------------------------------------------------------- softmax and relatives


def test_gumbel_softmax() -> None:
    tg.manual_seed(0)
    logits = tg.tensor([0.1, 0.2, 0.7]).log().expand(20_000, 3).clone().requires_grad_()
    hard = F.gumbel_softmax(logits, hard=True)
    assert sorted(set(array(hard).round(5).ravel().tolist())) == [0.0, 1.0]
    np.testing.assert_allclose(array(hard.mean(0)), [0.1, 0.2, 0.7], atol=0.02)
    (grad,) = tg.autograd.grad(hard[:, 0].sum(), logits)
    assert grad.abs().sum() > 0
    soft = F.gumbel_softmax(logits, tau=0.5, dim=0)
    np.testing.assert_allclose(array(soft.sum(0)), [1, 1, 1], rtol=1e-4)
    with pytest.warns(UserWarning, match="`eps` parameter is deprecated"):
        F.gumbel_softmax(logits, eps=1.0)


@both
def test_softmax_of_pictures_and_into_a_dtype(lib: Any) -> None:
    layer, x = lib.nn.Softmax2d(), lib.arange(8.0).reshape(2, 2, 2)
    np.testing.assert_allclose(layer(x).sum(0).numpy(), np.ones((2, 2)), rtol=1e-6)
    with raises(ValueError, "Softmax2d: expected input to be 3D or 4D, got 1D instead", lib=lib):
        layer(lib.ones(2))
    for name in ("softmax", "softmin", "log_softmax"):
        assert getattr(lib.nn.functional, name)(x, 0, dtype=lib.float64).dtype == lib.float64


# ---------------------------------------------------------------- layers

LAYERS: dict[str, Any] = {
    "Hardtanh(min_val=-2, max_val=2.5)": lambda nn: nn.Hardtanh(-2, 2.5),
    "Hardtanh(min_val=-1.0, max_val=1.0, inplace=True)": lambda nn: nn.Hardtanh(inplace=True),
    "ReLU6()": lambda nn: nn.ReLU6(),
    "ReLU6(inplace=True)": lambda nn: nn.ReLU6(True),
    "Hardsigmoid()": lambda nn: nn.Hardsigmoid(True),
    "Hardswish()": lambda nn: nn.Hardswish(True),
    "SELU(inplace=True)": lambda nn: nn.SELU(True),
    "CELU(alpha=2.0)": lambda nn: nn.CELU(2.0),
    "CELU(alpha=1.0, inplace=True)": lambda nn: nn.CELU(inplace=True),
    "PReLU(num_parameters=1)": lambda nn: nn.PReLU(),
    "RReLU(lower=0.125, upper=0.3333333333333333)": lambda nn: nn.RReLU().eval(),
    "RReLU(lower=0.1, upper=0.2, inplace=True)": lambda nn: nn.RReLU(0.1, 0.2, True).eval(),
    "Mish()": lambda nn: nn.Mish(),
    "Mish(inplace=True)": lambda nn: nn.Mish(True),
    "Softsign()": lambda nn: nn.Softsign(),
    "Softshrink(0.25)": lambda nn: nn.Softshrink(0.25),
    "Hardshrink(0.5)": lambda nn: nn.Hardshrink(),
    "Tanhshrink()": lambda nn: nn.Tanhshrink(),
    "Threshold(threshold=1, value=2.0, inplace=True)": lambda nn: nn.Threshold(1, 2.0, True),
    "GLU(dim=0)": lambda nn: nn.GLU(0),
    "Softmax2d()": lambda nn: nn.Softmax2d(),
}


@both
@pytest.mark.parametrize("text", LAYERS)
def test_layers(lib: Any, text: str) -> None:
    layer = LAYERS[text](lib.nn)
    assert repr(layer) == text
    x = lib.tensor([-4.0, -0.5, 0.25, 8.0])
    x = x.reshape(4, 1, 1) if text == "Softmax2d()" else x
    reference = LAYERS[text](tg.nn)(tg.tensor(x.tolist()))
    y = layer(x * 1)
    np.testing.assert_allclose(y.tolist(), reference.tolist(), rtol=1e-5, atol=1e-6)


@both
def test_layers_with_conditions(lib: Any) -> None:
    with raises(AssertionError, "max_val (1) must be greater than min_val (2)", lib=lib):
        lib.nn.Hardtanh(2, 1)
    with pytest.warns(FutureWarning, match="`max_value` is deprecated and renamed to `max_val`"):
        assert lib.nn.Hardtanh(max_value=3).max_val == 3
    layer = lib.nn.PReLU(3, 0.5)
    assert list(layer.state_dict()) == ["weight"]
    assert layer.weight.tolist() == [0.5] * 3
    assert lib.nn.PReLU(2, dtype=lib.float64).weight.dtype == lib.float64
    layer(-lib.ones(2, 3)).sum().backward()
    assert layer.weight.grad.tolist() == [-2.0] * 3
