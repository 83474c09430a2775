"""Where the nodes of the tape come from: the lines of the program that made them."""

from __future__ import annotations

import os
from typing import NamedTuple

from tapegrad import _C


class Traceback(NamedTuple):
    """The call that made a node: the innermost line outside of tapegrad's own files.

    Attributes:
        file: the file, as the interpreter knows it (``"<stdin>"``, a path, a notebook's cell).
        line: the number of the line.
        function: the qualified name of the function, ``"<module>"`` outside of one.
        module: the path of the `nn.Module` whose call was running, as seen from the outermost
            one (``"layers.2.linear"``; ``""`` for the outermost one itself), or None.
        module_type: the name of that module's class, or None.

    Example::

        >>> import tapegrad
        >>> x = tapegrad.ones(2, requires_grad=True)
        >>> y = x.exp()
        >>> y.grad_fn.traceback.function
        '<module>'
    """

    file: str
    line: int
    function: str
    module: str | None = None
    module_type: str | None = None
    end_line: int = 0
    column: int = 0
    end_column: int = 0

    @property
    def text(self) -> str:
        """The line's source, or an empty string where the file cannot be read."""
        import linecache

        try:
            return linecache.getline(self.file, self.line).strip()
        except Exception:  # of whoever finds the source: doctest, a loader of modules
            return ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}"
        if self.function != "<module>":
            where += f", in {self.function}"
        if self.module:
            where += f" (module {self.module})"
        return f"{where}: {self.text}" if self.text else where


_C._start_provenance(
    os.path.dirname(__file__) + os.sep, os.environ.get("TAPEGRAD_PROVENANCE") != "0"
)
