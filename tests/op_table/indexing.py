"""Operators that read or write at indices and masks."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from op_reference import (
    index_add,
    index_copy,
    index_fill,
    index_put,
    index_reduce,
    masked_fill,
    masked_scatter,
    narrow,
    nonzero,
    put,
    put_add,
    put_reduced,
    read,
    take,
    write,
)
from op_row import Const, E, Make, S, Sample
from support import ALL, NUMBERS

from .build import NO_SUCH_DIM, SIX, VIEW, add_row


def indices(m: Make) -> list:
    """Indices of a (3, 4, 2) tensor: basic, by arrays, by masks, and mixed."""
    i, j = m.index(3, 2), m.index(4, 2)
    return [
        0, -1, slice(1, None), slice(None, None, 2), slice(3, 1), ..., None, (), (0, 1, 1), (1, slice(2)),
        (..., 0), (None, slice(None), None, 2), (slice(None), slice(1, 4, 2), -1), i, m.index(3, 2, 2),
        (i, j), (slice(None), j), (i, slice(1, 3), i % 2), (..., m.index(2, 3)), (i, None), (0, j),
        (m.index(3, 2, 1), m.index(4, 3)), m.mask(3), m.mask(3, 4), m.mask(3, 4, 2),
        (slice(None), m.mask(4)), (m.mask(3), 0), np.zeros(3, bool), np.zeros((0,), np.int64), True,
        (i.astype(np.int32), slice(None)), (slice(None), m.index(4)),
    ]


def reads(m: Make) -> Iterable[Sample]:
    yield from (S(m(3, 4, 2), index) for index in indices(m))
    yield from (S(m(), ...), S(m(), None), S(m(), ()), S(m(0, 3), m.mask(0)), S(m(3), m.index(3)))


def writes(m: Make) -> Iterable[Sample]:
    for index in indices(m):
        if isinstance(index, np.ndarray) and index.dtype != bool:
            index = np.array([2, 0])  # two writes to one place have no order
        elif isinstance(index, tuple) and any(isinstance(k, np.ndarray) for k in index):
            continue
        shape = np.zeros((3, 4, 2))[index].shape
        yield S(m(3, 4, 2), index, m(*shape))
        yield S(m(3, 4, 2), index, m())
    yield S(m(3, 4, 2), (slice(None), np.array([3, 0]), np.array([1, 0])), m(2))
    yield S(m(3, 4, 2), (np.array([2, 0]), slice(None), 1), m(4))
    yield S(m(3, 4), m.mask(3, 4), 1)


add_row("getitem", read, reads, "index", dtypes=ALL, call=lambda t, x, i: x[i], method="__getitem__",
        errors=(E(lambda t: t.ones(2, 3)[2], IndexError, SIX.format(2, 0, 2)),
                E(lambda t: t.ones(2, 3)[0, -4], IndexError, SIX.format(-4, 1, 3)),
                E(lambda t: t.ones(2, 3)[t.tensor([5])], IndexError, SIX.format(5, 0, 2)),
                E(lambda t: t.ones(2, 3)[0, 0, 0], IndexError, "too many indices for tensor of dimension 2"),
                E(lambda t: t.ones(2, 3)[::-1], ValueError, "step must be greater than zero"),
                E(lambda t: t.ones(2, 3)[1.0], IndexError, "only integers, slices (`:`), ellipsis (`...`), "
                  "None and long or byte Variables are valid indices (got float)"),
                E(lambda t: t.ones(2, 3)[t.tensor([0, 1]), t.tensor([0, 1, 2])], IndexError,
                  "shape mismatch: indexing tensors could not be broadcast together with shapes [2], [3]"),
                E(lambda t: t.ones(2, 3)[t.tensor([True, False, True])], IndexError,
                  "The shape of the mask [3] at index 0 does not match the shape of the indexed tensor "
                  "[2, 3] at index 0"),
                E(lambda t: t.ones(2, 3)[t.tensor([1.0])], IndexError,
                  "tensors used as indices must be long, int, byte or bool tensors"),
                E(lambda t: t.tensor(1.0)[:1], IndexError, "slice() cannot be applied to a 0-dim tensor."),
                E(lambda t: t.tensor(1.0)[0], IndexError,
                  "invalid index of a 0-dim tensor. Use `tensor.item()`")))
add_row("setitem", write, writes, "index", dtypes=ALL, call=lambda t, *a: write(*a), method=None)
add_row("select", lambda x, dim, index: np.take(x, index, axis=dim), lambda m: [
            S(m(2, 3), 0, 1), S(m(2, 3), -1, -2), S(m(2, 3, 2), 1, 2), S(m(3), 0, 0), S(m(0, 2), 1, 1)],
        **VIEW, errors=(E(lambda t: t.ones(2, 3).select(1, 3), IndexError, ""),
                        E(lambda t: t.tensor(1.0).select(0, 0), IndexError,
                          "select() cannot be applied to a 0-dim tensor."),
                        E(lambda t: t.ones(2, 3).select(2, 0), IndexError, NO_SUCH_DIM)))
add_row("narrow", narrow, lambda m: [
            S(m(4, 3), 0, 1, 2), S(m(4, 3), -1, 0, 2), S(m(4, 3), 1, -2, 2),
            S(m(4), 0, 4, 0), S(m(4), 0, 0, 4), S(m(2, 0), 1, 0, 0)],
        **VIEW, errors=(E(lambda t: t.ones(2, 3).narrow(1, 2, 2), RuntimeError,
                          "start (2) + length (2) exceeds dimension size (3)."),
                        E(lambda t: t.ones(2, 3).narrow(1, 2, -1), RuntimeError,
                          "narrow(): length must be non-negative."),
                        E(lambda t: t.ones(2, 3).narrow(2, 0, 1), IndexError, NO_SUCH_DIM)))
add_row("index_put", index_put, lambda m: [
            S(m(3, 4), (np.array([2, 0]),), m(2, 4)), S(m(3, 4), (np.array([2, 0]),), m()),
            S(m(3, 4), (m.mask(3, 4),), m()),
            S(m(3, 4), (np.array([2, 0]), np.array([1, 3])), m(2)), S(m(3), (m.place(3, 0),), m(0)),
            S(m(3, 4), (m.place(3, 5),), m(5, 4), accumulate=True),
            S(m(3, 4), (m.place(3, 6), m.place(4, 6)), m(6), accumulate=True),
            S(m(3, 4), (m.mask(3),), m(4), accumulate=True)],
        "index", dtypes=ALL, inplace="index_put_",
        large=lambda m: [S(m(301, 1003), (m.random.permutation(301),), m(301, 1003)),
                         S(m(50, 100), (m.place(50, 3000),), m(3000, 100), accumulate=True)],
        errors=(E(lambda t: t.ones(2).index_put((t.tensor([2]),), t.ones(1)), IndexError, SIX.format(2, 0, 2)),
                E(lambda t: t.ones(2).index_put((t.tensor([0, 1]),), t.ones(3)), RuntimeError,
                  "shape mismatch: value tensor of shape [3] cannot be broadcast to indexing result of shape [2]")))
add_row("nonzero", nonzero, lambda m: [
            *(S(np.where(m.mask(*s), m(*s), 0).astype(m.dtype)) for s in ((), (5,), (2, 3), (0,), (2, 0), (2, 3, 2))),
            *(S(np.where(m.mask(*s), m(*s), 0).astype(m.dtype), as_tuple=True) for s in ((), (5,), (2, 3), (0,)))],
        "index", dtypes=ALL, out="int64", diff=False,
        large=lambda m: [S(np.where(m.mask(301, 1003), m(301, 1003), 0).astype(m.dtype))])
add_row("gather", take, lambda m: [S(m(3, 4), 0, m.place(3, 2, 4)), S(m(3, 4), -1, m.place(4, 2, 5)),
                                   S(m(3), 0, m.place(3, 0)), S(m(), 0, m.place(1, 2)),
                                   S(m(3, 4), 1, m.place(4, 3, 5).astype(np.int32))],
        "index", dtypes=ALL,
        errors=(E(lambda t: t.ones(2).gather(0, t.tensor([2])), RuntimeError, SIX.format(2, 0, 2)),
                E(lambda t: t.ones(2, 3).gather(0, t.tensor([1])), RuntimeError,
                  "Index tensor must have the same number of dimensions as input tensor"),
                E(lambda t: t.ones(2).gather(0, t.tensor([0.0])), RuntimeError,
                  "gather(): Expected dtype int32/int64 for index")))
add_row("index_select", lambda x, dim, index: np.take(x, index, axis=dim),
        lambda m: [S(m(3, 4), 0, m.place(3, 5)), S(m(3, 4), -1, m.place(4, 2)), S(m(3), 0, m.place(3, 0)),
                   S(m(3, 4), 1, m.place(4, 6).astype(np.int32))],
        "index", dtypes=ALL, large=lambda m: [S(m(300, 1000), 0, m.place(300, 500))],
        errors=(E(lambda t: t.ones(2).index_select(0, t.tensor([2])), IndexError,
                  "index out of range in self"),
                E(lambda t: t.ones(2).index_select(0, t.tensor([[1]])), IndexError,
                  "index_select(): Index is supposed to be a vector")))
add_row("masked_fill", masked_fill, lambda m: [
            S(m(2, 3), m.mask(2, 3), 1), S(m(2, 3), m.mask(3), 1), S(m(2, 3), m.mask(2, 1), m()),
            S(m(0), m.mask(1), 1), S(m(), m.mask(), 1)],
        "index", dtypes=ALL, inplace="masked_fill_", large=lambda m: [S(m(300, 1000), m.mask(1000), 1)],
        errors=(E(lambda t: t.ones(2).masked_fill(t.tensor([1, 0]), 0.0), RuntimeError,
                  "masked_fill_ only supports boolean masks, but got mask with dtype long int"),
                E(lambda t: t.ones(2).masked_fill(t.tensor([True, False, True]), 0.0), RuntimeError,
                  "The size of tensor a (3) must match the size of tensor b (2) at non-singleton "
                  "dimension 0")))
add_row("masked_select", lambda x, mask: np.broadcast_arrays(x, mask)[0][np.broadcast_arrays(x, mask)[1]],
        lambda m: [S(m(2, 3), m.mask(2, 3)), S(m(3), m.mask(2, 1)), S(m(2, 3), m.mask(3)), S(m(0), m.mask(0))],
        "index", dtypes=ALL)
add_row("scatter", put, lambda m: [
            S(m(3, 4), 0, m.places(3, 2, 4), m(2, 4)), S(m(3, 4), 1, m.places(4, 3, 2, dim=1), m(3, 2)),
            S(m(3, 4), 0, m.places(3, 2, 4), Const(m(3, 5))), S(m(3, 4), -1, m.places(4, 2, 3, dim=1), 1),
            S(m(3), 0, m.place(3, 0), m(0)), S(m(), 0, m.place(1), m()),
            *(S(m(3, 4), 1, m.places(4, 3, 2, dim=1).astype(np.int32), v) for v in (m(3, 2), 1))],
        "index", dtypes=ALL, inplace="scatter_",
        large=lambda m: [S(m(301, 1003), 0, m.places(301, 301, 1003), m(301, 1003))],
        errors=(E(lambda t: t.ones(2).scatter(0, t.tensor([2]), 1.0), RuntimeError, SIX.format(2, 0, 2)),
                E(lambda t: t.ones(2).scatter(0, t.tensor([0, 1]), t.ones(1)), RuntimeError,
                  "Expected index [2] to be no larger than self [2] apart from dimension 0 and to be no larger size "
                  "than src [1]"),
                E(lambda t: t.ones(2).scatter(0, t.tensor([0]), t.ones(1, dtype=t.float64)), RuntimeError,
                  "scatter(): Expected self.dtype to be equal to src.dtype")))
add_row("scatter_add", put_add, lambda m: [
            S(m(3, 4), 0, m.place(3, 2, 4), m(2, 4)), S(m(3), 0, m.place(3, 5), m(5)),
            S(m(3, 4), 1, m.place(4, 3, 2), m(3, 2)), S(m(3, 4), 1, m.place(4, 3, 2).astype(np.int32), m(3, 2))],
        "index", dtypes=NUMBERS, inplace="scatter_add_",
        large=lambda m: [S(m(50, 100), 0, m.place(50, 3000, 100), m(3000, 100))])


def reductions_into(m: Make) -> Iterable[Sample]:
    for reduce in ("sum", "prod", "mean", "amax", "amin"):
        for own in (True, False):
            values = m.distinct(7, 4)
            yield S(values[:3], 0, m.place(3, 4, 4), values[3:], reduce, include_self=own)
        yield S(values[:3], 0, m.place(3, 4, 4).astype(np.int32), values[3:], reduce)
        yield S(m.distinct(3, 1), 1, m.place(1, 3, 2), m.distinct(3, 2) * 3 + 1, reduce)
    yield S(m(3), 0, m.place(3, 0), m(0), "sum")


add_row("scatter_reduce", put_reduced, reductions_into, "index", dtypes=NUMBERS,
        inplace="scatter_reduce_", special=False, tol=4,
        large=lambda m: [S(m(50, 100), 0, m.place(50, 3000, 100), m(3000, 100), "amax")],
        errors=(E(lambda t: t.ones(2).scatter_reduce(0, t.tensor([2]), t.ones(1), "sum"), RuntimeError,
                  SIX.format(2, 0, 2)),
                E(lambda t: t.ones(2).scatter_reduce(0, t.tensor([1]), t.ones(1), "median"), RuntimeError,
                  "reduce argument must be either sum, prod, mean, amax or amin, got median")))
add_row("index_add", index_add, lambda m: [
            S(m(3, 4), 0, m.place(3, 5), m(5, 4)), S(m(3, 4), -1, m.place(4, 2), m(3, 2), alpha=2),
            S(m(3), 0, m.place(3, 0), m(0)), S(m(2, 3, 2), 1, m.place(3, 4), m(2, 4, 2), alpha=3),
            S(m(3, 4), 0, m.place(3, 5).astype(np.int32), m(5, 4))],
        "index", dtypes=NUMBERS, inplace="index_add_",
        large=lambda m: [S(m(50, 100), 0, m.place(50, 3000), m(3000, 100))],
        errors=(E(lambda t: t.ones(2).index_add(0, t.tensor([2]), t.ones(1)), RuntimeError, SIX.format(2, 0, 2)),
                E(lambda t: t.ones(2).index_add(0, t.tensor([0, 1]), t.ones(1)), RuntimeError,
                  "index_add_(): Number of indices (2) should be equal to source.size(dim): (1), for dim: 0")))
add_row("index_reduce", index_reduce, lambda m: [
            S(m(3, 4), 0, m.place(3, 5), m(5, 4), "prod"), S(m(3, 4), -1, m.place(4, 2), m(3, 2), "mean"),
            S(m.distinct(3, 4), 1, np.array([3, 0]), m.distinct(3, 2), "amax", include_self=False),
            S(m(3), 0, m.place(3, 0), m(0), "amin"), S(m(2, 3, 2), 1, m.place(3, 4), m(2, 4, 2), "prod")],
        "index", dtypes=NUMBERS, inplace="index_reduce_", special=False, tol=4,
        large=lambda m: [S(m(50, 100), 0, m.place(50, 3000), m(3000, 100), "amax")],
        errors=(E(lambda t: t.ones(2).index_reduce(0, t.tensor([0]), t.ones(1), "sum"), RuntimeError,
                  "index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got sum."),
                E(lambda t: t.ones(2).index_reduce(0, t.tensor([0, 1]), t.ones(1), "prod"), RuntimeError,
                  "index_reduce_(): Number of indices (2) should be equal to source.size(dim): (1), for dim: 0")))
add_row("index_copy", index_copy, lambda m: [
            S(m(3, 4), 0, np.array([2, 0]), m(2, 4)), S(m(3, 4), -1, np.array([1]), m(3, 1)),
            S(m(3), 0, m.place(3, 0), m(0)), S(m(2, 3, 2), 1, np.array([2, 1, 0]), m(2, 3, 2))],
        "index", dtypes=ALL, inplace="index_copy_",
        large=lambda m: [S(m(3000, 100), 0, np.arange(2999, -1, -1), m(3000, 100))],
        errors=(E(lambda t: t.ones(2).index_copy(0, t.tensor([2]), t.ones(1)), IndexError,
                  "index_copy_(): index 2 is out of bounds for dimension 0 with size 2"),
                E(lambda t: t.ones(2).index_copy(0, t.tensor([0, 1]), t.ones(1)), IndexError,
                  "index_copy_(): Number of indices (2) should be equal to source.size(dim) (1)"),
                E(lambda t: t.ones(2, 3).index_copy(0, t.tensor([0]), t.ones(1, 2)), RuntimeError,
                  "index_copy_(): Source/destination tensor must have same slice shapes. Destination "
                  "slice shape: 3 at dimension 0 and source slice shape: 2 at dimension 0.")))
add_row("index_fill", index_fill, lambda m: [
            S(m(3, 4), 0, np.array([2, 2, 0]), 1), S(m(3, 4), -1, np.array([-1]), 1), S(m(3, 4), 1, np.array([3]), m()),
            S(m(3), 0, m.place(3, 0), 1), S(m(2, 3, 2), 1, np.array([1, 0]), 0)],
        "index", dtypes=ALL, inplace="index_fill_",
        large=lambda m: [S(m(3000, 100), 0, m.place(3000, 2000), 1)],
        errors=(E(lambda t: t.ones(2).index_fill(0, t.tensor([2]), 1), IndexError, SIX.format(2, 0, 2)),
                E(lambda t: t.ones(2).index_fill(0, t.tensor([1]), t.ones(1)), RuntimeError,
                  "index_fill_ only supports a 0-dimensional value tensor, but got tensor with 1 "
                  "dimension(s).")))
add_row("masked_scatter", masked_scatter, lambda m: [
            S(m(2, 3), m.mask(2, 3), m(7)), S(m(2, 3), m.mask(3), m(2, 3)), S(m(3), m.mask(3), m(3)),
            S(m(0), m.mask(0), m(0)), S(m(2, 3), m.mask(2, 1), m(3, 2))],
        "index", dtypes=ALL, inplace="masked_scatter_",
        large=lambda m: [S(m(300, 1000), m.mask(300, 1000), m(300, 1000))],
        errors=(E(lambda t: t.ones(2).masked_scatter(t.tensor([True, True]), t.ones(1)), RuntimeError,
                  "Number of elements of source < number of ones in mask"),
                E(lambda t: t.ones(2).masked_scatter(t.tensor([1, 0]), t.ones(2)), RuntimeError,
                  "masked_scatter_ only supports boolean masks, but got mask with dtype Long")))
