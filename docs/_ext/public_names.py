"""The public names of the package, each with the one place where it is documented.

A name is public if it is in the ``__all__`` of a public module. Many have several: ``nn.Linear`` is
``nn.modules.Linear`` and ``nn.modules.linear.Linear``, too. The shortest is the home of them all.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
import re
import typing
from collections import defaultdict
from dataclasses import dataclass, field
from types import ModuleType

import tapegrad
from tapegrad import _C

__all__ = [
    "Inventory",
    "Name",
    "collect",
    "first_sentence",
    "members",
    "names_of",
    "public_modules",
]

# Modules for programs that ask for them, which are no home for what is elsewhere as well.
LAST = ("array_api", "backends", "cpu", "cuda", "functional", "jit", "mps", "types", "xpu")
PLAIN = (bool, int, float, str, tuple, type(None))  # values that are equal without being the same
# The name of an operator by each of its other names.
ALIASES = {alias: op["name"] for op in _C._operators() for alias in op["aliases"]}


@dataclass(frozen=True)
class Name:
    """A public name and what it stands for."""

    module: str
    name: str
    value: object

    @property
    def path(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass
class Inventory:
    """All public names."""

    modules: dict[str, ModuleType]
    homes: dict[str, Name] = field(default_factory=dict)  # by path
    # For each module the names that are at home elsewhere, with the path of the home, or with the
    # module outside of the package that they are from.
    elsewhere: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))

    def at_home(self, module: str) -> list[Name]:
        return [name for name in self.homes.values() if name.module == module]

    def has_page(self, module: str) -> bool:
        """Whether anything is at home in a module, or below it."""
        return any(
            name.module == module or name.module.startswith(module + ".")
            for name in self.homes.values()
        )

    @functools.cached_property
    def paths(self) -> dict[str, str]:
        """The path of the description, by every path of what is described."""
        found = {path: path for path in self.homes}
        for home, entry in self.homes.items():
            found |= {f"{home}.{name}": f"{home}.{name}" for name in members(entry.value)}
        for module, names in self.elsewhere.items():
            for name, home in names.items():
                if home in self.homes:
                    found[f"{module}.{name}"] = home
                    for member in members(self.homes[home].value):
                        found[f"{module}.{name}.{member}"] = f"{home}.{member}"
        return found | {module: module for module in self.modules if self.has_page(module)}

    @functools.cached_property
    def _endings(self) -> dict[str, set[str]]:
        found = defaultdict(set)
        for path, home in self.paths.items():
            if path in self.modules:
                continue
            parts = path.split(".")
            for start in range(1, len(parts)):
                found[".".join(parts[start:])].add(home)
        return found

    def find(self, text: str, module: str = "", owner: str = "") -> str | None:
        """The path of the description that a text in the docstring of `owner` means, if any."""
        places = [owner, module, "tapegrad"]
        for candidate in (*(f"{place}.{text}" for place in places if place), text):
            if candidate in self.paths:
                return self.paths[candidate]
        ends = self._endings.get(text, ())
        return next(iter(ends)) if len(ends) == 1 else None


def public_modules() -> dict[str, ModuleType]:
    """Every module whose name has no underscore in front; those that need what is not installed
    are left out.
    """
    found = {"tapegrad": tapegrad}
    for info in pkgutil.walk_packages(tapegrad.__path__, "tapegrad."):
        if any(part.startswith("_") for part in info.name.split(".")):
            continue
        try:
            found[info.name] = importlib.import_module(info.name)
        except ImportError as error:
            if "needs the package" not in str(error):
                raise
    return found


def names_of(module: ModuleType) -> list[str]:
    """The names of `__all__`, without the modules among them."""
    listed = getattr(module, "__all__", None)
    if listed is None:
        listed = [
            name
            for name, value in vars(module).items()
            if not name.startswith("_") and type(value).__module__ != "__future__"
        ]
    return [
        name
        for name in dict.fromkeys(listed)
        if not name.startswith("_") and not isinstance(getattr(module, name), ModuleType)
    ]


def collect() -> Inventory:
    """All public names of the package."""
    inventory = Inventory(public_modules())
    same: dict[object, list[Name]] = defaultdict(list)
    for path, module in inventory.modules.items():
        for name in names_of(module):
            value = getattr(module, name)
            same[_key(name, value)].append(Name(path, name, value))
    for entries in same.values():
        home, *others = sorted(entries, key=_preference)
        outside = _outside(home.value)
        if outside is None:
            inventory.homes[home.path] = home
        else:
            others.append(home)
        for other in others:
            inventory.elsewhere[other.module][other.name] = outside or home.path
    inventory.homes = dict(sorted(inventory.homes.items(), key=lambda pair: pair[0].lower()))
    return inventory


def _key(name: str, value: object) -> object:
    """What two names have in common that stand for the same."""
    if inspect.isbuiltin(value) and value.__module__ == "tapegrad._C":
        return "operator", ALIASES.get(value.__name__, value.__name__)
    return (name, repr(value)) if isinstance(value, PLAIN) else id(value)


def _preference(entry: Name) -> tuple[object, ...]:
    parts = entry.module.split(".")
    own = getattr(entry.value, "__name__", str(entry.value).rpartition(".")[2])
    last = any(part in LAST for part in parts) or entry.name.startswith("special_")
    return last, len(parts), entry.name != own, entry.path


def _outside(value: object) -> str | None:
    """The module of a class or function that is not of this package."""
    module = getattr(value, "__module__", None)
    if isinstance(value, PLAIN) or typing.get_origin(value) or not isinstance(module, str):
        return None
    return None if module.partition(".")[0] == "tapegrad" else module


def members(value: object) -> dict[str, object]:
    """The public attributes of a class that it defines itself and says something of."""
    if not isinstance(value, type) or issubclass(value, tuple):
        return {}
    found = {}
    for name, member in vars(value).items():
        if name.startswith("_") or isinstance(member, type) or _outside(member):
            continue
        text = getattr(member, "__doc__", None)
        described = callable(member) or inspect.isdatadescriptor(member)
        described |= isinstance(member, classmethod | staticmethod)
        if described and isinstance(text, str) and text.strip():
            found[name] = member
    return dict(sorted(found.items(), key=lambda pair: pair[0].lower()))


def first_sentence(text: str) -> str:
    """The first paragraph of a docstring up to its first full stop."""
    paragraph = " ".join(inspect.cleandoc(text).partition("\n\n")[0].split())
    return re.split(r"(?<=\.)(?<!et al\.) (?=[A-Z`])", paragraph, maxsplit=1)[0]
