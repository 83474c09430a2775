"""Every operator, recorded once and replayed on other values: the same bits as without."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tapegrad as tg
from op_row import Make, Op, Sample, outputs, prepare
from op_table import TABLE
from support import array, contiguous
from tapegrad import _C

SEEDS = (0, 1, 2)

WINDOW = "an operation in place without a recorded kernel"  # but with another shape
SHAPE = "a shape that depends on values"
CONDITION = "the value of a tensor, as a condition of Python"
LOOKS = "an operation that looks at the values of a tensor"
NUMBER = "the value of a tensor, read as a number"
INDEX = "the value of a tensor, as a number of Python"

# Rows that run as they are for some of their samples at least, and why; those in place have a `_`.
NOT_REPLAYED: dict[str, set[str]] = {
    "allclose": {LOOKS},
    "argwhere": {SHAPE},
    "bincount": {SHAPE},
    "cov": {NUMBER},  # of weighted observations, whose sum may be zero
    "equal": {LOOKS},
    "getitem": {SHAPE, INDEX},
    "index_put": {SHAPE},  # at a mask
    "index_put_": {SHAPE},
    "is_nonzero": {CONDITION},
    "linalg_lstsq": {SHAPE},  # of residuals, which there are at full rank
    "masked_select": {SHAPE},
    "nonzero": {SHAPE},
    "repeat_interleave": {SHAPE},
    "setitem": {SHAPE},  # several values at a mask
    "squeeze_": {WINDOW},
    "t_": {WINDOW},
    "tensor_split": {SHAPE},
    "transpose_": {WINDOW},
    "unique": {SHAPE},
    "unique_consecutive": {SHAPE},
    "unsqueeze_": {WINDOW},
}


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    _C._set_replay_folder(str(Path(tg.__file__).parent))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what is not replayed
        yield


def skeleton(sample: Sample) -> str:
    """All that a program depends on: shapes, dtypes and what is no array."""
    return repr(prepare(sample, lambda values, _: (values.shape, values.dtype.name)))


def memory_of(tensor: tg.Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


class Program:
    """A row and one of its samples as a function of tensors alone: results, and gradients."""

    def __init__(self, op: Op, sample: Sample, in_place: bool) -> None:
        self.op, self.sample, self.in_place = op, sample, in_place
        self.weights: dict[tuple, tg.Tensor] = {}
        self.shared: dict[int, bool] = {}

    def tensors(self, sample: Sample) -> list[tg.Tensor]:
        found: list[tg.Tensor] = []

        def leaf(values: np.ndarray, differentiable: bool) -> None:
            found.append(contiguous(values).requires_grad_(differentiable and self.op.diff))

        prepare(sample, leaf)
        return found

    def weight(self, i: int, result: tg.Tensor) -> tg.Tensor:
        key = i, *result.shape
        if key not in self.weights:
            values = np.random.default_rng(i).random(tuple(result.shape))
            self.weights[key] = contiguous(values).to(result.dtype)
        return self.weights[key]

    def __call__(self, *tensors: tg.Tensor) -> tuple:
        rest = iter(tensors)
        args, kwargs = prepare(self.sample, lambda *_: next(rest))
        if self.in_place:
            args[0] = args[0].clone()
            got = [getattr(args[0], self.op.inplace)(*args[1:], **kwargs)]
        else:
            got = outputs(self.op.call(tg, *args, **kwargs))
        results = [r.detach() if isinstance(r, tg.Tensor) else r for r in got]
        roots = [r for r in got if isinstance(r, tg.Tensor) and r.requires_grad]
        if roots:
            weights = [self.weight(i, r) for i, r in enumerate(roots)]
            inputs = [t for t in tensors if t.requires_grad]
            results += tg.autograd.grad(roots, inputs, weights, allow_unused=True)
        # What shows the memory of an argument, or of a weight, is copied.
        given = {memory_of(t) for t in (*tensors, *self.weights.values())}
        for i, r in enumerate(results):
            if isinstance(r, tg.Tensor):
                if self.shared.setdefault(i, memory_of(r) in given):
                    results[i] = r.clone()
                given.add(memory_of(r))
        return tuple(results)


def run(f: Callable, tensors: list[tg.Tensor]) -> tuple[list, bytes]:
    tg.manual_seed(7)
    results = [
        (array(r).tobytes(), r.dtype, r.shape, r.stride()) if isinstance(r, tg.Tensor) else r
        for r in f(*tensors)
    ]
    return results, array(tg.get_rng_state()).tobytes()


def refusal(op: Op, samples: list[Sample], in_place: bool) -> str | None:
    """Compares samples of one kind with what eager gives; why they are not replayed, or None."""
    program = Program(op, samples[0], in_place)
    try:
        run(program, program.tensors(samples[0]))
    except RuntimeError:
        if not in_place:
            raise
        return None  # this sample has no form in place
    compiled = _C._Compiled(program)
    for sample in [*samples, *samples[1:]]:
        tensors = program.tensors(sample)
        want = run(program, tensors)
        assert run(compiled, tensors) == want, f"{op.name}({sample}) in {tensors}"
    facts = compiled._facts()
    (variant,) = facts["variants"]
    if not variant["replayed"]:
        return variant["reason"].partition(" (/")[0]
    assert facts["replays"] == 2 * (len(samples) - 1)
    return None


def kinds(op: Op, dtype: str) -> Iterator[list[Sample]]:
    """The samples of a row, each with others that differ in nothing but values."""
    first, *others = [list(op.samples(Make(dtype, seed))) for seed in SEEDS]
    for i, sample in enumerate(first):
        yield [sample, *(s[i] for s in others if skeleton(s[i]) == skeleton(sample))]


@pytest.mark.parametrize("op", TABLE, ids=lambda op: op.name)
def test_replay_gives_the_bits_of_eager(op: Op) -> None:
    found: dict[str, set[str]] = {}
    for dtype in sorted({"float32", "float64", "int64"} & set(op.dtypes) or {op.dtypes[0]}):
        for samples in kinds(op, dtype):
            for in_place in (False, True) if op.inplace else (False,):
                if reason := refusal(op, samples, in_place):
                    found.setdefault(op.name + "_" * in_place, set()).add(reason)
    assert found == {
        name: NOT_REPLAYED[name] for name in (op.name, op.name + "_") if name in NOT_REPLAYED
    }


def test_views_of_arguments_in_other_memory() -> None:
    compiled = _C._Compiled(lambda x: x.T.clone())
    for _ in range(3):
        x = tg.randn(2, 3)
        assert compiled(x).equal(x.T)
    assert compiled._facts()["replays"] == 2


def test_arguments_that_share_memory_only_at_first() -> None:
    compiled = _C._Compiled(lambda a, b: a * 2 + b)
    x = tg.randn(2, 3)
    assert compiled(x[0], x[1]).equal(x[0] * 2 + x[1])
    for _ in range(3):
        a, b = tg.randn(3), tg.randn(3)
        assert compiled(a, b).equal(a * 2 + b)


def test_a_parameter_that_is_only_seen_through_a_view() -> None:
    weight = tg.nn.Parameter(tg.randn(3, 2))
    compiled = _C._Compiled(lambda x: (x @ weight.T).detach())
    x = tg.randn(4, 2)
    for _ in range(3):
        assert compiled(x).equal((x @ weight.T).detach())
        weight.data = tg.randn(3, 2)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e30, float("nan")])
@pytest.mark.parametrize("order", [1.0, 2.0, float("inf")])
def test_gradient_clipping(scale: float, order: float) -> None:
    parameters = [tg.zeros(3, requires_grad=True), tg.zeros(2, 2, requires_grad=True)]

    def clip(*grads: tg.Tensor) -> tuple:
        for p, g in zip(parameters, grads, strict=True):
            p.grad = g.clone()
        total = tg.nn.utils.clip_grad_norm_(parameters, 1.0, order)
        clipped = tuple(p.grad for p in parameters)
        for p in parameters:
            p.grad = None
        return total, *clipped

    compiled = _C._Compiled(clip)
    for factor in (1.0, 0.0, scale, scale * scale, 1.0):
        grads = [tg.randn(3) * factor, tg.randn(2, 2) * factor]
        assert run(compiled, grads) == run(clip, grads)
    assert compiled._facts()["replays"] == 4


def test_an_index_out_of_range_raises_in_a_replay() -> None:
    compiled = _C._Compiled(lambda x, i: tg.gather(x, 0, i))
    x = tg.arange(4)
    assert compiled(x, tg.tensor([1, 2])).tolist() == [1, 2]
    with pytest.raises(RuntimeError, match="index 4 is out of bounds"):
        compiled(x, tg.tensor([4, 0]))
    assert compiled(x, tg.tensor([3, 0])).tolist() == [3, 0]
    assert compiled._facts()["recordings"] == 1


def names_of(given: Any) -> set[str]:
    return {op.name for op in given}


def test_the_list_names_rows() -> None:
    assert {name.removesuffix("_") for name in NOT_REPLAYED} <= names_of(TABLE)
