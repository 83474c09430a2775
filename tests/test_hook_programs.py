"""Random graphs with hooks of every kind: which are called, when and with what, as in PyTorch."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tapegrad as tg

torch = pytest.importorskip("torch", reason="needs PyTorch")

# More of them find rarer programs: TAPEGRAD_EXAMPLES=5000 pytest tests/test_hook_programs.py
EXAMPLES = int(os.environ.get("TAPEGRAD_EXAMPLES", "120")) * 3
STEPS = 16

RESULTS: tuple[Callable, ...] = (
    lambda t, u: t.sin(),
    lambda t, u: t * 0.5,
    lambda t, u: t * u,
    lambda t, u: u - t,
    lambda t, u: t.clone(),
    lambda t, u: t.detach().requires_grad_(),
    lambda t, u: t[0],
    lambda t, u: t[..., 1:],
    lambda t, u: t.view(-1),
    lambda t, u: t.transpose(0, -1),
    lambda t, u: t.unbind(0)[:2],
    lambda t, u: t.split(1, -1)[:2],
    lambda t, u: t.chunk(2, 0),
)
WRITES: tuple[Callable, ...] = (
    lambda t, u: t.mul_(0.5),
    lambda t, u: t.add_(u),
    lambda t, u: t.sin_(),
    lambda t, u: t.mul_(u.detach()),
    lambda t, u: t.detach_(),
)
WINDOWS: tuple[Callable, ...] = (
    lambda t, u: t.transpose_(0, -1),
    lambda t, u: t.unsqueeze_(0),
    lambda t, u: t.squeeze_(),
)
# Whether PyTorch refuses to go backward where this library can: see test_programs.py.
STRICTER = ("modified", "detached", "no_grad mode")


def noted(values: Any) -> Any:
    """Gradients as hooks get them, to be compared."""
    if isinstance(values, tuple):
        return tuple(noted(v) for v in values)
    return (
        None if values is None else (tuple(values.shape), values.detach().numpy().round(4).tolist())
    )


class Machine:
    """Does the steps that a seed draws, and logs all that can be seen."""

    def __init__(self, lib: Any, seed: int) -> None:
        self.lib, self.draw = lib, random.Random(seed)
        values = np.array([[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]])
        self.leaves = [
            lib.tensor(v.tolist(), dtype=lib.float64, requires_grad=True)
            for v in (values, -values[1])
        ]
        self.pool = [self.leaves[0] * 1, self.leaves[1] * 2, *self.leaves]
        self.log: list[Any] = []
        self.handles: list[Any] = []
        self.nodes: list[Any] = []
        self.turned: list[
            Any
        ] = []  # after a change of window PyTorch keeps hooks with the old node

    def attempt(self, step: Callable[[], Any]) -> Any:
        try:
            return step()
        except (RuntimeError, IndexError) as error:
            self.log.append(type(error).__name__)
        return None

    def hook(self, kind: str) -> Callable:
        number = len(self.handles)
        does = self.draw.choice(["look", "look", "double", "add", "register", "remove"])

        def hook(*args: Any) -> Any:
            if (
                kind == "tensor" and args[0] is None
            ):  # PyTorch calls hooks on tensors without gradient
                return None
            self.log.append((number, kind, noted(args)))
            if does == "remove":
                self.handles[number // 2].remove()
            if kind == "tensor":
                if does == "register":
                    self.register_late(number)
                return {"double": args[0] * 2, "add": args[0] + 1}.get(does)
            if does == "double" and kind != "accumulated":
                return tuple(None if g is None else g * 2 for g in args[0])
            return None

        return hook

    def register_late(self, number: int) -> None:
        tensor = self.pool[number % len(self.pool)]
        if self.takes_hooks(tensor):
            self.handles.append(
                tensor.register_hook(
                    lambda g: g is None or self.log.append((number, "late", noted(g)))
                )
            )

    def takes_hooks(self, tensor: Any) -> bool:
        if not tensor.requires_grad or any(tensor is t for t in self.turned):
            return False
        # PyTorch crashes: a view that requires grad only as its base does.
        return not (tensor._is_view() and self.attempt(lambda: tensor.grad_fn) is None)

    def register(self, tensor: Any) -> None:
        kind = self.draw.choice(
            ["tensor", "tensor", "pre", "post", "end pre", "end post", "accumulated"]
        )
        leaf, hook = self.leaves[self.draw.randrange(2)], self.hook(kind)
        if kind == "tensor":
            if self.takes_hooks(tensor):
                self.handles.append(tensor.register_hook(hook))
        elif kind == "accumulated":
            self.handles.append(leaf.register_post_accumulate_grad_hook(hook))
        else:
            if kind.startswith("end"):
                if not leaf.requires_grad:
                    return
                node = leaf.view_as(leaf).grad_fn.next_functions[0][0]
            else:
                node = tensor.grad_fn
            self.nodes.append(node)  # hooks are those of a node, which must not be made anew
            if node is not None:
                register = node.register_prehook if kind.endswith("pre") else node.register_hook
                self.handles.append(register(hook))

    def step(self) -> None:
        draw = self.draw
        t, u = draw.choice(self.pool), draw.choice(self.pool)
        kind = draw.choice(
            ["result", "result", "write", "window", "hook", "hook", "hook", "retain", "remove"]
        )
        recorded = kind == "window" or draw.random() < 0.9
        f = draw.choice({"result": RESULTS, "write": WRITES, "window": WINDOWS}.get(kind, RESULTS))
        if kind == "hook":
            self.register(t)
        elif kind == "retain" and self.takes_hooks(t):
            t.retain_grad()
        elif kind == "remove" and self.handles:
            draw.choice(self.handles).remove()
        elif kind in ("write", "window"):
            _ = (
                t.grad_fn
            )  # in PyTorch a view whose base has just joined the tape is a leaf until asked
            if kind == "write" or not t.retains_grad:
                if kind == "window":
                    self.turned.append(t)
                with self.lib.set_grad_enabled(recorded):
                    f(t, u)
        elif kind == "result":
            with self.lib.set_grad_enabled(recorded):
                made = f(t, u)
            self.pool.extend(made if isinstance(made, (tuple, list)) else [made])

    def run(self) -> list[Any]:
        for _ in range(STEPS):
            self.attempt(self.step)
        loss = self.leaves[0].sum() * 0
        for i, t in enumerate(self.pool):
            total = self.attempt(lambda s=loss, t=t, i=i: s + (t * (1 + 0.5 * i)).sum())
            loss = loss if total is None else total
        wanted = [t for t in self.pool if t.requires_grad and self.draw.random() < 0.3]
        inputs = wanted if wanted and self.draw.random() < 0.3 else None
        again = self.draw.random() < 0.3
        try:
            loss.backward(retain_graph=again, inputs=inputs)
            if again:
                loss.backward(inputs=inputs)
        except RuntimeError as error:
            self.log.append(str(error))
        for t in self.pool:
            self.attempt(
                lambda t=t: self.log.append(noted(t.grad) if t.is_leaf or t.retains_grad else 0)
            )
        return self.log


def test_hooks_are_called_as_in_pytorch() -> None:
    for seed in range(EXAMPLES):
        want = Machine(torch, seed).run()
        if any(isinstance(e, str) and any(text in e for text in STRICTER) for e in want):
            continue
        found = Machine(tg, seed).run()
        for i, (a, b) in enumerate(zip(found, want, strict=False)):
            assert a == b, f"program {seed}, event {i}"
        assert len(found) == len(want), f"program {seed}"
