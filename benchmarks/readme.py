"""Writes the tables of README.md from RESULTS.md: `python -m benchmarks.readme`.

A table stands between `<!-- rows: ... -->`, which names its rows by the beginnings of their titles,
and `<!-- end -->`.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COLUMNS = ("tapegrad", "replayed", "PyTorch", "JAX jit", "best other / best of tapegrad")
_UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "MB": 1.0, "MiB": 1.0}
_TABLE = re.compile(r"(<!-- rows: (.*?) -->\n).*?(<!-- end -->)", re.DOTALL)


def _seconds(cell: str) -> float:
    number, unit = cell.split()
    return float(number.replace(",", "")) * _UNITS[unit]


def _least(cells: list[str]) -> str:
    return min(filter(None, cells), key=_seconds, default="")


def _results() -> dict[str, list[str]]:
    """The cells of each row of RESULTS.md by its title."""
    found: dict[str, list[str]] = {}
    for line in (ROOT / "benchmarks/RESULTS.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and len(cells) == 11:
            found.setdefault(cells[0], cells[1:8])
    return found


def _row(title: str, cells: list[str]) -> str:
    eager, replayed, torch_1, torch_2, numpy, jax, hips = cells
    torch = _least([torch_1, torch_2])
    others = _least([torch, numpy, jax, hips])
    ratio = _seconds(others) / _seconds(_least([eager, replayed]))
    shown = f"{ratio:.0f}x" if ratio >= 10 else f"{ratio:.2g}x"
    return "| " + " | ".join([title, eager, replayed, torch, jax, shown]) + " |"


def tables(readme: str) -> str:
    """The README with its tables written anew.

    Raises:
        ValueError: a row is named that RESULTS.md does not have, or has several of.
    """
    results = _results()

    def table(match: re.Match[str]) -> str:
        lines = ["| | " + " | ".join(COLUMNS) + " |", "|---" + "|---:" * len(COLUMNS) + "|"]
        for name in match[2].split(";"):
            titles = [title for title in results if title.startswith(name.strip())]
            if len(titles) != 1:
                raise ValueError(f"expected one row {name.strip()!r}, but found {titles}")
            lines.append(_row(titles[0], results[titles[0]]))
        return match[1] + "\n".join(lines) + "\n" + match[3]

    return _TABLE.sub(table, readme)


def main() -> None:
    path = ROOT / "README.md"
    path.write_text(tables(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
