"""Calls that run on both libraries: the same values, derivatives, graphs and errors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import tapegrad as tg
from support import array

torch = pytest.importorskip("torch", reason="PyTorch, the oracle, is not installed")


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


def leaves(lib: Any, arrays: Sequence[np.ndarray], dtype: str = "float64") -> list[Any]:
    made = []
    for values in arrays:
        x = lib.from_numpy(np.array(values))
        if values.dtype.kind == "f":
            x = x.to(getattr(lib, dtype)).requires_grad_()
        made.append(x)
    return made


def flat(result: Any) -> list[Any]:
    return list(result) if isinstance(result, tuple | list) else [result]


def values_of(x: Any) -> np.ndarray:
    return array(x) if isinstance(x, tg.Tensor) else x.detach().numpy()


def close(got: Any, want: Any, tol: float, what: str) -> None:
    assert (got is None) == (want is None), what
    if got is None:
        return
    assert tuple(got.shape) == tuple(want.shape), what
    np.testing.assert_allclose(values_of(got), values_of(want), tol, tol, err_msg=what)


def agree(
    call: Callable[..., Any],
    *arrays: np.ndarray,
    tol: float = 1e-10,
    dtype: str = "float64",
    second: bool = True,
    node: bool = True,
) -> None:
    """call(lib, *tensors) gives the same on both, with first and second derivatives."""
    found = []
    for lib in (tg, torch):
        x = leaves(lib, arrays, dtype)
        diff = [t for t in x if t.requires_grad]
        out = flat(call(lib, *x))
        floats = [y for y in out if y.requires_grad]
        names = [y.grad_fn.name().rpartition(":")[2] for y in floats]
        weights = leaves(lib, [numbers(*y.shape, seed=7) for y in floats], dtype)
        total = sum(((y * w).sum() for y, w in zip(floats, weights, strict=True)), start=0.0)
        grads: list[Any] = []
        if floats:
            grads = list(lib.autograd.grad(total, diff, create_graph=second, allow_unused=True))
        seconds: list[Any] = []
        if second and any(g is not None and g.requires_grad for g in grads):
            squares = sum((g * g * g).sum() for g in grads if g is not None and g.requires_grad)
            seconds = list(lib.autograd.grad(squares, [*diff, *weights], allow_unused=True))
        found.append((out, grads, seconds, names))
    (out, grads, seconds, names), (want_out, want_grads, want_seconds, want_names) = found
    assert len(out) == len(want_out)
    for kind, got, want, factor in (
        ("value", out, want_out, 1),
        ("gradient", grads, want_grads, 4),
        ("second gradient", seconds, want_seconds, 100),
    ):
        assert len(got) == len(want), kind
        for i, (a, b) in enumerate(zip(got, want, strict=True)):
            if b is None and a is not None:  # a zero that PyTorch knows to be one
                assert not values_of(a).any()
                continue
            if a is None and b is not None:
                assert not values_of(b).any()
                continue
            close(a, b, tol * factor, f"{kind} {i}")
    if node:
        assert names == want_names


def refuse_alike(call: Callable[[Any], Any], text: bool = True) -> None:
    """Both refuse the call with the same exception and, unless told, the same first line."""
    with pytest.raises(Exception) as want:
        call(torch)
    with pytest.raises(want.type) as got:
        call(tg)
    if text:
        first = str(want.value).split("\n")[0].replace("torch.", "tapegrad.")
        assert str(got.value).startswith(first.rstrip("."))
