"""Answers in words, and the places that they name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tapegrad import _C
from tapegrad._C import Node
from tapegrad._provenance import Traceback


@dataclass(frozen=True)
class Explanation:
    """An answer: ``str()`` of it is the text, and ``reason`` a word for programs."""

    reason: str
    text: str

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__

    @property
    def summary(self) -> str:
        """The beginning, on one line."""
        return self.text.split("\n")[0].split(". ")[0].rstrip(".:")


def site(number: int) -> str:
    """What stands at a line, by its number: ``train.py:12, in step: y = x.exp()``."""
    found = _C._site(number)
    return str(Traceback(*found)) if found is not None else "an unknown line"


def place_of(node: Node) -> str:
    return str(node.traceback) if node.traceback is not None else "an unknown line"


def bullet(lines: Sequence[str]) -> str:
    return "".join("\n  " + line.replace("\n", "\n    ") for line in lines)
