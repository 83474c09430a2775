"""`autocast`: some operators get their arguments in another dtype than the program gave."""

from __future__ import annotations

import functools
import threading
import warnings
from collections.abc import Callable
from typing import Any

from .. import _C
from .._C import Tensor
from .._device import device
from ..autograd.grad_mode import _DecoratorContextManager
from ..utils._python_dispatch import TorchDispatchMode

__all__ = [
    "as_it_is",
    "autocast",
    "clear_autocast_cache",
    "custom_bwd",
    "custom_fwd",
    "get_autocast_cpu_dtype",
    "get_autocast_dtype",
    "get_autocast_gpu_dtype",
    "is_autocast_available",
    "is_autocast_cache_enabled",
    "is_autocast_cpu_enabled",
    "is_autocast_enabled",
]

# Products, which take the lower precision.
_LOWER = {
    *("mm", "bmm", "matmul", "linear", "addmm", "addbmm", "baddbmm", "chain_matmul", "einsum"),
    *("tensordot", "inner", "matrix_power", "linalg_matrix_power", "linalg_multi_dot"),
    *("linalg_vecdot", "conv1d", "conv2d", "conv3d", "prelu", "scaled_dot_product_attention"),
    *("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"),
    *("lstm", "rnn_tanh", "rnn_relu", "rnn_tanh_cell", "rnn_relu_cell"),
}
# What needs float32.
_FLOAT32 = {
    *("prod", "trace", "quantile", "nanquantile", "cdist", "avg_pool3d", "adaptive_avg_pool3d"),
    *("reflection_pad1d", "reflection_pad2d"),
    *("replication_pad1d", "replication_pad2d", "replication_pad3d"),
    *("mse_loss", "l1_loss", "smooth_l1_loss", "nll_loss", "cross_entropy"),
    *("binary_cross_entropy_with_logits", "cholesky", "cholesky_inverse", "cholesky_solve"),
    *("inverse", "lu_solve", "orgqr", "pinverse", "qr", "svd", "geqrf", "triangular_solve"),
    *("linalg_cholesky", "linalg_cholesky_ex", "linalg_inv", "linalg_inv_ex", "linalg_solve"),
    *("linalg_svd", "linalg_svdvals", "linalg_eigh", "linalg_eigvalsh", "linalg_qr"),
    *("linalg_lstsq", "linalg_cond", "linalg_matrix_rank", "linalg_householder_product"),
    *("linalg_tensorinv", "linalg_tensorsolve"),
}
# What has the dtype of its input, whatever the dtype of its weights.
_LIKE_INPUT = {
    *("layer_norm", "batch_norm", "group_norm", "instance_norm", "rms_norm"),
    *("gru", "gru_cell", "lstm_cell"),
}
_LOW: tuple[Any, ...] = (_C.bfloat16, _C.float16)
_NARROW = (*_LOW, _C.float32)


class _State(threading.local):
    enabled = False
    dtype: Any = _C.bfloat16
    mode: _Casts | None = None


_state = _State()


def _cast(value: Any, dtype: Any, kinds: tuple[Any, ...]) -> Any:
    """A tensor of one of the dtypes in another one; inside of lists and tuples, too."""
    if isinstance(value, Tensor):
        return value.to(dtype) if value.dtype in kinds else value
    if type(value) in (list, tuple):
        return type(value)(_cast(item, dtype, kinds) for item in value)
    return value


class _Casts(TorchDispatchMode):
    """The mode that is in force on a thread while `autocast` is enabled there."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        name, kwargs = func._operator, kwargs or {}
        if not _state.enabled or kwargs.get("out") is not None:
            return func(*args, **kwargs)
        if name in _LOWER:
            dtype, kinds = _state.dtype, _NARROW
        elif name in _FLOAT32 or name in _LIKE_INPUT:
            dtype, kinds = _C.float32, _LOW
        else:
            return func(*args, **kwargs)
        result = func(
            *_cast(args, dtype, kinds),
            **{key: _cast(value, dtype, kinds) for key, value in kwargs.items()},
        )
        input = args[0] if args else kwargs.get("input")
        if name in _LIKE_INPUT and isinstance(input, Tensor) and input.dtype in _LOW:
            return _cast(result, input.dtype, (_C.float32,))
        return result


class autocast(_DecoratorContextManager):
    """Compute products in bfloat16 (or float16) and what needs it in float32.

    Inside, `matmul`, `linear`, convolutions, attention, LSTM and their relatives take float32
    arguments in the lower precision and give results in it; losses, decompositions and some sums
    compute in float32; everything else is as the dtypes of its arguments have it. float64 stays.
    A context manager and decorator, for the thread that enters it.

    Args:
        device_type: ``"cpu"``. For other devices it is disabled, with a warning.
        dtype: bfloat16 or float16; with another one it is disabled, with a warning.
            Default: None, bfloat16.
        enabled: False switches it off in the block. Default: True.
        cache_enabled: ignored. Default: None.

    Raises:
        RuntimeError: if it is no device.

    Example:
        >>> import tapegrad
        >>> layer = tapegrad.nn.Linear(2, 1)
        >>> with tapegrad.autocast("cpu"):
        ...     loss = layer(tapegrad.ones(3, 2)).sum()
        >>> loss.backward()
        >>> loss.dtype, layer.weight.grad.dtype
        (tapegrad.bfloat16, tapegrad.float32)
    """

    def __init__(
        self,
        device_type: str,
        dtype: Any = None,
        enabled: bool = True,
        cache_enabled: bool | None = None,
    ) -> None:
        if not isinstance(device_type, str):
            raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")
        self.device = device(device_type).type
        self.fast_dtype = get_autocast_dtype(self.device) if dtype is None else dtype
        if enabled and self.device != "cpu":
            name = self.device.upper()
            warnings.warn(f"{name} is not available. Disabling autocast.", stacklevel=2)
            enabled = False
        elif enabled and self.fast_dtype not in _LOW:
            warnings.warn(
                "In CPU autocast, but the target dtype is not supported. Disabling autocast.\n"
                "CPU Autocast only supports dtypes of tapegrad.bfloat16, tapegrad.float16 "
                "currently.",
                stacklevel=2,
            )
            enabled = False
        self._enabled = enabled
        self._before: list[tuple[bool, Any, bool]] = []

    def __enter__(self) -> Any:
        if self.device != "cpu":
            return self
        begins = self._enabled and _state.mode is None
        self._before.append((_state.enabled, _state.dtype, begins))
        if begins:
            _state.mode = _Casts().__enter__()
        _state.enabled, _state.dtype = self._enabled, self.fast_dtype
        return self

    def __exit__(self, *exc_info: Any) -> None:
        if self.device != "cpu":
            return
        _state.enabled, _state.dtype, began = self._before.pop()
        if began and _state.mode is not None:
            _state.mode.__exit__()
            _state.mode = None

    def clone(self) -> autocast:
        """Return one with the same settings."""
        copy = object.__new__(autocast)
        copy.device, copy.fast_dtype, copy._enabled = self.device, self.fast_dtype, self._enabled
        copy._before = []
        return copy


def as_it_is() -> autocast:
    """A context manager in which the mode is what it is now, on whatever thread."""
    return autocast("cpu", _state.dtype, _state.enabled)


def is_autocast_available(device_type: str) -> bool:
    """Whether `autocast` can be enabled for a device: for the CPU.

    Example:
        >>> import tapegrad
        >>> tapegrad.amp.is_autocast_available("cpu")
        True
    """
    return device(device_type).type == "cpu"


def is_autocast_enabled(device_type: str | None = None) -> bool:
    """Whether `autocast` is enabled on this thread for a device.

    Args:
        device_type: Default: None, ``"cuda"``.

    Example:
        >>> import tapegrad
        >>> with tapegrad.autocast("cpu"):
        ...     tapegrad.is_autocast_enabled("cpu"), tapegrad.is_autocast_enabled()
        (True, False)
    """
    return device_type == "cpu" and _state.enabled


def is_autocast_cpu_enabled() -> bool:
    """``is_autocast_enabled("cpu")``.

    Example:
        >>> import tapegrad
        >>> tapegrad.is_autocast_cpu_enabled()
        False
    """
    return _state.enabled


def get_autocast_dtype(device_type: str) -> Any:
    """The dtype of products inside of `autocast`.

    Args:
        device_type: ``"cpu"``: bfloat16, or what the block around has chosen; others: float16.

    Example:
        >>> import tapegrad
        >>> tapegrad.get_autocast_dtype("cpu")
        tapegrad.bfloat16
    """
    return _state.dtype if device_type in ("cpu", "mps", "xpu") else _C.float16


def get_autocast_cpu_dtype() -> Any:
    """``get_autocast_dtype("cpu")``."""
    return get_autocast_dtype("cpu")


def get_autocast_gpu_dtype() -> Any:
    """``get_autocast_dtype("cuda")``."""
    return get_autocast_dtype("cuda")


def is_autocast_cache_enabled() -> bool:
    """False: weights are converted each time that they are used."""
    return False


def clear_autocast_cache() -> None:
    """Does nothing: converted weights are not kept."""


# ------------------------------------------------------------------------------ Function


def custom_fwd(
    fwd: Callable[..., Any] | None = None, *, device_type: str = "cuda", cast_inputs: Any = None
) -> Any:
    """A decorator of ``forward`` of an `autograd.Function` that may run inside of `autocast`.

    Args:
        fwd: the method; None gives the decorator.
        device_type: the device whose mode counts. Default: ``"cuda"``.
        cast_inputs: the dtype of floating-point arguments; then it runs without `autocast`.
            Default: None, they are left as they are.

    Example:
        >>> import tapegrad
        >>> from tapegrad.amp import custom_bwd, custom_fwd
        >>> class Double(tapegrad.autograd.Function):
        ...     @staticmethod
        ...     @custom_fwd(device_type="cpu")
        ...     def forward(ctx, x):
        ...         return x * 2
        ...     @staticmethod
        ...     @custom_bwd(device_type="cpu")
        ...     def backward(ctx, grad):
        ...         return grad * 2
        >>> x = tapegrad.ones(2, requires_grad=True)
        >>> Double.apply(x).sum().backward()
        >>> x.grad
        tensor([2., 2.])
    """
    if fwd is None:
        return functools.partial(custom_fwd, device_type=device_type, cast_inputs=cast_inputs)

    @functools.wraps(fwd)
    def forward(*args: Any, **kwargs: Any) -> Any:
        context = args[0]
        context._dtype = get_autocast_dtype(device_type)
        context._fwd_used_autocast = is_autocast_enabled(device_type)
        if cast_inputs is None or not context._fwd_used_autocast:
            return fwd(*args, **kwargs)
        context._fwd_used_autocast = False
        kinds = _NARROW
        with autocast(device_type, enabled=False):
            return fwd(
                *_cast(args, cast_inputs, kinds),
                **{key: _cast(value, cast_inputs, kinds) for key, value in kwargs.items()},
            )

    return forward


def custom_bwd(bwd: Callable[..., Any] | None = None, *, device_type: str = "cuda") -> Any:
    """A decorator of ``backward`` of an `autograd.Function`: it runs as ``forward`` did.

    Args:
        bwd: the method; None gives the decorator.
        device_type: the device whose mode counts. Default: ``"cuda"``.
    """
    if bwd is None:
        return functools.partial(custom_bwd, device_type=device_type)

    @functools.wraps(bwd)
    def backward(*args: Any, **kwargs: Any) -> Any:
        context = args[0]
        with autocast(device_type, context._dtype, context._fwd_used_autocast):
            return bwd(*args, **kwargs)

    return backward
