"""Lines of test programs: "# [tag]" marks one, and the answer of what is tested has to name it."""

from __future__ import annotations

import inspect
import linecache
from collections.abc import Callable
from typing import Any


def line_of(function: Callable[..., Any], tag: str) -> str:
    """ "file:line" of the line that is marked in the function."""
    lines, first = inspect.getsourcelines(function)
    [number] = [first + i for i, text in enumerate(lines) if text.rstrip().endswith(f"# [{tag}]")]
    return f"{inspect.getsourcefile(function)}:{number}"


def source_of(function: Callable[..., Any], tag: str) -> str:
    file, number = line_of(function, tag).rsplit(":", 1)
    return linecache.getline(file, int(number)).strip()


def names(text: str, function: Callable[..., Any], tag: str) -> bool:
    """Whether the text names the marked line."""
    place = line_of(function, tag)
    at = text.find(place)
    return at >= 0 and not text[at + len(place) :][:1].isdigit()


def notes(error: BaseException) -> str:
    return "\n".join(getattr(error, "__notes__", []))
