"""The page of a graph computes what the engine does: formulas, other operations, random graphs."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import browser
import tapegrad
from op_row import Make, Op, outputs, prepare
from op_table import TABLE
from support import contiguous
from tapegrad import _C
from tapegrad.autograd._drawing import page, tape
from tapegrad.autograd._nodes import is_leaf, nodes_of

F = tapegrad.nn.functional
S = tapegrad.special

pytestmark = pytest.mark.skipif(browser.NODE is None, reason="Node.js is not installed")


def leaf(*shape: int) -> Any:
    return tapegrad.randn(*shape, dtype=tapegrad.float64, requires_grad=True)


def between(low: float, high: float, count: int = 37) -> Any:
    # Not at round numbers, where some functions jump.
    x = tapegrad.linspace(low, high, count, dtype=tapegrad.float64) + 0.00123
    return x.requires_grad_()


def run(losses: list[Any], folder: Path) -> list[dict[str, Any]]:
    """What the page's program makes of graphs."""
    graphs = [page.graph_data(tape.describe(loss)) for loss in losses]
    program = f"""{page.engine_source()}
      const result = {page.as_javascript(graphs)}.map((graph) => {{
        const missing = engine.missing(graph);
        if (missing.length) return {{missing}};
        const unknown = engine.complete(graph);
        return unknown === null ? engine.run(graph) : {{unknown}};
      }});"""
    return browser.in_node(program, folder)


def compare(name: str, loss: Any, result: dict[str, Any], tolerance: float) -> None:
    nodes = nodes_of(loss.grad_fn)
    inputs = [i for i, item in enumerate(tape.describe(loss).items) if item.kind == "input"]
    leaves = [node.variable for node in nodes if is_leaf(node)]
    grads = tapegrad.autograd.grad(loss.sum(), leaves)
    pairs = [(result["values"][-1], loss.detach())]
    pairs += [(result["grads"][i], g) for i, g in zip(inputs, grads, strict=True)]
    for found, expected in pairs:
        expected = expected.numpy()
        assert tuple(found["shape"]) == expected.shape, name
        scale = np.abs(expected[np.isfinite(expected)]).max(initial=1e-300)
        np.testing.assert_allclose(
            np.array(found["data"], dtype=float).reshape(expected.shape),
            expected,
            rtol=tolerance,
            atol=tolerance * min(scale, 1),
            err_msg=name,
        )


def check(losses: dict[str, Any], folder: Path, tolerance: float = 1e-12) -> None:
    """The page's values and gradients of leaves are the engine's."""
    results = run(list(losses.values()), folder)
    for (name, loss), result in zip(losses.items(), results, strict=True):
        assert "values" in result, (name, result)
        compare(name, loss, result, tolerance)


# Formulas ---------------------------------------------------------------------------------------

RANGES = {
    "log": (0.01, 30),
    "log2": (0.01, 30),
    "log10": (0.01, 30),
    "log1p": (-0.9, 9),
    "sqrt": (0.01, 9),
    "rsqrt": (0.01, 9),
    "reciprocal": (0.1, 4),
    "asin": (-0.99, 0.98),
    "acos": (-0.99, 0.98),
    "atanh": (-0.99, 0.98),
    "acosh": (1.01, 20),
    "erfinv": (-0.9999, 0.998),
    "logit": (0.001, 0.998),
    "lgamma": (-7, 40),
    "digamma": (-7, 40),
    "i0": (-90, 90),
    "i0e": (-90, 90),
    "i1": (-60, 60),
    "i1e": (-90, 90),
    "erf": (-8, 8),
    "erfc": (-5, 25),
    "erfcx": (-5, 40),
    "ndtri": (0.0001, 0.998),
    "log_ndtr": (-20, 8),
    "entr": (0.1, 5),
    "polygamma": (0.2, 20),
}
UNARY = {
    "cube": lambda x: x**3,
    "log_sigmoid": F.logsigmoid,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "clamp": lambda x: x.clamp(-1, 2),
    "smooth_l1": lambda x: F.smooth_l1_loss(x, 0 * x, reduction="none"),
    "pow_scalar": lambda x: x.abs() ** 2.5 + x**-1,
    "threshold": lambda x: F.threshold(x, 0.1, 20.0),
    "logit_eps": lambda x: x.logit(0.1),
    "polygamma": lambda x: S.polygamma(2, x) + S.polygamma(3, x),
}
BINARY = {
    "clamp_min": lambda a, b: a.clamp(min=b),
    "clamp_max": lambda a, b: a.clamp(max=b),
    "pow": lambda a, b: a.abs() ** b + 2.0**b,
    "ldexp": tapegrad.ldexp,
    "xlogy": lambda a, b: tapegrad.xlogy(a, b.abs()),
    "xlog1py": lambda a, b: S.xlog1py(a, b.abs()),
    "prelu_kernel": F.prelu,
    "logit_loss": lambda a, b: F.binary_cross_entropy_with_logits(a, b.expand(3, 4).sigmoid()),
}


FORMULA = re.compile(r"^(\w+): \{\n(.*?)^\},", re.MULTILINE | re.DOTALL)


def result_of(name: str, is_binary: bool) -> Any:
    """A function of the formula, applied so that its node is on the tape."""
    where = next((m for m in (tapegrad, F, S) if hasattr(m, name)), None)
    f = UNARY.get(name) or BINARY.get(name) or getattr(where, name)
    return f(leaf(3, 4), leaf(4)) if is_binary else f(between(*RANGES.get(name, (-6, 6))))


def test_every_formula(tmp_path: Path) -> None:
    """Value and derivative of all element-wise operators, as the page has them."""
    tapegrad.manual_seed(0)
    losses = {}
    for name, body in FORMULA.findall(_C._formulas_as_javascript()):
        y = result_of(name, "lhs:" in body)
        losses[name] = (y * tapegrad.rand(y.shape, dtype=tapegrad.float64)).sum()
    check(losses, tmp_path)
    assert len(losses) > 90


def test_numbers_in_the_place_of_operands(tmp_path: Path) -> None:
    x = leaf(3, 4)
    two = (x * 1.5 + 0.25 - 3) / 7 + (1 - x) + 2 / x
    check({"numbers": (two**2).sum() + (2.0**x).sum() + x.remainder(0.7).sum()}, tmp_path)


# Other operations -------------------------------------------------------------------------------

ROWS = tapegrad.tensor([0, 2, 2])


def other_operations() -> dict[str, Any]:
    x, y, w, b = leaf(3, 4), leaf(3, 4), leaf(5, 4), leaf(5)
    square, cube = leaf(4, 4), leaf(2, 3, 4)
    classes, ignoring = tapegrad.tensor([0, 1, 2]), tapegrad.tensor([0, -100, 2])
    odds = tapegrad.rand(3, 4, dtype=tapegrad.float64)
    return {
        "linear": F.linear(x, w, b).tanh().sum(),
        "square linear": F.linear(x, square, square[0]).tanh().sum(),
        "addmm": tapegrad.addmm(square[0], x, square).tanh().sum(),
        "mm": (x @ w.T).exp().sum(),
        "mv and dot": (x @ square[0]).exp().sum() + x[0] @ square[1],
        "bmm": (cube @ cube.transpose(1, 2)).sin().sum(),
        "outer": tapegrad.outer(x[0], b).sin().sum(),
        "mean": x.mean() + x.mean(0).exp().sum() + x.mean((0, 1), keepdim=True).sum(),
        "sum": x.sum(0).exp().sum() + x.sum((0, 1), keepdim=True).sum(),
        "prod": x.prod() + x.prod(1).sum(),
        "extremes": x.amax(1).sum() + x.amin() + x.max() * x.min() + x.max(1)[0].exp().sum(),
        "ties": (x * 0).amax(1).sum() + (x * 0).max(),
        "spread": x.var(1).sum() + x.std() + x.var((0, 1), correction=0).sum(),
        "norms": x.norm() + x.norm(1) + x.norm(float("inf")) + x.norm(dim=1).exp().sum(),
        "logsumexp": x.logsumexp(1).sum() + x.logsumexp((0, 1)),
        "cumsum": (x.cumsum(1) ** 2).sum(),
        "softmax": (F.softmax(x, 1) * F.log_softmax(x, 0)).sum(),
        "cross_entropy": F.cross_entropy(x, classes),
        "cross_entropy, sum": F.cross_entropy(x, ignoring, reduction="sum"),
        "cross_entropy, none": (F.cross_entropy(x, ignoring, reduction="none") ** 2).sum(),
        "nll_loss": F.nll_loss(F.log_softmax(x, 1), classes),
        "mse": F.mse_loss(x, y) + F.mse_loss(x, y, reduction="sum"),
        "mse, none": F.mse_loss(x, y, reduction="none").sin().sum(),
        "bce": F.binary_cross_entropy_with_logits(x, odds),
        "bce, sum": F.binary_cross_entropy_with_logits(x, odds, reduction="sum"),
        "layer_norm": (F.layer_norm(x, (4,), square[0], square[1]) ** 2).sum(),
        "layer_norm of two": (F.layer_norm(cube, (3, 4)) ** 3).sum(),
        "embedding": (F.embedding(ROWS, x) ** 2).sum() + (x[ROWS] ** 3).sum(),
        "gather": (x.gather(1, tapegrad.tensor([[0], [1], [1]])) ** 2).sum(),
        "triangles": (x.tril() * x.triu(1)).sum() + (x.tril(-1) ** 2).sum(),
        "flip": (x.flip(0, 1) * x).sum(),
        "select": (x[1:, 0] ** 2).sum() + (x.T[0] ** 3).sum() + x[-1, -1].exp(),
        "slices": x[..., -2:].cos().sum() + (x.permute(1, 0).flatten()[::3] ** 2).sum(),
        "views": (x.view(12)[:2] * x.reshape(2, 6).sum(1)).sum()
        + (x[:, None].squeeze() ** 2).sum(),
        "expand": (x.unsqueeze(1).expand(3, 2, 4) * cube.transpose(0, 1)).exp().sum(),
        "joined": tapegrad.cat([x, x * 2], 1).sin().sum()
        + (tapegrad.stack([x, -x], 1) ** 3).mean(),
        "where": tapegrad.where(x > 0, x, y * 2).exp().sum(),
        "addcmul": tapegrad.addcmul(x, x, y, value=2.0).sin().sum(),
        "dropout": F.dropout(x, 0.3).sin().sum(),
        "in place": (x * 1).mul_(x).add_(1).exp_().sum(),
        "no number": x * 2,
    }


def test_other_operations(tmp_path: Path) -> None:
    tapegrad.manual_seed(1)
    check(other_operations(), tmp_path)


def test_float32_is_computed_in_double_precision(tmp_path: Path) -> None:
    x = tapegrad.randn(3, 4, requires_grad=True)
    check({"float32": (x.double().exp() * x.half()).sum().float() / 3}, tmp_path, 1e-2)
    check({"float32": (x.exp() * x.double()).sum()}, tmp_path, 1e-5)


def test_a_constant_that_the_tape_does_not_keep(tmp_path: Path) -> None:
    """It follows from the result, where that was kept; the page says so where it was not."""
    x = leaf(3)
    kept = ((x + tapegrad.arange(3)) ** 2).sum() + ((tapegrad.ones(3) - x) ** 3).sum()
    check({"kept": kept}, tmp_path)
    lost = (x + tapegrad.arange(3)).sum()
    assert run([lost], tmp_path) == [{"unknown": "add"}]


def test_operations_that_the_page_does_not_know(tmp_path: Path) -> None:
    x = leaf(3, 3)
    assert run([tapegrad.linalg.det(x)], tmp_path)[0]["missing"] != []


def losses_of(op: Op, in_place: bool) -> Iterator[Any]:
    """Graphs of a row of the operator table."""
    for sample in op.samples(Make("float64")):
        args, kwargs = prepare(sample, lambda x, d: contiguous(x).requires_grad_(d and op.diff))
        try:
            if in_place:
                got = getattr(args[0].clone(), op.inplace)(*args[1:], **kwargs)
            else:
                got = op.call(tapegrad, *args, **kwargs)
        except (AttributeError, RuntimeError):
            continue  # this sample has no form in place
        for result in outputs(got):
            if isinstance(result, tapegrad.Tensor) and result.requires_grad:
                weights = tapegrad.rand(result.shape, dtype=tapegrad.float64)
                yield (result * weights).sum()


@pytest.mark.filterwarnings("ignore")
def test_operators_are_computed_right_or_not_at_all(tmp_path: Path) -> None:
    """All rows of the operator table; the page knows more than half of their graphs."""
    losses = {}
    for op in TABLE:
        if "float64" in op.dtypes:
            for in_place in (False, True) if op.inplace else (False,):
                for i, loss in enumerate(losses_of(op, in_place)):
                    losses[f"{op.name}{'_' * in_place} {i}"] = loss
    results = dict(zip(losses, run([*losses.values()], tmp_path), strict=True))
    known = {name: result for name, result in results.items() if "values" in result}
    assert len(known) > 0.5 * len(losses) > 1000
    for name, result in known.items():
        compare(name, losses[name], result, 1e-10)


# Random graphs ----------------------------------------------------------------------------------

STEPS = [
    lambda a, b: a + b,
    lambda a, b: a - b * 0.5,
    lambda a, b: a * b,
    lambda a, b: a / (1 + b * b),
    lambda a, b: a.tanh(),
    lambda a, b: a.sigmoid() * b,
    lambda a, b: (a * 0.3).exp(),
    lambda a, b: (a * a + 1).log(),
    lambda a, b: F.gelu(a),
    lambda a, b: F.softplus(a) - F.elu(b),
    lambda a, b: tapegrad.maximum(a, b),
    lambda a, b: tapegrad.where(a > b, a, b.sin()),
    lambda a, b: a @ b.T @ a * 0.1,
    lambda a, b: F.softmax(a, -1) + b,
    lambda a, b: a - a.mean(0),
    lambda a, b: tapegrad.cat([a, b])[1 : 1 + a.shape[0]],
    lambda a, b: tapegrad.atan2(a, b.abs() + 1),
    lambda a, b: a.flip(0).clamp(-2, 2),
    lambda a, b: tapegrad.erf(a) * b.logsumexp(1, keepdim=True),
]


def random_loss(seed: int) -> Any:
    choose = random.Random(seed)
    values = [leaf(3, 4) for _ in range(3)]
    for _ in range(choose.randint(3, 14)):
        step = choose.choice(STEPS)
        values.append(step(choose.choice(values[-5:]), choose.choice(values)))
    return (values[-1] * values[-2]).sum()


def test_random_graphs(tmp_path: Path) -> None:
    tapegrad.manual_seed(2)
    check({f"seed {seed}": random_loss(seed) for seed in range(60)}, tmp_path)
