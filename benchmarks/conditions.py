"""What surrounds a step: processor time, busy neighbours, and what the process did before.

    python -m benchmarks.conditions [--rounds COUNT] [--engines NAME,...]

writes CONDITIONS.md and processor_time.svg.
"""

from __future__ import annotations

import argparse
import datetime
import gc
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from . import picture
from .engines import Engine, Training, load
from .measure import Row, Settings, measure, wait_for_quiet
from .neighbours import neighbours
from .report import format_ratio, format_time, machine, render, versions
from .workloads import BY_KEY

_HERE = Path(__file__).resolve().parent
_DEFAULT = ("tapegrad-1", "tapegrad", "torch-1", "torch-2")

WIDTHS = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
BESIDE_NEIGHBOURS = ("mlp-small", "mlp-medium", "sweep-512", "fused-1e4", "fused-1e6")


def width_model(width: int) -> Training:
    """Return the network of one width whose processor time is measured."""
    return Training((10, width, width, 10), 128, optimizer="adam")


def processor_times(engines: Sequence[Engine], rounds: int) -> list[Row]:
    """Measure the time of all processors together, for a step of each width."""
    rows = []
    for width in WIDTHS:
        row = Row(f"processor-{width}", f"MLP 10-{width}-{width}-10, batch 128, Adam", "processor")
        cases = [(engine, engine.training(width_model(width))) for engine in engines]
        times: dict[str, list[float]] = {engine.name: [] for engine in engines}
        for _ in range(rounds):
            for engine, case in cases:
                assert case is not None and callable(case.statement)
                wait_for_quiet()
                engine.activate()
                times[engine.name].append(_processor_time(case.statement))
        row.seconds = {name: statistics.median(each) for name, each in times.items()}
        _tell(row)
        rows.append(row)
    return rows


def _processor_time(step: Callable[[], Any], least: float = 0.05) -> float:
    step()
    runs, begin, start = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - begin < least:
        step()
        runs += 1
    # Threads that wait for the next step take time too, until they sleep.
    wait_for_quiet()
    return (time.process_time() - start) / runs


def beside_neighbours(engines: Sequence[Engine], settings: Settings) -> list[Row]:
    """Measure steps while another program keeps one processor busy."""
    rows = []
    for key in BESIDE_NEIGHBOURS:
        with neighbours(1):
            rows += measure(BY_KEY[key], engines, settings)
        _tell(rows[-1])
    return rows


def _outer_product(m: Any) -> Callable[[], None]:
    column = m.ones(512, 1).requires_grad_()
    row = m.ones(1, 512).requires_grad_()

    def step() -> None:
        column.grad = row.grad = None
        (column * row).sum().backward()

    return step


def _row_sums(m: Any) -> Callable[[], Any]:
    x = m.ones(4096, 1024)
    return lambda: x.sum(1)


def _many_large(m: Any) -> None:
    kept = [m.zeros(4_000_000) for _ in range(20)]
    del kept


def _many_sizes(m: Any) -> None:
    kept = []
    for count in range(300):
        # Sizes between 2 KB and 32 MB, each some times, in an order that looks like chance.
        kept.append(m.zeros(2 ** (9 + count * 7 % 15) + count))
        if len(kept) > 20:
            del kept[count * 11 % 20]


_STEPS = {
    "outer product of 512 and 512 numbers, sum, backward": _outer_product,
    "row sums of (4096, 1024)": _row_sums,
}
_HISTORIES = {
    "fresh process": lambda m: None,
    "after 20 tensors of 16 MB": _many_large,
    "after 300 tensors of all sizes": _many_sizes,
}


def after_histories(engines: Sequence[Engine], rounds: int) -> list[Row]:
    """Measure steps in processes that have used and freed memory before, and in fresh ones."""
    rows = []
    for step in _STEPS:
        for history in _HISTORIES:
            row = Row(f"{step}/{history}", f"{step}: {history}", "history")
            times: dict[str, list[float]] = {engine.name: [] for engine in engines}
            for _ in range(rounds):
                for name, found in times.items():
                    found.append(_in_child(name, step, history))
            row.seconds = {name: statistics.median(each) for name, each in times.items()}
            _tell(row)
            rows.append(row)
    return rows


def _in_child(engine: str, step: str, history: str) -> float:
    path = os.pathsep.join(p for p in (str(_HERE.parent), os.environ.get("PYTHONPATH", "")) if p)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.conditions", "--child", engine, step, history],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
        check=True,
    )
    return float(json.loads(done.stdout))


def _child(engine_name: str, step_name: str, history: str) -> float:
    engine: Any = load(engine_name)
    engine.activate()
    _HISTORIES[history](engine.m)
    gc.collect()
    step = _STEPS[step_name](engine.m)
    times = []
    for _ in range(100):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return statistics.median(times[20:])


def _tell(row: Row) -> None:
    times = ", ".join(f"{name} {format_time(seconds)}" for name, seconds in row.seconds.items())
    print(f"{row.key}: {times}", file=sys.stderr, flush=True)


def _with_ratios(rows: Sequence[Row], engines: Sequence[Engine]) -> str:
    """Return a table of times, and of what all threads cost against one thread."""
    pairs = [("tapegrad", "tapegrad-1"), ("torch-2", "torch-1")]
    header = ["workload", *(e.label for e in engines), *(f"{a} / {b}" for a, b in pairs)]
    lines = ["| " + " | ".join(header) + " |", "|---|" + "---:|" * (len(header) - 1)]
    for row in rows:
        cells = [row.title, *(format_time(row.seconds[e.name]) for e in engines)]
        for several, one in pairs:
            known = several in row.seconds and one in row.seconds
            cells.append(format_ratio(row.seconds[several] / row.seconds[one]) if known else "")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def document(
    processor: Sequence[Row],
    beside: Sequence[Row],
    histories: Sequence[Row],
    engines: Sequence[Engine],
    rounds: int,
) -> str:
    """Return the whole of CONDITIONS.md."""
    date = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    return (
        "\n\n".join(
            [
                "# Steps and what surrounds them",
                "Written by `python -m benchmarks.conditions`; do not edit.",
                f"* machine: {machine()}\n* versions: {versions(engines)}\n* date: {date}\n"
                f"* method: {rounds} interleaved rounds, medians",
                "## Processor time",
                "Time of all processors together for one training step: what a shared machine or a "
                "battery pays.",
                "![Processor time of a training step over the width of the network]"
                "(processor_time.svg)",
                render(processor, engines),
                "## Beside a busy program",
                "Steps by the clock, while another program keeps one processor busy.",
                _with_ratios(beside, engines),
                "## After what the process did before",
                "Memory that was used and freed may not slow down what comes later.",
                render(histories, [e for e in engines if e.name in histories[0].seconds]),
            ]
        )
        + "\n"
    )


def draw(rows: Sequence[Row], engines: Sequence[Engine]) -> str:
    """Return the picture of processor time over the width of the network (SVG)."""

    def points(engine: Engine) -> list[tuple[float, float]]:
        return [(w, row.seconds[engine.name]) for w, row in zip(WIDTHS, rows, strict=True)]

    return picture.chart(
        [picture.line(engine, points(engine)) for engine in engines],
        title="Processor time of a training step",
        subtitle="MLP 10-w-w-10, batch 128, Adam, float32; lower is better",
        axis="width of the network",
    )


def main() -> None:
    """Measure, print the tables, and write them with the picture."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.conditions", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--engines", default=",".join(_DEFAULT), help="default: %(default)s")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(_child(*options.child)))
        return
    engines = [load(name) for name in options.engines.split(",")]
    settings = Settings(rounds=options.rounds)
    processor = processor_times(engines, options.rounds)
    beside = beside_neighbours(engines, settings)
    libraries = [e for e in engines if e.name in ("tapegrad", "torch-2")]
    histories = after_histories(libraries, options.rounds)
    text = document(processor, beside, histories, engines, options.rounds)
    print(text)
    (_HERE / "CONDITIONS.md").write_text(text, encoding="utf-8")
    (_HERE / "processor_time.svg").write_text(draw(processor, engines), encoding="utf-8")


if __name__ == "__main__":
    main()
