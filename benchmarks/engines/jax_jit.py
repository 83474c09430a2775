"""JAX: the whole step compiled with `jax.jit`, compilation not counted."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from .. import expressions
from . import functional
from .base import Case, Engine, Gradients, HessianVector, Training


class JaxEngine(Engine):
    """Functions that are differentiated and compiled."""

    name = "jax"
    label = "JAX jit"
    package = "jax"
    imports = "import jax, jax.numpy"

    def __init__(self) -> None:
        import jax
        import jax.numpy as jnp

        jax.config.update("jax_platforms", "cpu")
        self.jax = jax
        self.jnp = jnp

        def cross_entropy(logits: Any, target: Any) -> Any:
            rows = jnp.arange(logits.shape[0])
            return -jax.nn.log_softmax(logits)[rows, target].mean()

        self.f = SimpleNamespace(
            tanh=jnp.tanh,
            exp=jnp.exp,
            sigmoid=jax.nn.sigmoid,
            relu=jax.nn.relu,
            softmax=jax.nn.softmax,
            log_softmax=jax.nn.log_softmax,
            layer_norm=expressions.composed_layer_norm,
            sum=jnp.sum,
            mean=jnp.mean,
            max=jnp.max,
            cross_entropy=cross_entropy,
        )

    def version(self) -> str:
        return f"jax {self.jax.__version__}"

    def _finished(self, compiled: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
        """Return a call that waits for its results; JAX only starts the work."""
        wait = self.jax.block_until_ready
        return lambda: wait(compiled(*arguments))

    def gradients(self, task: Gradients) -> Case:
        jax, cotangent = self.jax, task.cotangent

        def both(arrays: list[Any], start: Any) -> Any:
            result, back = jax.vjp(lambda *a: task.function(self.f, *a), *arrays)
            return [result, *back(start if cotangent is not None else self.jnp.ones_like(result))]

        arrays = [self.jnp.asarray(array) for array in task.inputs]
        start = 0.0 if cotangent is None else self.jnp.asarray(cotangent)
        call = self._finished(jax.jit(both), arrays, start)
        return Case(call, lambda: [np.asarray(array) for array in call()])

    def training(self, model: Training) -> Case:
        jax = self.jax
        loss = expressions.loss(model)
        x, target = (self.jnp.asarray(array) for array in model.data())

        def step(parameters: list[Any], state: list[Any]) -> Any:
            gradients = jax.grad(lambda p: loss(self.f, *p, x, target))(parameters)
            return functional.update(model, parameters, gradients, state, self.jnp.sqrt)

        compiled = jax.jit(step, donate_argnums=(0, 1))
        start = model.parameters()
        current = jax.device_put((start, functional.start(model, start)))

        def run() -> None:
            nonlocal current
            current = jax.block_until_ready(compiled(*current))

        return Case.of_steps(run, lambda: [np.array(array) for array in current[0]])

    def hessian_vector(self, task: HessianVector) -> Case:
        jax = self.jax
        fixed = [self.jnp.asarray(array) for array in task.constants]

        def product(arrays: list[Any], directions: list[Any]) -> Any:
            gradient = jax.grad(lambda p: task.function(self.f, *p, *fixed))
            return jax.jvp(gradient, (arrays,), (directions,))[1]

        arguments = ([self.jnp.asarray(a) for a in group] for group in (task.inputs, task.vectors))
        call = self._finished(jax.jit(product), *arguments)
        return Case(call, lambda: [np.asarray(array) for array in call()])
