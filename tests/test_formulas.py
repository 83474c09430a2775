"""Element-wise formulas and losses where they branch, and at the ends of the range.

Derivatives of the first three orders, in float32 and float64.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import tapegrad as tg
from both import both
from op_reference import erfc, sigmoid
from support import array, raises

F = tg.nn.functional
INF, NAN = math.inf, math.nan
DTYPES = ("float32", "float64")
each_dtype = pytest.mark.parametrize("dtype", DTYPES)


def leaf(values: Any, dtype: str = "float64") -> Any:
    return tg.tensor(values, dtype=getattr(tg, dtype), requires_grad=True)


def orders(f: Callable[[Any], Any], x: Any, count: int = 3) -> list[np.ndarray]:
    """The derivatives of each element; zero where the one before is constant for all."""
    found, y = [], f(x)
    for _ in range(count):
        y = (
            tg.autograd.grad(y.sum(), x, create_graph=True)[0]
            if y.requires_grad
            else tg.zeros_like(x)
        )
        found.append(array(y))
    return found


# ---------------------------------------------------------------- formulas with known derivatives

Derivatives = Callable[[np.ndarray], tuple]


def of_elu(x: np.ndarray) -> tuple:
    low = 0.7 * np.exp(np.minimum(x, 0))
    # Of both sides of 0 the slope is the left one's, the rest the right one's.
    return np.where(x > 0, 1, low), *[np.where(x >= 0, 0, low)] * 2


def of_softplus(beta: float, threshold: float) -> Derivatives:
    def derivatives(x: np.ndarray) -> tuple:
        s, rest = sigmoid(beta * x), sigmoid(-beta * x)
        curve = beta * s * rest
        near = x * beta <= threshold
        return np.where(near, s, 1), near * curve, near * beta * curve * (rest - s)

    return derivatives


def of_logsigmoid(x: np.ndarray) -> tuple:
    s, rest = sigmoid(x), sigmoid(-x)
    return rest, -s * rest, s * rest * (s - rest)


def of_silu(x: np.ndarray) -> tuple:
    s, rest = sigmoid(x), sigmoid(-x)
    p, d = s * rest, rest - s
    return s + x * p, p * (2 + x * d), p * (3 * d + x * (d * d - 2 * p))


def of_gelu(x: np.ndarray) -> tuple:
    z = np.clip(x, -50, 50)
    pdf = np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    return erfc(-z / math.sqrt(2)) / 2 + z * pdf, pdf * (2 - z * z), pdf * (z**3 - 4 * z)


def of_gelu_tails(x: np.ndarray) -> tuple:
    return np.where(x == 0, 0.5, x > 0), (x == 0) * math.sqrt(2 / math.pi), 0 * x


def of_selu(x: np.ndarray) -> tuple:
    scale, low = 1.0507009873554805, 1.7580993408473766 * np.exp(np.minimum(x, 0))
    return np.where(x > 0, scale, low), *[np.where(x >= 0, 0, low)] * 2


def of_celu(x: np.ndarray) -> tuple:
    low = np.exp(np.minimum(x, 0) / 0.7)
    curve = np.where(x >= 0, 0, low) / 0.7
    return np.where(x > 0, 1, low), curve, curve / 0.7


def of_hardswish(x: np.ndarray) -> tuple:
    inner = np.abs(x) < 3
    return np.where(inner, np.clip(x, -3, 3) / 3 + 0.5, x > 0), inner / 3, 0 * x


def of_asinh(x: np.ndarray) -> tuple:
    r = 1 / np.hypot(x, 1)
    return r, -x * r * r * r, 2 * r * (x * r * r) ** 2 - r**5


def of_smooth_l1(beta: float) -> Derivatives:
    def derivatives(x: np.ndarray) -> tuple:
        near = np.abs(x) < beta
        return np.where(near, x / beta, np.sign(x)), near / beta, 0 * x

    return derivatives


HUGE = {"float32": [1e19, 3e19, 3e38], "float64": [1e155, 1e200, 1.7e308]}
EXP_ENDS = {"float32": [88.7, 88.8, 104.0], "float64": [709.7, 709.8, 746.0]}


def tails(dtype: str, *values: float) -> list[float]:
    """These, where exp ends, and huge ones, of both signs."""
    all_of_them = [*values, *EXP_ENDS[dtype], *HUGE[dtype]]
    return [0.0, -0.0, *all_of_them, *(-v for v in all_of_them)]


KNOWN: dict[str, tuple[Callable[[Any], Any], Derivatives, tuple]] = {
    "elu": (lambda x: F.elu(x, 0.7), of_elu, (1.0, 10.0)),
    "softplus": (F.softplus, of_softplus(1, 20), (0.3, 15.0, 19.9, 20.0, 20.1)),
    "softplus-late": (
        lambda x: F.softplus(x, 2.0, 90.0), of_softplus(2, 90), (0.3, 20.0, 30.0, 44.0)
    ),
    "logsigmoid": (F.logsigmoid, of_logsigmoid, (0.3, 15.0, 19.9, 20.0001, 30.0, 80.0)),
    "silu": (F.silu, of_silu, (0.3, 15.0, 20.0, 30.0)),
    "gelu": (F.gelu, of_gelu, (0.3, 1.0, 3.0)),
    "gelu-tanh": (lambda x: F.gelu(x, approximate="tanh"), of_gelu_tails, (30.0, 1e4, 1e10)),
    "relu": (tg.relu, lambda x: (x > 0, 0 * x, 0 * x), (1.0,)),
    "leaky_relu": (
        lambda x: F.leaky_relu(x, 0.1), lambda x: (np.where(x > 0, 1, 0.1), 0 * x, 0 * x), (1.0,)
    ),
    "selu": (F.selu, of_selu, (1.0, 10.0)),
    "celu": (lambda x: F.celu(x, 0.7), of_celu, (1.0, 10.0)),
    "hardtanh": (F.hardtanh, lambda x: (np.abs(x) < 1, 0 * x, 0 * x), (0.5, 1.0, 1.5)),
    "hardsigmoid": (F.hardsigmoid, lambda x: ((np.abs(x) < 3) / 6, 0 * x, 0 * x), (1.0, 3.0, 3.5)),
    "hardswish": (F.hardswish, of_hardswish, (1.0, 3.0, 3.5)),
    "softshrink": (F.softshrink, lambda x: (np.abs(x) > 0.5, 0 * x, 0 * x), (0.4, 0.5, 0.6)),
    "hardshrink": (F.hardshrink, lambda x: (np.abs(x) > 0.5, 0 * x, 0 * x), (0.4, 0.5, 0.6)),
    "threshold": (
        lambda x: F.threshold(x, 1.0, 7.0), lambda x: (x > 1, 0 * x, 0 * x), (0.5, 1.0, 1.5)
    ),
    "asinh": (tg.asinh, of_asinh, (1e-20, 0.3, 3.0, 1e10)),
    "logaddexp": (
        lambda x: tg.logaddexp(x, tg.zeros_like(x)), of_softplus(1, INF), (0.3, 15.0, 20.0, 30.0)
    ),
    "abs": (tg.abs, lambda x: (np.sign(x), 0 * x, 0 * x), (1.0,)),
    "clamp": (lambda x: x.clamp(-1, 1), lambda x: (np.abs(x) <= 1, 0 * x, 0 * x), (0.5, 1.0, 1.5)),
    "x**1": (lambda x: x**1, lambda x: (1 + 0 * x, 0 * x, 0 * x), (1e-30, 1.0)),
    "x**2": (lambda x: x**2, lambda x: (2.0 * x, 2 + 0 * x, 0 * x), (1e-30, 1.0)),
    "x**3": (lambda x: x**3, lambda x: (3 * x * x, 6 * x, 6 + 0 * x), (1e-10, 1.0)),
    **{
        f"x**0-{i}": (power, lambda x: (0 * x, 0 * x, 0 * x), (1e-42, 1e-20, 2.0))
        for i, power in enumerate((
            lambda x: x**0, lambda x: x**0.0, lambda x: tg.pow(x, 0), lambda x: x ** tg.tensor(0.0),
            lambda x: x ** tg.zeros(len(x)), lambda x: (x * 1).pow_(0),
            lambda x: x.clone().pow_(tg.tensor(0.0)),
        ))
    },
    **{
        f"smooth_l1-{beta}": (
            lambda x, beta=beta: F.smooth_l1_loss(x, tg.zeros_like(x), reduction="none", beta=beta),
            of_smooth_l1(beta), (beta / 2, beta, beta * 2),
        )
        for beta in (1.0, 0.25, 8.0, 1e-30)
    },
    "bce-of-1": (
        lambda x: F.binary_cross_entropy_with_logits(x, tg.ones_like(x), reduction="none"),
        lambda x: (-sigmoid(-x), *(-d for d in of_logsigmoid(x)[1:])), (0.3, 15.0, 20.0, 30.0),
    ),
    "bce-of-0": (
        lambda x: F.binary_cross_entropy_with_logits(x, tg.zeros_like(x), reduction="none"),
        of_softplus(1, INF), (0.3, 15.0, 20.0, 30.0),
    ),
    "bce-of-1-weighted": (
        lambda x: F.binary_cross_entropy_with_logits(
            x, tg.ones_like(x), reduction="none", pos_weight=tg.full_like(x, 3.0)
        ),
        lambda x: tuple(-3 * d for d in of_logsigmoid(x)), (0.3, 15.0, 20.0, 30.0),
    ),
}  # fmt: skip


@each_dtype
@pytest.mark.parametrize("name", KNOWN)
def test_derivatives_at_branches_and_tails(name: str, dtype: str) -> None:
    f, derivatives, near = KNOWN[name]
    x = leaf(tails(dtype, *near), dtype)
    with np.errstate(all="ignore"):
        expected = derivatives(array(x).astype(np.float64))
        tiny = float(np.finfo(dtype).smallest_normal)
        rtol = {"float32": 1e-5, "float64": 1e-12}[dtype]
        for order, (got, want) in enumerate(zip(orders(f, x), expected, strict=True), 1):
            want = np.asarray(want).astype(dtype)
            np.testing.assert_allclose(
                got, want, rtol, tiny * 1e3, err_msg=f"order {order} at {array(x)}"
            )


# A gradient that is constant on each side of a kink is differentiable all the same.
CONSTANT: dict[str, Callable[[Any], Any]] = {
    "relu": lambda x: x.relu(),
    "relu_": lambda x: (x * 1).relu_(),
    "leaky_relu": lambda x: F.leaky_relu(x),
    "clamp": lambda x: x.clamp(min=0),
    "clamp-tensors": lambda x: x.clamp(tg.zeros(3), tg.ones(3)),
    "maximum": lambda x: tg.maximum(x, tg.zeros(3)),
    "amax": lambda x: x.reshape(3, 1).amax(1),
    "max": lambda x: x.max(),
    "prod": lambda x: x.reshape(3, 1).prod(1),
    "abs": lambda x: x.abs(),
    "l1_loss": lambda x: F.l1_loss(x, tg.ones(3)),
    "nll_loss": lambda x: F.nll_loss(x.reshape(1, 3), tg.tensor([1])),
}


@pytest.mark.parametrize("name", CONSTANT)
def test_second_derivative_is_zero_and_not_missing(name: str) -> None:
    x = leaf([1.0, -2.0, 0.5], "float32")
    (grad,) = tg.autograd.grad(CONSTANT[name](x).sum(), x, create_graph=True)
    assert grad.requires_grad
    for _ in range(2):
        (second,) = tg.autograd.grad(grad.sum(), x, create_graph=True)
        assert second.tolist() == [0.0] * 3


@pytest.mark.parametrize("activation", [tg.relu, F.leaky_relu, F.elu, lambda x: x.clamp(min=0)])
def test_gradient_penalty(activation: Callable[[Any], Any]) -> None:
    """The slope of a network is trained through its activation."""
    w = leaf([[100.0, -1.0], [2.0, 0.0]], "float32")
    x = leaf([[1.0, 2.0], [300.0, -4.0]], "float32")
    (slope,) = tg.autograd.grad(activation(x @ w).sum(), x, create_graph=True)
    slope.square().sum().backward()
    assert np.isfinite(array(w.grad)).all()
    assert np.isfinite(array(x.grad)).all()


def test_linear_operators_have_no_second_derivative() -> None:
    x = leaf([1.0, 2.0])
    for y in ((x * 3).sum(), x.sum(), x[0], (x - 1).mean(), tg.cat([x, x]).sum()):
        (grad,) = tg.autograd.grad(y, x, create_graph=True)
        assert not grad.requires_grad


# ---------------------------------------------------------------- pow


def test_pow_in_both_operands_at_exponent_zero() -> None:
    """The order of two derivatives does not matter: both give 1 / a."""
    a, b = leaf([0.5, 2.0, 4.0]), leaf([0.0, 0.0, 0.0])
    by_a, by_b = tg.autograd.grad((a**b).sum(), (a, b), create_graph=True)
    (one,) = tg.autograd.grad(by_a.sum(), b, retain_graph=True)
    (other,) = tg.autograd.grad(by_b.sum(), a)
    np.testing.assert_allclose(array(one), [2.0, 0.5, 0.25], rtol=1e-15)
    np.testing.assert_allclose(array(other), [2.0, 0.5, 0.25], rtol=1e-15)


def test_pow_of_zero() -> None:
    b = leaf([1.0, 2.0, 3.5])
    assert [d.tolist() for d in orders(lambda b: 0.0**b, b)] == [[0.0] * 3] * 3
    a = leaf([0.0, 0.0])
    assert [d.tolist() for d in orders(lambda a: a ** b[1:].detach(), a, 2)] == [[0, 0], [2, 0]]


# ---------------------------------------------------------------- remainder, fmod


def exact_quotient(name: str, a: float, b: float) -> int:
    quotient = Fraction(a) / Fraction(b)
    return math.floor(quotient) if name == "remainder" else math.trunc(quotient)


@each_dtype
@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("name", ["remainder", "fmod"])
def test_divisor_of_a_remainder(name: str, create_graph: bool, dtype: str) -> None:
    """How often the divisor was taken off, of the exact quotient, as for the value."""
    random = np.random.default_rng(1)
    steps = random.choice([0.1, 0.3, -0.7, 1e-3, 3.0], 60)
    left = np.concatenate([[1.0, -1.0, 0.3, 7.0, -5.0], steps * random.integers(-40, 40, 60)])
    right = np.concatenate([[0.1, 0.1, 0.1, -2.0, 3.0], steps])
    a, b = leaf(left.tolist(), dtype), leaf(right.tolist(), dtype)
    y = getattr(tg, name)(a, b)
    by_a, by_b = tg.autograd.grad(y.sum(), (a, b), create_graph=create_graph)
    pairs = zip(array(a).tolist(), array(b).tolist(), strict=True)
    assert by_a.tolist() == [1.0] * len(left)
    assert by_b.tolist() == [-exact_quotient(name, p, q) for p, q in pairs]


@both
def test_infinite_divisor(lib: Any) -> None:
    for name, slopes in (("remainder", [0.0, 1.0]), ("fmod", [0.0, 0.0])):
        b = lib.tensor([INF, INF], requires_grad=True)
        getattr(lib, name)(lib.tensor([5.0, -5.0]), b).sum().backward()
        assert b.grad.tolist() == slopes


# ---------------------------------------------------------------- atan2

MAGNITUDES = {
    "float32": [1e-38, 1e-30, 1e-23, 1e-10, 1.0, 1e19, 1e30, 1e38],
    "float64": [1e-300, 1e-200, 1e-160, 1.0, 1e150, 1e160, 1e300],
}


@each_dtype
@pytest.mark.parametrize("create_graph", [False, True])
def test_atan2_of_every_magnitude(create_graph: bool, dtype: str) -> None:
    for scale, (p, q) in itertools.product(
        MAGNITUDES[dtype], [(1, 1), (2, -1), (-1, 3), (0, 1), (1, 0)]
    ):
        a, b = leaf([p * scale], dtype), leaf([q * scale], dtype)
        grads = tg.autograd.grad(tg.atan2(a, b), (a, b), create_graph=create_graph)
        size = Fraction(a.item()) ** 2 + Fraction(b.item()) ** 2
        want = [float(Fraction(b.item()) / size), float(-Fraction(a.item()) / size)]
        np.testing.assert_allclose([g.item() for g in grads], want, rtol=1e-6)


@both
def test_atan2_at_the_origin(lib: Any) -> None:
    a, b = (lib.tensor([0.0, -0.0], requires_grad=True) for _ in range(2))
    for g in lib.autograd.grad(lib.atan2(a, b).sum(), (a, b), create_graph=True):
        assert g.tolist() == [0.0, 0.0]
        if lib is tg:
            for second in tg.autograd.grad(g.sum(), (a, b), retain_graph=True):
                assert second.tolist() == [0.0, 0.0]


def test_atan2_of_infinities() -> None:
    for p, q in ((INF, 1.0), (1.0, INF), (-INF, -INF)):
        a, b = leaf(p), leaf(q)
        grads = tg.autograd.grad(tg.atan2(a, b), (a, b), create_graph=True)
        assert [g.item() for g in grads] == [0.0, 0.0]
        assert tg.autograd.grad(grads[0], a)[0].item() == 0.0


@pytest.mark.parametrize("scale", [1e-15, 1e-5, 1.0, 1e15])
def test_atan2_twice(scale: float) -> None:
    a, b = leaf(3 * scale, "float32"), leaf(4 * scale, "float32")
    by_a, by_b = tg.autograd.grad(tg.atan2(a, b), (a, b), create_graph=True)
    aa, ab = (g.item() * scale**2 for g in tg.autograd.grad(by_a, (a, b), retain_graph=True))
    ba, bb = (g.item() * scale**2 for g in tg.autograd.grad(by_b, (a, b)))
    # -2 a b / r**4 and (a**2 - b**2) / r**4
    np.testing.assert_allclose([aa, ab, ba, bb], np.array([-24, -7, -7, 24]) / 625, rtol=1e-5)


# ---------------------------------------------------------------- clamp


@both
@pytest.mark.parametrize("dtype", DTYPES)
def test_bound_that_is_nan(lib: Any, dtype: str) -> None:
    x = lib.tensor([-1.0, 0.0, 2.0], dtype=getattr(lib, dtype), requires_grad=True)
    for bounds in ({"max": NAN}, {"min": NAN}, {"min": 0.0, "max": NAN}, {"min": NAN, "max": 0.0}):
        results = [x.clamp(**bounds), lib.clamp(x, **bounds), (x * 1).clamp_(**bounds)]
        if len(bounds) == 1:
            ((side, bound),) = bounds.items()
            results.append(getattr(lib, f"clamp_{side}")(x, bound))
        for result in results:
            assert all(math.isnan(v) for v in result.tolist())
            assert lib.autograd.grad(result.sum(), x)[0].tolist() == [0.0] * 3


@both
@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("create_graph", [False, True])
def test_bounds_that_are_tensors(lib: Any, create_graph: bool, inplace: bool) -> None:
    """At a bound the gradient is the input's, as for numbers; NaN has none."""
    rows = [  # input, min, max, and who gets the gradient
        (0.0, 0.0, 1.0, "x"), (1.0, 0.0, 1.0, "x"), (0.5, 0.0, 1.0, "x"), (-1.0, 0.0, 1.0, "min"),
        (2.0, 0.0, 1.0, "max"), (0.0, 1.0, -1.0, "max"), (1.0, 1.0, -1.0, "max"),
        (0.0, 0.0, 0.0, "x"), (1.0, 0.0, 0.0, "max"), (NAN, 0.0, 1.0, ""), (0.0, NAN, 1.0, ""),
        (0.0, 0.0, NAN, ""),
    ]  # fmt: skip
    x, low, high = (lib.tensor([r[i] for r in rows], requires_grad=True) for i in range(3))
    y = (x * 1).clamp_(low, high) if inplace else x.clamp(low, high)
    grads = lib.autograd.grad(y.sum(), (x, low, high), create_graph=create_graph)
    for name, grad in zip(("x", "min", "max"), grads, strict=True):
        assert grad.tolist() == [float(r[3] == name) for r in rows], name


@both
@pytest.mark.parametrize("inplace", [False, True])
def test_one_bound_that_is_a_tensor(lib: Any, inplace: bool) -> None:
    for side, sign in (("min", 1), ("max", -1)):
        x = lib.tensor([0.0, 1.0 * sign, -1.0 * sign, NAN], requires_grad=True)
        bound = lib.zeros(4, requires_grad=True)
        y = (x * 1).clamp_(**{side: bound}) if inplace else x.clamp(**{side: bound})
        gx, gb = lib.autograd.grad(y.sum(), (x, bound))
        assert (gx.tolist(), gb.tolist()) == ([1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0])


def test_equal_bounds_get_all_of_the_gradient() -> None:
    x, low, high = leaf([-1.0]), leaf([0.0]), leaf([0.0])
    grads = tg.autograd.grad(x.clamp(low, high), (x, low, high))
    assert [g.item() for g in grads] == [0.0, 1.0, 0.0]


def test_bounds_of_both_kinds_and_other_shapes() -> None:
    x, low = leaf([[-1.0, 0.5, 3.0]] * 2), leaf([[0.0], [1.0]], "float32")
    y = x.clamp(low, 2.0)
    assert (y.dtype, y.tolist()) == (tg.float64, [[0.0, 0.5, 2.0], [1.0, 1.0, 2.0]])
    gx, gl = tg.autograd.grad(y.sum(), (x, low))
    assert gx.tolist() == [[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]
    assert (gl.dtype, gl.tolist()) == (tg.float32, [[1.0], [2.0]])
    counts = tg.tensor([1, 5])
    (slope,) = tg.autograd.grad(counts.clamp(min=(b := leaf([2.0, 2.0]))).sum(), b)
    assert slope.tolist() == [1.0, 0.0]


def test_clamp_in_place_writes_nothing_where_it_raises() -> None:
    x = tg.tensor([1.0, 2.0])
    bound = leaf([[3.0, 3.0], [3.0, 3.0]], "float32")
    with raises(RuntimeError, "output with shape [2] doesn't match the broadcast shape [2, 2]"):
        x.clamp_(min=bound)
    assert (x.tolist(), x._version) == ([1.0, 2.0], 0)
    x.clamp_(min=bound[0] + x)  # what it is bounded by may be made of it
    assert x.tolist() == [4.0, 5.0]


# ---------------------------------------------------------------- losses


@each_dtype
def test_smooth_l1_loss_of_every_magnitude(dtype: str) -> None:
    top = 3e38 if dtype == "float32" else 1.5e308
    x = leaf([0.0, 1e-3, -2.0, top, -top, INF, NAN], dtype)
    for beta in (1e-39, 1e-50, 1e-310, 0.0):
        y = F.smooth_l1_loss(x, tg.zeros_like(x), reduction="none", beta=beta)
        np.testing.assert_allclose(array(y), np.abs(array(x)), rtol=1e-7)
        slope, curve = orders(lambda x, y=y: y, x, 2)
        assert slope.tolist()[:6] == [0.0, 1.0, -1.0, 1.0, -1.0, 1.0]
        with np.errstate(over="ignore"):
            at_zero = np.float64(1) / beta if beta and np.dtype(dtype).type(beta) else 0.0
            np.testing.assert_allclose(curve[0], np.dtype(dtype).type(at_zero), rtol=1e-5)
        assert curve.tolist()[1:6] == [0.0] * 5
    far = F.smooth_l1_loss(leaf([top], dtype), leaf([-top], dtype))
    assert far.item() == INF
    layer = tg.nn.SmoothL1Loss(beta=0.5)
    z = leaf([1.0, 2.0], dtype)
    assert [d.tolist() for d in orders(lambda x: 2 * layer(x, z.detach()), z, 2)] == [
        [0, 0],
        [2, 2],
    ]


IGNORING = (
    {},
    {"weight": True},
    {"label_smoothing": 0.3},
    {"weight": True, "label_smoothing": 0.3},
)


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("name", ["cross_entropy", "nll_loss"])
def test_nothing_of_an_ignored_row_counts(name: str, reduction: str, create_graph: bool) -> None:
    for options, value, targets in itertools.product(
        IGNORING, (NAN, INF, 1.0), ([0, -100], [-100, -100])
    ):
        if name == "nll_loss" and "label_smoothing" in options:
            continue
        given = dict(options, weight=tg.tensor([1.0, 2.0, 0.5])) if "weight" in options else options
        x = leaf([[-1.0, -2.0, -3.0], [value, -1.0, -2.0]], "float32")
        y = getattr(F, name)(x, tg.tensor(targets), reduction=reduction, **given)
        # What arrives at an ignored row, or for the mean of nothing, does not count either.
        arriving = tg.full_like(y, NAN if targets[0] < 0 else 1.0)
        if reduction == "none":
            arriving[1] = NAN
        (grad,) = tg.autograd.grad(y, x, arriving, create_graph=create_graph)
        assert grad[1].tolist() == [0.0] * 3
        assert np.isfinite(array(grad)).all()
        if create_graph:
            (second,) = tg.autograd.grad(grad.sum(), x)
            assert np.isfinite(array(second)).all()


# ---------------------------------------------------------------- prod


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("create_graph", [False, True])
def test_products_of_the_others(create_graph: bool, dtype: str) -> None:
    big = 1e30 if dtype == "float32" else 1e200
    rows = [
        [2.0, NAN, 3.0, 1.0], [2.0, INF, 3.0, 1.0], [0.0, 2.0, 3.0, 4.0], [0.0, NAN, 1.0, 1.0],
        [big, 1 / big, 1 / big, big], [big, big, 1.0, 1.0, 1 / big, 1 / big, 1.0, 1.0],
        [1 / big, 1 / big, 1.0, 1.0],
        [big, big, 1.0, 1.0], [INF, 0.0, 1.0, 2.0],
    ]  # fmt: skip
    for row in rows:
        x = leaf(row, dtype)
        values = array(x).astype(np.longdouble)
        with np.errstate(all="ignore"):
            want = [np.prod(np.delete(values, i)) for i in range(len(row))]
            want = np.array(want).astype(dtype)
        for y in (
            x.prod(),
            x.prod(0),
            x.reshape(2, -1, 1).prod(),
            tg.stack([x, tg.ones_like(x)]).prod(1)[0],
        ):
            (grad,) = tg.autograd.grad(y, x, create_graph=create_graph)
            np.testing.assert_allclose(array(grad), want, rtol=1e-6, err_msg=f"{row}")
    column = leaf([[NAN], [0.0]], dtype)
    (grad,) = tg.autograd.grad(column.prod(1).sum(), column, create_graph=create_graph)
    assert grad.tolist() == [[1.0], [1.0]]
