"""Optimiser steps as pure functions of arrays, for the engines that differentiate functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .base import Training

State = list[Any]


def start(model: Training, parameters: Sequence[Any]) -> State:
    """Return the optimiser's state before the first step: the step count, then buffers."""
    count = {"sgd": 0, "momentum": 1, "adam": 2}[model.optimizer]
    return [np.float32(0), *([np.zeros_like(p) for p in parameters] for _ in range(count))]


def update(
    model: Training,
    parameters: Sequence[Any],
    gradients: Sequence[Any],
    state: State,
    sqrt: Callable[[Any], Any],
) -> tuple[list[Any], State]:
    """Return the parameters and the state after one step."""
    rate = model.rate
    steps, *buffers = state
    steps = steps + 1
    if model.optimizer == "sgd":
        return [p - rate * g for p, g in zip(parameters, gradients, strict=True)], [steps]
    if model.optimizer == "momentum":
        velocity = [0.9 * v + g for v, g in zip(buffers[0], gradients, strict=True)]
        moved = [p - rate * v for p, v in zip(parameters, velocity, strict=True)]
        return moved, [steps, velocity]
    first = [0.9 * m + 0.1 * g for m, g in zip(buffers[0], gradients, strict=True)]
    second = [0.999 * v + 0.001 * (g * g) for v, g in zip(buffers[1], gradients, strict=True)]
    size = rate / (1 - 0.9**steps)
    root = sqrt(1 - 0.999**steps)
    moved = [
        p - size * m / (sqrt(v) / root + 1e-8)
        for p, m, v in zip(parameters, first, second, strict=True)
    ]
    return moved, [steps, first, second]
