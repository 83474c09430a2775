"""What this build is and how it runs."""

from __future__ import annotations

from . import _C

__all__ = ["available_isas", "isa", "show"]


def isa() -> str:
    """The instruction set whose kernels run: ``"v4"``, ``"v3"``, ``"v2"`` or ``"neon"``.

    The best one that the machine has is chosen at import; the environment variable ``TAPEGRAD_ISA``
    overrides the choice.
    """
    return _C._isa()


def available_isas() -> list[str]:
    """The instruction sets that this build and this machine both have, the best one first."""
    return _C._available_isas()


def show() -> str:
    """A few lines about the build.

    Example:
        >>> import tapegrad
        >>> print(tapegrad.__config__.show())  # doctest: +ELLIPSIS
        tapegrad ...
    """
    return "\n".join(
        (
            f"tapegrad {_C.__version__}",
            f"instruction set: {isa()} (available: {', '.join(available_isas())})",
            f"threads: {_C.get_num_threads()}",
        )
    )
