"""The mathematics of the workloads, written once for all engines.

Every function takes `f` first, a namespace with the engine's functions: `tanh`, `exp`,
`sigmoid`, `relu`, `softmax(x)`, `log_softmax(x)`, `layer_norm(x, weight, bias)`, `sum(x, dim)`,
`mean(x, dim)`, `max(x, dim)`, `cross_entropy(logits, classes)`. Arithmetic is that of Python's
operators.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from .engines.base import Training

Functions = SimpleNamespace


def mixed_chain(f: Functions, x: Any, a: Any, b: Any) -> Any:
    """100 operations in a row, ten kinds of them."""
    for _ in range(10):
        x = f.tanh(x * a + b)
        x = f.sigmoid(x * 1.5 - a)
        x = f.exp(-x) / 2.0 + x
    return x


def fused(f: Functions, a: Any, x: Any, b: Any) -> Any:
    """A long element-wise expression and its sum."""
    return f.sum(f.tanh(a * x + b) * f.exp(-x * x) + f.sigmoid(x), None)


def add_bias(f: Functions, x: Any, bias: Any) -> Any:
    """A row added to every row; its gradient is a sum over rows."""
    return x + bias


def mixed_shapes(f: Functions, x: Any, y: Any, z: Any) -> Any:
    """Three tensors that broadcast along different dimensions."""
    return x * y + z


def matmul(f: Functions, a: Any, b: Any) -> Any:
    """A matrix product, or a batch of them."""
    return a @ b


def conv2d(f: Functions, x: Any, weight: Any) -> Any:
    """A convolution that keeps the size of the images."""
    return f.conv2d(x, weight)


def lenet(f: Functions, x: Any, w1: Any, w2: Any, w3: Any, w4: Any, w5: Any, target: Any) -> Any:
    """LeNet without biases on images of 28 x 28, and its loss."""
    x = f.max_pool2d(f.relu(f.conv2d(x, w1)))
    x = f.max_pool2d(f.relu(f.conv2d(x, w2)))
    x = x.reshape(x.shape[0], -1)
    return ((f.relu(f.relu(x @ w3) @ w4) @ w5 - target) ** 2).mean()


def softmax(f: Functions, x: Any) -> Any:
    """Softmax over the last dimension."""
    return f.softmax(x)


def log_softmax(f: Functions, x: Any) -> Any:
    """Log-softmax over the last dimension."""
    return f.log_softmax(x)


def layer_norm(f: Functions, x: Any, weight: Any, bias: Any) -> Any:
    """Rows of mean 0 and variance 1, scaled and shifted."""
    return f.layer_norm(x, weight, bias)


def composed_layer_norm(x: Any, weight: Any, bias: Any) -> Any:
    """Compute `f.layer_norm` on engines that have no such operator."""
    centred = x - x.mean(-1, keepdims=True)
    variance = (centred * centred).mean(-1, keepdims=True)
    return centred * (variance + 1e-5) ** -0.5 * weight + bias


def recurrent(name: str) -> Callable[..., Any]:
    """Return one recurrent layer, `lstm` or `gru`, as a function of input and weights."""

    def layer(f: Functions, x: Any, *weights: Any) -> Any:
        return getattr(f, name)(x, weights)

    return layer


def attention(f: Functions, query: Any, key: Any, value: Any) -> Any:
    """Averages of values, weighted by keys and queries."""
    return f.attention(query, key, value)


INDICES = np.random.default_rng(0).integers(0, 1000, (32, 50))


def embedding(f: Functions, table: Any) -> Any:
    """Rows of a table of at least 1000 rows by 32x50 indices."""
    return f.embedding(INDICES, table)


PLACES = np.random.default_rng(1).integers(0, 100, (64, 16))


def gather(f: Functions, table: Any) -> Any:
    """Elements of a table of 100x16, by 64 places in each of its columns."""
    return f.gather(table, PLACES)


def scatter_add(f: Functions, table: Any, values: Any) -> Any:
    """A table of 100x16, and 64 values added in each of its columns."""
    return f.scatter_add(table, PLACES, values)


def reduction(name: str, dim: int | None) -> Callable[..., Any]:
    """Return the reduction `name` over `dim` as a function of one array."""

    def reduce(f: Functions, x: Any) -> Any:
        return getattr(f, name)(x, dim)

    return reduce


def network(f: Functions, model: Training, x: Any, parameters: list[Any]) -> Any:
    """A multi-layer perceptron; `parameters` are weight (inputs, outputs), bias, weight, ..."""
    activation = getattr(f, model.activation)
    last = len(parameters) - 2
    for index in range(0, len(parameters), 2):
        x = x @ parameters[index] + parameters[index + 1]
        if index < last:
            x = activation(x)
    return x


def loss(model: Training) -> Callable[..., Any]:
    """Return the loss of `model` as a function of `f`, its parameters, inputs and targets."""

    def compute(f: Functions, *arguments: Any) -> Any:
        *parameters, x, target = arguments
        output = network(f, model, x, parameters)
        if model.loss == "cross_entropy":
            return f.cross_entropy(output, target)
        difference = output - target
        return f.mean(difference * difference, None)

    return compute


def sample_gradients(model: Training) -> Callable[..., Any]:
    """Gradients of the loss of each sample: of parameters, inputs and targets."""

    def build(f: Functions, t: Any) -> Any:
        def sample_loss(parameters: list[Any], x: Any, target: Any) -> Any:
            return loss(model)(f, *parameters, x[None], target[None])

        return t.vmap(t.grad(sample_loss), (None, 0, 0))

    return build


def ensemble_gradients(model: Training) -> Callable[..., Any]:
    """Gradients of the losses of several networks, whose parameters are stacked."""

    def build(f: Functions, t: Any) -> Any:
        def batch_loss(parameters: list[Any], x: Any, target: Any) -> Any:
            return loss(model)(f, *parameters, x, target)

        return t.vmap(t.grad(batch_loss), (0, None, None))

    return build


def laplacian(model: Training) -> Callable[..., Any]:
    """The sum of the second derivatives of a network's only output, at each input."""

    def build(f: Functions, t: Any) -> Any:
        def at_one(parameters: list[Any], x: Any) -> Any:
            return t.hessian(lambda z: network(f, model, z, parameters)[0])(x).trace()

        return t.vmap(at_one, (None, 0))

    return build


def jacobian(model: Training) -> Callable[..., Any]:
    """The Jacobian of a network at one input."""

    def build(f: Functions, t: Any) -> Any:
        return lambda parameters, x: t.jacrev(lambda z: network(f, model, z, parameters))(x)

    return build


def arrays(seed: int, *shapes: tuple[int, ...]) -> list[np.ndarray]:
    """Return float32 arrays of normal numbers, the same ones in every process."""
    generator = np.random.default_rng(seed)
    return [generator.standard_normal(shape, dtype=np.float32) for shape in shapes]
