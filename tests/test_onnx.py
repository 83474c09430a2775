"""Models as ONNX files, run by onnxruntime."""

from __future__ import annotations

import io
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tapegrad as tg
from module_table import IMAGE, LINE, TABLE, Case, argument, flat, made
from support import raises
from tapegrad import nn

onnx = pytest.importorskip("onnx", reason="needs `pip install onnx`")
runtime = pytest.importorskip("onnxruntime", reason="needs `pip install onnxruntime`")
F = nn.functional
attend = F.scaled_dot_product_attention
Error = tg.onnx.OnnxExporterError


def exported(model: Any, args: Any, **options: Any) -> Any:
    file = io.BytesIO()
    tg.onnx.export(model, args, file, **options)
    return onnx.load_from_string(file.getvalue())


def run(content: Any, inputs: list[Any]) -> list[np.ndarray]:
    session = runtime.InferenceSession(content.SerializeToString())
    names = [given.name for given in session.get_inputs()]
    return session.run(None, dict(zip(names, (x.numpy() for x in inputs), strict=True)))


def check(model: Any, *args: Any, others: int = 2, **options: Any) -> Any:
    """The file gives what the model gives: for the example, and for other inputs."""
    content = exported(model, deepcopy(args), **options)
    if isinstance(model, nn.Module):
        model.eval()
    rng = np.random.default_rng(0)
    for _ in range(1 + others):
        inputs = [x for x in flat(list(args)) if isinstance(x, tg.Tensor)]
        want = [x.detach().numpy() for x in flat(model(*deepcopy(args)))]
        got = run(content, inputs)
        assert len(got) == len(want)
        for a, b in zip(got, want, strict=True):
            assert (a.dtype, a.shape) == (b.dtype, b.shape)
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=2e-5)
        for x in inputs:  # other values, of integers the same ones in another order
            if x.is_floating_point():
                x.detach().copy_(tg.from_numpy(rng.standard_normal(x.shape)))
            else:
                x.copy_(tg.from_numpy(rng.permutation(x.flatten().numpy()).reshape(x.shape)))
    return content


# ---------------------------------------------------------------------- modules of nn

PLACES = "the places that a pool gives are used"
LOOKS = "the model looks at the values of a tensor"
# What has no counterpart, and says so: for each case the start of the message.
REFUSED = {
    **{f"MaxPool{n}d-1": PLACES for n in (1, 2, 3)},
    **{f"AdaptiveMaxPool{n}d-1": PLACES for n in (1, 2, 3)},
    **{f"AvgPool{n}d-1": f"the operator 'avg_pool{n}d' has ceil_mode=True" for n in (1, 2, 3)},
    **{f"MaxUnpool{n}d-0": f"the operator 'max_unpool{n}d' has no" for n in (1, 2, 3)},
    **{f"EmbeddingBag-{i}": LOOKS for i in range(3)},
    "CrossMapLRN2d-0": "the operator 'unfold' has no",
    "Embedding-1": "the operator 'embedding_renorm_' has no",
    "Fold-0": "the operator 'col2im' has no",
    "Unfold-0": "the operator 'im2col' has no",
    "Unfold-1": "the operator 'im2col' has no",
    "LSTM-2": "the operator 'lstm' has projections",
}
LOSSES = {name for name in TABLE if "Loss" in name}  # are for training
NO_INPUTS = {"SyncBatchNorm"}  # in evaluation mode it is a BatchNorm
CASES = [
    pytest.param(name, case, id=f"{name}-{number}")
    for name, cases in TABLE.items()
    if name not in LOSSES | NO_INPUTS
    for number, case in enumerate(cases)
]


@pytest.mark.parametrize(("name", "case"), CASES)
def test_module(name: str, case: Case, request: pytest.FixtureRequest) -> None:
    module = made(tg, name, case)
    args = [argument(tg, given, seed) for seed, given in enumerate(case[2])]
    refused = REFUSED.get(request.node.callspec.id)
    if refused:
        file = io.BytesIO()
        with raises(Error, refused):
            tg.onnx.export(module, tuple(args), file)
        assert file.getvalue() == b""
    else:
        check(module, *args)


WHOLE = {
    "mlp": (lambda: nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3)), [(5, 6)]),
    "convolutions": (
        lambda: nn.Sequential(
            *(nn.Conv2d(4, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(inplace=True)),
            *(nn.MaxPool2d(2), nn.Conv2d(8, 4, 3), nn.GELU(), nn.AdaptiveAvgPool2d(1)),
            *(nn.Flatten(), nn.Dropout(), nn.Linear(4, 3), nn.LogSoftmax(1)),
        ),
        [IMAGE],
    ),
    "encoder": (
        lambda: nn.TransformerEncoder(
            nn.TransformerEncoderLayer(6, 2, 8, batch_first=True), 2, nn.LayerNorm(6)
        ),
        [(3, 4, 6)],
    ),
    "decoder": (
        lambda: nn.TransformerDecoder(nn.TransformerDecoderLayer(6, 2, 8), 2),
        [(4, 3, 6), (5, 3, 6)],
    ),
    "ceil": (lambda: nn.MaxPool2d(3, 2, 1, ceil_mode=True), [IMAGE]),
    "one image": (lambda: nn.Sequential(nn.Conv2d(4, 2, 3), nn.AvgPool2d(2)), [(4, 8, 8)]),
    "one sequence": (lambda: nn.LSTM(6, 5, bidirectional=True), [(4, 6)]),
}


@pytest.mark.parametrize("name", WHOLE)
def test_networks(name: str) -> None:
    build, shapes = WHOLE[name]
    check(build(), *(tg.randn(shape) for shape in shapes))


@pytest.mark.parametrize("opset", [18, 20, 21])
def test_operator_sets(opset: int) -> None:
    model = nn.Sequential(nn.Linear(6, 8), nn.GELU(), nn.LayerNorm(8), nn.Linear(8, 3))
    content = check(model, tg.randn(2, 6), opset_version=opset)
    assert content.opset_import[0].version == opset


def test_operator_sets_that_are_not_there() -> None:
    newest = onnx.defs.onnx_opset_version()
    content = exported(nn.Linear(6, 3), tg.randn(2, 6), opset_version=newest)
    assert content.opset_import[0].version == newest
    for wrong in (17, newest + 1):
        with raises(ValueError, "opset_version must be between 18 and"):
            exported(nn.Linear(6, 3), tg.randn(2, 6), opset_version=wrong)


# ---------------------------------------------------------------------- programs

FUNCTIONS = {
    "arithmetic": lambda x, y: (2 - x * y + y / 3) ** 2 - x.abs().sqrt() * (-y),
    "numbers first": lambda x, y: 1 / (x.exp() + 1) + 2 * y - 3,
    "promotion": lambda x, y: x + (y > 0) + (x > y).long() * 2,
    "comparisons": lambda x, y: ((x > y) & (y >= 0)) | ~(x <= 1) | (x == y) ^ (x != y),
    "choices": lambda x, y: tg.where(x > 0, x, y).masked_fill(y > 1, -1.0).clamp(-2, 1.5),
    "extremes": lambda x, y: tg.maximum(x, y) + tg.min(x, y) + x.max() - y.amin(1, keepdim=True),
    "places": lambda x, y: (x.max(1).values, x.min(0).indices, x.argmax(), y.argmin(-1)),
    "sums": lambda x, y: x.sum() + x.mean(0) + y.sum(1, keepdim=True) + y.logsumexp(0),
    "spreads": lambda x, y: x.var(0) + y.std(1, keepdim=True) + x.var(1, correction=0).sum(),
    "norms": lambda x, y: x.norm() + y.norm(1, 1).sum() + F.normalize(x, dim=1),
    "indexing": lambda x, y: (x[0], x[:, 1:], x[..., -1], y[None, 1, ::2], x[-1, 2], x[:, [2, 0]]),
    "views": lambda x, y: (x.T, x.t().reshape(2, 6), y.view(-1), x.unsqueeze(1).expand(3, 2, 4)),
    "more views": lambda x, y: (x.mT, x.flatten(), x.permute(1, 0), x.transpose(0, 1), y.ravel()),
    "joined": lambda x, y: (tg.cat([x, y], 1), tg.stack([x, y], -1), x.repeat(2, 1), x.tile(3)),
    "split": lambda x, y: (*x.split(3, 1), *y.chunk(2, 1), *x.unbind(0), x.narrow(1, 1, 2)),
    "rows": lambda x, y: [row + other for row, other in zip(x, y)] + [x.data, y.real, x.H],
    "turned": lambda x, y: (x.flip(0), x.flip(0, 1), x.tril(), y.triu(1), x.cumsum(1)),
    "rounded": lambda x, y: x.floor() + y.ceil() + x.round() + x.sign(),
    "quotients": lambda x, y: x.div(y, rounding_mode="floor") + x.div(y, rounding_mode="trunc"),
    "products": lambda x, y: (x @ y.T, x.mm(y.T), F.linear(x, y), tg.addmm(y @ y.T, x, y.T)),
    "functions": lambda x, y: x.sin() + y.cos() * x.tanh() + (x * x).log1p() + y.sigmoid().rsqrt(),
    "converted": lambda x, y: (x.double() * 2, y.long(), x.to(tg.int32), (x > 0).float(), x.half()),
    "a constant": lambda x, y: (x + tg.arange(4.0), tg.ones(2), y),
    "the same twice": lambda x, y: (x, x, x * y, x),
    "attention": lambda x, y: attend(x[None], key=y[None], value=x[None], is_causal=True),
    "a mask": lambda x, y: attend(x, y, x, tg.tensor([[1, 0, 0], [0, 0, 0], [1, 1, 1]]).bool()),
    "a mask of numbers": lambda x, y: attend(x, y, x, x @ y.T, scale=0.3),
    "shared heads": lambda x, y: attend(
        x.expand(2, 6, 3, 4), y.expand(2, 2, 3, 4), x.expand(2, 2, 3, 4), enable_gqa=True
    ),
    "similarity": lambda x, y: F.cosine_similarity(x, y) + F.pairwise_distance(x, y),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function(name: str) -> None:
    tg.manual_seed(0)
    check(FUNCTIONS[name], tg.randn(3, 4), tg.randn(3, 4))


def test_integers_choose() -> None:
    table = tg.randn(10, 4)
    index = tg.tensor([[1, 5, 2], [9, 0, 3]])
    check(lambda i: (table[i], table[i[:, 0]], tg.gather(table, 0, i.repeat(1, 2)[:, :4])), index)
    check(lambda i, x: x[:, i].sum(2), tg.tensor([0, 2]), tg.randn(2, 3, 4))


def test_what_happens_in_place() -> None:
    def program(x: Any) -> Any:
        y = x * 2
        y += 1
        y.relu_().mul_(x)
        z = tg.zeros(3)
        z += y.sum(0)
        return y, z, y - 1

    check(program, tg.randn(2, 3))

    def behind(x: Any) -> Any:
        y = x * 1
        y[0].zero_()
        return y + 1

    with raises(Error, "a tensor of shape (2, 3) was changed in place by way of another"):
        exported(behind, tg.randn(2, 3))


OF_ANY_BATCH = [
    *("Linear-0", "Conv1d-0", "Conv2d-1", "ConvTranspose2d-1", "BatchNorm2d-1", "MaxPool2d-0"),
    *("AvgPool2d-0", "AdaptiveAvgPool2d-0", "InstanceNorm2d-0", "LayerNorm-0", "GroupNorm-0"),
    *("RMSNorm-0", "LocalResponseNorm-0", "Embedding-0", "Flatten-0", "Unflatten-0", "GLU-0"),
    *("PixelShuffle-0", "Upsample-1", "Softmax-0", "PReLU-1", "LSTM-1", "GRU-1", "RNN-1"),
    *("MultiheadAttention-1", "TransformerEncoderLayer-1", "ReflectionPad2d-0", "Bilinear-0"),
]


def of_any_size(model: Any, args: list[Any], axes: Any, sizes: tuple[int, ...] = (1, 7)) -> Any:
    """The file takes other sizes, too."""
    content = exported(model, tuple(args), dynamic_axes=axes)
    given = [x.name for x in content.graph.input]
    for size in sizes:
        others = []
        for name, x in zip(given, args, strict=True):
            for axis in axes.get(name, ()):
                x = x.index_select(axis, tg.arange(size).remainder(x.shape[axis]))
            others.append(x)
        want = [x.detach().numpy() for x in flat(model(*others))]
        for a, b in zip(run(content, others), want, strict=True):
            assert a.shape == b.shape
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=2e-5)
    return content


@pytest.mark.parametrize("name", OF_ANY_BATCH)
def test_modules_of_any_batch(name: str) -> None:
    name, _, number = name.partition("-")
    case = TABLE[name][int(number)]
    args = [argument(tg, given, seed) for seed, given in enumerate(case[2])]
    axes = {f"input_{i}": {0: "batch"} for i in range(len(args))}
    of_any_size(made(tg, name, case).eval(), args, axes)


def test_sizes_that_vary() -> None:
    network = WHOLE["convolutions"][0]().eval()
    content = of_any_size(network, [tg.randn(IMAGE)], {"input_0": {0: "batch"}})
    (first,) = content.graph.input
    assert first.type.tensor_type.shape.dim[0].dim_param == "batch"
    assert content.graph.output[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    encoder = WHOLE["encoder"][0]().eval()
    of_any_size(encoder, [tg.randn(3, 4, 6)], {"input_0": [0]})
    # Sentences of any length in batches of any size.
    content = exported(
        nn.Sequential(nn.Linear(6, 2), nn.Tanh()),
        tg.randn(3, 4, 6),
        dynamic_axes={"input_0": {0: "batch", 1: "length"}},
    )
    sizes = [d.dim_param or d.dim_value for d in content.graph.output[0].type.tensor_type.shape.dim]
    assert sizes == ["batch", "length", 2]
    for shape in ((1, 9, 6), (5, 1, 6)):
        x = tg.randn(shape)
        assert run(content, [x])[0].shape == (*shape[:2], 2)
    expanding = {"input_0": {0: "n"}}
    of_any_size(lambda x: x.unsqueeze(1).expand(-1, 3, 4) + x.sum(), [tg.randn(2, 4)], expanding)


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (lambda x: x * x.shape[0], "a node 'Mul' has a constant that depends on a size"),
        (lambda x: tg.zeros(1, 4).expand(x.shape) + x, "a node 'Add' has a constant"),
        (lambda x: x[:1].expand(x.shape) + 1, "a node 'Expand' has a constant that depends on"),
        (lambda x: tg.cat(list(x)), "what the model does depends on a size in dynamic_axes"),
        (lambda x: x.exp() if len(x) == 3 else x, "what the model does depends on a size"),
        (lambda x: x.reshape(len(x), 2, 2 * len(x) // len(x)).reshape(-1), ""),
    ],
)
def test_programs_for_one_size(program: Any, message: str) -> None:
    if message:
        with raises(Error, message):
            exported(program, tg.randn(3, 4), dynamic_axes={"input_0": {0: "n"}})
    else:
        of_any_size(program, [tg.randn(3, 4)], {"input_0": {0: "n"}})


def test_dynamic_axes_that_are_not_there() -> None:
    for axes, message in (
        ({"x": [0]}, "dynamic_axes names 'x', which is no input: ['input_0']"),
        ({"input_0": [2]}, "dynamic_axes names axis 2 of 'input_0', (3, 4)"),
    ):
        with raises(ValueError, message):
            exported(nn.Linear(4, 2), tg.randn(3, 4), dynamic_axes=axes)


def test_arguments_and_names() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(3, 2)
            self.register_buffer("shift", tg.ones(2))

        def forward(self, pair: Any, scale: float, *, more: Any) -> dict[str, Any]:
            a, b = pair["a"], pair["b"]
            return {"y": self.layer(a) * scale + self.shift, "z": (b + more["c"],)}

    model = Model()
    a, b, c = tg.randn(2, 3), tg.randn(4), tg.randn(4)
    content = exported(
        model,
        ({"a": a, "b": b}, 2.0),
        kwargs={"more": {"c": c}},
        input_names=["first"],
        output_names=["y"],
    )
    graph = content.graph
    assert [x.name for x in graph.input] == ["first", "input_1", "input_2"]
    assert [x.name for x in graph.output] == ["y", "output_1"]
    assert {x.name for x in graph.initializer} >= {"layer.weight", "layer.bias", "shift"}
    y, z = run(content, [a, b, c])
    want = model({"a": a, "b": b}, 2.0, more={"c": c})
    np.testing.assert_allclose(y, want["y"].detach().numpy(), 1e-5)
    np.testing.assert_allclose(z, (b + c).numpy())
    assert content.producer_name == "tapegrad"
    with raises(ValueError, "3 names for 1 inputs"):
        exported(nn.Linear(3, 2), a, input_names=["a", "b", "c"])


def test_files_and_modes(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.9), nn.BatchNorm1d(3))
    model[0].weight.requires_grad_(False)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    x = tg.randn(4, 3)
    tg.onnx.export(model, x, tmp_path / "model.onnx")
    tg.onnx.export(model, (x,), str(tmp_path / "again.onnx"))
    assert (tmp_path / "again.onnx").read_bytes() == (tmp_path / "model.onnx").read_bytes()
    session = runtime.InferenceSession(tmp_path / "model.onnx")
    (got,) = session.run(None, {"input_0": x.numpy()})
    assert model.training and model[1].training and not model[0].weight.requires_grad
    assert model[0].bias.requires_grad
    assert all(tg.equal(model.state_dict()[name], value) for name, value in before.items())
    np.testing.assert_allclose(got, model.eval()(x).detach().numpy(), 1e-5, 1e-6)
    assert tg.ones(3)[1].item() == 1  # indexing is what it was
    odd = nn.Module()
    odd.register_buffer("input_0", tg.ones(2))
    odd.forward = lambda x: x + odd.input_0
    check(odd, tg.randn(2))
    shared = nn.Linear(4, 4)
    twice = exported(nn.Sequential(shared, shared), tg.randn(1, 4)).graph
    assert len(twice.initializer) == 2


@pytest.mark.parametrize("dtype", ["float16", "float64", "bfloat16"])
def test_dtypes(dtype: str) -> None:
    kind = getattr(tg, dtype)
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).to(kind)
    content = exported(model, tg.randn(2, 3).to(kind))
    if dtype != "bfloat16":  # which NumPy has not
        x = tg.randn(2, 3).to(kind)
        (got,) = run(content, [x])
        np.testing.assert_allclose(
            got, model(x).detach().numpy(), 2e-2 if dtype == "float16" else 1e-6
        )


# ---------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    "program",
    [
        lambda x: x if x.sum() > 0 else -x,
        lambda x: x * x.max().item(),
        lambda x: x * float(x[0, 0]),
        lambda x: x[: int(x.sum())],
        lambda x: tg.from_numpy(x.detach().numpy()) + 1,
        lambda x: x if 0 in x else -x,
        lambda x: x if tg.equal(x, x * 2) else -x,
        lambda x: x * 2 if tg.allclose(x, x) else x,
        lambda x: tg.unique(x),
        lambda x: tg.tensor(x.tolist()),
    ],
)
def test_programs_that_look_at_values(program: Any) -> None:
    with raises(Error, LOOKS):
        exported(program, tg.ones(2, 3))


def test_what_is_not_recorded() -> None:
    class Double(tg.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x.detach() * 2

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            return grad * 2

    check(Double.apply, tg.randn(2, 3))  # whose operators are seen one by one
    outside = nn.Linear(3, 3)
    with raises(Error, "a tensor of shape (3, 3) comes from an input by something that is not"):
        exported(lambda x: outside(x), tg.randn(2, 3))
    counts = tg.zeros(3)

    def counting(x: Any) -> Any:
        y = x + counts
        counts.add_(1)
        return y

    with raises(Error, "a constant of shape (3,) was changed after it had been used"):
        exported(counting, tg.randn(2, 3))
    with raises(Error, "the operator 'erfinv' has no counterpart in ONNX here"):
        exported(lambda x: x.erfinv(), tg.rand(3))
    with raises(Error, "the model assigns to a part of a tensor"):
        exported(assigning, tg.arange(3))
    with raises(Error, "the operator 'exp' has arguments that cannot be written"):
        exported(lambda x: tg.exp(x.detach(), out=tg.empty(3)), tg.rand(3))
    with raises(Error, "the model returns something else than tensors"):
        exported(lambda x: (x, 3.0), tg.rand(3))
    with raises(Error, "the operator 'dropout' draws random numbers"):
        exported(lambda x: F.dropout(x, 0.5), tg.rand(3))
    with raises(Error, "the operator '__getitem__' has an index other than"):
        exported(lambda x: x[x > 0], tg.rand(3))
    assert issubclass(Error, RuntimeError)


def assigning(x: Any) -> Any:
    y = tg.zeros(3, dtype=tg.int64)
    y[0] = x[1]
    return y


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("tapegrad.onnx._graph")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with raises(ModuleNotFoundError, "tapegrad.onnx needs the package onnx: pip install"):
        tg.onnx.export(nn.Linear(2, 2), tg.ones(2), io.BytesIO())


def test_torch_reads_it_alike() -> None:
    """A network trained with PyTorch, read here and written as ONNX, computes the same."""
    torch = pytest.importorskip("torch", reason="needs PyTorch")
    theirs = torch.nn.Sequential(torch.nn.Conv1d(4, 3, 3), torch.nn.ReLU(), torch.nn.Flatten())
    ours = nn.Sequential(nn.Conv1d(4, 3, 3), nn.ReLU(), nn.Flatten())
    file = io.BytesIO()
    torch.save(theirs.state_dict(), file)
    file.seek(0)
    ours.load_state_dict(tg.load(file))
    x = argument(tg, LINE, 0)
    (got,) = run(exported(ours, x), [x])
    want = theirs(torch.from_numpy(x.numpy())).detach().numpy()
    np.testing.assert_allclose(got, want, 1e-5, 1e-6)
