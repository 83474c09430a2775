"""Docstrings of element-wise functions: most are made from tables, a line or two for each."""

from __future__ import annotations

__all__ = ["DOCS"]

# name: (what it gives, formula, derivative as the tape records it, values of the example, result)
FLOAT_UNARY = {
    "exp": ("Exponential function", "e^x", "grad * result", "[0.0, 1.0]"),
    "exp2": ("Power of two", "2^x", "grad * result * 0.693147", "[0.0, 3.0]"),
    "expm1": (
        "Exponential function minus one, accurate for small numbers",
        "e^x - 1",
        "grad * (result + 1)",
        "[0.0, 1e-8]",
    ),
    "log": ("Natural logarithm", "ln(x); NaN for x < 0", "grad / self", "[1.0, 10.0]"),
    "log2": (
        "Logarithm with base 2",
        "ln(x) / ln(2); NaN for x < 0",
        "grad / (self * 0.693147)",
        "[1.0, 8.0]",
    ),
    "log10": (
        "Logarithm with base 10",
        "ln(x) / ln(10); NaN for x < 0",
        "grad / (self * 2.30259)",
        "[1.0, 100.0]",
    ),
    "log1p": (
        "Natural logarithm of one plus the number, accurate for small numbers",
        "ln(1 + x)",
        "grad / (self + 1)",
        "[0.0, 1e-8]",
    ),
    "sqrt": ("Square root", "x^(1/2); NaN for x < 0", "grad / (2 * result)", "[4.0, 2.0]"),
    "rsqrt": (
        "Reciprocal of the square root",
        "x^(-1/2)",
        "-0.5 * grad * (result * result * result)",
        "[4.0, 2.0]",
    ),
    "reciprocal": ("Reciprocal", "1 / x", "-grad * (result * result)", "[4.0, 0.5]"),
    "sin": ("Sine of an angle in radians", "sin(x)", "grad * cos(self)", "[0.0, 1.0]"),
    "cos": ("Cosine of an angle in radians", "cos(x)", "-grad * sin(self)", "[0.0, 1.0]"),
    "tan": (
        "Tangent of an angle in radians",
        "sin(x) / cos(x)",
        "grad * (1 + result * result)",
        "[0.0, 1.0]",
    ),
    "asin": (
        "Inverse sine, in [-pi/2, pi/2]",
        "y with sin(y) = x; NaN outside of [-1, 1]",
        "grad * rsqrt(1 - self * self)",
        "[0.0, 1.0]",
    ),
    "acos": (
        "Inverse cosine, in [0, pi]",
        "y with cos(y) = x; NaN outside of [-1, 1]",
        "-grad * rsqrt(1 - self * self)",
        "[0.0, 1.0]",
    ),
    "atan": (
        "Inverse tangent, in [-pi/2, pi/2]",
        "y with tan(y) = x",
        "grad / (self * self + 1)",
        "[0.0, 1.0]",
    ),
    "sinh": ("Hyperbolic sine", "(e^x - e^-x) / 2", "grad * cosh(self)", "[0.0, 1.0]"),
    "cosh": ("Hyperbolic cosine", "(e^x + e^-x) / 2", "grad * sinh(self)", "[0.0, 1.0]"),
    "tanh": (
        "Hyperbolic tangent",
        "sinh(x) / cosh(x)",
        "grad * (1 - result * result)",
        "[0.0, 1.0]",
    ),
    "sigmoid": (
        "Logistic function",
        "1 / (1 + e^-x)",
        "grad * ((1 - result) * result)",
        "[0.0, 1.0]",
    ),
    "log_sigmoid": (
        "Logarithm of the logistic function, without overflow",
        "-ln(1 + e^-x)",
        "grad * sigmoid(-self)",
        "[0.0, -100.0]",
    ),
    "silu": (
        "Sigmoid linear unit (swish)",
        "x * sigmoid(x), see Elfwing et al., arXiv:1702.03118",
        "grad * (sigmoid(self) * (1 + self * (1 - sigmoid(self))))",
        "[0.0, 1.0]",
    ),
    "erf": (
        "Error function",
        "2 / sqrt(pi) * integral of e^(-t^2) from 0 to x (Abramowitz and Stegun, 7.1.1)",
        "grad * (exp(-(self * self)) * 1.12838)",
        "[0.0, 1.0]",
    ),
    "erfc": (
        "Complement of the error function, accurate for large numbers",
        "1 - erf(x) (Abramowitz and Stegun, 7.1.2)",
        "grad * (exp(-(self * self)) * -1.12838)",
        "[0.0, 1.0]",
    ),
}

NUMBER_UNARY = {
    "neg": ("Negative", "-x", "-grad", "[1, -2]"),
    "abs": ("Absolute value", "|x|", "grad * sign(self)", "[1, -2]"),
    "sign": ("Sign", "-1 for x < 0, 0 for 0 and NaN, 1 for x > 0", "0", "[3.0, -0.5, 0.0]"),
    "square": ("Square", "x^2", "grad * (2 * self)", "[3, -2]"),
    "relu": (
        "Rectified linear unit",
        "max(x, 0); NaN stays NaN",
        "where(result <= 0, 0, grad)",
        "[1.5, -2.0]",
    ),
    "floor": ("Largest integer that is not larger", "floor(x)", "0", "[1.5, -1.5]"),
    "ceil": ("Smallest integer that is not smaller", "ceil(x)", "0", "[1.5, -1.5]"),
    "trunc": ("Integer part", "sign(x) * floor(|x|)", "0", "[1.5, -1.5]"),
}

PREDICATES = {
    "isnan": ("Where the elements are NaN", "[1.0, math.nan]"),
    "isinf": ("Where the elements are infinite", "[1.0, -math.inf]"),
    "isfinite": ("Where the elements are neither infinite nor NaN", "[1.0, math.inf]"),
    "signbit": ("Where the elements have a minus sign, as -0.0 has", "[1.0, -0.0, -2.0]"),
    "logical_not": ("Where the elements are zero", "[1.0, 0.0]"),
}

# name: (what it gives, what is said of types, derivatives or "", two operands of the example)
BINARY = {
    "mul": ("Product", "self: grad * other, other: grad * self", "[1.0, 2.0]", "[3.0, 4.0]"),
    "maximum": (
        "Larger one of two elements; NaN if one of them is. Equal ones share the gradient evenly",
        "",
        "[1.0, 4.0]",
        "[3.0, 2.0]",
    ),
    "minimum": (
        "Smaller one of two elements; NaN if one of them is. Equal ones share the gradient evenly",
        "",
        "[1.0, 4.0]",
        "[3.0, 2.0]",
    ),
    "remainder": (
        "Remainder with the sign of the divisor: input - other * floor(input / other)",
        "self: grad, other: -grad * floor(self / other)",
        "[5.0, -5.0]",
        "[3.0, 3.0]",
    ),
    "fmod": (
        "Remainder with the sign of the dividend: input - other * trunc(input / other)",
        "self: grad, other: -grad * trunc(self / other)",
        "[5.0, -5.0]",
        "[3.0, 3.0]",
    ),
    "atan2": (
        "Angle of the point (other, input) in (-pi, pi]; integers become floats first",
        "self: grad * (other / (other * other + self * self)), "
        "other: -grad * (self / (self * self + other * other))",
        "[1.0, -1.0]",
        "[1.0, -1.0]",
    ),
    "floor_divide": ("Quotient rounded down; it has no derivative", "", "[5, -5]", "[3, 3]"),
    "bitwise_and": ("Bits that both have; integers and bool", "", "[12, 10]", "[10, 3]"),
    "bitwise_or": ("Bits that one of both has; integers and bool", "", "[12, 10]", "[10, 3]"),
    "bitwise_xor": ("Bits that exactly one has; integers and bool", "", "[12, 10]", "[10, 3]"),
    "bitwise_left_shift": ("Bits moved up: input * 2^other; integers", "", "[1, 3]", "[2, 1]"),
    "bitwise_right_shift": (
        "Bits moved down: floor(input / 2^other); integers",
        "",
        "[5, 8]",
        "[1, 2]",
    ),
}

COMPARISONS = {
    "eq": ("input == other", "[1.0, 2.0, 3.0]", "2.0"),
    "ne": ("input != other", "[1.0, 2.0, 3.0]", "2.0"),
    "lt": ("input < other", "[1.0, 2.0, 3.0]", "2.0"),
    "le": ("input <= other", "[1.0, 2.0, 3.0]", "2.0"),
    "gt": ("input > other", "[1.0, 2.0, 3.0]", "2.0"),
    "ge": ("input >= other", "[1.0, 2.0, 3.0]", "2.0"),
    "logical_and": ("both are not zero", "[0, 1, 2]", "1"),
    "logical_or": ("one of both is not zero", "[0, 1, 2]", "0"),
    "logical_xor": ("exactly one of both is not zero", "[0, 1, 2]", "1"),
}

# Printed results of the examples above.
RESULTS: dict[str, str] = {
    "exp": "tensor([1.0000, 2.7183])",
    "exp2": "tensor([1., 8.])",
    "expm1": "tensor([0.0000e+00, 1.0000e-08])",
    "log": "tensor([0.0000, 2.3026])",
    "log2": "tensor([0., 3.])",
    "log10": "tensor([0., 2.])",
    "log1p": "tensor([0.0000e+00, 1.0000e-08])",
    "sqrt": "tensor([2.0000, 1.4142])",
    "rsqrt": "tensor([0.5000, 0.7071])",
    "reciprocal": "tensor([0.2500, 2.0000])",
    "sin": "tensor([0.0000, 0.8415])",
    "cos": "tensor([1.0000, 0.5403])",
    "tan": "tensor([0.0000, 1.5574])",
    "asin": "tensor([0.0000, 1.5708])",
    "acos": "tensor([1.5708, 0.0000])",
    "atan": "tensor([0.0000, 0.7854])",
    "sinh": "tensor([0.0000, 1.1752])",
    "cosh": "tensor([1.0000, 1.5431])",
    "tanh": "tensor([0.0000, 0.7616])",
    "sigmoid": "tensor([0.5000, 0.7311])",
    "log_sigmoid": "tensor([  -0.6931, -100.0000])",
    "silu": "tensor([0.0000, 0.7311])",
    "erf": "tensor([0.0000, 0.8427])",
    "erfc": "tensor([1.0000, 0.1573])",
    "neg": "tensor([-1,  2])",
    "abs": "tensor([1, 2])",
    "sign": "tensor([ 1., -1.,  0.])",
    "square": "tensor([9, 4])",
    "relu": "tensor([1.5000, 0.0000])",
    "floor": "tensor([ 1., -2.])",
    "ceil": "tensor([ 2., -1.])",
    "trunc": "tensor([ 1., -1.])",
    "isnan": "tensor([False,  True])",
    "isinf": "tensor([False,  True])",
    "isfinite": "tensor([ True, False])",
    "signbit": "tensor([False,  True,  True])",
    "logical_not": "tensor([False,  True])",
    "mul": "tensor([3., 8.])",
    "maximum": "tensor([3., 4.])",
    "minimum": "tensor([1., 2.])",
    "remainder": "tensor([2., 1.])",
    "fmod": "tensor([ 2., -2.])",
    "atan2": "tensor([ 0.7854, -2.3562])",
    "floor_divide": "tensor([ 1, -2])",
    "bitwise_and": "tensor([8, 2])",
    "bitwise_or": "tensor([14, 11])",
    "bitwise_xor": "tensor([6, 9])",
    "bitwise_left_shift": "tensor([4, 6])",
    "bitwise_right_shift": "tensor([2, 2])",
    "eq": "tensor([False,  True, False])",
    "ne": "tensor([ True, False,  True])",
    "lt": "tensor([ True, False, False])",
    "le": "tensor([ True,  True, False])",
    "gt": "tensor([False, False,  True])",
    "ge": "tensor([False,  True,  True])",
    "logical_and": "tensor([False,  True,  True])",
    "logical_or": "tensor([False,  True,  True])",
    "logical_xor": "tensor([ True, False, False])",
}

REFUSED = "\n    RuntimeError: for {}."

OPERANDS = """    input: a tensor or a number.
    other: a tensor or a number; shapes broadcast.

Returns:
    A tensor of the broadcast shape and of the promoted dtype.

Raises:
    RuntimeError: if the shapes do not broadcast."""


def _unary(name: str, row: tuple[str, str, str, str], domain: str, refused: str = "") -> str:
    summary, formula, derivative, values = row
    return f"""\
{summary} of each element.

Formula: ``{formula}``. Derivative: ``{derivative}``.

Args:
    input: a tensor of any shape. {domain}

Returns:
    A new tensor of the same shape.

Raises:
    TypeError: if ``input`` is not a tensor.{refused}

Example:
    >>> tapegrad.{name}(tapegrad.tensor({values}))
    {RESULTS[name]}
"""


def _predicate(name: str, summary: str, values: str) -> str:
    return f"""\
{summary}.

Args:
    input: a tensor of any shape and dtype.

Returns:
    A bool tensor of the same shape.

Example:
    >>> import math
    >>> tapegrad.{name}(tapegrad.tensor({values}))
    {RESULTS[name]}
"""


def _binary(name: str, summary: str, derivative: str, a: str, b: str) -> str:
    text = f"Derivatives: ``{derivative}``.\n\n" if derivative else ""
    return f"""\
{summary}.

{text}Args:
{OPERANDS}

Example:
    >>> tapegrad.{name}(tapegrad.tensor({a}), tapegrad.tensor({b}))
    {RESULTS[name]}
"""


def _comparison(name: str, condition: str, a: str, b: str) -> str:
    return f"""\
Where {condition}, element by element.

Args:
    input: a tensor.
    other: a tensor or a number; shapes broadcast.

Returns:
    A bool tensor of the broadcast shape.

Raises:
    RuntimeError: if the shapes do not broadcast.

Example:
    >>> tapegrad.{name}(tapegrad.tensor({a}), {b})
    {RESULTS[name]}
"""


DOCS: dict[str, str] = {}
for _name, _row in FLOAT_UNARY.items():
    if _name in ("silu", "log_sigmoid"):
        _text = _unary(_name, _row, "Its dtype is floating-point.", REFUSED.format("integers"))
    else:
        _text = _unary(_name, _row, "Integers and bool are converted to the default dtype first.")
    DOCS[f"{_name}(input)"] = _text
for _name, _row in NUMBER_UNARY.items():
    DOCS[f"{_name}(input)"] = _unary(
        _name,
        _row,
        "The dtype stays what it is.",
        "" if _name == "sign" else REFUSED.format("bool"),
    )
for _name, (_summary, _values) in PREDICATES.items():
    DOCS[f"{_name}(input)"] = _predicate(_name, _summary, _values)
for _name, (_summary, _derivative, _a, _b) in BINARY.items():
    DOCS[f"{_name}(input, other)"] = _binary(_name, _summary, _derivative, _a, _b)
for _name, (_summary, _a, _b) in COMPARISONS.items():
    DOCS[f"{_name}(input, other)"] = _comparison(_name, _summary, _a, _b)

DOCS.update(
    {
        "bitwise_not(input)": """\
Each bit inverted; for bool, the logical negation.

Args:
    input: an integer or bool tensor.

Raises:
    NotImplementedError: for floating-point tensors.

Example:
    >>> tapegrad.bitwise_not(tapegrad.tensor([0, 5]))
    tensor([-1, -6])
""",
        "positive(input)": """\
The tensor itself, as ``+x``.

Args:
    input: a tensor of any shape.

Raises:
    RuntimeError: for bool tensors.

Example:
    >>> tapegrad.positive(tapegrad.tensor([1, -2]))
    tensor([ 1, -2])
""",
        "round(input, *, decimals=0)": """\
Each element rounded to the nearest number of some decimals, halves to the even one.

Args:
    input: a tensor of any shape; the dtype stays what it is.
    decimals: how many digits behind the point to keep; negative ones round to tens, hundreds, ...
        Default: 0. Other than 0 for floating-point tensors only.

Raises:
    NotImplementedError: for integers with ``decimals`` other than 0.

Example:
    >>> tapegrad.round(tapegrad.tensor([0.5, 1.5, -2.7]))
    tensor([ 0.,  2., -3.])
    >>> tapegrad.round(tapegrad.tensor([3.14159]), decimals=2)
    tensor([3.1400])
""",
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
        "add(input, other, *, alpha=1)": f"""\
Sum: ``input + alpha * other``.

Args:
{OPERANDS}

Example:
    >>> tapegrad.add(tapegrad.tensor([1.0, 2.0]), tapegrad.tensor([[10.0], [20.0]]))
    tensor([[11., 12.],
            [21., 22.]])
    >>> tapegrad.add(tapegrad.tensor([1.0, 2.0]), 3, alpha=2)
    tensor([7., 8.])
""",
        "sub(input, other, *, alpha=1)": f"""\
Difference: ``input - alpha * other``.

Args:
{OPERANDS}
        Two bool tensors have no difference either.

Example:
    >>> tapegrad.sub(tapegrad.tensor([1.0, 2.0]), tapegrad.tensor([3.0, 1.0]))
    tensor([-2.,  1.])
""",
        "rsub(input, other, *, alpha=1)": f"""\
Difference the other way round: ``other - alpha * input``.

Args:
{OPERANDS}
    alpha: factor of ``input``. Default: 1.

Example:
    >>> tapegrad.rsub(tapegrad.tensor([1.0, 2.0]), 10)
    tensor([9., 8.])
""",
        "div(input, other, *, rounding_mode=None)": f"""\
Quotient: ``input / other``.

Derivatives: ``self: grad / other, other: -grad * (self / other / other)``.

Args:
    rounding_mode: None for the true quotient, which is a float; ``"floor"`` or ``"trunc"`` to round
        down or towards zero, which keeps integers. Default: None.
{OPERANDS}
        Another ``rounding_mode``, or an integer divided by zero with one, is refused too.

Example:
    >>> tapegrad.div(tapegrad.tensor([7, -7]), 2)
    tensor([ 3.5000, -3.5000])
    >>> tapegrad.div(tapegrad.tensor([7, -7]), 2, rounding_mode="trunc")
    tensor([ 3, -3])
""",
        "pow(input, exponent)": """\
Power: ``input ** exponent``.

One of both may be a number. Derivatives: ``exponent * input^(exponent - 1)`` and
``input^exponent * ln(input)``, the latter taken as 0 where input is 0 and the exponent not
negative.

Args:
    input: a tensor or a number.
    exponent: a tensor or a number; shapes broadcast.

Returns:
    A tensor of the broadcast shape and of the promoted dtype.

Raises:
    RuntimeError: if the shapes do not broadcast, or for integers to a negative power.

Example:
    >>> tapegrad.pow(tapegrad.tensor([1.0, 2.0, 3.0]), 2)
    tensor([1., 4., 9.])
    >>> tapegrad.pow(2, tapegrad.tensor([1.0, 2.0, 3.0]))
    tensor([2., 4., 8.])
""",
        "where(condition, input, other)\nwhere(condition)": """\
Choose from two tensors by a condition, or find where it holds.

Args:
    condition: a bool tensor.
    input: taken where the condition holds; a tensor or a number.
    other: taken elsewhere; a tensor or a number. All shapes broadcast.

Returns:
    A tensor of the promoted dtype; without ``input`` and ``other``, what
    ``nonzero(condition, as_tuple=True)`` gives.

Raises:
    RuntimeError: if the condition is not bool, or the shapes do not broadcast.

Example:
    >>> x = tapegrad.tensor([1.0, -2.0, 3.0])
    >>> tapegrad.where(x > 0, x, 0.0)
    tensor([1., 0., 3.])
    >>> tapegrad.where(x > 0)
    (tensor([0, 2]),)
""",
        "clamp(input, min=None, max=None)": """\
Each element limited to a range.

The gradient passes where ``min <= x <= max``.

Args:
    input: a tensor of any shape.
    min: lower limit; a tensor, a number or None. Default: None.
    max: upper limit, which wins where it is below ``min``. Default: None.

Raises:
    RuntimeError: if both limits are None.

Example:
    >>> tapegrad.clamp(tapegrad.tensor([-2.0, 0.5, 3.0]), 0, 1)
    tensor([0.0000, 0.5000, 1.0000])
""",
        "clamp_min(input, min)": """\
Each element, but ``min`` where it is below.

Args:
    input: a tensor of any shape.
    min: a tensor or a number.

Example:
    >>> tapegrad.clamp_min(tapegrad.tensor([-2.0, 0.5]), 0)
    tensor([0.0000, 0.5000])
""",
        "clamp_max(input, max)": """\
Each element, but ``max`` where it is above.

Args:
    input: a tensor of any shape.
    max: a tensor or a number.

Example:
    >>> tapegrad.clamp_max(tapegrad.tensor([0.5, 3.0]), 1)
    tensor([0.5000, 1.0000])
""",
        "equal(input, other)": """\
Whether two tensors have the same shape and the same elements.

Args:
    input: a tensor.
    other: a tensor.

Returns:
    A Python bool. NaN is not equal to itself.

Example:
    >>> tapegrad.equal(tapegrad.tensor([1, 2]), tapegrad.tensor([1, 2]))
    True
""",
        "isclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False)": """\
Where two tensors are nearly equal.

Formula: ``|input - other| <= atol + rtol * |other|``.

Args:
    input: a tensor.
    other: a tensor of the same dtype; shapes broadcast.
    rtol: relative tolerance. Default: 1e-5.
    atol: absolute tolerance. Default: 1e-8.
    equal_nan: whether NaN is close to NaN. Default: False.

Returns:
    A bool tensor of the broadcast shape.

Raises:
    RuntimeError: if the dtypes differ or a tolerance is negative.

Example:
    >>> tapegrad.isclose(tapegrad.tensor([1.0, 2.0]), tapegrad.tensor([1.0, 2.1]))
    tensor([ True, False])
""",
        "allclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False)": """\
Whether all elements of two tensors are nearly equal.

Formula: ``|input - other| <= atol + rtol * |other|``.

Args:
    input: a tensor.
    other: a tensor of the same dtype; shapes broadcast.
    rtol: relative tolerance. Default: 1e-5.
    atol: absolute tolerance. Default: 1e-8.
    equal_nan: whether NaN is close to NaN. Default: False.

Returns:
    A Python bool.

Raises:
    RuntimeError: if the dtypes differ or a tolerance is negative.

Example:
    >>> tapegrad.allclose(tapegrad.tensor([1.0]), tapegrad.tensor([1.0 + 1e-7]))
    True
""",
        "result_type(tensor, other)": """\
The dtype that an operation on two operands would have.

Args:
    tensor: a tensor or a number. Numbers count only where their kind (bool, integer, float) is
        above that of all tensors, and 0-d tensors likewise beside others.
    other: a tensor or a number.

Example:
    >>> tapegrad.result_type(tapegrad.tensor([1, 2]), 1.5)
    tapegrad.float32
""",
        "promote_types(type1, type2)": """\
The smallest dtype that values of both dtypes can be converted to.

Args:
    type1: a dtype.
    type2: a dtype.

Example:
    >>> tapegrad.promote_types(tapegrad.int64, tapegrad.float32)
    tapegrad.float32
""",
        "can_cast(from_, to)": """\
Whether the rules allow to convert one dtype to another in place.

Args:
    from_: the dtype of the values.
    to: the dtype to convert to. Floats do not become integers, and nothing else becomes bool.

Example:
    >>> tapegrad.can_cast(tapegrad.float64, tapegrad.float32)
    True
    >>> tapegrad.can_cast(tapegrad.float32, tapegrad.int64)
    False
""",
        "clone(input, *, memory_format=None)": """\
A copy, through which gradients pass.

Args:
    input: a tensor.
    memory_format: ``tapegrad.contiguous_format`` for a copy in the order of the dimensions,
        ``tapegrad.channels_last`` (of 4 dimensions) or ``tapegrad.channels_last_3d`` (of 5); None
        and ``tapegrad.preserve_format`` keep the order that ``input`` has. Default: None.

Example:
    >>> x = tapegrad.tensor([1.0, 2.0])
    >>> y = tapegrad.clone(x)
    >>> _ = y.zero_()
    >>> x
    tensor([1., 2.])
""",
        "zero_(input)": """\
Set all elements to zero, in place.

Args:
    input: a tensor.

Returns:
    The tensor itself.

Raises:
    RuntimeError: for a leaf that requires gradients.

Example:
    >>> tapegrad.zero_(tapegrad.tensor([1.0, 2.0]))
    tensor([0., 0.])
""",
    }
)
