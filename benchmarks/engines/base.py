"""What a workload asks of an engine."""

from __future__ import annotations

import time
import timeit
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np


@dataclass
class Case:
    """A workload made ready on an engine.

    `statement` is what is timed: a function of no arguments, or source text for operations
    that are so cheap that a call would distort them. `values` computes the numbers which all
    engines must agree on; it is called once, before the timing. A case that takes its own
    times has `phases`, which returns seconds by name.
    """

    statement: str | Callable[[], Any]
    values: Callable[[], list[np.ndarray]]
    namespace: dict[str, Any] = field(default_factory=dict)
    phases: Callable[[], dict[str, float]] | None = None

    def timer(self) -> timeit.Timer:
        """Return a timer of the statement."""
        return timeit.Timer(self.statement, globals=self.namespace)

    @classmethod
    def of_text(
        cls, text: str, names: Callable[[], dict[str, Any]], array: Callable[[Any], np.ndarray]
    ) -> Case:
        """Time source text; the values are its result, if any, and the gradients of `a` and `b`.

        `names` makes fresh names for it, and `array` reads a tensor.
        """

        def values() -> list[np.ndarray]:
            fresh = names()
            found = []
            if (result := eval(text, fresh)) is not None:
                found.append(array(result))
                result.backward()
            grads = (fresh[name].grad for name in ("a", "b"))
            return found + [array(grad) for grad in grads if grad is not None]

        return cls(text, values, names())

    @classmethod
    def of_steps(cls, step: Callable[[], Any], parameters: Callable[[], list[np.ndarray]]) -> Case:
        """Time a training step; the values are the parameters after three of them."""

        def values() -> list[np.ndarray]:
            for _ in range(3):
                step()
            return parameters()

        return cls(step, values)

    @classmethod
    def of_phases(
        cls,
        record: Callable[[], Any],
        back: Callable[[Any], Any],
        values: Callable[[], list[np.ndarray]],
    ) -> Case:
        """Time the recording of a graph, `back` on what it gave, and the graph's destruction."""

        def phases() -> dict[str, float]:
            start = time.perf_counter()
            graph = record()
            recorded = time.perf_counter()
            back(graph)
            finished = time.perf_counter()
            del graph
            end = time.perf_counter()
            return {
                "forward": recorded - start,
                "backward": finished - recorded,
                "destruction": end - finished,
            }

        return cls(phases, values, phases=phases)


@dataclass(frozen=True)
class Gradients:
    """`function(f, *inputs)` and the gradients of all inputs.

    `cotangent` is the gradient to start from where the result is not a scalar.
    """

    function: Callable[..., Any]
    inputs: Sequence[np.ndarray]
    cotangent: np.ndarray | None = None


@dataclass(frozen=True)
class HessianVector:
    """The Hessian of `function(f, *inputs, *constants)` times `vectors`."""

    function: Callable[..., Any]
    inputs: Sequence[np.ndarray]
    vectors: Sequence[np.ndarray]
    constants: Sequence[np.ndarray]


@dataclass(frozen=True)
class Training:
    """A multi-layer perceptron and how it is trained: one step on one batch."""

    sizes: tuple[int, ...]
    batch: int
    loss: str = "cross_entropy"  # or "mse"
    optimizer: str = "sgd"  # or "momentum", "adam"
    activation: str = "relu"  # or "tanh"
    rate: float = 1e-3
    by_hand: bool = False  # parameters and update written out, no modules and optimisers

    def parameters(self) -> list[np.ndarray]:
        """Return weight (inputs, outputs), bias, weight, ... to start from."""
        generator = np.random.default_rng(0)
        found = []
        for inputs, outputs in zip(self.sizes[:-1], self.sizes[1:], strict=True):
            scale = np.float32(inputs**-0.5)
            found.append(generator.standard_normal((inputs, outputs), dtype=np.float32) * scale)
            found.append(generator.standard_normal(outputs, dtype=np.float32) * scale)
        return found

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """Return a batch: inputs, and classes or values to reach."""
        generator = np.random.default_rng(1)
        x = generator.standard_normal((self.batch, self.sizes[0]), dtype=np.float32)
        if self.loss == "cross_entropy":
            return x, generator.integers(0, self.sizes[-1], self.batch)
        return x, generator.standard_normal((self.batch, self.sizes[-1]), dtype=np.float32)


class Engine:
    """One engine. A method returns None where the engine cannot do what is asked."""

    name = ""  # on the command line
    label = ""  # in the table
    package: str | None = None  # whose import, size and memory are measured
    imports: str | None = None  # the statement a user starts with

    f: SimpleNamespace

    def version(self) -> str:
        """Return name and version of the library."""
        raise NotImplementedError

    def activate(self) -> None:
        """Prepare for being timed, after another engine was (numbers of threads)."""

    def statement(self, text: str) -> Case | None:
        """Time source text with `a` and `b`, tensors of one element that are on the tape."""
        return None

    def gradients(self, task: Gradients) -> Case | None:
        """Compute a value and its gradients."""
        return None

    def training(self, model: Training) -> Case | None:
        """Take one training step."""
        return None

    def inference(self, model: Training) -> Case | None:
        """Compute the outputs of a model whose gradients nobody wants."""
        return None

    def physics(self, model: Training) -> Case | None:
        """Take one step of u_t = u_xx for the network u(x, t), by the residual at random points."""
        return None

    def transformed(self, build: Callable[..., Any], arrays: Sequence[Any]) -> Case | None:
        """Call `build(f, t)` with arrays, or lists of them; `t` transforms functions.

        It has `grad`, `vmap` (the second argument says where the batch is), `jacrev`, `hessian`.
        """
        return None

    def step(self, optimizer: str, model: Training) -> Case | None:
        """Change the parameters of a model by given gradients."""
        return None

    def loading(self, rows: int, batch: int) -> Case | None:
        """Go through a data set of two tensors in mini-batches."""
        return None

    def chain(self, length: int) -> Case | None:
        """Record `length` operations, go back, and free them: three phases."""
        return None

    def hessian_vector(self, task: HessianVector) -> Case | None:
        """Compute a Hessian-vector product."""
        return None
