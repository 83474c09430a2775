"""`vmap` of every row of the operator table, against a loop over the samples."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import op_table
import tapegrad as tg
from op_row import Make, convert
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


# ---------------------------------------------------------------------- operators without a row


F = tg.nn.functional
# What is called, and the shapes of a sample of its arguments.
MORE = {
    "conv1d": (lambda x, w, b: F.conv1d(x, w, b, padding=1), (2, 3, 6), (4, 3, 3), (4,)),
    "conv1d of one image": (lambda x, w: F.conv1d(x, w, stride=2), (3, 6), (4, 3, 3)),
    "conv2d": (F.conv2d, (2, 3, 6, 5), (4, 3, 3, 2), (4,)),
    "conv2d in groups": (
        lambda x, w, b: F.conv2d(x, w, b, groups=2, dilation=2), (2, 4, 6, 5), (6, 2, 2, 2), (6,)
    ),
    "conv2d of one image": (lambda x, w, b: F.conv2d(x, w, b), (3, 6, 5), (4, 3, 3, 2), (4,)),
    "conv3d": (F.conv3d, (2, 1, 3, 4, 3), (2, 1, 2, 2, 2), (2,)),
    "conv_transpose1d": (F.conv_transpose1d, (2, 3, 6), (3, 4, 3), (4,)),
    "conv_transpose2d": (
        lambda x, w, b: F.conv_transpose2d(x, w, b, stride=2, groups=2), (2, 4, 3, 3), (4, 3, 2, 2), (6,)
    ),
    "conv_transpose of one": (lambda x, w: F.conv_transpose1d(x, w), (3, 6), (3, 4, 3)),
    "max_pool1d": (lambda x: F.max_pool1d(x, 2), (2, 3, 6)),
    "max_pool2d": (lambda x: F.max_pool2d(x, 2, return_indices=True), (2, 3, 6, 4)),
    "max_pool2d of one": (lambda x: F.max_pool2d(x, 2), (3, 6, 4)),
    "avg_pool2d": (lambda x: F.avg_pool2d(x, 3, 1, 1), (2, 3, 6, 4)),
    "avg_pool3d": (lambda x: F.avg_pool3d(x, 2), (2, 3, 4, 4, 4)),
    "adaptive_avg_pool2d": (lambda x: F.adaptive_avg_pool2d(x, (2, 3)), (2, 3, 6, 4)),
    "adaptive_max_pool1d": (lambda x: F.adaptive_max_pool1d(x, 2), (2, 3, 6)),
    "max_unpool1d": (lambda x: F.max_unpool1d(*F.max_pool1d(x, 2, return_indices=True), 2), (2, 3, 6)),
    "pad": (lambda x: F.pad(x, (1, 2, 0, 1), value=3.0), (2, 3, 6)),
    "reflection": (lambda x: F.pad(x, (1, 2), mode="reflect"), (2, 3, 6)),
    "replication": (lambda x: F.pad(x, (1, 2, 1, 1), mode="replicate"), (3, 6, 4)),
    "circular": (lambda x: F.pad(x, (1, 2), mode="circular"), (2, 3, 6)),
    "interpolate": (lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"), (2, 3, 4, 4)),
    "unfold": (lambda x: F.unfold(x, 2), (2, 3, 4, 4)),
    "fold": (lambda x: F.fold(x, (4, 4), 2), (2, 12, 9)),
    "pixel_shuffle": (lambda x: F.pixel_unshuffle(F.pixel_shuffle(x, 2), 2), (2, 4, 3, 3)),
    "channel_shuffle": (lambda x: F.channel_shuffle(x, 2), (2, 4, 3, 3)),
    "attention": (F.scaled_dot_product_attention, (2, 3, 4), (2, 5, 4), (2, 5, 4)),
    "causal attention": (
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True), (3, 4), (3, 4), (3, 4)
    ),
    "layer_norm": (lambda x, w, b: F.layer_norm(x, (4,), w, b), (2, 3, 4), (4,), (4,)),
    "rms_norm": (lambda x, w: F.rms_norm(x, (3, 4), w), (2, 3, 4), (3, 4)),
    "group_norm": (lambda x, w, b: F.group_norm(x, 2, w, b), (2, 4, 3), (4,), (4,)),
    "batch_norm": (
        lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True), (5, 4, 3), (4,), (4,)
    ),
    "batch_norm of evaluation": (
        lambda x, m, v, w: F.batch_norm(x, m, v.abs() + 1, w), (5, 4), (4,), (4,), (4,)
    ),
    "instance_norm": (lambda x, w, b: F.instance_norm(x, None, None, w, b), (2, 4, 3), (4,), (4,)),
    "linear": (F.linear, (2, 3), (4, 3), (4,)),
    "linear of a vector": (F.linear, (3,), (4, 3), (4,)),
    "linear of many": (lambda x, w: F.linear(x, w), (2, 5, 3), (4, 3)),
    "bilinear": (F.bilinear, (2, 3), (2, 4), (5, 3, 4), (5,)),
    "embedding": (lambda w: F.embedding(tg.tensor([[1, 0, 2]]), w), (4, 3)),
    "padded embedding": (lambda w: F.embedding(tg.tensor([1, 0]), w, padding_idx=1), (4, 3)),
    "lstm_cell": (lambda x, h, c, w, v: tg._C.lstm_cell(x, (h, c), w, v), (2, 3), (2, 2), (2, 2), (8, 3), (8, 2)),
    "gru": (lambda x, h, w, v: tg._C.gru(x, h, [w, v], False, 1, 0.0, False, False, False), (4, 2, 3), (1, 2, 2), (6, 3), (6, 2)),
    "einsum": (lambda x, y: tg.einsum("ij,jk->ki", x, y), (2, 3), (3, 4)),
    "einsum with dots": (lambda x, y: tg.einsum("...ij,...jk", x, y), (5, 2, 3), (3, 4)),
    "addcmul": (lambda x, y, z: tg.addcmul(x, y, z, value=2), (2, 3), (3,), ()),
    "norms": (
        lambda x: [x.norm(), x.norm(1, 0), tg.linalg.norm(x), tg.linalg.norm(x, 2), tg.linalg.matrix_norm(x),
                   tg.linalg.vector_norm(x, 3, 1, True), tg.linalg.norm(x, "nuc"), x.norm(keepdim=True)],
        (3, 4),
    ),
    "likes": (
        lambda x: [tg.zeros_like(x), x.new_zeros(2), x.new_full((2, 1), 3), tg.full_like(x, 2), x.new_ones(2, 3)],
        (3,),
    ),
    "conversions": (lambda x: [x.float(), x.long(), x.to(tg.float32), x.bool(), x.type_as(tg.ones(1)), x.double()], (3,)),
    "writes": (lambda x, y: [x.clone().add_(y), x.clone().mul_(2).sin_(), x.clone().copy_(y), x.clone().fill_(2),
                             x.clone().zero_(), x.clone().clamp_(min=0), x.clone().masked_fill_(x > 0, 1),
                             x.clone().addmm_(x[:, :2], x)], (2, 3), (3,)),
    "forms in place": (lambda x: [x.clone().unsqueeze_(1), x.clone().t_(), x.clone().transpose_(0, 1).mul_(2),
                                  x.clone().unsqueeze_(0).squeeze_(0)], (2, 3)),
    "copies of views": (lambda x: [tg.view_copy(x, (3, 2)), tg.expand_copy(x, (2, 2, 3)), tg.permute_copy(x, (1, 0)),
                                   tg.select_copy(x, 0, 1), tg.slice_copy(x, 1, 0, 2), tg.unbind_copy(x, 1),
                                   tg.split_copy(x, 2, 1), tg.squeeze_copy(x), tg.t_copy(x), tg.unfold_copy(x, 1, 2, 1),
                                   tg.diagonal_copy(x), tg.alias_copy(x)], (2, 3)),
    "attributes": (lambda x: [x.T, x.mT, x.data, x.real, x.cpu(), x.contiguous()], (2, 3)),
    "losses": (
        lambda x, y: [F.mse_loss(x, y), F.l1_loss(x, y, reduction="sum"), F.smooth_l1_loss(x, y), F.huber_loss(x, y),
                      F.kl_div(x, y.exp()), F.binary_cross_entropy_with_logits(x, y.sigmoid(), reduction="sum"),
                      F.binary_cross_entropy(x.sigmoid(), y.sigmoid()), F.cosine_similarity(x, y),
                      F.gaussian_nll_loss(x, y, y.exp()), F.margin_ranking_loss(x, y, y.sign()),
                      F.cross_entropy(x, tg.tensor([1, 0])), F.cross_entropy(x, y.softmax(1), label_smoothing=0.1),
                      F.nll_loss(x, tg.tensor([1, -100])), F.cross_entropy(x, tg.tensor([1, 0]), tg.tensor([1.0, 2.0, 3.0]).double())],
        (2, 3), (2, 3),
    ),
}  # fmt: skip


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
    total = sum((t * tg.linspace(1, 2, t.numel(), dtype=t.dtype).reshape(t.shape)).sum() for t in out)
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
        loop = lambda *v: stacked([call(*one_of(v, dims, i)) for i in range(COUNT)])  # noqa: E731
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            same(derivatives(vmap(call, in_dims=tuple(dims)), values), derivatives(loop, values))
