"""A tensor autograd engine for the CPU whose API mirrors that of ``torch``.

Example:
    >>> import tapegrad
    >>> x = tapegrad.tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> (x ** 2).sum().backward()
    >>> x.grad
    tensor([2., 4., 6.])
"""

# ruff: noqa: I001  (the order counts: later modules use names of earlier ones)
from typing import TYPE_CHECKING

from ._openmp import short_spins

with short_spins():
    from . import _C
from ._C import *  # noqa: F403  (the functions and dtypes of the core; they shadow int, float and bool)
from ._device import (
    channels_last,
    channels_last_3d,
    contiguous_format,
    device,
    memory_format,
    preserve_format,
)
from ._tensor import Tensor, is_tensor
from . import _legacy, _size as _size, _tensor_rest
from ._legacy import *  # noqa: F403
from ._tensor_rest import *  # noqa: F403
from ._tensor_str import get_printoptions, printoptions, set_printoptions
from ._version import __version__
from . import return_types
from . import autograd
from .autograd.grad_mode import enable_grad, inference_mode, no_grad, set_grad_enabled
from . import __config__
from ._lazy import lazy
from ._runtime import memory_stats

if TYPE_CHECKING:
    from . import linalg, nn, optim, signal, special, utils
    from ._differences import (
        gradient,
    )
    from ._histograms import (
        histogramdd,
    )
    from ._inplace import (
        addmv_,
        clamp_,
        clip_,
        detach_,
        fill,
        fill_,
        index_put_,
        round_,
    )
    from ._low_rank import (
        pca_lowrank,
        svd_lowrank,
    )
    from ._numbered import (
        norm_except_dim,
        native_channel_shuffle,
        conv_tbc,
        affine_grid_generator,
        alpha_dropout,
        alpha_dropout_,
        bilinear,
        cosine_embedding_loss,
        cosine_similarity,
        ctc_loss,
        dropout_,
        embedding_bag,
        feature_alpha_dropout,
        feature_alpha_dropout_,
        feature_dropout,
        feature_dropout_,
        grid_sampler,
        grid_sampler_2d,
        grid_sampler_3d,
        hinge_embedding_loss,
        kl_div,
        margin_ranking_loss,
        pairwise_distance,
        poisson_nll_loss,
        triplet_margin_loss,
    )
    from ._segments import (
        segment_reduce,
    )
    from ._symbolic import (
        sym_float,
        sym_int,
        sym_ite,
        sym_max,
        sym_min,
        sym_not,
        sym_sqrt,
        sym_sum,
    )
    from ._windows import (
        bartlett_window,
        blackman_window,
        hamming_window,
        hann_window,
        kaiser_window,
    )
    from .utils.dlpack import to_dlpack
    from .storage import (
        BFloat16Storage,
        BoolStorage,
        ByteStorage,
        CharStorage,
        DoubleStorage,
        FloatStorage,
        HalfStorage,
        IntStorage,
        LongStorage,
        ShortStorage,
        Storage,
        TypedStorage,
        UntypedStorage,
        is_storage,
    )
    from ._ops import ops
    from .serialization import load, save

__getattr__, __dir__ = lazy(
    __name__,
    {
        "linalg": "linalg",
        "nn": "nn",
        "ops": "_ops",
        "optim": "optim",
        "signal": "signal",
        "special": "special",
        "storage": "storage",
        "utils": "utils",
        "load": "serialization",
        "to_dlpack": "utils.dlpack",
        "norm_except_dim": "_numbered",
        "native_channel_shuffle": "_numbered",
        "conv_tbc": "_numbered",
        "save": "serialization",
        "BFloat16Storage": "storage",
        "BoolStorage": "storage",
        "ByteStorage": "storage",
        "CharStorage": "storage",
        "DoubleStorage": "storage",
        "FloatStorage": "storage",
        "HalfStorage": "storage",
        "IntStorage": "storage",
        "LongStorage": "storage",
        "ShortStorage": "storage",
        "Storage": "storage",
        "TypedStorage": "storage",
        "UntypedStorage": "storage",
        "addmv_": "_inplace",
        "affine_grid_generator": "_numbered",
        "alpha_dropout": "_numbered",
        "alpha_dropout_": "_numbered",
        "bartlett_window": "_windows",
        "bilinear": "_numbered",
        "blackman_window": "_windows",
        "clamp_": "_inplace",
        "clip_": "_inplace",
        "cosine_embedding_loss": "_numbered",
        "cosine_similarity": "_numbered",
        "ctc_loss": "_numbered",
        "detach_": "_inplace",
        "dropout_": "_numbered",
        "embedding_bag": "_numbered",
        "feature_alpha_dropout": "_numbered",
        "feature_alpha_dropout_": "_numbered",
        "feature_dropout": "_numbered",
        "feature_dropout_": "_numbered",
        "fill": "_inplace",
        "fill_": "_inplace",
        "gradient": "_differences",
        "grid_sampler": "_numbered",
        "grid_sampler_2d": "_numbered",
        "grid_sampler_3d": "_numbered",
        "hamming_window": "_windows",
        "hann_window": "_windows",
        "hinge_embedding_loss": "_numbered",
        "histogramdd": "_histograms",
        "index_put_": "_inplace",
        "is_storage": "storage",
        "kaiser_window": "_windows",
        "kl_div": "_numbered",
        "margin_ranking_loss": "_numbered",
        "pairwise_distance": "_numbered",
        "pca_lowrank": "_low_rank",
        "poisson_nll_loss": "_numbered",
        "round_": "_inplace",
        "segment_reduce": "_segments",
        "svd_lowrank": "_low_rank",
        "sym_float": "_symbolic",
        "sym_int": "_symbolic",
        "sym_ite": "_symbolic",
        "sym_max": "_symbolic",
        "sym_min": "_symbolic",
        "sym_not": "_symbolic",
        "sym_sqrt": "_symbolic",
        "sym_sum": "_symbolic",
        "triplet_margin_loss": "_numbered",
    },
)

__all__ = [
    "BFloat16Storage",
    "BoolStorage",
    "ByteStorage",
    "CharStorage",
    "DoubleStorage",
    "FloatStorage",
    "HalfStorage",
    "IntStorage",
    "LongStorage",
    "ShortStorage",
    "Storage",
    "Tensor",
    "TypedStorage",
    "UntypedStorage",
    "__config__",
    "__version__",
    "addmv_",
    "affine_grid_generator",
    "alpha_dropout",
    "alpha_dropout_",
    "autograd",
    "bartlett_window",
    "bilinear",
    "blackman_window",
    "channels_last",
    "channels_last_3d",
    "clamp_",
    "clip_",
    "contiguous_format",
    "conv_tbc",
    "cosine_embedding_loss",
    "cosine_similarity",
    "ctc_loss",
    "detach_",
    "device",
    "dropout_",
    "embedding_bag",
    "enable_grad",
    "feature_alpha_dropout",
    "feature_alpha_dropout_",
    "feature_dropout",
    "feature_dropout_",
    "fill",
    "fill_",
    "get_printoptions",
    "gradient",
    "grid_sampler",
    "grid_sampler_2d",
    "grid_sampler_3d",
    "hamming_window",
    "hann_window",
    "hinge_embedding_loss",
    "histogramdd",
    "index_put_",
    "inference_mode",
    "is_storage",
    "is_tensor",
    "kaiser_window",
    "kl_div",
    "linalg",
    "load",
    "margin_ranking_loss",
    "memory_format",
    "memory_stats",
    "native_channel_shuffle",
    "nn",
    "no_grad",
    "norm_except_dim",
    "ops",
    "optim",
    "pairwise_distance",
    "pca_lowrank",
    "poisson_nll_loss",
    "preserve_format",
    "printoptions",
    "return_types",
    "round_",
    "save",
    "segment_reduce",
    "set_grad_enabled",
    "set_printoptions",
    "signal",
    "special",
    "svd_lowrank",
    "sym_float",
    "sym_int",
    "sym_ite",
    "sym_max",
    "sym_min",
    "sym_not",
    "sym_sqrt",
    "sym_sum",
    "to_dlpack",
    "triplet_margin_loss",
    "utils",
]
__all__ += _legacy.__all__ + _tensor_rest.__all__
__all__ += _C.__all__
