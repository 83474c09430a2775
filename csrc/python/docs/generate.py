"""Writes the docstrings of the compiled core as a table of C++ strings.

    python generate.py OUTPUT

The texts beside this file are written without ``import tapegrad`` in their examples; it is added
here. A key with parentheses is also the signature that ``help`` and ``inspect.signature`` show.
The build runs this, and csrc/python/docs.cpp reads the table: so docstrings cost no time at import.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import creation
import elementwise
import reductions
import shapes
import tensor

# Names that are bound on their own for the same operation; other aliases are the same object.
SAME = {"clip": "clamp", "concat": "cat", "concatenate": "cat"}

RAISES_IN_PLACE = """
Raises:
    RuntimeError: if the shape or dtype of the result is not that of the tensor, or for a leaf that
        requires gradients.
"""

# Results of tensor.IN_PLACE_EXAMPLES.
RESULTS: dict[str, str] = {
    "add": "tensor([2., 3.])",
    "sub": "tensor([0., 1.])",
    "div": "tensor([0.5000, 1.0000])",
    "round": "tensor([ 0.,  2., -3.])",
    "clamp": "tensor([0.0000, 0.5000, 1.0000])",
    "clip": "tensor([0.0000, 0.5000, 1.0000])",
    "masked_fill": "tensor([5., 0.])",
    "scatter": "tensor([0., 5.])",
    "scatter_add": "tensor([0., 2.])",
    "scatter_reduce": "tensor([1., 0.])",
    "index_add": "tensor([0., 2.])",
    "index_copy": "tensor([0., 1.])",
    "index_fill": "tensor([0., 5.])",
    "masked_scatter": "tensor([0., 1.])",
    "bitwise_not": "tensor([-1, -6])",
    "tril": "tensor([[1., 0.],\n            [1., 1.]])",
    "triu": "tensor([[1., 1.],\n            [0., 1.]])",
    "index_put": "tensor([5., 0., 5.])",
}

Entry = tuple[str, str]  # signature, or "", and text


def split(docs: dict[str, str]) -> dict[str, Entry]:
    entries = {}
    for key, text in docs.items():
        name, bracket, rest = key.partition("(")
        entries[name] = (bracket + rest, text)
    return entries


def in_place(name: str, text: str) -> str:
    """The text of ``name_`` from that of ``name``."""
    summary = text.partition("\n")[0].rstrip(".")
    if name in tensor.IN_PLACE_EXAMPLES:
        example = f"    >>> {tensor.IN_PLACE_EXAMPLES[name]}\n    {RESULTS[name]}\n"
    else:  # tapegrad.exp(tapegrad.tensor(x)) becomes tapegrad.tensor(x).exp_()
        start = f">>> tapegrad.{name}(tapegrad.tensor("
        values, _, rest = text.partition(start)[2].partition(")")
        example = f"    >>> tapegrad.tensor({values}).{name}_({rest.removeprefix(', ')}"
    return (
        f"{summary}, in place: the tensor itself is changed and returned.\n\n"
        f"See ``tapegrad.{name}``.\n{RAISES_IN_PLACE}\nExample:\n{example}"
    )


def table() -> Iterator[tuple[str, str, str, str]]:
    """Rows (kind, name, signature, text), from all tables."""
    functions: dict[str, Entry] = {}
    for module in (elementwise, reductions, shapes, creation):
        functions |= split(module.DOCS)
    for name, other in SAME.items():
        signature, text = functions[other]
        functions[name] = (signature, text.replace(f"tapegrad.{other}(", f"tapegrad.{name}("))
    changing = {*elementwise.FLOAT_UNARY, *elementwise.NUMBER_UNARY, *elementwise.BINARY}
    for name in (*changing, *tensor.IN_PLACE_EXAMPLES):
        signature, text = functions[name]
        functions[name + "_"] = (signature, in_place(name, text))
    for name, (signature, text) in functions.items():
        yield "Operator", name, signature, text
    for name, (signature, text) in split(tensor.METHODS).items():
        yield "Method", name, signature.replace("(", "(input, ", 1).replace(", )", ")"), text
    for name, text in tensor.ATTRIBUTES.items():
        yield "Method", name, "", text
    for name, text in tensor.TYPES.items():
        yield "Type", name, "", text


def main() -> None:
    lines = []
    for kind, name, signature, text in table():
        full = text.replace("Example:\n", "Example:\n    >>> import tapegrad\n", 1)
        strings = ", ".join(json.dumps(part) for part in (name, signature, full))
        lines.append(f"{{Kind::{kind}, {strings}}},\n")
    Path(sys.argv[1]).write_text("".join(lines))


if __name__ == "__main__":
    main()
