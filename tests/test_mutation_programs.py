"""Random programs that write over saved values, under `allow_mutation_on_saved_tensors`.

The gradient is held against differences of the program's own values: the tape is not asked twice,
and PyTorch's gradients are wrong for some of these programs.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest

import tapegrad
from tapegrad.autograd.graph import allow_mutation_on_saved_tensors

Tensor = tapegrad.Tensor
SHAPE = (3, 2)
DELTA = 1e-6

RESULTS: list[Callable[[Tensor, Tensor], Tensor]] = [
    lambda x, y: (-x.abs()).exp(),
    lambda x, y: x.sin(),
    lambda x, y: x.tanh(),
    lambda x, y: x.square(),
    lambda x, y: x * y,
    lambda x, y: x / (y.abs() + 1),
    lambda x, y: tapegrad.maximum(x, y),
    lambda x, y: tapegrad.where(x > y, x, y * 2),
    lambda x, y: x.t().t(),
    lambda x, y: x.sum(0, keepdim=True).expand(SHAPE) * 1,
]
WRITES: list[Callable[[Tensor, Tensor], object]] = [
    lambda x, y: x.mul_(y),
    lambda x, y: x.sub_(y),
    lambda x, y: x.abs_().neg_().exp_(),
    lambda x, y: x.tanh_(),
    lambda x, y: x.sigmoid_(),
    lambda x, y: x.copy_(y),
    lambda x, y: x.fill_(0.3),
    lambda x, y: x[0].mul_(2),
    lambda x, y: x[:, 1].sin_(),
    lambda x, y: x.t().cos_(),
    lambda x, y: x.reshape(-1)[1:4].fill_(0.7),
]


def loss_of(seed: int, leaves: list[Tensor]) -> Tensor:
    """The same program for the same seed."""
    draw = random.Random(seed)
    tensors = [leaf * 1 for leaf in leaves]
    for _ in range(draw.randint(4, 14)):
        x, y = draw.choice(tensors), draw.choice(tensors)
        if draw.random() < 0.5:
            tensors.append(draw.choice(RESULTS)(x, y))
        else:
            draw.choice(WRITES)(x, y)
    return tapegrad.stack([(t * t).sum() for t in tensors[-3:]]).sum()


@pytest.mark.parametrize("seed", range(200))
def test_gradients_are_those_of_the_values(seed: int) -> None:
    values = np.random.default_rng(seed).uniform(0.3, 1.5, (2, *SHAPE))
    leaves = [tapegrad.tensor(v, requires_grad=True) for v in values]
    with allow_mutation_on_saved_tensors():
        loss = loss_of(seed, leaves)
        found = tapegrad.autograd.grad(loss, leaves, materialize_grads=True)
    for place in np.ndindex(values.shape):
        ends = []
        for step in (DELTA, -DELTA):
            moved = values.copy()
            moved[place] += step
            ends.append(loss_of(seed, [tapegrad.tensor(v) for v in moved]).item())
        slope = (ends[0] - ends[1]) / (2 * DELTA)
        error = abs(found[place[0]][place[1:]].item() - slope)
        assert error <= 1e-4 * max(1.0, abs(slope), abs(ends[0]) * 1e-4), place
