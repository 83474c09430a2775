"""Jacobians, Hessians and their products with vectors, as functions of functions.

Every function here takes ``func``, a Python function of tensors that returns a tensor or a
tuple of tensors, and ``inputs``, a tensor or a tuple of tensors.  Where a tensor was given, a
tensor is returned; where a tuple was given, a tuple.  The inputs need not require gradients,
and their ``.grad`` is left alone.

Two arguments mean the same everywhere:

* ``create_graph=True`` makes the results differentiable with respect to the inputs;
* ``strict=True`` raises a `RuntimeError` where a result does not depend on an input at all,
  instead of returning zeros.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tapegrad
from tapegrad._C import Tensor
from tapegrad.autograd.grad_mode import enable_grad, set_grad_enabled

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]

Tensors = tuple[Tensor, ...]
OptionalTensors = tuple["Tensor | None", ...]

_USER_OUTPUTS = "outputs of the user-provided function"


# ---------------------------------------------------------------------------------------
# Arguments and results
# ---------------------------------------------------------------------------------------


def _as_tuple(value: Any, argument: str, function: str) -> tuple[bool, Tensors]:
    """Return whether `value` is a tuple, and it as one; refuse what is not made of tensors."""
    if not isinstance(value, tuple):
        if not isinstance(value, Tensor):
            raise TypeError(
                f"The {argument} given to {function} must be either a Tensor or a tuple of "
                f"Tensors but the given {argument} has type {type(value)}."
            )
        return False, (value,)
    for index, item in enumerate(value):
        if not isinstance(item, Tensor):
            raise TypeError(
                f"The {argument} given to {function} must be either a Tensor or a tuple of "
                f"Tensors but the value at index {index} has type {type(item)}."
            )
    return True, value


def _fresh(values: Tensors, create_graph: bool, requires_grad: bool) -> Tensors:
    """Stand-ins for the values, so that gradients stop at them and not at the user's tensors.

    With `create_graph` those that require gradients stay connected to the user's tensors.
    """
    return tuple(
        v.view_as(v)
        if create_graph and v.requires_grad
        else v.detach().requires_grad_(requires_grad)
        for v in values
    )


def _result(values: Sequence[Tensor], as_tuple: bool, create_graph: bool) -> Any:
    if not create_graph:
        values = [v.detach() for v in values]
    return tuple(values) if as_tuple else values[0]


def _check_vector(v: Tensors, like: Tensors, is_tuple: bool) -> None:
    if len(v) != len(like):
        if is_tuple:
            raise RuntimeError(
                f"v is a tuple of invalid length: should be {len(like)} but got {len(v)}."
            )
        raise RuntimeError("The given v should contain a single Tensor.")
    for index, (a, b) in enumerate(zip(v, like, strict=True)):
        if a.shape != b.shape:
            entry = f"Entry {index} in " if is_tuple else ""
            raise RuntimeError(f"{entry}v has invalid size: should be {b.shape} but got {a.shape}.")


def _input_vector(v: Any, inputs: Tensors, is_tuple: bool, create_graph: bool, name: str) -> Any:
    """Check the vector `v` that multiplies the inputs; None is allowed for a single number."""
    if v is not None:
        _, vectors = _as_tuple(v, "v", name)
        vectors = _fresh(vectors, create_graph, requires_grad=False)
        _check_vector(vectors, inputs, is_tuple)
        return vectors
    if len(inputs) != 1 or inputs[0].numel() != 1:
        raise RuntimeError(
            "The vector v can only be None if the input to the user-provided function "
            "is a single Tensor with a single element."
        )
    return None


def _scalar_output(func: Callable[..., Any], inputs: Tensors, strict: bool, name: str) -> Tensor:
    """Call a function that has to return one tensor with one element."""
    is_tuple, outputs = _as_tuple(func(*inputs), _USER_OUTPUTS, name)
    _require_grad(outputs, "outputs", strict)
    if is_tuple:
        raise RuntimeError(f"The function given to {name} should return a single Tensor")
    if outputs[0].numel() != 1:
        raise RuntimeError(
            f"The Tensor returned by the function given to {name} should contain a single element"
        )
    return outputs[0]


# ---------------------------------------------------------------------------------------
# Gradients and strictness
# ---------------------------------------------------------------------------------------

_INDEPENDENT_OUTPUT = (
    "The output of the user-provided function is independent of input {}. "
    "This is not allowed in strict mode."
)

# What a tensor without gradient means, by what the tensor is.
_NOT_DIFFERENTIABLE = {
    "outputs": (
        "Output {} of the user-provided function does not require gradients. The outputs must be "
        "computed in a differentiable manner from the input when running in strict mode."
    ),
    "grad_inputs": (
        "The gradient with respect to input {} is independent of the inputs of the user-provided "
        "function. This is not allowed in strict mode."
    ),
    "jacobian": (
        "While computing the hessian, found that the jacobian of the user-provided function with "
        "respect to input {} is independent of the input. This is not allowed in strict mode. "
        "You should ensure that your function is twice differentiable and that the jacobian "
        "depends on the inputs (this would be violated by a linear function for example)."
    ),
    "hessian": (
        "The hessian of the user-provided function with respect to input {} is independent of the "
        "input. This is not allowed in strict mode. You should ensure that your function is "
        "thrice differentiable and that the hessian depends on the inputs."
    ),
}

# What a missing gradient means, by how it was computed.
_MISSING = {
    "back": _INDEPENDENT_OUTPUT,
    "back_trick": (
        "The gradient with respect to the input is independent of entry {} in the grad_outputs "
        "when using the double backward trick to compute forward mode gradients. "
        "This is not allowed in strict mode."
    ),
    "double_back": (
        "The jacobian of the user-provided function is independent of input {}. "
        "This is not allowed in strict mode."
    ),
    "double_back_trick": (
        "The hessian of the user-provided function is independent of entry {} in the "
        "grad_jacobian. This is not allowed in strict mode as it prevents from using the double "
        "backward trick to replace forward mode AD."
    ),
}

_CONSTANT = (
    "The {} of the user-provided function is independent of input {}. "
    "This is not allowed in strict mode when create_graph=True."
)


def _require_grad(values: OptionalTensors, kind: str, strict: bool) -> None:
    """In strict mode refuse tensors that no gradient can reach."""
    if not strict:
        return
    for index, value in enumerate(values):
        if value is None:
            raise RuntimeError(_INDEPENDENT_OUTPUT.format(index))
        if not value.requires_grad:
            raise RuntimeError(_NOT_DIFFERENTIABLE[kind].format(index))


def _gradients(
    outputs: OptionalTensors,
    inputs: Tensors,
    grad_outputs: OptionalTensors | None = None,
    *,
    create_graph: bool = False,
    retain_graph: bool | None = None,
) -> OptionalTensors:
    """`autograd.grad` that leaves out outputs without a graph; None where nothing arrives."""
    vectors = grad_outputs or (None,) * len(outputs)
    pairs = [
        (out, v)
        for out, v in zip(outputs, vectors, strict=True)
        if out is not None and out.requires_grad
    ]
    if not pairs:
        return (None,) * len(inputs)
    grads: OptionalTensors = tapegrad.autograd.grad(
        [out for out, _ in pairs],
        inputs,
        [v for _, v in pairs],
        create_graph=create_graph,
        retain_graph=retain_graph,
        allow_unused=True,
    )
    return grads


def _with_zeros(
    grads: OptionalTensors, like: Tensors, strict: bool, create_graph: bool, stage: str
) -> list[Tensor]:
    """Put zeros in the place of missing gradients, or refuse them in strict mode."""
    filled = []
    for index, (grad, ref) in enumerate(zip(grads, like, strict=True)):
        if grad is None:
            if strict:
                raise RuntimeError(_MISSING[stage].format(index))
            grad = tapegrad.zeros_like(ref)
        elif strict and create_graph and not grad.requires_grad:
            kind = "hessian" if "double" in stage else "jacobian"
            raise RuntimeError(_CONSTANT.format(kind, index))
        filled.append(grad)
    return filled


# ---------------------------------------------------------------------------------------
# Products
# ---------------------------------------------------------------------------------------


def vjp(
    func: Callable[..., Any],
    inputs: Any,
    v: Any = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """Product ``v^T J`` of a vector with the Jacobian of `func` at `inputs`.

    Args:
        func: function of tensors that returns a tensor or a tuple of tensors.
        inputs: a tensor or a tuple of tensors.
        v: tensor or tuple of tensors in the shapes of the outputs.  May be left out when
            there is one output with one element.
        create_graph: make the results differentiable.  Default: False.
        strict: refuse results that do not depend on an input.  Default: False.

    Returns:
        The outputs of ``func(*inputs)`` and the product, in the shapes of the inputs.

    Raises:
        TypeError: an argument or an output is not made of tensors.
        RuntimeError: `v` has a wrong size, or a check of `strict` failed.

    Example::

        >>> import tapegrad
        >>> from tapegrad.autograd.functional import vjp
        >>> x = tapegrad.tensor([[1.0, 2.0], [3.0, 4.0]])
        >>> out, product = vjp(lambda x: (x * x).sum(dim=1), x, tapegrad.tensor([1.0, 10.0]))
        >>> out
        tensor([ 5., 25.])
        >>> product
        tensor([[ 2.,  4.],
                [60., 80.]])
    """
    with enable_grad():
        inputs_tuple, inputs = _as_tuple(inputs, "inputs", "vjp")
        inputs = _fresh(inputs, create_graph, requires_grad=True)
        outputs_tuple, outputs = _as_tuple(func(*inputs), _USER_OUTPUTS, "vjp")
        _require_grad(outputs, "outputs", strict)
        if v is not None:
            _, v = _as_tuple(v, "v", "vjp")
            v = _fresh(v, create_graph, requires_grad=False)
            _check_vector(v, outputs, outputs_tuple)
        elif len(outputs) != 1 or outputs[0].numel() != 1:
            raise RuntimeError(
                "The vector v can only be None if the user-provided function returns "
                "a single Tensor with a single element."
            )

    with set_grad_enabled(create_graph or tapegrad.is_grad_enabled()):
        grads = _gradients(outputs, inputs, v, create_graph=create_graph)
        product = _with_zeros(grads, inputs, strict, create_graph, "back")
    return (
        _result(outputs, outputs_tuple, create_graph),
        _result(product, inputs_tuple, create_graph),
    )


def jvp(
    func: Callable[..., Any],
    inputs: Any,
    v: Any = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """Product ``J v`` of the Jacobian of `func` at `inputs` with a vector.

    It is computed by two backward passes: ``u^T J`` is linear in ``u``, and its derivative
    with respect to ``u``, applied to ``v``, is ``J v``.

    Args:
        func: function of tensors that returns a tensor or a tuple of tensors.
        inputs: a tensor or a tuple of tensors.
        v: tensor or tuple of tensors in the shapes of the inputs.  May be left out when
            there is one input with one element.
        create_graph: make the results differentiable.  Default: False.
        strict: refuse results that do not depend on an input.  Default: False.

    Returns:
        The outputs of ``func(*inputs)`` and the product, in the shapes of the outputs.

    Raises:
        TypeError: an argument or an output is not made of tensors.
        RuntimeError: `v` has a wrong size, or a check of `strict` failed.

    Example::

        >>> import tapegrad
        >>> from tapegrad.autograd.functional import jvp
        >>> x = tapegrad.tensor([1.0, 2.0])
        >>> jvp(lambda x: x ** 3, x, tapegrad.tensor([1.0, 10.0]))
        (tensor([1., 8.]), tensor([  3., 120.]))
    """
    with enable_grad():
        inputs_tuple, inputs = _as_tuple(inputs, "inputs", "jvp")
        inputs = _fresh(inputs, create_graph, requires_grad=True)
        v = _input_vector(v, inputs, inputs_tuple, create_graph, "jvp")
        outputs_tuple, outputs = _as_tuple(func(*inputs), _USER_OUTPUTS, "jvp")
        _require_grad(outputs, "outputs", strict)
        # Its values do not matter, since the first pass is linear in it.
        dummy = tuple(tapegrad.zeros_like(out, requires_grad=True) for out in outputs)
        first = _gradients(outputs, inputs, dummy, create_graph=True)
        _require_grad(first, "grad_inputs", strict)

    with set_grad_enabled(create_graph or tapegrad.is_grad_enabled()):
        grads = _gradients(first, dummy, v, create_graph=create_graph)
        product = _with_zeros(grads, outputs, strict, create_graph, "back_trick")
    return (
        _result(outputs, outputs_tuple, create_graph),
        _result(product, outputs_tuple, create_graph),
    )


def vhp(
    func: Callable[..., Any],
    inputs: Any,
    v: Any = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """Product ``v^T H`` of a vector with the Hessian of a scalar function.

    Args:
        func: function of tensors that returns a tensor with one element.
        inputs: a tensor or a tuple of tensors.
        v: tensor or tuple of tensors in the shapes of the inputs.  May be left out when
            there is one input with one element.
        create_graph: make the results differentiable.  Default: False.
        strict: refuse results that do not depend on an input.  Default: False.

    Returns:
        The output of ``func(*inputs)`` and the product, in the shapes of the inputs.

    Raises:
        TypeError: an argument or an output is not made of tensors.
        RuntimeError: `func` does not return one element, `v` has a wrong size, or a check of
            `strict` failed.

    Example::

        >>> import tapegrad
        >>> from tapegrad.autograd.functional import vhp
        >>> x = tapegrad.tensor([1.0, 2.0])
        >>> vhp(lambda x: (x ** 3).sum(), x, tapegrad.tensor([1.0, 10.0]))
        (tensor(9.), tensor([  6., 120.]))
    """
    with enable_grad():
        inputs_tuple, inputs = _as_tuple(inputs, "inputs", "vhp")
        inputs = _fresh(inputs, create_graph, requires_grad=True)
        v = _input_vector(v, inputs, inputs_tuple, create_graph, "vhp")
        output = _scalar_output(func, inputs, strict, "vhp")
        gradient = _gradients((output,), inputs, create_graph=True)
        _require_grad(gradient, "jacobian", strict)

    with set_grad_enabled(create_graph or tapegrad.is_grad_enabled()):
        grads = _gradients(gradient, inputs, v, create_graph=create_graph)
        product = _with_zeros(grads, inputs, strict, create_graph, "double_back")
    return _result((output,), False, create_graph), _result(product, inputs_tuple, create_graph)


def hvp(
    func: Callable[..., Any],
    inputs: Any,
    v: Any = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """Product ``H v`` of the Hessian of a scalar function with a vector.

    A Hessian is symmetric where the second derivatives are continuous, so `vhp` gives the
    same numbers there and needs one backward pass less.

    Args:
        func: function of tensors that returns a tensor with one element.
        inputs: a tensor or a tuple of tensors.
        v: tensor or tuple of tensors in the shapes of the inputs.  May be left out when
            there is one input with one element.
        create_graph: make the results differentiable.  Default: False.
        strict: refuse results that do not depend on an input.  Default: False.

    Returns:
        The output of ``func(*inputs)`` and the product, in the shapes of the inputs.

    Raises:
        TypeError: an argument or an output is not made of tensors.
        RuntimeError: `func` does not return one element, `v` has a wrong size, or a check of
            `strict` failed.

    Example::

        >>> import tapegrad
        >>> from tapegrad.autograd.functional import hvp
        >>> x = tapegrad.tensor([1.0, 2.0])
        >>> hvp(lambda x: (x ** 3).sum(), x, tapegrad.tensor([1.0, 10.0]))
        (tensor(9.), tensor([  6., 120.]))
    """
    with enable_grad():
        inputs_tuple, inputs = _as_tuple(inputs, "inputs", "hvp")
        inputs = _fresh(inputs, create_graph, requires_grad=True)
        v = _input_vector(v, inputs, inputs_tuple, create_graph, "hvp")
        output = _scalar_output(func, inputs, strict, "hvp")
        gradient = _gradients((output,), inputs, create_graph=True)
        _require_grad(gradient, "jacobian", strict)
        # As in jvp: the second pass is linear in the dummy vector.
        dummy = tuple(tapegrad.zeros_like(x, requires_grad=True) for x in inputs)
        second = _gradients(gradient, inputs, dummy, create_graph=True)

    with set_grad_enabled(create_graph or tapegrad.is_grad_enabled()):
        grads = _gradients(second, dummy, v, create_graph=create_graph)
        product = _with_zeros(grads, inputs, strict, create_graph, "double_back_trick")
    return _result((output,), False, create_graph), _result(product, inputs_tuple, create_graph)


# ---------------------------------------------------------------------------------------
# Whole matrices
# ---------------------------------------------------------------------------------------


def _check_strategy(strategy: str, message: str, name: str) -> None:
    if strategy == "forward-mode":
        raise NotImplementedError(
            f'tapegrad.autograd.functional.{name}: the strategy "forward-mode" needs '
            'forward-mode automatic differentiation, which is not there; use "reverse-mode".'
        )
    if strategy != "reverse-mode":
        raise AssertionError(message)


def _rows(out: Tensor, position: int, inputs: Tensors, create_graph: bool, strict: bool) -> Tensors:
    """Jacobian of one output with respect to each input, by a backward pass per element."""
    rows: list[list[Tensor]] = [[] for _ in inputs]
    for index in range(out.numel()):
        basis = tapegrad.zeros(out.numel(), dtype=out.dtype)
        basis[index] = 1
        grads = _gradients(
            (out,), inputs, (basis.view(out.shape),), create_graph=create_graph, retain_graph=True
        )
        for number, (row, grad, x) in enumerate(zip(rows, grads, inputs, strict=True)):
            if grad is None:
                if strict:
                    raise RuntimeError(
                        f"Output {position} of the user-provided function is independent of "
                        f"input {number}. This is not allowed in strict mode."
                    )
                grad = tapegrad.zeros_like(x)
            elif strict and create_graph and not grad.requires_grad:
                raise RuntimeError(_CONSTANT.format("jacobian", position))
            row.append(grad)
    return tuple(
        (tapegrad.stack(row) if row else x.new_zeros((0, *x.shape))).view((*out.shape, *x.shape))
        for row, x in zip(rows, inputs, strict=True)
    )


def jacobian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """Jacobian of `func` at `inputs`: all derivatives of all outputs.

    Args:
        func: function of tensors that returns a tensor or a tuple of tensors.
        inputs: a tensor or a tuple of tensors.
        create_graph: make the result differentiable.  Default: False.
        strict: refuse outputs that do not depend on an input.  Default: False.
        vectorize: accepted; the rows are computed one after the other in any case.
        strategy: ``"reverse-mode"``, a backward pass per element of the outputs.

    Returns:
        For one output and one input a tensor of shape ``output.shape + input.shape``.  A
        tuple of inputs gives a tuple of those; a tuple of outputs a tuple (over the outputs)
        of the former.

    Raises:
        TypeError: an argument or an output is not made of tensors.
        RuntimeError: a check of `strict` failed.
        NotImplementedError: for ``strategy="forward-mode"``.

    Example::

        >>> import tapegrad
        >>> from tapegrad.autograd.functional import jacobian
        >>> jacobian(lambda x: x ** 3, tapegrad.tensor([1.0, 2.0]))
        tensor([[ 3.,  0.],
                [ 0., 12.]])
        >>> a, b = tapegrad.tensor([1.0, 2.0]), tapegrad.tensor(3.0)
        >>> jacobian(lambda a, b: (a * b).sum(), (a, b))
        (tensor([3., 3.]), tensor(3.))
    """
    _check_strategy(
        strategy,
        'Expected strategy to be either "forward-mode" or "reverse-mode". Hint: If your '
        'function has more outputs than inputs, "forward-mode" tends to be more performant. '
        'Otherwise, prefer to use "reverse-mode".',
        "jacobian",
    )
    with enable_grad():
        inputs_tuple, inputs = _as_tuple(inputs, "inputs", "jacobian")
        inputs = _fresh(inputs, create_graph, requires_grad=True)
        outputs_tuple, outputs = _as_tuple(func(*inputs), _USER_OUTPUTS, "jacobian")
        _require_grad(outputs, "outputs", strict)
        if vectorize and strict:
            raise RuntimeError(
                "tapegrad.autograd.functional.jacobian: `strict=True` and `vectorized=True` are "
                "not supported together. Please either set `strict=False` or `vectorize=False`."
            )
        blocks = [
            _result(_rows(out, i, inputs, create_graph, strict), inputs_tuple, create_graph)
            for i, out in enumerate(outputs)
        ]
    return tuple(blocks) if outputs_tuple else blocks[0]


def hessian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """Hessian of a scalar function at `inputs`: all second derivatives.

    Args:
        func: function of tensors that returns a tensor with one element.
        inputs: a tensor or a tuple of tensors.
        create_graph: make the result differentiable.  Default: False.
        strict: refuse functions whose first or second derivative does not depend on an
            input.  Default: False.
        vectorize: accepted; the rows are computed one after the other in any case.
        outer_jacobian_strategy: ``"reverse-mode"``.

    Returns:
        For one input a tensor of shape ``input.shape + input.shape``.  For a tuple of inputs
        a tuple of tuples, where ``[i][j]`` has shape ``inputs[i].shape + inputs[j].shape``.

    Raises:
        TypeError: an argument or an output is not made of tensors.
        RuntimeError: `func` does not return one element, or a check of `strict` failed.
        NotImplementedError: for ``outer_jacobian_strategy="forward-mode"``.

    Example::

        >>> import tapegrad
        >>> from tapegrad.autograd.functional import hessian
        >>> hessian(lambda x: (x ** 3).sum(), tapegrad.tensor([1.0, 2.0]))
        tensor([[ 6.,  0.],
                [ 0., 12.]])
    """
    inputs_tuple, inputs = _as_tuple(inputs, "inputs", "hessian")
    _check_strategy(
        outer_jacobian_strategy,
        'Expected strategy to be either "forward-mode" or "reverse-mode".',
        "hessian",
    )

    def gradient(*args: Tensor) -> tuple[Tensor, ...]:
        output = _scalar_output(func, args, strict, "hessian")
        grads = _gradients((output,), args, create_graph=True)
        filled = tuple(_with_zeros(grads, args, False, True, "back"))
        _require_grad(filled, "jacobian", strict)
        return filled

    blocks = jacobian(gradient, inputs, create_graph=create_graph, strict=strict,
                      vectorize=vectorize)  # fmt: skip
    return blocks if inputs_tuple else blocks[0][0]
