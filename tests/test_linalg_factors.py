"""tapegrad.linalg: singular matrices, flags, layouts, names: what the table does not vary."""

from __future__ import annotations

import contextlib
import itertools
import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import tapegrad as tg
from both import both
from support import FLOATS, array, contiguous, raises, tolerance
from tapegrad.autograd import gradcheck, gradgradcheck

NAN, INF = math.nan, math.inf
SIZES = (*range(1, 21), 31, 32, 33, 63, 64, 65, 100)


def normal(*shape: int, dtype: str = "float64", seed: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def positive(n: int, dtype: str = "float64") -> np.ndarray:
    x = normal(n, n)
    return (x @ x.T / n + np.eye(n)).astype(dtype)


# ---------------------------------------------------------------- every size


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("n", SIZES)
def test_sizes_around_vectors_and_blocks(n: int, dtype: str) -> None:
    """Batches, too, that do not fill the lanes of a vector."""
    rtol, atol = tolerance(dtype, 20 * n)
    for count in (1, 3, 17):
        a = (normal(count, n, n) + 3 * math.sqrt(n) * np.eye(n)).astype(dtype)
        b = normal(count, n, dtype=dtype)
        x, wide = contiguous(a), a.astype(float)
        identity = np.broadcast_to(np.eye(n), a.shape)
        for layout in (x, contiguous(np.swapaxes(a, -1, -2).copy()).mT):
            np.testing.assert_allclose(array(tg.linalg.inv(layout)) @ wide, identity, rtol, atol)
            solved = array(tg.linalg.solve(layout, contiguous(b)))
            np.testing.assert_allclose(wide @ solved[..., None], b[..., None], rtol, atol)
            lu, pivots = tg.linalg.lu_factor(layout)
            p, lower, upper = (array(part).astype(float) for part in tg.lu_unpack(lu, pivots))
            np.testing.assert_allclose(p @ lower @ upper, wide, rtol, atol * 10)
            found = tg.linalg.slogdet(layout)
            np.testing.assert_allclose(
                array(found.logabsdet), np.linalg.slogdet(wide)[1], rtol, atol
            )
        s = np.stack([positive(n)] * count).astype(dtype)
        for upper_too in (False, True):
            factor = array(tg.linalg.cholesky(contiguous(s), upper=upper_too)).astype(float)
            turned = np.swapaxes(factor, -1, -2)
            product = turned @ factor if upper_too else factor @ turned
            np.testing.assert_allclose(product, s, rtol, atol)
            assert not (np.tril(factor, -1) if upper_too else np.triu(factor, 1)).any()


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("n", SIZES)
def test_each_matrix_exchanges_rows_of_its_own(n: int, dtype: str) -> None:
    """Another order of rows in each matrix; every fifth has no inverse and keeps that to itself."""
    rtol, atol = tolerance(dtype, 20 * n)
    count, random = 19, np.random.default_rng(n)
    a = normal(count, n, n, seed=n) / (3 * math.sqrt(n)) + np.eye(n)
    a = np.stack([random.permutation(m) for m in a]).astype(dtype)
    a[::5, :, n // 2] = 0
    wide, regular = a.astype(float), np.arange(count) % 5 != 0
    with np.errstate(divide="ignore"):
        sign, log = np.linalg.slogdet(wide)
    for layout in (contiguous(a), contiguous(np.swapaxes(a, -1, -2).copy()).mT):
        det = array(tg.linalg.det(layout))
        np.testing.assert_allclose(det[regular], (sign * np.exp(log))[regular], rtol, atol)
        assert not det[~regular].any()
        flags = np.where(regular, 0, n // 2 + 1)
        lu, pivots, info = tg.linalg.lu_factor_ex(layout)
        np.testing.assert_array_equal(array(info), flags)
        np.testing.assert_array_equal(array(tg.linalg.inv_ex(layout).info), flags)
        p, lower, upper = (array(part).astype(float) for part in tg.lu_unpack(lu, pivots))
        np.testing.assert_allclose(p @ lower @ upper, wide, rtol, atol * 10)
        assert (np.abs(lower) <= 1).all()
        for columns in (1, 2, 9, 17):
            b = normal(count, n, columns, dtype=dtype)
            x, info = tg.linalg.solve_ex(layout, contiguous(b))
            np.testing.assert_array_equal(array(info), flags)
            product = wide[regular] @ array(x)[regular].astype(float)
            np.testing.assert_allclose(product, b[regular], rtol, atol)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("n", SIZES)
def test_each_matrix_fails_alone(n: int, dtype: str) -> None:
    """The leading minor that is not positive, of some matrices in a batch."""
    s = np.stack([positive(n)] * 19).astype(dtype)
    bad = np.arange(19) % 4 == 1
    s[bad, n // 2, n // 2] = -1
    factors, info = tg.linalg.cholesky_ex(contiguous(s))
    np.testing.assert_array_equal(array(info), np.where(bad, n // 2 + 1, 0))
    rtol, atol = tolerance(dtype, 20 * n)
    lower = array(factors)[~bad].astype(float)
    np.testing.assert_allclose(lower @ np.swapaxes(lower, -1, -2), s[~bad], rtol, atol)


def test_one_triangle_is_read() -> None:
    for n in (2, 8, 9, 33, 70):
        a = positive(n)
        low, high = np.tril(a), np.triu(a)
        low[np.triu_indices(n, 1)] = NAN
        high[np.tril_indices(n, -1)] = NAN
        want = np.linalg.cholesky(a)
        np.testing.assert_allclose(array(tg.linalg.cholesky(contiguous(low))), want, 1e-10, 1e-10)
        np.testing.assert_allclose(
            array(tg.linalg.cholesky(contiguous(high), upper=True)), want.T, 1e-10, 1e-10
        )
        values = np.linalg.eigvalsh(a)
        np.testing.assert_allclose(array(tg.linalg.eigvalsh(contiguous(low))), values, 1e-9)
        np.testing.assert_allclose(
            array(tg.linalg.eigvalsh(contiguous(high), UPLO="U")), values, 1e-9
        )
        x = tg.linalg.solve_triangular(
            contiguous(low), tg.ones(n, 1, dtype=tg.float64), upper=False
        )
        np.testing.assert_allclose(np.tril(a) @ array(x), np.ones((n, 1)), 1e-8)


# ---------------------------------------------------------------- matrices that have none


def test_its_own_exception() -> None:
    assert issubclass(tg.linalg.LinAlgError, RuntimeError)
    assert tg.linalg.LinAlgError.__module__ == "tapegrad.linalg"
    for call in (
        lambda: tg.linalg.inv(tg.zeros(2, 2)),
        lambda: tg.linalg.solve(tg.zeros(70, 70), tg.ones(70)),
        lambda: tg.linalg.cholesky(-tg.eye(20)),
        lambda: tg.linalg.cholesky(-tg.eye(80)),
        lambda: tg.cholesky_inverse(tg.zeros(2, 2)),
        lambda: tg.linalg.svd(tg.full((2, 2), NAN)),
        lambda: tg.linalg.eigh(tg.full((2, 2), INF)),
        lambda: tg.linalg.matrix_power(tg.zeros(2, 2), -1),
    ):
        with pytest.raises(tg.linalg.LinAlgError):
            call()


@both
def test_flags(lib: Any) -> None:
    a = lib.stack([lib.eye(3), lib.zeros(3, 3), lib.tensor([[1.0, 1, 0], [1, 1, 0], [0, 0, 1]])])
    assert lib.linalg.inv_ex(a).info.tolist()[:2] == [0, 1]
    assert lib.linalg.lu_factor_ex(a).info.tolist() == [0, 1, 2]
    assert lib.linalg.solve_ex(a, lib.ones(3)).info.tolist()[:2] == [0, 1]
    b = lib.stack([lib.eye(3), lib.diag(lib.tensor([1.0, -1.0, 1.0])), -lib.eye(3)])
    assert lib.linalg.cholesky_ex(b).info.tolist() == [0, 2, 1]
    assert lib.linalg.inv_ex(lib.ones(0, 0)).info.item() == 0


@pytest.mark.parametrize("n", [2, 4, 9, 40, 64, 65, 90])
def test_not_a_number_is_not_lost(n: int) -> None:
    for place in (0, n // 2, n - 1):
        matrix = tg.eye(n, dtype=tg.float64)
        matrix[place, place] = math.nan
        assert tg.linalg.det(matrix).isnan() and tg.linalg.slogdet(matrix)[1].isnan()
        assert tg.linalg.cholesky_ex(matrix).info == place + 1
        with pytest.raises(tg.linalg.LinAlgError):
            tg.linalg.cholesky(matrix)
        for found in (tg.linalg.inv(matrix), tg.linalg.solve(matrix, tg.ones(n).double())):
            assert found[place].isnan().any()
    assert tg.linalg.matrix_exp(tg.full((n, n), math.inf)).isnan().all()


@both
@pytest.mark.parametrize("n", [8, 9, 20, 64])
def test_not_a_number_spreads_as_it_does_in_lapack(lib: Any, n: int) -> None:
    values = normal(n, n)
    values[0, 0] = 9  # the first row is not exchanged
    values[1, 1] = NAN
    factors, pivots, _ = lib.linalg.lu_factor_ex(lib.from_numpy(values))
    assert pivots[1] == 2
    lost = np.isnan(factors.numpy())
    assert not lost[:, 0].any() and not lost[0].any() and lost[1].sum() == 1
    assert lost[2:, 1:].all()


def test_not_a_number_does_not_hang() -> None:
    for n, value in itertools.product((1, 3, 12, 70), (NAN, INF, -INF)):
        a = tg.eye(n)
        a[0, 0] = value
        b = tg.ones(n)
        (
            tg.linalg.inv_ex(a),
            tg.linalg.solve_ex(a, b),
            tg.linalg.lu_factor_ex(a),
            tg.linalg.cholesky_ex(a),
        )
        tg.linalg.det(a), tg.linalg.slogdet(a), tg.linalg.qr(a), tg.linalg.matrix_exp(a)
        tg.linalg.solve_triangular(a, tg.ones(n, 1), upper=True)
        for call in (
            tg.linalg.svd,
            tg.linalg.svdvals,
            tg.linalg.eigh,
            tg.linalg.pinv,
            tg.linalg.cond,
        ):
            with contextlib.suppress(tg.linalg.LinAlgError):
                call(a)
        for driver in ("gels", "gelsy", "gelsd", "gelss"):
            with pytest.raises(tg.linalg.LinAlgError, match="non-finite"):
                tg.linalg.lstsq(a, b, driver=driver)


def test_no_elements() -> None:
    for shape in ((0, 0), (3, 0, 0), (0, 3, 3), (0, 70, 70)):
        a = tg.zeros(shape)
        n = shape[-1]
        assert tg.linalg.inv(a).shape == shape
        assert tg.linalg.cholesky(a).shape == shape
        assert tg.linalg.det(a).tolist() == [1.0] * 3 if shape == (3, 0, 0) else True
        assert tg.linalg.solve(a, tg.zeros(*shape[:-1], 2)).shape == (*shape[:-1], 2)
        assert tg.linalg.eigh(a).eigenvectors.shape == shape
        assert tg.linalg.svd(a).U.shape == shape
        assert tg.linalg.qr(a).R.shape == shape
        assert tg.linalg.matrix_exp(a).shape == shape
        assert tg.linalg.lu_factor(a).pivots.shape == (*shape[:-2], n)
        assert tg.linalg.pinv(a).shape == shape
        assert tg.linalg.matrix_rank(a).shape == shape[:-2]


# ---------------------------------------------------------------- derivatives


def polynomial(x: Any) -> Any:
    """The determinant as the sum over all permutations."""
    n = x.shape[0]
    total = x.new_zeros(())
    for order in itertools.permutations(range(n)):
        sign = (-1) ** sum(a > b for a, b in itertools.combinations(order, 2))
        total = total + sign * tg.stack([x[i, j] for i, j in enumerate(order)]).prod()
    return total


@pytest.mark.parametrize("rank", [0, 1, 2, 3, 4])
def test_slopes_of_determinants_of_singular_matrices(rank: int) -> None:
    """Integers, so that the determinant is zero to the last bit."""
    a = np.zeros((4, 4))
    a[:rank] = np.array([[1, 2, 0, 1], [0, 1, 1, 3], [2, 0, 1, 1], [1, 0, 0, 2]])[:rank]

    def derivatives(f: Any) -> list[np.ndarray]:
        x = contiguous(a).requires_grad_()
        found = [f(x)]
        for _ in range(3):
            (g,) = tg.autograd.grad((found[-1] * found[-1] + found[-1]).sum(), x, create_graph=True)
            found.append(g)
        return [array(g) for g in found]

    for got, want in zip(derivatives(tg.linalg.det), derivatives(polynomial), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-8, atol=1e-8 * np.abs(want).max() + 1e-12)
    x = contiguous(a).requires_grad_()
    (g,) = tg.autograd.grad(tg.linalg.det(x), x)  # not to be differentiated: in another way
    (want,) = tg.autograd.grad(polynomial(x), x)
    np.testing.assert_allclose(array(g), array(want), atol=1e-12)


def test_slopes_of_vectors_of_equal_values() -> None:
    """Gradients of values are finite; those of their vectors are not."""
    for name, values in (("svd", "S"), ("eigh", "eigenvalues")):
        x = tg.eye(3, dtype=tg.float64).requires_grad_()
        found = getattr(tg.linalg, name)(x)
        (g,) = tg.autograd.grad(getattr(found, values).sum(), x, retain_graph=True)
        np.testing.assert_allclose(array(g), np.eye(3), atol=1e-12)
        (g,) = tg.autograd.grad((found[0] if name == "svd" else found[1])[0].sum(), x)
        assert not np.isfinite(array(g)).all()


def test_derivatives_that_pytorch_does_not_have() -> None:
    x = contiguous(normal(4)).requires_grad_()
    for increasing in (False, True):
        assert gradcheck(lambda v, i=increasing: tg.vander(v, N=5, increasing=i), (x,))
        assert gradgradcheck(lambda v, i=increasing: tg.vander(v, N=4, increasing=i), (x,))
    a = contiguous(normal(2, 3, 3) + 3 * np.eye(3)).requires_grad_()
    for order in (1, -1, INF, -INF, "fro", "nuc"):
        assert gradcheck(lambda v, p=order: tg.linalg.cond(v, p), (a,))
        assert gradgradcheck(lambda v, p=order: tg.linalg.cond(v, p), (a,), atol=1e-3, rtol=1e-3)
    v, tau = contiguous(normal(4, 3)).requires_grad_(), contiguous(normal(3)).requires_grad_()
    assert gradgradcheck(tg.linalg.householder_product, (v, tau))


def test_third_derivatives() -> None:
    a = contiguous(positive(3)).requires_grad_()

    def twice(f: Any) -> Any:
        def second(x: Any) -> Any:
            (g,) = tg.autograd.grad(f(x), x, create_graph=True)
            return tg.autograd.grad((g * g).sum(), x, create_graph=True)[0]

        return second

    for f in (
        lambda x: tg.linalg.inv(x)[0, 1],
        lambda x: tg.linalg.cholesky(x + x.T)[2, 1],
        lambda x: tg.linalg.eigh(x + x.T).eigenvectors[0, 2] ** 2,
        lambda x: tg.linalg.svd(x).U[0, 2] ** 2,
        lambda x: tg.linalg.qr(x).R[0, 2],
        lambda x: tg.linalg.matrix_exp(x / 4)[0, 1],
        lambda x: tg.linalg.slogdet(x).logabsdet,
        lambda x: tg.linalg.solve(x, tg.ones(3, dtype=tg.float64))[0],
    ):
        assert gradcheck(twice(f), (a,), atol=1e-3, rtol=1e-3)


def test_what_cannot_be_differentiated() -> None:
    x = contiguous(normal(4, 2)).requires_grad_()
    with raises(
        RuntimeError,
        "The derivative of linalg.qr depends on Q, which is not computed when mode='r'.",
    ):
        tg.linalg.qr(x, mode="r").R.sum().backward()
    with raises(
        RuntimeError,
        "The QR decomposition is not differentiable when mode='complete' and nrows > ncols",
    ):
        tg.linalg.qr(x, mode="complete").R.sum().backward()
    with raises(NotImplementedError, "the derivative for 'geqrf' is not implemented."):
        tg.geqrf(x).a.sum().backward()


# ---------------------------------------------------------------- least squares


@both
def test_least_squares_gives_what_the_driver_has(lib: Any) -> None:
    a = lib.tensor([[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]])
    b = lib.tensor([[1.0, 2.0], [2.0, 2.0], [3.0, 4.0]])
    for driver in ("gels", "gelsy", "gelsd", "gelss"):
        found = lib.linalg.lstsq(a, b, driver=driver)
        np.testing.assert_allclose(array(found.solution), [[1, 2], [1, 1]], atol=1e-6)
        residuals = [] if driver == "gelsy" else [9.0, 16.0]
        np.testing.assert_allclose(array(found.residuals), residuals, rtol=1e-6)
        assert found.rank.tolist() == ([] if driver == "gels" else 2)
        values = [2.0, 1.0] if driver in ("gelsd", "gelss") else []
        np.testing.assert_allclose(array(found.singular_values), values, rtol=1e-6)
    assert lib.linalg.lstsq(a, b[:, 0]).solution.shape == (2,)
    assert lib.linalg.lstsq(lib.ones(3, 2), b, rcond=0.1).rank.item() == 1


def test_gradients_of_residuals() -> None:
    a, b = contiguous(normal(2, 4, 2)), contiguous(normal(2, 4, 3))
    inputs = (a.requires_grad_(), b.requires_grad_())
    assert gradcheck(lambda x, y: tg.linalg.lstsq(x, y, driver="gelsd").residuals, inputs)
    assert gradgradcheck(lambda x, y: tg.linalg.lstsq(x, y, driver="gels").residuals, inputs)


# ---------------------------------------------------------------- names, layouts, out=


@both
def test_names_of_results(lib: Any) -> None:
    x = lib.eye(2)
    names: dict[str, tuple[str, ...]] = {
        "inv_ex": ("inverse", "info"),
        "slogdet": ("sign", "logabsdet"),
        "cholesky_ex": ("L", "info"),
        "lu": ("P", "L", "U"),
        "lu_factor": ("LU", "pivots"),
        "lu_factor_ex": ("LU", "pivots", "info"),
        "qr": ("Q", "R"),
        "svd": ("U", "S", "Vh"),
        "eigh": ("eigenvalues", "eigenvectors"),
    }
    for function, parts in names.items():
        found = getattr(lib.linalg, function)(x)
        assert isinstance(found, tuple)
        assert len(found) == len(parts)
        for part, value in zip(parts, found, strict=True):
            assert getattr(found, part) is value
        assert str(found).startswith(f"{lib.__name__}.return_types.linalg_{function}(\n{parts[0]}=")


@both
def test_out(lib: Any) -> None:
    x = lib.tensor([[2.0, 0.0], [0.0, 4.0]])
    out = lib.empty(0)
    assert lib.linalg.inv(x, out=out) is out
    assert out.tolist() == [[0.5, 0.0], [0.0, 0.25]]
    parts = lib.empty(0), lib.empty(0)
    q, r = lib.linalg.qr(x, out=parts)
    assert q is parts[0]
    assert r is parts[1]
    three = tuple(lib.empty(0) for _ in range(3))
    assert lib.linalg.svd(x, out=three).S is three[1]
    assert three[1].tolist() == [4.0, 2.0]
    assert lib.linalg.solve(x, lib.ones(2), out=out).tolist() == [0.5, 0.25]


def test_eigenvalues_that_are_complex() -> None:
    for name in ("eig", "eigvals"):
        with raises(NotImplementedError, f"linalg.{name}: eigenvalues are complex numbers"):
            getattr(tg.linalg, name)(tg.eye(2))


def test_threads_do_not_change_bits() -> None:
    threads = tg.get_num_threads()
    try:
        for n in (4, 20, 70):
            a = contiguous(normal(60, n, n, dtype="float32") + 3 * np.eye(n, dtype="float32"))
            s = contiguous(np.stack([positive(n, "float32")] * 60))
            found = []
            for count in (1, 2, 5):
                tg.set_num_threads(count)
                found.append([
                    tg.linalg.inv(a), tg.linalg.det(a), tg.linalg.cholesky(s), *tg.linalg.qr(a),
                    *tg.linalg.svd(a), *tg.linalg.eigh(s), tg.linalg.matrix_exp(a / n),
                    tg.linalg.solve(a, a[..., 0]), tg.linalg.lstsq(a, a).solution,
                ])  # fmt: skip
            for other in found[1:]:
                for one, two in zip(found[0], other, strict=True):
                    assert one.equal(two)
    finally:
        tg.set_num_threads(threads)


def test_exponential_of_large_and_tiny_matrices() -> None:
    a = np.stack(
        [np.zeros((3, 3)), 1e-9 * normal(3, 3), normal(3, 3), 30 * np.triu(normal(3, 3), 1)]
    )
    found = array(tg.linalg.matrix_exp(contiguous(a)))
    for x, y in zip(a, found, strict=True):
        np.testing.assert_allclose(array(tg.linalg.matrix_exp(contiguous(x))), y, 1e-12, 1e-13)
    np.testing.assert_array_equal(found[0], np.eye(3))
    strict = a[3]
    np.testing.assert_allclose(
        found[3], np.eye(3) + strict + strict @ strict / 2, rtol=1e-11, atol=1e-11
    )


# ---------------------------------------------------------------- einsum


@both
def test_equation_in_lists(lib: Any) -> None:
    a, b = lib.ones(2, 3), lib.ones(3, 4)
    assert lib.einsum(a, [0, 1], b, [1, 2], [2, 0]).shape == (4, 2)
    assert lib.einsum(a, [0, 1], b, [1, 2]).shape == (2, 4)
    assert lib.einsum(a, [..., 1], [...]).tolist() == [3.0, 3.0]
    assert lib.einsum("ij,jk", [a, b]).shape == (2, 4)
    with pytest.raises(ValueError, match="not within the valid range"):
        lib.einsum(a, [0, 60])
    with pytest.raises(ValueError, match="must specify the equation string"):
        lib.einsum()
    with pytest.raises(
        TypeError, match="argument 'equation' \\(position 1\\) must be str, not int"
    ):
        lib.einsum(3, a)


def test_list_that_changes_while_it_is_read() -> None:
    class Clears:
        def __index__(self) -> int:
            subscripts.clear()
            return 1

    subscripts: list = [0, Clears(), *range(2, 30)]
    with pytest.raises(RuntimeError, match="number of subscripts"):
        tg.einsum(tg.ones(2, 3), subscripts)
    assert not subscripts

    operands: list = []

    class ClearsOperands:
        def __index__(self) -> int:
            operands.clear()
            return 1

    operands += [tg.ones(2, 3), [0, ClearsOperands()], tg.ones(3), [1]]
    assert tg.einsum(*operands).shape == (2,)


@both
def test_integers_wrap_where_their_result_does(lib: Any) -> None:
    small = lib.full((100, 100), 100, dtype=lib.uint8)
    for equation in ("ij,k->k", "ij,k->ki", "ij,jk->i", "ij,->", "ij->", "ij->j"):
        others = {"k": lib.ones(2, dtype=lib.uint8), "jk": lib.ones(100, 1, dtype=lib.uint8)}
        others[""] = lib.ones((), dtype=lib.uint8)
        terms = equation.split("->")[0].split(",")
        operands = [small, *(others[t] for t in terms[1:])]
        wide = lib.einsum(equation, *(x.long() for x in operands))
        found = lib.einsum(equation, *operands)
        assert found.long().remainder(256).equal(wide.remainder(256)), equation


def test_plans_that_are_used_while_others_replace_them() -> None:
    """A hook, or another thread, plans so many equations that all that is kept is given up."""
    letters = "abcdefgh"

    def plan_many(_: Any = None) -> None:
        for k in range(600):
            sizes = np.random.default_rng(k).integers(1, 4, 3).tolist()
            order = "".join(np.random.default_rng(k).permutation(list(letters[:3])))
            tg.einsum(f"{letters[:3]}->{order}", tg.ones(sizes))

    x = tg.ones(2, 3, requires_grad=True)
    with tg.autograd.graph.saved_tensors_hooks(lambda t: (plan_many(), t)[1], lambda t: t):
        tg.einsum("ij,jk,kl->il", x, tg.ones(3, 4), tg.ones(4, 2)).sum().backward()
    assert x.grad.tolist() == [[8.0] * 3] * 2
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: plan_many(), range(8)))


def test_sizes_of_one_broadcast() -> None:
    shapes = ((2, 3), (1, 3), (2, 1), (1, 1))
    for equation in ("ij,ij->ij", "ij,ij->i", "ij,ij->", "ij,ij->j"):
        for left, right in itertools.product(shapes, shapes):
            a, b = normal(*left), normal(*right, seed=4)
            wide = [np.broadcast_to(x, np.broadcast_shapes(left, right)) for x in (a, b)]
            want = np.einsum(equation, *wide)
            for _ in range(2):  # the second time from what is kept
                np.testing.assert_allclose(
                    array(tg.einsum(equation, contiguous(a), contiguous(b))), want, atol=1e-12
                )


def test_random_equations() -> None:
    """Two to nine operands, in orders that are found in both ways."""
    random = np.random.default_rng(8)
    sizes = dict(zip("abcdefg", (2, 3, 1, 2, 3, 2, 2), strict=True))
    for trial in range(150):
        terms = [
            "".join(random.choice(list(sizes), random.integers(0, 4), replace=trial % 3 == 0))
            for _ in range(random.integers(2, 10 if trial % 10 == 0 else 5))
        ]
        seen = sorted(set("".join(terms)))
        output = "".join(random.permutation(seen)[: random.integers(0, len(seen) + 1)])
        equation = ",".join(terms) + "->" + output
        arrays = [random.standard_normal([sizes[c] for c in term]) for term in terms]
        found = tg.einsum(equation, *(contiguous(np.asarray(x)) for x in arrays))
        np.testing.assert_allclose(
            array(found), np.einsum(equation, *arrays), rtol=1e-9, atol=1e-9, err_msg=equation
        )


def test_the_cheapest_order() -> None:
    """A product of matrices that would take minutes from left to right."""
    a, b, v = tg.ones(1000, 1000), tg.ones(1000, 1000), tg.ones(1000)
    assert tg.einsum("ij,jk,kl,lm,m->i", a, b, a, b, v)[0].item() == pytest.approx(1e12)
