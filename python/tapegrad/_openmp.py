"""How the threads of the OpenMP runtime wait for work."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

__all__ = ["short_spins"]

_VARIABLES = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")


@contextlib.contextmanager
def short_spins() -> Iterator[None]:
    """Let waiting threads go to sleep soon, if the runtime is loaded within the block.

    GNU's runtime spins for milliseconds by default. Where another pool of threads spins too
    (NumPy's, PyTorch's), the two then wait for each other's time slices, and a product of 0.1 ms
    takes 4 ms. Some tens of microseconds are enough to stay awake from one operation of a
    training step to the next; to be woken costs as long. What the user has set is respected, and
    the environment is left as it was.
    """
    if any(name in os.environ for name in _VARIABLES):
        yield
        return
    os.environ["GOMP_SPINCOUNT"] = "10000"
    try:
        yield
    finally:
        del os.environ["GOMP_SPINCOUNT"]
