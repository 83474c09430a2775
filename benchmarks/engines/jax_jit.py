"""JAX: the whole step compiled with `jax.jit`, compilation not counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
            lstm=self._lstm,
            gru=self._gru,
            embedding=lambda index, w: w[index],
            gather=lambda x, index: jnp.take_along_axis(x, index, 0),
            scatter_add=lambda x, index, y: x.at[index, jnp.arange(x.shape[1])].add(y),
        )

    def _lstm(self, x: Any, weights: Any) -> Any:
        w_ih, w_hh, b_ih, b_hh = weights
        sigmoid, tanh = self.jax.nn.sigmoid, self.jnp.tanh

        def step(state: Any, sums: Any) -> Any:
            h, c = state
            i, f, g, o = self.jnp.split(sums + h @ w_hh.T, 4, -1)
            c = sigmoid(f) * c + sigmoid(i) * tanh(g)
            h = sigmoid(o) * tanh(c)
            return (h, c), h

        zeros = self.jnp.zeros((x.shape[1], w_hh.shape[1]), x.dtype)
        return self.jax.lax.scan(step, (zeros, zeros), x @ w_ih.T + (b_ih + b_hh))[1]

    def _gru(self, x: Any, weights: Any) -> Any:
        w_ih, w_hh, b_ih, b_hh = weights
        sigmoid, tanh = self.jax.nn.sigmoid, self.jnp.tanh

        def step(h: Any, sums: Any) -> Any:
            r, z, n = self.jnp.split(sums, 3, -1)
            hidden_r, hidden_z, hidden_n = self.jnp.split(h @ w_hh.T + b_hh, 3, -1)
            n = tanh(n + sigmoid(r + hidden_r) * hidden_n)
            h = n + sigmoid(z + hidden_z) * (h - n)
            return h, h

        zeros = self.jnp.zeros((x.shape[1], w_hh.shape[1]), x.dtype)
        return self.jax.lax.scan(step, zeros, x @ w_ih.T + b_ih)[1]

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
        loss = expressions.loss(model)
        x, target = (self.jnp.asarray(array) for array in model.data())
        return self._steps(model, lambda parameters: loss(self.f, *parameters, x, target))

    def physics(self, model: Training) -> Case:
        jax, jnp = self.jax, self.jnp
        points = jnp.asarray(model.data()[0])

        def residual(point: Any, parameters: list[Any]) -> Any:
            def u(place: Any) -> Any:
                return expressions.network(self.f, model, place, parameters)[0]

            def slope(place: Any) -> Any:
                return jax.grad(u)(place)[0]

            return jax.grad(u)(point)[1] - jax.grad(slope)(point)[0]

        def loss(parameters: list[Any]) -> Any:
            return jnp.mean(jax.vmap(residual, (0, None))(points, parameters) ** 2)

        return self._steps(model, loss)

    def inference(self, model: Training) -> Case:
        parameters = [self.jnp.asarray(array) for array in model.parameters()]
        x = self.jnp.asarray(model.data()[0])

        def outputs(x: Any, parameters: list[Any]) -> Any:
            return expressions.network(self.f, model, x, parameters)

        call = self._finished(self.jax.jit(outputs), x, parameters)
        return Case(call, lambda: [np.asarray(call())])

    def _steps(self, model: Training, loss: Callable[[list[Any]], Any]) -> Case:
        jax = self.jax

        def step(parameters: list[Any], state: list[Any]) -> Any:
            gradients = jax.grad(loss)(parameters)
            return functional.update(model, parameters, gradients, state, self.jnp.sqrt)

        compiled = jax.jit(step, donate_argnums=(0, 1))
        start = model.parameters()
        current = jax.device_put((start, functional.start(model, start)))

        def run() -> None:
            nonlocal current
            current = jax.block_until_ready(compiled(*current))

        return Case.of_steps(run, lambda: [np.array(array) for array in current[0]])

    def transformed(self, build: Callable[..., Any], arrays: Sequence[Any]) -> Case:
        jax = self.jax
        given = jax.tree_util.tree_map(self.jnp.asarray, list(arrays))
        call = self._finished(jax.jit(build(self.f, jax)), *given)
        return Case(call, lambda: [np.asarray(x) for x in jax.tree_util.tree_leaves(call())])

    def hessian_vector(self, task: HessianVector) -> Case:
        jax = self.jax
        fixed = [self.jnp.asarray(array) for array in task.constants]

        def product(arrays: list[Any], directions: list[Any]) -> Any:
            gradient = jax.grad(lambda p: task.function(self.f, *p, *fixed))
            return jax.jvp(gradient, (arrays,), (directions,))[1]

        arguments = ([self.jnp.asarray(a) for a in group] for group in (task.inputs, task.vectors))
        call = self._finished(jax.jit(product), *arguments)
        return Case(call, lambda: [np.asarray(array) for array in call()])
