"""Programs written for PyTorch, run by ``python -m tapegrad.torch`` and after ``install()``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest


def run(folder: Path, *arguments: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
    ran = subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, timeout=120
    )
    assert ran.returncode == expect, ran.stderr
    return ran


def write(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(dedent(text))
    return name


TORCH = ("-m", "tapegrad.torch")


def test_torch_is_tapegrad(tmp_path: Path) -> None:
    write(tmp_path, "library.py", "import torch\nfrom torch import nn\n")
    program = write(
        tmp_path,
        "program.py",
        """
        import importlib.metadata
        import sys
        import torch
        import torch.nn.functional as F
        import torch.nn.modules.linear
        import torch.backends.cudnn as cudnn
        from torch import nn, optim
        from torch.cuda.amp import autocast
        from torch.utils.data import DataLoader, TensorDataset
        import library
        import tapegrad
        import tapegrad.nn.functional

        assert torch is library.torch is tapegrad
        assert nn is torch.nn is library.nn is tapegrad.nn
        assert F is tapegrad.nn.functional
        assert torch.__name__ == "torch"
        assert torch.nn.__spec__.name == "tapegrad.nn"
        assert torch.__version__ > "2.4" and torch.__version__.startswith("2.")
        assert "+tapegrad." in torch.__version__
        assert importlib.metadata.version("torch") == torch.__version__
        assert not torch.distributed.is_initialized()
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        model = nn.Linear(2, 1).to(device)
        step = optim.SGD(model.parameters(), lr=0.1)
        data = TensorDataset(torch.ones(4, 2), torch.zeros(4, 1))
        for x, y in DataLoader(data, batch_size=2):
            step.zero_grad()
            F.mse_loss(model(x.to(device)), y).backward()
            step.step()
        print(__name__, sys.argv, sys.path[0] == sys.argv[2])
        """,
    )
    ran = run(tmp_path, *TORCH, program, "--lr", str(tmp_path))
    assert ran.stdout == f"__main__ {['program.py', '--lr', str(tmp_path)]} True\n"


MISSING = """
    for statement in (
        "import torch.sparse",
        "from torch.distributed import DeviceMesh",
        "from torch import sparse",
        "from torch import arrange",
        "from torch.nn import Lineer",
        "import torch; torch.sparse",
        "import torch; torch.arrange",
    ):
        try:
            exec(statement)
        except (ImportError, AttributeError) as error:
            print(type(error).__name__, error, sep=": ")
"""


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    ran = run(tmp_path, *TORCH, write(tmp_path, "program.py", MISSING))
    assert ran.stdout.splitlines() == [
        "ModuleNotFoundError: No module named 'torch.sparse'. tapegrad has no sparse tensors.",
        "ImportError: cannot import name 'DeviceMesh' from 'tapegrad.distributed'. "
        "tapegrad's processes share data by DistributedDataParallel and the collectives, and "
        "nothing else.",
        "ImportError: cannot import name 'sparse' from 'tapegrad'. tapegrad has no sparse tensors.",
        "ImportError: cannot import name 'arrange' from 'tapegrad'. Did you mean 'arange'?",
        "ImportError: cannot import name 'Lineer' from 'tapegrad.nn'. Did you mean 'Linear'?",
        "AttributeError: module 'tapegrad' has no attribute 'sparse'. "
        "tapegrad has no sparse tensors.",
        "AttributeError: module 'tapegrad' has no attribute 'arrange'. Did you mean 'arange'?",
    ]
    program = write(tmp_path, "method.py", "import torch\ntorch.ones(1).to_sparse_bsr()\n")
    error = run(tmp_path, *TORCH, program, expect=1).stderr
    assert error.endswith("\ntapegrad's tensors have no 'to_sparse_bsr'.\n")


@pytest.mark.parametrize("way", ["raise", "exit", "text", "interrupt", "syntax", "package"])
def test_a_program_ends_as_without(tmp_path: Path, way: str) -> None:
    """Messages and codes are those of ``python program.py``."""
    write(
        tmp_path,
        "package/__main__.py",
        """
        import sys

        print(__name__, __package__, sys.argv[1:], sys.path[0])
        raise SystemExit(4)
        """,
    )
    program = write(
        tmp_path,
        "program.py",
        """
        import atexit, sys

        def inner():
            raise ValueError("inner")

        def outer():
            try:
                inner()
            except ValueError as error:
                raise KeyError("outer") from error

        atexit.register(print, "end")
        print(sys.argv, sys.path[0], __name__, __file__)
        if sys.argv[1] == "raise":
            outer()
        if sys.argv[1] == "interrupt":
            raise KeyboardInterrupt
        sys.exit(3 if sys.argv[1] == "exit" else "text")
        """,
    )
    if way == "syntax":
        program = write(tmp_path, "program.py", "def f(:\n    pass\n")
    arguments = ("-m", "package", "1") if way == "package" else (program, way)
    alone, ours = (
        subprocess.run(
            [sys.executable, *first, *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
        )
        for first in ((), TORCH)
    )
    assert alone.returncode == ours.returncode != 0
    assert alone.stdout == ours.stdout
    assert alone.stderr == ours.stderr


def test_programs_that_are_not_there(tmp_path: Path) -> None:
    assert "can't open file" in run(tmp_path, *TORCH, "nothing.py", expect=2).stderr
    assert "No module named nothing" in run(tmp_path, *TORCH, "-m", "nothing", expect=1).stderr
    assert run(tmp_path, *TORCH, expect=2).stderr.startswith("usage: ")
    assert run(tmp_path, *TORCH, "--help").stdout.startswith("usage: ")


def test_processes_of_a_program(tmp_path: Path) -> None:
    program = write(
        tmp_path,
        "program.py",
        """
        import pickle
        import torch
        import torch.multiprocessing as mp

        def work(i, queue, model):
            import torch.nn

            queue.put((i, model(torch.ones(1, 2)).detach(), torch.__version__))

        if __name__ == "__main__":
            model = torch.nn.Linear(2, 1)
            queue = mp.get_context("spawn").SimpleQueue()
            mp.spawn(work, (queue, model), nprocs=1)
            i, result, version = queue.get()
            assert i == 0 and version == torch.__version__
            assert result.equal(model(torch.ones(1, 2)))
            other = pickle.loads(pickle.dumps(model))
            assert type(other) is torch.nn.Linear
            print("alike")
        """,
    )
    assert run(tmp_path, *TORCH, program).stdout == "alike\n"


def test_install_inside_a_program(tmp_path: Path) -> None:
    program = write(
        tmp_path,
        "program.py",
        """
        import sys
        import tapegrad

        assert "tapegrad.torch" not in sys.modules
        before = tapegrad.__version__
        tapegrad.torch.install()
        tapegrad.torch.install()
        import torch
        from torch.nn.utils import clip_grad_norm_

        assert torch is tapegrad and torch.__version__.endswith(f"+tapegrad.{before}")
        print("alike")
        """,
    )
    assert run(tmp_path, program).stdout == "alike\n"
    program = write(
        tmp_path,
        "late.py",
        """
        import sys, types

        sys.modules["torch"] = types.ModuleType("torch")
        import tapegrad.torch

        try:
            tapegrad.torch.install()
        except RuntimeError as error:
            print(error)
        """,
    )
    start = "tapegrad.torch.install() comes before the first `import torch`: PyTorch is loaded from"
    assert run(tmp_path, program).stdout.startswith(start)
