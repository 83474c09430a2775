"""Writes the docstrings of the compiled core as a table of C++ strings.

    python generate.py OUTPUT

The texts beside this file are written without ``import tapegrad`` in their examples; it is added
here. A key with parentheses is also the signature: the only place where it is written. It is what
arguments are read by, and what stubs, ``help`` and ``inspect.signature`` show. An operator with
several forms has one signature in each line of its key. ``*size`` stands for ints one by one, or
for one sequence of them.

The build runs this, and csrc/python/docs.cpp reads the table, which is sorted by names.
"""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import activations
import arranging
import convolution
import counting
import creation
import elementwise
import linalg
import optim
import reductions
import sampling
import sequences
import shapes
import special
import tensor

RAISES_IN_PLACE = """
Raises:
    RuntimeError: if the shape or dtype of the result is not that of the tensor, or for a leaf that
        requires gradients.
"""
RAISES_FOR_LEAVES = """
Raises:
    RuntimeError: for a leaf that requires gradients.
"""

# Results of tensor.IN_PLACE_EXAMPLES.
RESULTS: dict[str, str] = {
    "add": "tensor([2., 3.])",
    "sub": "tensor([0., 1.])",
    "div": "tensor([0.5000, 1.0000])",
    "pow": "tensor([1., 4.])",
    "round": "tensor([ 0.,  2., -3.])",
    "clamp": "tensor([0.0000, 0.5000, 1.0000])",
    "clamp_min": "tensor([0.0000, 0.5000])",
    "clamp_max": "tensor([-2.,  0.])",
    "eq": "tensor([0., 1., 0.])",
    "ne": "tensor([1., 0., 1.])",
    "lt": "tensor([1., 0., 0.])",
    "le": "tensor([1., 1., 0.])",
    "gt": "tensor([0., 0., 1.])",
    "ge": "tensor([0., 1., 1.])",
    "logical_and": "tensor([0, 1, 1])",
    "logical_or": "tensor([0, 1, 1])",
    "logical_xor": "tensor([1, 0, 0])",
    "logical_not": "tensor([0., 1.])",
    "leaky_relu": "tensor([-0.5000,  2.0000])",
    "elu": "tensor([-0.6321,  2.0000])",
    "celu": "tensor([-0.6321,  2.0000])",
    "hardtanh": "tensor([-1.,  1.])",
    "threshold": "tensor([0., 2.])",
    "rrelu": "tensor([-0.5000,  2.0000])",
    "lerp": "tensor([0.5000, 0.5000])",
    "addcmul": "tensor([2., 2.])",
    "addcdiv": "tensor([2., 2.])",
    "nan_to_num": "tensor([ 0., -9.])",
    "logit": "tensor([0., 0.])",
    "copysign": "tensor([-1., -2.])",
    "heaviside": "tensor([0., 1.])",
    "igamma": "tensor([0.6321])",
    "igammac": "tensor([0.3679])",
    "mvlgamma": "tensor([0.])",
    "float_power": "tensor([4.], dtype=tapegrad.float64)",
    "cumsum": "tensor([1, 3, 6])",
    "cumprod": "tensor([1, 2, 6])",
    "addmm": "tensor([[2., 2.],\n            [2., 2.]])",
    "addmv": "tensor([4., 4.])",
    "addr": "tensor([[2., 2.]])",
    "baddbmm": "tensor([[[3.]]])",
    "addbmm": "tensor([[7.]])",
    "transpose": "tensor([[1, 3],\n            [2, 4]])",
    "swapaxes": "tensor([[1, 3],\n            [2, 4]])",
    "t": "tensor([[1, 3],\n            [2, 4]])",
    "squeeze": "tensor([0., 0.])",
    "unsqueeze": "tensor([[0., 0.]])",
    "as_strided": "tensor([0, 2])",
    "masked_fill": "tensor([5., 0.])",
    "scatter": "tensor([0., 5.])",
    "scatter_add": "tensor([0., 2.])",
    "scatter_reduce": "tensor([1., 0.])",
    "index_add": "tensor([0., 2.])",
    "index_copy": "tensor([0., 1.])",
    "index_fill": "tensor([0., 5.])",
    "index_reduce": "tensor([1., 0.])",
    "masked_scatter": "tensor([0., 1.])",
    "bitwise_not": "tensor([-1, -6])",
    "tril": "tensor([[1., 0.],\n            [1., 1.]])",
    "triu": "tensor([[1., 1.],\n            [0., 1.]])",
    "put": "tensor([0., 1.])",
    "renorm": "tensor([[0.6000, 0.8000]])",
    "index_put": "tensor([5., 0., 5.])",
}

Entry = tuple[str, str]  # signatures, one per line, or "", and text


def split(docs: dict[str, str]) -> dict[str, Entry]:
    entries = {}
    for key, text in docs.items():
        name = key.partition("(")[0]
        signatures = key.replace(f"\n{name}(", "\n(").removeprefix(name)
        entries[name] = (signatures, text)
    return entries


def with_forms(name: str, signatures: str, text: str) -> str:
    """The text with a sentence that shows all forms, where there are several."""
    forms = [f"``{name}{form}``" for form in signatures.split("\n")]
    if len(forms) == 1:
        return text
    listing = textwrap.fill(f"Forms: {', '.join(forms[:-1])} and {forms[-1]}.", 96)
    summary, _, rest = text.partition("\n\n")
    return f"{summary}\n\n{listing}\n\n{rest}"


def in_place(name: str, text: str) -> str:
    """The text of ``name_`` from that of ``name``."""
    summary = text.partition("\n")[0].rstrip(".")
    if name in tensor.IN_PLACE_EXAMPLES:
        example = f"    >>> {tensor.IN_PLACE_EXAMPLES[name]}\n    {RESULTS[name]}\n"
    else:  # tapegrad.exp(tapegrad.tensor(x)) becomes tapegrad.tensor(x).exp_()
        start = f">>> tapegrad.{name}(tapegrad.tensor("
        values, _, rest = text.partition(start)[2].partition(")")
        example = f"    >>> tapegrad.tensor({values}).{name}_({rest.removeprefix(', ')}"
    raises = RAISES_FOR_LEAVES if name in tensor.WINDOWS else RAISES_IN_PLACE
    return (
        f"{summary}, in place: the tensor itself is changed and returned.\n\n"
        f"See ``tapegrad.{name}``.\n{raises}\nExample:\n{example}"
    )


def as_method(signatures: str) -> str:
    """The signatures with the tensor itself, which those of methods leave out."""
    return signatures.replace("(", "(input, ").replace(", )", ")")


def table() -> Iterator[tuple[str, str, str, str]]:
    """Rows (kind, name, signatures, text), from all tables."""
    functions: dict[str, Entry] = {}
    for module in (
        elementwise,
        activations,
        special,
        reductions,
        linalg,
        shapes,
        creation,
        sampling,
        convolution,
        sequences,
        arranging,
        counting,
        optim,
    ):
        functions |= split(module.DOCS)
    changing = {*elementwise.FLOAT_UNARY, *elementwise.NUMBER_UNARY, *elementwise.BINARY}
    changing |= elementwise.OF_TENSORS.keys() - elementwise.WITHOUT_IN_PLACE
    for name in (*changing, *tensor.IN_PLACE_EXAMPLES):
        signature, text = functions[name]
        functions[name + "_"] = (signature, in_place(name, text))
    for name, (signatures, text) in functions.items():
        yield "Operator", name, signatures, with_forms(name, signatures, text)
    methods = tensor.METHODS | arranging.METHODS | sampling.METHODS
    for name, (signatures, text) in split(methods).items():
        yield "Method", name, as_method(signatures), with_forms(name, signatures, text)
    for name, text in tensor.ATTRIBUTES.items():
        yield "Method", name, "", text
    for name, text in tensor.TYPES.items():
        yield "Type", name, "", text


def main() -> None:
    lines = []
    order = ["Operator", "Method", "Type"]
    for kind, name, signatures, text in sorted(table(), key=lambda r: (r[1], order.index(r[0]))):
        full = text.replace("Example:\n", "Example:\n    >>> import tapegrad\n", 1)
        strings = ", ".join(json.dumps(part) for part in (name, signatures, full))
        lines.append(f"{{DocKind::{kind}, {strings}}},\n")
    Path(sys.argv[1]).write_text("".join(lines))


if __name__ == "__main__":
    main()
