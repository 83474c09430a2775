"""Estimators beside scikit-learn's: time of training, and accuracy over ten seeds.

    python -m benchmarks.estimators [--rounds COUNT]

writes ESTIMATORS.md and estimators.svg. Both libraries train the same networks on the same batches,
in turns: on one thread, by the processor's time, which other programs disturb least, and with all
threads, by the clock.
"""

from __future__ import annotations

import argparse
import datetime
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .measure import wait_for_quiet
from .picture import text_of
from .report import format_ratio, format_time, machine

_HERE = Path(__file__).resolve().parent
SEEDS = 10
Arrays = tuple[np.ndarray, np.ndarray]


@dataclass
class Timing:
    """Seconds of one epoch by library: on one thread, and on all."""

    title: str
    one: dict[str, float] = field(default_factory=dict)
    all: dict[str, float] = field(default_factory=dict)


@dataclass
class Accuracy:
    """Mean score on held-out data, by library."""

    title: str
    metric: str
    scores: dict[str, float]


def digits() -> Arrays:
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return x / 16, y


def large() -> Arrays:
    """As many pixels and images as a third of MNIST."""
    random = np.random.default_rng(0)
    return random.random((20_000, 784)), random.integers(0, 10, 20_000)


def california(n: int = 2000) -> Arrays:
    """Numbers like those of the Californian houses: skewed, bent, capped."""
    random = np.random.default_rng(0)
    x = random.standard_normal((n, 8))
    y = np.exp(0.6 * x[:, 0] - 0.1 * x[:, 1]) + 0.5 * np.sin(2 * x[:, 6]) * np.cos(2 * x[:, 7])
    y += 0.3 * np.maximum(x[:, 2], 0) - 0.1 * x[:, 3] * x[:, 4] + 0.2 * random.standard_normal(n)
    return x, np.minimum(y, 5)


def timings(rounds: int) -> list[Timing]:
    """Measure each network in both precisions."""
    found = []
    for title, load, hidden, epochs in (
        ("digits, 64-100-10, batch 200", digits, (100,), 100),
        ("20,000 rows, 784-512-256-10, batch 200", large, (512, 256), 1),
    ):
        x, y = load()
        for dtype in ("float64", "float32"):
            row = Timing(f"{title}, {dtype}")
            options = {
                "hidden_layer_sizes": hidden,
                "max_iter": epochs,
                "batch_size": 200,
                "tol": 0,
                "n_iter_no_change": epochs + 1,
                "random_state": 0,
            }
            _fill(row, x.astype(dtype), y, options, epochs, rounds)
            print(row, file=sys.stderr, flush=True)
            found.append(row)
    return found


def _fill(
    row: Timing, x: np.ndarray, y: np.ndarray, options: dict[str, Any], epochs: int, rounds: int
) -> None:
    from sklearn import neural_network
    from threadpoolctl import threadpool_limits

    from tapegrad import sklearn as ours

    def run(make: Any, threads: int | None, **more: Any) -> Callable[[], float]:
        clock = time.perf_counter if threads is None else time.process_time

        def once() -> float:
            wait_for_quiet()
            model = make(**options, **more)
            with threadpool_limits(threads):
                start = clock()
                model.fit(x, y)
                return (clock() - start) / epochs

        return once

    rival, own = neural_network.MLPClassifier, ours.MLPClassifier
    runs = {
        ("one", "tapegrad"): run(own, 1, n_threads=1),
        ("one", "scikit-learn"): run(rival, 1),
        ("all", "tapegrad"): run(own, None),
        ("all", "scikit-learn"): run(rival, None),
    }
    times: dict[tuple[str, str], list[float]] = {key: [] for key in runs}
    for _ in range(rounds):
        for key, once in runs.items():
            times[key].append(once())
    for (threads, library), each in times.items():
        getattr(row, threads)[library] = statistics.median(each)


def accuracies() -> list[Accuracy]:
    """Mean score over seeds, each of which splits the data and draws the weights."""
    from sklearn import datasets, neural_network
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    from tapegrad import sklearn as ours

    sets: dict[str, tuple[str, Callable[[], Arrays]]] = {
        "digits": ("accuracy", digits),
        "wine": ("accuracy", lambda: datasets.load_wine(return_X_y=True)),
        "breast cancer": ("accuracy", lambda: datasets.load_breast_cancer(return_X_y=True)),
        "diabetes": ("R2", lambda: datasets.load_diabetes(return_X_y=True)),
        "California-like": ("R2", california),
    }
    found = []
    for title, (metric, load) in sets.items():
        x, y = load()
        name = "MLPClassifier" if metric == "accuracy" else "MLPRegressor"
        scores: dict[str, list[float]] = {"tapegrad": [], "scikit-learn": []}
        for seed in range(SEEDS):
            train, test, y_train, y_test = train_test_split(x, y, random_state=seed)
            scale = StandardScaler().fit(train)
            for library, module in (("tapegrad", ours), ("scikit-learn", neural_network)):
                model = getattr(module, name)(learning_rate_init=0.005, random_state=seed)
                with threadpool_limits(1):
                    model.fit(scale.transform(train), y_train)
                scores[library].append(model.score(scale.transform(test), y_test))
        means = {library: statistics.fmean(each) for library, each in scores.items()}
        print(title, means, file=sys.stderr, flush=True)
        found.append(Accuracy(title, metric, means))
    return found


def document(times: Sequence[Timing], scores: Sequence[Accuracy], rounds: int) -> str:
    """Return the whole of ESTIMATORS.md."""
    import scipy
    import sklearn

    import tapegrad

    date = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    versions = ", ".join(
        f"{module.__name__} {module.__version__}" for module in (tapegrad, sklearn, np, scipy)
    )
    lines = [
        "# Estimators beside scikit-learn's",
        "",
        "Written by `python -m benchmarks.estimators`; do not edit.",
        "",
        f"* machine: {machine()}",
        f"* versions: {versions}",
        f"* date: {date}",
        f"* method: `MLPClassifier` with Adam, {rounds} interleaved rounds, medians of the time of "
        "`fit`, for one epoch. One thread: time of the processor; all threads: by the clock, in "
        "which scikit-learn's BLAS waits long where other programs are running",
        "",
        "| network | one thread: tapegrad | scikit-learn | ratio | all threads: tapegrad "
        "| scikit-learn | ratio |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for row in times:
        cells = [row.title]
        for seconds in (row.one, row.all):
            own, rival = seconds["tapegrad"], seconds["scikit-learn"]
            cells += [format_time(own), format_time(rival), format_ratio(rival / own)]
        lines.append("| " + " | ".join(cells) + " |")
    lines += [
        "",
        "![Time of training beside scikit-learn's](estimators.svg)",
        "",
        f"Mean scores on held-out data over {SEEDS} seeds, 200 epochs, standardised inputs:",
        "",
        "| data | score | tapegrad | scikit-learn |",
        "|---|---|---:|---:|",
    ]
    for score in scores:
        means = [f"{score.scores[name]:.4f}" for name in ("tapegrad", "scikit-learn")]
        lines.append("| " + " | ".join([score.title, score.metric, *means]) + " |")
    return "\n".join(lines) + "\n"


def draw(rows: Sequence[Timing]) -> str:
    """Return the picture: two bars for each network, as long as they take (SVG)."""
    left, width, height = 330, 800, 84 + 64 * len(rows)
    font = "system-ui, 'Segoe UI', Helvetica, Arial, sans-serif"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="{font}" font-size="13" role="img">',
        "<title>Time of training beside scikit-learn's</title>",
        f'<rect width="{width}" height="{height}" rx="8" fill="#ffffff"/>',
        text_of(20, 32, "Time of training", "#111827", size=18, weight=600),
        text_of(20, 53, "MLPClassifier on one thread; shorter is better", "#6b7280"),
    ]
    colors = {"tapegrad": "#c2410c", "scikit-learn": "#3b82f6"}
    for place, row in enumerate(rows):
        top = 76 + 64 * place
        parts.append(text_of(left - 12, top + 24, row.title, "#374151", anchor="end"))
        for line, (name, color) in enumerate(colors.items()):
            seconds = row.one[name]
            length = round((width - left - 230) * seconds / max(row.one.values()), 1)
            y = top + 22 * line
            parts.append(
                f'<rect x="{left}" y="{y}" width="{length}" height="18" rx="3" fill="{color}"/>'
            )
            label = f"{name}, {format_time(seconds).replace('us', 'µs')} an epoch"
            parts.append(text_of(left + length + 8, y + 14, label, color))
    return "\n".join([*parts, "</svg>"]) + "\n"


def main() -> None:
    """Measure, print the tables, and write them with the picture."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.estimators", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="default: %(default)s")
    rounds = parser.parse_args().rounds
    warnings.simplefilter("ignore")  # what has not converged is meant
    times = timings(rounds)
    text = document(times, accuracies(), rounds)
    print(text)
    (_HERE / "ESTIMATORS.md").write_text(text, encoding="utf-8")
    (_HERE / "estimators.svg").write_text(draw(times), encoding="utf-8")


if __name__ == "__main__":
    main()
