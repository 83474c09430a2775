"""A table of a model's layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tapegrad._C import Tensor, ones
from tapegrad.autograd.grad_mode import enable_grad, no_grad
from tapegrad.nn import Module
from tapegrad.random import fork_rng
from tapegrad.utils._pytree import tree_leaves

from ._costs import multiply_adds, readable_bytes, readable_count, table
from ._nodes import is_leaf, nodes_of

__all__ = ["LayerSummary", "ModelSummary", "summary"]


@dataclass
class LayerSummary:
    """A call of a module.

    Attributes:
        path: where the module is in the model, empty for the model itself.
        kind: the name of its class.
        output_shape: of its result, or of its first tensor.
        parameters: the elements of its own parameters, without those of modules in it.
        saved: the bytes that the tape holds for it, with what is in it.
        multiply_adds: of products, convolutions and recurrent layers, with what is in it.
    """

    path: str
    kind: str
    output_shape: tuple[int, ...]
    parameters: int
    saved: int = 0
    multiply_adds: int = 0


class ModelSummary:
    """The layers of a model in the order of their calls; printed, a table.

    Attributes:
        layers: a `LayerSummary` for each call; the first is the model's.
        parameters, trainable: the elements of all parameters, and of those with gradients.
        saved, multiply_adds: of a forward pass.
    """

    def __init__(self, layers: list[LayerSummary], parameters: int, trainable: int) -> None:
        self.layers = layers
        self.parameters = parameters
        self.trainable = trainable
        self.saved = layers[0].saved
        self.multiply_adds = layers[0].multiply_adds

    def __str__(self) -> str:
        rows: list[tuple[str, ...]] = [
            ("layer", "output shape", "parameters", "saved", "multiply-adds")
        ]
        for layer in self.layers:
            depth = layer.path.count(".") + 1 if layer.path else 0
            name = f"{_own_name(layer.path)}: {layer.kind}" if layer.path else layer.kind
            rows.append(
                (
                    "  " * depth + name,
                    str(list(layer.output_shape)),
                    f"{layer.parameters:,}" if layer.parameters else "",
                    readable_bytes(layer.saved) if layer.saved else "",
                    readable_count(layer.multiply_adds) if layer.multiply_adds else "",
                )
            )
        return (
            f"{table(rows, right=(2, 3, 4))}\n\n"
            f"{self.parameters:,} parameters, {self.trainable:,} of them trainable.\n"
            f"The tape holds {readable_bytes(self.saved)} after a forward pass of "
            f"{readable_count(self.multiply_adds)} multiply-adds."
        )

    __repr__ = __str__


def _own_name(path: str) -> str:
    """``"head"``, or ``"blocks.0"`` of a module in a list."""
    parts = path.split(".")
    return ".".join(parts[-2:]) if parts[-1].isdigit() else parts[-1]


def _now() -> int:
    """A number between those of the operations before and after."""
    with enable_grad():
        node: Any = (ones(1, requires_grad=True) * 1).grad_fn
    number: int = node._sequence_nr()
    return number


class _Calls:
    """The calls of modules in a forward pass, and between which operations they were."""

    def __init__(self, model: Module) -> None:
        self.layers: list[LayerSummary] = []
        self.spans: list[list[int]] = []
        self._open: list[int] = []
        self._handles: list[Any] = []
        for path, module in model.named_modules():
            before, after = self._hooks(path)
            self._handles.append(module.register_forward_pre_hook(before))
            self._handles.append(module.register_forward_hook(after))

    def _hooks(self, path: str) -> tuple[Any, Any]:
        def before(module: Module, args: Any) -> None:
            own = sum(p.numel() for p in module.parameters(recurse=False))
            self._open.append(len(self.layers))
            self.layers.append(LayerSummary(path, type(module).__name__, (), own))
            self.spans.append([_now(), -1])

        def after(module: Module, args: Any, output: Any) -> None:
            number = self._open.pop()
            self.spans[number][1] = _now()
            tensors = [x for x in tree_leaves(output) if isinstance(x, Tensor)]
            if tensors:
                self.layers[number].output_shape = tuple(tensors[0].shape)

        return before, after

    def remove(self) -> None:
        for handle in self._handles:
            handle.remove()


def _charge(calls: _Calls, output: Any, leaves: set[int]) -> None:
    """Adds up what operations save and cost, for each call around them."""
    seen = set(leaves)
    done = set()
    for root in tree_leaves(output):
        for node in nodes_of(root.grad_fn) if isinstance(root, Tensor) else ():
            if node in done or is_leaf(node):
                continue
            done.add(node)
            saved = 0
            for tensor in node._kept_values[0].values():
                storage = tensor.untyped_storage() if tensor is not None else None
                if storage is not None and storage.data_ptr() not in seen:
                    seen.add(storage.data_ptr())
                    saved += storage.nbytes()
            cost, number = multiply_adds(node), node._sequence_nr()
            for layer, (start, end) in zip(calls.layers, calls.spans, strict=True):
                if start < number < end:
                    layer.saved += saved
                    layer.multiply_adds += cost


def summary(model: Module, *inputs: Any, **kwargs: Any) -> ModelSummary:
    """List the layers of a model with shapes, parameters, memory and multiplications.

    The model runs forward once. Its buffers and the random generator are as before afterwards.

    Args:
        model: a module.
        inputs, kwargs: what it is called with. A tuple of integers is the shape of a tensor.

    Returns:
        A `ModelSummary`: ``layers``, ``parameters``, ``trainable``, ``saved``, ``multiply_adds``.
        Printed, a table.

    Example:
        >>> import tapegrad
        >>> from tapegrad import nn
        >>> model = nn.Sequential(nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 10))
        >>> print(tapegrad.autograd.summary(model, (8, 64)))
        layer        output shape  parameters    saved  multiply-adds
        -----------  ------------  ----------  -------  -------------
        Sequential   [8, 10]                   3.07 kB         18.9 k
          0: Linear  [8, 32]            2,080  2.05 kB         16.4 k
          1: Tanh    [8, 32]                   1.02 kB
          2: Linear  [8, 10]              330                  2.56 k
        <BLANKLINE>
        2,410 parameters, 2,410 of them trainable.
        The tape holds 3.07 kB after a forward pass of 18.9 k multiply-adds.
    """
    given = [ones(x) if _is_shape(x) else x for x in inputs]
    buffers = [(buffer, buffer.clone()) for buffer in model.buffers()]
    calls = _Calls(model)
    try:
        with fork_rng(), enable_grad():
            output = model(*given, **kwargs)
    finally:
        calls.remove()
        with no_grad():
            for buffer, before in buffers:
                buffer.copy_(before)
    _charge(calls, output, {p.untyped_storage().data_ptr() for p in model.parameters()})
    parameters = list(model.parameters())
    return ModelSummary(
        calls.layers,
        sum(p.numel() for p in parameters),
        sum(p.numel() for p in parameters if p.requires_grad),
    )


def _is_shape(value: Any) -> bool:
    return isinstance(value, tuple) and bool(value) and all(isinstance(n, int) for n in value)
