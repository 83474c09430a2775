"""Docstrings of element-wise functions: most are made from tables, a line or two for each."""

from __future__ import annotations

__all__ = ["DOCS", "RESULTS", "binary_text", "unary_text"]

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
    "hardsigmoid": (
        "Piecewise linear form of the logistic function",
        "min(max(x + 3, 0), 6) / 6, see Howard et al., arXiv:1905.02244",
        "where((self > -3) & (self < 3), grad / 6, 0)",
        "[-4.0, 0.0, 1.5]",
    ),
    "hardswish": (
        "Piecewise form of the sigmoid linear unit",
        "x * min(max(x + 3, 0), 6) / 6, see Howard et al., arXiv:1905.02244",
        "",
        "[-4.0, 1.0, 4.0]",
    ),
    "selu": (
        "Scaled exponential linear unit",
        "s * x for x > 0, s * a * (e^x - 1) otherwise, with s = 1.0507 and a = 1.67326, see "
        "Klambauer et al., arXiv:1706.02515",
        "",
        "[-1.0, 0.0, 1.0]",
    ),
    "mish": (
        "Mish, a smooth and non-monotonic unit",
        "x * tanh(ln(1 + e^x)), see Misra, arXiv:1908.08681",
        "",
        "[-1.0, 0.0, 1.0]",
    ),
    "asinh": (
        "Inverse hyperbolic sine",
        "y with sinh(y) = x",
        "grad / hypot(self, 1)",
        "[0.0, 1.0]",
    ),
    "acosh": (
        "Inverse hyperbolic cosine",
        "y >= 0 with cosh(y) = x; NaN for x < 1",
        "grad * (rsqrt(abs(self) - 1) * rsqrt(abs(self) + 1))",
        "[1.0, 2.0]",
    ),
    "atanh": (
        "Inverse hyperbolic tangent",
        "y with tanh(y) = x; NaN outside of [-1, 1]",
        "grad * ((1 / (1 - self) + 1 / (1 + self)) * 0.5)",
        "[0.0, 0.5]",
    ),
    "frac": (
        "Fractional part, with the sign of the number",
        "x - trunc(x)",
        "grad",
        "[1.5, -2.25]",
    ),
    "deg2rad": (
        "Radians of an angle in degrees",
        "x * pi / 180",
        "grad * 0.0174533",
        "[180.0, 90.0]",
    ),
    "rad2deg": ("Degrees of an angle in radians", "x * 180 / pi", "grad * 57.2958", "[1.0, 0.5]"),
    "sinc": (
        "Normalised sinc function",
        "sin(pi * x) / (pi * x), and 1 for x = 0",
        "grad * ((cos(self * 3.14159) - sinc(self)) / self)",
        "[0.0, 0.5, 1.0]",
    ),
    "erfinv": (
        "Inverse error function",
        "y with erf(y) = x; infinite for -1 and 1, NaN beyond",
        "grad * (exp(result * result) * 0.886227)",
        "[0.0, 0.5]",
    ),
    "lgamma": (
        "Logarithm of the absolute value of the gamma function",
        "ln|Gamma(x)| (DLMF 5.2.1)",
        "grad * digamma(self)",
        "[1.0, 0.5, 4.0]",
    ),
    "digamma": (
        "Digamma function, the derivative of ``lgamma``",
        "Gamma'(x) / Gamma(x) (DLMF 5.2.2)",
        "grad * polygamma(1, self)",
        "[1.0, 0.5]",
    ),
    "i0": (
        "Modified Bessel function of the first kind, of order 0",
        "sum of (x^2 / 4)^k / (k!)^2 over k (DLMF 10.25.2)",
        "grad * i1(self)",
        "[0.0, 1.0]",
    ),
}

NUMBER_UNARY = {
    "neg": ("Negative", "-x", "-grad", "[1, -2]"),
    "abs": ("Absolute value", "|x|", "grad * sign(self)", "[1, -2]"),
    "sign": ("Sign", "-1 for x < 0, 0 for 0 and NaN, 1 for x > 0", "0", "[3.0, -0.5, 0.0]"),
    "sgn": ("Sign", "-1 for x < 0, 0 for 0 and NaN, 1 for x > 0", "0", "[3.0, -0.5, 0.0]"),
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

FLOAT_ONLY = ("silu", "log_sigmoid", "hardsigmoid", "hardswish", "selu", "mish", "frac")

PREDICATES = {
    "isnan": ("Where the elements are NaN", "[1.0, math.nan]"),
    "isinf": ("Where the elements are infinite", "[1.0, -math.inf]"),
    "isfinite": ("Where the elements are neither infinite nor NaN", "[1.0, math.inf]"),
    "isposinf": ("Where the elements are positive infinity", "[1.0, math.inf, -math.inf]"),
    "isneginf": ("Where the elements are negative infinity", "[1.0, math.inf, -math.inf]"),
    "isreal": ("Where the elements are real numbers, which all are", "[1.0, 2.0]"),
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
    "xlogy": (
        "Product of the first and the logarithm of the second, and 0 where the first is 0",
        "",
        "[0.0, 2.0]",
        "[0.0, 1.5]",
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

# The same of tensors alone: no numbers.
OF_TENSORS = {
    "hypot": (
        "Length of the hypotenuse, sqrt(input^2 + other^2) for every magnitude",
        "",
        "[3.0, 5.0]",
        "[4.0, 12.0]",
    ),
    "ldexp": (
        "Product with a power of two: input * 2^other; integers become floats first",
        "self: ldexp(grad, other), other: grad * result * 0.693147",
        "[1.0, 3.0]",
        "[3, -1]",
    ),
    "nextafter": (
        "Next number from the first in the direction of the second",
        "self: where(self == other, 0, grad), other: 0",
        "[1.0, 0.0]",
        "[2.0, 0.0]",
    ),
    "logaddexp": (
        "Logarithm of the sum of the exponentials, without overflow: ln(e^input + e^other)",
        "self: grad * sigmoid(self - other), other: grad * sigmoid(other - self)",
        "[0.0, -1000.0]",
        "[0.0, -1000.0]",
    ),
    "logaddexp2": (
        "Logarithm of the sum of the powers of two, without overflow: log2(2^input + 2^other)",
        "",
        "[0.0, -1000.0]",
        "[0.0, -1000.0]",
    ),
    "fmax": (
        "Larger one of two elements, or the other one where one of them is NaN",
        "",
        "[1.0, math.nan]",
        "[3.0, 2.0]",
    ),
    "fmin": (
        "Smaller one of two elements, or the other one where one of them is NaN",
        "",
        "[1.0, math.nan]",
        "[3.0, 2.0]",
    ),
    "gcd": ("Greatest common divisor, not negative; integers", "", "[12, -4, 0]", "[18, 6, 3]"),
    "lcm": ("Least common multiple, not negative; integers", "", "[4, -3, 0]", "[6, 5, 3]"),
}
WITHOUT_IN_PLACE = ("logaddexp", "logaddexp2", "fmax", "fmin")

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
    "hardsigmoid": "tensor([0.0000, 0.5000, 0.7500])",
    "hardswish": "tensor([-0.0000, 0.6667, 4.0000])",
    "selu": "tensor([-1.1113,  0.0000,  1.0507])",
    "mish": "tensor([-0.3034,  0.0000,  0.8651])",
    "asinh": "tensor([0.0000, 0.8814])",
    "acosh": "tensor([0.0000, 1.3170])",
    "atanh": "tensor([0.0000, 0.5493])",
    "frac": "tensor([ 0.5000, -0.2500])",
    "deg2rad": "tensor([3.1416, 1.5708])",
    "rad2deg": "tensor([57.2958, 28.6479])",
    "sinc": "tensor([1.0000, 0.6366, -0.0000])",
    "erfinv": "tensor([0.0000, 0.4769])",
    "lgamma": "tensor([0.0000, 0.5724, 1.7918])",
    "digamma": "tensor([-0.5772, -1.9635])",
    "i0": "tensor([1.0000, 1.2661])",
    "sgn": "tensor([ 1., -1.,  0.])",
    "isposinf": "tensor([False,  True, False])",
    "isneginf": "tensor([False, False,  True])",
    "isreal": "tensor([True, True])",
    "xlogy": "tensor([0.0000, 0.8109])",
    "hypot": "tensor([ 5., 13.])",
    "ldexp": "tensor([8.0000, 1.5000])",
    "nextafter": "tensor([1.0000, 0.0000])",
    "logaddexp": "tensor([ 6.9315e-01, -9.9931e+02])",
    "logaddexp2": "tensor([   1., -999.])",
    "fmax": "tensor([3., 2.])",
    "fmin": "tensor([1., 2.])",
    "gcd": "tensor([6, 2, 3])",
    "lcm": "tensor([12, 15,  0])",
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

TENSORS = """    input: a tensor.
    other: a tensor; shapes broadcast.

Returns:
    A tensor of the broadcast shape and of the promoted dtype.

Raises:
    RuntimeError: if the shapes do not broadcast."""

OPERANDS = """    input: a tensor or a number.
    other: a tensor or a number; shapes broadcast.

Returns:
    A tensor of the broadcast shape and of the promoted dtype.

Raises:
    RuntimeError: if the shapes do not broadcast."""


def unary_text(
    name: str,
    row: tuple[str, str, str, str],
    domain: str,
    refused: str = "",
    path: str = "",
) -> str:
    summary, formula, derivative, values = row
    slope = f" Derivative: ``{derivative}``." if derivative else ""
    return f"""\
{summary} of each element.

Formula: ``{formula}``.{slope}

Args:
    input: a tensor of any shape. {domain}

Returns:
    A new tensor of the same shape.

Raises:
    TypeError: if ``input`` is not a tensor.{refused}

Example:
    >>> tapegrad.{path or name}(tapegrad.tensor({values}))
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


def binary_text(
    name: str, summary: str, derivative: str, a: str, b: str, operands: str = "", path: str = ""
) -> str:
    imports = "    >>> import math\n" if "math." in a else ""
    text = f"Derivatives: ``{derivative}``.\n\n" if derivative else ""
    return f"""\
{summary}.

{text}Args:
{operands or OPERANDS}

Example:
{imports}    >>> tapegrad.{path or name}(tapegrad.tensor({a}), tapegrad.tensor({b}))
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
    if _name in FLOAT_ONLY:
        _text = unary_text(_name, _row, "Its dtype is floating-point.", REFUSED.format("integers"))
    else:
        _text = unary_text(
            _name, _row, "Integers and bool are converted to the default dtype first."
        )
    DOCS[f"{_name}(input)"] = _text
for _name, _row in NUMBER_UNARY.items():
    DOCS[f"{_name}(input)"] = unary_text(
        _name,
        _row,
        "The dtype stays what it is.",
        "" if _name in ("sign", "sgn") else REFUSED.format("bool"),
    )
for _name, (_summary, _values) in PREDICATES.items():
    DOCS[f"{_name}(input)"] = _predicate(_name, _summary, _values)
for _name, (_summary, _derivative, _a, _b) in BINARY.items():
    DOCS[f"{_name}(input, other)"] = binary_text(_name, _summary, _derivative, _a, _b)
for _name, (_summary, _derivative, _a, _b) in OF_TENSORS.items():
    DOCS[f"{_name}(input, other)"] = binary_text(_name, _summary, _derivative, _a, _b, TENSORS)
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
