"""Check that the layers of csrc/ stay apart.

    python .ci/check_layers.py [BUILD_DIR]

1. Includes run one way (see CONTRIBUTING.md), and Python headers are included by csrc/python alone.
   No header leads back to itself. In csrc/ops every source file has a header of its own name and
   is at most 600 lines long.
2. With BUILD_DIR: no object file of a kernel defines a weak symbol outside the namespace of its
   instruction set. The linker keeps one of several weak definitions, so a function compiled for
   AVX-512 could end up in the path of a CPU that does not have it.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "csrc"

# folder -> the folders that it may include from
MAY_INCLUDE = {
    "core": {"core"},
    "simd": {"core", "simd"},
    "formulas": {"core", "simd", "formulas"},
    "replay": {"core", "replay"},
    "kernels": {"core", "simd", "formulas", "replay", "kernels"},
    "autograd": {"core", "replay", "autograd"},
    "ops": {"core", "formulas", "replay", "kernels", "autograd", "ops"},
    "python": {"core", "simd", "formulas", "replay", "kernels", "autograd", "ops", "python"},
}
# Sources that share a header, and the one that only gives the tape what it asks for.
PARTS_OF = {
    "elementwise_unary": "elementwise",
    "elementwise_binary": "elementwise",
    "elementwise_integer": "elementwise",
    "tape": "elementwise",
    "cholesky": "factorizations",
}
INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"(?P<own>[^"]+)"|<(?P<system>[^>]+)>)', re.MULTILINE)


def wrong_includes() -> list[str]:
    problems = []
    for path in sorted(SOURCES.rglob("*")):
        if path.suffix not in {".h", ".cpp"}:
            continue
        layer = path.relative_to(SOURCES).parts[0]
        for match in INCLUDE.finditer(path.read_text()):
            where = path.relative_to(ROOT)
            own, system = match["own"], match["system"]
            if own and "/" in own and own.split("/")[0] not in MAY_INCLUDE[layer]:
                problems.append(f"{where}: {layer} may not include {own}")
            header = own or system
            if layer != "python" and header.startswith(("Python.h", "pybind11/", "numpy/")):
                problems.append(f"{where}: only csrc/python may include {header}")
    return problems


def own_includes(path: Path) -> list[str]:
    return [match["own"] for match in INCLUDE.finditer(path.read_text()) if match["own"]]


def circles() -> list[str]:
    """Headers that include themselves by way of others."""
    headers = {
        str(path.relative_to(SOURCES)): own_includes(path) for path in sorted(SOURCES.rglob("*.h"))
    }
    problems: list[str] = []
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        if name in way:
            problems.append(f"headers in a circle: {' -> '.join((*way[way.index(name) :], name))}")
        elif name not in done:
            for other in headers.get(name, ()):
                visit(other, (*way, name))
            done.add(name)

    for name in headers:
        visit(name, ())
    return problems


def untidy_operators() -> list[str]:
    """Files of operators without a header of their own, or too long to be about one topic."""
    problems = []
    for path in sorted((SOURCES / "ops").iterdir()):
        lines = len(path.read_text().splitlines())
        if lines > 600:
            problems.append(f"{path.relative_to(ROOT)} has {lines} lines: more than one topic?")
        header = PARTS_OF.get(path.stem, path.stem)
        if path.suffix == ".cpp" and not path.with_name(f"{header}.h").is_file():
            problems.append(f"{path.relative_to(ROOT)} has no header of its own")
    return problems


def shared_symbols(build: Path) -> list[str]:
    """Weak symbols of kernel objects that are not in their instruction set's namespace."""
    folders = sorted(build.glob("CMakeFiles/tapegrad_kernels_*.dir"))
    if len(folders) < 2:
        return [f"{build}: no kernels of two or more instruction sets to compare"]
    problems = []
    for folder in folders:
        isa = folder.name.removeprefix("tapegrad_kernels_").removesuffix(".dir")
        mangled = f"{len(isa)}{isa}"
        for path in sorted(folder.rglob("*.o")):
            lines = subprocess.run(
                ["nm", "--defined-only", "--format=posix", str(path)],
                check=True, capture_output=True, text=True,
            ).stdout.splitlines()  # fmt: skip
            for line in lines:
                name, kind = line.split()[:2]
                if kind in "WwVvu" and mangled not in name and not name.startswith("DW.ref."):
                    problems.append(f"{path.name} ({isa}): {name} is shared between sets")
    return problems


def main() -> int:
    problems = wrong_includes() + circles() + untidy_operators()
    if len(sys.argv) > 1:
        problems += shared_symbols(Path(sys.argv[1]))
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
