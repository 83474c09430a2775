"""HIPS autograd: NumPy functions that are traced at every call."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from .. import expressions
from . import functional
from .base import Case, Engine, Gradients, HessianVector, Training


class HipsEngine(Engine):
    """The package `autograd`."""

    name = "hips"
    label = "HIPS autograd"
    package = "autograd"
    imports = "import autograd, autograd.numpy"

    def __init__(self) -> None:
        import autograd
        import autograd.numpy as anp

        self.autograd = autograd

        def log_softmax(x: Any) -> Any:
            shifted = x - anp.max(x, axis=-1, keepdims=True)
            return shifted - anp.log(anp.sum(anp.exp(shifted), axis=-1, keepdims=True))

        def softmax(x: Any) -> Any:
            exponentials = anp.exp(x - anp.max(x, axis=-1, keepdims=True))
            return exponentials / anp.sum(exponentials, axis=-1, keepdims=True)

        def cross_entropy(logits: Any, target: Any) -> Any:
            return -anp.mean(log_softmax(logits)[np.arange(len(target)), target])

        self.f = SimpleNamespace(
            tanh=anp.tanh,
            exp=anp.exp,
            sigmoid=lambda x: 0.5 * anp.tanh(0.5 * x) + 0.5,
            relu=lambda x: anp.maximum(x, 0),
            softmax=softmax,
            log_softmax=log_softmax,
            layer_norm=expressions.composed_layer_norm,
            sum=anp.sum,
            mean=anp.mean,
            max=anp.max,
            cross_entropy=cross_entropy,
        )

    def version(self) -> str:
        from importlib.metadata import version

        return f"autograd {version('autograd')}"

    def gradients(self, task: Gradients) -> Case:
        differentiate = self.autograd.make_vjp(lambda arrays: task.function(self.f, *arrays))
        arrays, cotangent = tuple(task.inputs), task.cotangent

        def both() -> tuple[Any, tuple[Any, ...]]:
            back, result = differentiate(arrays)
            start = np.ones(np.shape(result), dtype=np.float32) if cotangent is None else cotangent
            return result, back(start)

        def values() -> list[np.ndarray]:
            result, gradients = both()
            return [np.asarray(result), *gradients]

        return Case(both, values)

    def training(self, model: Training) -> Case:
        loss = expressions.loss(model)
        x, target = model.data()
        gradient = self.autograd.grad(lambda parameters: loss(self.f, *parameters, x, target))
        parameters = model.parameters()
        state = functional.start(model, parameters)

        def step() -> None:
            nonlocal parameters, state
            parameters, state = functional.update(
                model, parameters, gradient(parameters), state, np.sqrt
            )

        return Case.of_steps(step, lambda: list(parameters))

    def chain(self, length: int) -> Case:
        leaf = np.array([0.5], dtype=np.float32)
        start = np.ones(1, dtype=np.float32)

        def function(x: Any) -> Any:
            y = x
            for _ in range(length // 2):
                y = y * np.float32(0.9999)
                y = y + x
            return y

        record = self.autograd.make_vjp(function)

        def values() -> list[np.ndarray]:
            back, y = record(leaf)
            return [y, back(start)]

        return Case.of_phases(lambda: record(leaf), lambda graph: graph[0](start), values)

    def hessian_vector(self, task: HessianVector) -> Case:
        product = self.autograd.make_hvp(
            lambda arrays: task.function(self.f, *arrays, *task.constants)
        )
        arrays, directions = tuple(task.inputs), tuple(task.vectors)

        def run() -> list[np.ndarray]:
            return list(product(arrays)[0](directions))

        return Case(run, run)
