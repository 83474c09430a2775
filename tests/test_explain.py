"""`explain`: why there is no gradient, or why it is zero; each fault is at a marked line."""

from __future__ import annotations

import pytest

import faults
import tapegrad
from tapegrad import explain, nn

F = nn.functional


def leaf(*values: float) -> tapegrad.Tensor:
    return tapegrad.tensor(list(values or (1.0, 2.0, 3.0)), requires_grad=True)


def other_path(x: tapegrad.Tensor) -> tapegrad.Tensor:
    """A loss for `backward` to start from, that x has nothing to do with."""
    return (x.sum() if not x.requires_grad else x.detach().sum()) + leaf().sum()


# Each cuts the path from the loss to x at the line [cut] and gives both.


def detached():
    x, w = leaf(), leaf()
    h = x.exp()
    h = h.detach()  # [cut]
    return x, (h * w).sum()


def detached_in_place():
    x, w = leaf(), leaf()
    h = x.exp()
    h.detach_()  # [cut]
    return x, (h * w).sum()


def data():
    x, w = leaf(), leaf()
    h = x.exp().data * 2  # [cut]
    return x, (h * w).sum()


def without_recording():
    x, w = leaf(), leaf()
    with tapegrad.no_grad():  # [block]
        h = x.exp()  # [cut]
    return x, (h * w).sum()


@tapegrad.no_grad()
def features(x):
    return x.exp()  # [cut]


def decorated():
    x, w = leaf(), leaf()
    return x, (features(x) * w).sum()


def switched_off():
    x, w = leaf(), leaf()
    tapegrad.set_grad_enabled(False)
    h = x.exp()  # [cut]
    tapegrad.set_grad_enabled(True)
    return x, (h * w).sum()


def through_numpy():
    x, w = leaf(), leaf()
    array = x.exp().detach().numpy()  # [cut]
    return x, (tapegrad.from_numpy(array) * w).sum()


def numpy_by_force():
    x, w = leaf(), leaf()
    array = x.exp().numpy(force=True)  # [cut]
    return x, (tapegrad.from_numpy(array) * w).sum()


def item():
    x, w = leaf(), leaf()
    scale = x.sum().item()  # [cut]
    return x, (scale * w).sum()


def number():
    x, w = leaf(), leaf()
    scale = float(x.max())  # [cut]
    return x, (scale * w).sum()


def listed():
    x, w = leaf(), leaf()
    values = x.exp().tolist()  # [cut]
    return x, (tapegrad.tensor(values) * w).sum()


def integers():
    x, w = leaf(), leaf()
    h = x.exp().long()  # [cut]
    return x, (h * w).sum()


def integers_by_to():
    x, w = leaf(), leaf()
    h = x.exp().to(tapegrad.int32)  # [cut]
    return x, (h * w).sum()


def largest():
    x, w = leaf(), leaf()
    best = x.exp().argmax()  # [cut]
    return x, w[best] * 2


def ordered():
    x, w = leaf(), leaf()
    order = x.exp().argsort()  # [cut]
    return x, (w[order] * tapegrad.arange(3)).sum()


def comparison():
    x, w = leaf(), leaf()
    mask = x.exp() > 5  # [cut]
    return x, (mask * w).sum()


def comparison_by_a_function():
    x, w = leaf(), leaf()
    mask = tapegrad.ge(x, 2)  # [cut]
    return x, (mask * w).sum()


def new_tensor():
    x, w = leaf(), leaf()
    h = tapegrad.tensor([x[0], x[1], x[2]])  # [cut]
    return x, (h * w).sum()


def copied_by_tensor():
    x, w = leaf(), leaf()
    h = tapegrad.tensor(x.exp())  # [cut]
    return x, (h * w).sum()


class Detaching(nn.Module):
    def forward(self, x):
        return x.exp().detach()  # [cut]


def in_a_module():
    x, w = leaf(), leaf()
    return x, (nn.Sequential(nn.Identity(), Detaching())(x) * w).sum()


CUTS = [
    detached,
    detached_in_place,
    data,
    without_recording,
    switched_off,
    through_numpy,
    numpy_by_force,
    item,
    number,
    listed,
    integers,
    integers_by_to,
    largest,
    ordered,
    comparison,
    comparison_by_a_function,
    new_tensor,
    copied_by_tensor,
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("program", CUTS, ids=lambda f: f.__name__)
def test_cut(program) -> None:
    x, loss = program()
    loss.backward()
    answer = explain(x)
    assert answer.reason == "cut"
    assert faults.names(str(answer), program, "cut"), answer
    if program is without_recording:
        assert faults.names(str(answer), program, "block"), answer


def test_cut_in_another_function() -> None:
    x, loss = decorated()
    loss.backward()
    assert faults.names(str(explain(x)), features.__wrapped__, "cut"), explain(x)


def test_cut_in_a_module() -> None:
    x, loss = in_a_module()
    loss.backward()
    assert faults.names(str(explain(x)), Detaching.forward, "cut"), explain(x)


def test_likely_cuts_come_first() -> None:
    x, w = leaf(), leaf()
    h = x.exp()
    loss = (h.detach() * w).sum()  # [cut]
    loss.backward()
    for _ in range(5):
        h.sum().item()
    text = str(explain(x)).split("\n")
    assert faults.names(text[1], test_likely_cuts_come_first, "cut")


def test_printing_is_no_cut() -> None:
    x, w = leaf(), leaf()
    h = x.exp()
    repr(h)
    str(x)
    w.sum().backward()
    assert explain(x).reason == "elsewhere"


def test_optimizer_is_no_cut() -> None:
    x, w = leaf(), leaf()
    x.exp().sum().backward()
    tapegrad.optim.Adam([x]).step()
    nn.utils.clip_grad_norm_([x], 1.0)
    x.grad = None
    w.sum().backward()
    assert explain(x).reason != "cut"


# ---------------------------------------------------------------------------- no gradient


def test_no_grad_asked_for() -> None:
    assert explain(tapegrad.ones(3)).reason == "constant"
    assert "requires_grad" in str(explain(tapegrad.ones(3)))
    assert explain(tapegrad.arange(3)).reason == "dtype"


def test_result_and_not_leaf() -> None:
    x = leaf().double() * 1  # [made]
    x.sum().backward()
    answer = explain(x)
    assert answer.reason == "result"
    assert faults.names(str(answer), test_result_and_not_leaf, "made")
    assert "retain_grad()" in str(answer)


def test_no_backward_yet() -> None:
    x, w = leaf(), leaf()
    x.exp().sum()
    assert explain(x).reason in ("no backward", "elsewhere")
    w.sum().backward()  # [pass]
    answer = explain(x)
    assert answer.reason == "elsewhere"
    assert faults.names(str(answer), test_no_backward_yet, "pass")


def test_cleared_by_an_optimizer() -> None:
    x = leaf()
    optimizer = tapegrad.optim.SGD([x], lr=0.1)
    x.exp().sum().backward()
    optimizer.step()
    optimizer.zero_grad()  # [clear]
    answer = explain(x)
    assert answer.reason == "cleared"
    assert faults.names(str(answer), test_cleared_by_an_optimizer, "clear")


def test_cleared_by_hand() -> None:
    x = leaf()
    x.exp().sum().backward()
    x.grad = None  # [clear]
    assert faults.names(str(explain(x)), test_cleared_by_hand, "clear")


def test_cleared_by_a_module() -> None:
    model = nn.Linear(3, 1)
    model(leaf()).sum().backward()
    model.zero_grad()  # [clear]
    assert faults.names(str(explain(model.weight)), test_cleared_by_a_module, "clear")


def test_gradients_that_were_returned() -> None:
    x = leaf()
    loss = x.exp().sum()
    tapegrad.autograd.grad(loss, x)  # [pass]
    answer = explain(x)
    assert answer.reason == "grad()"
    assert faults.names(str(answer), test_gradients_that_were_returned, "pass")


def test_gradients_of_other_inputs() -> None:
    x, w = leaf(), leaf()
    loss = (x * w).sum()
    loss.backward(inputs=[w])  # [pass]
    answer = explain(x)
    assert answer.reason == "not asked"
    assert faults.names(str(answer), test_gradients_of_other_inputs, "pass")


def test_required_too_late() -> None:
    x, w = tapegrad.ones(3), leaf()
    loss = (x * w).sum()
    x.requires_grad_()
    loss.backward()
    assert explain(x).reason == "unused"


def test_gradient_that_is_there() -> None:
    x = leaf()
    loss = x.exp().sum()
    loss.backward()  # [pass]
    answer = explain(x)
    assert answer.reason == "there"
    assert faults.names(str(answer), test_gradient_that_is_there, "pass")


def test_gradient_with_nan() -> None:
    x = leaf(0.0)
    (x.sqrt() * 0).sum().backward()
    assert explain(x).reason == "nan"


# ---------------------------------------------------------------------------------- zeros


def dead_relu():
    x = leaf()
    h = F.relu(-x)  # [zero]
    return x, h.sum(), "dead"


def clamped():
    x = leaf()
    h = (x * 10).clamp(0, 1)  # [zero]
    return x, h.sum(), "outside of the bounds"


def masked():
    x = leaf()
    h = x.exp().masked_fill(tapegrad.ones(3, dtype=tapegrad.bool), 0.0)  # [zero]
    return x, h.sum(), "mask"


def multiplied_by_zero():
    x = leaf()
    h = x.exp() * tapegrad.zeros(3)  # [zero]
    return x, h.sum(), "0"


def rounded():
    x = leaf()
    h = (x * 1.5).round()  # [zero]
    return x, h.sum(), "jumps"


def sign():
    x = leaf()
    h = x.exp().sign()  # [zero]
    return x, h.sum(), "jumps"


def chosen_by_where():
    x = leaf()
    h = tapegrad.where(x > 10, x * 2, tapegrad.zeros(3))  # [zero]
    return x, h.sum(), "condition"


def saturated():
    x = leaf(100.0, 200.0)
    h = x.sigmoid()  # [zero]
    return x, h.sum(), "saturated"


def covered_by_maximum():
    x = leaf()
    h = tapegrad.maximum(x, tapegrad.full((3,), 9.0))  # [zero]
    return x, h.sum(), "larger"


def other_elements():
    x = leaf(1.0, 2.0)
    h = tapegrad.stack([x, leaf(1.0, 2.0)])[1]  # [zero]
    return x, h.sum(), "other elements"


ZEROS = [
    dead_relu,
    clamped,
    masked,
    multiplied_by_zero,
    rounded,
    sign,
    chosen_by_where,
    saturated,
    covered_by_maximum,
    other_elements,
]


@pytest.mark.parametrize("program", ZEROS, ids=lambda f: f.__name__)
def test_zero_gradient(program) -> None:
    x, loss, why = program()
    loss.backward(retain_graph=True)
    before = x.grad.clone()
    answer = explain(x)
    assert answer.reason == "zero"
    assert faults.names(str(answer), program, "zero"), answer
    assert why in str(answer)
    assert tapegrad.equal(x.grad, before)
    assert str(explain(x)) == str(answer)


@pytest.mark.parametrize("program", ZEROS[:4], ids=lambda f: f.__name__)
def test_zero_gradient_of_a_freed_graph(program) -> None:
    x, loss, _ = program()
    loss.backward()
    text = str(explain(x))
    assert "has been freed" in text
    assert faults.names(text, program, "zero")


def test_gradients_that_cancel() -> None:
    x = leaf()
    loss = (x - x).sum()
    loss.backward(retain_graph=True)
    assert "add up to 0" in str(explain(x))


def test_zeroed_in_place() -> None:
    x = leaf()
    x.exp().sum().backward()
    leaf().sum().backward()
    x.grad.zero_()  # [zeroed]
    answer = explain(x)
    assert faults.names(str(answer), test_zeroed_in_place, "zeroed")


# ---------------------------------------------------------------------------------- models


def test_model() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last = nn.Linear(2, 1, bias=False)
            self.first = nn.Linear(3, 2, bias=False)
            self.unused = nn.Linear(1, 1, bias=False)
            self.frozen = nn.Linear(3, 2, bias=False).requires_grad_(False)

        def forward(self, x):
            h = self.first(x) + self.frozen(x)
            return self.last(h.detach()).sum()  # [cut]

    model = Net()
    loss = model(tapegrad.ones(1, 3))
    loss.backward()
    answer = explain(model)
    head, *rows = str(answer).split("\n")
    assert head.split() == ["parameter", "shape", "gradient"]
    assert [row.split()[0] for row in rows] == [
        "last.weight",
        "first.weight",
        "unused.weight",
        "frozen.weight",
    ]
    assert "norm" in rows[0]
    assert faults.names(rows[1], Net.forward, "cut")
    assert "no recorded operation has used it" in rows[2]
    assert "does not require grad" in rows[3]


def test_order_of_a_model() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    loss = model[0](model[1](tapegrad.ones(2))).sum()
    loss.backward()
    rows = str(explain(model)).split("\n")[1:]
    assert rows[0].startswith("1.")
    assert rows[-1].startswith("0.")


# ---------------------------------------------------------------------------------- ledger


def test_ledger_is_bounded() -> None:
    x = leaf()
    for i in range(700):
        exec(compile("x.detach()", f"<cell {i}>", "exec"), {"x": x})
    assert len(tapegrad._C._cuts()) <= 512


def test_ledger_keeps_no_tensor() -> None:
    before = tapegrad._C._live_counts()
    x = leaf()
    h = x.exp()
    h.detach()
    h.sum().item()
    with tapegrad.no_grad():
        h * 2
    del x, h
    assert tapegrad._C._live_counts() == before


def test_inference_notes_nothing_in_the_package() -> None:
    model = nn.Linear(3, 3)
    with tapegrad.no_grad():
        model(tapegrad.ones(3))
    optimizer = tapegrad.optim.SGD(model.parameters(), lr=0.1)
    model(tapegrad.ones(3)).sum().backward()
    before = len(tapegrad._C._cuts())
    optimizer.step()
    assert len(tapegrad._C._cuts()) == before


def test_block_that_takes_more_than_is_noted() -> None:
    x, w = leaf(), leaf()
    with tapegrad.no_grad():
        for _ in range(15):
            x * 1
        h = x * w  # both are noted, and no more than one fits
        for _ in range(300):
            h = x * w
    (h * leaf()).sum().backward()
    assert tapegrad._C._cuts()[-1][0] == "no_grad"
    assert explain(x).reason == "cut"


def test_a_new_line_is_known_however_much_others_have_read() -> None:
    w = leaf()
    deep = w
    for _ in range(300):
        deep = deep * 1.0
    for _ in range(1000):
        deep.sum().item()  # more than the ledger may look at for a line that it knows
    x, loss = detached()
    loss.backward()
    assert faults.names(str(explain(x)), detached, "cut")
