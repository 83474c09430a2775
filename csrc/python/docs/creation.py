"""Docstrings of functions that make tensors, of random numbers and of the state of the library."""

from __future__ import annotations

__all__ = ["DOCS"]

DTYPE = "    dtype: the dtype. Default: None, the default dtype."
SAME = "    dtype: the dtype. Default: None, that of ``input``."
REST = """    device: ignored but for its name: there is the CPU only.
    requires_grad: whether operations on the tensor are recorded. Default: False."""
FORMAT = """\
    memory_format: ``tapegrad.contiguous_format``, ``tapegrad.channels_last`` (of 4 dimensions),
        ``tapegrad.channels_last_3d`` (of 5), or None and ``tapegrad.preserve_format`` for the
        order of dimensions that ``input`` has. Default: None."""
GENERATOR = (
    "    generator: the stream of random numbers. Default: None, ``tapegrad.default_generator``."
)
FLAT = """Args:
    size: ints, or one tuple or list of them."""
OPTIONS = "*, dtype=None, device=None, requires_grad=False"
LIKE = OPTIONS + ", memory_format=None"
RANDOM = "*, generator=None, dtype=None, device=None, requires_grad=False"
RANDOM_LIKE = RANDOM + ", memory_format=None"
NEGATIVE = "    RuntimeError: for negative sizes, or gradients of integers or bool."


def _of_size(what: str, example: str, result: str, more: str = "") -> str:
    return f"""\
{what} of a size.

{FLAT}
{DTYPE}
{REST}{more}

Raises:
{NEGATIVE}

Example:
    >>> {example}
    {result}
"""


def _like(what: str, random: bool, example: str, result: str) -> str:
    generator = GENERATOR + "\n" if random else ""
    return f"""\
{what} of the shape of a tensor.

Args:
    input: a tensor.
{generator}{SAME}
{REST}
{FORMAT}

Example:
    >>> {example}
    {result}
"""


def _random(name: str, what: str, formula: str) -> str:
    return f"""\
{what} of a size.

{formula}

{FLAT}
{GENERATOR}
{DTYPE}
{REST}

Raises:
{NEGATIVE}
    NotImplementedError: for integers and bool.

Example:
    >>> _ = tapegrad.manual_seed(0)
    >>> x = tapegrad.{name}(2, 3)
    >>> x.shape
    tapegrad.Size([2, 3])
"""


PHILOX = """\
The i-th number is a function of the seed and of i, whatever the number of threads (the
generator is Philox: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011)."""

DOCS: dict[str, str] = {
    f"tensor(data, {OPTIONS})": f"""\
A tensor with a copy of data.

Args:
    data: a number, nested sequences of numbers, a NumPy array, or a tensor.
    dtype: the dtype. Default: None: that of an array or a tensor; for Python's numbers bool,
        int64 or the default dtype, as the highest kind among them asks for.
{REST}

Raises:
    ValueError: for sequences of different lengths.
    TypeError: for other data.
    RuntimeError: for numbers that the dtype cannot hold, or gradients of integers or bool.

Example:
    >>> tapegrad.tensor([[1, 2], [3, 4]])
    tensor([[1, 2],
            [3, 4]])
    >>> tapegrad.tensor([1.0, 2.0], dtype=tapegrad.float64, requires_grad=True)
    tensor([1., 2.], dtype=tapegrad.float64, requires_grad=True)
""",
    "as_tensor(data, dtype=None, device=None)": """\
A tensor of data, on the same memory where that is possible.

Args:
    data: what ``tensor`` takes. Tensors are returned as they are, arrays are shared.
    dtype: the dtype; another one than that of the data makes a copy. Default: None.
    device: ignored but for its name: there is the CPU only.

Example:
    >>> import numpy as np
    >>> a = np.zeros(2)
    >>> x = tapegrad.as_tensor(a)
    >>> a[0] = 5
    >>> x
    tensor([5., 0.], dtype=tapegrad.float64)
""",
    "asarray(obj, *, dtype=None, device=None, copy=None, requires_grad=None)": """\
A tensor of data, on the same memory where that is possible, as part of the tape if data is.

Args:
    obj: what ``tensor`` takes.
    dtype: the dtype; another one than that of the data makes a copy. Default: None.
    device: ignored but for its name: there is the CPU only.
    copy: True for a copy in any case, False for none in any case. Default: None, where it has to
        be.
    requires_grad: whether operations are recorded. Default: None, as for the tensor that is given.

Raises:
    ValueError: if memory cannot be shared and ``copy`` is False.

Example:
    >>> x = tapegrad.zeros(2)
    >>> tapegrad.asarray(x) is x, tapegrad.asarray([1, 2]).dtype
    (True, tapegrad.int64)
""",
    f"scalar_tensor(s, {OPTIONS})": f"""\
A 0-d tensor of a number.

Args:
    s: the number.
    dtype: the dtype. Default: None, the default dtype, also for ints and bools.
{REST}

Example:
    >>> tapegrad.scalar_tensor(3)
    tensor(3.)
""",
    f"empty_strided(size, stride, {OPTIONS})": f"""\
Memory as it comes, with given strides.

Args:
    size: the sizes.
    stride: how far neighbouring elements are apart in memory, for each dimension.
{DTYPE}
{REST}

Raises:
    RuntimeError: for negative sizes or strides, or different numbers of both.

Example:
    >>> tapegrad.empty_strided((2, 3), (1, 2)).stride()
    (1, 2)
""",
    f"empty_permuted(size, physical_layout, {OPTIONS})": f"""\
Memory as it comes, with the dimensions in a given order.

Args:
    size: the sizes.
    physical_layout: the dimensions in the order in which they are in memory, outermost first.
{DTYPE}
{REST}

Raises:
    RuntimeError: if a dimension is missing, out of range or named twice.

Example:
    >>> tapegrad.empty_permuted((2, 3), (1, 0)).stride()
    (1, 2)
""",
    f"range(start, end, step=1, {OPTIONS})": f"""\
Numbers from start to end, with the end. Deprecated: ``arange`` leaves it out as Python does.

Args:
    start: the first number.
    end: the last number, if a step leads there.
    step: from one number to the next. Default: 1.
{DTYPE}
{REST}

Raises:
    RuntimeError: if the step is zero or leads away from the end.

Example:
    >>> import warnings
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     tapegrad.range(0, 2)
    tensor([0., 1., 2.])
""",
    f"zeros(*size, {OPTIONS[3:]})": _of_size(
        "Zeros", "tapegrad.zeros(2, 2)", "tensor([[0., 0.],\n            [0., 0.]])"
    ),
    f"ones(*size, {OPTIONS[3:]})": _of_size(
        "Ones", "tapegrad.ones((2, 2))", "tensor([[1., 1.],\n            [1., 1.]])"
    ),
    f"empty(*size, {LIKE[3:]})": _of_size(
        "Values that are not set",
        "tapegrad.empty(2, 3).shape",
        "tapegrad.Size([2, 3])",
        "\n    memory_format: ``tapegrad.channels_last`` (of 4 dimensions) or\n"
        "        ``tapegrad.channels_last_3d`` (of 5). Default: None, the order of the dimensions.",
    ),
    f"zeros_like(input, {LIKE})": _like(
        "Zeros",
        False,
        "tapegrad.zeros_like(tapegrad.tensor([1, 2]))",
        "tensor([0, 0])",
    ),
    f"ones_like(input, {LIKE})": _like(
        "Ones", False, "tapegrad.ones_like(tapegrad.tensor([1, 2]))", "tensor([1, 1])"
    ),
    f"empty_like(input, {LIKE})": _like(
        "Values that are not set",
        False,
        "tapegrad.empty_like(tapegrad.zeros(2, 3)).shape",
        "tapegrad.Size([2, 3])",
    ),
    f"full(size, fill_value, {OPTIONS})": f"""\
A number in all places of a size.

Args:
    size: a tuple or list of ints.
    fill_value: the number.
    dtype: the dtype. Default: None: bool, int64 or the default dtype, as the number asks for.
{REST}

Raises:
{NEGATIVE}

Example:
    >>> tapegrad.full((2,), 1.5)
    tensor([1.5000, 1.5000])
""",
    f"full_like(input, fill_value, {LIKE})": f"""\
A number in all places of the shape of a tensor.

Args:
    input: a tensor.
    fill_value: the number.
{SAME}
{REST}
{FORMAT}

Example:
    >>> tapegrad.full_like(tapegrad.tensor([1, 2]), 7)
    tensor([7, 7])
""",
    f"eye(n, m=None, {OPTIONS})": f"""\
Ones on the diagonal of a matrix of zeros.

Args:
    n: the number of rows.
    m: the number of columns. Default: None, as many.
{DTYPE}
{REST}

Raises:
{NEGATIVE}

Example:
    >>> tapegrad.eye(2)
    tensor([[1., 0.],
            [0., 1.]])
""",
    f"arange(end, {OPTIONS})\narange(start, end, step=1, {OPTIONS})": f"""\
Numbers at equal steps, without the end.

Formula: ``start + i * step`` for i = 0, ..., ``ceil((end - start) / step) - 1``.

Args:
    start: the first number. Default: 0.
    end: where to stop; it is not part of the result.
    step: the distance. Default: 1.
    dtype: the dtype. Default: None: int64 if all numbers are integers, otherwise the default dtype.
{REST}

Raises:
    RuntimeError: if the step is 0 or leads away from the end.

Example:
    >>> tapegrad.arange(5)
    tensor([0, 1, 2, 3, 4])
    >>> tapegrad.arange(1.0, 2.0, 0.5)
    tensor([1.0000, 1.5000])
""",
    f"linspace(start, end, steps, {OPTIONS})": f"""\
Numbers at equal distances, with both ends.

Args:
    start: the first number.
    end: the last one.
    steps: how many.
{DTYPE}
{REST}

Raises:
    RuntimeError: for a negative number of steps.

Example:
    >>> tapegrad.linspace(0, 1, 5)
    tensor([0.0000, 0.2500, 0.5000, 0.7500, 1.0000])
""",
    f"logspace(start, end, steps, base=10.0, {OPTIONS})": f"""\
Powers of a base with exponents at equal distances.

Args:
    start: the first exponent.
    end: the last one.
    steps: how many.
    base: the base. Default: 10.0.
{DTYPE}
{REST}

Raises:
    RuntimeError: for a negative number of steps.

Example:
    >>> tapegrad.logspace(0, 2, 3)
    tensor([  1.,  10., 100.])
""",
    "from_numpy(ndarray, /)": """\
A tensor on the memory of a NumPy array.

Args:
    ndarray: an array of float64, float32, float16, int64, int32, int16, int8, uint8 or bool.

Returns:
    A tensor: in-place changes of one are seen in the other.

Raises:
    TypeError: for other objects and other dtypes.
    ValueError: for negative strides, and strides that are no multiple of the element.

Example:
    >>> import numpy as np
    >>> a = np.array([1.0, 2.0])
    >>> x = tapegrad.from_numpy(a)
    >>> a[0] = 5
    >>> x
    tensor([5., 2.], dtype=tapegrad.float64)
""",
    "frombuffer(buffer, *, dtype, count=-1, offset=0, requires_grad=False)": """\
A 1-d tensor on the memory of an object with the buffer protocol.

Args:
    buffer: bytes, a bytearray, an array, ...
    dtype: how to read the memory.
    count: how many elements. Default: -1, all.
    offset: how many bytes to leave out at the start. Default: 0.
    requires_grad: whether operations on the tensor are recorded. Default: False.

Raises:
    ValueError: if the object has no buffer, or the elements do not fit.

Example:
    >>> tapegrad.frombuffer(bytearray([1, 2, 3]), dtype=tapegrad.uint8)
    tensor([1, 2, 3], dtype=tapegrad.uint8)
""",
    "from_dlpack(ext_tensor, *, device=None, copy=None)": """\
A tensor on the memory of another library's tensor, by the DLPack protocol.

Args:
    ext_tensor: an object with ``__dlpack__``, or a capsule.
    device: None or the CPU.
    copy: True for a copy, False to refuse one. Default: None.

Raises:
    BufferError: for other devices and dtypes.

Example:
    >>> import numpy as np
    >>> tapegrad.from_dlpack(np.array([1.0, 2.0]))
    tensor([1., 2.], dtype=tapegrad.float64)
""",
    f"rand(*size, {RANDOM[3:]})": _random("rand", "Uniform random numbers in [0, 1)", PHILOX),
    f"randn(*size, {RANDOM[3:]})": _random(
        "randn",
        "Normal random numbers with mean 0 and standard deviation 1",
        PHILOX[:-1] + ";\nfrom uniform ones by the method of Box and Muller, 1958.",
    ),
    f"rand_like(input, {RANDOM_LIKE})": _like(
        "Uniform random numbers in [0, 1)",
        True,
        "tapegrad.rand_like(tapegrad.zeros(2)).shape",
        "tapegrad.Size([2])",
    ),
    f"randn_like(input, {RANDOM_LIKE})": _like(
        "Normal random numbers with mean 0 and standard deviation 1",
        True,
        "tapegrad.randn_like(tapegrad.zeros(2)).shape",
        "tapegrad.Size([2])",
    ),
    f"randint(high, size, {RANDOM})\nrandint(low, high, size, {RANDOM})": f"""\
Random integers, each equally likely.

Args:
    low: the smallest. Default: 0.
    high: above the largest.
    size: a tuple or list of ints.
{GENERATOR}
    dtype: the dtype. Default: None, int64.
{REST}

Raises:
    RuntimeError: if ``low`` is not below ``high``, or the dtype cannot hold the numbers.

Example:
    >>> x = tapegrad.randint(3, 5, (100,))
    >>> x.min().item(), x.max().item()
    (3, 4)
""",
    f"randint_like(input, high, {RANDOM_LIKE})\n"
    f"randint_like(input, low, high, {RANDOM_LIKE})": f"""\
Random integers of the shape of a tensor, each equally likely.

Args:
    input: a tensor.
    low: the smallest. Default: 0.
    high: above the largest.
{GENERATOR}
{SAME}
{REST}
{FORMAT}

Raises:
    RuntimeError: if ``low`` is not below ``high``, or the dtype cannot hold the numbers.

Example:
    >>> tapegrad.randint_like(tapegrad.zeros(2, 3), 5).shape
    tapegrad.Size([2, 3])
""",
    f"randperm(n, {RANDOM})": f"""\
The numbers 0, ..., n - 1 in random order.

Args:
    n: how many.
{GENERATOR}
    dtype: the dtype. Default: None, int64.
{REST}

Raises:
    RuntimeError: if ``n`` is negative, or the dtype cannot hold the numbers.

Example:
    >>> tapegrad.randperm(5).sort().values
    tensor([0, 1, 2, 3, 4])
""",
    "manual_seed(seed)": """\
Start the default generator's stream of a seed.

Args:
    seed: an int of up to 64 bits; negative ones count from the end of that range.

Returns:
    The default generator.

Raises:
    ValueError: if the seed has more bits.

Example:
    >>> _ = tapegrad.manual_seed(0)
    >>> a = tapegrad.rand(3)
    >>> _ = tapegrad.manual_seed(0)
    >>> tapegrad.equal(a, tapegrad.rand(3))
    True
""",
    "seed()": """\
Start the default generator's stream of a seed from the operating system.

Returns:
    The seed.

Example:
    >>> tapegrad.seed() == tapegrad.initial_seed()
    True
""",
    "initial_seed()": """\
The seed from which the default generator's stream started.

Example:
    >>> _ = tapegrad.manual_seed(5)
    >>> tapegrad.initial_seed()
    5
""",
    "get_rng_state()": """\
The state of the default generator.

Returns:
    A uint8 tensor, for ``set_rng_state``.

Example:
    >>> state = tapegrad.get_rng_state()
    >>> a = tapegrad.rand(3)
    >>> tapegrad.set_rng_state(state)
    >>> tapegrad.equal(a, tapegrad.rand(3))
    True
""",
    "set_rng_state(new_state)": """\
Go on from a state of the default generator.

Args:
    new_state: what ``get_rng_state`` has given.

Raises:
    TypeError: if it is no uint8 tensor.
    RuntimeError: if it has the wrong size.

Example:
    >>> tapegrad.set_rng_state(tapegrad.get_rng_state())
""",
    "get_default_dtype()": """\
The dtype that Python's floats become.

Example:
    >>> tapegrad.get_default_dtype()
    tapegrad.float32
""",
    "set_default_dtype(d)": """\
Set the dtype that Python's floats become.

Args:
    d: float32, float64, float16 or bfloat16.

Raises:
    TypeError: for another dtype.

Example:
    >>> tapegrad.set_default_dtype(tapegrad.float64)
    >>> tapegrad.tensor(1.0).dtype
    tapegrad.float64
    >>> tapegrad.set_default_dtype(tapegrad.float32)
""",
    "get_num_threads()": """\
The number of threads that a long operation may use.

Example:
    >>> tapegrad.get_num_threads() >= 1
    True
""",
    "set_num_threads(count)": """\
Set the number of threads that a long operation may use.

Results have the same bits for any number.

Args:
    count: a positive int.

Raises:
    RuntimeError: if it is not positive.

Example:
    >>> tapegrad.set_num_threads(tapegrad.get_num_threads())
""",
    "reset_peak_memory()": """\
Let ``peak_bytes`` of ``tapegrad.memory_stats()`` start anew from what is in use.

Example:
    >>> tapegrad.reset_peak_memory()
    >>> stats = tapegrad.memory_stats()
    >>> stats["peak_bytes"] == stats["allocated_bytes"]
    True
""",
    "empty_cache()": """\
Give memory that is kept for reuse back to the system.

Example:
    >>> tapegrad.empty_cache()
    >>> tapegrad.memory_stats()["cached_bytes"]
    0
""",
    "is_grad_enabled()": """\
Whether operations are recorded on this thread.

Example:
    >>> with tapegrad.no_grad():
    ...     tapegrad.is_grad_enabled()
    False
""",
    "is_inference_mode_enabled()": """\
Whether inference mode is on.

Example:
    >>> with tapegrad.inference_mode():
    ...     tapegrad.is_inference_mode_enabled()
    True
""",
    "is_anomaly_enabled()": """\
Whether anomaly mode is on.

Example:
    >>> tapegrad.is_anomaly_enabled()
    False
""",
    "is_anomaly_check_nan_enabled()": """\
Whether anomaly mode looks for NaN.

Example:
    >>> tapegrad.is_anomaly_check_nan_enabled()
    True
""",
}
