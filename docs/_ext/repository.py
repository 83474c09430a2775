"""Links between the pages and the repository, as they are written for a reader of the repository.

Pages link to files by their relative paths. Here, a link to a file that is a page of the site
leads to that page, one to another file offers it, and one to a folder is only its text. A link to
what does not exist is a warning. Some files outside of ``docs`` are pages, too
(``repository_pages``): they are written into ``project/`` before Sphinx reads its sources.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.util import logging

from links import relink

if TYPE_CHECKING:
    from sphinx.application import Sphinx

__all__ = ["setup"]

logger = logging.getLogger(__name__)
ROOT = Path(__file__).resolve().parents[2]


def _pages(app: Sphinx) -> dict[Path, Path]:
    """The source of each page by the file of the repository that it is made from."""
    docs = Path(app.srcdir)
    gallery = ROOT / "examples/gallery"
    pages = {path: path for path in docs.glob("*.md")} | _written(app)
    pages |= {gallery: docs / "gallery/index.rst"}
    return pages | {
        script: docs / f"gallery/{script.stem}.rst" for script in gallery.glob("plot_*.py")
    }


def _written(app: Sphinx) -> dict[Path, Path]:
    folder = Path(app.srcdir) / "project"
    return {
        ROOT / name: folder / name.replace("/", "_").lower() for name in app.config.repository_pages
    }


def _relinked(app: Sphinx, text: str, origin: Path) -> str:
    text, broken = relink(text, origin, _pages(app))
    for target in broken:
        logger.warning("no such file: %s", target, location=str(origin))
    return text


def _write(app: Sphinx) -> None:
    for file, page in _written(app).items():
        page.parent.mkdir(exist_ok=True)
        text = _relinked(app, file.read_text(encoding="utf-8"), file)
        if file.parent.name == "benchmarks":  # their tables need the room of the list of sections
            text = f"---\nhide-toc: true\n---\n\n{text}"
        if not page.exists() or page.read_text(encoding="utf-8") != text:
            page.write_text(text, encoding="utf-8")


def _read(app: Sphinx, docname: str, source: list[str]) -> None:
    file = Path(app.env.doc2path(docname))
    if file.suffix == ".md" and file.parent == Path(app.srcdir):
        source[0] = _relinked(app, source[0], file)


def _end_sessions(app: Sphinx, doctree: nodes.document) -> None:
    """Without the empty line by which doctest knows where the output of an example ends."""
    for block in doctree.findall(nodes.literal_block):
        if block.rawsource == block.astext():
            block.rawsource = block.rawsource.rstrip()
            block.children = [nodes.Text(block.rawsource)]


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_config_value("repository_pages", [], "env")
    app.connect("builder-inited", _write)
    app.connect("source-read", _read)
    app.connect("doctree-read", _end_sessions)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
