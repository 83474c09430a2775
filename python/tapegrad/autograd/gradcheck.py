"""Checks of derivatives against finite differences.

The slow mode compares whole Jacobians, entry by entry. The fast mode compares one random projection
``v^T J u`` of each: two evaluations of the function per input instead of two per element. Jacobians
have a row per input element and a column per output element.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tapegrad

from .._arguments import as_tuple
from .._C import Tensor
from . import _finite_differences as numerical
from .function import Function

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


class _Problem(NamedTuple):
    """What is compared: the outputs of a function, and their derivatives by its inputs."""

    call: numerical.Call  # computes the outputs again, for the finite differences
    inputs: Sequence[Tensor]
    outputs: Sequence[Tensor]
    settings: _Settings


# ---------------------------------------------------------------------- inputs and outputs


def _needs_grad(value: Any) -> bool:
    return isinstance(value, Tensor) and bool(value.requires_grad)


def _differentiable(values: Any) -> tuple[Tensor, ...]:
    return tuple(v for v in as_tuple(values) if _needs_grad(v))


def _check_inputs(inputs: tuple[Any, ...]) -> None:
    if not _differentiable(inputs):
        raise ValueError(
            "gradcheck expects at least one input tensor to require gradient, "
            "but none of them have requires_grad=True."
        )
    for index, value in enumerate(inputs):
        if not _needs_grad(value):
            continue
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


def _problem(
    func: Func, inputs: tuple[Any, ...], outputs: tuple[Any, ...], places: list[int],
    settings: _Settings,
) -> _Problem:  # fmt: skip
    """The problem of the outputs at some places."""

    def call() -> list[Tensor]:
        again = as_tuple(func(*inputs))
        return [again[p] for p in places]

    return _Problem(call, _differentiable(inputs), [outputs[p] for p in places], settings)


# ---------------------------------------------------------------------- derivatives by backward


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
        difference = b if a is None else a if b is None else a - b
        if difference is not None and bool((difference.abs() > tolerance).any()):
            raise GradcheckError(
                "Backward is not reentrant, i.e., running backward with "
                "same input and grad_output multiple times gives different values, "
                "although analytical gradient matches numerical gradient."
                f"The tolerance for nondeterminism was {tolerance}.\n\n"
                "NOTE: If the operation is nondeterministic on purpose, pass "
                "`nondet_tol=<tol>` to gradcheck or gradgradcheck."
            )


def _analytical_jacobians(problem: _Problem, output: Tensor) -> list[Tensor]:
    """The Jacobian of an output by each input, of shape ``(x.numel(), output.numel())``."""
    inputs, settings = problem.inputs, problem.settings
    columns = []
    for index in range(output.numel()):
        basis = output.new_zeros(output.numel())
        basis[index] = 1
        grads = _pull_back(output, inputs, basis)
        _check_attributes(grads, inputs, settings.check_grad_dtypes)
        if settings.nondet_tol > 0:
            _check_reentrant(grads, _pull_back(output, inputs, basis), settings.nondet_tol)
        columns.append(
            [
                x.new_zeros(x.numel()) if grad is None else grad.detach().reshape(-1)
                for grad, x in zip(grads, inputs, strict=True)
            ]
        )
    if not columns:
        return [x.new_zeros((x.numel(), 0)) for x in inputs]
    if settings.nondet_tol == 0:
        # One dense vector reaches every entry, so two runs of it are enough.
        dense = _random_direction(output, _generator())
        _check_reentrant(_pull_back(output, inputs, dense), _pull_back(output, inputs, dense), 0.0)
    return [tapegrad.stack(rows, 1) for rows in zip(*columns, strict=True)]


# ---------------------------------------------------------------------- comparison


def _generator() -> tapegrad.Generator:
    """A generator of its own, which leaves the user's random stream alone."""
    return tapegrad.Generator().manual_seed(0)


def _random_direction(like: Tensor, generator: tapegrad.Generator) -> Tensor:
    """A vector of positive numbers and length one, with `like`'s elements and dtype."""
    vector = tapegrad.rand(like.numel(), generator=generator, dtype=tapegrad.float64) + 1e-3
    if vector.numel():
        vector = vector / vector.norm()
    return vector.to(like.dtype)


def _inner(a: Tensor, b: Tensor) -> Tensor:
    return (a.reshape(-1).double() * b.double()).sum()


def _close(analytical: Tensor, numerical: Tensor, rtol: float, atol: float) -> bool:
    return bool(tapegrad.allclose(analytical.double(), numerical.double(), rtol, atol))


def _mismatch(analytical: Tensor, numerical: Tensor, output: int, input: int) -> str:
    return (
        f"Jacobian mismatch for output {output} with respect to input {input},\n"
        f"numerical:{numerical}\nanalytical:{analytical}\n"
    )


def _check_slow(problem: _Problem) -> None:
    call, inputs, outputs, settings = problem
    measured = [numerical.jacobians(call, x, outputs, settings.eps) for x in inputs]
    for i, output in enumerate(outputs):
        for j, a in enumerate(_analytical_jacobians(problem, output)):
            n = measured[j][i]
            if not _close(a, n, settings.rtol, settings.atol):
                raise GradcheckError(_mismatch(a, n, i, j))


def _check_fast(problem: _Problem) -> None:
    call, inputs, outputs, settings = problem
    generator = _generator()
    directions = [_random_direction(x, generator) for x in inputs]
    weights = [_random_direction(out, generator) for out in outputs]
    measured = [
        [
            _inner(slope, v)
            for slope, v in zip(
                numerical.projections(call, x, u, settings.eps), weights, strict=True
            )
        ]
        for x, u in zip(inputs, directions, strict=True)
    ]
    for i, (output, v) in enumerate(zip(outputs, weights, strict=True)):
        grads = _pull_back(output, inputs, v)
        again = _pull_back(output, inputs, v)
        _check_attributes(grads, inputs, settings.check_grad_dtypes)
        _check_reentrant(grads, again, settings.nondet_tol)
        for j, (grad, u) in enumerate(zip(grads, directions, strict=True)):
            n = measured[j][i]
            a = n.new_zeros(()) if grad is None else _inner(grad.detach(), u)
            # |v^T E u| for an error of atol in every entry of the Jacobian.
            atol = settings.atol * float(u.sum()) * float(v.sum())
            if not _close(a, n, settings.rtol, atol):
                raise GradcheckError(_mismatch(a, n, i, j) + _in_slow_mode(problem, i, j))


def _in_slow_mode(problem: _Problem, output: int, input: int) -> str:
    """What the slow mode finds where the fast mode has failed."""
    call, inputs, outputs, settings = problem
    n = numerical.jacobians(call, inputs[input], outputs, settings.eps)[output]
    a = _analytical_jacobians(problem, outputs[output])[input]
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


# ---------------------------------------------------------------------- gradients of nothing


def _check_constant(problem: _Problem) -> None:
    """Outputs that claim not to depend on the inputs must not move with them."""
    call, inputs, outputs, settings = problem
    for x in inputs:
        if settings.fast_mode:
            direction = _random_direction(x, _generator())
            slopes = numerical.projections(call, x, direction, settings.eps)
            tolerance = settings.nondet_tol
        else:
            slopes = numerical.jacobians(call, x, outputs, settings.eps)
            tolerance = 0.0
        if any(bool((s.abs() > tolerance).any()) for s in slopes):
            raise GradcheckError("Numerical gradient for function expected to be zero")


class _Undefined(Function):
    """Identity whose backward passes no gradient on, as if the output had not been used."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> None:
        return None


def _gradients_of_zero(
    outputs: Sequence[Tensor], inputs: Sequence[Tensor]
) -> tuple[Tensor | None, ...]:
    zeros = [tapegrad.zeros_like(o) for o in outputs]
    grads: tuple[Tensor | None, ...] = tapegrad.autograd.grad(
        outputs, inputs, zeros, allow_unused=True
    )
    return grads


def _check_zero_grad_outputs(problem: _Problem) -> None:
    grads = _gradients_of_zero(problem.outputs, problem.inputs)
    for grad, x in zip(grads, problem.inputs, strict=True):
        if grad is None:
            continue
        masked = problem.settings.masked
        zero = tapegrad.allclose(grad, tapegrad.zeros_like(grad)) if masked else (grad == 0).all()
        if not bool(zero):
            raise GradcheckError("backward not multiplied by grad_output")
        if grad.dtype != x.dtype:
            raise GradcheckError("grad is incorrect type")
        if grad.shape != x.shape:
            raise GradcheckError("grad is incorrect size")


def _check_undefined_grad(func: Func, inputs: tuple[Any, ...]) -> None:
    """Backward must accept that no gradient arrives: at all outputs, and at each alone."""

    def check(outputs: Sequence[Tensor]) -> None:
        try:
            grads = _gradients_of_zero(outputs, _differentiable(inputs))
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


# ---------------------------------------------------------------------- the checks


def _run(func: Func, inputs: tuple[Any, ...], settings: _Settings, measured: Func) -> None:
    """Check `func`; `measured` computes the same values for the finite differences."""
    outputs = as_tuple(func(*inputs))
    places = [p for p, o in enumerate(outputs) if _needs_grad(o)]
    if not places:
        tensors = [p for p, o in enumerate(outputs) if isinstance(o, Tensor)]
        _check_constant(_problem(measured, inputs, outputs, tensors, settings))
        return
    problem = _problem(measured, inputs, outputs, places, settings)
    (_check_fast if settings.fast_mode else _check_slow)(problem)
    _check_zero_grad_outputs(problem)
    if settings.check_undefined_grad:
        _check_undefined_grad(func, inputs)


def _passes(
    func: Func,
    inputs: tuple[Any, ...],
    settings: _Settings,
    measured: Func,
    raise_exception: bool,
) -> bool:
    _check_inputs(inputs)
    try:
        _run(func, inputs, settings, measured)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def _at_least_one(**checks: bool) -> None:
    if not any(checks.values()):
        raise AssertionError(f"Expected at least one of {' or '.join(checks)} to be True")


def _implies(**checks: bool) -> None:
    """The first check needs the second one."""
    (check, asked), (needed, there) = checks.items()
    if asked and not there:
        raise AssertionError(f"Setting {check}=True requires {needed} to be True")


def _not_supported(name: str, **checks: bool) -> None:
    for check, asked in checks.items():
        if asked:
            raise NotImplementedError(
                f"{name}: {check}=True is not supported. Compare the results of func.jvp and "
                "func.vmap with those of backward instead."
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

    Every entry of the two Jacobians must satisfy ``|a - n| <= atol + rtol * |n|``. Besides,
    backward must give the same result twice, must be zero for a zero gradient, and must
    accept an undefined one.

    Args:
        func: takes the inputs and returns a tensor or a tuple of tensors. Outputs that do
            not require gradients are left out; if none does, all of them must be constant.
        inputs: a tensor or a tuple of any values. Tensors with ``requires_grad=True``, of
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

    Example:
        >>> import tapegrad
        >>> x = tapegrad.tensor([0.5, -1.0], dtype=tapegrad.float64, requires_grad=True)
        >>> tapegrad.autograd.gradcheck(lambda x: x.exp() * x, x)
        True
        >>> tapegrad.autograd.gradcheck(lambda x: x.detach() * x, x, raise_exception=False)
        False
    """
    _at_least_one(check_forward_ad=check_forward_ad, check_backward_ad=check_backward_ad)
    _implies(check_batched_grad=check_batched_grad, check_backward_ad=check_backward_ad)
    _implies(
        check_batched_forward_grad=check_batched_forward_grad, check_forward_ad=check_forward_ad
    )
    _not_supported(
        "gradcheck",
        check_batched_grad=check_batched_grad,
        check_batched_forward_grad=check_batched_forward_grad,
        check_forward_ad=check_forward_ad,
    )
    settings = _Settings(
        eps, atol, rtol, nondet_tol, check_undefined_grad, check_grad_dtypes, fast_mode,
        bool(masked),
    )  # fmt: skip
    return _passes(func, as_tuple(inputs), settings, func, raise_exception)


def _random_grad_outputs(outputs: Sequence[Tensor], noncontiguous: bool) -> tuple[Tensor, ...]:
    """Numbers between -1 and 1 in the shapes of the outputs, which require gradients."""
    generator = _generator()
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
    gradients of the inputs. The finite differences use an ordinary backward pass, the
    derivatives one with ``create_graph=True``, so the two are held against each other too.

    Args:
        func: as in `gradcheck`.
        inputs: as in `gradcheck`.
        grad_outputs: a tensor or a tuple of tensors, in the shapes of the differentiable
            outputs. By default random numbers between -1 and 1 that require gradients.
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

    Example:
        >>> import tapegrad
        >>> x = tapegrad.tensor([0.5, -1.0], dtype=tapegrad.float64, requires_grad=True)
        >>> tapegrad.autograd.gradgradcheck(lambda x: x.exp() * x, x)
        True
    """
    _at_least_one(check_fwd_over_rev=check_fwd_over_rev, check_rev_over_rev=check_rev_over_rev)
    _implies(check_undefined_grad=check_undefined_grad, check_rev_over_rev=check_rev_over_rev)
    _implies(check_batched_grad=check_batched_grad, check_rev_over_rev=check_rev_over_rev)
    _not_supported(
        "gradgradcheck",
        check_batched_grad=check_batched_grad,
        check_fwd_over_rev=check_fwd_over_rev,
    )
    values = as_tuple(inputs)
    count = len(values)
    if grad_outputs is None:
        outputs = _differentiable(func(*values))
        cotangents: tuple[Any, ...] = _random_grad_outputs(outputs, gen_non_contig_grad_outputs)
    else:
        cotangents = as_tuple(grad_outputs)

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
    return _passes(
        first_derivative(True), values + cotangents, settings, first_derivative(False),
        raise_exception,
    )  # fmt: skip
