"""Attention and transformers, against PyTorch."""

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
NONE: dict[str, Any] = {}


def to_ours(x: Any, requires_grad: bool = False) -> Any:
    if x is None:
        return None
    made = tg.from_numpy(np.array(x.detach().numpy()))
    return made.requires_grad_() if requires_grad else made


def random(*shape: int, dtype: str = "float64", seed: int = 0) -> Any:
    values = np.random.default_rng(seed).standard_normal(shape)
    return torch.tensor(values, dtype=getattr(torch, dtype), requires_grad=True)


def close(ours: Any, theirs: Any, tol: float = 1e-10, what: str = "") -> None:
    np.testing.assert_allclose(
        ours.detach().numpy(), theirs.detach().numpy(), rtol=tol, atol=tol, err_msg=what
    )


def compare(ours: Any, theirs: Any, inputs: list[Any], tol: float = 1e-10) -> None:
    """Functions of tensors: their values and gradients."""
    own = [to_ours(x, True) for x in inputs]
    got, expected = ours(*own), theirs(*inputs)
    assert tuple(got.shape) == tuple(expected.shape)
    close(got, expected, tol, "value")
    g = random(*expected.shape, seed=99).detach().to(expected.dtype)
    a_grads = tg.autograd.grad(got, own, to_ours(g), allow_unused=True)
    b_grads = torch.autograd.grad(expected, inputs, g, allow_unused=True)
    for i, (a, b) in enumerate(zip(a_grads, b_grads, strict=True)):
        assert (a is None) == (b is None)
        if a is not None:
            close(a, b, tol, f"gradient {i}")


# ---------------------------------------------------------------------- scaled dot products

SHAPES = [
    ((4, 5), (6, 5), (6, 3)),
    ((3, 4), (5, 4), (5, 6)),  # values wider than queries
    ((2, 3, 7, 3), (2, 3, 9, 3), (2, 3, 9, 17)),
    ((3, 4, 5), (3, 6, 5), (3, 6, 5)),
    ((2, 3, 4, 5), (2, 3, 4, 5), (2, 3, 4, 5)),
    ((2, 3, 4, 5), (1, 3, 6, 5), (3, 6, 2)),
    ((2, 3, 1, 1), (2, 3, 7, 1), (2, 3, 7, 1)),
    ((4, 5), (2, 6, 5), (6, 5)),
    ((1, 2, 40, 8), (1, 2, 70, 8), (1, 2, 70, 8)),
]


def masks(length: int, keys: int) -> dict[str, Any]:
    rng = np.random.default_rng(5)
    flags = torch.tensor(rng.random((length, keys)) > 0.4)
    flags[:, 0] = True
    return {
        "none": None,
        "bool": flags,
        "float": torch.tensor(rng.standard_normal((length, keys))),
        "row": torch.tensor(rng.random((1, keys)) > 0.4),
        "column": torch.tensor(rng.standard_normal((length, 1))),
        "strided": torch.tensor(rng.standard_normal((keys, length))).t(),
        "strided bool": torch.tensor(rng.random((keys, length)) > 0.4).t(),
    }


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
@pytest.mark.parametrize("kind", masks(1, 1))
def test_attention(shapes: Any, kind: str) -> None:
    mask = masks(shapes[0][-2], shapes[1][-2])[kind]
    inputs = [random(*s, seed=i) for i, s in enumerate(shapes)]
    compare(
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, to_ours(mask)),
        lambda q, k, v: TF.scaled_dot_product_attention(q, k, v, mask),
        inputs,
    )


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
@pytest.mark.parametrize("scale", [None, 0.3, -1.0, 0.0])
def test_causal_attention_and_scale(shapes: Any, scale: float | None) -> None:
    inputs = [random(*s, seed=i) for i, s in enumerate(shapes)]

    def theirs(q: Any, k: Any, v: Any) -> Any:
        if scale is None or scale > 0:
            return TF.scaled_dot_product_attention(q, k, v, is_causal=True, scale=scale)
        # PyTorch's kernel gives NaN: it multiplies infinities by the scale.
        hidden = torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool).triu(1)
        return ((q @ k.mT) * scale).masked_fill(hidden, -math.inf).softmax(-1) @ v

    compare(
        lambda *x: F.scaled_dot_product_attention(*x, is_causal=True, scale=scale), theirs, inputs
    )


def test_attention_with_a_learned_mask() -> None:
    for shape in ((4, 6), (2, 1, 4, 6), (6,), (3, 4, 1), (2, 3, 4, 6)):
        inputs = [random(2, 3, 4, 5), random(2, 3, 6, 5, seed=1), random(2, 3, 6, 5, seed=2)]
        inputs.append(random(*shape, seed=3))
        compare(F.scaled_dot_product_attention, TF.scaled_dot_product_attention, inputs)


def test_grouped_heads() -> None:
    inputs = [random(2, 6, 4, 5), random(2, 3, 7, 5, seed=1), random(2, 1, 7, 5, seed=2)]
    for x in (inputs, [t[0].detach().requires_grad_() for t in inputs]):
        compare(
            lambda *x: F.scaled_dot_product_attention(*x, enable_gqa=True),
            lambda q, k, v: TF.scaled_dot_product_attention(
                q, k.repeat_interleave(2, -3), v.repeat_interleave(6, -3)
            ),
            x,
        )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_layouts(dtype: str) -> None:
    """Heads that lie within rows, as layers have them; results lie likewise."""
    tol = 1e-10 if dtype == "float64" else 2e-5
    base = [random(7, 2, 3 * 8, dtype=dtype, seed=i) for i in range(3)]

    def heads(x: Any) -> Any:
        return x.unflatten(-1, (3, 8)).permute(1, 2, 0, 3)

    compare(
        lambda *x: F.scaled_dot_product_attention(*map(heads, x)),
        lambda *x: TF.scaled_dot_product_attention(*map(heads, x)),
        base,
        tol,
    )
    out = F.scaled_dot_product_attention(*(heads(to_ours(x)) for x in base))
    assert out.permute(2, 0, 1, 3).is_contiguous()
    compare(
        lambda q, k, v: F.scaled_dot_product_attention(q.mT, k.mT, v.mT),
        lambda q, k, v: TF.scaled_dot_product_attention(q.mT, k.mT, v.mT),
        [random(3, 5, 4, dtype=dtype), random(3, 5, 6, dtype=dtype), random(3, 2, 6, dtype=dtype)],
        tol,
    )


def test_queries_that_see_nothing() -> None:
    x = [to_ours(random(3, 4, 5, seed=i), True) for i in range(3)]
    flags = tg.ones(4, 4, dtype=tg.bool)
    flags[1] = False
    summands = tg.zeros(4, 4, dtype=tg.float64).masked_fill(~flags, -math.inf)
    for mask in (flags, summands):
        out = F.scaled_dot_product_attention(*x, mask)
        assert bool((out[:, 1] == 0).all()) and not bool(out.isnan().any())
        for graph in (False, True):
            grads = tg.autograd.grad(out.sin().sum(), x, retain_graph=True, create_graph=graph)
            assert not any(bool(g.isnan().any()) for g in grads)
            assert bool((grads[0][:, 1] == 0).all())


def test_special_values_of_attention() -> None:
    x = [random(1, 4, 5, seed=i).detach() for i in range(3)]
    for value in (math.nan, math.inf, -math.inf):
        x[0][0, 1, 2] = value
        got = F.scaled_dot_product_attention(*map(to_ours, x))
        assert bool(got[0, 1].isnan().all()) and not bool(got[0, 2].isnan().any())
    mask = tg.zeros(4, 4, dtype=tg.float64)
    mask[2, 1] = math.nan
    got = F.scaled_dot_product_attention(*(to_ours(random(4, 5)) for _ in range(3)), mask)
    assert got.isnan().any(1).tolist() == [False, False, True, False]
    large = [tg.full((2, 3), 1e200, dtype=tg.float64)] * 2
    assert F.scaled_dot_product_attention(*large, tg.ones(2, 1, dtype=tg.float64)) is not None


def test_derivatives_of_attention() -> None:
    x = [to_ours(random(2, 3, 2), True), *(to_ours(random(2, 4, 2, seed=i), True) for i in (1, 2))]
    flags = tg.tensor([[True, False, True, True], [False] * 4, [True] * 4])
    learned = to_ours(random(3, 4, seed=4), True)
    for options in (
        NONE,
        {"is_causal": True},
        {"attn_mask": flags},
        {"scale": -0.7},
    ):
        run = lambda q, k, v, o=options: F.scaled_dot_product_attention(q, k, v, **o)  # noqa: E731
        assert tg.autograd.gradcheck(run, x)
        assert tg.autograd.gradgradcheck(run, x)
    assert tg.autograd.gradcheck(F.scaled_dot_product_attention, (*x, learned))
    assert tg.autograd.gradgradcheck(F.scaled_dot_product_attention, (*x, learned))

    def dropped(*x: Any) -> Any:
        tg.manual_seed(3)
        return F.scaled_dot_product_attention(*x, dropout_p=0.4)

    assert tg.autograd.gradcheck(dropped, x)
    assert tg.autograd.gradgradcheck(dropped, x)


def test_dropout_of_attention() -> None:
    q = k = tg.zeros(1, 200, 4)
    v = tg.ones(1, 200, 4)
    tg.manual_seed(0)
    out = F.scaled_dot_product_attention(q, k, v, dropout_p=0.25)
    assert out.mean().item() == pytest.approx(1, abs=0.02)
    assert not tg.equal(out, F.scaled_dot_product_attention(q, k, v, dropout_p=0.25))
    assert bool((F.scaled_dot_product_attention(q, k, v, dropout_p=1.0) == 0).all())


@pytest.mark.parametrize("shape", [(16, 4, 64, 16), (3, 5, 33, 7), (1, 1, 300, 64)])
def test_same_bits_at_any_number_of_threads(shape: tuple[int, ...]) -> None:
    x = [to_ours(random(*shape, dtype="float32", seed=i), True) for i in range(3)]
    before = tg.get_num_threads()
    found = []
    try:
        for threads in (1, 2, 3):
            tg.set_num_threads(threads)
            tg.manual_seed(0)
            for options in ({"is_causal": True}, {"dropout_p": 0.3}):
                out = F.scaled_dot_product_attention(*x, **options)
                grads = tg.autograd.grad(out.sum(), x)
                found.append([t.detach().numpy().tobytes() for t in (out, *grads)])
    finally:
        tg.set_num_threads(before)
    assert found[0:2] == found[2:4] == found[4:6]


WRONG = [
    lambda F, t: F.scaled_dot_product_attention(t(4, 5), t(4, 5).double(), t(4, 5)),
    lambda F, t: F.scaled_dot_product_attention(t(5), t(4, 5), t(4, 5)),
    lambda F, t: F.scaled_dot_product_attention(t(4, 5), t(4, 5), t(4, 5), t(4, 4).int()),
    lambda F, t: F.scaled_dot_product_attention(t(4, 5), t(4, 5), t(4, 5), t(4, 4).double()),
    lambda F, t: F.scaled_dot_product_attention(t(4, 5), t(4, 5), t(4, 5), dropout_p=1.5),
    lambda F, t: F.scaled_dot_product_attention(*[t(1, 1, 4, 5).int()] * 3),
    lambda F, t: F.scaled_dot_product_attention(
        t(1, 6, 4, 5), t(1, 4, 4, 5), t(1, 4, 4, 5), enable_gqa=True
    ),
]


@pytest.mark.parametrize("place", range(len(WRONG)))
def test_errors_like_torch(place: int) -> None:
    with pytest.raises(RuntimeError) as theirs:
        WRONG[place](TF, torch.ones)
    with raises(RuntimeError, str(theirs.value).split("\n")[0]):
        WRONG[place](F, tg.ones)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda t: F.scaled_dot_product_attention(t(4, 5), t(4, 3), t(4, 5)),
        lambda t: F.scaled_dot_product_attention(t(4, 5), t(3, 5), t(4, 5)),
        lambda t: F.scaled_dot_product_attention(t(2, 4, 5), t(3, 4, 5), t(4, 5)),
        lambda t: F.scaled_dot_product_attention(t(4, 5), t(4, 5), t(4, 5), t(4, 5)),
        lambda t: F.scaled_dot_product_attention(t(4, 5), t(4, 5), t(4, 5), t(2, 4, 4)),
        lambda t: F.scaled_dot_product_attention(t(4, 5), t(4, 5), t(4, 5), dropout_p=-0.5),
        lambda t: F.scaled_dot_product_attention(t(4, 5), t(4, 5), t(4, 5), dropout_p=math.nan),
        lambda t: F.scaled_dot_product_attention(
            t(1, 2, 4, 5), t(1, 0, 4, 5), t(1, 0, 4, 5), enable_gqa=True
        ),
        lambda t: F.scaled_dot_product_attention(
            t(1, 1, 1).expand(2**40, 2**20, 1), t(1, 1, 1).expand(2**40, 2**20, 1), t(2**20, 1)
        ),
    ],
)
def test_errors(wrong: Any) -> None:
    with pytest.raises((RuntimeError, MemoryError)):
        wrong(tg.ones)
    with raises(IndexError, "Dimension out of range"):
        F.scaled_dot_product_attention(*[tg.ones(4, 5)] * 3, enable_gqa=True)


@pytest.mark.parametrize(
    "shapes",
    [
        ((0, 5), (4, 5), (4, 3)),
        ((4, 5), (0, 5), (0, 3)),
        ((4, 0), (3, 0), (3, 2)),
        ((0, 2, 4, 5),) * 3,
        ((4, 5), (3, 5), (3, 0)),
    ],
)
def test_empty(shapes: Any) -> None:
    x = [tg.ones(*s, requires_grad=True) for s in shapes]
    out = F.scaled_dot_product_attention(*x)
    expected = TF.scaled_dot_product_attention(*(torch.ones(*s) for s in shapes))
    close(out, expected, 1e-6)
    for graph in (False, True):
        for g, a in zip(
            tg.autograd.grad(
                out.sum(), x, create_graph=graph, retain_graph=True, allow_unused=True
            ),
            x,
            strict=True,
        ):
            assert g is None or g.shape == a.shape


def test_half_precision() -> None:
    for dtype in (tg.float16, tg.bfloat16):
        x = [tg.ones(2, 3, 4, dtype=dtype, requires_grad=True) for _ in range(3)]
        out = F.scaled_dot_product_attention(*x, dropout_p=0.1, is_causal=True)
        out.float().sum().backward()
        assert out.dtype == x[0].grad.dtype == dtype


# ---------------------------------------------------------------------- MultiheadAttention


def copied(ours: Any, theirs: Any) -> tuple[Any, Any]:
    """Both with the same parameters, none of which is zero."""
    with torch.no_grad():
        for i, p in enumerate(theirs.parameters()):
            p.copy_(random(*p.shape, seed=i) * 0.4)
    found = ours.load_state_dict({k: to_ours(v) for k, v in theirs.state_dict().items()})
    assert not found.missing_keys and not found.unexpected_keys
    assert list(ours.state_dict()) == list(theirs.state_dict())
    theirs.load_state_dict({k: torch.tensor(v.numpy()) for k, v in ours.state_dict().items()})
    return ours, theirs


def compare_modules(ours: Any, theirs: Any, run: Any, inputs: list[Any], tol: float = 1e-9) -> None:
    own = [to_ours(x, True) for x in inputs]
    got, expected = run(ours, *own), run(theirs, *inputs)
    got, expected = (
        [t for t in (x if isinstance(x, tuple) else (x,)) if t is not None] for x in (got, expected)
    )
    assert len(got) == len(expected)
    for a, b in zip(got, expected, strict=True):
        assert tuple(a.shape) == tuple(b.shape)
        close(a, b, tol)
    g = [random(*t.shape, seed=50 + i).detach() for i, t in enumerate(expected)]
    names = [f"input {i}" for i in range(len(inputs))] + [n for n, _ in theirs.named_parameters()]
    a_grads = tg.autograd.grad(
        got, own + list(ours.parameters()), list(map(to_ours, g)), allow_unused=True
    )
    b_grads = torch.autograd.grad(
        expected, inputs + list(theirs.parameters()), g, allow_unused=True
    )
    for name, a, b in zip(names, a_grads, b_grads, strict=True):
        assert (a is None) == (b is None), name
        if a is not None:
            close(a, b, tol, name)


MODULES: list[dict[str, Any]] = [
    {},
    {"bias": False},
    {"batch_first": True},
    {"add_bias_kv": True},
    {"add_zero_attn": True},
    {"add_bias_kv": True, "add_zero_attn": True, "batch_first": True},
    {"kdim": 5, "vdim": 3},
    {"kdim": 5, "vdim": 3, "bias": False, "add_bias_kv": True},
]


@pytest.mark.parametrize("options", MODULES, ids=str)
@pytest.mark.parametrize("need_weights", [True, False])
@pytest.mark.parametrize("batched", [True, False])
def test_multihead_attention(options: dict[str, Any], need_weights: bool, batched: bool) -> None:
    ours, theirs = copied(
        nn.MultiheadAttention(8, 2, dtype=tg.float64, **options),
        torch.nn.MultiheadAttention(8, 2, dtype=torch.float64, **options),
    )
    assert repr(ours) == repr(theirs)
    sizes = (8, options.get("kdim", 8), options.get("vdim", 8))
    lengths = (4, 6, 6)
    shapes = [
        (n, s) if not batched else (3, n, s) if options.get("batch_first") else (n, 3, s)
        for n, s in zip(lengths, sizes, strict=True)
    ]
    inputs = [random(*s, seed=i) for i, s in enumerate(shapes)]
    rng = np.random.default_rng(1)
    padding = rng.random((3, 6) if batched else (6,)) > 0.7
    padding[..., 0] = False
    kinds = {
        "none": (None, None),
        "padding": (padding, None),
        "mask": (None, rng.standard_normal((4, 6))),
        "flags": (None, np.triu(np.ones((4, 6)), 2) > 0),
        "both": (np.where(padding, -1.0, 0.5), rng.standard_normal((6 if batched else 2, 4, 6))),
    }
    for key_padding, mask in kinds.values():
        for average in (True, False):

            def run(
                module: Any, *x: Any, p: Any = key_padding, m: Any = mask, a: bool = average
            ) -> Any:
                lib = tg if module is ours else torch
                p, m = (None if v is None else lib.from_numpy(v) for v in (p, m))
                return module(
                    *x,
                    key_padding_mask=p,
                    attn_mask=m,
                    need_weights=need_weights,
                    average_attn_weights=a,
                )

            compare_modules(ours, theirs, run, inputs)


def test_self_attention_and_encoded_keys() -> None:
    """What is the same tensor is projected together."""
    for batch_first in (False, True):
        ours, theirs = copied(
            nn.MultiheadAttention(8, 2, batch_first=batch_first, dtype=tg.float64),
            torch.nn.MultiheadAttention(8, 2, batch_first=batch_first, dtype=torch.float64),
        )
        for need in (False, True):
            compare_modules(
                ours, theirs, lambda m, x, n=need: m(x, x, x, need_weights=n), [random(4, 3, 8)]
            )
            compare_modules(
                ours,
                theirs,
                lambda m, x, n=need: m(x[:2], x[:2], x[:2], need_weights=n),
                [random(4, 3, 8)],
            )
            y = random(*((4, 6, 8) if batch_first else (6, 3, 8)), seed=1)
            compare_modules(
                ours,
                theirs,
                lambda m, x, y, n=need: m(x, y, y, need_weights=n),
                [random(4, 3, 8), y],
            )
        mask = np.triu(np.full((4, 4), -np.inf), 1)
        x = random(3, 4, 8) if batch_first else random(4, 3, 8)
        compare_modules(
            ours,
            theirs,
            lambda m, x, hidden=mask: m(
                x,
                x,
                x,
                need_weights=False,
                is_causal=True,
                attn_mask=(tg if isinstance(x, tg.Tensor) else torch).from_numpy(hidden),
            ),
            [x],
        )
    unbatched = random(4, 8)
    compare_modules(ours, theirs, lambda m, x: m(x, x, x), [unbatched])


def test_static_keys() -> None:
    q, w, o = random(4, 3, 8), random(24, 8, seed=1), random(8, 8, seed=2)
    k, v = random(6, 5, 4, seed=3), random(6, 5, 4, seed=4)

    def run(lib: Any) -> Any:
        return lambda q, w, o, k, v: lib.multi_head_attention_forward(
            q, q, q, 8, 2, w, None, None, None, False, 0.0, o, None, static_k=k, static_v=v
        )[0]

    compare(run(F), run(TF), [q, w, o, k, v])


def test_derivatives_of_layers() -> None:
    layer = nn.TransformerEncoderLayer(4, 2, 3, dropout=0.0, activation="gelu", dtype=tg.float64)
    x = to_ours(random(3, 2, 4), True)
    assert tg.autograd.gradcheck(layer, (x,))
    assert tg.autograd.gradgradcheck(layer, (x,))


def test_dropout_in_training_alone() -> None:
    layer = nn.MultiheadAttention(8, 2, dropout=0.5)
    x = tg.ones(5, 3, 8)
    for need in (False, True):
        assert not tg.equal(
            layer(x, x, x, need_weights=need)[0], layer(x, x, x, need_weights=need)[0]
        )
    layer.eval()
    for need in (False, True):
        assert tg.equal(layer(x, x, x, need_weights=need)[0], layer(x, x, x, need_weights=need)[0])


def test_initial_values() -> None:
    layer = nn.MultiheadAttention(64, 4, add_bias_kv=True)
    bound = math.sqrt(6 / (64 + 192))
    assert layer.in_proj_weight.abs().max().item() == pytest.approx(bound, rel=0.01)
    assert bool((layer.in_proj_bias == 0).all()) and bool((layer.out_proj.bias == 0).all())
    # The fans of (1, 1, 64) are 64 and 64.
    assert layer.bias_k.std().item() == pytest.approx(math.sqrt(2 / 128), rel=0.4)


def mha(lib: Any, **options: Any) -> Any:
    return lib.nn.MultiheadAttention(8, 2, **options)


WRONG_MODULES = [
    (lambda lib: lib.nn.MultiheadAttention(0, 2), ValueError),
    (lambda lib: lib.nn.MultiheadAttention(8, 0), ValueError),
    (lambda lib: lib.nn.MultiheadAttention(8, 3), AssertionError),
    (lambda lib: mha(lib)(*[lib.ones(8)] * 3), AssertionError),
    (lambda lib: mha(lib)(lib.ones(4, 8), lib.ones(4, 1, 8), lib.ones(4, 8)), AssertionError),
    (lambda lib: mha(lib)(lib.ones(4, 1, 8), lib.ones(4, 8), lib.ones(4, 8)), AssertionError),
    (lambda lib: mha(lib)(*[lib.ones(4, 2, 6)] * 3), AssertionError),
    (lambda lib: mha(lib)(lib.ones(4, 2, 8), lib.ones(5, 2, 8), lib.ones(4, 2, 8)), AssertionError),
    (
        lambda lib: mha(lib, kdim=3)(lib.ones(4, 2, 8), lib.ones(5, 2, 3), lib.ones(4, 2, 8)),
        AssertionError,
    ),
    (
        lambda lib: mha(lib)(*[lib.ones(4, 2, 8)] * 3, attn_mask=lib.ones(4, 4).int()),
        AssertionError,
    ),
    (lambda lib: mha(lib)(*[lib.ones(4, 2, 8)] * 3, attn_mask=lib.ones(4)), AssertionError),
    (lambda lib: mha(lib)(*[lib.ones(4, 2, 8)] * 3, attn_mask=lib.ones(4, 5)), RuntimeError),
    (lambda lib: mha(lib)(*[lib.ones(4, 2, 8)] * 3, attn_mask=lib.ones(3, 4, 4)), RuntimeError),
    (lambda lib: mha(lib)(*[lib.ones(4, 8)] * 3, attn_mask=lib.ones(3, 4, 4)), AssertionError),
    (lambda lib: mha(lib)(*[lib.ones(4, 2, 8)] * 3, key_padding_mask=lib.ones(4)), AssertionError),
    (
        lambda lib: mha(lib)(*[lib.ones(4, 2, 8)] * 3, key_padding_mask=lib.ones(3, 4)),
        AssertionError,
    ),
    (
        lambda lib: mha(lib)(*[lib.ones(4, 2, 8)] * 3, key_padding_mask=lib.ones(2, 5)),
        AssertionError,
    ),
    (lambda lib: mha(lib)(*[lib.ones(4, 8)] * 3, key_padding_mask=lib.ones(2, 4)), AssertionError),
    (lambda lib: mha(lib)(*[lib.ones(4, 2, 8)] * 3, is_causal=True), RuntimeError),
    (lambda lib: lib.nn.TransformerEncoderLayer(8, 2, activation="tanh"), RuntimeError),
    (lambda lib: lib.nn.TransformerDecoderLayer(8, 2, activation="tanh"), RuntimeError),
    (
        lambda lib: lib.nn.Transformer(8, 2, 1, 1, 4)(lib.ones(3, 2, 8), lib.ones(3, 1, 8)),
        RuntimeError,
    ),
    (
        lambda lib: lib.nn.Transformer(8, 2, 1, 1, 4)(lib.ones(3, 2, 7), lib.ones(3, 2, 8)),
        RuntimeError,
    ),
]


@pytest.mark.parametrize("place", range(len(WRONG_MODULES)))
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_errors_of_modules(place: int) -> None:
    make, kind = WRONG_MODULES[place]
    with pytest.raises(kind) as theirs:
        make(torch)
    with raises(kind, str(theirs.value).split("\n")[0].replace("torch.", "tapegrad.")):
        make(tg)


# ---------------------------------------------------------------------- transformers

LAYERS: list[dict[str, Any]] = [
    {},
    {"norm_first": True},
    {"activation": "gelu", "batch_first": True},
    {"bias": False, "layer_norm_eps": 0.1},
]


@pytest.mark.parametrize("options", LAYERS, ids=str)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_encoders_and_decoders(options: dict[str, Any]) -> None:
    def made(lib: Any, decoder: bool) -> Any:
        n, given = lib.nn, {"dtype": lib.float64, "dropout": 0.0, **options}
        kind = n.TransformerDecoderLayer if decoder else n.TransformerEncoderLayer
        stack = n.TransformerDecoder if decoder else n.TransformerEncoder
        layer = kind(8, 2, 12, **given)
        return layer, stack(kind(8, 2, 12, **given), 2, n.LayerNorm(8, dtype=lib.float64))

    def shape(n: int) -> tuple[int, ...]:
        return (3, n, 8) if options.get("batch_first") else (n, 3, 8)

    padding = np.zeros((3, 5), dtype=bool)
    padding[1, 3:] = True
    causal = np.triu(np.full((5, 5), -np.inf), 1)
    for ours, theirs in zip(made(tg, False), made(torch, False), strict=True):
        copied(ours, theirs)
        assert repr(ours) == repr(theirs)
        x = [random(*shape(5))]
        compare_modules(ours, theirs, lambda m, x: m(x), x)
        compare_modules(ours, theirs, lambda m, x: m(x), [random(5, 8)])

        def masked(m: Any, x: Any) -> Any:
            lib = tg if isinstance(x, tg.Tensor) else torch
            return m(
                x,
                lib.from_numpy(causal),
                src_key_padding_mask=lib.from_numpy(np.where(padding, -np.inf, 0.0)),
            )

        compare_modules(ours, theirs, masked, x)
        compare_modules(
            ours,
            theirs,
            lambda m, x: m(
                x, (tg if isinstance(x, tg.Tensor) else torch).from_numpy(causal), is_causal=True
            ),
            x,
        )
        compare_modules(
            ours,
            theirs,
            lambda m, x: m(
                x,
                src_key_padding_mask=(tg if isinstance(x, tg.Tensor) else torch).from_numpy(
                    padding
                ),
            ),
            x,
        )
    for ours, theirs in zip(made(tg, True), made(torch, True), strict=True):
        copied(ours, theirs)
        assert repr(ours) == repr(theirs)
        x = [random(*shape(5)), random(*shape(7), seed=1)]
        compare_modules(ours, theirs, lambda m, x, y: m(x, y), x)

        def masked_decoder(m: Any, x: Any, y: Any) -> Any:
            lib = tg if isinstance(x, tg.Tensor) else torch
            return m(
                x,
                y,
                lib.from_numpy(causal),
                tgt_key_padding_mask=lib.from_numpy(np.where(padding, -np.inf, 0.0)),
                memory_mask=lib.from_numpy(np.eye(5, 7)),
            )

        compare_modules(ours, theirs, masked_decoder, x)


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_transformer(batch_first: bool) -> None:
    options = {"dropout": 0.0, "batch_first": batch_first, "dim_feedforward": 12}
    ours, theirs = copied(
        nn.Transformer(8, 2, 2, 1, dtype=tg.float64, **options),
        torch.nn.Transformer(8, 2, 2, 1, dtype=torch.float64, **options),
    )
    assert repr(ours) == repr(theirs)
    shapes = ((3, 5, 8), (3, 7, 8)) if batch_first else ((5, 3, 8), (7, 3, 8))
    inputs = [random(*s, seed=i) for i, s in enumerate(shapes)]
    compare_modules(ours, theirs, lambda m, x, y: m(x, y), inputs)
    compare_modules(
        ours,
        theirs,
        lambda m, x, y: m(x, y, tgt_mask=m.generate_square_subsequent_mask(7).double()),
        inputs,
    )
    compare_modules(ours, theirs, lambda m, x, y: m(x, y), [random(5, 8), random(7, 8, seed=1)])
    mask = nn.Transformer.generate_square_subsequent_mask(3)
    assert mask.tolist() == torch.nn.Transformer.generate_square_subsequent_mask(3).tolist()
    for p in ours.parameters():
        assert p.requires_grad
    assert ours(*map(to_ours, inputs)).dtype == tg.float64
