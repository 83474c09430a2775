"""Numbers as arguments: those that a dtype does not hold are errors where PyTorch says so.

Every operator is called with every parameter that takes a number, on tensors of every dtype; what
it gives, or the error that it raises, is compared with PyTorch.
"""

from __future__ import annotations

import importlib.util
import math
import operator
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tapegrad as tg
from both import both
from support import ALL, FLOATS, INTS, dtype_of, function_of, raises

torch: Any = None
if importlib.util.find_spec("torch"):
    import torch

INF, NAN = math.inf, math.nan
VALUES: tuple[Any, ...] = (
    *(True, 0, 1, 2, 2.0, 2.5, -1, -1.5, 255, 255.5, 256, -255, -256, 2**31 - 1, 2**31, -(2**31)),
    *(-(2**31) - 1, 2**40, 2**53 + 1, 2**63 - 1, -(2**63), 2.0**31, -(2.0**31) - 1, 2.0**62),
    *(2**63, 2**63 + 2**60 + 1, 2**64 - 1),
    *(2.0**63, -(2.0**63), 1e30, 1e39, -1e39, 3.4028235677973366e38, 1e300, NAN, INF, -INF),
)

Make = Callable[[Any, Any], Any]


def block(lib: Any, dtype: Any) -> Any:
    return lib.tensor([[0, 1, 2], [3, 4, 5]]).to(dtype)


def mask(lib: Any, _: Any = None) -> Any:
    return lib.tensor([[True, False, True], [False, True, False]])


# What the other parameters are given, by library and dtype.
ARGUMENTS: dict[str, Make] = {
    **dict.fromkeys(("input", "other", "exponent"), block),
    **dict.fromkeys(("mask", "condition"), mask),
    **dict.fromkeys(("src", "source"), lambda t, d: t.ones(1, 3, dtype=d)),
    "index": lambda t, _: t.tensor([[0, 1, 0]]),
    **dict.fromkeys(("mat1", "mat"), lambda t, d: t.ones(2, 2, dtype=d)),
    **dict.fromkeys(("vec", "vec1"), lambda t, d: t.ones(2, dtype=d)),
    "vec2": lambda t, d: t.ones(3, dtype=d),
    "batch1": lambda t, d: t.ones(2, 2, 2, dtype=d),
    "batch2": lambda t, d: t.ones(2, 2, 3, dtype=d),
    "mat2": lambda t, d: t.ones(2, 3, dtype=d),
    **dict.fromkeys(("elements", "test_elements"), block),
    "dim": lambda *_: 0,
    "size": lambda *_: (2,),
    "reduce": lambda *_: "add",
    "normalized_shape": lambda *_: (3,),
    **dict.fromkeys(("start", "value", "fill_value"), lambda *_: 1),
    **dict.fromkeys(("end", "steps"), lambda *_: 3),
}
SLICE = {name: lambda t, _: t.tensor([1]) for name in ("index_add", "index_fill")}

# Random numbers, steps of optimizers, sizes that follow from a number, tolerances, and what
# gives no numbers.
LEFT_OUT = (
    *("arange", "bernoulli", "dropout", "normal", "random", "result_type", "uniform", "_"),
    *("linalg_", "pinverse"),
)


def is_tested(name: str) -> bool:
    return not name.startswith(LEFT_OUT)


PARAMETERS = [
    pytest.param(op, form, parameter, id=f"{op['name']}-{number}-{parameter['name']}")
    for op in tg._C._operators()
    for number, form in enumerate(op["forms"])
    for parameter in form["parameters"]
    if parameter["type"] in ("_Operand", "_Number", "_float", "_float | str")
    if is_tested(op["name"]) and op["name"] not in ("allclose", "cross_entropy")
]


def call_with(lib: Any, op: dict, form: dict, chosen: dict, value: Any, dtype: str) -> Any:
    """The operator with one parameter of a given value and as few others as there can be."""
    args: list[Any] = []
    kwargs = {}
    for place, parameter in enumerate(form["parameters"]):
        name = parameter["name"]
        if parameter is chosen:
            argument = value
        elif name == "dtype" and "steps" in kwargs | dict.fromkeys(
            p["name"] for p in form["parameters"]
        ):
            argument = getattr(lib, dtype)
        elif "default" in parameter:
            continue
        else:
            make = SLICE.get(op["name"].rstrip("_")) if name == "index" else None
            argument = (make or ARGUMENTS[name])(lib, getattr(lib, dtype))
        if parameter["kind"] == "keyword" or len(args) < place:
            kwargs[name] = argument
        else:
            args.append(argument)
    if op["function"]:
        return function_of(lib, op)(*args, **kwargs)
    return getattr(args[0], op["name"])(*args[1:], **kwargs)


def outcome(*call: Any) -> Any:
    """The dtype and the values that a call gives, or the type of its error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            result = call_with(*call)
        except Exception as error:
            return type(error)
    result = result[0] if isinstance(result, tuple) else result
    return str(result.dtype).rpartition(".")[2], np.array(result.detach().numpy())


def same(got: Any, want: Any) -> bool:
    if isinstance(got, type) or isinstance(want, type):
        return got is want
    return got[0] == want[0] and np.allclose(got[1], want[1], rtol=1e-5, atol=0, equal_nan=True)


COMPARISONS = {name: getattr(operator, name) for name in ("eq", "ne", "lt", "le", "gt", "ge")}


def compared(name: str, parameter: str, dtype: str, value: Any, want: Any) -> bool:
    """Whether PyTorch is right, and takes a number there at all."""
    name = name.rstrip("_")
    if want in (TypeError, AttributeError):
        return False
    if dtype == "int64" and value == 2.0**63 and not isinstance(want, type):
        return False  # is not an int64
    if name in ("exponential", "cauchy", "log_normal"):
        return isinstance(want, type)  # other random numbers
    if name in COMPARISONS:
        return dtype not in (*INTS, "bool") or not isinstance(value, int)  # see below
    if name in ("addr", "baddbmm") and dtype == "bool":
        return False  # which of them take it, and with what factors
    if name == "histc":
        return dtype in FLOATS and not 3.402823e38 < abs(value) < math.inf  # beyond float32
    if name == "rms_norm":
        return abs(value) < 3e38  # PyTorch rounds it to float32 first
    if name in ("dist", "pdist"):
        return abs(value) < 100  # PyTorch: powers that overflow
    if name in ("linspace", "logspace"):  # ends that are not finite, or that a double does not hold
        return math.isfinite(value) and abs(value) < 2**31
    if name == "isin" and dtype in INTS:
        return not isinstance(value, int) or 0 <= value < 256
    if name in ("sub", "rsub"):
        return abs(value) != 2**31 and not abs(value) >= 2**63  # PyTorch looks at -alpha
    if name in ("elu", "celu"):
        return math.isfinite(value)  # PyTorch: 0 * inf is 0
    if name == "rrelu":
        return math.isfinite(value)  # PyTorch takes other bounds in place
    if name == "hardtanh" and dtype in INTS:
        return (
            value == int(value) if math.isfinite(value) else False
        )  # PyTorch cuts the fraction off
    if name in ("var", "std", "var_mean", "std_mean"):
        return not (math.isnan(value) or value == -1e39)
    if name in ("norm", "layer_norm"):  # PyTorch: powers that overflow
        return abs(value) < 100
    return True


# Numbers that say how much there is of something: gigabytes of it, in both libraries.
COUNTS = {("range", "start"), ("range", "end"), ("repeat_interleave", "repeats")}


@pytest.mark.parametrize(("op", "form", "parameter"), PARAMETERS)
def test_every_number(op: dict, form: dict, parameter: dict) -> None:
    for dtype in ALL:
        for value in VALUES:
            if (op["name"], parameter["name"]) in COUNTS and abs(value) > 2**20:
                continue
            got = outcome(tg, op, form, parameter, value, dtype)
            assert got not in (SystemError, OverflowError), (dtype, value)
            if not torch:
                continue
            want = outcome(torch, op, form, parameter, value, dtype)
            if compared(op["name"], parameter["name"], dtype, value, want):
                if want is NotImplementedError and dtype not in ("float32", "float64"):
                    assert got in (want, RuntimeError) or not isinstance(got, type)
                else:
                    assert same(got, want), (dtype, value, got, want)


@pytest.mark.parametrize("name", COMPARISONS)
@pytest.mark.parametrize("dtype", INTS)
def test_comparisons_know_integers_that_the_dtype_does_not_hold(name: str, dtype: str) -> None:
    """PyTorch wraps them: there, a uint8 zero equals 256."""
    x = block(tg, dtype_of(dtype))
    for value in VALUES:
        if not isinstance(value, int):
            continue
        want = [[COMPARISONS[name](one, value) for one in row] for row in x.tolist()]
        assert getattr(tg, name)(x, value).tolist() == want
        assert getattr(x, f"__{name}__")(value).tolist() == want
        if name == "eq" and value is not True:
            assert tg.isin(x, value).tolist() == want


def assign(lib: Any, dtype: str, index: Any, value: Any) -> None:
    x = lib.zeros(2, 3, dtype=getattr(lib, dtype))
    try:
        x[index(lib) if callable(index) else index] = value
    finally:
        assert not x.any()  # nothing is written before the error


def wide(lib: Any, value: Any) -> Any:
    """A number in a tensor that holds it."""
    return lib.tensor(value, dtype=lib.int64 if isinstance(value, int) else lib.float64)


INDICES: dict[str, Any] = {
    "element": (0, 1),
    "row": 0,
    "all": slice(None),
    "ellipsis": ...,
    "mask": mask,
    "tensor": lambda t: t.tensor([0, 1]),
    "list": [0, 1],
}
UNFIT = {
    "uint8": (256, -256, 2**40, -0.5, 255.5, NAN, INF),
    "int8": (128, -129, 2**40, 127.5, NAN, INF),
    "int16": (2**15, -(2**15) - 1, 1e5, NAN, -INF),
    "int32": (2**31, -(2**31) - 1, 2**40, 1e10, NAN, -INF),
    "int64": (1e19, -1e19, NAN, INF, -INF),
    "float16": (65505, -65520.0, 2**40, 1e39),
    "bfloat16": (1e39, -3.4e38),
    "float32": (1e39, -1e39),
}
CPP_NAMES = {
    **{name: f"{name}_t" for name in ("uint8", "int8", "int16", "int64")},
    **{"int32": "int", "float16": "c10::Half", "bfloat16": "c10::BFloat16", "float32": "float"},
}


@both
@pytest.mark.parametrize("dtype", UNFIT)
def test_assignments(dtype: str, lib: Any) -> None:
    text = f"value cannot be converted to type {CPP_NAMES[dtype]} without overflow"
    for value in UNFIT[dtype]:
        for index in () if dtype.endswith("float16") else INDICES.values():
            with raises(RuntimeError, text):
                assign(lib, dtype, index, value)
        for call in (
            lambda x, v=value: x.fill_(v),
            lambda x, v=value: x.masked_fill_(mask(lib), v),
            lambda x, v=value: x.index_fill_(0, lib.tensor([0]), v),
            lambda x, v=value: x.masked_fill_(mask(lib), wide(lib, v)),
            lambda x, v=value: x.index_fill_(0, lib.tensor([0]), wide(lib, v)),
            lambda x, v=value: x.__setitem__(mask(lib), wide(lib, v)),
            lambda x, v=value: x.scatter_(0, lib.tensor([[0]]), v),
            lambda x, v=value: (
                x.clamp_(max=v) if type(v) is int or "float" in dtype else x.fill_(v)
            ),
        ):
            x = lib.zeros(2, 3, dtype=getattr(lib, dtype))
            with raises(RuntimeError, text):
                call(x)
            assert x._version == 0


@both
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_masking_scores_of_half_precision(dtype: str, lib: Any) -> None:
    for index in INDICES.values():
        x = lib.zeros(2, 3, dtype=getattr(lib, dtype))
        x[index(lib) if callable(index) else index] = -1e39
        assert lib.isinf(x).any()


@both
def test_what_fits_is_assigned(lib: Any) -> None:
    for dtype, values in {
        "uint8": (255, -255, 255.0, True),
        "int8": (127, -128, 2.5),
        "int16": (2**15 - 1, -(2**15), 2.5),
        "int32": (2**31 - 1, -(2**31), 2.5),
        "float16": (65504, -65504.0, 0.1, INF, -INF),
        "bfloat16": (3.3895e38, 70000, 0.1, INF),
        "int64": (2**63 - 1, -(2**63), -(2.0**63)),
        "float32": (3.4028234663852886e38, INF, -INF, 2**63 - 1),
        "bool": (2.5, INF, 2**40),
    }.items():
        for value in values:
            x = lib.zeros(2, dtype=getattr(lib, dtype))
            x[0] = value
            assert x.tolist() == [lib.full((), value, dtype=x.dtype).item(), 0]


RANDOM: dict[str, tuple[Callable[[Any], Any], str]] = {
    "uniform-to": (lambda t: t.empty(2).uniform_(0, 1e39), "to is out of bounds for float"),
    "uniform-from": (lambda t: t.empty(2).uniform_(-1e39, 0), "from is out of bounds for float"),
    "uniform-nan": (lambda t: t.empty(2).uniform_(NAN, 1), "from is out of bounds for float"),
    "uniform-width": (
        lambda t: t.empty(2).uniform_(-3e38, 3e38),
        "uniform_ expects to-from <= std::numeric_limits<Float>::max(), but found to=3e+38",
    ),
    "normal-nan": (
        lambda t: t.empty(2).normal_(0, NAN),
        "normal expects std >= 0.0, but found std nan",
    ),
    "random-to": (
        lambda t: t.empty(2, dtype=t.uint8).random_(0, 300),
        "to - 1 is out of bounds for unsigned char",
    ),
    "random-from": (
        lambda t: t.empty(2, dtype=t.uint8).random_(-1, 3),
        "from is out of bounds for unsigned char",
    ),
    "randint": (
        lambda t: t.randint(0, 2**40, (2,), dtype=t.int32),
        "to - 1 is out of bounds for int",
    ),
    "bernoulli": (
        lambda t: t.bernoulli(t.ones(2), 1e39),
        "bernoulli_ expects p to be in [0, 1], but got p=1e+39",
    ),
    "bernoulli-nan": (
        lambda t: t.empty(2).bernoulli_(NAN),
        "bernoulli_ expects p to be in [0, 1], but got p=nan",
    ),
}


@both
@pytest.mark.parametrize("case", RANDOM)
def test_random_numbers(case: str, lib: Any) -> None:
    call, text = RANDOM[case]
    with raises(RuntimeError, text):
        call(lib)


@both
def test_a_divisor_that_wraps_to_zero(lib: Any) -> None:
    for dtype, zero in (("uint8", 256), ("int32", 2**32), ("int32", -(2**63))):
        x = lib.ones(2, dtype=getattr(lib, dtype))
        for call in (
            lambda x=x, v=zero: x % v,
            lambda x=x, v=zero: x // v,
            lambda x=x, v=zero: x.fmod(v),
            lambda x=x, v=zero: lib.div(x, v, rounding_mode="trunc"),
            lambda x=x, v=zero: x.remainder_(v),
        ):
            with raises(RuntimeError, "ZeroDivisionError"):
                call()


@both
def test_nothing_is_between_nan_and_anything(lib: Any) -> None:
    for bounds in ({"min": NAN}, {"max": NAN}, {"min": 0, "max": NAN}, {"min": NAN, "max": 1}):
        x = lib.ones(2, requires_grad=True)
        result = x.clamp(**bounds)
        assert result.isnan().all()
        result.sum().backward()
        assert x.grad.tolist() == [0.0, 0.0]
        assert lib.ones(2).clamp_(**bounds).isnan().all()
        assert lib.ones(2, dtype=lib.int64).clamp(**bounds).isnan().all()


@both
def test_integers_stay_integers_with_factors(lib: Any) -> None:
    x = lib.ones(2, 2, dtype=lib.int64)
    assert lib.addmm(x, x, x, beta=2.5, alpha=3).tolist() == [[8, 8], [8, 8]]
    flags = lib.ones(2, dtype=lib.bool)
    assert flags.add(flags, alpha=2).dtype is lib.bool
    assert flags.clone().add_(flags, alpha=0).tolist() == [True, True]
    wrapped = lib.ones(2, dtype=lib.uint8)
    assert (wrapped * -1).tolist() == (wrapped + 254).tolist() == [255, 255]
    assert (wrapped + 256).tolist() == [1, 1]  # arithmetic wraps, as that of elements does


@both
def test_derivatives_of_numbers_beyond_float32(lib: Any) -> None:
    """Arithmetic takes them as infinity, also in a recorded derivative."""
    x = lib.zeros(2, requires_grad=True)
    (gradient,) = lib.autograd.grad((x * 1e39).sum(), x, create_graph=True)
    assert gradient.tolist() == [INF, INF]


@both
def test_integers_beyond_int64(lib: Any) -> None:
    high, highest = 2**63, 2**64 - 1
    x, i, small = lib.ones(2), lib.ones(2, dtype=lib.int64), lib.ones(2, dtype=lib.uint8)
    assert (x * high).tolist() == [float(high)] * 2 and (highest - x).tolist() == [2.0**64] * 2
    assert (x < high).all() and not (x == highest).any()
    assert (i + high).tolist() == [-(2**63) + 1] * 2 and (i + highest).tolist() == [0, 0]
    assert (i * highest).tolist() == [-1, -1] and (small + high).tolist() == [1, 1]
    assert (i & highest).tolist() == [1, 1] and not (i == high).any() and (i != highest).all()
    assert lib.full((1,), high, dtype=lib.float64).item() == x.new_full((), high).item() == 2.0**63
    for call in (
        *(lambda: i.fill_(high), lambda: small.fill_(high), lambda: i.clamp(max=high)),
        *(lambda: lib.full((1,), high), lambda: lib.add(i, i, alpha=high), lambda: i**high),
        *(lambda: i.masked_fill(i > 0, high), lambda: lib.arange(high, high)),
    ):
        with pytest.raises(RuntimeError, match=r"cannot be converted to type .* without"):
            call()
    assert i.tolist() == small.tolist() == [1, 1]
    with pytest.raises(RuntimeError, match="attempted to promote Bool and UInt64"):
        (i > 0) + high
    assert (i > 0).fill_(high).all()
    for beyond in (2**64, -(2**63) - 1):
        with pytest.raises(OverflowError):
            x + beyond
    with pytest.raises(ValueError, match="Overflow when unpacking long long"):
        lib.tensor(high)


def test_integers_beyond_int64_are_above_all_integers() -> None:
    """PyTorch takes them for negative ones in comparisons."""
    for dtype in INTS:
        x = tg.ones(2, dtype=dtype_of(dtype))
        assert (x < 2**63).all() and not (x >= 2**64 - 1).any() and (x != 2**63).all()
        assert not tg.isin(x, 2**63).any()
    assert ((tg.ones(2) > 0) < 2**63).all()
