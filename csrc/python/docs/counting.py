"""Docstrings of ranks, counts, scans of extremes, distances and statistics."""

from __future__ import annotations

from reductions import DIM, DIMS, DTYPE, KEEPDIM, OUT_OF_RANGE

__all__ = ["DOCS"]

ONE_DIM = "    dim: a dimension, or None for all elements. Default: None."
P = "    p: the order of the norm: 0, 1, 2, infinity or any other number that is not negative."
WEIGHT = "    weight: how much each element counts, in the shape of ``input``. Default: None, 1."


def _running(name: str, word: str, values: str, places: str) -> str:
    return f"""\
The {word} of the elements up to each one, along a dimension, and where it is.

Args:
    input: a tensor.
{DIM}

Returns:
    A pair (``values``, ``indices``), the indices int64: of equal elements the last one. NaN counts
    as the {word}. The gradient goes to the elements at the indices.

Raises:
{OUT_OF_RANGE}

Example:
    >>> tapegrad.{name}(tapegrad.tensor([1.0, 3.0, 2.0]), 0)
    tapegrad.return_types.{name}(
    values=tensor([{values}]),
    indices=tensor([{places}]))
"""


def _quantile(name: str, nan: str, values: str, result: str) -> str:
    imports = "    >>> import math\n" if "math." in values else ""
    return f"""\
The value below which a part of the elements is, of all or along a dimension.

For n sorted elements that is the one of rank q (n - 1), or what stands for a rank between two.
{nan}

Args:
    input: a tensor of float32 or float64.
    q: the part, from 0 to 1: a number, or a 0-d or 1-d tensor of the same dtype.
{ONE_DIM}
{KEEPDIM}
    interpolation: what stands for a rank between two elements: ``"linear"``, ``"lower"``,
        ``"higher"``, ``"midpoint"`` or ``"nearest"`` (of two equally near ones that of even
        rank). Default: ``"linear"``.

Returns:
    A tensor, of which the first dimension is that of ``q`` if it has one.

Raises:
    RuntimeError: for other dtypes, a part out of range, or no elements.
{OUT_OF_RANGE}

Example:
{imports}    >>> tapegrad.{name}(tapegrad.tensor([{values}]), 0.5)
    {result}
"""


def _unique(name: str, order: str, what: str, result: str) -> str:
    return f"""\
{what}

Args:
    input: a tensor.
{order}    return_inverse: whether to give, too, where each element is there. Default: False.
    return_counts: whether to give, too, how many elements each stands for. Default: False.
    dim: the dimension whose slices are compared. Default: None, the elements.

Returns:
    The values, or a tuple of them and what else was asked for; without gradients. Each NaN
    differs from any other.

Raises:
{OUT_OF_RANGE}
    RuntimeError: for slices without elements.

Example:
    >>> tapegrad.{name}(tapegrad.tensor([2, 2, 1, 2]), return_counts=True)
    {result}
"""


def _trapezoid(name: str, what: str, result: str) -> str:
    return f"""\
{what} of sampled values, along a dimension, by the rule of trapezoids.

Formula: ``sum((x[i+1] - x[i]) * (y[i] + y[i+1]) / 2)``.

Args:
    y: the values.
    x: where they were sampled: for each value, or one vector for all.
    dx: how far the samples are from each other. Default: 1.
    dim: the dimension. Default: -1.

Raises:
    RuntimeError: for bool, or if a vector of places has another length.
{OUT_OF_RANGE}

Example:
    >>> tapegrad.{name}(tapegrad.tensor([1.0, 2.0, 4.0]))
    {result}
"""


DOCS: dict[str, str] = {
    "aminmax(input, *, dim=None, keepdim=False)": f"""\
The least and the greatest element, of all or along a dimension.

Equal ones share the gradient evenly.

Args:
    input: a tensor.
{ONE_DIM}
{KEEPDIM}

Returns:
    A pair (``min``, ``max``).

Raises:
    RuntimeError: if all are asked for and there is none.
{OUT_OF_RANGE} A dimension of size 0 has no extremes.

Example:
    >>> tapegrad.aminmax(tapegrad.tensor([3, 1, 2]))
    tapegrad.return_types.aminmax(
    min=tensor(1),
    max=tensor(3))
""",
    "cummax(input, dim)": _running("cummax", "maximum", "1., 3., 3.", "0, 1, 1"),
    "cummin(input, dim)": _running("cummin", "minimum", "1., 1., 1.", "0, 0, 0"),
    "logcumsumexp(input, dim)": f"""\
Logarithms of the sums of exponentials of the elements up to each one, along a dimension.

Formula: ``y[k] = log(sum(exp(x[i]) for i <= k))``, without overflow.

Args:
    input: a floating-point tensor.
{DIM}

Raises:
    NotImplementedError: for integers and bool.
{OUT_OF_RANGE}

Example:
    >>> tapegrad.logcumsumexp(tapegrad.tensor([0.0, 0.0]), 0)
    tensor([0.0000, 0.6931])
""",
    "mode(input, dim=-1, keepdim=False)": f"""\
The value that occurs most often along a dimension, and where: of several the least one.

Args:
    input: a tensor.
    dim: the dimension. Default: -1.
{KEEPDIM}

Returns:
    A pair (``values``, ``indices``), the indices int64: the last place of the value.

Raises:
{OUT_OF_RANGE} A dimension of size 0 has no values.

Example:
    >>> tapegrad.mode(tapegrad.tensor([1, 2, 2, 3]))
    tapegrad.return_types.mode(
    values=tensor(2),
    indices=tensor(2))
""",
    'quantile(input, q, dim=None, keepdim=False, *, interpolation="linear")': _quantile(
        "quantile", "Where there is a NaN, the result is NaN.", "1.0, 2.0, 4.0, 8.0", "tensor(3.)"
    ),
    'nanquantile(input, q, dim=None, keepdim=False, *, interpolation="linear")': _quantile(
        "nanquantile",
        "NaN counts for nothing; where all elements are NaN, the result is NaN.",
        "math.nan, 2.0, 4.0",
        "tensor(3.)",
    ),
    "nansum(input, dim=None, keepdim=False, *, dtype=None)": f"""\
Sum of the elements that are not NaN, of all or along dimensions.

Args:
    input: a tensor.
{DIMS}
{KEEPDIM}
{DTYPE}

Raises:
{OUT_OF_RANGE}

Example:
    >>> import math
    >>> tapegrad.nansum(tapegrad.tensor([1.0, math.nan, 2.0]))
    tensor(3.)
""",
    "nanmean(input, dim=None, keepdim=False, *, dtype=None)": f"""\
Mean of the elements that are not NaN, of all or along dimensions; NaN if there is none.

Args:
    input: a floating-point tensor.
{DIMS}
{KEEPDIM}
{DTYPE}

Raises:
    RuntimeError: for integers and bool.
{OUT_OF_RANGE}

Example:
    >>> import math
    >>> tapegrad.nanmean(tapegrad.tensor([1.0, math.nan, 2.0]))
    tensor(1.5000)
""",
    "msort(input)": """\
The elements in ascending order along the first dimension.

Args:
    input: a tensor. NaN counts as the largest number.

Example:
    >>> tapegrad.msort(tapegrad.tensor([[2, 1], [1, 3]]))
    tensor([[1, 1],
            [2, 3]])
""",
    "unique(input, sorted=True, return_inverse=False, return_counts=False, dim=None)": _unique(
        "unique",
        "    sorted: ignored; the values are always in ascending order. Default: True.\n",
        "The different elements, or slices along a dimension, in ascending order.",
        "(tensor([1, 2]), tensor([1, 3]))",
    ),
    "unique_consecutive(input, return_inverse=False, return_counts=False, dim=None)": _unique(
        "unique_consecutive",
        "",
        "The elements, or slices along a dimension, without those equal to the one before.",
        "(tensor([2, 1, 2]), tensor([2, 1, 1]))",
    ),
    "bincount(input, weights=None, minlength=0)": """\
How often each number from 0 on occurs.

Args:
    input: a vector of integers, none of them negative.
    weights: what each element adds to its count. Default: None, 1.
    minlength: the least length of the result. Default: 0.

Returns:
    A vector of int64; with weights of float64, or of float32 as they are.

Raises:
    RuntimeError: for negative numbers, other shapes, or weights of another length.
    NotImplementedError: for floating-point tensors and bool.

Example:
    >>> tapegrad.bincount(tapegrad.tensor([1, 3, 1]))
    tensor([0, 2, 0, 1])
""",
    "histc(input, bins=100, min=0, max=0)": """\
How many elements are in each of several bins of the same width.

Args:
    input: a tensor of float32 or float64. What is outside of the bins, and NaN, is left out.
    bins: how many bins. Default: 100.
    min: where the first one begins. Default: 0.
    max: where the last one ends; it holds that number, too. If it is ``min``, the bins reach from
        the least element to the greatest. Default: 0.

Returns:
    A vector of the dtype of ``input``.

Raises:
    RuntimeError: for fewer than one bin, or a range that is empty or not finite.
    NotImplementedError: for other dtypes.

Example:
    >>> tapegrad.histc(tapegrad.tensor([1.0, 2.0, 1.0]), bins=4, min=0, max=3)
    tensor([0., 2., 1., 0.])
""",
    "histogram(input, bins, *, weight=None, density=False)\n"
    "histogram(input, bins=100, *, range=None, weight=None, density=False)": f"""\
How many elements are in each of several bins, and the edges of these.

Args:
    input: a tensor of float32 or float64. What is outside of the bins, and NaN, is left out.
    bins: the edges, ascending, or how many bins of the same width. Default: 100.
    range: where the first bin begins and the last one ends; it holds that number, too. Default:
        None, from the least element to the greatest.
{WEIGHT}
    density: whether to divide by the sum of all and the widths of the bins. Default: False.

Returns:
    A pair (``hist``, ``bin_edges``).

Raises:
    RuntimeError: for fewer than one bin, a range that is not finite, or tensors that do not match.
    NotImplementedError: for other dtypes.

Example:
    >>> tapegrad.histogram(tapegrad.tensor([1.0, 2.0, 1.0]), tapegrad.tensor([0.0, 1.5, 3.0]))
    tapegrad.return_types.histogram(
    hist=tensor([2., 1.]),
    bin_edges=tensor([0.0000, 1.5000, 3.0000]))
""",
    "searchsorted(sorted_sequence, input, *, out_int32=False, right=False, side=None, "
    "sorter=None)": """\
Where values would go into sorted sequences: before the first element that is not less.

Args:
    sorted_sequence: ascending elements along the last dimension. A vector serves all values,
        otherwise each row serves those of the same row.
    input: the values: a tensor or a number.
    out_int32: whether the result is int32, not int64. Default: False.
    right: whether equal elements come before the value. Default: False.
    side: ``"right"`` or ``"left"``, which say the same. Default: None.
    sorter: the order in which the sequence is sorted, as ``argsort`` gives it. Default: None.

Raises:
    RuntimeError: if the shapes do not match, or ``side`` contradicts ``right``.
    NotImplementedError: for bool.

Example:
    >>> tapegrad.searchsorted(tapegrad.tensor([1, 3, 5]), tapegrad.tensor([3, 6]))
    tensor([1, 3])
""",
    "bucketize(input, boundaries, *, out_int32=False, right=False)": """\
In which of the buckets between boundaries values are.

Args:
    input: the values: a tensor or a number.
    boundaries: an ascending vector.
    out_int32: whether the result is int32, not int64. Default: False.
    right: whether a value equal to a boundary is in the bucket behind it. Default: False.

Raises:
    RuntimeError: if the boundaries are no vector.
    NotImplementedError: for bool.

Example:
    >>> tapegrad.bucketize(tapegrad.tensor([0, 3, 4]), tapegrad.tensor([1, 3]))
    tensor([0, 1, 2])
""",
    'cdist(x1, x2, p=2.0, compute_mode="use_mm_for_euclid_dist_if_necessary")': f"""\
The distance of each point of one set to each point of another: the norm of the difference.

The gradient at points that are the same is zero.

Args:
    x1: the points, as rows, in batches that broadcast.
    x2: the other points.
{P}
        Default: 2.
    compute_mode: ``"use_mm_for_euclid_dist_if_necessary"``, ``"use_mm_for_euclid_dist"`` or
        ``"donot_use_mm_for_euclid_dist"``: without effect, all digits are kept in any case.

Returns:
    A tensor with a row for each point of ``x1`` and a column for each point of ``x2``.

Raises:
    RuntimeError: for integers, for points of different sizes or dtypes, or a negative ``p``.
    ValueError: for another ``compute_mode``.

Example:
    >>> tapegrad.cdist(tapegrad.tensor([[0.0, 0.0]]), tapegrad.tensor([[3.0, 4.0], [0.0, 1.0]]))
    tensor([[5., 1.]])
""",
    "pdist(input, p=2)": f"""\
The distance of each pair of rows of a matrix: what is above the diagonal of ``cdist``.

Args:
    input: a floating-point matrix.
{P}
        Default: 2.

Raises:
    RuntimeError: for other shapes and dtypes, or a negative ``p``.

Example:
    >>> tapegrad.pdist(tapegrad.tensor([[0.0], [1.0], [3.0]]))
    tensor([1., 3., 2.])
""",
    "dist(input, other, p=2)": """\
The norm of the difference of two tensors.

Formula: ``sum(abs(x - y) ** p) ** (1 / p)``.

Args:
    input: a tensor.
    other: a tensor; shapes broadcast.
    p: the order of the norm. Default: 2.

Raises:
    RuntimeError: for integers and bool.

Example:
    >>> tapegrad.dist(tapegrad.tensor([0.0, 0.0]), tapegrad.tensor([3.0, 4.0]))
    tensor(5.)
""",
    "renorm(input, p, dim, maxnorm)": f"""\
A tensor whose slices along a dimension have norms that are not larger than a number.

Those that are longer are multiplied by ``maxnorm / (norm + 1e-7)``.

Args:
    input: a floating-point tensor of two dimensions or more.
    p: the order of the norm, positive.
    dim: the dimension whose slices are meant.
    maxnorm: the number.

Raises:
    RuntimeError: for fewer dimensions, or a norm that is not positive.
{OUT_OF_RANGE}

Example:
    >>> tapegrad.renorm(tapegrad.tensor([[3.0, 4.0], [0.0, 1.0]]), 2, 0, 1.0)
    tensor([[0.6000, 0.8000],
            [0.0000, 1.0000]])
""",
    "cov(input, *, correction=1, fweights=None, aweights=None)": """\
The covariances of variables, which are rows, over observations, which are columns.

Args:
    input: a matrix; a vector is one variable.
    correction: taken from the number of observations. Default: 1.
    fweights: how often each observation was made: integers. Default: None.
    aweights: how much each observation counts: floating-point numbers. Default: None.

Returns:
    A symmetric matrix; of one variable its variance.

Raises:
    RuntimeError: for more dimensions, for bool, or for weights that do not fit.

Example:
    >>> tapegrad.cov(tapegrad.tensor([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]]))
    tensor([[ 1., -1.],
            [-1.,  1.]])
""",
    "corrcoef(input)": """\
The correlations of variables, which are rows, over observations, which are columns.

Formula: ``cov[i, j] / sqrt(cov[i, i] * cov[j, j])``.

Args:
    input: a matrix; a vector is one variable.

Raises:
    RuntimeError: for more dimensions, or for bool.

Example:
    >>> tapegrad.corrcoef(tapegrad.tensor([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]]))
    tensor([[ 1., -1.],
            [-1.,  1.]])
""",
    "trapezoid(y, x, *, dim=-1)\ntrapezoid(y, *, dx=1, dim=-1)": _trapezoid(
        "trapezoid", "The integral", "tensor(4.5000)"
    ),
    "cumulative_trapezoid(y, x, *, dim=-1)\ncumulative_trapezoid(y, *, dx=1, dim=-1)": _trapezoid(
        "cumulative_trapezoid",
        "The integrals up to each but the first one",
        "tensor([1.5000, 4.5000])",
    ),
}
