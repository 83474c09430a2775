"""Programs of the kinds that PyTorch is used for: they end alike on both libraries.

Each file of ``tests/programs`` is a plain program that imports ``torch``. Its weights and random
numbers come from NumPy, so that both libraries see the same.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from alike import ends_alike

FOLDER = Path(__file__).with_name("programs")
SHARED = {"drawn.py", "environment.py"}  # what the programs import
PROGRAMS = sorted(path.name for path in FOLDER.glob("*.py") if path.name not in SHARED)


@pytest.mark.parametrize("program", PROGRAMS)
def test_program(program: str, tmp_path: Path) -> None:
    ends_alike(FOLDER / program, tmp_path)
