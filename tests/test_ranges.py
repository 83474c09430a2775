"""Reductions over the whole range of the dtype, and what they make of infinities and zeros.

What squares or exponentiates inside is right wherever the result can be represented: at any power
of two the values and gradients are those at 1, times a power of two.
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
from support import FLOATS, array, contiguous, dtype_of
from tapegrad.nn import functional as F

INF = math.inf

# How often the scale of the input is a factor of the result, and a function of it.
HOMOGENEOUS: dict[str, tuple[int, Callable[..., Any]]] = {
    "mean": (1, lambda x, **k: x.mean(**k)),
    "std": (1, lambda x, **k: x.std(**k)),
    "var": (2, lambda x, **k: x.var(correction=0, **k)),
    **{
        f"norm {p}": (1, lambda x, p=p, **k: x.norm(p, **k))
        for p in (-INF, -2.5, -1, 0.5, 1, 1.1, 1.5, 2, 2.5, 3, 7, 9, INF)
    },
}
OVER_ALL: dict[str, tuple[int, Callable[..., Any]]] = {
    "mse_loss": (2, lambda x: F.mse_loss(x, x.detach().flip(0))),
    "mse_loss sum": (2, lambda x: F.mse_loss(x, x.detach().flip(0), reduction="sum")),
    "layer_norm": (0, lambda x: F.layer_norm(x, x.shape[-1:], eps=0.0)),
    "normalize": (0, lambda x: F.normalize(x, dim=-1, eps=0.0)),
    **{
        f"matrix_norm {p}": (1, lambda x, p=p: tg.linalg.matrix_norm(x, p))
        for p in (1, -1, INF, -INF, "fro", 2, -2, "nuc")
    },
    "normalize 0.5": (0, lambda x: F.normalize(x, 0.5, dim=0, eps=0.0)),
}
EXPONENTS = {
    "float32": (-144, -126, -100, -70, -30, 0, 50, 70, 110, 121, 124),
    "float64": (-1069, -1020, -900, -540, -200, 0, 400, 530, 900, 1015, 1020),
}
SHAPES = {
    (3, 40): [{"dim": 0}, {"dim": 1}, {}],
    (40, 3): [{"dim": 0}],
    (2, 5, 3): [{"dim": 1}, {"dim": (0, 2)}],
    (1, 5000): [{"dim": 1}],
}
CASES = [
    *((n, k, f, s, kw) for n, (k, f) in HOMOGENEOUS.items() for s, d in SHAPES.items() for kw in d),
    *((n, k, f, (3, 40), {}) for n, (k, f) in OVER_ALL.items()),
]


def whole_numbers(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Values from 1 to 7 of either sign: exact at every scale."""
    random = np.random.default_rng(1)
    return (random.integers(1, 8, shape) * random.choice([-1, 1], shape)).astype(dtype)


def results(
    f: Callable[..., Any], values: np.ndarray, create_graph: bool, **kw: Any
) -> tuple[np.ndarray, np.ndarray]:
    x = contiguous(values).requires_grad_()
    y = f(x, **kw)
    weights = np.random.default_rng(2).integers(1, 4, tuple(y.shape)).astype(values.dtype)
    (gradient,) = tg.autograd.grad(y, x, contiguous(weights), create_graph=create_graph)
    return array(y), array(gradient)


def compare_scaled(
    got: np.ndarray, want: np.ndarray, exponent: int, dtype: str, units: int = 16
) -> bool:
    """Hold got against want * 2**exponent, unless that is beyond the dtype; says whether it is."""
    limits = np.finfo(dtype)
    factor = Fraction(2) ** exponent
    largest = Fraction(float(np.abs(want).max())) * factor
    if largest > Fraction(float(limits.max)):
        return False
    allowed = largest * Fraction(float(limits.eps)) * units
    allowed += 2 * Fraction(float(limits.smallest_subnormal))
    for one, exact in zip(got.ravel().tolist(), want.ravel().tolist(), strict=True):
        near = math.isfinite(one) and abs(Fraction(one) - Fraction(exact) * factor) <= allowed
        assert near, f"{one} for {exact} * 2**{exponent}"
    return True


@pytest.mark.parametrize("create_graph", [False, True], ids=["fused", "expression"])
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    ("name", "degree", "f", "shape", "kw"),
    CASES,
    ids=lambda v: None if callable(v) else str(v) if v != {} else "all",
)
def test_any_magnitude(
    name: str, degree: int, f: Any, shape: Any, kw: dict, dtype: str, create_graph: bool
) -> None:
    exact = results(f, whole_numbers(shape, "float64"), create_graph, **kw)
    units = 128 if name == "matrix_norm 2" else 16  # LAPACK's singular vectors, at any magnitude
    seen = 0
    for exponent in EXPONENTS[dtype]:
        values = np.ldexp(whole_numbers(shape, dtype), exponent)
        with np.errstate(all="ignore"):
            got = results(f, values, create_graph, **kw)
        # What is divided by a subnormal number is as coarse as that.
        smallest = min(1.0, *(abs(v) for v in exact[0].ravel().tolist() if v))
        coarse = exponent + math.log2(smallest) < np.finfo(dtype).minexp
        if degree == 0 and coarse:
            continue
        if not compare_scaled(got[0], exact[0], degree * exponent, dtype):
            continue
        seen += 1
        if not coarse:
            compare_scaled(got[1], exact[1], (degree - 1) * exponent, dtype, units)
    assert seen >= 4, "hardly anything was compared"


def test_the_ends_of_a_row() -> None:
    """One element decides; or two that a row is from one end of the range to the other."""
    for dtype, tiny, huge in (("float32", 1e-45, 3e38), ("float64", 5e-324, 1.7e308)):
        x = tg.tensor([huge, tiny, -tiny, 0.0], dtype=dtype_of(dtype), requires_grad=True)
        for p in (2, 3, 1.5, 9):
            y = x.norm(p)
            assert y.item() == pytest.approx(huge, rel=1e-6)
            (g,) = tg.autograd.grad(y, x)
            assert g.tolist() == pytest.approx([1.0, 0.0, 0.0, 0.0], abs=1e-6)
        y = x.std()
        assert y.item() == pytest.approx(huge / 2, rel=1e-6)
        assert tg.autograd.grad(y, x)[0].tolist() == pytest.approx([0.5, -1 / 6, -1 / 6, -1 / 6])
        assert F.normalize(x, dim=0).tolist() == pytest.approx([1.0, 0.0, 0.0, 0.0])
        assert F.normalize(tg.tensor([huge, -huge], dtype=dtype_of(dtype)), dim=0).tolist() == (
            pytest.approx([0.5**0.5, -(0.5**0.5)])
        )
        assert tg.tensor([huge, huge], dtype=dtype_of(dtype)).mean().item() == pytest.approx(huge)


@pytest.mark.parametrize("dtype", FLOATS)
def test_deviations_far_from_zero(dtype: str) -> None:
    """The range counts for the deviations, wherever the elements are."""
    up = {"float32": 120, "float64": 1018}[dtype]
    x = np.ldexp(np.array([17.0, 16.0, 18.0, 17.0], dtype), up)
    want = math.ldexp(math.sqrt(2 / 3), up)
    assert contiguous(x).std().item() == pytest.approx(want, rel=1e-6)
    assert not contiguous(np.full(7, x[0])).std().item()


@pytest.mark.parametrize("dtype", FLOATS)
def test_infinities_and_nan_pass_through(dtype: str) -> None:
    def of(*values: float) -> Any:
        return tg.tensor(values, dtype=dtype_of(dtype))

    for p in (0.5, 1, 2, 3, 7.5, INF):
        assert of(1.0, -INF).norm(p).item() == INF
        assert math.isnan(of(1.0, math.nan, INF).norm(p).item())
    for p in (-1, -2.5, -INF):
        assert of(2.0, INF).norm(p).item() == 2.0
        assert of(INF, -INF).norm(p).item() == INF
        assert of(0.0, 2.0).norm(p).item() == 0.0
    assert of(1.0, INF).mean().item() == INF
    assert math.isnan(of(-INF, INF).mean().item())
    for f in (tg.std, tg.var):
        assert math.isnan(f(of(1.0, INF)).item())
        assert math.isnan(f(of(1.0, math.nan)).item())
        assert f(of(3.0, 3.0, 3.0)).item() == 0.0
    assert F.mse_loss(of(1.0, INF), of(1.0, 2.0)).item() == INF


@pytest.mark.parametrize("order", ["inf", "-1", "-0.5", "-inf"])
def test_norms_without_identity_need_elements(order: str) -> None:
    p, start = float(order), f"linalg.vector_norm cannot compute the {order} norm on "
    with pytest.raises(RuntimeError, match=start + "an empty tensor because the operation"):
        tg.zeros(2, 0).norm(p)
    with pytest.raises(RuntimeError, match=start + "the dimension 1 because this dimension is"):
        tg.zeros(2, 0).norm(p, dim=1)
    assert tg.zeros(2, 0).norm(p, dim=0).shape == (0,)


# ---------------------------------------------------------------- zeros


def derivatives(f: Callable[..., Any], values: list[float], order: int) -> np.ndarray:
    """All partial derivatives of an order, as an array with so many dimensions."""
    n = len(values)
    found = np.zeros((n,) * order)
    for place in itertools.product(range(n), repeat=order):
        x = tg.tensor(values, dtype=tg.float64, requires_grad=True)
        y = f(x)
        for k in place:
            if not y.requires_grad:  # a constant
                y = tg.zeros(())
                break
            (g,) = tg.autograd.grad(y, x, create_graph=True)
            y = g[k]
        found[place] = y.item()
    return found


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("p", [0, 0.3, 0.5, 1, 1.5, 2, 2.5, 3, 4, INF])
def test_a_zero_leaves_the_others_alone(p: float, order: int) -> None:
    """The derivatives by the other elements are those without it; its own are taken to be zero."""
    with_zero = derivatives(lambda x: x.norm(p), [1.5, 0.0, -2.0], order)
    without = derivatives(lambda x: x.norm(p), [1.5, -2.0], order)
    kept = np.ix_(*[[0, 2]] * order)
    np.testing.assert_allclose(with_zero[kept], without, rtol=1e-12, atol=1e-14)
    rest = with_zero.copy()
    rest[kept] = 0
    if p in (2, 4):  # smooth there, but for a zero norm
        rest[(1,) * order] = 0
        rest = rest if order < 3 else np.zeros(1)
    assert not rest.any()


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize(
    "f",
    [
        *(lambda x, p=p: x.norm(p) for p in (-2, -1, -0.5, 0, 0.5, 1, 1.5, 2, 3, INF, -INF)),
        lambda x: x.std(),
        lambda x: x.std(0, correction=0),
    ],
)
def test_slopes_at_a_kink_are_zero(f: Any, order: int) -> None:
    assert not derivatives(f, [0.0, 0.0], order).any()


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("p", [-2, -1, -0.5])
def test_negative_orders_with_a_zero_are_zero(p: float, order: int) -> None:
    assert not derivatives(lambda x: x.norm(p), [0.0, 1.0, -2.0], order).any()


# ---------------------------------------------------------------- exponentials

SHARES: list[tuple[list[float], list[float]]] = [
    ([INF, 1.0, 2.0], [1.0, 0.0, 0.0]),
    ([INF, 1.0, INF], [0.5, 0.0, 0.5]),
    ([INF, -INF, 1.0], [1.0, 0.0, 0.0]),
    ([-INF, 1.0, 1.0], [0.0, 0.5, 0.5]),
    ([-INF, -INF, -INF], [0.0, 0.0, 0.0]),
    ([3e38, -3e38, 3e38], [0.5, 0.0, 0.5]),
    ([1e8, 1e8, 1e8], [1 / 3, 1 / 3, 1 / 3]),
    ([-1e8, -1e8, -1e9], [0.5, 0.5, 0.0]),
]


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(("values", "shares"), SHARES)
def test_logsumexp_shares_its_gradient(
    values: list[float], shares: list[float], dtype: str, create_graph: bool
) -> None:
    rows = [values, [0.0, 0.0, 0.0], values]
    even = [1 / 3] * 3
    x = tg.tensor(rows, dtype=dtype_of(dtype), requires_grad=True)
    for y, turn in (
        (x.logsumexp(1), False),
        (x.T.logsumexp(0), False),
        (x.logsumexp(-1, True), True),
    ):
        (g,) = tg.autograd.grad(y.sum(), x, create_graph=create_graph)
        assert array(g).tolist() == [pytest.approx(r) for r in (shares, even, shares)], turn
    x = tg.tensor([[values], [[-INF] * 3]], dtype=dtype_of(dtype), requires_grad=True)
    for dims in ((0, 2), (0, 1, 2), (-1, 0)):
        (g,) = tg.autograd.grad(x.logsumexp(dims).sum(), x, create_graph=create_graph)
        assert array(g)[0, 0].tolist() == pytest.approx(shares)
        assert not array(g)[1].any()


@pytest.mark.parametrize("order", [1, 2, 3])
def test_infinities_leave_the_other_rows_of_logsumexp_alone(order: int) -> None:
    def f(x: Any) -> Any:
        return x.reshape(2, 2).logsumexp(1).sum()

    whole = derivatives(f, [1.0, 2.0, 3.0, 5.0], order)
    kept = np.ix_(*[[2, 3]] * order)
    for special in ([INF, 1.0], [-INF, -INF], [INF, INF]):
        found = derivatives(f, [*special, 3.0, 5.0], order)
        assert np.isfinite(found).all()
        np.testing.assert_allclose(found[kept], whole[kept], rtol=1e-12)


# ---------------------------------------------------------------- clipping


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("p", [1.0, 2.0, 3.0, INF])
def test_clip_grad_norm_of_any_magnitude(dtype: str, p: float) -> None:
    top = {"float32": 3.2e38, "float64": 1.7e308}[dtype]
    values = [top, -top, top / 2]
    parameter = tg.nn.Parameter(tg.zeros(3, dtype=dtype_of(dtype)))
    parameter.grad = tg.tensor(values, dtype=dtype_of(dtype))
    tg.nn.utils.clip_grad_norm_(parameter, 2.0, p)
    exact = np.array([1.0, -1.0, 0.5])
    exact *= 2 / np.linalg.norm(exact, p)
    np.testing.assert_allclose(array(parameter.grad), exact, rtol=1e-6)
    parameter.grad = tg.tensor([INF, 1.0, 0.0], dtype=dtype_of(dtype))
    assert tg.nn.utils.clip_grad_norm_(parameter, 2.0, p).item() == INF
    assert math.isnan(parameter.grad[0].item())
    assert parameter.grad[1:].tolist() == [0.0, 0.0]
