"""What training in several processes costs, and from where on it pays.

    python -m benchmarks.distributed [--rounds COUNT]

measures all-reduces and training steps in two processes on this machine, which mpiexec starts, fits
latency and bandwidth, and writes DISTRIBUTED.md: what was measured, and what a model makes of it
for networks of other kinds, up to 1,000 machines.
"""

from __future__ import annotations

import argparse
import datetime
import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from .report import format_ratio, format_time, machine

_HERE = Path(__file__).resolve().parent
SIZES = [4**k for k in range(3, 14)]  # bytes, 64 B to 64 MiB
BLOCKS = 8
FITTED = 4 << 20  # larger ones wait for the memory that both processes share
LAYERS = ((64, 64, 10), (64, 256, 256, 10), (784, 512, 512, 10), (1024, 2048, 2048, 1024))
BATCHES = (32, 256)  # of each process


# ---------------------------------------------------------------------- in the ranks


def _median(step: Callable[[], object], rounds: int) -> float:
    """Seconds of a step: the median of the quietest of several blocks."""
    medians = []
    for _ in range(BLOCKS):
        step()
        times = []
        for _ in range(max(3, rounds // BLOCKS)):
            begun = time.perf_counter()
            step()
            times.append(time.perf_counter() - begun)
        medians.append(statistics.median(times))
    return min(medians)


def _train(layers: Sequence[int], batch: int, rounds: int) -> float:
    """Seconds of a training step, in all processes of a group or in one without."""
    import tapegrad
    from tapegrad import distributed, nn, optim

    tapegrad.manual_seed(0)
    blocks: list[nn.Module] = []
    for wide, narrow in pairwise(layers):
        blocks += [nn.Linear(wide, narrow), nn.ReLU()]
    model: nn.Module = nn.Sequential(*blocks[:-1])
    if distributed.is_initialized():
        model = nn.parallel.DistributedDataParallel(model)
    optimizer = optim.SGD(model.parameters(), lr=1e-3)
    x, y = tapegrad.randn(batch, layers[0]), tapegrad.randn(batch, layers[-1])

    def step() -> None:
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()

    return _median(step, rounds)


def rank_main(kind: str, rounds: int) -> None:
    """What a process measures; the first one prints it."""
    import tapegrad
    from tapegrad import distributed

    tapegrad.set_num_threads(1)
    if kind == "together":
        distributed.init_process_group()
    found: dict[str, list[float]] = {"steps": []}
    for layers in LAYERS:
        for batch in BATCHES:
            large = layers[-1] > 10
            found["steps"].append(_train(layers, batch, rounds // (4 if large else 1)))
    if kind == "together":
        tensors = [tapegrad.zeros(size // 4) for size in SIZES]
        found["reductions"] = [
            _median(
                lambda x=x: distributed.all_reduce(x), rounds if size < 1 << 20 else rounds // 4
            )
            for size, x in zip(SIZES, tensors, strict=True)
        ]
        found["barrier"] = [_median(distributed.barrier, rounds)]
        if distributed.get_rank() != 0:
            return
    else:
        rows = tapegrad.zeros(2, 1 << 20)
        out = tapegrad.zeros(1 << 20)
        seconds = _median(lambda: tapegrad.add(rows[0], rows[1], out=out), rounds)
        found["adding"] = [seconds / (rows.numel() * 4)]
    print(json.dumps(found))


def _run(kind: str, rounds: int) -> dict[str, list[float]]:
    command = [sys.executable, "-m", "benchmarks.distributed", "--rank", kind]
    if kind == "together":
        command = ["mpiexec", "-n", "2", *command]
    done = subprocess.run(
        [*command, "--rounds", str(rounds)],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


# ---------------------------------------------------------------------- the model


@dataclass(frozen=True)
class Network:
    """A kind of connection.

    Attributes:
        call: seconds of software for a collective.
        latency: seconds until a message arrives.
        gap: seconds from one message of a process to its next.
        byte: seconds for a byte of a message.
        add: seconds to add a byte of those that arrive.
        step: seconds of a training step for the wrapper around the module.
        overlaps: whether messages travel while processors compute.
    """

    name: str
    call: float
    latency: float
    gap: float
    byte: float
    add: float
    step: float
    overlaps: bool

    def all_reduce(self, size: float, ranks: int) -> float:
        """Seconds for `size` bytes: one message or two, as `distributed._collectives` has it."""
        from tapegrad.distributed._collectives import _SMALL, _SMALL_TOGETHER
        from tapegrad.distributed._groups import _LABEL

        if ranks == 1:
            return self.call
        rounds = math.ceil(math.log2(ranks))
        labels = rounds * self.latency + (ranks - 1) * _LABEL * self.byte
        if size <= _SMALL or size * ranks <= _SMALL_TOGETHER:
            message = rounds * self.latency + (ranks - 1) * size * self.byte
            return self.call + max(labels, message) + ranks * size * self.add
        share = (ranks - 1) / ranks * size * self.byte
        exchange = self.latency + (ranks - 1) * self.gap + share
        gather = rounds * self.latency + share
        return self.call + max(labels, exchange) + size * self.add + gather


def fit(measured: dict[str, list[float]], add: float, step: float) -> Network:
    """This machine, from what was measured in two processes.

    A message takes a barrier's time, a call what a small all-reduce takes beyond that, and bytes
    what fits best to the others, by relative errors. `step` is how much longer the smallest of the
    training steps takes in two processes.
    """
    from tapegrad.distributed._collectives import _SMALL_TOGETHER

    latency = measured["barrier"][0]
    call = max(min(measured["reductions"]) - latency, 0.0)
    rows, wanted = [], []
    for size, taken in zip(SIZES, measured["reductions"], strict=True):
        if size <= FITTED:
            messages = 1 if size * 2 <= _SMALL_TOGETHER else 2
            known = call + messages * latency + (2 if messages == 1 else 1) * size * add
            rows.append(size / taken)
            wanted.append((taken - known) / taken)
    byte = max(float(np.dot(rows, wanted) / np.dot(rows, rows)), 1e-12)
    here = Network("this machine", call, latency, 0.0, byte, add, 0.0, overlaps=False)
    return replace(here, step=max(step - here.all_reduce(4 * parameters(LAYERS[0]), 2), 0.0))


def networks(here: Network) -> list[Network]:
    """Usual figures of networks, with the software and the processor of this machine."""
    return [
        replace(here, name=name, latency=latency, gap=gap, byte=1 / speed, overlaps=True)
        for name, latency, gap, speed in (
            ("1 Gbit/s Ethernet", 50e-6, 10e-6, 117e6),
            ("10 Gbit/s Ethernet", 20e-6, 5e-6, 1.17e9),
            ("100 Gbit/s InfiniBand", 2e-6, 0.5e-6, 12e9),
        )
    ]


def parameters(layers: Sequence[int]) -> int:
    return sum(wide * narrow + narrow for wide, narrow in pairwise(layers))


@dataclass(frozen=True)
class Model:
    """A network of layers: a step takes ``fixed + batch * sample`` seconds in one process."""

    layers: tuple[int, ...]
    fixed: float
    sample: float

    @property
    def parameters(self) -> int:
        return parameters(self.layers)

    @property
    def buckets(self) -> list[float]:
        """Bytes of each, in the order in which they are reduced."""
        left, cap, found = 4.0 * self.parameters, 1 << 20, []
        while left > 0:
            found.append(min(left, cap))
            left -= found[-1]
            cap = 25 << 20
        return found

    def compute(self, batch: float) -> float:
        return self.fixed + batch * self.sample


SPREAD = 0.05  # of the time that processes compute, from step to step: an assumption
_NORMAL = np.random.default_rng(0).standard_normal((100, 1000))


def slowest(ranks: int) -> float:
    """How much longer the slowest of so many processes computes, in the mean over 100 steps."""
    return float(np.exp(SPREAD * _NORMAL[:, :ranks]).max(axis=1).mean())


def step_time(model: Model, batch: float, ranks: int, network: Network) -> float:
    """Simulate a step: buckets are ready in the course of backward, and travel one after another.

    Backward is two thirds of what a process computes. All wait for the slowest process.
    """
    compute = model.compute(batch) * (slowest(ranks) if ranks > 1 else 1)
    if ranks == 1:
        return compute
    ready, travelled = compute / 3, 0.0
    total = sum(model.buckets)
    for size in model.buckets:
        ready += 2 / 3 * compute * size / total
        start = ready if network.overlaps else compute
        travelled = max(start, travelled) + network.all_reduce(size, ranks)
    return max(compute, travelled) + network.step


def batch_that_pays(model: Model, ranks: int, network: Network) -> int | None:
    """The smallest batch of a process, a power of two, with half of the ideal throughput."""
    for exponent in range(21):
        batch = 2**exponent
        if model.compute(batch) >= 0.5 * step_time(model, batch, ranks, network):
            return batch
    return None


def speed_up(model: Model, batch: int, ranks: int, network: Network) -> float:
    """Of a step with one batch that the processes share."""
    return model.compute(batch) / step_time(model, batch / ranks, ranks, network)


# ---------------------------------------------------------------------- the report


def _size(count: float) -> str:
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if count >= size:
            return f"{count / size:.3g}{unit}"
    return f"{count:.0f}"


def _bytes(size: int) -> str:
    for unit, one in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size >= one:
            return f"{size // one} {unit}"
    return f"{size} B"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    align = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, align, *rows))


def document(alone: dict[str, list[float]], together: dict[str, list[float]]) -> str:
    step = together["steps"][0] - alone["steps"][0]
    here = fit(together, alone["adding"][0], step)
    models = []
    for k, layers in enumerate(LAYERS):
        low, high = alone["steps"][2 * k : 2 * k + 2]
        sample = max((high - low) / (BATCHES[1] - BATCHES[0]), 1e-9)
        models.append(Model(layers, max(low - BATCHES[0] * sample, 1e-6), sample))
    reductions = [
        [_bytes(size), format_time(taken), format_time(here.all_reduce(size, 2))]
        for size, taken in zip(SIZES, together["reductions"], strict=True)
    ]
    steps = [
        [
            f"{'-'.join(map(str, model.layers))}, {_size(model.parameters)} parameters",
            str(batch),
            format_time(alone["steps"][2 * k + j]),
            format_time(together["steps"][2 * k + j]),
            format_time(step_time(model, batch, 2, here)),
            format_ratio(2 * alone["steps"][2 * k + j] / together["steps"][2 * k + j]),
        ]
        for k, model in enumerate(models)
        for j, batch in enumerate(BATCHES)
    ]
    counts = (2, 8, 64, 1000)
    pays = [
        [network.name, _size(model.parameters)]
        + [str(batch_that_pays(model, ranks, network) or "never") for ranks in counts]
        for network in networks(here)
        for model in models
    ]
    shared = [
        [network.name, _size(model.parameters), str(batch)]
        + [f"{speed_up(model, batch, ranks, network):.3g}x" for ranks in counts]
        for network in networks(here)
        for model in models
        for batch in (1024, 65536)
    ]
    date = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    return "\n\n".join(
        [
            "# Training in several processes",
            "Written by `python -m benchmarks.distributed`; do not edit.",
            f"* machine: {machine()}\n* MPI: {_mpi_version()}\n* date: {date}\n"
            "* method: two processes with one thread each, float32; medians of the quietest of "
            f"{BLOCKS} blocks, as other programs use the machine, too",
            "## Measured: all-reduces in two processes",
            _table(["bytes", "measured", "model"], reductions),
            f"The model is fitted to those up to {_bytes(FITTED)}: {format_time(here.call)} for a "
            f"call, {format_time(here.latency)} for each of its messages (one up to 128 KiB, else "
            f"two), {1e-9 / here.byte:.2f} GB/s, and {1e-9 / here.add:.1f} GB/s at which one "
            "processor adds what has arrived (measured apart). A barrier takes "
            f"{format_time(together['barrier'][0])}.",
            "## Measured: training steps",
            _table(
                ["network", "batch of each", "one process", "two", "two, model", "throughput"],
                steps,
            ),
            f"SGD, mean squared error. {format_time(here.step)} of each step in two processes are "
            "for the wrapper around the module, taken from the first row. Both processors share "
            "one memory and its bandwidth, which the model does not know.",
            "## Modelled: the smallest batch of each process with half of the ideal throughput",
            "Not measured. Times to compute are those of one process above; networks are usual "
            "figures (Ethernet by TCP: 50 or 20 us latency, 10 or 5 us between messages; "
            "InfiniBand: 2 and 0.5 us); what travels does so beside backward; the times of the "
            f"processes spread by {SPREAD:.0%} from step to step, and all wait for the slowest.",
            _table(
                ["network", "parameters", *(f"{count} machines" for count in counts)],
                pays,
            ),
            "## Modelled: speed-up of one batch that the machines share",
            _table(
                ["network", "parameters", "batch", *(f"{count} machines" for count in counts)],
                shared,
            ),
        ]
    )


def _mpi_version() -> str:
    from mpi4py import MPI

    return MPI.Get_library_version().splitlines()[0].replace("\t", " ").strip()


def main() -> None:
    """Measure, print the tables, and write them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.distributed", description=__doc__)
    parser.add_argument("--rounds", type=int, default=200, help="default: %(default)s")
    parser.add_argument("--rank", choices=("alone", "together"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.rank:
        rank_main(options.rank, options.rounds)
        return
    text = document(_run("alone", options.rounds), _run("together", options.rounds)) + "\n"
    print(text)
    (_HERE / "DISTRIBUTED.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
