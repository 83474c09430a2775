"""Docstrings of reductions, sorting, linear algebra and the operators of networks."""

from __future__ import annotations

__all__ = ["DOCS"]

DIM = "    dim: a dimension; negative ones count from the end."
DIMS = "    dim: a dimension, several, or None for all. Default: None."
KEEPDIM = "    keepdim: whether reduced dimensions stay, with size 1. Default: False."
DTYPE = "    dtype: the dtype to convert to before. Default: None."
OUT_OF_RANGE = "    IndexError: if a dimension is out of range."
REDUCTION = """    reduction: ``"mean"``, ``"sum"`` or ``"none"``. Default: ``"mean"``."""


def _extreme(name: str, word: str) -> dict[str, str]:
    other = f"{name}imum"
    values, places = ("3., 5.", "1, 2") if name == "max" else ("1., 0.", "0, 0")
    return {
        f"{name}(input)\n{name}(input, other)\n{name}(input, dim, keepdim=False)": f"""\
The {word} element of all, or the {word} ones along a dimension with their indices.

``{name}(input, other)`` is ``{other}(input, other)``. NaN counts as the {word}. Along a dimension
the gradient goes to the element at the index, over all it is shared by all equal ones.

Args:
    input: a tensor.
{DIM}
{KEEPDIM}
    other: a tensor; shapes broadcast.

Returns:
    A 0-d tensor; with ``dim`` a pair (``values``, ``indices``), the indices int64.

Raises:
    RuntimeError: if all are asked for and there is none.
{OUT_OF_RANGE}

Example:
    >>> x = tapegrad.tensor([[1.0, 3.0, 2.0], [0.0, 4.0, 5.0]])
    >>> tapegrad.{name}(x, 1)
    tapegrad.return_types.{name}(
    values=tensor([{values}]),
    indices=tensor([{places}]))
""",
        f"a{name}(input, dim=None, keepdim=False)": f"""\
The {word} elements along dimensions.

Equal ones share the gradient evenly.

Args:
    input: a tensor.
{DIMS}
{KEEPDIM}

Raises:
{OUT_OF_RANGE} A dimension of size 0 has no {word} element.

Example:
    >>> tapegrad.a{name}(tapegrad.tensor([[1.0, 3.0, 2.0], [0.0, 4.0, 5.0]]), 1)
    tensor([{values}])
""",
        f"arg{name}(input, dim=None, keepdim=False)": f"""\
Index of the {word} element, of all or along a dimension.

Args:
    input: a tensor; not bool.
    dim: a dimension, or None for the index into the flattened tensor. Default: None.
{KEEPDIM}

Returns:
    An int64 tensor. Of equal elements the first one counts.

Raises:
{OUT_OF_RANGE} A dimension of size 0 has no {word} element.

Example:
    >>> tapegrad.arg{name}(tapegrad.tensor([[1.0, 3.0, 2.0], [0.0, 4.0, 5.0]]), 1)
    tensor([{places}])
""",
    }


def _spread_forms(name: str) -> str:
    return (
        f"{name}(input, dim=None, *, correction=None, keepdim=False)\n"
        f"{name}(input, unbiased)\n"
        f"{name}(input, dim, unbiased=True, keepdim=False)"
    )


def _spread(name: str, what: str, result: str) -> str:
    return f"""\
{what} of the elements, of all or along dimensions.

The squares of the deviations from the mean are
summed and divided by ``n - correction``; 1 is Bessel's correction.

Args:
    input: a floating-point tensor.
{DIMS}
    correction: taken from the number of elements. Default: None, for 1.
    unbiased: True stands for a correction of 1, False for 0.
{KEEPDIM}

Raises:
    RuntimeError: for integers and bool.
{OUT_OF_RANGE}

Example:
    >>> tapegrad.{name}(tapegrad.tensor([1.0, 2.0, 3.0, 6.0]), correction=0)
    {result}
"""


def _loss(name: str, what: str, formula: str, result: str) -> str:
    return f"""\
{what} of two tensors.

Formula: ``{formula}``, then the mean or the sum of all.

Args:
    input: a floating-point tensor.
    target: a tensor; shapes broadcast.
{REDUCTION}

Raises:
    ValueError: for another ``reduction``.
    RuntimeError: if the shapes do not broadcast.

Example:
    >>> tapegrad.{name}(tapegrad.tensor([1.0, 2.0]), tapegrad.tensor([1.0, 4.0]))
    {result}
"""


DOCS: dict[str, str] = {
    "sum(input, dim=None, keepdim=False, *, dtype=None)": f"""\
Sum of the elements, of all or along dimensions.

Added in pairs, so that the error grows with the logarithm of the number of elements.

Args:
    input: a tensor. Integers and bool are added as int64.
{DIMS}
{KEEPDIM}
{DTYPE}

Raises:
{OUT_OF_RANGE}

Example:
    >>> x = tapegrad.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> tapegrad.sum(x)
    tensor(10.)
    >>> tapegrad.sum(x, 0)
    tensor([4., 6.])
""",
    "mean(input, dim=None, keepdim=False, *, dtype=None)": f"""\
Mean of the elements, of all or along dimensions.

Args:
    input: a floating-point tensor.
{DIMS}
{KEEPDIM}
{DTYPE}

Raises:
    RuntimeError: for integers and bool, unless ``dtype`` is given.
{OUT_OF_RANGE}

Example:
    >>> tapegrad.mean(tapegrad.tensor([[1.0, 2.0], [3.0, 4.0]]), 1)
    tensor([1.5000, 3.5000])
""",
    "prod(input, *, dtype=None)\nprod(input, dim, keepdim=False, *, dtype=None)": f"""\
Product of the elements, of all or along a dimension.

Args:
    input: a tensor. Integers and bool are multiplied as int64.
{DIM}
{KEEPDIM}
{DTYPE}

Raises:
{OUT_OF_RANGE}

Example:
    >>> tapegrad.prod(tapegrad.tensor([2.0, 3.0, 4.0]))
    tensor(24.)
""",
    _spread_forms("var"): _spread("var", "Variance", "tensor(3.5000)"),
    _spread_forms("std"): _spread("std", "Standard deviation", "tensor(1.8708)"),
    _spread_forms("var_mean"): _spread(
        "var_mean", "Variance and mean", "(tensor(3.5000), tensor(3.))"
    ),
    _spread_forms("std_mean"): _spread(
        "std_mean", "Standard deviation and mean", "(tensor(1.8708), tensor(3.))"
    ),
    'norm(input, p="fro", dim=None, keepdim=False, dtype=None)': f"""\
Norm of the elements as a vector, of all or along dimensions.

Formula: ``(sum of |x|^p)^(1/p)``; the limits for p = inf, -inf and 0 are the largest and the
smallest absolute value, and how many elements are not 0.

Args:
    input: a floating-point tensor.
    p: the order; ``"fro"`` and None stand for 2, ``"nuc"`` for the sum of the singular values of
        matrices. Default: ``"fro"``.
{DIMS}
{KEEPDIM}
{DTYPE}

Raises:
    RuntimeError: for integers and bool, or another name of an order.

Example:
    >>> tapegrad.norm(tapegrad.tensor([3.0, 4.0]))
    tensor(5.)
""",
    "logsumexp(input, dim, keepdim=False)": f"""\
Logarithm of the sum of exponentials along dimensions, without overflow.

Formula: ``m + ln(sum of e^(x - m))`` with the largest element m.

Args:
    input: a tensor.
    dim: a dimension or several.
{KEEPDIM}

Raises:
{OUT_OF_RANGE}

Example:
    >>> tapegrad.logsumexp(tapegrad.tensor([1000.0, 1000.0]), 0)
    tensor(1000.6932)
""",
    **_extreme("max", "largest"),
    **_extreme("min", "smallest"),
    "any(input, dim=None, keepdim=False)": f"""\
Whether any element is not zero, of all or along dimensions.

Of no dimensions, ``dim=()``, each element is asked.

Args:
    input: a tensor of any dtype.
{DIMS}
{KEEPDIM}

Returns:
    A bool tensor (uint8 for uint8).

Example:
    >>> tapegrad.any(tapegrad.tensor([[True, False], [False, False]]), 1)
    tensor([ True, False])
""",
    "all(input, dim=None, keepdim=False)": f"""\
Whether no element is zero, of all or along dimensions.

Of no dimensions, ``dim=()``, each element is asked.

Args:
    input: a tensor of any dtype.
{DIMS}
{KEEPDIM}

Returns:
    A bool tensor (uint8 for uint8).

Example:
    >>> tapegrad.all(tapegrad.tensor([[True, False], [True, True]]), 1)
    tensor([False,  True])
""",
    "count_nonzero(input, dim=None)": f"""\
How many elements are not zero, of all or along dimensions.

Args:
    input: a tensor of any dtype.
{DIMS}

Returns:
    An int64 tensor.

Example:
    >>> tapegrad.count_nonzero(tapegrad.tensor([[1, 0], [2, 3]]), 0)
    tensor([2, 1])
""",
    "cumsum(input, dim, *, dtype=None)": f"""\
Sums of the elements up to each one, along a dimension.

Args:
    input: a tensor. Integers and bool are added as int64.
{DIM}
{DTYPE}

Example:
    >>> tapegrad.cumsum(tapegrad.tensor([1, 2, 3]), 0)
    tensor([1, 3, 6])
""",
    "cumprod(input, dim, *, dtype=None)": f"""\
Products of the elements up to each one, along a dimension.

Args:
    input: a tensor. Integers and bool are multiplied as int64.
{DIM}
{DTYPE}

Example:
    >>> tapegrad.cumprod(tapegrad.tensor([1, 2, 3]), 0)
    tensor([1, 2, 6])
""",
    "sum_to_size(input, *size)": """\
Sum along the dimensions that broadcasting from a size would have stretched.

Args:
    input: a tensor.
    size: the size to reach.

Raises:
    RuntimeError: if ``size`` does not broadcast to the shape of ``input``.

Example:
    >>> tapegrad.sum_to_size(tapegrad.ones(3, 2), (1, 2))
    tensor([[3., 3.]])
""",
    "median(input)\nmedian(input, dim=-1, keepdim=False)": """\
The element in the middle of all, or along a dimension: the lower one of two.

Args:
    input: a tensor of numbers.
    dim: the dimension. Default of the second form: -1.
    keepdim: keep the dimension with size 1. Default: False.

Returns:
    A tensor of one element; of the second form a pair (``values``, ``indices``), the indices int64.
    NaN where there is one.

Raises:
    IndexError: if the dimension has no elements.
    NotImplementedError: for bool.

Example:
    >>> tapegrad.median(tapegrad.tensor([4.0, 1.0, 3.0, 2.0]))
    tensor(2.)
    >>> tapegrad.median(tapegrad.tensor([[1.0, 5.0, 3.0]]), 1)
    tapegrad.return_types.median(
    values=tensor([3.]),
    indices=tensor([2]))
""",
    "nanmedian(input)\nnanmedian(input, dim=-1, keepdim=False)": """\
As :func:`median`, without the elements that are NaN.

Args:
    input: a tensor of numbers.
    dim: the dimension. Default of the second form: -1.
    keepdim: keep the dimension with size 1. Default: False.

Returns:
    A tensor of one element; of the second form a pair (``values``, ``indices``), the indices int64.
    NaN where all elements are.

Raises:
    IndexError: if the dimension has no elements.
    NotImplementedError: for bool.

Example:
    >>> tapegrad.nanmedian(tapegrad.tensor([-1.0, 1.0, 9.0, 4.0]).sqrt())
    tensor(2.)
""",
    "kthvalue(input, k, dim=-1, keepdim=False)": """\
The k-th smallest element along a dimension, and where it is.

Args:
    input: a tensor of numbers.
    k: the rank, from 1.
    dim: the dimension. Default: -1.
    keepdim: keep the dimension with size 1. Default: False.

Returns:
    A pair (``values``, ``indices``), the indices int64. NaN counts as the largest.

Raises:
    RuntimeError: if there are fewer than k elements along the dimension.
    NotImplementedError: for bool.

Example:
    >>> tapegrad.kthvalue(tapegrad.tensor([4.0, 1.0, 3.0]), 2)
    tapegrad.return_types.kthvalue(
    values=tensor(3.),
    indices=tensor(2))
""",
    "isin(elements, test_elements, *, assume_unique=False, invert=False)": """\
Whether each element is equal to one of some others.

Args:
    elements: a tensor, or a number.
    test_elements: what is looked for: a tensor of any shape, or a number.
    assume_unique: ignored: repeated elements cost nothing.
    invert: whether each element is none of the others. Default: False.

Returns:
    A bool tensor of the shape of ``elements``. NaN equals nothing.

Raises:
    RuntimeError: for bool tensors.

Example:
    >>> tapegrad.isin(tapegrad.tensor([1, 2, 3]), tapegrad.tensor([3, 1]))
    tensor([ True, False,  True])
""",
    "sort(input, dim=-1, descending=False, stable=False)": """\
The elements in order along a dimension, with their indices.

Args:
    input: a tensor.
    dim: the dimension. Default: -1.
    descending: largest first. Default: False.
    stable: ignored: equal elements always keep their order.

Returns:
    A pair (``values``, ``indices``), the indices int64. NaN counts as the largest.

Example:
    >>> tapegrad.sort(tapegrad.tensor([3.0, 1.0, 2.0]))
    tapegrad.return_types.sort(
    values=tensor([1., 2., 3.]),
    indices=tensor([1, 2, 0]))
""",
    "argsort(input, dim=-1, descending=False, stable=False)": """\
The indices that put the elements in order along a dimension.

Args:
    input: a tensor.
    dim: the dimension. Default: -1.
    descending: largest first. Default: False.
    stable: ignored: equal elements always keep their order.

Returns:
    An int64 tensor.

Example:
    >>> tapegrad.argsort(tapegrad.tensor([3.0, 1.0, 2.0]))
    tensor([1, 2, 0])
""",
    "topk(input, k, dim=-1, largest=True, sorted=True)": """\
The k largest elements along a dimension, with their indices.

Args:
    input: a tensor.
    k: how many.
    dim: the dimension. Default: -1.
    largest: False for the smallest ones. Default: True.
    sorted: ignored: the result is always in order.

Returns:
    A pair (``values``, ``indices``), the indices int64.

Raises:
    RuntimeError: if there are not k elements.

Example:
    >>> tapegrad.topk(tapegrad.tensor([3.0, 1.0, 2.0]), 2)
    tapegrad.return_types.topk(
    values=tensor([3., 2.]),
    indices=tensor([0, 2]))
""",
    "matmul(input, other)": """\
Product of matrices, as ``input @ other``.

Args:
    input: a tensor (..., n, k); 1-d is a row vector, which the result leaves out.
    other: a tensor (..., k, m) of the same dtype; 1-d is a column vector. Leading dimensions
        broadcast.

Returns:
    A tensor (..., n, m).

Raises:
    RuntimeError: if the shapes do not fit or the dtypes differ.

Example:
    >>> tapegrad.matmul(tapegrad.tensor([[1.0, 2.0], [3.0, 4.0]]), tapegrad.tensor([1.0, 1.0]))
    tensor([3., 7.])
""",
    "mm(input, mat2)": """\
Product of two matrices.

Args:
    input: a matrix (n, k).
    mat2: a matrix (k, m) of the same dtype.

Raises:
    RuntimeError: if the shapes do not fit or the dtypes differ.

Example:
    >>> tapegrad.mm(tapegrad.tensor([[1.0, 2.0]]), tapegrad.tensor([[3.0], [4.0]]))
    tensor([[11.]])
""",
    "bmm(input, mat2)": """\
Products of the matrices of two batches.

Args:
    input: a tensor (b, n, k).
    mat2: a tensor (b, k, m) of the same dtype.

Raises:
    RuntimeError: if the shapes do not fit or the dtypes differ.

Example:
    >>> tapegrad.bmm(tapegrad.ones(2, 1, 3), tapegrad.ones(2, 3, 1)).flatten()
    tensor([3., 3.])
""",
    "mv(input, vec)": """\
Product of a matrix and a vector.

Args:
    input: a matrix (n, k).
    vec: a vector (k) of the same dtype.

Raises:
    RuntimeError: if the shapes do not fit or the dtypes differ.

Example:
    >>> tapegrad.mv(tapegrad.tensor([[1.0, 2.0], [3.0, 4.0]]), tapegrad.tensor([1.0, 1.0]))
    tensor([3., 7.])
""",
    "dot(input, tensor)": """\
Sum of the products of two vectors.

Args:
    input: a vector (n).
    tensor: a vector (n) of the same dtype.

Raises:
    RuntimeError: if the shapes do not fit or the dtypes differ.

Example:
    >>> tapegrad.dot(tapegrad.tensor([1.0, 2.0]), tapegrad.tensor([3.0, 4.0]))
    tensor(11.)
""",
    "inner(input, other)": """\
Sums of products along the last dimension of both tensors.

Args:
    input: a tensor (..., k).
    other: a tensor (..., k) of the same dtype.

Raises:
    RuntimeError: if the last sizes or the dtypes differ.

Example:
    >>> tapegrad.inner(tapegrad.tensor([[1.0, 2.0], [3.0, 4.0]]), tapegrad.tensor([1.0, 10.0]))
    tensor([21., 43.])
""",
    "outer(input, vec2)": """\
Products of all pairs of elements of two vectors.

Args:
    input: a vector (n).
    vec2: a vector (m).

Returns:
    A matrix (n, m).

Raises:
    RuntimeError: if an operand is not 1-d.

Example:
    >>> tapegrad.outer(tapegrad.tensor([1.0, 2.0]), tapegrad.tensor([3.0, 4.0]))
    tensor([[3., 4.],
            [6., 8.]])
""",
    "addmm(input, mat1, mat2, *, beta=1, alpha=1)": """\
Product of two matrices added to a tensor: ``beta * input + alpha * (mat1 @ mat2)``.

A factor of zero leaves out what it belongs to, infinities and NaN included. Factors of integers are
integers: they lose what is behind the point.

Args:
    input: a tensor that broadcasts to (n, m).
    mat1: a matrix (n, k) of the same dtype.
    mat2: a matrix (k, m) of the same dtype.
    beta: factor of ``input``. Default: 1.
    alpha: factor of the product. Default: 1.

Raises:
    RuntimeError: if the shapes do not fit or the dtypes differ.

Example:
    >>> tapegrad.addmm(tapegrad.ones(2), tapegrad.ones(1, 3), tapegrad.ones(3, 2), alpha=2)
    tensor([[7., 7.]])
""",
    "linear(input, weight, bias=None)": """\
Linear map of the last dimension: ``input @ weight.T + bias``.

Args:
    input: a tensor (..., in).
    weight: a matrix (out, in).
    bias: a vector (out), or None. Default: None.

Returns:
    A tensor (..., out).

Raises:
    RuntimeError: if the shapes do not fit or the dtypes differ.

Example:
    >>> tapegrad.linear(tapegrad.ones(1, 3), tapegrad.ones(2, 3), tapegrad.tensor([0.0, 10.0]))
    tensor([[ 3., 13.]])
""",
    "softmax(input, dim, dtype=None)": f"""\
Exponentials divided by their sum along a dimension, without overflow.

Formula: ``e^(x - m) / sum of e^(x - m)`` with the largest element m.

Args:
    input: a floating-point tensor.
{DIM}
{DTYPE}

Raises:
    NotImplementedError: for integers and bool.
{OUT_OF_RANGE}

Example:
    >>> tapegrad.softmax(tapegrad.tensor([0.0, 0.0]), 0)
    tensor([0.5000, 0.5000])
""",
    "log_softmax(input, dim, dtype=None)": f"""\
Logarithm of the softmax along a dimension, without overflow.

Formula: ``x - logsumexp(x)``.

Args:
    input: a floating-point tensor.
{DIM}
{DTYPE}

Raises:
    NotImplementedError: for integers and bool.
{OUT_OF_RANGE}

Example:
    >>> tapegrad.log_softmax(tapegrad.tensor([0.0, 0.0]), 0)
    tensor([-0.6931, -0.6931])
""",
    "layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-05, "
    "cudnn_enable=True)": """\
Normalise the last dimensions to mean 0 and variance 1, then scale and shift.

Formula: ``(x - mean) / sqrt(variance + eps) * weight + bias``; see Ba et al., arXiv:1607.06450.

Args:
    input: a floating-point tensor (..., *normalized_shape).
    normalized_shape: the sizes of the dimensions to normalise.
    weight: factors of the shape ``normalized_shape``, or None. Default: None.
    bias: summands of the shape ``normalized_shape``, or None. Default: None.
    eps: added to the variance. Default: 1e-5.
    cudnn_enable: accepted for compatibility.

Raises:
    NotImplementedError: for integers and bool.
    RuntimeError: if the shapes or dtypes do not fit.

Example:
    >>> tapegrad.layer_norm(tapegrad.tensor([[1.0, 3.0]]), (2,))
    tensor([[-1.0000,  1.0000]])
""",
    "rms_norm(input, normalized_shape, weight=None, eps=None)": """\
Divide the last dimensions by their root mean square, then scale.

Formula: ``x / sqrt(mean(x ** 2) + eps) * weight``; see Zhang and Sennrich, arXiv:1910.07467.

Args:
    input: a floating-point tensor (..., *normalized_shape).
    normalized_shape: the sizes of the dimensions to normalise.
    weight: factors of the shape ``normalized_shape``, or None. Default: None.
    eps: added to the mean square. Default: the distance from 1 to the next number of the dtype.

Raises:
    NotImplementedError: for integers and bool.
    RuntimeError: if the shapes or dtypes do not fit.

Example:
    >>> tapegrad.rms_norm(tapegrad.tensor([[3.0, 4.0]]), (2,)) * 12.5 ** 0.5
    tensor([[3., 4.]])
""",
    "group_norm(input, num_groups, weight=None, bias=None, eps=1e-05, cudnn_enabled=True)": """\
Normalise groups of channels to mean 0 and variance 1, each sample alone, then scale and shift.

Formula: ``(x - mean) / sqrt(variance + eps) * weight + bias``; see Wu and He, arXiv:1803.08494.

Args:
    input: a floating-point tensor (N, C, ...).
    num_groups: into how many groups the channels are divided; a divisor of C.
    weight: factors (C), or None. Default: None.
    bias: summands (C), or None. Default: None.
    eps: added to the variance. Default: 1e-5.
    cudnn_enabled: accepted for compatibility.

Raises:
    NotImplementedError: for integers and bool.
    RuntimeError: if the shapes or dtypes do not fit.

Example:
    >>> tapegrad.group_norm(tapegrad.tensor([[1.0, 3.0, 10.0, 30.0]]), 2)
    tensor([[-1.0000,  1.0000, -1.0000,  1.0000]])
""",
    "batch_norm(input, weight=None, bias=None, running_mean=None, running_var=None, "
    "training=False, momentum=0.1, eps=1e-05, cudnn_enabled=True)": """\
Normalise each channel over all samples and places, then scale and shift.

Formula: ``(x - mean) / sqrt(variance + eps) * weight + bias``; see Ioffe and Szegedy,
arXiv:1502.03167.

Args:
    input: a floating-point tensor (N, C, ...).
    weight: factors (C), or None.
    bias: summands (C), or None.
    running_mean: the means (C) that count outside of training, or None.
    running_var: the variances (C) that count outside of training, or None.
    training: whether mean and variance are those of the input. Then the running ones become
        ``(1 - momentum) * running + momentum * observed``, with the unbiased variance.
    momentum: see `training`. Default: 0.1.
    eps: added to the variance. Default: 1e-5.
    cudnn_enabled: accepted for compatibility.

Raises:
    NotImplementedError: for integers and bool.
    RuntimeError: if the shapes or dtypes do not fit, or running values are missing.

Example:
    >>> x = tapegrad.tensor([[1.0, 10.0], [3.0, 30.0]])
    >>> tapegrad.batch_norm(x, None, None, None, None, True, 0.1, 1e-5)
    tensor([[-1.0000, -1.0000],
            [ 1.0000,  1.0000]])
""",
    "instance_norm(input, weight=None, bias=None, running_mean=None, running_var=None, "
    "use_input_stats=True, momentum=0.1, eps=1e-05, cudnn_enabled=True)": """\
Normalise each channel of each sample over its places, then scale and shift.

Formula: ``(x - mean) / sqrt(variance + eps) * weight + bias``; see Ulyanov et al.,
arXiv:1607.08022.

Args:
    input: a floating-point tensor (N, C, ...).
    weight: factors (C), or None.
    bias: summands (C), or None.
    running_mean: the means (C) that count where the input's do not, or None.
    running_var: the variances (C) that count where the input's do not, or None.
    use_input_stats: whether mean and variance are those of the input; the running ones follow them.
    momentum: the share of the observed values in the running ones. Default: 0.1.
    eps: added to the variance. Default: 1e-5.
    cudnn_enabled: accepted for compatibility.

Raises:
    NotImplementedError: for integers and bool.
    RuntimeError: if the shapes or dtypes do not fit, or running values are missing.

Example:
    >>> x = tapegrad.tensor([[[1.0, 3.0], [10.0, 30.0]]])
    >>> tapegrad.instance_norm(x, None, None, None, None, True, 0.1, 1e-5)
    tensor([[[-1.0000,  1.0000],
             [-1.0000,  1.0000]]])
""",
    'cross_entropy(input, target, weight=None, reduction="mean", ignore_index=-100, '
    "label_smoothing=0.0)": f"""\
Cross entropy of logits and classes.

Formula: ``-log_softmax(input)[target]``; with label smoothing (Szegedy et al., arXiv:1512.00567)
the share ``label_smoothing`` of the target is spread evenly over all classes. The mean divides by
the sum of the weights.

Args:
    input: logits: (classes), (n, classes) or (n, classes, ...), floating-point.
    target: class numbers, int64, of the shape of ``input`` without its dimension of classes; or
        probabilities of the shape of ``input``.
    weight: one factor for each class, or None. Default: None.
{REDUCTION}
    ignore_index: a class number whose rows count for nothing. Default: -100.
    label_smoothing: in [0, 1]. Default: 0.0.

Raises:
    IndexError: if a class number is out of range.
    ValueError: if the batches differ in size.
    RuntimeError: if the shapes or dtypes do not fit otherwise.

Example:
    >>> logits = tapegrad.tensor([[2.0, 0.0], [0.0, 2.0]])
    >>> tapegrad.cross_entropy(logits, tapegrad.tensor([0, 1]))
    tensor(0.1269)
""",
    'nll_loss(input, target, weight=None, reduction="mean", ignore_index=-100)': f"""\
Minus the log-probability of each target class.

Formula: ``-weight[target] * input[target]``. The mean divides by the sum of the weights.

Args:
    input: log-probabilities: (classes), (n, classes) or (n, classes, ...), floating-point.
    target: class numbers, int64, of the shape of ``input`` without its dimension of classes.
    weight: one factor for each class, which gets no gradient, or None. Default: None.
{REDUCTION}
    ignore_index: a class number whose rows count for nothing. Default: -100.

Raises:
    IndexError: if a class number is out of range.
    ValueError: if the batches differ in size.
    RuntimeError: if the shapes or dtypes do not fit otherwise.

Example:
    >>> tapegrad.nll_loss(tapegrad.tensor([[-0.5, -1.0]]), tapegrad.tensor([1]))
    tensor(1.)
""",
    "dropout(input, p=0.5, train=True)": """\
Set elements to zero by chance, and scale the others by ``1 / (1 - p)``.

See Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", 2014.

Args:
    input: a floating-point tensor.
    p: the probability of an element to be zeroed. Default: 0.5.
    train: False leaves the tensor as it is. Default: True.

Raises:
    ValueError: if ``p`` is not in [0, 1].

Example:
    >>> tapegrad.dropout(tapegrad.ones(3), p=0.5, train=False)
    tensor([1., 1., 1.])
""",
    'mse_loss(input, target, reduction="mean")': _loss(
        "mse_loss", "Squared differences", "(input - target)^2", "tensor(2.)"
    ),
    'l1_loss(input, target, reduction="mean")': _loss(
        "l1_loss", "Absolute differences", "|input - target|", "tensor(1.)"
    ),
    'smooth_l1_loss(input, target, reduction="mean", beta=1.0)': f"""\
Squared differences below ``beta``, absolute ones above.

Formula: with ``d = |input - target|``: ``d^2 / (2 * beta)`` where ``d < beta``, else
``d - beta / 2``; then the mean or the sum of all. See Girshick, arXiv:1504.08083.

Args:
    input: a floating-point tensor.
    target: a tensor; shapes broadcast.
{REDUCTION}
    beta: where the two parts meet. Default: 1.0.

Raises:
    ValueError: for another ``reduction``.
    RuntimeError: if ``beta`` is negative, or if the shapes do not broadcast.
    NotImplementedError: for integers and bool.

Example:
    >>> tapegrad.smooth_l1_loss(tapegrad.tensor([0.0, 0.0]), tapegrad.tensor([1.0, 3.0]))
    tensor(1.5000)
""",
    "binary_cross_entropy_with_logits(input, target, weight=None, pos_weight=None, "
    'reduction="mean")': f"""Binary cross entropy of logits and probabilities, without overflow.

Formula: ``-(pos_weight * t * ln(s) + (1 - t) * ln(1 - s))`` with s = sigmoid(input) and the
target t.

Args:
    input: logits of any shape.
    target: probabilities of the same shape.
    weight: factors that broadcast, or None. Default: None.
    pos_weight: factors of the positive part that broadcast, or None. Default: None.
{REDUCTION}

Raises:
    ValueError: if the shapes differ.

Example:
    >>> logits = tapegrad.tensor([0.0, 100.0])
    >>> tapegrad.binary_cross_entropy_with_logits(logits, tapegrad.tensor([1.0, 1.0]))
    tensor(0.3466)
""",
}
