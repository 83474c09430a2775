"""Grad mode, inference mode and anomaly mode: blocks, decorators, nesting, exceptions."""

import re
import threading
import warnings

import numpy as np
import pytest

import tapegrad
from both import both
from support import raises
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


SAVED = "Inference tensors cannot be saved for backward."
WRITTEN = "Inplace update to inference tensor outside InferenceMode is not allowed."
ASKED = "Setting requires_grad=True on inference tensor outside InferenceMode is not allowed."
VIEW = "A view was created in inference mode and "

# What becomes of tensors outside of inference mode: n and c were made inside, c requires gradients;
# s and a are normal, a is no leaf; v and p are views of a and of a constant, made inside. The
# result is an inference tensor, requires gradients, and is a leaf; or it is an error.
OUTSIDE = {
    "alone": (lambda lib, n, c, s, a, v, p: n * 2, (False, False, True)),
    "leaf alone": (lambda lib, n, c, s, a, v, p: c * c, (False, False, True)),
    "leaf summed": (lambda lib, n, c, s, a, v, p: c.exp().sum(), (False, False, True)),
    "view": (lambda lib, n, c, s, a, v, p: n.view(-1), (True, False, True)),
    "view of leaf": (lambda lib, n, c, s, a, v, p: c[1:], (True, False, True)),
    "parts": (lambda lib, n, c, s, a, v, p: n.unbind()[0], (True, False, True)),
    "detach": (lambda lib, n, c, s, a, v, p: c.detach(), (True, False, True)),
    "data": (lambda lib, n, c, s, a, v, p: n.data, (True, False, True)),
    "clone": (lambda lib, n, c, s, a, v, p: n.clone(), (False, False, True)),
    "sum": (lambda lib, n, c, s, a, v, p: s + n, (False, True, False)),
    "sum of leaves": (lambda lib, n, c, s, a, v, p: c + s, (False, True, False)),
    "stack": (lambda lib, n, c, s, a, v, p: lib.stack([s, n]), (False, True, False)),
    "mask": (lambda lib, n, c, s, a, v, p: s.masked_fill(n > 0, 1), (False, True, False)),
    "copy": (lambda lib, n, c, s, a, v, p: a.copy_(n), (False, True, False)),
    "product": (lambda lib, n, c, s, a, v, p: s * n, SAVED),
    "product of leaves": (lambda lib, n, c, s, a, v, p: c * s, SAVED),
    "product in place": (lambda lib, n, c, s, a, v, p: a.mul_(n), SAVED),
    "linear": (lambda lib, n, c, s, a, v, p: lib.nn.functional.linear(n, s[None]), SAVED),
    "in place": (lambda lib, n, c, s, a, v, p: n.add_(1), WRITTEN),
    "zero_": (lambda lib, n, c, s, a, v, p: n.zero_(), WRITTEN),
    "item": (lambda lib, n, c, s, a, v, p: n.__setitem__(0, 1.0), WRITTEN),
    "transpose_": (lambda lib, n, c, s, a, v, p: n.transpose_(0, 0), WRITTEN),
    "resize_": (lambda lib, n, c, s, a, v, p: n.resize_(1), WRITTEN),
    "out": (lambda lib, n, c, s, a, v, p: lib.mul(p, p, out=n), WRITTEN),
    "requires_grad_": (lambda lib, n, c, s, a, v, p: n.requires_grad_(), ASKED),
    "Parameter": (lambda lib, n, c, s, a, v, p: lib.nn.Parameter(n), ASKED),
    "constant": (lambda lib, n, c, s, a, v, p: n.requires_grad_(False), (True, False, True)),
    "normal view": (lambda lib, n, c, s, a, v, p: v, (False, True, True)),
    "of normal view": (lambda lib, n, c, s, a, v, p: v * 2, (False, True, False)),
    "normal view in place": (lambda lib, n, c, s, a, v, p: v.add_(1), VIEW + "is being modified"),
    "turned view": (lambda lib, n, c, s, a, v, p: v.transpose_(0, 0), VIEW + "is being modified"),
    "view of a changed base": (
        lambda lib, n, c, s, a, v, p: (a.add_(1), v.grad_fn),
        VIEW + "its base or another view of its base has been",
    ),
    "constant view in place": (lambda lib, n, c, s, a, v, p: p.add_(1), (False, False, True)),
    "recorded into it": (
        lambda lib, n, c, s, a, v, p: p.add_(s[:2]),
        VIEW + "is being modified",
    ),
}


def made_in_inference_mode(lib):
    s, constant = lib.ones(3, requires_grad=True), lib.ones(3)
    a = s.clone()
    with lib.inference_mode():
        return lib.ones(3), lib.ones(3, requires_grad=True), s, a, a[:2], constant[:2]


@both
@pytest.mark.parametrize("name", OUTSIDE)
def test_inference_tensors_outside(lib, name):
    step, expected = OUTSIDE[name]
    tensors = made_in_inference_mode(lib)
    if isinstance(expected, str):
        with raises(RuntimeError, expected, lib=lib):
            step(lib, *tensors)
        return
    result = step(lib, *tensors)
    if name == "alone" and lib is not tapegrad:  # the number 2 is a normal tensor there
        assert not result.is_inference()
        return
    found = (lib.is_inference(result), result.requires_grad, result.is_leaf)
    assert found == expected
    assert result.is_inference() == found[0]


@both
def test_gradients_of_inference_leaves(lib):
    n, c, s, *_ = made_in_inference_mode(lib)
    seen = []
    c.register_hook(lambda g: seen.append(g.tolist()))
    c.retain_grad()
    (c + s).sum().backward()
    assert (c.grad.tolist(), s.grad.tolist(), seen) == ([1.0] * 3, [1.0] * 3, [[1.0] * 3])
    c.backward(lib.ones(3))
    assert c.grad.tolist() == [2.0] * 3
    assert lib.autograd.grad((c + s).sum(), c)[0].tolist() == [1.0] * 3
    with raises(RuntimeError, "cannot register a hook on a tensor that doesn't require", lib=lib):
        n.register_hook(print)
    with raises(RuntimeError, "Inference tensors do not track version counter.", lib=lib):
        _ = c._version


@both
def test_inference_tensors_inside(lib):
    s = lib.ones(1, 2, 3, requires_grad=True)
    a = s.clone()
    with lib.inference_mode():
        c = lib.ones(1, 2, 3, requires_grad=True)
        for made in (
            c,
            c.view(-1),
            c * c,
            c.clone(),
            lib.from_numpy(np.ones(2)),
            lib.nn.Parameter(c),
        ):
            assert lib.is_inference(made)
        assert (c.requires_grad, (c * c).requires_grad, c.view(-1).requires_grad) == (
            True,
            False,
            False,
        )
        for change in (lambda x: x.add_(2), lambda x: x.transpose_(0, 1)):
            for x in (c, a):
                requires_grad, inference = x.requires_grad, x.is_inference()
                change(x)
                assert (x.requires_grad, x.is_inference()) == (requires_grad, inference)
        assert a._version == 2
        view = a.view(-1)
        other = view.view(2, 3)
        assert (other.requires_grad, other.is_leaf, other._is_view()) == (True, True, True)
        assert not other.is_inference()
        other.add_(1)
        assert a._version == other._version == 3
    assert a.flatten().tolist() == [4.0] * 6


@both
def test_value_saved_before_inference_mode(lib):
    a = lib.ones(3, requires_grad=True).clone()
    out = a * a
    with lib.inference_mode():
        a.add_(2)
    with raises(RuntimeError, "one of the variables needed for gradient computation", lib=lib):
        out.sum().backward()


@both
def test_inference_mode_on_generators(lib):
    @lib.inference_mode()
    def numbers():
        for _ in range(2):
            yield lib.is_inference_mode_enabled(), lib.ones(1).is_inference()

    found = []
    for item in numbers():
        found.append((*item, lib.is_inference_mode_enabled(), lib.ones(1).is_inference()))
    assert found == [(True, True, False, False)] * 2

    @lib.inference_mode(False)
    def outside():
        return lib.is_inference_mode_enabled(), lib.is_grad_enabled()

    with lib.inference_mode():
        assert outside() == (False, True)


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
