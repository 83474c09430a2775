"""Tables of vectors, and layers of pairs of vectors, against PyTorch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import tapegrad as tg
from support import raises
from tapegrad import nn
from tapegrad.nn import functional as F

torch = pytest.importorskip("torch")
TF = torch.nn.functional


def to_ours(x: Any, requires_grad: bool = False) -> Any:
    if x is None:
        return None
    made = tg.from_numpy(np.array(x.detach().numpy()))
    return made.requires_grad_() if requires_grad else made


def random(*shape: int, dtype: str = "float64", seed: int = 0) -> Any:
    values = np.random.default_rng(seed).standard_normal(shape)
    return torch.tensor(values, dtype=getattr(torch, dtype), requires_grad=True)


def indices(*shape: int, rows: int = 7, seed: int = 0, dtype: str = "int64") -> Any:
    values = np.random.default_rng(seed).integers(0, rows, shape)
    return torch.tensor(values, dtype=getattr(torch, dtype))


def close(ours: Any, theirs: Any, tol: float = 1e-12) -> None:
    np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=tol, atol=tol)


def compare(ours: Any, theirs: Any, inputs: list[Any], tol: float = 1e-12) -> None:
    own = [to_ours(x, True) for x in inputs]
    got, expected = ours(*own), theirs(*inputs)
    assert tuple(got.shape) == tuple(expected.shape)
    close(got, expected, tol)
    g = random(*expected.shape, seed=99).detach().to(expected.dtype)
    for a, b in zip(
        tg.autograd.grad(got, own, to_ours(g)),
        torch.autograd.grad(expected, inputs, g),
        strict=True,
    ):
        close(a, b, tol)


@pytest.mark.parametrize("shape", [(), (0,), (5,), (3, 4), (2, 0, 3), (2, 3, 4)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("padding", [None, 2, -1])
@pytest.mark.parametrize("scaled", [False, True])
def test_embedding(shape: Any, dtype: str, padding: int | None, scaled: bool) -> None:
    for kind in ("int64", "int32"):
        at = indices(*shape, dtype=kind)
        tol = 1e-12 if dtype == "float64" else 1e-6
        compare(
            lambda w, at=at: F.embedding(to_ours(at), w, padding, scale_grad_by_freq=scaled),
            lambda w, at=at: TF.embedding(at, w, padding, scale_grad_by_freq=scaled),
            [random(7, 3, dtype=dtype)],
            tol,
        )
    out = F.embedding(to_ours(at), to_ours(random(7, 3), True), padding)
    assert out.grad_fn.name() == "EmbeddingBackward0"


def test_derivatives_of_embedding() -> None:
    at = tg.tensor([[1, 2, 1], [0, 3, 3]])
    w = to_ours(random(4, 2), True)
    for padding in (None, 2):
        for scaled in (False, True):
            run = lambda w, p=padding, s=scaled: F.embedding(at, w, p, scale_grad_by_freq=s).pow(3)  # noqa: E731
            if padding is None and not scaled:
                assert tg.autograd.gradcheck(run, (w,))
            # The gradient is linear in the results' one, whatever is left out of it.
            g = to_ours(random(2, 3, 2, seed=3), True)

            def gradient(g: Any, p: Any = padding, s: bool = scaled) -> Any:
                out = F.embedding(at, w, p, scale_grad_by_freq=s)
                return tg.autograd.grad(out, w, g, create_graph=True)[0]

            assert tg.autograd.gradcheck(gradient, (g,))
            assert tg.autograd.gradgradcheck(gradient, (g,))
    found = tg.autograd.grad(F.embedding(at, w).pow(2).sum(), w, create_graph=True)[0]
    assert found.grad_fn.name() == "EmbeddingDenseBackwardBackward0"


def test_embedding_of_other_layouts() -> None:
    at, w = indices(5, 6), random(6, 14)
    compare(
        lambda w: F.embedding(to_ours(at).t()[::2], w.t()[::2]),
        lambda w: TF.embedding(at.t()[::2], w.t()[::2]),
        [w],
    )
    compare(
        lambda w: tg.embedding(w, to_ours(at)), lambda w: torch.embedding(w, at), [random(7, 0)]
    )


@pytest.mark.parametrize("rows", [3, 1000])
def test_same_bits_at_any_number_of_threads(rows: int) -> None:
    at = to_ours(indices(100, 50, rows=rows))
    w = to_ours(random(rows, 64, dtype="float32"), True)
    before = tg.get_num_threads()
    found = []
    try:
        for threads in (1, 2, 3):
            tg.set_num_threads(threads)
            (g,) = tg.autograd.grad(F.embedding(at, w).sin().sum(), w)
            found.append(g.numpy().tobytes())
    finally:
        tg.set_num_threads(before)
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("norm", [2.0, 1.0, 0.5, 3.0, math.inf])
def test_max_norm(norm: float) -> None:
    at = torch.tensor([[1, 2], [1, 5]])
    theirs = random(7, 3).detach()
    theirs[2] *= 0.01
    ours = to_ours(theirs)
    a = F.embedding(to_ours(at), ours, max_norm=0.7, norm_type=norm)
    b = TF.embedding(at, theirs, max_norm=0.7, norm_type=norm)
    close(a, b, 1e-6)
    close(ours, theirs, 1e-6)
    layer = nn.Embedding(7, 3, max_norm=1.0)
    layer(tg.arange(7)).sum().backward()
    assert bool((layer.weight.norm(2, 1) <= 1).all())
    table = tg.ones(4, 6).t()[::2]  # strided
    tg.embedding_renorm_(table, tg.tensor([1]), 1.0, 2.0)
    assert table.norm(2, 1).tolist() == pytest.approx([2, 1, 2])
    w = tg.ones(3, 4, requires_grad=True)
    with raises(RuntimeError, "a leaf Variable that requires grad"):
        tg.embedding_renorm_(w, tg.tensor([1]), 1.0, 2.0)


def test_layers_of_tables() -> None:
    for name, options in (
        ("Embedding", {}),
        (
            "Embedding",
            {"padding_idx": 3, "max_norm": 2.0, "norm_type": 1.0, "scale_grad_by_freq": True},
        ),
        ("Embedding", {"padding_idx": -1, "sparse": True}),
        ("EmbeddingBag", {}),
        ("EmbeddingBag", {"mode": "max", "padding_idx": -2}),
        ("EmbeddingBag", {"max_norm": 2.0, "norm_type": 1.0, "scale_grad_by_freq": True}),
    ):
        ours, theirs = getattr(nn, name)(7, 3, **options), getattr(torch.nn, name)(7, 3, **options)
        assert repr(ours) == repr(theirs)
        assert list(ours.state_dict()) == list(theirs.state_dict())
        if ours.padding_idx is not None:
            assert bool((ours.weight[ours.padding_idx] == 0).all())
        table = random(7, 3).detach()
        given = getattr(nn, name).from_pretrained(to_ours(table))
        assert not given.weight.requires_grad
        close(given.weight, table)
        loose = getattr(nn, name).from_pretrained(to_ours(table), freeze=False, padding_idx=1)
        assert loose.weight.requires_grad and loose.padding_idx == 1
    weight = nn.Embedding(1000, 20).weight
    assert weight.std().item() == pytest.approx(1, abs=0.05)


OFFSETS = [[0, 2, 2, 5], [0], [0, 0, 8]]


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize("offsets", OFFSETS, ids=str)
@pytest.mark.parametrize("padding", [None, 1, -1])
@pytest.mark.parametrize("last", [False, True])
def test_embedding_bag(mode: str, offsets: list[int], padding: int | None, last: bool) -> None:
    at = indices(8)
    ends = torch.tensor(offsets + ([8] if last else []), dtype=torch.int64)
    options = {"mode": mode, "padding_idx": padding, "include_last_offset": last}
    compare(
        lambda w: F.embedding_bag(to_ours(at), w, to_ours(ends), **options),
        lambda w: TF.embedding_bag(at, w, ends, **options),
        [random(7, 3)],
    )
    compare(
        lambda w: F.embedding_bag(to_ours(at.reshape(4, 2)), w, mode=mode, padding_idx=padding),
        lambda w: TF.embedding_bag(at.reshape(4, 2), w, mode=mode, padding_idx=padding),
        [random(7, 3)],
    )
    if mode == "sum":
        compare(
            lambda w, s: F.embedding_bag(
                to_ours(at), w, to_ours(ends), per_sample_weights=s, **options
            ),
            lambda w, s: TF.embedding_bag(at, w, ends, per_sample_weights=s, **options),
            [random(7, 3), random(8, seed=1)],
        )


def test_more_of_embedding_bag() -> None:
    at, w = tg.tensor([1, 2, 3, 1, 0]), to_ours(random(4, 2), True)
    offsets = tg.tensor([0, 2, 2])
    for mode in ("sum", "mean", "max"):
        run = lambda w, m=mode: F.embedding_bag(at, w, offsets, mode=m)  # noqa: E731
        assert tg.autograd.gradcheck(run, (w,))
        assert tg.autograd.gradgradcheck(run, (w,))
        empty = F.embedding_bag(at[:0], w, tg.tensor([0, 0]), mode=mode)
        assert empty.tolist() == [[0, 0], [0, 0]]
    assert tuple(F.embedding_bag(at, w, at[:0]).shape) == (0, 2)
    # What comes after the last offset is in no bag.
    out = F.embedding_bag(at, w, tg.tensor([0, 2, 4]), mode="mean", include_last_offset=True)
    close(out[1], (w[3] + w[1]) / 2)
    layer = nn.EmbeddingBag(4, 3, mode="sum")
    assert tuple(layer(at, offsets, per_sample_weights=tg.ones(5)).shape) == (3, 3)
    normed = tg.full((4, 2), 3.0)
    F.embedding_bag(at[:2], normed, tg.tensor([0]), max_norm=1.0)
    assert normed.norm(2, 1).tolist() == pytest.approx([math.sqrt(18), 1, 1, math.sqrt(18)])
    F.embedding_bag(at, w, offsets, mode="sum", scale_grad_by_freq=True).sum().backward()
    close(w.grad, tg.ones(4, 2))


WRONG: list[tuple[Any, Any]] = [
    (lambda lib, F: F.embedding(lib.tensor([7]), lib.ones(5, 3)), IndexError),
    (lambda lib, F: F.embedding(lib.tensor([-1]), lib.ones(5, 3)), IndexError),
    (lambda lib, F: F.embedding(lib.tensor([1.0]), lib.ones(5, 3)), RuntimeError),
    (lambda lib, F: F.embedding(lib.tensor([1]), lib.ones(5)), RuntimeError),
    (lambda lib, F: F.embedding(lib.tensor([1]), lib.ones(5, 3), padding_idx=5), AssertionError),
    (lambda lib, F: F.embedding(lib.tensor([1]), lib.ones(5, 3), padding_idx=-6), AssertionError),
    (lambda lib, F: lib.nn.Embedding(5, 3, padding_idx=5), AssertionError),
    (lambda lib, F: lib.nn.Embedding(5, 3, _weight=lib.ones(5, 2)), AssertionError),
    (lambda lib, F: lib.nn.Embedding.from_pretrained(lib.ones(5)), AssertionError),
    (lambda lib, F: F.embedding_bag(lib.tensor([1]), lib.ones(5, 3)), ValueError),
    (lambda lib, F: F.embedding_bag(lib.tensor([1]), lib.ones(5), lib.tensor([0])), ValueError),
    (
        lambda lib, F: F.embedding_bag(lib.tensor([[1]]), lib.ones(5, 3), lib.tensor([0])),
        ValueError,
    ),
    (lambda lib, F: F.embedding_bag(lib.tensor([[[1]]]), lib.ones(5, 3)), ValueError),
    (
        lambda lib, F: F.embedding_bag(lib.tensor([1]), lib.ones(5, 3), lib.tensor([[0]])),
        ValueError,
    ),
    (lambda lib, F: F.embedding_bag(lib.tensor([[1]]), lib.ones(5, 3), mode="min"), ValueError),
    (
        lambda lib, F: F.embedding_bag(lib.tensor([1]), lib.ones(5, 3), lib.tensor([1])),
        RuntimeError,
    ),
    (
        lambda lib, F: F.embedding_bag(lib.tensor([1]), lib.ones(5, 3), lib.tensor([0, 2])),
        RuntimeError,
    ),
    (lambda lib, F: F.embedding_bag(lib.tensor([[9]]), lib.ones(5, 3)), RuntimeError),
    (lambda lib, F: F.embedding_bag(lib.tensor([[1.0]]), lib.ones(5, 3)), RuntimeError),
    (
        lambda lib, F: F.embedding_bag(
            lib.tensor([[1]]), lib.ones(5, 3), per_sample_weights=lib.ones(1)
        ),
        ValueError,
    ),
    (
        lambda lib, F: F.embedding_bag(
            lib.tensor([[1]]), lib.ones(5, 3), mode="max", scale_grad_by_freq=True
        ),
        ValueError,
    ),
    (
        lambda lib, F: F.embedding_bag(
            lib.tensor([[1]]), lib.ones(5, 3), per_sample_weights=lib.ones(1, 1)
        ),
        NotImplementedError,
    ),
    (lambda lib, F: F.bilinear(lib.ones(2, 3), lib.ones(2, 3), lib.ones(4, 2, 3)), RuntimeError),
    (lambda lib, F: F.bilinear(lib.ones(2, 2), lib.ones(2, 2), lib.ones(4, 2, 3)), RuntimeError),
    (lambda lib, F: F.bilinear(lib.ones(2, 2), lib.ones(3, 3), lib.ones(4, 2, 3)), RuntimeError),
    (lambda lib, F: F.bilinear(lib.ones(2, 2), lib.ones(3), lib.ones(4, 2, 3)), RuntimeError),
    (
        lambda lib, F: F.bilinear(lib.ones(2, 2), lib.ones(2, 3), lib.ones(4, 2, 3), lib.ones(5)),
        RuntimeError,
    ),
    (lambda lib, F: F.cosine_similarity(lib.ones(2, 2).int(), lib.ones(2, 2).int()), RuntimeError),
    (lambda lib, F: F.cosine_similarity(lib.ones(2, 2), lib.ones(3, 2)), RuntimeError),
    (lambda lib, F: F.pairwise_distance(lib.ones(2, 2), lib.ones(3, 2)), RuntimeError),
    (lambda lib, F: lib.nn.Bilinear(0, 2, 3), ValueError),
]


@pytest.mark.parametrize("place", range(len(WRONG)))
def test_errors(place: int) -> None:
    wrong, kind = WRONG[place]
    with pytest.raises(kind) as theirs:
        wrong(torch, TF)
    text = str(theirs.value).split("\n")[0].split(" Please open a feature request")[0]
    with raises(kind, text.replace("torch.", "tapegrad.")):
        wrong(tg, F)


def test_other_errors() -> None:
    at, w = tg.tensor([1]), tg.ones(5, 3)
    with raises(NotImplementedError, "embedding(): sparse gradients are not supported"):
        F.embedding(at, w, sparse=True)
    with raises(RuntimeError, "offsets must not decrease"):
        F.embedding_bag(tg.tensor([1, 2, 3]), w, tg.tensor([0, 3, 2]))
    with raises(RuntimeError, "offsets must not decrease"):
        F.embedding_bag(tg.tensor([1, 2, 3]), w, tg.tensor([0, -1]))
    with pytest.raises(IndexError):
        tg.embedding_renorm_(w, tg.tensor([9]), 1.0, 2.0)
    kept = tg.tensor([1, 2])
    table = tg.ones(5, 3, requires_grad=True)
    out = F.embedding(kept, table)
    kept.fill_(100)
    with raises(RuntimeError, "one of the variables needed for gradient computation"):
        out.sum().backward()
    with tg.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: tg.tensor([99, 2])):
        out = F.embedding(tg.tensor([1, 2]), table)
    with pytest.raises(IndexError):
        out.sum().backward()


def test_bilinear() -> None:
    for batch in ((), (4,), (2, 3), (0,)):
        inputs = [random(*batch, 2), random(*batch, 3, seed=1), random(5, 2, 3, seed=2)]
        compare(F.bilinear, TF.bilinear, inputs)
        compare(F.bilinear, TF.bilinear, [*inputs, random(5, seed=3)])
    own = [to_ours(x, True) for x in (random(4, 2), random(4, 3), random(2, 2, 3), random(2))]
    assert tg.autograd.gradgradcheck(F.bilinear, own)
    for bias in (True, False):
        ours, theirs = nn.Bilinear(4, 3, 2, bias), torch.nn.Bilinear(4, 3, 2, bias)
        assert repr(ours) == repr(theirs)
        assert list(ours.state_dict()) == list(theirs.state_dict())
        assert bool(ours.weight.abs().max() <= 0.5)
        assert tuple(ours(tg.ones(5, 4), tg.ones(5, 3)).shape) == (5, 2)


def test_distances() -> None:
    for shapes in (((4, 3), (4, 3)), ((4, 3), (3,)), ((2, 4, 3), (4, 3)), ((3,), (3,))):
        x = [random(*s, seed=i) for i, s in enumerate(shapes)]
        for p in (2.0, 1.0, 3.0, math.inf):
            for keepdim in (False, True):
                compare(
                    lambda a, b, p=p, k=keepdim: F.pairwise_distance(a, b, p, keepdim=k),
                    lambda a, b, p=p, k=keepdim: TF.pairwise_distance(a, b, p, keepdim=k),
                    x,
                )
        for dim in (-1, 0):
            compare(
                lambda a, b, d=dim: F.cosine_similarity(a, b, d),
                lambda a, b, d=dim: TF.cosine_similarity(a, b, d),
                x,
                1e-10,
            )
    x = [to_ours(random(4, 3, seed=i), True) for i in range(2)]
    assert tg.autograd.gradgradcheck(F.cosine_similarity, x)
    assert tg.autograd.gradgradcheck(F.pairwise_distance, x)
    assert repr(nn.CosineSimilarity()) == repr(torch.nn.CosineSimilarity())
    assert repr(nn.PairwiseDistance()) == repr(torch.nn.PairwiseDistance())
    close(nn.CosineSimilarity(0)(*x), F.cosine_similarity(*x, 0))
    close(nn.PairwiseDistance(1.0, 0.1, True)(*x), F.pairwise_distance(*x, 1.0, 0.1, True))
    # The cosine does not depend on the lengths, however large.
    big = tg.tensor([[1e30, 1e30]]), tg.tensor([[1e30, 0.0]])
    assert F.cosine_similarity(*big).item() == pytest.approx(math.sqrt(0.5))
    zero = tg.zeros(1, 2, requires_grad=True), tg.ones(1, 2, requires_grad=True)
    grads = tg.autograd.grad(F.cosine_similarity(*zero).sum(), zero)
    theirs = torch.zeros(1, 2, requires_grad=True), torch.ones(1, 2, requires_grad=True)
    expected = torch.autograd.grad(TF.cosine_similarity(*theirs).sum(), theirs)
    for a, b in zip(grads, expected, strict=True):
        close(a, b, 1e-6)
    out = tg.empty(1, 2)
    assert F.normalize(tg.tensor([[3.0, 4.0]]), out=out) is out
    assert F.cosine_similarity(tg.ones(1, 2).int(), tg.ones(1, 2)).dtype == tg.float32
