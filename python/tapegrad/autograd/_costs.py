"""What the operations of a graph cost: multiplications and memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tapegrad._C import Node

from ._nodes import plain_name

__all__ = ["multiply_adds", "readable_bytes", "readable_count", "result_bytes", "work"]

_INNER = {
    # operation: saved values whose last dimension is summed over, or the one before it
    "MmBackward0": (("self", -1), ("mat1", -1)),
    "BmmBackward0": (("self", -1), ("mat2", -2)),
    "BaddbmmBackward0": (("batch1", -1), ("batch2", -2)),
    "AddmmBackward0": (("mat1", -1),),
    "MvBackward0": (("self", -1), ("vec", -1)),
    "AddmvBackward0": (("mat", -1), ("vec", -1)),
    "DotBackward0": (("self", -1), ("tensor", -1)),
}
_RECURRENT = ("LstmLayerBackward0", "GruLayerBackward0", "RnnLayerBackward0")


def _shapes(node: Node) -> dict[str, Sequence[int]]:
    """The shapes of saved values, also of those of which only the shape is saved."""
    tensors, numbers = node._kept_values
    shapes: dict[str, Sequence[int]] = {
        name: tensor.shape for name, tensor in tensors.items() if tensor is not None
    }
    for name, value in numbers.items():
        if name.endswith("_sym_sizes"):
            shapes[name.removesuffix("_sym_sizes")] = value
    return shapes


def _result(node: Node) -> int:
    return sum(math.prod(shape) for shape, _ in node._input_metadata)


def multiply_adds(node: Node) -> int:
    """The multiplications, each with an addition, of a product, a convolution or a recurrent layer.

    Other operations count as none.
    """
    name, shapes = plain_name(node), _shapes(node)
    for saved, dim in _INNER.get(name, ()):
        if saved in shapes:
            return _result(node) * shapes[saved][dim]
    if name in ("AddmmBackward0", "MmBackward0") and "mat2" in shapes:
        # Of a linear layer, or as it stands: the dimension that the result does not have.
        columns = node._input_metadata[0][0][-1]
        rows, last = shapes["mat2"]
        return _result(node) * (rows if last == columns else last)
    if name == "ConvolutionBackward0" and "weight" in shapes:
        weight, numbers = shapes["weight"], node._kept_values[1]
        points = math.prod(shapes["input"]) if numbers["transposed"] else _result(node)
        return points * math.prod(weight) // weight[0]
    if name in _RECURRENT and {"input", "weight_ih", "weight_hh"} <= shapes.keys():
        weights = math.prod(shapes["weight_ih"]) + math.prod(shapes["weight_hh"])
        return math.prod(shapes["input"][:-1]) * weights
    if name.startswith("ScaledDotProduct") and {"query", "key", "value"} <= shapes.keys():
        pairs = math.prod(shapes["query"][:-1]) * shapes["key"][-2]
        return pairs * (shapes["query"][-1] + shapes["value"][-1])
    return 0


def work(node: Node) -> int:
    """A measure of the time that an operation takes, to compare parts of a graph by."""
    return multiply_adds(node) + _result(node)


def result_bytes(node: Node) -> int:
    """The memory of an operation's results, and so of their gradients."""
    return sum(math.prod(shape) * dtype.itemsize for shape, dtype in node._input_metadata)


def _readable(number: float, units: Sequence[str]) -> str:
    unit = 0
    while number >= 999.5 and unit + 1 < len(units):
        number /= 1000
        unit += 1
    return f"{number:.3g} {units[unit]}".strip()


def readable_bytes(number: float) -> str:
    """Bytes as ``"8.19 kB"``."""
    return _readable(number, ("B", "kB", "MB", "GB", "TB"))


def readable_count(number: float) -> str:
    """A count as ``"1.2 M"``."""
    return _readable(number, ("", "k", "M", "G", "T"))


def table(rows: Sequence[Sequence[Any]], right: Sequence[int] = ()) -> str:
    """Rows of texts, of which the first is the head, in columns; those in `right` end alike."""
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    lines = []
    for row in texts:
        cells = [
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)
