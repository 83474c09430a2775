"""Run programs that are written for PyTorch, unchanged.

    python -m tapegrad.torch program.py arguments...
    python -m tapegrad.torch -m module arguments...

runs a program in which ``import torch`` gives tapegrad, also in the libraries that the program
imports; `install` does this inside a program. ``torch`` is the module ``tapegrad`` itself, and
``torch.nn`` is ``tapegrad.nn``. docs/torch_programs.md says what differs.
"""

from __future__ import annotations

import sys
from pathlib import Path

import tapegrad

from .. import version
from ..torch_version import TorchVersion
from ._finder import Aliases, Suggestions
from ._insides import ANSWERS

__all__ = ["install"]

# The release of PyTorch whose names and answers are followed.
RELEASE = "2.13.0"


def install() -> None:
    """Let ``torch`` and its modules be tapegrad, for everything that is imported from now on.

    A second call does nothing. From then on ``tapegrad.__version__`` is a version of PyTorch with
    this package's own behind a plus, ``2.13.0+tapegrad.0.1.0``, because libraries ask for a
    version of ``torch``; for the same reason ``tapegrad.__name__`` is ``"torch"``. Interpreters
    that ``multiprocessing`` starts do the same.

    Raises:
        RuntimeError: if PyTorch is loaded already.
    """
    loaded = sys.modules.get("torch")
    if loaded is tapegrad:
        return
    if loaded is not None:
        raise RuntimeError(
            "tapegrad.torch.install() comes before the first `import torch`: PyTorch is loaded "
            f"from {getattr(loaded, '__file__', None)}"
        )
    sys.meta_path.insert(0, Aliases())
    sys.meta_path.append(Suggestions())
    sys.modules["torch"] = tapegrad
    # Interpreters that `multiprocessing` starts have the same path, and find a `torch` there which
    # calls this function.
    sys.path.insert(1, str(Path(__file__).with_name("_path")))
    for name, answer in ANSWERS.items():
        setattr(tapegrad._C, name, answer)
    tapegrad.__name__ = "torch"
    number = TorchVersion(f"{RELEASE}+tapegrad.{version.__version__}")
    tapegrad.__version__ = version.__version__ = number
