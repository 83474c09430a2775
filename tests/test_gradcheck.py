"""gradcheck and gradgradcheck: what passes, what is found, and in which words."""

import warnings

import numpy as np
import pytest

import tapegrad
from both import function
from tapegrad.autograd import Function, gradcheck, gradgradcheck
from tapegrad.autograd.gradcheck import GradcheckError

both_modes = pytest.mark.parametrize("fast_mode", [False, True], ids=["slow", "fast"])


def leaf(*shape, seed=0):
    values = np.random.default_rng(seed).uniform(0.5, 2.0, shape)
    return tapegrad.tensor(values, requires_grad=True)


Wrong = function(tapegrad, lambda ctx, x: x * 2, lambda ctx, grad: grad * 3)


@both_modes
@pytest.mark.parametrize(
    "func",
    [
        lambda x: x * x,
        lambda x: x.exp().sum(),
        lambda x: (x.log(), x.sum(dim=0)),
        lambda x: [x * 2, x.tanh()],
        lambda x: x,
        lambda x: x.T,
        lambda x: (x * 2, x.argmax()),
        lambda x: (x.detach(), x * 3),
    ],
)
def test_right_gradients_pass(func, fast_mode):
    assert gradcheck(func, leaf(2, 3), fast_mode=fast_mode) is True
    assert gradcheck(func, (leaf(2, 3),), fast_mode=fast_mode) is True
    assert gradgradcheck(func, leaf(2, 3), fast_mode=fast_mode) is True


@both_modes
def test_several_inputs(fast_mode):
    def func(x, factor, y, w):
        return (x @ y) * factor + w, (x * x).sum() * y.sum()

    inputs = (leaf(2, 3), 2.5, leaf(3, 2, seed=1), tapegrad.ones(2, dtype=tapegrad.float64))
    assert gradcheck(func, inputs, fast_mode=fast_mode)
    assert gradgradcheck(func, inputs, fast_mode=fast_mode)


@both_modes
@pytest.mark.parametrize("shape", [(), (1,), (0,), (0, 3), (2, 1, 2)])
def test_shapes(shape, fast_mode):
    assert gradcheck(lambda x: (x * x, x.sum()), leaf(*shape), fast_mode=fast_mode)


@both_modes
def test_non_contiguous_and_non_leaf_inputs(fast_mode):
    base = leaf(3, 2)
    assert gradcheck(lambda x: x.exp(), base.T, fast_mode=fast_mode)
    assert gradcheck(lambda x: x.exp(), base * 1, fast_mode=fast_mode)
    part = leaf(4, 4).detach()[::2, 1:].requires_grad_()
    assert gradcheck(lambda x: x.exp(), part, fast_mode=fast_mode)


def test_input_is_unchanged_bit_by_bit():
    x = leaf(3)
    before = x.tolist()
    gradcheck(lambda x: x.exp(), x)
    gradcheck(lambda x: x.exp(), x, fast_mode=True)
    assert x.tolist() == before and x.grad is None

    def fails_when_moved(x):
        if x.tolist() != before:
            raise KeyError
        return x * 2

    for fast_mode in (False, True):
        with pytest.raises(KeyError):
            gradcheck(fails_when_moved, x, fast_mode=fast_mode)
        assert x.tolist() == before


def test_random_stream_is_left_alone():
    tapegrad.manual_seed(5)
    want = tapegrad.rand(3).tolist()
    tapegrad.manual_seed(5)
    x = leaf(3)
    gradcheck(lambda x: x * x, x, fast_mode=True)
    gradgradcheck(lambda x: x * x, x)
    assert tapegrad.rand(3).tolist() == want


def test_mismatch_message():
    x = tapegrad.tensor([1.0, 2.0], dtype=tapegrad.float64, requires_grad=True)
    with pytest.raises(GradcheckError) as caught:
        gradcheck(Wrong.apply, x)
    analytical = tapegrad.eye(2, dtype=tapegrad.float64) * 3
    assert str(caught.value).startswith(
        "Jacobian mismatch for output 0 with respect to input 0,\nnumerical:tensor([[2."
    )
    assert str(caught.value).endswith(f"analytical:{analytical}\n")
    assert isinstance(caught.value, RuntimeError)


def test_mismatch_names_output_and_input():
    def func(a, n, b):
        return a.argmax(), a * 2, b + Wrong.apply(b)

    with pytest.raises(GradcheckError, match="for output 1 with respect to input 1,"):
        gradcheck(func, (leaf(2), 3, leaf(2)))


def test_jacobian_has_a_row_per_input_element():
    class WrongSum(Wrong):
        @staticmethod
        def forward(ctx, x):
            return x.sum() * 2

        @staticmethod
        def backward(ctx, grad):
            return (grad * 3).expand(3)

    with pytest.raises(GradcheckError) as caught:
        gradcheck(lambda x: WrongSum.apply(x), leaf(3))
    column = tapegrad.full((3, 1), 3.0, dtype=tapegrad.float64)
    assert f"analytical:{column}\n" in str(caught.value)


def test_fast_mode_mismatch_shows_slow_jacobians():
    with pytest.raises(GradcheckError) as caught:
        gradcheck(Wrong.apply, leaf(2), fast_mode=True)
    text = str(caught.value)
    assert text.startswith("Jacobian mismatch for output 0 with respect to input 0,\nnumerical:")
    assert "are computed \nin fast mode." in text
    assert "The max per-element difference (slow mode) is: 1.00" in text
    assert "passed in slow_mode" not in text


@both_modes
def test_raise_exception_false(fast_mode):
    assert gradcheck(Wrong.apply, leaf(2), raise_exception=False, fast_mode=fast_mode) is False
    assert gradgradcheck(Wrong.apply, leaf(2), raise_exception=False, fast_mode=fast_mode) is True

    def other(x):
        raise KeyError("not a failed check")

    with pytest.raises(KeyError):
        gradcheck(other, leaf(2), raise_exception=False)
    with pytest.raises(ValueError):
        gradcheck(lambda x: x, tapegrad.ones(2), raise_exception=False)


def test_wrong_second_derivative():
    class Cube(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x * x

        @staticmethod
        def backward(ctx, grad):
            (x,) = ctx.saved_tensors
            return grad * 3 * x.detach() * x.detach()

    assert gradcheck(Cube.apply, leaf(2))
    with pytest.raises(GradcheckError, match="Jacobian mismatch for output 0 with respect to"):
        gradgradcheck(Cube.apply, leaf(2))


def test_tolerances_and_eps():
    x = leaf(2)
    assert gradcheck(Wrong.apply, x, atol=1.1)
    assert gradcheck(Wrong.apply, x, rtol=0.6)
    with pytest.raises(GradcheckError):
        gradcheck(lambda x: x**3, x, eps=0.1, rtol=1e-6)


def test_hook_that_changes_the_gradient():
    def func(x):
        y = x.clone()
        y.register_hook(lambda grad: grad + 1e-2)
        return y

    with pytest.raises(GradcheckError, match="Jacobian mismatch"):
        gradcheck(func, leaf(2, 2))


# Inputs --------------------------------------------------------------------------------


def test_single_precision_warns():
    x = tapegrad.tensor([1.0, 2.0], requires_grad=True)
    with pytest.warns(UserWarning) as caught:
        assert gradcheck(lambda n, x: x * n, (2, x), eps=1e-2, atol=1e-1)
    assert str(caught[0].message) == (
        "Input #1 requires gradient and is not a double precision floating point or complex. "
        "This check will likely fail if all the inputs are not of double precision floating "
        "point or complex. "
    )
    assert caught[0].filename == __file__


def test_double_precision_does_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert gradcheck(lambda x: x * 2, leaf(2))


def test_no_input_requires_grad():
    with pytest.raises(ValueError) as caught:
        gradcheck(lambda x: x, tapegrad.ones(2, dtype=tapegrad.float64))
    assert str(caught.value) == (
        "gradcheck expects at least one input tensor to require gradient, "
        "but none of them have requires_grad=True."
    )


def test_overlapping_input_is_refused():
    x = leaf(1).expand(3)
    with pytest.raises(RuntimeError, match="The 0th input has a dimension with stride 0"):
        gradcheck(lambda x: x * 2, x)
    assert gradcheck(lambda x: x * 2, leaf(1, 2).expand(1, 2))


def test_unsupported_checks_are_refused():
    x = leaf(2)
    for name in ("check_batched_grad", "check_forward_ad"):
        with pytest.raises(NotImplementedError, match=f"gradcheck: {name}=True is not supported"):
            gradcheck(lambda x: x, x, **{name: True})
    with pytest.raises(NotImplementedError, match="gradgradcheck: check_fwd_over_rev=True"):
        gradgradcheck(lambda x: x, x, check_fwd_over_rev=True)
    with pytest.raises(AssertionError, match="at least one of check_forward_ad or check_back"):
        gradcheck(lambda x: x, x, check_backward_ad=False)
    with pytest.raises(AssertionError, match="at least one of check_fwd_over_rev or check_rev"):
        gradgradcheck(lambda x: x, x, check_rev_over_rev=False)


# Outputs -------------------------------------------------------------------------------


@both_modes
def test_no_differentiable_output(fast_mode):
    assert gradcheck(lambda x: (x > 0).to(tapegrad.float64), leaf(2), fast_mode=fast_mode)
    assert gradcheck(lambda x: x.argmax(), leaf(2), fast_mode=fast_mode)
    assert gradcheck(lambda x: x > 0, leaf(2), fast_mode=fast_mode)
    with pytest.raises(GradcheckError, match="Numerical gradient for function expected to be zero"):
        gradcheck(lambda x: x.detach() * 2, leaf(2), fast_mode=fast_mode)


@both_modes
@pytest.mark.parametrize(
    ("what", "changed"), [("shape", lambda x: x[:1]), ("dtype", lambda x: x.float())]
)
def test_outputs_that_change(what, changed, fast_mode):
    calls = []

    def func(x):
        calls.append(1)
        return x * 1 if len(calls) % 2 else changed(x)

    message = f"Expected `func` to return outputs with the same {what} when inputs are perturbed"
    with pytest.raises(AssertionError, match=message):
        gradcheck(func, leaf(3), fast_mode=fast_mode)


# Backward ------------------------------------------------------------------------------


@both_modes
def test_nondeterministic_backward(fast_mode):
    state = []

    def backward(ctx, grad):
        state.append(1)
        return grad * (2 + 1e-7 * len(state) * grad.ne(0).to(grad.dtype))

    Jitter = function(tapegrad, lambda ctx, x: x * 2, backward)
    x = leaf(3)
    with pytest.raises(GradcheckError) as caught:
        gradcheck(Jitter.apply, x, fast_mode=fast_mode)
    assert str(caught.value).startswith(
        "Backward is not reentrant, i.e., running backward with same input and grad_output "
        "multiple times gives different values, although analytical gradient matches numerical "
        "gradient.The tolerance for nondeterminism was 0.0."
    )
    assert gradcheck(Jitter.apply, x, nondet_tol=1e-4, fast_mode=fast_mode)
    with pytest.raises(GradcheckError, match="The tolerance for nondeterminism was 1e-09"):
        gradcheck(Jitter.apply, x, nondet_tol=1e-9, fast_mode=fast_mode)


@both_modes
def test_backward_has_to_be_multiplied_by_the_gradient(fast_mode):
    class Offset(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, grad):
            return grad * 2 + float((grad == 0).all())

    with pytest.raises(GradcheckError, match=r"^backward not multiplied by grad_output$"):
        gradcheck(Offset.apply, leaf(2), fast_mode=fast_mode)


def two_outputs(backward_body):
    class Two(Function):
        @staticmethod
        def forward(ctx, x, y):
            ctx.set_materialize_grads(False)
            return x * 2, y * 3

        @staticmethod
        def backward(ctx, gx, gy):
            return backward_body(gx, gy)

    return Two.apply


def test_undefined_gradients():
    def good(gx, gy):
        return None if gx is None else gx * 2, None if gy is None else gy * 3

    def fails(gx, gy):
        if gx is None and gy is None:
            raise RuntimeError("no gradient")
        return good(gx, gy)

    def invents(gx, gy):
        if gx is None and gy is None:
            gx = tapegrad.ones(2, dtype=tapegrad.float64)
        return good(gx, gy)

    inputs = leaf(2), leaf(2, seed=1)
    assert gradcheck(two_outputs(good), inputs)
    for body in (fails, invents):
        assert gradcheck(two_outputs(body), inputs, check_undefined_grad=False)
    with pytest.raises(GradcheckError, match="Expected backward function to handle undefined"):
        gradcheck(two_outputs(fails), inputs)
    with pytest.raises(GradcheckError, match="Expected all input grads to be undefined or zero"):
        gradcheck(two_outputs(invents), inputs)


# gradgradcheck -------------------------------------------------------------------------


@both_modes
def test_gradgradcheck_grad_outputs(fast_mode):
    x, v = leaf(2, 3), leaf(2, 3, seed=3)
    assert gradgradcheck(lambda x: x.exp(), x, v, fast_mode=fast_mode)
    assert gradgradcheck(
        lambda x: (x.exp(), x * x), x, (v, v.detach().clone()), fast_mode=fast_mode
    )
    assert gradgradcheck(
        lambda x: x.exp(), x, gen_non_contig_grad_outputs=True, fast_mode=fast_mode
    )
    assert gradgradcheck(lambda x: x * 2, x, fast_mode=fast_mode)


def test_gradgradcheck_leaves_inputs_without_grad():
    x = leaf(2)
    gradgradcheck(lambda x: x**3, x)
    assert x.grad is None


# The reference -------------------------------------------------------------------------


@both_modes
def test_messages_are_those_of_torch(fast_mode):
    torch = pytest.importorskip("torch")

    def failures(lib):
        x = lib.tensor([1.0, 2.0], dtype=lib.float64, requires_grad=True)
        inputs = [
            (lambda x: x.detach() * x, x),
            (lambda x: x.detach() * 2, x),
            (lambda x: x, lib.ones(2)),
            (lambda x: x, lib.ones(1, dtype=lib.float64, requires_grad=True).expand(2)),
        ]
        texts = []
        for func, value in inputs:
            with pytest.raises((RuntimeError, ValueError)) as caught:
                lib.autograd.gradcheck(func, value, fast_mode=fast_mode)
            text = str(caught.value)
            texts.append((type(caught.value).__name__, text.split(",\nnumerical:")[0]))
        return texts

    assert failures(tapegrad) == failures(torch)
