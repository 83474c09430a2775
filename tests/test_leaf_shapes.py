"""Leaves that get another shape while a graph holds them."""

from __future__ import annotations

import itertools

import pytest

import tapegrad as tg
from both import both

CHANGES = {
    "transpose_": lambda lib, x: x.transpose_(0, 1),
    "t_": lambda lib, x: x.t_(),
    "unsqueeze_": lambda lib, x: x.unsqueeze_(0),
    "squeeze_": lambda lib, x: x.squeeze_(),
    "as_strided_": lambda lib, x: x.as_strided_((3,), (1,)),
    "set_": lambda lib, x: x.set_(lib.zeros(4)),
    "set_ alike": lambda lib, x: x.set_(lib.zeros(2, 3)),
    "data of four": lambda lib, x: setattr(x, "data", lib.zeros(4)),
    "data of a row": lambda lib, x: setattr(x, "data", lib.zeros(3)),
    "data alike": lambda lib, x: setattr(x, "data", lib.zeros(2, 3)),
    "data transposed": lambda lib, x: setattr(x, "data", lib.zeros(3, 2).t()),
    "data expanded": lambda lib, x: setattr(x, "data", lib.zeros(1).expand(2, 3)),
    "data of one": lambda lib, x: setattr(x, "data", lib.tensor(1.0)),
    "data of none": lambda lib, x: setattr(x, "data", lib.zeros(0)),
    "doubles": lambda lib, x: setattr(x, "data", lib.zeros(2, 3, dtype=lib.float64)),
    "doubles of four": lambda lib, x: setattr(x, "data", lib.zeros(4, dtype=lib.float64)),
    "a view of the data": lambda lib, x: x.data.unsqueeze_(0).resize_(1),
    "resize_": lambda lib, x: x.resize_(4),
}
REFORMED = {"set_", *(name for name in CHANGES if name.startswith(("data of", "doubles")))}
GRAPHS = {
    "product": lambda x: (x * 2).sum(),
    "sum": lambda x: x.sum(),
    "exp": lambda x: x.exp().sum(),
    "square": lambda x: (x * x).sum(),
    "part": lambda x: (x.view(-1)[1:] * 3).sum(),
    "two paths": lambda x: (x * 2).sum() + (x * 3).sum(),
    "row": lambda x: (x[0] * 2).sum(),
}
MODES = ("backward", "grad", "hook", "with .grad", "retain", "post hook", "create_graph")


def values(grad):
    if grad is None:
        return None
    return tuple(grad.shape), [float(f"{v:.5g}") for v in grad.detach().reshape(-1).tolist()]


def outcome(lib, change, graph, mode):
    x = lib.arange(6.0).reshape(2, 3).requires_grad_()
    log = []
    try:
        if mode == "with .grad":
            x.grad = lib.ones(2, 3)
        if mode == "hook":
            x.register_hook(lambda g: log.append(values(g)))
        if mode == "post hook":
            x.register_post_accumulate_grad_hook(lambda p: log.append(values(p.grad)))
        y = GRAPHS[graph](x)
        with lib.no_grad():
            CHANGES[change](lib, x)
        if mode == "grad":
            log.append([values(g) for g in lib.autograd.grad(y, x, allow_unused=True)])
        else:
            y.backward(retain_graph=mode == "retain", create_graph=mode == "create_graph")
    except (RuntimeError, IndexError) as error:
        text = str(error).replace("torch", "tapegrad").split(". Shapes")[0].split(" Hint:")[0]
        log.append((type(error).__name__, text))
    return log, tuple(x.shape), values(x.grad)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.filterwarnings("ignore:Using backward\\(\\) with create_graph")
def test_gradients_arrive_as_in_pytorch(change):
    torch = pytest.importorskip("torch")
    for graph, mode in itertools.product(GRAPHS, MODES):
        got, want = (outcome(lib, change, graph, mode) for lib in (tg, torch))
        if graph == "square" and change in REFORMED:
            # What was saved has another form; PyTorch computes with it where the shapes allow that.
            assert got[0][-1][0] == "RuntimeError", (graph, mode)
            continue
        if mode == "grad" and want[0] == [[None]]:
            # PyTorch has forgotten where the gradient went.
            assert got[0][0][0] is not None, (graph, mode)
            continue
        assert got == want, (graph, mode)


def test_a_gradient_of_other_numbers_is_refused():
    """PyTorch repeats a gradient for a larger leaf, and may keep one of the wrong shape."""
    for change, text in (
        (lambda x: setattr(x, "data", tg.zeros(2, 2, 3)), r"was given the shape \[2, 2, 3\] mean"),
        (lambda x: x.as_strided_((1, 3), (3, 1)), r"output with shape \[1, 3\] doesn't match"),
    ):
        x = tg.arange(6.0).reshape(2, 3).requires_grad_()
        y = (x * 2).sum()
        with tg.no_grad():
            change(x)
        with pytest.raises(RuntimeError, match=text):
            y.backward()
        assert x.grad is None


def test_dimensions_of_size_one_make_no_difference():
    """PyTorch keeps a gradient of the wrong shape here."""
    x = tg.arange(6.0).reshape(2, 3).requires_grad_()
    y = (x * 2).sum()
    with tg.no_grad():
        x.unsqueeze_(-1).unsqueeze_(1)
    y.backward()
    assert x.grad.shape == x.shape == (2, 1, 3, 1)


def test_both_shapes_at_a_time():
    x = tg.arange(6.0).reshape(2, 3).requires_grad_()
    old = (x * 2).sum()
    with tg.no_grad():
        x.unsqueeze_(0)
    new = (x * 3).sum()
    new.backward()
    old.backward()
    assert x.grad.tolist() == [[[5.0] * 3] * 2]


@both
def test_shapes_change_from_step_to_step(lib):
    x = lib.arange(6.0).reshape(2, 3).requires_grad_()
    for shape in ((3, 2), (6,), (1, 6), (2, 3)):
        y = (x * 2).sum()
        y.backward()
        assert x.grad.shape == x.shape
        x.grad = None
        del y
        x.data = x.data.reshape(shape)


@both
def test_graphs_of_before_and_after(lib) -> None:
    """Data of the same form leaves one node of the leaf, which all graphs share."""
    x = lib.ones(2, requires_grad=True)
    losses = []
    for _ in range(3):
        losses.append((x * x).sum())
        x.data = x.data - 0.25
    one_by_one = [lib.autograd.grad(loss, x, retain_graph=True)[0] for loss in losses]
    (together,) = lib.autograd.grad(losses, x)
    assert together.tolist() == sum(one_by_one).tolist()
    (seen,) = lib.autograd.grad((x * x).sum(), x)
    assert seen.tolist() == (2 * x).tolist()
