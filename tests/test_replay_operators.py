"""Every operator, recorded once and replayed on other values: the same bits as without."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tapegrad as tg
from op_row import Op, Sample, outputs, prepare
from support import array, contiguous
from tapegrad import _C

SEEDS = (0, 1, 2)

# Rows that run as they are, and why.
NOT_REPLAYED: dict[str, str] = {}


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    _C._set_replay_folder(str(Path(tg.__file__).parent))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what is not replayed
        yield


def arrays_of(sample: Sample) -> list[np.ndarray]:
    found: list[np.ndarray] = []
    prepare(sample, lambda values, _: found.append(values))
    return found


def skeleton(sample: Sample) -> Any:
    """All that a program depends on: shapes, dtypes and what is no array."""
    return repr(prepare(sample, lambda values, _: (values.shape, values.dtype.name)))


class Program:
    """A row and one of its samples as a function of tensors alone: results, and gradients."""

    def __init__(self, op: Op, sample: Sample, in_place: bool = False) -> None:
        self.op, self.sample, self.in_place = op, sample, in_place
        self.weights: dict[int, tg.Tensor] = {}
        self.shared: dict[int, bool] = {}

    def tensors(self, sample: Sample) -> list[tg.Tensor]:
        found: list[tg.Tensor] = []

        def leaf(values: np.ndarray, differentiable: bool) -> None:
            found.append(contiguous(values).requires_grad_(differentiable and self.op.diff))

        prepare(sample, leaf)
        return found

    def __call__(self, *tensors: tg.Tensor) -> tuple:
        rest = iter(tensors)
        args, kwargs = prepare(self.sample, lambda *_: next(rest))
        if self.in_place:
            args[0] = args[0].clone()
            got = [getattr(args[0], self.op.inplace)(*args[1:], **kwargs)]
        else:
            got = outputs(self.op.call(tg, *args, **kwargs))
        roots = [i for i, r in enumerate(got) if isinstance(r, tg.Tensor) and r.requires_grad]
        for i in roots:
            if i not in self.weights:
                values = np.random.default_rng(i).random(tuple(got[i].shape))
                self.weights[i] = contiguous(values).to(got[i].dtype)
        for i, r in enumerate(got):  # what shows an argument's memory is copied
            if i not in self.shared and isinstance(r, tg.Tensor):
                places = {t.untyped_storage().data_ptr() for t in tensors}
                self.shared[i] = r.untyped_storage().data_ptr() in places
        results = [
            (r.detach().clone() if self.shared[i] else r.detach())
            if isinstance(r, tg.Tensor)
            else r
            for i, r in enumerate(got)
        ]
        if roots:
            inputs = [t for t in tensors if t.requires_grad]
            results += tg.autograd.grad(
                [got[i] for i in roots],
                inputs,
                [self.weights[i] for i in roots],
                allow_unused=True,
            )
        return tuple(results)


def run(f: Callable, tensors: list[tg.Tensor]) -> tuple:
    tg.manual_seed(7)
    results = f(*tensors)
    found = [
        (array(r).tobytes(), r.dtype, r.stride()) if isinstance(r, tg.Tensor) else r
        for r in results
    ]
    return found, array(tg.get_rng_state()).tobytes()


def replay(op: Op, samples: list[Sample], in_place: bool = False) -> str | None:
    """Checks a row's sample against others of the same kind; why it is not replayed, or None."""
    program = Program(op, samples[0], in_place)
    run(program, program.tensors(samples[0]))
    compiled = _C._Compiled(program)
    others = [s for s in samples if skeleton(s) == skeleton(samples[0])]
    for sample in [*others, *others[1:]]:
        tensors = program.tensors(sample)
        want = run(program, tensors)
        assert run(compiled, tensors) == want, f"{op.name}({sample})"
    facts = compiled._facts()
    (variant,) = facts["variants"]
    if variant["replayed"]:
        assert facts["replays"] == 2 * (len(others) - 1), facts
        return None
    return variant["reason"].partition(" (/")[0]
