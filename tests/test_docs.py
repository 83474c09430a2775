"""The examples in the documentation: docstrings of the package, and the pages at the root."""

from __future__ import annotations

import doctest
import importlib.util
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import tapegrad

ROOT = Path(__file__).resolve().parent.parent
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
FENCE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


# Their examples start MPI: tests/test_distributed.py has them run in another process.
DISTRIBUTED = ("tapegrad.distributed", "tapegrad.nn.parallel.distributed")


def modules(distributed: bool = False) -> Iterator[str]:
    """Those whose examples run here, or those of `DISTRIBUTED`."""
    yield from [] if distributed else ["tapegrad"]
    for info in pkgutil.walk_packages(tapegrad.__path__, "tapegrad."):
        if info.name.startswith(DISTRIBUTED) == distributed:
            yield info.name


def extension_examples() -> Iterator[doctest.DocTest]:
    """Docstrings of the extension module; doctest does not look into its types by itself."""
    from tapegrad import _C

    finder = doctest.DocTestFinder(exclude_empty=True)
    for name, value in {**vars(_C), **vars(_C._linalg)}.items():
        if name.startswith("__") or not (callable(value) or isinstance(value, type)):
            continue
        members = vars(value) if isinstance(value, type) else {}
        for label, item in [(name, value), *((f"{name}.{key}", v) for key, v in members.items())]:
            text = getattr(item, "__doc__", None)
            if isinstance(text, str) and ">>>" in text:
                yield from finder.find(item, f"tapegrad._C.{label}", module=False, globs={})


def check(tests: Iterator[doctest.DocTest] | list[doctest.DocTest]) -> int:
    """Run examples; return how many there were."""
    report: list[str] = []
    runner = doctest.DocTestRunner(verbose=False, optionflags=FLAGS)
    for test in tests:
        runner.run(test, out=report.append)
    assert not runner.failures, "".join(report)
    return runner.tries


@pytest.mark.parametrize("name", sorted(set(modules())))
def test_docstrings(name: str) -> None:
    if name == "tapegrad.utils.tensorboard":
        pytest.importorskip("tensorboardX")
    if name.startswith("tapegrad.onnx"):
        pytest.importorskip("onnx")
    if name.startswith("tapegrad.sklearn"):
        pytest.importorskip("sklearn", minversion="1.6")
    check_module(name)


def check_module(name: str) -> None:
    module = importlib.import_module(name)
    if name == "tapegrad._C":
        check(list(extension_examples()))
    else:
        check(doctest.DocTestFinder(exclude_empty=True).find(module, name))


PAGES = sorted(
    str(path.relative_to(ROOT))
    for folder in (ROOT, ROOT / "docs", ROOT / "benchmarks", ROOT / "examples")
    for path in folder.glob("*.md")
)
# Pages that change the process they run in: MPI does not stay in it, `import torch` is redirected.
ALONE = {"docs/distributed.md": "mpi4py", "docs/torch_programs.md": ""}
# Blocks that need what is not installed are left out.
OPTIONAL = ("sklearn", "dask", "onnx", "pandas", "polars")


@pytest.mark.parametrize("name", PAGES)
def test_page(name: str) -> None:
    if name not in ALONE:
        check_page(name)
        return
    if ALONE[name]:
        pytest.importorskip(ALONE[name])
    program = f"import test_docs; test_docs.check_page({name!r})"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT / "tests", capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def check_page(name: str) -> None:
    path = ROOT / name
    blocks = FENCE.findall(path.read_text())
    for package in OPTIONAL:
        if importlib.util.find_spec(package) is None:
            blocks = [block for block in blocks if package not in block]
    if name == "docs/sklearn.md":
        pytest.importorskip("sklearn", minversion="1.6")
    globs: dict[str, object] = {}  # one page is one session
    parser = doctest.DocTestParser()
    tests = [parser.get_doctest(block, globs, name, str(path), 0) for block in blocks]
    for test in tests:
        test.globs = globs  # get_doctest has made a copy
    report: list[str] = []
    runner = doctest.DocTestRunner(verbose=False, optionflags=FLAGS)
    for test in tests:
        runner.run(test, out=report.append, clear_globs=False)
    assert not runner.failures, "".join(report)
    if name == "README.md":
        assert runner.tries > 20


@pytest.mark.parametrize("name", PAGES)
def test_links(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "docs/_ext")
    links = importlib.import_module("links")
    assert links.broken_links(ROOT / name) == []


def test_the_tables_of_the_readme_have_the_figures_of_the_benchmarks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(ROOT)
    readme = importlib.import_module("benchmarks.readme")
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert readme.tables(text) == text
