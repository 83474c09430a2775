"""Docstrings of activation functions with parameters."""

from __future__ import annotations

__all__ = ["DOCS"]

DOCS: dict[str, str] = {
    "leaky_relu(input, negative_slope=0.01)": """\
Leaky rectified linear unit of each element.

Formula: ``x for x > 0, negative_slope * x otherwise`` (Maas et al., "Rectifier nonlinearities
improve neural network acoustic models", 2013).

Args:
    input: a floating-point tensor of any shape.
    negative_slope: the slope for negative numbers. Default: 0.01.

Raises:
    NotImplementedError: for integers and bool.

Example:
    >>> tapegrad.leaky_relu(tapegrad.tensor([1.0, -2.0]), 0.1)
    tensor([ 1.0000, -0.2000])
""",
    "elu(input, alpha=1.0)": """\
Exponential linear unit of each element.

Formula: ``x for x > 0, alpha * (e^x - 1) otherwise`` (Clevert et al., arXiv:1511.07289).

Args:
    input: a floating-point tensor of any shape.
    alpha: minus the limit for large negative numbers. Default: 1.0.

Raises:
    NotImplementedError: for integers and bool.

Example:
    >>> tapegrad.elu(tapegrad.tensor([1.0, -1.0]))
    tensor([ 1.0000, -0.6321])
""",
    'gelu(input, *, approximate="none")': """Gaussian error linear unit of each element.

Formula: ``x * P(X <= x)`` with a standard normal X (Hendrycks and Gimpel, arXiv:1606.08415).

Args:
    input: a floating-point tensor of any shape.
    approximate: ``"none"``, or ``"tanh"`` for the approximation by tanh of the same paper.
        Default: ``"none"``.

Raises:
    RuntimeError: for another ``approximate``, integers and bool.

Example:
    >>> tapegrad.gelu(tapegrad.tensor([1.0, -1.0]))
    tensor([ 0.8413, -0.1587])
""",
    "softplus(input, beta=1.0, threshold=20.0)": """\
Smooth form of the rectified linear unit of each element.

Formula: ``ln(1 + e^(beta * x)) / beta`` (Dugas et al., "Incorporating second-order functional
knowledge for better option pricing", 2000).

Args:
    input: a floating-point tensor of any shape.
    beta: how sharp the bend is. Default: 1.0.
    threshold: above ``beta * x`` of this the result is x itself. Default: 20.0.

Raises:
    NotImplementedError: for integers and bool.

Example:
    >>> tapegrad.softplus(tapegrad.tensor([0.0, 30.0]))
    tensor([ 0.6931, 30.0000])
""",
    "celu(input, alpha=1.0)": """\
Continuously differentiable exponential linear unit of each element.

Formula: ``x for x > 0, alpha * (e^(x / alpha) - 1) otherwise`` (Barron, arXiv:1704.07483).

Args:
    input: a floating-point tensor of any shape.
    alpha: minus the limit for large negative numbers. Default: 1.0.

Raises:
    NotImplementedError: for integers and bool.
    RuntimeError: if ``alpha`` is 0.

Example:
    >>> tapegrad.celu(tapegrad.tensor([1.0, -1.0]), 2.0)
    tensor([ 1.0000, -0.7869])
""",
    "hardtanh(input, min_val=-1, max_val=1)": """\
Each element limited to a range.

The gradient passes where ``min_val < x < max_val``.

Args:
    input: a tensor of any shape.
    min_val: lower limit. Default: -1.
    max_val: upper limit. Default: 1.

Raises:
    RuntimeError: for bool, and for a negative limit of unsigned integers.

Example:
    >>> tapegrad.hardtanh(tapegrad.tensor([-2.0, 0.5, 3.0]))
    tensor([-1.0000,  0.5000,  1.0000])
""",
    "softshrink(input, lambd=0.5)": """\
Each element brought nearer to 0.

Formula: ``x - lambd for x > lambd, x + lambd for x < -lambd, 0 otherwise``.

Args:
    input: a floating-point tensor of any shape.
    lambd: how much; not negative. Default: 0.5.

Raises:
    NotImplementedError: for integers and bool.
    RuntimeError: for a negative ``lambd``.

Example:
    >>> tapegrad.softshrink(tapegrad.tensor([-2.0, 0.25, 3.0]))
    tensor([-1.5000,  0.0000,  2.5000])
""",
    "hardshrink(input, lambd=0.5)": """\
Each element, but 0 where it is near 0.

Formula: ``0 for -lambd <= x <= lambd, x otherwise``.

Args:
    input: a floating-point tensor of any shape.
    lambd: what is near. Default: 0.5.

Raises:
    NotImplementedError: for integers and bool.

Example:
    >>> tapegrad.hardshrink(tapegrad.tensor([-2.0, 0.25, 3.0]))
    tensor([-2.,  0.,  3.])
""",
    "threshold(input, threshold, value)": """\
Each element, but a value where it is not above a threshold.

The gradient passes where ``x > threshold``.

Args:
    input: a tensor of any shape.
    threshold: a number.
    value: what stands for elements up to the threshold.

Raises:
    NotImplementedError: for bool.

Example:
    >>> tapegrad.threshold(tapegrad.tensor([-2.0, 0.25, 3.0]), 0.5, 0.0)
    tensor([0., 0., 3.])
""",
    "prelu(input, weight)": """\
Leaky rectified linear unit with slopes that are learned.

Formula: ``x for x > 0, weight * x otherwise`` (He et al., arXiv:1502.01852).

Args:
    input: a floating-point tensor of any shape.
    weight: one slope, or one for each channel (dimension 1); of the same dtype.

Raises:
    RuntimeError: if the dtypes differ, or the number of slopes is not that of the channels.

Example:
    >>> tapegrad.prelu(tapegrad.tensor([-2.0, 3.0]), tapegrad.tensor([0.25]))
    tensor([-0.5000,  3.0000])
""",
    "rrelu(input, lower=0.125, upper=0.3333333333333333, training=False, generator=None)": """\
Leaky rectified linear unit with random slopes.

Formula: ``x for x > 0, slope * x otherwise`` (Xu et al., arXiv:1505.00853).

Args:
    input: a floating-point tensor of any shape.
    lower: the smallest slope. Default: 1 / 8.
    upper: the largest slope. Default: 1 / 3.
    training: whether slopes are drawn, one for each element. Otherwise all are the mean of both
        limits. Default: False.
    generator: the stream of random numbers. Default: None, ``tapegrad.default_generator``.

Raises:
    RuntimeError: if ``lower`` is above ``upper``.

Example:
    >>> tapegrad.rrelu(tapegrad.tensor([-4.0, 3.0]), 0.25, 0.75)
    tensor([-2.,  3.])
""",
    "glu(input, dim=-1)": """\
Gated linear unit: one half times the logistic function of the other.

Formula: ``a * sigmoid(b)`` with the halves ``a`` and ``b`` of ``input`` (Dauphin et al.,
arXiv:1612.08083).

Args:
    input: a floating-point tensor.
    dim: the dimension that is halved. Default: -1.

Raises:
    RuntimeError: if the size of that dimension is odd.

Example:
    >>> tapegrad.glu(tapegrad.tensor([1.0, 2.0, 0.0, 100.0]))
    tensor([0.5000, 2.0000])
""",
}
