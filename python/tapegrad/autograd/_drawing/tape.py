"""Reads the recorded graph of a tensor."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from tapegrad import _C
from tapegrad._C import Node, Tensor
from tapegrad._gradient_paths import WEAK_CUTS
from tapegrad._provenance import Traceback
from tapegrad.autograd.grad_mode import no_grad
from tapegrad.nn.modules.module import Module

from .._nodes import (
    Place,
    argument_names,
    is_leaf,
    module_of,
    nodes_of,
    operation_of,
    place_of,
    plain_name,
)
from .description import Array, Description, Item, Saved

__all__ = ["MAX_NUMBERS", "describe"]

# Of larger tensors a picture does not have the elements.
MAX_NUMBERS = 1024
# Of a line that cuts off more leaves, such as that of another model, none is shown.
MAX_LOST = 8


def numbers_of(tensor: Tensor) -> Array | None:
    """The elements, if they are not too many."""
    if tensor.numel() > MAX_NUMBERS:
        return None
    return Array(tuple(tensor.shape), tensor.detach().reshape(-1).tolist())


def _ledger_number(leaf: Tensor) -> int:
    """By which the ledger of cuts knows a leaf; 0 if it does not."""
    return _C._leaf_story(leaf)[0]


def _place_in_memory(tensor: Tensor) -> tuple[Any, ...]:
    """What is the same for a tensor and for what the tape gives back of it."""
    return tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype


class _Reader:
    def __init__(self, root: Tensor, names: Iterable[tuple[str, Tensor]]) -> None:
        self.named = list(names)
        self.names: dict[tuple[Any, ...], str] = {}
        self.constants: dict[tuple[Any, ...], int] = {}
        self.variables: dict[Node, str] = {}  # names of results
        for name, tensor in self.named:
            self.names.setdefault(_place_in_memory(tensor), name)
            if tensor.grad_fn is not None:
                self.variables.setdefault(tensor.grad_fn, name)
        self.items: list[Item] = []
        self.numbers: dict[Node, int] = {}
        self.known: dict[int, Tensor] = {}  # results of items
        self.seen: set[int] = set()  # memory that has been counted
        if root.grad_fn is None:
            raise RuntimeError(
                "there is no graph to draw: the tensor does not require grad and does not have "
                "a grad_fn"
            )
        self.root = root

    def read(self) -> Description:
        *nodes, last = nodes_of(self.root.grad_fn)
        for node in nodes:
            self._add_leaf(node) if is_leaf(node) else self._add_operation(node)
        self._add_cuts([*nodes, last])
        self._add_operation(last)
        # Nothing comes behind the root, of which all others are inputs.
        self._know(len(self.items) - 1, self.root)
        for number, tensor in self.known.items():
            self.items[number].value = numbers_of(tensor)
        return Description(self.items)

    def _add(self, item: Item) -> int:
        self.items.append(item)
        return len(self.items) - 1

    def _add_cuts(self, nodes: list[Node]) -> None:
        """Where values of leaves left the tape while the graph was made.

        A leaf that the program has a name for is shown, too, if all of its paths were cut in the
        functions that made the graph.
        """
        first = min(node._sequence_nr() for node in nodes if not is_leaf(node))
        last = self.root.grad_fn._sequence_nr()  # type: ignore[union-attr]
        shown = {_ledger_number(n.variable): self.numbers[n] for n in nodes if is_leaf(n)}
        others = {
            _ledger_number(leaf): (name, leaf)
            for name, leaf in self.named
            if leaf.is_leaf and leaf.requires_grad
        }
        functions = {(trace.file, trace.function) for n in nodes if (trace := n.traceback)}
        for how, site, _, when, _, leaves in _C._cuts():
            found = _C._site(site)
            if how in WEAK_CUTS or when > last or found is None:
                continue
            trace = Traceback(*found)
            behind = [shown[leaf] for leaf in leaves if leaf in shown and when > first]
            lost = [leaf for leaf in leaves if leaf in others and leaf not in shown]
            if (trace.file, trace.function) in functions and len(lost) <= MAX_LOST:
                for leaf in lost:
                    shown[leaf] = self._add_input(*others[leaf])
                    behind.append(shown[leaf])
            if behind:
                self._add(Item(how, cut=True, inputs=[*behind], place=Place.of(trace)))

    def _add_leaf(self, node: Node) -> None:
        name = self.names.get(_place_in_memory(node.variable)) or "input"
        self.numbers[node] = self._add_input(name, node.variable)

    def _add_input(self, name: str, tensor: Tensor) -> int:
        item = Item(name, shape=tuple(tensor.shape), dtype=str(tensor.dtype).rpartition(".")[2])
        if tensor.grad is not None:
            item.grad = numbers_of(tensor.grad)
        number = self._add(item)
        self._know(number, tensor)
        return number

    def _add_operation(self, node: Node) -> None:
        saved, parameters = node._kept_values
        tensors = {name: tensor for name, tensor in saved.items() if tensor is not None}
        use = node._formula_use
        arguments = argument_names(node)
        inputs: list[int | None] = []
        for i, (source, _) in enumerate(node.next_functions):
            name = arguments[i] if i < len(arguments) else ""
            value = tensors.get(name.rstrip("?"))
            if source is not None:
                inputs.append(self.numbers[source])
                if value is not None and len(source._input_metadata) == 1:
                    self._know(self.numbers[source], value)
            elif self._is_number(use, i) or (value is None and name.endswith("?")):
                inputs.append(None)
            else:
                inputs.append(self._constant(value, bool(name)))
        shape, dtype = node._input_metadata[0] if node._input_metadata else ((), "")
        item = Item(
            self.variables.get(node) or operation_of(node),
            op=plain_name(node),
            inputs=inputs,
            shape=tuple(shape),
            dtype=str(dtype).rpartition(".")[2],
            rule=node.formula or "",
            place=place_of(node),
            module=module_of(node),
            saved=[self._saved(name, tensor) for name, tensor in tensors.items()],
        )
        if use is not None:
            item.formula, item.numbers = use[0], list(use[1])
        item.parameters = {**parameters, **self._shown(item, tensors, use)}
        if len(node._input_metadata) > 1:
            item.notes.append(f"one of {len(node._input_metadata)} results is shown")
        self.numbers[node] = number = self._add(item)
        if "result" in tensors and len(node._input_metadata) == 1:
            self._know(number, tensors["result"])

    @staticmethod
    def _is_number(use: Any, place: int) -> bool:
        return use is not None and len(use[1]) == 2 and use[1][place] is not None

    def _constant(self, value: Tensor | None, has_name: bool) -> int | None:
        """The item of an operand through which no gradient flows."""
        if not has_name and value is None:
            return None
        if value is None:
            return self._add(Item("constant", wanted=False))
        key = _place_in_memory(value)
        if key not in self.constants:
            item = Item(
                self.names.get(key) or "constant",
                wanted=False,
                shape=tuple(value.shape),
                dtype=str(value.dtype).rpartition(".")[2],
            )
            self.constants[key] = number = self._add(item)
            self._know(number, value)
        return self.constants[key]

    def _know(self, number: int, tensor: Tensor) -> None:
        item = self.items[number]
        if tuple(tensor.shape) == item.shape:
            self.known.setdefault(number, tensor)

    def _saved(self, name: str, tensor: Tensor) -> Saved:
        storage = tensor.untyped_storage()
        first = storage.data_ptr() not in self.seen
        self.seen.add(storage.data_ptr())
        return Saved(name, tuple(tensor.shape), storage.nbytes() if first else 0)

    @staticmethod
    def _shown(item: Item, tensors: Mapping[str, Tensor], use: Any) -> dict[str, Any]:
        """What an operation needs beside its inputs, where its saved numbers do not say it."""
        if use is not None:
            return {}
        extra: dict[str, Any] = {
            name: numbers_of(tensors[name]) for name in _VALUES if name in tensors
        }
        if item.op in ("AddmmBackward0", "MmBackward0"):
            extra["transposed"] = _LINEAR.search(item.rule) is not None
        elif item.op == "NllLossBackward0":
            of_logits = "row_weight" in tensors
            weights = tensors.get("row_weight" if of_logits else "weight")
            extra["of_logits"] = of_logits
            extra["smooth"] = of_logits and _NOT_SMOOTH.search(item.rule) is None
            extra["weights"] = None if weights is None else numbers_of(weights)
            mean = "total_weight" in tensors
            extra["reduction"] = "mean" if mean else "none" if item.shape else "sum"
        elif item.op == "MseLossBackward0":
            extra["reduction"] = _reduction(item, "grad * 2)" in item.rule)
        elif item.op == "BinaryCrossEntropyWithLogitsBackward0":
            extra["reduction"] = _reduction(item, "grad *" in item.rule)
            extra["weighted"] = "weight" in tensors or "pos_weight" in tensors
        elif item.op == "NativeDropoutBackward0" and "result1" in tensors:
            extra["mask"] = numbers_of(tensors["result1"])
        elif item.op == "NativeLayerNormBackward0" and {"input", "result2"} <= tensors.keys():
            extra["eps"] = _layer_norm_eps(item, tensors["input"], tensors["result2"])
        return extra


# Saved tensors that are no inputs.
_VALUES = ("condition", "target", "total_weight", "indices", "index")


# What derivatives say of forms of operations: a product with a transposed matrix, as of a linear
# layer, and cross-entropy without label smoothing.
_LINEAR = re.compile(r"grad @ mat2(?!\.mT)|grad\.mT @ ")
_NOT_SMOOTH = re.compile(r"row_weight, -?\d+, 0\)")


def _reduction(item: Item, is_sum: bool) -> str:
    return "none" if item.shape else "sum" if is_sum else "mean"


def _layer_norm_eps(item: Item, x: Tensor, rstd: Tensor) -> float:
    """What was added to the variance, of which the tape has the inverse root of the sum."""
    dims = [d for d, size in enumerate(rstd.shape) if size != x.shape[d]] or [-1]
    with no_grad():
        eps = (rstd.double() ** -2 - x.double().var(dims, correction=0, keepdim=True)).mean()
    return float(f"{eps.item():.{5 if item.dtype == 'float64' else 0}e}")


def _pairs(params: Any, prefix: str = "") -> list[tuple[str, Tensor]]:
    """Names and tensors: of a module, a dict, or such pairs."""
    if params is None:
        return []
    if hasattr(params, "named_parameters"):
        items: Iterable[Any] = [*params.named_parameters(), *params.named_buffers()]
    else:
        items = params.items() if isinstance(params, Mapping) else params
    return [(prefix + name, tensor) for name, tensor in items if isinstance(tensor, Tensor)]


def _of_variables(variables: Mapping[str, Any]) -> list[tuple[str, Tensor]]:
    """The tensors among variables of a program, and the parameters of its modules."""
    found, modules = [], []
    for name, value in variables.items():
        if isinstance(value, Tensor):
            found.append((name, value))
        elif isinstance(value, Module):
            modules += _pairs(value, f"{name}.")
    return [*modules, *found]


def describe(root: Tensor, params: Any = None, variables: Mapping[str, Any] = {}) -> Description:
    """The graph that a tensor was computed by.

    Args:
        root: the tensor.
        params: a module, or a dict or pairs of names and tensors.
        variables: those of the caller: a tensor that `params` does not have is called by them.

    Raises:
        RuntimeError: the tensor has no graph.
    """
    return _Reader(root, [*_pairs(params), *_of_variables(variables)]).read()
