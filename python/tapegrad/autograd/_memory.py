"""What a recorded graph holds in memory, by line and by module, and what would hold less."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tapegrad._C import Node, Tensor

from ._costs import readable_bytes, result_bytes, table, work
from ._nodes import (
    Place,
    argument_names,
    is_leaf,
    module_of,
    nodes_of,
    operation_of,
    place_of,
    plain_name,
)

__all__ = ["MemoryReport", "MemoryRow", "memory_report"]

# Advice is for what saves at least this part of the memory.
WORTH = 0.1
# A sum of losses over at least so many steps keeps a graph for each of them.
MANY_LOSSES = 8


@dataclass
class MemoryRow:
    """What the operations of one line hold.

    Attributes:
        place: the line, or None if it is not known.
        module: the path of the module that was running, or empty; with ``*`` where several differ.
        operation: the operation's name, such as ``"tanh"``.
        count: how many such operations the line has in the graph.
        saved: the names of what they save, such as ``"result"``.
        formula: the derivative, which needs it.
        bytes: the memory that they hold; what an earlier operation holds, too, counts there.
    """

    place: Place | None
    module: str
    operation: str
    count: int = 0
    saved: tuple[str, ...] = ()
    formula: str = ""
    bytes: int = 0


@dataclass
class _Entry:
    """An operation in the report's walk."""

    node: Node
    place: Place | None
    module: str
    bytes: int = 0
    saved: dict[str, int] = field(default_factory=dict)  # names -> addresses
    inputs: list[int] = field(default_factory=list)  # numbers of operations


def _common_path(one: str, other: str) -> str:
    """``"blocks.*.down"`` of two modules that lie alike."""
    parts, others = one.split("."), other.split(".")
    if len(parts) != len(others):
        return ""
    return ".".join(a if a == b else "*" for a, b in zip(parts, others, strict=True))


class MemoryReport:
    """The memory of a graph, as `memory_report` finds it; printed, a table and advice.

    Attributes:
        total: the bytes that go when the graph is freed.
        parameters: the bytes of the leaves, which stay.
        peak: the most that the backward pass has at a time: what is saved still, and gradients.
        rows: a `MemoryRow` for each line and operation, the largest first.
        advice: sentences on how to hold less.
    """

    def __init__(self, root: Tensor) -> None:
        self._entries: list[_Entry] = []
        self._sizes: dict[int, int] = {}  # bytes by address
        self._holders: dict[int, list[int]] = defaultdict(list)  # operations by address
        self._makers: dict[int, int | None] = {}  # of a known address: an operation, or outside
        self._leaf_bytes: dict[int, int] = {}
        self._read(root)
        self.total = sum(self._sizes.values())
        self.parameters = sum(self._leaf_bytes.values())
        self.peak = self._peak()
        self.rows = self._rows()
        self.advice = [*self._about_checkpoints(), *self._about_sums_of_losses(root)]

    # --------------------------------------------------------------------------------- reading

    def _read(self, root: Tensor) -> None:
        nodes = nodes_of(root.grad_fn)
        for node in nodes:
            if is_leaf(node):
                storage = node.variable.untyped_storage()
                self._leaf_bytes[storage.data_ptr()] = storage.nbytes()
        numbers: dict[Node, int] = {}
        for node in nodes:
            if not is_leaf(node):
                numbers[node] = len(self._entries)
                self._entries.append(self._entry(node, len(self._entries), numbers))

    def _entry(self, node: Node, number: int, numbers: dict[Node, int]) -> _Entry:
        entry = _Entry(node, place_of(node), module_of(node))
        names = argument_names(node)
        sources: dict[str, int | None] = {}
        for i, (source, _) in enumerate(node.next_functions):
            maker = numbers.get(source) if source is not None else None
            if maker is not None:
                entry.inputs.append(maker)
            if i < len(names):
                sources[names[i].rstrip("?")] = maker
        for name, tensor in node._kept_values[0].items():
            if tensor is None:
                continue
            storage = tensor.untyped_storage()
            address = storage.data_ptr()
            if address in self._leaf_bytes or not storage.nbytes():
                continue
            if address not in self._sizes:
                self._sizes[address] = storage.nbytes()
                entry.bytes += storage.nbytes()
            entry.saved[name] = address
            self._holders[address].append(number)
            if name in sources:
                self._makers.setdefault(address, sources[name])
            elif name == "result":
                self._makers.setdefault(address, number)
        return entry

    def _rows(self) -> list[MemoryRow]:
        rows: dict[tuple[str, str, str], MemoryRow] = {}
        for entry in self._entries:
            if not entry.saved:
                continue
            operation = operation_of(entry.node)
            key = str(entry.place), entry.module if entry.place is None else "", operation
            row = rows.setdefault(key, MemoryRow(entry.place, entry.module, operation))
            row.module = _common_path(row.module, entry.module)
            row.count += 1
            row.bytes += entry.bytes
            row.saved = tuple(dict.fromkeys((*row.saved, *entry.saved)))
            row.formula = row.formula or entry.node.formula or ""
        return sorted(rows.values(), key=lambda row: -row.bytes)

    def by_line(self) -> dict[str, int]:
        """Bytes by ``"file:line"``, the largest first; ``"?"`` for lines that are not known."""
        return self._by(lambda entry: str(entry.place) if entry.place else "?")

    def by_module(self) -> dict[str, int]:
        """Bytes by the path of the module that was running, the largest first."""
        return self._by(lambda entry: entry.module)

    def _by(self, key: Callable[[_Entry], str]) -> dict[str, int]:
        sums: dict[str, int] = defaultdict(int)
        for entry in self._entries:
            if entry.bytes:
                sums[key(entry)] += entry.bytes
        return dict(sorted(sums.items(), key=lambda pair: -pair[1]))

    # ------------------------------------------------------------------------------- the peak

    def _peak(self) -> int:
        """The most of saved values and gradients, with each let go of as soon as it can be."""
        held, peak = self.total, self.total
        gradients = {len(self._entries) - 1: result_bytes(self._entries[-1].node)}
        alive = sum(gradients.values())
        for number in range(len(self._entries) - 1, -1, -1):
            entry = self._entries[number]
            for source in entry.inputs:
                if source not in gradients:
                    gradients[source] = result_bytes(self._entries[source].node)
                    alive += gradients[source]
            for node, _ in entry.node.next_functions:
                if node is not None and is_leaf(node) and -1 - id(node) not in gradients:
                    # Gradients of leaves stay.
                    gradients[-1 - id(node)] = result_bytes(node)
                    alive += result_bytes(node)
            peak = max(peak, held + alive)
            alive -= gradients.pop(number, 0)
            held -= entry.bytes
        return peak

    # ------------------------------------------------------------------------------ the advice

    def _about_checkpoints(self) -> list[str]:
        """For modules side by side: what it saves to compute each of them again."""
        found = []
        for children in self._siblings().values():
            freed = [self._freed(numbers) for numbers in children.values()]
            saved = sum(freed)
            if len(children) < 2 or saved < WORTH * self.total or not saved:
                continue
            again = sum(work(self._entries[n].node) for ns in children.values() for n in ns)
            step = 3 * sum(work(entry.node) for entry in self._entries)
            names = list(children)
            which = f"{names[0]} to {names[-1]}" if len(names) > 2 else " and ".join(names)
            found.append(
                (
                    saved,
                    f"checkpointing each of {which} saves {readable_bytes(saved)} of "
                    f"{readable_bytes(self.total)} and costs {100 * again / step:.0f} % more work; "
                    f"the backward pass has at most {readable_bytes(max(freed))} of it at a time",
                )
            )
        return [text for _, text in sorted(found, reverse=True)]

    def _siblings(self) -> dict[str, dict[str, list[int]]]:
        """Modules that have a parent in common and several operations each, with these."""
        groups: dict[str, dict[str, list[int]]] = defaultdict(dict)
        for number, entry in enumerate(self._entries):
            parts = entry.module.split(".") if entry.module else []
            for depth in range(1, len(parts) + 1):
                parent, path = ".".join(parts[: depth - 1]), ".".join(parts[:depth])
                groups[parent].setdefault(path, []).append(number)
        return {
            parent: {path: ns for path, ns in children.items() if len(ns) > 1}
            for parent, children in groups.items()
        }

    def _freed(self, numbers: Iterable[int]) -> int:
        """What a checkpoint around operations saves: it holds their inputs, and nothing else."""
        inside, held = set(numbers), set(self._makers.values())
        freed, inputs = 0, set()
        for address, holders in self._holders.items():
            if not inside.issuperset(holders):
                continue
            maker = self._makers.get(address, holders[0])
            if maker in inside:
                freed += self._sizes[address]
            else:
                inputs.add(maker)
        for number in inside:
            for source in self._entries[number].inputs:
                if source not in inside and source not in inputs and source not in held:
                    inputs.add(source)
                    freed -= result_bytes(self._entries[source].node)
        return max(freed, 0)

    def _about_sums_of_losses(self, root: Tensor) -> list[str]:
        """A loss that was added up over many steps."""
        count, node = 1, root.grad_fn
        while node is not None and plain_name(node) == "AddBackward0":
            first, second = (source for source, _ in node.next_functions)
            if first is None or second is None or node._input_metadata[0][0]:
                break
            count += 1
            node = first
        if count < MANY_LOSSES:
            return []
        place = place_of(root.grad_fn)
        where = f" (at {place})" if place else ""
        return [
            f"the graph is a sum of {count} losses{where}: each keeps its whole graph; where the "
            "sum is for a report, add loss.item() or loss.detach()"
        ]

    # -------------------------------------------------------------------------------- printing

    def table(self, limit: int = 20) -> str:
        """The rows as text.

        Args:
            limit: how many are shown. Default: 20.
        """
        head = ("bytes", "line", "module", "operation", "keeps", "because of")
        lines: list[tuple[str, ...]] = [head]
        for row in self.rows[:limit]:
            operation = row.operation if row.count == 1 else f"{row.operation} x {row.count}"
            place = str(row.place) if row.place else "?"
            kept = ", ".join(row.saved)
            lines.append(
                (readable_bytes(row.bytes), place, row.module, operation, kept, row.formula[:70])
            )
        return table(lines, right=(0,))

    def __str__(self) -> str:
        parts = [
            f"The graph holds {readable_bytes(self.total)}; parameters and other leaves, which "
            f"stay, {readable_bytes(self.parameters)}. The backward pass has at most "
            f"{readable_bytes(self.peak)} at a time, gradients included."
        ]
        if self.rows:
            parts.append(self.table())
            left = len(self.rows) - 20
            if left > 0:
                parts.append(f"and {left} more")
        parts += [f"Advice: {text}." for text in self.advice]
        return "\n\n".join(parts)

    __repr__ = __str__


def memory_report(root: Tensor) -> MemoryReport:
    """Say what the graph that a tensor was computed by holds in memory.

    It has what operations have saved for their derivatives. Memory that several of them share
    counts once, for the first; that of parameters and other leaves, which stay when the graph goes,
    does not count. Nor does what saved tensor hooks have packed, a checkpoint among them.

    Args:
        root: a tensor with a graph, such as a loss.

    Returns:
        A `MemoryReport`: ``total``, ``peak``, ``rows``, ``advice``, ``by_line()``,
        ``by_module()``. Printed, a table and the advice.

    Raises:
        RuntimeError: the tensor has no graph.

    Example:
        >>> import tapegrad
        >>> x = tapegrad.ones(1000, requires_grad=True)
        >>> loss = x.exp().tanh().sum()
        >>> report = tapegrad.autograd.memory_report(loss)
        >>> report.total, report.parameters
        (8000, 4000)
        >>> for row in report.rows:
        ...     print(row.operation, row.bytes, row.saved, row.formula)
        exp 4000 ('result',) grad * result
        tanh 4000 ('result',) grad * (1 - result * result)
    """
    if root.grad_fn is None:
        raise RuntimeError(
            "there is no graph: the tensor does not require grad and does not have a grad_fn"
        )
    return MemoryReport(root)
