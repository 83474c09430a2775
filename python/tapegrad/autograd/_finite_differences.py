"""Derivatives by central differences: ``(f(x + eps u) - f(x - eps u)) / (2 eps)``."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence

import tapegrad

from .._C import Tensor

# Evaluates a function at its inputs as they are, and moves an input by a step from where it was.
Call = Callable[[], Sequence[Tensor]]
Move = Callable[[float], None]


def _difference(call: Call, move: Move, eps: float, where: str = "") -> list[Tensor]:
    """The slope of each output along the line on which `move` displaces the input."""
    try:
        move(-eps)
        low = [out.detach().clone() for out in call()]
        move(eps)
        # An output may be a view of the input, which moves back in the end.
        high = [out.detach().clone() for out in call()]
    finally:
        move(0.0)
    slopes = []
    for a, b in zip(low, high, strict=True):
        for what, before, after in (("shape", a.shape, b.shape), ("dtype", a.dtype, b.dtype)):
            if before != after:
                raise AssertionError(
                    f"Expected `func` to return outputs with the same {what} when inputs are "
                    f"perturbed {where}by {eps}, but got: {what}s {before} and {after}."
                )
        if not a.is_floating_point():
            a, b = a.double(), b.double()
        slopes.append((b - a) / (2 * eps))
    return slopes


def _element_moves(x: Tensor) -> Iterator[tuple[tuple[int, ...], Move]]:
    """Each index of `x` in row-major order, with a function that displaces its element."""
    # .data has a version counter of its own: what autograd has saved stays valid.
    data = x.data
    for index in itertools.product(*map(range, data.shape)):
        value = data[index].item()

        def move(step: float, index: tuple[int, ...] = index, value: float = value) -> None:
            data[index] = value + step

        yield index, move


def jacobians(call: Call, x: Tensor, outputs: Sequence[Tensor], eps: float) -> list[Tensor]:
    """The Jacobian of each output by `x`, of shape ``(x.numel(), out.numel())``."""
    rows = [_difference(call, move, eps, f"on index {index} ") for index, move in _element_moves(x)]
    if not rows:
        return [out.detach().new_zeros((0, out.numel())) for out in outputs]
    return [tapegrad.stack([r.reshape(-1) for r in column]) for column in zip(*rows, strict=True)]


def projections(call: Call, x: Tensor, u: Tensor, eps: float) -> list[Tensor]:
    """``J u`` of each output, for a direction `u` with as many elements as `x`."""
    data, direction = x.data, u.view(x.shape)
    start = data.clone()

    def move(step: float) -> None:
        data.copy_(start + direction * step)

    return _difference(call, move, eps)
