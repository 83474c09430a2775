"""Switches that programs for PyTorch set, and what they do here: mostly nothing."""

from __future__ import annotations

import os
import warnings
from typing import Any

from ._device import CPU, device, require_cpu

__all__ = [
    "are_deterministic_algorithms_enabled",
    "get_default_device",
    "get_deterministic_debug_mode",
    "get_device_module",
    "get_float32_matmul_precision",
    "get_num_interop_threads",
    "is_deterministic_algorithms_warn_only_enabled",
    "is_warn_always_enabled",
    "set_default_device",
    "set_deterministic_debug_mode",
    "set_float32_matmul_precision",
    "set_flush_denormal",
    "set_num_interop_threads",
    "set_warn_always",
    "use_deterministic_algorithms",
]


class _Settings:
    deterministic = 0  # 1 warns, 2 raises: of what there is nothing here
    precision = "highest"
    interop_threads: int | None = None
    warn_always = False


# ------------------------------------------------------------------------------ devices


def set_default_device(device: Any) -> None:
    """Choose where tensors are made: on the CPU.

    Args:
        device: a device or its name; None for the CPU.

    Raises:
        RuntimeError: for other devices.

    Example:
        >>> import tapegrad
        >>> tapegrad.set_default_device("cpu")
        >>> tapegrad.get_default_device()
        device(type='cpu')
    """
    require_cpu(device)


def get_default_device() -> device:
    """The device on which tensors are made: the CPU.

    Example:
        >>> import tapegrad
        >>> tapegrad.get_default_device()
        device(type='cpu')
    """
    return CPU


def get_device_module(device: Any = None) -> Any:
    """The module about a type of devices: ``tapegrad.cpu``, ``cuda``, ``xpu`` or ``mps``.

    Args:
        device: a device or its name. Default: None, the CPU.

    Raises:
        RuntimeError: if there is no module about it.

    Example:
        >>> import tapegrad
        >>> tapegrad.get_device_module("cuda") is tapegrad.cuda
        True
    """
    import tapegrad

    kind = CPU.type if device is None else tapegrad.device(device).type
    if kind not in ("cpu", "cuda", "xpu", "mps"):
        raise RuntimeError(f"tapegrad has no module about the device {kind!r}")
    return getattr(tapegrad, kind)


# ------------------------------------------------------------------------------ determinism


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Ask for the same bits from the same inputs, which is what all operators give anyway.

    Args:
        mode: kept, for `are_deterministic_algorithms_enabled`.
        warn_only: kept, for `is_deterministic_algorithms_warn_only_enabled`. Default: False.

    Example:
        >>> import tapegrad
        >>> tapegrad.use_deterministic_algorithms(True)
        >>> tapegrad.are_deterministic_algorithms_enabled()
        True
        >>> tapegrad.use_deterministic_algorithms(False)
    """
    if not isinstance(mode, bool):
        raise TypeError(
            "use_deterministic_algorithms(): argument 'mode' (position 1) must be bool, not "
            f"{type(mode).__name__}"
        )
    _Settings.deterministic = 0 if not mode else 1 if warn_only else 2


def are_deterministic_algorithms_enabled() -> bool:
    """Whether the program has asked for deterministic operators; all are, in either case.

    Example:
        >>> import tapegrad
        >>> tapegrad.are_deterministic_algorithms_enabled()
        False
    """
    return _Settings.deterministic != 0


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """Whether the program has asked for warnings only.

    Example:
        >>> import tapegrad
        >>> tapegrad.is_deterministic_algorithms_warn_only_enabled()
        False
    """
    return _Settings.deterministic == 1


def set_deterministic_debug_mode(debug_mode: int | str) -> None:
    """`use_deterministic_algorithms` by a number or a word.

    Args:
        debug_mode: 0 or ``"default"``, 1 or ``"warn"``, 2 or ``"error"``.

    Raises:
        TypeError: if it is neither a number nor a word.
        RuntimeError: if it is another one.

    Example:
        >>> import tapegrad
        >>> tapegrad.set_deterministic_debug_mode("error")
        >>> tapegrad.get_deterministic_debug_mode()
        2
        >>> tapegrad.set_deterministic_debug_mode(0)
    """
    words = ["default", "warn", "error"]
    if not isinstance(debug_mode, int | str):
        raise TypeError(f"debug_mode must be str or int, but got {type(debug_mode)}")
    if isinstance(debug_mode, str):
        if debug_mode not in words:
            raise RuntimeError(
                "invalid value of debug_mode, expected one of `default`, `warn`, `error`, but got "
                f"{debug_mode}"
            )
        debug_mode = words.index(debug_mode)
    if debug_mode not in (0, 1, 2):
        raise RuntimeError(
            f"invalid value of debug_mode, expected 0, 1, or 2, but got {debug_mode}"
        )
    _Settings.deterministic = int(debug_mode)


def get_deterministic_debug_mode() -> int:
    """0, 1 or 2, as `set_deterministic_debug_mode` has it.

    Example:
        >>> import tapegrad
        >>> tapegrad.get_deterministic_debug_mode()
        0
    """
    return _Settings.deterministic


# ------------------------------------------------------------------------------ numbers, threads


def set_float32_matmul_precision(precision: str) -> None:
    """Allow products of float32 to be less exact, which they never are here.

    Args:
        precision: ``"highest"``, ``"high"`` or ``"medium"``; kept, for the function that tells it.

    Example:
        >>> import tapegrad
        >>> tapegrad.set_float32_matmul_precision("high")
        >>> tapegrad.get_float32_matmul_precision()
        'high'
        >>> tapegrad.set_float32_matmul_precision("highest")
    """
    if precision in ("highest", "high", "medium"):
        _Settings.precision = precision
    else:
        warnings.warn(
            f"{precision} is not one of 'highest', 'high', or 'medium'; the current "
            "set_float32_matmul_precision call has no effect.",
            stacklevel=2,
        )


def get_float32_matmul_precision() -> str:
    """What `set_float32_matmul_precision` was told. Default: ``"highest"``.

    Example:
        >>> import tapegrad
        >>> tapegrad.get_float32_matmul_precision()
        'highest'
    """
    return _Settings.precision


def set_num_interop_threads(num: int, /) -> None:
    """Accepted for programs that have it: operators run one after the other.

    Raises:
        RuntimeError: if the number is not positive, or if it was set to another one before.

    Example:
        >>> import tapegrad
        >>> tapegrad.set_num_interop_threads(0)
        Traceback (most recent call last):
        RuntimeError: set_num_interop_threads expects a positive integer
    """
    if num < 1:
        raise RuntimeError("set_num_interop_threads expects a positive integer")
    if _Settings.interop_threads not in (None, num):
        raise RuntimeError(
            "Error: cannot set number of interop threads after parallel work has started or "
            "set_num_interop_threads called"
        )
    _Settings.interop_threads = num


def get_num_interop_threads() -> int:
    """What `set_num_interop_threads` was told. Default: the number of processors.

    Example:
        >>> import tapegrad
        >>> tapegrad.get_num_interop_threads() > 0
        True
    """
    return _Settings.interop_threads or os.cpu_count() or 1


def set_flush_denormal(mode: bool, /) -> bool:
    """Ask for numbers too small for full precision to become zero. They are kept here.

    Returns:
        Whether the library can do what was asked for: True for False only.

    Example:
        >>> import tapegrad
        >>> tapegrad.set_flush_denormal(True), tapegrad.set_flush_denormal(False)
        (False, True)
    """
    return not mode


def set_warn_always(b: bool, /) -> None:
    """Kept for `is_warn_always_enabled`: Python's filters decide how often a warning is shown.

    Example:
        >>> import tapegrad
        >>> tapegrad.set_warn_always(False)
        >>> tapegrad.is_warn_always_enabled()
        False
    """
    _Settings.warn_always = b


def is_warn_always_enabled() -> bool:
    """What `set_warn_always` was told. Default: False.

    Example:
        >>> import tapegrad
        >>> tapegrad.is_warn_always_enabled()
        False
    """
    return _Settings.warn_always
