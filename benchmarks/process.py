"""What is measured in processes of their own: import time, memory, installed size.

Run as a module it is the child: `python -m benchmarks.process import "import torch"` or
`python -m benchmarks.process peak torch-2 mlp-large`; it prints one line of JSON.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import statistics
import struct
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
    import numpy.random  # noqa: F401  draws the data of every engine: not the step's memory

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
            if name == package:
                raise ValueError(f"{package} is not installed") from None
            continue
        total += _own_size(distribution)
        waiting += [_requirement(text) for text in distribution.requires or () if _applies(text)]
    return total


def in_place_size(package: str, requires: tuple[str, ...] = ("numpy",)) -> int:
    """Return the size of a package that is imported from its sources, and of what it requires.

    Debug information, which the compilers of a development build add, is not counted.
    """
    specification = importlib.util.find_spec(package)
    if specification is None or not specification.submodule_search_locations:
        raise ValueError(f"no package is called {package!r}")
    total = sum(installed_size(name) for name in requires)
    for folder in specification.submodule_search_locations:
        for path in Path(folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                total += path.stat().st_size - _debug_bytes(path)
    return total


def _debug_bytes(path: Path) -> int:
    """Return how many bytes of a file `strip` would remove."""
    debug = (".debug", ".symtab", ".strtab")
    return sum(len(content) for _, content in elf_sections(path, debug))


def elf_sections(path: Path, beginnings: tuple[str, ...]) -> list[tuple[str, bytes]]:
    """Return name and content of the sections of a 64-bit ELF file whose names begin so.

    Any other file has none.
    """
    with path.open("rb") as file:
        header = file.read(64)
        if header[:6] != b"\x7fELF\x02\x01":
            return []
        (table,) = struct.unpack_from("<Q", header, 40)
        size, count, names = struct.unpack_from("<HHH", header, 58)
        file.seek(table)
        entries = file.read(size * count)

        def content(index: int) -> bytes:
            offset, length = struct.unpack_from("<QQ", entries, size * index + 24)
            file.seek(offset)
            return file.read(length)

        texts = content(names)
        found = []
        for index in range(count):
            (start,) = struct.unpack_from("<I", entries, size * index)
            name = texts[start : texts.index(b"\0", start)].decode()
            if name.startswith(beginnings):
                found.append((name, content(index)))
        return found


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
