"""Reading and assigning with every kind of index, against NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tapegrad as tg
from both import both
from support import ALL, array, contiguous, raises, tensor

X = np.arange(24.0).reshape(2, 3, 4)


def x() -> Any:
    return contiguous(X)


BASIC = [
    0,
    -1,
    1,
    (0, 1),
    (1, -1, 2),
    slice(None),
    slice(1, None),
    slice(None, -1),
    slice(5, 9),
    slice(-9, 9),
    slice(1, 0),
    (slice(None), slice(0, 3, 2)),
    (..., 0),
    (0, ...),
    (..., slice(1, 3)),
    (slice(1), ..., -1),
    None,
    (None, 0),
    (0, None),
    (..., None),
    (None, ..., None),
    (0, slice(None), None, 1),
    ...,
    (),
    (slice(None), slice(None), slice(3, None, 7)),
    np.int64(1),
    (np.int32(0), slice(None)),
]
ADVANCED = [
    [0],
    [1, 0, 1],
    [[0, 1], [1, 1]],
    ([0, 1], [2, 0]),
    ([0], slice(None), [1, 2]),
    (slice(None), [2, 0]),
    (slice(None), [2, 0], slice(1, 3)),
    (..., [3, 3, 0]),
    ([1, 0], ..., 1),
    (None, [0, 1]),
    ([[0], [1]], [0, 2]),
    (0, [1, 2]),
    (0, slice(None), [1, 2]),
    ([-1, -2], [-3, 2], [0, -4]),
    (slice(None), 1, [0, 3]),
    [],
    ([0, 1], None, [1, 2]),
    ([], [1]),
    [True, False],
    ([True, True], 0),
    (slice(None), [True, False, True]),
]


def as_tensors(index: Any) -> Any:
    """The same index with tensors in the place of lists."""
    if isinstance(index, tuple):
        return tuple(as_tensors(i) for i in index)
    if isinstance(index, list):
        values = np.array(index)
        return contiguous(values if index else values.astype(np.int64))
    return index


def as_arrays(index: Any) -> Any:
    if isinstance(index, tuple):
        return tuple(as_arrays(i) for i in index)
    return np.array(index, dtype=None if index else np.int64) if isinstance(index, list) else index


def parts(index: Any) -> tuple:
    """Integers select first, as in PyTorch; NumPy would count them among the arrays."""
    index = index if isinstance(index, tuple) else (index,)
    first: list = []
    for i in index:
        if isinstance(i, np.ndarray):
            first += [slice(None)] * (i.ndim if i.dtype == bool else 1)
        elif i is not None:
            first.append(slice(None) if isinstance(i, slice) else i)
    whole = () if any(i is Ellipsis for i in first) else (...,)
    rest = tuple(i for i in index if not isinstance(i, int | np.integer) or isinstance(i, bool))
    return (*first, *whole), rest


def read(values: np.ndarray, index: Any) -> np.ndarray:
    first, rest = parts(as_arrays(index))
    return values[first][rest]


def write(values: np.ndarray, index: Any, new: Any, ufunc: Any = None) -> None:
    first, rest = parts(as_arrays(index))
    if ufunc is None:
        values[first][rest] = new
    else:
        ufunc.at(values[first], rest, new)


@pytest.mark.parametrize("index", BASIC, ids=str)
def test_basic_read_is_a_view(index: Any) -> None:
    base = x()
    y = base[index]
    np.testing.assert_array_equal(array(y), X[index])
    assert y._base is base
    if y.numel():
        y.fill_(-1)
        assert (array(base) == -1).sum() == X[index].size


@pytest.mark.parametrize("form", ["lists", "tensors", "arrays"])
@pytest.mark.parametrize("index", ADVANCED, ids=str)
def test_advanced_read_is_a_copy(index: Any, form: str) -> None:
    if form == "lists" and isinstance(index, list) and np.ndim(index) == 2:
        pytest.skip("PyTorch reads a nested list as a tuple in some versions")
    base = x()
    key = {"tensors": as_tensors, "arrays": as_arrays, "lists": lambda i: i}[form](index)
    y = base[key]
    np.testing.assert_array_equal(array(y), read(X, index))
    y.fill_(-1)
    np.testing.assert_array_equal(array(base), X)


@pytest.mark.parametrize("index", BASIC + ADVANCED, ids=str)
def test_assignment(index: Any) -> None:
    places = read(np.arange(X.size).reshape(X.shape), index)
    shape = places.shape
    many = np.arange(float(np.prod(shape))).reshape(shape)
    repeated = np.unique(places).size < places.size  # two writes to one place have no order
    for value in (7.0, np.ones((1, *shape)), np.ones(()), *([] if repeated else [many])):
        mine, other = x(), X.copy()
        mine[as_tensors(index)] = contiguous(value) if isinstance(value, np.ndarray) else value
        write(other, index, np.reshape(value, shape) if np.size(value) == places.size else value)
        np.testing.assert_array_equal(array(mine), other)


@pytest.mark.parametrize("index", BASIC + ADVANCED, ids=str)
def test_gradient_of_a_read(index: Any) -> None:
    leaf = x().requires_grad_()
    y = leaf[as_tensors(index)]
    weights = np.arange(1.0, y.numel() + 1).reshape(tuple(y.shape))
    (y * contiguous(weights)).sum().backward()
    want = np.zeros_like(X)
    write(want, index, weights, np.add)
    np.testing.assert_array_equal(array(leaf.grad), want)


@pytest.mark.parametrize("index", BASIC[:20] + ADVANCED[7:14], ids=str)
def test_gradients_of_an_assignment(index: Any) -> None:
    leaf = x().requires_grad_()
    places = read(np.arange(X.size).reshape(X.shape), index)
    value = contiguous(np.ones(places.shape)).requires_grad_()
    y = leaf * 2
    y[as_tensors(index)] = value * 3
    (y * y).sum().backward()
    kept = np.ones_like(X)
    write(kept, index, 0)
    np.testing.assert_array_equal(array(leaf.grad), 8 * X * kept)
    if np.unique(places).size == places.size:
        np.testing.assert_array_equal(array(value.grad), np.full(value.shape, 18.0))


def test_masks() -> None:
    y = x()
    assert y[y > 20].tolist() == [21.0, 22.0, 23.0]
    assert y[tg.tensor([True, False])].shape == (1, 3, 4)
    assert y[tg.zeros(2, 3, dtype=tg.bool)].shape == (0, 4)
    assert y[True].shape == (1, 2, 3, 4)
    assert y[False].shape == (0, 2, 3, 4)
    assert y[tg.tensor(True)].shape == (1, 2, 3, 4)
    assert y[:, tg.tensor([True, False, True]), 0].tolist() == [[0.0, 8.0], [12.0, 20.0]]
    y[y > 20] = 0.0
    y[y < 2] += 10
    assert y.sum().item() == X.sum() - 66 + 50
    y[(y > 5) & (y < 8)] = tensor(np.array([1.0, 2.0]))
    assert y[0, 1].tolist() == [4.0, 5.0, 1.0, 2.0]


def test_augmented_assignment() -> None:
    y = x()
    y[0] += 1
    y[:, 0] *= 2
    y[..., -1] -= 3
    want = X.copy()
    want[0] += 1
    want[:, 0] *= 2
    want[..., -1] -= 3
    np.testing.assert_array_equal(array(y), want)


def test_python_values_are_assigned() -> None:
    y = tg.zeros(2, 3)
    y[0] = 1
    y[1, 2] = True
    y[1, 0] = tg.tensor(2.5, dtype=tg.float64)
    assert y.tolist() == [[1.0, 1.0, 1.0], [2.5, 0.0, 1.0]]
    i = tg.zeros(3, dtype=tg.int64)
    i[:] = 2.9
    i[0] = tg.tensor(7.7)
    assert i.tolist() == [7, 2, 2]
    b = tg.zeros(2, dtype=tg.bool)
    b[0] = 3
    assert b.tolist() == [True, False]


def test_whole_and_empty_assignments() -> None:
    y = x()
    y[...] = 1
    y[:] = 2.0
    y[tg.zeros(2, dtype=tg.bool)] = 5.0
    y[1:0] = 9.0
    y[tg.tensor([], dtype=tg.int64)] = 9.0
    assert array(y).min() == array(y).max() == 2
    s = tg.tensor(1.0)
    s[...] = 4
    s[()] = s + 1
    s[None] = s + 1
    assert s.item() == 6.0


def test_copy_between_overlapping_rows() -> None:
    y = tg.arange(4.0).view(2, 2)
    y[0] = y[1]
    assert y.tolist() == [[2.0, 3.0], [2.0, 3.0]]


def test_accumulating_put() -> None:
    y = tg.zeros(3)
    y.index_put_((tg.tensor([0, 2, 0]),), tg.tensor([1.0, 2.0, 3.0]), accumulate=True)
    assert y.tolist() == [4.0, 0.0, 2.0]


@pytest.mark.parametrize("dtype", ALL)
def test_every_dtype(dtype: str) -> None:
    values = np.array([[1, 0, 1], [0, 1, 1]]).astype(dtype)
    y = contiguous(values)
    np.testing.assert_array_equal(array(y[1, ::2]), values[1, ::2])
    np.testing.assert_array_equal(array(y[tg.tensor([1, 0, 1])]), values[[1, 0, 1]])
    np.testing.assert_array_equal(array(y[y > 0]), values[values > 0])
    y[y > 0] = 0
    assert not array(y).any()


def test_index_dtypes() -> None:
    y = tg.arange(5.0)
    for dtype in (tg.int64, tg.int32):
        assert y[tg.tensor([3, -1], dtype=dtype)].tolist() == [3.0, 4.0]
    assert y[tg.tensor(2)].item() == 2.0
    assert y[tg.tensor(2)].shape == ()


def test_iteration_len_and_containment() -> None:
    y = x()
    assert len(y) == 2
    assert [tuple(row.shape) for row in y] == [(3, 4)] * 2
    first, second = y
    assert (second[0, 0].item(), first.sum().item()) == (12.0, 66.0)
    assert 5.0 in y
    assert -1 not in y
    assert len(tg.zeros(0, 3)) == 0
    assert list(tg.zeros(0, 3)) == []
    assert [v.item() for v in reversed(tg.arange(3))] == [2, 1, 0]
    assert [1, 2, 3][tg.tensor(1)] == 2  # __index__
    leaf = tg.tensor([1.0, 2.0], requires_grad=True)
    a, b = leaf
    (a * b).backward()
    assert leaf.grad.tolist() == [2.0, 1.0]


# ---------------------------------------------------------------- what is refused

OUT = "index {} is out of bounds for dimension {} with size {}"
BAD: dict[str, tuple] = {
    "int": (2, IndexError, OUT.format(2, 0, 2)),
    "negative": ((0, -4), IndexError, OUT.format(-4, 1, 3)),
    "third": ((0, 0, 4), IndexError, OUT.format(4, 2, 4)),
    "behind-ellipsis": ((..., 4), IndexError, "index 4 is out of bounds for dimension "),
    "too-many": ((0, 0, 0, 0), IndexError, "too many indices for tensor of dimension 3"),
    "too-many-with-none": (
        (None, 0, 0, 0, 0),
        IndexError,
        "too many indices for tensor of dimension 3",
    ),
    "float": (
        1.5,
        IndexError,
        "only integers, slices (`:`), ellipsis (`...`), None and long or byte "
        "Variables are valid indices (got float)",
    ),
    "string": ("a", (IndexError, TypeError), ""),
    "negative-step": (slice(None, None, -1), ValueError, "step must be greater than zero"),
    "inner-negative-step": ((0, slice(2, 0, -1)), ValueError, "step must be greater than zero"),
    "zero-step": (slice(None, None, 0), ValueError, "slice step cannot be zero"),
    "float-slice": (slice(0.5, 2), TypeError, ""),
    "tensor": (lambda: tg.tensor([0, 2]), IndexError, OUT.format(2, 0, 2)),
    "negative-tensor": (
        lambda: (0, tg.tensor([-4])),
        IndexError,
        "index -4 is out of bounds for dimension ",
    ),
    "float-tensor": (
        lambda: tg.tensor([1.0]),
        IndexError,
        "tensors used as indices must be long, int, byte or bool tensors",
    ),
    "shapes": (
        lambda: (tg.tensor([0, 1]), tg.tensor([0, 1, 2])),
        IndexError,
        "shape mismatch: indexing tensors could not be broadcast together with shapes [2], [3]",
    ),
    "mask": (
        lambda: tg.ones(3) > 0,
        IndexError,
        "The shape of the mask [3] at index 0 does not match the "
        "shape of the indexed tensor [2, 3, 4] at index 0",
    ),
    "second-mask": (
        lambda: (slice(None), tg.ones(2) > 0),
        IndexError,
        "The shape of the mask [2] at index 0 "
        "does not match the shape of the indexed tensor [2, 3, 4] at index 1",
    ),
    "two-masks": (lambda: (tg.ones(2) > 0, tg.ones(3) > 0), IndexError, "shape mismatch"),
    "mask-too-deep": (
        lambda: tg.ones(2, 3, 4, 1) > 0,
        IndexError,
        "too many indices for tensor of dimension 3",
    ),
}


@pytest.mark.parametrize("write", [False, True], ids=["read", "write"])
@pytest.mark.parametrize("case", BAD)
def test_bad_index(case: str, write: bool) -> None:
    """A refused assignment has written nothing, not even its valid places."""
    index, kind, start = BAD[case]
    key, y = index() if callable(index) else index, x()
    with raises(kind, start):
        if write:
            y[key] = 0.0
        else:
            y[key]
    np.testing.assert_array_equal(array(y), X)


def test_values_that_do_not_fit() -> None:
    y = tg.ones(2, 3)
    with raises(
        RuntimeError,
        "The expanded size of the tensor (3) must match the existing size (2) at "
        "non-singleton dimension 0.  Target sizes: [3].  Tensor sizes: [2]",
    ):
        y[0] = tg.ones(2)
    with raises(
        RuntimeError,
        "shape mismatch: value tensor of shape [3, 3] cannot be broadcast to "
        "indexing result of shape [2, 3]",
    ):
        y[tg.tensor([0, 1])] = tg.ones(3, 3)
    with raises(
        RuntimeError,
        "shape mismatch: value tensor of shape [5] cannot be broadcast to "
        "indexing result of shape [6]",
    ):
        y[y > 0] = tg.ones(5)
    with raises(
        RuntimeError,
        "Index put requires the source and destination dtypes match, got Float for "
        "the destination and Double for the source.",
    ):
        y[tg.tensor([0])] = tg.ones(3, dtype=tg.float64)
    with raises(TypeError, "can't assign a str to a tapegrad.FloatTensor"):
        y[0] = "a"
    with raises(TypeError, "Tensor does not support deleting items"):
        del y[0]
    assert y.tolist() == [[1.0] * 3] * 2


# ---------------------------------------------------------------- properties


def slices(size: int) -> st.SearchStrategy:
    bound = st.one_of(st.none(), st.integers(-size - 2, size + 2))
    return st.builds(slice, bound, bound, st.one_of(st.none(), st.integers(1, 4)))


@st.composite
def shapes_and_indices(draw: Any) -> tuple:
    shape = draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    used = draw(st.integers(0, len(shape)))
    common = draw(st.lists(st.integers(1, 3), max_size=2))
    index: list = []
    for size in shape[:used]:
        kind = draw(st.sampled_from(["int", "slice", "array", "mask"]))
        if kind == "int":
            index.append(draw(st.integers(-size, size - 1)))
        elif kind == "slice":
            index.append(draw(slices(size)))
        elif kind == "array":
            places = st.integers(-size, size - 1)
            flat = draw(
                st.lists(places, min_size=int(np.prod(common)), max_size=int(np.prod(common)))
            )
            index.append(np.array(flat, np.int64).reshape(common))
        elif not any(isinstance(i, np.ndarray) for i in index):
            index.append(np.array(draw(st.lists(st.booleans(), min_size=size, max_size=size))))
            common = []  # a mask and arrays need not broadcast
        else:
            index.append(slice(None))
        if draw(st.integers(0, 5)) == 0:
            index.append(None)
    if draw(st.booleans()):
        index.append(...)
    return tuple(shape), tuple(index)


@given(shapes_and_indices())
def test_any_index_agrees_with_numpy(case: tuple) -> None:
    shape, index = case
    values = np.arange(float(np.prod(shape))).reshape(shape)
    key = tuple(contiguous(i) if isinstance(i, np.ndarray) else i for i in index)
    y = contiguous(values).requires_grad_()
    got, want = y[key], read(values, index)
    np.testing.assert_array_equal(array(got), want)
    got.sum().backward()
    counts = np.zeros(shape)
    write(counts, index, 1.0, np.add)
    np.testing.assert_array_equal(array(y.grad), counts)
    z = contiguous(values)
    z[key] = -1.0
    write(values, index, -1.0)
    np.testing.assert_array_equal(array(z), values)


INDICES: dict[str, Callable[[Any], Any]] = {
    "range": lambda lib: range(2),
    "ranges": lambda lib: (range(2), range(1, 3)),
    "list": lambda lib: [1, 0],
    "list-of-lists": lambda lib: [[0, 1], [1, 2]],
    "list-of-one-list": lambda lib: [[0, 1]],
    "list-of-tuples": lambda lib: [(0, 1), (1, 2)],
    "list-of-ranges": lambda lib: [range(2), range(2)],
    "list-with-slice": lambda lib: [0, slice(None)],
    "list-with-slice-first": lambda lib: [slice(None), 0],
    "list-with-ellipsis": lambda lib: [..., 0],
    "list-with-none": lambda lib: [None, 0],
    "list-of-tensors": lambda lib: [lib.tensor([0, 1]), lib.tensor([1, 2])],
    "list-of-numbers-in-tensors": lambda lib: [lib.tensor(0), lib.tensor(1)],
    "list-of-one-tensor": lambda lib: [lib.tensor([1, 0])],
    "list-of-an-array": lambda lib: [np.array([0, 1]), 0],
    "list-of-nothing": lambda lib: [[]],
    "nothing": lambda lib: [],
    "bools": lambda lib: [True, False],
    "array": lambda lib: np.array([1, 0]),
    "short-array": lambda lib: np.array([1, 0], dtype=np.int16),
    "array-of-bytes": lambda lib: np.array([1, 0], dtype=np.uint8),
    "array-of-bools": lambda lib: np.array([True, False]),
    "array-of-one": lambda lib: np.array(1),
    "bytes": lambda lib: lib.tensor([1, 0], dtype=lib.uint8),
    "bytes-of-all": lambda lib: lib.tensor([[1, 0, 1], [0, 1, 0]], dtype=lib.uint8),
    "byte": lambda lib: lib.tensor(1, dtype=lib.uint8),
}


@both
@pytest.mark.parametrize("case", INDICES)
@pytest.mark.filterwarnings("ignore:indexing with dtype .*uint8 is now deprecated")
def test_forms_of_indices(case: str, lib: Any) -> None:
    x = lib.arange(6.0).view(2, 3)
    got = x[INDICES[case](lib)]
    want = tg.arange(6.0).view(2, 3)[INDICES[case](tg)]
    assert got.tolist() == want.tolist()
    assert tuple(got.shape) == want.shape


@pytest.mark.filterwarnings("ignore:indexing with dtype .*uint8 is now deprecated")
def test_forms_of_indices_are_written() -> None:
    for case, make in INDICES.items():
        x = tg.zeros(2, 3)
        x[make(tg)] = 7
        index = make(tg)
        assert x[index].eq(7).all(), case
        assert (x == 7).sum().item() == len(set(tg.arange(6).view(2, 3)[make(tg)].ravel().tolist()))


@both
def test_byte_masks_warn(lib: Any) -> None:
    text = rf"indexing with dtype {lib.__name__}\.uint8 is now deprecated, please use a dtype"
    with pytest.warns(UserWarning, match=text):
        assert lib.arange(2)[lib.tensor([0, 1], dtype=lib.uint8)].tolist() == [1]


@both
def test_texts_are_no_indices(lib: Any) -> None:
    x = lib.zeros(2)
    for index, kind in (("a", "str"), (b"a", "bytes")):
        with raises(TypeError, f"new(): invalid data type '{kind}'"):
            x[index]
        with raises(TypeError, f"new(): invalid data type '{kind}'"):
            x[index] = 1


@both
def test_one_value_under_a_mask_is_converted(lib: Any) -> None:
    x = lib.arange(4)
    x[x > 1] = lib.tensor(7.9)
    assert x.tolist() == [0, 1, 7, 7]
    y = lib.arange(4.0)
    y[y > 1] = lib.tensor([9])
    assert y.tolist() == [0.0, 1.0, 9.0, 9.0]
    weight = lib.tensor(2.0, dtype=lib.float64, requires_grad=True)
    z = lib.zeros(3)
    z[lib.tensor([True, False, True])] = weight
    z.sum().backward()
    assert weight.grad.item() == 2.0


@pytest.mark.parametrize("columns", [1, 15, 16, 17, 64, 100])
@pytest.mark.parametrize("dim", [0, 1])
def test_gather_and_scatter_share_columns(columns: int, dim: int) -> None:
    """Threads share the columns of one large window; their number changes no bit."""
    random = np.random.default_rng(columns)
    shape, places = [700, columns], [1500, columns]
    if dim == 1:
        shape.reverse()
        places.reverse()
    table, values = (random.standard_normal(s).astype("float32") for s in (shape, places))
    index = random.integers(0, 700, places)
    expected = table.astype("float64")
    others = np.broadcast_to(np.arange(columns), (1500, columns))
    np.add.at(expected, (index, others) if dim == 0 else (others.T, index), values)
    x, source = tg.from_numpy(table).requires_grad_(), tg.from_numpy(values).requires_grad_()
    at, threads, bits = tg.from_numpy(index), tg.get_num_threads(), set()
    try:
        for count in (1, 2, 3):
            tg.set_num_threads(count)
            taken, added = tg.gather(x, dim, at), x.scatter_add(dim, at, source)
            grads = tg.autograd.grad([taken, added], [x, source], [source.detach(), x.detach()])
            results = [r.detach().numpy() for r in (taken, added, *grads)]
            bits.add(tuple(r.tobytes() for r in results))
    finally:
        tg.set_num_threads(threads)
    assert len(bits) == 1
    np.testing.assert_array_equal(results[0], np.take_along_axis(table, index, dim))
    np.testing.assert_allclose(results[1], expected, 1e-4, 1e-4)
    # The gradient of what was taken is added to that of the table itself.
    np.testing.assert_allclose(results[2], expected, 1e-4, 1e-4)
    np.testing.assert_array_equal(results[3], np.take_along_axis(table, index, dim))


@pytest.mark.parametrize("wrong", [-1, 4, 2**40, -(2**63), 2**63 - 1])
def test_places_that_are_not_there_are_refused(wrong: int) -> None:
    for place in range(6):
        index = tg.tensor([[0, 1], [2, 3], [3, 0]])
        index.view(-1)[place] = wrong
        x, source = tg.arange(8.0).reshape(4, 2), tg.ones(3, 2)
        message = f"index {wrong} is out of bounds for dimension 0 with size 4"
        for name, arguments in (
            ("gather", ()),
            ("scatter", (source,)),
            ("scatter", (2.0,)),
            ("scatter_add", (source,)),
            ("scatter_reduce", (source, "amax")),
            ("scatter_", (source,)),
            ("scatter_", (2.0,)),
            ("scatter_add_", (source,)),
            ("scatter_reduce_", (source, "mean")),
        ):
            with raises((RuntimeError, IndexError), message):
                getattr(x, name)(0, index, *arguments)
            assert x.view(-1).tolist() == list(range(8))


def test_gradient_of_gather_is_differentiated() -> None:
    x = tg.randn(3, 4, dtype=tg.float64, requires_grad=True)
    index = tg.tensor([[0, 1, 1, 3], [2, 2, 0, 0]])

    def taken(x: Any) -> Any:
        return x.gather(1, index).sin()

    assert tg.autograd.gradcheck(taken, x)
    assert tg.autograd.gradgradcheck(taken, x)
