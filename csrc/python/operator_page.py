"""The table of operators, docs/operators.md: what they compute, their derivatives, what they take.

What a dtype column says has been tried: on the samples that the tests have of each operator, or on
those of `SAMPLES` for what they test in files of their own.
"""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import tapegrad
from tapegrad import _C

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "docs/_ext")]

from op_row import Make, Op, prepare  # noqa: E402
from op_table import TABLE  # noqa: E402
from signatures import with_out  # noqa: E402

__all__ = ["page", "torch_name"]

Operator = dict[str, Any]
FLOATS = ("float16", "bfloat16", "float32", "float64")
INTS = ("uint8", "int8", "int16", "int32", "int64")
REFUSALS = (NotImplementedError, RuntimeError, TypeError, ValueError, IndexError)

# Functions that PyTorch has in torch.nn.functional, and not in torch.
FUNCTIONAL = {
    *("adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool2d", "adaptive_max_pool3d"),
    *("avg_pool2d", "avg_pool3d", "cross_entropy", "elu", "gelu", "glu", "hardsigmoid"),
    *("hardswish", "hardtanh", "l1_loss", "leaky_relu", "linear", "max_pool2d_with_indices"),
    *("max_pool3d_with_indices", "max_unpool1d", "max_unpool2d", "max_unpool3d", "mish"),
    *("mse_loss", "nll_loss", "scaled_dot_product_attention", "silu", "smooth_l1_loss"),
    *("softplus", "softshrink", "upsample"),
}
OTHER_NAMES = {
    "circular_pad": "nn.functional.pad",
    "col2im": "nn.functional.fold",
    "im2col": "nn.functional.unfold",
    "log_sigmoid": "nn.functional.logsigmoid",
    "sum_to_size": "Tensor.sum_to_size",
    **{
        f"{kind}_pad{n}d": "nn.functional.pad"
        for kind in ("reflection", "replication")
        for n in (1, 2, 3)
    },
}


def page() -> str:
    """The table as Markdown."""
    with tapegrad.random.fork_rng():  # trying an operator may draw numbers
        rows = "".join(f"| {' | '.join(_cells(op))} |\n" for op in _shown())
    return (
        "# Operators\n\n"
        "Every operator with its forms. `input` is the tensor itself for methods, which have no\n"
        "`out`. NumPy's names are known too: `axis`, `keepdims`, `x`, `x1`, `x2`. Derivatives are\n"
        "what `grad_fn.formula` shows, for operators of one or two tensors. What is a method only\n"
        "begins with `Tensor.`.\n\n"
        "Dtypes are those of the tensors that an operator takes, or of the result where it takes\n"
        "none: floats are float16, bfloat16, float32 and float64, ints are uint8, int8, int16,\n"
        "int32 and int64, all are these and bool.\n\n"
        "| operator | formula | derivative | dtypes | in place | PyTorch |\n"
        "|---|---|---|---|---|---|\n" + rows
    )


def _shown() -> Iterator[Operator]:
    """The operators in order, without forms in place of others, which stand with those."""
    named = {op["name"] for op in _C._operators()}
    for op in sorted(_C._operators(), key=lambda op: (op["name"], not op["function"])):
        name = op["name"]
        if not name.startswith("_") and not (name.endswith("_") and name[:-1] in named):
            yield op


def _cells(op: Operator) -> Iterator[str]:
    signatures = "<br>".join(_code(text) for text in _signatures(op))
    aliases = ", ".join(_code(_shown_name(op, alias)) for alias in op["aliases"])
    yield signatures + (f"<br>also {aliases}" if aliases else "")
    yield _code(_formula(op))
    yield _code(_derivative(op))
    yield _dtypes(op)
    changing = op["name"] + "_"
    yield _code(changing if hasattr(_C.Tensor, changing) else "")
    yield _code(f"torch.{torch_name(op)}")


def _code(text: str) -> str:
    return "`" + text.replace("|", "\\|") + "`" if text else ""


def _shown_name(op: Operator, name: str) -> str:
    if op["module"].endswith("_linalg"):
        return name.replace("linalg_", "linalg.", 1)
    if name.startswith("special_"):
        return name.replace("special_", "special.", 1)
    return name if op["function"] else f"Tensor.{name}"


def _signatures(op: Operator) -> Iterator[str]:
    for form in op["forms"]:
        yield _shown_name(op, op["name"]) + with_out(form["signature"], op)


def torch_name(op: Operator) -> str:
    """What PyTorch calls an operator."""
    name = op["name"]
    if name in OTHER_NAMES:
        return OTHER_NAMES[name]
    if name in FUNCTIONAL:
        return f"nn.functional.{name}"
    return _shown_name(op, name)


def _function(op: Operator) -> Callable[..., Any]:
    name = op["name"]
    if op["module"].endswith("_linalg"):
        return getattr(tapegrad.linalg, name.removeprefix("linalg_"))
    return getattr(_C if op["function"] else _C.Tensor, name)


# Formulas ---------------------------------------------------------------------------------------


def _formula(op: Operator) -> str:
    """The formula of the docstring."""
    found = re.search(r"Formula: ``(.+?)``", _function(op).__doc__ or "", re.DOTALL)
    return " ".join(found[1].split()) if found else ""


def _derivative(op: Operator) -> str:
    """The derivative as the tape shows it, of an operator of one or two tensors."""
    required = [p for p in op["forms"][0]["parameters"] if "default" not in p]
    if not 0 < len(required) <= 2 or any(p["type"] not in ("Tensor", "_Operand") for p in required):
        return ""
    arguments = [tapegrad.tensor(values) for values in ([0.5, 0.75], [0.25, 0.5])[: len(required)]]
    try:
        for argument in arguments:
            argument.requires_grad_()
        node = _function(op)(*arguments).grad_fn
    except (RuntimeError, TypeError, AttributeError, IndexError):  # no derivative, or other shapes
        return ""
    return getattr(node, "formula", None) or ""


# Dtypes -----------------------------------------------------------------------------------------


def _image(n: int) -> tapegrad.Tensor:
    """A channel, or two, of n dimensions of size 4."""
    return tapegrad.arange(2 * 4**n).reshape(1, 2, *[4] * n).float()


def _maxima(n: int) -> tuple[object, ...]:
    return *getattr(tapegrad, f"max_pool{n}d_with_indices")(_image(n), 2), (4,) * n


def _weights(gates: int) -> list[tapegrad.Tensor]:
    return [tapegrad.ones(gates * 2, 2), tapegrad.ones(gates * 2, 2)] + 2 * [
        tapegrad.ones(gates * 2)
    ]


def _recurrent(gates: int, states: int) -> tuple[object, ...]:
    state = tapegrad.zeros(1, 3, 2)
    return (
        tapegrad.ones(4, 3, 2),
        state if states == 1 else (state, state),
        _weights(gates),
        True,
        1,
        0.0,
        False,
        False,
        False,
    )


def _cell(gates: int, states: int) -> tuple[object, ...]:
    state = tapegrad.zeros(3, 2)
    return (tapegrad.ones(3, 2), state if states == 1 else (state, state), *_weights(gates))


# Arguments for what tests/op_table has no row of; their float32 tensors get the dtype to be tried.
SAMPLES: dict[str, Callable[[], tuple[object, ...]]] = {
    "as_strided": lambda: (tapegrad.ones(2), (2,), (1,)),
    "as_strided_copy": lambda: (tapegrad.ones(2), (2,), (1,)),
    "bernoulli": lambda: (tapegrad.ones(2),),
    "binomial": lambda: (tapegrad.ones(2), tapegrad.ones(2)),
    "channel_shuffle": lambda: (_image(2), 2),
    "circular_pad": lambda: (_image(1), (1, 1)),
    "col2im": lambda: (tapegrad.ones(1, 4, 1), (2, 2), (2, 2), (1, 1), (0, 0), (1, 1)),
    "constant_pad_nd": lambda: (_image(1), (1, 1)),
    "im2col": lambda: (_image(2), (2, 2), (1, 1), (0, 0), (1, 1)),
    "pixel_shuffle": lambda: (tapegrad.ones(1, 4, 2, 2), 2),
    "pixel_unshuffle": lambda: (_image(2), 2),
    "embedding": lambda: (tapegrad.ones(3, 2), tapegrad.tensor([0, 2])),
    "scaled_dot_product_attention": lambda: (tapegrad.ones(1, 3, 2),) * 3,
    "upsample": lambda: (_image(1), (8,), "nearest"),
    "lstm": lambda: _recurrent(4, 2),
    "gru": lambda: _recurrent(3, 1),
    "rnn_tanh": lambda: _recurrent(1, 1),
    "rnn_relu": lambda: _recurrent(1, 1),
    "lstm_cell": lambda: _cell(4, 2),
    "gru_cell": lambda: _cell(3, 1),
    "rnn_tanh_cell": lambda: _cell(1, 1),
    "rnn_relu_cell": lambda: _cell(1, 1),
    "embedding_renorm_": lambda: (tapegrad.ones(3, 2), tapegrad.tensor([0, 2]), 1.0, 2.0),
    "fill_": lambda: (tapegrad.ones(2), 1),
    "full_like": lambda: (tapegrad.ones(2), 1),
    "geometric_": lambda: (tapegrad.ones(2), 0.5),
    "multinomial": lambda: (tapegrad.ones(2), 1),
    "new_empty_strided": lambda: (tapegrad.ones(2), (2,), (1,)),
    "new_full": lambda: (tapegrad.ones(2), (2,), 1),
    "new_tensor": lambda: (tapegrad.ones(2), [1]),
    "randint_like": lambda: (tapegrad.ones(2), 2),
    "linalg_matrix_norm": lambda: (tapegrad.ones(2, 2),),
}
for _name in ("copy_", "resize_as_", "set_"):
    SAMPLES[_name] = lambda: (tapegrad.ones(2), tapegrad.ones(2))
for _name in ("new_empty", "new_ones", "new_zeros", "resize_"):
    SAMPLES[_name] = lambda: (tapegrad.ones(2), 2)
for _n in (1, 2, 3):
    SAMPLES |= {
        f"conv{_n}d": lambda n=_n: (_image(n), tapegrad.ones(1, 2, *[2] * n)),
        f"conv_transpose{_n}d": lambda n=_n: (_image(n), tapegrad.ones(2, 1, *[2] * n)),
        f"max_unpool{_n}d": lambda n=_n: _maxima(n),
        f"reflection_pad{_n}d": lambda n=_n: (_image(n), (1, 1) * n),
        f"replication_pad{_n}d": lambda n=_n: (_image(n), (1, 1) * n),
        **{
            f"{kind}_pool{_n}d{ending}": lambda n=_n: (_image(n), 2)
            for kind, ending in (
                *(("max", ""), ("max", "_with_indices"), ("avg", "")),
                *(("adaptive_max", ""), ("adaptive_avg", "")),
            )
        },
    }
# Arguments for what makes tensors of a given dtype.
CREATIONS: dict[str, tuple[object, ...]] = {
    **dict.fromkeys(("as_tensor", "asarray", "tensor"), ([1],)),
    **dict.fromkeys(("empty", "eye", "ones", "rand", "randn", "randperm", "zeros"), (2,)),
    **dict.fromkeys(("linspace", "logspace", "range"), (0, 1, 1)),
    **dict.fromkeys(("tril_indices", "triu_indices"), (2, 2)),
    "arange": (2,),
    "empty_permuted": ((2,), (0,)),
    "empty_strided": ((2,), (1,)),
    "full": ((2,), 1),
    "randint": (2, (2,)),
    "scalar_tensor": (1,),
}
ROWS: dict[str, list[Op]] = {}
for _row in TABLE:
    for _name in {_row.name.replace(".", "_"), _row.method or _row.name, *_row.aliases}:
        ROWS.setdefault(_name, []).append(_row)


def _dtypes(op: Operator) -> str:
    """The dtypes for which one of the samples gives a result."""
    name = op["name"]
    calls: list[Callable[[str], object]] = [
        lambda dtype, row=row: _try_row(row, row.call, dtype) for row in ROWS.get(name, ())
    ]
    if not calls and name.endswith("_copy"):  # takes what the view takes
        calls = [
            lambda dtype, row=row: _try_row(
                row, lambda _, *args, **kw: _function(op)(*args, **kw), dtype
            )
            for row in ROWS.get(name.removesuffix("_copy"), ())
        ]
    if name in CREATIONS:
        calls.append(lambda dtype: _function(op)(*CREATIONS[name], dtype=getattr(tapegrad, dtype)))
    if name in SAMPLES:
        calls.append(lambda dtype: _try_sample(op, SAMPLES[name](), dtype))
    elif not calls and _takes_one_tensor(op):
        calls.append(lambda dtype: _try_sample(op, (tapegrad.ones(2),), dtype))
    taken = {
        dtype for dtype in (*FLOATS, *INTS, "bool") if any(_works(call, dtype) for call in calls)
    }
    if taken == {*FLOATS, *INTS, "bool"}:
        return "all"
    parts = [*_group("floats", FLOATS, taken), *_group("ints", INTS, taken)]
    return ", ".join(parts + ["bool"] * ("bool" in taken))


def _group(name: str, dtypes: tuple[str, ...], taken: set[str]) -> list[str]:
    return [name] if taken.issuperset(dtypes) else [dtype for dtype in dtypes if dtype in taken]


def _works(call: Callable[[str], object], dtype: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            call(dtype)
    except REFUSALS:
        return False
    return True


def _takes_one_tensor(op: Operator) -> bool:
    required = [p for p in op["forms"][0]["parameters"] if "default" not in p]
    return [p["type"] for p in required] == ["Tensor"]


def _try_row(row: Op, call: Callable[..., object], dtype: str) -> None:
    """One of the samples of a row, or an error."""
    # Converted from floats, as integers may be indices as well.
    made = next(name for name in (dtype, "float32", row.dtypes[-1]) if name in row.dtypes)

    def leaf(values: np.ndarray, _: bool) -> tapegrad.Tensor:
        tensor = tapegrad.from_numpy(np.array(values))
        return tensor.to(getattr(tapegrad, dtype)) if values.dtype == made else tensor

    samples = list(row.samples(Make(made)))
    for sample in samples:
        args, kwargs = prepare(sample, leaf)
        try:
            call(tapegrad, *args, **kwargs)
        except REFUSALS:
            if sample is samples[-1]:
                raise
        else:
            return


def _try_sample(op: Operator, sample: tuple[object, ...], dtype: str) -> None:
    def converted(value: object) -> object:
        if isinstance(value, tuple | list):
            return type(value)(map(converted, value))
        if isinstance(value, tapegrad.Tensor) and value.dtype == tapegrad.float32:
            return value.to(getattr(tapegrad, dtype))
        return value

    _function(op)(*map(converted, sample))
