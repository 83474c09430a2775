"""nansum beside NumPy's: every dtype and layout, what is empty, and what is NaN throughout."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tapegrad as tg
from support import ALL, dtype_of

NAN = float("nan")
INF = float("inf")
FLOATS = ("float16", "bfloat16", "float32", "float64")
# The distance between 1 and the next number.
STEP = {"float16": 2.0**-10, "bfloat16": 2.0**-7, "float32": 2.0**-23, "float64": 2.0**-52}


def with_nan(shape: tuple[int, ...], share: float = 0.3, seed: int = 0) -> np.ndarray:
    """Numbers that all floating types hold exactly, of which some are NaN."""
    random = np.random.default_rng(seed)
    values = random.integers(-64, 65, shape) / 8
    return np.where(random.random(shape) < share, NAN, values)


def as_tensor(values: np.ndarray, dtype: str) -> Any:
    return tg.tensor(values.tolist(), dtype=tg.float64).reshape(values.shape).to(dtype_of(dtype))


# Views of a tensor, and the same of an array.
LAYOUTS: dict[str, Callable[[Any], Any]] = {
    "contiguous": lambda x: x,
    "transposed": lambda x: x.swapaxes(0, 2),
    "permuted": lambda x: x.swapaxes(0, 1).swapaxes(1, 2),
    "every second": lambda x: x[:, ::2, 1::2],
    "a column": lambda x: x[..., 1:2],
    "an odd start": lambda x: x[1:, 1:, 1:],
    "a row": lambda x: x[1, 2],
    "an element": lambda x: x[1, 2, 3],
    "a diagonal": lambda x: x.diagonal(0, 0, 1),
    "no row": lambda x: x[:, :0],
    "no column": lambda x: x[:, :, 4:4].swapaxes(0, 2),
}


def dims_of(ndim: int) -> list[Any]:
    return [None, *range(-ndim, ndim), *itertools.combinations(range(ndim), 2), tuple(range(ndim))]


def check(x: Any, values: np.ndarray, dtype: str, dim: Any, keepdim: bool) -> None:
    """Compare with NumPy's sum, which is exact in float64 for these numbers."""
    found = tg.nansum(x, dim, keepdim)
    expected = np.asarray(np.nansum(values, axis=dim, keepdims=keepdim))
    assert tuple(found.shape) == expected.shape
    if dtype not in FLOATS:
        assert found.dtype == tg.int64
        np.testing.assert_array_equal(found.numpy(), expected)
        return
    assert found.dtype == dtype_of(dtype)
    got = found.double().numpy()
    assert not np.isnan(got).any()
    np.testing.assert_allclose(got, expected, rtol=STEP[dtype], atol=0)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [*FLOATS, *(t for t in ALL if t not in FLOATS)])
def test_layouts_and_dtypes(dtype: str, layout: str) -> None:
    given = with_nan((4, 5, 7))
    if dtype not in FLOATS:
        given = np.nan_to_num(given) > 0 if dtype == "bool" else np.abs(np.nan_to_num(given)) // 1
    x = LAYOUTS[layout](as_tensor(given, dtype))
    values = LAYOUTS[layout](given)
    for dim in dims_of(values.ndim):
        for keepdim in (False, True):
            check(x, values, dtype, dim, keepdim)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("size", [0, 1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 64, 100])
def test_lengths(dtype: str, size: int) -> None:
    """A sum along whole vectors and what is left of them, along rows and across."""
    values = with_nan((3, size))
    for dim in (None, 0, 1):
        check(as_tensor(values, dtype), values, dtype, dim, False)
        check(as_tensor(values.T.copy(), dtype).T, values, dtype, dim, False)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("dim", [None, 0, 1])
def test_large(dtype: str, dim: int | None) -> None:
    values = with_nan((1003, 517))
    x = as_tensor(values, dtype)
    check(x, values, dtype, dim, False)
    check(x[:, ::3], values[:, ::3], dtype, dim, False)
    check(x.T, values.T, dtype, dim, False)


@pytest.mark.parametrize("dtype", FLOATS)
def test_expanded(dtype: str) -> None:
    values = np.array([[1.5], [NAN], [-2.0]])
    x = as_tensor(values, dtype).expand(3, 20)
    for dim in (None, 0, 1, (0, 1)):
        check(x, np.broadcast_to(values, (3, 20)), dtype, dim, False)


@pytest.mark.parametrize("dtype", FLOATS)
def test_nothing_but_nan(dtype: str) -> None:
    for shape in ((), (1,), (16,), (3, 17), (2, 0)):
        x = tg.full(shape, NAN, dtype=dtype_of(dtype))
        for dim in dims_of(len(shape)):
            found = tg.nansum(x, dim)
            assert found.double().numpy().tolist() == np.zeros(found.shape).tolist()
    mixed = tg.tensor([[NAN] * 20, [1.0] * 20], dtype=dtype_of(dtype))
    assert tg.nansum(mixed, 1).tolist() == [0, 20]
    assert tg.nansum(mixed, 0).tolist() == [1] * 20


@pytest.mark.parametrize("dtype", FLOATS)
def test_infinities_remain(dtype: str) -> None:
    x = tg.tensor([[INF, NAN, 1], [-INF, 2, NAN], [INF, -INF, NAN]], dtype=dtype_of(dtype))
    np.testing.assert_array_equal(tg.nansum(x, 1).double().numpy(), [INF, -INF, NAN])


def test_type_of_the_result() -> None:
    x = tg.tensor([1.5, NAN, 2.5])
    assert tg.nansum(x, dtype=tg.float64).dtype == tg.float64
    assert tg.nansum(x.half(), dtype=tg.float32).item() == 4
    assert tg.nansum(tg.tensor([1, 2]), dtype=tg.float32).item() == 3


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gradients(dtype: str, layout: str) -> None:
    """That of the sum for numbers, 0 for NaN, and nothing outside of the view."""
    given = with_nan((4, 5, 7))
    leaf = as_tensor(given, dtype).requires_grad_()
    view = LAYOUTS[layout](leaf)
    for dim in dims_of(view.dim()):
        sums = tg.nansum(view, dim, True)
        weights = with_nan(tuple(sums.shape), share=0)
        (grad,) = tg.autograd.grad(sums, leaf, as_tensor(weights, dtype))
        places = LAYOUTS[layout](np.arange(given.size).reshape(given.shape))
        expected = np.zeros(given.size)
        expected[places] = np.where(
            np.isnan(given.reshape(-1)[places]), 0, np.broadcast_to(weights, places.shape)
        )
        np.testing.assert_array_equal(grad.numpy(), expected.reshape(given.shape))
