"""Measure, print the table, and write it with the picture: `python -m benchmarks`."""

from __future__ import annotations

import argparse
import fnmatch
import sys
from collections.abc import Sequence
from pathlib import Path

from . import checkpoint, picture, process, report
from .engines import DEFAULT, NAMES, Engine, load
from .measure import Row, Settings, measure
from .neighbours import neighbours
from .workloads import WORKLOADS, Workload

_HERE = Path(__file__).resolve().parent
_PROCESS_ROWS = {
    "import-time": "import time over NumPy's",
    "import-memory": "resident memory after import, over NumPy's",
    "installed-size": "installed size with dependencies (NumPy's is in it)",
    "peak-medium": "peak memory of training steps over that, MLP 784-256-128-10, batch 128",
    "peak-large": "peak memory of training steps over that, MLP 1024-4096-1024, batch 512",
}
_PEAK_WORKLOADS = {"peak-medium": "mlp-medium", "peak-large": "mlp-large"}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--rows",
        metavar="PATTERN,...",
        default="*",
        help="rows to measure, by key, with * and ? (default: all; see --list)",
    )
    parser.add_argument(
        "--engines",
        metavar="NAME,...",
        default=",".join(DEFAULT),
        help=f"engines to compare, of {', '.join(NAMES)} (default: %(default)s)",
    )
    parser.add_argument(
        "--quick", action="store_true", help="few rounds, without the rows that take long"
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="where to write the table (default: benchmarks/RESULTS.md if all rows are measured "
        "at length, else nowhere); the picture goes beside it",
    )
    parser.add_argument(
        "--neighbours",
        type=int,
        default=0,
        metavar="COUNT",
        help="busy processes beside the measurement (default: 0)",
    )
    parser.add_argument("--list", action="store_true", help="list the rows and stop")
    return parser


def _load_engines(names: Sequence[str]) -> list[Engine]:
    engines = []
    for name in names:
        try:
            engines.append(load(name))
        except ImportError as error:
            print(f"{name}: skipped ({error})", file=sys.stderr)
    return engines


def _selected(keys: Sequence[str], patterns: str) -> list[str]:
    """Return the keys that one of the patterns fits.

    Raises:
        ValueError: for a pattern that fits none.
    """
    chosen: set[str] = set()
    for pattern in patterns.split(","):
        fitting = fnmatch.filter(keys, pattern)
        if not fitting:
            raise ValueError(f"no row is called {pattern!r}; --list shows all")
        chosen.update(fitting)
    return [key for key in keys if key in chosen]


def _process_rows(keys: Sequence[str], engines: Sequence[Engine], rounds: int) -> list[Row]:
    """Measure what needs a process of its own; a package counts once, with its first engine."""
    groups = {"import-time": "time", "installed-size": "size"}
    rows = [Row(key, _PROCESS_ROWS[key], groups.get(key, "memory")) for key in keys]
    libraries = {e.package: e for e in reversed(engines) if e.package is not None}
    if {"import-time", "import-memory"} & set(keys):
        statements = {e.name: e.imports for e in libraries.values() if e.imports}
        imports = process.import_figures(statements, rounds)
    for row in rows:
        measured = engines if row.key in _PEAK_WORKLOADS else list(libraries.values())
        for engine in measured:
            try:
                if row.key in _PEAK_WORKLOADS:
                    figure = process.peak_memory(engine.name, _PEAK_WORKLOADS[row.key])
                elif row.key == "installed-size":
                    figure = _installed_size(str(engine.package), row.notes, engine.name)
                else:
                    figure = imports[engine.name][row.key == "import-memory"]
                if figure is not None:
                    row.seconds[engine.name] = figure
            except (OSError, RuntimeError, ValueError) as error:
                row.problems[engine.name] = str(error)
    return rows


def _installed_size(package: str, notes: dict[str, str], engine: str) -> float:
    try:
        return process.installed_size(package)
    except ValueError:
        figure = process.in_place_size(package)
        notes[engine] = "measured in the source tree: this machine's kernels only, no debug data"
        return figure


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 1 if an engine failed or disagreed."""
    parser = _parser()
    options = parser.parse_args(arguments)
    by_key: dict[str, Workload] = {w.key: w for w in WORKLOADS}
    every = [*by_key, *_PROCESS_ROWS, checkpoint.KEY]
    if options.list:
        titles = {key: workload.title for key, workload in by_key.items()} | _PROCESS_ROWS
        titles[checkpoint.KEY] = checkpoint.TITLE
        print("\n".join(f"{key:<16} {titles[key]}" for key in every))
        return 0
    names = options.engines.split(",")
    if unknown := set(names) - set(NAMES):
        parser.error(f"no engine is called {', '.join(sorted(unknown))}")
    try:
        keys = _selected(every, options.rows)
    except ValueError as error:
        parser.error(str(error))
    if options.quick:
        keys = [k for k in keys if k != "peak-large" and not (k in by_key and by_key[k].large)]
    engines = _load_engines(names)
    if not engines:
        parser.error("none of the engines is installed")

    settings = Settings.quick() if options.quick else Settings()
    rows: list[Row] = []
    for key in keys:
        if key in by_key:
            with neighbours(options.neighbours):
                found = measure(by_key[key], engines, settings)
            for row in found:
                times = (f"{n} {report.format_time(s)}" for n, s in row.seconds.items())
                print(f"{row.key:<24} {', '.join(times)}", file=sys.stderr, flush=True)
            rows += found
    rows += _process_rows([k for k in keys if k in _PROCESS_ROWS], engines, settings.rounds)
    sections = []
    if checkpoint.KEY in keys and any(engine.package == "tapegrad" for engine in engines):
        sections.append(checkpoint.render(checkpoint.measure()))

    output = options.output
    if output is None and keys == every:
        output = _HERE / "RESULTS.md"
    drawn = None
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        path = output.parent / "step_time.svg"
        drawn = path.name if picture.draw(rows, engines, path) else None
    text = report.document(rows, engines, settings, drawn, sections)
    print(text)
    if output is not None:
        output.write_text(text, encoding="utf-8")
        print(f"written to {output}", file=sys.stderr)
    return 1 if any(row.problems for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
