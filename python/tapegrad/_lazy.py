"""Parts of a package that are loaded when they are first used, so that the import is quick."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping

__all__ = ["lazy"]


def lazy(
    package: str, names: Mapping[str, str]
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """The module functions ``__getattr__`` and ``__dir__`` of a package (PEP 562).

    Args:
        package: the package's ``__name__``.
        names: for each attribute the submodule that has it; the submodule itself where both are
            the same.
    """
    namespace = vars(sys.modules[package])

    def load(name: str) -> object:
        if name not in names:
            from ._absent import missing  # rarely needed

            reason = missing(package, name, listing())
            raise AttributeError(
                f"module {package!r} has no attribute {name!r}{reason}",
                name=name,
                obj=sys.modules[package],
            )
        module = importlib.import_module(f"{package}.{names[name]}")
        value = module if name == names[name] else getattr(module, name)
        namespace[name] = value
        return value

    def listing() -> list[str]:
        return sorted({*namespace, *names})

    return load, listing
