"""In-place operations: values, versions, what they refuse, and how they meet the tape."""

from __future__ import annotations

import operator
import warnings
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tapegrad as tg
from both import both
from op_row import Make, Op, expected, prepare
from op_table import TABLE
from support import array, check, contiguous, dtype_of, raises, strided, tolerance

LEAF = "a leaf Variable that requires grad is being used in an in-place operation."
LEAF_VIEW = "a view of a leaf Variable that requires grad is being used in an in-place operation."
MODIFIED = (
    "one of the variables needed for gradient computation has been modified by an inplace "
    "operation: "
)
OVERLAP = (
    "unsupported operation: more than one element of the written-to tensor refers to a single "
    "memory location. Please clone() the tensor before performing the operation."
)
INPLACE = [op for op in TABLE if op.inplace]
each_op = pytest.mark.parametrize("op", INPLACE, ids=lambda op: op.inplace)


def fitting(op: Op, dtype: str) -> list:
    """Samples whose result fits into the first operand."""
    found = []
    for sample in op.samples(Make(dtype, zlib.crc32(op.name.encode()))):
        shapes = [
            np.shape(a)
            for a in (*sample.args, *sample.kwargs.values())
            if isinstance(a, np.ndarray)
        ]
        grows = op.kind in ("binary", "nary") and np.broadcast_shapes(*shapes) != shapes[0]
        if not grows and op.out_dtype(dtype) == dtype:
            found.append(sample)
    return found


@pytest.mark.parametrize("layout", [contiguous, strided])
@each_op
def test_same_values_as_out_of_place(op: Op, layout: Callable) -> None:
    for dtype in op.dtypes:
        for sample in fitting(op, dtype):
            args, kwargs = prepare(sample, lambda a, _: contiguous(a))
            x = layout(sample.args[0])
            version, address = x._version, x.data_ptr()
            returned = getattr(x, op.inplace)(*args[1:], **kwargs)
            assert returned is x
            rtol, atol = tolerance(dtype, op.tol)
            check(x, expected(op, sample)[0], rtol, atol, f"{op.inplace}({sample})")
            assert x.dtype == dtype_of(dtype)
            assert x.data_ptr() == address
            assert x._version == version + 1


# Functions of the module, and other names of the methods.
FORMS = [
    pytest.param(op, getattr(holder, name), id=f"{holder.__name__}.{name}")
    for op in INPLACE
    for holder, names in ((tg, [op.inplace]), (tg.Tensor, [f"{a}_" for a in op.aliases]))
    for name in names
    if hasattr(holder, name)
]


@pytest.mark.parametrize(("op", "write"), FORMS)
def test_other_forms(op: Op, write: Callable) -> None:
    dtype = op.dtypes[-1]
    for sample in fitting(op, dtype):
        (x, *args), kwargs = prepare(sample, lambda a, _: contiguous(a))
        assert write(x, *args, **kwargs) is x
        check(x, expected(op, sample)[0], *tolerance(dtype, op.tol), f"{write.__name__}({sample})")


@pytest.mark.parametrize("op", [op for op in INPLACE if op.diff], ids=lambda op: op.inplace)
def test_same_gradients_as_out_of_place(op: Op) -> None:
    for sample in fitting(op, "float64"):
        found = []
        for inplace in (False, True):
            args, kwargs = prepare(
                sample, lambda a, wants: contiguous(a).requires_grad_() if wants else contiguous(a)
            )
            leaves = [a for a in args if isinstance(a, tg.Tensor) and a.requires_grad]
            x = args[0].clone()
            if inplace:
                getattr(x, op.inplace)(*args[1:], **kwargs)
                assert x.requires_grad
                assert not x.is_leaf
            else:
                x = getattr(x, op.inplace[:-1])(*args[1:], **kwargs)
            found.append(tg.autograd.grad((x * x).sum(), leaves))
        for a, b in zip(*found, strict=True):
            np.testing.assert_allclose(
                array(a), array(b), 1e-12, 1e-13, err_msg=f"{op.inplace}({sample})"
            )


@each_op
def test_leaf_is_refused_before_it_is_written(op: Op) -> None:
    if "float32" not in op.dtypes:
        pytest.skip("no leaf of these dtypes requires grad")
    sample = fitting(op, "float32")[1]
    args, kwargs = prepare(sample, lambda a, _: contiguous(a))
    x = contiguous(sample.args[0]).requires_grad_()
    with raises(RuntimeError, LEAF):
        getattr(x, op.inplace)(*args[1:], **kwargs)
    np.testing.assert_array_equal(array(x), sample.args[0])
    assert x._version == 0


SYMBOLS = {
    "+=": operator.iadd,
    "-=": operator.isub,
    "*=": operator.imul,
    "/=": operator.itruediv,
    "//=": operator.ifloordiv,
    "%=": operator.imod,
    "**=": operator.ipow,
}
BITS = {"&=": operator.iand, "|=": operator.ior, "^=": operator.ixor}


@pytest.mark.parametrize("symbol", [*SYMBOLS, *BITS])
def test_augmented_assignment(symbol: str) -> None:
    apply = {**SYMBOLS, **BITS}[symbol]
    start = np.array([5, 6, 7]) if symbol in BITS else np.array([5.0, 6.0, 7.0], np.float32)
    for other in (2, 3 if symbol in BITS else 2.5, np.array([3, 2, 1], start.dtype)):
        x = contiguous(start)
        same = x
        x = apply(x, contiguous(other) if isinstance(other, np.ndarray) else other)
        assert x is same
        want = getattr(
            operator,
            apply.__name__[1:].replace("and", "and_").replace("or", "or_")
            if symbol in ("&=", "|=")
            else apply.__name__[1:],
        )(start, other)
        np.testing.assert_allclose(array(x), want, rtol=1e-6)
        assert x._version == 1


def test_filling() -> None:
    x = tg.ones(2, 3)
    assert x.zero_().sum().item() == 0
    assert x.fill_(2.5).sum().item() == 15.0
    assert x.fill_(tg.tensor(3)).sum().item() == 18.0
    assert x.copy_(tg.tensor([1, 2, 3])).tolist() == [[1.0, 2.0, 3.0]] * 2
    assert x.copy_(tg.tensor([[1.9], [2.0]], dtype=tg.float64))[:, 0].tolist() == pytest.approx(
        [1.9, 2.0]
    )
    assert tg.zeros(2, dtype=tg.int32).copy_(tg.tensor([1.9, -1.9])).tolist() == [1, -1]
    assert x._version == 5
    with raises(
        RuntimeError,
        "fill_ only supports 0-dimension value tensor but got tensor with 1 dimensions.",
    ):
        x.fill_(tg.ones(2))


def test_copy_is_differentiable() -> None:
    src = tg.ones(3, requires_grad=True)
    x = tg.zeros(2, 3)
    x.copy_(src)
    assert x.requires_grad
    (x * tg.tensor([[1.0], [2.0]])).sum().backward()
    assert src.grad.tolist() == [3.0, 3.0, 3.0]


def test_zero_cuts_the_history() -> None:
    x = tg.ones(2, requires_grad=True)
    y = x * 3
    y.zero_()
    (y + x).sum().backward()
    assert x.grad.tolist() == [1.0, 1.0]


def test_add_of_the_tensor_itself() -> None:
    x = tg.tensor([1.0, 2.0])
    x += x
    x *= x
    assert x.tolist() == [4.0, 16.0]
    y = tg.arange(6.0).reshape(2, 3)
    y.add_(y.clone().flip(0))
    assert y.tolist() == [[3.0, 5.0, 7.0]] * 2


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    "write",
    [
        lambda x: x.add_(tg.ones(2, 3)),
        lambda x: x.mul_(tg.ones(2, 1)),
        lambda x: x.copy_(tg.ones(2, 3)),
    ],
)
def test_result_that_does_not_fit(write: Callable) -> None:
    x = tg.ones(3)
    with raises(RuntimeError):
        write(x)
    assert (x.tolist(), x._version) == ([1.0, 1.0, 1.0], 0)


def test_output_shape_message() -> None:
    with raises(RuntimeError, "output with shape [1, 3] doesn't match the broadcast shape [2, 3]"):
        tg.ones(1, 3).add_(tg.ones(2, 3))


PARTLY = (
    "unsupported operation: some elements of the input tensor and the written-to tensor refer to a "
    "single memory location. Please clone() the tensor before performing the operation."
)


def matrix(lib: Any) -> Any:
    return lib.arange(16.0, dtype=lib.float64).reshape(4, 4)


def zeros(lib: Any, *shape: int) -> Any:
    return lib.zeros(shape, dtype=lib.int64)


# Writes whose operands meet in memory, in ways that are refused.
MEETING: dict[str, Callable[[Any, Any], Any]] = {
    "transposed": lambda lib, x: x.add_(x.T),
    "transposed self": lambda lib, x: x.T.mul_(x),
    "own row": lambda lib, x: x.sub_(x[0]),
    "own element": lambda lib, x: x.div_(x[1, 1]),
    "scaled": lambda lib, x: x.add_(x[0], alpha=0.5),
    "shifted": lambda lib, x: x[:2].add_(x[1:3]),
    "vector of a scalar": lambda lib, x: x[0, 0].view(1).add_(x[0, 0]),
    "other type": lambda lib, x: x.add_(x.detach().T),
    "integers": lambda lib, x: x.floor_divide_(x.T),
    "clamp": lambda lib, x: x.clamp_(x[0], x[1]),
    "probabilities": lambda lib, x: x.bernoulli_(x.T),
    "copy": lambda lib, x: x.copy_(x.T),
    "copy a row": lambda lib, x: x.copy_(x[0]),
    "assign": lambda lib, x: x.__setitem__(slice(None), x.T),
    "mask": lambda lib, x: (lambda b: b[:2].masked_fill_(b[1:3], True))(x > 3),
    "index_put, values": lambda lib, x: x.index_put_((lib.tensor([0, 1]),), x[2:]),
    "index_put, index": lambda lib, x: (lambda i: i.index_put_((i[:2],), i[:2] * 1))(lib.arange(6)),
    "scatter": lambda lib, x: x.scatter_(0, zeros(lib, 2, 4), x[2:]),
    "scatter, index": lambda lib, x: (lambda i: i.scatter_(0, i, 1))(lib.arange(6)),
    "scatter_add": lambda lib, x: x.scatter_add_(0, zeros(lib, 4, 4), x),
    "scatter_reduce": lambda lib, x: x.scatter_reduce_(0, zeros(lib, 4, 4), x, "amax"),
    "index_add": lambda lib, x: x.index_add_(0, lib.tensor([0, 1]), x[:2]),
    "index_copy": lambda lib, x: x.index_copy_(0, lib.tensor([0, 1]), x[2:]),
    "index_fill": lambda lib, x: (lambda i: i.index_fill_(0, i[:2], 1))(lib.arange(6)),
}


@both
@pytest.mark.parametrize("name", MEETING)
def test_operands_that_share_memory_partly(lib: Any, name: str) -> None:
    x = matrix(lib)
    with raises(RuntimeError, PARTLY, lib=lib):
        MEETING[name](lib, x)
    assert (x.tolist(), x._version) == (matrix(lib).tolist(), 0)


# The same memory in the same order, other parts of it, and windows with holes are allowed.
APART: dict[str, Callable[[Any, Any], Any]] = {
    "itself": lambda lib, x: x.add_(x),
    "same window": lambda lib, x: x.mul_(x.view(16).view(4, 4)),
    "other rows": lambda lib, x: x[:2].add_(x[2:]),
    "other columns": lambda lib, x: x[:, :2].add_(x[:, 2:]),
    "every second": lambda lib, x: x.view(16)[::2].add_(x.view(16)[1::2]),
    "own column": lambda lib, x: x.add_(x[:, 0]),
    "copy of itself": lambda lib, x: x.copy_(x),
    "filled with its own element": lambda lib, x: x.fill_(x[1, 1]),
    "masked by its own element": lambda lib, x: x.masked_fill_(x > 3, x[1, 1]),
    "interleaved": lambda lib, x: x.as_strided((2, 3), (3, 2)).add_(1),
}


@both
@pytest.mark.parametrize("name", APART)
def test_operands_that_share_memory_without_harm(lib: Any, name: str) -> None:
    x, kept = matrix(lib), matrix(tg)
    APART[name](lib, x)
    if lib is not tg:  # as here
        APART[name](tg, kept)
        assert x.tolist() == kept.tolist()
    assert x._version == 1


EXPANDED_REFUSED: dict[str, Callable[[Any, Any], Any]] = {
    "add_": lambda lib, x: x.add_(1),
    "scaled": lambda lib, x: x.add_(lib.ones(3), alpha=2),
    "mul_": lambda lib, x: x.mul_(lib.ones(3)),
    "copy_": lambda lib, x: x.copy_(lib.zeros(2, 3)),
    "exp_": lambda lib, x: x.exp_(),
    "clamp_": lambda lib, x: x.clamp_(0, 1),
    "fill_ with a tensor": lambda lib, x: x.fill_(lib.tensor(0.0)),
    "uniform_": lambda lib, x: x.uniform_(),
    "bernoulli_": lambda lib, x: x.bernoulli_(0.5),
    "scatter_": lambda lib, x: x.scatter_(0, zeros(lib, 1, 1), 0.0),
    "scatter_add_": lambda lib, x: x.scatter_add_(0, zeros(lib, 1, 1), lib.ones(1, 1)),
    "index_add_": lambda lib, x: x.index_add_(0, zeros(lib, 1), lib.ones(1, 3)),
    "index_copy_": lambda lib, x: x.index_copy_(0, zeros(lib, 1), lib.zeros(1, 3)),
    "masked_scatter_": lambda lib, x: x.masked_scatter_(x > 0, lib.zeros(6)),
    "assign": lambda lib, x: x.__setitem__(slice(None), 0.0),
}


@both
@pytest.mark.parametrize("name", EXPANDED_REFUSED)
def test_expanded_tensor_is_refused(lib: Any, name: str) -> None:
    x = lib.ones(1, 3).expand(2, 3)
    with raises(RuntimeError, OVERLAP, lib=lib):
        EXPANDED_REFUSED[name](lib, x)
    assert (x[0].tolist(), x._version) == ([1.0, 1.0, 1.0], 0)


EXPANDED_ALLOWED: dict[str, tuple[Callable[[Any, Any], Any], str]] = {
    "fill_": (lambda lib, x: x.fill_(5), ""),
    "zero_": (lambda lib, x: x.zero_(), ""),
    "a row": (lambda lib, x: x.__setitem__(0, 5.0), ""),
    "masked_fill_": (
        lambda lib, x: x.masked_fill_(
            lib.tensor([[True, False, False], [False, True, False]]), 5.0
        ),
        "Use of masked_fill_ on expanded tensors is deprecated.",
    ),
    "index_put_": (
        lambda lib, x: x.index_put_((lib.tensor([1]), lib.tensor([2])), lib.tensor(5.0)),
        "Use of index_put_ on expanded tensors is deprecated.",
    ),
    "index_fill_": (
        lambda lib, x: x.index_fill_(1, lib.tensor([1]), 5.0),
        "Use of index_fill_ on expanded tensors is deprecated.",
    ),
}


@both
@pytest.mark.parametrize("name", EXPANDED_ALLOWED)
def test_expanded_tensor_is_written(lib: Any, name: str) -> None:
    write, warning = EXPANDED_ALLOWED[name]
    want = {"zero_": [0.0] * 3, "masked_fill_": [5.0, 5.0, 1.0], "index_put_": [1.0, 1.0, 5.0]}
    want["index_fill_"] = [1.0, 5.0, 1.0]
    x = lib.ones(1, 3).expand(2, 3)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        write(lib, x)
    assert x.tolist() == [want.get(name, [5.0] * 3)] * 2
    assert x._version == 1
    assert all(str(w.message).startswith(warning) for w in caught)
    if lib is tg:  # PyTorch warns once in a process
        assert len(caught) == bool(warning)


@both
def test_order_of_reasons_to_refuse(lib: Any) -> None:
    """The tape first, then the operation itself, overlaps, shapes, dtypes."""
    x = matrix(lib).requires_grad_()
    for write in (
        lambda: x.add_(x.T),
        lambda: x.add_(lib.ones(5)),
        lambda: x.add_(x[0], alpha=2),
        lambda: x.copy_(lib.ones(5)),
        lambda: x.masked_fill_(lib.ones(4), 1.0),
        lambda: x.clamp_(),
        lambda: x.index_add_(7, zeros(lib, 1), x),
    ):
        with raises(RuntimeError, LEAF_VIEW if x._is_view() else LEAF, lib=lib):
            write()
    i = lib.arange(16).reshape(4, 4)
    with raises(RuntimeError, PARTLY, lib=lib):
        i.div_(i.T)
    with raises(RuntimeError, PARTLY, lib=lib):
        i[:2].add_(i.view(16)[1:6])
    with raises(RuntimeError, OVERLAP, lib=lib):
        i[0].expand(2, 4).sin_()
    with raises(RuntimeError, "Integers to negative integer powers are not allowed.", lib=lib):
        i[0].expand(2, 4).pow_(-1)
    with raises(RuntimeError, "result type Float can't be cast", lib=lib):
        i.sin_()


@both
def test_alpha_of_another_kind(lib: Any) -> None:
    i = lib.arange(3)
    with raises(
        RuntimeError,
        "For integral input tensors, argument alpha must not be a floating point number.",
        lib=lib,
    ):
        i.add(i, alpha=0.5)
    with raises(RuntimeError, "Boolean alpha only supported for Boolean results.", lib=lib):
        i.add(i, alpha=True)
    wide = lib.ones((), dtype=lib.float64).add(lib.tensor([2**24 + 1]), alpha=0.5)
    assert wide.dtype is lib.float64
    assert wide.tolist() == [2**23 + 1.5]


@both
def test_scatter_with_reduce_has_no_derivative(lib: Any) -> None:
    x = lib.ones(3, requires_grad=True)
    index = lib.tensor([0, 0, 2])
    out = x.scatter(0, index, 2.0, reduce="add")
    assert out.tolist() == [5.0, 1.0, 3.0]
    assert x.detach().scatter(0, index, 2.0, reduce="multiply").tolist() == [4.0, 1.0, 2.0]
    with raises(RuntimeError, "derivative for aten::scatter is not implemented", lib=lib):
        out.sum().backward()
    with raises(RuntimeError, "reduce argument must be either add or multiply.", lib=lib):
        x.scatter(0, index, 2.0, reduce="sum")


@both
def test_second_derivative_of_a_product_with_zeros(lib: Any) -> None:
    x = lib.ones(2, requires_grad=True)
    source = lib.tensor([0.0, 0.0, 3.0], requires_grad=True)
    out = x.scatter_reduce(0, lib.tensor([0, 0, 1]), source, "prod")
    (grad,) = lib.autograd.grad(out.sum(), source, create_graph=True)
    assert grad.tolist() == [0.0, 0.0, 1.0]
    with raises(RuntimeError, "scatter_reduce(): Double backward is unsupported for src", lib=lib):
        grad.sum().backward()


@both
@pytest.mark.parametrize("reduce", ["sum", "prod", "amax", None])
def test_views_written_with_results(lib: Any, reduce: str | None) -> None:
    """Derivatives that need what is overwritten and what is written, through a view."""
    x = lib.tensor([[0.5, 1.5, 2.5], [3.0, 1.0, 2.0]], dtype=lib.float64, requires_grad=True)
    source = lib.tensor([[2.0, 0.7, 1.2]], dtype=lib.float64, requires_grad=True)

    def gradients(through_view: bool) -> list:
        base = x * 1
        part = base[1:] if through_view else base[1:] * 1
        if reduce is None:
            part.pow_(source)
        else:
            part.scatter_reduce_(1, lib.tensor([[0, 1, 0]]), source, reduce)
        first = lib.autograd.grad((part**2).sum(), (x, source), create_graph=True)
        second = lib.autograd.grad(sum((g**2).sum() for g in first), (x, source))
        return [g.tolist() for g in (*first, *second)]

    for got, want in zip(gradients(True), gradients(False), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12)


WRITES: dict[str, Callable] = {
    "add_": lambda x: x.add_(1),
    "iadd": lambda x: operator.iadd(x, 1),
    "zero_": lambda x: x.zero_(),
    "copy_": lambda x: x.copy_(tg.zeros(3)),
    "fill_": lambda x: x.fill_(0),
    "clamp_": lambda x: x.clamp_(0, 1),
    "masked_fill_": lambda x: x.masked_fill_(x > 0, 0.0),
    "normal_": lambda x: x.normal_(),
    "uniform_": lambda x: x.uniform_(),
}


@pytest.mark.parametrize("name", WRITES)
def test_leaf_is_refused(name: str) -> None:
    x = tg.ones(3, requires_grad=True)
    with raises(RuntimeError, LEAF):
        WRITES[name](x)
    assert (x.tolist(), x._version) == ([1.0, 1.0, 1.0], 0)
    with tg.no_grad():
        WRITES[name](x)
    assert x._version == 1
    assert x.is_leaf
    assert x.requires_grad


def test_view_of_a_leaf_is_refused() -> None:
    x = tg.ones(3, requires_grad=True)
    for write in (
        lambda: x[:2].mul_(2),
        lambda: x.view(3, 1).zero_(),
        lambda: x.__setitem__(0, 5.0),
        lambda: x.__setitem__(slice(None, 2), tg.zeros(2)),
    ):
        with raises(RuntimeError, LEAF_VIEW):
            write()
    with raises(RuntimeError, LEAF):
        x[x > 0] = 0.0
    assert x.tolist() == [1.0, 1.0, 1.0]


def test_write_through_data_and_detach() -> None:
    x = tg.ones(3, requires_grad=True)
    x.data += 1
    x.detach()[0] = 7.0
    assert x.tolist() == [7.0, 2.0, 2.0]
    assert x.is_leaf


# ---------------------------------------------------------------- versions


def test_version_counts_writes_and_is_shared() -> None:
    x = tg.ones(4)
    view, apart, data = x[:2], x.detach(), x.data
    for k in range(1, 4):
        (x, view, apart)[k - 1].add_(1)
        assert (x._version, view._version, apart._version) == (k, k, k)
    assert data._version == 0  # `.data` counts for itself
    x[0] = 5.0
    assert x._version == 4
    with tg.no_grad():
        x += 1
    assert x._version == 5
    assert x.clone()._version == 0


def refused(loss: Any, name: str, shape: str = "[3]", kind: str = "FloatTensor") -> None:
    """Backward names the operation, the tensor's type and shape, and both versions."""
    start = f"{MODIFIED}[tapegrad.{kind} {shape}], which is output 0 of {name}, is at version 1; "
    with raises(RuntimeError, start + "expected version 0 instead. Hint: "):
        loss.sum().backward()


def x3() -> Any:
    return tg.tensor([1.0, 2.0, 3.0], requires_grad=True)


def test_overwritten_result_is_refused() -> None:
    y = x3().exp()
    y.add_(1)
    refused(y, "Exp")


def test_overwritten_operand_is_refused() -> None:
    a = x3() * 2
    b = a * a
    a.mul_(2)
    refused(b, "Mul")


def test_overwritten_double_is_refused() -> None:
    a = (x3() * 2).double()
    b = a.sin()
    a.zero_()
    refused(b, "Zero", kind="DoubleTensor")


@pytest.mark.parametrize(
    "f",
    [
        lambda a: a.exp(),
        lambda a: a.tanh(),
        lambda a: a.sigmoid(),
        lambda a: a.sqrt(),
        lambda a: a.relu(),
        lambda a: a.softmax(0),
        lambda a: a.log_softmax(0),
        lambda a: a.rsqrt(),
        lambda a: a.reciprocal(),
        lambda a: a.expm1(),
        lambda a: a.norm(),
        lambda a: a.logsumexp(0),
    ],
)
def test_saved_results_are_guarded(f: Callable) -> None:
    y = f(x3() * 1)
    total = (y * 1).sum()
    with tg.no_grad():
        y.zero_()
    with raises(RuntimeError, MODIFIED):
        total.backward()


@pytest.mark.parametrize(
    "f",
    [
        lambda a: a.log(),
        lambda a: a.sin(),
        lambda a: a**2,
        lambda a: a * a,
        lambda a: a.abs(),
        lambda a: a @ a,
        lambda a: a.erf(),
        lambda a: tg.nn.functional.gelu(a),
        lambda a: tg.nn.functional.silu(a),
        lambda a: a.std(),
        lambda a: a.clamp(0, 2),
        lambda a: tg.maximum(a, a.detach() + 1),
        lambda a: a.prod(),
        lambda a: tg.nn.functional.linear(a, a),
        lambda a: tg.nn.functional.mse_loss(a, tg.ones(3)),
    ],
)
def test_saved_operands_are_guarded(f: Callable) -> None:
    a = x3() * 1
    loss = f(a).sum()
    with tg.no_grad():
        a.mul_(1)
    with raises(RuntimeError, MODIFIED):
        loss.backward()


@pytest.mark.parametrize(
    "f",
    [
        lambda a: a + 1,
        lambda a: a * 2,
        lambda a: a.sum(),
        lambda a: a[1:],
        lambda a: a.reshape(3, 1),
        lambda a: a.mean(),
        lambda a: -a,
        lambda a: a - a,
        lambda a: tg.cat([a, a]),
        lambda a: a.floor(),
        lambda a: a / 3,
        lambda a: a.cumsum(0),
        lambda a: a.flip(0),
        lambda a: a.masked_fill(a > 2, 0.0),
    ],
)
def test_what_saves_nothing_may_be_overwritten(f: Callable) -> None:
    x = x3()
    a = x * 1
    loss = f(a).sum()
    a.add_(100)
    loss.backward()
    assert x.grad.shape == (3,)


def test_write_through_a_view_is_noticed() -> None:
    a = x3() * 1
    b = a.sin()
    a[0:1].zero_()
    with raises(RuntimeError, MODIFIED):
        b.sum().backward()


def test_write_by_the_optimiser_between_forward_and_backward() -> None:
    w = x3()
    loss = (w * w).sum()
    with tg.no_grad():
        w -= 0.1
    with raises(RuntimeError, MODIFIED):
        loss.backward()


def test_overwriting_after_backward_is_fine() -> None:
    x = x3()
    y = x.exp()
    y.sum().backward()
    y.zero_()
    assert x.grad is not None


def test_leaf_and_constant_operands() -> None:
    """A constant that the rule needs is guarded too; one that it does not need is not."""
    c = tg.ones(3)
    y = x3() * c
    c.zero_()
    with raises(RuntimeError, MODIFIED):
        y.sum().backward()
    c, x = tg.ones(3), x3()
    y = x + c
    c.zero_()
    y.sum().backward()


# ---------------------------------------------------------------- history


def test_chain_of_in_place_operations() -> None:
    x = x3()
    y = x.clone()
    y.mul_(2).add_(1).sub_(0.5)
    y **= 2
    y.sum().backward()
    np.testing.assert_allclose(array(x.grad), 4 * (2 * array(x) + 0.5))


def test_constant_becomes_part_of_the_graph() -> None:
    x, buffer = x3(), tg.zeros(3)
    assert buffer.is_leaf
    buffer += x
    buffer += x * 2
    assert buffer.requires_grad
    assert not buffer.is_leaf
    buffer.sum().backward()
    assert x.grad.tolist() == [3.0, 3.0, 3.0]


def test_requires_grad_in_place() -> None:
    x = tg.ones(2)
    assert x.requires_grad_() is x
    assert x.requires_grad
    assert not x.requires_grad_(False).requires_grad


def test_detach_in_place() -> None:
    y = x3() * 2
    y.detach_()
    assert (y.requires_grad, y.grad_fn, y.is_leaf) == (False, None, True)
    with raises(RuntimeError, "Can't detach views in-place."):
        (x3() * 2)[:1].detach_()


@both
def test_saved_value_that_was_detached_in_place(lib: Any) -> None:
    """It has lost its place on the tape: what would follow for higher derivatives is refused."""
    detached = "Trying to use a saved tensor that has been detached in-place, i.e. with .detach_()."
    for write in (False, True):
        a = start(lib).requires_grad_().clone()
        b = a.sin()
        a.detach_()
        assert a._version == 0
        if write:
            a.add_(1)
            assert a._version == 1
        with raises(RuntimeError, detached, lib=lib):
            b.sum().backward()
    # What is saved afterwards is a new value, and so is what a node saved of its own result.
    a.requires_grad_()
    a.sin().sum().backward()
    np.testing.assert_allclose(np.array(a.grad.numpy()), np.cos(np.array(a.detach().numpy())))
    a = start(lib).requires_grad_().clone()
    b = a.exp()
    c = b * 1
    b.detach_()
    c.sum().backward()
    # Also where others share the memory.
    a = start(lib).requires_grad_().clone()
    other, b = a.detach(), a.sin()
    a.detach_()
    assert (other._version, a._version) == (0, 0)
    with raises(RuntimeError, detached, lib=lib):
        b.sum().backward(create_graph=True)


# ---------------------------------------------------------------- other windows and kinds of result

# What a tensor of shape (2, 3) becomes, and the node that is recorded.
CHANGES: dict[str, tuple[Callable, str]] = {
    "transpose_": (lambda lib, x: x.transpose_(0, 1), "TransposeBackward1"),
    "swapdims_": (lambda lib, x: x.swapdims_(0, -1), "TransposeBackward1"),
    "swapaxes_": (lambda lib, x: x.swapaxes_(0, 1), "TransposeBackward1"),
    "t_": (lambda lib, x: x.t_(), "TBackward1"),
    "unsqueeze_": (lambda lib, x: x.unsqueeze_(1), "UnsqueezeBackward1"),
    "squeeze_": (lambda lib, x: x.squeeze_(), "SqueezeBackward3"),
    "squeeze_ dim": (lambda lib, x: x.squeeze_(0), "SqueezeBackward4"),
    "squeeze_ dims": (lambda lib, x: x.squeeze_((0, 1)), "SqueezeBackward5"),
    "as_strided_": (lambda lib, x: x.as_strided_((2, 2), (3, 1), 1), "AsStridedBackward1"),
    "as_strided_ in turn": (lambda lib, x: lib.as_strided_(x, (3,), (1,)), "AsStridedBackward1"),
}
NUMBERS_IN_PLACE: dict[str, tuple[Callable, str]] = {
    "eq_": (lambda lib, x: x.eq_(0.6), "EqBackward0"),
    "ne_": (lambda lib, x: x.ne_(0.6), "NeBackward0"),
    "not_equal_": (lambda lib, x: x.not_equal_(0.6), "NeBackward0"),
    "lt_": (lambda lib, x: x.lt_(0.6), "LtBackward0"),
    "less_": (lambda lib, x: x.less_(0.6), "LtBackward0"),
    "le_": (lambda lib, x: x.le_(0.6), "LeBackward0"),
    "less_equal_": (lambda lib, x: x.less_equal_(0.6), "LeBackward0"),
    "gt_": (lambda lib, x: x.gt_(0.6), "GtBackward0"),
    "greater_": (lambda lib, x: x.greater_(0.6), "GtBackward0"),
    "ge_": (lambda lib, x: x.ge_(0.6), "GeBackward0"),
    "greater_equal_": (lambda lib, x: x.greater_equal_(0.6), "GeBackward0"),
    "eq_ tensor": (lambda lib, x: x.eq_(x.detach().clone()), "EqBackward1"),
    "ge_ row": (lambda lib, x: x.ge_(x[0].detach().clone()), "GeBackward1"),
    "cumsum_": (lambda lib, x: x.cumsum_(1), "CumsumBackward0"),
    "cumprod_": (lambda lib, x: x.cumprod_(0), "CumprodBackward0"),
    "arctan2_": (lambda lib, x: x.arctan2_(lib.ones_like(x)), "Atan2Backward0"),
    "true_divide_": (lambda lib, x: x.true_divide_(2), "DivBackward0"),
    "fix_": (lambda lib, x: x.fix_(), "TruncBackward0"),
    "arctan_": (lambda lib, x: x.arctan_(), "AtanBackward0"),
}
# Without a node that both libraries name alike.
MORE_IN_PLACE: dict[str, Callable] = {
    "addmm_": lambda lib, x: x.addmm_(lib.ones_like(x)[:, :2], lib.ones_like(x)[:2]),
    "addmm_ scaled": lambda lib, x: x.addmm_(
        lib.ones_like(x)[:, :2], lib.ones_like(x)[:2], beta=0.5, alpha=2
    ),
    "clamp_min_": lambda lib, x: x.clamp_min_(0.1),
    "clamp_max_": lambda lib, x: x.clamp_max_(lib.zeros_like(x[0])),
}
ALL_CHANGES = {**{n: f for n, (f, _) in {**CHANGES, **NUMBERS_IN_PLACE}.items()}, **MORE_IN_PLACE}
NODES = {name: node for name, (_, node) in {**CHANGES, **NUMBERS_IN_PLACE}.items()}


def start(lib: Any) -> Any:
    values = np.array([[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]])
    return lib.tensor(values.tolist(), dtype=lib.float64)


@both
@pytest.mark.parametrize("name", ALL_CHANGES)
def test_result_of_a_change(lib: Any, name: str) -> None:
    """The same as out of place, on the tape and off it; the version counts it once."""
    change = ALL_CHANGES[name]
    leaf = start(lib).requires_grad_()
    x = leaf * 1
    x.retain_grad()
    assert change(lib, x) is x
    assert (x._version, x.requires_grad, x.is_leaf) == (1, True, False)
    if name in NODES:
        assert type(x.grad_fn).__name__ == NODES[name]
    plain = start(lib)
    change(lib, plain)
    assert (plain._version, plain.stride()) == (1, x.stride())
    np.testing.assert_allclose(np.array(x.detach().numpy()), np.array(plain.numpy()))
    weights = lib.arange(1.0, x.numel() + 1, dtype=lib.float64).reshape(x.shape)
    (x * weights).sum().backward()
    if lib is tg:  # in PyTorch it is as it was before the change
        assert x.grad.shape == x.shape
    # By differences, where a small step changes the result by as much.
    step = 1e-6
    for i, j in ((0, 0), (1, 2)):
        high, low = (start(lib) for _ in range(2))
        high[i, j] += step
        low[i, j] -= step
        high, low = ((change(lib, t) * weights).sum().item() for t in (high, low))
        assert leaf.grad[i, j].item() == pytest.approx((high - low) / (2 * step), abs=1e-6)


@both
@pytest.mark.parametrize("name", CHANGES)
def test_window_of_a_leaf_and_of_views(lib: Any, name: str) -> None:
    change, node = CHANGES[name]
    x = start(lib).requires_grad_()
    with raises(RuntimeError, LEAF, lib=lib):
        change(lib, x)
    with raises(RuntimeError, LEAF_VIEW, lib=lib):
        change(lib, x[:])
    with lib.no_grad():
        change(lib, x)
    assert (x.requires_grad, x.is_leaf, x._version) == (True, True, 1)
    if lib is tg:  # PyTorch's node that accumulates knows the old shape alone
        (x * 2).sum().backward()
        assert x.grad.shape == x.shape

    # The base keeps its values and its history; the view knows where it is.
    leaf = start(lib).requires_grad_()
    base = leaf * 1
    view, other = base[:, :], base[0]
    change(lib, view)
    assert type(base.grad_fn).__name__ == "MulBackward0"
    assert type(view.grad_fn).__name__ == node
    assert (base._version, view._version, other._version) == (1, 1, 1)
    view.mul_(2)
    assert type(base.grad_fn).__name__ == "CopySlices"
    weights = lib.tensor([[1.0, 2, 3], [4, 5, 6]], dtype=lib.float64)
    total = (base * weights).sum() + (view * 3).sum() + other.sum()
    (grad,) = lib.autograd.grad(total, leaf)
    shown = start(lib).zero_()
    change(lib, shown).fill_(1)
    shown = shown.as_strided((2, 3), (3, 1), 0)
    row = lib.tensor([[1.0, 1, 1], [0, 0, 0]], dtype=lib.float64)
    want = weights * (1 + shown) + 6 * shown + row * (1 + shown)
    np.testing.assert_allclose(np.array(grad.numpy()), np.array(want.numpy()))


@both
def test_window_of_a_saved_value(lib: Any) -> None:
    x = start(lib).requires_grad_() * 1
    y = x * x
    x.t_()
    with raises(RuntimeError, MODIFIED, lib=lib):
        y.sum().backward()


@both
def test_comparisons_in_place_cut_the_history(lib: Any) -> None:
    a, b = start(lib).requires_grad_(), start(lib).requires_grad_()
    c = a * 1
    c.ge_(b)
    grads = lib.autograd.grad(c.sum(), (a, b))
    assert [g.abs().sum().item() for g in grads] == [0, 0]
    whole = lib.tensor([1, 2, 3])
    assert whole.eq_(b[0].detach()).tolist() == [0, 0, 0]
    assert whole.ne_(2).dtype == lib.int64


LOGIC: dict[str, tuple[Callable, Callable]] = {
    "and": (lambda x, y: x.logical_and_(y), lambda x, y: x.logical_and(y)),
    "or": (lambda x, y: x.logical_or_(y), lambda x, y: x.logical_or(y)),
    "xor": (lambda x, y: x.logical_xor_(y), lambda x, y: x.logical_xor(y)),
    "not": (lambda x, y: x.logical_not_(), lambda x, y: x.logical_not()),
}


@pytest.mark.parametrize("name", LOGIC)
def test_logic_in_place(name: str) -> None:
    """PyTorch forgets that the result does not depend on the operands any more."""
    change, function = LOGIC[name]
    other = tg.tensor([1.0, 0.0, 1.0])
    leaf = tg.tensor([2.0, 0.0, 0.0], requires_grad=True)
    x = leaf * 1
    assert change(x, other) is x
    assert x.tolist() == function(leaf.detach(), other).float().tolist()
    assert tg.autograd.grad(x.sum(), leaf)[0].tolist() == [0, 0, 0]
    with raises(RuntimeError, LEAF):
        change(leaf, other)


@both
def test_refused_changes(lib: Any) -> None:
    x = lib.ones(2, 3)
    with raises(RuntimeError, "Bad in-place call: input tensor dtype ", lib=lib):
        x.cumsum_(0, dtype=lib.float64)
    with raises(NotImplementedError, "\"cumsum_out_cpu\" not implemented for 'Bool'", lib=lib):
        lib.tensor([True]).cumsum_(0)
    with raises(RuntimeError, "Bad in-place call: input tensor size [2, 3] and output", lib=lib):
        x.addmm_(lib.ones(2, 2), lib.ones(2, 4))
    with raises(RuntimeError, "output with shape [2, 3] doesn't match the broadcast", lib=lib):
        x.eq_(lib.ones(2, 2, 3))
    with raises(RuntimeError, OVERLAP, lib=lib):
        x.expand(2, 2, 3).eq_(1)
    with raises(
        RuntimeError, "t_() expects a tensor with <= 2 dimensions, but self is 3D", lib=lib
    ):
        lib.ones(1, 1, 1).t_()
    assert (x._version, x.tolist()) == (0, [[1.0] * 3] * 2)


@both
def test_resize(lib: Any) -> None:
    x = lib.arange(6.0).reshape(2, 3)
    assert x.resize_(2, 3) is x
    assert x._version == 0
    view = x[1]
    assert view.resize_(1, 2).tolist() == [[3.0, 4.0]]
    assert (x._version, view._version) == (1, 1)
    assert x.resize_((4,)).tolist() == [0.0, 1.0, 2.0, 3.0]
    assert x.resize_as_(lib.ones(3, 2)).tolist() == [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]
    y = lib.arange(3.0)
    y.add_(1)
    assert y.resize_(2, 2, memory_format=lib.contiguous_format).flatten()[:3].tolist() == [1, 2, 3]
    assert (y._version, y.resize_(0).shape, y.resize_(1).tolist()) == (2, (0,), [1.0])
    assert lib.ones(3).expand(2, 3).resize_(3).tolist() == [1.0, 1.0, 1.0]
    for t in (lib.ones(2, requires_grad=True), lib.ones(2, requires_grad=True) * 1):
        with raises(RuntimeError, "cannot resize variables that require grad", lib=lib):
            t.resize_(1)
    with raises(RuntimeError, "Trying to resize storage that is not resizable", lib=lib):
        lib.from_numpy(np.ones(3)).resize_(4)


def test_memory_that_others_share_does_not_grow() -> None:
    x = tg.ones(3)
    view = x[1:]
    with raises(RuntimeError, "Trying to resize storage that is not resizable"):
        x.resize_(4)
    assert (x.shape, view._version) == ((3,), 0)
    del view
    assert x.resize_(4).shape == (4,)


# ---------------------------------------------------------------- programs

STEPS = {
    "add": lambda lib, a, k: a.add_(k) if lib is tg else a.__iadd__(k),
    "mul": lambda lib, a, k: a.mul_(k) if lib is tg else a.__imul__(k),
    "set": lambda lib, a, k: a.fill_(k) if lib is tg else a.fill(k),
    "self": lambda lib, a, k: a.add_(a) if lib is tg else a.__iadd__(a),
}
VIEWS = {
    "half": lambda a: a[: (a.shape[0] + 1) // 2] if a.ndim else a,
    "odd": lambda a: a[1::2] if a.ndim else a,
    "turn": lambda a: a.T if a.ndim == 2 else a,
    "row": lambda a: a[-1, ...] if a.ndim and a.shape[0] else a,
    "wide": lambda a: a[None] if a.ndim < 2 else a,
}


@given(
    st.lists(
        st.tuples(
            st.integers(0, 9), st.sampled_from([*VIEWS, *STEPS]), st.sampled_from([-1, 2, 0.5])
        ),
        min_size=1,
        max_size=12,
    )
)
def test_programs_of_views_and_writes_agree_with_numpy(program: list) -> None:
    """Every tensor of a random program keeps sharing the memory that NumPy's views share."""
    values = np.arange(1.0, 13.0).reshape(3, 4)
    mine, other = [contiguous(values)], [values.copy()]
    for pick, step, number in program:
        k = pick % len(mine)
        if step in VIEWS:
            mine.append(VIEWS[step](mine[k]))
            other.append(VIEWS[step](other[k]))
        elif other[k].ndim:
            STEPS[step](tg, mine[k], number)
            STEPS[step](np, other[k], number)
        for a, b in zip(mine, other, strict=True):
            np.testing.assert_array_equal(array(a), b)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([*VIEWS, "add", "mul", "set"]), st.sampled_from([-1.0, 2.0, 0.5])
        ),
        min_size=1,
        max_size=7,
    )
)
def test_gradients_of_programs_agree_with_differences(program: list) -> None:
    """Writing into a view of a result updates the history of the whole result."""

    def run(x: Any) -> Any:
        base = x * 1
        view = base
        for step, number in program:
            if step in VIEWS:
                view = VIEWS[step](view)
            elif view.numel():
                {
                    "add": lambda v, n: v.add_(x[0, 0] * n),
                    "mul": lambda v, n: v.mul_(n),
                    "set": lambda v, n: v.fill_(n),
                }[step](view, number)
        return (base * base * weights).sum() + (view * view).sum()

    weights = contiguous(np.linspace(0.5, 1.5, 6).reshape(2, 3))
    start = contiguous(np.linspace(-1, 1.3, 6).reshape(2, 3)).requires_grad_()
    assert tg.autograd.gradcheck(run, (start,))


@both
def test_detach_in_place_in_inference_mode(lib: Any) -> None:
    x = lib.ones(2, requires_grad=True)
    y, view = x * 1, x[:1]
    with lib.inference_mode():
        for tensor in (x, y, view):
            assert tensor.detach_() is tensor
    assert (x.requires_grad, y.grad_fn is None, view._is_view()) == (True, False, True)
    with raises(RuntimeError, "Can't detach views in-place. Use detach() instead.", lib=lib):
        view.detach_()


WHOLE: dict[str, Any] = {
    "[:]": slice(None),
    "[0:]": slice(0, None),
    "[:2]": slice(2),
    "[:9]": slice(9),
    "[:, :]": (slice(None), slice(None)),
    "[..., :]": (..., slice(None)),
}


@both
@pytest.mark.parametrize("name", WHOLE)
def test_assigning_to_whole_dimensions_makes_no_view(lib: Any, name: str) -> None:
    x, y, v = (lib.ones(s, requires_grad=True) for s in ((2, 3), (2, 3), (3,)))
    a, b, c = x * 1, y * 1, lib.zeros(2, 3)
    a[WHOLE[name]] = v
    b[WHOLE[name]] = 2.0
    c[WHOLE[name]] = v.sum()
    names = [type(t.grad_fn).__name__ for t in (a, b, c)]
    assert names == ["CopyBackwards", "FillBackward3", "FillBackward3"]
    (a.sum() + b.sum() + c.sum()).backward()
    assert (x.grad.sum(), y.grad.sum(), v.grad.tolist()) == (0, 0, [8.0, 8.0, 8.0])
    d = x * 1
    d[-2:] = v
    assert type(d.grad_fn).__name__ == "CopySlices"


def test_products_added_in_place() -> None:
    def check(x: Any, change: Any, expected: Any) -> None:
        for beta, alpha in ((1, 1), (0.5, 2), (0, 3)):
            y = x.clone()
            result = change(y, beta, alpha)
            assert result is y
            np.testing.assert_allclose(array(y), array(x * beta + expected * alpha), rtol=1e-6)
            with raises(
                RuntimeError, "Bad in-place call: input tensor size [1] and output tensor size"
            ):
                change(tg.ones(1), beta, alpha)

    a, b, v, w = tg.randn(2, 3), tg.randn(3, 4), tg.randn(3), tg.randn(2)
    many = tg.randn(5, 2, 3), tg.randn(5, 3, 4)
    check(w, lambda x, f, g: x.addmv_(a, v, beta=f, alpha=g), a @ v)
    check(a, lambda x, f, g: x.addr_(w, v, beta=f, alpha=g), tg.outer(w, v))
    check(tg.randn(5, 2, 4), lambda x, f, g: x.baddbmm_(*many, beta=f, alpha=g), tg.bmm(*many))
    check(a @ b, lambda x, f, g: x.addbmm_(*many, beta=f, alpha=g), tg.bmm(*many).sum(0))
