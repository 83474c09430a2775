"""`vmap` of every row of the operator table, against a loop over the samples."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import op_table
import tapegrad as tg
from op_row import Make, convert
from op_table.batched import MORE
from support import tensor
from tapegrad.func import vmap
from tapegrad.func._levels import VmapError

COUNT = 3
# Their results have another shape for each sample, or depend on a question about the values.
DYNAMIC = {
    *("argwhere", "nonzero", "masked_select", "unique", "unique_consecutive", "bincount"),
    *("allclose", "equal", "is_nonzero"),
}
# Of these some arguments have to be the same for all samples.
PARTLY = {"getitem", "setitem", "index_put", "tensor_split", "where", "repeat_interleave"}
# What runs for each sample.
LOOPS = {
    *("as_strided_scatter", "histc", "histogram", "cov", "linalg_tensorinv", "linalg_lstsq"),
    *("linalg_lu_solve", "lu_solve", "linalg_tensorsolve", "repeat_interleave"),
}
RANDOM = {"dropout"}


def leaves(args):
    """The arrays of some arguments, and how they go back."""
    found = []

    def leaf(values, _):
        found.append(values)
        return values

    convert(args, leaf)
    return found


def filled(args, values):
    values = iter(values)
    return convert(args, lambda *_: next(values))


def batches(op):
    """For each sample of the row the arguments, and for each array its values for each sample."""
    runs = [list(op.samples(Make("float64", seed))) for seed in range(COUNT)]
    for samples in zip(*runs):
        args = tuple(samples[0].args), samples[0].kwargs
        parts = [[*leaves(s.args), *leaves(list(s.kwargs.values()))] for s in samples]
        if len({len(p) for p in parts}) == 1 and parts[0]:
            yield args, list(zip(*parts))


def modes(count):
    """Which arrays are batched, and where."""
    yield [0] * count
    yield [-1] * count
    if count > 1:
        for i in range(count):
            yield [0 if j == i else None for j in range(count)]


def caller(op, args):
    def call(*values):
        positional = filled(args[0], values)
        rest = values[len(leaves(args[0])) :]
        named = dict(zip(args[1], filled(list(args[1].values()), rest)))
        return op.call(tg, *positional, **named)

    return call


def stacked(results):
    first = results[0]
    if isinstance(first, tg.Tensor):
        return tg.stack(results)
    if isinstance(first, tuple | list):
        return [stacked(list(parts)) for parts in zip(*results)]
    return first


def same(got, want):
    if isinstance(want, tg.Tensor):
        assert got.shape == want.shape, (got.shape, want.shape)
        assert got.dtype == want.dtype, (got.dtype, want.dtype)
        np.testing.assert_allclose(got.numpy(), want.numpy(), rtol=1e-9, atol=1e-9)
    else:
        assert len(got) == len(want)
        for g, w in zip(got, want):
            same(g, w)


def plan(op):
    for args, columns in batches(op):
        for dims in modes(len(columns)):
            values = [
                tensor(c[0]) if d is None else tg.stack([tensor(x) for x in c], d if d == 0 else -1)
                for c, d in zip(columns, dims)
                if d is None or len({x.shape for x in c}) == 1
            ]
            if len(values) == len(columns):
                yield args, values, tuple(dims)


def one_of(values, dims, i):
    return [v if d is None else v.select(d, i) for v, d in zip(values, dims)]


@pytest.mark.parametrize("op", op_table.TABLE, ids=lambda op: op.name)
def test_every_operator(op):
    seen = refused = 0
    for args, values, dims in plan(op):
        call = caller(op, args)
        if op.name in DYNAMIC:
            with pytest.raises(RuntimeError, match="vmap: "):
                vmap(call, in_dims=dims)(*values)
            continue
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore" if op.name in LOOPS else "error", "There is a perf")
            warnings.filterwarnings("ignore", ".*degrees of freedom")
            try:
                want = stacked([call(*one_of(values, dims, i)) for i in range(COUNT)])
            except (RuntimeError, IndexError, TypeError, ValueError):
                with pytest.raises((RuntimeError, IndexError, TypeError, ValueError)):
                    vmap(call, in_dims=dims)(*values)
                continue
            seen += 1
            try:
                result = vmap(call, in_dims=dims, randomness="different")(*values)
            except VmapError:
                if op.name not in PARTLY:
                    raise
                refused += 1
                continue
        if op.name not in RANDOM:
            same(result, want)
    assert not refused or refused < seen


def nested(op):
    """Calls whose arguments are batched twice, or once at one of two levels."""
    for args, columns in list(batches(op))[:4]:
        if any(len({x.shape for x in c}) > 1 for c in columns):
            continue
        values = [tg.stack([tensor(x) for x in c]) for c in columns]
        yield args, [v.unsqueeze(0).expand(2, *v.shape) for v in values], [0] * len(values), 0
        if len(values) > 1:
            inner = [0] + [None] * (len(values) - 1)
            outer = [None] + [0] * (len(values) - 1)
            yield args, values, outer, inner


@pytest.mark.parametrize("op", op_table.TABLE, ids=lambda op: op.name)
def test_every_operator_at_two_levels(op):
    if op.name in DYNAMIC | RANDOM | PARTLY:
        pytest.skip("some arguments have to be the same for all samples")
    for args, values, outer, inner in nested(op):
        call = caller(op, args)
        dims = [inner] * len(values) if inner == 0 else inner
        size = next(v.shape[0] for v, d in zip(values, outer) if d == 0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                rows = [
                    [call(*one_of(one_of(values, outer, i), dims, j)) for j in range(COUNT)]
                    for i in range(size)
                ]
            except (RuntimeError, IndexError, TypeError, ValueError):
                continue
            got = vmap(vmap(call, in_dims=tuple(dims)), in_dims=tuple(outer))(*values)
        same(got, stacked([stacked(row) for row in rows]))


@pytest.mark.parametrize("op", op_table.rows(diff=True), ids=lambda op: op.name)
def test_gradients_of_each_sample(op):
    """The gradient of a sum of the results, by all tensors, which some samples share."""
    if op.name in DYNAMIC | RANDOM | PARTLY or "float64" not in op.dtypes:
        pytest.skip("some arguments have to be the same for all samples")
    for args, values, dims in plan(op):
        call = caller(op, args)
        floats = tuple(i for i, v in enumerate(values) if v.is_floating_point())
        if not floats or any(d == -1 for d in dims):
            continue

        def total(*given, call=call):
            parts = [t for t in outputs_of(call(*given)) if t.is_floating_point()]
            return sum((t.sin().sum() for t in parts), tg.zeros((), dtype=tg.float64))

        of_sample = tg.func.grad(total, argnums=floats)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                want = stacked([of_sample(*one_of(values, dims, i)) for i in range(COUNT)])
            except (RuntimeError, IndexError, TypeError, ValueError):
                continue
            got = vmap(of_sample, in_dims=dims)(*values)
        same(got, want)


# ---------------------------------------------------------------------- operators without a row


@pytest.mark.parametrize("name", MORE)
def test_what_has_no_row(name):
    call, *shapes = MORE[name]
    made = Make("float64", 1)
    for dims in modes(len(shapes)):
        if name == "writes" and dims[0] is None:
            continue
        columns = [[tensor(made(*shape)) for _ in range(COUNT)] for shape in shapes]
        values = [
            c[0] if d is None else tg.stack(c, d if d == 0 else -1) for c, d in zip(columns, dims)
        ]
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*no batching rule for gru|.*reduction: 'mean' div")
            got = vmap(call, in_dims=tuple(dims))(*values)
        same(got, stacked([call(*one_of(values, dims, i)) for i in range(COUNT)]))


def derivatives(function, values):
    leaves_ = [v.detach().requires_grad_() for v in values]
    out = [t for t in outputs_of(function(*leaves_)) if t.requires_grad]
    total = sum(
        (t * tg.linspace(1, 2, t.numel(), dtype=t.dtype).reshape(t.shape)).sum() for t in out
    )
    if not out:
        return []
    grads = tg.autograd.grad(total, leaves_, allow_unused=True)
    return [tg.zeros_like(x) if g is None else g for g, x in zip(grads, leaves_)]


def outputs_of(value):
    if isinstance(value, tg.Tensor):
        return [value]
    return [t for part in value for t in outputs_of(part)]


@pytest.mark.parametrize("name", [name for name in MORE if name not in ("likes", "conversions")])
def test_gradients_through_vmap(name):
    call, *shapes = MORE[name]
    made = Make("float64", 2)
    for dims in modes(len(shapes)):
        if name == "writes" and dims[0] is None:
            continue
        values = [
            tensor(made(*shape)) if d is None else tensor(made(COUNT, *shape)) if d == 0
            else tensor(made(*shape, COUNT)) for shape, d in zip(shapes, dims)
        ]  # fmt: skip

        def loop(*v, dims=dims):
            return stacked([call(*one_of(v, dims, i)) for i in range(COUNT)])

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            same(derivatives(vmap(call, in_dims=tuple(dims)), values), derivatives(loop, values))
