"""Signatures as the reference shows them."""

from __future__ import annotations

import ast
import builtins
import inspect
import re
from collections.abc import Callable
from typing import Any

from tapegrad import _C

__all__ = ["signatures", "with_out"]

Find = Callable[[str], "str | None"]
COMPILED = (type(_C.abs), type(_C.Tensor.abs))  # functions and methods


def _operators(kind: str) -> dict[str, dict[str, Any]]:
    """What is known of the compiled functions, or methods, by all of their names."""
    return {name: op for op in _C._operators() if op[kind] for name in (op["name"], *op["aliases"])}


FUNCTIONS, METHODS = _operators("function"), _operators("method")


def signatures(value: Any, find: Find, method: bool = False) -> list[str]:
    """The signature that Python reports, or the forms that a compiled function has."""
    op = (METHODS if method else FUNCTIONS).get(getattr(value, "__name__", ""))
    if op and type(value) in COMPILED:
        forms = (form["signature"] for form in op["forms"])
        return [_without_first(form) if method else with_out(form, op) for form in forms]
    if isinstance(value, classmethod | staticmethod):
        method = isinstance(value, classmethod)
        value = value.__func__
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):
        return ["()"] if method else [""]
    parameters = list(signature.parameters.values())[1 if method else 0 :]
    text = f"({_parameters(parameters, find)})"
    if isinstance(value, type):
        return [text]
    result = _annotation(signature.return_annotation, find)
    return [f"{text} -> {result}" if result else text]


def _parameters(parameters: list[inspect.Parameter], find: Find) -> str:
    """As Python writes them: with a slash behind positional ones, a star before keywords."""
    texts = [_parameter(parameter, find) for parameter in parameters]
    kinds = [parameter.kind for parameter in parameters]
    if inspect.Parameter.KEYWORD_ONLY in kinds and inspect.Parameter.VAR_POSITIONAL not in kinds:
        texts.insert(kinds.index(inspect.Parameter.KEYWORD_ONLY), "*")
    if count := kinds.count(inspect.Parameter.POSITIONAL_ONLY):
        texts.insert(count, "/")
    return ", ".join(texts)


def _parameter(parameter: inspect.Parameter, find: Find) -> str:
    stars = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
    text = stars + parameter.name
    annotation = _annotation(parameter.annotation, find)
    if annotation:
        text += f": {annotation}"
    if parameter.default is not parameter.empty:
        text += (" = " if annotation else "=") + _default(parameter.default)
    return text


def _annotation(value: Any, find: Find) -> str:
    """An annotation, its public names in full: Sphinx shows them short, and links them."""
    if value is inspect.Parameter.empty:
        return ""
    text = value if isinstance(value, str) else inspect.formatannotation(value)
    if text == "Any":
        return ""  # which says nothing

    def full(match: re.Match[str]) -> str:
        name = match[0].removeprefix("_C.").removeprefix("tapegrad._C.")
        if match["string"] or hasattr(builtins, name):
            return match[0]
        return find(name) or name

    return re.sub(r"""(?P<string>"[^"]*"|'[^']*')|[A-Za-z_][\w.]*""", full, text)


def _default(value: object) -> str:
    name = getattr(value, "__qualname__", None)
    text = name if name and callable(value) else repr(value)
    try:
        ast.parse(text, mode="eval")
    except SyntaxError:
        return "..."  # a marker, whose text is its address
    return text


def with_out(signature: str, op: dict[str, Any]) -> str:
    """The signature of a form, with the ``out`` that the operator takes."""
    if not op["out"]:
        return signature
    star = "" if "*" in signature else ", *"
    return signature.removesuffix(")") + f"{star}, out=None)"


def _without_first(signature: str) -> str:
    _, comma, rest = signature.partition(", ")
    return f"({rest}" if comma else "()"
