"""Products of matrices and vectors."""

from __future__ import annotations

import math
import string
from collections.abc import Callable
from typing import Any

from ... import _C
from ..._C import Tensor
from ...autograd.function import Function
from .._levels import Level, is_batched, wrap
from ._tools import Rule, Signature, batched, lift, refuse_out

__all__ = ["PARTS", "RULES"]


class _SharedFactor(Function):
    """A product for each sample whose second factor lies only once in memory.

    Forward and the gradient of the first factor are one product of matrices for all samples.
    """

    _is_only_tensors = True

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor) -> Tensor:
        ctx.save_for_backward(x, w)
        return _C.matmul(x, w.select(0, 0))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        x, w = ctx.saved_tensors
        grad_x = grad_w = None
        if ctx.needs_input_grad[0]:
            grad_x = _product(grad, w.transpose(-2, -1))
        if ctx.needs_input_grad[1]:
            # In the order in which a layer has its weight, so that its gradient is contiguous.
            turned = grad.transpose(-2, -1)
            grad_w = turned * x if x.shape[1] == 1 else turned.matmul(x)
            grad_w = grad_w.transpose(-2, -1)
        return grad_x, grad_w


def _shared(x: Tensor) -> bool:
    return not is_batched(x) and x.dim() == 3 and x.shape[0] > 1 and x.stride(0) == 0


def _product(x: Tensor, w: Tensor) -> Tensor:
    """`matmul` of values with the same rank, of which each or one has the batch in front."""
    if _shared(w) and not is_batched(x) and x.dim() == 3 and x.shape[0] == w.shape[0]:
        if x.requires_grad or w.requires_grad:
            return _SharedFactor.apply(x, w)
        return _C.matmul(x, w.select(0, 0))
    return _C.matmul(x, w)


def _matmul_values(level: Level, x: Tensor, w: Tensor) -> Tensor:
    x_in, w_in = batched(level, x), batched(level, w)
    rank_x, rank_w = x.dim(), w.dim()
    if not rank_x or not rank_w:
        raise RuntimeError(
            f"both arguments to matmul need to be at least 1D, but they are {rank_x}D and {rank_w}D"
        )
    a = x._value if x_in else x  # type: ignore[attr-defined]
    b = w._value if w_in else w  # type: ignore[attr-defined]
    if not w_in:
        if rank_w == 1:  # vectors of one kind: each row of `a`
            return _C.matmul(a, b)
        if rank_x == 1:
            return _C.matmul(a, b) if rank_w == 2 else _C.matmul(
                lift(a, rank_w - 2).unsqueeze(-2), b
            ).squeeze(-2)  # fmt: skip
    elif not x_in and rank_w == 1:
        if rank_x == 1:
            return _C.matmul(b, a)
        if rank_x == 2:
            return _C.matmul(b, a.transpose(0, 1))
    if rank_x == 1:
        a = a.unsqueeze(-2)
    if rank_w == 1:
        b = b.unsqueeze(-1)
    rank = max(rank_x, rank_w, 2)
    if x_in:
        a = lift(a, rank - max(rank_x, 2))
    if w_in:
        b = lift(b, rank - max(rank_w, 2))
    result = _product(a, b)
    if rank_x == 1:
        result = result.squeeze(-2)
    return result.squeeze(-1) if rank_w == 1 else result


_DIMS = {"mm": (2, 2), "bmm": (3, 3), "mv": (2, 1), "dot": (1, 1), "vdot": (1, 1)}


def _matmul(operator: str, op: Callable[..., Any]) -> Rule:
    signature, dims = Signature(operator), _DIMS.get(operator)

    def rule(level: Level, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if kwargs or len(args) != 2:
            refuse_out(operator, kwargs)
            bound = signature.bind(args, kwargs)
            args = tuple(bound[name] for name, _ in bound.form.kinds[:2])
        x, w = args
        if dims is not None and (x.dim(), w.dim()) != dims:
            raise RuntimeError(
                f"{operator}: expected tensors of {dims[0]} and {dims[1]} dimensions, but got "
                f"{x.dim()}D and {w.dim()}D"
            )
        if dims == (1, 1) and x.shape != w.shape:
            raise RuntimeError(
                f"inconsistent tensor size, expected tensor [{x.shape[0]}] and src [{w.shape[0]}] "
                "to have the same number of elements"
            )
        return wrap(level, _matmul_values(level, x, w))

    return rule


def _linear(operator: str, op: Callable[..., Any]) -> Rule:
    signature = Signature(operator)

    def rule(level: Level, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if kwargs:
            refuse_out(operator, kwargs)
            args = tuple(signature.bind(args, kwargs)[n] for n in ("input", "weight", "bias"))
        x, w = args[:2]
        bias: Any = args[2] if len(args) > 2 else None
        if not batched(level, w) and not batched(level, bias):
            return wrap(level, op(x._value, w, bias))
        if x.dim() == 0 or w.dim() not in (1, 2):
            raise RuntimeError(
                "linear: expected an input with dimensions and a weight of 1 or 2, but got "
                f"{x.dim()}D and {w.dim()}D"
            )
        if batched(level, w):
            turned = w._value.transpose(-2, -1) if w.dim() == 2 else w._value
            result = _matmul_values(level, x, wrap(level, turned))
        elif batched(level, x):
            result = op(x._value, w)
        else:
            result = op(x, w).unsqueeze(0)  # only the bias differs from sample to sample
        if bias is None:
            return wrap(level, result)
        if batched(level, bias):
            bias = lift(bias._value, result.dim() - 1 - bias.dim())
        return wrap(level, result + bias)

    return rule


def _einsum(operator: str, op: Callable[..., Any]) -> Rule:
    """The batch is one more letter."""

    def rule(level: Level, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if not isinstance(args[0], str):
            args = _as_equation(args)
        equation, operands = args[0].replace(" ", ""), list(args[1:])
        if len(operands) == 1 and isinstance(operands[0], list | tuple):
            operands = list(operands[0])
        left, arrow, right = equation.partition("->")
        terms = left.split(",")
        if not arrow:
            letters = left.replace("...", "").replace(",", "")
            right = ("..." if "..." in left else "") + "".join(
                sorted(c for c in set(letters) if letters.count(c) == 1)
            )
        free = next(c for c in string.ascii_letters if c not in equation)
        if len(terms) == len(operands):
            terms = [
                free + term if batched(level, x) else term
                for term, x in zip(terms, operands, strict=True)
            ]
        values = [x._value if batched(level, x) else x for x in operands]
        return wrap(level, op(f"{','.join(terms)}->{free}{right}", *values))

    return rule


def _as_equation(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """The other form: operands and lists of numbers in turn, at the end those of the result."""
    operands, lists = args[: len(args) // 2 * 2 : 2], args[1::2]
    letter = string.ascii_letters

    def term(numbers: Any) -> str:
        return "".join("..." if n is Ellipsis else letter[n] for n in numbers)

    equation = ",".join(map(term, lists))
    if len(args) % 2:
        equation += "->" + term(args[-1])
    return (equation, *operands)


# ---------------------------------------------------------------------- written with others


def _plus(input: Any, product: Tensor, beta: Any, alpha: Any) -> Tensor:
    if alpha == 0:  # also where the product is infinite
        product = _C.zeros_like(product)
    scaled = product if alpha == 1 else product * alpha
    if beta == 0:
        return scaled
    return (input if beta == 1 else input * beta) + scaled


def _addmm(input: Any, mat1: Any, mat2: Any, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    return _plus(input, mat1.mm(mat2), beta, alpha)


def _addmv(input: Any, mat: Any, vec: Any, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    return _plus(input, mat.mv(vec), beta, alpha)


def _baddbmm(input: Any, batch1: Any, batch2: Any, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    return _plus(input, batch1.bmm(batch2), beta, alpha)


def _addbmm(input: Any, batch1: Any, batch2: Any, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    return _plus(input, batch1.bmm(batch2).sum(0), beta, alpha)


def _addr(input: Any, vec1: Any, vec2: Any, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    return _plus(input, _outer(vec1, vec2), beta, alpha)


def _outer(input: Any, vec2: Any) -> Tensor:
    if input.dim() != 1 or vec2.dim() != 1:
        raise RuntimeError(
            f"outer: Expected 1-D arguments, but got {input.dim()}-D and {vec2.dim()}-D"
        )
    return input.unsqueeze(1) * vec2


def _inner(input: Any, other: Any) -> Tensor:
    if not input.dim() or not other.dim():
        return input * other
    if other.dim() == 1:
        return input.matmul(other)
    rest = other.shape[:-1]
    flat = input.matmul(other.reshape(rest.numel(), other.shape[-1]).t())
    return flat.reshape(*input.shape[:-1], *rest)


def _tensordot(a: Any, b: Any, dims: Any = 2) -> Tensor:
    if isinstance(dims, Tensor):
        dims = dims.tolist() if dims.dim() else int(dims)
    if isinstance(dims, int):
        of_a, of_b = list(range(a.dim() - dims, a.dim())), list(range(dims))
    else:
        of_a, of_b = ([d % x.dim() for d in _list(ds)] for x, ds in zip((a, b), dims, strict=True))
    rest_a = [d for d in range(a.dim()) if d not in of_a]
    rest_b = [d for d in range(b.dim()) if d not in of_b]
    shape = [a.shape[d] for d in rest_a] + [b.shape[d] for d in rest_b]
    count = 1
    for p, q in zip(of_a, of_b, strict=True):
        if a.shape[p] != b.shape[q]:
            if a.shape[p] == 1:
                b = b.sum(q, True)
            elif b.shape[q] == 1:
                a = a.sum(p, True)
            else:
                raise RuntimeError(
                    "contracted dimensions need to match, but first has size "
                    f"{a.shape[p]} in dim {p} and second has size {b.shape[q]} in dim {q}"
                )
        count *= a.shape[p]
    left = a.permute(*rest_a, *of_a) if a.dim() else a
    right = b.permute(*of_b, *rest_b) if b.dim() else b
    ahead = math.prod(shape[: len(rest_a)])
    behind = math.prod(shape[len(rest_a) :])
    return left.reshape(ahead, count).mm(right.reshape(count, behind)).reshape(shape)


def _list(dims: Any) -> list[int]:
    return [dims] if isinstance(dims, int) else list(dims)


def _chain(*matrices: Any) -> Tensor:
    result = matrices[0]
    for matrix in matrices[1:]:
        result = result.matmul(matrix)
    return result


def _multi_dot(tensors: Any) -> Tensor:
    return _chain(*tensors)


def _kron(input: Any, other: Any) -> Tensor:
    rank = max(input.dim(), other.dim())
    a = input.reshape(*[1] * (rank - input.dim()), *input.shape)
    b = other.reshape(*[1] * (rank - other.dim()), *other.shape)
    shape = [m * n for m, n in zip(a.shape, b.shape, strict=True)]
    for d in range(rank):
        a, b = a.unsqueeze(2 * d + 1), b.unsqueeze(2 * d)
    return (a * b).reshape(shape)


RULES = {
    **dict.fromkeys(("matmul", "mm", "bmm", "mv", "dot", "vdot", "linalg_matmul"), _matmul),
    "linear": _linear,
    "einsum": _einsum,
}
PARTS: dict[str, Callable[..., Any]] = {
    "addmm": _addmm,
    "addmv": _addmv,
    "baddbmm": _baddbmm,
    "addbmm": _addbmm,
    "addr": _addr,
    "outer": _outer,
    "ger": _outer,
    "inner": _inner,
    "tensordot": _tensordot,
    "chain_matmul": _chain,
    "linalg_multi_dot": _multi_dot,
    "kron": _kron,
}
