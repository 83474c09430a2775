"""The stub of the extension and its docstrings name what the extension has, and nothing else."""

from __future__ import annotations

import ast
import importlib
import operator
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import tapegrad
from tapegrad import _C

STUB = Path(tapegrad.__file__).with_name("_C.pyi")


GENERATOR = Path(__file__).resolve().parent.parent / "csrc/python/generate_stubs.py"


def declared(body: list[ast.stmt]) -> set[str]:
    """Names of functions, classes and variables; aliases of types exist for the stub alone."""
    names: set[str] = set()
    for item in body:
        if isinstance(item, ast.FunctionDef | ast.ClassDef):
            names.add(item.name)
        elif isinstance(item, ast.AnnAssign) and ast.unparse(item.annotation) != "TypeAlias":
            names.add(ast.unparse(item.target))
    return names


def special(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def public(value: object) -> set[str]:
    return {name for name in dir(value) if not name.startswith("_")}


@pytest.fixture(scope="module")
def tree() -> ast.Module:
    return ast.parse(STUB.read_text())


def class_body(tree: ast.Module, name: str) -> list[ast.stmt]:
    return next(n.body for n in tree.body if isinstance(n, ast.ClassDef) and n.name == name)


def test_package_is_marked_as_typed() -> None:
    assert STUB.with_name("py.typed").is_file()


@pytest.fixture(scope="module")
def generator() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(GENERATOR.parent)
        yield importlib.import_module(GENERATOR.stem)


def test_generated_files_are_up_to_date(generator: ModuleType) -> None:
    for path, text in generator.OUTPUTS.items():
        assert path.read_text() == text(), f"{path.name}: run {GENERATOR.name}"


def test_names_of_pytorch_in_the_table_of_operators(generator: ModuleType) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch, the oracle, is not installed")
    names = re.findall(r"\| `torch\.([\w.]+)` \|$", generator.page(), re.MULTILINE)
    assert len(names) > 400
    for name in names:
        operator.attrgetter(name)(torch)


def test_module(tree: ast.Module) -> None:
    names = declared(tree.body)
    extension = {name for name in dir(_C) if not special(name)}
    assert extension - names == set()
    assert {name for name in names if not hasattr(_C, name)} == set()


def test_star_import(tree: ast.Module) -> None:
    listing = next(
        ast.literal_eval(item.value)
        for item in tree.body
        if isinstance(item, ast.Assign) and ast.unparse(item.targets[0]) == "__all__"
    )
    # PyTorch has these two there, and nowhere else.
    names = public(_C) - {"DisableTorchFunction", "DisableTorchFunctionSubclass"}
    assert sorted(listing) == sorted(_C.__all__) == sorted(names)
    assert names <= set(tapegrad.__all__)


@pytest.mark.parametrize("name", ["Tensor", "Size", "dtype", "Generator", "Node", "SavedTensor"])
def test_class(tree: ast.Module, name: str) -> None:
    kind = getattr(_C, name)
    inherited = {"count", "index"} if name == "Size" else set()  # of tuple
    names = declared(class_body(tree, name))
    assert public(kind) - inherited == {n for n in names if not n.startswith("_")}
    # Values that a node has saved, and methods that show what classes in C have since Python 3.12.
    names -= {"__getattr__", "__buffer__", "__release_buffer__"}
    assert {n for n in names if not hasattr(kind, n)} == set()


def test_operators(tree: ast.Module) -> None:
    names = declared(class_body(tree, "Tensor"))
    protocol = {n for n in vars(_C.Tensor) if special(n) and n not in vars(object)}
    hidden = {"__del__", "__delitem__", "__dictoffset__", "__weaklistoffset__", "__module__"}
    hidden |= {"__dict__", "__weakref__", "__getstate__", "__reversed__"}
    assert protocol - names - hidden == set()


@pytest.mark.parametrize("owner", [_C, _C.Tensor], ids=["module", "Tensor"])
def test_everything_has_a_docstring_with_an_example(owner: object) -> None:
    members = {name: vars(owner)[name] for name in public(owner) if name in vars(owner)}
    values = {_C.dtype, _C.Generator}  # float32 and default_generator: their types have one
    missing = [
        name
        for name, value in members.items()
        if type(value) not in values and ">>> import tapegrad" not in (value.__doc__ or "")
    ]
    assert missing == []


def test_formulas_in_docstrings_are_those_of_the_tape() -> None:
    count = 0
    for name in public(_C):
        text = getattr(_C, name).__doc__ or ""
        if found := re.search(r"Derivatives?: ``([^`]*)``\.", text):
            x = tapegrad.tensor([0.5], requires_grad=True)
            y = tapegrad.tensor([0.25], requires_grad=True)
            function = getattr(tapegrad, name)
            result = function(x, y) if "other" in found[1] else function(x)
            if name.endswith("_"):
                continue
            assert result.grad_fn.formula == found[1], name
            count += 1
    assert count > 30
