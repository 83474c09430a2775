"""Docstrings of views, joining and indexing."""

from __future__ import annotations

__all__ = ["DOCS"]

OUT_OF_RANGE = "    IndexError: if a dimension is out of range."
VIEW = """Returns:
    A view: it shares the memory, and in-place changes of one are seen in the other."""

DOCS: dict[str, str] = {
    "reshape(input, *shape)": """\
The same elements in another shape.

Args:
    input: a tensor.
    shape: the sizes, of which one may be -1 and follows from the others.

Returns:
    A view where the strides allow it, otherwise a copy.

Raises:
    RuntimeError: if the number of elements differs.

Example:
    >>> tapegrad.reshape(tapegrad.arange(4), (2, -1))
    tensor([[0, 1],
            [2, 3]])
""",
    "permute(input, *dims)": f"""\
The dimensions in another order.

Args:
    input: a tensor.
    dims: all dimensions in the new order.

{VIEW}

Raises:
    RuntimeError: if a dimension is missing or named twice.

Example:
    >>> tapegrad.permute(tapegrad.zeros(2, 3, 4), (2, 0, 1)).shape
    tapegrad.Size([4, 2, 3])
""",
    "flip(input, *dims)": f"""\
The elements in reverse order along dimensions.

Args:
    input: a tensor.
    dims: a dimension or several.

Returns:
    A copy.

Raises:
{OUT_OF_RANGE}

Example:
    >>> tapegrad.flip(tapegrad.tensor([[1, 2], [3, 4]]), (1,))
    tensor([[2, 1],
            [4, 3]])
""",
    "tile(input, *dims)": """\
The tensor repeated along dimensions.

Args:
    input: a tensor.
    dims: how often along each dimension; missing leading ones are 1.

Example:
    >>> tapegrad.tile(tapegrad.tensor([1, 2]), (2,))
    tensor([1, 2, 1, 2])
""",
    "broadcast_to(input, *size)": f"""\
The tensor stretched to a size, along dimensions of size 1 and new leading ones.

Args:
    input: a tensor.
    size: the sizes to reach; -1 keeps one.

{VIEW}

Raises:
    RuntimeError: if the shape does not broadcast to ``size``.

Example:
    >>> tapegrad.broadcast_to(tapegrad.tensor([1, 2]), (2, 2))
    tensor([[1, 2],
            [1, 2]])
""",
    "broadcast_shapes(*shapes)": """\
The size to which sizes broadcast together.

Args:
    shapes: tuples of ints or ints.

Raises:
    RuntimeError: if they do not broadcast.

Example:
    >>> tapegrad.broadcast_shapes((3, 1), (2,))
    tapegrad.Size([3, 2])
""",
    "broadcast_tensors(*tensors)": """\
Views of tensors, stretched to the size to which they broadcast together.

Args:
    tensors: tensors.

Returns:
    A tuple of views.

Raises:
    RuntimeError: if the shapes do not broadcast.

Example:
    >>> a, b = tapegrad.broadcast_tensors(tapegrad.zeros(3, 1), tapegrad.zeros(2))
    >>> a.shape, b.shape
    (tapegrad.Size([3, 2]), tapegrad.Size([3, 2]))
""",
    "transpose(input, dim0, dim1)": f"""\
Two dimensions swapped.

Args:
    input: a tensor.
    dim0: a dimension.
    dim1: the other one.

{VIEW}

Raises:
{OUT_OF_RANGE}

Example:
    >>> tapegrad.transpose(tapegrad.tensor([[1, 2], [3, 4]]), 0, 1)
    tensor([[1, 3],
            [2, 4]])
""",
    "swapaxes(input, axis0, axis1)": f"""\
Two dimensions swapped, as ``transpose``.

Args:
    input: a tensor.
    axis0: a dimension.
    axis1: the other one.

{VIEW}

Raises:
{OUT_OF_RANGE}

Example:
    >>> tapegrad.swapaxes(tapegrad.zeros(2, 3, 4), 0, 2).shape
    tapegrad.Size([4, 3, 2])
""",
    "t(input)": f"""\
A matrix transposed; tensors with less dimensions stay as they are.

Args:
    input: a tensor with at most 2 dimensions.

{VIEW}

Raises:
    RuntimeError: for more than 2 dimensions.

Example:
    >>> tapegrad.t(tapegrad.tensor([[1, 2], [3, 4]]))
    tensor([[1, 3],
            [2, 4]])
""",
    "movedim(input, source, destination)": f"""\
Dimensions moved to other places; the rest keeps its order.

Args:
    input: a tensor.
    source: a dimension or several.
    destination: where each of them goes.

{VIEW}

Raises:
    RuntimeError: if a dimension is named twice, or the numbers of both differ.

Example:
    >>> tapegrad.movedim(tapegrad.zeros(2, 3, 4), 0, -1).shape
    tapegrad.Size([3, 4, 2])
""",
    "flatten(input, start_dim=0, end_dim=-1)": """\
Neighbouring dimensions merged into one.

Args:
    input: a tensor; 0-d becomes 1-d.
    start_dim: the first dimension to merge. Default: 0.
    end_dim: the last one. Default: -1.

Returns:
    A view where the strides allow it, otherwise a copy.

Raises:
    RuntimeError: if ``start_dim`` comes after ``end_dim``.

Example:
    >>> tapegrad.flatten(tapegrad.zeros(2, 3, 4), 1).shape
    tapegrad.Size([2, 12])
""",
    "ravel(input)": """\
All elements in one dimension.

Args:
    input: a tensor.

Returns:
    A view where the strides allow it, otherwise a copy.

Example:
    >>> tapegrad.ravel(tapegrad.tensor([[1, 2], [3, 4]]))
    tensor([1, 2, 3, 4])
""",
    "unflatten(input, dim, sizes)": f"""\
A dimension split into several.

Args:
    input: a tensor.
    dim: the dimension.
    sizes: the new sizes, of which one may be -1.

{VIEW}

Raises:
    RuntimeError: if the product of ``sizes`` is not the size of the dimension.

Example:
    >>> tapegrad.unflatten(tapegrad.zeros(2, 6), 1, (2, 3)).shape
    tapegrad.Size([2, 2, 3])
""",
    "squeeze(input)\nsqueeze(input, *dim)": f"""\
Dimensions of size 1 removed.

Args:
    input: a tensor.
    dim: a dimension or several; those whose size is not 1 stay.

{VIEW}

Raises:
{OUT_OF_RANGE}

Example:
    >>> tapegrad.squeeze(tapegrad.zeros(1, 3, 1)).shape
    tapegrad.Size([3])
""",
    "unsqueeze(input, dim)": f"""\
A new dimension of size 1.

Args:
    input: a tensor.
    dim: where, from ``-input.dim() - 1`` to ``input.dim()``.

{VIEW}

Raises:
{OUT_OF_RANGE}

Example:
    >>> tapegrad.unsqueeze(tapegrad.zeros(3), 0).shape
    tapegrad.Size([1, 3])
""",
    "select(input, dim, index)": f"""\
One slice along a dimension, as ``input[:, index]`` for ``dim=1``.

Args:
    input: a tensor.
    dim: the dimension, which the result does not have.
    index: which slice; negative ones count from the end.

{VIEW}

Raises:
    IndexError: if the dimension or the index is out of range.

Example:
    >>> tapegrad.select(tapegrad.tensor([[1, 2], [3, 4]]), 1, 0)
    tensor([1, 3])
""",
    "narrow(input, dim, start, length)": f"""\
A range along a dimension, as ``input[start : start + length]`` for ``dim=0``.

Args:
    input: a tensor.
    dim: the dimension.
    start: the first index.
    length: how many.

{VIEW}

Raises:
    RuntimeError: if the range does not fit.
    IndexError: if ``dim`` or ``start`` is out of range.

Example:
    >>> tapegrad.narrow(tapegrad.arange(5), 0, 1, 3)
    tensor([1, 2, 3])
""",
    "diagonal(input, offset=0, dim1=0, dim2=1)": f"""\
The diagonal of two dimensions, as last dimension.

Args:
    input: a tensor with at least 2 dimensions.
    offset: which diagonal; above the main one for positive numbers. Default: 0.
    dim1: the dimension of rows. Default: 0.
    dim2: the dimension of columns. Default: 1.

{VIEW}

Raises:
    RuntimeError: if both dimensions are the same.
{OUT_OF_RANGE}

Example:
    >>> tapegrad.diagonal(tapegrad.tensor([[1, 2], [3, 4]]))
    tensor([1, 4])
""",
    "resize_as_(input, other, *, memory_format=None)": """\
Give a tensor the size of another one, in place, as ``Tensor.resize_`` does.

Args:
    input: the tensor that is changed.
    other: a tensor.
    memory_format: as for ``Tensor.resize_``; ``preserve_format`` is that of the other tensor.

Returns:
    The tensor ``input`` itself.

Raises:
    RuntimeError: for tensors that require gradients, or if memory would have to grow that other
        tensors or libraries share.

Example:
    >>> tapegrad.resize_as_(tapegrad.tensor([[1, 2], [3, 4]]), tapegrad.zeros(3))
    tensor([1, 2, 3])
""",
    "as_strided(input, size, stride, storage_offset=None)": f"""\
A view of the memory with given sizes, strides and offset.

Args:
    input: a tensor, of which only the memory counts.
    size: the sizes.
    stride: the steps between elements, counted in elements.
    storage_offset: the first element. Default: None, that of ``input``.

{VIEW}

Raises:
    RuntimeError: if the view would leave the memory.

Example:
    >>> tapegrad.as_strided(tapegrad.arange(5), (3, 2), (1, 1))
    tensor([[0, 1],
            [1, 2],
            [2, 3]])
""",
    "split(input, split_size, dim=0)": """\
A tensor cut into parts along a dimension.

Args:
    input: a tensor with at least 1 dimension.
    split_size: the size of each part (the last may be smaller), or a list of sizes.
    dim: the dimension. Default: 0.

Returns:
    A tuple of views.

Raises:
    RuntimeError: if the sizes do not add up.

Example:
    >>> tapegrad.split(tapegrad.arange(5), 2)
    (tensor([0, 1]), tensor([2, 3]), tensor([4]))
    >>> tapegrad.split(tapegrad.arange(5), [1, 4])
    (tensor([0]), tensor([1, 2, 3, 4]))
""",
    "split_with_sizes(input, split_sizes, dim=0)": """\
Views of a tensor, cut along a dimension into parts of given sizes.

Args:
    input: a tensor with at least one dimension.
    split_sizes: a list of ints, which add up to the size of the dimension.
    dim: the dimension. Default: 0.

Returns:
    A tuple of tensors.

Raises:
    RuntimeError: if the sizes do not add up.

Example:
    >>> tapegrad.split_with_sizes(tapegrad.arange(5), [1, 4])
    (tensor([0]), tensor([1, 2, 3, 4]))
""",
    "unsafe_split(input, split_size, dim=0)": """\
As :func:`split` with one size, but the parts do not count as views of one tensor.

Each may be changed in place, which the others and the tensor itself do not learn of.

Args:
    input: a tensor with at least one dimension.
    split_size: the size of the parts; the last one may be smaller.
    dim: the dimension. Default: 0.

Returns:
    A tuple of tensors.

Raises:
    RuntimeError: for a negative size.

Example:
    >>> tapegrad.unsafe_split(tapegrad.arange(3), 2)
    (tensor([0, 1]), tensor([2]))
""",
    "chunk(input, chunks, dim=0)": """\
A tensor cut into a number of nearly equal parts along a dimension.

Args:
    input: a tensor with at least 1 dimension.
    chunks: how many parts; there are less where the size does not suffice.
    dim: the dimension. Default: 0.

Returns:
    A tuple of views.

Raises:
    RuntimeError: if ``chunks`` is not positive.

Example:
    >>> tapegrad.chunk(tapegrad.arange(5), 2)
    (tensor([0, 1, 2]), tensor([3, 4]))
""",
    "unbind(input, dim=0)": """\
All slices along a dimension.

Args:
    input: a tensor with at least 1 dimension.
    dim: the dimension, which the slices do not have. Default: 0.

Returns:
    A tuple of views.

Raises:
    IndexError: for a 0-d tensor.

Example:
    >>> tapegrad.unbind(tapegrad.tensor([[1, 2], [3, 4]]))
    (tensor([1, 2]), tensor([3, 4]))
""",
    "atleast_1d(input)\natleast_1d(*tensors)": """\
The tensor, with one dimension if it has none; of several, all of them.

Args:
    input: a tensor.
    tensors: several tensors, or a list or tuple of them.

Returns:
    A tensor; for several a tuple of tensors.

Example:
    >>> tapegrad.atleast_1d(tapegrad.tensor(5))
    tensor([5])
    >>> tapegrad.atleast_1d(tapegrad.tensor(5), tapegrad.ones(2))
    (tensor([5]), tensor([1., 1.]))
""",
    "detach(input)": """\
A view outside of the tape: gradients do not pass through it.

Args:
    input: a tensor.

Returns:
    A tensor on the same memory that does not require gradients.

Example:
    >>> x = tapegrad.ones(2, requires_grad=True)
    >>> tapegrad.detach(x).requires_grad
    False
""",
    "numel(input)": """\
The number of elements.

Args:
    input: a tensor.

Example:
    >>> tapegrad.numel(tapegrad.zeros(2, 3))
    6
""",
    "is_inference(input)": """\
Whether a tensor was made in inference mode, and can never be recorded.

Args:
    input: a tensor.

Example:
    >>> with tapegrad.inference_mode():
    ...     x = tapegrad.ones(2)
    >>> tapegrad.is_inference(x), x.is_inference()
    (True, True)
""",
    "is_floating_point(input)": """\
Whether the dtype is one of float16, bfloat16, float32 and float64.

Args:
    input: a tensor.

Example:
    >>> tapegrad.is_floating_point(tapegrad.tensor([1.0]))
    True
""",
    "is_complex(input)": """\
Whether the dtype is complex: always False, as there is no such dtype.

Args:
    input: a tensor.

Example:
    >>> tapegrad.is_complex(tapegrad.tensor([1.0]))
    False
""",
    "is_nonzero(input)": """\
Whether the only element is not zero.

Args:
    input: a tensor of one element.

Raises:
    RuntimeError: if there is not exactly one element.

Example:
    >>> tapegrad.is_nonzero(tapegrad.tensor([3]))
    True
""",
    "gather(input, dim, index, *, sparse_grad=False)": """\
Elements picked along a dimension.

Formula, for ``dim=1``: ``result[i, j] = input[i, index[i, j]]``.

Args:
    input: a tensor.
    dim: the dimension.
    index: an int64 or int32 tensor with as many dimensions, and at most as large as ``input``
        in the others.
    sparse_grad: ignored.

Returns:
    A tensor of the shape of ``index``.

Raises:
    RuntimeError: if the shapes do not fit or an index is out of range.

Example:
    >>> x = tapegrad.tensor([[1, 2], [3, 4]])
    >>> tapegrad.gather(x, 1, tapegrad.tensor([[0, 0], [1, 0]]))
    tensor([[1, 1],
            [4, 3]])
""",
    "scatter(input, dim, index, src)\n"
    "scatter(input, dim, index, value)\n"
    "scatter(input, dim, index, src, *, reduce)\n"
    "scatter(input, dim, index, value, *, reduce)": """\
A copy in which elements along a dimension are replaced.

Formula, for ``dim=1``: ``result[i, index[i, j]] = src[i, j]``. Where places are named
twice, one of the values wins.

Args:
    input: a tensor.
    dim: the dimension.
    index: an int64 or int32 tensor with as many dimensions.
    src: a tensor of the same dtype, at least as large as ``index``.
    value: a number.
    reduce: "add" or "multiply", to combine values instead of replacing them. This has no
        derivative; ``scatter_reduce`` has.

Raises:
    RuntimeError: if the shapes or dtypes do not fit, or an index is out of range.

Example:
    >>> x = tapegrad.zeros(2, 3)
    >>> tapegrad.scatter(x, 1, tapegrad.tensor([[0], [2]]), 5.0)
    tensor([[5., 0., 0.],
            [0., 0., 5.]])
""",
    "scatter_add(input, dim, index, src)": """\
A copy in which values are added to elements along a dimension.

Formula, for ``dim=1``: ``result[i, index[i, j]] += src[i, j]``.

Args:
    input: a tensor.
    dim: the dimension.
    index: an int64 or int32 tensor with as many dimensions.
    src: a tensor of the same dtype, at least as large as ``index``.

Raises:
    RuntimeError: if the shapes or dtypes do not fit, or an index is out of range.

Example:
    >>> index = tapegrad.tensor([0, 0, 1])
    >>> tapegrad.scatter_add(tapegrad.zeros(2), 0, index, tapegrad.tensor([1.0, 2.0, 3.0]))
    tensor([3., 3.])
""",
    "index_select(input, dim, index)": """\
Slices picked along a dimension.

Args:
    input: a tensor.
    dim: the dimension.
    index: a 1-d int64 or int32 tensor; it may repeat slices.

Returns:
    A copy, of the size of ``index`` along ``dim``.

Raises:
    IndexError: if an index is out of range, or ``index`` is not 1-d.

Example:
    >>> tapegrad.index_select(tapegrad.tensor([[1, 2], [3, 4]]), 0, tapegrad.tensor([1, 1]))
    tensor([[3, 4],
            [3, 4]])
""",
    "scatter_reduce(input, dim, index, src, reduce, *, include_self=True)": """\
A copy in which elements along a dimension are combined with others.

Formula, for ``dim=1`` and a sum: ``result[i, index[i, j]] += src[i, j]``.

Args:
    input: a tensor.
    dim: the dimension.
    index: an int64 or int32 tensor with as many dimensions.
    src: a tensor of the same dtype, at least as large as ``index``.
    reduce: "sum", "prod", "mean", "amax" or "amin".
    include_self: whether the elements of ``input`` count too where something is written.
        Default: True.

Raises:
    RuntimeError: if the shapes or dtypes do not fit, or an index is out of range.

Example:
    >>> x, index = tapegrad.tensor([4.0, 5.0]), tapegrad.tensor([0, 0])
    >>> tapegrad.scatter_reduce(x, 0, index, tapegrad.tensor([7.0, 1.0]), "mean")
    tensor([4., 5.])
    >>> source = tapegrad.tensor([7.0, 1.0])
    >>> tapegrad.scatter_reduce(x, 0, index, source, "amin", include_self=False)
    tensor([1., 5.])
""",
    "index_reduce(input, dim, index, source, reduce, *, include_self=True)": """\
Slices of a source joined to the slices of a copy that an index names.

Args:
    input: a tensor.
    dim: the dimension of the slices.
    index: a vector of int32 or int64: the place of each slice of ``source``.
    source: a tensor of the dtype of ``input``, of its shape but for ``dim``.
    reduce: "prod", "mean", "amax" or "amin".
    include_self: whether the slices of ``input`` that are named take part. Default: True.

Returns:
    A tensor of the shape of ``input``.

Raises:
    IndexError: for an index out of range.
    RuntimeError: if shapes or dtypes do not fit, or for another ``reduce``.

Example:
    >>> x, index = tapegrad.ones(2), tapegrad.tensor([0, 0])
    >>> tapegrad.index_reduce(x, 0, index, tapegrad.tensor([2.0, 3.0]), "prod")
    tensor([6., 1.])
""",
    "index_copy(input, dim, index, source)": """\
A copy in which slices along a dimension are replaced.

Args:
    input: a tensor.
    dim: the dimension.
    index: a 1-d int64 tensor: which slice each slice of ``source`` replaces.
    source: a tensor of the same dtype, and of the shape of ``input`` in the other dimensions.

Raises:
    RuntimeError: if the shapes or dtypes do not fit.
    IndexError: if an index is out of range, or ``index`` is not 1-d.

Example:
    >>> x, index = tapegrad.zeros(2, 2), tapegrad.tensor([1])
    >>> tapegrad.index_copy(x, 0, index, tapegrad.ones(1, 2))
    tensor([[0., 0.],
            [1., 1.]])
""",
    "index_fill(input, dim, index, value)": """\
A copy in which slices along a dimension are filled with a value.

Args:
    input: a tensor.
    dim: the dimension.
    index: a 1-d int64 tensor: the slices.
    value: a number or a 0-d tensor.

Raises:
    IndexError: if an index is out of range.

Example:
    >>> tapegrad.index_fill(tapegrad.zeros(2, 2), 1, tapegrad.tensor([0]), 5.0)
    tensor([[5., 0.],
            [5., 0.]])
""",
    "masked_scatter(input, mask, source)": """\
A copy in which the elements where a mask is set are replaced, in order.

Args:
    input: a tensor.
    mask: a bool tensor; shapes broadcast.
    source: a tensor of the same dtype that has as many elements as the mask has places, or more.

Raises:
    RuntimeError: if the mask is not bool, the dtypes differ, or the source is too short.

Example:
    >>> x, mask = tapegrad.zeros(3), tapegrad.tensor([True, False, True])
    >>> tapegrad.masked_scatter(x, mask, tapegrad.tensor([1.0, 2.0]))
    tensor([1., 0., 2.])
""",
    "index_add(input, dim, index, source, *, alpha=1)": """\
A copy in which slices of a tensor are added along a dimension.

Args:
    input: a tensor.
    dim: the dimension.
    index: a 1-d int64 or int32 tensor: to which slice each slice of ``source`` goes.
    source: a tensor of the same dtype, and of the shape of ``input`` in the other dimensions.
    alpha: a factor for ``source``. Default: 1.

Raises:
    RuntimeError: if the shapes or dtypes do not fit, or an index is out of range.
    IndexError: if ``index`` is not 1-d.

Example:
    >>> index = tapegrad.tensor([0, 0, 1])
    >>> tapegrad.index_add(tapegrad.zeros(2), 0, index, tapegrad.tensor([1.0, 2.0, 3.0]))
    tensor([3., 3.])
""",
    "masked_fill(input, mask, value)": """\
A copy with a value where a mask is set.

Args:
    input: a tensor.
    mask: a bool tensor; shapes broadcast.
    value: a number or a 0-d tensor.

Raises:
    RuntimeError: if the mask is not bool or the shapes do not fit.

Example:
    >>> x = tapegrad.tensor([1.0, -2.0])
    >>> tapegrad.masked_fill(x, x < 0, 0.0)
    tensor([1., 0.])
""",
    "masked_select(input, mask)": """\
The elements where a mask is set.

Args:
    input: a tensor.
    mask: a bool tensor; shapes broadcast.

Returns:
    A 1-d copy.

Raises:
    RuntimeError: if the mask is not bool or the shapes do not broadcast.

Example:
    >>> x = tapegrad.tensor([1.0, -2.0, 3.0])
    >>> tapegrad.masked_select(x, x > 0)
    tensor([1., 3.])
""",
    "nonzero(input, *, as_tuple=False)\nnonzero(input, *, as_tuple)": """\
The indices of the elements that are not zero.

Args:
    input: a tensor of any dtype.
    as_tuple: for a tuple of one tensor for each dimension, which can be used as index.
        Default: False.

Returns:
    An int64 tensor (count, dimensions), or a tuple of 1-d ones.

Example:
    >>> tapegrad.nonzero(tapegrad.tensor([[1, 0], [0, 2]]))
    tensor([[0, 0],
            [1, 1]])
""",
    "index_put(input, indices, values, accumulate=False)": """\
A copy in which the elements at indices are replaced.

Args:
    input: a tensor.
    indices: index tensors, one for each dimension from the first on; None takes a dimension whole.
    values: a tensor of the same dtype that broadcasts to what the indices pick.
    accumulate: whether values are added, also for indices that are named twice. Default: False.

Raises:
    RuntimeError: if the shapes or dtypes do not fit.
    IndexError: if an index is out of range.

Example:
    >>> index = tapegrad.tensor([0, 2])
    >>> tapegrad.index_put(tapegrad.zeros(3), (index,), tapegrad.tensor(5.0))
    tensor([5., 0., 5.])
""",
    "cat(tensors, dim=0)": """\
Tensors joined along a dimension.

Args:
    tensors: a list of tensors that have the same sizes in the other dimensions.
    dim: the dimension. Default: 0.

Returns:
    A copy of the promoted dtype.

Raises:
    ValueError: for an empty list.
    RuntimeError: if the sizes do not fit.

Example:
    >>> tapegrad.cat([tapegrad.tensor([1, 2]), tapegrad.tensor([3])])
    tensor([1, 2, 3])
""",
    "stack(tensors, dim=0)": """\
Tensors joined along a new dimension.

Args:
    tensors: a list of tensors of one shape.
    dim: where the new dimension goes. Default: 0.

Returns:
    A copy of the promoted dtype.

Raises:
    RuntimeError: for an empty list or if the shapes differ.

Example:
    >>> tapegrad.stack([tapegrad.tensor([1, 2]), tapegrad.tensor([3, 4])], 1)
    tensor([[1, 3],
            [2, 4]])
""",
    "roll(input, shifts, dims=None)": """\
The elements moved along dimensions; what leaves at one end comes in at the other.

Args:
    input: a tensor.
    shifts: by how many places, one number for each dimension.
    dims: the dimensions; None rolls the flattened tensor. Default: None.

Raises:
    RuntimeError: if there are not as many shifts as dimensions.

Example:
    >>> tapegrad.roll(tapegrad.tensor([1, 2, 3]), 1)
    tensor([3, 1, 2])
""",
    "tril(input, diagonal=0)": """\
The lower triangles of matrices; zeros above.

Args:
    input: a tensor with at least 2 dimensions.
    diagonal: the last diagonal to keep; above the main one for positive numbers. Default: 0.

Raises:
    RuntimeError: for less than 2 dimensions.

Example:
    >>> tapegrad.tril(tapegrad.ones(2, 2))
    tensor([[1., 0.],
            [1., 1.]])
""",
    "triu(input, diagonal=0)": """\
The upper triangles of matrices; zeros below.

Args:
    input: a tensor with at least 2 dimensions.
    diagonal: the first diagonal to keep; above the main one for positive numbers. Default: 0.

Raises:
    RuntimeError: for less than 2 dimensions.

Example:
    >>> tapegrad.triu(tapegrad.ones(2, 2))
    tensor([[1., 1.],
            [0., 1.]])
""",
    "diag(input, diagonal=0)": """\
The diagonal of a matrix, or the matrix with a diagonal.

Args:
    input: a matrix or a vector.
    diagonal: which one; above the main one for positive numbers. Default: 0.

Returns:
    A vector for a matrix, a square matrix with zeros elsewhere for a vector.

Raises:
    RuntimeError: for other numbers of dimensions.

Example:
    >>> tapegrad.diag(tapegrad.tensor([1, 2]))
    tensor([[1, 0],
            [0, 2]])
    >>> tapegrad.diag(tapegrad.tensor([[1, 2], [3, 4]]))
    tensor([1, 4])
""",
}
