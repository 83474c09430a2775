"""Other busy programs beside a measurement: people run several trainings at once."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator

__all__ = ["neighbours"]


@contextlib.contextmanager
def neighbours(count: int) -> Iterator[None]:
    """Keep `count` processes busy with nothing, each on one thread."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()
