"""What a row of the operator table is made of: sample inputs, a call, a reference, errors."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from support import FLOATS, INTS


class Make:
    """A seeded source of sample arrays of one dtype."""

    def __init__(self, dtype: str = "float64", seed: int = 0) -> None:
        self.dtype, self.random = dtype, np.random.default_rng(seed)

    def __call__(
        self, *shape: int, lo: float = -2.0, hi: float = 2.0, away: Iterable[float] = ()
    ) -> np.ndarray:
        """Values in [lo, hi]; floats stay 0.1 away from the points `away` (kinks, poles)."""
        if self.dtype == "bool":
            return self.random.integers(0, 2, shape).astype(bool)
        if self.dtype in INTS:
            low, high = math.ceil(lo), math.floor(hi)
            low = max(low, 0) if self.dtype == "uint8" else low
            values = self.random.integers(low, max(high, low) + 1, shape).astype(self.dtype)
            if 0 in away:  # integers avoid only a division by zero
                values = np.where(values == 0, np.ones_like(values), values)
            return np.asarray(values)
        values = self.random.uniform(lo, hi, shape)
        for point in away:
            side = np.where(values >= point, 1.0, -1.0)
            near = np.abs(values - point) < 0.1
            values = np.where(near, point + 0.1 * side + 0.5 * (values - point), values)
        return np.asarray(values, dtype=self.dtype)

    def distinct(self, *shape: int) -> np.ndarray:
        """Values without ties, so that the place of a maximum is unambiguous."""
        order = self.random.permutation(math.prod(shape)).reshape(shape)
        if self.dtype == "bool":
            return self(*shape)
        scale, shift = (0.37, 1.0) if self.dtype in FLOATS else (1, 0)
        return np.asarray(order * scale - shift, dtype=self.dtype)

    def index(self, size: int, *shape: int) -> np.ndarray:
        return self.random.integers(-size, size, shape)

    def place(self, size: int, *shape: int) -> np.ndarray:
        """Indices of `gather` and its relatives, which do not count from the end."""
        return self.random.integers(0, size, shape)

    def places(self, size: int, *shape: int, dim: int = 0) -> np.ndarray:
        """Places that differ along a dimension: no element is written twice."""
        lines = self.random.permuted(
            np.broadcast_to(np.arange(size), (math.prod(shape), size)), axis=1
        )
        rest = shape[:dim] + shape[dim + 1 :]
        lines = lines[: math.prod(rest), : shape[dim]].reshape(*rest, shape[dim])
        return np.moveaxis(lines, -1, dim)

    def mask(self, *shape: int) -> np.ndarray:
        return self.random.integers(0, 2, shape).astype(bool)


@dataclass(frozen=True)
class Const:
    """A tensor argument that the operator has no derivative for."""

    value: np.ndarray


@dataclass(frozen=True)
class Sample:
    args: tuple
    kwargs: dict

    def __str__(self) -> str:
        parts = [_show(a) for a in self.args]
        parts += [f"{k}={_show(v)}" for k, v in self.kwargs.items()]
        return ",".join(parts) or "-"


def _show(value: Any) -> str:
    if isinstance(value, Const):
        value = value.value
    if isinstance(value, np.ndarray):
        return "x".join(map(str, value.shape)) or "0d"
    if isinstance(value, slice):
        return ":".join("" if v is None else str(v) for v in (value.start, value.stop, value.step))
    if isinstance(value, tuple | list):
        return "(" + ",".join(map(_show, value)) + ")"
    return "..." if value is Ellipsis else str(value)


def S(*args: Any, **kwargs: Any) -> Sample:
    return Sample(args, kwargs)


@dataclass(frozen=True)
class Error:
    """A call that must raise, and how the message begins."""

    call: Callable[[Any], Any]
    kind: type[BaseException]
    start: str = ""


E = Error
Samples = Callable[[Make], Iterable[Sample]]


@dataclass(frozen=True)
class Op:
    name: str
    call: Callable[..., Any]
    ref: Callable[..., Any]
    samples: Samples
    kind: str
    dtypes: tuple[str, ...] = FLOATS
    out: str = "same"  # same | float (integers give float32) | bool | int64 | sum | logical
    diff: bool = True
    method: str | None = None  # the same call as args[0].method(*args[1:])
    inplace: str | None = None  # the method that writes into its first argument
    symbol: Callable[..., Any] | None = None  # operator.add for `+`
    scalars: tuple = ()  # Python numbers that the symbol takes on either side
    view: bool = False  # the result shares memory with the first argument
    any_layout: bool = True  # takes inputs with any strides
    aliases: tuple[str, ...] = ()  # other names of the same operator
    large: Samples | None = None  # inputs above every threading threshold
    special: bool = True  # compare nan, inf and signed zeros too
    tol: float = 1.0
    errors: tuple[Error, ...] = field(default=())

    def out_dtype(self, dtype: str) -> str:
        match self.out:
            case "float":
                return dtype if dtype in FLOATS else "float32"
            case "sum":
                return dtype if dtype in FLOATS else "int64"
            case "logical":
                return "uint8" if dtype == "uint8" else "bool"
            case "same":
                return dtype
            case _:
                return self.out


def convert(value: Any, leaf: Callable[[np.ndarray, bool], Any]) -> Any:
    """Map leaf(array, differentiable) over the arrays of an argument."""
    if isinstance(value, Const):
        return leaf(value.value, False)
    if isinstance(value, np.ndarray):
        return leaf(value, value.dtype.kind == "f")
    if isinstance(value, tuple | list):
        return type(value)(convert(v, leaf) for v in value)
    return value


def prepare(sample: Sample, leaf: Callable[[np.ndarray, bool], Any]) -> tuple[list, dict]:
    args = [convert(a, leaf) for a in sample.args]
    return args, {k: convert(v, leaf) for k, v in sample.kwargs.items()}


def takes_gradients(sample: Sample) -> bool:
    """Whether any argument is one that the operator is differentiated by."""
    found: list[bool] = []
    prepare(sample, lambda _, differentiable: found.append(differentiable))
    return any(found)


def outputs(result: Any) -> list:
    """The results of a call as a flat list."""
    return list(result) if isinstance(result, tuple | list) else [result]


def expected(op: Op, sample: Sample) -> list:
    """Reference results; floats computed in float64, integers as floats where the result is one."""

    def leaf(values: np.ndarray, _: bool) -> np.ndarray:
        whole = values.dtype.kind in "iub" and op.out == "float"
        return values.astype(np.float64) if whole or values.dtype.kind == "f" else values

    args, kwargs = prepare(sample, leaf)
    if op.kind == "binary" and "alpha" in kwargs:  # add and sub scale their second operand
        alpha = kwargs.pop("alpha")
        args[1] = np.asarray(args[1] * alpha, dtype=args[1].dtype)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy warns where the mean of nothing is NaN
        return outputs(op.ref(*args, **kwargs))
