"""NumPy, the buffer protocol and DLPack in both directions."""

from __future__ import annotations

import gc
import hashlib
import inspect
import math
import operator
import sys
import warnings
import zlib
from typing import Any

import numpy as np
import pytest

import tapegrad as tg
from both import both
from support import ALL, array, dtype_of, raises

DETACH = "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead."


# ---------------------------------------------------------------- from NumPy


@pytest.mark.parametrize("dtype", ALL)
def test_from_numpy_shares_memory(dtype: str) -> None:
    a = np.array([[1, 0, 1], [0, 1, 1]], dtype)
    x = tg.from_numpy(a)
    assert (x.dtype, tuple(x.shape), x.requires_grad) == (dtype_of(dtype), (2, 3), False)
    assert x.data_ptr() == a.ctypes.data
    a[0, 1] = 1
    assert x[0, 1].item() == 1
    x.zero_()
    assert not a.any()


@pytest.mark.parametrize(
    "view",
    [
        lambda a: a.T,
        lambda a: a[:, ::2],
        lambda a: a[1],
        lambda a: a[1:, 1:],
        lambda a: a[..., None],
        lambda a: a[:0],
        lambda a: a[1:2, 2:3].reshape(()),
        lambda a: np.broadcast_to(a[0], (2, 4)).copy(),
    ],
)
def test_from_numpy_keeps_strides(view: Any) -> None:
    a = view(np.arange(12.0).reshape(3, 4))
    x = tg.from_numpy(a)
    np.testing.assert_array_equal(x.numpy(), a)
    if a.size:
        assert x.stride() == tuple(s // a.itemsize for s in a.strides)


def test_from_numpy_keeps_the_array_alive() -> None:
    x = tg.from_numpy(np.arange(1000.0))
    gc.collect()
    junk = [np.zeros(1000) for _ in range(20)]
    assert x.sum().item() == 499500.0
    assert len(junk) == 20


def test_from_numpy_refuses() -> None:
    with raises(ValueError, "At least one stride in the given numpy array is negative"):
        tg.from_numpy(np.arange(3.0)[::-1])
    with raises(TypeError, "expected np.ndarray (got list)"):
        tg.from_numpy([1.0])
    for bad in (np.array(["a"]), np.array([object()]), np.array(["2020-01-01"], "M8[D]")):
        with raises(TypeError, "can't convert np.ndarray of type numpy."):
            tg.from_numpy(bad)
    swapped = np.arange(3.0).astype(">f8")
    with raises(
        ValueError, "given numpy array has byte order different from the native byte order."
    ):
        tg.from_numpy(swapped)


def test_read_only_array_warns() -> None:
    a = np.ones(3)
    a.flags.writeable = False
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        x = tg.from_numpy(a)
    # PyTorch warns once per process; the values are readable in any case.
    assert all("The given NumPy array is not writable" in str(w.message) for w in seen)
    assert x.tolist() == [1.0, 1.0, 1.0]


def test_tensor_copies_and_as_tensor_shares() -> None:
    a = np.arange(3.0)
    copied, shared = tg.tensor(a), tg.as_tensor(a)
    a[0] = 9
    assert copied[0].item() == 0
    assert shared[0].item() == 9
    assert tg.as_tensor(a, dtype=tg.float32).data_ptr() != a.ctypes.data
    x = tg.ones(2)
    assert tg.as_tensor(x) is x
    assert tg.tensor(np.arange(3)[::-1].copy()).tolist() == [2, 1, 0]
    assert tg.tensor(np.float32(2.5)).dtype == tg.float32
    assert tg.tensor([np.float64(1), np.float64(2)]).dtype == tg.float64
    assert tg.tensor(np.int32(7)).dtype == tg.int32


def test_list_of_arrays() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch calls it slow
        assert tg.tensor([np.arange(2.0), np.ones(2)]).tolist() == [[0.0, 1.0], [1.0, 1.0]]


# ---------------------------------------------------------------- to NumPy


@pytest.mark.parametrize("dtype", ALL)
def test_numpy_shares_memory(dtype: str) -> None:
    x = tg.ones(2, 3, dtype=dtype_of(dtype))
    a = x.numpy()
    assert (a.dtype, a.shape) == (np.dtype(dtype), (2, 3))
    a[0, 0] = 0
    assert x[0, 0].item() == 0
    x.zero_()
    assert not a.any()
    assert a.ctypes.data == x.data_ptr()


def test_numpy_keeps_strides_and_memory() -> None:
    a = tg.arange(12.0).view(3, 4).T[::2].numpy()
    gc.collect()
    assert (a.shape, a.strides) == ((2, 3), (8, 16))
    np.testing.assert_array_equal(a, np.arange(12.0).reshape(3, 4).T[::2])
    assert tg.tensor(3.0).numpy().shape == ()
    assert tg.zeros(0, 3).numpy().shape == (0, 3)
    assert tg.ones(1, 3).expand(2, 3).numpy().sum() == 6


def test_numpy_of_what_requires_grad() -> None:
    x = tg.ones(2, requires_grad=True)
    for bad in (x, x * 2):
        for call in (
            lambda t=bad: t.numpy(),
            lambda t=bad: np.asarray(t),
            lambda t=bad: np.array(t),
        ):
            with raises(RuntimeError, DETACH):
                call()
        assert bad.detach().numpy().shape == (2,)
        assert bad.numpy(force=True).shape == (2,)


def test_array_protocol() -> None:
    x = tg.arange(3.0)
    shared = np.asarray(x)
    shared[0] = 5
    assert x[0].item() == 5.0
    assert np.asarray(x, dtype=np.float64).dtype == np.float64
    assert np.asarray(x, dtype=np.int64).tolist() == [5, 1, 2]
    copied = np.array(x)
    copied[0] = 7
    assert x[0].item() == 5.0
    assert x.__array__().dtype == np.float32
    assert x.__array__(np.float64).dtype == np.float64
    assert np.array(x.reshape(1, 3)).shape == (1, 3)


@pytest.mark.skipif(tg.__name__ != "tapegrad", reason="PyTorch's __array__ takes no copy")
def test_array_protocol_with_copy() -> None:
    """NumPy 2 asks for `copy`; False means: share or refuse."""
    x = tg.arange(3.0)
    assert np.shares_memory(x.__array__(copy=False), x.numpy())
    assert not np.shares_memory(x.__array__(copy=True), x.numpy())
    with pytest.raises(ValueError):
        x.__array__(np.float64, copy=False)


ARITHMETIC = tuple(
    getattr(operator, name)
    for name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul")
)
BITS = tuple(getattr(operator, name) for name in ("and_", "or_", "xor", "lshift", "rshift"))
COMPARISONS = tuple(getattr(operator, name) for name in ("eq", "ne", "lt", "le", "gt", "ge"))
KINDS = ("float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool")


def is_tensor_like(x: Any, want: Any) -> None:
    """A tensor of the values and of the dtype that NumPy gives."""
    assert isinstance(x, tg.Tensor)
    assert str(x.dtype).rpartition(".")[2] == want.dtype.name
    np.testing.assert_array_equal(x.numpy(), want)


@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("other", KINDS)
def test_operators_with_arrays(dtype: str, other: str) -> None:
    """Element by element, in both orders, as NumPy computes; the result is a tensor."""
    x, a = np.array([3, 1, 2], dtype), np.array([1, 3, 2], other)
    t = tg.tensor(x.tolist(), dtype=dtype_of(dtype))
    functions = ARITHMETIC + COMPARISONS
    if "float" not in dtype + other:
        functions += BITS
    for function in functions:
        try:
            want, reflected = function(x, a), function(a, x)
            supported = want.dtype.name in KINDS and reflected.dtype.name in KINDS
        except TypeError:  # - of bools
            supported = False
        if not supported:
            with pytest.raises((TypeError, RuntimeError)):
                function(t, a)
            continue
        is_tensor_like(function(t, a), want)
        if function is operator.truediv:
            np.testing.assert_allclose(function(a, t).numpy(), reflected, rtol=1e-6)
        else:
            is_tensor_like(function(a, t), reflected)


def test_operators_broadcast_arrays() -> None:
    t, a = tg.ones(3, 1), np.ones((2, 1, 4))
    assert (t * a).shape == (a * t).shape == (2, 3, 4)
    assert (t == a).shape == (a != t).shape == (2, 3, 4)
    for call in (lambda: tg.ones(3) * np.ones(4), lambda: np.ones(4) * tg.ones(3)):
        with raises(ValueError, "operands could not be broadcast together"):
            call()
    assert (tg.arange(3.0) + np.arange(3.0)[::-1]).tolist() == [2.0, 2.0, 2.0]
    assert (np.broadcast_to(2.0, 3) * tg.arange(3.0)).tolist() == [0.0, 2.0, 4.0]
    assert (tg.tensor(1.0) + np.ones(2)).tolist() == [2.0, 2.0]
    assert (tg.ones(2) + np.array(1)).tolist() == [2.0, 2.0]
    assert (tg.ones(2) == np.ma.array([1.0, 2.0])).tolist() == [True, False]


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_operators_with_arrays_in_place(dtype: str) -> None:
    for function in (operator.iadd, operator.isub, operator.imul, operator.ifloordiv):
        x = t = tg.full((3,), 6, dtype=dtype_of(dtype))
        memory = t.data_ptr()
        t = function(t, np.array([1, 2, 3]))
        assert t is x and t.data_ptr() == memory and t.dtype is dtype_of(dtype)
        assert t.tolist() == function(np.full(3, 6, dtype), np.array([1, 2, 3])).tolist()
    t = tg.arange(4.0)
    t += t.numpy()[::-1]
    assert t.tolist() == [3.0, 3.0, 3.0, 3.0]
    with raises(RuntimeError, "result type Double can't be cast to the desired output type Long"):
        t = tg.ones(2, dtype=tg.int64)
        t += np.ones(2)


@both
def test_arrays_are_not_recorded(lib: Any) -> None:
    x = lib.ones(2, requires_grad=True)
    for call in (
        lambda: x + np.ones(2),
        lambda: x @ np.ones(2),
        lambda: np.sin(x),
        lambda: np.add(np.ones(2), x),
    ):
        with raises(RuntimeError, DETACH, lib):
            call()
    with raises(RuntimeError, DETACH, lib):
        x += np.ones(2)
    assert (x == np.ones(2)).tolist() == [True, True]


def test_arrays_before_tensors_are_not_recorded() -> None:
    x = tg.ones(2, requires_grad=True)
    for call in (lambda: np.ones(2) * x, lambda: np.ones(2) - x, lambda: np.mean(x)):
        with raises(RuntimeError, DETACH):
            call()


@both
def test_universal_functions_give_tensors(lib: Any) -> None:
    x = lib.tensor([[1.0, 2.0], [3.0, 4.0]])
    values = x.numpy()
    for function in (np.sin, np.exp, np.sqrt, np.negative, np.floor, np.square):
        result = function(x)
        assert isinstance(result, lib.Tensor)
        np.testing.assert_array_equal(result.numpy(), function(values))
    for function in (np.add, np.multiply, np.maximum, np.power, np.matmul):
        result = function(x, x)
        assert isinstance(result, lib.Tensor)
        np.testing.assert_array_equal(result.numpy(), function(values, values))
    parts = np.divmod(x, 2)
    assert [type(part) for part in parts] == [lib.Tensor, lib.Tensor]
    assert np.add.reduce(x).tolist() == [4.0, 6.0]
    assert np.linalg.inv(x).shape == (2, 2)
    out = np.zeros((2, 2))
    assert np.sin(x, out=out) is out


def test_tests_of_numpy_give_bools() -> None:
    """PyTorch makes uint8 of them."""
    assert np.isnan(tg.tensor([1.0, math.nan])).dtype is tg.bool
    assert np.greater(tg.ones(2), 0).tolist() == [True, True]


@pytest.mark.parametrize(
    "name", ["mean", "sum", "prod", "max", "min", "std", "var", "any", "all", "argmax", "cumsum"]
)
def test_reductions_of_numpy(name: str) -> None:
    x = tg.tensor([[4.0, 9.0, 2.0], [1.0, 0.0, 7.0]])
    function = getattr(np, name)
    for options in ({}, {"axis": 0}, {"axis": 1}):
        result = function(x, **options)
        assert isinstance(result, tg.Tensor)
        want = function(x.numpy(), **options)
        assert str(result.dtype).rpartition(".")[2] == want.dtype.name
        np.testing.assert_array_equal(result.numpy(), want)
    if name in ("mean", "sum", "max"):
        assert function(x, axis=0, keepdims=True).shape == (1, 3)
    assert np.round(tg.tensor([1.26]), 1).tolist() == pytest.approx([1.3])
    assert np.std(x, ddof=1).item() == pytest.approx(float(np.std(x.numpy(), ddof=1)))
    assert np.clip(x, 2, 5).max().item() == 5.0
    assert np.reshape(x, (3, 2)).shape == np.transpose(x).shape == (3, 2)


def test_wrapping() -> None:
    x = tg.ones(2)
    assert x.__array_wrap__(np.ones(3)).dtype is tg.float64
    assert x.__array_wrap__(np.array(3.0), None, True).item() == 3.0
    assert x.__array_wrap__(np.arange(3)[::-1]).tolist() == [2, 1, 0]
    assert tg.Tensor.__array_priority__ == 1000
    for missing in (None, "a", [1.0, 1.0]):
        assert (x == missing) is False
        with pytest.raises(TypeError):
            x + missing


def test_numpy_functions_take_tensors() -> None:
    x = tg.tensor([4.0, 9.0])
    np.testing.assert_array_equal(np.sqrt(x), [2.0, 3.0])
    assert np.concatenate([x, np.ones(1)]).tolist() == [4.0, 9.0, 1.0]
    assert np.sum(np.asarray(x)) == 13.0
    np.testing.assert_allclose(x, [4.0, 9.0])


def test_arithmetic_with_numpy_scalars() -> None:
    x = tg.tensor([1.0, 2.0])
    for y in (x * np.float64(2), x + np.float32(1), x - np.int64(1), x / np.float64(2)):
        assert isinstance(y, tg.Tensor)
        assert y.dtype == tg.float32


def test_to_python() -> None:
    x = tg.tensor([[0.1, 2.0]])
    assert x.tolist() == [[0.10000000149011612, 2.0]]
    assert tg.tensor([[1, 2], [3, 4]]).tolist() == [[1, 2], [3, 4]]
    assert tg.tensor([True, False]).tolist() == [True, False]
    assert tg.tensor(3).tolist() == 3
    assert tg.zeros(2, 0).tolist() == [[], []]
    assert tg.arange(6).view(2, 3).T.tolist() == [[0, 3], [1, 4], [2, 5]]
    assert tg.ones(1, requires_grad=True).tolist() == [1.0]
    for value, kind in ((2.5, float), (3, int), (True, bool)):
        got = tg.tensor([value]).item()
        assert got == value
        assert type(got) is kind
    assert (float(tg.tensor(2)), int(tg.tensor(2.9)), bool(tg.tensor(0.0))) == (2.0, 2, False)
    assert complex(tg.tensor(2.0)) == 2 + 0j
    assert f"{tg.tensor(2.5):.2f}" == "2.50"


# ---------------------------------------------------------------- the buffer protocol


def test_reading_buffers() -> None:
    data = bytearray(np.arange(4, dtype=np.float32).tobytes())
    x = tg.frombuffer(data, dtype=tg.float32)
    assert x.tolist() == [0.0, 1.0, 2.0, 3.0]
    x[0] = 7.0
    assert np.frombuffer(data, np.float32)[0] == 7.0
    assert tg.frombuffer(data, dtype=tg.float32, offset=4, count=2).tolist() == [1.0, 2.0]
    with raises(ValueError):
        tg.frombuffer(data, dtype=tg.float32, count=9)


@pytest.mark.skipif(tg.__name__ != "tapegrad", reason="PyTorch's tensors export no buffer")
def test_exporting_buffers() -> None:
    x = tg.arange(6.0).view(2, 3)
    view = memoryview(x)
    assert (view.shape, view.strides, view.format, view.readonly) == ((2, 3), (12, 4), "f", False)
    view[1, 2] = 50.0
    assert x[1, 2].item() == 50.0
    assert memoryview(x.T).strides == (4, 12)
    hold = memoryview(tg.ones(1000))
    gc.collect()
    assert hold[999] == 1.0
    with pytest.raises(BufferError):
        memoryview(tg.ones(2, requires_grad=True))


@pytest.mark.skipif(tg.__name__ != "tapegrad", reason="PyTorch's tensors export no buffer")
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 0, 3)])
def test_buffers_without_a_shape_are_bytes(shape: tuple[int, ...]) -> None:
    x = tg.ones(shape)
    want = array(x).tobytes()
    assert hashlib.sha256(x).digest() == hashlib.sha256(want).digest()
    assert zlib.crc32(x) == zlib.crc32(want)
    if sys.version_info >= (3, 12):
        with x.__buffer__(inspect.BufferFlags.SIMPLE) as view:
            assert (view.shape, view.format, view.tolist()) == ((x.nbytes,), "B", list(want))


# ---------------------------------------------------------------- DLPack


@pytest.mark.parametrize("dtype", ALL)
def test_dlpack_out(dtype: str) -> None:
    x = tg.tensor([[1, 0], [1, 1], [0, 0]], dtype=dtype_of(dtype))
    a = np.from_dlpack(x)
    assert (a.dtype, a.shape) == (np.dtype(dtype), (3, 2))
    assert a.ctypes.data == x.data_ptr()
    x[2, 1] = 1
    assert a[2, 1] == 1
    assert np.from_dlpack(x.T).shape == (2, 3)


@pytest.mark.parametrize("dtype", ALL)
def test_dlpack_in(dtype: str) -> None:
    a = np.array([[1, 0], [1, 1], [0, 0]], dtype)
    x = tg.from_dlpack(a)
    assert (x.dtype, tuple(x.shape)) == (dtype_of(dtype), (3, 2))
    assert x.data_ptr() == a.ctypes.data
    y = tg.from_dlpack(a.T)
    assert y.tolist() == a.T.tolist()
    del a
    gc.collect()
    assert x.sum().item() == 3


def test_dlpack_round_trip_and_device() -> None:
    x = tg.arange(6.0).view(2, 3)
    y = tg.from_dlpack(x)
    assert y.data_ptr() == x.data_ptr()
    assert x.__dlpack_device__() == (1, 0)


def test_dlpack_capsule_is_freed_unused() -> None:
    capsule = tg.ones(10).__dlpack__()
    del capsule
    gc.collect()


def test_dlpack_refuses_what_requires_grad() -> None:
    with raises(BufferError, "Can't export tensors that require gradient, use tensor.detach()"):
        np.from_dlpack(tg.ones(2, requires_grad=True))
    assert np.from_dlpack(tg.ones(2, requires_grad=True).detach()).sum() == 2


# ---------------------------------------------------------------- the tape beside NumPy


def test_numpy_data_in_a_graph() -> None:
    data = np.random.default_rng(0).normal(size=(5, 3))
    w = tg.zeros(3, dtype=tg.float64, requires_grad=True)
    ((tg.from_numpy(data) @ w - 1) ** 2).sum().backward()
    np.testing.assert_allclose(w.grad.numpy(), -2 * data.sum(0))


def test_write_through_numpy_into_a_leaf() -> None:
    x = tg.ones(3, requires_grad=True)
    x.detach().numpy()[:] = 5
    assert x.tolist() == [5.0, 5.0, 5.0]


@both
def test_arrays_of_what_requires_grad_where_nothing_is_recorded(lib: Any) -> None:
    x = lib.ones(2, requires_grad=True)
    for off in (lib.no_grad, lib.inference_mode):
        with off():
            assert x.numpy().tolist() == np.asarray(x).tolist() == [1, 1]
    with pytest.raises(RuntimeError, match=r"Can't call numpy\(\) on Tensor that requires grad"):
        x.numpy()
