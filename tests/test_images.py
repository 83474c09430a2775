"""Pooling, padding, windows, resampling, and dropout of channels."""

from __future__ import annotations

import itertools
import math
import warnings
from typing import Any

import numpy as np
import pytest

import tapegrad as tg
from against_torch import agree, numbers, refuse_alike, torch
from support import array
from tapegrad import nn
from tapegrad.nn import functional as F


def f(lib: Any) -> Any:
    return lib.nn.functional


def case(name: str, shape: tuple, *args: Any, **options: Any) -> Any:
    return pytest.param(name, shape, args, options, id=f"{name}-{shape}-{args}-{options}")


# ---------------------------------------------------------------------- pooling

POOLS = [
    *(case(f"max_pool{d}d", (2, 3, *(7, 8, 6)[:d]), 2) for d in (1, 2, 3)),
    *(case(f"max_pool{d}d", (2, *(7, 8, 6)[:d]), 3, 2, 1, 1, True) for d in (1, 2, 3)),
    *(case(f"avg_pool{d}d", (2, 3, *(7, 8, 6)[:d]), 2) for d in (1, 2, 3)),
    *(case(f"avg_pool{d}d", (2, *(7, 8, 6)[:d]), 3, 2, 1, True) for d in (1, 2, 3)),
    *(case(f"avg_pool{d}d", (2, 1, *(7, 8, 6)[:d]), 3, 2, 1, True, False) for d in (1, 2, 3)),
    *(case(f"adaptive_{k}_pool{d}d", (2, 3, *(7, 8, 6)[:d]), n)
      for k in ("max", "avg") for d in (1, 2, 3) for n in (1, 3, 7)),
    case("max_pool1d", (2, 3, 9), 3, 1, 1, 2),
    case("max_pool2d", (2, 3, 9, 9), (2, 3), (3, 1), (1, 0), (2, 3)),
    case("max_pool2d", (2, 3, 9, 9), 2, dilation=3, padding=1, ceil_mode=True),
    case("max_pool2d", (2, 3, 5, 5), 2, 4, ceil_mode=True),
    case("max_pool2d", (0, 3, 5, 5), 2),
    case("max_pool2d", (1, 2, 4, 300), (1, 3), 1),
    case("max_pool3d", (1, 2, 5, 6, 7), (1, 2, 3), (2, 1, 2), (0, 1, 1)),
    case("avg_pool2d", (2, 3, 9, 9), (2, 3), (3, 1), (1, 0)),
    case("avg_pool2d", (2, 3, 9, 9), 3, 2, 1, True, True, 5),
    case("avg_pool2d", (2, 3, 9, 9), 3, divisor_override=-2),
    case("avg_pool2d", (0, 3, 5, 5), 2),
    case("avg_pool3d", (2, 2, 5, 6, 7), (1, 2, 3), (2, 1, 2), (0, 1, 1), divisor_override=3),
    case("adaptive_avg_pool2d", (2, 3, 7, 5), (None, 2)),
    case("adaptive_avg_pool2d", (2, 3, 7, 5), (9, 11)),
    case("adaptive_avg_pool2d", (0, 3, 7, 5), 2),
    case("adaptive_max_pool2d", (3, 7, 5), (9, 2)),
    case("adaptive_max_pool3d", (3, 4, 7, 5), (None, 3, 2)),
    case("lp_pool1d", (2, 3, 8), 3.0, 2, second=False),
    case("lp_pool2d", (2, 3, 8, 7), 2.0, (2, 3), 2, True),
    case("lp_pool3d", (2, 3, 4, 5, 6), 2.0, 2),
    case("lp_pool2d", (2, 3, 8, 7), math.inf, 2),
    case("lp_pool2d", (2, 3, 8, 7), -math.inf, 2),
]  # fmt: skip


@pytest.mark.parametrize(("name", "shape", "args", "options"), POOLS)
def test_pools(name: str, shape: tuple, args: tuple, options: dict) -> None:
    x = numbers(*shape)
    options = dict(options)
    options.pop("second", None)
    if name.startswith("lp"):
        x = np.abs(x) + 0.1
    agree(lambda lib, t: getattr(f(lib), name)(t, *args, **options), x)
    if "max" in name:
        agree(
            lambda lib, t: getattr(f(lib), name)(t, *args, return_indices=True, **options),
            x,
            second=False,
        )


def test_pools_without_results() -> None:
    """PyTorch has no gradient here."""
    x = tg.ones(3, 7, 5, requires_grad=True)
    for name in ("adaptive_avg_pool2d", "adaptive_max_pool2d"):
        y = getattr(F, name)(x, 0)
        assert tuple(y.shape) == (3, 0, 0)
        assert not array(tg.autograd.grad(y.sum(), x)[0]).any()
    assert tuple(F.pixel_shuffle(tg.ones(0, 4, 2, 2), 2).shape) == (0, 1, 4, 4)


def test_pools_of_special_values() -> None:
    x = numbers(1, 2, 6, 6)
    x[0, 0, 1, 1] = x[0, 0, 1, 0] = x[0, 1, 0, 0] = math.nan
    x[0, 1, 2:4, 2:4] = -math.inf
    x[0, 1, 4:, 4:] = 1.0  # ties
    for lib_call in (
        lambda lib, t: f(lib).max_pool2d(t, 2, return_indices=True),
        lambda lib, t: f(lib).max_pool2d(t, 3, 1, 1, return_indices=True),
        lambda lib, t: f(lib).adaptive_max_pool2d(t, 4, return_indices=True),
    ):
        agree(lib_call, x, second=False)


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_unpool(dims: int) -> None:
    shape = (2, 3, *(6, 4, 8)[:dims])

    def call(lib: Any, t: Any, **options: Any) -> Any:
        pool, unpool = (getattr(f(lib), f"max_{k}{dims}d") for k in ("pool", "unpool"))
        return unpool(*pool(t, 2, return_indices=True), 2, **options)

    agree(call, numbers(*shape))
    agree(call, numbers(*shape[1:]))
    odd = (2, 3, *(7, 5, 9)[:dims])
    agree(lambda lib, t: call(lib, t, output_size=odd), numbers(*odd))
    agree(lambda lib, t: call(lib, t, output_size=odd[2:]), numbers(*odd))


def pool(name: str, shape: tuple, *args: Any, dtype: str = "float32", **options: Any) -> Any:
    return lambda lib: getattr(f(lib), name)(
        lib.ones(shape, dtype=getattr(lib, dtype)), *args, **options
    )


X, LINE, CUBE = (1, 2, 5, 5), (1, 2, 5), (1, 2, 5, 5, 5)
REFUSED_POOLS = [
    *(pool(name, X, *args, **options) for name in ("max_pool2d", "avg_pool2d")
      for args, options in (
        ((7,), {}), ((2,), {"padding": 2}), ((3,), {"padding": 2}), ((0,), {}),
        ((2,), {"stride": 0}), (((1, 2, 3),), {}), ((2,), {"stride": (1, 2, 3)}),
        ((2,), {"padding": (1, 2, 3)}), ((2,), {"padding": -1}))),
    pool("max_pool2d", (5,), 2), pool("max_pool2d", (2, 0, 5, 5), 2),
    pool("max_pool2d", (1, 2, 5, 0), 2), pool("avg_pool2d", (2, 0, 5, 5), 2),
    pool("max_pool2d", X, 2, dilation=0), pool("max_pool2d", X, 2, dilation=(1, 2, 3)),
    pool("max_pool1d", LINE, 7), pool("max_pool1d", LINE, 3, padding=2),
    pool("max_pool1d", (5,), 2), pool("max_pool1d", LINE, 2, stride=0),
    pool("max_pool3d", CUBE, 7), pool("max_pool3d", LINE, 7),
    pool("max_pool3d", CUBE, 3, padding=2),
    pool("avg_pool2d", X, 2, divisor_override=0), pool("avg_pool2d", X, 2, dtype="int32"),
    pool("avg_pool1d", (5,), 2), pool("avg_pool1d", LINE, 7),
    pool("avg_pool1d", LINE, 2, padding=2),
    pool("avg_pool3d", CUBE, 2, padding=2),
    *(pool(name, X, -1) for name in ("adaptive_avg_pool2d", "adaptive_max_pool2d")),
    *(pool(name, (5,), 2) for name in ("adaptive_avg_pool2d", "adaptive_max_pool2d")),
    *(pool(name, (1, 2, 0, 5), 2) for name in ("adaptive_avg_pool2d", "adaptive_max_pool2d")),
    *(pool(name, X, 2, dtype="int64") for name in ("adaptive_avg_pool2d", "adaptive_max_pool2d")),
    pool("adaptive_avg_pool2d", X, (1, 2, 3)),
]  # fmt: skip


@pytest.mark.parametrize("call", REFUSED_POOLS)
def test_refused_pools(call: Any) -> None:
    refuse_alike(call)


def test_refused_unpools() -> None:
    def call(shape: tuple, index: int, dtype: str = "int64", **options: Any) -> Any:
        return lambda lib: f(lib).max_unpool2d(
            lib.ones(1, 2, 5, 5), lib.full(shape, index, dtype=getattr(lib, dtype)), 2, **options
        )

    for refused in (
        call(X, 100), call(X, -1), call(X, 0, "int32"), call((1, 1, 5, 5), 0),
        call(X, 0, output_size=(30, 5)), call(X, 0, output_size=(1, 2, 3)),
    ):  # fmt: skip
        refuse_alike(refused)


# ---------------------------------------------------------------------- padding

PADS = [
    ((2, 3, 5), (1, 2)), ((3, 5), (2, 0)), ((2, 3, 5, 4), (1, 2, 3, 0)), ((3, 5, 4), (2, 2, 1, 4)),
    ((2, 3, 3, 5, 4), (1, 2, 3, 0, 2, 1)), ((3, 3, 5, 4), (1, 1, 1, 1, 1, 1)),
    ((2, 3, 5, 4), (-1, 2, 1, -2)), ((0, 3, 5, 4), (1, 1, 1, 1)),
]  # fmt: skip


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
@pytest.mark.parametrize(("shape", "pad"), PADS, ids=str)
def test_pads(shape: tuple, pad: tuple, mode: str) -> None:
    if mode == "circular" and shape[0] == 0:
        pytest.skip("PyTorch has no node here")
    agree(lambda lib, t: f(lib).pad(t, pad, mode), numbers(*shape))


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("dtype", ["int64", "uint8", "int32"])
def test_pads_of_integers(mode: str, dtype: str) -> None:
    x = np.arange(12).reshape(1, 3, 4).astype(dtype)
    got, want = (array_of(f(lib).pad(lib.from_numpy(x), (1, 2), mode)) for lib in (tg, torch))
    assert got.dtype == want.dtype
    np.testing.assert_array_equal(got, want)


def array_of(x: Any) -> np.ndarray:
    return array(x) if isinstance(x, tg.Tensor) else x.detach().numpy()


def test_constant_pads() -> None:
    for shape, pad, value in (
        ((2, 3), (1, 2), 3.0), ((2, 3), (1, 2, 0, 1), -1), ((), (), 0), ((2, 3), (), 0),
        ((2, 3, 2, 2, 2), (1,) * 10, 0.5), ((2, 3), (-1, -1), 0), ((2, 3), (-3, 0), 0),
        ((0, 3), (1, 1, 2, 0), 4.0), ((2, 3), (0, 0), None),
    ):  # fmt: skip
        agree(lambda lib, t, p=pad, v=value: f(lib).pad(t, p, value=v), numbers(*shape))
    flags = tg.tensor([True])
    assert array(F.pad(flags, (1, 0), value=True)).tolist() == [True, True]


def test_refused_pads() -> None:
    for shape, args in (
        (X, ((-3, -3),)), (X, ((1,),)), (X, ((1,) * 10,)), (X, ((1, 1), "reflect")),
        (X, ((5, 1, 1, 1), "reflect")), (X, ((6, 1, 1, 1), "circular")), (X, ((1, 1), "foo")),
        (X, ((1, 1, 1, 1), "foo")), (X, ((1, 1), "reflect", 1.0)),
        ((1, 2, 5), ((5, 0), "reflect")), (CUBE, ((5, 0) * 3, "reflect")),
        (X, ((2, 2, -6, 0), "replicate")),
    ):  # fmt: skip
        refuse_alike(lambda lib, s=shape, a=args: f(lib).pad(lib.ones(s), *a))
    for mode in ("reflect", "replicate"):
        refuse_alike(
            lambda lib, m=mode: f(lib).pad(lib.ones(1, 2, 0, 5), (1, 1, 1, 1), m), text=False
        )
    for pad in ((2**62, 2**62), (2**63 - 1, 2**63 - 1), (-(2**63), 0), (-(2**62), -(2**62))):
        for mode in ("constant", "replicate", "reflect", "circular"):
            with pytest.raises((RuntimeError, MemoryError)):
                F.pad(tg.ones(1, 2, 5), pad, mode)


# ---------------------------------------------------------------------- windows and shuffles


@pytest.mark.parametrize("shape", [(2, 3, 6, 7), (3, 6, 7), (0, 3, 6, 7)])
@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 2},
        {"kernel_size": (2, 3), "padding": (1, 2), "stride": (2, 1)},
        {"kernel_size": 3, "dilation": (2, 1), "padding": 1, "stride": 3},
    ],
)
def test_windows(shape: tuple, options: dict) -> None:
    agree(lambda lib, t: f(lib).unfold(t, **options), numbers(*shape))
    agree(lambda lib, t: f(lib).fold(f(lib).unfold(t, **options) ** 2, (6, 7), **options),
          numbers(*shape))  # fmt: skip


def test_refused_windows() -> None:
    for args in ((7,), (2, 0), (0,), (2, 1, -1), (2, 1, 0, 0), ((1, 2, 3),)):
        refuse_alike(lambda lib, a=args: f(lib).unfold(lib.ones(X), *a))
    refuse_alike(lambda lib: f(lib).unfold(lib.ones(X, dtype=lib.int64), 2))
    for shape in ((1, 7, 16), (1, 8, 15), (8,)):
        refuse_alike(lambda lib, s=shape: f(lib).fold(lib.ones(s), (5, 5), 2))
    for size in (2**62, -1, 2**63 - 1):
        with pytest.raises(RuntimeError):
            F.fold(tg.ones(1, 8, 16), (size, size), 2)


def test_shuffles() -> None:
    for name, shape, factor in (
        ("pixel_shuffle", (2, 8, 2, 3), 2), ("pixel_shuffle", (9, 2, 3), 3),
        ("pixel_shuffle", (2, 1, 4, 1, 1), 1), ("pixel_unshuffle", (2, 2, 4, 6), 2),
        ("pixel_unshuffle", (1, 3, 6), 3), ("channel_shuffle", (2, 6, 3), 2),
        ("channel_shuffle", (2, 6, 3, 2), 3),
    ):  # fmt: skip
        agree(lambda lib, t, n=name, k=factor: getattr(f(lib), n)(t, k) ** 2, numbers(*shape),
              node=False)  # fmt: skip
    for name in ("pixel_shuffle", "pixel_unshuffle", "channel_shuffle"):
        agree(lambda lib, t, n=name: getattr(f(lib), n)(t, 2), numbers(1, 8, 4, 4))
    for name, shape, factor in (
        ("pixel_shuffle", (1, 7, 2, 2), 2), ("pixel_shuffle", (2, 2), 2),
        ("pixel_shuffle", (1, 8, 2, 2), 0), ("pixel_unshuffle", (1, 2, 5, 4), 2),
        ("pixel_unshuffle", (1, 2, 4, 5), 2), ("pixel_unshuffle", (1, 2, 4, 5), 0),
        ("pixel_unshuffle", (4, 5), 1), ("channel_shuffle", (1, 4, 2, 2), 3),
        ("channel_shuffle", (1, 4, 2, 2), 0), ("channel_shuffle", (4, 2), 2),
    ):  # fmt: skip
        refuse_alike(lambda lib, n=name, s=shape, k=factor: getattr(f(lib), n)(lib.ones(s), k))


# ---------------------------------------------------------------------- resampling

SIZES = {3: (7,), 4: (6, 7), 5: (4, 6, 7)}
RESAMPLED = [
    (mode, dims, options)
    for mode, ranks in {
        "nearest": (3, 4, 5), "nearest-exact": (3, 4, 5), "area": (3, 4, 5), "linear": (3,),
        "bilinear": (4,), "trilinear": (5,), "bicubic": (4,),
    }.items()
    for dims in ranks
    for options in (
        {"size": 9}, {"size": 3}, {"size": 1}, {"size": SIZES[dims]},
        {"scale_factor": 2}, {"scale_factor": 1.7}, {"scale_factor": 0.6},
        {"scale_factor": 1.7, "recompute_scale_factor": True},
    )
]  # fmt: skip


@pytest.mark.parametrize(("mode", "dims", "options"), RESAMPLED, ids=str)
def test_resampling(mode: str, dims: int, options: dict) -> None:
    x = numbers(2, 3, *SIZES[dims])
    corners = (None, True) if mode not in ("nearest", "nearest-exact", "area") else (None,)
    for align in corners:
        agree(
            lambda lib, t, a=align: f(lib).interpolate(t, mode=mode, align_corners=a, **options), x
        )


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize(
    "options", [{"size": 3}, {"size": (2, 11)}, {"scale_factor": 0.4}, {"size": 1}], ids=str
)
def test_resampling_without_aliases(mode: str, align_corners: bool, options: dict) -> None:
    agree(
        lambda lib, t: f(lib).interpolate(
            t, mode=mode, antialias=True, align_corners=align_corners, **options
        ),
        numbers(2, 3, 6, 7),
    )


def test_nearest_elements_of_all_sizes() -> None:
    for n, m in itertools.product(range(1, 12), range(1, 40)):
        x = np.arange(n, dtype="float32").reshape(1, 1, n)
        for mode in ("nearest", "nearest-exact"):
            got, want = (
                array_of(f(lib).interpolate(lib.from_numpy(x), m, mode=mode)) for lib in (tg, torch)
            )
            np.testing.assert_array_equal(got, want, err_msg=f"{n} {m} {mode}")
    x = np.arange(4, dtype="uint8").reshape(1, 1, 2, 2)
    got, want = (array_of(f(lib).interpolate(lib.from_numpy(x), 5)) for lib in (tg, torch))
    np.testing.assert_array_equal(got, want)


def test_old_names_of_resampling() -> None:
    x = tg.ones(1, 2, 5, 5)
    for name in ("upsample", "upsample_nearest", "upsample_bilinear"):
        with pytest.warns(UserWarning, match="is deprecated"):
            assert tuple(getattr(F, name)(x, 7).shape) == (1, 2, 7, 7)


def test_refused_resampling() -> None:
    for shape, args, options in (
        (X, (), {}), (X, (7, 2), {}), (X, (7,), {"mode": "linear"}),
        (X, (7,), {"align_corners": True}), (X, ((1, 2, 3),), {}), (X, (0,), {}),
        (X, (7,), {"antialias": True}), (X, (), {"scale_factor": 0.1}),
        (X, (), {"scale_factor": (2, 2, 2)}), ((1, 0, 5, 5), (7,), {}), ((1, 2, 0, 5), (7,), {}),
        (X, (7,), {"recompute_scale_factor": True}), (LINE, (7,), {"mode": "bilinear"}),
        (CUBE, (7,), {"mode": "bilinear"}), (X, (7,), {"mode": "trilinear"}),
    ):  # fmt: skip
        refuse_alike(
            lambda lib, s=shape, a=args, o=options: f(lib).interpolate(lib.ones(s), *a, **o)
        )
    for shape, options in (((5, 5), {}), (X, {"mode": "foo"})):
        refuse_alike(
            lambda lib, s=shape, o=options: f(lib).interpolate(lib.ones(s), 7, **o), text=False
        )
    refuse_alike(lambda lib: f(lib).interpolate(lib.ones(X, dtype=lib.int64), 7), text=False)
    for size in (2**62, 2**63 - 1):
        with pytest.raises(RuntimeError):
            F.interpolate(tg.ones(X), size)


# ---------------------------------------------------------------------- grids

GRID = np.array([-1.4, -1.0, -0.61, -0.3, 0.07, 0.45, 0.81, 1.0, 1.33])


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("padding_mode", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
def test_grid_sample(mode: str, padding_mode: str, align_corners: bool) -> None:
    grid = np.stack(np.meshgrid(GRID + 0.013, GRID - 0.017), -1)[None]
    grid = np.concatenate([grid, grid[:, ::-1] * 1.7])
    agree(
        lambda lib, x, g: f(lib).grid_sample(x, g, mode, padding_mode, align_corners),
        numbers(2, 3, 4, 5),
        grid,
        second=mode == "bilinear",
        node=False,
    )
    if mode != "bicubic":
        volume = np.random.default_rng(0).uniform(-1.5, 1.5, (2, 3, 4, 2, 3))
        agree(
            lambda lib, x, g: f(lib).grid_sample(x, g, mode, padding_mode, align_corners),
            numbers(2, 3, 4, 5, 3),
            volume,
            second=False,
            node=False,
        )


def test_grid_sample_of_special_values() -> None:
    grid = np.array([[[[math.nan, 0.0], [math.inf, 0.0], [-math.inf, 0.0], [1e30, 0.0]]]])
    for mode in ("bilinear", "nearest"):
        got, want = (
            array_of(
                f(lib).grid_sample(
                    lib.ones(1, 1, 3, 3, dtype=lib.float64), lib.from_numpy(grid), mode,
                    align_corners=False,
                )
            )
            for lib in (tg, torch)
        )  # fmt: skip
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("align_corners", [False, True])
def test_affine_grid(align_corners: bool) -> None:
    for theta, size in (
        ((2, 2, 3), (2, 1, 3, 4)), ((2, 2, 3), (2, 1, 1, 4)), ((2, 3, 4), (2, 1, 3, 4, 2)),
    ):  # fmt: skip
        agree(
            lambda lib, t, s=size: f(lib).affine_grid(t, s, align_corners=align_corners),
            numbers(*theta),
            node=False,
        )


def test_refused_grids() -> None:
    for shape, grid, options in (
        (X, (1, 3, 3, 3), {}), (X, (2, 3, 3, 2), {}), (X, (1, 3, 2), {}),
        (X, (1, 3, 3, 2), {"mode": "foo"}), (X, (1, 3, 3, 2), {"padding_mode": "foo"}),
        ((1, 2, 0, 5), (1, 3, 3, 2), {}), ((2, 5), (1, 3, 3, 2), {}),
        (CUBE, (1, 3, 3, 3, 3), {"mode": "bicubic"}),
    ):  # fmt: skip
        refuse_alike(
            lambda lib, s=shape, g=grid, o=options: f(lib).grid_sample(
                lib.ones(s), lib.ones(g), align_corners=False, **o
            )
        )
    for theta, size in (
        ((1, 2, 2), (1, 2, 4, 4)), ((1, 2, 3), (1, 2, 4)), ((1, 2, 3), (1, 2, 0, 4)),
    ):  # fmt: skip
        refuse_alike(lambda lib, t=theta, s=size: f(lib).affine_grid(lib.ones(t), s, False))


# ---------------------------------------------------------------------- dropout


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_dropout_of_channels(dims: int) -> None:
    drop = getattr(F, f"dropout{dims}d")
    x = tg.ones(64, 32, *(4, 3, 2)[:dims], requires_grad=True)
    y = drop(x, 0.25)
    values = array(y).reshape(64, 32, -1)
    assert (values == values[..., :1]).all()
    np.testing.assert_allclose(np.unique(values), [0, 1 / 0.75], 1e-6)
    assert values.astype(bool).mean() == pytest.approx(0.75, abs=0.03)
    assert y.grad_fn.name() == "MulBackward0"
    y.sum().backward()
    np.testing.assert_array_equal(array(x.grad), array(y))
    z = x.detach()
    assert drop(z, 0.5, inplace=True) is z
    assert not array(z).all()
    assert not array(drop(x, 1.0)).any()
    assert drop(x, 0.0) is x
    assert drop(x, training=False) is x
    with pytest.raises(ValueError, match="dropout probability has to be between 0 and 1"):
        drop(x, 1.5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert tuple(drop(x[0].detach(), 0.5).shape) == tuple(x.shape[1:])


def test_refused_dropout() -> None:
    refuse_alike(lambda lib: f(lib).dropout1d(lib.ones(5)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        refuse_alike(lambda lib: f(lib).dropout2d(lib.ones(5)))
    refuse_alike(lambda lib: f(lib).feature_alpha_dropout(lib.ones(5), 0.5, True))
    refuse_alike(lambda lib: f(lib).alpha_dropout(lib.ones(5), 2))
    with pytest.warns(UserWarning, match="Received a 3D input to dropout2d"):
        F.dropout2d(tg.ones(2, 3, 4))
    with pytest.warns(UserWarning, match="Received a 2-D input to dropout2d"):
        F.dropout2d(tg.ones(2, 3))


def test_alpha_dropout() -> None:
    tg.manual_seed(3)
    x = tg.randn(200, 500)
    for drop in (F.alpha_dropout, F.feature_alpha_dropout):
        y = drop(x, 0.3, training=True)
        assert y.mean().item() == pytest.approx(0, abs=0.02)
        assert y.std().item() == pytest.approx(1, abs=0.02)
        assert drop(x) is x
        assert not array(drop(x, 1.0, True)).any()
    z = tg.zeros(4, 6, 5)
    y = array(F.feature_alpha_dropout(z, 0.5, True))
    assert (y == y[..., :1]).all()
    assert F.alpha_dropout(z, 0.5, True, inplace=True) is z
    assert array(z).any()


@pytest.mark.parametrize("shape", [(2, 5, 4), (2, 5, 4, 3), (2, 5, 2, 3, 2), (0, 2, 5)])
def test_local_response_norm(shape: tuple) -> None:
    for size in (1, 2, 3):
        agree(
            lambda lib, t, n=size: f(lib).local_response_norm(t, n, 0.7, 0.6, 1.2) * 1,
            numbers(*shape),
        )
    refuse_alike(lambda lib: f(lib).local_response_norm(lib.ones(2, 5), 3))


# ---------------------------------------------------------------------- any integers

HOSTILE = (-1, -2, 0, 3, 7, 2**40, 2**62, 2**63 - 2, 2**63 - 1, -(2**63), -(2**62))


def hostile_calls(dims: int) -> Any:
    x = tg.ones(1, 2, *(5,) * dims)
    weight, transposed = tg.ones(3, 2, *(2,) * dims), tg.ones(2, 3, *(2,) * dims)
    for one in HOSTILE:
        for value in (one, (one, *(1,) * (dims - 1)), (*(2,) * (dims - 1), one)):
            for name in ("stride", "padding", "dilation"):
                yield f"conv{dims}d", (x, weight), {name: value}
                yield f"conv_transpose{dims}d", (x, transposed), {name: value}
            yield f"conv_transpose{dims}d", (x, transposed), {"output_padding": value}
            for name in ("kernel_size", "stride", "padding", "dilation"):
                for options in ({}, {"ceil_mode": True}):
                    yield f"max_pool{dims}d", (x,), {"kernel_size": 2, name: value, **options}
                    if name != "dilation":
                        yield f"avg_pool{dims}d", (x,), {"kernel_size": 2, name: value, **options}
            for name in (f"adaptive_avg_pool{dims}d", f"adaptive_max_pool{dims}d", "interpolate"):
                yield name, (x, value), {}
            if dims == 2:
                for name in ("kernel_size", "stride", "padding", "dilation"):
                    yield "unfold", (x,), {"kernel_size": 2, name: value}
                    yield "fold", (tg.ones(1, 8, 16), (5, 5)), {"kernel_size": 2, name: value}
                yield "fold", (tg.ones(1, 8, 16), value, 2), {}
        for mode in ("constant", "reflect", "replicate", "circular"):
            for around in ((one, 0), (0, one), (one, one), (one, -1), (-2, one)):
                yield "pad", (x, around * dims, mode), {}
        for name in ("pixel_shuffle", "pixel_unshuffle", "channel_shuffle"):
            yield name, (tg.ones(1, 4, 2, 2), one), {}


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_any_integer_gives_a_result_or_an_error(dims: int) -> None:
    for name, args, options in hostile_calls(dims):
        try:
            getattr(F, name)(*args, **options)
        except (RuntimeError, ValueError):
            pass
        except Exception as error:
            raise AssertionError(f"{name}{args[1:]} {options}") from error


def test_backward_of_steps_beyond_the_input() -> None:
    x, w = tg.ones(1, 1, 4, requires_grad=True), tg.ones(1, 1, 1, requires_grad=True)
    for stride in HOSTILE:
        for name in ("conv1d", "max_pool1d", "avg_pool1d"):
            window = w if name == "conv1d" else 1
            if stride <= 4:
                continue
            x.grad = None
            getattr(F, name)(x, window, stride=stride).sum().backward()
            assert x.grad.tolist() == [[[1.0, 0.0, 0.0, 0.0]]], (name, stride)
    assert F.max_pool1d(tg.arange(4.0)[None], 1, 1, dilation=2**63 - 1).tolist() == [[0, 1, 2, 3]]
    for call in (F.max_pool2d, F.avg_pool2d, F.unfold):
        with pytest.raises(RuntimeError, match=r"too small|non-positive|calculated shape"):
            call(tg.ones(1, 1, 2, 2), 5, stride=2**63 - 1)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("scale", [1e-30, 1e-300, 1e30, 1e300])
def test_scales_that_lead_out_of_the_input(dtype: str, scale: float) -> None:
    line = tg.arange(64).to(getattr(tg, dtype))[None, None]
    image = line.reshape(1, 1, 8, 8)
    for x, size, scales in ((line, [50], [scale]), (image, [5, 5], [scale, scale])):
        found = tg._C.upsample(x, size, "nearest", False, scales)
        assert ((found >= 0) & (found < 64)).all()


# ---------------------------------------------------------------------- the core


def test_functions_of_the_core() -> None:
    line, image, volume = (tg.ones(1, 4, *(4,) * d) for d in (1, 2, 3))
    for x, pools, maxima, parts in (
        (
            line,
            (tg.max_pool1d, tg.avg_pool1d),
            (tg.max_pool1d_with_indices, tg.max_unpool1d, tg.adaptive_max_pool1d),
            (tg.adaptive_avg_pool1d, tg.reflection_pad1d, tg.replication_pad1d),
        ),
        (
            image,
            (tg.max_pool2d, tg.avg_pool2d),
            (tg.max_pool2d_with_indices, tg.max_unpool2d, tg.adaptive_max_pool2d),
            (tg.adaptive_avg_pool2d, tg.reflection_pad2d, tg.replication_pad2d),
        ),
        (
            volume,
            (tg.max_pool3d, tg.avg_pool3d),
            (tg.max_pool3d_with_indices, tg.max_unpool3d, tg.adaptive_max_pool3d),
            (tg.adaptive_avg_pool3d, tg.reflection_pad3d, tg.replication_pad3d),
        ),
    ):
        dims = x.dim() - 2
        half = tg.ones(1, 4, *(2,) * dims)
        for pool in pools:
            assert tg.equal(pool(x, 2), half)
        with_places, unpool, adaptive_max = maxima
        values, places = with_places(x, 2)
        assert unpool(values, places, (4,) * dims).sum().item() == half.numel()
        assert tg.equal(adaptive_max(x, 2)[0], half)
        adaptive_mean, reflect, replicate = parts
        assert tg.equal(adaptive_mean(x, 2), half)
        around = (1, 1) * dims
        for padded in (reflect(x, around), replicate(x, around), tg.circular_pad(x, around)):
            assert tg.equal(padded, tg.ones(1, 4, *(6,) * dims))
        assert tg.constant_pad_nd(x, around).sum() == x.sum()
        assert tg.equal(tg.upsample(x, (3,) * dims), tg.ones(1, 4, *(3,) * dims))
    columns = tg.im2col(image, 2, 1, 0, 2)
    assert tg.equal(tg.col2im(columns, 4, 2, 1, 0, 2), image)
    assert tg.equal(tg.pixel_unshuffle(tg.pixel_shuffle(image, 2), 2), image)
    assert tg.equal(tg.channel_shuffle(image, 2), image)


# ---------------------------------------------------------------------- layers

LAYERS = [
    ("MaxPool1d", (2, 3, 1, 1, False, True), (2, 3, 9)), ("MaxPool2d", (2,), X),
    ("MaxPool3d", (2,), CUBE), ("AvgPool1d", (2,), LINE), ("AvgPool2d", (2, 1), X),
    ("AvgPool3d", (2,), CUBE), ("LPPool1d", (2, 3), LINE), ("LPPool2d", (2, 3), X),
    ("LPPool3d", (2, 3), CUBE),
    *((f"Adaptive{k}Pool{d}d", (2,), s) for k in ("Avg", "Max")
      for d, s in ((1, LINE), (2, X), (3, CUBE))),
    ("AdaptiveAvgPool2d", ((None, 2),), X),
    *((f"{k}Pad{d}d", (1,), s) for k in ("Zero", "Reflection", "Replication", "Circular")
      for d, s in ((1, LINE), (2, X), (3, CUBE))),
    *((f"ConstantPad{d}d", (1, 3.0), s) for d, s in ((1, LINE), (2, X), (3, CUBE))),
    ("CircularPad1d", ((1, 2),), LINE), ("Unfold", (2,), X), ("Fold", ((5, 5), 2), (1, 8, 16)),
    ("PixelShuffle", (2,), (1, 8, 2, 2)), ("PixelUnshuffle", (2,), (1, 1, 4, 4)),
    ("ChannelShuffle", (2,), (1, 4, 2, 2)), ("Upsample", (None, 2), X),
    ("Upsample", (None, (2.0, 1.5)), X), ("Upsample", (3, None, "bilinear", True), X),
    ("UpsamplingNearest2d", (None, 2), X), ("UpsamplingBilinear2d", (3,), X),
    ("LocalResponseNorm", (2,), X), ("Dropout1d", (), LINE), ("Dropout2d", (0.2,), X),
    ("Dropout3d", (), CUBE), ("AlphaDropout", (), X), ("FeatureAlphaDropout", (0.2, True), X),
    ("MaxUnpool2d", (2,), None), ("MaxUnpool1d", (2, 1, 0), None), ("MaxUnpool3d", (2,), None),
]  # fmt: skip


@pytest.mark.parametrize(("name", "args", "shape"), LAYERS, ids=str)
def test_layers(name: str, args: tuple, shape: tuple | None) -> None:
    layer, other = (getattr(lib.nn, name)(*args).eval() for lib in (tg, torch))
    assert repr(layer) == repr(other)
    if shape is None:
        return
    x = np.abs(numbers(*shape)) + 0.1
    np.testing.assert_allclose(
        array(layer(tg.from_numpy(x))), other(torch.from_numpy(x)).numpy(), 1e-10, 1e-10
    )


def test_layers_that_give_places() -> None:
    x = tg.from_numpy(numbers(2, 3, 6, 6))
    values, places = nn.MaxPool2d(2, return_indices=True)(x)
    back = nn.MaxUnpool2d(2)(values, places)
    assert tuple(back.shape) == tuple(x.shape)
    assert array(back).any(axis=(2, 3)).all()
    values, places = nn.AdaptiveMaxPool2d(2, return_indices=True)(x)
    np.testing.assert_array_equal(array(x.flatten(2).gather(2, places.flatten(2))).ravel(),
                                  array(values).ravel())  # fmt: skip
    with pytest.raises(ValueError, match="dropout probability"):
        nn.Dropout2d(2)


def test_gradients_by_differences() -> None:
    x = tg.from_numpy(numbers(1, 2, 4, 5)).requires_grad_()
    for call in (
        lambda t: F.avg_pool2d(t, 2, 1, 1, count_include_pad=False),
        lambda t: F.max_pool2d(t, 2, 1),
        lambda t: F.pad(t, (1, 1, 1, 1), "reflect"),
        lambda t: F.interpolate(t, (3, 7), mode="bicubic"),
        lambda t: F.unfold(t, 2, padding=1) ** 2,
        lambda t: F.adaptive_avg_pool2d(t, 3),
    ):
        assert tg.autograd.gradcheck(call, (x,))
        assert tg.autograd.gradgradcheck(call, (x,))


def test_half() -> None:
    for dtype in (tg.float16, tg.bfloat16):
        x = tg.from_numpy(numbers(1, 2, 6, 6)).to(dtype).requires_grad_()
        for call in (
            lambda t: F.max_pool2d(t, 2),
            lambda t: F.avg_pool2d(t, 2),
            lambda t: F.pad(t, (1, 1, 1, 1), "replicate"),
            lambda t: F.pad(t, (1, 1)),
            lambda t: F.interpolate(t, 4, mode="bilinear"),
            lambda t: F.unfold(t, 2),
            lambda t: F.pixel_unshuffle(t, 2),
        ):
            y = call(x)
            assert y.dtype is dtype
            (grad,) = tg.autograd.grad(y.sum(), x)
            assert grad.dtype is dtype
            wide = array(call(x.detach().double()))
            np.testing.assert_allclose(array(y.float()), wide, 1e-2, 1e-2)
