"""Ranks, counts, scans of extremes, distances and statistics."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from op_reference import last, over
from op_row import Const, E, Make, S, Sample
from support import ALL, NUMBERS

from .build import NO_SUCH_DIM, add_row
from .reductions import KINK, ROWS_COLUMNS, along_dim, no_size, reduction

# ---------------------------------------------------------------- reductions

reduction("nansum", over(np.nansum), dtypes=ALL, out="sum", tol=5,
          more=lambda m: [S(np.array([[1.0, np.nan], [np.nan, np.nan]], m.dtype), dim=1)] if "f" in m.dtype else [])
reduction("nanmean", over(np.nanmean), tol=5,
          more=lambda m: [S(np.array([[1.0, np.nan], [np.nan, np.nan]], m.dtype), dim=1)] if "f" in m.dtype else [],
          errors=(E(lambda t: t.arange(3).nanmean(), RuntimeError,
                    "nanmean(): expected input to have floating point or complex dtype but got Long"),))
add_row("aminmax", lambda x, **kw: (over(np.min)(x, **kw), over(np.max)(x, **kw)), lambda m: [
            *(S(m.distinct(3, 4, 2), dim=d, keepdim=k) for d in (0, 1, -1) for k in (False, True)),
            S(m(2, 3)), S(m()), S(m(), dim=0), S(m(0, 3), dim=1)],
        "sort", dtypes=ALL, special=False, large=lambda m: [S(m(301, 1003)), S(m(301, 1003), dim=1)],
        errors=(E(lambda t: t.aminmax(t.ones(0)), RuntimeError,
                  "aminmax(): cannot compute aminmax over an empty dimension as the operation has no identity."),
                E(lambda t: t.aminmax(t.ones(0, 2), dim=0), IndexError,
                  "aminmax: Expected reduction dim 0 to have non-zero size.")))


def mode(x: np.ndarray, dim: int = -1, keepdim: bool = False) -> Any:
    if x.ndim == 0:
        return x, np.zeros((), int)

    def one(line: np.ndarray) -> int:
        values, counts = np.unique(line, return_counts=True)
        return int(np.flatnonzero(line == values[counts.argmax()])[-1])

    places = np.apply_along_axis(one, dim, x) if x.size else np.zeros(np.delete(x.shape, dim), int)
    places = np.expand_dims(places, dim)
    values = np.take_along_axis(x, places, dim)
    return (values, places) if keepdim else (values.squeeze(dim), places.squeeze(dim))


add_row("mode", mode, lambda m: [
            *(S(m(3, 7, 2), dim=d, keepdim=k) for d in (0, 1, -1) for k in (False, True)),
            S(m(9)), S(m()), S(m(0, 3), dim=1)],
        "sort", dtypes=("bool", *NUMBERS[:-2]), special=False, diff=False,
        large=lambda m: [S(m(301, 1003), dim=d) for d in (0, 1)],
        errors=(no_size("mode"),))
# Without ties the place is that of PyTorch, too.
add_row("mode, of distinct values", mode, lambda m: [
            *(S(m.distinct(3, 5, 2), dim=d, keepdim=k) for d in (0, 1, -1) for k in (False, True)), S(m.distinct(5))],
        "sort", path="mode", special=False)


def quantile_with(f: Any) -> Any:
    def ref(x: np.ndarray, q: Any, dim: Any = None, keepdim: bool = False, interpolation: str = "linear") -> Any:
        q = q.value if isinstance(q, Const) else q
        if x.ndim == 0:
            x, dim, keepdim = x.reshape(1), None, False
        return f(x, q, axis=dim, keepdims=keepdim, method=interpolation)

    return ref


def parts(m: Make) -> Iterable[Sample]:
    q = Const(np.array([0.25, 0.5, 0.9], m.dtype))
    for how in ("linear", "lower", "higher", "midpoint", "nearest"):
        yield S(m.distinct(7), 0.3, interpolation=how)
        yield S(m.distinct(3, 4), q, 1, interpolation=how)
    yield from (S(m.distinct(3, 4, 2), 0.7, dim=d, keepdim=k) for d in (0, 1, -1) for k in (False, True))
    yield from (S(m.distinct(3, 4, 2), q, dim=d, keepdim=k) for d in (None, 1, -1) for k in (False, True))
    yield from (S(m(), 0.5), S(m(1), 1.0), S(m(2), 0.0), S(m(3), Const(np.zeros(0, m.dtype))))


for name, numpy in (("quantile", np.quantile), ("nanquantile", np.nanquantile)):
    add_row(name, quantile_with(numpy), parts, "sort", special=False, tol=4,
            large=lambda m: [S(m(301, 1003), 0.3, d) for d in (0, 1)],
            errors=(E(lambda t, n=name: getattr(t, n)(t.ones(2), 2.0), RuntimeError,
                      "quantile() q must be in the range [0, 1] but got 2"),
                    E(lambda t, n=name: getattr(t, n)(t.ones(2), t.tensor([2.0])), RuntimeError,
                      "quantile() q values must be in the range [0, 1]"),
                    E(lambda t, n=name: getattr(t, n)(t.ones(2), t.ones(2, 2)), RuntimeError,
                      "quantile() q must be a scalar or 1D tensor"),
                    E(lambda t, n=name: getattr(t, n)(t.arange(3), 0.5), RuntimeError,
                      "quantile() input tensor must be either float or double dtype"),
                    E(lambda t, n=name: getattr(t, n)(t.ones(2), t.ones(1, dtype=t.float64)), RuntimeError,
                      "quantile() q tensor must be same dtype as the input tensor"),
                    E(lambda t, n=name: getattr(t, n)(t.ones(0), 0.5), RuntimeError,
                      "quantile() input tensor must be non-empty"),
                    E(lambda t, n=name: getattr(t, n)(t.ones(2), 0.5, interpolation="x"), RuntimeError,
                      "quantile() interpolation must be one of linear, lower, higher, midpoint or nearest, but got x"),
                    E(lambda t, n=name: getattr(t, n)(t.ones(2, 3), 0.5, 2), IndexError, NO_SUCH_DIM)))

# ---------------------------------------------------------------- along one dimension


def running(better: Any) -> Any:
    def ref(x: np.ndarray, dim: int) -> Any:
        values = better.accumulate(x, dim)
        shape = [-1 if d == dim % x.ndim else 1 for d in range(x.ndim)]
        own = np.arange(x.shape[dim]).reshape(shape)
        return values, np.maximum.accumulate(np.where(x == values, own, 0), dim)

    return last(ref)


def scanned(m: Make) -> Iterable[Sample]:
    yield from along_dim(m)
    yield from (S(m(2, 9), dim=1), S(m(9, 3), dim=0), S(m(2, 4, 70), dim=1))


add_row("cummax", running(np.maximum), scanned, "along", dtypes=ALL, special=False, large=ROWS_COLUMNS,
        errors=(E(lambda t: t.cummax(t.ones(2, 3), 2), IndexError, NO_SUCH_DIM),))
add_row("cummin", running(np.minimum), scanned, "along", dtypes=ALL, special=False, large=ROWS_COLUMNS,
        errors=(E(lambda t: t.cummin(t.ones(2, 3), 2), IndexError, NO_SUCH_DIM),))
add_row("logcumsumexp", last(np.logaddexp.accumulate), scanned, "along", tol=4, large=ROWS_COLUMNS,
        errors=(E(lambda t: t.logcumsumexp(t.arange(3), 0), NotImplementedError,
                  "\"logcumsumexp_out_cpu\" not implemented for 'Long'"),
                E(lambda t: t.logcumsumexp(t.ones(2, 3), 2), IndexError, NO_SUCH_DIM)))
add_row("msort", lambda x: np.sort(x, 0) if x.ndim else x,
        lambda m: [S(m.distinct(5)), S(m.distinct(4, 3)), S(m()), S(m(0, 2)), S(m(2, 0))], "sort", dtypes=ALL)
TRAPEZOID = (E(lambda t: t.trapezoid(t.ones(3), t.ones(2)), RuntimeError,
               "trapezoid: There must be one `x` value for each sample point"),
             E(lambda t: t.trapezoid(t.ones(2, dtype=t.bool)), RuntimeError,
               "trapezoid: received a bool input for `y`, but bool is not supported"),
             E(lambda t: t.trapezoid(t.ones(2, 3), dim=2), IndexError, NO_SUCH_DIM),
             E(lambda t: t.trapezoid(t.tensor(1.0)), IndexError,
               "Dimension specified as -1 but tensor has no dimensions"))


def trapezoid(y: np.ndarray, x: Any = None, dx: float = 1, dim: int = -1) -> np.ndarray:
    return np.trapezoid(y, x, dx, dim) if hasattr(np, "trapezoid") else np.trapz(y, x, dx, dim)


def cumulative_trapezoid(y: np.ndarray, x: Any = None, dx: float = 1, dim: int = -1) -> np.ndarray:
    if x is not None:
        dx = np.diff(np.moveaxis(x, dim, -1) if x.ndim > 1 else x)
    y = np.moveaxis(y, dim, -1)
    return np.moveaxis(np.cumsum(dx * (y[..., 1:] + y[..., :-1]) / 2, -1), -1, dim)


def curves(m: Make) -> Iterable[Sample]:
    yield from (S(m(5)), S(m(2, 5)), S(m(2, 5), dx=0.5), S(m(3, 2), dim=0), S(m(5), m(5)), S(m(2, 5), m(5)))
    yield from (S(m(2, 5), m(2, 5)), S(m(3, 2), m(3), dim=0), S(m(2, 3, 2), dx=2, dim=1), S(m(2, 1)))
    yield from (S(m(3, 2), m(3), dim=-2), S(m(2, 3, 2), m(3), dim=-2), S(m(2, 3), m(3), dim=-1))


add_row("trapezoid", trapezoid, lambda m: [*curves(m), S(Const(m(0))), S(Const(m(2, 0)))], "shape", out="float", method=None,
        aliases=("trapz",), tol=4, large=lambda m: [S(m(301, 1003)), S(m(301, 1003), dim=0)], errors=TRAPEZOID)
add_row("cumulative_trapezoid", cumulative_trapezoid, curves, "shape", method=None, tol=4,
        errors=(E(lambda t: t.cumulative_trapezoid(t.ones(2), t.ones(3)), RuntimeError,
                  "cumulative_trapezoid: There must be one `x` value for each sample point"),))

# ---------------------------------------------------------------- counts


def unique(x: np.ndarray, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False,
           dim: int | None = None) -> Any:
    found = np.unique(x, return_inverse=True, return_counts=True, axis=dim)
    inverse = found[1].reshape(x.shape if dim is None else -1)
    parts = [found[0], *[inverse] * return_inverse, *[found[2]] * return_counts]
    return tuple(parts) if len(parts) > 1 else parts[0]


def consecutive(x: np.ndarray, return_inverse: bool = False, return_counts: bool = False, dim: Any = None) -> Any:
    flat = x.reshape(-1, 1) if dim is None else np.moveaxis(x, dim, 0).reshape(x.shape[dim], -1)
    first = np.ones(len(flat), bool)
    first[1:] = (flat[1:] != flat[:-1]).any(1)
    starts = np.flatnonzero(first)
    values = x.reshape(-1)[starts] if dim is None else np.take(x, starts, dim)
    inverse = (np.cumsum(first) - 1).reshape(x.shape if dim is None else -1)
    counts = np.diff(np.append(starts, len(flat)))
    parts = [values, *[inverse] * return_inverse, *[counts] * return_counts]
    return tuple(parts) if len(parts) > 1 else parts[0]


def repeated(m: Make) -> Iterable[Sample]:
    both = {"return_inverse": True, "return_counts": True}
    for shape in ((9,), (3, 4), (), (0,)):
        yield from (S(np.asarray(np.round(m(*shape)), m.dtype), **kw) for kw in ({}, both, {"return_counts": True}))
    for dim in (0, 1, -1):
        yield S(np.round(m(6, 2, 1, lo=0, hi=1)).astype(m.dtype), dim=dim, **both)
        yield S(np.round(m(2, 7, lo=0, hi=1)).astype(m.dtype), dim=dim)


add_row("unique", unique, repeated, "sort", dtypes=ALL, diff=False, special=False,
        large=lambda m: [S(m(301, 1003), return_inverse=True, return_counts=True)],
        errors=(E(lambda t: t.unique(t.ones(0, 2), dim=1), RuntimeError,
                  "There are 0 sized dimensions, and they aren't selected, so unique cannot be applied"),
                E(lambda t: t.unique(t.ones(2, 3), dim=2), IndexError, NO_SUCH_DIM),
                E(lambda t: t.unique(t.tensor(1.0), dim=0), IndexError,
                  "Dimension specified as 0 but tensor has no dimensions")))
add_row("unique_consecutive", consecutive, repeated, "sort", dtypes=ALL, diff=False, special=False)


def small(m: Make, *shape: int) -> np.ndarray:
    return m(*shape, lo=0, hi=6)


add_row("bincount", lambda x, weights=None, minlength=0: np.bincount(
            x, None if weights is None else weights.value, minlength), lambda m: [
            S(small(m, 9)), S(small(m, 9), minlength=12), S(small(m, 0)), S(small(m, 0), minlength=3)],
        "sort", dtypes=("uint8", "int8", "int16", "int32", "int64"), out="int64", diff=False,
        large=lambda m: [S(small(m, 300000))],
        errors=(E(lambda t: t.bincount(t.tensor([1, -1])), RuntimeError,
                  "bincount only supports 1-d non-negative integral inputs."),
                E(lambda t: t.bincount(t.tensor(1)), RuntimeError,
                  "bincount only supports 1-d non-negative integral inputs."),
                E(lambda t: t.bincount(t.ones(2)), NotImplementedError, "\"bincount_cpu\" not implemented for 'Float'"),
                E(lambda t: t.bincount(t.tensor([1]), minlength=-1), RuntimeError, "minlength should be >= 0"),
                E(lambda t: t.bincount(t.tensor([1]), t.ones(2)), RuntimeError,
                  "weights should be 1-d and have the same length as input")))


def histc(x: np.ndarray, bins: int = 100, min: float = 0, max: float = 0) -> np.ndarray:
    if min == max and x.size:
        min, max = x.min(), x.max()
    if min == max:
        min, max = min - 1, max + 1
    return np.histogram(x.reshape(-1), bins, (min, max))[0].astype(x.dtype)


NO_BINS = "tapegrad.histogram(): bins must be > 0, but got 0 for dimension 0"
add_row("histc", histc, lambda m: [
            S(m(50), 4), S(m(3, 4), 5, -1, 1), S(m(2, 3)), S(m(0), 3), S(m(5, lo=1, hi=1), 3), S(m(4), 2, min=-1.5)],
        "sort", diff=False, special=False, large=lambda m: [S(m(301, 1003), 7, -1, 1)],
        errors=(E(lambda t: t.histc(t.ones(2), 0), RuntimeError, NO_BINS),
                E(lambda t: t.histc(t.ones(2), 3, 5, 1), RuntimeError, "tapegrad.histc: max must be larger than min"),
                E(lambda t: t.histc(t.arange(3), 3), NotImplementedError,
                  "\"histogram_cpu\" not implemented for 'Long'")))


def histogram(x: np.ndarray, bins: Any = 100, range: Any = None, weight: Any = None, density: bool = False) -> Any:
    plain = [a.value if isinstance(a, Const) else a for a in (bins, weight)]
    weight = None if plain[1] is None else plain[1].reshape(-1)
    hist, edges = np.histogram(x.reshape(-1), plain[0], range, density, weight)
    return hist.astype(x.dtype), edges


HIST = "tapegrad.histogramdd: "
add_row("histogram", histogram, lambda m: [
            S(m(50), 4), S(m(3, 4), 5, range=(-1.0, 1.0)), S(m(9), Const(np.array([-2, -0.5, 0, 2]).astype(m.dtype))),
            S(m(9), 3, weight=Const(m(9, lo=0.5))), S(m(9), 3, density=True), S(m(3)), S(m(4, lo=1, hi=1), 2),
            S(m(3, 3), Const(np.array([-1, 1]).astype(m.dtype)), weight=Const(m(3, 3, lo=0.5)), density=True)],
        "sort", diff=False, special=False, tol=4, large=lambda m: [S(m(301, 1003), 7)],
        errors=(E(lambda t: t.histogram(t.ones(2), 0), RuntimeError, NO_BINS),
                E(lambda t: t.histogram(t.ones(2), 2, range=(4.0, 1.0)), RuntimeError,
                  HIST + "min should not exceed max, but got min 4 max 1 for dimension 0"),
                E(lambda t: t.histogram(t.ones(2), 2, range=(4.0,)), RuntimeError,
                  HIST + "for a 1-dimensional histogram range should have 2 elements, but got 1"),
                E(lambda t: t.histogram(t.ones(2), t.ones(2, 2)), RuntimeError,
                  HIST + "bins tensor should have one dimension, but got 2 dimensions in the bins tensor for dimension 0"),
                E(lambda t: t.histogram(t.ones(2), t.ones(2, dtype=t.float64)), RuntimeError,
                  HIST + "input tensor and bins tensors should have the same dtype, but got input with dtype float and "
                  "bins for dimension 0 with dtype double"),
                E(lambda t: t.histogram(t.ones(2), t.ones(0)), RuntimeError,
                  HIST + "bins tensor should have at least 1 element, but got 0 elements in the bins tensor for dimension 0"),
                E(lambda t: t.histogram(t.arange(3), 3), NotImplementedError,
                  "\"histogramdd\" not implemented for 'Long'"),
                E(lambda t: t.histogram(t.ones(2), 3, weight=t.ones(2, dtype=t.float64)), RuntimeError,
                  HIST + "if weight tensor is provided, input tensor and weight tensor should have the same dtype, but "
                  "got input(float), and weight(double)")))


def searchsorted(rows: np.ndarray, x: Any, right: bool = False, side: Any = None, sorter: Any = None,
                 out_int32: bool = False) -> np.ndarray:
    side = "right" if right or side == "right" else "left"
    order = sorter.value if isinstance(sorter, Const) else sorter
    if rows.ndim == 1:
        return np.searchsorted(rows, x, side, order)
    flat = rows.reshape(-1, rows.shape[-1])
    each = np.reshape(x, (len(flat), -1))
    return np.stack([np.searchsorted(a, b, side) for a, b in zip(flat, each, strict=True)]).reshape(x.shape)


def ascending(m: Make, *shape: int) -> np.ndarray:
    return np.sort(m(*shape), -1)


SEARCH = "tapegrad.searchsorted(): "


def searches(m: Make) -> Iterable[Sample]:
    for kw in ({}, {"right": True}, {"side": "right"}, {"side": "left"}):
        yield S(ascending(m, 6), m(2, 3), **kw)
    yield from (S(ascending(m, 2, 6), m(2, 3)), S(ascending(m, 2, 3, 4), m(2, 3, 2), right=True))
    yield from (S(ascending(m, 5), m()), S(ascending(m, 5), 1), S(ascending(m, 0), m(3)), S(ascending(m, 5), m(0)))
    values = m.distinct(6)
    yield S(values, m(4), sorter=Const(values.argsort()))


add_row("searchsorted", searchsorted, searches, "sort", dtypes=NUMBERS, out="int64", diff=False, method=None,
        large=lambda m: [S(ascending(m, 1000), m(301, 1003)), S(ascending(m, 301, 100), m(301, 1003))],
        errors=(E(lambda t: t.searchsorted(t.ones(2, 3), t.ones(3, 2)), RuntimeError, SEARCH +
                  "boundaries tensor should be 1 dimension or the first N-1 dimensions of boundaries tensor and input "
                  "value tensor must match, but we got boundaries tensor [2, 3] and input value tensor [3, 2]"),
                E(lambda t: t.searchsorted(t.ones(2, 3), 2.0), RuntimeError, SEARCH +
                  "input value can be a scalar only when boundaries tensor dimension is 1, but we got boundaries "
                  "tensor dim(2) and input value's dim(0) numel(1)"),
                E(lambda t: t.searchsorted(t.ones(2), t.ones(2), side="up"), RuntimeError, SEARCH +
                  "side can only be 'left' or 'right' but got up"),
                E(lambda t: t.searchsorted(t.ones(2), t.ones(2), side="left", right=True), RuntimeError, SEARCH +
                  "side and right can't be set to opposites, got side of left while right was True"),
                E(lambda t: t.searchsorted(t.ones(3), t.ones(2), sorter=t.tensor([0, 1])), RuntimeError, SEARCH +
                  "boundary and sorter must have the same size, but got boundary tensor [3]and got sorter tensor [2]"),
                E(lambda t: t.searchsorted(t.ones(2), t.ones(2), sorter=t.tensor([0, 7])), RuntimeError, SEARCH +
                  "sorter index out of range"),
                E(lambda t: t.searchsorted(t.tensor(1.0), t.ones(2)), RuntimeError, SEARCH +
                  "boundaries tensor should have positive dimension, but got 0 dimension"),
                E(lambda t: t.searchsorted(t.tensor([True]), t.tensor([True])), NotImplementedError)))
add_row("bucketize", lambda x, edges, right=False, out_int32=False: np.searchsorted(
            edges, x, "right" if right else "left"), lambda m: [
            S(m(2, 3), ascending(m, 4)), S(m(5), ascending(m, 4), right=True), S(m(), ascending(m, 3)),
            S(1, ascending(m, 3)), S(m(3), ascending(m, 0))],
        "sort", dtypes=NUMBERS, out="int64", diff=False, method=None,
        errors=(E(lambda t: t.bucketize(t.ones(2), t.ones(2, 2)), RuntimeError,
                  "boundaries tensor must be 1 dimension, but got dim(2)"),))

# ---------------------------------------------------------------- distances


def distance(d: np.ndarray, p: float) -> np.ndarray:
    size = np.abs(d)
    if p == 0:
        return (size != 0).sum(-1).astype(d.dtype)
    if p == math.inf:
        return size.max(-1, initial=0.0)
    return (size**p).sum(-1) ** (1 / p)


def cdist(a: np.ndarray, b: np.ndarray, p: float = 2.0, compute_mode: str = "") -> np.ndarray:
    return distance(a[..., :, None, :] - b[..., None, :, :], p)


ORDERS = (0, 0.5, 1, 1.5, 2, 3, math.inf)
add_row("cdist", cdist, lambda m: [
            *(S(m(3, 2), m(4, 2), p) for p in ORDERS), S(m(2, 3, 2), m(4, 2)), S(m(2, 1, 3, 2), m(3, 1, 2), 1),
            S(m(0, 2), m(3, 2)), S(m(2, 2), m(0, 2)), S(m(2, 0), m(3, 0)), S(m(30, 3), m(27, 3)),
            S(m(3, 2), m(4, 2), compute_mode="donot_use_mm_for_euclid_dist")],
        "product", method=None, tol=20,
        large=lambda m: [S(m(301, 7), m(203, 7), p) for p in (1, 2, 3, math.inf)],
        errors=(E(lambda t: t.cdist(t.ones(2), t.ones(2, 2)), RuntimeError,
                  "cdist only supports at least 2D tensors, X1 got: 1D"),
                E(lambda t: t.cdist(t.ones(2, 2), t.ones(2)), RuntimeError,
                  "cdist only supports at least 2D tensors, X2 got: 1D"),
                E(lambda t: t.cdist(t.ones(2, 2), t.ones(2, 3)), RuntimeError,
                  "X1 and X2 must have the same number of columns. X1: 2 X2: 3"),
                E(lambda t: t.cdist(t.ones(2, 2), t.ones(2, 2), -1), RuntimeError,
                  "cdist only supports non-negative p values"),
                E(lambda t: t.cdist(t.ones(2, 2, dtype=t.int64), t.ones(2, 2)), RuntimeError,
                  "cdist only supports floating-point dtypes, X1 got: Long"),
                E(lambda t: t.cdist(t.ones(2, 2), t.ones(2, 2), compute_mode="a"), ValueError,
                  "a is not a valid value for compute_mode"),
                E(lambda t: t.cdist(t.ones(2, 2), t.ones(2, 2, dtype=t.float64)), RuntimeError,
                  "expected scalar type Float but found Double")))
add_row("pdist", lambda x, p=2: distance(x[:, None] - x[None], p)[np.triu_indices(len(x), 1)],
        lambda m: [*(S(m(4, 3), p) for p in ORDERS), S(m(1, 3)), S(m(0, 3)), S(m(3, 2))],
        "product", method=None, tol=20,
        errors=(E(lambda t: t.pdist(t.ones(2)), RuntimeError, "pdist only supports 2D tensors, got: 1D"),
                E(lambda t: t.pdist(t.ones(2, 2), -1), RuntimeError, "pdist only supports non-negative p values"),
                E(lambda t: t.pdist(t.ones(2, 2, dtype=t.int64)), RuntimeError,
                  "pdist only supports floating-point dtypes")))
add_row("dist", lambda x, y, p=2: distance((x - y).reshape(-1), p),
        lambda m: [*(S(m(2, 3), m(2, 3), p) for p in (1, 2, 3, math.inf)), S(m(2, 3), m(3)), S(m(), m()), S(m(0), m(0))],
        "product", tol=8)


def renorm(x: np.ndarray, p: float, dim: int, maxnorm: float) -> np.ndarray:
    rows = np.moveaxis(x, dim, 0)
    size = distance(rows.reshape(len(rows), math.prod(rows.shape[1:])), p).reshape(-1, *[1] * (x.ndim - 1))
    return np.moveaxis(np.where(size > maxnorm, rows * (maxnorm / (size + 1e-7)), rows), 0, dim)


add_row("renorm", renorm, lambda m: [
            *(S(m(3, 4, away=KINK), p, d, 1.5) for p in (1, 2, 3) for d in (0, 1)), S(m(2, 3, 2), 2, -1, 1), S(m(0, 2), 2, 0, 1)],
        "product", inplace="renorm_", tol=8, special=False,
        errors=(E(lambda t: t.renorm(t.ones(2, 2), 0, 0, 1), RuntimeError, "renorm: non-positive-norm not supported"),
                E(lambda t: t.renorm(t.ones(2, 2), 2, 0, -1), RuntimeError,
                  "renorm: expected maxnorm to be >= 0 but got -1"),
                E(lambda t: t.renorm(t.ones(2), 2, 0, 1), RuntimeError,
                  "renorm: input needs at least 2 dimensions, got 1 dimensions"),
                E(lambda t: t.renorm(t.ones(2, 3), 2, 2, 1), IndexError, NO_SUCH_DIM)))

# ---------------------------------------------------------------- statistics


def cov(x: np.ndarray, correction: int = 1, fweights: Any = None, aweights: Any = None) -> np.ndarray:
    f = fweights.value if isinstance(fweights, Const) else fweights
    return np.cov(x, ddof=correction, fweights=f, aweights=aweights)


COV = "cov(): expected "
add_row("cov", cov, lambda m: [
            S(m(3, 5)), S(m(5)), S(m(2, 6), correction=0), S(m(2, 6), correction=2),
            S(m(2, 4), fweights=Const(np.array([1, 2, 0, 3]))), S(m(2, 4), aweights=m(4, lo=0.5)),
            S(m(2, 4), fweights=Const(np.array([1, 2, 1, 3])), aweights=m(4, lo=0.5), correction=0)],
        "product", tol=20, special=False,
        errors=(E(lambda t: t.cov(t.ones(2, 2, 2)), RuntimeError,
                  COV + "input to have two or fewer dimensions but got an input with 3 dimensions"),
                E(lambda t: t.cov(t.ones(2, dtype=t.bool)), RuntimeError, "cov(): bool dtype is not supported for input"),
                E(lambda t: t.cov(t.ones(2), fweights=t.ones(2)), RuntimeError,
                  COV + "fweights to have integral dtype but got fweights with Float dtype"),
                E(lambda t: t.cov(t.ones(2), aweights=t.tensor([1, 2])), RuntimeError,
                  COV + "aweights to have floating point dtype but got aweights with Long dtype"),
                E(lambda t: t.cov(t.ones(2), fweights=t.tensor([1])), RuntimeError,
                  COV + "fweights to have the same numel as there are observations in the input but got 1 != 2"),
                E(lambda t: t.cov(t.ones(2), aweights=-t.ones(2)), RuntimeError,
                  "cov(): aweights cannot be negative"),
                E(lambda t: t.cov(t.ones(2), aweights=t.ones(2, 1)), RuntimeError,
                  COV + "aweights to have one or fewer dimensions but got aweights with 2 dimensions"),
                E(lambda t: t.cov(t.ones(2), fweights=t.tensor([0, 0])), RuntimeError,
                  "cov(): weights sum to zero, can't be normalized")))
add_row("corrcoef", np.corrcoef, lambda m: [S(m(3, 6)), S(m(2, 9)), S(m(5))], "product", tol=40, special=False,
        errors=(E(lambda t: t.corrcoef(t.ones(2, 2, 2)), RuntimeError,
                  "corrcoef(): expected input to have two or fewer dimensions but got an input with 3 dimensions"),))
