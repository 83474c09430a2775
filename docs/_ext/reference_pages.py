"""The API reference: a page for each public module, from its names, signatures and docstrings.

Every public name is described once, at the home that `public_names` finds for it; a module names
the others with links.
"""

from __future__ import annotations

import functools
import importlib
import sys
import textwrap
from collections.abc import Iterable
from pathlib import Path

from docstrings import to_rst
from public_names import ALIASES, Inventory, Name, collect, first_sentence, members
from signatures import signatures
from tapegrad import _C

__all__ = ["inventory", "pages"]

ROOT = Path(__file__).resolve().parents[2]

# `tapegrad` itself has too many names for one page. Title, file name, and what goes there: tables
# of docstrings in csrc/python/docs, modules, and names.
TOPICS = (
    (
        "Creation and random numbers",
        "creation",
        ("creation", "sampling", "tapegrad._windows", "fill", "fill_"),
    ),
    ("Functions of each element", "elementwise", ("elementwise", "activations", "special")),
    (
        "Reductions, order and statistics",
        "reductions",
        (
            "reductions",
            "counting",
            "tapegrad._histograms",
            "tapegrad._segments",
            "diff",
            "gradient",
        ),
    ),
    (
        "Products and linear algebra",
        "products",
        (
            *("linalg", "tapegrad._low_rank", "matmul", "mm", "bmm", "mv", "dot", "inner", "outer"),
            *("addmm", "addmm_"),
        ),
    ),
    ("Shapes, indices and views", "shapes", ("shapes", "arranging")),
    (
        "Layers and losses",
        "layers",
        (
            *("convolution", "sequences", "tapegrad._numbered", "linear", "dropout", "dropout_"),
            *("softmax", "log_softmax", "layer_norm", "rms_norm", "group_norm", "batch_norm"),
            *("instance_norm", "cross_entropy", "nll_loss", "mse_loss", "l1_loss"),
            *("smooth_l1_loss", "binary_cross_entropy_with_logits"),
        ),
    ),
    ("Types, settings and tools", "tools", ()),  # the rest
)

# The order of the reference, by what people look for; the rest follows.
FIRST = (
    *("tapegrad", "Tensor", "autograd", "nn", "optim", "func", "compiler", "linalg", "special"),
    *("distributions", "utils", "sklearn", "distributed", "serialization", "onnx", "torch"),
    *("profiler", "array_api", "testing", "teaching", "random", "amp", "multiprocessing"),
    *("signal", "functional", "return_types", "types", "overrides"),
)


class Writer:
    """Makes pages from an inventory."""

    def __init__(self, names: Inventory) -> None:
        self.names = names
        self.tables = _documented_operators()

    def pages(self) -> dict[str, str]:
        """The pages by their names."""
        modules = [m for m in self.names.modules if self.names.has_page(m)]
        found = {module: self._module_page(module, modules) for module in modules}
        found["tapegrad"] = self._package_page()
        found["tapegrad.Tensor"] = self._tensor_page()
        for title, slug, _ in TOPICS:
            names = [n for n in self.names.at_home("tapegrad") if self._topic(n) == slug]
            found[f"tapegrad.{slug}"] = self._topic_page(title, names)
        found["index"] = self._index(modules)
        return found

    # Pages ---------------------------------------------------------------------------------------

    def _module_page(self, module: str, modules: list[str]) -> str:
        names = self.names.at_home(module)
        below = [m for m in modules if m.rpartition(".")[0] == module]
        return _join(
            [
                *self._beginning(module),
                self._overview(names) if len(names) > 3 else "",
                self._elsewhere(module),
                *(self._entry(name) for name in names),
                _toctree(below, title="Modules") if below else "",
            ]
        )

    def _beginning(self, module: str) -> list[str]:
        # A function may have the name of its module, and then links mean the function.
        kind = "currentmodule" if module in self.names.homes else "module"
        text = self._text(self.names.modules[module], module)
        return [_heading(module), f".. py:{kind}:: {module}", text]

    def _package_page(self) -> str:
        names = self.names.at_home("tapegrad")
        return _join(
            [
                *self._beginning("tapegrad"),
                self._overview_of_topics(names),
                self._elsewhere("tapegrad"),
                _toctree([f"tapegrad.{slug}" for _, slug, _ in TOPICS]),
            ]
        )

    def _topic_page(self, title: str, names: list[Name]) -> str:
        parts = [_heading(title), ".. py:currentmodule:: tapegrad", self._summaries(names)]
        return _join(parts + [self._entry(name) for name in names])

    def _topic(self, name: Name) -> str:
        base = name.name if name.name in self.tables else name.name.removesuffix("_")
        base = ALIASES.get(base, base)
        origins = {name.name, base, self.tables.get(base), getattr(name.value, "__module__", None)}
        if name.name == "Tensor":
            return "Tensor"
        # Names come before tables: what a topic takes by name is in the table of another.
        for exact in (True, False):
            for _, slug, taken in TOPICS:
                wanted = {name.name, base} if exact else origins
                if wanted & set(taken):
                    return slug
        return "tools"

    def _tensor_page(self) -> str:
        entry = self.names.homes["tapegrad.Tensor"]
        names = members(entry.value)
        functions = {n for n in names if self._function_of(n)}
        own = {n: v for n, v in names.items() if n not in functions}
        parts = [
            _heading("tapegrad.Tensor"),
            _described("class", entry.path, [""], self._text(entry.value, "tapegrad", entry.path)),
            _heading("Attributes and methods", "-"),
            *(self._member(entry.path, name, value) for name, value in own.items()),
            _heading("Functions as methods", "-"),
            "The tensor takes the place of the function's first argument. A name that ends with "
            "an underscore writes the result into the tensor.",
            *(self._method_of_function(name) for name in sorted(functions)),
        ]
        return _join(parts)

    def _function_of(self, name: str) -> str | None:
        """The home of the function that a method of Tensor is."""
        return self.names.paths.get(f"tapegrad.{name}")

    def _method_of_function(self, name: str) -> str:
        find = functools.partial(self.names.find, module="tapegrad")
        forms = signatures(members(_C.Tensor)[name], find, method=True)
        text = f"See :py:obj:`{self._function_of(name)}`."
        return _described("method", f"tapegrad.Tensor.{name}", forms, text)

    def _index(self, modules: list[str]) -> str:
        def place(module: str) -> tuple[int, str]:
            short = module.removeprefix("tapegrad.")
            return (FIRST.index(short) if short in FIRST else len(FIRST)), module

        top = [m for m in modules if m.count(".") <= 1] + ["tapegrad.Tensor"]
        order = sorted(top, key=place)
        count = len(self.names.homes)
        values = self.names.modules | {"tapegrad.Tensor": _C.Tensor}
        rows = [(f":doc:`{name}`", self._summary(values[name], name)) for name in order]
        return _join(
            [
                _heading("Reference"),
                f"All {count:,} public names, each described once. They mean what they mean in "
                "PyTorch, unless the text says otherwise. :doc:`/operators` is one table of every "
                "operator.",
                _table(rows),
                _toctree(order),
            ]
        )

    # Parts of pages ------------------------------------------------------------------------------

    def _overview_of_topics(self, names: list[Name]) -> str:
        parts = []
        for title, slug, _ in TOPICS:
            links = [_link(n.path, n.name) for n in names if self._topic(n) == slug]
            parts += [
                f":doc:`{title} <tapegrad.{slug}>`",
                textwrap.indent(", ".join(links), "    "),
            ]
        return "\n".join(parts)

    def _overview(self, names: list[Name]) -> str:
        """A table of names; one for each file that they are from, where those are about a topic."""
        files: dict[str, list[Name]] = {}
        for name in names:
            files.setdefault(getattr(name.value, "__module__", ""), []).append(name)
        topics = [file for file in sorted(files) if file in self.names.modules]
        if not 2 < len(topics) < len(names) / 3:
            return self._summaries(names)
        parts = []
        for file in topics:
            topic = self._summary(self.names.modules[file], file).removesuffix(".")
            parts += [f".. rubric:: {topic}", self._summaries(files[file])]
        rest = [name for file in files.keys() - topics for name in files[file]]
        parts += [".. rubric:: Others", self._summaries(rest)] if rest else []
        return _join(parts)

    def _summaries(self, names: list[Name]) -> str:
        return _table(
            [(_link(n.path, n.name), self._summary(n.value, n.module, n.path)) for n in names]
        )

    def _elsewhere(self, module: str) -> str:
        """What has its home in another module."""
        listed = sorted(self.names.elsewhere[module].items(), key=lambda pair: pair[0].lower())
        own = []
        others: dict[str, list[str]] = {}
        for name, home in listed:
            if home in self.names.homes:
                short = home.removeprefix("tapegrad.")
                same = short == name
                own.append(_link(home, name) if same else f"``{name}`` ({_link(home, short)})")
            else:
                others.setdefault(home, []).append(f"``{name}``")
        parts = [f"Described elsewhere: {', '.join(own)}."] if own else []
        parts += [f"From Python's ``{home}``: {', '.join(n)}." for home, n in others.items()]
        return _join(parts)

    def _summary(self, value: object, module: str, owner: str = "") -> str:
        if _is_constant(value):
            return ""
        text = first_sentence(getattr(value, "__doc__", None) or "")
        return to_rst(text, lambda name: self.names.find(name, module, owner)).replace("\n", " ")

    def _text(self, value: object, module: str, owner: str = "") -> str:
        text = getattr(value, "__doc__", None) or ""
        return to_rst(text, lambda name: self.names.find(name, module, owner))

    # Descriptions --------------------------------------------------------------------------------

    def _entry(self, name: Name) -> str:
        value = name.value
        if _is_constant(value):
            return self._constant(name)
        text = self._text(value, name.module, name.path)
        find = functools.partial(self.names.find, module=name.module)
        if not isinstance(value, type):
            if not callable(value) or type(value) is _C.dtype:
                return _described("data", name.path, [""], text)
            return _described("function", name.path, signatures(value, find), text)
        kind = "exception" if issubclass(value, BaseException) else "class"
        bases = [self._path_of(base) for base in value.__bases__]
        links = [f":py:obj:`{base}`" for base in bases if base]
        parts = [f"Bases: {', '.join(links)}" if links else "", text]
        parts += [self._member(name.path, *pair) for pair in members(value).items()]
        return _described(kind, name.path, signatures(value, find), _join(parts))

    def _constant(self, name: Name) -> str:
        text = repr(name.value)
        if not text.startswith("<"):
            return _described("data", name.path, [""], "", f":value: {text}")
        kind = self._path_of(type(name.value))
        instance = f"An instance of :py:obj:`{kind}`."
        # A class that has no public name has one instance, which its docstring is about.
        text = instance if kind else self._text(type(name.value), name.module)
        return _described("data", name.path, [""], text)

    def _path_of(self, value: type) -> str:
        for path, name in self.names.homes.items():
            if name.value is value:
                return path
        return ""

    def _member(self, owner: str, name: str, value: object) -> str:
        module = owner.rpartition(".")[0]
        text = self._text(value, module, owner)
        routine = callable(value) or isinstance(value, classmethod | staticmethod)
        if isinstance(value, property) or not routine:
            return _described("attribute", f"{owner}.{name}", [""], text)
        options = {classmethod: ":classmethod:", staticmethod: ":staticmethod:"}
        return _described(
            "method",
            f"{owner}.{name}",
            signatures(value, functools.partial(self.names.find, module=module), method=True),
            text,
            options.get(type(value), ""),
        )


inventory = functools.cache(collect)


def pages() -> dict[str, str]:
    """All pages of the reference, by their names, as reStructuredText."""
    return Writer(inventory()).pages()


def _documented_operators() -> dict[str, str]:
    """The table of docstrings that has an operator, by its name."""
    folder = ROOT / "csrc/python/docs"
    sys.path.insert(0, str(folder))
    try:
        tables = [t for _, _, taken in TOPICS for t in taken if (folder / f"{t}.py").exists()]
        return {
            key.partition("(")[0]: table
            for table in tables
            for key in importlib.import_module(table).DOCS
        }
    finally:
        sys.path.remove(str(folder))


def _is_constant(value: object) -> bool:
    """Whether the docstring of a value is that of its type, which says nothing of it."""
    return getattr(value, "__doc__", None) == type(value).__doc__ and not isinstance(value, type)


# reStructuredText --------------------------------------------------------------------------------


def _described(kind: str, path: str, forms: list[str], text: str, option: str = "") -> str:
    module, _, name = path.rpartition(".")
    if kind in ("method", "attribute"):
        module, _, owner = module.rpartition(".")
        name = f"{owner}.{name}"
    start = f".. py:{kind}:: "
    heads = [f"{name}{form}" for form in forms]
    options = "".join(f"\n    {text}" for text in (f":module: {module}", option) if text)
    body = "\n\n" + textwrap.indent(text, "    ") if text else ""
    return start + ("\n" + " " * len(start)).join(heads) + options + body


def _heading(text: str, line: str = "=") -> str:
    return f"{text}\n{line * len(text)}"


def _link(path: str, text: str) -> str:
    return f":py:obj:`{text} <{path}>`"


def _table(rows: Iterable[tuple[str, str]]) -> str:
    lines = [".. list-table::\n    :class: names\n    :widths: auto\n"]
    lines += [f"    * - {left}\n      - {right}" for left, right in rows]
    return "\n".join(lines)


def _toctree(names: list[str], title: str = "") -> str:
    """Pages below this one, listed under a title, or in the margin of the site alone."""
    options = f"\n    :caption: {title}\n    :maxdepth: 1" if title else "\n    :hidden:"
    return f".. toctree::{options}\n\n" + "".join(f"    {name}\n" for name in names)


def _join(parts: Iterable[str]) -> str:
    return "\n\n".join(part for part in parts if part)
