"""Nested containers, taken apart and put together again, under PyTorch's names for it.

Tuples, lists, dicts, named tuples, ordered dicts, default dicts and deques are containers, and
what `register_pytree_node` is told of. All else is a leaf, and so is None.

Example:
    >>> from tapegrad.utils._pytree import tree_flatten, tree_map, tree_unflatten
    >>> tree_map(lambda x: 2 * x, {"a": [1, 2], "b": (3,)})
    {'a': [2, 4], 'b': (6,)}
    >>> leaves, spec = tree_flatten({"a": [1, 2], "b": (3,)})
    >>> leaves
    [1, 2, 3]
    >>> tree_unflatten("xyz", spec)
    {'a': ['x', 'y'], 'b': ('z',)}
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from .. import return_types

__all__ = [
    "LeafSpec",
    "PyTree",
    "TreeSpec",
    "register_pytree_node",
    "tree_all",
    "tree_any",
    "tree_flatten",
    "tree_iter",
    "tree_leaves",
    "tree_map",
    "tree_map_",
    "tree_map_only",
    "tree_map_only_",
    "tree_structure",
    "tree_unflatten",
]

PyTree = Any
Flatten = Callable[[Any], tuple[list[Any], Any]]
Unflatten = Callable[[Iterable[Any], Any], Any]
IsLeaf = Callable[[Any], bool] | None


class TreeSpec:
    """The form of a tree: the type of its root, what rebuilds it, and the forms below.

    That of a leaf is a `LeafSpec`. Forms compare equal if the trees differ in their leaves alone,
    and are printed as a tree with stars for leaves.
    """

    __slots__ = ("children_specs", "context", "num_leaves", "type")

    def __init__(self, type: Any, context: Any, children_specs: tuple[TreeSpec, ...]) -> None:
        self.type, self.context, self.children_specs = type, context, children_specs
        self.num_leaves: int = sum([s.num_leaves for s in children_specs]) if type else 1

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TreeSpec) and (
            (self.type, self.context, self.children_specs)
            == (other.type, other.context, other.children_specs)
        )

    def __hash__(self) -> int:
        return hash((self.type, self.num_leaves))

    def __repr__(self) -> str:
        return repr(self.unflatten(["*"] * self.num_leaves)).replace("'*'", "*")

    @property
    def num_children(self) -> int:
        """How many entries the root has."""
        return len(self.children_specs)

    def is_leaf(self) -> bool:
        """Whether trees of this form are a leaf."""
        return self.type is None

    def unflatten(self, leaves: Iterable[Any]) -> PyTree:
        """The tree of this form with these leaves; ValueError if their number is another."""
        leaves = list(leaves)
        if len(leaves) != self.num_leaves:
            raise ValueError(
                f"treespec.unflatten(leaves): `leaves` has length {len(leaves)} but the spec "
                f"refers to a pytree that holds {self.num_leaves} items ({self})."
            )
        return self._build(iter(leaves))

    def _build(self, leaves: Iterator[Any]) -> PyTree:
        if self.type is None:
            return next(leaves)
        return _nodes[self.type][1]([s._build(leaves) for s in self.children_specs], self.context)


class LeafSpec(TreeSpec):
    """The form of a leaf."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(None, None, ())


_LEAF = LeafSpec()


def _flat_list(values: Any) -> tuple[list[Any], Any]:
    return list(values), None


def _flat_dict(values: Any) -> tuple[list[Any], Any]:
    return list(values.values()), list(values)


def _built_dict(kind: Any) -> Unflatten:
    return lambda parts, keys: kind(zip(keys, parts, strict=True))


# For each type of container what takes it apart, and what puts it together. All named tuples, and
# the results of operators that have names, stand under `_Named`.
class _Named:
    pass


def _built_named(parts: Any, kind: Any) -> Any:
    return kind(*parts) if hasattr(kind, "_fields") else kind(parts)


_nodes: dict[type, tuple[Flatten, Unflatten]] = {
    list: (_flat_list, lambda parts, _: list(parts)),
    tuple: (_flat_list, lambda parts, _: tuple(parts)),
    dict: (_flat_dict, _built_dict(dict)),
    OrderedDict: (_flat_dict, _built_dict(OrderedDict)),
    defaultdict: (
        lambda d: (list(d.values()), (d.default_factory, list(d))),
        lambda parts, c: defaultdict(c[0], zip(c[1], parts, strict=True)),
    ),
    deque: (lambda d: (list(d), d.maxlen), lambda parts, length: deque(parts, maxlen=length)),
    _Named: (lambda t: (list(t), type(t)), _built_named),
}
# Under which of these each type that has been met stands, or None.
_kinds: dict[type, type | None] = {}


def register_pytree_node(
    cls: type, flatten_fn: Flatten, unflatten_fn: Unflatten, **kwargs: Any
) -> None:
    """Make a type a container.

    Args:
        cls: the type; its subclasses are leaves.
        flatten_fn: gives the entries of an instance, and what is needed to rebuild it.
        unflatten_fn: the instance of entries and what `flatten_fn` gave beside them.
        **kwargs: what serialisation in PyTorch needs; ignored.

    Raises:
        ValueError: if the type is a container already.
    """
    if cls in _nodes:
        raise ValueError(f"{cls} is already registered as pytree node.")
    _nodes[cls] = flatten_fn, unflatten_fn
    _kinds.pop(cls, None)


def _kind(tree: Any, is_leaf: IsLeaf) -> type | None:
    """Under which type a container stands; None for a leaf."""
    if is_leaf is not None and is_leaf(tree):
        return None
    kind = type(tree)
    try:
        return _kinds[kind]
    except KeyError:
        named = issubclass(kind, tuple) and (
            hasattr(kind, "_fields") or kind.__module__ == return_types.__name__
        )
        return _kinds.setdefault(kind, kind if kind in _nodes else _Named if named else None)


def tree_flatten(tree: PyTree, is_leaf: IsLeaf = None) -> tuple[list[Any], TreeSpec]:
    """The leaves of a tree, in order, and its form.

    Args:
        tree: any object; what is no container is one leaf.
        is_leaf: says of an object, a container too, that it is taken as a leaf.
    """
    leaves: list[Any] = []
    return leaves, _flatten(tree, is_leaf, leaves)


def _flatten(tree: Any, is_leaf: IsLeaf, leaves: list[Any]) -> TreeSpec:
    kind = _kind(tree, is_leaf)
    if kind is None:
        leaves.append(tree)
        return _LEAF
    parts, context = _nodes[kind][0](tree)
    return TreeSpec(kind, context, tuple([_flatten(part, is_leaf, leaves) for part in parts]))


def tree_unflatten(leaves: Iterable[Any], treespec: TreeSpec) -> PyTree:
    """The tree of a form with these leaves; ValueError if their number is another."""
    return treespec.unflatten(leaves)


def tree_iter(tree: PyTree, is_leaf: IsLeaf = None) -> Iterator[Any]:
    """The leaves of a tree, one after the other."""
    kind = _kind(tree, is_leaf)
    if kind is None:
        yield tree
        return
    for part in _nodes[kind][0](tree)[0]:
        yield from tree_iter(part, is_leaf)


def tree_leaves(tree: PyTree, is_leaf: IsLeaf = None) -> list[Any]:
    """The leaves of a tree, in order."""
    return list(tree_iter(tree, is_leaf))


def tree_structure(tree: PyTree, is_leaf: IsLeaf = None) -> TreeSpec:
    """The form of a tree."""
    return tree_flatten(tree, is_leaf)[1]


def tree_map(
    func: Callable[..., Any], tree: PyTree, *rests: PyTree, is_leaf: IsLeaf = None
) -> PyTree:
    """The tree with the function's results in the places of the leaves.

    Args:
        func: takes a leaf, and what stands at its place in each of the other trees.
        tree: says where the leaves are.
        *rests: trees of the same form, or with more below the leaves.
        is_leaf: as in `tree_flatten`.

    Raises:
        ValueError: if another tree has another form.
    """
    leaves, spec = tree_flatten(tree, is_leaf)
    return spec.unflatten(map(func, leaves, *(_up_to(spec, rest) for rest in rests)))


def _keys(spec: TreeSpec) -> list[Any]:
    """The keys of a dict's form."""
    keys: list[Any] = spec.context[1] if spec.type is defaultdict else spec.context
    return keys


def _up_to(spec: TreeSpec, tree: Any) -> list[Any]:
    """What a tree has at the leaves of a form."""
    if spec.type is None:
        return [tree]
    kind = _kind(tree, None)
    if kind is not spec.type:
        raise ValueError(f"Node type mismatch; expected {spec.type}, but got {type(tree)}.")
    parts, context = _nodes[kind][0](tree)
    if len(parts) != spec.num_children:
        raise ValueError(
            f"Node arity mismatch; expected {spec.num_children}, but got {len(parts)}."
        )
    if isinstance(tree, dict):
        keys = _keys(spec)
        if set(tree) != set(keys):
            raise ValueError(f"Node keys mismatch; expected {spec.context}, but got {list(tree)}.")
        parts = [tree[key] for key in keys]
    elif context != spec.context:
        raise ValueError(f"Node context mismatch; expected {spec.context}, but got {context}.")
    return [x for part, below in zip(parts, spec.children_specs) for x in _up_to(below, part)]


def _broadcast_to_and_flatten(tree: PyTree, treespec: TreeSpec) -> list[Any] | None:
    """For each leaf of a form the leaf of a smaller tree that stands above it; None: no fit.

    Lists fit lists and named tuples their own type; plain tuples and deques fit all three of
    tuples, named tuples and deques, and dicts those with the same keys.
    """
    kind = _kind(tree, None)
    if kind is None:
        return [tree] * treespec.num_leaves
    if treespec.is_leaf():
        return None
    parts, context = _nodes[kind][0](tree)
    if len(parts) != treespec.num_children:
        return None
    if isinstance(tree, dict):
        if not issubclass(treespec.type, dict) or set(_keys(treespec)) != set(tree):
            return None
        parts = [tree[key] for key in _keys(treespec)]
    elif kind in (tuple, deque):
        if treespec.type not in (tuple, deque, _Named):
            return None
    elif (kind, context) != (treespec.type, treespec.context):
        return None
    result = []
    for part, child in zip(parts, treespec.children_specs, strict=True):
        below = _broadcast_to_and_flatten(part, child)
        if below is None:
            return None
        result += below
    return result


def tree_map_(
    func: Callable[..., Any], tree: PyTree, *rests: PyTree, is_leaf: IsLeaf = None
) -> PyTree:
    """Call a function with each leaf, as `tree_map` does, and return the tree itself."""
    tree_map(func, tree, *rests, is_leaf=is_leaf)
    return tree


def _only(types: Any, func: Callable[[Any], Any]) -> Callable[[Any], Any]:
    chosen = types if isinstance(types, (type, tuple)) or not callable(types) else None
    if chosen is None:
        return lambda x: func(x) if types(x) else x
    return lambda x: func(x) if isinstance(x, chosen) else x


def tree_map_only(
    types: Any, func: Callable[[Any], Any], tree: PyTree, is_leaf: IsLeaf = None
) -> PyTree:
    """The tree with the function's results in the places of some of the leaves.

    Args:
        types: a type, several, or a function that says of a leaf whether it is meant.
        func: takes a leaf.
        tree: what is not meant stays as it is.
        is_leaf: as in `tree_flatten`.

    Example:
        >>> from tapegrad.utils._pytree import tree_map_only
        >>> tree_map_only(int, lambda x: x + 1, [1, "a", (2.5, 3)])
        [2, 'a', (2.5, 4)]
    """
    return tree_map(_only(types, func), tree, is_leaf=is_leaf)


def tree_map_only_(
    types: Any, func: Callable[[Any], Any], tree: PyTree, is_leaf: IsLeaf = None
) -> PyTree:
    """Call a function with some of the leaves, as `tree_map_only`, and return the tree itself."""
    return tree_map_(_only(types, func), tree, is_leaf=is_leaf)


def tree_all(pred: Callable[[Any], bool], tree: PyTree, is_leaf: IsLeaf = None) -> bool:
    """Whether something holds for all leaves."""
    return all(map(pred, tree_iter(tree, is_leaf)))


def tree_any(pred: Callable[[Any], bool], tree: PyTree, is_leaf: IsLeaf = None) -> bool:
    """Whether something holds for a leaf."""
    return any(map(pred, tree_iter(tree, is_leaf)))
