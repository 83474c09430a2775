"""Profiles: times by operator, by line and by module, forward and backward apart."""

from __future__ import annotations

import inspect
import json
import math
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import tapegrad
from tapegrad import nn
from tapegrad.profiler import profile, record_function

HERE = __file__


def line_after(marker: str, function: Any) -> str:
    """``"file:line"`` of the line of a function that ends in a text."""
    lines, start = inspect.getsourcelines(function)
    (offset,) = [i for i, line in enumerate(lines) if line.rstrip().endswith(marker)]
    return f"{HERE}:{start + offset}"


def keys(prof: Any) -> dict[str, int]:
    return {event.key: event.count for event in prof.key_averages()}


def test_operators_and_nodes_are_counted() -> None:
    x = tapegrad.ones(3, requires_grad=True)
    with profile() as prof:
        for _ in range(2):
            (x.exp() * 2 + x[1]).sum().backward()
    assert keys(prof) == {
        **{"aten::exp": 2, "aten::mul": 2, "aten::add": 2, "aten::index": 2, "aten::sum": 2},
        **{"SumBackward0": 2, "AddBackward0": 2, "MulBackward0": 2, "ExpBackward0": 2},
        **{"SelectBackward0": 2, "AccumulateGrad": 2},
    }


def test_nothing_is_seen_before_and_after() -> None:
    x = tapegrad.ones(3, requires_grad=True)
    x.exp()
    with profile() as prof:
        y = x.sin().sum()
    y.backward()
    x.exp()
    assert keys(prof) == {"aten::sin": 1, "aten::sum": 1}
    with tapegrad.autograd.profiler.profile(enabled=False) as off:
        x.exp()
    assert off.key_averages() == []


def heavy(x: Any) -> Any:
    return (x @ x).sum()  # heavy


def light(x: Any) -> Any:
    return x[0, 0] * 2  # light


def both_of(x: Any) -> Any:
    a = heavy(x)  # calls heavy
    return a + light(x)


def test_the_line_that_takes_the_time() -> None:
    x = tapegrad.randn(600, 600, requires_grad=True)
    with profile() as prof:
        both_of(x).backward()
    first, *others = prof.by_line()
    assert first.key == line_after("# heavy", heavy) and first.calls == 2
    assert first.text == "return (x @ x).sum()  # heavy"
    # The backward pass of a line is charged to it.
    assert first.forward > 0 and first.backward > 0
    outer = next(row for row in others if row.key == line_after("# calls heavy", both_of))
    assert outer.calls == 0 and outer.forward == outer.backward == 0
    assert math.isclose(outer.total, first.forward + first.backward, rel_tol=1e-9)
    cheap = next(row for row in others if row.key == line_after("# light", light))
    assert cheap.forward < first.forward and cheap.calls == 2


def test_the_backward_pass_of_a_graph_from_before() -> None:
    x = tapegrad.randn(50, 50, requires_grad=True)
    model = nn.Sequential(nn.Linear(50, 50), nn.Tanh())
    y = heavy(model(x))
    with profile() as prof:
        y.backward()
    rows = {row.key: row for row in prof.by_line()}
    assert rows[line_after("# heavy", heavy)].backward > 0
    assert {row.key for row in prof.by_module()} == {"0", "1"}


def test_self_times_add_up() -> None:
    x = tapegrad.randn(50, 50, requires_grad=True)
    with profile() as prof, record_function("outer"):
        with record_function("inner"):
            y = x.exp()
        y.sum().backward()
    sums = {event.key: event for event in prof.key_averages()}
    outer, inner = sums["outer"], sums["inner"]
    assert outer.cpu_time_total > inner.cpu_time_total > inner.self_cpu_time_total > 0
    assert math.isclose(prof.self_cpu_time_total, outer.cpu_time_total, rel_tol=1e-6)
    by_line = sum(row.forward + row.backward for row in prof.by_line())
    events = sum(e.self_cpu_time_total for e in prof.events() if e.kind != "block")
    assert math.isclose(by_line, events, rel_tol=1e-9)


class Slow(tapegrad.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return x * 1

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        time.sleep(0.02)
        return grad.exp()  # inside


def test_custom_functions() -> None:
    x = tapegrad.ones(3, requires_grad=True)
    with profile() as prof:
        Slow.apply(x).sum().backward()
    sums = {event.key: event for event in prof.key_averages()}
    assert sums["SlowBackward"].self_cpu_time_total > 15_000
    assert sums["SlowBackward"].cpu_time_total > sums["SlowBackward"].self_cpu_time_total
    row = next(r for r in prof.by_line() if r.key == line_after("# inside", Slow.backward))
    assert row.forward == 0 and row.backward > 0  # it runs in the backward pass


def test_sorting_and_tables() -> None:
    x = tapegrad.randn(200, 200)
    with profile() as prof:
        for _ in range(3):
            x.neg()
        x @ x
    table = prof.key_averages().table(sort_by="self_cpu_time_total")
    assert table.index("aten::matmul") < table.index("aten::neg")
    table = prof.key_averages().table(sort_by="count", row_limit=1)
    assert "aten::neg" in table and "aten::matmul" not in table
    assert "Self CPU %" in table and "Self CPU time total" in table
    assert "x @ x" in str(prof) and "forward total" in str(prof)


def test_trace_files(tmp_path: Path) -> None:
    x = tapegrad.ones(3, requires_grad=True)
    with profile() as prof, record_function("step"):
        x.exp().sum().backward()  # traced
    prof.export_chrome_trace(str(tmp_path / "trace.json"))
    trace = json.loads((tmp_path / "trace.json").read_text())
    events = {event["name"]: event for event in trace["traceEvents"]}
    assert events["aten::exp"]["cat"] == "cpu_op" and events["aten::exp"]["ph"] == "X"
    assert events["ExpBackward0"]["cat"] == "backward"
    assert events["aten::exp"]["args"]["line"] == line_after(
        "backward()  # traced", test_trace_files
    )
    step = events["step"]
    for event in events.values():
        assert step["ts"] <= event["ts"]
        assert event["ts"] + event["dur"] <= step["ts"] + step["dur"] + 1


def test_results_are_the_same() -> None:
    tapegrad.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.LayerNorm(8), nn.Linear(8, 2))
    x = tapegrad.randn(5, 4)

    def gradients() -> list[Any]:
        model.zero_grad()
        model(x).logsumexp(1).sum().backward()
        return [p.grad.clone() for p in model.parameters()]

    plain = gradients()
    with profile():
        profiled = gradients()
    assert all(tapegrad.equal(a, b) for a, b in zip(plain, profiled, strict=True))


def test_large_element_wise_chains() -> None:
    """They are computed block by block without a profile, and node by node with one."""
    x = tapegrad.randn(100_000, requires_grad=True)

    def gradient() -> Any:
        (grad,) = tapegrad.autograd.grad((x.sin() * x.cos()).exp().sum(), x)
        return grad

    plain = gradient()
    with profile() as prof:
        assert tapegrad.equal(gradient(), plain)
    assert keys(prof)["CosBackward0"] == 1


def test_profiles_inside_of_profiles() -> None:
    x = tapegrad.ones(3)
    with profile() as outer:
        x.exp()
        with profile() as inner:
            x.sin()
        x.cos()
    assert keys(inner) == {"aten::sin": 1}
    assert keys(outer) == {"aten::exp": 1, "aten::sin": 1, "aten::cos": 1}


def test_an_error_ends_a_profile() -> None:
    x, longer = tapegrad.ones(3), tapegrad.ones(4)
    with pytest.raises(RuntimeError), profile() as prof:
        x.exp()
        x @ longer
    x.sin()
    assert keys(prof) == {"aten::exp": 1}


def test_other_threads_are_not_seen() -> None:
    x = tapegrad.ones(3)
    with profile() as prof:
        thread = threading.Thread(target=x.exp)
        thread.start()
        thread.join()
        x.sin()
    assert keys(prof) == {"aten::sin": 1}


def test_no_mode_is_left() -> None:
    """Nothing is slower afterwards: operators are called directly again."""
    before = tapegrad.Tensor.exp
    with profile():
        tapegrad.ones(1).exp()
    assert tapegrad.Tensor.exp is before
    from tapegrad.utils._python_dispatch import _modes

    assert _modes.stack == []
