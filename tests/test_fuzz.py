"""A few random calls; `make fuzz` makes a million, under the sanitizers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_random_calls_neither_end_the_process_nor_leave_wrong_tensors() -> None:
    script = Path(__file__).with_name("fuzz.py")
    run = subprocess.run(
        [sys.executable, str(script), "--calls", "3000", "--jobs", "1"],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr
