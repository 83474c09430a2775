"""Arguments of operators: names, kinds and defaults, `out=`, and what errors say of them."""

from __future__ import annotations

import contextlib
import inspect
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tapegrad as tg
from both import both
from support import raises


def test_names_of_numpy() -> None:
    x = tg.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert x.sum(axis=1, keepdims=True).tolist() == [[3.0], [7.0]]
    assert tg.flip(x, axes=(0, 1)).tolist() == [[4.0, 3.0], [2.0, 1.0]]
    assert tg.add(x1=x, x2=1).tolist() == tg.add(input=x, other=1).tolist()
    for name in ("input", "x", "a", "x1", "self"):
        assert tg.exp(**{name: x}).tolist() == x.exp().tolist()
    assert x.softmax(axis=0).tolist() == x.softmax(0).tolist()
    with raises(TypeError, "sum() got an unexpected keyword argument 'dim"):
        x.sum(**{"dim\0": 0})
    assert 1 <= tg.empty(1).uniform_(**{"from": 1, "to": 2}).item() <= 2
    assert tg.empty(1).random_(**{"from": 1, "to": 2}).item() == 1


@pytest.mark.parametrize("make", [tuple, list, tg.Size], ids=["tuple", "list", "Size"])
def test_sizes(make: Callable[[Any], Any]) -> None:
    x = tg.arange(6)
    for view in (x.view(make([2, 3])), x.view(2, 3), x.view(size=make([2, 3]))):
        assert view.shape == (2, 3)
    assert tg.zeros(make([2, 3])).shape == tg.zeros(2, 3).shape == (2, 3)
    assert tg.zeros(make([])).shape == ()
    assert tg.reshape(x, make([3, 2])).shape == tg.reshape(x, 3, 2).shape == (3, 2)


def test_numbers() -> None:
    x = tg.ones(2, 3)
    for two in (tg.tensor(2), np.int64(2), np.int32(2), tg.tensor([2])):
        assert tg.zeros(two, 3).shape == (2, 3)
        assert x.view(3, two).shape == (3, 2)
        assert x.narrow(1, 0, two).shape == (2, 2)
    for half in (tg.tensor(0.5), np.float32(0.5), np.float64(0.5)):
        assert tg.addmm(tg.zeros(2, 2), x, x.T, alpha=half).tolist() == [[1.5, 1.5], [1.5, 1.5]]
        assert x.clamp(max=half).tolist() == [[0.5] * 3] * 2
        assert tg.full((2,), half).tolist() == [0.5, 0.5]
    assert x.sum(0, np.bool_(True)).shape == (1, 3)


def test_what_requires_grad_is_no_number() -> None:
    number = tg.tensor(0.5, requires_grad=True)
    for call in (
        lambda: tg.add(tg.ones(2), 1, alpha=number),
        lambda: tg.scatter(tg.ones(2), 0, tg.tensor([0]), value=number),
    ):
        with pytest.raises(TypeError):
            call()
    with raises(
        TypeError, "elu(): argument 'alpha' must be float, not Tensor (float32, shape [])."
    ):
        tg.elu(tg.ones(2), alpha=number)


def test_lists_that_change_while_they_are_read() -> None:
    class Clearing:
        def __index__(self) -> int:
            sizes.clear()
            return 2

    for rest in ([1000, Clearing(), 3], [Clearing(), *map(str, range(1000))]):
        sizes: list[Any] = [Clearing(), *rest]
        with contextlib.suppress(IndexError, RuntimeError, TypeError):
            assert tg.ones(2, 2, 2, 2).permute(sizes).dim() == 4
    sizes = [Clearing(), Clearing(), 3]
    assert tg.zeros(sizes).shape == (2, 2, 3)


@both
def test_a_tensor_is_the_other_one_and_no_dimension(lib: Any) -> None:
    x = lib.tensor([1, 4])
    for two in (lib.tensor(2), lib.tensor([2])):
        assert lib.max(x, two).tolist() == x.max(two).tolist() == [2, 4]
        assert lib.min(x, two).tolist() == [1, 2]
    assert lib.max(x, 0).values.item() == 4


@pytest.mark.parametrize("wrong", [2.0, "2", None, True, tg.ones(1)])
def test_what_is_no_int(wrong: Any) -> None:
    with raises(TypeError, "unsqueeze(): argument 'dim' (position 1) must be int, not "):
        tg.ones(2).unsqueeze(wrong)


# ---------------------------------------------------------------------------------- errors

X = tg.ones(2, 3)
MESSAGES: dict[str, tuple[Callable[[], Any], str]] = {
    "type": (
        lambda: tg.matmul(X, 3),
        "matmul(): argument 'other' (position 2) must be Tensor, not int",
    ),
    "type-of-method": (
        lambda: X.matmul([1]),
        "matmul(): argument 'other' (position 1) must be Tensor, not list",
    ),
    "keyword": (
        lambda: X.cumsum(dim="a"),
        "cumsum(): argument 'dim' must be int, not str",
    ),
    "tensor": (
        lambda: X.cumsum(X),
        "cumsum(): argument 'dim' (position 1) must be int, not Tensor (float32, shape [2, 3])",
    ),
    "array": (
        lambda: tg.matmul(X, np.ones(3)),
        "matmul(): argument 'other' (position 2) must be Tensor, not numpy.ndarray. "
        "tapegrad.from_numpy makes a tensor of an array.",
    ),
    "missing": (
        lambda: tg.matmul(X),
        'matmul() missing 1 required positional arguments: "other"',
    ),
    "missing-two": (
        lambda: X.transpose(),
        'transpose() missing 2 required positional arguments: "dim0", "dim1"',
    ),
    "too-many": (
        lambda: X.cumsum(0, 1),
        "cumsum() takes 1 positional argument but 2 were given",
    ),
    "keyword-by-position": (
        lambda: tg.cumsum(X, 0, tg.float64),
        "cumsum() takes 2 positional arguments but 3 were given",
    ),
    "far-too-many": (
        lambda: tg.cumsum(*[X] * 17),
        "cumsum() takes 2 positional arguments but 17 were given",
    ),
    "far-too-many-for-a-method": (
        lambda: X.cumsum(*[0] * 40),
        "cumsum() takes 1 positional argument but 40 were given",
    ),
    "twice": (
        lambda: X.cumsum(0, dim=1),
        "cumsum() got multiple values for argument 'dim'",
    ),
    "twice-by-other-names": (
        lambda: X.cumsum(axis=0, dim=1),
        "cumsum() got multiple values for argument 'dim'",
    ),
    "unknown": (
        lambda: X.sum(axes=1),
        "sum() got an unexpected keyword argument 'axes'. Did you mean 'axis'?",
    ),
    "unknown-and-far": (
        lambda: X.sum(wrong=1),
        "sum() got an unexpected keyword argument 'wrong'",
    ),
    "self-by-name": (
        lambda: X.cumsum(0, input=X),
        "cumsum() got an unexpected keyword argument 'input'",
    ),
    "element": (
        lambda: tg.zeros((2, "a")),
        "zeros(): argument 'size' (position 1) must be tuple of ints, but found element of type "
        "str at pos 1",
    ),
    "tensors": (
        lambda: tg.cat([X, 1]),
        "cat(): argument 'tensors' (position 1) must be tuple of Tensors, but found element of "
        "type int at pos 1",
    ),
    "forms": (
        lambda: X.max("a", 1),
        "max() received an invalid combination of arguments - got (str, int), but expected one "
        "of:\n * max()\n * max(other)\n * max(dim, keepdim=False)",
    ),
    "forms-unknown": (
        lambda: X.max(dims=1),
        "max() received an invalid combination of arguments - got (dims=int), but expected one "
        "of:\n * max()\n * max(other)\n * max(dim, keepdim=False)\nNo form has the keyword "
        "'dims'. Did you mean 'dim'?",
    ),
}


@pytest.mark.parametrize("case", MESSAGES)
def test_message(case: str) -> None:
    call, text = MESSAGES[case]
    with pytest.raises(TypeError) as caught:
        call()
    assert str(caught.value) == text


def test_attributes_have_suggestions(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(AttributeError) as caught:
        X.unsqeeze(0)  # type: ignore[attr-defined]
    sys.__excepthook__(caught.type, caught.value, caught.tb)  # the interpreter's own suggestion
    assert "Did you mean: 'unsqueeze'?" in capsys.readouterr().err
    with raises(AttributeError, "module 'tapegrad' has no attribute 'arrange'. Did you mean"):
        tg.arrange(3)  # type: ignore[attr-defined]


# ------------------------------------------------------------------------------------- out=


@both
def test_out_is_the_result(lib: Any) -> None:
    x = lib.tensor([[1.0, 2.0], [3.0, 4.0]])
    for call in (
        lambda out: lib.exp(x, out=out),
        lambda out: lib.add(x, x, alpha=2, out=out),
        lambda out: lib.cumsum(x, 0, out=out),
        lambda out: lib.matmul(x, x, out=out),
        lambda out: lib.where(x > 1, x, x, out=out),
    ):
        out = lib.zeros(2, 2)
        assert call(out) is out
        assert out.tolist() == call(lib.empty(0)).tolist()
        assert out._version == 1
    assert lib.add(x, 1, out=None).tolist() == [[2.0, 3.0], [4.0, 5.0]]
    values, indices = lib.zeros(2), lib.zeros(2, dtype=lib.int64)
    result = lib.max(x, 1, out=(values, indices))
    assert result[0] is values
    assert values.tolist() == [2.0, 4.0]
    assert indices.tolist() == [1, 1]


@both
def test_out_dtype(lib: Any) -> None:
    out = lib.zeros(2, dtype=lib.float64)
    assert lib.add(lib.ones(2), 1, out=out).tolist() == [2.0, 2.0]
    assert lib.zeros(2, out=lib.ones(2, dtype=lib.int64)).dtype is lib.int64
    assert lib.sum(lib.tensor([1.5, 1.6]), 0, out=lib.tensor(0)).item() == 2
    for dtype in (lib.float32, lib.int64):
        with pytest.raises(RuntimeError):
            lib.sum(lib.ones(2), 0, dtype=dtype, out=lib.tensor(0.0, dtype=lib.float64))
        with pytest.raises(RuntimeError):
            lib.zeros(2, dtype=dtype, out=lib.empty(0, dtype=lib.float64))
    for call in (lib.exp, lib.sqrt):
        with raises(
            RuntimeError, "result type Float can't be cast to the desired output type Long"
        ):
            call(lib.ones(2), out=lib.zeros(2, dtype=lib.int64))


@both
def test_out_shape(lib: Any) -> None:
    out = lib.zeros(2)
    with pytest.warns(UserWarning, match=r"was resized since it had shape \[2\], which does not "):
        lib.add(lib.ones(3), 1, out=out)
    assert out.tolist() == [2.0, 2.0, 2.0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert lib.add(lib.ones(3), 1, out=lib.empty(0)).tolist() == [2.0, 2.0, 2.0]
        assert lib.zeros(3, out=lib.ones(2)).tolist() == [0.0, 0.0, 0.0]


@both
def test_out_that_is_a_view(lib: Any) -> None:
    """It keeps its memory where that is enough: what it shows is seen through its base."""
    for start, stop, size in ((0, 2, 3), (0, 2, 4), (1, 2, 3), (0, 0, 3), (0, 4, 2)):
        base = lib.zeros(4)
        view = base[start:stop]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert lib.add(lib.ones(size), 1, out=view) is view
        assert view.tolist() == [2.0] * size
        assert base[start : start + size].tolist() == [2.0] * size
        assert view._base is base
        assert base._version == view._version > 0
    base = lib.zeros(5)
    memory = base.data_ptr()
    with pytest.warns(UserWarning, match="was resized"):
        lib.add(lib.ones(3), 1, out=base)
    assert (base.data_ptr(), base.tolist()) == (memory, [2.0, 2.0, 2.0])
    columns = lib.zeros(2, 2)
    with pytest.warns(UserWarning, match="was resized"):
        lib.add(lib.ones(4), 1, out=columns.T)
    assert columns.tolist() == [[2.0, 2.0], [2.0, 2.0]]


@pytest.mark.filterwarnings("ignore:An output with one or more elements was resized")
def test_out_whose_memory_others_have_too() -> None:
    """PyTorch moves all of them."""
    for make in (lambda x: x.view(2), lambda x: x.detach(), lambda x: x.numpy()):
        x = tg.zeros(2)
        other = make(x)
        with raises(RuntimeError, "Trying to resize storage that is not resizable"):
            tg.add(tg.ones(3), 1, out=x)
        assert x.tolist() == other.tolist() == [0.0, 0.0]


@both
def test_out_that_requires_grad(lib: Any) -> None:
    for make in (
        lambda **o: lib.ones(2, **o),
        lambda **o: lib.full((2,), 1.0, **o),
        lambda **o: lib.arange(2.0, **o),
        lambda **o: lib.rand(2, **o),
        lambda **o: lib.linspace(0, 1, 2, **o),
    ):
        out = lib.empty(2)
        assert make(out=out, requires_grad=True) is out
        assert out.requires_grad and out.is_leaf
        assert not make(out=lib.empty(2)).requires_grad


WHOLE: dict[str, Callable[[Any, Any], Any]] = {
    "gather": lambda lib, x: lib.gather(x, 0, lib.tensor([0]), out=lib.empty(1, dtype=lib.float64)),
    "index_select": lambda lib, x: lib.index_select(
        x, 0, lib.tensor([0]), out=lib.empty(1, dtype=lib.float64)
    ),
    "masked_select": lambda lib, x: lib.masked_select(x, x > 0, out=lib.empty(2, dtype=lib.int64)),
    "nonzero": lambda lib, x: lib.nonzero(x, out=lib.empty(2, 1, dtype=lib.int32)),
    "where": lambda lib, x: lib.where(x > 0, x, x, out=lib.empty(2, dtype=lib.float64)),
    "clamp": lambda lib, x: lib.clamp(x, 0, 1, out=lib.empty(2, dtype=lib.float64)),
    "matmul": lambda lib, x: lib.matmul(x, x, out=lib.empty((), dtype=lib.float64)),
    "softmax": lambda lib, x: lib.softmax(x, 0, out=lib.empty(2, dtype=lib.float64)),
    "argmax": lambda lib, x: lib.argmax(x, 0, out=lib.empty((), dtype=lib.int32)),
    "amax": lambda lib, x: lib.amax(x, 0, out=lib.empty((), dtype=lib.float64)),
    "tril": lambda lib, x: lib.tril(x.view(1, 2), out=lib.empty(1, 2, dtype=lib.float64)),
    "scatter": lambda lib, x: lib.scatter(
        x, 0, lib.tensor([0]), 1, out=lib.empty(2, dtype=lib.float64)
    ),
    "max": lambda lib, x: lib.max(x, 0, out=(lib.empty(()), lib.empty((), dtype=lib.int32))),
    "sort": lambda lib, x: lib.sort(
        x, out=(lib.empty(2, dtype=lib.float64), lib.empty(2, dtype=lib.int64))
    ),
    "topk": lambda lib, x: lib.topk(x, 1, out=(lib.empty(1), lib.empty(1, dtype=lib.int32))),
    "any": lambda lib, x: lib.any(x, 0, out=lib.empty(())),
    "norm": lambda lib, x: lib.norm(x, out=lib.empty((), dtype=lib.float64)),
}


@both
@pytest.mark.parametrize("case", WHOLE)
def test_out_of_the_type_of_the_result(case: str, lib: Any) -> None:
    """Only element-wise operators, reductions and what makes tensors convert what they write."""
    with pytest.raises(RuntimeError):
        WHOLE[case](lib, lib.ones(2))


@both
def test_out_among_the_arguments(lib: Any) -> None:
    text = (
        "unsupported operation: some elements of the input tensor and the written-to tensor refer"
    )
    for call in (
        lambda x: lib.cat([x[:2], x[2:]], out=x),
        lambda x: lib.stack([x[:2], x[2:]], out=x.view(2, 2)),
        lambda x: lib.gather(x, 0, lib.tensor([3, 2, 1, 0]), out=x),
        lambda x: lib.gather(x, 0, lib.tensor([3, 2]), out=x[:2]),
        lambda x: lib.index_select(x, 0, lib.tensor([3, 2]), out=x[:2]),
        lambda x: lib.masked_select(x, x > 1, out=x[:2]),
        lambda x: lib.scatter(x, 0, lib.tensor([0]), x[1:], out=x),
        lambda x: lib.index_add(x, 0, lib.tensor([0]), x[1:2], out=x),
        lambda x: lib.gather(x, 0, lib.tensor([0]), out=x[3:]),
        lambda x: lib.max(x.view(2, 2), 0, out=(x[:2], lib.zeros(2, dtype=lib.int64))),
    ):
        x = lib.arange(4.0)
        with raises(RuntimeError, text):
            call(x)
        assert x.tolist() == [0.0, 1.0, 2.0, 3.0]
    x = lib.arange(4.0)
    assert lib.scatter(x, 0, lib.tensor([0]), 9, out=x).tolist() == [9.0, 1.0, 2.0, 3.0]
    x = lib.arange(4.0)
    assert lib.cumsum(x, 0, out=x).tolist() == [0.0, 1.0, 3.0, 6.0]
    assert lib.max(x, lib.ones(4), out=x).tolist() == [1.0, 1.0, 3.0, 6.0]


@both
def test_out_memory(lib: Any) -> None:
    x = lib.arange(4.0)
    assert lib.add(x, 1, out=x).tolist() == [1.0, 2.0, 3.0, 4.0]
    before = x.tolist()
    with raises(RuntimeError, "unsupported operation: some elements of the input tensor and"):
        lib.add(x[:-1], 1, out=x[1:])
    with raises(RuntimeError, "unsupported operation: more than one element of the written-to"):
        lib.add(x, 1, out=lib.ones(1).expand(4))
    assert x.tolist() == before


@both
def test_out_is_not_recorded(lib: Any) -> None:
    text = "(): functions with out=... arguments don't support automatic differentiation, but one"
    leaf = lib.ones(2, requires_grad=True)
    with raises(RuntimeError, "add" + text):
        lib.add(leaf, 1, out=lib.ones(2))
    with raises(RuntimeError, "cat" + text):
        lib.cat([lib.ones(1), leaf], out=lib.ones(3))
    with raises(RuntimeError, "exp" + text):
        lib.exp(lib.ones(2), out=leaf)
    with lib.no_grad():
        assert lib.add(leaf, 1, out=lib.ones(2)).tolist() == [2.0, 2.0]


def test_what_has_no_out() -> None:
    for call in (
        lambda: tg.transpose(X, 0, 1, out=X),
        lambda: tg.reshape(X, (3, 2), out=X),
        lambda: tg.zeros_like(X, out=X),
        lambda: X.exp(out=X),
        lambda: tg.where(X[0] > 0, out=(tg.empty(0), tg.empty(0))),
    ):
        with raises(TypeError):
            call()
    with raises(TypeError, "add(): argument 'out' must be Tensor, not list"):
        tg.add(X, 1, out=[1])
    with raises(TypeError, "max(): argument 'out' must be tuple of Tensors, not Tensor"):
        tg.max(X, 1, out=tg.ones(2))


@both
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_forms_of_older_programs(lib: Any) -> None:
    """The factor before what it belongs to, or without its name."""
    x = lib.ones(2)
    for result in (lib.add(x, 1, 2), x.add(1, 2), x.clone().add_(1, 2), lib.sub(x, 1, -2)):
        assert result.tolist() == [3.0, 3.0]
    for result in (x.sub(1, 2), x.clone().sub_(1, 2)):
        assert result.tolist() == [-1.0, -1.0]
    assert lib.rsub(x, 1, 2).tolist() == [-1.0, -1.0]
    assert lib.tensor([1]).add(2, 0.5).tolist() == [2.0]
    for result in (lib.add(x, 2, x), x.add(2, x), x.clone().add_(2, x)):
        assert result.tolist() == [3.0, 3.0]
    for result in (lib.sub(x, 2, x), x.sub(2, x), x.clone().sub_(2, x)):
        assert result.tolist() == [-1.0, -1.0]
    leaf = lib.ones(2, requires_grad=True)
    lib.add(x, 3, leaf).sum().backward()
    assert leaf.grad.tolist() == [3.0, 3.0]
    m = lib.ones(2, 2)
    for result in (x.addmm(2, m, m), lib.addmm(2, x, m, m)):
        assert result.tolist() == [[4.0, 4.0], [4.0, 4.0]]
    for result in (x.addmm(2, 3, m, m), lib.addmm(2, x, 3, m, m)):
        assert result.tolist() == [[8.0, 8.0], [8.0, 8.0]]
    assert x.add(x, alpha=lib.tensor(2.5)).tolist() == [3.5, 3.5]
    assert x.clone().add_(x, alpha=lib.tensor(2)).tolist() == [3.0, 3.0]


@both
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", ["addcmul", "addcdiv"])
def test_older_forms_of_scaled_quotients_and_products(lib: Any, name: str) -> None:
    x, a, b = lib.tensor([1.0, 2.0]), lib.tensor([3.0, 4.0]), lib.tensor([2.0, 5.0])
    want = getattr(lib, name)(x, a, b, value=3).tolist()
    assert getattr(lib, name)(x, 3, a, b).tolist() == want
    assert getattr(x, name)(3, a, b).tolist() == want
    y = x.clone()
    assert getattr(y, name + "_")(3, a, b) is y
    assert y.tolist() == want


@both
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", ["addmm", "addmv", "addr", "addbmm", "baddbmm"])
def test_older_forms_of_scaled_sums(lib: Any, name: str) -> None:
    vector, matrix = lib.arange(2.0), lib.arange(4.0).reshape(2, 2)
    batch = lib.stack([matrix, matrix + 1])
    x, a, b = {
        "addmm": (matrix, matrix, matrix),
        "addmv": (vector, matrix, vector),
        "addr": (matrix, vector, vector),
        "addbmm": (matrix, batch, batch),
        "baddbmm": (batch, batch, batch),
    }[name]
    function = getattr(lib, name)
    for alpha, factors in ((1, ()), (3, (3,))):
        want = function(x, a, b, beta=2, alpha=alpha).tolist()
        assert function(2, x, *factors, a, b).tolist() == want
        assert getattr(x, name)(2, *factors, a, b).tolist() == want
        assert getattr(x.clone(), name + "_")(2, *factors, a, b).tolist() == want


def test_forms_of_older_programs_warn() -> None:
    with pytest.warns(
        UserWarning, match=r"This overload of add_ is deprecated: add_\(input, alpha"
    ):
        tg.ones(2).add_(2, tg.ones(2))


@both
def test_names_and_defaults(lib: Any) -> None:
    x = lib.ones(2, 3)
    assert x.size(None) == x.size(dim=None) == x.size() == (2, 3)
    assert x.size(dim=1) == 3
    assert x.stride(None) == (3, 1)
    assert [p.shape for p in lib.split(x, split_size_or_sections=1)] == [(1, 3), (1, 3)]
    assert [p.shape for p in lib.split(x, split_size_or_sections=[1, 2], dim=1)] == [(2, 1), (2, 2)]
    assert lib.reshape(x, shape=(3, 2)).shape == x.reshape(shape=[3, 2]).shape == (3, 2)
    assert x.broadcast_to(4, 2, 3).shape == x.broadcast_to((4, 2, 3)).shape == (4, 2, 3)
    assert lib.broadcast_to(x, size=(4, 2, 3)).shape == (4, 2, 3)
    assert lib.zeros(2, 3).copy_(other=x).tolist() == x.tolist()
    assert lib.result_type(tensor=x, other=1) is lib.float32
    assert x.to(float).dtype is lib.float64


def test_out_none_is_what_numpy_says() -> None:
    assert tg.tensor([1.26]).round(decimals=1, out=None).tolist() == pytest.approx([1.3])
    assert tg.ones(2).sum(axis=None, dtype=None, out=None).item() == 2.0
    with pytest.raises(TypeError):
        tg.ones(2).exp(out=None)


class Faulty:
    def __index__(self) -> int:
        raise LookupError("no index")


FAULTY: tuple[Callable[[Any], Any], ...] = (
    lambda i: X.sum(i),
    lambda i: X.unsqueeze(i),
    lambda i: X.permute(i, 1),
    lambda i: X.view((i, 2)),
    lambda i: tg.zeros(i, 2),
    lambda i: tg.zeros((2, i)),
    lambda i: X[i],
    lambda i: X[0, i],
    lambda i: X[i:],
    lambda i: tg.arange(6).split((i, 2)),
)


@pytest.mark.parametrize("call", FAULTY)
def test_exceptions_of_arguments_pass_through(call: Callable[[Any], Any]) -> None:
    with pytest.raises(LookupError, match="no index"):
        call(Faulty())


def test_signatures_of_python() -> None:
    assert str(inspect.signature(tg.cumsum)) == "(input, dim, *, dtype=None, out=None)"
    assert str(inspect.signature(tg.Tensor.cumsum)) == "(self, /, dim, *, dtype=None)"
    assert str(inspect.signature(tg.transpose)) == "(input, dim0, dim1)"
    assert str(inspect.signature(tg.Tensor.expand)) == "(self, /, *size)"


@both
@pytest.mark.parametrize(
    "call",
    [
        lambda lib: lib.randint(1, 10),
        lambda lib: lib.normal(0.0, 1.0, 2),
        lambda lib: lib.zeros(size=3),
        lambda lib: lib.full(2, 1.0),
        lambda lib: lib.zeros(),
    ],
    ids=["randint", "normal", "zeros", "full", "no size"],
)
def test_a_number_is_no_size_of_what_is_made(lib: Any, call: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError):
        call(lib)


def test_no_shapes_at_all() -> None:
    assert tg.broadcast_shapes() == ()
    assert tg.broadcast_tensors() == ()
