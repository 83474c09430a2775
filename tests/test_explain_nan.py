"""`explain_nan`: the first operation that made a NaN; each fault is at a marked line."""

from __future__ import annotations

import pytest

import faults
import tapegrad
from tapegrad import explain_nan, nn

F = nn.functional
pytestmark = pytest.mark.filterwarnings("ignore")


def leaf(*values: float) -> tapegrad.Tensor:
    return tapegrad.tensor(list(values), requires_grad=True)


# Each gives a loss and what the answer says of it; the fault is at [nan].


def log_of_zero():
    x = leaf(1.0, 0.0)
    y = x.log()  # [nan]
    return y.sum(), "log(0) is -inf at [1]"


def log_of_a_negative_number():
    x = leaf(1.0, -2.0)
    y = (x * 3).log()  # [nan]
    return (y * 2).sum(), "log(-6) is nan at [1]"


def log_of_a_softmax():
    x = leaf(0.0, 500.0)
    y = F.softmax(x, 0).log()  # [nan]
    return -y[0], "log(0) is -inf at [0]"


def root_of_a_negative_number():
    x = leaf(4.0, -1.0)
    y = x.sqrt()  # [nan]
    return y.mean(), "sqrt(-1) is nan at [1]"


def overflow_of_exp():
    x = leaf(1.0, 100.0)
    y = x.exp()  # [nan]
    return y.sum(), "exp(100) is inf at [1]"


def softmax_by_hand():
    x = leaf(1.0, 1000.0)
    e = x.exp()  # [nan]
    return (e / e.sum()).sum(), "exp(1000) is inf at [1]"


def division_by_zero():
    x, y = leaf(1.0, 2.0), leaf(1.0, 0.0)
    z = x / y  # [nan]
    return z.sum(), "div(2, 0) is inf at [1]"


def zero_by_zero():
    x = leaf(0.0, 1.0)
    y = x / x  # [nan]
    return y.sum(), "div(0, 0) is nan at [0]"


def zero_times_infinity():
    x, w = leaf(1.0, 0.0), leaf(2.0, 200.0)
    y = x * w.exp()  # [nan]
    return y.sum(), "this made the NaN: mul(0, inf) is nan at [1]"


def infinity_minus_infinity():
    x = leaf(100.0, 1.0)
    a, b = x.exp(), (x * 2).exp()  # [nan]
    return (b - a).sum(), "is inf at [0]"


def deviation_of_one_element():
    x = leaf(3.0)
    y = x.std()  # [nan]
    return y * 2, "std([3]) is nan"


def variance_of_one_element():
    x = leaf(3.0) * 1
    y = x.var()  # [nan]
    return y * 2, "var([3]) is nan"


def power_of_a_negative_number():
    x = leaf(-1.0, 1.0)
    y = x**0.5  # [nan]
    return y.sum(), "pow(-1, 0.5) is nan at [0]"


def arc_cosine_outside():
    x = leaf(0.5, 1.5)
    y = x.acos()  # [nan]
    return y.sum(), "acos(1.5) is nan at [1]"


def reciprocal():
    x = leaf(2.0, 0.0)
    y = 1 / x  # [nan]
    return y.sum(), "reciprocal(0) is inf at [1]"


def matrix_element():
    x = tapegrad.ones(4, 3).tolist()
    x[3][1] = 0.0
    y = tapegrad.tensor(x, requires_grad=True).log()  # [nan]
    return y.sum(), "log(0) is -inf at [3, 1]"


def row_that_is_masked():
    scores = leaf(1.0, 2.0)
    hidden = scores.masked_fill(tapegrad.tensor([True, True]), float("-inf"))  # [nan]
    return F.softmax(hidden, 0).sum(), "this made the NaN: softmax"


FORWARD = [
    log_of_zero,
    log_of_a_negative_number,
    log_of_a_softmax,
    root_of_a_negative_number,
    overflow_of_exp,
    softmax_by_hand,
    division_by_zero,
    zero_by_zero,
    zero_times_infinity,
    infinity_minus_infinity,
    deviation_of_one_element,
    variance_of_one_element,
    power_of_a_negative_number,
    arc_cosine_outside,
    reciprocal,
    matrix_element,
    row_that_is_masked,
]


@pytest.mark.parametrize("program", FORWARD, ids=lambda f: f.__name__)
def test_forward(program) -> None:
    loss, what = program()
    answer = explain_nan(loss)
    assert answer.reason == "forward"
    assert faults.names(str(answer), program, "nan"), answer
    assert what in str(answer)


# The loss is finite, and the derivative is not.


def slope_of_a_root():
    x = leaf(4.0, 0.0)
    y = x.sqrt()  # [nan]
    return y.sum(), "grad = 1, result = 0"


def root_times_zero():
    x = leaf(0.0)
    y = x.sqrt()  # [nan]
    return (y * 0).sum(), "grad / (2 * result)"


def distance_of_equal_points():
    x, y = leaf(1.0, 2.0), leaf(1.0, 2.0)
    d = (x - y).square().sum().sqrt()  # [nan]
    return d, "is inf"


def slope_of_a_power():
    x = leaf(0.0, 1.0)
    y = x**0.5  # [nan]
    return y.sum(), "self = 0"


def tensor_power():
    x, p = leaf(0.0, 1.0), leaf(0.5, 0.5)
    y = x**p  # [nan]
    return y.sum(), "self = 0"


def slope_of_arc_cosine():
    x = leaf(1.0, 0.0)
    y = x.acos()  # [nan]
    return y.sum(), "self = 1"


def tiny_variance():
    x = leaf(1.0, 1.0) * 1
    d = (x.var(correction=0) + 0.0).sqrt()  # [nan]
    return ((x - x.mean()) / (d + 1)).sum(), "is nan"


def division_by_a_tiny_number():
    x, y = leaf(1.0), leaf(1e-30)
    z = x / y  # [nan]
    return z.sum(), "other = 1e-30"


BACKWARD = [
    slope_of_a_root,
    root_times_zero,
    distance_of_equal_points,
    slope_of_a_power,
    tensor_power,
    slope_of_arc_cosine,
    tiny_variance,
    division_by_a_tiny_number,
]


@pytest.mark.parametrize("program", BACKWARD, ids=lambda f: f.__name__)
def test_backward(program) -> None:
    loss, what = program()
    assert loss.isfinite().all()
    answer = explain_nan(loss)
    assert answer.reason == "backward"
    assert faults.names(str(answer), program, "nan"), answer
    assert what in str(answer), answer


# A choice hides the NaN, and its gradient meets it.


def root_in_where():
    x = leaf(4.0, 0.0)
    y = tapegrad.where(x > 0, x.sqrt(), tapegrad.zeros(2))  # [nan]
    return y.sum()


def logarithm_in_where():
    x = leaf(1.0, 0.0)
    z = x.log()  # [nan]
    y = tapegrad.where(x > 0, z, 0.0)
    return y.sum()


def quotient_in_masked_fill():
    x = leaf(1.0, 0.0)
    z = 1 / x  # [nan]
    y = z.masked_fill(x == 0, 0.0)
    return y.sum()


def power_in_where():
    x = leaf(4.0, 0.0)
    z = x**0.5  # [nan]
    return tapegrad.where(x > 0, z * 2, x).sum()


HIDDEN = [root_in_where, logarithm_in_where, quotient_in_masked_fill, power_in_where]


@pytest.mark.parametrize("program", HIDDEN, ids=lambda f: f.__name__)
def test_hidden_by_a_choice(program) -> None:
    loss = program()
    assert loss.isfinite().all()
    answer = explain_nan(loss)
    assert answer.reason == "hidden"
    assert faults.names(str(answer), program, "nan"), answer
    assert "Choose before the operation" in str(answer)


# ---------------------------------------------------------------------------------- others


def test_advice_for_where_is_right() -> None:
    x = leaf(4.0, 0.0)
    safe = tapegrad.where(x > 0, x, 1.0)
    loss = tapegrad.where(x > 0, safe.sqrt(), tapegrad.zeros(2)).sum()
    assert explain_nan(loss).reason == "finite"


def test_leaf_that_holds_it() -> None:
    x = leaf(1.0, float("nan"))
    loss = (x * 2).exp().sum()  # [use]
    answer = explain_nan(loss)
    assert answer.reason == "input"
    assert faults.names(str(answer), test_leaf_that_holds_it, "use")


def test_finite() -> None:
    x = leaf(1.0, 2.0)
    assert explain_nan((x * x).sum()).reason == "finite"
    assert explain_nan(tapegrad.ones(1)).reason == "no graph"


def test_slopes_that_are_zero_and_not_nan() -> None:
    y, x = leaf(0.0), leaf(0.0)
    assert explain_nan(tapegrad.atan2(y, x).sum()).reason == "finite"
    assert explain_nan(x.norm()).reason == "finite"
    assert explain_nan(leaf(0.0, 1.0).pow(0.0).sum()).reason == "finite"
    assert explain_nan(leaf(2.0, 2.0).std()).reason == "finite"


def test_nothing_changes() -> None:
    x = leaf(4.0, 0.0)
    loss = x.sqrt().sum()
    explain_nan(loss)
    assert x.grad is None
    assert not loss.grad_fn.next_functions[0][0].metadata
    loss.backward()
    assert x.grad.tolist() == [0.25, float("inf")]


def test_freed_graph() -> None:
    x = leaf(4.0, 0.0)
    loss = x.sqrt().sum()
    loss.backward()
    with pytest.raises(RuntimeError, match="a second time"):
        explain_nan(loss)


def test_chain_to_the_loss() -> None:
    x = leaf(0.0)
    a = x.log()
    b = a * 2  # [one]
    c = b.sum()  # [two]
    text = str(explain_nan(c))
    assert text.index(faults.line_of(test_chain_to_the_loss, "one")) < text.index(
        faults.line_of(test_chain_to_the_loss, "two")
    )


def test_module_of_the_fault() -> None:
    class Bad(nn.Module):
        def forward(self, x):
            return (x - x).log()  # [nan]

    loss = nn.Sequential(nn.Identity(), Bad())(leaf(1.0)).sum()
    text = str(explain_nan(loss))
    assert "(module 1)" in text
    assert faults.names(text, Bad.forward, "nan")
