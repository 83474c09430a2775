"""Recurrent layers and cells.

A layer is one node. PyTorch has the gates of an LSTM in the order input, forget, cell, output, and
ONNX input, output, forget, cell; of a GRU reset, update, new, and update, reset, new.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ... import _C
from ..._C import Tensor
from ._table import Table

__all__ = ["CONVERTERS"]

CONVERTERS = Table()

# For each operator the node, the order of its gates, and what it has besides.
_KINDS: dict[str, tuple[str, tuple[int, ...], dict[str, Any]]] = {
    "lstm": ("LSTM", (0, 3, 1, 2), {}),
    "gru": ("GRU", (1, 0, 2), {"linear_before_reset": 1}),
    "rnn_tanh": ("RNN", (0,), {}),
    "rnn_relu": ("RNN", (0,), {"activations": ["Relu"]}),
}


def _weights(g: Any, tensors: Sequence[Tensor], order: tuple[int, ...]) -> Any:
    """The weights of all directions, their gates in ONNX's order."""
    if any(id(x) in g.call.arguments_known for x in tensors):
        raise g.refuse("has weights that depend on an input")
    made = []
    for x in tensors:
        gates = x.detach().chunk(len(order))
        made.append(_C.cat([gates[i] for i in order]))
    return _C.stack(made)


def _layers(
    g: Any,
    input: Tensor,
    states: Sequence[Tensor],
    params: Sequence[Tensor],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
) -> Any:
    kind, order, attributes = _KINDS[g.call.operator]
    if train and dropout:
        raise g.refuse("draws random numbers")
    # States of zeros are what there is without any, for a batch of any size.
    zeros = all(id(h) not in g.call.arguments_known and not h.any() for h in states)
    directions = 2 if bidirectional else 1
    each = 4 if has_biases else 2
    hidden = states[0].shape[-1]
    if len(params) != num_layers * directions * each:
        raise g.refuse("has projections")
    batched = input.dim() == 3
    if not batched:
        x = g.node("Unsqueeze", input, g.ints(1))
        states = [g.node("Unsqueeze", h, g.ints(1)) for h in states]
    elif batch_first:
        x = g.node("Transpose", input, perm=[1, 0, 2])
    else:
        x = input
    if "activations" in attributes:
        attributes = {"activations": attributes["activations"] * directions}

    last: list[list[Any]] = [[] for _ in states]
    for layer in range(num_layers):
        first = layer * directions
        rows = [params[(first + d) * each : (first + d + 1) * each] for d in range(directions)]
        w, r = (_weights(g, [row[i] for row in rows], order) for i in (0, 1))
        bias = None
        if has_biases:
            parts = [_weights(g, [row[i] for row in rows], order) for i in (2, 3)]
            bias = _C.cat(parts, 1)
        of_layer = (
            []
            if zeros
            else [
                g.node("Slice", h, g.ints(first), g.ints(first + directions), g.ints(0))
                for h in states
            ]
        )
        made = g.node(
            *(kind, x, w, r, bias, None, *of_layer),
            outputs=1 + len(states),
            hidden_size=hidden,
            direction="bidirectional" if bidirectional else None,
            **attributes,
        )
        # (steps, directions, batch, hidden) -> (steps, batch, directions * hidden)
        turned = g.node("Transpose", made[0], perm=[0, 2, 1, 3])
        x = g.node("Reshape", turned, g.ints(0, 0, -1))
        for place, state in zip(last, made[1:], strict=True):
            place.append(state)
    results = [g.node("Concat", *parts, axis=0) for parts in last]
    if not batched:
        return [g.node("Squeeze", y, g.ints(1)) for y in (x, *results)]
    return [g.node("Transpose", x, perm=[1, 0, 2]) if batch_first else x, *results]


@CONVERTERS.of("lstm")
def _lstm(g: Any, input: Tensor, hx: Any, params: Any, *rest: Any) -> Any:
    if not isinstance(rest[0], bool):
        raise g.refuse("has a packed sequence")
    return _layers(g, input, hx, params, *rest)


@CONVERTERS.of("gru", "rnn_tanh", "rnn_relu")
def _others(g: Any, input: Tensor, hx: Tensor, params: Any, *rest: Any) -> Any:
    if not isinstance(rest[0], bool):
        raise g.refuse("has a packed sequence")
    return _layers(g, input, [hx], params, *rest)


# ---------------------------------------------------------------------- cells


def _gates(g: Any, x: Any, weight: Tensor, bias: Tensor | None) -> Any:
    return g.node("Gemm", x, weight, bias, transB=1)


@CONVERTERS.of("rnn_tanh_cell", "rnn_relu_cell")
def _rnn_cell(
    g: Any, input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Any, b_hh: Any
) -> Any:
    total = g.node("Add", _gates(g, input, w_ih, b_ih), _gates(g, hx, w_hh, b_hh))
    return g.node("Tanh" if "tanh" in g.call.operator else "Relu", total)


@CONVERTERS.of("lstm_cell")
def _lstm_cell(
    g: Any, input: Tensor, hx: Any, w_ih: Tensor, w_hh: Tensor, b_ih: Any, b_hh: Any
) -> Any:
    h, c = hx
    total = g.node("Add", _gates(g, input, w_ih, b_ih), _gates(g, h, w_hh, b_hh))
    i, f, cell, o = g.node("Split", total, axis=-1, num_outputs=4, outputs=4)
    kept = g.node("Mul", g.node("Sigmoid", f), c)
    new = g.node("Mul", g.node("Sigmoid", i), g.node("Tanh", cell))
    state = g.node("Add", kept, new)
    return g.node("Mul", g.node("Sigmoid", o), g.node("Tanh", state)), state


@CONVERTERS.of("gru_cell")
def _gru_cell(
    g: Any, input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Any, b_hh: Any
) -> Any:
    ours = g.node("Split", _gates(g, input, w_ih, b_ih), axis=-1, num_outputs=3, outputs=3)
    theirs = g.node("Split", _gates(g, hx, w_hh, b_hh), axis=-1, num_outputs=3, outputs=3)
    reset, update = (
        g.node("Sigmoid", g.node("Add", a, b)) for a, b in zip(ours[:2], theirs[:2], strict=True)
    )
    new = g.node("Tanh", g.node("Add", ours[2], g.node("Mul", reset, theirs[2])))
    difference = g.node("Sub", hx, new)
    return g.node("Add", new, g.node("Mul", update, difference))
