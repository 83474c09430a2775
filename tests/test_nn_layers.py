"""nn layers, losses, initialisation, containers and nn.utils."""

import importlib
import math
import pkgutil

import numpy as np
import pytest

import tapegrad as tg
from both import both
from tapegrad import nn
from tapegrad.nn import functional as F
from tapegrad.nn import init

X = np.array([[-2.5, -0.5, 0.0], [0.3, 1.0, 30.0]])


def tensor(array, **kwargs):
    return tg.tensor(np.asarray(array).tolist(), dtype=tg.float64, **kwargs)


def close(a, b, tol=1e-9):
    np.testing.assert_allclose(np.asarray(a.detach().numpy()), b, rtol=tol, atol=tol)


# ---------------------------------------------------------------------- layers


def test_every_layer_is_exported():
    for file in pkgutil.iter_modules(nn.modules.__path__):
        module = importlib.import_module(f"{nn.modules.__name__}.{file.name}")
        for name, kind in vars(module).items():
            if isinstance(kind, type) and kind.__module__ == module.__name__:
                if name in ("LazyModuleMixin", "NonDynamicallyQuantizableLinear"):
                    continue  # in their own files alone, as in PyTorch
                exported = not name.startswith("_")
                assert [name in m.__all__ for m in (module, nn.modules, nn)] == [exported] * 3, name


def test_linear():
    layer = nn.Linear(3, 2, dtype=tg.float64)
    assert tuple(layer.weight.shape) == (2, 3) and tuple(layer.bias.shape) == (2,)
    bound = 1 / math.sqrt(3)
    assert bool(layer.weight.abs().max() <= bound) and bool(layer.bias.abs().max() <= bound)
    expected = X @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()
    close(layer(tensor(X)), expected)
    assert nn.Linear(3, 2, bias=False).bias is None
    assert tuple(nn.Linear(0, 2)(tg.zeros(4, 0)).shape) == (4, 2)


def test_linear_default_initialisation_is_uniform():
    weight = nn.Linear(100, 200).weight.detach().numpy()
    assert abs(weight.mean()) < 0.002
    assert weight.std() == pytest.approx(0.1 / math.sqrt(3), rel=0.02)


def erf(x):
    return np.vectorize(math.erf)(x)


def softmax(x, axis):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


ACTIVATIONS = [
    (nn.ReLU(), np.maximum(X, 0)),
    (nn.LeakyReLU(0.1), np.where(X > 0, X, 0.1 * X)),
    (nn.ELU(1.5), np.where(X > 0, X, 1.5 * np.expm1(np.minimum(X, 0)))),
    (nn.GELU(), X * (1 + erf(X / math.sqrt(2))) / 2),
    (
        nn.GELU("tanh"),
        X / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (X + 0.044715 * X**3))),
    ),
    (nn.SiLU(), X / (1 + np.exp(-X))),
    (nn.Sigmoid(), 1 / (1 + np.exp(-X))),
    (nn.LogSigmoid(), -np.log1p(np.exp(-X))),
    (nn.Tanh(), np.tanh(X)),
    (nn.Softplus(), np.log1p(np.exp(X))),
    (nn.Softmax(dim=1), softmax(X, 1)),
    (nn.Softmin(dim=0), softmax(-X, 0)),
    (nn.LogSoftmax(dim=-1), np.log(softmax(X, 1))),
    (nn.Identity(3, x=4), X),
]


@pytest.mark.parametrize(("layer", "expected"), ACTIVATIONS, ids=lambda v: type(v).__name__)
def test_activations(layer, expected):
    close(layer(tensor(X)), expected)


@pytest.mark.parametrize(
    "layer",
    [nn.ReLU(inplace=True), nn.LeakyReLU(inplace=True), nn.ELU(inplace=True), nn.SiLU(True)],
    ids=lambda layer: type(layer).__name__,
)
def test_activations_in_place(layer):
    layer.inplace = False
    x = tensor(X, requires_grad=True)
    expected = layer(x)
    (grad,) = tg.autograd.grad(expected.sum(), x)
    layer.inplace = True
    inner = x * 1
    result = layer(inner)
    assert result is inner
    close(result, expected.detach().numpy())
    (again,) = tg.autograd.grad(result.sum(), x)
    close(again, grad.numpy())


def test_softmax_without_a_dimension_warns():
    with pytest.warns(UserWarning, match="Implicit dimension choice for softmax"):
        close(F.softmax(tensor(X)), softmax(X, 1))


def test_reprs_of_layers():
    texts = {
        nn.LeakyReLU(): "LeakyReLU(negative_slope=0.01)",
        nn.ELU(inplace=True): "ELU(alpha=1.0, inplace=True)",
        nn.GELU(): "GELU(approximate='none')",
        nn.Softplus(): "Softplus(beta=1.0, threshold=20.0)",
        nn.Softmax(dim=1): "Softmax(dim=1)",
        nn.LogSoftmax(): "LogSoftmax(dim=None)",
        nn.Dropout(0.1): "Dropout(p=0.1, inplace=False)",
        nn.Flatten(): "Flatten(start_dim=1, end_dim=-1)",
        nn.Unflatten(1, (2, 2)): "Unflatten(dim=1, unflattened_size=(2, 2))",
        nn.LayerNorm(4): "LayerNorm((4,), eps=1e-05, elementwise_affine=True, bias=True)",
        nn.Embedding(3, 2, padding_idx=0): "Embedding(3, 2, padding_idx=0)",
        nn.MSELoss(): "MSELoss()",
        nn.CrossEntropyLoss(): "CrossEntropyLoss()",
    }
    for layer, text in texts.items():
        assert repr(layer) == text


def test_dropout():
    layer = nn.Dropout(0.25)
    x = tg.ones(100, 100, requires_grad=True)
    y = layer(x)
    kept = y != 0
    assert 0.72 < kept.float().mean().item() < 0.78
    assert tg.allclose(y[kept], tg.tensor(1 / 0.75))
    y.sum().backward()
    assert tg.equal(x.grad, y.detach())
    assert tg.equal(layer.eval()(x), x)
    assert not bool(F.dropout(tg.ones(5), p=1.0).any())
    inside = tg.ones(1000)
    assert F.dropout(inside, inplace=True) is inside and bool((inside == 0).any())
    for make in (nn.Dropout, lambda p: F.dropout(tg.ones(1), p)):
        with pytest.raises(ValueError, match="dropout probability has to be between 0 and 1"):
            make(1.5)


def test_flatten_and_unflatten():
    x = tg.zeros(2, 3, 4)
    assert tuple(nn.Flatten()(x).shape) == (2, 12)
    assert tuple(nn.Flatten(0, 1)(x).shape) == (6, 4)
    assert tuple(nn.Flatten(0)(tg.tensor(1.0)).shape) == (1,)
    assert tuple(nn.Unflatten(-1, (2, -1))(x).shape) == (2, 3, 2, 2)
    with pytest.raises(RuntimeError, match="don't multiply up to the size of dim 2"):
        nn.Unflatten(2, (3, 2))(x)
    with pytest.raises(IndexError, match="Dimension out of range"):
        nn.Flatten(5)(x)
    with pytest.raises(TypeError, match="found element of type float at pos 1"):
        nn.Unflatten(0, (1, 2.0))


def test_layer_norm():
    layer = nn.LayerNorm((3,), dtype=tg.float64)
    init.constant_(layer.weight, 2.0)
    init.constant_(layer.bias, 1.0)
    centred = X - X.mean(1, keepdims=True)
    expected = centred / np.sqrt((centred**2).mean(1, keepdims=True) + 1e-5) * 2 + 1
    close(layer(tensor(X)), expected)
    assert nn.LayerNorm(3, bias=False).bias is None
    with pytest.raises(RuntimeError, match=r"Given normalized_shape=\[4\], expected input"):
        nn.LayerNorm(4)(tg.zeros(2, 3))


def test_layer_norm_keeps_what_its_gradients_need():
    x, w, b = (tensor(a, requires_grad=True) for a in (X, np.ones(3), np.zeros(3)))
    node = F.layer_norm(x, (3,), w, b).grad_fn
    assert node._saved_input is x and node._saved_weight is w
    assert node._saved_normalized_shape == (3,)
    close(node._saved_result1, X.mean(1, keepdims=True))
    close(node._saved_result2, (X.var(1, keepdims=True) + 1e-5) ** -0.5)
    assert node.formula == (
        "input: result2 * (grad * weight - mean(grad * weight, 1, True) - (input - result1) * "
        "result2 * mean(grad * weight * ((input - result1) * result2), 1, True)), "
        "weight: sum_to(grad * ((input - result1) * result2), 3), bias: sum_to(grad, 3)"
    )
    alone = F.layer_norm(x.detach(), (3,), None, b).grad_fn
    assert [name for name in dir(alone) if name.startswith("_saved")] == ["_saved_normalized_shape"]


def test_embedding():
    layer = nn.Embedding(4, 2, padding_idx=-1)
    assert layer.padding_idx == 3 and not bool(layer.weight[3].any())
    index = tg.tensor([[0, 3], [3, 0]])
    out = layer(index)
    assert tuple(out.shape) == (2, 2, 2)
    out.sum().backward()
    assert layer.weight.grad.tolist() == [[2.0, 2.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]
    frozen = nn.Embedding.from_pretrained(tg.ones(2, 3))
    assert not frozen.weight.requires_grad
    for bad in (4, -1):
        with pytest.raises(IndexError):
            nn.Embedding(4, 2)(tg.tensor([bad]))
    with pytest.raises(AssertionError, match="Padding_idx must be within num_embeddings"):
        nn.Embedding(4, 2, padding_idx=4)


def test_one_hot_and_normalize():
    assert F.one_hot(tg.tensor([1, 0]), 3).tolist() == [[0, 1, 0], [1, 0, 0]]
    with pytest.raises(RuntimeError, match="smaller than num_classes"):
        F.one_hot(tg.tensor([3]), 3)
    close(F.normalize(tensor([[3.0, 4.0], [0.0, 0.0]])), [[0.6, 0.8], [0.0, 0.0]])


# ---------------------------------------------------------------------- losses

P = np.array([[0.2, -1.0, 3.0], [1.5, 0.0, -0.5]])
T = np.array([[0.0, 1.0, 2.5], [1.0, 1.0, 0.0]])


def losses(name):
    prob = 1 / (1 + np.exp(-P))
    binary = np.array([[0.0, 1.0, 0.3], [1.0, 1.0, 0.0]])
    d = np.abs(P - T)
    return {
        "mse": (nn.MSELoss, P, T, (P - T) ** 2),
        "l1": (nn.L1Loss, P, T, d),
        "smooth": (nn.SmoothL1Loss, P, T, np.where(d < 1, d * d / 2, d - 0.5)),
        "bce": (
            nn.BCELoss, prob, binary,
            -(binary * np.log(prob) + (1 - binary) * np.log(1 - prob)),
        ),
        "logits": (
            nn.BCEWithLogitsLoss, P, binary,
            -(binary * np.log(prob) + (1 - binary) * np.log(1 - prob)),
        ),
    }[name]  # fmt: skip


@pytest.mark.parametrize("name", ["mse", "l1", "smooth", "bce", "logits"])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_elementwise_losses(name, reduction):
    kind, x, t, expected = losses(name)
    if reduction != "none":
        expected = getattr(expected, reduction)()
    close(kind(reduction=reduction)(tensor(x), tensor(t)), expected, 1e-7)


def test_losses_check_their_arguments():
    with pytest.raises(ValueError, match="x is not a valid value for reduction"):
        F.mse_loss(tg.zeros(1), tg.zeros(1), reduction="x")
    with pytest.raises(ValueError, match="x is not a valid value for reduction"):
        nn.CrossEntropyLoss(reduction="x")(tg.zeros(1, 2), tg.tensor([0]))
    with pytest.warns(UserWarning, match="Using a target size .* different to the input size"):
        assert tuple(F.mse_loss(tg.zeros(3), tg.zeros(1, 1), reduction="none").shape) == (1, 3)
    with pytest.raises(RuntimeError, match="must match the size"), pytest.warns(UserWarning):
        F.l1_loss(tg.zeros(3), tg.zeros(2))
    with pytest.raises(ValueError, match="must be the same as input size"):
        F.binary_cross_entropy_with_logits(tg.zeros(3), tg.zeros(3, 1))
    with pytest.raises(RuntimeError, match="between 0 and 1"):
        F.binary_cross_entropy(tg.tensor([1.5]), tg.ones(1))
    with pytest.warns(UserWarning, match="please use reduction='sum' instead"):
        assert nn.MSELoss(size_average=False)(tg.ones(3), tg.zeros(3)).item() == 3.0


@both
@pytest.mark.parametrize("shape", [(0,), (3, 0), (0, 3), (3, 0, 2), (0, 3, 2)])
def test_cross_entropy_of_nothing(lib, shape):
    x = lib.zeros(shape, requires_grad=True)
    loss = lib.nn.functional.cross_entropy(x, lib.zeros(shape))
    assert math.isnan(loss.item())
    loss.backward()
    assert tuple(x.grad.shape) == shape
    total = lib.nn.functional.cross_entropy(x, lib.zeros(shape), reduction="sum")
    assert total.item() == 0


def test_binary_cross_entropy_at_the_ends():
    x = tensor([0.0, 1.0, 0.0, 1.0], requires_grad=True)
    loss = F.binary_cross_entropy(x, tensor([0.0, 1.0, 1.0, 0.0]), reduction="none")
    assert loss.tolist() == [0.0, 0.0, 100.0, 100.0]
    loss.sum().backward()
    close(x.grad, [0.0, 0.0, -1e12, 1e12], 1e-6)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_cross_entropy_and_nll_agree(reduction):
    target = tg.tensor([2, 0])
    weight = tensor([1.0, 2.0, 0.5])
    log = np.log(softmax(P, 1))
    each = -log[[0, 1], [2, 0]] * [0.5, 1.0]
    expected = {"none": each, "sum": each.sum(), "mean": each.sum() / 1.5}[reduction]
    loss = nn.CrossEntropyLoss(weight=weight, reduction=reduction)
    close(loss(tensor(P), target), expected)
    close(nn.NLLLoss(weight=weight, reduction=reduction)(tensor(log), target), expected)


def test_nll_loss_with_more_dimensions_and_ignored_targets():
    log = np.log(softmax(np.arange(12.0).reshape(1, 3, 2, 2) % 5, 1))
    target = np.array([[[0, 2], [-100, 1]]])
    rows = [(0, 0, 0), (0, 1, 2), (1, 1, 1)]
    expected = -np.mean([log[0, c, i, j] for i, j, c in rows])
    x = tensor(log, requires_grad=True)
    loss = F.nll_loss(x, tg.tensor(target.tolist()))
    close(loss, expected)
    loss.backward()
    assert not x.grad[0, :, 1, 0].any()
    assert F.nll_loss(tensor([-0.5, -2.0]), tg.tensor(1)).item() == 2.0
    for bad in (5, -1):
        with pytest.raises(IndexError, match=f"Target {bad} is out of bounds"):
            F.nll_loss(tg.zeros(2, 3), tg.tensor([0, bad]))
    with pytest.raises(ValueError, match=r"Expected input batch_size \(2\) to match"):
        F.nll_loss(tg.zeros(2, 3), tg.tensor([0]))
    with pytest.raises(RuntimeError, match=r"Expected target size \[2, 4\], got \[2, 5\]"):
        F.nll_loss(tg.zeros(2, 3, 4), tg.zeros(2, 5, dtype=tg.int64))
    with pytest.raises(RuntimeError, match="expected target dtype to be Long or Byte, but got Int"):
        F.nll_loss(tg.zeros(2, 3), tg.zeros(2, dtype=tg.int32))
    with pytest.raises(RuntimeError, match="either for all 3 classes or no classes but got"):
        F.nll_loss(tg.zeros(2, 3), tg.tensor([0, 1]), weight=tg.ones(2))
    with pytest.raises(RuntimeError, match="expected scalar type Float but found Double"):
        F.nll_loss(tg.zeros(2, 3), tg.tensor([0, 1]), weight=tensor(np.ones(3)))
    # an ignored row counts as nothing, whatever is in it
    assert F.nll_loss(tensor([[-np.inf], [-1.0]]), tg.tensor([-100, 0])).item() == 1.0


def test_class_numbers_may_be_bytes():
    x, target = tensor(P), [2, 0]
    small = tg.tensor(target, dtype=tg.uint8)
    for loss in (F.nll_loss, F.cross_entropy):
        assert tg.equal(loss(x, small), loss(x, tg.tensor(target)))


def test_functions_of_the_core_are_one_node():
    x = tensor(P, requires_grad=True)
    assert F.logsigmoid(x).grad_fn.name() == "LogSigmoidBackward0"
    nodes = {
        "NllLossBackward0": F.nll_loss(x, tg.tensor([0, 1]), weight=tensor(np.ones(3))),
        "MseLossBackward0": F.mse_loss(x, tensor(T)),
        "SiluBackward0": F.silu(x),
        "SoftmaxBackward0": F.softmax(x, 1),
        "NativeLayerNormBackward0": F.layer_norm(x, x.shape[1:]),
    }
    for name, result in nodes.items():
        assert result.grad_fn.name() == name
        assert type(result.grad_fn.next_functions[0][0]).__name__ == "AccumulateGrad"


@both
@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("name", ["nll_loss", "cross_entropy"])
def test_mean_of_ignored_rows_has_no_gradient(lib, name, create_graph):
    x = lib.zeros(2, 3, requires_grad=True)
    y = getattr(lib.nn.functional, name)(x, lib.tensor([1, 1]), ignore_index=1)
    assert math.isnan(y.item())
    (grad,) = lib.autograd.grad(y, x, create_graph=create_graph)
    assert grad.tolist() == [[0.0] * 3] * 2


@pytest.mark.parametrize("name", ["bce", "nll", "smooth", "norm", "embedding"])
def test_composed_functions_agree_with_torch(name):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    x = rng.uniform(0.05, 0.95, (4, 5))
    classes = rng.integers(0, 5, 4)

    def run(lib):
        f = lib.nn.functional
        a = lib.tensor(x.tolist(), dtype=lib.float64, requires_grad=True)
        w = lib.tensor(x[0].tolist(), dtype=lib.float64, requires_grad=True)
        t = lib.tensor(classes.tolist())
        if name == "bce":
            y = f.binary_cross_entropy(a, a.detach() ** 2, weight=w.detach())
        elif name == "nll":
            y = f.nll_loss(a, t, weight=w.detach(), ignore_index=int(classes[0]))
        elif name == "smooth":
            y = f.smooth_l1_loss(a * 3, a.detach() ** 2, beta=0.7)
        elif name == "norm":
            y = (f.layer_norm(a, (5,), w, w * 2) ** 2 * a.detach()).sum()
        else:
            y = (f.embedding(t % 4, a, padding_idx=1) ** 2).sum()
        (first,) = lib.autograd.grad(y, a, create_graph=True)
        if not first.requires_grad:
            return y.detach().numpy(), first.detach().numpy(), None
        (second,) = lib.autograd.grad((first**2).sum(), a)
        return y.detach().numpy(), first.detach().numpy(), second.numpy()

    for ours, theirs in zip(run(tg), run(torch), strict=True):
        if ours is not None and theirs is not None:
            np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


# ---------------------------------------------------------------------- initialisation


def test_initialisers():
    w = tg.empty(200, 100)
    assert init.ones_(w) is w and bool((w == 1).all())
    assert not bool(init.zeros_(w).any())
    assert bool((init.constant_(w, 3.0) == 3).all())
    init.uniform_(w, -1, 3)
    assert w.min().item() >= -1 and w.max().item() < 3 and abs(w.mean().item() - 1) < 0.05
    init.normal_(w, 2.0, 0.5)
    assert abs(w.mean().item() - 2) < 0.02 and abs(w.std().item() - 0.5) < 0.02
    init.xavier_uniform_(w, gain=2.0)
    assert w.abs().max().item() == pytest.approx(2 * math.sqrt(6 / 300), rel=0.01)
    init.xavier_normal_(w)
    assert w.std().item() == pytest.approx(math.sqrt(2 / 300), rel=0.03)
    init.kaiming_uniform_(w, nonlinearity="relu")
    assert w.abs().max().item() == pytest.approx(math.sqrt(6 / 100), rel=0.01)
    init.kaiming_normal_(w, mode="fan_out", nonlinearity="relu")
    assert w.std().item() == pytest.approx(math.sqrt(2 / 200), rel=0.03)
    init.trunc_normal_(w, std=1.0, a=-0.5, b=1.0)
    assert w.min().item() >= -0.5 and w.max().item() <= 1.0
    assert tg.equal(init.eye_(tg.empty(2, 3)), tg.eye(2, 3))
    q = init.orthogonal_(tg.empty(4, 2, 3))
    flat = q.reshape(4, 6)
    assert tg.allclose(flat @ flat.T, tg.eye(4), atol=1e-5)


def test_initialisers_do_not_record_and_can_be_repeated():
    p = nn.Parameter(tg.empty(5, 5))
    tg.manual_seed(3)
    first = init.xavier_normal_(p).detach().clone()
    tg.manual_seed(3)
    assert tg.equal(init.xavier_normal_(p), first)
    assert p.is_leaf and p.requires_grad


def test_initialiser_mistakes():
    with pytest.raises(ValueError, match="fewer than 2 dimensions"):
        init.xavier_uniform_(tg.empty(3))
    with pytest.raises(ValueError, match="Mode x not supported"):
        init.kaiming_normal_(tg.empty(3, 3), mode="x")
    with pytest.raises(ValueError, match="Unsupported nonlinearity x"):
        init.calculate_gain("x")
    with pytest.raises(ValueError, match="not a valid number"):
        init.calculate_gain("leaky_relu", True)


# ---------------------------------------------------------------------- containers


def test_sequential_is_a_sequence():
    a, b, c = nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)
    net = nn.Sequential(a, b, c)
    assert len(net) == 3 and list(net) == [a, b, c] and net[-1] is c
    assert isinstance(net[:2], nn.Sequential) and list(net[:2]) == [a, b]
    x = tg.ones(4, 2)
    assert tg.equal(net(x), c(b(a(x))))
    assert net.append(nn.Tanh()) is net and isinstance(net[3], nn.Tanh)
    del net[1]
    assert [name for name, _ in net.named_children()] == ["0", "1", "2"] and net[1] is c
    net.insert(1, b)
    assert net[1] is b and net.pop(1) is b
    net[0] = nn.Identity()
    assert isinstance(net[0], nn.Identity)
    assert len(nn.Sequential(a) + nn.Sequential(b)) == 2
    assert len(nn.Sequential(b) * 3) == 3
    for bad in (3, -4):
        with pytest.raises(IndexError, match=f"index {bad} is out of range"):
            net[bad]
    with pytest.raises(TypeError, match="int is not a Module subclass"):
        nn.Sequential(3)


def test_module_list_and_dict():
    layers = nn.ModuleList([nn.Linear(1, 1)])
    layers += [nn.ReLU(), nn.ReLU()]
    layers.insert(0, nn.Tanh())
    assert [type(m).__name__ for m in layers] == ["Tanh", "Linear", "ReLU", "ReLU"]
    assert repr(layers) == (
        "ModuleList(\n"
        "  (0): Tanh()\n"
        "  (1): Linear(in_features=1, out_features=1, bias=True)\n"
        "  (2-3): 2 x ReLU()\n"
        ")"
    )
    assert len(layers[1:]) == 3 and list(layers.state_dict()) == ["1.weight", "1.bias"]
    with pytest.raises(TypeError, match="extend should be called with an iterable"):
        layers.extend(3)
    table = nn.ModuleDict({"a": nn.ReLU()})
    table["b"] = nn.Linear(1, 1)
    table.update([("c", nn.Tanh())])
    assert list(table) == ["a", "b", "c"] and "b" in table and len(table) == 3
    assert isinstance(table.pop("a"), nn.ReLU) and list(table.keys()) == ["b", "c"]
    with pytest.raises(ValueError, match="has length 1; 2 is required"):
        table.update([("c",)])


def test_parameter_list_and_dict():
    params = nn.ParameterList([tg.zeros(2), nn.Parameter(tg.ones(1, 3))])
    params.append(tg.ones(4))
    assert len(params) == 3 and len(list(params.parameters())) == 3
    assert params[-1].requires_grad and list(params.state_dict()) == ["0", "1", "2"]
    assert "(1): Parameter containing: [" in repr(params) and "of size 1x3]" in repr(params)
    table = nn.ParameterDict({"a": tg.zeros(1)})
    table["b"] = tg.ones(2)
    assert [name for name, _ in table.named_parameters()] == ["a", "b"] and "a" in table
    assert table.pop("a").tolist() == [0.0] and list(table.state_dict()) == ["b"]
    with pytest.raises(AttributeError):
        table["a"]
    with pytest.raises(RuntimeError, match="should not be called"):
        table()


# ---------------------------------------------------------------------- nn.utils


def with_grads(*grads):
    params = []
    for grad in grads:
        p = nn.Parameter(tg.zeros(len(grad)))
        p.grad = tg.tensor(grad)
        params.append(p)
    return params


def test_clip_grad_norm():
    params = with_grads([3.0, 0.0], [4.0])
    params.append(nn.Parameter(tg.zeros(1)))  # without gradient
    total = nn.utils.clip_grad_norm_(params, max_norm=1.0)
    assert total.item() == 5.0
    assert params[0].grad.tolist() == pytest.approx([0.6, 0.0], rel=1e-5)
    assert params[1].grad.tolist() == pytest.approx([0.8], rel=1e-5)
    before = params[0].grad.tolist()
    assert nn.utils.clip_grad_norm_(params, 10.0).item() == pytest.approx(1.0, rel=1e-5)
    assert params[0].grad.tolist() == before
    assert nn.utils.clip_grad_norm_(with_grads([3.0], [-4.0]), 1, math.inf).item() == 4.0
    assert nn.utils.clip_grad_norm_(with_grads([3.0], [-4.0]), 1, norm_type=1).item() == 7.0
    assert nn.utils.clip_grad_norm_([nn.Parameter(tg.zeros(1))], 1.0).item() == 0.0
    with pytest.raises(RuntimeError, match=r"The total norm of order 2\.0 for gradients"):
        nn.utils.clip_grad_norm_(with_grads([math.nan]), 1.0, error_if_nonfinite=True)


def test_clip_grad_value():
    (p,) = with_grads([3.0, -4.0, 0.5])
    nn.utils.clip_grad_value_(p, 1.0)
    assert p.grad.tolist() == [1.0, -1.0, 0.5]


def test_parameters_as_a_vector():
    net = nn.Linear(2, 3)
    vector = nn.utils.parameters_to_vector(net.parameters())
    assert tuple(vector.shape) == (9,) and vector.requires_grad
    nn.utils.vector_to_parameters(tg.arange(9).float(), net.parameters())
    assert net.weight.tolist() == [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]
    assert net.bias.tolist() == [6.0, 7.0, 8.0]


def test_functional_call_differentiates_through_a_step_of_descent():
    net = nn.Linear(1, 1, bias=False)
    x, y = tg.ones(1, 1), tg.zeros(1, 1)
    rate = tg.tensor(0.1, requires_grad=True)
    (grad,) = tg.autograd.grad(F.mse_loss(net(x), y), net.weight, create_graph=True)
    fast = {"weight": net.weight - rate * grad}
    F.mse_loss(nn.utils.functional_call(net, fast, (x,)), y).backward()
    w = net.weight.item()
    # loss = (w - 2 r w)**2, so its derivative by r is -4 w**2 (1 - 2 r)
    assert rate.grad.item() == pytest.approx(-4 * w * w * 0.8, rel=1e-4)
    assert isinstance(net.weight, nn.Parameter) and net.weight.is_leaf
    with pytest.raises(RuntimeError, match="Unexpected key"):
        nn.utils.functional_call(net, {"x": x}, (x,), strict=True)
    with pytest.raises(RuntimeError, match="Missing key"):
        nn.utils.functional_call(net, {}, (x,), strict=True)


def test_parameter_dict_as_a_dictionary():
    def run(lib):
        made = lib.nn.ParameterDict({"a": lib.ones(1), "b": lib.zeros(2)})
        seen = [list(reversed(made)), made.setdefault("a", lib.zeros(3)).tolist()]
        seen += [made.setdefault("c", lib.ones(2)).requires_grad, made.setdefault("d")]
        copy = made.copy()
        seen += [list(copy), copy["a"] is made["a"], made.popitem()[0], list(made), list(copy)]
        other = lib.nn.ParameterDict({"a": lib.full((1,), 5.0), "z": lib.ones(1)})
        seen += [[(k, v.tolist()) for k, v in (made | other).items()]]
        seen += [[(k, v.tolist()) for k, v in made.__ror__(other).items()]]
        same = made
        made |= other
        seen += [made is same, [(k, v.tolist()) for k, v in made.items()]]
        return [*seen, list(made.fromkeys(["x", "y"], 1.0).items())]

    run(tg)
    torch = pytest.importorskip("torch")
    assert run(tg) == run(torch)


def test_one_hot_of_too_few_classes():
    for classes in (2, 0, -2):
        with pytest.raises(RuntimeError, match="Class values must be smaller than num_classes"):
            F.one_hot(tg.tensor([2, 0]), classes)
