"""The CPU and its instruction sets."""

from __future__ import annotations

from .. import __config__

__all__ = ["get_cpu_capability"]


def get_cpu_capability() -> str:
    """The instruction set whose kernels run, by PyTorch's name for it.

    Returns:
        ``"AVX512"``, ``"AVX2"`` or ``"DEFAULT"``.

    Example:
        >>> import tapegrad
        >>> tapegrad.backends.cpu.get_cpu_capability() in ("AVX512", "AVX2", "DEFAULT")
        True
    """
    return {"v4": "AVX512", "v3": "AVX2"}.get(__config__.isa(), "DEFAULT")
