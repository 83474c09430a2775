"""Recurrent layers and cells: against PyTorch, and against themselves step by step."""

from __future__ import annotations

import itertools
import math
import pickle
from collections import namedtuple
from typing import Any

import numpy as np
import pytest

import tapegrad as tg
from support import raises
from tapegrad import nn

torch = pytest.importorskip("torch")

KINDS = ("LSTM", "GRU", "RNN_TANH", "RNN_RELU")
FUNCTIONS = {
    "lstm": tg.lstm,
    "gru": tg.gru,
    "rnn_tanh": tg.rnn_tanh,
    "rnn_relu": tg.rnn_relu,
}
Packed = namedtuple("Packed", "data batch_sizes sorted_indices unsorted_indices")


def layer_of(lib: Any, kind: str, *sizes: int, **options: Any) -> Any:
    if kind.startswith("RNN"):
        return lib.nn.RNN(*sizes, nonlinearity=kind[4:].lower(), **options)
    return getattr(lib.nn, kind)(*sizes, **options)


def pair(kind: str, *sizes: int, dtype: str = "float64", **options: Any) -> tuple[Any, Any]:
    """The same layer of both libraries, with the same parameters."""
    torch.manual_seed(0)
    theirs = layer_of(torch, kind, *sizes, dtype=getattr(torch, dtype), **options)
    ours = layer_of(tg, kind, *sizes, dtype=getattr(tg, dtype), **options)
    result = ours.load_state_dict({k: to_ours(v) for k, v in theirs.state_dict().items()})
    assert not result.missing_keys and not result.unexpected_keys
    return ours, theirs


def to_ours(x: Any, requires_grad: bool = False) -> Any:
    made = tg.from_numpy(np.array(x.detach().numpy()))
    return made.requires_grad_() if requires_grad else made


def random(*shape: int, dtype: str = "float64", seed: int = 0) -> Any:
    values = np.random.default_rng(seed).standard_normal(shape)
    return torch.tensor(values, dtype=getattr(torch, dtype), requires_grad=True)


def flat(results: Any) -> list[Any]:
    if isinstance(results, (tg.Tensor, torch.Tensor)):
        return [results]
    return [x for part in results for x in flat(part)]


def close(ours: Any, theirs: Any, dtype: str = "float64", what: str = "") -> None:
    tol = 1e-10 if dtype == "float64" else 3e-5
    np.testing.assert_allclose(
        ours.detach().numpy(), theirs.detach().numpy(), rtol=tol, atol=tol, err_msg=what
    )


def compare(ours: Any, theirs: Any, inputs: list[Any], call: Any, dtype: str = "float64") -> None:
    """Results and gradients of inputs and parameters, with a different gradient for each result."""
    own_inputs = [to_ours(x, True) for x in inputs]
    got, expected = flat(call(ours, own_inputs)), flat(call(theirs, inputs))
    assert len(got) == len(expected)
    for i, (a, b) in enumerate(zip(got, expected, strict=True)):
        assert tuple(a.shape) == tuple(b.shape)
        close(a, b, dtype, f"result {i}")
    grads = [random(*b.shape, dtype=dtype, seed=9 + i).detach() for i, b in enumerate(expected)]
    own_parameters = dict(ours.named_parameters())
    parameters = dict(theirs.named_parameters())
    a_grads = tg.autograd.grad(
        got, own_inputs + list(own_parameters.values()), [to_ours(g) for g in grads]
    )
    b_grads = torch.autograd.grad(expected, inputs + list(parameters.values()), grads)
    names = [f"input {i}" for i in range(len(inputs))] + list(parameters)
    for name, a, b in zip(names, a_grads, b_grads, strict=True):
        close(a, b, dtype, name)


def states(
    kind: str,
    layers: int,
    batch: tuple[int, ...],
    units: int,
    proj: int = 0,
    dtype: str = "float64",
) -> list[Any]:
    h = random(layers, *batch, proj or units, dtype=dtype, seed=1)
    if kind != "LSTM":
        return [h]
    return [h, random(layers, *batch, units, dtype=dtype, seed=2)]


def call(layer: Any, inputs: list[Any]) -> Any:
    x, *hx = inputs
    return layer(x, tuple(hx) if len(hx) > 1 else hx[0])


OPTIONS: list[dict[str, Any]] = [
    {},
    {"bias": False},
    {"num_layers": 2},
    {"batch_first": True},
    {"bidirectional": True},
    {"num_layers": 2, "bidirectional": True, "batch_first": True, "bias": False},
    {"num_layers": 3, "dropout": 0.0},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_like_torch(kind: str, options: dict[str, Any]) -> None:
    ours, theirs = pair(kind, 3, 5, **options)
    assert repr(ours) == repr(theirs)
    layers = options.get("num_layers", 1) * (2 if options.get("bidirectional") else 1)
    inputs = [random(6, 4, 3), *states(kind, layers, (4,), 5)]
    if options.get("batch_first"):
        inputs[0] = random(4, 6, 3)
    compare(ours, theirs, inputs, call)
    compare(ours, theirs, inputs[:1], lambda layer, x: layer(x[0]))
    unbatched = [random(6, 3), *states(kind, layers, (), 5)]
    compare(ours, theirs, unbatched, call)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_larger(kind: str, dtype: str) -> None:
    """More rows than a block of a product has, and than one thread takes."""
    ours, theirs = pair(kind, 17, 33, dtype=dtype)
    inputs = [random(7, 70, 17, dtype=dtype), *states(kind, 1, (70,), 33, dtype=dtype)]
    with torch.backends.mkldnn.flags(enabled=False):
        compare(ours, theirs, inputs, call, dtype)


@pytest.mark.parametrize("options", OPTIONS[:6], ids=str)
def test_projections(options: dict[str, Any]) -> None:
    ours, theirs = pair("LSTM", 3, 5, proj_size=2, **options)
    assert repr(ours) == repr(theirs)
    layers = options.get("num_layers", 1) * (2 if options.get("bidirectional") else 1)
    x = random(4, 6, 3) if options.get("batch_first") else random(6, 4, 3)
    compare(ours, theirs, [x, *states("LSTM", layers, (4,), 5, 2)], call)
    ours, theirs = pair("LSTM", 3, 5, proj_size=1)
    compare(ours, theirs, [random(6, 4, 3), *states("LSTM", 1, (4,), 5, 1)], call)


@pytest.mark.parametrize("kind", KINDS)
def test_one_unit(kind: str) -> None:
    ours, theirs = pair(kind, 1, 1)
    compare(ours, theirs, [random(3, 9, 1), *states(kind, 1, (9,), 1)], call)


LENGTHS = ([5, 3, 3, 1], [2, 2], [1], [4, 1, 1])


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_packed(kind: str, lengths: list[int], bidirectional: bool) -> None:
    ours, theirs = pair(kind, 3, 4, num_layers=2, bidirectional=bidirectional)
    batch_sizes = torch.tensor([sum(n > t for n in lengths) for t in range(lengths[0])])
    order = torch.randperm(len(lengths))
    back = torch.argsort(order)
    hx = states(kind, 4 if bidirectional else 2, (len(lengths),), 4)

    def run(layer: Any, inputs: list[Any]) -> Any:
        x, *h = inputs
        if layer is theirs:
            packed = torch.nn.utils.rnn.PackedSequence(x, batch_sizes, order, back)
        else:
            packed = Packed(x, *(to_ours(i) for i in (batch_sizes, order, back)))
        output, state = layer(packed, tuple(h) if len(h) > 1 else h[0]) if h else layer(packed)
        assert type(output) is type(packed)
        return output.data, state

    inputs = [random(sum(lengths), 3), *hx]
    compare(ours, theirs, inputs, run)
    compare(ours, theirs, inputs[:1], run)


def test_packed_sequences_of_the_library() -> None:
    rnn = pytest.importorskip("tapegrad.nn.utils.rnn")
    ours, theirs = pair("GRU", 3, 4)
    x = [random(n, 3, seed=n).detach() for n in (2, 5, 3)]
    got, h = ours(rnn.pack_sequence([to_ours(v) for v in x], enforce_sorted=False))
    expected, h2 = theirs(torch.nn.utils.rnn.pack_sequence(x, enforce_sorted=False))
    close(got.data, expected.data)
    close(h, h2)


CELLS = {"RNNCell": 1, "LSTMCell": 2, "GRUCell": 1}


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("batch", [(), (4,)])
def test_cells(name: str, bias: bool, batch: tuple[int, ...]) -> None:
    for extra in ({}, {"nonlinearity": "relu"}) if name == "RNNCell" else ({},):
        theirs = getattr(torch.nn, name)(3, 5, bias=bias, dtype=torch.float64, **extra)
        ours = getattr(nn, name)(3, 5, bias=bias, dtype=tg.float64, **extra)
        ours.load_state_dict({k: to_ours(v) for k, v in theirs.state_dict().items()})
        assert repr(ours) == repr(theirs)
        inputs = [random(*batch, 3), *(random(*batch, 5, seed=i) for i in range(CELLS[name]))]
        compare(ours, theirs, inputs, call)
        compare(ours, theirs, inputs[:1], lambda layer, x: layer(x[0]))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivatives_of_higher_order(name: str) -> None:
    gates, features, units = {"lstm": 4, "gru": 3}.get(name, 1), 2, 3
    states_of = 2 if name == "lstm" else 1
    x = to_ours(random(3, 2, features), True)
    hx = [to_ours(random(2, 2, units, seed=i), True) for i in range(states_of)]
    weights = [
        to_ours(random(*shape, seed=i) * 0.5, True)
        for i, shape in enumerate(
            2
            * [
                (gates * units, features),
                (gates * units, units),
                (gates * units,),
                (gates * units,),
            ]
        )
    ]

    def run(x: Any, *rest: Any) -> Any:
        hx = tuple(rest[:states_of]) if states_of == 2 else rest[0]
        options = (True, 1, 0.0, True, True, False)
        return FUNCTIONS[name](x, hx, list(rest[states_of:]), *options)

    inputs = (x, *hx, *weights)
    assert tg.autograd.gradcheck(run, inputs)
    # relu has none almost everywhere: what it has comes from products of inputs and weights
    assert tg.autograd.gradgradcheck(run, inputs)


@pytest.mark.parametrize("name", ["lstm", "gru", "rnn_tanh"])
def test_derivatives_of_packed_and_projected(name: str) -> None:
    gates, units, seen = {"lstm": 4, "gru": 3}.get(name, 1), 3, 2 if name == "lstm" else 3
    data = to_ours(random(4, 2), True)
    sizes = tg.tensor([2, 1, 1])
    h = to_ours(random(2, 2, seen), True)
    c = [to_ours(random(2, 2, units, seed=3), True)] if name == "lstm" else []
    weights = []
    for i in range(2):
        shapes = [(gates * units, 2), (gates * units, seen)]
        shapes += [(seen, units)] if name == "lstm" else []
        weights += [to_ours(random(*s, seed=7 + i) * 0.5, True) for s in shapes]

    def run(data: Any, h: Any, *rest: Any) -> Any:
        hx = (h, rest[0]) if c else h
        return FUNCTIONS[name](data, sizes, hx, list(rest[len(c) :]), False, 1, 0.0, True, True)

    inputs = (data, h, *c, *weights)
    assert tg.autograd.gradcheck(run, inputs)
    assert tg.autograd.gradgradcheck(run, inputs)


def test_third_derivative() -> None:
    ours, theirs = pair("LSTM", 2, 3)
    x = random(3, 2, 2)

    def third(lib: Any, layer: Any, x: Any) -> Any:
        y = layer(x)[0].pow(2).sum()
        for _ in range(2):
            (y,) = lib.autograd.grad(y, x, create_graph=True)
            y = y.pow(2).sum()
        return lib.autograd.grad(y, x)[0]

    with torch.backends.mkldnn.flags(enabled=False):
        close(third(tg, ours, to_ours(x, True)), third(torch, theirs, x))


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_to_be_differentiated_are_the_same(kind: str) -> None:
    """The kernels' gradients against those of the expression."""
    ours, _ = pair(kind, 3, 5, num_layers=2, bidirectional=True)
    x = to_ours(random(4, 3, 3), True)
    inputs = [x, *ours.parameters()]
    plain = tg.autograd.grad(ours(x)[0].sin().sum(), inputs)
    graph = tg.autograd.grad(ours(x)[0].sin().sum(), inputs, create_graph=True)
    for a, b in zip(plain, graph, strict=True):
        assert b.requires_grad
        np.testing.assert_allclose(a.numpy(), b.detach().numpy(), rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("units", [5, 64])
@pytest.mark.parametrize("features", [1, 9])
@pytest.mark.parametrize("batch", [1, 3, 16, 70])
def test_same_bits_at_any_number_of_threads(
    kind: str, units: int, features: int, batch: int
) -> None:
    layer = layer_of(tg, kind, features, units)
    x = to_ours(random(30, batch, features, dtype="float32"), True)
    before = tg.get_num_threads()
    found = []
    try:
        for threads in (1, 2, 3):
            tg.set_num_threads(threads)
            results = flat(layer(x))
            grads = tg.autograd.grad([r.sum() for r in results], [x, *layer.parameters()])
            found.append([r.detach().numpy().tobytes() for r in (*results, *grads)])
    finally:
        tg.set_num_threads(before)
    assert found[0] == found[1] == found[2]


def test_dropout_between_layers() -> None:
    layer = nn.LSTM(3, 50, num_layers=2, dropout=0.5)
    x = tg.ones(4, 2, 3)
    tg.manual_seed(0)
    a = layer(x)[0]
    b = layer(x)[0]
    assert not tg.equal(a, b)
    tg.manual_seed(0)
    assert tg.equal(layer(x)[0], a)
    layer.eval()
    assert tg.equal(layer(x)[0], layer(x)[0])
    layer.train()
    layer.dropout = 1.0
    alone = nn.LSTM(50, 50)
    with tg.no_grad():
        for name, value in alone.named_parameters():
            value.copy_(getattr(layer, name.replace("l0", "l1")))
    np.testing.assert_allclose(
        layer(x)[0].detach().numpy(), alone(tg.zeros(4, 2, 50))[0].detach().numpy(), atol=1e-6
    )


def test_initial_values() -> None:
    for layer in (nn.LSTM(10, 100), nn.GRU(10, 100, 2), nn.RNNCell(10, 100)):
        for weight in layer.parameters():
            assert bool(weight.abs().max() <= 0.1)
            assert weight.std().item() == pytest.approx(0.1 / math.sqrt(3), rel=0.2)


def test_state_of_modules() -> None:
    layer = nn.LSTM(3, 4, 2, bidirectional=True, proj_size=2)
    assert [len(w) for w in layer.all_weights] == [5] * 4
    layer.flatten_parameters()
    again = pickle.loads(pickle.dumps(layer))
    x = tg.ones(2, 1, 3)
    assert tg.equal(layer(x)[0], again(x)[0])
    double = nn.GRU(3, 4).double()
    assert double(tg.ones(2, 1, 3, dtype=tg.float64))[0].dtype == tg.float64
    replaced = nn.RNN(3, 4)
    replaced.weight_ih_l0 = nn.Parameter(tg.zeros(4, 3))
    replaced.bias_ih_l0 = nn.Parameter(tg.zeros(4))
    out = replaced(tg.ones(1, 1, 3))[0]
    np.testing.assert_allclose(
        out.detach().numpy()[0, 0], np.tanh(replaced.bias_hh_l0.detach().numpy()), atol=1e-6
    )


def test_half_precision() -> None:
    for dtype in (tg.float16, tg.bfloat16):
        layer = nn.LSTM(3, 4, dtype=dtype)
        out, (h, _) = layer(tg.ones(2, 5, 3, dtype=dtype))
        assert out.dtype == dtype and tuple(h.shape) == (1, 5, 4)
        out.float().sum().backward()
        assert layer.weight_hh_l0.grad is not None


def test_nothing_is_written_and_nothing_leaks_into_states() -> None:
    layer = nn.GRU(3, 4)
    x, h = tg.ones(2, 5, 3), tg.ones(1, 5, 4)
    out, hn = layer(x, h)
    assert h.tolist() == tg.ones(1, 5, 4).tolist()
    with tg.no_grad():
        hn.zero_()  # the last state is memory of its own
    assert bool(out[-1].abs().sum() > 0)
    out, hn = layer(x, h)
    with tg.no_grad():
        layer.weight_hh_l0.mul_(2)
    with raises(RuntimeError, "one of the variables needed for gradient computation"):
        out.sum().backward()
    out, hn = layer(x, h)
    out.sum().backward()
    with raises(RuntimeError, "Trying to backward through the graph a second time"):
        out.sum().backward()


def test_saved_tensor_hooks() -> None:
    layer = nn.LSTM(3, 4)
    x = tg.ones(2, 5, 3, requires_grad=True)
    (expected,) = tg.autograd.grad(layer(x)[0].sum(), x)
    with tg.autograd.graph.saved_tensors_hooks(lambda t: t.clone(), lambda t: t):
        out = layer(x)[0]
    (got,) = tg.autograd.grad(out.sum(), x)
    assert tg.equal(got, expected)
    with tg.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: tg.zeros(1)):
        out = layer(x)[0]
    with raises(RuntimeError, "a saved tensor of size"):
        out.sum().backward()


WRONG_MODULES: list[tuple[Any, ...]] = [
    (lambda lib: lib.nn.LSTM(3, 4)(lib.ones(2, 3, 4)), RuntimeError),
    (lambda lib: lib.nn.LSTM(3, 4)(lib.ones(2)), ValueError),
    (lambda lib: lib.nn.GRU(3, 4)(lib.ones(2)), ValueError),
    (lambda lib: lib.nn.RNN(3, 4)(lib.ones(2)), ValueError),
    (lambda lib: lib.nn.RNN(3, 4)(lib.ones(2, 3, dtype=lib.float64)), ValueError),
    (lambda lib: lib.nn.GRU(3, 4)(lib.ones(2, 5, 3), lib.ones(1, 4, 4)), RuntimeError),
    (lambda lib: lib.nn.GRU(3, 4)(lib.ones(2, 5, 3), lib.ones(5, 4)), RuntimeError),
    (lambda lib: lib.nn.GRU(3, 4)(lib.ones(2, 3), lib.ones(1, 1, 4)), RuntimeError),
    (lambda lib: lib.nn.LSTM(3, 4)(lib.ones(2, 3), 2 * (lib.ones(1, 1, 4),)), RuntimeError),
    (lambda lib: lib.nn.LSTM(3, 4)(lib.ones(2, 5, 3), 2 * (lib.ones(5, 4),)), RuntimeError),
    (
        lambda lib: lib.nn.LSTM(3, 4)(lib.ones(2, 5, 3), (lib.ones(1, 5, 4), lib.ones(1, 5, 3))),
        RuntimeError,
    ),
    (lambda lib: lib.nn.LSTM(3, 4)(lib.ones(2, 5, 3), 2 * (lib.ones(2, 5, 4),)), RuntimeError),
    (lambda lib: lib.nn.LSTM(0, 4), ValueError),
    (lambda lib: lib.nn.LSTM(3, 0), ValueError),
    (lambda lib: lib.nn.LSTM(3, 4, 0), ValueError),
    (lambda lib: lib.nn.LSTM(3.0, 4), TypeError),
    (lambda lib: lib.nn.LSTM(3, 4.0), TypeError),
    (lambda lib: lib.nn.LSTM(3, 4, bias=1), TypeError),
    (lambda lib: lib.nn.LSTM(3, 4, batch_first=None), TypeError),
    (lambda lib: lib.nn.LSTM(3, 4, dropout=2), ValueError),
    (lambda lib: lib.nn.LSTM(3, 4, dropout=True), ValueError),
    (lambda lib: lib.nn.LSTM(3, 4, proj_size=4), ValueError),
    (lambda lib: lib.nn.LSTM(3, 4, proj_size=-1), ValueError),
    (lambda lib: lib.nn.GRU(3, 4, proj_size=2), ValueError),
    (lambda lib: lib.nn.RNN(3, 4, proj_size=2), ValueError),
    (lambda lib: lib.nn.RNN(3, 4, nonlinearity="gelu"), ValueError),
    (lambda lib: lib.nn.RNNCell(3, 4)(lib.ones(1, 2, 3)), ValueError),
    (lambda lib: lib.nn.GRUCell(3, 4)(lib.ones(2, 3), lib.ones(1, 1, 4)), ValueError),
    (lambda lib: lib.nn.LSTMCell(3, 4)(lib.ones(2, 3), 2 * (lib.ones(1, 1, 4),)), ValueError),
    (lambda lib: lib.nn.RNNCell(3, 4, nonlinearity="x")(lib.ones(2, 3)), RuntimeError),
]


@pytest.mark.parametrize("place", range(len(WRONG_MODULES)))
def test_errors_of_modules(place: int) -> None:
    make, kind = WRONG_MODULES[place]
    with pytest.raises(kind) as theirs:
        make(torch)
    text = str(theirs.value).split("\n")[0].replace("torch.", "tapegrad.")
    with raises(kind, text):
        make(tg)


def test_dropout_of_one_layer_warns() -> None:
    with pytest.warns(UserWarning, match="dropout option adds dropout after all but last"):
        nn.LSTM(3, 4, dropout=0.5)


X, H = tg.ones(5, 3, 4), tg.ones(1, 3, 6)
W = [tg.ones(24, 4), tg.ones(24, 6), tg.ones(24), tg.ones(24)]
V = [tg.ones(18, 4), tg.ones(18, 6), tg.ones(18), tg.ones(18)]
REST = (True, 1, 0.0, True, False)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: tg.lstm(X, (H,), W, *REST, False),
        lambda: tg.lstm(X, (H, H), W[:2], *REST, False),
        lambda: tg.lstm(X, (H, H), W[:3], *REST, False),
        lambda: tg.lstm(X, (H, H), [], *REST, False),
        lambda: tg.lstm(X, (H, H), W, True, 2, 0.0, True, False, False),
        lambda: tg.lstm(X, (H, H), W, True, 0, 0.0, True, False, False),
        lambda: tg.lstm(X, (H, H), W, True, -1, 0.0, True, False, False),
        lambda: tg.lstm(X, (H, H), W, True, 2**62, 0.0, True, False, False),
        lambda: tg.lstm(X, (H, H), W, True, 2**62, 0.0, True, True, False),
        lambda: tg.lstm(X, (H, H), W, True, 1, 1.5, True, False, False),
        lambda: tg.lstm(X, (H, H), W, True, 1, math.nan, True, False, False),
        lambda: tg.lstm(X, (H[:, :2], H[:, :2]), W, *REST, False),
        lambda: tg.lstm(X, (H[..., :5], H), W, *REST, False),
        lambda: tg.lstm(X, (H, H[..., :5]), W, *REST, False),
        lambda: tg.lstm(X, (H[..., :0], H[..., :0]), [w[:0] for w in W], *REST, False),
        lambda: tg.lstm(X.double(), (H, H), W, *REST, False),
        lambda: tg.lstm(X.long(), (H, H), W, *REST, False),
        lambda: tg.lstm(X[0], (H, H), W, *REST, False),
        lambda: tg.lstm(X, (H[0], H), W, *REST, False),
        lambda: tg.lstm(X[:0], (H, H), W, *REST, False),
        lambda: tg.gru(X, H, W, *REST, False),
        lambda: tg.gru(X[..., :3], H, V, *REST, False),
        lambda: tg.gru(X, H, [V[0], V[1][:, :5], *V[2:]], *REST, False),
        lambda: tg.gru(X, H, [V[0][0], *V[1:]], *REST, False),
        lambda: tg.gru(X, H, [*V[:3], V[3][:3]], *REST, False),
        lambda: tg.gru(X, tg.cat([H, H]), V, *REST, False),
        lambda: tg.gru(X, H[0], V, *REST, False),
        lambda: tg.gru_cell(X[0], H[0][:1], *V),
        lambda: tg.gru_cell(X[0], H[0][0], *V),
        lambda: tg.gru_cell(X, H, *V),
        lambda: tg.gru_cell(X[0][:, :3], H[0], *V),
        lambda: tg.gru_cell(X[0], H[0], V[0], V[1], V[2]),
        lambda: tg.gru_cell(X[0], H[0], *W),
        lambda: tg.lstm_cell(X[0], (H[0],), *W),
        lambda: tg.lstm_cell(X[0], (H[0], H[0][:, :3]), *W),
        lambda: tg.rnn_tanh_cell(X[0].double(), H[0], *V),
        lambda: tg.rnn_relu_cell(X[0], H[0], *V),
    ],
)
def test_errors_of_functions(wrong: Any) -> None:
    with pytest.raises((RuntimeError, ValueError)):
        wrong()


@pytest.mark.parametrize(
    "sizes",
    [
        [3, 3, 2, 2],
        [3, 3, 2],
        [1, 3, 5],
        [],
        [3, -1, 7],
        [3, 0, 6],
        [3.0, 3, 3],
        [[3, 3, 3]],
        [2**62, 9],
        [9],
    ],
    ids=str,
)
def test_errors_of_batch_sizes(sizes: list[Any]) -> None:
    with pytest.raises(RuntimeError):
        tg.gru(tg.ones(9, 4), tg.tensor(sizes), H, V, *REST)


def test_edges() -> None:
    out, h, c = tg.lstm(X[:, :0], (H[:, :0], H[:, :0]), W, *REST, False)
    assert tuple(out.shape) == (5, 0, 6) and tuple(c.shape) == (1, 0, 6)
    x = tg.zeros(2, 3, 0, requires_grad=True)
    out, h = tg.gru(x, H, [tg.ones(18, 0), *V[1:]], *REST, False)
    out.sum().backward()
    assert tuple(x.grad.shape) == (2, 3, 0)
    # Results that nobody uses, and only one that somebody does.
    layer = nn.LSTM(4, 6)
    for pick in itertools.product([0, 1], repeat=3):
        out, (h, c) = layer(X)
        used = [r.sum() for r, p in zip((out, h, c), pick, strict=True) if p]
        if used:
            sum(used).backward()
    assert layer.weight_hh_l0.grad is not None
    wide = tg.ones(5, 3, 8)[..., ::2]
    assert tg.equal(layer(wide)[0], layer(X)[0])
    nan = X.clone()
    nan[1, 0, 0] = math.nan
    out = layer(nan)[0]
    assert bool(out[1:, 0].isnan().all()) and not bool(out[:, 1:].isnan().any())


def test_only_weights_or_only_input() -> None:
    layer = nn.GRU(4, 6)
    x = X.clone().requires_grad_()
    for p in layer.parameters():
        p.requires_grad_(False)
    layer(x)[0].sum().backward()
    assert x.grad is not None
    layer.weight_hh_l0.requires_grad_(True)
    layer(X)[0].sum().backward()
    assert layer.weight_hh_l0.grad is not None and layer.bias_hh_l0.grad is None
