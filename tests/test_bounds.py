"""Integers that nobody means: sizes, strides, offsets, steps, dimensions at the ends of int64.

None may end the process, take memory without measure, or give a tensor that reaches outside of
its storage.
"""

from __future__ import annotations

import ctypes
import importlib.util
import re
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tapegrad as tg
from both import both, leaf
from op_table import ELSEWHERE
from support import check_tensor as check
from support import function_of, raises

torch: Any = None
if importlib.util.find_spec("torch"):
    import torch

MAX, MIN = 2**63 - 1, -(2**63)
# No memory holds as many elements.
HUGE = (MAX, MAX - 1, 2**62, 2**61, 2**60 + 1, 2**48)
NEGATIVE = (MIN, MIN + 1, -(2**62), -(2**48), -(2**31) - 1)
# Where an int of 32 bits ends.
WIDE = (2**31 - 1, 2**31, 2**32, 2**32 + 1)
TOO_WIDE = (2**63, 2**64, -(2**63) - 1)


def outcome(call: Callable[[], Any]) -> Any:
    """The shapes of what a call gives, or the type of the error that it raises."""

    def shapes(result: Any) -> Any:
        if isinstance(result, tuple | list):
            return [shapes(part) for part in result]
        return tuple(result.shape) if hasattr(result, "stride") else result

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            result = call()
        except Exception as error:
            return type(error)
    check(result)
    return shapes(result)


# -------------------------------------------------------------- every parameter that is an integer

# A value for each parameter of the operators that take integers somewhere.
ARGUMENTS: dict[str, Callable[[Any], Any]] = {
    "input": lambda t: t.ones(3, 4),
    **dict.fromkeys(("other", "x", "y", "a"), lambda t: t.ones(3, 4)),
    "A": lambda t: t.eye(4),
    "B": lambda t: t.ones(2, 2),
    "b": lambda t: t.ones(4, 3),
    "tensors": lambda t: [t.ones(3, 4), t.ones(3, 4)],
    "index": lambda t: t.zeros(1, 4, dtype=t.int64),
    "src": lambda t: t.ones(3, 4),
    "source": lambda t: t.ones(1, 4),
    "target": lambda t: t.zeros(3, dtype=t.int64),
    "size": lambda t: (2,),
    "stride": lambda t: (1,),
    "shifts": lambda t: (1,),
    "sizes": lambda t: (3, 1),
    "split_sizes": lambda t: (3,),
    "destination": lambda t: 0,
    "reduce": lambda t: "sum",
    **dict.fromkeys(
        ("dim", "dim0", "dim1", "dim2", "axis0", "axis1", "index_", "start", "length"), lambda t: 0
    ),
    **dict.fromkeys(
        ("start_", "end", "steps", "low", "high", "from_", "to", "n", "k", "chunks"), lambda t: 1
    ),
    **dict.fromkeys(("num_samples", "split_size", "offset", "source_", "unbiased"), lambda t: 1),
    **dict.fromkeys(("value", "fill_value", "mean", "std", "maxnorm"), lambda t: 1.0),
    **dict.fromkeys(("sections", "row", "col", "p"), lambda t: 2),
    "tensor_indices_or_sections": lambda t: t.tensor(2),
    "indices": lambda t: (1,),
    "q": lambda t: t.tensor(0.5),
    "repeats": lambda t: t.tensor([0]),
    "shape": lambda t: (3,),
    "physical_layout": lambda t: (0,),
    "dimension": lambda t: 0,
    "step": lambda t: 1,
}
# Where one name stands for several things.
SPECIAL: dict[tuple[str, str], Callable[[Any], Any]] = {
    **{(name, "index"): lambda t: 0 for name in ("select", "select_copy", "select_scatter")},
    **{(name, "size"): lambda t: 1 for name in ("unfold", "unfold_copy")},
    ("dsplit", "input"): lambda t: t.ones(3, 4, 2),
    ("combinations", "input"): lambda t: t.ones(4),
    ("bincount", "input"): lambda t: t.tensor([1, 0]),
    **{
        (name, "indices"): lambda t: t.zeros(1, 1, dtype=t.int64)
        for name in ("take_along_dim", "unravel_index")
    },
    ("select_scatter", "src"): lambda t: t.ones(4),
    ("diagonal_scatter", "src"): lambda t: t.ones(3),
    **{("slice_scatter", name): lambda t: t.ones(2, 4) for name in ("input", "src")},
    ("as_strided_scatter", "src"): lambda t: t.ones(1),
    ("as_strided_scatter", "size"): lambda t: (1,),
    ("matrix_power", "input"): lambda t: t.eye(3),
    ("vander", "x"): lambda t: t.ones(3),
    ("embedding", "weight"): lambda t: t.ones(3, 4),
    ("embedding", "indices"): lambda t: t.zeros(2, dtype=t.int64),
    **dict.fromkeys(
        (("linalg_tensorinv", "A"), ("linalg_tensorsolve", "A")),
        lambda t: t.eye(4).reshape(2, 2, 2, 2),
    ),
    ("movedim", "source"): lambda t: 1,
    ("linspace", "start"): lambda t: 0,
    ("logspace", "start"): lambda t: 0,
    ("randint_like", "high"): lambda t: 2,
    ("randint", "high"): lambda t: 2,
    ("random_", "to"): lambda t: 2,
    **dict.fromkeys((("index_reduce", "reduce"), ("index_reduce_", "reduce")), lambda t: "prod"),
    ("scatter", "reduce"): lambda t: "add",
    ("scatter_", "reduce"): lambda t: "add",
    **{
        (name, "index"): lambda t: t.zeros(1, dtype=t.int64)
        for name in (
            "index_select",
            *("index_add", "index_copy", "index_fill", "index_reduce"),
            *("index_add_", "index_copy_", "index_fill_", "index_reduce_"),
        )
    },
}
INTEGER, INTEGERS = "_int", ("_Dims", "Sequence[_Dims]")


BY_HAND = ("test_convolution.py", "test_images.py", "test_recurrent.py")
# Each parameter of an operator that takes an int, or several.
PARAMETERS = [
    pytest.param(operator, form, parameter, id=f"{operator['name']}-{number}-{parameter['name']}")
    for operator in tg._C._operators()
    if ELSEWHERE.get(operator["name"]) not in BY_HAND
    for number, form in enumerate(operator["forms"])
    for parameter in form["parameters"]
    if parameter["type"] in (INTEGER, *INTEGERS)
]


def call_with(lib: Any, operator: dict, form: dict, chosen: dict, value: Any) -> Any:
    """The operator with one parameter of a given value and as few others as there can be."""
    args, kwargs = [], {}
    for parameter in form["parameters"]:
        name = parameter["name"]
        if parameter is not chosen and ("default" in parameter or parameter["kind"] == "variadic"):
            continue
        if parameter is chosen:
            argument = value
        else:
            make = SPECIAL.get((operator["name"], name)) or ARGUMENTS[name]
            argument = make(lib)
        skipped = len(args) < form["parameters"].index(parameter)
        if parameter["kind"] == "keyword" or skipped:
            kwargs[name] = argument
        else:
            args.append(argument)
    if operator["function"]:
        return function_of(lib, operator)(*args, **kwargs)
    return getattr(args[0], operator["name"])(*args[1:], **kwargs)


def values_of(operator: dict, parameter: dict) -> Iterator[Any]:
    # What a legal value of that width would allocate is too much for a test.
    makes_memory = parameter["name"] in ("size", "steps", "n", "m", "num_samples", "repeats", "N")
    makes_memory |= parameter["name"] in ("bins", "minlength", "row", "col", "sections")
    makes_memory |= operator["name"] in ("tile", "diag")
    is_view = operator["name"] in ("expand", "broadcast_to", "broadcast_shapes", "as_strided")
    wide = () if makes_memory and not is_view else WIDE
    for value in (*HUGE, *NEGATIVE, *wide, *TOO_WIDE):
        yield value
        if parameter["type"] in INTEGERS:
            yield (value,)
            yield (value, 1)
            yield (2, value)
            yield (value, value)


# What PyTorch does not take or not check, or where its own arithmetic wraps.
NOT_COMPARED = (
    *("broadcast_shapes", "sum_to_size", "cross_entropy", "nll_loss", "as_strided_"),
    *("tensordot", "linalg_matrix_norm", "nuclear_norm", "unsafe_chunk"),  # errors of another type
    "combinations",  # it makes as many grids as elements are chosen
    # Indices overflow, in PyTorch for the most part: an error here, or there.
    *("hsplit", "vsplit", "dsplit", "slice_copy", "unfold", "unfold_copy", "unravel_index"),
    *("tril_indices", "triu_indices"),
)


def compared(operator: dict, parameter: dict, value: Any) -> bool:
    if operator["name"] in ("mvlgamma", "mvlgamma_"):
        return not 0 < value < MAX if isinstance(value, int) else False  # PyTorch lists all terms
    name, kind = parameter["name"], parameter["type"]
    if operator["name"] in NOT_COMPARED:
        return False
    by_itself = parameter["kind"] == "variadic" and not operator["function"]
    if kind in INTEGERS and not isinstance(value, tuple) and name != "dim" and not by_itself:
        return False  # one int for a list of them
    if name in ("source", "destination"):  # their lengths must agree before anything is looked at
        return not isinstance(value, tuple)
    return not (
        (operator["name"].endswith("matrix_power") and value == MIN)  # PyTorch does not come back
        or (operator["name"] in ("chunk", "unsafe_chunk") and value in (MAX, MAX - 1))
        or (operator["name"] == "roll" and value in (MIN, MIN + 1, (MIN,), (MIN + 1,)))
        or name == "step"  # the end of a step wraps
        or (operator["name"] in ("tril_indices", "triu_indices") and name == "offset")
        # What is less has a meaning of its own there.
        or (operator["name"] in ("hsplit", "vsplit", "dsplit") and np.min(value) < -(2**62))
    )


@pytest.mark.parametrize(("operator", "form", "parameter"), PARAMETERS)
def test_every_integer(operator: dict, form: dict, parameter: dict) -> None:
    for value in values_of(operator, parameter):

        def call(lib: Any, value: Any = value) -> Any:
            return outcome(lambda: call_with(lib, operator, form, parameter, value))

        got = call(tg)
        assert got not in (SystemError, MemoryError), value
        if not torch or not compared(operator, parameter, value):
            continue
        want = call(torch)
        wide = any(v in TOO_WIDE for v in (value if isinstance(value, tuple) else (value,)))
        if wide and want in (TypeError, ValueError):
            assert got in (TypeError, ValueError), value  # one of many, or one alone
        else:
            assert got == want, value


@pytest.mark.parametrize(("operator", "form", "parameter"), PARAMETERS)
def test_other_arguments_fit(operator: dict, form: dict, parameter: dict) -> None:
    # Otherwise every call above would fail for another reason.
    ordinary = (0, 1, 2, (0,), (1,), (3,), (3, 4), (1, 0), (3, 1))
    outcomes = [
        outcome(lambda value=value: call_with(tg, operator, form, parameter, value))
        for value in ordinary
    ]
    assert any(not isinstance(got, type) for got in outcomes), outcomes


# ----------------------------------------------------------------------------------- cases by hand

SHAPES: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "step": (lambda t: t.ones(3)[::MAX], (1,)),
    "step-of-columns": (lambda t: t.ones(3, 4)[:, ::MAX], (3, 1)),
    "step-of-steps": (lambda t: t.ones(6)[::2][::MAX], (1,)),
    "step-beyond-int64": (lambda t: t.ones(3)[:: 2**64], (1,)),
    "start": (lambda t: t.ones(3)[MAX:], (0,)),
    "start-from-the-end": (lambda t: t.ones(3)[MIN:], (3,)),
    "all-three": (lambda t: t.ones(3)[MIN : MAX : 2**62], (1,)),
    "stride-of-one": (lambda t: t.ones(3).as_strided((1,), (MAX,)), (1,)),
    "stride-of-one-sliced": (lambda t: t.ones(3).as_strided((1,), (MAX,))[::2], (1,)),
    "stride-of-one-diagonal": (
        lambda t: t.ones(3).as_strided((1, 1), (MAX, MAX)).diagonal(),
        (1,),
    ),
    "stride-of-none": (lambda t: t.ones(3).as_strided((0, 5), (1, MAX)).select(1, 3), (0,)),
    "offset-of-none": (lambda t: t.ones(3).as_strided((0,), (1,), MAX), (0,)),
    "offset-of-none-again": (lambda t: t.ones(3).as_strided((0,), (1,), MAX)[0:], (0,)),
    "expanded": (lambda t: t.ones(1).expand(MAX), (MAX,)),
    "expanded-part": (lambda t: t.ones(1).expand(2**62)[:: 2**61], (2,)),
    "expanded-element": (lambda t: t.ones(1).expand(2**62)[2**61], ()),
    "expanded-view": (lambda t: t.ones(1).expand(2**62).view(2**31, 2**31), (2**31, 2**31)),
    "expanded-to-none": (lambda t: t.ones(1).expand(2**62, 2, 0), (2**62, 2, 0)),
    "chunks-of-none": (lambda t: [c.shape for c in t.zeros(0).chunk(3)], [(0,)] * 3),
    "chunks": (lambda t: [c.shape for c in t.ones(3).chunk(2**62)], [(1,)] * 3),
    "split": (lambda t: [c.shape for c in t.ones(3).split(MAX)], [(3,)]),
    "split-of-many": (
        lambda t: [c.shape for c in t.ones(1).expand(MAX).split(2**62)],
        [(2**62,), (2**62 - 1,)],
    ),
    "tril": (lambda t: t.ones(3, 3).tril(MAX), (3, 3)),
    "tril-none": (lambda t: t.ones(3, 3).tril(MIN), (3, 3)),
    "diagonal": (lambda t: t.ones(3, 3).diagonal(MIN), (0,)),
    "diag": (lambda t: t.ones(3, 3).diag(MIN), (0,)),
    "roll": (lambda t: t.ones(3).roll(MAX), (3,)),
    "roll-twice": (lambda t: t.ones(3).roll((MAX, MAX), (0, 0)), (3,)),
    "randint": (lambda t: t.randint(MIN, MAX, (2,)), (2,)),
    "eye": (lambda t: t.eye(MAX, 0), (MAX, 0)),
    "count-below-zero": (
        lambda t: t.frombuffer(bytearray(16), dtype=t.float32, count=MIN),
        (4,),
    ),
}
# Where PyTorch wraps, and raises or answers wrongly for it.
WRAPS = {
    "step",
    "step-of-columns",
    "step-of-steps",
    "step-beyond-int64",
    "stride-of-one-sliced",
    "stride-of-one-diagonal",
    "split-of-many",
}


@both
@pytest.mark.parametrize("case", SHAPES)
@pytest.mark.filterwarnings("ignore:Truncating the start")
def test_shapes(case: str, lib: Any) -> None:
    if lib is torch and case in WRAPS:
        pytest.skip("PyTorch's arithmetic wraps")
    call, shape = SHAPES[case]
    result = call(lib)
    if isinstance(shape, list):
        assert result == shape
        return
    assert result.shape == shape
    check(result)


STORAGE = "Storage size calculation overflowed with sizes="
ERRORS: dict[str, tuple[Callable[[Any], Any], type[Exception], str]] = {
    "offset": (
        lambda t: t.ones(3).as_strided((2,), (1,), MAX - 2**30),
        RuntimeError,
        STORAGE + "[2] and strides=[1]",
    ),
    "write": (
        lambda t: t.ones(3).as_strided((2,), (1,), MAX - 2**30).fill_(0),
        RuntimeError,
        STORAGE + "[2] and strides=[1]",
    ),
    "stride": (
        lambda t: t.ones(3).as_strided((2,), (2**62 - 2**28,)),
        RuntimeError,
        STORAGE + f"[2] and strides=[{2**62 - 2**28}]",
    ),
    "stride-back": (
        lambda t: t.ones(3).as_strided((2,), (MAX,)),
        RuntimeError,
        STORAGE + f"[2] and strides=[{MAX}]",
    ),
    "strides": (lambda t: t.ones(3).as_strided((3, 3), (2**62, 2**62)), RuntimeError, STORAGE),
    "elements": (lambda t: t.ones(3).as_strided((2**62, 4), (0, 0)), RuntimeError, ""),
    "parts": (lambda t: t.ones(3).split([2**62, 2**62, 5]), RuntimeError, "split_with_sizes"),
    "bytes": (lambda t: t.empty(2**61), RuntimeError, STORAGE),
    "product": (lambda t: t.zeros(4, 2**62, 0), RuntimeError, STORAGE),
    "expand": (lambda t: t.ones(1).expand(2**62, 2), RuntimeError, ""),
    "expanded-copy": (lambda t: t.ones(1).expand(MAX).clone(), RuntimeError, STORAGE),
    "view": (lambda t: t.ones(3).view(2**32, 2**32), RuntimeError, "shape '["),
    "view-rest": (lambda t: t.ones(3).view(-1, 2**62, 4), RuntimeError, "shape '["),
    "unflatten": (lambda t: t.ones(3).unflatten(0, (2**62, 4)), RuntimeError, "unflatten"),
    "repeat": (lambda t: t.ones(3).repeat(2**62, 2**62), RuntimeError, ""),
    "diag": (lambda t: t.ones(3).diag(MIN), RuntimeError, ""),
    "diag-above": (lambda t: t.ones(3).diag(MAX), RuntimeError, ""),
    "cat": (lambda t: t.cat([t.ones(1).expand(2**62)] * 3), RuntimeError, ""),
    "stack": (lambda t: t.stack([t.ones(1).expand(2**62)] * 3), RuntimeError, ""),
    "outer": (lambda t: t.zeros(2**40, 0) @ t.zeros(0, 2**40), RuntimeError, STORAGE),
    "topk": (lambda t: t.tensor(1.0).topk(MAX), RuntimeError, "selected index k out of range"),
    "arange": (lambda t: t.arange(MIN, MAX), RuntimeError, "invalid size, possible overflow?"),
    "arange-of-floats": (lambda t: t.arange(1e30, dtype=t.int64), RuntimeError, "value cannot be"),
    "arange-step": (lambda t: t.arange(0, 9, 1e30, dtype=t.int64), RuntimeError, "value cannot be"),
    "index": (
        lambda t: t.ones(3)[MIN],
        IndexError,
        f"index {MIN} is out of bounds for dimension 0",
    ),
    "index-tensor": (lambda t: t.ones(3)[t.tensor([MIN])], IndexError, f"index {MIN} is out"),
    "item": (lambda t: t.ones(3)[2**64], ValueError, "Overflow when unpacking long long"),
    "dim": (lambda t: t.ones(3).sum(2**64), ValueError, "Overflow when unpacking long long"),
    "sizes": (lambda t: t.zeros(2**64), TypeError, "zeros(): argument 'size' failed to unpack"),
    "number": (lambda t: t.ones(3) + 2**64, OverflowError, "int too big to convert"),
    "frombuffer": (
        lambda t: t.frombuffer(bytearray(16), dtype=t.float32, count=2**64),
        ValueError,
        "Overflow when unpacking long long",
    ),
    "frombuffer-count": (
        lambda t: t.frombuffer(bytearray(16), dtype=t.float32, count=MAX),
        ValueError,
        "requested buffer length",
    ),
    "frombuffer-offset": (
        lambda t: t.frombuffer(bytearray(16), dtype=t.float32, offset=MAX),
        ValueError,
        f"offset ({MAX} bytes) must be non-negative",
    ),
}


@both
@pytest.mark.parametrize("case", ERRORS)
def test_errors(case: str, lib: Any) -> None:
    call, kind, start = ERRORS[case]
    with raises(kind, start, lib):
        call(lib)


@both
def test_shapes_that_broadcast(lib: Any) -> None:
    assert lib.broadcast_shapes((4, 3)) == (4, 3)
    assert lib.broadcast_shapes([2, 1], (3,), 1) == (2, 3)
    assert lib.broadcast_shapes() == ()
    with pytest.raises(RuntimeError):
        lib.broadcast_shapes(4, 3)


def test_more_parts_than_can_be_counted() -> None:
    many = tg.ones(1).expand(2**40)
    for call in (many.unbind, lambda: many.split(1), lambda: tg.zeros(0).chunk(2**32 + 1)):
        with raises(RuntimeError, "a tensor can't be split into"):
            call()
    with raises(RuntimeError, "split_with_sizes expects split_sizes to sum exactly to 3"):
        tg.ones(3).split([MAX, MAX, 5])  # their sum wraps to 3


# --------------------------------------------------------------- what a strange window is used for

WINDOWS: dict[str, Callable[[Any], Any]] = {
    "row": lambda x: x.as_strided((1, 3), (MAX, 1)),
    "column": lambda x: x.as_strided((3, 1), (1, 2**62)),
    "element": lambda x: x.as_strided((1, 1), (MAX, MAX)),
    "step": lambda x: x[::MAX, None],
    "none": lambda x: x.as_strided((0, 5), (1, MAX), 2**62),
    "none-of-many": lambda x: x.as_strided((2**62, 0), (MAX, 2**62)),
    "expanded-to-none": lambda x: x[:1, None].expand(2**40, 0),
    "expanded-between": lambda x: x[:1, None, None].expand(2**62, 0, 2**62)[:, :, 0],
}
USES: dict[str, Callable[[Any], Any]] = {
    "copy": lambda x: x.clone(),
    "double": lambda x: x.double(),
    "add": lambda x: x + x.sum(),
    "sum": lambda x: x.sum(1),
    "softmax": lambda x: x.softmax(1),
    "cumsum": lambda x: x.cumsum(1),
    "sort": lambda x: x.sort(1),
    "matmul": lambda x: x.t() @ x,
    "max": lambda x: x[:, None].max(1),
    "bmm": lambda x: x.t()[None] @ x[None, :, :0],
    "flip": lambda x: x.flip((0, 1)),
    "roll": lambda x: x.roll(MIN, 1),
    "repeat": lambda x: x.repeat(1, 2),
    "cat": lambda x: tg.cat([x, x], 1),
    "index": lambda x: x[:, tg.zeros(0, dtype=tg.int64)],
    "index_select": lambda x: x.index_select(1, tg.zeros(0, dtype=tg.int64)),
    "gather": lambda x: x.gather(1, tg.zeros(0, x.shape[1], dtype=tg.int64)),
    "fill": lambda x: x.fill_(2.0),
    "index_put": lambda x: x.index_put_((tg.zeros(0, dtype=tg.int64),), tg.tensor(1.0)),
    "unsqueeze": lambda x: x.unsqueeze(0).unsqueeze(-1),
    "transpose": lambda x: x.t().contiguous(),
    "slice": lambda x: x[:, ::MAX],
    "select": lambda x: x.select(0, -1) if x.shape[0] else x,
    "split": lambda x: x.split(2, 1),
    "unbind": lambda x: x.unbind(1),
    "diagonal": lambda x: x.diagonal(),
    "reshape": lambda x: x.reshape(-1, 1),
    "flatten": lambda x: x.flatten(),
    "squeeze": lambda x: x.squeeze(),
    "numpy": lambda x: tg.from_numpy(x.numpy()),
    "dlpack": lambda x: tg.from_dlpack(x),
    "buffer": lambda x: memoryview(x).shape,
    "repr": repr,
    "list": lambda x: x.tolist() if x.shape[0] < 9 else None,
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("window", WINDOWS)
def test_uses_of_windows(window: str, use: str) -> None:
    x = WINDOWS[window](tg.arange(3.0))
    check(x)
    if use == "sum" and x.shape[0] > 9:
        pytest.skip("as many sums as there are rows")
    if x.numel():
        check(USES[use](x))
        return
    try:
        check(USES[use](x))
    except (RuntimeError, ValueError) as error:  # sizes may be too large even without elements
        assert re.search("overflow|ambiguous|too big", str(error)), error


@pytest.mark.parametrize("window", ["row", "column", "element", "step"])
def test_values_of_windows(window: str) -> None:
    x = WINDOWS[window](tg.arange(3.0))
    plain = np.arange(3.0, dtype=np.float32)[: x.numel()].reshape(x.shape)
    for result, want in (
        (x, plain),
        (x + x, plain + plain),
        (x.t() @ x, plain.T @ plain),
        (x.sum(0), plain.sum(0)),
        (x.flip(0), plain[::-1]),
    ):
        assert np.array_equal(np.array(result.tolist()).reshape(result.shape), want)
    assert np.array_equal(x.numpy(), plain)


integers = st.sampled_from([0, 1, 2, 3, -1, 2**31, 2**62, -(2**62), MAX, MIN])
STEPS: tuple[Callable[..., Any], ...] = (
    lambda x, i, j: x[::i],
    lambda x, i, j: x[i:j],
    lambda x, i, j: x[..., i],
    lambda x, i, j: x.as_strided((i,), (j,)),
    lambda x, i, j: x.as_strided((1, i), (j, 1), 1),
    lambda x, i, j: x.as_strided((0, 2), (i, j), i),
    lambda x, i, j: x.expand(i, *x.shape),
    lambda x, i, j: x.narrow(0, i, j),
    lambda x, i, j: x.diagonal(i, 0, -1),
    lambda x, i, j: x.split([i, j])[0],
    lambda x, i, j: x.chunk(i, j)[-1],
    lambda x, i, j: x.unsqueeze(i),
    lambda x, i, j: x.transpose(i, j),
    lambda x, i, j: x.view(i, j),
    lambda x, i, j: x.unflatten(0, (i, j)),
    lambda x, i, j: x.flatten(),
    lambda x, i, j: x.movedim(i, j),
    lambda x, i, j: x.detach(),
)


@settings(max_examples=400)
@given(st.lists(st.tuples(st.sampled_from(STEPS), integers, integers), max_size=5), st.booleans())
def test_chains_of_views(steps: list, records: bool) -> None:
    x = tg.arange(12.0).reshape(3, 4).requires_grad_(records)
    y = x
    for step, i, j in steps:
        try:
            y = step(y, i, j)
        except (RuntimeError, IndexError, ValueError):
            continue
        check(y)
    if not 0 < y.numel() < 1000:
        return
    check((y * 2).sum())
    if y.requires_grad:
        y.sum().backward()
        assert x.grad is not None
        assert x.grad.shape == x.shape
        assert x.grad.sum().item() == y.numel()


# ------------------------------------------------------------------------------------- derivatives


@both
def test_gradients(lib: Any) -> None:
    x = leaf(lib, 1.0, 2.0, 3.0)
    (x.roll(2**61) * lib.tensor([1.0, 10.0, 100.0])).sum().backward()
    assert x.grad.tolist() == np.roll([1.0, 10.0, 100.0], -(2**61 % 3)).tolist()
    x.grad = None
    x.as_strided((0,), (1,), 2**62).sum().backward()
    assert x.grad.tolist() == [0.0, 0.0, 0.0]


def test_gradients_where_pytorch_wraps() -> None:
    x = leaf(tg, 1.0, 2.0, 3.0)
    (x[::MAX] * 5).sum().backward()
    assert x.grad.tolist() == [5.0, 0.0, 0.0]
    for dims in ((), (0,)):
        x.grad = None
        (x.roll(MIN, *dims) * tg.tensor([1.0, 10.0, 100.0])).sum().backward()
        assert x.grad.tolist() == np.roll([1.0, 10.0, 100.0], -(MIN % 3)).tolist()
    vast = tg.zeros(0, 2**61, requires_grad=True)
    vast.as_strided((0,), (1,)).sum().backward()
    assert vast.grad.shape == vast.shape
    written = tg.zeros(0, 2**61, requires_grad=True) * 1
    written[:, 0] = 1.0
    written.sum().backward()


# ------------------------------------------------------------------------ counts, memory of others


def test_counts_beyond_int64_are_python_integers() -> None:
    assert tg.Size([2**62, 4]).numel() == 2**64
    assert tg.ones(1).expand(MAX).nbytes == 4 * MAX
    assert "..." in repr(tg.ones(1).expand(MAX))


def test_buffers() -> None:
    vast = tg.ones(1).expand(2**62)
    with pytest.raises(BufferError, match="too many"):
        memoryview(vast)
    with pytest.raises(ValueError, match="too big"):
        vast.numpy()
    strided = np.lib.stride_tricks.as_strided(np.ones(3, np.float32), (1, 2), (2**62, 4))
    assert tg.from_numpy(strided).tolist() == [[1.0, 1.0]]


class DLTensor(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
        ("manager", ctypes.c_void_p),
        ("deleter", ctypes.c_void_p),
    )


MEMORY = (ctypes.c_float * 4)(1, 2, 3, 4)
MANAGED: list[DLTensor] = []  # they outlive the tensors that are made of them


def capsule(shape: Any, strides: Any = None, *, ndim: int | None = None, data: bool = True) -> Any:
    """A DLPack capsule that says of four floats what it is told to."""

    def pointer(values: Any) -> Any:
        return None if values is None else (ctypes.c_int64 * max(len(values), 1))(*values)

    count = len(shape or ()) if ndim is None else ndim
    address = ctypes.addressof(MEMORY) if data else None
    managed = DLTensor(
        address, 1, 0, count, 2, 32, 1, pointer(shape), pointer(strides), 0, None, None
    )
    new = ctypes.pythonapi.PyCapsule_New
    new.restype, new.argtypes = (
        ctypes.py_object,
        (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p),
    )
    MANAGED.append(managed)
    return new(ctypes.addressof(managed), b"dltensor", None)


@pytest.mark.parametrize(
    ("arguments", "shape"),
    [
        (((2, 2), None), (2, 2)),
        (((1, 2), (MAX, 1)), (1, 2)),
        (((0, 2**62, 4), None), (0, 2**62, 4)),
        (((0,), (MIN,)), (0,)),
        (((2,), (MAX,)), RuntimeError),
        (((2,), (2**62,)), RuntimeError),
        (((2**62, 4), None), RuntimeError),
        (((MAX,), (0,)), (MAX,)),
        (((2**62, 4), (0, 0)), RuntimeError),
        (((MIN,), None), BufferError),
        (((2,), (MIN,)), ValueError),
    ],
)
def test_dlpack(arguments: Any, shape: Any) -> None:
    source = capsule(*arguments)
    if isinstance(shape, type):
        with pytest.raises(shape):
            tg.from_dlpack(source)
        return
    result = tg.from_dlpack(source)
    assert result.shape == shape
    check(result)


def test_dlpack_without_shape_or_memory() -> None:
    for source in (
        capsule(None, ndim=2),
        capsule((2,), ndim=-1),
        capsule((2,), data=False),
    ):
        with pytest.raises(BufferError):
            tg.from_dlpack(source)


def test_many_dimensions() -> None:
    x = tg.ones(1).reshape([1] * 100)
    assert x.squeeze().shape == ()
    assert x.permute(*range(99, -1, -1)).shape == (1,) * 100
    assert x.sum().item() == 1.0
    with raises(RuntimeError, "tensors with more than 64 dimensions"):
        x.sum(0)
