"""Checks of derivatives against finite differences.

The slow mode compares whole Jacobians, entry by entry.  The fast mode compares one random
projection ``v^T J u`` of each: two evaluations of the function per input instead of two per
element.  Jacobians have a row per input element and a column per output element.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import tapegrad
from tapegrad._C import Tensor
from tapegrad.autograd.function import Function

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]

Func = Callable[..., Any]


class GradcheckError(RuntimeError):
    """Raised by `gradcheck` and `gradgradcheck` when a derivative fails the check."""


class _Settings(NamedTuple):
    eps: float
    atol: float
    rtol: float
    nondet_tol: float
    check_undefined_grad: bool
    check_grad_dtypes: bool
    fast_mode: bool
    masked: bool


# ---------------------------------------------------------------------------------------
# Inputs and outputs
# ---------------------------------------------------------------------------------------


def _as_tuple(values: Any) -> tuple[Any, ...]:
    if isinstance(values, (tuple, list)):
        return tuple(values)
    return (values,)


def _needs_grad(value: Any) -> bool:
    return isinstance(value, Tensor) and bool(value.requires_grad)


def _differentiable(values: Any) -> tuple[Tensor, ...]:
    return tuple(v for v in _as_tuple(values) if _needs_grad(v))


def _check_inputs(inputs: tuple[Any, ...]) -> None:
    found = False
    for index, value in enumerate(inputs):
        if not _needs_grad(value):
            continue
        found = True
        if value.dtype is not tapegrad.float64:
            warnings.warn(
                f"Input #{index} requires gradient and "
                "is not a double precision floating point or complex. "
                "This check will likely fail if all the inputs are "
                "not of double precision floating point or complex. ",
                stacklevel=4,
            )
        if value.numel() and any(
            stride == 0 and size > 1
            for stride, size in zip(value.stride(), value.shape, strict=True)
        ):
            raise RuntimeError(
                f"The {index}th input has a dimension with stride 0. gradcheck only "
                "supports inputs that are non-overlapping to be able to "
                "compute the numerical gradients correctly. You should call "
                ".contiguous on the input before passing it to gradcheck."
            )
        value.retain_grad()
    if not found:
        raise ValueError(
            "gradcheck expects at least one input tensor to require gradient, "
            "but none of them have requires_grad=True."
        )


# ---------------------------------------------------------------------------------------
# Numerical derivatives
# ---------------------------------------------------------------------------------------


def _central_difference(
    call: Callable[[], Sequence[Tensor]],
    move: Callable[[float], None],
    eps: float,
    where: str = "",
) -> list[Tensor]:
    """``(f(+eps) - f(-eps)) / (2 eps)`` of every output, where `move` displaces the input."""
    try:
        move(-eps)
        # An output may be a view of the input, which is about to change.
        low = [out.detach().clone() for out in call()]
        move(eps)
        high = [out.detach() for out in call()]
        slopes = []
        for a, b in zip(low, high, strict=True):
            for what, before, after in (("shape", a.shape, b.shape), ("dtype", a.dtype, b.dtype)):
                if before != after:
                    raise AssertionError(
                        f"Expected `func` to return outputs with the same {what} when inputs "
                        f"are perturbed {where}by {eps}, but got: "
                        f"{what}s {before} and {after}."
                    )
            if not a.is_floating_point():
                a, b = a.double(), b.double()
            slopes.append((b - a) / (2 * eps))
        return slopes
    finally:
        move(0.0)


def _element_moves(x: Tensor) -> Iterator[tuple[tuple[int, ...], Callable[[float], None]]]:
    """Each index of `x` in row-major order, with a function that displaces its element."""
    # .data has a version counter of its own: what autograd has saved stays valid.
    data = x.data
    flat = data.view(-1) if data.is_contiguous() else None
    for position, index in enumerate(itertools.product(*map(range, data.shape))):
        target, key = (data, index) if flat is None else (flat, position)
        value = target[key].item()

        def move(
            step: float, target: Tensor = target, key: Any = key, value: float = value
        ) -> None:
            target[key] = value + step

        yield index, move


def _caller(
    func: Func, inputs: tuple[Any, ...], positions: Sequence[int]
) -> Callable[[], list[Tensor]]:
    """A call of `func` that returns the outputs at these positions."""

    def call() -> list[Tensor]:
        outputs = _as_tuple(func(*inputs))
        return [outputs[p] for p in positions]

    return call


def _numerical_jacobians(
    call: Callable[[], Sequence[Tensor]], x: Tensor, outputs: Sequence[Tensor], eps: float
) -> list[Tensor]:
    """Jacobian ``(x.numel(), out.numel())`` of each output."""
    rows = [
        _central_difference(call, move, eps, f"on index {index} ")
        for index, move in _element_moves(x)
    ]
    if not rows:
        return [out.detach().new_zeros((0, out.numel())) for out in outputs]
    return [tapegrad.stack([r.reshape(-1) for r in column]) for column in zip(*rows, strict=True)]


def _numerical_projections(
    call: Callable[[], Sequence[Tensor]], x: Tensor, u: Tensor, eps: float
) -> list[Tensor]:
    """``J u`` of each output, for a direction `u` with as many elements as `x`."""
    data, direction = x.data, u.view(x.shape)
    start = data.clone()

    def move(step: float) -> None:
        data.copy_(start + direction * step)

    return _central_difference(call, move, eps)


# ---------------------------------------------------------------------------------------
# Analytical derivatives
# ---------------------------------------------------------------------------------------


def _pull_back(output: Tensor, inputs: Sequence[Tensor], v: Tensor) -> tuple[Tensor | None, ...]:
    """``v^T J`` for each input; None where the output does not depend on it."""
    grads: tuple[Tensor | None, ...] = tapegrad.autograd.grad(
        output, inputs, v.view(output.shape), retain_graph=True, allow_unused=True
    )
    return grads


def _check_attributes(
    grads: Sequence[Tensor | None], inputs: Sequence[Tensor], check_dtypes: bool
) -> None:
    for grad, x in zip(grads, inputs, strict=True):
        if grad is None:
            continue
        if check_dtypes and grad.dtype != x.dtype:
            raise GradcheckError("Gradient has dtype mismatch")
        if grad.shape != x.shape:
            raise GradcheckError("Analytical gradient has incorrect size")


def _check_reentrant(
    first: Sequence[Tensor | None], second: Sequence[Tensor | None], tolerance: float
) -> None:
    for a, b in zip(first, second, strict=True):
        if a is None and b is None:
            continue
        if a is None or b is None:
            present = b if a is None else a
            assert present is not None
            difference = present
        else:
            difference = a - b
        if difference.numel() and bool((difference.abs() > tolerance).any()):
            raise GradcheckError(
                "Backward is not reentrant, i.e., running backward with "
                "same input and grad_output multiple times gives different values, "
                "although analytical gradient matches numerical gradient."
                f"The tolerance for nondeterminism was {tolerance}.\n\n"
                "NOTE: If the operation is nondeterministic on purpose, pass "
                "`nondet_tol=<tol>` to gradcheck or gradgradcheck."
            )


def _analytical_jacobians(
    output: Tensor, inputs: Sequence[Tensor], settings: _Settings
) -> list[Tensor]:
    """Jacobian ``(x.numel(), output.numel())`` with respect to each input."""
    count = output.numel()
    columns: list[list[Tensor]] = [[] for _ in inputs]
    for index in range(count):
        basis = output.new_zeros(count)
        basis[index] = 1
        grads = _pull_back(output, inputs, basis)
        _check_attributes(grads, inputs, settings.check_grad_dtypes)
        if settings.nondet_tol > 0:
            _check_reentrant(grads, _pull_back(output, inputs, basis), settings.nondet_tol)
        for column, grad, x in zip(columns, grads, inputs, strict=True):
            flat = x.new_zeros(x.numel()) if grad is None else grad.detach().reshape(-1)
            column.append(flat)
    if settings.nondet_tol == 0 and count:
        # One dense vector reaches every entry, so two runs of it are enough.
        dense = _random_direction(output)
        _check_reentrant(_pull_back(output, inputs, dense), _pull_back(output, inputs, dense), 0.0)
    return [
        tapegrad.stack(column, 1) if column else x.new_zeros((x.numel(), 0))
        for column, x in zip(columns, inputs, strict=True)
    ]


# ---------------------------------------------------------------------------------------
# Comparison
# ---------------------------------------------------------------------------------------


def _close(analytical: Tensor, numerical: Tensor, rtol: float, atol: float) -> bool:
    return bool(tapegrad.allclose(analytical.double(), numerical.double(), rtol, atol))


def _mismatch(analytical: Tensor, numerical: Tensor, output: int, input: int) -> str:
    return (
        f"Jacobian mismatch for output {output} with respect to input {input},\n"
        f"numerical:{numerical}\nanalytical:{analytical}\n"
    )


def _check_slow(
    call: Callable[[], Sequence[Tensor]],
    wanted: Sequence[Tensor],
    outputs: Sequence[Tensor],
    settings: _Settings,
) -> None:
    numerical = [_numerical_jacobians(call, x, outputs, settings.eps) for x in wanted]
    for i, output in enumerate(outputs):
        for j, a in enumerate(_analytical_jacobians(output, wanted, settings)):
            n = numerical[j][i]
            if not _close(a, n, settings.rtol, settings.atol):
                raise GradcheckError(_mismatch(a, n, i, j))


def _random_direction(like: Tensor, generator: Any = None) -> Tensor:
    """A vector of positive numbers and length one, with `like`'s elements and dtype."""
    if generator is None:
        generator = tapegrad.Generator().manual_seed(0)
    vector = tapegrad.rand(like.numel(), generator=generator, dtype=tapegrad.float64)
    vector = vector + 1e-3
    if vector.numel():
        vector = vector / vector.norm()
    return vector.to(like.dtype)


def _check_fast(
    call: Callable[[], Sequence[Tensor]],
    wanted: Sequence[Tensor],
    outputs: Sequence[Tensor],
    settings: _Settings,
) -> None:
    # A generator of its own leaves the user's random stream alone.
    generator = tapegrad.Generator().manual_seed(0)
    directions = [_random_direction(x, generator) for x in wanted]
    weights = [_random_direction(out, generator) for out in outputs]

    numerical = [
        [
            (slope.reshape(-1).double() * v.double()).sum()
            for slope, v in zip(
                _numerical_projections(call, x, u, settings.eps), weights, strict=True
            )
        ]
        for x, u in zip(wanted, directions, strict=True)
    ]
    for i, (output, v) in enumerate(zip(outputs, weights, strict=True)):
        grads = _pull_back(output, wanted, v)
        again = _pull_back(output, wanted, v)
        _check_attributes(grads, wanted, settings.check_grad_dtypes)
        _check_reentrant(grads, again, settings.nondet_tol)
        for j, (grad, u) in enumerate(zip(grads, directions, strict=True)):
            n = numerical[j][i]
            a = n.new_zeros(())
            if grad is not None:
                a = (grad.detach().reshape(-1).double() * u.double()).sum()
            # |v^T E u| for an error of atol in every entry of the Jacobian.
            atol = settings.atol * float(u.sum()) * float(v.sum())
            if not _close(a, n, settings.rtol, atol):
                raise GradcheckError(
                    _mismatch(a, n, i, j)
                    + _explain_in_slow_mode(call, wanted, outputs, i, j, settings)
                )


def _explain_in_slow_mode(
    call: Callable[[], Sequence[Tensor]],
    wanted: Sequence[Tensor],
    outputs: Sequence[Tensor],
    output: int,
    input: int,
    settings: _Settings,
) -> str:
    n = _numerical_jacobians(call, wanted[input], outputs, settings.eps)[output]
    a = _analytical_jacobians(outputs[output], wanted, settings)[input]
    text = (
        "\nThe above quantities relating the numerical and analytical jacobians are computed \n"
        "in fast mode. Below, we recompute numerical and analytical jacobians in slow mode:\n\n"
        f"Numerical:\n {n}\n"
        f"Analytical:\n{a}\n\n"
        f"The max per-element difference (slow mode) is: {(n.double() - a.double()).abs().max()}.\n"
    )
    if _close(a, n, settings.rtol, settings.atol):
        text += (
            "\nFast gradcheck failed but element-wise differences are small. This means that the\n"
            "test might've passed in slow_mode!\n"
        )
    return text


def _check_nothing_differentiable(
    func: Func, inputs: tuple[Any, ...], func_out: tuple[Any, ...], settings: _Settings
) -> None:
    """Outputs that claim not to depend on the inputs must not move with them."""
    positions = [p for p, o in enumerate(func_out) if isinstance(o, Tensor)]
    call = _caller(func, inputs, positions)
    outputs = [func_out[p] for p in positions]
    for x in _differentiable(inputs):
        if settings.fast_mode:
            slopes = _numerical_projections(call, x, _random_direction(x), settings.eps)
            tolerance = settings.nondet_tol
        else:
            slopes = _numerical_jacobians(call, x, outputs, settings.eps)
            tolerance = 0.0
        if any(s.numel() and bool((s.abs() > tolerance).any()) for s in slopes):
            raise GradcheckError("Numerical gradient for function expected to be zero")


# ---------------------------------------------------------------------------------------
# Gradients of zero and undefined gradients
# ---------------------------------------------------------------------------------------


class _Undefined(Function):
    """Identity whose backward passes no gradient on, as if the output had not been used."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> None:
        return None


def _check_zero_grad_outputs(
    outputs: Sequence[Tensor], inputs: tuple[Any, ...], masked: bool
) -> None:
    wanted = _differentiable(inputs)
    grads = tapegrad.autograd.grad(
        outputs, wanted, [tapegrad.zeros_like(o) for o in outputs], allow_unused=True
    )
    for grad, x in zip(grads, wanted, strict=True):
        if grad is None:
            continue
        zero = tapegrad.allclose(grad, tapegrad.zeros_like(grad)) if masked else (grad == 0).all()
        if not bool(zero):
            raise GradcheckError("backward not multiplied by grad_output")
        if grad.dtype != x.dtype:
            raise GradcheckError("grad is incorrect type")
        if grad.shape != x.shape:
            raise GradcheckError("grad is incorrect size")


def _check_undefined_grad(func: Func, inputs: tuple[Any, ...]) -> None:
    wanted = _differentiable(inputs)

    def check(outputs: Sequence[Tensor]) -> None:
        zeros = [tapegrad.zeros_like(o) for o in outputs]
        try:
            grads = tapegrad.autograd.grad(outputs, wanted, zeros, allow_unused=True)
        except (RuntimeError, TypeError, AttributeError) as error:
            raise GradcheckError(
                "Expected backward function to handle undefined output grads. "
                "A gradient that is None stands for zeros; pass check_undefined_grad=False "
                "to gradcheck if backward is never called with one."
            ) from error
        if any(g is not None and not bool((g == 0).all()) for g in grads):
            raise GradcheckError(
                "Expected all input grads to be undefined or zero when all output grads are "
                "undefined or zero."
            )

    outputs = _differentiable(func(*inputs))
    count = len(outputs)
    check([_Undefined.apply(o) for o in outputs])
    if count > 1:
        for index in range(count):
            outputs = _differentiable(func(*inputs))
            check([_Undefined.apply(o) if i == index else o for i, o in enumerate(outputs)])


# ---------------------------------------------------------------------------------------
# Public functions
# ---------------------------------------------------------------------------------------


def _run(func: Func, inputs: tuple[Any, ...], settings: _Settings, numerical: Func) -> None:
    """Check `func`; `numerical` computes the same values for the finite differences."""
    func_out = _as_tuple(func(*inputs))
    positions = [p for p, o in enumerate(func_out) if _needs_grad(o)]
    if not positions:
        _check_nothing_differentiable(numerical, inputs, func_out, settings)
        return
    outputs = [func_out[p] for p in positions]
    check = _check_fast if settings.fast_mode else _check_slow
    check(_caller(numerical, inputs, positions), _differentiable(inputs), outputs, settings)
    _check_zero_grad_outputs(outputs, inputs, settings.masked)
    if settings.check_undefined_grad:
        _check_undefined_grad(func, inputs)


def _check_support(name: str, **asked: bool) -> None:
    for argument, value in asked.items():
        if value:
            raise NotImplementedError(
                f"{name}: {argument}=True is not supported: tapegrad has neither forward-mode "
                "automatic differentiation nor vmap."
            )


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool = False,
    masked: bool | None = None,
) -> bool:
    """Compare the gradients of `func` with central finite differences.

    Every entry of the two Jacobians must satisfy ``|a - n| <= atol + rtol * |n|``.  Besides,
    backward must give the same result twice, must be zero for a zero gradient, and must
    accept an undefined one.

    Args:
        func: takes the inputs and returns a tensor or a tuple of tensors.  Outputs that do
            not require gradients are left out; if none does, all of them must be constant.
        inputs: a tensor or a tuple of any values.  Tensors with ``requires_grad=True``, of
            any shape, are checked; they should be float64.
        eps: step of the finite differences.
        atol: absolute tolerance.
        rtol: relative tolerance.
        raise_exception: False returns False instead of raising `GradcheckError`.
        nondet_tol: allowed difference between two runs of backward.
        check_undefined_grad: also check that undefined gradients are accepted.
        check_grad_dtypes: also check that gradients have the dtypes of the inputs.
        check_batched_grad: not supported.
        check_batched_forward_grad: not supported.
        check_forward_ad: not supported.
        check_backward_ad: must be True.
        fast_mode: compare one random projection of each Jacobian only.
        masked: True allows small values where the zero gradient gives zeros.

    Returns:
        True if all checks passed.

    Raises:
        GradcheckError: (a `RuntimeError`) a check failed.
        ValueError: no input requires a gradient.
        RuntimeError: an input has a dimension with stride 0.
        AssertionError: the outputs change their shape or dtype when the input moves, or no
            check was asked for.
        NotImplementedError: a check was asked for that is not supported.

    Warns:
        UserWarning: an input that requires a gradient is not float64.

    Example::

        >>> import tapegrad
        >>> x = tapegrad.tensor([0.5, -1.0], dtype=tapegrad.float64, requires_grad=True)
        >>> tapegrad.autograd.gradcheck(lambda x: x.exp() * x, x)
        True
        >>> tapegrad.autograd.gradcheck(lambda x: x.detach() * x, x, raise_exception=False)
        False
    """
    if not (check_forward_ad or check_backward_ad):
        raise AssertionError(
            "Expected at least one of check_forward_ad or check_backward_ad to be True"
        )
    if check_batched_grad and not check_backward_ad:
        raise AssertionError(
            "Setting check_batched_grad=True requires check_backward_ad to be True"
        )
    if check_batched_forward_grad and not check_forward_ad:
        raise AssertionError(
            "Setting check_batched_forward_grad=True requires check_forward_ad to be True"
        )
    _check_support(
        "gradcheck",
        check_batched_grad=check_batched_grad,
        check_batched_forward_grad=check_batched_forward_grad,
        check_forward_ad=check_forward_ad,
    )
    settings = _Settings(
        eps, atol, rtol, nondet_tol, check_undefined_grad, check_grad_dtypes, fast_mode,
        bool(masked),
    )  # fmt: skip
    values = _as_tuple(inputs)
    return _guarded(func, values, settings, func, raise_exception)


def _guarded(
    func: Func,
    inputs: tuple[Any, ...],
    settings: _Settings,
    numerical: Func,
    raise_exception: bool,
) -> bool:
    _check_inputs(inputs)
    try:
        _run(func, inputs, settings, numerical)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def _random_grad_outputs(outputs: Sequence[Tensor], noncontiguous: bool) -> tuple[Tensor, ...]:
    """Numbers between -1 and 1 in the shapes of the outputs, which require gradients."""
    generator = tapegrad.Generator().manual_seed(0)
    grads = []
    for out in outputs:
        spread = (*out.shape, 2) if noncontiguous else tuple(out.shape)
        values = tapegrad.rand(spread, generator=generator, dtype=out.dtype) * 2 - 1
        if noncontiguous:
            values = values[..., 0]
        grads.append(values.requires_grad_())
    return tuple(grads)


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Any,
    grad_outputs: Any = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False,
    check_rev_over_rev: bool = True,
    fast_mode: bool = False,
    masked: bool = False,
) -> bool:
    """Compare the second derivatives of `func` with finite differences of the first ones.

    The function checked takes the inputs and the gradients of the outputs, and returns the
    gradients of the inputs.  The finite differences use an ordinary backward pass, the
    derivatives one with ``create_graph=True``, so the two are held against each other too.

    Args:
        func: as in `gradcheck`.
        inputs: as in `gradcheck`.
        grad_outputs: a tensor or a tuple of tensors, in the shapes of the differentiable
            outputs.  By default random numbers between -1 and 1 that require gradients.
        gen_non_contig_grad_outputs: make the random ones non-contiguous.
        check_fwd_over_rev: not supported.
        check_rev_over_rev: must be True.
        eps, atol, rtol, raise_exception, nondet_tol, check_undefined_grad: as in `gradcheck`.
        check_grad_dtypes, check_batched_grad, fast_mode, masked: as in `gradcheck`.

    Returns:
        True if all checks passed.

    Raises:
        GradcheckError: (a `RuntimeError`) a check failed.
        NotImplementedError: a check was asked for that is not supported.

    Example::

        >>> import tapegrad
        >>> x = tapegrad.tensor([0.5, -1.0], dtype=tapegrad.float64, requires_grad=True)
        >>> tapegrad.autograd.gradgradcheck(lambda x: x.exp() * x, x)
        True
    """
    if not (check_fwd_over_rev or check_rev_over_rev):
        raise AssertionError(
            "Expected at least one of check_fwd_over_rev or check_rev_over_rev to be True"
        )
    if check_undefined_grad and not check_rev_over_rev:
        raise AssertionError(
            "Setting check_undefined_grad=True requires check_rev_over_rev to be True"
        )
    if check_batched_grad and not check_rev_over_rev:
        raise AssertionError(
            "Setting check_batched_grad=True requires check_rev_over_rev to be True"
        )
    _check_support(
        "gradgradcheck",
        check_batched_grad=check_batched_grad,
        check_fwd_over_rev=check_fwd_over_rev,
    )
    values = _as_tuple(inputs)
    if grad_outputs is None:
        outputs = _differentiable(func(*values))
        cotangents: tuple[Any, ...] = _random_grad_outputs(outputs, gen_non_contig_grad_outputs)
    else:
        cotangents = _as_tuple(grad_outputs)
    count = len(values)

    def first_derivative(create_graph: bool) -> Func:
        def run(*args: Any) -> tuple[Tensor, ...]:
            grads = tapegrad.autograd.grad(
                _differentiable(func(*args[:count])),
                _differentiable(args[:count]),
                args[count:],
                create_graph=create_graph,
                allow_unused=True,
            )
            return tuple(g for g in grads if g is not None)

        return run

    settings = _Settings(
        eps, atol, rtol, nondet_tol, check_undefined_grad, check_grad_dtypes, fast_mode, masked
    )
    return _guarded(
        first_derivative(True), values + cotangents, settings, first_derivative(False),
        raise_exception,
    )  # fmt: skip
