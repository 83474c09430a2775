"""The API reference in the site: its pages, and the links that lead to it.

`reference_pages` makes the pages. They are written into ``reference/``, which is not committed,
before Sphinx reads its sources.
"""

from __future__ import annotations

import builtins
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx import addnodes

from reference_pages import inventory, pages

if TYPE_CHECKING:
    from sphinx.application import Sphinx

__all__ = ["setup"]

PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


def _write(app: Sphinx) -> None:
    folder = Path(app.srcdir) / "reference"
    folder.mkdir(exist_ok=True)
    made = {folder / f"{name}.rst": text + "\n" for name, text in pages().items()}
    for path in set(folder.glob("*.rst")) - made.keys():
        path.unlink()
    for path, text in made.items():
        if not path.exists() or path.read_text() != text:  # Sphinx reads again what is newer
            path.write_text(text)


def _link_code(app: Sphinx, doctree: nodes.document) -> None:
    """Code in the text of a page that is a public name leads to its description."""
    if app.env.docname.startswith("reference/"):
        return  # where the docstrings' links are made already
    for node in list(doctree.findall(nodes.literal)):
        text = _name_in(node.astext(), app.env.docname == "operators")
        if text is None or isinstance(node.parent, nodes.reference | addnodes.pending_xref):
            continue
        path = inventory().find(text)
        if path is not None:
            xref = addnodes.pending_xref(
                refdomain="py", reftype="obj", reftarget=path, refexplicit=True, refwarn=True
            )
            node.replace_self(xref)
            xref += node


def _name_in(code: str, anywhere: bool) -> str | None:
    """The name that code in a text may mean; short words are as likely to be parameters."""
    name, call, rest = code.partition("(")
    if not PATH.fullmatch(name) or (call and rest != ")" and not anywhere):
        return None
    return name if anywhere or call or "." in name or name[0].isupper() else None


def _keep_builtins(app: Sphinx, doctree: nodes.document) -> None:
    """``bool`` in an annotation is Python's, and not the dtype of this name."""
    for node in list(doctree.findall(addnodes.pending_xref)):
        if node["reftype"] == "class" and hasattr(builtins, node["reftarget"]):
            node.replace_self(nodes.Text(node["reftarget"]))


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("builder-inited", _write)
    app.connect("doctree-read", _keep_builtins)
    app.connect("doctree-read", _link_code)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
