"""Printed forms: literal examples, and PyTorch character by character where it is installed."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

import tapegrad
from both import both, function
from tapegrad._tensor_str import get_printoptions, printoptions, set_printoptions, tensor_str

DTYPES = ["float32", "float64", "int64", "int32", "uint8", "bool"]


@pytest.fixture(autouse=True)
def default_options():
    set_printoptions(profile="default")
    yield
    set_printoptions(profile="default")


def show(values, dtype="float32", **options):
    """Print an array of `values`."""
    tensor = tapegrad.from_numpy(np.array(values, dtype=dtype))
    with printoptions(**options):
        return tensor_str(tensor)


nan, inf = math.nan, math.inf


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        # whole floats, fixed point, scientific form
        ([2.0, 4.0, 6.0], "float32", "tensor([2., 4., 6.])"),
        ([0.7, 0.7], "float32", "tensor([0.7000, 0.7000])"),
        ([0.5, -1.0], "float32", "tensor([ 0.5000, -1.0000])"),
        ([1.0, 3.0, -0.0], "float32", "tensor([1., 3., -0.])"),
        ([-1.0, 0.0, 12.0], "float32", "tensor([-1.,  0., 12.])"),
        ([1.0, 1000.0], "float32", "tensor([   1., 1000.])"),
        ([1.0, 1001.0], "float32", "tensor([1.0000e+00, 1.0010e+03])"),
        ([0.5, 500.0], "float32", "tensor([  0.5000, 500.0000])"),
        ([0.5, 500.5], "float32", "tensor([5.0000e-01, 5.0050e+02])"),
        ([1e8], "float32", "tensor([100000000.])"),
        ([1.1e8], "float32", "tensor([1.1000e+08])"),
        ([1e-4], "float64", "tensor([0.0001], dtype=tapegrad.float64)"),
        ([9e-5], "float32", "tensor([9.0000e-05])"),
        ([0.0, 0.0], "float32", "tensor([0., 0.])"),
        # NaN and infinities neither choose the form nor widen the column
        ([nan, inf, -inf], "float32", "tensor([nan, inf, -inf])"),
        ([1.0, nan, -inf], "float32", "tensor([1., nan, -inf])"),
        ([0.5, nan, inf], "float32", "tensor([0.5000,    nan,    inf])"),
        ([1e-9, nan, -inf], "float32", "tensor([1.0000e-09,        nan,       -inf])"),
        # no dimension
        (12.0, "float32", "tensor(12.)"),
        (0.1, "float32", "tensor(0.1000)"),
        (nan, "float32", "tensor(nan)"),
        (1, "int64", "tensor(1)"),
        (True, "bool", "tensor(True)"),
        (7, "int32", "tensor(7, dtype=tapegrad.int32)"),
        # other dtypes
        ([1, -20, 300], "int64", "tensor([  1, -20, 300])"),
        ([True, False], "bool", "tensor([ True, False])"),
        ([1, 255], "uint8", "tensor([  1, 255], dtype=tapegrad.uint8)"),
        ([0.5], "float64", "tensor([0.5000], dtype=tapegrad.float64)"),
        # rows
        (
            [[3.0, 0.0, 0.0], [0.0, 12.0, 0.0]],
            "float32",
            "tensor([[ 3.,  0.,  0.],\n        [ 0., 12.,  0.]])",
        ),
        (
            [[[1, 2], [3, 4]], [[5, 6], [7, 8]]],
            "int64",
            "tensor([[[1, 2],\n         [3, 4]],\n\n        [[5, 6],\n         [7, 8]]])",
        ),
        # nothing
        ([], "float32", "tensor([])"),
        ([], "int64", "tensor([], dtype=tapegrad.int64)"),
        (np.zeros((0, 3)), "float32", "tensor([], size=(0, 3))"),
        (np.zeros((2, 0)), "bool", "tensor([], size=(2, 0), dtype=tapegrad.bool)"),
    ],
)
def test_literal(values, dtype, expected):
    assert show(values, dtype) == expected


def test_long_rows_are_broken_at_80_columns():
    assert show(range(30), "int64") == (
        "tensor([ 0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14, 15, 16, 17,\n"
        "        18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29])"
    )


def test_large_tensors_are_summarised():
    assert show(range(1001), "int64") == "tensor([   0,    1,    2,  ...,  998,  999, 1000])"
    assert show(range(1000), "int64").count("\n") == 71
    matrix = np.arange(1200).reshape(300, 4)
    assert show(matrix, "int64") == (
        "tensor([[   0,    1,    2,    3],\n"
        "        [   4,    5,    6,    7],\n"
        "        [   8,    9,   10,   11],\n"
        "        ...,\n"
        "        [1188, 1189, 1190, 1191],\n"
        "        [1192, 1193, 1194, 1195],\n"
        "        [1196, 1197, 1198, 1199]])"
    )


def test_summary_of_a_large_tensor_is_quick():
    tensor = tapegrad.zeros(4000, 1000)
    assert tensor_str(tensor).count("...") == 7


def test_suffixes():
    leaf = tapegrad.tensor([1.0, 2.0, 3.0], requires_grad=True)
    assert tensor_str(leaf) == "tensor([1., 2., 3.], requires_grad=True)"
    assert tensor_str(leaf * leaf) == "tensor([1., 4., 9.], grad_fn=<MulBackward0>)"
    double = tapegrad.tensor(0.5, dtype=tapegrad.float64, requires_grad=True)
    assert tensor_str(double) == ("tensor(0.5000, dtype=tapegrad.float64, requires_grad=True)")
    assert tensor_str(leaf.detach()) == "tensor([1., 2., 3.])"


@both
def test_the_default_dtype_is_not_shown(lib):
    before = lib.get_default_dtype()
    for default in (lib.float64, lib.float16, lib.float32):
        lib.set_default_dtype(default)
        try:
            for dtype in (lib.float16, lib.float32, lib.float64):
                for shape in ((2,), (0,), (0, 2)):
                    shown = repr(lib.ones(shape, dtype=dtype))
                    assert ("dtype=" in shown) == (dtype is not default), shown
        finally:
            lib.set_default_dtype(before)


def test_suffix_moves_to_a_new_line():
    row = tapegrad.tensor([0.5] * 8, requires_grad=True)
    assert tensor_str(row) == (
        "tensor([0.5000, 0.5000, 0.5000, 0.5000, 0.5000, 0.5000, 0.5000, 0.5000],\n"
        "       requires_grad=True)"
    )


def test_name_of_a_custom_function():
    Double = function(tapegrad, lambda ctx, x: x * 2, lambda ctx, grad: grad * 2, "Double")
    x = tapegrad.tensor([1.5], requires_grad=True)
    assert tensor_str(Double.apply(x)) == "tensor([3.], grad_fn=<DoubleBackward>)"


def test_contents_may_be_given():
    assert tensor_str(tapegrad.zeros(3), contents="...") == "tensor(...)"


def test_views_are_printed_as_they_look():
    base = tapegrad.arange(6).reshape(2, 3)
    assert tensor_str(base.T) == "tensor([[0, 3],\n        [1, 4],\n        [2, 5]])"
    assert tensor_str(base[:, ::2]) == "tensor([[0, 2],\n        [3, 5]])"
    assert tensor_str(tapegrad.tensor([7.0]).expand(3)) == "tensor([7., 7., 7.])"


def test_printing_leaves_the_tape_alone():
    x = tapegrad.tensor([1.0, 2.0], requires_grad=True)
    y = x * x
    node, version = y.grad_fn, y._version
    tensor_str(y)
    assert y.grad_fn is node and y._version == version
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 4.0]
    with tapegrad.no_grad():
        assert tensor_str(x) == "tensor([1., 2.], requires_grad=True)"


def test_repr_and_str():
    x = tapegrad.tensor([1.0, 2.5], requires_grad=True)
    assert repr(x) == str(x) == f"{x}" == "tensor([1.0000, 2.5000], requires_grad=True)"


def test_options():
    assert show([1.12345], precision=2) == "tensor([1.12])"
    assert show(range(10), "int64", threshold=5) == "tensor([0, 1, 2,  ..., 7, 8, 9])"
    assert show(range(10), "int64", threshold=5, edgeitems=1) == "tensor([0,  ..., 9])"
    assert show(range(6), "int64", linewidth=18) == "tensor([0, 1, 2,\n        3, 4, 5])"
    assert show([0.5], sci_mode=True) == "tensor([5.0000e-01])"
    assert show([0.00001], sci_mode=False) == "tensor([0.0000])"
    assert show(range(2000), "int64", profile="full").count(",") == 1999
    assert show([0.5], profile="short") == "tensor([0.50])"


def test_options_keep_and_restore():
    set_printoptions(precision=2, sci_mode=True)
    assert get_printoptions() == {
        "precision": 2,
        "threshold": 1000,
        "edgeitems": 3,
        "linewidth": 80,
        "sci_mode": True,
    }
    with printoptions(linewidth=40):
        options = get_printoptions()
        assert (options["linewidth"], options["precision"]) == (40, 2)
        assert options["sci_mode"] is None  # every call sets it
    assert get_printoptions()["sci_mode"] is True
    set_printoptions()
    assert get_printoptions()["sci_mode"] is None


# Against PyTorch ------------------------------------------------------------------------------


def assert_as_torch(array, requires_grad=False, **options):
    torch = pytest.importorskip("torch")
    ours = tapegrad.from_numpy(array)
    theirs = torch.from_numpy(array)
    if requires_grad:
        ours.requires_grad_()
        theirs.requires_grad_()
    with printoptions(**options), torch._tensor_str.printoptions(**options):
        expected = torch._tensor_str._str(theirs).replace("torch.", "tapegrad.")
        assert tensor_str(ours) == expected


def random_array(rng, dtype, shape):
    """Numbers of mixed magnitudes: whole, tiny, huge, with signs, zeros, NaN and infinities."""
    size = int(np.prod(shape))
    if dtype == "bool":
        return np.array(rng.random(size) < 0.5).reshape(shape)
    if not dtype.startswith("float"):
        high = int(rng.choice([2, 10, 200, 10**6]))
        low = 0 if dtype == "uint8" else -high
        return (
            rng.integers(low, min(high, 255) if dtype == "uint8" else high, size)
            .astype(dtype)
            .reshape(shape)
        )
    values = rng.standard_normal(size) * 10.0 ** rng.integers(-7, 10)
    if rng.random() < 0.4:
        values *= 10.0 ** rng.integers(-3, 4, size)
    if rng.random() < 0.4:
        values = np.round(values)
    if rng.random() < 0.3:
        values = np.abs(values)
    for special in (0.0, -0.0, nan, inf, -inf):
        if rng.random() < 0.2:
            values[rng.random(size) < 0.3] = special
    return values.astype(dtype).reshape(shape)


SHAPES = [(), (1,), (5,), (40,), (0,), (3, 0), (2, 3), (1, 1), (20, 3), (3, 30)]
SHAPES += [(2, 3, 4), (1, 2, 1, 3), (2, 2, 3, 2)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_as_torch(dtype, shape):
    rng = np.random.default_rng(abs(hash((len(shape), sum(shape)))) % 1000)
    for _ in range(12):
        array = random_array(rng, dtype, shape)
        assert_as_torch(array, requires_grad=dtype.startswith("float") and rng.random() < 0.5)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "shape", [(1001,), (300, 4), (4, 300), (50, 50), (9, 12, 11), (7, 2, 9, 8)], ids=str
)
def test_summaries_as_torch(dtype, shape):
    rng = np.random.default_rng(sum(shape))
    for _ in range(3):
        assert_as_torch(random_array(rng, dtype, shape))


OPTIONS = [
    dict(zip(("precision", "threshold", "edgeitems", "linewidth", "sci_mode"), row, strict=True))
    for row in itertools.product((0, 2, 7), (3, 30), (0, 1, 2), (20, 120), (None, True, False))
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: "-".join(map(str, o.values())))
def test_options_as_torch(options):
    rng = np.random.default_rng(7)
    for shape in [(), (2,), (12,), (7, 6), (3, 4, 5), (0, 2)]:
        for dtype in ("float32", "int64"):
            assert_as_torch(random_array(rng, dtype, shape), **options)


@pytest.mark.parametrize("profile", ["default", "short", "full"])
def test_profiles_as_torch(profile):
    array = random_array(np.random.default_rng(3), "float64", (30, 50))
    assert_as_torch(array, profile=profile)


def test_extreme_magnitudes_as_torch():
    for values in (
        [5e-324, 1.0],
        [5e-324],
        [1.7e308, 5e-324],
        [1e-45, 3e38],
        [99999.0, 100000.0, 0.1],
        [1e8, 1e5],
        [1e8 + 1, 1e6],
        [0.0001, 0.00010001],
        [123456789.0],
        [-0.0, 0.0],
        [1 / 3, 2 / 3],
        [0.99995, 0.99994],
    ):
        assert_as_torch(np.array(values))
        with np.errstate(over="ignore"):
            assert_as_torch(np.array(values, dtype=np.float32))


def test_custom_function_and_operators_as_torch():
    torch = pytest.importorskip("torch")
    ours = tapegrad.tensor([[1.5, -2.0], [3.0, 4.0]], requires_grad=True)
    theirs = torch.tensor([[1.5, -2.0], [3.0, 4.0]], requires_grad=True)
    for operate in (
        lambda x: x + x,
        lambda x: x * 2.0,
        lambda x: x - 1,
        lambda x: x / 3,
        lambda x: x @ x,
        lambda x: x.T,
        lambda x: x.sum(),
        lambda x: x.mean(0),
        lambda x: x.tanh(),
        lambda x: x[0],
        lambda x: x.exp().sum(1, keepdim=True),
    ):
        expected = torch._tensor_str._str(operate(theirs)).replace("torch.", "tapegrad.")
        assert tensor_str(operate(ours)) == expected


@both
def test_parameters_and_buffers(lib):
    """A buffer is printed as the tensor that it is, a parameter with what it is."""
    assert repr(lib.nn.Buffer(lib.ones(2))) == "tensor([1., 1.])"
    assert repr([lib.nn.Buffer(lib.ones(1))]) == "[tensor([1.])]"
    assert repr(lib.nn.Parameter(lib.ones(1))) == (
        "Parameter containing:\ntensor([1.], requires_grad=True)"
    )
    assert repr([lib.nn.init.calculate_gain(name) for name in ("linear", "conv1d")]) == "[1, 1]"
