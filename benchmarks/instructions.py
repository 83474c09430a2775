"""Instruction counts of the per-operation path, which repeat exactly where times do not.

`python -m benchmarks.instructions` runs a loop over each operation under
`valgrind --tool=callgrind` and compares the instructions per operation with the committed
figures in `instructions.json`. It fails if one has grown by more than 10 %; `--update` writes
the new figures, to be committed with the change that explains them. Counts depend on the
interpreter and the processor architecture, so there is a set for each; without one, or without
valgrind, the command says so and succeeds.

The loops run in one child process. Between them it calls `getppid`, which callgrind is told to
take as the end of a part; so start-up and imports are never counted.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

FIGURES = Path(__file__).resolve().with_name("instructions.json")
OPERATIONS = {
    "add": "a + b",
    "mul_scalar": "a * 1.5",
    "tanh": "tanh(a)",
    "tanh_method": "a.tanh()",
    "add_backward": "(a + b).backward()",
}
_TOLERANCE = 0.10
_RUNS = 2000
_MARKER = "getppid"  # a function that nothing else calls


def _key() -> str:
    """Return what the counts depend on."""
    version = ".".join(platform.python_version_tuple()[:2])
    return f"{platform.python_implementation().lower()}-{version}-{platform.machine()}"


def _child(engine_name: str) -> None:
    """Run the loops, each between two calls of the marker."""
    from .engines import load

    engine = load(engine_name)
    for text in ("pass", *OPERATIONS.values()):
        case = engine.statement("a + b")
        assert case is not None
        namespace = dict(case.namespace)
        source = f"def loop(a, b, tanh, runs):\n    for _ in range(runs):\n        {text}\n"
        exec(source, namespace)
        a, b, tanh = namespace["a"], namespace["b"], namespace["tanh"]
        namespace["loop"](a, b, tanh, 200)  # free lists and specialised byte code are in place
        os.getppid()
        namespace["loop"](a, b, tanh, _RUNS)
        os.getppid()


def count(engine_name: str = "tapegrad") -> dict[str, int]:
    """Return the instructions per operation, without those of the loop.

    Raises:
        RuntimeError: if the run under callgrind fails.
    """
    root = Path(__file__).resolve().parent.parent
    path = os.pathsep.join(p for p in (str(root), os.environ.get("PYTHONPATH", "")) if p)
    with tempfile.TemporaryDirectory() as folder:
        command = ["valgrind", "--tool=callgrind", f"--dump-before={_MARKER}"]
        command += [f"--callgrind-out-file={folder}/out", sys.executable]
        command += ["-m", "benchmarks.instructions", "--child", engine_name]
        # One thread and one order of hashes, so that every run counts the same.
        fixed = {"PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": path, **fixed},
            check=False,
        )
        # Part 1 ends where the first loop begins, part 2 where it ends, and so on.
        expected = 2 * (len(OPERATIONS) + 1)
        parts = [Path(folder, f"out.{number}") for number in range(1, expected + 1)]
        if done.returncode or not all(part.exists() for part in parts):
            raise RuntimeError(f"the run under callgrind failed:\n{done.stderr[-2000:]}")
        loops = [_total(part) for part in parts[1::2]]
    empty, *operations = loops
    return {
        name: round((instructions - empty) / _RUNS)
        for name, instructions in zip(OPERATIONS, operations, strict=True)
    }


def _total(part: Path) -> int:
    match = re.search(r"^totals: (\d+)", part.read_text(), re.MULTILINE)
    if match is None:
        raise RuntimeError(f"no total in {part.name}")
    return int(match.group(1))


def compare(found: dict[str, int], committed: dict[str, int]) -> list[str]:
    """Return a line for each operation that has grown too much."""
    return [
        f"{name}: {instructions} instructions, {instructions / committed[name] - 1:+.1%} "
        f"over the committed {committed[name]}"
        for name, instructions in found.items()
        if name in committed and instructions > committed[name] * (1 + _TOLERANCE)
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 1 if an operation has grown."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.instructions", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--update", action="store_true", help="write the new figures")
    parser.add_argument("--engine", default="tapegrad", help=argparse.SUPPRESS)
    parser.add_argument("--child", metavar="ENGINE", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        _child(options.child)
        return 0
    if shutil.which("valgrind") is None:
        print("instruction counts: skipped, valgrind is not installed")
        return 0

    all_figures = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    committed: dict[str, int] = all_figures.get(_key(), {})
    if not committed and not options.update:
        print(f"instruction counts: skipped, no figures for {_key()}; --update makes them")
        return 0
    found = count(options.engine)
    for name, instructions in found.items():
        before = f" (committed: {committed[name]})" if name in committed else ""
        print(f"{OPERATIONS[name]:<20} {instructions:>8} instructions{before}")
    if options.update:
        all_figures[_key()] = found
        FIGURES.write_text(json.dumps(all_figures, indent=2, sort_keys=True) + "\n")
        return 0
    grown = compare(found, committed)
    for line in grown:
        print(f"grown: {line}", file=sys.stderr)
    return 1 if grown else 0


if __name__ == "__main__":
    sys.exit(main())
