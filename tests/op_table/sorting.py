"""Operators that put the elements along a dimension in order."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from op_reference import argsort, kthvalue, last, middle, sort, topk
from op_row import Const, E, Make, S, Sample
from support import ALL, NUMBERS

from .build import NO_SUCH_DIM, add_row


def orders(m: Make) -> Iterable[Sample]:
    for descending in (False, True):
        yield from (S(m.distinct(2, 3, 2), dim=d, descending=descending) for d in (0, 1, -1))
    yield from (S(m.distinct(5)), S(m()), S(m(), dim=0), S(m(0, 3)), S(m(2, 0)), S(m.distinct(2, 1, 3), dim=1))
    yield from (S(m(2, 9), dim=1, stable=True), S(m(9, 2), dim=0, descending=True, stable=True))


def best(m: Make) -> Iterable[Sample]:
    for largest in (False, True):
        yield from (S(m.distinct(4, 3, 3), 2, dim=d, largest=largest) for d in (0, 1, -1))
    yield from (S(m.distinct(5), 3), S(m.distinct(5), 5), S(m.distinct(5), 0), S(m(), 1), S(m(0, 3), 2), S(m(2, 0), 0))


add_row("sort", last(sort), orders, "along", dtypes=ALL,
        large=lambda m: [S(m.distinct(301, 1003), dim=d) for d in (0, 1)],
        errors=(E(lambda t: t.sort(t.ones(2, 3), 2), IndexError, NO_SUCH_DIM),))
add_row("argsort", last(argsort), orders, "along", dtypes=ALL, out="int64", diff=False,
        large=lambda m: [S(m.distinct(301, 1003), dim=d) for d in (0, 1)],
        errors=(E(lambda t: t.argsort(t.ones(2, 3), 2), IndexError, NO_SUCH_DIM),))
add_row("topk", topk, best, "sort", dtypes=NUMBERS,
        large=lambda m: [S(m.distinct(301, 1003), 20, dim=d) for d in (0, 1)],
        errors=(E(lambda t: t.topk(t.tensor([True]), 1), RuntimeError, "topk does not support bool dtypes on CPU"),
                E(lambda t: t.topk(t.ones(3), 4), RuntimeError, "selected index k out of range"),
                E(lambda t: t.topk(t.ones(3), -1), RuntimeError, "selected index k out of range"),
                E(lambda t: t.topk(t.ones(2, 3), 1, 2), IndexError, NO_SUCH_DIM)))


def middles(m: Make) -> Iterable[Sample]:
    yield from (S(m.distinct(3, 4, 2), dim=d, keepdim=k) for d in (0, 1, -1) for k in (False, True))
    yield from (S(m.distinct(5)), S(m.distinct(2, 3)), S(m()), S(m(), dim=0), S(m(0, 3), dim=1), S(m(7), dim=0))


for name in ("median", "nanmedian"):
    add_row(name, middle, middles, "along", dtypes=NUMBERS, special=False,
            large=lambda m: [S(m.distinct(301, 1003), dim=d) for d in (0, 1)],
            errors=(E(lambda t, n=name: getattr(t, n)(t.ones(2, 0), 1), IndexError,
                      f"{name}(): Expected reduction dim 1 to have non-zero size."),
                    E(lambda t, n=name: getattr(t, n)(t.tensor([True])), NotImplementedError)))
add_row("kthvalue", kthvalue, lambda m: [
            *(S(m.distinct(3, 4, 2), 2, dim=d, keepdim=k) for d in (0, 1, -1) for k in (False, True)),
            S(m.distinct(5), 5), S(m(), 1), S(m(0, 3), 1, dim=1)],
        "sort", dtypes=NUMBERS, special=False,
        large=lambda m: [S(m.distinct(301, 1003), 20, dim=d) for d in (0, 1)],
        errors=(E(lambda t: t.kthvalue(t.ones(2), 3), RuntimeError,
                  "kthvalue(): selected number k out of range for dimension 0"),
                E(lambda t: t.kthvalue(t.ones(2), 0), RuntimeError,
                  "kthvalue(): selected number k out of range for dimension 0"),
                E(lambda t: t.kthvalue(t.tensor([True]), 1), NotImplementedError)))
add_row("isin", lambda x, of, invert=False: np.isin(x, of.value if isinstance(of, Const) else of, invert=invert),
        lambda m: [S(m(2, 3), m(4)), S(m(5), m()), S(m(), m(2, 2), invert=True), S(m(0, 3), m(2)), S(m(3), m(0)),
                   S(m(4, lo=0, hi=3), 1)],
        "sort", dtypes=NUMBERS, out="bool", diff=False, method=None,
        large=lambda m: [S(m(301, 1003), m(100))],
        errors=(E(lambda t: t.isin(t.tensor([True]), t.ones(1)), RuntimeError,
                  "Unsupported input type encountered for isin(): Bool"),))
