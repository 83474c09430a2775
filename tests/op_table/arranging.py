"""Operators that join and split several tensors, make grids, and write windows of a copy."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from op_row import Const, E, Make, S, Sample
from support import ALL

from .build import NO_SUCH_DIM, VIEW, add_row

# ---------------------------------------------------------------- joins and splits

STACKED = {
    "hstack": (np.hstack, ()),
    "vstack": (np.vstack, ("row_stack",)),
    "dstack": (np.dstack, ()),
    "column_stack": (np.column_stack, ()),
}
for name, (ref, aliases) in STACKED.items():
    add_row(name, lambda x, f=ref: f(x), lambda m: [
                S([m(2, 3), m(2, 3)]), S([m(3), m(3)]), S([m(), m()]), S([m(2, 2, 1), m(2, 2, 1)]), S([m(3)])],
            "join", dtypes=ALL, method=None, aliases=aliases,
            errors=(E(lambda t, n=name: getattr(t, n)([]), RuntimeError, f"{name} expects a non-empty TensorList"),
                    E(lambda t, n=name: getattr(t, n)([t.ones(2, 3), t.ones(4, 5)]), RuntimeError,
                      "Sizes of tensors must match except in dimension")))


def tensor_split(x: np.ndarray, into: Any, dim: int = 0) -> tuple:
    into = into.value.tolist() if isinstance(into, Const) else into
    return tuple(np.array_split(x, into.tolist() if isinstance(into, np.ndarray) else into, dim))


add_row("tensor_split", tensor_split, lambda m: [
            S(m(5, 2), 2), S(m(2, 5), 3, dim=1), S(m(5), (1, 3)), S(m(5, 2), (-2, 9), 0), S(m(3), 5), S(m(0, 2), 2),
            S(m(5), Const(np.array(2))), S(m(5), Const(np.array([1, 2]))), S(m(5), [])],
        **VIEW,
        errors=(E(lambda t: t.tensor_split(t.ones(2), 0), RuntimeError,
                  "number of sections must be larger than 0, got 0"),
                E(lambda t: t.tensor_split(t.ones(()), 2), RuntimeError,
                  "tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims"),
                E(lambda t: t.tensor_split(t.ones(2), t.ones(2, dtype=t.float32)), RuntimeError,
                  "tensor_split expected tensor_indices_or_sections to have dtype of long, but got Float"),
                E(lambda t: t.tensor_split(t.ones(2), t.tensor([[1]])), RuntimeError,
                  "tensor_split expected tensor_indices_or_sections to be a zero-dimensional or one-dimensional "
                  "tensor, but got a tensor with 2 dims"),
                E(lambda t: t.tensor_split(t.ones(2, 3), 2, 2), IndexError, NO_SUCH_DIM)))
SPLIT = {"hsplit": (np.hsplit, 1, (2, 4)), "vsplit": (np.vsplit, 2, (4, 2)), "dsplit": (np.dsplit, 3, (2, 3, 4))}
for name, (ref, least, shape) in SPLIT.items():
    add_row(name, lambda x, into, f=ref: tuple(f(x, into)),
            lambda m, s=shape: [S(m(*s), 2), S(m(*s), (1, 3)), S(m(*s), 1), S(m(4, 4, 4), [2])],
            **VIEW,
            errors=(E(lambda t, n=name, s=(3,) * (least - 1): getattr(t, n)(t.ones(*s) if s else t.tensor(1.0), 1),
                      RuntimeError, f"tapegrad.{name} requires a tensor with at least {least} dimension, but got a "
                      f"tensor with {least - 1} dimensions!"),
                    E(lambda t, n=name: getattr(t, n)(t.ones(3, 3, 3), 2), RuntimeError,
                      f"tapegrad.{name} attempted to split along dimension"),
                    E(lambda t, n=name: getattr(t, n)(t.ones(3, 3, 3), 0), RuntimeError,
                      f"tapegrad.{name} attempted to split along dimension")))
add_row("unsafe_split_with_sizes", lambda x, sizes, dim=0: tuple(np.split(x, np.cumsum(sizes)[:-1], dim)),
        lambda m: [S(m(5, 2), [1, 4]), S(m(2, 3), [0, 3], dim=-1)], "shape", dtypes=ALL,
        errors=(E(lambda t: t.unsafe_split_with_sizes(t.ones(2, 3), [1, 2]), RuntimeError,
                  "split_with_sizes expects split_sizes to sum exactly to 2 (input tensor's size at "
                  "dimension 0), but got split_sizes=[1, 2]"),))
add_row("unsafe_chunk", lambda x, n, dim=0: tuple(np.split(x, range(-(-x.shape[dim] // n), x.shape[dim],
                                                                   -(-x.shape[dim] // n)), dim)),
        lambda m: [S(m(5, 2), 2), S(m(2, 5), 3, dim=1), S(m(4), 2, -1)], "shape", dtypes=ALL,
        errors=(E(lambda t: t.unsafe_chunk(t.ones(2), 0), RuntimeError,
                  "chunk expects `chunks` to be greater than 0, got: 0"),))
for dims in (2, 3):
    add_row(f"atleast_{dims}d", lambda *x, n=dims: getattr(np, f"atleast_{n}d")(
                *(x[0] if isinstance(x[0], list | tuple) else x)),
            lambda m: [S(m()), S(m(3)), S(m(2, 3)), S(m(0)), S(m(), m(2)), S([m(2, 3), m(), m(0)]), S(m(2, 1, 2, 2))],
            "shape", dtypes=ALL, method=None)

# ---------------------------------------------------------------- grids

add_row("meshgrid", lambda *x, indexing: tuple(np.meshgrid(*(a.reshape(-1) for a in x), indexing=indexing)),
        lambda m: [S(m(2), m(3), indexing=i) for i in ("ij", "xy")] + [
            S(m(2), m(3), m(2), indexing="xy"), S(m(2), indexing="xy"), S(m(), m(3), indexing="ij"),
            S(m(0), m(2), indexing="xy")],
        "join", dtypes=ALL, method=None,
        errors=(E(lambda t: t.meshgrid(t.ones(2, 2), indexing="ij"), RuntimeError,
                  "tapegrad.meshgrid: Expected 0D or 1D tensor in the tensor list but got: "),
                E(lambda t: t.meshgrid(t.ones(2), t.ones(2, dtype=t.int64), indexing="ij"), RuntimeError,
                  "meshgrid expects all tensors to have the same dtype"),
                E(lambda t: t.meshgrid(t.ones(2), indexing="a"), RuntimeError,
                  'tapegrad.meshgrid: indexing must be one of "xy" or "ij", but received: a')))
add_row("cartesian_prod", lambda *x: np.array(list(itertools.product(*x)), x[0].dtype).reshape(-1, len(x))
        if len(x) > 1 else x[0],
        lambda m: [S(m(2), m(3)), S(m(2)), S(m(2), m(1), m(3)), S(m(0), m(2))], "join", dtypes=ALL, method=None,
        errors=(E(lambda t: t.cartesian_prod(t.ones(2, 2)), RuntimeError,
                  "Expect a 1D vector, but got shape [2, 2]"),))


def combinations(x: np.ndarray, r: int = 2, with_replacement: bool = False) -> np.ndarray:
    chosen = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    return np.array(list(chosen(x, r)), x.dtype).reshape(-1, r) if r else np.zeros(0, x.dtype)


add_row("combinations", combinations, lambda m: [
            S(m(4)), S(m(4), 3), S(m(3), 2, True), S(m(2), 3), S(m(2), 3, with_replacement=True), S(m(0)),
            S(m(0), 2, True), S(m(3), 1), S(Const(m(5)), 0), S(m(4), 4)],
        "join", dtypes=ALL, method=None,
        errors=(E(lambda t: t.combinations(t.ones(2, 2)), RuntimeError, "Expect a 1D vector, but got shape [2, 2]"),
                E(lambda t: t.combinations(t.ones(2), -1), RuntimeError, "Expect a non-negative number, but got -1")))

# ---------------------------------------------------------------- turns

add_row("rot90", lambda x, k=1, dims=(0, 1): np.rot90(x, k, dims), lambda m: [
            *(S(m(2, 3), k) for k in range(-2, 6)), S(m(2, 3, 2), 1, (2, 0)), S(m(2, 3), 1, [-1, 0]), S(m(0, 2)),
            S(m(2, 3))],
        "shape", dtypes=ALL,
        errors=(E(lambda t: t.rot90(t.ones(2, 3), 1, (0,)), RuntimeError,
                  "expected total rotation dims == 2, but got dims = 1"),
                E(lambda t: t.rot90(t.ones(2), 1, (0, 1)), RuntimeError,
                  "expected total dims >= 2, but got total dims = 1"),
                E(lambda t: t.rot90(t.ones(2, 3), 1, (0, -2)), RuntimeError,
                  "expected rotation dims to be different, but got dim0 = 0 and dim1 = -2"),
                E(lambda t: t.rot90(t.ones(2, 3), 1, (0, 2)), IndexError, NO_SUCH_DIM)))
add_row("fliplr", np.fliplr, lambda m: [S(m(2, 3)), S(m(2, 3, 2)), S(m(0, 2))], "shape", dtypes=ALL,
        errors=(E(lambda t: t.fliplr(t.ones(2)), RuntimeError, "Input must be >= 2-d."),))
add_row("flipud", np.flipud, lambda m: [S(m(2, 3)), S(m(2)), S(m(0, 2))], "shape", dtypes=ALL,
        errors=(E(lambda t: t.flipud(t.tensor(1.0)), RuntimeError, "Input must be >= 1-d."),))

# ---------------------------------------------------------------- windows


def written(window: Any) -> Any:
    """The reference of an operator that writes what window(x, ...) shows of a copy."""

    def ref(x: np.ndarray, source: np.ndarray, *args: Any, **kwargs: Any) -> np.ndarray:
        out = np.array(x)
        window(out, *args, **kwargs)[...] = source
        return out

    return ref


def selected(x: np.ndarray, dim: int, index: int) -> np.ndarray:
    return np.moveaxis(x, dim, 0)[index, ...]


def sliced(x: np.ndarray, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> np.ndarray:
    return np.moveaxis(np.moveaxis(x, dim, 0)[start:end:step], 0, dim)


def on_diagonal(x: np.ndarray, offset: int = 0, dim1: int = 0, dim2: int = 1) -> np.ndarray:
    view = np.diagonal(x, offset, dim1, dim2)
    view.flags.writeable = True
    return view


def strided(x: np.ndarray, size: tuple, stride: tuple, offset: int = 0) -> np.ndarray:
    flat = x.reshape(-1)[offset:]
    return np.lib.stride_tricks.as_strided(flat, size, [s * x.itemsize for s in stride])


SLICE = "expected src to have a size equal to the slice of self. src size = [2], slice size = [3]"
add_row("select_scatter", written(selected), lambda m: [
            S(m(2, 3), m(3), 0, 1), S(m(2, 3), m(2), -1, -1), S(m(2, 3, 2), m(2, 2), 1, 0), S(m(3), m(), 0, 2),
            S(m(0, 2), m(0), 1, 0)],
        "index", dtypes=ALL,
        errors=(E(lambda t: t.select_scatter(t.ones(2, 3), t.ones(2), 0, 0), RuntimeError, SLICE),
                E(lambda t: t.select_scatter(t.ones(2, 3), t.ones(3), 0, 5), IndexError)))
add_row("slice_scatter", written(sliced), lambda m: [
            S(m(4, 3), m(2, 3), 0, 1, 3), S(m(4, 3), m(4, 2), -1, None, 2), S(m(5), m(3), 0, None, None, 2),
            S(m(4), m(4)), S(m(4), m(2), start=-2), S(m(4), m(0), 0, 3, 1), S(m(4, 3), m(2, 3), end=-1, step=2)],
        "index", dtypes=ALL,
        errors=(E(lambda t: t.slice_scatter(t.ones(3), t.ones(2)), RuntimeError,
                  "expected src to have a size equal to the slice of self. src size = [2], slice size = [3]"),
                E(lambda t: t.slice_scatter(t.ones(3), t.ones(3), step=0), RuntimeError,
                  "slice step must be positive")))
add_row("diagonal_scatter", written(on_diagonal), lambda m: [
            S(m(3, 3), m(3)), S(m(2, 3), m(2), 1), S(m(2, 3, 2), m(3, 1), -1, 0, 2), S(m(0, 2), m(0))],
        "index", dtypes=ALL,
        errors=(E(lambda t: t.diagonal_scatter(t.ones(3, 3), t.ones(2)), RuntimeError, SLICE),))
add_row("as_strided_scatter", written(strided), lambda m: [
            S(m(3, 4), m(2, 2), (2, 2), (4, 2)), S(m(6), m(3), (3,), (2,), 1), S(m(2, 3), m(), (), (), 4)],
        "index", dtypes=ALL, any_layout=False,
        errors=(E(lambda t: t.as_strided_scatter(t.ones(4), t.ones(2), (3,), (1,)), RuntimeError, SLICE),))


def unfold(x: np.ndarray, dim: int, size: int, step: int) -> np.ndarray:
    if x.ndim == 0:
        return x.reshape(1)[:size]
    windows = np.lib.stride_tricks.sliding_window_view(x, size, dim) if size else np.zeros(
        [n + (d == dim % x.ndim) for d, n in enumerate(x.shape)] + [0], x.dtype)
    return np.take(windows, range(0, windows.shape[dim - (dim < 0)], step), dim - (dim < 0))


add_row("unfold", unfold, lambda m: [
            S(m(7), 0, 3, 1), S(m(7), 0, 3, 2), S(m(2, 5), 1, 2, 3), S(m(5, 2), 0, 5, 1), S(m(2, 5, 2), -2, 2, 1),
            S(m(), 0, 1, 1), S(m(3), 0, 0, 1)],
        call=lambda t, x, *a: x.unfold(*a), **VIEW,
        errors=(E(lambda t: t.ones(2, 3).unfold(1, 4, 1), RuntimeError,
                  "maximum size for tensor at dimension 1 is 3 but size is 4"),
                E(lambda t: t.ones(2, 3).unfold(1, -1, 1), RuntimeError, "size is -1 but must be >= 0"),
                E(lambda t: t.ones(2, 3).unfold(1, 1, 0), RuntimeError, "step is 0 but must be > 0"),
                E(lambda t: t.ones(2, 3).unfold(2, 1, 1), IndexError, NO_SUCH_DIM)))


def diag_embed(x: np.ndarray, offset: int = 0, dim1: int = -2, dim2: int = -1) -> np.ndarray:
    size = x.shape[-1] + abs(offset)
    out = np.zeros((*x.shape[:-1], size, size), x.dtype)
    np.einsum("...ii->...i", out[..., max(-offset, 0):, max(offset, 0):][..., :x.shape[-1], :x.shape[-1]])[...] = x
    return np.moveaxis(out, (-2, -1), (dim1, dim2))


add_row("diag_embed", diag_embed, lambda m: [
            S(m(3)), S(m(2, 3), 1), S(m(2, 3), -1, 0, 2), S(m(2, 3), dim1=-1, dim2=0), S(m(0)), S(m(2, 0), 1)],
        "shape", dtypes=ALL,
        errors=(E(lambda t: t.diag_embed(t.ones(2), 0, 0, -2), RuntimeError,
                  "diagonal dimensions cannot be identical 0, -2"),
                E(lambda t: t.diag_embed(t.ones(2), 0, 0, 2), IndexError, NO_SUCH_DIM)))
add_row("diagflat", np.diagflat, lambda m: [S(m(3)), S(m(2, 2), 1), S(m(2), -2), S(m()), S(m(0))], "shape",
        dtypes=ALL)


def fill_diagonal(x: np.ndarray, value: Any, wrap: bool = False) -> np.ndarray:
    out = np.array(x)
    if out.size:
        np.fill_diagonal(out, value, wrap)
    return out


add_row("fill_diagonal_", fill_diagonal, lambda m: [
            S(m(3, 3), 1), S(m(2, 3), 0), S(m(7, 2), 1), S(m(7, 2), 1, True), S(m(3, 3, 3), 1), S(m(0, 2), 1),
            S(m(9, 2), 1, wrap=True)],
        "index", dtypes=ALL, method=None, call=lambda t, x, *a, **k: x.clone().fill_diagonal_(*a, **k),
        errors=(E(lambda t: t.ones(3).fill_diagonal_(0), RuntimeError, "dimensions must larger than 1"),
                E(lambda t: t.ones(3, 4, 3).fill_diagonal_(0), RuntimeError,
                  "all dimensions of input must be of equal length")))

# ---------------------------------------------------------------- places


def put(x: np.ndarray, index: np.ndarray, source: np.ndarray, accumulate: bool = False) -> np.ndarray:
    out = np.array(x).reshape(-1)
    if accumulate and out.dtype != bool:
        np.add.at(out, index.reshape(-1), source.reshape(-1))
    elif accumulate:
        np.logical_or.at(out, index.reshape(-1), source.reshape(-1))
    else:
        out[index.reshape(-1)] = source.reshape(-1)
    return out.reshape(x.shape)


def puts(m: Make) -> list[Sample]:
    return [S(m(2, 3), np.array([0, 5, -2]), m(3)), S(m(2, 3), np.array([[1], [4]]), m(2)),
            S(m(2, 3), np.array([1, 1, -5]), m(3), accumulate=True), S(m(), np.array([0]), m(1)),
            S(m(3), np.zeros(0, np.int64), m(0))]


OUT_OF_SIX = "out of range: tried to access index 7 on a tensor of 6 elements."
add_row("take", lambda x, i: x.reshape(-1)[i], lambda m: [
            S(m(2, 3), m.index(6, 4)), S(m(2, 3), m.index(6, 2, 2)), S(m(), np.array(0)), S(m(3), np.zeros((0, 2), int))],
        "index", dtypes=ALL, large=lambda m: [S(m(301, 1003), m.index(301 * 1003, 200, 1000))],
        errors=(E(lambda t: t.take(t.ones(2, 3), t.tensor([7])), IndexError, OUT_OF_SIX),
                E(lambda t: t.take(t.ones(2, 3), t.tensor([1], dtype=t.int32)), RuntimeError,
                  "take(): Expected a long tensor for index, but got Int"),
                E(lambda t: t.take(t.ones(0), t.tensor([0])), IndexError,
                  "take(): tried to take from an empty tensor")))
add_row("put", put, puts, "index", dtypes=ALL, inplace="put_",
        errors=(E(lambda t: t.ones(2, 3).put_(t.tensor([7]), t.ones(1)), IndexError, OUT_OF_SIX),
                E(lambda t: t.ones(2).put_(t.tensor([0, 1]), t.ones(3)), IndexError,
                  "put_(): Expected source and index to have the same number of elements, but got "
                  "source.numel() = 3, index.numel() = 2"),
                E(lambda t: t.ones(2).put_(t.tensor([0]), t.ones(1, dtype=t.float64)), RuntimeError,
                  "put_(): self and source expected to have the same dtype, but got self.dtype = Float and "
                  "source.dtype = Double"),
                E(lambda t: t.ones(0).put_(t.tensor([0]), t.ones(1)), IndexError,
                  "put_(): Tried to put elements into an empty tensor")))


def take_along_dim(x: np.ndarray, index: np.ndarray, dim: int | None = None) -> np.ndarray:
    if dim is None:
        return x.reshape(-1)[index.reshape(-1)]
    return np.take_along_axis(x, index, dim)


add_row("take_along_dim", take_along_dim, lambda m: [
            S(m(2, 3), m.place(3, 2, 2), 1), S(m(2, 3), m.place(2, 1, 3), 0), S(m(1, 3), m.place(3, 4, 2), -1),
            S(m(2, 3), m.place(6, 2, 2)), S(m(2, 3), m.place(3, 1, 3), dim=1)],
        "index", dtypes=ALL,
        errors=(E(lambda t: t.take_along_dim(t.ones(2, 3), t.tensor([0]), 0), RuntimeError,
                  "tapegrad.take_along_dim(): input and indices should have the same number of dimensions, but got 2 "
                  "dimensions for input, and 1 dimensions for indices"),
                E(lambda t: t.take_along_dim(t.ones(2), t.tensor([0], dtype=t.int32), 0), RuntimeError,
                  "tapegrad.take_along_dim(): dtype of indices should be Long but got Int")))


def repeat_interleave(x: np.ndarray, repeats: Any, dim: int | None = None, output_size: Any = None) -> np.ndarray:
    if x.ndim == 0 and dim is not None:
        x, dim = x.reshape(1), 0
    return np.repeat(x, repeats.value if isinstance(repeats, Const) else repeats, dim)


add_row("repeat_interleave", repeat_interleave, lambda m: [
            S(m(2, 3), 2), S(m(2, 3), 2, 0), S(m(2, 3), 3, -1), S(m(2, 3), 0, 1), S(m(3), Const(np.array([2, 0, 1]))),
            S(m(2, 3), Const(np.array([1, 2])), 0), S(m(2, 3), Const(np.array(2)), 1), S(m(), 3), S(m(0, 2), 2, 0),
            S(m(2, 3), Const(np.array([2], np.int32)), dim=0), S(m(2), 2, 0, output_size=4)],
        "shape", dtypes=ALL,
        errors=(E(lambda t: t.repeat_interleave(t.ones(2), -1), RuntimeError, "Repeats must be non-negative"),
                E(lambda t: t.repeat_interleave(t.ones(2), t.tensor([1, -1])), RuntimeError,
                  "repeats can not be negative"),
                E(lambda t: t.repeat_interleave(t.ones(2), t.tensor([1, 1, 1])), RuntimeError,
                  "repeats must have the same size as input along dim, but got repeats.size(0) = 3 and "
                  "input.size(0) = 2"),
                E(lambda t: t.repeat_interleave(t.ones(2), t.tensor([[1, 1]])), RuntimeError,
                  "repeats must be 0-dim or 1-dim tensor"),
                E(lambda t: t.repeat_interleave(t.ones(2), t.ones(2, dtype=t.float32)), NotImplementedError,
                  "\"repeat_interleave_cpu\" not implemented for 'Float'"),
                E(lambda t: t.repeat_interleave(t.ones(2), 2, output_size=5), RuntimeError,
                  "repeat_interleave: Invalid output_size, expected 4 but got 5"),
                E(lambda t: t.repeat_interleave(t.ones(2, 3), 2, 2), IndexError, NO_SUCH_DIM)))
add_row("argwhere", lambda x: np.argwhere(x), lambda m: [S(m(2, 3)), S(m(4)), S(m(2, 0)), S(m())], "index",
        dtypes=ALL, out="int64", diff=False)
add_row("unravel_index", lambda x, shape: tuple(np.unravel_index(x, shape)),
        lambda m: [S(m(2, 3, lo=0, hi=5), (2, 3)), S(m(4, lo=0, hi=5), (6,)), S(m(lo=0, hi=5), (1, 3, 2))],
        "index", dtypes=("uint8", "int8", "int16", "int32", "int64"), out="int64", diff=False, method=None,
        errors=(E(lambda t: t.unravel_index(t.ones(2), (2, 3)), TypeError,
                  "expected 'indices' to be integer dtype, but got tapegrad.float32"),
                E(lambda t: t.unravel_index(t.tensor([1]), (2, -3)), ValueError)))
