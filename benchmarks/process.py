"""What is measured in processes of their own: import time, memory, installed size.

Run as a module it is the child: `python -m benchmarks.process import "import torch"` or
`python -m benchmarks.process peak torch-2 mlp-large`; it prints one line of JSON.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

_MEMORY_WORKLOADS = ("mlp-medium", "mlp-large")
_STEPS = 5


def _status(field: str) -> int:
    """Return a memory figure of this process in bytes (Linux)."""
    text = Path("/proc/self/status").read_text()
    match = re.search(rf"{field}:\s+(\d+) kB", text)
    if match is None:
        raise OSError(f"no {field} in /proc/self/status")
    return int(match.group(1)) * 1024


def _child_import(statement: str) -> dict[str, float]:
    import numpy  # noqa: F401  the figures are over NumPy's

    before = _status("VmRSS")
    start = time.perf_counter()
    exec(statement, {})
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "bytes": _status("VmRSS") - before}


def _child_peak(engine_name: str, key: str) -> dict[str, float]:
    from .engines import load
    from .workloads import BY_KEY

    engine = load(engine_name)
    engine.activate()
    before = _status("VmRSS")
    case = BY_KEY[key].build(engine)
    if case is None or isinstance(case.statement, str):
        return {}
    # Counts from here on: what the construction needed for a moment is not the step's.
    Path("/proc/self/clear_refs").write_text("5")
    for _ in range(_STEPS):
        case.statement()
    return {"bytes": _status("VmHWM") - before}


def _run(*arguments: str) -> dict[str, float]:
    root = Path(__file__).resolve().parent.parent
    path = os.pathsep.join(p for p in (str(root), os.environ.get("PYTHONPATH", "")) if p)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.process", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1] if done.stderr else "failed")
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def import_figures(statements: dict[str, str], rounds: int) -> dict[str, tuple[float, float]]:
    """Return import time in seconds and resident memory in bytes, both over NumPy's.

    Args:
        statements: the import statement of each engine, by name.
        rounds: how often each is imported, in turns; medians are returned.
    """
    found: dict[str, list[dict[str, float]]] = {name: [] for name in statements}
    for _ in range(rounds + 1):  # the first round only warms the file cache
        for name, statement in statements.items():
            found[name].append(_run("import", statement))
    return {
        name: (
            statistics.median(run["seconds"] for run in runs[1:]),
            statistics.median(run["bytes"] for run in runs[1:]),
        )
        for name, runs in found.items()
    }


def peak_memory(engine_name: str, key: str) -> float | None:
    """Return by how many bytes some training steps raise the memory that the import needed."""
    return _run("peak", engine_name, key).get("bytes")


def installed_size(package: str) -> int:
    """Return the size of an installed distribution and all that it requires, in bytes."""
    seen: set[str] = set()
    waiting = [package]
    total = 0
    while waiting:
        name = _normalised(waiting.pop())
        if name in seen:
            continue
        seen.add(name)
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        total += _own_size(distribution)
        waiting += [_requirement(text) for text in distribution.requires or () if _applies(text)]
    return total


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _requirement(text: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+", text)
    return match.group(0) if match else text


def _applies(text: str) -> bool:
    """Whether a requirement holds here: without extras, on this system."""
    _, _, marker = text.partition(";")
    if not marker:
        return True
    if "extra" in marker:
        return False
    try:
        from packaging.markers import Marker
    except ImportError:
        return True
    return bool(Marker(marker).evaluate())


def _own_size(distribution: metadata.Distribution) -> int:
    if '"editable": true' in (distribution.read_text("direct_url.json") or ""):
        raise ValueError(f"{distribution.name} is installed in editable mode")
    files = (Path(str(distribution.locate_file(file))) for file in distribution.files or ())
    return sum(path.stat().st_size for path in files if path.is_file())


if __name__ == "__main__":
    if sys.argv[1] == "import":
        print(json.dumps(_child_import(sys.argv[2])))
    else:
        print(json.dumps(_child_peak(*sys.argv[2:])))
