"""What a workload asks of an engine."""

from __future__ import annotations

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

    def gradients(
        self,
        function: Callable[..., Any],
        inputs: Sequence[np.ndarray],
        cotangent: np.ndarray | None = None,
    ) -> Case | None:
        """Compute `function(f, *inputs)` and the gradients of all inputs.

        `cotangent` is the gradient to start from where the result is not a scalar.
        """
        return None

    def training(self, model: Training) -> Case | None:
        """Take one training step."""
        return None

    def chain(self, length: int) -> Case | None:
        """Record `length` operations, go back, and free them: three phases."""
        return None

    def hessian_vector(
        self,
        function: Callable[..., Any],
        inputs: Sequence[np.ndarray],
        vectors: Sequence[np.ndarray],
        constants: Sequence[np.ndarray],
    ) -> Case | None:
        """Multiply the Hessian of `function(f, *inputs, *constants)` with `vectors`."""
        return None
