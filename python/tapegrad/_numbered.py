"""Losses, dropouts and samplers as PyTorch has them beside its operators: options are numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import _C
from ._C import Tensor

__all__ = [
    "affine_grid_generator",
    "conv_tbc",
    "native_channel_shuffle",
    "norm_except_dim",
    "alpha_dropout",
    "alpha_dropout_",
    "bilinear",
    "cosine_embedding_loss",
    "cosine_similarity",
    "ctc_loss",
    "dropout_",
    "embedding_bag",
    "feature_alpha_dropout",
    "feature_alpha_dropout_",
    "feature_dropout",
    "feature_dropout_",
    "grid_sampler",
    "grid_sampler_2d",
    "grid_sampler_3d",
    "hinge_embedding_loss",
    "kl_div",
    "margin_ranking_loss",
    "pairwise_distance",
    "poisson_nll_loss",
    "triplet_margin_loss",
]


def _F() -> Any:
    from .nn import functional  # loaded when it is needed, as `nn` is

    return functional


def _reduction(function: str, number: Any) -> str:
    if isinstance(number, bool) or not isinstance(number, int):
        kind = type(number).__name__
        raise TypeError(f"{function}(): argument 'reduction' must be int, not {kind}")
    return {1: "mean", 2: "sum"}.get(number, "none")


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """The same as ``nn.functional.bilinear``.

    Example:
        >>> import tapegrad
        >>> x = tapegrad.ones(1, 2)
        >>> tapegrad.bilinear(x, x, tapegrad.ones(1, 2, 2))
        tensor([[4.]])
    """
    return _F().bilinear(input1, input2, weight, bias)


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """The same as ``nn.functional.cosine_similarity``.

    Example:
        >>> import tapegrad
        >>> tapegrad.cosine_similarity(tapegrad.tensor([[1.0, 0.0]]), tapegrad.ones(1, 2))
        tensor([0.7071])
    """
    return _F().cosine_similarity(x1, x2, dim, eps)


def pairwise_distance(
    x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    """The same as ``nn.functional.pairwise_distance``.

    Example:
        >>> import tapegrad
        >>> tapegrad.pairwise_distance(tapegrad.tensor([[3.0, 4.0]]), tapegrad.zeros(1, 2))
        tensor([5.0000])
    """
    return _F().pairwise_distance(x1, x2, p, eps, keepdim)


def kl_div(
    input: Tensor, target: Tensor, reduction: int = 0, *, log_target: bool = False
) -> Tensor:
    """``nn.functional.kl_div`` with the reduction as a number: 0 none, 1 mean, 2 sum.

    Example:
        >>> import tapegrad
        >>> tapegrad.kl_div(tapegrad.zeros(2), tapegrad.ones(2))
        tensor([0., 0.])
    """
    how = _reduction("kl_div", reduction)
    if how == "mean":  # without the warning that the function has for it
        return _F().kl_div(input, target, reduction="none", log_target=log_target).mean()
    return _F().kl_div(input, target, reduction=how, log_target=log_target)


def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: int = 0,
    zero_infinity: bool = False,
) -> Tensor:
    """``nn.functional.ctc_loss`` with the reduction as a number: 0 none, 1 mean, 2 sum.

    Example:
        >>> import tapegrad
        >>> x = tapegrad.zeros(3, 1, 2)
        >>> tapegrad.ctc_loss(x, tapegrad.tensor([[1]]), [3], [1]).shape
        tapegrad.Size([1])
    """
    how = _reduction("ctc_loss", reduction)
    return _F().ctc_loss(
        log_probs, targets, input_lengths, target_lengths, blank, how, zero_infinity
    )


def embedding_bag(
    weight: Tensor,
    indices: Tensor,
    offsets: Tensor,
    scale_grad_by_freq: bool = False,
    mode: int = 0,
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """``nn.functional.embedding_bag`` with the table first and the mode as a number.

    Args:
        weight: the table.
        indices: the rows of all bags, one after the other.
        offsets: where each bag begins.
        scale_grad_by_freq: see ``nn.functional.embedding_bag``, as for the others.
        mode: 0 sum, 1 mean, 2 max. Default: 0.
        sparse: ignored.
        per_sample_weights: factors of the rows, for the sum. Default: none.
        include_last_offset: whether the last offset is the end. Default: False.
        padding_idx: a row that is left out. Default: none.

    Returns:
        The result; the bag of each index; the number of rows in each bag (zeros for the sum); and
        the same again, or, for the maximum, the rows that have it.

    Raises:
        RuntimeError: for another mode.

    Example:
        >>> import tapegrad
        >>> table = tapegrad.tensor([[1.0], [2.0], [4.0]])
        >>> tapegrad.embedding_bag(table, tapegrad.tensor([0, 1, 2]), tapegrad.tensor([0, 2]))[0]
        tensor([[3.],
                [4.]])
    """
    if mode not in (0, 1, 2):
        raise RuntimeError("`mode` must be sum, mean, or max.")
    result = _F().embedding_bag(
        indices,
        weight,
        offsets,
        scale_grad_by_freq=scale_grad_by_freq,
        mode=("sum", "mean", "max")[mode],
        per_sample_weights=per_sample_weights,
        include_last_offset=include_last_offset,
        padding_idx=padding_idx,
    )
    starts = offsets.tolist()
    ends = [*starts[1:], indices.shape[0]]
    if include_last_offset:
        starts, ends = starts[:-1], ends[:-1]
    sizes = [end - start for start, end in zip(starts, ends, strict=True)]
    bags = _C.arange(len(sizes)).repeat_interleave(_C.tensor(sizes, dtype=_C.int64))
    if mode == 0:
        counts = _C.zeros(offsets.shape[0], dtype=_C.int64)
        return result, bags[:0] if padding_idx is None else bags, counts, counts
    rows = [indices[start:end] for start, end in zip(starts, ends, strict=True)]
    if padding_idx is not None:
        rows = [row[row != padding_idx % weight.shape[0]] for row in rows]
    counts = _C.tensor([row.shape[0] for row in rows], dtype=_C.int64)
    if mode == 1:
        return result, bags, counts, counts
    table = weight.detach()
    largest = [
        row[table[row].argmax(0)] if row.shape[0] else row.new_zeros(table.shape[1]) for row in rows
    ]
    return result, bags, counts, _C.stack(largest)


def margin_ranking_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: int = 0
) -> Tensor:
    """``nn.functional.margin_ranking_loss`` with the reduction as a number: 0 none, 1 mean, 2 sum.

    Example:
        >>> import tapegrad
        >>> x = tapegrad.ones(2)
        >>> tapegrad.margin_ranking_loss(x, x, x, 0.5)
        tensor([0.5000, 0.5000])
    """
    how = _reduction("margin_ranking_loss", reduction)
    return _F().margin_ranking_loss(input1, input2, target, margin, reduction=how)


def hinge_embedding_loss(
    input: Tensor, target: Tensor, margin: float = 1.0, reduction: int = 0
) -> Tensor:
    """``nn.functional.hinge_embedding_loss`` with the reduction as a number: 0 none, 1 mean, 2 sum.

    Example:
        >>> import tapegrad
        >>> tapegrad.hinge_embedding_loss(tapegrad.tensor([2.0]), tapegrad.tensor([1.0]))
        tensor([2.])
    """
    how = _reduction("hinge_embedding_loss", reduction)
    return _F().hinge_embedding_loss(input, target, margin, reduction=how)


def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: int = 0,
) -> Tensor:
    """``nn.functional.triplet_margin_loss`` with the reduction as a number: 0 none, 1 mean, 2 sum.

    Example:
        >>> import tapegrad
        >>> x = tapegrad.ones(1, 2)
        >>> tapegrad.triplet_margin_loss(x, x, x)
        tensor([1.])
    """
    how = _reduction("triplet_margin_loss", reduction)
    return _F().triplet_margin_loss(anchor, positive, negative, margin, p, eps, swap, reduction=how)


def cosine_embedding_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: int = 0
) -> Tensor:
    """``nn.functional.cosine_embedding_loss`` with the reduction as a number, as :func:`kl_div`.

    Example:
        >>> import tapegrad
        >>> x = tapegrad.ones(1, 2)
        >>> tapegrad.cosine_embedding_loss(x, -x, tapegrad.ones(1))
        tensor([2.])
    """
    how = _reduction("cosine_embedding_loss", reduction)
    return _F().cosine_embedding_loss(input1, input2, target, margin, reduction=how)


def poisson_nll_loss(
    input: Tensor, target: Tensor, log_input: bool, full: bool, eps: float, reduction: int
) -> Tensor:
    """``nn.functional.poisson_nll_loss`` with the reduction as a number: 0 none, 1 mean, 2 sum.

    Example:
        >>> import tapegrad
        >>> tapegrad.poisson_nll_loss(tapegrad.zeros(2), tapegrad.ones(2), True, False, 1e-8, 0)
        tensor([1., 1.])
    """
    how = _reduction("poisson_nll_loss", reduction)
    return _F().poisson_nll_loss(input, target, log_input, full, eps=eps, reduction=how)


def _check_probability(p: float) -> None:
    if not 0.0 <= p <= 1.0:
        raise RuntimeError(f"dropout probability has to be between 0 and 1, but got {p}")


def _dropped(name: str, input: Tensor, p: float, train: bool, *rest: Any) -> Tensor:
    from .nn import _images

    _check_probability(p)
    return getattr(_images, name)(input, p, train, *rest)


def dropout_(input: Tensor, p: float, train: bool) -> Tensor:
    """``dropout`` in place.

    Example:
        >>> import tapegrad
        >>> tapegrad.dropout_(tapegrad.ones(2), 1.0, True)
        tensor([0., 0.])
    """
    _check_probability(p)
    return input.copy_(_C.dropout(input, p, train)) if train else input


def feature_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """``nn.functional.dropout2d`` for any number of dimensions behind the channels.

    Example:
        >>> import tapegrad
        >>> tapegrad.feature_dropout(tapegrad.ones(1, 2, 2), 1.0, True)
        tensor([[[0., 0.],
                 [0., 0.]]])
    """
    return _dropped("_feature_dropout", input, p, train, False)


def feature_dropout_(input: Tensor, p: float, train: bool) -> Tensor:
    """:func:`feature_dropout` in place.

    Example:
        >>> import tapegrad
        >>> tapegrad.feature_dropout_(tapegrad.ones(1, 2), 1.0, True)
        tensor([[0., 0.]])
    """
    return _dropped("_feature_dropout", input, p, train, True)


def alpha_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """``nn.functional.alpha_dropout`` without defaults.

    Example:
        >>> import tapegrad
        >>> tapegrad.alpha_dropout(tapegrad.ones(2), 0.5, False)
        tensor([1., 1.])
    """
    return _dropped("_alpha_dropout", input, p, train, False, False)


def alpha_dropout_(input: Tensor, p: float, train: bool) -> Tensor:
    """:func:`alpha_dropout` in place.

    Example:
        >>> import tapegrad
        >>> tapegrad.alpha_dropout_(tapegrad.ones(2), 1.0, True)
        tensor([0., 0.])
    """
    return _dropped("_alpha_dropout", input, p, train, True, False)


def feature_alpha_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """``nn.functional.feature_alpha_dropout`` without defaults.

    Example:
        >>> import tapegrad
        >>> tapegrad.feature_alpha_dropout(tapegrad.ones(1, 2), 0.5, False)
        tensor([[1., 1.]])
    """
    return _dropped("_alpha_dropout", input, p, train, False, True)


def feature_alpha_dropout_(input: Tensor, p: float, train: bool) -> Tensor:
    """:func:`feature_alpha_dropout` in place.

    Example:
        >>> import tapegrad
        >>> tapegrad.feature_alpha_dropout_(tapegrad.ones(1, 2), 1.0, True)
        tensor([[0., 0.]])
    """
    return _dropped("_alpha_dropout", input, p, train, True, True)


_MODES = ("bilinear", "nearest", "bicubic")
_PADDINGS = ("zeros", "border", "reflection")


def grid_sampler(
    input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool
) -> Tensor:
    """``nn.functional.grid_sample`` with its modes as numbers.

    Args:
        input: shape (N, C, H, W) or (N, C, D, H, W).
        grid: the places.
        interpolation_mode: 0 bilinear, 1 nearest, 2 bicubic.
        padding_mode: 0 zeros, 1 border, 2 reflection.
        align_corners: whether -1 and 1 are the centres of the pixels at the ends.

    Raises:
        ValueError: for other numbers.

    Example:
        >>> import tapegrad
        >>> x = tapegrad.arange(4.0).reshape(1, 1, 2, 2)
        >>> tapegrad.grid_sampler(x, tapegrad.zeros(1, 1, 1, 2), 0, 0, False)
        tensor([[[[1.5000]]]])
    """
    for name, number in (("mode", interpolation_mode), ("padding mode", padding_mode)):
        if number not in (0, 1, 2):
            raise ValueError(f"grid_sampler(): expected a number of a {name}, but got {number}")
    return _F().grid_sample(
        input, grid, _MODES[interpolation_mode], _PADDINGS[padding_mode], align_corners
    )


grid_sampler_2d = grid_sampler_3d = grid_sampler


def affine_grid_generator(theta: Tensor, size: Sequence[int], align_corners: bool) -> Tensor:
    """The same as ``nn.functional.affine_grid``.

    Example:
        >>> import tapegrad
        >>> tapegrad.affine_grid_generator(tapegrad.ones(1, 2, 3), [1, 1, 2, 2], False).shape
        tapegrad.Size([1, 2, 2, 2])
    """
    return _F().affine_grid(theta, size, align_corners)


def conv_tbc(input: Tensor, weight: Tensor, bias: Tensor, pad: int = 0) -> Tensor:
    """The same as ``nn.functional.conv_tbc``.

    Example:
        >>> import tapegrad
        >>> x, weight = tapegrad.ones(4, 1, 2), tapegrad.ones(3, 2, 1)
        >>> tapegrad.conv_tbc(x, weight, tapegrad.zeros(1)).shape
        tapegrad.Size([2, 1, 1])
    """
    return _F().conv_tbc(input, weight, bias, pad)


def native_channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """The same as ``channel_shuffle``.

    Example:
        >>> import tapegrad
        >>> tapegrad.native_channel_shuffle(tapegrad.arange(4).reshape(1, 4, 1), 2).flatten()
        tensor([0, 2, 1, 3])
    """
    return _C.channel_shuffle(input, groups)


def norm_except_dim(v: Tensor, pow: int = 2, dim: int = 0) -> Tensor:
    """The p-norms over all dimensions but one, which stay with size 1.

    Args:
        v: a tensor.
        pow: the order of the norm. Default: 2.
        dim: the dimension that is kept; -1 for the norm of everything. Default: 0.

    Example:
        >>> import tapegrad
        >>> tapegrad.norm_except_dim(tapegrad.tensor([[3.0, 4.0]]))
        tensor([[5.]])
    """
    if dim == -1:
        return v.norm(pow)
    first = v.transpose(0, dim)
    shape = [1] * v.dim()
    shape[dim] = first.shape[0]
    return first.reshape(first.shape[0], -1).norm(pow, 1).reshape(shape)
