"""The version, and what the package was built with.

Example:
    >>> import tapegrad
    >>> tapegrad.version.cuda is None
    True
"""

from __future__ import annotations

from ._version import __version__

__all__ = ["__version__", "cuda", "debug", "git_version", "hip", "xpu"]

cuda: str | None = None
hip: str | None = None
xpu: str | None = None
debug = False
git_version: str | None = None
