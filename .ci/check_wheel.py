"""Check what is in a repaired wheel.

python .ci/check_wheel.py WHEEL...

Its tag is a manylinux tag, it has at most 15 MB, and in it are the package, its licences and the
libraries that are meant: OpenBLAS, loaded at run time by a path of the package, and the runtime of
OpenMP, which auditwheel has added under a name of its own. A second OpenBLAS would be a stray, and
so would libstdc++.
"""

from __future__ import annotations

import re
import sys
import zipfile
from pathlib import Path

MOST_BYTES = 15_000_000
LIBRARIES = (
    r"tapegrad/_C\.cpython-3\d+-\w+-linux-gnu\.so",
    r"tapegrad/_lib/libscipy_openblas\.so",
    r"tapegrad\.libs/libgomp-\w+\.so\.1\.0\.0",
)
FILES = (
    r"tapegrad/[\w/]+\.(py|pyi|js|css|html)",
    r"tapegrad/py\.typed",
    r"tapegrad/_lib/LICENSE\.openblas\.txt",
    r"tapegrad-[\w.]+\.dist-info/(METADATA|WHEEL|RECORD|licenses/LICENSE[\w.]*|sboms/[\w.-]+)",
)


def problems(path: Path) -> list[str]:
    found = []
    if not re.search(r"-manylinux_2_\d+_(x86_64|aarch64)(\.manylinux\w+)*\.whl$", path.name):
        found.append("its name has no manylinux tag")
    size = path.stat().st_size
    if size > MOST_BYTES:
        found.append(f"{size / 1e6:.1f} MB are more than {MOST_BYTES / 1e6:.0f} MB")
    with zipfile.ZipFile(path) as wheel:
        names = [name for name in wheel.namelist() if not name.endswith("/")]
    for pattern in LIBRARIES:
        if sum(re.fullmatch(pattern, name) is not None for name in names) != 1:
            found.append(f"it has not one library {pattern}")
    for name in names:
        if not any(re.fullmatch(pattern, name) for pattern in (*LIBRARIES, *FILES)):
            found.append(f"it has the stray file {name}")
    return found


def main() -> int:
    status = 0
    for path in map(Path, sys.argv[1:]):
        found = problems(path)
        print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB", *found, sep="\n  ")
        status |= bool(found)
    return status


if __name__ == "__main__":
    sys.exit(main())
