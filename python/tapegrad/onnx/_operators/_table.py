"""Tables of converters, filled by a decorator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["Table"]

_Function = TypeVar("_Function", bound=Callable[..., Any])


class Table(dict[str, Callable[..., Any]]):
    """From names of operators to functions."""

    def of(self, *names: str) -> Callable[[_Function], _Function]:
        """Enter a function under names: of operators that are one, or that only differ in dims."""

        def enter(function: _Function) -> _Function:
            self.update(dict.fromkeys(names, function))
            return function

        return enter
