"""The examples in the documentation: docstrings of the package, and the pages at the root."""

from __future__ import annotations

import doctest
import importlib.util
import pkgutil
import re
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


PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    *(f"docs/{page}.md" for page in ("debugging", "files", "func", "graph_page", "memory")),
    *(f"docs/{page}.md" for page in ("neighbours", "profile", "replay", "sklearn")),
    *(f"docs/{page}.md" for page in ("first_steps", "from_pytorch", "autograd", "numerics")),
    *(f"docs/{page}.md" for page in ("fast_small_models", "second_derivatives")),
    *(f"docs/{page}.md" for page in ("extending", "architecture")),
]


@pytest.mark.parametrize("name", PAGES)
def test_page(name: str) -> None:
    path = ROOT / name
    blocks = FENCE.findall(path.read_text())
    if name == "docs/sklearn.md":
        pytest.importorskip("sklearn", minversion="1.6")
    if importlib.util.find_spec("sklearn") is None:
        blocks = [block for block in blocks if "sklearn" not in block]
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
