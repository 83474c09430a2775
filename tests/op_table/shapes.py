"""Operators that join, split, and change shapes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from op_reference import chunk, diagonal, expand, flatten, joined, split, squeeze, unflatten
from op_row import Const, E, S
from support import ALL

from .build import BROADCAST, NO_SUCH_DIM, VIEW, add_row

# ---------------------------------------------------------------- joining and splitting

add_row("cat", joined(np.concatenate), lambda m: [
            S([m(2, 3), m(1, 3)]), S([m(2, 3), m(2, 1), m(2, 2)], dim=1), S([m(2, 3)], dim=-1),
            S([m(2, 0), m(2, 3)], dim=1), S([m(0, 2), m(0, 2)])],
        "join", dtypes=ALL, method=None, aliases=("concat", "concatenate"),
        large=lambda m: [S([m(300, 501), m(300, 502)], dim=1)],
        errors=(E(lambda t: t.cat([]), ValueError,
                  "tapegrad.cat(): expected a non-empty list of Tensors"),
                E(lambda t: t.cat([t.ones(2, 3), t.ones(2, 4)]), RuntimeError,
                  "Sizes of tensors must match except in dimension 0. Expected size 3 but got size 4 "
                  "for tensor number 1 in the list."),
                E(lambda t: t.cat([t.ones(2, 3), t.ones(2)]), RuntimeError,
                  "Tensors must have same number of dimensions: got 2 and 1")))
add_row("stack", joined(np.stack), lambda m: [
            S([m(2, 3), m(2, 3)]), S([m(2, 3), m(2, 3)], dim=1), S([m(2), m(2)], dim=-1),
            S([m(), m(), m()]), S([m(0, 2)])],
        "join", dtypes=ALL, method=None,
        errors=(E(lambda t: t.stack([t.ones(2, 3), t.ones(2)]), RuntimeError,
                  "stack expects each tensor to be equal size, but got [2, 3] at entry 0 and [2] at "
                  "entry 1"),
                E(lambda t: t.stack([]), RuntimeError, "stack expects a non-empty TensorList")))
add_row("split", split, lambda m: [S(m(5, 2), 2), S(m(2, 5), 2, dim=1), S(m(5, 2), [1, 4]),
                                   S(m(2, 3), [0, 3], dim=-1), S(m(2, 3), 7)],
        **VIEW,
        errors=(E(lambda t: t.ones(2, 3).split(0), RuntimeError,
                  "split_size can only be 0 if dimension size is 0, but got dimension size of 2"),
                E(lambda t: t.ones(2, 3).split(-1), RuntimeError,
                  "split expects split_size be non-negative, but got split_size=-1"),
                E(lambda t: t.ones(2, 3).split([1, 2]), RuntimeError,
                  "split_with_sizes expects split_sizes to sum exactly to 2 (input tensor's size at "
                  "dimension 0), but got split_sizes=[1, 2]")))
add_row("split_with_sizes", split, lambda m: [S(m(5, 2), [1, 4]), S(m(2, 3), [0, 3], dim=-1)], **VIEW,
        large=lambda m: [S(m(301, 1003), [1, 300]), S(m(301, 1003), [1003], dim=1)],
        errors=(E(lambda t: t.ones(2, 3).split_with_sizes([1, 2]), RuntimeError,
                  "split_with_sizes expects split_sizes to sum exactly to 2 (input tensor's size at "
                  "dimension 0), but got split_sizes=[1, 2]"),))
add_row("unsafe_split", split, lambda m: [S(m(5, 2), 2), S(m(2, 5), 2, dim=1), S(m(2, 3), 7)],
        "shape", dtypes=ALL, large=lambda m: [S(m(301, 1003), 7), S(m(301, 1003), 100, dim=1)],
        errors=(E(lambda t: t.ones(2, 3).unsafe_split(-1), RuntimeError,
                  "split expects split_size be non-negative, but got split_size=-1"),))
add_row("chunk", chunk, lambda m: [S(m(5, 2), 2), S(m(2, 5), 3, dim=1), S(m(2, 3), 5), S(m(4), 2, -1)],
        **VIEW, errors=(E(lambda t: t.ones(2, 3).chunk(0), RuntimeError,
                          "chunk expects `chunks` to be greater than 0, got: 0"),))
add_row("unbind", lambda x, dim=0: tuple(np.moveaxis(x, dim, 0)),
        lambda m: [S(m(3, 2)), S(m(2, 3), dim=1), S(m(2), dim=-1), S(m(2, 0))], **VIEW)


# ---------------------------------------------------------------- shapes


def sized(name: str) -> Callable[..., Any]:
    """Methods that take sizes one by one and have no function of that form."""
    return lambda lib, x, *args: getattr(x, name)(*args)


BAD_SHAPE = "shape '[5]' is invalid for input of size 6"
SWAP = (E(lambda t: t.ones(2, 3).transpose(0, 2), IndexError, NO_SUCH_DIM),)
add_row("transpose", np.swapaxes, lambda m: [S(m(2, 3), 0, 1), S(m(2, 3, 2), 0, -1), S(m(2, 0), 1, 0)],
        aliases=("swapaxes", "swapdims"), inplace="transpose_", **VIEW, errors=SWAP)
add_row("T", np.transpose, lambda m: [S(m(2, 3)), S(m(0, 2)), S(m(1, 1))], call=lambda t, x: x.T, method=None, **VIEW)
add_row("mT", lambda x: np.swapaxes(x, -1, -2), lambda m: [S(m(2, 3)), S(m(2, 3, 4)), S(m(2, 0))],
        call=lambda t, x: x.mT, method=None, **VIEW,
        errors=(E(lambda t: t.ones(2).mT, RuntimeError,
                  "tensor.mT is only supported on matrices or batches of matrices. Got 1-D tensor."),))
add_row("t", np.transpose, lambda m: [S(m(2, 3)), S(m(3)), S(m())], inplace="t_", **VIEW)
add_row("permute", np.transpose, lambda m: [S(m(2, 3, 2), (2, 0, 1)), S(m(2, 3), (-1, 0)), S(m(), ())],
        **VIEW, errors=(E(lambda t: t.ones(2, 3).permute(0, 0), RuntimeError,
                          "permute(): duplicate dims are not allowed."),
                        E(lambda t: t.ones(2, 3).permute(0, 2), IndexError, NO_SUCH_DIM),
                        E(lambda t: t.ones(2, 3).permute(0), RuntimeError, "permute(")))
add_row("reshape", np.reshape, lambda m: [S(m(2, 3), (3, 2)), S(m(2, 3), (-1,)), S(m(), (1, 1)),
                                          S(m(1), ()), S(m(0, 2), (2, 0)), S(m(2, 6), (2, -1, 2))],
        **VIEW, errors=(E(lambda t: t.ones(2, 3).reshape(5), RuntimeError, BAD_SHAPE),
                        E(lambda t: t.ones(2, 3).reshape(-2, 3), RuntimeError,
                          "invalid shape dimension -2"),
                        E(lambda t: t.ones(2, 3).reshape(-1, -1), RuntimeError,
                          "only one dimension can be inferred")))
add_row("view", lambda x, *s: x.reshape(s), lambda m: [
            S(m(2, 3), 3, 2), S(m(2, 3), -1), S(m(), 1, 1), S(m(0, 2), 2, 0), S(m(4), 2, 2)],
        call=sized("view"), method=None, any_layout=False, **VIEW,
        errors=(E(lambda t: t.ones(2, 3).view(5), RuntimeError, BAD_SHAPE),
                E(lambda t: t.ones(2, 3).view(4, -1), RuntimeError,
                  "shape '[4, -1]' is invalid for input of size 6"),
                E(lambda t: t.ones(2, 3).T.view(6), RuntimeError,
                  "view size is not compatible with input tensor's size and stride (at least one "
                  "dimension spans across two contiguous subspaces). Use .reshape(...) instead.")))
add_row("view_as", lambda x, other: x.reshape(other.shape), lambda m: [
            S(m(2, 3), Const(m(3, 2))), S(m(4), Const(m(2, 1, 2))), S(m(), Const(m(1, 1))), S(m(0, 2), Const(m(3, 0)))],
        call=lambda t, x, other: x.view_as(other), any_layout=False, **VIEW,
        errors=(E(lambda t: t.ones(2, 3).view_as(t.ones(5)), RuntimeError, BAD_SHAPE),))
add_row("reshape_as", lambda x, other: x.reshape(other.shape), lambda m: [
            S(m(2, 3), Const(m(3, 2))), S(m(4), Const(m(2, 1, 2))), S(m(), Const(m(1, 1))), S(m(0, 2), Const(m(3, 0)))],
        call=lambda t, x, other: x.reshape_as(other), **VIEW,
        errors=(E(lambda t: t.ones(2, 3).reshape_as(t.ones(5)), RuntimeError, BAD_SHAPE),))
add_row("expand_as", lambda x, other: np.broadcast_to(x, other.shape), lambda m: [
            S(m(3), Const(m(2, 3))), S(m(2, 1), Const(m(2, 4))), S(m(), Const(m(2, 2))), S(m(1), Const(m(0)))],
        call=lambda t, x, other: x.expand_as(other), **VIEW,
        errors=(E(lambda t: t.ones(2).expand_as(t.ones(3)), RuntimeError,
                  "The expanded size of the tensor (3) must match the existing size (2) at "
                  "non-singleton dimension 0.  Target sizes: [3].  Tensor sizes: [2]"),))
add_row("broadcast_to", np.broadcast_to, lambda m: [S(m(3), (2, 3)), S(m(2, 1), (2, 4)), S(m(), (2, 2)), S(m(1), (0,))],
        **VIEW,
        errors=(E(lambda t: t.broadcast_to(t.ones(2), (3,)), RuntimeError,
                  "The expanded size of the tensor (3) must match the existing size (2) at "
                  "non-singleton dimension 0.  Target sizes: [3].  Tensor sizes: [2]"),))
add_row("broadcast_tensors", lambda *x: tuple(np.broadcast_arrays(*x)), lambda m: [
            S(m(2, 3), m(3)), S(m(3), m(2, 1), m()), S(m(2)), S(m(0), m(1))],
        "join", dtypes=ALL, method=None,
        errors=(E(lambda t: t.broadcast_tensors(t.ones(2), t.ones(3)), RuntimeError, BROADCAST),))
add_row("atleast_1d", lambda *x: np.atleast_1d(*(x[0] if isinstance(x[0], list | tuple) else x)),
        lambda m: [S(m()), S(m(3)), S(m(2, 3)), S(m(0)), S(m(), m(2)), S(m(2, 3), m(), m(0))],
        "shape", dtypes=ALL, method=None)
add_row("expand", expand, lambda m: [S(m(3), 2, 3), S(m(2, 1), 2, 4), S(m(2, 1), -1, 3), S(m(), 2, 2),
                                     S(m(1), 0), S(m(1, 3), 2, 2, 3)],
        call=sized("expand"), method=None, **VIEW,
        errors=(E(lambda t: t.ones(2, 3).expand(4, 3), RuntimeError,
                  "The expanded size of the tensor (4) must match the existing size (2) at "
                  "non-singleton dimension 0.  Target sizes: [4, 3].  Tensor sizes: [2, 3]"),
                E(lambda t: t.ones(2, 3).expand(3), RuntimeError,
                  "expand(tapegrad.FloatTensor{[2, 3]}, size=[3]): the number of sizes provided (1) must "
                  "be greater or equal to the number of dimensions in the tensor (2)"),
                E(lambda t: t.ones(2).expand(-1, 2), RuntimeError,
                  "The expanded size of the tensor (-1) isn't allowed in a leading, non-existing "
                  "dimension 0")))
add_row("squeeze", squeeze, lambda m: [S(m(1, 2, 1)), S(m(1, 2, 1), 0), S(m(2, 1), 0), S(m(2, 1), -1),
                                       S(m(1, 2, 1), (0, 2)), S(m(), 0), S(m())],
        inplace="squeeze_", **VIEW, errors=(E(lambda t: t.ones(2, 3).squeeze(2), IndexError, NO_SUCH_DIM),))
add_row("unsqueeze", np.expand_dims, lambda m: [S(m(2, 3), 0), S(m(2, 3), -1), S(m(2), 1), S(m(), 0)],
        inplace="unsqueeze_", **VIEW, errors=(E(lambda t: t.ones(2).unsqueeze(2), IndexError, NO_SUCH_DIM),))
add_row("flatten", flatten, lambda m: [S(m(2, 3)), S(m(2, 1, 3), 1), S(m(2, 1, 3), 0, 1), S(m(3)),
                                       S(m(2, 0))],
        **VIEW, errors=(E(lambda t: t.ones(2, 3).flatten(1, 0), RuntimeError,
                          "flatten() has invalid args: start_dim cannot come after end_dim"),))
add_row("ravel", np.ravel, lambda m: [S(m(2, 3)), S(m(2, 1, 3)), S(m(3)), S(m()), S(m(2, 0))], **VIEW)
UNEXPECTED = "unflatten got an unexpected error:\n"
add_row("unflatten", unflatten, lambda m: [S(m(6, 2), 0, (2, 3)), S(m(2, 6), -1, (3, -1)), S(m(2, 6), 1, (1, 6, 1)),
                                           S(m(0, 2), 0, (0, 3)), S(m(4), 0, (4,))],
        **VIEW, errors=(E(lambda t: t.ones(2, 6).unflatten(1, (4, 2)), RuntimeError,
                          "unflatten: Provided sizes [4, 2] don't multiply up to the size of dim 1 (6) in the "
                          "input tensor"),
                        E(lambda t: t.ones(2, 6).unflatten(1, ()), RuntimeError, "unflatten: sizes must be non-empty"),
                        E(lambda t: t.tensor(1.0).unflatten(-1, (1, 1)), RuntimeError, UNEXPECTED +
                          "Dimension specified as 0 but tensor has no dimensions"),
                        E(lambda t: t.ones(2, 6).unflatten(1, (-1, 2, -1)), RuntimeError, UNEXPECTED +
                          "only one dimension can be inferred"),
                        E(lambda t: t.ones(2, 6).unflatten(1, (-3, -2)), RuntimeError, UNEXPECTED +
                          "invalid shape dimension -3 at index 0 of shape [-3, -2]"),
                        E(lambda t: t.ones(2, 0).unflatten(1, (-1, 0)), RuntimeError, UNEXPECTED +
                          "cannot reshape tensor of 0 elements into shape [-1, 0] because the unspecified "
                          "dimension size -1 can be any value and is ambiguous"),
                        E(lambda t: t.ones(2, 6).unflatten(1, (2**40, 2**40)), RuntimeError,
                          "unflatten: Provided sizes [1099511627776, 1099511627776] don't multiply up"),
                        E(lambda t: t.ones(2, 3).unflatten(2, (1, 3)), IndexError, NO_SUCH_DIM)))
add_row("movedim", lambda x, *to: np.moveaxis(x, *to) if x.ndim else x,
        lambda m: [S(m(2, 3, 1), 0, -1), S(m(2, 3, 2), (0, 1), (2, 0)), S(m(), -1, 0)],
        aliases=("moveaxis",), **VIEW,
        errors=(E(lambda t: t.movedim(t.ones(2, 3), 0, 2), IndexError, NO_SUCH_DIM),))
add_row("diagonal", diagonal, lambda m: [S(m(3, 3)), S(m(2, 3), 1), S(m(2, 3, 2), -1, 0, 2), S(m(0, 2))],
        **VIEW)
add_row("diag", np.diag, lambda m: [S(m(3, 3)), S(m(3)), S(m(2, 3), 1), S(m(2), -1), S(m(0))], "shape",
        dtypes=ALL,
        errors=(E(lambda t: t.ones(2, 2, 2).diag(), RuntimeError,
                  "diag(): Supports 1D or 2D tensors. Got 3D"),))
for name, ref in (("tril", np.tril), ("triu", np.triu)):
    add_row(name, ref, lambda m: [S(m(3, 3)), S(m(2, 3), 1), S(m(2, 3, 2), -1), S(m(0, 2))], "shape",
            dtypes=ALL, inplace=f"{name}_",
            errors=(E(lambda t, n=name: getattr(t, n)(t.ones(2)), RuntimeError,
                      f"{name}: input tensor must have at least 2 dimensions"),))
add_row("roll", lambda x, shifts, dims=None: np.roll(x, shifts, dims), lambda m: [
            S(m(2, 3), 1), S(m(2, 3), 1, 0), S(m(2, 3), -4, 1), S(m(2, 3), (1, 2), (0, 1)),
            S(m(2, 3, 2), (1, -1), (-1, 0)), S(m(2, 3), (1, 1), (1, 1)), S(m(0, 2), 1, 1), S(m(), 1)],
        "shape", dtypes=ALL,
        large=lambda m: [S(m(301, 1003), 5, 1), S(m(301, 1003), (7, -9), (0, 1)), S(m(301, 1003), 11)],
        errors=(E(lambda t: t.roll(t.ones(2, 3), (1, 2), (0,)), RuntimeError,
                  "shifts and dimensions must align. shifts: 2, dims:1"),
                E(lambda t: t.roll(t.ones(2, 3), 1, 2), IndexError, NO_SUCH_DIM)))
add_row("tile", np.tile, lambda m: [S(m(2, 3), (2,)), S(m(2, 3), (2, 1)), S(m(3), (2, 3)), S(m(), (2,)), S(m(2), (0,)),
                                    S(m(2, 1), ()), S(m(0, 2), (3, 2))],
        "shape", dtypes=ALL, method=None, large=lambda m: [S(m(301, 103), (3, 5))])
add_row("repeat", lambda x, *sizes: np.tile(x, sizes), lambda m: [
            S(m(2, 3), 2, 1), S(m(3), 2, 3), S(m(), 2), S(m(2), 0), S(m(0, 2), 3, 2), S(m(2, 1), 1, 1, 1)],
        "shape", dtypes=ALL, call=sized("repeat"), method=None, large=lambda m: [S(m(301, 103), 3, 5)],
        errors=(E(lambda t: t.ones(2, 2).repeat(2), RuntimeError,
                  "Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor"),
                E(lambda t: t.ones(2, 2).repeat(2, -1), RuntimeError,
                  "Trying to create tensor with negative dimension -2: [4, -2]")))
add_row("flip", np.flip, lambda m: [S(m(2, 3), (0,)), S(m(2, 3), (0, -1)), S(m(0, 2), (0,))], "shape",
        dtypes=ALL)
