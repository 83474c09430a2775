"""Random numbers: reproducible, well distributed, independent of threads."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tapegrad as tg
from support import array, raises

DRAWS: dict[str, Callable[..., Any]] = {
    "rand": lambda **k: tg.rand(1001, **k),
    "randn": lambda **k: tg.randn(1001, **k),
    "randint": lambda **k: tg.randint(-5, 100, (1001,), **k),
    "randperm": lambda **k: tg.randperm(1001, **k),
    "bernoulli": lambda **k: tg.bernoulli(tg.full((1001,), 0.3), **k),
    "multinomial": lambda **k: tg.multinomial(tg.ones(1001), 1001, **k),
    "normal": lambda **k: tg.normal(1.0, 2.0, (1001,), **k),
    "random_": lambda **k: tg.empty(1001).random_(100, **k),
    "normal_": lambda **k: tg.empty(1001).normal_(1, 2, **k),
    "uniform_": lambda **k: tg.empty(1001).uniform_(-1, 2, **k),
    "double": lambda **k: tg.rand(1001, dtype=tg.float64, **k),
    "exponential_": lambda **k: tg.empty(1001).exponential_(2.0, **k),
    "geometric_": lambda **k: tg.empty(1001).geometric_(0.1, **k),
    "cauchy_": lambda **k: tg.empty(1001).cauchy_(1.0, 2.0, **k),
    "log_normal_": lambda **k: tg.empty(1001).log_normal_(**k),
    "poisson": lambda **k: tg.poisson(tg.full((1001,), 20.0), **k),
    "binomial": lambda **k: tg.binomial(tg.full((1001,), 50.0), tg.tensor(0.4), **k),
    "gamma": lambda **k: tg._standard_gamma(tg.full((1001,), 0.5), **k),
    "dirichlet": lambda **k: tg._sample_dirichlet(tg.ones(1001), **k),
}
each_draw = pytest.mark.parametrize("draw", DRAWS.values(), ids=list(DRAWS))
LARGE = 200_000


@each_draw
def test_seed_repeats_the_stream(draw: Callable) -> None:
    tg.manual_seed(5)
    first, second = draw(), draw()
    assert not tg.equal(first, second)
    assert tg.manual_seed(5) is not None
    assert tg.equal(draw(), first)
    assert tg.equal(draw(), second)
    tg.manual_seed(6)
    assert not tg.equal(draw(), first)


@each_draw
def test_generator_is_a_stream_of_its_own(draw: Callable) -> None:
    tg.manual_seed(1)
    g = tg.Generator()
    assert g.manual_seed(5) is g
    assert g.initial_seed() == 5
    before = tg.get_rng_state()
    first = draw(generator=g)
    assert tg.equal(tg.get_rng_state(), before)
    tg.manual_seed(5)
    assert tg.equal(draw(), first)
    assert not tg.equal(draw(generator=g), first)
    assert tg.equal(draw(generator=tg.Generator().manual_seed(5)), first)


@each_draw
def test_state_can_be_saved(draw: Callable) -> None:
    draw()
    state = tg.get_rng_state()
    assert state.dtype == tg.uint8
    first = draw()
    tg.set_rng_state(state)
    assert tg.equal(draw(), first)
    g = tg.Generator().manual_seed(3)
    draw(generator=g)
    kept = g.get_state()
    first = draw(generator=g)
    g.set_state(kept)
    assert tg.equal(draw(generator=g), first)


def test_copies_of_a_generator_go_on_alike() -> None:
    g = tg.Generator().manual_seed(3)
    tg.rand(5, generator=g)
    copies = [
        pickle.loads(pickle.dumps(g)),
        copy.copy(g),
        copy.deepcopy(g),
        g.clone_state(),
        tg.Generator().set_state(g.get_state()),
    ]
    offset = g.get_offset()
    first = tg.rand(5, generator=g)
    for other in copies:
        assert other is not g and other.initial_seed() == 3
        assert tg.equal(tg.rand(5, generator=other), first)
    g.set_offset(offset)
    assert tg.equal(tg.rand(5, generator=g), first)


def test_initial_seed() -> None:
    tg.manual_seed(77)
    assert tg.initial_seed() == 77
    tg.manual_seed(-1)  # negative seeds are read as unsigned
    assert tg.initial_seed() == 2**64 - 1
    assert isinstance(tg.seed(), int)


@pytest.mark.parametrize(
    "draw",
    [
        lambda: tg.rand(LARGE),
        lambda: tg.randn(LARGE),
        lambda: tg.randint(0, 1000, (LARGE,)),
        lambda: tg.bernoulli(tg.full((LARGE,), 0.5)),
        lambda: tg.randn(LARGE, dtype=tg.float64),
        lambda: tg.nn.functional.dropout(tg.ones(LARGE), 0.3),
        lambda: tg.randperm(LARGE),
        lambda: tg.empty(LARGE).exponential_(),
        lambda: tg.poisson(tg.full((LARGE,), 20.0)),
        lambda: tg._standard_gamma(tg.full((LARGE,), 0.5)),
    ],
    ids=[
        "rand",
        "randn",
        "randint",
        "bernoulli",
        "randn64",
        "dropout",
        "randperm",
        "exponential_",
        "poisson",
        "gamma",
    ],
)
def test_stream_does_not_depend_on_threads(draw: Callable) -> None:
    before = tg.get_num_threads()
    try:
        found = []
        for threads in (1, 2, 3, 8):
            tg.set_num_threads(threads)
            tg.manual_seed(9)
            found.append(array(draw()))
    finally:
        tg.set_num_threads(before)
    for other in found[1:]:
        np.testing.assert_array_equal(other, found[0])


# ---------------------------------------------------------------- distributions


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rand(dtype: str) -> None:
    x = array(tg.rand(LARGE, dtype=getattr(tg, dtype)))
    assert x.dtype == dtype
    assert 0 <= x.min() < 1e-3
    assert 1 - 1e-3 < x.max() < 1
    assert abs(x.mean() - 0.5) < 5 / math.sqrt(12 * LARGE)
    assert abs(x.var() - 1 / 12) < 1e-3
    counts = np.histogram(x, 50, (0, 1))[0]
    assert ((counts - LARGE / 50) ** 2).sum() / (LARGE / 50) < 110  # chi-squared, 49 degrees
    assert abs(np.corrcoef(x[1:], x[:-1])[0, 1]) < 0.015


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_randn(dtype: str) -> None:
    x = array(tg.randn(LARGE, dtype=getattr(tg, dtype))).astype(np.float64)
    assert np.isfinite(x).all()
    moments = {1: (0, 0.015), 2: (1, 0.02), 3: (0, 0.06), 4: (3, 0.15)}
    for k, (want, error) in moments.items():
        assert abs((x**k).mean() - want) < error, f"moment {k}"
    assert 3.9 < np.abs(x).max() < 6.5
    assert abs((np.abs(x) < 1).mean() - 0.6827) < 0.006
    assert abs((np.abs(x) > 3).mean() - 0.0027) < 0.0007
    assert abs(np.corrcoef(x[1:], x[:-1])[0, 1]) < 0.015


def test_odd_lengths_and_small_sizes_of_randn() -> None:
    for n in (0, 1, 2, 3, 5, 17, 33):
        x = tg.randn(n)
        assert x.shape == (n,)
        assert np.unique(array(x)).size == n


@pytest.mark.parametrize(
    ("low", "high"), [(0, 10), (-3, 4), (5, 6), (0, 1 << 40), (-(1 << 62), 1 << 62)]
)
def test_randint(low: int, high: int) -> None:
    x = array(tg.randint(low, high, (20_000,)))
    assert x.dtype == np.int64
    assert low <= x.min()
    assert x.max() < high
    if high - low <= 10:
        counts = np.bincount(x - low, minlength=high - low)
        assert (
            np.abs(counts - 20_000 / (high - low)) < 6 * math.sqrt(20_000 / (high - low)) + 1
        ).all()
    else:
        assert abs((x.astype(float) - low).mean() / (high - low) - 0.5) < 0.015


def test_forms_of_randint() -> None:
    assert tg.randint(3, (2, 2)).shape == (2, 2)
    assert tg.randint(high=3, size=(4,)).max().item() <= 2
    assert tg.randint(0, 2, (3,), dtype=tg.int32).dtype == tg.int32
    assert tg.randint(0, 9, (3,), dtype=tg.float32).dtype == tg.float32
    with raises(
        RuntimeError, "random_ expects 'from' to be less than 'to', but got from=5 >= to=5"
    ):
        tg.randint(5, 5, (2,))


@pytest.mark.parametrize("n", [0, 1, 2, 3, 17, 1000, 50_000])
def test_randperm_is_a_permutation(n: int) -> None:
    x = array(tg.randperm(n))
    assert x.dtype == np.int64
    np.testing.assert_array_equal(np.sort(x), np.arange(n))
    if n > 10:
        assert (x == np.arange(n)).mean() < 0.5


def test_permutations_are_equally_likely() -> None:
    seen: dict = {}
    for _ in range(3000):
        key = tuple(tg.randperm(3).tolist())
        seen[key] = seen.get(key, 0) + 1
    assert len(seen) == 6
    assert all(abs(count - 500) < 110 for count in seen.values())


def test_bernoulli() -> None:
    p = tg.linspace(0, 1, 11)
    x = tg.bernoulli(p.expand(20_000, 11))
    assert x.dtype == tg.float32
    assert set(np.unique(array(x))) == {0.0, 1.0}
    np.testing.assert_allclose(array(x.mean(0)), array(p), atol=0.02)
    assert array(x[:, 0]).max() == 0
    assert array(x[:, 10]).min() == 1
    assert abs(array(tg.empty(20_000).bernoulli_(0.2)).mean() - 0.2) < 0.02
    assert tg.bernoulli(tg.ones(3), 0.0).sum().item() == 0


def test_normal_and_uniform_in_place() -> None:
    x = array(tg.empty(LARGE).normal_(3, 0.5))
    assert abs(x.mean() - 3) < 0.01
    assert abs(x.std() - 0.5) < 0.01
    y = array(tg.empty(LARGE).uniform_(-2, 3))
    assert -2 <= y.min() < -1.99
    assert 2.99 < y.max() <= 3
    z = tg.zeros(4, 6)
    z[:, ::2].uniform_(1, 2)  # writes through a view
    assert array(z[:, 1::2]).max() == 0
    assert array(z[:, ::2]).min() >= 1
    with raises(RuntimeError, "normal expects std >= 0.0, but found std -1"):
        tg.empty(2).normal_(0, -1)
    with raises(
        RuntimeError, "uniform_ expects to return a [from, to) range, but found from=2 > to=1"
    ):
        tg.empty(2).uniform_(2, 1)


def test_random_in_place() -> None:
    x = tg.empty(20_000, dtype=tg.int64)
    assert x.random_(3) is x
    assert np.abs(np.bincount(array(x), minlength=3) - 20_000 / 3).max() < 400
    assert set(x.random_(-2, 1).tolist()) == {-2, -1, 0}
    assert tg.empty(2000, dtype=tg.uint8).random_().max().item() > 250
    assert 0.45 < tg.empty(20_000, dtype=tg.bool).random_().float().mean().item() < 0.55
    assert tg.empty(2000).random_().max().item() > 1 << 23
    with raises(RuntimeError, "random_ expects 'from' to be less than 'to', but got from=5 >= to"):
        x.random_(5, 5)
    with raises(RuntimeError, "to - 1 is out of bounds for unsigned char"):
        tg.empty(2, dtype=tg.uint8).random_(0, 1000)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_multinomial(dtype: str) -> None:
    weights = tg.tensor([1.0, 0.0, 3.0], dtype=getattr(tg, dtype))
    x = tg.multinomial(weights, 20_000, replacement=True)
    assert (x.shape, x.dtype) == ((20_000,), tg.int64)
    np.testing.assert_allclose(np.bincount(array(x)) / 20_000, [0.25, 0, 0.75], atol=0.015)
    rows = weights.expand(20_000, 3).multinomial(2)
    assert rows.shape == (20_000, 2)
    np.testing.assert_array_equal(np.sort(array(rows)), [[0, 2]] * 20_000)
    np.testing.assert_allclose((array(rows)[:, 0] == 0).mean(), 0.25, atol=0.015)
    assert tg.multinomial(tg.tensor([[0.0, 1.0], [1.0, 0.0]]), 1).tolist() == [[1], [0]]


@pytest.mark.parametrize(
    ("weights", "count", "message"),
    [
        ([1.0, -1.0], 1, "probability tensor contains either `inf`, `nan` or element < 0"),
        ([1.0, math.nan], 1, "probability tensor contains either `inf`, `nan` or element < 0"),
        ([0.0, 0.0], 1, "invalid multinomial distribution (sum of probabilities <= 0)"),
        ([1.0, 1.0], 3, "cannot sample n_sample > prob_dist.size(-1) samples without replacement"),
        ([1.0, 1.0], 0, "cannot sample n_sample <= 0 samples"),
        ([[[1.0]]], 1, "prob_dist must be 1 or 2 dim"),
        ([1, 1], 1, "multinomial only supports floating-point dtypes for input, got: Long"),
    ],
)
def test_multinomial_refuses(weights: list, count: int, message: str) -> None:
    with raises(RuntimeError, message):
        tg.multinomial(tg.tensor(weights), count)


def test_like_forms() -> None:
    x = tg.ones(3, 2, dtype=tg.float64)
    for make in (tg.rand_like, tg.randn_like):
        assert (make(x).shape, make(x).dtype) == (x.shape, tg.float64)
        assert make(x, dtype=tg.float32).dtype == tg.float32
    assert tg.randint_like(x, 0, 3).shape == x.shape


def test_normal_function() -> None:
    x = tg.normal(5.0, 0.1, (1000,))
    assert abs(x.mean().item() - 5) < 0.02
    assert tg.normal(tg.zeros(3), tg.ones(2, 1)).shape == (2, 3)
    assert tg.normal(mean=2.0, std=tg.zeros(3)).tolist() == [2.0] * 3
    with raises(RuntimeError, "normal expects all elements of std >= 0.0"):
        tg.normal(tg.zeros(3), -tg.ones(3))


def test_dropout() -> None:
    x = tg.ones(LARGE, requires_grad=True)
    y = tg.nn.functional.dropout(x, 0.25)
    kept = array(y) != 0
    assert abs(kept.mean() - 0.75) < 0.01
    np.testing.assert_allclose(array(y)[kept], 1 / 0.75, rtol=1e-6)
    y.sum().backward()
    np.testing.assert_array_equal(array(x.grad), array(y))
    assert tg.equal(tg.nn.functional.dropout(x, 0.25, training=False), x)
    assert not array(tg.nn.functional.dropout(x, 1.0)).any()


def test_random_tensors_need_floats() -> None:
    for make in (tg.rand, tg.randn):
        with raises((RuntimeError, NotImplementedError)):
            make(3, dtype=tg.int64)
    with raises(TypeError):
        tg.rand(2, generator=3)


def test_default_generator() -> None:
    assert isinstance(tg.default_generator, tg.Generator)
    tg.default_generator.manual_seed(4)
    first = tg.rand(3)
    tg.manual_seed(4)
    assert tg.equal(tg.rand(3), first)
