"""Programs of the kinds that PyTorch is used for: they end alike on both libraries.

Each file of ``tests/programs`` is a plain program that imports ``torch``. Its weights and random
numbers come from NumPy, and what it prints is compared: the words, and the numbers to rounding.
"""

from __future__ import annotations

import importlib.util
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).with_name("programs")
SHARED = {"drawn.py", "environment.py"}  # what the programs import
PROGRAMS = sorted(path.name for path in FOLDER.glob("*.py") if path.name not in SHARED)
NUMBER = re.compile(r"[-+]?\b\d+\.?\d*(?:[eE][-+]?\d+)?\b|[-+]?\binf\b|\bnan\b")


def printed(folder: Path, *arguments: str) -> str:
    """What a program prints that is run in an empty folder."""
    ran = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning:__main__", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        # One thread is quicker here, and adds numbers in the same order each time.
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.replace("tapegrad.", "torch.")


def parts(text: str) -> tuple[list[str], list[float]]:
    """The words and the numbers of a text."""
    return "".join(NUMBER.split(text)).split(), [float(number) for number in NUMBER.findall(text)]


@pytest.mark.parametrize("program", PROGRAMS)
def test_program(program: str, tmp_path: Path) -> None:
    path = str(FOLDER / program)
    ours = printed(tmp_path, "-m", "tapegrad.torch", path)
    words, numbers = parts(ours)
    assert len(numbers) > 3 and all(math.isfinite(number) for number in numbers), ours
    if importlib.util.find_spec("torch") is None:
        pytest.skip("ran to its end; to compare what it prints, PyTorch is needed")
    theirs = printed(tmp_path, path)
    their_words, their_numbers = parts(theirs)
    assert words == their_words, ours + theirs
    assert numbers == pytest.approx(their_numbers, rel=2e-3, abs=2e-4), ours + theirs
