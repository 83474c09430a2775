"""Instruction counts of the per-operation path, which repeat where times do not.

`python -m benchmarks.instructions` runs loops over some cases under `valgrind --tool=callgrind`
and prints the instructions per run beside the committed figures in `instructions.json`.

* `--check` fails if a figure has grown by more than 10 %. The file that counts is the one in the
  tree: a change that is worth its instructions comes with new figures in the same commit.
* `--update` writes the new figures.

Counts depend on the compiler, on Python, on the processor architecture and on the instruction set
of the kernels, so the file says what they were made with. Where that differs, or valgrind is
missing, the command says so and succeeds. The package must have kernels for an instruction set
that valgrind knows, as a wheel has; an in-place build for a machine with AVX-512 has none.

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
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .process import elf_sections

FIGURES = Path(__file__).resolve().with_name("instructions.json")
_TOLERANCE = 0.10
_MARKER = "getppid"  # a function that nothing else calls
_ISAS = ("v3", "v2", "neon")  # those that valgrind knows, the best one first


@dataclass(frozen=True)
class Case:
    """What is counted: source text over tensors of one element, or a call that is built first.

    The count is that of `runs` runs, divided by them and by the number of operations in each.
    """

    title: str
    text: str
    runs: int = 1000
    operations: int = 1
    recorded: bool = True


CASES = {
    "add": Case("`a + b`, recorded", "a + b"),
    "add-no-grad": Case("`a + b` in no_grad", "a + b", recorded=False),
    "mul-scalar": Case("`a * 1.5`, recorded", "a * 1.5"),
    "tanh": Case("`tanh(a)`, recorded", "tanh(a)"),
    "tanh-method": Case("`a.tanh()`, recorded", "a.tanh()"),
    "add-backward": Case("`(a + b).backward()`", "(a + b).backward()"),
    "chain": Case("chain of 100 mixed ops with backward, per op", "chain()", 20, 100),
    "xor": Case("step of an XOR MLP, by hand", "xor()", 50),
}


class Skipped(Exception):
    """Figures cannot be made or compared here."""


def environment() -> dict[str, str]:
    """Return what the counts depend on.

    Raises:
        Skipped: if the package has no kernels that run under valgrind.
    """
    import tapegrad

    available = tapegrad.__config__.available_isas()
    isa = next((name for name in _ISAS if name in available), None)
    if isa is None:
        raise Skipped(
            f"{Path(tapegrad.__file__).parent} has kernels for {', '.join(available)} only, which "
            "valgrind does not know; install the package (`pip install .`) and use that"
        )
    python = platform.python_implementation(), platform.python_version(), platform.machine()
    return {
        "python": " ".join(python),
        "python built with": platform.python_compiler(),
        "tapegrad built with": _compiler(Path(tapegrad._C.__file__ or "")),
        "kernels": isa,
    }


def _compiler(extension: Path) -> str:
    """Return the compiler that a shared library names as its own."""
    for name, content in elf_sections(extension, (".comment",)):
        if name == ".comment":
            texts = content.rstrip(b"\0").split(b"\0")
            return ", ".join(sorted({text.decode(errors="replace") for text in texts}))
    return "unknown"


def _namespace() -> dict[str, Any]:
    import tapegrad

    from . import expressions
    from .engines import Gradients, load
    from .workloads import XOR

    engine = load("tapegrad")
    engine.activate()
    chain = engine.gradients(
        Gradients(expressions.mixed_chain, expressions.arrays(2, (1,), (1,), (1,)))
    )
    step = engine.training(XOR)
    assert chain is not None and step is not None
    a, b = (tapegrad.tensor([value], requires_grad=True) for value in (0.5, 0.25))
    return {
        "a": a,
        "b": b,
        "tanh": tapegrad.tanh,
        "chain": chain.statement,
        "xor": step.statement,
        "set_grad_enabled": tapegrad.set_grad_enabled,
    }


def _loop(text: str, names: dict[str, Any]) -> Callable[[int], None]:
    """Return a function that runs `text` as often as it is told, over local variables."""
    source = (
        f"def make({', '.join(names)}):\n"
        "    def loop(runs):\n"
        "        for _ in range(runs):\n"
        f"            {text}\n"
        "    return loop\n"
    )
    namespace: dict[str, Any] = {}
    exec(source, namespace)
    loop: Callable[[int], None] = namespace["make"](**names)
    return loop


def _child() -> None:
    """Run the loops, each between two calls of the marker; first empty ones."""
    names = _namespace()
    set_grad_enabled = names["set_grad_enabled"]
    counts = sorted({case.runs for case in CASES.values()})
    loops = [(_loop("pass", names), runs, True) for runs in counts]
    loops += [(_loop(case.text, names), case.runs, case.recorded) for case in CASES.values()]
    for loop, runs, recorded in loops:
        with set_grad_enabled(recorded):
            loop(max(20, runs // 10))  # free lists and specialised byte code are in place
            os.getppid()
            loop(runs)
            os.getppid()


def count(isa: str) -> dict[str, int]:
    """Return the instructions per operation, without those of the loop around it.

    Raises:
        RuntimeError: if the run under callgrind fails.
    """
    root = Path(__file__).resolve().parent.parent
    path = os.pathsep.join(p for p in (str(root), os.environ.get("PYTHONPATH", "")) if p)
    # One thread, one order of hashes, one set of kernels, so that every run counts the same.
    fixed = {
        "PYTHONPATH": path,
        "PYTHONHASHSEED": "0",
        "TAPEGRAD_ISA": isa,
        "TAPEGRAD_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    runs = sorted({case.runs for case in CASES.values()})
    with tempfile.TemporaryDirectory() as folder:
        command = ["valgrind", "--tool=callgrind", f"--dump-before={_MARKER}"]
        command += [f"--callgrind-out-file={folder}/out", sys.executable]
        command += ["-m", "benchmarks.instructions", "--child"]
        done = subprocess.run(
            command, capture_output=True, text=True, env={**os.environ, **fixed}, check=False
        )
        # Part 1 ends where the first loop begins, part 2 where it ends, and so on.
        expected = 2 * (len(runs) + len(CASES))
        parts = [Path(folder, f"out.{number}") for number in range(1, expected + 1)]
        if done.returncode or not all(part.exists() for part in parts):
            raise RuntimeError(f"the run under callgrind failed:\n{done.stderr[-2000:]}")
        totals = [_total(part) for part in parts[1::2]]
    empty = dict(zip(runs, totals, strict=False))
    return {
        name: round((total - empty[case.runs]) / (case.runs * case.operations))
        for (name, case), total in zip(CASES.items(), totals[len(runs) :], strict=True)
    }


def _total(part: Path) -> int:
    match = re.search(r"^totals: (\d+)", part.read_text(), re.MULTILINE)
    if match is None:
        raise RuntimeError(f"no total in {part.name}")
    return int(match.group(1))


def grown(found: dict[str, int], committed: dict[str, int]) -> list[str]:
    """Return the cases that need more instructions than is tolerated."""
    return [
        name
        for name, figure in found.items()
        if name in committed and figure > committed[name] * (1 + _TOLERANCE)
    ]


def table(found: dict[str, int], committed: dict[str, int]) -> str:
    """Return the figures in columns: committed, found, and the difference."""
    width = max(len(case.title) for case in CASES.values())
    lines = [f"{'instructions per run':<{width}} {'committed':>10} {'now':>10}"]
    for name, figure in found.items():
        before = committed.get(name)
        line = f"{CASES[name].title:<{width}} {before or '':>10} {figure:>10}"
        lines.append(line + (f" {figure / before - 1:>+8.1%}" if before else ""))
    return "\n".join(lines)


def _committed() -> dict[str, Any]:
    if not FIGURES.exists():
        return {"environment": {}, "figures": {}}
    content: dict[str, Any] = json.loads(FIGURES.read_text())
    return content


def _require_same(here: dict[str, str], there: dict[str, str]) -> None:
    different = [
        f"{name}: {here.get(name)}, not {there.get(name)}"
        for name in dict.fromkeys((*here, *there))
        if here.get(name) != there.get(name)
    ]
    if different:
        raise Skipped("the committed figures were made elsewhere (" + "; ".join(different) + ")")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 1 if `--check` finds that something has grown."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.instructions", description=(__doc__ or "").split("\n")[0]
    )
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--check", action="store_true", help="fail if a figure has grown by 10 %%")
    action.add_argument("--update", action="store_true", help="write the new figures")
    action.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        _child()
        return 0

    committed = _committed()
    try:
        if shutil.which("valgrind") is None:
            raise Skipped("valgrind is not installed")
        here = environment()
        if options.check:
            _require_same(here, committed["environment"])
    except Skipped as reason:
        print(f"instruction counts: skipped, {reason}")
        return 0
    found = count(here["kernels"])
    print(table(found, committed["figures"]))
    if options.update:
        content = {"environment": here, "figures": found}
        FIGURES.write_text(json.dumps(content, indent=2) + "\n")
    failed = grown(found, committed["figures"]) if options.check else []
    if failed:
        print(
            f"grown by more than {_TOLERANCE:.0%}: {', '.join(failed)}. If it is worth it, commit "
            "the figures that `python -m benchmarks.instructions --update` writes.",
            file=sys.stderr,
        )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
