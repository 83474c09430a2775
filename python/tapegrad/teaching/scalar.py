"""Reverse-mode differentiation of numbers, small enough to read in one sitting.

A `Value` holds a number and remembers how it was made: for every input, the input itself and
the derivative of the result with respect to it. That is all `backward` needs. Walking from the
result to the inputs, it multiplies derivatives along each path and adds them where paths meet,
which is the chain rule:

    d result / d input  =  sum over the users u of the input:
                           d result / d u  *  d u / d input

    >>> a, b = Value(2.0), Value(3.0)
    >>> c = (a + b) * b
    >>> c.backward()
    >>> c, a.grad, b.grad
    (Value(data=15.0, grad=1.0), 3.0, 8.0)
"""

from __future__ import annotations

import math

__all__ = ["Value"]

Number = int | float


class Value:
    """A number that knows how it was computed.

    Args:
        data: the number.
        label: a name for people; the engine does not use it.

    Attributes:
        data: the number.
        grad: the derivative of the last `backward` result with respect to this value; further
            calls of `backward` add to it until it is set to zero again.

    Example:
        >>> x = Value(3.0, label="x")
        >>> y = x**2 + 1
        >>> y.backward()
        >>> x.grad
        6.0
    """

    __slots__ = ("_inputs", "_op", "data", "grad", "label")

    def __init__(
        self,
        data: Number,
        _inputs: tuple[tuple[Value, Number], ...] = (),
        _op: str = "",
        label: str = "",
    ) -> None:
        self.data = data
        self.grad: Number = 0.0
        self.label = label
        self._op = _op
        self._inputs = _inputs  # pairs: an input, d self / d input

    @property
    def _prev(self) -> set[Value]:
        """The values that this one was computed from."""
        return {value for value, _ in self._inputs}

    def __repr__(self) -> str:
        return f"Value(data={self.data}, grad={self.grad})"

    def _repr_html_(self) -> str:
        """Its graph, as a notebook shows it."""
        from tapegrad.autograd._drawing import Picture

        return Picture(self)._repr_html_()

    # Arithmetic: each line states a result and its derivatives.

    def __add__(self, other: Value | Number) -> Value:
        other = _as_value(other)
        return Value(self.data + other.data, ((self, 1.0), (other, 1.0)), "+")

    def __mul__(self, other: Value | Number) -> Value:
        other = _as_value(other)
        return Value(self.data * other.data, ((self, other.data), (other, self.data)), "*")

    def __pow__(self, exponent: Number) -> Value:
        if not isinstance(exponent, (int, float)):
            raise AssertionError("only supporting int/float powers")
        # x**0 is constant, also at 0, where the general rule would divide by zero.
        slope = exponent * self.data ** (exponent - 1) if exponent else 0.0
        return Value(self.data**exponent, ((self, slope),), f"**{exponent}")

    # The other operators follow from these three.

    def __neg__(self) -> Value:
        return self * -1

    def __sub__(self, other: Value | Number) -> Value:
        return self + (-other)

    def __truediv__(self, other: Value | Number) -> Value:
        return self * _as_value(other) ** -1

    def __radd__(self, other: Number) -> Value:
        return self + other

    def __rsub__(self, other: Number) -> Value:
        return _as_value(other) - self

    def __rmul__(self, other: Number) -> Value:
        return self * other

    def __rtruediv__(self, other: Number) -> Value:
        return _as_value(other) / self

    # Functions.

    def tanh(self) -> Value:
        """The hyperbolic tangent `t`; its derivative is `1 - t**2`."""
        result = math.tanh(self.data)
        return Value(result, ((self, 1 - result**2),), "tanh")

    def relu(self) -> Value:
        """The positive part; the derivative at 0 is taken to be 0."""
        positive = self.data > 0
        return Value(self.data if positive else 0.0, ((self, float(positive)),), "relu")

    def exp(self) -> Value:
        """The exponential function, which is its own derivative."""
        result = math.exp(self.data)
        return Value(result, ((self, result),), "exp")

    def log(self) -> Value:
        """The natural logarithm; its derivative is `1 / x`.

        Raises:
            ValueError: if the number is not positive.
        """
        return Value(math.log(self.data), ((self, 1 / self.data),), "log")

    def backward(self) -> None:
        """Add the derivative of this value to `grad` of everything it was computed from."""
        ordered = self._topological_order()
        for value in ordered:
            if value._inputs:  # computed values start anew, leaves accumulate
                value.grad = 0.0
        self.grad += 1.0
        # Users come before what they use, so a gradient is complete when it is passed on.
        for value in reversed(ordered):
            for parent, slope in value._inputs:
                parent.grad += slope * value.grad

    def _topological_order(self) -> list[Value]:
        """Return all values that this one depends on, inputs before their users.

        A depth-first search with a stack of its own: Python's would overflow on deep graphs.
        """
        ordered: list[Value] = []
        seen = {self}
        stack = [(self, iter(self._inputs))]
        while stack:
            value, remaining = stack[-1]
            for parent, _ in remaining:
                if parent not in seen:
                    seen.add(parent)
                    stack.append((parent, iter(parent._inputs)))
                    break
            else:
                ordered.append(value)
                stack.pop()
        return ordered


def _as_value(other: Value | Number) -> Value:
    return other if isinstance(other, Value) else Value(other)
