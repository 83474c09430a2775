"""Derivatives of every differentiable operator.

Against finite differences (first and second order), float32 against float64, the fused backward
against the tensor reading, and the places where a derivative is a choice.
"""

from __future__ import annotations

import itertools
import zlib
from typing import Any

import numpy as np
import pytest

import tapegrad as tg
from op_row import Make, Op, Sample, outputs, prepare, takes_gradients
from op_table import BY_NAME, TABLE
from support import LAYOUTS, array, contiguous, raises
from tapegrad.autograd import gradcheck, gradgradcheck

DIFFERENTIABLE = [op for op in TABLE if op.diff]
# Finite differences cost two calls per element, those of second order two backwards.
FEW = 24

each_op = pytest.mark.parametrize("op", DIFFERENTIABLE, ids=lambda op: op.name)


def samples(op: Op, dtype: str = "float64") -> list[Sample]:
    made = op.samples(Make(dtype, seed=zlib.crc32(op.name.encode())))
    return [sample for sample in made if takes_gradients(sample)]


def closed(op: Op, sample: Sample, layout: str = "contiguous") -> tuple[Any, list]:
    """The call as a function of its differentiable tensors alone, and those tensors."""
    inputs: list = []

    def leaf(values: np.ndarray, differentiable: bool) -> Any:
        made = LAYOUTS[layout](values)
        if differentiable:
            inputs.append(made.detach().requires_grad_())
            return len(inputs) - 1, "input"
        return made

    def fill(value: Any, given: tuple) -> Any:
        if isinstance(value, tuple) and len(value) == 2 and value[1] == "input":
            return given[value[0]]
        if isinstance(value, tuple | list):
            return type(value)(fill(v, given) for v in value)
        return value

    args, kwargs = prepare(sample, leaf)

    def call(*given: Any) -> Any:
        return op.call(
            tg, *(fill(a, given) for a in args), **{k: fill(v, given) for k, v in kwargs.items()}
        )

    return call, inputs


def differentiable(results: Any) -> list:
    return [r for r in outputs(results) if r.requires_grad]


def weights_like(results: list, dtype: str = "float64") -> list:
    """Distinct weights per element, so that no error cancels in a sum."""
    random = np.random.default_rng(5)
    return [contiguous(random.uniform(0.5, 1.5, tuple(r.shape)).astype(dtype)) for r in results]


def gradients(call: Any, inputs: list, dtype: str = "float64", create_graph: bool = False) -> list:
    results = differentiable(call(*inputs))
    weights = weights_like(results, dtype)
    found = tg.autograd.grad(results, inputs, weights, create_graph=create_graph, allow_unused=True)
    return [None if g is None else array(g) for g in found]


@each_op
def test_values_unpacked_in_another_form_are_refused(op: Op) -> None:
    """Kernels rely on the sizes and dtypes of what was saved."""

    def other(value: Any) -> Any:
        unpacked.append(value)
        return value.new_zeros((*value.shape, 2))

    for sample in samples(op)[:6]:
        call, inputs = closed(op, sample)
        unpacked: list = []
        with tg.autograd.graph.saved_tensors_hooks(lambda value: value, other):
            results = differentiable(call(*inputs))
        try:
            tg.autograd.grad(results, inputs, weights_like(results), allow_unused=True)
        except RuntimeError as error:
            assert "was unpacked as one of" in str(error), sample
        else:
            assert not unpacked, sample


@each_op
def test_gradcheck(op: Op) -> None:
    for sample in samples(op):
        call, inputs = closed(op, sample)
        if any(array(r.isnan()).any() for r in outputs(call(*inputs))):
            continue  # the variance of one element
        assert gradcheck(call, tuple(inputs)), f"{op.name}({sample})"


@each_op
def test_gradgradcheck(op: Op) -> None:
    for sample in samples(op):
        call, inputs = closed(op, sample)
        results = differentiable(call(*inputs))
        if sum(x.numel() for x in inputs) > FEW or not results:
            continue
        if any(array(r.isnan()).any() for r in results):
            continue
        assert gradgradcheck(call, tuple(inputs)), f"{op.name}({sample})"


@pytest.mark.parametrize("layout", ["strided", "transposed"])
@each_op
def test_gradients_of_other_layouts(op: Op, layout: str) -> None:
    if not op.any_layout:
        pytest.skip("takes no other layout")
    for sample in samples(op):
        want = gradients(*closed(op, sample))
        got = gradients(*closed(op, sample, layout))
        for a, b in zip(got, want, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13, err_msg=f"{sample}")


@each_op
def test_gradient_has_the_shape_and_dtype_of_its_input(op: Op) -> None:
    for dtype in op.dtypes:
        if not dtype.startswith("float"):
            continue
        for sample in samples(op, dtype):
            call, inputs = closed(op, sample)
            results = differentiable(call(*inputs))
            found = tg.autograd.grad(results, inputs, [tg.ones_like(r) for r in results])
            for g, x in zip(found, inputs, strict=True):
                assert (g.shape, g.dtype) == (x.shape, x.dtype), f"{op.name}({sample})"
                assert not g.requires_grad


@each_op
def test_float32_gradients_against_float64(op: Op) -> None:
    for sample in samples(op, "float32"):
        wide = Sample(*(_widen(part) for part in (sample.args, sample.kwargs)))
        want = gradients(*closed(op, wide))
        call, inputs = closed(op, sample)
        narrow = "float64" if op.name == "to" else "float32"
        got = gradients(call, inputs, narrow)
        for a, b in zip(got, want, strict=True):
            scale = max(1.0, float(np.abs(b).max())) if b.size else 1.0
            np.testing.assert_allclose(
                a, b, rtol=2e-5, atol=5e-6 * scale * op.tol, err_msg=f"{op.name}({sample})"
            )


def _widen(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.astype(np.float64) if value.dtype == np.float32 else value
    if isinstance(value, tuple | list):
        return type(value)(_widen(v) for v in value)
    if isinstance(value, dict):
        return {k: _widen(v) for k, v in value.items()}
    return type(value)(_widen(value.value)) if hasattr(value, "value") else value


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@each_op
def test_fused_backward_against_tensor_reading(op: Op, dtype: str) -> None:
    """One formula, two readings: `create_graph` decides which one runs."""
    tight = {"float32": 4e-6, "float64": 1e-14}[dtype] * op.tol
    large = list(op.large(Make(dtype, 9)))[:1] if op.large else []
    for sample in [*samples(op, dtype), *large]:
        call, inputs = closed(op, sample)
        weight = "float64" if op.name == "to" else dtype
        fused = gradients(call, inputs, weight)
        reading = gradients(call, inputs, weight, create_graph=True)
        for a, b in zip(fused, reading, strict=True):
            scale = max(1.0, float(np.abs(b).max())) if b.size else 1.0
            np.testing.assert_allclose(
                a, b, rtol=tight, atol=tight * scale, err_msg=f"{op.name}({sample})"
            )


SPECIAL = {
    "float32": [0.0, -0.0, 1e-45, -1e-40, 1e-38, -1e-30, 1e-20, 1e20, -1e30, 3e38, -3e38],
    "float64": [
        0.0,
        -0.0,
        5e-324,
        -1e-310,
        1e-308,
        -1e-200,
        1e-160,
        1e160,
        -1e200,
        1.7e308,
        -1.7e308,
    ],
}
SPECIAL["float32"] += [-89.0, 89.0, 110.0, -110.0]  # where exp ends
SPECIAL["float64"] += [-710.0, 710.0, 750.0, -750.0]
NOT_FINITE = [np.nan, np.inf, -np.inf]
BRANCHES = [1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, -3.0, 20.0, -20.0, 40.0]
# The others are factors of terms that are added, in another order: infinities of both signs.
# Those of cov may not be negative.
ONLY_FIRST = {
    "cross_entropy",
    "layer_norm",
    "rms_norm",
    "group_norm",
    "batch_norm",
    "instance_norm",
    "cov",
}


# Factors of matrices that are not finite, or singular, are errors or mean nothing.
ANY_VALUES = [op for op in DIFFERENTIABLE if op.kind != "linalg"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("op", ANY_VALUES, ids=lambda op: op.name)
def test_fused_backward_against_tensor_reading_at_special_values(op: Op, dtype: str) -> None:
    """NaN, infinities, both zeros, the ends of the range and branch points."""
    finite = SPECIAL[dtype] + BRANCHES
    tight = {"float32": 8e-5, "float64": 2e-13}[dtype] * op.tol
    for (place, sample), seed in itertools.product(enumerate(samples(op, dtype)), range(9)):
        random = np.random.default_rng((place, seed))
        call, inputs = closed(op, sample)
        for x in inputs[:1] if op.name in ONLY_FIRST else inputs:
            values = array(x)
            chosen = random.random(values.shape) < (1.0, 0.3, 0.3)[seed % 3]
            pool = finite if seed % 3 == 2 else finite + NOT_FINITE
            special = np.where(chosen, random.choice(pool, values.shape), values)
            with tg.no_grad():
                x.copy_(contiguous(special.astype(dtype)))
        weight = "float64" if op.name == "to" else dtype
        fused = gradients(call, inputs, weight)
        reading = gradients(call, inputs, weight, create_graph=True)
        for a, b in zip(fused, reading, strict=True):
            np.testing.assert_allclose(
                a,
                b,
                rtol=tight,
                atol=tight,
                err_msg=f"{op.name}({sample}) {[array(x) for x in inputs]}",
            )


@each_op
def test_only_the_asked_inputs_get_gradients(op: Op) -> None:
    """Rules must not touch operands that take no gradient."""
    for sample in samples(op)[:8]:
        call, inputs = closed(op, sample)
        if len(inputs) < 2:
            continue
        want = gradients(call, inputs)
        full = outputs(call(*inputs))
        places = [i for i, r in enumerate(full) if r.requires_grad]
        weights = weights_like([full[i] for i in places])
        for k, kept in enumerate(inputs):
            some = [x if x is kept else x.detach() for x in inputs]
            results = outputs(call(*some))
            pairs = [(results[i], w) for i, w in zip(places, weights) if results[i].requires_grad]
            if not pairs:
                continue
            (got,) = tg.autograd.grad([r for r, _ in pairs], [kept], [w for _, w in pairs])
            np.testing.assert_allclose(array(got), want[k], rtol=1e-12, atol=1e-13)


@each_op
def test_expanded_gradient_arrives(op: Op) -> None:
    """`sum().backward()` sends a gradient with stride zero into every rule."""
    for sample in samples(op):
        call, inputs = closed(op, sample)
        results = differentiable(call(*inputs))
        ones = [tg.ones_like(r) for r in results]
        spread = [tg.ones((), dtype=r.dtype).expand(r.shape) for r in results]
        want = tg.autograd.grad(results, inputs, ones, retain_graph=True)
        got = tg.autograd.grad(results, inputs, spread)
        for a, b in zip(got, want, strict=True):
            np.testing.assert_allclose(array(a), array(b), rtol=1e-12, atol=1e-13)


def test_results_without_gradient_for_integers_and_questions() -> None:
    x = tg.ones(3, requires_grad=True)
    for result in (
        x > 0,
        x.argmax(),
        x.isnan(),
        x.any(),
        x.all(),
        x.max(0).indices,
        x.long(),
        x == x,
    ):
        assert not result.requires_grad
        assert result.grad_fn is None


# ---------------------------------------------------------------- where a derivative is a choice


def gradient(f: Any, values: Any) -> list:
    x = tg.tensor(values, dtype=tg.float64, requires_grad=True)
    f(x).sum().backward()
    return x.grad.tolist()


F = tg.nn.functional
KINKS: dict[str, tuple] = {
    "abs": (lambda x: x.abs(), [0.0], [0.0]),
    "relu": (lambda x: x.relu(), [0.0, -0.0], [0.0, 0.0]),
    "leaky_relu": (lambda x: F.leaky_relu(x, 0.1), [0.0], [0.1]),
    "elu": (lambda x: F.elu(x, 0.5), [0.0], [0.5]),
    "clamp": (lambda x: x.clamp(-1, 1), [-1.0, 1.0, -2.0, 0.0], [1.0, 1.0, 0.0, 1.0]),
    "clamp_min": (lambda x: x.clamp(min=0), [0.0, -1.0, 1.0], [1.0, 0.0, 1.0]),
    "sign": (lambda x: x.sign(), [0.0, 2.0], [0.0, 0.0]),
    "round": (lambda x: x.round() + x.floor() + x.ceil() + x.trunc(), [0.3, 1.0], [0.0, 0.0]),
    "sqrt": (lambda x: x.sqrt(), [0.0], [float("inf")]),
    "log": (lambda x: x.log(), [0.0], [float("inf")]),
    "maximum-tie": (lambda x: tg.maximum(x, x.detach()), [1.0], [0.5]),
    "minimum-tie": (lambda x: tg.minimum(x, x.detach()), [1.0], [0.5]),
    "amax-tie": (lambda x: x.amax(), [2.0, 2.0, 1.0, 2.0], [1 / 3, 1 / 3, 0.0, 1 / 3]),
    "amin-tie": (lambda x: x.amin(0), [2.0, 1.0, 1.0], [0.0, 0.5, 0.5]),
    "max-tie": (lambda x: x.max(), [2.0, 2.0, 1.0, 2.0], [1 / 3, 1 / 3, 0.0, 1 / 3]),
    "max-dim-tie": (lambda x: x.max(0).values, [1.0, 2.0, 2.0], [0.0, 1.0, 0.0]),
    "norm-zero": (lambda x: x.norm(), [0.0, 0.0], [0.0, 0.0]),
    "norm-1": (lambda x: x.norm(1), [0.0, 2.0, -2.0], [0.0, 1.0, -1.0]),
    "norm-inf-tie": (lambda x: x.norm(float("inf")), [2.0, -2.0, 1.0], [0.5, -0.5, 0.0]),
    "prod-one-zero": (lambda x: x.prod(), [0.0, 2.0, 3.0], [6.0, 0.0, 0.0]),
    "prod-two-zeros": (lambda x: x.prod(), [0.0, 0.0, 3.0], [0.0, 0.0, 0.0]),
    "prod-dim-zero": (lambda x: x.prod(0), [0.0, 2.0, 3.0], [6.0, 0.0, 0.0]),
    "pow-0": (lambda x: x**0, [0.0, 2.0], [0.0, 0.0]),
    "pow-1-at-0": (lambda x: x**1, [0.0], [1.0]),
    "pow-2-at-0": (lambda x: x**2, [0.0, -3.0], [0.0, -6.0]),
    "pow-of-negative": (lambda x: x**3, [-2.0], [12.0]),
    "base-0": (lambda x: 0.0**x, [1.0, 2.0], [0.0, 0.0]),
    "remainder": (lambda x: x % 2, [3.5], [1.0]),
    "where": (lambda x: tg.where(x > 0, x * 2, x * 3), [1.0, -1.0], [2.0, 3.0]),
    "smooth-tails": (lambda x: F.gelu(x) + F.silu(x), [-200.0, 200.0], [0.0, 2.0]),
    "softplus-tail": (lambda x: F.softplus(x), [1000.0, -1000.0], [1.0, 0.0]),
    "sigmoid-tail": (lambda x: x.sigmoid(), [1000.0, -1000.0], [0.0, 0.0]),
    "logsumexp": (lambda x: x.logsumexp(0), [1000.0, 1000.0], [0.5, 0.5]),
    "l1_loss": (lambda x: F.l1_loss(x, x.detach()), [1.0, 2.0], [0.0, 0.0]),
}


@pytest.mark.parametrize("case", KINKS)
def test_convention(case: str) -> None:
    f, at, want = KINKS[case]
    assert gradient(f, at) == pytest.approx(want)


def test_masked_gradient_has_no_nan_from_the_other_branch() -> None:
    x = tg.tensor([1.0, 4.0], requires_grad=True)
    x.masked_fill(tg.tensor([True, False]), 0.0).sum().backward()
    assert x.grad.tolist() == [0.0, 1.0]


def test_repeated_indices_accumulate() -> None:
    x = tg.zeros(3, requires_grad=True)
    (x[tg.tensor([0, 0, 2, 0])] * tg.tensor([1.0, 2.0, 3.0, 4.0])).sum().backward()
    assert x.grad.tolist() == [7.0, 0.0, 3.0]


def test_ignored_targets_get_no_gradient() -> None:
    x = tg.randn(3, 4, requires_grad=True)
    F.cross_entropy(x, tg.tensor([1, -100, 2])).backward()
    assert x.grad[1].abs().sum().item() == 0
    assert x.grad.sum(1).tolist() == pytest.approx([0, 0, 0], abs=1e-6)


def test_mixed_dtypes_give_each_input_its_own() -> None:
    a = tg.ones(3, requires_grad=True)
    b = tg.ones(3, dtype=tg.float64, requires_grad=True)
    (a * b).sum().backward()
    assert (a.grad.dtype, b.grad.dtype) == (tg.float32, tg.float64)


def test_integer_operands_take_part_without_gradient() -> None:
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    (x * tg.tensor([2, 3]) + tg.tensor([True, False])).sum().backward()
    assert x.grad.tolist() == [2.0, 3.0]


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("scale", [1e-25, 1e-3, 1e20])
def test_layer_norm_of_any_magnitude(scale: float, create_graph: bool) -> None:
    values = np.array([[1.0, 2.0, 4.0], [1.0, 1.5, -3.0]]) * scale
    weights = tg.tensor([[1.0, -2.0, 0.5], [3.0, 0.0, 1.0]], dtype=tg.float64)
    found = {}
    for dtype in (tg.float32, tg.float64):
        x = tg.tensor(values, dtype=dtype, requires_grad=True)
        y = F.layer_norm(x, (3,), eps=0.0)
        (g,) = tg.autograd.grad(y, x, weights.to(dtype), create_graph=create_graph)
        found[dtype] = array(y), array(g) * scale
    for one, exact in zip(*found.values(), strict=True):
        np.testing.assert_allclose(one, exact, rtol=1e-5)


def test_layer_norm_of_higher_orders() -> None:
    """Mean and deviation stay functions of the input, however often it is differentiated."""

    def composed(x: Any, w: Any, b: Any) -> Any:
        centred = x - x.mean(1, keepdim=True)
        return centred * tg.rsqrt(centred.square().mean(1, keepdim=True) + 1e-5) * w + b

    def orders(f: Any) -> list:
        make = np.random.default_rng(0).standard_normal
        inputs = [contiguous(make(s)).requires_grad_() for s in ((2, 4), (4,), (4,))]
        y = (f(*inputs) ** 3).sum()
        found = []
        for _ in range(4):
            grads = tg.autograd.grad(y, inputs, create_graph=True)
            found += [array(g) for g in grads]
            y = sum(g.square().sum() for g in grads)
        return found

    fused = orders(lambda x, w, b: F.layer_norm(x, (4,), w, b))
    for one, want in zip(fused, orders(composed), strict=True):
        np.testing.assert_allclose(one, want, rtol=1e-11, atol=1e-11 * np.abs(want).max())


def test_layer_norm_far_from_zero() -> None:
    """What rounding takes from a mean that is large beside the deviations is not lost."""
    values = np.random.default_rng(0).integers(0, 64, (4, 100)) * 2.0**-4 + 1e6
    found = {}
    for dtype in (tg.float32, tg.float64):
        x = tg.tensor(values, dtype=dtype, requires_grad=True)
        y = F.layer_norm(x, (100,))
        (g,) = tg.autograd.grad((y**3).sum(), x)
        found[dtype] = array(y), array(g)
    for one, exact in zip(*found.values(), strict=True):
        np.testing.assert_allclose(one, exact, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_higher_orders(order: int) -> None:
    x = tg.tensor([0.3, -0.7], dtype=tg.float64, requires_grad=True)
    y = x.sin() * x.exp()
    for _ in range(order):
        (y,) = tg.autograd.grad(y.sum(), x, create_graph=True)
    z = (1 + 1j) ** order * np.exp((1 + 1j) * np.array([0.3, -0.7]))
    np.testing.assert_allclose(array(y), z.imag, rtol=1e-12)


@pytest.mark.parametrize(
    "name",
    [
        "linear",
        "cross_entropy",
        "softmax",
        "log_softmax",
        "layer_norm",
        "binary_cross_entropy_with_logits",
    ],
)
def test_fused_operators_are_one_node(name: str) -> None:
    """They are single operators with one derivative, not compositions."""
    op = BY_NAME[name]
    call, inputs = closed(op, samples(op)[0])
    node = call(*inputs).grad_fn
    for child, _ in node.next_functions:
        seen = child
        while seen is not None and "AccumulateGrad" not in seen.name():
            # PyTorch puts transposes and log-softmax in front; each is at most one more node.
            assert len(seen.next_functions) <= 1
            seen = seen.next_functions[0][0] if seen.next_functions else None


def test_gradient_needs_a_path() -> None:
    x = tg.ones(2, requires_grad=True)
    with raises(RuntimeError, "element 0 of tensors does not require grad"):
        x.floor().detach().sum().backward()


@pytest.mark.parametrize("dims", [{}, {"dim": 1}, {"dim": (0, 1), "keepdim": True}])
def test_number_of_nonzero_elements_has_no_slope(dims: dict) -> None:
    x = tg.tensor([[0.0, 1.0], [2.0, 3.0]], requires_grad=True)
    for create_graph in (False, True):
        y = x.norm(0, **dims).sum()
        (grad,) = tg.autograd.grad(y, x, create_graph=create_graph)
        assert y.item() == 3
        assert grad.tolist() == [[0.0, 0.0], [0.0, 0.0]]
