"""Nested dicts, lists and tuples, taken apart and put together again."""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable
from typing import Any

__all__ = ["Spec", "broadcast", "flatten", "leaf_spec", "map_leaves", "unflatten"]

_LISTS = (list, tuple, deque)
_DICTS = (dict, OrderedDict, defaultdict)


class Spec:
    """The form of a tree: the type of each node, and its keys if it is a dict."""

    __slots__ = ("children", "count", "keys", "kind")

    def __init__(self, kind: Any, keys: Any, children: list[Spec]) -> None:
        self.kind, self.keys, self.children = kind, keys, children
        self.count: int = sum(child.count for child in children) if kind else 1

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Spec)
            and (self.kind, self.keys, self.children) == (other.kind, other.keys, other.children)
        )  # fmt: skip

    def __hash__(self) -> int:
        return hash((self.kind, self.count))

    def __repr__(self) -> str:
        if self.kind is None:
            return "*"
        return repr(self.build(["*"] * self.count)).replace("'*'", "*")

    def build(self, leaves: Iterable[Any]) -> Any:
        """The tree of this form with these leaves."""
        return self._build(iter(leaves))

    def _build(self, leaves: Any) -> Any:
        kind = self.kind
        if kind is None:
            return next(leaves)
        parts = [child._build(leaves) for child in self.children]
        if kind is list:
            return parts
        if kind is tuple:
            return tuple(parts)
        if kind is defaultdict:
            factory, keys = self.keys
            return defaultdict(factory, zip(keys, parts, strict=True))
        if issubclass(kind, dict):
            return kind(zip(self.keys, parts, strict=True))
        return kind(*parts) if hasattr(kind, "_fields") else kind(parts)


leaf_spec = Spec(None, None, [])


_known: dict[type, bool] = {}


def _is_node(kind: type) -> bool:
    found = _known.get(kind)
    if found is None:
        listed = kind in _LISTS or kind in _DICTS
        found = _known[kind] = listed or (issubclass(kind, tuple) and _named(kind))
    return found


def _named(kind: type) -> bool:
    return hasattr(kind, "_fields") or kind.__module__.endswith("return_types")


def flatten(tree: Any) -> tuple[list[Any], Spec]:
    """The leaves of a tree and its form. None is a leaf, as is what is no container."""
    leaves: list[Any] = []
    return leaves, _flatten(tree, leaves)


def _flatten(tree: Any, leaves: list[Any]) -> Spec:
    kind = type(tree)
    if not _is_node(kind):
        leaves.append(tree)
        return leaf_spec
    if kind in _DICTS:
        keys: Any = list(tree)
        children = [_flatten(tree[key], leaves) for key in keys]
        return Spec(kind, (tree.default_factory, keys) if kind is defaultdict else keys, children)
    return Spec(kind, None, [_flatten(item, leaves) for item in tree])


def unflatten(leaves: Iterable[Any], spec: Spec) -> Any:
    """The tree of a form with these leaves."""
    return spec.build(leaves)


def map_leaves(function: Callable[[Any], Any], tree: Any) -> Any:
    """The tree with the function's result in the place of each leaf."""
    leaves, spec = flatten(tree)
    return spec.build([function(leaf) for leaf in leaves])


def broadcast(prefix: Any, spec: Spec) -> list[Any] | None:
    """For each leaf of a form the leaf of a smaller tree that stands above it; None: no fit."""
    kind = type(prefix)
    if not _is_node(kind):
        return [prefix] * spec.count
    if spec.kind is None or len(prefix) != len(spec.children):
        return None
    if kind in _DICTS:
        if not issubclass(spec.kind, dict):
            return None
        keys = spec.keys[1] if spec.kind is defaultdict else spec.keys
        if set(keys) != set(prefix):
            return None
        parts = [prefix[key] for key in keys]
    elif issubclass(spec.kind, dict) or (kind is not spec.kind and _named(kind)):
        return None
    else:
        if (kind is list) != (spec.kind is list):
            return None
        parts = list(prefix)
    result = []
    for part, child in zip(parts, spec.children, strict=True):
        below = broadcast(part, child)
        if below is None:
            return None
        result += below
    return result
