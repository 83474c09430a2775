"""Sequences of different lengths in one tensor: padded, or packed without padding."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any, NamedTuple

import tapegrad

from ..._C import Tensor

__all__ = [
    "PackedSequence",
    "invert_permutation",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpack_sequence",
    "unpad_sequence",
]


class _Fields(NamedTuple):
    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


class PackedSequence(_Fields):
    """Sequences packed by steps: the first step of all of them, then the second, and so on.

    The longest sequence comes first, so that those which have a step are the first ones. Made by
    :func:`pack_padded_sequence` and :func:`pack_sequence`.

    Args:
        data: the steps.
        batch_sizes: how many sequences have each step.
        sorted_indices: the order in which the sequences are packed; None if as they were given.
        unsorted_indices: the inverse of that order.

    Example:
        >>> import tapegrad
        >>> from tapegrad.nn.utils.rnn import pack_sequence
        >>> packed = pack_sequence([tapegrad.tensor([1, 2, 3]), tapegrad.tensor([4])])
        >>> packed.data, packed.batch_sizes
        (tensor([1, 4, 2, 3]), tensor([2, 1, 1]))
    """

    __slots__ = ()

    def __new__(
        cls,
        data: Any,
        batch_sizes: Tensor | None = None,
        sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> PackedSequence:
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        if batch_sizes is None:
            if not (isinstance(data, (list, tuple)) and len(data) == 2):
                raise AssertionError("Expected data to be a list or tuple of length 2")
            data, batch_sizes = data
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def _with(self, data: Tensor) -> PackedSequence:
        return self if data is self.data else type(self)(data, *self[1:])

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """The data with another dtype; the same object if nothing changes."""
        return self._with(self.data.to(*args, **kwargs))

    def cpu(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """The same object: all tensors are on the CPU."""
        return self.to(*args, **kwargs)

    def pin_memory(self) -> PackedSequence:
        """Raises: pinned memory is for devices that this library does not have."""
        raise RuntimeError("Cannot access accelerator device when none is available.")

    def double(self) -> PackedSequence:
        return self.to(dtype=tapegrad.float64)

    def float(self) -> PackedSequence:
        return self.to(dtype=tapegrad.float32)

    def half(self) -> PackedSequence:
        return self.to(dtype=tapegrad.float16)

    def long(self) -> PackedSequence:
        return self.to(dtype=tapegrad.int64)

    def int(self) -> PackedSequence:
        return self.to(dtype=tapegrad.int32)

    def short(self) -> PackedSequence:
        return self.to(dtype=tapegrad.int16)

    def char(self) -> PackedSequence:
        return self.to(dtype=tapegrad.int8)

    def byte(self) -> PackedSequence:
        return self.to(dtype=tapegrad.uint8)

    @property
    def is_cuda(self) -> bool:
        """False."""
        return False

    def is_pinned(self) -> bool:
        """False."""
        return False


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The order that undoes another.

    Example:
        >>> import tapegrad
        >>> tapegrad.nn.utils.rnn.invert_permutation(tapegrad.tensor([2, 0, 1]))
        tensor([1, 2, 0])
    """
    if permutation is None:
        return None
    places = tapegrad.arange(permutation.numel(), dtype=permutation.dtype)
    return tapegrad.empty_like(permutation).scatter_(0, permutation, places)


def _places(batch_sizes: list[int], batch: int) -> Tensor:
    """Where the packed steps are among all steps of a padded batch, the batch within the step."""
    steps = tapegrad.arange(len(batch_sizes) * batch).reshape(len(batch_sizes), batch)
    there = tapegrad.arange(batch) < tapegrad.tensor(batch_sizes).reshape(-1, 1)
    return steps[there]


def pack_padded_sequence(
    input: Tensor, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Pack a padded batch of sequences.

    Args:
        input: of shape (steps, batch, ...), or (batch, steps, ...) with `batch_first`.
        lengths: the length of each sequence, a list or a tensor.
        batch_first: see `input`. Default: False.
        enforce_sorted: require the longest sequence first, the shortest last; otherwise they are
            brought into this order. Default: True.

    Raises:
        RuntimeError: if the lengths do not fit or are not in order.

    Example:
        >>> import tapegrad
        >>> from tapegrad.nn.utils.rnn import pack_padded_sequence
        >>> padded = tapegrad.tensor([[1, 4], [2, 0], [3, 0]])
        >>> pack_padded_sequence(padded, [3, 1]).data
        tensor([1, 4, 2, 3])
    """
    lengths = tapegrad.as_tensor(lengths, dtype=tapegrad.int64)
    sorted_indices = None
    if not enforce_sorted:
        lengths, sorted_indices = tapegrad.sort(lengths, descending=True)
        input = input.index_select(0 if batch_first else 1, sorted_indices)
    steps_first = input.transpose(0, 1) if batch_first or input.dim() < 2 else input
    if input.numel() == 0:
        raise RuntimeError("Cannot pack empty tensors.")
    if lengths.dim() != 1:
        raise RuntimeError(
            f"'lengths' argument should be a 1D CPU int64 tensor, but got {lengths.dim()}D cpu "
            "Long tensor"
        )
    steps, batch = steps_first.shape[:2]
    sizes = lengths.tolist()
    if len(sizes) != batch:
        raise RuntimeError(
            f"Expected `len(lengths)` to be equal to batch_size, but got {len(sizes)} "
            f"(batch_size={batch})"
        )
    if min(sizes) <= 0:
        raise RuntimeError(
            "Length of all samples has to be greater than 0, but found an element in 'lengths' "
            "that is <= 0"
        )
    if any(a < b for a, b in itertools.pairwise(sizes)):
        raise RuntimeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. You "
            "can pass `enforce_sorted=False` to pack_padded_sequence and/or pack_sequence to "
            "sidestep this requirement if you do not need ONNX exportability."
        )
    if sizes[0] > steps:
        raise RuntimeError(
            f"Expected lengths of at most {steps}, which `input` has, but got {sizes[0]}"
        )
    there = tapegrad.arange(sizes[0]).reshape(-1, 1) < lengths
    batch_sizes = there.sum(1)
    flat = steps_first.reshape(steps * batch, *steps_first.shape[2:])
    data = flat.index_select(0, _places(batch_sizes.tolist(), batch))
    return PackedSequence(data, batch_sizes, sorted_indices, None)


def pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Undo :func:`pack_padded_sequence`.

    Args:
        sequence: the packed sequences.
        batch_first: give (batch, steps, ...) instead of (steps, batch, ...). Default: False.
        padding_value: what fills the rest. Default: 0.
        total_length: the number of steps. Default: that of the longest sequence.

    Returns:
        The padded batch, and the lengths of the sequences.

    Raises:
        ValueError: if `total_length` is less than a length.

    Example:
        >>> import tapegrad
        >>> from tapegrad.nn.utils.rnn import pack_sequence, pad_packed_sequence
        >>> packed = pack_sequence([tapegrad.tensor([1, 2, 3]), tapegrad.tensor([4])])
        >>> pad_packed_sequence(packed, batch_first=True)
        (tensor([[1, 2, 3],
                [4, 0, 0]]), tensor([3, 1]))
    """
    sizes = sequence.batch_sizes.tolist()
    steps, batch, data = len(sizes), sizes[0], sequence.data
    if total_length is not None:
        if total_length < steps:
            raise ValueError(
                "Expected total_length to be at least the length of the longest sequence in "
                f"input, but got total_length={total_length} and max sequence length being {steps}"
            )
        steps = total_length
    rest = data.shape[1:]
    padded = data.new_full((steps * batch, *rest), padding_value)
    padded = padded.index_copy(0, _places(sizes, batch), data).reshape(steps, batch, *rest)
    lengths = (sequence.batch_sizes.reshape(-1, 1) > tapegrad.arange(batch)).sum(0)
    if batch_first:
        padded = padded.transpose(0, 1)
    order = sequence.unsorted_indices
    if order is None:
        return padded, lengths
    return padded.index_select(0 if batch_first else 1, order), lengths[order]


def pad_sequence(
    sequences: Iterable[Tensor],
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:
    """Sequences of different lengths as one tensor.

    Args:
        sequences: tensors whose shapes differ in the first dimension alone.
        batch_first: give (batch, steps, ...) instead of (steps, batch, ...). Default: False.
        padding_value: what fills the rest. Default: 0.
        padding_side: where that is, "right" (the default) or "left".

    Raises:
        RuntimeError: if there are none, or shapes differ elsewhere.

    Example:
        >>> import tapegrad
        >>> from tapegrad.nn.utils.rnn import pad_sequence
        >>> pad_sequence([tapegrad.tensor([1, 2, 3]), tapegrad.tensor([4])], batch_first=True)
        tensor([[1, 2, 3],
                [4, 0, 0]])
    """
    if not isinstance(sequences, (Iterable, Tensor)):
        raise RuntimeError(
            "pad_sequence: Expected iterable for input sequences, but got arg of type: "
            f"{type(sequences)}"
        )
    items = list(sequences)
    if not items:
        raise RuntimeError("received an empty list of sequences")
    if padding_side not in ("left", "right"):
        raise RuntimeError(
            f"Expected padding_side to be one of left or right, but got {padding_side}."
        )
    for place, item in enumerate(items):
        if not isinstance(item, Tensor):
            raise TypeError(
                f"expected Tensor as element {place} in argument 0, but got {type(item).__name__}"
            )
        if item.dim() == 0 or item.shape[1:] != items[0].shape[1:]:
            raise RuntimeError(
                "pad_sequence: Expected sequences whose shapes differ in the first dimension "
                f"alone, but got {tuple(items[0].shape)} and {tuple(item.shape)}"
            )
    steps, dtype = max(len(item) for item in items), items[0].dtype
    rows = []
    for item in items:
        row, missing = item.to(dtype), steps - len(item)
        if missing:
            filling = row.new_full((missing, *row.shape[1:]), padding_value)
            row = tapegrad.cat([row, filling] if padding_side == "right" else [filling, row])
        rows.append(row)
    return tapegrad.stack(rows, 0 if batch_first else 1)


def unpad_sequence(
    padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False
) -> list[Tensor]:
    """Undo :func:`pad_sequence`.

    Args:
        padded_sequences: of shape (steps, batch, ...), or (batch, steps, ...) with `batch_first`.
        lengths: the lengths of the sequences.
        batch_first: see `padded_sequences`. Default: False.

    Example:
        >>> import tapegrad
        >>> from tapegrad.nn.utils.rnn import unpad_sequence
        >>> unpad_sequence(tapegrad.tensor([[1, 4], [2, 0]]), tapegrad.tensor([2, 1]))
        [tensor([1, 2]), tensor([4])]
    """
    batch = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    return [row[: int(length)] for row, length in zip(batch, lengths, strict=True)]


def pack_sequence(sequences: Iterable[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Pack sequences of different lengths.

    Args:
        sequences: tensors whose shapes differ in the first dimension alone.
        enforce_sorted: require the longest sequence first, the shortest last; otherwise they are
            brought into this order. Default: True.

    Example:
        >>> import tapegrad
        >>> from tapegrad.nn.utils.rnn import pack_sequence
        >>> pack_sequence([tapegrad.tensor([1, 2, 3]), tapegrad.tensor([4])]).data
        tensor([1, 4, 2, 3])
    """
    items = list(sequences)
    lengths = [len(item) for item in items]
    return pack_padded_sequence(pad_sequence(items), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """Undo :func:`pack_sequence`.

    Example:
        >>> import tapegrad
        >>> from tapegrad.nn.utils.rnn import pack_sequence, unpack_sequence
        >>> unpack_sequence(pack_sequence([tapegrad.tensor([1, 2, 3]), tapegrad.tensor([4])]))
        [tensor([1, 2, 3]), tensor([4])]
    """
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
