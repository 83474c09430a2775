"""The API reference in docs/: every public name is described, once."""

from __future__ import annotations

import importlib
import inspect
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import tapegrad

FOLDER = Path(__file__).resolve().parent.parent / "docs/_ext"
DESCRIPTION = re.compile(
    r"^ *\.\. py:(?:function|class|exception|data|method|attribute):: ([\w.]+)"
    r".*?:module: ([\w.]+)$",
    re.MULTILINE | re.DOTALL,
)


@pytest.fixture(scope="module")
def extension() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FOLDER)
        yield importlib.import_module("reference_pages")


@pytest.fixture(scope="module")
def pages(extension: ModuleType) -> dict[str, str]:
    return extension.pages()


@pytest.fixture(scope="module")
def described(pages: dict[str, str]) -> Counter[str]:
    return Counter(
        f"{module}.{name}" for text in pages.values() for name, module in DESCRIPTION.findall(text)
    )


def public(extension: ModuleType) -> Iterator[tuple[str, Any]]:
    for path, module in extension.inventory().modules.items():
        for name in getattr(module, "__all__", ()):
            value = getattr(module, name)
            if not name.startswith("_") and not isinstance(value, ModuleType):
                yield f"{path}.{name}", value


def test_every_public_name_is_described_once(
    extension: ModuleType, described: Counter[str]
) -> None:
    names = extension.inventory()
    assert [name for name, count in described.items() if count > 1] == []
    for path, value in public(extension):
        module, _, name = path.rpartition(".")
        home = names.paths.get(path)
        if home is None:  # of Python's library
            assert not names.elsewhere[module][name].startswith("tapegrad")
        else:
            assert described[home] == 1, path
            there = names.homes[home].value
            # The compiled core makes a function for each name of an operator.
            assert there is value or repr(there) == repr(value) or inspect.isbuiltin(value), path


def test_methods_of_tensors_are_described(described: Counter[str]) -> None:
    for name in dir(tapegrad.Tensor):
        if not name.startswith("_") and getattr(tapegrad.Tensor, name).__doc__:
            assert described[f"tapegrad.Tensor.{name}"] == 1, name


def test_every_description_says_something(extension: ModuleType) -> None:
    silent = [
        path
        for path, name in extension.inventory().homes.items()
        if (inspect.isroutine(name.value) or inspect.isclass(name.value))
        and not (name.value.__doc__ or "").strip()
    ]
    assert silent == []


@pytest.mark.parametrize(
    ("name", "home"),
    [
        ("tapegrad.nn.modules.linear.Linear", "tapegrad.nn.Linear"),
        ("tapegrad.absolute", "tapegrad.abs"),
        ("tapegrad.func.vmap", "tapegrad.vmap"),
        ("tapegrad.special_erfcx", "tapegrad.special.erfcx"),
        ("tapegrad.nn.modules.Module.train", "tapegrad.nn.Module.train"),
        ("tapegrad.half", "tapegrad.float16"),
    ],
)
def test_homes(extension: ModuleType, name: str, home: str) -> None:
    assert extension.inventory().paths[name] == home


def test_a_docstring_as_restructuredtext() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FOLDER)
        to_rst = importlib.import_module("docstrings").to_rst
    text = """Sums of ``x**2`` as `sum` has them, of *args and x_.

    Args:
        x: a tensor,
            of any shape.
        *more: others.

    Returns:
        A tensor.

    Raises:
        RuntimeError: for nothing.

    Example:
        >>> 1 + 1
        2

        >>> 2
        2
    """
    known = {"sum": "tapegrad.sum"}
    assert to_rst(text, known.get) == (
        "Sums of ``x**2`` as :py:obj:`sum <tapegrad.sum>` has them, of \\*args and x\\_.\n"
        "\n"
        ":Parameters:\n"
        "    - **x** -- a tensor,\n"
        "        of any shape.\n"
        "    - **\\*more** -- others.\n"
        "\n"
        ":Returns: A tensor.\n"
        "\n"
        ":Raises:\n"
        "    - **RuntimeError** -- for nothing.\n"
        "\n"
        ".. code-block:: pycon\n"
        "\n"
        "    >>> 1 + 1\n"
        "    2\n"
        "\n"
        "    >>> 2\n"
        "    2"
    )
