"""Views as copies: the values and gradients of the view, and memory of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tapegrad as tg
from both import both
from op_row import outputs
from support import array

# The copy, what gives the view, and the name of the node.
CASES: list[tuple[Callable[..., Any], Callable[..., Any], str]] = [
    (lambda t, x: t.alias_copy(x), lambda t, x: x, "Alias"),
    (
        lambda t, x: t.as_strided_copy(x, (2, 2), (1, 3), 1),
        lambda t, x: t.as_strided(x, (2, 2), (1, 3), 1),
        "AsStrided",
    ),
    (lambda t, x: t.diagonal_copy(x, 0, 1, 2), lambda t, x: t.diagonal(x, 0, 1, 2), "Diagonal"),
    (lambda t, x: t.expand_copy(x, (2, 4, 3)), lambda t, x: x.expand(2, 4, 3), "Expand"),
    (lambda t, x: t.permute_copy(x, (2, 0, 1)), lambda t, x: x.permute(2, 0, 1), "Permute"),
    (lambda t, x: t.select_copy(x, 1, -1), lambda t, x: x.select(1, -1), "Select"),
    (lambda t, x: t.slice_copy(x, 1, 1, None, 2), lambda t, x: x[:, 1::2], "Slice"),
    (lambda t, x: t.slice_copy(x, 2, end=-1), lambda t, x: x[..., :-1], "Slice"),
    (lambda t, x: t.squeeze_copy(x), lambda t, x: x.squeeze(), "Squeeze"),
    (lambda t, x: t.squeeze_copy(x, 0), lambda t, x: x.squeeze(0), "Squeeze"),
    (lambda t, x: t.squeeze_copy(x, (0, 1)), lambda t, x: x.squeeze((0, 1)), "Squeeze"),
    (lambda t, x: t.t_copy(x[0]), lambda t, x: x[0].t(), "T"),
    (lambda t, x: t.transpose_copy(x, 0, -1), lambda t, x: x.transpose(0, -1), "Transpose"),
    (lambda t, x: t.unfold_copy(x, 1, 2, 1), lambda t, x: x.unfold(1, 2, 1), "Unfold"),
    (lambda t, x: t.unsqueeze_copy(x, -1), lambda t, x: x.unsqueeze(-1), "Unsqueeze"),
    (lambda t, x: t.view_copy(x, (-1, 6)), lambda t, x: x.view(-1, 6), "View"),
    (lambda t, x: t.split_copy(x, 3, 1), lambda t, x: x.split(3, 1), "Split"),
    (
        lambda t, x: t.split_with_sizes_copy(x, [1, 3], 1),
        lambda t, x: x.split([1, 3], 1),
        "SplitWithSizes",
    ),
    (lambda t, x: t.unbind_copy(x, 1), lambda t, x: x.unbind(1), "Unbind"),
]


def sample(lib: Any) -> Any:
    return lib.arange(12, dtype=lib.float64).reshape(1, 4, 3)


@both
@pytest.mark.parametrize("case", CASES)
def test_copy_of_a_view(lib: Any, case: tuple) -> None:
    copy, view, name = case
    x = sample(lib).requires_grad_()
    got, want = outputs(copy(lib, x)), outputs(view(lib, x))
    assert len(got) == len(want)
    for a, b in zip(got, want, strict=True):
        np.testing.assert_array_equal(array(a.detach()), array(b.detach()))
        assert a.is_contiguous()
        assert a._is_view() is False
        node = a.grad_fn.name()
        assert node.startswith(f"{name}Backward")
        assert node.endswith("_copy")
    found = [
        lib.autograd.grad(sum((r * r.exp()).sum() for r in results), x)[0]
        for results in (got, want)
    ]
    np.testing.assert_array_equal(array(found[0]), array(found[1]))


@both
@pytest.mark.parametrize("case", CASES)
def test_changing_the_copy_leaves_the_tensor(lib: Any, case: tuple) -> None:
    x = sample(lib)
    for part in outputs(case[0](lib, x)):
        part.fill_(-1)
    assert bool((x == sample(lib)).all())


@both
def test_detach_copy(lib: Any) -> None:
    x = sample(lib)
    y = lib.detach_copy(x)
    y.zero_()
    assert bool((x == sample(lib)).all())


@both
def test_out(lib: Any) -> None:
    out = lib.zeros(3, 4, dtype=lib.float64)
    assert lib.t_copy(sample(lib)[0], out=out) is out
    assert out[0].tolist() == [0, 3, 6, 9]


def test_detach_copy_has_no_gradient() -> None:
    assert not tg.detach_copy(sample(tg).requires_grad_()).requires_grad
