"""Writes what follows from the bound operators: their part of the stub, and a table of them.

    PYTHONPATH=python python csrc/python/generate_stubs.py

_C.pyi.in beside this file is the part of the stub that is written by hand; the operators' part is
put in at its markers. The results, python/tapegrad/_C.pyi, python/tapegrad/_later.pyi and
docs/operators.md, are committed; tests/test_stubs.py fails where this would write anything else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from operator_page import page
from tapegrad import _C
from tapegrad._later import MODULES, MORE_MODULES, PLACES

__all__ = ["OUTPUTS"]

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
WIDTH = 100
Operator = dict[str, Any]
Form = dict[str, Any]


def value_text(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)


def parameter_text(parameter: dict[str, Any]) -> str:
    kind = parameter["type"]
    if parameter["none"] and kind not in ("object", "Any", "None"):
        kind += " | None"
    if "default" not in parameter:
        return f"{parameter['name']}: {kind}"
    value = parameter["default"]
    if kind == "object" and isinstance(value, bool):
        kind = "_bool"
    return f"{parameter['name']}: {kind} = {value_text(value)}"


def spread(form: Form) -> Iterator[tuple[list[str], list[str]]]:
    """The texts of positional and of keyword parameters; two ways for ``*size``."""
    parameters = form["parameters"]
    positional = [p for p in parameters if p["kind"] == "positional"]
    variadic = [p for p in parameters if p["kind"] == "variadic"]
    keywords = [parameter_text(p) for p in parameters if p["kind"] == "keyword"]
    start = [parameter_text(p) for p in positional]
    if not variadic:
        yield start, ["*", *keywords] if keywords else []
        return
    name, kind = variadic[0]["name"], variadic[0]["type"]
    if kind == "_Dims":
        yield [*start, f"*{name}: _int"], keywords
        yield [*start, f"{name}: Sequence[_int]"], ["*", *keywords] if keywords else []
    else:
        element = kind.removeprefix("Sequence[").removesuffix("]")
        yield [*start, f"*{name}: {element}"], keywords


def definition(name: str, parameters: list[str], result: str, indent: str) -> str:
    """A line of a stub, broken as the formatter breaks it."""
    end = f") -> {result}: ..."
    line = f"{indent}def {name}({', '.join(parameters)}{end}"
    if len(line) <= WIDTH:
        return line
    inner = f"{indent}    {', '.join(parameters)}"
    if len(inner) <= WIDTH:
        return f"{indent}def {name}(\n{inner}\n{indent}{end}"
    lines = "".join(f"{indent}    {parameter},\n" for parameter in parameters)
    return f"{indent}def {name}(\n{lines}{indent}{end}"


def definitions(op: Operator, name: str, method: bool, static: bool = False) -> str:
    indent = "    " if method or static else ""
    texts = []
    for form in op["forms"]:
        result = form["result"]
        if result == "return_types":
            result = f"return_types.{op['name']}"
        elif result == "Self" and not method:
            result = "Tensor"
        for positional, keywords in spread(form):
            first = ["self", *positional[1:]] if method else positional
            rest = keywords
            if form["out"] and not method:
                kind = {"Tensor": "Tensor", "tuple[Tensor, ...]": "Sequence[Tensor]"}.get(
                    result, "tuple[Tensor, ...]"
                )
                star = [] if keywords or any(p.startswith("*") for p in positional) else ["*"]
                rest = [*keywords, *star, f"out: {kind} | None = None"]
            texts.append(definition(name, first + rest, result, indent))
    if static:
        texts = [f"{indent}@staticmethod\n{text}" for text in texts]
    if len(texts) > 1:
        texts = [f"{indent}@overload\n{text}" for text in texts]
    return "\n".join(texts) + "\n"


def operators(kind: str, module: str = "tapegrad._C") -> list[tuple[str, Operator]]:
    """Names with their operators, sorted; kind is "function" or "method"."""
    found = [
        (name, op)
        for op in _C._operators()
        if op[kind] and op["module"] == module
        for name in (op["name"], *op["aliases"])
    ]
    return sorted(found, key=lambda pair: pair[0])


def stub() -> str:
    methods = "".join(definitions(op, name, True) for name, op in operators("method"))
    functions = "".join(definitions(op, name, False) for name, op in operators("function"))
    linalg = "".join(
        definitions(op, name, False, True)
        for name, op in operators("function", "tapegrad._C._linalg")
    )
    listing = "".join(f'    "{name}",\n' for name in sorted(_C.__all__))
    text = (HERE / "_C.pyi.in").read_text()
    text = text.replace("# operators: names\n", listing)
    text = text.replace("    # operators: methods\n", methods)
    text = text.replace("    # operators: linalg\n", linalg)
    return text.replace("# operators: functions\n", functions)


def _by_number(name: str) -> list[str | int]:
    """As ruff sorts imports: log2 comes before log10."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def later() -> str:
    """What python/tapegrad/_later.py names, for type checkers."""
    lines = [f"from . import {name} as {name}\n" for name in sorted((*MODULES, *MORE_MODULES))]
    for place, names in sorted(PLACES.items()):
        for name in sorted(names, key=_by_number):
            line = f"from .{place} import {name} as {name}"
            if len(line) > WIDTH:
                line = f"from .{place} import (\n    {name} as {name},\n)"
            lines.append(line + "\n")
    return (
        "# Generated by csrc/python/generate_stubs.py.\n\n"
        + "".join(lines)
        + """
MODULES: tuple[str, ...]
MORE_MODULES: tuple[str, ...]
PLACES: dict[str, tuple[str, ...]]
"""
    )


OUTPUTS = {
    ROOT / "python/tapegrad/_C.pyi": stub,
    ROOT / "python/tapegrad/_later.pyi": later,
    ROOT / "docs/operators.md": page,
}

if __name__ == "__main__":
    for path, text in OUTPUTS.items():
        path.write_text(text())
