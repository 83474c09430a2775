"""What tools read of the nodes of a graph: their order, their names, and where they were made."""

from __future__ import annotations

import heapq
import os
import re
import sys
from dataclasses import dataclass
from typing import Any

from tapegrad._C import Node
from tapegrad._provenance import Traceback

__all__ = [
    "Place",
    "argument_names",
    "calling_places",
    "is_leaf",
    "module_of",
    "nodes_of",
    "operation_of",
    "place_of",
    "plain_name",
]


@dataclass
class Place:
    """A line of the user's program."""

    file: str
    line: int
    function: str = ""
    text: str = ""

    @classmethod
    def of(cls, trace: Traceback) -> Place:
        return cls(trace.file, trace.line, trace.function, trace.text)

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def is_leaf(node: Node) -> bool:
    """Whether a node is the end of the graph at a tensor that gradients are added to."""
    return node.name().endswith("AccumulateGrad")


def nodes_of(root: Node | None) -> list[Node]:
    """All nodes that lead to one, each behind those that its inputs came from.

    Operations stand in the order in which they ran, and a leaf before the first of its users.
    """
    if root is None:
        return []
    users: dict[Node, list[Node]] = {root: []}
    missing: dict[Node, int] = {}
    stack = [root]
    while stack:
        node = stack.pop()
        inputs = {source for source, _ in node.next_functions if source is not None}
        missing[node] = sum(not is_leaf(source) for source in inputs)
        for source in inputs:
            if source not in users:
                users[source] = []
                stack.append(source)
            users[source].append(node)
    ready = [
        (n._sequence_nr(), i, n) for i, n in enumerate(users) if not (missing[n] or is_leaf(n))
    ]
    heapq.heapify(ready)
    ordered: dict[Node, None] = {}
    while ready:
        _, _, node = heapq.heappop(ready)
        for leaf, _ in node.next_functions:
            if leaf is not None and is_leaf(leaf):
                ordered.setdefault(leaf)
        ordered[node] = None
        for user in users[node]:
            missing[user] -= 1
            if not missing[user]:
                heapq.heappush(ready, (user._sequence_nr(), id(user), user))
    return list(ordered)


def plain_name(node: Node) -> str:
    """The name of a node's kind without a namespace."""
    return node.name().rpartition(":")[2]


def operation_of(node: Node) -> str:
    """``"layer_norm"`` of NativeLayerNormBackward0."""
    name = plain_name(node).partition("Backward")[0].removeprefix("Native")
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


# The arguments of operations that are not element-wise, as their saved values are named; those
# with "?" may be left out.
_ARGUMENTS = {
    "MmBackward0": ("self", "mat2"),
    "BmmBackward0": ("self", "mat2"),
    "MvBackward0": ("self", "vec"),
    "DotBackward0": ("self", "tensor"),
    "AddmmBackward0": ("self", "mat1", "mat2"),
    "MseLossBackward0": ("self", "target"),
    "BinaryCrossEntropyWithLogitsBackward0": ("self", "target"),
    "NativeLayerNormBackward0": ("input", "weight?", "bias?"),
    "NativeBatchNormBackward0": ("input", "weight?", "bias?"),
    "ConvolutionBackward0": ("input", "weight", "bias?"),
    "EmbeddingBackward0": ("weight",),
    "AddcmulBackward0": ("self", "tensor1", "tensor2"),
    "WhereBackward0": ("self", "other"),
    "ScaledDotProductFlashAttentionForCpuBackward0": ("query", "key", "value", "attn_mask?"),
}
# The second operand of an element-wise one.
_SECOND = ("other", "exponent", "min", "max", "weight")


def argument_names(node: Node) -> tuple[str, ...]:
    """The names under which a node saves its arguments, if it does, in their order."""
    tensors, numbers = node._kept_values
    if node._formula_use is None:
        names = _ARGUMENTS.get(node.name(), ("self",))
        # A linear layer without a bias is a product whose first factor has another name.
        if plain_name(node) == "MmBackward0" and "mat1" in tensors:
            return ("mat1", "mat2")
        return names
    second = next((name for name in _SECOND if name in tensors or name in numbers), "other")
    return ("self", second)


def place_of(node: Any) -> Place | None:
    """The user's line, if the node knows it."""
    trace = node.traceback
    return None if trace is None else Place.of(trace)


def module_of(node: Any) -> str:
    """The path of the module that was running, such as ``layers.2``; empty without one."""
    trace = node.traceback
    return (trace.module if trace is not None else None) or ""


_PACKAGE = os.path.dirname(os.path.dirname(__file__)) + os.sep


def calling_places() -> tuple[Place, ...]:
    """The lines that are running, from the innermost on, without those of this package."""
    places = []
    frame = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        if not code.co_filename.startswith(_PACKAGE):
            places.append(Place(code.co_filename, frame.f_lineno, code.co_name))
        frame = frame.f_back  # type: ignore[assignment]
    return tuple(places)
