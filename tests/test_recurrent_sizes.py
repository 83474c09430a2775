"""Recurrent layers of odd sizes: beside the same computed by small operators, and replayed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tapegrad as tg
from tapegrad import nn

KINDS = ("LSTM", "GRU", "RNN")
DTYPES = {"float32": 2e-5, "float64": 1e-12}
STEPS = 4


def layer_of(kind: str, dtype: str, *sizes: int, **options: Any) -> Any:
    tg.manual_seed(sum(sizes))
    return getattr(nn, kind)(*sizes, dtype=getattr(tg, dtype), **options)


def numbers(*shape: int, dtype: str, seed: int = 0) -> Any:
    values = np.random.default_rng(seed).standard_normal(shape).astype(dtype)
    return tg.from_numpy(values).requires_grad_()


def one_step(kind: str, sums: Any, part: Any, state: list[Any]) -> list[Any]:
    """The next state, from the inputs' and the state's parts of the gates."""
    if kind == "RNN":
        return [tg.tanh(sums + part)]
    if kind == "GRU":
        (r, z, n), (r_part, z_part, n_part) = sums.chunk(3, 1), part.chunk(3, 1)
        z = tg.sigmoid(z + z_part)
        n = tg.tanh(n + tg.sigmoid(r + r_part) * n_part)
        return [(1 - z) * n + z * state[0]]
    i, f, g, o = (sums + part).chunk(4, 1)
    c = tg.sigmoid(f) * state[1] + tg.sigmoid(i) * tg.tanh(g)
    return [tg.sigmoid(o) * tg.tanh(c), c]


def composed(kind: str, layer: Any, x: Any, states: list[Any]) -> list[Any]:
    """Results and last states of one layer, in each direction, step by step."""
    outs, lasts = [], []
    for direction, suffix in enumerate(("", "_reverse")[: 1 + layer.bidirectional]):

        def weight(name: str, suffix: str = suffix) -> Any:
            return getattr(layer, f"{name}_l0{suffix}", None)

        state = [s[direction] for s in states]
        found: list[Any] = [None] * len(x)
        for t in range(len(x) - 1, -1, -1) if suffix else range(len(x)):
            sums = tg.nn.functional.linear(x[t], weight("weight_ih"), weight("bias_ih"))
            part = tg.nn.functional.linear(state[0], weight("weight_hh"), weight("bias_hh"))
            state = one_step(kind, sums, part, state)
            if weight("weight_hr") is not None:
                state[0] = state[0] @ weight("weight_hr").T
            found[t] = state[0]
        outs.append(tg.stack(found))
        lasts.append(state)
    return [tg.cat(outs, 2), *(tg.stack(parts) for parts in zip(*lasts, strict=True))]


def fused(kind: str, layer: Any, x: Any, states: list[Any]) -> list[Any]:
    out, last = layer(x, tuple(states) if kind == "LSTM" else states[0])
    return [out, *(last if kind == "LSTM" else [last])]


def inputs_of(kind: str, layer: Any, dtype: str, batch: int, features: int) -> list[Any]:
    directions, seen = 1 + layer.bidirectional, layer.proj_size or layer.hidden_size
    states = [numbers(directions, batch, seen, dtype=dtype, seed=1)]
    if kind == "LSTM":
        states.append(numbers(directions, batch, layer.hidden_size, dtype=dtype, seed=2))
    return [numbers(STEPS, batch, features, dtype=dtype), *states]


def check(kind: str, layer: Any, dtype: str, batch: int, features: int) -> None:
    """Compare values, and gradients of everything from another gradient for each result."""
    x, *states = inputs_of(kind, layer, dtype, batch, features)
    inputs = [x, *states, *layer.parameters()]
    found = fused(kind, layer, x, states)
    expected = composed(kind, layer, x, states)
    cotangents = [
        numbers(*e.shape, dtype=dtype, seed=5 + i).detach() for i, e in enumerate(expected)
    ]
    own, others = (tg.autograd.grad(results, inputs, cotangents) for results in (found, expected))
    for a, b in zip([*found, *own], [*expected, *others], strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape
        size = max(1.0, float(b.detach().abs().max()))
        np.testing.assert_allclose(
            a.detach().numpy(), b.detach().numpy(), rtol=DTYPES[dtype], atol=DTYPES[dtype] * size
        )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch", [1, 2, 5])
@pytest.mark.parametrize("units", [1, 3, 5, 7, 17, 33])
def test_odd_sizes(kind: str, units: int, batch: int, dtype: str) -> None:
    for features in (1, 4, 19):
        for options in ({}, {"bidirectional": True}, {"bias": False}):
            layer = layer_of(kind, dtype, features, units, **options)
            check(kind, layer, dtype, batch, features)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("batch", [1, 2, 5])
@pytest.mark.parametrize("units, seen", [(3, 1), (5, 3), (7, 6), (17, 5), (33, 17)])
def test_odd_projections(units: int, seen: int, batch: int, dtype: str) -> None:
    for bidirectional in (False, True):
        options = {"proj_size": seen, "bidirectional": bidirectional}
        check("LSTM", layer_of("LSTM", dtype, 3, units, **options), dtype, batch, 3)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("units, batch", [(1, 2), (7, 5), (33, 1), (64, 16)])
def test_replayed_bits(kind: str, units: int, batch: int, dtype: str) -> None:
    """Eager and replayed, with one thread and with several."""
    layer = layer_of(kind, dtype, 6, units)
    inputs = inputs_of(kind, layer, dtype, batch, 6)

    def step(x: Any, *states: Any) -> tuple[Any, ...]:
        results = fused(kind, layer, x, list(states))
        return *results, *tg.autograd.grad(sum(r.sum() for r in results), [x, *layer.parameters()])

    replayed = tg.compile(step)
    threads = tg.get_num_threads()
    bits = set()
    try:
        for count in (1, 2, 3):
            tg.set_num_threads(count)
            for run in (step, replayed, replayed):
                bits.add(tuple(r.detach().numpy().tobytes() for r in run(*inputs)))
    finally:
        tg.set_num_threads(threads)
    assert len(bits) == 1
