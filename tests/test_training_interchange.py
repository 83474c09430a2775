"""A training that begins in one library and goes on in the other ends as it does in one alone."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tapegrad as tg

torch = pytest.importorskip("torch", reason="PyTorch, the other library, is not installed")

OPTIMIZERS: dict[str, dict[str, Any]] = {
    "SGD": {"lr": 0.05, "momentum": 0.9, "nesterov": True},
    "Adam": {"lr": 0.01, "weight_decay": 0.01},
    "AdamW": {"lr": 0.01, "amsgrad": True},
    "Adagrad": {"lr": 0.05},
    "Adadelta": {},
    "Adamax": {"lr": 0.01},
    "NAdam": {"lr": 0.01},
    "RAdam": {"lr": 0.01},
    "RMSprop": {"lr": 0.01, "momentum": 0.5, "centered": True},
    "Rprop": {"lr": 0.01},
    "ASGD": {"lr": 0.05},
    "LBFGS": {"lr": 0.1, "max_iter": 3},
}


def network(lib: Any) -> Any:
    """In float64, without parameters whose gradients are rounding errors."""
    nn = lib.nn
    return nn.Sequential(
        *(nn.Conv1d(2, 4, 3, padding=1, bias=False), nn.BatchNorm1d(4), nn.Tanh(), nn.Flatten()),
        *(nn.Linear(32, 8), nn.LayerNorm(8), nn.GELU(), nn.Linear(8, 3)),
    ).double()


def batch(lib: Any, step: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(step)
    x = rng.standard_normal((16, 2, 8))
    return lib.from_numpy(x), lib.from_numpy(rng.integers(0, 3, 16))


class Training:
    """A network, its optimiser and schedule in one library."""

    def __init__(self, lib: Any, name: str) -> None:
        self.lib = lib
        self.model = network(lib)
        self.optimizer = getattr(lib.optim, name)(self.model.parameters(), **OPTIMIZERS[name])
        self.schedule = lib.optim.lr_scheduler.StepLR(self.optimizer, 3, 0.5)
        self.step = 0

    def run(self, steps: int) -> None:
        for _ in range(steps):
            x, y = batch(self.lib, self.step)

            def closure(x: Any = x, y: Any = y) -> Any:
                self.optimizer.zero_grad()
                loss = self.lib.nn.functional.cross_entropy(self.model(x), y)
                loss.backward()
                return loss

            self.optimizer.step(closure)
            self.schedule.step()
            self.step += 1

    def state(self) -> dict[str, Any]:
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "step": self.step,
        }

    def load(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.step = state["step"]

    def numbers(self) -> np.ndarray:
        return np.concatenate([p.detach().numpy().ravel() for p in self.model.parameters()])


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("first", ["tapegrad", "torch"])
def test_training_goes_on_in_the_other_library(name: str, first: str, tmp_path: Path) -> None:
    one, other = (tg, torch) if first == "tapegrad" else (torch, tg)
    path = tmp_path / "checkpoint.pt"
    start = Training(torch, name)
    torch.save(start.state(), path)

    begun = Training(one, name)
    begun.load(one.load(path))
    begun.run(5)
    one.save(begun.state(), path, **({"pickle": True} if one is tg else {}))

    continued = Training(other, name)
    continued.load(other.load(path))
    assert continued.step == 5
    np.testing.assert_array_equal(continued.numbers(), begun.numbers())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of schedules, whose optimiser has not stepped yet
        continued.run(5)

    start.run(10)
    np.testing.assert_allclose(continued.numbers(), start.numbers(), rtol=1e-6, atol=1e-8)
    rates = [t.optimizer.param_groups[0]["lr"] for t in (continued, start)]
    assert rates[0] == pytest.approx(rates[1])
