"""The modules of nn: how each is made, and the shapes of its inputs."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np


class Ints:
    """An argument of integers below a bound."""

    def __init__(self, high: int, *shape: int) -> None:
        self.high, self.shape = high, shape


class Signs(Ints):
    """An argument of 1 and -1."""

    def __init__(self, *shape: int) -> None:
        super().__init__(2, *shape)


class Positive(Ints):
    """An argument of floats between 0 and 1."""

    def __init__(self, *shape: int) -> None:
        super().__init__(0, *shape)


LINE, IMAGE, VOLUME = (2, 4, 12), (2, 4, 8, 8), (2, 4, 6, 6, 6)
BY_DIMS = {1: LINE, 2: IMAGE, 3: VOLUME}
ROW = (3, 6)

# name -> cases, each the arguments, the keyword arguments and the inputs: a tuple of numbers is the
# shape of one of floats.
Case = tuple[tuple[Any, ...], dict[str, Any], list[Any]]
TABLE: dict[str, list[Case]] = {}


def add(name: str, args: Any = (), inputs: Any = (ROW,), **kwargs: Any) -> None:
    TABLE.setdefault(name, []).append((tuple(args), kwargs, list(inputs)))


add("Identity")
add("Linear", (6, 2))
add("Linear", (6, 2), bias=False)
add("Bilinear", (6, 4, 3), [ROW, (3, 4)])
add("Bilinear", (6, 4, 3, False), [ROW, (3, 4)])
for dims, shape in BY_DIMS.items():
    add(f"Conv{dims}d", (4, 6, 3), [shape])
    add(f"Conv{dims}d", (4, 6, 3, 2, 1, 1, 2, False), [shape])
    add(f"Conv{dims}d", (4, 6, 3), [shape], padding="same", padding_mode="circular", dilation=2)
    add(f"ConvTranspose{dims}d", (4, 6, 3), [shape])
    add(f"ConvTranspose{dims}d", (4, 6, 3, 2, 1, 1, 2, False), [shape])
    for kind in ("BatchNorm", "InstanceNorm"):
        add(f"{kind}{dims}d", (4,), [shape])
        add(f"{kind}{dims}d", (4, 1e-3, 0.3, True, True), [shape])
        add(f"{kind}{dims}d", (4,), [shape], affine=False)
    add(f"BatchNorm{dims}d", (4,), [shape], track_running_stats=False, momentum=None)
    add(f"MaxPool{dims}d", (3,), [shape])
    add(f"MaxPool{dims}d", (3, 2, 1, 1, True, True), [shape])
    add(f"AvgPool{dims}d", (3,), [shape])
    add(f"AvgPool{dims}d", (3, 2, 1, True, False), [shape])
    add(f"LPPool{dims}d", (2.0, 2), [shape])
    add(f"AdaptiveAvgPool{dims}d", (3,), [shape])
    add(f"AdaptiveMaxPool{dims}d", (3,), [shape])
    add(f"AdaptiveMaxPool{dims}d", (3, True), [shape])
    add(
        f"MaxUnpool{dims}d",
        (2,),
        [tuple(shape[:2]) + (2,) * dims, Ints(4, *shape[:2], *(2,) * dims)],
    )
    for kind in ("Reflection", "Replication", "Zero", "Circular"):
        add(f"{kind}Pad{dims}d", (2,), [shape])
    add(f"ConstantPad{dims}d", (1, 3.5), [shape])
    add(f"Dropout{dims}d", (0.0,), [shape])
for dims in (2, 3):
    samples = [[[0.3, 0.6, 0.1][:dims]] * 4] * 2
    add(f"FractionalMaxPool{dims}d", (2, 3), [BY_DIMS[dims]], _random_samples=samples)
add("SyncBatchNorm", (4,), [])
add("LayerNorm", (6,))
add("LayerNorm", ([3, 6], 1e-4, True, False))
add("LayerNorm", (6,), elementwise_affine=False)
add("RMSNorm", (6,))
add("RMSNorm", ([3, 6],), eps=1e-3, elementwise_affine=False)
add("GroupNorm", (2, 4), [IMAGE])
add("GroupNorm", (2, 4), [IMAGE], affine=False)
add("LocalResponseNorm", (3,), [IMAGE])
add("CrossMapLRN2d", (3, 0.1), [IMAGE])
add("Embedding", (10, 4), [Ints(10, 3, 2)])
add("Embedding", (10, 4, 1), [Ints(10, 3, 2)], max_norm=1.0)
add("EmbeddingBag", (10, 4), [Ints(10, 3, 2)])
add("EmbeddingBag", (10, 4), [Ints(10, 3, 2)], mode="max")
add("EmbeddingBag", (10, 4), [Ints(10, 3, 2)], mode="sum", padding_idx=2)
add("CosineSimilarity", (), [ROW, ROW])
add("CosineSimilarity", (0,), [ROW, ROW])
add("PairwiseDistance", (), [ROW, ROW])
add("PairwiseDistance", (1.0,), [ROW, ROW], keepdim=True)
add("Flatten", (), [IMAGE])
add("Unflatten", (1, (2, 3)))
add("Fold", ((4, 5), 2), [(1, 8, 12)])
add("Unfold", (2,), [IMAGE])
add("Unfold", (2, 1, 1, 2), [IMAGE])
add("PixelShuffle", (2,), [IMAGE])
add("PixelUnshuffle", (2,), [IMAGE])
add("ChannelShuffle", (2,), [IMAGE])
add("Upsample", (12,), [IMAGE])
add("Upsample", (), [IMAGE], scale_factor=2, mode="bilinear", align_corners=True)
add("UpsamplingNearest2d", (), [IMAGE], scale_factor=2)
add("UpsamplingBilinear2d", (5,), [IMAGE])
for name in (
    *("ELU", "CELU", "SELU", "GELU", "Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh"),
    *("LeakyReLU", "LogSigmoid", "Mish", "ReLU", "ReLU6", "SiLU", "Sigmoid", "Softplus"),
    *("Softshrink", "Softsign", "Tanh", "Tanhshrink"),
):
    add(name)
add("ELU", (0.5, True))
add("CELU", (0.5,))
add("GELU", ("tanh",))
add("Hardshrink", (0.2,))
add("Hardtanh", (-0.3, 0.4))
add("LeakyReLU", (0.3, True))
add("ReLU", (True,))
add("Softplus", (2.0, 1.0))
add("Softshrink", (0.2,))
add("Threshold", (0.1, 0.7))
add("RReLU", (0.1, 0.3))
add("PReLU")
add("PReLU", (6, 0.1))
add("GLU")
for name in ("Softmax", "Softmin", "LogSoftmax"):
    add(name, (1,))
add("Softmax2d", (), [IMAGE])
add("Dropout", (0.3,))
add("AlphaDropout", (0.3,))
add("FeatureAlphaDropout", (0.3,), [IMAGE])
for kind in ("RNN", "LSTM", "GRU"):
    add(kind, (6, 5), [(4, 3, 6)])
    add(kind, (6, 5, 2), [(3, 4, 6)], batch_first=True, bidirectional=True, bias=False, dropout=0.2)
    add(f"{kind}Cell", (6, 5))
    add(f"{kind}Cell", (6, 5, False))
add("RNN", (6, 5), [(4, 3, 6)], nonlinearity="relu")
add("LSTM", (6, 5), [(4, 3, 6)], proj_size=2)
add("MultiheadAttention", (6, 2), [(4, 3, 6)] * 3)
add(
    "MultiheadAttention",
    (6, 2),
    [(3, 4, 6), (3, 5, 4), (3, 5, 2)],
    kdim=4,
    vdim=2,
    batch_first=True,
)
add("MultiheadAttention", (6, 2), [(4, 3, 6)] * 3, bias=False, add_bias_kv=True, add_zero_attn=True)
add("TransformerEncoderLayer", (6, 2, 8), [(4, 3, 6)])
add(
    "TransformerEncoderLayer",
    (6, 2, 8, 0.1, "gelu"),
    [(3, 4, 6)],
    batch_first=True,
    norm_first=True,
)
add("TransformerDecoderLayer", (6, 2, 8), [(4, 3, 6), (5, 3, 6)])
add("Transformer", (6, 2, 1, 2, 8), [(4, 3, 6), (5, 3, 6)])
add("AdaptiveLogSoftmaxWithLoss", (6, 12, [3, 7]), [ROW, Ints(12, 3)], div_value=2.0)
add("LinearCrossEntropyLoss", (6, 5), [ROW, Ints(5, 3)], bias=True, label_smoothing=0.1)
add("LinearCrossEntropyLoss", (6, 5), [ROW, Ints(5, 3, 2)], out_features=(2,), ignore_index=1)
for reduction in ("mean", "sum", "none"):
    for name in ("L1Loss", "MSELoss", "SmoothL1Loss", "HuberLoss"):
        add(name, (), [ROW, ROW], reduction=reduction)
    add("BCELoss", (), [Positive(*ROW), Positive(*ROW)], reduction=reduction)
    add("BCEWithLogitsLoss", (), [ROW, Positive(*ROW)], reduction=reduction)
    add("CrossEntropyLoss", (), [ROW, Ints(6, 3)], reduction=reduction, label_smoothing=0.1)
    add("NLLLoss", (), [ROW, Ints(6, 3)], reduction=reduction)
    add("NLLLoss2d", (), [IMAGE, Ints(4, 2, 8, 8)], reduction=reduction)
    add("KLDivLoss", (), [ROW, Positive(*ROW)], reduction=reduction)
    add("PoissonNLLLoss", (), [ROW, Positive(*ROW)], reduction=reduction)
    add("GaussianNLLLoss", (), [ROW, ROW, Positive(*ROW)], reduction=reduction)
    add("HingeEmbeddingLoss", (), [ROW, Signs(*ROW)], reduction=reduction)
    add("SoftMarginLoss", (), [ROW, Signs(*ROW)], reduction=reduction)
    add("MultiMarginLoss", (), [ROW, Ints(6, 3)], reduction=reduction)
    add("MultiLabelMarginLoss", (), [ROW, Ints(6, *ROW)], reduction=reduction)
    add("MultiLabelSoftMarginLoss", (), [ROW, Positive(*ROW)], reduction=reduction)
    add("CosineEmbeddingLoss", (), [ROW, ROW, Signs(3)], reduction=reduction)
    add("MarginRankingLoss", (), [(3,), (3,), Signs(3)], reduction=reduction)
    add("TripletMarginLoss", (), [ROW] * 3, reduction=reduction)
    add("TripletMarginWithDistanceLoss", (), [ROW] * 3, reduction=reduction)
add("CTCLoss", (), [])


def made(lib: Any, name: str, case: Case) -> Any:
    args, kwargs, _ = case
    kwargs = dict(kwargs)
    if "_random_samples" in kwargs:
        kwargs["_random_samples"] = lib.tensor(kwargs["_random_samples"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return getattr(lib.nn, name)(*args, **kwargs)


def argument(lib: Any, given: Any, seed: int) -> Any:
    rng = np.random.default_rng(seed)
    if isinstance(given, Signs):
        return lib.from_numpy(rng.integers(0, 2, given.shape).astype(np.float32) * 2 - 1)
    if isinstance(given, Positive):
        return lib.from_numpy(rng.uniform(0.05, 0.95, given.shape).astype(np.float32))
    if isinstance(given, Ints):
        return lib.from_numpy(rng.integers(0, given.high, given.shape))
    return lib.from_numpy(rng.standard_normal(given).astype(np.float32))


def flat(result: Any) -> list[Any]:
    if isinstance(result, (tuple, list)):
        return [x for part in result for x in flat(part)]
    return [] if result is None else [result]
