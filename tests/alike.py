"""Programs that import ``torch``, run on both libraries: what they print is compared."""

from __future__ import annotations

import importlib.util
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

__all__ = ["ends_alike"]

NUMBER = re.compile(r"[-+]?\b\d+\.?\d*(?:[eE][-+]?\d+)?\b|[-+]?\binf\b|\bnan\b")


def ends_alike(program: Path, folder: Path) -> None:
    """Run a program in a folder: it prints the same words, and the same numbers to rounding."""
    ours = _printed(folder, "-m", "tapegrad.torch", str(program))
    words, numbers = _parts(ours)
    assert all(math.isfinite(number) for number in numbers), ours
    if importlib.util.find_spec("torch") is None:
        pytest.skip("ran to its end; to compare what it prints, PyTorch is needed")
    theirs = _printed(folder, str(program))
    their_words, their_numbers = _parts(theirs)
    assert words == their_words, ours + theirs
    assert numbers == pytest.approx(their_numbers, rel=2e-3, abs=2e-4), ours + theirs


def _printed(folder: Path, *arguments: str) -> str:
    ran = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        # One thread is quicker here, and adds numbers in the same order each time.
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.replace("tapegrad.", "torch.")


def _parts(text: str) -> tuple[list[str], list[float]]:
    """The words and the numbers of a text."""
    return "".join(NUMBER.split(text)).split(), [float(number) for number in NUMBER.findall(text)]
