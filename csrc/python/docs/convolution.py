"""What slides over images: convolutions, pooling, padding and resampling."""

from __future__ import annotations

DOCS: dict[str, str] = {}

LETTERS = {1: "L", 2: "H, W", 3: "D, H, W"}
KERNELS = {1: "kL", 2: "kH, kW", 3: "kD, kH, kW"}


def _sizes(dims: int, size: int) -> str:
    return ", ".join([str(size)] * dims)


for _d in (1, 2, 3):
    DOCS[f"conv{_d}d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1)"] = f"""\
Convolution over {_d} dimension{"s"[: _d > 1]}: the kernel is not turned around (cross-correlation).

Formula: ``out[n, f, p] = bias[f] + sum(weight[f, c, k] * input[n, c, p * stride - padding +
k * dilation])`` over channels c and places k of the kernel; outside, the input counts as zero.

Args:
    input: (N, C, {LETTERS[_d]}) or (C, {LETTERS[_d]}), floating-point.
    weight: (filters, C / groups, {KERNELS[_d]}).
    bias: (filters,), or None. Default: None.
    stride: the step from one position to the next. Default: 1.
    padding: zeros on both sides; "same" keeps the size, "valid" is none. Default: 0.
    dilation: the distance between places of the kernel. Default: 1.
    groups: channels and filters are cut into as many parts, which have nothing to do with each
        other. Default: 1.

Raises:
    RuntimeError: if shapes or dtypes do not fit, or the kernel is larger than the input.
    NotImplementedError: for integers and bool.

Example:
    >>> x = tapegrad.ones(1, 1, {_sizes(_d, 3)})
    >>> tapegrad.conv{_d}d(x, tapegrad.ones(1, 1, {_sizes(_d, 2)})).sum()
    tensor({4**_d}.)
"""
    DOCS[
        f"conv_transpose{_d}d(input, weight, bias=None, stride=1, padding=0, output_padding=0, "
        "groups=1, dilation=1)"
    ] = f"""\
The transpose of a convolution over {_d} dimension{"s"[: _d > 1]}: what gives its input's gradient.

Formula: ``out[n, f, p * stride - padding + k * dilation] += input[n, c, p] * weight[c, f, k]``,
from ``bias[f]`` on.

Args:
    input: (N, C, {LETTERS[_d]}) or (C, {LETTERS[_d]}), floating-point.
    weight: (C, filters / groups, {KERNELS[_d]}).
    bias: (filters,), or None. Default: None.
    stride: that of the convolution. Default: 1.
    padding: that of the convolution: what the result is cut by on both sides. Default: 0.
    output_padding: more elements at the end, fewer than the stride or the dilation. Default: 0.
    groups: channels and filters are cut into as many parts. Default: 1.
    dilation: the distance between places of the kernel. Default: 1.

Raises:
    RuntimeError: if shapes or dtypes do not fit, or nothing is left of the result.
    NotImplementedError: for integers and bool.

Example:
    >>> x = tapegrad.ones(1, 1, {_sizes(_d, 2)})
    >>> tapegrad.conv_transpose{_d}d(x, tapegrad.ones(1, 1, {_sizes(_d, 2)})).sum()
    tensor({4**_d}.)
"""
    for _kind, _what, _result in (
        (
            "reflection",
            "mirrored at the border, which itself is not repeated",
            "2., 1., 2., 3., 2.",
        ),
        ("replication", "those at the border, again and again", "1., 1., 2., 3., 3."),
    ):
        _example = (
            f"    >>> tapegrad.{_kind}_pad1d(tapegrad.tensor([[1.0, 2.0, 3.0]]), (1, 1))\n"
            f"    tensor([[{_result}]])"
            if _d == 1
            else f"    >>> x = tapegrad.ones(1, {_sizes(_d, 2)})\n"
            f"    >>> tapegrad.{_kind}_pad{_d}d(x, {(1,) * 2 * _d}).sum()\n"
            f"    tensor({4**_d}.)"
        )
        DOCS[f"{_kind}_pad{_d}d(input, padding)"] = f"""\
More elements around the last {_d} dimension{"s"[: _d > 1]}: {_what}.

Args:
    input: (N, C, {LETTERS[_d]}) or (C, {LETTERS[_d]}).
    padding: {2 * _d} numbers of elements, before and after, the last dimension first; negative ones
        take elements away.

Raises:
    RuntimeError: if the numbers do not fit the input.

Example:
{_example}
"""

DOCS["constant_pad_nd(input, pad, value=0)"] = """\
More elements of one value around the last dimensions.

Args:
    input: a tensor.
    pad: pairs of numbers of elements before and after, the last dimension first; negative ones
        take elements away.
    value: that of the new elements. Default: 0.

Raises:
    RuntimeError: if there are more pairs than dimensions, or a size becomes negative.

Example:
    >>> tapegrad.constant_pad_nd(tapegrad.tensor([1, 2]), (1, 2))
    tensor([0, 1, 2, 0, 0])
"""
DOCS["circular_pad(input, pad)"] = """\
More elements around the last dimensions, taken from the other end.

Args:
    input: a tensor of one or two more dimensions than are padded.
    pad: pairs of numbers of elements before and after, the last dimension first; negative ones
        take elements away.

Raises:
    RuntimeError: if a number is larger than the dimension.

Example:
    >>> tapegrad.circular_pad(tapegrad.tensor([[1, 2, 3]]), (1, 2))
    tensor([[3, 1, 2, 3, 1, 2]])
"""


# ------------------------------------------------------------------------------------- pooling

WINDOW_ARGS = """\
    kernel_size: the size of a window; one number counts for all dimensions.
    stride: the step from one window to the next. Default: the size of a window.
    padding: elements on both sides that {counts}, at most half a window. Default: 0."""
CEIL_MODE = """\
    ceil_mode: whether a window at the end may reach out of the input. Default: False."""


def _plural(dims: int) -> str:
    return "dimension" if dims == 1 else f"{dims} dimensions"


for _d in (1, 2, 3):
    for _suffix, _returns in (("", ""), ("_with_indices", ", and its place in these dimensions")):
        _taken = "" if not _suffix else "[0]"
        DOCS[
            f"max_pool{_d}d{_suffix}(input, kernel_size, stride=None, padding=0, dilation=1, "
            "ceil_mode=False)"
        ] = f"""\
The largest element of each window of the last {_plural(_d)}{_returns}.

The derivative goes to the largest element; of several to the first.

Args:
    input: (N, C, {LETTERS[_d]}) or (C, {LETTERS[_d]}), floating-point.
{WINDOW_ARGS.format(counts="are never the largest")}
    dilation: the distance between elements of a window. Default: 1.
{CEIL_MODE}

Raises:
    RuntimeError: if the input is too small, or the numbers do not fit.
    NotImplementedError: for integers and bool.

Example:
    >>> x = tapegrad.ones(1, 1, {_sizes(_d, 4)})
    >>> tapegrad.max_pool{_d}d{_suffix}(x, 2){_taken}.sum()
    tensor({2**_d}.)
"""
    _divisor = "" if _d == 1 else ", divisor_override=None"
    _divisor_doc = (
        ""
        if _d == 1
        else "    divisor_override: what sums are divided by instead. Default: the number of "
        "elements.\n"
    )
    DOCS[
        f"avg_pool{_d}d(input, kernel_size, stride=None, padding=0, ceil_mode=False, "
        f"count_include_pad=True{_divisor})"
    ] = f"""\
The mean of each window of the last {_plural(_d)}.

Args:
    input: (N, C, {LETTERS[_d]}) or (C, {LETTERS[_d]}), floating-point.
{WINDOW_ARGS.format(counts="count as zeros")}
{CEIL_MODE}
    count_include_pad: whether padding counts in the number of elements. Default: True.
{_divisor_doc}
Raises:
    RuntimeError: if the input is too small, or the numbers do not fit.
    NotImplementedError: for integers and bool.

Example:
    >>> x = tapegrad.ones(1, 1, {_sizes(_d, 4)})
    >>> tapegrad.avg_pool{_d}d(x, 2).sum()
    tensor({2**_d}.)
"""
    for _kind, _what, _taken in (
        ("max", "The largest element, and its place in the plane,", "[0]"),
        ("avg", "The mean", ""),
    ):
        DOCS[f"adaptive_{_kind}_pool{_d}d(input, output_size)"] = f"""\
{_what} of each of as many parts of the last {_plural(_d)} as are asked for.

Part j of m covers the elements from ``floor(j * n / m)`` to ``ceil((j + 1) * n / m)``.

Args:
    input: (N, C, {LETTERS[_d]}) or (C, {LETTERS[_d]}), floating-point.
    output_size: the numbers of parts; one counts for all dimensions.

Raises:
    RuntimeError: if the input is empty, or a number negative.
    NotImplementedError: for integers and bool.

Example:
    >>> x = tapegrad.ones(1, 1, {_sizes(_d, 4)})
    >>> tapegrad.adaptive_{_kind}_pool{_d}d(x, 3){_taken}.sum()
    tensor({3**_d}.)
"""
    DOCS[f"max_unpool{_d}d(input, indices, output_size)"] = f"""\
Zeros with the values of a tensor at the places that ``max_pool{_d}d_with_indices`` has found.

Args:
    input: (N, C, {LETTERS[_d]}) or (C, {LETTERS[_d]}), floating-point.
    indices: places in the last {_plural(_d)} of the result, int64, of the same shape.
    output_size: the sizes of these dimensions.

Raises:
    RuntimeError: if a place is outside, or the shapes do not fit.

Example:
    >>> x = tapegrad.ones(1, 1, {_sizes(_d, 4)})
    >>> largest, places = tapegrad.max_pool{_d}d_with_indices(x, 2)
    >>> tapegrad.max_unpool{_d}d(largest, places, {(4,) * _d}).sum()
    tensor({2**_d}.)
"""

# ------------------------------------------------------------------------------------- resampling

DOCS[
    'upsample(input, size, mode="nearest", align_corners=False, scales=None, antialias=False)'
] = """\
Images of another size, interpolated.

Args:
    input: (N, C, ...) with one to three more dimensions, floating-point; uint8 too where elements
        are only copied.
    size: the sizes of these dimensions in the result.
    mode: "nearest", "nearest-exact", "linear", "bilinear", "trilinear" or "bicubic".
    align_corners: whether the corner elements keep their places, and not the outer borders.
        Default: False.
    scales: the ratios of the sizes, where those of the result are rounded. Default: None.
    antialias: whether weights reach further where the result is smaller. Default: False.

Raises:
    RuntimeError: if a size is not positive, or there are too many or too few.
    NotImplementedError: for another mode or dtype.

Example:
    >>> tapegrad.upsample(tapegrad.tensor([[[1.0, 3.0]]]), (4,), "linear")
    tensor([[[1.0000, 1.5000, 2.5000, 3.0000]]])
"""
DOCS["im2col(input, kernel_size, dilation, padding, stride)"] = """\
The windows of images as columns.

Args:
    input: (N, C, H, W) or (C, H, W), floating-point.
    kernel_size: the size of a window.
    dilation: the distance between elements of a window.
    padding: zeros on both sides.
    stride: the step from one window to the next.

Returns:
    A tensor (N, C * kH * kW, windows).

Raises:
    RuntimeError: if there is no window, or the numbers do not fit.

Example:
    >>> tapegrad.im2col(tapegrad.ones(1, 2, 4, 4), 2, 1, 0, 2).shape
    tapegrad.Size([1, 8, 4])
"""
DOCS["col2im(input, output_size, kernel_size, dilation, padding, stride)"] = """\
Images in which the columns of ``im2col`` are added to where they come from: its transpose.

Args:
    input: (N, C * kH * kW, windows) or (C * kH * kW, windows), floating-point.
    output_size: the height and the width of the images.
    kernel_size: the size of a window.
    dilation: the distance between elements of a window.
    padding: zeros on both sides.
    stride: the step from one window to the next.

Raises:
    RuntimeError: if the number of windows is another, or the numbers do not fit.

Example:
    >>> tapegrad.col2im(tapegrad.ones(1, 4, 4), (3, 3), 2, 1, 0, 1)
    tensor([[[[1., 2., 1.],
              [2., 4., 2.],
              [1., 2., 1.]]]])
"""
DOCS["pixel_shuffle(input, upscale_factor)"] = """\
Channels as pixels: (..., C * r * r, H, W) becomes (..., C, H * r, W * r).

See Shi et al., arXiv:1609.05158.

Args:
    input: a tensor of three or more dimensions.
    upscale_factor: r.

Raises:
    RuntimeError: if the number of channels is not divisible by r * r.

Example:
    >>> tapegrad.pixel_shuffle(tapegrad.tensor([[[1]], [[2]], [[3]], [[4]]]), 2)
    tensor([[[1, 2],
             [3, 4]]])
"""
DOCS["pixel_unshuffle(input, downscale_factor)"] = """\
Pixels as channels: (..., C, H * r, W * r) becomes (..., C * r * r, H, W).

Args:
    input: a tensor of three or more dimensions.
    downscale_factor: r.

Raises:
    RuntimeError: if height and width are not divisible by r.

Example:
    >>> tapegrad.pixel_unshuffle(tapegrad.tensor([[[1, 2], [3, 4]]]), 2).flatten()
    tensor([1, 2, 3, 4])
"""
DOCS["channel_shuffle(input, groups)"] = """\
The channels of groups in turn: the first of each, the second of each, and so on.

See Zhang et al., arXiv:1707.01083.

Args:
    input: a tensor (N, C, ...).
    groups: how many groups of neighbouring channels there are.

Raises:
    RuntimeError: if the number of channels is not divisible by that of the groups.

Example:
    >>> tapegrad.channel_shuffle(tapegrad.tensor([[[1], [2], [3], [4]]]), 2)
    tensor([[[1],
             [3],
             [2],
             [4]]])
"""
