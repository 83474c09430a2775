"""Tables of vectors, and vectors in pairs; part of :mod:`tapegrad.nn.functional`."""

from __future__ import annotations

import itertools
import math

import tapegrad

from .. import _C
from .._arguments import has_values
from .._C import Tensor
from .._C import _take_note as take_note
from .._legacy import scalar_name
from ..utils._names import typename

__all__ = [
    "bilinear",
    "cosine_similarity",
    "embedding",
    "embedding_bag",
    "normalize",
    "pairwise_distance",
]

# ---------------------------------------------------------------------- tables


def _row_number(index: int | None, weight: Tensor) -> int:
    """The padding index counted from the first row; -1 for none."""
    if index is None:
        return -1
    count = weight.shape[0]
    if not -count <= index < max(count, 1):
        raise AssertionError("Padding_idx must be within num_embeddings")
    return index % count if count else index


def _renorm(weight: Tensor, input: Tensor, max_norm: float, norm_type: float) -> None:
    with tapegrad.no_grad():
        _C.embedding_renorm_(weight, input, max_norm, norm_type)


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """Rows of a table by their indices.

    Args:
        input: integer tensor of any shape.
        weight: the table, of shape (num_embeddings, embedding_dim).
        padding_idx: an index whose row gets no gradient. Default: none.
        max_norm: rows that are taken and have a larger norm are scaled to this norm, in the table
            itself. Default: none.
        norm_type: the p of that norm. Default: 2.
        scale_grad_by_freq: whether the gradient of a row is divided by how often it was taken.
        sparse: must be False.

    Returns:
        A tensor of shape (*input.shape, embedding_dim).

    Raises:
        IndexError: if an index is out of range.
        NotImplementedError: if sparse gradients are asked for.

    Example:
        >>> import tapegrad
        >>> from tapegrad.nn import functional as F
        >>> table = tapegrad.tensor([[0.0, 0.0], [1.0, 2.0]])
        >>> F.embedding(tapegrad.tensor([1, 0]), table)
        tensor([[1., 2.],
                [0., 0.]])
    """
    if take_note(input, weight):
        return embedding(
            input,
            weight,
            padding_idx=padding_idx,
            max_norm=max_norm,
            norm_type=norm_type,
            scale_grad_by_freq=scale_grad_by_freq,
            sparse=sparse,
        )
    if weight.dim() != 2:
        raise RuntimeError("'weight' must be 2-D")
    padding = _row_number(padding_idx, weight)
    if max_norm is not None:
        _renorm(weight, input, max_norm, norm_type)
    return _C.embedding(weight, input, padding, scale_grad_by_freq, sparse)


def _check_bags(input: Tensor, weight: Tensor, offsets: Tensor, per_sample: Tensor | None) -> None:
    def refuse(x: Tensor, number: int, name: str, types: str) -> None:
        raise RuntimeError(
            f"Expected tensor for argument #{number} '{name}' to have one of the following scalar "
            f"types: {types}; but got {typename(x)} instead (while checking arguments for "
            "embedding_bag)"
        )

    for x in (input, offsets):
        if x.dtype not in (tapegrad.int64, tapegrad.int32):
            refuse(x, 1, "indices", "Long, Int")
    if not weight.is_floating_point():
        refuse(weight, 1, "weight", "Half, BFloat16, Float, Double")
    if per_sample is not None and per_sample.dtype != weight.dtype:
        raise RuntimeError(
            "Expected tensor for argument #1 'weight' to have the same type as tensor for argument "
            f"#1 'per_sample_weights'; but type {typename(weight)} does not equal "
            f"{typename(per_sample)} (while checking arguments for embedding_bag)"
        )


def _bag_starts(offsets: Tensor, count: int, include_last_offset: bool) -> tuple[list[int], int]:
    """Where bags begin, and where the last one ends."""
    starts = offsets.tolist()
    if include_last_offset and not starts:
        raise RuntimeError("include_last_offset: number of offsets should be at least 1")
    if starts and starts[0] != 0:
        raise RuntimeError(
            "offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start from "
            f"position 0. However, got {starts[0]}"
        )
    if starts and starts[-1] > count:
        raise RuntimeError(
            f"offsets[-1] can not be greater than input's length {count} but got offsets[-1] of "
            f"{starts[-1]}"
        )
    if any(a > b for a, b in itertools.pairwise(starts)):
        raise RuntimeError("offsets must not decrease")
    end = starts.pop() if include_last_offset else count
    return starts, end if starts else 0


def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """Sums, means or maxima of rows of a table, of one bag of indices after the other.

    Args:
        input: integers: a bag in each row, or all bags one after the other.
        weight: the table, of shape (num_embeddings, embedding_dim).
        offsets: where in a vector `input` each bag begins.
        max_norm, norm_type, scale_grad_by_freq, sparse: see :func:`embedding`.
        mode: "mean" (the default), "sum" or "max".
        per_sample_weights: factors of the rows, like `input`; for sums.
        include_last_offset: whether the last offset is the end of the last bag. Default: False.
        padding_idx: an index that no bag counts. Default: none.

    Returns:
        A tensor (number of bags, embedding_dim). Empty bags give zeros.

    Raises:
        ValueError: if arguments do not go together.
        RuntimeError: if an index, an offset or a dtype is wrong.

    Example:
        >>> import tapegrad
        >>> from tapegrad.nn import functional as F
        >>> table = tapegrad.tensor([[0.0, 1.0], [1.0, 2.0], [5.0, 6.0]])
        >>> F.embedding_bag(tapegrad.tensor([[0, 1], [2, 2]]), table, mode="sum")
        tensor([[ 1.,  3.],
                [10., 12.]])
    """
    if take_note(input, weight, offsets, per_sample_weights):
        return embedding_bag(
            input,
            weight,
            offsets=offsets,
            max_norm=max_norm,
            norm_type=norm_type,
            scale_grad_by_freq=scale_grad_by_freq,
            mode=mode,
            sparse=sparse,
            per_sample_weights=per_sample_weights,
            include_last_offset=include_last_offset,
            padding_idx=padding_idx,
        )
    if per_sample_weights is not None and input.shape != per_sample_weights.shape:
        raise ValueError(
            f"embedding_bag: If per_sample_weights ({per_sample_weights.shape}) is not None, then "
            f"it must have the same shape as the input ({input.shape})"
        )
    if weight.dim() != 2:
        raise ValueError(
            f"weight has to be a 2D Tensor, but got Tensor of dimension {weight.dim()}"
        )
    if input.dim() == 2:
        if offsets is not None:
            raise ValueError(
                "if input is 2D, then offsets has to be None, as input is treated is a mini-batch "
                f"of fixed length sequences. However, found offsets of type {type(offsets)}"
            )
        offsets = tapegrad.arange(input.shape[0]) * input.shape[1]
        include_last_offset = False
        input = input.reshape(-1)
        if per_sample_weights is not None:
            per_sample_weights = per_sample_weights.reshape(-1)
    elif input.dim() != 1:
        raise ValueError(
            f"input has to be 1D or 2D Tensor, but got Tensor of dimension {input.dim()}"
        )
    elif offsets is None:
        raise ValueError("offsets has to be a 1D Tensor but got None")
    elif offsets.dim() != 1:
        raise ValueError("offsets has to be a 1D Tensor")
    if mode not in ("sum", "mean", "max"):
        raise ValueError("mode has to be one of sum, mean or max")
    if mode == "max" and scale_grad_by_freq:
        raise ValueError("max mode does not support scaling the gradient by the frequency")
    if mode == "max" and sparse:
        raise ValueError("max mode does not support sparse weights")
    if per_sample_weights is not None and mode != "sum":
        raise NotImplementedError(
            "embedding_bag: per_sample_weights was not None. per_sample_weights is only supported "
            f"for mode='sum' (got mode='{mode}')."
        )
    _check_bags(input, weight, offsets, per_sample_weights)
    count = input.shape[0]
    starts, end = _bag_starts(offsets, count, include_last_offset)
    rows = weight.shape[0]
    if count:
        for position, wrong in ((input.argmin(), input.min()), (input.argmax(), input.max())):
            if not 0 <= int(wrong) < rows:
                raise RuntimeError(
                    f"Index {int(position)} of input takes value {int(wrong)} which is not in the "
                    f"valid range [0, {rows})"
                )
    if max_norm is not None:
        _renorm(weight, input, max_norm, norm_type)

    # The number of its bag for each index; those behind the last one are in none.
    bags = len(starts)
    begins = tapegrad.zeros(end + 1, dtype=tapegrad.int64)
    if bags:
        begins.index_add_(0, tapegrad.tensor(starts), tapegrad.ones(bags, dtype=tapegrad.int64))
    bag = begins.cumsum(0)[:end] - 1
    input = input[:end]
    if per_sample_weights is not None:
        per_sample_weights = per_sample_weights[:end]
    if padding_idx is not None:
        counted = (input != _row_number(padding_idx, weight)).nonzero().squeeze(1)
        input, bag = input[counted], bag[counted]
        if per_sample_weights is not None:
            per_sample_weights = per_sample_weights[counted]
    taken = _C.embedding(weight, input, -1, scale_grad_by_freq, sparse)
    if per_sample_weights is not None:
        taken = taken * per_sample_weights.unsqueeze(1)
    sizes = tapegrad.zeros(bags, dtype=tapegrad.int64).index_add(0, bag, tapegrad.ones_like(bag))
    if mode == "max":
        return _largest_of_bags(taken, bag, sizes)
    result = tapegrad.zeros(bags, weight.shape[1], dtype=weight.dtype).index_add(0, bag, taken)
    if mode == "mean":
        result = result / sizes.clamp(min=1).unsqueeze(1).to(weight.dtype)
    return result


def _largest_of_bags(taken: Tensor, bag: Tensor, sizes: Tensor) -> Tensor:
    bags, width = sizes.shape[0], taken.shape[1]
    if taken.shape[0] == 0 or bags == 0:
        return taken.sum(0).expand(bags, width) * 0
    with tapegrad.no_grad():
        # Each bag in a row of its own: the places of its rows, and how many count.
        first = sizes.cumsum(0) - sizes
        place = tapegrad.arange(bag.shape[0]) - first[bag]
        longest = int(sizes.max())
        table = tapegrad.full((bags, longest, width), -math.inf, dtype=taken.dtype)
        table[bag, place] = taken
        best = table.argmax(1) + first.unsqueeze(1)
        empty = (sizes == 0).unsqueeze(1)
        best = best.masked_fill(empty, 0)
    return taken.gather(0, best).masked_fill(empty, 0.0)


# ---------------------------------------------------------------------- pairs of vectors


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``y[k] = input1 @ weight[k] @ input2 + bias[k]`` over the last dimensions.

    Args:
        input1: shape (*, in1_features).
        input2: shape (*, in2_features).
        weight: shape (out_features, in1_features, in2_features).
        bias: shape (out_features,). Default: none.

    Raises:
        RuntimeError: if the shapes do not fit.

    Example:
        >>> import tapegrad
        >>> from tapegrad.nn import functional as F
        >>> F.bilinear(tapegrad.ones(1, 2), tapegrad.ones(1, 3), tapegrad.ones(1, 2, 3))
        tensor([[6.]])
    """
    if take_note(input1, input2, weight, bias):
        return bilinear(input1, input2, weight, bias=bias)
    if input1.dim() != input2.dim():
        raise RuntimeError(
            f"bilinear(): input dimensions do not match: got {input1.dim()} and {input2.dim()}"
        )
    for d, (a, b) in enumerate(zip(input1.shape[:-1], input2.shape[:-1], strict=True)):
        if a != b:
            raise RuntimeError(
                f"bilinear(): input batch dimensions do not match at dim {d}: got {a} and {b}"
            )
    if weight.dim() != 3 or input1.dim() == 0:
        raise RuntimeError("bilinear(): weight must have 3 dimensions, and inputs at least one")
    for i, x in enumerate((input1, input2), 1):
        if x.shape[-1] != weight.shape[i]:
            raise RuntimeError(
                f"bilinear(): input{i} size does not match weight size: got {x.shape[-1]} but "
                f"expected {weight.shape[i]}"
            )
    if bias is not None and (bias.dim() != 1 or bias.shape[0] != weight.shape[0]):
        raise RuntimeError(
            f"bilinear(): bias size does not match weight size: got {bias.shape[0]} but expected "
            f"{weight.shape[0]}"
        )
    products = (input1.unsqueeze(-1) * input2.unsqueeze(-2)).flatten(-2)
    return _C.linear(products, weight.flatten(1), bias)


def normalize(
    input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12, out: Tensor | None = None
) -> Tensor:
    """Divide by the p-norm over a dimension, or by eps where the norm is smaller.

    Example:
        >>> import tapegrad
        >>> from tapegrad.nn import functional as F
        >>> F.normalize(tapegrad.tensor([[3.0, 4.0]]))
        tensor([[0.6000, 0.8000]])
    """
    if take_note(input, out):
        return normalize(input, p=p, dim=dim, eps=eps, out=out)
    dtype = input.dtype
    norm = input.norm(p, dim, keepdim=True)
    overflows = norm.isinf()
    if (
        not has_values(overflows) or overflows.any()
    ):  # of a part of the input the norm may still be a number
        input = input * tapegrad.where(overflows, 2.0**-64, 1.0)
        norm = input.norm(p, dim, keepdim=True)
    denominator = norm.clamp(min=eps)
    if out is not None:
        return tapegrad.div(input, denominator, out=out)
    return (input / denominator).to(dtype)  # short floats became longer by the factors


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """``x1 * x2`` summed over a dimension, divided by both norms, or by eps where one is smaller.

    Args:
        x1, x2: tensors whose shapes broadcast.
        dim: the dimension of the vectors. Default: 1.
        eps: the least norm. Default: 1e-8.

    Raises:
        RuntimeError: if both are integers, or `eps` is negative.

    Example:
        >>> import tapegrad
        >>> from tapegrad.nn import functional as F
        >>> F.cosine_similarity(tapegrad.tensor([[1.0, 1.0]]), tapegrad.tensor([[2.0, 2.0]]))
        tensor([1.0000])
    """
    if take_note(x1, x2):
        return cosine_similarity(x1, x2, dim=dim, eps=eps)
    dtype = tapegrad.promote_types(x1.dtype, x2.dtype)
    if not dtype.is_floating_point:
        name = scalar_name(dtype)
        raise RuntimeError(
            f"expected common dtype to be floating point, yet common dtype is {name}"
        )
    if eps < 0:
        raise RuntimeError(f"eps must be non-negative, got: {eps:g}")
    x1, x2 = tapegrad.broadcast_tensors(x1.to(dtype), x2.to(dtype))
    return (normalize(x1, 2.0, dim, eps) * normalize(x2, 2.0, dim, eps)).sum(dim)


def pairwise_distance(
    x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    """The p-norm of ``x1 - x2 + eps`` over the last dimension.

    Args:
        x1, x2: tensors whose shapes broadcast.
        p: the order of the norm. Default: 2.
        eps: added to the difference. Default: 1e-6.
        keepdim: whether the dimension stays, with size 1. Default: False.

    Example:
        >>> import tapegrad
        >>> from tapegrad.nn import functional as F
        >>> F.pairwise_distance(tapegrad.tensor([[0.0, 0.0]]), tapegrad.tensor([[3.0, 4.0]]))
        tensor([5.0000])
    """
    if take_note(x1, x2):
        return pairwise_distance(x1, x2, p=p, eps=eps, keepdim=keepdim)
    difference = x1 - x2 + eps
    return difference.norm(p, difference.dim() - 1, keepdim)
