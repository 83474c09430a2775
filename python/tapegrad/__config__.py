"""What this build is, and on what it runs."""

from __future__ import annotations

from . import _C

__all__ = ["available_isas", "blas", "isa", "openmp", "show"]


def isa() -> str:
    """The instruction set whose kernels run: ``"v4"``, ``"v3"``, ``"v2"`` or ``"neon"``.

    The best one that the machine has is chosen at import; the environment variable ``TAPEGRAD_ISA``
    overrides the choice.
    """
    return _C._isa()


def available_isas() -> list[str]:
    """The instruction sets that this build and this machine both have, the best one first."""
    return _C._available_isas()


def blas() -> str:
    """The BLAS of large products and factorisations: what it says of itself, and its file.

    It is loaded by this, if no product has done so yet. ``"none"`` where there is none; the
    environment variable ``TAPEGRAD_BLAS`` names another file.
    """
    library, config = _C._blas()
    if not library:
        return "none"
    # Products are divided among the threads of the package; the library starts none of its own.
    return f"{config or 'unknown'}, 1 thread of its own ({library})"


def openmp() -> str:
    """The OpenMP runtime whose threads share the work, and its file; ``"none"`` without one."""
    library, standard = _C._openmp()
    return f"{standard // 100}-{standard % 100:02} ({library})" if standard else "none"


def show() -> str:
    """What a report of a fault should say of the build and the machine, in a few lines.

    ``python -m tapegrad`` prints it, and tests whether the package works here.

    Example:
        >>> import tapegrad
        >>> print(tapegrad.__config__.show())  # doctest: +ELLIPSIS
        tapegrad ...
    """
    from ._machine import describe

    return "\n".join(f"{name:<16} {value}" for name, value in describe().items())
