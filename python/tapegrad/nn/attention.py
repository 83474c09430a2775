"""The choice between implementations of attention, where there is one."""

from __future__ import annotations

import contextlib
import enum
from collections.abc import Iterator

__all__ = ["SDPBackend", "sdpa_kernel"]


class SDPBackend(enum.IntEnum):
    """The implementations that PyTorch has of ``scaled_dot_product_attention``.

    Example:
        >>> from tapegrad.nn.attention import SDPBackend
        >>> SDPBackend.MATH
        <SDPBackend.MATH: 0>
    """

    ERROR = -1
    MATH = 0
    FLASH_ATTENTION = 1
    EFFICIENT_ATTENTION = 2
    CUDNN_ATTENTION = 3
    OVERRIDEABLE = 4


@contextlib.contextmanager
def sdpa_kernel(
    backends: SDPBackend | list[SDPBackend], set_priority: bool = False
) -> Iterator[None]:
    """Without effect: there is one implementation, for the CPU.

    Args:
        backends: one of :class:`SDPBackend`, or a list of them.
        set_priority: ignored.

    Raises:
        AssertionError: if `backends` is neither.

    Example:
        >>> import tapegrad
        >>> from tapegrad.nn.attention import SDPBackend, sdpa_kernel
        >>> q = tapegrad.ones(1, 2, 4)
        >>> with sdpa_kernel(SDPBackend.MATH):
        ...     y = tapegrad.nn.functional.scaled_dot_product_attention(q, q, q)
    """
    if not isinstance(backends, (list, SDPBackend)):
        raise AssertionError(
            "Backend must be an instance of SDPBackend or a list of SDPBackend instances, got "
            f"{type(backends).__name__}"
        )
    yield
