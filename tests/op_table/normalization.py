"""Layers that normalise."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from op_reference import batch_norm, group_norm, instance_norm, layer_norm, rms_norm
from op_row import Const, E, Make, S, Sample

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


def rms_rows(m: Make) -> Iterable[Sample]:
    for shape, last in (((2, 3), (3,)), ((4, 2, 3), (2, 3)), ((5,), (5,))):
        yield S(m(*shape), last)
        yield S(m(*shape), last, m(*last))
        yield S(m(*shape), last, m(*last), eps=0.1)
    yield S(m(0, 3), (3,), m(3))
    yield S(m(2, 0), (0,), m(0))


def group_rows(m: Make) -> Iterable[Sample]:
    for shape, groups in (((2, 6), 3), ((2, 6), 1), ((3, 4, 5), 2), ((2, 4, 3, 2), 4)):
        yield S(m(*shape), groups)
        yield S(m(*shape), groups, m(shape[1]))
        yield S(m(*shape), groups, m(shape[1]), m(shape[1]), eps=0.1)
    yield S(m(0, 4), 2, m(4), m(4))


def channel_rows(*shapes: tuple) -> Callable[[Make], Iterable[Sample]]:
    """Statistics of the input, and given ones."""

    def rows(m: Make) -> Iterable[Sample]:
        for shape in shapes:
            c = shape[1]
            given = Const(m(c)), Const(np.abs(m(c)) + np.asarray(0.5, m.dtype))
            yield S(m(*shape), None, None, None, None, True, 0.1, 1e-5, True)
            yield S(m(*shape), m(c), None, None, None, True, 0.1, 0.1, True)
            yield S(m(*shape), m(c), m(c), None, None, True, 0.1, 1e-5, True)
            yield S(m(*shape), None, m(c), *given, False, 0.1, 1e-5, True)
            yield S(m(*shape), m(c), m(c), *given, False, 0.1, 1e-3, True)

    return rows


def large_channels(m: Make) -> Iterable[Sample]:
    for shape in ((1003, 301), (7, 5, 30_001), (300, 3, 201)):
        c = shape[1]
        yield S(m(*shape), m(c), m(c), None, None, True, 0.1, 1e-5, True)


def large_groups(m: Make) -> Iterable[Sample]:
    for shape, groups in (((301, 1004), 4), ((7, 4, 20_001), 2)):
        yield S(m(*shape), groups, m(shape[1]), m(shape[1]))


def of_ones(name: str, *sizes: tuple, dtype: str = "float32", **options: Any) -> Callable[[Any], Any]:
    """A function of ones: the input, and what else has sizes."""

    def run(t: Any) -> Any:
        tensors = [t.ones(s, dtype=getattr(t, dtype)) for s in sizes]
        return getattr(t.nn.functional, name)(*tensors, **options)

    return run


add_row("rms_norm", rms_norm, rms_rows, "normalization", path="nn.functional.rms_norm", method=None,
        tol=5, large=lambda m: [S(m(301, 1003), (1003,), m(1003)), S(m(7, 40_001), (40_001,))],
        errors=(
            E(of_ones("rms_norm", (2, 3), normalized_shape=(4,)), RuntimeError, "Given normalized_shape=[4]"),
            E(of_ones("rms_norm", (2, 3), normalized_shape=(3,), dtype="int64"), NotImplementedError,
              "\"rms_norm\" not implemented for 'Long'"),
        ))
add_row("group_norm", group_norm, group_rows, "normalization", path="nn.functional.group_norm", method=None,
        tol=5, large=large_groups,
        errors=(
            E(of_ones("group_norm", (4,), num_groups=2), RuntimeError,
              "Expected at least 2 dimensions for input tensor but received 1"),
            E(of_ones("group_norm", (2, 4), num_groups=3), RuntimeError,
              "Expected number of channels in input to be divisible by num_groups, but got input of shape "
              "[2, 4] and num_groups=3"),
            E(lambda t: t.nn.functional.group_norm(t.ones(2, 4), 2, t.ones(3)), RuntimeError,
              "Expected weight to be a vector of size equal to the number of channels in input, but got "
              "weight of shape [3] and input of shape [2, 4]"),
            E(of_ones("group_norm", (1, 2), num_groups=2), ValueError,
              "Expected more than 1 value per channel when training, got input size [1, 2]"),
            E(of_ones("group_norm", (2, 4), num_groups=2, dtype="int64"), NotImplementedError,
              "\"GroupNormKernelImpl\" not implemented for 'Long'"),
        ))
add_row("batch_norm", batch_norm, channel_rows((4, 3), (3, 2, 5), (2, 3, 2, 2), (1, 2, 7)), "normalization",
        method=None, tol=5, large=large_channels,
        errors=(
            E(of_ones("batch_norm", (2, 3), running_mean=None, running_var=None), RuntimeError,
              "running_mean must be defined in evaluation mode"),
            E(of_ones("batch_norm", (2, 3), (2,), (2,)), RuntimeError,
              "running_mean should contain 3 elements not 2"),
            E(of_ones("batch_norm", (3,), running_mean=None, running_var=None, training=True), IndexError,
              "Dimension out of range (expected to be in range of [-1, 0], but got 1)"),
            E(of_ones("batch_norm", (1, 3), running_mean=None, running_var=None, training=True), ValueError,
              "Expected more than 1 value per channel when training, got input size"),
            E(of_ones("batch_norm", (2, 3), running_mean=None, running_var=None, training=True,
                      dtype="int64"), NotImplementedError, "\"batch_norm\" not implemented for 'Long'"),
            E(lambda t: t.nn.functional.batch_norm(t.ones(2, 3), None, None, t.ones(3).double(), training=True),
              RuntimeError, "mixed dtype (CPU): expect parameter to have scalar type of Float"),
        ))
add_row("instance_norm", instance_norm, channel_rows((2, 3, 4), (3, 2, 2, 3)), "normalization",
        method=None, tol=5, large=lambda m: [S(m(301, 4, 203), m(4), m(4), None, None, True, 0.1, 1e-5, True)],
        errors=(
            E(of_ones("instance_norm", (2, 3, 1)), ValueError,
              "Expected more than 1 spatial element when training, got input size"),
            E(of_ones("instance_norm", (2, 3, 4), use_input_stats=False), RuntimeError,
              "Expected running_mean and running_var to be defined when use_input_stats is false"),
        ))
