"""Packages from PyPI that are written on PyTorch: a program for each ends alike on both libraries.

Those whose metadata name ``torch`` are installed without it: ``pip install --no-deps``; what else
they need is in the extra ``packages``. docs/torch_programs.md has the whole command.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from alike import ends_alike

FOLDER = Path(__file__).with_name("programs") / "packages"
# For each package its name on PyPI, and whether its metadata ask for torch.
PACKAGES = {
    "einops": ("einops", False),
    "ema_pytorch": ("ema-pytorch", True),
    "gpytorch": ("gpytorch linear-operator", True),
    "lion_pytorch": ("lion-pytorch", True),
    "nflows": ("nflows", True),
    "pyro": ("pyro-ppl", True),
    "pytorch_optimizer": ("pytorch-optimizer", True),
    "skorch": ("skorch", False),
    "torchdiffeq": ("torchdiffeq", True),
    "torchinfo": ("torchinfo", False),
    "torchmetrics": ("torchmetrics", True),
    "torchsde": ("torchsde", True),
    "x_transformers": ("x-transformers torch-einops-utils", True),
}


@pytest.mark.parametrize("package", PACKAGES)
def test_package(package: str, tmp_path: Path) -> None:
    names, asks_for_torch = PACKAGES[package]
    if importlib.util.find_spec(package) is None:
        option = "--no-deps " if asks_for_torch else ""
        pytest.skip(f"needs `pip install {option}{names}`; docs/torch_programs.md says more")
    ends_alike(FOLDER / f"{package}_example.py", tmp_path)
