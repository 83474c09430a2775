"""The programs in examples/ as a user runs them."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


def run(name, *arguments, cwd):
    command = [sys.executable, str(EXAMPLES / name), *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300)


@pytest.fixture
def example_packages():
    for package in ("sklearn", "matplotlib", "tqdm"):
        pytest.importorskip(package)


def test_digits(tmp_path, example_packages):
    done = run("digits.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    accuracies = [float(value) for value in re.findall(r"accuracy.*: ([\d.]+)%", done.stdout)]
    assert len(accuracies) == 2 and accuracies[0] == accuracies[1] >= 97
    assert re.search(r"trained in [\d.]+ s: [\d,]+ samples/s", done.stdout)
    assert "loss=" in done.stderr  # the progress bar
    assert (tmp_path / "digits.safetensors").stat().st_size > 9610 * 4
    assert (tmp_path / "digits.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--epochs", "0"], "argument --epochs: '0' is not a whole number of at least 1"),
        (["--batch-size", "x"], "argument --batch-size: 'x' is not a whole number"),
        (["--lr", "nan"], "argument --lr: 'nan' is not a number above 0"),
        (["--test-share", "1"], "argument --test-share: '1' is not a number between 0.05 and 0.9"),
        (["--optimizer", "x"], "argument --optimizer: invalid choice: 'x'"),
        (["--seed", "-1"], "argument --seed: '-1' is not a whole number from 0"),
        (["--picture", "no/a.png"], "argument --picture: there is no directory no"),
        (["--picture", "a.xyz"], "argument --picture: the ending must be one of"),
        (["--model", "."], "argument --model: . is a directory"),
    ],
)
def test_digits_refuses_bad_options(
    arguments, message, tmp_path, monkeypatch, capsys, example_packages
):
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.chdir(tmp_path)
    import digits

    with pytest.raises(SystemExit) as left:
        digits.parse_arguments(arguments)
    assert left.value.code == 2 and message in capsys.readouterr().err


def test_xor(tmp_path):
    done = run("xor.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    outputs = [float(value) for value in re.findall(r"xor . = ([\d.]+)", done.stdout)]
    assert [round(value) for value in outputs] == [0, 1, 1, 0]
