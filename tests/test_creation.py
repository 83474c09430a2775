"""Tensors from nothing and from Python data."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tapegrad as tg
from both import both
from support import ALL, FLOATS, array, dtype_of, raises


@pytest.mark.parametrize(
    ("data", "dtype"),
    [
        (2.0, "float32"),
        (2, "int64"),
        (True, "bool"),
        ([1.0, 2], "float32"),
        ([1, True], "int64"),
        ([True, False], "bool"),
        ([True, 2.0], "float32"),
        ([], "float32"),
        ([[]], "float32"),
        ((1, 2), "int64"),
        (range(3), "int64"),
        ([[1, 2], [3, 4]], "int64"),
        ([(1.0, 2.0)], "float32"),
        (np.float64(1), "float64"),
        (math.inf, "float32"),
        (-(2**63), "int64"),
    ],
)
def test_tensor_infers(data: Any, dtype: str) -> None:
    x = tg.tensor(data)
    assert x.dtype == dtype_of(dtype)
    np.testing.assert_array_equal(array(x), np.array(data, dtype=dtype))
    assert tuple(x.shape) == np.shape(data)


@pytest.mark.parametrize("dtype", ALL)
def test_tensor_with_dtype(dtype: str) -> None:
    x = tg.tensor([[0, 1], [2, 3]], dtype=dtype_of(dtype))
    np.testing.assert_array_equal(array(x), np.array([[0, 1], [2, 3]]).astype(dtype))
    assert tg.tensor([1.9], dtype=tg.int64).item() == 1
    assert tg.tensor([0, 2], dtype=tg.bool).tolist() == [False, True]


def test_tensor_of_tensors_and_mixed_data() -> None:
    assert tg.tensor([tg.tensor(1.0), tg.tensor(2.0)]).tolist() == [1.0, 2.0]
    assert tg.tensor([tg.tensor(1), 2.5]).dtype in (tg.float32, tg.int64)
    assert tg.tensor([[1.0, tg.tensor(2.0)]]).shape == (1, 2)
    with pytest.warns(UserWarning, match="To copy construct from a tensor"):
        assert tg.tensor(tg.ones(2)).tolist() == [1.0, 1.0]
    assert tg.tensor([1e-45]).item() > 0
    assert tg.tensor(0.1).item() == 0.10000000149011612
    assert tg.tensor(1e40).item() == math.inf
    x = tg.tensor([1.0], requires_grad=True)
    assert x.is_leaf
    assert x.requires_grad


@given(
    st.recursive(
        st.floats(-9, 9, width=32),
        lambda inner: st.lists(inner, min_size=2, max_size=2),
        max_leaves=9,
    )
)
def test_lists_are_read_like_numpy_reads_them(data: Any) -> None:
    """Regular nestings give NumPy's values; ragged ones raise."""
    try:
        want = np.array(data, dtype=np.float32)
    except ValueError:
        with raises((ValueError, TypeError)):
            tg.tensor(data)
    else:
        x = tg.tensor(data)
        np.testing.assert_array_equal(array(x), want)
        assert np.array(x.tolist(), np.float32).tolist() == want.tolist()


FILLED = {"zeros": 0, "ones": 1}


@pytest.mark.parametrize("name", FILLED)
@pytest.mark.parametrize("dtype", ALL)
def test_zeros_and_ones(name: str, dtype: str) -> None:
    make, like = getattr(tg, name), getattr(tg, name + "_like")
    for size in ((2, 3), ([2, 3],), ((2, 3),), (tg.Size([2, 3]),)):
        x = make(*size, dtype=dtype_of(dtype))
        assert (tuple(x.shape), x.dtype) == ((2, 3), dtype_of(dtype))
        assert (array(x) == FILLED[name]).all()
        assert like(x).dtype == x.dtype
        assert like(x, dtype=tg.float64).dtype == tg.float64
    assert make(()).shape == ()
    assert make(0, 3).shape == (0, 3)
    assert make(2).dtype == tg.float32
    assert getattr(tg.ones(2, dtype=tg.float64), "new_" + name)(3).dtype == tg.float64


def test_uninitialised_bools_are_bools() -> None:
    makers = (
        lambda: tg.empty(64, dtype=tg.bool),
        lambda: tg.ones(64).new_empty(64, dtype=tg.bool),
        lambda: tg.empty_like(tg.ones(64), dtype=tg.bool),
        lambda: tg.ones(0, dtype=tg.bool).resize_(64),
    )
    for make in makers:
        for _ in range(20):
            del_later = tg.full((64,), 200, dtype=tg.uint8)  # memory that will be used again
            del del_later
            assert set(make().numpy().view("uint8").tolist()) <= {0, 1}


def test_full_and_empty() -> None:
    assert tg.full((2,), 1).dtype == tg.int64
    assert tg.full((2,), True).dtype == tg.bool
    assert tg.full((2,), 1.5).dtype == tg.float32
    assert tg.full((2, 2), 7, dtype=tg.uint8).tolist() == [[7, 7], [7, 7]]
    assert tg.full((), 3.0).item() == 3.0
    assert tg.full_like(tg.ones(2, dtype=tg.int32), 4).dtype == tg.int32
    assert tg.empty(2, 3).shape == (2, 3)
    assert tg.empty((0,)).tolist() == []
    assert tg.empty_like(tg.ones(2, dtype=tg.bool)).dtype == tg.bool
    assert tg.ones(2).new_tensor([1, 2]).dtype == tg.float32
    assert tg.ones(2).new_full((3,), 2.0).tolist() == [2.0] * 3


@both
def test_full_takes_a_tensor_as_a_number(lib: Any) -> None:
    for value, dtype in (
        (lib.tensor(3.0, dtype=lib.float64), lib.float32),
        (lib.tensor(3), lib.int64),
    ):
        assert lib.full((2,), value).dtype == dtype
        assert lib.full((2,), value).tolist() == [3, 3]
    x, slope = lib.zeros(2), lib.tensor(3.0, requires_grad=True)
    for make in (
        lambda: lib.full((2,), slope),
        lambda: lib.full_like(x, slope),
        lambda: x.new_full((2,), slope),
    ):
        with pytest.raises(
            TypeError, match=r"full\w*\(\): argument 'fill_value' \(position 2\) must be Number"
        ):
            make()  # a number could not pass the gradient on


@pytest.mark.parametrize(
    "make",
    [
        lambda **k: tg.zeros(2, **k),
        lambda **k: tg.ones(2, **k),
        lambda **k: tg.full((2,), 1.0, **k),
        lambda **k: tg.empty(2, **k),
        lambda **k: tg.eye(2, **k),
        lambda **k: tg.arange(2.0, **k),
        lambda **k: tg.linspace(0, 1, 2, **k),
        lambda **k: tg.rand(2, **k),
        lambda **k: tg.randn(2, **k),
        lambda **k: tg.ones_like(tg.ones(2), **k),
        lambda **k: tg.randn_like(tg.ones(2), **k),
        lambda **k: tg.tensor([1.0], **k),
    ],
)
def test_keywords(make: Any) -> None:
    x = make(requires_grad=True, dtype=tg.float64, device="cpu")
    assert (x.requires_grad, x.is_leaf, x.dtype) == (True, True, tg.float64)
    assert not make().requires_grad
    assert make(device=tg.device("cpu")).device == tg.device("cpu")


@pytest.mark.parametrize(
    "args", [(5,), (0,), (2, 7), (2, 10, 3), (5, 0, -2), (-3, 3), (0, -1, -1), (3, 3)]
)
def test_arange_of_integers(args: tuple) -> None:
    x = tg.arange(*args)
    assert x.dtype == tg.int64
    assert x.tolist() == list(range(*args))
    assert tg.arange(*args, dtype=tg.float64).tolist() == [float(k) for k in range(*args)]


@pytest.mark.parametrize(
    "args", [(1.0,), (0, 1, 0.1), (0.5, 3), (1, 0, -0.25), (0, 1, 0.3), (2.5,)]
)
def test_arange_of_floats(args: tuple) -> None:
    x = tg.arange(*args)
    assert x.dtype == tg.float32
    np.testing.assert_allclose(array(x), np.arange(*args), rtol=1e-6, atol=1e-7)
    assert tg.arange(start=1, end=4, step=2).tolist() == [1, 3]


def test_arange_of_many_has_no_drift() -> None:
    x = tg.arange(0, 100_000, 0.1, dtype=tg.float64)
    np.testing.assert_allclose(array(x), np.arange(x.numel()) * 0.1, rtol=1e-14, atol=1e-12)


@pytest.mark.parametrize(
    "args", [(0, 1, 5), (-3, 3, 20), (1, 1, 3), (5, -5, 11), (0, 1, 1), (0, 1, 0)]
)
def test_linspace(args: tuple) -> None:
    x = tg.linspace(*args)
    assert x.dtype == tg.float32
    np.testing.assert_allclose(array(x), np.linspace(*args), rtol=1e-6, atol=1e-6)
    y = tg.linspace(*args, dtype=tg.float64)
    np.testing.assert_allclose(array(y), np.linspace(*args), rtol=1e-14, atol=1e-14)
    if args[2] > 1:  # both ends are exact
        assert (y[0].item(), y[-1].item()) == args[:2]


@pytest.mark.parametrize("args", [(0, 2, 3), (3, -1, 5), (0, 4, 5, 0.5), (1, 3, 1), (0, 4, 0)])
def test_logspace(args: tuple) -> None:
    x = tg.logspace(*args)
    assert x.dtype == tg.float32
    *ends, base = args if len(args) == 4 else (*args, 10.0)
    np.testing.assert_allclose(array(x), np.logspace(*ends, base=base), rtol=1e-6)
    assert tg.logspace(0, 3, 4, base=2, dtype=tg.int64).tolist() == [1, 2, 4, 8]
    with raises(RuntimeError, "number of steps must be non-negative"):
        tg.logspace(0, 1, -1)


@pytest.mark.parametrize("sizes", [(3,), (2, 3), (3, 2), (0,), (0, 3), (1,)])
def test_eye(sizes: tuple) -> None:
    np.testing.assert_array_equal(array(tg.eye(*sizes)), np.eye(*sizes))
    assert tg.eye(2, dtype=tg.int64).tolist() == [[1, 0], [0, 1]]


def test_size() -> None:
    size = tg.ones(2, 3).shape
    assert isinstance(size, tuple)
    assert isinstance(size, tg.Size)
    assert repr(size) == f"{tg.__name__}.Size([2, 3])"
    assert (size[0], size[-1], len(size), list(size)) == (2, 3, 2, [2, 3])
    assert size.numel() == 6
    assert size == (2, 3)
    assert isinstance(size[:1], tg.Size)
    assert repr(tg.Size([])) == f"{tg.__name__}.Size([])"


def test_new_forms_take_the_dtype_of_the_tensor() -> None:
    x = tg.ones(2, dtype=tg.float64)
    assert x.new_zeros(2, 3).tolist() == [[0.0] * 3] * 2
    assert x.new_ones((3,)).tolist() == [1.0] * 3
    for y in (x.new_zeros(1), x.new_ones([1]), x.new_empty(2, 0)):
        assert y.dtype == tg.float64
    assert x.new_empty(2, 3).shape == (2, 3)
    assert x.new_ones(1, dtype=tg.int64).dtype == tg.int64
    assert x.new_zeros(1, requires_grad=True).requires_grad
    with raises(RuntimeError, "Trying to create tensor with negative dimension -1: [-1]"):
        x.new_empty(-1)


def test_like_forms_keep_sizes_and_dtype() -> None:
    x = tg.ones(2, 3, dtype=tg.int32)
    values = {tg.zeros_like: 0, tg.ones_like: 1, lambda t: tg.full_like(t, 5): 5}
    for make, value in values.items():
        y = make(x)
        assert (y.dtype, y.tolist()) == (tg.int32, [[value] * 3] * 2)
    assert tg.empty_like(x).shape == x.shape


def test_apply_replaces_each_element() -> None:
    x = tg.tensor([[1.0, 2.0], [3.0, 4.0]])
    y = x.T
    assert y.apply_(lambda value: value * 2) is y
    assert x.tolist() == [[2.0, 4.0], [6.0, 8.0]]
    assert tg.tensor([1, 2]).apply_(lambda value: -value).tolist() == [-1, -2]
    with raises(RuntimeError, "Can't call apply_() on Variable that requires grad."):
        tg.ones(2, requires_grad=True).apply_(abs)


def test_attributes_of_the_memory() -> None:
    x = tg.ones(2, 3, dtype=tg.float64)
    assert (x.nbytes, x.itemsize, x.ndimension(), x.nelement()) == (48, 8, 2, 6)
    assert (x.is_cpu, x.is_cuda, x.is_sparse) == (True, False, False)


def test_dtype_and_device_objects() -> None:
    for name in ALL:
        dtype = dtype_of(name)
        assert repr(dtype) == f"{tg.__name__}.{name}"
        assert dtype.is_floating_point == (name in FLOATS)
        assert dtype.itemsize == np.dtype(name).itemsize
        assert hash(dtype) == hash(copy.copy(dtype))
    assert (tg.float, tg.double, tg.long, tg.int) == (tg.float32, tg.float64, tg.int64, tg.int32)
    x = tg.ones(2)
    assert (x.element_size(), x.is_floating_point(), tg.is_tensor(x)) == (4, True, True)
    assert str(x.device) == "cpu"
    assert repr(tg.device("cpu")) == "device(type='cpu')"
    assert x.to("cpu") is x
    assert x.cpu() is x


def test_copies() -> None:
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    y = copy.deepcopy(x)
    assert y.requires_grad
    assert y.is_leaf
    with tg.no_grad():
        y[0] = 9.0
    assert x[0].item() == 1.0
    assert copy.copy(x).data_ptr() == x.data_ptr()
    pair = copy.deepcopy({"a": x, "b": x})
    assert pair["a"] is pair["b"]


def test_tensors_are_hashable_by_identity() -> None:
    a, b = tg.ones(1), tg.ones(1)
    assert len({a, b, a}) == 2
    assert {a: 1}[a] == 1


# ------------------------------------------------------------------------- types of older programs

TYPES = {
    "FloatTensor": "float32",
    "DoubleTensor": "float64",
    "HalfTensor": "float16",
    "BFloat16Tensor": "bfloat16",
    "LongTensor": "int64",
    "IntTensor": "int32",
    "ShortTensor": "int16",
    "CharTensor": "int8",
    "ByteTensor": "uint8",
    "BoolTensor": "bool",
}


@both
@pytest.mark.parametrize("name", TYPES)
def test_types_by_name(name: str, lib: Any) -> None:
    kind, dtype = getattr(lib, name), getattr(lib, TYPES[name])
    for made in (kind([0, 1]), kind((0, 1)), kind(range(2)), kind(np.arange(2))):
        assert (made.dtype, made.tolist()) == (dtype, [0, 1])
        assert type(made) is lib.Tensor
    assert kind(2, 3).shape == kind(lib.Size([2, 3])).shape == kind(size=(2, 3)).shape == (2, 3)
    assert kind().shape == (0,)
    assert kind(np.int64(2)).shape == (2,)
    assert kind([[0], [1]], device="cpu").shape == (2, 1)
    x = lib.zeros(2, dtype=dtype)
    assert kind(x).data_ptr() == x.data_ptr()
    assert isinstance(x, kind)
    other = lib.int32 if name != "IntTensor" else lib.int64
    assert not isinstance(lib.zeros(2, dtype=other), kind)
    assert not isinstance(0, kind)
    assert not issubclass(kind, lib.Tensor)
    assert kind.dtype is dtype
    assert repr(kind) == f"<class '{lib.__name__}.{name}'>"
    assert x.type() == f"{lib.__name__}.{name}"
    for wanted in (kind, f"{lib.__name__}.{name}", dtype):
        converted = lib.tensor([0.0, 1.0]).type(wanted)
        assert (converted.dtype, converted.tolist()) == (dtype, [0, 1])
        assert x.type(wanted) is x
    for wrong in (2.5, True, None, "a", [1, [2]]):
        with pytest.raises((TypeError, ValueError)):
            kind(wrong)
    for wrong in (lambda: kind(2, 2.5), lambda: kind([1], dtype=dtype)):
        with pytest.raises(TypeError):
            wrong()
    with pytest.raises(TypeError):
        kind(lib.ones(2, dtype=other))


@both
def test_names_that_are_no_types(lib: Any) -> None:
    for wrong in (
        "float64",
        "DoubleTensor",
        f"{lib.__name__}.FooTensor",
        f"{lib.__name__}.float64",
    ):
        with raises(ValueError, f"invalid type: '{wrong}'"):
            lib.ones(2).type(wrong)
    assert lib.ones(2, dtype=lib.int64).type(lib.Tensor).dtype is lib.float32
    x = lib.ones(2, requires_grad=True)
    assert x.type(f"{lib.__name__}.DoubleTensor").grad_fn is not None


@both
def test_tensor_as_a_constructor(lib: Any) -> None:
    assert lib.Tensor(lib.ones(2, 3).size()).shape == (2, 3)
    assert lib.Tensor(2, 3).shape == lib.Tensor(size=(2, 3)).shape == (2, 3)
    assert lib.Tensor((2, 3)).tolist() == lib.Tensor([2, 3]).tolist() == [2.0, 3.0]
    assert lib.Tensor(data=[1]).tolist() == [1.0]
    assert lib.Tensor(np.int64(2)).shape == (2,)
    x = lib.ones(2, requires_grad=True)
    assert lib.Tensor(x).requires_grad
    assert lib.Tensor(lib.ones(2, dtype=lib.int64)).dtype is lib.int64
    for value, kind in ((2.5, "float"), (True, "bool"), (np.float32(2), "numpy.float32")):
        with raises(TypeError, f"new(): data must be a sequence (got {kind})"):
            lib.Tensor(value)
    for options in ({"requires_grad": True}, {"dtype": lib.float64}):
        with raises(TypeError, "new() received an invalid combination of arguments"):
            lib.Tensor([1], **options)
    lib.set_default_dtype(lib.float64)
    try:
        assert lib.Tensor([1]).dtype is lib.Tensor(2).dtype is lib.float64
    finally:
        lib.set_default_dtype(lib.float32)


@both
def test_new_is_the_type_of_the_tensor(lib: Any) -> None:
    x, i = lib.arange(6.0).reshape(2, 3), lib.arange(3)
    assert x.new().shape == (0,) and x.new(2, 3).shape == x.new(lib.Size([2, 3])).shape == (2, 3)
    assert x.new([1, 2]).tolist() == x.new((1, 2)).tolist() == [1.0, 2.0]
    assert x.new([1, 2]).dtype is lib.float32 and i.new(2).dtype is lib.int64
    assert i.new([1.5, 2]).tolist() == [1, 2] and (x > 1).new([0, 2]).tolist() == [False, True]
    assert x.new(size=(2,)).shape == x.new(2, device="cpu").shape == (2,)
    assert x.new(x).data_ptr() == x.data_ptr()
    assert not lib.ones(1, requires_grad=True).new([1.0]).requires_grad
    assert x.new(np.ones(2)).dtype is lib.float32
    for wrong in (("a",), (1.5,), (1, 2.5), (None,), (i,)):
        with pytest.raises(TypeError):
            x.new(*wrong)
    with pytest.raises(TypeError):
        x.new(nonsense=1)
    with pytest.raises(RuntimeError, match="negative dimension -1"):
        x.new(-1)


@both
def test_default_tensor_type(lib: Any) -> None:
    try:
        lib.set_default_tensor_type(lib.DoubleTensor)
        assert lib.tensor(1.0).dtype is lib.get_default_dtype() is lib.float64
        lib.set_default_tensor_type(f"{lib.__name__}.FloatTensor")
        assert lib.tensor(1.0).dtype is lib.float32
    finally:
        lib.set_default_dtype(lib.float32)
    for wrong in (lib.LongTensor, 3, lib.float64, lib.Tensor, None):
        with pytest.raises(TypeError, match="only floating-point types are supported as the def"):
            lib.set_default_tensor_type(wrong)
    with pytest.raises((TypeError, AttributeError)):
        lib.set_default_tensor_type(f"{lib.__name__}.NonsenseTensor")
    assert lib.get_default_dtype() is lib.float32


@both
@pytest.mark.parametrize(
    ("args", "dtype", "want"),
    [
        ((0, 5, 1.5), "int32", [0, 1, 2, 3]),
        ((0, 5, 1.5), "int64", [0, 1, 2, 3, 4]),
        ((0.9, 5, 1.9), "int32", [0, 1, 2]),
        ((0.9, 5, 1.9), "int64", [0, 1, 2, 3, 4]),
        ((-0.9, 5, 1.9), "int32", [0, 1, 2, 3]),
        ((5, 0, -1.9), "int32", [5, 4, 3]),
        ((5, 0, -0.9), "int32", [5] * 6),
        ((0, 3, 0.5), "uint8", [0] * 6),
        ((0, 2.5), "int64", [0, 1]),
        ((-2.5, 2.5), "int64", [-2, -1, 0, 1]),
        ((0, 5, 0.5), "int64", ValueError),
        ((5, 0, -0.5), "int64", ValueError),
        ((0, 5, 0), "int64", RuntimeError),
        ((5, 0, 0.5), "int64", RuntimeError),
        ((5, 0, 0.5), "int32", RuntimeError),
        ((2**63, 2**63), "int64", RuntimeError),
        ((2**63, 2**63), "float64", []),
    ],
)
def test_arange_cuts_fractions_off(lib: Any, args: tuple, dtype: str, want: Any) -> None:
    if isinstance(want, type):
        with pytest.raises(want):
            lib.arange(*args, dtype=getattr(lib, dtype))
    else:
        assert lib.arange(*args, dtype=getattr(lib, dtype)).tolist() == want


# ---------------------------------------------------------------- strides, ranges, coordinates


def test_memory_with_given_strides() -> None:
    x = tg.empty_strided((2, 3), (1, 2), dtype=tg.int32)
    assert (x.shape, x.stride(), x.dtype) == ((2, 3), (1, 2), tg.int32)
    assert tg.ones(2).new_empty_strided((2, 0), (5, 7)).stride() == (5, 7)
    assert tg.empty_strided((3,), (0,)).stride() == (0,)
    assert not tg.empty_strided((2, 2), (1, 2), dtype=tg.bool).any()
    assert tg.empty_permuted((2, 3, 4), (2, 0, 1)).stride() == (3, 1, 6)
    assert tg.empty_strided((2,), (1,), requires_grad=True).requires_grad


@both
def test_strides_that_are_refused(lib: Any) -> None:
    with raises(RuntimeError, "dimensionality of sizes (1) must match dimensionality", lib):
        lib.empty_strided((2,), (1, 2))
    with raises(RuntimeError, "Storage size calculation overflowed", lib):
        lib.empty_strided((2,), (-1,))
    with raises(RuntimeError, "Trying to create tensor with negative dimension -2: [-2]", lib):
        lib.empty_strided((-2,), (1,))
    with raises(RuntimeError, "Number of dimensions in size does not match", lib):
        lib.empty_permuted((2, 2), (0,))
    with raises(RuntimeError, "Duplicate dim not allowed", lib):
        lib.empty_permuted((2, 2), (1, 1))
    with raises(RuntimeError, "Dimension out of range (expected to be between 0 and 1", lib):
        lib.empty_permuted((2, 2), (0, 2))


@both
@pytest.mark.parametrize("strides", [(2**62, 1), (1, 2**62), (2**63 - 1, 2**63 - 1)])
def test_strides_beyond_memory(lib: Any, strides: tuple[int, int]) -> None:
    with pytest.raises(RuntimeError):
        lib.empty_strided((3, 3), strides)


@both
def test_scalar_tensor(lib: Any) -> None:
    for value in (3, True, 2.5):
        x = lib.scalar_tensor(value)
        assert (x.dtype, x.shape, x.item()) == (lib.float32, (), float(value))
    assert lib.scalar_tensor(3, dtype=lib.int64).item() == 3


@both
@pytest.mark.parametrize(
    "args", [(0, 3), (0, 1, 0.25), (3, 0, -1), (1, 1), (0.5, 3), (5, -2.5, -2)]
)
def test_range_has_its_end(lib: Any, args: tuple) -> None:
    with pytest.warns(UserWarning, match="range is deprecated"):
        x = lib.range(*args)
    step = args[2] if len(args) > 2 else 1
    want = np.arange(math.floor((args[1] - args[0]) / step) + 1) * step + args[0]
    np.testing.assert_allclose(array(x), want.astype(np.float32))


@both
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_range_of_integers(lib: Any) -> None:
    assert lib.range(2**53, 2**53 + 2, dtype=lib.int64).tolist() == [2**53, 2**53 + 1, 2**53 + 2]
    assert lib.range(0, 7.5, 2.5, dtype=lib.int32).tolist() == [0, 2, 4, 6]
    with raises(NotImplementedError, "\"range_cpu\" not implemented for 'Bool'", lib):
        lib.range(0, 3, dtype=lib.bool)
    with raises(RuntimeError, "step must be nonzero", lib):
        lib.range(0, 3, math.nan)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_range_of_the_ends_of_int64() -> None:
    found = tg.range(-(2**63), 2**63 - 1, 2**62, dtype=tg.int64)
    assert found.tolist() == [-(2**63), -(2**62), 0, 2**62]
    with raises(RuntimeError, "step must be nonzero"):  # its fraction is cut off
        tg.range(0, 3, 0.5, dtype=tg.int64)
    with raises(RuntimeError, "invalid size, possible overflow?"):
        tg.range(-(2**63), 2**63 - 1, dtype=tg.int64)


@both
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_range_refuses(lib: Any) -> None:
    with raises(RuntimeError, "step must be nonzero", lib):
        lib.range(0, 3, 0)
    with raises(RuntimeError, "upper bound and lower bound inconsistent with step sign", lib):
        lib.range(3, 0)
    with pytest.raises(RuntimeError):
        lib.range(0, math.inf)
    with pytest.raises(RuntimeError):
        lib.range(0, 1e300, 1e-300)


@both
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_asarray(lib: Any) -> None:
    x = lib.ones(2, requires_grad=True)
    assert lib.asarray(x, requires_grad=True) is x
    assert lib.asarray(x).requires_grad
    assert not lib.asarray(x, requires_grad=False).requires_grad
    assert lib is not tg or lib.asarray(x * 2, copy=True).grad_fn is not None  # detached in PyTorch
    assert lib.asarray(x.detach()).data_ptr() == x.data_ptr()
    assert lib.asarray(x.detach(), copy=True).data_ptr() != x.data_ptr()
    assert lib.asarray([1, 2]).dtype == lib.int64
    assert lib.asarray(3.5, dtype=lib.float64).item() == 3.5
    values = np.ones(2)
    shared = lib.asarray(values)
    values[0] = 5
    assert shared.tolist() == [5, 1]
    assert lib.asarray(values, copy=True).data_ptr() != shared.data_ptr()
    assert lib.asarray(values, requires_grad=True).requires_grad
    with raises(ValueError, "can't alias tensor with dtype 'Float' into dtype 'Double'.", lib):
        lib.asarray(x, dtype=lib.float64, copy=False)
    with raises(ValueError, "can't alias tensor with dtype 'Double' into dtype 'Float'.", lib):
        lib.asarray(values, dtype=lib.float32, copy=False)
    with raises(ValueError, "can't alias arbitrary sequence into a tensor.", lib):
        lib.asarray([1, 2], copy=False)


@both
@pytest.mark.parametrize("offset", [-9, -3, -1, 0, 1, 2, 9, 2**63 - 1, -(2**63)])
def test_indices_of_triangles(lib: Any, offset: int) -> None:
    for rows, columns in ((3, 4), (4, 3), (0, 2), (2, 0), (1, 1)):
        near = max(min(offset, 10), -10)
        for name in ("tril", "triu"):
            if abs(offset) > 10 and lib is not tg:
                continue  # adds without a look at the range
            got = getattr(lib, f"{name}_indices")(rows, columns, offset)
            want = getattr(np, f"{name}_indices")(rows, near, columns)
            np.testing.assert_array_equal(array(got), np.stack(want))
            assert got.dtype == lib.int64


@both
def test_indices_of_triangles_refuse(lib: Any) -> None:
    assert lib.tril_indices(2, 2, dtype=lib.int32).dtype == lib.int32
    assert lib.triu_indices(2**40, 1, 1).shape == (2, 0)
    with raises(RuntimeError, "row must be non-negative, got-1", lib):
        lib.tril_indices(-1, 2)
    with raises(RuntimeError, "col must be non-negative, got-3", lib):
        lib.triu_indices(2, -3)
    with raises(NotImplementedError, "\"tril_indices\" not implemented for 'Float'", lib):
        lib.tril_indices(2, 3, dtype=lib.float32)
