"""Views share memory, version and history with their base."""

from __future__ import annotations

import importlib.util
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tapegrad as tg
from both import both
from op_row import Make, Op, outputs, prepare
from op_table import TABLE
from support import array, contiguous, raises, strided

VIEWS = [op for op in TABLE if op.view]
each_view = pytest.mark.parametrize("op", VIEWS, ids=lambda op: op.name)


@each_view
def test_view_shares_memory_and_version(op: Op) -> None:
    for sample in op.samples(Make("float32", zlib.crc32(op.name.encode()))):
        (x, *args), kwargs = prepare(sample, lambda a, _: contiguous(a))
        results = outputs(op.call(tg, x, *args, **kwargs))
        for y in results:
            assert y is not x or op.name in ("flatten", "reshape")  # nothing to change
            if y.numel() == 0:
                continue
            x.zero_()
            assert not array(y).any()
            x.fill_(7)
            assert (array(y) == 7).all()
            assert y._version == x._version
            assert y.data_ptr() - x.data_ptr() == 4 * y.storage_offset()


@each_view
def test_view_has_a_base_and_the_flag(op: Op) -> None:
    for sample in op.samples(Make("float64", 1)):
        (x, *args), kwargs = prepare(sample, lambda a, _: contiguous(a))
        x.requires_grad_()
        for y in outputs(op.call(tg, x, *args, **kwargs)):
            if op.name in ("detach",):
                assert not y._is_view()
            elif op.name not in ("flatten", "reshape") or y.shape != x.shape:
                assert y._is_view()
                assert y._base is x
                for z in outputs(op.call(tg, x * 1, *args, **kwargs)):
                    assert z._base is not None


def test_base_of_a_chain_is_the_first_tensor() -> None:
    x = tg.ones(4, 3)
    assert x[1:].T.unsqueeze(0)[..., 1]._base is x
    assert x._base is None
    assert not x._is_view()
    assert x.detach()[0]._base is not x


def test_as_strided_shows_the_memory() -> None:
    x = tg.arange(6.0).requires_grad_()
    windows = x.as_strided((3, 2), (1, 1))
    assert windows.tolist() == [[0.0, 1.0], [1.0, 2.0], [2.0, 3.0]]
    (grad,) = tg.autograd.grad(windows.sum(), x)
    assert grad.tolist() == [1.0, 2.0, 2.0, 1.0, 0.0, 0.0]
    column = tg.as_strided(x.detach().reshape(2, 3)[:, 1:], (2,), (3,), 2)
    assert column.tolist() == [2.0, 5.0]
    assert column._base is not None
    column.zero_()
    assert x.tolist() == [0.0, 1.0, 0.0, 3.0, 4.0, 0.0]
    with raises(RuntimeError, "mismatch in length of strides and shape"):
        x.as_strided((2, 2), (1,))
    with raises(RuntimeError, "as_strided: Negative strides are not supported at the moment"):
        x.as_strided((2, 2), (1, -2))
    with raises(RuntimeError, "setStorage: sizes [2, 4], strides [1, 2], storage offset 0"):
        x.as_strided((2, 4), (1, 2))


def test_set_shows_the_memory_of_another_tensor() -> None:
    x, y = tg.ones(2, 2), tg.zeros(3)
    assert y.set_(x) is y
    y[0] = 5.0
    assert x.tolist() == [[5.0, 5.0], [1.0, 1.0]]
    with raises(RuntimeError, "Could not set tensor of type"):
        y.set_(tg.arange(2))


STRIDES = {
    "T": (lambda x: x.T, (4, 3), (1, 4), 0),
    "slice": (lambda x: x[1:, ::2], (2, 2), (4, 2), 4),
    "select": (lambda x: x[2], (4,), (1,), 8),
    "column": (lambda x: x[:, 1], (3,), (4,), 1),
    "none": (lambda x: x[:, None], (3, 1, 4), (4, 4, 1), 0),
    "expand": (lambda x: x[:1].expand(5, 4), (5, 4), (0, 1), 0),
    "diagonal": (lambda x: x.diagonal(1), (3,), (5,), 1),
    "permute": (lambda x: x.view(3, 2, 2).permute(2, 0, 1), (2, 3, 2), (1, 4, 2), 0),
    "flatten": (lambda x: x.flatten(), (12,), (1,), 0),
}


@pytest.mark.parametrize("case", STRIDES)
def test_shape_strides_and_offset(case: str) -> None:
    f, shape, strides, offset = STRIDES[case]
    y = f(tg.arange(12.0).view(3, 4))
    assert (tuple(y.shape), y.stride(), y.storage_offset()) == (shape, strides, offset)
    assert y.size() == y.shape
    assert y.dim() == y.ndim == len(shape)
    assert y.numel() == y.nelement() == np.prod(shape)
    assert [y.size(d) for d in range(y.ndim)] == list(shape)


def test_contiguity() -> None:
    x = tg.arange(6.0).view(2, 3)
    assert x.is_contiguous()
    assert not x.T.is_contiguous()
    assert x.T.contiguous().is_contiguous()
    assert x.contiguous().data_ptr() == x.data_ptr()
    assert x[:1].T.is_contiguous()  # a dimension of size one has any stride
    assert tg.ones(0, 3).T.is_contiguous()


def test_reshape_copies_only_if_it_must() -> None:
    x = tg.arange(6.0).view(2, 3)
    assert x.reshape(3, 2).data_ptr() == x.data_ptr()
    copied = x.T.reshape(6)
    copied[0] = 9.0
    assert x[0, 0].item() == 0.0
    assert copied.tolist() == [9.0, 3.0, 1.0, 4.0, 2.0, 5.0]


@pytest.mark.parametrize(
    ("f", "view"),
    [
        (lambda x: x.reshape(-1), True),
        (lambda x: x.T.reshape(-1), False),
        (lambda x: x.flatten(), True),
        (lambda x: x.T.flatten(), False),
        (lambda x: x.view(-1), True),
        (lambda x: x.chunk(2)[1], True),
        (lambda x: x[[0, 1]], False),
        (lambda x: x[x > 0], False),
        (lambda x: x.clone(), False),
        (lambda x: x.to(tg.float32), True),
        (lambda x: x.float(), True),
        (lambda x: x.double(), False),
        (lambda x: x.data, True),
        (lambda x: x.detach(), True),
        (lambda x: x + 0, False),
        (lambda x: x.tril(), False),
        (lambda x: x.flip(0), False),
        (lambda x: x.diag(), False),
    ],
)
def test_what_is_a_view(f: Any, view: bool) -> None:
    x = tg.ones(4, 3)
    y = f(x)
    x.zero_()
    assert bool((array(y) == 0).all()) == view


# ---------------------------------------------------------------- history


def test_write_into_a_view_reaches_base_and_sisters() -> None:
    x = tg.ones(4, requires_grad=True)
    base = x * 1
    left, right, whole = base[:2], base[2:], base.view(2, 2)
    left.mul_(tg.tensor([2.0, 3.0]))
    right.mul_(5)
    (whole * whole).sum().backward()
    assert x.grad.tolist() == [8.0, 18.0, 50.0, 50.0]


def test_write_into_the_base_reaches_its_views() -> None:
    x = tg.ones(3, requires_grad=True)
    base = x * 1
    view = base[1:]
    base.mul_(4)
    assert view.tolist() == [4.0, 4.0]
    view.sum().backward()
    assert x.grad.tolist() == [0.0, 4.0, 4.0]


def test_grad_fn_of_a_view_is_renewed() -> None:
    x = tg.ones(3, requires_grad=True)
    base = x * 1
    view = base[1:]
    before = view.grad_fn
    assert type(before).__name__ == "SliceBackward0"
    base.add_(1)
    assert view.grad_fn is not before
    view.mul_(2)
    assert type(base.grad_fn).__name__ == "CopySlices"


def test_column_written_in_place() -> None:
    x = tg.ones(2, 3, requires_grad=True)
    y = x.clone()
    y[:, 0].mul_(2)
    y[1] += x[0] * 3
    y.sum().backward()
    assert x.grad.tolist() == [[5.0, 4.0, 4.0], [2.0, 1.0, 1.0]]


def test_view_of_a_constant_base_that_joins_the_graph() -> None:
    x, buffer = tg.ones(2, requires_grad=True), tg.zeros(4)
    slot = buffer[1:3]
    slot.copy_(x)
    assert buffer.requires_grad
    assert slot.requires_grad
    (buffer * tg.arange(4.0)).sum().backward()
    assert x.grad.tolist() == [1.0, 2.0]


MULTI = (
    "Output 0 of {} is a view and is being modified inplace. This view is the output of a function "
    "that returns multiple views. Such functions do not allow the output views to be modified "
    "inplace. You should replace the inplace operation by an out-of-place one."
)
NO_GRAD_VIEW = (
    "A view was created in no_grad mode and is being modified inplace with grad mode enabled."
)


@pytest.mark.parametrize(
    ("f", "name"),
    [
        (lambda x: x.split(1), "Split"),
        (lambda x: x.unbind(), "Unbind"),
        (lambda x: x.chunk(2), "Split"),
    ],
)
def test_outputs_of_functions_with_several_views(f: Any, name: str) -> None:
    y = tg.ones(4, requires_grad=True) * 2
    first = f(y)[0]
    with raises(RuntimeError, MULTI.format(name)):
        first.add_(1)
    assert y.tolist() == [2.0] * 4
    f(tg.ones(4))[0].add_(1)  # without recording there is nothing to get wrong


def test_view_made_without_recording() -> None:
    for base in (tg.ones(3, requires_grad=True), tg.ones(3, requires_grad=True) * 2):
        with tg.no_grad():
            view = base[:2]
        with raises(RuntimeError, NO_GRAD_VIEW):
            view.add_(1)
        with tg.no_grad():
            view.add_(1)
        assert base.tolist()[0] == view.tolist()[0]


def test_gradient_of_overlapping_views() -> None:
    x = tg.arange(4.0).requires_grad_()
    (x[:3] * x[1:]).sum().backward()
    assert x.grad.tolist() == [1.0, 2.0, 4.0, 2.0]


def test_gradients_do_not_depend_on_the_layout_of_the_leaf() -> None:
    x = strided(np.arange(6.0).reshape(2, 3)).T.requires_grad_()
    assert x.is_leaf
    (x * x).sum().backward()
    np.testing.assert_array_equal(array(x.grad), 2 * array(x))


def test_view_keeps_its_base_alive() -> None:
    x = tg.arange(1000.0)
    y = x[10:12]
    del x
    junk = [tg.zeros(1000) for _ in range(50)]
    assert y.tolist() == [10.0, 11.0]
    assert len(junk) == 50


# ---------------------------------------------------------------- properties

CHANGES = {
    "turn": lambda a: a.transpose(0, 1) if isinstance(a, tg.Tensor) else a.swapaxes(0, 1),
    "rows": lambda a: a[1:] if a.shape[0] > 1 else a,
    "step": lambda a: a[:, ::2],
    "last": lambda a: a[:, -1][:, None],
    "new": lambda a: a[None].reshape(a.shape),
}


@given(
    st.tuples(st.integers(1, 4), st.integers(1, 5)),
    st.lists(st.sampled_from([*CHANGES]), max_size=6),
)
def test_chains_of_views_agree_with_numpy(shape: tuple, chain: list) -> None:
    values = np.arange(float(np.prod(shape))).reshape(shape)
    x, a = contiguous(values), values
    for step in chain:
        x, a = CHANGES[step](x), CHANGES[step](a)
    np.testing.assert_array_equal(array(x), a)
    assert x.is_contiguous() == (a.flags.c_contiguous or a.size == 0)
    np.testing.assert_allclose(array(x.sin().sum(0)), np.sin(a).sum(0), rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(array(x.reshape(-1)), a.reshape(-1))
    np.testing.assert_array_equal(array(x + x.clone()), a + a)


@given(st.lists(st.integers(0, 3), max_size=4), st.data())
def test_reshape_agrees_with_numpy(shape: list, data: Any) -> None:
    values = np.arange(float(np.prod(shape))).reshape(shape)
    order = data.draw(st.permutations(range(len(shape))))
    x, a = contiguous(values).permute(order), values.transpose(order)
    factors = data.draw(st.permutations(shape))
    np.testing.assert_array_equal(array(x.reshape(factors)), a.reshape(factors))
    if values.size:
        np.testing.assert_array_equal(array(x.reshape(-1, 1)), a.reshape(-1, 1))


@given(st.lists(st.integers(1, 3), max_size=4), st.data())
def test_broadcasting_agrees_with_numpy(shape: list, data: Any) -> None:
    """Any two shapes that come from one by dropping and shrinking dimensions."""

    def shrink() -> list:
        kept = [s if data.draw(st.booleans()) else 1 for s in shape]
        return kept[data.draw(st.integers(0, len(shape))) :]

    a, b = (np.random.default_rng(1).normal(size=shrink()) for _ in range(2))
    x, y = contiguous(a).requires_grad_(), contiguous(b).requires_grad_()
    z = x * y - y
    np.testing.assert_allclose(array(z), a * b - b)
    z.sum().backward()
    ones = np.ones(z.shape)
    np.testing.assert_allclose(array(x.grad), unbroadcast(ones * b, a.shape))
    np.testing.assert_allclose(array(y.grad), unbroadcast(ones * a - ones, b.shape))
    assert tg.broadcast_shapes(a.shape, b.shape) == z.shape


def unbroadcast(grad: np.ndarray, shape: tuple) -> np.ndarray:
    grad = grad.sum(axis=tuple(range(grad.ndim - len(shape))))
    ones = tuple(d for d, s in enumerate(shape) if s == 1)
    return grad.sum(axis=ones, keepdims=True).reshape(shape)


@pytest.mark.parametrize(
    ("a", "b", "name"),
    [
        ((2, 3, 4), (4, 5), "UnsafeViewBackward0"),
        ((2, 3, 4), (2, 4, 5), "UnsafeViewBackward0"),
        ((2, 3, 4), (4,), "UnsafeViewBackward0"),
        ((2, 1, 3, 4), (5, 4, 2), "UnsafeViewBackward0"),
        ((4,), (4, 3), "SqueezeBackward4"),
    ],
)
@both
def test_products_are_no_views(lib: Any, a: tuple, b: tuple, name: str) -> None:
    out = lib.ones(a, requires_grad=True) @ lib.ones(b)
    assert (out._is_view(), out._base, type(out.grad_fn).__name__) == (False, None, name)
    out.mul_(2)
    assert type(out.grad_fn).__name__ == "MulBackward0"
    assert not (lib.ones(a) @ lib.ones(b))._is_view()


def zeros(lib: Any, *shape: int) -> Any:
    return lib.zeros(shape, dtype=lib.int64)


# Element-wise results lie in memory as their operands do.
RESULTS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "clone": lambda lib, x, y: x.clone(),
    "number": lambda lib, x, y: x + 1,
    "tanh": lambda lib, x, y: x.tanh(),
    "sign of a mask": lambda lib, x, y: (x > 0).sign(),
    "mul": lambda lib, x, y: x * y,
    "reverse": lambda lib, x, y: y - x,
    "rsub": lambda lib, x, y: 1 - x,
    "compare": lambda lib, x, y: x > y,
    "isnan": lambda lib, x, y: x.isnan(),
    "where": lambda lib, x, y: lib.where(x > 0, x, y),
    "where, number": lambda lib, x, y: lib.where(x > 0, x, 0.0),
    "pow": lambda lib, x, y: x**2,
    "clamp": lambda lib, x, y: x.clamp(0, 1),
    "floor_divide": lambda lib, x, y: x.long() // (y.long() + 9),
    "double": lambda lib, x, y: x.float(),
    "zeros_like": lambda lib, x, y: lib.zeros_like(x),
    "rand_like": lambda lib, x, y: lib.rand_like(x),
    "broadcast": lambda lib, x, y: x + y[..., :1],
    "broadcast rows": lambda lib, x, y: x[:1] * y,
    "row": lambda lib, x, y: x[0] + y,
    "contiguous": lambda lib, x, y: x.contiguous(),
    "flip": lambda lib, x, y: x.flip(0, -1),
    "index_fill": lambda lib, x, y: x.index_fill(0, lib.tensor([1]), 5.0),
    "index_put": lambda lib, x, y: x.index_put((lib.tensor([1]),), lib.ones((), dtype=x.dtype)),
    "index_copy": lambda lib, x, y: x.index_copy(0, lib.tensor([1]), y[:1]),
    "scatter": lambda lib, x, y: x.scatter(0, zeros(lib, 1, 1, 1), 5.0),
    "scatter_add": lambda lib, x, y: x.scatter_add(0, zeros(lib, 1, 1, 1), y),
    "masked_fill": lambda lib, x, y: x.masked_fill(x > 0, 5.0),
    "masked_scatter": lambda lib, x, y: x.masked_scatter(x > 0, y),
    "relu of a sum": lambda lib, x, y: (x + y).relu(),
}
ARRANGED: dict[str, Callable[[Any], Any]] = {
    "permuted": lambda x: x.permute(2, 0, 1),
    "transposed": lambda x: x.transpose(0, 1),
    "reversed": lambda x: x.permute(2, 1, 0),
    "every second": lambda x: x[:, ::2],
    "every second, permuted": lambda x: x.permute(1, 2, 0)[..., ::2],
    "expanded": lambda x: x[:, :1].expand(4, 6, 8),
    "expanded, permuted": lambda x: x[:, :1].expand(4, 6, 8).permute(1, 2, 0),
    "cube": lambda x: x[:4, :4, :4].permute(1, 0, 2),
}


def laid_out(x: Any) -> list:
    """Strides where they matter."""
    return [s for s, n in zip(x.stride(), x.shape, strict=True) if n != 1]


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs PyTorch")
@pytest.mark.parametrize("arranged", ARRANGED)
@pytest.mark.parametrize("name", RESULTS)
def test_results_keep_the_order_of_dimensions(name: str, arranged: str) -> None:
    import torch

    def run(lib: Any, mixed: bool) -> tuple[Any, Any]:
        values = np.cos(np.arange(4.0 * 6 * 8)).reshape(4, 6, 8)
        x = ARRANGED[arranged](contiguous(values, lib))
        y = contiguous(values.reshape(-1)[: x.numel()].reshape(tuple(x.shape)).copy(), lib)
        y = y if mixed else y.permute(2, 1, 0).contiguous().permute(2, 1, 0)
        out = RESULTS[name](lib, x, y)
        grad = None
        if name in ("number", "tanh", "mul", "reverse", "where", "pow"):
            leaf = x.detach().requires_grad_()
            result = RESULTS[name](lib, leaf, y)
            (grad,) = lib.autograd.grad(result, leaf, result.detach() + 1)
        return out, grad

    for mixed in (True, False):
        (a, g), (b, h) = run(tg, mixed), run(torch, mixed)
        assert laid_out(a) == laid_out(b)
        if name != "rand_like":
            np.testing.assert_allclose(array(a), b.numpy(), 1e-12)
        if g is not None:
            assert laid_out(g) == laid_out(h)
            np.testing.assert_allclose(array(g), h.numpy(), 1e-12)


def test_memory_format_of_a_copy() -> None:
    x = tg.ones(2, 3).T
    assert x.clone().stride() == x.clone(memory_format=tg.preserve_format).stride() == (1, 3)
    assert x.clone(memory_format=tg.contiguous_format).stride() == (2, 1)
    assert x.contiguous().stride() == (2, 1)
    assert repr(tg.contiguous_format) == "tapegrad.contiguous_format"
    assert repr(x.stride()) == "(1, 3)"  # a plain tuple


CHANNELS_LAST = (60, 1, 15, 3)


@both
def test_channels_last(lib: Any) -> None:
    x = lib.arange(120.0).view(2, 3, 4, 5)
    last = {"memory_format": lib.channels_last}
    made = (
        x.contiguous(**last),
        x.clone(**last),
        x.to(**last),
        x.double(**last),
        x.to(lib.int64, **last),
        lib.empty(2, 3, 4, 5, **last),
        *(
            getattr(lib, f"{name}_like")(x, **last)
            for name in ("empty", "zeros", "ones", "rand", "randn")
        ),
        lib.full_like(x, 2, **last),
        lib.randint_like(x, 5, **last),
    )
    for y in made:
        assert y.stride() == CHANNELS_LAST
        assert y.is_contiguous(**last)
        assert not y.is_contiguous()
    y = made[0]
    assert lib.equal(x, y)
    assert y.contiguous(**last) is y.to(**last) is y
    assert y.contiguous().stride() == (60, 20, 5, 1)
    for z in (y + 1, y.exp(), y.clone(), lib.empty_like(y), y + x):
        assert z.stride() == CHANNELS_LAST
    assert lib.empty_like(y, memory_format=lib.contiguous_format).is_contiguous()
    assert y.to(lib.float64, memory_format=lib.contiguous_format).is_contiguous()
    one = lib.zeros(2, 1, 4, 5)
    assert one.is_contiguous(**last)
    assert one.contiguous(**last) is one
    assert lib.zeros(2, 0, 4, 5).contiguous(**last).stride() == (0, 1, 0, 0)
    three = lib.zeros(1, 2, 3, 4, 5).contiguous(memory_format=lib.channels_last_3d)
    assert three.stride() == (120, 1, 40, 10, 2)


@both
def test_channels_last_in_modules(lib: Any) -> None:
    m = lib.nn.ParameterList([lib.ones(2, 3, 4, 5), lib.ones(2, 3)])
    assert m.to(memory_format=lib.channels_last) is m
    assert [p.stride() for p in m] == [CHANNELS_LAST, (3, 1)]
    assert m.type(f"{lib.__name__}.DoubleTensor")[0].dtype is lib.float64


@both
def test_channels_last_is_recorded(lib: Any) -> None:
    x = lib.ones(2, 3, 4, 5, requires_grad=True)
    for y in (
        x.contiguous(memory_format=lib.channels_last),
        x.to(memory_format=lib.channels_last),
        x.clone(memory_format=lib.channels_last),
    ):
        x.grad = None
        (y * y).sum().backward()
        assert x.grad.stride() == x.stride()
        assert x.grad.eq(2).all()


@both
def test_memory_formats_that_do_not_fit(lib: Any) -> None:
    x = lib.ones(2, 3)
    last = {"memory_format": lib.channels_last}
    assert not x.is_contiguous(**last)
    for call in (
        lambda: x.contiguous(**last),
        lambda: x.clone(**last),
        lambda: x.to(**last),
        lambda: lib.empty(2, 3, **last),
        lambda: lib.empty_like(x, **last),
    ):
        with raises(RuntimeError, "required rank 4 tensor to use channels_last format"):
            call()
    with raises(RuntimeError, "required rank 5 tensor to use channels_last_3d format"):
        x.contiguous(memory_format=lib.channels_last_3d)
    with raises(RuntimeError, "preserve memory format is unsupported by the contiguous operator"):
        lib.ones(3, 2).T.contiguous(memory_format=lib.preserve_format)
    for wrong in (3, "channels_last"):
        with pytest.raises(TypeError):
            x.clone(memory_format=wrong)
    x = lib.ones(3, 2).T
    assert x.to(memory_format=lib.preserve_format) is x
    assert x.to(lib.float32, False, True) is not x


# ---------------------------------------------------------------------- as another dtype


@both
def test_view_as_another_dtype(lib: Any) -> None:
    x = lib.arange(4.0).reshape(2, 2)
    ints = x.view(lib.int32)
    assert ints.tolist() == [[0, 0x3F800000], [0x40000000, 0x40400000]]
    assert x.view(dtype=lib.uint8).shape == (2, 8) and x.view(lib.int64).shape == (2, 1)
    assert ints.view(lib.float32).tolist() == x.tolist()
    assert x.t().view(lib.int32).stride() == (1, 2)
    wide = lib.arange(16.0).reshape(2, 8)[:, 2:6].view(lib.float64)
    assert wide.shape == (2, 2) and wide.stride() == (4, 1) and wide.storage_offset() == 1
    assert lib.tensor(1.0).view(lib.int32).item() == 0x3F800000
    assert lib.zeros(0).view(lib.uint8).shape == (0,)
    ints.fill_(0)
    assert x.tolist() == [[0, 0], [0, 0]] and x._version == ints._version == 1
    leaf = lib.ones(2, requires_grad=True)
    for y in (leaf.view(lib.int32), leaf.view(lib.float32), (leaf * 2).view(lib.float32)):
        assert not y.requires_grad and y.grad_fn is None
    mask = lib.tensor([True, False])
    assert mask.view(lib.uint8).view(lib.bool).tolist() == [True, False]


@both
def test_memory_that_another_dtype_does_not_fit(lib: Any) -> None:
    x = lib.arange(6.0).reshape(2, 3)
    bytes_, doubles = "to view Float as Byte (different element sizes)", "to view Float as Double"
    for make, text in (
        (lambda: lib.tensor(1.0).view(lib.uint8), f"self.dim() cannot be 0 {bytes_}"),
        (lambda: x.view(lib.float64), f"self.size(-1) must be divisible by 2 {doubles}"),
        (lambda: x.t().view(lib.uint8), f"self.stride(-1) must be 1 {bytes_}, but got 3"),
        (lambda: x[:, ::2].view(lib.uint8), f"self.stride(-1) must be 1 {bytes_}, but got 2"),
        (lambda: x.t().view(lib.float64), f"self.stride(-1) must be 1 {doubles}"),
        (
            lambda: lib.arange(5.0)[1:].view(lib.float64),
            f"self.storage_offset() must be divisible by 2 {doubles}",
        ),
        (
            lambda: lib.arange(10.0).reshape(2, 5)[:, :4].view(lib.float64),
            f"self.stride(0) must be divisible by 2 {doubles}",
        ),
        (lambda: lib.ones(1).expand(4).view(lib.float64), "self.stride(-1) must be 1"),
    ):
        with raises(RuntimeError, text):
            make()


def test_bytes_that_are_no_bools() -> None:
    """PyTorch lets them be, and computes with bools of any value."""
    with raises(RuntimeError, "a view as Bool needs memory that has nothing but 0 and 1"):
        tg.full((2,), 1.5, dtype=tg.float16).view(tg.bool)
    with raises(ValueError, "a buffer of Bool needs memory that has nothing but 0 and 1"):
        tg.frombuffer(bytearray([0, 1, 2]), dtype=tg.bool)
    with raises(RuntimeError, "a view as Bool needs memory that has nothing but 0 and 1"):
        tg.tensor([0, 1, 2], dtype=tg.uint8).view(tg.bool)


# ---------------------------------------------------------------------- other sizes


@both
def test_resize_in_a_memory_format(lib: Any) -> None:
    last = {"memory_format": lib.channels_last}
    assert lib.zeros(0).resize_(1, 2, 3, 4, **last).stride() == (24, 1, 8, 2)
    assert lib.zeros(1, 2, 3, 4).resize_(1, 2, 3, 4, **last).stride() == (24, 1, 8, 2)
    last_3d = lib.zeros(0).resize_((1, 2, 3, 4, 5), memory_format=lib.channels_last_3d)
    assert last_3d.stride() == (120, 1, 40, 10, 2)
    rows = lib.arange(4.0).resize_(2, 2, memory_format=lib.contiguous_format)
    assert rows.tolist() == [[0, 1], [2, 3]] and rows._version == 1
    other = lib.zeros(1, 2, 3, 4).contiguous(**last)
    assert lib.zeros(0).resize_as_(other).stride() == (24, 12, 4, 1)
    assert lib.zeros(0).resize_as_(other, **last).stride() == (24, 1, 8, 2)
    like = {"memory_format": lib.preserve_format}
    assert lib.zeros(0).resize_as_(other, **like).stride() == (24, 1, 8, 2)
    assert lib.zeros(0).resize_as_(lib.zeros(2, 2).t(), **like).stride() == (2, 1)
    x = lib.zeros(2)
    with raises(RuntimeError, "required rank 4 tensor to use channels_last format"):
        x.resize_(2, 3, **last)
    with raises(RuntimeError, "required rank 4 tensor to use channels_last format"):
        x.resize_(2, **last)
    with raises(RuntimeError, "Unsupported memory formatPreserve"):
        x.resize_(2, 3, **like)
    if lib is tg:  # PyTorch has changed it before
        assert x.shape == (2,) and x.stride() == (1,)


@both
def test_memory_that_is_shared_does_not_grow_for_a_result(lib: Any) -> None:
    base = lib.zeros(6)
    view = base[4:]
    lib.add(lib.ones(1), 1, out=view)
    assert view.tolist() == [2] and base.tolist() == [0, 0, 0, 0, 2, 0]
    if lib is tg:
        with raises(RuntimeError, "Trying to resize storage that is not resizable"):
            lib.add(lib.ones(3), 1, out=base[4:])
        with raises(RuntimeError, "Trying to resize storage that is not resizable"):
            base[4:].resize_(3)
        assert base.tolist() == [0, 0, 0, 0, 2, 0]
    alone = lib.zeros(2)
    lib.add(lib.ones(3), 1, out=alone)
    assert alone.tolist() == [2, 2, 2]
