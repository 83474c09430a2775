"""Every operator where some dimension has no elements: an error or a result, with its gradients."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import tapegrad as tg
from op_row import Const, Make, Op, Sample, outputs, prepare
from op_table import TABLE
from support import array, contiguous


def arrays(value: Any) -> Iterator[np.ndarray]:
    if isinstance(value, Const):
        value = value.value
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, tuple | list):
        for part in value:
            yield from arrays(part)


def without(value: Any, size: int) -> Any:
    """The argument with 0 in place of each dimension of a size."""
    if isinstance(value, Const):
        return Const(without(value.value, size))
    if isinstance(value, np.ndarray):
        return np.asarray(value[tuple(slice(0 if n == size else None) for n in value.shape)])
    if isinstance(value, tuple | list):
        return type(value)(without(part, size) for part in value)
    return value


def emptied(sample: Sample) -> Iterator[Sample]:
    everything = [*sample.args, *sample.kwargs.values()]
    for size in sorted({n for values in arrays(everything) for n in values.shape}):
        yield Sample(
            tuple(without(a, size) for a in sample.args),
            {k: without(v, size) for k, v in sample.kwargs.items()},
        )


@pytest.mark.parametrize("op", TABLE, ids=lambda op: op.name)
def test_without_elements(op: Op) -> None:
    dtype = "float64" if "float64" in op.dtypes else op.dtypes[0]
    made = op.samples(Make(dtype, seed=zlib.crc32(op.name.encode())))
    for sample in (few for one in made for few in emptied(one)):
        inputs: list = []

        def leaf(values: np.ndarray, differentiable: bool, inputs: list = inputs) -> Any:
            x = contiguous(values)
            if differentiable and op.diff and x.is_floating_point():
                inputs.append(x.requires_grad_())
            return x

        args, kwargs = prepare(sample, leaf)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                results = outputs(op.call(tg, *args, **kwargs))
            except (RuntimeError, ValueError, IndexError):
                continue
            results = [r for r in results if isinstance(r, tg.Tensor)]
            for r in results:
                array(r)
            wanted = [r for r in results if r.requires_grad]
            if not wanted:
                continue
            weights = [tg.ones_like(r) for r in wanted]
            try:
                found = tg.autograd.grad(
                    wanted, inputs, weights, create_graph=True, allow_unused=True
                )
            except RuntimeError as error:
                assert "not differentiable" in str(error), sample
                continue
            for g, x in zip(found, inputs, strict=True):
                assert g is None or g.shape == x.shape, sample
            again = [g for g in found if g is not None and g.requires_grad]
            if again:
                tg.autograd.grad(again, inputs, [tg.ones_like(g) for g in again], allow_unused=True)
