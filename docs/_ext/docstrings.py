"""Docstrings as reStructuredText.

The sections of the docstrings (``Args:``, ``Raises:``, ``Example:`` and so on) become fields and
code blocks. What stands in backticks becomes a link if it is a public name, and code otherwise.
"""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable

__all__ = ["to_rst"]

Find = Callable[[str], "str | None"]  # the path of what a name means, if it is a public name

SECTION = re.compile(r"([A-Z][A-Za-z]+):$")
# Sections of items, by the titles they get.
LISTS = {"Args": "Parameters", "Attributes": "Attributes", "Raises": "Raises"}
ITEM = re.compile(r"(?P<name>[\w\s*.,\[\]()`\"'|-]+?): (?P<text>.*)", re.DOTALL)
MARKUP = re.compile(
    r":(?P<role>class|func|meth|mod):`~?(?P<target>[^`]+)`|``(?P<literal>.+?)``|`(?P<name>[^`]+)`",
    re.DOTALL,
)
PLAIN = re.compile(r"([*|\\])|(?<=\w)(_)(?!\w)")  # what reStructuredText would take for markup


def to_rst(text: str, find: Find) -> str:
    """A docstring as reStructuredText, with links to what `find` knows."""
    lines = inspect.cleandoc(text).split("\n")
    parts: list[str] = []
    start = 0
    while start < len(lines):
        end = start + 1
        heading = SECTION.match(lines[start])
        if heading and end < len(lines) and lines[end].startswith(" "):
            while end < len(lines) and (not lines[end] or lines[end].startswith(" ")):
                end += 1
            body = textwrap.dedent("\n".join(lines[start + 1 : end])).strip("\n")
            parts.append(_section(heading[1], body, find))
        else:
            while end < len(lines) and not SECTION.match(lines[end]):
                end += 1
            parts.append(_prose("\n".join(lines[start:end]), find))
        start = end
    return "\n\n".join(parts)


def _section(title: str, body: str, find: Find) -> str:
    if title.startswith("Example"):
        return _prose(body, find)
    if title not in LISTS:
        return f":{title}: " + _indent(_prose(body, find))
    items = [
        f"- **{name}** -- {_indent(_prose(text, find))}" if name else f"- {_prose(text, find)}"
        for name, text in _items(body)
    ]
    return f":{LISTS[title]}:\n    " + _indent("\n".join(items))


def _indent(text: str) -> str:
    return textwrap.indent(text, "    ").lstrip()


def _items(body: str) -> list[tuple[str, str]]:
    """The names and texts of ``name: text``, whose texts may go on in indented lines."""
    found: list[tuple[str, str]] = []
    for part in re.split(r"\n(?=\S)", body):
        item = ITEM.fullmatch(part)
        if item:
            name = " ".join(item["name"].replace("`", "").replace("*", r"\*").split())
            found.append((name, inspect.cleandoc(item["text"])))
        else:
            found.append(("", inspect.cleandoc(part)))
    return found


def _prose(text: str, find: Find) -> str:
    """Paragraphs, lists, indented code after ``::``, and examples that are sessions."""
    blocks: list[str] = []
    session: list[str] = []
    code = False  # whether what is indented is taken literally
    for block in re.split(r"\n{2,}", text.strip("\n")):
        if block.lstrip().startswith(">>>"):
            session.append(textwrap.dedent(block))
            continue
        blocks += _code(session)
        session = []
        if code and block.startswith(" "):
            blocks.append(block)
            continue
        before, prompt, after = block.partition("\n>>>")  # a paragraph and its example, unspaced
        code = before.endswith("::")
        blocks.append(_inline(before, find))
        if prompt:
            session.append(prompt.lstrip("\n") + after)
    return "\n\n".join(blocks + _code(session))


def _code(session: list[str]) -> list[str]:
    if not session:
        return []
    return [".. code-block:: pycon\n\n" + textwrap.indent("\n\n".join(session), "    ")]


def _inline(text: str, find: Find) -> str:
    """Text outside of code, its backticks as links or code."""
    parts = []
    end = 0
    for match in MARKUP.finditer(text):
        parts += [_escape(text[end : match.start()]), _linked(match, find)]
        end = match.end()
    return "".join([*parts, _escape(text[end:])])


def _escape(text: str) -> str:
    # The asterisk of a list stays.
    return re.sub(r"^(\s*)\\\* ", r"\1* ", PLAIN.sub(r"\\\g<0>", text), flags=re.MULTILINE)


def _linked(match: re.Match[str], find: Find) -> str:
    code = " ".join((match["target"] or match["literal"] or match["name"]).split())
    named = not match["literal"] or code.startswith("tapegrad.")
    path = find(code.removesuffix("()")) if named else None
    # A role says that there is such a name: without one, the build shall complain.
    if path is None and match["role"]:
        path = code
    # Letters that follow a role directly have to be set off.
    link = f":py:obj:`{code} <{path}>`" if path else f"``{code}``"
    return link + "\\ " if re.match(r"\w", match.string[match.end() :]) else link
