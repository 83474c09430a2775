"""Places for the items of a graph: in layers from the inputs to the root, in boxes for modules.

The method is that of Sugiyama, Tagawa and Toda (1981): units get layers, the order in each layer
is that of the barycentres of their neighbours, and then they get coordinates near these. A box is
laid out by itself, and is one unit of the box around it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from .description import Description, Item

__all__ = ["Group", "Unit", "arrange", "item_size"]

# Sizes in pixels.
GAP_X, GAP_Y, PADDING, HEADER = 18.0, 42.0, 14.0, 24.0
CHARACTER, LINE = 7.3, 16.0
BEND, FOLDED_WIDTH = 6.0, 200.0

# A picture of more items begins with its boxes folded, and boxes of more units are divided.
FOLD_ABOVE = 60
UNITS_IN_A_BOX = 60
SWEEPS = 8


@dataclass(eq=False)
class Unit:
    """An item, or where an edge passes a layer: the middle at `x`, `y` of the box around it."""

    item: int | None = None
    width: float = BEND
    height: float = 0.0
    x: float = 0.0
    y: float = 0.0


@dataclass(eq=False)
class Group(Unit):
    """A box.

    Attributes:
        title: what stands on it.
        folded: whether it shows nothing of what is in it.
        units: what is in it.
        layers: the numbers of units, from above to below and from left to right.
        bends: the numbers of units by which the edge between two others goes.
    """

    title: str = ""
    folded: bool = False
    units: list[Unit] = field(default_factory=list)
    layers: list[list[int]] = field(default_factory=list)
    bends: dict[tuple[int, int], list[int]] = field(default_factory=dict)

    def items(self) -> Iterator[int]:
        """The numbers of all items in it."""
        for unit in self.units:
            if isinstance(unit, Group):
                yield from unit.items()
            elif unit.item is not None:
                yield unit.item


def item_size(item: Item) -> tuple[float, float]:
    """Width and height of an item's picture."""
    width = max(len(item.label), len(item.subtitle) + 1, 9) * CHARACTER + 20
    return width, 3 * LINE + 10


# ------------------------------------------------------------------------------------- boxes


def _path(item: Item) -> tuple[str, ...]:
    return tuple(item.module.split(".")) if item.module else ()


def _boxes(description: Description) -> Group:
    """The boxes and what is in them.

    A module's box has the operations that ran one after the other in one of its calls, so between
    boxes edges go one way.
    """
    root = Group()
    open_boxes = [root]
    path: tuple[str, ...] = ()
    for number, item in enumerate(description.items):
        if not item.op:
            continue
        new = _path(item)
        common = 0
        while common < min(len(path), len(new)) and path[common] == new[common]:
            common += 1
        del open_boxes[common + 1 :]
        for depth in range(common, len(new)):
            box = Group(title=".".join(new[: depth + 1]))
            open_boxes[-1].units.append(box)
            open_boxes.append(box)
        path = new
        open_boxes[-1].units.append(Unit(number))
    _open_single(root)
    _divide(root)
    root.units += [Unit(number) for number, item in enumerate(description.items) if item.cut]
    _place_inputs(description, root)
    return root


def _open_single(box: Group) -> None:
    """Boxes with one unit are no help."""
    for i, unit in enumerate(box.units):
        if isinstance(unit, Group):
            _open_single(unit)
            if len(unit.units) == 1:
                box.units[i] = unit.units[0]


def _divide(box: Group) -> None:
    """Long rows of units become boxes, none of which has too many."""
    for unit in box.units:
        if isinstance(unit, Group):
            _divide(unit)
    while len(box.units) > UNITS_IN_A_BOX:
        size = max(8, min(UNITS_IN_A_BOX // 2, -(-len(box.units) // 12)))
        parts = []
        for start in range(0, len(box.units), size):
            part = Group(units=box.units[start : start + size])
            numbers = list(part.items())
            part.title = f"operations {numbers[0]} to {numbers[-1]}"
            parts.append(part)
        box.units = list(parts)


def _homes(root: Group) -> dict[int, tuple[Group, ...]]:
    """For each item the boxes around it, from the outermost on."""
    homes = {}
    stack: list[tuple[Group, ...]] = [(root,)]
    while stack:
        around = stack.pop()
        for unit in around[-1].units:
            if isinstance(unit, Group):
                stack.append((*around, unit))
            elif unit.item is not None:
                homes[unit.item] = around
    return homes


def _common(paths: Sequence[tuple[Group, ...]]) -> tuple[Group, ...]:
    first = paths[0]
    length = min(map(len, paths))
    while any(path[length - 1] is not first[length - 1] for path in paths):
        length -= 1
    return first[:length]


def _place_inputs(description: Description, root: Group) -> None:
    """An input goes into the innermost box that has all its users.

    Inputs stand in the order of the operands that they are.
    """
    homes = _homes(root)
    users: dict[int, list[int]] = defaultdict(list)
    for number, item in enumerate(description.items):
        for source in item.inputs:
            if source is not None and not description.items[source].op:
                users[source].append(number)
    for source, numbers in users.items():
        _common([homes[user] for user in numbers])[-1].units.append(Unit(source))


# ------------------------------------------------------------------------------------ layers


def _edges_by_box(description: Description, root: Group) -> dict[int, dict[tuple[int, int], None]]:
    """For each box (by identity) the pairs of its units between which edges go."""
    homes = _homes(root)
    index: dict[int, int] = {}
    stack = [root]
    while stack:
        box = stack.pop()
        for i, unit in enumerate(box.units):
            index[id(unit) if isinstance(unit, Group) else -1 - unit.item] = i  # type: ignore[operator]
            if isinstance(unit, Group):
                stack.append(unit)
    edges: dict[int, dict[tuple[int, int], None]] = defaultdict(dict)
    for number, item in enumerate(description.items):
        for source in item.inputs:
            if source is None:
                continue
            both = homes[source], homes[number]
            depth = len(_common(both))
            a, b = (
                index[id(path[depth])] if len(path) > depth else index[-1 - end]
                for path, end in zip(both, (source, number), strict=True)
            )
            edges[id(both[0][depth - 1])][a, b] = None
    return edges


def _ranks(count: int, edges: Iterable[tuple[int, int]]) -> list[int]:
    """Layers by the longest path from above; inputs stand right above their first user."""
    below = defaultdict(list)
    missing = [0] * count
    for a, b in edges:
        below[a].append(b)
        missing[b] += 1
    has_input = [n > 0 for n in missing]
    rank = [0] * count
    ready = [unit for unit in range(count) if not missing[unit]]
    while ready:
        a = ready.pop()
        for b in below[a]:
            rank[b] = max(rank[b], rank[a] + 1)
            missing[b] -= 1
            if not missing[b]:
                ready.append(b)
    for a in range(count):
        if not has_input[a] and below[a]:
            rank[a] = min(rank[b] for b in below[a]) - 1
    return rank


def _make_layers(
    box: Group, edges: Iterable[tuple[int, int]]
) -> dict[int, tuple[list[int], list[int]]]:
    """Fills in `layers` and `bends`; gives the neighbours of each unit above and below."""
    edges = list(edges)
    rank = _ranks(len(box.units), edges)
    layers: list[list[int]] = [[] for _ in range(max(rank, default=-1) + 1)]
    for unit, layer in enumerate(rank):
        layers[layer].append(unit)
    near: dict[int, tuple[list[int], list[int]]] = {i: ([], []) for i in range(len(box.units))}
    for a, b in edges:
        chain = [a]
        for layer in range(rank[a] + 1, rank[b]):
            chain.append(len(box.units))
            near[len(box.units)] = ([], [])
            layers[layer].append(len(box.units))
            box.units.append(Unit())
        box.bends[a, b] = chain[1:]
        for upper, lower in zip(chain, [*chain[1:], b], strict=True):
            near[upper][1].append(lower)
            near[lower][0].append(upper)
    box.layers = layers
    return near


def _order(layers: list[list[int]], near: dict[int, tuple[list[int], list[int]]]) -> None:
    """Sorts each layer by the barycentres of neighbours, down and up in turns."""
    place = {unit: float(i) for layer in layers for i, unit in enumerate(layer)}
    for sweep in range(SWEEPS):
        side = sweep % 2
        for layer in layers if side == 0 else reversed(layers):

            def centre(unit: int, side: int = side) -> float:
                neighbours = near[unit][side]
                if not neighbours:
                    return place[unit]
                return sum(place[n] for n in neighbours) / len(neighbours)

            layer.sort(key=centre)
            for i, unit in enumerate(layer):
                place[unit] = i - (len(layer) - 1) / 2


# -------------------------------------------------------------------------------- coordinates


def spread(wanted: Sequence[float], widths: Sequence[float]) -> list[float]:
    """The middles of units in a row that do not overlap, near where they want to be.

    The squares of the distances are least: pools of adjacent violators.
    """
    offsets, position = [], 0.0
    for i, width in enumerate(widths):
        position += (widths[i - 1] + width) / 2 + GAP_X if i else 0.0
        offsets.append(position)
    pools: list[list[float]] = []  # sum, count
    for want, offset in zip(wanted, offsets, strict=True):
        pools.append([want - offset, 1])
        while len(pools) > 1 and pools[-2][0] / pools[-2][1] > pools[-1][0] / pools[-1][1]:
            total, count = pools.pop()
            pools[-1][0] += total
            pools[-1][1] += count
    middles = [total / count for total, count in pools for _ in range(int(count))]
    return [m + offset for m, offset in zip(middles, offsets, strict=True)]


def _coordinates(box: Group, near: dict[int, tuple[list[int], list[int]]]) -> None:
    units = box.units
    for layer in box.layers:
        for unit, x in zip(
            layer, spread([0.0] * len(layer), [units[u].width for u in layer]), strict=True
        ):
            units[unit].x = x
    for sweep in range(SWEEPS):
        side = sweep % 2
        for layer in box.layers if side == 0 else reversed(box.layers):
            wanted = []
            for unit in layer:
                neighbours = near[unit][side] or near[unit][1 - side]
                xs = [units[n].x for n in neighbours] or [units[unit].x]
                wanted.append(sum(xs) / len(xs))
            for unit, x in zip(layer, spread(wanted, [units[u].width for u in layer]), strict=True):
                units[unit].x = x


def place(box: Group) -> None:
    """Sets heights, `y` and the size of a box whose units have sizes and `x`."""
    if box.folded:
        box.width = max(len(box.title) * CHARACTER + 40, FOLDED_WIDTH)
        box.height = HEADER + LINE + 8
        return
    y = HEADER + PADDING if box.title else PADDING
    left = min((u.x - u.width / 2 for u in box.units), default=0.0)
    right = max((u.x + u.width / 2 for u in box.units), default=0.0)
    for layer in box.layers:
        height = max(box.units[u].height for u in layer)
        for u in layer:
            box.units[u].y = y + height / 2
        y += height + GAP_Y
    box.width = max(right - left + 2 * PADDING, len(box.title) * CHARACTER + 40)
    middle = (left + right) / 2
    for unit in box.units:
        unit.x += box.width / 2 - middle
    box.height = y - GAP_Y + PADDING


def arrange(
    description: Description,
    fold: Callable[[Group, int], bool] | None = None,
) -> Group:
    """Lay out a graph.

    Args:
        description: the graph.
        fold: says of a box and its depth whether it is folded. Default: None, all of graphs with
            more than 60 items.

    Returns:
        The outermost box.
    """
    root = _boxes(description)
    if fold is None:
        many = len(description.items) > FOLD_ABOVE

        def fold(box: Group, depth: int) -> bool:
            return many

    edges = _edges_by_box(description, root)

    def lay_out(box: Group, depth: int) -> None:
        for unit in box.units:
            if isinstance(unit, Group):
                unit.folded = fold(unit, depth)
                lay_out(unit, depth + 1)
            elif unit.item is not None:
                unit.width, unit.height = item_size(description.items[unit.item])
        near = _make_layers(box, edges[id(box)])
        _order(box.layers, near)
        _coordinates(box, near)
        place(box)

    lay_out(root, 0)
    return root
