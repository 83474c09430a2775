"""Bad input raises PyTorch's exception with PyTorch's text, and changes nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tapegrad as tg
from op_row import Error
from op_table import TABLE
from support import raises

ROWS = [
    pytest.param(error, id=f"{op.name}-{k}") for op in TABLE for k, error in enumerate(op.errors)
]


@pytest.mark.parametrize("error", ROWS)
def test_operator(error: Error) -> None:
    with raises(error.kind, error.start):
        error.call(tg)


TOO_LARGE = (RuntimeError, MemoryError)
F = tg.nn.functional
SMALL = "The size of tensor a (2) must match the size of tensor b (3) at non-singleton dimension 0"
STORAGE = "Storage size calculation overflowed with sizes="
NEEDS_GRAD = "Only Tensors of floating point and complex dtype can require gradients"
SIXTY_TWO = 1 << 62

CASES: dict[str, tuple[Callable[[], Any], Any, str]] = {
    # data that is no tensor
    "ragged-list": (
        lambda: tg.tensor([[1, 2], [3]]),
        ValueError,
        "expected sequence of length 2 at dim 1 (got 1)",
    ),
    "ragged-deep": (
        lambda: tg.tensor([[[1], [2]], [[3], [4, 5]]]),
        ValueError,
        "expected sequence of length 1 at dim 2 (got 2)",
    ),
    "ragged-longer": (
        lambda: tg.tensor([[1], [2, 3]]),
        ValueError,
        "expected sequence of length 1 at dim 1 (got 2)",
    ),
    "sequence-and-number": (lambda: tg.tensor([[1, 2], 3]), TypeError, ""),
    "number-and-sequence": (lambda: tg.tensor([1, [2, 3]]), (TypeError, ValueError), ""),
    "string": (lambda: tg.tensor("a"), TypeError, "new(): invalid data type 'str'"),
    "string-inside": (lambda: tg.tensor([1, "a"]), TypeError, "new(): invalid data type 'str'"),
    "none-inside": (
        lambda: tg.tensor([1, None]),
        RuntimeError,
        "Could not infer dtype of NoneType",
    ),
    "object": (lambda: tg.tensor(object()), RuntimeError, "Could not infer dtype of object"),
    "int-too-large": (lambda: tg.tensor([1 << 63]), (ValueError, RuntimeError, OverflowError), ""),
    "uint8-overflow": (
        lambda: tg.tensor([256], dtype=tg.uint8),
        RuntimeError,
        "value cannot be converted to type uint8 without overflow",
    ),
    "int-requires-grad": (lambda: tg.tensor([1, 2], requires_grad=True), RuntimeError, NEEDS_GRAD),
    "int64-requires-grad": (
        lambda: tg.tensor([1.0], dtype=tg.int64, requires_grad=True),
        RuntimeError,
        NEEDS_GRAD,
    ),
    "requires_grad_-of-int": (
        lambda: tg.arange(3).requires_grad_(),
        RuntimeError,
        "only Tensors of floating point dtype can require gradients",
    ),
    "bool-requires-grad": (
        lambda: tg.ones(2, dtype=tg.bool, requires_grad=True),
        RuntimeError,
        NEEDS_GRAD,
    ),
    # sizes
    "negative-size": (lambda: tg.zeros(-1), RuntimeError, ""),
    "negative-size-inside": (
        lambda: tg.empty(2, -3),
        RuntimeError,
        "Trying to create tensor with negative dimension -3: [2, -3]",
    ),
    "huge": (lambda: tg.zeros(1 << 50), TOO_LARGE, ""),
    "huge-empty": (lambda: tg.empty(1 << 55, dtype=tg.uint8), TOO_LARGE, ""),
    "huge-product": (
        lambda: tg.zeros(1 << 40, 1 << 40),
        RuntimeError,
        STORAGE + "[1099511627776, 1099511627776]",
    ),
    "huge-bytes": (lambda: tg.ones(SIXTY_TWO), RuntimeError, STORAGE + "[4611686018427387904]"),
    "huge-result": (lambda: tg.ones(1 << 26, 1) + tg.ones(1, 1 << 26), TOO_LARGE, ""),
    "huge-arange": (lambda: tg.arange(1 << 60), TOO_LARGE, ""),
    "huge-rand": (lambda: tg.rand(1 << 60), TOO_LARGE, ""),
    "huge-matmul": (lambda: tg.ones(1 << 26, 0) @ tg.ones(0, 1 << 26), TOO_LARGE, ""),
    "huge-contiguous": (lambda: tg.ones(1).expand(1 << 55).contiguous(), TOO_LARGE, ""),
    "huge-expand": (lambda: tg.ones(1).expand(SIXTY_TWO).exp(), TOO_LARGE, ""),
    "size-is-float": (lambda: tg.zeros(2.5), TypeError, ""),
    "size-is-string": (lambda: tg.zeros("a"), TypeError, ""),
    "beyond-int64": (lambda: tg.zeros(10**30), (TypeError, RuntimeError, OverflowError), ""),
    # creation
    "arange-step-0": (lambda: tg.arange(0, 10, 0), RuntimeError, "step must be nonzero"),
    "arange-direction": (
        lambda: tg.arange(0, 10, -1),
        RuntimeError,
        "upper bound and lower bound inconsistent with step sign",
    ),
    "linspace-steps": (
        lambda: tg.linspace(0, 1, -1),
        RuntimeError,
        "number of steps must be non-negative",
    ),
    "eye": (lambda: tg.eye(-1), RuntimeError, "n must be greater or equal to 0, got -1"),
    "randint-range": (
        lambda: tg.randint(5, 5, (2,)),
        RuntimeError,
        "random_ expects 'from' to be less than 'to', but got from=5 >= to=5",
    ),
    "bernoulli": (
        lambda: tg.bernoulli(tg.tensor([2.0])),
        RuntimeError,
        "Expected p_in >= 0 && p_in <= 1 to be true, but got false.",
    ),
    "from_numpy-list": (lambda: tg.from_numpy([1]), TypeError, "expected np.ndarray (got list)"),
    "from_numpy-strings": (
        lambda: tg.from_numpy(np.array(["a"])),
        TypeError,
        "can't convert np.ndarray of type numpy.str_.",
    ),
    "from_numpy-objects": (
        lambda: tg.from_numpy(np.array([None])),
        TypeError,
        "can't convert np.ndarray of type numpy.object_.",
    ),
    "from_numpy-reversed": (
        lambda: tg.from_numpy(np.ones(3)[::-1]),
        ValueError,
        "At least one stride in the given numpy array is negative",
    ),
    # conversions to Python
    "item-of-many": (
        lambda: tg.ones(2).item(),
        RuntimeError,
        "a Tensor with 2 elements cannot be converted to Scalar",
    ),
    "item-of-none": (
        lambda: tg.ones(0).item(),
        RuntimeError,
        "a Tensor with 0 elements cannot be converted to Scalar",
    ),
    **{
        f"{convert.__name__}-of-{count}": (
            lambda convert=convert, count=count: convert(tg.ones(count)),
            ValueError,
            "only one element tensors can be converted to Python scalars",
        )
        for convert in (float, int, complex)
        for count in (0, 2)
    },
    "bool-of-many": (
        lambda: bool(tg.ones(2)),
        RuntimeError,
        "Boolean value of Tensor with more than one value is ambiguous",
    ),
    "bool-of-none": (
        lambda: bool(tg.ones(0)),
        RuntimeError,
        "Boolean value of Tensor with no values is ambiguous",
    ),
    "int-of-nan": (
        lambda: int(tg.tensor(float("nan"))),
        ValueError,
        "cannot convert float NaN to integer",
    ),
    "len-of-0d": (lambda: len(tg.tensor(1.0)), TypeError, "len() of a 0-d tensor"),
    "iterate-0d": (lambda: list(tg.tensor(1.0)), TypeError, "iteration over a 0-d tensor"),
    "index-of-float": (
        lambda: [1, 2][tg.tensor(1.0)],
        TypeError,
        "only integer tensors of a single element can be converted to an index",
    ),
    "numpy-with-grad": (
        lambda: tg.ones(2, requires_grad=True).numpy(),
        RuntimeError,
        "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.",
    ),
    # dims and shapes
    "dim-of-0d": (
        lambda: tg.tensor(1.0).sum(1),
        IndexError,
        "Dimension out of range (expected to be in range of [-1, 0], but got 1)",
    ),
    "dim-too-negative": (
        lambda: tg.ones(2, 3).sum(-3),
        IndexError,
        "Dimension out of range (expected to be in range of [-2, 1], but got -3)",
    ),
    "unbind-0d": (
        lambda: tg.tensor(1.0).unbind(),
        IndexError,
        "Dimension specified as 0 but tensor has no dimensions",
    ),
    "broadcast-middle": (
        lambda: tg.ones(4, 2, 5) * tg.ones(3, 5),
        RuntimeError,
        "The size of tensor a (2) must match the size of tensor b (3) at non-singleton dimension 1",
    ),
    "clip-shape": (lambda: tg.ones(2).clamp(min=tg.ones(3)), RuntimeError, ""),
    "where-shape": (lambda: tg.where(tg.ones(2) > 0, tg.ones(3), tg.ones(3)), RuntimeError, SMALL),
    "copy-shape": (lambda: tg.ones(2).copy_(tg.ones(3)), RuntimeError, SMALL),
    "numpy-shape": (lambda: tg.ones(2, 3).T.view(-1), RuntimeError, "view size is not compatible"),
    # wrong kinds of arguments
    "argument-missing": (lambda: tg.exp(), TypeError, ""),
    "argument-too-many": (lambda: tg.ones(2).exp(3), TypeError, ""),
    "argument-unknown": (lambda: tg.ones(2).sum(axes=0), TypeError, ""),
    "not-a-tensor": (lambda: tg.exp("a"), TypeError, "exp()"),
    "exp-of-float": (
        lambda: tg.exp(1.0),
        TypeError,
        "exp(): argument 'input' (position 1) must be Tensor, not float",
    ),
    "add-none": (
        lambda: tg.ones(2) + None,
        TypeError,
        "unsupported operand type(s) for +: 'Tensor' and 'NoneType'",
    ),
    "add-list": (
        lambda: tg.ones(2) + [1, 2],
        TypeError,
        "unsupported operand type(s) for +: 'Tensor' and 'list'",
    ),
    "list-times": (lambda: [1.0] * tg.ones(2), TypeError, ""),
    "equal-int": (
        lambda: tg.equal(tg.ones(2), 2),
        TypeError,
        "equal(): argument 'other' (position 2) must be Tensor, not int",
    ),
    "less-than-string": (lambda: tg.ones(2) < "a", TypeError, ""),
    "dtype-of-string": (lambda: tg.ones(2, dtype="float32"), TypeError, ""),
    "no-such-attribute": (
        lambda: tg.ones(2).no_such_method(),
        AttributeError,
        "'Tensor' object has no attribute 'no_such_method'",
    ),
    "no-such-device": (lambda: tg.ones(2, device="foo"), RuntimeError, "Expected one of cpu"),
    # dtypes
    "sub-bool-scalar": (
        lambda: 1 - tg.tensor([True]),
        RuntimeError,
        "Subtraction, the `-` operator, with a bool tensor is not supported.",
    ),
    "exp_-of-int": (
        lambda: tg.arange(3).exp_(),
        RuntimeError,
        "result type Float can't be cast to the desired output type Long",
    ),
    "softmax-of-int": (lambda: tg.arange(3).softmax(0), NotImplementedError, ""),
    "norm-of-int": (lambda: tg.arange(3).norm(), RuntimeError, ""),
    "dot-dtypes": (
        lambda: tg.ones(2) @ tg.ones(2, dtype=tg.float64),
        RuntimeError,
        "dot : expected both vectors to have same dtype, but found Float and Double",
    ),
    "linear-dtypes": (
        lambda: F.linear(tg.ones(2, 3), tg.ones(4, 3, dtype=tg.float64)),
        RuntimeError,
        "",
    ),
    "target-dtype": (
        lambda: F.cross_entropy(tg.ones(2, 3), tg.tensor([0.0, 1.0])),
        RuntimeError,
        "expected target dtype to be Long or Byte, but got Float",
    ),
    "loss-shapes": (lambda: F.l1_loss(tg.ones(2), tg.ones(3)), RuntimeError, SMALL),
    "dropout-p": (
        lambda: F.dropout(tg.ones(2), 1.5),
        ValueError,
        "dropout probability has to be between 0 and 1, but got 1.5",
    ),
    "manual_seed": (lambda: tg.manual_seed("a"), (ValueError, TypeError), ""),
    # attributes that are read-only
    "shape-is-read-only": (lambda: setattr(tg.ones(2), "shape", (1, 2)), AttributeError, ""),
    "grad-wrong-type": (
        lambda: setattr(tg.ones(2, requires_grad=True), "grad", 1.0),
        TypeError,
        "",
    ),
    "grad-wrong-shape": (
        lambda: setattr(tg.ones(2, requires_grad=True), "grad", tg.ones(3)),
        RuntimeError,
        "attempting to assign a gradient of size '[3]' to a tensor of size '[2]'. "
        "Please ensure that the gradient and the tensor are the same size",
    ),
    "grad-wrong-dtype": (
        lambda: setattr(tg.ones(2, requires_grad=True), "grad", tg.arange(2)),
        RuntimeError,
        "",
    ),
    "requires_grad-of-result": (
        lambda: setattr(tg.ones(2, requires_grad=True) * 2, "requires_grad", False),
        RuntimeError,
        "you can only change requires_grad flags of leaf variables.",
    ),
    "deepcopy-of-result": (
        lambda: __import__("copy").deepcopy(tg.ones(2, requires_grad=True) * 2),
        RuntimeError,
        "Only Tensors created explicitly by the user (graph leaves) "
        "support the deepcopy protocol at the moment.",
    ),
}


@pytest.mark.filterwarnings("ignore::UserWarning")  # PyTorch warns of the broadcast in l1_loss
@pytest.mark.parametrize("case", CASES)
def test_bad_input(case: str) -> None:
    call, kind, start = CASES[case]
    with raises(kind, start):
        call()


MASK = tg.tensor([True, False])
INTS = tg.tensor([1, 2])
NO_KERNEL: dict[str, Callable[[], Any]] = {
    "abs_cpu": lambda: MASK.abs(),
    "floor_vml_cpu": lambda: MASK.floor(),
    "pow": lambda: MASK**MASK,
    "remainder_cpu": lambda: MASK % MASK,
    "div_floor_cpu": lambda: MASK // MASK,
    "lshift_cpu": lambda: MASK << MASK,
    "silu_cpu": lambda: F.silu(INTS),
    "GeluKernelImpl": lambda: F.gelu(INTS),
    "bitwise_and_cpu": lambda: INTS.float() & INTS.float(),
}


@pytest.mark.parametrize("kernel", NO_KERNEL)
def test_dtype_without_a_kernel(kernel: str) -> None:
    with raises(NotImplementedError, f'"{kernel}" not implemented for '):
        NO_KERNEL[kernel]()


def test_both_shapes_are_in_the_message() -> None:
    for call, shapes in (
        (lambda: tg.ones(2, 3) @ tg.ones(4, 5), ("2x3", "4x5")),
        (lambda: tg.ones(2, 3) + tg.ones(4, 3), ("2", "4")),
        (lambda: tg.ones(2, 3).expand(5, 3), ("[5, 3]", "[2, 3]")),
        (lambda: tg.ones(1, 3).add_(tg.ones(2, 3)), ("[1, 3]", "[2, 3]")),
    ):
        with raises(RuntimeError) as caught:
            call()
        assert all(shape in caught.message for shape in shapes)


def test_engine_works_after_an_allocation_failed() -> None:
    x = tg.ones(3, requires_grad=True)
    y = x * 2
    for _ in range(5):
        with raises(TOO_LARGE):
            tg.zeros(1 << 50)
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 2.0, 2.0]


def test_failed_call_leaves_its_operands_alone() -> None:
    x = tg.ones(2)
    version = x._version
    for bad in (
        lambda: x.add_(tg.ones(3)),
        lambda: x.copy_(tg.ones(3)),
        lambda: x.__setitem__(5, 1.0),
        lambda: x.__setitem__(tg.tensor([0, 7]), 1.0),
        lambda: x.masked_fill_(tg.tensor([True, False, True]), 0.0),
        lambda: x.__setitem__(tg.tensor([True, False]), tg.ones(3)),
    ):
        with raises((RuntimeError, IndexError)):
            bad()
        assert x.tolist() == [1.0, 1.0]
        assert x._version == version


def test_deep_nesting_of_lists_does_not_crash() -> None:
    data: Any = 1.0
    for _ in range(100_000):
        data = [data]
    with raises((ValueError, RuntimeError, RecursionError)):
        tg.tensor(data)


def test_self_containing_list_does_not_crash() -> None:
    data: list = []
    data.append(data)
    with raises((ValueError, RuntimeError, RecursionError)):
        tg.tensor(data)


def test_many_dimensions() -> None:
    """More dimensions than any inline buffer holds still work."""
    x = tg.ones([1] * 20 + [2])
    assert (x + x).sum().item() == 4.0
    assert x.permute(*reversed(range(21))).shape[0] == 2
    assert x.requires_grad_().squeeze().mul(3).sum().backward() is None
    assert x.grad.flatten().tolist() == [3.0, 3.0]


@pytest.mark.parametrize(
    "name", ["zeros", "rand", "eye", "zeros_like", "arange", "full", "new_zeros"]
)
def test_options_that_are_none(name: str) -> None:
    x = tg.ones(2)
    call: Any = {
        "zeros_like": lambda **k: tg.zeros_like(x, **k),
        "new_zeros": lambda **k: x.new_zeros(2, **k),
        "full": lambda **k: tg.full((2,), 1.0, **k),
    }.get(name, lambda **k: getattr(tg, name)(2, **k))
    for option, value, kind in (
        ("layout", "strided", "tapegrad.layout"),
        ("layout", 3, "tapegrad.layout"),
        ("pin_memory", "no", "bool"),
    ):
        with pytest.raises(TypeError, match=f"argument '{option}' must be {kind}, not "):
            call(**{option: value})
    for option, value in (("layout", tg.strided), ("layout", None), ("pin_memory", False)):
        call(**{option: value})


def test_conversion_to_a_number_warns_once() -> None:
    program = """
import math, warnings
import tapegrad as tg
x = tg.tensor(1.0, requires_grad=True)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    x.item(), int(x), bool(x), x.tolist(), float(x.detach()), float(tg.ones(1))
    with tg.no_grad():
        float(x)
    assert not caught
    float(x), math.sqrt(x), complex(x), float(x * 2)
assert [str(w.message).split("\\n")[0] for w in caught] == [
    "Converting a tensor with requires_grad=True to a scalar may lead to unexpected behavior."
]
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_parameters_of_no_tensor() -> None:
    with pytest.raises(AttributeError, match="'int' object has no attribute 'detach'"):
        tg.nn.Parameter(3)  # type: ignore[arg-type]
    with pytest.raises(AttributeError, match="'list' object has no attribute 'detach'"):
        tg.nn.Parameter([1.0])  # type: ignore[arg-type]
