"""Runs a program or module as Python itself would."""

from __future__ import annotations

import builtins
import importlib.util
import io
import os
import runpy
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

from .._C import Tensor
from . import install

__all__ = ["main"]

_USAGE = """\
usage: python -m tapegrad.torch program.py [arguments...]
       python -m tapegrad.torch -m module [arguments...]

Runs a program written for PyTorch: `import torch` gives tapegrad."""


def main(arguments: list[str]) -> str | int | None:
    """Run what the arguments name.

    Returns:
        What to leave the interpreter with, if the program does not do it: None, or an error.
    """
    by_name = arguments[:1] == ["-m"]
    rest = arguments[by_name:]
    if not rest or rest[0].startswith("-"):
        print(_USAGE, file=sys.stdout if rest[:1] in (["-h"], ["--help"]) else sys.stderr)
        return 0 if rest[:1] in (["-h"], ["--help"]) else 2
    name, sys.argv = rest[0], rest
    if not by_name and not os.path.isfile(name):
        print(
            f"{sys.executable}: can't open file {os.path.abspath(name)!r}: "
            "[Errno 2] No such file or directory",
            file=sys.stderr,
        )
        return 2
    install()
    sys.excepthook = _show
    if by_name:
        if importlib.util.find_spec(name) is None:
            return f"{sys.executable}: No module named {name}"
        runpy.run_module(name, run_name="__main__", alter_sys=True)
    else:
        _run_file(name)
    return None


def _run_file(path: str) -> None:
    if not getattr(sys.flags, "safe_path", False):  # where it is, the folder is not there
        sys.path[0] = os.path.dirname(os.path.realpath(path))
    module: Any = ModuleType("__main__")
    module.__file__ = os.path.abspath(path)
    module.__loader__ = SourceFileLoader("__main__", path)
    module.__builtins__ = builtins
    sys.modules["__main__"] = module
    with io.open_code(module.__file__) as file:
        code = compile(file.read(), module.__file__, "exec")
    exec(code, vars(module))


# The files whose calls stand between the interpreter and the program.
_OWN = {
    __file__,
    str(Path(__file__).with_name("__main__.py")),
    runpy.run_module.__code__.co_filename,
}


def _show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Show an error as if the program had been started by itself."""
    while trace is not None and trace.tb_frame.f_code.co_filename in _OWN:
        trace = trace.tb_next
    sys.__excepthook__(kind, error.with_traceback(trace), trace)
    if isinstance(error, AttributeError) and _is_tensor(getattr(error, "obj", None)):
        # The interpreter's own text does not tell whose tensor it was.
        print(f"tapegrad's tensors have no {error.name!r}.", file=sys.stderr)


def _is_tensor(value: object) -> bool:
    return isinstance(value, Tensor) or value is Tensor
