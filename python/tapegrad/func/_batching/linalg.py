"""Linear algebra, whose operators take batches already."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..._C import Tensor
from .._levels import Level, wrap
from ._loop import loop
from ._tools import Rule, Signature, as_ints, refuse_out, rewrap, shift, value_of

__all__ = ["RULES"]


def _batches(*tensors: str, least: int = 2) -> Callable[[str, Callable[..., Any]], Rule]:
    """The named tensors, or the first, get the batch in front of what may stand there anyway."""

    def make(operator: str, op: Callable[..., Any]) -> Rule:
        signature, by_loop = Signature(operator), loop(operator, op)

        def rule(level: Level, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            refuse_out(operator, kwargs)
            bound = signature.bind(args, kwargs)
            names = tensors or (bound.first,)
            first = bound[names[0]]
            if any("pivots" in name.lower() for name in names):
                ranks = {bound[n].dim() + ("pivots" in n.lower()) for n in names}
                if len(ranks) > 1:
                    return by_loop(level, args, kwargs)
            if first.dim() < least:
                raise RuntimeError(
                    f"{operator}: The input tensor A must have at least {least} dimensions."
                )
            for name in names:
                bound[name] = value_of(level, bound[name])
            result = bound.call(op)
            return wrap(level, result) if isinstance(result, Tensor) else rewrap(level, result)

        return rule

    return make


def _pair(first: str, second: str) -> Callable[[str, Callable[..., Any]], Rule]:
    """Two batches of matrices, whose leading dimensions are broadcast."""

    def make(operator: str, op: Callable[..., Any]) -> Rule:
        signature = Signature(operator)
        vectors = operator.startswith("linalg_solve") and "triangular" not in operator

        def rule(level: Level, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            refuse_out(operator, kwargs)
            bound = signature.bind(args, kwargs)
            a, b = bound[first], bound[second]
            vector = vectors and (b.dim() == 1 or b.shape == a.shape[:-1])
            rank = max(a.dim(), b.dim() + vector)
            for name, x in ((first, a), (second, b)):
                value = value_of(level, x)
                if name == second and vector:
                    value = value.unsqueeze(-1)
                for _ in range(rank - x.dim() - (name == second and vector)):
                    value = value.unsqueeze(1)
                bound[name] = value
            result = bound.call(op)
            if isinstance(result, Tensor):
                return wrap(level, result.squeeze(-1) if vector else result)
            kind: Any = type(result)
            parts = [result[0].squeeze(-1) if vector else result[0]]
            for part in result[1:]:  # those of the first matrix alone
                for _ in range(rank - a.dim()):
                    part = part.squeeze(1)
                parts.append(part)
            return rewrap(level, kind(parts))

        return rule

    return make


def _norm(operator: str, op: Callable[..., Any]) -> Rule:
    """Norms of vectors and of matrices."""
    signature = Signature(operator)

    def rule(level: Level, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        refuse_out(operator, kwargs)
        bound = signature.bind(args, kwargs)
        x, dim = bound[bound.first], bound["dim"]
        rank, value = x.dim(), x._value
        keepdim = bound["keepdim"]
        whole = False
        if dim is None:
            order = next((bound[n] for n in ("ord", "p") if n in bound), "nuc")
            if operator == "linalg_matrix_norm":
                dim = (-2, -1)
            elif order is None or (operator == "norm" and order != "nuc"):
                value = value.flatten(1) if rank else value.unsqueeze(1)
                dim, whole = 0, True
            else:
                if rank not in (1, 2):
                    raise RuntimeError(
                        "linalg.norm: If dim is not specified but ord is, the input must be 1D or "
                        f"2D. Got {rank}D."
                    )
                dim = 0 if rank == 1 else (0, 1)
        elif rank == 0:
            value = value.unsqueeze(1)
        dims = as_ints(dim)
        logical = value.dim() - 1
        places = [shift(d, logical) for d in dims]
        if operator == "nuclear_norm" and "dim" not in bound:
            bound.form = next(f for f in bound.form.siblings if "dim" in f.names)
        bound[bound.first] = value
        bound["dim"] = places[0] if isinstance(dim, int) else places
        bound["keepdim"] = keepdim and not whole
        result = bound.call(op)
        if whole and keepdim:
            result = result.reshape(level.size, *[1] * rank)
        return wrap(level, result)

    return rule


def _cross(operator: str, op: Callable[..., Any]) -> Rule:
    signature = Signature(operator)

    def rule(level: Level, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        refuse_out(operator, kwargs)
        bound = signature.bind(args, kwargs)
        a, b, dim = (bound[name] for name in ("input", "other", "dim"))
        if dim is None:
            dim = next((d for d, size in enumerate(a.shape) if size == 3), -1)
        rank = max(a.dim(), b.dim())
        for name, x in (("input", a), ("other", b)):
            value = value_of(level, x)
            for _ in range(rank - x.dim()):
                value = value.unsqueeze(1)
            bound[name] = value
        bound["dim"] = shift(dim, rank)
        return wrap(level, bound.call(op))

    return rule


def _vecdot(operator: str, op: Callable[..., Any]) -> Rule:
    signature = Signature(operator)

    def rule(level: Level, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        refuse_out(operator, kwargs)
        bound = signature.bind(args, kwargs)
        a, b = bound["x"], bound["y"]
        rank = max(a.dim(), b.dim())
        values = []
        for x in (a, b):
            value = value_of(level, x)
            for _ in range(rank - x.dim()):
                value = value.unsqueeze(1)
            values.append(value)
        return wrap(level, op(*values, dim=shift(bound["dim"], rank)))

    return rule


_OF_MATRICES = """
linalg_cholesky linalg_cholesky_ex linalg_cond linalg_det linalg_eigh linalg_eigvalsh linalg_inv
linalg_inv_ex linalg_lu linalg_lu_factor linalg_lu_factor_ex linalg_matrix_exp linalg_matrix_power
linalg_qr linalg_slogdet linalg_svd linalg_svdvals cholesky cholesky_inverse det geqrf inverse
logdet lu matrix_exp matrix_power pinverse qr slogdet svd linalg_matrix_rank linalg_pinv
"""
RULES = {
    **dict.fromkeys(
        _OF_MATRICES.split(),
        _batches(),
    ),
    "linalg_householder_product": _batches("input", "tau"),
    "orgqr": _batches("input", "input2"),
    "lu_unpack": _batches("LU_data", "LU_pivots"),
    **dict.fromkeys(
        ("linalg_solve", "linalg_solve_ex", "linalg_solve_triangular"), _pair("A", "B")
    ),
    "linalg_lu_solve": _batches("LU", "pivots", "B"),
    "lu_solve": _batches("input", "LU_data", "LU_pivots"),
    "cholesky_solve": _pair("input", "input2"),
    "triangular_solve": _pair("input", "A"),
    **dict.fromkeys(("linalg_norm", "linalg_matrix_norm", "norm", "nuclear_norm"), _norm),
    "cross": _cross,
    "linalg_cross": _cross,
    "linalg_vecdot": _vecdot,
}
