"""The main workloads for pytest-benchmark: `pytest benchmarks/test_benchmarks.py`.

Times of one engine are compared over time with its `--benchmark-autosave` and
`--benchmark-compare`. The table over all engines is made by `python -m benchmarks`.
"""

from __future__ import annotations

import functools
import statistics
from typing import Any

import numpy as np
import pytest

from . import process
from .engines import Engine, load
from .measure import check_agreement
from .workloads import BY_KEY

pytest.importorskip("pytest_benchmark")

ENGINES = ["tapegrad", "numpy", "torch-1"]
WORKLOADS = [
    "add",
    "mul-scalar",
    "tanh",
    "chain-100",
    "add-backward",
    "xor",
    "mlp-tiny",
    "mlp-small",
    "mlp-medium",
    "fused-1e2",
    "fused-1e4",
    "fused-1e6",
    "bias-32x64",
    "bias-128x1024",
    "bias-4096x1024",
    "matmul-32",
    "matmul-128",
    "matmul-512",
]
RUNS_PER_STATEMENT = 1000  # operations so cheap that a call each would be most of the time


@functools.cache
def engine_or_skip(name: str) -> Engine:
    try:
        return load(name)
    except ImportError as error:
        pytest.skip(str(error))


@functools.cache
def expected_values(key: str) -> list[np.ndarray]:
    case = BY_KEY[key].build(load("numpy"))
    assert case is not None
    return case.values()


@pytest.mark.parametrize("engine_name", ENGINES)
@pytest.mark.parametrize("key", WORKLOADS)
def test_workload(benchmark: Any, key: str, engine_name: str) -> None:
    engine = engine_or_skip(engine_name)
    engine.activate()
    case = BY_KEY[key].build(engine)
    assert case is not None
    check_agreement(case.values(), expected_values(key), BY_KEY[key].tolerance)
    benchmark.group = key
    if callable(case.statement):
        benchmark(case.statement)
    else:
        benchmark.extra_info["operations"] = RUNS_PER_STATEMENT
        benchmark(case.timer().timeit, RUNS_PER_STATEMENT)


@pytest.mark.parametrize("engine_name", ["tapegrad", "torch-1"])
def test_import_time(benchmark: Any, engine_name: str) -> None:
    engine = engine_or_skip(engine_name)
    statements = {engine_name: engine.imports or ""}
    benchmark.group = "import"

    def measure() -> float:
        seconds, _ = process.import_figures(statements, rounds=1)[engine_name]
        return seconds

    # The time over NumPy's; the benchmark's own figure has the interpreter's start in it.
    seconds = benchmark.pedantic(lambda: [measure() for _ in range(3)], rounds=1)
    benchmark.extra_info["seconds_over_numpy"] = statistics.median(seconds)
