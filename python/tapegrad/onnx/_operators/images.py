"""Pools, and changes of resolution."""

from __future__ import annotations

from typing import Any

from ..._C import Tensor
from ._table import Table
from .layers import as_it_was, batched, numbers

__all__ = ["CONVERTERS"]

CONVERTERS = Table()


def _dims(g: Any) -> int:
    """How many dimensions an operator goes over: the number in its name."""
    return int(g.call.operator.removesuffix("_with_indices")[-2])


@CONVERTERS.of(*(f"max_pool{n}d{end}" for n in (1, 2, 3) for end in ("", "_with_indices")))
def _max_pool(
    g: Any,
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
) -> Any:
    dims = _dims(g)
    kernel = numbers(kernel_size, dims)
    x, had_batch = batched(g, input, dims)
    pads = numbers(padding, dims)
    made = g.node(
        *("MaxPool", x),
        kernel_shape=kernel,
        strides=_strides(stride, kernel, dims),
        pads=pads * 2,
        dilations=numbers(dilation, dims),
        ceil_mode=int(ceil_mode),
    )
    made = as_it_was(g, made, had_batch)
    return _without_places(g, made)


def _without_places(g: Any, values: Any) -> Any:
    """The values of a pool; the places count through a channel here, through all of it in ONNX."""
    return values if len(g.call.results) == 1 else (values, None)


def _strides(stride: Any, kernel: list[int], dims: int) -> list[int]:
    return numbers(stride, dims) if stride not in (None, [], ()) else kernel


@CONVERTERS.of("avg_pool1d", "avg_pool2d", "avg_pool3d")
def _avg_pool(
    g: Any,
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Any:
    dims = _dims(g)
    if divisor_override is not None:
        raise g.refuse("has a divisor of its own")
    pads = numbers(padding, dims)
    if ceil_mode and (g.opset < 19 or any(pads)):
        raise g.refuse("has ceil_mode=True, whose last windows ONNX counts otherwise")
    kernel = numbers(kernel_size, dims)
    x, had_batch = batched(g, input, dims)
    made = g.node(
        *("AveragePool", x),
        kernel_shape=kernel,
        strides=_strides(stride, kernel, dims),
        pads=pads * 2,
        ceil_mode=int(ceil_mode),
        count_include_pad=int(count_include_pad),
    )
    return as_it_was(g, made, had_batch)


@CONVERTERS.of(*(f"adaptive_{kind}_pool{n}d" for kind in ("avg", "max") for n in (1, 2, 3)))
def _adaptive_pool(g: Any, input: Tensor, output_size: Any) -> Any:
    dims = _dims(g)
    sizes, results = input.shape[-dims:], g.result.shape[-dims:]
    mean = "avg" in g.call.operator
    if any(n % m for n, m in zip(sizes, results, strict=True)):
        return _without_places(g, _uneven_pool(g, input, "ReduceMean" if mean else "ReduceMax"))
    kernel = [n // m for n, m in zip(sizes, results, strict=True)]
    x, had_batch = batched(g, input, dims)
    kind = "AveragePool" if mean else "MaxPool"
    made = g.node(kind, x, kernel_shape=kernel, strides=kernel)
    return _without_places(g, as_it_was(g, made, had_batch))


def _uneven_pool(g: Any, input: Tensor, kind: str) -> Any:
    """Windows of different sizes: one dimension after the other, window by window."""
    made: Any = input
    for dim in range(-_dims(g), 0):
        size, count = input.shape[dim], g.result.shape[dim]
        parts = []
        for i in range(count):
            start, stop = i * size // count, -(-(i + 1) * size // count)
            window = g.node("Slice", made, g.ints(start), g.ints(stop), g.ints(dim))
            parts.append(g.node(kind, window, g.ints(dim), keepdims=1))
        made = g.node("Concat", *parts, axis=dim)
    return made


@CONVERTERS.of("pixel_shuffle")
def _pixel_shuffle(g: Any, input: Tensor, upscale_factor: int) -> Any:
    if input.dim() != 4:
        raise g.refuse("takes four dimensions")
    return g.node("DepthToSpace", input, blocksize=upscale_factor, mode="CRD")


@CONVERTERS.of("pixel_unshuffle")
def _pixel_unshuffle(g: Any, input: Tensor, downscale_factor: int) -> Any:
    *front, c, h, w = input.shape
    r, n = downscale_factor, len(front)
    parts = g.reshape(input, [*front, c, h // r, r, w // r, r])
    order = [*range(n), *(n + d for d in (0, 2, 4, 1, 3))]
    return g.reshape(g.node("Transpose", parts, perm=order), g.result.shape)


@CONVERTERS.of("channel_shuffle")
def _channel_shuffle(g: Any, input: Tensor, groups: int) -> Any:
    n, c, *rest = input.shape
    parts = g.reshape(input, [n, groups, c // groups, *rest])
    order = [0, 2, 1, *range(3, len(rest) + 3)]
    return g.reshape(g.node("Transpose", parts, perm=order), input.shape)


@CONVERTERS.of("upsample")
def _upsample(
    g: Any,
    input: Tensor,
    size: Any,
    mode: str = "nearest",
    align_corners: bool = False,
    scales: Any = None,
    antialias: bool = False,
) -> Any:
    kinds = {"nearest": "nearest", "bilinear": "linear", "linear": "linear", "trilinear": "linear"}
    if mode not in kinds or antialias:
        raise g.refuse(f"has the mode '{mode}'{' with antialias' if antialias else ''}")
    if mode == "nearest":
        where = "asymmetric"
    else:
        where = "align_corners" if align_corners else "half_pixel"
    nearest = "floor" if mode == "nearest" else None
    how = {"mode": kinds[mode], "coordinate_transformation_mode": where, "nearest_mode": nearest}
    exact = scales is None or all(
        int(n * s) == m and n * s == m
        for n, s, m in zip(input.shape[2:], scales, g.result.shape[2:], strict=True)
    )
    if not exact:
        raise g.refuse("has a scale that does not give whole sizes")
    axes = list(range(2, input.dim()))
    return g.node("Resize", input, None, None, g.ints(*g.result.shape[2:]), axes=axes, **how)
