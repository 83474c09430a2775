"""The guides beside their examples: pictures are what their script draws, and named files exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
FOLDERS = r"csrc|python|tests|benchmarks|examples|docs|\.ci"


def test_pictures_are_those_of_the_script(tmp_path: Path) -> None:
    subprocess.run([sys.executable, DOCS / "pictures.py", tmp_path], check=True)
    drawn = sorted(path.name for path in tmp_path.iterdir())
    assert len(drawn) >= 5
    for name in drawn:
        text = (tmp_path / name).read_text()
        assert (DOCS / "pictures" / name).read_text() == text, "run: python docs/pictures.py"


@pytest.mark.parametrize("name", ["architecture", "extending"])
def test_files_exist(name: str) -> None:
    named = re.findall(rf"`((?:{FOLDERS})/[\w./-]*)`", (DOCS / f"{name}.md").read_text())
    assert len(named) > 10
    assert [path for path in named if not (ROOT / path).exists()] == []
