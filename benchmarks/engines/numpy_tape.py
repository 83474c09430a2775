"""The NumPy tape: `tapegrad.teaching.array`, an engine in the style of the tutorials."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from tapegrad.teaching.array import Tensor

from .. import expressions
from .base import Case, Engine, Gradients, Training


class NumPyEngine(Engine):
    """Closures over NumPy arrays."""

    name = "numpy"
    label = "NumPy tape"

    def __init__(self) -> None:
        self.f = SimpleNamespace(
            tanh=Tensor.tanh,
            exp=Tensor.exp,
            sigmoid=Tensor.sigmoid,
            relu=Tensor.relu,
            softmax=Tensor.softmax,
            log_softmax=Tensor.log_softmax,
            layer_norm=expressions.composed_layer_norm,
            sum=Tensor.sum,
            mean=Tensor.mean,
            max=Tensor.max,
            cross_entropy=Tensor.cross_entropy,
        )

    def version(self) -> str:
        return f"numpy {np.__version__}"

    def statement(self, text: str) -> Case:
        def names() -> dict[str, Any]:
            a, b = Tensor([0.5], requires_grad=True), Tensor([0.25], requires_grad=True)
            return {"a": a, "b": b, "tanh": Tensor.tanh}

        return Case.of_text(text, names, _array)

    def gradients(self, task: Gradients) -> Case:
        leaves = [Tensor(array, requires_grad=True) for array in task.inputs]

        def step() -> Tensor:
            for leaf in leaves:
                leaf.grad = None
            result: Tensor = task.function(self.f, *leaves)
            result.backward(task.cotangent)
            return result

        def values() -> list[np.ndarray]:
            result = step()
            return [result.data, *(_gradient(leaf) for leaf in leaves)]

        return Case(step, values)

    def training(self, model: Training) -> Case:
        leaves = [Tensor(array, requires_grad=True) for array in model.parameters()]
        x, target = model.data()
        inputs = Tensor(x)
        goal = target if model.loss == "cross_entropy" else Tensor(target)
        loss = expressions.loss(model)
        update = _UPDATES[model.optimizer](leaves, model.rate)

        def step() -> None:
            loss(self.f, *leaves, inputs, goal).backward()
            update()
            for leaf in leaves:
                leaf.grad = None

        return Case.of_steps(step, lambda: [leaf.data.copy() for leaf in leaves])

    def chain(self, length: int) -> Case:
        leaf = Tensor([0.5], requires_grad=True)

        def forward() -> Tensor:
            leaf.grad = None
            y = leaf
            for _ in range(length // 2):
                y = y * 0.9999
                y = y + leaf
            return y

        def values() -> list[np.ndarray]:
            y = forward()
            y.backward()
            return [y.data, _gradient(leaf)]

        return Case.of_phases(forward, Tensor.backward, values)


def _array(value: Tensor | np.ndarray) -> np.ndarray:
    # Gradients of this tape are arrays.
    return value.data if isinstance(value, Tensor) else value


def _gradient(leaf: Tensor) -> np.ndarray:
    assert leaf.grad is not None
    return leaf.grad


def _sgd(leaves: list[Tensor], rate: float) -> Callable[[], None]:
    def update() -> None:
        for leaf in leaves:
            leaf.data -= rate * _gradient(leaf)

    return update


def _momentum(leaves: list[Tensor], rate: float) -> Callable[[], None]:
    buffers = [np.zeros_like(leaf.data) for leaf in leaves]

    def update() -> None:
        for leaf, buffer in zip(leaves, buffers, strict=True):
            buffer *= 0.9
            buffer += _gradient(leaf)
            leaf.data -= rate * buffer

    return update


def _adam(leaves: list[Tensor], rate: float) -> Callable[[], None]:
    first = [np.zeros_like(leaf.data) for leaf in leaves]
    second = [np.zeros_like(leaf.data) for leaf in leaves]
    steps = 0

    def update() -> None:
        nonlocal steps
        steps += 1
        size = rate / (1 - 0.9**steps)
        root = (1 - 0.999**steps) ** 0.5
        for leaf, m, v in zip(leaves, first, second, strict=True):
            gradient = _gradient(leaf)
            m *= 0.9
            m += 0.1 * gradient
            v *= 0.999
            v += 0.001 * (gradient * gradient)
            leaf.data -= size * m / (np.sqrt(v) / root + 1e-8)

    return update


_UPDATES = {"sgd": _sgd, "momentum": _momentum, "adam": _adam}
