"""The handle that every ``register_*_hook`` returns."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, MutableMapping
from typing import Any

__all__ = ["RemovableHandle"]

_ids = itertools.count()


def _reference(mapping: Any) -> Callable[[], Any]:
    """A weak reference where the type allows one (a plain dict does not)."""
    try:
        return weakref.ref(mapping)
    except TypeError:
        return lambda: mapping


class RemovableHandle:
    """Removes one hook from the mapping that holds it.

    The handle does not keep the hooked object alive. As a context manager it removes the hook on
    leaving the block. Removing twice is allowed.

    Args:
        hooks_dict: mapping from hook id to hook (an ``OrderedDict``, which allows weak references).
        extra_dict: a mapping, or a list of mappings, that keep more about the same hook id.

    Example:
        >>> from collections import OrderedDict
        >>> from tapegrad.utils.hooks import RemovableHandle
        >>> hooks = OrderedDict()
        >>> with RemovableHandle(hooks) as handle:
        ...     hooks[handle.id] = print
        ...     len(hooks)
        1
        >>> len(hooks)
        0
    """

    __slots__ = ("__weakref__", "_references", "id")
    id: int

    def __init__(self, hooks_dict: MutableMapping[int, Any], *, extra_dict: Any = None) -> None:
        extra = [] if extra_dict is None else extra_dict
        if not isinstance(extra, list):
            extra = [extra]
        self.id = next(_ids)
        self._references = [_reference(mapping) for mapping in (hooks_dict, *extra)]

    def remove(self) -> None:
        """Take the hook away; nothing happens if it is gone already."""
        for reference in self._references:
            mapping = reference()
            if mapping is not None:
                mapping.pop(self.id, None)

    def __getstate__(self) -> tuple[list[Any], int]:
        return [reference() for reference in self._references], self.id

    def __setstate__(self, state: tuple[list[Any], int]) -> None:
        global _ids
        mappings, self.id = state
        self._references = [_reference(mapping) for mapping in mappings]
        _ids = itertools.count(max(next(_ids), self.id + 1))  # no later hook has the same id

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.remove()
