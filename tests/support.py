"""What the test files share: layouts, comparisons and expected messages."""

from __future__ import annotations

import contextlib
import gc
import math
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import tapegrad as tg

FLOATS = ("float32", "float64")
INTS = ("uint8", "int8", "int16", "int32", "int64")
NUMBERS = INTS + FLOATS
ALL = ("bool", *NUMBERS)

# The name that the library prints as its own: `tapegrad.Size([2])`.
LIBRARY = tg.__name__


def dtype_of(name: str) -> Any:
    """The library's dtype object of a NumPy dtype name."""
    return getattr(tg, name)


class Raised:
    """The exception that `raises` caught."""

    error: BaseException
    message: str


def function_of(lib: Any, operator: dict) -> Any:
    """The function of an operator as `_operators()` describes it, of either library."""
    if operator["module"].endswith("_linalg"):
        return getattr(lib.linalg, operator["name"].removeprefix("linalg_"))
    found = getattr(lib, operator["name"], None)
    return found or getattr(lib.nn.functional, operator["name"])


@contextlib.contextmanager
def raises(
    kind: type[BaseException] | tuple[type[BaseException], ...], start: str = "", lib: Any = tg
) -> Iterator[Raised]:
    """Expect an exception whose message begins with `start`, where `tapegrad.` is lib's name.

    PyTorch's text comes first; a second sentence that helps more may follow it.
    """
    want = re.sub(r"\btapegrad(?=\.)", lib.__name__, start)
    caught = Raised()
    try:
        yield caught
    except kind as error:
        caught.error, caught.message = error, str(error)
        if not caught.message.startswith(want):
            raise AssertionError(
                f"message begins with\n    {caught.message[:400]}\nexpected\n    {want}"
            ) from error
    except Exception as error:
        raise AssertionError(f"expected {kind}, got {type(error).__name__}: {error}") from error
    else:
        raise AssertionError(f"expected {kind} and {start!r}, nothing was raised")


def same_bits(a: Any, b: Any) -> bool:
    """Whether two results, or structures of results, are equal to the last bit."""
    if isinstance(a, tg.Tensor):
        return (
            isinstance(b, tg.Tensor)
            and (a.dtype, a.shape) == (b.dtype, b.shape)
            and array(a).tobytes() == array(b).tobytes()
        )
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same_bits, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same_bits(a[key], b[key]) for key in a)
    return bool(a == b)


def array(value: Any) -> np.ndarray:
    """The values of a tensor as an array of its own."""
    return np.array(value.detach().numpy()) if isinstance(value, tg.Tensor) else np.asarray(value)


def tensor(values: Any, requires_grad: bool = False) -> Any:
    """A tensor with the values and dtype of an array, in memory of its own."""
    values = np.asarray(values)
    made = tg.tensor(values.tolist(), dtype=dtype_of(values.dtype.name)).reshape(values.shape)
    return made.requires_grad_() if requires_grad else made


def contiguous(values: np.ndarray, lib: Any = tg) -> Any:
    if values.size == 0:  # NumPy's strides of an empty array are zeros
        return lib.empty(values.shape, dtype=getattr(lib, values.dtype.name))
    return lib.from_numpy(np.array(values, order="C"))


def strided(values: np.ndarray, lib: Any = tg) -> Any:
    """Every second element of a larger block, from an offset."""
    if values.size == 0:
        return contiguous(values, lib)
    block = np.zeros((*values.shape[:-1], 2 * values.shape[-1] + 1) if values.ndim else (3,))
    block = lib.from_numpy(block.astype(values.dtype))
    view = block[..., 1::2] if values.ndim else block[1]
    view.copy_(contiguous(values, lib))
    return view


def transposed(values: np.ndarray, lib: Any = tg) -> Any:
    """Dimensions stored in reverse order."""
    order = tuple(reversed(range(values.ndim)))
    return contiguous(values.transpose(order), lib).permute(order)


def expanded(values: np.ndarray, lib: Any = tg) -> Any:
    """Stride zero along the first dimension; takes the first row for all."""
    if values.ndim == 0 or values.shape[0] == 0:
        return contiguous(values, lib)
    return lib.from_numpy(np.array(values[:1], order="C")).expand(values.shape)


LAYOUTS: dict[str, Callable[..., Any]] = {
    "contiguous": contiguous,
    "strided": strided,
    "transposed": transposed,
}


def check(actual: Any, expected: Any, rtol: float, atol: float, what: str = "") -> None:
    """Compare a tensor with an array: shape, then values; NaN equals NaN."""
    expected = np.asarray(expected)
    assert tuple(actual.shape) == expected.shape, f"{what}: shape"
    got = array(actual)
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(got, expected, rtol=rtol, atol=atol, err_msg=what)


# Relative and absolute tolerance of one operator against a reference of higher precision.
TOLERANCE = {"float32": (2e-6, 2e-6), "float64": (1e-13, 1e-13)}


def tolerance(dtype: str, factor: float = 1.0) -> tuple[float, float]:
    rtol, atol = TOLERANCE.get(dtype, (0.0, 0.0))
    return rtol * factor, atol * factor


def counts() -> dict[str, int]:
    """How many tensors, nodes and storages are alive."""
    # An object that comes back from its finalizer is freed by the next round.
    for _ in range(3):
        gc.collect()
    return dict(tg._C._live_counts())


ROUNDS = 10_000


def repeat(step: Callable[[], Any], times: int = ROUNDS) -> None:
    """Run a step so often that what it leaves behind would be seen."""
    for _ in range(times):
        step()


def check_tensor(x: Any) -> None:
    """The tensor says of itself what is so, and lies within its storage."""
    if isinstance(x, tuple | list):
        for part in x:
            check_tensor(part)
    if not isinstance(x, tg.Tensor):
        return
    sizes, strides, offset = x.shape, x.stride(), x.storage_offset()
    assert min(sizes, default=0) >= 0 and min(strides, default=0) >= 0 and offset >= 0
    assert x.numel() == math.prod(sizes)
    assert x.nbytes == x.numel() * x.element_size()
    last = sum((size - 1) * stride for size, stride in zip(sizes, strides, strict=True))
    end = offset + last + 1 if x.numel() else offset
    x.detach().as_strided((end,), (1,), 0)  # raises where the storage ends before
