"""tapegrad.linalg: norms of vectors and matrices, singular values and their derivatives."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

import tapegrad as tg
from both import both
from support import FLOATS, array, contiguous, raises, tolerance
from tapegrad.autograd import gradcheck, gradgradcheck

INF = math.inf
ORDERS = (1, -1, 2, -2, INF, -INF, "fro", "nuc")
SHAPES = ((3, 3), (4, 2), (2, 5), (1, 3), (1, 1))


def normal(*shape: int, dtype: str = "float64") -> np.ndarray:
    return np.random.default_rng(7).standard_normal(shape).astype(dtype)


@both
def test_the_order_of_a_matrix_is_that_of_a_matrix(lib: Any) -> None:
    x = lib.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    want = {1: 9.0, -1: 5.0, INF: 15.0, -INF: 6.0, 2: 9.508032, -2: 0.7728696, "fro": 91**0.5}
    for order, value in want.items():
        assert lib.linalg.norm(x, order).item() == pytest.approx(value, rel=1e-6)
    assert lib.linalg.norm(x, "nuc").item() == pytest.approx(10.280902, rel=1e-6)
    assert lib.linalg.norm(x).item() == pytest.approx(91**0.5)
    assert lib.linalg.norm(x, 1, dim=1).tolist() == [6.0, 15.0]
    assert lib.linalg.norm(x[0], 1).item() == 6.0
    assert lib.linalg.vector_norm(x, 1).item() == 21.0
    assert lib.norm(x, 1).item() == 21.0
    assert lib.norm(x, "nuc").item() == lib.linalg.norm(x, "nuc").item()
    assert lib.norm(x[None], "nuc", (-1, 0), True).tolist() == [
        [[pytest.approx(14**0.5)], [pytest.approx(77**0.5)]]
    ]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("order", ORDERS)
def test_values(order: Any, dtype: str) -> None:
    rtol, atol = tolerance(dtype, 4)
    for shape in SHAPES:
        x = normal(*shape, dtype=dtype)
        got = tg.linalg.norm(contiguous(x), order).item()
        assert got == pytest.approx(np.linalg.norm(x.astype(float), order), rel=rtol, abs=atol)
    batch = normal(2, 3, 4, dtype=dtype)
    for dims in itertools.permutations(range(-3, 3), 2):
        if (dims[0] - dims[1]) % 3 == 0:
            continue
        for keepdim in (False, True):
            want = np.linalg.norm(batch.astype(float), order, dims, keepdim)
            for layout in (batch, np.asfortranarray(batch)):
                x = tg.from_numpy(layout)
                got = tg.linalg.matrix_norm(x, order, dims, keepdim)
                assert tuple(got.shape) == want.shape
                np.testing.assert_allclose(array(got), want, rtol, atol)
                assert tg.linalg.norm(x, order, dims, keepdim).equal(got)


@pytest.mark.parametrize("dtype", FLOATS)
def test_singular_values(dtype: str) -> None:
    rtol, atol = tolerance(dtype, 10)
    for shape in (*SHAPES, (30, 20), (20, 30), (2, 3, 4), (3, 0), (0, 2, 2)):
        x = normal(*shape, dtype=dtype)
        got = tg.linalg.svdvals(contiguous(x))
        want = np.linalg.svd(x.astype(float), compute_uv=False)
        assert tuple(got.shape) == want.shape
        np.testing.assert_allclose(array(got), want, rtol, atol)
    low_rank = np.outer(np.arange(1.0, 6.0), np.arange(3.0)).astype(dtype)
    values = array(tg.linalg.svdvals(contiguous(low_rank)))
    np.testing.assert_allclose(values, [275**0.5, 0, 0], rtol, atol * 10)
    assert not array(tg.linalg.svdvals(tg.zeros(2, 3))).any()


@pytest.mark.parametrize("shape", SHAPES[:3])
@pytest.mark.parametrize("order", ORDERS)
def test_derivatives(order: Any, shape: tuple[int, int]) -> None:
    def norm(x: Any) -> Any:
        return tg.linalg.norm(x, order)

    def second(x: Any) -> Any:
        (g,) = tg.autograd.grad(norm(x), x, create_graph=True)
        weighted = (g * contiguous(normal(*shape)[::-1].copy())).sum()
        if not weighted.requires_grad:  # the first derivatives are constants
            return x.sum() * 0
        (h,) = tg.autograd.grad(weighted, x, create_graph=True)
        return (h * contiguous(normal(*shape) + 1)).sum()

    x = contiguous(normal(*shape)).requires_grad_()
    assert gradcheck(norm, (x,))
    assert gradgradcheck(norm, (x,))
    assert gradcheck(second, (x,))


def test_derivatives_of_singular_values() -> None:
    for shape in (*SHAPES, (2, 3, 2)):
        x = contiguous(normal(*shape)).requires_grad_()
        assert gradcheck(tg.linalg.svdvals, (x,))
        assert gradgradcheck(tg.linalg.svdvals, (x,))


def test_slopes_of_singular_values_of_zero_are_zero() -> None:
    for values in ([[0.0, 0.0], [0.0, 0.0]], [[2.0, 0.0], [0.0, 0.0]], [[0.0, 0.0, 3.0]] * 2):
        x = tg.tensor(values, dtype=tg.float64, requires_grad=True)
        (g,) = tg.autograd.grad(tg.linalg.norm(x, "nuc"), x)
        norm = np.linalg.norm(values)
        np.testing.assert_allclose(array(g), np.array(values) / (norm or 1), atol=1e-12)


@both
def test_what_has_no_elements(lib: Any) -> None:
    for shape in ((0, 3), (3, 0), (0, 0)):
        x = lib.zeros(shape)
        for order in (None, 1, 2, INF, "fro", "nuc"):
            assert lib.linalg.norm(x, order).item() == 0.0
        with pytest.raises(IndexError, match="to have non-zero size"):
            lib.linalg.norm(x, -2)


@both
def test_nuclear_norm_of_batches(lib: Any) -> None:
    x = lib.ones(2, 3, 4)
    assert lib.nuclear_norm(x).shape == (2,)
    assert lib.nuclear_norm(x, True).shape == (2, 1, 1)


@both
def test_infinities_and_nan(lib: Any) -> None:
    x = lib.tensor([[INF, 1.0], [2.0, 3.0]])
    assert [lib.linalg.norm(x, p).item() for p in (1, INF, "fro")] == [INF] * 3
    assert math.isnan(lib.linalg.norm(x, 2).item())
    x[0, 0] = math.nan
    assert math.isnan(lib.linalg.norm(x, 1).item())
    with pytest.raises(RuntimeError, match="the input matrix contained non-finite values"):
        lib.linalg.norm(x, 2)


@both
def test_dtypes(lib: Any) -> None:
    x = lib.tensor([[1.0, 2.0], [3.0, 4.0]])
    for f in (lib.linalg.norm, lib.linalg.matrix_norm, lib.linalg.vector_norm):
        assert f(x, 1, dtype=lib.float64).dtype == lib.float64
        with pytest.raises(RuntimeError, match=r"\(Double\) should be convertible without narrow"):
            f(x.double(), 1, dtype=lib.float32)
        with pytest.raises(RuntimeError, match="dtype should be floating point or complex, but"):
            f(x, 1, dtype=lib.int64)
        with pytest.raises(RuntimeError, match=r"as input\. Got Long"):
            f(x.long(), 1)
    with pytest.raises(RuntimeError, match=r"as input\. Got Int"):
        lib.linalg.svdvals(x.int())


MATRIX = "linalg.matrix_norm: "
ONE_OR_TWO = "linalg.norm: If dim is specified, it must be of length 1 or 2. Got "
WRONG: list[tuple[Any, type[Exception], str]] = [
    (lambda t, x: t.linalg.norm(x, 3), RuntimeError, MATRIX + "Order 3 not supported."),
    (lambda t, x: t.linalg.norm(x, "abc"), RuntimeError, MATRIX + "Order abc not supported."),
    (lambda t, x: t.linalg.norm(x, "abc", 1), RuntimeError, MATRIX + "Order abc not supported."),
    (lambda t, x: t.linalg.norm(x, 0, (0, 2)), RuntimeError, MATRIX + "Order 0 not supported."),
    (lambda t, x: t.linalg.norm(x, "fro", 1), RuntimeError,
     MATRIX + "dim must be a 2-tuple. Got 1"),
    (lambda t, x: t.linalg.norm(x, 1, (0, 0)), RuntimeError,
     MATRIX + "dims must be different. Got (0, 0)"),
    (lambda t, x: t.linalg.norm(x, 1, (0, 2)), IndexError,
     "Dimension out of range (expected to be in range of [-2, 1], but got 2)"),
    (lambda t, x: t.linalg.norm(x, 1, (0, 1, 0)), RuntimeError, ONE_OR_TWO + "[0, 1, 0]"),
    (lambda t, x: t.linalg.norm(x, dim=()), RuntimeError, ONE_OR_TWO + "[]"),
    (lambda t, x: t.linalg.norm(x[None], 1), RuntimeError,
     "linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got 3D."),
    (lambda t, x: t.linalg.matrix_norm(x[0]), RuntimeError,
     MATRIX + "The input tensor A must have at least 2 dimensions."),
    (lambda t, x: t.linalg.vector_norm(x, "fro"), TypeError,
     "linalg_vector_norm(): argument 'ord' (position 2) must be Number, not str"),
    (lambda t, x: t.norm(x, "nuc", 1), RuntimeError, MATRIX + "dim must be a 2-tuple. Got 1"),
    (lambda t, x: t.norm(x[None], "nuc"), RuntimeError,
     MATRIX + "dim must be a 2-tuple. Got 0 1 2"),
    (lambda t, x: t.norm(x[0], "nuc"), RuntimeError,
     MATRIX + "The input tensor A must have at least 2 dimensions."),
    (lambda t, x: t.norm(x, "nuc", (0, 0)), RuntimeError,
     MATRIX + "dims must be different. Got (0, 0)"),
    (lambda t, x: t.norm(x, "abc"), RuntimeError, MATRIX + "Order abc not supported."),
    (lambda t, x: t.linalg.svdvals(x[0]), RuntimeError,
     "linalg.svd: The input tensor A must have at least 2 dimensions."),
]  # fmt: skip


@both
@pytest.mark.parametrize(
    ("call", "kind", "start"), WRONG, ids=lambda v: v[:40] if isinstance(v, str) else None
)
def test_mistakes(lib: Any, call: Any, kind: type[Exception], start: str) -> None:
    with raises(kind, start, lib):
        call(lib, lib.ones(2, 3))
