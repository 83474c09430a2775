"""The printed form of a tensor, character by character as PyTorch's.

The numbers are read through a NumPy view of the detached data, so printing records nothing
on the tape. Of a large tensor only the corners that are shown are ever touched.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from tapegrad._C import Tensor, bfloat16, float32, get_default_dtype, int64
from tapegrad._C import bool as bool_dtype

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["get_printoptions", "printoptions", "set_printoptions", "tensor_str"]


@dataclasses.dataclass
class PrintOptions:
    """How tensors are printed; see :func:`set_printoptions`."""

    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


_PROFILES: dict[str, dict[str, Any]] = {
    "default": {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80},
    "short": {"precision": 2, "threshold": 1000, "edgeitems": 2, "linewidth": 80},
    "full": {"precision": 4, "threshold": math.inf, "edgeitems": 3, "linewidth": 80},
}

_options = PrintOptions()


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Set how tensors are printed from now on.

    Options that are not given keep their value, except `sci_mode`, which every call sets
    (as in PyTorch).

    Args:
        precision: digits after the point (default 4).
        threshold: tensors with more elements are summarised (default 1000).
        edgeitems: elements shown at both ends of each dimension of a summary (default 3).
        linewidth: column after which rows are broken (default 80).
        profile: `"default"`, `"short"` or `"full"`: a set of the options above, which may be
            overridden by them.
        sci_mode: True always prints floats in scientific form, False never; None (default)
            chooses by the magnitudes.

    Example:
        >>> import tapegrad
        >>> tapegrad.set_printoptions(precision=2)
        >>> tapegrad.tensor([1.12345])
        tensor([1.12])
        >>> tapegrad.set_printoptions(profile="default")
        >>> tapegrad.tensor([1.12345])
        tensor([1.1235])
    """
    changes = dict(_PROFILES.get(profile, {})) if profile is not None else {}
    given = {
        "precision": precision,
        "threshold": threshold,
        "edgeitems": edgeitems,
        "linewidth": linewidth,
    }
    changes.update({name: value for name, value in given.items() if value is not None})
    for name, value in changes.items():
        setattr(_options, name, value)
    _options.sci_mode = sci_mode


def get_printoptions() -> dict[str, Any]:
    """Return the print options as a dictionary of keyword arguments of `set_printoptions`.

    Example:
        >>> import tapegrad
        >>> tapegrad.get_printoptions()["precision"]
        4
    """
    return dataclasses.asdict(_options)


@contextlib.contextmanager
def printoptions(**options: Any) -> Iterator[None]:
    """Set print options (see :func:`set_printoptions`) within a `with` block.

    Example:
        >>> import tapegrad
        >>> with tapegrad.printoptions(precision=1):
        ...     print(tapegrad.tensor([0.25, 2.0]))
        tensor([0.2, 2.0])
    """
    before = get_printoptions()
    set_printoptions(**options)
    try:
        yield
    finally:
        set_printoptions(**before)


def tensor_str(tensor: Tensor, *, contents: str | None = None) -> str:
    """Return the printed form of `tensor`, which is its `repr`.

    Args:
        tensor: any tensor; it is read only and nothing is recorded.
        contents: text to show in place of the numbers.

    Example:
        >>> import tapegrad
        >>> from tapegrad._tensor_str import tensor_str
        >>> tensor_str(tapegrad.tensor([1.0, -2.5], requires_grad=True))
        'tensor([ 1.0000, -2.5000], requires_grad=True)'
    """
    prefix = _prefix(tensor)
    if contents is None:
        contents = _contents(tensor, len(prefix))
    return _append(prefix + contents, _suffixes(tensor), len(prefix))


def _prefix(tensor: Tensor) -> str:
    cls = type(tensor)
    if cls is not Tensor:
        from tapegrad.nn.parameter import Buffer, Parameter  # late: nn imports this package

        if cls is not Parameter and cls is not Buffer:
            return cls.__name__ + "("
    return "tensor("


def _contents(tensor: Tensor, indent: int) -> str:
    if tensor.numel() == 0:
        return "[]"
    summarise = tensor.numel() > _options.threshold
    cut = [summarise and size > 2 * _options.edgeitems for size in tensor.shape]
    shown = tensor.detach()
    dtype = float32 if tensor.dtype is bfloat16 else tensor.dtype
    values = (_corners(shown, cut) if any(cut) else shown).to(dtype).numpy()
    style = _float_style(values) if values.dtype.kind == "f" else _plain_style(values)
    if values.ndim == 0:
        return style.write(values.item())
    return _rows(values.tolist(), cut, indent, style)


def _corners(tensor: Tensor, cut: list[bool]) -> Tensor:
    """The first and last `edgeitems` of every dimension that is cut; nothing else is read."""
    edge = _options.edgeitems
    kept = [
        [*range(edge), *range(size - edge, size)] if is_cut else range(size)
        for size, is_cut in zip(tensor.shape, cut, strict=True)
    ]
    return tensor[np.ix_(*kept)]


@dataclasses.dataclass
class _Style:
    """How one number is written, and the width of the column."""

    width: int
    text: Callable[[Any], str]

    def write(self, value: Any) -> str:
        return self.text(value).rjust(self.width)


def _widest(texts: list[str]) -> int:
    return max(map(len, texts), default=1)


def _plain_style(values: NDArray[Any]) -> _Style:
    """Integers and booleans."""
    return _Style(_widest([str(value) for value in values.ravel().tolist()]), str)


def _whole(value: float) -> str:
    return f"{value:.0f}." if math.isfinite(value) else f"{value:.0f}"


def _float_style(values: NDArray[Any]) -> _Style:
    """Whole numbers, fixed point or scientific form, chosen by the finite non-zero values."""
    flat = values.ravel()
    # Only these decide: zeros, NaN and infinities do not widen the column.
    deciding = flat[np.isfinite(flat) & (flat != 0)].astype(np.float64)
    if deciding.size == 0:
        return _Style(1, _whole)
    magnitudes = np.abs(deciding)
    largest, smallest = float(magnitudes.max()), float(magnitudes.min())
    scientific = _options.sci_mode
    if scientific is None:
        # Dividing subnormals may overflow; infinity is above the limit, too.
        with np.errstate(over="ignore"):
            ratio = np.float64(largest) / np.float64(smallest)
        scientific = bool(ratio > 1000.0) or largest > 1.0e8 or smallest < 1.0e-4

    text: Callable[[Any], str]
    if scientific:
        text = f"{{:.{_options.precision}e}}".format
    elif bool((np.ceil(deciding) == deciding).all()):
        text = _whole
    else:
        text = f"{{:.{_options.precision}f}}".format
    return _Style(_widest([text(value) for value in deciding.tolist()]), text)


def _rows(nested: list[Any], cut: list[bool], indent: int, style: _Style) -> str:
    """Write nested lists; `cut[0]` asks for the ellipsis in the middle of this dimension."""
    edge = _options.edgeitems
    if len(cut) > 1:
        parts = [_rows(item, cut[1:], indent + 1, style) for item in nested]
        if cut[0]:
            parts.insert(edge, "...")
        separator = "," + "\n" * (len(cut) - 1) + " " * (indent + 1)
        return "[" + separator.join(parts) + "]"

    words = [style.write(value) for value in nested]
    if cut[0]:
        words.insert(edge, " ..." if edge else "...")
    per_line = max(1, (_options.linewidth - indent) // (style.width + 2))
    lines = [", ".join(words[i : i + per_line]) for i in range(0, len(words), per_line)]
    return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"


def _suffixes(tensor: Tensor) -> list[str]:
    suffixes = []
    empty = tensor.numel() == 0
    # A one-dimensional empty tensor shows its size already; without edge items no size shows.
    if (empty and tensor.dim() != 1) or (not empty and not _options.edgeitems):
        suffixes.append(f"size={tuple(tensor.shape)}")
    # Numbers show that they are int64 or bool; of no numbers the default dtype is assumed.
    default = get_default_dtype()
    evident = (default,) if empty else (default, int64, bool_dtype)
    if tensor.dtype not in evident:
        suffixes.append(f"dtype={tensor.dtype}")
    try:
        node = tensor.grad_fn
    except RuntimeError:  # a view whose history has become invalid
        suffixes.append("grad_fn=<Invalid>")
    else:
        if node is not None:
            suffixes.append(f"grad_fn=<{type(node).__name__}>")
        elif tensor.requires_grad:
            suffixes.append("requires_grad=True")
    return suffixes


def _append(text: str, suffixes: list[str], indent: int) -> str:
    """Add the suffixes, each on a new line if the last one has no room for it.

    The name of this package counts with the length of PyTorch's, so that lines are broken at
    the same places.
    """
    parts = [text]
    column = len(text) - text.rfind("\n") + 1
    for suffix in suffixes:
        length = len(suffix.replace("tapegrad.", "torch."))
        if column + length + 2 > _options.linewidth:
            parts.append(",\n" + " " * indent + suffix)
            column = indent + length
        else:
            parts.append(", " + suffix)
            column += length + 2
    return "".join(parts) + ")"
