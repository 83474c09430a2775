"""The dictionaries in which a module keeps its parameters, buffers and submodules."""

from __future__ import annotations

import weakref
from typing import Any

_MISSING = object()


class Registry(dict[str, Any]):
    """A dict whose entries are attributes of its module too.

    The entries are mirrored in the module's ``__dict__``, so that reading ``self.weight`` is a
    plain attribute access and not a failed lookup followed by ``__getattr__``. The module is
    referred to weakly: a strong reference would be a cycle that only the garbage collector frees.
    """

    __slots__ = ("_owner",)

    def __init__(self, owner: object, entries: dict[str, Any] | None = None) -> None:
        super().__init__()
        self._owner = weakref.ref(owner)
        if entries:
            self.update(entries)

    def _mirror(self) -> dict[str, Any]:
        owner = self._owner()
        return {} if owner is None else owner.__dict__

    def __setitem__(self, name: str, value: Any) -> None:
        super().__setitem__(name, value)
        self._mirror()[name] = value

    def __delitem__(self, name: str) -> None:
        super().__delitem__(name)
        self._mirror().pop(name, None)

    def pop(self, name: str, default: Any = _MISSING) -> Any:
        if name not in self and default is not _MISSING:
            return default
        value = self[name]
        del self[name]
        return value

    def popitem(self) -> tuple[str, Any]:
        name, value = super().popitem()
        self._mirror().pop(name, None)
        return name, value

    def clear(self) -> None:
        for name in list(self):
            del self[name]

    def setdefault(self, name: str, default: Any = None) -> Any:
        if name not in self:
            self[name] = default
        return self[name]

    def update(self, *args: Any, **kwargs: Any) -> None:
        for name, value in dict(*args, **kwargs).items():
            self[name] = value

    def __ior__(self, other: Any) -> Registry:  # type: ignore[override,misc]
        self.update(other)
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        # Copies are plain dicts; Module.__setstate__ binds them to the copied module.
        return dict, (dict(self),)
