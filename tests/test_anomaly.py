"""Anomaly mode: a failing derivative names its node and shows the forward line that made it."""

from __future__ import annotations

import threading
import warnings
from typing import Any

import pytest

from both import both, function, leaf
from support import raises

pytestmark = both


def nan_in_backward(lib: Any, name: str = "BadBackward") -> Any:
    return function(lib, lambda ctx, x: x * 1, lambda ctx, g: g * float("nan"), name)


def failing_backward(lib: Any) -> Any:
    def backward(ctx: Any, g: Any) -> None:
        raise ValueError("from backward")

    return function(lib, lambda ctx, x: x * 1, backward, "Failing")


def watch() -> warnings.catch_warnings:
    return warnings.catch_warnings(record=True)


def run(lib: Any, forward: Any, kind: type[BaseException] = RuntimeError, start: str = "") -> list:
    """The warnings of a backward pass that fails in anomaly mode."""
    with watch() as seen:
        warnings.simplefilter("always")
        with lib.autograd.detect_anomaly():
            y = forward()
            with raises(kind, start, lib=lib):
                y.backward()
    return [str(w.message) for w in seen]


def test_nan_names_the_node_and_the_line(lib) -> None:
    x = leaf(lib, 0.0)

    def forward():
        y = nan_in_backward(lib).apply(x)  # the guilty line
        return y * 2

    text = "Function 'BadBackwardBackward' returned nan values in its 0th output."
    enabled, trace = run(lib, forward, start=text)
    assert enabled == (
        "Anomaly Detection has been enabled. This mode will increase the runtime and should only "
        "be enabled for debugging."
    )
    assert trace.startswith(
        "Error detected in BadBackwardBackward. Traceback of forward call that caused the error:\n"
    )
    assert "the guilty line" in trace
    assert "return y * 2" not in trace
    assert not lib.is_anomaly_enabled()


def test_built_in_derivatives(lib) -> None:
    x = leaf(lib, 0.0)
    _, trace = run(
        lib,
        lambda: lib.sqrt(x) * 0.0,  # here
        start="Function 'SqrtBackward0' returned nan values in its 0th output.",
    )
    assert "Error detected in SqrtBackward0." in trace
    assert "# here" in trace


def test_second_output(lib) -> None:
    class Second(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            return x * y

        @staticmethod
        def backward(ctx, g):
            return g, g * float("nan")

    x, y = leaf(lib, 1.0), leaf(lib, 1.0)
    text = "Function 'SecondBackward' returned nan values in its 1th output."
    run(lib, lambda: Second.apply(x, y), start=text)


def test_infinity_is_no_anomaly(lib) -> None:
    x = leaf(lib, 0.0)
    with watch(), lib.autograd.detect_anomaly():
        x.sqrt().backward()
    assert x.grad.item() == float("inf")


def test_exceptions_show_the_line_too(lib) -> None:
    x = leaf(lib, 1.0)

    def forward():
        return failing_backward(lib).apply(x)  # the guilty line

    _, trace = run(lib, forward, ValueError, "from backward")
    assert trace.startswith("Error detected in FailingBackward. Traceback of forward call")
    assert "the guilty line" in trace


def test_overwritten_value(lib) -> None:
    x = leaf(lib, 1.0)

    def forward():
        y = x * 1
        z = y.exp()  # the guilty line
        z.mul_(2)
        return z

    text = "one of the variables needed for gradient computation has been modified by an inplace"
    messages = run(lib, forward, start=text)
    assert "Error detected in ExpBackward0." in messages[1]
    assert "the guilty line" in messages[1]


def test_hint_in_anomaly_mode(lib) -> None:
    x = leaf(lib, 1.0)
    z = (x * 1).exp()
    z.mul_(2)
    with watch(), lib.autograd.detect_anomaly(), pytest.raises(RuntimeError) as caught:
        z.backward()
    sentence, *lines = str(caught.value).split("\n")
    assert sentence.endswith(
        " Hint: the backtrace further above shows the operation that failed to compute its "
        "gradient. The variable in question was changed in there or anywhere later. Good luck!"
    )
    assert not lines or "z.mul_(2)" in lines[1]


def test_forward_outside_of_the_mode(lib) -> None:
    y = nan_in_backward(lib).apply(leaf(lib, 1.0))
    with watch() as seen:
        warnings.simplefilter("always")
        with lib.autograd.detect_anomaly(), raises(RuntimeError, "Function 'BadBackward", lib=lib):
            y.backward()
    assert str(seen[-1].message).startswith(
        "Error detected in BadBackwardBackward. No forward pass information available. Enable "
        "detect anomaly during forward pass for more information."
    )


def test_without_nan_check(lib) -> None:
    x = leaf(lib, 1.0)
    with watch(), lib.autograd.detect_anomaly(check_nan=False):
        nan_in_backward(lib).apply(x).backward()
        assert lib.is_anomaly_check_nan_enabled() is False
    assert x.grad.item() != x.grad.item()
    assert lib.is_anomaly_check_nan_enabled() is True


def test_without_the_mode(lib) -> None:
    x = leaf(lib, 1.0)
    nan_in_backward(lib).apply(x).backward()
    assert x.grad.item() != x.grad.item()


def test_nested_derivatives_show_both_calls(lib) -> None:
    """The node that fails was made by another node's backward: both forward calls are shown."""
    Inner = nan_in_backward(lib, "Inner")
    Outer = function(lib, lambda ctx, x: x * 1, lambda ctx, g: Inner.apply(g), "Outer")
    x = leaf(lib, 1.0)
    with watch() as seen:
        warnings.simplefilter("always")
        with lib.autograd.detect_anomaly():
            y = Outer.apply(x) ** 2  # where it began
            (g,) = lib.autograd.grad(y, x, create_graph=True)
            with raises(RuntimeError, "Function 'InnerBackward' returned nan values", lib=lib):
                g.backward()
    messages = [str(w.message) for w in seen][1:]
    assert messages[0].startswith("Error detected in InnerBackward. Traceback of forward call")
    assert messages[1].startswith(
        "\n\nPrevious calculation was induced by OuterBackward. Traceback of forward call that "
        "induced the previous calculation:\n"
    )
    assert "where it began" in messages[1]


def test_set_detect_anomaly(lib) -> None:
    lib.autograd.set_detect_anomaly(True)
    try:
        assert lib.is_anomaly_enabled()
        with lib.autograd.set_detect_anomaly(False):
            assert not lib.is_anomaly_enabled()
        assert lib.is_anomaly_enabled()
    finally:
        lib.autograd.set_detect_anomaly(False)
    assert not lib.is_anomaly_enabled()


def test_nesting_and_exceptions(lib) -> None:
    with watch():
        with lib.autograd.detect_anomaly():
            with pytest.raises(KeyError), lib.autograd.set_detect_anomaly(False):
                raise KeyError
            assert lib.is_anomaly_enabled()
        assert not lib.is_anomaly_enabled()


def test_traces_do_not_keep_anything(lib) -> None:
    with watch(), lib.autograd.detect_anomaly():
        x = leaf(lib, 1.0)
        y = x * 2
        for _ in range(20):
            y = y.sin()
        y.backward()
    assert x.grad is not None


def test_other_threads(lib) -> None:
    """A backward pass on another thread finds the forward line as well."""
    messages: list = []
    with watch() as seen:
        warnings.simplefilter("always")
        with lib.autograd.set_detect_anomaly(True):
            y = nan_in_backward(lib).apply(leaf(lib, 1.0))  # made on the first thread

        def work():
            with lib.autograd.set_detect_anomaly(True):
                try:
                    y.backward()
                except RuntimeError as error:
                    messages.append(str(error))

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert messages[0].startswith("Function 'BadBackwardBackward' returned nan values")
    assert any("made on the first thread" in str(w.message) for w in seen)
