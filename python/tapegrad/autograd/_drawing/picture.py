"""A picture of a graph, written in one form or another."""

from __future__ import annotations

import html
import os
import tempfile
import webbrowser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tapegrad._C import Tensor

from . import tape, teaching
from .dot import dot
from .layout import Group, arrange
from .page import page
from .svg import svg

__all__ = ["Picture"]


class Picture:
    """The graph of a tensor, as `tapegrad.autograd.graph.draw` gives it.

    The last expression of a notebook's cell is shown as the page.
    """

    def __init__(
        self,
        root: Any,
        params: Any = None,
        title: str | None = None,
        variables: Mapping[str, Any] = {},
    ) -> None:
        if isinstance(root, Tensor):
            self._description = tape.describe(root, params, variables)
        elif teaching.is_teaching(root):
            self._description = teaching.describe(root, variables)
        else:
            raise TypeError(f"expected a Tensor with a graph, but got {type(root).__name__}")
        self.title = title or f"The graph of {self._description.items[-1].label}"

    def __repr__(self) -> str:
        items = self._description.items
        operations = sum(1 for item in items if item.op)
        inputs = sum(1 for item in items if item.kind in ("input", "constant"))
        return f"<{self.title}: {operations} operations, {inputs} inputs>"

    def html(self) -> str:
        """The page: an HTML file that needs nothing else."""
        return page(self._description, arrange(self._description), self.title, self._notes())

    def svg(self, depth: int | None = None) -> str:
        """A picture as SVG.

        Args:
            depth: how deep boxes are open; 0 for none. Default: None, all of a graph with up to 60
                items and none of a larger one.
        """
        fold = None if depth is None else lambda box, level: level >= depth
        return svg(self._description, self._arranged(fold))

    def dot(self) -> str:
        """Text that Graphviz makes a picture of."""
        return dot(self._description, self._arranged(None))

    def _arranged(self, fold: Any) -> Group:
        return arrange(self._description, fold)

    def _notes(self) -> list[str]:
        notes = []
        root = self._description.items[-1]
        if root.shape:
            notes.append(f"Gradients are those of the sum of {root.label}'s elements.")
        if root.dtype not in ("float64", "float32"):
            notes.append(f"The page computes in double precision, the engine in {root.dtype}.")
        return notes

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture, in the form that the name of the file says.

        Args:
            path: it ends in ``.html``, ``.svg``, ``.dot`` or ``.gv``.

        Raises:
            ValueError: for another ending.
        """
        forms = {".html": self.html, ".svg": self.svg, ".dot": self.dot, ".gv": self.dot}
        suffix = Path(path).suffix.lower()
        if suffix not in forms:
            raise ValueError(f"expected a file name ending in {', '.join(forms)}, but got {path}")
        Path(path).write_text(forms[suffix](), encoding="utf-8")

    def open(self, path: str | os.PathLike[str] | None = None) -> Path:
        """Write the page and open it in the browser.

        Args:
            path: of the file. Default: None, a temporary one.

        Returns:
            The path of the file.
        """
        written = self._write_page(path)
        webbrowser.open(written.resolve().as_uri())
        return written

    def _write_page(self, path: str | os.PathLike[str] | None) -> Path:
        if path is None:
            file, name = tempfile.mkstemp(prefix="tapegrad-", suffix=".html")
            os.close(file)
            path = name
        Path(path).write_text(self.html(), encoding="utf-8")
        return Path(path)

    def _repr_html_(self) -> str:
        source = html.escape(self.html(), quote=True)
        return (
            f'<iframe srcdoc="{source}" title="{html.escape(self.title)}" '
            'style="width: 100%; height: 520px; border: 1px solid #8884; border-radius: 6px">'
            "</iframe>"
        )
