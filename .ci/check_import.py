"""Check what an import of the installed package costs, and that it loads nothing that it need not.

python .ci/check_import.py

`import tapegrad` takes at most 40 ms more than `import numpy`, which it needs. Of what is neither
Python's own nor NumPy's it loads its own modules alone, and of these none that a program has to ask
for.
"""

from __future__ import annotations

import subprocess
import sys

MOST_SECONDS = 0.040
ROUNDS = 20
# Loaded when a program uses them first.
LATER = ("nn", "optim", "func", "distributions", "distributed", "sklearn", "onnx", "utils.data")

TIME = """
import time
import numpy
begin = time.perf_counter()
import tapegrad
print(time.perf_counter() - begin)
"""
MODULES = """
import sys
import numpy
before = set(sys.modules)
import tapegrad
print(*set(sys.modules) - before)
"""


def run(program: str) -> str:
    return subprocess.run(
        [sys.executable, "-I", "-c", program], check=True, capture_output=True, text=True
    ).stdout


def main() -> int:
    run(TIME)  # fills the caches of files
    seconds = min(float(run(TIME)) for _ in range(ROUNDS))  # the one that neighbours disturb least
    print(f"import tapegrad: {seconds * 1e3:.1f} ms over NumPy's")
    loaded = run(MODULES).split()
    strays = {
        name
        for name in loaded
        if name.split(".")[0] not in {"tapegrad", "numpy", *sys.stdlib_module_names}
    }
    early = {name for name in loaded if name.removeprefix("tapegrad.").startswith(LATER)}
    if strays or early:
        print("loaded, and should not be:", *sorted(strays | early))
    return int(seconds > MOST_SECONDS or bool(strays) or bool(early))


if __name__ == "__main__":
    sys.exit(main())
