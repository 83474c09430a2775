"""`python -m tapegrad`: what a report of a fault carries."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tapegrad as tg
from tapegrad import _self_test
from tapegrad._self_test import _checks
from tapegrad._self_test._report import Report, run_group


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tapegrad", *arguments],
        env={**os.environ, **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def facts(text: str) -> dict[str, str]:
    """What is said of each thing, of the lines before the tests."""
    lines = text.split("\n\n")[0].splitlines()
    return {line[:17].strip(): line[17:] for line in lines}


@pytest.mark.slow
def test_whole_program() -> None:
    result = run()
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stderr == ""
    description, tests, speed = result.stdout.split("\n\n")
    assert facts(description)["tapegrad"].startswith(tg.__version__)
    groups = tests.splitlines()[1:-1]
    assert len(groups) == len(_checks.GROUPS)
    assert all(re.fullmatch(r"  .+ +\d+ checks +\d+\.\d s  ok", line) for line in groups)
    assert re.fullmatch(r"  all \d+ checks hold", tests.splitlines()[-1])
    seconds = sum(float(re.findall(r"(\d+\.\d) s", line)[0]) for line in groups)
    assert seconds < 10
    rows = speed.splitlines()[1:]
    assert len(rows) >= 6
    assert all(re.fullmatch(r"  .+ [\d.]+ [nμum]?s +[\d.]+ [num]?s +[\d.]+x", row) for row in rows)


def test_description() -> None:
    result = run("--info", OMP_NUM_THREADS="1", TAPEGRAD_COMPILE="0")
    assert result.returncode == 0
    told = facts(result.stdout)
    assert told["tapegrad"] == f"{tg.__version__} ({Path(tg.__file__).parent})"
    isas = ", ".join(tg.__config__.available_isas())
    assert told["instruction set"] == f"{tg.__config__.isa()} of {isas}"
    assert told["threads"].startswith("1 of ")
    assert told["NumPy"] == np.__version__
    assert sys.version.split()[0] in told["Python"]
    assert "OMP_NUM_THREADS=1" in told["environment"].split()
    assert "TAPEGRAD_COMPILE=0" in told["environment"].split()


def test_libraries() -> None:
    blas = tg.__config__.blas()
    assert re.match(r"OpenBLAS \d+\.\d+", blas)
    assert Path(blas[blas.rindex("(") + 1 : -1]).is_file()
    openmp = tg.__config__.openmp()
    assert re.fullmatch(r"\d{4}-\d{2} \(.*lib.*omp.*\)", openmp)
    assert facts(run("--info", TAPEGRAD_BLAS="").stdout)["BLAS"] == "none"


def test_a_fault_is_reported(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(report: Report) -> None:
        """A group with faults."""
        for at in range(7):
            report.close(f"number {at}", tg.tensor([1.0, 2.0]), [1.0, 2.5 if at else 2.0], 1e-3)

    def broken(report: Report) -> None:
        """A group that ends early."""
        report.holds("this", True)
        raise ValueError("not this")

    monkeypatch.setattr(_checks, "GROUPS", (wrong, broken))
    assert _self_test.main(["--no-speed"]) == 1
    text = capsys.readouterr().out
    assert re.search(r"  A group with faults +7 checks .* 6 FAILED\n    number 1: 2 inst", text)
    assert "    and 1 more\n" in text
    assert re.search(
        r"  A group that ends early +2 checks .* 1 FAILED\n    after 1 checks: Val", text
    )
    assert text.endswith("  7 of 9 checks FAILED\n")


@pytest.mark.parametrize(
    ("got", "want", "holds"),
    [
        ([1.0, 2.0], [1.0, 2.0 + 1e-9], True),
        ([1.0, 2.0], [1.0, 2.1], False),
        ([float("nan")], [1.0], False),
        ([float("inf")], [float("inf")], True),
        ([float("inf")], [1.0], False),
        ([1.0], [[1.0]], False),
        ([], [], True),
    ],
)
def test_comparison(got: list[float], want: list, holds: bool) -> None:
    report = Report()
    report.close("values", tg.tensor(got, dtype=tg.float64), want, 1e-6)
    assert report.checks == 1
    assert (report.faults == []) == holds


@pytest.mark.parametrize("group", _checks.GROUPS, ids=lambda group: group.__name__)
def test_groups_find_a_wrong_kernel(group, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each group holds here, and notices if something that it rests on is wrong."""
    broken = {
        "elementwise": (tg, "tanh", lambda x: x.sinh()),
        "reductions": (tg.Tensor, "cumsum", lambda x, dim: x),
        "products": (tg.linalg, "solve", lambda a, b: b),
        "gradients": (tg.nn.functional, "layer_norm", lambda x, shape: x * x.detach()),
        "tape": (tg.Tensor, "detach", lambda x: x.clone()),
        "transforms": (_checks, "hessian", lambda f: lambda w, x: tg.outer(w, w)),
        "training": (tg, "compile", lambda f: lambda x, y: f(x, y) * 0.5),
        "threads": (tg.Tensor, "tanh", lambda x: x * tg.get_num_threads()),
        "random_numbers": (tg, "randperm", lambda n: tg.zeros(n)),
        "files": (tg, "load", lambda path: {"weight": tg.zeros(3, 5), "bias": tg.zeros(3)}),
    }
    assert run_group(group)[0].faults == []
    monkeypatch.setattr(*broken[group.__name__])
    assert run_group(group)[0].faults != []
