"""Activation functions beyond those of `elementwise`."""

from __future__ import annotations

import numpy as np

from op_reference import sigmoid
from op_row import E, S
from support import FLOATS, INTS

from .build import KINK, add_row
from .elementwise import SHAPES, unary

PLACE = "nn.functional."


def tanh_softplus(x: np.ndarray) -> np.ndarray:
    return np.tanh(np.logaddexp(0, x))


def selu(x: np.ndarray) -> np.ndarray:
    return 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(np.minimum(x, 0)))


def celu(x: np.ndarray, alpha: float = 1.0) -> np.ndarray:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0) / alpha))


def softshrink(x: np.ndarray, lambd: float = 0.5) -> np.ndarray:
    return np.where(x > lambd, x - lambd, np.where(x < -lambd, x + lambd, 0 * x))


def glu(x: np.ndarray, dim: int = -1) -> np.ndarray:
    a, b = np.split(x, 2, axis=dim)
    return a * sigmoid(b)


def prelu(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    if weight.ndim and x.ndim > 1:
        weight = weight.reshape(1, -1, *[1] * (x.ndim - 2))
    return np.where(x > 0, x, weight * x) if x.ndim else np.where(x > 0, x, weight.reshape(()) * x)


HALVES = (0.5, -0.5)
unary("hardtanh", lambda x, low=-1, high=1: np.clip(x, low, high), away=(-1, 1), dtypes=("int32", "int64", *FLOATS),
      path=PLACE + "hardtanh", inplace="hardtanh_",
      more=lambda m: [S(m(2, 3, away=(1.5,)), 0, 1.5)] if m.dtype in FLOATS else [S(m(4), 0, 1)],
      errors=(E(lambda t: t.nn.functional.hardtanh(t.tensor([True])), RuntimeError,
                "Bool inputs not supported for hardtanh"),
              E(lambda t: t.nn.functional.hardtanh(t.tensor([1], dtype=t.uint8)), RuntimeError,
                "cannot do hardtanh on an unsigned type with negative limits"),
              E(lambda t: t.nn.functional.hardtanh(t.ones(2), 2.0, 1.0), ValueError,
                "min_val cannot be greater than max_val")))
unary("hardsigmoid", lambda x: np.clip(x + 3, 0, 6) / 6, -5, 5, away=(-3, 3), path=PLACE + "hardsigmoid",
      inplace="hardsigmoid_")
unary("hardswish", lambda x: x * np.clip(x + 3, 0, 6) / 6, -5, 5, away=(-3, 3), path=PLACE + "hardswish",
      inplace="hardswish_")
unary("selu", selu, away=KINK, inplace="selu_", path=PLACE + "selu")
unary("celu", celu, away=KINK, inplace="celu_", path=PLACE + "celu",
      more=lambda m: [S(m(2, 3, away=KINK), alpha=0.7)],
      errors=(E(lambda t: t.celu(t.ones(2), 0.0), RuntimeError,
                "ZeroDivisionError: alpha cannot be 0 for CELU"),))
unary("mish", lambda x: x * tanh_softplus(x), path=PLACE + "mish", special=False, inplace="mish_", tol=2)
unary("softshrink", softshrink, away=HALVES, path=PLACE + "softshrink",
      more=lambda m: [S(m(2, 3, away=(1, -1)), 1.0)],
      errors=(E(lambda t: t.nn.functional.softshrink(t.ones(2), -1.0), RuntimeError,
                "lambda must be in range [0, 3.40282e+38] for input dtype Float, but found -1"),))
unary("hardshrink", lambda x, lambd=0.5: np.where(np.abs(x) <= lambd, 0, x), away=HALVES,
      more=lambda m: [S(m(2, 3, away=(1, -1)), 1.0)])
add_row("threshold", lambda x, threshold, value: np.where(x <= threshold, np.asarray(value, x.dtype), x),
        lambda m: [S(m(*s, away=(1,)), 1, 7) for s in SHAPES] + [S(m(5), 0, 2)],
        "nary", dtypes=INTS + FLOATS, inplace="threshold_", method=None,
        large=lambda m: [S(m(300_001, away=(0.5,)), 0.5, -1.0)] if m.dtype in FLOATS else [S(m(99), 1, 2)],
        errors=(E(lambda t: t.threshold(t.tensor([True]), 0, 1), NotImplementedError,
                  "\"threshold_cpu\" not implemented for 'Bool'"),))
add_row("prelu", prelu, lambda m: [
            S(m(*s, away=KINK), m(1, lo=0.1)) for s in SHAPES if s != (0,)
        ] + [S(m(2, 3, away=KINK), m(3)), S(m(2, 3, 2, away=KINK), m(3)), S(m(4, away=KINK), m())],
        "nary", large=lambda m: [S(m(300, 7, 101, away=KINK), m(7))],
        errors=(E(lambda t: t.prelu(t.ones(2, 3), t.ones(2)), RuntimeError,
                  "Mismatch of parameter numbers and input channel size. Found parameter numbers = 2 and "
                  "channel size = 3."),
                E(lambda t: t.prelu(t.ones(2), t.ones(1, dtype=t.float64)), RuntimeError,
                  "prelu: Type promoting not supported. Got Float and Double")))
add_row("rrelu", lambda x, lower=1 / 8, upper=1 / 3: np.where(x > 0, x, x * (lower + upper) / 2),
        lambda m: [S(m(*s, away=KINK)) for s in SHAPES] + [S(m(4, away=KINK), 0.25, 0.75)],
        "nary", inplace="rrelu_", method=None, large=lambda m: [S(m(300_001, away=KINK))],
        errors=(E(lambda t: t.rrelu(t.ones(2), 2.0, 1.0), RuntimeError,
                  "Lower bound should be less than or equal to the upper bound"),))
add_row("glu", glu, lambda m: [
            S(m(4)), S(m(2, 6)), S(m(4, 3), 0), S(m(2, 4, 3), dim=1), S(m(0, 2)), S(m(3, 0))],
        "other", path=PLACE + "glu", large=lambda m: [S(m(300, 2002))],
        errors=(E(lambda t: t.nn.functional.glu(t.ones(3)), RuntimeError,
                  "Halving dimension must be even, but dimension 0 is size 3"),
                E(lambda t: t.nn.functional.glu(t.tensor(1.0)), RuntimeError,
                  "glu does not support scalars because halving size must be even")))
