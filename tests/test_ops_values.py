"""Every operator against its NumPy reference: values, dtypes, shapes, layouts, special values."""

from __future__ import annotations

import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tapegrad as tg
from both import both
from op_row import Make, Op, Sample, convert, expected, outputs, prepare
from op_table import BY_NAME, ELSEWHERE, NOT_OPERATORS, TABLE, rows, untested
from support import INTS, LAYOUTS, array, check, contiguous, dtype_of, expanded, tensor, tolerance


def samples(op: Op, dtype: str) -> list[Sample]:
    return list(op.samples(Make(dtype, seed=zlib.crc32(op.name.encode()))))


def compare(op: Op, sample: Sample, dtype: str, got: Any) -> None:
    """Hold the results of a call against the reference."""
    got, want = outputs(got), expected(op, sample)
    assert len(got) == len(want), f"{op.name}({sample})"
    rtol, atol = tolerance(op.out_dtype(dtype), op.tol)
    for one, reference in zip(got, want, strict=True):
        if not isinstance(one, tg.Tensor):  # allclose and equal give a Python bool
            assert one is bool(reference), f"{op.name}({sample})"
            continue
        check(one, reference, rtol, atol, f"{op.name}({sample}) {dtype}")
    if isinstance(got[0], tg.Tensor):
        assert got[0].dtype == dtype_of(op.out_dtype(dtype)), f"{op.name}({sample}): dtype"


def each(kind: str = "dtypes", ops: list[Op] = TABLE) -> Any:
    """Parametrize over operators and their dtypes."""
    cases = [pytest.param(op, d, id=f"{op.name}-{d}") for op in ops for d in getattr(op, kind)]
    return pytest.mark.parametrize(("op", "dtype"), cases)


def bound_operators() -> set[str]:
    others = {name for names in NOT_OPERATORS.values() for name in names.split()}
    return {op["name"] for op in tg._C._operators() if not op["name"].startswith("_")} - others


def test_every_operator_has_a_row() -> None:
    missing = untested(bound_operators())
    assert not missing, f"operators without a row in op_table: {missing}"


def test_rows_and_exceptions_are_of_things_that_exist() -> None:
    names = {*ELSEWHERE, *(n for op in TABLE for n in op.aliases)}
    names |= {n for group in NOT_OPERATORS.values() for n in group.split()}
    places = (tg._C, tg.Tensor, tg.linalg)
    unknown = sorted(
        n for n in names if not any(hasattr(p, n.removeprefix("linalg_")) for p in places)
    )
    assert not unknown, unknown
    assert not set(ELSEWHERE) & set(BY_NAME)
    for name, file in ELSEWHERE.items():
        text = (Path(__file__).parent / file).read_text()
        spelled = name.replace("linalg_", r"linalg\.")
        assert re.search(rf"\.{spelled}\b", text), f"{file} does not test {name}"


@each()
def test_value_dtype_and_shape(op: Op, dtype: str) -> None:
    for sample in samples(op, dtype):
        args, kwargs = prepare(sample, lambda a, _: tensor(a))
        compare(op, sample, dtype, op.call(tg, *args, **kwargs))


@pytest.mark.parametrize("op", [op for op in TABLE if op.method], ids=lambda op: op.name)
def test_method(op: Op) -> None:
    dtype = op.dtypes[-1]
    for sample in samples(op, dtype):
        args, kwargs = prepare(sample, lambda a, _: contiguous(a))
        compare(op, sample, dtype, getattr(args[0], op.method)(*args[1:], **kwargs))


@pytest.mark.parametrize(
    ("op", "alias"),
    [pytest.param(op, alias, id=alias) for op in TABLE for alias in op.aliases],
)
def test_alias(op: Op, alias: str) -> None:
    dtype = op.dtypes[-1]
    for sample in samples(op, dtype):
        args, kwargs = prepare(sample, lambda a, _: contiguous(a))
        compare(op, sample, dtype, getattr(tg, alias)(*args, **kwargs))
        if op.method:
            compare(op, sample, dtype, getattr(args[0], alias)(*args[1:], **kwargs))


@pytest.mark.parametrize("layout", ["strided", "transposed"])
@pytest.mark.parametrize("op", rows(any_layout=True), ids=lambda op: op.name)
def test_memory_layout_does_not_matter(op: Op, layout: str) -> None:
    for dtype in {op.dtypes[0], op.dtypes[-1]}:
        for sample in samples(op, dtype):
            args, kwargs = prepare(sample, lambda a, _: LAYOUTS[layout](a))
            compare(op, sample, dtype, op.call(tg, *args, **kwargs))


def test_view_of_a_layout_without_copy() -> None:
    x = tensor(np.arange(24.0).reshape(2, 3, 4)).permute(1, 0, 2)
    np.testing.assert_array_equal(array(x.view(3, 2, 2, 2)), array(x).reshape(3, 2, 2, 2))


@pytest.mark.parametrize("op", rows(kinds=["binary"]), ids=lambda op: op.name)
def test_expanded_operand(op: Op) -> None:
    make = Make(op.dtypes[-1])
    for shape in ((4, 3), (40, 17)):
        values = make(*shape, lo=0.4, away=(0.0,)), make(*shape, lo=0.4, away=(0.0,))
        spread = np.broadcast_to(values[0][:1], shape)
        for args in ((spread, values[1]), (values[1], spread)):
            tensors = [expanded(a) if a is spread else contiguous(a) for a in args]
            compare(op, Sample(args, {}), op.dtypes[-1], op.call(tg, *tensors))


@each(ops=rows(kinds=["unary", "binary", "nary"]))
def test_every_length_around_a_vector(op: Op, dtype: str) -> None:
    """Lengths with every remainder of a SIMD width, where tails go wrong."""
    make = Make(dtype, 3)
    first = samples(op, dtype)[1]
    rest, kwargs = first.args[1:], first.kwargs
    safe = np.unique(np.concatenate([s.args[0].ravel() for s in samples(op, dtype)]))
    for length in (*range(1, 35), 63, 64, 65, 129, 1023, 4099):
        pick = make.random.integers(0, safe.size, length)
        x = safe[pick]
        more = tuple(a.ravel()[:1] if isinstance(a, np.ndarray) else a for a in rest)
        sample = Sample((x.astype(bool) if op.name == "where" else x, *more), kwargs)
        args, kw = prepare(sample, lambda a, _: contiguous(a))
        compare(op, sample, dtype, op.call(tg, *args, **kw))


@pytest.mark.parametrize("op", rows(kinds=["reduction", "along"]), ids=lambda op: op.name)
def test_reductions_of_every_length(op: Op) -> None:
    dtype = op.dtypes[-1]
    for length in (1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 64, 127, 1025):
        for shape, dim in (((length,), 0), ((3, length), 1), ((length, 3), 0), ((2, length, 5), 1)):
            values = Make(dtype, length).distinct(*shape) % 2.83 + 0.5
            if op.name in ("max", "min", "argmax", "argmin"):
                values = Make(dtype, length).distinct(*shape)
            sample = Sample((values.astype(dtype),), {"dim": dim})
            got = op.call(tg, contiguous(sample.args[0]), dim=dim)
            want = expected(op, sample)[0]
            scale = max(1.0, float(np.nanmax(np.abs(want))) if want.size else 1.0)
            rtol, atol = tolerance(dtype, op.tol * 4)
            check(outputs(got)[0], want, rtol, atol * scale, f"{op.name} {shape} over {dim}")


# ---------------------------------------------------------------- operators of the language

SYMBOLS = [op for op in TABLE if op.symbol]


@pytest.mark.parametrize("op", SYMBOLS, ids=lambda op: op.name)
def test_symbol(op: Op) -> None:
    for dtype in op.dtypes:
        for sample in samples(op, dtype):
            if sample.kwargs:
                continue
            args, _ = prepare(sample, lambda a, _: tensor(a))
            compare(op, sample, dtype, op.symbol(*args))


@pytest.mark.parametrize("swap", [False, True], ids=["tensor-scalar", "scalar-tensor"])
@pytest.mark.parametrize("op", [op for op in SYMBOLS if op.scalars], ids=lambda op: op.name)
def test_symbol_with_python_scalar(op: Op, swap: bool) -> None:
    for dtype in op.dtypes:
        values = Make(dtype)(3, 4, lo=1, hi=3)
        values = np.ones_like(values) if dtype == "bool" and op.kind == "binary" else values
        x = tensor(values)
        for scalar in op.scalars:
            if dtype == "uint8" and (scalar == -1 or (swap and op.name == "sub")):
                continue  # wraps around
            if op.name.startswith("bitwise") and dtype == "bool" and scalar is not True:
                continue
            result = tg_result(dtype, scalar)
            if op.name == "pow" and result == "float32" and dtype in INTS:
                scalar = float(scalar)
            wide = "float64" if result.startswith("float") or op.out == "float" else result
            pair = [values.astype(wide), np.asarray(scalar, wide)]
            got = op.symbol(scalar, x) if swap else op.symbol(x, scalar)
            with np.errstate(all="ignore"):
                want = op.ref(*pair[::-1] if swap else pair)
            rtol, atol = tolerance("float32" if op.out == "float" else result, 4)
            check(got, want, rtol, atol, f"{op.name} {dtype} {scalar!r}")
            assert got.dtype == dtype_of(op.out_dtype(result)), f"{op.name} {dtype} {scalar!r}"


def tg_result(dtype: str, scalar: Any) -> str:
    """A scalar changes the dtype only if its category is higher."""
    if isinstance(scalar, float) and not dtype.startswith("float"):
        return "float32"
    if isinstance(scalar, int) and not isinstance(scalar, bool) and dtype == "bool":
        return "int64"
    return dtype


# ---------------------------------------------------------------- special values

SPECIAL = [
    np.nan,
    np.inf,
    -np.inf,
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    -0.5,
    1.5,
    2.5,
    -2.5,
    1e-30,
    -1e-30,
    80.0,
    -80.0,
]
# relu and clamp may return either zero: IEEE 754 leaves max(0, -0) open.
ODD = (
    "neg",
    "sqrt",
    "floor",
    "ceil",
    "round",
    "trunc",
    "sin",
    "tan",
    "asin",
    "atan",
    "sinh",
    "tanh",
    "erf",
    "expm1",
    "log1p",
    "reciprocal",
    "rsqrt",
    "abs",
    "mul",
    "div",
    "add",
    "sub",
)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "op", rows(kinds=["unary", "binary"], special=True), ids=lambda op: op.name
)
def test_special_values(op: Op, dtype: str) -> None:
    if dtype not in op.dtypes:
        pytest.skip("not for floating dtypes")
    values = np.array(SPECIAL * 3, dtype)  # long enough for whole vectors
    if op.kind == "binary":
        sample = Sample((values[:, None], values[None, :16]), {})
    else:
        sample = Sample((values,), {})
    got = outputs(op.call(tg, *(contiguous(a) for a in sample.args)))[0]
    want = np.asarray(expected(op, sample)[0])
    if want.dtype.kind == "f":
        with np.errstate(over="ignore"):
            want = want.astype(dtype)  # what float64 still holds may overflow float32
    rtol, atol = tolerance(dtype, 4)
    check(got, want, rtol, atol, op.name)
    if op.name in ODD:
        zero = (want == 0) & (array(got) == 0)
        np.testing.assert_array_equal(np.signbit(array(got))[zero], np.signbit(want)[zero])


@pytest.mark.parametrize("place", [0, 5, 16, 40])
@pytest.mark.parametrize(
    "name",
    [
        "max",
        "min",
        "amax",
        "amin",
        "sum",
        "mean",
        "prod",
        "norm",
        "var",
        "softmax",
        "log_softmax",
        "cumsum",
        "logsumexp",
    ],
)
def test_nan_passes_through_reductions(name: str, place: int) -> None:
    x = tg.arange(41, dtype=tg.float32)
    x[place] = float("nan")
    got = outputs(getattr(tg, name)(x, dim=0))
    assert array(tg.isnan(got[0])).any()
    if name in ("max", "min"):
        assert got[1].item() == place
        assert array(tg.isnan(getattr(tg, name)(x))).all()


def test_nan_wins_in_argmax_and_argmin() -> None:
    x = tg.tensor([1.0, float("nan"), 3.0])
    assert x.argmax().item() == 1
    assert x.argmin().item() == 1


def test_infinities_in_stable_reductions() -> None:
    inf = float("inf")
    assert tg.logsumexp(tg.tensor([-inf, -inf]), 0).item() == -inf
    assert tg.logsumexp(tg.tensor([inf, 1.0]), 0).item() == inf
    assert tg.softmax(tg.tensor([1e30, 0.0]), 0).tolist() == [1.0, 0.0]
    assert tg.softmax(tg.tensor([-inf, 0.0]), 0).tolist() == [0.0, 1.0]
    assert tg.log_softmax(tg.tensor([1000.0, 0.0]), 0).tolist() == [0.0, -1000.0]


def test_saturation_without_overflow() -> None:
    big = tg.tensor([-1000.0, 1000.0])
    assert tg.sigmoid(big).tolist() == [0.0, 1.0]
    assert tg.tanh(big).tolist() == [-1.0, 1.0]
    assert tg.nn.functional.softplus(big).tolist() == [0.0, 1000.0]
    assert tg.nn.functional.silu(big).tolist() == [0.0, 1000.0]
    assert tg.nn.functional.gelu(big).tolist() == [0.0, 1000.0]
    loss = tg.nn.functional.binary_cross_entropy_with_logits(
        big, tg.tensor([0.0, 1.0]), reduction="none"
    )
    assert loss.tolist() == [0.0, 0.0]


def test_division_by_zero_follows_ieee() -> None:
    x = tg.tensor([1.0, -1.0, 0.0])
    assert str((x / 0).tolist()) == "[inf, -inf, nan]"
    assert str((tg.tensor([1, -1, 0]) / tg.tensor([0, 0, 0])).tolist()) == "[inf, -inf, nan]"
    assert str((x // 0).tolist()) == "[inf, -inf, nan]"
    assert str((x % 0).tolist()) == "[nan, nan, nan]"


def test_rounding_goes_to_the_even_neighbour() -> None:
    assert tg.round(tg.tensor([0.5, 1.5, 2.5, -0.5, -1.5])).tolist() == [0.0, 2.0, 2.0, -0.0, -2.0]
    assert tg.round(tg.tensor([1.2345, -1.2355]), decimals=2).tolist() == pytest.approx(
        [1.23, -1.24]
    )


def test_integer_division_rounds_down() -> None:
    a, b = tg.tensor([7, -7, 7, -7]), tg.tensor([2, 2, -2, -2])
    assert (a // b).tolist() == [3, -4, -4, 3]
    assert (a % b).tolist() == [1, 1, -1, -1]
    assert (tg.tensor([7.5, -7.5]) // 2).tolist() == [3.0, -4.0]
    assert (tg.tensor([7.5, -7.5]) % 2).tolist() == [1.5, 0.5]
    assert tg.div(tg.tensor([7.0, -7.0]), 2, rounding_mode="trunc").tolist() == [3.0, -3.0]
    assert tg.div(tg.tensor([7.0, -7.0]), 2, rounding_mode="floor").tolist() == [3.0, -4.0]


def test_shifts() -> None:
    x = tg.tensor([1, -8, 8, -8], dtype=tg.int32)
    assert (x << 2).tolist() == [4, -32, 32, -32]
    assert (x >> 2).tolist() == [0, -2, 2, -2]
    assert (1 << tg.tensor([0, 3])).tolist() == [1, 8]
    assert (16 >> tg.tensor([0, 3])).tolist() == [16, 2]
    # No bit is left of what is shifted by more bits than there are; the sign stays.
    places = tg.tensor([31, 32, 33, -1], dtype=tg.int32)
    assert (tg.tensor([1, 1, 1, -1], dtype=tg.int32) << places).tolist() == [-(2**31), 0, 0, 0]
    assert (x >> places).tolist() == [0, -1, 0, -1]


def test_sorting_takes_nan_as_the_largest_and_keeps_the_order_of_equals() -> None:
    x = tg.tensor([3.0, float("nan"), 1.0, 3.0, -float("inf")])
    assert x.argsort().tolist() == [4, 2, 0, 3, 1]
    assert x.argsort(descending=True, stable=True).tolist() == [1, 0, 3, 2, 4]
    values, places = x.sort()
    assert str(values.tolist()) == "[-inf, 1.0, 3.0, 3.0, nan]"
    assert places.dtype == tg.int64
    assert x.topk(2).indices.tolist() == [1, 0]
    assert x.topk(2, largest=False).values.tolist() == [-float("inf"), 1.0]
    many = tg.arange(1000) % 3
    order = np.argsort(array(many), kind="stable")
    np.testing.assert_array_equal(array(many.argsort(stable=True)), order)


def test_sums_of_many_float32_stay_accurate() -> None:
    """A running sum in float32 would stop growing at 2**24."""
    n = 1 << 25
    assert tg.ones(1, dtype=tg.float32).expand(n).sum().item() == n
    assert tg.full((1 << 20,), 0.1).sum().item() == pytest.approx(0.1 * (1 << 20), rel=1e-6)
    x = tg.full((1 << 20,), 1e4) + tg.arange(1 << 20) % 2
    assert x.var().item() == pytest.approx(0.25, rel=1e-3)


def test_norm_of_order_zero_counts() -> None:
    x = tg.tensor([[0.0, 2.0, -1.0], [0.0, 0.0, 0.5]])
    assert x.norm(0).item() == 3.0
    assert x.norm(0, dim=1).tolist() == [2.0, 1.0]
    assert x.norm(-float("inf")).item() == 0.0


@both
def test_rsub_scales_what_it_subtracts(lib: Any) -> None:
    x = lib.tensor([1.0, 2.0], requires_grad=True)
    for got, want in (
        (lib.rsub(x, 10), [9.0, 8.0]),
        (lib.rsub(x, 10, alpha=3), [7.0, 4.0]),
        (lib.rsub(x, lib.tensor([5.0, 5.0]), alpha=0.5), [4.5, 4.0]),
    ):
        assert got.tolist() == want
    assert lib.rsub(lib.arange(3), 1.5).tolist() == [1.5, 0.5, -0.5]
    assert lib.autograd.grad(lib.rsub(x, x.detach(), alpha=3).sum(), x)[0].tolist() == [-3.0, -3.0]
    with pytest.raises(RuntimeError, match="argument alpha must not be a floating point number"):
        lib.rsub(lib.arange(3), 2, alpha=0.5)
    with pytest.raises(RuntimeError, match="with two bool tensors is not supported"):
        lib.rsub(lib.tensor([True]), True)


def test_positional_dims() -> None:
    x = tg.arange(6.0).reshape(2, 3)
    assert x.sum(0).tolist() == [3.0, 5.0, 7.0]
    assert x.sum(0, True).shape == (1, 3)
    assert x.sum((0, 1)).item() == 15.0
    assert x.mean(1).tolist() == [1.0, 4.0]
    assert tg.max(x, 1).indices.tolist() == [2, 2]
    assert x.max(1, keepdim=True).values.tolist() == [[2.0], [5.0]]
    assert x.argmax(1).tolist() == [2, 2]
    assert x.norm(2, 1).tolist() == pytest.approx([5**0.5, 50**0.5])
    values, indices = x.min(0)
    assert (values.tolist(), indices.tolist()) == ([0.0, 1.0, 2.0], [0, 0, 0])
    assert indices.dtype == tg.int64


def test_reductions_into_a_dtype() -> None:
    x = tg.ones(300, dtype=tg.uint8)
    assert x.sum().item() == 300
    assert x.sum(dtype=tg.uint8).item() == 300 % 256
    assert x.mean(dtype=tg.float64).dtype == tg.float64
    assert tg.ones(2, dtype=tg.bool).sum().dtype == tg.int64


def test_call_does_not_write_its_inputs() -> None:
    for op in TABLE:
        dtype = op.dtypes[-1]
        for sample in samples(op, dtype)[:6]:
            given: list = []

            def keep(a: np.ndarray, _: bool, given: list = given) -> Any:
                given.append((contiguous(a), a))
                return given[-1][0]

            args, kwargs = [convert(a, keep) for a in sample.args], sample.kwargs
            kwargs = {k: convert(v, keep) for k, v in kwargs.items()}
            op.call(tg, *args, **kwargs)
            for made, before in given:
                np.testing.assert_array_equal(array(made), before, err_msg=op.name)


@pytest.mark.parametrize("k", [65281, 65282, 65283])
def test_long_inner_dimensions(k: int) -> None:
    # Cut into depths, of which the last is shorter than what the kernel does in one turn.
    product = tg.ones(32, k) @ tg.ones(k, 256)
    assert product.min().item() == product.max().item() == k
