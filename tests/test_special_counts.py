"""Ranks, counts and distances of what is special: NaN, infinities, ties, equal points."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import tapegrad as tg
from both import both
from support import array, raises

NAN, INF = math.nan, math.inf


def same(got: Any, want: list) -> None:
    np.testing.assert_array_equal(array(got), np.array(want, array(got).dtype))


# ---------------------------------------------------------------- named results


@both
def test_named_results(lib: Any) -> None:
    x = lib.tensor([3.0, 1.0, 2.0])
    assert lib.aminmax(x).min.item() == 1
    assert lib.aminmax(x).max.item() == 3
    for name in ("cummax", "cummin"):
        result = getattr(lib, name)(x, 0)
        assert result.values is result[0]
        assert result.indices.dtype == lib.int64
    assert lib.mode(x).indices.item() == 1
    result = lib.histogram(x, 2)
    same(result.hist, [1, 2])
    same(result.bin_edges, [1, 2, 3])
    assert type(result).__module__.endswith("return_types")


@both
def test_out_of_pairs(lib: Any) -> None:
    x = lib.tensor([3.0, 1.0, 2.0])
    values, indices = lib.empty(0), lib.empty(0, dtype=lib.int64)
    lib.cummax(x, 0, out=(values, indices))
    same(values, [3, 3, 3])
    low, high = lib.empty(0), lib.empty(0)
    lib.aminmax(x, out=(low, high))
    assert (low.item(), high.item()) == (1, 3)
    places = lib.empty(0, dtype=lib.int64)
    lib.searchsorted(lib.tensor([1.0, 2.0]), x, out=places)
    same(places, [2, 0, 1])


# ---------------------------------------------------------------- NaN and infinities


@both
def test_scans_of_extremes_keep_nan(lib: Any) -> None:
    x = lib.tensor([1.0, 3, 2, 3, NAN, 5, NAN])
    values, indices = lib.cummax(x, 0)
    same(values, [1, 3, 3, 3, NAN, NAN, NAN])
    same(indices, [0, 1, 1, 3, 4, 4, 6])
    values, indices = lib.cummin(-x, 0)
    same(values, [-1, -3, -3, -3, NAN, NAN, NAN])
    same(indices, [0, 1, 1, 3, 4, 4, 6])


@both
def test_logcumsumexp_of_infinities(lib: Any) -> None:
    x = lib.tensor([-INF, 1.0, INF, 2.0], dtype=lib.float64)
    same(lib.logcumsumexp(x, 0), [-INF, 1, INF, INF])
    same(lib.logcumsumexp(lib.tensor([1.0, NAN, 2.0]), 0), [1, NAN, NAN])
    x = lib.tensor([-INF, -INF, 0.0, 800.0], dtype=lib.float64)
    same(lib.logcumsumexp(x, 0), [-INF, -INF, 0, 800])


def test_gradient_of_logcumsumexp_of_infinities() -> None:
    """What is exp(-inf) = 0 has no part in any sum; PyTorch has NaN there."""
    x = tg.tensor([-INF, -INF, 0.0, 800.0], dtype=tg.float64, requires_grad=True)
    (grad,) = tg.autograd.grad(tg.logcumsumexp(x, 0)[2:].sum(), x)
    same(grad, [0, 0, 1, 1])


def test_logcumsumexp_is_linear_in_its_gradient() -> None:
    """Also where the gradient is zero, and in the derivative of the derivative."""
    x = tg.randn(5, dtype=tg.float64, requires_grad=True)
    g = tg.tensor([0.0, 1.0, -2.0, 0.0, 3.0], dtype=tg.float64, requires_grad=True)
    (grad,) = tg.autograd.grad(tg.logcumsumexp(x, 0), x, g, create_graph=True)
    (slope,) = tg.autograd.grad(grad, g, tg.ones(5, dtype=tg.float64))
    same(tg.isclose(slope, tg.ones(5, dtype=tg.float64)), [True] * 5)
    assert tg.autograd.gradgradcheck(lambda t: tg.logcumsumexp(t, 0), (x,))
    assert tg.autograd.gradgradcheck(lambda t: tg.logcumsumexp(t, 0).exp().cos(), (x,))


@both
def test_quantiles_and_nan(lib: Any) -> None:
    x = lib.tensor([[1.0, NAN, 3.0], [4.0, 5.0, 9.0]])
    same(lib.quantile(x, 0.5, 1), [NAN, 5])
    same(lib.nanquantile(x, 0.5, 1), [2, 5])
    same(lib.quantile(x, 0.0), NAN)
    same(lib.nanquantile(lib.tensor([NAN, NAN]), 0.5), NAN)
    same(lib.quantile(lib.tensor([1.0, INF]), 0.0), 1)
    same(lib.nanquantile(x, lib.tensor([0.0, 1.0]), 1, keepdim=True), [[[1], [4]], [[3], [9]]])
    with raises(RuntimeError, "quantile() q values must be in the range [0, 1]", lib):
        lib.quantile(x, lib.tensor([0.5, NAN]))


@both
@pytest.mark.parametrize("name", ["quantile", "nanquantile"])
def test_gradients_of_the_rank(lib: Any, name: str) -> None:
    f = getattr(lib, name)
    x = lib.tensor([[1.0, 4.0, 2.0], [9.0, 5.0, 5.5]], dtype=lib.float64, requires_grad=True)
    q = lib.tensor([0.22, 0.7], dtype=lib.float64, requires_grad=True)  # no rank is an integer
    for dim in (0, 1, None):
        assert lib.autograd.gradcheck(lambda a, b, d=dim: f(a, b, d), (x, q))
        assert lib.autograd.gradcheck(lambda a, b, d=dim: f(a, b, d), (x, q[0]))
    for how in ("lower", "midpoint", "nearest"):
        found = lib.autograd.grad(
            f(x, q, 1, interpolation=how).sum(), (x, q), allow_unused=True, retain_graph=True
        )
        assert found[1] is None
    if name == "nanquantile":
        x = lib.tensor([[1.0, 2.0, NAN], [1.0, 5.0, 9.0]], dtype=lib.float64)
        same(lib.autograd.grad(f(x, q, 1).sum(), q)[0], [9, 9])


@both
def test_gradients_leave_nan_out(lib: Any) -> None:
    x = lib.tensor([1.0, NAN, 3.0], requires_grad=True)
    (grad,) = lib.autograd.grad(lib.nansum(x), x)
    same(grad, [1, 0, 1])
    (grad,) = lib.autograd.grad(lib.nanmean(x), x)
    same(grad, [0.5, 0, 0.5])
    (grad,) = lib.autograd.grad(lib.nanquantile(x, 0.75), x)
    same(grad, [0.25, 0, 0.75])


@both
def test_unique_counts_each_nan(lib: Any) -> None:
    x = lib.tensor([NAN, 1.0, NAN, -INF])
    values, inverse, counts = lib.unique(x, return_inverse=True, return_counts=True)
    same(values, [-INF, 1, NAN, NAN])
    same(counts, [1, 1, 1, 1])
    same(inverse[1::2], [1, 0])
    same(lib.unique(lib.tensor([0.0, -0.0])), [0])
    same(lib.unique_consecutive(lib.tensor([1.0, NAN, NAN])), [1, NAN, NAN])


@both
@pytest.mark.parametrize("low", [-(2**63), 2**63 - 9, -4])
def test_unique_integers_of_any_range(lib: Any, low: int) -> None:
    x = lib.tensor([low + i for i in (8, 0, 3, 3, 8)])
    values, inverse, counts = lib.unique(x, return_inverse=True, return_counts=True)
    assert values.tolist() == [low, low + 3, low + 8]
    assert inverse.tolist() == [2, 0, 1, 1, 2]
    assert counts.tolist() == [1, 2, 2]
    ends = lib.tensor([2**63 - 1, -(2**63), 2**63 - 1])
    assert lib.unique(ends).tolist() == [-(2**63), 2**63 - 1]


@both
def test_counts_leave_nan_out(lib: Any) -> None:
    x = lib.tensor([0.5, NAN, 1.0, 7.0, -1.0])
    same(lib.histc(x, 2, 0, 1), [0, 2])
    same(lib.histogram(x, 2, range=(0.0, 1.0)).hist, [0, 2])
    for edges in (lib.tensor([0.0, 0.5, 1.0]), lib.tensor([-1.0, 0.5, 7.0])):
        assert lib.histogram(x, edges).hist.sum().item() in (2, 4)
    with pytest.raises(RuntimeError):
        lib.histc(x, 2)
    with pytest.raises(RuntimeError):
        lib.histogram(x, 2)
    with pytest.raises(RuntimeError):
        lib.histc(lib.tensor([1.0, INF]), 3)


@both
def test_histogram_of_the_whole_range(lib: Any) -> None:
    """The width of the range is beyond its type."""
    x = lib.tensor([-3e38, 0.0, 3e38])
    assert lib.histogram(x, lib.tensor([-3.1e38, 0.0, 3.1e38])).hist.tolist() == [1, 2]


def test_even_bins_of_the_whole_range() -> None:
    for dtype, end in ((tg.float32, 3e38), (tg.float64, 1.7e308)):
        hist = tg.histc(tg.tensor([-end, end], dtype=dtype), 2)
        assert hist.sum().item() == 2


@both
def test_weights_of_bincount(lib: Any) -> None:
    x = lib.tensor([0, 2, 2])
    weights = lib.tensor([0.5, 1.0, 2.0])
    for dtype, want in (
        (lib.float32, lib.float32),
        (lib.float64, lib.float64),
        (lib.int64, lib.float64),
    ):
        got = lib.bincount(x, weights.to(dtype), 4)
        assert got.dtype == want
        same(got, [float(weights[0].to(dtype)), 0, 3, 0])


def test_a_count_too_large_for_memory_raises() -> None:
    with pytest.raises((RuntimeError, MemoryError)):
        tg.bincount(tg.tensor([2**62]))
    with pytest.raises((RuntimeError, MemoryError)):
        tg.bincount(tg.tensor([2**63 - 1]))
    with pytest.raises((RuntimeError, MemoryError)):
        tg.histc(tg.ones(1), 2**62)
    with pytest.raises((RuntimeError, MemoryError)):
        tg.histogram(tg.ones(1), 2**63 - 1)
    with pytest.raises((RuntimeError, MemoryError)):
        tg.combinations(tg.zeros(100), 50)
    with pytest.raises((RuntimeError, MemoryError)):
        tg.combinations(tg.zeros(3), 2**62, with_replacement=True)
    with pytest.raises((RuntimeError, MemoryError)):
        tg.diag_embed(tg.zeros(2), 2**62)
    with pytest.raises((RuntimeError, MemoryError)):
        tg.repeat_interleave(tg.zeros(3), 2**62)
    with pytest.raises((RuntimeError, MemoryError)):
        tg.repeat_interleave(tg.zeros(3), tg.tensor(2**62))
    with pytest.raises((RuntimeError, MemoryError)):
        tg.tril_indices(2**40, 2**40)


@both
def test_values_are_searched_in_their_common_type(lib: Any) -> None:
    edges = lib.tensor([1, 2, 3])
    assert lib.searchsorted(edges, 2.5).item() == 2
    assert lib.bucketize(lib.tensor([2.5, NAN]), edges).tolist() == [2, 3]
    assert lib.bucketize(2.5, edges, out_int32=True).dtype == lib.int32
    assert lib.searchsorted(lib.tensor([1.0, 3.0]), lib.tensor([3]), right=True).tolist() == [2]
    assert lib.bucketize(2**63, edges.float()).item() == 3


def test_numbers_beyond_int64_come_last() -> None:
    assert tg.searchsorted(tg.tensor([1, 2, 3]), 2**63).item() == 3
    assert tg.bucketize(2**64 - 1, tg.tensor([1, 2, 2**63 - 1])).item() == 3


# ---------------------------------------------------------------- distances


@both
@pytest.mark.parametrize("p", [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, INF])
def test_distance_of_a_point_to_itself(lib: Any, p: float) -> None:
    """The gradient is zero, not NaN."""
    x = lib.tensor([[1.0, 2.0], [1.0, 3.0]], dtype=lib.float64, requires_grad=True)
    y = lib.tensor([[1.0, 2.0], [0.0, 5.0]], dtype=lib.float64, requires_grad=True)
    d = lib.cdist(x, y, p, compute_mode="donot_use_mm_for_euclid_dist")
    assert d[0, 0].item() == 0
    grads = lib.autograd.grad(d[:, 0].sum(), (x, y))
    assert all(bool(g.isfinite().all()) for g in grads)
    same(grads[0][0], [0, 0])
    d = lib.pdist(x, p)
    (grad,) = lib.autograd.grad(d.sum(), x)
    assert bool(grad.isfinite().all())


@pytest.mark.parametrize("p", [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, INF])
def test_derivatives_of_distances(p: float) -> None:
    x = tg.randn(2, 3, 2, dtype=tg.float64, requires_grad=True)
    y = tg.randn(4, 2, dtype=tg.float64, requires_grad=True)
    assert tg.autograd.gradcheck(lambda a, b: tg.cdist(a, b, p), (x, y))
    assert tg.autograd.gradgradcheck(lambda a, b: tg.cdist(a, b, p), (x, y))
    assert tg.autograd.gradgradcheck(lambda a: tg.pdist(a, p), (y,))


@pytest.mark.parametrize("p", [0.5, 1.0, 2.0, 3.0, INF])
def test_second_derivative_where_points_are_the_same(p: float) -> None:
    x = tg.zeros(2, 2, dtype=tg.float64, requires_grad=True)
    (grad,) = tg.autograd.grad(tg.cdist(x, x, p).sum(), x, create_graph=True)
    if grad.requires_grad:
        (second,) = tg.autograd.grad((grad * grad).sum(), x)
        assert bool(second.isfinite().all())


@pytest.mark.parametrize("p", [1.5, 2.0, 3.0, 1e3, 1e39, 1e300])
@pytest.mark.parametrize("scale", [1.0, 1e25, 1e-30, 1e200, 1e-200])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_distances_of_any_magnitude(p: float, scale: float, dtype: str) -> None:
    x = (tg.tensor([3.0, 4.0], dtype=tg.float64) * scale).to(getattr(tg, dtype))
    if not (x.isfinite() & (x > 0)).all():
        return
    x.requires_grad_()
    size = tg.linalg.vector_norm(x, p)
    (want,) = tg.autograd.grad(size, x)
    for d in (
        tg.pdist(tg.stack([x, tg.zeros_like(x)]), p),
        tg.cdist(x[None], tg.zeros_like(x)[None], p),
    ):
        assert d.item() == pytest.approx(size.item(), rel=1e-6)
        np.testing.assert_allclose(array(tg.autograd.grad(d.sum(), x)[0]), array(want), rtol=1e-5)


def test_distances_do_not_lose_digits() -> None:
    """Far from the origin, where a product of matrices would."""
    x = tg.tensor([[1e4, 1e4]] * 30) + tg.arange(30.0)[:, None]
    want = abs(np.arange(30.0)[:, None] - np.arange(30.0)) * math.sqrt(2)
    np.testing.assert_allclose(array(tg.cdist(x, x)), want, rtol=1e-6)


@both
def test_covariance_without_degrees_of_freedom_warns(lib: Any) -> None:
    with pytest.warns(UserWarning, match=r"cov\(\): degrees of freedom is <= 0"):
        assert math.isnan(lib.cov(lib.tensor(2.0)).item())


# ---------------------------------------------------------------- ties


@both
def test_extremes_share_the_gradient(lib: Any) -> None:
    x = lib.tensor([2.0, 1.0, 2.0, 1.0], requires_grad=True)
    low, high = lib.aminmax(x)
    (grad,) = lib.autograd.grad(low + 3 * high, x)
    same(grad, [1.5, 0.5, 1.5, 0.5])


@both
def test_scans_send_the_gradient_to_the_last_of_equal_ones(lib: Any) -> None:
    x = lib.tensor([2.0, 2.0, 1.0], requires_grad=True)
    (grad,) = lib.autograd.grad(lib.cummax(x, 0).values.sum(), x)
    same(grad, [1, 2, 0])


@both
def test_places_written_several_times_get_all_gradients(lib: Any) -> None:
    x = lib.zeros(4, requires_grad=True)
    (grad,) = lib.autograd.grad(lib.take(x, lib.tensor([1, 1, -1])).sum(), x)
    same(grad, [0, 2, 0, 1])
    (grad,) = lib.autograd.grad(x.unfold(0, 3, 1).sum(), x)
    same(grad, [1, 2, 2, 1])
