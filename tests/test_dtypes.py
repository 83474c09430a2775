"""Promotion and conversion of dtypes, from rules that are written out here."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import tapegrad as tg
from op_row import Make
from op_table import rows
from support import ALL, FLOATS, INTS, array, contiguous, dtype_of, raises

LEVELS = {name: 0 if name == "bool" else 1 if name in INTS else 2 for name in ALL}
RANK = {name: k for k, name in enumerate(ALL)}


def common(a: str, b: str) -> str:
    """The smallest dtype that both go into; a float wins over any integer."""
    if {a, b} == {"uint8", "int8"}:
        return "int16"
    return max(a, b, key=RANK.__getitem__)


def promote(*operands: Any) -> str:
    """Tensors with dimensions decide; 0-d tensors and numbers only raise the category."""
    groups: list[list[str]] = [[], [], []]
    for value in operands:
        if isinstance(value, np.ndarray):
            groups[0 if value.ndim else 1].append(value.dtype.name)
        else:
            kinds = {bool: "bool", int: "int64", float: "float32"}
            groups[2].append(kinds[type(value)])
    result = None
    for group in groups:
        for name in group:
            if result is None or group is groups[0] or LEVELS[name] > LEVELS[result]:
                result = name if result is None else common(result, name)
            elif name in group and LEVELS[name] == LEVELS[result] and _same_group(result, group):
                result = common(result, name)
    assert result is not None
    return result


def _same_group(result: str, group: list[str]) -> bool:
    return result in group


SHAPES = [((2,), (2,)), ((2,), ()), ((), (2,)), ((), ())]


@pytest.mark.parametrize("pair", itertools.product(ALL, ALL), ids="-".join)
def test_promotion_of_tensors(pair: tuple) -> None:
    for shapes in SHAPES:
        a, b = (np.ones(s, d) for s, d in zip(shapes, pair, strict=True))
        want = promote(a, b)
        x, y = contiguous(a), contiguous(b)
        assert (x * y).dtype == dtype_of(want), f"{pair} {shapes}"
        assert (x + y).dtype == dtype_of(want)
        assert tg.maximum(x, y).dtype == dtype_of(want)
        assert tg.result_type(x, y) == dtype_of(want)
        assert (x == y).dtype == tg.bool
        assert (x / y).dtype == dtype_of(want if want in FLOATS else "float32")
    assert tg.promote_types(dtype_of(pair[0]), dtype_of(pair[1])) == dtype_of(common(*pair))


@pytest.mark.parametrize("dtype", ALL)
def test_promotion_of_scalars(dtype: str) -> None:
    for shape, scalar in itertools.product(((2,), ()), (True, 2, 2.5)):
        values = np.ones(shape, dtype)
        want = dtype_of(promote(values, scalar))
        x = contiguous(values)
        assert (x * scalar).dtype == want
        assert (scalar * x).dtype == want
        assert (scalar + x).dtype == want
        assert tg.result_type(x, scalar) == want


def test_a_double_scalar_tensor_does_not_widen_a_vector() -> None:
    x = tg.ones(3)
    assert (x * tg.tensor(2.0, dtype=tg.float64)).dtype == tg.float32
    assert (tg.ones(3, dtype=tg.int32) * tg.tensor(2.0, dtype=tg.float64)).dtype == tg.float64
    assert (tg.ones(3, dtype=tg.int32) * tg.tensor(2)).dtype == tg.int32
    assert (tg.tensor(1) * 2.5).dtype == tg.float32


def test_scalars_keep_their_precision() -> None:
    """A Python float meets float64 tensors as a double, never through float32."""
    x = tg.ones(2, dtype=tg.float64)
    assert (x * 0.1)[0].item() == 0.1
    assert (x + 1e-12)[0].item() == 1 + 1e-12
    assert (tg.tensor([2**60]) + 1)[0].item() == 2**60 + 1
    assert (tg.tensor([2**62]) * 1 - 1)[0].item() == 2**62 - 1
    assert (tg.tensor(0.1) == 0.1).item()  # both are rounded to float32


def test_integer_scalars_wrap_around_small_dtypes() -> None:
    assert (tg.tensor([1], dtype=tg.int32) + 3_000_000_000).tolist() == [-1294967295]
    assert (tg.tensor([250], dtype=tg.uint8) + 10).tolist() == [4]
    assert (-tg.tensor([1], dtype=tg.uint8)).tolist() == [255]
    assert (tg.tensor([200], dtype=tg.uint8) * tg.tensor([2], dtype=tg.uint8)).tolist() == [144]


@pytest.mark.parametrize("pair", itertools.product(ALL, ALL), ids="-".join)
def test_conversion(pair: tuple) -> None:
    old, new = pair
    values = np.array([0, 1, 2, 100]).astype(old)
    x = contiguous(values)
    for y in (x.to(dtype_of(new)), x.type(dtype_of(new)), x.to(dtype=dtype_of(new))):
        assert y.dtype == dtype_of(new)
        np.testing.assert_array_equal(array(y), values.astype(new))
    assert (x.to(dtype_of(new)) is x) == (old == new)
    assert x.to(dtype_of(new), copy=True) is not x
    assert x.to(tg.ones(1, dtype=dtype_of(new))).dtype == dtype_of(new)


def test_named_conversions() -> None:
    x = tg.tensor([0.0, 1.7, -2.7])
    assert x.long().tolist() == x.int().tolist() == [0, 1, -2]
    assert x.bool().tolist() == [False, True, True]
    assert (x.double().dtype, x.float().dtype, x.long().dtype) == (tg.float64, tg.float32, tg.int64)
    assert tg.tensor([1.0, float("nan")]).bool().tolist() == [True, True]
    assert tg.tensor([3.9]).byte().dtype == tg.uint8
    assert (x.char().dtype, x.short().dtype) == (tg.int8, tg.int16)
    assert (x.half().dtype, x.bfloat16().dtype) == (tg.float16, tg.bfloat16)
    assert (tg.half, tg.short) == (tg.float16, tg.int16)
    assert x.type() == f"{tg.__name__}.FloatTensor"
    assert tg.ones(1, dtype=tg.int64).type() == f"{tg.__name__}.LongTensor"


def test_type_as() -> None:
    x = tg.tensor([1.7, -1.7])
    assert x.type_as(tg.arange(1)).tolist() == [1, -1]
    assert x.type_as(tg.zeros(1, dtype=tg.float64)).dtype == tg.float64
    assert x.type_as(x) is x


@pytest.mark.parametrize("pair", list(itertools.product(ALL, ALL)), ids="-".join)
def test_can_cast(pair: tuple) -> None:
    old, new = pair
    assert tg.can_cast(dtype_of(old), dtype_of(new)) == (LEVELS[new] >= LEVELS[old])


@pytest.mark.parametrize("dtype", ALL)
def test_kinds_of_dtypes(dtype: str) -> None:
    x = tg.zeros(2, dtype=dtype_of(dtype))
    assert x.is_floating_point() == tg.is_floating_point(x) == (dtype in FLOATS)
    assert not x.is_complex()
    assert not tg.is_complex(x)


def test_conversion_is_differentiable() -> None:
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    (x.double() * tg.tensor([1.5, 2.5], dtype=tg.float64)).sum().backward()
    assert x.grad.dtype == tg.float32
    assert x.grad.tolist() == [1.5, 2.5]
    assert not x.long().requires_grad
    assert not x.bool().requires_grad


@pytest.mark.parametrize("dtype", INTS)
def test_integers_become_floats_in_functions_with_float_results(dtype: str) -> None:
    for op in rows(kinds=["unary"], out="float"):
        if op.out == "float" and dtype in op.dtypes:
            y = op.call(tg, contiguous(Make(dtype)(5, lo=1, hi=1)))
            assert y.dtype == tg.float32, op.name


def test_default_dtype() -> None:
    assert tg.get_default_dtype() == tg.float32
    tg.set_default_dtype(tg.float64)
    try:
        assert tg.tensor(1.0).dtype == tg.float64
        assert tg.ones(2).dtype == tg.float64
        assert (tg.tensor([1]) / 2).dtype == tg.float64
    finally:
        tg.set_default_dtype(tg.float32)
    assert tg.tensor(1.0).dtype == tg.float32


@pytest.mark.parametrize("name", ["add_", "mul_", "sub_", "div_"])
def test_in_place_keeps_the_dtype(name: str) -> None:
    x = tg.ones(2)
    getattr(x, name)(tg.ones(2, dtype=tg.float64))
    assert x.dtype == tg.float32
    i = tg.ones(2, dtype=tg.int64)
    with raises(RuntimeError, "result type Float can't be cast to the desired output type Long"):
        getattr(i, name)(2.5)
    assert i.tolist() == [1, 1]
    b = tg.ones(2, dtype=tg.bool)
    if name in ("add_", "mul_"):
        with raises(RuntimeError, "result type Long can't be cast to the desired output type Bool"):
            getattr(b, name)(2)
