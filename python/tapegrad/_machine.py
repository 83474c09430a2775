"""The machine and the interpreter, as reports of faults tell of them."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

import numpy as np

from . import _C, __config__

__all__ = ["describe"]

# What changes how the package or the libraries under it run.
_PREFIXES = ("TAPEGRAD_", "OMP_", "GOMP_", "OPENBLAS_", "MKL_")


def describe() -> dict[str, str]:
    """What is said of each thing, by its name."""
    variables = [f"{k}={v}" for k, v in sorted(os.environ.items()) if k.startswith(_PREFIXES)]
    return {
        "tapegrad": f"{_C.__version__} ({Path(__file__).parent})",
        "instruction set": f"{__config__.isa()} of {', '.join(__config__.available_isas())}",
        "threads": f"{_C.get_num_threads()} of {_processors()}",
        "BLAS": __config__.blas(),
        "OpenMP": __config__.openmp(),
        "NumPy": np.__version__,
        "Python": f"{platform.python_implementation()} {sys.version}".replace("\n", " "),
        "platform": f"{platform.platform()}, {' '.join(platform.libc_ver()) or 'unknown libc'}",
        "CPU": _cpu(),
        "environment": " ".join(variables) or "nothing set",
    }


def _processors() -> str:
    """How many processors there are, and how many this process may use."""
    count = os.cpu_count() or 0
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else count
    return f"{count} processors" if allowed == count else f"{allowed} processors ({count} in all)"


def _cpu() -> str:
    """The processor's name, as Linux knows it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
