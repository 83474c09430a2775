"""Errors of the backward pass name the lines that are at fault."""

from __future__ import annotations

import contextlib

import pytest

import faults
import tapegrad
from tapegrad import nn

F = nn.functional


def leaf(*sizes: int) -> tapegrad.Tensor:
    return tapegrad.ones(*(sizes or (3,)), requires_grad=True)


# Each overwrites a value: [needs] is the operation whose derivative needs it, [writes] the other.


def result_added_to():
    y = leaf().exp()  # [needs]
    y.add_(1)  # [writes]
    return y.sum()


def operand_multiplied():
    a = leaf() * 1
    b = a * a  # [needs]
    a.mul_(2)  # [writes]
    return b.sum()


def augmented_assignment():
    y = leaf().sigmoid()  # [needs]
    y += 1  # [writes]
    return y.sum()


def item_assignment():
    y = leaf().tanh()  # [needs]
    y[0] = 0.0  # [writes]
    return y.sum()


def relu_in_place():
    h = leaf().sigmoid()  # [needs]
    F.relu(h, inplace=True)  # [writes]
    return h.sum()


def module_in_place():
    h = (leaf() * 2).exp()  # [needs]
    h = nn.ReLU(inplace=True)(h)  # [writes]
    return h.sum()


def write_through_a_view():
    y = leaf(2, 2).exp()  # [needs]
    y[0].zero_()  # [writes]
    return y.sum()


def write_to_the_base_of_a_view():
    base = leaf(2, 2) * 1
    row = base[0]
    y = row.square()  # [needs]
    base.fill_(3)  # [writes]
    return y.sum()


def optimizer_step_before_backward():
    w = leaf()
    optimizer = tapegrad.optim.SGD([w], lr=0.1)
    loss = (w * w).sum()  # [needs]
    loss.backward(retain_graph=True)
    optimizer.step()  # [writes]
    return loss


def parameter_changed_without_recording():
    w, x = leaf(), leaf()
    loss = (w * x).sum()  # [needs]
    with tapegrad.no_grad():
        w.copy_(tapegrad.zeros(3))  # [writes]
    return loss


def matrix_overwritten():
    a = leaf(2, 2) * 1
    y = a @ a  # [needs]
    a.clamp_(0, 1)  # [writes]
    return y.sum()


def written_by_out():
    y = leaf(4).sqrt()  # [needs]
    tapegrad.add(tapegrad.ones(4), 1, out=y.detach())  # [writes]
    return y.sum()


def hidden_state_of_a_recurrence():
    w, h = leaf(), tapegrad.zeros(3)
    total = tapegrad.zeros(())
    for _ in range(3):
        total = total + (w * h).sum()  # [needs]
        h += 1  # [writes]
    return total


def softmax_masked_in_place():
    p = F.softmax(leaf(4), 0)  # [needs]
    p.masked_fill_(p > 2, 0.0)  # [writes]
    return p.sum()


def written_by_an_index():
    a = leaf(4) * 1
    y = a.log()  # [needs]
    a.index_fill_(0, tapegrad.tensor([0]), 2.0)  # [writes]
    return y.sum()


OVERWRITTEN = [
    result_added_to,
    operand_multiplied,
    augmented_assignment,
    item_assignment,
    relu_in_place,
    module_in_place,
    write_through_a_view,
    write_to_the_base_of_a_view,
    optimizer_step_before_backward,
    parameter_changed_without_recording,
    matrix_overwritten,
    written_by_out,
    hidden_state_of_a_recurrence,
    softmax_masked_in_place,
    written_by_an_index,
]


@pytest.mark.parametrize("program", OVERWRITTEN, ids=lambda f: f.__name__)
def test_overwritten_value(program) -> None:
    loss = program()
    with pytest.raises(RuntimeError, match="modified by an inplace operation") as caught:
        loss.backward()
    sentence, needed, overwritten, advice = str(caught.value).split("\n")
    assert "is at version" in sentence
    assert needed.startswith("  needed by ")
    assert faults.names(needed, program, "needs")
    assert faults.source_of(program, "needs") in needed
    assert "its derivative is " in needed
    assert overwritten.startswith("  overwritten at ")
    assert faults.names(overwritten, program, "writes")
    assert faults.source_of(program, "writes") in overwritten
    assert "clone()" in advice


def test_what_is_read_in_a_replay_is_not_overwritten_there() -> None:
    read = tapegrad.compile(lambda x: x.detach().sin())

    def overwritten() -> None:
        y = leaf().exp()
        loss = y.sum()
        y.add_(1)  # [overwritten]
        for _ in range(3):
            read(y)
        loss.backward()

    with pytest.raises(RuntimeError) as caught:
        overwritten()
    assert read._facts()["replays"] >= 1
    assert faults.names(str(caught.value), overwritten, "overwritten")


def test_module_of_an_overwritten_value() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.Sequential(nn.Linear(3, 3), nn.Sigmoid())

        def forward(self, x):
            return self.layers(x)

    out = Net()(leaf())
    out.add_(1)
    with pytest.raises(RuntimeError, match=r"needed by Sigmoid at .*\(module layers\.1\)"):
        out.sum().backward()


# ------------------------------------------------------------------------- a second time


def caught_by(function, kind=RuntimeError) -> str:
    with pytest.raises(kind) as caught:
        function()
    return faults.notes(caught.value)


def test_backward_a_second_time() -> None:
    loss = leaf().exp().sum()  # [made]
    loss.backward()  # [first]
    text = caught_by(loss.backward)
    assert faults.names(text, test_backward_a_second_time, "made")
    assert "freed by the backward pass at " in text
    assert faults.names(text, test_backward_a_second_time, "first")


def test_shared_graph_of_two_losses() -> None:
    h = leaf().exp()  # [made]
    one, two = h.sum(), h.mean()
    one.backward()  # [first]
    text = caught_by(two.backward)
    assert faults.names(text, test_shared_graph_of_two_losses, "made")
    assert faults.names(text, test_shared_graph_of_two_losses, "first")


def test_state_kept_over_iterations() -> None:
    w, state = leaf(), tapegrad.zeros(3)

    def iterate() -> None:
        nonlocal state
        for _ in range(2):
            state = (state + w).tanh()  # [made]
            state.sum().backward()  # [first]

    text = caught_by(iterate)
    assert faults.names(text, test_state_kept_over_iterations, "made")
    assert faults.names(text, test_state_kept_over_iterations, "first")


def test_saved_value_after_grad() -> None:
    y = leaf().exp()  # [made]
    tapegrad.autograd.grad(y.sum(), y)
    tapegrad.autograd.grad(y.sum(), y.grad_fn.next_functions[0][0].variable)  # [first]
    text = caught_by(lambda: y.grad_fn._saved_result)
    assert faults.names(text, test_saved_value_after_grad, "made")
    assert faults.names(text, test_saved_value_after_grad, "first")


def test_function_a_second_time() -> None:
    class Square(tapegrad.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, grad):
            return 2 * grad * ctx.saved_tensors[0]

    y = Square.apply(leaf()).sum()  # [made]
    y.backward()  # [first]
    text = caught_by(y.backward)
    assert faults.names(text, test_function_a_second_time, "made")
    assert faults.names(text, test_function_a_second_time, "first")


# ---------------------------------------------------------------------- what backward gives


def bad(result):
    class Bad(tapegrad.autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            return x * y

        @staticmethod
        def backward(ctx, grad):
            return result(grad)

    return Bad


def test_wrong_number_of_gradients() -> None:
    y = bad(lambda g: g).apply(leaf(), leaf())  # [made]
    text = caught_by(y.sum().backward)
    assert text.startswith("in the backward pass of Bad")
    assert faults.names(text, test_wrong_number_of_gradients, "made")


def test_wrong_shape_of_a_gradient() -> None:
    y = bad(lambda g: (g[:2], g)).apply(leaf(), leaf())  # [made]
    text = caught_by(y.sum().backward)
    assert faults.names(text, test_wrong_shape_of_a_gradient, "made")


def test_error_in_a_backward_of_ones_own() -> None:
    def fail(grad):
        raise ValueError("mine")

    y = bad(fail).apply(leaf(), leaf())  # [made]
    text = caught_by(y.sum().backward, ValueError)
    assert faults.names(text, test_error_in_a_backward_of_ones_own, "made")


def test_error_in_a_hook() -> None:
    y = leaf().exp()  # [made]
    y.register_hook(lambda g: 1 / 0)
    text = caught_by(y.sum().backward, ZeroDivisionError)
    assert faults.names(text, test_error_in_a_hook, "made")


def test_operation_that_fails_in_a_backward() -> None:
    y = bad(lambda g: (g @ tapegrad.ones(7, 7), g)).apply(leaf(), leaf())  # [made]
    text = caught_by(y.sum().backward)
    assert faults.names(text, test_operation_that_fails_in_a_backward, "made")


# ----------------------------------------------------------------------- refused in place


def test_in_place_on_one_of_several_views() -> None:
    x = leaf(4) * 1
    a, _ = x.chunk(2)  # [view]
    text = caught_by(lambda: a.add_(1))
    assert text.startswith("the view was made by ")
    assert faults.names(text, test_in_place_on_one_of_several_views, "view")


def test_in_place_on_a_view_of_a_leaf() -> None:
    row = leaf(2, 2)[0]  # [view]
    text = caught_by(lambda: row.add_(1))
    assert faults.names(text, test_in_place_on_a_view_of_a_leaf, "view")


def test_in_place_on_unbound_rows() -> None:
    rows = (leaf(2, 2) * 1).unbind(0)  # [view]
    text = caught_by(lambda: rows[0].zero_())
    assert faults.names(text, test_in_place_on_unbound_rows, "view")


# ------------------------------------------------------------------------------- no graph


def test_backward_after_detach() -> None:
    h = leaf().exp()
    loss = h.detach().sum()  # [cut]
    text = caught_by(loss.backward)
    assert "detach() at" in text
    assert faults.names(text, test_backward_after_detach, "cut")


def test_backward_of_what_was_computed_without_recording() -> None:
    w = leaf()
    with tapegrad.no_grad():  # [block]
        loss = (w * 2).sum()  # [cut]
    text = caught_by(loss.backward)
    assert faults.names(text, test_backward_of_what_was_computed_without_recording, "cut")
    assert faults.names(text, test_backward_of_what_was_computed_without_recording, "block")


def test_backward_of_a_new_tensor() -> None:
    loss = leaf().sum()
    again = tapegrad.tensor(loss.item())  # [cut]
    text = caught_by(again.backward)
    assert "item() at" in text
    assert faults.names(text, test_backward_of_a_new_tensor, "cut")


# -------------------------------------------------------------------------------- modules


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(3, 4), nn.Linear(64, 32)])

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


def test_error_in_a_forward_names_the_module() -> None:
    with pytest.raises(RuntimeError) as caught:
        Net()(tapegrad.ones(2, 3))
    assert str(caught.value) == "mat1 and mat2 shapes cannot be multiplied (2x4 and 64x32)"
    assert caught.value.__notes__ == [
        "in layers.1 (Linear(in_features=64, out_features=32, bias=True))"
    ]


def test_error_of_ones_own_in_a_forward() -> None:
    class Inner(nn.Module):
        def forward(self, x):
            raise KeyError("mine")

        def extra_repr(self):
            return "why"

    model = nn.Sequential(nn.Identity(), nn.Sequential(Inner()))
    for _ in range(2):
        with pytest.raises(KeyError) as caught:
            model(tapegrad.ones(1))
        assert caught.value.__notes__ == ["in 1.0 (Inner(why))"]


def test_error_in_a_hook_of_a_module() -> None:
    model = nn.Sequential(nn.Linear(1, 1))
    model[0].register_forward_hook(lambda *_: 1 / 0)
    assert caught_by(lambda: model(tapegrad.ones(1)), ZeroDivisionError).startswith("in 0 (Linear")


def test_representation_that_fails() -> None:
    class Bad(nn.Module):
        def forward(self, x):
            raise KeyError("mine")

        def extra_repr(self):
            raise ValueError

    assert caught_by(lambda: Bad()(1), KeyError) == "in Bad"


def test_control_flow_by_exceptions() -> None:
    class Last(nn.Module):
        def forward(self, items):
            return next(items)

    items = iter([1])
    last = Last()
    assert last(items) == 1
    with pytest.raises(StopIteration):
        last(items)
    with pytest.raises(KeyboardInterrupt) as caught:
        nn.Module.__call__(type("Stop", (nn.Module,), {"forward": lambda self: interrupt()})())
    assert faults.notes(caught.value) == ""


def interrupt() -> None:
    raise KeyboardInterrupt


def test_error_that_a_module_catches() -> None:
    class Inner(nn.Module):
        def forward(self, x):
            raise KeyError("mine")

    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = Inner(), Inner()

        def forward(self, x):
            with contextlib.suppress(KeyError):
                self.one(x)
            return self.two(x)

    for _ in range(20):  # errors may lie where others lay
        assert caught_by(lambda: Outer()(1), KeyError) == "in two (Inner())"
