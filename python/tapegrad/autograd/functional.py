"""Jacobians, Hessians and their products with vectors, as functions of functions.

Every function here takes `func`, a Python function of tensors that returns a tensor or a tuple of
tensors, and `inputs`, a tensor or a tuple of tensors. Where a tensor was given, a tensor is
returned; where a tuple was given, a tuple. The inputs need not require gradients, and their
``.grad`` is left alone.

Two arguments mean the same everywhere: with ``create_graph=True`` the results can be
differentiated; ``strict=True`` raises a `RuntimeError` where a result does not depend on an input
at all, instead of returning zeros.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tapegrad

from .._C import Tensor
from . import _strict_mode
from .grad_mode import enable_grad, set_grad_enabled

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]

Tensors = tuple[Tensor, ...]
OptionalTensors = tuple[Tensor | None, ...]


# ---------------------------------------------------------------------- arguments and results


class _Group(NamedTuple):
    """What was given as a tensor or as a tuple of tensors."""

    tensors: Tensors
    is_tuple: bool

    @classmethod
    def of(cls, value: Any, what: str, name: str) -> _Group:
        """Check what was given to the function `name`, or was returned to it."""
        if isinstance(value, Tensor):
            return cls((value,), False)
        if isinstance(value, tuple):
            wrong = [i for i, item in enumerate(value) if not isinstance(item, Tensor)]
            if not wrong:
                return cls(value, True)
            found = f"value at index {wrong[0]} has type {type(value[wrong[0]])}"
        else:
            found = f"given {what} has type {type(value)}"
        raise TypeError(
            f"The {what} given to {name} must be either a Tensor or a tuple of Tensors but the "
            f"{found}."
        )

    def result(self, tensors: Sequence[Tensor], create_graph: bool) -> Any:
        """Results for each of the tensors, in the form in which these were given."""
        if not create_graph:
            tensors = [t.detach() for t in tensors]
        return tuple(tensors) if self.is_tuple else tensors[0]


def _stand_ins(tensors: Tensors, create_graph: bool, requires_grad: bool) -> Tensors:
    """Tensors at which gradients stop, so that they do not reach the user's.

    With `create_graph` those that require gradients stay connected to the user's.
    """
    return tuple(
        t.view_as(t)
        if create_graph and t.requires_grad
        else t.detach().requires_grad_(requires_grad)
        for t in tensors
    )


def _inputs(inputs: Any, create_graph: bool, name: str) -> _Group:
    given = _Group.of(inputs, "inputs", name)
    return given._replace(tensors=_stand_ins(given.tensors, create_graph, True))


def _outputs(func: Callable[..., Any], inputs: Tensors, strict: bool, name: str) -> _Group:
    outputs = _Group.of(func(*inputs), "outputs of the user-provided function", name)
    if strict:
        _strict_mode.require_grad(outputs.tensors, _strict_mode.OUTPUT)
    return outputs


def _number(func: Callable[..., Any], inputs: Tensors, strict: bool, name: str) -> _Group:
    """The output of a function that has to return one tensor with one element."""
    output = _outputs(func, inputs, strict, name)
    if output.is_tuple:
        raise RuntimeError(f"The function given to {name} should return a single Tensor")
    if output.tensors[0].numel() != 1:
        raise RuntimeError(
            f"The Tensor returned by the function given to {name} should contain a single element"
        )
    return output


def _vector(v: Any, like: _Group, whose: str, create_graph: bool, name: str) -> Tensors | None:
    """Check the vector `v`, which has the shapes of `like`; None will do for a single number."""
    if v is None:
        if len(like.tensors) != 1 or like.tensors[0].numel() != 1:
            raise RuntimeError(
                f"The vector v can only be None if {whose} a single Tensor with a single element."
            )
        return None
    vectors = _stand_ins(_Group.of(v, "v", name).tensors, create_graph, False)
    if len(vectors) != len(like.tensors):
        if not like.is_tuple:
            raise RuntimeError("The given v should contain a single Tensor.")
        raise RuntimeError(
            f"v is a tuple of invalid length: should be {len(like.tensors)} but got {len(vectors)}."
        )
    for index, (a, b) in enumerate(zip(vectors, like.tensors, strict=True)):
        if a.shape != b.shape:
            entry = f"Entry {index} in " if like.is_tuple else ""
            raise RuntimeError(f"{entry}v has invalid size: should be {b.shape} but got {a.shape}.")
    return vectors


_OF_INPUTS = "the input to the user-provided function is"
_OF_OUTPUTS = "the user-provided function returns"


# ---------------------------------------------------------------------- products


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


def _transposed(
    outputs: OptionalTensors, inputs: Tensors, like: Tensors
) -> tuple[Tensors, OptionalTensors]:
    """Zeros ``u`` in the shapes of `like`, and ``u^T J``, whose derivative by ``u`` is ``J``.

    The product is linear in ``u``: its values do not matter.
    """
    u = tuple(tapegrad.zeros_like(x, requires_grad=True) for x in like)
    return u, _gradients(outputs, inputs, u, create_graph=True)


def _product(
    outputs: OptionalTensors,
    inputs: Tensors,
    v: Tensors | None,
    form: _Group,
    refusal: _strict_mode.Refusal | None,
    create_graph: bool,
) -> Any:
    """The last pass: ``v^T`` times the Jacobian of `outputs` by `inputs`, in the form of `form`."""
    with set_grad_enabled(create_graph or tapegrad.is_grad_enabled()):
        grads = _gradients(outputs, inputs, v, create_graph=create_graph)
        product = _strict_mode.with_zeros(grads, form.tensors, refusal, create_graph)
    return form.result(product, create_graph)


def vjp(
    func: Callable[..., Any],
    inputs: Any,
    v: Any = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """The product ``v^T J`` of a vector with the Jacobian of `func` at `inputs`.

    Args:
        func: a function of tensors that returns a tensor or a tuple of tensors.
        inputs: a tensor or a tuple of tensors.
        v: a tensor or a tuple of tensors in the shapes of the outputs. May be left out where there
            is one output with one element.
        create_graph: make the results differentiable. Default: False.
        strict: refuse results that do not depend on an input. Default: False.

    Returns:
        The outputs of ``func(*inputs)`` and the product, in the shapes of the inputs.

    Raises:
        TypeError: if an argument or an output is not made of tensors.
        RuntimeError: if `v` has a wrong size, or for what `strict` refuses.

    Example:
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
        x = _inputs(inputs, create_graph, "vjp")
        y = _outputs(func, x.tensors, strict, "vjp")
        v = _vector(v, y, _OF_OUTPUTS, create_graph, "vjp")
    refusal = _strict_mode.VJP if strict else None
    product = _product(y.tensors, x.tensors, v, x, refusal, create_graph)
    return y.result(y.tensors, create_graph), product


def jvp(
    func: Callable[..., Any],
    inputs: Any,
    v: Any = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """The product ``J v`` of the Jacobian of `func` at `inputs` with a vector.

    It is computed by two backward passes: ``u^T J`` is linear in ``u``, and its derivative with
    respect to ``u``, applied to ``v``, is ``J v``.

    The arguments are those of :func:`vjp`, but `v` has the shapes of the inputs, and may be left
    out where there is one input with one element.

    Returns:
        The outputs of ``func(*inputs)`` and the product, in the shapes of the outputs.

    Example:
        >>> import tapegrad
        >>> from tapegrad.autograd.functional import jvp
        >>> x = tapegrad.tensor([1.0, 2.0])
        >>> jvp(lambda x: x**3, x, tapegrad.tensor([1.0, 10.0]))
        (tensor([1., 8.]), tensor([  3., 120.]))
    """
    with enable_grad():
        x = _inputs(inputs, create_graph, "jvp")
        v = _vector(v, x, _OF_INPUTS, create_graph, "jvp")
        y = _outputs(func, x.tensors, strict, "jvp")
        u, pulled_back = _transposed(y.tensors, x.tensors, y.tensors)
        if strict:
            _strict_mode.require_grad(pulled_back, _strict_mode.INPUT_GRADIENT)
    refusal = _strict_mode.JVP if strict else None
    product = _product(pulled_back, u, v, y, refusal, create_graph)
    return y.result(y.tensors, create_graph), product


def vhp(
    func: Callable[..., Any],
    inputs: Any,
    v: Any = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """The product ``v^T H`` of a vector with the Hessian of a function that returns one number.

    The arguments are those of :func:`jvp`, but `func` returns one tensor with one element.

    Returns:
        The output of ``func(*inputs)`` and the product, in the shapes of the inputs.

    Example:
        >>> import tapegrad
        >>> from tapegrad.autograd.functional import vhp
        >>> x = tapegrad.tensor([1.0, 2.0])
        >>> vhp(lambda x: (x**3).sum(), x, tapegrad.tensor([1.0, 10.0]))
        (tensor(9.), tensor([  6., 120.]))
    """
    x, v, y, gradient = _first_derivative(func, inputs, v, create_graph, strict, "vhp")
    refusal = _strict_mode.VHP if strict else None
    product = _product(gradient, x.tensors, v, x, refusal, create_graph)
    return y.result(y.tensors, create_graph), product


def hvp(
    func: Callable[..., Any],
    inputs: Any,
    v: Any = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """The product ``H v`` of the Hessian of a function that returns one number with a vector.

    A Hessian is symmetric where the second derivatives are continuous, so :func:`vhp` gives the
    same numbers there and needs one backward pass less.

    The arguments and results are those of :func:`vhp`.

    Example:
        >>> import tapegrad
        >>> from tapegrad.autograd.functional import hvp
        >>> x = tapegrad.tensor([1.0, 2.0])
        >>> hvp(lambda x: (x**3).sum(), x, tapegrad.tensor([1.0, 10.0]))
        (tensor(9.), tensor([  6., 120.]))
    """
    x, v, y, gradient = _first_derivative(func, inputs, v, create_graph, strict, "hvp")
    with enable_grad():
        u, pulled_back = _transposed(gradient, x.tensors, x.tensors)
    refusal = _strict_mode.HVP if strict else None
    product = _product(pulled_back, u, v, x, refusal, create_graph)
    return y.result(y.tensors, create_graph), product


def _first_derivative(
    func: Callable[..., Any], inputs: Any, v: Any, create_graph: bool, strict: bool, name: str
) -> tuple[_Group, Tensors | None, _Group, OptionalTensors]:
    """The inputs, the vector, the output, and the recorded gradient of a function to a number."""
    with enable_grad():
        x = _inputs(inputs, create_graph, name)
        v = _vector(v, x, _OF_INPUTS, create_graph, name)
        y = _number(func, x.tensors, strict, name)
        gradient = _gradients(y.tensors, x.tensors, create_graph=True)
        if strict:
            _strict_mode.require_grad(gradient, _strict_mode.JACOBIAN)
    return x, v, y, gradient


# ---------------------------------------------------------------------- whole matrices


def _check_strategy(
    strategy: str, hint: str, name: str, create_graph: bool, strict: bool, vectorize: bool
) -> None:
    if strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError(
            f'Expected strategy to be either "forward-mode" or "reverse-mode".{hint}'
        )
    where = f"tapegrad.autograd.functional.{name}"
    if strategy == "forward-mode":
        for refused, what in ((create_graph, "create_graph"), (strict, "strict")):
            if refused:
                raise NotImplementedError(
                    f'{where}: `{what}=True` and `strategy="forward-mode"` are not supported '
                    f"together (yet). Please either set `{what}=False` or "
                    '`strategy="reverse-mode"`.'
                )
        if not vectorize:
            raise NotImplementedError(
                "Computing Jacobian using forward-AD or forward-over-reverse Hessian is only "
                "implemented for `vectorize=True`."
            )
    if vectorize and strict:
        raise RuntimeError(
            "tapegrad.autograd.functional.jacobian: `strict=True` and `vectorized=True` are not "
            "supported together. Please either set `strict=False` or `vectorize=False`."
        )


def _at_once(func: Callable[..., Any], x: _Group, strategy: str, name: str) -> Any:
    """The Jacobian by the transforms of `tapegrad.func`, which compute all rows at once."""
    form = []

    def checked(*args: Tensor) -> Tensors:
        outputs = _outputs(func, args, False, name)
        form.append(outputs.is_tuple)
        return outputs.tensors

    transforms = tapegrad.func
    transform = transforms.jacfwd if strategy == "forward-mode" else transforms.jacrev
    places = tuple(range(len(x.tensors)))
    blocks = transform(checked, argnums=places)(*(t.detach() for t in x.tensors))
    blocks = tuple(x.result(block, False) for block in blocks)
    return blocks if form[0] else blocks[0]


def _rows(
    out: Tensor, inputs: Tensors, refusal: _strict_mode.Refusal | None, create_graph: bool
) -> list[Tensor]:
    """The Jacobian of one output by each input, by a backward pass for each element."""
    rows = []
    for index in range(out.numel()):
        basis = tapegrad.zeros(out.numel(), dtype=out.dtype)
        basis[index] = 1
        grads = _gradients(
            (out,), inputs, (basis.view(out.shape),), create_graph=create_graph, retain_graph=True
        )
        rows.append(_strict_mode.with_zeros(grads, inputs, refusal, create_graph))
    if not rows:
        return [x.new_zeros((*out.shape, *x.shape)) for x in inputs]
    return [
        tapegrad.stack(column).view((*out.shape, *x.shape))
        for column, x in zip(zip(*rows, strict=True), inputs, strict=True)
    ]


def jacobian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """The Jacobian of `func` at `inputs`: all derivatives of all outputs.

    Args:
        func: a function of tensors that returns a tensor or a tuple of tensors.
        inputs: a tensor or a tuple of tensors.
        create_graph: make the result differentiable. Default: False.
        strict: refuse outputs that do not depend on an input. Default: False.
        vectorize: compute all rows at once, for which `func` may run twice. Default: False, a
            backward pass for each element of the outputs.
        strategy: "reverse-mode" or, with `vectorize`, "forward-mode". Default: "reverse-mode".

    Returns:
        For one output and one input a tensor of shape ``output.shape + input.shape``. A tuple of
        inputs gives a tuple of those; a tuple of outputs a tuple (over the outputs) of the former.

    Raises:
        TypeError: if an argument or an output is not made of tensors.
        RuntimeError: for what `strict` refuses.
        NotImplementedError: for ``strategy="forward-mode"`` without `vectorize`, or with
            `create_graph` or `strict`.

    Example:
        >>> import tapegrad
        >>> from tapegrad.autograd.functional import jacobian
        >>> jacobian(lambda x: x**3, tapegrad.tensor([1.0, 2.0]))
        tensor([[ 3.,  0.],
                [ 0., 12.]])
        >>> a, b = tapegrad.tensor([1.0, 2.0]), tapegrad.tensor(3.0)
        >>> jacobian(lambda a, b: (a * b).sum(), (a, b))
        (tensor([3., 3.]), tensor(3.))
    """
    hint = (
        ' Hint: If your function has more outputs than inputs, "forward-mode" tends to be more '
        'performant. Otherwise, prefer to use "reverse-mode".'
    )
    _check_strategy(strategy, hint, "jacobian", create_graph, strict, vectorize)
    if vectorize and not create_graph:
        return _at_once(func, _Group.of(inputs, "inputs", "jacobian"), strategy, "jacobian")
    with enable_grad():
        x = _inputs(inputs, create_graph, "jacobian")
        y = _outputs(func, x.tensors, strict, "jacobian")
        blocks = []
        for place, out in enumerate(y.tensors):
            refusal = _strict_mode.rows_of(place) if strict else None
            blocks.append(x.result(_rows(out, x.tensors, refusal, create_graph), create_graph))
    return tuple(blocks) if y.is_tuple else blocks[0]


def hessian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """The Hessian of a function that returns one number: all second derivatives.

    The arguments are those of :func:`jacobian`, but `func` returns one tensor with one element.

    Returns:
        For one input a tensor of shape ``input.shape + input.shape``. For a tuple of inputs a tuple
        of tuples, where ``[i][j]`` has the shape ``inputs[i].shape + inputs[j].shape``.

    Raises:
        RuntimeError: if `func` does not return one element, or for what `strict` refuses.
        TypeError, NotImplementedError: as :func:`jacobian`.

    Example:
        >>> import tapegrad
        >>> from tapegrad.autograd.functional import hessian
        >>> hessian(lambda x: (x**3).sum(), tapegrad.tensor([1.0, 2.0]))
        tensor([[ 6.,  0.],
                [ 0., 12.]])
    """
    given = _Group.of(inputs, "inputs", "hessian")
    _check_strategy(outer_jacobian_strategy, "", "hessian", create_graph, strict, vectorize)

    def gradient(*args: Tensor) -> Tensors:
        output = _number(func, args, strict, "hessian")
        grads = _gradients(output.tensors, args, create_graph=True)
        filled = tuple(_strict_mode.with_zeros(grads, args))
        if strict:
            _strict_mode.require_grad(filled, _strict_mode.JACOBIAN)
        return filled

    strategy = outer_jacobian_strategy
    blocks = jacobian(gradient, given.tensors, create_graph, strict, vectorize, strategy)
    return blocks if given.is_tuple else blocks[0][0]
