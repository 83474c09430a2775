"""Docstrings of the types, and of methods and attributes that only Tensor has."""

from __future__ import annotations

__all__ = ["ATTRIBUTES", "IN_PLACE_EXAMPLES", "METHODS", "TYPES"]

IN_PLACE = """Returns:
    The tensor itself.

Raises:
    RuntimeError: for a leaf that requires gradients, and for tensors whose elements share
        memory."""
OPTIONS = """    dtype: the dtype. Default: None, that of this tensor.
    device: ignored but for its name: there is the CPU only.
    requires_grad: whether operations on the tensor are recorded. Default: False."""
FLAT = "as ints, or as one tuple or list."


def _conversion(name: str, dtype: str) -> str:
    return f"""\
The tensor converted to {dtype}; the tensor itself if it is already.

Args:
    memory_format: the order of dimensions of the result, as of ``contiguous``. Default: None, that
        of the tensor.

Example:
    >>> tapegrad.tensor([0, 2]).{name}().dtype
    tapegrad.{dtype}
"""


def _new(name: str, what: str) -> str:
    return f"""\
{what} of a size and of the dtype of this tensor.

Args:
    size: {FLAT}
{OPTIONS}

Example:
    >>> tapegrad.tensor([1, 2]).{name}(2, 3).shape
    tapegrad.Size([2, 3])
"""


METHODS: dict[str, str] = {
    "polygamma(n)": """\
The n-th derivative of ``digamma`` at each element.

See ``tapegrad.polygamma``.

Args:
    n: the order, not negative.

Raises:
    RuntimeError: for a negative order.

Example:
    >>> tapegrad.tensor([1.0]).polygamma(1)
    tensor([1.6449])
""",
    "polygamma_(n)": f"""\
The n-th derivative of ``digamma`` at each element, in place.

See ``tapegrad.polygamma``.

Args:
    n: the order, not negative.

{IN_PLACE}

Example:
    >>> tapegrad.tensor([1.0]).polygamma_(1)
    tensor([1.6449])
""",
    "_to_dtype(dtype, copy=False, memory_format=None)": "The tensor converted to a dtype.\n",
    "_is_view()": "Whether it is a view of another tensor's memory.\n",
    "where(condition, other)": """\
This tensor where a condition holds, and another one elsewhere.

See ``tapegrad.where``.

Args:
    condition: a bool tensor.
    other: a tensor or a number. All shapes broadcast.

Example:
    >>> x = tapegrad.tensor([1.0, -2.0])
    >>> x.where(x > 0, 0.0)
    tensor([1., 0.])
""",
    "view(*size)\nview(dtype)": f"""\
The same memory in another shape, or read as numbers of another dtype.

Args:
    size: the sizes, of which one may be -1 and follows from the others: {FLAT}
    dtype: what the memory is read as. Where its numbers have another size, the last dimension has
        more or fewer of them.

Returns:
    A view; one of another dtype is not recorded.

Raises:
    RuntimeError: if the number of elements differs, or the strides do not allow a view; ``reshape``
        makes a copy then.

Example:
    >>> tapegrad.arange(4).view(2, -1)
    tensor([[0, 1],
            [2, 3]])
""",
    "expand(*size)": f"""\
The tensor stretched along dimensions of size 1 and new leading ones.

Args:
    size: the sizes to reach, -1 keeps one: {FLAT}

Returns:
    A view in which several elements share memory.

Raises:
    RuntimeError: if a size other than 1 would change.

Example:
    >>> tapegrad.tensor([[1], [2]]).expand(2, 3)
    tensor([[1, 1, 1],
            [2, 2, 2]])
""",
    "repeat(*repeats)": f"""\
The tensor repeated along dimensions.

Args:
    repeats: how often along each dimension, new leading ones first: {FLAT}

Raises:
    RuntimeError: for less numbers than dimensions.

Example:
    >>> tapegrad.tensor([1, 2]).repeat(2, 2)
    tensor([[1, 2, 1, 2],
            [1, 2, 1, 2]])
""",
    "view_as(other)": """\
The same memory in the shape of another tensor, as ``view``.

Args:
    other: a tensor.

Raises:
    RuntimeError: as ``view``.

Example:
    >>> tapegrad.arange(4).view_as(tapegrad.zeros(2, 2))
    tensor([[0, 1],
            [2, 3]])
""",
    "reshape_as(other)": """\
The same elements in the shape of another tensor, as ``reshape``.

Args:
    other: a tensor.

Raises:
    RuntimeError: if the number of elements differs.

Example:
    >>> tapegrad.arange(4).reshape_as(tapegrad.zeros(2, 2))
    tensor([[0, 1],
            [2, 3]])
""",
    "expand_as(other)": """\
The tensor stretched to the shape of another one, as ``expand``.

Args:
    other: a tensor.

Raises:
    RuntimeError: if a size other than 1 would change.

Example:
    >>> tapegrad.tensor([[1], [2]]).expand_as(tapegrad.zeros(2, 3))
    tensor([[1, 1, 1],
            [2, 2, 2]])
""",
    "size(dim=None)\nsize(dim)": """\
The sizes of all dimensions, or the size of one.

Args:
    dim: the dimension. Default: None, all.

Raises:
    IndexError: if the dimension is out of range.

Example:
    >>> x = tapegrad.zeros(2, 3)
    >>> x.size(), x.size(-1)
    (tapegrad.Size([2, 3]), 3)
""",
    "stride(dim=None)\nstride(dim)": """\
The steps between neighbours along all dimensions, or along one, counted in elements.

Args:
    dim: the dimension. Default: None, all.

Raises:
    IndexError: if the dimension is out of range.

Example:
    >>> x = tapegrad.zeros(2, 3)
    >>> x.stride(), x.stride(0)
    ((3, 1), 3)
""",
    "storage_offset()": """\
Where the first element is in the memory, counted in elements.

Example:
    >>> tapegrad.zeros(3)[1:].storage_offset()
    1
""",
    "dim()": """\
The number of dimensions.

Example:
    >>> tapegrad.zeros(2, 3).dim()
    2
""",
    "ndimension()": """\
The number of dimensions, as ``dim``.

Example:
    >>> tapegrad.zeros(2, 3).ndimension()
    2
""",
    "nelement()": """\
The number of elements, as ``numel``.

Example:
    >>> tapegrad.zeros(2, 3).nelement()
    6
""",
    "element_size()": """\
Bytes of one element.

Example:
    >>> tapegrad.zeros(2).element_size()
    4
""",
    "data_ptr()": """\
The address of the first element, or 0 if there is none.

Example:
    >>> x = tapegrad.zeros(2)
    >>> x.data_ptr() == x.view(2, 1).data_ptr()
    True
""",
    "is_contiguous(*, memory_format=None)": """\
Whether the elements follow each other in the memory, the last dimension fastest.

Args:
    memory_format: ``tapegrad.channels_last`` or ``tapegrad.channels_last_3d`` ask for the channels
        (dimension 1) to be fastest. Default: None, ``tapegrad.contiguous_format``.

Example:
    >>> tapegrad.zeros(2, 3).T.is_contiguous()
    False
""",
    "contiguous(*, memory_format=None)": """\
The tensor itself if it is contiguous, otherwise a contiguous copy.

Args:
    memory_format: ``tapegrad.channels_last`` (of 4 dimensions) or ``tapegrad.channels_last_3d``
        (of 5) for channels, dimension 1, that lie closest. Default: None,
        ``tapegrad.contiguous_format``.

Raises:
    RuntimeError: if the number of dimensions is not that of the format.

Example:
    >>> tapegrad.zeros(2, 3).T.contiguous().stride()
    (2, 1)
""",
    "copy_(other, non_blocking=False)": f"""\
Take over the elements of another tensor, in place; gradients go to it.

Args:
    other: a tensor that broadcasts to this shape; it is converted to this dtype.
    non_blocking: ignored.

{IN_PLACE}

Example:
    >>> tapegrad.zeros(2).copy_(tapegrad.tensor([1, 2]))
    tensor([1., 2.])
""",
    "fill_(value)": f"""\
Set all elements to a number, in place.

Args:
    value: a number or a 0-d tensor.

{IN_PLACE}

Example:
    >>> tapegrad.zeros(2).fill_(1.5)
    tensor([1.5000, 1.5000])
""",
    "float(*, memory_format=None)": _conversion("float", "float32"),
    "double(*, memory_format=None)": _conversion("double", "float64"),
    "half(*, memory_format=None)": _conversion("half", "float16"),
    "bfloat16(*, memory_format=None)": _conversion("bfloat16", "bfloat16"),
    "long(*, memory_format=None)": _conversion("long", "int64"),
    "int(*, memory_format=None)": _conversion("int", "int32"),
    "short(*, memory_format=None)": _conversion("short", "int16"),
    "char(*, memory_format=None)": _conversion("char", "int8"),
    "bool(*, memory_format=None)": _conversion("bool", "bool"),
    "byte(*, memory_format=None)": _conversion("byte", "uint8"),
    "new_zeros(*size, dtype=None, device=None, requires_grad=False)": _new("new_zeros", "Zeros"),
    "new_ones(*size, dtype=None, device=None, requires_grad=False)": _new("new_ones", "Ones"),
    "new_empty(*size, dtype=None, device=None, requires_grad=False)": _new(
        "new_empty", "Values that are not set"
    ),
    "new_empty_strided(size, stride, *, dtype=None, device=None, requires_grad=False)": f"""\
Memory as it comes, with given strides and the dtype of this tensor.

Args:
    size: the sizes.
    stride: how far neighbouring elements are apart in memory, for each dimension.
{OPTIONS}

Raises:
    RuntimeError: for negative sizes or strides, or different numbers of both.

Example:
    >>> tapegrad.tensor([1, 2]).new_empty_strided((2, 3), (1, 2)).stride()
    (1, 2)
""",
    "new_full(size, fill_value, *, dtype=None, device=None, requires_grad=False)": f"""\
A number in all places of a size, of the dtype of this tensor.

Args:
    size: a tuple or list of ints.
    fill_value: the number.
{OPTIONS}

Example:
    >>> tapegrad.tensor([1, 2]).new_full((2,), 7)
    tensor([7, 7])
""",
    "new_tensor(data, *, dtype=None, device=None, requires_grad=False)": f"""\
A tensor with a copy of data, of the dtype of this tensor.

Args:
    data: what ``tapegrad.tensor`` takes.
{OPTIONS}

Example:
    >>> tapegrad.tensor([1.0]).new_tensor([2, 3])
    tensor([2., 3.])
""",
    "item()": """\
The only element as a Python number.

Raises:
    RuntimeError: if there is not exactly one element.

Example:
    >>> tapegrad.tensor([1.5]).item()
    1.5
""",
    "tolist()": """\
The elements as nested lists of Python numbers; a number for a 0-d tensor.

Example:
    >>> tapegrad.tensor([[1, 2], [3, 4]]).tolist()
    [[1, 2], [3, 4]]
""",
    "numpy(*, force=False)": """\
A NumPy array on the memory of this tensor.

Args:
    force: whether a tensor that requires gradients is detached first. Default: False.

Raises:
    RuntimeError: if the tensor requires gradients, unless forced.

Example:
    >>> tapegrad.tensor([1.0, 2.0]).numpy()
    array([1., 2.], dtype=float32)
""",
    "backward(gradient=None, retain_graph=None, create_graph=False, inputs=None)": """\
Add the gradients of this tensor to the ``grad`` of the leaves that it was made from.

Args:
    gradient: the gradient of the tensor itself: a tensor of its shape; None stands for 1 and asks
        for one element. Default: None.
    retain_graph: whether the graph can be used again. Default: None, the value of ``create_graph``.
    create_graph: whether the gradients can be differentiated in turn. Default: False.
    inputs: the tensors that get gradients, or None for all leaves. Default: None.

Raises:
    RuntimeError: if nothing requires gradients, a gradient is missing or does not fit, the graph
        was freed by an earlier pass, or a value that is needed was changed in place.

Example:
    >>> x = tapegrad.tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4.])
""",
    "detach_()": """\
Take this tensor off the tape, in place.

Returns:
    The tensor itself, which is a leaf then and does not require gradients.

Raises:
    RuntimeError: for views.

Example:
    >>> y = tapegrad.ones(2, requires_grad=True) * 2
    >>> y.detach_().requires_grad
    False
""",
    "requires_grad_(requires_grad=True)": """\
Set whether operations on this tensor are recorded.

Args:
    requires_grad: the new value. Default: True.

Returns:
    The tensor itself.

Raises:
    RuntimeError: for integers and bool, or to switch it off for a tensor that is not a leaf.

Example:
    >>> tapegrad.ones(2).requires_grad_()
    tensor([1., 1.], requires_grad=True)
""",
    "retain_grad()": """\
Keep the gradient of this tensor in ``grad``, though it is not a leaf.

Raises:
    RuntimeError: if the tensor does not require gradients.

Example:
    >>> x = tapegrad.ones(2, requires_grad=True)
    >>> y = x * 3
    >>> y.retain_grad()
    >>> y.sum().backward()
    >>> y.grad
    tensor([1., 1.])
""",
    "resize_(*size, memory_format=None)": """\
Give the tensor another size, in place: it shows the first elements of its memory, in rows.

Args:
    size: the new size. Where it has more elements than the memory, the memory grows, and the
        further elements have any value.
    memory_format: the order of the elements in memory. Default: rows.

Returns:
    The tensor itself.

Raises:
    RuntimeError: for tensors that require gradients, or if memory would have to grow that other
        tensors or libraries share.

Example:
    >>> tapegrad.tensor([[1, 2], [3, 4]]).resize_(3)
    tensor([1, 2, 3])
""",
    "set_(source)": """\
Show the memory of another tensor, in place.

Args:
    source: a tensor of the same dtype.

Returns:
    The tensor itself.

Raises:
    RuntimeError: if the dtypes differ, or for a leaf that requires gradients.

Example:
    >>> tapegrad.zeros(3).set_(tapegrad.ones(2))
    tensor([1., 1.])
""",
}

# Examples of in-place forms whose functions are not element-wise tables.
IN_PLACE_EXAMPLES = {
    "leaky_relu": "tapegrad.tensor([-1.0, 2.0]).leaky_relu_(0.5)",
    "elu": "tapegrad.tensor([-1.0, 2.0]).elu_()",
    "celu": "tapegrad.tensor([-1.0, 2.0]).celu_()",
    "hardtanh": "tapegrad.tensor([-3.0, 2.0]).hardtanh_()",
    "threshold": "tapegrad.tensor([-3.0, 2.0]).threshold_(0.0, 0.0)",
    "rrelu": "tapegrad.tensor([-1.0, 2.0]).rrelu_(0.5, 0.5)",
    "lerp": "tapegrad.zeros(2).lerp_(tapegrad.ones(2), 0.5)",
    "addcmul": "tapegrad.ones(2).addcmul_(tapegrad.ones(2), tapegrad.ones(2))",
    "addcdiv": "tapegrad.ones(2).addcdiv_(tapegrad.ones(2), tapegrad.ones(2))",
    "nan_to_num": "tapegrad.tensor([1.0, 0.0]).log_().nan_to_num_(neginf=-9.0)",
    "logit": "tapegrad.tensor([0.5, 0.5]).logit_()",
    "copysign": "tapegrad.tensor([1.0, 2.0]).copysign_(-1)",
    "heaviside": "tapegrad.tensor([-1.0, 2.0]).heaviside_(tapegrad.zeros(1))",
    "igamma": "tapegrad.ones(1).igamma_(tapegrad.ones(1))",
    "igammac": "tapegrad.ones(1).igammac_(tapegrad.ones(1))",
    "mvlgamma": "tapegrad.tensor([2.0]).mvlgamma_(1)",
    "float_power": "tapegrad.tensor([2.0], dtype=tapegrad.float64).float_power_(2)",
    "add": "tapegrad.tensor([1.0, 2.0]).add_(1)",
    "sub": "tapegrad.tensor([1.0, 2.0]).sub_(1)",
    "div": "tapegrad.tensor([1.0, 2.0]).div_(2)",
    "pow": "tapegrad.tensor([1.0, 2.0]).pow_(2)",
    "round": "tapegrad.tensor([0.5, 1.5, -2.7]).round_()",
    "clamp": "tapegrad.tensor([-2.0, 0.5, 3.0]).clamp_(0, 1)",
    "clamp_min": "tapegrad.tensor([-2.0, 0.5]).clamp_min_(0)",
    "clamp_max": "tapegrad.tensor([-2.0, 0.5]).clamp_max_(0)",
    "eq": "tapegrad.tensor([1.0, 2.0, 3.0]).eq_(2)",
    "ne": "tapegrad.tensor([1.0, 2.0, 3.0]).ne_(2)",
    "lt": "tapegrad.tensor([1.0, 2.0, 3.0]).lt_(2)",
    "le": "tapegrad.tensor([1.0, 2.0, 3.0]).le_(2)",
    "gt": "tapegrad.tensor([1.0, 2.0, 3.0]).gt_(2)",
    "ge": "tapegrad.tensor([1.0, 2.0, 3.0]).ge_(2)",
    "logical_and": "tapegrad.tensor([0, 1, 2]).logical_and_(1)",
    "logical_or": "tapegrad.tensor([0, 1, 2]).logical_or_(0)",
    "logical_xor": "tapegrad.tensor([0, 1, 2]).logical_xor_(1)",
    "logical_not": "tapegrad.tensor([1.0, 0.0]).logical_not_()",
    "cumsum": "tapegrad.tensor([1, 2, 3]).cumsum_(0)",
    "cumprod": "tapegrad.tensor([1, 2, 3]).cumprod_(0)",
    "addmm": "tapegrad.ones(2, 2).addmm_(tapegrad.ones(2, 1), tapegrad.ones(1, 2))",
    "addmv": "tapegrad.ones(2).addmv_(tapegrad.ones(2, 3), tapegrad.ones(3))",
    "addr": "tapegrad.ones(1, 2).addr_(tapegrad.ones(1), tapegrad.ones(2))",
    "baddbmm": "tapegrad.ones(1, 1, 1).baddbmm_(tapegrad.ones(1, 1, 2), tapegrad.ones(1, 2, 1))",
    "addbmm": "tapegrad.ones(1, 1).addbmm_(tapegrad.ones(3, 1, 2), tapegrad.ones(3, 2, 1))",
    "transpose": "tapegrad.tensor([[1, 2], [3, 4]]).transpose_(0, 1)",
    "swapaxes": "tapegrad.tensor([[1, 2], [3, 4]]).swapaxes_(0, 1)",
    "t": "tapegrad.tensor([[1, 2], [3, 4]]).t_()",
    "squeeze": "tapegrad.zeros(1, 2).squeeze_()",
    "unsqueeze": "tapegrad.zeros(2).unsqueeze_(0)",
    "as_strided": "tapegrad.arange(4).as_strided_((2,), (2,))",
    "masked_fill": "tapegrad.zeros(2).masked_fill_(tapegrad.tensor([True, False]), 5.0)",
    "scatter_add": "tapegrad.zeros(2).scatter_add_(0, tapegrad.tensor([1, 1]), tapegrad.ones(2))",
    "scatter": "tapegrad.zeros(2).scatter_(0, tapegrad.tensor([1]), 5.0)",
    "scatter_reduce": (
        'tapegrad.ones(2).scatter_reduce_(0, tapegrad.tensor([1]), tapegrad.zeros(1), "prod")'
    ),
    "index_add": "tapegrad.zeros(2).index_add_(0, tapegrad.tensor([1, 1]), tapegrad.ones(2))",
    "index_copy": "tapegrad.zeros(2).index_copy_(0, tapegrad.tensor([1]), tapegrad.ones(1))",
    "index_fill": "tapegrad.zeros(2).index_fill_(0, tapegrad.tensor([1]), 5.0)",
    "index_reduce": (
        'tapegrad.ones(2).index_reduce_(0, tapegrad.tensor([1]), tapegrad.zeros(1), "prod")'
    ),
    "masked_scatter": (
        "tapegrad.zeros(2).masked_scatter_(tapegrad.tensor([False, True]), tapegrad.ones(1))"
    ),
    "bitwise_not": "tapegrad.tensor([0, 5]).bitwise_not_()",
    "tril": "tapegrad.ones(2, 2).tril_()",
    "triu": "tapegrad.ones(2, 2).triu_()",
    "put": "tapegrad.zeros(2).put_(tapegrad.tensor([1]), tapegrad.ones(1))",
    "renorm": "tapegrad.tensor([[3.0, 4.0]]).renorm_(2, 0, 1.0)",
    "index_put": "tapegrad.zeros(3).index_put_((tapegrad.tensor([0, 2]),), tapegrad.tensor(5.0))",
}

# In place these change which elements a tensor shows, and how.
WINDOWS = ("transpose", "swapaxes", "t", "squeeze", "unsqueeze", "as_strided")

ATTRIBUTES: dict[str, str] = {
    "grad": """\
The gradient that backward passes have added up: a tensor of the same shape and dtype, or None.

For tensors that are not leaves it stays None, with a warning, unless ``retain_grad()`` was called.

Example:
    >>> x = tapegrad.ones(2, requires_grad=True)
    >>> x.sum().backward()
    >>> x.grad
    tensor([1., 1.])
""",
    "requires_grad": """\
Whether operations on this tensor are recorded; it can be set on leaves.

Example:
    >>> tapegrad.ones(2).requires_grad
    False
""",
    "grad_fn": """\
The node of the operation that made this tensor; None for leaves.

Example:
    >>> x = tapegrad.ones(2, requires_grad=True)
    >>> x.exp().grad_fn.name()
    'ExpBackward0'
""",
    "is_leaf": """\
Whether this tensor is the result of no recorded operation.

Example:
    >>> x = tapegrad.ones(2, requires_grad=True)
    >>> x.is_leaf, x.exp().is_leaf
    (True, False)
""",
    "retains_grad": """\
Whether ``retain_grad()`` was called on this tensor, which is not a leaf.

Example:
    >>> tapegrad.ones(2).retains_grad
    False
""",
    "output_nr": """\
Which result of ``grad_fn`` this tensor is.

Example:
    >>> x = tapegrad.ones(2, requires_grad=True)
    >>> x.unbind()[1].output_nr
    1
""",
    "shape": """\
The sizes of all dimensions.

Example:
    >>> tapegrad.zeros(2, 3).shape
    tapegrad.Size([2, 3])
""",
    "ndim": """\
The number of dimensions.

Example:
    >>> tapegrad.zeros(2, 3).ndim
    2
""",
    "itemsize": """\
Bytes of one element.

Example:
    >>> tapegrad.zeros(2, 3).itemsize
    4
""",
    "nbytes": """\
Bytes of all elements.

Example:
    >>> tapegrad.zeros(2, 3).nbytes
    24
""",
    "dtype": """\
The type of the elements.

Example:
    >>> tapegrad.zeros(2, 3).dtype
    tapegrad.float32
""",
    "T": """\
A view with the dimensions in reverse order.

Example:
    >>> tapegrad.tensor([[1, 2], [3, 4]]).T
    tensor([[1, 3],
            [2, 4]])
""",
    "mT": """\
A view with the last two dimensions swapped.

Raises:
    RuntimeError: for less than 2 dimensions.

Example:
    >>> tapegrad.zeros(4, 2, 3).mT.shape
    tapegrad.Size([4, 3, 2])
""",
    "data": """\
The same memory outside of the tape; in-place changes of it are not noticed.

Example:
    >>> x = tapegrad.ones(2, requires_grad=True)
    >>> x.data.requires_grad
    False
""",
}

TYPES: dict[str, str] = {
    "Tensor": """\
An array of numbers of one dtype, on which operations can be recorded and differentiated.

Made by ``tapegrad.tensor`` and other functions. ``Tensor(2, 3)``, ``Tensor(size)`` with a
``tapegrad.Size`` and ``Tensor(size=(2, 3))`` give values that are not set, ``Tensor([1, 2])``
values of the default dtype, ``Tensor(x)`` of a tensor an alias of it.

Example:
    >>> x = tapegrad.tensor([1.0, 2.0], requires_grad=True)
    >>> (x**2).sum().backward()
    >>> x.grad
    tensor([2., 4.])
""",
    "Size": """\
The sizes of a tensor's dimensions: a tuple of ints.

Example:
    >>> size = tapegrad.zeros(2, 3).shape
    >>> size, size.numel(), size[1:]
    (tapegrad.Size([2, 3]), 6, tapegrad.Size([3]))
""",
    "dtype": """\
The type of a tensor's elements: ``bool``, ``uint8``, ``int8``, ``int16`` (``short``), ``int32``
(``int``), ``int64`` (``long``), ``float16`` (``half``), ``bfloat16``, ``float32`` (``float``) or
``float64`` (``double``).

``float16``, ``bfloat16``, ``int8`` and ``int16`` save memory, not time: operators compute in
``float32`` and ``int32`` and round (or wrap around) once, at the end.

Attributes:
    is_floating_point, is_complex, is_signed: what the type can hold.
    itemsize: bytes of one element.

Example:
    >>> tapegrad.float64, tapegrad.float64.itemsize
    (tapegrad.float64, 8)
""",
    "Generator": """\
A stream of random numbers.

Args:
    device: None or the CPU.

Example:
    >>> g = tapegrad.Generator().manual_seed(0)
    >>> a = tapegrad.rand(2, generator=g)
    >>> _ = g.manual_seed(0)
    >>> tapegrad.equal(a, tapegrad.rand(2, generator=g))
    True
""",
    "Node": """\
A recorded operation, as ``Tensor.grad_fn`` gives it.

Values that it has saved are attributes with names like ``_saved_self``.

Example:
    >>> x = tapegrad.ones(2, requires_grad=True)
    >>> node = (x * 2).exp().grad_fn
    >>> node.name(), node.formula
    ('ExpBackward0', 'grad * result')
    >>> node.next_functions[0][0].name()
    'MulBackward0'
""",
    "SavedTensor": """\
A value that a node has saved, as its attributes with names like ``_raw_saved_self`` give it.

Example:
    >>> x = tapegrad.ones(2, requires_grad=True)
    >>> saved = x.sin().grad_fn._raw_saved_self
    >>> saved.register_hooks(lambda tensor: tensor * 2, lambda tensor: tensor)
""",
}
