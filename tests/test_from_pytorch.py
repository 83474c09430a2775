"""The page "Coming from PyTorch": every difference that it names is one, and none is missing.

Its tables of programs are run on both sides, and public names and arguments are compared.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

import tapegrad

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "from_pytorch.md").read_text()
CODE = re.compile(r"`([^`]+)`")
PROGRAM_TABLE = "| what | program | PyTorch | tapegrad |"
MISSING_TABLE = "| what | names | instead |"
MORE_TABLE = "| what | names |"

# Modules whose public names are compared; "" is torch itself.
MODULES = (
    *("", "Tensor", "nn", "nn.functional", "nn.init", "nn.utils", "nn.utils.rnn", "nn.utils.prune"),
    *("nn.utils.parametrize", "nn.utils.parametrizations", "nn.attention", "nn.parallel"),
    *("optim", "optim.lr_scheduler", "optim.swa_utils", "autograd", "autograd.function"),
    *("autograd.functional", "autograd.forward_ad", "autograd.graph", "func", "linalg", "special"),
    *("fft", "signal.windows", "distributions", "distributions.transforms"),
    *("distributions.constraints", "utils.data", "utils.checkpoint", "utils.benchmark"),
    *("utils.dlpack", "random", "testing", "profiler", "multiprocessing", "overrides", "compiler"),
    *("jit", "onnx", "serialization", "distributed", "amp", "cuda", "backends", "cpu"),
    *("accelerator", "mps", "xpu"),
)
# Arguments that are not taken, as the page says in words.
OTHER_ARGUMENTS = {
    *("onnx.export", "compile", "nn.parallel.DistributedDataParallel", "distributed.barrier"),
    *("distributed.init_process_group", "distributed.new_group"),
    *("profiler.tensorboard_trace_handler",),
    # Names that nobody passes.
    *("split", "autograd.function.FunctionMeta", "cuda.stream"),
}


def rows(header: str) -> Iterator[list[str]]:
    """The cells of the tables with a header."""
    lines = iter(PAGE.splitlines())
    for line in lines:
        if line == header:
            next(lines)
            for row in lines:
                if not row.startswith("|"):
                    break
                yield [cell.strip() for cell in row.strip("|").split(" | ")]


def preamble(library: str) -> str:
    """The page's first block, for one of the libraries."""
    block = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert block
    lines = [line[4:] for line in block[1].splitlines() if line[:4] in (">>> ", "... ")]
    return "\n".join(lines).replace("tapegrad", library)


def outcome(library: str, program: str) -> set[str]:
    """What the last expression of a program gives, as it is shown, or the names of its error."""
    space: dict[str, Any] = {}
    exec(preamble(library), space)
    tree = ast.parse(program)
    last = tree.body.pop()
    assert isinstance(last, ast.Expr)
    threads = space["torch"].get_num_threads()
    try:
        exec(compile(tree, "<row>", "exec"), space)
        return {repr(eval(compile(ast.Expression(last.value), "<row>", "eval"), space))}
    except Exception as error:
        return {kind.__name__ for kind in type(error).__mro__[:-3]}
    finally:
        space["torch"].set_num_threads(threads)


def pytorch() -> Any:
    """PyTorch, in the release that the page is about."""
    torch = pytest.importorskip("torch", reason="needs PyTorch, for its side of the page")
    if not torch.__version__.startswith("2.13."):
        pytest.skip("the page is about PyTorch 2.13")
    return torch


PROGRAMS = [(CODE.findall(row[1])[0], row[2], row[3]) for row in rows(PROGRAM_TABLE)]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("program", "theirs", "ours"), PROGRAMS, ids=[p[0] for p in PROGRAMS])
def test_programs(program: str, theirs: str, ours: str) -> None:
    assert CODE.findall(ours)[0] in outcome("tapegrad", program)
    pytorch()
    if theirs.startswith("`"):
        assert CODE.findall(theirs)[0] in outcome("torch", program)
    elif theirs == "not 0":
        assert outcome("torch", program) != {"0.0"}
    else:
        assert theirs == "not promised"


def test_every_table_is_run() -> None:
    assert PAGE.count(PROGRAM_TABLE) == 5 and len(PROGRAMS) > 50


# ---------------------------------------------------------------------- names


def find(library: Any, path: str) -> Any:
    """What has a path within a library, modules imported if need be."""
    found, name = library, library.__name__
    for part in filter(None, path.split(".")):
        name += f".{part}"
        try:
            found = getattr(found, part)
        except AttributeError:
            found = importlib.import_module(name)
    return found


def public(torch: Any, module: str) -> list[str]:
    """Names that PyTorch offers: those of `__all__`, or what of PyTorch a module has."""
    there = find(torch, module)
    names = getattr(there, "__all__", None) or [
        name
        for name in dir(there)
        if module == "Tensor"
        or str(getattr(getattr(there, name), "__module__", "")).startswith("torch")
    ]
    return [name for name in names if not name.startswith("_")]


def from_the_compiled_module(value: Any) -> bool:
    """A class of TorchScript's and its like, or a member of such an enumeration."""
    kind = value if isinstance(value, type) else type(value)
    return kind.__module__ == "torch._C" or type(kind).__name__ == "pybind11_type"


def is_here(path: str) -> bool:
    module, _, name = path.rpartition(".")
    try:
        return hasattr(find(tapegrad, module), name)
    except ImportError:
        return False


def missing_names(torch: Any) -> set[str]:
    found = set()
    for module in MODULES:
        there = find(torch, module)
        for name in public(torch, module):
            path = f"{module}.{name}".lstrip(".")
            if not is_here(path) and not from_the_compiled_module(getattr(there, name)):
                found.add(path)
    return found


@pytest.mark.filterwarnings("ignore")
def test_missing_names_are_all_in_the_table() -> None:
    torch = pytorch()
    named = [name for row in rows(MISSING_TABLE) for name in CODE.findall(row[1])]
    missing = missing_names(torch)
    assert len(missing) > 300
    unnamed = {name for name in missing if not any(fnmatchcase(name, n) for n in named)}
    assert not unnamed
    for name in named:
        if "*" in name or "[" in name:
            assert any(fnmatchcase(n, name) for n in missing), name
        else:
            module, _, last = name.rpartition(".")
            assert hasattr(find(torch, module), last) and not is_here(name), name


@pytest.mark.filterwarnings("ignore")
def test_what_is_more_is_here_and_not_there() -> None:
    torch = pytorch()
    named = [name for row in rows(MORE_TABLE) for name in CODE.findall(row[1])]
    assert len(named) > 10
    for name in named:
        if name.startswith("sklearn.") and importlib.util.find_spec("sklearn") is None:
            continue
        path, _, argument = name.removesuffix(")").partition("(..., ")
        assert has(tapegrad, path, argument.partition("=")[0]), name
        assert not has(torch, path, argument.partition("=")[0]), name


def has(library: Any, path: str, argument: str) -> bool:
    """Whether there is a name, or an argument of the function that has it."""
    module, _, name = path.rpartition(".")
    if module == "grad_fn":
        return hasattr(library.ones(1, requires_grad=True).exp().grad_fn, name)
    try:
        value = find(library, path)
    except ImportError:
        return False
    return not argument or argument in inspect.signature(value).parameters


# ---------------------------------------------------------------------- arguments


def parameters(function: Any) -> dict[str, inspect.Parameter] | None:
    """Those of a function in Python; None where they are not known by name."""
    try:
        found = dict(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return None
    variadic = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    return None if any(p.kind in variadic for p in found.values()) else found


def same_default(ours: inspect.Parameter, theirs: inspect.Parameter) -> bool:
    """Whether the values of an argument that is left out are the same, where both are plain."""
    plain = (bool, int, float, str)
    if isinstance(ours.default, plain) and isinstance(theirs.default, plain):
        return ours.default == theirs.default
    return True


@pytest.mark.filterwarnings("ignore")
def test_arguments_have_pytorchs_names_and_defaults() -> None:
    torch = pytorch()
    compared = 0
    for module in MODULES:
        for name in public(torch, module):
            path = f"{module}.{name}".lstrip(".")
            if not is_here(path) or path in OTHER_ARGUMENTS:
                continue
            theirs = parameters(getattr(find(torch, module), name))
            ours = parameters(getattr(find(tapegrad, module), name))
            if theirs is None or ours is None:
                continue
            compared += 1
            for key in theirs:
                if not key.startswith("_"):
                    assert key in ours and same_default(ours[key], theirs[key]), f"{path}({key})"
    assert compared > 300
