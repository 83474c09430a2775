"""The table: as text in Markdown, with where and when it was measured."""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Callable, Sequence
from pathlib import Path

from .engines import Engine
from .measure import Row, Settings


def format_time(seconds: float) -> str:
    """Write a time with three digits and a fitting unit.

    >>> format_time(1.234e-7), format_time(0.0123)
    ('123 ns', '12.3 ms')
    """
    for unit, size in (("ns", 1e-9), ("us", 1e-6), ("ms", 1e-3)):
        if seconds < 999.5 * size:
            return f"{_three_digits(seconds / size)} {unit}"
    return f"{_three_digits(seconds)} s"


def format_bytes(size: float) -> str:
    """Write an amount of memory in MiB."""
    return f"{_three_digits(size / 2**20)} MiB"


def format_megabytes(size: float) -> str:
    """Write the size of files in MB, as package indexes do."""
    return f"{_three_digits(size / 1e6)} MB"


def _three_digits(number: float) -> str:
    digits = 2 if abs(number) < 9.995 else 1 if abs(number) < 99.95 else 0
    return f"{number:.{digits}f}"


def format_ratio(ratio: float) -> str:
    """Write how many times as much a rival needs."""
    digits = 2 if ratio < 0.995 else 1 if ratio < 9.95 else 0
    return f"{ratio:.{digits}f}x"


def render(rows: Sequence[Row], engines: Sequence[Engine]) -> str:
    """Return a Markdown table: a column per engine, then how tapegrad compares.

    Ratios are to tapegrad's figure, or to that of the first engine where it is missing from
    the run; PyTorch counts with its better number of threads.
    """
    own = next((e.name for e in engines if e.name == "tapegrad"), engines[0].name)
    label = next(e.label for e in engines if e.name == own)
    header = ["workload", *(engine.label for engine in engines)]
    torch = [engine.name for engine in engines if engine.package == "torch"]
    rivals = [engine.name for engine in engines if engine.package != "tapegrad"]
    header += [f"torch / {label}", f"best other / {label}"]
    replayed = any(engine.name == "replay" for engine in engines)
    if replayed:
        header += ["best other / replayed"]
    lines = ["| " + " | ".join(header) + " |", "|---|" + "---:|" * (len(header) - 1)]
    for row in rows:
        formatted = _formatter(row)
        cells = [row.title]
        for engine in engines:
            if engine.name in row.seconds:
                cells.append(formatted(row.seconds[engine.name]))
            else:
                cells.append("failed" if engine.name in row.problems else "")
        cells += [_ratio(row, own, torch), _ratio(row, own, rivals)]
        if replayed:
            cells.append(_ratio(row, "replay", rivals))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def render_spread(rows: Sequence[Row], engines: Sequence[Engine]) -> str:
    """Return a Markdown table of the quartiles of each figure, as a percentage of the median."""
    header = ["workload", *(engine.label for engine in engines)]
    lines = ["| " + " | ".join(header) + " |", "|---|" + "---:|" * len(engines)]
    for row in rows:
        if not row.spread:
            continue
        cells = [row.title]
        for engine in engines:
            if engine.name in row.spread:
                median = row.seconds[engine.name]
                low, high = (100 * (value / median - 1) for value in row.spread[engine.name])
                cells.append(f"{low:+.0f} {high:+.0f} %")
            else:
                cells.append("")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def notes(rows: Sequence[Row]) -> list[str]:
    """Return a line for each figure that needs an explanation."""
    return [f"{row.title}: {name}: {text}" for row in rows for name, text in row.notes.items()]


def _formatter(row: Row) -> Callable[[float], str]:
    return {"memory": format_bytes, "size": format_megabytes}.get(row.group, format_time)


def _ratio(row: Row, own: str, rivals: list[str]) -> str:
    others = [row.seconds[name] for name in rivals if name in row.seconds and name != own]
    # Memory figures may be zero or below: pages that were there before.
    if not others or row.seconds.get(own, 0) <= 0:
        return ""
    return format_ratio(min(others) / row.seconds[own])


def problems(rows: Sequence[Row]) -> list[str]:
    """Return a line for each engine that failed or disagreed."""
    return [f"{row.key}: {name}: {text}" for row in rows for name, text in row.problems.items()]


def machine() -> str:
    """Return the kind of machine: processor, instruction set, cores, system."""
    model, vector = platform.processor() or platform.machine(), ""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        entries: dict[str, str] = {}
        for line in cpuinfo.read_text().splitlines():
            name, _, value = line.partition(":")
            entries.setdefault(name.strip(), value.strip())
        model = entries.get("model name", model)
        flags = entries.get("flags", "").split()
        vector = next((f", {f.upper()}" for f in ("avx512f", "avx2") if f in flags), "")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{model}{vector}, {cores} cores, {platform.system()} {platform.machine()}"


def versions(engines: Sequence[Engine]) -> str:
    """Return the versions of Python and of all engines, each once."""
    found = dict.fromkeys(engine.version() for engine in engines)
    return ", ".join([f"Python {platform.python_version()}", *found])


def document(
    rows: Sequence[Row],
    engines: Sequence[Engine],
    settings: Settings,
    picture: str | None,
    sections: Sequence[str] = (),
) -> str:
    """Return the whole of RESULTS.md; `sections` are finished texts that have no engines."""
    date = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    table = [row for row in rows if row.group != "sweep"]
    sweep = [row for row in rows if row.group == "sweep"]
    parts = [
        "# Benchmark results",
        "Written by `python -m benchmarks`; do not edit.",
        f"* machine: {machine()}\n* versions: {versions(engines)}\n* date: {date}\n"
        f"* method: float32; all engines compute the same numbers (checked first); "
        f"{settings.rounds} interleaved rounds of {settings.block * 1e3:.0f} ms, each after a wait "
        "for the other engines' threads to sleep and a warm-up; medians",
        "A ratio above 1 means that tapegrad needs less. `torch` is PyTorch with its faster "
        "number of threads, `best other` the best of all other engines. An empty cell: the "
        "engine cannot do it, or has no such figure. `replayed` is tapegrad's step recorded by "
        "`tapegrad.compile`. Memory and import time are over NumPy's.",
    ]
    if table:
        parts.append(render(table, engines))
    if remarks := notes(table):
        parts.append("\n".join(f"* {line}" for line in remarks))
    if sweep:
        parts.append("## Step time over model size")
        if picture:
            parts.append(f"![Time of a training step over the size of the model]({picture})")
        parts.append(render(sweep, engines))
    parts += sections
    if any(row.spread for row in rows):
        parts.append(
            "## Spread\n\nFirst and third quartile of each figure, relative to the median."
        )
        parts.append(render_spread(rows, engines))
    failed = problems(rows)
    if failed:
        parts.append("## Failed\n\n" + "\n".join(f"* {line}" for line in failed))
    return "\n\n".join(parts) + "\n"
