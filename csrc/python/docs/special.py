"""Docstrings of special functions and of element-wise operators of several operands."""

from __future__ import annotations

from elementwise import RESULTS as ELEMENTWISE_RESULTS
from elementwise import binary_text, unary_text

__all__ = ["DOCS"]

# As in elementwise.py; these are functions of tapegrad.special.
UNARY = {
    "erfcx": (
        "Scaled complement of the error function",
        "e^(x^2) * (1 - erf(x)) (DLMF 7.2.3)",
        "grad * (2 * (self * erfcx(self)) - 1.12838)",
        "[0.0, 10.0]",
    ),
    "ndtr": (
        "Distribution function of the standard normal distribution",
        "(1 + erf(x / sqrt(2))) / 2",
        "grad * normal_pdf(self)",
        "[0.0, -3.0]",
    ),
    "ndtri": (
        "Quantile of the standard normal distribution, the inverse of ``ndtr``",
        "y with ndtr(y) = x; infinite for 0 and 1, NaN beyond",
        "grad * (exp(result * result * 0.5) * 2.50663)",
        "[0.5, 0.975]",
    ),
    "log_ndtr": (
        "Logarithm of the distribution function of the standard normal distribution",
        "ln((1 + erf(x / sqrt(2))) / 2), without underflow",
        "grad * (0.797885 / erfcx(self * -0.707107))",
        "[0.0, -100.0]",
    ),
    "entr": (
        "Entropy",
        "-x * ln(x), 0 for x = 0, and -inf for x < 0",
        "grad * (-1 - log(self))",
        "[0.0, 0.5, 1.0]",
    ),
    "i0e": (
        "Scaled modified Bessel function of the first kind, of order 0",
        "e^-|x| * i0(x)",
        "grad * (i1e(self) - sign(self) * i0e(self))",
        "[0.0, 100.0]",
    ),
    "i1": (
        "Modified Bessel function of the first kind, of order 1",
        "x / 2 * sum of (x^2 / 4)^k / (k! * (k + 1)!) over k (DLMF 10.25.2)",
        "grad * (i0(self) - i1(self) / self)",
        "[0.0, 1.0]",
    ),
    "i1e": (
        "Scaled modified Bessel function of the first kind, of order 1",
        "e^-|x| * i1(x)",
        "grad * (i0e(self) - i1e(self) * (sign(self) + 1 / self))",
        "[0.0, 100.0]",
    ),
}
BINARY = {
    "xlog1py": (
        "Product of the first and ``log1p`` of the second, and 0 where the first is 0",
        "",
        "[0.0, 2.0]",
        "[-1.0, 0.5]",
    ),
    "zeta": (
        "Zeta function of Hurwitz, the sum of (other + k)^-input over k. It has no derivative in "
        "the first",
        "",
        "[2.0, 4.0]",
        "[1.0, 1.0]",
    ),
}

# Printed results of the examples.
RESULTS = {
    "erfcx": "tensor([1.0000, 0.0561])",
    "ndtr": "tensor([0.5000, 0.0013])",
    "ndtri": "tensor([0.0000, 1.9600])",
    "log_ndtr": "tensor([-6.9315e-01, -5.0055e+03])",
    "entr": "tensor([0.0000, 0.3466, -0.0000])",
    "i0e": "tensor([1.0000, 0.0399])",
    "i1": "tensor([0.0000, 0.5652])",
    "i1e": "tensor([0.0000, 0.0397])",
    "xlog1py": "tensor([0.0000, 0.8109])",
    "zeta": "tensor([1.6449, 1.0823])",
}

DOCS: dict[str, str] = {}
ELEMENTWISE_RESULTS.update({f"special_{name}": result for name, result in RESULTS.items()})
for _name, _row in UNARY.items():
    DOCS[f"special_{_name}(input)"] = unary_text(
        f"special_{_name}",
        _row,
        "Integers and bool are converted to the default dtype first.",
        path=f"special.{_name}",
    )
for _name, (_summary, _derivative, _a, _b) in BINARY.items():
    DOCS[f"special_{_name}(input, other)"] = binary_text(
        f"special_{_name}", _summary, _derivative, _a, _b, path=f"special.{_name}"
    )

DOCS.update(
    {
        "lerp(input, end, weight)\nlerp(input, end, weight)": """\
Linear interpolation: ``input + weight * (end - input)``.

Args:
    input: a floating-point tensor, the result for weight 0.
    end: a tensor of the same dtype, the result for weight 1.
    weight: a tensor of the same dtype, or a number. All shapes broadcast.

Raises:
    RuntimeError: if the dtypes differ, or the shapes do not broadcast.

Example:
    >>> tapegrad.lerp(tapegrad.tensor([0.0, 10.0]), tapegrad.tensor([1.0, 20.0]), 0.25)
    tensor([ 0.2500, 12.5000])
""",
        "addcmul(input, tensor1, tensor2, *, value=1)": """\
Sum with a product: ``input + value * tensor1 * tensor2``.

Args:
    input: a tensor.
    tensor1: the first factor.
    tensor2: the second factor. All shapes broadcast.
    value: a number, the third factor. Default: 1.

Raises:
    RuntimeError: if the shapes do not broadcast.

Example:
    >>> tapegrad.addcmul(tapegrad.ones(2), tapegrad.tensor([1.0, 2.0]), tapegrad.ones(2), value=0.5)
    tensor([1.5000, 2.0000])
""",
        "addcdiv(input, tensor1, tensor2, *, value=1)": """\
Sum with a quotient: ``input + value * tensor1 / tensor2``.

Args:
    input: a tensor.
    tensor1: the dividend.
    tensor2: the divisor. All shapes broadcast.
    value: a number, the factor of the dividend. Default: 1.

Raises:
    RuntimeError: if the shapes do not broadcast, or dividend and divisor are integers.

Example:
    >>> tapegrad.addcdiv(tapegrad.ones(2), tapegrad.tensor([1.0, 2.0]), tapegrad.full((2,), 4.0))
    tensor([1.2500, 1.5000])
""",
        "nan_to_num(input, nan=None, posinf=None, neginf=None)": """\
Each element, but numbers in the place of NaN and infinities.

The gradient passes where the element is finite.

Args:
    input: a tensor of any shape.
    nan: what stands for NaN. Default: None, which is 0.
    posinf: what stands for infinity. Default: None, the largest number of the dtype.
    neginf: what stands for negative infinity. Default: None, the smallest one.

Example:
    >>> import math
    >>> tapegrad.nan_to_num(tapegrad.tensor([1.0, math.nan, math.inf]), posinf=9.0)
    tensor([1., 0., 9.])
""",
        "logit(input, eps=None)": """\
Logarithm of the odds, the inverse of ``sigmoid``, of each element.

Formula: ``ln(x / (1 - x))``; NaN outside of [0, 1].

Args:
    input: a tensor of any shape. Integers and bool are converted to the default dtype first.
    eps: where given, the elements are limited to [eps, 1 - eps] first; the gradient is 0 beyond.
        Default: None.

Example:
    >>> tapegrad.logit(tapegrad.tensor([0.5, 0.9]))
    tensor([0.0000, 2.1972])
""",
        "angle(input)": """\
Angle of each element in the complex plane: pi for negative numbers, else 0; NaN for NaN.

Args:
    input: a tensor of any shape. Integers and bool are converted to the default dtype first.

Example:
    >>> tapegrad.angle(tapegrad.tensor([1.0, -2.0]))
    tensor([0.0000, 3.1416])
""",
        "copysign(input, other)": """\
The size of the first with the sign of the second.

The gradient has the sign that the change of signs gives it; it is 0 where ``input`` is.

Args:
    input: a tensor. Integers and bool are converted to the default dtype first.
    other: a tensor or a number, whose sign counts, also that of -0.0. Shapes broadcast.

Example:
    >>> tapegrad.copysign(tapegrad.tensor([1.0, -2.0]), tapegrad.tensor([-0.0, 3.0]))
    tensor([-1.,  2.])
""",
        "heaviside(input, values)": """\
Step function: 0 for negative elements, 1 for positive ones, ``values`` for 0.

It has no derivative.

Args:
    input: a tensor.
    values: a tensor of the same dtype; shapes broadcast.

Raises:
    RuntimeError: if the dtypes differ, or the shapes do not broadcast.

Example:
    >>> tapegrad.heaviside(tapegrad.tensor([-1.5, 0.0, 2.0]), tapegrad.tensor([0.5]))
    tensor([0.0000, 0.5000, 1.0000])
""",
        "igamma(input, other)": """\
Regularised lower incomplete gamma function P(input, other).

Formula: ``integral of t^(a - 1) * e^-t from 0 to x, divided by Gamma(a)`` with ``a`` the first and
``x`` the second operand (DLMF 8.2.4). It has a derivative in the second one alone.

Args:
    input: a floating-point tensor; NaN for negative numbers.
    other: a floating-point tensor; NaN for negative numbers. Shapes broadcast.

Example:
    >>> tapegrad.igamma(tapegrad.tensor([1.0, 2.0]), tapegrad.tensor([1.0, 1.0]))
    tensor([0.6321, 0.2642])
""",
        "igammac(input, other)": """\
Regularised upper incomplete gamma function Q(input, other), which is 1 - P(input, other).

Formula: ``integral of t^(a - 1) * e^-t from x on, divided by Gamma(a)`` with ``a`` the first and
``x`` the second operand (DLMF 8.2.4). It has a derivative in the second one alone.

Args:
    input: a floating-point tensor; NaN for negative numbers.
    other: a floating-point tensor; NaN for negative numbers. Shapes broadcast.

Example:
    >>> tapegrad.igammac(tapegrad.tensor([1.0, 2.0]), tapegrad.tensor([1.0, 1.0]))
    tensor([0.3679, 0.7358])
""",
        "polygamma(n, input)": """\
The n-th derivative of ``digamma`` at each element.

Formula: ``(-1)^(n + 1) * n! * sum of (x + k)^-(n + 1) over k`` for n > 0 (DLMF 25.11.12).

Args:
    n: the order, not negative.
    input: a tensor of any shape. Integers and bool are converted to the default dtype first.

Raises:
    RuntimeError: for a negative order.

Example:
    >>> tapegrad.polygamma(1, tapegrad.tensor([1.0, 0.5]))
    tensor([1.6449, 4.9348])
""",
        "mvlgamma(input, p)": """\
Logarithm of the multivariate gamma function of each element.

Formula: ``p * (p - 1) / 4 * ln(pi) + sum of lgamma(x - j / 2) over j < p`` (DLMF 35.3.4).

Args:
    input: a tensor of any shape. Integers are converted to the default dtype first.
    p: the dimension, at least 1.

Raises:
    RuntimeError: for bool, or p below 1.

Example:
    >>> tapegrad.mvlgamma(tapegrad.tensor([2.0, 3.0]), 2)
    tensor([0.4516, 1.5502])
""",
        "frexp(input)": """\
Mantissa and exponent of each element: ``input = mantissa * 2^exponent``.

Args:
    input: a floating-point tensor of any shape.

Returns:
    A pair (mantissa, exponent): numbers in [1/2, 1) with the sign of the element, or 0, and int32.

Raises:
    RuntimeError: for integers and bool.

Example:
    >>> tapegrad.frexp(tapegrad.tensor([3.0, -0.5])).mantissa
    tensor([ 0.7500, -0.5000])
""",
        "float_power(input, exponent)": """\
Power in float64: ``input ** exponent``.

Args:
    input: a tensor or a number.
    exponent: a tensor or a number; shapes broadcast.

Returns:
    A float64 tensor of the broadcast shape.

Raises:
    RuntimeError: if the shapes do not broadcast.

Example:
    >>> tapegrad.float_power(tapegrad.tensor([2, 3]), -1)
    tensor([0.5000, 0.3333], dtype=tapegrad.float64)
""",
        "real(input)": """\
The tensor itself, whose elements are real numbers.

Args:
    input: a tensor.

Example:
    >>> tapegrad.real(tapegrad.tensor([1.0, 2.0]))
    tensor([1., 2.])
""",
    }
)
for _name in ("conj", "resolve_conj", "resolve_neg"):
    DOCS[f"{_name}(input)"] = f"""\
The tensor itself, as its elements are real numbers.

Args:
    input: a tensor.

Example:
    >>> tapegrad.{_name}(tapegrad.tensor([1.0, 2.0]))
    tensor([1., 2.])
"""
