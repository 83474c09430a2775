"""Docstrings of operators that arrange tensors: joins, splits, grids, windows, places."""

from __future__ import annotations

from shapes import OUT_OF_RANGE, VIEW

__all__ = ["DOCS"]


def _stack(name: str, what: str, before: str, example: str, result: str) -> str:
    return f"""\
Tensors joined {what}.

Args:
    tensors: tensors, {before}

Raises:
    RuntimeError: if there is none, or if the other sizes differ.

Example:
    >>> tapegrad.{name}({example})
    {result}
"""


def _axis_split(name: str, dim: str, least: int, example: str, result: str) -> str:
    return f"""\
The tensor split along {dim}.

Args:
    input: a tensor of {least} dimensions or more.
    sections: how many parts of the same size.
    indices: where parts begin, but for the first one.

Returns:
    A tuple of views.

Raises:
    RuntimeError: if the tensor has too few dimensions, or the parts would differ in size.

Example:
    >>> tapegrad.{name}({example})
    {result}
"""


def _scatter(what: str, args: str, example: str, result: str) -> str:
    return f"""\
A copy of a tensor, with other values in {what}.

Gradients of what was replaced are zero; those of the values are taken from that window.

Args:
    input: a tensor.
    src: the values, in the shape of the window.
{args}

Raises:
    RuntimeError: if the shapes differ.
    IndexError: if a dimension or an index is out of range.

Example:
    >>> {example}
    {result}
"""


def _triangle(name: str, side: str, result: str) -> str:
    return f"""\
The coordinates of the {side} triangle of a matrix, row by row.

Args:
    row: how many rows.
    col: how many columns.
    offset: the diagonal that bounds it: 0 is the main one, positive ones are above. Default: 0.
    dtype: int64 or int32. Default: None, int64.
    device: ignored but for its name: there is the CPU only.
    requires_grad: has to be False, as for all integers. Default: False.

Returns:
    A tensor of two rows: the row of each element, and its column.

Raises:
    RuntimeError: for negative sizes.
    NotImplementedError: for other dtypes.

Example:
    >>> tapegrad.{name}(2, 2)
    {result}
"""


def _atleast(dims: int, example: str) -> str:
    return f"""\
Tensors with {dims} dimensions or more: those that have fewer get dimensions of size 1.

Args:
    input: a tensor.
    tensors: several, one by one or in a sequence.

Returns:
    A view, or the tensor itself if it has enough dimensions; of several a tuple of these.

Example:
    >>> tapegrad.atleast_{dims}d(tapegrad.zeros(3)).shape
    {example}
"""


# Operators that give views, as copies: parameters after the tensor, what they are, an example.
_DIM = "    dim: the dimension. Default: 0."
_COPIES = {
    "alias": ("", "", "tapegrad.tensor([1, 2])", "tensor([1, 2])"),
    "as_strided": (
        "size, stride, storage_offset=None",
        "    size: the sizes.\n    stride: the strides.\n"
        "    storage_offset: where it begins in memory. Default: None, where the tensor does.",
        "tapegrad.arange(4), (2,), (2,)",
        "tensor([0, 2])",
    ),
    "detach": ("", "", "tapegrad.tensor([1, 2])", "tensor([1, 2])"),
    "diagonal": (
        "offset=0, dim1=0, dim2=1",
        "    offset: which diagonal. Default: 0.\n"
        "    dim1: the dimension of the rows. Default: 0.\n"
        "    dim2: the dimension of the columns. Default: 1.",
        "tapegrad.eye(2)",
        "tensor([1., 1.])",
    ),
    "expand": (
        "size",
        "    size: the sizes to reach.",
        "tapegrad.tensor([1]), (2,)",
        "tensor([1, 1])",
    ),
    "permute": (
        "dims",
        "    dims: all dimensions in the new order.",
        "tapegrad.tensor([[1], [2]]), (1, 0)",
        "tensor([[1, 2]])",
    ),
    "select": (
        "dim, index",
        "    dim: the dimension.\n    index: the index along it.",
        "tapegrad.tensor([[1, 2], [3, 4]]), 0, 1",
        "tensor([3, 4])",
    ),
    "slice": (
        "dim=0, start=None, end=None, step=1",
        f"{_DIM}\n    start: where the slice begins. Default: None, at 0.\n"
        "    end: where it ends, without that index. Default: None, at the end.\n"
        "    step: from one index to the next. Default: 1.",
        "tapegrad.arange(5), 0, 1, 4, 2",
        "tensor([1, 3])",
    ),
    "split": (
        "split_size, dim=0",
        f"    split_size: the size of the parts.\n{_DIM}",
        "tapegrad.arange(3), 2",
        "(tensor([0, 1]), tensor([2]))",
    ),
    "split_with_sizes": (
        "split_sizes, dim=0",
        f"    split_sizes: the sizes of the parts.\n{_DIM}",
        "tapegrad.arange(3), (1, 2)",
        "(tensor([0]), tensor([1, 2]))",
    ),
    "t": ("", "", "tapegrad.tensor([[1], [2]])", "tensor([[1, 2]])"),
    "transpose": (
        "dim0, dim1",
        "    dim0: a dimension.\n    dim1: another one.",
        "tapegrad.tensor([[1], [2]]), 0, 1",
        "tensor([[1, 2]])",
    ),
    "unbind": ("dim=0", _DIM, "tapegrad.tensor([1, 2])", "(tensor(1), tensor(2))"),
    "unfold": (
        "dimension, size, step",
        "    dimension: the dimension.\n    size: how many elements a window has.\n"
        "    step: from one window to the next.",
        "tapegrad.arange(3), 0, 2, 1",
        "tensor([[0, 1],\n            [1, 2]])",
    ),
    "unsqueeze": (
        "dim",
        "    dim: where the new dimension is.",
        "tapegrad.tensor([1, 2]), 0",
        "tensor([[1, 2]])",
    ),
    "view": (
        "size",
        "    size: the sizes, of which one may be -1 and follows from the others.",
        "tapegrad.arange(4), (2, 2)",
        "tensor([[0, 1],\n            [2, 3]])",
    ),
}


def _copy(name: str, args: str, example: str, result: str) -> str:
    return f"""\
What ``{name}`` gives, as a copy that shares no memory with the tensor.

Args:
    input: a tensor.
{args + chr(10) if args else ""}
Raises:
    RuntimeError: where ``{name}`` does, or another error that it raises.

Example:
    >>> tapegrad.{name}_copy({example})
    {result}
"""


COPIES = {
    f"{name}_copy(input{', ' + parameters if parameters else ''})": _copy(name, *rest)
    for name, (parameters, *rest) in _COPIES.items()
} | {
    "squeeze_copy(input)\nsqueeze_copy(input, dim)": _copy(
        "squeeze",
        "    dim: a dimension or several. Default: all.",
        "tapegrad.tensor([[1, 2]])",
        "tensor([1, 2])",
    )
}

TENSOR_OPTIONS = "*, dtype=None, device=None, requires_grad=False"

DOCS: dict[str, str] = {
    "hstack(tensors)": _stack(
        "hstack",
        "side by side: along the second dimension, of vectors along the only one",
        "of which 0-d ones count as vectors.",
        "[tapegrad.tensor([1, 2]), tapegrad.tensor([3])]",
        "tensor([1, 2, 3])",
    ),
    "vstack(tensors)": _stack(
        "vstack",
        "one below the other: along the first dimension",
        "of which vectors count as rows.",
        "[tapegrad.tensor([1, 2]), tapegrad.tensor([3, 4])]",
        "tensor([[1, 2],\n            [3, 4]])",
    ),
    "dstack(tensors)": _stack(
        "dstack",
        "in depth: along the third dimension",
        "of which vectors count as [1, n, 1] and matrices as [m, n, 1].",
        "[tapegrad.tensor([1, 2]), tapegrad.tensor([3, 4])]",
        "tensor([[[1, 3],\n             [2, 4]]])",
    ),
    "column_stack(tensors)": _stack(
        "column_stack",
        "as columns of a matrix",
        "of which vectors count as columns.",
        "[tapegrad.tensor([1, 2]), tapegrad.tensor([3, 4])]",
        "tensor([[1, 3],\n            [2, 4]])",
    ),
    "tensor_split(input, tensor_indices_or_sections, dim=0)\n"
    "tensor_split(input, sections, dim=0)\n"
    "tensor_split(input, indices, dim=0)": f"""\
The tensor split along a dimension, into parts that may differ in size.

Args:
    input: a tensor.
    tensor_indices_or_sections: either of these as an int64 tensor, 0-d or 1-d.
    sections: how many parts; the first ones are larger by one where the size asks for it.
    indices: where parts begin, but for the first one, counted as in slices.
    dim: the dimension. Default: 0.

Returns:
    A tuple of views.

Raises:
{OUT_OF_RANGE}
    RuntimeError: for fewer than one section, or a 0-d tensor.

Example:
    >>> [part.tolist() for part in tapegrad.tensor_split(tapegrad.arange(5), 2)]
    [[0, 1, 2], [3, 4]]
    >>> [part.tolist() for part in tapegrad.tensor_split(tapegrad.arange(5), (1, 3))]
    [[0], [1, 2], [3, 4]]
""",
    "hsplit(input, sections)\nhsplit(input, indices)": _axis_split(
        "hsplit",
        "the second dimension, of vectors along the only one",
        1,
        "tapegrad.arange(4), 2",
        "(tensor([0, 1]), tensor([2, 3]))",
    ),
    "vsplit(input, sections)\nvsplit(input, indices)": _axis_split(
        "vsplit",
        "the first dimension",
        2,
        "tapegrad.eye(2), (1,)",
        "(tensor([[1., 0.]]), tensor([[0., 1.]]))",
    ),
    "dsplit(input, sections)\ndsplit(input, indices)": _axis_split(
        "dsplit",
        "the third dimension",
        3,
        "tapegrad.ones(1, 1, 2), 2",
        "(tensor([[[1.]]]), tensor([[[1.]]]))",
    ),
    "meshgrid(*tensors, indexing=None)": """\
The coordinates of all points of a grid: for each vector its values, in the shape of the grid.

Args:
    tensors: vectors, one by one or in a sequence; 0-d tensors count as vectors of one element.
    indexing: ``"ij"``, where the first vector runs along the first dimension, or ``"xy"``, where
        it runs along the second one and the second vector along the first. Default: None, which
        is ``"ij"`` with a warning.

Returns:
    A tuple of views, as many as vectors.

Raises:
    RuntimeError: for tensors of more dimensions, or of different dtypes.

Example:
    >>> x, y = tapegrad.tensor([1, 2]), tapegrad.tensor([3, 4])
    >>> tapegrad.meshgrid(x, y, indexing="ij")[1]
    tensor([[3, 4],
            [3, 4]])
""",
    "cartesian_prod(*tensors)": """\
All choices of one element from each of several vectors, as rows.

Args:
    tensors: vectors, one by one or in a sequence.

Returns:
    A matrix with a column for each vector; the vector itself, if there is only one.

Raises:
    RuntimeError: if one is no vector.

Example:
    >>> tapegrad.cartesian_prod(tapegrad.tensor([1, 2]), tapegrad.tensor([3, 4]))
    tensor([[1, 3],
            [1, 4],
            [2, 3],
            [2, 4]])
""",
    "combinations(input, r=2, with_replacement=False)": """\
All choices of some elements of a vector, in their order, as rows.

Args:
    input: a vector.
    r: how many elements are chosen. Default: 2.
    with_replacement: whether one may be chosen several times. Default: False.

Raises:
    RuntimeError: if it is no vector, or r is negative.

Example:
    >>> tapegrad.combinations(tapegrad.tensor([1, 2, 3]))
    tensor([[1, 2],
            [1, 3],
            [2, 3]])
""",
    "rot90(input, k=1, dims=None)": """\
The tensor turned by 90 degrees in the plane of two dimensions.

Args:
    input: a tensor of two dimensions or more.
    k: how often, from the first dimension towards the second; backwards if it is negative.
        Default: 1.
    dims: the two dimensions. Default: None, which is (0, 1).

Returns:
    A copy.

Raises:
    RuntimeError: if there are not two different dimensions.
    IndexError: if a dimension is out of range.

Example:
    >>> tapegrad.rot90(tapegrad.tensor([[1, 2], [3, 4]]))
    tensor([[2, 4],
            [1, 3]])
""",
    "fliplr(input)": """\
The elements in reverse order along the second dimension.

Args:
    input: a tensor of two dimensions or more.

Raises:
    RuntimeError: if it has fewer.

Example:
    >>> tapegrad.fliplr(tapegrad.tensor([[1, 2], [3, 4]]))
    tensor([[2, 1],
            [4, 3]])
""",
    "flipud(input)": """\
The elements in reverse order along the first dimension.

Args:
    input: a tensor of one dimension or more.

Raises:
    RuntimeError: if it has none.

Example:
    >>> tapegrad.flipud(tapegrad.tensor([[1, 2], [3, 4]]))
    tensor([[3, 4],
            [1, 2]])
""",
    "atleast_2d(input)\natleast_2d(*tensors)": _atleast(2, "tapegrad.Size([1, 3])"),
    "atleast_3d(input)\natleast_3d(*tensors)": _atleast(3, "tapegrad.Size([1, 3, 1])"),
    "unsafe_split_with_sizes(input, split_sizes, dim=0)": """\
The tensor split into parts of given sizes, each of which may be written to.

As ``split_with_sizes``, but the parts do not count as views of one tensor.

Args:
    input: a tensor.
    split_sizes: the sizes of the parts.
    dim: the dimension. Default: 0.

Raises:
    RuntimeError: if the sizes do not add up.

Example:
    >>> tapegrad.unsafe_split_with_sizes(tapegrad.arange(3), (1, 2))
    (tensor([0]), tensor([1, 2]))
""",
    "unsafe_chunk(input, chunks, dim=0)": """\
The tensor split into a number of parts, each of which may be written to.

As ``chunk``, but the parts do not count as views of one tensor.

Args:
    input: a tensor.
    chunks: how many parts.
    dim: the dimension. Default: 0.

Raises:
    RuntimeError: for fewer than one part.

Example:
    >>> tapegrad.unsafe_chunk(tapegrad.arange(3), 2)
    (tensor([0, 1]), tensor([2]))
""",
    "select_scatter(input, src, dim, index)": _scatter(
        "what ``select`` gives",
        "    dim: the dimension.\n    index: the index along it.",
        "tapegrad.select_scatter(tapegrad.zeros(2, 2), tapegrad.ones(2), 0, 1)",
        "tensor([[0., 0.],\n            [1., 1.]])",
    ),
    "slice_scatter(input, src, dim=0, start=None, end=None, step=1)": _scatter(
        "a slice along a dimension",
        "    dim: the dimension. Default: 0.\n"
        "    start: where the slice begins. Default: None, at 0.\n"
        "    end: where it ends, without that index. Default: None, at the end.\n"
        "    step: from one index to the next. Default: 1.",
        "tapegrad.slice_scatter(tapegrad.zeros(4), tapegrad.ones(2), 0, 1, 3)",
        "tensor([0., 1., 1., 0.])",
    ),
    "diagonal_scatter(input, src, offset=0, dim1=0, dim2=1)": _scatter(
        "a diagonal",
        "    offset: which diagonal, as for ``diagonal``. Default: 0.\n"
        "    dim1: the dimension of the rows. Default: 0.\n"
        "    dim2: the dimension of the columns. Default: 1.",
        "tapegrad.diagonal_scatter(tapegrad.zeros(2, 2), tapegrad.ones(2))",
        "tensor([[1., 0.],\n            [0., 1.]])",
    ),
    "as_strided_scatter(input, src, size, stride, storage_offset=None)": _scatter(
        "a window of its memory, as ``as_strided`` gives it",
        "    size: the sizes of the window.\n"
        "    stride: its strides.\n"
        "    storage_offset: where it begins in memory. Default: None, where the tensor does.",
        "tapegrad.as_strided_scatter(tapegrad.zeros(4), tapegrad.ones(2), (2,), (2,))",
        "tensor([1., 0., 1., 0.])",
    ),
    "diag_embed(input, offset=0, dim1=-2, dim2=-1)": """\
Matrices with the last dimension of a tensor on a diagonal, and zeros elsewhere.

Args:
    input: a tensor.
    offset: which diagonal: 0 is the main one, positive ones are above. Default: 0.
    dim1: the dimension of the result in which the rows are. Default: -2.
    dim2: that of the columns. Default: -1.

Raises:
    RuntimeError: if both dimensions are the same.
    IndexError: if a dimension is out of range.

Example:
    >>> tapegrad.diag_embed(tapegrad.tensor([1, 2]))
    tensor([[1, 0],
            [0, 2]])
""",
    "diagflat(input, offset=0)": """\
A matrix with all elements of a tensor on a diagonal, and zeros elsewhere.

Args:
    input: a tensor.
    offset: which diagonal: 0 is the main one, positive ones are above. Default: 0.

Example:
    >>> tapegrad.diagflat(tapegrad.tensor([1, 2]), 1)
    tensor([[0, 1, 0],
            [0, 0, 2],
            [0, 0, 0]])
""",
    "take(input, index)": """\
Elements by their places in the flattened tensor.

Args:
    input: a tensor.
    index: int64 places; negative ones count from the end.

Returns:
    A tensor in the shape of ``index``.

Raises:
    IndexError: if a place is out of range.
    RuntimeError: if the index has another dtype.

Example:
    >>> tapegrad.take(tapegrad.tensor([[1, 2], [3, 4]]), tapegrad.tensor([0, -1]))
    tensor([1, 4])
""",
    "put(input, index, source, accumulate=False)": """\
A copy of a tensor, with values written to places in the flattened tensor.

Args:
    input: a tensor.
    index: int64 places; negative ones count from the end. Of several writes to one place any may
        count.
    source: as many values of the same dtype.
    accumulate: whether values are added to what is there. Default: False.

Raises:
    IndexError: if a place is out of range, or the numbers of values and places differ.
    RuntimeError: if the dtypes differ.

Example:
    >>> tapegrad.put(tapegrad.zeros(2, 2), tapegrad.tensor([0, -1]), tapegrad.ones(2))
    tensor([[1., 0.],
            [0., 1.]])
""",
    "take_along_dim(input, indices, dim=None)": f"""\
Elements by their places along a dimension, as ``argsort`` and ``argmax`` give them.

As ``gather``, but the other dimensions broadcast.

Args:
    input: a tensor.
    indices: int64 places, with as many dimensions; with ``dim``, negative ones count from the end.
    dim: the dimension. Default: None, places in the flattened tensor.

Raises:
{OUT_OF_RANGE}
    RuntimeError: if an index is out of range, or the numbers of dimensions differ.

Example:
    >>> x = tapegrad.tensor([[3, 1, 2]])
    >>> tapegrad.take_along_dim(x, x.argsort(1), 1)
    tensor([[1, 2, 3]])
""",
    "repeat_interleave(input, repeats, dim=None, *, output_size=None)\n"
    "repeat_interleave(repeats, *, output_size=None)": f"""\
Each element, or slice along a dimension, repeated where it is.

Args:
    input: a tensor.
    repeats: how often: a number, or an int tensor with a number for each. Alone it gives the
        place of each of the repeated ones.
    dim: the dimension. Default: None, the flattened tensor.
    output_size: the size of the result along the dimension, where it is known. Default: None.

Raises:
{OUT_OF_RANGE}
    RuntimeError: for negative numbers, or if the sizes do not match.

Example:
    >>> tapegrad.repeat_interleave(tapegrad.tensor([1, 2]), 2)
    tensor([1, 1, 2, 2])
    >>> tapegrad.repeat_interleave(tapegrad.tensor([1, 2]), tapegrad.tensor([1, 3]))
    tensor([1, 2, 2, 2])
""",
    "argwhere(input)": """\
The indices of all elements that are not zero, as rows.

Args:
    input: a tensor.

Returns:
    An int64 tensor with a row for each element and a column for each dimension.

Example:
    >>> tapegrad.argwhere(tapegrad.tensor([0, 5, 6]))
    tensor([[1],
            [2]])
""",
    "unravel_index(indices, shape)": """\
The coordinates that places in a flattened tensor have in its shape.

Args:
    indices: an integer tensor.
    shape: the sizes.

Returns:
    A tuple with an index tensor for each dimension.

Raises:
    TypeError: for other dtypes.
    ValueError: for negative sizes.

Example:
    >>> tapegrad.unravel_index(tapegrad.tensor([1, 5]), (2, 3))
    (tensor([0, 1]), tensor([1, 2]))
""",
    f"tril_indices(row, col, offset=0, {TENSOR_OPTIONS})": _triangle(
        "tril_indices", "lower", "tensor([[0, 1, 1],\n            [0, 0, 1]])"
    ),
    f"triu_indices(row, col, offset=0, {TENSOR_OPTIONS})": _triangle(
        "triu_indices", "upper", "tensor([[0, 0, 1],\n            [0, 1, 1]])"
    ),
}

DOCS |= COPIES

METHODS: dict[str, str] = {
    "unfold(dimension, size, step)": f"""\
All windows of a size along a dimension, as a new last dimension.

The gradient of an element is the sum of those in all windows that show it.

Args:
    dimension: the dimension.
    size: how many elements a window has.
    step: from one window to the next.

{VIEW}

Raises:
    RuntimeError: if the window does not fit, or the step is not positive.
{OUT_OF_RANGE}

Example:
    >>> tapegrad.arange(4).unfold(0, 2, 1)
    tensor([[0, 1],
            [1, 2],
            [2, 3]])
""",
    "fill_diagonal_(fill_value, wrap=False)": """\
Writes a number to the main diagonal.

Args:
    fill_value: the number.
    wrap: whether in a tall matrix further diagonals begin below the first one. Default: False.

Returns:
    The tensor itself.

Raises:
    RuntimeError: for fewer than two dimensions, for more than two of different sizes, or for a
        leaf that requires gradients.

Example:
    >>> tapegrad.zeros(2, 2).fill_diagonal_(5)
    tensor([[5., 0.],
            [0., 5.]])
""",
}
