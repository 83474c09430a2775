"""Finders of modules: ``torch.x`` is ``tapegrad.x``, and what is not here is named."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import Distribution, DistributionFinder
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

from .. import version
from .._absent import missing

__all__ = ["Aliases", "Suggestions"]


class Aliases(MetaPathFinder):
    """Finds ``torch.x`` where ``tapegrad.x`` is."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not fullname.startswith("torch."):
            return None
        name = f"tapegrad.{fullname.removeprefix('torch.')}"
        if name not in sys.modules and PathFinder.find_spec(name, path) is None:
            if _is_one_of_many(sys._getframe(1)):
                raise _no_such_name(name)
            raise ModuleNotFoundError(f"No module named {fullname!r}{_reason(name)}", name=fullname)
        module = importlib.import_module(name)
        return ModuleSpec(fullname, _Loaded(module), is_package=hasattr(module, "__path__"))

    def find_distributions(
        self, context: DistributionFinder.Context | None = None
    ) -> Iterable[Distribution]:
        """What ``importlib.metadata`` asks for: the version of ``torch``."""
        return [_Metadata()] if context is not None and context.name == "torch" else []


class _Metadata(Distribution):
    """What is known of the package ``torch``, without one that is installed."""

    def read_text(self, filename: str) -> str | None:
        if filename != "METADATA":
            return None
        return f"Metadata-Version: 2.1\nName: torch\nVersion: {version.__version__}\n"

    def locate_file(self, path: Any) -> Any:
        return Path(version.__file__).parent / path


class _Loaded(Loader):
    """The loader of a module that there is already, under another name."""

    def __init__(self, module: ModuleType) -> None:
        self.module = module
        self.spec = module.__spec__

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self.module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self.spec  # which the import has replaced


class Suggestions(MetaPathFinder):
    """Comes last, and says what is missing in ``from torch import name``.

    Python looks for a module ``tapegrad.name`` where the package has no such attribute. After a
    ModuleNotFoundError it would go on, to say less.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not fullname.startswith("tapegrad."):
            return None
        raise _no_such_name(fullname)


def _no_such_name(fullname: str) -> ImportError:
    package, _, name = fullname.rpartition(".")
    return ImportError(
        f"cannot import name {name!r} from {package!r}{_reason(fullname)}", name=package
    )


def _is_one_of_many(frame: FrameType | None) -> bool:
    """Whether the import that calls says ``from torch import name``, where `name` is no module."""
    while frame is not None and frame.f_code.co_filename.startswith("<frozen importlib"):
        if frame.f_code.co_name == "_handle_fromlist":
            return True
        frame = frame.f_back
    return False


def _reason(fullname: str) -> str:
    package, _, name = fullname.rpartition(".")
    return missing(package, name, dir(sys.modules[package])) or f". {package} has no {name!r}."
