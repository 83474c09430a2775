"""Random programs of views, in-place and out-of-place operations.

A program is a list of steps on a pool of tensors. It runs in lock-step here and on PyTorch, and
everything that a user can see must be the same after each step; then the gradients must be. Without
PyTorch the gradients of programs are compared with finite differences.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tapegrad as tg
from support import LIBRARY, array, contiguous

try:
    import torch
except ImportError:
    torch = None

# More of them find rarer programs: TAPEGRAD_EXAMPLES=2000 pytest tests/test_programs.py
EXAMPLES = int(os.environ.get("TAPEGRAD_EXAMPLES", "120"))

needs_torch = pytest.mark.skipif(torch is None, reason="needs PyTorch")


def axis(x: Any, k: int) -> int:
    return k % max(x.dim(), 1)


def length(x: Any, k: int) -> int:
    return x.shape[axis(x, k)] if x.dim() else 1


def index(lib: Any, x: Any, k: int) -> Any:
    """Positions along the first dimension, some of them twice."""
    return lib.tensor([k % length(x, 0), 0, -1], dtype=lib.int64)


def places(lib: Any, x: Any, k: int) -> Any:
    """A position for each slice along a dimension."""
    return lib.arange(length(x, k)) * (k + 1) % length(x, k)


def order(lib: Any, x: Any, k: int) -> Any:
    """The positions along the first dimension, each once."""
    return (lib.arange(length(x, 0)) + k) % length(x, 0)


def rotated(x: Any, k: int) -> list[int]:
    return [(i + k) % x.dim() for i in range(x.dim())]


def window(x: Any, k: int) -> Any:
    """Windows by sizes and strides, some of which reach out of the view."""
    sizes, strides = [((2, 2), (2, 1)), ((3,), (1,)), ((2,), (3,))][k % 3]
    return x.as_strided(sizes, strides, 1) if k < 3 else x.as_strided(sizes, strides)


def assign(place: Callable, value: Callable) -> Callable:
    def step(lib: Any, x: Any, y: Any, k: int) -> None:
        x[place(lib, x, k)] = value(lib, x, y, k)

    return step


# Each step is a function of the library, a tensor, one that expands to its shape, and a number.
# What it returns joins the pool.
Step = Callable[[Any, Any, Any, int], Any]

VIEWS: dict[str, Step] = {
    "first_half": lambda lib, x, y, k: x[: (length(x, 0) + 1) // 2],
    "stepped": lambda lib, x, y, k: x[..., k % 2 :: 2],
    "select": lambda lib, x, y, k: x.select(axis(x, k), -1),
    "row": lambda lib, x, y, k: x[k % length(x, 0)],
    "narrow": lambda lib, x, y, k: x.narrow(axis(x, k), k % 2, 1),
    "transpose": lambda lib, x, y, k: x.transpose(0, -1),
    "permute": lambda lib, x, y, k: x.permute(rotated(x, k)),
    "flat": lambda lib, x, y, k: x.reshape(-1),
    "view": lambda lib, x, y, k: x.view(-1, 2) if k % 2 else x.view(x.shape),
    "reshape": lambda lib, x, y, k: x.reshape(2, -1),
    "flatten": lambda lib, x, y, k: x.flatten(),
    "unsqueeze": lambda lib, x, y, k: x.unsqueeze(k % (x.dim() + 1)),
    "new_axis": lambda lib, x, y, k: x[..., None],
    "squeeze": lambda lib, x, y, k: x.squeeze() if k % 2 else x.squeeze(axis(x, k)),
    "expand": lambda lib, x, y, k: x.expand(2, *x.shape),
    "diagonal": lambda lib, x, y, k: x.diagonal(k % 3 - 1),
    "as_strided": lambda lib, x, y, k: window(x, k),
    "alias": lambda lib, x, y, k: x.view_as(x),
    "detach": lambda lib, x, y, k: x.detach(),
    "data": lambda lib, x, y, k: x.data,
    "no_grad_view": lambda lib, x, y, k: quietly(lib.no_grad, lambda: x[:1]),
    "inference_view": lambda lib, x, y, k: quietly(lib.inference_mode, lambda: x[:1]),
    "split": lambda lib, x, y, k: x.split(2, axis(x, k)),
    "chunk": lambda lib, x, y, k: x.chunk(2, axis(x, k))[k % 2 :],
    "unbind": lambda lib, x, y, k: x.unbind(axis(x, k))[:2],
}

WRITES: dict[str, Step] = {
    "add_": lambda lib, x, y, k: x.add_(y),
    "add_number": lambda lib, x, y, k: x.add_(0.25 * k),
    "sub_": lambda lib, x, y, k: x.sub_(y),
    "add_scaled": lambda lib, x, y, k: x.add_(y, alpha=0.5),
    "mul_": lambda lib, x, y, k: x.mul_(y),
    "mul_number": lambda lib, x, y, k: x.mul_(0.5 - 0.25 * k),
    "div_": lambda lib, x, y, k: x.div_(y * y + 1),
    "sin_": lambda lib, x, y, k: x.sin_(),
    "tanh_": lambda lib, x, y, k: x.tanh_(),
    "relu_": lambda lib, x, y, k: x.relu_(),
    "neg_": lambda lib, x, y, k: x.neg_(),
    "clamp_": lambda lib, x, y, k: x.clamp_(-0.5, 0.5),
    "ge_": lambda lib, x, y, k: x.ge_(y),
    "cumsum_": lambda lib, x, y, k: x.cumsum_(axis(x, k)),
    "cumprod_": lambda lib, x, y, k: x.cumprod_(axis(x, k)),
    "transpose_": lambda lib, x, y, k: x.transpose_(0, -1),
    "unsqueeze_": lambda lib, x, y, k: x.unsqueeze_(k % (x.dim() + 1)),
    "squeeze_": lambda lib, x, y, k: x.squeeze_() if k % 2 else x.squeeze_(axis(x, k)),
    "as_strided_": lambda lib, x, y, k: x.as_strided_((2,), (k,), 1),
    "copy_": lambda lib, x, y, k: x.copy_(y),
    "copy_of_product": lambda lib, x, y, k: x.copy_(y * 0.5),
    "fill_": lambda lib, x, y, k: x.fill_(y.sum() if k % 2 else 0.25 * k),
    "zero_": lambda lib, x, y, k: x.zero_(),
    "masked_fill_": lambda lib, x, y, k: x.masked_fill_(x.detach() > 0.1 * k, 0.5),
    "index_put_": lambda lib, x, y, k: x.index_put_(
        (index(lib, x, k)[:2],), y.sum() * 0.5, accumulate=k % 2 == 0
    ),
    "index_put_part": lambda lib, x, y, k: x.index_put_((index(lib, x, k)[:1],), y),
    "index_add_": lambda lib, x, y, k: x.index_add_(
        axis(x, k), places(lib, x, k), (x * 0.5 + y), alpha=0.5 * k
    ),
    "index_add_part": lambda lib, x, y, k: x.index_add_(0, places(lib, y, k), y),
    "index_copy_": lambda lib, x, y, k: x.index_copy_(0, order(lib, x, k), x.sin() + y),
    "index_fill_": lambda lib, x, y, k: x.index_fill_(
        axis(x, k), places(lib, x, k)[:1], y.sum() if k % 2 else 0.5
    ),
    "masked_scatter_": lambda lib, x, y, k: x.masked_scatter_(x.detach() > 0.1 * k, x.sin() + y),
    "scatter_reduce_": lambda lib, x, y, k: x.scatter_reduce_(
        0,
        lib.zeros_like(x, dtype=lib.int64),
        x.cos() + y,
        ("sum", "mean", "amax", "amin")[k % 4],
        include_self=k > 2,
    ),
    "scatter_add_": lambda lib, x, y, k: x.scatter_add_(
        0, lib.zeros_like(x, dtype=lib.int64), (y + x * 0.5)
    ),
    "scatter_": lambda lib, x, y, k: x.scatter_(
        0, lib.zeros_like(x, dtype=lib.int64), (y + x.detach())
    ),
    "set_slice": assign(lambda lib, x, k: slice(None, 1), lambda lib, x, y, k: y.mean()),
    "set_all": assign(lambda lib, x, k: slice(None), lambda lib, x, y, k: y),
    "set_column": assign(lambda lib, x, k: (..., -1), lambda lib, x, y, k: 0.5 * k),
    "set_row": assign(lambda lib, x, k: 0, lambda lib, x, y, k: x[-1] * 0.5),
    "set_mask": assign(lambda lib, x, k: x.detach() > 0.1 * k, lambda lib, x, y, k: y.sum() * 0.1),
    "set_rows": assign(index, lambda lib, x, y, k: (x * 2)[:1]),
    "iadd": lambda lib, x, y, k: x.__iadd__(y),
    "iadd_row": lambda lib, x, y, k: x[0].__iadd__(y.sum() * 0.1),
    "imul_part": lambda lib, x, y, k: x[..., 1:].__imul__(0.5),
    "detach_": lambda lib, x, y, k: x.detach_(),
    "zero_data": lambda lib, x, y, k: ignore(x.data.mul_(0.5)),
}

RESULTS: dict[str, Step] = {
    "add": lambda lib, x, y, k: x + y,
    "sub": lambda lib, x, y, k: x - y * 0.5,
    "mul": lambda lib, x, y, k: x * y,
    "div": lambda lib, x, y, k: x / (y * y + 1),
    "sin": lambda lib, x, y, k: x.sin(),
    "sigmoid": lambda lib, x, y, k: x.sigmoid(),
    "square": lambda lib, x, y, k: (x * 0.5) ** 2,
    "where": lambda lib, x, y, k: lib.where(x > 0.1 * k, x, y),
    "maximum": lambda lib, x, y, k: lib.maximum(x, y * 0.9),
    "overlapping": lambda lib, x, y, k: x.as_strided((2, 2), (1, 1)).sin(),
    "clone": lambda lib, x, y, k: x.clone(),
    "contiguous": lambda lib, x, y, k: x.contiguous(),
    "sum": lambda lib, x, y, k: x.sum(axis(x, k)) if k % 2 else x.sum(),
    "mean": lambda lib, x, y, k: x.mean(axis(x, k), keepdim=k > 2),
    "amax": lambda lib, x, y, k: x.amax(axis(x, k)),
    "cumsum": lambda lib, x, y, k: x.cumsum(axis(x, k)),
    "softmax": lambda lib, x, y, k: x.softmax(axis(x, k)),
    "matmul": lambda lib, x, y, k: x @ x.transpose(-2, -1),
    "matmul_vector": lambda lib, x, y, k: x.reshape(2, -1).T @ x.flatten()[:2],
    "cat": lambda lib, x, y, k: lib.cat([x, y.expand(x.shape)], axis(x, k)),
    "stack": lambda lib, x, y, k: lib.stack([x, y.expand(x.shape) * 2], axis(x, k)),
    "take": lambda lib, x, y, k: x[index(lib, x, k)],
    "take_mask": lambda lib, x, y, k: x[x.detach() > 0.1 * k],
    "index_select": lambda lib, x, y, k: x.index_select(0, index(lib, x, k) % length(x, 0)),
    "masked_fill": lambda lib, x, y, k: x.masked_fill(x > 0.1 * k, y.sum().detach()),
    "flip": lambda lib, x, y, k: x.flip(axis(x, k)),
    "tril": lambda lib, x, y, k: x.tril(),
    "leaf": lambda lib, x, y, k: x.detach().clone().requires_grad_(),
    "constant": lambda lib, x, y, k: x.detach().clone(),
}

OTHER: dict[str, Step] = {
    "retain_grad": lambda lib, x, y, k: x.retain_grad(),
    "requires_grad_": lambda lib, x, y, k: ignore(x.requires_grad_(k % 2 == 0)),
    "is_leaf": lambda lib, x, y, k: x.is_leaf,
    "grad_fn": lambda lib, x, y, k: x.grad_fn is None,
    "hook": lambda lib, x, y, k: None,  # by the machine, which keeps what the hook saw
}

STEPS = {**VIEWS, **WRITES, **RESULTS, **OTHER}


def ignore(_: Any) -> None:
    return None


def quietly(mode: Callable, f: Callable) -> Any:
    with mode():
        return f()


@dataclass
class Call:
    """One step: its name, which tensors it takes, its number, and whether it is recorded."""

    name: str
    first: int
    second: int
    number: int
    recorded: bool = True


calls = st.builds(
    Call,
    st.one_of(*(st.sampled_from([*group]) for group in (VIEWS, WRITES, WRITES, RESULTS, OTHER))),
    st.integers(0, 11),
    st.integers(0, 11),
    st.integers(0, 5),
    st.sampled_from([True] * 9 + [False]),
)
programs = st.lists(calls, min_size=1, max_size=14)

MATRIX = np.linspace(-1.1, 1.3, 12).reshape(3, 4)
VECTOR = np.array([0.7, -0.4, 0.2, 1.1])


@dataclass
class Machine:
    """A library, the tensors that a program made on it, and the gradients that hooks saw."""

    lib: Any
    factor: float = 1.0
    seen: list = field(default_factory=list)

    def __post_init__(self) -> None:
        matrix = contiguous(MATRIX, self.lib).requires_grad_()
        vector = contiguous(VECTOR, self.lib).requires_grad_()
        self.leaves = [matrix, vector]
        self.pool = [matrix * 1, contiguous(MATRIX[::-1], self.lib), vector * 2, matrix, vector]

    def operands(self, call: Call) -> tuple[Any, Any]:
        x = self.pool[call.first % len(self.pool)]
        fitting = [y for y in self.pool if expands(y.shape, x.shape)]
        return x, fitting[call.second % len(fitting)]

    def run(self, call: Call) -> Any:
        """Does a step; returns what is not a tensor."""
        x, y = self.operands(call)
        if call.name == "hook":
            if x._is_view() and outcome(lambda: x.is_leaf)[0] is not False:
                return None  # PyTorch crashes: a view that requires grad only as its base does
            seen: list = []
            x.register_hook(lambda grad: seen.append(array_of(grad)) or grad * self.factor)
            self.seen.append((x, seen))
            return None
        if call.name in (*WRITES, "requires_grad_"):
            # PyTorch takes a view whose base has just joined the tape for a leaf until it is asked.
            outcome(lambda: x.grad_fn)
        with contextlib.nullcontext() if call.recorded else self.lib.no_grad():
            made = STEPS[call.name](self.lib, x, y, call.number)
        if made is None or isinstance(made, (bool, str)):
            return made
        for tensor in made if isinstance(made, (tuple, list)) else (made,):
            known = any(tensor is other for other in self.pool)
            if not known and tensor.numel() <= 60 and len(self.pool) < 12:
                self.pool.append(tensor)
                if call.name == "leaf":
                    self.leaves.append(tensor)
        return None

    def loss(self) -> Any:
        """A number that depends on all that can be differentiated."""
        total = self.leaves[0].sum() * 0
        for i, tensor in enumerate(self.pool):
            with contextlib.suppress(RuntimeError):  # views that lost their meaning
                total = total + (tensor * tensor * (0.1 + 0.05 * i)).sum() + tensor.sin().sum()
        return total


def expands(shape: Any, to: Any) -> bool:
    lead = len(to) - len(shape)
    return lead >= 0 and all(s in (1, t) for s, t in zip(shape, to[lead:], strict=True))


def array_of(tensor: Any) -> np.ndarray:
    return np.array(tensor.detach().numpy())


def outcome(f: Callable) -> tuple[Any, str]:
    """What a call returns, or the type of its error and how the message begins."""
    try:
        return f(), ""
    except Exception as error:
        text = str(error).replace(LIBRARY, "torch").split("\n")[0]
        if isinstance(error, IndexError):
            return None, "IndexError"
        return None, f"{type(error).__name__}: {text[:50]}"


# What PyTorch refuses in backward and this library need not. A write into a view keeps a copy of
# what its derivative needs; saved results survive detach_().
STRICTER = (
    "RuntimeError: one of the variables needed for gradient",
    "RuntimeError: Trying to use a saved tensor that has been detache",
)


STALE = ("RuntimeError: A view was created", "RuntimeError: Output ")


def observed(tensor: Any, peek: bool) -> list:
    """What the user can ask a tensor. Looking at grad_fn renews it, so that is not always done."""
    facts = [
        tuple(tensor.shape),
        # Of a single element along a dimension the stride says nothing.
        [s for s, n in zip(tensor.stride(), tensor.shape, strict=True) if n > 1],
        tensor.requires_grad,
        tensor._is_view(),
        outcome(lambda: tensor._version),
    ]
    if peek:
        facts.append(outcome(lambda: tensor.is_leaf))
        facts.append(outcome(lambda: type(tensor.grad_fn).__name__))
        facts.append(outcome(lambda: tensor.output_nr))
        facts.append(outcome(lambda: tensor.is_leaf or tensor.retains_grad))
    return facts


def same(a: Any, b: Any, what: str) -> None:
    assert (a is None) == (b is None), f"{what}: {a} here, {b} there"
    if a is not None:
        want = array_of(b)
        scale = np.abs(want, where=np.isfinite(want), out=np.zeros_like(want)).max(initial=1)
        np.testing.assert_allclose(array_of(a), want, 1e-7, 1e-9 * scale, err_msg=what)


def compare_state(mine: Machine, other: Machine, peek: bool, what: str) -> None:
    assert len(mine.pool) == len(other.pool), what
    for i, (a, b) in enumerate(zip(mine.pool, other.pool, strict=True)):
        here, there = observed(a, peek), observed(b, peek)
        assert here == there, f"{what}: tensor {i}\n{here}\n{there}"
        same(a, b, f"{what}: tensor {i}")


def run_both(program: list[Call], peek: bool, factor: float = 1.0) -> tuple[Machine, Machine]:
    mine, other = Machine(tg, factor), Machine(torch, factor)
    for position, call in enumerate(program):
        what = f"step {position} {call}"
        a, b = outcome(lambda c=call: mine.run(c)), outcome(lambda c=call: other.run(c))
        # Of an operand that lost its meaning and another reason, either may come first.
        both_refuse = a[1] and b[1].startswith(STALE)
        assert a == b or both_refuse, f"{what}\n{a}\n{b}"
        compare_state(mine, other, peek, what)
    compare_state(mine, other, True, "at the end")
    return mine, other


def unique(tensors: Iterable) -> list:
    return [*{id(t): t for t in tensors}.values()]


def gradients_of(machine: Machine, wanted: list, scalar: Any, create_graph: bool) -> Callable:
    def call() -> Any:
        return machine.lib.autograd.grad(
            scalar, wanted, create_graph=create_graph, retain_graph=True, allow_unused=True
        )

    return call


def compare_gradients(mine: Machine, other: Machine, create_graph: bool) -> None:
    losses = [m.loss() for m in (mine, other)]
    same(*losses, "loss")
    machines, found = (mine, other), []
    for order in (1, 2):
        wanted = [unique(t for t in (*m.leaves, *m.pool) if t.requires_grad) for m in machines]
        runs = [
            outcome(gradients_of(m, w, scalar, create_graph))
            for m, w, scalar in zip(machines, wanted, losses, strict=True)
        ]
        if runs[1][1].startswith(STRICTER):
            return
        assert runs[0][1] == runs[1][1], f"order {order}\n{runs[0][1]}\n{runs[1][1]}"
        if runs[0][0] is None:
            return
        found = [grads for grads, _ in runs]
        for i, (a, b) in enumerate(zip(*found, strict=True)):
            same(a, b, f"gradient {i} of order {order}")
            assert a is None or a.requires_grad == b.requires_grad, f"gradient {i} on the tape"
        if not create_graph:
            return
        losses = [sum((g * g).sum() for g in grads if g is not None) for grads in found]
        if not getattr(losses[1], "requires_grad", False):
            return


@needs_torch
@settings(max_examples=EXAMPLES, derandomize=True, suppress_health_check=list(HealthCheck))
@given(programs, st.booleans(), st.booleans())
def test_programs_agree_with_torch(program: list, peek: bool, create_graph: bool) -> None:
    mine, other = run_both(program, peek)
    compare_gradients(mine, other, create_graph)


@needs_torch
@settings(max_examples=EXAMPLES, derandomize=True, suppress_health_check=list(HealthCheck))
@given(programs, st.booleans())
def test_backward_of_programs_agrees_with_torch(program: list, twice: bool) -> None:
    """`.grad` of leaves and of tensors that retain it, what hooks see, and a second pass."""
    mine, other = run_both(program, False, 2.0)
    losses = [m.loss() for m in (mine, other)]
    for what in ("first", "second"):
        a, b = (outcome(lambda s=s: s.backward(retain_graph=twice)) for s in losses)
        if b[1].startswith(STRICTER):
            return
        assert a == b, f"{what}\n{a}\n{b}"
        for i, (x, y) in enumerate(zip(mine.leaves, other.leaves, strict=True)):
            same(x.grad, y.grad, f"{what} gradient of leaf {i}")
        for i, (x, y) in enumerate(zip(mine.pool, other.pool, strict=True)):
            if x.retains_grad:
                same(x.grad, y.grad, f"{what} gradient of tensor {i}")
        for i, ((hooked, x), (_, y)) in enumerate(zip(mine.seen, other.seen, strict=True)):
            if not hooked.requires_grad:  # any more
                continue
            assert len(x) == len(y), f"calls of hook {i}"
            for g, h in zip(x, y, strict=True):
                np.testing.assert_allclose(g, h, 1e-7, 1e-7, err_msg=f"hook {i}")


# ---------------------------------------------------------------- without another library

# Steps without kinks, which differences could meet, and whose shapes do not depend on values.
SMOOTH = [
    *(name for name in VIEWS if name not in ("detach", "data", "no_grad_view", "inference_view")),
    *("add_", "add_number", "sub_", "mul_", "mul_number", "div_", "sin_", "tanh_", "neg_", "copy_"),
    *("copy_of_product", "fill_", "zero_", "index_put_", "scatter_add_", "set_slice", "set_column"),
    *("set_row", "set_rows", "iadd", "iadd_row", "imul_part"),
    *("add", "sub", "mul", "div", "sin", "sigmoid", "square", "clone", "contiguous", "sum"),
    *("mean", "cumsum", "softmax", "matmul", "cat", "stack", "take", "index_select", "flip"),
]
smooth_calls = st.builds(
    Call, st.sampled_from(SMOOTH), st.integers(0, 11), st.integers(0, 11), st.integers(0, 5)
)


@settings(max_examples=50, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.lists(smooth_calls, min_size=1, max_size=12), st.integers(0, 15))
def test_programs_agree_with_differences(program: list, place: int) -> None:
    def run(shift: float) -> tuple[Machine, Any]:
        machine = Machine(tg)
        direction = contiguous(np.cos(np.arange(12.0) + place).reshape(3, 4))
        start = machine.leaves[0].detach() + direction * shift
        machine.leaves[0] = start.requires_grad_()
        machine.pool[0], machine.pool[3] = start * 1, start
        for call in program:
            with contextlib.suppress(RuntimeError, IndexError, ValueError):
                machine.run(call)
        return machine, direction

    machine, direction = run(0.0)
    loss = machine.loss()
    try:
        (grad,) = tg.autograd.grad(loss, machine.leaves[0])
    except RuntimeError as error:
        assert "modified by an inplace operation" in str(error)
        return
    step = 1e-5
    high, low = (array(run(sign * step)[0].loss()) for sign in (1, -1))
    slope = float((high - low) / (2 * step))
    along = float((grad * direction).sum().item())
    scale = max(1.0, abs(float(array(loss.detach()))))
    assert along == pytest.approx(slope, rel=1e-4, abs=1e-4 * scale)
