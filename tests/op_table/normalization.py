"""Normalisation of the last dimensions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from op_reference import layer_norm
from op_row import E, Make, S, Sample

from .build import add_row


def rows(m: Make) -> Iterable[Sample]:
    for shape, last in (((2, 3), (3,)), ((4, 2, 3), (2, 3)), ((5,), (5,)), ((2, 3, 4), (4,))):
        yield S(m(*shape), last)
        yield S(m(*shape), last, m(*last))
        yield S(m(*shape), last, bias=m(*last))
        yield S(m(*shape), last, m(*last), m(*last), eps=0.1)
    yield S(m(3, 1), (1,), m(1), m(1))
    yield S(m(0, 3), (3,), m(3), m(3))
    yield S(m(2, 0), (0,), m(0), m(0))


def large(m: Make) -> Iterable[Sample]:
    for shape in ((301, 1003), (7, 40_001)):
        yield S(m(*shape), shape[1:], m(*shape[1:]), m(*shape[1:]))


def call(*sizes: tuple, shape: Any, dtype: str = "float32") -> Callable[[Any], Any]:
    """layer_norm of ones, with parameters of a dtype."""

    def run(t: Any) -> Any:
        x, *parameters = (t.ones(s) for s in sizes)
        parameters = [p.to(getattr(t, dtype)) for p in parameters]
        return t.nn.functional.layer_norm(x, shape, *parameters)

    return run


add_row("layer_norm", layer_norm, rows, "normalization", path="nn.functional.layer_norm", method=None,
        tol=5, large=large,
        errors=(
            E(call((2, 3), shape=()), RuntimeError,
              "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one "
              "element, but got normalized_shape = []"),
            E(call((2, 3), shape=(4,)), RuntimeError,
              "Given normalized_shape=[4], expected input with shape [*, 4], but got input of size[2, 3]"),
            E(call((3,), shape=(2, 3)), RuntimeError,
              "Given normalized_shape=[2, 3], expected input with shape [*, 2, 3], but got input of size[3]"),
            E(call((2, 3), (2,), shape=(3,)), RuntimeError,
              "Expected weight to be of same shape as normalized_shape, but got weight of shape [2] and "
              "normalized_shape = [3]"),
            E(call((2, 3), (3,), (3, 1), shape=(3,)), RuntimeError,
              "Expected bias to be of same shape as normalized_shape, but got bias of shape [3, 1] and "
              "normalized_shape = [3]"),
            E(call((2, 3), (3,), shape=(3,), dtype="float64"), RuntimeError,
              "mixed dtype (CPU): expect parameter to have scalar type of Float"),
            E(lambda t: t.nn.functional.layer_norm(t.ones(2, 3, dtype=t.int64), (3,)), NotImplementedError,
              "\"LayerNormKernelImpl\" not implemented for 'Long'"),
        ))
