"""The array API namespace beside array-api-strict, on random arguments of every dtype."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tapegrad as tg
from support import raises

strict = pytest.importorskip("array_api_strict", reason="needs `pip install array-api-strict`")
xp = tg.array_api

INTEGERS = ("int8", "int16", "int32", "int64", "uint8")
FLOATS = ("float32", "float64")
NUMERIC = INTEGERS + FLOATS
ALL = ("bool", *NUMERIC)
SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)


def values(dtype: str, shape: Any, special: bool = False) -> st.SearchStrategy[np.ndarray]:
    if dtype == "bool":
        elements: Any = st.booleans()
    elif dtype in FLOATS:
        elements = st.floats(-10, 10, width=32).map(lambda x: 0.0 if abs(x) < 1e-6 else x)
        if special:
            elements |= st.sampled_from([math.inf, -math.inf, math.nan, -0.0])
    else:
        elements = st.integers(0 if dtype == "uint8" else -10, 10)
    return hnp.arrays(dtype, shape, elements=elements)


def tensor(array: Any) -> Any:
    array = np.asarray(array)
    if not array.size:
        return tg.empty(array.shape, dtype=getattr(tg, array.dtype.name))
    return tg.from_numpy(array.copy())


def given_to(lib: Any, value: Any) -> Any:
    """An argument as it is for a library: arrays become its own, and so do names of dtypes."""
    if isinstance(value, np.generic):  # NumPy makes them of arrays without dimensions
        value = np.asarray(value)
    if isinstance(value, np.ndarray):
        return tensor(value) if lib is xp else strict.asarray(value)
    if isinstance(value, (list, tuple)):
        return type(value)(given_to(lib, v) for v in value)
    return getattr(lib, value) if isinstance(value, str) and value in ALL else value


def compare(got: Any, want: Any, rtol: float = 1e-5) -> None:
    if isinstance(want, (tuple, list)):
        assert len(got) == len(want)
        for a, b in zip(got, want, strict=True):
            compare(a, b)
        return
    if not isinstance(want, strict._array_object.Array):
        assert got == want
        return
    want = np.asarray(want)
    # Unsigned sums are int64 here: there is no uint64.
    dtype = "int64" if want.dtype == "uint64" else want.dtype.name
    assert str(got.dtype) == f"tapegrad.{dtype}"
    assert tuple(got.shape) == want.shape
    np.testing.assert_allclose(got.numpy(), want, rtol=rtol, atol=1e-5)


def check(name: str, *args: Any, of: Any = None, **kwargs: Any) -> None:
    """A function gives what the other library's gives."""
    ours, theirs = (xp, strict) if of is None else (getattr(xp, of), getattr(strict, of))
    theirs_kwargs = {key: given_to(strict, value) for key, value in kwargs.items()}
    ours_kwargs = {key: given_to(xp, value) for key, value in kwargs.items()}
    with np.errstate(all="ignore"):
        want = getattr(theirs, name)(*(given_to(strict, x) for x in args), **theirs_kwargs)
    got = getattr(ours, name)(*(given_to(xp, x) for x in args), **ours_kwargs)
    compare(got, want, rtol=1e-4)


Draw = Callable[..., Any]
CASES: dict[str, Callable[[Draw], None]] = {}


def case(*names: str) -> Any:
    """A test of functions, whose arguments it draws."""

    def add(test: Any) -> Any:
        for name in names:
            CASES[name] = lambda draw, name=name: test(name, draw)
        return test

    return add


def array(draw: Draw, dtypes: Any = ALL, shape: Any = SHAPES, special: bool = False) -> Any:
    return draw(values(draw(st.sampled_from(dtypes)), draw(shape), special))


def pair(draw: Draw, dtypes: Any, same_kind: bool = True) -> tuple[Any, Any]:
    """Two arrays that broadcast; their dtypes promote."""
    shapes = draw(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3))
    first = draw(st.sampled_from(dtypes))
    alike = next(kind for kind in (("bool",), INTEGERS, FLOATS) if first in kind)
    second = draw(st.sampled_from([name for name in alike if name in dtypes]))
    a, b = (draw(values(d, s)) for d, s in zip((first, second), shapes.input_shapes, strict=True))
    return a, b


def axis_of(draw: Draw, x: Any, none: bool = True) -> Any:
    choices: list[Any] = list(range(-x.ndim, x.ndim)) + ([None] if none else [])
    return draw(st.sampled_from(choices)) if choices else None


def axes_of(draw: Draw, x: Any) -> Any:
    axes = draw(st.lists(st.sampled_from(range(x.ndim)), unique=True)) if x.ndim else []
    return draw(st.sampled_from([tuple(axes), axis_of(draw, x), None]))


# ---------------------------------------------------------------------- element-wise


@case(
    *("acos", "acosh", "asin", "asinh", "atan", "atanh", "cos", "cosh", "exp", "expm1", "log"),
    *("log1p", "log2", "log10", "reciprocal", "sin", "sinh", "sqrt", "tan", "tanh", "signbit"),
)
def floats(name: str, draw: Draw) -> None:
    check(name, array(draw, FLOATS, special=True))


@case("abs", "ceil", "floor", "negative", "positive", "round", "square", "trunc")
def numbers(name: str, draw: Draw) -> None:
    check(name, array(draw, ("int32", "int64", *FLOATS), special=True))


@case("real", "conj")
def real_numbers(name: str, draw: Draw) -> None:
    x = tensor(array(draw, FLOATS))
    assert getattr(xp, name)(x) is x


@case("isfinite", "isinf", "isnan", "sign")
def questions(name: str, draw: Draw) -> None:
    check(name, array(draw, NUMERIC, special=True))


@case("logical_not")
def of_bools(name: str, draw: Draw) -> None:
    check(name, array(draw, ("bool",)))


@case("bitwise_invert")
def of_bits(name: str, draw: Draw) -> None:
    check(name, array(draw, ("bool", *INTEGERS)))


@case("add", "multiply", "subtract", "maximum", "minimum")
def arithmetic(name: str, draw: Draw) -> None:
    a, b = pair(draw, ("int32", "int64", *FLOATS))
    check(name, a, b)
    check(name, a, 2)
    check(name, 2, a)


@case("equal", "not_equal")
def alike(name: str, draw: Draw) -> None:
    a, b = pair(draw, ALL)
    check(name, a, b)


@case("less", "less_equal", "greater", "greater_equal")
def order(name: str, draw: Draw) -> None:
    a, b = pair(draw, NUMERIC)
    check(name, a, b)
    check(name, a, 1)


@case("atan2", "copysign", "divide", "hypot", "logaddexp", "nextafter")
def of_two_floats(name: str, draw: Draw) -> None:
    check(name, *pair(draw, FLOATS))


@case("logical_and", "logical_or", "logical_xor")
def of_two_bools(name: str, draw: Draw) -> None:
    check(name, *pair(draw, ("bool",)))


@case("bitwise_and", "bitwise_or", "bitwise_xor")
def of_two_bits(name: str, draw: Draw) -> None:
    check(name, *pair(draw, ("bool", *INTEGERS)))


@case("bitwise_left_shift", "bitwise_right_shift")
def shifts(name: str, draw: Draw) -> None:
    a, b = pair(draw, ("int32", "int64"))
    check(name, a, np.abs(b))


@case("floor_divide", "remainder")
def divisions(name: str, draw: Draw) -> None:
    a, b = pair(draw, ("int32", "int64", *FLOATS))
    check(name, a, np.where(b == 0, b.dtype.type(1), b))


@case("pow")
def powers(name: str, draw: Draw) -> None:
    a, b = pair(draw, FLOATS)
    check(name, np.abs(a) + a.dtype.type(0.5), np.clip(b, -3, 3))
    check(name, array(draw, ("int64",)), 2)


@case("clip")
def bounds(name: str, draw: Draw) -> None:
    x = array(draw, ("int32", "int64", *FLOATS))
    low, high = draw(st.sampled_from([(None, None), (-1, 3), (0, None), (None, 2)]))
    check(name, x, low, high)
    if low is not None and high is not None:
        check(name, x, np.asarray(low, x.dtype), np.full(x.shape, high, x.dtype))


# ---------------------------------------------------------------------- creation


@case("arange")
def ranges(name: str, draw: Draw) -> None:
    start, stop = draw(st.integers(-5, 5)), draw(st.integers(-5, 5))
    step = draw(st.sampled_from([-2, -1, 1, 3]))
    dtype = draw(st.sampled_from([None, "int32", "float64", "float32"]))
    check(name, start, stop, step, dtype=dtype or "int64")
    check(name, stop)


@case("zeros", "ones", "empty")
def constant(name: str, draw: Draw) -> None:
    shape, dtype = draw(SHAPES), draw(st.sampled_from(ALL))
    got = getattr(xp, name)(shape, dtype=getattr(xp, dtype))
    assert tuple(got.shape) == shape and got.dtype is getattr(tg, dtype)
    if name != "empty":
        check(name, shape, dtype=dtype)
    assert getattr(xp, name)(3).shape == (3,)


@case("zeros_like", "ones_like", "empty_like")
def constant_like(name: str, draw: Draw) -> None:
    x = array(draw)
    got = getattr(xp, name)(tensor(x), dtype=xp.int16)
    assert tuple(got.shape) == x.shape and got.dtype is tg.int16
    if name != "empty_like":
        check(name, x)


@case("full", "full_like")
def filled(name: str, draw: Draw) -> None:
    value = draw(st.sampled_from([0, 3, -1]))
    check("full", draw(SHAPES), value, dtype=draw(st.sampled_from(["int32", "float64"])))
    check("full_like", array(draw, NUMERIC[:-4]), abs(value))
    check("full", (), True)
    check("full", 2, 5)


@case("eye")
def identity(name: str, draw: Draw) -> None:
    n, m = draw(st.integers(0, 4)), draw(st.sampled_from([None, 0, 2, 5]))
    check(name, n, m, k=draw(st.integers(-3, 3)), dtype=draw(st.sampled_from(ALL)))


@case("linspace")
def distances(name: str, draw: Draw) -> None:
    num, last = draw(st.integers(0, 6)), draw(st.booleans())
    check(name, -1.0, 2.0, num, endpoint=last, dtype=draw(st.sampled_from(FLOATS)))


@case("meshgrid")
def grids(name: str, draw: Draw) -> None:
    vectors = draw(st.lists(values("int64", st.tuples(st.integers(0, 3))), max_size=3))
    if vectors:
        check(name, *vectors, indexing=draw(st.sampled_from(["xy", "ij"])))


@case("tril", "triu")
def triangles(name: str, draw: Draw) -> None:
    x = array(draw, ALL, hnp.array_shapes(min_dims=2, max_dims=3, max_side=3))
    check(name, x, k=draw(st.integers(-3, 3)))


@case("asarray", "from_dlpack")
def arrays(name: str, draw: Draw) -> None:
    x = array(draw)
    if x.size:
        assert np.array_equal(xp.asarray(x.tolist(), dtype=getattr(xp, x.dtype.name)).numpy(), x)
    assert xp.asarray([1, 2]).dtype is tg.int64 and xp.asarray(1.5).dtype is tg.float32
    t = tensor(x)
    assert xp.asarray(t).data_ptr() == t.data_ptr()
    if t.numel():
        assert xp.asarray(t, copy=True).data_ptr() != t.data_ptr()
        assert np.array_equal(xp.from_dlpack(x).numpy(), x)


# ---------------------------------------------------------------------- dtypes


@case("astype")
def converted(name: str, draw: Draw) -> None:
    x, dtype = np.asarray(np.abs(array(draw, NUMERIC))), draw(st.sampled_from(ALL))
    check(name, x, dtype)
    t = tensor(x)
    assert xp.astype(t, t.dtype, copy=False) is t and xp.astype(t, t.dtype) is not t


@case("can_cast", "result_type", "isdtype", "finfo", "iinfo", "__array_namespace_info__")
def dtypes(name: str, draw: Draw) -> None:
    a, b = (draw(st.sampled_from(ALL)) for _ in range(2))
    kinds = ("bool", "signed integer", "unsigned integer", "integral", "real floating", "numeric")
    for kind in (*kinds, "complex floating", kinds[:2]):
        assert xp.isdtype(getattr(xp, a), kind) == strict.isdtype(getattr(strict, a), kind)
    kinds_of = [next(k for k in (("bool",), INTEGERS, FLOATS) if d in k) for d in (a, b)]
    if kinds_of[0] == kinds_of[1]:
        want = str(strict.result_type(getattr(strict, a), getattr(strict, b)))
        got = xp.result_type(getattr(xp, a), getattr(xp, b))
        assert want.endswith(str(got).removeprefix("tapegrad."))
        zero_d = xp.zeros((), dtype=getattr(xp, b))
        assert xp.result_type(xp.zeros(2, dtype=getattr(xp, a)), zero_d) is got
        casts = strict.can_cast(getattr(strict, a), getattr(strict, b))
        assert xp.can_cast(getattr(xp, a), getattr(xp, b)) == casts
    info = xp.iinfo if a in INTEGERS else xp.finfo
    if a != "bool":
        ours = info(getattr(xp, a))
        theirs = getattr(strict, info.__name__)(getattr(strict, a))
        for field in {"bits", "max", "min", "eps", "smallest_normal"} & {*ours._fields}:
            assert getattr(ours, field) == pytest.approx(float(getattr(theirs, field)))
        assert ours.dtype is getattr(tg, a)
    about = xp.__array_namespace_info__()
    assert about.dtypes(kind="integral").keys() == set(INTEGERS)
    assert about.dtypes(kind=("bool", "real floating")).keys() == {"bool", *FLOATS}
    assert about.dtypes().keys() == set(ALL) and about.devices() == [about.default_device()]
    assert about.capabilities()["boolean indexing"]
    assert about.default_dtypes()["indexing"] is tg.int64


# ---------------------------------------------------------------------- shapes and places

VECTOR = hnp.array_shapes(min_dims=1, max_dims=1, min_side=1, max_side=8)
SOME = hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4)


@case("broadcast_to", "broadcast_arrays", "broadcast_shapes")
def broadcasts(name: str, draw: Draw) -> None:
    a, b = pair(draw, ALL)
    check("broadcast_arrays", a, b)
    check("broadcast_to", a, np.broadcast_shapes(a.shape, b.shape))
    check("broadcast_shapes", a.shape, b.shape)


@case("concat", "stack")
def joined(name: str, draw: Draw) -> None:
    shape = draw(SOME)
    a, b = (draw(values(d, shape)) for d in draw(st.sampled_from([("int32", "int64"), FLOATS])))
    check(name, [a, b], axis=draw(st.sampled_from(range(-len(shape), len(shape)))))
    check("concat", (a, b), axis=None)


@case("unstack", "expand_dims", "flip", "squeeze", "permute_dims", "moveaxis", "roll")
def arranged(name: str, draw: Draw) -> None:
    x = array(draw, ALL, SOME)
    axis = axis_of(draw, x, none=False)
    check("unstack", x, axis=axis)
    check("expand_dims", x, axis=axis)
    check("flip", x, axis=axes_of(draw, x))
    check("squeeze", np.expand_dims(x, axis), axis=axis)
    check("permute_dims", x, tuple(draw(st.permutations(range(x.ndim)))))
    check("moveaxis", x, axis, draw(st.sampled_from(range(x.ndim))))
    check("roll", x, draw(st.integers(-5, 5)), axis=axis_of(draw, x))
    with raises(ValueError, "axis 0 has the size 2"):
        xp.squeeze(tg.zeros(2), 0)


@case("repeat", "tile", "reshape")
def repeated(name: str, draw: Draw) -> None:
    x = array(draw, ALL, SOME)
    axis = axis_of(draw, x, none=False)
    check("repeat", x, draw(st.integers(0, 3)), axis=axis)
    check("repeat", x, 2)
    check("repeat", x, draw(values("int64", (x.shape[axis],)).map(abs)), axis=axis)
    check("tile", x, draw(st.sampled_from([(2,), (1, 2), (2, 1, 1, 2)])))
    check("reshape", x, (-1,))
    check("reshape", x, x.shape[::-1], copy=draw(st.sampled_from([None, True])))
    with raises(ValueError, "the tensor cannot be reshaped without a copy"):
        xp.reshape(tg.zeros(2, 3).T, (6,), copy=False)


@case("take", "take_along_axis")
def taken(name: str, draw: Draw) -> None:
    x = array(draw, ALL, SOME)
    axis = axis_of(draw, x, none=False)
    size = x.shape[axis]
    check("take", x, draw(hnp.arrays("int64", 3, elements=st.integers(0, size - 1))), axis=axis)
    shape = list(x.shape)
    shape[axis] = 2
    places = draw(hnp.arrays("int64", shape, elements=st.integers(0, size - 1)))
    check("take_along_axis", x, places, axis=axis)


@case("where", "isin")
def chosen(name: str, draw: Draw) -> None:
    a, b = pair(draw, NUMERIC)
    shape = np.broadcast_shapes(a.shape, b.shape)
    check("where", draw(values("bool", shape)), a, b)
    if a.dtype.kind in "iu":
        invert = draw(st.booleans())
        got = xp.isin(tensor(a), tensor(b), invert=invert)
        assert np.array_equal(got.numpy(), np.isin(a, b, invert=invert))


@case("nonzero", "count_nonzero", "argmax", "argmin")
def found(name: str, draw: Draw) -> None:
    x = array(draw, NUMERIC, SOME)
    check("nonzero", x)
    check("count_nonzero", x, axis=axes_of(draw, x), keepdims=draw(st.booleans()))
    for one in ("argmax", "argmin"):
        check(one, x, axis=axis_of(draw, x), keepdims=draw(st.booleans()))


@case("sort", "argsort", "searchsorted")
def ordered(name: str, draw: Draw) -> None:
    x = array(draw, NUMERIC, SOME)
    how = {"axis": axis_of(draw, x, none=False), "descending": draw(st.booleans())}
    check("sort", x, **how)
    if not how["descending"]:  # of equal ones the standard does not say which comes first
        check("argsort", x, **how)
    line = array(draw, FLOATS, VECTOR)
    places = draw(values(line.dtype.name, (3,)))
    side = draw(st.sampled_from(["left", "right"]))
    check("searchsorted", np.sort(line), places, side=side)
    check("searchsorted", line, places, side=side, sorter=np.argsort(line))


@case("unique_all", "unique_counts", "unique_inverse", "unique_values")
def unique(name: str, draw: Draw) -> None:
    check(name, array(draw, NUMERIC, SOME))


# ---------------------------------------------------------------------- reductions


@case("sum", "prod", "max", "min", "mean", "var", "std", "all", "any")
def reduced(name: str, draw: Draw) -> None:
    dtypes_of = FLOATS if name in ("mean", "var", "std") else NUMERIC
    x = array(draw, dtypes_of, SOME)
    x = np.clip(x, 0, 3) if name == "prod" else x
    axis, kept = axes_of(draw, x), draw(st.booleans())
    check(name, x, axis=axis, keepdims=kept)
    if name in ("sum", "prod"):
        check(name, x, axis=axis, dtype="float64")
    if name in ("var", "std") and axis is None and x.size > 1:
        check(name, x, correction=1.0)


@case("cumulative_sum", "cumulative_prod")
def accumulated(name: str, draw: Draw) -> None:
    x = np.clip(array(draw, ("int32", "int64", *FLOATS), SOME), -2, 2)
    check(name, x, axis=axis_of(draw, x, none=False), include_initial=draw(st.booleans()))


@case("diff")
def differences(name: str, draw: Draw) -> None:
    x = array(draw, ("int64", *FLOATS), SOME)
    axis = axis_of(draw, x, none=False)
    check(name, x, axis=axis, n=draw(st.integers(0, 2)))
    check(name, x, axis=axis, prepend=x, append=x)


# ---------------------------------------------------------------------- linear algebra


@case("matmul", "vecdot", "tensordot", "matrix_transpose")
def products(name: str, draw: Draw) -> None:
    n, m, k = (draw(st.integers(1, 3)) for _ in range(3))
    dtype = draw(st.sampled_from(["int64", *FLOATS]))
    other = "float64" if dtype == "float32" else dtype
    a, b = draw(values(dtype, (2, n, m))), draw(values(other, (m, k)))
    check("matmul", a, b)
    check("matmul", a, b[:, 0].copy())
    check("matrix_transpose", a)
    check("tensordot", a, b, axes=1)
    check("tensordot", a, b, axes=((2,), (0,)))
    check("vecdot", a, draw(values(other, (m,))))
    check("vecdot", a, a, axis=-2)


MATRIX = np.array([[4.0, 1.0, 0.5], [1.0, 3.0, 0.2], [0.5, 0.2, 2.0]])
LINALG = {
    "cholesky": lambda: (MATRIX, {"upper": True}),
    "cross": lambda: (MATRIX, MATRIX[::-1].copy(), {"axis": -2}),
    "det": lambda: (MATRIX,),
    "diagonal": lambda: (MATRIX, {"offset": 1}),
    "eigvalsh": lambda: (MATRIX,),
    "inv": lambda: (MATRIX,),
    "matmul": lambda: (MATRIX, MATRIX),
    "matrix_norm": lambda: (MATRIX, {"ord": "nuc", "keepdims": True}),
    "matrix_power": lambda: (MATRIX, 3),
    "matrix_rank": lambda: (MATRIX, {"rtol": 1e-3}),
    "matrix_transpose": lambda: (MATRIX,),
    "outer": lambda: (MATRIX[0], MATRIX[1]),
    "pinv": lambda: (MATRIX[:, :2].copy(), {"rtol": 1e-5}),
    "slogdet": lambda: (MATRIX,),
    "solve": lambda: (MATRIX, MATRIX[0].copy()),
    "svdvals": lambda: (MATRIX,),
    "tensordot": lambda: (MATRIX, MATRIX),
    "trace": lambda: (MATRIX, {"offset": -1}),
    "vecdot": lambda: (MATRIX, MATRIX),
    "vector_norm": lambda: (MATRIX, {"axis": (0, 1), "ord": 3, "keepdims": True}),
}


@pytest.mark.parametrize("name", LINALG)
@pytest.mark.parametrize("dtype", FLOATS)
def test_linalg(name: str, dtype: str) -> None:
    args = [x.astype(dtype) if isinstance(x, np.ndarray) else x for x in LINALG[name]()]
    kwargs = args.pop() if isinstance(args[-1], dict) else {}
    check(name, *args, of="linalg", **kwargs)


def test_decompositions_multiply_to_the_matrix() -> None:
    x = tensor(MATRIX)
    q, r = xp.linalg.qr(x)
    assert tg.allclose(q @ r, x)
    w, v = xp.linalg.eigh(x)
    assert tg.allclose(v * w @ v.mT, x)
    u, s, vh = xp.linalg.svd(x[:2], full_matrices=False)
    assert u.shape == (2, 2) and tg.allclose(u * s @ vh, x[:2])


# ---------------------------------------------------------------------- all of it


@pytest.mark.parametrize("name", CASES)
def test_function(name: str) -> None:
    @settings(max_examples=25, deadline=None)
    @given(st.data())
    def run(data: Any) -> None:
        CASES[name](data.draw)

    run()


# What the standard has and this has not.
ABSENT = {"uint16", "uint32", "uint64", "complex64", "complex128", "imag", "fft"}
OWN_OF_STRICT = {
    *("set_array_api_strict_flags", "get_array_api_strict_flags", "reset_array_api_strict_flags"),
    *("ArrayAPIStrictFlags", "Device", "__array_api_version__", "__version__"),
}


def test_the_namespace_is_complete() -> None:
    names = set(strict.__all__) - OWN_OF_STRICT - ABSENT
    assert {name for name in names if not hasattr(xp, name)} == set()
    functions = {name for name in names if callable(getattr(xp, name)) and name != "__all__"}
    assert functions - set(CASES) - set(LINALG) - {"linalg"} == set(), "not tested"
    assert set(strict.linalg.__all__) - set(xp.linalg.__all__) == set()
    assert set(xp.linalg.__all__) - set(LINALG) == {"eigh", "qr", "svd"}
    assert not any(hasattr(xp, name) for name in ABSENT)
    assert (xp.pi, xp.e, xp.inf, xp.newaxis) == (math.pi, math.e, math.inf, None)
    assert math.isnan(xp.nan)


def test_tensors_name_their_namespace() -> None:
    x = tg.ones(2)
    assert x.__array_namespace__() is x.__array_namespace__(api_version="2022.12") is xp
    with raises(ValueError, "the array API standard of '2030.12' is not implemented"):
        x.__array_namespace__(api_version="2030.12")
    assert x.to_device(x.device) is x
    with raises(RuntimeError, "tapegrad not compiled with CUDA enabled"):
        x.to_device("cuda")


def test_gradients_flow_through_it() -> None:
    x = tg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    xp.sum(xp.square(x) * xp.take(x, tg.tensor([1, 0]), axis=1)).backward()
    # d/da (a^2 b + b^2 a) = 2ab + b^2, and the same of b
    assert x.grad.tolist() == [[8.0, 5.0], [40.0, 33.0]]


def test_array_api_compat_finds_it() -> None:
    compat = pytest.importorskip("array_api_compat", reason="needs array-api-compat")
    assert compat.array_namespace(tg.ones(2), tg.zeros(3)) is xp


PROGRAM = """
import numpy as np, sklearn, tapegrad as tg
from sklearn.metrics import accuracy_score, mean_squared_error, r2_score
from sklearn.preprocessing import MinMaxScaler

rng = np.random.default_rng(0)
a, b = rng.standard_normal((2, 50))
x = rng.standard_normal((20, 3))
t = tg.from_numpy
with sklearn.config_context(array_api_dispatch=True):
    for score in (mean_squared_error, r2_score):
        np.testing.assert_allclose(float(score(t(a), t(b))), float(score(a, b)))
    assert accuracy_score(t(a > 0), t(b > 0)) == accuracy_score(a > 0, b > 0)
    scaled = MinMaxScaler().fit_transform(t(x))
assert isinstance(scaled, tg.Tensor)
np.testing.assert_allclose(scaled.numpy(), MinMaxScaler().fit_transform(x), 1e-6)
"""


def test_scikit_learn_computes_with_tensors() -> None:
    pytest.importorskip("sklearn", reason="needs scikit-learn")
    pytest.importorskip("array_api_compat", reason="needs array-api-compat")
    environment = {**os.environ, "SCIPY_ARRAY_API": "1"}  # read when SciPy is imported
    subprocess.run([sys.executable, "-c", PROGRAM], check=True, env=environment)
