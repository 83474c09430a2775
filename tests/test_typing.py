"""What type checkers see of the package: a user's program under mypy and pyright, and the stub."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import site
import subprocess
import sys
from pathlib import Path

import pytest

import tapegrad

FOLDER = Path(__file__).with_name("typed")
PROGRAM = FOLDER / "program.py"
# Where the package is, unless it is installed: checkers find what is.
PARENT = Path(tapegrad.__file__).resolve().parent.parent
SOURCES = [] if str(PARENT) in map(os.path.realpath, site.getsitepackages()) else [str(PARENT)]


def needs(module: str) -> None:
    if importlib.util.find_spec(module) is None:
        pytest.skip(f'needs {module}: pip install "tapegrad[typing]"')


def run(*command: str, folder: Path) -> None:
    """Run a checker outside of the checkout, whose settings are not those of a user."""
    environment = {**os.environ, "MYPYPATH": os.pathsep.join(SOURCES)}
    result = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_program_runs() -> None:
    subprocess.run([sys.executable, str(PROGRAM)], check=True)


@pytest.mark.slow
def test_mypy(tmp_path: Path) -> None:
    needs("mypy")
    # What it says of the package itself, which `make typecheck` checks with settings of its own, is
    # not shown where that is installed.
    options = ("--strict", "--follow-imports", "silent", "--config-file=", "--cache-dir=mypy")
    run(sys.executable, "-m", "mypy", *options, str(PROGRAM), folder=tmp_path)


@pytest.mark.slow
def test_pyright(tmp_path: Path) -> None:
    needs("pyright")
    shutil.copy(PROGRAM, tmp_path)
    settings = {
        "include": [PROGRAM.name],
        "typeCheckingMode": "strict",
        "reportUnnecessaryTypeIgnoreComment": True,
        "extraPaths": SOURCES,
    }
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    run(
        *(sys.executable, "-m", "pyright", "--project", str(tmp_path)),
        *("--pythonpath", sys.executable),
        folder=tmp_path,
    )


@pytest.mark.slow
def test_stub_is_that_of_the_module(tmp_path: Path) -> None:
    needs("mypy")
    allowed = str(FOLDER / "stubtest_allowlist.txt")
    run(
        *(sys.executable, "-m", "mypy.stubtest", "tapegrad._C"),
        *("--allowlist", allowed, "--ignore-unused-allowlist"),
        folder=tmp_path,
    )
