"""Links between pages, as they are written for a reader of the repository: by relative paths."""

from __future__ import annotations

import os
import re
from pathlib import Path

__all__ = ["broken_links", "relink"]

# What is no text: code in fences, indented code, code in lines.
CODE = re.compile(r"^ *```.*?^ *```$|^ {4}.*?$|(`+).+?\1", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?P<text>!?\[[^\]]*\])\((?P<target>[^)\s]+)\)")
OUTSIDE = re.compile(r"[a-z]+:|#")


def relink(text: str, origin: Path, pages: dict[Path, Path]) -> tuple[str, list[str]]:
    """The text of a file as that of its page, and the links in it that lead nowhere.

    Args:
        text: MyST's Markdown.
        origin: the file.
        pages: the source of the site's page for each file of the repository.
    """
    here = pages[origin].parent
    broken = []

    def new(match: re.Match[str]) -> str:
        if OUTSIDE.match(match["target"]):
            return match[0]
        path, mark, anchor = match["target"].partition("#")
        file = (origin.parent / path).resolve()
        if not file.exists():
            broken.append(match["target"])
        if file not in pages and (file.is_dir() or file.suffix == ".md"):
            return match["text"][1:-1]
        target = os.path.relpath(pages.get(file, file), here)
        return f"{match['text']}({target}{mark}{anchor})"

    parts = []
    end = 0
    for code in CODE.finditer(text):
        parts += [LINK.sub(new, text[end : code.start()]), code[0]]
        end = code.end()
    return "".join([*parts, LINK.sub(new, text[end:])]), broken


def broken_links(file: Path) -> list[str]:
    """The relative links of a page that lead to no file."""
    return relink(file.read_text(encoding="utf-8"), file, {file: file})[1]
