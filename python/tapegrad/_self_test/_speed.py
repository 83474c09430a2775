"""A few times beside NumPy's, to see whether a machine runs as it should."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import tapegrad as tg
from tapegrad import nn, optim

__all__ = ["Row", "rows"]

_SECONDS = 0.12  # for a side of a row
_ROUNDS = 7

Row = tuple[str, float, float]  # what, seconds of tapegrad, seconds of NumPy
_Work = Callable[[], Any]


def _once(work: _Work, calls: int) -> float:
    begin = time.perf_counter()
    for _ in range(calls):
        work()
    return (time.perf_counter() - begin) / calls


def _compare(ours: _Work, theirs: _Work) -> tuple[float, float]:
    """Medians of rounds in which the two take turns, each with its share of the time."""
    calls = [
        max(1, round(_SECONDS / _ROUNDS / max(_once(work, 3), 1e-9))) for work in (ours, theirs)
    ]
    rounds = [(_once(ours, calls[0]), _once(theirs, calls[1])) for _ in range(_ROUNDS)]
    first, second = (sorted(times)[_ROUNDS // 2] for times in zip(*rounds, strict=True))
    return first, second


def _softmax(x: Any) -> Any:
    powers = np.exp(x - x.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def _steps() -> tuple[_Work, _Work, _Work]:
    """A step of gradient descent: as it is, replayed, and written out with NumPy."""
    tg.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 10))
    optimizer = optim.SGD(model.parameters(), lr=0.01)
    x, y = tg.randn(32, 64), tg.randn(32, 10)
    w1, b1, w2, b2 = (p.detach().clone().numpy() for p in model.parameters())
    inputs, targets = x.numpy(), y.numpy()

    def step(x: tg.Tensor, y: tg.Tensor) -> None:
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()

    def by_hand() -> None:
        hidden = np.tanh(inputs @ w1.T + b1)
        slope = 2 / targets.size * (hidden @ w2.T + b2 - targets)
        back = (slope @ w2) * (1 - hidden * hidden)
        for value, gradient in (
            (w1, back.T @ inputs),
            (b1, back.sum(0)),
            (w2, slope.T @ hidden),
            (b2, slope.sum(0)),
        ):
            value -= 0.01 * gradient

    replayed = tg.compile(step)
    return lambda: step(x, y), lambda: replayed(x, y), by_hand


def rows() -> Iterator[Row]:
    """The rows, one by one as they are measured."""
    one, vector, grid, square = (
        np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
        for shape in ((1,), (1_000_000,), (1024, 1024), (512, 512))
    )
    x, v, g, s = (tg.from_numpy(array) for array in (one, vector, grid, square))
    recorded = x.clone().requires_grad_()
    pairs: tuple[tuple[str, _Work, _Work], ...] = (
        ("a + b, one element, recorded", lambda: recorded + x, lambda: one + one),
        ("a * b, 1e6 elements", lambda: v * v, lambda: vector * vector),
        ("exp, 1e6 elements", v.exp, lambda: np.exp(vector)),
        ("sum over dim 0 of (1024, 1024)", lambda: g.sum(0), lambda: grid.sum(0)),
        ("softmax of (1024, 1024)", lambda: g.softmax(1), lambda: _softmax(grid)),
        ("sort 1e6 elements", lambda: v.sort().values, lambda: np.sort(vector)),
        ("product of 512x512", lambda: s @ s, lambda: square @ square),
    )
    for name, ours, theirs in pairs:
        yield (name, *_compare(ours, theirs))
    eager, replayed, by_hand = _steps()
    network = "step of MLP 64-64-10, batch 32"
    yield (f"{network}, against NumPy by hand", *_compare(eager, by_hand))
    yield (f"{network}, replayed", *_compare(replayed, by_hand))
