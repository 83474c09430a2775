"""Sums, extremes and norms."""

from __future__ import annotations

from typing import Any

from ... import _C
from ..._C import Tensor
from ._table import Table

__all__ = ["CONVERTERS"]

CONVERTERS = Table()


def _axes(g: Any, dim: Any) -> Any:
    if dim is None or (isinstance(dim, (tuple, list)) and not dim):
        return None
    return g.ints(*((dim,) if isinstance(dim, int) else dim))


def _reduced(kind: str) -> Any:
    def convert(
        g: Any, input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None
    ) -> Any:
        made = g.cast(input, g.result.dtype)
        return g.node(kind, made, _axes(g, dim), keepdims=int(keepdim))

    return convert


CONVERTERS.update(
    {
        "sum": _reduced("ReduceSum"),
        "mean": _reduced("ReduceMean"),
        "prod": _reduced("ReduceProd"),
        "amax": _reduced("ReduceMax"),
        "amin": _reduced("ReduceMin"),
        "logsumexp": _reduced("ReduceLogSumExp"),
    }
)


def _extreme(which: str) -> Any:
    def convert(g: Any, input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
        if isinstance(dim, Tensor):  # the larger one of two
            dtype = g.result.dtype
            return g.node(which, g.cast(input, dtype), g.cast(dim, dtype))
        values = g.node(f"Reduce{which}", input, _axes(g, dim), keepdims=int(keepdim))
        if dim is None:
            return values
        return values, g.node(f"Arg{which}", input, axis=dim, keepdims=int(keepdim))

    return convert


CONVERTERS["max"] = _extreme("Max")
CONVERTERS["min"] = _extreme("Min")


def _place(kind: str) -> Any:
    def convert(g: Any, input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
        if dim is None:
            flat = g.reshape(input, (-1,))
            return g.reshape(g.node(kind, flat, axis=0, keepdims=0), g.result.shape)
        return g.node(kind, input, axis=dim, keepdims=int(keepdim))

    return convert


CONVERTERS["argmax"] = _place("ArgMax")
CONVERTERS["argmin"] = _place("ArgMin")


@CONVERTERS.of("norm", "linalg_vector_norm")
def _norm(g: Any, input: Tensor, p: Any = 2, dim: Any = None, keepdim: bool = False) -> Any:
    kinds = {1: "ReduceL1", 2: "ReduceL2", "fro": "ReduceL2", None: "ReduceL2"}
    if p not in kinds:
        raise g.refuse(f"has the exponent {p}; 1 and 2 can be written")
    return g.node(kinds[p], input, _axes(g, dim), keepdims=int(keepdim))


def _variance(g: Any, input: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    names = ("dim", "unbiased", "keepdim")
    given = {**dict(zip(names, args, strict=False)), **kwargs}
    dim, keepdim = given.get("dim"), given.get("keepdim", False)
    if isinstance(dim, bool):
        raise g.refuse("has `unbiased` as its first argument; name it")
    correction = given.get("correction", int(given.get("unbiased", True)))
    axes = _axes(g, dim)
    count = input.numel() // max(g.result.numel(), 1)
    difference = g.node("Sub", input, g.node("ReduceMean", input, axes, keepdims=1))
    squares = g.node("ReduceSumSquare", difference, axes, keepdims=int(keepdim))
    return g.node("Div", squares, g.number(count - correction, g.result.dtype))


@CONVERTERS.of("var")
def _var(g: Any, input: Tensor, *args: Any, **kwargs: Any) -> Any:
    return _variance(g, input, args, kwargs)


@CONVERTERS.of("std")
def _std(g: Any, input: Tensor, *args: Any, **kwargs: Any) -> Any:
    return g.node("Sqrt", _variance(g, input, args, kwargs))


@CONVERTERS.of("cumsum")
def _cumsum(g: Any, input: Tensor, dim: int, *, dtype: Any = None) -> Any:
    return g.node("CumSum", g.cast(input, g.result.dtype), g.number(dim, _C.int64))
