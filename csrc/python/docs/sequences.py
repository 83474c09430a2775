"""Docstrings of the operators for sequences: recurrent layers, attention and tables of vectors."""

from __future__ import annotations

__all__ = ["DOCS"]

_LAYERS = """\
{what}, over whole sequences.

{formula}

Args:
    input: a tensor (length, batch, features), or (batch, length, features) with ``batch_first``.
    data: packed sequences: the elements of all first steps, then of all second ones, ...
    batch_sizes: how many elements each step has, int64; it never grows.
    hx: {states} of shape (num_layers * directions, batch, units).
    params: for each layer and direction ``weight_ih`` ({gates}units, features), ``weight_hh``
        ({gates}units, units) and, with biases, ``bias_ih`` and ``bias_hh``{more}.
    has_biases: whether there are biases.
    num_layers: the number of layers, each of which takes what the one before gives.
    dropout: the probability with which elements between layers become zero.
    train: whether they do.
    bidirectional: whether each layer also reads the sequence backwards; both results are joined.
    batch_first: whether the batch is the first dimension of input and output.

Returns:
    {results}

Raises:
    RuntimeError: if the shapes or dtypes do not fit.

Example:
{example}"""

_CELL = """\
{what}: one step.

{formula}

Args:
    input: a tensor (batch, features) or (features,).
    hx: {states} of shape (batch, units) or (units,).
    w_ih: the weights of the input, ({gates}units, features).
    w_hh: the weights of the state, ({gates}units, units).
    b_ih: summands ({gates}units,), or None. Default: None.
    b_hh: the same; both or none are given. Default: None.

Returns:
    {results}

Raises:
    RuntimeError: if the shapes or dtypes do not fit.

Example:
{example}"""

_FORMS = (
    "{0}(input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first)\n"
    "{0}(data, batch_sizes, hx, params, has_biases, num_layers, dropout, train, bidirectional)"
)
_CELL_FORM = "{0}_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None)"

_LSTM = {
    "formula": """\
Formula: ``c = sigmoid(f) * c + sigmoid(i) * tanh(g)``, ``h = sigmoid(o) * tanh(c)``, where i, f, g
and o are the quarters of ``x @ w_ih.T + b_ih + h @ w_hh.T + b_hh``.""",
    "gates": "4 * ",
}
_GRU = {
    "formula": """\
Formula: ``h = (1 - z) * n + z * h`` with ``z = sigmoid(x_z + h_z)``, ``r = sigmoid(x_r + h_r)`` and
``n = tanh(x_n + r * h_n)``, where x and h are the thirds r, z, n of ``x @ w_ih.T + b_ih`` and
``h @ w_hh.T + b_hh``.""",
    "gates": "3 * ",
}


def _rnn(function: str) -> dict[str, str]:
    return {
        "formula": f"Formula: ``h = {function}(x @ w_ih.T + b_ih + h @ w_hh.T + b_hh)``.",
        "gates": "",
    }


def _layers_example(name: str, gates: int, state: str) -> str:
    return f"""\
    >>> x, h = tapegrad.ones(5, 2, 3), tapegrad.zeros(1, 2, 4)
    >>> weights = [tapegrad.zeros({gates}, 3), tapegrad.zeros({gates}, 4)]
    >>> out = tapegrad.{name}(x, {state}, weights, False, 1, 0.0, False, False, False)[0]
    >>> out.shape
    tapegrad.Size([5, 2, 4])
"""


def _cell_example(name: str, gates: int, result: str) -> str:
    state = "(h, h)" if name == "lstm" else "h"
    index = "[0]" if name == "lstm" else ""
    return f"""\
    >>> x, h = tapegrad.ones(1, 3), tapegrad.ones(1, 2)
    >>> w_ih, w_hh = tapegrad.zeros({gates}, 3), tapegrad.zeros({gates}, 2)
    >>> tapegrad.{name}_cell(x, {state}, w_ih, w_hh){index}
    {result}
"""


DOCS: dict[str, str] = {
    _FORMS.format("lstm"): _LAYERS.format(
        what="Long short-term memory (Hochreiter and Schmidhuber, 1997)",
        states="two tensors, the states h and c,",
        more=";\n        where h and c differ in size also ``weight_hr`` (size of h, size of c)",
        results="The outputs (length, batch, units), and the last states h and c.",
        example=_layers_example("lstm", 16, "(h, h)"),
        **_LSTM,
    ),
    _CELL_FORM.format("lstm"): _CELL.format(
        what="Long short-term memory (Hochreiter and Schmidhuber, 1997)",
        states="two tensors, the states h and c,",
        results="The new states h and c.",
        example=_cell_example("lstm", 8, "tensor([[0.2311, 0.2311]])"),
        **_LSTM,
    ),
    _FORMS.format("gru"): _LAYERS.format(
        what="Gated recurrent units (Cho et al., arXiv:1406.1078)",
        states="the states,",
        more="",
        results="The outputs (length, batch, units), and the last states.",
        example=_layers_example("gru", 12, "h"),
        **_GRU,
    ),
    _CELL_FORM.format("gru"): _CELL.format(
        what="Gated recurrent units (Cho et al., arXiv:1406.1078)",
        states="the state,",
        results="The new state.",
        example=_cell_example("gru", 6, "tensor([[0.5000, 0.5000]])"),
        **_GRU,
    ),
    **{
        _FORMS.format(f"rnn_{function}"): _LAYERS.format(
            what=f"Recurrent layers with {function}",
            states="the states,",
            more="",
            results="The outputs (length, batch, units), and the last states.",
            example=_layers_example(f"rnn_{function}", 4, "h"),
            **_rnn(function),
        )
        for function in ("tanh", "relu")
    },
    **{
        _CELL_FORM.format(f"rnn_{function}"): _CELL.format(
            what=f"A recurrent layer with {function}",
            states="the state,",
            results="The new state.",
            example=_cell_example(f"rnn_{function}", 2, "tensor([[0., 0.]])"),
            **_rnn(function),
        )
        for function in ("tanh", "relu")
    },
    "scaled_dot_product_attention(query, key, value, attn_mask=None, dropout_p=0.0, "
    "is_causal=False, *, scale=None, enable_gqa=False)": """\
Averages of values, weighted by how well their keys fit a query (Vaswani et al., arXiv:1706.03762).

Formula: ``softmax(query @ key.mT * scale + attn_mask) @ value``.

Args:
    query: a tensor (..., length, width); leading dimensions broadcast.
    key: a tensor (..., keys, width).
    value: a tensor (..., keys, values).
    attn_mask: summands of the scores (..., length, keys), or bools that say which keys a query
        sees, or None. Default: None.
    dropout_p: the probability with which weights become zero. Default: 0.
    is_causal: whether the i-th query sees keys up to the i-th alone. Default: False.
    scale: the factor of the scores. Default: ``1 / sqrt(width)``.
    enable_gqa: whether several heads (dimension -3) of the query share one of key and value.
        Default: False.

Returns:
    A tensor (..., length, values). A query that sees no key gets zeros.

Raises:
    RuntimeError: if the shapes or dtypes do not fit.

Example:
    >>> query, key = tapegrad.ones(1, 2), tapegrad.ones(3, 2)
    >>> tapegrad.scaled_dot_product_attention(query, key, tapegrad.tensor([[0.0], [3.0], [6.0]]))
    tensor([[3.]])
""",
    "embedding(weight, indices, padding_idx=-1, scale_grad_by_freq=False, sparse=False)": """\
Rows of a table by their indices.

Args:
    weight: the table, a matrix.
    indices: int32 or int64 tensor of any shape.
    padding_idx: a row that gets no gradient; -1 for none. Default: -1.
    scale_grad_by_freq: whether the gradient of a row is divided by how often the row was taken.
        Default: False.
    sparse: must be False.

Returns:
    A tensor (*indices.shape, columns of the table).

Raises:
    IndexError: if an index is out of range.
    NotImplementedError: if sparse gradients are asked for.

Example:
    >>> table = tapegrad.tensor([[0.0, 0.0], [1.0, 2.0]])
    >>> tapegrad.embedding(table, tapegrad.tensor([1, 0, 1]))
    tensor([[1., 2.],
            [0., 0.],
            [1., 2.]])
""",
    "embedding_renorm_(weight, indices, max_norm, norm_type)": """\
Scale rows of a table, where their norm is larger, to a norm, in place.

Args:
    weight: the table, a matrix of floats.
    indices: int32 or int64 tensor of any shape: the rows to look at.
    max_norm: the largest norm that stays.
    norm_type: the p of the norm.

Raises:
    IndexError: if an index is out of range.

Example:
    >>> table = tapegrad.tensor([[3.0, 4.0], [30.0, 40.0]])
    >>> tapegrad.embedding_renorm_(table, tapegrad.tensor([0]), 1.0, 2.0)
    tensor([[ 0.6000,  0.8000],
            [30.0000, 40.0000]])
""",
}
