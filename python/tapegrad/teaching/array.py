"""Reverse-mode differentiation of NumPy arrays, small enough to read in one sitting.

A `Tensor` holds a float32 array. Every operation computes its result with NumPy and leaves a
function on it, `_backward`, which takes the gradient of the result and adds each input's share
to that input. `backward` calls these functions in reverse topological order.

Compared with numbers, arrays add two things. A derivative is no longer a number that could be
stored; it would be a matrix with a row per output and a column per input, which is why each
operation has a function that multiplies with this matrix without building it. And NumPy
broadcasts: an input that was repeated must sum the gradients of its copies (`_unbroadcast`).

    >>> w = Tensor([[1.0], [2.0]], requires_grad=True)
    >>> x = Tensor([[3.0, 4.0]])
    >>> loss = (x @ w - 10.0) ** 2
    >>> loss.sum().backward()
    >>> w.grad.tolist()
    [[6.0], [8.0]]
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Tensor"]

Array = NDArray[np.float32]
Axis = int | tuple[int, ...] | None


class Tensor:
    """A float32 array that knows how it was computed.

    Args:
        data: anything that NumPy makes an array from; stored as float32.
        requires_grad: whether `backward` shall compute a gradient for it.

    Attributes:
        data: the array.
        grad: the gradient, an array of the same shape, or None before the first `backward`.

    Example:
        >>> Tensor([[1, 2], [3, 4]], requires_grad=True)
        Tensor(shape=(2, 2), requires_grad=True)
    """

    __slots__ = ("_backward", "_op", "_prev", "data", "grad", "requires_grad")

    # NumPy must leave `array + tensor` to `Tensor.__radd__`.
    __array_priority__ = 1000

    def __init__(self, data: ArrayLike, requires_grad: bool = False) -> None:
        self.data: Array = np.asarray(data, dtype=np.float32)
        self.grad: Array | None = None
        self.requires_grad = requires_grad
        self._prev: tuple[Tensor, ...] = ()
        self._op = ""
        # It takes the gradient as an argument and so does not refer to the tensor it belongs
        # to: no cycle, and a graph is freed as soon as nobody uses its result.
        self._backward: Callable[[Any], None] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        return self.data.shape

    def __repr__(self) -> str:
        return f"Tensor(shape={self.shape}, requires_grad={self.requires_grad})"

    def item(self) -> float:
        """Return the only element as a Python number."""
        return float(self.data.item())

    def zero_grad(self) -> None:
        """Forget the gradient."""
        self.grad = None

    def backward(self, gradient: ArrayLike | None = None) -> None:
        """Add to `grad` of every leaf the gradient of this tensor with respect to it.

        Args:
            gradient: what to start from, in the shape of this tensor; ones by default, which
                means that the gradient of the sum of all elements is computed.
        """
        ordered = self._topological_order()
        for node in ordered:
            if node._backward is not None:  # results start anew, leaves accumulate
                node.grad = None
        start = np.ones_like(self.data) if gradient is None else gradient
        self._accumulate(np.asarray(start, dtype=np.float32))
        for node in reversed(ordered):
            if node._backward is not None:
                node._backward(node.grad)

    def _topological_order(self) -> list[Tensor]:
        """Return all tensors that need a gradient here, inputs before their users."""
        ordered: list[Tensor] = []
        seen = {self}
        stack = [(self, iter(self._prev))]
        while stack:
            node, remaining = stack[-1]
            for parent in remaining:
                if parent.requires_grad and parent not in seen:
                    seen.add(parent)
                    stack.append((parent, iter(parent._prev)))
                    break
            else:
                ordered.append(node)
                stack.pop()
        return ordered

    def _accumulate(self, gradient: Array) -> None:
        """Add to `grad`; never in place, because several tensors may hold the same array."""
        if self.requires_grad:
            gradient = _unbroadcast(gradient, self.data.shape)
            self.grad = gradient if self.grad is None else self.grad + gradient

    def _repr_html_(self) -> str:
        """Its graph, as a notebook shows it."""
        from tapegrad.autograd._drawing import Picture

        return Picture(self)._repr_html_()

    # Arithmetic.

    def __add__(self, other: Tensor | ArrayLike) -> Tensor:
        other = _as_tensor(other)

        def backward(gradient: Array) -> None:
            self._accumulate(gradient)
            other._accumulate(gradient)

        return _record(self.data + other.data, (self, other), "+", backward)

    def __sub__(self, other: Tensor | ArrayLike) -> Tensor:
        other = _as_tensor(other)

        def backward(gradient: Array) -> None:
            self._accumulate(gradient)
            if other.requires_grad:
                other._accumulate(-gradient)

        return _record(self.data - other.data, (self, other), "-", backward)

    def __mul__(self, other: Tensor | ArrayLike) -> Tensor:
        other = _as_tensor(other)

        def backward(gradient: Array) -> None:
            if self.requires_grad:
                self._accumulate(gradient * other.data)
            if other.requires_grad:
                other._accumulate(gradient * self.data)

        return _record(self.data * other.data, (self, other), "*", backward)

    def __truediv__(self, other: Tensor | ArrayLike) -> Tensor:
        other = _as_tensor(other)
        result = self.data / other.data

        def backward(gradient: Array) -> None:
            share = gradient / other.data
            self._accumulate(share)
            if other.requires_grad:
                other._accumulate(-share * result)

        return _record(result, (self, other), "/", backward)

    def __pow__(self, exponent: float) -> Tensor:
        """Raise to a constant power."""
        if not isinstance(exponent, (int, float)):
            raise AssertionError("only supporting int/float powers")

        def backward(gradient: Array) -> None:
            # x**0 is constant, also at 0, where the general rule would divide by zero.
            slope = exponent * self.data ** (exponent - 1) if exponent else 0.0
            self._accumulate(gradient * slope)

        return _record(self.data**exponent, (self,), f"**{exponent}", backward)

    def __neg__(self) -> Tensor:
        return _record(-self.data, (self,), "neg", lambda gradient: self._accumulate(-gradient))

    def __radd__(self, other: ArrayLike) -> Tensor:
        return self + other

    def __rsub__(self, other: ArrayLike) -> Tensor:
        return _as_tensor(other) - self

    def __rmul__(self, other: ArrayLike) -> Tensor:
        return self * other

    def __rtruediv__(self, other: ArrayLike) -> Tensor:
        return _as_tensor(other) / self

    def matmul(self, other: Tensor | ArrayLike) -> Tensor:
        """Multiply matrices, or batches of matrices (two dimensions or more on both sides)."""
        other = _as_tensor(other)

        def backward(gradient: Array) -> None:
            if self.requires_grad:
                self._accumulate(gradient @ other.data.swapaxes(-1, -2))
            if other.requires_grad:
                other._accumulate(self.data.swapaxes(-1, -2) @ gradient)

        return _record(self.data @ other.data, (self, other), "matmul", backward)

    __matmul__ = matmul

    # Element-wise functions.

    def relu(self) -> Tensor:
        """The positive part; the derivative at 0 is taken to be 0."""

        def backward(gradient: Array) -> None:
            self._accumulate(gradient * (self.data > 0))

        return _record(np.maximum(self.data, 0), (self,), "relu", backward)

    def tanh(self) -> Tensor:
        """The hyperbolic tangent."""
        result = np.tanh(self.data)

        def backward(gradient: Array) -> None:
            self._accumulate(gradient * (1 - result * result))

        return _record(result, (self,), "tanh", backward)

    def exp(self) -> Tensor:
        """The exponential function."""
        result = np.exp(self.data)
        return _record(result, (self,), "exp", lambda gradient: self._accumulate(gradient * result))

    def log(self) -> Tensor:
        """The natural logarithm."""
        return _record(
            np.log(self.data),
            (self,),
            "log",
            lambda gradient: self._accumulate(gradient / self.data),
        )

    def sigmoid(self) -> Tensor:
        """The logistic function `1 / (1 + exp(-x))`, by way of tanh, which cannot overflow."""
        result = 0.5 * np.tanh(0.5 * self.data) + 0.5

        def backward(gradient: Array) -> None:
            self._accumulate(gradient * (result * (1 - result)))

        return _record(result, (self,), "sigmoid", backward)

    # Reductions.

    def sum(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Add the elements along `axis` (all of them by default)."""

        def backward(gradient: Array) -> None:
            spread = _restore_axes(gradient, axis, keepdims)
            self._accumulate(np.broadcast_to(spread, self.data.shape).copy())

        return _record(self.data.sum(axis=axis, keepdims=keepdims), (self,), "sum", backward)

    def mean(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Average the elements along `axis` (all of them by default)."""
        total = self.sum(axis, keepdims)
        return total * (total.data.size / self.data.size)

    def max(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Take the largest element along `axis`; equal ones share the gradient."""
        largest = self.data.max(axis=axis, keepdims=True)

        def backward(gradient: Array) -> None:
            chosen = self.data == largest
            shares = chosen / chosen.sum(axis=axis, keepdims=True, dtype=np.float32)
            self._accumulate(_restore_axes(gradient, axis, keepdims) * shares)

        result = largest if keepdims else largest.squeeze(axis)
        return _record(result, (self,), "max", backward)

    def softmax(self, axis: int = -1) -> Tensor:
        """Exponentials divided by their sum along `axis`."""
        result = _softmax(self.data, axis)

        def backward(gradient: Array) -> None:
            weighted = gradient * result
            self._accumulate(weighted - result * weighted.sum(axis=axis, keepdims=True))

        return _record(result, (self,), "softmax", backward)

    def log_softmax(self, axis: int = -1) -> Tensor:
        """The logarithm of `softmax`, without its loss of precision."""
        shifted = self.data - self.data.max(axis=axis, keepdims=True)
        result = shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))

        def backward(gradient: Array) -> None:
            total = gradient.sum(axis=axis, keepdims=True)
            self._accumulate(gradient - np.exp(result) * total)

        return _record(result, (self,), "log_softmax", backward)

    def cross_entropy(self, target: NDArray[np.integer[Any]]) -> Tensor:
        """Average over rows of `-log softmax(row)[target]`.

        Args:
            target: one class index per row; this tensor is (rows, classes).
        """
        rows = np.arange(len(target))
        shifted = self.data - self.data.max(axis=1, keepdims=True)
        exponentials = np.exp(shifted)
        totals = exponentials.sum(axis=1, keepdims=True)
        loss = (np.log(totals[:, 0]) - shifted[rows, target]).mean()

        def backward(gradient: Array) -> None:
            difference = exponentials / totals
            difference[rows, target] -= 1
            self._accumulate(difference * (gradient / np.float32(len(target))))

        return _record(loss, (self,), "cross_entropy", backward)

    # Shape.

    def reshape(self, *shape: int) -> Tensor:
        """The same elements in another shape."""
        return _record(
            self.data.reshape(shape),
            (self,),
            "reshape",
            lambda gradient: self._accumulate(gradient.reshape(self.data.shape)),
        )

    @property
    def T(self) -> Tensor:
        """The transposed matrix."""
        return _record(self.data.T, (self,), "T", lambda gradient: self._accumulate(gradient.T))


def _record(
    data: ArrayLike,
    inputs: tuple[Tensor, ...],
    op: str,
    backward: Callable[[Array], None],
) -> Tensor:
    """Make the result of an operation; it remembers `inputs` if one of them needs a gradient."""
    result = Tensor(data)
    for tensor in inputs:
        if tensor.requires_grad:
            result.requires_grad = True
            result._prev = inputs
            result._op = op
            result._backward = backward
            break
    return result


def _as_tensor(value: Tensor | ArrayLike) -> Tensor:
    return value if isinstance(value, Tensor) else Tensor(value)


def _unbroadcast(gradient: Array, shape: tuple[int, ...]) -> Array:
    """Sum `gradient` over the axes along which an array of `shape` was repeated.

    Example:
        >>> _unbroadcast(np.ones((3, 4), dtype=np.float32), (4,)).tolist()
        [3.0, 3.0, 3.0, 3.0]
    """
    if gradient.shape == shape:
        return gradient
    added = gradient.ndim - len(shape)
    repeated = tuple(range(added)) + tuple(
        axis + added for axis, size in enumerate(shape) if size == 1
    )
    summed: Array = gradient.sum(axis=repeated)
    return summed.reshape(shape)


def _restore_axes(gradient: Array, axis: Axis, keepdims: bool) -> Array:
    """Give a reduced gradient the axes back that the reduction removed."""
    if keepdims or axis is None:
        return gradient
    return np.expand_dims(gradient, axis)


def _softmax(data: Array, axis: int) -> Array:
    exponentials: Array = np.exp(data - data.max(axis=axis, keepdims=True))
    total: Array = exponentials.sum(axis=axis, keepdims=True)
    return exponentials / total
