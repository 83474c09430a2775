"""Reductions over dimensions, and operators along one dimension."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from op_reference import (
    deviation,
    last,
    log_softmax,
    logsumexp,
    norm,
    over,
    sum_to_size,
    values_and_places,
)
from op_row import E, Error, Make, S, Sample, Samples
from support import ALL, FLOATS, NUMBERS

from .build import KINK, NO_SUCH_DIM, add_row, function

ONE_DIM = [{"dim": 0}, {"dim": -1}, {"dim": 1, "keepdim": True}]
SEVERAL = [*ONE_DIM, {"dim": (0, 2)}, {"dim": (-1, 0, 1), "keepdim": True}, {"dim": [1]}]


def reduction(
    name: str,
    ref: Callable[..., Any],
    dims: list[dict] = SEVERAL,
    *,
    every: bool = True,  # also without `dim`
    empty: bool = True,  # has a value for no elements
    distinct: bool = False,
    arg: dict | None = None,
    more: Samples | None = None,
    **options: Any,
) -> None:
    arg = arg or {}

    def samples(m: Make) -> Iterable[Sample]:
        make = m.distinct if distinct else (lambda *shape: m(*shape, **arg))
        yield from (S(make(2, 3, 2), **d) for d in dims)
        yield S(make(), dim=0)
        yield S(make(2, 0, 3), dim=0)
        if every:
            yield from (S(make(*s)) for s in ((), (5,), (2, 3)))
        if empty:
            yield S(make(2, 0, 3), dim=1)
            yield from [S(make(0))] if every else []
        yield from more(m) if more else ()

    def bad_dim(t: Any) -> Any:
        x = t.ones(2, 3, dtype=t.float32)
        return function(name)(t, x, dim=2)

    options["errors"] = (*options.get("errors", ()), E(bad_dim, IndexError, NO_SUCH_DIM))
    make_large = [(301, 1003)]
    options.setdefault("large", lambda m: [
        S((m.distinct if distinct else m)(*s), **d)
        for s in make_large for d in [*([{}] if every else []), {"dim": 0}, {"dim": 1}]
    ])
    add_row(name, ref, samples, "reduction", **options)


def no_elements(name: str) -> Error:
    return E(lambda t: function(name)(t, t.ones(0)), RuntimeError,
             f"{name}(): Expected reduction dim to be specified for input.numel() == 0. "
             "Specify the reduction dim with the 'dim' argument.")


def no_size(name: str) -> Error:
    return E(lambda t: function(name)(t, t.ones(0, 2), dim=0), IndexError,
             f"{name}(): Expected reduction dim 0 to have non-zero size.")


reduction("sum", over(np.sum), dtypes=ALL, out="sum", tol=5,
          errors=(E(lambda t: t.ones(2, 3).sum((0, 0)), RuntimeError,
                    "dim 0 appears multiple times in the list of dims"),))
reduction("mean", over(np.mean), tol=5,
          errors=(E(lambda t: t.arange(3).mean(), RuntimeError,
                    "mean(): could not infer output dtype. Input dtype must be either a floating "
                    "point or complex dtype. Got: Long"),))
reduction("prod", over(np.prod), ONE_DIM, dtypes=ALL, out="sum", tol=5, arg={"away": KINK},
          large=lambda m: [S(m(301, 1003, lo=0.99, hi=1.01), dim=0), S(m(5003, lo=0.99, hi=1.01))])
reduction("max", values_and_places(np.max, np.argmax), ONE_DIM, empty=False, distinct=True,
          dtypes=NUMBERS, errors=(no_elements("max"), no_size("max")))
reduction("min", values_and_places(np.min, np.argmin), ONE_DIM, empty=False, distinct=True,
          dtypes=NUMBERS, errors=(no_elements("min"), no_size("min")))
reduction("amax", over(np.amax), empty=False, distinct=True, dtypes=ALL,
          errors=(no_elements("amax"),))
reduction("amin", over(np.amin), empty=False, distinct=True, dtypes=ALL,
          errors=(no_elements("amin"),))
for name, ref in (("argmax", np.argmax), ("argmin", np.argmin)):
    reduction(name, over(ref), ONE_DIM, empty=False, distinct=True, dtypes=NUMBERS, out="int64",
              diff=False,
              errors=(no_size(name),
                      E(lambda t, n=name: function(n)(t, t.ones(0)), IndexError,
                        f"{name}(): Expected reduction dim to be specified for input.numel() == 0.")))
CORRECTED = [{"correction": 0}, {"dim": 1, "correction": 0}, {"unbiased": False}]
reduction("var", over(deviation), empty=False, tol=5,
          more=lambda m: [S(m(3, 4), **kw) for kw in CORRECTED])
reduction("std", over(lambda x, **kw: deviation(x, root=True, **kw)), empty=False, tol=5,
          more=lambda m: [S(m(3, 4), **kw) for kw in CORRECTED],
          errors=(E(lambda t: t.arange(3).std(), RuntimeError,
                    "std and var only support floating point and complex dtypes"),))
for name, root in (("var_mean", False), ("std_mean", True)):
    reduction(name, lambda x, r=root, dim=None, keepdim=False, **kw: (
                  over(deviation)(x, dim=dim, keepdim=keepdim, root=r, **kw),
                  over(np.mean)(x, dim=dim, keepdim=keepdim)),
              empty=False, tol=5, method=None, more=lambda m: [S(m(3, 4), **kw) for kw in CORRECTED])
reduction("norm", over(norm), SEVERAL[:-2], arg={"away": KINK}, tol=5,
          more=lambda m: [S(m(3, 4, away=KINK), p, **d) for p in (1, 3, math.inf)
                          for d in ({}, {"dim": 1}, {"dim": (0, 1), "keepdim": True})])
reduction("logsumexp", over(logsumexp), every=False, tol=5)
reduction("any", over(np.any), dtypes=ALL, out="logical", diff=False)
reduction("all", over(np.all), dtypes=ALL, out="logical", diff=False)
reduction("count_nonzero", over(np.count_nonzero), [{"dim": 0}, {"dim": -1}, {"dim": (0, 2)}, {"dim": [1]}],
          dtypes=ALL, out="int64", diff=False)
add_row("sum_to_size", sum_to_size, lambda m: [
            S(m(2, 3), (1, 3)), S(m(2, 3), (3,)), S(m(2, 3, 2), (3, 1)), S(m(2, 3), (2, 3)), S(m(3), ()), S(m(), ()),
            S(m(2, 0), (1, 0)), S(m(2, 0), (2, 1))],
        "shape", dtypes=("int64", *FLOATS), tol=5, call=lambda t, x, size: x.sum_to_size(size),
        large=lambda m: [S(m(301, 1003), (1, 1003)), S(m(301, 1003), (301, 1)), S(m(301, 1003), ())],
        errors=(E(lambda t: t.ones(2, 3).sum_to_size((2,)), RuntimeError,
                  "size {[2]} is not expandable to size {[2, 3]}."),))


# ---------------------------------------------------------------- along one dimension


def along_dim(m: Make, **arg: Any) -> Iterable[Sample]:
    yield from (S(m(2, 3, 2, **arg), dim=d) for d in (0, 1, -1))
    yield from (S(m(**arg), dim=-1), S(m(5, **arg), dim=0), S(m(0, 3), dim=1), S(m(2, 0), dim=1))


ROWS_COLUMNS: Samples = lambda m: [S(m(301, 1003), dim=1), S(m(301, 1003), dim=0)]  # noqa: E731
add_row("cumsum", last(np.cumsum), along_dim, "along", dtypes=ALL, out="sum", tol=5,
        large=ROWS_COLUMNS, inplace="cumsum_")
add_row("cumprod", last(np.cumprod), along_dim, "along", dtypes=ALL, out="sum", tol=5,
        large=lambda m: [S(m(301, 1003, lo=0.99, hi=1.01), dim=d) for d in (0, 1)],
        inplace="cumprod_", errors=(E(lambda t: t.cumprod(t.ones(2, 3), 2), IndexError, NO_SUCH_DIM),))
add_row("softmax", last(lambda x, axis: np.exp(log_softmax(x, axis))), along_dim, "along", tol=2,
        large=ROWS_COLUMNS,
        errors=(E(lambda t: t.softmax(t.ones(2, 3), dim=2), IndexError, NO_SUCH_DIM),))
add_row("log_softmax", last(log_softmax), along_dim, "along", tol=2, large=ROWS_COLUMNS,
        errors=(E(lambda t: t.log_softmax(t.ones(2, 3), dim=2), IndexError, NO_SUCH_DIM),))
