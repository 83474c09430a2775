"""Names of classes of nn as parameters of estimators have them."""

from __future__ import annotations

from types import ModuleType
from typing import Any

__all__ = ["by_name", "plain"]


def plain(name: str) -> str:
    """A name without what its spellings differ in."""
    return name.replace("_", "").lower()


def by_name(module: ModuleType, name: str, parameter: str, suffix: str = "") -> Any:
    """The class of a file of nn that a name stands for, in any case, with or without suffix.

    Raises:
        ValueError: for a name that no class has.
    """
    classes = {plain(each): each for each in module.__all__}
    found = classes.get(plain(name)) or classes.get(plain(name + suffix))
    if found is None:
        raise ValueError(
            f"{parameter}={name!r} is no name of tapegrad.nn; its classes are "
            f"{', '.join(module.__all__)}"
        )
    return getattr(module, found)
