"""PyTorch as an oracle: the same rows, the same inputs, the same results.

Where PyTorch is missing these tests are skipped; the rest of the suite does not need it.
"""

from __future__ import annotations

import itertools
import zlib
from typing import Any

import numpy as np
import pytest

import tapegrad as tg
from op_row import Make, Op, Sample, outputs, prepare, takes_gradients
from op_table import TABLE
from support import ALL, FLOATS, INTS, array, contiguous, tolerance

torch = pytest.importorskip("torch", reason="PyTorch, the oracle, is not installed")

# Results of these depend on the machine's last bits more than the rest does.
ROUGH = {"pow": 4, "std": 4, "norm": 2, "polygamma": 1e3}
# PyTorch has constants of these in single precision, or computes them with fewer digits.
ROUGH_GRADIENTS = {"hardsigmoid": 1e4, "celu": 1e3, "digamma": 100, "special_ndtri": 4}


def samples(op: Op, dtype: str) -> list[Sample]:
    return list(op.samples(Make(dtype, seed=zlib.crc32(op.name.encode()) + 1)))


def run(lib: Any, call: Any, sample: Sample) -> Any:
    args, kwargs = prepare(sample, lambda a, _: contiguous(a, lib))
    return call(lib, *args, **kwargs)


def name_of(dtype: Any) -> str:
    return str(dtype).rpartition(".")[2]


def agree(got: Any, want: Any, factor: float, what: str) -> None:
    got, want = outputs(got), outputs(want)
    assert len(got) == len(want), what
    for a, b in zip(got, want, strict=True):
        if not isinstance(b, torch.Tensor):
            assert type(a) is type(b), what
            assert a == b, what
            continue
        dtype = name_of(b.dtype)
        assert name_of(a.dtype) == dtype, what
        assert tuple(a.shape) == tuple(b.shape), what
        rtol, atol = tolerance(dtype, factor)
        np.testing.assert_allclose(array(a), b.detach().numpy(), rtol, atol, err_msg=what)


def both(call: Any, sample: Sample, factor: float, what: str) -> None:
    """The same outcome of both: results, or an exception of the same type."""
    try:
        want = run(torch, call, sample)
    except Exception as error:
        with pytest.raises(type(error) if type(error).__module__ == "builtins" else RuntimeError):
            run(tg, call, sample)
    else:
        agree(run(tg, call, sample), want, factor, what)


each_op = pytest.mark.parametrize("op", TABLE, ids=lambda op: op.name)


@each_op
def test_same_results(op: Op) -> None:
    for dtype in op.dtypes:
        for sample in samples(op, dtype):
            factor = ROUGH.get(op.name, 1) * max(2.0, op.tol)
            got, want = run(tg, op.call, sample), run(torch, op.call, sample)
            agree(got, want, factor, f"{op.name}({sample}) {dtype}")


@each_op
def test_same_dtypes_are_refused(op: Op) -> None:
    """A dtype that a row does not list may be missing, but never gives something of its own."""
    for dtype in set(ALL) - set(op.dtypes):
        for sample in samples(op, dtype)[:3]:
            try:
                want = run(torch, op.call, sample)
            except Exception:
                with pytest.raises((RuntimeError, TypeError, ValueError, IndexError)):
                    run(tg, op.call, sample)
                continue
            try:
                got = run(tg, op.call, sample)
            except (RuntimeError, TypeError, ValueError):
                continue
            agree(got, want, 4 * op.tol, f"{op.name}({sample}) {dtype}")


def leaves(lib: Any, op: Op, sample: Sample) -> tuple[list, Any]:
    """The differentiable tensors of a sample, and the call with them."""
    inputs: list = []

    def leaf(values: np.ndarray, differentiable: bool) -> Any:
        made = contiguous(values, lib)
        if differentiable:
            inputs.append(made.requires_grad_())
        return made

    args, kwargs = prepare(sample, leaf)
    return inputs, lambda: op.call(lib, *args, **kwargs)


# Samples whose gradients PyTorch gets wrong.
NOT_COMPARED = {
    "pdist(0x3)",  # its backward ends the process where there is no point
    "cummax(0x3,dim=1)",  # the gradient of nothing is the input itself, with its history
    "cummin(0x3,dim=1)",
    "cummax(2x0,dim=1)",
    "cummin(2x0,dim=1)",
    # The window's gradient goes to the input, too, and that of the rest is lost: gradcheck fails.
    "as_strided_scatter(3x4,2x2,(2,2),(4,2))",
    "as_strided_scatter(6,3,(3),(2),1)",
    "as_strided_scatter(2x3,0d,(),(),4)",
    "nanmean(2x2,dim=1)",  # no element counts, but it gives 0 * NaN for them
}


def compared(op: Op, dtype: str) -> list[Sample]:
    return [
        sample
        for sample in samples(op, dtype)
        if takes_gradients(sample) and f"{op.name}({sample})" not in NOT_COMPARED
    ]


@pytest.mark.parametrize("op", [op for op in TABLE if op.diff], ids=lambda op: op.name)
def test_same_gradients(op: Op) -> None:
    for dtype in FLOATS:
        for sample in compared(op, dtype):
            found = []
            for lib in (tg, torch):
                inputs, call = leaves(lib, op, sample)
                results = [r for r in outputs(call()) if r.requires_grad]
                total = sum(((r * (r + 1)).sum() for r in results), lib.zeros(()))
                found.append(lib.autograd.grad(total, inputs, allow_unused=True))
            for a, b in zip(*found, strict=True):
                assert (a is None) == (b is None)
                if b is not None:
                    scale = max(1.0, float(b.abs().max())) if b.numel() else 1.0
                    rtol, atol = tolerance(dtype, 20 * op.tol * ROUGH_GRADIENTS.get(op.name, 1))
                    np.testing.assert_allclose(
                        array(a), b.numpy(), rtol, atol * scale, err_msg=f"{op.name}({sample})"
                    )


@pytest.mark.parametrize("op", [op for op in TABLE if op.diff], ids=lambda op: op.name)
def test_gradients_that_can_be_differentiated(op: Op) -> None:
    """A second derivative of zero is there, too, wherever PyTorch has one."""
    for sample in compared(op, "float64"):
        found = []
        for lib in (torch, tg):
            inputs, call = leaves(lib, op, sample)
            results = [r for r in outputs(call()) if r.requires_grad]
            grads = lib.autograd.grad(
                results, inputs, [lib.ones_like(r) for r in results], create_graph=True
            )
            found.append([g.requires_grad for g in grads])
            differentiable = [g for g in grads if g.requires_grad]
            if lib is tg and differentiable:
                ones = [lib.ones_like(g) for g in differentiable]
                tg.autograd.grad(differentiable, inputs, ones, allow_unused=True)
        for theirs, ours in zip(*found, strict=True):
            assert ours >= theirs, f"{op.name}({sample})"


# ---------------------------------------------------------------- promotion

BINARY = [op for op in TABLE if op.kind == "binary"]
PROMOTES = {"lo": 1, "hi": 3, "away": (0.0,)}


@pytest.mark.parametrize("op", BINARY, ids=lambda op: op.name)
def test_promotion_of_all_dtype_pairs(op: Op) -> None:
    """Tensors and 0-d tensors of each pair of dtypes."""
    for left, right in itertools.product(ALL, ALL):
        for shapes in (((3,), (3,)), ((3,), ()), ((), (3,)), ((), ())):
            pair = [Make(d)(*s, **PROMOTES) for d, s in zip((left, right), shapes, strict=True)]
            if op.name in ("floor_divide", "remainder"):
                pair[1] = np.ones_like(pair[1])
            if op.name == "ldexp" and right in ("bool", "float32"):
                continue  # PyTorch refuses some of these, or takes the power in single precision
            both(
                op.call,
                Sample(tuple(pair), {}),
                4,
                f"{op.name} {left}{shapes[0]} {right}{shapes[1]}",
            )


SCALARS = (2, 2.5, True, 0, 0.5)
SYMBOLS = [op for op in BINARY if op.symbol]


@pytest.mark.parametrize("op", SYMBOLS, ids=lambda op: op.name)
def test_promotion_of_scalars_on_both_sides(op: Op) -> None:
    for dtype, scalar, shape in itertools.product(ALL, SCALARS, ((3,), ())):
        x = Make(dtype)(*shape, **PROMOTES)
        x = np.ones_like(x) if dtype == "bool" else x
        if op.name in ("floor_divide", "remainder") and scalar in (0, False):
            continue
        both(
            lambda _, t, s=scalar: op.symbol(t, s),
            Sample((x,), {}),
            4,
            f"{op.name} {dtype} {scalar}",
        )
        both(
            lambda _, t, s=scalar: op.symbol(s, t),
            Sample((x,), {}),
            4,
            f"{op.name} {scalar} {dtype}",
        )


@pytest.mark.parametrize(
    "name", ["add_", "sub_", "mul_", "div_", "floor_divide_", "remainder_", "pow_"]
)
def test_promotion_in_place(name: str) -> None:
    """The result must fit the dtype that is written to."""
    for left, right in itertools.product(ALL, ALL):
        pair = Make(left)(3, **PROMOTES), Make(right)(3, **PROMOTES)
        if name in ("floor_divide_", "remainder_"):
            pair = pair[0], np.ones_like(pair[1])
        both(lambda _, x, y: getattr(x, name)(y), Sample(pair, {}), 4, f"{left}.{name}({right})")
    for dtype, scalar in itertools.product(ALL, (2, 2.5, True)):
        x = Make(dtype)(3, **PROMOTES)
        both(
            lambda _, t, s=scalar: getattr(t, name)(s),
            Sample((x,), {}),
            4,
            f"{dtype}.{name}({scalar})",
        )


@pytest.mark.parametrize("dtypes", itertools.product(ALL, ALL), ids="-".join)
def test_promotion_of_where_cat_and_stack(dtypes: tuple) -> None:
    pair = tuple(Make(d)(3) for d in dtypes)
    mask = np.array([True, False, True])
    both(lambda t, m, a, b: t.where(m, a, b), Sample((mask, *pair), {}), 1, "where")
    both(lambda t, a, b: t.cat([a, b]), Sample(pair, {}), 1, "cat")
    both(lambda t, a, b: t.stack([a, b]), Sample(pair, {}), 1, "stack")
    assert name_of(tg.promote_types(*(getattr(tg, d) for d in dtypes))) == name_of(
        torch.promote_types(*(getattr(torch, d) for d in dtypes))
    )


@pytest.mark.parametrize("dtypes", itertools.product(ALL, ALL), ids="-".join)
def test_conversion(dtypes: tuple) -> None:
    old, new = dtypes
    x = Make(old)(50, lo=0, hi=100)
    both(lambda t, a: a.to(getattr(t, new)), Sample((x,), {}), 1, "to")
    both(lambda t, a: t.zeros(50, dtype=getattr(t, new)).copy_(a), Sample((x,), {}), 1, "copy_")


# ---------------------------------------------------------------- networks


def test_same_training_run() -> None:
    """Twenty steps of gradient descent stay together in float64."""
    random = np.random.default_rng(0)
    x, y = random.normal(size=(20, 5)), random.integers(0, 3, 20)
    first, second = random.normal(size=(8, 5)) * 0.4, random.normal(size=(3, 8)) * 0.4
    losses = []
    for lib in (tg, torch):
        a, b = (contiguous(w, lib).requires_grad_() for w in (first, second))
        data, target = contiguous(x, lib), contiguous(y, lib)
        course = []
        for _ in range(20):
            hidden = lib.nn.functional.linear(data, a).tanh()
            loss = lib.nn.functional.cross_entropy(hidden @ b.T, target)
            found = lib.autograd.grad(loss, (a, b))
            with lib.no_grad():
                for w, g in zip((a, b), found, strict=True):
                    w -= 0.5 * g
            course.append(loss.item())
        losses.append(course)
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-11)


@pytest.mark.parametrize("dtype", INTS)
def test_wrap_around(dtype: str) -> None:
    x = np.array([np.iinfo(dtype).max, np.iinfo(dtype).min, 1], dtype)
    for f in (lambda t, a: a + a, lambda t, a: a * a, lambda t, a: a - 1, lambda t, a: a * 3 + 7):
        both(f, Sample((x,), {}), 1, dtype)
