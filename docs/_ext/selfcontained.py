"""A warning for each page that would load something from the network."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sphinx.util import logging

if TYPE_CHECKING:
    from sphinx.application import Sphinx

__all__ = ["setup"]

logger = logging.getLogger(__name__)
LOADED = re.compile(
    r"""<(?:script|link|img|iframe|source|object)\b[^>]*\s(?:src|href|data)=["']((?:https?:)?//[^"']*)"""
)


def _check(app: Sphinx, error: Exception | None) -> None:
    for page in Path(app.outdir).rglob("*.html"):
        for address in LOADED.findall(page.read_text(encoding="utf-8")):
            logger.warning("the page loads %s", address, location=str(page))


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("build-finished", _check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
