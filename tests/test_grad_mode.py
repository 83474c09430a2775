"""Grad mode, inference mode and anomaly mode: blocks, decorators, nesting, exceptions."""

import re
import threading
import warnings

import pytest

import tapegrad
from tapegrad.autograd.grad_mode import _DecoratorContextManager

MODES = [
    (tapegrad.no_grad, False),
    (tapegrad.enable_grad, True),
    (lambda: tapegrad.set_grad_enabled(False), False),
    (lambda: tapegrad.set_grad_enabled(True), True),
]


@pytest.fixture(autouse=True)
def mode_is_restored():
    assert tapegrad.is_grad_enabled()
    yield
    assert tapegrad.is_grad_enabled()
    assert not tapegrad.is_inference_mode_enabled()
    assert not tapegrad.is_anomaly_enabled()


@pytest.fixture
def x():
    return tapegrad.tensor([1.0, 2.0], requires_grad=True)


@pytest.mark.parametrize(("make", "inside"), MODES)
@pytest.mark.parametrize("outside", [True, False])
def test_block_sets_and_restores_the_mode(make, inside, outside):
    with tapegrad.set_grad_enabled(outside):
        with make():
            assert tapegrad.is_grad_enabled() is inside
        assert tapegrad.is_grad_enabled() is outside


@pytest.mark.parametrize(("make", "inside"), MODES)
def test_exception_restores_the_mode(make, inside):
    for outside in (True, False):
        with tapegrad.set_grad_enabled(outside):
            with pytest.raises(KeyError), make():
                assert tapegrad.is_grad_enabled() is inside
                raise KeyError
            assert tapegrad.is_grad_enabled() is outside


def test_nesting():
    with tapegrad.no_grad():
        with tapegrad.enable_grad():
            with tapegrad.no_grad():
                assert not tapegrad.is_grad_enabled()
            assert tapegrad.is_grad_enabled()
        assert not tapegrad.is_grad_enabled()


def test_results_are_not_recorded(x):
    with tapegrad.no_grad():
        y = x * 2
        w = tapegrad.ones(2, requires_grad=True)
    assert not y.requires_grad and y.grad_fn is None and y.is_leaf
    assert w.requires_grad


def test_no_grad_allows_writing_to_leaves(x):
    with tapegrad.no_grad():
        x.add_(1.0)
    assert x.tolist() == [2.0, 3.0]
    assert x.requires_grad and x.is_leaf


@pytest.mark.parametrize("mode", [tapegrad.no_grad, tapegrad.enable_grad])
@pytest.mark.parametrize("parentheses", [True, False])
def test_decorator(mode, parentheses):
    def f(a, *, b):
        """Doc."""
        return a, b, tapegrad.is_grad_enabled()

    decorated = (mode() if parentheses else mode)(f)
    assert decorated.__name__ == "f" and decorated.__doc__ == "Doc."
    for outside in (True, False):
        with tapegrad.set_grad_enabled(outside):
            assert decorated(1, b=2) == (1, 2, mode is tapegrad.enable_grad)
            assert tapegrad.is_grad_enabled() is outside


def test_decorated_function_may_recurse():
    @tapegrad.no_grad()
    def f(depth):
        assert not tapegrad.is_grad_enabled()
        with tapegrad.enable_grad():
            if depth:
                f(depth - 1)
            assert tapegrad.is_grad_enabled()

    f(3)


def test_decorated_method(x):
    class Model:
        @tapegrad.no_grad()
        def double(self, value):
            return value * 2

    assert not Model().double(x).requires_grad


def test_one_object_decorates_several_functions():
    mode = tapegrad.no_grad()
    f, g = mode(tapegrad.is_grad_enabled), mode(tapegrad.is_grad_enabled)
    assert f() is False and g() is False


def test_set_grad_enabled_acts_at_construction():
    tapegrad.set_grad_enabled(False)
    try:
        assert not tapegrad.is_grad_enabled()
    finally:
        tapegrad.set_grad_enabled(True)
    with tapegrad.set_grad_enabled(mode=False):
        assert not tapegrad.is_grad_enabled()


def test_set_grad_enabled_as_decorator_does_not_switch_at_definition():
    @tapegrad.set_grad_enabled(False)
    def f():
        return tapegrad.is_grad_enabled()

    assert tapegrad.is_grad_enabled()
    assert f() is False


def test_set_grad_enabled_repr():
    mode = tapegrad.set_grad_enabled(True)
    want = "tapegrad.autograd.grad_mode.set_grad_enabled(mode=True)"
    assert repr(mode) == want and str(mode) == want


def test_classes_warn():
    with pytest.warns(FutureWarning, match="Decorating classes is deprecated") as caught:

        @tapegrad.no_grad()
        class Thing:
            def __init__(self):
                self.enabled = tapegrad.is_grad_enabled()

    assert caught[0].filename == __file__
    assert Thing().enabled is False


def test_base_class_needs_enter_and_exit():
    with pytest.raises(NotImplementedError):
        _DecoratorContextManager().__enter__()


def test_subclass_with_clone():
    log = []

    class Logged(_DecoratorContextManager):
        def __init__(self, name):
            self.name = name

        def __enter__(self):
            log.append("+" + self.name)

        def __exit__(self, *args):
            log.append("-" + self.name)

        def clone(self):
            return type(self)(self.name)

    assert Logged("a")(lambda: 5)() == 5
    assert log == ["+a", "-a"]


# Generators ----------------------------------------------------------------------------


def test_generator_function():
    @tapegrad.no_grad()
    def f():
        assert not tapegrad.is_grad_enabled()
        got = yield 1
        assert not tapegrad.is_grad_enabled()
        yield got
        return "end"

    def outer():
        result = yield from f()
        assert result == "end"
        yield "after"

    g = outer()
    assert next(g) == 1
    assert tapegrad.is_grad_enabled()
    assert g.send("sent") == "sent"
    assert tapegrad.is_grad_enabled()
    assert next(g) == "after"


def test_generator_of_enable_grad_in_no_grad():
    @tapegrad.enable_grad()
    def f():
        for _ in range(3):
            yield tapegrad.is_grad_enabled()

    with tapegrad.no_grad():
        for enabled in f():
            assert enabled
            assert not tapegrad.is_grad_enabled()


def test_generator_throw_and_close():
    seen = []

    @tapegrad.no_grad()
    def f():
        try:
            yield 1
        except ValueError:
            seen.append(("caught", tapegrad.is_grad_enabled()))
        try:
            yield 2
        finally:
            seen.append(("closed", tapegrad.is_grad_enabled()))

    g = f()
    assert next(g) == 1
    assert g.throw(ValueError()) == 2
    g.close()
    assert seen == [("caught", False), ("closed", False)]

    g = f()
    next(g)
    with pytest.raises(KeyError):
        g.throw(KeyError())
    assert tapegrad.is_grad_enabled()


def test_generator_raises():
    @tapegrad.no_grad
    def f():
        yield 1
        raise ArithmeticError

    g = f()
    next(g)
    with pytest.raises(ArithmeticError):
        next(g)


# Threads -------------------------------------------------------------------------------


def test_mode_belongs_to_the_thread():
    seen = []
    with tapegrad.no_grad():
        thread = threading.Thread(target=lambda: seen.append(tapegrad.is_grad_enabled()))
        thread.start()
        thread.join()
    assert seen == [True]


# Inference mode ------------------------------------------------------------------------


def test_inference_mode(x):
    with tapegrad.inference_mode():
        assert tapegrad.is_inference_mode_enabled()
        assert not tapegrad.is_grad_enabled()
        y = x * x
    assert not y.requires_grad and y.grad_fn is None
    assert y.is_inference() and not x.is_inference()


def test_inference_mode_cannot_be_overruled(x):
    with tapegrad.inference_mode(), tapegrad.enable_grad():
        y = x * x
    assert not y.requires_grad


def test_inference_mode_false(x):
    with tapegrad.inference_mode():
        with tapegrad.inference_mode(False):
            assert not tapegrad.is_inference_mode_enabled()
            assert (x * x).requires_grad
        assert tapegrad.is_inference_mode_enabled()
    with tapegrad.no_grad():
        with tapegrad.inference_mode(mode=False):
            assert tapegrad.is_grad_enabled()
        assert not tapegrad.is_grad_enabled()


@pytest.mark.parametrize(
    "decorate", [tapegrad.inference_mode, tapegrad.inference_mode(), tapegrad.inference_mode(True)]
)
def test_inference_mode_as_decorator(decorate):
    f = decorate(lambda: tapegrad.is_inference_mode_enabled())
    assert f() is True
    assert not tapegrad.is_inference_mode_enabled()


def test_inference_mode_restores_after_exception():
    with tapegrad.no_grad():
        with pytest.raises(KeyError), tapegrad.inference_mode():
            raise KeyError
        assert not tapegrad.is_inference_mode_enabled()
        assert not tapegrad.is_grad_enabled()


# Anomaly mode --------------------------------------------------------------------------

ENABLED = (
    "Anomaly Detection has been enabled. This mode will increase the runtime "
    "and should only be enabled for debugging."
)


def nan_gradient():
    x = tapegrad.tensor([0.0], requires_grad=True)
    return x, tapegrad.log(x) * 0.0


def test_detect_anomaly_warns_at_the_caller():
    with (
        pytest.warns(UserWarning, match="^" + re.escape(ENABLED) + "$") as caught,
        tapegrad.autograd.detect_anomaly(),
    ):
        assert tapegrad.is_anomaly_enabled()
    assert caught[0].filename == __file__


def test_set_detect_anomaly_acts_at_once_and_does_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = tapegrad.autograd.set_detect_anomaly(True)
        try:
            assert tapegrad.is_anomaly_enabled() and tapegrad.is_anomaly_check_nan_enabled()
        finally:
            tapegrad.autograd.set_detect_anomaly(False)
        with tapegrad.autograd.set_detect_anomaly(True, check_nan=False):
            assert tapegrad.is_anomaly_enabled()
            assert not tapegrad.is_anomaly_check_nan_enabled()
        assert not tapegrad.is_anomaly_enabled()
    assert re.fullmatch(
        r"<tapegrad\.autograd\.anomaly_mode\.set_detect_anomaly object at 0x[0-9a-f]+>",
        repr(result),
    )


def test_anomaly_names_the_node_and_the_line():
    with (
        tapegrad.autograd.set_detect_anomaly(True),
        pytest.warns(UserWarning, match="Error detected in LogBackward0. Traceback of") as caught,
        pytest.raises(
            RuntimeError, match=r"Function 'LogBackward0' returned nan values in its 0th output\."
        ),
    ):
        _, y = nan_gradient()
        y.backward()
    assert "in nan_gradient" in str(caught[0].message)


def test_anomaly_without_nan_check():
    with tapegrad.autograd.set_detect_anomaly(True, check_nan=False):
        x, y = nan_gradient()
        y.backward()
    assert x.grad.isnan().all()


def test_infinity_is_no_anomaly():
    with tapegrad.autograd.set_detect_anomaly(True):
        x = tapegrad.tensor([0.0], requires_grad=True)
        tapegrad.log(x).backward()
    assert x.grad.item() == float("inf")


def test_anomaly_modes_nest():
    with tapegrad.autograd.set_detect_anomaly(True):
        with tapegrad.autograd.set_detect_anomaly(False):
            assert not tapegrad.is_anomaly_enabled()
        assert tapegrad.is_anomaly_enabled()


def test_set_multithreading_enabled_is_accepted():
    x = tapegrad.ones(2, requires_grad=True)
    with tapegrad.autograd.grad_mode.set_multithreading_enabled(False):
        (x * 2).sum().backward()

    @tapegrad.autograd.grad_mode.set_multithreading_enabled(True)
    def again():
        (x * 2).sum().backward()

    again()
    assert x.grad.tolist() == [4.0, 4.0]
