"""Memory that checkpointing saves: peak of a training step of a deep MLP, as tapegrad counts it.

A chain of `depth` layers keeps an activation for each. Cut into the square root of that many
checkpointed segments it keeps the input of each segment, and the activations of the one segment
that backward is in: about twice the square root.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .report import format_bytes, format_time

KEY = "checkpoint"
TITLE = "peak memory of a training step of a deep MLP, plain and checkpointed"
DEPTHS = (16, 64, 256)
WIDTH = BATCH = 256
_ACTIVATION = WIDTH * BATCH * 4  # bytes of one layer's result


@dataclass(frozen=True)
class Step:
    """Peak of one training step in bytes, above what is there before it, and its time."""

    depth: int
    kind: str
    bytes: int
    seconds: float

    @property
    def activations(self) -> float:
        """The peak in results of one layer."""
        return self.bytes / _ACTIVATION


def measure(depths: Sequence[int] = DEPTHS, rounds: int = 3) -> list[Step]:
    """Measure plain and checkpointed steps for each depth."""
    return [_step(d, kind, rounds) for d in depths for kind in ("plain", "checkpointed")]


def _step(depth: int, kind: str, rounds: int) -> Step:
    import tapegrad
    from tapegrad import nn
    from tapegrad.utils.checkpoint import checkpoint_sequential

    tapegrad.manual_seed(0)
    network = nn.Sequential(
        *(nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.Tanh()) for _ in range(depth))
    )
    for name, parameter in network.named_parameters():
        if name.endswith("weight"):
            # Else gradients fade to subnormal numbers, which processors are slow with.
            nn.init.xavier_uniform_(parameter, gain=5 / 3)
    x = tapegrad.randn(BATCH, WIDTH)
    target = tapegrad.randn(BATCH, WIDTH)
    optimizer = tapegrad.optim.SGD(network.parameters(), lr=1e-3)
    forward: Callable[[Any], Any] = network
    if kind == "checkpointed":
        segments = math.isqrt(depth)

        def forward(value: Any) -> Any:
            return checkpoint_sequential(network, segments, value, use_reentrant=False)

    def step() -> None:
        # Gradients stay: they are no activations, and as large for both kinds.
        optimizer.zero_grad(set_to_none=False)
        nn.functional.mse_loss(forward(x), target).backward()
        optimizer.step()

    step()
    before = tapegrad.memory_stats()["allocated_bytes"]
    tapegrad.reset_peak_memory()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    peak = tapegrad.memory_stats()["peak_bytes"] - before
    return Step(depth, kind, peak, statistics.median(times))


def render(steps: Sequence[Step]) -> str:
    """Return a Markdown section with a line per depth."""
    lines = [
        "## Memory of checkpointing",
        "",
        f"Peak of tensor memory in a training step of an MLP ({WIDTH} wide, batch {BATCH}, tanh), "
        "above parameters and gradients; `checkpoint_sequential` with the square root of the "
        "depth as the number of segments. In brackets: in activations, results of one layer.",
        "",
        "| depth | plain | checkpointed | memory saved | time, plain | time, checkpointed |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    by_kind = {(step.depth, step.kind): step for step in steps}
    for depth in dict.fromkeys(step.depth for step in steps):
        plain, less = by_kind[depth, "plain"], by_kind[depth, "checkpointed"]
        cells = [
            str(depth),
            f"{format_bytes(plain.bytes)} ({plain.activations:.1f})",
            f"{format_bytes(less.bytes)} ({less.activations:.1f})",
            f"{plain.bytes / less.bytes:.1f}x",
            format_time(plain.seconds),
            format_time(less.seconds),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
