"""Operators that join, split, and change shapes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from op_reference import chunk, diagonal, expand, flatten, joined, split, squeeze
from op_row import E, S
from support import ALL

from .build import NO_SUCH_DIM, VIEW, add_row

# ---------------------------------------------------------------- joining and splitting

add_row("cat", joined(np.concatenate), lambda m: [
            S([m(2, 3), m(1, 3)]), S([m(2, 3), m(2, 1), m(2, 2)], dim=1), S([m(2, 3)], dim=-1),
            S([m(2, 0), m(2, 3)], dim=1), S([m(0, 2), m(0, 2)])],
        "join", dtypes=ALL, method=None, covers=("concat", "concatenate"),
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
        covers=("split_with_sizes",), **VIEW,
        errors=(E(lambda t: t.ones(2, 3).split(0), RuntimeError,
                  "split_size can only be 0 if dimension size is 0, but got dimension size of 2"),
                E(lambda t: t.ones(2, 3).split(-1), RuntimeError,
                  "split expects split_size be non-negative, but got split_size=-1"),
                E(lambda t: t.ones(2, 3).split([1, 2]), RuntimeError,
                  "split_with_sizes expects split_sizes to sum exactly to 2 (input tensor's size at "
                  "dimension 0), but got split_sizes=[1, 2]")))
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
        covers=("t", "T", "swapaxes", "swapdims", "mT"), **VIEW, errors=SWAP)
add_row("t", np.transpose, lambda m: [S(m(2, 3)), S(m(3)), S(m())], **VIEW)
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
        call=sized("view"), method=None, **VIEW,
        errors=(E(lambda t: t.ones(2, 3).view(5), RuntimeError, BAD_SHAPE),
                E(lambda t: t.ones(2, 3).view(4, -1), RuntimeError,
                  "shape '[4, -1]' is invalid for input of size 6"),
                E(lambda t: t.ones(2, 3).T.view(6), RuntimeError,
                  "view size is not compatible with input tensor's size and stride (at least one "
                  "dimension spans across two contiguous subspaces). Use .reshape(...) instead.")))
add_row("expand", expand, lambda m: [S(m(3), 2, 3), S(m(2, 1), 2, 4), S(m(2, 1), -1, 3), S(m(), 2, 2),
                                     S(m(1), 0), S(m(1, 3), 2, 2, 3)],
        call=sized("expand"), method=None, covers=("broadcast_to", "expand_as"), **VIEW,
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
        **VIEW, errors=(E(lambda t: t.ones(2, 3).squeeze(2), IndexError, NO_SUCH_DIM),))
add_row("unsqueeze", np.expand_dims, lambda m: [S(m(2, 3), 0), S(m(2, 3), -1), S(m(2), 1), S(m(), 0)],
        **VIEW, errors=(E(lambda t: t.ones(2).unsqueeze(2), IndexError, NO_SUCH_DIM),))
add_row("flatten", flatten, lambda m: [S(m(2, 3)), S(m(2, 1, 3), 1), S(m(2, 1, 3), 0, 1), S(m(3)),
                                       S(m(2, 0))],
        **VIEW, errors=(E(lambda t: t.ones(2, 3).flatten(1, 0), RuntimeError,
                          "flatten() has invalid args: start_dim cannot come after end_dim"),))
add_row("movedim", np.moveaxis, lambda m: [S(m(2, 3, 1), 0, -1), S(m(2, 3, 2), (0, 1), (2, 0))],
        covers=("moveaxis",), **VIEW,
        errors=(E(lambda t: t.movedim(t.ones(2, 3), 0, 2), IndexError, NO_SUCH_DIM),))
add_row("diagonal", diagonal, lambda m: [S(m(3, 3)), S(m(2, 3), 1), S(m(2, 3, 2), -1, 0, 2), S(m(0, 2))],
        **VIEW)
add_row("diag", np.diag, lambda m: [S(m(3, 3)), S(m(3)), S(m(2, 3), 1), S(m(2), -1), S(m(0))], "shape",
        dtypes=ALL, covers=("diag_embed",),
        errors=(E(lambda t: t.ones(2, 2, 2).diag(), RuntimeError,
                  "diag(): Supports 1D or 2D tensors. Got 3D"),))
for name, ref in (("tril", np.tril), ("triu", np.triu)):
    add_row(name, ref, lambda m: [S(m(3, 3)), S(m(2, 3), 1), S(m(2, 3, 2), -1), S(m(0, 2))], "shape",
            dtypes=ALL, inplace=f"{name}_",
            errors=(E(lambda t, n=name: getattr(t, n)(t.ones(2)), RuntimeError,
                      f"{name}: input tensor must have at least 2 dimensions"),))
add_row("flip", np.flip, lambda m: [S(m(2, 3), (0,)), S(m(2, 3), (0, -1)), S(m(0, 2), (0,))], "shape",
        dtypes=ALL)
